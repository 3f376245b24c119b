//! Who is asked as the origin, where the ledger lives, which route table counts. Spec: docs/origin.md,
//! docs/configuration.md.

use farebox_core::gate::Gate;
use farebox_core::gate::config::Routes;
use farebox_core::gate::origin::Origin;
use serde_json::{Value, json};

use crate::world::origin::Say;
use crate::world::{With, World, get, paid, routes, vars};

fn with(changes: Value) -> Value {
    let mut vars = vars(routes());
    for (name, value) in changes.as_object().unwrap() {
        vars[name] = value.clone();
    }
    vars
}

fn named(vars: &Value, table: Routes<'_>) -> Vec<String> {
    let errors = Gate::configured(&vars.to_string(), table).err().unwrap_or_default();
    errors.into_iter().map(|error| error.variable).collect()
}

#[test]
fn the_origin_is_a_url_or_a_binding_or_the_zone() {
    let origin = |changes| Gate::from_vars(&with(changes).to_string()).unwrap().origin().clone();
    let url = Origin::Url("http://127.0.0.1:9000/base".to_owned());
    assert_eq!(origin(json!({})), url);
    assert_eq!(origin(json!({"bindings": ["CONFIG", "LEDGER"]})), url);
    assert_eq!(origin(json!({"ORIGIN_URL": "", "bindings": ["LEDGER", "ORIGIN"]})), Origin::Bound);
    assert_eq!(origin(json!({"ORIGIN_URL": "", "bindings": ["LEDGER"]})), Origin::Zone);
    assert_eq!(origin(json!({"ORIGIN_URL": null})), Origin::Zone);
}

//
#[test]
fn a_private_origin_is_one_that_its_operator_calls_private() {
    let origin = |changes| Gate::from_vars(&with(changes).to_string()).unwrap().origin().clone();
    let private = |url: &str| json!({"ORIGIN_URL": url, "ORIGIN_NETWORK": "private"});
    for url in ["http://app:3000", "http://10.0.0.5/base", "https://app.internal"] {
        assert_eq!(origin(private(url)), Origin::Url(url.to_owned()));
        assert_eq!(named(&with(json!({"ORIGIN_URL": url})), Routes::Variables), ["ORIGIN_URL"]);
    }
    for url in ["http://169.254.169.254", "http://metadata.google.internal", "https://a.example"] {
        assert_eq!(named(&with(private(url)), Routes::Variables), ["ORIGIN_URL"], "{url}");
    }
    let alone = with(
        json!({"ORIGIN_URL": "", "ORIGIN_NETWORK": "private", "bindings": ["LEDGER", "ORIGIN"]}),
    );
    assert_eq!(named(&alone, Routes::Variables), ["ORIGIN_NETWORK"]);
    assert_eq!(origin(json!({"ORIGIN_NETWORK": "public"})), origin(json!({})));
}

#[test]
fn an_origin_that_keeps_the_host_is_asked_for_the_clients_url_at_its_own_name() {
    let mut world = World::with(with(
        json!({"ORIGIN_URL": "https://origin.shop.example", "ORIGIN_HOST": "client"}),
    ));
    world.pay("/after?a=1");
    world.send(get("/free"));
    for (call, path) in world.origin.calls.iter().zip(["/after?a=1", "/free"]) {
        assert_eq!(call.url, ["https://shop.example", path].concat());
        assert_eq!(call.resolve.as_deref(), Some("origin.shop.example"));
    }
    assert_eq!(world.origin.calls.len(), 2);
    let mut plain = World::with(with(json!({"ORIGIN_HOST": "origin"})));
    plain.send(get("/free"));
    assert_eq!(plain.origin.calls[0].resolve, None);
}

#[test]
fn two_origins_are_an_error_and_so_is_a_variable_in_the_place_of_the_binding() {
    let both = with(json!({"bindings": ["ORIGIN"]}));
    assert_eq!(named(&both, Routes::Variables), ["ORIGIN_URL"]);
    let text = with(json!({"ORIGIN_URL": "", "ORIGIN": "https://origin.example"}));
    assert_eq!(named(&text, Routes::Variables), ["ORIGIN"]);
}

#[test]
fn an_origin_that_knows_the_clients_url_is_asked_for_it_and_its_redirects_stay() {
    for (changes, asked, location) in [
        (json!({}), "http://127.0.0.1:9000/base/free?a=1", "/next"),
        (
            json!({"ORIGIN_URL": "", "bindings": ["ORIGIN"]}),
            "https://shop.example/free?a=1",
            "http://127.0.0.1:9000/base/next",
        ),
        (
            json!({"ORIGIN_URL": ""}),
            "https://shop.example/free?a=1",
            "http://127.0.0.1:9000/base/next",
        ),
    ] {
        let mut world = World::with(with(changes));
        let redirect = "302\nlocation: http://127.0.0.1:9000/base/next";
        world.origin.plan.push_back(Say::Whole(redirect, ""));
        let response = world.send(get("/free?a=1"));
        assert_eq!(world.origin.calls[0].url, asked);
        assert_eq!(response.headers.get("location"), Some(location));
    }
}

#[test]
fn what_comes_back_to_the_gate_is_refused_before_anything_is_asked() {
    for changes in [json!({}), json!({"ORIGIN_URL": ""}), json!({"DEFAULT": "deny"})] {
        for target in ["/after", "/before", "/free", "/items/1"] {
            let mut world = World::with(with(changes.clone()));
            let mark = mark_of(World::new());
            let payment = world.sign("/after");
            let head = if target == "/after" { paid(&payment) } else { get(target) };
            let response = world.send(head.header("farebox-loop", &mark));
            assert_eq!(
                (response.status, response.json()["code"].as_str()),
                (508, Some("loop_detected"))
            );
            assert_eq!(response.json()["retryable"], false);
            assert!(world.origin.calls.is_empty() && world.ledger.commands == 0, "{target}");
            assert_eq!((world.facilitator.verified, world.facilitator.settles.len()), (0, 0));
        }
    }
}

#[test]
fn a_mark_that_is_not_the_gates_own_is_dropped() {
    let mut world = World::new();
    let mark = mark_of(World::new());
    let mut other = vars(routes());
    other["GATE_SECRET"] = "another-gate-secret-0123456789abcdef".into();
    let foreign = mark_of(World::with(other));
    assert_ne!(mark, foreign);
    for forged in ["", "1", &mark[1..], &foreign, &mark.to_uppercase()] {
        let response = world.send(get("/free").header("farebox-loop", forged));
        assert_eq!(response.status, 200, "{forged}");
        let call = world.origin.calls.pop().unwrap();
        let rows: Vec<_> = call.headers.rows("farebox-loop").collect();
        assert_eq!(rows, [mark.as_str()], "{forged}");
    }
}

/// What a gate with these secrets marks a forwarded request with.
fn mark_of(mut world: World) -> String {
    world.send(get("/free"));
    world.origin.calls[0].headers.get("farebox-loop").unwrap().to_owned()
}

#[test]
fn the_ledgers_home_is_one_that_the_platform_has() {
    let edge = |changes: Value| -> Value {
        let gate = Gate::from_vars(&with(changes).to_string()).unwrap();
        serde_json::from_str(&gate.edge_rules().write()).unwrap()
    };
    let none = edge(json!({"LEDGER_JURISDICTION": "", "LEDGER_LOCATION": ""}));
    assert_eq!((&none["jurisdiction"], &none["location"]), (&Value::Null, &Value::Null));
    let both = edge(json!({"LEDGER_JURISDICTION": "eu", "LEDGER_LOCATION": "weur"}));
    assert_eq!((&both["jurisdiction"], &both["location"]), (&json!("eu"), &json!("weur")));
    for name in ["LEDGER_JURISDICTION", "LEDGER_LOCATION"] {
        for wrong in [json!("EU"), json!("mars"), json!(["eu"]), json!(1)] {
            assert_eq!(named(&with(json!({ name: wrong })), Routes::Variables), [name]);
        }
    }
}

#[test]
fn a_stored_table_takes_the_place_of_the_variables() {
    let stored = json!([{"path": "/stored", "price": "$0.03"}]).to_string();
    let asks = |vars: &Value, table| {
        let gate = Gate::configured(&vars.to_string(), table).unwrap();
        let mut world = World::around(Box::leak(Box::new(gate)));
        ["/after", "/stored"].map(|path| world.send(get(path)).status)
    };
    let plain = vars(routes());
    assert_eq!(asks(&plain, Routes::Variables), [402, 200]);
    assert_eq!(asks(&plain, Routes::Stored(&stored)), [200, 402]);
    let without = with(json!({"ROUTES": null}));
    assert_eq!(asks(&without, Routes::Stored(&stored)), [200, 402]);
    let patterns = with(json!({"PROTECTED_PATTERNS": "[]"}));
    assert_eq!(asks(&patterns, Routes::Stored(&stored)), [200, 402]);
}

#[test]
fn a_stored_table_that_is_wrong_is_named() {
    let long = json!([{"path": "/a", "price": "$1", "description": "x".repeat(256 * 1024)}]);
    for (table, variable) in [
        ("", "CONFIG routes"),
        ("[]", "CONFIG routes"),
        ("[{", "CONFIG routes"),
        ("{\"path\": \"/a\", \"price\": \"$1\"}", "CONFIG routes"),
        (
            "[{\"path\": \"/a\", \"price\": \"$1\"}, {\"path\": \"/a\", \"price\": \"$2\"}]",
            "CONFIG routes[1]",
        ),
        (
            "[{\"path\": \"/a\", \"price\": \"$1\"}, {\"path\": \"/b\", \"price\": \"1 EUR\"}]",
            "CONFIG routes[1].price",
        ),
        (&long.to_string(), "CONFIG routes"),
    ] {
        let named = named(&vars(routes()), Routes::Stored(table));
        let short = table.get(..60).unwrap_or(table);
        assert_eq!(named.first().map(String::as_str), Some(variable), "{short}");
        assert!(named.iter().all(|name| name == variable), "{short}: {named:?}");
    }
    // No variable passes itself off as a stored table.
    let forged = with(json!({"CONFIG routes": "[{\"path\": \"/x\", \"price\": \"$1\"}]"}));
    let mut world = World::with(forged);
    assert_eq!(world.send(get("/x")).status, 200);
}

#[test]
fn recovery_needs_no_route_table() {
    for table in [Value::Null, "[{".into(), json!([{"path": "/a", "price": "nothing"}])] {
        let vars = with(json!({ "ROUTES": table, "RECOVERY": {"manual_secs": 4711} }));
        assert_ne!(named(&vars, Routes::Variables), Vec::<String>::new());
        let gate = Gate::configured(&vars.to_string(), Routes::Spared).unwrap();
        assert_eq!(gate.plan().manual_secs, 4711);
        // It would be no gate to serve requests with.
        assert!(gate.edge_rules().plain_forwarding().is_none());
        let mut world = World::around(Box::leak(Box::new(gate)));
        assert_eq!(world.send(get("/a")).status, 404);
    }
    let broken = with(json!({"ROUTES": "[{", "LEDGER_SALT": "short"}));
    assert_eq!(named(&broken, Routes::Spared), ["LEDGER_SALT"]);
}

//
#[test]
pub fn a_route_that_is_too_long_beside_the_gates_variables_ends_no_stored_table() {
    let service = json!({"name": "Skills of many sellers", "categories": ["commerce", "data"]});
    let input = json!({"q": "x".repeat(1_500)});
    let mut told = 0;
    for length in (1_000..6_000).step_by(16) {
        let bazaar = json!({"input": input, "output": {"example": "x".repeat(length)}});
        let routes = json!([{"path": "/a", "price": "$1", "bazaar": bazaar}]);
        let plain = named(&with(json!({"ROUTES": routes})), Routes::Variables);
        let own = with(json!({"ROUTES": routes, "SERVICE": service}));
        // Whoever writes both is told; whoever stores a table does not know the gate's texts.
        let is_too_long = named(&own, Routes::Variables) == ["ROUTES[0]"];
        told += u32::from(plain.is_empty() && is_too_long);
        if plain.is_empty() {
            assert_eq!(named(&own, Routes::Stored(&routes.to_string())), Vec::<String>::new());
        }
    }
    assert!(told > 0, "some are too long beside the name alone");
}
