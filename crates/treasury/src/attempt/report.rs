//! Reports about a payment that was sent: its answer, or that none came.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::{Held, end, interrupt, restore};
use crate::answer::{DecisionAnswer, merchant};
use crate::books::{Change, Rows};
use crate::chain::ChainReader;
use crate::keep::answers;
use crate::kernel::{Decision, Grant, Now};
use crate::merchant::fields_to_show;
use crate::message::{Answer, MerchantAnswer};
use crate::outcome::Outcome;
use crate::payout::settlement;
use crate::receipt::Receipts;
use crate::row::{Money, NO_NODE, Stage};
use crate::{notice, refused, undelivered};

/// Reports about payments, of whoever sent one or read the chain.
#[derive(Clone, Copy)]
pub(crate) struct Reports<'t> {
    pub chain: &'t ChainReader,
    pub receipts: &'t Receipts,
}

impl Reports<'_> {
    /// Takes a merchant's answer.
    pub fn take_answer<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        answer: &MerchantAnswer,
        sent: u32,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut held = match Held::find(books, self.receipts, grant, Money::Signed)? {
            Ok(held) => held,
            Err(decision) => return Ok(decision),
        };
        let Some(parcel) = books.parcel(grant.id)? else {
            return Ok(Decision::reply(refused::internal()));
        };
        let repeated = sent > 1 || held.attempt.resends > 0;
        if held.attempt.is_payout() {
            let outcome = settlement::read_outcome(&held.attempt, answer, repeated);
            return Ok(self.conclude(held, outcome, None, scene));
        }
        let restored = restore(&held, &parcel);
        let outcome = match &restored {
            Some((prepared, _)) => Outcome::read(answer, prepared, &parcel.url, repeated),
            None => Outcome::lost(),
        };
        // What this version cannot read may be a delivery.
        let is_read = restored.is_some();
        let mut changes = match undelivered::is_delivered(outcome.name) {
            true => answers::take_out(books, &mut held.decision)?,
            false => Vec::new(),
        };
        let decision = self.conclude(held, outcome, Some(answer).filter(|_| is_read), scene);
        changes.extend(decision.changes);
        answers::keep(books, &mut changes, scene.now)?;
        Ok(Decision { changes, ..decision })
    }

    /// Takes that no answer came. What never left moves no money; what the alarm sends was perhaps
    /// sent before.
    pub fn take_loss<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        sent: bool,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let held = match Held::find(books, self.receipts, grant, Money::Signed)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let is_repeat = held.attempt.resends > 0;
        if sent || is_repeat {
            return Ok(self.conclude(held, Outcome::lost(), None, scene));
        }
        let Held { attempt, mut decision } = held;
        let changes = interrupt(books, attempt, &mut decision, scene)?;
        Ok(Decision { answer: Answer::Reply(self.receipts.reply(&decision)), changes })
    }

    /// Ends a decision. The money stays counted: only the chain knows what becomes of it.
    pub fn conclude(
        &self,
        held: Held,
        outcome: Outcome,
        answer: Option<&MerchantAnswer>,
        scene: Now<'_>,
    ) -> Decision {
        let Held { mut attempt, mut decision } = held;
        let now = scene.now.secs();
        let outcome = undelivered::keep_known(outcome, &decision, &attempt);
        if outcome.has_receipt {
            attempt.receipt =
                Some(undelivered::write_receipt(attempt.receipt.take(), &outcome, now));
        }
        let is_open = undelivered::leaves_open(&outcome, &attempt) && !decision.is_payout();
        let mut said = DecisionAnswer::new(outcome.name, outcome.code, outcome.reason);
        let is_unknown = outcome.name == "inconclusive";
        let told = answer.filter(|_| !is_unknown);
        said.merchant = told.map(|it| merchant(it.status, fields_to_show(it), &it.body));
        said.receipt = self.receipts.document(scene.organization, &decision, &attempt);
        let is_paid = outcome.name == "paid_fulfillment_failed";
        said.settlement = is_paid.then_some("merchant_verifiable_success");
        let is_told = outcome.name != "allow" || decision.is_payout();
        said.evidence = outcome.evidence.filter(|_| is_told);
        match outcome.is_repeated {
            true => self.receipts.put_into(&mut decision, &attempt, scene),
            false => said.write(&mut decision, now),
        }
        (decision.stage, decision.open) = (Stage::Final, is_open || is_unknown);
        decision.heard = answer.is_some();
        attempt.lease = None;
        self.chain.schedule(&mut attempt, scene.now);
        let reply = self.receipts.reply(&decision);
        let mut changes = Vec::new();
        if outcome.is_conflict {
            let notice = notice::settlement_conflict(&decision, &attempt, scene);
            changes.push(Change::Outbox(notice));
        }
        if is_unknown && (attempt.due.is_none() || attempt.why.as_deref() == Some(NO_NODE)) {
            // The chain is not read, so that no one learns more by itself.
            let notice = notice::decision_inconclusive(&decision, &attempt, scene);
            changes.push(Change::Outbox(notice));
        }
        // What is open may be sent again, for a time.
        if is_open && attempt.due.is_none() {
            attempt.due = undelivered::end_of(&attempt);
        }
        let is_kept = undelivered::may_repeat(&decision);
        if is_open && !is_kept {
            changes.push(Change::RequestGone(attempt.id.clone()));
        }
        changes.push(if is_open { Change::Attempt(Box::new(attempt)) } else { end(attempt) });
        changes.push(Change::Decision(Box::new(decision)));
        Decision { answer: Answer::Reply(reply), changes }
    }
}
