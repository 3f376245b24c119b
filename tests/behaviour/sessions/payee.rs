//! What the payee's account sends: many channels at once, blocks that are late, programs that die or take a nonce.

use farebox_core::channel::config::{ChannelId, ChannelParties};
use farebox_core::channel::payee::PayeeQueue;
use farebox_core::channel::payee::call::{Haste, PayoutCall, QueuedCall};
use farebox_core::channel::payee::sent::refusal;
use farebox_core::channel::voucher::Voucher;
use farebox_core::evm::address::Address;
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;

use super::chain::units;
use super::door::account;
use super::node::{ChannelNode, NodeManner, escrow};

const PAYEE: u8 = 9;
const DUE: u64 = 70;

/// A queue, the node that it sends to, and the time.
struct Sending {
    queue: PayeeQueue,
    node: ChannelNode,
    now: u64,
}

impl Sending {
    fn new() -> Self {
        let mut node = ChannelNode::new();
        node.manner = NodeManner::Waits;
        Self { queue: PayeeQueue::default(), node, now: 1_000_000 }
    }

    /// A channel of this number, of which its voucher is to be settled.
    fn due(&mut self, number: u64, haste: Haste) -> QueuedCall {
        let (payer, payee) = (account(1), account(PAYEE).address());
        let (token, salt) = (Address::ZERO, units(number).to_be_bytes());
        let authorized_signer = Address::ZERO;
        let parties =
            ChannelParties { payer: payer.address(), payee, token, salt, authorized_signer };
        let channel = parties.id(&escrow());
        self.node.channels.entry(channel.to_string()).or_insert_with(|| locked(parties));
        QueuedCall { haste, ..call(channel, 10) }
    }

    /// A call is handed over; whether there was room.
    fn takes(&mut self, due: QueuedCall) -> bool {
        self.queue.take(due, UnixTime::from_secs(self.now))
    }

    /// Asks and sends once, where nothing dies.
    fn round(&mut self) {
        if let Some(body) = self.body() {
            self.node.answer(&body);
        }
    }

    /// The body that is to be sent: the row is written by then.
    fn body(&mut self) -> Option<String> {
        let payee = account(PAYEE);
        let (network, body) = self.queue.question(payee.address())?;
        assert_eq!(network, "eip155:84532");
        let said = self.node.answer(&body).unwrap();
        self.queue.told(&said, &payee, UnixTime::from_secs(self.now))
    }

    /// The object restarts from its row.
    fn restarts(&mut self) {
        self.queue = PayeeQueue::from_row(&self.queue.to_row());
    }

    /// Rounds with a block of this size after each, until nothing waits: how many.
    fn blocks(&mut self, size: usize) -> u64 {
        for blocks in 0..100 {
            self.round();
            if self.queue.is_empty() {
                return blocks;
            }
            self.node.block(size);
            self.now += 3;
        }
        panic!("{:?}", self.queue);
    }

    fn settled(&self) -> usize {
        self.node.channels.values().filter(|locked| locked.settled == 10).count()
    }
}

fn locked(parties: ChannelParties) -> super::node::Locked {
    super::node::Locked { parties, deposit: 100, settled: 0, leaving: 0, finalized: false, back: 0 }
}

fn call(channel: ChannelId, amount: u64) -> QueuedCall {
    let voucher = Voucher { channel, cumulative: units(amount) };
    let signature = account(1).sign(&voucher.digest(&escrow()));
    QueuedCall {
        payee: account(PAYEE).address(),
        contract: escrow(),
        channel,
        haste: Haste::Staying,
        owed: units(amount),
        call: PayoutCall::Settle,
        cumulative: units(amount),
        signature,
        funds: None,
    }
}

#[test]
pub fn sixty_calls_at_once_are_mined_in_a_few_blocks_who_leaves_first() {
    let mut sending = Sending::new();
    for number in 1..DUE {
        let due = sending.due(number, Haste::Staying);
        assert!(sending.takes(due));
    }
    let leaving = sending.due(DUE, Haste::Leaving);
    assert!(sending.takes(leaving.clone()));
    let blocks = sending.blocks(usize::MAX);
    assert!(blocks <= 5, "{blocks}");
    assert_eq!(sending.node.done[0], leaving.channel.to_string());
    assert_eq!(sending.settled(), usize::try_from(DUE).unwrap());
    // One transaction for each, and none in vain.
    assert_eq!((sending.node.mined, sending.node.reverted), (DUE, 0));
    assert_eq!(sending.node.paid.len(), usize::try_from(DUE).unwrap());
}

#[test]
fn the_node_is_sent_nothing_where_nothing_is_new() {
    let mut sending = Sending::new();
    let due = sending.due(1, Haste::Staying);
    assert!(sending.takes(due));
    sending.round();
    for _ in 0..5 {
        sending.now += 1;
        assert_eq!(sending.body(), None);
    }
}

#[test]
pub fn of_payers_who_leave_those_who_owe_most_go_first() {
    let mut sending = Sending::new();
    sending.node.wei = 3 * COST;
    // Hundreds of crumbs, as many as there is room for, and then the money.
    for number in 1..600 {
        let crumb = sending.due(number, Haste::Leaving);
        sending.takes(crumb);
    }
    let rich: Vec<QueuedCall> = (600..603)
        .map(|number| {
            let owed = units(1_000_000 + number);
            QueuedCall { owed, ..sending.due(number, Haste::Leaving) }
        })
        .collect();
    for due in &rich {
        assert!(sending.takes(due.clone()), "money finds room among crumbs");
    }
    sending.restarts();
    sending.round();
    sending.node.block(usize::MAX);
    let names: Vec<String> = rich.iter().rev().map(|it| it.channel.to_string()).collect();
    assert_eq!(sending.node.done, names);
    // Who stays gives way to all of them.
    let stays = sending.due(700, Haste::Staying);
    for number in 603..606 {
        let crumb = sending.due(number, Haste::Leaving);
        sending.takes(crumb);
    }
    assert!(!sending.takes(QueuedCall { owed: units(9_000_000), ..stays }));
}

#[test]
fn nonces_far_beyond_the_chain_are_forgotten() {
    let mut sending = Sending::new();
    // A node that is wrong about the account once.
    sending.node.mined = 5_000;
    for number in 1..=3 {
        let due = sending.due(number, Haste::Staying);
        sending.takes(due);
    }
    sending.round();
    assert_eq!(sending.node.paid.first().map(|(nonce, _)| *nonce), Some(5_000));
    sending.node.mined = 0;
    sending.node.pool.clear();
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (3, 3, 0));
}

#[test]
fn who_leaves_while_others_wait_for_a_block_is_in_the_next_one() {
    let mut sending = Sending::new();
    for number in 1..DUE {
        let due = sending.due(number, Haste::Staying);
        sending.takes(due);
    }
    sending.round();
    let leaving = sending.due(DUE, Haste::Leaving);
    sending.takes(leaving.clone());
    sending.round();
    sending.node.block(usize::MAX);
    assert!(sending.node.done.contains(&leaving.channel.to_string()));
}

#[test]
fn a_call_that_is_handed_over_again_is_sent_once() {
    let mut sending = Sending::new();
    let due = sending.due(1, Haste::Staying);
    for _ in 0..5 {
        assert!(sending.takes(due.clone()));
        sending.round();
    }
    assert_eq!(sending.node.paid.len(), 1);
    // A higher voucher takes its nonce.
    sending.takes(call(due.channel, 20));
    sending.round();
    sending.node.block(9);
    let locked = &sending.node.channels[&due.channel.to_string()];
    assert_eq!((locked.settled, sending.node.mined, sending.node.reverted), (20, 1, 0));
}

#[test]
fn a_program_that_dies_before_it_sends_loses_nothing_and_holds_up_no_one() {
    let mut sending = Sending::new();
    let due = sending.due(1, Haste::Staying);
    sending.takes(due.clone());
    // Its nonce is written, and nothing was sent.
    assert!(sending.body().is_some());
    sending.restarts();
    let other = sending.due(2, Haste::Staying);
    sending.takes(other);
    sending.round();
    sending.node.block(9);
    assert_eq!(sending.settled(), 0);
    sending.now += 15;
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (2, 2, 0));
    // The row is lost while something waits: the channel hands it over again.
    let third = sending.due(3, Haste::Staying);
    sending.takes(third.clone());
    sending.round();
    sending.queue = PayeeQueue::default();
    sending.node.block(9);
    sending.takes(third);
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (3, 3, 0));
}

#[test]
fn a_nonce_that_another_program_took_is_followed_by_the_next_one() {
    let mut sending = Sending::new();
    let due = sending.due(1, Haste::Leaving);
    sending.takes(due.clone());
    sending.round();
    // A node takes the other one's, and a block has it.
    sending.node.pool.insert(0, ([5_000_000_000; 2], Vec::new()));
    sending.node.block(9);
    sending.round();
    assert!(sending.queue.is_empty());
    // The channel sees that it is not settled, and hands it over again.
    sending.takes(due);
    sending.round();
    sending.node.block(9);
    assert_eq!((sending.settled(), sending.node.mined), (1, 2));
}

#[test]
fn what_another_program_never_has_mined_is_replaced() {
    let mut sending = Sending::new();
    sending.node.pool.insert(0, ([1; 2], Vec::new()));
    for number in 1..=3 {
        let due = sending.due(number, Haste::Staying);
        sending.takes(due);
    }
    sending.round();
    assert_eq!(sending.node.paid[0].0, 1);
    // Its price is too low for a block, and then the node drops it.
    sending.node.pool.remove(&0);
    for _ in 0..12 {
        sending.now += 15;
        sending.round();
        sending.node.block(9);
    }
    sending.blocks(9);
    // The last one took the place, and what it had sent before comes to nothing.
    assert_eq!((sending.settled(), sending.node.reverted), (3, 1));
}

#[test]
fn an_account_that_cannot_pay_says_what_it_lacks_and_goes_on_later() {
    let mut sending = Sending::new();
    let due = sending.due(1, Haste::Staying);
    sending.takes(due);
    sending.node.wei = 1_000;
    sending.round();
    assert_eq!(sending.queue.health().lacks, Some(units(COST - 1_000)));
    assert_eq!(sending.node.paid.len(), 0);
    sending.node.wei = COST;
    sending.blocks(9);
    assert_eq!((sending.queue.health().lacks, sending.settled()), (None, 1));
}

/// 300,000 gas at twice a base fee of one gwei and a tenth of it as a tip.
const COST: u64 = 630_000_000_000_000;

#[test]
pub fn a_price_that_the_account_cannot_pay_stops_no_one() {
    let mut sending = Sending::new();
    sending.node.wei = 3 * COST;
    let stays = sending.due(1, Haste::Staying);
    sending.takes(stays);
    // Minutes in which the node takes no transaction: the price is raised again and again.
    sending.node.manner = NodeManner::Refuses;
    for _ in 0..14 {
        sending.now += 15;
        sending.round();
    }
    let tips: Vec<u64> = sending.node.paid.iter().map(|(_, tip)| *tip).collect();
    assert!(tips.iter().all(|tip| *tip < 300_000_000), "{tips:?}");
    let leaves = sending.due(2, Haste::Leaving);
    sending.takes(leaves.clone());
    sending.node.manner = NodeManner::Waits;
    sending.round();
    sending.node.block(9);
    assert_eq!(sending.node.done, [leaves.channel.to_string()]);
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (2, 2, 0));
}

#[test]
pub fn who_leaves_takes_the_nonce_of_who_stays_if_one_can_be_paid() {
    let mut sending = Sending::new();
    sending.node.wei = COST * 9 / 8 + 300_000;
    let stays = sending.due(1, Haste::Staying);
    sending.takes(stays.clone());
    sending.round();
    let leaves = sending.due(2, Haste::Leaving);
    sending.takes(leaves.clone());
    sending.round();
    sending.node.block(9);
    assert_eq!(sending.node.done, [leaves.channel.to_string()]);
    // What is left is for one call more.
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (2, 2, 0));
}

#[test]
fn who_stays_and_was_mined_before_who_leaves_is_not_sent_twice() {
    let mut sending = Sending::new();
    sending.node.wei = COST + 9;
    let stays = sending.due(1, Haste::Staying);
    sending.takes(stays);
    sending.round();
    // No more can be paid, so that the node keeps what it has.
    let leaves = sending.due(2, Haste::Leaving);
    sending.takes(leaves.clone());
    sending.round();
    sending.node.block(9);
    sending.node.wei = 9 * COST;
    sending.round();
    assert_eq!((sending.settled(), sending.node.paid.len()), (1, 2));
    assert!(sending.queue.is_empty());
    // The channel sees that it is not settled, and hands it over again.
    sending.takes(leaves);
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.mined, sending.node.reverted), (2, 2, 0));
}

#[test]
pub fn a_price_that_was_raised_to_its_limit_follows_the_chain() {
    let mut sending = Sending::new();
    let stays = sending.due(1, Haste::Staying);
    sending.takes(stays);
    // No blocks for ten minutes, and then dear ones.
    for _ in 0..40 {
        sending.now += 15;
        sending.round();
    }
    let most = sending.node.paid.last().unwrap().1;
    sending.node.base *= 100;
    let leaves = sending.due(2, Haste::Leaving);
    sending.takes(leaves);
    sending.round();
    sending.now += 15;
    sending.round();
    sending.node.block(9);
    assert_eq!((sending.settled(), sending.node.mined), (2, 2));
    // By itself it was raised twenty times, and what waited behind it was not.
    assert!(most > 1_050_000_000 && most < 1_060_000_000, "{most}");
    let behind = sending.node.paid.iter().filter(|(nonce, _)| *nonce == 1);
    assert_eq!(behind.map(|(_, tip)| *tip).collect::<Vec<_>>(), [10_000_000_000; 2]);
}

#[test]
fn what_waits_behind_the_first_one_is_raised_with_it() {
    let mut sending = Sending::new();
    for number in 1..=9 {
        let due = sending.due(number, Haste::Staying);
        sending.takes(due);
    }
    for _ in 0..4 {
        sending.round();
        sending.now += 15;
    }
    let last = sending.node.paid.iter().rev().take(9).map(|(_, tip)| *tip);
    let last: Vec<u64> = last.collect();
    assert!(last.iter().all(|tip| *tip == last[0] && *tip > 140_000_000), "{last:?}");
    sending.node.block(9);
    assert_eq!((sending.settled(), sending.node.reverted), (9, 0));
}

#[test]
fn a_fee_that_rises_is_paid_for_the_first_one_with_what_the_others_hold() {
    let mut sending = Sending::new();
    for number in 1..=3 {
        let due = sending.due(number, Haste::Staying);
        sending.takes(due);
    }
    sending.node.wei = 3 * COST;
    sending.round();
    // The node has lost all of them by then.
    sending.node.pool.clear();
    (sending.node.base, sending.now) = (2_500_000_000, sending.now + 15);
    sending.round();
    sending.node.block(9);
    assert_eq!(sending.settled(), 1);
}

#[test]
fn where_blocks_have_a_least_tip_it_is_paid_from_the_first_call_on() {
    let mut sending = Sending::new();
    (sending.node.least_tip, sending.node.tells_tip) = (25_000_000_000, true);
    let leaves = sending.due(1, Haste::Leaving);
    sending.takes(leaves);
    sending.round();
    assert_eq!(sending.node.paid, [(0, 25_000_000_000)]);
    sending.node.block(9);
    assert_eq!(sending.settled(), 1);
}

#[test]
fn a_node_that_asks_for_too_much_is_not_believed() {
    let mut sending = Sending::new();
    (sending.node.least_tip, sending.node.tells_tip) = (5_000_000_000_000, true);
    let leaves = sending.due(1, Haste::Leaving);
    sending.takes(leaves);
    sending.round();
    assert_eq!(sending.node.paid, [(0, 100_000_000_000)]);
}

#[test]
fn what_a_node_says_against_a_call_is_told_cut_short() {
    let mut sending = Sending::new();
    sending.node.least_tip = 25_000_000_000;
    let due = sending.due(1, Haste::Staying);
    sending.takes(due);
    let body = sending.body().unwrap();
    let said = sending.node.answer(&body).unwrap();
    let why = "underpriced: gas tip cap 100000000, minimum needed 25000000000";
    assert_eq!(refusal(&said).as_deref(), Some(why));
    sending.node.least_tip = 0;
    let said = sending.node.answer(&body).unwrap();
    assert_eq!(refusal(&said), None);
    // What was sent before is no refusal.
    let said = sending.node.answer(&body).unwrap();
    assert!(said.contains("already known"), "{said}");
    assert_eq!(refusal(&said), None);
    let long =
        format!(r#"[{{"id":1,"error":{{"code":1,"message":"a\u0007b{}"}}}}]"#, "c".repeat(999));
    assert_eq!(refusal(&long), Some(format!("ab{}", "c".repeat(158))));
    assert_eq!(refusal(r#"{"error":{"code":-32005,"message":"limit"}}"#), None);
}

#[test]
fn what_the_contract_refuses_is_not_sent_for_ever() {
    let mut sending = Sending::new();
    let mut due = sending.due(1, Haste::Staying);
    due.signature = Signature::parse(&format!("0x{}1b", "12".repeat(64))).ok();
    sending.takes(due);
    sending.blocks(9);
    assert_eq!((sending.settled(), sending.node.reverted), (0, 1));
}

#[test]
fn a_full_queue_has_room_for_who_leaves() {
    let mut sending = Sending::new();
    for number in 0..512 {
        assert!(sending.takes(call(ChannelId::from_bytes(units(number).to_be_bytes()), 10)));
    }
    let one_more = sending.due(1, Haste::Staying);
    assert!(!sending.takes(one_more));
    let leaving = sending.due(2, Haste::Leaving);
    assert!(sending.takes(leaving));
    sending.round();
    sending.node.block(1);
    assert_eq!(sending.settled(), 1);
}
