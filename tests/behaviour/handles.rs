//! What a client that never pays is told from its hundredth request on, whom that is about, and who is counted alone.
//! Spec: docs/answers.md, "Diagnostics".

use farebox_core::encoding::base64;
use serde_json::{Value, json};

use crate::world::facilitator::Verify;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Response, With, World, decoded, get, paid};

const NETWORK: &str = "192.0.2.1";
const ABOUT: &str = "clients with this User-Agent at this address";

fn info_of(response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    body["extensions"]["diagnostic"].get("info").cloned()
}

fn waits(response: &Response) -> Option<String> {
    response.headers.get("retry-after").map(ToOwned::to_owned)
}

/// Asks so often without a payment; gives the last answer.
fn ask(world: &mut World, times: u32, fields: &[(&str, &str)]) -> Response {
    let mut last = None;
    for _ in 0..times {
        let head = get("/after").header("cf-connecting-ip", NETWORK);
        let head = fields.iter().fold(head, |head, (name, value)| head.header(name, value));
        last = Some(world.send(head));
    }
    last.unwrap()
}

/// The handle that a client gets with its hundredth request.
fn handle(world: &mut World, agent: &str) -> String {
    let told = info_of(&ask(world, 100, &[("user-agent", agent)])).unwrap();
    told["handle"].as_str().unwrap().to_owned()
}

// A-176
#[test]
pub fn from_the_hundredth_request_on_a_client_that_pays_nothing_is_told_how_often_and_for_how_long()
{
    let mut world = World::new();
    assert_eq!(info_of(&ask(&mut world, 1, &[("user-agent", "a/1")])), None);
    world.wait(600);
    assert_eq!(info_of(&ask(&mut world, 98, &[("user-agent", "a/1")])), None, "the 99th");
    let told = info_of(&ask(&mut world, 1, &[("user-agent", "a/1")])).unwrap();
    assert_eq!(
        (&told["code"], &told["escalate"]),
        (&json!("PAYMENT_ATTEMPTS_EXCEEDED"), &json!(false))
    );
    assert_eq!((&told["attempts"], &told["firstAttempt"]), (&Value::Null, &Value::Null));
    let message = told["message"].as_str().unwrap();
    assert!(message.contains(ABOUT) && message.contains("100 requests in 10 minutes"), "{message}");
    assert_eq!(info_of(&ask(&mut world, 1, &[("user-agent", "b/1")])), None, "another program");
    let elsewhere =
        get("/after").header("cf-connecting-ip", "192.0.2.2").header("user-agent", "a/1");
    assert_eq!(info_of(&world.send(elsewhere)), None, "another address");
    let other = get("/before").header("cf-connecting-ip", NETWORK).header("user-agent", "a/1");
    assert_eq!(info_of(&world.send(other)), None, "another endpoint");
}

// A-176
#[test]
pub fn whoever_pays_beside_a_broken_client_is_neither_stopped_nor_asked_to_wait() {
    let mut world = World::new();
    ask(&mut world, 250, &[]);
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    let wrong = world.payer.sign_with(&required, now, |message| {
        let other = "0x00000000000000000000000000000000000000aA";
        message["payload"]["authorization"]["from"] = other.into();
    });
    let told = world.send(paid(&wrong).header("cf-connecting-ip", NETWORK));
    assert_eq!((told.status, waits(&told)), (402, None));
    let info = info_of(&told).unwrap();
    assert_eq!((&info["code"], &info["attempts"]), (&json!("PAYMENT_UNVERIFIED"), &Value::Null));
    assert!(info["message"].as_str().unwrap().contains(ABOUT), "{info}");
    assert_eq!(world.pay_from("/after", NETWORK).status, 200);
}

#[test]
pub fn a_client_that_shows_its_handle_is_counted_by_itself_from_its_first_request_with_it() {
    let mut world = World::new();
    let handle = handle(&mut world, "a/1");
    let own = [("user-agent", "a/1"), ("farebox-handle", handle.as_str())];
    let begun = world.now();
    assert_eq!(info_of(&ask(&mut world, 1, &own)), None, "others do not count for it");
    world.wait(86_000);
    ask(&mut world, 98, &[("user-agent", "a/1")]);
    assert_eq!(info_of(&ask(&mut world, 98, &own)), None, "its 99th");
    let told = info_of(&ask(&mut world, 1, &own)).unwrap();
    assert_eq!(
        (&told["code"], &told["escalate"], &told["attempts"], &told["firstAttempt"]),
        (&json!("PAYMENT_ATTEMPTS_EXCEEDED"), &json!(true), &json!(100), &json!(begun.rfc3339())),
    );
    assert!(!told["message"].as_str().unwrap().contains(ABOUT));
    let payment = world.sign("/after");
    let head = own.iter().fold(paid(&payment), |head, (name, value)| head.header(name, value));
    assert_eq!(world.send(head).status, 200);
    assert_eq!(info_of(&ask(&mut world, 99, &own)), None, "a success begins it anew");
    assert_eq!(info_of(&ask(&mut world, 1, &own)).unwrap()["attempts"], json!(100));
}

#[test]
pub fn no_client_makes_a_handle_or_counts_for_one_that_it_was_not_given() {
    let mut world = World::new();
    let (mine, yours) = (handle(&mut world, "a/1"), handle(&mut world, "b/1"));
    assert_ne!(mine, yours);
    let forged =
        |text: &str| [("user-agent", "c/1".to_owned()), ("farebox-handle", text.to_owned())];
    for text in [
        "",
        "x",
        &mine[1..],
        &[&mine[..mine.len() - 1], "z"].concat(),
        &[&mine[..26], &yours[26..]].concat(),
    ] {
        let fields = forged(text);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        ask(&mut world, 40, &fields);
    }
    let told = info_of(&ask(&mut world, 1, &[("user-agent", "c/1")])).unwrap();
    assert!(
        told["message"].as_str().unwrap().contains("201 requests"),
        "a forged one counts as none"
    );
    for handle in [mine, yours] {
        let own = [("farebox-handle", handle.as_str())];
        assert_eq!(info_of(&ask(&mut world, 99, &own)), None);
        assert_eq!(info_of(&ask(&mut world, 1, &own)).unwrap()["attempts"], json!(100));
    }
}

#[test]
fn a_payment_that_echoes_the_diagnostic_shows_the_handle_in_it() {
    let mut world = World::new();
    let handle = handle(&mut world, "a/1");
    let mut message = decoded(&world.sign("/after").value);
    message["extensions"] = json!({"diagnostic": {"info": {"handle": handle}, "schema": {}}});
    message["payload"]["signature"] = "0x00".into();
    let value = base64::encode(message.to_string().as_bytes());
    let wrong = Payment { value, ..world.sign("/after") };
    for turn in 1..=2 {
        let told = info_of(&world.send(paid(&wrong).header("cf-connecting-ip", NETWORK))).unwrap();
        assert_eq!(told["attempts"], if turn == 1 { Value::Null } else { json!(turn) });
    }
}

#[test]
pub fn a_payer_whose_payments_are_refused_a_hundred_times_is_told_so_and_no_place_is_used_up() {
    let mut world = World::new();
    let mut last = None;
    for turn in 1..=120 {
        let no = r#"{"isValid":false,"invalidReason":"a reason of its own"}"#;
        world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
        let answer = world.pay_from("/after", NETWORK);
        assert_eq!(answer.status, 402, "{turn}: {}", answer.problem());
        last = info_of(&answer);
    }
    let told = last.unwrap();
    assert_eq!(
        (&told["code"], &told["escalate"], &told["attempts"]),
        (&json!("PAYMENT_ATTEMPTS_EXCEEDED"), &json!(true), &json!(120)),
    );
    assert!(world.ledger.entries().len() <= 50, "the oldest of them give way");
}

#[test]
pub fn a_payer_whose_places_are_taken_by_unfinished_work_is_told_why_and_for_how_long() {
    let mut world = World::new();
    for turn in 0..50 {
        world.origin.plan.push_back(Say::Lost);
        let answer = world.pay_from("/after", NETWORK);
        assert_eq!(answer.problem(), "origin_failed", "{turn}");
    }
    let answer = world.pay_from("/after", NETWORK);
    assert_eq!((answer.status, answer.problem().as_str()), (429, "too_many_unpaid"));
    let secs: u64 = waits(&answer).unwrap().parse().unwrap();
    world.wait(secs - 1);
    assert_eq!(world.pay_from("/after", NETWORK).problem(), "too_many_unpaid");
    world.pass(1);
    assert_ne!(world.pay_from("/after", NETWORK).status, 429, "one of them has ended");
}
