//! From an operator's variables to a [`Gate`]. Spec: docs/configuration.md.
//!
//! Variables come as one JSON object; structured values may be JSON or JSON text. No setting that
//! costs money has a silent default: what is missing, unknown, contradictory or not supported by
//! this version is an error that names the variable and the remedy. `table` finds the route table
//! in effect, `routes` reads it.

mod assets;
mod auth;
mod bazaar;
mod choices;
mod clients;
mod cors;
mod facilitators;
mod operator;
mod places;
mod pricer;
mod publish;
mod recovery;
mod refunds;
mod route_config;
mod route_settings;
mod routes;
mod secrets;
mod sessions;
mod shape;
mod table;
mod test_networks;
mod wallets;

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZeroU32;

use serde_json::Value;

use self::route_config::{Inherited, protocols};
use self::secrets::GateSecrets;
pub use self::table::Routes;
use super::Gate;
use super::clients::Clients;
use super::offer::{Offer, Protocols};
use super::parts::{Chains, PayerRules, PricedRoutes, Public, Shards, Upstream};
use super::publish::{Publication, listing::Listing};
use super::restore::Restore;
use super::route::Unlisted;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{hex, json};
use farebox_base::secret::Secret;
use farebox_base::time::UnixTime;
use farebox_common::config::{ConfigError, MAX_CONFIG_BYTES, Reader, network};
use farebox_evm::account::Account;
use farebox_evm::wallet::Wallets;
use farebox_wire::x402::opaque::ChainKind;

/// Deadline for the head of a free route's answer, seconds.
const FREE_TIMEOUT_SECS: u64 = 60;

impl Gate {
    /// Builds a gate from one JSON object of variables and secrets.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    ///
    /// # Examples
    /// ```
    /// use farebox_common::config::ConfigError;
    /// use farebox_gate::Gate;
    /// let wrong = Gate::from_vars(r#"{"DEFAULT": "closed", "NETWORK": "eip155:84532"}"#).unwrap_err();
    /// let expected = ConfigError { variable: "DEFAULT".into(), remedy: "must be \"free\" or \"deny\"".into() };
    /// assert!(wrong.contains(&expected));
    /// assert!(wrong.iter().any(|error| error.to_string().starts_with("PAY_TO: is missing")));
    /// ```
    pub fn from_vars(text: &str) -> Result<Self, Vec<ConfigError>> {
        Self::configured(text, Routes::Variables)
    }

    /// Builds a gate like [`Gate::from_vars`], with the route table in effect.
    ///
    /// # Errors Everything that is wrong, not only the first thing.
    pub fn configured(text: &str, routes: Routes<'_>) -> Result<Self, Vec<ConfigError>> {
        let Ok(Value::Object(vars)) = json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES) else {
            let remedy = "must be one JSON object of at most 256 KiB".to_owned();
            return Err(Vec::from([ConfigError { variable: "vars".to_owned(), remedy }]));
        };
        let mut reader = Reader::new(vars);
        table::add_table(&mut reader, routes, text.len());
        let gate = read(&mut reader, routes);
        match gate {
            Some(gate) if reader.errors.is_empty() => Ok(gate),
            _ => Err(reader.errors),
        }
    }
}

/// Latest time of a restore, and most of them.
const MAX_RESTORE: u64 = 1 << 40;
const MAX_RESTORES: usize = 8;

fn read(reader: &mut Reader, routes: Routes<'_>) -> Option<Gate> {
    let recovery = recovery::read(reader);
    let max_validity_secs = reader.number("MAX_VALIDITY_SECS", 3600, 120, 86_400);
    let in_flight = reader.number("MAX_IN_FLIGHT_PER_PAYER", 16, 1, 1000);
    let keep_hours = reader.number("KEEP_RESPONSES_HOURS", 24, 0, 8760);
    let keep_days = reader.number("KEEP_PAYMENTS_DAYS", 400, 1, 36_500);
    let most_mb = reader.number("LEDGER_MAX_MB", 10_000, 1, 10_000);
    let restores = restores(reader);
    let restored = restores.first().copied().unwrap_or(0);
    let at = (restored > 0).then(|| UnixTime::from_secs(restored));
    let restore = Restore { at, max_validity_secs };
    let shards = shards(reader);
    let networks = network::read(reader, |network| ChainKind::of(network).is_some());
    test_networks::check(reader, &networks);
    let pay_to = pay_to(reader, &networks);
    let unlisted = unlisted(reader);
    let wallets = wallets::read(reader);
    let protocols = default_protocols(reader);
    let (origin, residence) = places::read(reader);
    let chains = Chains { rpc: network::rpc(reader, &networks) };
    let (settlers, listed) = facilitators::read(reader, &networks);
    let secrets = GateSecrets::read(reader);
    let readable: Vec<String> = chains.rpc.iter().map(|(network, _)| network.clone()).collect();
    let refunds = refunds::read(reader, &networks, pay_to.as_ref(), &chains);
    let operated =
        operator::read(reader, &readable, operator::keeps(keep_hours, keep_days, most_mb));
    let clients = clients::read(reader);
    let (publish, service) = publish::read(reader);
    let inherited = Inherited {
        networks: networks.clone(),
        facilitators: listed,
        pay_to,
        settle_secs: recovery.settle_secs,
        max_validity_secs,
        keeps_responses: keep_hours > 0,
        readable,
        protocols,
        is_restored: restored > 0,
        has_channels: reader.is_bound("CHANNEL"),
        has_pages: reader.is_bound("PAGES"),
        authorizer: match reader.is_bound("CHANNEL") {
            true => secrets.authorizer(restored),
            false => None,
        },
        payee: payee(reader),
        service: Arc::new(service.info()),
    };
    let (table, mut offers) = table::read(reader, &inherited, unlisted, routes)?;
    sessions::share_costs(&mut offers);
    refunds::check_till(reader, refunds.as_ref(), &offers);
    let keys = secrets.keys()?.paid_to(inherited.payee).restored_at(&restores);
    let protocols = spoken(&offers);
    let listing = Listing::new(&table, &offers);
    Some(Gate {
        routes: PricedRoutes { table, offers },
        origin: Upstream { asked: origin?, placement: residence, timeout_secs: FREE_TIMEOUT_SECS },
        settlement: recovery.settlement(
            settlers,
            &inherited.readable,
            restored,
            refunds.as_ref().map(|refunds| refunds.plan.clone()),
        ),
        payers: payer_rules(clients, wallets, in_flight, restore),
        chains,
        shards,
        keys,
        operated,
        refunds,
        public: Public {
            protocols,
            networks: networks.iter().map(ToString::to_string).collect(),
            publication: Publication { publish, service, listing },
        },
    })
}

/// Reads the account that is paid where a route names no other.
fn pay_to(reader: &mut Reader, networks: &[ChainId]) -> Option<Value> {
    let pay_to = reader.value("PAY_TO");
    if reader.is_absent("PAY_TO") {
        reader.fail("PAY_TO", "is missing; set the address that is paid");
    }
    network::refuse_key(reader, pay_to.as_ref(), networks);
    pay_to
}

fn unlisted(reader: &mut Reader) -> Unlisted {
    match reader.text("DEFAULT").as_deref() {
        None | Some("free") => Unlisted::Free,
        Some("deny") => Unlisted::Deny,
        Some(_) => {
            reader.fail("DEFAULT", "must be \"free\" or \"deny\"");
            Unlisted::Deny
        }
    }
}

/// Reads the protocols of a route that names none.
fn default_protocols(reader: &mut Reader) -> Protocols {
    match reader.texts("PROTOCOLS") {
        Some(names) => protocols(reader, "PROTOCOLS", &names),
        None => Protocols::ALL,
    }
}

/// The protocols of any route.
fn spoken(offers: &[Option<Offer>]) -> Vec<&'static str> {
    let speaks = |name: &str| {
        offers
            .iter()
            .flatten()
            .any(|offer| offer.settings.protocols.names().any(|protocol| protocol == name))
    };
    Protocols::ALL.names().filter(|name| speaks(name)).collect()
}

/// The rules for payers, after this restore.
fn payer_rules(
    clients: Clients,
    wallets: Option<Wallets>,
    in_flight: u64,
    restore: Restore,
) -> PayerRules {
    PayerRules {
        clients,
        wallets,
        in_flight: u32::try_from(in_flight)
            .ok()
            .and_then(NonZeroU32::new)
            .unwrap_or(NonZeroU32::MIN),
        restore,
    }
}

/// Reads the key of the payee of sessions.
fn payee(reader: &mut Reader) -> Option<Account> {
    const NAME: &str = "PAYEE_KEY";
    if reader.is_absent(NAME) {
        return None;
    }
    let secret = reader.secret(NAME, 66)?;
    let bytes = hex::decode_array(secret.expose()).ok().map(Secret::new);
    let account = bytes.and_then(|bytes| Account::from_candidates(core::iter::once(bytes)));
    if account.is_none() {
        reader.fail(NAME, "must hold 0x and 64 hex digits; set it again");
    }
    account
}

/// Reads the times of restores, newest first: those before the newest tell whose channels were opened
/// between two of them.
fn restores(reader: &mut Reader) -> Vec<u64> {
    const NAME: &str = "LEDGER_CLOSED_BEFORE";
    let text = match reader.vars.get(NAME) {
        Some(Value::String(text)) if text.contains(',') => text.clone(),
        _ => return Vec::from([reader.number("LEDGER_CLOSED_BEFORE", 0, 0, 1 << 40)]),
    };
    let time = |text: &str| text.trim().parse().ok().filter(|at| (1..=MAX_RESTORE).contains(at));
    let times: Option<Vec<u64>> = text.split(',').map(time).collect();
    let is_right = |times: &Vec<u64>| {
        times.len() <= MAX_RESTORES && times.is_sorted_by(|one, next| one > next)
    };
    times.filter(is_right).unwrap_or_else(|| {
        reader.fail(NAME, "must be one time, or up to 8 as \"newest,earlier\", newest first");
        Vec::new()
    })
}

/// Reads the number of ledger objects, and the number before a change: "new,old" while it is under
/// way, "new+old" after that.
fn shards(reader: &mut Reader) -> Shards {
    let text = match reader.vars.get("LEDGER_SHARDS") {
        Some(Value::String(text)) if text.contains([',', '+']) => text.clone(),
        _ => {
            let count = reader.number("LEDGER_SHARDS", 16, 1, 4096);
            return Shards { count, old: None, is_over: false };
        }
    };
    let is_over = text.contains('+');
    let count = |text: &str| text.trim().parse().ok().filter(|count| (1..=4096).contains(count));
    match text.split_once([',', '+']).map(|(new, old)| (count(new), count(old))) {
        Some((Some(new), Some(old))) if new != old => {
            Shards { count: new, old: Some(old), is_over }
        }
        _ => {
            let remedy = "must be one number from 1 to 4096, \"new,old\" while it changes, or \"new+old\" after that";
            reader.fail("LEDGER_SHARDS", remedy);
            Shards { count: 1, old: None, is_over: false }
        }
    }
}
