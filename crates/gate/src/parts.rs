//! The parts of a [`Gate`](super::Gate), each with what it needs from the configuration.

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::call::object;
use super::clients::Clients;
use super::keys::Keys;
use super::offer::{Choice, Offer};
use super::operator::settings::{Keeps, Webhook};
use super::origin::{LedgerPlacement, Origin};
use super::publish::document::Publication;
use super::restore::Restore;
use super::route::RouteTable;
use farebox_base::secret::Secret;
use farebox_common::payment::Proof;
use farebox_evm::wallet::Wallets;
use farebox_ledger::command::Role;
use farebox_ledger::entry::{Plan, RefundPlan};
use farebox_wire::facilitator::auth::Auth;
use farebox_wire::facilitator::wire::Facilitator;

/// The routes, and the offers of the priced ones.
#[derive(Debug)]
pub(super) struct PricedRoutes {
    pub table: RouteTable,
    /// By route index; `None` for free routes.
    pub offers: Vec<Option<Offer>>,
}

impl PricedRoutes {
    /// The offer of a route; `None` if it is free.
    pub fn offer(&self, route: usize) -> Option<&Offer> {
        self.offers.get(route)?.as_ref()
    }

    /// Every offer.
    pub fn sold(&self) -> impl Iterator<Item = &Offer> + Clone {
        self.offers.iter().flatten()
    }

    /// Every way to pay.
    pub fn choices(&self) -> impl Iterator<Item = &Choice> {
        self.sold().flat_map(|offer| &offer.choices)
    }

    /// Whether a route sells by session, of either protocol.
    pub fn sells_by_session(&self) -> bool {
        let by_x402 = self.choices().any(|choice| choice.session.is_some());
        by_x402 || self.sold().any(|offer| offer.channel.is_some())
    }
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

impl Settlers {
    /// The facilitator that this URL belongs to.
    pub fn at(&self, url: &str) -> Option<&Settler> {
        self.settlers.iter().find(|settler| settler.facilitator.owns(url))
    }
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
    pub restore: Restore,
}

/// The treasury that pays debts back.
#[derive(Debug)]
pub(super) struct Refunds {
    pub organization: String,
    pub wallet: String,
    pub token: Secret<String>,
    /// The part of it that the ledger needs.
    pub plan: RefundPlan,
}

/// The chains that can be read.
#[derive(Debug)]
pub(super) struct Chains {
    /// URLs by CAIP-2 id; path or query may hold a key.
    pub rpc: Vec<(String, Secret<String>)>,
}

impl Chains {
    /// URL of a node for this network, a CAIP-2 id; `None` if no node is configured.
    pub fn rpc_url(&self, network: &str) -> Option<&str> {
        let (_, url) = self.rpc.iter().find(|(known, _)| known == network)?;
        Some(url.expose())
    }
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
            Some(old) if self.is_over => (old, Role::Past),
            Some(old) => (old, Role::Old),
            None => (self.count, Role::Sole),
        }
    }

    /// The id of a payment's receipt.
    pub fn receipt_id(&self, keys: &Keys, proof: &Proof) -> String {
        keys.receipt_id(&proof.key, keys.shard(proof.place(), self.count))
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
