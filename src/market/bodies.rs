//! Turns of long bodies, because the one object that parses one answers nobody else meanwhile; and of questions to a node.

use super::config;
use crate::platform::body::UNPROVEN_BYTES;
use crate::platform::calls::clock_ms;

/// Waits until a body of so many bytes may be parsed for its sender, an agent or a network; whether it may. Short ones need no turn.
pub(super) async fn may_parse(sender: &str, bytes: usize) -> bool {
    if !is_long(bytes) {
        return true;
    }
    let Some(ticket) = config::bodies().turn(sender).await else { return false };
    ticket.end(clock_ms(), u64::try_from(bytes / BYTES_PER_MS).unwrap_or(u64::MAX));
    true
}

/// Waits until the node may be asked for this network; whether it may. Others begin while it answers: it may be slow.
pub(super) async fn may_ask(network: &str) -> bool {
    let Some(ticket) = config::questions().turn(network).await else { return false };
    ticket.end(clock_ms(), QUESTION_MS);
    true
}

/// Whether a body of so many bytes needs a turn.
pub(super) const fn is_long(bytes: usize) -> bool {
    bytes > UNPROVEN_BYTES as usize
}

/// Bytes that are parsed in a millisecond, at least.
const BYTES_PER_MS: usize = 20_000;
/// Milliseconds of work that a question to a node counts as: with the rest after it, twenty begin in a second.
const QUESTION_MS: u64 = 10;
