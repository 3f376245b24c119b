//! Purchases under a key: what has left for one before is shown again, and nothing beside it.

use farebox_core::amount::Amount;
use farebox_core::channel::config::ChannelId;
use farebox_core::client::channel::LeftVoucher;

use super::*;

/// The second voucher of a channel, above the first, which was charged.
fn second(payee: &Payee) -> LeftVoucher {
    let channel = ChannelId::parse(&payee.channel).unwrap();
    LeftVoucher { channel, amount: Amount::from_u64(2 * PRICE), before: Amount::from_u64(PRICE) }
}

//
#[test]
pub fn a_key_whose_voucher_was_charged_signs_no_higher_one() {
    for comes in [true, false] {
        let (mut payee, mut record) = (Payee::default(), None);
        let first = payee.terms(false);
        assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).2, "");
        // The answer is lost, or the request.
        let lost = run(&mut purchase(2), &mut record, &first, BEGUN, |payment| {
            if comes {
                payee.takes(payment, None);
            }
            (500, Headers::default())
        });
        assert_eq!((lost.highest, payee.served), (2 * PRICE, if comes { 2 } else { 1 }));
        let (left, terms) = (second(&payee), payee.terms(false));
        for seed in [3, 4] {
            let mut again = purchase(seed).showing(Some(left));
            let answers = |payment: &str| payee.takes(payment, None);
            let ended = run(&mut again, &mut record, &terms, BEGUN, answers);
            let code = if comes || seed == 4 { "payment_conflict" } else { "" };
            assert_eq!((ended.highest, ended.code()), (2 * PRICE, code), "{comes} {seed}");
        }
        assert_eq!((payee.served, payee.charged), (2, 2 * PRICE));
        // Another purchase goes on from there.
        let ended = played(5, &mut record, &terms, |payment| payee.takes(payment, None));
        assert_eq!(ended, (0, 3 * PRICE, ""));
    }
}

//
#[test]
fn a_key_of_another_channel_pays_nothing() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    let left = LeftVoucher { channel: ChannelId::from_bytes([7; 32]), ..second(&payee) };
    let mut again = purchase(2).showing(Some(left));
    let ended = run(&mut again, &mut record, &terms, BEGUN, |_| panic!("nothing leaves"));
    assert_eq!((ended.highest, ended.code()), (0, "payment_unresolved"));
}

/// These terms at a price that the policy refuses.
fn dearer(terms: &Headers) -> Headers {
    let mut terms = super::read(terms);
    terms["accepts"][0]["amount"] = "2000000".into();
    fields("payment-required", &terms)
}

//
#[test]
pub fn what_was_paid_for_is_asked_for_again_at_the_price_of_then() {
    let refuses = |answer: (u16, Headers)| match answer {
        (402, terms) => (402, dearer(&terms)),
        served => served,
    };
    for comes in [true, false] {
        let (mut payee, mut record) = (Payee::default(), None);
        let first = payee.terms(false);
        assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).2, "");
        run(&mut purchase(2), &mut record, &first, BEGUN, |payment| {
            if comes {
                payee.takes(payment, None);
            }
            (500, Headers::default())
        });
        let (left, terms) = (second(&payee), dearer(&payee.terms(false)));
        // Who has nothing on its way signs nothing.
        let ChannelNext::Once(Some(refused)) = purchase(3).answered(402, &terms, b"", BEGUN) else {
            panic!("it is not for sale at this price");
        };
        assert_eq!(refused.reason.code(), "policy_amount");
        let mut shown = Vec::new();
        let mut again = purchase(4).showing(Some(left));
        let ended = run(&mut again, &mut record, &terms, BEGUN, |payment| {
            let sent = serde_json::from_slice::<Value>(&base64::decode(payment).unwrap()).unwrap();
            shown.push((
                sent["payload"]["voucher"]["maxClaimableAmount"].clone(),
                sent["accepted"]["amount"].clone(),
            ));
            // The gate answers again what it answered to these bytes.
            match comes {
                true => {
                    (200, fields("payment-response", &json!({"success": true, "transaction": ""})))
                }
                false => refuses((402, payee.terms(true))),
            }
        });
        let sent = (json!((2 * PRICE).to_string()), json!(PRICE.to_string()));
        assert_eq!(shown, [sent]);
        let code = if comes { "" } else { "policy_amount" };
        assert_eq!((ended.highest, ended.code()), (2 * PRICE, code), "{comes}");
    }
}
