//! What is priced is what the origin gets: fields that do not reach it are told to nobody, and none reaches it in disguise.

use farebox_core::gate::forward::NEVER_FORWARDED;
use farebox_core::http::RequestHead;
use serde_json::json;

use crate::world::{With, World, get, paid, request};

use super::{price, says, world};

const TOLD: [&str; 7] =
    ["accept", "accept-language", "cf-ipcountry", "content-type", "origin", "range", "user-agent"];

/// Pays for exactly this request; what the pricer was told, and what the origin got.
fn bought(world: &mut World, head: &RequestHead) -> (serde_json::Value, RequestHead) {
    says(world, &[price("$0.02")]);
    let unpaid = world.send(head.clone());
    let now = world.now().secs();
    let payment = world.payer.sign(&unpaid.payment_required(), now);
    let response = world.send(head.clone().header(payment.header, &payment.value));
    assert!(response.is_delivery());
    let call = world.origin.calls.pop().unwrap();
    let told = world.priced.pop().unwrap()["headers"].clone();
    (told, RequestHead { headers: call.headers, ..head.clone() })
}

//
#[test]
pub fn what_connection_names_is_neither_priced_nor_forwarded() {
    for named in ["range", "Range", "keep-alive, RANGE ,", "accept,range"] {
        let mut world = world();
        let head = get("/quoted").header("range", "bytes=0-0").header("connection", named);
        let (told, got) = bought(&mut world, &head);
        assert_eq!((told, got.headers.get("range")), (json!({}), None), "{named}");
    }
    for name in TOLD {
        let mut world = world();
        let head = get("/quoted").header(name, "a").header("connection", name);
        let (told, got) = bought(&mut world, &head);
        assert_eq!(told.get(name).and_then(|it| it.as_str()), got.headers.get(name), "{name}");
    }
}

#[test]
fn what_is_paid_for_without_the_fields_that_connection_names_is_the_whole() {
    let mut world = World::new();
    let payment = world.sign("/before");
    let part = |head: RequestHead| head.header("range", "bytes=0-0").header("connection", "range");
    assert!(world.send(part(paid(&payment))).is_delivery());
    assert_eq!(world.origin.calls.pop().unwrap().headers.get("range"), None);
    let other = world.send(paid(&payment).header("range", "bytes=0-0"));
    assert!(!other.is_delivery(), "a part is something else");
}

#[test]
fn connection_takes_away_nothing_that_the_gate_reads() {
    for name in NEVER_FORWARDED.iter().chain(&["authorization", "x-api-key", "idempotency-key"]) {
        let mut world = World::new();
        let payment = world.sign("/after");
        let response = world.send(paid(&payment).header("connection", name));
        assert!(response.is_delivery(), "{name}");
    }
    let mut world = World::new();
    let upgrade = get("/after").header("upgrade", "websocket").header("connection", "upgrade");
    assert_eq!(world.send(upgrade).problem(), "upgrade_not_supported");
}

#[test]
pub fn connection_takes_away_nothing_that_the_platform_says_of_a_client() {
    let said = ["x-real-ip", "true-client-ip", "cdn-loop"];
    for name in said.into_iter().chain(["cf-connecting-ip", "cf-ray"]) {
        for named in [name.to_owned(), name.to_uppercase(), format!("close, {name}")] {
            let mut world = World::new();
            let payment = world.sign("/after");
            for head in [get("/free"), paid(&payment)] {
                world.send(head.header(name, "192.0.2.7").header("connection", &named));
                let call = world.origin.calls.pop().unwrap();
                assert_eq!(call.headers.get(name), Some("192.0.2.7"), "{named}");
            }
        }
    }
}

//
#[test]
pub fn no_field_stands_for_another_one_that_was_priced() {
    for name in TOLD.iter().filter(|name| name.contains('-')) {
        for twin in [name.replace('-', "_"), name.replace('-', ".")] {
            let mut world = world();
            let head = get("/quoted").header(name, "cheap").header(&twin, "dear");
            let (told, got) = bought(&mut world, &head);
            assert_eq!(told, json!({*name: "cheap"}));
            assert_eq!((got.headers.get(name), got.headers.get(&twin)), (Some("cheap"), None));
        }
    }
    let mut world = world();
    let other = get("/quoted").header("x_mine", "kept");
    assert_eq!(bought(&mut world, &other).1.headers.get("x_mine"), Some("kept"));
}

#[test]
fn on_paths_without_a_price_such_fields_go_on() {
    let mut world = World::new();
    let head = request("GET", "/free").header("user_agent", "kept").header("range", "bytes=0-0");
    world.send(head);
    let call = world.origin.calls.pop().unwrap();
    let got = (call.headers.get("user_agent"), call.headers.get("range"));
    assert_eq!(got, (Some("kept"), Some("bytes=0-0")));
}
