//! Limits on payments by payee, network and amount: decided only by the payer's configuration and
//! pinned facts.
//!
//! Amounts are decimal text in whole tokens, compared at 18 fraction digits. Every known asset is a
//! dollar token, so caps sum over them; an asset that the policy declares itself counts token by
//! token. A server cannot change a cap.

use super::asset::{Asset, CAP_DECIMALS};
use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::error::{ClientError, Reason};
use super::offer::{Offer, TermsSource};
use crate::amount::Amount;
use crate::chain::ChainId;
use crate::encoding::json;
use crate::evm::address::Address;
use crate::evm::token::{self, Token};
use crate::mpp::charge::Framing;
use crate::mutant::{Mutant, planted};
use crate::x402::Version;

/// Maximum length of a field name that is shown, bytes.
const MAX_NAME: usize = 24;

/// The payer's rules.
#[derive(Clone, Debug)]
pub struct Policy {
    per_payment: Option<Amount>,
    /// Cap over an hour.
    pub per_hour: Amount,
    /// Cap over a day.
    pub per_day: Amount,
    /// Cap over a day for one host.
    pub per_host: Amount,
    /// Cap over a day for one payee.
    pub per_payee: Amount,
    networks: Option<Vec<ChainId>>,
    symbols: Option<Vec<String>>,
    declared: Vec<Asset>,
    hosts: Option<Vec<String>>,
    /// Payees that are allowed regardless of earlier ones; with a list, only these.
    pub payees: Option<Vec<Address>>,
    /// Whether the first payee of a host stays its only one.
    pub pins_payees: bool,
    max_validity_secs: u64,
    /// Seconds for which a payment is sent again before it counts as unresolved.
    pub deadline_secs: u64,
    speakers: Vec<Speaker>,
}

/// The payer's knowledge of a host that speaks MPP.
#[derive(Clone, Debug)]
struct Speaker {
    host: String,
    /// The realm in its challenges.
    realm: Option<String>,
    framing: Framing,
}

impl Policy {
    /// Reads a policy, a JSON object; missing fields have the defaults of pkg/README.md.
    ///
    /// # Errors
    /// [`Reason::InvalidPolicy`], naming the field.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::client::{Policy, Reason};
    /// assert!(Policy::from_json(r#"{"perPayment": "0.05", "networks": ["base"]}"#).is_ok());
    /// let refused = Policy::from_json(r#"{"perPayment": "5 cents"}"#).unwrap_err();
    /// assert_eq!(refused.reason, Reason::InvalidPolicy);
    /// assert!(refused.message.contains("perPayment"));
    /// ```
    pub fn from_json(text: &str) -> Result<Self, ClientError> {
        let Ok(Value::Object(written)) = json::parse(text.as_bytes()) else {
            return Err(invalid("policy", "must be an object without duplicate fields"));
        };
        let mut policy = Self::strict();
        let (mut hour, mut host, mut payee) = (None, None, None);
        for (field, value) in &written {
            match field.as_str() {
                "perPayment" => policy.per_payment = Some(cap(field, value)?),
                "perHour" => hour = Some(cap(field, value)?),
                "perDay" => policy.per_day = cap(field, value)?,
                "perHost" => host = Some(cap(field, value)?),
                "perPayee" => payee = Some(cap(field, value)?),
                "networks" => {
                    let id = |text: &str| ChainId::parse_or_name(text).ok();
                    policy.networks = Some(list(field, value, id)?);
                }
                "assets" => (policy.symbols, policy.declared) = assets(value)?,
                "hosts" => {
                    let wrong = || invalid(field, HOSTS);
                    policy.hosts = Some(list(field, value, host_in).map_err(|_| wrong())?);
                }
                "payees" => {
                    let address = |text: &str| Address::parse_checksummed(text).ok();
                    policy.payees = Some(list(field, value, address)?);
                }
                "pinPayees" => {
                    policy.pins_payees =
                        value.as_bool().ok_or_else(|| invalid(field, "must be true or false"))?;
                }
                "maxValiditySecs" => policy.max_validity_secs = within(field, value, 86_400)?,
                "deadlineSecs" => policy.deadline_secs = within(field, value, 3600)?,
                "mpp" => policy.speakers = speakers(value)?,
                _ => return Err(invalid(shown(field), "is not a policy field")),
            }
        }
        // A missing cap equals that of the day.
        policy.per_hour = hour.unwrap_or(policy.per_day);
        policy.per_host = host.unwrap_or(policy.per_day);
        policy.per_payee = payee.unwrap_or(policy.per_day);
        Ok(policy)
    }

    /// The defaults.
    fn strict() -> Self {
        let day = dollars(10);
        Self {
            per_payment: None,
            per_hour: day,
            per_day: day,
            per_host: day,
            per_payee: day,
            networks: None,
            symbols: None,
            declared: Vec::new(),
            hosts: None,
            payees: None,
            pins_payees: true,
            max_validity_secs: 3600,
            deadline_secs: 60,
            speakers: Vec::new(),
        }
    }

    /// Whether `host` may send a challenge with this realm: only its own. With another server's
    /// realm the payment would count there.
    #[must_use]
    pub fn is_realm_of(&self, realm: &str, host: &str) -> bool {
        // Usually without the port.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let named = self.speaker(host).and_then(|speaker| speaker.realm.as_deref());
        realm.eq_ignore_ascii_case(name)
            || realm.eq_ignore_ascii_case(host)
            || named == Some(realm)
            || planted(Mutant::AnyRealm)
    }

    /// How to make the nonce for a challenge of `host`.
    #[must_use]
    pub fn framing(&self, host: &str) -> Framing {
        self.speaker(host).map_or(Framing::Listed, |speaker| speaker.framing)
    }

    fn speaker(&self, host: &str) -> Option<&Speaker> {
        self.speakers.iter().find(|speaker| speaker.host == host)
    }

    /// The asset of this contract, if it may be used; the server's description of it is ignored.
    ///
    /// # Errors
    /// [`Reason::UnsupportedNetwork`] for a network without a known asset,
    /// [`Reason::PolicyNetwork`], [`Reason::PolicyAsset`].
    pub fn asset(&self, network: &ChainId, contract: &Address) -> Result<Asset, ClientError> {
        let declared = self.declared.iter().find(|asset| asset.network == *network);
        if token::default_for(network).is_none() && declared.is_none() {
            let message = format!("the server asks for payment on {network}, which is not known");
            return Err(ClientError::new(Reason::UnsupportedNetwork, message));
        }
        if self.networks.as_ref().is_some_and(|networks| !networks.contains(network)) {
            let message = format!("the policy does not allow payments on {network}");
            return Err(ClientError::new(Reason::PolicyNetwork, message));
        }
        let is_it = |asset: &&Asset| asset.network == *network && asset.address == *contract;
        if let Some(asset) = self.declared.iter().find(is_it) {
            return Ok(asset.clone());
        }
        let known = token::by_address(network, contract).filter(|token| match &self.symbols {
            Some(symbols) => symbols.iter().any(|symbol| symbol == token.symbol),
            None => Some(*token) == token::default_for(network),
        });
        match known.filter(|token| token.eip3009) {
            Some(token) => Ok(pinned(token, network)),
            None => {
                let message = format!("the policy does not allow {contract} on {network}");
                Err(ClientError::new(Reason::PolicyAsset, message))
            }
        }
    }

    /// Whether this offer is allowed, regardless of earlier payments.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn judge(&self, offer: &Offer, host: &str) -> Result<(), ClientError> {
        let fail = |reason, message: String| Err(ClientError::new(reason, message));
        if self.hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(|known| known == host)) {
            return fail(Reason::PolicyHost, format!("the policy does not allow {host}"));
        }
        if self.payees.as_ref().is_some_and(|payees| !payees.contains(&offer.pay_to)) {
            let message = format!("the policy does not allow the payee {}", offer.pay_to);
            return fail(Reason::PolicyPayee, message);
        }
        let cap = self.per_payment.unwrap_or(match &offer.asked {
            TermsSource::X402 { version: Version::V1, .. } => {
                dollars(1).checked_div_u64(10).unwrap_or(Amount::ZERO)
            }
            TermsSource::X402 { version: Version::V2, .. } | TermsSource::Mpp(_) => dollars(1),
        });
        match offer.worth() {
            Some(worth) if worth <= cap => {}
            _ => {
                let (price, symbol) = (offer.price(), &offer.asset.symbol);
                let cap = cap.to_decimal(CAP_DECIMALS);
                let message = format!("the price is {price} {symbol}, and perPayment is {cap}");
                return fail(Reason::PolicyAmount, message);
            }
        }
        if offer.max_timeout_secs > self.max_validity_secs {
            let (secs, max) = (offer.max_timeout_secs, self.max_validity_secs);
            let message = format!(
                "the authorization would be valid for {secs} s; at most {max} s are allowed"
            );
            return fail(Reason::PolicyValidity, message);
        }
        Ok(())
    }
}

/// Whole dollars as a cap.
fn dollars(whole: u64) -> Amount {
    Amount::from_decimal(&whole.to_string(), CAP_DECIMALS).unwrap_or(Amount::ZERO)
}

fn pinned(token: &Token, network: &ChainId) -> Asset {
    Asset {
        symbol: token.symbol.to_owned(),
        network: network.clone(),
        address: token.address,
        name: token.name.to_owned(),
        version: token.version.to_owned(),
        decimals: token.decimals,
    }
}

/// Parses a cap: decimal text; a dollar sign is ignored.
fn cap(field: &str, value: &Value) -> Result<Amount, ClientError> {
    let text = value.as_str().map(|text| text.strip_prefix('$').unwrap_or(text));
    text.and_then(|text| Amount::from_decimal(text, CAP_DECIMALS).ok())
        .ok_or_else(|| invalid(field, "must be decimal text such as \"0.10\""))
}

fn within(field: &str, value: &Value, max: u64) -> Result<u64, ClientError> {
    let number = value.as_u64().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| invalid(field, &format!("must be a whole number from 1 to {max}")))
}

fn list<T>(
    field: &str,
    value: &Value,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ClientError> {
    let wrong = || invalid(field, "must be a list of valid entries");
    let entries = value.as_array().ok_or_else(wrong)?;
    entries.iter().map(|entry| entry.as_str().and_then(&read).ok_or_else(wrong)).collect()
}

/// What `hosts` takes.
const HOSTS: &str = "must list hosts such as \"api.example.com\" or \"127.0.0.1:8402\": no path, no user, no wildcard, and no :443 or :80";

/// The host of a policy as requests name it, from a host or from an origin: lower case, with the
/// port unless it is the scheme's own.
fn host_in(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (own_port, authority) = match text.split_once("://") {
        Some(("https", rest)) => (Some(":443"), rest),
        Some(("http", rest)) => (Some(":80"), rest),
        Some(_) => return None,
        None => (None, text.as_str()),
    };
    let host = match own_port {
        Some(port) => {
            let bare = authority.strip_suffix('/').unwrap_or(authority);
            bare.strip_suffix(port).unwrap_or(bare)
        }
        // Without its scheme nothing says whether this port is left out of a URL.
        None if authority.ends_with(":443") || authority.ends_with(":80") => return None,
        None => authority,
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "1"),
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(ip) => ip.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
        None => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_host = is_name && !name.is_empty() && is_port;
    is_host.then(|| host.to_owned())
}

/// Parses hosts with their ports, and their settings.
fn speakers(value: &Value) -> Result<Vec<Speaker>, ClientError> {
    let wrong = || invalid("mpp", "must name hosts, each with {realm} or {nonce: \"joined\"}");
    let hosts = value.as_object().ok_or_else(wrong)?;
    let known = |facts: &Map<String, Value>| {
        let (mut realm, mut framing) = (None, Framing::Listed);
        for (name, fact) in facts {
            match (name.as_str(), fact.as_str()?) {
                ("realm", text) => realm = Some(text.to_owned()),
                ("nonce", "listed") => {}
                ("nonce", "joined") => framing = Framing::Joined,
                _ => return None,
            }
        }
        Some((realm, framing))
    };
    let mut speakers = Vec::new();
    for (host, facts) in hosts {
        let (realm, framing) = facts.as_object().and_then(known).ok_or_else(wrong)?;
        let host = host_in(host).ok_or_else(wrong)?;
        speakers.push(Speaker { host, realm, framing });
    }
    Ok(speakers)
}

/// Parses symbols of known assets, and full declarations.
fn assets(value: &Value) -> Result<(Option<Vec<String>>, Vec<Asset>), ClientError> {
    let wrong = || {
        invalid(
            "assets",
            "must list symbols, or {symbol, network, address, name, version, decimals}",
        )
    };
    let (mut symbols, mut declared) = (Vec::new(), Vec::new());
    for entry in value.as_array().ok_or_else(wrong)? {
        match entry {
            Value::String(symbol) => symbols.push(symbol.clone()),
            Value::Object(asset) if asset.len() == 6 => {
                let text = |name: &str| asset.get(name).and_then(Value::as_str).ok_or_else(wrong);
                let decimals = asset.get("decimals").and_then(Value::as_u64).map(u8::try_from);
                declared.push(Asset {
                    symbol: text("symbol")?.to_owned(),
                    network: ChainId::parse_or_name(text("network")?).map_err(|_| wrong())?,
                    address: Address::parse_checksummed(text("address")?).map_err(|_| wrong())?,
                    name: text("name")?.to_owned(),
                    version: text("version")?.to_owned(),
                    decimals: match decimals {
                        Some(Ok(decimals)) if decimals <= CAP_DECIMALS => decimals,
                        _ => return Err(wrong()),
                    },
                });
            }
            _ => return Err(wrong()),
        }
    }
    // A policy that only declares assets keeps the known default of each network.
    let symbols = (!symbols.is_empty() || declared.is_empty()).then_some(symbols);
    Ok((symbols, declared))
}

/// Returns a plausible field name for display; any other text may be a misplaced secret, and is not
/// shown.
fn shown(field: &str) -> &str {
    let is_name = field.len() <= MAX_NAME && field.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_name { field } else { "a member" }
}

fn invalid(field: &str, what: &str) -> ClientError {
    ClientError::new(Reason::InvalidPolicy, format!("{field}: {what}"))
}
