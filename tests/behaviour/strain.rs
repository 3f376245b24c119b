//! Failed settlements, and whom they concern: the payer whose they are, and others only where those of many payers with
//! money fail. Spec: docs/design.md, "Faults".

use std::collections::BTreeMap;

use farebox_core::facilitator::breaker::Breaker;
use serde_json::json;

use crate::world::facilitator::{Settle, Verify};
use crate::world::origin::Say;
use crate::world::payer::Payer;
use crate::world::{PAY_TO, Response, World, vars};

/// A gate whose breaker is watched, and wallets.
struct Crowd {
    world: World,
    wallets: BTreeMap<u8, Payer>,
}

fn watched() -> Crowd {
    let mut world = World::with(vars(json!([
        {"path": "/after/*", "price": "$0.01"},
        {"path": "/before", "price": "$0.01", "settle": "before"},
    ])));
    world.breaker = Some(Breaker::default());
    Crowd { world, wallets: BTreeMap::new() }
}

/// Pays from this wallet.
fn pay_as(Crowd { world, wallets }: &mut Crowd, wallet: u8, target: &str) -> Response {
    let payer = wallets.entry(wallet).or_insert_with(|| Payer::new(wallet));
    std::mem::swap(&mut world.payer, payer);
    let response = world.pay(target);
    std::mem::swap(&mut world.payer, payer);
    response
}

/// A payment whose settlement fails, and fails once more.
fn fails_to_settle(crowd: &mut Crowd, wallet: u8, target: &str) {
    let broken = || Settle::Raw(500, r#"{"error":"internal"}"#.to_owned());
    crowd.world.facilitator.settle_plan.extend([broken(), broken()]);
    let answer = pay_as(crowd, wallet, target);
    assert_eq!((answer.status, answer.problem().as_str()), (503, "settlement_unknown"));
}

/// Whether a payment from this wallet at a route that settles after is owed if the origin fails: it was settled before.
fn is_settled_first(crowd: &mut Crowd, wallet: u8) -> bool {
    crowd.world.origin.plan.push_back(Say::Lost);
    let answer = pay_as(crowd, wallet, "/after/asked");
    match answer.problem().as_str() {
        "refund_due" => true,
        "origin_failed" => false,
        other => panic!("{other}"),
    }
}

#[test]
pub fn failed_settlements_of_one_payer_change_nothing_for_another() {
    let mut crowd = watched();
    for turn in 0..12 {
        fails_to_settle(&mut crowd, 2, &format!("/after/{turn}"));
        // The breaker admits one call of theirs in five seconds.
        crowd.world.wait(6);
    }
    assert!(!is_settled_first(&mut crowd, 1));
}

// A-38
#[test]
pub fn a_payer_whose_settlement_failed_is_served_nothing_on_credit_until_one_succeeds() {
    let mut crowd = watched();
    fails_to_settle(&mut crowd, 2, "/after/x");
    assert_eq!(crowd.world.origin.calls.len(), 1, "it ran once");
    for turn in 0..5 {
        fails_to_settle(&mut crowd, 2, &format!("/after/{turn}"));
        // The breaker admits one call of theirs in five seconds.
        crowd.world.wait(6);
    }
    assert_eq!(crowd.world.origin.calls.len(), 1, "and not again");
    crowd.world.wait(6);
    assert_eq!(pay_as(&mut crowd, 2, "/after/pays").status, 200);
    assert!(!is_settled_first(&mut crowd, 2));
}

// A-560
#[test]
pub fn a_payee_whom_a_route_names_is_paid_for_what_was_served() {
    for (payee, owed) in [("0x976EA74026E726554dB657fA54763abd0C3a0aa9", false), (PAY_TO, true)] {
        let routes = json!([{"path": "/after/*", "price": "$0.01", "pay_to": payee}]);
        let mut crowd = Crowd { world: World::with(vars(routes)), wallets: BTreeMap::new() };
        crowd.world.breaker = Some(Breaker::default());
        fails_to_settle(&mut crowd, 2, "/after/x");
        crowd.world.wait(6);
        assert_eq!(is_settled_first(&mut crowd, 2), owed, "{payee}");
    }
}

#[test]
pub fn empty_wallets_that_a_facilitator_fails_on_change_nothing_for_another() {
    let mut crowd = watched();
    for wallet in 2..30 {
        fails_to_settle(&mut crowd, wallet, "/before");
        // So that the breaker does not open.
        crowd.world.facilitator.verify_plan.push_back(Verify::Raw(
            200,
            r#"{"isValid":false,"invalidReason":"invalid_exact_evm_payload_signature"}"#.to_owned(),
        ));
        assert_eq!(pay_as(&mut crowd, 90, "/after/x").status, 402);
    }
    assert!(!is_settled_first(&mut crowd, 1));
}

#[test]
pub fn while_settlements_of_ten_payers_fail_who_has_not_paid_is_served_nothing_on_credit_and_who_has_is()
 {
    let mut crowd = watched();
    assert_eq!(pay_as(&mut crowd, 50, "/after/x").status, 200);
    for wallet in 2..12 {
        fails_to_settle(&mut crowd, wallet, "/after/x");
    }
    assert_eq!(crowd.world.origin.calls.len(), 11);
    fails_to_settle(&mut crowd, 60, "/after/x");
    assert_eq!(
        crowd.world.origin.calls.len(),
        11,
        "the facilitator is down: no more work on credit"
    );
    assert!(!is_settled_first(&mut crowd, 50), "who has paid is not concerned");
    assert!(is_settled_first(&mut crowd, 61));
    assert!(!is_settled_first(&mut crowd, 62), "that settlement has ended it");
}

#[test]
pub fn wallets_whose_settlements_failed_do_not_count_again_until_they_have_paid() {
    let mut crowd = watched();
    for turn in 0..3 {
        for wallet in 2..12 {
            fails_to_settle(&mut crowd, wallet, &format!("/after/{turn}"));
        }
        let strained = is_settled_first(&mut crowd, 100 + turn);
        assert_eq!(strained, turn == 0, "{turn}");
        assert_eq!(pay_as(&mut crowd, 70, "/after/x").status, 200);
    }
}

#[test]
pub fn calls_of_one_payer_that_fail_hold_back_no_other() {
    let mut crowd = watched();
    for turn in 0..12 {
        crowd.world.facilitator.verify_plan.push_back(Verify::Silent);
        let answer = pay_as(&mut crowd, 2, &format!("/after/{turn}"));
        assert_eq!((answer.status, answer.problem().as_str()), (503, "facilitator_unavailable"));
        crowd.world.facilitator.verify_plan.clear();
    }
    for turn in 0..3 {
        assert_eq!(pay_as(&mut crowd, 1, &format!("/after/{turn}")).status, 200);
    }
}

// A-705
#[test]
pub fn permits_that_the_chain_refuses_hold_back_no_other_payment() {
    let mut world = World::with(vars(json!([
        {"path": "/sponsored", "price": "$0.01", "asset_transfer_method": "permit2", "gas_sponsoring": true},
    ])));
    world.breaker = Some(Breaker::default());
    let pays = |world: &mut World, wallet: u8, beside: bool| {
        world.payer = Payer::new(wallet);
        let required = world.ask("/sponsored").payment_required();
        let (now, payer) = (world.now().secs(), world.payer.address.to_checksum());
        let payment = world.payer.sign_with(&required, now, |message| {
            let permit = json!({
                "from": payer, "asset": message["accepted"]["asset"], "spender": "0x000000000022D473030F116dDEE9F6B43aC78BA3",
                "amount": "10000", "nonce": "0", "deadline": "1763618400", "signature": format!("0x{}", "1b".repeat(65)), "version": "1",
            });
            if beside {
                message["extensions"] = json!({"eip2612GasSponsoring": {"info": permit}});
            }
        });
        world.present(&payment)
    };
    let stumbles = r#"{"isValid":false,"invalidReason":"unexpected_verify_error"}"#;
    let permits = (10..22).map(|it| (it, true, 500)).chain((40..52).map(|it| (it, true, 200)));
    for (wallet, beside, status) in permits.chain((30..40).map(|it| (it, false, 500))) {
        world.facilitator.verify_plan.push_back(Verify::Raw(status, stumbles.to_owned()));
        let answer = pays(&mut world, wallet, beside);
        let failed = (503, "facilitator_unavailable");
        assert!(status == 200 || (answer.status, answer.problem().as_str()) == failed);
        assert!(world.facilitator.verify_plan.is_empty(), "{wallet}: it is asked");
        let alerted = world.ask("/sponsored").headers.get("retry-after").is_some();
        assert_eq!(alerted, wallet == 39, "{wallet}: errors over payments alone open it");
    }
}
