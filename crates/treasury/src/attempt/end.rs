//! How an attempt ends: answered, lost, interrupted, or given up before it was signed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde_json::json;

use super::Held;
use crate::answer::{DecisionAnswer, NOT_SENT, REVIEW, merchant};
use crate::books::{Change, Rows};
use crate::budget::worth;
use crate::config::Treasury;
use crate::decide::denial::{brief, denied};
use crate::id::Fresh;
use crate::keep::answers;
use crate::kernel::{Decision, Grant, Now};
use crate::merchant::shown;
use crate::message::{Answer, MerchantAnswer};
use crate::outcome::Outcome;
use crate::payout::settlement;
use crate::receipt::RequestLine;
use crate::row::{AttemptRow, BudgetRow, DecisionRow, Kept, Money, ReviewRow, Stage, Verdict};
use crate::terms::Unpayable;
use crate::undelivered;
use crate::{notice, refused};
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;

/// Maximum size of a payment header that is kept as it was sent, bytes.
const MAX_HEADER_BYTES: usize = 4096;

impl Treasury {
    /// Gives up a payment that was never signed.
    pub(super) fn release<B: Rows>(
        &self,
        books: &B,
        attempt: AttemptRow,
        mut decision: DecisionRow,
        why: Unpayable,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures);
        said.write(&mut decision, scene.now.secs());
        (decision.stage, decision.open) = (Stage::Final, false);
        decision.url = brief(&decision.url);
        let reply = self.receipts.reply(&decision);
        let id = attempt.id.clone();
        let counted = match decision.is_payout() {
            true => None,
            false => Some(denied(books, &decision.agent, scene.now)?),
        };
        let mut changes = self.void(books, attempt, scene.now)?;
        changes.extend(why.notice.map(|notice| Change::Outbox(*notice)));
        match counted {
            // As of other denials that are too many, nothing is kept.
            Some(None) => {
                changes.push(Change::Gone(Kept::Attempts, id));
                changes.push(Change::Gone(Kept::Decisions, decision.id));
            }
            Some(Some(agent)) => {
                changes.push(Change::Agent(agent));
                changes.push(Change::Decision(Box::new(decision)));
            }
            None => changes.push(Change::Decision(Box::new(decision))),
        }
        Ok(Decision { answer: Answer::Reply(reply), changes })
    }

    /// Gives up a payment that was interrupted before any of it was sent. An approval that it used
    /// serves again.
    pub(crate) fn interrupted<B: Rows>(
        &self,
        books: &B,
        attempt: AttemptRow,
        decision: &mut DecisionRow,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let now = scene.now;
        // What was signed uses it up: one decision signs once.
        let review = match &decision.review {
            Some(id) if attempt.header.is_none() && !planted(Mutant::CrashesUseApprovals) => {
                books.review(id)?
            }
            _ => None,
        };
        let is_usable = |it: &ReviewRow| it.verdict == Verdict::Used && now.secs() < it.expires;
        if let Some(mut review) = review.filter(is_usable) {
            let mut changes = self.void(books, attempt, now)?;
            review.verdict = Verdict::Approved;
            decision.attempt = Fresh::of(scene.random).attempt;
            let said = DecisionAnswer::new("deny", "policy_review_required", REVIEW);
            said.write(decision, now.secs());
            (decision.stage, decision.open) = (Stage::Review, true);
            changes.push(Change::Review(Box::new(review)));
            changes.push(Change::Decision(Box::new(decision.clone())));
            return Ok(changes);
        }
        let mut said =
            DecisionAnswer::new("execution_failed", "merchant_execution_failed", NOT_SENT);
        said.merchant = Some(merchant(503, Vec::new(), ""));
        said.evidence = Some(json!({"sent": false}));
        said.write(decision, now.secs());
        (decision.stage, decision.open) = (Stage::Final, false);
        let mut changes = self.void(books, attempt, now)?;
        changes.push(Change::Decision(Box::new(decision.clone())));
        Ok(changes)
    }

    /// Ends an attempt whose money never moves, and gives its budgets back.
    pub(crate) fn void<B: Rows>(
        &self,
        books: &B,
        mut attempt: AttemptRow,
        now: UnixTime,
    ) -> Result<Vec<Change>, B::Error> {
        let mut changes = Vec::new();
        let value = Amount::from_atomic(&attempt.value).ok();
        let worth = value.and_then(|value| worth(value, attempt.decimals));
        let counted = UnixTime::from_secs(attempt.counted);
        for scope in attempt.scopes() {
            let row = books.budget(&scope)?;
            let (Some(row), Some(worth)) = (row, worth) else { continue };
            let row: BudgetRow = row.at(now).minus(&attempt.symbol, worth, counted);
            changes.push(Change::Budget(row));
        }
        attempt.money = Money::Void;
        attempt.fence = attempt.fence.saturating_add(1);
        (attempt.lease, attempt.due, attempt.why) = (None, None, None);
        changes.push(ended(attempt));
        Ok(changes)
    }

    /// Takes a merchant's answer.
    pub(crate) fn answered<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        answer: &MerchantAnswer,
        sent: u32,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut held = match self.held(books, grant, Money::Signed)? {
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
        let outcome = match self.restored(&held.attempt, &parcel) {
            Some((prepared, _)) => Outcome::read(answer, &prepared, &parcel.url, repeated),
            None => Outcome::lost(),
        };
        let mut changes = match undelivered::is_delivered(outcome.name) {
            true => answers::taken(books, &mut held.decision)?,
            false => Vec::new(),
        };
        let decision = self.conclude(held, outcome, Some(answer), scene);
        changes.extend(decision.changes);
        answers::keep(books, &mut changes, scene.now)?;
        Ok(Decision { changes, ..decision })
    }

    /// Ends a decision. The money stays counted: only the chain knows what becomes of it.
    pub(crate) fn conclude(
        &self,
        held: Held,
        outcome: Outcome,
        answer: Option<&MerchantAnswer>,
        scene: Now<'_>,
    ) -> Decision {
        let Held { mut attempt, mut decision } = held;
        let now = scene.now.secs();
        let outcome = undelivered::known(outcome, &decision, &attempt);
        if outcome.has_receipt {
            attempt.receipt = Some(undelivered::told(attempt.receipt.take(), &outcome, now));
        }
        let is_open = undelivered::leaves_open(&outcome, &attempt) && !decision.is_payout();
        let mut said = DecisionAnswer::new(outcome.name, outcome.code, outcome.reason);
        let is_unknown = outcome.name == "inconclusive";
        let told = answer.filter(|_| !is_unknown);
        said.merchant = told.map(|it| merchant(it.status, shown(it), &it.body));
        let request = RequestLine::of(&decision);
        said.receipt = self.receipts.document(scene.organization, request, &attempt);
        let is_paid = outcome.name == "paid_fulfillment_failed";
        said.settlement = is_paid.then_some("merchant_verifiable_success");
        let is_told = outcome.name != "allow" || decision.is_payout();
        said.evidence = outcome.evidence.filter(|_| is_told);
        match outcome.is_repeated {
            true => self.receipts.put_into(&mut decision, &attempt, scene),
            false => said.write(&mut decision, now),
        }
        (decision.stage, decision.open) = (Stage::Final, is_open || is_unknown);
        attempt.lease = None;
        self.chain.schedule(&mut attempt, scene.now);
        if planted(Mutant::RefusalsAreVoid) && outcome.name == "execution_failed" {
            (attempt.money, attempt.due) = (Money::Void, None);
        }
        let is_sent = decision.is_payout() && outcome.name == "allow";
        if planted(Mutant::FacilitatorsAreBelieved) && is_sent {
            (attempt.money, attempt.due) = (Money::Spent, None);
        }
        let reply = self.receipts.reply(&decision);
        let mut changes = Vec::new();
        if outcome.is_conflict {
            let notice = notice::settlement_conflict(&decision, &attempt, scene.now);
            changes.push(Change::Outbox(notice));
        }
        if is_unknown && attempt.due.is_none() {
            // The chain is not read, so that no one learns more.
            let notice = notice::decision_inconclusive(&decision, &attempt, scene.now);
            changes.push(Change::Outbox(notice));
        }
        // What is open may be sent again, for a time.
        if is_open && attempt.due.is_none() {
            attempt.due = undelivered::end_of(&attempt);
        }
        changes.push(if is_open { Change::Attempt(Box::new(attempt)) } else { ended(attempt) });
        changes.push(Change::Decision(Box::new(decision)));
        Decision { answer: Answer::Reply(reply), changes }
    }

    /// Takes that no answer came. What never left moves no money; what the alarm sends was perhaps
    /// sent before.
    pub(crate) fn lost<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        sent: bool,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let held = match self.held(books, grant, Money::Signed)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let is_repeat = held.attempt.resends > 0 && !planted(Mutant::RepeatsWereNeverSent);
        if sent || is_repeat {
            return Ok(self.conclude(held, Outcome::lost(), None, scene));
        }
        let Held { attempt, mut decision } = held;
        let changes = self.interrupted(books, attempt, &mut decision, scene)?;
        Ok(Decision { answer: Answer::Reply(self.receipts.reply(&decision)), changes })
    }
}

/// The write of an attempt that is not sent any more: its request leaves. A merchant chooses how
/// long its terms are, and with them the header that pays them.
pub(crate) fn ended(mut attempt: AttemptRow) -> Change {
    if let Some((_, value)) = &mut attempt.header
        && value.len() > MAX_HEADER_BYTES
    {
        *value = hash::digest(&[b"farebox payment header", value.as_bytes()]);
    }
    Change::Ended(Box::new(attempt))
}
