//! The grammar of JSON. Spec: RFC 8259.
//!
//! One pass over text that is UTF-8 already. The limits, and that a name occurs once, are checked
//! where a value begins and where a name ends, so nothing behind the first mistake is read.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use super::double;

/// The rest of a document, and how many values it may still have.
pub(super) struct JsonReader<'a> {
    rest: &'a str,
    values: usize,
}

impl<'a> JsonReader<'a> {
    /// Begins with the whole text.
    pub(super) fn new(text: &'a str, values: usize) -> Self {
        Self { rest: text, values }
    }

    /// Reads the one value of a document, which may nest `depth` levels.
    pub(super) fn document(mut self, depth: usize) -> Result<Value, JsonError> {
        let value = self.value(depth)?;
        self.skip_space();
        if self.rest.is_empty() { Ok(value) } else { Err(JsonError::Syntax) }
    }

    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.skip_space();
        let first = self.first().ok_or(JsonError::Syntax)?;
        self.values = self.values.checked_sub(1).ok_or(JsonError::TooLarge)?;
        match first {
            b'{' => self.object(depth.checked_sub(1).ok_or(JsonError::TooDeep)?),
            b'[' => self.array(depth.checked_sub(1).ok_or(JsonError::TooDeep)?),
            b'"' => self.string().map(Value::String),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Null),
            _ => self.number().map(Value::Number).ok_or(JsonError::Syntax),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        let mut object = Map::new();
        self.take('{')?;
        self.skip_space();
        if self.take('}').is_ok() {
            return Ok(Value::Object(object));
        }
        loop {
            self.skip_space();
            // One search serves both the check and the insertion.
            let Entry::Vacant(place) = object.entry(self.string()?) else {
                return Err(JsonError::DuplicateKey);
            };
            self.skip_space();
            self.take(':')?;
            place.insert(self.value(depth)?);
            self.skip_space();
            if self.take(',').is_err() {
                return self.take('}').map(|()| Value::Object(object));
            }
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        let mut array = Vec::new();
        self.take('[')?;
        self.skip_space();
        if self.take(']').is_ok() {
            return Ok(Value::Array(array));
        }
        loop {
            array.push(self.value(depth)?);
            self.skip_space();
            if self.take(',').is_err() {
                return self.take(']').map(|()| Value::Array(array));
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.take('"')?;
        let mut string = String::new();
        loop {
            let is_plain = |&byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
            let plain = self.rest.bytes().take_while(is_plain).count();
            string.push_str(self.split(plain)?);
            // A text may be nothing but escapes: these are read by their bytes.
            match *self.rest.as_bytes() {
                [b'"', ..] => return self.split(1).map(|_| string),
                [b'\\', sign, ..] => {
                    self.split(2)?;
                    string.push(self.escaped(sign)?);
                }
                // A control character, or the end.
                _ => return Err(JsonError::Syntax),
            }
        }
    }

    /// The character of an escape, behind its sign.
    fn escaped(&mut self, sign: u8) -> Result<char, JsonError> {
        Ok(match sign {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let unit = self.code_unit()?;
                let low = if (0xd800..0xdc00).contains(&unit) {
                    self.take('\\').and_then(|()| self.take('u'))?;
                    Some(self.code_unit()?)
                } else {
                    None
                };
                let mut read = char::decode_utf16([unit].into_iter().chain(low));
                read.next().and_then(Result::ok).ok_or(JsonError::Syntax)?
            }
            b'"' | b'\\' | b'/' => char::from(sign),
            _ => return Err(JsonError::Syntax),
        })
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        let digits = self.split(4)?;
        // A number of its own would take a sign.
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(JsonError::Syntax);
        }
        u16::from_str_radix(digits, 16).map_err(|_| JsonError::Syntax)
    }

    /// `None` also for a number that no double holds.
    fn number(&mut self) -> Option<Number> {
        let is_negative = self.take('-').is_ok();
        let whole = self.digits();
        if whole.is_empty() || whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let fraction = if self.take('.').is_ok() { Some(self.digits()) } else { None };
        let exponent = if self.take('e').is_ok() || self.take('E').is_ok() {
            let is_below_one = self.take('-').is_ok();
            if !is_below_one {
                let _: Result<(), JsonError> = self.take('+');
            }
            let digits = self.digits();
            let size: u64 = digits.parse().unwrap_or(u64::MAX);
            let size = i32::try_from(size).unwrap_or(i32::MAX);
            if digits.is_empty() {
                return None;
            }
            Some(if is_below_one { size.saturating_neg() } else { size })
        } else {
            None
        };
        if fraction.is_some_and(str::is_empty) {
            return None;
        }
        if fraction.is_none() && exponent.is_none() {
            let whole = whole.parse::<u64>().ok();
            // Minus zero is a double.
            let below =
                || whole.filter(|&whole| whole != 0).and_then(|it| 0_i64.checked_sub_unsigned(it));
            let number =
                if is_negative { below().map(Number::from) } else { whole.map(Number::from) };
            if number.is_some() {
                return number;
            }
        }
        let double = double::nearest(whole, fraction.unwrap_or_default(), exponent.unwrap_or(0))?;
        // A number that somebody else wrote keeps its sign; no amount is read here.
        #[allow(clippy::float_arithmetic)]
        let signed = if is_negative { -double } else { double };
        Number::from_f64(signed)
    }

    fn digits(&mut self) -> &'a str {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        self.split(digits).unwrap_or_default()
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        self.rest = self.rest.strip_prefix(word).ok_or(JsonError::Syntax)?;
        Ok(value)
    }

    fn take(&mut self, sign: char) -> Result<(), JsonError> {
        self.rest = self.rest.strip_prefix(sign).ok_or(JsonError::Syntax)?;
        Ok(())
    }

    fn split(&mut self, bytes: usize) -> Result<&'a str, JsonError> {
        let (split, rest) = self.rest.split_at_checked(bytes).ok_or(JsonError::Syntax)?;
        self.rest = rest;
        Ok(split)
    }

    fn first(&self) -> Option<u8> {
        self.rest.bytes().next()
    }

    fn skip_space(&mut self) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let space = self.rest.bytes().take_while(is_space).count();
        self.rest = self.rest.get(space..).unwrap_or_default();
    }
}

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonError {
    /// Not UTF-8.
    NotUtf8,
    /// More bytes or more values than allowed.
    TooLarge,
    /// Nested deeper than [`MAX_DEPTH`](super::json::MAX_DEPTH).
    TooDeep,
    /// A name occurs twice in one object.
    DuplicateKey,
    /// Not one JSON document.
    Syntax,
}

impl JsonError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotUtf8 => "json_not_utf8",
            Self::TooLarge => "json_too_large",
            Self::TooDeep => "json_too_deep",
            Self::DuplicateKey => "json_duplicate_key",
            Self::Syntax => "json_syntax",
        }
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotUtf8 => "JSON is not UTF-8",
            Self::TooLarge => "JSON has too many bytes or values",
            Self::TooDeep => "JSON is nested too deeply",
            Self::DuplicateKey => "JSON object names a key twice",
            Self::Syntax => "expected one JSON document",
        })
    }
}

impl core::error::Error for JsonError {}
