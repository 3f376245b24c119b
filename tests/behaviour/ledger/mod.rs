//! The record of one payment: total, stored without loss, and right under every interleaving that is tried.
//!
//! [`explore`] visits all interleavings of a small world, [`random`] plays seeded histories through the whole gate,
//! [`histories`] replays published fault histories, [`traces`] visits all of a small world through the whole gate.

pub mod arrivals;
pub mod crowds;
pub mod explore;
mod histories;
pub mod lookups;
mod notes;
pub mod random;
pub mod traces;

use std::num::NonZeroU32;

use farebox_core::ledger::command::{
    ChainVerdict, Client, Delivery, Failure, Fate, Leases, Mode, Outcome, Signing,
};
use farebox_core::ledger::entry::{RecoveryLog, Taken};
use farebox_core::ledger::row::Row;
use farebox_core::ledger::state::{Lease, RefundBegin, Requester, Resend, Undelivered, Why};
use farebox_core::ledger::{Answer, Command, Entry, OtherPayments, Payment, State};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;

/// Payments in flight that are more than enough.
const SIXTEEN: NonZeroU32 = NonZeroU32::new(16).unwrap();
/// When the entries of these tests begin.
const NOW: u64 = 1_000;
/// When their authorizations end.
const VALID_BEFORE: u64 = 2_000;

const LEASES: Leases = Leases { executing: 70, settling: 35, delivering: 65 };

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn hash(byte: u8) -> TxHash {
    TxHash::parse(&format!("0x{}", format!("{byte:02x}").repeat(32))).unwrap()
}

fn payment(mode: Mode, binding: &str, secret: Option<&str>, request: &str) -> Payment {
    Payment {
        binding: binding.to_owned(),
        secret: secret.map(str::to_owned),
        mode,
        receipt: "rcpt".to_owned(),
        url: "https://shop.example/a".to_owned(),
        route: "/r".to_owned(),
        network: "eip155:84532".to_owned(),
        asset: "0xasset".to_owned(),
        amount: "10000".to_owned(),
        pay_to: "0xpayee".to_owned(),
        valid_before: VALID_BEFORE,
        facilitator: "https://f.example".to_owned(),
        request: request.to_owned(),
        confirm: false,
        correlation: String::new(),
        client: String::new(),
        signing: Signing::default(),
    }
}

fn entry(mode: Mode, state: State) -> Entry {
    Entry {
        payment: payment(mode, "a", Some("s"), "bytes"),
        leases: LEASES,
        state,
        fence: 7,
        sealed: false,
        created: at(NOW),
        watch: RecoveryLog::default(),
        handed: false,
    }
}

fn states() -> Vec<State> {
    let lease = Lease { until: at(NOW + 50) };
    let (since, sent) = (at(NOW), at(NOW - 10));
    let resends = [Requester::Claimer, Requester::ProvenRepeat, Requester::UnprovenRepeat]
        .map(|sender| Some(Resend { until: at(NOW + 30), sender }));
    let transaction = hash(1);
    let mut states = vec![
        State::Executing(lease),
        State::Settling(lease),
        State::Settled { transaction, since },
        State::Delivered { transaction },
        State::Released,
        State::Abandoned,
    ];
    for streaming in [false, true] {
        for sold in [None, Some(since)] {
            states.push(State::Delivering { transaction, lease, streaming, sold });
        }
    }
    states.extend([
        State::Sold { transaction, since },
        State::Void,
        State::Closed,
        State::Refunded { transaction, refund: hash(3) },
        State::Waived { transaction, reason: "kept".to_owned() },
    ]);
    for why in [
        Undelivered::Origin,
        Undelivered::Lost,
        Undelivered::Dropped,
        Undelivered::LetGo,
        Undelivered::NotFetched,
    ] {
        let begins = [None, Some("key".to_owned())].map(|key| Some(RefundBegin { at: since, key }));
        for refunding in begins.into_iter().chain([None]) {
            states.push(State::RefundDue { transaction, why, since, refunding });
        }
    }
    for why in [Why::StreamLost, Why::UnknownState, Why::PaidBefore, Why::Overdue] {
        for transaction in [None, Some(transaction)] {
            states.push(State::Manual { why, transaction });
        }
    }
    for resend in resends.into_iter().chain([None]) {
        for transaction in [None, Some(transaction)] {
            states.push(State::Unknown { since, transaction, sent, resend });
        }
        states.push(State::Refused { since, reason: "no".to_owned(), sent, resend });
    }
    states
}

fn commands(fence: u64, mode: Mode) -> Vec<Command> {
    let mut commands = Vec::new();
    let claims =
        [("a", Some("s"), false), ("a", None, false), ("a", None, true), ("b", Some("s"), true)];
    for (binding, secret, wallet) in claims {
        for idempotent in [false, true] {
            commands.push(Command::Claim {
                payment: Box::new(payment(mode, binding, secret, "other bytes")),
                leases: LEASES,
                idempotent,
                wallet,
                rival: None,
                in_flight: SIXTEEN,
                last: false,
            });
        }
    }
    for response in [None, Some("200\n".to_owned())] {
        commands.push(Command::Seal { fence, response, seen_block: None, charged: None });
    }
    let text = hash(2).to_text();
    let results = [
        Outcome::Settled(text.clone()),
        Outcome::Settled("no hash".to_owned()),
        Outcome::Refused("no".to_owned()),
        Outcome::Unknown(None),
        Outcome::Unknown(Some(text)),
    ];
    for result in results {
        for client in [Client::WaitsForMore, Client::Waits, Client::Answered] {
            let result = result.clone();
            commands.push(Command::Outcome { fence, result, client, seen_block: None });
        }
    }
    for delivery in [
        Delivery::Flowing,
        Delivery::Complete,
        Delivery::ClientLeft,
        Delivery::Broken,
        Delivery::Unsent,
    ] {
        commands.push(Command::Fulfil { fence, delivery });
    }
    for learnt in [
        ChainVerdict::Captured(hash(4).to_text()),
        ChainVerdict::Contradiction(hash(4).to_text()),
        ChainVerdict::Captured("no hash".to_owned()),
        ChainVerdict::Void,
        ChainVerdict::Nothing,
        ChainVerdict::Unread,
    ] {
        for (owner, fence) in [(false, None), (true, None), (true, Some(fence))] {
            commands.push(Command::Learn { learnt: learnt.clone(), owner, signed: 0, fence });
        }
    }
    for why in [Failure::NothingRan, Failure::Submitted, Failure::Origin, Failure::NotCharged] {
        commands.push(Command::Release { fence, why, brief: None });
    }
    commands
}

/// Every change of state that may ever happen. Spec: docs/design.md, "The ledger".
const TABLE: &[(&str, &[&str])] = &[
    ("none", &["executing", "settling"]),
    ("executing", &["released", "abandoned", "settling", "unknown"]),
    (
        "settling",
        &["unknown", "refused", "settled", "delivering", "delivered", "refund_due", "released"],
    ),
    ("unknown", &["settled", "delivering", "delivered", "refund_due", "void", "manual"]),
    (
        "refused",
        &[
            "unknown",
            "settled",
            "delivering",
            "delivered",
            "refund_due",
            "void",
            "closed",
            "manual",
            // Signed again.
            "executing",
            "settling",
        ],
    ),
    ("settled", &["delivering", "refund_due"]),
    ("delivering", &["delivered", "refund_due", "manual", "sold"]),
    (
        "released",
        &["executing", "settling", "unknown", "settled", "refund_due", "void", "closed", "manual"],
    ),
    ("abandoned", &["executing", "settling", "unknown", "refund_due", "void", "closed", "manual"]),
    ("closed", &["refund_due", "void", "manual", "executing", "settling"]),
    ("refund_due", &["delivering"]),
    ("sold", &["delivering"]),
    ("delivered", &["refund_due"]),
    ("void", &["executing", "settling"]),
    ("manual", &["delivering", "delivered", "refund_due"]),
    ("refunded", &[]),
    ("waived", &[]),
];

fn is_allowed(from: &str, to: &str) -> bool {
    from == to || TABLE.iter().any(|(state, next)| *state == from && next.contains(&to))
}

// I-11
#[test]
fn every_state_answers_every_command_and_moves_only_along_the_table() {
    let mut asked = 0;
    for mode in [Mode::After, Mode::Before] {
        for state in states() {
            for sealed in [false, true] {
                for command in commands(7, mode).into_iter().chain(commands(6, mode)) {
                    for taken in [Taken::No, Taken::Yes] {
                        for now in [NOW, NOW + 40, NOW + 900, VALID_BEFORE + 1] {
                            let before = Entry { sealed, ..entry(mode, state.clone()) };
                            let (after, _) = before.clone().apply(
                                command.clone(),
                                OtherPayments::default(),
                                taken,
                                at(now),
                            );
                            let (from, to) = (before.state.name(), after.state.name());
                            assert!(is_allowed(&from, &to), "{from} -> {to} by {command:?}");
                            assert!(after.fence >= before.fence);
                            assert_eq!(after.payment.binding, before.payment.binding);
                            let read =
                                Row::of(&after).into_entry(after.payment.clone(), after.leases);
                            assert_eq!(read, after, "{command:?}");
                            asked += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(asked > 20_000, "{asked}");
}

// A-44
#[test]
fn an_old_fence_moves_nothing() {
    for mode in [Mode::After, Mode::Before] {
        for state in states() {
            for fence in [0, 6, 8] {
                for command in commands(fence, mode) {
                    if matches!(command, Command::Claim { .. } | Command::Learn { .. }) {
                        continue;
                    }
                    let before = entry(mode, state.clone());
                    let (after, answer) = before.clone().apply(
                        command.clone(),
                        OtherPayments::default(),
                        Taken::No,
                        at(NOW),
                    );
                    let sealed = matches!(command, Command::Seal { .. });
                    let told = match sealed && before.is_active() {
                        true => Answer::Fate(Fate::InProgress),
                        false => Answer::Stale,
                    };
                    assert_eq!(answer, told, "{state:?} {command:?}");
                    assert_eq!(after.state.name(), before.state.name());
                    let evidence = matches!(state, State::Unknown { transaction: None, .. });
                    assert!(evidence || after == before, "{state:?} {command:?}");
                }
            }
        }
    }
}

/// Whether the holder says how a stream goes on that had been silent for too long.
fn is_word_of_a_lost_stream(state: &State, command: &Command) -> bool {
    let lost = State::Manual { why: Why::StreamLost, transaction: Some(hash(1)) };
    *state == lost && matches!(command, Command::Fulfil { .. })
}

#[test]
pub fn only_the_holder_of_a_lost_stream_ends_a_review() {
    for state in states().into_iter().filter(|state| matches!(state, State::Manual { .. })) {
        for fence in [6, 7] {
            for command in commands(fence, Mode::Before) {
                let before = entry(Mode::Before, state.clone());
                let other = OtherPayments::default();
                let (after, _) = before.clone().apply(command.clone(), other, Taken::No, at(NOW));
                let ends = fence == 7 && is_word_of_a_lost_stream(&state, &command);
                assert_eq!(after.state != before.state, ends, "{state:?} {command:?}");
            }
        }
    }
}

// A-143, I-11
#[test]
fn what_is_over_stays_as_it_is() {
    for mode in [Mode::After, Mode::Before] {
        for state in states() {
            let over = matches!(
                state,
                State::Delivered { .. }
                    | State::RefundDue { .. }
                    | State::Manual { .. }
                    | State::Void
                    | State::Refunded { .. }
                    | State::Waived { .. }
            );
            for command in commands(7, mode) {
                if matches!(command, Command::Claim { idempotent: true, .. }) || !over {
                    continue;
                }
                if is_word_of_a_lost_stream(&state, &command) {
                    continue;
                }
                let before = entry(mode, state.clone());
                let (after, _) = before.clone().apply(
                    command.clone(),
                    OtherPayments::default(),
                    Taken::No,
                    at(NOW),
                );
                let watch = before.watch;
                assert_eq!(Entry { watch, ..after }, before, "{command:?}");
                assert_eq!(before.clone().lapse(at(NOW + 1_000_000)), before);
            }
        }
    }
}

#[test]
fn a_claim_for_another_request_is_always_refused_and_moves_nothing() {
    for mode in [Mode::After, Mode::Before] {
        for state in states() {
            for command in commands(7, mode) {
                if !matches!(&command, Command::Claim { payment, .. } if payment.binding == "b") {
                    continue;
                }
                let before = entry(mode, state.clone());
                let applied =
                    before.clone().apply(command, OtherPayments::default(), Taken::No, at(NOW));
                assert_eq!(applied, (before, Answer::Fate(Fate::AlreadyUsed)));
            }
        }
    }
}

/// One thing about a row.
type Change = Box<dyn Fn(&mut Row)>;

#[test]
fn a_row_of_another_version_is_for_the_operator_and_never_a_default() {
    let known = Row::of(&entry(Mode::After, State::Delivered { transaction: hash(1) }));
    let read = |row: Row| row.into_entry(payment(Mode::After, "a", None, ""), LEASES).state;
    assert_eq!(read(known.clone()), State::Delivered { transaction: hash(1) });
    let table: [(&str, Change); 9] = [
        ("a state nobody knows", Box::new(|row| row.state = "paused".to_owned())),
        ("no state", Box::new(|row| row.state = String::new())),
        ("another case", Box::new(|row| row.state = "Delivered".to_owned())),
        ("no transaction", Box::new(|row| row.transaction = None)),
        ("a transaction that is none", Box::new(|row| row.transaction = Some("0x12".to_owned()))),
        ("no lease", Box::new(|row| row.state = "executing".to_owned())),
        ("no time", Box::new(|row| row.state = "settled".to_owned())),
        (
            "a reason nobody knows",
            Box::new(|row| {
                row.state = "refund_due".to_owned();
                row.reason = Some("mood".to_owned());
            }),
        ),
        (
            "a holder nobody knows",
            Box::new(|row| {
                row.state = "unknown".to_owned();
                (row.since, row.sent, row.due) = (Some(1), Some(1), Some(2));
                row.holder = Some("friend".to_owned());
            }),
        ),
    ];
    for (name, change) in table {
        let mut row = known.clone();
        change(&mut row);
        let state = read(row);
        assert!(matches!(state, State::Manual { why: Why::UnknownState, .. }), "{name}: {state:?}");
    }
}

// A-45
#[test]
fn a_lease_ends_at_its_time_and_not_a_second_earlier() {
    let lease = Lease { until: at(NOW + 50) };
    let transaction = hash(1);
    let table = [
        (State::Executing(lease), "abandoned"),
        (State::Settling(lease), "unknown"),
        (State::Delivering { transaction, lease, streaming: false, sold: None }, "refund_due"),
        (State::Delivering { transaction, lease, streaming: true, sold: None }, "manual"),
        (State::Delivering { transaction, lease, streaming: false, sold: Some(at(1)) }, "sold"),
        (State::Delivering { transaction, lease, streaming: true, sold: Some(at(1)) }, "sold"),
    ];
    for (state, then) in table {
        let held = entry(Mode::After, state);
        assert_eq!(held.wake_at(), Some(at(NOW + 50)));
        assert_eq!(held.clone().lapse(at(NOW + 49)), held);
        let late = held.clone().lapse(at(NOW + 5_000));
        assert_eq!(late.state.name(), then);
        assert_eq!(late, held.lapse(at(NOW + 50)), "when it is noticed makes no difference");
    }
}

// A-56
#[test]
pub fn a_seal_charges_a_part_of_what_was_signed_once_and_never_more() {
    let lease = Lease { until: at(NOW + 50) };
    for (charged, amount) in [
        (None, Some("10000")),
        (Some("1"), Some("1")),
        (Some("10000"), Some("10000")),
        (Some("10001"), None),
        (Some("0"), None),
        (Some("-1"), None),
        (Some(""), None),
    ] {
        let charged = charged.map(str::to_owned);
        let seal = Command::Seal { fence: 7, response: None, seen_block: None, charged };
        let told = |before: Entry| {
            before.apply(seal.clone(), OtherPayments::default(), Taken::No, at(NOW))
        };
        let (sealed, answer) = told(entry(Mode::After, State::Executing(lease)));
        let granted = matches!(answer, Answer::Granted { .. });
        assert_eq!(granted.then_some(sealed.payment.amount.as_str()), amount, "{seal:?}");
        // What is being settled stays as it is.
        let (sealed, answer) = told(entry(Mode::After, State::Settling(lease)));
        assert_eq!((sealed.payment.amount.as_str(), answer), ("10000", Answer::Stale), "{seal:?}");
    }
}
