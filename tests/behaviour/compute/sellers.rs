//! Sellers: rows of the contract about registration, sessions and heartbeats.

use farebox_core::compute::body::profile_of;
use farebox_core::compute::message::{Answer, Command, Identity};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::{Profile, ProfileSettings, SettingsError};
use farebox_core::compute::{Gateway, message::SellerRequest};
use serde_json::{Value, json};

use super::world::{World, payment, session, settings, wallet};

#[test]
pub fn a_price_is_a_positive_number_that_the_token_can_express() {
    let mut world = World::new();
    for price in [
        json!(0),
        json!("0"),
        json!(-1),
        json!("1e-3"),
        json!("0x10"),
        json!("Infinity"),
        json!("0.0000001"),
        json!(null),
        json!(""),
        json!([1]),
    ] {
        let told = world.register(1, json!({"price_per_task": price}));
        assert_eq!(told.code(), (400, "INVALID_REQUEST"), "{price}");
        assert_eq!(told.text("error"), "price_per_task must be a positive number.");
    }
    let told = world.register(1, json!({"price_per_task": "0.005"}));
    let seller = wallet(1);
    let body = format!(
        r#"{{"status":"registered","seller_id":"{seller}","network_profile":"live-testnet"}}"#
    );
    assert_eq!((told.status, told.raw), (200, body));
    assert_eq!(world.register(2, json!({"price_per_task": 0.25})).status, 200);
    assert_eq!(world.rows.sellers[&wallet(2)].units, "250000");
    assert!(world.events().is_empty(), "nothing is proven");
    world.open(1);
    assert_eq!(world.events(), ["SELLER_REGISTERED"]);
}

#[test]
pub fn the_contract_s_sentences_name_what_is_wrong() {
    let mut set = settings(HoldKind::Escrow, Profile::LiveMainnet);
    set.network = farebox_core::chain::ChainId::parse("eip155:8453").unwrap();
    let mut world = World::set(set);
    let mut said = |body: &str| {
        let request = SellerRequest { authorization: String::new(), body: body.to_owned() };
        let told = world.told(Command::Register { client: "10.0.0.1".into(), request });
        (told.status, told.text("code"), told.text("error"))
    };
    let invalid = |error: &str| (400, "INVALID_REQUEST".to_owned(), error.to_owned());
    assert_eq!(said("{").1, "INVALID_JSON");
    assert_eq!(said("[]"), invalid("seller_id must be a non-empty string."));
    assert_eq!(said(r#"{"seller_id":" "}"#), invalid("seller_id must be a non-empty string."));
    let profile = "network_profile must be one of demo-testnet, live-testnet, live-mainnet.";
    assert_eq!(said(r#"{"network_profile":"x"}"#), invalid(profile));
    let with = |name: &str| {
        let mut body = json!({"seller_id": wallet(1), "capability": "llm", "price_per_task": 1});
        body[name] = wallet(2).into();
        body.to_string()
    };
    assert_eq!(said(&with("wallet")), invalid("wallet must match seller_id."));
    let payer = "passport_payer_addr must match seller_id.";
    assert_eq!(said(&with("passport_payer_addr")), invalid(payer));
}

#[test]
pub fn a_seller_is_offline_until_a_heartbeat_with_its_session() {
    let mut world = World::new();
    world.register(1, json!({}));
    let told = world.beat(1);
    assert_eq!(told.code(), (403, "SELLER_SESSION_INVALID"));
    assert_eq!(told.text("error"), "Gateway seller session bearer token is required.");
    assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 503);
    assert_eq!(world.open(1).status, 200);
    assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 503);
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 402);
    assert_eq!(world.beat(1).text("seller_status"), "reserved");
    assert_eq!(world.beat(2).code(), (403, "SELLER_SESSION_INVALID"), "it is not registered");
}

// A-611
#[test]
pub fn an_hour_has_twenty_events_of_a_seller_whatever_it_says() {
    let mut world = World::with_seller();
    for _ in 0..50 {
        let leaves = Command::Offline(world.request(1, &json!({})));
        assert_eq!(world.told(leaves).status, 200);
        assert_eq!(world.beat(1).text("seller_status"), "idle");
    }
    assert_eq!(world.events().len(), 20);
    assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 402, "it is here");
    world.now += 3_600_000;
    assert_eq!(world.open(1).status, 200);
    assert_eq!(world.beat(1).status, 200);
    assert_eq!(world.events().last().map(String::as_str), Some("SELLER_ONLINE"));
}

#[test]
pub fn a_session_has_the_contract_s_members_and_ends_after_fifteen_minutes() {
    let mut world = World::new();
    world.register(1, json!({}));
    let told = world.open(1);
    assert_eq!(told.text("auth_method"), "passport_rs256");
    assert_eq!(
        (&told.body["token_type"], &told.body["expires_in_seconds"]),
        (&"Bearer".into(), &900.into())
    );
    assert_eq!(told.text("expires_at"), "2025-11-20T06:15:00Z");
    world.now += 899_999;
    assert_eq!(world.beat(1).status, 200);
    world.now += 1;
    assert_eq!(world.beat(1).code(), (403, "SELLER_SESSION_INVALID"));
}

#[test]
pub fn a_session_of_another_seller_or_profile_or_hand_is_refused() {
    let mut world = World::new();
    for number in [1, 2] {
        world.register(number, json!({}));
        assert_eq!(world.open(number).status, 200);
    }
    let foreign = world.sessions[&2].clone();
    let own = world.sessions.insert(1, foreign).unwrap();
    assert_eq!(world.beat(1).code(), (403, "SELLER_SESSION_INVALID"));
    let (signed, _) = own.rsplit_once('.').unwrap();
    world.sessions.insert(1, format!("{signed}.AAAA"));
    assert_eq!(world.beat(1).code(), (403, "SELLER_SESSION_INVALID"));
    let mut other = World::set(settings(HoldKind::Escrow, Profile::DemoTestnet));
    other.register(1, json!({}));
    other.open(1);
    other.sessions.insert(1, own);
    assert_eq!(other.beat(1).code(), (403, "SELLER_SESSION_INVALID"));
}

// A-198
#[test]
pub fn who_has_no_session_does_not_learn_whether_a_seller_exists() {
    let mut world = World::with_seller();
    let calls: [fn(SellerRequest) -> Command; 3] =
        [Command::Heartbeat, Command::Offline, Command::SellerJobs];
    for token in ["", "Bearer e30.e30.e30"] {
        let [known, unknown] = [1, 2].map(|number| {
            let body = world.request(number, &json!({})).body;
            let request = SellerRequest { authorization: token.to_owned(), body };
            calls.map(|call| world.told(call(request.clone())).raw)
        });
        assert_eq!(known, unknown, "{token}");
    }
}

#[test]
pub fn an_identity_opens_the_session_of_its_own_seller() {
    let mut world = World::new();
    world.register(1, json!({"passport_agent_id": "agent-1"}));
    let request =
        |world: &World, agent: &str| world.request(1, &json!({"passport_agent_id": agent}));
    let asked = request(&world, "agent-1");
    let told = world.told(session(asked.clone(), None));
    assert_eq!(told.code(), (403, "PASSPORT_AUTH_REQUIRED"));
    let mut with = |request: SellerRequest, claims: serde_json::Value| {
        let identity = Identity { subject: "sub-1".into(), claims: claims.to_string() };
        world.told(session(request, Some(identity))).code().0
    };
    assert_eq!(
        with(asked.clone(), json!({"agent_id": "agent-1", "walletAddress": wallet(2)})),
        403
    );
    assert_eq!(
        with(asked.clone(), json!({"agent_id": "agent-2", "walletAddress": wallet(1)})),
        403
    );
    let upper = wallet(1).to_uppercase().replace("0X", "0x");
    let right = json!({"agent": {"id": "agent-1"}, "payer": {"address": upper}});
    assert_eq!(with(asked, right), 200);
    let other = request(&world, "agent-2");
    let claims = json!({"agent_id": "agent-2", "walletAddress": wallet(1)});
    let identity = Identity { subject: "sub-2".into(), claims: claims.to_string() };
    let told = world.told(session(other, Some(identity)));
    assert_eq!(told.code(), (403, "SELLER_PASSPORT_MISMATCH"));
}

#[test]
pub fn each_claim_that_the_document_names_says_who_sells_or_for_which_wallet() {
    let names = |claim: &str| -> Vec<String> {
        let begins = format!("| `{claim}` | the ");
        let document = include_str!("../../../docs/exchange.md");
        let row = document.lines().find(|line| line.starts_with(&begins)).unwrap();
        let plain = row.split(", and `").next().unwrap();
        plain.split('`').skip(1).step_by(2).map(ToString::to_string).collect()
    };
    let (agents, wallets) = (names("agent_id"), names("wallet_address"));
    assert_eq!((agents.len(), wallets.len()), (4, 10));
    let mut world = World::new();
    world.register(1, json!({"passport_agent_id": "agent-1"}));
    for (agent, payer) in agents.iter().flat_map(|agent| wallets.iter().map(move |it| (agent, it)))
    {
        let claims = json!({agent: "agent-1", payer: wallet(1)}).to_string();
        let request = world.request(1, &json!({"passport_agent_id": "agent-1"}));
        let identity = Identity { subject: "sub-1".into(), claims };
        assert_eq!(world.told(session(request, Some(identity))).code().0, 200, "{agent}, {payer}");
    }
}

#[test]
pub fn a_bound_seller_is_changed_by_its_session_alone_and_an_unbound_one_never_works() {
    let mut world = World::with_seller();
    let session = world.sessions.remove(&1).unwrap();
    let told = world.register(1, json!({"price_per_task": "9"}));
    assert_eq!(told.code(), (403, "SELLER_SESSION_INVALID"));
    assert_eq!(world.rows.sellers[&wallet(1)].units, "5000");
    world.sessions.insert(1, session);
    assert_eq!(world.register(1, json!({"price_per_task": "9"})).status, 200);
    assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 503, "offline until a heartbeat");
}

#[test]
pub fn a_seller_has_one_row_in_whatever_letters_it_is_named() {
    let mut world = World::with_seller();
    let upper = wallet(1).to_uppercase().replace("0X", "0x");
    let request = world.request(1, &json!({"seller_id": upper}));
    let told = world.told(Command::Heartbeat(request));
    assert_eq!((told.status, told.text("seller_id")), (200, wallet(1)));
    assert_eq!(world.rows.sellers.len(), 1);
}

#[test]
pub fn a_seller_that_is_silent_for_a_minute_gets_no_work() {
    for (silent_ms, status) in [(60_000, 402), (60_001, 503)] {
        let mut world = World::with_seller();
        world.now += silent_ms;
        assert_eq!(world.ask("10.0.0.1", 9, "hello").status, status, "{silent_ms}");
    }
}

#[test]
pub fn a_seller_that_went_gets_no_work_and_keeps_its_job() {
    let mut world = World::with_seller();
    let job = world.running();
    let told = world.told(Command::Offline(world.request(1, &json!({}))));
    assert_eq!((told.status, told.text("status")), (200, "offline".to_owned()));
    assert_eq!(world.ask("10.0.0.1", 8, "more").status, 503);
    let released = world.complete(1, &job);
    let told = super::world::Told::of(world.carry(released));
    assert_eq!((told.status, told.text("status")), (200, "done".to_owned()));
}

#[test]
pub fn capabilities_have_counts_and_least_prices_and_name_no_seller() {
    let mut world = World::new();
    world.seller(1, "0.005");
    world.seller(2, "0.004");
    world.register(3, json!({"capability": "art", "price_per_task": 1}));
    world.open(3);
    world.beat(3);
    let told = world.told(Command::Capabilities);
    let expected = concat!(
        r#"{"network_profile":"live-testnet","network":"eip155:84532","currency":"USDC","#,
        r#""updated_at":"2025-11-20T06:00:00Z","capabilities":["#,
        r#"{"capability":"art","available_count":1,"min_price":"1","currency":"USDC"},"#,
        r#"{"capability":"llm","available_count":2,"min_price":"0.004","currency":"USDC"}]}"#
    );
    assert_eq!((told.status, told.raw.as_str()), (200, expected));
    world.ask("10.0.0.1", 9, "hello");
    let told = world.told(Command::Capabilities);
    assert_eq!(told.body["capabilities"][1]["min_price"], "0.005");
    let mut demo = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    let told = demo.told(Command::Capabilities);
    assert_eq!(told.code(), (400, "BUYER_CAPABILITIES_PROFILE_UNSUPPORTED"));
}

// A-681
#[test]
fn the_list_of_capabilities_counts_the_seats_of_all_sellers_at_once() {
    let mut world = World::new();
    for seller in 1..20 {
        world.seller(seller, "0.005");
    }
    world.ask("10.0.0.1", 99, "hello");
    let before = world.rows.counted.get();
    let told = world.told(Command::Capabilities);
    assert_eq!(told.body["capabilities"][0]["available_count"], 18);
    assert_eq!(world.rows.counted.get(), before, "a read for each seller");
}

#[test]
pub fn a_body_names_its_profile() {
    let of = |body: &str| profile_of(body, Profile::LiveMainnet).ok();
    assert_eq!(of("{}"), Some(Profile::LiveMainnet));
    assert_eq!(of(r#"{"demo_payment_mode":"demo-direct-escrow"}"#), Some(Profile::DemoTestnet));
    assert_eq!(of(r#"{"demo_payment_mode":"other"}"#), Some(Profile::LiveMainnet));
    let nested = r#"{"fingerprint":"x","payload":{"network_profile":"live-testnet"}}"#;
    assert_eq!(of(nested), Some(Profile::LiveTestnet));
    assert_eq!(of(r#"{"network_profile":"kite"}"#), None);
    assert_eq!(profile_of("{}", Profile::LiveTestnet), Ok(Profile::LiveTestnet));
    // Whoever names none is served, and hears what is wrong in its fields.
    let mut world = World::with_seller();
    let order = json!({"buyer_id": wallet(9), "capability": "llm", "prompt": "hello"});
    let mut asked = |body: Value| {
        let client = "10.0.0.1".to_owned();
        world.told(Command::Quote { client, body: body.to_string() })
    };
    let quote = asked(order.clone());
    assert_eq!((quote.status, quote.text("network_profile")), (402, "live-testnet".into()));
    let unnamed = asked(json!({"buyer_id": wallet(9)}));
    assert_eq!(unnamed.text("error"), "capability must be a non-empty string.");
    let (payment, fingerprint) = (payment(9), quote.text("fingerprint"));
    let body = json!({"fingerprint": fingerprint, "payload": order}).to_string();
    assert!(matches!(world.send(Command::Verify { payment, body }), Answer::Till(_)));
}

#[test]
pub fn settings_that_would_lose_money_are_refused() {
    let why = |change: &dyn Fn(&mut farebox_core::compute::settings::ProfileSettings)| {
        let mut set = settings(HoldKind::Escrow, Profile::LiveTestnet);
        change(&mut set);
        Gateway::new(set).unwrap_err()
    };
    assert_eq!(why(&|set| set.asset = "DAI".into()), SettingsError::Asset);
    assert_eq!(why(&|set| set.profile = Profile::LiveMainnet), SettingsError::Network);
    assert_eq!(
        why(&|set| set.secret = farebox_core::secret::Secret::new("short".into())),
        SettingsError::Secret
    );
    assert_eq!(
        why(&|set| set.escrow = farebox_core::evm::address::Address::ZERO),
        SettingsError::Escrow
    );
}

/// The price that a buyer is asked for.
fn asked_price(world: &mut World) -> String {
    world.ask("10.0.0.1", 9, "hello").text("amount")
}

// A-259
#[test]
pub fn what_a_stranger_registers_is_not_sold_in_the_name_of_who_proves_the_wallet() {
    let cheap = json!({"capability": "llm", "price_per_task": "0.001", "capacity": 100});
    for is_first in [true, false] {
        let mut world = World::new();
        let stranger = |world: &mut World| {
            let told = world.register_from("10.6.6.6", 1, &cheap);
            assert_eq!(told.text("status"), "registered", "it is told no more than anyone");
        };
        if is_first {
            stranger(&mut world);
        }
        world.register(1, json!({"price_per_task": "1"}));
        if !is_first {
            stranger(&mut world);
        }
        // Without a word of its own, it sells nothing until it says what.
        let told = world.open(1);
        assert_eq!((told.status, told.body.get("price_per_task")), (200, None));
        assert_eq!(world.beat(1).code(), (409, "SELLER_REGISTRATION_STALE"));
        assert_eq!(world.ask("10.0.0.1", 9, "hello").status, 503);
        assert_eq!(world.register(1, json!({"price_per_task": "1"})).status, 200);
        assert_eq!(world.beat(1).text("seller_status"), "idle");
        assert_eq!(asked_price(&mut world), "1");
    }
}

#[test]
pub fn what_is_said_with_the_proof_is_sold_whatever_was_registered() {
    let mut world = World::new();
    world.register(1, json!({"price_per_task": "0.001", "capacity": 100}));
    let bad = world.open_with(1, json!({"capability": "llm", "price_per_task": "0"}));
    assert_eq!(bad.code(), (400, "INVALID_REQUEST"));
    let half = world.open_with(1, json!({"price_per_task": "1"}));
    assert_eq!(half.text("error"), "capability must be a non-empty string.");
    assert!(!world.rows.sellers[&wallet(1)].is_bound());
    let own = json!({"capability": "llm", "price_per_task": "1.0", "capacity": 2});
    let told = world.open_with(1, own);
    let said = (told.text("capability"), told.text("price_per_task"), &told.body["capacity"]);
    assert_eq!(said, ("llm".into(), "1".into(), &2.into()));
    // A later session without a word keeps it.
    assert_eq!(world.open(1).text("price_per_task"), "1");
    world.beat(1);
    assert_eq!(asked_price(&mut world), "1");
    assert_eq!(world.rows.sellers[&wallet(1)].capacity, 2);
}

#[test]
pub fn a_client_registers_twenty_sellers_in_an_hour_that_prove_nothing() {
    let mut world = World::new();
    for number in 1..=20 {
        assert_eq!(world.register(number, json!({})).status, 200, "{number}");
    }
    let told = world.register(21, json!({}));
    assert_eq!(told.code(), (429, "SELLER_REGISTRATION_LIMIT_REACHED"));
    assert_eq!(world.register(20, json!({})).status, 200, "it is known");
    let body = json!({"capability": "llm", "price_per_task": 1});
    assert_eq!(world.register_from("10.0.0.2", 22, &body).status, 200);
    assert!(world.events().is_empty() && world.rows.tally.sellers == 0, "nothing is told of them");
    assert_eq!(world.open(1).status, 200);
    assert_eq!((world.events().len(), world.rows.tally.sellers), (1, 1));
    assert_eq!(world.register(21, json!({})).status, 200, "one of them was proven");
    world.now += 3_600_001;
    assert_eq!(world.register(23, json!({})).status, 200);
}

#[test]
pub fn a_price_that_the_till_does_not_take_is_not_registered() {
    let mut world = World::new();
    for (price, status) in [("100", 200), ("100.000001", 400), ("99999999999999999999", 400)] {
        let told = world.register(1, json!({"price_per_task": price}));
        assert_eq!(told.status, status, "{price}");
    }
    let told = world.register(2, json!({"price_per_task": "101"}));
    assert_eq!(told.text("error"), "price_per_task must be at most 100.");
}

// A-263
#[test]
pub fn a_price_that_does_not_pay_for_its_job_is_not_taken() {
    for (hold, least, less) in [
        (HoldKind::Escrow, "0.001", Some("0.000999")),
        (HoldKind::Contract, "0.005", Some("0.004999")),
        (HoldKind::Completion, "0.000001", None),
        (HoldKind::Mock, "0.000001", None),
    ] {
        let mut world = World::of(hold);
        assert_eq!(world.register(1, json!({"price_per_task": least})).status, 200, "{hold:?}");
        let Some(less) = less else { continue };
        let told = world.register(2, json!({"price_per_task": less}));
        assert_eq!((told.status, told.text("code")), (400, "INVALID_REQUEST".into()));
        assert_eq!(told.text("error"), format!("price_per_task must be at least {least}."));
    }
    let mut world = World::with_seller();
    let told = world.beat(1);
    assert_eq!(told.status, 200);
    world.rows.sellers.get_mut(&wallet(1)).unwrap().units = "999".into();
    let told = world.beat(1);
    assert_eq!(told.status, 400, "it was registered when other prices were taken");
    assert_eq!(told.text("error"), "price_per_task must be at least 0.001.");
}

#[test]
fn a_least_price_is_an_amount_below_the_most() {
    let of = |hold, least: Option<&str>| {
        let set = settings(hold, Profile::LiveTestnet);
        Gateway::new(ProfileSettings { min_price: least.map(Into::into), ..set })
    };
    for (hold, least) in [(HoldKind::Escrow, Some("much")), (HoldKind::Mock, Some("100.000001"))] {
        assert_eq!(of(hold, least).unwrap_err(), SettingsError::MinPrice);
    }
    for least in [None, Some("0")] {
        assert!(of(HoldKind::Contract, least).is_ok(), "an operator may pay for gas");
    }
}

#[test]
pub fn a_seller_that_says_the_same_again_is_no_news() {
    let mut world = World::with_seller();
    let before = world.events().len();
    assert_eq!(world.register(1, json!({})).status, 200);
    assert_eq!(world.told(Command::Offline(world.request(1, &json!({})))).status, 200);
    assert_eq!(world.told(Command::Offline(world.request(1, &json!({})))).status, 200);
    assert_eq!(world.events().len(), before);
}
