//! The calls that the account of a payee sends to one chain: one object sends them, each under a
//! nonce of its own until a block has that nonce.
//!
//! A channel hands over the call that is due, and hands it over again while the chain does not show
//! it. A queued call is replaced and not doubled, and may be forgotten: the channel comes again.

pub mod call;
mod landed;
mod replies;
mod round;
pub mod sent;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::call::{ChannelCheck, PayoutCall, QueuedCall};
use self::landed::LandedDeposits;
use self::sent::SentCall;
use super::config::ChannelId;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// A call in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct QueuePlace {
    call: QueuedCall,
    sent: Option<SentCall>,
    /// The deposit that the channel had when a node found that the call succeeds.
    before: Option<Amount>,
    /// Whether the last deposit of its payer has come.
    is_proven: bool,
}

impl QueuePlace {
    /// The order in which calls are sent: those that have a nonce by that, then those of payers who
    /// withdraw, then settlements, and deposits last, those of new payers after all others; among
    /// equals the largest debt first.
    fn rank(&self) -> (u64, u64) {
        let urgency = match (self.call.haste.rank(), self.call.call) {
            (0, _) => 0,
            (_, PayoutCall::Settle) => 1,
            (_, PayoutCall::Close) => 2,
            (_, PayoutCall::Deposit) => 3,
        };
        let unsent = u64::MAX.saturating_sub(u64::from(!self.is_strangers()));
        (self.sent.map_or(unsent, |sent| sent.nonce), by_owed(urgency, self.call.owed))
    }

    /// Whether it is a deposit of a payer of whom none has come yet, or the last one did not.
    fn is_strangers(&self) -> bool {
        self.call.funds.is_some() && !self.is_proven
    }
}

/// The troubles that keep an account from sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountHealth {
    /// The wei that it lacks to pay for what is next.
    pub lacks: Option<Amount>,
    /// How many deposits came to nothing in the last hour, at its cost.
    pub failed_deposits: usize,
    /// Whether those are so many that deposits of new payers are sent one at a time.
    pub is_slow: bool,
}

/// The calls of one account and chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayeeQueue {
    places: Vec<QueuePlace>,
    landed: LandedDeposits,
    /// The last questions to a node.
    asked: Vec<(ChannelId, ChannelCheck)>,
    /// The wei that the account lacks to pay for the next call.
    lacks: Option<Amount>,
}

impl PayeeQueue {
    /// Reads a row, without what was not written here.
    #[must_use]
    pub fn from_row(row: &str) -> Self {
        let mut queue = Self::default();
        for line in row.split('\n') {
            let mut fields = line.split(' ');
            if queue.landed.read(line) {
                continue;
            }
            if let Some(call) = QueuedCall::read(&mut fields) {
                let sent = SentCall::read(&mut fields);
                let before = fields.next().and_then(|text| Amount::from_atomic(text).ok());
                queue.places.push(QueuePlace { call, sent, before, is_proven: false });
            }
        }
        for QueuePlace { call, is_proven, .. } in &mut queue.places {
            *is_proven = queue.landed.has_proven(call);
        }
        queue
    }

    /// The row: a line for each call.
    #[must_use]
    pub fn to_row(&self) -> String {
        let mut lines = Vec::new();
        for QueuePlace { call, sent, before, .. } in &self.places {
            let before = before.filter(|_| sent.is_some()).map(|it| it.to_string());
            let sent = sent.map(SentCall::to_text).unwrap_or_default();
            lines.push([call.to_text(), sent, before.unwrap_or_default()].join(" "));
        }
        self.landed.write(&mut lines);
        lines.join("\n")
    }

    /// Takes a call; it replaces an earlier one of its channel, under the same nonce. A deposit
    /// replaces nothing, and its payer has one that waits. Whether there was room.
    pub fn take(&mut self, call: QueuedCall, now: UnixTime) -> bool {
        if let Some(funds) = &call.funds {
            if let Some(is_same) = self.landed.has(&call, funds, now) {
                return is_same;
            }
            if self.landed.holds_back(&funds.payer, now) {
                return false;
            }
            let is_payers = |it: &&QueuePlace| {
                it.call.funds.as_ref().is_some_and(|other| other.payer == funds.payer)
            };
            let waits = self.places.iter().find(is_payers);
            if let Some(place) = waits {
                return place.call == call;
            }
        } else if let Some(place) = self.of(&call.channel) {
            if place.call != call {
                place.call = call;
                // What is sent under this nonce is not this any more.
                if let Some(sent) = &mut place.sent {
                    sent.at = UnixTime::from_secs(0);
                }
            }
            return true;
        }
        let is_proven = self.landed.has_proven(&call);
        let place = QueuePlace { call, sent: None, before: None, is_proven };
        if self.places.len() >= MAX_CALLS {
            // What has a nonce goes before all others.
            let last = self.places.iter().enumerate().max_by_key(|(_, it)| it.rank());
            match last {
                Some((last, it)) if it.rank() > place.rank() => drop(self.places.remove(last)),
                Some(_) | None => return false,
            }
        }
        self.places.push(place);
        true
    }

    /// Whether nothing waits, and nothing that was sent is looked for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chain_id().is_none()
    }

    /// The account's health, for its operator.
    #[must_use]
    pub fn health(&self) -> AccountHealth {
        AccountHealth {
            lacks: self.lacks,
            failed_deposits: self.landed.failed(),
            is_slow: self.landed.is_slow(),
        }
    }

    /// The chain, if a node is to be asked.
    fn chain_id(&self) -> Option<u64> {
        let first = self.places.first().map(|place| &place.call);
        Some(first.or_else(|| self.landed.open().next())?.contract.chain_id)
    }

    fn of(&mut self, channel: &ChannelId) -> Option<&mut QueuePlace> {
        self.places.iter_mut().find(|it| it.call.place() == (*channel, false))
    }
}

/// The order of calls as urgent as this, by what is owed.
pub(super) fn by_owed(urgency: u64, owed: Amount) -> u64 {
    (urgency << 62_u8) | (LEAST_OWED.saturating_sub(owed.magnitude()))
}

/// The order of what is owed nothing.
const LEAST_OWED: u64 = (1 << 62) - 1;
/// Calls that wait in all.
const MAX_CALLS: usize = 512;
