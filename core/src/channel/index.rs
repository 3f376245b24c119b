//! The list of channels: what operators see of each, as of its last alarm.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::state::{Channel, ListNotice, OnChain};
use crate::encoding::json;
use crate::time::UnixTime;

/// The name of the object that keeps it.
pub const OBJECT: &str = "channels";

/// What the list is asked.
#[derive(Clone, Debug)]
pub enum IndexAsk {
    /// Keep what is shown of the channel with this id, JSON.
    Note(String, String),
    /// The channels after this id, at most so many.
    Page(String, u64),
}

impl IndexAsk {
    /// Its text.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Note(id, shown) => [NOTE, id, " ", shown].concat(),
            Self::Page(after, limit) => [PAGE, after, " ", &limit.to_string()].concat(),
        }
    }

    /// Reads a message; `None` if it is for a channel.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if let Some(note) = text.strip_prefix(NOTE) {
            let (id, shown) = note.split_once(' ')?;
            return Some(Self::Note(id.to_string(), shown.to_string()));
        }
        let (after, limit) = text.strip_prefix(PAGE)?.split_once(' ')?;
        Some(Self::Page(after.to_string(), limit.parse().ok()?))
    }
}

/// No message to a channel begins so: those are JSON.
const NOTE: &str = "note ";
const PAGE: &str = "page ";

impl Channel {
    /// Whether the list has what changed.
    #[must_use]
    pub const fn listing(&self) -> ListNotice {
        self.listing
    }

    /// The list is told; it counts as told once it has said so.
    pub const fn list(&mut self, listing: ListNotice) {
        self.listing = listing;
    }

    /// What an operator sees of it, beside what never changes.
    #[must_use]
    pub fn listed(&self, now: UnixTime) -> Map<String, Value> {
        let sight = &self.sight;
        let (state, since) = match sight.on_chain {
            OnChain::Open => ("open", None),
            OnChain::Leaving(since) => ("leaving", Some(since.secs())),
            OnChain::Finalized => ("finalized", None),
        };
        let mut shown = json::object(
            [
                ("id", self.id.to_string()),
                ("state", state.to_string()),
                ("deposit", sight.deposit.to_string()),
                ("accepted", self.accepted().to_string()),
                ("spent", self.spent.to_string()),
                ("claimed", sight.claimed.to_string()),
                ("paid_out", self.paid_out.to_string()),
            ]
            .map(|(name, text)| (name.to_string(), Value::from(text))),
        );
        let times = [
            ("withdraw_requested_at", since),
            ("withdraw_delay_secs", Some(self.withdraw_delay_secs)),
            ("at", Some(now.secs())),
        ];
        shown.extend(times.map(|(name, time)| (name.to_string(), Value::from(time))));
        shown
    }
}

/// The channels of a page, from what the list has answered; `None` if that is no page.
#[must_use]
pub fn page(answer: &str) -> Option<Vec<Value>> {
    match json::parse_within(answer.as_bytes(), MAX_PAGE_BYTES, MAX_PAGE_VALUES).ok()? {
        Value::Array(channels) => Some(channels),
        _ => None,
    }
}

/// Longest page, bytes: 200 channels.
const MAX_PAGE_BYTES: usize = 512 * 1024;
/// The same in values.
const MAX_PAGE_VALUES: usize = 8 * 1024;
