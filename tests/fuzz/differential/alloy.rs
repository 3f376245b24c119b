//! What alloy makes of a value: RLP, and the data of calls.

use alloy_dyn_abi::{DynSolType, DynSolValue};
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_rlp::{Encodable, Header, PayloadView};
use farebox_core::encoding::hex;
use serde_json::{Value, json};

/// Nested lists as bytes, or bytes as nested lists; null for bytes that are not one encoding.
pub fn rlp(input: &Value) -> Value {
    if let Some(item) = input.get("item") {
        return json!({ "bytes": hex::encode_prefixed(&written(item)) });
    }
    let bytes = bytes_of(&input["bytes"]);
    let mut rest = bytes.as_slice();
    read(&mut rest).filter(|_| rest.is_empty()).map_or(Value::Null, |item| json!({ "item": item }))
}

fn bytes_of(text: &Value) -> Vec<u8> {
    hex::decode_prefixed(text.as_str().unwrap()).unwrap()
}

fn written(item: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    match item {
        Value::Array(items) => {
            let payload: Vec<u8> = items.iter().flat_map(written).collect();
            Header { list: true, payload_length: payload.len() }.encode(&mut out);
            out.extend(payload);
        }
        text => bytes_of(text).as_slice().encode(&mut out),
    }
    out
}

fn read(rest: &mut &[u8]) -> Option<Value> {
    match Header::decode_raw(rest).ok()? {
        PayloadView::String(bytes) => Some(hex::encode_prefixed(bytes).into()),
        PayloadView::List(items) => {
            let inner = |mut item: &[u8]| read(&mut item).filter(|_| item.is_empty());
            items.into_iter().map(inner).collect()
        }
    }
}

/// The data of a call, the hash of arguments, or what the data of a call says.
pub fn abi(input: &Value) -> Value {
    if let Some(data) = input.get("transfer") {
        return transferred(&bytes_of(data));
    }
    if input.get("settle").is_some() {
        return json!({ "mention": mentioned(input) });
    }
    let arguments = input["arguments"].as_array().unwrap();
    if let Some(types) = input["types"].as_str() {
        let hash = keccak256(encoded(types, arguments));
        return json!({ "hash": hex::encode_prefixed(hash.as_slice()) });
    }
    let function = input["function"].as_str().unwrap();
    let (_, types) = function.trim_end_matches(')').split_once('(').unwrap();
    let data = [&keccak256(function)[..4], &encoded(types, arguments)].concat();
    json!({ "data": hex::encode_prefixed(&data) })
}

/// The encoded arguments of types without structs, which stand one after the other.
fn encoded(types: &str, arguments: &[Value]) -> Vec<u8> {
    let types = types.split(',').map(|name| DynSolType::parse(name).unwrap());
    let values = types.zip(arguments).map(|(kind, argument)| {
        let text = match argument {
            Value::String(text) => text.clone(),
            // Lists are written without quotation marks.
            list => list.to_string().replace('"', ""),
        };
        kind.coerce_str(&text).unwrap()
    });
    DynSolValue::Tuple(values.collect()).abi_encode_params()
}

/// The values of data that is a call of this function; whatever follows them is left out.
fn arguments(function: &str, data: &[u8]) -> Option<Vec<DynSolValue>> {
    let (selector, encoded) = data.split_at_checked(4)?;
    let (_, types) = function.split_once('(')?;
    let kind = DynSolType::parse(&format!("({types}")).unwrap();
    match kind.abi_decode_params(encoded).ok()? {
        DynSolValue::Tuple(values) if keccak256(function)[..4] == *selector => Some(values),
        _ => None,
    }
}

fn transferred(data: &[u8]) -> Value {
    let read = arguments("transfer(address,uint256)", data).filter(|values| {
        // No byte may mean nothing.
        DynSolValue::Tuple(values.clone()).abi_encode_params() == data[4..]
    });
    read.map_or(
        Value::Null,
        |values| json!({ "to": account(&values[0]).to_checksum(None), "value": number(&values[1]).to_string() }),
    )
}

const EXACT_PROXY: &str = "0x402085c248EeA27D92E8b30b2C58ed07f9E20001";
const UPTO_PROXY: &str = "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002";

/// How the call of a proxy is about a payment.
fn mentioned(input: &Value) -> &'static str {
    let is = |name: &str| input[name].as_bool().unwrap();
    let text = |name: &str| input[name].as_str().unwrap();
    let (amount, witness, proxy) = if is("isUpTo") {
        ("uint256,", "(address,address,uint256)", UPTO_PROXY)
    } else {
        ("", "(address,uint256)", EXACT_PROXY)
    };
    let (name, approval) = if is("withPermit") {
        ("settleWithPermit", "(uint256,uint256,bytes32,bytes32,uint8),")
    } else {
        ("settle", "")
    };
    let permit = "((address,uint256),uint256,uint256)";
    let function = format!("{name}({approval}{permit},{amount}address,{witness},bytes)");
    let data = bytes_of(&input["settle"]);
    let values = arguments(&function, &data).unwrap();
    let mut values = values.iter().skip(usize::from(is("withPermit")));
    let permit = values.next().unwrap();
    let amount = is("isUpTo").then(|| number(values.next().unwrap()));
    let (owner, witness) = (account(values.next().unwrap()), values.next().unwrap());
    let nonce: B256 = text("nonce").parse().unwrap();
    let of = |name: &str| -> Address { text(name).parse().unwrap() };
    if text("called") == proxy
        && number(member(permit, 1)) == U256::from_be_bytes(nonce.0)
        && owner == of("from")
    {
        let permitted = member(permit, 0);
        let moved = amount.unwrap_or_else(|| number(member(permitted, 1)));
        let is_exact = account(member(permitted, 0)) == of("asset")
            && moved == text("value").parse::<U256>().unwrap()
            && account(member(witness, 0)) == of("to");
        return if is_exact { "exact" } else { "nonce" };
    }
    if data.windows(32).any(|window| window == nonce.as_slice()) { "inside" } else { "none" }
}

fn member(value: &DynSolValue, at: usize) -> &DynSolValue {
    &value.as_tuple().unwrap()[at]
}

fn account(value: &DynSolValue) -> Address {
    value.as_address().unwrap()
}

fn number(value: &DynSolValue) -> U256 {
    value.as_uint().unwrap().0
}
