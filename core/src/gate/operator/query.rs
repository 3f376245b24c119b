//! Parameters of an operator's request: known names once, values of known form, cursors.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::RangeInclusive;

use crate::encoding::hex;
use crate::evm::address::Address;
use crate::ledger::report::{Filter, Mark};
use crate::ledger::state::StateName;
use crate::problem::Code;
use crate::time::UnixTime;

/// Continuation of a list: number of the object, and the last row seen in it.
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
            text.push_str(&alloc::format!(",{},{},{}", mark.created, mark.payer, mark.key));
        }
        hex::encode_prefixed(text.as_bytes())
    }

    fn parse(text: &str) -> Option<Self> {
        if text.len() > 512 {
            return None;
        }
        let bytes = hex::decode_prefixed(text).ok()?;
        let text = core::str::from_utf8(&bytes).ok()?;
        let mut parts = text.split(',');
        let object = parts.next()?.parse().ok()?;
        let after = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (None, ..) => None,
            (Some(created), Some(payer), Some(key), None) => Some(Mark {
                created: created.parse().ok()?,
                payer: payer.to_string(),
                key: key.to_string(),
            }),
            _ => return None,
        };
        Some(Self { object, after })
    }
}

/// Decoded parameters.
pub(super) struct Query(Vec<(&'static str, String)>);

impl Query {
    /// Reads parameters; `None` if one is unknown, repeated or cannot be decoded. An empty one
    /// counts as absent.
    pub(super) fn parse(text: &str, known: &'static [&'static str]) -> Option<Self> {
        let mut found: Vec<(&'static str, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = known.iter().find(|known| **known == name)?;
            if found.iter().any(|(other, _)| other == name) {
                return None;
            }
            let value = decoded(value)?;
            found.push((name, value));
        }
        found.retain(|(_, value)| !value.is_empty());
        Some(Self(found))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(
        &self,
        name: &str,
        default: u64,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Code> {
        match self.get(name) {
            None => Ok(default),
            Some(text) => {
                let number = text.parse().ok().filter(|number| range.contains(number));
                number.ok_or(Code::InvalidRequest)
            }
        }
    }

    pub(super) fn filter(&self) -> Result<Filter, Code> {
        let state = self.get("state");
        if state.is_some_and(|state| StateName::ALL.iter().all(|known| known.name() != state)) {
            return Err(Code::InvalidRequest);
        }
        let payer = match self.get("payer").map(Address::parse) {
            None => None,
            Some(Ok(payer)) => Some(payer.to_lower_hex()),
            Some(Err(_)) => return Err(Code::InvalidRequest),
        };
        Ok(Filter {
            state: state.map(ToString::to_string),
            payer,
            route: self.get("route").map(ToString::to_string),
            from: self.time("from")?,
            to: self.time("to")?,
        })
    }

    /// Unix seconds, or the first second of a day.
    fn time(&self, name: &str) -> Result<Option<u64>, Code> {
        match self.get(name) {
            None => Ok(None),
            Some(text) => {
                let secs = UnixTime::from_text(text).ok().map(UnixTime::secs);
                secs.or_else(|| day_start(text)).map(Some).ok_or(Code::InvalidRequest)
            }
        }
    }

    /// The first second of the parameter `day`; of today without one.
    pub(super) fn day(&self, now: UnixTime) -> Result<u64, Code> {
        match self.get("day") {
            None => Ok(now.secs().saturating_sub(now.secs() % DAY_SECS)),
            Some(text) => day_start(text).ok_or(Code::InvalidRequest),
        }
    }

    pub(super) fn cursor(&self) -> Result<Option<ListCursor>, Code> {
        match self.get("cursor") {
            None => Ok(None),
            Some(text) => ListCursor::parse(text).map(Some).ok_or(Code::InvalidRequest),
        }
    }
}

const DAY_SECS: u64 = 86_400;

/// The first second of a day written `2025-11-20`, from 1970 on.
fn day_start(text: &str) -> Option<u64> {
    let mut parts = text.split('-');
    let mut number = |len: usize| {
        let part = parts.next()?;
        let digits = part.len() == len && part.bytes().all(|byte| byte.is_ascii_digit());
        if digits { part.parse::<u64>().ok() } else { None }
    };
    let (year, month, day) = (number(4)?, number(2)?, number(2)?);
    if parts.next().is_some() || year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    // Years from March, so that a leap day ends its year.
    let (year, month) = match month {
        1 | 2 => (year.checked_sub(1)?, month.checked_add(9)?),
        _ => (year, month.checked_sub(3)?),
    };
    let leap_days = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let before = month.checked_mul(153)?.checked_add(2)? / 5;
    let days = year.checked_mul(365)?.checked_add(leap_days)?.checked_add(before)?;
    let days = days.checked_add(day.checked_sub(1)?)?.checked_sub(719_468)?;
    let secs = days.checked_mul(DAY_SECS)?;
    // A day that its month does not have comes out as another one.
    UnixTime::from_secs(secs).rfc3339().starts_with(text).then_some(secs)
}

/// A value without its percent-encoding; `None` if it is not UTF-8.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()?.checked_mul(16)?.checked_add(digit()?)?;
                u8::try_from(value).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
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

    #[test]
    fn unknown_repeated_and_broken_parameters_are_refused() {
        const KNOWN: &[&str] = &["route", "limit"];
        for text in ["x=1", "route=a&route=b", "route=%2", "route=%zz", "route=%ff", "Route=a"] {
            assert!(Query::parse(text, KNOWN).is_none(), "{text}");
        }
        let query = Query::parse("route=%2Fa%2F%5Bid%5D&limit=", KNOWN).unwrap();
        assert_eq!(query.get("route"), Some("/a/[id]"));
        assert_eq!(query.number("limit", 50, 1..=200).ok(), Some(50));
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let after = Mark { created: 7, payer: "0xab".to_string(), key: "cd".to_string() };
        for cursor in
            [ListCursor { object: 3, after: Some(after) }, ListCursor { object: 0, after: None }]
        {
            assert_eq!(ListCursor::parse(&cursor.to_text()), Some(cursor));
        }
        for text in ["", "zz", "0x2c", "0x302c31", "0x302c312c612c622c632c64"] {
            assert_eq!(ListCursor::parse(text), None, "{text}");
        }
    }
}
