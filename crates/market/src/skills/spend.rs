//! The spend of accounts: totals of what their invocations cost, and of a day.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::Rows;
use super::row::{Ending, InvocationRow, SpendRow, SpendTally};
use crate::day::{counted_day, day_number, day_start};
use farebox_base::amount::Amount;

/// Fraction digits of sums.
pub(super) const SUM_DECIMALS: u8 = 18;

/// The spend of an account so far.
pub(super) fn find_spend<B: Rows>(books: &B, row: &InvocationRow) -> Result<SpendRow, B::Error> {
    let zero = || "0".to_string();
    Ok(books.spend(&row.account)?.unwrap_or_else(|| SpendRow {
        account: row.account.clone(),
        organization: row.organization.clone(),
        agent: row.agent.clone(),
        xlm: zero(),
        failed_xlm: zero(),
        assets: Vec::new(),
        free: 0,
        paid_ok: 0,
        paid_failed: 0,
        not_paid_failed: 0,
        insufficient: 0,
        day: 0,
        counted: zero(),
    }))
}

/// The start of the day in which the account counts now.
pub(super) fn day_of(spend: &SpendRow, now: u64) -> u64 {
    day_start(counted_day(day_number(spend.day), now))
}

/// The sum of two decimal texts; the first if there is none.
pub(super) fn sum(a: &str, b: &str) -> String {
    let parsed = |text: &str| Amount::from_decimal(text, SUM_DECIMALS).ok();
    let added = parsed(a).zip(parsed(b)).and_then(|(a, b)| a.checked_add(b));
    added.map_or_else(|| a.to_string(), |sum| sum.to_decimal(SUM_DECIMALS))
}

/// The difference of two decimal texts, at least zero.
pub(super) fn difference(a: &str, b: &str) -> String {
    let parsed = |text: &str| Amount::from_decimal(text, SUM_DECIMALS).unwrap_or(Amount::ZERO);
    parsed(a).checked_sub(parsed(b)).unwrap_or(Amount::ZERO).to_decimal(SUM_DECIMALS)
}

/// Dollars counted in the current day.
pub(super) fn counted_on(spend: &SpendRow, now: u64) -> Amount {
    if spend.day == day_of(spend, now) {
        Amount::from_atomic(&spend.counted).unwrap_or(Amount::ZERO)
    } else {
        Amount::ZERO
    }
}

/// Takes what a row counted out of the day, if it is still the same.
pub(super) fn give_back(spend: &mut SpendRow, row: &mut InvocationRow, now: u64) {
    let held = Amount::from_atomic(&row.counted).unwrap_or(Amount::ZERO);
    // Where the terms come after midnight, that is another day than that of the invocation.
    let kept = row.counted_day;
    let counted_in = kept.unwrap_or_else(|| day_start(day_number(row.invoked)));
    if spend.day == counted_in && spend.day == day_of(spend, now) {
        let rest = counted_on(spend, now).checked_sub(held).unwrap_or(Amount::ZERO);
        spend.counted = rest.to_string();
    }
    row.counted = "0".to_string();
}

/// Adds an ended row to the totals of its account.
pub(super) fn add_ending(spend: &mut SpendRow, row: &InvocationRow) {
    let more = |count: u64| count.saturating_add(1);
    match row.ending {
        Ending::Running => {}
        Ending::Free => spend.free = more(spend.free),
        Ending::NotPaidFailed => spend.not_paid_failed = more(spend.not_paid_failed),
        Ending::InsufficientBalance => spend.insufficient = more(spend.insufficient),
        Ending::PaidFailed => {
            spend.paid_failed = more(spend.paid_failed);
            spend.failed_xlm = sum(&spend.failed_xlm, &row.xlm);
            change_tally(spend, &row.asset, |it| it.failed = sum(&it.failed, &row.amount));
        }
        Ending::PaidOk => {
            spend.paid_ok = more(spend.paid_ok);
            spend.xlm = sum(&spend.xlm, &row.xlm);
            change_tally(spend, &row.asset, |it| it.spent = sum(&it.spent, &row.amount));
        }
    }
}

/// Takes a row of an uncertain payment that never moved out of the totals.
pub(super) fn take_back(spend: &mut SpendRow, row: &InvocationRow) {
    if row.ending == Ending::PaidOk {
        spend.paid_ok = spend.paid_ok.saturating_sub(1);
        spend.xlm = difference(&spend.xlm, &row.xlm);
        change_tally(spend, &row.asset, |it| it.spent = difference(&it.spent, &row.amount));
        return;
    }
    spend.paid_failed = spend.paid_failed.saturating_sub(1);
    spend.failed_xlm = difference(&spend.failed_xlm, &row.xlm);
    change_tally(spend, &row.asset, |it| it.failed = difference(&it.failed, &row.amount));
}

/// Adds to what was spent of an asset, or was paid and not delivered.
fn change_tally(spend: &mut SpendRow, asset: &str, change: impl Fn(&mut SpendTally)) {
    if let Some(tally) = spend.assets.iter_mut().find(|tally| tally.asset == asset) {
        return change(tally);
    }
    let zero = || "0".to_string();
    let mut tally = SpendTally { asset: asset.to_string(), spent: zero(), failed: zero() };
    change(&mut tally);
    spend.assets.push(tally);
}
