//! The state machine of one payment. It is total: every state answers every command.
//!
//! docs/design.md, "The ledger", lists the states and their transitions. The object loads a row,
//! calls [`Entry::lapse`] to do an alarm's overdue work, applies one command and stores the result,
//! in one synchronous block. Assumptions:
//! - every command but the claim shows the fence of the last grant; only its holder moves the row
//!   on;
//! - after the first settle call, no report but a checked success ends the doubt.

mod anew;
mod claim;
mod doubt;
mod note;
mod operator;
mod other_payments;
mod pay_back;
mod recover;
mod report;

pub use self::doubt::{Relief, relief};
pub use self::other_payments::{MAX_UNASKED, MAX_UNASKED_OF_ALL, OtherPayments};
pub use self::pay_back::RefundPlan;
use self::recover::VerdictReader;
pub use self::recover::{Plan, Work};

use core::num::NonZeroU32;

use self::other_payments::refusal;
use super::command::{Answer, Command, Fate, Leases, Mode, Payment, Repeat};
use super::state::{Lease, State, Undelivered, Why};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// The record of one payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The immutable part.
    pub payment: Payment,
    /// Work times of its route.
    pub leases: Leases,
    /// The current state.
    pub state: State,
    /// The last grant.
    pub fence: u64,
    /// Whether a response is stored.
    pub sealed: bool,
    /// First sight.
    pub created: UnixTime,
    /// Record of the recovery attempts.
    pub watch: RecoveryLog,
    /// Whether a response was handed to a client.
    pub handed: bool,
}

/// Record of the recovery attempts, and the block they compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecoveryLog {
    /// Re-sends by the alarm.
    pub resends: u32,
    /// The last look at the chain; of a debt, the last request to the treasury.
    pub read: Option<UnixTime>,
    /// Number of the newest block at the time of the claim.
    pub seen_block: Option<u64>,
    /// Whether money may have been asked for: a settle call was about to be sent.
    pub asked: bool,
    /// Whether a begin of the treasury was taken back: from then on people pay it back.
    pub by_hand: bool,
    /// Whether it was a debt that was served once more.
    pub owed: bool,
    /// Whether a repeat has received the stored response, whoever else has not.
    pub fetched: bool,
    /// How far the owner's own fence is behind the last grant, which its verdict of the chain made; 0
    /// if another one was granted last.
    pub behind: u16,
}

/// Whether a reported transaction already belongs to another payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It belongs to no other payment.
    No,
    /// It belongs to another payment.
    Yes,
}

/// Fence of the claim that makes a row.
pub const FIRST_FENCE: u64 = 1;
/// The fence from which a row begins no more: what moves no money could be begun for ever.
const LAST_FENCE: u64 = 1_000;

impl Entry {
    /// The first claim of a payment.
    ///
    /// # Errors
    /// The answer to the claim when no row is made.
    pub fn open(
        payment: Payment,
        leases: Leases,
        in_flight: NonZeroU32,
        standing: OtherPayments,
        now: UnixTime,
    ) -> Result<(Self, Answer), Answer> {
        if let Some(answer) = refusal(standing.seen_by(&payment), in_flight) {
            return Err(answer);
        }
        let asked = payment.mode == Mode::Before;
        let state = begin(payment.mode, leases, now);
        let entry = Self {
            payment,
            leases,
            state,
            fence: FIRST_FENCE,
            sealed: false,
            created: now,
            watch: RecoveryLog { asked, ..RecoveryLog::default() },
            handed: false,
        };
        Ok((entry, Answer::Granted { fence: FIRST_FENCE }))
    }

    /// Does the overdue work of an alarm: takes work past its lease from its holder.
    #[must_use]
    pub fn lapse(mut self, now: UnixTime) -> Self {
        let over = |lease: Lease| lease.until <= now;
        self.state = match self.state {
            State::Executing(lease) if over(lease) => State::Abandoned,
            // The doubt began when the lease ended, whenever that is noticed: from then on the
            // header may be public, and the time in which it may resume without further proof runs.
            State::Settling(lease) if over(lease) => State::Unknown {
                since: lease.until,
                transaction: None,
                sent: lease.until,
                resend: None,
            },
            State::Delivering { transaction, lease, sold: Some(since), .. } if over(lease) => {
                State::Sold { transaction, since }
            }
            State::Delivering { transaction, lease, streaming: true, .. } if over(lease) => {
                State::Manual { why: Why::StreamLost, transaction: Some(transaction) }
            }
            State::Delivering { transaction, lease, streaming: false, .. } if over(lease) => {
                State::RefundDue {
                    transaction,
                    why: Undelivered::Lost,
                    since: lease.until,
                    refunding: None,
                }
            }
            State::Unknown { since, transaction, sent, resend: Some(resend) }
                if resend.until <= now =>
            {
                State::Unknown { since, transaction, sent, resend: None }
            }
            // It was sent again, and nobody has told what became of that.
            State::Refused { sent, resend: Some(resend), .. } if resend.until <= now => {
                State::Unknown { since: resend.until, transaction: None, sent, resend: None }
            }
            State::Refused { since, reason, sent, resend: Some(resend) } if resend.until <= now => {
                State::Refused { since, reason, sent, resend: None }
            }
            other => other,
        };
        self
    }

    /// The time at which [`Entry::lapse`] has work to do; the object sets its alarm from this.
    #[must_use]
    pub const fn wake_at(&self) -> Option<UnixTime> {
        match &self.state {
            State::Executing(lease) | State::Settling(lease) | State::Delivering { lease, .. } => {
                Some(lease.until)
            }
            State::Unknown { resend: Some(resend), .. }
            | State::Refused { resend: Some(resend), .. } => Some(resend.until),
            State::Unknown { resend: None, .. }
            | State::Refused { resend: None, .. }
            | State::Settled { .. }
            | State::Delivered { .. }
            | State::Released
            | State::Abandoned
            | State::RefundDue { .. }
            | State::Sold { .. }
            | State::Void
            | State::Closed
            | State::Refunded { .. }
            | State::Waived { .. }
            | State::Manual { .. } => None,
        }
    }

    /// Carries out one command. `standing` matters to claims. `taken` says whether the transaction
    /// in the report or verdict is already recorded for another payment: one transfer never serves
    /// two.
    #[must_use]
    pub fn apply(
        self,
        command: Command,
        standing: OtherPayments,
        taken: Taken,
        now: UnixTime,
    ) -> (Self, Answer) {
        match command {
            Command::Claim {
                payment, leases, idempotent, wallet, last, rival, in_flight, ..
            } => {
                let (denied, priced) = (false, true);
                let again =
                    Repeat { payment, leases, idempotent, wallet, last, denied, rival, priced };
                let refusal = refusal(standing.seen_by(&again.payment), in_flight);
                self.claimed(again, refusal, now)
            }
            Command::Note { payment, leases, noted } => {
                self.noted(*payment, leases, noted, taken, now)
            }
            Command::Seal { fence, response, seen_block, charged } if self.is_held_by(fence) => {
                self.sees(seen_block).seal(response.is_some(), charged, now)
            }
            Command::Outcome { fence, result, client, seen_block } if self.is_held_by(fence) => {
                self.sees(seen_block).outcome(result, client, taken, now)
            }
            Command::Learn { signed, .. } if signed != self.payment.signing.times => {
                (self, Answer::Recorded)
            }
            Command::Learn { learnt, owner, fence, .. } => {
                let reader = match (owner, fence) {
                    (true, fence) => VerdictReader::Owner(fence),
                    (false, _) => VerdictReader::Other,
                };
                self.learn(learnt, reader, taken, now)
            }
            Command::Fulfil { fence, delivery } if self.is_held_by(fence) => {
                self.fulfil(delivery, now)
            }
            Command::Release { fence, why, brief } if self.is_held_by(fence) => {
                self.release(why, brief, now)
            }
            Command::Outcome { result, .. } => (self.with_evidence(&result, taken), Answer::Stale),
            // Another request has begun it again.
            Command::Seal { .. } if self.is_active() => (self, Fate::InProgress.into()),
            Command::Seal { .. } | Command::Fulfil { .. } | Command::Release { .. } => {
                (self, Answer::Stale)
            }
        }
    }

    /// The transaction that this row names as its own; `None` before there is one.
    #[must_use]
    pub const fn transaction(&self) -> Option<TxHash> {
        match &self.state {
            State::Settled { transaction, .. }
            | State::Delivering { transaction, .. }
            | State::Delivered { transaction }
            | State::RefundDue { transaction, .. }
            | State::Sold { transaction, .. }
            | State::Refunded { transaction, .. }
            | State::Waived { transaction, .. } => Some(*transaction),
            State::Unknown { transaction, .. } | State::Manual { transaction, .. } => *transaction,
            State::Executing(_)
            | State::Settling(_)
            | State::Refused { .. }
            | State::Released
            | State::Abandoned
            | State::Void
            | State::Closed => None,
        }
    }

    /// The transaction that certainly belongs to this row; `None` if it was only named in doubt, or
    /// not named yet.
    #[must_use]
    pub fn owned(&self) -> Option<TxHash> {
        let is_certain = !matches!(self.state, State::Unknown { .. });
        self.transaction().filter(|it| is_certain && *it != TxHash::PENDING)
    }

    /// The payment as a row that is at rest keeps it: without the request, once the money has
    /// reached its end.
    #[must_use]
    pub fn kept_payment(&self) -> Payment {
        let mut payment = self.payment.clone();
        let is_over = matches!(
            self.state,
            State::Delivered { .. } | State::Refunded { .. } | State::Waived { .. }
        );
        if is_over && !self.waits_for_payer() {
            payment.fold();
        }
        payment
    }

    /// When the payer stops waiting for it: the end of its authorization or, if that never ends,
    /// first sight.
    fn ends(&self) -> UnixTime {
        if self.payment.is_deferred() {
            return self.created;
        }
        UnixTime::from_secs(self.payment.last_end())
    }

    /// Whether its payment has bought nothing and moved no money, as if it had never been shown.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        matches!(self.state, State::Released | State::Void)
    }

    /// Whether its money was asked for and refused, and is not asked for now.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused { resend: None, .. })
    }

    /// Whether it is in progress.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Executing(_) | State::Settling(_) | State::Delivering { .. })
    }

    /// Whether its outcome is unknown, until the authorization has surely expired.
    #[must_use]
    pub fn is_unknown(&self, now: UnixTime) -> bool {
        matches!(self.state, State::Unknown { .. })
            && !self.is_awaited()
            && now < self.unknown_until()
    }

    /// Whether it is a transaction that a client has named and no node has shown. No money is asked
    /// for it, so it blocks no other payment of the named payer.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        matches!(self.state, State::Unknown { .. })
            && !self.watch.asked
            && self.payment.was_sent_by_payer()
    }

    /// End of the time in which a doubt about it blocks the payer's next payments.
    #[must_use]
    pub fn unknown_until(&self) -> UnixTime {
        UnixTime::from_secs(self.payment.last_end()).plus(60)
    }

    /// End of the time in which its refusal blocks the payer's next payments.
    #[must_use]
    pub fn refused_until(&self) -> UnixTime {
        match &self.state {
            State::Refused { since, .. } => since.plus(600).min(self.unknown_until()),
            _ => UnixTime::from_secs(0),
        }
    }

    /// Whether nothing shows that its money has moved, and no settlement is under way.
    #[must_use]
    pub const fn is_unpaid(&self) -> bool {
        matches!(
            self.state,
            State::Executing(_)
                | State::Unknown { .. }
                | State::Refused { .. }
                | State::Released
                | State::Abandoned
                | State::Void
                | State::Closed
        )
    }

    /// Whether no money was asked for it, nor will be unless it begins again.
    #[must_use]
    pub const fn is_unasked(&self) -> bool {
        let may_have_moved = matches!(self.state, State::Unknown { .. } | State::Refused { .. });
        self.is_unpaid() && !may_have_moved && !self.watch.asked
    }

    /// Whether its settlement was refused within the last 10 minutes.
    #[must_use]
    pub fn is_freshly_refused(&self, now: UnixTime) -> bool {
        now < self.refused_until()
    }

    /// Keeps the newest block at the time of the first claim. A later claim saw a later block,
    /// which is not first sight.
    fn sees(mut self, block: Option<u64>) -> Self {
        if self.fence == FIRST_FENCE {
            self.watch.seen_block = self.watch.seen_block.or(block);
        }
        self
    }

    /// Whether it was begun, sent and served so often that it is no more, unless it is in doubt.
    fn is_worn(&self) -> bool {
        self.fence >= LAST_FENCE
    }

    /// The notice of a debt is told again whenever the tries to serve it have doubled.
    #[must_use]
    pub fn tells_again(&self) -> bool {
        !self.watch.owed || self.fence.is_power_of_two()
    }

    /// Whether a fence is the holder's: that of the last grant, or the owner's own from before it.
    fn is_held_by(&self, fence: u64) -> bool {
        let own = self.fence.checked_sub(self.watch.behind.into());
        fence == self.fence || own == Some(fence)
    }

    fn grant(&mut self) -> u64 {
        self.watch.behind = 0;
        self.fence = self.fence.saturating_add(1);
        self.fence
    }
}

fn begin(mode: Mode, leases: Leases, now: UnixTime) -> State {
    match mode {
        Mode::After => State::Executing(Lease { until: now.plus(leases.executing) }),
        Mode::Before => State::Settling(Lease { until: now.plus(leases.settling) }),
    }
}

fn delivering(transaction: TxHash, leases: Leases, sold: Option<UnixTime>, now: UnixTime) -> State {
    State::Delivering {
        transaction,
        lease: Lease { until: now.plus(leases.delivering) },
        streaming: false,
        sold,
    }
}
