//! What a route says of itself: how it is asked, and what its terms carry.

use serde_json::{Value, json};

use super::{openapi, world};
use crate::world::{With, World, decoded, get, request, vars};

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

//
#[test]
pub fn what_no_reader_takes_spoils_no_document_of_others() {
    let sound = json!({"type": "object", "properties": {"a": {
        "type": ["string", "null"], "enum": ["x", null], "minLength": 1, "pattern": "^x",
        "anyOf": [true, {"items": {"multipleOf": 0.5}}], "x-more": 1, "nullable": true,
    }}, "required": ["a"], "additionalProperties": false});
    let schema =
        |schema: Value| json!({"body": "json", "input": {"a": "x"}, "input_schema": schema});
    let property = |it: Value| schema(json!({"type": "object", "properties": {"a": it}}));
    let example = |output: Value| json!({"body": "json", "output": output});
    let fine = [schema(sound.clone()), example(json!({"type": 5, "required": "a", "ref": "#/x"}))];
    let spoiling = [
        schema(json!({"type": 5, "properties": "x"})),
        property(json!({"$ref": "#/nowhere"})),
        schema(json!({"$ref": "#/paths"})),
        schema(json!({"$defs": {"a": {}}})),
        schema(json!({"definitions": {"a": {}}})),
        example(json!({"$ref": "https://evil.example/x"})),
        example(json!([{"$id": "#a"}])),
        property(json!({"type": "text"})),
        property(json!({"type": []})),
        property(json!({"type": ["string", "string"]})),
        property(json!({"required": ["a", "a"]})),
        property(json!({"required": true})),
        property(json!({"enum": "a"})),
        property(json!({"items": [{}]})),
        property(json!({"allOf": []})),
        property(json!({"not": 1})),
        property(json!({"minLength": -1})),
        property(json!({"minimum": "1"})),
        property(json!({"multipleOf": 0})),
        property(json!({"uniqueItems": 1})),
        property(json!({"description": {}})),
        property(json!({"dependentRequired": {"a": "b"}})),
        property(json!({"discriminator": 5})),
        property(json!("x")),
    ];
    let all = fine.iter().map(|it| (it, true)).chain(spoiling.iter().map(|it| (it, false)));
    for (described, is_told) in all {
        let route = |path: &str, described: &Value| json!({"path": path, "price": "$0.01", "methods": ["POST"], "bazaar": described});
        let document = openapi(json!([route("/one", described), route("/other", &fine[0])]));
        let body = |path: &str| document["paths"][path]["post"]["requestBody"]["content"].clone();
        assert_eq!(body("/other")["application/json"]["schema"], sound);
        assert_eq!(body("/one").get("application/json").is_some(), is_told, "{described}");
        assert!(document["paths"]["/one"]["post"]["x-payment-info"].is_object());
        assert!(bazaar(route("/one", described), "POST", "/one").is_object(), "its own 402 has it");
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
    let all = "bazaar+diagnostic+offer-receipt+payment-identifier";
    let fewer = "bazaar+offer-receipt+payment-identifier";
    assert_eq!(seen, [all, fewer, "offer-receipt+payment-identifier"]);
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
