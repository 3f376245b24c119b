//! The rows of what is archived.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// Most invocations of a [`ShelfRow`].
pub const SHELF: u32 = 1_000;

/// Invocations in the archive. Key: last. Numbers of two shelves do not overlap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShelfRow {
    /// The smallest number.
    pub first: u64,
    /// The greatest number.
    pub last: u64,
    /// How many they are: what was not over is not among them.
    pub count: u64,
    /// The name of its object.
    pub name: String,
    /// When it was put.
    pub at: u64,
}

/// The work on the archive. One row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveRow {
    /// When the next attempt is due; `None` if the storage has no more rows than it keeps.
    pub due: Option<u64>,
    /// How often the next shelf could not be put.
    pub failures: u64,
}
