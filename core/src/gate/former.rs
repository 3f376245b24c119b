//! Payments for what a route asked before its price, payee or times changed: only what the ledger knows of them is told.
//!
//! A payment may still be unknown, owed or waiting to be fetched when its route asks something else by now. New terms in its
//! answer would have it paid twice.

use alloc::vec::Vec;

use super::Gate;
use super::offer::{Choice, Offer};
use super::proof::Brought;
use crate::http::RequestHead;
use crate::ledger::command::Mode;
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
        let (version, value) = [Version::V2, Version::V1]
            .into_iter()
            .find_map(|version| Some((version, head.headers.joined(version.proof_header())?)))?;
        let message = header::decode(&value).ok()?;
        let payload = exact::read(message.object.get("payload")?.as_object()?).ok()?;
        let signed = payload.authorization();
        let accepted = message.object.get("accepted");
        let network = match version {
            Version::V1 => message.object.get("network"),
            Version::V2 => accepted?.get("network"),
        };
        let choice = offer.choice_on(version, network?.as_str()?)?;
        let mut terms = choice.terms.clone();
        terms.token.as_mut()?.pay_to = signed.to;
        terms.pay_to = signed.to.to_checksum();
        terms.amount = signed.value;
        let secs = accepted.and_then(|accepted| accepted.get("maxTimeoutSeconds")?.as_u64());
        terms.max_timeout_secs = secs.unwrap_or(terms.max_timeout_secs);
        let settlers = (choice.facilitators.clone(), choice.verifies_first);
        let choice = Choice::new(terms, choice.asset_label.clone(), settlers, Mode::After);
        let former = offer.at(Vec::from([choice]), None);
        let found = self.proof(&former, head, now).ok()??;
        (found.vouched == Vouched::Yes).then(|| found.into_owned())
    }
}
