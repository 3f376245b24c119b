//! Transactions that pay by a plain transfer: what a naive chain says became of them, and whether one could be carried out.

use crate::naive_chain::*;
use crate::support::{cases, text};
use farebox_core::amount::Amount;
use farebox_core::encoding::hex as bytes;
use farebox_core::evm::address::Address;
use farebox_core::evm::rpc::error::RpcError;
use farebox_core::evm::transaction::SignedTransfer;
use farebox_core::ledger::inquiry::finding::{Finality, Finding, Unreadable, Verdict, verdict};
use farebox_core::ledger::inquiry::simulation::{AwaitingSimulation, Prospect};
use farebox_core::ledger::inquiry::transfer::{KnownParts, Transfer};
use farebox_core::ledger::inquiry::{ChainQuery, Next, Question};
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

/// The data of `transfer(PAYEE, VALUE)`, as `viem` 2.57.1 encodes it.
const CALL: &str = "0xa9059cbb000000000000000000000000209693bc6afc0c5328ba36faf03c514ef312287c0000000000000000000000000000000000000000000000000000000000002710";

fn transfer(transaction: TxHash) -> Transfer {
    let Question { chain_id, asset, from, to, value, seen_block, seen_at, .. } = question();
    let known = KnownParts::Whole { nonce: 7 };
    Transfer {
        chain_id,
        asset,
        from,
        to,
        value,
        transaction,
        known,
        seen_block,
        seen_at,
        until: None,
        send: None,
    }
}

/// Plays an inquiry to its end, and says how many requests that took.
fn inquire(chain: &mut Chain, transfer: Transfer) -> (Finding, usize) {
    let (mut body, mut asking) = ChainQuery::Transfer(Box::new(transfer)).ask();
    for trips in 1..=3 {
        let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
        match asking.answered(Some(&reply)) {
            Next::Ask(next, waiting) => (body, asking) = (next, waiting),
            Next::Found(finding) => return (finding, trips),
        }
    }
    panic!("more than three round trips");
}

fn judged(finding: &Finding) -> Verdict {
    let late = UnixTime::from_secs(VALID_BEFORE + 86_400);
    verdict(finding, UnixTime::from_secs(VALID_BEFORE), late)
}

fn moved() -> Vec<Event> {
    vec![Event::transfer(PAYER, PAYEE, VALUE)]
}

//
#[test]
fn only_its_own_exact_transfer_after_first_sight_is_a_payment() {
    let pending = Finding::Unused { safe_time: None };
    let elsewhere = |finality| Finding::UsedElsewhere { finality };
    let (latest, safe) = (Finality::Latest, Finality::Safe);
    let hash = Chain::at(SIGHT + 20, SIGHT).with(1, vec![]).hash(0);
    let unclear = |finality| Finding::Unclear { transaction: hash, finality };
    let paid = |block, log_index| Finding::Transferred { transaction: hash, block, log_index };
    let before = |finality| Finding::TransferredBefore { transaction: hash, finality };
    let beside = vec![Event::transfer(OTHER, PAYEE, VALUE), Event::transfer(PAYER, PAYEE, VALUE)];
    let table = [
        ("paid", SIGHT + 1, 1, moved(), paid(SIGHT + 1, 7), Verdict::Captured(hash)),
        ("paid beside another", SIGHT + 1, 1, beside, paid(SIGHT + 1, 8), Verdict::Captured(hash)),
        ("at first sight", SIGHT, 1, moved(), before(safe), Verdict::Early(hash)),
        ("reverted, not safe yet", SIGHT + 11, 0, vec![], elsewhere(latest), Verdict::Open),
        ("reverted, safe", SIGHT + 10, 0, moved(), elsewhere(safe), Verdict::Void),
        ("nothing moved", SIGHT + 10, 1, vec![], elsewhere(safe), Verdict::Void),
        (
            "too little moved",
            SIGHT + 10,
            1,
            vec![Event::transfer(PAYER, PAYEE, VALUE - 1)],
            unclear(safe),
            Verdict::Unclear(hash),
        ),
        (
            "too little moved, not safe yet",
            SIGHT + 11,
            1,
            vec![Event::transfer(PAYER, PAYEE, VALUE - 1)],
            unclear(latest),
            Verdict::Open,
        ),
        (
            "another account was paid",
            SIGHT + 10,
            1,
            vec![Event::transfer(PAYER, OTHER, VALUE)],
            unclear(safe),
            Verdict::Unclear(hash),
        ),
        (
            "another token moved",
            SIGHT + 10,
            1,
            vec![Event::transfer(PAYER, PAYEE, VALUE).of(OTHER)],
            elsewhere(safe),
            Verdict::Void,
        ),
        (
            "the event was taken back",
            SIGHT + 10,
            1,
            vec![Event::transfer(PAYER, PAYEE, VALUE).removed()],
            elsewhere(safe),
            Verdict::Void,
        ),
        ("in no block yet", SIGHT + 21, 1, moved(), pending, Verdict::Open),
    ];
    for (name, block, status, events, finding, verdict) in table {
        let mut chain = Chain::at(SIGHT + 20, SIGHT + 10).with_status(block, status, events);
        let (found, _) = inquire(&mut chain, transfer(hash));
        assert_eq!(found, finding, "{name}");
        assert_eq!(judged(&found), verdict, "{name}");
    }
}

#[test]
fn without_a_block_at_first_sight_the_time_of_its_block_decides() {
    for (block, is_paid) in [(SIGHT - 2, false), (SIGHT - 1, true), (SIGHT, true)] {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(block, moved());
        let question = Transfer { seen_block: None, ..transfer(chain.hash(0)) };
        let (found, trips) = inquire(&mut chain, question);
        assert_eq!(matches!(found, Finding::Transferred { .. }), is_paid, "{block}");
        assert_eq!(trips, 2);
    }
}

#[test]
fn it_never_comes_once_its_number_was_used_in_a_safe_block() {
    let hash = TxHash::parse(NONCE).unwrap();
    let never = Finding::UsedElsewhere { finality: Finality::Safe };
    let pending = Finding::Unused { safe_time: None };
    for (counts, safe, expected) in [
        // Up to which block the account has sent how many.
        (vec![(SIGHT, 7)], Some(SIGHT), &pending),
        (vec![(SIGHT, 8)], Some(SIGHT), &never),
        (vec![(SIGHT, 9)], Some(SIGHT), &never),
        (vec![(SIGHT, 7), (SIGHT + 1, 8)], Some(SIGHT), &pending),
        (vec![(SIGHT, 8)], None, &pending),
    ] {
        let mut chain = Chain { safe, sent: counts, ..Chain::at(SIGHT + 20, SIGHT) };
        let (found, _) = inquire(&mut chain, transfer(hash));
        assert_eq!(found, *expected);
        // Who asks for its receipt alone learns nothing of the kind.
        let (found, trips) =
            inquire(&mut chain, Transfer { known: KnownParts::Content, ..transfer(hash) });
        assert_eq!((found, trips), (pending.clone(), 1));
    }
}

/// Two answers of a node are not of one moment, so what lies between them must not be overlooked.
#[test]
fn a_receipt_that_appears_between_two_answers_is_not_overlooked() {
    let mut chain = Chain { sent: vec![(0, 8)], ..Chain::at(SIGHT + 20, SIGHT + 10) };
    let with = chain.clone().with(SIGHT + 5, moved());
    let (body, asking) = ChainQuery::Transfer(Box::new(transfer(with.hash(0)))).ask();
    let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
    let Next::Ask(body, asking) = asking.answered(Some(&reply)) else { panic!() };
    let reply = serde_json::to_vec(&with.clone().answer(&body)).unwrap();
    let Next::Found(found) = asking.answered(Some(&reply)) else { panic!() };
    assert!(matches!(found, Finding::Transferred { .. }), "{found:?}");
}

#[test]
fn a_node_that_is_behind_the_safe_block_proves_nothing() {
    let mut chain = Chain { sent: vec![(0, 8)], ..Chain::at(SIGHT + 20, SIGHT + 10) };
    let mut behind = Chain { latest: SIGHT + 9, ..chain.clone() };
    let hash = TxHash::parse(NONCE).unwrap();
    let (body, asking) = ChainQuery::Transfer(Box::new(transfer(hash))).ask();
    let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
    let Next::Ask(body, asking) = asking.answered(Some(&reply)) else { panic!() };
    let reply = serde_json::to_vec(&behind.answer(&body)).unwrap();
    let Next::Found(found) = asking.answered(Some(&reply)) else { panic!() };
    assert_eq!(found, Finding::Unreadable(Unreadable::Contradictory));
}

#[test]
fn a_transaction_known_by_its_hash_must_call_transfer_and_nothing_else() {
    let elsewhere = Finding::UsedElsewhere { finality: Finality::Safe };
    let good = || json!({"from": PAYER, "to": TOKEN, "input": CALL});
    let with = |name: &str, value: Value| {
        let mut sent = good();
        sent[name] = value;
        sent
    };
    let table = [
        ("the payment", good(), true),
        ("checksummed", with("from", json!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266")), true),
        ("another sender", with("from", json!(OTHER)), false),
        ("another token", with("to", json!(OTHER)), false),
        ("it makes a contract", with("to", Value::Null), false),
        ("more data", with("input", json!(format!("{CALL}00"))), false),
        ("less value", with("input", json!(CALL.replace("2710", "270f"))), false),
        ("another recipient", with("input", json!(CALL.replace("209693", "209694"))), false),
        // transferWithAuthorization moves the same, and is the payment of its authorization.
        ("another function", with("input", json!(CALL.replace("a9059cbb", "e3ee160e"))), false),
    ];
    for (name, sent, is_it) in table {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, moved());
        chain.contents = vec![sent.clone()];
        let question = Transfer { known: KnownParts::Name, ..transfer(chain.hash(0)) };
        let (found, _) = inquire(&mut chain, question.clone());
        assert_eq!(matches!(found, Finding::Transferred { .. }), is_it, "{name}");
        if !is_it {
            assert_eq!(found, elsewhere, "{name}");
            // What a hash stands for does not change, so there is no block to wait for.
            let mut early = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 30, moved());
            early.contents = vec![sent];
            assert_eq!(inquire(&mut early, question).0, elsewhere, "{name}");
        }
    }
    let mut nothing = Chain::at(SIGHT + 20, SIGHT);
    let question = Transfer { known: KnownParts::Name, ..transfer(TxHash::parse(NONCE).unwrap()) };
    assert_eq!(inquire(&mut nothing, question).0, Finding::Unused { safe_time: None });
}

#[test]
fn the_bytes_go_along_with_the_first_question_whatever_the_node_says_to_them() {
    for refuses in [false, true] {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, moved());
        chain.refuses = refuses.then_some("eth_sendRawTransaction");
        let hash = chain.hash(0);
        let question =
            Transfer { send: Some(vec![2, 0xc0]), known: KnownParts::Content, ..transfer(hash) };
        let (found, trips) = inquire(&mut chain, question);
        assert_eq!(
            found,
            Finding::Transferred { transaction: hash, block: SIGHT + 1, log_index: 7 }
        );
        assert_eq!((trips, chain.received.as_slice()), (1, ["0x02c0".to_owned()].as_slice()));
    }
}

#[test]
fn a_node_of_another_chain_proves_nothing() {
    let mut chain = Chain { id: 1, ..Chain::at(SIGHT + 20, SIGHT).with(SIGHT + 1, moved()) };
    let question = transfer(chain.hash(0));
    let finding = Finding::Unreadable(Unreadable::WrongChain(1));
    assert_eq!(inquire(&mut chain, question).0, finding);
    let (_, asking) = ChainQuery::Transfer(Box::new(transfer(chain.hash(0)))).ask();
    let Next::Found(found) = asking.answered(None) else { panic!() };
    assert_eq!(found, Finding::Unreadable(Unreadable::NoReply));
}

/// The transfer of the vectors: nonce 7, 80,000 gas at up to 2 gwei, value 10,000.
fn signed() -> SignedTransfer {
    let case = &cases("security/evm_transfers", "cases")[0];
    SignedTransfer::parse(&bytes::decode_prefixed(text(case, "raw")).unwrap()).unwrap()
}

/// The results of a node that would carry it out.
fn results() -> Vec<Value> {
    vec![
        hex(CHAIN),
        json!({"number": hex(SIGHT), "timestamp": hex(VALID_BEFORE), "baseFeePerGas": hex(1_777_777_777)}),
        hex(7),
        hex(7),
        hex(160_000_000_000_000),
        json!(format!("0x{VALUE:064x}")),
        json!(format!("0x{:064x}", 1)),
    ]
}

fn simulated(results: &[Value]) -> Prospect {
    prospect_of(signed(), results)
}

fn prospect_of(transfer: SignedTransfer, results: &[Value]) -> Prospect {
    let answers: Vec<Value> = (1..)
        .zip(results)
        .map(|(id, result)| match result.get("error") {
            Some(error) => json!({"jsonrpc": "2.0", "id": id, "error": error}),
            None => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        })
        .collect();
    let (_, prospecting) = AwaitingSimulation::ask(transfer);
    prospecting.answered(Some(&serde_json::to_vec(&answers).unwrap()))
}

#[test]
fn what_a_node_is_asked_before_anything_is_written() {
    let (body, _) = AwaitingSimulation::ask(signed());
    let calls: Value = serde_json::from_str(&body).unwrap();
    let from = signed().from.to_lower_hex();
    let asked: Vec<_> =
        calls.as_array().unwrap().iter().map(|call| (&call["method"], &call["params"])).collect();
    let expected = [
        ("eth_chainId", json!([])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getTransactionCount", json!([from, "latest"])),
        ("eth_getTransactionCount", json!([from, "pending"])),
        ("eth_getBalance", json!([from, "latest"])),
        (
            "eth_call",
            json!([{"to": TOKEN, "data": format!("0x70a08231{}", &word(&from)[2..])}, "latest"]),
        ),
        (
            "eth_call",
            json!([{"from": from, "to": TOKEN, "gas": "0x13880", "data": CALL}, "latest"]),
        ),
    ];
    for ((method, params), (name, expected)) in asked.iter().zip(&expected) {
        assert_eq!((method.as_str().unwrap(), *params), (*name, expected));
    }
    assert_eq!(asked.len(), expected.len());
}

/// Other results in these places.
type Changes = Vec<(usize, Value)>;

#[test]
fn a_transfer_that_could_not_be_carried_out_has_no_prospect() {
    let good = Prospect::Good { block: SIGHT };
    let none = Prospect::None;
    let error = |code: i64| json!({"error": {"code": code, "message": "no"}});
    let block = |fee: Value| json!({"number": hex(SIGHT), "timestamp": hex(VALID_BEFORE), "baseFeePerGas": fee});
    let shape = |name| Prospect::Unreadable(Unreadable::Rpc(RpcError::Shape(name)));
    let refused = Prospect::Unreadable(Unreadable::Rpc(RpcError::Refused(-32_000)));
    let simulation = none("invalid_exact_evm_transaction_simulation_failed");
    let table: Vec<(&str, Changes, Prospect)> = vec![
        ("as it should be", vec![], good),
        ("its twin waits already", vec![(3, hex(8))], good),
        ("one before it waits", vec![(2, hex(6)), (3, hex(7))], good),
        ("a token that answers nothing", vec![(6, json!("0x"))], good),
        (
            "a chain without a base fee",
            vec![(1, json!({"number": hex(SIGHT), "timestamp": "0x1"}))],
            good,
        ),
        (
            "more than enough",
            vec![(4, hex(u64::MAX)), (5, json!(format!("0x{}", "ff".repeat(32))))],
            good,
        ),
        (
            "its number was used",
            vec![(2, hex(8)), (3, hex(8))],
            none("invalid_exact_evm_nonce_already_used"),
        ),
        (
            "others would come first",
            vec![(2, hex(6)), (3, hex(6))],
            none("transaction_out_of_turn"),
        ),
        ("a node whose pending block is old", vec![(2, hex(7)), (3, hex(6))], good),
        (
            "it pays too little for gas",
            vec![(1, block(hex(2_000_000_001)))],
            none("transaction_fee_too_low"),
        ),
        (
            "it pays the base fee of this block and nothing more",
            vec![(1, block(hex(2_000_000_000)))],
            none("transaction_fee_too_low"),
        ),
        (
            "after one full block it leaves no tip",
            vec![(1, block(hex(1_777_777_778)))],
            none("transaction_fee_too_low"),
        ),
        ("no base fee at all", vec![(1, block(hex(0)))], good),
        (
            "one unit too few",
            vec![(5, json!(format!("0x{:064x}", VALUE - 1)))],
            none("invalid_exact_evm_insufficient_balance"),
        ),
        ("one wei too few", vec![(4, hex(159_999_999_999_999))], none("insufficient_funds")),
        ("it would revert", vec![(6, error(3))], simulation),
        ("the token says no", vec![(6, json!(format!("0x{:064x}", 0)))], simulation),
        ("another chain", vec![(0, hex(1))], Prospect::Unreadable(Unreadable::WrongChain(1))),
        ("no block", vec![(1, Value::Null)], Prospect::Unreadable(Unreadable::Contradictory)),
        ("an odd fee", vec![(1, block(json!("0x01")))], shape("baseFeePerGas")),
        ("no count", vec![(2, error(-32_000))], refused),
        ("no balance", vec![(5, error(-32_000))], refused),
        ("no balance of ether", vec![(4, error(-32_000))], refused),
        ("an odd answer", vec![(6, json!("0x02"))], shape("word")),
    ];
    for (name, changes, expected) in table {
        let mut results = results();
        for (place, value) in changes {
            results[place] = value;
        }
        assert_eq!(simulated(&results), expected, "{name}");
    }
    let mut stingy = signed();
    stingy.tip = Amount::ZERO;
    assert_eq!(prospect_of(stingy, &results()), none("transaction_fee_too_low"), "no tip");
    let (_, prospecting) = AwaitingSimulation::ask(signed());
    assert_eq!(prospecting.answered(None), Prospect::Unreadable(Unreadable::NoReply));
}

#[test]
fn the_vector_is_the_payment_that_the_tests_are_about() {
    let read = signed();
    assert_eq!(read.token, Address::parse(TOKEN).unwrap());
    assert_eq!((read.to, read.value), (Address::parse(PAYEE).unwrap(), Amount::from_u64(VALUE)));
    assert_eq!((read.nonce, read.gas, read.chain_id), (7, 80_000, CHAIN));
}
