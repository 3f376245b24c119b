//! Permits that a stranger sends first through a contract: the payment goes on where a node shows the call of Permit2 inside of that
//! transaction, and waits for the operator wherever it does not.

use farebox_core::encoding::hex;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use farebox_core::payment::PaymentKey;
use serde_json::{Value, json};

use crate::world::chain::Chain;
use crate::world::chain::traces::{CONTRACT, frame};
use crate::world::facilitator::{Repeats, Settle};
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::{CHAIN, HOST, Response, With, World, paid, vars};

const TARGETS: [&str; 3] = ["/after", "/before", "/sure"];
const FACILITATOR: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
/// The call of Permit2 in the calls of one transaction.
const PERMIT_CALL: &str = "/calls/0/calls/0";

fn world() -> World {
    let permit = "permit2";
    let mut vars = vars(json!([
        {"path": "/after", "price": "$0.01", "asset_transfer_method": permit},
        {"path": "/before", "price": "$0.01", "settle": "before", "asset_transfer_method": permit},
        {"path": "/sure", "price": "$0.01", "confirm": "chain", "asset_transfer_method": permit},
        {"path": "/tokens", "price": "$0.01", "unit_price": "$0.001"},
    ]));
    vars["FACILITATOR_URL"] = json!([{
        "url": "http://127.0.0.1:9001/x402/",
        "extra": {"eip155:84532": {"facilitatorAddress": FACILITATOR}},
    }]);
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    let mut world = World::with(vars);
    world.facilitator.repeats = Repeats::NonceUsed;
    world.facilitator.chain.traces = true;
    world
}

fn key(payment: &Payment) -> PaymentKey {
    let nonce = hex::decode_array(&payment.nonce).unwrap();
    PaymentKey::of_permit(CHAIN, &Payer::new(1).address, &nonce)
}

fn state(world: &World, payment: &Payment) -> State {
    world.ledger.entry(&key(payment).to_hex()).unwrap().state
}

/// A payment whose settle calls get no answer.
fn doubted(world: &mut World, target: &str) -> Payment {
    let payment = world.sign(target);
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
    let answer = world.present(&payment);
    assert_eq!((answer.status, answer.problem().as_str()), (503, "settlement_unknown"));
    payment
}

/// The payer's answer to a request for what was bought.
fn fetched(world: &mut World, payment: &Payment) -> Response {
    let url = format!("{HOST}{}", payment.target);
    let now = world.now().secs();
    let statement = Payer::new(1).statement(&key(payment), "GET", &url, now);
    world.send(paid(payment).header("farebox-redelivery", &statement))
}

/// A world in which a payment was in doubt while this happened, after so many seconds more.
fn after(secs: u64, happens: impl Fn(&mut Chain, &str)) -> (World, Payment) {
    let mut world = world();
    let payment = doubted(&mut world, "/before");
    happens(&mut world.facilitator.chain, &payment.nonce);
    world.pass(secs);
    (world, payment)
}

//
#[test]
fn a_permit_that_a_stranger_sends_first_through_a_contract_is_paid() {
    for target in TARGETS {
        for is_named in [false, true] {
            let mut world = world();
            let payment = doubted(&mut world, target);
            let chain = &mut world.facilitator.chain;
            let data = chain.proxy_data(&payment.nonce);
            let data = if is_named { format!("0xaabbccdd{}", &data[2..]) } else { "0x".to_owned() };
            chain.forestall(&[&payment.nonce], &data);
            world.pass(200);
            let served = fetched(&mut world, &payment);
            assert!(served.is_delivery(), "{target} {is_named}: {}", served.problem());
            assert_eq!(world.origin.calls.len(), 1, "{target}");
            // One question is enough, and it moved once.
            assert_eq!(world.facilitator.chain.traced.len(), 1, "{target}");
            assert_eq!(world.facilitator.chain.fates[&payment.nonce].transfers, 1);
        }
    }
}

#[test]
fn a_part_that_a_contract_of_the_facilitator_settles_is_paid() {
    let mut world = world();
    world.origin.plan.push_back(Say::Whole("200\nfarebox-units: 4", "the answer"));
    let payment = doubted(&mut world, "/tokens");
    let chain = &mut world.facilitator.chain;
    assert_eq!(chain.fates[&payment.nonce].value, Some(4_000));
    chain.forestall(&[&payment.nonce], "0x");
    world.pass(200);
    assert!(fetched(&mut world, &payment).is_delivery());
    // Of another part it is no proof.
    let (mut world, payment) = after(0, |_, _| {});
    world.origin.plan.push_back(Say::Whole("200\nfarebox-units: 4", "the answer"));
    let part = doubted(&mut world, "/tokens");
    let chain = &mut world.facilitator.chain;
    chain.use_up(&payment.nonce);
    chain.forestall(&[&part.nonce], "0x");
    chain.rewrite(|trace| put(trace, 5, &format!("{:064x}", 5_000)));
    world.pass(90_000);
    let found = state(&world, &part);
    assert!(matches!(found, State::Manual { .. }), "{found:?}");
}

#[test]
fn several_permits_in_one_transaction_are_each_paid() {
    let mut world = world();
    let payments = TARGETS.map(|target| doubted(&mut world, target));
    let nonces = payments.each_ref().map(|payment| payment.nonce.as_str());
    world.facilitator.chain.forestall(&nonces, "0x");
    world.pass(200);
    for payment in &payments {
        let served = fetched(&mut world, payment);
        assert!(served.is_delivery(), "{}: {}", payment.target, served.problem());
    }
    assert_eq!(world.origin.calls.len(), payments.len());
}

/// Sets this word of the data with which Permit2 was called.
fn put(trace: &mut Value, place: usize, word: &str) {
    let input = trace.pointer_mut(PERMIT_CALL).unwrap().get_mut("input").unwrap();
    let mut data = input.as_str().unwrap().to_owned();
    let from = 10 + place * 64;
    data.replace_range(from..from + 64, word);
    *input = json!(data);
}

//
#[test]
pub fn a_call_that_did_not_spend_the_permit_proves_nothing() {
    type Case = (&'static str, fn(&mut Value));
    let cases: [Case; 14] = [
        ("another contract", |trace| {
            trace.pointer_mut(PERMIT_CALL).unwrap()["to"] = json!(CONTRACT);
        }),
        ("reverted", |trace| {
            trace.pointer_mut(PERMIT_CALL).unwrap()["error"] = json!("execution reverted");
        }),
        ("reverted by its caller", |trace| trace["calls"][0]["error"] = json!("out of gas")),
        ("reverted with all", |trace| trace["error"] = json!("execution reverted")),
        ("run for another contract", |trace| {
            trace.pointer_mut(PERMIT_CALL).unwrap()["type"] = json!("DELEGATECALL");
        }),
        ("another spender", |trace| {
            trace.pointer_mut(PERMIT_CALL).unwrap()["from"] = json!(CONTRACT);
        }),
        ("another function", |trace| {
            let call = trace.pointer_mut(PERMIT_CALL).unwrap();
            let data = call["input"].as_str().unwrap().replace("0x137c29fe", "0xfe8ec1a7");
            call["input"] = json!(data);
        }),
        ("another nonce", |trace| put(trace, 2, &"22".repeat(32))),
        ("another token", |trace| put(trace, 0, &format!("{:064x}", 0xcc))),
        ("another amount signed", |trace| put(trace, 1, &format!("{:064x}", 10_001))),
        ("another amount moved", |trace| put(trace, 5, &format!("{:064x}", 9_999))),
        ("another payee", |trace| put(trace, 4, &format!("{:064x}", 0xcc))),
        ("another payer", |trace| put(trace, 6, &format!("{:064x}", 0xcc))),
        ("none", |trace| trace["calls"] = json!([])),
    ];
    for (name, change) in cases {
        let (world, payment) = after(90_000, |chain, nonce| {
            chain.forestall(&[nonce], "0x");
            chain.rewrite(change);
        });
        let found = state(&world, &payment);
        assert!(matches!(found, State::Manual { why: Why::Overdue, .. }), "{name}: {found:?}");
        assert!(world.origin.calls.is_empty(), "{name}");
        assert!(!world.facilitator.chain.traced.is_empty(), "{name}");
    }
}

#[test]
pub fn one_transfer_is_one_delivery_whichever_worker_is_shown_a_used_nonce() {
    // Two Workers of one payee; the payer ends the nonce of the first payment by a permit that is
    // worth nothing, and pays the second one, in one block or in one transaction.
    for is_one in [false, true] {
        let (mut first, mut second) = (world(), world());
        let vain = doubted(&mut first, "/before");
        second.sign("/before");
        let payment = doubted(&mut second, "/before");
        assert_ne!(vain.nonce, payment.nonce);
        let mut chain = first.facilitator.chain.clone();
        chain.fates.extend(second.facilitator.chain.fates.clone());
        let worthless = frame("CALL", (CONTRACT, CONTRACT), &chain.proxy_data(&vain.nonce), &[]);
        let settling = chain.settling(&payment.nonce);
        chain.use_up(&vain.nonce);
        chain.submit(&payment.nonce);
        if is_one {
            chain.merge();
        }
        chain.go_through_a_contract("0x", &[worthless, settling]);
        for world in [&mut first, &mut second] {
            world.facilitator.chain = chain.clone();
            world.pass(90_000);
        }
        assert_eq!((first.origin.calls.len(), second.origin.calls.len()), (0, 0));
        let delivered = [(&mut first, &vain), (&mut second, &payment)].map(|(world, payment)| {
            let state = state(world, payment);
            matches!(state, State::RefundDue { .. }) || fetched(world, payment).is_delivery()
        });
        assert_eq!(delivered, [false, true], "{is_one}");
        assert!(matches!(state(&first, &vain), State::Manual { .. }));
    }
}

#[test]
pub fn a_call_without_its_transfer_is_no_payment() {
    let (world, payment) = after(90_000, |chain, nonce| {
        chain.forestall(&[nonce], "0x");
        chain.forgets = true;
    });
    let found = state(&world, &payment);
    assert!(matches!(found, State::Manual { why: Why::Overdue, .. }), "{found:?}");
    assert!(!world.facilitator.chain.traced.is_empty());
}

#[test]
pub fn a_node_that_shows_no_calls_leaves_it_to_the_operator() {
    for is_named in [false, true] {
        let mut world = world();
        world.facilitator.chain.traces = false;
        let payment = doubted(&mut world, "/before");
        let chain = &mut world.facilitator.chain;
        let data = if is_named { chain.proxy_data(&payment.nonce) } else { "0x".to_owned() };
        chain.forestall(&[&payment.nonce], &data);
        world.pass(200);
        let found = state(&world, &payment);
        let is_left = match &found {
            State::Manual { why: Why::PaidBefore, .. } => is_named,
            State::Unknown { .. } => !is_named,
            _ => false,
        };
        assert!(is_left, "{is_named}: {found:?}");
        assert!(!world.facilitator.chain.traced.is_empty());
        world.pass(90_000);
        let found = state(&world, &payment);
        assert!(matches!(found, State::Manual { .. }), "{is_named}: {found:?}");
    }
}

#[test]
pub fn calls_are_asked_for_once_their_block_is_safe() {
    let mut world = world();
    let payment = doubted(&mut world, "/before");
    // Ten seconds before the next look.
    let (mut ahead, asked) = (world.clone(), world.facilitator.chain.asked);
    while ahead.facilitator.chain.asked == asked {
        ahead.pass(1);
    }
    world.pass((ahead.now_ms - world.now_ms) / 1000 - 10);
    world.facilitator.chain.forestall(&[&payment.nonce], "0x");
    world.pass(12);
    assert!(world.facilitator.chain.asked > asked);
    assert!(world.facilitator.chain.traced.is_empty());
    world.pass(100);
    assert!(fetched(&mut world, &payment).is_delivery());
}

#[test]
pub fn calls_are_asked_for_two_hours_and_no_longer() {
    for (secs, is_paid) in [(6_500, true), (8_000, false)] {
        let mut world = world();
        world.facilitator.chain.traces = false;
        let payment = doubted(&mut world, "/before");
        world.facilitator.chain.forestall(&[&payment.nonce], "0x");
        world.pass(secs);
        // Ten looks in ten minutes, and one in ten minutes after that.
        assert!(
            world.facilitator.chain.traced.len() <= 22,
            "{}",
            world.facilitator.chain.traced.len()
        );
        world.facilitator.chain.traces = true;
        world.facilitator.chain.traced.clear();
        world.pass(90_000 - secs);
        let found = state(&world, &payment);
        assert_eq!(matches!(found, State::Manual { .. }), !is_paid, "{secs}: {found:?}");
        assert_eq!(world.facilitator.chain.traced.is_empty(), !is_paid, "{secs}");
    }
}

#[test]
pub fn only_the_block_in_which_the_nonce_is_used_is_looked_into() {
    for (alike, is_paid) in [(1, true), (2, false)] {
        let mut world = world();
        let payment = doubted(&mut world, "/before");
        let chain = &mut world.facilitator.chain;
        for other in 0..6 {
            chain.transfer(&format!("0x0000000101{other:02}{}", "00".repeat(26)));
            chain.now += 2;
        }
        for other in 0..alike {
            chain.transfer(&format!("0x0000000102{other:02}{}", "00".repeat(26)));
        }
        chain.forestall(&[&payment.nonce], "0x");
        chain.now += 2;
        chain.transfer(&format!("0x0000000103{}", "00".repeat(27)));
        world.pass(200);
        let found = state(&world, &payment);
        assert_eq!(matches!(found, State::Unknown { .. }), !is_paid, "{alike}: {found:?}");
        let asked = if is_paid { 2 } else { 0 };
        assert_eq!(world.facilitator.chain.traced.len(), asked, "{alike}");
    }
}
