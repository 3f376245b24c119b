//! Repeats of a payment after the operator has changed what it was made under: whatever today's settings refuse, the ledger is
//! asked first, and what it knows is never answered with terms to sign. Spec: docs/upkeep.md, "Changing routes and prices".

use farebox_core::gate::Gate;
use farebox_core::gate::forward::OriginCall;
use farebox_core::http::RequestHead;
use serde_json::{Value, json};

use crate::onchain::{answer, challenge, transaction};
use crate::world::chain::ASSET;
use crate::world::facilitator::Settle;
use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::payer::Payer;
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, Running, World, mpp, paid, solana, vars};

const ROUTE: &str = "/w";
const OTHER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const NETWORKS: [&str; 2] = ["eip155:84532", "eip155:80002"];

fn route() -> Value {
    json!({
        "path": ROUTE, "price": "$0.01", "settle": "before", "max_timeout_secs": 3000,
        "origin_timeout_secs": 5, "signed_transactions": true,
    })
}

/// The variables under which payments are made.
fn before() -> Value {
    let mut vars = vars(json!([route()]));
    vars["NETWORK"] = json!(NETWORKS);
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    let node = "http://127.0.0.1:9002/";
    vars["RPC_URL"] = json!({NETWORKS[0]: node, NETWORKS[1]: node});
    vars["LEDGER_SHARDS"] = "16".into();
    vars
}

/// The route with these members.
fn with(members: Value) -> Value {
    let mut route = route();
    route.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({ "ROUTES": [route] })
}

/// Each change of the settings, by name.
fn changes() -> Vec<(&'static str, Value)> {
    let asset = json!({"address": OTHER, "name": "Other", "version": "1", "decimals": 6});
    let elsewhere = json!([{"path": "/z", "price": "$0.01"}]);
    let quoted = with(json!({"price": {"from": "PRICER", "max": "$1.00"}}));
    let mut validity = with(json!({"max_timeout_secs": 300}));
    validity["MAX_VALIDITY_SECS"] = 400.into();
    let mut unread = with(json!({"signed_transactions": false}));
    unread["RPC_URL"] = Value::Null;
    let mut dear = with(json!({"price": "$0.90", "pay_to": OTHER, "max_timeout_secs": 300}));
    dear["MAX_VALIDITY_SECS"] = 400.into();
    vec![
        ("validity", validity),
        ("validity, price and payee", dear),
        ("timeout", with(json!({"max_timeout_secs": 100}))),
        ("wallets refused", json!({"CONTRACT_WALLETS": "refuse"})),
        ("x402 off", with(json!({"protocols": ["mpp"]}))),
        ("mpp off", with(json!({"protocols": ["x402"], "signed_transactions": false}))),
        ("network gone", json!({"NETWORK": [NETWORKS[1]]})),
        ("no node", unread),
        ("no bytes", with(json!({"signed_transactions": false}))),
        (
            "asset",
            with(json!({"price": {"amount": "10000", "asset": asset}, "network": NETWORKS[0]})),
        ),
        ("price", with(json!({"price": "$0.90"}))),
        ("payee", with(json!({"pay_to": OTHER}))),
        ("mode", with(json!({"settle": "after"}))),
        ("pricer", json!({"ROUTES": quoted["ROUTES"], "bindings": ["LEDGER", "PRICER"]})),
        ("route gone, rest denied", json!({"ROUTES": elsewhere, "DEFAULT": "deny"})),
        ("route gone, rest free", json!({ "ROUTES": elsewhere })),
        ("route free", json!({"ROUTES": [{"path": ROUTE, "price": "free"}, elsewhere[0]]})),
        ("other methods", with(json!({"methods": ["POST"]}))),
        ("denied", json!({"DENY_PAYERS": [Payer::new(1).address.to_checksum()]})),
        ("restored", json!({"LEDGER_CLOSED_BEFORE": crate::world::BEGIN})),
        ("shards", json!({"LEDGER_SHARDS": "64,16"})),
        (
            "secret",
            json!({
                "GATE_SECRET": "another-gate-secret-0123456789abcdef",
                "GATE_SECRET_PREVIOUS": "canary-gate-secret-0123456789abcdef",
            }),
        ),
        ("secret gone", json!({"GATE_SECRET": "another-gate-secret-0123456789abcdef"})),
    ]
}

/// Whether a payment of this kind is as good after a change as it was before.
fn holds(kind: &str, change: &str) -> bool {
    match change {
        "wallets refused" => kind != "wallet",
        "x402 off" => ["mpp", "bytes"].contains(&kind),
        "mpp off" => !["mpp", "bytes"].contains(&kind),
        "no node" | "no bytes" => kind != "bytes",
        "timeout" => ["x402 version 1", "mpp", "bytes"].contains(&kind),
        "validity" => kind == "bytes",
        "secret gone" => !["mpp", "bytes"].contains(&kind),
        "mode" | "shards" | "secret" | "route gone, rest free" | "route free" => true,
        _ => false,
    }
}

/// The gate after a change.
fn after(change: &Value) -> &'static Gate {
    let mut vars = before();
    for (name, value) in change.as_object().unwrap() {
        vars[name] = value.clone();
    }
    vars.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()))
}

/// A way to pay: the request.
type Kind = (&'static str, fn(&mut World) -> RequestHead);

const KINDS: [Kind; 5] = [
    ("x402", |world| paid(&world.sign(ROUTE))),
    ("x402 version 1", |world| {
        let body = world.ask(ROUTE).json();
        let now = world.now().secs();
        paid(&world.payer.sign_v1(&body, now))
    }),
    ("mpp", |world| {
        let unpaid = world.ask(ROUTE);
        let now = world.now().secs();
        let signed = world.payer.sign(&unpaid.payment_required(), now);
        paid(&signed.by_mpp(&mpp::echo_of(&unpaid)))
    }),
    ("wallet", |world| {
        let required = world.ask(ROUTE).payment_required();
        let now = world.now().secs();
        paid(&world.payer.sign_with(&required, now, |message| {
            message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
        }))
    }),
    ("bytes", |world| {
        let challenge = challenge(world, ROUTE);
        let bytes = world.payer.transaction(0, ASSET, PAY_TO, 10_000);
        answer(ROUTE, &challenge, &transaction(&bytes), None)
    }),
];

/// A state of the ledger: how a request is brought there, and what of it still runs.
type Standing = (&'static str, fn(&mut World, &RequestHead) -> Option<Running>);

fn until(world: &mut World, head: &RequestHead, step: &[&str]) -> Option<Running> {
    let mut running = world.start(head.clone(), b"");
    while !step.contains(&running.next()) {
        assert!(world.advance(&mut running), "{step:?}");
    }
    Some(running)
}

const STANDINGS: [Standing; 6] = [
    ("unknown", |world, head| {
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]);
        world.facilitator.chain.transfers.fate = Fate::Waits;
        assert_eq!(world.send(head.clone()).problem(), "settlement_unknown");
        world.facilitator.settle_plan.clear();
        None
    }),
    ("settled unheard", |world, head| {
        world.facilitator.settle_plan.push_back(Settle::SilentAfter);
        world.ledger.plan.extend(vec![LedgerFault::Fine; 3]);
        let running = until(world, head, &["record"]);
        world.ledger.plan.clear();
        drop(running);
        None
    }),
    ("in progress", |world, head| until(world, head, &["forward"])),
    ("delivered", |world, head| {
        assert_eq!(world.send(head.clone()).status, 200);
        None
    }),
    ("refused", |world, head| {
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let said = world.send(head.clone());
        assert!(
            ["settlement_refused", ""].contains(&said.problem().as_str()),
            "{}",
            said.problem()
        );
        None
    }),
    ("owed", |world, head| {
        world.origin.plan.push_back(Say::Lost);
        assert_eq!(world.send(head.clone()).problem(), "refund_due");
        None
    }),
];

// I-09
#[test]
pub fn a_payment_that_the_ledger_knows_is_never_answered_with_terms_whatever_was_changed() {
    for (change, set) in changes() {
        let after = after(&set);
        for (kind, pay) in KINDS {
            for (standing, stand) in STANDINGS {
                let case = format!("{kind}, {standing}, then {change}");
                let mut world = World::with(before());
                let head = pay(&mut world);
                let running = stand(&mut world, &head);
                let rows = world.ledger.entries().len();
                assert_eq!(rows, 1, "{case}");
                world.gate = after;
                for wait in [0, 3, 30] {
                    world.wait(wait);
                    let said = world.send(head.clone());
                    let told = format!("{case}: {} {}", said.status, said.problem());
                    assert!(!said.has_terms(), "{told}");
                }
                assert_eq!(world.ledger.entries().len(), rows, "{case}");
                if let Some(mut running) = running {
                    while world.advance(&mut running) {}
                    assert!(!running.response.unwrap().has_terms(), "{case}");
                }
                let paid = |call: &&OriginCall| call.headers.get("farebox-payment").is_some();
                assert!(world.origin.calls.iter().filter(paid).count() <= 1, "{case}");
            }
        }
    }
}

#[test]
fn a_payment_that_the_ledger_does_not_know_is_refused_as_today_and_leaves_nothing() {
    for (change, set) in changes() {
        let after = after(&set);
        for (kind, pay) in KINDS.into_iter().filter(|(kind, _)| !holds(kind, change)) {
            let mut world = World::with(before());
            let head = pay(&mut world);
            world.gate = after;
            let said = world.send(head);
            let case = format!("{kind}, {change}: {} {}", said.status, said.problem());
            assert!(said.status >= 400, "{case}");
            assert!(world.ledger.entries().is_empty(), "{case}");
            assert!(world.facilitator.urls.is_empty() && world.origin.calls.is_empty(), "{case}");
            assert_eq!(world.facilitator.chain.transfers.given, 0, "{case}");
        }
    }
}

#[test]
pub fn what_a_restore_may_have_lost_is_not_asked_for_again_while_it_may_be_charged() {
    let (_, restored) = changes().into_iter().find(|(name, _)| *name == "restored").unwrap();
    for (kind, pay) in KINDS {
        let mut world = World::with(before());
        let head = pay(&mut world);
        world.gate = after(&restored);
        let said = world.send(head.clone());
        let told = (said.status, said.problem(), said.has_terms());
        assert_eq!(told, (503, "settlement_unknown".to_owned(), false), "{kind}");
        assert!(world.ledger.entries().is_empty(), "{kind}");
    }
    let mut world = World::with(before());
    let payment = world.sign(ROUTE);
    world.gate = after(&restored);
    world.wait(payment.valid_before + 60 - world.now().secs());
    assert_eq!(world.present(&payment).problem(), "expired", "it can be charged no more");
}

/// A gate that is paid on Solana and on a chain beside it.
fn solana_vars(networks: &[&str], routes: Value) -> Value {
    let mut vars = vars(routes);
    vars["NETWORK"] = json!(networks);
    vars["PAY_TO"] = json!({NETWORKS[0]: PAY_TO, solana::NETWORK: solana::PAYEE});
    let extra = json!({ solana::NETWORK: { "feePayer": solana::FEE_PAYER } });
    vars["FACILITATOR_URL"] = json!([{"url": vars["FACILITATOR_URL"], "extra": extra}]);
    vars
}

#[test]
pub fn a_payment_on_a_chain_that_is_not_sold_on_any_more_is_told_what_became_of_it() {
    let both = [solana::NETWORK, NETWORKS[0]];
    let priced = |price: &str| json!([{"path": ROUTE, "price": price, "settle": "before"}]);
    let mut other = priced("$0.01");
    other[0]["protocols"] = json!(["mpp"]);
    for (change, vars) in [
        ("network gone", solana_vars(&both[1..], priced("$0.01"))),
        ("price", solana_vars(&both, priced("$0.90"))),
        ("both", solana_vars(&both[1..], priced("$0.90"))),
        ("x402 off", solana_vars(&both[1..], other)),
    ] {
        let mut world = World::with(solana_vars(&both, priced("$0.01")));
        let required = world.ask(ROUTE).payment_required();
        let [known, unknown] =
            [1, 2].map(|number| solana::payment(&required, &solana::transaction(number)));
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]);
        assert_eq!(world.present(&known).problem(), "settlement_unknown", "{change}");
        world.gate = World::with(vars).gate;
        let said = world.present(&known);
        assert_eq!((said.status, said.has_terms()), (503, false), "{change}: {}", said.problem());
        let said = world.present(&unknown);
        assert!(said.has_terms(), "{change}: {}", said.problem());
        assert_eq!(world.ledger.entries().len(), 1, "{change}");
    }
}
