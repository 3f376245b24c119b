//! The fate of a payment by link that no answer decided: it is sent once more, and then the chain
//! is read until it shows that the tokens moved, or never do.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::books::{Change, Rows};
use crate::chain::Authorized;
use crate::config::Treasury;
use crate::kernel::{Grant, Job, Now};
use crate::links::claim::USED;
use crate::recover::MAX_JOBS;
use crate::undelivered::MARGIN_SECS;
use farebox_base::time::UnixTime;
use farebox_ledger::inquiry::finding::{Finding, Verdict, verdict};
use farebox_wire::a2a::link::{LinkFate, LinkPayment, LinkState, PaymentLink};

/// Why a payment failed that the chain shows to be void.
const NEVER: &str = "authorization_not_used";
/// Blocks before the one in which an authorization was unused that may be replaced by others: what
/// they have then came later.
const REPLACED_BLOCKS: u64 = 64;

impl Treasury {
    /// Work on links that is due, with the writes that grant it.
    pub(crate) fn due_links<B: Rows>(
        &self,
        books: &B,
        scene: Now<'_>,
    ) -> Result<(Vec<Job>, Vec<Change>), B::Error> {
        let (mut jobs, mut changes) = (Vec::new(), Vec::new());
        let now = scene.now.secs();
        if books.claims_end()?.is_some_and(|end| end <= now) {
            changes.push(Change::ClaimsGone(now));
        }
        for link in books.links_due(now, MAX_JOBS)? {
            let (job, link) = match &link.state {
                LinkState::Settling(payment) => self.pursue(&link, payment, scene.now),
                LinkState::Pending
                | LinkState::Completed(..)
                | LinkState::Failed(..)
                | LinkState::Cancelled => (None, PaymentLink { due: None, ..link }),
            };
            jobs.extend(job);
            changes.push(Change::Link(Box::new(link)));
        }
        Ok((jobs, changes))
    }

    fn pursue(
        &self,
        link: &PaymentLink,
        payment: &LinkPayment,
        now: UnixTime,
    ) -> (Option<Job>, PaymentLink) {
        let has_time = now.plus(MARGIN_SECS).secs() < payment.valid_before;
        if let (Some(facilitator), true, false) = (&self.facilitator, has_time, payment.resent) {
            let due = self.window.lease(now);
            let state = LinkState::Settling(LinkPayment { resent: true, ..payment.clone() });
            let link = PaymentLink { state, ..link.granted(due) };
            let order = self.settle_order(&link, facilitator, now);
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
    pub(crate) fn link_read<B: Rows>(
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
