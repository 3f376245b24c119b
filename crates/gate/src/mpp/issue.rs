//! The challenges that a 402 carries.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::reference;
use crate::offer::{Choice, Offer, SignedChoice};
use crate::pricer::question;
use crate::template::{ChallengeRequest, MppTemplate};
use farebox_base::encoding::base64;
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::SignedToken;
use farebox_evm::address::Address;
use farebox_wire::mpp::charge::{AUTHORIZATION, HASH, INTENT, METHOD, TRANSACTION};
use farebox_wire::mpp::{Challenge, PAYMENT_AUTHORIZATION, accept, charge, digest, id, session};

/// Challenges of one 402.
#[derive(Clone, Debug)]
pub struct Issued {
    /// Id of the first one.
    pub id: String,
    /// The value of `WWW-Authenticate`.
    pub header: String,
}

/// The MPP challenges for this request: one, for the first chain, because some payers cannot read a
/// list; one for each chain if `Accept-Payment` names method and intent. `None` if the route does
/// not accept MPP.
#[must_use]
pub fn challenges(offer: &Offer, asked: &ChallengeRequest<'_>) -> Option<Issued> {
    if !offer.settings.protocols.mpp {
        return None;
    }
    let max = if reads_lists(asked.head) { usize::MAX } else { 1 };
    let signed =
        offer.choices.iter().filter_map(|choice| Some((choice, choice.terms.authorized()?)));
    let mut issued: Vec<Issued> = signed
        .filter_map(|(choice, token)| challenge(offer, choice, &token, asked))
        .take(max)
        .collect();
    // Payers that read a list as one challenge see the last one, with the id of the first: the gate
    // takes that for a session, and no other.
    if offer.channel.is_some() {
        let [charge, session] = [INTENT, session::INTENT].map(|intent| weight(asked.head, intent));
        let wants = session.is_some_and(|weight| weight > 0);
        if wants && !reads_lists(asked.head) || charge == Some(0) && session != Some(0) {
            issued.clear();
        }
        if wants || !reads_lists(asked.head) && session != Some(0) {
            let place = if session > charge { 0 } else { issued.len() };
            issued.splice(place..place, by_channel(offer, asked));
        }
    }
    let header = issued.iter().map(|one| one.header.as_str()).collect::<Vec<_>>().join(", ");
    issued.into_iter().next().map(|first| Issued { header, ..first })
}

/// Whether the client names this method and intent in `Accept-Payment`, as payers that read lists
/// do.
fn reads_lists(head: &RequestHead) -> bool {
    weight(head, INTENT).is_some_and(|weight| weight > 0)
}

/// How much the client prefers this intent, in thousandths, if it names it; 0 is a refusal. Spec:
/// Payment Authentication, "Accept-Payment".
fn weight(head: &RequestHead, intent: &str) -> Option<u16> {
    accept::named(head.headers.joined(accept::HEADER).as_deref(), METHOD, intent)
}

/// A challenge without its id and its request.
fn bare(offer: &Offer, choice: &Choice, asked: &ChallengeRequest<'_>) -> Challenge {
    Challenge {
        id: String::new(),
        realm: asked.head.host().to_owned(),
        method: METHOD.to_owned(),
        intent: INTENT.to_owned(),
        request: String::new(),
        expires: Some(asked.now.plus(choice.terms.max_timeout_secs).rfc3339()),
        digest: asked.digest.filter(|_| offer.settings.binds_body).map(digest::of_sha256),
        description: Some(offer.settings.description.clone()).filter(|text| !text.is_empty()),
        opaque: None,
        header: other_field(asked.head).map(ToOwned::to_owned),
    }
}

fn challenge(
    offer: &Offer,
    choice: &Choice,
    token: &SignedToken,
    asked: &ChallengeRequest<'_>,
) -> Option<Issued> {
    let question = quote_end(choice).map(|end| (end, question(asked.head)));
    let quoted = question.as_ref().map(|(end, question)| (*end, question.as_str()));
    let mut challenge = bare(offer, choice, asked);
    challenge.request = request(offer, token, &reference::of(asked.head, asked.now, quoted))?;
    // It refuses a realm that no header can carry; every other member is the gate's own.
    challenge.id = id::id(asked.key, &challenge).ok()?;
    Some(Issued { header: challenge.written(), id: challenge.id })
}

/// The challenge of a session, with the same reference.
fn by_channel(offer: &Offer, asked: &ChallengeRequest<'_>) -> Option<Issued> {
    let (choice, sold) = offer.by_channel()?;
    let mut challenge = bare(offer, choice, asked);
    session::INTENT.clone_into(&mut challenge.intent);
    challenge.digest = None;
    challenge.request = sold.request(&reference::of(asked.head, asked.now, None));
    challenge.id = id::id(asked.key, &challenge).ok()?;
    Some(Issued { header: challenge.written(), id: challenge.id })
}

/// A challenge that is issued again and again for the same request, written except for its
/// reference and its expiry.
#[derive(Clone, Debug)]
pub struct StandingChallenge {
    /// The canonical JSON of the terms around the reference.
    request: [String; 2],
    /// Hash of the method and the target.
    asked: [u8; 32],
    /// Seconds for which a challenge holds.
    secs: u64,
    /// The bound texts before the request.
    bound: id::Bound,
    /// The header field around id, request and expiry.
    header: [String; 4],
}

impl StandingChallenge {
    /// Takes the one challenge that this request is answered with; `None` if there is none, or if
    /// it depends on more than the URL.
    #[must_use]
    pub fn of(offer: &Offer, asked: &ChallengeRequest<'_>) -> Option<Self> {
        if !offer.settings.protocols.mpp {
            return None;
        }
        let (choice, token) =
            offer.choices.iter().find_map(|choice| Some((choice, choice.terms.authorized()?)))?;
        if quote_end(choice).is_some() {
            return None;
        }
        let mut marked = bare(offer, choice, asked);
        (marked.id, marked.request) = (ID_MARK.to_owned(), REQUEST_MARK.to_owned());
        marked.expires = Some(EXPIRES_MARK.to_owned());
        let text = marked.written();
        let (before, rest) = text.split_once(ID_MARK)?;
        let (between, rest) = rest.split_once(REQUEST_MARK)?;
        let (middle, after) = rest.split_once(EXPIRES_MARK)?;
        let written = offer.requests().iter().find(|request| request.token == token)?;
        Some(Self {
            request: written.isolate.clone(),
            asked: reference::asked(asked.head),
            secs: choice.terms.max_timeout_secs,
            bound: id::Bound::of(asked.key, [&marked.realm, METHOD, INTENT]).ok()?,
            header: [before, between, middle, after].map(ToOwned::to_owned),
        })
    }

    /// Issues it: its id, and the value of `WWW-Authenticate`, the same as [`challenges`] would for
    /// a request with this random name.
    #[must_use]
    pub fn issue(&self, fresh: &str, now: UnixTime) -> Issued {
        let reference = reference::naming(fresh, &self.asked, now);
        let [before, after] = &self.request;
        let request = base64::encode_url([before, reference.as_str(), after].concat().as_bytes());
        let expires = now.plus(self.secs).rfc3339();
        let id = self.bound.id(&request, &expires);
        let [first, second, third, last] = &self.header;
        let header = [first, id.as_str(), second, &request, third, &expires, last].concat();
        Issued { id, header }
    }
}

/// Stand for what differs; they come before any text of the operator's.
const ID_MARK: &str = "<the id>";
const REQUEST_MARK: &str = "<the request>";
const EXPIRES_MARK: &str = "<the expiry>";

impl MppTemplate {
    /// Writes the template; `None` if the choice takes no signature.
    #[must_use]
    pub fn of(offer: &Offer, choice: &Choice) -> Option<Self> {
        let token = choice.terms.authorized()?;
        let kinds = [
            (AUTHORIZATION, true),
            (TRANSACTION, offer.settings.signed_transactions),
            (HASH, offer.settings.hash_mode),
        ];
        let kinds = kinds.into_iter().filter(|(_, taken)| *taken);
        let request = charge::Request {
            amount: choice.terms.amount,
            currency: token.asset,
            recipient: token.pay_to,
            chain_id: token.chain_id,
            decimals: Some(choice.asset_label.decimals),
            credential_types: Some(kinds.map(|(kind, _)| kind.to_owned()).collect()),
            // OKX's payers send a transaction themselves if the gate does not pay for it.
            fee_payer: Some(!offer.settings.hash_mode),
            has_splits: false,
            external_id: Some(String::new()),
            description: None,
        };
        let text = request.to_text();
        // Amount and currency come before it, and no text of the operator's.
        let (before, after) = text.split_once(r#""externalId":"""#)?;
        let before = [before, r#""externalId":""#].concat();
        Some(Self { token, isolate: [before, ["\"", after].concat()] })
    }
}

/// The `request` of a challenge with this reference, base64url.
#[must_use]
pub fn request(offer: &Offer, token: &SignedToken, reference: &str) -> Option<String> {
    let mut written = offer.requests().iter();
    let [before, after] = &written.find(|request| request.token == *token)?.isolate;
    Some(base64::encode_url([before.as_str(), reference, after].concat().as_bytes()))
}

/// End of a price that a pricer has named; `None` for a configured price.
fn quote_end(choice: &Choice) -> Option<u64> {
    let quote = choice.terms.extra.get("quote").and_then(Value::as_str)?;
    quote.split_once('.')?.0.parse().ok()
}

/// The field for the credential if `Authorization` carries another one.
fn other_field(head: &RequestHead) -> Option<&'static str> {
    let taken =
        head.headers.rows("authorization").any(|row| !crate::forward::others(row).is_empty());
    taken.then_some(PAYMENT_AUTHORIZATION)
}

/// The choice with this token on this chain.
#[must_use]
pub fn choice_for(offer: &Offer, chain_id: u64, currency: Address) -> Option<SignedChoice<'_>> {
    let signed = |choice| Some(SignedChoice { choice, token: choice.terms.authorized()? });
    let is_it = |it: &SignedChoice<'_>| it.token.chain_id == chain_id && it.token.asset == currency;
    offer.choices.iter().filter_map(signed).find(is_it)
}
