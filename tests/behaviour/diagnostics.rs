//! Counts of failures against a plain model, what an isolate may remember, and texts that name nobody.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use farebox_core::gate::attempts::handle::NewHandle;
use farebox_core::gate::attempts::{Attempts, CountedBy, CountedRequest};
use farebox_core::gate::diagnose::{Circumstances, Failures, Thresholds, info_schema};
use farebox_core::gate::keys::Keys;
use farebox_core::ledger::attempts::{
    ClientCount, Count, FailureCause, FailureStreak, IDLE_SECS, StreakKey,
};
use farebox_core::ledger::command::VERSION;
use farebox_core::payment::Cause;
use farebox_core::time::UnixTime;
use farebox_core::x402::extension::diagnostic::SCHEMA;
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::world::facilitator::Verify;
use crate::world::payer::Payer;
use crate::world::{Response, With, World, paid, request, schema};

const CAUSES: [Cause; 9] = [
    Cause::Unpaid,
    Cause::Funds,
    Cause::Expired,
    Cause::Early,
    Cause::Signature,
    Cause::Terms,
    Cause::Replayed,
    Cause::Trouble,
    Cause::Unknown,
];

fn keys() -> Keys {
    Keys::new(&[7; 32], &[9; 16], None)
}

fn failure(cause: Cause) -> FailureCause {
    FailureCause { cause, reason: String::new() }
}

fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(1_760_000_000 + secs)
}

static ROUTE: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("/r"));

/// A request of a stranger at a route whose operator is notified so early that each failure is
/// written.
fn seen(network: &str) -> CountedRequest<'_> {
    CountedRequest { exceeded_after: 20, ..by_default(network) }
}

/// A request of a stranger at a route with the default thresholds.
fn by_default(network: &str) -> CountedRequest<'_> {
    CountedRequest {
        caller: CountedBy::Stranger(network, ""),
        route: &ROUTE,
        route_hash: 7,
        exceeded_after: 100,
    }
}

/// Hands over what an isolate counted to the objects of `world`; `lost` answers do not come back.
fn hand_over(isolate: &mut Attempts, world: &mut World, lost: bool, now: UnixTime) {
    for parcel in isolate.hand_over(&keys(), 16, now) {
        let answer = world.ledger.count(&parcel.call.command, now);
        isolate.heard(parcel, (!lost).then_some(answer.as_str()), now);
    }
}

#[test]
fn three_isolates_and_an_object_agree_with_one_list_of_events() {
    for seed in 1..=400 {
        let mut dice = Dice::seeded(seed * 0x9e37_79b9);
        let mut world = World::new();
        let keys = keys();
        let mut isolates: Vec<Attempts> = (0..3).map(|_| Attempts::new()).collect();
        // The model: failures since the last success, by client. A success is handed over at once, so that the order of
        // events is that of the list.
        let mut model: BTreeMap<u64, u64> = BTreeMap::new();
        let mut now = 0;
        for _ in 0..60 {
            now += dice.below(20);
            let client = dice.below(3);
            let network = format!("192.0.2.{client}");
            let which = usize::try_from(dice.below(3)).unwrap();
            let isolate = &mut isolates[which];
            let place = isolate.client_key(&keys, seen(&network), at(now));
            match dice.below(10) {
                0 => {
                    isolate.succeeded(&place, at(now));
                    for isolate in &mut isolates {
                        hand_over(isolate, &mut world, false, at(now));
                    }
                    // What the others had not handed over came before it.
                    let place = isolates[which].client_key(&keys, seen(&network), at(now));
                    isolates[which].succeeded(&place, at(now));
                    hand_over(&mut isolates[which], &mut world, false, at(now));
                    model.remove(&client);
                }
                1..=3 => hand_over(isolate, &mut world, false, at(now)),
                4 => {
                    isolate.failed(&place, &failure(Cause::Unpaid), None, at(now));
                    isolate.proved(&place);
                }
                _ => {
                    isolate.failed(&place, &failure(Cause::Unpaid), None, at(now));
                    *model.entry(client).or_default() += 1;
                }
            }
        }
        for _ in 0..2 {
            for isolate in &mut isolates {
                hand_over(isolate, &mut world, false, at(now));
            }
        }
        let mut kept: Vec<u64> =
            world.ledger.failures.values().map(|tally| tally.attempts).collect();
        let mut expected: Vec<u64> = model.values().copied().collect();
        kept.sort_unstable();
        expected.sort_unstable();
        assert_eq!(kept, expected, "seed {seed}");
    }
}

#[test]
fn what_an_isolate_learns_is_what_all_of_them_counted() {
    let (mut world, keys) = (World::new(), keys());
    let (mut one, mut two) = (Attempts::new(), Attempts::new());
    let place = one.client_key(&keys, seen("192.0.2.1"), at(0));
    for turn in 0..60 {
        one.failed(&place, &failure(Cause::Unpaid), None, at(turn));
    }
    hand_over(&mut one, &mut world, false, at(60));
    let same = two.client_key(&keys, seen("192.0.2.1"), at(61));
    assert_eq!(place, same);
    assert_eq!(two.failed(&same, &failure(Cause::Unpaid), None, at(61)).attempts, 1);
    hand_over(&mut two, &mut world, false, at(62));
    let tally = two.failed(&same, &failure(Cause::Unpaid), None, at(63));
    assert_eq!((tally.attempts, tally.first_at), (62, at(0).secs()));
}

#[test]
fn a_client_that_goes_on_failing_is_written_ever_more_seldom() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    let place = isolate.client_key(&keys, seen("192.0.2.1"), at(0));
    let mut written: Vec<u64> = Vec::new();
    for turn in 1..=400 {
        isolate.failed(&place, &failure(Cause::Unpaid), None, at(turn));
        hand_over(&mut isolate, &mut world, false, at(turn));
        written.extend(world.ledger.failures.values().map(|it| it.attempts));
    }
    written.dedup();
    let (often, seldom) = written.split_at(200);
    assert_eq!(often, Vec::from_iter(1..=200));
    assert_eq!(seldom, [222, 246, 273, 303, 336, 373]);
}

#[test]
pub fn the_first_requests_of_a_stranger_are_no_row() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    for network in 0..200 {
        let network = format!("192.0.2.{network}");
        let client_key = isolate.client_key(&keys, by_default(&network), at(0));
        for _ in 0..4 {
            isolate.failed(&client_key, &failure(Cause::Unpaid), None, at(0));
        }
    }
    hand_over(&mut isolate, &mut world, false, at(10));
    assert!(world.ledger.failures.is_empty());
    // Whoever goes on is counted in full, from the first request on, whichever isolate it was.
    let mut other = Attempts::new();
    let client_key = other.client_key(&keys, by_default("192.0.2.7"), at(11));
    other.failed(&client_key, &failure(Cause::Unpaid), None, at(11));
    hand_over(&mut other, &mut world, false, at(12));
    let rows: Vec<_> = world.ledger.failures.values().map(|it| it.attempts).collect();
    assert_eq!(rows, [5]);
    other.succeeded(&client_key, at(15));
    hand_over(&mut other, &mut world, false, at(16));
    assert!(world.ledger.failures.is_empty());
}

// A-425
#[test]
pub fn payers_who_fail_again_and_again_are_told_of_twenty_times_a_minute() {
    let mut world = World::new();
    let fail = |world: &mut World, who: String, secs: u64| {
        let more = FailureStreak { attempts: 100, ..FailureStreak::new(at(secs)) };
        let count = vec![ClientCount {
            was: who.clone(),
            client: who,
            route: "/r".to_owned(),
            reset: true,
            more: Some(more),
            back: 0,
            claims: None,
            exceeded_after: 100,
        }];
        let text = serde_json::to_string(&Count { v: VERSION, count }).unwrap();
        world.ledger.count(&text, at(secs));
    };
    for number in 0..50_u64 {
        fail(&mut world, format!("0x{number:040x}"), number);
    }
    assert_eq!(world.ledger.too_often.len(), 20);
    fail(&mut world, "net_work".to_owned(), 50);
    fail(&mut world, format!("0x{:040x}", 99), 60);
    let last: Vec<_> = world.ledger.too_often.drain(20..).collect();
    assert_eq!(last, ["net_work".to_owned(), format!("0x{:040x}", 99)]);
}

#[test]
fn who_holds_a_key_is_a_row_from_the_first_request_on() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    let counted = CountedRequest { caller: CountedBy::Holder("k_1"), ..by_default("192.0.2.1") };
    let client_key = isolate.client_key(&keys, counted, at(0));
    isolate.failed(&client_key, &failure(Cause::Unpaid), None, at(0));
    hand_over(&mut isolate, &mut world, false, at(1));
    assert_eq!(world.ledger.failures.len(), 1);
}

#[test]
fn an_answer_that_is_lost_counts_nothing_twice_and_forgets_no_success() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    let place = isolate.client_key(&keys, seen("192.0.2.1"), at(0));
    for _ in 0..5 {
        isolate.failed(&place, &failure(Cause::Unpaid), None, at(0));
    }
    hand_over(&mut isolate, &mut world, true, at(1));
    hand_over(&mut isolate, &mut world, false, at(2));
    assert_eq!(world.ledger.failures.values().map(|tally| tally.attempts).sum::<u64>(), 5);
    isolate.succeeded(&place, at(3));
    // Neither the call arrives nor its answer.
    for parcel in isolate.hand_over(&keys, 16, at(3)) {
        isolate.heard(parcel, None, at(3));
    }
    assert!(isolate.is_waiting());
    hand_over(&mut isolate, &mut world, false, at(4));
    assert!(world.ledger.failures.is_empty());
}

#[test]
fn a_success_while_counts_are_under_way_ends_them() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    let spot = isolate.client_key(&keys, seen("192.0.2.1"), at(0));
    for _ in 0..5 {
        isolate.failed(&spot, &failure(Cause::Unpaid), None, at(0));
    }
    for parcel in isolate.hand_over(&keys, 16, at(1)) {
        let answer = world.ledger.count(&parcel.call.command, at(1));
        isolate.succeeded(&spot, at(1));
        isolate.heard(parcel, Some(&answer), at(1));
    }
    assert_eq!(isolate.failed(&spot, &failure(Cause::Unpaid), None, at(2)).attempts, 1);
}

#[test]
fn a_row_is_found_under_the_name_of_the_last_hand_over_however_long_ago_that_was() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    for hours in [0, 20, 40, 60] {
        let now = at(hours * 3_600);
        let spot = isolate.client_key(&keys, seen("192.0.2.1"), now);
        isolate.failed(&spot, &failure(Cause::Unpaid), None, now);
        if matches!(hours, 0 | 60) {
            hand_over(&mut isolate, &mut world, false, now);
        }
    }
    let kept: Vec<u64> = world.ledger.failures.values().map(|tally| tally.attempts).collect();
    assert_eq!(kept, [4]);
}

// A-122
#[test]
fn memory_and_messages_are_bounded_and_nothing_in_them_names_a_network() {
    let keys = keys();
    let mut isolate = Attempts::new();
    for network in 0..10_000_u64 {
        let network = format!("203.0.{}.{}", network / 250, network % 250);
        let place = isolate.client_key(&keys, seen(&network), at(network_time(&network)));
        isolate.failed(&place, &failure(Cause::Unpaid), None, at(network_time(&network)));
    }
    let mut handed = 0;
    for round in 0..40 {
        let parcels = isolate.hand_over(&keys, 64, at(20_000));
        assert!(parcels.len() <= 16);
        let mut here = 0;
        for parcel in parcels {
            let message: Count = serde_json::from_str(&parcel.call.command).unwrap();
            assert!(!parcel.call.command.contains("203.0."));
            here += message.count.len();
        }
        assert!(here <= 512);
        handed += here;
        if here == 0 {
            assert!(round > 1 && !isolate.is_waiting());
            break;
        }
    }
    assert!((3_000..=4_096).contains(&handed), "{handed}");
}

fn network_time(network: &str) -> u64 {
    network.len() as u64
}

#[test]
fn a_name_changes_every_day_and_a_count_goes_along_for_as_long_as_it_is_not_idle() {
    let (mut world, keys) = (World::new(), keys());
    let mut isolate = Attempts::new();
    let mut names: Vec<StreakKey> = Vec::new();
    let mut last = 0;
    for day in 0..5 {
        let now = at(day * 86_000);
        let place = isolate.client_key(&keys, seen("192.0.2.1"), now);
        last = isolate.failed(&place, &failure(Cause::Unpaid), None, now).attempts;
        hand_over(&mut isolate, &mut world, false, now);
        names.extend(world.ledger.failures.keys().cloned());
    }
    assert_eq!(last, 5);
    names.dedup();
    assert!(names.len() >= 4, "{names:?}");
    assert_eq!(world.ledger.failures.len(), 1, "one row, under the last name");
    // Another isolate that never saw it before takes the row over from yesterday's name.
    let mut other = Attempts::new();
    let now = at(4 * 86_000 + 80_000);
    let place = other.client_key(&keys, seen("192.0.2.1"), now);
    other.failed(&place, &failure(Cause::Unpaid), None, now);
    hand_over(&mut other, &mut world, false, now);
    assert_eq!(world.ledger.failures.values().map(|tally| tally.attempts).collect::<Vec<_>>(), [6]);
    let late = now.plus(IDLE_SECS);
    let place = isolate.client_key(&keys, seen("192.0.2.1"), late);
    assert_eq!(isolate.failed(&place, &failure(Cause::Unpaid), None, late).attempts, 1);
}

#[test]
fn the_schema_that_goes_along_is_the_part_about_info() {
    let whole: Value = serde_json::from_str(SCHEMA).unwrap();
    let part: Value = serde_json::from_str(info_schema()).unwrap();
    assert_eq!(whole["properties"]["info"], part);
}

/// What a client might recognise itself by, or an attacker a victim.
fn names_somebody(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let hex_run = lower
        .split(|c: char| !c.is_ascii_hexdigit())
        .any(|run| run.len() >= 12 && run.bytes().any(|b| b.is_ascii_digit()));
    let dotted = lower
        .split_whitespace()
        .any(|word| word.split('.').filter(|part| part.parse::<u16>().is_ok()).count() >= 3);
    hex_run
        || dotted
        || lower.contains("0x")
        || lower.contains('@')
        || lower.contains("::")
        || lower.contains("canary")
}

// A-122
#[test]
fn in_ten_thousand_states_no_text_contains_an_address_an_ip_or_a_header_value() {
    let mut dice = Dice::seeded(20_260_101);
    let (mut world, mut spoken) = (World::new(), 0);
    let mut payers: Vec<Payer> = (1..=8).map(Payer::new).collect();
    let base = world.sign("/after");
    for state in 0..10_000_u64 {
        if dice.below(40) == 0 {
            world.wait(dice.below(50_000));
        }
        world.consecutive_failures = if dice.below(30) == 0 { 10 } else { 0 };
        let address = match dice.below(3) {
            0 => format!("198.51.100.{}", dice.below(4)),
            1 => format!("2001:db8:{:x}::7", dice.below(4)),
            _ => "someone@example.com".to_owned(),
        };
        let mut head = request("GET", "/after")
            .header("cf-connecting-ip", &address)
            .header("user-agent", &format!("canary-agent-{state}"))
            .header("cookie", "session=canary-cookie")
            .header("x-forwarded-for", &address);
        match dice.below(20) {
            // Somebody else's name on a signature.
            0 => {
                let payer = &mut payers[usize::try_from(dice.below(8)).unwrap()];
                let named = payer.address.to_checksum();
                let text =
                    String::from_utf8(farebox_core::encoding::base64::decode(&base.value).unwrap())
                        .unwrap();
                let mut message: Value = serde_json::from_str(&text).unwrap();
                message["payload"]["authorization"]["from"] = json!(named);
                let value = farebox_core::encoding::base64::encode(message.to_string().as_bytes());
                head = head.header(base.header, &value);
            }
            // Signed well, refused in words that name the payer.
            1 => {
                let reason =
                    format!("{} of {address} canary-reason", world.payer.address.to_checksum());
                let body = json!({"isValid": false, "invalidReason": reason}).to_string();
                world.facilitator.verify_plan.push_back(Verify::Raw(200, body));
                let payment = world.sign("/after");
                head = paid(&payment).header("cf-connecting-ip", &address);
            }
            _ => {}
        }
        let response = world.send(head);
        world.facilitator.verify_plan.clear();
        let Some(info) = info_of(&response) else { continue };
        spoken += 1;
        for member in ["code", "message", "suggestion", "reason", "firstAttempt"] {
            let Some(text) = info[member].as_str() else { continue };
            assert!(!names_somebody(text), "state {state}: {member} is {text}");
        }
        let known = [
            "code",
            "message",
            "suggestion",
            "escalate",
            "attempts",
            "firstAttempt",
            "reason",
            "handle",
            "correlationId",
        ];
        assert!(
            info.as_object().unwrap().keys().all(|name| known.contains(&name.as_str())),
            "{info}"
        );
    }
    assert!(spoken > 500, "{spoken} answers said something");
    assert!(
        names_somebody("from 198.51.100.7") && names_somebody("a@b.c") && names_somebody("0xf39f")
    );
}

fn info_of(response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    body["extensions"]["diagnostic"].get("info").cloned()
}

/// A random finding: thresholds, the tally, and its cause.
fn found(dice: &mut Dice) -> (Thresholds, FailureStreak, Cause) {
    let cause = CAUSES[usize::try_from(dice.below(9)).unwrap()];
    let limits = Thresholds {
        exceeded_after: 2 + dice.below(200),
        unverified_after: 2 + dice.below(5),
        alert_after: 2 + dice.below(20),
    };
    let mut tally = FailureStreak::new(at(0));
    for _ in 0..dice.below(250) {
        tally.count(
            &failure(if dice.below(3) == 0 { Cause::Unpaid } else { cause }),
            at(dice.below(900)),
        );
    }
    tally.count(&failure(cause), at(900));
    (limits, tally, cause)
}

// I-19
#[test]
fn every_finding_about_a_payer_is_either_silent_or_says_all_that_it_must() {
    let mut dice = Dice::seeded(7);
    for _ in 0..10_000 {
        let (limits, tally, cause) = found(&mut dice);
        let consecutive_failures = dice.below(30);
        let (failure, failures) = (failure(cause), Failures::Own(&tally));
        let finding = Circumstances {
            failure: &failure,
            failures,
            consecutive_failures,
            correlation: "correlation",
        };
        let diagnosis = limits.diagnose(finding, at(1_000));
        let exceeded = tally.attempts >= limits.exceeded_after;
        let Some(told) = diagnosis.stated else {
            assert!(
                matches!(cause, Cause::Unpaid | Cause::Trouble | Cause::Unknown),
                "{cause:?} is told"
            );
            assert!(!exceeded || cause == Cause::Trouble);
            continue;
        };
        let whole: Value = serde_json::from_str(&told.extension).unwrap();
        schema::valid(&whole);
        let info = &whole["info"];
        let text = |name: &str| info[name].as_str().unwrap();
        assert!(!text("message").is_empty() && !text("suggestion").is_empty());
        assert_eq!(info["attempts"].is_null(), info["firstAttempt"].is_null());
        if let Some(attempts) = info["attempts"].as_u64() {
            assert!(attempts >= 2 && text("message").contains(&attempts.to_string()));
        }
        // Whoever has failed too often is asked to stop, whatever else there is to say; our trouble is no history.
        if exceeded && text("code") != "OPERATOR_ALERT" {
            assert_eq!(info["escalate"], json!(true), "{info}");
            let waits = diagnosis.retry_after.unwrap();
            assert!(
                (30..=3_600).contains(&waits)
                    && waits >= 30 * (tally.attempts / limits.exceeded_after).min(120)
            );
        }
        if cause == Cause::Trouble {
            assert!(consecutive_failures >= limits.alert_after && info["attempts"].is_null());
        }
        assert_eq!(cause == Cause::Funds, text("code") == "WALLET_INSUFFICIENT_FUNDS");
    }
}

#[test]
fn the_failures_of_clients_that_look_alike_are_told_as_theirs_and_escalate_nothing() {
    let (mut dice, keys) = (Dice::seeded(11), keys());
    let (mut told, mut slowed, mut silent) = (0, 0, 0);
    for _ in 0..10_000 {
        let (limits, tally, cause) = found(&mut dice);
        let (failure, consecutive_failures) = (failure(cause), dice.below(30));
        let said = |failures| {
            let finding = Circumstances {
                failure: &failure,
                failures,
                consecutive_failures,
                correlation: "correlation",
            };
            limits.diagnose(finding, at(1_000))
        };
        let handle = NewHandle { keys: &keys, fresh: "fresh" };
        let (shared, alone) = (said(Failures::Alike(&tally, handle)), said(Failures::Uncounted));
        let info = |stated: &farebox_core::gate::diagnose::Stated| {
            serde_json::from_str::<Value>(&stated.extension).unwrap()["info"].clone()
        };
        let escalates = |info: Option<&Value>| info.is_some_and(|info| info["escalate"] == true);
        let (ours, theirs) = (shared.stated.as_ref().map(info), alone.stated.as_ref().map(info));
        assert_eq!(escalates(ours.as_ref()), escalates(theirs.as_ref()), "{cause:?}");
        let exceeded = tally.attempts >= limits.exceeded_after;
        assert!(exceeded || cause != Cause::Unpaid || shared.stated.is_none());
        if cause != Cause::Unpaid {
            assert_eq!(shared.retry_after, None, "{cause:?}: a payment waits for nobody");
        }
        slowed += u64::from(shared.retry_after > alone.retry_after);
        let Some(info) = ours else {
            silent += 1;
            continue;
        };
        schema::valid(&serde_json::from_str(&shared.stated.unwrap().extension).unwrap());
        assert!(info["attempts"].is_null() && info["firstAttempt"].is_null(), "{info}");
        let (message, about) =
            (info["message"].as_str().unwrap(), "this User-Agent at this address");
        let crowd = exceeded && cause != Cause::Trouble;
        assert_eq!(message.contains(about), crowd, "{info}");
        assert_eq!(crowd && message.contains(&tally.attempts.to_string()), crowd, "{info}");
        told += u64::from(info["code"] == "PAYMENT_ATTEMPTS_EXCEEDED");
    }
    assert!(told > 1_000 && slowed > 300 && silent > 500, "{told}, {slowed}, {silent}");
}

// A-152
#[test]
pub fn a_hundred_unpaid_requests_from_one_network_stop_no_payer_there() {
    let mut world = World::new();
    let mut answers: Vec<Response> = Vec::new();
    for _ in 0..130 {
        answers.push(world.send(request("GET", "/after").header("cf-connecting-ip", "192.0.2.1")));
    }
    let told = |answer: &Response| info_of(answer).map(|info| info["escalate"].clone());
    assert!(answers.iter().all(|answer| answer.status == 402 && told(answer) != Some(json!(true))));
    assert_eq!((told(&answers[98]), told(&answers[99])), (None, Some(json!(false))));
    let waits = |answer: &Response| answer.headers.get("retry-after").map(ToOwned::to_owned);
    assert_eq!((waits(&answers[98]), waits(&answers[99])), (None, Some("30".to_owned())));
    let payment = world.sign("/after");
    let response = world.send(paid(&payment).header("cf-connecting-ip", "192.0.2.1"));
    assert_eq!(response.status, 200);
}

#[test]
fn a_payer_whose_signed_payments_fail_a_hundred_times_is_asked_to_stop_wherever_they_come_from() {
    let mut world = World::new();
    let mut last = None;
    for turn in 0..100 {
        let body = json!({"isValid": false, "invalidReason": "invalid_payload"}).to_string();
        world.facilitator.verify_plan.push_back(Verify::Raw(200, body));
        let payment = world.sign("/after");
        let head = paid(&payment).header("cf-connecting-ip", &format!("192.0.2.{turn}"));
        last = info_of(&world.send(head));
    }
    let info = last.unwrap();
    assert_eq!((&info["attempts"], &info["escalate"]), (&json!(100), &json!(true)));
}

// A-497
#[test]
pub fn what_a_payer_has_paid_elsewhere_counts_nothing_against_them_whoever_shows_it() {
    let other_payee = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    for (member, value, hours) in [("payTo", other_payee, 0), ("amount", "777", 2)] {
        let mut world = World::new();
        let mut required = world.ask("/after").payment_required();
        required["accepts"][0][member] = value.into();
        let now = world.now().secs();
        let public = world.payer.sign_with(&required, now, |_| {});
        world.wait(hours * 3_600);
        for _ in 0..120 {
            let shown = world.send(paid(&public).header("cf-connecting-ip", "192.0.2.9"));
            assert_eq!(shown.status, 402, "{member}");
        }
        let no = r#"{"isValid":false,"invalidReason":"a reason of its own"}"#.to_owned();
        world.facilitator.verify_plan.push_back(Verify::Raw(200, no));
        let refused = world.pay_from("/after", "198.51.100.1");
        assert_eq!(refused.status, 402, "{member}");
        assert_eq!(info_of(&refused), None, "{member}");
    }
}
