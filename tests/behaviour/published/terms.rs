//! The terms in each document, and what none of them tells.

use farebox_core::gate::Gate;
use serde_json::{Value, json};

use super::{ALL, ASSET, LLMS, OPENAPI, WELL_KNOWN, document, openapi};
use crate::world::{HOST, PAY_TO, Response, With, World, decoded, get, routes, vars};

/// The objects that the challenges of a 402 ask for.
fn challenged(response: &Response) -> Vec<Value> {
    let list = response.headers.get("www-authenticate").unwrap_or_default();
    let requests = list.split("request=\"").skip(1).map(|rest| rest.split('"').next().unwrap());
    requests.map(|text| decoded(&text.replace('-', "+").replace('_', "/"))).collect()
}

#[test]
fn the_terms_are_those_of_the_402_in_every_document() {
    let mut vars = vars(json!([
        {"path": "/one", "price": "$0.01", "methods": ["GET"], "network": "eip155:84532", "protocols": ["x402"]},
        {"path": "/two", "price": "$2.50", "methods": ["GET"], "settle": "before"},
        {"path": "/three", "price": "$0.03", "methods": ["GET"], "protocols": ["mpp"]},
    ]));
    vars["NETWORK"] = json!(["eip155:84532", "eip155:80002"]);
    vars["PUBLISH"] = json!(["openapi", "llms", "x402"]);
    let mut world = World::with(vars);
    let (openapi, known) = (world.ask(OPENAPI).json(), world.ask(WELL_KNOWN).json());
    let words = world.ask(LLMS);
    let table = [("/one", 1, 0, "x402"), ("/two", 2, 2, "x402, mpp"), ("/three", 0, 2, "mpp")];
    for (path, by_x402, by_mpp, protocols) in table {
        let asked = world.send(get(path).header("accept-payment", "evm/charge"));
        let accepts = match by_x402 {
            0 => Value::Null,
            _ => asked.payment_required()["accepts"].clone(),
        };
        let item = known["items"].as_array().unwrap().iter();
        let mut item = item.filter(|item| item["resource"] == format!("{HOST}{path}"));
        assert_eq!(
            item.next().map_or(Value::Null, |item| item["accepts"].clone()),
            accepts,
            "{path}"
        );
        assert!(words.names(&format!("`GET {HOST}{path}` ({protocols})\n")), "{path}");
        let info = &openapi["paths"][path]["get"]["x-payment-info"];
        let offers = |method: &str| {
            let all = info["offers"].as_array().unwrap().iter();
            all.filter(|offer| offer["method"] == method).cloned().collect::<Vec<_>>()
        };
        let accepts = accepts.as_array().cloned().unwrap_or_default();
        let challenges = challenged(&asked);
        assert_eq!((accepts.len(), challenges.len()), (by_x402, by_mpp), "{path}");
        assert_eq!((offers("x402").len(), offers("evm").len()), (by_x402, by_mpp), "{path}");
        assert_eq!(info["protocols"].as_array().unwrap().len(), protocols.split(", ").count());
        for (offer, terms) in offers("x402").iter().zip(&accepts) {
            let same = [
                ("amount", "amount"),
                ("currency", "asset"),
                ("network", "network"),
                ("recipient", "payTo"),
                ("scheme", "scheme"),
            ];
            for (ours, theirs) in same {
                assert_eq!(offer[ours], terms[theirs], "{path} {ours}");
            }
        }
        for (offer, request) in offers("evm").iter().zip(&challenges) {
            for member in ["amount", "currency", "recipient"] {
                assert_eq!(offer[member], request[member], "{path} {member}");
            }
            let details = &request["methodDetails"];
            assert_eq!(offer["network"], format!("eip155:{}", details["chainId"]));
            assert_eq!(offer["decimals"], details["decimals"]);
            assert_eq!(
                info["protocols"].as_array().unwrap().last().unwrap()["mpp"]["currency"],
                challenges[0]["currency"]
            );
        }
        for offer in info["offers"].as_array().unwrap() {
            let text = |name: &str| offer[name].as_str().unwrap();
            let line = format!(
                ": {} of `{}` on `{}` to `{}`",
                text("amount"),
                text("currency"),
                text("network"),
                text("recipient")
            );
            assert!(words.names(&line), "{path}: {line}");
        }
    }
    assert_eq!(known["resources"], json!([format!("{HOST}/one"), format!("{HOST}/two")]));
    assert!(words.names(&format!("0.01 USDC: 10000 of `{ASSET}` on `eip155:84532` to `{PAY_TO}`")));
}

#[test]
fn how_to_pay_is_said_for_the_protocols_that_are_spoken() {
    for (protocols, names, not) in [
        (json!(["x402"]), "PAYMENT-SIGNATURE", "Payment-Receipt"),
        (json!(["mpp"]), "Payment-Receipt", "PAYMENT-SIGNATURE"),
    ] {
        let words =
            document(json!([{"path": "/a", "price": "$0.01", "protocols": protocols}]), LLMS);
        assert!(words.names(names) && !words.names(not), "{protocols}");
    }
}

//
#[test]
fn no_document_names_a_secret_or_who_is_behind_the_gate() {
    let mut vars = vars(routes());
    let secrets = json!({
        "ORIGIN_SECRET": "canary-origin-secret", "OPERATOR_TOKEN": "canary-operator-token",
        "RPC_URL": "http://127.0.0.1:9002/canary-rpc", "WEBHOOK_URL": "http://127.0.0.1:9003/canary-hook",
        "WEBHOOK_SECRET": "canary-webhook-secret", "PUBLISH": ["openapi", "llms", "x402"],
        "API_KEYS": [{"name": "canary-client", "sha256": "ab".repeat(32)}],
        "DENY_PAYERS": ["0x00000000000000000000000000000000000ca4a2"],
    });
    for (name, value) in secrets.as_object().unwrap() {
        vars[name] = value.clone();
    }
    let mut world = World::with(vars);
    for path in ALL {
        let response = world.ask(path);
        for word in ["canary", "127.0.0.1", "abab", "ca4a2", "9000", "9001"] {
            assert!(!response.names(word), "{path}: {word}");
        }
    }
}

#[test]
fn a_table_without_a_price_publishes_documents_without_a_resource() {
    let document = openapi(json!([{"path": "/a", "price": "free"}]));
    assert_eq!(document["paths"], json!({}));
}

#[test]
fn a_document_is_written_for_the_host_that_was_asked() {
    let gate = Gate::from_vars(&vars(routes()).to_string()).unwrap();
    let write = |base: &str| {
        let document = farebox_core::gate::publish::Document::WellKnown;
        let text = gate.publications().write(document, base, base.split("://").nth(1).unwrap());
        serde_json::from_str::<Value>(&text).unwrap()["resources"][0].clone()
    };
    assert_eq!(write("https://a.example"), "https://a.example/after");
    assert_eq!(write("http://127.0.0.1:8787"), "http://127.0.0.1:8787/after");
}
