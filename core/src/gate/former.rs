//! Payments for what a route asked before its price, payee or times changed: only what the ledger knows of them is told.
//!
//! A payment may still be unknown, owed or waiting to be fetched when its route asks something else by now. New terms in its
//! answer would have it paid twice.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::Gate;
use super::offer::Offer;
use super::presented::Presented;
use super::proof::Brought;
use crate::http::RequestHead;
use crate::payment::authorization::Vouched;
use crate::time::UnixTime;
use crate::x402::Version;
use crate::x402::exact;
use crate::x402::header::Message;

impl Gate {
    /// A payment that holds in everything but today's terms, judged by those that it was signed for; nothing where its
    /// payer did not sign it.
    pub(super) fn former<'g>(
        &self,
        offer: &Offer,
        (head, presented): (&RequestHead, &Presented),
        now: UnixTime,
    ) -> Option<Brought<'g>> {
        let found = match presented {
            Presented::Mpp(credential) => {
                let credential = credential.as_ref().ok()?;
                let mut found = self.paid_formerly(offer, head, credential, now)?;
                let identifier = Self::identifier(&head.headers).map(ToOwned::to_owned);
                found.proof.identifier = identifier.or(found.proof.identifier);
                found
            }
            Presented::X402(version, message) => {
                let former = former_of(offer, *version, message.as_ref().ok()?)?;
                self.proof(&former, (head, presented), now).ok()??.into_owned()
            }
            Presented::Nothing | Presented::Several => return None,
        };
        // Nobody signs a hash, but its challenge is the gate's.
        let is_somebodys = found.vouched == Vouched::Yes || found.proof.onchain.is_some();
        is_somebodys.then_some(found)
    }
}

/// The route under the terms that a payment of x402 was signed for.
fn former_of(offer: &Offer, version: Version, message: &Message) -> Option<Offer> {
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
