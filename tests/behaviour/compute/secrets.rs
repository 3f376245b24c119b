//! A secret that was changed: what the one before has made is read as long as that is told, and what
//! nobody can read is not sold.

use farebox_core::compute::Gateway;
use farebox_core::compute::message::{Answer, Callback, Command, TillPayment};
use farebox_core::compute::row::{HoldKind, JobState, QuoteState, SellerRow};
use farebox_core::compute::settings::{OlderWays, Profile, ProfileSettings, Unjudged};
use farebox_core::secret::Secret;
use serde_json::{Value, json};

use super::bonds::{SIGNS, bind, challenge, show, signed_challenge};
use super::transfers::Transfer;
use super::unheard::{Keyed, bought};
use super::world::{NOON, PRICE, TX, Told, URL, World, payment, settings, signed, wallet};

/// Whether the secret before is told with the new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Former {
    Told,
    Gone,
}

fn price() -> u64 {
    PRICE.parse().unwrap()
}

fn judged(hold: HoldKind, unjudged: Option<Unjudged>) -> World {
    let set = settings(hold, Profile::LiveTestnet);
    let mut world = World::set(ProfileSettings { unjudged, ..set });
    world.seller(1, "0.005");
    world
}

fn world(hold: HoldKind) -> World {
    judged(hold, None)
}

/// Deploys these settings with another secret.
fn deploy(world: &mut World, set: ProfileSettings, former: Former) {
    let previous = (former == Former::Told).then(|| Secret::new(set.secret.expose().clone()));
    let secret = Secret::new("n".repeat(32));
    world.gateway = Gateway::new(ProfileSettings { secret, previous, ..set }).unwrap();
}

/// Deploys with another secret. Sessions end by that, and the seller opens another one.
fn rotate(world: &mut World, hold: HoldKind, former: Former, unjudged: Option<Unjudged>) {
    let set = settings(hold, Profile::LiveTestnet);
    deploy(world, ProfileSettings { unjudged, ..set }, former);
    let beat = world.beat(1);
    assert_eq!(beat.code(), (403, "SELLER_SESSION_INVALID"), "{beat:?}");
    world.sessions.clear();
    assert_eq!(world.open(1).status, 200);
}

/// The work that the seller is shown.
fn work(world: &mut World) -> Vec<Value> {
    let told = world.told(Command::SellerJobs(world.request(1, &json!({}))));
    told.body["jobs"].as_array().unwrap().clone()
}

fn arrived(world: &World) -> (u64, u64) {
    (world.treasury.arrived(&wallet(9)), world.treasury.arrived(&wallet(1)))
}

//
#[test]
fn a_paid_job_that_nobody_can_read_is_paid_back_and_shown_to_no_seller() {
    for hold in [HoldKind::Escrow, HoldKind::Contract] {
        let mut world = world(hold);
        let job = world.buy(9, "hello").text("job_id");
        assert_eq!(work(&mut world)[0]["payload"]["prompt"], "hello");
        rotate(&mut world, hold, Former::Gone, None);
        assert_eq!(work(&mut world), Vec::<Value>::new(), "{hold:?}");
        world.alarm();
        assert_eq!(arrived(&world), (price(), 0), "{hold:?}");
        let row = &world.rows.jobs[0];
        assert_eq!((&row.id, row.state), (&job, JobState::Failed));
        assert_eq!(Told::of(world.call(1, &job, Callback::Start, &json!({}))).status, 409);
        // Its seller has not failed.
        assert!(!world.events().contains(&"seller_offline".to_owned()), "{:?}", world.events());
    }
}

#[test]
fn a_job_that_nobody_can_read_is_paid_back_though_its_seller_does_not_ask() {
    let mut world = world(HoldKind::Escrow);
    let first = world.buy(9, "hello").text("job_id");
    world.now += 30_000;
    rotate(&mut world, HoldKind::Escrow, Former::Gone, None);
    // Nor is it given to another one, who is there.
    world.seller(2, "0.005");
    world.alarm_once();
    world.alarm();
    assert_eq!(arrived(&world), (price(), 0));
    let row = world.rows.jobs.iter().find(|row| row.id == first).unwrap();
    assert_eq!((row.attempts, row.seller.clone()), (1, wallet(1)));
}

//
#[test]
fn a_quote_that_nobody_can_read_has_no_price_and_a_payment_for_it_goes_back() {
    for (former, status) in [(Former::Gone, 404), (Former::Told, 200)] {
        let mut world = world(HoldKind::Escrow);
        let quote = world.ask("10.0.0.1", 9, "hello").text("payment_id");
        rotate(&mut world, HoldKind::Escrow, former, None);
        let told = world.told(Command::Price(format!("{URL}/till/{quote}")));
        assert_eq!(told.status, status, "{former:?}");
        // The gate has kept its price.
        let sold = world.sold(&world.sale(&quote, "rcpt_1", 9));
        let sold = Told::of(sold);
        world.alarm();
        match former {
            Former::Gone => {
                assert_ne!(sold.status, 200);
                assert_eq!((arrived(&world), world.rows.jobs.len()), ((price(), 0), 0));
            }
            Former::Told => {
                assert_eq!(sold.status, 200);
                assert_eq!(work(&mut world)[0]["payload"]["prompt"], "hello");
            }
        }
    }
}

//
#[test]
fn what_the_secret_before_has_made_is_read_while_it_is_told() {
    let mut world = world(HoldKind::Escrow);
    let quote = world.ask("10.0.0.1", 9, "hello");
    let bought = world.buy(9, "hello");
    let (job, token) = (bought.text("job_id"), bought.text("job_token"));
    rotate(&mut world, HoldKind::Escrow, Former::Told, None);
    // The same payment is the same job, by either way.
    let (id, fingerprint) = (quote.text("payment_id"), quote.text("fingerprint"));
    assert_eq!(world.verify(9, "hello", &fingerprint, &payment(9)), Answer::Till(id.clone()));
    let (client, body) = ("10.0.0.1".to_owned(), world.order(9, "hello").to_string());
    assert_eq!(world.send(Command::Buy { client, payment: payment(9), body }), Answer::Till(id));
    assert_eq!(work(&mut world)[0]["payload"]["prompt"], "hello");
    assert_eq!(world.start(1, &job).status, 200);
    let answer = world.complete(1, &job);
    assert_eq!(Told::of(world.carry(answer)).status, 200);
    assert_eq!(arrived(&world), (0, price()));
    let read = world.read(&job, &token);
    assert_eq!((read.status, &read.body["result"]), (200, &json!({"text": "done"})));
    // A request that is quoted again has the quote that it had.
    let open = world.ask("10.0.0.2", 8, "again").text("payment_id");
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let (secret, previous) = (Secret::new("m".repeat(32)), Some(Secret::new("n".repeat(32))));
    world.gateway = Gateway::new(ProfileSettings { secret, previous, ..set }).unwrap();
    assert_eq!(world.ask("10.0.0.2", 8, "again").text("payment_id"), open);
}

//
#[test]
fn a_payment_of_a_quote_before_the_change_is_its_own_whatever_was_quoted_since() {
    for is_sold in [true, false] {
        let mut world = world(HoldKind::Escrow);
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        rotate(&mut world, HoldKind::Escrow, Former::Told, None);
        let mut payment = keyed.signed_until("5000", NOON / 1000 + 900);
        payment["resource"] = json!({"url": format!("{URL}/till/{id}")});
        assert_eq!(bought(&mut world, &keyed, &payment), Answer::Till(id.clone()));
        // Its answer is lost: the gate has sold it, or is not heard of.
        if is_sold {
            let sale = world.sale(&id, "rcpt_1", 9);
            let sale = TillPayment { payer: keyed.address.clone(), ..sale };
            assert_eq!(Told::of(world.sold(&sale)).status, 200);
        } else {
            for later in [120_000, 420_000] {
                world.now = NOON + later;
                world.alarm();
            }
            assert_eq!(world.rows.quotes[0].state, QuoteState::Lapsed);
        }
        // The same is ordered once more, and has a quote by the present secret.
        world.seller(2, "0.005");
        let next = Keyed::asks(&mut world, 7, "10.0.0.2").quote;
        assert_ne!(next.text("payment_id"), id);
        assert_ne!(next.text("fingerprint"), keyed.quote.text("fingerprint"));
        let again = bought(&mut world, &keyed, &payment);
        assert_eq!(again, Answer::Till(id), "{is_sold}");
    }
}

//
#[test]
fn a_payment_that_names_no_quote_is_its_job_s_whatever_was_quoted_since_the_change() {
    let shapes: [fn(&Keyed) -> Value; 3] = [
        |keyed| keyed.signed("5000"),
        |keyed| keyed.signed("5000")["payload"].clone(),
        |keyed| {
            let source = format!("did:pkh:eip155:84532:{}", keyed.address);
            json!({"challenge": {"id": "1"}, "source": source, "payload": {"signature": "0x"}})
        },
    ];
    for shape in shapes {
        let mut world = world(HoldKind::Escrow);
        let keyed = Keyed::quoted(&mut world);
        let id = keyed.quote.text("payment_id");
        let payment = shape(&keyed);
        assert_eq!(bought(&mut world, &keyed, &payment), Answer::Till(id.clone()), "{payment}");
        let sale = TillPayment { payer: keyed.address.clone(), ..world.sale(&id, "rcpt_1", 9) };
        assert_eq!(Told::of(world.sold(&sale)).status, 200);
        rotate(&mut world, HoldKind::Escrow, Former::Told, None);
        // The same is ordered once more, and has a quote by the present secret.
        world.now += 301_000;
        world.seller(2, "0.005");
        world.seller(3, "0.005");
        let next = Keyed::asks(&mut world, 7, "10.0.0.2").quote;
        assert_ne!(next.text("fingerprint"), keyed.quote.text("fingerprint"));
        assert_eq!(bought(&mut world, &keyed, &payment), Answer::Till(id), "{payment}");
        // For another buyer's order it is a payment for another request, as it was.
        let other = Keyed::asks(&mut world, 8, "10.0.0.3");
        let told = Told::of(bought(&mut world, &other, &payment));
        assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"), "{payment}");
    }
}

//
#[test]
fn a_token_of_the_secret_before_reads_nothing_that_is_newer() {
    let mut world = world(HoldKind::Escrow);
    rotate(&mut world, HoldKind::Escrow, Former::Told, None);
    let bought = world.buy(9, "hello");
    let job = bought.text("job_id");
    assert_eq!(world.read(&job, &bought.text("job_token")).status, 200);
    // The token that the job has for an exchange with the first secret.
    let mut leaked = World::new();
    leaked.rows = world.rows.clone();
    let row = leaked.rows.jobs[0].clone();
    let stolen = Told::of(leaked.sold(&leaked.sale(&row.quote, &row.payment, 9)));
    let stolen = stolen.text("job_token");
    assert_eq!(leaked.read(&job, &stolen).status, 200);
    assert_eq!(world.read(&job, &stolen).code(), (403, "JOB_TOKEN_INVALID"));
}

#[test]
fn a_result_of_a_prompt_that_nobody_can_read_is_not_judged() {
    for (unjudged, moved) in
        [(Unjudged::Refunded, (price(), 0)), (Unjudged::Released, (0, price()))]
    {
        let mut world = judged(HoldKind::Escrow, Some(unjudged));
        let job = world.running();
        rotate(&mut world, HoldKind::Escrow, Former::Gone, Some(unjudged));
        assert_eq!(work(&mut world), Vec::<Value>::new());
        let answer = world.complete(1, &job);
        world.carry(answer);
        assert_eq!(arrived(&world), moved, "{unjudged:?}");
    }
}

fn renew(world: &mut World, number: u8, token: &str) -> Told {
    let more = json!({"passport_agent_id": "agent-1", "seller_renewal_token": token});
    show(world, number, &more, &Value::Null)
}

//
#[test]
fn who_was_bound_without_a_signature_is_bound_by_another_bond_under_another_secret() {
    for former in [Former::Told, Former::Gone] {
        let mut world = World::new();
        world.register(1, json!({}));
        let first = challenge(&mut world, "10.0.0.1", 1, "agent-1");
        let before = bind(&mut world, 1, "agent-1", &first, 101).text("seller_renewal_token");
        deploy(&mut world, settings(HoldKind::Escrow, Profile::LiveTestnet), former);
        world.sessions.clear();
        assert_eq!(renew(&mut world, 1, &before).code(), (403, "PASSPORT_AUTH_REQUIRED"));
        let next = challenge(&mut world, "10.0.0.1", 1, "agent-1");
        assert_eq!(next.text("status"), "ok", "{former:?}");
        let bound = bind(&mut world, 1, "agent-1", &next, 102);
        assert_eq!((bound.status, world.beat(1).status), (200, 200), "{former:?}");
        // What it has now renews, so that there is nothing more to ask for.
        world.sessions.clear();
        let told = challenge(&mut world, "10.0.0.1", 1, "agent-1");
        assert_eq!(told.text("status"), "already_verified");
        assert_eq!(renew(&mut world, 1, &bound.text("seller_renewal_token")).status, 200);
        assert_eq!(renew(&mut world, 1, &before).status, 403);
    }
}

//
#[test]
fn who_has_signed_is_bound_by_a_signature_alone_under_another_secret_too() {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    let first = signed_challenge(&mut world, "agent-1", |text| text);
    assert_eq!(bind(&mut world, SIGNS, "agent-1", &first, 101).status, 200);
    deploy(&mut world, settings(HoldKind::Escrow, Profile::LiveTestnet), Former::Told);
    world.sessions.clear();
    for agent in ["agent-1", "x"] {
        let told = challenge(&mut world, "10.9.9.9", SIGNS, agent);
        assert_eq!(told.text("status"), "already_verified", "{agent}");
    }
    let next = signed_challenge(&mut world, "agent-1", |text| text);
    assert_eq!(bind(&mut world, SIGNS, "agent-1", &next, 102).status, 200);
}

//
#[test]
fn a_renewal_of_a_version_of_before_renews_and_keeps_its_seller_from_no_other_bond() {
    let mut world = World::new();
    world.register(1, json!({}));
    let first = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    let token = bind(&mut world, 1, "agent-1", &first, 101).text("seller_renewal_token");
    let mut row = serde_json::to_value(&world.rows.sellers[&wallet(1)]).unwrap();
    row.as_object_mut().unwrap().remove("keyed");
    let older: SellerRow = serde_json::from_value(row).unwrap();
    world.rows.sellers.insert(wallet(1), older);
    world.sessions.clear();
    let asks = |world: &mut World, status: &str| {
        let told = challenge(world, "10.0.0.1", 1, "agent-1");
        assert_eq!((told.status, told.text("status").as_str()), (200, status));
    };
    // Nobody knows under which secret it was made, and so whether it renews still.
    let mut changed = World::new();
    changed.rows = world.rows.clone();
    deploy(&mut changed, settings(HoldKind::Escrow, Profile::LiveTestnet), Former::Told);
    asks(&mut changed, "ok");
    assert_eq!(renew(&mut changed, 1, &token).code(), (403, "PASSPORT_AUTH_REQUIRED"));
    asks(&mut world, "ok");
    assert_eq!(renew(&mut world, 1, &token).status, 200);
    asks(&mut world, "already_verified");
    deploy(&mut world, settings(HoldKind::Escrow, Profile::LiveTestnet), Former::Told);
    asks(&mut world, "ok");
}

/// A buyer whose key is known.
const BUYER: u8 = 203;

/// Settings of a profile that takes a buyer's own transfers.
fn direct() -> ProfileSettings {
    let older = OlderWays { direct_transfers: Some(3), ..OlderWays::default() };
    ProfileSettings { older, ..settings(HoldKind::Escrow, Profile::LiveTestnet) }
}

/// Shows the buyer's transfer for a quote of this prompt, with this wallet's signature.
fn show_transfer(world: &mut World, fingerprint: &str, signer: u8, prompt: &str) -> Told {
    let body = json!({
        "fingerprint": fingerprint, "tx_hash": TX, "payload": world.order(BUYER, prompt),
        "buyer_signature": signed(signer, fingerprint),
    });
    let asked = Command::Verify { payment: String::new(), body: body.to_string() };
    let transfer = Transfer { hash: TX, buyer: BUYER, at: NOON / 1000 - 4 };
    Told::of(world.send_with(asked, Some(transfer.replies(|_| {}))))
}

//
#[test]
fn a_transfer_for_a_quote_that_nobody_can_read_goes_back() {
    // Its quote is open still, or has ended, and with it its prompt.
    for later in [0, 301_000] {
        let mut world = World::set(direct());
        world.seller(1, "0.005");
        let quote = world.ask("10.0.0.1", BUYER, "hello").text("fingerprint");
        deploy(&mut world, direct(), Former::Gone);
        world.now += later;
        world.alarm();
        let of_another = show_transfer(&mut world, &quote, SIGNS, "hello");
        assert_eq!(of_another.code(), (403, "BUYER_SIGNATURE_INVALID"), "{later}");
        assert!(world.rows.holds.is_empty());
        let shown = show_transfer(&mut world, &quote, BUYER, "hello");
        assert_eq!(shown.code(), (409, "QUOTE_EXPIRED"), "{later}");
        for _ in 0..2 {
            world.alarm();
            assert_eq!(world.treasury.arrived(&wallet(BUYER)), price(), "{later}");
            let again = show_transfer(&mut world, &quote, BUYER, "hello");
            assert_eq!(again.code(), (409, "TX_ALREADY_USED"), "{later}");
        }
        assert!(world.rows.jobs.is_empty());
        let unknown = show_transfer(&mut world, &quote.replace('a', "b"), BUYER, "hello");
        assert_eq!(unknown.code(), (403, "FINGERPRINT_INVALID"));
    }
}

//
#[test]
fn a_transfer_buys_no_other_order_than_the_one_that_was_quoted() {
    for former in [None, Some(Former::Told)] {
        let mut world = World::set(direct());
        world.seller(1, "0.005");
        let quote = world.ask("10.0.0.1", BUYER, "hello").text("fingerprint");
        if let Some(former) = former {
            deploy(&mut world, direct(), former);
        }
        let other = show_transfer(&mut world, &quote, BUYER, "more");
        assert_eq!(other.code(), (403, "FINGERPRINT_INVALID"), "{former:?}");
        assert!(world.rows.holds.is_empty());
    }
}
