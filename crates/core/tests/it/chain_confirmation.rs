//! Own confirmation of a transaction that a facilitator named, against a naive chain.

use crate::naive_chain::*;
use farebox_core::ledger::inquiry::Question;
use farebox_core::ledger::inquiry::confirmation::{Confirmation, Step};
use farebox_core::ledger::inquiry::finding::Unreadable;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;

fn confirm(chain: &mut Chain, question: Question, transaction: TxHash) -> Confirmation {
    let (mut body, mut confirming) = question.confirm(transaction);
    for _ in 0..2 {
        let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
        match confirming.answered(Some(&reply)) {
            Step::Ask(next, waiting) => (body, confirming) = (next, waiting),
            Step::Done(confirmation) => return confirmation,
        }
    }
    panic!("more than two round trips");
}

//
#[test]
fn only_the_payment_itself_after_first_sight_is_confirmed() {
    let other = vec![Event::used(PAYER, OTHER_NONCE), Event::transfer(PAYER, PAYEE, VALUE)];
    let stranger = vec![Event::used(OTHER, NONCE), Event::transfer(OTHER, PAYEE, VALUE)];
    let silent = vec![Event::used(PAYER, NONCE)];
    let plain = vec![Event::transfer(PAYER, PAYEE, VALUE)];
    let cancelled = vec![Event::cancelled(PAYER, NONCE)];
    let both = [other.clone(), payment()].concat();
    let confirmed = |log_index| Confirmation::Confirmed { block: SIGHT + 1, log_index };
    let table = [
        ("the payment", SIGHT + 1, 1, payment(), confirmed(8)),
        ("in a batch", SIGHT + 1, 1, both, confirmed(10)),
        ("at first sight", SIGHT, 1, payment(), Confirmation::Contradicted),
        ("reverted", SIGHT + 1, 0, payment(), Confirmation::Contradicted),
        ("reverted without events", SIGHT + 1, 0, vec![], Confirmation::Contradicted),
        ("success that does nothing", SIGHT + 1, 1, vec![], Confirmation::Contradicted),
        ("another payment", SIGHT + 1, 1, other, Confirmation::Contradicted),
        ("another payer", SIGHT + 1, 1, stranger, Confirmation::Contradicted),
        ("used, nothing moved", SIGHT + 1, 1, silent, Confirmation::Contradicted),
        ("moved, not by the authorization", SIGHT + 1, 1, plain, Confirmation::Contradicted),
        ("cancelled", SIGHT + 1, 1, cancelled, Confirmation::Contradicted),
        ("not in a block yet", SIGHT + 30, 1, payment(), Confirmation::NotYet),
    ];
    for (name, block, status, events, expected) in table {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with_status(block, status, events);
        let transaction = chain.hash(0);
        assert_eq!(confirm(&mut chain, question(), transaction), expected, "{name}");
        assert_eq!(chain.asked.len(), 1, "{name}");
    }
}

#[test]
fn an_invented_transaction_is_not_confirmed() {
    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, payment());
    let invented = TxHash::parse(NONCE).unwrap();
    assert_eq!(confirm(&mut chain, question(), invented), Confirmation::NotYet);
}

#[test]
fn confirmations_count_the_block_itself() {
    for (confirmations, enough) in [(0, true), (1, true), (20, true), (21, false)] {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, payment());
        let transaction = chain.hash(0);
        let expected = if enough {
            Confirmation::Confirmed { block: SIGHT + 1, log_index: 8 }
        } else {
            Confirmation::NotYet
        };
        let question = Question { confirmations, ..question() };
        assert_eq!(confirm(&mut chain, question, transaction), expected, "{confirmations}");
    }
}

#[test]
fn without_a_block_at_first_sight_the_block_time_decides() {
    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT, payment());
    let transaction = chain.hash(0);
    let table = [
        (2, Confirmation::Confirmed { block: SIGHT, log_index: 8 }),
        (3, Confirmation::Contradicted),
    ];
    for (secs, expected) in table {
        let seen_at = UnixTime::from_secs(chain.time(SIGHT) + secs);
        let question = Question { seen_block: None, seen_at, ..question() };
        assert_eq!(confirm(&mut chain, question, transaction), expected, "{secs} s");
    }
}

#[test]
fn what_cannot_be_read_is_neither_confirmed_nor_contradicted() {
    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, payment());
    chain.id = 1;
    let transaction = chain.hash(0);
    let wrong = Confirmation::Unreadable(Unreadable::WrongChain(1));
    assert_eq!(confirm(&mut chain, question(), transaction), wrong);
    for garbage in [None, Some(&b"[]"[..]), Some(b"{}"), Some(b"\xff\xff")] {
        let (_, confirming) = question().confirm(transaction);
        let step = confirming.answered(garbage);
        assert!(matches!(step, Step::Done(Confirmation::Unreadable(_))), "{garbage:?}: {step:?}");
    }
}
