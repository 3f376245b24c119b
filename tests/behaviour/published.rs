//! What the gate publishes about what it sells. Spec: docs/published.md.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::world::origin::Say;
use crate::world::{Response, With, World, get, request, routes, vars};

pub mod described;
mod operations;
mod terms;

const OPENAPI: &str = "/openapi.json";
const LLMS: &str = "/llms.txt";
const WELL_KNOWN: &str = "/.well-known/x402";
const ALL: [&str; 3] = [OPENAPI, LLMS, WELL_KNOWN];
const ASSET: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const MISSING: Say = Say::Whole("404\ncontent-type: text/plain\nset-cookie: a=1", "nothing here");

/// A world with these routes, and these variables beside them.
fn world(routes: Value, others: Value) -> World {
    let mut vars = vars(routes);
    for (name, value) in others.as_object().unwrap() {
        vars[name] = value.clone();
    }
    World::with(vars)
}

/// A world that publishes everything without asking the origin.
fn publishing(routes: Value) -> World {
    world(routes, json!({"PUBLISH": ["openapi", "llms", "x402"]}))
}

fn text(response: &Response) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

/// The document at this path of a gate with these routes.
fn document(routes: Value, path: &str) -> Response {
    let response = publishing(routes).ask(path);
    assert_eq!(response.status, 200, "{path}");
    response
}

fn openapi(routes: Value) -> Value {
    document(routes, OPENAPI).json()
}

/// `GET /path` for each operation of an OpenAPI document.
fn operations(openapi: &Value) -> BTreeSet<String> {
    let paths = openapi["paths"].as_object().unwrap();
    let methods = paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .keys()
            .map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    methods.collect()
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_document_stands_in_the_place_of_what_the_origin_does_not_have() {
    for path in ALL {
        let mut world = World::new();
        world.origin.plan.push_back(MISSING);
        let ours = world.ask(path);
        assert_eq!(ours.status, 200, "{path}");
        assert_eq!(world.origin.calls.len(), 1, "{path}");
        assert_eq!(ours.headers.get("set-cookie"), None, "nothing of the origin's is left");
        assert_eq!(ours.headers.get("cache-control"), Some("max-age=300"));
        assert_eq!(ours.headers.get("access-control-allow-origin"), Some("*"));
        assert!(ours.names("/items/{id}"), "{path}");
        let kind = if path == LLMS { "text/plain; charset=utf-8" } else { "application/json" };
        assert_eq!(ours.headers.get("content-type"), Some(kind));
    }
}

#[test]
fn what_the_origin_has_there_stays_its_own_whatever_it_is() {
    for path in ALL {
        let theirs = [
            (Say::Whole("200\ncontent-type: text/html", "<html>"), 200),
            (Say::Whole("302\nlocation: /login", ""), 302),
            (Say::Whole("401", "no"), 401),
            (Say::Whole("410", "gone"), 410),
            (Say::Whole("500", "broken"), 500),
            (Say::Lost, 502),
            (Say::TimedOut, 504),
        ];
        for (say, status) in theirs {
            let mut world = World::new();
            world.origin.plan.push_back(say);
            let response = world.ask(path);
            assert_eq!(response.status, status, "{path}");
            assert!(!response.names("/items/{id}"), "{path}");
        }
    }
}

#[test]
fn listed_documents_are_answered_without_asking_the_origin() {
    let table = [("openapi", OPENAPI), ("llms", LLMS), ("x402", WELL_KNOWN)];
    for (name, path) in table {
        let mut world = world(routes(), json!({"PUBLISH": [name]}));
        assert_eq!(world.ask(path).status, 200);
        assert!(world.origin.calls.is_empty(), "{path}");
        for (_, other) in table.into_iter().filter(|(_, other)| *other != path) {
            world.origin.plan.push_back(MISSING);
            assert_eq!(world.ask(other).status, 404, "{other} is the origin's alone");
        }
    }
    let mut silent = world(routes(), json!({"PUBLISH": []}));
    for path in ALL {
        silent.origin.plan.push_back(MISSING);
        assert_eq!(silent.ask(path).status, 404);
    }
}

#[test]
fn a_route_of_exactly_this_path_wins_and_a_wider_one_does_not() {
    for path in ALL {
        let priced = json!([{"path": path, "price": "$0.01", "methods": ["GET"]}, {"path": "/*", "price": "$1"}]);
        assert_eq!(publishing(priced).ask(path).status, 402, "{path} is sold");
        let posted = json!([{"path": path, "price": "$0.01", "methods": ["POST"]}]);
        assert_eq!(publishing(posted).ask(path).status, 405, "{path} is sold to POST alone");
        let mut free =
            publishing(json!([{"path": path, "price": "free"}, {"path": "/*", "price": "$1"}]));
        free.origin.plan.push_back(Say::Whole("200", "theirs"));
        assert_eq!(text(&free.ask(path)), "theirs", "{path} is the origin's");
        for price in ["$1", "free"] {
            let wide =
                json!([{"path": "/*", "price": price}, {"path": "/items/[id]", "price": "$0.01"}]);
            let response = publishing(wide).ask(path);
            assert_eq!(response.status, 200, "{path} {price}");
            assert!(response.names("/items/{id}"));
        }
    }
}

#[test]
fn nothing_that_costs_money_or_is_denied_is_asked_of_the_origin_for_a_document() {
    let wide = json!([{"path": "/*", "price": "$1"}]);
    let posted = json!([{"path": "/*", "price": "$1", "methods": ["POST"]}]);
    let denied = json!([{"path": "/a", "price": "$1"}]);
    for (routes, others) in
        [(wide, json!({})), (posted, json!({})), (denied, json!({"DEFAULT": "deny"}))]
    {
        for path in ALL {
            let mut world = world(routes.clone(), others.clone());
            assert_eq!(world.ask(path).status, 200, "{path} {routes}");
            assert!(world.origin.calls.is_empty(), "{path} {routes}");
        }
    }
    let mut free =
        world(json!([{"path": "/*", "price": "free"}, {"path": "/a", "price": "$1"}]), json!({}));
    free.origin.plan.push_back(Say::Whole("200", "theirs"));
    assert_eq!(text(&free.ask(OPENAPI)), "theirs");
}

#[test]
fn only_reading_gets_a_document_and_a_payment_beside_it_is_left_alone() {
    for path in ALL {
        let mut world = publishing(json!([{"path": "/*", "price": "$1"}]));
        assert_eq!(world.send(request("HEAD", path)).status, 200);
        for method in ["POST", "PUT", "DELETE"] {
            assert_eq!(world.send(request(method, path)).status, 402, "{method} {path}");
        }
        assert_eq!(world.send(request("OPTIONS", path)).status, 204);
        assert_eq!(world.ask(&format!("{path}?x=1")).status, 200, "a query is no other path");
        for other in [format!("{path}/"), format!("{path}x"), path.to_uppercase()] {
            assert_ne!(world.ask(&other).status, 200, "{other}");
        }
        let payment = world.sign("/paid");
        let beside = get(path).header(payment.header, &payment.value);
        assert_eq!(world.send(beside).status, 200);
        assert!(world.facilitator.urls.is_empty());
        assert_eq!(world.present(&payment).status, 200, "the payment stays good");
    }
}

#[test]
fn a_client_that_has_the_document_is_told_so() {
    for path in ALL {
        let mut world = publishing(routes());
        let tag = world.ask(path).headers.get("etag").unwrap().to_owned();
        assert_eq!(world.ask(path).headers.get("etag"), Some(tag.as_str()));
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let response = world.send(get(path).header("if-none-match", &known));
            assert_eq!(response.status, 304, "{known}");
            assert_eq!(response.headers.get("etag"), Some(tag.as_str()));
            assert!(response.body.is_empty());
        }
        let other = tag.replace('"', "");
        for unknown in [other.as_str(), "\"\"", "W/*"] {
            assert_eq!(
                world.send(get(path).header("if-none-match", unknown)).status,
                200,
                "{unknown}"
            );
        }
        let mut dearer = publishing(json!([{"path": "/after", "price": "$0.02"}]));
        assert_ne!(dearer.ask(path).headers.get("etag"), Some(tag.as_str()));
    }
}
