//! Challenges of the scheme `Payment`: method `evm`, intent `charge`, in the form of MPP or of OKX.
//!
//! Every signed or counted value comes from `request`; `description` is only for people.
//! Spec: draft-httpauth-payment; MPP charge, method `evm`; OKX agent payments, "Challenge fields".

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use super::{MAX_OFFERS, Means, malformed};
use crate::client::error::{ClientError, Reason, clean};
use crate::client::offer::{Charge, Offer, TermsSource, Way};
use farebox_base::chain::ChainId;
use farebox_base::http::Headers;
use farebox_common::payment::TransferMethod;
use farebox_wire::mpp::challenge::read_list;
use farebox_wire::mpp::charge::{METHOD, Request};
use farebox_wire::mpp::{self, Malformed, PAYMENT_AUTHORIZATION};
use farebox_wire::x402::v2::Flow;

/// The header with the challenges, lower case.
pub(super) const FIELD: &str = "www-authenticate";

/// Reads every challenge: an offer, or the reason why it cannot be paid. Sets `offers_session` if
/// one is for a session.
pub(super) fn read(
    headers: &Headers,
    means: Means<'_>,
    offers_session: &mut bool,
) -> Vec<Result<Offer, ClientError>> {
    let challenges = headers.rows(FIELD).flat_map(read_list).take(MAX_OFFERS);
    let mut entries = Vec::new();
    for challenge in challenges {
        entries.push(challenge.map_err(unreadable).and_then(|challenge| {
            *offers_session |= challenge.method == METHOD && challenge.intent == "session";
            offer(challenge, means)
        }));
    }
    entries
}

/// Reads one challenge.
fn offer(challenge: mpp::Challenge, means: Means<'_>) -> Result<Offer, ClientError> {
    let fail = |reason, message| Err(ClientError::new(reason, message));
    if challenge.method != METHOD {
        let message =
            format!("method must be evm: \"{}\" is not supported", clean(&challenge.method));
        return fail(Reason::UnsupportedMethod, message);
    }
    if challenge.intent != "charge" {
        let intent = clean(&challenge.intent);
        let message = format!("intent must be charge: this version does not pay \"{intent}\"");
        return fail(Reason::UnsupportedIntent, message);
    }
    let is_foreign = answerable(&challenge, means)?;
    let object = challenge.request_object().map_err(unreadable)?;
    let request = Request::read(&object).map_err(unreadable)?;
    if request.has_splits {
        let message = "payments split among several payees are not supported: each part needs an \
             authorization of its own, and could be settled alone";
        return fail(Reason::UnsupportedScheme, message.into());
    }
    let network =
        ChainId::from_evm(request.chain_id).map_err(|_| malformed("chainId is not a chain id"))?;
    let asset = means.policy.asset(&network, &request.currency, TransferMethod::Eip3009)?;
    if request.decimals.is_some_and(|decimals| decimals != asset.decimals) {
        let symbol = &asset.symbol;
        let message = format!("the server gives the wrong number of decimals for {symbol}");
        return fail(Reason::PolicyAmount, message);
    }
    if request.amount.is_zero() {
        return Err(malformed("amount is not an amount in atomic units"));
    }
    let pay_to = request.recipient;
    if pay_to.is_zero() || pay_to.is_burn() && network.is_main_network() {
        return Err(malformed("recipient is not an address that can be paid"));
    }
    let way = way(&request, means)?;
    let expires = challenge.expires_at().map_err(unreadable)?;
    let description = challenge.description.as_deref().or(request.description.as_deref());
    let description = clean(description.unwrap_or_default());
    let framing = means.policy.framing(means.host);
    let external_id = request.external_id;
    let charge = Charge { challenge, expires, external_id, way, framing, is_foreign };
    if charge.is_expired(means.now) {
        return Err(expired());
    }
    Ok(Offer {
        asset,
        chain_id: request.chain_id,
        amount: request.amount,
        pay_to,
        max_timeout_secs: charge.valid_before(means.now).secs_since(means.now),
        // A challenge does not say whether it is charged before or after the work; a payer who
        // sends the money knows that it is before.
        flow: if way == Way::Hash { Flow::Upfront } else { Flow::Authorization },
        description,
        resource: Some(clean(&charge.challenge.realm)),
        asked: TermsSource::Mpp(Box::new(charge)),
        method: TransferMethod::Eip3009,
    })
}

/// Whether the realm of a challenge has to be pinned; its answer has a header to go in.
///
/// # Errors
/// [`Reason::RealmMismatch`], [`Reason::AuthorizationTaken`], [`Reason::UnsupportedScheme`].
pub fn answerable(challenge: &mpp::Challenge, means: Means<'_>) -> Result<bool, ClientError> {
    let fail = |reason, message| Err(ClientError::new(reason, message));
    let is_foreign = !means.policy.is_realm_of(&challenge.realm, means.host);
    if is_foreign && !(means.pins_realms && means.policy.may_pin(&challenge.realm, means.host)) {
        let realm = clean(&challenge.realm);
        let message = format!("{} sent a challenge for the realm \"{realm}\"", clean(means.host));
        return fail(Reason::RealmMismatch, message);
    }
    match challenge.header.as_deref() {
        None if means.authorization_is_free => {}
        None => {
            let message = "the request already has an Authorization header, and the server accepts the payment in no other";
            return fail(Reason::AuthorizationTaken, message.into());
        }
        Some(name) if name.eq_ignore_ascii_case(PAYMENT_AUTHORIZATION) => {}
        Some(name) => {
            let message = format!(
                "the server wants the payment in the header \"{}\", which is not supported",
                clean(name)
            );
            return fail(Reason::UnsupportedScheme, message);
        }
    }
    Ok(is_foreign)
}

/// The first way of proof that the server accepts and this payer has.
fn way(request: &Request, means: Means<'_>) -> Result<Way, ClientError> {
    let types = request.credential_types.as_deref();
    let lists = |name: &str| types.is_some_and(|types| types.iter().any(|it| it == name));
    let payer_sends = request.fee_payer == Some(false);
    if lists("authorization") {
        return Ok(Way::Authorization);
    }
    // Without a list it is a challenge of OKX, whose server pays the gas unless stated otherwise.
    if types.is_none() && !payer_sends {
        return Ok(Way::Transaction);
    }
    if types.is_some() && !lists("hash") {
        let message =
            "the server accepts neither of the supported credential types: authorization, hash";
        return Err(ClientError::new(Reason::UnsupportedScheme, message));
    }
    if means.broadcasts {
        return Ok(Way::Hash);
    }
    let message = "the server requires the payer to send the transaction, and the option `broadcast` is not set";
    Err(ClientError::new(Reason::BroadcastMissing, message))
}

/// The error for an expired challenge.
pub fn expired() -> ClientError {
    let message = "the challenge had expired when it arrived, by this machine's clock";
    ClientError::new(Reason::ChallengeExpired, message)
}

/// The error for a challenge that is no such thing.
pub fn unreadable(error: Malformed) -> ClientError {
    malformed(&format!("a Payment challenge cannot be read: {error}"))
}
