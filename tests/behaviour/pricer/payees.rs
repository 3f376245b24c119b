//! Payees that the pricing Worker names.

use farebox_core::encoding::base64;
use farebox_core::facilitator::breaker::Breaker;
use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::world::chain::ASSET;
use crate::world::facilitator::Settle;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{PAY_TO, Response, With, World, decoded, mpp, paid};

use super::{amount, gate_vars, is_unavailable, says};

const SELLERS: [&str; 3] = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
];
const PATHS: [&str; 2] = ["/quoted", "/early"];

fn naming(pay_to: &Value) -> World {
    let price = json!({"from": "PRICER", "max": "$1.00", "pay_to": pay_to});
    let mut vars = gate_vars(json!([
        {"path": "/quoted", "price": price},
        {"path": "/early", "price": price, "settle": "before"},
    ]));
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    World::with(vars)
}

fn to(seller: &str) -> Value {
    json!({"price": "$0.02", "pay_to": seller})
}

/// The ways in which a client may pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    V1,
    V2,
    Mpp,
}

const WAYS: [Way; 3] = [Way::V1, Way::V2, Way::Mpp];

/// Signed for what a 402 asks.
fn signed(world: &mut World, unpaid: &Response, way: Way) -> Payment {
    let now = world.now().secs();
    let required = unpaid.payment_required();
    match way {
        Way::V1 => world.payer.sign_v1(&unpaid.json(), now),
        Way::V2 => world.payer.sign(&required, now),
        Way::Mpp => world.payer.sign(&required, now).by_mpp(&mpp::echo_of(unpaid)),
    }
}

fn payee(unpaid: &Response) -> String {
    unpaid.payment_required()["accepts"][0]["payTo"].as_str().unwrap().to_owned()
}

/// Whom the chain shows to have been paid.
fn received(world: &World, payment: &Payment) -> Option<String> {
    let fate = world.facilitator.chain.fates.get(&payment.nonce)?;
    (fate.transfers > 0).then(|| fate.to.clone().unwrap())
}

#[test]
fn every_protocol_asks_for_the_payee_and_pays_it() {
    for (path, way) in PATHS.into_iter().flat_map(|path| WAYS.map(|way| (path, way))) {
        let mut world = naming(&json!("any"));
        says(&mut world, &[to(SELLERS[0])]);
        let unpaid = world.ask(path);
        assert_eq!(payee(&unpaid), SELLERS[0]);
        assert_eq!(unpaid.json()["accepts"][0]["payTo"], SELLERS[0]);
        let request = mpp::echo_of(&unpaid)["request"].as_str().unwrap().to_owned();
        let asked: Value = serde_json::from_slice(&base64::decode_url(&request).unwrap()).unwrap();
        assert_eq!(asked["recipient"], SELLERS[0]);
        let payment = signed(&mut world, &unpaid, way);
        let response = world.present(&payment);
        assert!(response.is_delivery(), "{path} {way:?}: {}", response.problem());
        assert_eq!(received(&world, &payment).as_deref(), Some(SELLERS[0]), "{path} {way:?}");
        let row = world.row_of(&payment.nonce);
        assert_eq!(row.payment.pay_to, SELLERS[0], "{path} {way:?}");
        let sent: Value = serde_json::from_str(&row.payment.request).unwrap();
        assert_eq!(sent["paymentRequirements"]["payTo"], SELLERS[0], "{path} {way:?}");
    }
}

// A-527
#[test]
pub fn a_payee_whom_a_pricer_names_is_paid_for_what_was_served() {
    let mut world = naming(&json!("any"));
    world.breaker = Some(Breaker::default());
    let answers: Vec<_> = (0..4).map(|_| to(SELLERS[0])).collect();
    says(&mut world, &answers);
    // Two settlements of this payer without an answer: elsewhere the next one comes first.
    let unpaid = world.ask("/quoted");
    let lost = signed(&mut world, &unpaid, Way::V2);
    let broken = Settle::Raw(500, r#"{"error":"internal"}"#.to_owned());
    world.facilitator.settle_plan.extend(vec![broken; 2]);
    assert_eq!(world.present(&lost).problem(), "settlement_unknown");
    let unpaid = world.ask("/quoted?n=2");
    let next = signed(&mut world, &unpaid, Way::V2);
    world.origin.plan.push_back(Say::Whole("404\n", "there is none"));
    let answer = world.present(&next);
    assert_eq!((answer.status, answer.body.as_slice()), (404, b"there is none".as_slice()));
    assert_eq!(received(&world, &next), None, "what is not served is not paid for");
}

#[test]
fn without_a_name_the_payee_is_the_routes() {
    for allowed in [json!("any"), json!([SELLERS[1]])] {
        let mut world = naming(&allowed);
        says(&mut world, &[json!({"price": "$0.02"})]);
        let unpaid = world.ask("/quoted");
        assert_eq!(payee(&unpaid), PAY_TO);
        let payment = signed(&mut world, &unpaid, Way::V2);
        world.attempts = Attempts::new();
        assert!(world.present(&payment).is_delivery());
        assert_eq!(received(&world, &payment).as_deref(), Some(PAY_TO));
    }
}

#[test]
pub fn a_payee_that_the_route_does_not_allow_is_no_answer() {
    let dead = "0x000000000000000000000000000000000000dEaD";
    let listed = json!([SELLERS[1], SELLERS[2].to_lowercase()]);
    let cases = [
        (json!("any"), json!(SELLERS[0]), true),
        (json!("any"), json!(SELLERS[0].to_lowercase()), true),
        (json!("any"), json!("0x0000000000000000000000000000000000000000"), false),
        (json!("any"), json!("0x0000000000000000000000000000000000000001"), false),
        (json!("any"), json!("0x000000000000000000000000000000000000ffff"), false),
        (json!("any"), json!(dead), false),
        (json!("any"), json!(ASSET), false),
        (json!("any"), json!("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), false),
        (json!("any"), json!("5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), false),
        (json!("any"), json!(""), false),
        (json!("any"), json!(null), false),
        (json!("any"), json!([SELLERS[0]]), false),
        (listed.clone(), json!(SELLERS[0]), false),
        (listed.clone(), json!(SELLERS[1]), true),
        (listed, json!(SELLERS[2]), true),
    ];
    for (allowed, named, good) in cases {
        let mut world = naming(&allowed);
        says(&mut world, &[json!({"price": "$0.02", "pay_to": named})]);
        let unpaid = world.ask("/quoted");
        let what = format!("{allowed} {named}");
        assert_eq!(unpaid.status == 402, good, "{what}");
        assert_eq!(is_unavailable(&unpaid), !good, "{what}");
    }
    let mut silent = super::world();
    says(&mut silent, &[to(SELLERS[0])]);
    assert!(is_unavailable(&silent.ask("/quoted")), "the operator has not allowed it");
    says(&mut silent, &[to(PAY_TO)]);
    assert_eq!(payee(&silent.ask("/quoted")), PAY_TO, "it is the route's own");
}

#[test]
fn a_payee_that_is_not_allowed_any_more_is_paid_no_more() {
    for way in WAYS {
        let mut world = naming(&json!("any"));
        says(&mut world, &[to(SELLERS[0]), to(SELLERS[1])]);
        let unpaid = world.ask("/quoted");
        let payment = signed(&mut world, &unpaid, way);
        world.gate = naming(&json!([SELLERS[1]])).gate;
        let refused = world.present(&payment);
        assert_eq!((refused.status, payee(&refused).as_str()), (402, SELLERS[1]), "{way:?}");
        assert!(world.facilitator.settles.is_empty());
    }
}

#[test]
pub fn a_quote_returned_with_another_payee_is_none() {
    for path in PATHS {
        let mut world = naming(&json!("any"));
        says(&mut world, &[to(SELLERS[0])]);
        let mut required = world.ask(path).payment_required();
        required["accepts"][0]["payTo"] = json!(SELLERS[1]);
        let now = world.now().secs();
        let payment = world.payer.sign(&required, now);
        world.attempts = Attempts::new();
        let refused = world.present(&payment);
        assert_eq!(refused.problem(), "recipient_mismatch", "{path}");
        assert_eq!((payee(&refused).as_str(), amount(&refused).as_str()), (SELLERS[0], "20000"));
        assert!(world.facilitator.urls.is_empty() && world.find_row(&payment.nonce).is_none());
    }
}

/// One run: a 402, another answer of the pricer, and the payment at a time, in the same isolate or
/// in another one.
fn changed(path: &str, way: Way, wait: u64, elsewhere: bool, now_says: &Value) {
    let what = format!("{path} {way:?} {wait} {elsewhere} {now_says}");
    let mut world = naming(&json!("any"));
    says(&mut world, &[json!({"price": "$0.02", "pay_to": SELLERS[0], "valid_secs": 60})]);
    let unpaid = world.ask(path);
    let payment = signed(&mut world, &unpaid, way);
    says(&mut world, std::slice::from_ref(now_says));
    if elsewhere {
        world.attempts = Attempts::new();
    }
    world.wait(wait);
    let response = world.present(&payment);
    let quoted = wait < 60 && (way != Way::V1 || !elsewhere);
    let same = *now_says == to(SELLERS[0]);
    match received(&world, &payment) {
        Some(paid) => {
            assert_eq!(paid, SELLERS[0], "{what}");
            assert!(response.is_delivery() && (quoted || same), "{what}");
            assert_eq!(world.row_of(&payment.nonce).payment.pay_to, SELLERS[0], "{what}");
        }
        None => {
            assert!(!quoted && !same, "{what}: {}", response.problem());
            assert!(world.facilitator.settles.is_empty(), "{what}");
            assert!(world.find_row(&payment.nonce).is_none(), "{what}");
        }
    }
}

#[test]
pub fn a_payment_reaches_the_payee_of_its_402_or_is_refused_before_it_is_settled() {
    let answers = [
        to(SELLERS[0]),
        to(SELLERS[1]),
        json!({"price": "$0.02"}),
        json!({"price": "$0.03", "pay_to": SELLERS[0]}),
        json!({"price": "free"}),
        json!({"price": "$0.02", "pay_to": "none"}),
    ];
    for (path, way) in PATHS.into_iter().flat_map(|path| WAYS.map(|way| (path, way))) {
        for (wait, elsewhere) in [(0, false), (59, false), (59, true), (60, false), (61, true)] {
            for answer in &answers {
                changed(path, way, wait, elsewhere, answer);
            }
        }
    }
}

// I-18
#[test]
fn no_history_settles_a_payment_to_another_payee_than_its_402_named() {
    for seed in 1..=300 {
        let mut dice = Dice::seeded(seed);
        let mut world = naming(&json!("any"));
        let mut signed_for: Vec<(Payment, String)> = Vec::new();
        for _ in 0..24 {
            match dice.below(8) {
                0 | 1 => {
                    let seller = dice.pick(&SELLERS);
                    let price = dice.pick(&["$0.02", "$0.03"]);
                    let secs = dice.pick(&[5, 60, 3600]);
                    let answer = json!({"price": price, "pay_to": seller, "valid_secs": secs});
                    says(&mut world, &[dice.pick(&[answer, json!({"price": price})])]);
                }
                2 | 3 => {
                    let unpaid = world.ask(dice.pick(&PATHS));
                    if unpaid.status == 402 {
                        let (asked, way) = (payee(&unpaid), dice.pick(&WAYS));
                        signed_for.push((signed(&mut world, &unpaid, way), asked));
                    }
                }
                4 => world.wait(dice.pick(&[1, 5, 61])),
                5 => world.attempts = Attempts::new(),
                6 => world.facilitator.settle_plan.extend(dice.pick(&[
                    vec![Settle::SilentAfter, Settle::SilentAfter],
                    vec![Settle::SilentBefore],
                    vec![Settle::SilentLate, Settle::SilentLate],
                ])),
                _ if signed_for.is_empty() => {}
                _ => {
                    let (payment, _) = dice.pick(&signed_for);
                    world.present(&payment);
                }
            }
        }
        world.facilitator.chain.land();
        world.pass(200);
        for (payment, asked) in &signed_for {
            let paid = received(&world, payment);
            assert!(paid.as_ref().is_none_or(|paid| paid == asked), "{seed}: {paid:?} {asked}");
            if let Some(row) = world.find_row(&payment.nonce) {
                assert_eq!(row.payment.pay_to, *asked, "{seed}");
            }
        }
    }
}

/// A payment whose settlement is not answered: how often it was sent until the chain showed it.
fn lost(path: &str, answer: &Value, payee: &str) -> usize {
    let mut world = naming(&json!("any"));
    says(&mut world, &[answer.clone(), to(SELLERS[1])]);
    let unpaid = world.ask(path);
    let payment = signed(&mut world, &unpaid, Way::V2);
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
    let head = || paid(&payment).header("idempotency-key", &"k".repeat(22));
    world.send(head());
    world.pass(200);
    assert!(world.send(head()).is_delivery(), "{path}");
    let row = world.row_of(&payment.nonce);
    assert_eq!((row.state.name().as_str(), row.payment.pay_to.as_str()), ("delivered", payee));
    world.facilitator.settles_of(&payment.nonce)
}

#[test]
fn the_chain_is_asked_about_the_payee_that_was_named() {
    for path in PATHS {
        // The facilitator says of every repeat that its nonce is used: only the chain tells.
        let named = lost(path, &to(SELLERS[0]), SELLERS[0]);
        let own = lost(path, &json!({"price": "$0.02"}), PAY_TO);
        assert_eq!(named, own, "{path}: found as soon as a payment to the route's payee");

        // A transaction that paid another payee is no settlement of this payment.
        let mut world = naming(&json!("any"));
        says(&mut world, &[to(SELLERS[0])]);
        let unpaid = world.ask(path);
        let payment = signed(&mut world, &unpaid, Way::V2);
        world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
        world.present(&payment);
        world.facilitator.chain.burn(&payment.nonce);
        world.pass(86_400);
        let state = world.row_of(&payment.nonce).state.name();
        assert!(!["settled", "delivered", "refund_due"].contains(&state.as_str()), "{state}");
    }
}

#[test]
fn wrong_payees_are_errors_that_name_the_route() {
    let errors = |pay_to: Value, network: &str| -> Vec<String> {
        let price = json!({"from": "PRICER", "max": "$1", "pay_to": pay_to});
        let mut vars = gate_vars(json!([{"path": "/quoted", "price": price}]));
        vars["NETWORK"] = json!(network);
        match Gate::from_vars(&vars.to_string()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.variable).collect(),
        }
    };
    for good in [json!("any"), json!(SELLERS), json!([SELLERS[0].to_lowercase()])] {
        assert!(errors(good, "eip155:84532").is_empty());
    }
    for wrong in [
        json!("all"),
        json!(SELLERS[0]),
        json!([]),
        json!([1]),
        json!(["any"]),
        json!(["0x0000000000000000000000000000000000000000"]),
        json!(["0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"]),
        json!(vec![SELLERS[0]; 101]),
        json!({}),
        json!(true),
        json!(null),
    ] {
        assert_eq!(errors(wrong.clone(), "eip155:84532"), ["ROUTES[0].price"], "{wrong}");
    }
}

#[test]
fn no_document_names_a_payee_that_may_be_another_one() {
    let mut vars = gate_vars(json!([{
        "path": "/quoted", "price": {"from": "PRICER", "max": "$1", "pay_to": "any"},
    }]));
    vars["PUBLISH"] = json!(["openapi", "llms", "x402"]);
    let mut world = World::with(vars);
    for path in ["/openapi.json", "/llms.txt", "/.well-known/x402"] {
        let document = world.ask(path);
        assert!(document.status == 200 && !document.names(PAY_TO), "{path}");
    }
    assert!(world.ask("/llms.txt").names("to a payee named for each request"));
}

#[test]
fn a_claim_of_version_2_without_a_payee_or_quote_is_refused() {
    let mut world = naming(&json!("any"));
    says(&mut world, &[to(SELLERS[0])]);
    let unpaid = world.ask("/quoted");
    let payment = signed(&mut world, &unpaid, Way::V2);
    for (name, value) in [("payTo", json!(7)), ("payTo", json!(SELLERS[2])), ("quote", json!(1))] {
        let mut message = decoded(&payment.value);
        match name {
            "quote" => message["accepted"]["extra"]["quote"] = value.clone(),
            _ => message["accepted"][name] = value.clone(),
        }
        let value = base64::encode(message.to_string().as_bytes());
        let response = world.present(&Payment { value, ..payment.clone() });
        assert!(!response.is_delivery() || name == "quote", "{name}");
    }
    assert!(world.facilitator.settles.len() <= 1);
}
