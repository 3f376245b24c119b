//! Ways to pay with tokens that a payment names: those of the routes, and those that no route names
//! any more.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::cors::Cors;
use super::offer::{AssetLabel, Choice, Offer, Protocols, RouteSettings};
use super::parts::PricedRoutes;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_evm::address::Address;
use farebox_evm::permit2;
use farebox_evm::token::{self, Token};
use farebox_ledger::command::Mode;
use farebox_wire::mpp::charge;

/// Maximum tokens of a chain under which a signature is tried when the payment names none.
const MAX_TRIED: usize = 3;

/// A token as a payment names it.
#[derive(Clone, Copy)]
pub(super) struct NamedToken<'a> {
    pub chain_id: u64,
    pub asset: Address,
    pub method: TransferMethod,
    /// The members of its terms as the payer states them, if they do.
    pub stated: Option<&'a Map<String, Value>>,
}

impl NamedToken<'_> {
    /// A token that a payment of MPP or of version 1 names.
    pub const fn unstated(chain_id: u64, asset: Address) -> Self {
        Self { chain_id, asset, method: UNSTATED, stated: None }
    }
}

/// A way to pay with this token: the route's, another route's, or one that no route names any
/// more, under the domain that is known or else stated.
pub(super) fn find_choice(
    routes: &PricedRoutes,
    offer: &Offer,
    named: NamedToken<'_>,
) -> Option<Choice> {
    let NamedToken { chain_id, asset, method, stated } = named;
    let is_it = |choice: &&Choice| {
        let is_it =
            |it: SignedToken| it.chain_id == chain_id && it.asset == asset && it.method == method;
        choice.terms.token.is_some_and(is_it)
    };
    if let Some(choice) = offer.choices.iter().chain(routes.choices()).find(is_it) {
        return Some(choice.clone());
    }
    let network = ChainId::from_evm(chain_id).ok()?;
    let text = |name: &str| stated?.get(name)?.as_str();
    let domain = match token::by_address(&network, &asset) {
        Some(token) => Some((token.name, token.version)),
        None => text("name").zip(text("version")),
    };
    Some(unlisted(network, chain_id, asset, method, domain))
}

/// The ways to pay with the tokens of a chain, those of the routes first.
pub(super) fn list_choices(
    routes: &PricedRoutes,
    offer: &Offer,
    network: &ChainId,
    chain_id: u64,
) -> Vec<Choice> {
    let listed = offer.choices.iter().chain(routes.choices());
    let listed = listed.filter(|it| it.terms.network == *network);
    let listed = listed.filter_map(|choice| choice.terms.authorized()).map(|token| token.asset);
    let pinned = token::on(network).filter(|token| token.eip3009);
    let mut assets: Vec<Address> = Vec::new();
    for asset in listed.chain(pinned.map(|token: &Token| token.address)) {
        if assets.len() < MAX_TRIED && !assets.contains(&asset) {
            assets.push(asset);
        }
    }
    let choice = |asset| find_choice(routes, offer, NamedToken::unstated(chain_id, asset));
    assets.into_iter().filter_map(choice).collect()
}

/// A way to pay with a token that no route names any more.
fn unlisted(
    network: ChainId,
    chain_id: u64,
    asset: Address,
    method: TransferMethod,
    domain: Option<(&str, &str)>,
) -> Choice {
    let member = |(name, text): (&str, &str)| (name.to_owned(), Value::from(text));
    let (extra, separator) = match domain {
        Some((name, version)) => (
            json::object([("name", name), ("version", version)].map(member)),
            SignedToken::separator_of(name, version, chain_id, asset),
        ),
        // No signature holds under it.
        None => (Map::new(), [0; 32]),
    };
    let separator = match method {
        TransferMethod::Eip3009 | TransferMethod::Deferred => separator,
        TransferMethod::Permit2 | TransferMethod::Upto(_) => permit2::separator(chain_id),
    };
    let token = SignedToken { chain_id, asset, pay_to: Address::ZERO, method, separator };
    let terms = Terms {
        network,
        asset: asset.to_checksum(),
        pay_to: String::new(),
        amount: Amount::ZERO,
        unit: None,
        max_timeout_secs: TIMEOUT_SECS,
        extra,
        token: Some(token),
    };
    Choice::new(terms, AssetLabel::default(), Vec::new(), false, Mode::Before)
}

/// A way to pay on a chain that the gate does not read and that no route names any more.
pub(super) fn unread(network: &ChainId, stated: Option<&Map<String, Value>>) -> Option<Choice> {
    let mut extra = stated.cloned().unwrap_or_default();
    extra.remove("paymentFlow");
    let terms = Terms {
        network: network.clone(),
        asset: String::new(),
        pay_to: String::new(),
        amount: Amount::ZERO,
        unit: None,
        max_timeout_secs: TIMEOUT_SECS,
        extra,
        token: None,
    };
    Some(Choice::new(terms, AssetLabel::default(), Vec::new(), false, Mode::Before))
}

/// Terms of one of this gate's challenges for a token that no route names any more. Its signature
/// was checked; the payment itself is looked for on the chain alone.
pub(super) fn sold_formerly(asked: &charge::Request) -> Option<(Offer, Choice)> {
    let network = ChainId::from_evm(asked.chain_id).ok()?;
    let choice = unlisted(network, asked.chain_id, asked.currency, UNSTATED, None);
    let mut choice = choice.asking(asked.amount, asked.recipient)?;
    choice.asset_label.decimals = asked.decimals.unwrap_or_default();
    let manner = RouteSettings {
        route: NO_ROUTE.to_owned(),
        mode: Mode::Before,
        protocols: Protocols::ALL,
        binds_body: false,
        signed_transactions: false,
        hash_mode: true,
        sponsors_gas: false,
        description: String::new(),
        mime_type: String::new(),
        service: Arc::default(),
        has_pages: false,
        origin_timeout_secs: TIMEOUT_SECS,
        store: false,
        sells_redirects: false,
        idempotent: false,
        confirms: false,
        settle_secs: TIMEOUT_SECS,
        max_validity_secs: TIMEOUT_SECS,
        takes_keys: false,
        free_per_day: None,
        diagnostics: None,
        cors: Cors::default(),
    };
    Some((Offer::new(Vec::from([choice.clone()]), manner), choice))
}

/// The signature of payments that state none: all of MPP and of version 1.
const UNSTATED: TransferMethod = TransferMethod::Eip3009;
/// Route name in rows of payments for which nothing is sold any more.
pub(super) const NO_ROUTE: &str = "-";
/// Placeholder for the deadlines of a route that does no work, seconds.
const TIMEOUT_SECS: u64 = 300;
