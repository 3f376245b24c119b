//! JSON-RPC as it is written and read: encodings against other sources, and replies that are garbled in every way.

use crate::naive_chain::*;
use farebox_core::amount::Amount;
use farebox_core::encoding::json::JsonError;
use farebox_core::evm::address::Address;
use farebox_core::evm::keccak::keccak256;
use farebox_core::evm::rpc::error::RpcError;
use farebox_core::evm::rpc::reply::{MAX_REPLY_BYTES, Replies};
use farebox_core::evm::rpc::{self, At, AuthorizationId, Call, Span, batch};
use farebox_core::ledger::inquiry::finding::{Finding, Unreadable};
use farebox_core::ledger::inquiry::{Next, Question, height};
use serde_json::{Value, json};

fn authorization() -> AuthorizationId {
    let Question { asset, from, nonce, .. } = question();
    AuthorizationId { asset, authorizer: from, nonce }
}

#[test]
fn event_topics_are_the_hashes_of_their_signatures() {
    assert_eq!(rpc::AUTHORIZATION_USED, keccak256(b"AuthorizationUsed(address,bytes32)"));
    assert_eq!(rpc::AUTHORIZATION_CANCELED, keccak256(b"AuthorizationCanceled(address,bytes32)"));
    assert_eq!(rpc::TRANSFER, keccak256(b"Transfer(address,address,uint256)"));
}

/// The call data is what `viem` 2.57.1 encodes (`encodeFunctionData`).
#[test]
fn every_call_is_written_as_the_specification_says() {
    let asset = Address::parse(TOKEN).unwrap();
    let holder = Address::parse(PAYER).unwrap();
    let span = Span::upward(16, 4_000).unwrap();
    let calls = [
        Call::ChainId,
        Call::BlockNumber,
        Call::Block(At::Latest),
        Call::Block(At::Safe),
        Call::Block(At::Number(0)),
        Call::AuthorizationState { authorization: authorization(), at: At::Number(0xabc) },
        Call::Balance { asset, holder, at: At::Latest },
        Call::AuthorizationLogs { authorization: authorization(), span },
        Call::Receipt([0xab; 32]),
        Call::Transaction([0xab; 32]),
        Call::TransactionCount { account: holder, at: At::Pending },
        Call::Wei { account: holder, at: At::Number(255) },
        Call::Transfer {
            asset,
            from: holder,
            to: Address::parse(PAYEE).unwrap(),
            value: Amount::from_u64(VALUE),
            gas: 80_000,
        },
        Call::Send(vec![2, 0xab]),
    ];
    let expected = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_blockNumber", "params": [] },
        { "jsonrpc": "2.0", "id": 3, "method": "eth_getBlockByNumber", "params": ["latest", false] },
        { "jsonrpc": "2.0", "id": 4, "method": "eth_getBlockByNumber", "params": ["safe", false] },
        { "jsonrpc": "2.0", "id": 5, "method": "eth_getBlockByNumber", "params": ["0x0", false] },
        { "jsonrpc": "2.0", "id": 6, "method": "eth_call", "params": [{
            "to": TOKEN,
            "data": "0xe94a0102000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb922661112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30",
        }, "0xabc"] },
        { "jsonrpc": "2.0", "id": 7, "method": "eth_call", "params": [{
            "to": TOKEN,
            "data": "0x70a08231000000000000000000000000f39fd6e51aad88f6f4ce6ab8827279cfffb92266",
        }, "latest"] },
        { "jsonrpc": "2.0", "id": 8, "method": "eth_getLogs", "params": [{
            "address": TOKEN, "fromBlock": "0x10", "toBlock": "0x7df",
            "topics": [[USED, CANCELED], word(PAYER), NONCE],
        }] },
        { "jsonrpc": "2.0", "id": 9, "method": "eth_getTransactionReceipt", "params": [format!("0x{}", "ab".repeat(32))] },
        { "jsonrpc": "2.0", "id": 10, "method": "eth_getTransactionByHash", "params": [format!("0x{}", "ab".repeat(32))] },
        { "jsonrpc": "2.0", "id": 11, "method": "eth_getTransactionCount", "params": [PAYER, "pending"] },
        { "jsonrpc": "2.0", "id": 12, "method": "eth_getBalance", "params": [PAYER, "0xff"] },
        { "jsonrpc": "2.0", "id": 13, "method": "eth_call", "params": [{
            "from": PAYER, "to": TOKEN, "gas": "0x13880",
            "data": "0xa9059cbb000000000000000000000000209693bc6afc0c5328ba36faf03c514ef312287c0000000000000000000000000000000000000000000000000000000000002710",
        }, "latest"] },
        { "jsonrpc": "2.0", "id": 14, "method": "eth_sendRawTransaction", "params": ["0x02ab"] },
    ]);
    assert_eq!(serde_json::from_str::<Value>(&batch(&calls)).unwrap(), expected);
}

#[test]
fn spans_hold_one_to_two_thousand_blocks() {
    let bounds = |span: Span| (span.first(), span.last());
    assert_eq!(Span::upward(5, 4), None);
    assert_eq!(Span::upward(5, 5).map(bounds), Some((5, 5)));
    assert_eq!(Span::upward(5, 9_000).map(bounds), Some((5, 2_004)));
    assert_eq!(Span::upward(u64::MAX, u64::MAX).map(bounds), Some((u64::MAX, u64::MAX)));
    assert_eq!(bounds(Span::downward(9_000)), (7_001, 9_000));
    assert_eq!(bounds(Span::downward(10)), (0, 10));
}

#[test]
fn answers_are_matched_by_id_whatever_their_order() {
    let body = json!([answer(3, hex(30)), answer(1, hex(10)), answer(2, hex(20))]).to_string();
    let replies = Replies::read(body.as_bytes(), 3).unwrap();
    let read: Vec<_> = (0..4).map(|index| replies.quantity(index)).collect();
    assert_eq!(read, [Ok(10), Ok(20), Ok(30), Err(RpcError::Shape("id"))]);
}

#[test]
fn a_reply_that_is_not_one_answer_per_call_is_unreadable() {
    let shape = |part| RpcError::Shape(part);
    let json = |error| RpcError::Json(error);
    let good = || answer(1, hex(1));
    let table = [
        (json!([good()]).to_string(), shape("batch")),
        (json!([good(), answer(2, hex(1)), answer(3, hex(1))]).to_string(), shape("batch")),
        (good().to_string(), shape("batch")),
        (
            json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32_600 } }).to_string(),
            shape("batch"),
        ),
        (json!([good(), good()]).to_string(), shape("id")),
        (json!([good(), answer(0, hex(1))]).to_string(), shape("id")),
        (json!([good(), answer(3, hex(1))]).to_string(), shape("id")),
        (
            json!([good(), { "jsonrpc": "2.0", "id": "2", "result": "0x1" }]).to_string(),
            shape("id"),
        ),
        (
            json!([good(), { "jsonrpc": "2.0", "id": 2.5, "result": "0x1" }]).to_string(),
            shape("id"),
        ),
        (json!([good(), { "jsonrpc": "2.0", "id": -2, "result": "0x1" }]).to_string(), shape("id")),
        (json!([good(), { "jsonrpc": "2.0", "result": "0x1" }]).to_string(), shape("id")),
        (json!([good(), { "id": 2, "result": "0x1" }]).to_string(), shape("jsonrpc")),
        (json!([good(), { "jsonrpc": 2, "id": 2, "result": "0x1" }]).to_string(), shape("jsonrpc")),
        (json!([good(), { "jsonrpc": "2.0", "id": 2 }]).to_string(), shape("result")),
        (
            json!([good(), { "jsonrpc": "2.0", "id": 2, "result": "0x1", "error": null }])
                .to_string(),
            shape("result"),
        ),
        (json!([good(), { "jsonrpc": "2.0", "id": 2, "error": "no" }]).to_string(), shape("error")),
        (json!([good(), null]).to_string(), shape("answer")),
        (String::from("null"), shape("batch")),
        (String::new(), json(JsonError::Syntax)),
        (String::from("<html>busy</html>"), json(JsonError::Syntax)),
        (String::from("[{},{}] "), shape("jsonrpc")),
        (String::from("[{},{}]]"), json(JsonError::Syntax)),
        (
            String::from(r#"[{"jsonrpc":"2.0","id":1,"id":2,"result":"0x1"},{}]"#),
            json(JsonError::DuplicateKey),
        ),
        (format!("[{}", "[".repeat(100)), json(JsonError::TooDeep)),
        (" ".repeat(MAX_REPLY_BYTES + 1), json(JsonError::TooLarge)),
    ];
    for (body, expected) in table {
        let shown: String = body.chars().take(120).collect();
        assert_eq!(Replies::read(body.as_bytes(), 2).err(), Some(expected), "{shown}");
    }
    assert_eq!(Replies::read(&[0xff, 0xfe], 2).err(), Some(json(JsonError::NotUtf8)));
}

#[test]
fn an_error_stays_with_its_call() {
    let error = json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32_000, "message": "x" } });
    let body = json!([error, answer(2, hex(7))]).to_string();
    let replies = Replies::read(body.as_bytes(), 2).unwrap();
    assert_eq!(replies.quantity(0), Err(RpcError::Refused(-32_000)));
    assert_eq!(replies.quantity(1), Ok(7));
}

#[test]
fn quantities_have_one_spelling() {
    let table = [
        (json!("0x0"), Some(0)),
        (json!("0x1"), Some(1)),
        (json!("0xaB"), Some(0xab)),
        (json!("0xffffffffffffffff"), Some(u64::MAX)),
        (json!("0x10000000000000000"), None),
        (json!("0x"), None),
        (json!("0x00"), None),
        (json!("0x01"), None),
        (json!("0X1"), None),
        (json!("1"), None),
        (json!("0x+1"), None),
        (json!("0x-1"), None),
        (json!("0x1 "), None),
        (json!("0xg"), None),
        (json!("0x1g"), None),
        (json!("0x1\u{ff11}"), None),
        (json!(1), None),
        (json!(null), None),
        (json!(true), None),
    ];
    for (result, expected) in table {
        let expected = expected.ok_or(RpcError::Shape("quantity"));
        assert_eq!(single(result.clone()).quantity(0), expected, "{result}");
    }
}

#[test]
fn booleans_are_the_words_zero_and_one() {
    let table = [
        (format!("0x{}", "0".repeat(64)), Ok(false)),
        (format!("0x{:064x}", 1), Ok(true)),
        (format!("0x{:064x}", 2), Err(RpcError::Shape("bool"))),
        (format!("0x1{}", "0".repeat(63)), Err(RpcError::Shape("bool"))),
        (format!("0x{}1", "0".repeat(62)), Err(RpcError::Shape("word"))),
        (format!("0x{:0128x}", 1), Err(RpcError::Shape("word"))),
        // What a call to an address without code gives.
        (String::from("0x"), Err(RpcError::Shape("word"))),
    ];
    for (word, expected) in table {
        assert_eq!(single(json!(word)).flag(0), expected, "{word}");
    }
}

/// Every member of every answer is needed, and only as what it is.
#[test]
fn any_odd_member_on_the_way_to_a_transfer_ends_the_inquiry_unread() {
    // Answer, then the member as a JSON pointer. Rounds: heads, states, logs, receipt.
    let table: [(usize, &[&str]); 4] = [
        (0, &["/0/result", "/1/result", "/2/result/number", "/2/result/timestamp"]),
        (1, &["/0/result", "/1/result"]),
        (
            2,
            &[
                "/0/result",
                "/0/result/0/address",
                "/0/result/0/topics",
                "/0/result/0/topics/1",
                "/0/result/0/data",
                "/0/result/0/blockNumber",
                "/0/result/0/transactionHash",
                "/0/result/0/logIndex",
                "/0/result/0/removed",
            ],
        ),
        (
            3,
            &[
                "/0/result/transactionHash",
                "/0/result/blockNumber",
                "/0/result/status",
                "/0/result/logs",
                "/0/result/logs/1/address",
                "/0/result/logs/1/topics/2",
                "/0/result/logs/1/data",
                "/0/result/logs/1/blockNumber",
                "/0/result/logs/1/transactionHash",
                "/0/result/logs/1/logIndex",
                "/0/result/logs/1/removed",
            ],
        ),
    ];
    let odd = [json!(7), json!("0xzz"), json!({}), json!(null), json!(true)];
    let places = table.iter().flat_map(|(round, pointers)| pointers.iter().map(|at| (*round, *at)));
    for ((round, pointer), value) in
        places.clone().flat_map(|place| odd.iter().map(move |value| (place, value)))
    {
        let finding = tampered(round, |reply| {
            *reply.pointer_mut(pointer).expect(pointer) = value.clone();
        });
        let is_known = value.is_boolean() && pointer.ends_with("removed");
        assert!(is_known || is_unreadable(&finding), "{pointer} = {value}: {finding:?}");
    }
    for (round, pointer) in places {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let finding = tampered(round, |reply| {
            let parent = reply.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.map_or_else(Default::default, |object| object.remove(name));
        });
        let is_topic = pointer.contains("/topics/");
        assert!(is_topic || is_unreadable(&finding), "{pointer} missing: {finding:?}");
    }
}

#[test]
fn answers_about_something_else_end_the_inquiry_unread() {
    type Tamper = fn(&mut Value);
    let table: [(&str, usize, Tamper); 9] = [
        ("another chain", 0, |reply| reply[0]["result"] = hex(1)),
        ("a log of another token", 2, |reply| reply[0]["result"][0]["address"] = json!(OTHER)),
        ("a log of another nonce", 2, |reply| {
            reply[0]["result"][0]["topics"][2] = json!(OTHER_NONCE);
        }),
        ("a log outside the blocks", 2, |reply| reply[0]["result"][0]["blockNumber"] = hex(3)),
        ("a log of another event", 2, |reply| reply[0]["result"][0]["topics"][0] = json!(TRANSFER)),
        ("the receipt of another transaction", 3, |reply| {
            reply[0]["result"]["transactionHash"] = json!(NONCE);
        }),
        ("a receipt in another block", 3, |reply| {
            for place in [
                "/0/result/blockNumber",
                "/0/result/logs/0/blockNumber",
                "/0/result/logs/1/blockNumber",
            ] {
                *reply.pointer_mut(place).unwrap() = hex(SIGHT + 9);
            }
        }),
        ("no receipt any more", 3, |reply| reply[0]["result"] = Value::Null),
        ("two events in one place", 3, |reply| {
            let index = reply[0]["result"]["logs"][0]["logIndex"].clone();
            reply[0]["result"]["logs"][1]["logIndex"] = index;
        }),
    ];
    for (name, round, tamper) in table {
        let finding = tampered(round, tamper);
        assert!(is_unreadable(&finding), "{name}: {finding:?}");
    }
}

#[test]
fn a_query_for_logs_gives_what_was_asked_for_and_is_in_the_chain() {
    let span = Span::upward(SIGHT, SIGHT + 9).unwrap();
    let logs_in = |block, event: Event| {
        let mut chain = Chain::at(SIGHT + 20, SIGHT).with(block, vec![event]);
        let whole = Span::upward(SIGHT - 5, SIGHT + 20).unwrap();
        let call = Call::AuthorizationLogs { authorization: authorization(), span: whole };
        let reply = serde_json::to_vec(&chain.answer(&batch(&[call]))).unwrap();
        let logs = Replies::read(&reply, 1).unwrap().authorization_logs(0, &authorization(), span);
        logs.map(|logs| logs.iter().map(|log| log.block).collect::<Vec<_>>())
    };
    let used = || Event::used(PAYER, NONCE);
    assert_eq!(logs_in(SIGHT, used()), Ok(vec![SIGHT]));
    assert_eq!(logs_in(SIGHT + 9, Event::cancelled(PAYER, NONCE)), Ok(vec![SIGHT + 9]));
    assert_eq!(logs_in(SIGHT, used().removed()), Ok(vec![]));
    assert_eq!(logs_in(SIGHT - 1, used()), Err(RpcError::Shape("log")));
    assert_eq!(logs_in(SIGHT + 10, used()), Err(RpcError::Shape("log")));
}

#[test]
fn a_state_that_is_used_at_the_safe_block_and_unused_later_is_contradictory() {
    let finding = tampered(1, |reply| reply[0]["result"] = json!(format!("0x{:064x}", 0)));
    assert_eq!(finding, Finding::Unreadable(Unreadable::Contradictory));
}

#[test]
fn a_found_log_counts_where_older_blocks_cannot_be_read() {
    let pruned = json!({ "jsonrpc": "2.0", "id": 2, "error": { "code": -32_000 } });
    let finding = tampered(2, |reply| reply[1] = pruned.clone());
    assert!(matches!(finding, Finding::Transferred { .. }), "{finding:?}");
    let finding = tampered(2, |reply| {
        reply[0]["result"] = json!([]);
        reply[1] = pruned.clone();
    });
    assert_eq!(finding, Finding::Unreadable(Unreadable::Rpc(RpcError::Refused(-32_000))));
}

#[test]
fn shuffled_answers_change_nothing() {
    for round in 0..4 {
        let finding = tampered(round, |reply| reply.as_array_mut().unwrap().reverse());
        assert!(matches!(finding, Finding::Transferred { .. }), "{round}: {finding:?}");
    }
}

#[test]
fn silence_and_arbitrary_bytes_are_unreadable_at_every_stage() {
    for round in 0..4 {
        for garbage in [None, Some(&b""[..]), Some(b"[]"), Some(b"\xff"), Some(b"[null,null]")] {
            let mut chain = scene();
            let (mut body, mut asking) = question().ask();
            for _ in 0..round {
                let reply = serde_json::to_vec(&chain.answer(&body)).unwrap();
                let Next::Ask(next, waiting) = asking.answered(Some(&reply)) else {
                    panic!("ended early");
                };
                (body, asking) = (next, waiting);
            }
            let mut next = asking.answered(garbage);
            // A receipt may be too long: what it tells is asked for by itself, once.
            if round == 3 {
                let Next::Ask(body, waiting) = next else { panic!("ended early") };
                assert!(body.contains("eth_getLogs"));
                next = waiting.answered(garbage);
            }
            assert!(
                matches!(next, Next::Found(Finding::Unreadable(_))),
                "round {round}, {garbage:?}: {next:?}"
            );
        }
    }
}

#[test]
fn the_height_of_first_sight_is_read_from_the_right_chain_only() {
    let mut chain = scene();
    let reply = serde_json::to_vec(&chain.answer(&height::request())).unwrap();
    assert_eq!(height::read(CHAIN, Some(&reply)), Ok(SIGHT + 20));
    assert_eq!(height::read(1, Some(&reply)), Err(Unreadable::WrongChain(CHAIN)));
    assert_eq!(height::read(CHAIN, None), Err(Unreadable::NoReply));
}

/// A payment that is found in four rounds.
fn scene() -> Chain {
    Chain::at(SIGHT + 20, SIGHT + 10).with(SIGHT + 5, payment())
}

/// Plays that scene with one reply changed.
fn tampered(round: usize, tamper: impl Fn(&mut Value)) -> Finding {
    let mut chain = scene();
    let (mut body, mut asking) = question().ask();
    for current in 0..6 {
        let mut reply = Value::Array(chain.answer(&body));
        if current == round {
            tamper(&mut reply);
        }
        match asking.answered(Some(reply.to_string().as_bytes())) {
            Next::Ask(next, waiting) => (body, asking) = (next, waiting),
            Next::Found(finding) => return finding,
        }
    }
    panic!("more than six round trips");
}

fn is_unreadable(finding: &Finding) -> bool {
    matches!(finding, Finding::Unreadable(_))
}

fn answer(id: u64, result: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}

fn single(result: Value) -> Replies {
    Replies::read(json!([answer(1, result)]).to_string().as_bytes(), 1).unwrap()
}
