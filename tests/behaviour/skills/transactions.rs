//! Transactions: which invocation one of them pays, whatever a seller names.

use farebox_core::skills::message::{Command, TreasuryAnswer};
use farebox_core::skills::row::{Moved, Phase};

use super::invocations::shop;
use super::world::{TX, World, decision};

#[test]
pub fn one_transaction_pays_one_invocation() {
    let mut world = shop();
    world.buy("a", decision("allow", TX));
    world.buy("b", decision("allow", TX));
    let named: Vec<_> = world.rows.invocations.iter().map(|row| row.tx.as_str()).collect();
    assert_eq!(named, [TX, ""]);
}

// A-384
#[test]
pub fn a_transaction_that_is_shown_is_taken_from_an_invocation_whose_seller_named_it() {
    let mut world = shop();
    world.buy("a", decision("allow", TX));
    let shown = |tx: &str| TreasuryAnswer {
        money: Some("spent".into()),
        transaction: Some(tx.into()),
        ..decision("allow", tx)
    };
    let told = world.buy("b", shown(TX));
    assert_eq!(told.body["receipt"]["txHash"], TX);
    let named = |world: &World| -> Vec<_> {
        world.rows.invocations.iter().map(|row| row.tx.clone()).collect()
    };
    assert_eq!(named(&world), ["", TX]);
    // What is shown stays.
    world.buy("c", shown(TX));
    assert_eq!(named(&world), ["", TX, ""]);
}

/// A transaction in which a seller's own payment moved.
const OTHER_TX: &str = "0x7777777777777777777777777777777777777777777777777777777777777777";

/// What the alarm hears of an invocation: its payment moved in this transaction, whatever its seller
/// named.
fn look_up(world: &mut World, at: usize, named: &str, moved_in: &str) {
    world.now += 3_600_000;
    world.send(Command::Due);
    let row = world.rows.invocations[at].clone();
    if row.phase != Phase::Doubtful {
        return;
    }
    let answer = TreasuryAnswer {
        money: Some("spent".into()),
        transaction: Some(moved_in.into()),
        ..decision("allow", named)
    };
    let (invocation, fence) = (row.id, row.fence);
    world.send(Command::Paid { invocation, fence, answer: Some(answer) });
}

// A-403
#[test]
pub fn a_seller_that_is_paid_takes_no_transaction_of_another_by_naming_it() {
    for is_liar_first in [true, false] {
        let mut world = shop();
        // Each payment moves; the liar names the transaction in which the other one does.
        world.buy("a", decision("allow", TX));
        world.buy("b", decision("allow", TX));
        let (honest, liar) = if is_liar_first { (1, 0) } else { (0, 1) };
        let moved_in = |at: usize| if at == honest { TX } else { OTHER_TX };
        for at in [liar, honest, liar] {
            look_up(&mut world, at, TX, moved_in(at));
        }
        let rows = &world.rows.invocations;
        assert_eq!((rows[honest].tx.as_str(), rows[liar].tx.as_str()), (TX, OTHER_TX));
        assert!(rows.iter().all(|row| row.paid == Moved::Yes && row.phase == Phase::Done));
        assert!(!rows[honest].is_shown || is_liar_first);
    }
}

// A-404
#[test]
pub fn that_a_payment_moved_shows_no_transaction_that_its_seller_named() {
    let mut world = shop();
    let spent = |receipt: &str| {
        let money = Some("spent".to_owned());
        let told = decision("allow", TX);
        let body = told.body.replace(r#""status":"provisional""#, receipt);
        TreasuryAnswer { money, body, ..told }
    };
    let confirmed = r#""status":"confirmed""#;
    let of_other = r#""status":"confirmed","canonicalSettlementKey":"eip155:84532:0x1""#;
    for (key, receipt) in [("a", r#""status":"provisional""#), ("b", confirmed), ("c", of_other)] {
        world.buy(key, spent(receipt));
    }
    assert!(world.rows.invocations.iter().all(|row| !row.is_shown));
    let own = format!(r#""status":"confirmed","canonicalSettlementKey":"eip155:84532:{TX}""#);
    world.buy("d", spent(&own));
    assert!(world.rows.invocations[3].is_shown);
    assert_eq!(world.rows.invocations[3].tx, TX);
}

// A-575
#[test]
pub fn the_treasury_is_asked_for_as_long_as_it_asks_the_chain() {
    let mut world = shop();
    world.buy("a", decision("inconclusive", ""));
    let began = world.now;
    while let Some(due) = world.rows.invocations[0].due {
        world.now = due;
        world.send(Command::Due);
    }
    let days = (world.now - began) / 86_400_000;
    assert_eq!((world.rows.invocations[0].phase, days), (Phase::Doubtful, 7));
}
