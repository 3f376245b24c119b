//! Payments for what a route asked before its price, payee or times changed: only what the ledger knows of them is told.
//!
//! A payment may still be unknown, owed or waiting to be fetched when its route asks something else by now. New terms in its
//! answer would have it paid twice.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Gate;
use super::mpp;
use super::offer::Offer;
use super::proof::Brought;
use crate::http::RequestHead;
use crate::mpp::credential::Found;
use crate::payment::authorization::Vouched;
use crate::time::UnixTime;
use crate::x402::exact;
use crate::x402::{Version, header};

impl Gate {
    /// A payment that holds in everything but today's terms, judged by those that it was signed for; nothing where its
    /// payer did not sign it.
    pub(super) fn former<'g>(
        &self,
        offer: &Offer,
        head: &RequestHead,
        now: UnixTime,
    ) -> Option<Brought<'g>> {
        let found = match mpp::brought(&head.headers) {
            Found::One(token) => self.paid_formerly(offer, head, token, now).map(|mut found| {
                let identifier = Self::identifier(&head.headers).map(ToOwned::to_owned);
                found.proof.identifier = identifier.or(found.proof.identifier);
                found
            })?,
            _ => {
                let former = former_of(offer, head)?;
                self.proof(&former, head, now).ok()??.into_owned()
            }
        };
        // Nobody signs a hash, but its challenge is the gate's.
        let is_somebodys = found.vouched == Vouched::Yes || found.proof.onchain.is_some();
        is_somebodys.then_some(found)
    }
}

/// The route under the terms that a payment of x402 was signed for.
fn former_of(offer: &Offer, head: &RequestHead) -> Option<Offer> {
    let (version, value) = [Version::V2, Version::V1]
        .into_iter()
        .find_map(|version| Some((version, head.headers.joined(version.proof_header())?)))?;
    let message = header::decode(&value).ok()?;
    let payload = exact::read(message.object.get("payload")?.as_object()?).ok()?;
    let accepted = message.object.get("accepted");
    let network = match version {
        Version::V1 => message.object.get("network"),
        Version::V2 => accepted?.get("network"),
    };
    let mut choice = offer.choice_on(version, network?.as_str()?)?.clone();
    let secs = accepted.and_then(|accepted| accepted.get("maxTimeoutSeconds")?.as_u64());
    choice.terms.max_timeout_secs = secs.unwrap_or(choice.terms.max_timeout_secs);
    Some(offer.at(Vec::from([choice.paying(payload.authorization())?]), None))
}
