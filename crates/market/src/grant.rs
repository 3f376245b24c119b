//! The permission that a machine gives with work, and that a report of it shows again.

/// Permission to move a row on, until its fence grows.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The row.
    pub id: &'a str,
    /// Its fence when the permission was given.
    pub fence: u64,
}
