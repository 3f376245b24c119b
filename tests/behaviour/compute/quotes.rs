//! Quotes: rows of the contract about matching, seats and fingerprints.

use farebox_core::compute::message::{Answer, Command, TillPayment};
use farebox_core::compute::row::{HoldKind, JobState, QuoteState, Signer};
use farebox_core::compute::settings::Profile;
use farebox_core::compute::terms::{GateTerms, terms_told};
use farebox_core::encoding::{base64, jcs};
use farebox_core::mpp::Challenge;
use serde_json::{Value, json};

use super::unheard::Keyed;
use super::world::{ESCROW, Told, URL, USDC, World, wallet};

#[test]
pub fn a_quote_is_a_402_with_the_contract_s_members() {
    let mut world = World::with_seller();
    let told = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (told.text("payment_id"), told.text("fingerprint"));
    assert_eq!((id.len(), fingerprint.len()), (64, 64));
    assert_ne!(id, fingerprint);
    let names: Vec<&str> = told.raw.split("\"accepts\"").next().unwrap().split("\":").collect();
    assert_eq!(names.len(), 16, "{}", told.raw);
    let accept = &told.body["accepts"][0];
    assert_eq!(told.code(), (402, "PAYMENT_REQUIRED"));
    for (name, value) in [
        ("error", json!("Payment Required")),
        ("payment_mode", json!("x402-escrow")),
        ("network_profile", json!("live-testnet")),
        ("pay_to", json!(ESCROW)),
        ("amount", json!("0.005")),
        ("amount_atomic", json!("5000")),
        ("currency", json!("USDC")),
        ("network", json!("eip155:84532")),
        ("chain_id", json!(84532)),
        ("payment_asset", json!(USDC)),
        ("seller_id", json!(wallet(1))),
        ("expires_in_seconds", json!(300)),
        ("x402Version", json!(1)),
    ] {
        assert_eq!(told.body[name], value, "{name}");
    }
    for (name, value) in [
        ("scheme", json!("exact")),
        ("network", json!("base-sepolia")),
        ("maxAmountRequired", json!("5000")),
        ("resource", json!(format!("{URL}/api/v1/jobs/verify"))),
        ("description", json!("QuotaDEX llm execution request")),
        ("mimeType", json!("application/json")),
        ("payTo", json!(ESCROW)),
        ("maxTimeoutSeconds", json!(300)),
        ("merchantName", json!("QuotaDEX Gateway")),
    ] {
        assert_eq!(accept[name], value, "{name}");
    }
    assert_eq!(accept["extra"]["payment_id"], json!(id));
    assert_eq!(accept["extra"]["name"], "USDC");
    assert_eq!(world.events().last().unwrap(), "MATCHING");
}

#[test]
pub fn the_same_unpaid_request_is_the_same_quote_and_another_prompt_another_one() {
    let mut world = World::with_seller();
    world.seller(2, "0.005");
    let first = world.ask("10.0.0.1", 9, "hello");
    world.now += 60_000;
    let again = world.ask("10.0.0.2", 9, " hello ");
    assert_eq!(again.text("payment_id"), first.text("payment_id"));
    assert_eq!(again.body["expires_in_seconds"], 240);
    assert_eq!(world.rows.quotes.len(), 1);
    world.beat(2);
    let other = world.ask("10.0.0.1", 9, "hello!");
    assert_ne!(other.text("fingerprint"), first.text("fingerprint"));
    assert_eq!(other.status, 402);
}

#[test]
pub fn fields_of_a_request_cannot_run_into_each_other() {
    let mut world = World::with_seller();
    world.seller(2, "0.005");
    let mut ask = |buyer: &str, capability: &str, prompt: &str| {
        let body = json!({
            "buyer_id": buyer, "capability": capability, "prompt": prompt,
            "network_profile": "live-testnet",
        });
        let (client, body) = ("10.0.0.1".to_owned(), body.to_string());
        world.told(Command::Quote { client, body }).text("fingerprint")
    };
    assert_ne!(ask("a", "llm", "x:y"), ask("a:x", "llm", "y"));
}

#[test]
pub fn of_two_requests_for_one_seat_one_gets_it() {
    let mut world = World::with_seller();
    assert_eq!(world.ask("10.0.0.1", 8, "one").status, 402);
    let told = world.ask("10.0.0.2", 9, "two");
    assert_eq!(told.code(), (503, "NO_SELLER_AVAILABLE"));
    let url = format!("{URL}/api/v1/buyers/capabilities?network_profile=live-testnet");
    let details = json!({
        "network_profile": "live-testnet", "requested_capability": "llm", "capabilities_url": url,
    });
    assert_eq!(told.body["details"], details);
    assert!(!told.raw.contains(&wallet(1)));
}

#[test]
pub fn a_seat_is_given_to_another_quote_after_ten_seconds_and_to_a_payment_at_any_time() {
    let mut world = World::with_seller();
    let one = world.ask("10.0.0.1", 8, "one");
    for (wait, status) in [(0, 503), (9_999, 503), (1, 402)] {
        world.now += wait;
        assert_eq!(world.ask("10.0.0.2", 9, "two").status, status, "after {wait} ms more");
    }
    assert_eq!(states(&world), [QuoteState::Displaced, QuoteState::Open]);
    // What anyone could have made up waits as a quote does, and ends none.
    let (fingerprint, payment) = (one.text("fingerprint"), super::world::payment(8));
    let told = Told::of(world.verify(8, "one", &fingerprint, &payment));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.now += 10_000;
    // Whose seat was given away pays the price that it was quoted, and has the seat again.
    pays(&mut world, &one, (8, "one"));
    assert_eq!(states(&world), [QuoteState::Sold, QuoteState::Displaced]);
    let two = world.rows.quotes[1].fingerprint.clone();
    let told = Told::of(world.verify(9, "two", &two, &super::world::payment(9)));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"), "a job keeps its seat");
    assert_eq!(states(&world), [QuoteState::Sold, QuoteState::Displaced]);
}

#[test]
pub fn payments_that_anyone_could_make_up_keep_no_seat_from_one_that_its_buyer_signed() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    world.now += 10_000;
    // A stranger's payment is at the gate when the buyer pays.
    let stranger = world.ask("10.0.0.2", 9, "forged");
    let (fingerprint, id) = (stranger.text("fingerprint"), stranger.text("payment_id"));
    let forged = super::world::payment(9);
    assert_eq!(world.verify(9, "forged", &fingerprint, &forged), Answer::Till(id.clone()));
    assert_eq!(states(&world), [QuoteState::Displaced, QuoteState::Settling]);
    let bought = keyed.quote.text("payment_id");
    let right = keyed.signed(super::world::PRICE);
    assert_eq!(keyed.verify(&mut world, &right), Answer::Till(bought.clone()));
    assert_eq!(states(&world), [QuoteState::Settling, QuoteState::Displaced]);
    let payer = keyed.address.clone();
    let sale = TillPayment { payer, ..world.sale(&bought, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    // If the stranger's money was there after all, it goes back: no seat is without a job.
    assert_eq!(Told::of(world.sold(&world.sale(&id, "rcpt_2", 9))).code(), (409, "QUOTE_EXPIRED"));
    assert_eq!(world.rows.jobs.len(), 1);
    assert_eq!(world.rows.holds["rcpt_2"].payer, wallet(9));
}

/// What was signed for something else stands on a chain: anyone can show it.
#[test]
fn a_signature_for_something_else_keeps_no_seat() {
    for (units, signer) in [(super::world::PRICE, Signer::Buyer), ("1", Signer::Unknown)] {
        let mut world = World::with_seller();
        let keyed = Keyed::quoted(&mut world);
        keyed.verify(&mut world, &keyed.signed(units));
        let signers: Vec<Signer> = world.rows.jobs.iter().map(|job| job.signer).collect();
        assert_eq!(signers, [signer], "{units}");
    }
}

fn states(world: &World) -> Vec<QuoteState> {
    world.rows.quotes.iter().map(|quote| quote.state).collect()
}

/// A buyer pays for a quote by both steps, with the prompt that it asked for.
fn pays(world: &mut World, quote: &Told, (buyer, prompt): (u8, &str)) {
    let id = quote.text("payment_id");
    let payment = super::world::payment(buyer);
    let answer = world.verify(buyer, prompt, &quote.text("fingerprint"), &payment);
    assert_eq!(answer, Answer::Till(id.clone()));
    let told = Told::of(world.sold(&world.sale(&id, &format!("rcpt_{prompt}"), buyer)));
    assert_eq!(told.status, 200, "{told:?}");
}

// A-262
#[test]
pub fn no_number_of_unpaid_quotes_keeps_a_buyer_from_the_seats_of_a_seller() {
    let mut world = World::new();
    world.register(1, json!({"capacity": 10}));
    world.open(1);
    world.beat(1);
    for number in 0..10 {
        let client = format!("10.0.1.{}", number / 2);
        assert_eq!(world.ask(&client, 8, &format!("idle {number}")).status, 402);
    }
    let none = json!([]);
    let offered = |world: &mut World| world.told(Command::Capabilities).body;
    assert_eq!(offered(&mut world)["capabilities"], none);
    world.now += 10_000;
    assert_eq!(offered(&mut world)["capabilities"][0]["capability"], "llm");
    for number in 0..10_u8 {
        let (client, prompt) = (format!("10.0.2.{number}"), format!("paid {number}"));
        let quote = world.ask(&client, 9, &prompt);
        assert_eq!((quote.status, quote.text("seller_id")), (402, wallet(1)));
        pays(&mut world, &quote, (9, &prompt));
        assert_eq!(world.rows.jobs.len(), usize::from(number) + 1);
    }
    // The seller works on ten and no more, and what was not paid has no price at the gate.
    assert_eq!(world.ask("10.0.2.99", 9, "one more").code(), (503, "NO_SELLER_AVAILABLE"));
    let id = world.rows.quotes[0].id.clone();
    let told = world.told(Command::Price(format!("{URL}/till/{id}")));
    assert_eq!(told.code(), (404, "QUOTE_EXPIRED"));
    let jobs = world.rows.jobs.iter().map(|job| job.state).collect::<Vec<_>>();
    assert_eq!(jobs, [JobState::Paid; 10]);
}

#[test]
fn the_seat_of_the_network_that_holds_most_is_given_away_first_and_none_whose_payment_is_on_its_way()
 {
    let mut world = World::new();
    world.register(1, json!({"capacity": 4}));
    world.open(1);
    world.beat(1);
    let paying = world.ask("10.0.0.1", 8, "paying");
    let answer = world.verify(8, "paying", &paying.text("fingerprint"), &super::world::payment(8));
    assert!(matches!(answer, Answer::Till(_)), "{answer:?}");
    for (client, prompt) in [("10.0.0.2", "alone"), ("10.0.0.3", "first"), ("10.0.0.3", "second")] {
        assert_eq!(world.ask(client, 9, prompt).status, 402);
    }
    world.now += 10_000;
    assert_eq!(world.ask("10.0.0.4", 9, "late").status, 402);
    let [settling, open, displaced] =
        [QuoteState::Settling, QuoteState::Open, QuoteState::Displaced];
    assert_eq!(states(&world), [settling, open, displaced, open, open]);
    assert_eq!(world.ask("10.0.0.5", 9, "later").status, 402);
    assert_eq!(states(&world), [settling, displaced, displaced, open, open, open], "the oldest");
}

#[test]
pub fn a_network_that_leaves_quotes_unpaid_keeps_no_seat_from_another() {
    let mut world = World::with_seller();
    for prompt in ["a", "b", "c"] {
        assert_eq!(world.ask("10.0.0.1", 8, prompt).status, 402, "{prompt}");
        assert_eq!(world.ask("10.0.0.2", 9, "other").status, 503, "{prompt}");
        world.now += 300_000;
        world.open(1);
        world.beat(1);
    }
    assert_eq!(world.ask("10.0.0.1", 8, "d").status, 402);
    assert_eq!(world.ask("10.0.0.2", 9, "other").status, 402, "the fourth in an hour");
}

#[test]
fn a_payment_at_the_till_has_the_seat_of_an_unpaid_quote_and_leaves_no_prompt_of_it_behind() {
    let mut world = World::with_seller();
    let one = world.ask("10.0.0.1", 8, "one").text("payment_id");
    world.now += 10_000;
    let two = world.ask("10.0.0.2", 9, "two").text("payment_id");
    let url = format!("{URL}/till/{one}");
    assert_eq!(world.told(Command::Price(url)).status, 200);
    assert_eq!(Told::of(world.sold(&world.sale(&one, "rcpt_1", 8))).status, 200);
    assert_eq!(states(&world), [QuoteState::Sold, QuoteState::Displaced]);
    // Of the other one the money goes back: every seat has a job.
    let told = Told::of(world.sold(&world.sale(&two, "rcpt_2", 9)));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    assert_eq!(world.rows.holds["rcpt_2"].payer, wallet(9));
    assert!(!world.rows.quotes[1].prompt.is_empty());
    world.now += 300_000;
    world.alarm();
    assert_eq!(world.rows.quotes[1].state, QuoteState::Lapsed);
    assert_eq!(world.rows.quotes[1].prompt, "");
}

// A-182
#[test]
fn a_dearer_seat_is_not_quoted_because_strangers_hold_the_cheap_ones() {
    let mut world = World::new();
    world.seller(1, "0.005");
    world.seller(2, "0.006");
    assert_eq!(world.ask("10.0.0.1", 8, "idle").text("seller_id"), wallet(1));
    world.now += 10_000;
    assert_eq!(world.ask("10.0.0.2", 9, "a").text("seller_id"), wallet(1));
    // Among equals a free one comes first.
    world.seller(3, "0.005");
    world.now += 10_000;
    assert_eq!(world.ask("10.0.0.3", 9, "b").text("seller_id"), wallet(3));
    assert_eq!(states(&world)[1..], [QuoteState::Open, QuoteState::Open]);
}

#[test]
pub fn a_seller_has_as_many_seats_as_it_says() {
    let mut world = World::new();
    for bad in [json!(0), json!(101), json!("2"), json!(1.5)] {
        assert_eq!(world.register(1, json!({"capacity": bad})).code().0, 400, "{bad}");
    }
    world.register(1, json!({"capacity": 3}));
    world.open(1);
    world.beat(1);
    for (client, status) in [("a", 402), ("b", 402), ("c", 402), ("d", 503)] {
        assert_eq!(world.ask(client, 9, client).status, status, "{client}");
    }
}

#[test]
pub fn the_cheapest_seller_is_asked_first_and_equals_in_turn() {
    let mut world = World::new();
    world.seller(1, "0.006");
    world.seller(2, "0.005");
    world.seller(3, "0.005");
    let mut asked = Vec::new();
    for client in ["a", "b", "c"] {
        world.now += 1;
        asked.push(world.ask(client, 9, client).text("seller_id"));
    }
    assert_eq!(asked, [wallet(2), wallet(3), wallet(1)]);
}

#[test]
pub fn a_seat_is_found_behind_any_number_of_sellers_that_have_none() {
    let mut world = World::new();
    for number in 1..=7 {
        world.seller(number, "0.005");
    }
    world.seller(8, "0.02");
    world.seller(9, "0.006");
    for number in 1..=7 {
        assert_eq!(world.ask(&format!("10.0.0.{number}"), 20 + number, "taken").status, 402);
        world.now += 1;
    }
    let told = world.ask("10.0.1.1", 30, "free");
    assert_eq!((told.status, told.text("seller_id")), (402, wallet(9)));
}

#[test]
pub fn a_client_holds_two_seats_and_twenty_in_an_hour_unpaid() {
    let mut world = World::new();
    for number in 1..=4 {
        world.seller(number, "0.005");
    }
    for (prompt, status) in [("a", 402), ("b", 402), ("c", 429), ("a", 402)] {
        assert_eq!(world.ask("10.0.0.1", 9, prompt).status, status, "{prompt}");
    }
    assert_eq!(world.ask("10.0.0.2", 9, "c").status, 402);
    let mut made = 2;
    for round in 0..12 {
        world.now += 300_000;
        (1..=4).for_each(|number| _ = world.open(number));
        (1..=4).for_each(|number| _ = world.beat(number));
        for prompt in [format!("{round} a"), format!("{round} b")] {
            made += u32::from(world.ask("10.0.0.1", 9, &prompt).status == 402);
        }
    }
    assert_eq!(made, 20, "in an hour");
}

#[test]
pub fn no_seat_is_given_to_a_body_that_is_not_understood() {
    let mut world = World::with_seller();
    let mut said = |body: serde_json::Value| {
        let (client, body) = ("10.0.0.1".to_owned(), body.to_string());
        world.told(Command::Quote { client, body }).text("error")
    };
    let of = |name: &str| format!("{name} must be a non-empty string.");
    let profile = "live-testnet";
    assert_eq!(said(json!({"network_profile": profile})), of("buyer_id"));
    let mut body = json!({"network_profile": profile, "buyer_id": wallet(9)});
    assert_eq!(said(body.clone()), of("capability"));
    body["capability"] = "llm".into();
    assert_eq!(said(body.clone()), of("prompt"));
    body["prompt"] = "x".repeat(65_537).into();
    assert_eq!(said(body), "prompt must have at most 65536 bytes.");
    assert!(world.rows.quotes.is_empty());
}

#[test]
pub fn a_prompt_is_sealed_at_rest() {
    let mut world = World::with_seller();
    world.ask("10.0.0.1", 9, "the secret of the house");
    let row = serde_json::to_string(&world.rows.quotes[0]).unwrap();
    assert!(!row.contains("secret of"), "{row}");
}

#[test]
pub fn the_gate_is_told_the_price_of_a_quote_while_it_counts() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let url = format!("{URL}/till/{id}");
    let mut price = |now: u64, url: &str| {
        world.now = now;
        let told = world.told(Command::Price(url.to_owned()));
        (told.status, told.raw)
    };
    let body = format!(
        r#"{{"price":{{"amount":"5000"}},"valid_secs":300,"description":"QuotaDEX llm execution request","pay_to":"{ESCROW}"}}"#
    );
    assert_eq!(price(super::world::NOON, &url), (200, body));
    assert!(price(super::world::NOON + 295_000, &url).1.contains("\"valid_secs\":5"));
    assert_eq!(price(super::world::NOON + 295_001, &url).0, 404);
    for other in [format!("{URL}/till/{}", "0".repeat(64)), format!("{URL}/x/{id}"), String::new()]
    {
        assert_eq!(price(super::world::NOON, &other).0, 404, "{other}");
    }
}

#[test]
pub fn a_quote_is_answered_with_the_gate_s_terms_beside_it() {
    let mut world = World::with_seller();
    let body = world.order(9, "hello").to_string();
    let answer = world.send(Command::Quote { client: "a".into(), body });
    let Answer::Terms(quote, _) = answer.clone() else { panic!("{answer:?}") };
    assert_eq!(quote, Told::of(answer).text("payment_id"));
}

#[test]
pub fn a_seat_whose_payment_settles_is_held_by_its_client_too() {
    let mut world = World::new();
    for number in 1..=4 {
        world.seller(number, "0.005");
    }
    for prompt in ["a", "b"] {
        let fingerprint = world.ask("10.0.0.1", 9, prompt).text("fingerprint");
        let payment = format!("{}{}", super::world::payment(9), " ".repeat(prompt.len()));
        let answer = world.verify(9, prompt, &fingerprint, &payment);
        assert!(matches!(answer, Answer::Till(_)), "{answer:?}");
    }
    let told = world.ask("10.0.0.1", 9, "c");
    assert_eq!(told.code(), (429, "QUOTE_LIMIT_REACHED"));
    assert_eq!(world.ask("10.0.0.2", 8, "c").status, 402);
    // Paid, it is no longer of those that may come to nothing.
    let id = world.rows.quotes[0].id.clone();
    assert_eq!(Told::of(world.sold(&world.sale(&id, "rcpt_1", 9))).status, 200);
    assert_eq!(world.ask("10.0.0.1", 9, "c").status, 402);
}

#[test]
pub fn a_quote_whose_money_is_pretended_has_no_price_at_the_till() {
    let set = super::world::settings(HoldKind::Mock, Profile::DemoTestnet);
    let mut world = World::set(set);
    world.seller(1, "0.005");
    let body = world.order(9, "hello").to_string();
    let answer = world.send(Command::Quote { client: "a".into(), body });
    assert!(matches!(answer, Answer::Reply(_)), "the gate is not asked: {answer:?}");
    let id = Told::of(answer).text("payment_id");
    let told = world.told(Command::Price(format!("{URL}/till/{id}")));
    assert_eq!(told.code(), (404, "QUOTE_EXPIRED"));
}

#[test]
pub fn a_quote_that_the_gate_cannot_price_ends_and_its_seat_is_free() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let told = world.told(Command::Unpriced(id.clone()));
    assert_eq!(told.code(), (503, "PAYMENT_TERMS_UNAVAILABLE"));
    assert!(told.text("error").contains("nothing was charged"));
    assert_eq!(world.beat(1).text("seller_status"), "idle");
    let again = world.ask("10.0.0.1", 9, "hello");
    assert_ne!(again.text("payment_id"), id);
    // One that is being paid goes on.
    let fingerprint = again.text("fingerprint");
    world.verify(9, "hello", &fingerprint, &super::world::payment(9));
    let told = world.told(Command::Unpriced(again.text("payment_id")));
    assert!(!told.text("error").contains("charged"), "it may be by now");
    assert_eq!(world.beat(1).text("seller_status"), "busy");
}

// A-513
#[test]
pub fn only_the_gate_s_402_has_the_terms_of_a_quote() {
    let unpriced = r#"{"code":"price_unavailable"}"#;
    let told = |status: u32, body: &str| terms_told(status, body, &[], "{}");
    assert_eq!(told(402, unpriced), GateTerms::Told);
    assert_eq!(told(503, unpriced), GateTerms::Unpriced);
    for (status, body) in [(503, "{}"), (503, ""), (403, unpriced), (404, ""), (200, "{}")] {
        assert_eq!(told(status, body), GateTerms::Untold, "{status} {body}");
    }
}

// A-684
#[test]
pub fn terms_of_another_payment_than_the_quote_s_reach_no_buyer() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let right = json!({
        "scheme": "exact", "network": quote.text("network"), "amount": quote.text("amount_atomic"),
        "asset": quote.text("payment_asset").to_lowercase(), "payTo": quote.text("pay_to"),
        "maxTimeoutSeconds": 300, "extra": {"name": "USDC", "version": "2"},
    });
    let read =
        |name: &str, value: String| terms_told(402, "{}", &[(name.to_owned(), value)], &quote.raw);
    let told = |accepts: Value| {
        let required = json!({"x402Version": 2, "accepts": accepts}).to_string();
        read("payment-required", base64::encode(required.as_bytes()))
    };
    assert_eq!(told(json!([right])), GateTerms::Told);
    for (name, value) in [
        ("network", "eip155:8453"),
        ("asset", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e"),
        ("amount", "5001"),
        ("payTo", "0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e"),
    ] {
        let mut other = right.clone();
        other[name] = value.into();
        assert_eq!(told(json!([other])), GateTerms::Others, "{name}");
        assert_eq!(told(json!([other, right])), GateTerms::Others, "{name}, and the right one");
    }
    // What offers nothing there offers nothing else.
    assert_eq!(told(json!([])), GateTerms::Told);
    assert_eq!(read("payment-required", "%".into()), GateTerms::Told);
}

// A-711
#[test]
pub fn charges_of_another_payment_than_the_quote_s_reach_no_buyer() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let right = json!({
        "amount": quote.text("amount_atomic"), "currency": quote.text("payment_asset"),
        "recipient": quote.text("pay_to"), "methodDetails": {"chainId": 84_532},
    });
    let charge = |request: &Value| {
        Challenge {
            id: "a".into(),
            realm: "gate.example.com".into(),
            method: "evm".into(),
            intent: "charge".into(),
            request: base64::encode_url(jcs::text(request).as_bytes()),
            ..Challenge::default()
        }
        .to_header()
        .unwrap()
    };
    let told =
        |value: String| terms_told(402, "{}", &[("www-authenticate".into(), value)], &quote.raw);
    assert_eq!(told(charge(&right)), GateTerms::Told);
    for (name, value) in [
        ("amount", json!("5001")),
        ("currency", json!("0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e")),
        ("recipient", json!("0x48065fbBE25f71C9282ddf5e1cD6D6A887483D5e")),
        ("methodDetails", json!({"chainId": 8453})),
    ] {
        let mut other = right.clone();
        other[name] = value;
        assert_eq!(told(charge(&other)), GateTerms::Others, "{name}");
        let both = format!("{}, {}", charge(&right), charge(&other));
        assert_eq!(told(both), GateTerms::Others, "{name}, and the right one");
    }
    // What is no charge is not for it.
    for other in ["Bearer", r#"Payment id="a""#, ""] {
        assert_eq!(told(other.into()), GateTerms::Told, "{other}");
    }
}

/// A world in which so much is sold in a day, and two sellers with ten seats each.
fn bounded(per_day: &str, per_seller_day: Option<&str>) -> World {
    let mut set = super::world::settings(HoldKind::Escrow, Profile::LiveTestnet);
    set.per_day = Some(per_day.into());
    set.per_seller_day = per_seller_day.map(Into::into);
    let mut world = World::set(set);
    for number in [1, 2] {
        world.register(number, json!({"capacity": 10}));
        world.open(number);
        world.beat(number);
    }
    world
}

/// Sells a job to whoever asks from this address; by which seller, or the refusal.
fn sells(world: &mut World, client: &str) -> String {
    let quote = world.ask(client, 9, client);
    if quote.status == 402 {
        let sale = world.sale(&quote.text("payment_id"), client, 9);
        assert_eq!(Told::of(world.sold(&sale)).status, 200);
        return quote.text("seller_id");
    }
    quote.text("code")
}

#[test]
pub fn no_more_is_sold_in_a_day_than_can_leave_the_wallet_again() {
    let mut world = bounded("0.0149", Some("1"));
    // Two were asked for in time, and one of them is paid last.
    let late = world.ask("late", 9, "late");
    for client in ["a", "b"] {
        assert!(sells(&mut world, client).starts_with("0x"));
    }
    assert_eq!(sells(&mut world, "c"), "NO_SELLER_AVAILABLE");
    let url = format!("{URL}/till/{}", late.text("payment_id"));
    assert_eq!(world.told(Command::Price(url)).status, 404);
    let answer = world.verify(9, "late", &late.text("fingerprint"), &super::world::payment(9));
    assert_eq!(Told::of(answer).code(), (409, "QUOTE_EXPIRED"), "nothing is charged");
    // The next day begins at midnight, UTC.
    world.now += 18 * 3_600_000 - 1;
    (1..=2).for_each(|number| _ = (world.open(number), world.beat(number)));
    assert_eq!(sells(&mut world, "d"), "NO_SELLER_AVAILABLE");
    world.now += 1;
    assert!(sells(&mut world, "e").starts_with("0x"));
}

// A-531
#[test]
pub fn what_is_paid_late_or_by_a_transfer_is_not_sold_beyond_the_day() {
    let mut world = bounded("0.0149", Some("1"));
    let lapsed = world.ask("lapsed", 9, "lapsed").text("payment_id");
    world.now += 301_000;
    world.alarm();
    (1..=2).for_each(|number| _ = (world.open(number), world.beat(number)));
    let open = world.ask("open", 9, "open").text("payment_id");
    for client in ["a", "b"] {
        assert!(sells(&mut world, client).starts_with("0x"));
    }
    for id in [&lapsed, &open] {
        let told = Told::of(world.sold(&world.sale(id, &format!("rcpt_{id}"), 9)));
        assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    }
    world.alarm();
    assert_eq!((world.rows.jobs.len(), world.treasury.arrived(&wallet(9))), (2, 10_000));
    // What another seller has room for is its.
    let mut world = bounded("0.1", None);
    let open = world.ask("open", 9, "open");
    let its = open.text("seller_id");
    while world.rows.jobs.iter().filter(|job| job.seller == its).count() < 2 {
        let client = world.rows.jobs.len().to_string();
        sells(&mut world, &client);
    }
    let id = open.text("payment_id");
    assert_eq!(Told::of(world.sold(&world.sale(&id, "rcpt_open", 9))).status, 200);
    assert_ne!(world.rows.jobs.last().unwrap().seller, its);
}

#[test]
pub fn a_seller_sells_its_share_of_the_day() {
    let mut world = bounded("0.1", None);
    let mut sold: Vec<String> = ["a", "b", "c", "d", "e"].map(|it| sells(&mut world, it)).into();
    let rest = sold.split_off(4);
    sold.sort();
    assert_eq!(sold, [wallet(1), wallet(1), wallet(2), wallet(2)], "a tenth each");
    assert_eq!(rest, ["NO_SELLER_AVAILABLE"]);
}

// A-290
#[test]
pub fn a_clock_that_is_set_back_begins_no_day() {
    let mut world = bounded("0.0149", Some("1"));
    // Ten seconds into a day.
    world.now += 18 * 3_600_000 + 10_000;
    let sold = |world: &mut World, name: &str| {
        (1..=2).for_each(|number| _ = (world.open(number), world.beat(number)));
        let orders = (0..4).map(|order| sells(world, &format!("{name}{order}")));
        orders.filter(|who| who.starts_with("0x")).count()
    };
    assert_eq!(sold(&mut world, "day"), 2);
    world.now -= 20_000;
    assert_eq!(sold(&mut world, "back"), 0);
    world.now += 20_000;
    assert_eq!(sold(&mut world, "forth"), 0);
    world.now += 86_400_000;
    assert_eq!(sold(&mut world, "next"), 2);
}
