//! The route table of a configuration.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::Value;

use super::assets::{check_price, names_one_network};
use super::choices::read_choice;
use super::pricer::{self, PricerConfig};
use super::route_config::{Inherited, RouteConfig, RouteReader, protocols};
use super::route_settings::{manner, methods};
use super::{bazaar, sessions, shape};
use crate::offer::{Choice, Offer, RouteSettings};
use crate::route::{Ask, Pattern, Rule};
use farebox_base::chain::ChainId;
use farebox_base::encoding::message::FromJson;
use farebox_base::http::MAX_CHALLENGE_BYTES;
use farebox_common::config::{Reader, TextOr};
use farebox_common::payment::Terms;

/// Limit on routes.
const MAX_ROUTES: usize = 1000;

/// Name of the stored table in errors: the key `routes` of the binding `CONFIG`. It is read like a
/// variable.
pub(super) const STORED: &str = "CONFIG routes";

/// The name of the variable with the route table.
pub(super) fn table_name(reader: &Reader) -> &'static str {
    ["PROTECTED_PATTERNS", "ROUTES", STORED]
        .into_iter()
        .rfind(|name| reader.vars.contains_key(*name))
        .unwrap_or("ROUTES")
}

/// Reads every route, with its offer if it is priced. Errors go to the reader.
pub(super) fn read(reader: &mut Reader, inherited: &Inherited) -> Vec<(Rule, Option<Offer>)> {
    let variable = table_name(reader);
    if variable == "ROUTES" && reader.vars.contains_key("PROTECTED_PATTERNS") {
        reader.fail("PROTECTED_PATTERNS", "ROUTES is set too; keep one of the two");
    }
    let list = match reader.value(variable) {
        Some(Value::Array(list)) if !list.is_empty() && list.len() <= MAX_ROUTES => list,
        Some(_) => {
            reader.fail(variable, "must be a list of 1 to 1000 routes");
            return Vec::new();
        }
        None if !reader.is_absent(variable) => return Vec::new(),
        None => {
            reader.fail(variable, "is missing; list the routes that cost money");
            return Vec::new();
        }
    };
    let mut routes = Vec::new();
    for (index, mut value) in list.into_iter().enumerate() {
        let place = format!("{variable}[{index}]");
        if variable == "PROTECTED_PATTERNS" {
            rename_pattern(&mut value);
        }
        if let Some((name, remedy)) = UNSOLD.iter().find(|(name, _)| value.get(name).is_some()) {
            reader.fail_at(&place, name, *remedy);
            continue;
        }
        let pricer = pricer::take(reader, &place, &mut value);
        if !shape::ROUTE.fits(reader, &place, &value) {
            continue;
        }
        match RouteConfig::from_json(&value) {
            Some(config) => {
                let (protocols, is_priced) = (inherited.protocols, pricer.is_some());
                let (place, config) = (&place, &config);
                let route = RouteReader { reader, inherited, place, config, protocols, is_priced };
                routes.extend(read_route(route, pricer));
            }
            None => reader.fail(&place, "has a value of the wrong kind"),
        }
    }
    routes
}

/// Fields of other gates that say how a route is sold, and why this one does not sell so.
const UNSOLD: [(&str, &str); 2] = [
    (
        "splits",
        "is not supported: paying several payees takes several transfers, each with an authorization of its own. \
         A facilitator settles one, and each could fail alone; remove it and split the money after you receive it",
    ),
    (
        "scheme",
        "is not supported: the token, unit_price and aggr_deferred decide it. \"period\" is paid to a \
         contract that this gate does not read; remove it",
    ),
];

/// `pattern` is the older name of `path`.
fn rename_pattern(value: &mut Value) {
    if let Some(object) = value.as_object_mut()
        && let Some(pattern) = object.remove("pattern")
    {
        object.insert("path".to_owned(), pattern);
    }
}

fn read_route(
    mut route: RouteReader<'_>,
    pricer: Option<PricerConfig>,
) -> Option<(Rule, Option<Offer>)> {
    let RouteReader { place, config, .. } = route;
    let pattern = match Pattern::parse(&config.path) {
        Ok(pattern) => pattern,
        Err(error) => {
            route.fail("path", error.to_string());
            return None;
        }
    };
    let methods = methods(route.reader, place, config.methods.as_ref())?;
    if let Some(names) = &config.protocols {
        route.protocols = protocols(route.reader, &format!("{place}.protocols"), names);
    }
    let route = &mut route;
    if matches!(&config.price, TextOr::Text(text) if text == "free") {
        return Some((Rule { pattern, methods, ask: Ask::Free }, None));
    }
    let Some(networks) = find_networks(route) else {
        check_price(route.reader, place, &config.price);
        return None;
    };
    check_confirmation(route, &networks);
    check_onchain(route, &networks);
    let manner = RouteSettings { protocols: route.protocols, ..manner(route)? };
    sessions::check_time(route, manner.origin_timeout_secs);
    let mut choices = Vec::new();
    for network in &networks {
        choices.push(read_choice(route, manner.mode, network)?);
    }
    if let Some(secs) = config.session_delay_secs {
        choices = sessions::by_session(route, secs, choices)?;
    }
    if !route.protocols.x402 && choices.iter().any(|choice| choice.terms.authorized().is_none()) {
        let remedy = "\"mpp\" needs a token with EIP-3009 on an EVM network; list \"x402\" too, or \
                      give the route such a token";
        route.fail("protocols", remedy);
    }
    check_sponsoring(route, &choices);
    let mut ask = asked(&choices);
    if config.aggr_deferred == Some(true) {
        choices.extend(defer_choices(route, &manner, &choices)?);
    }
    let mut offer = Offer::new(choices, manner);
    sessions::add_channel(route, &mut offer)?;
    if let Some(from) = pricer {
        // A price that the pricer will name compares with no other price.
        ask = Ask::Paid(Vec::from([(place.to_owned(), [0; 32])]));
        if offer.choices.iter().any(|choice| choice.terms.unit.is_some()) {
            let remedy = "has no meaning beside a pricing Worker; keep one of the two";
            route.fail("unit_price", remedy);
        }
        offer.pricer = Some(pricer::read(route.reader, place, from, &offer)?);
    }
    offer.bazaar = bazaar::read(route.reader, place, config.bazaar.as_ref(), &pattern, &methods);
    // Whoever stores a table does not know this gate's other variables: what an answer leaves out
    // when it gets too long ends no table.
    let is_stored = table_name(route.reader) == STORED;
    let least = if is_stored { Cow::Owned(offer.least()) } else { Cow::Borrowed(&offer) };
    if least.challenge_bytes("https://gate.example/") > MAX_CHALLENGE_BYTES {
        let remedy =
            "its 402 header would be longer than 8192 bytes; shorten the description or extra";
        route.reader.fail(place, remedy);
    }
    Some((Rule { pattern, methods, ask }, Some(offer)))
}

/// The prices of a route, by network and asset.
fn asked(choices: &[Choice]) -> Ask {
    let assets = choices.iter().map(|choice| {
        let Terms { network, asset, amount, .. } = &choice.terms;
        (format!("{network}/{asset}"), amount.to_be_bytes())
    });
    Ask::Paid(assets.collect())
}

/// The same ways to pay by scheme `aggr_deferred`; `None` after an error.
fn defer_choices(
    route: &mut RouteReader<'_>,
    manner: &RouteSettings,
    choices: &[Choice],
) -> Option<Vec<Choice>> {
    let sold: Vec<Choice> = choices.iter().filter_map(|it| it.deferred(manner.mode)).collect();
    if sold.is_empty() || !manner.protocols.x402 || manner.confirms || route.inherited.is_restored {
        let remedy = "needs a token with EIP-3009 on an EVM network, \"x402\" in protocols, \
                      confirm = \"facilitator\" and no LEDGER_CLOSED_BEFORE: its payments never \
                      end, and no chain shows them";
        route.fail("aggr_deferred", remedy);
        return None;
    }
    Some(sold)
}

/// The networks that a route can be paid on: those of `NETWORK`, or its own.
fn find_networks(route: &mut RouteReader<'_>) -> Option<Vec<ChainId>> {
    let RouteReader { inherited, config, .. } = *route;
    let all = &inherited.networks;
    match &config.network {
        None if all.len() > 1 && names_one_network(&config.price, config.asset.as_ref()) => {
            let remedy =
                "is missing: NETWORK lists several networks, and the asset belongs to one of them";
            route.fail("network", remedy);
            None
        }
        None => Some(all.clone()).filter(|all| !all.is_empty()),
        Some(text) => match ChainId::parse_or_name(text) {
            Ok(network) if all.contains(&network) => Some(Vec::from([network])),
            _ => {
                route.fail("network", "must be a network in NETWORK");
                None
            }
        },
    }
}

fn check_confirmation(route: &mut RouteReader<'_>, networks: &[ChainId]) {
    match route.config.confirm.as_deref() {
        None | Some("facilitator") => {}
        Some("chain") => {
            if let Some(blind) = networks.iter().find(|network| !route.is_readable(network)) {
                let remedy = format!("\"chain\" needs RPC_URL for {blind}; set it");
                route.fail("confirm", remedy);
            }
        }
        Some(_) => route.fail("confirm", "must be \"facilitator\" or \"chain\""),
    }
}

/// Checks that there is a permit to pass on: by Permit2, of a token whose domain payers are told.
fn check_sponsoring(route: &mut RouteReader<'_>, choices: &[Choice]) {
    if route.config.gas_sponsoring != Some(true) {
        return;
    }
    let mut permits = choices.iter().filter(|it| it.takes_permit()).peekable();
    let has_domain =
        |it: &Choice| ["name", "version"].iter().all(|name| it.terms.extra.contains_key(*name));
    if !route.protocols.x402 || permits.peek().is_none() {
        let remedy = "is for payments by Permit2 with \"x402\"; set asset_transfer_method = \"permit2\" or remove it";
        route.fail("gas_sponsoring", remedy);
    } else if !permits.all(has_domain) {
        let remedy =
            "needs name and version of the token, which payers sign; add them to its asset";
        route.fail("gas_sponsoring", remedy);
    }
}

/// Reads the settings for payments that the chain itself settles, which need a node to ask.
fn check_onchain(route: &mut RouteReader<'_>, networks: &[ChainId]) {
    let config = route.config;
    let wanted =
        [("signed_transactions", config.signed_transactions), ("hash_mode", config.hash_mode)];
    let evm = || networks.iter().filter(|network| network.evm_id().is_some());
    for (name, _) in wanted.into_iter().filter(|(_, wanted)| *wanted == Some(true)) {
        if !route.protocols.mpp {
            route.fail(name, "is a way to pay with \"mpp\"; list \"mpp\" in protocols");
        } else if evm().next().is_none() {
            route.fail(name, "needs an EVM network; give the route one or remove it");
        } else if let Some(blind) = evm().find(|network| !route.is_readable(network)) {
            route.fail(name, format!("needs RPC_URL for {blind}; set it"));
        }
    }
}
