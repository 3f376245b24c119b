//! The next move for a payment: a pure decision over its row and one look at the chain.
//!
//! The contract lets each payment out once, so that no mistake of this module can pay twice; what is
//! decided here is that each goal is reached, with one transaction of the gateway in the air at a
//! time, within the bounds of its price.

use alloc::string::ToString;

use super::abi::EscrowEntry;
use super::row::{EscrowDeed, EscrowFate, EscrowGoal, EscrowRow, EscrowStage, EscrowTry, NonceRow};
use super::sight::EscrowSight;
use crate::chain::ChainReader;
use crate::config::EscrowContract;
use farebox_base::amount::Amount;

/// Looks in a row after which a transaction without a block counts as overtaken.
const MAX_GONE: u32 = 3;
/// Seconds for which a nonce that was given out is believed rather than the node.
const GIVEN_SECS: u64 = 120;
/// Seconds after which the same bytes are sent again.
const RESEND_SECS: u64 = 10;
/// Most seconds between two looks at what fails.
const MAX_PAUSE_SECS: u64 = 3_600;
/// Most transactions that are signed for one payment at one nonce.
const MAX_BUMPS: usize = 12;

/// The circumstances of a row.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    /// Unix seconds.
    pub now: u64,
    /// The nonces that the wallet has given out.
    pub nonces: Option<&'a NonceRow>,
    /// Whether another payment's transaction is in the air.
    pub is_busy: bool,
    /// The contract, with the bounds of its price.
    pub escrow: &'a EscrowContract,
    /// How the chain is read.
    pub chain: &'a ChainReader,
}

/// A transaction that is to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EscrowBid {
    pub deed: EscrowDeed,
    pub nonce: u64,
    /// Wei for a unit of gas, for the producer of the block.
    pub tip: Amount,
    /// Most wei for a unit of gas.
    pub max_fee: Amount,
}

/// The next move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Look again later.
    Rest,
    /// Sign this and send it.
    Sign(EscrowBid),
    /// Send these bytes again.
    Resend(alloc::string::String),
}

/// Takes what a look showed into the row, and says what to do.
pub(super) fn advance(row: &mut EscrowRow, sight: &EscrowSight, around: Around<'_>) -> Move {
    learn(row, sight);
    row.changed = around.now;
    let needed = match (row.goal, sight.entry) {
        (
            EscrowGoal::Funded,
            EscrowEntry::Funded | EscrowEntry::Released | EscrowEntry::Refunded,
        )
        | (EscrowGoal::Released, EscrowEntry::Released)
        | (EscrowGoal::Refunded, EscrowEntry::Refunded) => {
            return rest_reached(row, sight.block, around);
        }
        (EscrowGoal::Released, EscrowEntry::Refunded)
        | (EscrowGoal::Refunded, EscrowEntry::Released) => {
            return rest_excluded(row, "the contract has paid it the other way", around);
        }
        (_, EscrowEntry::Other) => {
            return rest_excluded(row, "the contract has another payment under its name", around);
        }
        (_, EscrowEntry::None) => EscrowDeed::Register,
        (EscrowGoal::Released, EscrowEntry::Funded) => EscrowDeed::Release,
        (EscrowGoal::Refunded, EscrowEntry::Funded) => EscrowDeed::Refund,
    };
    (row.stage, row.seen) = (EscrowStage::Open, None);
    // The lowest nonce first: what comes after it waits for it, also after a reorganization.
    let flying = || row.tries.iter().filter(|it| it.fate == EscrowFate::Flying);
    let lowest = flying().map(|it| it.nonce).min();
    let newest = flying().rfind(|it| Some(it.nonce) == lowest).cloned();
    if let Some(newest) = newest {
        return hasten(row, &newest, sight, around);
    }
    if around.is_busy {
        return rest(row, Some("another transaction of its wallet is in the air"), 1, around);
    }
    let place = usize::from(needed != EscrowDeed::Register);
    match sight.would.get(place).copied().flatten() {
        Some(true) => {}
        Some(false) => {
            row.failures = row.failures.saturating_add(1);
            let pause = pause(row.failures);
            return rest(row, Some("the contract would not carry it out"), pause, around);
        }
        None => {
            let why = "the node did not say whether the contract would carry it out";
            return rest(row, Some(why), around.chain.read_secs, around);
        }
    }
    let Some((tip, max_fee)) = price(sight.base_fee, around) else {
        return rest(row, Some("gas costs more than maxFeeGwei"), around.chain.read_secs, around);
    };
    let (next, at) = around.nonces.map_or((0, 0), |it| (it.next, it.at));
    let is_fresh = around.now < at.saturating_add(GIVEN_SECS);
    if sight.count < next && is_fresh {
        return rest(row, Some("the node does not know its last transactions"), 1, around);
    }
    (row.sent, row.gone, row.why) = (around.now, 0, None);
    row.due = Some(around.now.saturating_add(1));
    Move::Sign(EscrowBid { deed: needed, nonce: sight.count, tip, max_fee })
}

/// Notes what became of each transaction.
fn learn(row: &mut EscrowRow, sight: &EscrowSight) {
    let before = count_failed(row);
    let mut is_gone = false;
    for it in &mut row.tries {
        let Some((_, fate)) = sight.fates.iter().find(|(hash, _)| *hash == it.hash) else {
            continue;
        };
        it.fate = match (fate, it.fate) {
            (Some(fate), _) => *fate,
            (None, EscrowFate::Overtaken) => EscrowFate::Overtaken,
            // A reorganization may take what was in a block.
            (None, EscrowFate::Flying | EscrowFate::Mined | EscrowFate::Reverted) => {
                is_gone |= it.nonce < sight.count;
                EscrowFate::Flying
            }
        };
    }
    let done: alloc::vec::Vec<u64> = row
        .tries
        .iter()
        .filter(|it| matches!(it.fate, EscrowFate::Mined | EscrowFate::Reverted))
        .map(|it| it.nonce)
        .collect();
    // The node may show the count before the block.
    row.gone = if is_gone { row.gone.saturating_add(1) } else { 0 };
    let is_over = row.gone >= MAX_GONE;
    for it in row.tries.iter_mut().filter(|it| it.fate == EscrowFate::Flying) {
        let is_replaced = done.contains(&it.nonce);
        if is_replaced || is_over && it.nonce < sight.count {
            it.fate = EscrowFate::Overtaken;
        }
    }
    if is_over {
        row.gone = 0;
    }
    if count_failed(row) > before {
        row.failures = row.failures.saturating_add(1);
    }
}

fn count_failed(row: &EscrowRow) -> usize {
    row.tries.iter().filter(|it| it.fate == EscrowFate::Reverted).count()
}

/// The chain shows the goal.
fn rest_reached(row: &mut EscrowRow, block: u64, around: Around<'_>) -> Move {
    let seen = row.seen.filter(|seen| *seen <= block).unwrap_or(block);
    let blocks = block.saturating_sub(seen).saturating_add(1);
    (row.seen, row.why, row.failures) = (Some(seen), None, 0);
    if blocks >= around.chain.confirmations {
        (row.stage, row.due) = (EscrowStage::Confirmed, None);
        // What is left of it would change nothing.
        row.overtake();
    } else {
        row.stage = EscrowStage::Sent;
        row.due = Some(around.now.saturating_add(around.chain.read_secs));
    }
    Move::Rest
}

fn rest_excluded(row: &mut EscrowRow, why: &str, around: Around<'_>) -> Move {
    row.stage = EscrowStage::Excluded;
    row.overtake();
    rest(row, Some(why), MAX_PAUSE_SECS, around)
}

/// Sends what flies again, or at a higher price.
fn hasten(
    row: &mut EscrowRow,
    newest: &EscrowTry,
    sight: &EscrowSight,
    around: Around<'_>,
) -> Move {
    let age = around.now.saturating_sub(row.sent);
    let at_nonce = row.tries.iter().filter(|it| it.nonce == newest.nonce).count();
    if age >= around.escrow.bump_secs && at_nonce < MAX_BUMPS && newest.nonce >= sight.count {
        let known = |text: &str| Amount::from_atomic(text).unwrap_or(Amount::ZERO);
        let (tip, max_fee) = (known(&newest.tip), known(&newest.max_fee));
        let (tip, raised) = (raise(tip), raise(max_fee));
        // What the market asks by now, if that is more.
        let asked = price(sight.base_fee, around).map_or(Amount::ZERO, |(_, fee)| fee);
        let raised = match at_nonce.saturating_add(1) < MAX_BUMPS {
            true => raised.max(asked).min(around.escrow.max_fee),
            // None follows it. A block takes what it asks then, and not all of it.
            false => around.escrow.max_fee,
        };
        let raised = within_bound(raised, around);
        // A node takes no replacement below 10 percent more.
        let is_enough = max_fee.checked_mul_u64(11).zip(raised.checked_mul_u64(10));
        if is_enough.is_some_and(|(least, most)| most >= least) {
            row.sent = around.now;
            row.why = Some("no block has it yet; a higher price is offered".to_string());
            row.due = Some(around.now.saturating_add(1));
            let nonce = newest.nonce;
            let (deed, tip) = (newest.deed, tip.min(raised));
            return Move::Sign(EscrowBid { deed, nonce, tip, max_fee: raised });
        }
    }
    let silence = around.now.saturating_sub(row.resent);
    if silence < RESEND_SECS || newest.nonce < sight.count {
        return rest(row, Some("no block has it yet"), 1, around);
    }
    rest(row, Some("no block has it yet; it is sent again"), RESEND_SECS / 2, around);
    // The wallet may hold too little for the last one: then the one before it is what can be mined.
    let is_turn = around.now.checked_div(RESEND_SECS).is_some_and(|turn| turn % 2 == 1);
    let before = row.tries.iter().rev().filter(|it| it.nonce == newest.nonce).nth(1);
    let again = before.filter(|_| is_turn).unwrap_or(newest);
    Move::Resend(again.bytes.clone())
}

fn rest(row: &mut EscrowRow, why: Option<&str>, secs: u64, around: Around<'_>) -> Move {
    row.why = why.map(ToString::to_string);
    row.due = Some(around.now.saturating_add(secs.max(1)));
    Move::Rest
}

/// This price; the bound itself where no node would take another one between both.
fn within_bound(fee: Amount, around: Around<'_>) -> Amount {
    let bound = around.escrow.max_fee;
    match fee.checked_mul_u64(11).zip(bound.checked_mul_u64(10)) {
        Some((next, most)) if next <= most => fee,
        _ => bound,
    }
}

/// An eighth more, rounded up.
fn raise(fee: Amount) -> Amount {
    let eighth = fee.checked_div_u64(8).and_then(|it| it.checked_add(Amount::from_u64(1)));
    eighth.and_then(|eighth| fee.checked_add(eighth)).unwrap_or(fee)
}

/// Tip and highest price: twice the base fee and the tip, within the bound; `None` if the bound is
/// below what a block asks now.
fn price(base: Amount, around: Around<'_>) -> Option<(Amount, Amount)> {
    let least = base.checked_add(around.escrow.tip)?;
    if least > around.escrow.max_fee {
        return None;
    }
    let fee = base.checked_mul_u64(2)?.checked_add(around.escrow.tip)?;
    let fee = within_bound(fee, around);
    Some((around.escrow.tip.min(fee), fee))
}

/// Seconds to the next try: doubled with each failure.
fn pause(failures: u32) -> u64 {
    1_u64.checked_shl(failures.min(16)).unwrap_or(MAX_PAUSE_SECS).min(MAX_PAUSE_SECS)
}
