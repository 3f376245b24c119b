//! Two facilitators in front of one chain, at random: whichever is asked, a payment is sent to one of them alone.

use std::collections::BTreeSet;

use serde_json::json;

use crate::dice::Dice;
use crate::world::facilitator::{Settle, Verify};
use crate::world::{Response, World, paid, routes, vars};

const RUNS: u64 = 400;

#[test]
fn a_payment_is_sent_to_one_facilitator_alone_and_delivered_once() {
    let (mut turned, mut doubtful, mut delivered) = (0, 0, 0);
    for seed in 1..=RUNS {
        let mut dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut vars = vars(routes());
        vars["FACILITATOR_URL"] =
            json!([{"url": "https://one.example"}, {"url": "https://two.example"}]);
        let mut world = World::with(vars);
        let payment = world.sign(dice.pick(&["/after", "/before"]));
        let verifies = [
            Verify::Honest,
            Verify::Honest,
            Verify::Silent,
            Verify::Raw(500, "{}".to_owned()),
            Verify::Raw(200, "<p>hello".to_owned()),
        ];
        let settles = [
            Settle::Honest,
            Settle::SilentBefore,
            Settle::SilentAfter,
            Settle::SilentLate,
            Settle::Pending,
        ];
        world.facilitator.verify_plan = (0..8).map(|_| dice.pick(&verifies)).collect();
        world.facilitator.settle_plan = (0..3).map(|_| dice.pick(&settles)).collect();

        // Three copies at once, one step of one of them at a time; then repeats, with alarms in between.
        let mut responses: Vec<Response> = Vec::new();
        let mut running: Vec<_> = (0..3).map(|_| world.start(paid(&payment), b"")).collect();
        while !running.is_empty() {
            let turn = usize::try_from(dice.below(running.len() as u64)).unwrap();
            if !world.advance(&mut running[turn]) {
                responses.extend(running.swap_remove(turn).response);
            }
        }
        for _ in 0..4 {
            world.pass(1 + dice.below(40));
            responses.push(world.present(&payment));
        }

        let bases = |operation: &str| -> BTreeSet<String> {
            let urls = world.facilitator.urls.iter();
            urls.filter_map(|url| url.strip_suffix(operation)).map(ToOwned::to_owned).collect()
        };
        let sent = bases("/settle");
        assert!(sent.len() <= 1, "seed {seed}: {sent:?}");
        let first = |response: &&Response| {
            response.is_delivery() && response.headers.get("payment-replayed").is_none()
        };
        let served = responses.iter().filter(first).count();
        assert!(served <= 1, "seed {seed}: served {served} times");
        assert!(world.origin.calls.len() <= 1 || sent.is_empty(), "seed {seed}: asked again");
        if !sent.is_empty() {
            let row = world.row_of(&payment.nonce);
            assert_eq!(sent, BTreeSet::from([row.payment.facilitator.clone()]), "seed {seed}");
        }
        turned += u32::from(sent.contains("https://two.example"));
        doubtful += u32::from(responses.iter().any(|it| it.problem() == "settlement_unknown"));
        delivered += u32::from(served == 1);
    }
    println!("{turned} turned to the second, {doubtful} in doubt, {delivered} delivered of {RUNS}");
    assert!(turned > 40 && doubtful > 40 && delivered > 100, "{turned} {doubtful} {delivered}");
}
