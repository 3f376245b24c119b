//! The terms of a quote, and whether they may be paid: each fact that is said twice is the same, and
//! all are what was ordered. Spec: contract of the compute exchange, `POST /jobs/quote`.

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use super::order::JobOrder;
use crate::agent::candidate::Candidate;
use crate::agent::json::Json;
use crate::agent::money;

/// Longest time that a quote may have, seconds.
const MAX_SECS: u64 = 3_600;

/// The terms of a quote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteTerms {
    /// The quote's id, hex.
    pub payment_id: String,
    /// The fingerprint of the request, hex.
    pub fingerprint: String,
    /// `payment_mode`.
    pub mode: String,
    /// CAIP-2.
    pub network: String,
    /// The token's symbol.
    pub currency: String,
    /// The token.
    pub asset: String,
    /// The account that is paid.
    pub pay_to: String,
    /// The price, in whole tokens.
    pub amount: String,
    /// Atomic units.
    pub units: String,
    /// The seller that does the work.
    pub seller: String,
    /// Unix seconds at which it ends.
    pub until: u64,
    /// The settlement's transaction, once it is known.
    pub transaction: Option<String>,
}

/// Why a quote is not paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TermsError {
    /// Not offered now.
    Unavailable,
    /// A member is missing, or is none that can be read.
    Unreadable(&'static str),
    /// Something else than was ordered.
    Other(&'static str),
    /// Two members that have to agree do not.
    Contradiction(&'static str),
    /// It costs more than was allowed.
    TooExpensive,
    /// The limit that was allowed is no amount of this token.
    Limit,
}

impl TermsError {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unavailable => "capability_unavailable",
            Self::Unreadable(_) | Self::Other(_) | Self::Contradiction(_) => "quote_rejected",
            Self::TooExpensive => "price_above_limit",
            Self::Limit => "invalid_options",
        }
    }
}

impl fmt::Display for TermsError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => to.write_str("no seller offers this capability now"),
            Self::Unreadable(what) => write!(to, "the exchange's answer has no usable {what}"),
            Self::Other(what) => write!(to, "the quote is for another {what} than was ordered"),
            Self::Contradiction(what) => write!(to, "the quote contradicts itself about {what}"),
            Self::TooExpensive => to.write_str("the quote is above the limit"),
            Self::Limit => to.write_str("the limit is no amount of this token"),
        }
    }
}

/// Network and token of what can be bought, if what was ordered is there at a price within the limit.
///
/// # Errors
/// Why it cannot be bought.
pub fn listed(said: &Json, order: &JobOrder) -> Result<(String, String), TermsError> {
    let text = |name| {
        let text = said.text_of(name).filter(|text| is_short(text));
        text.ok_or(TermsError::Unreadable(name))
    };
    if said.text_of("network_profile") != Some(&order.profile) {
        return Err(TermsError::Other("network_profile"));
    }
    let (network, currency) = (text("network")?, text("currency")?);
    if order.currency.as_deref().is_some_and(|it| it != currency) {
        return Err(TermsError::Other("currency"));
    }
    if !order.takes_network(network) {
        return Err(TermsError::Other("network"));
    }
    let offers = said.get("capabilities").map(Json::elements).unwrap_or_default();
    let mut its = offers.iter().filter(|it| it.text_of("capability") == Some(&order.capability));
    let offer = its.next().ok_or(TermsError::Unavailable)?;
    if offer.text_of("min_price").is_some_and(|least| exceeds(least, &order.most) == Some(true)) {
        return Err(TermsError::TooExpensive);
    }
    Ok((network.to_string(), currency.to_string()))
}

/// Whether one decimal amount is more than another; `None` if one is no amount.
pub(in crate::agent) fn exceeds(amount: &str, most: &str) -> Option<bool> {
    let places = money::decimals(amount)?.max(money::decimals(most)?);
    let units = |text| money::to_minor(text, places).ok();
    let (amount, most) = (units(amount)?, units(most)?);
    Some((amount.len(), amount) > (most.len(), most))
}

impl QuoteTerms {
    /// Reads and checks the 402 of a quote that came at unix seconds `now`. `network` and
    /// `currency` are of what was listed, or empty.
    ///
    /// # Errors
    /// Why it is not paid.
    pub fn read(
        said: &Json,
        order: &JobOrder,
        network: &str,
        currency: &str,
        now: u64,
    ) -> Result<Self, TermsError> {
        let terms = Self::of_quote(said, now)?;
        for (name, id) in [("payment_id", &terms.payment_id), ("fingerprint", &terms.fingerprint)] {
            if id.len() != 64 || !id.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(TermsError::Unreadable(name));
            }
        }
        if said.text_of("network_profile") != Some(&order.profile) {
            return Err(TermsError::Other("network_profile"));
        }
        if !network.is_empty() && terms.network != network {
            return Err(TermsError::Other("network"));
        }
        if !currency.is_empty() && terms.currency != currency {
            return Err(TermsError::Other("currency"));
        }
        let chain = number_of(said, "chain_id").ok_or(TermsError::Unreadable("chain_id"))?;
        if terms.network != format!("eip155:{chain}") {
            return Err(TermsError::Contradiction("the network"));
        }
        terms.check_offer(said, order)?;
        money::precision_of(&terms.units, &terms.amount)
            .filter(|_| terms.units != "0")
            .ok_or(TermsError::Contradiction("the amount"))?;
        terms.is_within(order)?;
        Ok(terms)
    }

    /// Reads the members of a quote.
    fn of_quote(said: &Json, now: u64) -> Result<Self, TermsError> {
        let text = |name: &'static str| {
            let text = said.text_of(name).filter(|text| is_short(text));
            text.map(ToString::to_string).ok_or(TermsError::Unreadable(name))
        };
        let secs = number_of(said, "expires_in_seconds");
        let secs = secs.and_then(|digits| digits.parse::<u64>().ok());
        let secs = secs.filter(|secs| (1..=MAX_SECS).contains(secs));
        Ok(Self {
            payment_id: text("payment_id")?,
            fingerprint: text("fingerprint")?,
            mode: text("payment_mode")?,
            network: text("network")?,
            currency: text("currency")?,
            asset: text("payment_asset")?,
            pay_to: text("pay_to")?,
            amount: text("amount")?,
            units: text("amount_atomic")?,
            seller: text("seller_id")?,
            until: now.saturating_add(secs.ok_or(TermsError::Unreadable("expires_in_seconds"))?),
            transaction: None,
        })
    }

    /// Checks that the first offer of the 402, which is what gets signed, says the same as the quote.
    fn check_offer(&self, said: &Json, order: &JobOrder) -> Result<(), TermsError> {
        let offer = said.get("accepts").and_then(|it| it.elements().first());
        let offer = offer.ok_or(TermsError::Unreadable("accepts"))?;
        let resource = format!("{}/api/v1/jobs/verify", order.url);
        if offer.text_of("resource") != Some(&resource) {
            return Err(TermsError::Other("resource"));
        }
        let same = |name: &str, ours: &str| {
            offer.text_of(name).is_some_and(|theirs| theirs.eq_ignore_ascii_case(ours))
        };
        let extra = offer.object_of("extra").and_then(|it| it.text_of("payment_id"));
        let is_sellers = self.mode == COMPLETION && !self.seller.eq_ignore_ascii_case(&self.pay_to);
        for (agrees, what) in [
            (same("payTo", &self.pay_to) && !is_sellers, "the payee"),
            (same("asset", &self.asset), "the token"),
            (same("maxAmountRequired", &self.units), "the amount"),
            (extra.is_none_or(|id| id == self.payment_id), "its id"),
        ] {
            if !agrees {
                return Err(TermsError::Contradiction(what));
            }
        }
        Ok(())
    }

    /// Checks it against the limits of an order: those of the call that would sign it.
    ///
    /// # Errors
    /// Why it is not signed.
    pub(super) fn is_within(&self, order: &JobOrder) -> Result<(), TermsError> {
        if order.currency.as_deref().is_some_and(|it| it != self.currency) {
            return Err(TermsError::Other("currency"));
        }
        if !order.takes_network(&self.network) {
            return Err(TermsError::Other("network"));
        }
        if order.is_demo() && !self.is_mock() {
            return Err(TermsError::Other("payment_mode"));
        }
        match exceeds(&self.amount, &order.most) {
            Some(false) => Ok(()),
            Some(true) => Err(TermsError::TooExpensive),
            None => Err(TermsError::Limit),
        }
    }

    /// Whether a payment that is about to be signed is that of this quote; JSON of its proposal.
    #[must_use]
    pub fn agrees(&self, proposal: &Json) -> bool {
        let ours = Candidate {
            network: &self.network,
            asset: &self.asset,
            payee: &self.pay_to,
            amount: &self.units,
            scheme: "exact",
        };
        let theirs = Candidate::of_proposal(proposal);
        // The wallet's own decimals decide what the atomic units are worth.
        let price = proposal.text_of("price").unwrap_or_default();
        let is_price = [(price, self.amount.as_str()), (&self.amount, price)]
            .into_iter()
            .all(|(one, other)| exceeds(one, other) == Some(false));
        // What is counted is that token, whatever else the policy lets pay.
        let is_token = proposal.text_of("symbol") == Some(&self.currency);
        is_price && is_token && theirs.is_some_and(|theirs| theirs.digest() == ours.digest())
    }

    /// Whether its payments are pretended.
    #[must_use]
    pub fn is_mock(&self) -> bool {
        self.mode == "mock"
    }

    /// Whether the money is held, and goes back when the job fails.
    #[must_use]
    pub fn is_held(&self) -> bool {
        !self.is_mock() && self.mode != COMPLETION
    }

    /// As it is kept.
    pub(super) fn to_json(&self) -> Json {
        let texts = self.texts().map(|(name, text)| (name, Some(Json::from(text))));
        let until = ("until", Some(Json::number(self.until)));
        let transaction = ("transaction", self.transaction.as_deref().map(Json::from));
        Json::object(texts.into_iter().chain([until, transaction]))
    }

    fn texts(&self) -> [(&'static str, &str); 10] {
        [
            ("paymentId", &self.payment_id),
            ("fingerprint", &self.fingerprint),
            ("mode", &self.mode),
            ("network", &self.network),
            ("currency", &self.currency),
            ("asset", &self.asset),
            ("payTo", &self.pay_to),
            ("amount", &self.amount),
            ("units", &self.units),
            ("seller", &self.seller),
        ]
    }

    /// Reads what was kept.
    pub(super) fn kept(kept: &Json) -> Option<Self> {
        let text = |name: &str| kept.text_of(name).map(ToString::to_string);
        let Some(Json::Number(until)) = kept.get("until") else { return None };
        Some(Self {
            payment_id: text("paymentId")?,
            fingerprint: text("fingerprint")?,
            mode: text("mode")?,
            network: text("network")?,
            currency: text("currency")?,
            asset: text("asset")?,
            pay_to: text("payTo")?,
            amount: text("amount")?,
            units: text("units")?,
            seller: text("seller")?,
            until: until.parse().ok()?,
            transaction: text("transaction"),
        })
    }
}

/// The digits of a number.
fn number_of<'a>(said: &'a Json, name: &str) -> Option<&'a str> {
    match said.get(name) {
        Some(Json::Number(digits)) => Some(digits.as_str()),
        _ => None,
    }
}

/// Whether a text of an exchange is short enough to be kept.
fn is_short(text: &str) -> bool {
    (1..=MAX_TEXT).contains(&text.len())
}

/// Longest text of an offer or a quote, bytes.
const MAX_TEXT: usize = 128;
/// The mode in which a request waits for its work and is charged with it.
const COMPLETION: &str = "x402-completion";
