//! Dashboards and feeds: case 28 of the contract, and rows 120 and 126 to 128 of the features.

use farebox_core::compute::board::Board;
use farebox_core::compute::dashboard::{self, Scope};
use farebox_core::compute::feed::{self, FeedPage, FeedReader, OpenFeeds, Seen, View, WINDOW};
use farebox_core::compute::figures::About;
use farebox_core::compute::message::{Answer, JsonAnswer};
use farebox_core::compute::page::market_page;
use farebox_core::compute::row::{EventKind, HoldKind};
use farebox_core::compute::settings::Profile;
use farebox_core::market_page::Beside;
use serde_json::{Value, json};

use super::unheard::Keyed;
use super::world::{NOON, TX, Told, World, settings, wallet};

fn board(world: &World) -> Board {
    match world.view(View::Board) {
        Seen::Board(board) => *board,
        other => panic!("no board: {other:?}"),
    }
}

fn body(answer: JsonAnswer) -> Value {
    Told::of(Answer::Reply(answer)).body
}

fn page(world: &World, view: View) -> FeedPage {
    match world.view(view) {
        Seen::Feed(page) => page,
        other => panic!("no feed: {other:?}"),
    }
}

fn refused(world: &World, reader: FeedReader) -> u32 {
    match world.view(View::Feed(reader, Some(0))) {
        Seen::Reply(answer) => answer.status,
        other => panic!("read: {other:?}"),
    }
}

fn kinds(page: &FeedPage) -> Vec<String> {
    let kind = |text: &str| {
        let line: Value = serde_json::from_str(text).unwrap();
        line["type"].as_str().unwrap().to_owned()
    };
    page.lines.iter().map(|line| kind(&line.text)).collect()
}

fn session(world: &World, number: u8) -> String {
    format!("Bearer {}", world.sessions[&number])
}

/// A job that is done and paid out.
fn finished(world: &mut World, prompt: &str) -> Told {
    let told = world.buy(9, prompt);
    let job = told.text("job_id");
    world.start(1, &job);
    let answer = world.complete(1, &job);
    world.carry(answer);
    told
}

#[test]
pub fn the_summary_has_the_contract_s_members_and_twenty_four_hours() {
    let mut world = World::with_seller();
    world.seller(2, "0.006");
    world.register(3, json!({}));
    world.open(3);
    // It has proven nothing, and is not counted.
    world.register(4, json!({}));
    finished(&mut world, "one");
    world.ask("10.0.0.2", 9, "two");
    let summary = dashboard::summary(&[board(&world)]);
    let told = Told::of(Answer::Reply(summary));
    let beginning = concat!(
        r#"{"metrics":{"activeSellers":2,"openJobs":0,"completedJobs":1,"failedJobs":0,"#,
        r#""volume24h":"0.0050"},"activity24h":[{"hour":"2025-11-19T07:00:00Z","createdJobs":0,"settledJobs":0},"#
    );
    assert!(told.raw.starts_with(beginning), "{}", told.raw);
    let end = concat!(
        r#"{"hour":"2025-11-20T06:00:00Z","createdJobs":1,"settledJobs":1}],"#,
        r#""sellerStatus":{"offline":1,"idle":1,"reserved":1,"busy":0},"settlement":"#,
        r#"{"primary":"Kite x402 Escrow","fallback":"Mock fallback only","future":"Proof of result before release"},"#,
        r#""updatedAt":"2025-11-20T06:00:00Z"}"#
    );
    assert!(told.raw.ends_with(end), "{}", told.raw);
    assert_eq!(told.body["activity24h"].as_array().unwrap().len(), 24);
    let empty = body(dashboard::summary(&[board(&World::new())]));
    assert_eq!(
        (&empty["updatedAt"], &empty["metrics"]["volume24h"]),
        (&Value::Null, &json!("0.0000"))
    );
}

#[test]
pub fn each_end_of_a_job_is_counted_once() {
    let mut world = World::with_seller();
    let job = world.running();
    world.fail(1, &job);
    assert_eq!((world.rows.tally.open, world.rows.tally.failed), (1, 0), "the money is still here");
    world.now += 60_000;
    world.alarm();
    assert_eq!((world.rows.tally.open, world.rows.tally.failed), (0, 1));
    // The storage still has something due for it, as after a crash.
    let row = world.rows.jobs.iter_mut().find(|row| row.id == job).unwrap();
    row.due = Some(world.now);
    world.alarm();
    assert_eq!((world.rows.tally.open, world.rows.tally.failed), (0, 1));
    let hours: Vec<_> = world.rows.hours.values().collect();
    assert_eq!((hours.len(), hours[0].created, hours[0].settled), (1, 1, 1));
    assert_eq!((hours[0].units.as_str(), world.rows.records[&wallet(1)].failed), ("", 1));
}

#[test]
pub fn the_hours_move_on_and_what_is_older_than_a_day_is_not_shown() {
    let mut world = World::with_seller();
    finished(&mut world, "one");
    world.now += 23 * 3_600_000;
    let shown = body(dashboard::summary(&[board(&world)]));
    assert_eq!(shown["activity24h"][0]["settledJobs"], 1);
    assert_eq!(shown["metrics"]["volume24h"], "0.0050");
    world.now += 3_600_000;
    let shown = body(dashboard::summary(&[board(&world)]));
    assert_eq!(shown["activity24h"][0]["settledJobs"], 0);
    assert_eq!(
        (&shown["metrics"]["volume24h"], &shown["metrics"]["completedJobs"]),
        (&json!("0.0000"), &json!(1))
    );
}

#[test]
pub fn sellers_are_shown_as_they_are_and_live_rows_alone_have_links() {
    let mut world = World::with_seller();
    world.register(2, json!({"price_per_task": "0.001"}));
    world.open(2);
    world.register(3, json!({}));
    finished(&mut world, "one");
    world.ask("10.0.0.2", 9, "two");
    let market = body(dashboard::market(&[board(&world)]));
    let row = |id: String| {
        let rows = market["rows"].as_array().unwrap();
        rows.iter().find(|row| row["sellerId"] == id).unwrap().clone()
    };
    assert_eq!(market["rows"].as_array().unwrap().len(), 2, "the third has proven nothing");
    let (one, two) = (row(wallet(1)), row(wallet(2)));
    assert_eq!((&one["status"], &one["freeSeats"]), (&json!("reserved"), &json!(0)));
    assert_eq!((&two["status"], &two["pricePerTask"]), (&json!("offline"), &json!("0.0010")));
    assert_eq!(one["explorerUrl"], format!("https://sepolia.basescan.org/address/{}", wallet(1)));
    let settled = &market["recentSettlements"][0];
    assert_eq!(settled["explorerUrl"], format!("https://sepolia.basescan.org/tx/{TX}"));
    assert_eq!((&settled["type"], &settled["amount"]), (&json!("RELEASED"), &json!("0.0050")));
    let top: Vec<_> = market["topSellers"].as_array().unwrap().iter().collect();
    assert_eq!((top.len(), &top[0]["completedJobs"]), (1, &json!(1)));
    let mut mock = World::set(settings(HoldKind::Mock, Profile::DemoTestnet));
    mock.seller(1, "0.005");
    let text = dashboard::market(&[board(&mock)]).body;
    assert!(text.contains("\"explorerUrl\":null") && !text.contains("https://"), "{text}");
}

#[test]
pub fn no_view_has_a_prompt_a_result_a_token_or_a_network_address() {
    let mut world = World::with_seller();
    let told = finished(&mut world, "top secret prompt");
    world.ask("10.11.12.13", 8, "another secret prompt");
    let all = page(&world, View::Feed(FeedReader::Anyone, Some(0)));
    let boards = [board(&world)];
    let texts = [
        dashboard::summary(&boards).body,
        dashboard::market(&boards).body,
        dashboard::newest(&boards).body,
        all.poll_answer().body,
    ];
    let quote = world.rows.quotes[0].id.clone();
    for text in texts {
        for secret in [
            "secret",
            "\"text\"",
            "10.11",
            &told.text("job_token"),
            &wallet(9),
            &wallet(8),
            &quote,
            &world.sessions[&1],
        ] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
}

#[test]
pub fn every_kind_of_event_has_a_title_and_a_tone() {
    let mut world = World::with_seller();
    finished(&mut world, "one");
    let told = body(dashboard::newest(&[board(&world)]));
    let first = &told["events"][0];
    assert_eq!((&first["type"], &first["tone"]), (&json!("RELEASED"), &json!("positive")));
    let members: Vec<&String> = first.as_object().unwrap().keys().collect();
    assert_eq!(members.len(), 7);
    for name in ["id", "jobId", "type", "title", "message", "timestamp", "tone"] {
        assert!(members.contains(&&name.to_owned()), "{name}");
    }
    for kind in [EventKind::Failed, EventKind::RefundFailed, EventKind::DemoDone] {
        let name = serde_json::to_value(kind).unwrap();
        assert_eq!(name, kind.name());
    }
}

#[test]
pub fn what_was_never_a_paid_job_is_not_told_as_a_failed_one() {
    let mut world = World::with_seller();
    let keyed = Keyed::quoted(&mut world);
    keyed.verify(&mut world, &keyed.signed("5000"));
    let refused = world.taken(&keyed.quote.text("payment_id"), 402);
    world.send(refused);
    let late = world.sale(&"0".repeat(64), "rcpt_late", 9);
    world.sold(&late);
    let job = world.running();
    world.fail(1, &job);
    let told = body(dashboard::newest(&[board(&world)]));
    let events = told["events"].as_array().unwrap().iter();
    let failed = events.filter(|event| event["type"] == "FAILED");
    let failed: Vec<[&str; 2]> =
        failed.map(|it| ["title", "message"].map(|name| it[name].as_str().unwrap())).collect();
    let expected = [
        ["Job failed", "The job was not done."],
        ["Payment not served", "A payment could not be served and goes back."],
        ["Payment not confirmed", "No payment for the job was confirmed; its seat is free."],
    ];
    assert_eq!(failed, expected);
    let html = market_page(Scope::Testnet, &[board(&world)], Beside::Served);
    for [title, _] in expected {
        assert!(html.contains(title), "{title}");
    }
}

#[test]
pub fn a_cursor_loses_and_doubles_no_event_of_one_profile_or_two() {
    let mut one = World::set(settings(HoldKind::Escrow, Profile::DemoTestnet));
    let mut two = World::with_seller();
    for number in 1..=30 {
        one.now += 1_000;
        one.register(number, json!({}));
        one.open(number);
        two.now += 1_000;
        two.register(40 + number, json!({}));
        two.open(40 + number);
    }
    // A clock that went back.
    one.now = NOON;
    one.register(31, json!({}));
    one.open(31);
    let newest = body(dashboard::newest(&[board(&one), board(&two)]));
    assert_eq!(newest["events"].as_array().unwrap().len(), 20);
    let right: Vec<String> =
        vec![one.rows.events.len().to_string(), two.rows.events.len().to_string()];
    assert_eq!(newest["cursor"], right.join("."));
    let mut cursor = "0.0".to_owned();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = dashboard::cursors(Scope::Testnet, &cursor).unwrap();
        let later = |world: &World, after: u64| match world.view(View::Later(after)) {
            Seen::Events(events) => events,
            other => panic!("no events: {other:?}"),
        };
        let pages = [
            (Profile::DemoTestnet, after[0], later(&one, after[0])),
            (Profile::LiveTestnet, after[1], later(&two, after[1])),
        ];
        let told = body(dashboard::later(&pages));
        let events = told["events"].as_array().unwrap();
        if events.is_empty() {
            break;
        }
        seen.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        cursor = told["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(seen.len(), one.rows.events.len() + two.rows.events.len());
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len());
    assert_eq!(cursor, right.join("."));
    for wrong in ["", "1", "1.2.3", "a.b", "-1.0"] {
        assert_eq!(dashboard::cursors(Scope::Testnet, wrong), None, "{wrong}");
    }
}

#[test]
pub fn a_feed_is_read_with_the_token_of_its_seller_or_job_in_its_profile_alone() {
    let mut world = World::with_seller();
    world.seller(2, "0.006");
    let told = finished(&mut world, "one");
    let (job, token) = (told.text("job_id"), told.text("job_token"));
    let seller = |id: u8, token: &str| FeedReader::Seller(wallet(id), token.to_owned());
    let buyer = |id: &str, token: &str| FeedReader::Buyer(id.to_owned(), format!("Bearer {token}"));
    let own = page(&world, View::Feed(seller(1, &session(&world, 1)), Some(0)));
    let mine =
        ["SELLER_REGISTERED", "SELLER_ONLINE", "MATCHING", "PAID", "RUNNING", "DONE", "RELEASED"];
    assert_eq!(kinds(&own), mine);
    assert_eq!(own.until, Some(NOON + 900_000));
    let bought = page(&world, View::Feed(buyer(&job, &token), None));
    assert_eq!(kinds(&bought), ["PAID", "RUNNING", "DONE", "RELEASED"]);
    assert_eq!(refused(&world, seller(1, "")), 403);
    assert_eq!(refused(&world, seller(1, &session(&world, 2))), 403);
    assert_eq!(refused(&world, seller(7, &session(&world, 1))), 403);
    assert_eq!(refused(&world, buyer(&job, "")), 403);
    assert_eq!(refused(&world, buyer("another", &token)), 403);
    let mut other = World::set(settings(HoldKind::Escrow, Profile::DemoTestnet));
    other.register(1, json!({}));
    other.open(1);
    assert_eq!(refused(&other, seller(1, &session(&world, 1))), 403);
    assert_eq!(refused(&other, buyer(&job, &token)), 403, "the same secret, another profile");
    assert_eq!(other.read(&job, &token).status, 403);
}

#[test]
pub fn a_reader_goes_on_where_it_was_and_gets_at_most_a_window() {
    let mut world = World::with_seller();
    for number in 0..u8::try_from(WINDOW).unwrap() {
        world.register(100 + number, json!({}));
        world.open(100 + number);
    }
    let all = world.rows.events.len() as u64;
    let first = page(&world, View::Feed(FeedReader::Anyone, Some(0)));
    assert_eq!((first.lines.len() as u32, first.lines[0].number), (WINDOW, 1));
    let last = first.lines.last().unwrap().number;
    let rest = page(&world, View::Next(About::Profile, last));
    assert_eq!((rest.lines[0].number, rest.lines.last().unwrap().number), (last + 1, all));
    let fresh = page(&world, View::Feed(FeedReader::Anyone, None));
    assert_eq!((fresh.after, fresh.lines.len()), (all, 0));
    assert_eq!(body(fresh.poll_answer()), json!({"events": [], "cursor": all.to_string()}));
    assert_eq!(feed::cursor(Some(" 17 ")), Ok(Some(17)));
    assert_eq!(feed::cursor(Some("")), Ok(None));
    for wrong in ["-1", "+1", "1.5", "x", "9999999999999999"] {
        assert_eq!(feed::cursor(Some(wrong)).unwrap_err().status, 400, "{wrong}");
    }
}

/// Open feeds: of a tag, a network address, and how many.
fn feeds(tag: &str, client: &str, count: u32) -> OpenFeeds {
    OpenFeeds { tag: tag.to_owned(), client: client.to_owned(), count, ending: 0 }
}

// A-182
#[test]
pub fn who_opens_many_feeds_keeps_out_no_one() {
    let world = World::with_seller();
    let anyone = page(&world, View::Feed(FeedReader::Anyone, None));
    let seller = View::Feed(FeedReader::Seller(wallet(1), session(&world, 1)), None);
    let seller = page(&world, seller);
    let admitted = |page: &FeedPage, client: &str, open: &[OpenFeeds]| {
        let instead = |page: FeedPage| page.instead.map(|it| (it.tag, it.client));
        feed::admit_feed(page.clone(), client, open).map(instead).map_err(|answer| answer.status)
    };
    let of = |tag: &str, client: &str| Ok(Some((tag.to_owned(), client.to_owned())));
    // All that are free, by as many networks as that takes.
    let mut full: Vec<_> = (0..39).map(|at| feeds("all", &format!("10.0.0.{at}"), 50)).collect();
    full.push(feeds("all", "10.0.1.1", 60));
    assert_eq!(admitted(&seller, "10.0.0.1", &full), Ok(None), "a share of its own");
    assert_eq!(admitted(&anyone, "10.9.9.9", &full), of("all", "10.0.1.1"));
    assert_eq!(admitted(&anyone, "10.0.1.1", &full), Err(429), "no one has more");
    // Those who were let go and do not answer still have their connections.
    full[0].ending = 2_000;
    assert_eq!(admitted(&anyone, "10.9.9.9", &full), Err(429));
    // Each alone has a bound, and room is taken from no one where there is some.
    assert_eq!(admitted(&anyone, "b", &[feeds("all", "a", 64)]), Ok(None));
    assert_eq!(admitted(&anyone, "a", &[feeds("all", "a", 64)]), Err(429));
    assert_eq!(admitted(&anyone, "a", &[feeds("all", "a", 63)]), Ok(None));
    let unanswered = OpenFeeds { ending: 1, ..feeds("all", "a", 63) };
    assert_eq!(admitted(&anyone, "a", &[unanswered]), Err(429));
    let own = |count: u32| feeds(&seller.tag, "x", count);
    assert_eq!(admitted(&seller, "y", &[own(40), own(24)]), Err(429), "wherever it reads");
    assert_eq!(admitted(&seller, "y", &[own(40), own(23)]), Ok(None));
    // Of those who have proven who they are, the one that has the most makes room.
    let mut others: Vec<_> = (0..32).map(|at| feeds(&format!("job:{at}"), "x", 62)).collect();
    others.push(feeds("job:32", "y", 63));
    assert_eq!(admitted(&seller, "y", &others), of("job:32", "y"));
}

#[test]
pub fn the_scope_is_the_query_s_else_the_preferred_one() {
    let of = |query: &str| Scope::of(query, Some(Scope::Demo)).map_err(|answer| answer.status);
    assert_eq!(of(""), Ok(Scope::Demo));
    assert_eq!(of("mode=live"), Ok(Scope::Mainnet));
    assert_eq!(of("mode=live&network=testnet"), Ok(Scope::Testnet));
    assert_eq!(of("network=mainnet"), Ok(Scope::Mainnet));
    assert_eq!(of("mode=demo&network=mainnet"), Ok(Scope::Demo));
    assert_eq!(Scope::of("", None), Ok(Scope::Mainnet));
    assert_eq!((of("mode=x"), of("network=x")), (Err(400), Err(400)));
    assert_eq!(Scope::Testnet.profiles(), [Profile::DemoTestnet, Profile::LiveTestnet]);
}
