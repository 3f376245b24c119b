//! Limits on payments by payee, network and amount: decided only by the payer's configuration and
//! pinned facts.
//!
//! Amounts are decimal text in whole tokens, compared at 18 fraction digits. Every known asset is a
//! dollar token, so caps sum over them; an asset that the policy declares itself counts token by
//! token. A server cannot change a cap.

mod field;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use self::field::{
    HOSTS, Speaker, assets, cap, dollars, host_in, invalid, list, pinned, shown, speakers, within,
};
use super::asset::{Asset, CAP_DECIMALS};
use super::error::{ClientError, Reason, clean};
use super::offer::{Offer, TermsSource};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::http::UrlPieces;
use farebox_base::http::url::{Reach, has_bad_port};
use farebox_base::time::UnixTime;
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_evm::token;
use farebox_wire::mpp::charge::Framing;
use farebox_wire::x402::Version;

/// Maximum size of a realm that is pinned, bytes.
const MAX_REALM_BYTES: usize = 128;
/// Longest [`Policy::deadline_secs`].
pub const MAX_DEADLINE_SECS: u64 = 3_600;

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
    /// Contracts that may hold the deposit of a session.
    escrows: Vec<Address>,
    /// Whether the first payee of a host stays its only one.
    pub pins_payees: bool,
    /// Whether permits of Permit2 are signed too; the payer has to let that contract move the token.
    pub signs_permits: bool,
    /// Whether what has ended and may have been charged is paid again without asking a person.
    pub pays_again: bool,
    /// Cap of one payment whose price is known afterwards; without it none is signed.
    upto: Option<Amount>,
    /// Cap over a day if each server takes all that was signed for it, whatever its receipts say.
    pub upto_per_day: Amount,
    max_validity_secs: u64,
    /// Time from which nothing is paid any more.
    expires: Option<UnixTime>,
    /// Seconds for which a payment is sent again before it counts as unresolved.
    pub deadline_secs: u64,
    speakers: Vec<Speaker>,
}

impl Policy {
    /// Reads a policy, a JSON object; missing fields have the defaults of pkg/README.md.
    ///
    /// # Errors
    /// [`Reason::InvalidPolicy`], naming the field.
    ///
    /// # Examples
    /// ```
    /// use farebox_payer::client::{Policy, Reason};
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
        let (mut hour, mut host, mut payee, mut signed) = (None, None, None, None);
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
                "escrows" => {
                    let address = |text: &str| Address::parse_checksummed(text).ok();
                    policy.escrows = list(field, value, address)?;
                }
                "pinPayees" => {
                    policy.pins_payees =
                        value.as_bool().ok_or_else(|| invalid(field, "must be true or false"))?;
                }
                "permit2" => {
                    policy.signs_permits =
                        value.as_bool().ok_or_else(|| invalid(field, "must be true or false"))?;
                }
                "payAgain" => {
                    policy.pays_again =
                        value.as_bool().ok_or_else(|| invalid(field, "must be true or false"))?;
                }
                "upto" => policy.upto = Some(cap(field, value)?),
                "uptoPerDay" => signed = Some(cap(field, value)?),
                "maxValiditySecs" => policy.max_validity_secs = within(field, value, 86_400)?,
                "deadlineSecs" => policy.deadline_secs = within(field, value, MAX_DEADLINE_SECS)?,
                "expires" => {
                    let time = value.as_str().and_then(|it| UnixTime::from_rfc3339(it).ok());
                    let wrong = "must be a time such as \"2030-01-31T12:00:00Z\"";
                    policy.expires = Some(time.ok_or_else(|| invalid(field, wrong))?);
                }
                "mpp" => policy.speakers = speakers(value)?,
                _ => return Err(invalid(shown(field), "is not a policy field")),
            }
        }
        // A missing cap equals that of the day.
        policy.per_hour = hour.unwrap_or(policy.per_day);
        policy.per_host = host.unwrap_or(policy.per_day);
        policy.per_payee = payee.unwrap_or(policy.per_day);
        policy.upto_per_day = signed.unwrap_or(policy.per_day);
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
            escrows: Vec::new(),
            pins_payees: true,
            signs_permits: false,
            pays_again: false,
            upto: None,
            upto_per_day: day,
            max_validity_secs: 3600,
            expires: None,
            deadline_secs: 60,
            speakers: Vec::new(),
        }
    }

    /// Whether this realm is the host's own, or the one that the policy names. With another server's
    /// realm the payment may count there.
    #[must_use]
    pub fn is_realm_of(&self, realm: &str, host: &str) -> bool {
        // Usually without the port.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let named = self.speaker(host).and_then(|speaker| speaker.realm.as_deref());
        realm.eq_ignore_ascii_case(name) || realm.eq_ignore_ascii_case(host) || named == Some(realm)
    }

    /// Whether a realm that is not the host's own may be pinned to it: the policy names none, and a
    /// record can keep it and a person read it as it is.
    #[must_use]
    pub fn may_pin(&self, realm: &str, host: &str) -> bool {
        let named = self.speaker(host).is_some_and(|speaker| speaker.realm.is_some());
        !named && (1..=MAX_REALM_BYTES).contains(&realm.len()) && clean(realm) == realm
    }

    /// The way to make the nonce for a challenge of `host`.
    #[must_use]
    pub fn framing(&self, host: &str) -> Framing {
        self.speaker(host).map_or(Framing::Listed, |speaker| speaker.framing)
    }

    /// Whether the policy says how this host speaks MPP.
    #[must_use]
    pub fn knows_speaker(&self, host: &str) -> bool {
        self.speaker(host).is_some()
    }

    fn speaker(&self, host: &str) -> Option<&Speaker> {
        self.speakers.iter().find(|speaker| speaker.host == host)
    }

    /// The asset of this contract, if it may be used; the server's description of it is ignored.
    ///
    /// # Errors
    /// [`Reason::UnsupportedNetwork`] for a network without a known asset,
    /// [`Reason::PolicyNetwork`], [`Reason::PolicyAsset`].
    pub fn asset(
        &self,
        network: &ChainId,
        contract: &Address,
        method: TransferMethod,
    ) -> Result<Asset, ClientError> {
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
        match known.filter(|token| token.eip3009 || method != TransferMethod::Eip3009) {
            Some(token) => Ok(pinned(token, network)),
            None => {
                let message = format!("the policy does not allow {contract} on {network}");
                Err(ClientError::new(Reason::PolicyAsset, message))
            }
        }
    }

    /// Whether the deposit of a session may go to this address. Whoever has it can keep all of it, so
    /// that a server's word is no reason to trust it.
    ///
    /// # Errors
    /// [`Reason::PolicyPayee`].
    pub fn admit_escrow(&self, escrow: &Address) -> Result<(), ClientError> {
        if self.escrows.contains(escrow) {
            return Ok(());
        }
        let message = format!(
            "the deposit of the session would go to {}, which policy.escrows does not name",
            escrow.to_checksum()
        );
        Err(ClientError::new(Reason::PolicyPayee, message))
    }

    /// Whether a payment may be signed whose price is known afterwards.
    #[must_use]
    pub const fn signs_bounds(&self) -> bool {
        self.upto.is_some()
    }

    /// Whether a request that a model has chosen may be sent, to see what it costs. Whoever reads what
    /// it was told by others chooses any URL: so that without `hosts` none inside a network is asked,
    /// and nothing but for an answer.
    ///
    /// # Errors
    /// [`Reason::PolicyHost`].
    pub fn may_look(&self, method: &str, url: &str) -> Result<(), ClientError> {
        let host = UrlPieces::of(url).map(|url| url.host_and_port()).unwrap_or_default();
        let host = host.to_ascii_lowercase();
        let fail = |message: String| Err(ClientError::new(Reason::PolicyHost, message));
        if let Some(hosts) = &self.hosts {
            let is_named = hosts.contains(&host);
            return if is_named {
                Ok(())
            } else {
                fail(format!("the policy does not allow {host}"))
            };
        }
        if Reach::of(&host) != Some(Reach::Public) || has_bad_port(&host) {
            return fail(format!("{host} is no public host, and policy.hosts does not name it"));
        }
        if !matches!(method, "GET" | "HEAD" | "OPTIONS") {
            return fail(format!(
                "a {method} may change something at {host}, which policy.hosts does not name"
            ));
        }
        Ok(())
    }

    /// Whether anything may be paid at this time.
    ///
    /// # Errors
    /// [`Reason::PolicyExpired`].
    pub fn admit(&self, now: UnixTime) -> Result<(), ClientError> {
        if self.expires.is_none_or(|expires| now < expires) {
            return Ok(());
        }
        Err(ClientError::new(Reason::PolicyExpired, "the time in policy.expires has passed"))
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
        if offer.is_bound() && self.upto.is_none_or(|most| offer.worth().is_none_or(|it| it > most))
        {
            let (price, symbol) = (offer.price(), &offer.asset.symbol);
            let most = self.upto.unwrap_or(Amount::ZERO).to_decimal(CAP_DECIMALS);
            let message = format!("the price is up to {price} {symbol}, and upto is {most}");
            return fail(Reason::PolicyAmount, message);
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
