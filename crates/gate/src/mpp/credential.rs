//! Checks a credential: every check that needs no network, in the order of the reference.
//!
//! Spec: Payment authentication scheme, "Server verification"; charge intent, method `evm`.

pub(crate) mod old_terms;

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::issue::{choice_for, request};
use super::reference;
use crate::checked::{
    Answered, CheckedPayment, Eligibility, JudgedSignature, Protocol, Signed, SoldTerms, Standard,
};
use crate::keys::Keys;
use crate::offer::{Choice, Offer, SignedChoice};
use crate::onchain::{ChallengeTimes, OnChainProof, ShownOnChain};
use crate::parts::{Chains, PayerRules};
use crate::pricer::question;
use crate::restore::NO_DATE;
use farebox_base::amount::Amount;
use farebox_base::encoding::{self, hex};
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::{SignatureCheck, SignedAuthorization};
use farebox_common::payment::{PaymentKey, Proof};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_wire::facilitator::wire;
use farebox_wire::mpp::charge::{self, Framing, Payload, Request};
use farebox_wire::mpp::charge::{INTENT, METHOD};
use farebox_wire::mpp::id;
use farebox_wire::mpp::source::Source;
use farebox_wire::mpp::{Challenge, Credential};
use farebox_wire::x402::Version;

/// A challenge of this gate for this request, and the proof sent in answer.
struct AnsweredChallenge<'c> {
    credential: &'c Credential,
    request: Request,
    reference: String,
}

/// The check of a credential, once its challenge was found.
#[derive(Clone, Copy)]
struct CredentialCheck<'c> {
    credential: &'c Credential,
    /// The reference of its challenge.
    reference: &'c str,
    /// The end of its challenge.
    expires: UnixTime,
    standard: Standard,
}

/// An authorization that is signed in answer to a challenge.
struct SignedAnswer<'c> {
    challenge: &'c Challenge,
    /// The reference of the challenge.
    reference: &'c str,
    signed: SignedAuthorization,
}

/// A challenge of this gate as the terms of a payment.
pub(crate) struct ChallengeTerms<'g> {
    pub choice: &'g Choice,
    pub amount: Amount,
    pub payee: Address,
    /// The end of the price, Unix seconds; zero if it was named for another question.
    pub end: u64,
}

/// Checks of credentials.
#[derive(Clone, Copy)]
pub(crate) struct Credentials<'g> {
    pub keys: &'g Keys,
    pub payers: &'g PayerRules,
    pub chains: &'g Chains,
}

impl Credentials<'_> {
    /// Finds the challenge that a credential answers; the terms of the challenge are not checked.
    ///
    /// # Errors [`Code::InvalidChallenge`].
    fn find_challenge<'c>(
        &self,
        head: &RequestHead,
        credential: &'c Credential,
    ) -> Result<AnsweredChallenge<'c>, Code> {
        let challenge = &credential.challenge;
        let keys: Vec<&[u8]> = self.keys.challenges().collect();
        let ours =
            challenge.method == METHOD && challenge.intent == INTENT && id::holds(&keys, challenge);
        let bad = Code::InvalidChallenge;
        if !ours {
            return Err(bad);
        }
        // Money may have moved for another request: the payment has to be shown there, and no new
        // one is asked for here.
        let is_sent = matches!(Payload::read(&credential.payload), Ok(Payload::Hash(_)));
        let elsewhere = if is_sent { Code::PaymentAlreadyUsed } else { bad };
        if challenge.realm != head.host() {
            return Err(elsewhere);
        }
        let object = challenge.request_object().map_err(|_| bad)?;
        let request = Request::read(&object).map_err(|_| bad)?;
        let reference = request.external_id.clone().ok_or(bad)?;
        let is_asked = is_sent && !reference::is_about(&reference, &question(head));
        if !reference::is_for(&reference, head) || is_asked {
            return Err(elsewhere);
        }
        Ok(AnsweredChallenge { credential, request, reference })
    }

    /// The terms that a credential pays under a challenge of this gate for this request.
    pub fn read_terms<'g>(
        &self,
        offer: &'g Offer,
        head: &RequestHead,
        question: &str,
        credential: &Credential,
    ) -> Option<ChallengeTerms<'g>> {
        let AnsweredChallenge { request, reference, .. } =
            self.find_challenge(head, credential).ok()?;
        let choice = choice_for(offer, request.chain_id, request.currency)?.choice;
        let end = reference::quote_end(&reference, question).unwrap_or(0);
        Some(ChallengeTerms { choice, amount: request.amount, payee: request.recipient, end })
    }

    /// Checks the payment of a credential.
    ///
    /// # Errors The first check that fails.
    pub fn check<'g>(
        &self,
        offer: &'g Offer,
        head: &RequestHead,
        credential: &Credential,
        now: UnixTime,
    ) -> Result<CheckedPayment<'g>, Code> {
        let AnsweredChallenge { credential, request: asked, reference } =
            self.find_challenge(head, credential)?;
        let challenge = &credential.challenge;
        if !offer.settings.protocols.mpp {
            return Err(Code::InvalidChallenge);
        }
        let sold = choice_for(offer, asked.chain_id, asked.currency).ok_or(Code::TermsMismatch)?;
        if request(offer, &sold.token, &reference).as_ref() != Some(&challenge.request) {
            return Err(Code::TermsMismatch);
        }
        let bad = Code::InvalidChallenge;
        let expires = challenge.expires_at().map_err(|_| bad)?.ok_or(bad)?;
        let over = expires <= now;
        let reference = reference.as_str();
        let check = CredentialCheck { credential, reference, expires, standard: Standard::Today };
        match self.judge(offer, sold, check, now) {
            // Bytes that the route does not accept may be ones that it accepted before.
            Ok(checked)
                if checked.proof.is_signed_transaction() && !offer.settings.signed_transactions =>
            {
                Ok(CheckedPayment {
                    eligibility: Eligibility::TermsChanged(Code::InvalidPayload),
                    ..checked
                })
            }
            // Whatever else is wrong with it, it comes too late.
            Err(code) if over && code.row().reason.is_some() => Err(Code::ChallengeExpired),
            Ok(checked) if over => Ok(CheckedPayment {
                eligibility: Eligibility::TermsChanged(Code::ChallengeExpired),
                ..checked
            }),
            judged => judged,
        }
    }

    /// Reads the payment in answer to a challenge with the terms of the choice.
    fn judge<'g>(
        &self,
        offer: &Offer,
        sold: SignedChoice<'g>,
        check: CredentialCheck<'_>,
        now: UnixTime,
    ) -> Result<CheckedPayment<'g>, Code> {
        let CredentialCheck { credential, reference, standard, .. } = check;
        let chain_id = sold.token.chain_id;
        let challenge = &credential.challenge;
        let source = || credential.source.as_deref().map(Source::parse);
        let signed = match Payload::read(&credential.payload).map_err(|_| Code::InvalidPayload)? {
            Payload::Authorization(signed) => {
                let nonce = &signed.authorization().nonce;
                Framing::of(nonce, &challenge.id, &challenge.realm).ok_or(Code::NonceMismatch)?;
                signed
            }
            Payload::Okx(signed) => signed,
            Payload::Transaction(bytes) => {
                if source().is_some_and(|named| named.is_none()) {
                    return Err(Code::SourceMismatch);
                }
                let shown = OnChainProof::Transaction(&bytes);
                return self.check_on_chain(sold, check, shown, source().flatten(), now);
            }
            // The challenge's offer counts, whatever the route accepts by now.
            Payload::Hash(_) if !names_hash(challenge) => return Err(Code::InvalidPayload),
            Payload::Hash(hash) => {
                // If it does not name its sender, the chain does.
                let is_account = |it: &Source| it.chain_id == chain_id && !it.address.is_low();
                let payer = source().flatten().filter(is_account);
                let shown = OnChainProof::Hash(&hash, payer.map(|it| it.address));
                return self.check_on_chain(sold, check, shown, payer, now);
            }
        };
        let payer = Source { chain_id, address: signed.authorization().from };
        let named = source();
        if named.is_some_and(|named| named != Some(payer)) {
            return Err(Code::SourceMismatch);
        }
        self.check_signed(offer, sold, SignedAnswer { challenge, reference, signed }, standard, now)
    }

    /// An authorization in answer to this challenge.
    fn check_signed<'g>(
        &self,
        offer: &Offer,
        sold: SignedChoice<'g>,
        answer: SignedAnswer<'_>,
        standard: Standard,
        now: UnixTime,
    ) -> Result<CheckedPayment<'g>, Code> {
        let (SignedChoice { choice, token }, SignedAnswer { challenge, reference, signed }) =
            (sold, answer);
        let payload = payload_of(&signed);
        let (key, payer) = (signed.key(&token), Some(signed.authorization().from));
        let framing = Framing::of(&signed.authorization().nonce, &challenge.id, &challenge.realm);
        let issued = framing.and_then(|_| reference::issued(reference)).unwrap_or(NO_DATE);
        // A payer who signs both framings of one challenge has signed one payment twice.
        let rival = framing.map(|framing| {
            let other = framing.other().challenge_hash(&challenge.id, &challenge.realm);
            let from = &signed.authorization().from;
            PaymentKey::of_authorization(token.chain_id, &token.asset, from, &other)
        });
        let signed = Signed::Token(Box::new(signed));
        let JudgedSignature { eligibility, signature, valid_before } =
            SoldTerms::of(offer, choice).judge(&signed, self.payers, standard, issued, now)?;
        let message = json!({"x402Version": 2, "accepted": encoding::json::value(&choice.requirements), "payload": payload});
        let request = wire::request(Version::V2, &message, &choice.requirements);
        let answered = Answered::of(challenge, &token, reference);
        let proof =
            Proof { key, payer, valid_before, identifier: None, request, rival, onchain: None };
        let protocol = Protocol::Mpp(Box::new(answered));
        Ok(CheckedPayment {
            protocol,
            choice: Cow::Borrowed(choice),
            proof,
            eligibility,
            signature,
        })
    }

    /// A payment that the chain itself settles, from the account that its source names, if it names
    /// one.
    fn check_on_chain<'g>(
        &self,
        sold: SignedChoice<'g>,
        check: CredentialCheck<'_>,
        proof: OnChainProof<'_>,
        source: Option<Source>,
        now: UnixTime,
    ) -> Result<CheckedPayment<'g>, Code> {
        let CredentialCheck { credential, reference, expires, standard } = check;
        let SignedChoice { choice, token } = sold;
        let challenge = &credential.challenge;
        let issued = reference::issued(reference).ok_or(Code::InvalidChallenge)?;
        let times = ChallengeTimes { issued, expires };
        let mut proof = ShownOnChain { sold, proof, times, standard }.check(
            self.chains,
            self.payers.restore,
            now,
        )?;
        let payer = proof.payer.map(|address| Source { chain_id: token.chain_id, address });
        if source.is_some() && source != payer {
            return Err(Code::SourceMismatch);
        }
        // The transaction is public, the challenge is not: a client that shows it again is the one
        // that showed it first.
        proof.identifier = Some(challenge.id.clone());
        Ok(CheckedPayment {
            protocol: Protocol::Mpp(Box::new(Answered::of(challenge, &token, reference))),
            choice: Cow::Borrowed(choice),
            proof,
            eligibility: Eligibility::Fresh,
            signature: SignatureCheck::Deferred,
        })
    }
}

/// The account that a credential names on this chain.
fn account_on(chain_id: u64, credential: &Credential) -> Option<Source> {
    let source = credential.source.as_deref().and_then(Source::parse)?;
    (source.chain_id == chain_id && !source.address.is_low()).then_some(source)
}

/// Whether a challenge offers payment by a transaction that the payer sends.
fn names_hash(challenge: &Challenge) -> bool {
    let request = challenge.request_object().ok().and_then(|object| Request::read(&object).ok());
    let types = request.and_then(|request| request.credential_types).unwrap_or_default();
    types.iter().any(|name| name == charge::HASH)
}

/// The equivalent `payload` of scheme `exact`.
fn payload_of(signed: &SignedAuthorization) -> Value {
    let authorization = signed.authorization();
    json!({
        "signature": signed.signature_hex(),
        "authorization": {
            "from": authorization.from.to_checksum(),
            "to": authorization.to.to_checksum(),
            "value": authorization.value.to_string(),
            "validAfter": authorization.valid_after.secs().to_string(),
            "validBefore": authorization.valid_before.secs().to_string(),
            "nonce": hex::encode_prefixed(&authorization.nonce),
        },
    })
}
