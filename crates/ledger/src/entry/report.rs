//! Reports from the holder of the fence: a sealed response, a settlement's outcome, a delivery, or
//! a failure.

use alloc::borrow::ToOwned;
use alloc::string::String;

use super::doubt::RESEND_GAP_SECS;
use super::{Entry, Taken, delivering};
use crate::command::{Answer, Client, Delivery, Failure, Fate, Mode, Outcome, Replay};
use crate::state::{Lease, Requester, State, Undelivered, Why};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// Seconds for which a stream's row waits after its last sign of life.
const STREAM_LEASE_SECS: u64 = 60;

impl Entry {
    pub(super) fn seal(
        mut self,
        stored: bool,
        charged: Option<String>,
        now: UnixTime,
    ) -> (Self, Answer) {
        let within = |charged: &String| {
            let amounts = [charged, &self.payment.amount].map(|text| Amount::from_atomic(text));
            matches!(amounts, [Ok(charged), Ok(most)] if charged <= most && !charged.is_zero())
        };
        if charged.as_ref().is_some_and(|charged| !within(charged)) {
            return (self, Answer::Stale);
        }
        self.state = match self.state {
            State::Executing(_) => {
                self.payment.amount = charged.unwrap_or(self.payment.amount);
                self.watch.asked = true;
                State::Settling(Lease { until: now.plus(self.leases.settling) })
            }
            State::Delivering { transaction, .. } if stored => {
                self.handed = true;
                State::Delivered { transaction }
            }
            // The first answer to it was lost.
            State::Delivered { .. } if stored && self.sealed && self.handed => self.state,
            State::Delivering { transaction, sold, .. } => State::Delivering {
                transaction,
                lease: self.first_sign(now),
                streaming: true,
                sold,
            },
            // The lease ended the work first, and nothing was asked for.
            State::Abandoned => return (self, Fate::OriginFailed.into()),
            _ => return (self, Answer::Stale),
        };
        self.sealed = stored;
        let fence = self.fence;
        (self, Answer::Granted { fence })
    }

    pub(super) fn outcome(
        self,
        result: Outcome,
        client: Client,
        taken: Taken,
        now: UnixTime,
    ) -> (Self, Answer) {
        let sender = match &self.state {
            State::Settling(_) => Requester::Claimer,
            State::Unknown { resend: Some(resend), .. }
            | State::Refused { resend: Some(resend), .. } => resend.sender,
            _ if self.has_recorded(&result) => return self.say_again(now),
            _ => return (self.with_evidence(&result, taken), Answer::Stale),
        };
        let heard = if client == Client::Answered { Requester::UnprovenRepeat } else { sender };
        match result {
            Outcome::Settled(text) => match (self.payment.transaction(&text), taken) {
                (Some(transaction), Taken::No) => self.captured(transaction, heard, now),
                // One transaction moves many of these.
                (Some(_), Taken::Yes) if self.payment.is_deferred() => {
                    self.captured(TxHash::PENDING, heard, now)
                }
                (hash, _) => self.doubt(hash.filter(|_| taken == Taken::No), client, sender, now),
            },
            Outcome::Refused(reason) => self.refused(reason, now),
            Outcome::Unknown(text) => {
                let hash = text.and_then(|text| self.payment.transaction(&text));
                self.doubt(hash.filter(|_| taken == Taken::No), client, sender, now)
            }
        }
    }

    /// Whether the row owns the transaction of a success that its holder reports.
    fn has_recorded(&self, result: &Outcome) -> bool {
        let Outcome::Settled(text) = result else { return false };
        let reported = self.payment.transaction(text);
        // Of what moves together with other payments, the row does not keep the one that is named.
        let is_pending = self.transaction() == Some(TxHash::PENDING);
        reported.is_some() && (reported == self.transaction() || is_pending)
    }

    /// Answers the holder whose first answer was lost: the row has moved, and moves no further. A
    /// response that is not handed out was for no holder.
    pub(super) fn say_again(mut self, now: UnixTime) -> (Self, Answer) {
        let fence = self.fence;
        match &mut self.state {
            State::Delivering { lease, .. } => {
                let secs = self.leases.delivering.max(match self.payment.mode {
                    Mode::After => STREAM_LEASE_SECS,
                    Mode::Before => 0,
                });
                lease.until = lease.until.max(now.plus(secs));
                (self, Answer::Granted { fence })
            }
            State::Delivered { transaction } if self.sealed && self.handed => {
                let transaction = transaction.to_text();
                (self, Answer::Replay(Replay { response: String::new(), transaction }))
            }
            _ => (self, Answer::Stale),
        }
    }

    /// Records that value moved: a sealed response is delivered, pending work may run, dropped work
    /// is owed.
    pub(super) fn captured(
        mut self,
        transaction: TxHash,
        to: Requester,
        now: UnixTime,
    ) -> (Self, Answer) {
        let granted = Answer::Granted { fence: self.fence };
        let (state, answer) = match (self.payment.mode, self.sealed, to) {
            (Mode::After, true, Requester::Claimer) => {
                self.handed = true;
                (State::Delivered { transaction }, granted)
            }
            (Mode::After, true, Requester::ProvenRepeat) => {
                self.handed = true;
                let transaction_text = transaction.to_text();
                (
                    State::Delivered { transaction },
                    Answer::Replay(Replay {
                        response: String::new(),
                        transaction: transaction_text,
                    }),
                )
            }
            (Mode::After, true, Requester::UnprovenRepeat) => {
                (State::Delivered { transaction }, Answer::Fate(Fate::AlreadyDelivered))
            }
            (Mode::After, false, Requester::Claimer) => {
                let lease = self.first_sign(now);
                (State::Delivering { transaction, lease, streaming: true, sold: None }, granted)
            }
            (Mode::After, false, Requester::ProvenRepeat | Requester::UnprovenRepeat) => (
                State::RefundDue {
                    transaction,
                    why: Undelivered::Dropped,
                    since: self.doubted_since(now),
                    refunding: None,
                },
                Answer::Fate(Fate::RefundDue),
            ),
            (Mode::Before, _, Requester::Claimer | Requester::ProvenRepeat) => {
                (delivering(transaction, self.leases, None, now), granted)
            }
            (Mode::Before, _, Requester::UnprovenRepeat) => (
                State::Settled { transaction, since: self.doubted_since(now) },
                Answer::Fate(Fate::AlreadyDelivered),
            ),
        };
        self.state = state;
        (self, answer)
    }

    /// Records a refusal. It counts only as the first answer; after an unknown outcome it proves
    /// nothing.
    fn refused(mut self, reason: String, now: UnixTime) -> (Self, Answer) {
        match &mut self.state {
            State::Settling(_) => {
                let answered = reason.clone();
                self.state = State::Refused {
                    since: now,
                    reason,
                    // The first repeat may send at once; the gap counts from its own send.
                    sent: now.minus(RESEND_GAP_SECS),
                    resend: None,
                };
                (self, Answer::Fate(Fate::Refused { reason: answered }))
            }
            State::Refused { reason, resend, .. } => {
                *resend = None;
                let reason = reason.to_owned();
                (self, Answer::Fate(Fate::Refused { reason }))
            }
            State::Unknown { resend, .. } => {
                *resend = None;
                (self, Answer::Fate(Fate::Unknown))
            }
            _ => (self, Answer::Stale),
        }
    }

    /// How long a stream that begins may be silent: signs of life come every 20 s, however short
    /// the origin's time is.
    fn first_sign(&self, now: UnixTime) -> Lease {
        let secs = self.leases.delivering.max(STREAM_LEASE_SECS);
        Lease { until: now.plus(secs) }
    }

    pub(super) fn fulfil(mut self, delivery: Delivery, now: UnixTime) -> (Self, Answer) {
        if delivery == Delivery::Unsent {
            return self.unsent(now);
        }
        let (transaction, sold) = match self.state {
            State::Delivering { transaction, sold, .. } => (transaction, sold),
            // It had only been silent: what its holder says now is better than no word.
            State::Manual { why: Why::StreamLost, transaction: Some(transaction) } => {
                (transaction, None)
            }
            _ => return (self, Answer::Stale),
        };
        self.state = match delivery {
            Delivery::Flowing => State::Delivering {
                transaction,
                lease: Lease { until: now.plus(STREAM_LEASE_SECS) },
                streaming: true,
                sold,
            },
            Delivery::Complete | Delivery::ClientLeft => {
                self.handed = true;
                State::Delivered { transaction }
            }
            Delivery::Broken => undelivered(transaction, sold, now),
            Delivery::Unsent => return (self, Answer::Stale),
        };
        (self, Answer::Recorded)
    }

    /// Records that a response was handed to no one by this holder: a stored one waits for its
    /// payer, and of a stream nothing is left.
    fn unsent(mut self, now: UnixTime) -> (Self, Answer) {
        match self.state {
            State::Delivered { .. } if self.sealed => self.handed = self.watch.fetched,
            State::Delivering { transaction, streaming: true, sold, .. } => {
                self.state = undelivered(transaction, sold, now);
            }
            State::Manual { why: Why::StreamLost, transaction: Some(transaction) } => {
                self.state = undelivered(transaction, None, now);
            }
            _ => return (self, Answer::Stale),
        }
        (self, Answer::Recorded)
    }

    pub(super) fn release(
        mut self,
        why: Failure,
        brief: Option<String>,
        now: UnixTime,
    ) -> (Self, Answer) {
        let (state, answer) = match (&self.state, why) {
            (State::Executing(_), Failure::NothingRan) => {
                // A payment that begins again brings its own.
                self.payment.request = brief.unwrap_or(self.payment.request);
                (State::Released, Answer::Recorded)
            }
            (State::Executing(_), Failure::Origin) => (State::Abandoned, Answer::Recorded),
            // Served, so no other answer is due for it, and no money will be asked for.
            (State::Executing(_), Failure::NotCharged) => {
                self.handed = true;
                (State::Abandoned, Answer::Recorded)
            }
            // `before`: no time was left, or the facilitator is known to be down; nothing was sent.
            (State::Settling(_), Failure::NothingRan) if self.payment.mode == Mode::Before => {
                self.watch.asked = false;
                (State::Released, Answer::Recorded)
            }
            // The lease ended the work first, and no request has begun it again since.
            (State::Released | State::Abandoned, Failure::NothingRan | Failure::Origin) => {
                return (self, Answer::Recorded);
            }
            (State::Released | State::Abandoned, Failure::NotCharged) => {
                self.handed = true;
                return (self, Answer::Recorded);
            }
            // Another one is said to have sent it. These bytes nobody here has sent, since verify comes
            // before that: they are looked for and not sent.
            (State::Executing(_) | State::Released | State::Abandoned, Failure::Submitted) => {
                self.only_looked_for(now)
            }
            (State::Settling(_), Failure::Submitted) if self.payment.mode == Mode::Before => {
                self.only_looked_for(now)
            }
            (State::Delivering { transaction, sold, .. }, _) => {
                let fate = if sold.is_some() { Fate::InProgress } else { Fate::RefundDue };
                (undelivered(*transaction, *sold, now), Answer::Fate(fate))
            }
            _ => return (self, Answer::Stale),
        };
        self.state = state;
        (self, answer)
    }

    /// In doubt because another one is said to have sent it.
    fn only_looked_for(&mut self, now: UnixTime) -> (State, Answer) {
        self.watch.asked = false;
        let state = State::Unknown { since: now, transaction: None, sent: now, resend: None };
        (state, Answer::Fate(Fate::Unknown))
    }

    /// Keeps the transaction that a late report names; the state does not move.
    pub(super) fn with_evidence(mut self, result: &Outcome, taken: Taken) -> Self {
        let named = match result {
            Outcome::Settled(text) | Outcome::Unknown(Some(text)) => self.payment.transaction(text),
            Outcome::Refused(_) | Outcome::Unknown(None) => None,
        };
        if let State::Unknown { transaction: transaction @ None, .. } = &mut self.state
            && taken == Taken::No
        {
            *transaction = named;
        }
        self
    }

    /// The time since which the header may be public: a later answer of the facilitator does not
    /// reset it.
    pub(super) fn doubted_since(&self, now: UnixTime) -> UnixTime {
        match &self.state {
            State::Unknown { since, .. } | State::Refused { since, .. } => *since,
            _ => now,
        }
    }
}

/// The state of what the origin has failed to deliver.
fn undelivered(transaction: TxHash, sold: Option<UnixTime>, now: UnixTime) -> State {
    match sold {
        Some(since) => State::Sold { transaction, since },
        None => {
            State::RefundDue { transaction, why: Undelivered::Origin, since: now, refunding: None }
        }
    }
}
