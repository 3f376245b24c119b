//! Settings of an operator: what is read asks for payment where it says so, and what is not says what to change.

use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::time::UnixTime;
use serde_json::{Map, Value, json};

use super::support::{object, text};
use crate::driver::notes::met;
use crate::driver::seeds;
use crate::world::request;

/// The shortest secret that is looked for in errors, bytes.
const MIN_SECRET: usize = 12;
const SECRETS: [&str; 3] = ["GATE_SECRET", "LEDGER_SALT", "OPERATOR_TOKEN"];

/// The variables of a gate as JSON.
pub fn gate(bytes: &[u8]) {
    let (Some(text), Some(vars)) = (text(bytes), object(bytes)) else { return };
    match Gate::from_vars(text) {
        Ok(gate) => {
            assert!(serde_json::from_str::<Value>(&gate.health(true, Vec::new())).is_ok());
            assert!(gate.origin().base().is_some() || vars.get("ORIGIN_URL").is_none());
            for route in routes(&vars) {
                priced(&gate, &route);
            }
            met(("read", routes(&vars).len().min(4)));
        }
        Err(errors) => {
            assert!(!errors.is_empty(), "refused without a word");
            let told = |errors: &[_]| format!("{errors:?}");
            assert_eq!(
                told(&errors),
                told(&Gate::from_vars(text).err().unwrap()),
                "it says the same again"
            );
            for error in errors {
                assert!(!error.variable.is_empty() && !error.remedy.is_empty(), "{error:?}");
                for name in SECRETS {
                    let secret = vars.get(name).and_then(Value::as_str).unwrap_or_default();
                    let is_said = secret.len() >= MIN_SECRET && error.to_string().contains(secret);
                    assert!(!is_said || stands_elsewhere(&vars, secret), "{name} is said: {error}");
                }
                met(&error.variable);
            }
        }
    }
}

/// Whether a secret's text stands outside of the secrets as well, so that an error may name it from there.
fn stands_elsewhere(vars: &Map<String, Value>, secret: &str) -> bool {
    vars.iter().any(|(name, value)| {
        name.contains(secret) || !SECRETS.contains(&name.as_str()) && has_text(value, secret)
    })
}

fn has_text(value: &Value, text: &str) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(text) || has_text(value, text))
        }
        Value::Array(items) => items.iter().any(|item| has_text(item, text)),
        Value::String(words) => {
            // Some variables are JSON as text, in which a text may be spelt in other ways.
            let inner = serde_json::from_str::<Value>(words);
            words.contains(text) || inner.is_ok_and(|inner| has_text(&inner, text))
        }
        Value::Number(number) => number.to_string().contains(text),
        Value::Bool(_) | Value::Null => false,
    }
}

/// The routes, as JSON or as text of JSON.
fn routes(vars: &Map<String, Value>) -> Vec<Value> {
    let routes = match vars.get("ROUTES") {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        Some(other) => other.clone(),
        None => Value::Null,
    };
    routes.as_array().cloned().unwrap_or_default()
}

/// A route with a price lets nobody pass who shows no payment.
fn priced(gate: &Gate, route: &Value) {
    let (Some(path), Some(_)) = (route["path"].as_str(), route.get("price")) else { return };
    let is_fixed = path.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'/');
    let has_free = route.get("free").is_some() || route.get("free_per_day").is_some();
    if !is_fixed || has_free || route["price"] == "free" {
        return;
    }
    let method = route["methods"][0].as_str().unwrap_or("GET");
    let (payers, mut attempts) = (PayerHistory::new(), Attempts::new());
    let state = Condition { health: SettlementHealth::Good, consecutive_failures: 0, ready: true };
    let mut around = Isolate {
        facilitators: vec![state; 8],
        payers: &payers,
        attempts: &mut attempts,
        client: None,
    };
    let now = UnixTime::from_secs(1_800_000_000);
    let admission = gate.admit(request(method, path), "correlation", &mut around, now);
    let passes = matches!(admission, Admission::Pass(..));
    assert!(!passes, "{method} {path} has a price and passes: {route}");
    met("priced");
}

/// The table of wrong settings, and worlds of other tests.
pub fn gates() -> Vec<Vec<u8>> {
    let path = format!("{}/../configuration/wrong.json", seeds::HERE);
    let table: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut all =
        vec![crate::world::World::chain_vars(), crate::world::vars(crate::world::routes())];
    for case in table["cases"].as_array().unwrap() {
        let mut vars = table["base"].clone();
        let members = [&table["secrets"], &case["set"]].into_iter().filter_map(Value::as_object);
        for (name, value) in members.flatten() {
            vars[name] = value.clone();
        }
        if case["route"].is_object() {
            vars["ROUTES"] = json!([{"path": "/good", "price": "$1"}, case["route"]]);
        }
        vars.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        all.push(vars);
    }
    all.iter().map(|vars| vars.to_string().into_bytes()).collect()
}
