//! The count of a client's free requests per day: exact, in the object that counts the client's
//! failures.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::read_struct;

/// Seconds of a day, which begins at midnight UTC.
pub const DAY_SECS: u64 = 86_400;
/// Days after which a count is removed.
pub const KEPT_DAYS: u64 = 3;

/// The message; its member `spend` distinguishes it. The object answers how many are left, or
/// `null` if none was left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spend {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// The client at one route, by an opaque name of this day.
    pub spend: String,
    /// Days since 1970.
    pub day: u64,
    /// Free requests per day.
    pub per_day: u64,
}

read_struct!(Spend { v, spend, day, per_day });
