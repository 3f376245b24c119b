//! The dashboard of one or two profiles, member for member. Spec: contract of the compute exchange,
//! "Dashboard / UI / demo".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::board::{Board, BoardSeller, Crew, MAX_EVENTS, MovedMoney};
use super::event::Line;
use super::message::JsonAnswer;
use super::refused::invalid;
use super::row::EventRow;
use super::settings::Profile;
use crate::text::{list, object, or_null, quoted, time};
use farebox_base::amount::Amount;

/// Fraction digits that sums of several tokens are made with.
const DIGITS: u8 = 18;
/// Fraction digits that are always shown.
const MIN_DIGITS: usize = 4;
const MAX_SELLERS: usize = 12;
const MAX_TOP: usize = 5;

/// Which profiles are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `mode=demo`.
    Demo,
    /// `mode=live&network=testnet`: both test profiles.
    Testnet,
    /// `mode=live&network=mainnet`.
    Mainnet,
}

impl Scope {
    /// The scope of a query; without one of the preferences, else the main network.
    ///
    /// # Errors
    /// The answer to a mode or network that there is not.
    pub fn of(query: &str, preferences: Option<Self>) -> Result<Self, JsonAnswer> {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let network = match value("network") {
            None => None,
            Some("testnet") => Some(Self::Testnet),
            Some("mainnet") => Some(Self::Mainnet),
            Some(_) => return Err(invalid("network must be testnet or mainnet.")),
        };
        let preferred = preferences.unwrap_or(Self::Mainnet);
        match (value("mode"), network) {
            (Some("demo"), _) => Ok(Self::Demo),
            (Some("live"), None) if preferred == Self::Demo => Ok(Self::Mainnet),
            (Some("live") | None, Some(network)) => Ok(network),
            (Some("live") | None, None) => Ok(preferred),
            (Some(_), _) => Err(invalid("mode must be demo or live.")),
        }
    }

    /// Its profiles, in the order of their cursors.
    #[must_use]
    pub const fn profiles(self) -> &'static [Profile] {
        match self {
            Self::Demo => &[Profile::DemoTestnet],
            Self::Testnet => &[Profile::DemoTestnet, Profile::LiveTestnet],
            Self::Mainnet => &[Profile::LiveMainnet],
        }
    }

    /// `mode`, and `network` where there is one.
    #[must_use]
    pub const fn names(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Demo => ("demo", None),
            Self::Testnet => ("live", Some("testnet")),
            Self::Mainnet => ("live", Some("mainnet")),
        }
    }
}

/// `GET /dashboard/summary`.
pub fn summary(boards: &[Board]) -> JsonAnswer {
    let sum = |count: fn(&Board) -> u64| {
        boards.iter().map(count).fold(0_u64, u64::saturating_add).to_string()
    };
    let crew = |count: fn(&Crew) -> u64| {
        boards.iter().map(|board| count(&board.crew)).fold(0_u64, u64::saturating_add).to_string()
    };
    let active = |crew: &Crew| crew.idle.saturating_add(crew.reserved).saturating_add(crew.busy);
    let metrics = object(&[
        ("activeSellers", crew(active)),
        ("openJobs", sum(|board| board.tally.open)),
        ("completedJobs", sum(|board| board.tally.done)),
        ("failedJobs", sum(|board| board.tally.failed)),
        ("volume24h", quoted(&volume(boards))),
    ]);
    let status = object(&[
        ("offline", crew(|crew| crew.offline)),
        ("idle", crew(|crew| crew.idle)),
        ("reserved", crew(|crew| crew.reserved)),
        ("busy", crew(|crew| crew.busy)),
    ]);
    let settlement = object(&[
        ("primary", quoted("Kite x402 Escrow")),
        ("fallback", quoted("Mock fallback only")),
        ("future", quoted("Proof of result before release")),
    ]);
    let newest = boards.iter().filter_map(|board| board.events.first()).map(|event| event.at).max();
    ok(&[
        ("metrics", metrics),
        ("activity24h", activity(boards)),
        ("sellerStatus", status),
        ("settlement", settlement),
        ("updatedAt", newest.map_or_else(|| "null".to_string(), |at| quoted(&time(at)))),
    ])
}

/// Each hour of the boards, which all have the same.
fn activity(boards: &[Board]) -> String {
    let hours = boards.first().map_or(&[][..], |board| &board.hours);
    list(hours.iter().map(|hour| {
        let same = boards.iter().flat_map(|board| &board.hours).filter(|it| it.hour == hour.hour);
        let add = |(created, settled): (u64, u64), it: &super::figures::HourTally| {
            (created.saturating_add(it.created), settled.saturating_add(it.settled))
        };
        let (created, settled) = same.fold((0, 0), add);
        object(&[
            ("hour", quoted(&time(hour.hour))),
            ("createdJobs", format!("{created}")),
            ("settledJobs", format!("{settled}")),
        ])
    }))
}

/// The cost of the jobs of the last hours.
pub(super) fn volume(boards: &[Board]) -> String {
    let mut sum = Amount::ZERO;
    for board in boards {
        for hour in &board.hours {
            let units = Amount::from_atomic(&hour.units).unwrap_or(Amount::ZERO);
            let text = units.to_decimal(board.decimals);
            let more = Amount::from_decimal(&text, DIGITS).unwrap_or(Amount::ZERO);
            sum = sum.checked_add(more).unwrap_or(Amount::MAX);
        }
    }
    pad_zeros(sum.to_decimal(DIGITS))
}

/// Atomic units as text with four fraction digits, or as many as it takes.
pub(super) fn money(units: &str, decimals: u8) -> String {
    pad_zeros(Amount::from_atomic(units).unwrap_or(Amount::ZERO).to_decimal(decimals))
}

fn pad_zeros(mut text: String) -> String {
    let digits = match text.split_once('.') {
        Some((_, fraction)) => fraction.len(),
        None => {
            text.push('.');
            0
        }
    };
    text.extend(core::iter::repeat_n('0', MIN_DIGITS.saturating_sub(digits)));
    text
}

/// `GET /dashboard/market`.
pub fn market(boards: &[Board]) -> JsonAnswer {
    let mut rows: Vec<(&Board, &BoardSeller)> = of(boards, |board| &board.rows);
    rows.sort_by_key(|(_, row)| core::cmp::Reverse(row.updated));
    let mut best: Vec<(&Board, &BoardSeller)> = of(boards, |board| &board.best);
    best.sort_by_key(|(_, row)| core::cmp::Reverse(row.record.done));
    let mut settled: Vec<(&Board, &MovedMoney)> = of(boards, |board| &board.settlements);
    settled.sort_by_key(|(_, it)| core::cmp::Reverse(it.at));
    let sellers = |(board, row): (&Board, &BoardSeller)| write_seller(board, row);
    let settlements = |(board, it): (&Board, &MovedMoney)| write_settlement(board, it);
    ok(&[
        ("rows", list(rows.into_iter().take(MAX_SELLERS).map(sellers))),
        ("topSellers", list(best.into_iter().take(MAX_TOP).map(sellers))),
        ("recentSettlements", list(settled.into_iter().take(MAX_TOP).map(settlements))),
    ])
}

fn of<'a, T>(
    boards: &'a [Board],
    rows: impl Fn(&'a Board) -> &'a Vec<T>,
) -> Vec<(&'a Board, &'a T)> {
    boards.iter().flat_map(|board| rows(board).iter().map(move |row| (board, row))).collect()
}

fn write_seller(board: &Board, row: &BoardSeller) -> String {
    object(&[
        ("sellerId", quoted(&row.id)),
        ("capability", quoted(&row.capability)),
        ("pricePerTask", quoted(&money(&row.units, board.decimals))),
        ("currency", quoted(&board.currency)),
        ("status", quoted(&row.status)),
        ("capacity", row.capacity.to_string()),
        ("freeSeats", row.free.to_string()),
        ("completedJobs", row.record.done.to_string()),
        ("failedJobs", row.record.failed.to_string()),
        ("volume", quoted(&money(&row.record.units, board.decimals))),
        ("networkProfile", quoted(&board.profile)),
        ("updatedAt", quoted(&time(row.updated))),
        ("explorerUrl", or_null(&link(board, "address", &row.id))),
    ])
}

fn write_settlement(board: &Board, it: &MovedMoney) -> String {
    let hash = if it.moved.is_empty() { &it.paid } else { &it.moved };
    object(&[
        ("jobId", or_null(&it.job)),
        ("capability", or_null(&it.capability)),
        ("amount", quoted(&money(&it.units, board.decimals))),
        ("currency", quoted(&board.currency)),
        ("type", quoted(it.kind.name())),
        ("settlementTxHash", or_null(&it.paid)),
        ("transferTxHash", or_null(&it.moved)),
        ("networkProfile", quoted(&board.profile)),
        ("settledAt", quoted(&time(it.at))),
        ("explorerUrl", or_null(&link(board, "tx", hash))),
    ])
}

/// Where the explorer shows a transaction or wallet; empty where there is none of it.
pub(super) fn link(board: &Board, kind: &str, what: &str) -> String {
    let long = if kind == "tx" { 66 } else { 42 };
    let digits = what.strip_prefix("0x").unwrap_or_default();
    let is_there = what.len() == long && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if board.explorer.is_empty() || !is_there {
        return String::new();
    }
    format!("{}/{kind}/{what}", board.explorer)
}

/// `GET /dashboard/events`: the newest.
pub fn newest(boards: &[Board]) -> JsonAnswer {
    let mut events: Vec<(&Board, &EventRow)> = of(boards, |board| &board.events);
    events.sort_by_key(|(_, event)| core::cmp::Reverse((event.at, event.number)));
    let cursor = boards.iter().map(|board| board.events.first().map_or(0, |event| event.number));
    let most = usize::try_from(MAX_EVENTS).unwrap_or(0);
    let shown = events.into_iter().take(most);
    let shown = shown.map(|(board, event)| Line::of(&board.profile, event).dashboard());
    ok(&[("events", list(shown)), ("cursor", quoted(&join_cursors(cursor)))])
}

/// Cursors of a scope's profiles, in their order; `None` if the text is none.
#[must_use]
pub fn cursors(scope: Scope, text: &str) -> Option<Vec<u64>> {
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() != scope.profiles().len() {
        return None;
    }
    parts.into_iter().map(|part| part.parse().ok()).collect()
}

fn join_cursors(cursors: impl Iterator<Item = u64>) -> String {
    cursors.map(|number| number.to_string()).collect::<Vec<_>>().join(".")
}

/// `GET /dashboard/events?cursor=`: what came after the cursors, oldest first. `pages` has a page of
/// each profile, with its cursor.
pub fn later(pages: &[(Profile, u64, Vec<EventRow>)]) -> JsonAnswer {
    let mut events: Vec<(u64, usize, Profile, &EventRow)> = Vec::new();
    for (place, (profile, _, rows)) in pages.iter().enumerate() {
        // Of one profile in the order of its numbers, also where its clock went back: a cursor
        // passes over nothing.
        let mut at = 0;
        for row in rows {
            at = row.at.max(at);
            events.push((at, place, *profile, row));
        }
    }
    events.sort_by_key(|(at, place, _, row)| (*at, *place, row.number));
    let most = usize::try_from(MAX_EVENTS).unwrap_or(0);
    let mut cursors: Vec<u64> = pages.iter().map(|(_, after, _)| *after).collect();
    let mut shown = Vec::new();
    for (_, place, profile, row) in events.into_iter().take(most) {
        if let Some(cursor) = cursors.get_mut(place) {
            *cursor = row.number.max(*cursor);
        }
        shown.push(Line::of(profile.name(), row).dashboard());
    }
    let cursor = join_cursors(cursors.into_iter());
    ok(&[("events", list(shown)), ("cursor", quoted(&cursor))])
}

fn ok(members: &[(&str, String)]) -> JsonAnswer {
    JsonAnswer::new(200, object(members))
}
