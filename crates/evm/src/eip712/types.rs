//! Type declarations of typed data.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{DOMAIN, MAX_DEPTH, TypedDataError};

/// The declared structs, at most [`MAX_TYPES`], every reference among them resolved.
pub(super) struct Types(Vec<(String, Vec<Field>)>);

pub(super) struct Field {
    pub(super) name: String,
    /// As declared, for `encodeType`.
    text: String,
    pub(super) kind: FieldType,
}

impl Types {
    pub(super) fn read(json: &Value, domain: &Map<String, Value>) -> Result<Self, TypedDataError> {
        let declared = json.as_object().ok_or(TypedDataError::Shape)?;
        if declared.len() > MAX_TYPES {
            return Err(TypedDataError::TooLarge);
        }
        let mut types = Vec::new();
        for (name, fields) in declared {
            if !is_identifier(name)
                || FieldType::elementary(name).is_some()
                || looks_elementary(name)
            {
                return Err(TypedDataError::Type);
            }
            types.push((name.clone(), Self::fields(fields)?));
        }
        if !declared.contains_key(DOMAIN) {
            let present = DOMAIN_FIELDS.iter().filter(|(name, _)| domain.contains_key(*name));
            let fields = present.filter_map(|(name, text)| Field::read(name, text).ok()).collect();
            types.push((String::from(DOMAIN), fields));
        }
        let types = Self(types);
        let is_standard = |field: &Field| {
            DOMAIN_FIELDS.iter().any(|(name, text)| *name == field.name && *text == field.text)
        };
        if !types.of(DOMAIN)?.iter().all(is_standard) {
            return Err(TypedDataError::Type);
        }
        let fields = types.0.iter().flat_map(|(_, fields)| fields);
        let mut references = fields.filter_map(|field| field.kind.reference());
        if references.all(|name| types.of(name).is_ok()) {
            Ok(types)
        } else {
            Err(TypedDataError::Type)
        }
    }

    fn fields(json: &Value) -> Result<Vec<Field>, TypedDataError> {
        let declared = json.as_array().ok_or(TypedDataError::Shape)?;
        if declared.len() > MAX_FIELDS {
            return Err(TypedDataError::TooLarge);
        }
        let mut fields: Vec<Field> = Vec::new();
        for field in declared {
            let text = |name| field.get(name).and_then(Value::as_str).ok_or(TypedDataError::Shape);
            let (name, kind) = (text("name")?, text("type")?);
            if fields.iter().any(|field| field.name == name) {
                return Err(TypedDataError::Type);
            }
            fields.push(Field::read(name, kind)?);
        }
        Ok(fields)
    }

    pub(super) fn of(&self, name: &str) -> Result<&[Field], TypedDataError> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, fields)| fields.as_slice()).ok_or(TypedDataError::Type)
    }

    /// `encodeType`: the struct, then all types that it refers to in alphabetical order.
    pub(super) fn encode(&self, name: &str) -> Result<String, TypedDataError> {
        let mut referred: Vec<&str> = Vec::new();
        let mut open = alloc::vec![name];
        while let Some(next) = open.pop() {
            for reference in self.of(next)?.iter().filter_map(|field| field.kind.reference()) {
                let Err(place) = referred.binary_search(&reference) else { continue };
                if reference != name {
                    referred.insert(place, reference);
                    open.push(reference);
                }
            }
        }
        let mut text = String::new();
        for name in core::iter::once(name).chain(referred) {
            text.push_str(name);
            for (index, field) in self.of(name)?.iter().enumerate() {
                text.push(if index == 0 { '(' } else { ',' });
                text.push_str(&field.text);
                text.push(' ');
                text.push_str(&field.name);
            }
            text.push_str(if self.of(name)?.is_empty() { "()" } else { ")" });
        }
        Ok(text)
    }
}

impl Field {
    fn read(name: &str, text: &str) -> Result<Self, TypedDataError> {
        if !is_identifier(name) {
            return Err(TypedDataError::Type);
        }
        let kind = FieldType::read(text, MAX_DEPTH)?;
        Ok(Self { name: String::from(name), text: String::from(text), kind })
    }
}

/// A type in a field.
pub(super) enum FieldType {
    Bool,
    Address,
    String,
    Bytes,
    /// `bytesN`: N bytes.
    FixedBytes(usize),
    /// `uintN`: N / 8 bytes.
    Uint(usize),
    /// `intN`: N / 8 bytes.
    Int(usize),
    Struct(String),
    /// Any number of elements, or this many.
    Array(Box<FieldType>, Option<usize>),
}

impl FieldType {
    fn read(text: &str, depth: usize) -> Result<Self, TypedDataError> {
        if let Some(array) = text.strip_suffix(']') {
            let depth = depth.checked_sub(1).ok_or(TypedDataError::TooLarge)?;
            let (element, length) = array.rsplit_once('[').ok_or(TypedDataError::Type)?;
            let length = if length.is_empty() { None } else { Some(number(length)?) };
            return Ok(Self::Array(Box::new(Self::read(element, depth)?), length));
        }
        match Self::elementary(text) {
            Some(kind) => Ok(kind),
            None if is_identifier(text) && !looks_elementary(text) => {
                Ok(Self::Struct(String::from(text)))
            }
            None => Err(TypedDataError::Type),
        }
    }

    fn elementary(text: &str) -> Option<Self> {
        let bytes_of = |bits: usize| (bits.is_multiple_of(8) && bits <= 256).then_some(bits / 8);
        match text {
            "bool" => Some(Self::Bool),
            "address" => Some(Self::Address),
            "string" => Some(Self::String),
            "bytes" => Some(Self::Bytes),
            _ => {
                let size = |prefix| text.strip_prefix(prefix).and_then(|size| number(size).ok());
                let fixed = size("bytes").filter(|bytes| *bytes <= 32).map(Self::FixedBytes);
                let uint = || size("uint").and_then(bytes_of).map(Self::Uint);
                let int = || size("int").and_then(bytes_of).map(Self::Int);
                fixed.or_else(uint).or_else(int)
            }
        }
    }

    fn reference(&self) -> Option<&str> {
        match self {
            Self::Struct(name) => Some(name),
            Self::Array(element, _) => element.reference(),
            _ => None,
        }
    }
}

/// A size in a type: canonical, not zero, at most three digits.
fn number(text: &str) -> Result<usize, TypedDataError> {
    match text.as_bytes() {
        [b'1'..=b'9', rest @ ..] if rest.len() <= 2 && rest.iter().all(u8::is_ascii_digit) => {
            text.parse().map_err(|_| TypedDataError::Type)
        }
        _ => Err(TypedDataError::Type),
    }
}

fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || matches!(first, '_' | '$'))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'))
}

/// Whether text such as `uint`, `int7` or `bytes33` looks like an elementary type, which would
/// mislead as the name of a struct.
fn looks_elementary(text: &str) -> bool {
    matches!(text.trim_end_matches(|last: char| last.is_ascii_digit()), "uint" | "int" | "bytes")
}

const DOMAIN_FIELDS: [(&str, &str); 5] = [
    ("name", "string"),
    ("version", "string"),
    ("chainId", "uint256"),
    ("verifyingContract", "address"),
    ("salt", "bytes32"),
];
const MAX_TYPES: usize = 64;
const MAX_FIELDS: usize = 64;
const MAX_NAME: usize = 128;
