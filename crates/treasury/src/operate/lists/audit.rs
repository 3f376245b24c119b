//! The spending: as the budgets have it, and as the attempts show.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::read_page;
use crate::books::{Page, Rows};
use crate::budget::{Window, worth};
use crate::keep;
use crate::kernel::{Decision, Now};
use crate::message::Listing;
use crate::operate::reply::{ok, time};
use crate::policy::Rules;
use crate::row::{AttemptRow, BudgetRow, Money, Scope};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_payer::client::asset::CAP_DECIMALS;
use farebox_payer::client::asset::is_dollar;

/// Sums of one asset in one scope, at 18 fraction digits.
#[derive(Clone, Debug)]
struct Sums {
    scope: Scope,
    symbol: String,
    signed: Amount,
    void: Amount,
    confirmed: Amount,
}

/// All budgets, with what is reserved and spent of each.
pub(crate) fn list_budgets<B: Rows>(books: &B, scene: Now<'_>) -> Result<Decision, B::Error> {
    let mut scopes = Vec::from([Scope::Organization]);
    scopes.extend(books.agents()?.into_iter().map(|agent| Scope::Agent(agent.name)));
    scopes.push(Scope::Payouts);
    let open = list_unsettled(books, scene.now)?;
    let mut items: Vec<Value> = Vec::new();
    for scope in scopes {
        let row = books.budget_at(&scope, scene.now)?;
        let of = if scope == Scope::Payouts { &Scope::Organization } else { &scope };
        let document = books.policy(of)?.map(|row| row.document).unwrap_or_default();
        let rules = Rules::from_json(&document).unwrap_or_default();
        let rules = match scope {
            Scope::Payouts => rules.of_payouts(),
            Scope::Organization | Scope::Agent(_) => rules,
        };
        for window in Window::ALL {
            items.extend(spending(&row, window, &rules, &open));
        }
    }
    Ok(ok(&json!({"items": items})))
}

/// The names of [`Money`], for attempts of one state.
const MONEY: [&str; 4] = ["reserved", "signed", "spent", "void"];

/// The spending that the attempts show, a page of them summed up.
pub(crate) fn audit_attempts<B: Rows>(books: &B, listing: &Listing) -> Result<Decision, B::Error> {
    let mut page = match read_page(listing, &MONEY) {
        Ok(page) => page,
        Err(reply) => return Ok(Decision::reply(reply)),
    };
    page.limit = page.limit.max(1000);
    let mut sums: Vec<Sums> = Vec::new();
    visit_attempts(books, &mut page, |row| {
        for scope in row.scopes() {
            add(&mut sums, scope, row);
        }
    })?;
    let items: Vec<Value> = sums.iter().map(total).collect();
    let cursor = page.after.map(|(at, id)| format!("{at}.{id}"));
    let since = keep::complete_since(books)?;
    Ok(ok(&json!({"items": items, "cursor": cursor, "completeSince": since})))
}

/// The spending of a budget in a window, by asset.
fn spending(row: &BudgetRow, window: Window, rules: &Rules, open: &[Unsettled]) -> Vec<Value> {
    let limits = rules.budget(window);
    let mut symbols: Vec<String> = row.assets.iter().map(|asset| asset.symbol.clone()).collect();
    for (symbol, _) in &limits {
        if !symbols.contains(symbol) {
            symbols.push(symbol.clone());
        }
    }
    let item = |symbol: &String| {
        let counted = match symbol.as_str() {
            "$" => row.of_dollars(window),
            symbol => row.of_asset(window, symbol),
        };
        let reserved = counted.map(|counted| {
            let is_it = |it: &&Unsettled| {
                let is_its = match symbol.as_str() {
                    "$" => is_dollar(&it.symbol),
                    symbol => it.symbol == symbol,
                };
                is_its && it.scope == row.scope && it.counted >= row.start(window)
            };
            let add =
                |sum: Amount, it: &Unsettled| sum.checked_add(it.worth).unwrap_or(Amount::MAX);
            open.iter().filter(is_it).fold(Amount::ZERO, add).min(counted)
        });
        let both = counted.zip(reserved);
        let spent = both.and_then(|(counted, reserved)| counted.checked_sub(reserved));
        let limit = limits.iter().find(|(name, _)| name == symbol);
        json!({
            "scope": kind(&row.scope),
            "agent": agent(&row.scope),
            "asset": symbol,
            "window": window.name(),
            "since": time(row.start(window)),
            "limit": limit.map(|(_, amount)| text(*amount)),
            "reserved": reserved.map(text),
            "spent": spent.map(text),
        })
    };
    symbols.iter().map(item).collect()
}

/// A payment that counts in a budget and has no receipt: its merchant has not answered, or has
/// shown nothing for it, and the chain has not either.
struct Unsettled {
    scope: Scope,
    symbol: String,
    counted: u64,
    worth: Amount,
}

/// The unsettled payments of the current month.
fn list_unsettled<B: Rows>(books: &B, now: UnixTime) -> Result<Vec<Unsettled>, B::Error> {
    let mut all = Vec::new();
    let month = Window::Month.start(now).secs();
    for money in ["reserved", "signed"] {
        let outcome = Some(money.to_string());
        let mut page =
            Page { after: Some((month, String::new())), limit: 1000, agent: None, outcome };
        visit_attempts(books, &mut page, |row| {
            let (symbol, counted, worth) = (&row.symbol, row.counted, worth_of(row));
            let of = |scope| Unsettled { scope, symbol: symbol.clone(), counted, worth };
            if row.receipt.is_none() {
                all.extend(row.scopes().into_iter().map(of));
            }
        })?;
    }
    Ok(all)
}

/// Visits the attempts of a page and of the next ones, at most a million; afterwards it begins where
/// they end, if there are more.
fn visit_attempts<B: Rows>(
    books: &B,
    page: &mut Page,
    mut visit: impl FnMut(&AttemptRow),
) -> Result<(), B::Error> {
    for _ in 0..1000 {
        let rows = books.attempts(page)?;
        rows.iter().for_each(&mut visit);
        let is_full = u32::try_from(rows.len()).unwrap_or(u32::MAX) >= page.limit;
        page.after = rows.last().filter(|_| is_full).map(|row| (row.counted, row.id.clone()));
        if page.after.is_none() {
            break;
        }
    }
    Ok(())
}

/// The amount that a payment counts, at 18 fraction digits.
fn worth_of(row: &AttemptRow) -> Amount {
    let worth = Amount::from_atomic(&row.value).ok().and_then(|value| worth(value, row.decimals));
    worth.unwrap_or(Amount::ZERO)
}

fn add(sums: &mut Vec<Sums>, scope: Scope, row: &AttemptRow) {
    let worth = worth_of(row);
    let mut sum = match sums.iter().position(|it| it.scope == scope && it.symbol == row.symbol) {
        Some(place) => sums.swap_remove(place),
        None => Sums {
            scope,
            symbol: row.symbol.clone(),
            signed: Amount::ZERO,
            void: Amount::ZERO,
            confirmed: Amount::ZERO,
        },
    };
    let plus = |sum: Amount| sum.checked_add(worth).unwrap_or(Amount::MAX);
    sum.signed = plus(sum.signed);
    match row.money {
        Money::Void => sum.void = plus(sum.void),
        Money::Spent => sum.confirmed = plus(sum.confirmed),
        Money::Reserved | Money::Signed => {}
    }
    sums.push(sum);
}

/// The sums of an asset, as an audit shows them. What counts in the budgets has their name for it: they
/// call a part of that spent.
fn total(sum: &Sums) -> Value {
    let counted = sum.signed.checked_sub(sum.void).unwrap_or(Amount::ZERO);
    let open = counted.checked_sub(sum.confirmed).unwrap_or(Amount::ZERO);
    json!({
        "scope": kind(&sum.scope),
        "agent": agent(&sum.scope),
        "asset": sum.symbol,
        "signed": text(sum.signed),
        "void": text(sum.void),
        "counted": text(counted),
        "confirmed": text(sum.confirmed),
        "open": text(open),
    })
}

fn text(amount: Amount) -> String {
    amount.to_decimal(CAP_DECIMALS)
}

const fn kind(scope: &Scope) -> &'static str {
    match scope {
        Scope::Organization => "organization",
        Scope::Agent(_) => "agent",
        Scope::Payouts => "payouts",
    }
}

fn agent(scope: &Scope) -> Option<String> {
    match scope {
        Scope::Organization | Scope::Payouts => None,
        Scope::Agent(name) => Some(name.to_string()),
    }
}
