//! One way to pay that this client can sign, whichever protocol asked.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::asset::{Asset, CAP_DECIMALS};
use super::price::{self, Unit};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_wire::mpp;
use farebox_wire::mpp::charge::Framing;
use farebox_wire::x402::Version;
use farebox_wire::x402::v2::Flow;

/// One way to pay.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The terms to send back with the payment.
    pub asked: TermsSource,
    /// Pinned facts of the asset.
    pub asset: Asset,
    /// The kind of message that the payer signs.
    pub method: TransferMethod,
    /// EVM chain id.
    pub chain_id: u64,
    /// Atomic units.
    pub amount: Amount,
    /// The recipient.
    pub pay_to: Address,
    /// Seconds for which the signature should be valid.
    pub max_timeout_secs: u64,
    /// Time at which the money moves, if the server says.
    pub flow: Flow,
    /// Text for people, cleaned.
    pub description: String,
    /// The server's name for the resource; never followed.
    pub resource: Option<String>,
}

/// The facts of an offer that are signed, whatever is the time and the nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sale {
    chain_id: u64,
    asset: Address,
    amount: Amount,
    pay_to: Address,
}

/// Source of the terms, in its protocol's form.
#[derive(Clone, Debug)]
pub enum TermsSource {
    /// An entry of `accepts`.
    X402 {
        /// Protocol version.
        version: Version,
        /// The entry as received; it is echoed.
        accepted: Value,
    },
    /// A challenge of the scheme `Payment`, method `evm`, intent `charge`.
    Mpp(Box<Charge>),
}

/// A charge that can be answered.
#[derive(Clone, Debug)]
pub struct Charge {
    /// The challenge as received; it is echoed.
    pub challenge: mpp::Challenge,
    /// Time of its expiry.
    pub expires: Option<UnixTime>,
    /// The server's name for the sale, which a receipt may repeat.
    pub external_id: Option<String>,
    /// The way to prove it.
    pub way: Way,
    /// The way to make its nonce, if the challenge demands one.
    pub framing: Framing,
    /// Whether its realm is neither the host's own nor the one that the policy names: it is pinned.
    pub is_foreign: bool,
}

/// Proof of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// An authorization whose nonce is the challenge's. Spec: MPP charge, method `evm`, credential
    /// `authorization`.
    Authorization,
    /// An authorization with a nonce chosen by the payer. Spec: OKX agent payments, charge,
    /// `transaction`.
    Transaction,
    /// The hash of a transaction that the payer made. Spec: MPP charge, method `evm`, credential
    /// `hash`.
    Hash,
}

/// Seconds for which an authorization is valid if a challenge has no expiry, and the minimum for an
/// OKX one.
const DEFAULT_SECS: u64 = 300;
/// Seconds after the expiry of the challenge in which an OKX seller may still settle.
const SETTLE_SECS: u64 = 60;

impl Charge {
    /// Expiry of a signature made at `now`.
    #[must_use]
    pub fn valid_before(&self, now: UnixTime) -> UnixTime {
        let usual = now.plus(DEFAULT_SECS);
        match (self.way, self.expires) {
            (Way::Transaction, Some(expires)) => usual.max(expires.plus(SETTLE_SECS)),
            (Way::Authorization | Way::Hash, Some(expires)) => expires,
            (_, None) => usual,
        }
    }

    /// The nonce that the challenge demands; `None` if it leaves it to the payer.
    #[must_use]
    pub fn nonce(&self) -> Option<[u8; 32]> {
        let mpp::Challenge { id, realm, .. } = &self.challenge;
        (self.way == Way::Authorization).then(|| self.framing.challenge_hash(id, realm))
    }

    /// Whether it has expired; at the named second it has.
    #[must_use]
    pub fn is_expired(&self, now: UnixTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Offer {
    /// The price in whole tokens, for people.
    #[must_use]
    pub fn price(&self) -> String {
        self.amount.to_decimal(self.asset.decimals)
    }

    /// The price in whole tokens, with the atomic units after it, and `up to` if it is a bound.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { asset, amount, .. } = self;
        let unit = Unit { symbol: &asset.symbol, contract: None, decimals: Some(asset.decimals) };
        let words = price::in_words(*amount, unit);
        if self.is_bound() { format!("up to {words}") } else { words }
    }

    /// The price at [`CAP_DECIMALS`]; `None` if it does not fit.
    #[must_use]
    pub fn worth(&self) -> Option<Amount> {
        self.worth_of(self.amount)
    }

    /// An amount of its asset at [`CAP_DECIMALS`]; `None` if it does not fit.
    #[must_use]
    pub fn worth_of(&self, amount: Amount) -> Option<Amount> {
        if amount.is_zero() {
            return Some(amount);
        }
        let zeros = usize::from(CAP_DECIMALS.checked_sub(self.asset.decimals)?);
        let digits = format!("{amount}{}", "0".repeat(zeros));
        Amount::from_atomic(&digits).ok()
    }

    /// Whether less than its amount may be charged: the price is known afterwards.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        self.method.facilitator().is_some()
    }

    /// The digest of network, token, payee, amount and scheme: an offer with another one is another
    /// payment.
    #[must_use]
    pub fn pin(&self) -> String {
        let scheme = match (self.charge(), self.is_bound()) {
            (Some(_), _) => "charge",
            (None, true) => "upto",
            (None, false) => "exact",
        };
        let (network, amount) = (self.asset.network.as_str(), self.amount.to_string());
        let [asset, payee] = [&self.asset.address, &self.pay_to].map(Address::to_lower_hex);
        digest([network, &asset, &payee, &amount, scheme])
    }

    /// The charge, if it is one.
    #[must_use]
    pub fn charge(&self) -> Option<&Charge> {
        match &self.asked {
            TermsSource::Mpp(charge) => Some(charge),
            TermsSource::X402 { .. } => None,
        }
    }

    /// The facts of the sale, whichever protocol offers it.
    #[must_use]
    pub const fn sale(&self) -> Sale {
        let Self { chain_id, amount, pay_to, .. } = *self;
        Sale { chain_id, asset: self.asset.address, amount, pay_to }
    }

    /// The realm of its challenge, if that is pinned.
    #[must_use]
    pub fn foreign_realm(&self) -> Option<&str> {
        let charge = self.charge().filter(|charge| charge.is_foreign)?;
        Some(&charge.challenge.realm)
    }

    /// Whether signing `fresh` instead cannot cost more: the terms are the same, under the same
    /// nonce, which a contract accepts once. `own` is the payer's nonce.
    #[must_use]
    pub fn is_renewed_by(&self, fresh: &Self, own: [u8; 32]) -> bool {
        self.has_terms_of(fresh) && self.nonce(own) == fresh.nonce(own)
    }

    /// Whether both ask for the same payment, in the same protocol.
    #[must_use]
    pub fn has_terms_of(&self, other: &Self) -> bool {
        let terms = |it: &Self| (it.sale(), it.flow, it.method);
        let kind = |it: &Self| match &it.asked {
            TermsSource::X402 { version, .. } => (Some(*version), None),
            TermsSource::Mpp(charge) => (None, Some(charge.way)),
        };
        (terms(self), kind(self), self.foreign_realm())
            == (terms(other), kind(other), other.foreign_realm())
    }

    /// The nonce to sign: the challenge's, or `own`.
    #[must_use]
    pub fn nonce(&self, own: [u8; 32]) -> [u8; 32] {
        self.charge().and_then(Charge::nonce).unwrap_or(own)
    }
}

/// SHA-256 of the facts of a payment, hex: network, token, payee, amount and scheme; addresses in
/// lower case.
#[must_use]
pub fn digest(facts: [&str; 5]) -> String {
    let mut hash = Sha256::new_with_prefix(b"farebox candidate 1");
    for fact in facts {
        // Length first, so that no text runs into the next.
        hash.update(u64::try_from(fact.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(fact.as_bytes());
    }
    hex::encode(&hash.finalize())
}
