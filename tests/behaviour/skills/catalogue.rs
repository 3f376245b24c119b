//! Who may publish what, and what the gate is told of it.

use farebox_core::skills::message::{Answer, Command, Labels};
use serde_json::{Value, json};

use super::world::{World, echo, gated, owner, vars};

pub fn named(agent: &str) -> Labels {
    Labels { agent: Some(agent.to_owned()), ..Labels::default() }
}

#[test]
pub fn a_skill_is_published_by_the_wallet_that_is_paid() {
    let mut world = World::new();
    let told = world.publish(&gated());
    assert_eq!(told.status, 201, "{told:?}");
    assert_eq!(told.body["skill"]["payTo"], owner(1));
    assert!(told.body["secret"].as_str().unwrap().starts_with("fbs_"));
    assert!(told.text.contains("\"priceXLM\":2.5"), "{}", told.text);
}

#[test]
pub fn the_original_s_errors_come_in_its_order_and_words() {
    let mut world = World::new();
    let mut told = |labels: Labels, body: Value| {
        let told = world.reply(Command::Publish(labels, body.to_string()));
        (told.status, told.body["error"].as_str().unwrap().to_owned())
    };
    let full =
        json!({"name": "n", "description": "d", "callUrl": "https://a.example/x", "priceXLM": 1});
    let without = |name: &str| {
        let mut body = full.clone();
        body.as_object_mut().unwrap().remove(name);
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = full.clone();
        body[name] = value;
        body
    };
    let bounds = "priceXLM must be > 0 and <= 100";
    let plain = "description must have no control characters but tabs and line ends";
    let visible = "name must be one line of visible text";
    let rows = [
        (Labels::default(), full.clone(), 401, "Agent authentication required"),
        (named("a"), without("name"), 400, "name is required"),
        (named("a"), with("name", "Word\u{202e}count".into()), 400, visible),
        (named("a"), with("name", "a\u{0}b".into()), 400, visible),
        (named("a"), with("name", "a\nb".into()), 400, visible),
        (named("a"), without("description"), 400, "description is required"),
        (named("a"), with("description", "a\u{1}b".into()), 400, plain),
        (named("a"), with("description", "a\u{85}b".into()), 400, plain),
        (named("a"), with("description", "a\tb\r\nc".into()), 400, "payTo is required"),
        (named("a"), without("callUrl"), 400, "callUrl is required"),
        (named("a"), with("callUrl", "nonsense".into()), 400, "callUrl must be a valid URL"),
        (named("a"), with("callUrl", "http://a.example/x".into()), 400, "callUrl must use HTTPS"),
        (
            named("a"),
            with("callUrl", "https://a.example/v1;touch$IFS/x;echo".into()),
            400,
            "callUrl must have %3B in the place of ;",
        ),
        (
            named("a"),
            with("callUrl", "https://a.example/$(id)".into()),
            400,
            "callUrl must have %24 in the place of $",
        ),
        (named("a"), with("priceXLM", 0.into()), 400, bounds),
        (named("a"), with("priceXLM", json!(-1)), 400, bounds),
        (named("a"), with("priceXLM", json!(100.5)), 400, bounds),
        (named("a"), without("priceXLM"), 400, "price is missing, such as \"$0.05\""),
        (named("a"), with("payTo", owner(1).into()), 401, "Agent authentication required"),
    ];
    for (labels, body, status, error) in rows {
        assert_eq!(told(labels, body.clone()), (status, error.to_owned()), "{body}");
    }
}

//
#[test]
pub fn a_skill_is_called_at_public_hosts_alone() {
    let inner = ["metadata.internal", "router.lan", "db.home.arpa", "abcdefghijklmnop.onion"];
    for host in ["10.0.0.1", "169.254.169.254", "localhost"].into_iter().chain(inner) {
        let mut body = echo();
        body["callUrl"] = format!("https://{host}/x").into();
        let told = World::new().publish(&body);
        assert_eq!(told.error(), (400, "callUrl must be a public address"), "{host}");
    }
    let refused = |url: &str| {
        let mut body = echo();
        body["callUrl"] = url.into();
        let told = World::new().publish(&body);
        (told.status, told.body["error"].as_str().unwrap_or_default().to_owned())
    };
    for host in ["foo.localhost", "localhost.", "foo.localhost.:8443"] {
        let error = "callUrl must be a public address".to_owned();
        assert_eq!(refused(&format!("https://{host}/x")), (400, error), "{host}");
    }
    for port in [22, 25, 6000, 10_080] {
        let error = "callUrl must not name a port of another protocol".to_owned();
        assert_eq!(refused(&format!("https://seller.example.com:{port}/x")), (400, error));
    }
    for own in ["market.example.com", "MARKET.example.com:8443", "market.example.com."] {
        let error = "callUrl must not be an address of the market".to_owned();
        assert_eq!(refused(&format!("https://{own}/s/echo")), (400, error), "{own}");
    }
    assert_eq!(refused("https://seller.example.com:8443/x").0, 201);
}

#[test]
pub fn the_signature_of_another_wallet_proves_nothing() {
    let mut world = World::new();
    let mut body = echo();
    body["payTo"] = owner(1).into();
    let body = world.signed(2, "publish", "", &body);
    let told = world.reply(Command::Publish(Labels::default(), body.to_string()));
    assert_eq!(told.error(), (403, "You do not own this skill"));
    assert!(world.rows.skills.is_empty());
}

#[test]
pub fn a_proof_serves_once() {
    let mut world = World::new();
    let mut body = echo();
    body.as_object_mut().unwrap().remove("skillId");
    let body = world.signed(1, "publish", "", &body).to_string();
    let first = world.reply(Command::Publish(Labels::default(), body.clone()));
    let again = world.reply(Command::Publish(Labels::default(), body));
    assert_eq!((first.status, again.status), (201, 401));
}

#[test]
pub fn a_proof_ends() {
    let mut world = World::new();
    let body = world.signed(1, "publish", "", &echo()).to_string();
    world.now += 3_600_000;
    let told = world.reply(Command::Publish(Labels::default(), body));
    assert_eq!(told.error(), (401, "Agent authentication required"));
}

#[test]
pub fn a_proof_covers_the_whole_body() {
    let mut world = World::new();
    let mut body = world.signed(1, "publish", "", &echo());
    body["description"] = "something else".into();
    let told = world.reply(Command::Publish(Labels::default(), body.to_string()));
    assert_eq!(told.error(), (403, "You do not own this skill"));
}

#[test]
pub fn an_owner_has_at_most_twenty_active_skills() {
    let mut world = World::new();
    let mut body = echo();
    for number in 0..20 {
        body["skillId"] = format!("echo-{number}").into();
        assert_eq!(world.publish(&body).status, 201);
    }
    body["skillId"] = "one-more".into();
    let told = world.publish(&body);
    assert_eq!(told.error(), (429, "Agent has reached the max of 20 active skills"));
}

#[test]
pub fn the_gate_is_told_of_each_skill_that_it_charges_for_and_of_no_other() {
    let mut world = World::new();
    world.publish(&gated());
    let mut other = echo();
    other["skillId"] = "other".into();
    world.publish(&other);
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    let routes: Value = serde_json::from_str(&draft.text_without(&[])).unwrap();
    assert_eq!(routes[0]["path"], "/api/marketplace/*");
    assert_eq!(routes[1]["path"], "/s/echo");
    assert_eq!((&routes[1]["price"], &routes[1]["pay_to"]), (&"0.25".into(), &owner(1).into()));
    assert_eq!(routes.as_array().unwrap().len(), 2);
    world.send(Command::TableWritten(draft.revision, Vec::new()));
    assert_eq!(world.draft_table(), Answer::Nothing);
}

#[test]
pub fn a_table_that_was_overtaken_is_written_again() {
    let mut world = World::new();
    world.publish(&gated());
    let Answer::Table(old) = world.draft_table() else { panic!("no table") };
    let mut other = gated();
    other["skillId"] = "other".into();
    world.publish(&other);
    world.send(Command::TableWritten(old.revision, Vec::new()));
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    assert_eq!(draft.routes.len(), 2);
    assert!(world.rows.table.due.is_some());
}

#[test]
pub fn a_skill_waits_for_the_market_s_fee_and_is_listed_once_it_is_paid() {
    let mut vars = vars();
    vars["LISTING_FEE"] = "$1.00".into();
    vars["PAY_TO"] = owner(5).into();
    let mut world = World::of(&vars);
    let told = world.publish(&gated());
    assert_eq!(told.body["skill"]["fee"]["paid"], false);
    assert_eq!(world.list("").body["skills"], json!([]));
    let mut fee = super::world::sale("1000000");
    fee.path = "/fees/echo".into();
    assert_eq!(world.reply(Command::Sold(Box::new(fee))).status, 200);
    let listed = world.list("");
    assert_eq!(listed.body["skills"][0]["fee"]["paid"], true);
}

#[test]
pub fn a_skill_whose_fee_was_not_paid_within_a_day_ends() {
    let mut vars = vars();
    vars["LISTING_FEE"] = "$1.00".into();
    vars["PAY_TO"] = owner(5).into();
    let mut world = World::of(&vars);
    let mut body = gated();
    for number in 0..20_u8 {
        body["skillId"] = format!("echo-{number}").into();
        assert_eq!(world.publish(&body).status, 201);
    }
    let mut fee = super::world::sale("1000000");
    fee.path = "/fees/echo-3".into();
    assert_eq!(world.reply(Command::Sold(Box::new(fee))).status, 200);
    let mut publish = |world: &mut World, id: &str| {
        body["payTo"] = owner(2).into();
        body["skillId"] = id.into();
        let body = world.signed(2, "publish", "", &body).to_string();
        world.reply(Command::Publish(Labels::default(), body)).status
    };
    world.now += 86_399_000;
    assert_eq!(publish(&mut world, "other-1"), 201);
    assert_eq!(world.rows.skills.len(), 21);
    world.now += 2_000;
    for (number, left) in [(2, 14), (3, 7), (4, 5)] {
        assert_eq!(publish(&mut world, &format!("other-{number}")), 201);
        assert_eq!(world.rows.skills.len(), left);
    }
    assert!(world.rows.skills.contains_key("echo-3"), "what was paid stays");
    assert_eq!(world.rows.versions.len(), 5);
    // Its former owner may still pay its fee: the id is for no other one.
    assert_eq!(publish(&mut world, "echo-4"), 409);
    let mut own = gated();
    own["skillId"] = "echo-4".into();
    assert_eq!(world.publish(&own).status, 201);
}

// A-171, I-26
#[test]
fn a_credential_is_no_label() {
    let mut world = World::new();
    for authorization in ["Bearer ghp_abcdef", "Bearer ada", "Basic YTpi"] {
        let mut body = gated();
        body.as_object_mut().unwrap().remove("agentId");
        let body = world.signed(1, "publish", "", &body);
        let labels = Labels { authorization: Some(authorization.to_owned()), ..Labels::default() };
        let told = world.reply(Command::Publish(labels, body.to_string()));
        assert_eq!(told.error(), (401, "Agent authentication required"), "{authorization}");
    }
    let mut body = gated();
    body["agentId"] = "ada".into();
    let body = world.signed(1, "publish", "", &body);
    let authorization = Some(format!("Bearer {}", "o".repeat(32)));
    let labels = Labels { agent: Some("ada".to_owned()), authorization, ..Labels::default() };
    assert_eq!(world.reply(Command::Publish(labels, body.to_string())).status, 201);
    let stored = format!("{:?}", world.rows.skills);
    assert!(stored.contains("ada") && !stored.contains("oooo"), "{stored}");
}

//
#[test]
pub fn a_query_that_is_paid_and_not_passed_on_is_asked_of_no_one() {
    let error = "callUrl must have no query where settle is before, or where input is a query";
    let (city, none) = (json!({"city": "Rome"}), json!({}));
    for (charges, settle, method, input, status) in [
        ("gate", "before", "POST", &none, 400),
        ("gate", "after", "GET", &city, 400),
        ("gate", "after", "DELETE", &city, 400),
        ("gate", "after", "GET", &none, 201),
        ("gate", "after", "POST", &city, 201),
        ("seller", "before", "GET", &city, 201),
    ] {
        for (query, status) in [("?key=1", status), ("", 201)] {
            let mut body = gated();
            body["callUrl"] = format!("https://seller.example.com/echo{query}").into();
            (body["charges"], body["settle"]) = (charges.into(), settle.into());
            (body["method"], body["input"]) = (method.into(), input.clone());
            let error = if status == 400 { error } else { "" };
            let told = World::new().publish(&body);
            assert_eq!(told.error(), (status, error), "{charges} {settle} {method} {query}");
        }
    }
}

//
#[test]
pub fn the_query_of_a_seller_s_url_is_told_to_no_one() {
    for (charges, shown) in [("gate", "/echo"), ("seller", "/echo?key=abc")] {
        let mut world = World::new();
        let mut body = gated();
        body["charges"] = charges.into();
        body["callUrl"] = "https://seller.example.com/echo?key=abc".into();
        let published = world.publish(&body);
        let (one, all) = (world.reply(Command::Show("echo".into())), world.list(""));
        let back = world.signed(1, "deactivate", "echo", &json!({})).to_string();
        let back = world.reply(Command::Deactivate(Labels::default(), "echo".into(), back));
        let gone = world.reply(Command::Show("echo".into()));
        for (told, skill) in [
            (&published, &published.body["skill"]),
            (&one, &one.body["skill"]),
            (&all, &all.body["skills"][0]),
            (&back, &back.body["skill"]),
            (&gone, &gone.body["skill"]),
        ] {
            assert_eq!(skill["callUrl"], format!("https://seller.example.com{shown}"));
            assert_eq!(told.text.contains("abc"), charges == "seller", "{told:?}");
        }
    }
}

#[test]
pub fn an_operator_takes_back_any_skill_for_a_reason() {
    let mut world = World::new();
    world.publish(&gated());
    let remove = |world: &mut World, token: &str, body: &Value| {
        let authorization = Some(format!("Bearer {token}"));
        let labels = Labels { authorization, ..Labels::default() };
        world.reply(Command::Deactivate(labels, "echo".into(), body.to_string()))
    };
    let (token, reason) = ("o".repeat(32), json!({"reason": "sells what it does not have"}));
    for token in ["o".repeat(31), "p".repeat(32), String::new()] {
        assert_eq!(remove(&mut world, &token, &reason).status, 401);
    }
    for reason in [json!({}), json!({"reason": " "}), json!({"reason": "a\nb"})] {
        assert_eq!(remove(&mut world, &token, &reason).status, 400);
    }
    assert!(world.rows.skills["echo"].active);
    let told = remove(&mut world, &token, &reason);
    assert_eq!(told.status, 200, "{told:?}");
    let logged = ("farebox-removal".to_owned(), "sells what it does not have".to_owned());
    assert!(told.headers.contains(&logged), "{told:?}");
    assert!(!world.rows.skills["echo"].active);
    assert_eq!(world.list("").body["skills"], json!([]));
    let mut next = gated();
    next["version"] = "2.0.0".into();
    let body = world.signed(1, "version", "echo", &next).to_string();
    let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
    assert_eq!(told.status, 404);
    assert_eq!(remove(&mut world, &token, &reason).status, 404);
}

#[test]
pub fn skills_are_found_by_name_agent_and_price() {
    let mut world = World::new();
    world.publish(&echo());
    let mut found = |query: &str| {
        let told = world.list(query);
        told.body["skills"].as_array().map(Vec::len)
    };
    assert_eq!(found("name=ECH"), Some(1));
    assert_eq!(found("name=nothing"), Some(0));
    assert_eq!(found("agentId=seller&maxPriceXLM=2.5"), Some(1));
    assert_eq!(found("maxPriceXLM=2.49"), Some(0));
    let told = world.list("maxPriceXLM=-1");
    assert_eq!(told.error(), (400, "maxPriceXLM must be a non-negative number"));
    let told = world.list("maxPrice=1");
    let error = "maxPrice is no parameter; known are name, agentId, maxPriceXLM";
    assert_eq!(told.error(), (400, error));
}

#[test]
pub fn a_version_and_its_price_follow_its_owner() {
    let mut world = World::new();
    world.publish(&echo());
    let mut next = echo();
    next["version"] = "1.1.0".into();
    next["price"] = "$0.5".into();
    let body = world.signed(1, "version", "echo", &next).to_string();
    let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
    assert_eq!(told.body["skill"]["version"], "1.1.0", "{told:?}");
    let stranger = world.signed(2, "deactivate", "echo", &json!({}));
    let told = world.reply(Command::Deactivate(named("x"), "echo".into(), stranger.to_string()));
    assert_eq!(told.error(), (403, "You do not own this skill"));
    let mine = world.signed(1, "deactivate", "echo", &json!({})).to_string();
    let told = world.reply(Command::Deactivate(named("x"), "echo".into(), mine));
    assert_eq!(told.body["skill"]["active"], false);
}

#[test]
pub fn a_version_that_is_older_than_the_latest_is_kept_and_buys_nothing_at_the_gate() {
    let mut world = World::new();
    world.publish(&gated());
    let mut old = gated();
    (old["version"], old["price"]) = ("0.9.0".into(), "$0.01".into());
    let body = world.signed(1, "version", "echo", &old).to_string();
    let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
    assert_eq!(told.status, 201);
    let cheap = Command::Sold(Box::new(super::world::sale("10000")));
    assert_eq!(world.reply(cheap).status, 409);
}

#[test]
pub fn a_refusal_of_an_older_table_ends_once_the_gate_takes_the_newer_version() {
    let mut world = World::new();
    world.publish(&gated());
    let Answer::Table(old) = world.draft_table() else { panic!("no table") };
    let mut other = gated();
    other["skillId"] = "other".into();
    world.publish(&other);
    let refused = Vec::from([("echo".to_owned(), "is wrong".to_owned())]);
    world.send(Command::TableWritten(old.revision, refused));
    assert_eq!(world.rows.skills["echo"].refused.as_deref(), Some("is wrong"));
    let Answer::Table(new) = world.draft_table() else { panic!("no table") };
    world.send(Command::TableWritten(new.revision, Vec::new()));
    assert_eq!(world.rows.skills["echo"].refused, None);
}
