//! Payments on a chain that the gate does not read: a transaction of Solana, and its spellings.

use farebox_core::encoding::{base64, hex};
use farebox_core::evm::keccak::keccak256;
use serde_json::{Value, json};

use super::payer::Payment;

/// The network.
pub const NETWORK: &str = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1";
/// Recipient of all routes there.
pub const PAYEE: &str = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
/// Fee payer of each transaction.
pub const FEE_PAYER: &str = "EwWqGE4ZFKLofuestmU4LDdK7XM1N4ALgdZccwYugwGd";
/// Bytes of the two signatures at the front, with their count.
const SIGNATURES: usize = 1 + 2 * 64;
/// Bytes of the message after them.
const MESSAGE: usize = 4 + 1 + 3 * 32 + 32 + 1 + 4 + 8 + 1;

/// The transaction with this number: two signatures, the first one still missing, and a message of
/// version 0.
pub fn transaction(number: u64) -> Vec<u8> {
    let mut bytes = vec![2];
    bytes.extend([0; 64]);
    bytes.extend([7; 64]);
    bytes.extend([0x80, 2, 1, 1, 3]);
    bytes.extend((1..=3).flat_map(|key| [key; 32]));
    bytes.extend([4; 32]);
    bytes.extend([1, 2, 1, 1, 8]);
    bytes.extend(number.to_be_bytes());
    bytes.push(0);
    assert_eq!(bytes.len(), SIGNATURES + MESSAGE);
    bytes
}

/// The part of these bytes that the chain accepts once: a lenient facilitator strips the rest.
pub fn taken_once(bytes: &[u8]) -> String {
    let message = bytes.get(SIGNATURES..SIGNATURES + MESSAGE).unwrap_or_default();
    hex::encode_prefixed(&keccak256(message))
}

/// The signature that names the transaction of this part.
pub fn transaction_of(taken: &str) -> String {
    let digits = taken.trim_start_matches("0x").replace('0', "z");
    format!("2{digits:1<86}")
}

/// A payment with these bytes for the first term of a decoded version 2 challenge.
pub fn payment(required: &Value, bytes: &[u8]) -> Payment {
    let accepted = &required["accepts"][0];
    let message = json!({
        "x402Version": 2, "payload": {"transaction": base64::encode(bytes)}, "accepted": accepted,
    });
    let url = required["resource"]["url"].as_str().unwrap();
    Payment {
        header: "payment-signature",
        value: base64::encode(message.to_string().as_bytes()),
        target: url.strip_prefix(super::HOST).unwrap().to_owned(),
        nonce: taken_once(bytes),
        valid_before: u64::MAX,
    }
}
