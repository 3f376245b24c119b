//! What each document lists: paths, methods, parameters, prices and who sells.

use farebox_core::encoding::base64;
use serde_json::{Value, json};

use super::{
    ALL, LLMS, OPENAPI, WELL_KNOWN, document, openapi, operations, publishing, set, text, world,
};
use crate::world::{HOST, PAY_TO, World, vars};

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
        plain.ask(LLMS).names("/a` (x402, mpp): Line one - \\`GET /fake\\`: free\n"),
        "a text stays on its line, and is no code"
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

#[test]
fn a_challenge_names_the_seller_as_registries_list_it() {
    let routes = json!([{"path": "/a", "price": "$0.01"}]);
    let resource = |world: &mut World| {
        let answer = world.ask("/a");
        let value = answer.headers.get("payment-required").unwrap().to_owned();
        let terms: Value = serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap();
        terms["resource"].clone()
    };
    let bare = resource(&mut publishing(routes.clone()));
    let members = bare.as_object().unwrap().keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(members, ["description", "mimeType", "url"]);
    let icon = "https://cdn.shop.example/icon.png";
    let service = |name: &str| {
        let subjects = ["weather", "données", "forecasts", "a", "b", "c", "d"];
        json!({"SERVICE": {"name": name, "categories": subjects, "icon": icon}})
    };
    let named = resource(&mut world(routes.clone(), service("Reports")));
    assert_eq!(named["serviceName"], "Reports");
    assert_eq!(named["tags"], json!(["weather", "forecasts", "a", "b", "c"]));
    assert_eq!(named["iconUrl"], icon);
    // Stock clients refuse the whole challenge for a name that they do not take.
    for name in ["Données", "a name that is longer than thirty-two"] {
        let other = resource(&mut world(routes.clone(), service(name)));
        assert_eq!(other.get("serviceName"), None, "{name}");
        assert_eq!(other["iconUrl"], icon);
    }
}
