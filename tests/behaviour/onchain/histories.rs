//! Transactions in seeded histories.

use farebox_core::evm::keccak::keccak256;
use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::world::World;
use crate::world::chain::{ASSET, NodeFault};
use crate::world::ledger::LedgerFault;
use crate::world::transfers::Fate;

use super::{ROUTE, answer, challenge, hash, moved, served, signed, transaction, world};

/// Whatever fails on the way: a transaction buys at most one answer, none is given before it is in a block, and what was paid is in
/// the end served, owed, or for a person to look at.
#[test]
fn no_history_of_a_transaction_breaks_a_rule() {
    let mut ends = BTreeMap::new();
    for seed in 1..=400 {
        let end = history(&mut Dice::seeded(seed * 0x9e37_79b9));
        *ends.entry(end).or_insert(0) += 1;
    }
    for end in ["delivered", "refund_due", "void"] {
        assert!(ends.contains_key(end), "{ends:?}");
    }
}

/// One history, and how it ends.
pub fn history(dice: &mut Dice) -> String {
    let mut world = world();
    let target = dice.pick(&[ROUTE, "/shown/before"]);
    let by_hash = dice.below(2) == 0;
    let bytes = signed(&world, 0);
    let fates = [Fate::Mined, Fate::Mined, Fate::Waits, Fate::Reverts, Fate::Lost];
    let fate = dice.pick(&fates);
    world.facilitator.chain.transfers.fate = fate;
    let challenge = challenge(&mut world, target);
    let request = if by_hash {
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.send(&bytes, block);
        answer(target, &challenge, &hash(&bytes), Some(&world.payer))
    } else {
        answer(target, &challenge, &transaction(&bytes), None)
    };
    let mut deliveries = 0;
    for _ in 0..3 + dice.below(3) {
        let node = [
            NodeFault::Fine,
            NodeFault::Fine,
            NodeFault::Fine,
            NodeFault::Silent,
            NodeFault::Refuses,
        ];
        let ledger = [
            LedgerFault::Fine,
            LedgerFault::Fine,
            LedgerFault::Fine,
            LedgerFault::ReplyLost,
            LedgerFault::Down,
        ];
        world.facilitator.chain.plan = (0..dice.below(6)).map(|_| dice.pick(&node)).collect();
        world.ledger.plan = (0..dice.below(6)).map(|_| dice.pick(&ledger)).collect();
        let mut running = world.start(request.clone(), b"");
        // The Worker may be lost after any step.
        let steps = if dice.below(3) == 0 { dice.below(12) } else { u64::MAX };
        let mut done = 0;
        while done < steps && world.advance(&mut running) {
            done += 1;
        }
        if let Some(response) = running.response.filter(|response| response.status == 200) {
            let replayed = response.headers.get("payment-replayed").is_some();
            deliveries += u32::from(!replayed);
            assert_eq!(moved(&world), 10_000, "nothing is given before the money is there");
        }
        if dice.below(2) == 0 {
            let block = world.facilitator.chain.next_block();
            world.facilitator.chain.transfers.mine(block);
        }
        world.pass(dice.pick(&[1, 10, 60, 400]));
    }
    world.facilitator.chain.plan.clear();
    world.ledger.plan.clear();
    if dice.below(2) == 0 {
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.mine(block);
    } else {
        // The payer makes another transaction of what waits nowhere.
        world.facilitator.chain.transfers.fate = Fate::Mined;
        let other =
            world.payer.transaction(0, ASSET, "0x00000000000000000000000000000000000000aa", 1);
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.send(&other, block);
    }
    world.pass(30 * 86_400);
    assert!(deliveries <= 1 && served(&world) <= 1);
    let paid = moved_by(&world, &bytes);
    let end = world.ledger.entries().first().map_or("none".to_owned(), |entry| entry.state.name());
    let allowed: &[&str] = match (paid, by_hash) {
        // Who never came to show it has paid for nothing.
        (true, true) => &["delivered", "refund_due", "none"],
        (true, false) => &["delivered", "refund_due"],
        (false, _) => &["void", "manual", "closed", "none"],
    };
    assert!(allowed.contains(&end.as_str()), "{end} of {fate:?}, by hash {by_hash}");
    // The answer that was stored may have been lost on its way.
    assert!(deliveries == 0 || end == "delivered", "{end} of {fate:?}");
    end
}

/// Whether this transaction moved its value.
fn moved_by(world: &World, bytes: &[u8]) -> bool {
    let hash = keccak256(bytes);
    let all = &world.facilitator.chain.transfers.all;
    all.iter().any(|one| one.signed.hash == hash && one.block.is_some() && !one.reverts)
}
