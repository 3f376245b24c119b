//! The meaning of a treasury's decision for an invocation. Spec: docs/treasury.md, "Decisions".

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::booking::{Bookings, Figures, Finish, pending};
use super::books::{Change, Rows};
use super::called::{FAILED, PAY_LEASE_MS, write_order};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Errand, MAX_BODY_BYTES, SellerAnswer, TreasuryAnswer};
use super::place::note_payment;
use super::replies::key_of;
use super::row::{Charges, Ending, InvocationRow, Moved, Phase};
use super::spend::{add_ending, find_spend, give_back, take_back};
use crate::grant::Grant;
use farebox_base::encoding::json;
use farebox_common::decision::{ENCODING, REMOVED, TRUNCATED};

/// Milliseconds for which a client's Worker asks again.
const ASK_MS: u64 = 30_000;
/// Milliseconds between two of its questions.
const AGAIN_MS: u64 = 1_000;
/// Milliseconds after which what the treasury does not know was never asked.
const UNASKED_MS: u64 = 180_000;
/// Most milliseconds between two looks.
const MAX_WAIT_MS: u64 = 3_600_000;
/// Looks after which what became of a payment is left open: the treasury asks the chain for a week.
pub(super) const MAX_LOOKS: u32 = 180;
/// Largest decision, bytes: a merchant's answer is in it, escaped.
const MAX_DECISION: usize = 8 * MAX_BODY_BYTES;
/// The error of an invocation that was not finished.
pub(super) const INTERRUPTED: &str = "interrupted";
/// The error of an answer that is too long.
const TOO_LARGE: &str = "response_too_large";

/// The meaning of a treasury's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// A decision that stays.
    Final(Box<FinalDecision>),
    /// It is being paid.
    Executing,
    /// Nothing was decided, for this reason.
    Refused(String),
    /// It knows of nothing under this key.
    Missing,
    /// Nothing that can be understood.
    Silent,
}

/// The transaction that a treasury names. That a payment has moved does not show the one that its
/// seller has named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum NamedTransaction {
    /// None.
    #[default]
    Unknown,
    /// One that the seller alone names; it may be that of another payment.
    Claimed(String),
    /// The one in which the chain shows, with enough confirmations, that this payment moved.
    Shown(String),
}

impl NamedTransaction {
    /// Reads it where its evidence stands beside it: in the headers of a look-up, or in a receipt that
    /// was written after the chain had confirmed it.
    fn read(answer: &TreasuryAnswer, receipt: &Value) -> Self {
        let text = |name: &str| receipt.get(name).and_then(Value::as_str).unwrap_or_default();
        let named = text("settlementIdentifier");
        let is_spent = answer.money.as_deref() == Some("spent");
        if let Some(tx) = answer.transaction.as_ref().filter(|_| is_spent) {
            return Self::Shown(tx.clone());
        }
        let key = text("canonicalSettlementKey").rsplit_once(':').map(|(_, tx)| tx);
        let is_confirmed = text("status") == "confirmed" && key == Some(named);
        match named {
            "" => Self::Unknown,
            _ if is_confirmed => Self::Shown(named.to_string()),
            _ => Self::Claimed(named.to_string()),
        }
    }
}

/// A final decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct FinalDecision {
    outcome: String,
    code: String,
    reason: String,
    answer: Option<SellerAnswer>,
    transaction: NamedTransaction,
    receipt: String,
    /// `status` of the receipt.
    standing: String,
    figures: Option<Figures>,
}

impl Word {
    fn read(answer: Option<&TreasuryAnswer>) -> Self {
        let Some(answer) = answer else { return Self::Silent };
        let body = json::parse_within(answer.body.as_bytes(), MAX_DECISION, 65_536);
        let body = body.unwrap_or(Value::Null);
        let text = |value: &Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default().to_string()
        };
        let outcome = text(&body, "outcome");
        match outcome.as_str() {
            "executing" => return Self::Executing,
            "allow"
            | "deny"
            | "preflight_failed"
            | "execution_failed"
            | "inconclusive"
            | "paid_fulfillment_failed" => {}
            _ => {
                let code = text(&body, "code");
                let is_missing = code == "not_found";
                return match answer.status {
                    404 if is_missing => Self::Missing,
                    // A page of something else says nothing.
                    404 if code.is_empty() => Self::Silent,
                    400 | 401 | 403 | 404 | 409 | 413 | 422 | 429 => {
                        let message = text(&body, "message");
                        let is_told = !message.is_empty();
                        Self::Refused(if is_told { message } else { FAILED.to_string() })
                    }
                    _ => Self::Silent,
                };
            }
        }
        let merchant = body.get("merchantResponse");
        let receipt = body.get("receipt").unwrap_or(&Value::Null);
        Self::Final(Box::new(FinalDecision {
            code: text(&body, "reasonCode"),
            reason: text(&body, "reason"),
            answer: merchant.map(read_merchant),
            transaction: NamedTransaction::read(answer, receipt),
            receipt: text(receipt, "receiptId"),
            standing: match answer.money.as_deref() {
                Some("spent") => "confirmed".to_string(),
                Some("void") => "void".to_string(),
                _ => text(receipt, "status"),
            },
            figures: answer.figures.as_deref().and_then(read_figures),
            outcome,
        }))
    }
}

/// Decisions of the treasury about the invocations of a market.
pub(super) struct PaymentDecisions<'m> {
    pub bookings: Bookings<'m>,
}

impl PaymentDecisions<'_> {
    /// Goes on after the treasury's answer, to a client's Worker or to the alarm.
    pub fn take_answer<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        answer: Option<&TreasuryAnswer>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let id = grant.id;
        let Some(row) = books.invocation(id)? else {
            return self.bookings.follow(books, id, moment);
        };
        let is_held = row.fence == grant.fence;
        if !is_held || !matches!(row.phase, Phase::Paying | Phase::Doubtful) {
            return self.bookings.answer_late(books, id);
        }
        let word = Word::read(answer);
        if row.phase == Phase::Doubtful {
            return self.clear(books, row, &word, moment);
        }
        match word {
            Word::Final(told) => self.settle(books, row, &told, moment),
            // A repeat that is refused says nothing of what was asked first.
            Word::Refused(why) if row.asks <= 1 && row.looks == 0 => {
                self.finish_unsigned(books, row, &Finish::failure(&why), moment)
            }
            Word::Missing if row.asks <= 1 && row.looks == 0 => {
                self.finish_unsigned(books, row, &Finish::failure(FAILED), moment)
            }
            Word::Missing
                if row.looks > 0 && moment.now >= row.invoked.saturating_add(UNASKED_MS) =>
            {
                self.finish_unsigned(books, row, &Finish::failure(INTERRUPTED), moment)
            }
            Word::Executing | Word::Refused(_) | Word::Missing | Word::Silent => {
                ask_again(books, row, moment)
            }
        }
    }

    /// Ends an invocation as its decision says.
    fn settle<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        told: &FinalDecision,
        moment: Now<'_>,
    ) -> Applied<B> {
        let FoundTransaction { tx, is_shown, displaced } =
            find_transaction(books, &row, told, moment.now)?;
        let row = InvocationRow { receipt: told.receipt.clone(), tx, is_shown, ..row };
        let failed = if told.reason.is_empty() { FAILED } else { told.reason.as_str() };
        // A merchant that shows no settlement may have taken nothing.
        let is_told = !row.tx.is_empty() || told.standing == "confirmed";
        let paid = if is_told { Moved::Yes } else { Moved::Unknown };
        let finish = match told.outcome.as_str() {
            "allow" if told.answer.as_ref().is_some_and(is_cut) => {
                Finish::paid_failed(paid, TOO_LARGE)
            }
            "allow" if told.answer.as_ref().is_some_and(has_left) => {
                Finish::paid_failed(paid, FAILED)
            }
            "allow" => Finish {
                ending: Ending::PaidOk,
                paid,
                error: "",
                answer: told.answer.as_ref(),
                figures: None,
            },
            "paid_fulfillment_failed" => Finish::paid_failed(Moved::Yes, FAILED),
            // Whoever refused what was signed can settle it until it ends.
            "inconclusive" | "execution_failed" => Finish::paid_failed(Moved::Unknown, FAILED),
            "deny" | "preflight_failed" if told.figures.is_some() => {
                Finish::unaffordable(told.figures.clone())
            }
            "deny" | "preflight_failed" => Finish::failure(failed),
            _ => Finish::failure(FAILED),
        };
        let nothing_was_signed = matches!(told.outcome.as_str(), "deny" | "preflight_failed");
        if nothing_was_signed && finish.ending == Ending::NotPaidFailed {
            return self.finish_unsigned(books, row, &finish, moment);
        }
        let ended = InvocationRow { paid: finish.paid, ..row.clone() };
        let place = note_payment(books, &ended, moment.now)?;
        let mut decision = self.bookings.finish(books, row, &finish, moment.now)?;
        decision.changes.splice(..0, displaced);
        decision.changes.extend(place);
        Ok(decision)
    }

    /// Ends an invocation of which nothing was signed: the day gets it back.
    fn finish_unsigned<B: Rows>(
        &self,
        books: &B,
        mut row: InvocationRow,
        finish: &Finish<'_>,
        moment: Now<'_>,
    ) -> Applied<B> {
        let mut spend = find_spend(books, &row)?;
        give_back(&mut spend, &mut row, moment.now);
        let day = (spend.day, spend.counted);
        let mut decision = self.bookings.finish(books, row, finish, moment.now)?;
        for change in &mut decision.changes {
            if let Change::Spend(spend) = change {
                (spend.day, spend.counted) = day.clone();
            }
        }
        Ok(decision)
    }

    /// The end of a payment whose end was not known.
    fn clear<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        word: &Word,
        moment: Now<'_>,
    ) -> Applied<B> {
        let told = match word {
            Word::Final(told) => told,
            Word::Executing | Word::Refused(_) | Word::Missing | Word::Silent => {
                return Ok(look_later(row, moment.now));
            }
        };
        let is_settled = row.ending == Ending::PaidFailed
            && matches!(told.outcome.as_str(), "allow" | "paid_fulfillment_failed");
        match told.standing.as_str() {
            "confirmed" => self.confirm(books, row, told, moment.now),
            "expired_unconfirmed" | "void" => {
                let mut spend = find_spend(books, &row)?;
                take_back(&mut spend, &row);
                let is_free = row.ending == Ending::PaidOk;
                let ending = if is_free { Ending::Free } else { Ending::NotPaidFailed };
                let (phase, paid) = (Phase::Done, Moved::No);
                let mut row = InvocationRow { phase, ending, paid, due: None, ..row };
                if is_free {
                    (row.amount, row.xlm) = ("0".to_string(), "0".to_string());
                }
                give_back(&mut spend, &mut row, moment.now);
                add_ending(&mut spend, &row);
                let told = self.bookings.retell(books, &row)?;
                let key = key_of(&row, moment.now);
                let mut changes =
                    Vec::from([Change::Invocation(Box::new(row)), Change::Spend(Box::new(spend))]);
                changes.extend(told.into_iter().chain(key));
                Ok(Decision { answer: Answer::Nothing, changes })
            }
            _ if is_settled => self.confirm(books, row, told, moment.now),
            _ => Ok(look_later(row, moment.now)),
        }
    }

    /// A payment that was in doubt and has moved: its totals are right already. It is looked at until
    /// its transaction is known.
    fn confirm<B: Rows>(
        &self,
        books: &B,
        row: InvocationRow,
        told: &FinalDecision,
        now: u64,
    ) -> Applied<B> {
        let FoundTransaction { tx, is_shown, displaced } =
            find_transaction(books, &row, told, now)?;
        if row.paid == Moved::Yes && tx.is_empty() {
            return Ok(look_later(row, now));
        }
        let (paid, receipt) = (Moved::Yes, told.receipt.clone());
        let (phase, due) = match tx.is_empty() {
            true => (Phase::Doubtful, Some(now.saturating_add(wait_ms(row.looks)))),
            false => (Phase::Done, None),
        };
        let row = InvocationRow { phase, paid, is_shown, tx, receipt, due, ..row };
        let place = note_payment(books, &row, now)?;
        let told = self.bookings.retell(books, &row)?;
        let own = Change::Invocation(Box::new(row));
        let changes = displaced.into_iter().chain(told).chain([own]).chain(place).collect();
        Ok(Decision { answer: Answer::Nothing, changes })
    }
}

/// Asks once more, or leaves it to the alarm.
fn ask_again<B: Rows>(books: &B, row: InvocationRow, moment: Now<'_>) -> Applied<B> {
    let now = moment.now;
    let is_early = now < row.invoked.saturating_add(ASK_MS);
    if row.looks > 0 || !is_early {
        let late = pending(&row.id);
        let due = Some(now.saturating_add(wait_ms(row.looks)));
        let row = InvocationRow { due, ..row };
        let answer = if row.looks > 0 { Answer::Nothing } else { Answer::Reply(late) };
        return Ok(Decision { answer, changes: Vec::from([Change::Invocation(Box::new(row))]) });
    }
    let owner = books.skill(&row.skill)?.map(|skill| skill.owner).unwrap_or_default();
    // Whoever asks is at it until the answer comes.
    let lease = now.saturating_add(PAY_LEASE_MS);
    let row = InvocationRow { asks: row.asks.saturating_add(1), lease, due: Some(lease), ..row };
    let order = write_order(&row, &owner, AGAIN_MS);
    let changes = Vec::from([Change::Invocation(Box::new(row))]);
    Ok(Decision { answer: Answer::Errand(Errand::Pay(Box::new(order))), changes })
}

/// The transaction of a payment.
struct FoundTransaction {
    /// Empty if it is not known, or another one's.
    tx: String,
    /// Whether more than a seller's word tells that it moved: the gate's, or a chain's.
    is_shown: bool,
    /// The change that takes it from an invocation of which only a seller has said so.
    displaced: Option<Change>,
}

fn find_transaction<B: Rows>(
    books: &B,
    row: &InvocationRow,
    told: &FinalDecision,
    now: u64,
) -> Result<FoundTransaction, B::Error> {
    let version = books.version(&row.skill, &row.version)?;
    let is_gates = version.is_some_and(|version| version.charges == Charges::Gate);
    let (named, is_chains) = match &told.transaction {
        NamedTransaction::Unknown => ("", false),
        NamedTransaction::Claimed(tx) => (tx.as_str(), false),
        NamedTransaction::Shown(tx) => (tx.as_str(), true),
    };
    let is_shown = is_gates || is_chains || row.is_shown;
    let found = |tx: &str, displaced| FoundTransaction { tx: tx.to_string(), is_shown, displaced };
    // What the chain shows is no other one's, and what was named before gives way to it.
    if named.is_empty() || !row.tx.is_empty() && (!is_chains || row.tx == named) {
        return Ok(found(&row.tx, None));
    }
    let Some(other) = books.invocation_by_tx(&row.network, named)? else {
        let departed = books.departed_by_tx(&row.network, named)?;
        return Ok(found(if departed.is_none() { named } else { "" }, None));
    };
    if other.id == row.id {
        return Ok(found(named, None));
    }
    // One that another invocation has is a merchant's lie: of this one, or of that.
    if !is_shown || other.is_shown {
        return Ok(found("", None));
    }
    // The other one is looked up anew, which tells its own.
    let (phase, due) = (Phase::Doubtful, Some(now.saturating_add(wait_ms(0))));
    let other = InvocationRow { tx: String::new(), phase, due, looks: 0, ..other };
    Ok(found(named, Some(Change::Invocation(Box::new(other)))))
}

fn look_later(row: InvocationRow, now: u64) -> Decision {
    let due = (row.looks < MAX_LOOKS).then(|| now.saturating_add(wait_ms(row.looks)));
    let row = InvocationRow { due, ..row };
    let changes = Vec::from([Change::Invocation(Box::new(row))]);
    Decision { answer: Answer::Nothing, changes }
}

/// Milliseconds before the next look.
pub(super) fn wait_ms(looks: u32) -> u64 {
    5_000_u64.saturating_mul(2_u64.saturating_pow(looks.min(12))).min(MAX_WAIT_MS)
}

/// Whether the treasury has cut a merchant's answer. Spec: docs/treasury.md, "Decisions".
fn is_cut(answer: &SellerAnswer) -> bool {
    answer.headers.iter().any(|(name, value)| name == TRUNCATED && value == "true")
}

/// Whether the treasury tells a decision without what the merchant answered. Spec:
/// docs/treasury.md, "What is kept".
fn has_left(answer: &SellerAnswer) -> bool {
    answer.headers.iter().any(|(name, value)| name == REMOVED && value == "true")
}

/// A merchant's answer as the treasury passes it on.
fn read_merchant(merchant: &Value) -> SellerAnswer {
    let text = |name: &str| merchant.get(name).and_then(Value::as_str).unwrap_or_default();
    let status = merchant.get("status").and_then(Value::as_u64).unwrap_or_default();
    let mut headers = Vec::new();
    if let Some(fields) = merchant.get("headers").and_then(Value::as_object) {
        for (name, value) in fields {
            let value = value.as_str().unwrap_or_default().to_string();
            headers.push((name.to_ascii_lowercase(), value));
        }
    }
    let status = u32::try_from(status).unwrap_or_default();
    let base64 = headers.iter().any(|(name, value)| name == ENCODING && value == "base64");
    SellerAnswer { status, headers, body: text("body").to_string(), base64 }
}

/// `required` and `available` of `Farebox-Figures`, atomic units.
fn read_figures(text: &str) -> Option<Figures> {
    let find = |name: &str| {
        let part = text.split(',').find_map(|part| part.trim().strip_prefix(name))?;
        let value = part.strip_prefix('=')?.trim();
        let is_atomic =
            (1..=78).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit());
        is_atomic.then(|| value.to_string())
    };
    Some(Figures { required: find("required")?, available: find("available")? })
}
