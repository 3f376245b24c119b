//! Payments of which the gate was not heard: what becomes of their quotes, and of what is shown again.

use farebox_core::amount::Amount;
use farebox_core::compute::message::{Answer, Command, TillPayment};
use farebox_core::compute::row::{HoldState, JobState, Leave, QuoteState};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::world::{ESCROW, NOON, Told, USDC, World};

/// A buyer with a key, and its quote.
pub(super) struct Keyed {
    account: Account,
    pub address: String,
    pub quote: Told,
}

impl Keyed {
    pub fn quoted(world: &mut World) -> Self {
        Self::asks(world, 7, "10.0.0.1")
    }

    /// The buyer with this key asks from this network.
    pub fn asks(world: &mut World, key: u8, client: &str) -> Self {
        let account = Account::from_candidates(std::iter::once(Secret::new([key; 32]))).unwrap();
        let address = account.address().to_lower_hex();
        let body = Self::order(&address).to_string();
        let quote = world.told(Command::Quote { client: client.into(), body });
        assert_eq!(quote.status, 402, "{quote:?}");
        Self { account, address, quote }
    }

    fn order(address: &str) -> Value {
        json!({
            "buyer_id": address, "capability": "llm", "prompt": "hello",
            "network_profile": "live-testnet",
        })
    }

    /// What its wallet signs for this many units, as a message of version 1.
    pub fn signed(&self, units: &str) -> Value {
        self.signed_until(units, NOON / 1000 + 300)
    }

    /// The same, until this second.
    pub fn signed_until(&self, units: &str, end: u64) -> Value {
        self.signed_as(units, end, 3)
    }

    /// The same, with this nonce.
    fn signed_as(&self, units: &str, end: u64, nonce: u8) -> Value {
        let usdc = Domain {
            name: "USDC",
            version: "2",
            chain_id: 84_532,
            verifying_contract: Address::parse(USDC).unwrap(),
        };
        let terms = Authorization {
            from: self.account.address(),
            to: Address::parse(&ESCROW.to_lowercase()).unwrap(),
            value: Amount::from_atomic(units).unwrap(),
            valid_after: UnixTime::from_secs(0),
            valid_before: UnixTime::from_secs(end),
            nonce: [nonce; 32],
        };
        let signature = self.account.sign(&terms.digest(&usdc.separator())).unwrap();
        let authorization = json!({
            "from": self.account.address().to_checksum(), "to": ESCROW, "value": units,
            "validAfter": "0", "validBefore": end.to_string(),
            "nonce": hex::encode_prefixed(&[nonce; 32]),
        });
        let signature = hex::encode_prefixed(&signature.to_bytes());
        json!({
            "x402Version": 1, "scheme": "exact", "network": "base-sepolia",
            "payload": {"signature": signature, "authorization": authorization},
        })
    }

    pub fn verify(&self, world: &mut World, payment: &Value) -> Answer {
        let payment = base64::encode(payment.to_string().as_bytes());
        let fingerprint = self.quote.text("fingerprint");
        let body = json!({"fingerprint": fingerprint, "payload": Self::order(&self.address)});
        world.send(Command::Verify { payment, body: body.to_string() })
    }
}

//
#[test]
pub fn a_payment_that_was_never_heard_of_frees_the_seat_and_ends_no_quote() {
    // An old payment of the buyer's own, shown by a stranger.
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let id = keyed.quote.text("payment_id");
    assert_eq!(keyed.verify(&mut world, &keyed.signed("5000")), Answer::Till(id.clone()));
    world.now += 120_000;
    world.alarm();
    assert!(world.rows.jobs.is_empty());
    assert_eq!(world.rows.quotes[0].state, QuoteState::Displaced);
    world.beat(1);
    let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    assert_eq!(world.rows.jobs.len(), 1);
}

//
#[test]
pub fn a_payment_that_was_not_heard_of_is_told_no_other_terms_while_it_can_be_settled() {
    // Shown early, and shown just before its quote ends.
    for begins in [0, 290_000] {
        let mut world = World::with_seller();
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        let end = NOON / 1000 + 900;
        let mut payment = keyed.signed_until("5000", end);
        payment["x402Version"] = json!(2);
        payment["resource"] = json!({"url": format!("https://gate.example.com/till/{id}")});
        let buy = |world: &mut World, payment: &Value| {
            let payment = match payment {
                Value::Null => String::new(),
                payment => base64::encode(payment.to_string().as_bytes()),
            };
            let (client, body) = ("10.0.0.1".into(), Keyed::order(&keyed.address).to_string());
            world.send(Command::Buy { client, payment, body })
        };
        world.now += begins;
        world.open(1);
        world.beat(1);
        assert_eq!(buy(&mut world, &payment), Answer::Till(id.clone()));
        world.now += 120_000;
        world.alarm();
        world.now = NOON + 420_000;
        world.alarm();
        assert!(world.rows.jobs.is_empty());
        assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
        world.open(1);
        world.beat(1);
        assert_eq!(buy(&mut world, &payment), Answer::Till(id.clone()), "the gate knows of it");
        // Who shows no payment is told terms, and so is another signature.
        let next = Told::of(buy(&mut world, &Value::Null));
        assert_eq!(next.code(), (402, "PAYMENT_REQUIRED"));
        assert_ne!(next.text("payment_id"), id);
        assert_eq!(
            buy(&mut world, &payment),
            Answer::Till(id.clone()),
            "whatever was quoted since"
        );
        // Once nothing can be settled any more there are new terms.
        world.now = end * 1000;
        world.open(1);
        world.beat(1);
        world.alarm();
        let told = Told::of(buy(&mut world, &payment));
        assert_eq!(told.code(), (402, "PAYMENT_REQUIRED"));
        assert_ne!(told.text("payment_id"), id);
    }
}

//
#[test]
pub fn a_payment_that_was_not_heard_of_is_worked_for_when_it_comes() {
    // Shown early, and shown just before its quote ends; of a network's first quotes, and of later ones.
    for (begins, is_among_first) in [(0, true), (290_000, true), (0, false), (290_000, false)] {
        let mut world = World::with_seller();
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        if !is_among_first {
            world.rows.quotes[0].firm = 0;
        }
        world.now += begins;
        world.open(1);
        world.beat(1);
        assert_eq!(keyed.verify(&mut world, &keyed.signed("5000")), Answer::Till(id.clone()));
        world.now += 120_000;
        world.alarm();
        world.now = NOON + 420_000;
        world.alarm();
        assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
        world.open(1);
        world.beat(1);
        // The gate has found the transfer.
        let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
        let told = Told::of(world.sold(&sale));
        if !is_among_first {
            assert_eq!((told.code().1, world.rows.jobs.len()), ("QUOTE_EXPIRED", 0));
            assert_eq!(world.rows.holds["rcpt_1"].state, HoldState::Paying(Leave::Refund));
            continue;
        }
        assert_eq!(told.status, 200, "{begins}: {told:?}");
        assert!(!world.rows.jobs[0].prompt.is_empty());
        assert_eq!(world.start(1, &told.text("job_id")).status, 200);
        // The answer was lost: the same request with the same bytes has no other terms, whenever it comes.
        let buy = |world: &mut World, mut payment: Value| {
            payment["resource"] = json!({"url": format!("https://gate.example.com/till/{id}")});
            let payment = base64::encode(payment.to_string().as_bytes());
            let (client, body) = ("10.0.0.1".into(), Keyed::order(&keyed.address).to_string());
            world.send(Command::Buy { client, payment, body })
        };
        // Another payment of the buyer's would be charged beside it, and so would one for new terms.
        let other = keyed.signed_as("5000", NOON / 1000 + 900, 4);
        let other = Told::of(buy(&mut world, other));
        assert_eq!(other.code(), (409, "PAYMENT_ALREADY_VERIFIED"), "{begins}");
        for wait in [0, 600_000] {
            world.now += wait;
            let answer = buy(&mut world, keyed.signed("5000"));
            assert_eq!(answer, Answer::Till(id.clone()), "{begins} {wait}");
        }
    }
}

//
#[test]
pub fn of_two_payments_that_were_not_heard_of_none_is_sent_on_beside_the_one_that_came() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let id = keyed.quote.text("payment_id");
    let buy = |world: &mut World, nonce: u8| {
        let mut payment = keyed.signed_as("5000", NOON / 1000 + 900, nonce);
        payment["resource"] = json!({"url": format!("https://gate.example.com/till/{id}")});
        let payment = base64::encode(payment.to_string().as_bytes());
        let (client, body) = ("10.0.0.1".into(), Keyed::order(&keyed.address).to_string());
        world.send(Command::Buy { client, payment, body })
    };
    assert_eq!(buy(&mut world, 3), Answer::Till(id.clone()));
    world.send(world.taken(&id, 429));
    // It alone is out: the same bytes are sent on, and change nothing of that.
    assert_eq!(buy(&mut world, 3), Answer::Till(id.clone()));
    world.send(world.taken(&id, 429));
    assert!(!world.rows.quotes[0].lost.is_empty());
    assert_eq!(buy(&mut world, 4), Answer::Till(id.clone()));
    // While the gate looks at the second one, the first is told no new terms.
    let told = Told::of(buy(&mut world, 3));
    assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"));
    world.now += 120_000;
    world.alarm();
    assert!(world.rows.jobs.is_empty());
    world.open(1);
    world.beat(1);
    // One of them has come, and its answer is lost.
    let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    for nonce in [4, 3, 4] {
        let told = Told::of(buy(&mut world, nonce));
        assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"), "{nonce}");
        assert!(told.text("error").ends_with("send the same payment there again."), "{nonce}");
    }
    assert_eq!(world.rows.quotes.len(), 1, "no new terms");
}

//
#[test]
pub fn what_was_lost_is_not_sent_on_beside_a_transfer_that_bought_its_quote() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let id = keyed.quote.text("payment_id");
    let mut payment = keyed.signed_as("5000", NOON / 1000 + 900, 3);
    payment["resource"] = json!({"url": format!("https://gate.example.com/till/{id}")});
    let payment = base64::encode(payment.to_string().as_bytes());
    let body = Keyed::order(&keyed.address).to_string();
    let bought = Command::Buy { client: "10.0.0.1".into(), payment, body };
    assert_eq!(world.send(bought.clone()), Answer::Till(id.clone()));
    world.send(world.taken(&id, 429));
    let transfer = format!("0x{}", "ab".repeat(32));
    let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, &transfer, 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    assert_eq!(world.told(bought).code(), (409, "PAYMENT_ALREADY_VERIFIED"));
}

//
#[test]
pub fn a_payment_that_anyone_could_make_up_ends_no_quote() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let id = keyed.quote.text("payment_id");
    let right = keyed.signed("5000");
    let forged = |change: &dyn Fn(&mut Value)| {
        let mut forged = right.clone();
        change(&mut forged["payload"]);
        forged
    };
    for payment in [
        forged(&|it| it["signature"] = format!("0x{}1b", "11".repeat(64)).into()),
        forged(&|it| it["signature"] = "0x".into()),
        forged(&|it| it["authorization"]["value"] = "4999".into()),
        forged(&|it| it["authorization"]["nonce"] = hex::encode_prefixed(&[4; 32]).into()),
        forged(&|it| it["authorization"]["validBefore"] = json!(null)),
    ] {
        let events = world.events().len();
        assert_eq!(keyed.verify(&mut world, &payment), Answer::Till(id.clone()), "{payment}");
        let told = world.told(world.taken(&id, 402));
        assert_eq!(told.code(), (400, "FACILITATOR_RESPONSE_INVALID"), "{payment}");
        assert_eq!(world.rows.quotes[0].state, QuoteState::Open, "{payment}");
        assert!(world.rows.jobs.is_empty(), "{payment}");
        assert_eq!(world.events().len(), events, "it is no news");
    }
    assert_eq!(keyed.verify(&mut world, &right), Answer::Till(id.clone()));
    let payer = keyed.address.clone();
    let sale = TillPayment { payer, ..world.sale(&id, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
    // After its end there is nothing left to keep open.
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    world.now += 240_000;
    world.open(1);
    world.beat(1);
    keyed.verify(&mut world, &forged(&|it| it["signature"] = "0x".into()));
    world.now += 120_000;
    world.alarm();
    assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
}

//
#[test]
pub fn what_has_the_nonce_of_a_payment_that_settles_and_no_signature_of_its_buyer_ends_nothing() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let id = keyed.quote.text("payment_id");
    let right = keyed.signed("5000");
    assert_eq!(keyed.verify(&mut world, &right), Answer::Till(id.clone()));
    // The chain shows the signature too, which someone may send in a message that no one takes.
    for (member, value) in [
        ("/payload/signature", json!(format!("0x{}1b", "11".repeat(64)))),
        ("/x402Version", json!(9)),
        ("/scheme", json!("upto")),
    ] {
        let mut forged = right.clone();
        *forged.pointer_mut(member).unwrap() = value;
        let told = Told::of(keyed.verify(&mut world, &forged));
        assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"), "{member}");
    }
    assert_eq!(keyed.verify(&mut world, &right), Answer::Till(id.clone()), "its buyer asks again");
    let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
    assert_eq!(Told::of(world.sold(&sale)).status, 200);
}

//
#[test]
pub fn the_same_bytes_are_the_same_payment_to_the_gate_whichever_field_they_come_in() {
    let mut world = World::with_seller();
    let first = Keyed::quoted(&mut world).signed("5000");
    let mut second = first.clone();
    second["x402Version"] = json!(2);
    let text = |message: &Value| base64::encode(message.to_string().as_bytes());
    for (payment, field) in [
        (text(&first), "x-payment"),
        (text(&second), "payment-signature"),
        (format!("Payment {}", text(&json!({"challenge": {}}))), "authorization"),
        (format!("payment {}", text(&first)), "authorization"),
    ] {
        let shown = world.gateway.present_payment(&payment);
        assert_eq!((shown.field, shown.value), (field, payment));
    }
}

//
#[test]
pub fn what_the_gate_says_of_a_repeat_ends_no_job_whose_payment_settles() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    let (id, right) = (keyed.quote.text("payment_id"), keyed.signed("5000"));
    for _ in 0..2 {
        assert_eq!(keyed.verify(&mut world, &right), Answer::Till(id.clone()));
    }
    let first = world.taken(&id, 402);
    let began = world.began.insert(id.clone(), String::new());
    for status in [400, 402] {
        let told = world.told(world.taken(&id, status));
        assert_eq!(told.code(), (409, "PAYMENT_VERIFY_FAILED"), "{status}");
        assert_eq!(told.body["details"]["gate"], "payment_in_progress");
        assert_eq!(world.rows.jobs[0].state, JobState::Settling);
        assert_eq!(world.beat(1).text("seller_status"), "busy");
    }
    assert_eq!(began, Some(world.rows.jobs[0].id.clone()));
    assert_eq!(world.told(first).code(), (400, "FACILITATOR_RESPONSE_INVALID"));
    assert!(world.rows.jobs.is_empty());
}

/// A copy of a payment for another order, in the name of the same buyer.
fn copied(world: &mut World, keyed: &Keyed) -> Answer {
    let order = |prompt: &str| {
        let mut order = Keyed::order(&keyed.address);
        order["prompt"] = prompt.into();
        order
    };
    let body = order("x").to_string();
    let quote = world.told(Command::Quote { client: "10.0.0.9".into(), body });
    assert_eq!(quote.status, 402, "{quote:?}");
    let mut copy = keyed.signed("5000");
    copy["payload"]["signature"] = format!("0x{}1b", "11".repeat(64)).into();
    let payment = base64::encode(copy.to_string().as_bytes());
    let body = json!({"fingerprint": quote.text("fingerprint"), "payload": order("x")}).to_string();
    world.send(Command::Verify { payment, body })
}

/// The buyer sends the same order and payment.
pub(super) fn bought(world: &mut World, keyed: &Keyed, payment: &Value) -> Answer {
    let payment = base64::encode(payment.to_string().as_bytes());
    let body = Keyed::order(&keyed.address).to_string();
    world.send(Command::Buy { client: "10.0.0.1".into(), payment, body })
}

//
#[test]
pub fn a_copy_for_another_order_does_not_hide_the_job_of_a_payment() {
    for (is_signed, is_sold) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = World::with_seller();
        world.seller(2, "0.005");
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        let mut right = keyed.signed("5000");
        if !is_signed {
            // Of a contract's signature only the chain tells whose it is.
            right["payload"]["signature"] = "0x22".into();
        }
        assert_eq!(bought(&mut world, &keyed, &right), Answer::Till(id.clone()));
        if is_sold {
            let payer = keyed.address.clone();
            let sale = TillPayment { payer, ..world.sale(&id, "rcpt_1", 9) };
            assert_eq!(Told::of(world.sold(&sale)).status, 200);
        }
        assert!(matches!(copied(&mut world, &keyed), Answer::Till(_)));
        assert_eq!(world.rows.jobs.len(), 2);
        let again = bought(&mut world, &keyed, &right);
        assert_eq!(again, Answer::Till(id.clone()), "{is_signed} {is_sold}");
        assert_eq!(keyed.verify(&mut world, &right), Answer::Till(id), "{is_signed} {is_sold}");
    }
}

//
#[test]
pub fn a_copy_for_another_order_does_not_hide_a_payment_that_was_not_heard_of() {
    for is_sold in [false, true] {
        let mut world = World::with_seller();
        world.seller(2, "0.005");
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        let mut payment = keyed.signed_until("5000", NOON / 1000 + 900);
        payment["resource"] = json!({"url": format!("https://gate.example.com/till/{id}")});
        assert_eq!(bought(&mut world, &keyed, &payment), Answer::Till(id.clone()));
        world.now += 120_000;
        world.alarm();
        world.now = NOON + 420_000;
        world.alarm();
        assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
        for seller in [1, 2] {
            world.open(seller);
            world.beat(seller);
        }
        if is_sold {
            // The gate has found the transfer, and its answer was lost.
            let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
            assert_eq!(Told::of(world.sold(&sale)).status, 200);
        }
        assert!(matches!(copied(&mut world, &keyed), Answer::Till(_)));
        assert_eq!(bought(&mut world, &keyed, &payment), Answer::Till(id), "{is_sold}");
    }
}
