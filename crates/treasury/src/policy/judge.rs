//! Whether rules and budgets allow a payment, and the sentence if they do not.

use alloc::format;
use alloc::string::{String, ToString};

use super::{Limit, Rules};
use crate::budget::{self, Window};
use crate::money::in_words;
use crate::row::{BudgetRow, Scope};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::time::UnixTime;
use farebox_payer::client::offer::Offer;

/// A payment that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The offer that would be paid.
    pub offer: &'a Offer,
    /// Scheme, host and port of the merchant.
    pub origin: &'a str,
    /// The time.
    pub now: UnixTime,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The sentence for the agent.
    pub reason: String,
    /// The budget that has no room.
    pub shortage: Option<Shortage>,
}

/// A budget that has no room for a payment; amounts are at 18 fraction digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The scope of the budget.
    pub scope: Scope,
    /// Which.
    pub window: Window,
    /// The amount that is counted in it.
    pub spent: Amount,
    /// The amount that may be counted in it.
    pub limit: Amount,
}

impl Shortage {
    /// The rest, in atomic units of an asset.
    #[must_use]
    pub fn rest(&self, decimals: u8) -> Amount {
        budget::whole(self.limit.checked_sub(self.spent).unwrap_or(Amount::ZERO), decimals)
    }
}

impl From<String> for Denial {
    fn from(reason: String) -> Self {
        Self { reason, shortage: None }
    }
}

/// The condition under which rules allow a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Nothing more.
    Allowed,
    /// A person has to look first.
    Review,
}

impl Rules {
    /// Judges by everything but the budgets.
    ///
    /// # Errors
    /// The sentence for the agent.
    pub fn judge(&self, scope: &Scope, subject: Subject<'_>) -> Result<Judged, Denial> {
        let Subject { offer, origin, now } = subject;
        let whose = whose(scope);
        self.check_end(scope, now)?;
        let allowed = match (&self.allowed, scope) {
            (Some(allowed), _) => allowed.iter().any(|pattern| pattern.holds(origin)),
            (None, Scope::Organization) => false,
            (None, Scope::Agent(_) | Scope::Payouts) => true,
        };
        let is_denied = self.denied.iter().any(|pattern| pattern.denies(origin));
        if !allowed || is_denied {
            return Err(deny("merchant", scope));
        }
        if self.payees.as_ref().is_some_and(|payees| !payees.contains(&offer.pay_to)) {
            return Err(deny("payee", scope));
        }
        self.check_asset(scope, &offer.asset.network, &offer.asset.symbol)?;
        let symbol = &offer.asset.symbol;
        let Some(worth) = budget::worth(offer.amount, offer.asset.decimals) else {
            return Err(format!("Policy denied: the price in {symbol} is too large.").into());
        };
        if let Some(limit) = &self.per_payment
            && limit.of(symbol).is_none_or(|limit| worth > limit)
        {
            let limit = words(limit.of(symbol), symbol);
            let asked = in_words(worth, symbol);
            return Err(format!(
                "Policy denied: {whose} limit of {limit} per payment exceeded. Requested: {asked}."
            )
            .into());
        }
        let above = |limit: &Limit| limit.of(symbol).is_none_or(|limit| worth > limit);
        let is_large = self.review_above.as_ref().is_some_and(above);
        Ok(if is_large { Judged::Review } else { Judged::Allowed })
    }

    /// Judges what leaves a wallet without a merchant: by end, network and asset alone.
    ///
    /// # Errors
    /// The sentence for whoever asks.
    pub fn judge_payout(
        &self,
        network: &ChainId,
        symbol: &str,
        now: UnixTime,
    ) -> Result<(), Denial> {
        self.check_end(&Scope::Payouts, now)?;
        self.check_asset(&Scope::Payouts, network, symbol)
    }

    fn check_end(&self, scope: &Scope, now: UnixTime) -> Result<(), Denial> {
        if self.expires.is_some_and(|expires| now >= expires) {
            let whose = whose(scope);
            return Err(format!("Policy denied: the current {whose} policy has expired.").into());
        }
        Ok(())
    }

    fn check_asset(&self, scope: &Scope, network: &ChainId, symbol: &str) -> Result<(), Denial> {
        if !self.allows_network(network) {
            return Err(deny("network", scope));
        }
        if self.assets.as_ref().is_some_and(|all| !all.iter().any(|asset| asset == symbol)) {
            return Err(deny("asset", scope));
        }
        Ok(())
    }

    /// The budget with this payment in it.
    ///
    /// # Errors
    /// The sentence for the agent and what is left, if a window has no room.
    pub fn afford(&self, row: &BudgetRow, offer: &Offer) -> Result<BudgetRow, Denial> {
        let (symbol, whose) = (&offer.asset.symbol, whose(&row.scope));
        let large = || Denial::from(format!("Policy denied: the price in {symbol} is too large."));
        let worth = budget::worth(offer.amount, offer.asset.decimals).ok_or_else(large)?;
        for window in Window::ALL {
            let Some(limit) = self.over(window) else { continue };
            let spent = match limit {
                Limit::Dollars(_) => row.of_dollars(window),
                Limit::Assets(_) => row.of_asset(window, symbol),
            };
            let after = spent.and_then(|spent| spent.checked_add(worth));
            let fits = after.zip(limit.of(symbol)).is_some_and(|(after, limit)| after <= limit);
            if !fits {
                let shortage = Some(Shortage {
                    scope: row.scope.clone(),
                    window,
                    spent: spent.unwrap_or(Amount::MAX),
                    limit: limit.of(symbol).unwrap_or(Amount::ZERO),
                });
                let adverb = window.adverb();
                let (limit, spent) = (words(limit.of(symbol), symbol), words(spent, symbol));
                let asked = in_words(worth, symbol);
                let reason = format!(
                    "Policy denied: {whose} {adverb} budget of {limit} exceeded. Current spend: {spent}. Requested: {asked}."
                );
                return Err(Denial { reason, shortage });
            }
        }
        row.clone().plus(symbol, worth).ok_or_else(large)
    }
}

fn deny(what: &str, scope: &Scope) -> Denial {
    let whose = whose(scope);
    format!("Policy denied: this {what} is not allowed by the current {whose} policy.").into()
}

/// As in `workspace policy`.
fn whose(scope: &Scope) -> &'static str {
    match scope {
        Scope::Organization => "workspace",
        Scope::Agent(_) => "agent",
        Scope::Payouts => "payouts",
    }
}

/// An amount; nothing, if it is not named.
fn words(amount: Option<Amount>, symbol: &str) -> String {
    match amount {
        Some(amount) => in_words(amount, symbol),
        None => in_words(Amount::ZERO, symbol).to_string(),
    }
}
