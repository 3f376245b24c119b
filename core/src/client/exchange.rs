//! One request of a client, from the first answer to the last: the next step each time, and never a
//! second payment.
//!
//! The caller carries out each [`Next`] and reports the result. Order of calls:
//! [`Exchange::answered`] with the answer to the plain request; on [`Next::Reserve`]
//! [`Exchange::reserve`] within one exchange of the store; on [`Next::Sign`] the wallet, then
//! [`Exchange::signed`]; then requests with the headers of [`Next::Send`], each followed by
//! [`Exchange::answered`] or [`Exchange::lost`], until [`Next::Return`] or [`Next::Fail`]. In
//! between the caller may be asked to choose between one payment and a session, to broadcast a
//! transaction of the payer's own, or to fetch a fresh challenge. `advice` covers the effects of a
//! server's diagnostic: it stops the exchange, or has an expired payment signed once more.
//! Assumptions:
//! - once a payment was sent it is sent again; its response is requested until it comes or time is
//!   up;
//! - all signatures share one nonce, which a contract accepts once: at most one payment can be
//!   charged. The nonce is that of this exchange, or of the answered challenge; another challenge
//!   is answered only while nothing is signed;
//! - an expired challenge is never signed;
//! - server texts only go into messages; decisions read only the stable codes.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use self::advice::{Advice, Renewal};
use super::budget::{Budget, Draft};
use super::challenge::{Challenge, Means, expired};
use super::error::{ClientError, Reason};
use super::offer::{Offer, TermsSource, Way};
use super::policy::Policy;
use super::prepare::{self, Prepared};
use super::price::{self, Unit};
use super::receipt::{self, Settlement};
use super::rejection::{Problem, Rejection};
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::evm::eip712::TypedData;
use crate::http::Headers;
use crate::time::UnixTime;

mod advice;

/// Milliseconds before the first, second, … re-send if the server names no time.
const BACKOFF_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// Maximum time that a server may ask to wait, seconds.
const MAX_RETRY_AFTER_SECS: u64 = 30;
/// Maximum fresh challenges to request in place of expired ones.
const MAX_FRESH: u8 = 2;
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
    /// Record the server's advice about the endpoint: [`Exchange::mark`] within one exchange of the
    /// store, then [`Exchange::marked`].
    Mark,
    /// Have this typed data signed: [`Exchange::signed`].
    Sign(Box<Value>),
    /// Have the transaction of the proposal sent: [`Exchange::broadcast`].
    Broadcast,
    /// Wait, then send the request with these headers.
    Send {
        /// Milliseconds to wait before sending.
        wait_ms: u64,
        /// Names and values.
        headers: alloc::vec::Vec<(String, String)>,
    },
    /// Report this error.
    Fail(ClientError),
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
    nonce: [u8; 32],
    identifier: Option<String>,
    /// Whether the caller can have a transaction sent.
    broadcasts: bool,
    /// Whether `Authorization` can carry a payment.
    authorization_is_free: bool,
    /// Whether it is decided that no session is opened.
    pays_once: bool,
    /// Number of fresh challenges requested so far.
    fresh: u8,
    challenge: Option<Challenge>,
    paid: Option<Paid>,
    prepared: Option<Prepared>,
    renewal: Renewal,
    advice: Option<Advice>,
    /// Whether the record marks the endpoint for an expired payment; a success clears that.
    retrying: bool,
}

/// A payment that was signed.
#[derive(Debug)]
struct Paid {
    header: (&'static str, String),
    valid_before: UnixTime,
    redelivery: Redelivery,
    sent: usize,
    until: UnixTime,
}

/// Progress of the payer's signed request for the answer.
#[derive(Debug)]
enum Redelivery {
    Unasked,
    Signing(Value),
    Signed(String),
}

impl Exchange {
    /// Starts an exchange for a request to `url`, which is absolute. `endpoint` is the requested
    /// method and URL, without the query; `random` gives the nonce and the payment's identifier.
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
        Self {
            policy,
            method: method.to_string(),
            host: host_of(url),
            url: url.to_string(),
            endpoint: endpoint.to_string(),
            payer,
            nonce: nonce.try_into().unwrap_or([0; 32]),
            identifier: Some(format!("pay_{}", hex::encode(id))),
            broadcasts: false,
            authorization_is_free: true,
            pays_once: false,
            fresh: 0,
            challenge: None,
            paid: None,
            prepared: None,
            renewal: Renewal::Unasked,
            advice: None,
            retrying: false,
        }
    }

    /// Sends no `payment-identifier`; without it a re-send gets the response only with a wallet's
    /// signature.
    #[must_use]
    pub fn without_identifier(mut self) -> Self {
        self.identifier = None;
        self
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
        let renewal = self.renewal;
        let next = match (renewal, &self.paid) {
            (Renewal::Asking, _) => self.answered_again(status, headers, body, now),
            (_, Some(_)) => self.answered_paid(status, headers, body, now),
            (_, None) => self.answered_plain(status, headers, body, now),
        };
        self.advised(status, headers, body, renewal, next)
    }

    fn answered_plain(
        &mut self,
        status: u16,
        headers: &Headers,
        body: &[u8],
        now: UnixTime,
    ) -> Next {
        if status != 402 {
            return Next::Return(None);
        }
        let means = Means {
            policy: &self.policy,
            host: &self.host,
            now,
            broadcasts: self.broadcasts,
            authorization_is_free: self.authorization_is_free,
        };
        match Challenge::read(headers, body, means) {
            Ok(challenge) if challenge.is_expired() => self.ask_afresh(),
            Ok(challenge) if challenge.offers.is_empty() => Next::Fail(challenge.why_nothing()),
            Ok(challenge) => {
                let asks = challenge.offers_session && !self.pays_once;
                self.challenge = Some(challenge);
                if asks { Next::Choose } else { Next::Reserve }
            }
            Err(error) => Next::Fail(error),
        }
    }

    /// Requests a fresh challenge, a few times, while nothing is signed.
    fn ask_afresh(&mut self) -> Next {
        if self.paid.is_some() {
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
        if self.renewal == Renewal::Asking {
            return not_renewed("no answer came");
        }
        self.again(None, "no answer came", now)
    }

    /// Counts the best offer in the store's record and returns the new record. A caller that cannot
    /// replace `record`, because another writer did meanwhile, calls again with the newer one.
    ///
    /// # Errors
    /// The reason why no payment may be made; the record stays as it is.
    pub fn reserve(&mut self, record: Option<&str>, now: UnixTime) -> Result<String, ClientError> {
        let nothing = || ClientError::new(Reason::MalformedChallenge, "nothing was asked for");
        let challenge = self.challenge.as_ref().ok_or_else(nothing)?;
        let mut budget = Budget::from_text(record)?;
        let id = hex::encode(&self.nonce);
        let draft = Draft { id: &id, host: &self.host, endpoint: &self.endpoint };
        let offer = budget.reserve(&self.policy, &challenge.offers, draft, now)?;
        self.propose(offer.clone(), now);
        self.retrying = budget.endpoints.state(&self.endpoint).is_some();
        Ok(budget.to_text())
    }

    /// Makes this offer the next one to sign, under the exchange's nonce in any case.
    fn propose(&mut self, offer: Offer, now: UnixTime) -> &Prepared {
        self.prepared.insert(Prepared::new(offer, self.payer, self.nonce, now))
    }

    /// The record without this payment; only for one that was never signed.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn release(&self, record: Option<&str>) -> Result<String, ClientError> {
        let mut budget = Budget::from_text(record)?;
        budget.release(&hex::encode(&self.nonce));
        Ok(budget.to_text())
    }

    /// The pending payment, for a person or a hook; the server's texts are cleaned.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let (offer, challenge) = (&self.prepared.as_ref()?.offer, self.challenge.as_ref()?);
        let elsewhere = offer.resource.as_deref().filter(|place| match &offer.asked {
            TermsSource::X402 { .. } => {
                !place.starts_with('/') && origin_of(place) != origin_of(&self.url)
            }
            // A realm is the host's own; otherwise its challenge could not be paid.
            TermsSource::Mpp(_) => false,
        });
        Some(json!({
            "protocol": match &offer.asked {
                TermsSource::X402 { .. } => "x402",
                TermsSource::Mpp(_) => "mpp",
            },
            "method": self.method,
            "url": self.url,
            "host": self.host,
            "price": offer.price(),
            "symbol": offer.asset.symbol,
            "amount": offer.amount.to_string(),
            "amountText": in_words(offer),
            "asset": offer.asset.address.to_checksum(),
            "network": offer.asset.network.as_str(),
            "testNetwork": !offer.asset.network.is_main_network(),
            "payTo": offer.pay_to.to_checksum(),
            "payer": self.payer.to_checksum(),
            "validForSecs": offer.max_timeout_secs,
            "paysBeforeWork": offer.flow == crate::x402::v2::Flow::Upfront,
            "paysGas": offer.charge().is_some_and(|charge| charge.way == Way::Hash),
            "description": offer.description,
            "serverSays": challenge.error,
            "claimsToSell": elsewhere,
            "replaces": self.paid.is_some(),
        }))
    }

    /// Prepares the data for the wallet: valid from now on, however long the approval took. A
    /// challenge that has expired meanwhile is not signed.
    pub fn prepare(&mut self, now: UnixTime) -> Next {
        let Some(Prepared { offer, .. }) = &self.prepared else {
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is reserved"));
        };
        let offer = offer.clone();
        let charge = offer.charge();
        if charge.is_some_and(|charge| charge.is_expired(now)) {
            return self.ask_afresh();
        }
        let sends = charge.is_some_and(|charge| charge.way == Way::Hash);
        let prepared = self.propose(offer, now);
        if sends { Next::Broadcast } else { Next::Sign(Box::new(prepared.typed_data())) }
    }

    /// Takes the wallet's signature: of the payment, or of the request for its answer.
    pub fn signed(&mut self, signature: &str, now: UnixTime) -> Next {
        match self.take_signature(signature, now) {
            Ok(()) => self.send(0),
            Err(error) => Next::Fail(error),
        }
    }

    /// Takes the hash of the sent transaction, which the credential names.
    pub fn broadcast(&mut self, hash: &str, now: UnixTime) -> Next {
        let prepared = self.prepared.as_mut().filter(|_| self.paid.is_none());
        let Some(prepared) = prepared else {
            return Next::Fail(ClientError::new(Reason::WrongTransaction, "none was asked for"));
        };
        match prepared.transaction_header(hash) {
            Ok(header) => {
                self.pay_with(header, now);
                self.send(0)
            }
            Err(error) => Next::Fail(error),
        }
    }

    fn take_signature(&mut self, signature: &str, now: UnixTime) -> Result<(), ClientError> {
        let unasked = || ClientError::new(Reason::WrongSignature, "no signature was asked for");
        let renews = self.renewal == Renewal::Signing;
        if let Some(paid) = self.paid.as_mut().filter(|_| !renews) {
            let Redelivery::Signing(statement) = &paid.redelivery else { return Err(unasked()) };
            let digest = TypedData::from_json(statement).map_err(|_| unasked())?.digest();
            let signature = prepare::checked(signature, &digest, &self.payer)?;
            let header = prepare::redelivery_header(statement, &signature);
            paid.redelivery = Redelivery::Signed(header);
            return Ok(());
        }
        let (prepared, challenge) =
            self.prepared.as_ref().zip(self.challenge.as_ref()).ok_or_else(unasked)?;
        let header = prepared.header(signature, challenge, self.identifier.as_deref())?;
        self.pay_with(header, now);
        if renews {
            self.renewal = Renewal::Signed;
        }
        Ok(())
    }

    /// Sends this header from now on.
    fn pay_with(&mut self, header: (&'static str, String), now: UnixTime) {
        let valid_before = self.prepared.as_ref().map_or(now, |it| it.authorization.valid_before);
        let until = now.plus(self.policy.deadline_secs);
        self.paid =
            Some(Paid { header, valid_before, redelivery: Redelivery::Unasked, sent: 0, until });
    }

    /// The payment as sent, to be sent again later: header name and value, key, and expiry.
    #[must_use]
    pub fn payment(&self) -> Option<Value> {
        let (paid, prepared) = self.paid.as_ref().zip(self.prepared.as_ref())?;
        Some(json!({
            "method": self.method,
            "url": self.url,
            "header": [paid.header.0, paid.header.1],
            "key": hex::encode_prefixed(prepared.key().as_bytes()),
            "validBefore": paid.valid_before.secs(),
        }))
    }

    /// Sends the same payment once more, after a delay.
    fn send(&mut self, wait_ms: u64) -> Next {
        let Some(paid) = &mut self.paid else {
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is signed"));
        };
        paid.sent = paid.sent.saturating_add(1);
        let mut headers = alloc::vec![(paid.header.0.to_string(), paid.header.1.clone())];
        if let Redelivery::Signed(value) = &paid.redelivery {
            headers.push(("Farebox-Redelivery".to_string(), value.clone()));
        }
        Next::Send { wait_ms, headers }
    }

    /// Sends again if there is time; otherwise the payment is unresolved.
    fn again(&mut self, after_secs: Option<u64>, what: &str, now: UnixTime) -> Next {
        let Some(paid) = &self.paid else {
            let message = "the request was lost before anything was paid";
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, message));
        };
        let turn = paid.sent.saturating_sub(1);
        let backoff = BACKOFF_MS.get(turn).or(BACKOFF_MS.last()).copied().unwrap_or(1_000);
        let wait_ms = match after_secs {
            // Waiting no time at all would send for ever.
            Some(secs) => secs.min(MAX_RETRY_AFTER_SECS).saturating_mul(1_000).max(backoff),
            None => backoff,
        };
        if now.plus(wait_ms.div_ceil(1_000)) > paid.until {
            let secs = self.policy.deadline_secs;
            let message =
                format!("after {secs} s the outcome of the payment is still unknown: {what}");
            return Next::Fail(ClientError::new(Reason::PaymentUnresolved, message));
        }
        self.send(wait_ms)
    }

    fn answered_paid(
        &mut self,
        status: u16,
        headers: &Headers,
        body: &[u8],
        now: UnixTime,
    ) -> Next {
        let Some(prepared) = &self.prepared else {
            return Next::Return(None);
        };
        if status == 402 {
            let rejection = Rejection::of_payment(status, headers, body);
            return Next::Fail(refused(prepared, headers, rejection));
        }
        let rejection = Rejection::read(status, body);
        let problem = Problem::read(headers, body);
        let fail = |reason| Next::Fail(ClientError::new(reason, rejection.to_string()));
        match (status, problem.code.as_str(), problem.retryable) {
            (_, "refund_due" | "refunded", _) => return fail(Reason::RefundDue),
            (409, "payment_already_delivered", _) => {
                return self.redeliver(problem.is_ours, &rejection, now);
            }
            (409, "payment_already_used" | "under_review" | "origin_failed", _) => {
                return fail(Reason::PaymentConflict);
            }
            (_, _, Some(true)) | (409 | 503, _, None) => {
                return self.again(problem.retry_after, &rejection.to_string(), now);
            }
            (409, _, Some(false)) => return fail(Reason::PaymentConflict),
            _ => {}
        }
        self.delivered(headers)
    }

    /// Returns the paid response, with a settlement that agrees or none.
    fn delivered(&self, headers: &Headers) -> Next {
        let Some(prepared) = &self.prepared else { return Next::Return(None) };
        match receipt::read(headers, prepared, &self.url) {
            Ok(receipt) => Next::Return(receipt.map(Box::new)),
            Err(error) => Next::Fail(error),
        }
    }

    /// Handles a response that was lost or delivered elsewhere: requests it once with the wallet's
    /// signature.
    fn redeliver(&mut self, is_ours: bool, rejection: &Rejection, now: UnixTime) -> Next {
        let key = self.prepared.as_ref().map(|prepared| (prepared.key(), prepared.offer.chain_id));
        match (&mut self.paid, key) {
            (Some(paid), Some((key, chain_id))) if is_ours => match paid.redelivery {
                Redelivery::Unasked => {
                    let statement =
                        prepare::redelivery(&key, chain_id, &self.method, &self.url, now);
                    paid.redelivery = Redelivery::Signing(statement.clone());
                    Next::Sign(Box::new(statement))
                }
                Redelivery::Signing(_) | Redelivery::Signed(_) => {
                    let message =
                        "the response to this payment was already delivered and is not sent again";
                    Next::Fail(ClientError::new(Reason::PaymentConflict, message))
                }
            },
            _ => Next::Fail(ClientError::new(Reason::PaymentConflict, rejection.to_string())),
        }
    }
}

/// The error for a 402 after a payment.
fn refused(prepared: &Prepared, headers: &Headers, rejection: Rejection) -> ClientError {
    let offer = &prepared.offer;
    let settlement = match &offer.asked {
        TermsSource::X402 { version, .. } => Settlement::read(*version, headers).ok().flatten(),
        TermsSource::Mpp(_) => None,
    };
    let rejection = match settlement {
        Some(settlement) if !settlement.success() => {
            Rejection::of(rejection.status, &settlement.reason(), "")
        }
        _ => rejection,
    };
    if !rejection.is_about_funds() {
        return ClientError::new(Reason::PaymentRefused, rejection.to_string());
    }
    let (payer, price) = (prepared.authorization.from.to_checksum(), in_words(offer));
    let (asset, network) = (offer.asset.address.to_checksum(), &offer.asset.network);
    let kind = if network.is_main_network() { "" } else { ", a test network" };
    let message = format!(
        "{rejection}; {payer} holds less than {price}, contract {asset} on {network}{kind}"
    );
    ClientError::new(Reason::InsufficientFunds, message)
}

/// The price in whole tokens, with the atomic units after it.
fn in_words(offer: &Offer) -> String {
    let Offer { asset, amount, .. } = offer;
    let unit = Unit { symbol: &asset.symbol, contract: None, decimals: Some(asset.decimals) };
    price::in_words(*amount, unit)
}

/// The error for a late payment that cannot be renewed.
fn not_renewed(why: &str) -> Next {
    let message =
        format!("the payment arrived after it had expired and is not signed again: {why}");
    Next::Fail(ClientError::new(Reason::PaymentRefused, message))
}

/// Host and port of an absolute URL, lower case.
fn host_of(url: &str) -> String {
    // `https:`, an empty part, the authority, and the rest.
    let authority = url.split(['/', '?', '#']).nth(2).unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default().to_ascii_lowercase()
}

/// Scheme, host and port of an absolute URL.
fn origin_of(url: &str) -> (String, String) {
    let scheme = url.split(':').next().unwrap_or_default();
    (scheme.to_ascii_lowercase(), host_of(url))
}
