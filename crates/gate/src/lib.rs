//! The gate: which requests are priced, which payments count, and what to do next.
//!
//! Start with three types: [`Gate`], built from an operator's variables by [`config`];
//! [`Admission`](admission::Admission), what a request leads to before its payment is known; and
//! [`Step`](paid::Step), the next effect of a paid request, which comes with the only value that
//! can take its answer.
//!
//! `dispatch` gives what comes in to the use case that owns what it may touch: `admit` decides about
//! requests with `purchases`, `pricing`, `unpaid`, [`publish`] and [`session`]; [`standing`],
//! [`receipts`], [`operator`], [`alarm`] and the alarms of channels have ways of their own.
//!
//! | step | modules |
//! |---|---|
//! | find the route | [`path`] (one canonicaliser), [`route`] |
//! | price it | [`offer`], [`pricer`], [`pricing`], [`clients`] (keys, free requests), [`cors`] (pages) |
//! | check the payment | `purchases`, `proof`, [`mpp`], `onchain`, `former`, `old_terms`, `token_choices` |
//! | carry it out | [`paid`], [`recorded`], [`redelivery`]; [`unpaid`] without a payment |
//! | ask the origin | [`origin`], [`forward`], `plain` (what the edge forwards by itself) |
//! | answer | [`challenge`] (402), [`standing`] (402 again), [`reply`], [`diagnose`] (why, and when to stop), [`attempts`] (who fails) |
//! | afterwards | [`alarm`] (the clock), [`receipts`], [`operator`], [`publish`] |
#![no_std]

extern crate alloc;

pub mod admission;
pub mod admit;
pub mod alarm;
pub mod attempts;
pub mod call;
pub mod challenge;
mod checked;
pub mod clients;
pub mod config;
pub mod cors;
mod delivery;
pub mod diagnose;
mod dispatch;
mod former;
pub mod forward;
pub mod isolate;
pub mod keys;
pub mod limit;
pub mod mpp;
pub mod offer;
mod old_terms;
mod onchain;
pub mod operator;
pub mod origin;
pub mod paid;
mod parts;
pub mod path;
mod plain;
mod preflight;
pub mod presented;
pub mod pricer;
pub mod pricing;
mod proof;
pub mod publish;
mod purchase_name;
mod purchases;
pub mod receipts;
pub mod recorded;
pub mod redelivery;
pub mod reply;
pub mod request;
mod restore;
pub mod route;
pub mod session;
pub mod standing;
pub mod template;
mod token_choices;
mod units;
pub mod unpaid;

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use self::keys::Keys;
use self::offer::{Choice, Offer};
use self::operator::{Keeps, Webhook};
use self::origin::Origin;
use self::parts::{
    Chains, Operated, PayerRules, PricedRoutes, Public, Refunds, Settlers, Shards, Upstream,
};
use self::route::Siblings;
use farebox_base::time::UnixTime;
use farebox_ledger::entry::Plan;
use farebox_wire::facilitator::auth::Auth;
use farebox_wire::x402::extension::gas_sponsoring;

/// An immutable gate, built once from configuration.
#[derive(Debug)]
pub struct Gate {
    routes: PricedRoutes,
    origin: Upstream,
    settlement: Settlers,
    payers: PayerRules,
    chains: Chains,
    shards: Shards,
    keys: Keys,
    operated: Operated,
    refunds: Option<Refunds>,
    public: Public,
}

impl Gate {
    /// Keeps the prices that routes had in an earlier table, for as long as they still pay.
    pub fn keep_former(&mut self, earlier: &Self, now: UnixTime) {
        self.routes.keep_former(&earlier.routes, now);
    }

    /// Free paths of which many servers serve variants, as they do of a priced path.
    #[must_use]
    pub fn free_siblings(&self) -> Vec<Siblings> {
        self.routes.table.free_siblings()
    }

    /// The origin that requests are forwarded to.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin.asked
    }

    /// Base URLs of the facilitators, in the order of the configuration.
    pub fn facilitator_urls(&self) -> impl Iterator<Item = &str> {
        self.settlement.settlers.iter().map(|settler| settler.facilitator.base())
    }

    /// Credentials for this URL: each facilitator gets its own key and no other.
    #[must_use]
    pub fn auth(&self, url: &str) -> &Auth {
        self.settlement.at(url).map_or(&Auth::None, |settler| &settler.auth)
    }

    /// The networks served by the facilitator at this URL, CAIP-2 ids.
    #[must_use]
    pub fn networks_at(&self, url: &str) -> &[String] {
        self.settlement.at(url).map_or(&[], |settler| &settler.networks)
    }

    /// Those of them where a route sells by session.
    #[must_use]
    pub fn sessions_at(&self, url: &str) -> Vec<String> {
        let sold: Vec<&str> = self
            .routes
            .choices()
            .filter(|choice| choice.session.is_some())
            .map(|choice| choice.terms.network.as_str())
            .collect();
        self.networks_at(url).iter().filter(|it| sold.contains(&it.as_str())).cloned().collect()
    }

    /// The extensions that routes announce, and that the facilitator at this URL has to know.
    #[must_use]
    pub fn extensions_at(&self, url: &str) -> &'static [&'static str] {
        let networks = self.networks_at(url);
        let is_here =
            |it: &&Choice| networks.iter().any(|known| *known == it.terms.network.as_str());
        let is_sold = |offer: &Offer| {
            let mut choices = offer.choices.iter().filter(is_here);
            offer.settings.sponsors_gas && choices.any(Choice::takes_permit)
        };
        if self.routes.sold().any(is_sold) { &[gas_sponsoring::NAME] } else { &[] }
    }

    /// Names of every ledger object, including those of the shard count before a change.
    pub fn objects(&self) -> impl Iterator<Item = String> {
        self.shards.objects()
    }

    /// The beginning of the key of the payment that has this receipt id, by which its row is found.
    #[must_use]
    pub fn key_start(&self, receipt: &str) -> Option<String> {
        self.keys.key_start(receipt)
    }

    /// Schedule of recovery.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.settlement.plan
    }

    /// URL of a node for this network, a CAIP-2 id; `None` if no node is configured.
    #[must_use]
    pub fn rpc_url(&self, network: &str) -> Option<&str> {
        self.chains.rpc_url(network)
    }

    /// The token by which the treasury pays debts back; `None` if none does.
    #[must_use]
    pub fn refunds_token(&self) -> Option<&str> {
        self.refunds.as_ref().map(|refunds| refunds.token.expose().as_str())
    }

    /// Seconds between two attempts to reach a facilitator that is down.
    #[must_use]
    pub const fn breaker_secs(&self) -> u64 {
        self.settlement.breaker_secs
    }

    /// Whether an operator's token is configured.
    #[must_use]
    pub const fn has_operator(&self) -> bool {
        self.operated.token.is_some()
    }

    /// Destination of notices, if there is one.
    #[must_use]
    pub const fn webhook(&self) -> Option<&Webhook> {
        self.operated.webhook.as_ref()
    }

    /// Retention in an object.
    #[must_use]
    pub const fn keeps(&self) -> Keeps {
        self.operated.keeps
    }

    /// The body of `/_farebox/health`; `facilitators` lists what each facilitator says it supports,
    /// and `ok` is whether what is sold can be settled.
    #[must_use]
    pub fn health(&self, ok: bool, facilitators: Vec<Value>) -> String {
        let routes = self.routes.sold().count();
        let health = farebox_base::encoding::json::json!({
            "ok": ok,
            "version": env!("CARGO_PKG_VERSION"),
            "networks": self.public.networks,
            "protocols": self.public.protocols,
            "routes": routes,
            "facilitators": facilitators,
        });
        farebox_base::encoding::json::text(&health)
    }
}
