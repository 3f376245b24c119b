//! Which routes can sell by session.

use farebox_core::gate::Gate;
use serde_json::{Value, json};

use super::door::{bound, routes};
use crate::world::vars;

fn errors(vars: &Value) -> Vec<(String, String)> {
    let found = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
    found.into_iter().map(|error| (error.variable, error.remedy)).collect()
}

#[test]
fn a_route_sells_by_session_where_it_can() {
    assert_eq!(errors(&bound(routes())), []);
    let unbound = errors(&vars(routes()));
    assert_eq!(unbound.len(), 1, "{unbound:?}");
    // Who signs for channels is not known then, and that says nothing of the binding.
    let mut unsalted = bound(routes());
    unsalted.as_object_mut().unwrap().remove("LEDGER_SALT");
    let missing = errors(&unsalted);
    assert_eq!(missing.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["LEDGER_SALT"]);
    let route = |change: Value| {
        let mut route = routes()[0].clone();
        for (name, value) in change.as_object().unwrap() {
            route[name] = value.clone();
        }
        errors(&bound(json!([route])))
    };
    let says = |found: Vec<(String, String)>, what: &str| {
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, "ROUTES[0].session_delay_secs");
        assert!(found[0].1.contains(what), "{found:?}");
    };
    says(route(json!({"session_delay_secs": 899})), "from 900 to 2592000");
    says(route(json!({"session_delay_secs": 2_592_001})), "from 900 to 2592000");
    says(route(json!({"protocols": ["mpp"]})), "x402");
    says(route(json!({"asset_transfer_method": "permit2"})), "EIP-3009");
    assert_eq!(route(json!({"session_delay_secs": 900, "settle": "before"})), []);
    // A payer may withdraw while the origin works.
    let slow = |secs: u64| {
        route(
            json!({"session_delay_secs": 900, "origin_timeout_secs": secs, "max_timeout_secs": 900}),
        )
    };
    assert_eq!(slow(300), []);
    let late = slow(301);
    assert_eq!((late.len(), late[0].0.as_str()), (1, "ROUTES[0].origin_timeout_secs"));
    assert!(late[0].1.contains("at most 300"), "{late:?}");
}
