//! Which way to pay is recommended, and in which order the others follow.
//!
//! Balances are an input: no wallet is asked here. A way that this wallet cannot sign stays in the
//! list and is never recommended. Spec: OKX agent payments, "Candidate ranking"; prices count only
//! if the whole pool has one symbol, since comparing some pairs by price would make the order
//! circular.

use alloc::string::String;
use alloc::vec::Vec;

use super::json::Json;
use super::pool::{Choice, Kind};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;

/// The ways in the order in which they are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// Numbers of the choices.
    pub order: Vec<usize>,
    /// The first of them, if it can be paid.
    pub recommended: Option<usize>,
}

/// The wallet's balances, and the schemes that it can sign.
#[derive(Clone, Debug, Default)]
pub struct Wallet {
    /// Network, token and atomic units; `None` if they are not known.
    pub balances: Option<Vec<(String, String, Amount)>>,
    /// The schemes that it signs; `None` for all.
    pub signs: Option<Vec<String>>,
    /// Whether its owner wants a subscription.
    pub subscribes: bool,
}

impl Wallet {
    /// Reads `balances`, `signs` and `intent` of the caller.
    #[must_use]
    pub fn read(context: &Json) -> Self {
        let balance = |it: &Json| {
            let network = it.text_of("network")?;
            let network = ChainId::parse_or_name(network).ok()?.as_str().into();
            let amount = Amount::from_atomic(it.text_of("amount")?).ok()?;
            Some((network, it.text_of("asset")?.into(), amount))
        };
        let balances = context.get("balances").filter(|it| matches!(it, Json::List(_)));
        let signs = context.get("signs").filter(|it| matches!(it, Json::List(_)));
        Self {
            balances: balances.map(|it| it.elements().iter().filter_map(balance).collect()),
            signs: signs
                .map(|it| it.elements().iter().filter_map(Json::text).map(Into::into).collect()),
            subscribes: context.text_of("intent") == Some("subscription"),
        }
    }

    /// Whether it has a signature for this scheme.
    #[must_use]
    pub fn signs(&self, choice: &Choice) -> bool {
        self.signs.as_ref().is_none_or(|signs| signs.contains(&choice.scheme))
    }

    /// Whether it holds the amount; `None` if that is not known.
    #[must_use]
    pub fn affords(&self, choice: &Choice) -> Option<bool> {
        let balances = self.balances.as_ref()?;
        let needed = Amount::from_atomic(&choice.amount).unwrap_or(Amount::MAX);
        let is_it = |(network, asset, _): &&(String, String, Amount)| {
            *network == choice.network
                && (*asset == choice.asset
                    || asset.starts_with("0x") && asset.eq_ignore_ascii_case(&choice.asset))
        };
        let held = balances.iter().find(is_it).map_or(Amount::ZERO, |(_, _, held)| *held);
        // A balance below the amount is as good as none.
        let enough = held >= needed;
        Some(enough && !held.is_zero())
    }

    fn may_pay(&self, choice: &Choice) -> bool {
        let may = self.subscribes || choice.scheme != SUBSCRIPTION;
        may && self.signs(choice) && self.affords(choice) != Some(false)
    }
}

/// The ranking of a pool: what can be paid first, the rest as it was received.
#[must_use]
pub fn rank(choices: &[Choice], wallet: &Wallet) -> Ranking {
    let (mut able, unable): (Vec<&Choice>, Vec<&Choice>) = choices
        .iter()
        .filter(|choice| choice.kind != Kind::Session)
        .partition(|choice| wallet.may_pay(choice));
    let symbol = |choice: &Choice| choice.unit.as_ref().map(|(symbol, _)| symbol.clone());
    let first = able.first().and_then(|it| symbol(it));
    let one_symbol = first.is_some() && able.iter().all(|it| symbol(it) == first);
    able.sort_by_cached_key(|choice| {
        let worth = choice.worth().unwrap_or(Amount::MAX);
        let price = if one_symbol { worth } else { Amount::ZERO };
        let other = wallet.subscribes && choice.scheme != SUBSCRIPTION;
        (other, price, !choice.is_main(), priority(&choice.scheme), worth, choice.index)
    });
    let recommended = able.first().map(|choice| choice.index);
    Ranking { order: able.iter().chain(&unable).map(|choice| choice.index).collect(), recommended }
}

/// Lower is better.
fn priority(scheme: &str) -> u8 {
    match scheme {
        "aggr_deferred" => 0,
        "exact" => 1,
        "upto" => 2,
        "charge" => 3,
        _ => 4,
    }
}

/// The scheme of subscriptions: only recommended to whoever asks for one.
const SUBSCRIPTION: &str = "period";
