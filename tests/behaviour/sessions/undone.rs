//! Histories of deposits that the gate sends: blocks that come and are undone, machines that die, and a payer who shows the same credentials again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::door::PRICE;
use super::funds::{LEAST, adding, opening, session};
use super::mpp_payer::{DEPOSIT, Session};
use super::node::{ChannelNode, NodeManner};
use crate::dice::Dice;
use crate::world::get;

const HISTORIES: u64 = 150;
const STEPS: u32 = 30;
/// Steps of a request, of which a machine may die at any.
const MOST_STEPS: u64 = 14;

struct Payer {
    session: Session,
    dice: Dice,
    /// The signed deposits: what opens the channel, and what is added.
    deposits: Vec<Value>,
    /// The contract before the last block.
    before: Option<ChannelNode>,
    /// How often the chain was undone.
    undone: u64,
    /// The highest voucher, and what was delivered for it.
    signed: u64,
    bought: u64,
}

impl Payer {
    fn new(seed: u64) -> Self {
        let mut session = session();
        session.door.node.tokens.insert(session.parties.payer, 3 * DEPOSIT);
        session.door.node.manner = NodeManner::Waits;
        let deposits = vec![opening(&session, DEPOSIT, PRICE), adding(&mut session, LEAST, 3)];
        let dice = Dice::seeded((seed + 1) * 1_000_003);
        Self { session, dice, deposits, before: None, undone: 0, signed: PRICE, bought: 0 }
    }

    fn take_step(&mut self) {
        match self.dice.below(10) {
            0..3 => {
                let payload = self.dice.pick(&self.deposits);
                self.shows(&payload);
            }
            3 | 4 => self.buys(),
            5 => {
                self.session.door.dies_at(Some(self.dice.below(MOST_STEPS)));
                let payload = self.dice.pick(&self.deposits);
                self.shows(&payload);
                self.session.door.dies_at(None);
            }
            6 | 7 => {
                self.before = Some(self.session.door.node.clone());
                self.session.door.node.block(usize::MAX);
            }
            8 => self.undoes(),
            _ => self.session.rest(30),
        }
        self.check();
    }

    /// Shows a credential; the status, unless the machine dies.
    fn shows(&mut self, payload: &Value) -> Option<u16> {
        self.session.door.signed = self.signed;
        Some(self.session.send(get("/report/1"), payload)?.status)
    }

    fn buys(&mut self) {
        let voucher = self.session.voucher("voucher", self.signed + PRICE);
        self.signed += PRICE;
        match self.shows(&voucher) {
            Some(200) => self.bought += PRICE,
            _ => self.signed -= PRICE,
        }
    }

    /// The chain undoes the last block; what it had waits again, or is forgotten.
    fn undoes(&mut self) {
        let Some(before) = self.before.take() else { return };
        let again = if self.dice.below(2) == 0 { before.pool.clone() } else { BTreeMap::new() };
        self.session.door.node.undo(before, again);
        self.undone += 1;
    }

    fn check(&self) {
        let (door, (spent, accepted)) = (&self.session.door, self.session.door.book());
        assert!(self.bought <= spent && spent <= accepted.max(self.signed));
        let locked = door.node.channels.get(&self.session.id);
        let (deposit, settled) = locked.map_or((0, 0), |locked| (locked.deposit, locked.settled));
        assert!(settled <= accepted, "{settled} settled of {accepted}");
        // What the payer has paid in is in the contract, each deposit once.
        assert_eq!(door.node.tokens[&self.session.parties.payer] + deposit, 3 * DEPOSIT);
        assert!(deposit <= DEPOSIT + LEAST);
        // A deposit that is sent twice fails at the payee's cost.
        assert!(door.node.reverted <= 2 * self.undone, "{} in vain", door.node.reverted);
    }

    /// The payer leaves, and everything comes to rest.
    fn settles(mut self) {
        self.session.door.node.block(usize::MAX);
        let now = self.session.door.now;
        let Some(locked) = self.session.door.node.channels.get_mut(&self.session.id) else {
            return;
        };
        locked.leaving = now;
        for _ in 0..40 {
            self.session.rest(30);
            self.session.door.node.block(usize::MAX);
            self.check();
        }
        let (spent, accepted) = self.session.door.book();
        let locked = &self.session.door.node.channels[&self.session.id];
        assert!(
            locked.deposit < accepted || locked.settled >= spent,
            "{} of {spent}",
            locked.settled
        );
    }
}

fn play(seed: u64) {
    let mut payer = Payer::new(seed);
    for _ in 0..STEPS {
        payer.take_step();
    }
    payer.settles();
}

//
#[test]
pub fn deposits_that_are_undone_or_shown_again_are_paid_in_once_and_what_was_earned_is_settled() {
    for seed in 0..HISTORIES {
        play(seed);
    }
}
