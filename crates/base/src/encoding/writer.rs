//! Writes as JSON what `serde` serialises, into text that always has room.
//!
//! The writer of `serde_json` may fail, because it may write to a file: each member of each message
//! then asks whether it did, which is 10 kB of the gate. What is written is the same.

use alloc::string::{String, ToString};
use core::fmt;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use serde_json::Number;

/// A value as JSON, without spaces.
///
/// Floats that are not finite are written as `null`, and keys that are numbers as text;
/// an `f32` has the digits of the `f64` that is equal to it.
#[must_use]
pub fn text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = String::new();
    match value.serialize(JsonWriter { text: &mut text }) {
        Ok(()) => text,
        Err(Unwritable) => String::new(),
    }
}

/// Appends text as a JSON string. Spec: RFC 8259 section 7; the short escapes where there are any.
pub fn write_string(text: &mut String, string: &str) {
    text.push('"');
    let mut rest = string;
    loop {
        // Most strings have nothing to escape: a loop that does no more is several times as fast.
        let is_plain = |&byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
        let plain = rest.bytes().take_while(is_plain).count();
        let (before, after) = rest.split_at_checked(plain).unwrap_or((rest, ""));
        text.push_str(before);
        let Some(escaped) = after.chars().next() else { break };
        rest = after.get(1..).unwrap_or_default();
        let escape = match escaped {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\u{8}' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\u{c}' => "\\f",
            '\r' => "\\r",
            _ => "\\u00",
        };
        text.push_str(escape);
        if escape.len() > 2 {
            let code = u32::from(escaped);
            text.push(if code < 16 { '0' } else { '1' });
            text.push(char::from_digit(code & 15, 16).unwrap_or_default());
        }
    }
    text.push('"');
}

struct JsonWriter<'a> {
    text: &'a mut String,
}

/// An array or object whose elements are being written.
struct JsonParts<'a> {
    text: &'a mut String,
    /// The character before the next element: the opening bracket until there is one.
    before: &'static str,
    /// Closes one that has elements, and stands for one that has none.
    ends: (&'static str, &'static str),
}

/// Serialising failed, by the value's own doing: no value of this project's does.
#[derive(Debug)]
struct Unwritable;

type Written = Result<(), Unwritable>;

impl Error for Unwritable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl core::error::Error for Unwritable {}

impl fmt::Display for Unwritable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the value cannot be written as JSON")
    }
}

impl<'a> JsonWriter<'a> {
    fn word(self, word: &str) -> Written {
        self.text.push_str(word);
        Ok(())
    }

    fn array(self) -> Result<JsonParts<'a>, Unwritable> {
        Ok(JsonParts { text: self.text, before: "[", ends: ("]", "[]") })
    }

    fn object(self) -> Result<JsonParts<'a>, Unwritable> {
        Ok(JsonParts { text: self.text, before: "{", ends: ("}", "{}") })
    }

    fn variant(self, name: &str) -> Self {
        self.text.push('{');
        write_string(self.text, name);
        self.text.push(':');
        self
    }

    fn array_of(self, variant: &str) -> Result<JsonParts<'a>, Unwritable> {
        Ok(JsonParts { text: self.variant(variant).text, before: "[", ends: ("]}", "[]}") })
    }

    fn object_of(self, variant: &str) -> Result<JsonParts<'a>, Unwritable> {
        Ok(JsonParts { text: self.variant(variant).text, before: "{", ends: ("}}", "{}}") })
    }
}

impl JsonParts<'_> {
    fn next(&mut self) {
        self.text.push_str(self.before);
        self.before = ",";
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.next();
        value.serialize(JsonWriter { text: self.text })
    }

    fn name(&mut self, name: &str) {
        self.next();
        write_string(self.text, name);
        self.text.push(':');
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Written {
        self.name(name);
        value.serialize(JsonWriter { text: self.text })
    }

    fn finish(self) -> Written {
        let (closing, empty) = self.ends;
        self.text.push_str(if self.before == "," { closing } else { empty });
        Ok(())
    }
}

macro_rules! whole_numbers {
    ($($method:ident $type:ty),+) => {
        $(fn $method(self, value: $type) -> Written {
            self.word(&value.to_string())
        })+
    };
}

impl<'a> Serializer for JsonWriter<'a> {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = JsonParts<'a>;
    type SerializeTuple = JsonParts<'a>;
    type SerializeTupleStruct = JsonParts<'a>;
    type SerializeTupleVariant = JsonParts<'a>;
    type SerializeMap = JsonParts<'a>;
    type SerializeStruct = JsonParts<'a>;
    type SerializeStructVariant = JsonParts<'a>;

    whole_numbers!(
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_i128 i128,
        serialize_u8 u8, serialize_u16 u16, serialize_u32 u32, serialize_u64 u64, serialize_u128 u128
    );

    fn serialize_f32(self, value: f32) -> Written {
        self.serialize_f64(f64::from(value))
    }

    fn serialize_f64(self, value: f64) -> Written {
        match Number::from_f64(value) {
            Some(number) => self.word(&number.to_string()),
            None => self.serialize_unit(),
        }
    }

    fn serialize_bool(self, value: bool) -> Written {
        self.word(if value { "true" } else { "false" })
    }

    fn serialize_char(self, value: char) -> Written {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Written {
        write_string(self.text, value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.word("null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Written {
        self.serialize_str(name)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Written {
        let text = self.variant(name).text;
        value.serialize(JsonWriter { text })?;
        text.push('}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<JsonParts<'a>, Unwritable> {
        self.array()
    }

    fn serialize_tuple(self, _: usize) -> Result<JsonParts<'a>, Unwritable> {
        self.array()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<JsonParts<'a>, Unwritable> {
        self.array()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<JsonParts<'a>, Unwritable> {
        self.array_of(name)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<JsonParts<'a>, Unwritable> {
        self.object()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<JsonParts<'a>, Unwritable> {
        self.object()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        _: usize,
    ) -> Result<JsonParts<'a>, Unwritable> {
        self.object_of(name)
    }
}

macro_rules! elements {
    ($($kind:ident $method:ident),+) => {$(
        impl $kind for JsonParts<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.element(value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        }
    )+};
}

elements!(
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
);

macro_rules! members {
    ($($kind:ident),+) => {$(
        impl $kind for JsonParts<'_> {
            type Ok = ();
            type Error = Unwritable;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Written {
                self.member(name, value)
            }

            fn end(self) -> Written {
                self.finish()
            }
        }
    )+};
}

members!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for JsonParts<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.next();
        let at = self.text.len();
        key.serialize(JsonWriter { text: self.text })?;
        if !self.text.get(at..).unwrap_or_default().starts_with('"') {
            self.text.insert(at, '"');
            self.text.push('"');
        }
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.text.push(':');
        value.serialize(JsonWriter { text: self.text })
    }

    fn end(self) -> Written {
        self.finish()
    }
}
