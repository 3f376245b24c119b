//! The parts of a [`Gate`](super::Gate), each with what it needs from the configuration.

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::call::object;
use super::clients::Clients;
use super::keys::Keys;
use super::offer::Offer;
use super::operator::settings::{Keeps, Webhook};
use super::origin::{LedgerPlacement, Origin};
use super::publish::document::Publication;
use super::route::RouteTable;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::Secret;
use farebox_base::time::UnixTime;
use farebox_evm::wallet::Wallets;
use farebox_ledger::command::Role;
use farebox_ledger::entry::Plan;
use farebox_wire::facilitator::auth::Auth;
use farebox_wire::facilitator::wire::Facilitator;

/// The routes, and the offers of the priced ones.
#[derive(Debug)]
pub(super) struct PricedRoutes {
    pub table: RouteTable,
    /// By route index; `None` for free routes.
    pub offers: Vec<Option<Offer>>,
}

/// The origin of requests that are let through, and the placement of the ledger objects.
#[derive(Debug)]
pub(super) struct Upstream {
    pub asked: Origin,
    pub placement: LedgerPlacement,
    /// Seconds that a free request may take.
    pub timeout_secs: u64,
}

/// The facilitators, and the plan that resolves a doubtful settlement.
#[derive(Debug)]
pub(super) struct Settlers {
    /// All of them, in the order of the configuration.
    pub settlers: Vec<Settler>,
    pub breaker_secs: u64,
    pub settle_secs: u64,
    pub plan: Plan,
}

/// A facilitator, the key it takes, and the networks that it is asked about.
#[derive(Debug)]
pub(super) struct Settler {
    pub facilitator: Facilitator,
    pub auth: Auth,
    pub networks: Vec<String>,
}

/// Rules for payers.
#[derive(Debug)]
pub(super) struct PayerRules {
    pub clients: Clients,
    /// The contract wallets that may pay, if any.
    pub wallets: Option<Wallets>,
    /// Payments of one payer that are worked on at once.
    pub in_flight: NonZeroU32,
    /// The time of a backup from which the ledger was restored, and that before which the payments
    /// end that the restore may have lost.
    pub restored: Option<(UnixTime, UnixTime)>,
}

/// The chains that can be read.
#[derive(Debug)]
pub(super) struct Chains {
    /// URLs by CAIP-2 id; path or query may hold a key.
    pub rpc: Vec<(String, Secret<String>)>,
}

/// The number of ledger objects; two numbers while it changes, and after that.
#[derive(Debug)]
pub(super) struct Shards {
    pub count: u64,
    /// The number before the change, as long as payments of then may come again.
    pub old: Option<u64>,
    /// Whether all Workers have heard of the change.
    pub is_over: bool,
}

impl Shards {
    /// The numbers that objects are named by.
    fn counts(&self) -> impl Iterator<Item = u64> + use<> {
        [Some(self.count), self.old].into_iter().flatten()
    }

    /// Number and role of the object that is asked first.
    pub fn first(&self) -> (u64, Role) {
        match self.old {
            Some(_) if self.is_over && planted(Mutant::PastIsForgotten) => (self.count, Role::Sole),
            Some(old) if self.is_over => (old, Role::Past),
            Some(old) => (old, Role::Old),
            None => (self.count, Role::Sole),
        }
    }

    /// Every object.
    pub fn objects(&self) -> impl Iterator<Item = String> + use<> {
        self.counts().flat_map(|count| (0..count).map(move |shard| object(count, shard)))
    }

    /// The objects that may keep rows of this payer, or of a payment whose payer is not known.
    pub fn of(&self, keys: &Keys, payer: &[u8]) -> impl Iterator<Item = String> {
        self.counts().map(|count| object(count, keys.shard(payer, count)))
    }

    /// The objects that may keep the row of this receipt id.
    pub fn of_receipt(&self, id: &str) -> impl Iterator<Item = String> {
        self.counts().flat_map(move |count| {
            Keys::shards_of_receipt(id, count).map(move |shard| object(count, shard))
        })
    }
}

/// Access and notices of the operator.
#[derive(Debug)]
pub(super) struct Operated {
    /// Digest of the operator's token.
    pub token: Option<Secret<String>>,
    /// Digest of the token of who reports refunds.
    pub refunder: Option<Secret<String>>,
    pub webhook: Option<Webhook>,
    pub keeps: Keeps,
}

/// The documents for everyone.
#[derive(Debug)]
pub(super) struct Public {
    pub protocols: Vec<&'static str>,
    /// CAIP-2 ids.
    pub networks: Vec<String>,
    pub publication: Publication,
}
