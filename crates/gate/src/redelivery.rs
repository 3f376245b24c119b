//! `Farebox-Redelivery`: a payer's fresh signature that asks for the answer to a payment once more.
//!
//! The payment itself is public once it is on the chain; this statement is not. It is typed data of
//! the domain `{name: "Farebox", version: "1", chainId}`. Spec: docs/repeats.md, "Repeats";
//! EIP-712.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::Value;

use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::payment::PaymentKey;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::eip712;
use farebox_evm::keccak::{keccak256, keccak256_parts};
use farebox_evm::signature::Signature;
use farebox_wire::x402::header;

/// The request header, lower case.
pub const HEADER: &str = "farebox-redelivery";
/// Stands in place of the method when a receipt is asked for.
pub const RECEIPT: &str = "RECEIPT";
/// The EIP-712 type of a statement.
pub const TYPE: &str = "Redelivery(bytes32 paymentKey,string method,string url,uint256 issuedAt)";

/// Largest difference between the statement's time and the gate's clock, seconds, in both
/// directions.
const MAX_AGE_SECS: u64 = 120;
/// Longest method, bytes.
const MAX_METHOD_BYTES: usize = 32;
/// Longest URL, bytes: a target of a priced route and the longest host.
const MAX_URL_BYTES: usize = 2560;

/// A well-formed statement whose signer is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    key: PaymentKey,
    method: String,
    url: String,
    issued_at: UnixTime,
    signature: Signature,
}

impl Statement {
    /// Reads the header: base64 of one JSON object with `paymentKey`, `method`, `url`, `issuedAt`,
    /// `signature` and nothing else, no key twice. `issuedAt` is a whole number or its canonical
    /// decimal text.
    ///
    /// # Errors
    /// [`Code::ProofTooLarge`], [`Code::AmbiguousPayment`] for two different statements, else
    /// [`Code::MalformedPayment`].
    pub fn parse(value: &str) -> Result<Self, Code> {
        let object = header::decode(value)?.object;
        if object.len() != 5 {
            return Err(Code::MalformedPayment);
        }
        let text = |name| header::text(&object, name);
        let bounded = |name, max: usize| {
            let text: &str = text(name)?;
            let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
            let good = visible && (1..=max).contains(&text.len());
            if good { Ok(text.to_owned()) } else { Err(Code::MalformedPayment) }
        };
        let key = hex::decode_array(text("paymentKey")?).map_err(|_| Code::MalformedPayment)?;
        let issued_at = match object.get("issuedAt") {
            Some(Value::Number(number)) => number.as_u64().map(UnixTime::from_secs),
            Some(Value::String(text)) => UnixTime::from_text(text).ok(),
            _ => None,
        };
        Ok(Self {
            key: PaymentKey::from_bytes(key),
            method: bounded("method", MAX_METHOD_BYTES)?,
            url: bounded("url", MAX_URL_BYTES)?,
            issued_at: issued_at.ok_or(Code::MalformedPayment)?,
            signature: Signature::parse(text("signature")?).map_err(|_| Code::MalformedPayment)?,
        })
    }

    /// The payment that it names.
    #[must_use]
    pub const fn key(&self) -> &PaymentKey {
        &self.key
    }

    /// The signer, if it was signed for this chain. Every signature has some signer.
    #[must_use]
    pub fn signer(&self, chain_id: u64) -> Option<Address> {
        self.signature.recover(&self.digest(chain_id)).ok()
    }

    /// The digest that is signed.
    #[must_use]
    pub fn digest(&self, chain_id: u64) -> [u8; 32] {
        let separator = eip712::separator_without_contract("Farebox", "1", chain_id);
        let members = keccak256_parts(&[
            &keccak256(TYPE.as_bytes()),
            self.key.as_bytes(),
            &keccak256(self.method.as_bytes()),
            &keccak256(self.url.as_bytes()),
            &Amount::from_u64(self.issued_at.secs()).to_be_bytes(),
        ]);
        eip712::digest(&separator, &members)
    }

    /// Checks that the payer of `key` asks for exactly this, now: within 120 s, the same method,
    /// the same URL to the byte, their own signature under the chain of the payment.
    ///
    /// # Errors [`Code::PaymentAlreadyDelivered`]: the statement proves nothing.
    pub fn proves(
        &self,
        key: &PaymentKey,
        payer: &Address,
        chain_id: u64,
        method: &str,
        url: &str,
        now: UnixTime,
    ) -> Result<(), Code> {
        let fresh =
            self.issued_at.plus(MAX_AGE_SECS) >= now && self.issued_at <= now.plus(MAX_AGE_SECS);
        let about = self.key == *key && self.method == method && self.url == url;
        if fresh && about && self.signer(chain_id).as_ref() == Some(payer) {
            Ok(())
        } else {
            Err(Code::PaymentAlreadyDelivered)
        }
    }
}
