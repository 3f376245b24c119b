//! How a free request of a client's day is taken: counted in the object that counts his failures, exactly.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Seconds of a day, which begins at midnight UTC.
pub const DAY_SECS: u64 = 86_400;
/// Days after which a count is removed.
pub const KEPT_DAYS: u64 = 3;

/// The message; it is told from others by its member `spend`. The object answers how many are left, or `null` where
/// none was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// The client at one route, by an opaque name of this day.
    pub spend: String,
    /// Days since 1970.
    pub day: u64,
    /// How many are free.
    pub per_day: u64,
}
