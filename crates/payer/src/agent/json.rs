//! JSON whose objects keep the order of their members, as JavaScript does: fields are listed and
//! examples are written in the order in which a merchant gave them.
//!
//! Numbers stay text: none is calculated with, and floating point would be most of the code. Limits
//! and the refusal of a name that occurs twice are those of [`farebox_base::encoding::json`].

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter, Write};

use farebox_base::encoding::json::{MAX_DEPTH, MAX_VALUES};

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it was written.
    Number(String),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads one document of at most `max` bytes; `None` if it is none. Spec: RFC 8259; unique names
    /// as in I-JSON, RFC 7493 section 2.3.
    #[must_use]
    pub fn read(text: &str, max: usize) -> Option<Self> {
        if text.len() > max {
            return None;
        }
        let mut reader = Scanner { rest: text, values: MAX_VALUES };
        let value = reader.value(MAX_DEPTH)?;
        reader.skip();
        reader.rest.is_empty().then_some(value)
    }

    /// A number.
    #[must_use]
    pub fn number(value: u64) -> Self {
        Self::Number(value.to_string())
    }

    /// A member of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A member below members.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| value.get(name))
    }

    /// The members of an object; of anything else none.
    #[must_use]
    pub fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Object(members) => members,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// The elements of a list; of anything else none.
    #[must_use]
    pub fn elements(&self) -> &[Self] {
        match self {
            Self::List(elements) => elements,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Object(_) => &[],
        }
    }

    /// Text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Object(_) => None,
        }
    }

    /// The text of a member.
    #[must_use]
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::text)
    }

    /// Whether it is an object.
    #[must_use]
    pub const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_))
    }

    /// The member, if it is an object.
    #[must_use]
    pub fn object_of(&self, name: &str) -> Option<&Self> {
        self.get(name).filter(|value| value.is_object())
    }

    /// An object of these members, without those that are absent.
    #[must_use]
    pub fn object<'a>(members: impl IntoIterator<Item = (&'a str, Option<Self>)>) -> Self {
        let present = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Self::Object(present.map(|(name, value)| (name.to_string(), value)).collect())
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_string())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// Writes it as `JSON.stringify` does; numbers with an exponent keep it.
impl Display for Json {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => to.write_str("null"),
            Self::Bool(true) => to.write_str("true"),
            Self::Bool(false) => to.write_str("false"),
            Self::Number(number) => to.write_str(plain(number)),
            Self::Text(text) => quoted(text, to),
            Self::List(elements) => {
                to.write_char('[')?;
                for (at, element) in elements.iter().enumerate() {
                    if at > 0 {
                        to.write_char(',')?;
                    }
                    element.fmt(to)?;
                }
                to.write_char(']')
            }
            Self::Object(members) => {
                to.write_char('{')?;
                for (at, (name, value)) in members.iter().enumerate() {
                    if at > 0 {
                        to.write_char(',')?;
                    }
                    quoted(name, to)?;
                    to.write_char(':')?;
                    value.fmt(to)?;
                }
                to.write_char('}')
            }
        }
    }
}

fn quoted(text: &str, to: &mut Formatter<'_>) -> fmt::Result {
    to.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' => to.write_str("\\\"")?,
            '\\' => to.write_str("\\\\")?,
            '\u{8}' => to.write_str("\\b")?,
            '\u{c}' => to.write_str("\\f")?,
            '\n' => to.write_str("\\n")?,
            '\r' => to.write_str("\\r")?,
            '\t' => to.write_str("\\t")?,
            c if u32::from(c) < 0x20 => write!(to, "\\u{:04x}", u32::from(c))?,
            c => to.write_char(c)?,
        }
    }
    to.write_char('"')
}

/// Without zeros that say nothing.
fn plain(number: &str) -> &str {
    if !number.contains('.') || number.contains(['e', 'E']) {
        return number;
    }
    number.trim_end_matches('0').trim_end_matches('.')
}

/// Whether a number has no fraction: `1.0` and `1e2` have none.
#[must_use]
pub fn is_whole(number: &str) -> bool {
    let (digits, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let fraction = digits.split_once('.').map_or("", |(_, fraction)| fraction);
    let places = fraction.trim_end_matches('0').len();
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap_or(i64::MIN);
    i64::try_from(places).is_ok_and(|places| exponent >= places)
}

/// The rest of a document.
struct Scanner<'a> {
    rest: &'a str,
    values: usize,
}

impl<'a> Scanner<'a> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes this text, if it is next.
    fn take(&mut self, text: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.values = self.values.checked_sub(1)?;
        self.skip();
        match self.rest.bytes().next()? {
            b'n' => self.take("null").map(|()| Json::Null),
            b't' => self.take("true").map(|()| Json::Bool(true)),
            b'f' => self.take("false").map(|()| Json::Bool(false)),
            b'"' => self.string().map(Json::Text),
            b'[' => self.list(depth.checked_sub(1)?),
            b'{' => self.object(depth.checked_sub(1)?),
            _ => self.number(),
        }
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        self.take("[")?;
        let mut elements = Vec::new();
        self.skip();
        if self.take("]").is_some() {
            return Some(Json::List(elements));
        }
        loop {
            elements.push(self.value(depth)?);
            self.skip();
            if self.take("]").is_some() {
                return Some(Json::List(elements));
            }
            self.take(",")?;
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json> {
        self.take("{")?;
        let mut members = Vec::new();
        let mut names = BTreeSet::new();
        self.skip();
        if self.take("}").is_some() {
            return Some(Json::Object(members));
        }
        loop {
            self.skip();
            let name = self.string()?;
            if !names.insert(name.clone()) {
                return None;
            }
            self.skip();
            self.take(":")?;
            members.push((name, self.value(depth)?));
            self.skip();
            if self.take("}").is_some() {
                return Some(Json::Object(members));
            }
            self.take(",")?;
        }
    }

    /// A number in JSON's grammar.
    fn number(&mut self) -> Option<Json> {
        let fits = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at_checked(end)?;
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, Some(exponent)),
            None => (unsigned, None),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (digits, None),
        };
        let is_digits = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
        let signed = |it: &str| is_digits(it.strip_prefix(['+', '-']).unwrap_or(it));
        let is_number = is_digits(whole)
            && (whole.len() == 1 || !whole.starts_with('0'))
            && fraction.is_none_or(is_digits)
            && exponent.is_none_or(signed);
        self.rest = rest;
        is_number.then(|| Json::Number(text.to_string()))
    }

    fn string(&mut self) -> Option<String> {
        self.take("\"")?;
        let mut text = String::new();
        loop {
            let end = self.rest.find(|c| c == '"' || c == '\\' || c < '\u{20}')?;
            let (plain, rest) = self.rest.split_at_checked(end)?;
            text.push_str(plain);
            self.rest = rest;
            if self.take("\"").is_some() {
                return Some(text);
            }
            self.take("\\")?;
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let kind = chars.next()?;
        self.rest = chars.as_str();
        match kind {
            '"' | '\\' | '/' => Some(kind),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'u' => {
                let unit = self.unit()?;
                match char::from_u32(unit) {
                    Some(c) => Some(c),
                    // The first half of a pair.
                    None => {
                        self.take("\\u")?;
                        let units = [u16::try_from(unit).ok()?, u16::try_from(self.unit()?).ok()?];
                        let mut pair = char::decode_utf16(units);
                        pair.next()?.ok().filter(|_| pair.next().is_none())
                    }
                }
            }
            _ => None,
        }
    }

    /// Four hex digits.
    fn unit(&mut self) -> Option<u32> {
        let (digits, rest) = self.rest.split_at_checked(4)?;
        self.rest = rest;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farebox_base::encoding::json;

    const TEXTS: &[&str] = &[
        r#"{"z":1,"a":[true,null,"x"],"m":{"b":1.5,"a":-2}}"#,
        " [ 1 , 2 ] ",
        "\"\\u00e9\\n\\ud83d\\ude00\\/\\b\"",
        "-0.5e+10",
        "0",
        "[[],{},\"\"]",
        "\"\\u0000\u{7f}\u{2028}\"",
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "1 2",
        "\"\\ud83d\"",
        "\"\\ud83d\\ud83d\"",
        "\"\\ude00\\ud83d\"",
        "\"\\u+123\"",
        "\"\\x\"",
        "\"a\nb\"",
        "nul",
        "NaN",
        "'a'",
        "{a:1}",
        "[1}",
        "\u{feff}1",
        "\u{a0}1",
    ];

    #[test]
    fn it_reads_what_the_strict_parser_reads_and_nothing_else() {
        for text in TEXTS {
            let strict = json::parse(text.as_bytes()).ok();
            let mine = Json::read(text, 1000);
            // The values agree as well: what is written is read by the other.
            let again =
                mine.as_ref().map(|value| json::parse(value.to_string().as_bytes()).unwrap());
            assert_eq!(again, strict, "{text}");
        }
        for depth in [63, 64, 65, 1000] {
            let text = alloc::format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(
                Json::read(&text, 10_000).is_some(),
                json::parse(text.as_bytes()).is_ok(),
                "{depth}"
            );
        }
        for values in [16_382, 16_383, 16_384, 16_385] {
            let text = alloc::format!("[{}1]", "1,".repeat(values));
            assert_eq!(
                Json::read(&text, 100_000).is_some(),
                json::parse(text.as_bytes()).is_ok(),
                "{values}"
            );
        }
    }

    #[test]
    fn what_was_read_is_written_in_its_order() {
        for (given, written) in [
            (
                r#"{"z":1,"a":[true,null,"x"],"m":{"b":1.50,"a":-2}}"#,
                r#"{"z":1,"a":[true,null,"x"],"m":{"b":1.5,"a":-2}}"#,
            ),
            (r#"{ "a" : 1.0 }"#, r#"{"a":1}"#),
            ("\"\\u00e9\\n\\u001f\"", "\"é\\n\\u001f\""),
            ("1e2", "1e2"),
        ] {
            assert_eq!(Json::read(given, 1000).unwrap().to_string(), written);
        }
        assert_eq!(Json::read("\"too long for this\"", 12), None);
    }

    #[test]
    fn numbers_are_whole_or_not() {
        for (number, whole) in [
            ("1", true),
            ("-1.0", true),
            ("1.5", false),
            ("1.5e1", true),
            ("15e-1", false),
            ("0", true),
        ] {
            assert_eq!(is_whole(number), whole, "{number}");
        }
    }
}
