//! Who is served: tokens, versions, names and keys.

use farebox_core::treasury::books::Rows;
use farebox_core::treasury::message::{Answer, Caller, Command, Operation};
use serde_json::json;

use super::world::{BUYER_KEY, MERCHANT, TESTER_KEY, World, caller, keyed, request, variables};

/// The status of a decision request with this token.
fn status(world: &mut World, token: &str) -> u32 {
    match world.send(Command::Decide(caller(token), request("1").to_string())) {
        Answer::Reply(reply) => reply.status,
        Answer::Send(_)
        | Answer::Prepare(_)
        | Answer::Enquire(_)
        | Answer::Claim(_)
        | Answer::Held(_)
        | Answer::Done => 201,
    }
}

#[test]
pub fn a_bootstrap_key_is_exchanged_and_asks_for_nothing_itself() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    assert_eq!(status(&mut world, BUYER_KEY), 401);
    assert_eq!(world.reply(Command::Exchange(caller(&token))).status, 401);
    assert_eq!(status(&mut world, &token), 201);
}

#[test]
pub fn a_key_that_the_configuration_no_longer_has_is_taken_back() {
    let other = "fbk_acme_anotherkey_0123456789abcdef0123456789abcdef";
    let turned = "fbk_acme_buyerkey_fedcba9876543210fedcba9876543210";
    let with_key = |key: &str| {
        let mut changed = variables();
        changed["BUYER_KEY"] = json!(key);
        changed
    };
    let mut removed = variables();
    removed["ORGANIZATIONS"][0]["agents"].as_array_mut().unwrap().remove(0);
    for (changed, key, known) in
        [(with_key(other), other, 201), (with_key(turned), turned, 201), (removed, BUYER_KEY, 401)]
    {
        let mut world = World::new();
        let (token, others) = (world.token(BUYER_KEY), world.token(TESTER_KEY));
        let mut world = World { rows: world.rows.clone(), ..World::of(&changed) };
        world.seed();
        let mut exchanged = |key| world.reply(Command::Exchange(caller(key))).status;
        assert_eq!((exchanged(BUYER_KEY), exchanged(key)), (401, known));
        assert_eq!(status(&mut world, &token), 401);
        let body = keyed("1", "k").to_string().replace("buyer", "tester");
        let told = world.send(Command::Decide(caller(&others), body));
        assert!(matches!(told, Answer::Send(_)), "{told:?}");
        // What an operator gave stays.
        let issued =
            world.operate(Operation::IssueKey("buyer".into())).body["bootstrapKey"].clone();
        world.rows.seed = None;
        world.seed();
        assert_eq!(world.reply(Command::Exchange(caller(issued.as_str().unwrap()))).status, 201);
    }
}

// A-97
#[test]
pub fn a_token_of_another_secret_or_organization_is_none() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    let (start, _) = token.rsplit_once('_').unwrap();
    let forged = format!("{start}_{}", "a".repeat(51));
    let elsewhere = token.replacen("acme", "other", 1);
    let known = world.reply(Command::Decide(caller(&forged), request("1").to_string()));
    let unknown = world.reply(Command::Decide(caller(&elsewhere), request("1").to_string()));
    assert_eq!((known.status, &known.text), (401, &unknown.text));
    assert_eq!(known.text("code"), "unauthorized");
}

#[test]
pub fn a_runtime_token_ends() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    world.now += 3599;
    assert_eq!(status(&mut world, &token), 201);
    world.now += 1;
    assert_eq!(status(&mut world, &token), 401);
}

#[test]
pub fn a_key_that_is_taken_back_takes_its_tokens_along() {
    let mut world = World::new();
    let (token, other) = (world.token(BUYER_KEY), world.token(TESTER_KEY));
    world.operate(Operation::RevokeKey("buyerkey".into()));
    assert_eq!(status(&mut world, &token), 401);
    assert_eq!(world.reply(Command::Exchange(caller(BUYER_KEY))).status, 401);
    assert!(
        matches!(world.send(Command::Exchange(caller(TESTER_KEY))), Answer::Reply(reply) if reply.status == 201)
    );
    world.operate(Operation::RevokeTokens("tester".into()));
    assert_eq!(status(&mut world, &other), 401);
}

#[test]
pub fn an_agent_that_is_disabled_pays_nothing_until_it_is_enabled() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    world.rows.agents.get_mut("buyer").unwrap().disabled = true;
    assert_eq!(status(&mut world, &token), 401);
    world.operate(Operation::PutAgent("buyer".into()));
    assert_eq!(status(&mut world, &token), 201);
}

// A-251
#[test]
pub fn who_is_disabled_loses_its_tokens_and_keys_for_good() {
    let mut world = World::new();
    let (token, other) = (world.token(BUYER_KEY), world.token(TESTER_KEY));
    world.operate(Operation::DisableAgent("buyer".into()));
    world.operate(Operation::PutAgent("buyer".into()));
    world.rows.seed = None;
    world.seed();
    assert_eq!(status(&mut world, &token), 401);
    assert_eq!(world.reply(Command::Exchange(caller(BUYER_KEY))).status, 401);
    assert_ne!(status(&mut world, &other), 401);
    let issued = world.operate(Operation::IssueKey("buyer".into()));
    let token = world.token(issued.text("bootstrapKey"));
    assert_eq!(status(&mut world, &token), 201);
}

// A-187
#[test]
pub fn tokens_of_a_fleet_live_as_long_as_they_say_and_those_that_ended_are_deleted() {
    let mut world = World::new();
    let other = world.token(TESTER_KEY);
    let tokens: Vec<String> = (0..890)
        .map(|_| {
            world.now += 4;
            world.token(BUYER_KEY)
        })
        .collect();
    assert_ne!(status(&mut world, &other), 401);
    let refused = tokens.iter().filter(|token| status(&mut world, token) == 401).count();
    assert_eq!(refused, 0, "of 890 that are valid");
    let rows = world.rows.tokens("buyer").unwrap();
    assert!(rows.len() <= 34, "{}", rows.len());
    // What they asked for just before their end may be prepared still.
    world.now += 3_900;
    world.token(BUYER_KEY);
    assert_eq!(world.rows.tokens("buyer").unwrap().len(), 2);
}

#[test]
pub fn a_token_that_was_taken_back_is_not_told_again() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    assert_eq!(world.token(BUYER_KEY), token);
    world.operate(Operation::RevokeTokens("buyer".into()));
    let next = world.token(BUYER_KEY);
    assert_ne!(next, token);
    assert_eq!((status(&mut world, &token), status(&mut world, &next)), (401, 201));
    // Keys share nothing.
    let issued = world.operate(Operation::IssueKey("buyer".into()));
    assert_ne!(world.token(issued.text("bootstrapKey")), next);
}

#[test]
pub fn clients_outside_of_the_range_of_versions_are_not_served() {
    let mut world = World::new();
    for version in [None, Some("0.2.0"), Some("latest"), Some("")] {
        let head = Caller { version: version.map(Into::into), ..caller(BUYER_KEY) };
        let told = world.reply(Command::Exchange(head));
        assert_eq!(
            (told.status, told.text("code")),
            (400, "unsupported_sdk_version"),
            "{version:?}"
        );
        assert_eq!(told.body["supportedVersions"], json!(["0.1.0-alpha.22"]));
    }
}

#[test]
pub fn an_agent_asks_in_its_own_name_alone() {
    let mut world = World::new();
    for (place, name) in [("agent", "tester"), ("organization", "other")] {
        let mut body = request("10000");
        body["context"][place] = json!(name);
        let told = world.told(&body);
        assert_eq!(
            (told.status, told.text.as_str()),
            (404, r#"{"code":"rejected","message":"Payment decision request rejected."}"#)
        );
    }
    assert!(world.rows.decisions.is_empty());
}

#[test]
pub fn a_receipt_is_read_by_its_own_agent_alone() {
    let mut world = World::new();
    let told = world.buy(&request("10000"));
    let id = told.body["receipt"]["receiptId"].as_str().unwrap().to_owned();
    let (own, other) = (world.token(BUYER_KEY), world.token(TESTER_KEY));
    let own = world.reply(Command::LookUp(caller(&own), id.clone()));
    assert_eq!((own.status, &own.body["receipt"]), (200, &told.body["receipt"]));
    assert_eq!(world.reply(Command::LookUp(caller(&other), id)).status, 404);
}

#[test]
pub fn a_key_stands_for_one_request_of_one_agent() {
    let mut world = World::new();
    world.buy(&keyed("10000", "k"));
    let mut other = keyed("10000", "k");
    other["request"]["url"] = json!(format!("{MERCHANT}?more"));
    let told = world.told(&other);
    assert_eq!((told.status, told.text("code")), (409, "idempotency_key_conflict"));
    let mut others = keyed("10000", "k");
    others["context"]["agent"] = json!("tester");
    assert!(matches!(world.ask(TESTER_KEY, &others), Answer::Send(_)));
    assert_eq!(world.rows.attempts.len(), 2);
}

#[test]
pub fn a_body_that_is_none_is_told_what_is_wrong_and_writes_nothing() {
    let mut world = World::new();
    let mut url = request("1");
    url["request"]["url"] = json!("not a url");
    let told = world.told(&url);
    assert_eq!(told.status, 400);
    assert_eq!(
        told.body,
        json!({
            "message": "Invalid SDK payment decision request.",
            "code": "invalid_request",
            "issues": {"formErrors": [], "fieldErrors": {"request": ["Invalid url"]}},
        })
    );
    let mut hash = request("1");
    hash["request"]["bodyHash"] = json!("00");
    let mut key = request("1");
    key["idempotencyKey"] = json!("k".repeat(129));
    let mut method = request("1");
    method["request"]["method"] = json!("TRACE");
    let mut fields = request("1");
    let many = (0..129).map(|at| (format!("x-{at}"), json!(""))).collect::<serde_json::Map<_, _>>();
    fields["request"]["headers"] = json!(many);
    let mut challenge = request("1");
    challenge["challenge"]["headers"] = json!(many);
    for wrong in [hash, key, method, fields, challenge, json!({}), json!([]), json!(7)] {
        assert_eq!(world.told(&wrong).status, 400, "{wrong}");
    }
    let token = world.token(BUYER_KEY);
    let long = " ".repeat(1024 * 1024 + 1);
    assert_eq!(world.reply(Command::Decide(caller(&token), long)).status, 413);
    assert!(world.rows.decisions.is_empty());
}
