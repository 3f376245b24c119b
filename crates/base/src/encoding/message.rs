//! Messages of this program to itself, read into the types that wrote them: for this project's own
//! edges.
//!
//! A value that `serde` writes is read by members and variants that are listed beside each type. A
//! reader that `serde` derives keeps every member in a slot of its own and has a sentence for each
//! mistake, several times the code. Not for input from outside: the size is not limited.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde_json::{Map, Value};

use super::json;

/// Reads one message; `None` if it is not of this type.
#[must_use]
pub fn read<T: FromJson>(text: &str) -> Option<T> {
    Message::parse(text.as_bytes())?.read()
}

/// A message whose type is not known yet.
#[derive(Debug)]
pub struct Message(Value);

impl Message {
    /// Reads JSON; `None` if it is malformed.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        json::parse_within(text, usize::MAX, usize::MAX).ok().map(Self)
    }

    /// Whether it was written in this version.
    #[must_use]
    pub fn is_of(&self, version: u8) -> bool {
        self.0.get("v").and_then(Value::as_u64) == Some(version.into())
    }

    /// Whether it has a member of this name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }

    /// The message as this type; `None` if it is not of this type.
    #[must_use]
    pub fn read<T: FromJson>(&self) -> Option<T> {
        T::from_json(&self.0)
    }
}

/// A type that messages consist of.
pub trait FromJson: Sized {
    /// Reads a value; `None` if it is not of this type.
    fn from_json(value: &Value) -> Option<Self>;
}

/// A member of a message.
pub fn member<T: FromJson>(members: &Map<String, Value>, name: &str) -> Option<T> {
    T::from_json(members.get(name).unwrap_or(&Value::Null))
}

/// A member that older writers leave out.
pub fn member_or_default<T: FromJson + Default>(
    members: &Map<String, Value>,
    name: &str,
) -> Option<T> {
    members.get(name).map_or_else(|| Some(T::default()), T::from_json)
}

/// The name of a variant and what it holds: it is written as its name, or as an object of both.
pub fn variant(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::Object(members) => members.iter().next().map(|(name, held)| (name.as_str(), held)),
        Value::String(name) => Some((name, &Value::Null)),
        _ => None,
    }
}

/// Reads a struct by its members; those behind the semicolon may be absent.
#[macro_export]
macro_rules! read_struct {
    (@name $member:ident) => { stringify!($member) };
    (@name $member:ident $name:literal) => { $name };
    ($type:ident {
        $($member:ident $(= $name:literal)?),* $(,)?
        $(; $($later:ident $(= $late:literal)?),+ $(,)?)?
    }) => {
        impl $crate::encoding::message::FromJson for $type {
            fn from_json(value: &serde_json::Value) -> Option<Self> {
                let members = value.as_object()?;
                Some(Self {
                    $($member: $crate::encoding::message::member(
                        members, $crate::encoding::message::read_struct!(@name $member $($name)?),
                    )?,)*
                    $($($later: $crate::encoding::message::member_or_default(
                        members, $crate::encoding::message::read_struct!(@name $later $($late)?),
                    )?,)+)?
                })
            }
        }
    };
}

/// Reads an enum by the names of its variants; each must be listed.
#[macro_export]
macro_rules! read_enum {
    (@held $value:ident, $variant:ident) => { Self::$variant };
    (@held $value:ident, $variant:ident ($($slot:ident),+)) => {{
        #[allow(unused_parens, reason = "one slot is not a tuple")]
        let ($($slot),+) = $crate::encoding::message::FromJson::from_json($value)?;
        Self::$variant($($slot),+)
    }};
    (@held $value:ident, $variant:ident {
        $($member:ident),* $(,)? $(; $($later:ident),+ $(,)?)?
    }) => {{
        let members = $value.as_object()?;
        Self::$variant {
            $($member: $crate::encoding::message::member(members, stringify!($member))?,)*
            $($($later: $crate::encoding::message::member_or_default(
                members, stringify!($later),
            )?,)+)?
        }
    }};
    ($type:ident { $($name:literal => $variant:ident $({ $($members:tt)* })? $(( $($slots:tt)* ))?),+ $(,)? }) => {
        impl $crate::encoding::message::FromJson for $type {
            fn from_json(value: &serde_json::Value) -> Option<Self> {
                let (name, _held) = $crate::encoding::message::variant(value)?;
                // A variant that is not listed does not compile.
                let _: fn(&Self) = |known| match known { $(Self::$variant { .. } => {})+ };
                Some(match name {
                    $($name => $crate::encoding::message::read_enum!(
                        @held _held, $variant $({ $($members)* })? $(( $($slots)* ))?
                    ),)+
                    _ => return None,
                })
            }
        }
    };
}

pub use crate::{read_enum, read_struct};

impl FromJson for String {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_str().map(ToOwned::to_owned)
    }
}

impl FromJson for Value {
    fn from_json(value: &Value) -> Option<Self> {
        Some(value.clone())
    }
}

impl FromJson for Map<String, Value> {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_object().cloned()
    }
}

impl FromJson for bool {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_bool()
    }
}

impl FromJson for u64 {
    fn from_json(value: &Value) -> Option<Self> {
        value.as_u64()
    }
}

impl FromJson for u32 {
    fn from_json(value: &Value) -> Option<Self> {
        Self::try_from(value.as_u64()?).ok()
    }
}

impl FromJson for u8 {
    fn from_json(value: &Value) -> Option<Self> {
        Self::try_from(value.as_u64()?).ok()
    }
}

impl FromJson for NonZeroU32 {
    fn from_json(value: &Value) -> Option<Self> {
        Self::new(u32::from_json(value)?)
    }
}

impl<T: FromJson> FromJson for Option<T> {
    fn from_json(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_json(value).map(Some) }
    }
}

impl<T: FromJson> FromJson for Box<T> {
    fn from_json(value: &Value) -> Option<Self> {
        T::from_json(value).map(Self::new)
    }
}

impl<T: FromJson> FromJson for Vec<T> {
    fn from_json(value: &Value) -> Option<Self> {
        let values = value.as_array()?;
        let mut list = Self::with_capacity(values.len());
        for value in values {
            list.push(T::from_json(value)?);
        }
        Some(list)
    }
}

/// Implements the trait for lists of a fixed length.
macro_rules! read_tuples {
    ($($part:ident $value:ident),+) => {
        impl<$($part: FromJson),+> FromJson for ($($part),+) {
            fn from_json(value: &Value) -> Option<Self> {
                let [$($value),+] = value.as_array()?.as_slice() else { return None };
                Some(($($part::from_json($value)?),+))
            }
        }
    };
}

read_tuples!(A a, B b);
read_tuples!(A a, B b, C c);
read_tuples!(A a, B b, C c, D d);
