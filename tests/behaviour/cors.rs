//! What pages of other sites may send. Spec: docs/configuration.md, "Pages of other sites".

use farebox_core::gate::cors::AnswerReader;
use farebox_core::http::RequestHead;
use serde_json::json;

use crate::world::{With, World, get, request, vars};

const PAGE: &str = "https://app.example.com";

fn world() -> World {
    World::with(vars(json!([
        {"path": "/own", "methods": ["POST"], "price": "$0.01", "cors": {"headers": ["X-Api-Version", "X-Tenant"]}},
        {"path": "/own", "methods": ["GET"], "price": "$0.02"},
        {"path": "/mine", "price": "$0.01", "cors": {"origins": [PAGE]}},
        {"path": "/free", "price": "free"},
    ])))
}

fn preflight(path: &str, method: &str) -> RequestHead {
    request("OPTIONS", path).header("origin", PAGE).header("access-control-request-method", method)
}

fn allowed(head: RequestHead) -> Vec<String> {
    let answer = world().send(head);
    assert_eq!(answer.status, 204);
    let names = answer.headers.get("access-control-allow-headers").unwrap();
    names.split(", ").map(str::to_owned).collect()
}

#[test]
fn a_page_may_send_the_headers_that_the_route_of_its_method_lists_and_those_of_a_payment() {
    let posted = allowed(preflight("/own", "POST"));
    for name in ["PAYMENT-SIGNATURE", "Idempotency-Key", "X-Api-Version", "X-Tenant"] {
        assert!(posted.iter().any(|allowed| allowed == name), "{name} of {posted:?}");
    }
    let elsewhere = allowed(preflight("/mine", "GET"));
    assert_eq!(posted.len(), elsewhere.len() + 2);
    assert_eq!(allowed(preflight("/own", "GET")), elsewhere);
    assert_eq!(allowed(preflight("/own", "DELETE")), elsewhere);
    assert_eq!(allowed(request("OPTIONS", "/own")), elsewhere);
    assert_eq!(world().origin.calls.len(), 0);
}

//
#[test]
fn only_a_page_that_the_route_names_may_send_credentials() {
    let world = world();
    let from = |path: &str, page: &str| get(path).header("origin", page);
    assert_eq!(world.gate.reader(&from("/mine", PAGE)), AnswerReader::Trusted(PAGE));
    assert_eq!(world.gate.reader(&preflight("/mine", "GET")), AnswerReader::Trusted(PAGE));
    for (case, head) in [
        ("no page", get("/mine")),
        ("another page", from("/mine", "https://app.example.com.evil.example")),
        ("in another case", from("/mine", "https://APP.example.com")),
        ("over http", from("/mine", "http://app.example.com")),
        ("a sandboxed page", from("/mine", "null")),
    ] {
        assert_eq!(world.gate.reader(&head), AnswerReader::Stranger, "{case}");
    }
    for (case, head) in [
        ("another route", from("/own", PAGE)),
        ("a free route", from("/free", PAGE)),
        ("no route", from("/elsewhere", PAGE)),
        ("a question about no method", request("OPTIONS", "/mine").header("origin", PAGE)),
        ("a question about another method", preflight("/own", "GET")),
    ] {
        assert_eq!(world.gate.reader(&head), AnswerReader::Any, "{case}");
    }
}
