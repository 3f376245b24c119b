//! The allowance of Permit2 that a payer signs in the place of a transaction: the facilitator
//! submits this permit of the token with the payment, and pays the gas.
//!
//! It covers the amount of one payment, and its spender is Permit2, which moves nothing without the
//! payer's signature of that payment. Whoever has it can submit it until its end, and it takes the
//! place of whatever allowance there is then. Spec: EIP-2612; x402 extension `eip2612GasSponsoring`.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value, json};

use super::error::ClientError;
use super::offer::Offer;
use super::signing::{checked, typed_data};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_evm::eip712::TypedData;
use farebox_evm::eip3009::Authorization;
use farebox_evm::permit2::PERMIT2;
use farebox_wire::x402::extension::gas_sponsoring;

/// Seconds for which it is good beyond the end of the payment as it was read for: the wallet signs
/// that one after it.
const VALID_SECS: u64 = 600;
/// Selector of `allowance(address,address)`. Spec: ERC-20.
const ALLOWANCE: [u8; 4] = [0xdd, 0x62, 0xed, 0x3e];
/// Selector of `nonces(address)`. Spec: EIP-2612.
const NONCES: [u8; 4] = [0x7e, 0xce, 0xbe, 0x00];

/// A payment: the offer that it pays, and what the payer signs for it.
#[derive(Clone, Copy, Debug)]
pub struct PaymentParts<'a> {
    /// The terms.
    pub offer: &'a Offer,
    /// The transfer that is signed for them.
    pub authorization: &'a Authorization,
}

/// Two calls of the payment's token, for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowanceReading {
    /// The network, as a CAIP-2 id.
    pub network: String,
    /// The token contract.
    pub token: String,
    /// The data of both calls: how much Permit2 may move, and the nonce of the next permit.
    pub data: [String; 2],
}

/// A permit for Permit2, beside the payment whose payer, token and amount it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PermitTerms {
    /// The token's own number for the payer's next permit.
    nonce: Amount,
    /// The end of its validity.
    deadline: UnixTime,
}

/// The same with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedAllowance {
    terms: PermitTerms,
    /// In the form that contracts accept.
    signature: String,
}

impl AllowanceReading {
    /// The calls for a payment by Permit2 whose token may have permits; none for another.
    #[must_use]
    pub fn of(payment: PaymentParts<'_>) -> Option<Self> {
        let PaymentParts { offer, authorization } = payment;
        let asset = &offer.asset;
        let is_permit = matches!(offer.method, TransferMethod::Permit2 | TransferMethod::Upto(_));
        // Without both no wallet can sign for the token.
        if !is_permit || asset.name.is_empty() || asset.version.is_empty() {
            return None;
        }
        let owner = authorization.from.to_word();
        let call = |parts: &[&[u8]]| hex::encode_prefixed(&parts.concat());
        Some(Self {
            network: asset.network.as_str().to_string(),
            token: asset.address.to_checksum(),
            data: [call(&[&ALLOWANCE, &owner, &PERMIT2.to_word()]), call(&[&NONCES, &owner])],
        })
    }
}

impl PermitTerms {
    /// The permit to sign, by what both calls returned; none if the allowance is enough, or
    /// the node has told nothing of a permit.
    pub(super) fn of(signed: &Authorization, told: [Option<&str>; 2]) -> Option<Self> {
        let [allowance, nonce] = told.map(|text| {
            let word = hex::decode_array::<32>(text?).ok()?;
            Some(Amount::from_be_bytes(word))
        });
        if allowance? >= signed.value {
            return None;
        }
        Some(Self { nonce: nonce?, deadline: signed.valid_before.plus(VALID_SECS) })
    }

    /// Typed data for a wallet.
    pub(super) fn typed_data(self, payment: PaymentParts<'_>) -> Value {
        let PaymentParts { offer, authorization: signed } = payment;
        let asset = &offer.asset;
        let domain = json!({
            "name": asset.name,
            "version": asset.version,
            "chainId": offer.chain_id,
            "verifyingContract": asset.address.to_checksum(),
        });
        let message = json!({
            "owner": signed.from.to_checksum(),
            "spender": PERMIT2.to_checksum(),
            "value": signed.value.to_string(),
            "nonce": self.nonce.to_string(),
            "deadline": self.deadline.secs().to_string(),
        });
        typed_data(TYPES, domain, "Permit", message)
    }

    /// Takes the wallet's signature.
    ///
    /// # Errors
    /// [`Reason::WrongSignature`](super::error::Reason::WrongSignature) if it is of other data, or by another signer.
    pub(super) fn signed(
        self,
        payment: PaymentParts<'_>,
        signature: &str,
    ) -> Result<SignedAllowance, ClientError> {
        let payer: Address = payment.authorization.from;
        let digest = TypedData::from_json(&self.typed_data(payment)).map(|data| data.digest());
        let signature = checked(signature, &digest.unwrap_or_default(), &payer)?;
        Ok(SignedAllowance { terms: self, signature })
    }
}

impl SignedAllowance {
    /// The end of its validity.
    #[must_use]
    pub const fn deadline(&self) -> UnixTime {
        self.terms.deadline
    }

    /// Adds it to what the server has announced in the extensions of a payment: stock servers refuse a
    /// payment without all of that.
    pub(super) fn add_to(&self, extensions: &mut Map<String, Value>, payment: PaymentParts<'_>) {
        let PaymentParts { offer, authorization: signed } = payment;
        let entry = object_at(extensions, gas_sponsoring::NAME);
        let Some(info) = entry.and_then(|entry| object_at(entry, "info")) else { return };
        let members = [
            ("from", signed.from.to_checksum()),
            ("asset", offer.asset.address.to_checksum()),
            ("spender", PERMIT2.to_checksum()),
            ("amount", signed.value.to_string()),
            ("nonce", self.terms.nonce.to_string()),
            ("deadline", self.terms.deadline.secs().to_string()),
            ("signature", self.signature.clone()),
        ];
        for (name, text) in members {
            info.insert(name.to_string(), text.into());
        }
        info.entry("version").or_insert_with(|| VERSION.into());
    }

    /// The proof of a payment that it goes with, as it is kept: [`Self::split`] reads it.
    #[must_use]
    pub fn joined(&self, proof: &str) -> String {
        let Self { terms: PermitTerms { nonce, deadline }, signature } = self;
        format!("{proof} {nonce} {} {signature}", deadline.secs())
    }

    /// The proof of a payment and the permit beside it, of what was kept.
    #[must_use]
    pub fn split(kept: &str) -> (&str, Option<Self>) {
        let mut parts = kept.split(' ');
        let proof = parts.next().unwrap_or_default();
        let mut permit = || {
            let nonce = Amount::from_atomic(parts.next()?).ok()?;
            let deadline = UnixTime::from_secs(parts.next()?.parse().ok()?);
            let signature = parts.next()?.to_string();
            Some(Self { terms: PermitTerms { nonce, deadline }, signature })
        };
        (proof, permit())
    }
}

/// The object at a place, which is made where there is another value, or none.
pub(super) fn object_at<'m>(
    members: &'m mut Map<String, Value>,
    name: &str,
) -> Option<&'m mut Map<String, Value>> {
    let value = members.entry(name).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

/// The version of the extension that is written where the server tells none.
const VERSION: &str = "1";
/// Spec: EIP-712; EIP-2612.
const TYPES: &str = r#"{"EIP712Domain":[{"name":"name","type":"string"},{"name":"version","type":"string"},{"name":"chainId","type":"uint256"},{"name":"verifyingContract","type":"address"}],"Permit":[{"name":"owner","type":"address"},{"name":"spender","type":"address"},{"name":"value","type":"uint256"},{"name":"nonce","type":"uint256"},{"name":"deadline","type":"uint256"}]}"#;
