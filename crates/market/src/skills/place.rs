//! The reason for which a skill keeps its place in the catalogue: money that moved, for a time. A
//! payment that was shown and not settled keeps none, because a buyer and a seller who are one may
//! see to it that nothing is charged.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::books::{Change, Rows};
use super::message::Sale;
use super::price::{USD_DECIMALS, cut};
use super::row::{Charges, FOR_EVER, InvocationRow, Moved, Room, SkillRow, VersionRow};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_evm::address::Address;
use farebox_evm::token::{self, Token};
use farebox_payer::client::asset::is_dollar;

/// Milliseconds for which a millionth of a dollar keeps a KiB of the gate's table: a dime keeps it for
/// thirty days.
const MICRO_MS: u64 = 25_920;
/// Most milliseconds for which a place is kept from now on.
const MAX_AHEAD_MS: u64 = 90 * 86_400_000;
/// Milliseconds by which a place that is kept for long is kept longer at least, so that not each sale
/// writes a row.
const STEP_MS: u64 = 86_400_000;

/// Milliseconds ahead from which money that moved keeps a skill's row for ever: a cent for a KiB. What
/// is called for nothing would otherwise fill the object.
const REMEMBERED_MS: u64 = 3 * 86_400_000;

/// Notes that a skill was called or paid for, and how much money moved for it.
pub(super) fn note_use(skill: SkillRow, moved: Amount, now: u64) -> Option<Change> {
    let place_until = extend_place(&skill, moved, now);
    let is_worth = place_until >= now.saturating_add(REMEMBERED_MS);
    let is_used = is_worth;
    let is_new = is_used && !skill.used || !skill.called;
    let is_far = skill.place_until.saturating_add(STEP_MS) >= now.saturating_add(MAX_AHEAD_MS);
    let is_kept = place_until > skill.place_until && !is_far;
    let used = skill.used || is_used;
    let row = SkillRow { used, called: true, place_until, ..skill };
    (is_new || is_kept).then(|| Change::Skill(Box::new(row)))
}

/// Until when a skill has its place after so many millionths of a dollar have moved for it.
fn extend_place(skill: &SkillRow, moved: Amount, now: u64) -> u64 {
    let micros: u64 = moved.to_string().parse().unwrap_or(u64::MAX);
    let ms = micros.saturating_mul(MICRO_MS).checked_div(kib_of(skill.room)).unwrap_or_default();
    let end = now.saturating_add(MAX_AHEAD_MS);
    let kept = skill.place_until.max(now).saturating_add(ms).min(end);
    if ms == 0 { skill.place_until } else { kept.max(skill.place_until) }
}

/// The skill with another room: what kept its place keeps one of more KiB for less.
pub(super) fn resize(skill: SkillRow, room: Room, now: u64) -> SkillRow {
    let (had, has) = (kib_of(skill.room), kib_of(room));
    let is_more = has > had && skill.place_until != FOR_EVER;
    if !is_more || !skill.has_place(now) {
        return SkillRow { room, ..skill };
    }
    let ahead = skill.place_until.saturating_sub(now);
    let ahead = ahead.saturating_mul(had).checked_div(has).unwrap_or_default();
    SkillRow { room, place_until: now.saturating_add(ahead), ..skill }
}

/// Begun KiB of the gate's table; one, if it is none.
fn kib_of(room: Room) -> u64 {
    room.bytes.div_ceil(1024).max(1)
}

/// Millionths of a dollar that a sale has moved: none, where the gate settles after the delivery and
/// tells no one here of it.
pub(super) fn moved_by(sale: &Sale) -> Amount {
    if sale.transaction.is_empty() {
        return Amount::ZERO;
    }
    let chain = ChainId::parse(&sale.network).ok();
    let asset = Address::parse(&sale.asset).ok();
    let token = chain.zip(asset).and_then(|(chain, asset)| token::by_address(&chain, &asset));
    let amount = Amount::from_atomic(&sale.amount).ok();
    token.zip(amount).map_or(Amount::ZERO, |(token, amount)| micros(amount, token))
}

/// Millionths of a dollar in an amount of an asset.
fn micros(amount: Amount, token: &Token) -> Amount {
    let text = cut(amount, token.decimals, USD_DECIMALS);
    let micros = Amount::from_decimal(&text, USD_DECIMALS).ok();
    micros.filter(|_| is_dollar(token.symbol)).unwrap_or(Amount::ZERO)
}

/// Notes the money of an invocation that is over, if more than its seller says that it moved. What the gate has settled before it called counts as a sale.
pub(super) fn note_payment<B: Rows>(
    books: &B,
    row: &InvocationRow,
    now: u64,
) -> Result<Option<Change>, B::Error> {
    if row.paid != Moved::Yes || row.tx.is_empty() {
        return Ok(None);
    }
    let version = books.version(&row.skill, &row.version)?;
    let counts = |version: &VersionRow| match version.charges {
        Charges::Gate => version.settle != "before",
        Charges::Seller => row.is_shown,
    };
    let Some(skill) = books.skill(&row.skill)?.filter(|_| version.as_ref().is_some_and(counts))
    else {
        return Ok(None);
    };
    let chain = ChainId::parse(&row.network).ok();
    let token = chain.as_ref().and_then(|chain| token::by_symbol(chain, &row.asset));
    let moved = token.and_then(|token| {
        Some(micros(Amount::from_decimal(&row.amount, token.decimals).ok()?, token))
    });
    Ok(note_use(skill, moved.unwrap_or(Amount::ZERO), now))
}
