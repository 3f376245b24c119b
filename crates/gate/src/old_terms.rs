//! Payments made for a route's terms before its price, payee or times changed: the client hears
//! only what the ledger knows of them.
//!
//! A payment may still be unknown, owed or waiting to be fetched when its route already asks for
//! something else. New terms in the answer would make the payer pay twice.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use serde_json::Value;

use super::checked::{CheckedPayment, Standard};
use super::mpp::credential::old_terms::OldCredentials;
use super::offer::{Choice, Offer};
use super::presented::{Presented, PresentedRequest};
use super::proof::{check_proof, read_identifier};
use super::request::IncomingRequest;
use super::token_choices::{NamedToken, find_choice, list_choices, unread};
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;
use farebox_common::payment::SignedToken;
use farebox_common::payment::authorization::SignedAuthorization;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_ledger::command::Mode;
use farebox_wire::x402::Version;
use farebox_wire::x402::exact;
use farebox_wire::x402::header::Message;

/// Checks a payment that today's terms or settings refuse against the terms that it was made
/// for. It cannot begin here, so it is only looked up: it may have paid already, or be about
/// to. `None` if it can be no payment of any terms; `refused` is the code of today's refusal.
pub(super) fn check_old_terms<'c>(
    old: OldCredentials<'_>,
    offer: &Offer,
    shown: &PresentedRequest,
    refused: Option<Code>,
    now: UnixTime,
) -> Option<CheckedPayment<'c>> {
    let PresentedRequest { request: IncomingRequest { head, .. }, presented } = shown;

    match presented {
        Presented::Mpp(credential) => {
            let credential = credential.as_ref().ok()?;
            let mut found = old.check(offer, head, credential, now)?;
            let identifier = read_identifier(&head.headers).map(ToOwned::to_owned);
            found.proof.identifier = identifier.or(found.proof.identifier);
            Some(found)
        }
        Presented::X402(version, message) => {
            let former = rebuild(old, offer, *version, message.as_ref().ok()?, refused)?;
            let found = check_proof(old.credentials, &former, shown, Standard::Own, now).ok()?;
            found.map(CheckedPayment::into_owned)
        }
        Presented::Nothing | Presented::Several => None,
    }
}

/// The route under the terms that an x402 payment was made for; `None` if the payment does not
/// state them.
fn rebuild(
    OldCredentials { credentials, routes }: OldCredentials<'_>,
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
            let mut choices = match named {
                Some(asset) => {
                    let method = signed.method();
                    let named = NamedToken { chain_id, asset, method, stated: extra };
                    Vec::from([find_choice(routes, offer, named)?])
                }
                None => list_choices(routes, offer, &network, chain_id),
            };
            // Forgeries cost one check of their signature, not two.
            let is_a_keys = !signed.may_be_a_contracts(credentials.payers.wallets.as_ref());
            if is_a_keys && refused == Some(Code::SignatureInvalid) {
                let tried = offer.choices.iter().find(|it| it.terms.network == network);
                let tried = tried.and_then(|choice| choice.terms.token);
                let is_tried = |token: SignedToken| {
                    tried.is_some_and(|tried| tried.separator == token.separator)
                };
                choices.retain(|choice| !choice.terms.token.is_some_and(is_tried));
            }
            signed_under(choices, &signed, is_a_keys)?.paying(signed.authorization())?
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
    let _of_settings = !is_about_terms(code) && code != Code::Expired;
    code.row().reason.is_some()
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
