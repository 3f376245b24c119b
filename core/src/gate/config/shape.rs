//! Names and kinds of the members of a route and of a facilitator, said in the words of who wrote
//! them: what a value should have been, or which name was meant.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::Reader;

/// The kind of a member's value. What a kind leaves open is checked by who reads the member.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Any,
    Text,
    Switch,
    Number,
    Texts,
    Price,
    Asset,
    Settle,
    Table,
}

/// Members by name, the required ones first.
pub(super) struct Shape {
    /// What has this shape.
    pub noun: &'static str,
    /// How one is written.
    pub example: &'static str,
    /// Members that are required, each with an example.
    pub required: &'static [(&'static str, &'static str)],
    /// All members.
    pub members: &'static [(&'static str, Kind)],
}

pub(super) const ROUTE: Shape = Shape {
    noun: "a route",
    example: "{ path = \"/report\", price = \"$0.01\" }",
    required: &[("path", "\"/report\""), ("price", "\"$0.01\"")],
    members: &[
        ("path", Kind::Text),
        ("price", Kind::Price),
        ("methods", Kind::Any),
        ("settle", Kind::Settle),
        ("protocols", Kind::Texts),
        ("network", Kind::Text),
        ("pay_to", Kind::Any),
        ("asset", Kind::Asset),
        ("description", Kind::Text),
        ("mime_type", Kind::Text),
        ("max_timeout_secs", Kind::Number),
        ("origin_timeout_secs", Kind::Number),
        ("store", Kind::Switch),
        ("idempotent", Kind::Switch),
        ("confirm", Kind::Text),
        ("diagnostics", Kind::Any),
        ("api_keys", Kind::Switch),
        ("free", Kind::Any),
        ("digest", Kind::Switch),
        ("bazaar", Kind::Any),
        ("signed_transactions", Kind::Switch),
        ("hash_mode", Kind::Switch),
        ("cors", Kind::Any),
    ],
};

pub(super) const ATOMIC_PRICE: Shape = Shape {
    noun: "a price in full",
    example: "{ amount = \"10000\", asset = \"USDC\" }",
    required: &[("amount", "\"10000\""), ("asset", "\"USDC\"")],
    members: &[("amount", Kind::Text), ("asset", Kind::Asset)],
};

pub(super) const ASSET: Shape = Shape {
    noun: "an asset in full",
    example: "{ address = \"0x…\", name = \"USD Coin\", version = \"2\", decimals = 6 }",
    required: &[("address", "\"0x…\""), ("decimals", "6")],
    members: &[
        ("address", Kind::Text),
        ("name", Kind::Text),
        ("version", Kind::Text),
        ("symbol", Kind::Text),
        ("decimals", Kind::Number),
    ],
};

pub(super) const FACILITATOR: Shape = Shape {
    noun: "a facilitator",
    example: "{ url = \"https://…\" }",
    required: &[("url", "\"https://…\"")],
    members: &[
        ("url", Kind::Text),
        ("networks", Kind::Texts),
        ("auth", Kind::Any),
        ("extra", Kind::Table),
    ],
};

impl Shape {
    /// Whether a value has this shape; each member that does not fit is an error under its own name.
    pub(super) fn fits(&self, reader: &mut Reader, place: &str, value: &Value) -> bool {
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
                reader.fail(
                    &format!("{place}.{name}"),
                    format!("is missing; write {name} = {example}"),
                );
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

impl Kind {
    fn hold(self, reader: &mut Reader, at: &str, value: &Value) {
        let remedy = match (self, value) {
            (Self::Any, _)
            | (Self::Text | Self::Price | Self::Asset, Value::String(_))
            | (Self::Table, Value::Object(_))
            | (Self::Switch, Value::Bool(_)) => return,
            (Self::Price, Value::Object(_)) => {
                ATOMIC_PRICE.fits(reader, at, value);
                return;
            }
            (Self::Asset, Value::Object(_)) => {
                ASSET.fits(reader, at, value);
                return;
            }
            (Self::Settle, Value::String(word)) => match settle(word) {
                Some(remedy) => remedy,
                None => return,
            },
            (Self::Number, Value::Number(number)) if number.is_u64() => return,
            (Self::Texts, Value::Array(list)) if list.iter().all(Value::is_string) => return,
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
            (Self::Price, _) => price(value),
            (Self::Asset, _) => "must be a symbol such as \"USDC\", or a table".to_owned(),
            (Self::Settle, _) => SETTLE.to_owned(),
            (Self::Table, _) => "must be a table".to_owned(),
        };
        reader.fail(at, remedy);
    }
}

const SETTLE: &str =
    "must be \"after\" (the default: paid when it is served) or \"before\" (paid in advance)";

/// What is wrong with a word for the moment of payment.
fn settle(word: &str) -> Option<String> {
    const EARLY: [&str; 6] = ["upfront", "advance", "prepaid", "prepay", "first", "pre"];
    const LATE: [&str; 4] = ["postpaid", "later", "last", "post"];
    if matches!(word, "after" | "before") {
        return None;
    }
    let lower = word.to_ascii_lowercase().replace(['-', '_'], "");
    let meant = match lower.strip_prefix("in").unwrap_or(&lower) {
        early if EARLY.contains(&early) => Some("before"),
        late if LATE.contains(&late) => Some("after"),
        other => meant(other, ["after", "before"].into_iter()),
    };
    Some(match meant {
        Some(meant) => format!("{SETTLE}; did you mean \"{meant}\"?"),
        None => SETTLE.to_owned(),
    })
}

/// What must be said of a price that is a number, as TOML and JSON write it.
fn price(value: &Value) -> String {
    let digits = value.to_string();
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let example = if plain && value.is_number() { digits.as_str() } else { "0.01" };
    format!("must be text, so that no digit is lost; write \"${example}\"")
}

/// The known name that `name` is a slip of, if it is one: at most two letters put in, taken out or
/// replaced, in a name that is longer than that.
pub(super) fn meant<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|known| (distance(name, known), known))
        .filter(|(slips, known)| *slips <= 2 && slips.saturating_mul(2) < known.len())
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, known)| known)
}

/// How many letters have to be put in, taken out or replaced; more than the first 64 count as wrong.
fn distance(from: &str, to: &str) -> usize {
    if from.len() > 64 {
        return from.len();
    }
    let mut row: alloc::vec::Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut left = i.saturating_add(1);
        let mut next = alloc::vec::Vec::from([left]);
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
