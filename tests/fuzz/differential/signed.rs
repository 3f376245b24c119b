//! Transactions and RLP, written and read.

use alloy_consensus::transaction::SignableTransaction;
use alloy_consensus::{TxEip1559, TxEip2930, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_primitives::{B256, Bytes, TxKind, U256};
use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::contract_call::ContractCall;
use farebox_core::evm::rlp::{self, Item, Items};
use farebox_core::evm::transaction::{SignedTransfer, transfer_data};
use serde_json::{Value, json};

use super::Compared;
use super::accounts::twin;
use super::chance::Chance;

/// Bits of the numbers that all others can hold: chains and nonces are doubles to some.
const SAFE: u32 = 53;

/// A call that is signed here.
pub fn sent(chance: &mut Chance) -> Compared {
    let (key, account) = chance.key();
    let fee = u128::from_be_bytes(chance.array()) >> chance.below(128);
    let tip = fee.checked_shr(chance.below(8) as u32).unwrap_or(0);
    let wei = |number: u128| Amount::from_atomic(&number.to_string()).unwrap();
    let data = match chance.below(3) {
        0 => transfer_data(chance.address(), chance.amount()),
        _ => chance.bytes(),
    };
    let call = ContractCall {
        chain_id: chance.number(SAFE).max(1),
        nonce: chance.number(SAFE),
        tip: wei(tip),
        max_fee: wei(fee),
        gas: chance.number(64),
        to: chance.address(),
        data,
    };
    let input = json!({
        "key": hex::encode_prefixed(&key), "chainId": call.chain_id, "nonce": call.nonce, "tip": tip.to_string(),
        "maxFee": fee.to_string(), "gas": call.gas.to_string(), "to": call.to.to_checksum(),
        "data": hex::encode_prefixed(&call.data),
    });
    let signed = call.sign(&account);
    let ours = signed.as_ref().map(|it| {
        json!({ "raw": hex::encode_prefixed(&it.bytes), "hash": hex::encode_prefixed(&it.hash) })
    });
    let asked = signed.map(|it| it.bytes).unwrap_or_default();
    Compared::of(input, ours.unwrap_or_default(), asked)
}

/// The bytes of a transaction of some type, or nearly one.
pub fn read(chance: &mut Chance) -> Compared {
    let mut raw = transaction(chance);
    match chance.below(8) {
        0 => {
            let place = chance.place(raw.len());
            raw[place] ^= 1 << chance.below(8);
        }
        1 => raw.truncate(chance.place(raw.len())),
        2 => raw.extend(chance.array::<1>()),
        _ => {}
    }
    let ours = SignedTransfer::parse(&raw).ok().map(|it| {
        json!({
            "hash": hex::encode_prefixed(&it.hash), "from": it.from.to_checksum(), "chainId": it.chain_id.to_string(),
            "nonce": it.nonce.to_string(), "gas": it.gas.to_string(), "maxFee": it.max_fee.to_string(),
            "tip": it.tip.to_string(), "token": it.token.to_checksum(), "to": it.to.to_checksum(), "value": it.value.to_string(),
        })
    });
    let input = json!({ "raw": hex::encode_prefixed(&raw) });
    Compared::of(input, ours.unwrap_or_default(), raw)
}

fn transaction(chance: &mut Chance) -> Vec<u8> {
    let (chain_id, nonce) = (chance.number(32).max(1), chance.number(32));
    let gas_limit = chance.number(63);
    let fee = u128::from_be_bytes(chance.array()) >> chance.below(128);
    let to = match chance.below(12) {
        0 => TxKind::Create,
        _ => TxKind::Call(alloy_primitives::Address::from(*chance.address().as_bytes())),
    };
    let value = if chance.happens(12) { U256::from(chance.number(64)) } else { U256::ZERO };
    let input = Bytes::from(data(chance));
    let access_list = listed(chance);
    match chance.below(8) {
        0 => {
            let chain_id = chance.happens(2).then_some(chain_id);
            signed(
                chance,
                TxLegacy { chain_id, nonce, gas_price: fee, gas_limit, to, value, input },
            )
        }
        1 => signed(
            chance,
            TxEip2930 { chain_id, nonce, gas_price: fee, gas_limit, to, value, access_list, input },
        ),
        _ => {
            let tip =
                if chance.happens(12) { fee.saturating_add(1) } else { fee >> chance.below(8) };
            signed(
                chance,
                TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit,
                    max_fee_per_gas: fee,
                    max_priority_fee_per_gas: tip,
                    to,
                    value,
                    access_list,
                    input,
                },
            )
        }
    }
}

/// The data of a transfer, or nearly.
fn data(chance: &mut Chance) -> Vec<u8> {
    let mut data = transfer_data(chance.address(), chance.amount());
    match chance.below(16) {
        0 => data.truncate(chance.place(68)),
        1 => data.push(0),
        2 => data[chance.place(16)] ^= 1 << chance.below(8),
        3 => data = chance.bytes(),
        _ => {}
    }
    data
}

fn listed(chance: &mut Chance) -> AccessList {
    let entries = if chance.happens(4) { chance.place(3) } else { 0 };
    let entry = |chance: &mut Chance| AccessListItem {
        address: alloy_primitives::Address::from(*chance.address().as_bytes()),
        storage_keys: (0..chance.place(3)).map(|_| B256::from(chance.word())).collect(),
    };
    AccessList((0..entries).map(|_| entry(chance)).collect())
}

fn signed<T>(chance: &mut Chance, transaction: T) -> Vec<u8>
where
    T: SignableTransaction<alloy_primitives::Signature>,
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let digest = transaction.signature_hash();
    let Some(signature) = chance.key().1.sign(&digest.0) else { return vec![0] };
    let bytes = signature.to_bytes();
    let (r, mut s, mut odd) =
        (U256::from_be_slice(&bytes[..32]), U256::from_be_slice(&bytes[32..64]), bytes[64] == 28);
    if chance.happens(16) {
        (s, odd) = (U256::from_be_bytes(twin(&bytes[32..64])), !odd);
    }
    let signature = alloy_primitives::Signature::new(r, s, odd);
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718()
}

/// Nested lists that are written, or bytes that are read.
pub fn rlp(chance: &mut Chance) -> Compared {
    let depth = chance.pick(&[0, 1, 2, 3, 4, 12]);
    let item = nested(chance, depth);
    let mut bytes = written(&item);
    if chance.happens(2) {
        let ours = json!({ "bytes": hex::encode_prefixed(&bytes) });
        return Compared::of(json!({ "item": item }), ours, bytes);
    }
    match chance.below(6) {
        0 => {
            let place = chance.place(bytes.len());
            bytes[place] ^= 1 << chance.below(8);
        }
        1 => bytes.truncate(chance.place(bytes.len())),
        2 => bytes.extend(chance.array::<1>()),
        3 => bytes = long_form(&bytes),
        _ => {}
    }
    let mut items = Items::of(&bytes);
    let one = items.item().ok().and_then(listed_again).filter(|_| items.is_empty());
    let ours = one.map_or(Value::Null, |item| json!({ "item": item }));
    Compared::of(json!({ "bytes": hex::encode_prefixed(&bytes) }), ours, bytes)
}

fn nested(chance: &mut Chance, depth: u32) -> Value {
    if depth == 0 || chance.happens(3) {
        return hex::encode_prefixed(&chance.bytes()).into();
    }
    let most = if depth > 4 { 2 } else { 5 };
    (0..chance.place(most)).map(|_| nested(chance, depth - 1)).collect()
}

fn written(item: &Value) -> Vec<u8> {
    match item {
        Value::Array(items) => rlp::list(&items.iter().flat_map(written).collect::<Vec<_>>()),
        text => rlp::string(&hex::decode_prefixed(text.as_str().unwrap()).unwrap()),
    }
}

/// The same with the length of the outermost value in one byte more than it needs.
fn long_form(bytes: &[u8]) -> Vec<u8> {
    match bytes {
        [short @ 0x80..=0xb7, rest @ ..] => [&[0xb8, short - 0x80], rest].concat(),
        [short @ 0xc0..=0xf7, rest @ ..] => [&[0xf8, short - 0xc0], rest].concat(),
        [long @ (0xb8..=0xbe | 0xf8..=0xfe), rest @ ..] => [&[long + 1, 0], rest].concat(),
        other => [&[0x81], other].concat(),
    }
}

fn listed_again(item: Item<'_>) -> Option<Value> {
    match item {
        Item::Bytes(bytes) => Some(hex::encode_prefixed(bytes).into()),
        Item::List(mut items) => {
            let mut all = Vec::new();
            while !items.is_empty() {
                all.push(listed_again(items.item().ok()?)?);
            }
            Some(all.into())
        }
    }
}
