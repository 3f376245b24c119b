//! What became of a permit, asked of a naive chain: settled by the proxy, by a contract in between, or written into the data of
//! another transfer.

use farebox_core::evm::permit2::EXACT_PROXY;
use farebox_core::ledger::inquiry::confirmation::{Confirmation, Step};
use farebox_core::ledger::inquiry::finding::{Finality, Finding, Verdict, verdict};
use farebox_core::ledger::inquiry::{MAX_ROUND_TRIPS, Next, Question};
use farebox_core::payment::TransferMethod;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::naive_chain::*;
use crate::support::{cases, text};

fn permit() -> Question {
    Question { method: TransferMethod::Permit2, ..question() }
}

/// A chain on which a transfer like the payment's was made by a call with the data of this vector.
fn settled(block: u64, called: &str, vector: &str) -> Chain {
    with(Chain::at(SIGHT + 40, SIGHT + 20), block, called, vector)
}

fn with(chain: Chain, block: u64, called: &str, vector: &str) -> Chain {
    let mut chain = chain.with(block, vec![Event::transfer(PAYER, PAYEE, VALUE)]);
    let cases = cases("x402/permit2-settlements", "vectors");
    let data = cases.iter().find(|case| case["name"] == vector).unwrap();
    chain.contents.push(json!({ "from": OTHER, "to": called, "input": text(data, "data") }));
    chain.burnt = Some(block);
    chain
}

fn inquire(chain: &mut Chain, question: Question) -> Finding {
    inquire_without(chain, question, usize::MAX)
}

/// The same where the reply to this request, counted from zero, is too long to be read.
fn inquire_without(chain: &mut Chain, question: Question, unread: usize) -> Finding {
    let (mut body, mut asking) = question.ask();
    for turn in 0..MAX_ROUND_TRIPS {
        let reply = serde_json::to_vec(&Value::Array(chain.answer(&body))).unwrap();
        let reply = if turn == unread { b"[{\"jsonrpc\":".to_vec() } else { reply };
        match asking.answered(Some(&reply)) {
            Next::Ask(next, waiting) => (body, asking) = (next, waiting),
            Next::Found(finding) => return finding,
        }
    }
    panic!("more than {MAX_ROUND_TRIPS} round trips");
}

fn judged(finding: &Finding) -> Verdict {
    let late = UnixTime::from_secs(VALID_BEFORE + 86_400);
    verdict(finding, UnixTime::from_secs(VALID_BEFORE), late)
}

fn proxy() -> String {
    EXACT_PROXY.to_lower_hex()
}

#[test]
fn a_permit_that_the_proxy_settled_after_first_sight_is_captured() {
    for vector in ["settle", "settleWithPermit", "settle with a suffix"] {
        for seen_block in [Some(SIGHT), None] {
            let mut chain = settled(SIGHT + 2, &proxy(), vector);
            let asked = Question { seen_block, ..permit() };
            let finding = inquire(&mut chain, asked.clone());
            let transaction = chain.hash(0);
            let found = Finding::Transferred { transaction, block: SIGHT + 2, log_index: 7 };
            assert_eq!(finding, found, "{vector}");
            let hinted = Question { known: Some(transaction), ..asked };
            assert_eq!(inquire(&mut chain, hinted), found, "{vector}");
        }
    }
}

//
#[test]
fn a_transfer_that_names_the_permit_in_its_data_proves_nothing() {
    let other = OTHER.to_owned();
    for (called, vector) in [
        (&other, "settle"),
        (&other, "settleWithPermit"),
        (&proxy(), "another nonce, and this permit behind it"),
        (&proxy(), "a plain transfer with the permit behind it"),
        (&TOKEN.to_owned(), "a plain transfer with the permit behind it"),
    ] {
        let mut chain = settled(SIGHT + 2, called, vector);
        let transaction = chain.hash(0);
        for known in [None, Some(transaction)] {
            let finding = inquire(&mut chain, Question { known, ..permit() });
            let unclear = Finding::Unclear { transaction, finality: Finality::Safe };
            assert_eq!(finding, unclear, "{called} {vector}");
            assert_eq!(judged(&finding), Verdict::Unclear(transaction));
        }
    }
}

#[test]
fn another_payment_between_the_same_accounts_is_not_this_one() {
    for vector in ["another nonce", "nothing", "another payer"] {
        let mut chain = settled(SIGHT + 2, OTHER, vector);
        chain.contents[0]["input"] = json!("0x");
        assert_eq!(judged(&inquire(&mut chain, permit())), Verdict::Unreadable, "{vector}");
    }
    // Several of them, and this one behind.
    let mut chain = Chain::at(SIGHT + 60, SIGHT + 50);
    for block in 1..=20 {
        chain = with(chain, SIGHT + block, &proxy(), "another nonce");
    }
    chain = with(chain, SIGHT + 21, &proxy(), "settle");
    chain.burnt = Some(SIGHT + 1);
    let transaction = chain.hash(20);
    let found = Finding::Transferred { transaction, block: SIGHT + 21, log_index: 7 };
    assert_eq!(inquire(&mut chain, permit()), found);
}

#[test]
fn a_reverted_settlement_moved_nothing_and_the_nonce_is_free() {
    let mut chain = settled(SIGHT + 2, &proxy(), "settle");
    chain = Chain { transactions: Vec::new(), burnt: None, ..chain };
    chain = chain.with_status(SIGHT + 2, 0, Vec::new());
    let transaction = chain.hash(0);
    let finding = inquire(&mut chain, Question { known: Some(transaction), ..permit() });
    assert!(matches!(finding, Finding::Unused { .. }), "{finding:?}");
}

#[test]
fn a_nonce_used_for_another_permit_is_used_elsewhere() {
    for vector in ["another amount", "another payee", "another token"] {
        let mut chain = settled(SIGHT + 2, &proxy(), vector);
        let transaction = chain.hash(0);
        let finding = inquire(&mut chain, permit());
        let elsewhere = Finding::UsedElsewhere { finality: Finality::Safe };
        assert_eq!(finding, elsewhere, "{vector}");
        let hinted = Question { known: Some(transaction), ..permit() };
        assert_eq!(inquire(&mut chain, hinted), elsewhere, "{vector}");
    }
}

#[test]
fn a_settlement_before_first_sight_pays_for_no_request_here() {
    let mut chain = settled(SIGHT - 2, &proxy(), "settle");
    let transaction = chain.hash(0);
    let finding = inquire(&mut chain, Question { known: Some(transaction), ..permit() });
    let before = Finding::TransferredBefore { transaction, finality: Finality::Safe };
    assert_eq!(finding, before);
    // Blocks before first sight are not searched.
    assert_eq!(judged(&inquire(&mut chain, permit())), Verdict::Unreadable);
    assert!(chain.searched.iter().all(|(first, _)| *first > SIGHT), "{:?}", chain.searched);
}

#[test]
fn an_own_confirmation_reads_the_data_of_the_transaction() {
    for seen_block in [Some(SIGHT), None] {
        for (called, vector, confirmed) in [
            (proxy(), "settle", true),
            (proxy(), "another nonce", false),
            (OTHER.to_owned(), "settle", false),
        ] {
            let mut chain = settled(SIGHT + 2, &called, vector);
            let (mut body, mut confirming) =
                Question { seen_block, ..permit() }.confirm(chain.hash(0));
            let found = loop {
                let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
                match confirming.answered(Some(&reply)) {
                    Step::Ask(next, waiting) => (body, confirming) = (next, waiting),
                    Step::Done(found) => break found,
                }
            };
            let expected = match confirmed {
                true => Confirmation::Confirmed { block: SIGHT + 2, log_index: 7 },
                false => Confirmation::Contradicted,
            };
            assert_eq!(found, expected, "{called} {vector} {seen_block:?}");
        }
    }
}

/// A chain on which a stranger's contract settled this permit in this block, and shows it.
fn forestalled(block: u64) -> Chain {
    let mut chain = settled(block, OTHER, "settle");
    chain.contents[0]["input"] = json!("0x");
    chain.traces.push(shown(PAYEE, VALUE));
    chain
}

/// The calls inside of a transaction of a stranger's contract that settles the permit for this payee and
/// amount, as anvil 1.7 writes them.
fn shown(to: &str, value: u64) -> Value {
    let value = format!("0x{value:064x}");
    let words = [&word(TOKEN), &value, NONCE, &word("0x6916c68c"), &word(to), &value, &word(PAYER)];
    let words: String = words.iter().map(|word| &word[2..]).collect();
    let call = |kind: &str, from: &str, to: &str, input: &str, calls: Vec<Value>| json!({ "type": kind, "from": from, "to": to, "gas": "0x1", "input": input, "calls": calls });
    let permit = call("CALL", &proxy(), PERMIT2, &format!("0x137c29fe{words}"), Vec::new());
    let checked = call("STATICCALL", &proxy(), TOKEN, "0x", Vec::new());
    let settle = call("CALL", OTHER, &proxy(), "0x13cd3b53", vec![checked, permit]);
    let created = json!({ "type": "CREATE", "from": OTHER, "input": "0x", "calls": [settle] });
    call("CALL", PAYER, OTHER, "0x", vec![created])
}

#[test]
fn a_permit_that_a_contract_settled_is_told_by_its_calls() {
    for seen_block in [Some(SIGHT), None] {
        let asked = Question { seen_block, ..permit() };
        let mut chain = forestalled(SIGHT + 2);
        let found =
            Finding::Transferred { transaction: chain.hash(0), block: SIGHT + 2, log_index: 7 };
        assert_eq!(inquire(&mut chain, asked.clone()), found);
        // Also where its receipt is too long to be read.
        assert_eq!(inquire_without(&mut chain, asked.clone(), 3), found);
        let receipts = chain.asked.iter().flatten().filter(|it| *it == "eth_getTransactionReceipt");
        assert_eq!(receipts.count(), 2);
        // The gate does not know that block as a later one.
        let early = Question { seen_block: Some(SIGHT + 2), ..asked };
        assert_eq!(judged(&inquire(&mut forestalled(SIGHT + 2), early)), Verdict::Unreadable);
    }
}

#[test]
fn whichever_authorization_of_its_nonce_was_mined_is_told_by_its_calls() {
    let question = permit();
    let (other, more) = ("0x00000000000000000000000000000000000000cc", VALUE + 5);
    let address = farebox_core::evm::address::Address::parse(other).unwrap();
    let amount = farebox_core::amount::Amount::from_u64(more);
    let earlier = vec![(address, question.value), (question.to, amount)];
    let mut chain = Chain::at(SIGHT + 40, SIGHT + 20)
        .with(SIGHT + 2, vec![Event::transfer(PAYER, PAYEE, more)]);
    chain.contents.push(json!({ "from": OTHER, "to": OTHER, "input": "0x" }));
    chain.burnt = Some(SIGHT + 2);
    chain.traces.push(shown(PAYEE, more));
    let transaction = chain.hash(0);
    let found = Finding::TransferredEarlier { transaction, earlier: 1 };
    assert_eq!(inquire(&mut chain, Question { earlier: earlier.clone(), ..question }), found);
    // Its transfer is that of the other one.
    chain.traces = vec![shown(PAYEE, VALUE)];
    let asked = Question { earlier, ..permit() };
    assert_eq!(judged(&inquire(&mut chain, asked)), Verdict::Unreadable);
}

#[test]
fn what_a_node_does_not_show_as_geth_does_proves_nothing() {
    let scenes: [fn(&mut Value); 9] = [
        |trace| *trace = Value::Null,
        |trace| *trace = json!([]),
        |trace| trace["calls"] = json!({}),
        |trace| trace["calls"][0]["calls"][0]["calls"][1] = json!("call"),
        |trace| trace["calls"][0]["calls"][0]["calls"][1]["type"] = Value::Null,
        |trace| trace["calls"][0]["calls"][0]["calls"][1]["to"] = Value::Null,
        |trace| trace["calls"][0]["calls"][0]["calls"][1]["from"] = json!("0x12"),
        |trace| trace["calls"][0]["calls"][0]["calls"][1]["input"] = json!("0x137c29f"),
        |trace| trace["calls"][0]["calls"][0]["calls"][1]["input"] = json!("0x137c29fe"),
    ];
    for (place, change) in scenes.iter().enumerate() {
        let mut chain = forestalled(SIGHT + 2);
        change(&mut chain.traces[0]);
        assert_eq!(judged(&inquire(&mut chain, permit())), Verdict::Unreadable, "{place}");
    }
    // As deep as a reply may be, and deeper: the outermost call is the first.
    for (deep, is_told) in [(31, true), (32, false)] {
        let mut chain = forestalled(SIGHT + 2);
        let mut inner = json!({ "type": "STATICCALL", "from": OTHER, "to": OTHER, "input": "0x" });
        for _ in 2..deep {
            inner = json!({ "type": "CALL", "from": OTHER, "to": OTHER, "input": "0x", "calls": [inner] });
        }
        chain.traces[0]["calls"].as_array_mut().unwrap().push(inner);
        let verdict = judged(&inquire(&mut chain, permit()));
        assert_eq!(matches!(verdict, Verdict::Captured(_)), is_told, "{deep}");
    }
    // No error is one that is null.
    let mut chain = forestalled(SIGHT + 2);
    chain.traces[0]["error"] = Value::Null;
    assert!(matches!(judged(&inquire(&mut chain, permit())), Verdict::Captured(_)));
}

#[test]
fn an_inquiry_with_calls_ends_within_its_round_trips_and_asks_for_two_traces() {
    // The reply about the named transaction cannot be read, and logs come in the second round.
    let mut chain = Chain::at(SIGHT + 16_000, SIGHT + 15_990);
    chain = with(chain, SIGHT + 15_000, OTHER, "settle");
    chain = with(chain, SIGHT + 15_000, OTHER, "settle");
    for content in &mut chain.contents {
        content["input"] = json!("0x");
    }
    chain.traces = vec![shown(OTHER, VALUE), shown(PAYEE, VALUE)];
    let named = Question { known: Some(chain.hash(0)), ..permit() };
    let found = inquire_without(&mut chain, named, 0);
    let transaction = chain.hash(1);
    let paid = Finding::Transferred { transaction, block: SIGHT + 15_000, log_index: 7 };
    assert_eq!((found, chain.asked.len()), (paid, MAX_ROUND_TRIPS));
    let last = chain.asked.last().unwrap();
    assert_eq!(last[..], ["eth_getLogs", "debug_traceTransaction", "debug_traceTransaction"]);
}

#[test]
fn what_its_own_data_tells_of_a_transaction_is_not_asked_for_again() {
    let mut chain = Chain::at(SIGHT + 40, SIGHT + 20);
    let (proxy, stranger) = (proxy(), OTHER.to_owned());
    for (called, vector) in
        [(&proxy, "another amount"), (&proxy, "another payee"), (&stranger, "settle")]
    {
        chain = with(chain, SIGHT + 2, called, vector);
    }
    chain.traces = vec![Value::Null, Value::Null, shown(PAYEE, VALUE)];
    let found = Finding::Transferred { transaction: chain.hash(2), block: SIGHT + 2, log_index: 7 };
    assert_eq!(inquire(&mut chain, permit()), found);
    assert_eq!(chain.asked.last().unwrap()[..], ["eth_getLogs", "debug_traceTransaction"]);
}
