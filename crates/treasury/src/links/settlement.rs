//! The settlement of a payment by link: what the facilitator is sent, what its answer says, and what
//! the chain shows. A payment that no answer decided is sent once more, and then the chain is read
//! until it shows that the tokens moved, or never do.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::claim::USED;
use super::response::LinkReplies;
use crate::books::{Change, Rows};
use crate::chain::{Authorized, ChainReader};
use crate::kernel::{Decision, Grant, Job, Now, SendWindow};
use crate::message::{Answer, MerchantAnswer, Order, Reply};
use crate::payout::settlement::reply_of;
use crate::places::{PlacedJob, Places};
use crate::refused;
use crate::undelivered::MARGIN_SECS;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_ledger::inquiry::finding::{Finding, Verdict, verdict};
use farebox_wire::a2a::link::{LinkFate, LinkPayment, LinkState, PaymentLink};
use farebox_wire::facilitator::outcome::{SettleOutcome, settle_outcome, was_used_before};
use farebox_wire::facilitator::wire::{Expected, Facilitator};

/// Why a payment failed that the chain shows to be void.
const NEVER: &str = "authorization_not_used";
/// Links that one alarm works on.
const MAX_DUE: u32 = 8;
/// Blocks before the one in which an authorization was unused that may be replaced by others: what
/// they have then came later.
const REPLACED_BLOCKS: u64 = 64;

/// The settlements of payments by link.
#[derive(Clone, Copy)]
pub(crate) struct LinkSettlements<'t> {
    pub chain: &'t ChainReader,
    pub facilitator: Option<&'t Facilitator>,
    pub window: SendWindow,
}

impl LinkSettlements<'_> {
    /// The request to the facilitator for the payment that a link took.
    pub fn order(&self, link: &PaymentLink, now: UnixTime) -> Option<Order> {
        let (facilitator, payment) = (self.facilitator?, link.payment()?);
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
    pub fn take_answer<B: Rows>(
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
            Some((answer, sent)) => read_fate(&link, payment, answer, sent > 1 || payment.resent),
            None => None,
        };
        let (door, next) = (payment.door, scene.now.plus(self.chain.read_secs).secs());
        let fate = fate.unwrap_or(LinkFate::Open(Some(next)));
        let Some(link) = link.told(grant.fence, fate, scene.now) else {
            return told(LinkReplies { link: &link, now: scene.now }.outcome(door));
        };
        let reply = LinkReplies { link: &link, now: scene.now }.outcome(door);
        Ok(Decision {
            answer: Answer::Reply(reply),
            changes: Vec::from([Change::Link(Box::new(link))]),
        })
    }

    /// Work on links that is due and has places, with the writes that grant it.
    pub fn recover<B: Rows>(
        &self,
        books: &B,
        places: &mut Places,
        scene: Now<'_>,
    ) -> Result<(Vec<PlacedJob>, Vec<Change>), B::Error> {
        let (mut works, mut changes) = (Vec::new(), Vec::new());
        let now = scene.now.secs();
        if books.claims_end()?.is_some_and(|end| end <= now) {
            changes.push(Change::ClaimsGone(now));
        }
        for link in books.links_due(now, MAX_DUE)? {
            let Some(place) = places.take_beside_payouts(&link.id) else { continue };
            let (job, link) = match &link.state {
                LinkState::Settling(payment) => self.pursue(&link, payment, scene.now),
                LinkState::Pending
                | LinkState::Completed(..)
                | LinkState::Failed(..)
                | LinkState::Cancelled => (None, PaymentLink { due: None, ..link }),
            };
            works.extend(job.map(|job| PlacedJob { place, job }));
            changes.push(Change::Link(Box::new(link)));
        }
        Ok((works, changes))
    }

    /// Sends a payment once more, or else has the chain read.
    fn pursue(
        &self,
        link: &PaymentLink,
        payment: &LinkPayment,
        now: UnixTime,
    ) -> (Option<Job>, PaymentLink) {
        let has_time = now.plus(MARGIN_SECS).secs() < payment.valid_before;
        if self.facilitator.is_some() && has_time && !payment.resent {
            let due = self.window.lease(now);
            let state = LinkState::Settling(LinkPayment { resent: true, ..payment.clone() });
            let link = PaymentLink { state, ..link.granted(due) };
            let order = self.order(&link, now);
            return (order.map(|order| Job::Send(order, None)), link);
        }
        let age = now.secs().saturating_sub(link.changed);
        let next = now.plus(self.chain.pause_secs(age)).secs();
        // As long as it takes: what moved has paid, and what a node cannot say today it says later.
        let link = link.granted(next);
        let transfer = Authorized {
            network: &link.network,
            contract: &link.contract,
            from: &payment.from,
            to: &link.recipient,
            value: &link.amount,
            nonce: &payment.nonce,
            seen_block: Some(payment.seen_block.saturating_sub(REPLACED_BLOCKS)),
            seen_at: UnixTime::from_secs(link.changed),
            known: None,
        };
        let job = self.chain.ask(Grant { id: &link.id, fence: link.fence }, &transfer);
        (job, link)
    }

    /// Takes what the chain showed of a payment by link.
    pub fn take_finding<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        finding: &Finding,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let Some(link) = books.link(grant.id)? else { return Ok(Vec::new()) };
        let Some(payment) = link.payment() else { return Ok(Vec::new()) };
        let end = UnixTime::from_secs(payment.valid_before);
        let fate = match verdict(finding, end, scene.now) {
            Verdict::Captured(transaction) | Verdict::Late(transaction) => {
                LinkFate::Moved(transaction.to_text())
            }
            Verdict::Void => LinkFate::Never(NEVER.to_string()),
            // It paid for something else.
            Verdict::Early(_) => LinkFate::Never(USED.to_string()),
            // A link is signed once.
            Verdict::Earlier(..) | Verdict::Unclear(_) | Verdict::Open | Verdict::Unreadable => {
                return Ok(Vec::new());
            }
        };
        let told = link.told(grant.fence, fate, scene.now);
        Ok(told.map(|link| Change::Link(Box::new(link))).into_iter().collect())
    }
}

/// Reads the fate of a payment in a facilitator's answer; `None` if the answer does not decide it.
fn read_fate(
    link: &PaymentLink,
    payment: &LinkPayment,
    answer: &MerchantAnswer,
    repeated: bool,
) -> Option<LinkFate> {
    let reply = reply_of(answer);
    let expected = Expected {
        payer: Address::parse(&payment.from).ok(),
        network: link.network.clone(),
        amount: Amount::from_atomic(&link.amount).unwrap_or(Amount::ZERO),
    };
    match settle_outcome(&reply, &expected) {
        SettleOutcome::Settled(hash) => Some(LinkFate::Moved(hash.to_text())),
        // A repeat is refused because the first may have arrived.
        SettleOutcome::Refused(_) if repeated => None,
        SettleOutcome::Refused(reason) => Some(LinkFate::Never(reason)),
        // What was used before the only sending paid for something else: the chain would not tell.
        SettleOutcome::Unknown(_) if !repeated => was_used_before(&reply).map(LinkFate::Never),
        SettleOutcome::Pending | SettleOutcome::Unknown(_) => None,
    }
}
