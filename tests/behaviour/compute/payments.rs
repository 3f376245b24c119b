//! Payments: the guards of verify in the contract's order, and what the gate says was paid.

use farebox_core::compute::Gateway;
use farebox_core::compute::message::{Answer, Command, TillPayment};
use farebox_core::compute::row::{HoldKind, HoldState, JobState, Leave, QuoteState};
use farebox_core::compute::settings::Profile;
use farebox_core::evm::address::Address;
use serde_json::json;

use super::unheard::Keyed;
use super::world::{NOON, TX, Told, URL, World, payment, settings, wallet};

#[test]
pub fn guards_come_in_the_contract_s_order_before_a_seller_notices() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let fingerprint = quote.text("fingerprint");
    let pay = payment(9);
    let rows = (world.rows.quotes.clone(), world.rows.sellers.clone());
    let told = |answer: Answer| Told::of(answer).code().1.to_owned();
    assert_eq!(told(world.verify(9, "hello!", &fingerprint, &pay)), "FINGERPRINT_INVALID");
    assert_eq!(told(world.verify(8, "hello", &fingerprint, &pay)), "FINGERPRINT_INVALID");
    let bare = Told::of(world.verify(9, "hello", &fingerprint, ""));
    assert_eq!(bare.code(), (402, "X_PAYMENT_REQUIRED"));
    assert_eq!(bare.text("payment_id"), quote.text("payment_id"));
    let unread = told(world.verify(9, "hello", &fingerprint, "nonsense"));
    assert_eq!(unread, "INVALID_X_PAYMENT_HEADER");
    let foreign = told(world.verify(9, "hello", &fingerprint, &payment(8)));
    assert_eq!(foreign, "INVALID_BUYER_ADDRESS");
    assert_eq!((world.rows.quotes.clone(), world.rows.sellers.clone()), rows);
    assert!(world.rows.jobs.is_empty());
}

#[test]
pub fn another_prompt_than_the_quoted_one_is_not_paid() {
    let mut world = World::with_seller();
    let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
    let told = Told::of(world.verify(9, "hellp", &fingerprint, &payment(9)));
    assert_eq!(told.code(), (403, "FINGERPRINT_INVALID"));
}

#[test]
pub fn another_payer_than_the_buyer_is_refused_before_the_gate_is_asked() {
    let mut world = World::with_seller();
    let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
    let told = Told::of(world.verify(9, "hello", &fingerprint, &payment(8)));
    assert_eq!(told.code(), (400, "INVALID_BUYER_ADDRESS"));
}

#[test]
pub fn a_quote_is_not_paid_after_its_end() {
    let mut world = World::with_seller();
    let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
    for _ in 0..5 {
        world.now += 60_000;
        world.beat(1);
    }
    let told = Told::of(world.verify(9, "hello", &fingerprint, &payment(9)));
    assert_eq!(told.code(), (403, "FINGERPRINT_INVALID"));
    assert_eq!(told.text("error"), "Quote is expired or no longer valid.");
    let bare = Told::of(world.verify(9, "hello", &fingerprint, ""));
    assert_eq!(bare.code(), (400, "X_PAYMENT_REQUIRED"));
}

#[test]
pub fn a_quote_of_other_terms_is_not_paid() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (quote.text("payment_id"), quote.text("fingerprint"));
    let price = Command::Price(format!("{URL}/till/{id}"));
    assert_eq!(world.told(price.clone()).status, 200);
    asks_for(&mut world, wallet(77));
    let told = Told::of(world.verify(9, "hello", &fingerprint, &payment(9)));
    assert_eq!(told.code(), (409, "QUOTE_PAYMENT_PROFILE_MISMATCH"));
    // Nor has it a price, nor is it what the same request is answered by.
    assert_eq!(world.told(price).status, 404);
    world.seller(2, "0.005");
    let again = world.ask("10.0.0.1", 9, "hello");
    assert_ne!(again.text("payment_id"), id);
    assert_eq!(again.text("pay_to").to_lowercase(), wallet(77).to_lowercase());
}

/// A quote whose payment has left for the till, with its id and its fingerprint.
fn at_the_till() -> (World, String, String) {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (quote.text("payment_id"), quote.text("fingerprint"));
    let answer = world.verify(9, "hello", &fingerprint, &payment(9));
    assert_eq!(answer, Answer::Till(id.clone()));
    (world, id, fingerprint)
}

/// Changes the address to which a profile has its money sent.
fn asks_for(world: &mut World, escrow: String) {
    let mut set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    set.escrow = Address::parse(&escrow).unwrap();
    world.gateway = Gateway::new(set).unwrap();
}

#[test]
pub fn what_was_paid_at_terms_of_before_is_answered_as_it_was() {
    let (mut world, id, fingerprint) = at_the_till();
    let pay_to = world.rows.quotes[0].pay_to.clone();
    // While it is not known whether it was charged, and once it was.
    for is_paid in [false, true] {
        if is_paid {
            asks_for(&mut world, pay_to.clone());
            world.sold(&world.sale(&id, "rcpt_1", 9));
            assert_eq!(world.rows.jobs[0].state, JobState::Paid);
        }
        asks_for(&mut world, wallet(77));
        let again = world.verify(9, "hello", &fingerprint, &payment(9));
        assert_eq!(again, Answer::Till(id.clone()), "{is_paid}");
        let bare = Told::of(world.verify(9, "hello", &fingerprint, ""));
        assert_eq!(bare.code(), (400, "X_PAYMENT_REQUIRED"));
    }
}

// A-188
#[test]
pub fn a_quote_that_is_held_keeps_its_price() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    assert_eq!(world.register(1, json!({"price_per_task": "9"})).status, 200);
    let answer = world.verify(9, "hello", &quote.text("fingerprint"), &payment(9));
    assert_eq!(answer, Answer::Till(quote.text("payment_id")));
    assert_eq!(world.rows.jobs[0].units, "5000");
}

#[test]
pub fn a_seller_that_is_gone_is_found_before_money_moves() {
    let mut world = World::with_seller();
    let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
    world.now += 60_001;
    let told = Told::of(world.verify(9, "hello", &fingerprint, &payment(9)));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
}

#[test]
pub fn the_job_is_written_before_the_payment_leaves_and_paid_when_the_gate_says_so() {
    let (mut world, id, _) = at_the_till();
    assert_eq!(world.rows.jobs[0].state, JobState::Settling);
    assert_eq!(world.beat(1).text("seller_status"), "busy");
    let told = Told::of(world.sold(&world.sale(&id, "rcpt_1", 9)));
    let job = world.rows.jobs[0].clone();
    assert_eq!((told.status, job.state), (200, JobState::Paid));
    let expected = format!(
        r#"{{"job_id":"{}","status":"paid","payment_mode":"x402-escrow","settlement_tx_hash":"{TX}","escrow_registration_tx_hash":null,"payment_id":"{id}","job_token":""#,
        job.id
    );
    assert!(told.raw.starts_with(&expected), "{}", told.raw);
    assert!(told.text("job_token").len() >= 32);
    assert_eq!(world.rows.holds["rcpt_1"].state, HoldState::Held);
    assert_eq!(world.events().last().unwrap(), "PAID");
}

#[test]
pub fn a_payment_makes_one_job_however_often_it_is_told() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let sale = world.sale(&id, "rcpt_1", 9);
    let first = Told::of(world.sold(&sale));
    assert_eq!(Told::of(world.sold(&sale)), first);
    assert_eq!((world.rows.jobs.len(), world.rows.holds.len()), (1, 1));
}

// A-619
#[test]
pub fn a_request_whose_quote_was_paid_at_the_till_itself_is_told_where_its_payment_is_known() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (quote.text("payment_id"), quote.text("fingerprint"));
    world.sold(&world.sale(&id, "rcpt_1", 9));
    // Another payment could be charged beside it, so none is sent on.
    let told = Told::of(world.verify(9, "hello", &fingerprint, &payment(9)));
    assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"));
    assert!(told.text("error").ends_with("send the same payment there again."), "{}", told.raw);
}

#[test]
pub fn a_second_payment_for_a_quote_is_refused_and_if_it_was_settled_paid_back() {
    let mut world = World::with_seller();
    let quote = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (quote.text("payment_id"), quote.text("fingerprint"));
    world.verify(9, "hello", &fingerprint, &payment(9));
    assert_eq!(world.verify(9, "hello", &fingerprint, &payment(9)), Answer::Till(id.clone()));
    let other = format!("{} ", payment(9));
    let told = Told::of(world.verify(9, "hello", &fingerprint, &other));
    assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"));
    world.sold(&world.sale(&id, "rcpt_1", 9));
    let told = Told::of(world.sold(&world.sale(&id, "rcpt_2", 8)));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(8)), 5000);
    assert_eq!(world.rows.jobs.len(), 1);
}

#[test]
pub fn what_the_gate_refused_for_certain_ends_the_quote_and_what_is_doubtful_does_not() {
    for (status, is_over) in [(402, true), (400, true), (409, false), (503, false), (200, false)] {
        let mut world = World::with_seller();
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        keyed.verify(&mut world, &keyed.signed("5000"));
        let answer = world.send(world.taken(&id, status));
        assert_eq!(world.rows.jobs.is_empty(), is_over, "{status}");
        if is_over {
            assert_eq!(Told::of(answer).code(), (400, "FACILITATOR_RESPONSE_INVALID"));
            assert_eq!(world.beat(1).text("seller_status"), "idle");
            assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
        } else {
            assert_eq!(answer, Answer::Nothing, "{status}");
            let payer = keyed.address.clone();
            let sale = TillPayment { payer, ..world.sale(&id, "rcpt_1", 9) };
            assert_eq!(Told::of(world.sold(&sale)).status, 200);
        }
    }
}

#[test]
pub fn another_wallet_than_the_buyer_s_buys_nothing_at_the_till_and_has_its_money_back() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let told = Told::of(world.sold(&world.sale(&id, "rcpt_8", 8)));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(8)), 5000);
    let upper = wallet(9).to_uppercase().replace("0X", "0x");
    let sale = TillPayment { payer: upper, ..world.sale(&id, "rcpt_9", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    assert_eq!(world.rows.jobs.len(), 1);
}

#[test]
pub fn a_payment_that_never_comes_back_leaves_the_quote_after_two_minutes() {
    let mut world = World::with_seller();
    let fingerprint = world.ask("10.0.0.1", 9, "hello").text("fingerprint");
    world.verify(9, "hello", &fingerprint, &payment(9));
    world.now += 119_999;
    world.alarm();
    assert_eq!(world.beat(1).text("seller_status"), "busy");
    world.now += 1;
    world.alarm();
    assert_eq!(world.beat(1).text("seller_status"), "reserved");
    assert!(world.rows.jobs.is_empty());
    world.now += 180_000;
    world.alarm();
    assert_eq!(world.beat(1).text("seller_status"), "idle");
}

#[test]
pub fn a_payment_that_comes_late_gets_another_free_seat_at_no_higher_price() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    world.now = NOON + 301_000;
    world.alarm();
    world.seller(2, "0.0051");
    world.seller(3, "0.0049");
    let told = Told::of(world.sold(&world.sale(&id, "rcpt_1", 9)));
    assert_eq!(told.status, 200);
    assert_eq!(world.rows.jobs[0].seller, wallet(3));
}

#[test]
pub fn a_settled_payment_that_gets_no_job_goes_back_to_who_paid() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    world.now = NOON + 301_000;
    world.alarm();
    let sale = world.sale(&id, "rcpt_1", 8);
    let told = Told::of(world.sold(&sale));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(8)), 5000);
    // The gate repeats it, and tells that it owes it.
    assert_eq!(Told::of(world.sold(&sale)).status, 409);
    assert_eq!(world.send(Command::Owed(Box::new(sale))), Answer::Done);
    world.now += 10_000_000;
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(8)), 5000);
    assert_eq!(world.rows.holds["rcpt_1"].state, HoldState::Ended(Leave::Refund));
}

#[test]
pub fn what_the_gate_owes_for_a_payment_that_never_reached_the_market_is_paid_back() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let sale = world.sale(&id, "rcpt_1", 9);
    assert_eq!(world.send(Command::Owed(Box::new(sale.clone()))), Answer::Done);
    assert_eq!(Told::of(world.sold(&sale)).status, 409, "no job after that");
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(9)), 5000);
}

#[test]
pub fn what_the_gate_owes_for_a_job_that_runs_is_not_paid_back() {
    let mut world = World::with_seller();
    world.running();
    let quote = world.rows.quotes[0].id.clone();
    let sale = world.sale(&quote, "rcpt_hello", 9);
    // It is told what became of the money, once that is over.
    assert_eq!(world.send(Command::Owed(Box::new(sale.clone()))), Answer::Done);
    assert_eq!(world.send(Command::Owed(Box::new(sale))), Answer::Nothing);
    world.alarm();
    assert!(world.treasury.payouts.is_empty());
}

#[test]
pub fn another_amount_buys_nothing_and_goes_back() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let sale = TillPayment { amount: "4999".into(), ..world.sale(&id, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 409);
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(9)), 4999);
}

#[test]
pub fn what_is_no_payment_of_this_till_changes_nothing() {
    let mut world = World::with_seller();
    let id = world.ask("10.0.0.1", 9, "hello").text("payment_id");
    let right = world.sale(&id, "rcpt_1", 9);
    for wrong in [
        TillPayment { asset: wallet(5), ..right.clone() },
        TillPayment { network: "eip155:1".into(), ..right.clone() },
        TillPayment { transaction: String::new(), ..right.clone() },
        TillPayment { payer: String::new(), ..right.clone() },
        TillPayment { amount: "0".into(), ..right.clone() },
        TillPayment { payment: String::new(), ..right.clone() },
    ] {
        assert_eq!(Told::of(world.sold(&wrong)).code(), (409, "INVALID_PAYMENT"), "{wrong:?}");
    }
    assert!(world.rows.holds.is_empty() && world.rows.jobs.is_empty());
}

#[test]
pub fn a_mock_market_takes_hashes_that_look_like_one() {
    let mut world = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    world.seller(1, "0.005");
    let quote = world.ask("10.0.0.1", 9, "hello");
    let mut verify = |hash: serde_json::Value| {
        let payload = world.order(9, "hello");
        let fingerprint = quote.text("fingerprint");
        let body = json!({"fingerprint": fingerprint, "tx_hash": hash, "payload": payload});
        world.told(Command::Verify { payment: String::new(), body: body.to_string() })
    };
    assert_eq!(verify(json!("abc")).code(), (400, "INVALID_TX_HASH"));
    assert_eq!(verify(json!(5)).text("error"), "tx_hash must be a non-empty string when provided.");
    assert_eq!(verify(json!(null)).code(), (402, "X_PAYMENT_REQUIRED"));
    let told = verify(json!("0xabc123"));
    assert_eq!((told.status, told.text("payment_mode")), (200, "mock".to_owned()));
    assert_eq!(told.text("settlement_tx_hash"), "0xabc123");
    assert_eq!(verify(json!("0xabc124")).code(), (409, "PAYMENT_ALREADY_VERIFIED"));
}

// A-191
#[test]
pub fn a_pretended_hash_pays_for_one_quote() {
    let mut world = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    world.seller(1, "0.005");
    world.seller(2, "0.005");
    let mut paid = |prompt: &str, hash: &str| {
        let quote = world.ask("10.0.0.1", 9, prompt);
        let payload = world.order(9, prompt);
        let body =
            json!({"fingerprint": quote.text("fingerprint"), "tx_hash": hash, "payload": payload});
        world.told(Command::Verify { payment: String::new(), body: body.to_string() })
    };
    assert_eq!(paid("one", "0xabc123").status, 200);
    for hash in ["0xabc123", "0xABC123"] {
        assert_eq!(paid("two", hash).code(), (409, "TX_ALREADY_USED"));
    }
    assert_eq!(paid("two", "0xabc124").status, 200);
}

#[test]
pub fn the_original_s_bare_payment_and_an_mpp_credential_name_their_payer() {
    for value in [
        json!({"authorization": {"from": wallet(9)}, "signature": "0x"}),
        json!({"payload": {"authorization": {"from": wallet(9).to_uppercase().replace("0X", "0x")}}}),
        json!({"source": format!("did:pkh:eip155:84532:{}", wallet(9))}),
    ] {
        let mut world = World::with_seller();
        let quote = world.ask("10.0.0.1", 9, "hello");
        let header = farebox_core::encoding::base64::encode(value.to_string().as_bytes());
        let answer = world.verify(9, "hello", &quote.text("fingerprint"), &header);
        assert_eq!(answer, Answer::Till(quote.text("payment_id")), "{value}");
    }
}

// A-261
#[test]
pub fn a_repeated_payment_is_shown_to_the_quote_that_it_paid_whatever_was_quoted_since() {
    let mut world = World::with_seller();
    world.seller(2, "0.005");
    let first = world.ask("10.0.0.1", 9, "hello");
    let (id, fingerprint) = (first.text("payment_id"), first.text("fingerprint"));
    let paid = |world: &mut World| world.verify(9, "hello", &fingerprint, &payment(9));
    assert_eq!(paid(&mut world), Answer::Till(id.clone()));
    world.sold(&world.sale(&id, "rcpt_1", 9));
    let second = world.ask("10.0.0.1", 9, "hello");
    assert_ne!(second.text("payment_id"), id);
    assert_eq!(second.text("fingerprint"), fingerprint);
    assert_eq!(paid(&mut world), Answer::Till(id));
    assert_eq!(world.rows.jobs.len(), 1);
}
