//! Payments made for a route's terms before its price, payee or times changed: the client hears
//! only what the ledger knows of them.
//!
//! A payment may still be unknown, owed or waiting to be fetched when its route already asks for
//! something else. New terms in the answer would make the payer pay twice.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::Gate;
use super::checked::{CheckedPayment, Standard};
use super::cors::Cors;
use super::offer::{AssetLabel, Choice, Offer, Protocols, RouteSettings};
use super::presented::{Presented, PresentedRequest};
use super::request::IncomingRequest;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::{SignatureCheck, SignedAuthorization};
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::permit2;
use farebox_evm::token::{self, Token};
use farebox_ledger::command::Mode;
use farebox_wire::mpp::charge;
use farebox_wire::x402::Version;
use farebox_wire::x402::exact;
use farebox_wire::x402::header::Message;

/// Maximum tokens of a chain under which a signature is tried when the payment names none.
const MAX_TRIED: usize = 3;

impl Gate {
    /// Checks a payment that today's terms or settings refuse against the terms that it was made
    /// for. It cannot begin here, so it is only looked up: it may have paid already, or be about
    /// to. `None` if it can be no payment of any terms; `refused` is the code of today's refusal.
    pub(super) fn former<'g>(
        &self,
        offer: &Offer,
        shown: &PresentedRequest,
        refused: Option<Code>,
        now: UnixTime,
    ) -> Option<CheckedPayment<'g>> {
        let PresentedRequest { request: IncomingRequest { head, .. }, presented } = shown;
        let found = match presented {
            Presented::Mpp(credential) => {
                let credential = credential.as_ref().ok()?;
                let mut found = self.credential_for_old_terms(offer, head, credential, now)?;
                let identifier = Self::identifier(&head.headers).map(ToOwned::to_owned);
                found.proof.identifier = identifier.or(found.proof.identifier);
                Some(found)
            }
            Presented::X402(version, message) => {
                let former = self.former_of(offer, *version, message.as_ref().ok()?, refused)?;
                let found = self.proof(&former, shown, Standard::Own, now).ok()?;
                found.map(CheckedPayment::into_owned)
            }
            Presented::Nothing | Presented::Several => None,
        };
        let known = |found: &CheckedPayment<'_>| {
            found.signature == SignatureCheck::Verified
                || found.proof.onchain.is_some()
                || !planted(Mutant::UnprovenIsNew)
        };
        found.filter(known)
    }

    /// The route under the terms that an x402 payment was made for; `None` if the payment does not
    /// state them.
    fn former_of(
        &self,
        offer: &Offer,
        version: Version,
        message: &Message,
        refused: Option<Code>,
    ) -> Option<Offer> {
        let accepted = message.object.get("accepted").and_then(Value::as_object);
        let payload = message.object.get("payload")?.as_object()?;
        let network = match version {
            Version::V1 => ChainId::from_name(message.object.get("network")?.as_str()?)?,
            Version::V2 => ChainId::parse(accepted?.get("network")?.as_str()?).ok()?,
        };
        let extra = accepted.and_then(|accepted| accepted.get("extra")?.as_object());
        let mut choice = match network.evm_id() {
            Some(chain_id) => {
                let scheme = accepted.and_then(|accepted| accepted.get("scheme")?.as_str());
                let signed = match scheme {
                    Some(exact::DEFERRED) => exact::read_deferred(payload),
                    _ => exact::read(payload),
                };
                let signed = signed.ok()?;
                let named = accepted.and_then(|it| Address::parse(it.get("asset")?.as_str()?).ok());
                let mut tokens = match named {
                    Some(asset) => {
                        let method = signed.method();
                        Vec::from([self.token(offer, chain_id, asset, method, extra)?])
                    }
                    None => self.tokens_of(offer, &network, chain_id),
                };
                // Forgeries cost one check of their signature, not two.
                let is_a_keys = !signed.may_be_a_contracts(self.payers.wallets.as_ref());
                if is_a_keys && refused == Some(Code::SignatureInvalid) {
                    let tried = offer.choices.iter().find(|it| it.terms.network == network);
                    let tried = tried.and_then(|choice| choice.terms.token);
                    let is_tried = |token: SignedToken| {
                        tried.is_some_and(|tried| tried.separator == token.separator)
                    };
                    tokens.retain(|choice| !choice.terms.token.is_some_and(is_tried));
                }
                signed_under(tokens, &signed, is_a_keys)?.paying(signed.authorization())?
            }
            None => {
                let listed = offer.choice_on(Version::V2, network.as_str(), exact::SCHEME).cloned();
                let listed = listed.or_else(|| unread(&network, extra));
                listed?.accepted(accepted?)?
            }
        };
        let secs = accepted.and_then(|accepted| accepted.get("maxTimeoutSeconds")?.as_u64());
        choice.terms.max_timeout_secs = secs.unwrap_or(choice.terms.max_timeout_secs);
        // Kept as written, so that the facilitator receives the same request as before.
        let flow = extra.and_then(|extra| extra.get("paymentFlow"));
        let upfront = flow.and_then(Value::as_str) == Some("upfront");
        let mode = if upfront { Mode::Before } else { Mode::After };
        let Choice { terms, asset_label, facilitators, verifies_first, .. } = choice;
        let choice = Choice::new(terms, asset_label, facilitators, verifies_first, mode);
        Some(offer.at(Vec::from([choice]), None))
    }

    /// A way to pay with this token: the route's, another route's, or one that no route names any
    /// more, under the domain that is known or else stated.
    pub(super) fn token(
        &self,
        offer: &Offer,
        chain_id: u64,
        asset: Address,
        method: TransferMethod,
        stated: Option<&Map<String, Value>>,
    ) -> Option<Choice> {
        let is_it = |choice: &&Choice| {
            let is_it = |it: SignedToken| {
                it.chain_id == chain_id && it.asset == asset && it.method == method
            };
            choice.terms.token.is_some_and(is_it)
        };
        let listed = || self.routes.offers.iter().flatten().flat_map(|offer| &offer.choices);
        if let Some(choice) = offer.choices.iter().chain(listed()).find(is_it) {
            return Some(choice.clone());
        }
        if planted(Mutant::UnlistedIsNew) {
            return None;
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
    fn tokens_of(&self, offer: &Offer, network: &ChainId, chain_id: u64) -> Vec<Choice> {
        let listed = self.routes.offers.iter().flatten().flat_map(|offer| &offer.choices);
        let listed = offer.choices.iter().chain(listed).filter(|it| it.terms.network == *network);
        let listed = listed.filter_map(|choice| choice.terms.authorized()).map(|token| token.asset);
        let pinned = token::on(network).filter(|token| token.eip3009);
        let mut assets: Vec<Address> = Vec::new();
        for asset in listed.chain(pinned.map(|token: &Token| token.address)) {
            if assets.len() < MAX_TRIED && !assets.contains(&asset) {
                assets.push(asset);
            }
        }
        let choice = |asset| self.token(offer, chain_id, asset, UNSTATED, None);
        assets.into_iter().filter_map(choice).collect()
    }
}

/// Whether a payment refused with this code may have been made for earlier terms or an earlier
/// challenge.
pub(super) const fn is_about_terms(code: Code) -> bool {
    matches!(
        code,
        Code::TermsMismatch
            | Code::AmountMismatch
            | Code::RecipientMismatch
            | Code::InvalidChallenge
            | Code::ChallengeExpired
            | Code::NonceMismatch
            | Code::SourceMismatch
    )
}

/// Whether a payment refused with this code is looked up before the client is asked for another
/// one.
pub(super) fn may_be_known(code: Code) -> bool {
    let of_settings = !is_about_terms(code) && code != Code::Expired;
    code.row().reason.is_some() && !(of_settings && planted(Mutant::SettingsForget))
}

/// The way to pay under which the payer's own signature holds. Without one, the first: a contract
/// may have signed, unless the signature can only be a key's, which then is a forgery.
fn signed_under(
    tokens: Vec<Choice>,
    signed: &SignedAuthorization,
    is_a_keys: bool,
) -> Option<Choice> {
    let holds =
        |choice: &Choice| choice.terms.token.is_some_and(|token| signed.is_the_payers_own(&token));
    let own = match tokens.as_slice() {
        [_] if !is_a_keys => None,
        several => several.iter().position(holds),
    };
    match own {
        None if is_a_keys => None,
        own => tokens.into_iter().nth(own.unwrap_or(0)),
    }
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
fn unread(network: &ChainId, stated: Option<&Map<String, Value>>) -> Option<Choice> {
    if planted(Mutant::UnlistedIsNew) {
        return None;
    }
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
        description: String::new(),
        mime_type: String::new(),
        origin_timeout_secs: TIMEOUT_SECS,
        store: false,
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
pub(super) const UNSTATED: TransferMethod = TransferMethod::Eip3009;
/// Route name in rows of payments for which nothing is sold any more.
pub(super) const NO_ROUTE: &str = "-";
/// Placeholder for the deadlines of a route that does no work, seconds.
const TIMEOUT_SECS: u64 = 300;
