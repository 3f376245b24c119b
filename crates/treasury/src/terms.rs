//! The ways to pay that a challenge offers, and the one that is paid.

pub(super) mod candidates;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::answer::figures;
use super::kernel::Now;
use super::merchant::spell_url;
use super::notice;
use super::policy::client_policy;
use super::policy::judge::Denial;
use super::request::PaymentRequest;
use super::row::{Notice, Parcel};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::http::{Headers, UrlPieces};
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_payer::agent::challenge::RawChallenge;
use farebox_payer::agent::detect::Protocol;
use farebox_payer::agent::json::Json;
use farebox_payer::client::Reason;
use farebox_payer::client::challenge::{Challenge, Means};
use farebox_payer::client::offer::{Offer, TermsSource, digest};

/// Why nothing of a challenge is paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpayable {
    /// `deny`, or `preflight_failed`.
    pub outcome: &'static str,
    /// `reasonCode`.
    pub code: &'static str,
    /// The sentence.
    pub reason: String,
    /// The evidence beyond that.
    pub evidence: Option<Value>,
    /// The amounts that the payment needed and that there were.
    pub figures: Option<Box<str>>,
    /// The notice of it for the operator.
    pub notice: Option<Box<Notice>>,
    /// Whether what stands in its way may pass: it says nothing of the payment itself, and what may
    /// be done was not taken back, so that the approval of a person serves again.
    pub passes: bool,
}

impl Unpayable {
    pub(super) fn deny(code: &'static str, reason: impl Into<String>) -> Self {
        Self { outcome: "deny", ..Self::of(code, reason.into()) }
    }

    /// The refusal of an offer by rules, or by a budget that has no room for it, which passes.
    pub(super) fn denied(denial: Denial, offer: &Offer, scene: Now<'_>) -> Self {
        let Denial { reason, shortage } = denial;
        let why = Self::deny("policy_denied", reason);
        let Some(shortage) = shortage else { return why };
        let left = shortage.rest(offer.asset.decimals);
        let figures = figures(offer.amount, left, &offer.asset);
        let notice = notice::budget_exhausted(&shortage, offer, scene);
        Self { figures: Some(figures.into()), notice: Some(Box::new(notice)), passes: true, ..why }
    }

    pub(super) fn preflight(reason: impl Into<String>) -> Self {
        Self::of("preflight_incompatible", reason.into())
    }

    const fn of(code: &'static str, reason: String) -> Self {
        let outcome = "preflight_failed";
        Self { outcome, code, reason, evidence: None, figures: None, notice: None, passes: false }
    }

    fn unsupported(reason: impl Into<String>) -> Self {
        Self::deny("challenge_no_supported_candidates", reason)
    }
}

/// The terms of a request as they came.
#[derive(Clone, Debug)]
pub struct Terms {
    headers: Headers,
    body: String,
    protocol: Protocol,
    host: String,
    /// The URL that receipts have to name, unless a payment is signed already.
    url: Option<String>,
    mpp: Option<Value>,
}

impl Terms {
    /// Those of a request.
    #[must_use]
    pub fn of(request: &PaymentRequest, mpp: Option<Value>) -> Self {
        let protocol = Protocol::parse(&request.protocol).unwrap_or(Protocol::X402);
        let headers = headers_of(&request.challenge_headers);
        let (body, host) = (request.challenge_body.clone(), host_of(&request.url));
        Self { headers, body, protocol, host, url: Some(spell_url(&request.url)), mpp }
    }

    /// Those of an attempt.
    #[must_use]
    pub fn of_parcel(parcel: &Parcel) -> Self {
        Self {
            headers: headers_of(&parcel.challenge_headers),
            body: parcel.challenge_body.clone(),
            protocol: Protocol::parse(&parcel.protocol).unwrap_or(Protocol::X402),
            host: host_of(&parcel.url),
            // It is sent, whatever is refused by now.
            url: None,
            mpp: farebox_base::encoding::json::parse(parcel.realms.as_bytes()).ok(),
        }
    }

    /// Realms of hosts as they were configured, JSON.
    #[must_use]
    pub fn realms(&self) -> String {
        self.mpp.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    /// Reads them.
    ///
    /// # Errors
    /// The denial of terms that cannot be read.
    pub fn read(&self, now: UnixTime) -> Result<Challenge, Unpayable> {
        let malformed = |reason: String| Unpayable::deny("challenge_candidate_malformed", reason);
        let policy = client_policy(self.mpp.as_ref());
        let policy = policy.ok_or_else(|| malformed("The terms cannot be read.".to_string()))?;
        let means = Means {
            policy: &policy,
            host: &self.host,
            url: self.url.as_deref(),
            now,
            broadcasts: false,
            // The agent's own is not sent to merchants.
            authorization_is_free: true,
            // A treasury pays many hosts for many agents, and pins nothing.
            pins_realms: false,
        };
        let challenge = Challenge::read(&self.headers, self.body.as_bytes(), means)
            .map_err(|error| malformed(sentence(&error.message)))?;
        if !challenge.offers.is_empty() {
            return Ok(challenge);
        }
        let is_wrong = |reason: Reason| {
            matches!(
                reason,
                Reason::MalformedChallenge
                    | Reason::PolicyAmount
                    | Reason::RealmMismatch
                    | Reason::ResourceMismatch
            )
        };
        let why = challenge.why_nothing();
        if challenge.refused.iter().all(|error| is_wrong(error.reason)) {
            return Err(malformed(sentence(&why.message)));
        }
        Ok(challenge)
    }

    /// The networks that the terms name, offered or not.
    #[must_use]
    pub fn networks(&self, challenge: &Challenge) -> Vec<ChainId> {
        let body =
            Json::read(&self.body, farebox_payer::agent::detect::MAX_BODY).unwrap_or(Json::Null);
        let shown = RawChallenge::new(self.protocol, self.headers.clone(), &body);
        let named = shown.accepts().filter_map(|entry| entry.text_of("network"));
        let mut networks: Vec<ChainId> =
            named.filter_map(|name| ChainId::parse_or_name(name).ok()).collect();
        networks.extend(challenge.offers.iter().map(|offer| offer.asset.network.clone()));
        networks
    }
}

/// Whether an offer is the one with this digest, in any of the spellings that clients use.
#[must_use]
pub fn is_candidate(offer: &Offer, candidate: &str) -> bool {
    let network = &offer.asset.network;
    let written = match &offer.asked {
        TermsSource::X402 { accepted, .. } => accepted.get("network").and_then(Value::as_str),
        TermsSource::Mpp(_) => None,
    };
    let networks = [Some(network.as_str()), network.v1_name(), written];
    let [asset, payee] = [&offer.asset.address, &offer.pay_to].map(Address::to_lower_hex);
    let amount = offer.amount.to_string();
    let schemes: &[&str] = if offer.charge().is_some() { &["exact", "charge"] } else { &["exact"] };
    networks.into_iter().flatten().any(|network| {
        let of = |scheme: &&str| digest([network, &asset, &payee, &amount, scheme]);
        schemes.iter().any(|scheme| of(scheme).eq_ignore_ascii_case(candidate))
    })
}

/// The denial of terms that offer nothing.
pub(super) fn deny_empty(challenge: &Challenge) -> Option<Unpayable> {
    let is_empty = challenge.offers.is_empty();
    is_empty.then(|| Unpayable::unsupported(sentence(&challenge.why_nothing().message)))
}

/// A network as people call it.
fn network_name(network: &ChainId) -> String {
    match network.v1_name() {
        None => network.to_string(),
        Some(name) => {
            let mut words = String::new();
            for word in name.split('-') {
                let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
                if !words.is_empty() {
                    words.push(' ');
                }
                words.push_str(&first.to_ascii_uppercase());
                words.push_str(rest);
            }
            words
        }
    }
}

/// The refusal for the insufficient balance of a wallet.
pub(super) fn insufficient(required: Amount, available: Amount, offer: &Offer) -> Unpayable {
    let Offer { asset, .. } = offer;
    let (network, symbol) = (network_name(&asset.network), &asset.symbol);
    let evidence = json!({
        "required": required.to_decimal(asset.decimals),
        "available": available.to_decimal(asset.decimals),
        "asset": symbol,
        "network": asset.network.as_str(),
    });
    let reason = format!("The wallet does not hold enough {network} {symbol}.");
    let figures = Some(figures(required, available, asset).into());
    Unpayable { evidence: Some(evidence), figures, ..Unpayable::preflight(reason) }
}

fn headers_of(fields: &[(String, String)]) -> Headers {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.add(name, value);
    }
    headers
}

/// Host and port as a challenge's realm names them.
fn host_of(url: &str) -> String {
    UrlPieces::of(url).map(|url| url.host_and_port()).unwrap_or_default().to_ascii_lowercase()
}

/// A remark as a sentence.
fn sentence(text: &str) -> String {
    // It may quote the merchant, and is printed on terminals.
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    let text = text.trim().trim_end_matches('.');
    let (first, rest) = text.split_at_checked(1).unwrap_or((text, ""));
    format!("The challenge cannot be paid: {}{rest}.", first.to_ascii_lowercase())
}
