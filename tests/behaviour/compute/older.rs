//! Ways of the original behind their flags: direct transfers by hash, and callbacks that a seller signs.

use farebox_core::compute::Gateway;
use farebox_core::compute::errand::Errands;
use farebox_core::compute::message::{
    Answer, Callback, Command, PayoutAnswer, PayoutCall, SellerRequest, TillPayment,
};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::{OlderWays, Profile, ProfileSettings};
use farebox_core::compute::vars::Profiles;
use farebox_core::evm::address::Address;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::transfers::Transfer;
use super::world::{ESCROW, NOON, PRICE, Told, World, errand, key_of, settings, signed, wallet};

const HASH: &str = "0xabababababababababababababababababababababababababababababababab";
/// Blocks that a transfer needs.
const BLOCKS: u64 = 3;
/// A buyer and a seller whose keys are known.
const BUYER: u8 = 201;
const SELLER: u8 = 202;

fn world(older: OlderWays) -> World {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { older, ..set });
    world.seller(SELLER, "0.005");
    world
}

fn direct() -> World {
    closed(0)
}

/// Takes transfers that are newer than this second.
fn closed(closed_before: u64) -> World {
    world(OlderWays { direct_transfers: Some(BLOCKS), closed_before, ..OlderWays::default() })
}

fn word(text: &str) -> String {
    format!("0x{:0>64}", text.trim_start_matches("0x").to_lowercase())
}

/// What a node says of the buyer's transfer.
fn chain(change: impl FnOnce(&mut Value)) -> String {
    Transfer { hash: HASH, buyer: BUYER, at: NOON / 1000 - 4 }.replies(change)
}

/// A second before noon, as a node writes it.
fn time(before: u64) -> String {
    format!("{:#x}", NOON / 1000 - before)
}

/// Shows a hash for the buyer's open quote; `None` asks without a node.
fn show(world: &mut World, hash: &str, signature: &str, evidence: Option<String>) -> Answer {
    let payload = world.order(BUYER, "hello");
    let body = json!({
        "fingerprint": world.rows.quotes[0].fingerprint, "tx_hash": hash,
        "buyer_signature": signature, "payload": payload,
    });
    let asked = Command::Verify { payment: String::new(), body: body.to_string() };
    world.send_with(asked, evidence)
}

/// The exchange once its profile asks for another address.
fn asks_for(escrow: Address) -> Gateway {
    let older = OlderWays { direct_transfers: Some(BLOCKS), ..OlderWays::default() };
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    Gateway::new(ProfileSettings { older, escrow, ..set }).unwrap()
}

fn quoted(world: &mut World) -> String {
    assert_eq!(world.ask("10.0.0.1", BUYER, "hello").status, 402);
    signed(BUYER, &world.rows.quotes[0].fingerprint)
}

#[test]
fn a_transfer_by_hash_is_refused_unless_the_profile_takes_it() {
    let mut world = world(OlderWays::default());
    let signature = quoted(&mut world);
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(told.code(), (402, "X_PAYMENT_REQUIRED"));
    assert!(world.rows.jobs.is_empty());
}

#[test]
pub fn a_transfer_of_the_buyer_buys_its_quote_once() {
    let mut world = direct();
    let signature = quoted(&mut world);
    let Answer::Evidence(question) = show(&mut world, HASH, &signature, None) else {
        panic!("the chain is not read");
    };
    assert!(question.contains("eth_getTransactionReceipt") && question.contains(HASH));
    // The block that has it is asked for once its number is known.
    let mut first: Vec<Value> = serde_json::from_str(&chain(|_| {})).unwrap();
    first.pop();
    let reply = Value::from(first).to_string();
    let Answer::Evidence(question) = show(&mut world, HASH, &signature, Some(reply)) else {
        panic!("the block is not read");
    };
    assert!(question.contains(r#""eth_getBlockByNumber","params":["0x10",false]"#), "{question}");
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!((told.status, told.text("payment_mode")), (200, "direct-escrow".into()));
    assert_eq!(told.text("settlement_tx_hash"), HASH);
    let again = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!((again, world.rows.jobs.len()), (told.clone(), 1));
    // The profile may ask for another address since.
    let before = settings(HoldKind::Escrow, Profile::LiveTestnet).escrow;
    world.gateway = asks_for(Address::parse(&wallet(77)).unwrap());
    let later = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(later, told);
    world.gateway = asks_for(before);
    // For another quote it is used, in whatever spelling.
    world.rows.quotes[0].fingerprint = "other".into();
    world.rows.quotes[0].client = "10.0.0.9".into();
    world.beat(SELLER);
    world.rows.jobs[0].state = farebox_core::compute::row::JobState::Done;
    quoted_again(&mut world);
    let upper = format!("0x{}", HASH[2..].to_uppercase());
    for hash in [HASH, &upper] {
        let signature = signed(BUYER, &world.rows.quotes[1].fingerprint);
        world.rows.quotes.swap(0, 1);
        let told = Told::of(show(&mut world, hash, &signature, Some(chain(|_| {}))));
        world.rows.quotes.swap(0, 1);
        assert_eq!(told.code(), (409, "TX_ALREADY_USED"));
    }
}

fn quoted_again(world: &mut World) {
    assert_eq!(world.ask("10.0.0.2", BUYER, "hello").status, 402);
}

// A-258
#[test]
pub fn a_hash_of_what_was_paid_at_the_till_pays_no_other_quote() {
    let mut world = direct();
    let signature = quoted(&mut world);
    let quote = world.rows.quotes[0].clone();
    let mut sale = world.sale("00", "rcpt_1", BUYER);
    sale.transaction = HASH.into();
    // A payment that bought no job is noted too.
    world.sold(&sale);
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(told.code(), (409, "TX_ALREADY_USED"));
    assert!(world.rows.jobs.iter().all(|job| job.quote != quote.id));
}

// A-258
#[test]
pub fn a_transfer_that_was_shown_pays_nothing_at_the_till() {
    let mut world = direct();
    world.seller(203, "0.005");
    let signature = quoted(&mut world);
    let job = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {})))).text("job_id");
    let (client, body) = ("10.0.0.2".into(), world.order(BUYER, "more").to_string());
    let quote = world.told(Command::Quote { client, body }).text("payment_id");
    // A gate that takes hashes settles by the same transfer, and owes it when no job is made.
    let sale = TillPayment {
        transaction: HASH.to_uppercase().replace("0X", "0x"),
        ..world.sale(&quote, "rcpt_1", BUYER)
    };
    assert_eq!(Told::of(world.sold(&sale)).code(), (409, "TX_ALREADY_USED"));
    world.send(Command::Owed(Box::new(sale)));
    world.alarm();
    assert_eq!((world.rows.jobs.len(), world.treasury.arrived(&wallet(BUYER))), (1, 0));
    assert_eq!(world.rows.jobs[0].id, job);
}

// A-790
#[test]
pub fn a_gate_hears_that_it_owes_nothing_for_a_transfer_that_was_shown_before() {
    // It bought a job, or came after its quote had ended, and goes back.
    for is_late in [false, true] {
        let mut world = direct();
        world.seller(203, "0.005");
        let signature = quoted(&mut world);
        if is_late {
            world.now += 301_000;
            world.alarm();
        }
        let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
        assert_eq!(told.status, if is_late { 409 } else { 200 });
        world.alarm();
        let back = if is_late { PRICE.parse().unwrap() } else { 0 };
        assert_eq!(world.treasury.arrived(&wallet(BUYER)), back, "{is_late}");
        world.seller(203, "0.005");
        let (client, body) = ("10.0.0.2".into(), world.order(BUYER, "more").to_string());
        let quote = world.told(Command::Quote { client, body }).text("payment_id");
        let sale = TillPayment { transaction: HASH.into(), ..world.sale(&quote, "rcpt_1", BUYER) };
        let sold = PayoutCall::Refunding { payment: "rcpt_1".into(), restored: true, sold: true };
        // Its row is as good as new where a restored gate has forgotten the word.
        for told in [Command::Sold(Box::new(sale.clone())), Command::Owed(Box::new(sale.clone()))] {
            world.send(told);
            let answer = world.send(Command::Due(Errands::default()));
            let asked = errand(answer);
            assert_eq!(asked.ask, sold, "{is_late}");
            let body = json!({"state": "sold"}).to_string();
            world.report(&asked, Some(PayoutAnswer { status: 200, body }));
            assert_eq!(world.send(Command::Due(Errands::default())), Answer::Nothing);
            let again = Told::of(world.sold(&sale));
            assert_eq!(again.code(), (409, "TX_ALREADY_USED"), "{is_late}");
        }
        world.alarm();
        assert_eq!(world.treasury.arrived(&wallet(BUYER)), back, "{is_late}: once");
        // Only its notice has come.
        let other = TillPayment { payment: "rcpt_2".into(), ..sale };
        assert_eq!(world.send(Command::Owed(Box::new(other))), Answer::Done);
        let asked = errand(world.send(Command::Due(Errands::default())));
        let sold = PayoutCall::Refunding { payment: "rcpt_2".into(), restored: true, sold: true };
        assert_eq!(asked.ask, sold, "{is_late}");
        // A gate that is silent is told again, until a person has to look.
        world.report(&asked, None);
        while let Some(due) = world.rows.holds["rcpt_2"].due {
            world.now = due;
            if let Answer::Errand(asked) = world.send(Command::Due(Errands::default())) {
                world.report(&asked, None);
            }
        }
        assert_eq!(world.rows.holds["rcpt_2"].progress(), "untold");
    }
}

#[test]
fn a_repeat_is_answered_though_the_request_was_quoted_again() {
    let mut world = direct();
    world.seller(203, "0.005");
    let signature = quoted(&mut world);
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!((told.status, world.ask("10.0.0.2", BUYER, "hello").status), (200, 402));
    assert_eq!(Told::of(show(&mut world, HASH, &signature, None)), told);
}

#[test]
fn what_is_no_hash_is_refused_before_anything_is_asked_or_written() {
    let mut world = direct();
    let signature = quoted(&mut world);
    let before = world.rows.clone();
    for hash in ["0x12345678", "0xabc123", "abc", &HASH[2..], &format!("{HASH}00")] {
        let told = Told::of(show(&mut world, hash, &signature, None));
        assert_eq!(told.code(), (400, "INVALID_TX_HASH"), "{hash}");
    }
    assert_eq!(before.jobs.len(), world.rows.jobs.len());
    assert_eq!(before.events.len(), world.rows.events.len());
}

#[test]
pub fn a_hash_without_the_buyer_s_signature_over_the_fingerprint_buys_nothing() {
    let mut world = direct();
    quoted(&mut world);
    let fingerprint = world.rows.quotes[0].fingerprint.clone();
    for signature in [signed(SELLER, &fingerprint), signed(BUYER, HASH), "0x".into(), "no".into()] {
        let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
        assert_eq!(told.code(), (403, "BUYER_SIGNATURE_INVALID"), "{signature}");
    }
    assert!(world.rows.jobs.is_empty());
}

#[test]
pub fn a_transfer_of_another_token_amount_payer_payee_or_sender_buys_nothing() {
    type Change = fn(&mut Value);
    let other = json!(word(&wallet(9)));
    assert!(other.is_string());
    let table: &[(&str, u32, &str, Change)] = &[
        ("none", 400, "RECEIPT_NOT_FOUND", |it| it["receipt"] = Value::Null),
        ("failed", 400, "TX_NOT_SUCCESSFUL", |it| {
            it["receipt"]["status"] = json!("0x0");
            it["receipt"]["logs"] = json!([]);
        }),
        ("token", 400, "TX_TOKEN_TRANSFER_MISSING", |it| {
            it["receipt"]["logs"][0]["address"] = json!(wallet(9));
        }),
        ("nothing", 400, "TX_TOKEN_TRANSFER_MISSING", |it| it["receipt"]["logs"] = json!([])),
        ("amount", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| {
            it["receipt"]["logs"][0]["data"] = json!(word("0x1387"));
        }),
        ("payer", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| {
            it["receipt"]["logs"][0]["topics"][1] = json!(word(&wallet(9)));
        }),
        ("payee", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| {
            it["receipt"]["logs"][0]["topics"][2] = json!(word(&wallet(9)));
        }),
        // A facilitator's transaction pays at the till.
        ("sender", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| it["sent"]["from"] = json!(wallet(9))),
        ("call", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| it["sent"]["input"] = json!("0x12345678")),
        ("contract", 400, "TX_TOKEN_TRANSFER_MISMATCH", |it| it["sent"]["to"] = json!(wallet(9))),
    ];
    for (name, status, code, change) in table {
        let mut world = direct();
        let signature = quoted(&mut world);
        let told = Told::of(show(&mut world, HASH, &signature, Some(chain(change))));
        assert_eq!(told.code(), (*status, *code), "{name}");
        assert!(world.rows.jobs.is_empty() && world.rows.holds.is_empty(), "{name}");
    }
    let mut world = direct();
    let signature = quoted(&mut world);
    for reply in [String::new(), "[]".into(), chain(|_| {}).replace("0x14a34", "0x1")] {
        let told = Told::of(show(&mut world, HASH, &signature, Some(reply)));
        assert_eq!(told.code(), (500, "RECEIPT_VERIFY_FAILED"));
    }
}

#[test]
pub fn a_transfer_pays_when_it_has_its_blocks() {
    let mut world = direct();
    let signature = quoted(&mut world);
    for (newest, blocks) in [("0xf", 0), ("0x10", 1), ("0x11", 2)] {
        let reply = chain(|it| it["newest"]["number"] = json!(newest));
        let told = Told::of(show(&mut world, HASH, &signature, Some(reply)));
        assert_eq!(told.code(), (400, "RECEIPT_NOT_FOUND"));
        assert!(told.text("error").contains(&format!("{blocks} of 3 blocks")), "{told:?}");
    }
    assert!(world.rows.jobs.is_empty() && world.rows.holds.is_empty());
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(told.status, 200);
}

#[test]
pub fn a_transfer_of_last_month_buys_nothing() {
    let mut world = direct();
    let signature = quoted(&mut world);
    for change in [
        |it: &mut Value| it["block"]["timestamp"] = json!(time(604_801)),
        |it: &mut Value| it["block"] = Value::Null,
    ] {
        let told = Told::of(show(&mut world, HASH, &signature, Some(chain(change))));
        assert_eq!(told.code(), (400, "TX_TOKEN_TRANSFER_MISMATCH"));
    }
    let reply = chain(|it| it["block"]["timestamp"] = json!(time(604_800)));
    assert_eq!(Told::of(show(&mut world, HASH, &signature, Some(reply))).status, 200);
}

// A-311
#[test]
pub fn a_transfer_from_before_a_restore_buys_nothing() {
    // The ledger of the backup knows neither the hash nor what it bought.
    let mined = NOON / 1000 - 4;
    for (closed_before, is_taken) in [(mined + 60, false), (mined, false), (mined - 1, true)] {
        let mut world = closed(closed_before);
        let signature = quoted(&mut world);
        let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
        assert_eq!(world.rows.jobs.len(), usize::from(is_taken), "{closed_before}");
        match is_taken {
            true => assert_eq!(told.status, 200),
            false => assert_eq!(told.code(), (400, "TX_BEFORE_RESTORE")),
        }
        world.alarm();
        assert_eq!(world.treasury.arrived(&wallet(BUYER)), 0, "nothing goes back twice");
    }
}

#[test]
fn a_transfer_for_a_quote_that_is_over_gets_another_seat_or_goes_back() {
    let mut world = direct();
    let signature = quoted(&mut world);
    world.now += 301_000;
    world.alarm();
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(BUYER)), PRICE.parse::<u64>().unwrap());
}

// A-288
#[test]
pub fn a_transfer_at_an_earlier_price_of_its_order_goes_back() {
    let mut world = direct();
    let signature = quoted(&mut world);
    world.now += 301_000;
    world.alarm();
    // Anyone may ask for the same order again, and its seller sells at another price by now.
    world.seller(SELLER, "0.006");
    assert_eq!(world.ask("10.0.0.7", BUYER, "hello").text("amount"), "0.006");
    let told = Told::of(show(&mut world, HASH, &signature, Some(chain(|_| {}))));
    assert_eq!(told.code(), (409, "QUOTE_EXPIRED"));
    world.alarm();
    assert_eq!(world.treasury.arrived(&wallet(BUYER)), PRICE.parse::<u64>().unwrap());
}

#[test]
fn a_transfer_that_is_shown_once_its_profile_asks_for_another_address_is_noted_nowhere() {
    let mut world = direct();
    let signature = quoted(&mut world);
    world.gateway = asks_for(Address::parse(&wallet(77)).unwrap());
    let shown = |world: &mut World| {
        let told = Told::of(show(world, HASH, &signature, Some(chain(|_| {}))));
        assert!(world.rows.jobs.is_empty() && world.rows.holds.is_empty(), "{told:?}");
        (told.status, told.text("code"))
    };
    assert_eq!(shown(&mut world), (409, "QUOTE_PAYMENT_PROFILE_MISMATCH".into()));
    world.seller(203, "0.005");
    quoted_again(&mut world);
    assert_eq!(shown(&mut world), (400, "TX_TOKEN_TRANSFER_MISMATCH".into()));
}

/// A callback that a seller signs at some second.
fn callback(world: &World, (action, job): (&str, &str), at: u64, more: &Value) -> SellerRequest {
    let signed_at = UnixTime::from_secs(at).rfc3339();
    let id = wallet(SELLER);
    let text = format!(
        "QuotaDEX Seller Callback\naction: {action}\njob_id: {job}\nseller_id: {id}\nsigned_at: {signed_at}"
    );
    let mut body = json!({
        "seller_id": id, "network_profile": world.gateway.profile().name(),
        "seller_signature": signed(SELLER, &text), "seller_signed_at": signed_at,
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    SellerRequest { authorization: String::new(), body: body.to_string() }
}

fn signing() -> (World, String) {
    let mut world = world(OlderWays { seller_signatures: true, ..OlderWays::default() });
    let job = world.buy(9, "hello").text("job_id");
    (world, job)
}

fn start(world: &mut World, job: &str, request: SellerRequest) -> (u32, String) {
    let (id, callback) = (job.to_owned(), Callback::Start);
    let told = Told::of(world.send(Command::Call { id, callback, request }));
    (told.status, told.text("code"))
}

#[test]
fn a_seller_that_signs_its_callbacks_needs_no_session() {
    let (mut world, job) = signing();
    let now = world.now / 1000;
    let request = callback(&world, ("poll", "seller-jobs"), now, &json!({}));
    let told = Told::of(world.send(Command::SellerJobs(request)));
    assert_eq!((told.status, &told.body["jobs"][0]["job_id"]), (200, &json!(job)));
    let request = callback(&world, ("start", &job), now, &json!({}));
    assert_eq!(start(&mut world, &job, request), (200, String::new()));
    let request = callback(&world, ("complete", &job), now, &json!({"result": "done"}));
    let id = job.clone();
    let answer = world.send(Command::Call { id, callback: Callback::Complete, request });
    assert_eq!(Told::of(world.carry(answer)).text("status"), "done");
}

#[test]
pub fn a_signature_counts_for_five_minutes_and_a_minute_ahead() {
    let (mut world, job) = signing();
    let now = world.now / 1000;
    let refused = (403, "SELLER_SIGNATURE_INVALID".to_owned());
    for at in [now - 301, now + 61] {
        let request = callback(&world, ("start", &job), at, &json!({}));
        assert_eq!(start(&mut world, &job, request), refused, "{at}");
    }
    for at in [now - 300, now + 60] {
        let (mut world, job) = signing();
        let request = callback(&world, ("start", &job), at, &json!({}));
        assert_eq!(start(&mut world, &job, request), (200, String::new()), "{at}");
    }
}

#[test]
pub fn a_signature_for_another_action_job_or_seller_counts_for_nothing() {
    let (mut world, job) = signing();
    let now = world.now / 1000;
    let refused = (403, "SELLER_SIGNATURE_INVALID".to_owned());
    let wrong = [
        callback(&world, ("complete", &job), now, &json!({})),
        callback(&world, ("start", "seller-jobs"), now, &json!({})),
        callback(
            &world,
            ("start", &job),
            now,
            &json!({"seller_signed_at": "2025-11-20T06:00:01Z"}),
        ),
        callback(&world, ("start", &job), now, &json!({"seller_signed_at": "today"})),
        callback(&world, ("start", &job), now, &json!({"seller_signature": "zz"})),
    ];
    // A node that knows no such contract.
    let answer = |id: u64, result: &str| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let reply = json!([answer(1, "0x14a34"), answer(2, "0x")]).to_string();
    for request in wrong {
        let asked = Command::Call { id: job.clone(), callback: Callback::Start, request };
        let told = Told::of(world.send_with(asked, Some(reply.clone())));
        assert_eq!((told.status, told.text("code")), refused);
    }
    // Without the flag, signatures are not looked at.
    let mut plain = super::world::World::new();
    plain.seller(SELLER, "0.005");
    let job = plain.buy(9, "hello").text("job_id");
    let request = callback(&plain, ("start", &job), now, &json!({}));
    assert_eq!(start(&mut plain, &job, request), refused);
}

#[test]
fn a_wallet_that_is_a_contract_is_asked_whether_it_signed() {
    let (mut world, job) = signing();
    let now = world.now / 1000;
    let odd = json!({"seller_signature": format!("0x{}", "ab".repeat(70))});
    let request = callback(&world, ("start", &job), now, &odd);
    let call = |world: &mut World, evidence: Option<String>| {
        let (id, request) = (job.clone(), request.clone());
        world.send_with(Command::Call { id, callback: Callback::Start, request }, evidence)
    };
    let Answer::Evidence(question) = call(&mut world, None) else { panic!("it is not asked") };
    let calls: Value = serde_json::from_str(&question).unwrap();
    let data = calls[1]["params"][0]["data"].as_str().unwrap();
    assert_eq!(calls[1]["params"][0]["to"], json!(wallet(SELLER)));
    assert!(data.starts_with("0x1626ba7e") && (data.len() - 10).is_multiple_of(64), "{data}");
    assert_eq!(&data[74..138], format!("{:064x}", 64));
    assert_eq!(&data[138..202], format!("{:064x}", 70));
    let told = |result: &str| {
        let answer = |id: u64, result: &str| json!({"jsonrpc": "2.0", "id": id, "result": result});
        Some(json!([answer(1, "0x14a34"), answer(2, result)]).to_string())
    };
    let magic = format!("0x1626ba7e{}", "0".repeat(56));
    for (evidence, status) in [
        (told("0x"), 403),
        (told(&format!("0x{}", "0".repeat(64))), 403),
        (Some(String::new()), 403),
        (told(&magic), 200),
    ] {
        assert_eq!(Told::of(call(&mut world, evidence)).status, status);
    }
    assert_eq!(key_of(SELLER).address().to_lower_hex(), wallet(SELLER));
}

#[test]
pub fn no_node_is_asked_about_the_signature_of_a_seller_that_never_had_a_session() {
    const REGISTERED: u8 = 7;
    const UNKNOWN: u8 = 8;
    let (mut world, job) = signing();
    world.register(REGISTERED, json!({}));
    let now = world.now / 1000;
    for number in [REGISTERED, UNKNOWN] {
        let odd = json!({
            "seller_id": wallet(number), "seller_signature": format!("0x{}", "ab".repeat(70)),
        });
        let request = callback(&world, ("poll", "seller-jobs"), now, &odd);
        let asked = [
            Command::SellerJobs(request.clone()),
            Command::Call { id: job.clone(), callback: Callback::Start, request },
        ];
        for command in asked {
            // A node's question would be another answer than an answer.
            let told = Told::of(world.send(command));
            assert_eq!(
                (told.status, told.text("error")),
                (403, "The seller is not registered.".into())
            );
        }
    }
}

#[test]
fn what_a_profile_takes_beside_is_set_in_its_entry_and_each_fault_has_its_place() {
    let faults = |more: &[(&str, Value)], bindings: &[&str]| {
        let mut entry = json!({
            "profile": "live-testnet", "network": "eip155:84532", "hold": "contract",
            "bonds": wallet(66), "escrow": ESCROW, "organization": "acme", "wallet": "escrow",
            "min_price": "0.01",
        });
        for (name, value) in more {
            entry[name] = value.clone();
        }
        let vars = json!({
            "EXCHANGE_SECRET": "s".repeat(32), "MARKET_URL": "https://gate.example.com",
            "ORIGIN_SECRET": "o".repeat(32), "PAYOUT_TOKEN": "p".repeat(32),
            "bindings": bindings, "EXCHANGE_PROFILES": [entry],
        });
        let errors = Profiles::from_vars(&vars.to_string()).err().unwrap_or_default();
        errors.into_iter().map(|error| error.variable).collect::<Vec<_>>()
    };
    let all = ["EXCHANGE", "GATE", "TREASURY", "PROOF"];
    let right = [
        ("direct_transfers", json!(12)),
        ("transfers_closed_before", json!(1_800_000_000)),
        ("seller_signatures", json!(true)),
        ("unjudged", json!("released")),
    ];
    assert_eq!(faults(&right, &all), Vec::<String>::new());
    let place = |name: &str| vec![format!("EXCHANGE_PROFILES[0].{name}")];
    for (name, value) in [
        ("direct_transfers", json!(0)),
        ("direct_transfers", json!(1_001)),
        ("direct_transfers", json!(true)),
        ("transfers_closed_before", json!(-1)),
        ("transfers_closed_before", json!(1_u64 << 41)),
        ("transfers_closed_before", json!("yesterday")),
        ("seller_signatures", json!("yes")),
        ("unjudged", json!("paid")),
    ] {
        assert_eq!(faults(&[(name, value)], &all), place(name));
    }
    let waits = [("hold", json!("completion")), ("direct_transfers", json!(12))];
    assert_eq!(faults(&waits, &all), place("direct_transfers"));
    assert_eq!(faults(&[("unjudged", json!("refunded"))], &all[..3]), ["PROOF"]);
    // The contract needs what a wallet needs.
    assert_eq!(faults(&[("escrow", Value::Null)], &all), place("escrow"));
    assert_eq!(faults(&[("wallet", Value::Null)], &all), place("wallet"));
    assert_eq!(faults(&[], &all[..2]), ["TREASURY"]);
}
