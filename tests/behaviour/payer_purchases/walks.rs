//! Histories of calls, in one process and in several.

use super::*;

/// Plays calls for one request whose terms one nonce pays, then an honest one: it is delivered, and charged once for each purchase.
fn one_slot(calls: &[Call]) {
    let mut payer = Payer { begins: Some(Terms::Usual), ..Payer::default() };
    let mut merchant = Merchant::default();
    for call in calls.iter().chain([&HONEST]) {
        payer.call(&mut merchant, *call);
        let slots: BTreeSet<&str> = payer.signed.iter().map(|it| it.slot.as_str()).collect();
        assert!(slots.len() <= 1, "{calls:?}: {slots:?}");
        let begun = payer.over + usize::from(!payer.signed.is_empty());
        assert!(merchant.charged.len() <= begun, "{calls:?}: {:?}", merchant.charged);
        if begun == 1 {
            assert_eq!(payer.counted().0, 1, "{calls:?}: a purchase is counted once");
        }
        payer.counts_all(calls);
    }
    assert!(payer.signed.is_empty(), "{calls:?}: the honest merchant delivers");
}

/// A call drawn at random.
fn drawn(dice: &mut Dice, terms_of: &[Terms]) -> Call {
    let mut answers = ANSWERS.to_vec();
    answers.extend(terms_of.iter().map(|it| Answer::Asks(*it)));
    let asks = dice.pick(terms_of);
    let (charges, answer) = (dice.below(2) == 0, dice.pick(&answers));
    Call {
        asks,
        charges,
        answer,
        after: dice.pick(&[0, 1, 30, 130]),
        elsewhere: dice.below(2) == 0,
    }
}

/// Six calls for one request whose terms one nonce pays.
pub fn for_one_request(mut dice: Dice) {
    let calls: Vec<Call> = (0..6).map(|_| drawn(&mut dice, &ONE_SLOT)).collect();
    one_slot(&calls);
}

/// Six calls at any terms; how often another nonce was signed for the same request.
pub fn at_any_terms(mut dice: Dice) -> usize {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    let mut moved = 0;
    for _ in 0..6 {
        // Each signature is judged by `Payer::signs`.
        let call = drawn(&mut dice, &ALL);
        payer.call(&mut merchant, call);
        payer.counts_all(&[call]);
        let slots: BTreeSet<&str> = payer.signed.iter().map(|it| it.slot.as_str()).collect();
        moved += usize::from(slots.len() > 1);
    }
    moved
}

// I-23
#[test]
pub fn each_pair_of_calls_for_one_request_is_one_charge() {
    let mut calls = Vec::new();
    for answer in ANSWERS {
        for (charges, after, elsewhere) in
            [(true, 0, false), (true, 130, true), (false, 0, true), (false, 130, false)]
        {
            calls.push(Call { asks: Terms::Usual, charges, answer, after, elsewhere });
        }
    }
    for first in &calls {
        for second in &calls {
            one_slot(&[*first, *second]);
        }
    }
}

//
#[test]
pub fn calls_for_one_request_are_one_charge_whatever_is_answered_in_whatever_process() {
    for seed in 1..=400 {
        for_one_request(Dice::seeded(seed));
    }
}

//
#[test]
pub fn another_nonce_is_signed_for_a_request_only_once_nothing_else_can_be_charged() {
    let mut moved = 0;
    for seed in 1..=400 {
        moved += at_any_terms(Dice::seeded(seed));
    }
    assert!(moved > 0, "some did go on elsewhere");
}
