//! Further wire formats, for programs that work without the payer: apart from what pages load.

use alloc::string::{String, ToString};

use farebox_core::amount::Amount;
use farebox_core::chain::ChainId;
use farebox_core::client::prepare;
use farebox_core::client::price::{self, Unit};
use farebox_core::client::receipt::signer_of_receipt;
use farebox_core::client::rejection::Rejection;
use farebox_core::encoding::{base64, hex, json as strict};
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::evm::keccak::keccak256 as hash;
use farebox_core::evm::signature::Signature;
use farebox_core::mpp::SCHEME;
use farebox_core::payment::PaymentKey;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::failure::{refused, seconds};

/// The field value of a credential, even if its text already begins with the scheme's name.
#[wasm_bindgen(js_name = paymentAuthorization)]
pub fn payment_authorization(credential: &str) -> Result<String, JsValue> {
    let mut token = credential.trim();
    while let Some((scheme, rest)) = token.split_once(' ') {
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            break;
        }
        token = rest.trim_start();
    }
    let object = base64::decode_url(token).ok().and_then(|bytes| strict::parse(&bytes).ok());
    match object {
        Some(Value::Object(_)) => Ok(alloc::format!("{SCHEME} {token}")),
        _ => Err(refused("invalid_header", "this is not a credential of the scheme Payment")),
    }
}

/// A seller's refusal as `{text, code, status, message}`; the code may be null.
#[wasm_bindgen(js_name = sellerError)]
#[must_use]
pub fn seller_error(status: u16, body: &[u8]) -> String {
    let said = Rejection::read(status, body);
    let message = said.to_string();
    json!({"text": said.text, "code": said.code, "status": status, "message": message}).to_string()
}

/// An amount in words: whole tokens, followed by atomic units. Empty texts and -1 stand for unknown
/// values.
#[wasm_bindgen(js_name = formatAmount)]
pub fn format_amount(
    amount: &str,
    symbol: &str,
    network: &str,
    asset: &str,
    decimals: f64,
) -> Result<String, JsValue> {
    let wrong = |what: &str| refused("invalid_amount", what);
    let amount = Amount::from_atomic(amount)
        .map_err(|_| wrong("an amount is decimal digits: atomic units of the token"))?;
    let network = ChainId::parse_or_name(network).ok();
    let contract = match (&network, Address::parse(asset)) {
        (Some(network), Ok(asset)) => Some((network, asset)),
        _ if asset.is_empty() => None,
        _ => return Err(wrong("an asset is an address, and stands beside its network")),
    };
    let contract = contract.as_ref().map(|(network, asset)| (*network, asset));
    let whole = decimals as u8;
    let decimals = match decimals {
        -1.0 => None,
        _ if f64::from(whole) == decimals => Some(whole),
        _ => return Err(wrong("decimals are a whole number")),
    };
    Ok(price::in_words(amount, Unit { symbol, contract, decimals }))
}

/// The EIP-712 digest of typed data (JSON), hex.
#[wasm_bindgen(js_name = hashTypedData)]
pub fn hash_typed_data(typed_data: &str) -> Result<String, JsValue> {
    digest(typed_data).map(|digest| hex::encode_prefixed(&digest))
}

/// The signer of typed data (JSON).
#[wasm_bindgen(js_name = recoverSigner)]
pub fn recover_signer(typed_data: &str, signature: &str) -> Result<String, JsValue> {
    let digest = digest(typed_data)?;
    let signature = Signature::parse(signature).ok();
    signature
        .and_then(|signature| signature.recover(&digest).ok())
        .map(|signer| signer.to_checksum())
        .ok_or_else(|| {
            refused("invalid_signature", "no key made this signature of 65 bytes with a low s")
        })
}

/// Keccak-256 of bytes, hex.
#[wasm_bindgen(js_name = keccak256)]
#[must_use]
pub fn keccak256(bytes: &[u8]) -> String {
    hex::encode_prefixed(&hash(bytes))
}

/// A chain's id; throws unless the JavaScript number is exact.
fn chain(id: f64) -> Result<u64, JsValue> {
    let whole = id as u64;
    if whole as f64 == id && whole < 1 << 53 {
        return Ok(whole);
    }
    Err(refused("invalid_payment", "a chain id is a whole number below 2^53"))
}

/// The key of the payment of an authorization, its name in `Farebox-Redelivery` and in a gate's
/// log.
#[wasm_bindgen(js_name = paymentKey)]
pub fn payment_key(
    chain_id: f64,
    asset: &str,
    payer: &str,
    nonce: &str,
) -> Result<String, JsValue> {
    let address = |text: &str| Address::parse(text).ok();
    let nonce = hex::decode_array::<32>(nonce).ok();
    match (address(asset), address(payer), nonce) {
        (Some(asset), Some(payer), Some(nonce)) => {
            let key = PaymentKey::of_authorization(chain(chain_id)?, &asset, &payer, &nonce);
            Ok(hex::encode_prefixed(key.as_bytes()))
        }
        _ => Err(refused("invalid_payment", "expected two addresses and a nonce of 32 bytes")),
    }
}

/// Typed data of a redelivery statement, JSON.
#[wasm_bindgen(js_name = redeliveryTypedData)]
pub fn redelivery_typed_data(
    key: &str,
    chain_id: f64,
    method: &str,
    url: &str,
    now: f64,
) -> Result<String, JsValue> {
    let key = hex::decode_array::<32>(key)
        .map_err(|_| refused("invalid_payment", "a payment key is 0x and 64 hex digits"))?;
    let key = PaymentKey::from_bytes(key);
    Ok(prepare::redelivery(&key, chain(chain_id)?, method, url, seconds(now)).to_string())
}

/// The `Farebox-Redelivery` header of a signed statement.
#[wasm_bindgen(js_name = redeliveryHeader)]
pub fn redelivery_header(typed_data: &str, signature: &str) -> Result<String, JsValue> {
    let statement = strict::parse(typed_data.as_bytes())
        .map_err(|_| refused("invalid_typed_data", "the statement is not JSON"))?;
    Ok(prepare::redelivery_header(&statement, signature))
}

/// The signer of a receipt of extension `offer-receipt` (JSON), and its content: `{signer,
/// payload}`.
#[wasm_bindgen(js_name = receiptSigner)]
pub fn receipt_signer(receipt: &str) -> Result<String, JsValue> {
    let receipt = strict::parse(receipt.as_bytes())
        .map_err(|_| refused("invalid_receipt", "the receipt is not JSON"))?;
    match signer_of_receipt(&receipt) {
        Ok((signer, payload)) => {
            Ok(json!({"signer": signer.to_checksum(), "payload": payload}).to_string())
        }
        Err(error) => Err(refused("invalid_receipt", &error.message)),
    }
}

fn digest(typed_data: &str) -> Result<[u8; 32], JsValue> {
    let data = strict::parse(typed_data.as_bytes()).ok();
    data.and_then(|data| TypedData::from_json(&data).ok())
        .map(|data| data.digest())
        .ok_or_else(|| refused("invalid_typed_data", "this is not EIP-712 typed data"))
}
