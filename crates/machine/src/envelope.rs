//! The message in which a command goes from a Worker to its object: versioned JSON.

use core::fmt;

use serde::{Deserialize, Serialize};

/// Version of the messages that this code writes and reads.
pub const VERSION: u8 = 1;

/// One command on its way.
///
/// While a new build is rolled out, a Worker of the one may ask an object of the other. A message of
/// another version is refused by the reader itself, so that no command is read as what it is not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "AnyVersion<Command>")]
pub struct Envelope<Command> {
    v: u8,
    /// The command.
    pub command: Command,
}

impl<Command> Envelope<Command> {
    /// The message with this command.
    #[must_use]
    pub const fn of(command: Command) -> Self {
        Self { v: VERSION, command }
    }
}

/// A message before its version was looked at.
#[derive(Deserialize)]
struct AnyVersion<Command> {
    v: u8,
    // What the market's Workers wrote until all machines had one envelope.
    #[serde(alias = "instruction", alias = "view")]
    command: Command,
}

impl<Command> TryFrom<AnyVersion<Command>> for Envelope<Command> {
    type Error = OtherVersion;

    fn try_from(read: AnyVersion<Command>) -> Result<Self, OtherVersion> {
        if read.v == VERSION { Ok(Self::of(read.command)) } else { Err(OtherVersion) }
    }
}

/// The message is of another build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherVersion;

impl fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a message of another version")
    }
}

impl core::error::Error for OtherVersion {}
