//! What the gate publishes about what it sells. Spec: docs/protocols.md, "What is published".

use std::collections::BTreeSet;

use farebox_core::gate::Gate;
use serde_json::{Value, json};

use crate::world::origin::Say;
use crate::world::{HOST, PAY_TO, Response, With, World, decoded, get, request, routes, vars};

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

#[test]
fn every_priced_path_and_method_is_an_operation_and_nothing_else_is() {
    let routes = json!([
        {"path": "/report", "price": "$0.01", "methods": ["GET", "POST"]},
        {"path": "/all", "price": "$0.01"},
        {"path": "/head", "price": "$0.01", "methods": ["HEAD"]},
        {"path": "/odd", "price": "$0.01", "methods": ["PURGE", "PUT"]},
        {"path": "/keyed", "price": "$0.01", "methods": ["GET"], "api_keys": true},
        {"path": "/gratis", "price": "free"},
        {"path": "/twice", "price": "$0.01", "methods": ["GET"]},
        {"path": "/twice", "price": "$0.02", "methods": ["POST"]},
        {"path": "/caf%C3%A9", "price": "$0.01", "methods": ["GET"]},
    ]);
    let sold = openapi(routes.clone());
    let expected = [
        "GET /report",
        "POST /report",
        "GET /all",
        "POST /all",
        "PUT /all",
        "PATCH /all",
        "DELETE /all",
        "HEAD /head",
        "PUT /odd",
        "GET /keyed",
        "GET /twice",
        "POST /twice",
        "GET /caf%C3%A9",
    ];
    assert_eq!(operations(&sold), set(&expected));
    let amount = |method: &str| {
        sold["paths"]["/twice"][method]["x-payment-info"]["offers"][0]["amount"].clone()
    };
    assert_eq!([amount("get"), amount("post")], ["10000", "20000"]);
    let words = document(routes.clone(), LLMS);
    assert!(words.names(&format!("`PURGE,PUT {HOST}/odd`")), "a method without a name in OpenAPI");
    for path in ALL {
        assert!(!document(routes.clone(), path).names("gratis"), "{path}");
    }
}

#[test]
fn parameters_are_named_once_and_open_patterns_are_shown_where_they_decide() {
    let routes = json!([
        {"path": "/u/[id]/[id]", "price": "$0.01", "methods": ["GET"]},
        {"path": "/v/[name]", "price": "$0.01", "methods": ["GET"]},
        {"path": "/v/[other]", "price": "$0.01", "methods": ["POST"]},
        {"path": "/open/*", "price": "$0.01", "methods": ["GET"]},
        {"path": "/taken/*", "price": "$0.01", "methods": ["GET"]},
        {"path": "/taken", "price": "free"},
        {"path": "/taken/[x]", "price": "free"},
        {"path": "/deep/[a]/*", "price": "$0.01", "methods": ["GET"]},
    ]);
    let document = openapi(routes);
    let expected = [
        "GET /u/{id}/{id2}",
        "GET /v/{name}",
        "POST /v/{name}",
        "GET /open",
        "GET /open/{path}",
        "GET /taken/{path}/{path2}",
        "GET /deep/{a}",
        "GET /deep/{a}/{path}",
    ];
    assert_eq!(operations(&document), set(&expected));
    for (path, item) in document["paths"].as_object().unwrap() {
        let names: Vec<_> = path.split(['{', '}']).skip(1).step_by(2).collect();
        for operation in item.as_object().unwrap().values() {
            let declared = operation["parameters"].as_array().cloned().unwrap_or_default();
            let declared: Vec<_> = declared.iter().map(|it| it["name"].as_str().unwrap()).collect();
            assert_eq!(declared, names, "{path}");
        }
    }
    let whole = openapi(json!([{"path": "/*", "price": "$0.01", "methods": ["GET"]}]));
    assert_eq!(operations(&whole), set(&["GET /", "GET /{path}"]));
}

#[test]
fn a_price_named_per_request_is_open_in_every_document_and_its_bounds_are_told() {
    let named = |price: Value| {
        world(
            json!([{"path": "/quoted", "price": price, "methods": ["GET"]}]),
            json!({"PUBLISH": ["openapi", "llms", "x402"], "bindings": ["PRICER"]}),
        )
    };
    let mut between = named(json!({"from": "PRICER", "min": "$0.10", "max": "$1.00"}));
    let document = between.ask(OPENAPI).json();
    let info = &document["paths"]["/quoted"]["get"]["x-payment-info"];
    assert_eq!(info["offers"][0]["amount"], Value::Null);
    assert!(info["offers"][0].as_object().unwrap().contains_key("amount"));
    let price = json!({"mode": "dynamic", "currency": "USD", "min": "0.1", "max": "1"});
    assert_eq!(info["price"], price);
    assert!(between.ask(LLMS).names("0.1 to 1 USDC, set for each request"));
    let known = between.ask(WELL_KNOWN).json();
    assert_eq!(known["resources"], json!([format!("{HOST}/quoted")]));
    assert_eq!(known["items"][0].get("accepts"), None);
    let mut below = named(json!({"from": "PRICER", "max": "$1.00"}));
    let info = &below.ask(OPENAPI).json()["paths"]["/quoted"]["get"]["x-payment-info"];
    assert_eq!(info["price"]["min"], "0");
    assert!(below.ask(LLMS).names("at most 1 USDC"));
    assert!(below.priced.is_empty(), "nobody was asked for a price");
    for path in ALL {
        assert!(!between.ask(path).names("PRICER"), "{path}");
    }
}

#[test]
fn a_price_is_told_in_a_currency_only_where_the_asset_stands_for_one() {
    let mut vars = vars(json!([
        {"path": "/dollar", "price": "$0.01", "methods": ["GET"]},
        {"path": "/token", "price": "0.5", "methods": ["GET"], "asset": {"address": PAY_TO, "name": "Points", "version": "1", "decimals": 2}},
    ]));
    vars["PUBLISH"] = json!(["openapi"]);
    let document = World::with(vars).ask(OPENAPI).json();
    let info = |path: &str| document["paths"][path]["get"]["x-payment-info"].clone();
    let price = json!({"mode": "fixed", "currency": "USD", "amount": "0.01"});
    assert_eq!(info("/dollar")["price"], price);
    assert_eq!(info("/token").get("price"), None);
    assert_eq!(info("/token")["offers"][0]["amount"], "50");
}

#[test]
fn who_sells_is_said_as_the_operator_says_it() {
    let routes =
        json!([{"path": "/a", "price": "$0.01", "description": "Line one\n- `GET /fake`: free"}]);
    let mut plain = publishing(routes.clone());
    assert_eq!(plain.ask(OPENAPI).json()["info"]["title"], "shop.example");
    assert!(text(&plain.ask(LLMS)).starts_with("# shop.example\n\n> "));
    assert!(
        plain.ask(LLMS).names("/a` (x402, mpp): Line one - `GET /fake`: free\n"),
        "a text stays on its line"
    );
    let service = json!({"name": "Reports", "description": "One a day.", "homepage": "https://shop.example/about", "contact": "pay@shop.example", "categories": ["data"]});
    let mut named = world(routes, json!({"PUBLISH": ["openapi", "llms"], "SERVICE": service}));
    let document = named.ask(OPENAPI).json();
    assert_eq!(document["info"]["title"], "Reports");
    assert_eq!(document["info"]["description"], "One a day.");
    assert_eq!(document["info"]["contact"]["email"], "pay@shop.example");
    let info = json!({"categories": ["data"], "docs": {"homepage": "https://shop.example/about", "llms": LLMS}});
    assert_eq!(document["x-service-info"], info);
    assert!(text(&named.ask(LLMS)).starts_with("# Reports\n\n> One a day.\n"));
    assert!(!named.ask(LLMS).names(WELL_KNOWN), "what is not published is not named");
}

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
        let text = gate.document_text(document, base, base.split("://").nth(1).unwrap());
        serde_json::from_str::<Value>(&text).unwrap()["resources"][0].clone()
    };
    assert_eq!(write("https://a.example"), "https://a.example/after");
    assert_eq!(write("http://127.0.0.1:8787"), "http://127.0.0.1:8787/after");
}

/// The extension of the 402 for this request to a gate with this route.
fn bazaar(route: Value, method: &str, target: &str) -> Value {
    let mut world = World::with(vars(json!([route])));
    let response = world.send(request(method, target));
    assert_eq!(response.status, 402, "{method} {target}");
    response.payment_required()["extensions"]["bazaar"].clone()
}

#[test]
fn a_route_says_how_it_is_asked_to_requests_that_bring_their_input_there() {
    let table = [
        (
            json!({"input": {"q": "x"}, "output": [1]}),
            ["GET", "HEAD", "DELETE"],
            ["POST", "PUT", "PATCH"],
        ),
        (
            json!({"body": "text", "input": "x", "output": [1]}),
            ["POST", "PUT", "PATCH"],
            ["GET", "HEAD", "DELETE"],
        ),
    ];
    for (described, told, untold) in table {
        let route = json!({"path": "/find", "price": "$0.01", "bazaar": described});
        for method in told {
            let extension = bazaar(route.clone(), method, "/find?q=y");
            let input = match described.get("body") {
                None => json!({"type": "http", "method": method, "queryParams": {"q": "x"}}),
                Some(_) => {
                    json!({"type": "http", "method": method, "bodyType": "text", "body": "x"})
                }
            };
            let output = json!({"type": "json", "example": [1]});
            assert_eq!(extension["info"], json!({"input": input, "output": output}));
            let schema = &extension["schema"]["properties"];
            assert_eq!(schema["input"]["properties"]["method"]["enum"], json!([method]));
            assert_eq!(schema["output"]["properties"]["example"], json!({"type": "array"}));
            assert_eq!(extension.get("routeTemplate"), None);
        }
        for method in untold {
            assert_eq!(bazaar(route.clone(), method, "/find"), Value::Null, "{method}");
        }
    }
}

#[test]
fn a_route_with_parameters_is_one_resource_whatever_stands_in_their_place() {
    let table = [
        ("/w/[place]", "/w/oslo?x=1", json!("/w/:place"), json!({"place": "oslo"})),
        ("/[a]/x/[a]", "/1/x/2", json!("/:a/x/:a2"), json!({"a": "1", "a2": "2"})),
        ("/open/*", "/open/a", json!("/open/:path"), json!({"path": "a"})),
        ("/open/*", "/open/a/b", json!("/open/:path"), json!({})),
        ("/open/*", "/open", json!("/open/:path"), json!({})),
        ("/a@b/[x]", "/a@b/1", Value::Null, json!({"x": "1"})),
        ("/*", "/anything", Value::Null, Value::Null),
        ("/plain", "/plain", Value::Null, Value::Null),
    ];
    for (path, target, template, parameters) in table {
        let extension =
            bazaar(json!({"path": path, "price": "$0.01", "bazaar": {}}), "GET", target);
        assert_eq!(extension["routeTemplate"], template, "{path} {target}");
        assert_eq!(extension["info"]["input"]["pathParams"], parameters, "{path} {target}");
    }
}

#[test]
fn what_a_route_says_of_itself_gives_way_to_a_long_target_and_after_a_diagnosis() {
    let described = json!({"input": {"q": "x".repeat(3100)}});
    let mut world =
        World::with(vars(json!([{"path": "/find", "price": "$0.01", "bazaar": described}])));
    let required = world.ask("/find").payment_required();
    let now = world.now().secs();
    let forged = world.payer.sign_with(&required, now, |message| {
        message["payload"]["authorization"]["nonce"] = format!("0x{}", "ab".repeat(32)).into();
        message.as_object_mut().unwrap().remove("resource");
    });
    let mut seen = Vec::new();
    for bytes in (0..1900).step_by(50) {
        let target = format!("/find?{}", "x".repeat(bytes));
        let response = world.send(get(&target).header(forged.header, &forged.value));
        assert_eq!(response.status, 402, "{bytes}");
        assert!(response.headers.block_bytes() <= 8192, "{bytes}");
        let extensions = response.payment_required()["extensions"].clone();
        let names =
            extensions.as_object().map(|it| it.keys().cloned().collect::<Vec<_>>().join("+"));
        let names = names.unwrap_or_default();
        if seen.last() != Some(&names) {
            seen.push(names);
        }
    }
    let all = "bazaar+diagnostic+payment-identifier";
    assert_eq!(seen, [all, "bazaar+payment-identifier", "payment-identifier"]);
}

#[test]
fn an_identifier_is_welcome_by_x402_until_the_target_leaves_no_room_for_saying_so() {
    let networks = json!([
        "eip155:84532",
        "eip155:80002",
        "eip155:43113",
        "eip155:421614",
        "eip155:1328",
        "eip155:51",
        "eip155:2201",
        "eip155:181228",
        "eip155:11124"
    ]);
    let described = "\u{e9}".repeat(128);
    let priced = json!([{"path": "/find", "price": "$0.01", "description": described}]);
    let mut world = world(priced, json!({"NETWORK": networks}));
    let said = world.ask("/find").payment_required()["extensions"]["payment-identifier"].clone();
    assert_eq!(said["info"], json!({"required": false}));
    assert_eq!(said["schema"]["properties"]["id"]["minLength"], json!(16));
    let mut seen = Vec::new();
    for bytes in (0..4000).step_by(20) {
        let response = world.send(get(&format!("/find?{}", "x".repeat(bytes))));
        assert!(response.headers.block_bytes() <= 8192, "{bytes}");
        let names = ["announced", "silent", "too long"];
        let is_silent = response
            .headers
            .get("payment-required")
            .is_some_and(|value| decoded(value).get("extensions").is_none());
        let at = usize::from(is_silent) + 2 * usize::from(response.status == 414);
        if seen.last() != Some(&names[at]) {
            seen.push(names[at]);
        }
    }
    assert_eq!(seen, ["announced", "silent", "too long"]);
}

#[test]
fn the_terms_of_version_2_name_the_type_to_sign_and_a_payer_may_leave_that_out() {
    let mut world = World::new();
    let required = world.ask("/items/1").payment_required();
    assert_eq!(required["accepts"][0]["extra"]["primaryType"], "TransferWithAuthorization");
    let now = world.now().secs();
    let paid = world.payer.sign_with(&required, now, |message| {
        message["accepted"]["extra"].as_object_mut().unwrap().remove("primaryType");
    });
    assert_eq!(world.send(get("/items/1").header(paid.header, &paid.value)).status, 200);
}
