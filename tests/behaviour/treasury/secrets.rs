//! The secret of a payment: a gate hands its answer out again to whoever shows it.

use farebox_core::treasury::Job;
use farebox_core::treasury::message::{Command, Listing, Operation, Order};
use serde_json::{Value, json};

use super::world::{BUYER_KEY, MERCHANT, Told, World, accept, caller, keyed, settled, variables};

/// A request under this key of the agent's, whose merchant reads a `payment-identifier`.
fn identified(key: &str) -> Value {
    let terms = json!({
        "x402Version": 2, "accepts": [accept("10000")],
        "resource": {"url": MERCHANT},
        "extensions": {"payment-identifier": {"info": {"required": false}, "schema": {}}},
    });
    let mut body = keyed("10000", key);
    body["challenge"]["headers"]["payment-required"] =
        json!(farebox_core::x402::header::encode(&terms.to_string()));
    body
}

fn field<'a>(order: &'a Order, name: &str) -> &'a str {
    let found = order.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    &found.unwrap_or_else(|| panic!("no {name}")).1
}

/// The secret as a gate takes it: the identifier in the payment, and the key.
fn secrets(order: &Order) -> [String; 2] {
    let payment = farebox_core::encoding::base64::decode(field(order, "payment-signature"));
    let payment: Value = serde_json::from_slice(&payment.unwrap()).unwrap();
    let identifier = &payment["extensions"]["payment-identifier"]["info"]["id"];
    [identifier.as_str().unwrap().to_owned(), field(order, "idempotency-key").to_owned()]
}

/// Everything that a treasury tells of its payments.
fn shown(world: &mut World, told: &Told) -> String {
    let id = |name: &str| told.body[name].as_str().unwrap().to_owned();
    let receipt = told.body["receipt"]["receiptId"].as_str().unwrap().to_owned();
    let token = world.token(BUYER_KEY);
    let listing = Listing::default;
    let operations = [
        Operation::Decisions(listing()),
        Operation::Decision(id("paidRequestId")),
        Operation::Export(listing(), "jsonl".to_owned()),
        Operation::Export(listing(), "csv".to_owned()),
        Operation::Audit(listing()),
        Operation::Log(listing()),
        Operation::Budgets,
        Operation::Metrics,
    ];
    let commands = operations.map(Command::Operate).into_iter().chain([
        Command::LookUp(caller(&token), receipt.clone()),
        Command::KnownReceipt(receipt),
        Command::Known { agent: "buyer".to_owned(), key: "k".to_owned() },
        Command::Open(caller(&token)),
    ]);
    let told = commands.map(|command| format!("{:?}", world.reply(command)));
    told.collect::<String>()
}

// A-817, I-26
#[test]
fn what_fetches_a_paid_answer_again_is_told_to_its_merchant_alone() {
    let mut world = World::new();
    let order = world.order(&identified("k"));
    let told = world.answered(&order, settled(200, "hello"));
    let shown = format!("{told:?}{}", shown(&mut world, &told));
    assert!(shown.contains(told.text("paymentAttemptId")) && shown.len() > 2000, "{shown}");
    for secret in secrets(&order) {
        assert!((22..=128).contains(&secret.len()), "{secret}");
        assert!(!shown.contains(&secret), "{secret} is shown: {shown}");
    }
    // Nor does it follow from what is shown, without the secret of the treasury.
    let mut variables = variables();
    variables["TREASURY_SECRET"] = json!("another-secret-0123456789abcdef01");
    let mut other = World::of(&variables);
    let same = other.order(&identified("k"));
    assert_eq!(same.attempt, order.attempt);
    assert!(secrets(&same).iter().all(|secret| !secrets(&order).contains(secret)));
}

#[test]
fn a_payment_has_one_secret_which_is_no_other_ones() {
    let mut world = World::new();
    let mut body = identified("a");
    body["request"]["method"] = json!("GET");
    body["request"].as_object_mut().unwrap().remove("body");
    let first = world.order(&body);
    let [identifier, key] = secrets(&first);
    assert_eq!(identifier, key);
    let other = world.order(&identified("b"));
    assert!(!secrets(&other).contains(&key));
    // The alarm sends the same one.
    world.now += 46;
    let jobs = world.alarm();
    let sent = |job: &Job| matches!(job, Job::Send(it, _) if it.headers == first.headers);
    assert!(jobs.iter().any(sent), "{jobs:?}");
    // A key of the agent's own stays, and the merchant's identifier is none that is told.
    let mut own = identified("c");
    own["request"]["headers"]["idempotency-key"] = json!("the-agents-own-key-0123");
    let own = world.order(&own);
    let [identifier, key] = secrets(&own);
    assert_eq!(key, "the-agents-own-key-0123");
    assert!(identifier != key && identifier != own.attempt);
}
