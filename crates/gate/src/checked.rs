//! The result of checking a proof, the same for both protocols.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;

use serde_json::{Map, Value};

use super::offer::Choice;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::{SignatureCheck, SignedAuthorization};
use farebox_common::payment::{PaymentKey, Proof, SignedToken, TransferMethod};
use farebox_common::problem::Code;
use farebox_wire::mpp::Challenge;
use farebox_wire::x402::{Version, exact, opaque};

/// A payment that passed every local check.
pub(super) struct CheckedPayment<'g> {
    pub(super) protocol: Protocol,
    pub(super) choice: Cow<'g, Choice>,
    pub(super) proof: Proof,
    pub(super) eligibility: Eligibility,
    pub(super) signature: SignatureCheck,
}

impl CheckedPayment<'_> {
    /// Whether its signature fails for an asset that the payment itself does not name.
    pub(super) fn may_be_for_another_asset(&self) -> bool {
        matches!(self.protocol, Protocol::X402(Version::V1))
            && self.signature == SignatureCheck::Deferred
    }

    pub(super) fn into_owned<'g>(self) -> CheckedPayment<'g> {
        CheckedPayment { choice: Cow::Owned(self.choice.into_owned()), ..self }
    }
}

/// The protocol of a payment; the answer uses the same one.
#[derive(Clone, Debug)]
pub(super) enum Protocol {
    /// x402 in this version.
    X402(Version),
    /// MPP, in answer to this challenge.
    Mpp(Box<Answered>),
}

impl Protocol {
    /// The version of x402 in which a facilitator is asked.
    pub(super) const fn version(&self) -> Version {
        match self {
            Self::X402(version) => *version,
            Self::Mpp(_) => Version::V2,
        }
    }
}

/// The signed payment.
pub(super) enum Signed {
    /// An authorization that the gate can read.
    Token(Box<SignedAuthorization>),
    /// A payment that only its chain can read.
    Opaque(PaymentKey),
}

impl Signed {
    /// Reads a payload; returns it with its own members unchanged.
    pub(super) fn parse(
        payload: &Map<String, Value>,
        choice: &Choice,
    ) -> Result<(Self, Map<String, Value>), Code> {
        match choice.terms.token {
            Some(token) => {
                let signed = match token.method {
                    TransferMethod::Deferred => exact::read_deferred(payload)?,
                    _ => exact::read(payload)?,
                };
                Ok((Self::Token(Box::new(signed)), exact::own(payload)))
            }
            None => {
                let payment = opaque::read(&choice.terms.network, payload)?;
                Ok((Self::Opaque(payment.key), payment.payload))
            }
        }
    }
}

/// Whether a request may begin its payment, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eligibility {
    /// It may: the authorization leaves the time to serve and settle.
    Fresh,
    /// It ends too early: the client can only hear what the ledger knows of it.
    Expired,
    /// The payer is denied: as for `Expired`.
    Denied,
    /// It was made for terms that have changed since, as this code says: as for `Expired`.
    TermsChanged(Code),
    /// It may have been settled before the restore that is not over: as for `Expired`.
    Closed,
    /// It answers a challenge that none of the gate's secrets has signed, so that nothing it says
    /// of its terms counts: it is only looked up.
    Unsigned,
    /// Its target sells nothing any more: as for `Expired`.
    Withdrawn,
    /// The pricer gave no price: as for `Expired`.
    PriceUnknown,
    /// The request is free by now: as for `Expired`, and a payment unknown to the ledger is waived.
    NowFree,
}

/// The terms that a payment is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standard {
    /// Today's terms and settings: it may begin.
    Today,
    /// Its own terms, whatever the settings accept by now: it is only looked up.
    Own,
    /// The terms that it states, which no challenge of this gate shows: it is only looked up.
    Stated,
}

/// The parts of an answered challenge that the receipt and the last check need.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Its id.
    pub id: String,
    /// The EVM chain.
    pub chain_id: u64,
    /// Its reference.
    pub external_id: String,
    /// The digest of the body that it was issued for, as written.
    pub digest: Option<String>,
    /// Its end; `None` if that cannot be read.
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
