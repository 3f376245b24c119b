//! What the checks of a proof have found, whichever protocol it came in.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;

use serde_json::{Map, Value};

use super::offer::Choice;
use crate::mpp::Challenge;
use crate::payment::authorization::{SignatureCheck, SignedAuthorization};
use crate::payment::{PaymentKey, Proof, SignedToken};
use crate::problem::Code;
use crate::time::UnixTime;
use crate::x402::{Version, exact, opaque};

/// A payment that passed every local check.
pub(super) struct CheckedPayment<'g> {
    pub(super) protocol: Protocol,
    pub(super) choice: Cow<'g, Choice>,
    pub(super) proof: Proof,
    pub(super) eligibility: Eligibility,
    pub(super) signature: SignatureCheck,
}

impl CheckedPayment<'_> {
    pub(super) fn into_owned<'g>(self) -> CheckedPayment<'g> {
        CheckedPayment { choice: Cow::Owned(self.choice.into_owned()), ..self }
    }
}

/// In which protocol a payment came; its answer speaks the same.
#[derive(Clone, Debug)]
pub(super) enum Protocol {
    /// x402 in this version.
    X402(Version),
    /// MPP, in answer to this challenge.
    Mpp(Box<Answered>),
}

impl Protocol {
    /// The version of x402 in whose names a facilitator is asked.
    pub(super) const fn version(&self) -> Version {
        match self {
            Self::X402(version) => *version,
            Self::Mpp(_) => Version::V2,
        }
    }
}

/// What was signed.
pub(super) enum Signed {
    /// An authorization that is read here.
    Token(Box<SignedAuthorization>),
    /// A payment that only its chain reads.
    Opaque(PaymentKey),
}

impl Signed {
    /// What a payload says, and its own members as they came.
    pub(super) fn parse(
        payload: &Map<String, Value>,
        choice: &Choice,
    ) -> Result<(Self, Map<String, Value>), Code> {
        match choice.terms.token {
            Some(_) => {
                let signed = exact::read(payload)?;
                Ok((Self::Token(Box::new(signed)), exact::own(payload)))
            }
            None => {
                let payment = opaque::read(&choice.terms.network, payload)?;
                Ok((Self::Opaque(payment.key), payment.payload))
            }
        }
    }
}

/// Whether an authorization leaves the time to serve and settle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eligibility {
    /// It does.
    Fresh,
    /// It does not: only what the ledger knows of it can be told.
    Expired,
    /// Its payer may not pay: the same.
    Denied,
    /// It pays other terms than there are by now, which is what this code says: the same.
    TermsChanged(Code),
    /// Nothing is sold there any more: the same.
    Withdrawn,
    /// Nobody says what the price is: the same.
    PriceUnknown,
    /// Nothing is asked by now: the same, and what is not known passes.
    NowFree,
}

/// What a receipt and the last check have to know of the challenge that was answered.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its id.
    pub id: String,
    /// The EVM chain.
    pub chain_id: u64,
    /// Its reference.
    pub external_id: String,
    /// The digest of the body that it was issued for, as it was written.
    pub digest: Option<String>,
    /// When it ends; nothing where that cannot be read.
    pub expires: Option<UnixTime>,
}

impl Answered {
    pub(super) fn of(challenge: &Challenge, token: &SignedToken, reference: &str) -> Self {
        Self {
            id: challenge.id.clone(),
            chain_id: token.chain_id,
            external_id: reference.to_owned(),
            digest: challenge.digest.clone(),
            expires: challenge.expires_at().ok().flatten(),
        }
    }
}
