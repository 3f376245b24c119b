//! The terms of a priced route and how it serves; `challenge` writes its 402.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::cors::Cors;
use super::diagnose::Thresholds;
use super::session::mpp::meter::StreamMeter;
use super::session::mpp::terms::ChannelOffer;
use super::template::ChallengeTemplate;
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_channel::escrow::EscrowDomain;
use farebox_common::payment::authorization::ValidityBounds;
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_ledger::command::{Leases, Mode};
use farebox_wire::x402::exact::DEFERRED;
use farebox_wire::x402::extension::bazaar::Declaration;
use farebox_wire::x402::v2::ServiceInfo;
use farebox_wire::x402::{Version, v2};

/// Allowed clock difference between the gate and another party, seconds, in both directions.
pub const CLOCK_MARGIN_SECS: u64 = 6;
/// Deadline of a verify call, seconds: the client waits for it, and verifying writes nothing to a
/// chain.
pub const VERIFY_SECS: u64 = 5;

/// The protocols of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// x402, versions 1 and 2.
    pub x402: bool,
    /// MPP, with OKX's agent payments.
    pub mpp: bool,
}

impl Protocols {
    /// Every protocol.
    pub const ALL: Self = Self { x402: true, mpp: true };

    /// Their names in configuration and health.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.x402, "x402"), (self.mpp, "mpp")]
            .into_iter()
            .filter_map(|(speaks, name)| speaks.then_some(name))
    }
}

/// A priced route, with everything that does not depend on a request.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The ways to pay, one for each network; never empty.
    pub choices: Vec<Choice>,
    /// Its settings besides its terms.
    pub settings: RouteSettings,
    /// Work times for the ledger.
    pub leases: Leases,
    /// Bounds on the validity of an authorization.
    pub room: ValidityBounds,
    /// The pricer, if the price is not fixed in the configuration: each choice then states the
    /// highest price.
    pub pricer: Option<Pricer>,
    /// Input and output of the route as the operator declares them, if they do.
    pub bazaar: Option<Arc<Declaration>>,
    /// Whether a 402 tells x402 clients that they may send an identifier, and what receipts name.
    pub announces_identifier: bool,
    /// The pattern and a hash of it, under which clients are counted.
    pub counted_as: (Arc<str>, u64),
    /// How it is paid by session of MPP, if it is.
    pub channel: Option<ChannelOffer>,
    /// How its answers are charged by session, if they flow; else a request has one price.
    pub meter: Option<StreamMeter>,
    /// The price that the table had before, while it still pays.
    pub(super) former: Option<Arc<FormerOffer>>,
    pub(super) written: ChallengeTemplate,
}

/// A service that names the price of a route.
#[derive(Clone, Debug)]
pub struct Pricer {
    /// The service binding.
    pub binding: String,
    /// The lowest price it may ask, by choice; if `None`, a request cannot be free either. The
    /// highest is what the choice says.
    pub min_amount: Option<Vec<Amount>>,
    /// The payees it may name.
    pub payees: Payees,
}

/// The payees that a pricer may name instead of the route's.
#[derive(Clone, Debug)]
pub enum Payees {
    /// None: every payment is for the payee of the route.
    Configured,
    /// These.
    Listed(Vec<Address>),
    /// Every wallet.
    Any,
}

impl Payees {
    /// Whether a pricer may name this payee.
    #[must_use]
    pub fn allow(&self, payee: &Address) -> bool {
        match self {
            Self::Configured => false,
            Self::Listed(listed) => listed.contains(payee),
            Self::Any => !payee.is_low() && !payee.is_burn(),
        }
    }
}

/// An asset as people name and count it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AssetLabel {
    /// Its symbol.
    pub symbol: String,
    /// Digits after the point.
    pub decimals: u8,
}

/// A priced route in the table.
#[derive(Clone, Copy)]
pub(super) struct PricedRoute<'g> {
    pub(super) index: usize,
    pub(super) offer: &'g Offer,
}

/// A way to pay by a signature, with its token.
#[derive(Clone, Copy, Debug)]
pub struct SignedChoice<'g> {
    /// The way to pay.
    pub choice: &'g Choice,
    /// Its token.
    pub token: SignedToken,
}

/// One way to pay for a route.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Its terms.
    pub terms: Terms,
    /// The asset, for people.
    pub asset_label: AssetLabel,
    /// Indices of the facilitators that may settle it, the last resort last; never empty.
    pub facilitators: Vec<usize>,
    /// Whether `before` asks `verify` first: because a second facilitator could be asked, because this
    /// one may refuse its key, which only there is certain to have moved no money, or because an
    /// allowance may be missing, which a transaction that fails does not tell.
    pub verifies_first: bool,
    /// The wire form of the terms, built once.
    pub requirements: v2::PaymentRequirements,
    /// How it is sold by session too, if it is.
    pub session: Option<SessionOffer>,
    /// Whether its route names a payee beside the gate's own.
    pub pays_another: bool,
}

/// How a way to pay is sold by session too.
#[derive(Clone, Debug)]
pub struct SessionOffer {
    /// The wire form of the terms.
    pub requirements: v2::PaymentRequirements,
    /// The seconds that a payer waits for a withdrawal.
    pub delay_secs: u64,
    /// How deposits are signed.
    pub token: SignedToken,
    /// How vouchers are signed.
    pub escrow: EscrowDomain,
}

impl Choice {
    /// A way to pay, for a route that serves in this mode.
    #[must_use]
    pub fn new(
        terms: Terms,
        asset_label: AssetLabel,
        facilitators: Vec<usize>,
        verifies_first: bool,
        mode: Mode,
    ) -> Self {
        let flow = match mode {
            Mode::After => v2::Flow::Authorization,
            Mode::Before => v2::Flow::Upfront,
        };
        let requirements = v2::PaymentRequirements::new(&terms, flow);
        let (session, pays_another) = (None, false);
        Self {
            terms,
            asset_label,
            facilitators,
            verifies_first,
            requirements,
            session,
            pays_another,
        }
    }

    /// Whether it is paid by a permit of Permit2.
    #[must_use]
    pub fn takes_permit(&self) -> bool {
        let method = self.terms.token.map(|token| token.method);
        matches!(method, Some(TransferMethod::Permit2 | TransferMethod::Upto(_)))
    }

    /// This choice with other terms, for a route that serves in this mode.
    pub(super) fn with_terms(&self, terms: Terms, mode: Mode) -> Self {
        let Self { asset_label, facilitators, verifies_first, pays_another, .. } = self;
        let (label, facilitators) = (asset_label.clone(), facilitators.clone());
        let pays_another = *pays_another;
        Self { pays_another, ..Self::new(terms, label, facilitators, *verifies_first, mode) }
    }

    /// This choice with the amount and recipient that were signed; `None` if the choice takes no
    /// signature.
    #[must_use]
    pub fn paying(&self, signed: &Authorization) -> Option<Self> {
        self.asking(signed.value, signed.to)
    }

    /// This choice with another amount and recipient; `None` if the choice takes no signature.
    #[must_use]
    pub fn asking(&self, amount: Amount, pay_to: Address) -> Option<Self> {
        let mut terms = self.terms.clone();
        terms.token.as_mut()?.pay_to = pay_to;
        terms.pay_to = pay_to.to_checksum();
        terms.amount = amount;
        Some(self.with_terms(terms, Mode::After))
    }

    /// This choice with the terms that a payer says to have accepted, if only the chain can read
    /// the payment.
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
        Some(self.with_terms(terms, Mode::After))
    }

    /// The same way to pay by scheme `aggr_deferred`; `None` without a token that is paid by
    /// authorization.
    #[must_use]
    pub fn deferred(&self, mode: Mode) -> Option<Self> {
        let method = TransferMethod::Deferred;
        let token = Some(SignedToken { method, ..self.terms.authorized()? });
        let terms = Terms { token, ..self.terms.clone() };
        Some(self.with_terms(terms, mode))
    }

    /// The chain id of an EVM chain; zero, which no chain has, for others.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.terms.token.map_or(0, |token| token.chain_id)
    }
}

/// Settings of a priced route besides its terms.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// The route's pattern, its name in rows and logs.
    pub route: String,
    /// The moment of settlement.
    pub mode: Mode,
    /// The protocols that it accepts.
    pub protocols: Protocols,
    /// Whether a challenge of MPP is bound to the request's body.
    pub binds_body: bool,
    /// Whether challenges offer signed transactions, and one may begin a payment. One that the
    /// ledger knows is answered on every route.
    pub signed_transactions: bool,
    /// Whether the hash of a transaction that the payer has sent is accepted.
    pub hash_mode: bool,
    /// Whether a payer's permit for Permit2 is announced and passed on, so that they need no gas.
    pub sponsors_gas: bool,
    /// For people, at most 256 bytes.
    pub description: String,
    /// Media type of the answer.
    pub mime_type: String,
    /// The seller.
    pub service: Arc<ServiceInfo>,
    /// Whether the files of the page that pays are beside the gate.
    pub has_pages: bool,
    /// Seconds the origin may take.
    pub origin_timeout_secs: u64,
    /// Whether responses are stored.
    pub store: bool,
    /// Whether a redirect of the origin is what is sold.
    pub sells_redirects: bool,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether a settlement counts only once the chain shows it.
    pub confirms: bool,
    /// Deadline of a settle call, seconds.
    pub settle_secs: u64,
    /// Longest accepted validity, seconds.
    pub max_validity_secs: u64,
    /// Whether a client key lets a request pass without a payment.
    pub takes_keys: bool,
    /// Free requests of each client per day, if any.
    pub free_per_day: Option<u64>,
    /// Counts at which a failing client is advised; `None` if the route does not count failures.
    pub diagnostics: Option<Thresholds>,
    /// Requests that pages of other sites may send.
    pub cors: Cors,
}

/// A route at the price that it had before.
#[derive(Clone, Debug)]
pub(super) struct FormerOffer {
    /// The route at that price.
    pub offer: Offer,
    /// The end of its time.
    pub until: UnixTime,
}

impl Offer {
    /// The route at its former price, while that still pays.
    pub(super) fn former_at(&self, now: UnixTime) -> Option<&Self> {
        self.former.as_ref().filter(|it| now < it.until).map(|it| &it.offer)
    }

    /// Builds everything that does not depend on a request.
    #[must_use]
    pub fn new(choices: Vec<Choice>, settings: RouteSettings) -> Self {
        let settle = settings.settle_secs.saturating_add(CLOCK_MARGIN_SECS);
        // Five looks at the chain, up to 15.5 seconds of waiting and a reply each.
        let looking = if settings.confirms { 30 } else { 0 };
        let min_secs = match settings.mode {
            Mode::After => settle.saturating_add(settings.origin_timeout_secs),
            Mode::Before => settle,
        };
        Self {
            leases: Leases {
                executing: VERIFY_SECS
                    .saturating_add(settings.origin_timeout_secs)
                    .saturating_add(5),
                settling: settings.settle_secs.saturating_add(5).saturating_add(looking),
                delivering: settings.origin_timeout_secs.saturating_add(5),
            },
            room: ValidityBounds { min_secs, max_secs: settings.max_validity_secs },
            counted_as: (Arc::from(settings.route.as_str()), route_hash(&settings.route)),
            settings,
            pricer: None,
            bazaar: None,
            announces_identifier: true,
            channel: None,
            meter: None,
            former: None,
            choices,
            written: ChallengeTemplate::default(),
        }
        .written()
    }

    /// The choice for this network, named as in this version; the scheme decides between the two
    /// that a network may have.
    #[must_use]
    pub fn choice_on(&self, version: Version, network: &str, scheme: &str) -> Option<&Choice> {
        let is_deferred = scheme == DEFERRED;
        self.choices.iter().find(|choice| match version {
            Version::V1 => choice.terms.network.v1_name() == Some(network),
            Version::V2 => {
                choice.terms.network.as_str() == network
                    && (choice.requirements.scheme() == DEFERRED) == is_deferred
            }
        })
    }

    /// Whether it is paid on one network, and so in one asset.
    #[must_use]
    pub fn is_on_one_network(&self) -> bool {
        let mut networks = self.choices.iter().map(|choice| &choice.terms.network);
        let first = networks.next();
        networks.all(|network| Some(network) == first)
    }

    /// Whether the pricer may name payees.
    #[must_use]
    pub fn names_payees(&self) -> bool {
        let pricer = self.pricer.as_ref();
        pricer.is_some_and(|pricer| !matches!(pricer.payees, Payees::Configured))
    }

    /// The choice that is paid by session of MPP, with how that is done.
    #[must_use]
    pub fn by_channel(&self) -> Option<(&Choice, &ChannelOffer)> {
        let sold = self.channel.as_ref()?;
        let choice = self.choices.iter().find(|it| it.terms.token == Some(sold.token))?;
        Some((choice, sold))
    }

    /// The choices offered in MPP; none if the route does not accept it.
    pub fn by_mpp(&self) -> impl Iterator<Item = &Choice> {
        self.choices
            .iter()
            .filter(|choice| self.settings.protocols.mpp && choice.terms.authorized().is_some())
    }

    /// The same route with these choices and, if one is given, another description.
    #[must_use]
    pub fn at(&self, choices: Vec<Choice>, description: Option<&str>) -> Self {
        let mut offer = Self { choices, ..self.clone() };
        if let Some(description) = description {
            description.clone_into(&mut offer.settings.description);
        }
        offer.written()
    }
}

fn route_hash(pattern: &str) -> u64 {
    let digest = hash::digest(&[pattern.as_bytes()]);
    digest.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok()).unwrap_or_default()
}
