//! Payments: the guards of verify in the contract's order, and what the gate says was paid.

use farebox_core::amount::Amount;
use farebox_core::compute::Gateway;
use farebox_core::compute::message::{Answer, Command, TillPayment};
use farebox_core::compute::row::{HoldKind, HoldState, JobState, Leave, QuoteState};
use farebox_core::compute::settings::Profile;
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::world::{ESCROW, NOON, TX, Told, URL, USDC, World, payment, settings, wallet};

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
    fn signed_until(&self, units: &str, end: u64) -> Value {
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

// A-260
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

// A-683
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

// A-709
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

// A-726
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

// A-726
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

// A-260
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

// A-294
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

// A-488
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

// A-488
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
