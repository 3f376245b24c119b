//! The terms of a sale by channel, as x402 `batch-settlement` names them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::client::challenge::{self, MAX_HEADER_BYTES, REQUIRED_HEADER};
use crate::client::error::{ClientError, Reason, clean};
use crate::client::offer::{Offer, TermsSource};
use crate::client::policy::Policy;
use farebox_base::amount::Amount;
use farebox_base::http::Headers;
use farebox_channel::config::{ChannelConfig, ChannelId};
use farebox_evm::address::Address;
use farebox_wire::x402::{Version, header};

/// The scheme. Spec: x402 `batch-settlement`.
pub(super) const SCHEME: &str = "batch-settlement";

/// A sale by channel.
#[derive(Clone, Debug)]
pub(super) struct ChannelTerms {
    /// The most that one request costs, and the account that it pays.
    pub offer: Offer,
    /// The signer of claims and refunds for the payee.
    pub authorizer: Address,
    /// Seconds from a request to withdraw to the withdrawal.
    pub delay_secs: u64,
    /// The least that the server takes as a deposit, atomic units.
    pub min_deposit: Option<Amount>,
    /// The server's message, cleaned.
    pub error: String,
    /// The server's statement about the channel, in an answer to a voucher that it did not take.
    pub told: Option<ToldState>,
    /// `resource` and `extensions` as received; they are echoed.
    pub echoed: Map<String, Value>,
}

/// The server's own view of a channel: a claim, until a voucher of the payer's proves it.
#[derive(Clone, Debug)]
pub(super) struct ToldState {
    pub channel: ChannelId,
    pub balance: Amount,
    /// The amount that was charged of it; without that, the amount that the contract has paid out.
    pub charged: Amount,
    /// The highest voucher that the server has, and its signature.
    pub voucher: Option<(Amount, String)>,
}

/// A voucher that has left before.
#[derive(Clone, Copy)]
pub(super) struct Earlier<'a> {
    /// The most that it can have been charged for its purchase alone.
    pub price: Amount,
    /// Whether it is of the channel of these terms.
    pub is_of: &'a dyn Fn(&ChannelTerms) -> bool,
}

impl ChannelTerms {
    /// Reads the sale by channel of a 402: the cheapest one that the policy allows; `None` if there
    /// is none, or none that this client can pay. What `earlier` is of comes before all others, and is
    /// read at its price where it has become dearer than the policy allows.
    pub fn read(
        headers: &Headers,
        policy: &Policy,
        host: &str,
        earlier: Option<Earlier<'_>>,
    ) -> Option<Result<Self, ClientError>> {
        let value = headers.joined(REQUIRED_HEADER)?;
        let object = header::decode_up_to(&value, MAX_HEADER_BYTES).ok()?.object;
        if object.get("x402Version").and_then(Value::as_u64) != Some(Version::V2.number()) {
            return None;
        }
        let sold = |entry: &&Value| entry.get("scheme").and_then(Value::as_str) == Some(SCHEME);
        let entries = object.get("accepts")?.as_array()?.iter().filter(sold);
        let judged = |entry| {
            let terms = Self::of(entry, &object, policy)?;
            match (policy.judge(&terms.offer, host), earlier) {
                (Ok(()), _) => Ok(terms),
                (Err(dear), Some(earlier))
                    if dear.reason == Reason::PolicyAmount && (earlier.is_of)(&terms) =>
                {
                    let terms = terms.priced(earlier.price);
                    policy.judge(&terms.offer, host).map(|()| terms)
                }
                (Err(error), _) => Err(error),
            }
        };
        let (able, refused): (Vec<_>, Vec<_>) = entries.map(judged).partition(Result::is_ok);
        let is_other = |terms: &Self| earlier.is_none_or(|earlier| !(earlier.is_of)(terms));
        let able = able.into_iter().flatten();
        let first = able.min_by_key(|terms: &Self| (is_other(terms), terms.offer.amount));
        first.map(Ok).or_else(|| refused.into_iter().next())
    }

    fn of(
        entry: &Value,
        object: &Map<String, Value>,
        policy: &Policy,
    ) -> Result<Self, ClientError> {
        let wrong = |what: &str| ClientError::new(Reason::MalformedChallenge, what);
        // What is deposited is signed as any other authorization of this token.
        let mut alike = entry.clone();
        if let Some(members) = alike.as_object_mut() {
            members.insert("scheme".to_string(), "exact".into());
        }
        let mut offer = challenge::offer_of(&alike, object.get("resource"), policy)?;
        offer.asked = TermsSource::X402 { version: Version::V2, accepted: entry.clone() };
        let extra = entry.get("extra").unwrap_or(&Value::Null);
        let authorizer = extra.get("receiverAuthorizer").and_then(Value::as_str);
        let authorizer = authorizer.and_then(|text| Address::parse(text).ok());
        let authorizer = authorizer.filter(|address| !address.is_zero());
        let delay_secs = match extra.get("withdrawDelay") {
            None => Some(*ChannelConfig::WITHDRAW_DELAYS.start()),
            Some(secs) => secs.as_u64(),
        };
        let delay_secs = delay_secs.filter(|secs| ChannelConfig::WITHDRAW_DELAYS.contains(secs));
        let told = object.get("error").and_then(Value::as_str).unwrap_or_default();
        let of = |name: &str| object.get(name).map(|value| (name.to_string(), value.clone()));
        Ok(Self {
            offer,
            authorizer: authorizer
                .ok_or_else(|| wrong("extra.receiverAuthorizer is missing from the terms"))?,
            delay_secs: delay_secs
                .ok_or_else(|| wrong("extra.withdrawDelay is not from 900 to 2592000 seconds"))?,
            min_deposit: amount(extra.get("minDeposit")),
            error: clean(told),
            told: ToldState::of(extra),
            echoed: ["resource", "extensions"].into_iter().filter_map(of).collect(),
        })
    }

    /// The same sale at another price.
    fn priced(mut self, price: Amount) -> Self {
        self.offer.amount = price;
        if let TermsSource::X402 { accepted: Value::Object(accepted), .. } = &mut self.offer.asked {
            accepted.insert("amount".to_string(), price.to_string().into());
        }
        self
    }

    /// The same sale as of the time when this account signed for the payee.
    pub fn signed_by(mut self, authorizer: Address) -> Self {
        self.authorizer = authorizer;
        if let TermsSource::X402 { accepted, .. } = &mut self.offer.asked
            && let Some(extra) = accepted.get_mut("extra").and_then(Value::as_object_mut)
        {
            extra.insert("receiverAuthorizer".to_string(), authorizer.to_checksum().into());
        }
        self
    }

    /// The entry of `accepts` to echo: without the server's view of a channel.
    pub fn accepted(&self) -> Value {
        let TermsSource::X402 { accepted, .. } = &self.offer.asked else { return Value::Null };
        let mut accepted = accepted.clone();
        if let Some(extra) = accepted.get_mut("extra").and_then(Value::as_object_mut) {
            extra.remove("channelState");
            extra.remove("voucherState");
        }
        accepted
    }
}

impl ToldState {
    fn of(extra: &Value) -> Option<Self> {
        let state = extra.get("channelState")?;
        let channel = state.get("channelId").and_then(Value::as_str).and_then(ChannelId::parse)?;
        let voucher = extra.get("voucherState").and_then(|shown| {
            let signature = shown.get("signature")?.as_str()?.to_string();
            Some((amount(shown.get("signedMaxClaimable"))?, signature))
        });
        Some(Self {
            channel,
            balance: amount(state.get("balance"))?,
            charged: amount(state.get("chargedCumulativeAmount"))
                .or_else(|| amount(state.get("totalClaimed")))?,
            voucher,
        })
    }
}

/// An amount in atomic units, as text.
pub(super) fn amount(value: Option<&Value>) -> Option<Amount> {
    value.and_then(Value::as_str).and_then(|text| Amount::from_atomic(text).ok())
}
