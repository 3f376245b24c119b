//! Payments on chains that are not read here: each counts once in whatever spelling it comes, and so does each transaction
//! that a facilitator names.

use farebox_core::encoding::base64;
use farebox_core::facilitator::breaker::Breaker;
use serde_json::{Value, json};

use crate::world::facilitator::{Settle, Verify};
use crate::world::ledger::LedgerFault;
use farebox_core::facilitator::unproven::UnverifiedLimiter;

use crate::world::{Response, With, World, paid, solana, vars};

const APTOS: &str = "aptos:2";
/// The name of a transaction on Solana.
const SIGNATURE: &str =
    "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW";

fn world() -> World {
    let usdc = format!("0x{}", "69".repeat(32));
    let usdc = json!({"address": usdc, "decimals": 6, "symbol": "USDC"});
    let price = json!({"amount": "10000", "asset": usdc});
    let mut vars = vars(json!([
        {"path": "/sol", "network": solana::NETWORK, "price": "$0.01", "settle": "before"},
        {"path": "/late", "network": solana::NETWORK, "price": "$0.01"},
        {"path": "/aptos", "network": APTOS, "price": price, "settle": "before"},
    ]));
    vars["NETWORK"] = json!([solana::NETWORK, APTOS]);
    vars["PAY_TO"] =
        json!({solana::NETWORK: solana::PAYEE, APTOS: format!("0x{}", "42".repeat(32))});
    let extra = json!({ solana::NETWORK: { "feePayer": solana::FEE_PAYER } });
    vars["FACILITATOR_URL"] = json!([{"url": vars["FACILITATOR_URL"], "extra": extra}]);
    World::with(vars)
}

/// Shows these bytes to a gate whose facilitator finds everything good and names this transaction.
fn show(world: &mut World, target: &str, bytes: &[u8], transaction: &str) -> Response {
    let required = world.ask(target).payment_required();
    let payment = solana::payment(&required, bytes);
    let good = json!({"isValid": true, "payer": solana::FEE_PAYER}).to_string();
    let settled = json!({
        "success": true, "transaction": transaction, "network": required["accepts"][0]["network"],
        "payer": solana::FEE_PAYER,
    });
    world.facilitator.verify_plan = [Verify::Raw(200, good)].into();
    world.facilitator.settle_plan =
        (0..100).map(|_| Settle::Raw(200, settled.to_string())).collect();
    world.present(&payment)
}

/// What is signed in the vector of Aptos, JSON.
fn aptos() -> Vec<u8> {
    let file = include_str!("../vectors/x402/other-chains.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let cases = file["payments"].as_array().unwrap();
    let case = cases.iter().find(|case| case["name"] == "Aptos").unwrap();
    base64::decode(case["payload"]["transaction"].as_str().unwrap()).unwrap()
}

//
#[test]
pub fn what_stands_behind_a_message_of_solana_makes_no_other_payment_of_it() {
    let mut world = world();
    let own = solana::transaction(1);
    assert_eq!(show(&mut world, "/sol", &own, SIGNATURE).status, 200);
    let more = [own.as_slice(), &[0]].concat();
    let again = show(&mut world, "/sol", &more, &SIGNATURE.replace("5VER", "6VER"));
    assert_eq!((again.status, again.problem().as_str()), (400, "malformed_payment"));
    assert_eq!(world.origin.calls.len(), 1);
}

#[test]
pub fn a_payment_of_aptos_is_one_in_every_spelling() {
    let mut world = world();
    let own = aptos();
    let named = format!("0x{}", "ab".repeat(32));
    assert_eq!(show(&mut world, "/aptos", &own, &named).status, 200);
    let spaced = [b" ".as_slice(), &own, b" "].concat();
    let again = show(&mut world, "/aptos", &spaced, &format!("0x{}", "cd".repeat(32)));
    assert_eq!((again.status, world.origin.calls.len()), (409, 1), "{}", again.problem());
}

#[test]
pub fn a_transaction_that_a_facilitator_names_for_several_payments_counts_for_one() {
    let mut world = world();
    let own = solana::transaction(1);
    assert_eq!(show(&mut world, "/sol", &own, SIGNATURE).status, 200);
    for other in (2..8).map(solana::transaction) {
        let response = show(&mut world, "/sol", &other, SIGNATURE);
        assert_eq!(response.problem(), "settlement_unknown");
    }
    assert_eq!(world.origin.calls.len(), 1);
}

#[test]
pub fn a_transaction_whose_owner_is_not_recorded_counts_for_nothing() {
    let mut world = world();
    let own = solana::transaction(1);
    // Looked up, claimed, and not taken, then put on record: and so again.
    world.ledger.plan.extend([LedgerFault::Fine, LedgerFault::Fine]);
    world.ledger.plan.extend([LedgerFault::Down, LedgerFault::Fine].repeat(10));
    let response = show(&mut world, "/sol", &own, SIGNATURE);
    assert_eq!((response.is_delivery(), world.origin.calls.len()), (false, 0));
}

#[test]
fn twelve_spellings_of_a_payment_of_aptos_at_once_are_one_delivery() {
    let mut world = world();
    let required = world.ask("/aptos").payment_required();
    let own = aptos();
    let object: Value = serde_json::from_slice(&own).unwrap();
    let good = Verify::Raw(200, json!({"isValid": true}).to_string());
    world.facilitator.verify_plan = vec![good; 24].into();
    world.facilitator.settle_plan = (0..24)
        .map(|number| {
            let said = json!({
                "success": true, "transaction": format!("0x{number:064x}"), "network": APTOS,
            });
            Settle::Raw(200, said.to_string())
        })
        .collect();
    let spaced = (0..6).map(|spaces| [own.clone(), vec![b' '; spaces]].concat());
    let lined = (0..6).map(|lines| {
        let text = serde_json::to_string_pretty(&object).unwrap();
        [vec![b'\n'; lines], text.into_bytes()].concat()
    });
    let spellings: Vec<Vec<u8>> = spaced.chain(lined).collect();
    let payments = spellings.iter().map(|bytes| solana::payment(&required, bytes));
    let mut running: Vec<_> = payments.map(|payment| world.start(paid(&payment), b"")).collect();
    for _ in 0..100 {
        for one in &mut running {
            world.advance(one);
        }
    }
    let answers: Vec<Response> = running.into_iter().map(|one| one.response.unwrap()).collect();
    let served = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((answers.len(), served, world.origin.calls.len()), (12, 1, 1));
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)));
    assert_eq!(world.ledger.entries().len(), 1);
}

#[test]
fn beside_a_flood_of_junk_an_honest_payment_of_the_same_network_and_of_another_is_served() {
    let mut world = world();
    world.unproven = Some(UnverifiedLimiter::new());
    let required = world.ask("/sol").payment_required();
    let bad = Verify::Raw(200, json!({"isValid": false, "invalidReason": "junk"}).to_string());
    for number in 100..200 {
        world.facilitator.verify_plan = [bad.clone()].into();
        let junk = solana::payment(&required, &solana::transaction(number));
        world.send(paid(&junk).header("cf-connecting-ip", "192.0.2.1"));
    }
    assert!(world.ledger.entries().is_empty(), "junk leaves no row");
    world.is_slow = true;
    let mut hanging = Vec::new();
    for number in 200..203 {
        let junk = solana::payment(&required, &solana::transaction(number));
        let mut junk = world.start(paid(&junk).header("cf-connecting-ip", "192.0.2.1"), b"");
        while world.advance(&mut junk) {}
        hanging.push(junk);
    }
    world.is_slow = false;
    for (number, network) in [(1, "198.51.100.7"), (2, "192.0.2.1")] {
        let good = json!({"isValid": true}).to_string();
        world.facilitator.verify_plan = [Verify::Raw(200, good)].into();
        let named = SIGNATURE.replace("5VER", &format!("{}VER", number + 1));
        let settled = json!({"success": true, "transaction": named, "network": solana::NETWORK});
        world.facilitator.settle_plan = [Settle::Raw(200, settled.to_string())].into();
        let honest = solana::payment(&required, &solana::transaction(number));
        let answer = world.send(paid(&honest).header("cf-connecting-ip", network));
        assert_eq!(answer.status, 200, "{network} {}", answer.problem());
    }
}

#[test]
pub fn what_the_alarm_settles_after_the_origin_ran_is_given_to_the_next_repeat_without_a_secret() {
    for (secs, received) in [(10, true), (61, false)] {
        let mut world = world();
        let required = world.ask("/late").payment_required();
        let payment = solana::payment(&required, &solana::transaction(1));
        let good = json!({"isValid": true, "payer": solana::FEE_PAYER}).to_string();
        world.facilitator.verify_plan = [Verify::Raw(200, good)].into();
        let settled = json!({
            "success": true,
            "payer": solana::FEE_PAYER,
            "transaction": SIGNATURE,
            "network": solana::NETWORK,
        });
        world.facilitator.settle_plan =
            [Settle::SilentBefore, Settle::SilentBefore, Settle::Raw(200, settled.to_string())]
                .into();
        let first = world.present(&payment);
        assert_eq!(first.problem(), "settlement_unknown");
        world.wait(secs);
        world.alarm();
        let again = world.present(&payment);
        assert_eq!(again.is_delivery(), received, "{secs}: {} {}", again.status, again.problem());
        let third = world.present(&payment);
        assert_eq!(third.problem(), "payment_already_delivered", "{secs}");
        assert_eq!(world.origin.calls.len(), 1, "{secs}");
    }
}

//
#[test]
pub fn one_coin_has_an_origin_work_twice_and_then_is_asked_first() {
    let mut world = world();
    world.breaker = Some(Breaker::default());
    let declined = json!({
        "success": false, "errorReason": "invalid_exact_svm_payload_transaction_simulation_failed",
        "transaction": "", "network": solana::NETWORK,
    });
    let mut served = Vec::new();
    for number in 1..=6 {
        let required = world.ask("/late").payment_required();
        let payment = solana::payment(&required, &solana::transaction(number));
        let good = json!({"isValid": true, "payer": solana::FEE_PAYER}).to_string();
        world.facilitator.verify_plan = [Verify::Raw(200, good)].into();
        world.facilitator.settle_plan =
            (0..9).map(|_| Settle::Raw(200, declined.to_string())).collect();
        assert_ne!(world.present(&payment).status, 200);
        served.push(world.origin.calls.len());
        world.wait(6);
    }
    assert!(served[5] <= 2, "{served:?}");
}
