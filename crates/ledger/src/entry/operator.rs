//! Operator decisions about a payment: how a debt ended, and the result of a review.

use alloc::string::{String, ToString};

use super::{Entry, RefundPlan};
use crate::report::{Decision, Resolution, Undecided};
use crate::state::{RefundBegin, State, Undelivered};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

impl Entry {
    /// Carries out a decision; repeating it changes nothing.
    ///
    /// # Errors
    /// [`Undecided`].
    pub fn decide(mut self, decision: &Decision, now: UnixTime) -> Result<Self, Undecided> {
        if let Some(until) = self.yields_until().filter(|until| now < *until)
            && self.would_shut_out(decision)
        {
            return Err(Undecided::RefundEarly(until.secs()));
        }
        self.state = match decision {
            Decision::Refunding { known_since, key, sold } => {
                self.begin_refund(*known_since, key.as_ref(), *sold, now)?
            }
            Decision::NotRefunded { begun, key } => self.end_refund(*begun, key.as_ref())?,
            Decision::Refunded(text) => self.note_refund(text)?,
            Decision::Waived(reason) => self.waive(reason)?,
            Decision::Resolved { to, reason, transaction } => {
                // A person says that the payer has it: it is not owed once its stored answer goes.
                self.handed |= *to == Resolution::Delivered;
                self.resolve(*to, reason, transaction.as_deref(), now)?
            }
        };
        Ok(self)
    }

    /// Lets a person, or the program that has this key, pay the debt back; `sold` says that this
    /// program answers for it.
    fn begin_refund(
        &mut self,
        known_since: u64,
        key: Option<&String>,
        sold: bool,
        now: UnixTime,
    ) -> Result<State, Undecided> {
        let sold_by_program = sold && key.is_some();
        let begun = match self.state.clone() {
            State::RefundDue { refunding: Some(begun), .. } => {
                // The program that began it, whose answer was lost.
                if key.is_none() || key != begun.key.as_ref() {
                    return Err(Undecided::RefundBegun(begun.at.secs()));
                }
                begun
            }
            State::RefundDue { .. } => {
                // A debt may arise anew from a row that the restore brought back.
                if self.created.secs() < known_since {
                    return Err(Undecided::RefundRestored);
                }
                self.fence = self.fence.saturating_add(1);
                RefundBegin { at: now, key: key.cloned() }
            }
            state @ State::Sold { .. } if sold_by_program => return Ok(state),
            // The program that has it answers for it, whatever becomes of the response.
            State::Delivering { transaction, lease, streaming, sold } if sold_by_program => {
                let sold = sold.or(Some(now));
                return Ok(State::Delivering { transaction, lease, streaming, sold });
            }
            State::Settling(_) | State::Unknown { .. } | State::Settled { .. }
                if sold_by_program =>
            {
                return Err(Undecided::RefundEarly(now.secs()));
            }
            _ => return Err(self.ended_or_wrong()),
        };
        match self.state.clone() {
            State::RefundDue { transaction, .. } if sold => {
                Ok(State::Sold { transaction, since: now })
            }
            State::RefundDue { transaction, why, since, .. } => {
                Ok(State::RefundDue { transaction, why, since, refunding: Some(begun) })
            }
            _ => Err(Undecided::WrongState),
        }
    }

    /// Takes back the begin of this grant, which was not sent.
    fn end_refund(&mut self, begun: u64, key: Option<&String>) -> Result<State, Undecided> {
        let State::RefundDue { transaction, why, since, refunding } = self.state.clone() else {
            return Err(Undecided::WrongState);
        };
        // Another's begin may have been sent, and a program goes on with its own.
        let is_its = refunding.as_ref().is_none_or(|it| it.key.as_ref() == key);
        if begun != self.fence || !is_its {
            let since = refunding.map(|it| Undecided::RefundBegun(it.at.secs()));
            return Err(since.unwrap_or(Undecided::WrongState));
        }
        let key = refunding.and_then(|it| it.key);
        self.watch.by_hand |= key.is_some_and(|key| RefundPlan::is_key(&key));
        Ok(State::RefundDue { transaction, why, since, refunding: None })
    }

    /// Takes the transaction that paid back.
    fn note_refund(&self, text: &str) -> Result<State, Undecided> {
        let named = self.payment.transaction(text);
        match &self.state {
            // A person may have paid it back before the word came that it was sold.
            State::RefundDue { transaction, .. } | State::Sold { transaction, .. } => {
                let refund = named.filter(|refund| refund != transaction);
                let refund = refund.ok_or(Undecided::WrongState)?;
                Ok(State::Refunded { transaction: *transaction, refund })
            }
            same @ State::Refunded { refund, .. } if named == Some(*refund) => Ok(same.clone()),
            _ => Err(Undecided::WrongState),
        }
    }

    /// Lets the debt go, for this reason.
    fn waive(&self, reason: &str) -> Result<State, Undecided> {
        match &self.state {
            // It may have been sent: then that is what became of it.
            State::RefundDue { refunding: Some(begun), .. } => {
                Err(Undecided::RefundBegun(begun.at.secs()))
            }
            State::RefundDue { transaction, .. } => {
                Ok(State::Waived { transaction: *transaction, reason: reason.to_string() })
            }
            same @ State::Waived { reason: earlier, .. } if earlier == reason => Ok(same.clone()),
            _ => Err(self.ended_or_wrong()),
        }
    }

    /// Takes the result of a review.
    fn resolve(
        &self,
        to: Resolution,
        reason: &str,
        named: Option<&str>,
        now: UnixTime,
    ) -> Result<State, Undecided> {
        let State::Manual { transaction, .. } = &self.state else {
            return Err(Undecided::WrongState);
        };
        let named = named.and_then(|name| self.payment.transaction(name));
        // What pays later pays in the transaction that is found since.
        let known = transaction.filter(|it| *it != TxHash::PENDING);
        Ok(match (to, known.or(named).or(*transaction)) {
            (Resolution::Void, _) => State::Void,
            (Resolution::Delivered, Some(transaction)) => State::Delivered { transaction },
            (Resolution::RefundDue, Some(transaction)) => State::RefundDue {
                transaction,
                why: Undelivered::Resolved,
                since: now,
                refunding: None,
            },
            (Resolution::Waived, Some(transaction)) => {
                State::Waived { transaction, reason: reason.to_string() }
            }
            // Without a recorded transaction, no payment can be owed, served or waived.
            (Resolution::Delivered | Resolution::RefundDue | Resolution::Waived, None) => {
                return Err(Undecided::WrongState);
            }
        })
    }

    /// Why nothing is decided any more of a debt that ended, or cannot be of what is none.
    const fn ended_or_wrong(&self) -> Undecided {
        match self.state {
            State::Refunded { .. } | State::Waived { .. } | State::Sold { .. } => {
                Undecided::RefundEnded
            }
            _ => Undecided::WrongState,
        }
    }

    /// Whether a decision would keep out a client that has paid in time, where the row still gives
    /// way to one. A refund that was sent counts whenever it is told, and what is void gives way.
    fn would_shut_out(&self, decision: &Decision) -> bool {
        match (&self.state, decision) {
            (State::RefundDue { .. }, Decision::Refunding { .. } | Decision::Waived(_)) => true,
            (State::Manual { .. }, Decision::Resolved { to, .. }) => *to != Resolution::Void,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use core::num::NonZeroU32;

    use super::*;
    use crate::command::{Leases, Mode, Payment};
    use crate::entry::{FIRST_FENCE, OtherPayments};
    use crate::state::{Why, may_be_paid_back};

    const NOW: UnixTime = UnixTime::from_secs(1_000);

    fn hash(digit: char) -> TxHash {
        let digits: String = core::iter::repeat_n(digit, 64).collect();
        TxHash::parse(&alloc::format!("0x{digits}")).unwrap()
    }

    fn entry(state: State) -> Entry {
        let payment = Payment {
            binding: String::new(),
            secret: None,
            mode: Mode::After,
            receipt: String::new(),
            route: String::new(),
            url: String::new(),
            network: String::new(),
            asset: String::new(),
            amount: "1".to_string(),
            pay_to: String::new(),
            valid_before: 2_000,
            facilitator: String::new(),
            request: String::new(),
            confirm: false,
            client: String::new(),
            correlation: String::new(),
            signing: crate::command::Signing::default(),
        };
        let leases = Leases { executing: 1, settling: 1, delivering: 1 };
        let (entry, _) =
            Entry::open(payment, leases, NonZeroU32::MIN, OtherPayments::default(), NOW).unwrap();
        Entry { state, ..entry }
    }

    fn owed() -> State {
        State::RefundDue {
            transaction: hash('1'),
            why: Undelivered::Origin,
            since: NOW,
            refunding: None,
        }
    }

    fn refunding() -> Decision {
        Decision::Refunding { known_since: 0, key: None, sold: false }
    }

    fn not_refunded(begun: u64) -> Decision {
        Decision::NotRefunded { begun, key: None }
    }

    fn begun() -> State {
        entry(owed()).decide(&refunding(), NOW).unwrap().state
    }

    fn manual(transaction: Option<TxHash>) -> State {
        State::Manual { why: Why::Overdue, transaction }
    }

    fn resolved(to: Resolution, transaction: Option<TxHash>) -> Decision {
        let transaction = transaction.map(|hash| hash.to_text());
        Decision::Resolved { to, reason: "looked".to_string(), transaction }
    }

    #[test]
    fn decisions_lead_only_where_the_table_says() {
        let refunded = |digit| Decision::Refunded(hash(digit).to_text());
        let waived = || Decision::Waived("no".to_string());
        let cases: [(State, Decision, Option<&str>); 25] = [
            (owed(), refunding(), Some("refund_due")),
            (owed(), not_refunded(FIRST_FENCE), Some("refund_due")),
            (begun(), refunded('2'), Some("refunded")),
            (begun(), not_refunded(FIRST_FENCE), Some("refund_due")),
            (begun(), waived(), None),
            (State::Void, refunding(), None),
            (manual(None), not_refunded(FIRST_FENCE), None),
            (owed(), refunded('2'), Some("refunded")),
            (owed(), refunded('1'), None),
            (owed(), Decision::Refunded("0x12".to_string()), None),
            (owed(), waived(), Some("waived")),
            (State::Sold { transaction: hash('1'), since: NOW }, refunded('2'), Some("refunded")),
            (owed(), resolved(Resolution::Void, None), None),
            (
                State::Refunded { transaction: hash('1'), refund: hash('2') },
                refunded('2'),
                Some("refunded"),
            ),
            (State::Refunded { transaction: hash('1'), refund: hash('2') }, refunded('3'), None),
            (State::Refunded { transaction: hash('1'), refund: hash('2') }, waived(), None),
            (State::Delivered { transaction: hash('1') }, refunded('2'), None),
            (State::Delivered { transaction: hash('1') }, resolved(Resolution::Void, None), None),
            (State::Void, waived(), None),
            (manual(None), resolved(Resolution::Void, None), Some("void")),
            (manual(None), resolved(Resolution::Delivered, None), None),
            (manual(None), resolved(Resolution::RefundDue, Some(hash('4'))), Some("refund_due")),
            (manual(Some(hash('1'))), resolved(Resolution::Delivered, None), Some("delivered")),
            (manual(Some(hash('1'))), resolved(Resolution::Waived, None), Some("waived")),
            (manual(Some(hash('1'))), refunded('2'), None),
        ];
        for (state, decision, expected) in cases {
            let said = alloc::format!("{state:?} {decision:?}");
            let before = state.name();
            let after = entry(state).decide(&decision, NOW);
            let is_paid_back = matches!(decision, Decision::Refunded(_)) && after.is_ok();
            assert!(!is_paid_back || may_be_paid_back(&before), "{said}");
            assert_eq!(after.ok().map(|entry| entry.state.name()).as_deref(), expected, "{said}");
        }
    }

    //
    #[test]
    fn a_refund_begins_once_and_only_of_a_debt_that_is_known_to_be_open() {
        let begin = |state, known_since| {
            let after = entry(state)
                .decide(&Decision::Refunding { known_since, key: None, sold: false }, NOW.plus(9));
            after.map(|entry| entry.state)
        };
        let after = State::RefundDue {
            transaction: hash('1'),
            why: Undelivered::Origin,
            since: NOW,
            refunding: Some(RefundBegin { at: NOW.plus(9), key: None }),
        };
        assert_eq!(begin(owed(), NOW.secs()), Ok(after));
        assert_eq!(begin(owed(), NOW.secs() + 1), Err(Undecided::RefundRestored));
        let State::RefundDue { transaction, why, refunding, .. } = owed() else { panic!() };
        let arose_anew = State::RefundDue { transaction, why, since: NOW.plus(8), refunding };
        assert_eq!(begin(arose_anew, NOW.secs() + 1), Err(Undecided::RefundRestored));
        assert_eq!(begin(begun(), 0), Err(Undecided::RefundBegun(NOW.secs())));
        let waived = entry(begun()).decide(&Decision::Waived("no".to_string()), NOW);
        assert_eq!(waived.err(), Some(Undecided::RefundBegun(NOW.secs())));
    }

    #[test]
    fn a_program_repeats_its_begin_under_its_key_until_the_debt_has_ended() {
        let begin = |entry: Entry, key: &str| {
            let key = Some(key.to_string());
            entry.decide(&Decision::Refunding { known_since: 0, key, sold: false }, NOW.plus(9))
        };
        let first = entry(owed()).decide(&refunding(), NOW).unwrap();
        assert_eq!(begin(first, "till").err(), Some(Undecided::RefundBegun(NOW.secs())));
        let first = begin(entry(owed()), "till").unwrap();
        assert_eq!(begin(first.clone(), "till"), Ok(first.clone()));
        let other = Some(Undecided::RefundBegun(NOW.plus(9).secs()));
        assert_eq!(begin(first.clone(), "other").err(), other);
        // No one takes it back by its number alone.
        assert_eq!(first.clone().decide(&not_refunded(first.fence), NOW).err(), other);
        let dropped = Decision::NotRefunded { begun: first.fence, key: Some("till".to_string()) };
        assert_eq!(first.clone().decide(&dropped, NOW).unwrap().state, owed());
        assert_eq!(first.clone().decide(&refunding(), NOW).err(), other);
        let ended = first.decide(&Decision::Refunded(hash('2').to_text()), NOW).unwrap();
        assert_eq!(begin(ended, "till").err(), Some(Undecided::RefundEnded));
        let waived = entry(owed()).decide(&Decision::Waived("no".to_string()), NOW).unwrap();
        let again = waived.clone().decide(&Decision::Waived("yes".to_string()), NOW);
        assert_eq!(again.err(), Some(Undecided::RefundEnded));
        assert_eq!(begin(waived, "till").err(), Some(Undecided::RefundEnded));
    }

    #[test]
    fn a_begin_is_taken_back_by_its_own_grant_alone() {
        let decide = |entry: Entry, decision| entry.decide(&decision, NOW);
        let first = decide(entry(owed()), refunding()).unwrap();
        let dropped = decide(first.clone(), not_refunded(first.fence)).unwrap();
        let second = decide(dropped, refunding()).unwrap();
        assert!(second.fence > first.fence, "in the same second");
        let others = decide(second.clone(), not_refunded(first.fence));
        assert_eq!(others.err(), Some(Undecided::RefundBegun(NOW.secs())));
        let again = decide(second.clone(), not_refunded(second.fence)).unwrap();
        assert_eq!(again.state, owed());
        assert_eq!(decide(again.clone(), not_refunded(second.fence)), Ok(again));
    }

    #[test]
    fn a_row_keeps_its_own_transaction_before_a_named_one() {
        let decision = resolved(Resolution::Delivered, Some(hash('9')));
        let after = entry(manual(Some(hash('1')))).decide(&decision, NOW).unwrap();
        assert_eq!(after.state, State::Delivered { transaction: hash('1') });
    }

    //
    #[test]
    fn what_a_person_has_resolved_as_delivered_waits_for_nobody() {
        let stored = Entry { sealed: true, ..entry(manual(Some(hash('1')))) };
        let after = stored.decide(&resolved(Resolution::Delivered, None), NOW).unwrap();
        assert!(!after.waits_for_payer());
    }

    #[test]
    fn a_payment_that_is_settled_later_gets_the_transaction_that_is_named() {
        let resolve = |named| {
            let decision = resolved(Resolution::Delivered, named);
            entry(manual(Some(TxHash::PENDING))).decide(&decision, NOW).map(|entry| entry.state)
        };
        let transaction = hash('9');
        assert_eq!(resolve(Some(transaction)), Ok(State::Delivered { transaction }));
        assert_eq!(resolve(None), Ok(State::Delivered { transaction: TxHash::PENDING }));
    }
}
