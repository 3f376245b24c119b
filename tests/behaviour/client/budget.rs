//! Caps, and the record of what was paid.

use super::*;

// A-110
#[test]
fn each_cap_holds_to_the_last_unit_and_opens_when_its_time_is_over() {
    let cases = [
        (r#"{"perHour": "0.03", "perDay": "5"}"#, 3_600),
        (r#"{"perDay": "0.03"}"#, 86_400),
        (r#"{"perHost": "0.03"}"#, 86_400),
        (r#"{"perPayee": "0.03"}"#, 86_400),
    ];
    for (rules, secs) in cases {
        let mut record = reserve(rules, None, 1, "10000", at(0)).unwrap();
        record = reserve(rules, Some(&record), 2, "19999", at(10)).unwrap();
        let error = reserve(rules, Some(&record), 3, "2", at(20)).unwrap_err();
        assert_eq!(error.reason.code(), "budget_exhausted", "{rules}");
        record = reserve(rules, Some(&record), 3, "1", at(20)).unwrap();
        assert!(reserve(rules, Some(&record), 4, "1", at(secs - 1)).is_err(), "{rules}");
        // Sums of earlier hours are as of their latest payment: late, never early.
        let later = at(secs + 20);
        assert!(reserve(rules, Some(&record), 4, "30000", later).is_ok(), "{rules}");
    }
}

#[test]
fn sums_of_earlier_hours_are_those_of_a_record_that_forgets_nothing() {
    let rules = r#"{"perDay": "0.5", "perPayment": "1", "pinPayees": false}"#;
    let mut record: Option<String> = None;
    let mut naive: Vec<(u64, u64)> = Vec::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let (mut now, mut refused) = (0, 0);
    for turn in 0..2_000_u64 {
        now += random(300);
        let amount = 1 + random(9_000);
        match reserve(rules, record.as_deref(), turn, &amount.to_string(), at(now)) {
            Ok(next) => {
                record = Some(next);
                naive.push((now, amount));
                let spent: u64 = naive
                    .iter()
                    .filter(|(at, _)| at + 86_400 > now)
                    .map(|(_, amount)| amount)
                    .sum();
                assert!(spent <= 500_000, "turn {turn}: {spent}");
            }
            Err(error) => {
                assert_eq!(error.reason.code(), "budget_exhausted");
                // At most an hour late: what was spent within a day and an hour explains it.
                let spent: u64 = naive
                    .iter()
                    .filter(|(at, _)| at + 90_000 > now)
                    .map(|(_, amount)| amount)
                    .sum();
                assert!(spent + amount > 500_000, "turn {turn}: {spent} + {amount}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && naive.len() > 300, "{refused} refused, {} paid", naive.len());
    assert!(record.unwrap().len() < 40_000, "the record stays short");
}

#[test]
fn thousands_of_payments_in_five_minutes_are_counted_in_a_short_record() {
    let rules = r#"{"perDay": "0.01", "perHour": "0.01", "perPayment": "0.01"}"#;
    let mut record: Option<String> = None;
    for turn in 0..10_000 {
        record = Some(reserve(rules, record.as_deref(), turn, "1", at(turn / 40)).unwrap());
    }
    let record = record.unwrap();
    assert!(record.len() < 60_000, "{} bytes", record.len());
    let error = reserve(rules, Some(&record), 10_000, "1", at(250)).unwrap_err();
    assert_eq!(error.reason.code(), "budget_exhausted");
    assert!(error.message.contains("perDay is 0.01: 0.01 is used"), "{}", error.message);
    // They leave the hour late, and are never dropped before.
    assert!(reserve(rules, Some(&record), 10_000, "1", at(3_599)).is_err());
    assert!(
        reserve(r#"{"perDay": "0.02", "perHour": "0.01"}"#, Some(&record), 10_000, "1", at(4_200))
            .is_ok()
    );
}

#[test]
fn the_latest_payments_are_counted_one_by_one_and_once_each() {
    let rules = r#"{"perDay": "1"}"#;
    let mut record = None;
    let mut exchanges = Vec::new();
    for turn in 0..120_u8 {
        let mut exchange = exchange(rules, turn);
        exchange.answered(402, &terms(&json!([entry("100")])), b"", at(0));
        record = Some(exchange.reserve(record.as_deref(), at(0)).unwrap());
        exchanges.push(exchange);
    }
    // Each is still released, or counted anew, by itself.
    for exchange in &exchanges[..60] {
        record = Some(exchange.release(record.as_deref()).unwrap());
    }
    for exchange in &mut exchanges[60..] {
        record = Some(exchange.reserve(record.as_deref(), at(1)).unwrap());
    }
    let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
    let worths = record["entries"].as_array().unwrap().iter();
    let worths: u64 = worths.map(|it| it[4].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(worths, 60 * 100 * A_UNIT);
}

#[test]
pub fn a_first_payment_at_a_host_that_waits_for_a_person_is_taken_back_after_many_others() {
    let rules = r#"{"perDay": "1"}"#;
    let mut firsts = [exchange(rules, 1), exchange(rules, 2)];
    let mut record = None;
    for first in &mut firsts {
        first.answered(402, &terms(&json!([entry("100")])), b"", at(0));
        record = Some(first.reserve(record.as_deref(), at(0)).unwrap());
    }
    let elsewhere = "https://elsewhere.example/report";
    for turn in 0..400_u64 {
        let mut random = [0; 48];
        random[..8].copy_from_slice(&(turn + 1_000).to_be_bytes());
        let payer = account().address();
        let mut other = Exchange::new(policy(rules), "GET", elsewhere, elsewhere, payer, random);
        other.answered(402, &terms(&json!([entry("100")])), b"", at(turn));
        record = Some(other.reserve(record.as_deref(), at(turn)).unwrap());
    }
    for first in &firsts {
        record = Some(first.release(record.as_deref()).unwrap());
    }
    let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
    let places = |member: &str, at: usize| -> Vec<String> {
        let rows = record[member].as_array().unwrap().iter();
        rows.map(|it| it[at].as_str().unwrap().to_owned()).collect()
    };
    assert!(!places("entries", 2).contains(&"shop.example".to_owned()));
    assert!(!places("pins", 0).iter().any(|it| it.starts_with("shop.example ")));
}

#[test]
fn payments_to_many_hosts_are_counted_in_longer_spans_and_none_is_forgotten() {
    // Fifteen hosts, each paid every few minutes for two days.
    let entries: Vec<Value> = (0..30_000_u64)
        .map(|turn| {
            let host = format!("{}.example", turn % 15);
            json!([format!("{turn:x}"), NOW + 6 * turn, host, PAYEE.to_lowercase(), "1"])
        })
        .collect();
    let now = 6 * 30_000;
    let spent = |entries: &[Value], secs: u64| -> u64 {
        let since = NOW + now - secs;
        let concerned = entries.iter().filter(|it| it[1].as_u64().unwrap() > since);
        concerned.map(|it| it[4].as_str().unwrap().parse::<u64>().unwrap()).sum()
    };
    let mut record = json!({"v": 2, "entries": [], "pins": [], "sent": []}).to_string();
    for part in entries.chunks(500) {
        let mut value: Value = serde_json::from_str(&record).unwrap();
        value["entries"].as_array_mut().unwrap().extend(part.to_vec());
        let last = part.last().unwrap()[1].as_u64().unwrap() - NOW;
        record = reserve(r#"{"pinPayees": false}"#, Some(&value.to_string()), last, "1", at(last))
            .unwrap();
    }
    let value: Value = serde_json::from_str(&record).unwrap();
    let summed = value["entries"].as_array().unwrap();
    assert!(summed.len() < 1_200, "{} entries", summed.len());
    for secs in [3_600, 86_400] {
        let [exact, kept] = [spent(&entries, secs), spent(summed, secs)];
        assert!(kept >= exact, "{secs}: {kept} of {exact}");
    }
    // And of each part one payment that was reserved here.
    assert_eq!(spent(summed, now + 1), 30_000 + 60 * A_UNIT, "none is forgotten");
}

#[test]
fn a_clock_that_is_set_back_opens_no_cap() {
    let rules = r#"{"perDay": "0.01"}"#;
    let record = reserve(rules, None, 1, "10000", at(500_000)).unwrap();
    assert!(reserve(rules, Some(&record), 2, "1", at(0)).is_err());
}

/// What the wallet is asked for after its person took until then to agree: a code, or that it signs.
fn agreed(exchange: &mut Exchange, now: u64) -> &'static str {
    match exchange.prepare(at(now)) {
        Next::Sign(_) => "signs",
        next => failure(next).reason.code(),
    }
}

// A-866
#[test]
pub fn nothing_is_signed_once_the_policy_has_ended_while_its_person_was_asked() {
    // At 40.
    let rules = r#"{"expires": "2027-01-15T08:00:40Z"}"#;
    let cases = [(39, "signs"), (40, "policy_expired")];
    for (now, said) in cases {
        let mut first = exchange(rules, 1);
        first.answered(402, &terms(&json!([entry("10000")])), b"", at(20));
        first.reserve(None, at(20)).unwrap();
        assert_eq!(agreed(&mut first, now), said, "the first signature at {now}");
    }
    for (now, said) in cases {
        let mut again = exchange("{}", 1);
        paid(&mut again, &json!([entry("10000")]));
        again.go_on(policy(rules), None, false, false, at(20));
        let dearer = terms(&json!([entry("20000")]));
        assert!(matches!(again.answered(402, &dearer, b"", at(20)), Next::Reserve));
        again.reserve(None, at(20)).unwrap();
        assert_eq!(agreed(&mut again, now), said, "another signature at {now}");
    }
}

#[test]
fn a_record_that_cannot_be_read_is_no_empty_one() {
    for record in [
        "",
        "{}",
        "null",
        r#"{"v":3,"entries":[],"pins":[],"sent":[]}"#,
        r#"{"v":2,"entries":[],"pins":[]}"#,
        r#"{"v":2,"entries":[],"pins":[],"sent":[["a",1,true]]}"#,
        r#"{"v":2,"entries":[],"pins":[],"sent":[["a",-1,true,"b"]]}"#,
        r#"{"v":1,"entries":[["a"]],"pins":[]}"#,
    ] {
        let error = reserve("{}", Some(record), 1, "1", at(0)).unwrap_err();
        assert_eq!(error.reason.code(), "budget_unreadable", "{record:?}");
    }
}

#[test]
fn payments_that_were_sent_stay_in_the_record_and_a_record_of_version_1_has_none() {
    let sent = json!([["request 1", 7, true, "{\"kept\":1}"], ["request 2", 8, false, ""]]);
    let before = json!({"v": 2, "entries": [], "pins": [], "sent": sent}).to_string();
    let record = reserve("{}", Some(&before), 1, "1", at(0)).unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!((&read(&record)["v"], &read(&record)["sent"]), (&json!(2), &sent));
    let old = json!({"v": 1, "entries": [], "pins": []}).to_string();
    let record = reserve("{}", Some(&old), 1, "1", at(0)).unwrap();
    assert_eq!((&read(&record)["v"], &read(&record)["sent"]), (&json!(2), &json!([])));
}
