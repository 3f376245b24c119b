//! How a route sells by session.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::assets::price;
use super::route_config::RouteReader;
use crate::offer::{Choice, Offer};
use crate::session::mpp::meter::StreamMeter;
use crate::session::mpp::terms::ChannelOffer;
use farebox_base::amount::Amount;
use farebox_channel::config::ChannelConfig;
use farebox_channel::escrow::{Escrow, EscrowContract};
use farebox_common::payment::{SignedToken, Terms, TransferMethod};
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_wire::mpp::session::UnitType;

/// Refuses an origin that may take so long that a payer withdraws meanwhile.
pub(super) fn check_time(route: &mut RouteReader<'_>, timeout: u64) {
    let config = route.config;
    if config.session_escrow.is_some() || config.session_delay_secs.is_some() {
        let delay = config.session_delay_secs.unwrap_or(*ChannelOffer::DELAYS.start());
        let most = delay.checked_div(3).unwrap_or_default();
        if timeout > most {
            let remedy = format!(
                "must be at most {most} beside sessions, a third of session_delay_secs (900 if \
                 not set): a payer may withdraw while the origin works"
            );
            route.fail("origin_timeout_secs", remedy);
        }
    }
}

/// The part that a session of MPP adds to an offer: its channel, and how it pays for a stream.
pub(super) fn add_channel(route: &mut RouteReader<'_>, offer: &mut Offer) -> Option<()> {
    let config = route.config;
    let is_metered = config.session_unit.is_some() || config.session_unit_price.is_some();
    if is_metered {
        offer.meter = Some(meter(route, offer)?);
    }
    if let Some(escrow) = &config.session_escrow {
        let sends_from = match &config.session_fee_payer {
            Some(least) => Some(sends_from(route, least, offer)?),
            None => None,
        };
        offer.channel = Some(by_channel(route, escrow, sends_from, offer)?);
    } else if config.session_fee_payer.is_some() {
        route.fail("session_fee_payer", "needs session_escrow; set it");
    }
    Some(())
}

/// The same ways to pay, on EVM chains by session too.
pub(super) fn by_session(
    route: &mut RouteReader<'_>,
    secs: u64,
    choices: Vec<Choice>,
) -> Option<Vec<Choice>> {
    const NAME: &str = "session_delay_secs";
    let inherited = route.inherited;
    if !inherited.has_channels {
        route.fail(NAME, "needs the binding CHANNEL, an object of class Channel; bind it");
        return None;
    }
    // That LEDGER_SALT is missing is said elsewhere.
    let authorizer = inherited.authorizer.as_ref()?;
    if !ChannelConfig::WITHDRAW_DELAYS.contains(&secs) {
        route.fail(NAME, format!("is {secs}; must be from 900 to 2592000"));
        return None;
    }
    let authorizer = authorizer.address().to_checksum();
    let mut deposited = |choice: Choice| match deposits(route, &choice) {
        Some((token, extra)) => choice.by_session(secs, &authorizer, token, extra),
        None => choice,
    };
    let choices: Vec<Choice> = choices.into_iter().map(&mut deposited).collect();
    if route.is_priced || !route.protocols.x402 || choices.iter().all(|it| it.session.is_none()) {
        let remedy = "needs a fixed price, \"x402\" in protocols and a token with EIP-3009";
        route.fail(NAME, remedy);
        return None;
    }
    Some(choices)
}

/// How deposits for this way to pay are signed, and what requirements say of it: by EIP-3009, also
/// where the same token is paid by Permit2 because the origin counts units.
fn deposits(
    route: &mut RouteReader<'_>,
    choice: &Choice,
) -> Option<(SignedToken, Map<String, Value>)> {
    let Terms { network, extra, unit, .. } = &choice.terms;
    if let Some(token) = choice.terms.authorized() {
        return Some((token, extra.clone()));
    }
    unit.as_ref()?;
    let method = TransferMethod::Eip3009;
    let RouteReader { place, config, .. } = *route;
    let (_, asset) =
        price(route.reader, place, &config.price, config.asset.as_ref(), network, Some(method))?;
    let (domain, token) = (asset.domain?, choice.terms.token?);
    let (name, version) = (&domain.name, &domain.version);
    let separator = SignedToken::separator_of(name, version, token.chain_id, domain.contract);
    let mut extra = extra.clone();
    extra.extend(domain.extra());
    Some((SignedToken { method, separator, ..token }, extra))
}

/// Has what a channel costs known at each route that may close it: deposits are sent at one, and
/// closes are asked for at any of the same contract.
pub(super) fn share_costs(offers: &mut [Option<Offer>]) {
    let sold: Vec<(EscrowContract, Address, Amount)> = offers
        .iter()
        .flatten()
        .filter_map(|offer| offer.channel.as_ref())
        .map(|channel| (channel.contract, channel.token.asset, channel.closes_from))
        .collect();
    for channel in offers.iter_mut().flatten().filter_map(|offer| offer.channel.as_mut()) {
        let shared = sold.iter().filter(|(contract, asset, _)| {
            *contract == channel.contract && *asset == channel.token.asset
        });
        channel.closes_from = shared.map(|(.., least)| *least).max().unwrap_or(channel.closes_from);
    }
}

/// How a route is paid by session of MPP.
fn by_channel(
    route: &mut RouteReader<'_>,
    escrow: &str,
    sends_from: Option<Amount>,
    offer: &Offer,
) -> Option<ChannelOffer> {
    let RouteReader { inherited, config, is_priced, .. } = *route;
    let delay_secs = config.session_delay_secs.unwrap_or(*ChannelOffer::DELAYS.start());
    let address = Address::parse_checksummed(escrow).ok();
    let mut signed = offer.choices.iter().filter(|it| it.terms.authorized().is_some());
    let payee = inherited.payee.as_ref().map(Account::address);
    let choice = signed.next().filter(|choice| {
        let pay_to = choice.terms.token.as_ref().map(|token| token.pay_to);
        pay_to == payee && route.is_readable(&choice.terms.network)
    });
    let is_one = signed.next().is_none() && !is_priced && offer.settings.protocols.mpp;
    let found = choice.zip(address).filter(|_| is_one && inherited.has_channels);
    let sold = found.and_then(|(choice, address)| {
        let (escrow, chain_id) = (Escrow::PaymentChannel, choice.chain_id());
        let contract = EscrowContract { escrow, chain_id, address };
        let meter = offer.meter.as_ref();
        ChannelOffer::new(&choice.terms, contract, delay_secs, meter, sends_from)
    });
    if sold.is_none() {
        let remedy = "needs the address of a contract, the binding CHANNEL, \"mpp\" in protocols, a \
                      fixed price, one EVM network with RPC_URL and a token with EIP-3009, and \
                      PAYEE_KEY, whose account is the payee";
        route.fail("session_escrow", remedy);
    }
    sold
}

/// The first way to pay by a signature: prices of a session are in its token.
fn signed(offer: &Offer) -> Option<&Choice> {
    offer.choices.iter().find(|choice| choice.terms.authorized().is_some())
}

fn price_in(choice: &Choice, text: &str) -> Option<Amount> {
    Amount::from_price(text, choice.asset_label.decimals).ok()
}

/// The least deposit of a session that the gate sends.
fn sends_from(route: &mut RouteReader<'_>, least: &str, offer: &Offer) -> Option<Amount> {
    let least = signed(offer).and_then(|choice| price_in(choice, least));
    if least.is_none() {
        let remedy = "is the least deposit that is worth its gas, such as \"$1\"";
        route.fail("session_fee_payer", remedy);
    }
    least
}

/// How a session pays for a stream.
fn meter(route: &mut RouteReader<'_>, offer: &Offer) -> Option<StreamMeter> {
    let config = route.config;
    let asset = signed(offer);
    let price = config.session_unit_price.as_deref().zip(asset);
    let price = price.and_then(|(text, choice)| price_in(choice, text));
    let unit = config.session_unit.as_deref().and_then(UnitType::read);
    let found = unit.zip(price).and_then(|(unit, price)| {
        StreamMeter::new(unit, price, config.session_step, config.session_pause_secs)
    });
    let is_sold = config.session_escrow.is_some() || config.session_delay_secs.is_some();
    // A voucher of x402 is for the price, in units of one token.
    let mut sold = offer.choices.iter().filter(|choice| choice.session.is_some());
    let found = found.filter(|meter| {
        let fits = |choice: &Choice| {
            let decimals = asset.map(|it| it.asset_label.decimals);
            choice.terms.amount >= meter.step_price && Some(choice.asset_label.decimals) == decimals
        };
        is_sold && sold.all(fits)
    });
    if found.is_none() {
        let remedy = "is \"second\", \"byte\" or \"event\", with its price as session_unit_price, such \
                      as \"$0.0001\"; session_step is from 1 to 10000000 units, session_pause_secs \
                      from 1 to 600; needs session_escrow or session_delay_secs, with the latter \
                      tokens of equal decimals and a price of at least a step";
        route.fail("session_unit", remedy);
    }
    found
}
