//! What is signed and what a node tells: typed data, signatures, transactions, receipts and logs.

use alloy_consensus::TxEip1559;
use alloy_consensus::transaction::RlpEcdsaDecodableTx;
use alloy_primitives::{B256, TxKind, U256};
use farebox_core::amount::Amount;
use farebox_core::encoding::{hex, json};
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::evm::evidence::{AuthorizedTransfer, Evidence};
use farebox_core::evm::keccak::keccak256;
use farebox_core::evm::rlp::{self, Item, Items};
use farebox_core::evm::rpc::reply::{Replies, Status};
use farebox_core::evm::rpc::{AUTHORIZATION_USED, AuthorizationId, Span, TRANSFER};
use farebox_core::evm::signature::Signature;
use farebox_core::evm::transaction::{MAX_BYTES, SignedTransfer};
use serde_json::{Value, json};

use super::support::theirs;
use crate::driver::{notes::met, seeds};

/// The JSON of typed data.
pub fn eip712(bytes: &[u8]) {
    let Ok(value) = json::parse(bytes) else { return };
    let ours = match TypedData::from_json(&value) {
        Ok(data) => data,
        Err(error) => return met(error),
    };
    let theirs = serde_json::from_value::<alloy_dyn_abi::TypedData>(value.clone());
    let Ok(theirs) = theirs else { return met("only ours") };
    let hash = match theirs.hash_struct() {
        Ok(hash) => hash,
        // They refuse types that refer to themselves or to the domain, which the standard allows; values are alike.
        Err(error) => {
            assert!(!error.to_string().contains("mismatch"), "{error}: {value}");
            return met("only ours is hashed");
        }
    };
    assert_eq!(ours.struct_hash(), hash, "{value}");
    if value["types"].get("EIP712Domain").is_none() {
        assert_eq!(ours.domain_separator(), theirs.domain.separator(), "{value}");
        assert_eq!(ours.digest(), theirs.eip712_signing_hash().unwrap(), "{value}");
        met("whole");
    }
    met("hashed alike");
}

/// The typed data of the vectors.
pub fn typed_data() -> Vec<Vec<u8>> {
    let cases = seeds::members("security/eip712", "cases");
    let whole = |case: &Value| {
        let names = ["types", "primaryType", "domain", "message"];
        let members = names.map(|name| (name.to_owned(), case[name].clone()));
        Value::Object(members.into_iter().collect()).to_string().into_bytes()
    };
    let mut all: Vec<_> = cases[0].as_array().unwrap().iter().map(whole).collect();
    for file in ["mpp/vouchers", "mpp/evm-charge-signatures"] {
        all.extend(seeds::members(file, "typedData").iter().map(whole));
    }
    all
}

/// A digest of 32 bytes, and a signature.
pub fn signature(bytes: &[u8]) {
    let Some((digest, signature)) = bytes.split_first_chunk::<32>() else { return };
    let ours = Signature::from_bytes(signature).and_then(|it| it.recover(digest));
    let theirs = signature_of(signature)
        .filter(|it| it.normalize_s().is_none())
        .and_then(|it| it.recover_address_from_prehash(&B256::from(*digest)).ok());
    assert_eq!(ours.ok().map(|it| *it.as_bytes()), theirs.map(|it| it.into_array()));
    met(ours.err());
}

/// 65 bytes, the last of them 27 or 28.
fn signature_of(bytes: &[u8]) -> Option<alloy_primitives::Signature> {
    let bytes: [u8; 65] = bytes.try_into().ok()?;
    matches!(bytes[64], 27 | 28)
        .then(|| alloy_primitives::Signature::from_raw_array(&bytes).ok())?
}

/// The signatures of the vectors behind their digests.
pub fn signatures() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for file in ["security/secp256k1_recover", "security/secp256k1_wycheproof"] {
        for case in seeds::members(file, "cases")[0].as_array().unwrap() {
            let bytes = |name: &str| hex::decode_prefixed(case[name].as_str()?).ok();
            all.extend(
                bytes("digest").zip(bytes("signature")).map(|(one, two)| [one, two].concat()),
            );
        }
    }
    all
}

/// The bytes of a transaction.
pub fn transaction(bytes: &[u8]) {
    let ours = SignedTransfer::parse(bytes);
    let mut rest = bytes;
    let decoded = TxEip1559::eip2718_decode(&mut rest).ok().filter(|_| rest.is_empty());
    let Some(decoded) = decoded else {
        let wide = |it: &SignedTransfer| {
            it.max_fee > Amount::from_be_bytes(U256::from(u128::MAX).to_be_bytes())
        };
        assert!(ours.as_ref().is_ok_and(wide) || ours.is_err(), "{ours:?}");
        return met(ours.err());
    };
    let (tx, call) = (decoded.tx(), transfer_of(decoded.tx()));
    let signer =
        decoded.recover_signer().ok().filter(|_| decoded.signature().normalize_s().is_none());
    let is_plain = tx.value.is_zero()
        && tx.max_priority_fee_per_gas <= tx.max_fee_per_gas
        && tx.nonce != u64::MAX
        && bytes.len() <= MAX_BYTES;
    let expected = call.zip(signer).filter(|_| is_plain);
    assert_eq!(ours.is_ok(), expected.is_some(), "{ours:?} and {decoded:?}");
    let (Ok(ours), Some((call, signer))) = (ours, expected) else { return met("refused by both") };
    let (to, value) = call;
    assert_eq!((ours.hash, ours.chain_id), (decoded.hash().0, tx.chain_id));
    assert_eq!((ours.nonce, ours.gas), (tx.nonce, tx.gas_limit));
    assert_eq!(theirs(&ours.from), signer);
    assert_eq!((TxKind::Call(theirs(&ours.token)), theirs(&ours.to)), (tx.to, to));
    assert_eq!(ours.value.to_be_bytes(), value.to_be_bytes::<32>());
    let fee = |amount: Amount| U256::from_be_bytes(amount.to_be_bytes());
    assert_eq!(
        (fee(ours.max_fee), fee(ours.tip)),
        (U256::from(tx.max_fee_per_gas), U256::from(tx.max_priority_fee_per_gas))
    );
    assert_eq!(ours.bytes(), bytes);
    met("read alike");
}

/// What a call of `transfer(address,uint256)` says.
fn transfer_of(tx: &TxEip1559) -> Option<(alloy_primitives::Address, U256)> {
    let words = tx.input.strip_prefix(&keccak256(b"transfer(address,uint256)")[..4])?;
    let is_call = words.len() == 64 && words[..12] == [0; 12] && tx.to != TxKind::Create;
    is_call.then(|| {
        (alloy_primitives::Address::from_slice(&words[12..32]), U256::from_be_slice(&words[32..]))
    })
}

/// The transactions of the vectors.
pub fn transactions() -> Vec<Vec<u8>> {
    let raw = seeds::members("security/evm_transfers", "raw");
    raw.iter().map(|it| hex::decode_prefixed(it.as_str().unwrap()).unwrap()).collect()
}

/// RLP: what is read has one encoding.
pub fn rlp(bytes: &[u8]) {
    if let Some(written) = rewritten(Items::of(bytes), 32) {
        assert_eq!(written, bytes);
        met("read");
    }
}

fn rewritten(mut items: Items<'_>, depth: u8) -> Option<Vec<u8>> {
    let mut written = Vec::new();
    while !items.is_empty() {
        match items.item().inspect_err(|error| met(error)).ok()? {
            Item::Bytes(bytes) => written.extend(rlp::string(bytes)),
            Item::List(inner) => {
                written.extend(rlp::list(&rewritten(inner, depth.checked_sub(1)?)?))
            }
        }
    }
    Some(written)
}

const HASH: [u8; 32] = [0x11; 32];

fn transfer() -> AuthorizedTransfer {
    let account = |byte| Address::from_bytes([byte; 20]);
    let authorization =
        AuthorizationId { asset: account(0xaa), authorizer: account(0xbb), nonce: [0x22; 32] };
    AuthorizedTransfer { authorization, to: account(0xcc), value: Amount::from_u64(10_000) }
}

/// A node's reply to a batch of up to three calls.
pub fn node(bytes: &[u8]) {
    let Some((count, body)) = bytes.split_first() else { return };
    let count = usize::from(count % 3) + 1;
    let replies = match Replies::read(body, count) {
        Ok(replies) => replies,
        Err(error) => return met(error),
    };
    let Ok(Value::Array(mut answers)) = json::parse(body) else { return };
    answers.reverse();
    let reversed = Replies::read(Value::from(answers.clone()).to_string().as_bytes(), count);
    let reversed = reversed.expect("answers come in any order");
    let span = Span::upward(90, 110).unwrap();
    let transfer = transfer();
    let ids = (&transfer.authorization, transfer.authorization);
    let accounts = [ids.1.authorizer, transfer.to];
    for index in 0..count {
        let told = |it: &Replies| {
            (
                format!("{:?} {:?} {:?}", it.quantity(index), it.block(index), it.amount(index)),
                format!("{:?} {:?}", it.wei(index), it.flag(index)),
                format!("{:?}", it.authorization_logs(index, ids.0, span)),
                format!("{:?}", it.transfer_logs(index, ids.1.asset, accounts, span)),
                format!("{:?}", it.receipt(index, &HASH)),
            )
        };
        assert_eq!(told(&replies), told(&reversed));
        let number = u64::try_from(index).unwrap() + 1;
        let answer = answers.iter().find(|it| it["id"] == number).expect("one of each id");
        if let Ok(quantity) = replies.quantity(index) {
            let text = answer["result"].as_str().unwrap();
            assert_eq!(u64::from_str_radix(&text[2..], 16), Ok(quantity), "{text}");
        }
        for log in replies.authorization_logs(index, ids.0, span).unwrap_or_default() {
            assert!((90..=110).contains(&log.block) && log.address == ids.1.asset);
            met("authorization log");
        }
        receipt(&replies, index, &answer["result"]);
    }
}

/// What a receipt proves is in it, as another reader finds it.
fn receipt(replies: &Replies, index: usize, result: &Value) {
    let receipt = match replies.receipt(index, &HASH) {
        Ok(Some(receipt)) => receipt,
        other => return met(other.err()),
    };
    assert!(receipt.logs.iter().all(|log| log.transaction == HASH && log.block == receipt.block));
    let evidence = Evidence::of(&receipt, &transfer());
    met(evidence);
    let mut less = receipt.clone();
    less.logs.retain(|log| log.address == transfer().authorization.asset);
    assert_eq!(
        Evidence::of(&less, &transfer()),
        evidence,
        "what other contracts tell proves nothing"
    );
    let word = |address: Address| hex::encode_prefixed(&address.to_word());
    let has = |log: &Value, topics: &[String]| {
        let found: Vec<String> = log["topics"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it.as_str().unwrap().to_lowercase())
            .collect();
        found == topics
            && log["address"]
                .as_str()
                .unwrap()
                .eq_ignore_ascii_case(&transfer().authorization.asset.to_lower_hex())
    };
    if let Evidence::Paid { log_index } = evidence {
        let AuthorizedTransfer { authorization, to, value } = transfer();
        let logs = result["logs"].as_array().unwrap();
        let moves = [hex::encode_prefixed(&TRANSFER), word(authorization.authorizer), word(to)];
        let uses = [
            hex::encode_prefixed(&AUTHORIZATION_USED),
            word(authorization.authorizer),
            hex::encode_prefixed(&authorization.nonce),
        ];
        let moved = logs.iter().find(|log| log["logIndex"] == format!("{log_index:#x}")).unwrap();
        assert!(has(moved, &moves), "{moved}");
        let data = moved["data"].as_str().unwrap();
        assert_eq!(hex::decode_prefixed(data).unwrap(), value.to_be_bytes());
        assert!(logs.iter().any(|log| has(log, &uses)), "{result}");
        assert_eq!((receipt.status, &result["status"]), (Status::Succeeded, &json!("0x1")));
    }
}

/// Replies of an honest node.
pub fn replies() -> Vec<Vec<u8>> {
    let AuthorizedTransfer { authorization, to, value } = transfer();
    let hash = hex::encode_prefixed(&HASH);
    let word = |address: Address| hex::encode_prefixed(&address.to_word());
    let log = |index: u64, topics: Value, data: &[u8]| {
        json!({"address": authorization.asset.to_lower_hex(), "topics": topics, "data": hex::encode_prefixed(data),
            "blockNumber": "0x64", "transactionHash": hash, "logIndex": format!("{index:#x}"), "removed": false})
    };
    let (from, nonce) =
        (word(authorization.authorizer), hex::encode_prefixed(&authorization.nonce));
    let used = log(3, json!([hex::encode_prefixed(&AUTHORIZATION_USED), from, nonce]), &[]);
    let moved =
        log(4, json!([hex::encode_prefixed(&TRANSFER), from, word(to)]), &value.to_be_bytes());
    let receipt = json!({"status": "0x1", "blockNumber": "0x64", "transactionHash": hash, "logs": [used, moved]});
    let answer = |id: u64, result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let block = json!({"number": "0x64", "timestamp": "0x6b49d200", "baseFeePerGas": "0x7"});
    let flag = hex::encode_prefixed(&Amount::from_u64(1).to_be_bytes());
    let batches = [
        (0, json!([answer(1, receipt.clone())])),
        (1, json!([answer(2, receipt), answer(1, json!("0x14a34"))])),
        (0, json!([answer(1, json!([used]))])),
        (0, json!([answer(1, json!([moved]))])),
        (2, json!([answer(1, block), answer(2, flag.into()), answer(3, Value::Null)])),
        (
            0,
            json!([{"jsonrpc": "2.0", "id": 1, "error": {"code": 3, "message": "execution reverted"}}]),
        ),
    ];
    batches
        .iter()
        .map(|(count, batch)| [vec![*count], batch.to_string().into_bytes()].concat())
        .collect()
}
