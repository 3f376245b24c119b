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
use super::checked::CheckedPayment;
use super::offer::{Choice, Offer, Protocols, RouteSettings};
use super::presented::Presented;
use crate::chain::ChainId;
use crate::http::RequestHead;
use crate::ledger::command::Mode;
use crate::mpp::charge;
use crate::mutant::{Mutant, planted};
use crate::payment::authorization::SignatureCheck;
use crate::payment::{SignedToken, Terms};
use crate::time::UnixTime;
use crate::x402::Version;
use crate::x402::exact;
use crate::x402::header::Message;

impl Gate {
    /// Checks a payment that matches everything but today's terms against the terms that it was
    /// made for. It cannot begin here, so an unproven one is only looked up: it may have paid
    /// already, or be about to.
    pub(super) fn former<'g>(
        &self,
        offer: &Offer,
        (head, presented): (&RequestHead, &Presented),
        now: UnixTime,
    ) -> Option<CheckedPayment<'g>> {
        let found = match presented {
            Presented::Mpp(credential) => {
                let credential = credential.as_ref().ok()?;
                let mut found = self.credential_for_old_terms(offer, head, credential, now)?;
                let identifier = Self::identifier(&head.headers).map(ToOwned::to_owned);
                found.proof.identifier = identifier.or(found.proof.identifier);
                Some(found)
            }
            Presented::X402(version, message) => {
                let former = former_of(offer, *version, message.as_ref().ok()?)?;
                self.proof(&former, (head, presented), now).ok()?.map(CheckedPayment::into_owned)
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
}

/// Terms of one of this gate's challenges for a token that no route names any more. Its signature
/// was checked; the payment itself is looked for on the chain alone.
pub(super) fn sold_formerly(asked: &charge::Request) -> Option<(Offer, Choice)> {
    let token = SignedToken {
        chain_id: asked.chain_id,
        asset: asked.currency,
        pay_to: asked.recipient,
        separator: [0; 32],
    };
    let terms = Terms {
        network: ChainId::from_evm(asked.chain_id).ok()?,
        asset: asked.currency.to_checksum(),
        pay_to: asked.recipient.to_checksum(),
        amount: asked.amount,
        max_timeout_secs: TIMEOUT_SECS,
        extra: Map::new(),
        token: Some(token),
    };
    let label = (String::new(), asked.decimals.unwrap_or_default());
    let choice = Choice::new(terms, label, (Vec::new(), false), Mode::Before);
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
    };
    Some((Offer::new(Vec::from([choice.clone()]), manner), choice))
}

/// Route name in rows of payments for which nothing is sold any more.
pub(super) const NO_ROUTE: &str = "-";
/// Placeholder for the deadlines of a route that does no work, seconds.
const TIMEOUT_SECS: u64 = 300;

/// The route under the terms that an x402 payment was made for; `None` if the payment does not
/// state them.
fn former_of(offer: &Offer, version: Version, message: &Message) -> Option<Offer> {
    let accepted = message.object.get("accepted");
    let network = match version {
        Version::V1 => message.object.get("network"),
        Version::V2 => accepted?.get("network"),
    };
    let mut choice = offer.choice_on(version, network?.as_str()?)?.clone();
    let secs = accepted.and_then(|accepted| accepted.get("maxTimeoutSeconds")?.as_u64());
    choice.terms.max_timeout_secs = secs.unwrap_or(choice.terms.max_timeout_secs);
    let choice = match choice.terms.token {
        Some(_) => {
            let payload = exact::read(message.object.get("payload")?.as_object()?).ok()?;
            choice.paying(payload.authorization())?
        }
        None => choice.accepted(accepted?.as_object()?)?,
    };
    // Kept as written, so that the facilitator receives the same request as before.
    let flow = accepted.and_then(|accepted| accepted.get("extra")?.get("paymentFlow"));
    let upfront = flow.and_then(Value::as_str) == Some("upfront");
    let mode = if upfront { Mode::Before } else { Mode::After };
    let settlers = (choice.facilitators, choice.verifies_first);
    let choice = Choice::new(choice.terms, choice.asset_label, settlers, mode);
    Some(offer.at(Vec::from([choice]), None))
}
