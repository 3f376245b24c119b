//! A signed EIP-3009 authorization: the signed data, and every check of it that needs no network.
//!
//! Spec: x402 scheme `exact` on EVM, "Phase 2: Verification", whose order is kept; MPP charge,
//! method `evm`, signs the same.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{PaymentKey, SignedToken, Terms};
use crate::amount::Amount;
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::evm::eip3009::Authorization;
use crate::evm::signature::Signature;
use crate::evm::wallet::Wallets;
use crate::problem::Code;
use crate::time::UnixTime;

/// Maximum size of a signature, bytes.
const MAX_SIGNATURE_BYTES: usize = 4096;

/// Length of a signature by a key: r, s and v.
const KEY_SIGNATURE_BYTES: usize = 65;

/// An authorization and its signature.
#[derive(Clone, Debug)]
pub struct SignedAuthorization {
    authorization: Authorization,
    signature: Vec<u8>,
    /// `validBefore` does not fit 64 bits: practically unlimited.
    endless: bool,
}

/// Limits on the remaining validity of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidityBounds {
    /// Minimum seconds from now to `validBefore`.
    pub min_secs: u64,
    /// Maximum seconds from now to `validBefore`.
    pub max_secs: u64,
}

/// Result of checking a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureCheck {
    /// It is the payer's.
    Verified,
    /// It may be that of the payer's contract, or of a chain that the gate does not read: a
    /// facilitator has to decide.
    Deferred,
}

impl SignedAuthorization {
    /// Reads `{from, to, value, validAfter, validBefore, nonce}`, all texts, and the signature
    /// beside it.
    ///
    /// # Errors
    /// [`Code::MalformedPayment`] if a member is missing, of another type or not in its canonical
    /// form.
    pub fn parse(members: &Map<String, Value>, signature: &str) -> Result<Self, Code> {
        let bad = Code::MalformedPayment;
        let text = |name: &str| members.get(name).and_then(Value::as_str).ok_or(bad);
        let address = |name| Address::parse(text(name)?).map_err(|_| bad);
        let number = |name| Amount::from_atomic(text(name)?).map_err(|_| bad);
        if signature.len() > MAX_SIGNATURE_BYTES.saturating_mul(2) {
            return Err(bad);
        }
        let valid_before = number("validBefore")?;
        let before = seconds(valid_before);
        Ok(Self {
            authorization: Authorization {
                from: address("from")?,
                to: address("to")?,
                value: number("value")?,
                valid_after: seconds(number("validAfter")?)
                    .unwrap_or(UnixTime::from_secs(u64::MAX)),
                valid_before: before.unwrap_or(UnixTime::from_secs(u64::MAX)),
                nonce: hex::decode_array(text("nonce")?).map_err(|_| bad)?,
            },
            signature: hex::decode_prefixed(signature).map_err(|_| bad)?,
            endless: before.is_none(),
        })
    }

    /// Makes every check of the scheme that needs no network, in the order of the reference:
    /// signature, recipient, window, value. Equality is strict; terms echoed by the client are
    /// ignored. A signature that is not by the payer's own key is refused, or left to the
    /// facilitator if `wallets` says so.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn check(
        &self,
        terms: &Terms,
        wallets: Option<&Wallets>,
        now: UnixTime,
        room: ValidityBounds,
    ) -> Result<SignatureCheck, Code> {
        let signed = &self.authorization;
        let token = terms.token.as_ref().ok_or(Code::TermsMismatch)?;
        // Its digest would need the expiry that did not fit.
        if self.endless {
            return Err(Code::ValidityTooLong);
        }
        // Precompiles have these addresses, and answer every call.
        if signed.from.is_low() {
            return Err(Code::SignatureInvalid);
        }
        let vouched = match wallets {
            _ if self.is_the_payers_own(token) => SignatureCheck::Verified,
            Some(wallets) if wallets.may_ask(&self.signature) => SignatureCheck::Deferred,
            _ => return Err(Code::SignatureInvalid),
        };
        if signed.to != token.pay_to {
            return Err(Code::RecipientMismatch);
        }
        if signed.valid_before < now.plus(room.min_secs) {
            return Err(Code::Expired);
        }
        if signed.valid_before > now.plus(room.max_secs) {
            return Err(Code::ValidityTooLong);
        }
        if signed.valid_after > now {
            return Err(Code::NotYetValid);
        }
        if signed.value != terms.amount {
            return Err(Code::AmountMismatch);
        }
        Ok(vouched)
    }

    /// Whether the payer's own key has signed it for this token.
    #[must_use]
    pub fn is_the_payers_own(&self, token: &SignedToken) -> bool {
        let digest = self.authorization.digest(&token.separator);
        Signature::from_bytes(&self.signature)
            .and_then(|signature| signature.recover(&digest))
            .is_ok_and(|signer| signer == self.authorization.from)
    }

    /// Checks the signature alone, for a payment that is only looked up: one that is not by the
    /// payer's own key may be that of a contract. Without `wallets`, one of a key's length is a
    /// forgery, which has to cost nothing: contracts seldom sign so briefly.
    ///
    /// # Errors
    /// [`Code::SignatureInvalid`], [`Code::ValidityTooLong`] for what no settings ever accept.
    pub fn check_signature(
        &self,
        token: &SignedToken,
        wallets: Option<&Wallets>,
    ) -> Result<SignatureCheck, Code> {
        if self.endless {
            return Err(Code::ValidityTooLong);
        }
        if self.authorization.from.is_low() || self.signature.is_empty() {
            return Err(Code::SignatureInvalid);
        }
        match self.is_the_payers_own(token) {
            true => Ok(SignatureCheck::Verified),
            false if !self.may_be_a_contracts(wallets) => Err(Code::SignatureInvalid),
            false => Ok(SignatureCheck::Deferred),
        }
    }

    /// Whether a signature that is not by the payer's own key may count as that of a contract.
    #[must_use]
    pub const fn may_be_a_contracts(&self, wallets: Option<&Wallets>) -> bool {
        wallets.is_some() || self.signature.len() != KEY_SIGNATURE_BYTES
    }

    /// The signature, `0x` and lower-case hex.
    #[must_use]
    pub fn signature_hex(&self) -> String {
        hex::encode_prefixed(&self.signature)
    }

    /// The signed authorization.
    #[must_use]
    pub const fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// The identity of this authorization under `token`.
    #[must_use]
    pub fn key(&self, token: &SignedToken) -> PaymentKey {
        let signed = &self.authorization;
        PaymentKey::of_authorization(token.chain_id, &token.asset, &signed.from, &signed.nonce)
    }
}

/// Seconds of a uint256; `None` beyond 64 bits.
fn seconds(value: Amount) -> Option<UnixTime> {
    let bytes = value.to_be_bytes();
    let (high, low) = bytes.split_at(24);
    if high.iter().any(|byte| *byte != 0) {
        return None;
    }
    low.try_into().ok().map(|low| UnixTime::from_secs(u64::from_be_bytes(low)))
}
