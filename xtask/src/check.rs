//! What the gate, the treasury or the market thinks of a configuration, as JSON.

use farebox_core::chain::ChainId;
use farebox_core::compute::vars::Profiles;
use farebox_core::config::ConfigError;
use farebox_core::gate::Gate;
use farebox_core::skills::Market;
use farebox_core::treasury::Treasury;
use serde_json::{Value, json};

/// `{"errors": [{"variable", "remedy"}], "networks": [{"id", "name", "main"}], "siblings": [{"priced", "free"}]}` for one JSON
/// object of variables.
///
/// `networks` are those of `NETWORK` that can be read, right or wrong otherwise. `siblings` are free paths that many servers
/// answer like a priced one; of a configuration with errors there are none.
pub fn judge(vars: &str) -> Value {
    let gate = Gate::from_vars(vars);
    let siblings = gate.as_ref().map(Gate::free_siblings).unwrap_or_default();
    let siblings: Vec<Value> = siblings
        .iter()
        .map(|siblings| json!({"priced": siblings.priced, "free": siblings.free}))
        .collect();
    let errors = named(&gate.err().unwrap_or_default());
    json!({"errors": errors, "networks": networks(vars), "siblings": siblings})
}

/// The same of a treasury, with the errors alone.
pub fn judge_treasury(vars: &str) -> Value {
    json!({ "errors": named(&Treasury::from_vars(vars).err().unwrap_or_default()) })
}

/// The same of a market.
pub fn judge_market(vars: &str) -> Value {
    let mut errors = Market::from_vars(vars).err().unwrap_or_default();
    let exchange = Profiles::from_vars(vars).err().unwrap_or_default();
    for error in exchange {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    json!({ "errors": named(&errors) })
}

fn named(errors: &[ConfigError]) -> Vec<Value> {
    errors.iter().map(|error| json!({"variable": error.variable, "remedy": error.remedy})).collect()
}

fn networks(vars: &str) -> Vec<Value> {
    let vars: Value = serde_json::from_str(vars).unwrap_or_default();
    let list = match vars.get("NETWORK").cloned() {
        Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Some(value) => value,
        None => Value::Null,
    };
    let names = match list {
        Value::Array(names) => names,
        one => vec![one],
    };
    let chains = names.iter().filter_map(Value::as_str).map(ChainId::parse_or_name);
    chains
        .flatten()
        .map(|chain| json!({"id": chain.as_str(), "name": chain.v1_name(), "main": chain.is_main_network()}))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named_and_networks_are_told_apart() {
        let said = judge(r#"{"NETWORK": ["base", "eip155:84532", "nowhere"]}"#);
        let named: Vec<_> =
            said["errors"].as_array().unwrap().iter().map(|error| &error["variable"]).collect();
        assert!(named.contains(&&json!("PAY_TO")), "{named:?}");
        assert_eq!(
            said["networks"],
            json!([
                {"id": "eip155:8453", "name": "base", "main": true},
                {"id": "eip155:84532", "name": "base-sepolia", "main": false},
            ])
        );
    }

    #[test]
    fn what_is_no_object_is_an_error_too() {
        for text in ["", "[]", "{", "null"] {
            assert_eq!(judge(text)["errors"][0]["variable"], "vars", "{text}");
            assert_eq!(judge_treasury(text)["errors"][0]["variable"], "vars", "{text}");
            assert_eq!(judge_market(text)["errors"][0]["variable"], "vars", "{text}");
        }
    }

    #[test]
    fn what_is_wrong_in_a_treasury_is_named() {
        let said = judge_treasury(r#"{"TREASURY_SECRET": "short"}"#);
        let named: Vec<_> =
            said["errors"].as_array().unwrap().iter().map(|error| &error["variable"]).collect();
        assert!(named.contains(&&json!("TREASURY_SECRET")), "{named:?}");
    }
}
