//! The route table of a configuration.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::assets::{AssetConfig, PriceConfig, names_one_network, price};
use super::facilitators::serving;
use super::pricer::{self, PricerConfig};
use super::route_settings::{manner, methods};
use super::{Inherited, bazaar, protocols, shape};
use crate::amount::Amount;
use crate::chain::ChainId;
use crate::channel::config::ChannelConfig;
use crate::channel::escrow::{Escrow, EscrowContract};
use crate::config::network::pay_to;
use crate::config::{Reader, TextOr};
use crate::encoding::message::{FromJson, read_struct};
use crate::evm::account::Account;
use crate::evm::address::Address;
use crate::evm::permit2;
use crate::gate::offer::{Choice, Offer, Protocols, RouteSettings};
use crate::gate::route::{Ask, Pattern, Rule};
use crate::gate::session::mpp::meter::StreamMeter;
use crate::gate::session::mpp::terms::ChannelOffer;
use crate::http::MAX_CHALLENGE_BYTES;
use crate::ledger::command::Mode;
use crate::mpp::session::UnitType;
use crate::payment::{SignedToken, Terms, TransferMethod};

/// Limit on routes.
const MAX_ROUTES: usize = 1000;

#[derive(Clone, Debug)]
pub(super) struct RouteConfig {
    pub path: String,
    pub methods: Option<TextOr<Vec<String>>>,
    pub price: PriceConfig,
    pub settle: Option<Mode>,
    pub protocols: Option<Vec<String>>,
    pub network: Option<String>,
    pub pay_to: Option<Value>,
    pub asset: Option<AssetConfig>,
    pub asset_transfer_method: Option<String>,
    pub unit_price: Option<String>,
    pub description: String,
    pub mime_type: Option<String>,
    pub max_timeout_secs: Option<u64>,
    pub origin_timeout_secs: Option<u64>,
    pub store: Option<bool>,
    pub idempotent: Option<bool>,
    pub confirm: Option<String>,
    pub diagnostics: Option<Value>,
    pub api_keys: Option<bool>,
    pub free: Option<Value>,
    pub digest: Option<bool>,
    pub bazaar: Option<Value>,
    pub signed_transactions: Option<bool>,
    pub hash_mode: Option<bool>,
    pub aggr_deferred: Option<bool>,
    pub session_delay_secs: Option<u64>,
    pub session_escrow: Option<String>,
    pub session_fee_payer: Option<String>,
    pub session_unit: Option<String>,
    pub session_unit_price: Option<String>,
    pub session_step: Option<u64>,
    pub session_pause_secs: Option<u64>,
    pub cors: Option<Value>,
}

read_struct!(RouteConfig {
    path, methods, price, settle, protocols, network, pay_to, asset, asset_transfer_method,
    unit_price, mime_type, max_timeout_secs, origin_timeout_secs, store, idempotent, confirm,
    diagnostics, api_keys, free, digest, bazaar, signed_transactions, hash_mode,
    aggr_deferred, session_delay_secs, session_escrow, session_fee_payer, session_unit, session_unit_price, session_step,
    session_pause_secs, cors;
    description
});

/// Reads every route, with its offer if it is priced. Errors go to the reader.
pub(super) fn read(reader: &mut Reader, inherited: &Inherited) -> Vec<(Rule, Option<Offer>)> {
    let variable = reader.table();
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
            reader.fail(&format!("{place}.{name}"), *remedy);
            continue;
        }
        let pricer = pricer::take(reader, &place, &mut value);
        if !shape::ROUTE.fits(reader, &place, &value) {
            continue;
        }
        match RouteConfig::from_json(&value) {
            Some(config) => routes.extend(route(reader, inherited, &place, (config, pricer))),
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

fn route(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    (config, pricer): (RouteConfig, Option<PricerConfig>),
) -> Option<(Rule, Option<Offer>)> {
    let pattern = match Pattern::parse(&config.path) {
        Ok(pattern) => pattern,
        Err(error) => {
            reader.fail(&format!("{place}.path"), error.to_string());
            return None;
        }
    };
    let methods = methods(reader, place, config.methods.as_ref())?;
    let protocols = match &config.protocols {
        Some(names) => protocols(reader, &format!("{place}.protocols"), names),
        None => inherited.protocols,
    };
    if matches!(&config.price, TextOr::Text(text) if text == "free") {
        return Some((Rule { pattern, methods, ask: Ask::Free }, None));
    }
    let networks = networks(reader, inherited, place, &config)?;
    confirmation(reader, inherited, place, &config, &networks);
    onchain(reader, inherited, place, (&config, protocols), &networks);
    let manner = RouteSettings { protocols, ..manner(reader, inherited, place, &config)? };
    if config.session_escrow.is_some() || config.session_delay_secs.is_some() {
        let delay = config.session_delay_secs.unwrap_or(*ChannelOffer::DELAYS.start());
        let most = delay.checked_div(3).unwrap_or_default();
        if manner.origin_timeout_secs > most {
            let remedy = format!(
                "must be at most {most} beside sessions, a third of session_delay_secs (900 if \
                 not set): a payer may withdraw while the origin works"
            );
            reader.fail(&format!("{place}.origin_timeout_secs"), remedy);
        }
    }
    let mut choices = Vec::new();
    for network in &networks {
        choices.push(choice(reader, inherited, place, (&config, manner.mode), network)?);
    }
    if let Some(secs) = config.session_delay_secs {
        let sold = (secs, protocols, pricer.is_some());
        choices = by_session(reader, inherited, place, (&config, sold), choices)?;
    }
    if !protocols.x402 && choices.iter().any(|choice| choice.terms.authorized().is_none()) {
        let remedy = "\"mpp\" needs a token with EIP-3009 on an EVM network; list \"x402\" too, or \
                      give the route such a token";
        reader.fail(&format!("{place}.protocols"), remedy);
    }
    let assets = choices.iter().map(|choice| {
        let Terms { network, asset, amount, .. } = &choice.terms;
        (format!("{network}/{asset}"), amount.to_be_bytes())
    });
    let mut ask = Ask::Paid(assets.collect());
    if config.aggr_deferred == Some(true) {
        let sold: Vec<Choice> = choices.iter().filter_map(|it| it.deferred(manner.mode)).collect();
        if sold.is_empty() || !protocols.x402 || manner.confirms || inherited.is_restored {
            let remedy = "needs a token with EIP-3009 on an EVM network, \"x402\" in protocols, \
                          confirm = \"facilitator\" and no LEDGER_CLOSED_BEFORE: its payments never \
                          end, and no chain shows them";
            reader.fail(&[place, ".aggr_deferred"].concat(), remedy);
            return None;
        }
        choices.extend(sold);
    }
    let mut offer = Offer::new(choices, manner);
    let is_metered = config.session_unit.is_some() || config.session_unit_price.is_some();
    if is_metered {
        offer.meter = Some(meter(reader, place, &config, &offer)?);
    }
    if let Some(escrow) = &config.session_escrow {
        let sends_from = match &config.session_fee_payer {
            Some(least) => Some(sends_from(reader, place, least, &offer)?),
            None => None,
        };
        let sold = (escrow.as_str(), config.session_delay_secs, pricer.is_some());
        offer.channel = Some(by_channel(reader, inherited, place, (sold, sends_from), &offer)?);
    } else if config.session_fee_payer.is_some() {
        let member = [place, ".session_fee_payer"].concat();
        reader.fail(&member, "needs session_escrow; set it");
    }
    if let Some(from) = pricer {
        // A price that the pricer will name compares with no other price.
        ask = Ask::Paid(Vec::from([(place.to_owned(), [0; 32])]));
        if offer.choices.iter().any(|choice| choice.terms.unit.is_some()) {
            reader.fail(
                &format!("{place}.unit_price"),
                "has no meaning beside a pricing Worker; keep one of the two",
            );
        }
        offer.pricer = Some(pricer::read(reader, place, from, &offer)?);
    }
    let told = (&pattern, &methods);
    offer.bazaar = bazaar::read(reader, place, config.bazaar.as_ref(), told);
    if offer.challenge_bytes("https://gate.example/") > MAX_CHALLENGE_BYTES {
        reader.fail(
            place,
            "its 402 header would be longer than 8192 bytes; shorten the description or extra",
        );
    }
    Some((Rule { pattern, methods, ask }, Some(offer)))
}

/// The networks that a route can be paid on: those of `NETWORK`, or its own.
fn networks(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    config: &RouteConfig,
) -> Option<Vec<ChainId>> {
    let all = &inherited.networks;
    match &config.network {
        None if all.len() > 1 && names_one_network(&config.price, config.asset.as_ref()) => {
            let remedy =
                "is missing: NETWORK lists several networks, and the asset belongs to one of them";
            reader.fail(&format!("{place}.network"), remedy);
            None
        }
        None => Some(all.clone()).filter(|all| !all.is_empty()),
        Some(text) => match ChainId::parse_or_name(text) {
            Ok(network) if all.contains(&network) => Some(Vec::from([network])),
            _ => {
                reader.fail(&format!("{place}.network"), "must be a network in NETWORK");
                None
            }
        },
    }
}

fn confirmation(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    config: &RouteConfig,
    networks: &[ChainId],
) {
    let readable =
        |network: &ChainId| inherited.readable.iter().any(|known| *known == network.as_str());
    match config.confirm.as_deref() {
        None | Some("facilitator") => {}
        Some("chain") => {
            if let Some(blind) = networks.iter().find(|network| !readable(network)) {
                let remedy = format!("\"chain\" needs RPC_URL for {blind}; set it");
                reader.fail(&format!("{place}.confirm"), remedy);
            }
        }
        Some(_) => {
            reader.fail(&format!("{place}.confirm"), "must be \"facilitator\" or \"chain\"");
        }
    }
}

/// Reads the settings for payments that the chain itself settles, which need a node to ask.
fn onchain(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    (config, protocols): (&RouteConfig, Protocols),
    networks: &[ChainId],
) {
    let wanted =
        [("signed_transactions", config.signed_transactions), ("hash_mode", config.hash_mode)];
    let evm = || networks.iter().filter(|network| network.evm_id().is_some());
    let readable =
        |network: &ChainId| inherited.readable.iter().any(|known| *known == network.as_str());
    for (name, _) in wanted.into_iter().filter(|(_, wanted)| *wanted == Some(true)) {
        let variable = format!("{place}.{name}");
        if !protocols.mpp {
            reader.fail(&variable, "is a way to pay with \"mpp\"; list \"mpp\" in protocols");
        } else if evm().next().is_none() {
            reader.fail(&variable, "needs an EVM network; give the route one or remove it");
        } else if let Some(blind) = evm().find(|network| !readable(network)) {
            reader.fail(&variable, format!("needs RPC_URL for {blind}; set it"));
        }
    }
}

/// The same ways to pay, on EVM chains by session too.
fn by_session(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    (config, (secs, protocols, is_priced)): (&RouteConfig, (u64, Protocols, bool)),
    choices: Vec<Choice>,
) -> Option<Vec<Choice>> {
    let variable = format!("{place}.session_delay_secs");
    let Some(authorizer) = &inherited.authorizer else {
        reader.fail(&variable, "needs the binding CHANNEL, an object of class Channel; bind it");
        return None;
    };
    if !ChannelConfig::WITHDRAW_DELAYS.contains(&secs) {
        reader.fail(&variable, format!("is {secs}; must be from 900 to 2592000"));
        return None;
    }
    let authorizer = authorizer.address().to_checksum();
    let mut deposited = |choice: Choice| match deposits(reader, place, config, &choice) {
        Some(token) => choice.by_session(secs, &authorizer, token),
        None => choice,
    };
    let choices: Vec<Choice> = choices.into_iter().map(&mut deposited).collect();
    if is_priced || !protocols.x402 || choices.iter().all(|it| it.session.is_none()) {
        let remedy = "needs a fixed price, \"x402\" in protocols and a token with EIP-3009";
        reader.fail(&variable, remedy);
        return None;
    }
    Some(choices)
}

/// How deposits for this way to pay are signed, and what requirements say of it: by EIP-3009, also
/// where the same token is paid by Permit2 because the origin counts units.
fn deposits(
    reader: &mut Reader,
    place: &str,
    config: &RouteConfig,
    choice: &Choice,
) -> Option<(SignedToken, Map<String, Value>)> {
    let Terms { network, extra, unit, .. } = &choice.terms;
    if let Some(token) = choice.terms.authorized() {
        return Some((token, extra.clone()));
    }
    unit.as_ref()?;
    let sold = (&config.price, config.asset.as_ref());
    let (_, asset) = price(reader, place, sold, (network, Some(TransferMethod::Eip3009)))?;
    let (domain, token) = (asset.domain?, choice.terms.token?);
    let (name, version) = (&domain.name, &domain.version);
    let separator = SignedToken::separator_of(name, version, token.chain_id, domain.contract);
    let mut extra = extra.clone();
    extra.extend(domain.extra());
    Some((SignedToken { method: TransferMethod::Eip3009, separator, ..token }, extra))
}

/// How a route is paid by session of MPP.
fn by_channel(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    ((escrow, secs, is_priced), sends_from): ((&str, Option<u64>, bool), Option<Amount>),
    offer: &Offer,
) -> Option<ChannelOffer> {
    let delay_secs = secs.unwrap_or(*ChannelOffer::DELAYS.start());
    let address = Address::parse_checksummed(escrow).ok();
    let mut signed = offer.choices.iter().filter(|it| it.terms.authorized().is_some());
    let payee = inherited.payee.as_ref().map(Account::address);
    let choice = signed.next().filter(|choice| {
        let pay_to = choice.terms.token.as_ref().map(|token| token.pay_to);
        let network = choice.terms.network.as_str();
        pay_to == payee && inherited.readable.iter().any(|known| known == network)
    });
    let is_one = signed.next().is_none() && !is_priced && offer.settings.protocols.mpp;
    let found = choice.zip(address).filter(|_| is_one && inherited.authorizer.is_some());
    let sold = found.and_then(|(choice, address)| {
        let (escrow, chain_id) = (Escrow::PaymentChannel, choice.chain_id());
        let contract = EscrowContract { escrow, chain_id, address };
        let manner = (offer.meter.as_ref(), sends_from);
        ChannelOffer::new(&choice.terms, contract, delay_secs, manner)
    });
    if sold.is_none() {
        let remedy = "needs the address of a contract, the binding CHANNEL, \"mpp\" in protocols, a \
                      fixed price, one EVM network with RPC_URL and a token with EIP-3009, and \
                      PAYEE_KEY, whose account is the payee";
        reader.fail(&format!("{place}.session_escrow"), remedy);
    }
    sold
}

/// The least deposit of a session that the gate sends.
fn sends_from(reader: &mut Reader, place: &str, least: &str, offer: &Offer) -> Option<Amount> {
    let asset = offer.choices.iter().find(|it| it.terms.authorized().is_some());
    let least = asset.and_then(|choice| Amount::from_price(least, choice.asset_label.1).ok());
    if least.is_none() {
        let remedy = "is the least deposit that is worth its gas, such as \"$1\"";
        reader.fail(&[place, ".session_fee_payer"].concat(), remedy);
    }
    least
}

/// How a session pays for a stream.
fn meter(
    reader: &mut Reader,
    place: &str,
    config: &RouteConfig,
    offer: &Offer,
) -> Option<StreamMeter> {
    let price = config.session_unit_price.as_deref();
    let asset = offer.choices.iter().find(|it| it.terms.authorized().is_some());
    let price = price
        .zip(asset)
        .and_then(|(text, choice)| Amount::from_price(text, choice.asset_label.1).ok());
    let unit = config.session_unit.as_deref().and_then(UnitType::read);
    let found = unit.zip(price).and_then(|(unit, price)| {
        StreamMeter::new(unit, price, config.session_step, config.session_pause_secs)
    });
    let is_sold = config.session_escrow.is_some() || config.session_delay_secs.is_some();
    // A voucher of x402 is for the price, in units of one token.
    let mut sold = offer.choices.iter().filter(|choice| choice.session.is_some());
    let found = found.filter(|meter| {
        let fits = |choice: &Choice| {
            let decimals = asset.map(|it| it.asset_label.1);
            choice.terms.amount >= meter.step_price && Some(choice.asset_label.1) == decimals
        };
        is_sold && sold.all(fits)
    });
    if found.is_none() {
        let remedy = "is \"second\", \"byte\" or \"event\", with its price as session_unit_price, such \
                      as \"$0.0001\"; session_step is from 1 to 10000000 units, session_pause_secs \
                      from 1 to 600; needs session_escrow or session_delay_secs, with the latter \
                      tokens of equal decimals and a price of at least a step";
        reader.fail(&format!("{place}.session_unit"), remedy);
    }
    found
}

/// One way to pay for a route.
fn choice(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    (config, mode): (&RouteConfig, Mode),
    network: &ChainId,
) -> Option<Choice> {
    let recipient = match (&config.pay_to, &inherited.pay_to) {
        (Some(value), _) => pay_to(reader, &format!("{place}.pay_to"), value, network)?,
        (None, Some(value)) => pay_to(reader, "PAY_TO", value, network)?,
        (None, None) => return None,
    };
    let mut method = transfer_method(reader, place, config, network)?;
    if config.unit_price.is_some() {
        method = Some(metered(reader, place, mode, (method, network))?);
    }
    let sold = (&config.price, config.asset.as_ref());
    let (amount, asset) = price(reader, place, sold, (network, method))?;
    let serving = serving(reader, &inherited.facilitators, network)?;
    let unit =
        match config.unit_price.as_deref().map(|text| Amount::from_price(text, asset.label.1)) {
            None => None,
            Some(Ok(unit)) if !unit.is_zero() && unit <= amount => Some(unit),
            Some(_) => {
                let remedy = "must be a price such as \"$0.001\", with no more digits than the \
                              asset has, and at most the price";
                reader.fail(&format!("{place}.unit_price"), remedy);
                return None;
            }
        };
    let mut extra = serving.extra;
    let mut settled_by = extra.remove("facilitatorAddress");
    let token = match (&asset.domain, network.evm_id()) {
        (Some(domain), Some(chain_id)) => {
            extra.extend(domain.extra());
            let (name, version, contract) = (&domain.name, &domain.version, domain.contract);
            let separator = match domain.method {
                TransferMethod::Eip3009 | TransferMethod::Deferred => {
                    SignedToken::separator_of(name, version, chain_id, contract)
                }
                TransferMethod::Permit2 | TransferMethod::Upto(_) => permit2::separator(chain_id),
            };
            let settler = settled_by.take();
            let settler = settler.as_ref().and_then(Value::as_str).map(Address::parse_checksummed);
            let method = match (unit, settler) {
                (None, _) => domain.method,
                (Some(_), Some(Ok(settler))) => TransferMethod::Upto(settler),
                (Some(_), _) => {
                    let remedy = "needs the address that settles: set \"facilitatorAddress\" in the \
                                  facilitator's extra, as its /supported names it";
                    reader.fail(&format!("{place}.unit_price"), remedy);
                    return None;
                }
            };
            Some(SignedToken {
                chain_id,
                asset: contract,
                pay_to: Address::parse(&recipient).ok()?,
                method,
                separator,
            })
        }
        _ => None,
    };
    let terms = Terms {
        network: network.clone(),
        asset: asset.name,
        pay_to: recipient,
        amount,
        unit,
        max_timeout_secs: config.max_timeout_secs.unwrap_or(300),
        extra,
        token,
    };
    let verifies_first = serving.places.len() > 1 || serving.takes_key;
    Some(Choice::new(terms, asset.label, (serving.places, verifies_first), mode))
}

/// What payers sign on this network, if the route says so; the token decides otherwise. `None` after
/// an error.
fn transfer_method(
    reader: &mut Reader,
    place: &str,
    config: &RouteConfig,
    network: &ChainId,
) -> Option<Option<TransferMethod>> {
    let method = match config.asset_transfer_method.as_deref() {
        None => return Some(None),
        Some("eip3009") => Ok(TransferMethod::Eip3009),
        Some("permit2") => Ok(TransferMethod::Permit2),
        Some(_) => Err("must be \"eip3009\" or \"permit2\""),
    };
    let method = method.and_then(|method| match network.evm_id() {
        Some(_) => Ok(method),
        None => Err("is for EVM networks; give the route one of its own or remove it"),
    });
    match method {
        Ok(method) => Some(Some(method)),
        Err(remedy) => {
            reader.fail(&format!("{place}.asset_transfer_method"), remedy);
            None
        }
    }
}

/// What payers sign where the origin counts units; `None` after an error.
fn metered(
    reader: &mut Reader,
    place: &str,
    mode: Mode,
    (method, network): (Option<TransferMethod>, &ChainId),
) -> Option<TransferMethod> {
    let remedy = if network.evm_id().is_none() {
        "is for EVM networks; give the route one of its own or remove it"
    } else if mode == Mode::Before {
        "is charged for what was served; remove settle = \"before\""
    } else if method == Some(TransferMethod::Eip3009) {
        "is paid by Permit2; remove asset_transfer_method"
    } else {
        return Some(TransferMethod::Permit2);
    };
    reader.fail(&format!("{place}.unit_price"), remedy);
    None
}
