//! Strict, bounded codecs: [`base64`] of payment headers, the [`json`] inside them and its
//! canonical form [`jcs`], and the [`hex`] inside that. [`base32`] spells names that are derived
//! from digests. [`message`] reads the program's messages to itself.
//!
//! Each accepts one spelling of a value even if the specifications allow several, so that a checked
//! value cannot mean something else to the next reader.

pub mod base32;
pub mod base64;
mod double;
pub mod hex;
pub mod jcs;
pub mod json;
pub mod message;
mod reader;
mod writer;
