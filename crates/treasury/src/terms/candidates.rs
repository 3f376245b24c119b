//! The offers of a challenge that may be paid, and the wallet that pays on their network.

use alloc::format;
use alloc::vec::Vec;

use super::{Terms, Unpayable, deny_empty, is_candidate, network_name};
use crate::config::{Environment, Key, Wallet};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::offer::Offer;

/// Maximum time for which a payment may be signed, seconds.
const MAX_VALIDITY_SECS: u64 = 3600;
/// Maximum fraction digits that a receipt can tell.
const MAX_DECIMALS: u8 = 6;

/// The terms that the client will pay.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientLimits<'a> {
    pub candidate: Option<&'a str>,
    pub max_amount: Option<&'a str>,
}

/// The offers that may be paid, as their places among all, by what the client has seen and the
/// environment.
pub(crate) fn find_candidates(
    terms: &Terms,
    challenge: &Challenge,
    environment: Environment,
    asked: ClientLimits<'_>,
) -> Result<Vec<usize>, Unpayable> {
    let is_main = |network: &ChainId| network.is_main_network();
    let networks = terms.networks(challenge);
    let mixed = networks.iter().any(is_main) && !networks.iter().all(is_main);
    if mixed {
        return Err(Unpayable::deny(
            "challenge_mixed_environment_candidates",
            "The challenge offers test and main networks together.",
        ));
    }
    let offers = || challenge.offers.iter().enumerate();
    if let Some(why) = deny_empty(challenge) {
        return Err(why);
    }
    let fits = |offer: &Offer| is_main(&offer.asset.network) == (environment == Environment::Main);
    let of: Vec<usize> =
        offers().filter(|(_, offer)| fits(offer)).map(|(place, _)| place).collect();
    if of.is_empty() {
        let name = environment.name();
        return Err(Unpayable::unsupported(format!(
            "The challenge offers no network of the environment {name}."
        )));
    }
    let is_short = |offer: &Offer| {
        offer.max_timeout_secs <= MAX_VALIDITY_SECS && offer.asset.decimals <= MAX_DECIMALS
    };
    let seen = |offer: &Offer| asked.candidate.is_none_or(|digest| is_candidate(offer, digest));
    let within = |offer: &Offer| {
        let max = |text| Amount::from_decimal(text, offer.asset.decimals).ok();
        asked.max_amount.is_none_or(|text| max(text).is_some_and(|max| offer.amount <= max))
    };
    let keep = |of: Vec<usize>, may: &dyn Fn(&Offer) -> bool, reason: &str| {
        let is = |place: &usize| challenge.offers.get(*place).is_some_and(may);
        let kept: Vec<usize> = of.into_iter().filter(is).collect();
        if kept.is_empty() { Err(Unpayable::unsupported(reason)) } else { Ok(kept) }
    };
    let of = keep(
        of,
        &is_short,
        "The challenge asks for a payment that stays valid for too long, or in an asset with too many decimals.",
    )?;
    let of = keep(of, &seen, "The terms changed: none of them is the candidate that was shown.")?;
    keep(of, &within, "The terms changed: none of them is within maxAmount.")
}

/// The wallet that pays on this network.
pub(crate) fn wallet_for<'t>(
    wallets: &'t [Wallet],
    network: &ChainId,
    symbol: &str,
    named: Option<&str>,
) -> Result<&'t Wallet, Unpayable> {
    let no_rail = || {
        let network = network_name(network);
        Unpayable::preflight(format!(
            "No compatible payment rail is configured for {network} {symbol}."
        ))
    };
    let unavailable = |name: &str| {
        Unpayable::deny(
            "challenge_execution_identity_unavailable",
            format!("The wallet {name} is not available."),
        )
    };
    let fits = |wallet: &&Wallet| wallet.networks.contains(network);
    let wallet = match named {
        Some(name) => {
            let wallet = wallets.iter().find(|wallet| wallet.name == name);
            wallet
                .ok_or_else(|| unavailable(name))
                .and_then(|it| if fits(&it) { Ok(it) } else { Err(no_rail()) })?
        }
        None => {
            let mut fitting = wallets.iter().filter(fits);
            let first = fitting.next().ok_or_else(no_rail)?;
            if fitting.next().is_some() {
                return Err(Unpayable::deny(
                    "challenge_execution_identity_ambiguous",
                    format!(
                        "Several wallets pay on {}, and the policy names none.",
                        network_name(network)
                    ),
                ));
            }
            first
        }
    };
    match wallet.key {
        Key::Missing(_) => Err(unavailable(&wallet.name)),
        Key::Held(_) | Key::Bound(..) => Ok(wallet),
    }
}
