//! A signed payment and the judgement about it, the same for both protocols.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::String;

use serde_json::{Map, Value};

use super::offer::{Choice, Offer};
use super::parts::PayerRules;
use super::restore::NO_DATE;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::{SignatureCheck, SignedAuthorization, ValidityBounds};
use farebox_common::payment::{NEVER, PaymentKey, Proof, SignedToken, Terms, TransferMethod};
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

/// The terms of a way to pay, and the bounds on the validity of an authorization for it.
#[derive(Clone, Copy)]
pub(super) struct SoldTerms<'a> {
    terms: &'a Terms,
    room: ValidityBounds,
}

impl<'a> SoldTerms<'a> {
    pub(super) const fn of(offer: &Offer, choice: &'a Choice) -> Self {
        Self { terms: &choice.terms, room: offer.room }
    }

    /// Runs every check of the scheme and returns when the payment ends. An authorization that
    /// fails only by ending too early may be known to the ledger: its row says what became of it,
    /// and the client gets fresh terms only if there is no row. `since` is when its challenge was
    /// issued, if the payer signed that challenge.
    pub(super) fn judge(
        self,
        signed: &Signed,
        payers: &PayerRules,
        standard: Standard,
        since: UnixTime,
        now: UnixTime,
    ) -> Result<JudgedSignature, Code> {
        let Self { terms, room } = self;
        let PayerRules { wallets, restore, .. } = payers;
        let payload = match signed {
            Signed::Token(payload) => payload,
            // The gate cannot read when the chain stops accepting it: it counts for as long as the
            // terms asked for.
            Signed::Opaque(_) => {
                let end = now.plus(terms.max_timeout_secs);
                let opens = standard == Standard::Own;
                if !opens && restore.may_have_lost(NO_DATE, end) {
                    return Err(Code::Expired);
                }
                let (eligibility, signature) = (Eligibility::Fresh, SignatureCheck::Deferred);
                return Ok(JudgedSignature { eligibility, signature, valid_before: end });
            }
        };
        let valid_before = match payload.method() {
            TransferMethod::Deferred => NEVER,
            _ => payload.authorization().valid_before,
        };
        if standard == Standard::Own {
            let token = terms.token.as_ref().ok_or(Code::TermsMismatch)?;
            let signature = payload.check_signature(token, wallets.as_ref())?;
            return Ok(JudgedSignature {
                eligibility: Eligibility::Expired,
                signature,
                valid_before,
            });
        }
        let check = |now, room| payload.check(terms, wallets.as_ref(), now, room);
        // Neither the chain nor this gate has taken it before it was valid.
        let since = since.max(payload.authorization().valid_after);
        if restore.may_have_lost(since, valid_before) {
            check(now, room)?;
            return Err(Code::Expired);
        }
        let (eligibility, signature) = match check(now, room) {
            Ok(signature) => (Eligibility::Fresh, signature),
            Err(Code::Expired) => {
                let any = ValidityBounds { min_secs: 0, max_secs: room.max_secs };
                let signature = check(valid_before.min(now), any).map_err(|_| Code::Expired)?;
                (Eligibility::Expired, signature)
            }
            Err(code) => return Err(code),
        };
        Ok(JudgedSignature { eligibility, signature, valid_before })
    }
}

/// The judgement about a signed payment: whether it may begin, whether its signature holds, and
/// when it ends.
pub(super) struct JudgedSignature {
    pub(super) eligibility: Eligibility,
    pub(super) signature: SignatureCheck,
    pub(super) valid_before: UnixTime,
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

impl Eligibility {
    /// Whether it pays another payee, or in another token: it may stand on a chain for all to read,
    /// so that whoever shows it need not be its payer.
    pub(super) fn is_elsewhere(self) -> bool {
        let is_it =
            matches!(self, Self::TermsChanged(Code::RecipientMismatch | Code::TermsMismatch));
        is_it
    }
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
