//! What no payment may begin: terms of the payer's own, a payer that may not pay, a signature that proves nothing, whatever
//! the payer's other payments have come to. Spec: docs/design.md, "The ledger".

use farebox_core::encoding::base64;
use farebox_core::facilitator::unproven::queue::{Admittance, CallResult};
use farebox_core::facilitator::unproven::{UnverifiedCaller, UnverifiedKind, UnverifiedLimiter};
use farebox_core::ledger::State;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::facilitator::{Settle, Verify};
use crate::world::payer::{Payer, Payment};
use crate::world::{World, decoded, paid, routes, vars};

/// How the payer stands when the payment comes.
const STANDINGS: [&str; 4] = ["new", "unknown", "refused", "released"];

/// A gate that takes contract wallets, has a denied payer, and whose payer stands so.
fn world(standing: &str) -> World {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    vars["DENY_PAYERS"] = json!([Payer::new(7).address.to_checksum()]);
    let mut world = World::with(vars);
    stand(&mut world, standing);
    world
}

/// Brings the payer into a standing.
fn stand(world: &mut World, standing: &str) {
    match standing {
        "unknown" => {
            let plan = vec![Settle::SilentBefore; 4];
            world.facilitator.settle_plan.extend(plan);
            assert_eq!(world.pay("/before/other").status, 503);
            world.facilitator.settle_plan.clear();
        }
        "refused" => {
            world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
            assert_eq!(world.pay("/before/other").status, 402);
        }
        "released" => {
            let no = r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#;
            world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
            assert_eq!(world.pay("/after/other").status, 402);
        }
        _ => {}
    }
    world.wait(5);
}

/// Signs the terms of `/dear` after changing them.
fn signed(world: &mut World, change: impl FnOnce(&mut Value)) -> Payment {
    let mut required = world.ask("/dear").payment_required();
    change(&mut required["accepts"][0]);
    let now = world.now().secs();
    world.payer.sign_with(&required, now, |_| {})
}

/// The payment buys nothing, moves no money and leaves no row.
fn buys_nothing(world: &mut World, payment: &Payment, case: &str) {
    let before = (world.origin.calls.len(), world.facilitator.settles.len());
    let rows = world.ledger.entries().len();
    let answer = world.present(payment);
    assert_ne!(answer.status, 200, "{case}");
    let after = (world.origin.calls.len(), world.facilitator.settles.len());
    assert_eq!(after, before, "{case}: origin or settlement");
    assert_eq!(world.ledger.entries().len(), rows, "{case}: a row");
    assert!(answer.headers.get("payment-response").is_none(), "{case}: a receipt");
}

// A-145
#[test]
pub fn a_payer_with_an_open_payment_buys_nothing_at_a_price_of_their_own() {
    for standing in STANDINGS {
        let mut world = world(standing);
        let own = world.payer.address.to_checksum();
        let cheap = signed(&mut world, |terms| terms["amount"] = "1".into());
        buys_nothing(&mut world, &cheap, &format!("{standing}: 1 atomic unit"));
        let back = signed(&mut world, |terms| terms["payTo"] = own.clone().into());
        buys_nothing(&mut world, &back, &format!("{standing}: to themselves"));
        let both = signed(&mut world, |terms| {
            (terms["amount"], terms["payTo"]) = ("1".into(), own.into());
        });
        buys_nothing(&mut world, &both, &format!("{standing}: 1 atomic unit to themselves"));
    }
}

#[test]
pub fn a_payer_with_an_open_payment_buys_nothing_with_one_that_has_ended() {
    for standing in STANDINGS {
        let mut world = world(standing);
        let payment = world.sign("/dear");
        world.wait(payment.valid_before + 20 - world.now().secs());
        stand(&mut world, standing);
        buys_nothing(&mut world, &payment, standing);
    }
}

#[test]
fn a_payer_that_may_not_pay_buys_nothing_whatever_they_owe() {
    for standing in STANDINGS {
        let mut world = world("new");
        world.payer = Payer::new(7);
        let denied = world.sign("/dear");
        // Their row is of the time before they were denied.
        let gate = std::mem::replace(&mut world.gate, World::new().gate);
        stand(&mut world, standing);
        world.gate = gate;
        buys_nothing(&mut world, &denied, standing);
        assert_eq!(world.present(&denied).problem(), "payer_denied", "{standing}");
    }
}

#[test]
fn a_forged_signature_of_a_wallet_in_the_name_of_a_payer_with_an_open_payment_buys_nothing() {
    for standing in STANDINGS {
        let mut world = world(standing);
        let required = world.ask("/dear").payment_required();
        let now = world.now().secs();
        let forged = world.payer.sign_with(&required, now, |message| {
            message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
        });
        let no = r#"{"isValid":false,"invalidReason":"invalid_exact_evm_payload_signature"}"#;
        let verified = world.facilitator.urls.len();
        world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
        buys_nothing(&mut world, &forged, standing);
        assert_eq!(world.facilitator.urls.len(), verified + 1, "{standing}: it was verified");
    }
}

#[test]
pub fn a_repeat_with_another_signature_is_told_what_became_of_the_payment_and_moves_nothing() {
    let mut world = world("new");
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]);
    let payment = world.sign("/before");
    assert_eq!(world.present(&payment).status, 503);
    world.facilitator.settle_plan.clear();
    world.wait(5);
    let mut message = decoded(&payment.value);
    message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
    let value = base64::encode(message.to_string().as_bytes());
    let forged = Payment { value, ..payment.clone() };
    let calls = world.facilitator.urls.len();
    let rows = world.ledger.entries();
    assert_eq!(world.send(paid(&forged)).problem(), "settlement_unknown");
    assert_eq!(world.facilitator.urls.len(), calls, "nothing is sent once more for it");
    assert_eq!(world.ledger.entries(), rows);
    assert!(matches!(world.ledger.state(), State::Unknown { .. }));
    assert_eq!(world.present(&payment).status, 200, "its payer still gets what it buys");
}

/// A gate like that of [`world`] where everything has become dearer.
fn dearer() -> World {
    let mut routes = routes();
    for route in routes.as_array_mut().unwrap() {
        route["price"] = "$0.05".into();
    }
    let mut vars = vars(routes);
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    World::with(vars)
}

/// A payment with a signature that only a contract can judge.
fn by_contract(world: &mut World, target: &str) -> Payment {
    let required = world.ask(target).payment_required();
    let now = world.now().secs();
    world.payer.sign_with(&required, now, |message| {
        message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
    })
}

#[test]
pub fn a_wallets_payment_for_an_earlier_price_is_told_what_became_of_it() {
    for target in ["/after", "/before"] {
        let (mut world, dearer) = (world("new"), dearer());
        let payments = [by_contract(&mut world, target), by_contract(&mut world, target)];
        assert_eq!(world.present(&payments[0]).status, 200, "{target}");
        world.gate = dearer.gate;
        assert_eq!(world.present(&payments[0]).problem(), "payment_already_delivered", "{target}");
        let calls = world.facilitator.urls.len();
        assert_eq!(world.present(&payments[1]).problem(), "terms_mismatch", "{target}: not known");
        assert_eq!(world.facilitator.urls.len(), calls, "{target}: nobody proves it");
        assert_eq!(world.ledger.entries().len(), 1, "{target}");
    }
}

#[test]
pub fn a_copy_at_another_price_of_what_is_being_verified_is_not_asked_to_pay_again() {
    for target in ["/after", "/before"] {
        let (mut world, dearer) = (world("new"), dearer());
        let payment = by_contract(&mut world, target);
        let mut first = world.start(paid(&payment), b"");
        while first.next() != "verify" && world.advance(&mut first) {}
        let gate = std::mem::replace(&mut world.gate, dearer.gate);
        let copy = world.present(&payment);
        assert_eq!((copy.status, copy.problem()), (409, "payment_in_progress".into()), "{target}");
        assert_eq!(copy.headers.get("retry-after"), Some("2"), "{target}");
        assert!(world.ledger.entries().is_empty(), "{target}: a look writes nothing");
        world.gate = gate;
        while world.advance(&mut first) {}
        assert_eq!(first.response.unwrap().status, 200, "{target}");
        world.gate = dearer.gate;
        assert_eq!(world.present(&payment).problem(), "payment_already_delivered", "{target}");
    }
}

#[test]
fn a_copy_is_asked_to_pay_again_once_what_was_being_verified_is_refused_or_lost() {
    let (mut world, dearer) = (world("new"), dearer());
    let payments = [by_contract(&mut world, "/after"), by_contract(&mut world, "/after")];
    let poor = r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, poor.to_owned()));
    assert_eq!(world.present(&payments[0]).problem(), "verify_refused");
    let mut lost = world.start(paid(&payments[1]), b"");
    while lost.next() != "verify" && world.advance(&mut lost) {}
    world.gate = dearer.gate;
    assert_eq!(world.present(&payments[0]).problem(), "terms_mismatch", "refused");
    assert_eq!(world.present(&payments[1]).problem(), "payment_in_progress");
    world.wait(30);
    assert_eq!(world.present(&payments[1]).problem(), "terms_mismatch", "lost");
}

#[test]
fn whoever_is_refused_beside_a_copy_that_is_being_verified_is_not_asked_to_pay_again() {
    let mut world = world("new");
    let payment = by_contract(&mut world, "/after");
    let mut first = world.start(paid(&payment), b"");
    while first.next() != "verify" && world.advance(&mut first) {}
    let poor = r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#;
    for expected in ["payment_in_progress", "payment_in_progress"] {
        world.facilitator.verify_plan.push_back(Verify::Raw(200, poor.to_owned()));
        assert_eq!(world.present(&payment).problem(), expected);
    }
    while world.advance(&mut first) {}
    assert_eq!(first.response.unwrap().status, 200);
}

#[test]
pub fn who_holds_a_thousand_networks_of_one_provider_holds_up_another_for_one_place() {
    let (mut places, at) = (UnverifiedLimiter::new(), UnixTime::from_secs(1_000));
    let of = |network: &str| UnverifiedCaller {
        network: network.to_owned(),
        kind: UnverifiedKind::Contract,
        payment: None,
    };
    let crowd = (0..900).map(|it| format!("2001:db8:{:x}:{:x}/56", it / 256, (it % 256) << 8));
    let taken: Vec<_> = crowd.map(|network| places.begin(&of(&network), at)).collect();
    let full = taken.iter().filter(|place| **place == Admittance::Full).count();
    assert_eq!(full, 900 - 128 - 512, "they take every place");
    let others = ["203.0.113.51", "2001:db9:1:200/56"];
    for (late, ends) in others.into_iter().zip(["2001:db8:0:0/56", "2001:db8:0:100/56"]) {
        let Admittance::Queued(ticket) = places.begin(&of(late), at) else { panic!("{late}") };
        places.ended(&of(ends), CallResult::Open, at);
        assert_eq!(places.turn(&of(late), ticket, at), Admittance::Begun, "{late}");
    }
    let more = (1..4).map(|it| places.begin(&of(&format!("2001:db8:ffff:{it}00/56")), at));
    assert_eq!(more.last(), Some(Admittance::Full), "there is none left for their own");
}
