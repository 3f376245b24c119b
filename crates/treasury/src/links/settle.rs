//! The settlement of a payment by link: what the facilitator is sent, and what its answer says.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::put;
use super::response::Words;
use crate::books::Rows;
use crate::config::Treasury;
use crate::kernel::{Decision, Grant, Now};
use crate::message::{Answer, MerchantAnswer, Order, Reply};
use crate::refused;
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_wire::a2a::link::{LinkFate, LinkPayment, PaymentLink};
use farebox_wire::facilitator::outcome::{SettleOutcome, settle_outcome, was_used_before};
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::wire::{Expected, Facilitator};

impl Treasury {
    /// The request to the facilitator for the payment that a link took.
    pub(super) fn settle_order(
        &self,
        link: &PaymentLink,
        facilitator: &Facilitator,
        now: UnixTime,
    ) -> Option<Order> {
        let payment = link.payment()?;
        let field = |name: &str| (name.to_string(), "application/json".to_string());
        Some(Order {
            attempt: link.id.clone(),
            fence: link.fence,
            method: "POST".to_string(),
            url: facilitator.settle_url(),
            headers: Vec::from([field("content-type"), field("accept")]),
            body: Some(payment.request.clone()),
            until: self.window.end(now, payment.valid_before),
        })
    }

    /// Takes what the facilitator said of a payment, or that it said nothing.
    pub(crate) fn link_answered<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        answer: Option<(&MerchantAnswer, u32)>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let told = |reply: Reply| Ok(Decision::reply(reply));
        let Some(link) = books.link(grant.id)? else { return told(refused::internal()) };
        let Some(payment) = link.payment() else { return told(refused::internal()) };
        let fate = match answer {
            Some((answer, sent)) => fate(&link, payment, answer, sent > 1 || payment.resent),
            None => None,
        };
        let (door, next) = (payment.door, scene.now.plus(self.chain.read_secs).secs());
        let fate = fate.unwrap_or(LinkFate::Open(Some(next)));
        let Some(link) = link.told(grant.fence, fate, scene.now) else {
            return told(Words { link: &link, now: scene.now }.outcome(door));
        };
        let reply = Words { link: &link, now: scene.now }.outcome(door);
        Ok(Decision { answer: Answer::Reply(reply), changes: put(link) })
    }
}

/// The fate of a payment by a facilitator's answer; `None` if the answer does not decide it.
fn fate(
    link: &PaymentLink,
    payment: &LinkPayment,
    answer: &MerchantAnswer,
    repeated: bool,
) -> Option<LinkFate> {
    let is_json = answer
        .headers
        .iter()
        .any(|(name, value)| name == "content-type" && value.to_ascii_lowercase().contains("json"));
    let reply = FacilitatorReply::Answer {
        status: u16::try_from(answer.status).unwrap_or(u16::MAX),
        is_json: is_json && !answer.cut,
        body: answer.body.clone(),
    };
    let expected = Expected {
        payer: Address::parse(&payment.from).ok(),
        network: link.network.clone(),
        amount: Amount::from_atomic(&link.amount).unwrap_or(Amount::ZERO),
    };
    match settle_outcome(&reply, &expected) {
        SettleOutcome::Settled(hash) => Some(LinkFate::Moved(hash.to_text())),
        // A repeat is refused because the first may have arrived.
        SettleOutcome::Refused(_) if repeated && !planted(Mutant::LinksBelieveRepeats) => None,
        SettleOutcome::Refused(reason) => Some(LinkFate::Never(reason)),
        // What was used before the only sending paid for something else: the chain would not tell.
        SettleOutcome::Unknown(_) if !repeated && !planted(Mutant::LinksTakeUsedPayments) => {
            was_used_before(&reply).map(LinkFate::Never)
        }
        SettleOutcome::Pending | SettleOutcome::Unknown(_) => None,
    }
}
