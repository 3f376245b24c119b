//! Prices named per request by a pricer: a Worker bound to the gate, asked about the head of a
//! request.
//!
//! Assumptions:
//! - it is asked about requests without a payment, and about a payment whose price the gate does
//!   not know any more; whatever it does wrong, nothing is charged and nothing is free;
//! - a price is a promise for some seconds: a quote, which the client returns in
//!   `accepted.extra.quote`, so that no state is kept; an isolate also remembers what it has
//!   quoted, for clients that return none.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::offer::{Choice, Offer, Pricer};
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::http::{BodyPresence, RequestHead};
use farebox_base::time::UnixTime;
use farebox_common::payment::Terms;
use farebox_evm::address::Address;

/// Longest answer, bytes.
pub const MAX_ANSWER_BYTES: usize = 4096;
/// Deadline of the whole exchange, milliseconds: the client waits for it.
pub const DEADLINE_MS: u32 = 2_000;
/// Validity of a price if the pricer states none, and the bounds of what it may state, seconds.
const VALID_SECS: u64 = 60;
const MIN_SECS: u64 = 5;
const MAX_SECS: u64 = 3_600;
/// Limit on the quotes that an isolate remembers.
const MAX_QUOTES: usize = 1_024;
/// Longest header field that is sent to the pricer, bytes.
const MAX_FIELD_BYTES: usize = 1_024;

/// Header fields that are sent to the pricer, lower case; none proves an identity. A payment is
/// bound to no other field.
pub(super) const TOLD: &[&str] =
    &["accept", "accept-language", "cf-ipcountry", "content-type", "origin", "range", "user-agent"];

/// A question to a pricer.
#[derive(Clone, Debug)]
pub struct PriceCall {
    /// The service binding.
    pub binding: String,
    /// JSON.
    pub body: String,
}

/// A pricer's reply.
pub(super) enum PricerReply {
    /// The request is free.
    Free,
    /// A price for each choice, its payee unless that is the route's, its validity and its
    /// description.
    Price { amounts: Vec<Amount>, pay_to: Option<Address>, secs: u64, description: Option<String> },
}

impl Pricer {
    /// The question about a request.
    pub(super) fn call(&self, head: &RequestHead) -> PriceCall {
        PriceCall { binding: self.binding.clone(), body: question(head) }
    }

    /// Reads the reply; `None` if it is invalid.
    pub(super) fn read(&self, text: &str, offer: &Offer) -> Option<PricerReply> {
        let answer = json::parse_with(text.as_bytes(), MAX_ANSWER_BYTES).ok()?;
        let price = answer.get("price")?;
        let secs = match answer.get("valid_secs") {
            None => VALID_SECS,
            Some(secs) => secs.as_u64().filter(|secs| (MIN_SECS..=MAX_SECS).contains(secs))?,
        };
        let description = match answer.get("description") {
            None => None,
            Some(text) => Some(text.as_str().filter(|text| text.len() <= 256)?.to_owned()),
        };
        let pay_to = match answer.get("pay_to") {
            None => None,
            Some(payee) => {
                let payee = Address::parse_checksummed(payee.as_str()?).ok()?;
                let is_named = self.payees.allow(&payee) && !offer.is_token(&payee);
                Some(payee).filter(|payee| is_named || offer.pays(payee)).map(Some)?
            }
        };
        if price.as_str() == Some("free") {
            return self.min_amount.is_none().then_some(PricerReply::Free);
        }
        let mut amounts = Vec::new();
        for (place, choice) in offer.choices.iter().enumerate() {
            let amount = match price.get("amount") {
                // Units of one asset say nothing about those of another.
                Some(amount) if offer.is_on_one_network() => Amount::from_atomic(amount.as_str()?),
                _ => Amount::from_price(price.as_str()?, choice.asset_label.decimals),
            };
            let amount = amount.ok().filter(|amount| !amount.is_zero())?;
            let min_amount = self.min_amount.as_ref().and_then(|min_amount| min_amount.get(place));
            if amount > choice.terms.amount
                || min_amount.is_some_and(|min_amount| amount < *min_amount)
            {
                return None;
            }
            amounts.push(amount);
        }
        Some(PricerReply::Price { amounts, pay_to, secs, description })
    }
}

impl Offer {
    /// This choice under these terms, with a quote in them.
    pub(super) fn choice_at(
        &self,
        choice: &Choice,
        mut terms: Terms,
        quote: Option<&str>,
    ) -> Choice {
        if let Some(quote) = quote {
            terms.extra.insert("quote".to_owned(), Value::from(quote));
        }
        choice.with_terms(terms, self.settings.mode)
    }

    /// The payee that a payment for terms of this route's pricer names; `None` if the pricer may
    /// not name it, so that the payment is for the route's own.
    pub(super) fn named_payee(&self, payee: Address) -> Option<Address> {
        self.pricer.as_ref().filter(|pricer| pricer.payees.allow(&payee)).map(|_| payee)
    }

    /// Whether this is the route's own payee, whatever is paid.
    fn pays(&self, payee: &Address) -> bool {
        self.choices.iter().all(|it| it.terms.token.is_some_and(|token| token.pay_to == *payee))
    }

    /// Whether this is the contract of a token that the route takes, which could not spend it.
    fn is_token(&self, payee: &Address) -> bool {
        self.choices.iter().any(|it| it.terms.token.is_some_and(|token| token.asset == *payee))
    }
}

/// The terms of a choice at another amount and, on EVM, for another payee.
pub(super) fn terms_at(choice: &Choice, amount: Amount, pay_to: Option<Address>) -> Terms {
    let mut terms = Terms { amount, ..choice.terms.clone() };
    if let (Some(payee), Some(token)) = (pay_to, &mut terms.token) {
        (token.pay_to, terms.pay_to) = (payee, payee.to_checksum());
    }
    terms
}

/// Every fact about a request that is sent to the pricer, JSON; a quote holds for exactly these.
///
/// `body_bytes` is missing without a body and null if its length is unknown, so that the two are
/// never confused. A client's request for terms and the same request with a payment give the same
/// question.
#[must_use]
pub(super) fn question(head: &RequestHead) -> String {
    let mut headers = serde_json::Map::new();
    for name in TOLD {
        let Some(value) = head.headers.joined(name) else { continue };
        // A request with a longer one is not priced.
        let value =
            if value.len() <= MAX_FIELD_BYTES { value.as_ref().into() } else { Value::Null };
        headers.insert((*name).to_owned(), value);
    }
    let mut question = serde_json::Map::new();
    question.insert("method".to_owned(), head.method.as_str().into());
    question.insert("url".to_owned(), head.url.as_str().into());
    question.insert("headers".to_owned(), headers.into());
    if head.body == BodyPresence::Present {
        // Beside another framing, a length says nothing about the body. Spec: RFC 9112, 6.3.
        let framed = head.headers.get("transfer-encoding").is_some();
        let length = head.headers.get("content-length").filter(|_| !framed);
        let length = length.and_then(|text| text.parse::<u64>().ok());
        question.insert("body_bytes".to_owned(), length.into());
    }
    json::text(&Value::Object(question))
}

/// Whether everything that a price may depend on can be sent to the pricer.
pub(super) fn can_be_told(head: &RequestHead) -> bool {
    let values = TOLD.iter().filter_map(|name| head.headers.joined(name));
    values.into_iter().all(|value| value.len() <= MAX_FIELD_BYTES)
}

/// Prices that an isolate has quoted lately.
#[derive(Clone, Debug, Default)]
pub struct Quotes(Vec<(String, UnixTime)>);

impl Quotes {
    /// No quotes yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether this was quoted and still holds.
    pub(super) fn holds(&self, quote: &str, now: UnixTime) -> bool {
        self.0.iter().any(|(known, until)| known == quote && now < *until)
    }

    /// Remembers a quote until that time.
    pub(super) fn remember(&mut self, quote: String, until: UnixTime, now: UnixTime) {
        let holds_longer = self.0.iter().any(|(known, end)| *known == quote && *end >= until);
        if holds_longer {
            return;
        }
        self.0.retain(|(known, end)| *known != quote && now < *end);
        if self.0.len() >= MAX_QUOTES {
            self.0.remove(0);
        }
        self.0.push((quote, until));
    }
}
