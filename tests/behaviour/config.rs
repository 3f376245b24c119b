//! Wrong configurations: each is an error that names the variable to change. Spec: docs/configuration.md.

use farebox_core::gate::Gate;
use serde_json::{Value, json};

use crate::world::{PAY_TO, routes, vars};

fn errors(vars: &Value) -> Vec<String> {
    match Gate::from_vars(&vars.to_string()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

/// The variable of the only error, which has a remedy.
fn only_error(name: &str, vars: &Value) -> String {
    let errors = errors(vars);
    assert_eq!(errors.len(), 1, "{name}: {errors:?}");
    let (variable, remedy) = errors[0].split_once(": ").unwrap();
    assert!(remedy.len() > 10, "{name}: {remedy}");
    variable.to_owned()
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
    set(&|vars| {
        vars["ROUTES"] =
            json!([{"path": "/a", "price": {"amount": "1", "asset": "USDC"}, "methods": "all"}])
    });
    let mut patterns = plain.clone();
    patterns.as_object_mut().unwrap().remove("ROUTES");
    patterns["PROTECTED_PATTERNS"] =
        json!([{"pattern": "/paid/*", "price": "$0.01", "description": "d"}]);
    assert_eq!(errors(&patterns), Vec::<String>::new());
}

#[test]
fn every_wrong_variable_is_named() {
    let private = [
        "https://10.0.0.1",
        "https://192.168.1.1",
        "https://169.254.169.254/latest",
        "https://172.20.0.1",
        "https://[fd00::1]",
        "https://metadata.internal",
        "https://intranet",
        "https://2130706433",
    ];
    let mut table: Vec<(&str, Value)> = vec![
        ("ORIGIN_URL", 7.into()),
        ("ORIGIN_URL", "origin.example".into()),
        ("ORIGIN_URL", "http://origin.example".into()),
        ("ORIGIN_URL", "https://u:p@origin.example".into()),
        ("ORIGIN_URL", "https://origin.example/?q=1".into()),
        ("ORIGIN_URL", "https://origin.example/#f".into()),
        ("ORIGIN_URL", "https://origin.example:0".into()),
        ("ORIGIN_URL", "ftp://origin.example".into()),
        ("PAY_TO", Value::Null),
        ("PAY_TO", 7.into()),
        ("PAY_TO", "0x209693bc6afc0C5328bA36FaF03C514EF312287C".into()),
        ("PAY_TO", "0x0000000000000000000000000000000000000000".into()),
        ("PAY_TO", "0x1234".into()),
        ("PAY_TO", PAY_TO[2..].into()),
        ("PAY_TO", json!({"eip155:8453": PAY_TO})),
        ("PAY_TO", json!({"eip155:84532": 7})),
        ("PAY_TO", json!({"eip155:84532": PAY_TO, "base-sepolia": PAY_TO})),
        ("PAY_TO", json!({"eip155:84532": PAY_TO, "bse": PAY_TO})),
        ("PAY_TO", "{\"eip155:84532\": ".into()),
        ("NETWORK", Value::Null),
        ("NETWORK", 84532.into()),
        ("NETWORK", "sepolia-base".into()),
        ("NETWORK", "eip155:084532".into()),
        ("NETWORK", "eip155:*".into()),
        ("NETWORK", json!([])),
        ("NETWORK", json!(["eip155:84532", "base-sepolia"])),
        ("FACILITATOR_URL", Value::Null),
        ("FACILITATOR_URL", "http://f.example".into()),
        ("FACILITATOR_URL", json!([])),
        ("FACILITATOR_URL", json!([{"url": "https://a.example"}, {"url": "https://a.example/"}])),
        ("WALLET_FACTORIES", json!([PAY_TO])),
        ("FACILITATOR_URL", json!([{"url": "https://a.example", "network": ["*"]}])),
        ("FACILITATOR_URL", json!([{"url": "https://a.example", "networks": ["eip155:1"]}])),
        ("FACILITATOR_URL", json!([{"url": "https://a.example", "auth": "basic"}])),
        ("F_TOKEN", json!([{"url": "https://a.example", "auth": {"bearer": "F_TOKEN"}}])),
        ("DEFAULT", "allow".into()),
        ("DEFAULT", 1.into()),
        ("PROTOCOLS", json!([])),
        ("PROTOCOLS", json!(["x402", "mpp"])),
        ("PROTOCOLS", json!(["l402"])),
        ("PROTOCOLS", "x402".into()),
        ("RPC_URL", "https://10.0.0.1".into()),
        ("RPC_URL", 7.into()),
        ("RPC_URL", json!({"eip155:84532": "http://rpc.example"})),
        ("LEDGER_SHARDS", 0.into()),
        ("LEDGER_SHARDS", "many".into()),
        ("MAX_VALIDITY_SECS", (-1).into()),
        ("MAX_VALIDITY_SECS", 1.into()),
        ("MAX_VALIDITY_SECS", json!(3600.5)),
        ("MAX_IN_FLIGHT_PER_PAYER", 0.into()),
        ("CONTRACT_WALLETS", "accept".into()),
        ("KEEP_RESPONSES_HOURS", (-1).into()),
        ("KEEP_PAYMENTS_DAYS", 0.into()),
        ("LEDGER_CLOSED_BEFORE", "yesterday".into()),
        ("RECOVERY", json!({"settle_secs": 1})),
        ("RECOVERY", json!({"resend_secs": [0]})),
        ("RECOVERY", json!({"resend_secs": []})),
        ("RECOVERY", json!({"chain_secs": [60]})),
        ("RECOVERY", json!({"refund_secs": 4})),
        ("RECOVERY", json!({"manual_secs": 9})),
        ("RECOVERY", json!({"breaker_secs": 0})),
        ("RECOVERY", json!({"settle_sec": 30})),
        ("GATE_SECRET", Value::Null),
        ("GATE_SECRET", "too short".into()),
        ("GATE_SECRET_PREVIOUS", "too short".into()),
        ("LEDGER_SALT", Value::Null),
        ("LEDGER_SALT", "too short".into()),
        ("ROUTES", Value::Null),
        ("ROUTES", json!([])),
        ("ROUTES", json!({"path": "/a"})),
        ("ROUTES", "[{".into()),
        ("ROUTES", r#"[{"path":"/a","path":"/b","price":"$1"}]"#.into()),
        ("PROTECTED_PATTERNS", json!([{"pattern": "/a", "price": "$1"}])),
    ];
    table.extend(private.map(|url| ("ORIGIN_URL", url.into())));
    table.extend(private.map(|url| ("FACILITATOR_URL", url.into())));
    assert!(table.len() >= 90, "{}", table.len());
    for (variable, value) in table {
        let mut vars = vars(routes());
        let place = if variable == "F_TOKEN" { "FACILITATOR_URL" } else { variable };
        vars[place] = value.clone();
        assert_eq!(only_error(&format!("{variable} = {value}"), &vars), variable, "{value}");
    }
}

#[test]
fn every_wrong_route_is_named_with_its_member() {
    let table = [
        ("", json!({"path": "/a", "price": "$1", "prize": "$1"})),
        ("", json!({"path": "/a"})),
        ("", json!({"price": "$1"})),
        ("", json!("/a")),
        (".path", json!({"path": "a", "price": "$1"})),
        (".path", json!({"path": "", "price": "$1"})),
        (".path", json!({"path": "/a?x", "price": "$1"})),
        (".path", json!({"path": "/a/../b", "price": "$1"})),
        (".path", json!({"path": "/a/*/b", "price": "$1"})),
        (".methods", json!({"path": "/a", "price": "$1", "methods": []})),
        (".methods", json!({"path": "/a", "price": "$1", "methods": "GET"})),
        (".methods", json!({"path": "/a", "price": "$1", "methods": ["G ET"]})),
        (".price", json!({"path": "/a", "price": "$0"})),
        (".price", json!({"path": "/a", "price": "0.01 EUR"})),
        (".price", json!({"path": "/a", "price": "$-1"})),
        (".price", json!({"path": "/a", "price": "$0.0000001"})),
        (".price", json!({"path": "/a", "price": "$1e3"})),
        (".price", json!({"path": "/a", "price": format!("${}", "9".repeat(80))})),
        (".price", json!({"path": "/a", "price": {"amount": "0", "asset": "USDC"}})),
        (".price", json!({"path": "/a", "price": {"amount": "1.5", "asset": "USDC"}})),
        (".price.asset", json!({"path": "/a", "price": {"amount": "1", "asset": "DOGE"}})),
        ("", json!({"path": "/a", "price": {"amount": 1, "asset": "USDC"}})),
        ("", json!({"path": "/a", "price": 1})),
        (".asset", json!({"path": "/a", "price": "$1", "asset": "DOGE"})),
        (
            ".asset",
            json!({"path": "/a", "price": {"amount": "1", "asset": "USDC"}, "asset": "USDC"}),
        ),
        ("", json!({"path": "/a", "price": "$1", "asset": {"address": PAY_TO}})),
        (
            ".asset",
            json!({"path": "/a", "price": "$1", "asset": {"address": "0x12", "name": "T", "version": "1", "decimals": 6}}),
        ),
        (
            ".asset",
            json!({"path": "/a", "price": "$1", "asset":
            {"address": "0x0000000000000000000000000000000000000000", "name": "T", "version": "1", "decimals": 6}}),
        ),
        (
            ".asset",
            json!({"path": "/a", "price": "$1", "asset": {"address": PAY_TO, "name": "", "version": "1", "decimals": 6}}),
        ),
        (
            ".asset",
            json!({"path": "/a", "price": "$1", "asset":
            {"address": "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "name": "USDC", "version": "2", "decimals": 18}}),
        ),
        (".network", json!({"path": "/a", "price": "$1", "network": "eip155:1"})),
        (".network", json!({"path": "/a", "price": "$1", "network": "nowhere"})),
        (".pay_to", json!({"path": "/a", "price": "$1", "pay_to": "0x0"})),
        (".protocols", json!({"path": "/a", "price": "$1", "protocols": ["mpp"]})),
        (".confirm", json!({"path": "/a", "price": "$1", "confirm": "chain"})),
        (".confirm", json!({"path": "/a", "price": "$1", "confirm": "maybe"})),
        ("", json!({"path": "/a", "price": "$1", "settle": "during"})),
        (".origin_timeout_secs", json!({"path": "/a", "price": "$1", "origin_timeout_secs": 0})),
        (".max_timeout_secs", json!({"path": "/a", "price": "$1", "max_timeout_secs": 125})),
        (
            ".max_timeout_secs",
            json!({"path": "/a", "price": "$1", "settle": "before", "max_timeout_secs": 65}),
        ),
        (".max_timeout_secs", json!({"path": "/a", "price": "$1", "max_timeout_secs": 3541})),
        (".description", json!({"path": "/a", "price": "$1", "description": "x".repeat(257)})),
        (".mime_type", json!({"path": "/a", "price": "$1", "mime_type": "json"})),
        (".mime_type", json!({"path": "/a", "price": "$1", "mime_type": "text/\nplain"})),
        ("", json!({"path": "/a", "price": "$1", "store": "yes"})),
    ];
    for (member, route) in table {
        let good = json!({"path": "/good", "price": "$1"});
        let vars = vars(json!([good, route]));
        let variable = only_error(&route.to_string(), &vars);
        assert_eq!(variable, format!("ROUTES[1]{member}"), "{route}");
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
fn routes_that_contradict_each_other_are_an_error() {
    for routes in [
        json!([{"path": "/a", "price": "$1"}, {"path": "/a", "price": "$2"}]),
        json!([{"path": "/[a]", "price": "$1"}, {"path": "/[b]", "price": "free", "methods": ["GET"]}]),
    ] {
        assert_eq!(only_error("twice", &vars(routes)), "ROUTES");
    }
    let apart = json!([
        {"path": "/a", "price": "$1", "methods": ["GET"]}, {"path": "/a", "price": "$2", "methods": ["POST"]},
    ]);
    assert_eq!(errors(&vars(apart)), Vec::<String>::new());
}

#[test]
fn a_dead_address_is_for_test_networks_only() {
    let mut main = vars(json!([{"path": "/a", "price": "$1"}]));
    main["NETWORK"] = "eip155:8453".into();
    main["PAY_TO"] = "0x000000000000000000000000000000000000dEaD".into();
    assert_eq!(only_error("dead", &main), "PAY_TO");
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
fn what_is_no_object_is_an_error() {
    for text in ["", "[]", "null", "{", "{\"A\":1,\"A\":2}"] {
        let errors = Gate::from_vars(text).unwrap_err();
        assert_eq!(errors.len(), 1, "{text}");
    }
}
