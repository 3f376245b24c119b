//! Parameters of an operator's request: known names once, values of known form, cursors.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use farebox_base::encoding::{base64, hex};
use farebox_base::http::query::decoded;
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_ledger::report::{Filter, Mark, STARTS};
use farebox_ledger::state::StateName;

/// Continuation of a list: number of the object, and the last row read in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ListCursor {
    pub object: usize,
    pub after: Option<Mark>,
}

impl ListCursor {
    /// Opaque text.
    pub(super) fn to_text(&self) -> String {
        let mut text = self.object.to_string();
        if let Some(mark) = &self.after {
            let (payer, key) = (packed(&mark.payer), packed(&mark.key));
            text.push_str(&alloc::format!(".{}.{payer}.{key}", mark.created));
        }
        text
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > 512 {
            return None;
        }
        let mut parts = text.split('.');
        let object = parts.next()?.parse().ok()?;
        let after = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(created), Some(payer), Some(key), None) => Some(Mark {
                created: created.parse().ok()?,
                payer: unpacked(payer)?,
                key: unpacked(key)?,
            }),
            _ => return None,
        };
        Some(Self { object, after })
    }
}

/// Hex digits in two thirds of their length, after a letter that says how they are written.
fn packed(text: &str) -> String {
    let digits = text.strip_prefix("0x");
    let bytes = hex::decode_prefixed(&["0x", digits.unwrap_or(text)].concat()).ok();
    let is_written = |bytes: &alloc::vec::Vec<u8>| hex::encode(bytes) == digits.unwrap_or(text);
    match (bytes.filter(is_written), digits) {
        (Some(bytes), Some(_)) => ["x", &base64::encode_url(&bytes)].concat(),
        (Some(bytes), None) => ["h", &base64::encode_url(&bytes)].concat(),
        (None, _) => ["t", text].concat(),
    }
}

fn unpacked(text: &str) -> Option<String> {
    let digits = |rest: &str| base64::decode_url(rest).ok().map(|bytes| hex::encode(&bytes));
    match text.split_at_checked(1)? {
        ("x", rest) => Some(["0x", &digits(rest)?].concat()),
        ("h", rest) => digits(rest),
        ("t", rest) => Some(rest.to_string()),
        _ => None,
    }
}

/// Decoded parameters.
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads parameters; wrong are unknown and repeated ones, and one that cannot be decoded. An
    /// empty one counts as absent.
    pub(super) fn parse(text: &str, known: &'static [&'static str]) -> Result<Self, Wrong> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let known = known.iter().find(|known| **known == name);
            let is_new = found.iter().all(|(other, _)| *other != name);
            match known.zip(decoded(value)).filter(|_| is_new) {
                Some((name, value)) => found.push((name, value)),
                None => return Err(Wrong::named(name)),
            }
        }
        found.retain(|(_, value)| !value.is_empty());
        Ok(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter in its own form.
    fn read<T>(
        &self,
        name: &str,
        form: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Wrong> {
        match self.get(name) {
            None => Ok(None),
            Some(text) => form(text).map(Some).ok_or_else(|| Wrong::named(name)),
        }
    }

    pub(super) fn number(
        &self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Wrong> {
        let number = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        Ok(self.read(name, number)?.unwrap_or(default))
    }

    pub(super) fn filter(&self) -> Result<Filter, Wrong> {
        let state = |text: &str| {
            StateName::ALL.iter().any(|known| known.name() == text).then(|| text.to_string())
        };
        let payer = |text: &str| match Address::parse(text) {
            Ok(payer) => Some(payer.to_lower_hex()),
            // Payments whose payer the gate cannot read are kept under their own keys.
            Err(_) => start_of("key", text).filter(|key| key.len() == KEY_DIGITS),
        };
        let mut starts = Vec::new();
        for name in STARTS {
            if let Some(start) = self.read(name, |text| start_of(name, text))? {
                starts.push((name.to_string(), start));
            }
        }
        Ok(Filter {
            state: self.read("state", state)?,
            payer: self.read("payer", payer)?,
            route: self.get("route").map(ToString::to_string),
            from: self.time("from")?,
            to: self.time("to")?,
            starts,
        })
    }

    /// Unix seconds, or the first second of a day.
    fn time(&self, name: &str) -> Result<Option<u64>, Wrong> {
        self.read(name, |text| {
            UnixTime::from_text(text).ok().map(UnixTime::secs).or_else(|| day_start(text))
        })
    }

    /// The first second of the parameter `day`; of today without one.
    pub(super) fn day(&self, now: UnixTime) -> Result<u64, Wrong> {
        let today = now.secs().saturating_sub(now.secs() % DAY_SECS);
        Ok(self.read("day", day_start)?.unwrap_or(today))
    }

    pub(super) fn cursor(&self) -> Result<Option<ListCursor>, Wrong> {
        self.read("cursor", ListCursor::parse)
    }
}

/// Why a request is refused, and the parameter or member that is wrong; empty if none is to name.
#[derive(Debug)]
pub(super) struct Wrong {
    pub code: Code,
    pub name: String,
}

impl Wrong {
    /// A parameter or member that is unknown, missing or has the wrong form.
    pub(super) fn named(name: &str) -> Self {
        Self { code: Code::InvalidRequest, name: name.chars().take(MAX_NAME_CHARS).collect() }
    }
}

impl From<Code> for Wrong {
    fn from(code: Code) -> Self {
        Self { code, name: String::new() }
    }
}

/// Longest name of a parameter that an answer repeats.
const MAX_NAME_CHARS: usize = 64;
/// Hex digits of a payment's key.
const KEY_DIGITS: usize = 64;
/// Longest beginning of a column.
const MAX_START_BYTES: usize = 128;

/// The beginning of a column as the ledger writes it: a payment's id with or without `rcpt_`, its
/// key with or without `0x`.
fn start_of(name: &str, text: &str) -> Option<String> {
    let is_hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let start = match (name, digits) {
        ("id", _) => ["rcpt_", text.strip_prefix("rcpt_").unwrap_or(text)].concat(),
        ("key", digits) => {
            Some(digits.unwrap_or(text).to_ascii_lowercase()).filter(|text| is_hex(text))?
        }
        ("transaction", Some(digits)) => ["0x", &digits.to_ascii_lowercase()].concat(),
        ("transaction", None) if text.len() == 64 && is_hex(text) => {
            ["0x", &text.to_ascii_lowercase()].concat()
        }
        _ => text.to_string(),
    };
    (start.len() <= MAX_START_BYTES).then_some(start)
}

const DAY_SECS: u64 = 86_400;

/// The first second of a day written `2025-11-20`, from 1970 on.
fn day_start(text: &str) -> Option<u64> {
    let midnight = UnixTime::from_rfc3339(&[text, "T00:00:00Z"].concat()).ok()?;
    // An earlier day comes out as 1970.
    midnight.rfc3339().starts_with(text).then_some(midnight.secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_where_the_calendar_says() {
        let cases = [
            ("1970-01-01", Some(0)),
            ("2000-02-29", Some(951_782_400)),
            ("2025-11-20", Some(1_763_596_800)),
            ("2100-02-29", None),
            ("2025-02-30", None),
            ("2025-13-01", None),
            ("2025-00-10", None),
            ("2025-01-00", None),
            ("1969-12-31", None),
            ("2025-1-1", None),
            ("2025-11-20T00:00:00Z", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(day_start(text), expected, "{text}");
        }
    }

    //
    #[test]
    fn unknown_repeated_and_broken_parameters_are_refused() {
        const KNOWN: &[&str] = &["route", "limit"];
        for text in ["x=1", "route=a&route=b", "route=%2", "route=%zz", "route=%ff", "Route=a"] {
            assert!(Query::parse(text, KNOWN).is_err(), "{text}");
        }
        let query = Query::parse("route=%2Fa%2F%5Bid%5D&limit=", KNOWN).unwrap();
        assert_eq!(query.get("route"), Some("/a/[id]"));
        assert_eq!(query.number("limit", 50, 1..=200).ok(), Some(50));
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let mark = |payer: &str, key: &str| {
            Some(Mark { created: 1_790_000_000, payer: payer.to_string(), key: key.to_string() })
        };
        let (address, key) = (["0x", &"ab".repeat(20)].concat(), "cd".repeat(32));
        for after in
            [None, mark(&address, &key), mark(&key, &key), mark("7Np", "ABC"), mark("", "0x")]
        {
            let cursor = ListCursor { object: 63, after };
            let text = cursor.to_text();
            assert!(text.len() <= 128, "{text}");
            assert_eq!(ListCursor::parse(&text), Some(cursor));
        }
        for text in ["", "zz", "0x2c", "0.1", "0.1.ta", "0.1.ta.tb.tc", "0.1.z.h", "0..ta.tb"] {
            assert_eq!(ListCursor::parse(text), None, "{text}");
        }
    }
}
