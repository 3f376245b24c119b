//! What a priced route asks, and how it serves; `challenge` writes the 402 of it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::diagnose::Thresholds;
use super::keys;
use super::template::ChallengeTemplate;
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::evm::eip3009::Authorization;
use crate::ledger::command::{Leases, Mode};
use crate::payment::Terms;
use crate::payment::authorization::ValidityBounds;
use crate::x402::extension::bazaar::Declaration;
use crate::x402::{Version, v2};

/// Seconds of clock difference that are allowed for, both ways.
pub const CLOCK_MARGIN_SECS: u64 = 6;
/// Deadline of a verify call, seconds.
pub const VERIFY_SECS: u64 = 5;

/// Which protocols a route speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// x402, versions 1 and 2.
    pub x402: bool,
    /// MPP, with OKX's agent payments.
    pub mpp: bool,
}

impl Protocols {
    /// Every one.
    pub const ALL: Self = Self { x402: true, mpp: true };

    /// Their names in configuration and health.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.x402, "x402"), (self.mpp, "mpp")]
            .into_iter()
            .filter_map(|(speaks, name)| speaks.then_some(name))
    }
}

/// A priced route, ready to be asked for.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The route's pattern, its name in rows and logs.
    pub route: String,
    /// What it asks, on each network that it can be paid on; never empty.
    pub choices: Vec<Choice>,
    /// When the money moves.
    pub mode: Mode,
    /// What it may be paid with.
    pub protocols: Protocols,
    /// Whether a challenge of MPP is one for the body that was asked with.
    pub binds_body: bool,
    /// Whether signed transactions are a way to pay.
    pub signed_transactions: bool,
    /// Whether the hash of a transaction that a payer has sent is taken.
    pub hash_mode: bool,
    /// For people, at most 256 bytes.
    pub description: String,
    /// Of the answer.
    pub mime_type: String,
    /// Seconds the origin may take.
    pub origin_timeout_secs: u64,
    /// Whether responses are stored.
    pub store: bool,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether a settlement counts only once the chain shows it.
    pub confirms: bool,
    /// Work times for the ledger.
    pub leases: Leases,
    /// How long an authorization must be valid.
    pub room: ValidityBounds,
    /// Deadline of a settle call, seconds.
    pub settle_secs: u64,
    /// Whether the holder of a key passes without a payment.
    pub takes_keys: bool,
    /// How many requests of a client's day are free, if any.
    pub free_per_day: Option<u64>,
    /// Who names the price, if that is not the configuration: then each choice asks the most that there can be asked.
    pub pricer: Option<Pricer>,
    /// How requests are made and what comes back, where the operator says so.
    pub bazaar: Option<Arc<Declaration>>,
    /// From when on a failing client is told what; nothing where nobody is counted.
    pub diagnostics: Option<Thresholds>,
    /// The pattern and a hash of it, under which clients are counted.
    pub counted_as: (Arc<str>, u64),
    pub(super) written: ChallengeTemplate,
}

/// Who names the price of a route.
#[derive(Clone, Debug)]
pub struct Pricer {
    /// The service binding.
    pub binding: String,
    /// The least that it may ask, by choice; without, nothing may be free either. The most is what the choice says.
    pub min_amount: Option<Vec<Amount>>,
}

/// One way to pay for a route.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What it asks.
    pub terms: Terms,
    /// The asset's symbol and decimals, for people.
    pub asset_label: (String, u8),
    /// Who may settle it, by place in the configuration, first to last resort; never empty.
    pub facilitators: Vec<usize>,
    /// Whether `before` asks `verify` first: because another facilitator could be asked, or because this one may refuse
    /// its key, which is certain to have moved no money only there.
    pub verifies_first: bool,
    /// The wire form of the terms, built once.
    pub requirements: v2::PaymentRequirements,
}

impl Choice {
    /// A way to pay, for a route that serves in this mode.
    #[must_use]
    pub fn new(
        terms: Terms,
        asset_label: (String, u8),
        (facilitators, verifies_first): (Vec<usize>, bool),
        mode: Mode,
    ) -> Self {
        let flow = match mode {
            Mode::After => v2::Flow::Authorization,
            Mode::Before => v2::Flow::Upfront,
        };
        let requirements = v2::PaymentRequirements::new(&terms, flow);
        Self { terms, asset_label, facilitators, verifies_first, requirements }
    }

    /// This choice with the amount and recipient that were signed for; nothing where nobody can sign.
    #[must_use]
    pub fn paying(&self, signed: &Authorization) -> Option<Self> {
        self.asking(signed.value, signed.to)
    }

    /// This choice with another amount and recipient; nothing where nobody can sign.
    #[must_use]
    pub fn asking(&self, amount: Amount, pay_to: Address) -> Option<Self> {
        let mut terms = self.terms.clone();
        terms.token.as_mut()?.pay_to = pay_to;
        terms.pay_to = pay_to.to_checksum();
        terms.amount = amount;
        let settlers = (self.facilitators.clone(), self.verifies_first);
        Some(Self::new(terms, self.asset_label.clone(), settlers, Mode::After))
    }

    /// This choice with what a payer says to have accepted, where its chain alone reads the payment.
    #[must_use]
    pub fn accepted(&self, accepted: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| accepted.get(name)?.as_str();
        let mut terms = self.terms.clone();
        terms.amount = Amount::from_atomic(text("amount")?).ok()?;
        (terms.asset, terms.pay_to) = (text("asset")?.to_owned(), text("payTo")?.to_owned());
        let extra = accepted.get("extra").and_then(Value::as_object);
        for (name, value) in &mut terms.extra {
            *value = extra?.get(name)?.clone();
        }
        let settlers = (self.facilitators.clone(), self.verifies_first);
        Some(Self::new(terms, self.asset_label.clone(), settlers, Mode::After))
    }

    /// The number of an EVM chain; zero, which is none, of others.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.terms.token.map_or(0, |token| token.chain_id)
    }
}

/// How a route serves, besides its terms.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// The route's pattern.
    pub route: String,
    /// When the money moves.
    pub mode: Mode,
    /// What it may be paid with.
    pub protocols: Protocols,
    /// Whether a challenge of MPP is one for the body that was asked with.
    pub binds_body: bool,
    /// Whether challenges name signed transactions as a way to pay; they are taken wherever the chain can be read.
    pub signed_transactions: bool,
    /// Whether the hash of a transaction that a payer has sent is taken.
    pub hash_mode: bool,
    /// For people.
    pub description: String,
    /// Of the answer.
    pub mime_type: String,
    /// Seconds the origin may take.
    pub origin_timeout_secs: u64,
    /// Whether responses are stored.
    pub store: bool,
    /// Whether the origin may be asked again.
    pub idempotent: bool,
    /// Whether a settlement counts only once the chain shows it.
    pub confirms: bool,
    /// Deadline of a settle call, seconds.
    pub settle_secs: u64,
    /// Longest accepted validity, seconds.
    pub max_validity_secs: u64,
    /// Whether the holder of a key passes without a payment.
    pub takes_keys: bool,
    /// How many requests of a client's day are free, if any.
    pub free_per_day: Option<u64>,
    /// From when on a failing client is told what.
    pub diagnostics: Option<Thresholds>,
}

impl Offer {
    /// Builds everything that does not depend on a request.
    #[must_use]
    pub fn new(choices: Vec<Choice>, manner: RouteSettings) -> Self {
        let settle = manner.settle_secs.saturating_add(CLOCK_MARGIN_SECS);
        // Five looks at the chain, up to 15.5 seconds of waiting and a reply each.
        let looking = if manner.confirms { 30 } else { 0 };
        let min_secs = match manner.mode {
            Mode::After => settle.saturating_add(manner.origin_timeout_secs),
            Mode::Before => settle,
        };
        Self {
            leases: Leases {
                executing: VERIFY_SECS.saturating_add(manner.origin_timeout_secs).saturating_add(5),
                settling: manner.settle_secs.saturating_add(5).saturating_add(looking),
                delivering: manner.origin_timeout_secs.saturating_add(5),
            },
            room: ValidityBounds { min_secs, max_secs: manner.max_validity_secs },
            settle_secs: manner.settle_secs,
            counted_as: (Arc::from(manner.route.as_str()), route_hash(&manner.route)),
            route: manner.route,
            mode: manner.mode,
            protocols: manner.protocols,
            binds_body: manner.binds_body,
            signed_transactions: manner.signed_transactions,
            hash_mode: manner.hash_mode,
            description: manner.description,
            mime_type: manner.mime_type,
            origin_timeout_secs: manner.origin_timeout_secs,
            store: manner.store,
            idempotent: manner.idempotent,
            confirms: manner.confirms,
            takes_keys: manner.takes_keys,
            free_per_day: manner.free_per_day,
            pricer: None,
            bazaar: None,
            diagnostics: manner.diagnostics,
            choices,
            written: ChallengeTemplate::default(),
        }
        .written()
    }

    /// The way to pay on this network, in the names of the version.
    #[must_use]
    pub fn choice_on(&self, version: Version, network: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| match version {
            Version::V1 => choice.terms.network.v1_name() == Some(network),
            Version::V2 => choice.terms.network.as_str() == network,
        })
    }

    /// The choices that a payer of MPP is asked for; nothing where the route does not speak it.
    pub fn by_mpp(&self) -> impl Iterator<Item = &Choice> {
        self.choices.iter().filter(|choice| self.protocols.mpp && choice.terms.token.is_some())
    }

    /// The same route with these choices and, if one is given, another description.
    #[must_use]
    pub fn at(&self, choices: Vec<Choice>, description: Option<&str>) -> Self {
        let description = description.unwrap_or(&self.description).into();
        Self { choices, description, ..self.clone() }.written()
    }
}

fn route_hash(pattern: &str) -> u64 {
    let digest = keys::digest(&[pattern.as_bytes()]);
    digest.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok()).unwrap_or_default()
}
