//! Recovery of a row without a holder: sent again, looked up on the chain, closed, owed, given up.
//!
//! The object asks [`Entry::due`] for the work and its time, does it, and reports the result to
//! [`Entry::rest`], [`Entry::apply`] or [`Entry::learn`]. Only the chain proves that an
//! authorization is void. Without that proof, a payment that may have been submitted is never
//! called void or owed by guess.

use alloc::string::String;
use alloc::vec::Vec;

use super::claim::RESUME_SECS;
use super::doubt::{Relief, relief};
use super::note::owed;
use super::pay_back::RefundPlan;
use super::{Entry, Taken};
use crate::command::{Answer, ChainVerdict, Command, Mode, SignedTerms};
use crate::state::{Requester, State, Undelivered, Why};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// Seconds after `validBefore` until the chain can prove that an authorization was never used.
const VOID_MARGIN_SECS: u64 = 60;
/// Seconds after `validBefore` until a row that was never submitted closes unseen.
const CLOSE_SECS: u64 = 600;
/// Seconds after `validBefore` until a row for which no money was asked is removed.
const FORGET_SECS: u64 = 3600;
/// Seconds of doubt in which the chain is read at the shorter interval.
const CLOSE_WATCH_SECS: u64 = 600;

/// Recovery times of the configuration, seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Delays after which the same payment is sent again.
    pub resend_secs: Vec<u64>,
    /// Intervals between two looks at the chain: in the first 10 minutes, and later.
    pub chain_secs: [u64; 2],
    /// Wait of a paid request to be collected, seconds.
    pub refund_secs: u64,
    /// Age of a doubt at which the operator has to look, seconds.
    pub manual_secs: u64,
    /// CAIP-2 ids of the networks whose chain can be looked at.
    pub readable: Vec<String>,
    /// The second since which the rows are known: before it a restore may have lost some, and a debt
    /// may have been paid back.
    pub known_since: u64,
    /// The treasury that pays debts back, if one does.
    pub refunds: Option<RefundPlan>,
}

/// Reader of the chain whose verdict is recorded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum VerdictReader {
    /// The request that has begun the row, holds the origin's response and still waits; with the
    /// fence of its last record.
    Owner(Option<u64>),
    /// A repeat, or the alarm.
    Other,
}

impl Plan {
    fn reads(&self, network: &str) -> bool {
        self.readable.iter().any(|known| known == network)
    }
}

/// Recovery work of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Ends the expired lease of its holder.
    Lapse,
    /// Sends the same payment to the same facilitator once more.
    Resend,
    /// Looks at the chain.
    Read,
    /// Closes the row: its chain cannot be read, or no money was asked for.
    Close,
    /// Records that a refund is due: no client collected the result.
    Refund,
    /// Leaves the row to the operator.
    GiveUp,
    /// Removes the row: no money was asked for, and none can be any more.
    Forget,
    /// Records a debt that no client has shown to be paid in time; the operator hears of it.
    Owe,
    /// Asks the treasury to pay the debt back.
    PayBack,
}

impl Entry {
    /// The next work of this row and its time, if any.
    #[must_use]
    pub fn due(&self, plan: &Plan, now: UnixTime) -> Option<(UnixTime, Work)> {
        if let Some(until) = self.wake_at() {
            return Some((until, Work::Lapse));
        }
        let ends = self.ends();
        let reads_chain = plan.reads(&self.payment.network) && !self.payment.is_deferred();
        match &self.state {
            State::Unknown { since, sent, .. } => {
                let give_up = since.plus(plan.manual_secs);
                let read = reads_chain.then(|| self.next_read(*since, *sent, plan, now));
                let next = match relief(self.alarm_sends_at(*sent, &plan.resend_secs), read) {
                    Relief::Send(at) => (at, Work::Resend),
                    Relief::Look(at) => (at, Work::Read),
                    Relief::Leave => (give_up, Work::GiveUp),
                };
                // Who has slept past that time looks once before a person has to.
                let looked = self.watch.read.is_some_and(|read| read >= give_up);
                Some(match next {
                    _ if next.0 < give_up => next,
                    _ if reads_chain && !looked => (give_up, Work::Read),
                    _ if self.is_only_named() => (give_up, Work::Close),
                    _ => (give_up, Work::GiveUp),
                })
            }
            State::Refused { since, .. } if reads_chain => {
                Some(self.read_or_close(self.next_read(*since, *since, plan, now), plan))
            }
            State::Released | State::Abandoned if reads_chain => {
                let provable = ends.plus(VOID_MARGIN_SECS).plus(1);
                let [_, later] = plan.chain_secs;
                let again = self.watch.read.map_or(provable, |read| read.plus(later));
                Some(self.read_or_close(again.max(provable), plan))
            }
            State::Refused { .. } | State::Released | State::Abandoned => {
                // What was read before is read again once its node is back in the settings.
                let was_read = self.watch.read.is_some();
                let secs = if was_read { plan.manual_secs.max(CLOSE_SECS) } else { CLOSE_SECS };
                Some((ends.plus(secs), Work::Close))
            }
            State::Settled { since, .. } => {
                Some((since.plus(plan.refund_secs).max(ends), Work::Refund))
            }
            State::Void | State::Closed if !self.watch.asked => {
                Some((ends.plus(FORGET_SECS), Work::Forget))
            }
            State::RefundDue { .. } => match self.yields_until() {
                Some(at) => Some((at, Work::Owe)),
                _ => self.pays_back_at(plan).map(|at| (at, Work::PayBack)),
            },
            State::Executing(_)
            | State::Settling(_)
            | State::Delivering { .. }
            | State::Delivered { .. }
            | State::Sold { .. }
            | State::Void
            | State::Closed
            | State::Refunded { .. }
            | State::Waived { .. }
            | State::Manual { .. } => None,
        }
    }

    /// Whether it is for a transaction that a client has named, and no money was asked for: naming
    /// one costs nothing, so that no person has to look into it.
    fn is_only_named(&self) -> bool {
        self.payment.is_onchain() && !self.watch.asked
    }

    /// Whether a command reports a look at the chain that shows nothing of it.
    pub(crate) fn learns_nothing(&self, command: &Command) -> bool {
        matches!(command, Command::Learn { learnt: ChainVerdict::Nothing, signed, .. }
            if *signed == self.payment.signing.times)
    }

    /// Closes it if the last look has shown its transaction in no block. Without a block no refund is
    /// owed; showing the transaction again restarts the search.
    pub(crate) fn close_unmined(mut self, plan: &Plan, now: UnixTime) -> Self {
        if let State::Unknown { since, resend: None, .. } = self.state
            && self.payment.is_onchain()
            && now >= since.plus(plan.manual_secs)
        {
            self.state = State::Closed;
        }
        self
    }

    /// Looks at the chain, or closes the row if the chain has shown nothing for the longest time of
    /// doubt.
    fn read_or_close(&self, read: UnixTime, plan: &Plan) -> (UnixTime, Work) {
        let secs = plan.manual_secs.max(CLOSE_SECS);
        let close = UnixTime::from_secs(self.payment.last_end()).plus(secs);
        if read >= close { (close, Work::Close) } else { (read, Work::Read) }
    }

    /// Time of the next look at the chain: frequent in the first minutes, then rarer, and frequent
    /// again once the chain can prove it void.
    fn next_read(&self, since: UnixTime, sent: UnixTime, plan: &Plan, now: UnixTime) -> UnixTime {
        let [soon, later] = plan.chain_secs;
        let provable = UnixTime::from_secs(self.payment.last_end()).plus(VOID_MARGIN_SECS).plus(1);
        let Some(read) = self.watch.read else { return sent.plus(soon) };
        let young = now < since.plus(CLOSE_WATCH_SECS);
        let usual = if young { soon } else { later };
        // A transaction that enters no block never expires, so the interval grows with the wait.
        let waited = read.secs_since(since).checked_div(2).unwrap_or(0);
        let next = read.plus(if self.payment.is_onchain() { usual.max(waited) } else { usual });
        if read < provable && !self.payment.is_onchain() {
            next.min(provable.max(read.plus(soon)))
        } else {
            next
        }
    }

    /// Does the work that needs no call: leases, closing, refunds, giving up.
    #[must_use]
    pub fn rest(self, work: Work, now: UnixTime) -> Self {
        let mut entry = self.lapse(now);
        entry.watch.asked |= work == Work::Owe;
        let is_left = entry.is_left(now);
        entry.state = match (work, entry.state) {
            (
                Work::Close,
                State::Unknown { .. } | State::Refused { .. } | State::Released | State::Abandoned,
            ) => State::Closed,
            (Work::Refund, State::Settled { transaction, .. }) => not_fetched(transaction, now),
            (Work::Refund, State::Delivered { transaction }) if is_left => {
                entry.sealed = false;
                not_fetched(transaction, now)
            }
            (Work::GiveUp, State::Unknown { transaction, .. }) => {
                State::Manual { why: Why::Overdue, transaction }
            }
            (_, state) => state,
        };
        entry
    }

    /// Records a verdict of the chain. Work in progress is left to its holder. A transfer counts
    /// even if another row names its transaction: the reader matched this payment's own use with
    /// its own `Transfer`, and one transaction may bundle several. A plain transfer offers no such
    /// match, so one that belongs to another payment is not this one's.
    pub(super) fn learn(
        mut self,
        learnt: ChainVerdict,
        reader: VerdictReader,
        taken: Taken,
        now: UnixTime,
    ) -> (Self, Answer) {
        let learnt = match learnt {
            ChainVerdict::Captured(text) | ChainVerdict::Late(text)
                if taken == Taken::Yes && self.payment.is_onchain() =>
            {
                ChainVerdict::Contradiction(text)
            }
            learnt => learnt,
        };
        self.watch.read = Some(now);
        let since = self.doubted_since(now);
        let rests = matches!(
            self.state,
            State::Unknown { resend: None, .. }
                | State::Refused { resend: None, .. }
                | State::Released
                | State::Abandoned
                | State::Closed
        );
        if !rests {
            return self.learnt_again(&learnt, reader, now);
        }
        let doubted = matches!(self.state, State::Unknown { .. } | State::Refused { .. });
        let transaction = self.transaction_of(&learnt);
        let learnt = match learnt {
            ChainVerdict::Earlier(text, terms) if transaction.is_some() => {
                return self.learn_earlier(text, terms, reader, taken, now);
            }
            learnt => learnt,
        };
        let never_ran = self.is_unsent()
            || matches!(self.state, State::Released) && self.payment.mode == Mode::Before;
        match (&learnt, transaction) {
            (ChainVerdict::Captured(_), Some(transaction)) => {
                if doubted && (reader != VerdictReader::Other || !never_ran) {
                    let to = match reader {
                        VerdictReader::Owner(_) => Requester::Claimer,
                        VerdictReader::Other => Requester::UnprovenRepeat,
                    };
                    self.grant_to(reader);
                    return self.captured(transaction, to, now);
                }
                self.state = if never_ran {
                    // Another party made the header public at an unknown time: it resumes nothing
                    // without further proof.
                    let since = since.minus(RESUME_SECS.saturating_add(1));
                    State::Settled { transaction, since }
                } else {
                    State::RefundDue {
                        transaction,
                        why: Undelivered::LetGo,
                        since,
                        refunding: None,
                    }
                };
            }
            (ChainVerdict::Late(_), Some(transaction)) => self.state = owed(transaction, now),
            (ChainVerdict::Void, _) => self.state = State::Void,
            (ChainVerdict::Contradiction(_), Some(transaction)) => {
                self.state = State::Manual { why: Why::PaidBefore, transaction: Some(transaction) };
            }
            (
                ChainVerdict::Captured(_)
                | ChainVerdict::Contradiction(_)
                | ChainVerdict::Late(_)
                | ChainVerdict::Earlier(..)
                | ChainVerdict::Nothing
                | ChainVerdict::Unread,
                _,
            ) => {}
        }
        (self, Answer::Recorded)
    }

    /// Lets the reader of a verdict go on. Whoever sent it last may still say that it moved, and works
    /// for it no more, unless it is the owner itself. An owner whose answer is lost comes once more
    /// with the fence that it had.
    fn grant_to(&mut self, reader: VerdictReader) {
        if reader == VerdictReader::Owner(Some(self.fence)) {
            return;
        }
        let granted = self.grant();
        if let VerdictReader::Owner(Some(own)) = reader {
            self.watch.behind = u16::try_from(granted.saturating_sub(own)).unwrap_or(0);
        }
    }

    /// Answers an owner whose verdict the row has recorded, and who has lost the answer.
    fn learnt_again(
        self,
        learnt: &ChainVerdict,
        reader: VerdictReader,
        now: UnixTime,
    ) -> (Self, Answer) {
        let named = self.transaction_of(learnt);
        let holds = matches!(reader, VerdictReader::Owner(Some(own)) if self.is_held_by(own));
        if !holds || named.is_none() || named != self.owned() {
            return (self, Answer::Recorded);
        }
        match self.say_again(now) {
            (entry, Answer::Replay(_)) => {
                let fence = entry.fence;
                (entry, Answer::Granted { fence })
            }
            (entry, Answer::Stale) => (entry, Answer::Recorded),
            told => told,
        }
    }

    /// The transaction that a verdict names.
    fn transaction_of(&self, learnt: &ChainVerdict) -> Option<TxHash> {
        match learnt {
            ChainVerdict::Captured(text)
            | ChainVerdict::Contradiction(text)
            | ChainVerdict::Late(text)
            | ChainVerdict::Earlier(text, _) => self.payment.transaction(text),
            ChainVerdict::Void | ChainVerdict::Nothing | ChainVerdict::Unread => None,
        }
    }

    /// Records that an authorization from before the last one moved money. The row then names what
    /// moved: it pays if it covers the price, and is owed back if not.
    fn learn_earlier(
        mut self,
        transaction: String,
        terms: SignedTerms,
        reader: VerdictReader,
        taken: Taken,
        now: UnixTime,
    ) -> (Self, Answer) {
        let covers = terms.cover(&self.payment.amount, &self.payment.pay_to);
        let SignedTerms { amount, pay_to, .. } = terms;
        (self.payment.amount, self.payment.pay_to) = (amount, pay_to);
        if covers {
            return self.learn(ChainVerdict::Captured(transaction), reader, taken, now);
        }
        self.watch.asked = true;
        let since = self.doubted_since(now);
        if let Some(transaction) = self.payment.transaction(&transaction) {
            self.state = State::RefundDue {
                transaction,
                why: Undelivered::OtherTerms,
                since,
                refunding: None,
            };
        }
        (self, Answer::Recorded)
    }
}

/// The state of what no client has collected.
const fn not_fetched(transaction: TxHash, since: UnixTime) -> State {
    State::RefundDue { transaction, why: Undelivered::NotFetched, since, refunding: None }
}
