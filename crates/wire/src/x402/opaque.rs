//! Scheme `exact` on chains that the gate does not read: identifies the payment. Whether it is
//! valid, only the facilitator can say.
//!
//! The identity comes from the bytes that the chain accepts once: the signed data, read strictly to
//! its last byte, and never its spelling. A payload that cannot be read this way is not a payment.
//! Spec: x402 scheme `exact` on SVM, Stellar, Sui, Aptos, Algorand, Hedera and Keeta, "`payload`
//! field".

mod algorand;
mod aptos;
mod bcs;
mod bytes;
mod hedera;
mod keeta;
mod solana;
mod stellar;
mod sui;
mod xdr;

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::chain::ChainId;
use farebox_base::encoding::{base64, json};
use farebox_common::payment::PaymentKey;
use farebox_common::problem::Code;

/// Maximum size of a payload's own members, as JSON.
const MAX_BYTES: usize = 6 * 1024;

/// A kind of chain whose payments can be identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainKind {
    /// `algorand`.
    Algorand,
    /// `aptos`.
    Aptos,
    /// `hedera`.
    Hedera,
    /// `keeta`.
    Keeta,
    /// `solana`.
    Solana,
    /// `stellar`.
    Stellar,
    /// `sui`.
    Sui,
}

impl ChainKind {
    /// The kind of this network, if it is known.
    #[must_use]
    pub fn of(network: &ChainId) -> Option<Self> {
        let (namespace, _) = network.as_str().split_once(':')?;
        Some(match namespace {
            "algorand" => Self::Algorand,
            "aptos" => Self::Aptos,
            "hedera" => Self::Hedera,
            "keeta" => Self::Keeta,
            "solana" => Self::Solana,
            "stellar" => Self::Stellar,
            "sui" => Self::Sui,
            _ => return None,
        })
    }

    /// Members of a payload that its facilitator needs; all are required.
    const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Algorand => &["paymentIndex", "paymentGroup"],
            Self::Aptos | Self::Hedera | Self::Solana | Self::Stellar => &["transaction"],
            Self::Keeta => &["block"],
            Self::Sui => &["signature", "transaction"],
        }
    }

    /// The bytes that the chain accepts once.
    fn single_use(self, payload: &Map<String, Value>) -> Option<Vec<u8>> {
        let transaction = || decoded(payload.get("transaction")?);
        match self {
            Self::Algorand => algorand::single_use(payload),
            Self::Aptos => aptos::single_use(&transaction()?),
            Self::Hedera => hedera::single_use(&transaction()?).map(String::into_bytes),
            Self::Keeta => keeta::single_use(&decoded(payload.get("block")?)?),
            Self::Solana => solana::single_use(&transaction()?).map(<[u8]>::to_vec),
            Self::Stellar => stellar::single_use(&transaction()?),
            Self::Sui => {
                decoded(payload.get("signature")?)?;
                sui::single_use(&transaction()?).map(<[u8]>::to_vec)
            }
        }
    }
}

/// A payment of one of those chains.
#[derive(Clone, Debug)]
pub struct OpaquePayment {
    /// Its identity.
    pub key: PaymentKey,
    /// The payload with its own members, as received, and no others.
    pub payload: Map<String, Value>,
}

/// Reads a payload on `network`.
///
/// # Errors
/// [`Code::MalformedPayment`] if a member is missing or too long, or if the signed data is not
/// exactly one payment of the chain.
pub fn read(network: &ChainId, payload: &Map<String, Value>) -> Result<OpaquePayment, Code> {
    let bad = Code::MalformedPayment;
    let kind = ChainKind::of(network).ok_or(bad)?;
    let own = |name: &&str| Some((String::from(*name), payload.get(*name)?.clone()));
    let payload = json::object(kind.members().iter().map_while(own));
    if payload.len() != kind.members().len() {
        return Err(bad);
    }
    if json::text(&payload).len() > MAX_BYTES {
        return Err(bad);
    }
    let bytes = kind.single_use(&payload).ok_or(bad)?;
    Ok(OpaquePayment { key: PaymentKey::of_bytes(network.as_str(), &bytes), payload })
}

/// The bytes of a text in the one spelling that encoders write.
fn decoded(text: &Value) -> Option<Vec<u8>> {
    let text = text.as_str()?;
    let bytes = base64::decode(text).ok()?;
    (base64::encode(&bytes) == text).then_some(bytes)
}
