//! Wrong configurations: each is an error that names the variable to change. Spec: docs/configuration.md.

use farebox_core::config::ConfigError;
use farebox_core::gate::Gate;
use serde_json::{Value, json};

use crate::paid_back::with_treasury;
use crate::world::{PAY_TO, routes, vars};

fn errors(vars: &Value) -> Vec<String> {
    match Gate::from_vars(&vars.to_string()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_valid_configuration_is_no_error() {
    let plain = vars(routes());
    assert_eq!(errors(&plain), Vec::<String>::new());
    let set = |change: &dyn Fn(&mut Value)| {
        let mut vars = plain.clone();
        change(&mut vars);
        assert_eq!(errors(&vars), Vec::<String>::new(), "{vars}");
    };
    set(&|vars| vars["ROUTES"] = vars["ROUTES"].to_string().into());
    set(&|vars| vars["NETWORK"] = "base-sepolia".into());
    set(&|vars| vars["NETWORK"] = json!(["eip155:84532"]));
    set(&|vars| vars["PAY_TO"] = json!({"eip155:84532": PAY_TO, "eip155:8453": PAY_TO}));
    set(&|vars| vars["PAY_TO"] = json!({"base-sepolia": PAY_TO}).to_string().into());
    set(&|vars| vars["PAY_TO"] = PAY_TO.to_lowercase().into());
    set(&|vars| vars["PAY_TO"] = "0x000000000000000000000000000000000000dEaD".into());
    set(&|vars| {
        vars["RECOVERY"] = json!({"settle_secs": 2, "resend_secs": [1], "chain_secs": [1, 1]})
    });
    set(&|vars| vars["LEDGER_SHARDS"] = "64".into());
    set(&|vars| vars["MAX_VALIDITY_SECS"] = 7200.into());
    set(&|vars| vars["RPC_URL"] = "https://rpc.example/v2/key?x=1".into());
    set(&|vars| vars["RPC_URL"] = json!({"eip155:84532": "https://rpc.example"}));
    set(&|vars| {
        vars["FACILITATOR_URL"] =
            json!([{"url": "https://f.example", "networks": ["base-sepolia"], "auth": "none"}])
    });
    set(&|vars| vars["DEFAULT"] = "deny".into());
    set(&|vars| vars["KEEP_RESPONSES_HOURS"] = 0.into());
    set(&|vars| vars["SOME_OTHER_BINDING"] = json!({"any": "thing"}));
    set(&|vars| vars["PROTOCOLS"] = json!(["x402"]));
    set(&|vars| vars["TEST_NETWORKS_ONLY"] = true.into());
    set(&|vars| vars["TEST_NETWORKS_ONLY"] = "true".into());
    set(&|vars| {
        vars["TEST_NETWORKS_ONLY"] = "false".into();
        vars["NETWORK"] = "eip155:8453".into();
    });
    set(&|vars| {
        vars["ROUTES"] =
            json!([{"path": "/a", "price": {"amount": "1", "asset": "USDC"}, "methods": "all"}])
    });
    set(&|vars| *vars = with_refunds());
    let mut patterns = plain.clone();
    patterns.as_object_mut().unwrap().remove("ROUTES");
    patterns["PROTECTED_PATTERNS"] =
        json!([{"pattern": "/paid/*", "price": "$0.01", "description": "d"}]);
    assert_eq!(errors(&patterns), Vec::<String>::new());
}

//
#[test]
pub fn every_wrong_setting_is_the_one_error_and_is_named_with_what_to_do() {
    let table: Value = serde_json::from_str(include_str!("../configuration/wrong.json")).unwrap();
    assert_eq!(errors(&merged(&table, &json!({}))), Vec::<String>::new());
    let cases = table["cases"].as_array().unwrap();
    assert!(cases.len() >= 150, "{}", cases.len());
    let mut other = Vec::new();
    for case in cases {
        let vars = merged(&table, case);
        let found = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
        let says = case["says"].as_str().unwrap();
        let is_it =
            |error: &ConfigError| error.variable == case["variable"] && error.remedy.contains(says);
        if found.len() != 1 || !found.iter().all(is_it) {
            other.push(format!("{}: {found:?}", case["name"]));
        }
    }
    assert!(other.is_empty(), "{}", other.join("\n"));
}

/// The variables of a case: its own over those of the table.
fn merged(table: &Value, case: &Value) -> Value {
    let mut vars = table["base"].as_object().unwrap().clone();
    vars.extend(table["secrets"].as_object().unwrap().clone());
    if let Some(set) = case["set"].as_object() {
        vars.extend(set.clone());
    }
    if let Some(route) = case.get("route") {
        vars["ROUTES"].as_array_mut().unwrap().push(route.clone());
    }
    vars.retain(|_, value| !value.is_null());
    vars.into()
}

/// Variables of a gate whose debts a treasury pays back.
fn with_refunds() -> Value {
    let mut vars = vars(routes());
    vars["RPC_URL"] = "https://rpc.example".into();
    with_treasury(vars)
}

#[test]
fn a_treasury_that_pays_back_needs_its_token_its_binding_and_a_node_and_no_other_program() {
    let table = [
        ("REFUNDS_TOKEN", json!(null), "REFUNDS_TOKEN: is missing; run `wrangler secret put"),
        ("REFUNDS_TOKEN", json!("short"), "REFUNDS_TOKEN: must have at least 32 bytes"),
        ("REFUNDS_TOKEN", json!(" ".repeat(32)), "REFUNDS_TOKEN: must be visible ASCII"),
        (
            "bindings",
            json!(["LEDGER"]),
            "REFUNDS: needs the treasury as the service binding TREASURY",
        ),
        ("RPC_URL", json!(null), "REFUNDS: needs RPC_URL, by which the chain proves refunds"),
        ("REFUND_TOKEN", json!("x".repeat(32)), "REFUND_TOKEN: lets another program pay back"),
        ("REFUNDS", json!(null), "REFUNDS_TOKEN: is set without REFUNDS; set both or neither"),
        ("REFUNDS", json!("acme"), "REFUNDS: must be a table such as"),
        ("REFUNDS", json!({"organization": "acme"}), "REFUNDS: wallet is missing"),
        (
            "REFUNDS",
            json!({"organization": "Acme", "wallet": "main"}),
            "REFUNDS: organization must",
        ),
        (
            "ROUTES",
            json!([{"path": "/till/[quote]", "price": {"from": "PRICER", "max": "$1.00"}}]),
            "REFUNDS: would pay back what the exchange",
        ),
        (
            "REFUNDS",
            json!({"organization": "acme", "wallet": ""}),
            "REFUNDS: wallet must have 1 to 64",
        ),
        (
            "REFUNDS",
            json!({"organization": "a".repeat(56), "wallet": "main"}),
            "REFUNDS: organization must have 1 to 55",
        ),
    ];
    for (name, value, says) in table {
        let mut vars = with_refunds();
        vars[name] = value;
        if name == "ROUTES" {
            vars["bindings"] = json!(["TREASURY", "PRICER"]);
        }
        let found = errors(&vars);
        assert!(found.len() == 1 && found[0].starts_with(says), "{says}: {found:?}");
    }
}

#[test]
fn a_wrong_price_is_told_beside_a_wrong_network_or_account() {
    let table: Value = serde_json::from_str(include_str!("../configuration/wrong.json")).unwrap();
    for (other, value) in [("NETWORK", json!("base-seplia")), ("PAY_TO", json!(null))] {
        for (price, is_wrong) in [("a cent", true), ("$0.00", true), ("$0.01", false)] {
            let route = json!({"path": "/new", "price": price});
            let found = errors(&merged(&table, &json!({"set": {other: value}, "route": route})));
            let told = |name: &str| found.iter().any(|it| it.contains(name));
            assert!(told(other), "{found:?}");
            assert_eq!(told("].price"), is_wrong, "{other}, {price}: {found:?}");
        }
    }
}

#[test]
fn the_edges_of_route_times_are_allowed() {
    for route in [
        json!({"path": "/a", "price": "$1", "max_timeout_secs": 126}),
        json!({"path": "/a", "price": "$1", "settle": "before", "max_timeout_secs": 66}),
        json!({"path": "/a", "price": "$1", "max_timeout_secs": 3540}),
        json!({"path": "/a", "price": "$1", "description": "x".repeat(256)}),
    ] {
        assert_eq!(errors(&vars(json!([route]))), Vec::<String>::new());
    }
}

#[test]
fn equal_patterns_with_methods_of_their_own_are_allowed() {
    let apart = json!([
        {"path": "/a", "price": "$1", "methods": ["GET"]}, {"path": "/a", "price": "$2", "methods": ["POST"]},
    ]);
    assert_eq!(errors(&vars(apart)), Vec::<String>::new());
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_no_secret_with_it() {
    let mut vars = vars(routes());
    vars["ORIGIN_URL"] = "https://user:canary-password@origin.example".into();
    vars["DEFAULT"] = "open".into();
    vars["FACILITATOR_URL"] = "http://f.example".into();
    vars["GATE_SECRET"] = "canary-short".into();
    vars["LEDGER_SALT"] = "canary".into();
    let errors = errors(&vars);
    let named: Vec<_> = errors.iter().map(|error| error.split(':').next().unwrap()).collect();
    assert_eq!(named, ["DEFAULT", "ORIGIN_URL", "FACILITATOR_URL", "GATE_SECRET", "LEDGER_SALT"]);
    assert!(!errors.join(" ").contains("canary"), "{errors:?}");
}

#[test]
fn a_key_where_an_address_belongs_is_said_without_a_part_of_it() {
    let key = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
    for given in [format!("0x{key}"), key.to_owned(), format!("0X{key}"), format!(" 0x{key}\n")] {
        let mut vars = vars(routes());
        vars["PAY_TO"] = given.as_str().into();
        // Other errors keep it from nobody.
        let mut others = vars.clone();
        others["ROUTES"] = json!([{ "path": "/a", "price": 1 }]);
        others["NETWORK"] = "base-sepolja".into();
        for vars in [vars, others] {
            let errors = errors(&vars);
            assert!(errors.join(" ").contains("PRIVATE KEY"), "{errors:?}");
            assert!(!errors.join(" ").contains(&key[..8]), "{errors:?}");
        }
    }
}

#[test]
fn what_is_no_object_is_an_error() {
    for text in ["", "[]", "null", "{", "{\"A\":1,\"A\":2}"] {
        let errors = Gate::from_vars(text).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}");
    }
}
