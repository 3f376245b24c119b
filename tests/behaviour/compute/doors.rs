//! What the exchange reads before an object is asked: an operator's variables, identity tokens,
//! notices of the gate and its questions about prices.

use farebox_core::compute::body::profile_in;
use farebox_core::compute::identity::{Issuer, SignatureCheck, UnprovenToken, unproven};
use farebox_core::compute::message::{Answer, Command, SellerRequest};
use farebox_core::compute::notice::price_asked;
use farebox_core::compute::settings::Profile;
use farebox_core::compute::vars::Profiles;
use farebox_core::encoding::{base64, hex};
use farebox_core::hash;
use farebox_core::skills::Market;
use serde_json::{Value, json};

use crate::skills::sales::head;

use super::world::{ESCROW, NETWORK, NOON, TX, Told, USDC, World, wallet};

fn vars() -> Value {
    json!({
        "MARKET_URL": "https://gate.example.com", "EXCHANGE_URL": "https://jobs.example.com",
        "EXCHANGE_SECRET": "s".repeat(32), "ORIGIN_SECRET": "o".repeat(32),
        "PAYOUT_TOKEN": "p".repeat(32), "WEBHOOK_SECRET": "w".repeat(32),
        "RPC_URL": "https://node.example.com", "TEST_NETWORKS_ONLY": true,
        "bindings": ["EXCHANGE", "GATE", "TREASURY"],
        "EXCHANGE_PROFILES": [
            {"profile": "demo-testnet", "network": NETWORK, "hold": "mock", "bonds": wallet(66)},
            {
                "profile": "live-testnet", "network": NETWORK, "hold": "escrow", "bonds": wallet(66),
                "escrow": ESCROW, "organization": "acme", "wallet": "escrow",
            },
        ],
    })
}

fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut vars = vars();
    change(&mut vars);
    vars
}

fn wrong(vars: &Value) -> Vec<String> {
    let errors = Profiles::from_vars(&vars.to_string()).unwrap_err();
    errors.into_iter().map(|error| error.variable).collect()
}

#[test]
fn the_operator_is_who_shows_the_token_and_without_one_there_is_none() {
    let token = "t".repeat(32);
    let profiles = |vars: &Value| Profiles::from_vars(&vars.to_string()).unwrap().unwrap();
    let open = profiles(&with(|vars| vars["OPERATOR_TOKEN"] = json!(token)));
    assert!(open.is_operator(&format!("Bearer {token}")));
    for wrong in ["", "Bearer ", "Bearer t", &token, &format!("Bearer {token}t")] {
        assert!(!open.is_operator(wrong), "{wrong}");
    }
    let closed = profiles(&vars());
    assert!(!closed.is_operator("") && !closed.is_operator("Bearer "));
    let told = Told::of(Answer::Reply(open.list_profiles()));
    assert_eq!(told.body["items"][0]["network_profile"], "live-testnet");
    assert_eq!(told.body["items"][1]["payment_mode"], "mock");
}

#[test]
fn an_operator_s_variables_make_the_profiles_and_each_fault_has_its_place() {
    let profiles = Profiles::from_vars(&vars().to_string()).unwrap().unwrap();
    assert_eq!(profiles.till, "https://gate.example.com");
    assert!(profiles.gateway(Profile::LiveTestnet).is_some());
    assert!(profiles.gateway(Profile::LiveMainnet).is_none());
    assert_eq!(profiles.node(Profile::LiveTestnet), Some("https://node.example.com"));
    assert!(Profiles::from_vars("{}").unwrap().is_none());
    let entry = |name: &str, value: Value| with(|vars| vars["EXCHANGE_PROFILES"][1][name] = value);
    let faults: [(Value, &str); 14] = [
        (with(|vars| vars["EXCHANGE_PROFILES"] = json!({})), "EXCHANGE_PROFILES"),
        (with(|vars| vars["EXCHANGE_SECRET"] = json!("short")), "EXCHANGE_SECRET"),
        (
            with(|vars| vars["EXCHANGE_SECRET_PREVIOUS"] = json!("short")),
            "EXCHANGE_SECRET_PREVIOUS",
        ),
        (with(|vars| vars["MARKET_URL"] = Value::Null), "MARKET_URL"),
        (with(|vars| vars["ORIGIN_SECRET"] = Value::Null), "ORIGIN_SECRET"),
        (with(|vars| vars["PAYOUT_TOKEN"] = Value::Null), "PAYOUT_TOKEN"),
        (with(|vars| vars["bindings"] = json!(["EXCHANGE", "GATE"])), "TREASURY"),
        (with(|vars| vars["bindings"] = json!(["GATE", "TREASURY"])), "EXCHANGE"),
        (with(|vars| vars["IDENTITY"] = json!({"issuer": "x"})), "IDENTITY"),
        (entry("profile", json!("demo-testnet")), "EXCHANGE_PROFILES[1].profile"),
        (entry("network", json!("eip155:8453")), "EXCHANGE_PROFILES[1].network"),
        (entry("asset", json!("DOGE")), "EXCHANGE_PROFILES[1].asset"),
        (entry("escrow", json!("0x12")), "EXCHANGE_PROFILES[1].escrow"),
        (entry("colour", json!("red")), "EXCHANGE_PROFILES[1].colour"),
    ];
    for (vars, place) in faults {
        assert_eq!(wrong(&vars), [place]);
    }
    // On a machine that has no secret, the entries are read all the same.
    let unknown = with(|vars| {
        vars["EXCHANGE_SECRET"] = Value::Null;
        vars["EXCHANGE_PROFILES"][1]["hold"] = json!("safe");
    });
    assert_eq!(wrong(&unknown), ["EXCHANGE_SECRET", "EXCHANGE_PROFILES[1].hold"]);
    assert_eq!(profiles.usual(), Profile::LiveTestnet);
    let same = with(|vars| {
        let mut other = vars["EXCHANGE_PROFILES"][1].clone();
        other["profile"] = json!("demo-testnet");
        vars["EXCHANGE_PROFILES"][0] = other;
    });
    assert_eq!(wrong(&same), ["EXCHANGE_PROFILES[1].hold"]);
}

// A-680
#[test]
pub fn what_only_skills_have_ends_no_exchange_however_it_is_written() {
    let errors = |change: &dyn Fn(&mut Value)| match Profiles::from_vars(&with(change).to_string())
    {
        Ok(_) => Vec::new(),
        Err(errors) => errors.into_iter().map(|error| error.variable).collect(),
    };
    let both = json!([NETWORK, "eip155:2368"]);
    for networks in [both.clone(), both.to_string().into(), json!(7), json!([7]), json!([])] {
        let told = errors(&|vars| vars["NETWORK"] = networks.clone());
        assert_eq!(told, Vec::<String>::new(), "{networks}");
    }
    for payee in [json!({NETWORK: wallet(5)}), json!([]), json!("nobody")] {
        let told = errors(&|vars| vars["PAY_TO"] = payee.clone());
        assert_eq!(told, Vec::<String>::new(), "{payee}");
    }
    // What skills are paid to proves no bond on any of their networks, and on others it may.
    let shared = |networks: Value| {
        errors(&move |vars| {
            (vars["PAY_TO"], vars["NETWORK"]) = (wallet(66).into(), networks.clone())
        })
    };
    let bonds = ["EXCHANGE_PROFILES[0].bonds", "EXCHANGE_PROFILES[1].bonds"];
    assert_eq!(shared(json!(NETWORK)), bonds);
    assert_eq!(shared(both), bonds);
    assert_eq!(shared(json!(["eip155:2368"])), Vec::<String>::new());
}

// A-512
#[test]
pub fn skills_beside_an_exchange_have_its_till_among_their_own_routes() {
    let skills = |change: &dyn Fn(&mut Value)| {
        let vars = with(|vars| {
            (vars["MARKET_SECRET"], vars["OPERATOR_TOKEN"]) =
                ("m".repeat(32).into(), "t".repeat(32).into());
            (vars["NETWORK"], vars["bindings"]) =
                (json!(NETWORK), json!(["CONFIG", "EXCHANGE", "GATE", "TREASURY"]));
            change(vars);
        });
        assert!(Profiles::from_vars(&vars.to_string()).is_ok());
        let errors = Market::from_vars(&vars.to_string()).err().unwrap_or_default();
        errors.into_iter().map(|error| error.variable).collect::<Vec<_>>()
    };
    let other = json!([{"path": "/api/marketplace/*", "price": "free"}]);
    let till = json!([{"path": "/till/[quote]", "price": {"from": "MARKET", "max": "$100"}}]);
    assert_eq!(skills(&|_| ()), ["OWN_ROUTES"]);
    assert_eq!(skills(&|vars| vars["OWN_ROUTES"] = other.clone()), ["OWN_ROUTES"]);
    assert!(skills(&|vars| vars["OWN_ROUTES"] = till.clone()).is_empty());
    assert!(skills(&|vars| vars["OWN_ROUTES"] = till.to_string().into()).is_empty());
    // Where no table is written, or no job is paid at the till, there is nothing to take away.
    assert!(skills(&|vars| vars["bindings"] = json!(["EXCHANGE", "GATE", "TREASURY"])).is_empty());
    assert!(
        skills(&|vars| vars["EXCHANGE_PROFILES"].as_array_mut().unwrap().truncate(1)).is_empty()
    );
}

#[test]
fn the_gate_is_known_by_its_secret_whatever_skills_are_sold() {
    let profiles = |vars: &Value| Profiles::from_vars(&vars.to_string()).unwrap().unwrap();
    let forwarded = |secret: &str| head(secret, NOON / 1000);
    let live = profiles(&vars());
    assert!(live.is_from_gate(&forwarded(&"o".repeat(32)), NOON));
    assert!(!live.is_from_gate(&forwarded(&"x".repeat(32)), NOON));
    assert!(!live.is_from_gate(&forwarded(&"o".repeat(32)), NOON + 301_000));
    // What pretends needs no gate, and believes one all the same.
    let demo = |secret: Value| {
        with(|vars| {
            vars["EXCHANGE_PROFILES"].as_array_mut().unwrap().truncate(1);
            vars["ORIGIN_SECRET"] = secret;
        })
    };
    let known = profiles(&demo(json!("o".repeat(32))));
    assert!(known.is_from_gate(&forwarded(&"o".repeat(32)), NOON));
    assert!(!profiles(&demo(Value::Null)).is_from_gate(&forwarded(""), NOON));
    assert_eq!(wrong(&demo(json!("short"))), ["ORIGIN_SECRET"]);
}

#[test]
fn an_id_says_of_which_profile_it_is() {
    let mut world = World::with_seller();
    for prompt in ["one", "two", "three"] {
        let quote = world.ask(prompt, 9, prompt);
        if quote.status == 402 {
            let id = quote.text("payment_id");
            assert_eq!(Profile::of_id(&id), Some(Profile::LiveTestnet));
            let url = format!("https://gate.example.com/till/{id}?x=1");
            let asked = price_asked(&json!({"method": "POST", "url": url}).to_string());
            assert_eq!(asked.unwrap(), (Profile::LiveTestnet, Command::Price(url)));
        }
    }
    let job = World::with_seller().running();
    assert_eq!(Profile::of_id(&job), Some(Profile::LiveTestnet));
    assert_eq!(Profile::of_id(""), None);
    for url in ["https://gate.example.com/till/ab", "https://gate.example.com/"] {
        assert_eq!(price_asked(&json!({"url": url}).to_string()).unwrap_err().status, 404);
    }
    assert_eq!(price_asked("{").unwrap_err().status, 400);
}

#[test]
fn a_query_names_a_profile_with_buyers() {
    assert_eq!(profile_in("", Profile::LiveTestnet), Ok(Profile::LiveTestnet));
    let named = profile_in("a=b&network_profile=live-testnet", Profile::LiveMainnet);
    assert_eq!(named, Ok(Profile::LiveTestnet));
    for (query, code) in [
        ("network_profile=demo-testnet", "BUYER_CAPABILITIES_PROFILE_UNSUPPORTED"),
        ("network_profile=elsewhere", "INVALID_NETWORK_PROFILE"),
    ] {
        let body: Value =
            serde_json::from_str(&profile_in(query, Profile::LiveMainnet).unwrap_err().body)
                .unwrap();
        assert_eq!(body["code"], code);
    }
}

fn issuer() -> Issuer {
    let (name, keys) = ("https://passport.example.com".into(), "https://keys.example.com".into());
    Issuer { name, keys, audience: None }
}

fn token(claims: &Value) -> UnprovenToken {
    let part = |value: &Value| base64::encode_url(value.to_string().as_bytes());
    let header = json!({"alg": "RS256", "kid": "key-1"});
    let text = format!("{}.{}.c2ln", part(&header), part(claims));
    let (authorization, body) = (format!("Bearer {text}"), "{}".to_owned());
    unproven(&SellerRequest { authorization, body }).unwrap().unwrap()
}

fn claims() -> Value {
    json!({"iss": issuer().name, "sub": "sub-1", "exp": NOON / 1000 + 10})
}

fn code(claims: &Value, check: SignatureCheck) -> String {
    let identity = issuer().identity(&token(claims), check, NOON);
    let answer = identity.map(|identity| panic!("{identity:?}")).unwrap_err();
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    body["code"].as_str().unwrap().to_owned()
}

// A-97
#[test]
pub fn a_token_with_another_s_signature_proves_no_one() {
    let identity = issuer().identity(&token(&claims()), SignatureCheck::Right, NOON).unwrap();
    assert_eq!(identity.subject, "sub-1");
    assert_eq!(serde_json::from_str::<Value>(&identity.claims).unwrap(), claims());
    assert_eq!(code(&claims(), SignatureCheck::Wrong), "PASSPORT_TOKEN_INVALID");
    assert_eq!(code(&claims(), SignatureCheck::Unread), "PASSPORT_KEYS_UNAVAILABLE");
}

#[test]
pub fn a_token_of_another_issuer_or_without_a_subject_proves_no_one() {
    for (name, value) in [("iss", json!("https://other.example")), ("sub", json!(""))] {
        let mut claims = claims();
        claims[name] = value;
        assert_eq!(code(&claims, SignatureCheck::Right), "PASSPORT_TOKEN_INVALID");
    }
}

#[test]
pub fn a_token_for_another_service_proves_no_one_where_an_audience_is_configured() {
    let ours = Issuer { audience: Some("https://jobs.example.com".into()), ..issuer() };
    for (audience, is_taken) in [
        (json!("https://jobs.example.com"), true),
        (json!(["https://other.example.com", "https://jobs.example.com"]), true),
        (json!("https://jobs.example.com/"), false),
        (json!(["https://other.example.com"]), false),
        (json!([]), false),
        (json!({"0": "https://jobs.example.com"}), false),
        (Value::Null, false),
    ] {
        let mut claims = claims();
        claims["aud"] = audience.clone();
        let identity = ours.identity(&token(&claims), SignatureCheck::Right, NOON);
        assert_eq!(identity.is_ok(), is_taken, "{audience}");
        assert!(issuer().identity(&token(&claims), SignatureCheck::Right, NOON).is_ok());
    }
    let identity = json!({"issuer": "i", "jwks": "https://keys.example.com", "audience": 5});
    assert_eq!(wrong(&with(|vars| vars["IDENTITY"] = identity)), ["IDENTITY.audience"]);
}

#[test]
pub fn a_token_ends_and_may_begin_later() {
    for (name, value, says) in [
        ("exp", json!(NOON / 1000), "PASSPORT_TOKEN_EXPIRED"),
        ("exp", Value::Null, "PASSPORT_TOKEN_EXPIRED"),
        ("nbf", json!(NOON / 1000 + 1), "PASSPORT_TOKEN_INVALID"),
        ("nbf", json!("soon"), "PASSPORT_TOKEN_INVALID"),
    ] {
        let mut claims = claims();
        claims[name] = value;
        assert_eq!(code(&claims, SignatureCheck::Right), says);
    }
}

// A-97
#[test]
fn only_an_rs256_token_is_one_and_a_bond_or_a_renewal_needs_none() {
    let shown = |authorization: &str, body: Value| {
        let request =
            SellerRequest { authorization: authorization.to_owned(), body: body.to_string() };
        unproven(&request)
    };
    let of = |alg: &str| {
        let header = base64::encode_url(json!({"alg": alg}).to_string().as_bytes());
        format!("Bearer {header}.e30.c2ln")
    };
    assert_eq!(shown("", json!({})), Ok(None));
    assert!(shown(&of("RS256"), json!({})).unwrap().is_some());
    // What cannot be read is answered as that, and no issuer is asked.
    for bad in ["HS256", "RS256"] {
        let request = SellerRequest { authorization: of(bad), body: "nonsense".to_owned() };
        assert_eq!(unproven(&request), Ok(None), "{bad}");
    }
    for bad in [of("HS256"), of("none"), "Bearer x".to_owned()] {
        assert_eq!(shown(&bad, json!({})).unwrap_err().status, 403);
        assert_eq!(shown(&bad, json!({"seller_renewal_token": "qdr_x"})), Ok(None));
        assert_eq!(shown(&bad, json!({"challenge_id": "a", "tx_hash": TX})), Ok(None));
    }
}

#[test]
pub fn only_the_gate_says_what_it_owes() {
    let profiles = Profiles::from_vars(&vars().to_string()).unwrap().unwrap();
    let notice = |kind: &str, route: &str| {
        let data = json!({
            "id": "rcpt_1", "payer": wallet(9), "payee": ESCROW, "route": route, "network": NETWORK,
            "asset": USDC, "amount": "5000", "transaction": TX,
        });
        json!({"id": "evt_1", "type": kind, "at": 1, "data": data}).to_string()
    };
    let timed = |time: &str, secret: &str, body: &str| {
        let mac = hash::mac(secret.as_bytes(), &[format!("{time}.{body}").as_bytes()]);
        format!("t={time},v1={}", hex::encode(&mac))
    };
    let signed = |body: &str, secret: &str, secs: u64| timed(&secs.to_string(), secret, body);
    let (right, secs) = ("w".repeat(32), NOON / 1000);
    let owed = notice("payment.refund_due", "/till/[quote]");
    let (profile, told) =
        profiles.read_debt(&signed(&owed, &right, secs), &owed, NOON).unwrap().unwrap();
    let Command::Owed(sale) = told else { panic!("{told:?}") };
    assert_eq!(profile, Profile::LiveTestnet);
    assert_eq!((sale.payment.as_str(), sale.amount.as_str()), ("rcpt_1", "5000"));
    for signature in [
        signed(&owed, "another secret of that length...", secs),
        signed(&owed, &right, secs - 301),
        timed("", &right, &owed),
        timed("soon", &right, &owed),
        signed("{}", &right, secs),
        String::new(),
    ] {
        let refused = profiles.read_debt(&signature, &owed, NOON).unwrap_err();
        assert_eq!(refused.status, 403);
    }
    for other in [notice("payment.manual", "/till/[quote]"), notice("payment.refund_due", "/s/x")] {
        assert_eq!(profiles.read_debt(&signed(&other, &right, secs), &other, NOON), Ok(None));
    }
}

// A-744
#[test]
pub fn only_money_that_came_to_the_escrow_is_owed_by_the_exchange() {
    let profiles = Profiles::from_vars(&vars().to_string()).unwrap().unwrap();
    let told = |payee: serde_json::Value, route: &str| {
        let data = json!({
            "id": "rcpt_1", "payer": wallet(9), "payee": payee, "route": route, "network": NETWORK,
            "asset": USDC, "amount": "1000000000", "transaction": TX,
        });
        let body = json!({"id": "evt_1", "type": "payment.refund_due", "at": 1, "data": data});
        let (body, secs) = (body.to_string(), NOON / 1000);
        let mac = hash::mac("w".repeat(32).as_bytes(), &[format!("{secs}.{body}").as_bytes()]);
        let signature = format!("t={secs},v1={}", hex::encode(&mac));
        profiles.read_debt(&signature, &body, NOON).unwrap().is_some()
    };
    for route in ["/till/[quote]", "/packs/till/starter"] {
        for payee in [json!(wallet(8)), json!(""), json!("escrow"), json!(null), json!(7)] {
            assert!(!told(payee.clone(), route), "{payee} {route}");
        }
        for escrow in [ESCROW.to_owned(), ESCROW.to_lowercase()] {
            assert!(told(json!(escrow), route), "{escrow} {route}");
        }
    }
}

#[test]
fn a_bare_payment_is_shown_to_the_gate_as_one_of_version_1() {
    let world = World::new();
    let bare = json!({"authorization": {"from": wallet(9)}, "signature": "0x12"});
    let shown = world.gateway.present_payment(&base64::encode(bare.to_string().as_bytes()));
    assert_eq!(shown.field, "x-payment");
    let told: Value = serde_json::from_slice(&base64::decode(&shown.value).unwrap()).unwrap();
    assert_eq!(told["x402Version"], 1);
    assert_eq!((&told["scheme"], &told["network"]), (&json!("exact"), &json!("base-sepolia")));
    assert_eq!(told["payload"], bare);
    let whole = super::world::payment(9);
    assert_eq!(world.gateway.present_payment(&whole).value, whole);
}

#[test]
fn what_the_gate_refuses_is_told_in_the_contract_s_envelope() {
    use farebox_core::compute::message::Answer;
    use farebox_core::compute::shown::not_sold;
    let told = |status: u32, body: &str| Told::of(Answer::Reply(not_sold(status, body)));
    let refused = told(503, r#"{"code":"settlement_unknown","detail":"ask again"}"#);
    assert_eq!(refused.code(), (503, "PAYMENT_VERIFY_FAILED"));
    assert_eq!(refused.body["details"]["gate"], "settlement_unknown");
    assert_eq!(told(502, "").code(), (502, "PAYMENT_VERIFY_FAILED"));
    let own = r#"{"error":"gone","code":"QUOTE_EXPIRED"}"#;
    assert_eq!(told(409, own).code(), (409, "QUOTE_EXPIRED"));
}
