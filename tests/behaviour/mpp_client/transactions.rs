//! Transactions of the payer's own.

use super::*;
use farebox_core::client::exchange::AnsweredTerms;

//
#[test]
pub fn a_transaction_that_may_have_been_sent_is_not_sent_again_unasked() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let begun = || exchange("{}", 1).with_broadcast();
    let mut sending = begun();
    assert!(matches!(sending.answered(402, &headers, b"", at(0)), Next::Reserve));
    let record = sending.reserve(None, at(0)).unwrap();
    assert!(matches!(sending.prepare(at(0)), Next::Broadcast));
    // Another process knows no more than that it was asked for: there is no hash.
    let mut kept = begun();
    let terms = AnsweredTerms { headers: &headers, body: b"", at: at(0) };
    assert!(!kept.restore(terms, "", true, at(1)));
    kept.count_as(sending.counted());
    for mut exchange in [sending, kept] {
        assert!(exchange.go_on(policy("{}"), None, false, true, at(1)).is_none());
        let refused = failure(exchange.go_on(policy("{}"), None, true, false, at(2)).unwrap());
        assert_eq!(refused.reason.code(), "payment_unresolved");
        let asked = exchange.go_on(policy("{}"), None, true, true, at(2));
        assert!(matches!(asked, Some(Next::Afresh)));
        assert!(matches!(exchange.answered(402, &headers, b"", at(2)), Next::Reserve));
        let counted = exchange.reserve(Some(&record), at(2)).unwrap();
        assert_eq!(exchange.proposal().unwrap()["again"], true);
        let rows = serde_json::from_str::<Value>(&counted).unwrap();
        assert_eq!(rows["entries"].as_array().map(Vec::len), Some(2), "it counts beside: {rows}");
    }
}

//
#[test]
pub fn each_transaction_that_may_have_been_sent_counts_by_itself() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let begun = || exchange("{}", 1).with_broadcast();
    for hash in ["", HASH] {
        let mut first = begun();
        assert!(matches!(first.answered(402, &headers, b"", at(0)), Next::Reserve));
        let mut record = first.reserve(None, at(0)).unwrap();
        let mut counted = first.counted().to_owned();
        for count in 2..=5 {
            let now = 60 * count;
            // Each time in another process, which makes the same request.
            let mut next = begun();
            let terms = AnsweredTerms { headers: &headers, body: b"", at: at(0) };
            let is_read = next.restore(terms, hash, true, at(0));
            assert_eq!(is_read, !hash.is_empty());
            next.count_as(&counted);
            assert!(matches!(
                next.go_on(policy("{}"), None, true, true, at(now)),
                Some(Next::Afresh)
            ));
            assert!(matches!(next.answered(402, &headers, b"", at(0)), Next::Reserve));
            record = next.reserve(Some(&record), at(now)).unwrap();
            counted = next.counted().to_owned();
            let rows = serde_json::from_str::<Value>(&record).unwrap();
            let entries = rows["entries"].as_array().map(Vec::len);
            assert_eq!(entries, usize::try_from(count).ok(), "{hash}: {rows}");
        }
    }
}

//
#[test]
pub fn a_transaction_beside_one_that_may_have_been_sent_is_shown_again() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let mut exchange = exchange("{}", 1).with_broadcast();
    // Of the one before nothing is known but that it was asked for.
    let terms = AnsweredTerms { headers: &headers, body: b"", at: at(0) };
    assert!(!exchange.restore(terms, "", true, at(1)));
    assert!(matches!(exchange.go_on(policy("{}"), None, true, true, at(2)), Some(Next::Afresh)));
    assert!(matches!(exchange.answered(402, &headers, b"", at(2)), Next::Reserve));
    exchange.reserve(None, at(2)).unwrap();
    assert!(matches!(exchange.prepare(at(2)), Next::Broadcast));
    let Next::Send { headers: sent, .. } = exchange.broadcast(HASH, at(3)) else { panic!() };
    // Its answer is lost: the next call shows the same transaction, and nobody sends another one.
    let again = exchange.go_on(policy("{}"), None, false, true, at(4));
    let Some(Next::Send { headers: again, .. }) = again else { panic!("{again:?}") };
    assert_eq!(again, sent);
}

#[test]
fn a_server_that_pays_no_gas_gets_the_hash_of_the_payers_transaction_and_nothing_else() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let sending = || {
        let mut exchange = exchange("{}", 1).with_broadcast();
        assert!(matches!(exchange.answered(402, &headers, b"", at(0)), Next::Reserve));
        exchange.reserve(None, at(0)).unwrap();
        assert!(matches!(exchange.prepare(at(0)), Next::Broadcast));
        exchange
    };
    let proposal = sending().proposal().unwrap();
    assert_eq!((&proposal["paysGas"], &proposal["paysBeforeWork"]), (&json!(true), &json!(true)));
    let digits = "1".repeat(64);
    for wrong in [
        format!("0x{digits}1"),
        format!("0x{}", "1".repeat(63)),
        digits.clone(),
        format!("0x{}g", "1".repeat(63)),
        format!(" 0x{digits}"),
        String::new(),
    ] {
        let mut exchange = sending();
        let error = failure(exchange.broadcast(&wrong, at(1)));
        assert_eq!(error.reason.code(), "wrong_transaction", "{wrong}");
        assert!(exchange.payment().is_none());
    }
    let mut beside = terms(&json!([entry("20000")]));
    beside.add("www-authenticate", &evm("a", &request));
    let mut dearer = exchange("{}", 1).with_broadcast();
    dearer.answered(402, &beside, b"", at(0));
    dearer.reserve(None, at(0)).unwrap();
    assert_eq!(
        dearer.proposal().unwrap()["protocol"],
        "x402",
        "what the payer sends himself is last"
    );
    let mut exchange = sending();
    let Next::Send { headers: sent, .. } = exchange.broadcast(HASH, at(1)) else { panic!() };
    let (name, value) = &sent[0];
    assert_eq!(name, "Authorization");
    assert_eq!(credential(value)["payload"], json!({"type": "hash", "hash": HASH}));
    // The same one again, and never a second transaction.
    let Next::Send { headers: again, .. } = exchange.lost(at(2)) else { panic!() };
    assert_eq!(again, sent);
    assert_eq!(failure(exchange.broadcast(HASH, at(3))).reason.code(), "wrong_transaction");
    let other = receipt(|it| it["reference"] = format!("0x{}", "22".repeat(32)).into());
    assert_eq!(
        failure(exchange.answered(200, &other, b"", at(3))).reason.code(),
        "receipt_mismatch"
    );
    let next = exchange.answered(200, &receipt(|_| {}), b"", at(3));
    assert!(matches!(next, Next::Return(Some(_))), "{next:?}");
}
