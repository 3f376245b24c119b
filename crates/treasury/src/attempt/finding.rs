//! Findings of the chain about a payment: it has moved, or never does, or is not known yet.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::report::Reports;
use super::{Held, end, end_unmoved};
use crate::books::{Change, Rows};
use crate::kernel::{Grant, Now};
use crate::notice;
use crate::payout::response::failure_notice;
use crate::row::{AttemptRow, Money, ReceiptFacts, Stage};
use crate::undelivered::{end_of, outlasts_transfer};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_ledger::inquiry::finding::{Finding, Verdict, verdict};

impl Reports<'_> {
    /// Takes what the chain showed of an attempt.
    pub fn take_finding<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        finding: &Finding,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let Some(attempt) = books.attempt(grant.id)? else { return Ok(Vec::new()) };
        let Some(decision) = books.decision(&attempt.decision)? else { return Ok(Vec::new()) };
        let is_it = attempt.fence == grant.fence && attempt.money == Money::Signed;
        if !is_it || decision.stage == Stage::Executing {
            return Ok(Vec::new());
        }
        let (now, until) = (scene.now, UnixTime::from_secs(attempt.valid_before));
        let was_open = decision.open;
        let claimed = attempt.receipt.as_ref().filter(|receipt| !receipt.on_chain);
        let claimed = claimed.and_then(|receipt| receipt.transaction.clone());
        let mut held = Held { attempt, decision };
        match (finding, verdict(finding, until, now)) {
            (Finding::Unconfirmed { transaction }, _) => {
                show(&mut held, *transaction, now);
                self.chain.schedule(&mut held.attempt, now);
            }
            (
                _,
                Verdict::Captured(transaction)
                | Verdict::Late(transaction)
                | Verdict::Early(transaction),
            ) => confirm(&mut held, transaction, now),
            (_, Verdict::Void) => return self.expire(books, held, scene),
            (Finding::Unused { .. }, _) => doubt(&mut held.attempt),
            // An attempt is signed once.
            (_, Verdict::Earlier(..) | Verdict::Unclear(_)) => {
                held.attempt.why = Some("unclear".to_string());
            }
            (Finding::Unreadable(why), _) => held.attempt.why = Some(why.code().to_string()),
            (_, Verdict::Open | Verdict::Unreadable) => {
                held.attempt.why = Some("open".to_string());
            }
        }
        let Held { attempt, mut decision } = held;
        let mut changes = Vec::new();
        let shown = attempt.receipt.as_ref().filter(|receipt| receipt.on_chain);
        let shown = shown.and_then(|receipt| receipt.transaction.as_ref());
        let is_other = claimed.is_some() && shown != claimed.as_ref();
        if is_other && shown.is_some() {
            let notice = notice::settlement_conflict(&decision, &attempt, scene);
            changes.push(Change::Outbox(notice));
        }
        // A decision never names another transaction than the chain shows, also one that is over.
        let is_news = was_open || is_other;
        if is_news && shown.is_some() {
            self.receipts.put_into(&mut decision, &attempt, scene);
        }
        let is_over = was_open && !decision.open;
        changes.push(if is_over { end(attempt) } else { Change::Attempt(Box::new(attempt)) });
        changes.push(Change::Decision(Box::new(decision)));
        Ok(changes)
    }

    /// Notes that the money never moves, and gives the budgets back.
    fn expire<B: Rows>(
        &self,
        books: &B,
        held: Held,
        scene: Now<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let Held { mut attempt, mut decision } = held;
        let now = scene.now;
        if let Some(receipt) = &mut attempt.receipt {
            if !receipt.on_chain {
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
            (true, _) => Some(failure_notice(&decision, &attempt, scene)),
            (false, Some(_)) => Some(notice::receipt_expired(&decision, &attempt, scene)),
            (false, None) => None,
        };
        let mut changes = end_unmoved(books, attempt, now)?;
        changes.extend(failed.map(Change::Outbox));
        changes.push(Change::Decision(Box::new(decision)));
        Ok(changes)
    }
}

/// Notes the transaction in which the chain shows the transfer.
fn show(held: &mut Held, transaction: TxHash, now: UnixTime) {
    let Held { attempt, decision } = held;
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
}

/// Notes that the money has moved for good.
fn confirm(held: &mut Held, transaction: TxHash, now: UnixTime) {
    let is_open = outlasts_transfer(&held.decision);
    show(held, transaction, now);
    let Held { attempt, decision } = held;
    attempt.money = Money::Spent;
    attempt.due = if is_open { end_of(attempt) } else { None };
    if let Some(receipt) = &mut attempt.receipt {
        receipt.status = "confirmed".to_string();
        receipt.reconciliation = "resolved".to_string();
        receipt.evidence = "settled".to_string();
        receipt.confirmed = Some(now.secs());
    }
    decision.open = is_open;
}

/// Notes that the chain does not show the transfer.
fn doubt(attempt: &mut AttemptRow) {
    match &mut attempt.receipt {
        Some(receipt) if receipt.on_chain => {
            // A reorganization took it away; it may come again.
            receipt.on_chain = false;
            receipt.status = "provisional".to_string();
            receipt.reconciliation = "required".to_string();
        }
        Some(receipt) if receipt.transaction.is_some() => {
            // The merchant named another payment's, or the node is late.
            receipt.evidence = ReceiptFacts::DOUBTED.to_string();
        }
        Some(_) | None => {}
    }
    attempt.why = Some("unused".to_string());
}
