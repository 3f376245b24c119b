//! A signed EIP-3009 authorization or Permit2 permit: the signed data, and every check of it that
//! needs no network.
//!
//! Spec: x402 scheme `exact` on EVM, "Phase 2: Verification", whose order is kept; MPP charge,
//! method `evm`, signs the same.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::{PaymentKey, SignedToken, Terms, TransferMethod};
use crate::problem::Code;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_evm::permit2;
use farebox_evm::signature::Signature;
use farebox_evm::wallet::Wallets;

/// Maximum size of a signature, bytes.
const MAX_SIGNATURE_BYTES: usize = 4096;

/// Length of a signature by a key: r, s and v.
const KEY_SIGNATURE_BYTES: usize = 65;

/// An authorization and its signature.
#[derive(Clone, Debug)]
pub struct SignedAuthorization {
    authorization: Authorization,
    /// Empty if only a facilitator can read it.
    signature: Vec<u8>,
    method: TransferMethod,
    /// The token that Permit2 may move, if it is a permit.
    permitted: Option<Address>,
    /// `validBefore` does not fit 64 bits: practically unlimited.
    endless: bool,
}

/// The members that an authorization and a permit name differently.
struct SignedMembers {
    to: Address,
    value: Amount,
    valid_after: Amount,
    valid_before: Amount,
    nonce: [u8; 32],
    method: TransferMethod,
    permitted: Option<Address>,
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
        let nonce = hex::decode_array(text(members, "nonce")?).map_err(|_| MALFORMED)?;
        let read = SignedMembers {
            to: address(members, "to")?,
            value: number(members, "value")?,
            valid_after: number(members, "validAfter")?,
            valid_before: number(members, "validBefore")?,
            nonce,
            method: TransferMethod::Eip3009,
            permitted: None,
        };
        Self::of(members, read, signature)
    }

    /// Reads the same members with the signature of a session key, in base64 or hex, of which only
    /// its form is checked.
    ///
    /// # Errors
    /// As [`SignedAuthorization::parse`].
    pub fn parse_deferred(members: &Map<String, Value>, signature: &str) -> Result<Self, Code> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte);
        if !(1..=MAX_SIGNATURE_BYTES).contains(&signature.len()) || !signature.bytes().all(plain) {
            return Err(MALFORMED);
        }
        Ok(Self { method: TransferMethod::Deferred, ..Self::parse(members, "0x")? })
    }

    /// Reads a permit, `{from, permitted: {token, amount}, spender, nonce, deadline, witness: {to,
    /// validAfter}}`, all texts and the nonce a decimal one, and the signature beside it.
    ///
    /// # Errors
    /// As [`SignedAuthorization::parse`]; [`Code::TermsMismatch`] for another spender than the
    /// proxies of both schemes.
    pub fn parse_permit(members: &Map<String, Value>, signature: &str) -> Result<Self, Code> {
        let object = |name: &str| members.get(name).and_then(Value::as_object).ok_or(MALFORMED);
        let (permitted, witness) = (object("permitted")?, object("witness")?);
        let method = TransferMethod::of_permit(members)?;
        let read = SignedMembers {
            to: address(witness, "to")?,
            value: number(permitted, "amount")?,
            valid_after: number(witness, "validAfter")?,
            valid_before: number(members, "deadline")?,
            nonce: number(members, "nonce")?.to_be_bytes(),
            method,
            permitted: Some(address(permitted, "token")?),
        };
        Self::of(members, read, signature)
    }

    fn of(
        members: &Map<String, Value>,
        read: SignedMembers,
        signature: &str,
    ) -> Result<Self, Code> {
        let SignedMembers { to, value, valid_after, valid_before, nonce, method, permitted } = read;
        if signature.len() > MAX_SIGNATURE_BYTES.saturating_mul(2) {
            return Err(MALFORMED);
        }
        let never = UnixTime::from_secs(u64::MAX);
        let before = seconds(valid_before);
        Ok(Self {
            authorization: Authorization {
                from: address(members, "from")?,
                to,
                value,
                valid_after: seconds(valid_after).unwrap_or(never),
                valid_before: before.unwrap_or(never),
                nonce,
            },
            signature: hex::decode_prefixed(signature).map_err(|_| MALFORMED)?,
            method,
            permitted,
            endless: before.is_none(),
        })
    }

    /// The kind of message that was signed.
    #[must_use]
    pub const fn method(&self) -> TransferMethod {
        self.method
    }

    fn is_deferred(&self) -> bool {
        self.method == TransferMethod::Deferred
    }

    /// Whether it moves this token in the way that the terms ask for.
    fn moves(&self, token: &SignedToken) -> bool {
        self.method == token.method && self.permitted.is_none_or(|it| it == token.asset)
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
        if self.endless && !self.is_deferred() {
            return Err(Code::ValidityTooLong);
        }
        if !self.moves(token) {
            return Err(Code::TermsMismatch);
        }
        // Precompiles have these addresses, and answer every call.
        if signed.from.is_low() {
            return Err(Code::SignatureInvalid);
        }
        let vouched = match wallets {
            _ if self.is_deferred() => SignatureCheck::Deferred,
            _ if self.is_the_payers_own(token) => SignatureCheck::Verified,
            Some(wallets) if wallets.may_ask(&self.signature) => SignatureCheck::Deferred,
            // Signing again would help no contract.
            None if self.signature.len() > KEY_SIGNATURE_BYTES => {
                return Err(Code::ContractWalletRefused);
            }
            _ => return Err(Code::SignatureInvalid),
        };
        if signed.to != token.pay_to {
            return Err(Code::RecipientMismatch);
        }
        if signed.valid_before < now.plus(room.min_secs) {
            return Err(Code::Expired);
        }
        if signed.valid_before > now.plus(room.max_secs) && !self.is_deferred() {
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
        let digest = match &self.permitted {
            None => self.authorization.digest(&token.separator),
            Some(permitted) => {
                let facilitator = self.method.facilitator();
                permit2::digest(&self.authorization, permitted, facilitator, &token.separator)
            }
        };
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
        if self.endless && !self.is_deferred() {
            return Err(Code::ValidityTooLong);
        }
        if !self.moves(token) {
            return Err(Code::TermsMismatch);
        }
        if self.authorization.from.is_low() || self.signature.is_empty() != self.is_deferred() {
            return Err(Code::SignatureInvalid);
        }
        match self.is_the_payers_own(token) {
            _ if self.is_deferred() => Ok(SignatureCheck::Deferred),
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
        let chain_id = token.chain_id;
        match self.permitted {
            // Permit2 takes a nonce of a payer once, for whichever token.
            Some(_) => PaymentKey::of_permit(chain_id, &signed.from, &signed.nonce),
            _ => PaymentKey::of_authorization(chain_id, &token.asset, &signed.from, &signed.nonce),
        }
    }
}

impl TransferMethod {
    /// The method of a permit with these members: by its spender, because a facilitator in the
    /// witness is signed for one of them alone.
    ///
    /// # Errors
    /// As [`SignedAuthorization::parse_permit`].
    pub fn of_permit(members: &Map<String, Value>) -> Result<Self, Code> {
        match address(members, "spender")? {
            permit2::EXACT_PROXY => Ok(Self::Permit2),
            permit2::UPTO_PROXY => {
                let witness = members.get("witness").and_then(Value::as_object);
                Ok(Self::Upto(address(witness.ok_or(MALFORMED)?, "facilitator")?))
            }
            _ => Err(Code::TermsMismatch),
        }
    }
}

const MALFORMED: Code = Code::MalformedPayment;

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, Code> {
    members.get(name).and_then(Value::as_str).ok_or(MALFORMED)
}

fn address(members: &Map<String, Value>, name: &str) -> Result<Address, Code> {
    Address::parse(text(members, name)?).map_err(|_| MALFORMED)
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Amount, Code> {
    Amount::from_atomic(text(members, name)?).map_err(|_| MALFORMED)
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
