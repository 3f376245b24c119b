//! What became of an authorization, asked of a naive chain: third parties, first sight, what closes a payment, searches.

use crate::naive_chain::*;
use farebox_core::ledger::inquiry::finding::{Finality, Finding, Verdict, verdict};
use farebox_core::ledger::inquiry::{MAX_ROUND_TRIPS, Next, Question};
use farebox_core::time::UnixTime;

/// Plays an inquiry to its end.
fn inquire(chain: &mut Chain, question: Question) -> Finding {
    let (mut body, mut asking) = question.ask();
    for _ in 0..6 {
        let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
        match asking.answered(Some(&reply)) {
            Next::Ask(next, waiting) => (body, asking) = (next, waiting),
            Next::Found(finding) => return finding,
        }
    }
    panic!("more than six round trips");
}

/// The same by a node whose receipts are too long to be read: whoever sends a transaction decides
/// how much it writes.
fn inquire_without_receipts(chain: &mut Chain, question: Question) -> Finding {
    let (mut body, mut asking) = question.ask();
    for _ in 0..MAX_ROUND_TRIPS {
        let is_long = body.contains("eth_getTransactionReceipt");
        let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
        match asking.answered(Some(reply.as_slice()).filter(|_| !is_long)) {
            Next::Ask(next, waiting) => (body, asking) = (next, waiting),
            Next::Found(finding) => return finding,
        }
    }
    panic!("more than {MAX_ROUND_TRIPS} round trips");
}

/// The verdict long after `validBefore` by our clock.
fn judged(finding: &Finding) -> Verdict {
    let late = UnixTime::from_secs(VALID_BEFORE + 86_400);
    verdict(finding, UnixTime::from_secs(VALID_BEFORE), late)
}

fn paid(chain: &Chain, block: u64, log_index: u64) -> Finding {
    Finding::Transferred { transaction: chain.hash(0), block, log_index }
}

//
#[test]
fn an_authorization_that_anybody_submitted_after_first_sight_is_captured() {
    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, payment());
    let finding = inquire(&mut chain, question());
    assert_eq!(finding, paid(&chain, SIGHT + 1, 8));
    assert_eq!(judged(&finding), Verdict::Captured(chain.hash(0)));
    assert_eq!(chain.asked.len(), 4);
}

#[test]
fn what_became_of_an_authorization_is_read_without_receipts_too() {
    let used = || Event::used(PAYER, NONCE);
    let other = || Event::used(PAYER, OTHER_NONCE);
    let exact = || Event::transfer(PAYER, PAYEE, VALUE);
    let dust = || Event::transfer(PAYER, PAYEE, 0);
    let of_strangers = || Event::transfer(OTHER, PAYEE, VALUE);
    let table = [
        ("paid", payment()),
        ("paid beside others", vec![of_strangers(), used(), exact(), of_strangers(), dust()]),
        ("burnt for another payee", vec![used(), Event::transfer(PAYER, OTHER, VALUE)]),
        ("used for nothing", vec![used(), of_strangers()]),
        ("cancelled", vec![Event::cancelled(PAYER, NONCE)]),
        ("ours burnt, the other paid", vec![used(), dust(), other(), exact()]),
    ];
    for (name, events) in table {
        let mut chain = Chain::at(SIGHT + 20, SIGHT + 20)
            .with(SIGHT + 5, events)
            .with(SIGHT + 5, vec![Event::transfer(PAYER, PAYEE, VALUE)]);
        let hinted = Question { known: Some(chain.hash(0)), ..question() };
        let blind = Question { seen_block: None, ..question() };
        for question in [question(), hinted, blind] {
            let expected = inquire(&mut chain, question.clone());
            assert_eq!(inquire_without_receipts(&mut chain, question), expected, "{name}");
        }
    }
}

//
#[test]
fn the_same_payment_up_to_the_block_of_first_sight_is_early() {
    for block in [SIGHT, SIGHT - 1, SIGHT - 1_999, 0] {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(block, payment());
        let question = Question { known: Some(chain.hash(0)), ..question() };
        let finding = inquire(&mut chain, question);
        let before =
            Finding::TransferredBefore { transaction: chain.hash(0), finality: Finality::Safe };
        assert_eq!(finding, before, "block {block}");
        assert_eq!(judged(&finding), Verdict::Early(chain.hash(0)));
    }
}

//
#[test]
fn without_a_block_at_first_sight_two_seconds_of_slack_decide() {
    // A block of even seconds; sight 2 s, then 3 s after it.
    let mut chain = Chain::at(SIGHT + 20, SIGHT + 20).with(SIGHT, payment());
    let seen_after = |secs| Question {
        seen_block: None,
        seen_at: UnixTime::from_secs(chain.clone().time(SIGHT) + secs),
        ..question()
    };
    let (at_edge, past_edge) = (seen_after(2), seen_after(3));
    assert_eq!(inquire(&mut chain, at_edge.clone()), paid(&chain, SIGHT, 8));
    let before =
        Finding::TransferredBefore { transaction: chain.hash(0), finality: Finality::Safe };
    assert_eq!(inquire(&mut chain, past_edge.clone()), before);
    let hinted = |question| Question { known: Some(chain.hash(0)), ..question };
    let (at_edge, past_edge) = (hinted(at_edge), hinted(past_edge));
    assert_eq!(inquire(&mut chain, at_edge), paid(&chain, SIGHT, 8));
    assert_eq!(inquire(&mut chain, past_edge), before);
}

//
#[test]
fn a_cancellation_closes_the_payment_once_it_is_safe() {
    for (safe, finality, expected) in
        [(SIGHT + 5, Finality::Safe, Verdict::Void), (SIGHT + 4, Finality::Latest, Verdict::Open)]
    {
        let mut chain =
            Chain::at(SIGHT + 20, safe).with(SIGHT + 5, vec![Event::cancelled(PAYER, NONCE)]);
        let finding = inquire(&mut chain, question());
        assert_eq!(finding, Finding::Cancelled { finality });
        assert_eq!(judged(&finding), expected);
    }
}

//
#[test]
fn a_nonce_used_by_anything_but_this_payment_never_counts_as_paid() {
    let used = || Event::used(PAYER, NONCE);
    let exact = || Event::transfer(PAYER, PAYEE, VALUE);
    let table = [
        ("burnt for another payee", vec![used(), Event::transfer(PAYER, OTHER, VALUE)]),
        ("one unit less", vec![used(), Event::transfer(PAYER, PAYEE, VALUE - 1)]),
        ("one unit more", vec![used(), Event::transfer(PAYER, PAYEE, VALUE + 1)]),
        ("from another account", vec![used(), Event::transfer(OTHER, PAYEE, VALUE)]),
        ("silent success that moves nothing", vec![used()]),
        ("another token", vec![used(), exact().of(OTHER)]),
        ("transfer taken back", vec![used(), exact().removed()]),
    ];
    for (name, events) in table {
        for (safe, expected) in [(SIGHT + 5, Verdict::Void), (SIGHT + 4, Verdict::Open)] {
            let mut chain = Chain::at(SIGHT + 20, safe).with(SIGHT + 5, events.clone());
            let question = Question { known: Some(chain.hash(0)), ..question() };
            let finding = inquire(&mut chain, question);
            assert!(matches!(finding, Finding::UsedElsewhere { .. }), "{name}: {finding:?}");
            assert_eq!(judged(&finding), expected, "{name}");
        }
    }
}

//
#[test]
fn each_authorization_of_a_transaction_has_its_own_transfer_or_a_person_looks() {
    let used = || Event::used(PAYER, NONCE);
    let other = || Event::used(PAYER, OTHER_NONCE);
    let exact = || Event::transfer(PAYER, PAYEE, VALUE);
    let elsewhere = || Event::transfer(PAYER, OTHER, VALUE);
    let odd = |indexed: &[&str], data: &str| {
        let words: Vec<String> = indexed.iter().map(|argument| word(argument)).collect();
        let topics: Vec<&str> =
            std::iter::once(TRANSFER).chain(words.iter().map(String::as_str)).collect();
        Event::new(&topics, data)
    };
    // Place of our own transfer in the block, where there is one; events are counted from 7.
    let table = [
        ("ours, then the other", vec![used(), exact(), other(), exact()], Some(8)),
        ("the other, then ours", vec![other(), exact(), used(), exact()], Some(10)),
        ("events of other contracts between", vec![used(), exact().of(OTHER), exact()], Some(9)),
        ("an approval between", vec![used(), Event::new(&[CANCELED], "0x"), exact()], Some(9)),
        ("transfer reported first", vec![exact(), used()], Some(7)),
        ("ours burnt, the other paid", vec![used(), elsewhere(), other(), exact()], None),
        ("the other paid, ours burnt", vec![other(), exact(), used(), elsewhere()], None),
        ("the other paid, ours silent", vec![other(), exact(), used()], None),
        ("ours silent, the other paid", vec![used(), other(), exact()], None),
        ("a transfer with short data", vec![used(), odd(&[PAYER, PAYEE], "0x2710")], None),
        (
            "a transfer with its value indexed",
            vec![used(), odd(&[PAYER, PAYEE, "0x2710"], "0x")],
            None,
        ),
        (
            "a transfer with one address indexed",
            vec![used(), odd(&[PAYER], &format!("0x{:0128x}", 1))],
            None,
        ),
        ("ours burnt, then a plain transfer", vec![used(), elsewhere(), exact()], None),
    ];
    for (name, events, place) in table {
        let mut chain = Chain::at(SIGHT + 20, SIGHT + 20).with(SIGHT + 5, events);
        let expected = place.map_or(
            Finding::Unclear { transaction: chain.hash(0), finality: Finality::Safe },
            |log_index| paid(&chain, SIGHT + 5, log_index),
        );
        assert_eq!(inquire(&mut chain, question()), expected, "{name}");
    }
}

//
#[test]
fn an_unused_authorization_is_void_only_after_a_minute_past_its_end_at_the_safe_block() {
    let dead = VALID_BEFORE + 60;
    let table = [
        (dead + 1, dead + 1, Verdict::Void),
        (dead, dead + 1, Verdict::Open),
        (dead + 1, dead, Verdict::Open),
        (VALID_BEFORE, dead + 86_400, Verdict::Open),
    ];
    for (safe_time, now, expected) in table {
        let mut chain = Chain::at(SIGHT + 2_000, SIGHT + 200);
        chain.ahead =
            i64::try_from(safe_time).unwrap() - i64::try_from(chain.time(SIGHT + 200)).unwrap();
        let finding = inquire(&mut chain, question());
        let safe_time = UnixTime::from_secs(safe_time);
        assert_eq!(finding, Finding::Unused { safe_time: Some(safe_time) });
        let valid_before = UnixTime::from_secs(VALID_BEFORE);
        assert_eq!(verdict(&finding, valid_before, UnixTime::from_secs(now)), expected);
        assert_eq!(chain.asked.len(), 2);
        assert_eq!(chain.searched, []);
    }
}

#[test]
fn an_authorization_without_end_is_never_void_by_age() {
    let finding = Finding::Unused { safe_time: Some(UnixTime::from_secs(u64::MAX)) };
    let never = UnixTime::from_secs(u64::MAX);
    assert_eq!(verdict(&finding, never, never), Verdict::Open);
}

#[test]
fn without_a_safe_block_captures_are_seen_and_nothing_is_closed() {
    let table = [
        (vec![], Verdict::Open),
        (vec![Event::cancelled(PAYER, NONCE)], Verdict::Open),
        (vec![Event::used(PAYER, NONCE)], Verdict::Open),
    ];
    for (events, expected) in table {
        let mut chain = Chain::at(SIGHT + 5_000, 0).with(SIGHT + 3, events);
        chain.safe = None;
        assert_eq!(judged(&inquire(&mut chain, question())), expected);
    }
    let mut chain = Chain::at(SIGHT + 5_000, 0).with(SIGHT + 3, payment());
    chain.safe = None;
    assert_eq!(inquire(&mut chain, question()), paid(&chain, SIGHT + 3, 8));
}

#[test]
fn a_transaction_named_by_a_payer_is_only_a_hint() {
    // It pays the same amount for another nonce; the true one is found by its log.
    let other = vec![Event::used(PAYER, OTHER_NONCE), Event::transfer(PAYER, PAYEE, VALUE)];
    let mut chain =
        Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 4, payment()).with(SIGHT + 5, other.clone());
    let question_about = |known| Question { known: Some(known), ..question() };
    let lie = chain.hash(1);
    assert_eq!(inquire(&mut chain, question_about(lie)), paid(&chain, SIGHT + 4, 8));
    let truth = chain.hash(0);
    chain.asked.clear();
    assert_eq!(inquire(&mut chain, question_about(truth)), paid(&chain, SIGHT + 4, 8));
    assert_eq!(chain.asked.len(), 1);

    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 5, other);
    let lie = chain.hash(0);
    let safe_time = Some(UnixTime::from_secs(chain.time(SIGHT)));
    assert_eq!(inquire(&mut chain, question_about(lie)), Finding::Unused { safe_time });
}

#[test]
fn a_reverted_transaction_is_no_payment_whatever_it_logs() {
    let mut chain = Chain::at(SIGHT + 20, SIGHT + 20).with_status(SIGHT + 5, 0, payment());
    let question = Question { known: Some(chain.hash(0)), ..question() };
    let finding = inquire(&mut chain, question);
    assert_eq!(judged(&finding), Verdict::Unreadable);
}

#[test]
fn logs_of_replaced_blocks_prove_nothing() {
    let gone = payment().into_iter().map(Event::removed).collect();
    let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 5, gone);
    let safe_time = Some(UnixTime::from_secs(chain.time(SIGHT)));
    let question = Question { known: Some(chain.hash(0)), ..question() };
    assert_eq!(inquire(&mut chain, question.clone()), Finding::Unused { safe_time });
    // Used by state, yet the only log is marked as removed.
    chain.burnt = Some(SIGHT + 5);
    assert_eq!(judged(&inquire(&mut chain, question)), Verdict::Unreadable);
}

#[test]
fn a_transfer_waits_for_the_confirmations_that_were_asked_for() {
    for (confirmations, captured) in [(0, true), (1, true), (16, true), (17, false)] {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 5, payment());
        let finding = inquire(&mut chain, Question { confirmations, ..question() });
        let expected = if captured { Verdict::Captured(chain.hash(0)) } else { Verdict::Open };
        assert_eq!(judged(&finding), expected, "{confirmations}");
    }
}

#[test]
fn a_search_takes_at_most_two_thousand_blocks_a_query_and_each_block_once() {
    let mut chain = Chain::at(SIGHT + 9_000, SIGHT + 9_000).with(SIGHT + 8_999, payment());
    assert_eq!(inquire(&mut chain, question()), paid(&chain, SIGHT + 8_999, 8));
    let expected = [
        (SIGHT + 1, SIGHT + 2_000),
        (SIGHT + 2_001, SIGHT + 4_000),
        (SIGHT + 4_001, SIGHT + 6_000),
        (SIGHT + 6_001, SIGHT + 8_000),
        (SIGHT + 8_001, SIGHT + 9_000),
        (SIGHT - 1_999, SIGHT),
    ];
    assert_eq!(chain.searched, expected);
}

#[test]
fn a_long_search_goes_on_where_the_one_before_it_ended() {
    let far = SIGHT + 200_000;
    let mut chain = Chain::at(far + 10, far).with(far - 5, payment());
    let mut asked = question();
    let mut inquiries = 0;
    let finding = loop {
        inquiries += 1;
        chain.asked.clear();
        match inquire(&mut chain, asked.clone()) {
            finding @ Finding::Searching { cursor } => {
                assert_eq!(judged(&finding), Verdict::Unreadable);
                assert_eq!(chain.asked.len(), 5);
                asked.cursor = cursor;
            }
            finding => break finding,
        }
    };
    assert_eq!(finding, paid(&chain, far - 5, 8));
    // Fifteen upward queries of 2,000 blocks each time.
    assert_eq!(inquiries, 7);
    chain.searched.sort_unstable();
    let overlaps = chain.searched.windows(2).filter(|pair| pair[0].1 >= pair[1].0).count();
    assert_eq!(overlaps, 0);
}

#[test]
fn blocks_that_may_still_be_replaced_are_searched_again() {
    // Used by state but without a log, so the search ends at the bottom of its budget.
    let mut chain = Chain::at(SIGHT + 100, SIGHT + 40);
    chain.burnt = Some(SIGHT + 3);
    let Finding::Searching { cursor: Some(cursor) } = inquire(&mut chain, question()) else {
        panic!("found something");
    };
    assert_eq!(cursor.high, SIGHT + 41);
    assert_eq!(cursor.low, SIGHT + 1 - 13 * 2_000);
}

#[test]
fn a_chain_searched_to_its_first_block_without_a_log_is_contradictory() {
    let mut chain = Chain::at(1_000, 990);
    chain.burnt = Some(5);
    let finding = inquire(&mut chain, Question { seen_block: Some(500), ..question() });
    assert_eq!(judged(&finding), Verdict::Unreadable);
    assert_eq!(chain.searched, [(501, 1_000), (0, 500)]);
}

#[test]
fn the_place_of_first_sight_is_estimated_where_no_block_was_read() {
    for paid_in in [SIGHT + 1, SIGHT + 900, SIGHT + 7_900] {
        for safe in [Some(SIGHT + 7_990), Some(SIGHT + 8_000), None] {
            let mut chain = Chain::at(SIGHT + 8_000, 0).with(paid_in, payment());
            chain.safe = safe;
            let asked = Question { seen_block: None, ..question() };
            assert_eq!(inquire(&mut chain, asked), paid(&chain, paid_in, 8), "{safe:?}");
        }
    }
}
