//! One request of a client, from the first answer to the last: the next step each time, and never a
//! second payment.
//!
//! The caller carries out each [`Next`] and reports the result. Order of calls:
//! [`Exchange::answered`] with the answer to the plain request; on [`Next::Reserve`]
//! [`Exchange::reserve`] within one exchange of the store; on [`Next::Sign`] the wallet, then
//! [`Exchange::signed`]; then requests with the headers of [`Next::Send`], each followed by
//! [`Exchange::answered`] or [`Exchange::lost`], until [`Next::Return`] or [`Next::Fail`]. In
//! between the caller may be asked to read an allowance, to choose between one payment and a session, to broadcast a
//! transaction of the payer's own, or to fetch a fresh challenge. `advice` covers the effects of a
//! server's diagnostic: it stops the exchange, or has an expired payment signed once more.
//! Assumptions:
//! - once a payment was sent it is sent again; its response is requested until it comes or time is
//!   up;
//! - all signatures share one nonce, which a contract accepts once: at most one payment can be
//!   charged. The nonce follows from the purchase (`again` has how it goes on in a later call), or
//!   is that of the answered challenge; another challenge is answered only while nothing is signed;
//! - an expired challenge is never signed;
//! - server texts only go into messages; decisions read only the stable codes.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use self::advice::Advice;
use self::payment::not_renewed;
use self::state::{Allowance, ExchangeState, Going, Renewal};
use super::allowance::AllowanceReading;
use super::budget::{Budget, Draft};
use super::challenge::{Challenge, Means, expired};
use super::endpoints::host_of;
use super::error::{ClientError, Reason};
use super::offer::{Offer, Way};
use super::policy::Policy;
use super::prepare::Prepared;
use super::purchase::{self, Earlier, Nonces};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;

mod advice;
mod again;
mod allowance;
mod payment;
mod proposal;
mod state;

/// Maximum fresh challenges to request in place of expired ones.
const MAX_FRESH: u8 = 2;
/// Seconds after which what waited for a person is counted anew before it is signed.
const RECOUNT_SECS: u64 = 60;
/// The answer to [`Next::Choose`] that pays for this request alone.
pub const ONE_SHOT: &str = "one-shot";
/// The answer to [`Next::Choose`] that opens a session.
pub const SESSION: &str = "session";

/// The caller's next step.
#[derive(Clone, Debug)]
pub enum Next {
    /// Return the answer to the caller, with the settlement if there was one.
    Return(Option<Box<Value>>),
    /// Ask whether to open a session or to pay once: [`Exchange::chose`].
    Choose,
    /// Release the reservation, if there is one, and send the plain request again: its challenge
    /// has expired.
    Afresh,
    /// Count the payment against the budget: [`Exchange::reserve`].
    Reserve,
    /// Have the payment signed once more, valid from now on and under the same nonce:
    /// [`Exchange::prepare`]. It is already counted.
    Renew,
    /// Count it anew before its first signature, because the caps are over that time: [`Exchange::recount`]
    /// within one exchange of the store, then [`Exchange::prepare`] again.
    Recount,
    /// Record the server's advice about the endpoint: [`Exchange::mark`] within one exchange of the
    /// store, then [`Exchange::marked`].
    Mark,
    /// Make both calls at a node: [`Exchange::read`].
    Read(Box<AllowanceReading>),
    /// Have the payment prepared: [`Exchange::prepare`].
    Prepare,
    /// Have this typed data signed: [`Exchange::signed`].
    Sign(Box<Value>),
    /// Have the transaction of the proposal sent: [`Exchange::broadcast`].
    Broadcast,
    /// Wait, then send the request with these headers.
    Send {
        /// Milliseconds to wait before sending.
        wait_ms: u64,
        /// Names and values.
        headers: Vec<(String, String)>,
    },
    /// Report this error.
    Fail(ClientError),
}

/// A 402 that was answered before.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredTerms<'a> {
    /// Its fields.
    pub headers: &'a Headers,
    /// Its body.
    pub body: &'a [u8],
    /// The time at which it came.
    pub at: UnixTime,
}

/// A server's answer, and when it came.
#[derive(Clone, Copy)]
struct ReceivedResponse<'a> {
    status: u16,
    headers: &'a Headers,
    body: &'a [u8],
    now: UnixTime,
}

impl ReceivedResponse<'_> {
    fn terms(&self) -> (Headers, Vec<u8>) {
        Challenge::parts(self.headers, self.body)
    }
}

/// The exchange for one request.
#[derive(Debug)]
pub struct Exchange {
    policy: Policy,
    method: String,
    url: String,
    host: String,
    /// Requested method and URL, without the query.
    endpoint: String,
    payer: Address,
    nonces: Nonces,
    /// Random bytes that no other exchange has.
    drawn: [u8; 32],
    /// The name under which the budget counts what is about to be signed, and what was.
    counted: String,
    /// When it was counted.
    counted_at: UnixTime,
    signed_as: String,
    /// Whether what has ended is paid by another token than before, once that is signed.
    is_elsewhere: bool,
    /// Whether a person is asked before anything is signed, when it goes on with an earlier call's.
    asks: bool,
    /// The answer whose terms are paid: header fields and body.
    terms: Option<(Headers, Vec<u8>)>,
    /// How it goes on with a purchase of an earlier call.
    going: Going,
    /// The slot of what has ended, by its name.
    ended_in: String,
    /// The account that signed it; the zero address if it is not known.
    ended_by: Address,
    /// The earlier authorizations with the same nonce: one of them may be charged instead.
    earlier: Vec<Earlier>,
    /// The time as of which the latest proposal was prepared.
    as_of: UnixTime,
    identifier: Option<String>,
    /// The only offer that is paid, as [`Offer::pin`](super::offer::Offer::pin).
    pin: Option<String>,
    /// Networks on which what Permit2 may move can be read.
    nodes: Vec<String>,
    /// How far that is for what is proposed.
    allowance: Allowance,
    /// Whether the caller can have a transaction sent.
    broadcasts: bool,
    /// Whether `Authorization` can carry a payment.
    authorization_is_free: bool,
    /// Whether it is decided that no session is opened.
    pays_once: bool,
    /// Number of fresh challenges requested so far.
    fresh: u8,
    state: ExchangeState,
    advice: Option<Advice>,
    /// Whether the record marks the endpoint for an expired payment; a success clears that.
    retrying: bool,
    /// The part of the signed amount that the receipt says was charged, at the decimals of caps.
    charged: Option<Amount>,
}

impl Exchange {
    /// Starts an exchange for a request to `url`, which is absolute. `endpoint` is the requested
    /// method and URL, without the query; `random` gives the nonce and the payment's identifier. For
    /// nonces that follow from a purchase: [`Exchange::for_purchase`].
    #[must_use]
    pub fn new(
        policy: Policy,
        method: &str,
        url: &str,
        endpoint: &str,
        payer: Address,
        random: [u8; 48],
    ) -> Self {
        let (nonce, id) = random.split_at(32);
        let drawn = nonce.try_into().unwrap_or([0; 32]);
        Self {
            policy,
            method: method.to_string(),
            host: host_of(url),
            url: url.to_string(),
            endpoint: endpoint.to_string(),
            payer,
            nonces: Nonces::Drawn(drawn),
            drawn,
            counted: String::new(),
            counted_at: UnixTime::from_secs(0),
            signed_as: String::new(),
            is_elsewhere: false,
            asks: false,
            terms: None,
            going: Going::Begins,
            ended_in: String::new(),
            ended_by: Address::ZERO,
            earlier: Vec::new(),
            as_of: UnixTime::from_secs(0),
            identifier: Some(format!("pay_{}", hex::encode(id))),
            pin: None,
            nodes: Vec::new(),
            allowance: Allowance::Unread,
            broadcasts: false,
            authorization_is_free: true,
            pays_once: false,
            fresh: 0,
            state: ExchangeState::Plain,
            advice: None,
            retrying: false,
            charged: None,
        }
    }

    /// Has the nonces follow from a purchase: from the one that the caller names by a key for this
    /// URL, or from one whose id is the random bytes.
    #[must_use]
    pub fn for_purchase(mut self, key: Option<(&str, &str)>) -> Self {
        let id = match key {
            Some((key, url)) => purchase::keyed(key, &self.method, url),
            None => *self.nonces.bytes(),
        };
        self.nonces = Nonces::Of(id);
        self
    }

    /// The bytes of which its nonces are made.
    #[must_use]
    pub const fn purchase(&self) -> &[u8; 32] {
        self.nonces.bytes()
    }

    /// Sends no `payment-identifier`; without it a re-send gets the response only with a wallet's
    /// signature.
    #[must_use]
    pub fn without_identifier(mut self) -> Self {
        self.identifier = None;
        self
    }

    /// Pays this offer and no other.
    #[must_use]
    pub fn with_pin(mut self, pin: &str) -> Self {
        self.pin = Some(pin.to_string());
        self
    }

    /// Names the payer, whose wallet was not asked before: the zero address stood for it. What is
    /// signed is prepared after this.
    ///
    /// # Errors
    /// [`Reason::PaymentUnresolved`] if another account has signed for this purchase and what it
    /// signed has ended: a nonce is one account's, so this one would be charged beside it. Where the
    /// policy allows that, it counts beside it.
    pub fn pays_from(&mut self, payer: Address) -> Result<(), ClientError> {
        self.go_on_from(payer)?;
        self.payer = payer;
        Ok(())
    }

    /// Also pays if the payer has to send the transaction.
    #[must_use]
    pub fn with_broadcast(mut self) -> Self {
        self.broadcasts = true;
        self
    }

    /// Leaves `Authorization` to the caller, who already uses it.
    #[must_use]
    pub fn without_authorization(mut self) -> Self {
        self.authorization_is_free = false;
        self
    }

    /// Takes an answer; `body` is needed for a 402 and for refusals, up to 64 KiB.
    pub fn answered(&mut self, status: u16, headers: &Headers, body: &[u8], now: UnixTime) -> Next {
        self.forget_unsigned();
        let answer = ReceivedResponse { status, headers, body, now };
        let renewal = self.state.renewal();
        let next = match (renewal, self.state.is_paid()) {
            (Renewal::Asking, _) => self.answered_again(answer),
            (_, true) => self.answered_paid(answer),
            (_, false) => self.answered_plain(answer),
        };
        self.advised(answer, renewal, next)
    }

    fn answered_plain(&mut self, answer: ReceivedResponse<'_>) -> Next {
        if answer.status != 402 {
            return Next::Return(None);
        }
        match self.asked(answer).and_then(|challenge| self.in_slot(challenge, answer)) {
            Ok(challenge) if challenge.is_expired() => self.ask_afresh(),
            Ok(challenge) if challenge.offers.is_empty() => Next::Fail(challenge.why_nothing()),
            Ok(challenge) => {
                let asks = challenge.offers_session && !self.pays_once;
                self.state.challenged(challenge);
                self.terms = Some(answer.terms());
                if asks { Next::Choose } else { Next::Reserve }
            }
            Err(error) => Next::Fail(error),
        }
    }

    /// The answer whose terms are paid: header fields and body.
    #[must_use]
    pub const fn terms(&self) -> Option<&(Headers, Vec<u8>)> {
        self.terms.as_ref()
    }

    /// The terms of a 402 that may be paid from now on, with the pinned offer alone if there is one.
    /// What is signed in the place of what was signed is charged instead of it, whatever URL its
    /// receipts name: so one that waits behind a wrong proxy still comes.
    fn asked(&self, answer: ReceivedResponse<'_>) -> Result<Challenge, ClientError> {
        self.terms_for((!self.goes_on()).then_some(self.url.as_str()), answer)
    }

    /// The same, whose receipts have to name this URL.
    fn terms_for(
        &self,
        url: Option<&str>,
        answer: ReceivedResponse<'_>,
    ) -> Result<Challenge, ClientError> {
        let means = Means {
            policy: &self.policy,
            host: &self.host,
            url,
            now: answer.now,
            broadcasts: self.broadcasts,
            authorization_is_free: self.authorization_is_free,
            pins_realms: true,
        };
        self.pinned(Challenge::read(answer.headers, answer.body, means))
    }

    /// The terms without all offers but the pinned one.
    fn pinned(&self, read: Result<Challenge, ClientError>) -> Result<Challenge, ClientError> {
        let Some(pin) = self.pin.as_ref() else {
            return read;
        };
        let mut challenge = read?;
        let any = !challenge.offers.is_empty();
        challenge.offers.retain(|offer| offer.pin() == *pin);
        if any && challenge.offers.is_empty() {
            let message = "the server does not offer the payment that was pinned";
            return Err(ClientError::new(Reason::TermsChanged, message));
        }
        Ok(challenge)
    }

    /// Requests a fresh challenge, a few times, while nothing is signed.
    fn ask_afresh(&mut self) -> Next {
        if self.state.is_paid() {
            return not_renewed("the fresh challenge has ended as well");
        }
        self.fresh = self.fresh.saturating_add(1);
        if self.fresh > MAX_FRESH { Next::Fail(expired()) } else { Next::Afresh }
    }

    /// The answer to [`Next::Choose`]: [`ONE_SHOT`] pays for this request alone.
    pub fn chose(&mut self, option: &str) -> Next {
        if option != ONE_SHOT {
            let message = "this version does not pay for sessions";
            return Next::Fail(ClientError::new(Reason::UnsupportedIntent, message));
        }
        self.pays_once = true;
        Next::Reserve
    }

    /// Takes the loss of an answer. A lost plain request is left to the caller.
    pub fn lost(&mut self, now: UnixTime) -> Next {
        if self.state.renewal() == Renewal::Asking {
            return not_renewed("no answer came");
        }
        self.again(None, "no answer came", now)
    }

    /// The name of what it signs for an offer in the budget: the payment's key where that tells that
    /// a contract charges it once, else one of this exchange.
    fn name_of(&self, offer: &Offer) -> String {
        let is_elsewhere = self.is_elsewhere;
        if self.goes_on() && !is_elsewhere && !self.signed_as.is_empty() {
            return self.signed_as.clone();
        }
        let is_once = match (offer.method, offer.charge()) {
            (TransferMethod::Deferred, _) => false,
            (_, Some(charge)) => charge.way != Way::Hash,
            (_, None) => true,
        };
        if !is_once || self.payer.is_zero() {
            let own = if is_elsewhere { self.elsewhere() } else { self.drawn };
            return hex::encode(&own);
        }
        let nonce = self.nonces.own(&self.payer, offer);
        let prepared = Prepared::new(offer.clone(), self.payer, nonce, UnixTime::from_secs(0));
        hex::encode(prepared.key().as_bytes())
    }

    /// Counts the best offer in the store's record and returns the new record. A caller that cannot
    /// replace `record`, because another writer did meanwhile, calls again with the newer one.
    ///
    /// # Errors
    /// The reason why no payment may be made; the record stays as it is.
    pub fn reserve(&mut self, record: Option<&str>, now: UnixTime) -> Result<String, ClientError> {
        let nothing = || ClientError::new(Reason::MalformedChallenge, "nothing was asked for");
        let challenge = self.state.challenge().ok_or_else(nothing)?;
        let mut budget = Budget::from_text(record)?;
        let name = |offer: &Offer| self.name_of(offer);
        let draft = Draft { name: &name, host: &self.host, endpoint: &self.endpoint };
        let same_nonce = self.in_place(&challenge.offers);
        let offers = same_nonce.as_deref().unwrap_or(&challenge.offers);
        let (offer, counted) = budget.reserve(&self.policy, offers, draft, now)?;
        let offer = offer.clone();
        (self.counted, self.counted_at) = (counted, now);
        // A permit is for one amount of one token.
        self.allowance = Allowance::Unread;
        let prepared = self.prepared(offer, now);
        self.state.propose(prepared);
        // What was signed before is signed again, at these terms.
        self.state.renew(Renewal::Signing);
        self.retrying = budget.endpoints.state(&self.endpoint).is_some();
        Ok(budget.to_text())
    }

    /// Counts what is about to be signed as of now: a person may have taken a day to agree, and other
    /// payments have used the caps meanwhile. The offer stays the one that they saw.
    ///
    /// # Errors
    /// The reason why it may not be paid any more; the record stays as it is.
    pub fn recount(&mut self, record: Option<&str>, now: UnixTime) -> Result<String, ClientError> {
        let nothing = || ClientError::new(Reason::MalformedChallenge, "nothing is reserved");
        let offer = self.state.proposed().ok_or_else(nothing)?.prepared.offer.clone();
        let mut budget = Budget::from_text(record)?;
        budget.release(&self.counted);
        let name = |_: &Offer| self.counted.clone();
        let draft = Draft { name: &name, host: &self.host, endpoint: &self.endpoint };
        budget.reserve(&self.policy, core::slice::from_ref(&offer), draft, now)?;
        self.counted_at = now;
        Ok(budget.to_text())
    }

    /// The record without this payment; only for one that was never signed.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn release(&self, record: Option<&str>) -> Result<String, ClientError> {
        let mut budget = Budget::from_text(record)?;
        budget.release(&self.counted);
        Ok(budget.to_text())
    }

    /// Whether less was charged than is counted: the caller then calls [`Exchange::settle`].
    #[must_use]
    pub const fn settles(&self) -> bool {
        self.charged.is_some()
    }

    /// The record with what was charged in the place of what was signed.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn settle(&self, record: Option<&str>) -> Result<String, ClientError> {
        let mut budget = Budget::from_text(record)?;
        if let Some(charged) = self.charged {
            budget.settle(&self.counted, charged);
        }
        Ok(budget.to_text())
    }

    /// Prepares the data for the wallet: valid from now on, however long the approval took. Neither a
    /// challenge that has expired meanwhile is signed, nor anything under a policy that has. What is
    /// counted in the place of another account's payment is a payment of its own: its terms are asked
    /// for anew, it is counted by itself first, and its person is asked anew.
    pub fn prepare(&mut self, now: UnixTime) -> Next {
        let Some(proposed) = self.state.proposed() else {
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is reserved"));
        };
        // The policy may have ended while its person was asked.
        if let Err(error) = self.policy.admit(now) {
            return Next::Fail(error);
        }
        let offer = proposed.prepared.offer.clone();
        let charge = offer.charge();
        if charge.is_some_and(|charge| charge.is_expired(now)) {
            return self.ask_afresh();
        }
        // A wallet that was named late may be charged beside what was signed before.
        let is_new = self.is_anothers(self.payer) && self.name_of(&offer) != self.counted;
        if is_new {
            return Next::Afresh;
        }
        // What was signed before is counted already, and another signature of its nonce charges nothing more.
        let is_late = !self.state.is_paid() && now > self.counted_at.plus(RECOUNT_SECS);
        if is_late {
            return Next::Recount;
        }
        let sends = charge.is_some_and(|charge| charge.way == Way::Hash);
        let prepared = self.prepared(offer, now);
        let next = match (sends, self.unread(&prepared)) {
            (true, _) => Next::Broadcast,
            (false, Some(reading)) => Next::Read(Box::new(reading)),
            (false, None) => Next::Sign(Box::new(prepared.typed_data())),
        };
        self.state.propose(prepared);
        next
    }
}
