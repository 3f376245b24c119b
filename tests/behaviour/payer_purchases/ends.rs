//! What may be signed once a charge has ended, or terms were refused.

use super::*;

// A-203
#[test]
pub fn terms_that_are_refused_leave_the_purchase_its_nonce() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: true, ..HONEST });
    // The policy refuses the other network, or a person does.
    let here = r#"{"deadlineSecs": 1, "networks": ["eip155:84532"]}"#;
    let mut exchange = payer.open.take().unwrap();
    assert!(matches!(exchange.go_on(policy(here), None, true, false, at(200)), Some(Next::Afresh)));
    let elsewhere = merchant.asks(Terms::OtherNetwork);
    if matches!(exchange.answered(402, &elsewhere, b"", at(200)), Next::Reserve) {
        exchange.reserve(payer.record.as_deref(), at(200)).unwrap_err();
    }
    payer.open = Some(exchange);
    payer.call(&mut merchant, Call { after: 300, answer: Answer::Status(404), ..HONEST });
    let slots: BTreeSet<&str> = payer.signed.iter().map(|it| it.slot.as_str()).collect();
    assert_eq!((payer.signed.len(), slots.len()), (2, 1));
}

#[test]
pub fn a_charge_that_has_ended_is_made_again_only_if_a_person_or_the_policy_says_so() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    let charge = Call { asks: Terms::Charge, answer: Answer::Status(404), charges: true, ..HONEST };
    payer.call(&mut merchant, charge);
    assert_eq!(payer.signed.len(), 1);
    let mut exchange = payer.open.take().unwrap();
    let counted = exchange.counted().to_owned();
    // It stays open, however often it is asked for, also after a person said no.
    for _ in 0..2 {
        let refused = failure(exchange.go_on(policy(RULES), None, true, false, at(400)).unwrap());
        assert_eq!(refused.reason.code(), "payment_unresolved");
        assert!(matches!(
            exchange.go_on(policy(RULES), None, true, true, at(400)),
            Some(Next::Afresh)
        ));
    }
    let again = r#"{"deadlineSecs": 1, "payAgain": true}"#;
    assert!(matches!(
        exchange.go_on(policy(again), None, true, false, at(400)),
        Some(Next::Afresh)
    ));
    let asked = merchant.asks(Terms::Usual);
    assert!(matches!(exchange.answered(402, &asked, b"", at(400)), Next::Reserve));
    exchange.reserve(payer.record.as_deref(), at(400)).unwrap();
    assert_eq!(exchange.proposal().unwrap()["again"], true);
    // Both may be charged, and both count.
    assert_ne!(exchange.counted(), counted);
}

// A-236
#[test]
pub fn what_has_ended_is_paid_with_another_token_only_if_a_person_or_the_policy_says_so() {
    for elsewhere in [Terms::OtherNetwork, Terms::ByPermit, Terms::Charge] {
        let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
        payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: true, ..HONEST });
        let mut exchange = payer.open.take().unwrap();
        let (asked, own) = (merchant.asks(elsewhere), merchant.asks(Terms::Usual));
        let mut asks = |rules: &str, person: bool, terms: &Headers| {
            let next = exchange.go_on(policy(rules), None, true, person, at(200));
            assert!(matches!(next, Some(Next::Afresh)));
            let next = exchange.answered(402, terms, b"", at(200));
            if matches!(next, Next::Reserve) {
                exchange.reserve(payer.record.as_deref(), at(200)).unwrap();
                return exchange.proposal().unwrap()["again"].to_string();
            }
            failure(next).reason.code().to_owned()
        };
        let again = r#"{"deadlineSecs": 1, "permit2": true, "payAgain": true}"#;
        let said = [
            asks(RULES, false, &asked),
            asks(RULES, true, &asked),
            asks(again, false, &asked),
            // Its own token takes its nonce once.
            asks(RULES, false, &own),
        ];
        assert_eq!(said, ["payment_unresolved", "true", "true", "false"], "{elsewhere:?}");
    }
}

#[test]
pub fn what_one_account_has_signed_is_not_signed_again_by_another_one() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: true, ..HONEST });
    let mut exchange = payer.open.take().unwrap();
    assert!(matches!(exchange.go_on(policy(RULES), None, true, true, at(200)), Some(Next::Afresh)));
    let other = Address::parse("0x00000000000000000000000000000000000000aa").unwrap();
    let refused = exchange.pays_from(other).unwrap_err();
    assert_eq!(refused.reason.code(), "payment_unresolved");
    let again = r#"{"deadlineSecs": 1, "payAgain": true}"#;
    exchange.go_on(policy(again), None, true, true, at(200));
    assert!(exchange.pays_from(other).is_ok());
}

/// Goes on with what has ended, in a call that may pay again and spend so much a day, and returns its policy.
fn goes_on(exchange: &mut Exchange, per_day: &str) -> Policy {
    let rules = json!({"deadlineSecs": 1, "payAgain": true, "perDay": per_day, "pinPayees": false});
    let rules = policy(&rules.to_string());
    let next = exchange.go_on(rules.clone(), None, true, true, at(200));
    assert!(matches!(next, Some(Next::Afresh)), "{next:?}");
    rules
}

/// Whether a payment is proposed beside another one, and what the record says was spent in a day.
fn beside(exchange: &Exchange, record: &str, rules: &Policy) -> (Value, String) {
    let caps = Budget::from_text(Some(record)).unwrap().caps(rules, at(200));
    let spent = caps.iter().find(|it| it.name == "perDay").unwrap().spent;
    (exchange.proposal().unwrap()["again"].clone(), spent.to_decimal(18))
}

// A-749
#[test]
pub fn what_another_account_pays_beside_what_has_ended_counts_beside_it() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: true, ..HONEST });
    let mut exchange = payer.open.take().unwrap();
    let before = exchange.counted().to_owned();
    let (own, other) = (account().address(), Address::parse(OTHER).unwrap());
    let asked = merchant.asks(Terms::Usual);
    let mut asks = |from: Address, per_day: &str| -> Result<((Value, String), bool), &str> {
        let rules = goes_on(&mut exchange, per_day);
        exchange.pays_from(from).unwrap();
        assert!(matches!(exchange.answered(402, &asked, b"", at(200)), Next::Reserve));
        let record = exchange.reserve(payer.record.as_deref(), at(200));
        let record = record.map_err(|error| error.reason.code())?;
        Ok((beside(&exchange, &record, &rules), exchange.counted() == before))
    };
    assert_eq!(asks(other, "0.01"), Err("budget_exhausted"));
    // However often it was asked, it is another account than the one that signed.
    assert_eq!(asks(other, "0.02"), Ok(((true.into(), "0.02".to_owned()), false)));
    // The account that signed has the nonce that it had.
    assert_eq!(asks(own, "0.01"), Ok(((false.into(), "0.01".to_owned()), true)));
}

// A-749
#[test]
pub fn another_account_that_is_named_late_is_counted_and_asked_for_anew() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: true, ..HONEST });
    let mut exchange = payer.open.take().unwrap();
    let other = Address::parse(OTHER).unwrap();
    let rules = goes_on(&mut exchange, "0.02");
    let asked = merchant.asks(Terms::Usual);
    assert!(matches!(exchange.answered(402, &asked, b"", at(200)), Next::Reserve));
    let record = exchange.reserve(payer.record.as_deref(), at(200)).unwrap();
    assert_eq!(beside(&exchange, &record, &rules), (false.into(), "0.01".to_owned()));
    exchange.pays_from(other).unwrap();
    assert!(matches!(exchange.prepare(at(200)), Next::Afresh), "nothing is signed yet");
    let record = exchange.release(Some(&record)).unwrap();
    assert!(matches!(exchange.answered(402, &asked, b"", at(200)), Next::Reserve));
    let record = exchange.reserve(Some(&record), at(200)).unwrap();
    assert_eq!(beside(&exchange, &record, &rules), (true.into(), "0.02".to_owned()));
    // A person who declines leaves what was signed before, and only that.
    let released = exchange.release(Some(&record)).unwrap();
    assert_eq!(beside(&exchange, &released, &rules).1, "0.01");
    let Next::Sign(data) = exchange.prepare(at(200)) else { panic!("nothing to sign") };
    assert_eq!(data["message"]["from"], OTHER);
}

// A-546
#[test]
pub fn of_the_answer_that_asks_for_a_payment_its_terms_alone_are_kept() {
    let asked = terms(&json!([entry("10000")]));
    let mut filled = asked.clone();
    filled.add("x-more", &"x".repeat(10_000));
    let mut first_version = entry("10000");
    first_version["network"] = "base-sepolia".into();
    first_version["maxAmountRequired"] = "10000".into();
    let body = json!({"x402Version": 1, "error": "pay", "accepts": [first_version]});
    let body = body.to_string().into_bytes();
    let mut only_more = Headers::new();
    only_more.add("x-more", "x");
    for (headers, sent, kept) in [
        (&filled, vec![1; 60_000], (&asked, Vec::new())),
        (&asked, body.clone(), (&asked, Vec::new())),
        (&only_more, body.clone(), (&Headers::new(), body)),
    ] {
        let mut it = begun([1; 48], false);
        assert!(matches!(it.answered(402, headers, &sent, at(0)), Next::Reserve));
        let (fields, rest) = it.terms().unwrap();
        assert_eq!((fields, rest), (kept.0, &kept.1));
    }
}

// A-543
#[test]
pub fn what_a_clock_that_ran_ahead_has_signed_is_signed_again_with_its_nonce() {
    const A_MONTH: u64 = 30 * 86_400;
    let asked = terms(&json!([entry("10000")]));
    let signed = |it: &mut Exchange, now: u64| {
        it.reserve(None, at(now)).unwrap();
        let signature = sign(it.prepare(at(now)));
        let Next::Send { headers, .. } = it.signed(&signature, at(now)) else { panic!() };
        shown(&headers).unwrap()
    };
    for (ahead, is_signed) in [(60, false), (61, true), (A_MONTH, true)] {
        let mut it = begun([1; 48], false);
        assert!(matches!(it.answered(402, &asked, b"", at(ahead)), Next::Reserve));
        let first = signed(&mut it, ahead);
        assert_eq!(failure(it.answered(402, &asked, b"", at(0))).reason.code(), "payment_refused");
        // The clock is right again. The server may have taken it: the same bytes go first.
        let sent = it.go_on(policy(RULES), None, false, false, at(0)).unwrap();
        assert!(matches!(sent, Next::Send { .. }));
        let next = it.answered(402, &asked, b"", at(0));
        if !is_signed {
            assert_eq!(failure(next).reason.code(), "payment_refused");
            continue;
        }
        assert!(matches!(next, Next::Reserve), "{next:?}");
        let second = signed(&mut it, 0);
        assert_eq!((&second.slot, second.amount), (&first.slot, first.amount));
        assert_eq!(second.valid_before, at(60).secs());
    }
}

#[test]
pub fn a_purchase_goes_on_under_the_rules_of_today() {
    let (mut payer, mut merchant) = (Payer::default(), Merchant::default());
    payer.call(&mut merchant, Call { answer: Answer::Status(404), charges: false, ..HONEST });
    let mut exchange = payer.open.take().unwrap();
    let stricter = r#"{"deadlineSecs": 1, "perPayment": "0.005"}"#;
    let next = exchange.go_on(policy(stricter), None, true, false, at(200)).unwrap();
    assert!(matches!(next, Next::Afresh));
    let asked = merchant.asks(Terms::Usual);
    let refused = match exchange.answered(402, &asked, b"", at(200)) {
        Next::Reserve => exchange.reserve(payer.record.as_deref(), at(200)).unwrap_err(),
        next => failure(next),
    };
    assert_eq!(refused.reason.code(), "policy_amount");
}

#[test]
pub fn a_key_is_one_charge_and_counted_once_in_every_process_where_the_nonce_is_the_payers() {
    let keyed = |record: Option<&str>, headers: &Headers, seed: u8| {
        let mut it =
            Exchange::new(policy(RULES), "POST", URL, ENDPOINT, account().address(), [seed; 48])
                .for_purchase(Some(("order 7", URL)));
        it.answered(402, headers, b"", at(0));
        let record = it.reserve(record, at(0)).unwrap();
        let signature = sign(it.prepare(at(0)));
        let Next::Send { headers, .. } = it.signed(&signature, at(0)) else { panic!() };
        (record, shown(&headers).unwrap().slot)
    };
    let entries = |record: &str| {
        let record: Value = serde_json::from_str(record).unwrap();
        record["entries"].as_array().unwrap().len()
    };
    let (usual, mut merchant) = (terms(&json!([entry("10000")])), Merchant::default());
    let (record, first) = keyed(None, &usual, 1);
    let (record, second) = keyed(Some(&record), &usual, 2);
    assert_eq!((first, entries(&record)), (second, 1));
    // Each challenge has a nonce of its own: both may be charged, and both count.
    let (record, first) = keyed(None, &merchant.asks(Terms::Charge), 3);
    let (record, second) = keyed(Some(&record), &merchant.asks(Terms::Charge), 4);
    assert_ne!(first, second);
    assert_eq!(entries(&record), 2);
    // So it is where the token keeps other nonces than Permit2.
    let (record, first) = keyed(None, &usual, 5);
    let (record, second) = keyed(Some(&record), &merchant.asks(Terms::ByPermit), 6);
    assert_ne!(first, second);
    assert_eq!(entries(&record), 2);
}
