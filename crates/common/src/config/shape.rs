//! Names and kinds of the members of a table. Errors say what a value should have been, or which
//! name was meant.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::Reader;
use farebox_base::encoding::message::FromJson;

/// The kind of a member's value. What a kind leaves open is checked by who reads the member.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Anything.
    Any,
    /// A text.
    Text,
    /// `true` or `false`.
    Switch,
    /// A whole number.
    Number,
    /// A list of whole numbers.
    Numbers,
    /// A list of texts.
    Texts,
    /// A table.
    Table,
    /// A kind of one system, with its own check, which reports what is wrong.
    Own(fn(&mut Reader, &str, &Value)),
}

/// Members by name, the required ones first.
#[derive(Debug)]
pub struct Shape {
    /// The thing that has this shape.
    pub noun: &'static str,
    /// The way in which one is written.
    pub example: &'static str,
    /// Members that are required, each with an example.
    pub required: &'static [(&'static str, &'static str)],
    /// All members.
    pub members: &'static [(&'static str, Kind)],
}

impl Shape {
    /// Whether a value has this shape; each member that does not fit is an error under its own
    /// name.
    pub fn fits(&self, reader: &mut Reader, place: &str, value: &Value) -> bool {
        let Value::Object(members) = value else {
            reader.fail(place, format!("must be a table such as {}", self.example));
            return false;
        };
        let known = reader.errors.len();
        for (name, value) in members {
            let at = format!("{place}.{name}");
            match self.members.iter().find(|(known, _)| known == name) {
                Some((_, kind)) => kind.hold(reader, &at, value),
                None => reader.fail(&at, self.stranger(name, members)),
            }
        }
        for (name, example) in self.required {
            let slip = |other: &String| self.meant(other) == Some(name) && !self.has(other);
            if !members.contains_key(*name) && !members.keys().any(slip) {
                reader.fail_at(place, name, format!("is missing; write {name} = {example}"));
            }
        }
        reader.errors.len() == known
    }

    fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(known, _)| *known == name)
    }

    /// The sentence about a member that is not known.
    fn stranger(&self, name: &str, members: &Map<String, Value>) -> String {
        match self.meant(name).filter(|meant| !members.contains_key(*meant)) {
            Some(meant) => format!("is an unknown field of {}; did you mean {meant}?", self.noun),
            None => format!("is an unknown field of {}; remove it", self.noun),
        }
    }

    fn meant(&self, name: &str) -> Option<&'static str> {
        let name = name.replace('-', "_").to_ascii_lowercase();
        meant(&name, self.members.iter().map(|(known, _)| *known))
    }
}

impl Reader {
    /// A variable that is a list of texts.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let value = self.value(name)?;
        Kind::Texts.hold(self, name, &value);
        Vec::from_json(&value)
    }

    /// A table of a known shape. What does not fit is an error of the whole, which names the
    /// member.
    pub fn shaped<T: FromJson>(&mut self, place: &str, value: &Value, shape: &Shape) -> Option<T> {
        let known = self.errors.len();
        if shape.fits(self, "", value) {
            return T::from_json(value);
        }
        for error in self.errors.iter_mut().skip(known) {
            if let Some(member) = error.variable.strip_prefix('.') {
                error.remedy = [member, " ", &error.remedy].concat();
            }
            error.variable = place.to_owned();
        }
        None
    }
}

impl Kind {
    fn hold(self, reader: &mut Reader, at: &str, value: &Value) {
        let remedy = match (self, value) {
            (Self::Any, _)
            | (Self::Text, Value::String(_))
            | (Self::Table, Value::Object(_))
            | (Self::Switch, Value::Bool(_)) => return,
            (Self::Own(check), _) => return check(reader, at, value),
            (Self::Number, Value::Number(number)) if number.is_u64() => return,
            (Self::Texts, Value::Array(list)) if list.iter().all(Value::is_string) => return,
            (Self::Numbers, Value::Array(list)) if list.iter().all(Value::is_u64) => return,
            (Self::Numbers, _) => "must be a list of whole numbers".to_owned(),
            (Self::Texts, Value::String(text)) => format!("must be a list; write [{text:?}]"),
            (Self::Texts, _) => "must be a list of texts".to_owned(),
            (Self::Switch, _) => "must be true or false, without quotes".to_owned(),
            (Self::Number, Value::String(text)) if text.parse::<u64>().is_ok() => {
                format!("must be a number; write {text}, without quotes")
            }
            (Self::Number, Value::Number(number)) => format!("is {number}; must be a whole number"),
            (Self::Number, _) => "must be a whole number, without quotes".to_owned(),
            (Self::Text, Value::Number(number)) => {
                format!("must be text; write \"{number}\", with quotes")
            }
            (Self::Text, _) => "must be text".to_owned(),
            (Self::Table, _) => "must be a table".to_owned(),
        };
        reader.fail(at, remedy);
    }
}

/// The known name that `name` is a slip of, if it is one: at most two letters put in, taken out or
/// replaced, in a name that is longer than that.
pub fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|known| (distance(name, known), known))
        .filter(|(slips, known)| *slips <= 2 && slips.saturating_mul(2) < known.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// Number of letters to put in, take out or replace; more than the first 64 count as
/// wrong.
fn distance(from: &str, to: &str) -> usize {
    if from.len() > 64 {
        return from.len();
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut left = i.saturating_add(1);
        let mut next = Vec::from([left]);
        for (pair, b) in row.windows(2).zip(to.bytes()) {
            let [diagonal, above] = pair else { continue };
            let replaced = diagonal.saturating_add(usize::from(a != b));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
