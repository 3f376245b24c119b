//! From an operator's variables to the profiles that are served. Spec: docs/exchange.md,
//! "Variables".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

mod profile;

use self::profile::{SharedSettings, read_profile};
use super::gateway::Gateway;
use super::identity::Issuer;
use super::message::JsonAnswer;
use super::operator::OperatorLists;
use super::row::HoldKind;
use super::settings::{Profile, SettingsError};
use crate::gate::is_from_gate;
use crate::operator::is_operator;
use crate::text::{Members, list};
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::http::RequestHead;
use farebox_base::secret::Secret;
use farebox_common::config::{ConfigError, MAX_CONFIG_BYTES, Reader, network, nodes};
use farebox_evm::address::Address;

/// The variable with an entry for each profile.
const PROFILES: &str = "EXCHANGE_PROFILES";
const MIN_SECRET_BYTES: usize = 32;

/// The profiles that an operator serves, and what the Worker around them needs.
#[derive(Debug)]
pub struct Profiles {
    gateways: Vec<Gateway>,
    /// The origin of the gate, which has the till.
    pub till: String,
    /// Shared with the gate.
    origin_secret: Option<Secret<String>>,
    /// Shown to the treasury for payouts.
    pub payout_token: Option<Secret<String>>,
    /// Shown to the gate for reports of refunds.
    pub refund_token: Option<Secret<String>>,
    /// The issuer whose identity tokens are taken.
    pub issuer: Option<Issuer>,
    /// Opens the operator's paths; without it there are none.
    operator: Option<Secret<String>>,
    /// Signs the gate's notices.
    pub(super) notices: Option<Secret<String>>,
    nodes: Vec<(Option<ChainId>, String)>,
}

impl Profiles {
    /// Reads one JSON object of variables and secrets; `None` without
    /// `EXCHANGE_PROFILES`. The member
    /// `bindings` lists the names of what the platform binds.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    ///
    /// # Examples
    /// ```
    /// use farebox_market::compute::vars::Profiles;
    /// assert!(Profiles::from_vars("{}").unwrap().is_none());
    /// let wrong = Profiles::from_vars(r#"{"EXCHANGE_PROFILES": []}"#).unwrap_err();
    /// assert!(wrong.iter().any(|error| error.variable == "EXCHANGE_SECRET"));
    /// ```
    pub fn from_vars(text: &str) -> Result<Option<Self>, Vec<ConfigError>> {
        let mut reader = match json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES) {
            Ok(Value::Object(vars)) => Reader::new(vars),
            _ => {
                let remedy = "must be one JSON object of at most 256 KiB".to_string();
                return Err(Vec::from([ConfigError { variable: "vars".to_string(), remedy }]));
            }
        };
        if reader.is_absent(PROFILES) {
            return Ok(None);
        }
        match read(&mut reader) {
            Some(profiles) if reader.errors.is_empty() => Ok(Some(profiles)),
            _ => Err(reader.errors),
        }
    }

    /// The gateway of a profile, if it is served.
    #[must_use]
    pub fn gateway(&self, profile: Profile) -> Option<&Gateway> {
        self.gateways.iter().find(|gateway| gateway.profile() == profile)
    }

    /// Every gateway.
    pub fn gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.gateways.iter()
    }

    /// The profile of who names none, as clients of the original do: the main network's, if it is
    /// served, else the test network's, else the demo's.
    #[must_use]
    pub fn usual(&self) -> Profile {
        let mut known = Profile::ALL.into_iter().rev();
        known.find(|it| self.gateway(*it).is_some()).unwrap_or(Profile::LiveMainnet)
    }

    /// Whether text is the value of `Authorization` that the operator shows.
    #[must_use]
    pub fn is_operator(&self, authorization: &str) -> bool {
        self.operator.as_ref().is_some_and(|operator| is_operator(operator, authorization))
    }

    /// Whether the gate has signed a request within 300 seconds, whatever it asks for.
    #[must_use]
    pub fn is_from_gate(&self, head: &RequestHead, now_ms: u64) -> bool {
        is_from_gate(self.origin_secret.as_ref(), head, now_ms)
    }

    /// Whether the value of `Authorization` is a session of a seller that has not ended: it may have been revoked.
    #[must_use]
    pub fn is_session(&self, authorization: &str, now: u64) -> bool {
        self.gateways.iter().any(|it| it.sessions().read(authorization, now).is_ok())
    }

    /// `GET operator/profiles`: every profile that is served, the usual one first.
    pub fn list_profiles(&self) -> JsonAnswer {
        let usual = self.usual();
        let mut all: Vec<&Gateway> = self.gateways.iter().collect();
        all.sort_by_key(|gateway| gateway.profile() != usual);
        let items = all
            .into_iter()
            .map(|gateway| OperatorLists { profile: &gateway.profile }.profile_members().done());
        let body = Members::new().raw("items", &list(items)).raw("next", "null");
        JsonAnswer::new(200, body.done())
    }

    /// The node of a profile's network.
    #[must_use]
    pub fn node(&self, profile: Profile) -> Option<&str> {
        nodes::of(&self.nodes, &self.gateway(profile)?.profile.network)
    }
}

fn read(reader: &mut Reader) -> Option<Profiles> {
    let only_test = reader.switch("TEST_NETWORKS_ONLY");
    let secret = reader.secret("EXCHANGE_SECRET", MIN_SECRET_BYTES);
    let previous = read_optional(reader, "EXCHANGE_SECRET_PREVIOUS", MIN_SECRET_BYTES);
    let till = reader.origin("MARKET_URL");
    if till.is_none() && reader.is_absent("MARKET_URL") {
        reader.fail("MARKET_URL", "is missing; set the address of the gate, which has the till");
    }
    let url =
        if reader.is_absent("EXCHANGE_URL") { till.clone() } else { reader.origin("EXCHANGE_URL") };
    let nodes = nodes::read(reader);
    let issuer = read_issuer(reader);
    let notices = read_optional(reader, "WEBHOOK_SECRET", 16);
    let payout_token = read_optional(reader, "PAYOUT_TOKEN", MIN_SECRET_BYTES);
    let operator = read_optional(reader, "OPERATOR_TOKEN", MIN_SECRET_BYTES);
    let refund_token = read_optional(reader, "REFUND_TOKEN", MIN_SECRET_BYTES);
    // What is wrong in an entry is said also where a secret is not known, as on the machine of a check.
    let secret = secret.unwrap_or_else(|| Secret::new("-".repeat(MIN_SECRET_BYTES)));
    let shared = SharedSettings { url: url.unwrap_or_default(), secret, previous, only_test };
    let gateways = read_gateways(reader, &shared)?;
    let origin_secret = read_origin_secret(reader, &gateways);
    check_bindings(reader, &gateways);
    let till = till?;
    Some(Profiles {
        gateways,
        till,
        origin_secret,
        payout_token,
        refund_token,
        issuer,
        operator,
        notices,
        nodes,
    })
}

/// Reads the gateway of each profile; a wrong one is left out.
fn read_gateways(reader: &mut Reader, shared: &SharedSettings) -> Option<Vec<Gateway>> {
    let list = match reader.value(PROFILES) {
        Some(Value::Array(list)) if !list.is_empty() => list,
        _ => {
            let remedy = "must be a list with an entry for each network profile, such as \
                 [{\"profile\": \"live-testnet\", \"network\": \"eip155:84532\", …}]";
            reader.fail(PROFILES, remedy);
            return None;
        }
    };
    let skills = read_skills(reader);
    let mut gateways: Vec<Gateway> = Vec::new();
    for (number, entry) in list.iter().enumerate() {
        let place = format!("{PROFILES}[{number}]");
        let Some(set) = read_profile(reader, &place, entry, shared) else { continue };
        if shared.only_test && set.network.is_main_network() {
            let remedy = "is a main network, and TEST_NETWORKS_ONLY is set";
            reader.fail_at(&place, "network", remedy);
            continue;
        }
        let gateway = match Gateway::new(set) {
            Ok(gateway) => gateway,
            Err(error) => {
                reader.fail(&place_of(&place, error), error.to_string());
                continue;
            }
        };
        check_apart(reader, &place, &gateway, &gateways);
        check_wallets(reader, &place, &gateway, &gateways, &skills);
        gateways.push(gateway);
    }
    Some(gateways)
}

/// Checks that a profile is told apart from those before it.
fn check_apart(reader: &mut Reader, place: &str, gateway: &Gateway, others: &[Gateway]) {
    if others.iter().any(|known| known.profile() == gateway.profile()) {
        reader.fail_at(place, "profile", "is named twice; keep one of the two");
    }
    // A notice of the gate says nothing else of where a payment belongs.
    if others.iter().any(|known| known.profile.shares_money(&gateway.profile)) {
        let remedy = "holds money of the same network and asset as another profile; \
             give one of the two another asset or another hold";
        reader.fail_at(place, "hold", remedy);
    }
}

/// Checks that no transfer to a wallet of a profile pays for something else too.
fn check_wallets(
    reader: &mut Reader,
    place: &str,
    gateway: &Gateway,
    others: &[Gateway],
    skills: &SkillSettings,
) {
    let sales = skills.pay_to.filter(|_| skills.are_on(&gateway.profile.network));
    // Each object knows the transfers that it has taken, and no other's.
    if gateway.older.direct_transfers.is_some() && sales == Some(gateway.profile.escrow) {
        let remedy = "is PAY_TO, and direct_transfers is set: one transfer would pay for a job and \
             for what the market sells; give one of the two another wallet";
        reader.fail_at(place, "escrow", remedy);
    }
    // What proves a bond has to be paid for nothing else.
    let is_till = |it: &Gateway| {
        it.profile.network == gateway.profile.network
            && (it.takes_money_at(&gateway.bonds) || gateway.takes_money_at(&it.bonds))
    };
    if sales == Some(gateway.bonds) || others.iter().any(is_till) {
        let remedy = "is PAY_TO, or holds the money of another profile; give bonds a wallet that \
             nothing else is paid to";
        reader.fail_at(place, "bonds", remedy);
    }
}

/// The settings of skills beside an exchange that tell apart what is paid for which.
struct SkillSettings {
    pay_to: Option<Address>,
    /// None where they cannot be read.
    networks: Vec<ChainId>,
}

impl SkillSettings {
    fn are_on(&self, network: &ChainId) -> bool {
        self.networks.is_empty() || self.networks.contains(network)
    }
}

/// Reads `PAY_TO` and `NETWORK`. What is wrong with them ends the skills alone.
fn read_skills(reader: &mut Reader) -> SkillSettings {
    let known = reader.errors.len();
    let pay_to = reader.text("PAY_TO").and_then(|text| Address::parse(&text).ok());
    let networks = network::read(reader, |_| true);
    reader.errors.truncate(known);
    SkillSettings { pay_to, networks }
}

/// `ORIGIN_SECRET`: the gate signs with it what it says was paid.
fn read_origin_secret(reader: &mut Reader, gateways: &[Gateway]) -> Option<Secret<String>> {
    if gateways.iter().any(|it| it.profile.hold.has_till()) {
        reader.secret("ORIGIN_SECRET", MIN_SECRET_BYTES)
    } else {
        read_optional(reader, "ORIGIN_SECRET", MIN_SECRET_BYTES)
    }
}

/// Whether `EXCHANGE_PROFILES` names one whose jobs are paid at the gate's till.
pub(crate) fn has_till(reader: &mut Reader) -> bool {
    // What is wrong with them ends the exchange alone.
    let known = reader.errors.len();
    let profiles = reader.value(PROFILES).unwrap_or(Value::Null);
    reader.errors.truncate(known);
    let holds = profiles.as_array().into_iter().flatten();
    let mut holds = holds.filter_map(|entry| HoldKind::from_name(entry.get("hold")?.as_str()?));
    holds.any(HoldKind::has_till)
}

/// Checks the Worker's other settings that the holds need.
fn check_bindings(reader: &mut Reader, gateways: &[Gateway]) {
    let is_any = |kinds: &[HoldKind]| gateways.iter().any(|it| kinds.contains(&it.profile.hold));
    if gateways.iter().any(|it| it.profile.hold.has_till()) && !reader.is_bound("GATE") {
        reader.fail("GATE", "is not bound; bind the gate, which takes the money");
    }
    if is_any(&[HoldKind::Escrow, HoldKind::Contract]) {
        reader.secret("PAYOUT_TOKEN", MIN_SECRET_BYTES);
        if !reader.is_bound("TREASURY") {
            reader.fail("TREASURY", "is not bound; bind the treasury, whose wallet holds money");
        }
    }
    if !reader.is_bound("EXCHANGE") {
        reader.fail("EXCHANGE", "is not bound; bind the object that keeps sellers and jobs");
    }
}

/// Where the fault of a setting is.
fn place_of(place: &str, error: SettingsError) -> String {
    let member = match error {
        SettingsError::Asset => "asset",
        SettingsError::Network => "network",
        SettingsError::Mock => "hold",
        SettingsError::Secret => return "EXCHANGE_SECRET".to_string(),
        SettingsError::Escrow => "escrow",
        SettingsError::Bonds => "bonds",
        SettingsError::MaxPrice => "max_price",
        SettingsError::MinPrice => "min_price",
        SettingsError::PerDay => "per_day",
    };
    format!("{place}.{member}")
}

/// `IDENTITY`: whose tokens say who a seller is.
fn read_issuer(reader: &mut Reader) -> Option<Issuer> {
    let value = reader.value("IDENTITY")?;
    let text = |name: &str| value.get(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    let (Some(name), Some(keys)) = (text("issuer"), text("jwks")) else {
        let remedy = "must be an object with issuer, the `iss` of its tokens, and jwks, a URL";
        reader.fail("IDENTITY", remedy);
        return None;
    };
    let keys = nodes::checked(reader, "IDENTITY.jwks", keys)?;
    if value.get("audience").is_some() && text("audience").is_none() {
        reader.fail("IDENTITY.audience", "must be text, the `aud` of its tokens");
    }
    let audience = text("audience").map(ToString::to_string);
    Some(Issuer { name: name.to_string(), keys, audience })
}

fn read_optional(reader: &mut Reader, name: &str, min_bytes: usize) -> Option<Secret<String>> {
    if reader.is_absent(name) { None } else { reader.secret(name, min_bytes) }
}
