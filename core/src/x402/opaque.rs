//! Scheme `exact` on chains that are not read here: what names the payment. Whether it is good, only the facilitator
//! can say.
//!
//! The name is made of the bytes that the chain takes once, never of their spelling. Spec: x402 scheme `exact` on SVM,
//! Stellar, Sui, Aptos, Algorand, Hedera and Keeta, "`payload` field".

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::header;
use crate::chain::ChainId;
use crate::encoding::base64;
use crate::payment::PaymentKey;
use crate::problem::Code;

/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

/// The key of a payload on `network`.
///
/// # Errors
/// [`Code::MalformedPayment`] where the bytes are missing, or are no transaction of a chain whose form is known.
pub fn key(network: &ChainId, payload: &Map<String, Value>) -> Result<PaymentKey, Code> {
    let bytes = single_use(payload)?;
    let named = if network.as_str().starts_with("solana:") { message(&bytes)? } else { &bytes };
    if named.is_empty() {
        return Err(Code::MalformedPayment);
    }
    Ok(PaymentKey::of_bytes(network.as_str(), named))
}

/// The decoded transaction: `transaction`, Keeta's `block`, or the payer's own of Algorand's group.
fn single_use(payload: &Map<String, Value>) -> Result<Vec<u8>, Code> {
    let bad = Code::MalformedPayment;
    let group = payload.get("paymentGroup");
    // Two of them would be two payments: the one that is named might not be the one that is settled.
    if [payload.get("transaction"), payload.get("block"), group].iter().flatten().count() != 1 {
        return Err(bad);
    }
    let text = match group {
        Some(group) => {
            let index = payload.get("paymentIndex").and_then(Value::as_u64).ok_or(bad)?;
            let index = usize::try_from(index).map_err(|_| bad)?;
            group.get(index).and_then(Value::as_str).ok_or(bad)?
        }
        None if payload.contains_key("block") => header::text(payload, "block")?,
        None => header::text(payload, "transaction")?,
    };
    base64::decode(text).map_err(|_| bad)
}

/// The message of a Solana transaction. The signatures in front of it are no part of what is taken once: that of
/// the fee payer is still missing, and whatever stands in its place is replaced.
///
/// Spec: Solana, "Transactions": a compact array of signatures, then the message.
fn message(transaction: &[u8]) -> Result<&[u8], Code> {
    let bad = Code::MalformedPayment;
    let (count, rest) = match transaction {
        [low @ 0..=0x7f, rest @ ..] => (usize::from(*low), rest),
        // More than 127 signatures do not fit into a transaction.
        _ => return Err(bad),
    };
    rest.get(count.saturating_mul(SIGNATURE_BYTES)..).ok_or(bad)
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec;

    use super::*;

    fn named(network: &str, payload: &str) -> Result<PaymentKey, Code> {
        let Ok(Value::Object(payload)) = serde_json::from_str(payload) else { panic!("{payload}") };
        key(&ChainId::parse(network).unwrap(), &payload)
    }

    fn solana(signature: u8, message: &[u8]) -> Result<PaymentKey, Code> {
        let mut bytes = vec![2];
        bytes.extend([signature; 128]);
        bytes.extend(message);
        let text = base64::encode(&bytes);
        named("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", &format!(r#"{{"transaction":"{text}"}}"#))
    }

    #[test]
    fn a_solana_payment_is_named_by_its_message_whatever_stands_for_its_signatures() {
        let one = solana(0, b"message").unwrap();
        assert_eq!(solana(7, b"message"), Ok(one));
        assert_ne!(solana(0, b"messagf"), Ok(one));
        assert_eq!(solana(0, b""), Err(Code::MalformedPayment));
        let short = base64::encode(&[2; 128]);
        assert_eq!(
            named(
                "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp",
                &format!(r#"{{"transaction":"{short}"}}"#)
            ),
            Err(Code::MalformedPayment)
        );
        assert_eq!(
            named("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", r#"{"transaction":"gAEC"}"#),
            Err(Code::MalformedPayment)
        );
    }

    #[test]
    fn a_payment_is_named_by_its_bytes_on_its_network() {
        let one = named("sui:mainnet", r#"{"transaction":"AAEC","signature":"AA=="}"#).unwrap();
        assert_eq!(named("sui:mainnet", r#"{"signature":"BB","transaction":"AAEC"}"#), Ok(one));
        assert_ne!(named("sui:testnet", r#"{"transaction":"AAEC"}"#), Ok(one));
        assert_eq!(
            named("stellar:pubnet", r#"{"transaction":"AAE="}"#),
            named("stellar:pubnet", r#"{"transaction":"AAE"}"#)
        );
        let group = r#"{"paymentIndex":1,"paymentGroup":["AAEC","AwQF"]}"#;
        let other = r#"{"paymentIndex":1,"paymentGroup":["AAEB","AwQF"]}"#;
        let chain = "algorand:wGHE2Pwdvd7S12BL5FaOP20EGYesN73k";
        assert_eq!(named(chain, group), named(chain, other));
        assert!(named("keeta:21378", r#"{"block":"AAEC"}"#).is_ok());
    }

    #[test]
    fn what_names_no_single_payment_is_malformed() {
        for payload in [
            "{}",
            r#"{"transaction":7}"#,
            r#"{"transaction":""}"#,
            r#"{"transaction":"AAF"}"#,
            r#"{"transaction":"A A="}"#,
            r#"{"transaction":"AAEC","block":"AAEC"}"#,
            r#"{"paymentGroup":["AAEC"]}"#,
            r#"{"paymentGroup":["AAEC"],"paymentIndex":1}"#,
            r#"{"paymentGroup":["AAEC"],"paymentIndex":-1}"#,
            r#"{"paymentGroup":"AAEC","paymentIndex":0}"#,
        ] {
            assert_eq!(named("aptos:1", payload), Err(Code::MalformedPayment), "{payload}");
        }
    }
}
