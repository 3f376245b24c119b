//! The ways to pay for a route: a network, a token and what is signed.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use super::assets::price;
use super::facilitators::serving;
use super::route_config::RouteReader;
use crate::offer::{AssetLabel, Choice};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_common::config::network::pay_to;
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_evm::address::Address;
use farebox_evm::permit2;
use farebox_ledger::command::Mode;

/// One way to pay for a route.
pub(super) fn read_choice(
    route: &mut RouteReader<'_>,
    mode: Mode,
    network: &ChainId,
) -> Option<Choice> {
    let RouteReader { inherited, place, config, .. } = *route;
    let recipient = find_recipient(route, network);
    let mut method = transfer_method(route, network)?;
    if config.unit_price.is_some() {
        method = Some(metered_method(route, mode, method, network)?);
    }
    let (amount, asset) =
        price(route.reader, place, &config.price, config.asset.as_ref(), network, method)?;
    // A wrong account is told beside a wrong price.
    let recipient = recipient?;
    let serving = serving(route.reader, &inherited.facilitators, network)?;
    let unit = unit_price(route, &asset.label, amount)?;
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
                    route.fail("unit_price", remedy);
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
    // A transaction that lacks the allowance fails without a reason: only what is asked before tells it from one in doubt.
    let needs_allowance =
        terms.token.as_ref().is_some_and(|token| token.method == TransferMethod::Permit2);
    let verifies_first = serving.places.len() > 1 || serving.takes_key || needs_allowance;
    let pays_another = pays_another(inherited.pay_to.as_ref(), &terms);
    let choice = Choice::new(terms, asset.label, serving.places, verifies_first, mode);
    Some(Choice { pays_another, ..choice })
}

/// Whether these terms pay somebody beside the gate's own payee on their network.
fn pays_another(own: Option<&Value>, terms: &Terms) -> bool {
    let is_network =
        |name: &str| ChainId::parse_or_name(name).is_ok_and(|name| name == terms.network);
    let Some(own) = own else { return false };
    let own = match own {
        Value::Object(by_network) => {
            by_network.iter().find(|(name, _)| is_network(name)).map(|(_, own)| own)
        }
        own => Some(own),
    };
    let is_own = |own: &str| match terms.network.evm_id() {
        Some(_) => own.eq_ignore_ascii_case(&terms.pay_to),
        None => own == terms.pay_to,
    };
    !own.and_then(Value::as_str).is_some_and(is_own)
}

fn find_recipient(route: &mut RouteReader<'_>, network: &ChainId) -> Option<String> {
    let RouteReader { inherited, place, config, .. } = *route;
    match (&config.pay_to, &inherited.pay_to) {
        (Some(value), _) => pay_to(route.reader, &format!("{place}.pay_to"), value, network),
        (None, Some(value)) => pay_to(route.reader, "PAY_TO", value, network),
        (None, None) => None,
    }
}

/// The price of a unit, if the origin counts units: at most this amount. `None` after an error.
fn unit_price(
    route: &mut RouteReader<'_>,
    asset: &AssetLabel,
    amount: Amount,
) -> Option<Option<Amount>> {
    let text = route.config.unit_price.as_deref();
    match text.map(|text| Amount::from_price(text, asset.decimals)) {
        None => Some(None),
        Some(Ok(unit)) if !unit.is_zero() && unit <= amount => Some(Some(unit)),
        Some(_) => {
            let remedy = "must be a price such as \"$0.001\", with no more digits than the \
                          asset has, and at most the price";
            route.fail("unit_price", remedy);
            None
        }
    }
}

/// The kind of message that payers sign on this network, if the route says so; the token decides
/// otherwise. `None` after an error.
fn transfer_method(
    route: &mut RouteReader<'_>,
    network: &ChainId,
) -> Option<Option<TransferMethod>> {
    let method = match route.config.asset_transfer_method.as_deref() {
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
            route.fail("asset_transfer_method", remedy);
            None
        }
    }
}

/// The kind of message that payers sign where the origin counts units; `None` after an error.
fn metered_method(
    route: &mut RouteReader<'_>,
    mode: Mode,
    method: Option<TransferMethod>,
    network: &ChainId,
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
    route.fail("unit_price", remedy);
    None
}
