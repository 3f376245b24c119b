//! An isolate's memory of the payers whose payments it took to a facilitator, for this
//! project's own edge: who has paid, and whose calls fail.
//!
//! A payer is an account that has signed. Where the gate cannot read one (chains other than EVM) it
//! is the client's network, never an account that a payment only names. One history per isolate,
//! bounded; losing it makes everyone a payer that has not paid yet.

use alloc::string::String;

use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;
use farebox_evm::known::KnownSigners;

/// Payers of an isolate that are remembered, at most: of those that have paid, and of the others.
const MAX_PAYERS: usize = 2_048;

/// Settle calls in a row that failed, after which a payer is served nothing on credit: a call and
/// its one re-send.
const OWN_SETTLES: u32 = 2;

/// Seconds for which a fault is worth reporting.
pub(super) const FRESH_SECS: u64 = 60;

/// The cause of a call to a facilitator, and how far it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Network of the client, empty if unknown.
    pub network: String,
    /// The payer.
    pub payer: String,
    /// Proof of the payment so far.
    pub evidence: Evidence,
}

impl Caller {
    /// Whether no payer is read, and the network stands for all of its payers.
    pub(super) fn is_network(&self) -> bool {
        self.payer == self.network
    }

    /// The name under which a facilitator that is down is tried: unproven payments share one.
    pub(super) fn tries_as(&self) -> &str {
        if self.evidence == Evidence::Unproven { "" } else { &self.network }
    }
}

/// Proof of the payment that a call is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Not at all: anyone can send it, with any content.
    Unproven,
    /// The payer has signed it. Wallets cost nothing.
    Signed,
    /// The payer has signed it, and beside it stands a permit that only the chain can check.
    BesidePermit,
    /// The facilitator has just found the money in the wallet.
    Verified,
}

/// The history of one payer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conduct {
    /// Whether a settlement of theirs succeeded.
    has_paid: bool,
    /// Their failed settle calls in a row.
    pub(super) settles: u32,
    /// Their exchanges in a row that failed through no fault of theirs.
    troubles: u64,
    troubled_at: UnixTime,
}

impl Conduct {
    /// The conduct of a payer of whom nothing is known.
    pub const UNKNOWN: Self =
        Self { has_paid: false, settles: 0, troubles: 0, troubled_at: UnixTime::from_secs(0) };

    /// Whether their own settlements fail.
    #[must_use]
    pub const fn is_failing(&self) -> bool {
        self.settles >= OWN_SETTLES
    }

    /// Whether the failures of others say nothing about them, because they have paid.
    #[must_use]
    pub fn stands_alone(&self) -> bool {
        self.has_paid
    }

    /// Their exchanges in a row that failed through no fault of theirs, if the last was recent.
    #[must_use]
    pub fn troubles(&self, now: UnixTime) -> u64 {
        if now < self.troubled_at.plus(FRESH_SECS) { self.troubles } else { 0 }
    }

    /// Records an exchange.
    pub(super) const fn note(&mut self, exchange: &CallEnd, now: UnixTime) {
        if exchange.settled {
            (self.has_paid, self.settles) = (true, 0);
        } else if exchange.is_settle && (exchange.has_failed || exchange.is_declined) {
            self.settles = self.settles.saturating_add(1);
        }
        self.troubles = if exchange.is_trouble { self.troubles.saturating_add(1) } else { 0 };
        self.troubled_at = now;
    }
}

/// The end of a call, as far as health is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallEnd {
    /// Whether it was a settle call.
    pub is_settle: bool,
    /// Whether there was no usable answer.
    pub has_failed: bool,
    /// Whether it was a settlement that succeeded.
    pub settled: bool,
    /// Whether it was a settlement that was declined, of a payer who is not read: nothing else bounds
    /// how much of one coin is served on credit.
    pub is_declined: bool,
    /// Whether it failed through no fault of the payer.
    pub is_trouble: bool,
}

/// The history of all payers in an isolate.
///
/// Those that have paid are kept apart: a place among them costs money.
#[derive(Clone, Debug)]
pub struct PayerHistory {
    paid: RecentMap<String, Conduct>,
    others: RecentMap<String, Conduct>,
    /// Those of them who have paid by signatures of their own.
    pub signers: KnownSigners,
}

impl Default for PayerHistory {
    fn default() -> Self {
        Self::new()
    }
}

impl PayerHistory {
    /// Starts empty.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            paid: RecentMap::new(MAX_PAYERS),
            others: RecentMap::new(MAX_PAYERS),
            signers: KnownSigners::new(),
        }
    }

    /// The history of one payer.
    #[must_use]
    pub fn of(&self, payer: &String) -> Conduct {
        let known = self.paid.get(payer).or_else(|| self.others.get(payer));
        known.copied().unwrap_or(Conduct::UNKNOWN)
    }

    /// Records what is known of a payer now.
    pub(super) fn put(&mut self, payer: &String, conduct: Conduct) {
        match (conduct.has_paid, conduct.troubles == 0 && conduct.settles == 0) {
            (true, _) => {
                self.others.remove(payer);
                self.paid.put(payer.clone(), conduct);
            }
            (false, true) => drop(self.others.remove(payer)),
            (false, false) => drop(self.others.put(payer.clone(), conduct)),
        }
    }
}
