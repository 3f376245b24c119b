//! Machines as sequences of commands: the bytes choose what happens next, and the rules of `tests/behaviour` are asked after
//! each step and at the end.

use farebox_core::compute::row::HoldKind;

use crate::channel::explore;
use crate::compute::life::histories;
use crate::dice::Dice;
use crate::driver::notes::met;
use crate::{
    channel_payer, compute, ledger, onchain, payer_purchases, session_payer, skills, treasury,
};

fn holds(outcome: Result<(), String>) {
    outcome.unwrap_or_else(|violation| panic!("{violation}"));
}

pub fn gate(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    let target = dice.pick(&ledger::random::TARGETS);
    let chain = target.starts_with("/sure") || dice.below(3) > 0;
    holds(
        ledger::random::play(dice, target, chain).map(|history| history.hits.iter().for_each(met)),
    );
}

pub fn arrivals(bytes: &[u8]) {
    holds(ledger::arrivals::play_any(&mut Dice::of(bytes)).map(drop));
}

pub fn onchain(bytes: &[u8]) {
    onchain::histories::history(&mut Dice::of(bytes));
}

pub fn channel(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    let kind = dice.below(3);
    let world = match kind {
        0 => explore::selling_streams(0, &mut dice),
        rule => explore::any(rule, &mut dice),
    };
    holds(explore::go_on(world, dice));
}

pub fn purchase(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    match dice.below(2) {
        0 => payer_purchases::walks::for_one_request(dice),
        _ => _ = payer_purchases::walks::at_any_terms(dice),
    }
}

pub fn channel_payer(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    channel_payer::walk::play(1 + dice.below(1_000), dice);
}

pub fn session_payer(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    session_payer::histories::play(1 + dice.below(300), dice);
}

pub fn treasury(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    holds(treasury::random::play(dice.below(4), dice));
}

pub fn escrow(bytes: &[u8]) {
    holds(treasury::escrows::life::go_on(Dice::of(bytes)));
}

pub fn skills(bytes: &[u8]) {
    holds(skills::life::go_on(Dice::of(bytes)));
}

pub fn exchange(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    holds(histories::go_on(dice.pick(&histories::WAYS), dice));
}

pub fn exchange_desk(bytes: &[u8]) {
    holds(compute::desk::go_on(Dice::of(bytes)));
}

pub fn exchange_waits(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    holds(compute::waits::go_on(dice.pick(&[HoldKind::Completion, HoldKind::Mock]), dice));
}
