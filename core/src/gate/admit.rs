//! Who may speak here: which route is asked for, which proof came with it, and whether it holds by itself.

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::Gate;
use super::attempts::{Attempts, Seen, Spot};
use super::diagnose::{Finding, Limits, cause_of};
use super::forward::is_payment_credential;
use super::limit::client_prefix;
use super::offer::{Choice, Offer};
use super::passage::{Arrival, Passage, Payer, Step};
use super::path::Target;
use super::quoting::unpriced;
use super::redelivery::{self, Statement};
use super::reply::{Audience, Reply};
use super::route::Found;
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::facilitator::breaker::Condition;
use crate::facilitator::wire::{self, Expected};
use crate::http::{Headers, MAX_PAID_TARGET_BYTES, RequestHead, target_of};
use crate::ledger::attempts::Blame;
use crate::payment::{Cause, PaymentKey, Proof};
use crate::problem::Code;
use crate::time::UnixTime;
use crate::x402::exact::{Payload, Room, Vouched};
use crate::x402::{Version, header, opaque, v1, v2};

/// Shortest `Idempotency-Key` that is a secret, characters.
const MIN_IDEMPOTENCY_KEY: usize = 22;
/// Longest `Idempotency-Key`, characters.
const MAX_IDEMPOTENCY_KEY: usize = 128;

/// What the isolate knows beside a request, and learns from it.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// How the facilitators do, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// Who failed how often.
    pub attempts: &'a mut Attempts,
    /// Where the client is counted, if it is: what becomes of its payment is counted there too.
    pub client: Option<Spot>,
}

/// Whether a request shows something that may be a payment, so that its work must outlive the client.
#[must_use]
pub fn shows_proof(headers: &Headers) -> bool {
    [Version::V1, Version::V2].iter().any(|v| headers.joined(v.proof_header()).is_some())
}

/// The client's correlation id if it is well formed, else `fresh`.
#[must_use]
pub fn correlation_id<'a>(headers: &'a Headers, fresh: &'a str) -> &'a str {
    let good = |id: &&str| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    };
    headers.get("x-correlation-id").filter(good).unwrap_or(fresh)
}

impl Gate {
    /// Decides about one request: forward it, answer it, or begin the passage of its payment.
    ///
    /// `fresh` is a new correlation id; under [`Strain::Strained`] every route settles before its origin is asked.
    pub fn admit(
        &self,
        head: RequestHead,
        fresh: &str,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'_> {
        let correlation = correlation_id(&head.headers, fresh).to_owned();
        // `fetch` cannot forward them, and nothing serves them.
        if matches!(head.method.as_str(), "TRACE" | "TRACK" | "CONNECT") {
            return refuse(Code::MethodNotAllowed, Audience::Other, &correlation);
        }
        if self.has_let_through(&head.headers) {
            return refuse(Code::LoopDetected, Audience::Other, &correlation);
        }
        let Ok(target) = Target::from_url(&head.url) else {
            return refuse(Code::AmbiguousTarget, Audience::Other, &correlation);
        };
        match self.table.find(&head.method, &target) {
            Found::Route(index) => match self.offers.get(index).and_then(Option::as_ref) {
                Some(offer) => self.priced((index, offer), head, correlation, around, now),
                None => self.free(&head, &correlation, now),
            },
            Found::Unlisted => self.free(&head, &correlation, now),
            Found::Denied => refuse(Code::NotFound, Audience::Other, &correlation),
            Found::Ambiguous => refuse(Code::AmbiguousTarget, Audience::Paid, &correlation),
            Found::Options { allow } => {
                Step::Respond(Reply::options(&allow.join(", "), &correlation))
            }
            Found::MethodNotAllowed { allow } => Step::Respond(
                Reply::problem(Code::MethodNotAllowed, Audience::Paid, &correlation, None)
                    .with("allow", &allow.join(", ")),
            ),
        }
    }

    fn priced<'g>(
        &'g self,
        (route, offer): (usize, &'g Offer),
        head: RequestHead,
        correlation: String,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        if head.headers.filled("upgrade").is_some() {
            return refuse(Code::UpgradeNotSupported, Audience::Paid, &correlation);
        }
        if head.target().len() > MAX_PAID_TARGET_BYTES {
            return refuse(Code::TargetTooLong, Audience::Paid, &correlation);
        }
        if offer.takes_keys
            && let Some(name) = self.clients.holder(&head.headers)
        {
            return self.by_key(offer, &head, name, correlation, now);
        }
        around.client = offer.diagnostics.map(|_| self.spot(offer, &head, around, now));
        if let Some(pricer) = &offer.pricer {
            return self.quoted((route, offer, pricer), head, correlation, around, now);
        }
        if !shows_proof(&head.headers)
            && let Some((call, spending)) =
                self.spend(route, offer, &head, &correlation, around, now)
        {
            return Step::Spend(call, spending);
        }
        let offer = Cow::Borrowed(offer);
        self.pay((offer.clone(), offer), None, head, correlation, around, now)
    }

    /// Judges what a request brings by the second offer, and shows the first one to who may sign again; `instead` is what
    /// the price makes of its arrival.
    pub(super) fn pay<'g>(
        &'g self,
        (offer, judged): (Cow<'g, Offer>, Cow<'g, Offer>),
        instead: Option<Arrival>,
        head: RequestHead,
        correlation: String,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        let brought = match judged {
            Cow::Borrowed(judged) => self.proof(judged, &head, now),
            Cow::Owned(judged) => {
                self.proof(&judged, &head, now).map(|found| found.map(Brought::into_owned))
            }
        };
        let terms = [Code::TermsMismatch, Code::AmountMismatch, Code::RecipientMismatch];
        let (brought, instead) = match (brought, instead) {
            // Not for today's terms: it may be one that the ledger knows.
            (Err(code), None) if terms.contains(&code) => match self.former(&offer, &head, now) {
                Some(found) => (Ok(Some(found)), Some(Arrival::Repriced(code))),
                None => (Err(code), None),
            },
            other => other,
        };
        let brought = match (brought, instead) {
            (Ok(Some(found)), _) => found,
            (Ok(None), _) => {
                let code = Code::PaymentRequired;
                return self.refused(&offer, &head, code, &correlation, around, now);
            }
            // There are no terms to put up.
            (Err(code), Some(Arrival::Unpriced)) if code.row().reason.is_some() => {
                return unpriced(&offer, &correlation);
            }
            (Err(code), Some(Arrival::Waived)) if code.row().reason.is_some() => {
                return self.waived(&offer, &head, correlation, now);
            }
            (Err(code), _) => return self.refused(&offer, &head, code, &correlation, around, now),
        };
        let Brought { version, choice, proof, arrival, vouched } = brought;
        let seen = around.client.as_ref().and_then(|spot| match vouched {
            Vouched::Yes => around.attempts.proved(spot),
            Vouched::NotYet => around.attempts.known(spot),
        });
        let network = match version {
            Version::V1 => choice.terms.network.v1_name().unwrap_or_default().to_owned(),
            Version::V2 => choice.terms.network.to_string(),
        };
        let expected = Expected { payer: proof.payer, network, amount: choice.terms.amount };
        // A statement that proves nothing is as good as none: the ledger says what that leaves.
        let statement = head.headers.joined(redelivery::HEADER);
        let wallet = statement.and_then(|value| Statement::parse(&value).ok()).is_some_and(|it| {
            let (chain_id, method) = (choice.chain_id(), &head.method);
            let proves = |payer| it.proves(&proof.key, payer, chain_id, method, &head.url, now);
            proof.payer.as_ref().is_some_and(|payer| proves(payer).is_ok())
        });
        let denied = self.clients.denies(&proof.account());
        let arrival = if denied { Arrival::Denied } else { instead.unwrap_or(arrival) };
        let facilitators = core::mem::take(&mut around.facilitators);
        let payer =
            Payer { version, proof, expected, arrival, vouched, wallet, facilitators, seen };
        Passage::begin(self, (offer, choice), head, payer, correlation, now)
    }

    /// The fewest failures in a row of those who could settle for this route.
    fn troubles(offer: &Offer, facilitators: &[Condition]) -> u64 {
        let places = offer.choices.iter().flat_map(|choice| &choice.facilitators);
        let troubles = places.filter_map(|place| facilitators.get(*place));
        troubles.map(|condition| condition.troubles).min().unwrap_or(0)
    }

    /// A refusal of a priced route to somebody who proves nothing: with fresh terms where he may sign again.
    pub(super) fn refused<'g>(
        &self,
        offer: &Offer,
        head: &RequestHead,
        code: Code,
        correlation: &str,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Step<'g> {
        // While a restore is not over, what ends too early does so because of us.
        let closed = self.closed_before.is_some_and(|closed| now < closed);
        let cause = match cause_of(code) {
            Cause::Expired if closed => Cause::Trouble,
            cause => cause,
        };
        let nothing = matches!(cause, Cause::Unpaid | Cause::Trouble);
        let reason = if nothing { "" } else { code.name() };
        let blame = Blame { cause, reason: reason.to_string() };
        let claims = if nothing { None } else { claimed(head) };
        let tally = around
            .client
            .as_ref()
            .filter(|_| cause != Cause::Trouble)
            .map(|spot| around.attempts.failed(spot, &blame, claims, now));
        let Some(reason) = code.row().reason else {
            return refuse(code, Audience::Paid, correlation);
        };
        let finding = Finding {
            blame: &blame,
            tally: tally.as_ref(),
            troubles: Self::troubles(offer, &around.facilitators),
            correlation,
        };
        let diagnosis = offer.diagnostics.and_then(|limits| limits.diagnose(finding, now));
        Step::Respond(offer.challenge(head, code, reason, correlation, diagnosis.as_ref()))
    }

    /// Where this client is counted.
    pub(super) fn spot(
        &self,
        offer: &Offer,
        head: &RequestHead,
        around: &mut Surroundings<'_>,
        now: UnixTime,
    ) -> Spot {
        let exceeded_after = offer.diagnostics.unwrap_or(Limits::DEFAULT).exceeded_after;
        let network = client_prefix(head.headers.get("cf-connecting-ip"));
        let (route, route_hash) = (&offer.counted_as.0, offer.counted_as.1);
        let seen = Seen { network: &network, route, route_hash, exceeded_after };
        around.attempts.spot(&self.keys, seen, now)
    }

    /// The one proof of a request, after every check that needs no network.
    pub(super) fn proof<'g>(
        &self,
        offer: &'g Offer,
        head: &RequestHead,
        now: UnixTime,
    ) -> Result<Option<Brought<'g>>, Code> {
        let headers = &head.headers;
        let (one, two) = (
            headers.joined(Version::V1.proof_header()),
            headers.joined(Version::V2.proof_header()),
        );
        let credential =
            headers.rows("authorization").any(|value| value.split(',').any(is_payment_credential))
                || headers.joined("payment-authorization").is_some();
        let (version, value) = match (&one, &two) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Code::AmbiguousPayment),
            _ if credential => return Err(Code::AmbiguousPayment),
            (Some(value), None) => (Version::V1, value),
            (None, Some(value)) => (Version::V2, value),
        };
        let message = header::decode(value)?;
        let (choice, signed, identifier) = match version {
            Version::V1 => {
                let (network, payload) = v1::read(&message)?;
                let on = |choice: &&Choice| choice.terms.network.v1_name() == Some(network);
                let choice = offer.choices.iter().find(on).ok_or(Code::TermsMismatch)?;
                (choice, Signed::parse(payload, choice)?, None)
            }
            Version::V2 => {
                let payment = v2::PaymentPayload::read(&message)?;
                let on = |choice: &&Choice| choice.terms.network.as_str() == payment.network;
                let choice = offer.choices.iter().find(on).or(offer.choices.first());
                let choice = choice.ok_or(Code::Internal)?;
                let signed = Signed::parse(payment.payload, choice)?;
                if !choice.requirements.accepted_as(payment.accepted) {
                    return Err(Code::TermsMismatch);
                }
                if payment.resource_url.is_some_and(|url| !names_target(url, head.target())) {
                    return Err(Code::ResourceMismatch);
                }
                (choice, signed, payment.identifier)
            }
        };
        let (arrival, vouched, valid_before) = self.arrival(&signed, (offer, choice), now)?;
        let key_header = headers
            .get("idempotency-key")
            .filter(|key| (MIN_IDEMPOTENCY_KEY..=MAX_IDEMPOTENCY_KEY).contains(&key.len()));
        let identifier = identifier.or(key_header.map(ToOwned::to_owned));
        let request = match version {
            Version::V1 => {
                let ours = offer.version_1(choice, &head.url).ok_or(Code::TermsMismatch)?;
                wire::request(version, &message.text, &ours)
            }
            Version::V2 => wire::request(version, &message.text, &choice.requirements),
        };
        let (key, payer) = match (&signed, &choice.terms.token) {
            (Signed::Token(payload), Some(token)) => {
                (payload.key(token), Some(payload.authorization().from))
            }
            (Signed::Opaque(key), _) => (*key, None),
            (Signed::Token(_), None) => return Err(Code::Internal),
        };
        let proof = Proof { key, payer, valid_before, identifier, request };
        Ok(Some(Brought { version, choice: Cow::Borrowed(choice), proof, arrival, vouched }))
    }

    /// Every check of the scheme, and when the payment ends. Too late an authorization that is right otherwise may be
    /// one that the ledger knows: its row says what became of it, and fresh terms only when there is none.
    fn arrival(
        &self,
        signed: &Signed,
        (offer, choice): (&Offer, &Choice),
        now: UnixTime,
    ) -> Result<(Arrival, Vouched, UnixTime), Code> {
        let payload = match signed {
            Signed::Token(payload) => payload,
            // Nothing here says when the chain stops taking it: it counts for as long as it was asked to be good.
            Signed::Opaque(_) => {
                let end = now.plus(choice.terms.max_timeout_secs);
                return Ok((Arrival::InTime, Vouched::NotYet, end));
            }
        };
        let valid_before = payload.authorization().valid_before;
        let check = |now, room| payload.check(&choice.terms, self.wallets.as_ref(), now, room);
        if self.closed_before.is_some_and(|closed| valid_before < closed) {
            check(now, offer.room)?;
            return Err(Code::Expired);
        }
        let (arrival, vouched) = match check(now, offer.room) {
            Ok(vouched) => (Arrival::InTime, vouched),
            Err(Code::Expired) => {
                let any = Room { least_secs: 0, most_secs: offer.room.most_secs };
                let vouched = check(valid_before.min(now), any).map_err(|_| Code::Expired)?;
                (Arrival::Late, vouched)
            }
            Err(code) => return Err(code),
        };
        Ok((arrival, vouched, valid_before))
    }
}

/// What a request brought to pay with.
pub(super) struct Brought<'g> {
    version: Version,
    choice: Cow<'g, Choice>,
    proof: Proof,
    arrival: Arrival,
    pub(super) vouched: Vouched,
}

impl Brought<'_> {
    pub(super) fn into_owned<'g>(self) -> Brought<'g> {
        Brought { choice: Cow::Owned(self.choice.into_owned()), ..self }
    }
}

/// What was signed.
enum Signed {
    /// An authorization that is read here.
    Token(Box<Payload>),
    /// A payment that only its chain reads.
    Opaque(PaymentKey),
}

impl Signed {
    fn parse(payload: &Map<String, Value>, choice: &Choice) -> Result<Self, Code> {
        match choice.terms.token {
            Some(_) => Payload::parse(payload).map(|payload| Self::Token(Box::new(payload))),
            None => opaque::key(&choice.terms.network, payload).map(Self::Opaque),
        }
    }
}

/// Whether `resource.url` names the path and query of this request; its host is not compared.
fn names_target(url: &str, target: &str) -> bool {
    let named = if url.starts_with('/') { Some(url) } else { target_of(url) };
    match named {
        Some(named) if named.is_ascii() => named == target,
        Some(named) => in_ascii(named) == target,
        // An absolute URL without a path names the root.
        None => target == "/" && url.contains("://") && !url.contains('?'),
    }
}

/// The target as the platform writes it: bytes beyond ASCII percent-encoded. Spec: URL standard, path state.
fn in_ascii(target: &str) -> String {
    let mut text = String::new();
    for byte in target.bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            text.push('%');
            text.push_str(&hex::encode(&[byte]).to_ascii_uppercase());
        }
    }
    text
}

/// Whom a payment that proves nothing names as its payer.
fn claimed(head: &RequestHead) -> Option<String> {
    let value = [Version::V1, Version::V2]
        .iter()
        .find_map(|version| head.headers.joined(version.proof_header()))?;
    let message = header::decode(&value).ok()?;
    let named = message.object.get("payload")?.get("authorization")?.get("from")?.as_str()?;
    Some(Address::parse(named).ok()?.to_lower_hex())
}

fn refuse<'g>(code: Code, audience: Audience, correlation: &str) -> Step<'g> {
    Step::Respond(Reply::problem(code, audience, correlation, None))
}
