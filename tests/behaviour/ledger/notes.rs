//! Notes of transactions that payers have sent: whose request a row answers.

use farebox_core::ledger::command::{Command, Noted};
use farebox_core::ledger::entry::{RecoveryLog, Taken};
use farebox_core::ledger::report::{Decision, Resolution, Undecided};
use farebox_core::ledger::state::Why;
use farebox_core::ledger::{Entry, OtherPayments, Payment, State};
use farebox_core::payment::OnChain;

use super::{LEASES, Mode, NOW, VALID_BEFORE, at, entry, hash, payment};

/// The payment of a transaction that its payer has sent, for the request with this binding.
fn shown(binding: &str) -> Payment {
    let (since, until) = (at(NOW), at(VALID_BEFORE));
    let request = OnChain::Sent { transaction: hash(1), since, until }.request();
    let facilitator = OnChain::settler("eip155:84532");
    Payment { facilitator, ..payment(Mode::After, binding, None, &request) }
}

/// The row after a note of another request.
fn noted(row: Entry, noted: Noted) -> Entry {
    let note = Command::Note { payment: Box::new(shown("b")), leases: LEASES, noted };
    row.apply(note, OtherPayments::default(), Taken::No, at(NOW + 1)).0
}

#[test]
fn what_was_begun_stays_that_of_its_request_whoever_shows_its_transaction() {
    let unknown = State::Unknown { since: at(NOW), transaction: None, sent: at(NOW), resend: None };
    for state in [unknown, State::Released, State::Abandoned, State::Closed] {
        for found in [Noted::Awaited, Noted::Paid, Noted::Owed] {
            let watch = RecoveryLog { asked: true, ..RecoveryLog::default() };
            let begun = Entry { payment: shown("a"), watch, ..entry(Mode::After, state.clone()) };
            let after = noted(begun, found);
            assert_eq!(after.payment.binding, "a", "{state:?} {found:?}");
        }
    }
}

#[test]
fn what_is_only_awaited_stays_that_of_the_first_request_until_the_chain_says_otherwise() {
    let first = Entry::of_sent(shown("a"), LEASES, Noted::Awaited, Taken::No, at(NOW)).unwrap();
    let awaited = noted(first, Noted::Awaited);
    assert_eq!(awaited.payment.binding, "a");
    assert_eq!(noted(awaited.clone(), Noted::Paid).payment.binding, "b");
    // It was no payment for the first request.
    let void = Entry { state: State::Void, ..awaited };
    assert_eq!(noted(void, Noted::Awaited).payment.binding, "b");
}

//
#[test]
fn a_review_of_what_may_still_be_served_is_resolved_an_hour_later_or_as_void() {
    let (hour, read) = (NOW + 3_600, Some(at(NOW)));
    let resolved = |to| {
        let reason = "looked".to_owned();
        Decision::Resolved { to, reason, transaction: None }
    };
    let under_review = |asked| Entry {
        payment: shown("a"),
        watch: RecoveryLog { asked, read, ..RecoveryLog::default() },
        ..entry(Mode::After, State::Manual { why: Why::PaidBefore, transaction: Some(hash(1)) })
    };
    for to in [Resolution::Delivered, Resolution::RefundDue, Resolution::Waived] {
        let decide = |row: Entry, now| row.decide(&resolved(to), at(now)).map(|_| ());
        let early = Err(Undecided::RefundEarly(hour));
        assert_eq!(decide(under_review(false), hour - 1), early, "{to:?}");
        assert_eq!(decide(under_review(false), hour), Ok(()), "{to:?}");
        assert_eq!(decide(under_review(true), NOW), Ok(()), "{to:?}: it serves nobody any more");
    }
    let void = under_review(false).decide(&resolved(Resolution::Void), at(NOW));
    assert_eq!(void.map(|row| row.state), Ok(State::Void));
}
