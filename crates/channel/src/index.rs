//! The list of channels: what operators see of each, as of its last alarm.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::state::{Channel, ListNotice, OnChain};
use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, json};
use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;

/// The name of the object that keeps it.
pub const OBJECT: &str = "channels";

/// The name of the object of a channel.
#[must_use]
pub fn channel_object(id: &str) -> String {
    ["channel/", id].concat()
}

/// The commands to the list.
#[derive(Clone, Debug)]
pub enum IndexAsk {
    /// Keep what is shown of the channel with this id, JSON.
    Note(String, String),
    /// Drop the channel with this id.
    Drop(String),
    /// The channels after this id, at most so many.
    Page(String, u64),
    /// The sums of all channels.
    Sums,
}

impl IndexAsk {
    /// Its text.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self {
            Self::Note(id, shown) => [NOTE, id, " ", shown].concat(),
            Self::Sums => SUMS.to_string(),
            Self::Drop(id) => [DROP, id].concat(),
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
        if let Some(id) = text.strip_prefix(DROP) {
            return Some(Self::Drop(id.to_string()));
        }
        if text == SUMS {
            return Some(Self::Sums);
        }
        let (after, limit) = text.strip_prefix(PAGE)?.split_once(' ')?;
        Some(Self::Page(after.to_string(), limit.parse().ok()?))
    }
}

/// The message that a channel knows nothing to do for: after it, as after each, its alarm is set.
pub const WAKE: &str = "wake";
/// No message to a channel begins so: those are JSON.
const NOTE: &str = "note ";
/// The state of a channel that sells.
const OPEN: &str = "open";
const DROP: &str = "drop ";
const PAGE: &str = "page ";
const SUMS: &str = "sums";

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

    /// The channel as an operator sees it, without the members that never change.
    #[must_use]
    pub fn listed(&self, now: UnixTime) -> Map<String, Value> {
        let sight = &self.sight;
        let (state, since) = match sight.on_chain {
            OnChain::Open => (OPEN, None),
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
                ("refunded", self.paid_back.to_string()),
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

/// The sums of the channels of each network and token.
#[derive(Debug, Default)]
pub struct ChannelSums(Sorted<[String; 2], ChannelSum>);

/// The sums of the channels of one network and token.
#[derive(Debug)]
struct ChannelSum {
    /// How many there are, and how many of them may have sold something since they were listed.
    counts: [u64; 2],
    amounts: [Amount; 5],
    /// When the one of the latter was listed that was not listed for longest.
    oldest: Option<u64>,
}

impl ChannelSums {
    /// The amounts that are summed.
    const SUMMED: [&str; 5] = ["deposit", "spent", "claimed", "paid_out", "refunded"];

    /// Adds a channel as it is listed; what is not one is left out.
    pub fn add(&mut self, shown: &str) {
        let Ok(shown) = json::parse(shown.as_bytes()) else { return };
        // The account of a payee, which stands after the channels.
        if shown.get("asset").is_none() {
            return;
        }
        let text = |name: &str| shown.get(name).and_then(Value::as_str).unwrap_or_default();
        let place = ["network", "asset"].map(|name| text(name).to_string());
        let fresh = || ChannelSum { counts: [0, 0], amounts: [Amount::ZERO; 5], oldest: None };
        let ChannelSum { counts: [all, behind], amounts, oldest } = self.0.get_or(place, fresh);
        *all = all.saturating_add(1);
        if text("state") == OPEN {
            *behind = behind.saturating_add(1);
            let at = shown.get("at").and_then(Value::as_u64).unwrap_or_default();
            *oldest = Some(oldest.map_or(at, |oldest| oldest.min(at)));
        }
        for (sum, name) in amounts.iter_mut().zip(Self::SUMMED) {
            let amount = Amount::from_atomic(text(name)).unwrap_or(Amount::ZERO);
            *sum = sum.checked_add(amount).unwrap_or(Amount::MAX);
        }
    }

    /// A JSON list, as [`page`] reads it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let shown = self.0.iter().map(|([network, asset], sum)| {
            let ChannelSum { counts: [count, behind], amounts: sums, oldest } = sum;
            let mut all = json::object(
                Self::SUMMED
                    .iter()
                    .zip(sums)
                    .map(|(name, sum)| (name.to_string(), Value::from(sum.to_string()))),
            );
            all.insert("network".to_string(), Value::from(network.as_str()));
            all.insert("asset".to_string(), Value::from(asset.as_str()));
            all.insert("channels".to_string(), Value::from(*count));
            // What these have charged since is in no sum.
            all.insert("behind".to_string(), Value::from(*behind));
            all.insert("behind_since".to_string(), Value::from(*oldest));
            Value::Object(all)
        });
        json::text(&Value::Array(shown.collect()))
    }
}

/// The channels that a run of the sweep wakes: a page behind a place that is another one in each run,
/// and as many of the first ones as have room beside it.
#[derive(Debug)]
pub struct ChannelRun {
    from: String,
}

impl ChannelRun {
    /// The run of this number. Places of runs that follow each other are far apart, and those of many
    /// runs are spread evenly.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let place = u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default().reverse_bits();
        Self { from: hex::encode_prefixed(&place.to_be_bytes()) }
    }

    /// The two messages to the list.
    #[must_use]
    pub fn messages(&self) -> [String; 2] {
        let from = |place: &str| IndexAsk::Page(place.to_string(), MAX_RUN).to_text();
        [from(&self.from), from("")]
    }

    /// The ids of the channels that the two answers show.
    #[must_use]
    pub fn channels(&self, answers: [Option<&str>; 2]) -> Vec<String> {
        let [behind, first] = answers.map(|answer| answer.and_then(page).unwrap_or_default());
        let mut ids = Vec::new();
        for shown in behind.iter().chain(&first) {
            let id =
                shown.get("id").and_then(Value::as_str).filter(|_| shown.get("asset").is_some());
            // The accounts of payees stand in the list, too.
            let Some(id) = id else { continue };
            let is_full = u64::try_from(ids.len()).is_ok_and(|count| count >= MAX_RUN);
            if !is_full && !ids.iter().any(|known| known == id) {
                ids.push(id.to_string());
            }
        }
        ids
    }
}

/// Channels that a run wakes.
const MAX_RUN: u64 = 100;

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
