//! Header fields that a treasury adds to a merchant's answer, as its decisions tell it. No merchant
//! can set them. Spec: docs/treasury.md, "Decisions".

/// The field of an answer whose body was longer than what is passed on: `true`.
pub const TRUNCATED: &str = "x-farebox-truncated";

/// The field of an answer that has left, so that its decision is told without it: `true`.
pub const REMOVED: &str = "x-farebox-removed";

/// The field of an answer whose body is told in base64, because it is no UTF-8: `base64`.
pub const ENCODING: &str = "x-farebox-encoding";
