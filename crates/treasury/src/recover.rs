//! The work of the alarm: it ends what a lost Worker left, and reads the chain until the money of
//! each payment is known to have moved, or to never move.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::attempt::{Held, ended};
use super::books::{Change, Rows};
use super::config::Treasury;
use super::kernel::{Grant, Job, Now};
use super::merchant::{Locality, origin};
use super::notice;
use super::outcome::Outcome;
use super::payout::response::failure_notice;
use super::row::{AttemptRow, DecisionRow, Money, ReceiptFacts, Stage};
use super::undelivered::{MARGIN_SECS, end_of, outlasts_transfer};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_ledger::inquiry::finding::{Finding, Verdict, verdict};

/// Maximum attempts that one alarm works on.
const MAX_JOBS: u32 = 8;
/// Maximum times that the alarm sends a payment.
const MAX_RESENDS: u32 = 3;
/// Seconds after which the operator is told of a payment without a known outcome.
const INCONCLUSIVE_SECS: u64 = 3600;

impl Treasury {
    /// Work on attempts that is due, with the writes that grant it.
    pub(super) fn due_attempts<B: Rows>(
        &self,
        books: &B,
        scene: Now<'_>,
    ) -> Result<(Vec<Job>, Vec<Change>), B::Error> {
        let (mut jobs, mut changes) = (Vec::new(), Vec::new());
        let mut gave_back = false;
        for mut attempt in books.due(scene.now.secs(), MAX_JOBS)? {
            let Some(mut decision) = books.decision(&attempt.decision)? else {
                (attempt.due, attempt.why) = (None, Some("no_decision".to_string()));
                changes.push(Change::Attempt(Box::new(attempt)));
                continue;
            };
            match (attempt.money, decision.stage) {
                // One at a time: each gives back to the same budgets.
                (Money::Reserved, _) if gave_back => {}
                (Money::Reserved, _) => {
                    changes.extend(self.interrupted(books, attempt, &mut decision, scene)?);
                    gave_back = true;
                }
                (Money::Signed, Stage::Executing) => {
                    let (job, writes) = self.again(books, attempt, decision, scene)?;
                    jobs.extend(job);
                    changes.extend(writes);
                }
                (Money::Signed, Stage::Review | Stage::Final) => {
                    jobs.extend(self.chain.ask_of(&mut attempt, scene.now));
                    let age = scene.now.secs_since(UnixTime::from_secs(attempt.counted));
                    let is_open = matches!(decision.outcome.as_str(), "inconclusive" | "unknown");
                    if is_open && age >= INCONCLUSIVE_SECS {
                        let told = notice::decision_inconclusive(&decision, &attempt, scene.now);
                        changes.push(Change::Outbox(told));
                    }
                    if attempt.due.is_some() {
                        changes.push(Change::Attempt(Box::new(attempt)));
                        continue;
                    }
                    // Nothing is left to find, nor to send again. What got an answer is over then.
                    decision.open = is_open;
                    changes.push(ended(attempt));
                    changes.push(Change::Decision(Box::new(decision)));
                }
                // It was sent again for a delivery that did not come.
                (Money::Spent, Stage::Executing) => {
                    attempt.fence = attempt.fence.saturating_add(1);
                    let held = Held { attempt, decision };
                    changes.extend(self.conclude(held, Outcome::lost(), None, scene).changes);
                }
                (Money::Spent | Money::Void, _) => {
                    (attempt.due, decision.open) = (None, false);
                    changes.push(ended(attempt));
                    changes.push(Change::Decision(Box::new(decision)));
                }
            }
        }
        Ok((jobs, changes))
    }

    /// Sends what a lost Worker may have sent once more, where that is safe; otherwise its decision
    /// ends without an outcome.
    fn again<B: Rows>(
        &self,
        books: &B,
        mut attempt: AttemptRow,
        decision: DecisionRow,
        scene: Now<'_>,
    ) -> Result<(Option<Job>, Vec<Change>), B::Error> {
        let now = scene.now;
        // Whoever held it holds it no more.
        if !planted(Mutant::LeasesKeepFences) {
            attempt.fence = attempt.fence.saturating_add(1);
        }
        let parcel = books.parcel(&attempt.id)?;
        let is_late = now.plus(MARGIN_SECS).secs() >= attempt.valid_before;
        let Some(parcel) = parcel.filter(|_| !is_late && attempt.resends < MAX_RESENDS) else {
            let held = Held { attempt, decision };
            return Ok((None, self.conclude(held, Outcome::lost(), None, scene).changes));
        };
        attempt.resends = attempt.resends.saturating_add(1);
        attempt.lease = Some(self.window.lease(now));
        attempt.due = attempt.lease;
        let order = self.order(&attempt, &parcel, now);
        // A token moves under a nonce once, whoever sends it.
        let is_safe = matches!(parcel.method.as_str(), "GET" | "HEAD") || attempt.is_payout();
        let gate = origin(&parcel.url, Locality::Local);
        let probe = gate.filter(|_| !is_safe && !planted(Mutant::PostsAreRepeated));
        let probe = probe.map(|origin| format!("{origin}/.well-known/farebox-keys.json"));
        let changes = Vec::from([Change::Attempt(Box::new(attempt))]);
        Ok((Some(Job::Send(order, probe)), changes))
    }

    /// Takes what the chain showed of an attempt.
    pub(super) fn attempt_read<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        finding: &Finding,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let Some(mut attempt) = books.attempt(grant.id)? else { return Ok(Vec::new()) };
        let Some(mut decision) = books.decision(&attempt.decision)? else { return Ok(Vec::new()) };
        let is_it = attempt.fence == grant.fence && attempt.money == Money::Signed;
        if !is_it || decision.stage == Stage::Executing {
            return Ok(Vec::new());
        }
        let now = scene.now;
        let end = UnixTime::from_secs(attempt.valid_before);
        let seen = |attempt: &mut AttemptRow, transaction: TxHash| {
            let fulfillment = match decision.outcome.as_str() {
                "inconclusive" => "inconclusive",
                _ => "failed",
            };
            let fresh = ReceiptFacts::seen(fulfillment, now.secs());
            let mut receipt = attempt.receipt.take().unwrap_or(fresh);
            receipt.transaction = Some(transaction.to_text());
            receipt.on_chain = true;
            if [ReceiptFacts::DOUBTED, ReceiptFacts::UNSHOWN].contains(&receipt.evidence.as_str()) {
                receipt.evidence = "settled".to_string();
            }
            receipt.status = "provisional".to_string();
            receipt.reconciliation = "in_progress".to_string();
            attempt.receipt = Some(receipt);
            attempt.why = None;
        };
        let was_open = decision.open;
        let claimed = attempt.receipt.as_ref().filter(|receipt| !receipt.on_chain);
        let claimed = claimed.and_then(|receipt| receipt.transaction.clone());
        match (finding, verdict(finding, end, now)) {
            (Finding::Unconfirmed { transaction }, _) if !planted(Mutant::OneBlockConfirms) => {
                seen(&mut attempt, *transaction);
                self.chain.schedule(&mut attempt, now);
            }
            (Finding::Unconfirmed { transaction }, _) => {
                let is_open = outlasts_transfer(&decision);
                self.confirm(&mut attempt, (*transaction, is_open), now, seen);
                decision.open = is_open;
            }
            (
                _,
                Verdict::Captured(transaction)
                | Verdict::Late(transaction)
                | Verdict::Early(transaction),
            ) => {
                let is_open = outlasts_transfer(&decision);
                self.confirm(&mut attempt, (transaction, is_open), now, seen);
                decision.open = is_open;
            }
            (Finding::Unused { .. }, Verdict::Open) if planted(Mutant::UnusedIsVoid) => {
                return self.expire(books, attempt, decision, scene);
            }
            (_, Verdict::Void) => return self.expire(books, attempt, decision, scene),
            (Finding::Unused { .. }, _) => {
                match &mut attempt.receipt {
                    Some(receipt) if receipt.on_chain => {
                        // A reorganization took it away; it may come again.
                        receipt.on_chain = false;
                        receipt.status = "provisional".to_string();
                        receipt.reconciliation = "required".to_string();
                    }
                    Some(receipt)
                        if receipt.transaction.is_some()
                            && !planted(Mutant::ClaimsOutliveReadings) =>
                    {
                        // The merchant named another payment's, or the node is late.
                        receipt.evidence = ReceiptFacts::DOUBTED.to_string();
                    }
                    Some(_) | None => {}
                }
                attempt.why = Some("unused".to_string());
            }
            // An attempt is signed once.
            (_, Verdict::Earlier(..) | Verdict::Unclear(_)) => {
                attempt.why = Some("unclear".to_string())
            }
            (Finding::Unreadable(why), _) => attempt.why = Some(why.code().to_string()),
            (_, Verdict::Open | Verdict::Unreadable) => {
                attempt.why = Some("open".to_string());
            }
        }
        let mut changes = Vec::new();
        let shown = attempt.receipt.as_ref().filter(|receipt| receipt.on_chain);
        let shown = shown.and_then(|receipt| receipt.transaction.as_ref());
        if claimed.is_some() && shown.is_some() && shown != claimed.as_ref() {
            let notice = notice::settlement_conflict(&decision, &attempt, now);
            changes.push(Change::Outbox(notice));
        }
        if was_open && shown.is_some() {
            self.receipts.put_into(&mut decision, &attempt, scene);
        }
        let is_over = was_open && !decision.open;
        changes.push(if is_over { ended(attempt) } else { Change::Attempt(Box::new(attempt)) });
        changes.push(Change::Decision(Box::new(decision)));
        Ok(changes)
    }

    /// Notes that the money has moved for good.
    fn confirm(
        &self,
        attempt: &mut AttemptRow,
        (transaction, is_open): (TxHash, bool),
        now: UnixTime,
        seen: impl Fn(&mut AttemptRow, TxHash),
    ) {
        seen(attempt, transaction);
        attempt.money = Money::Spent;
        attempt.due = if is_open { end_of(attempt) } else { None };
        if let Some(receipt) = &mut attempt.receipt {
            receipt.status = "confirmed".to_string();
            receipt.reconciliation = "resolved".to_string();
            receipt.evidence = "settled".to_string();
            receipt.confirmed = Some(now.secs());
        }
    }

    /// Notes that the money never moves, and gives the budgets back.
    fn expire<B: Rows>(
        &self,
        books: &B,
        mut attempt: AttemptRow,
        mut decision: DecisionRow,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let now = scene.now;
        if let Some(receipt) = &mut attempt.receipt {
            if !receipt.on_chain && !planted(Mutant::ClaimsAreKept) {
                // The merchant alone named it; it may be that of another payment.
                (receipt.transaction, receipt.evidence) = (None, ReceiptFacts::UNSHOWN.to_string());
            }
            receipt.on_chain = false;
            receipt.status = "expired_unconfirmed".to_string();
            receipt.reconciliation = "resolved".to_string();
        }
        if decision.open {
            self.receipts.put_into(&mut decision, &attempt, scene);
        }
        decision.open = false;
        let failed = match (attempt.is_payout(), &attempt.receipt) {
            (true, _) => Some(failure_notice(&decision, &attempt, now)),
            (false, Some(_)) => Some(notice::receipt_expired(&decision, &attempt, now)),
            (false, None) => None,
        };
        let mut changes = self.void(books, attempt, now)?;
        changes.extend(failed.map(Change::Outbox));
        changes.push(Change::Decision(Box::new(decision)));
        Ok(changes)
    }
}
