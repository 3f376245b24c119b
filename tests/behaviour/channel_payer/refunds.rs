//! Refunds: not believed beyond what is left, told when they have to wait, and never turned into a payment.

use farebox_core::client::channel::{ChannelNext, channels};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use super::{
    AUTHORIZER, BEGUN, PAYEE, PRICE, Payee, changed, fields, played, purchase, read, refund, run,
};

/// Another account that signs for the payee.
const SINCE: &str = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/// Buys twice by one channel; the terms of that.
fn paid_twice(payee: &mut Payee, record: &mut Option<String>) -> Headers {
    let terms = payee.terms(false);
    for seed in 1..3 {
        assert_eq!(played(seed, record, &terms, |it| payee.takes(it, None)).2, "");
    }
    terms
}

#[test]
pub fn a_refund_of_more_than_is_left_is_not_believed_and_nothing_is_forgotten() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    for (paid, code, left) in [(90_001, "receipt_mismatch", 100_000), (90_000, "", 10_000)] {
        let settled = json!({"success": true, "transaction": "0x01", "amount": paid.to_string()});
        let answer = fields("payment-response", &settled);
        let ended = run(&mut refund(paid), &mut record, &terms, BEGUN, |_| (200, answer.clone()));
        assert_eq!((ended.code(), ended.deposits), (code, 0));
        let kept = channels(record.as_deref()).unwrap();
        assert_eq!(kept[0]["deposit"], left.to_string());
        assert_eq!(kept[0]["spent"], PRICE.to_string());
    }
}

#[test]
pub fn a_refund_that_has_to_wait_says_so_and_until_when() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    let before = channels(record.as_deref()).unwrap();
    let mut later = read(&terms);
    later["error"] = "invalid_batch_settlement_evm_refund_later".into();
    let line = format!("payment-required: {}", base64::encode(later.to_string().as_bytes()));
    for (lines, expected) in [
        (
            vec![line.as_str(), "retry-after: 800"],
            "what was added to the channel is paid back in 800 s",
        ),
        (vec![line.as_str()], "what was added to the channel is paid back later"),
    ] {
        let later = Headers::from_lines(lines.into_iter());
        let ended = run(&mut refund(2), &mut record, &terms, BEGUN, |_| (402, later.clone()));
        assert_eq!((ended.code(), ended.sent, ended.deposits), ("refund_later", 1, 0));
        assert_eq!(ended.error.unwrap().message, expected);
        let kept = channels(record.as_deref()).unwrap();
        for member in ["deposit", "spent"] {
            assert_eq!(kept[0][member], before[0][member]);
        }
    }
}

//
#[test]
pub fn a_refund_whose_answer_was_lost_leaves_no_rest_that_is_not_there() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    // 90,000 of 100,000 are paid back, and its answer is an error.
    let failed = |_: &str| (500, Headers::default());
    assert_eq!(run(&mut refund(2), &mut record, &terms, BEGUN, failed).code(), "payment_refused");
    payee.deposit = PRICE;
    // What is dearer than the rest that is known brings another deposit.
    let mut dear = read(&terms);
    dear["accepts"][0]["amount"] = "95000".into();
    let dear = fields("payment-required", &dear);
    let ended = run(&mut purchase(3), &mut record, &dear, BEGUN, |payment| {
        payee.takes(payment, None);
        payee.charged = 105_000;
        let state =
            json!({"balance": payee.deposit.to_string(), "chargedCumulativeAmount": "105000"});
        let settled =
            json!({"success": true, "transaction": "0x01", "extra": {"channelState": state}});
        (200, fields("payment-response", &settled))
    });
    assert_eq!((ended.deposits, ended.code(), payee.deposit), (1, "", 110_000));
    assert_eq!(channels(record.as_deref()).unwrap()[0]["deposit"], "110000");
    // Another refund, and the calls after it, go on from there.
    let settled = json!({"success": true, "transaction": "0x02", "amount": "5000"});
    let answer = fields("payment-response", &settled);
    assert_eq!(
        run(&mut refund(4), &mut record, &terms, BEGUN, |_| (200, answer.clone())).code(),
        ""
    );
    payee.deposit = 105_000;
    for seed in 5..8 {
        assert_eq!(played(seed, &mut record, &terms, |it| payee.takes(it, None)).2, "");
    }
}

//
#[test]
pub fn what_was_deposited_before_a_restore_is_asked_back_by_the_terms_of_then() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = paid_twice(&mut payee, &mut record);
    // Whoever is paid elsewhere gets no word of it.
    let signer = json!({"receiverAuthorizer": SINCE});
    let foreign = changed(&terms, AUTHORIZER, &signer);
    let ended = run(&mut refund(3), &mut record, &foreign, BEGUN, |_| panic!("it is asked"));
    assert_eq!(ended.code(), "terms_changed");
    let slower =
        changed(&terms, PAYEE, &json!({"receiverAuthorizer": SINCE, "withdrawDelay": 901}));
    let ended = run(&mut refund(4), &mut record, &slower, BEGUN, |_| panic!("it is asked"));
    assert_eq!(ended.code(), "terms_changed");
    // The restored row knows the first of the two payments alone.
    payee.charged = PRICE;
    let told = changed(&payee.terms(true), PAYEE, &signer);
    let settled = json!({"success": true, "transaction": "0x01", "amount": "90000"});
    let paid = fields("payment-response", &settled);
    let mut answers = vec![(200, paid), (402, told)];
    let mut shown = Vec::new();
    let since = changed(&terms, PAYEE, &signer);
    let ended = run(&mut refund(5), &mut record, &since, BEGUN, |payment| {
        let payment: Value = serde_json::from_slice(&base64::decode(payment).unwrap()).unwrap();
        let (payload, accepted) = (&payment["payload"], &payment["accepted"]["extra"]);
        assert_eq!(accepted["receiverAuthorizer"], AUTHORIZER);
        assert_eq!(payload["channelConfig"]["receiverAuthorizer"], AUTHORIZER);
        assert_eq!(payload["voucher"]["channelId"], payee.channel);
        shown.push(payload["voucher"]["maxClaimableAmount"].clone());
        answers.pop().unwrap()
    });
    assert_eq!((ended.code(), ended.deposits), ("", 0));
    assert_eq!(shown, ["20000", "10000"]);
    let kept = channels(record.as_deref()).unwrap();
    assert_eq!((&kept[0]["deposit"], &kept[0]["spent"]), (&"10000".into(), &"10000".into()));
    // Nothing is left there, and what is bought now is another channel's.
    let ended = run(&mut refund(6), &mut record, &since, BEGUN, |_| panic!("it is asked"));
    assert_eq!(ended.code(), "terms_changed");
    let mut renewed = Payee::default();
    assert_eq!(played(7, &mut record, &since, |it| renewed.takes(it, None)), (1, PRICE, ""));
    assert_ne!(renewed.channel, payee.channel);
}

//
#[test]
pub fn one_refund_asks_for_one_channel_and_believes_nothing_of_another() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = paid_twice(&mut payee, &mut record);
    // The same payee by another signer: of that channel less was signed.
    let signer = json!({"receiverAuthorizer": SINCE});
    let since = changed(&terms, PAYEE, &signer);
    let mut other = Payee::default();
    assert_eq!(played(3, &mut record, &since, |it| other.takes(it, None)).2, "");
    assert_ne!(other.channel, payee.channel);
    // It says that the first is empty, and that the second owes as much as was signed for the first.
    payee.deposit = payee.charged;
    other.charged = payee.charged;
    let lies = [changed(&other.terms(true), PAYEE, &signer), payee.terms(true)];
    let mut lies = lies.into_iter().rev();
    let mut asked = Vec::new();
    run(&mut refund(4), &mut record, &terms, BEGUN, |payment| {
        let payment: Value = serde_json::from_slice(&base64::decode(payment).unwrap()).unwrap();
        asked.push(payment["payload"]["voucher"]["channelId"].clone());
        lies.next().map_or_else(|| (500, Headers::new()), |told| (402, told))
    });
    assert!(asked.iter().all(|it| *it == payee.channel), "{asked:?}");
    let kept = channels(record.as_deref()).unwrap();
    let other = kept.as_array().unwrap().iter().find(|it| it["id"] == other.channel).unwrap();
    assert_eq!(other["spent"], PRICE.to_string());
}

#[test]
fn a_refund_is_never_turned_into_a_payment() {
    let terms = Payee::default().terms(false);
    let wrong = changed(&terms, PAYEE, &json!({"receiverAuthorizer": "0x12"}));
    let ChannelNext::Once(Some(paid)) = purchase(1).answered(402, &wrong, b"", BEGUN) else {
        panic!("it is paid by channel")
    };
    let ChannelNext::Fail(asked_back) = refund(1).answered(402, &wrong, b"", BEGUN) else {
        panic!("it is paid for")
    };
    let codes = (paid.reason.code(), asked_back.reason.code());
    assert_eq!(codes, ("malformed_challenge", "malformed_challenge"));
}
