//! Strict, bounded codecs: [`base64`] of payment headers, the [`json`] inside them and its one canonical spelling [`jcs`],
//! the [`hex`] inside that. And the [`message`] that this program sends itself.
//!
//! Each reads one spelling of a value where the specifications allow several, so that what was checked here cannot mean
//! something else to whoever reads it next.

pub mod base64;
pub mod hex;
pub mod jcs;
pub mod json;
pub mod message;
