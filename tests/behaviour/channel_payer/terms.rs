//! Terms, and what a payee says of a channel.

use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{ChannelNext, channels};
use serde_json::json;

use super::{BEGUN, PAYEE, PRICE, Payee, changed, played, purchase, refund, signature};

#[test]
pub fn an_honest_server_is_paid_for_each_request_that_it_serves() {
    let (mut payee, mut record) = (Payee::default(), None);
    for served in 1..=30 {
        let terms = payee.terms(false);
        assert_eq!(played(served, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
        assert_eq!((payee.served, payee.charged), (served, served * PRICE));
    }
    // Thirty requests are three deposits of ten.
    assert_eq!((payee.deposit, payee.salts.len()), (300_000, 3));
}

//
#[test]
pub fn a_payee_is_believed_as_far_as_was_signed_and_no_further() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    let lie = Some((PRICE + 1, 10 * PRICE));
    let ended = played(1, &mut record, &terms, |payment| payee.takes(payment, lie));
    assert_eq!(ended.2, "receipt_mismatch");
}

#[test]
pub fn corrected_terms_of_another_channel_or_at_another_price_are_not_signed() {
    let other = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
    for (payee, extra) in [
        (PAYEE, json!({"receiverAuthorizer": other})),
        (PAYEE, json!({"withdrawDelay": 901})),
        (other, json!({})),
    ] {
        let (mut payee_here, mut record) = (Payee::default(), None);
        let first = payee_here.terms(false);
        let ended = played(1, &mut record, &first, |payment| {
            let (_, corrected) = payee_here.takes(payment, Some((0, 0)));
            (402, changed(&corrected, payee, &extra))
        });
        assert_eq!(ended, (1, PRICE, "payment_refused"), "{payee} {extra}");
    }
}

#[test]
pub fn a_request_that_is_called_charged_and_not_answered_is_signed_for_once() {
    let (mut payee, mut record) = (Payee::default(), None);
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).2, "");
    let ended = played(2, &mut record, &first, |payment| {
        payee.takes(payment, Some((2 * PRICE, 10 * PRICE)))
    });
    assert_eq!(ended, (0, 2 * PRICE, "payment_conflict"));
    // It is believed to be charged: the next voucher goes on from there.
    let ended = played(3, &mut record, &first, |payment| {
        payee.charged = 2 * PRICE;
        payee.takes(payment, None)
    });
    assert_eq!(ended, (0, 3 * PRICE, ""));
}

#[test]
pub fn what_is_sold_with_a_longer_delay_is_paid_for_by_itself() {
    let terms = Payee::default().terms(false);
    let sold = |delay: u64| changed(&terms, PAYEE, &json!({"withdrawDelay": delay}));
    let asked = |delay: u64| purchase(1).answered(402, &sold(delay), b"", BEGUN);
    assert!(matches!(asked(86_400), ChannelNext::Update));
    let ChannelNext::Once(Some(error)) = asked(86_401) else { panic!("it is paid by channel") };
    assert_eq!(error.reason.code(), "policy_validity");
    // What is there can be asked back, whatever the delay.
    assert!(matches!(refund(1).answered(402, &sold(2_592_000), b"", BEGUN), ChannelNext::Update));
}

#[test]
fn what_a_server_corrects_is_kept_however_often_another_writer_comes_between() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    // The second request is told that nothing was charged yet, as by a server that was restored.
    let mut buyer = purchase(2);
    let mut next = buyer.answered(402, &terms, b"", BEGUN);
    let corrected = loop {
        next = match next {
            ChannelNext::Update => {
                record = buyer.update(record.as_deref(), BEGUN).unwrap().or(record);
                buyer.updated()
            }
            ChannelNext::Sign { deposit: None, voucher: Some(voucher) } => {
                buyer.signed(None, Some(&signature(&voucher)))
            }
            ChannelNext::Send { payment, .. } => {
                let (status, headers) = payee.takes(&payment, Some((0, payee.deposit)));
                break buyer.answered(status, &headers, b"", BEGUN);
            }
            other => panic!("{other:?}"),
        };
    };
    assert!(matches!(corrected, ChannelNext::Update));
    let spent = |record: &str| channels(Some(record)).unwrap()[0]["spent"].clone();
    assert_eq!(spent(record.as_deref().unwrap()), PRICE.to_string());
    assert!(buyer.update(record.as_deref(), BEGUN).unwrap().is_some());
    // Another process has written meanwhile: the change is made again.
    let mut other = Budget::from_text(record.as_deref()).unwrap();
    other.sent.keep("payment of another process", "{}", BEGUN).unwrap();
    let corrected = buyer.update(Some(&other.to_text()), BEGUN).unwrap().unwrap();
    assert_eq!(spent(&corrected), "0");
    assert!(matches!(buyer.updated(), ChannelNext::Update));
    buyer.update(Some(&corrected), BEGUN).unwrap();
    let ChannelNext::Sign { voucher: Some(voucher), deposit: None } = buyer.updated() else {
        panic!("no voucher")
    };
    assert_eq!(voucher["message"]["maxClaimableAmount"], PRICE.to_string());
}
