//! The rows that leave the books after `KEEP_DAYS`: decisions that have ended, with their attempts
//! and receipts, reviews, and lines of the log. What costs an agent nothing leaves before: payments
//! that never moved, what a review shows that is over, and the [`answers`] of merchants.
//!
//! Once a day the alarm goes through them in steps. Open rows stay. A payment that was signed
//! leaves a [`Trace`] of its key, and of its nonce if that follows from anything, so that neither is
//! paid again.

pub(super) mod answers;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::mem;

use super::books::{Change, Rows};
use super::decide::denial::brief;
use super::row::{
    AttemptRow, DecisionRow, Kept, Money, PAYOUTS, Removal, ReviewRow, Stage, Trace, Verdict,
};
use farebox_base::hash;
use farebox_base::time::UnixTime;

/// Rows that one step looks at.
const STEP: u32 = 50;
/// Seconds after which what costs an agent nothing leaves.
const EARLY_SECS: u64 = 7 * 86_400;
/// Seconds from the end of a round to the next one.
const ROUND_SECS: u64 = 86_400;

impl Removal {
    /// The removal of an organization that begins.
    #[must_use]
    pub const fn new(now: UnixTime) -> Self {
        Self {
            due: now.plus(ROUND_SECS).secs(),
            kind: Kept::Decisions,
            after: (0, String::new()),
            since: 0,
            early: 0,
            rest: None,
        }
    }

    /// Notes where a round begins: some rows that are younger are looked at twice.
    fn begin(&mut self) {
        let is_first = self.kind == Kept::Decisions && self.after == (0, String::new());
        if is_first {
            self.rest = Some(UnixTime::from_secs(self.due).minus(EARLY_SECS).secs());
        }
    }

    /// Notes a row of this time of which more is to become: the next round looks at it again.
    fn note_open(&mut self, at: u64) {
        self.rest = self.rest.map(|rest| rest.min(at));
    }

    /// The next kind of rows; after the last one the round is over.
    fn turn(&mut self, now: UnixTime) {
        self.after = (0, String::new());
        self.kind = match self.kind {
            Kept::Decisions => Kept::Attempts,
            Kept::Attempts => Kept::Reviews,
            Kept::Reviews => Kept::Log,
            Kept::Log => {
                self.early = self.rest.take().unwrap_or(self.early);
                self.due = now.plus(ROUND_SECS).secs();
                Kept::Decisions
            }
        };
    }
}

/// The name of the trace of a key.
pub(super) fn of_key(agent: &str, key: &str) -> String {
    hash::digest(&[b"farebox removed key", agent.as_bytes(), key.as_bytes()])
}

/// The name of the trace of a nonce: [`AttemptRow::payment`].
pub(super) fn of_payment(payment: &str) -> String {
    hash::digest(&[b"farebox removed payment", payment.as_bytes()])
}

/// A step of the removal, or of that of answers, if one is due: after its last one it is not any
/// more.
pub(super) fn remove<B: Rows>(
    books: &B,
    keep_secs: u64,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let Some(mut removal) = books.removal()?.filter(|it| now.secs() >= it.due) else {
        return answers::clear(books, now);
    };
    removal.begin();
    let before = now.minus(keep_secs).secs();
    let early = if removal.kind == Kept::Log { before } else { now.minus(EARLY_SECS).secs() };
    let found = books.oldest(&removal, early, STEP)?;
    let mut changes = Vec::new();
    for (at, id) in &found {
        let is_old = removal.kind == Kept::Log || *at < before;
        let gone = match removal.kind {
            Kept::Decisions if is_old => old_decision(books, id, before, now)?,
            Kept::Decisions => Vec::new(),
            Kept::Attempts => old_attempt(books, id)?,
            Kept::Reviews if is_old => old_review(books, id, now)?,
            Kept::Reviews => Vec::new(),
            Kept::Log => Vec::from([Change::Gone(Kept::Log, id.clone())]),
        };
        if is_old && !gone.is_empty() {
            removal.since = removal.since.max(before);
        }
        let gone = match removal.kind {
            Kept::Decisions if gone.is_empty() => early_decision(books, id, now)?,
            Kept::Reviews if gone.is_empty() => early_review(books, id, now)?,
            Kept::Decisions | Kept::Attempts | Kept::Reviews | Kept::Log => Some(gone),
        };
        match gone {
            Some(gone) => changes.extend(gone),
            // What is old is looked at in each round.
            None if is_old => {}
            None => removal.note_open(*at),
        }
    }
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found >= STEP);
    match found.into_iter().next_back().filter(|_| is_full) {
        // What lies between was looked at, and is not old.
        Some((at, _)) if removal.kind != Kept::Log && (before..removal.early).contains(&at) => {
            removal.after = (removal.early, String::new());
        }
        Some(last) => removal.after = last,
        None => removal.turn(now),
    }
    changes.push(Change::Removal(removal));
    Ok(changes)
}

/// The writes that take a decision out with its attempt; none while it may still change.
fn old_decision<B: Rows>(
    books: &B,
    id: &str,
    before: u64,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let is_old = |row: &DecisionRow| row.changed < before && row.leaves.is_none();
    let Some(row) = books.decision(id)?.filter(is_old) else {
        return Ok(Vec::new());
    };
    let attempt = books.attempt(&row.attempt)?;
    let has_ended = match row.stage {
        Stage::Executing => false,
        Stage::Final => true,
        Stage::Review => !books.review_of(&row)?.is_some_and(|review| is_live(&review, now)),
    };
    let is_open = attempt.as_ref().is_some_and(may_change);
    if !has_ended || is_open {
        return Ok(Vec::new());
    }
    Ok(take_out(row, attempt, now))
}

/// The writes that take a decision out with its attempt, and leave the traces of that.
fn take_out(row: DecisionRow, attempt: Option<AttemptRow>, now: UnixTime) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(attempt) = attempt {
        let names = traces(&row, &attempt).into_iter();
        changes.extend(names.map(|name| Change::Trace(Trace { name, at: now.secs() })));
        changes.push(Change::Gone(Kept::Attempts, attempt.id));
    }
    changes.push(Change::Gone(Kept::Decisions, row.id));
    changes
}

/// The writes that take an agent's payment out that never moved, and shorten the URL of what paid
/// nothing; `None` while more is to become of it.
fn early_decision<B: Rows>(
    books: &B,
    id: &str,
    now: UnixTime,
) -> Result<Option<Vec<Change>>, B::Error> {
    let Some(mut row) = books.decision(id)?.filter(|row| row.stage != Stage::Executing) else {
        return Ok(None);
    };
    let attempt = books.attempt(&row.attempt)?;
    if let Some(attempt) = attempt {
        if may_change(&attempt) || row.leaves.is_some() {
            return Ok(None);
        }
        let leaves = attempt.money == Money::Void && !row.is_payout();
        return Ok(Some(if leaves { take_out(row, Some(attempt), now) } else { Vec::new() }));
    }
    let url = brief(&row.url);
    if books.review_of(&row)?.is_some_and(|review| is_live(&review, now)) {
        return Ok(None);
    }
    if url == row.url {
        return Ok(Some(Vec::new()));
    }
    row.url = url;
    Ok(Some(Vec::from([Change::Decision(Box::new(row))])))
}

/// The write of a review that is over without the request that it showed; `None` if it is not over.
fn early_review<B: Rows>(
    books: &B,
    id: &str,
    now: UnixTime,
) -> Result<Option<Vec<Change>>, B::Error> {
    let Some(mut review) = books.review(id)?.filter(|review| !is_live(review, now)) else {
        return Ok(None);
    };
    let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
    let (body, fields) = (mem::take(&mut review.body), mem::take(&mut review.headers));
    review.body_cut = review.body_cut.saturating_add(count(body.len()));
    let bytes = fields.iter().map(|(name, value)| name.len().saturating_add(value.len()));
    review.headers_cut = bytes.fold(review.headers_cut, |sum, it| sum.saturating_add(count(it)));
    let url = brief(&review.url);
    let is_short = body.is_empty() && fields.is_empty() && url == review.url;
    review.url = url;
    Ok(Some(if is_short { Vec::new() } else { Vec::from([Change::Review(Box::new(review))]) }))
}

/// Whether something is still to be done or learnt about an attempt.
fn may_change(attempt: &AttemptRow) -> bool {
    attempt.due.is_some() || attempt.money == Money::Reserved
}

/// The traces of a payment that was signed. A nonce that was drawn comes by itself never again.
fn traces(row: &DecisionRow, attempt: &AttemptRow) -> Vec<String> {
    let Some((header, _)) = &attempt.header else { return Vec::new() };
    let key = row.key.as_deref().filter(|_| row.client_key().is_some());
    let mut names: Vec<String> = key.map(|key| of_key(&row.agent, key)).into_iter().collect();
    let is_charge = header.eq_ignore_ascii_case("authorization")
        || header.eq_ignore_ascii_case("payment-authorization");
    if attempt.agent == PAYOUTS || is_charge {
        names.push(of_payment(&attempt.payment()));
    }
    names
}

/// The write that takes an attempt out whose decision has left, or has another attempt.
fn old_attempt<B: Rows>(books: &B, id: &str) -> Result<Vec<Change>, B::Error> {
    let Some(attempt) = books.attempt(id)?.filter(|attempt| !may_change(attempt)) else {
        return Ok(Vec::new());
    };
    let decision = books.decision(&attempt.decision)?;
    let has_it = decision.is_some_and(|decision| decision.attempt == attempt.id);
    let is_signed = attempt.header.is_some();
    let may = !has_it && !is_signed;
    Ok(may.then_some(Change::Gone(Kept::Attempts, attempt.id)).into_iter().collect())
}

/// The write that takes a review out that can let nothing be paid any more.
fn old_review<B: Rows>(books: &B, id: &str, now: UnixTime) -> Result<Vec<Change>, B::Error> {
    let Some(review) = books.review(id)?.filter(|review| !is_live(review, now)) else {
        return Ok(Vec::new());
    };
    let decision = books.decision(&review.decision)?;
    let may = decision.is_none_or(|row| row.review.as_ref() != Some(&review.id));
    Ok(may.then_some(Change::Gone(Kept::Reviews, review.id)).into_iter().collect())
}

const fn is_live(review: &ReviewRow, now: UnixTime) -> bool {
    matches!(review.verdict, Verdict::Open | Verdict::Approved) && !review.is_over(now.secs())
}

/// When the rows that are there begin to be complete, as it is told; `None` if they always were.
pub(super) fn complete_since<B: Rows>(books: &B) -> Result<Option<String>, B::Error> {
    let since = books.removal()?.map(|removal| removal.since).filter(|since| *since > 0);
    Ok(since.map(|since| UnixTime::from_secs(since).rfc3339()))
}
