//! What the gate sold, and what of it reaches a seller.

use farebox_core::encoding::hex;
use farebox_core::hash::mac;
use farebox_core::http::RequestHead;
use farebox_core::secret::path_shown;
use farebox_core::skills::message::{Answer, Command, Errand, Labels, Sale};
use farebox_core::skills::row::ReplyWorth;
use serde_json::{Value, json};

use super::world::{
    ORIGIN_SECRET, Told, URL, World, gated, invocation, market_of, owner, plain, sale, vars,
};

fn sold(world: &mut World, sale: Sale) -> Answer {
    world.send(Command::Sold(Box::new(sale)))
}

fn refused(answer: Answer) -> u32 {
    match answer {
        Answer::Reply(response) => Told::of(response).status,
        other => panic!("not refused: {other:?}"),
    }
}

/// A request that was paid, and signed with this secret.
pub fn head(secret: &str, secs: u64) -> RequestHead {
    let lines = [
        secs.to_string(),
        "POST".into(),
        "/s/echo?a=1".into(),
        String::new(),
        "rcpt".into(),
        "250000".into(),
        String::new(),
        String::new(),
        String::new(),
    ];
    let digest = hex::encode(&mac(secret.as_bytes(), &[lines.join("\n").as_bytes()]));
    let text = format!(
        "POST\n{URL}/s/echo?a=1\n\nfarebox-payment: rcpt\nfarebox-amount: 250000\nfarebox-signature-v2: t={secs},v2={digest}\n"
    );
    RequestHead::from_text(&text).unwrap()
}

#[test]
pub fn only_what_the_gate_has_signed_is_served() {
    let world = World::new();
    let secs = world.now / 1000;
    let told = world.market.read_sale(&head(ORIGIN_SECRET, secs), world.now).unwrap();
    assert_eq!((told.path.as_str(), told.query.as_str()), ("/s/echo", "a=1"));
    let forged = head("another secret of thirty-two bytes", secs);
    assert_eq!(world.market.read_sale(&forged, world.now).unwrap_err().status, 403);
}

#[test]
pub fn the_gate_s_signature_ends() {
    let world = World::new();
    let old = head(ORIGIN_SECRET, world.now / 1000 - 301);
    assert_eq!(world.market.read_sale(&old, world.now).unwrap_err().status, 403);
}

#[test]
pub fn what_was_paid_at_the_listed_price_is_forwarded_signed() {
    let mut world = World::new();
    world.publish(&gated());
    let Answer::Forward(forward) = sold(&mut world, sale("250000")) else { panic!("refused") };
    assert_eq!(forward.url, "https://seller.example.com/echo?a=1");
    let has = |name: &str| forward.headers.iter().any(|(known, _)| known == name);
    assert!(has("farebox-signature-v2") && has("farebox-payment") && has("farebox-skill"));
}

#[test]
pub fn another_price_buys_nothing() {
    let mut world = World::new();
    world.publish(&gated());
    assert_eq!(refused(sold(&mut world, sale("249999"))), 409);
    let other = Sale { asset: owner(3), ..sale("250000") };
    assert_eq!(refused(sold(&mut world, other)), 409);
}

#[test]
pub fn a_price_that_was_replaced_buys_for_five_minutes() {
    let mut world = World::new();
    world.publish(&gated());
    let mut next = gated();
    (next["version"], next["price"]) = ("2.0.0".into(), "$1".into());
    let body = world.signed(1, "version", "echo", &next).to_string();
    world.reply(Command::Revise(Labels::default(), "echo".into(), body));
    world.now += 299_000;
    assert!(matches!(sold(&mut world, sale("250000")), Answer::Forward(_)));
    world.now += 2_000;
    assert_eq!(refused(sold(&mut world, sale("250000"))), 409);
    assert!(matches!(sold(&mut world, sale("1000000")), Answer::Forward(_)));
}

#[test]
pub fn a_skill_that_was_deactivated_is_sold_no_more_but_for_what_was_settled() {
    let mut world = World::new();
    world.publish(&gated());
    let body = world.signed(1, "deactivate", "echo", &json!({})).to_string();
    world.reply(Command::Deactivate(Labels::default(), "echo".into(), body));
    assert_eq!(refused(sold(&mut world, sale("250000"))), 410);
    let settled = Sale { transaction: "0x1".into(), ..sale("250000") };
    assert!(matches!(sold(&mut world, settled), Answer::Forward(_)));
}

fn pack(world: &mut World) -> (u32, String) {
    let sale = Sale { path: "/packs/echo/starter".into(), ..sale("5000000") };
    let told = match sold(world, sale) {
        Answer::Reply(response) => Told::of(response),
        other => panic!("{other:?}"),
    };
    (told.status, told.body["pack"]["key"].as_str().unwrap_or_default().to_owned())
}

fn shop() -> World {
    let mut world = World::new();
    let mut body = gated();
    body["packs"] = json!({"starter": "$5.00"});
    world.publish(&body);
    world
}

#[test]
pub fn a_payment_makes_one_pack_however_often_it_is_told() {
    let mut world = shop();
    let first = pack(&mut world);
    assert_eq!(first.0, 201);
    world.now += 1;
    let row = world.rows.packs.values().next().unwrap().clone();
    assert_eq!(pack(&mut world), first);
    assert_eq!(world.rows.packs.values().collect::<Vec<_>>(), [&row]);
}

//
#[test]
pub fn a_payment_that_has_made_a_pack_gives_no_other_one() {
    let mut world = shop();
    let first = pack(&mut world);
    for path in ["/packs/echo/growth", "/packs/other/starter"] {
        let other = Sale { path: path.into(), ..sale("5000000") };
        assert_eq!(refused(sold(&mut world, other)), 409, "{path}");
    }
    assert_eq!((pack(&mut world), world.rows.packs.len()), (first, 1));
}

#[test]
pub fn a_pack_of_a_skill_that_was_deactivated_is_not_sold() {
    let mut world = shop();
    for skill in world.rows.skills.values_mut() {
        skill.active = false;
    }
    assert_eq!(pack(&mut world).0, 410);
    assert!(world.rows.packs.is_empty());
}

/// Takes the skill back, as its owner does.
fn taken_back(world: &mut World) {
    let body = world.signed(1, "deactivate", "echo", &json!({})).to_string();
    let told = world.reply(Command::Deactivate(Labels::default(), "echo".into(), body));
    assert_eq!(told.status, 200, "{told:?}");
}

/// Invokes the skill with a pack, and has the seller answer.
fn prepaid(world: &mut World, key: &str, payload: &str) -> (u32, String) {
    let mut asked = invocation("", payload);
    (asked.pack, asked.caller) = (Some(key.to_owned()), None);
    match world.send(Command::Invoke(Box::new(asked))) {
        Answer::Errand(Errand::Call(call)) => {
            let Answer::Reply(told) = world.called(&call, plain(200, "{}")) else {
                panic!("not told")
            };
            (told.status, call.url)
        }
        Answer::Reply(told) => (told.status, told.body),
        other => panic!("{other:?}"),
    }
}

//
#[test]
pub fn a_pack_and_a_fee_are_paid_in_the_usual_token_of_each_network() {
    // USDC is the first token of the one; the other has it, but another one comes first.
    const USDC_OF_BASE: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
    const USDC_OF_X_LAYER: &str = "0xB6CEceAB302E2E4948951eE7843FC24E92933061";
    const USDT0_OF_X_LAYER: &str = "0x779Ded0c9e1022225f8E0630b35a9b54bE713736";
    const PAID: [(&str, &str, [u32; 2]); 4] = [
        ("eip155:8453", USDC_OF_BASE, [200, 201]),
        ("eip155:196", USDT0_OF_X_LAYER, [200, 201]),
        // No 402 of the gate asks for these.
        ("eip155:196", USDC_OF_X_LAYER, [409, 409]),
        ("eip155:8453", USDT0_OF_X_LAYER, [409, 409]),
    ];
    for networks in [["eip155:8453", "eip155:196"], ["eip155:196", "eip155:8453"]] {
        let mut vars = vars();
        vars.as_object_mut().unwrap().remove("TEST_NETWORKS_ONLY");
        (vars["NETWORK"], vars["PAY_TO"]) = (json!(networks), owner(5).into());
        vars["LISTING_FEE"] = "$1.00".into();
        let mut world = World::of(&vars);
        let mut body = gated();
        (body["packs"], body["asset"]) = (json!({"starter": "$5.00"}), "USDC".into());
        for (number, (network, asset, answers)) in PAID.into_iter().enumerate() {
            let id = format!("echo-{number}");
            body["skillId"] = id.as_str().into();
            assert_eq!(world.publish(&body).status, 201);
            let paid = |path: &str, amount: &str| Sale {
                path: path.into(),
                payment: path.into(),
                network: network.into(),
                asset: asset.into(),
                transaction: "0x1".into(),
                ..sale(amount)
            };
            let fee = paid(&format!("/fees/{id}"), "1000000");
            let pack = paid(&format!("/packs/{id}/starter"), "5000000");
            let told = [fee, pack].map(|sale| refused(sold(&mut world, sale)));
            assert_eq!(told, answers, "{networks:?}: {asset} on {network}");
        }
    }
}

//
#[test]
pub fn a_fee_that_was_asked_before_it_changed_lists_its_skill() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let paid = |amount: &str| Sale {
        path: "/fees/echo".into(),
        payment: amount.into(),
        transaction: "0x1".into(),
        ..sale(amount)
    };
    for (name, value) in [
        ("LISTING_FEE", Some("$2.00")),
        ("LISTING_FEE", Some("$0.50")),
        ("LISTING_FEE", None),
        ("NETWORK", Some("eip155:421614")),
    ] {
        let mut world = World::of(&vars);
        assert_eq!(world.publish(&gated()).status, 201);
        let mut changed = vars.clone();
        changed.as_object_mut().unwrap().remove(name);
        if let Some(value) = value {
            changed[name] = value.into();
        }
        world.market = market_of(&changed);
        // Neither what it was nor what it is.
        assert_eq!(refused(sold(&mut world, paid("1500000"))), 409, "{name}: {value:?}");
        assert_eq!(refused(sold(&mut world, paid("1000000"))), 200, "{name}: {value:?}");
        assert!(!world.rows.skills["echo"].owes);
    }
    // One that is published now is told the fee of now.
    let mut world = World::of(&vars);
    vars["LISTING_FEE"] = "$2.00".into();
    world.market = market_of(&vars);
    assert_eq!(world.publish(&gated()).status, 201);
    assert_eq!(refused(sold(&mut world, paid("1000000"))), 409);
    assert_eq!(refused(sold(&mut world, paid("2000000"))), 200);
}

//
#[test]
fn a_former_fee_lists_a_skill_that_was_published_after_it_changed() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let mut world = World::of(&vars);
    assert_eq!(world.publish(&gated()).status, 201);
    // A version of before has noted no fee.
    world.rows.table.fee = None;
    let mut renewed = |world: &mut World, fee: &str| {
        vars["LISTING_FEE"] = fee.into();
        world.market = market_of(&vars);
        let changes = world.market.renew(&world.rows, world.now).unwrap();
        world.rows.write(changes);
        assert_eq!(world.market.renew(&world.rows, world.now).unwrap(), []);
    };
    renewed(&mut world, "$1.00");
    renewed(&mut world, "$2.00");
    let mut body = gated();
    let mut listed = |world: &mut World, id: &str, amount: &str| {
        body["skillId"] = id.into();
        if !world.rows.skills.contains_key(id) {
            assert_eq!(world.publish(&body).status, 201, "{id}");
        }
        let (path, payment) = (format!("/fees/{id}"), format!("{id} {amount}"));
        let sale = Sale { path, payment, transaction: "0x1".into(), ..sale(amount) };
        refused(sold(world, sale))
    };
    assert_eq!(listed(&mut world, "late", "1500000"), 409);
    assert_eq!(listed(&mut world, "late", "1000000"), 200);
    assert!(!world.rows.skills["late"].owes);
    // Other changes of the table leave it.
    assert_eq!(listed(&mut world, "later", "1000000"), 200);
    assert_eq!(listed(&mut world, "latest", "2000000"), 200);
    renewed(&mut world, "$3.00");
    assert_eq!(listed(&mut world, "last", "1000000"), 409);
    assert_eq!(listed(&mut world, "last", "2000000"), 200);
}

//
#[test]
pub fn a_pack_that_was_settled_is_given_though_its_skill_was_taken_back() {
    let mut world = shop();
    taken_back(&mut world);
    let bought = |world: &mut World, payment: &str, transaction: &str| {
        let sale = Sale {
            path: "/packs/echo/starter".into(),
            payment: payment.into(),
            transaction: transaction.into(),
            ..sale("5000000")
        };
        refused(sold(world, sale))
    };
    world.now += 299_000;
    assert_eq!(bought(&mut world, "rcpt-1", ""), 410);
    assert_eq!(bought(&mut world, "rcpt-1", "0x1"), 201);
    assert_eq!(world.rows.packs.len(), 1);
    world.now += 2_000;
    assert_eq!(bought(&mut world, "rcpt-1", "0x1"), 201);
    assert_eq!(world.rows.packs.len(), 1);
}

//
#[test]
pub fn what_was_settled_at_an_earlier_price_is_served_however_late() {
    let mut world = shop();
    for (version, price, pack) in [("2.0.0", "$1", "$9.00"), ("0.9.0", "$0.75", "$7.00")] {
        let mut next = gated();
        (next["version"], next["price"]) = (version.into(), price.into());
        next["packs"] = json!({ "starter": pack });
        let body = world.signed(1, "version", "echo", &next).to_string();
        let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
        assert_eq!(told.status, 201, "{told:?}");
    }
    let status = |world: &mut World, path: &str, amount: &str, transaction: &str| {
        let (path, transaction) = (path.into(), transaction.into());
        let sale = Sale { path, transaction, payment: amount.into(), ..sale(amount) };
        match sold(world, sale) {
            Answer::Forward(_) => 200,
            answer => refused(answer),
        }
    };
    world.now += 30 * 86_400_000;
    let (call, pack) = ("/s/echo", "/packs/echo/starter");
    for gone in [409, 410] {
        assert_eq!(status(&mut world, call, "250000", "0x1"), 200, "it was paid");
        assert_eq!(status(&mut world, pack, "5000000", "0x1"), 201, "it was paid");
        assert_eq!(status(&mut world, call, "250000", ""), gone, "nothing was paid yet");
        // These were the prices of no version that was sold.
        for never in ["750000", "333333"] {
            assert_eq!(status(&mut world, call, never, "0x1"), 409);
        }
        assert_eq!(status(&mut world, pack, "7000000", "0x1"), 409);
        if gone == 409 {
            taken_back(&mut world);
            world.now += 86_400_000;
        }
    }
}

//
#[test]
pub fn what_was_settled_is_served_by_the_version_that_takes_it() {
    let of = |method: &str, query: &str| Sale {
        method: method.into(),
        query: query.into(),
        transaction: "0x1".into(),
        ..sale("250000")
    };
    let url = |path: &str| format!("https://seller.example.com/{path}");
    for (member, value, now, then) in [
        ("method", "GET".into(), (of("GET", "a=1"), "new?a=1"), of("POST", "a=1")),
        ("callUrl", url("new?v=2"), (of("POST", ""), "new?v=2"), of("POST", "a=1")),
    ] {
        let mut world = World::new();
        let mut body = gated();
        body["settle"] = "before".into();
        assert_eq!(world.publish(&body).status, 201);
        (body["version"], body["settle"]) = ("1.1.0".into(), "after".into());
        body["callUrl"] = url("new").into();
        body[member] = value.into();
        let signed = world.signed(1, "version", "echo", &body).to_string();
        let told = world.reply(Command::Revise(Labels::default(), "echo".into(), signed));
        assert_eq!(told.status, 201, "{told:?}");
        world.now += 30 * 86_400_000;
        for (sale, path) in [now, (then, "echo?a=1")] {
            let Answer::Forward(forward) = sold(&mut world, sale) else { panic!("{member}") };
            assert_eq!(forward.url, url(path), "{member}");
        }
        assert_eq!(refused(sold(&mut world, of("PUT", "a=1"))), 405, "{member}");
    }
}

//
#[test]
pub fn a_payload_that_its_seller_does_not_get_uses_nothing() {
    let mut world = World::new();
    let mut body = gated();
    (body["method"], body["packs"]) = ("GET".into(), json!({"starter": "$5.00"}));
    assert_eq!(world.publish(&body).status, 201);
    let (_, key) = pack(&mut world);
    for pack in [None, Some(key)] {
        let mut asked = invocation("", "a");
        asked.pack = pack;
        let told = world.reply(Command::Invoke(Box::new(asked.clone())));
        let error = "A skill of method GET takes no payload: send none, or buy it with a wallet";
        assert_eq!(told.error(), (400, error));
        assert!(world.rows.invocations.is_empty());
        assert_eq!(world.rows.packs.values().next().unwrap().used, 0);
        for payload in [json!({}), Value::Null] {
            asked.body = json!({"agentId": "buyer", "payload": payload}).to_string();
            let Answer::Errand(Errand::Call(call)) =
                world.send(Command::Invoke(Box::new(asked.clone())))
            else {
                panic!("{payload}")
            };
            assert_eq!((call.method.as_str(), call.body), ("GET", None));
        }
        world.rows.invocations.clear();
    }
}

//
#[test]
pub fn what_answers_a_payment_again_is_asked_again() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let mut world = World::of(&vars);
    let mut body = gated();
    body["packs"] = json!({"starter": "$5.00"});
    assert_eq!(world.publish(&body).status, 201);
    let fee = Sale { path: "/fees/echo".into(), payment: "fee".into(), ..sale("1000000") };
    assert_eq!(refused(sold(&mut world, fee)), 200);
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    let routes: Vec<Value> = serde_json::from_str(&draft.text_without(&[])).unwrap();
    let is_told_again = |path: &str| {
        let route = routes.iter().find(|route| route["path"] == path).unwrap();
        (route["settle"] == "before", route["idempotent"] == true)
    };
    for path in ["/packs/echo/starter", "/fees/*"] {
        assert_eq!(is_told_again(path), (true, true), "{path}");
    }
    assert_eq!(is_told_again("/s/echo"), (false, false), "its seller may not know");
}

//
#[test]
pub fn a_pack_gives_its_calls_after_its_skill_was_taken_back() {
    let mut world = shop();
    let (_, key) = pack(&mut world);
    taken_back(&mut world);
    world.now += 86_400_000;
    let told = prepaid(&mut world, &key, "a");
    assert_eq!(told, (200, "https://seller.example.com/echo".into()));
    let shown = world.reply(Command::Pack(key)).body["pack"].clone();
    assert_eq!((&shown["status"], &shown["remaining"]), (&json!("active"), &json!(99)));
    // Who has no pack finds no skill.
    let told = world.send(Command::Invoke(Box::new(invocation("", "b"))));
    assert_eq!(refused(told), 404);
}

//
#[test]
pub fn a_pack_of_a_skill_that_was_forgotten_calls_no_other_one() {
    for (number, is_back) in [(2, false), (1, false), (1, true)] {
        let mut world = shop();
        let (_, key) = pack(&mut world);
        assert_eq!(prepaid(&mut world, &key, "a").0, 200);
        taken_back(&mut world);
        if is_back {
            // Its owner publishes it again after it made room, as it was.
            world.rows.skills.get_mut("echo").unwrap().made_room = true;
        } else {
            world.rows.skills.clear();
            world.rows.versions.clear();
            assert_eq!(prepaid(&mut world, &key, "b").0, 404);
            assert_eq!(world.reply(Command::Pack(key.clone())).status, 404);
        }
        world.now += 1_000;
        let mut body = gated();
        body["packs"] = json!({"starter": "$5.00"});
        body["payTo"] = owner(number).into();
        let body = world.signed(number, "publish", "", &body).to_string();
        assert_eq!(world.reply(Command::Publish(Labels::default(), body)).status, 201);
        let (status, shown) = (prepaid(&mut world, &key, "c").0, world.reply(Command::Pack(key)));
        assert_eq!((status, shown.status), if is_back { (200, 200) } else { (403, 404) });
        let used = world.rows.packs.values().next().unwrap().used;
        assert_eq!(used, if is_back { 2 } else { 1 }, "{number} {is_back}");
    }
}

//
#[test]
fn an_answer_is_worth_what_a_call_of_its_pack_costs() {
    for (plan, price, units, worth) in [
        ("starter", "$0.10", "100000", ReplyWorth::PackCall),
        ("starter", "$0.099999", "99999", ReplyWorth::Nothing),
        ("pro", "$0.01", "10000", ReplyWorth::Nothing),
        ("pro", "$10.00", "10000000", ReplyWorth::PackCall),
    ] {
        let mut world = World::new();
        let mut body = gated();
        body["packs"] = json!({ plan: price });
        world.publish(&body);
        let (path, transaction) = (format!("/packs/echo/{plan}"), "0x1".to_owned());
        let sale = Sale { path, transaction, ..sale(units) };
        let Answer::Reply(told) = sold(&mut world, sale) else { panic!("{plan}") };
        let key = Told::of(told).body["pack"]["key"].as_str().unwrap().to_owned();
        assert_eq!(prepaid(&mut world, &key, "a").0, 200);
        let kept: Vec<_> = world.rows.replies.values().map(|row| row.worth).collect();
        assert_eq!(kept, [worth], "{plan} {price}");
    }
}

//
#[test]
pub fn a_secret_is_that_of_one_skill() {
    let mut world = World::new();
    let mut secret = |id: &str| {
        let mut body = gated();
        body["skillId"] = id.into();
        body["payTo"] = owner(1).into();
        let body = world.signed(1, "publish", "", &body).to_string();
        let told = world.reply(Command::Publish(Labels::default(), body));
        told.body["secret"].as_str().unwrap().to_owned()
    };
    let [one, two] = ["one", "two"].map(&mut secret);
    assert_ne!(one, two, "on one server");
    // What comes back anew knows no secret of before.
    world.rows.skills.clear();
    world.rows.versions.clear();
    world.now += 1_000;
    let mut body = gated();
    body["skillId"] = "one".into();
    body["payTo"] = owner(1).into();
    let body = world.signed(1, "publish", "", &body).to_string();
    let told = world.reply(Command::Publish(Labels::default(), body));
    assert_ne!(told.body["secret"], one);
}

#[test]
pub fn a_pack_gives_its_calls_of_the_version_that_the_gate_sold_last() {
    let mut world = shop();
    let (_, key) = pack(&mut world);
    for (version, charges) in [("2.0.0", "gate"), ("3.0.0", "seller")] {
        let mut next = gated();
        (next["version"], next["charges"]) = (version.into(), charges.into());
        next["callUrl"] = format!("https://seller.example.com/{version}").into();
        world.now += 1_000;
        let body = world.signed(1, "version", "echo", &next).to_string();
        let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
        assert_eq!(told.status, 201, "{told:?}");
    }
    let told = prepaid(&mut world, &key, "a");
    assert_eq!(told, (200, "https://seller.example.com/2.0.0".into()));
    assert_eq!(world.rows.packs.values().next().unwrap().used, 1);
}

//
#[test]
pub fn a_pack_costs_at_least_the_smallest_payment_for_each_call() {
    let mut world = World::new();
    for (plan, cheap, least) in [
        ("starter", "$0.000099", "$0.0001"),
        ("growth", "$0.000999", "$0.001"),
        ("pro", "$0.009999", "$0.01"),
    ] {
        let mut body = gated();
        body["skillId"] = plan.into();
        body["packs"] = json!({ plan: cheap });
        let error = "packs must cost at least $0.000001 for each call";
        assert_eq!(world.publish(&body).error(), (400, error));
        body["packs"] = json!({ plan: least });
        assert_eq!(world.publish(&body).status, 201);
    }
}

//
#[test]
pub fn a_pack_is_for_its_skill_alone() {
    let mut world = shop();
    let (_, key) = pack(&mut world);
    let mut other = gated();
    other["skillId"] = "other".into();
    world.publish(&other);
    let asked = |key: &str| {
        let mut asked = invocation("", "a");
        asked.skill = "other".into();
        (asked.pack, asked.caller) = (Some(key.to_owned()), None);
        Command::Invoke(Box::new(asked))
    };
    assert_eq!(refused(world.send(asked(&key))), 403);
    assert_eq!(world.rows.packs.values().next().unwrap().used, 0);
}

#[test]
pub fn a_buyer_adds_nothing_to_a_query_of_the_seller() {
    let mut world = World::new();
    let mut body = gated();
    body["callUrl"] = "https://seller.example/echo?tier=basic".into();
    world.publish(&body);
    let Answer::Reply(refused) = sold(&mut world, sale("250000")) else { panic!("forwarded") };
    assert_eq!(refused.status, 400);
    let bare = Sale { query: String::new(), ..sale("250000") };
    let Answer::Forward(forward) = sold(&mut world, bare) else { panic!("not forwarded") };
    assert_eq!(forward.url, "https://seller.example/echo?tier=basic");
}

#[test]
pub fn a_pack_gives_as_many_calls_as_were_paid() {
    let mut world = shop();
    let (_, key) = pack(&mut world);
    for row in world.rows.packs.values_mut() {
        row.used = 98;
    }
    let mut left = Vec::new();
    for payload in ["a", "b", "c"] {
        let mut asked = invocation("", payload);
        (asked.pack, asked.caller) = (Some(key.clone()), None);
        match world.send(Command::Invoke(Box::new(asked))) {
            Answer::Errand(Errand::Call(call)) => {
                let told = world.called(&call, plain(200, "{}"));
                assert!(matches!(told, Answer::Reply(response) if response.status == 200));
            }
            Answer::Reply(response) => left.push(Told::of(response).body["status"].clone()),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left, ["exhausted"]);
    assert_eq!(world.rows.packs.values().next().unwrap().used, 100);
}

#[test]
pub fn a_pack_has_a_day_of_grace_after_its_cycle() {
    let mut world = shop();
    let (_, key) = pack(&mut world);
    let status = |days: u64| {
        let mut world = World { rows: world.rows.clone(), ..World::new() };
        world.now += days * 86_400_000;
        world.reply(Command::Pack(key.clone())).body["pack"]["status"].clone()
    };
    assert_eq!([status(29), status(30), status(31)], ["active", "grace", "paused"]);
}

#[test]
pub fn a_key_of_a_pack_ends_after_the_pack() {
    let mut world = shop();
    let (_, pack) = pack(&mut world);
    let call = |world: &mut World| {
        let mut asked = invocation("key", "a");
        (asked.pack, asked.caller) = (Some(pack.clone()), None);
        world.send(Command::Invoke(Box::new(asked)))
    };
    let Answer::Errand(Errand::Call(first)) = call(&mut world) else { panic!("not called") };
    let Answer::Reply(failed) = world.called(&first, plain(500, "{}")) else { panic!("no reply") };
    assert_eq!(failed.status, 500);
    let used = |world: &World| world.rows.packs.values().next().unwrap().used;
    // As long as the pack gives calls, its key uses one.
    world.now += 31 * 86_400_000 - 1;
    world.rows.replies.clear();
    assert_eq!((refused(call(&mut world)), used(&world)), (410, 1));
    // Then it is worth nothing, and goes.
    world.now += 2;
    world.publish(&gated());
    let mut other = gated();
    other["skillId"] = "other".into();
    assert_eq!(world.publish(&other).status, 201);
    assert_eq!(world.rows.keys.len(), 0);
    assert_eq!((refused(call(&mut world)), used(&world)), (402, 1));
}

//
#[test]
pub fn a_path_is_logged_without_the_tokens_in_it() {
    for (path, shown) in [
        ("/api/marketplace/packs/fbp_a1_02?x=fbp_b", "/api/marketplace/packs/fbp_[redacted]"),
        ("/api/marketplace/packs/%66bp%5Fa1_02", "/api/marketplace/packs/fbp_[redacted]"),
        ("/x/key=fbk_1/y", "/x/fbk_[redacted]/y"),
        ("/till/qdj_1", "/till/qdj_[redacted]"),
        ("/eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "/[redacted]"),
        ("/skills/rain_report/SKILL.md", "/skills/rain_report/SKILL.md"),
        ("/%zz/", "/%zz/"),
    ] {
        assert_eq!(path_shown(path), shown);
    }
    let long = format!("/{}/fbp_{}", "x".repeat(250), "1".repeat(64));
    assert_eq!(path_shown(&long), format!("/{}/fbp_", "x".repeat(250)));
}
