//! Limits the concurrent calls about unverified payments, for this project's own edge.
//!
//! Few for each client network, few in all. Each costs a call before anything is known about its
//! sender.
//!
//! The count never uses what such a payment says about itself: the payer it names may know nothing
//! of it. A network that sends payments that are refused is slowed and never stopped, because
//! honest payers may share it; only of sessions, whose channels cost nothing to name, it has one call
//! in six seconds after so many refusals. A payment that finds no place waits in a queue. A free place goes to
//! the network with the fewest calls, among those to the one that has had no place for the longest
//! time, so that many networks with slow calls have no more of them than one that comes later.
//! Within a network it goes to the earliest payment. Networks of one provider count together before
//! each counts by itself, since one client may hold thousands of them. Assumptions:
//! - one per isolate, bounded; losing it costs calls;
//! - a place is held for one call, never between two of them;
//! - a waiting payment asks about its turn several times a second, or stops waiting;
//! - payments of one kind take no places from those of another.

pub mod queue;

use alloc::string::String;

use self::queue::{Admittance, CallResult, Calls, Debt, LOST_SECS, Ticket};
use farebox_base::sorted::{RecentMap, Sorted};
use farebox_base::time::UnixTime;

/// Milliseconds between two questions about a payment's turn, of which [`MAX_TURNS`] are allowed
/// before it is asked to come later.
pub const ASK_AGAIN_MS: u32 = 50;
/// Maximum questions, [`ASK_AGAIN_MS`] apart: five seconds.
pub const MAX_TURNS: u32 = 100;

/// Objects of channels that are remembered.
const MAX_KNOWN: usize = 4_096;

/// The origin of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnverifiedCaller {
    /// The client's network.
    pub network: String,
    /// The kind of payment.
    pub kind: UnverifiedKind,
    /// The payment with its signature, of which one copy is verified at a time; `None` for one that
    /// others can read on the chain.
    pub payment: Option<[u8; 32]>,
}

/// Payments that are verified elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnverifiedKind {
    /// A signature that may be a contract's.
    Contract,
    /// A payment on a chain that the gate does not read.
    OtherChain,
    /// The payer's own transaction, which a node is asked about.
    Transaction,
    /// A payment by session whose deposit only the chain knows.
    Session,
}

/// Limits on calls about unverified payments.
#[derive(Clone, Debug)]
pub struct UnverifiedLimiter {
    contracts: Calls,
    other_chains: Calls,
    transactions: Calls,
    sessions: Calls,
    /// Payments that have a call or wait for one, and since when.
    asked: Sorted<[u8; 32], UnixTime>,
    /// Objects that have answered that they know their channel.
    known: RecentMap<String, ()>,
    /// Refusals of networks that named such a channel and were not its payer.
    strangers: RecentMap<String, Debt>,
}

/// How the object of a channel may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelAccess {
    /// At once: this request has shown that there is such a channel.
    Free,
    /// At once: the channel is known.
    Known(ChannelCaller),
    /// Once there is a place: whoever names another channel may have made it up.
    Placed(ChannelCaller),
    /// Not now: too often this network has named the channel and was not its payer.
    Refused,
}

/// The standing of a caller, by the answer of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelStanding {
    /// It has not answered, or cannot know its channel yet: the call that makes the channel tells
    /// whether there is one.
    Silent,
    /// It knows no such channel.
    Unknown,
    /// It knows the channel, and nothing shows that the caller is its payer.
    Stranger,
    /// Only the payer can have asked so.
    Payer,
}

/// The caller of a channel's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelCaller {
    /// The origin of the call.
    pub sender: UnverifiedCaller,
    /// The amount of a voucher whose signature holds, or the name of what its payer sends without a
    /// signature; empty for any other.
    pub shown: String,
}

impl ChannelCaller {
    /// The network, with the channel and what it shows of it.
    fn of(&self, object: &str) -> String {
        [self.sender.network.as_str(), " ", object, " ", &self.shown].concat()
    }
}

impl UnverifiedLimiter {
    /// Starts with no calls.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            contracts: Calls::new(),
            other_chains: Calls::new(),
            transactions: Calls::new(),
            sessions: Calls::bounded(),
            asked: Sorted::new(),
            known: RecentMap::new(MAX_KNOWN),
            strangers: RecentMap::new(MAX_KNOWN),
        }
    }

    /// How the object of a channel may be asked: by this caller, if the chain has shown nothing of
    /// the channel in their request.
    #[must_use]
    pub fn access(
        &self,
        object: &String,
        caller: Option<ChannelCaller>,
        now: UnixTime,
    ) -> ChannelAccess {
        let Some(caller) = caller else { return ChannelAccess::Free };
        if self.known.get(object).is_none() {
            return ChannelAccess::Placed(caller);
        }
        let debt = self.strangers.get(&caller.of(object));
        match debt.is_some_and(|debt| debt.stops(now)) {
            true => ChannelAccess::Refused,
            false => ChannelAccess::Known(caller),
        }
    }

    /// Takes what the answer of an object says; that ends the call of one that had a place.
    pub fn met(
        &mut self,
        object: String,
        access: &ChannelAccess,
        standing: ChannelStanding,
        now: UnixTime,
    ) {
        if let ChannelAccess::Placed(caller) = access {
            let is_unknown = standing == ChannelStanding::Unknown;
            let verdict = if is_unknown { CallResult::Bad } else { CallResult::Open };
            self.ended(&caller.sender, verdict, now);
        }
        let verdict = match standing {
            ChannelStanding::Stranger => CallResult::Bad,
            ChannelStanding::Payer => CallResult::Good,
            ChannelStanding::Silent | ChannelStanding::Unknown => return,
        };
        if let ChannelAccess::Placed(caller) | ChannelAccess::Known(caller) = access {
            let pair = caller.of(&object);
            if verdict == CallResult::Bad {
                self.strangers.touch(pair.clone(), || Debt::new(now));
            }
            if let Some(debt) = self.strangers.get_mut(&pair) {
                debt.learn(verdict, now);
            }
        }
        self.known.touch(object, || ());
    }

    /// Begins a call, or waits for one.
    pub fn begin(&mut self, sender: &UnverifiedCaller, now: UnixTime) -> Admittance {
        self.asked.retain(|(_, since)| now < since.plus(LOST_SECS));
        if sender.payment.is_some_and(|payment| self.asked.contains(&payment)) {
            return Admittance::Full;
        }
        let place = self.of(sender.kind).begin(&sender.network, now);
        if let Some(payment) = sender.payment.filter(|_| place != Admittance::Full) {
            self.asked.insert(payment, now);
        }
        place
    }

    /// The position of a waiting payment: after [`Admittance::Begun`] or [`Admittance::Full`] it no
    /// longer waits.
    pub fn turn(&mut self, sender: &UnverifiedCaller, ticket: Ticket, now: UnixTime) -> Admittance {
        let place = self.of(sender.kind).turn(&sender.network, ticket, now);
        if place == Admittance::Full {
            self.forget(sender);
        }
        place
    }

    /// Ends the wait of a payment.
    pub fn left(&mut self, sender: &UnverifiedCaller, ticket: Ticket, now: UnixTime) {
        self.forget(sender);
        self.of(sender.kind).left(&sender.network, ticket, now);
    }

    /// Ends a call.
    pub fn ended(&mut self, sender: &UnverifiedCaller, verdict: CallResult, now: UnixTime) {
        self.forget(sender);
        self.of(sender.kind).ended(&sender.network, sender.payment, verdict, now);
    }

    fn forget(&mut self, sender: &UnverifiedCaller) {
        if let Some(payment) = sender.payment {
            self.asked.remove(&payment);
        }
    }

    const fn of(&mut self, kind: UnverifiedKind) -> &mut Calls {
        match kind {
            UnverifiedKind::Contract => &mut self.contracts,
            UnverifiedKind::OtherChain => &mut self.other_chains,
            UnverifiedKind::Transaction => &mut self.transactions,
            UnverifiedKind::Session => &mut self.sessions,
        }
    }
}

impl Default for UnverifiedLimiter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
