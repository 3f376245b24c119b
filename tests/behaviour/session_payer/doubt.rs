//! Answers that were lost or came late: one request is charged once, whatever its payee says afterwards.

use farebox_core::client::channel::{ChannelAim, ChannelNext};

use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::json;

use super::seller::{Seller, SellerAnswer};
use super::top_ups::two_paid;
use super::{Payer, begun};

/// A request whose answer is lost once it was charged; sent again it has this answer.
fn lost_then(
    (seller, payer): (&mut Seller, &mut Payer),
    mut then: impl FnMut(&mut Seller) -> SellerAnswer,
) -> &'static str {
    let mut answers = 0;
    let ended = payer.asks(seller, ChannelAim::Pay, |seller, answer| {
        answers += 1;
        match answers {
            1 => (503, super::none(), Vec::new()),
            2 => then(seller),
            _ => answer,
        }
    });
    ended.expect_err("it is charged again")
}

// A-484
#[test]
pub fn a_voucher_whose_answer_was_lost_is_followed_by_no_other_charge() {
    // The challenge is stale by then, and the fresh one is dearer.
    for code in [30_001, 70_009] {
        let (mut seller, mut payer) = two_paid();
        let ended = lost_then((&mut seller, &mut payer), |seller| {
            seller.unit = 15;
            seller.refuses(code, 402)
        });
        assert_eq!((ended, seller.spent, seller.highest), ("payment_conflict", 30, 30));
    }
    // It has the same price, and the voucher room for two.
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.min_delta = 100;
    payer.pays(&mut seller).unwrap();
    let ended = lost_then((&mut seller, &mut payer), |seller| seller.refuses(70_009, 402));
    assert_eq!((ended, seller.spent), ("payment_conflict", 20));
    // The next request is another one.
    payer.later = 4_000;
    payer.pays(&mut seller).unwrap();
    // The payee closes channels by then.
    let (mut seller, mut payer) = two_paid();
    let ended = lost_then((&mut seller, &mut payer), |seller| seller.refuses(70_014, 409));
    assert_eq!((ended, seller.spent, payer.deposits), ("payment_conflict", 30, 100));
    assert_eq!(seller.actions.last(), Some(&("voucher", 30)));
    // A voucher that has room for this one request alone is shown again: it can be charged once.
    let (mut seller, mut payer) = two_paid();
    let mut answers = 0;
    let paid = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
        answers += 1;
        match answers {
            1 => {
                (seller.highest, seller.spent) = (20, 20);
                (503, super::none(), Vec::new())
            }
            2 => seller.refuses(30_001, 402),
            _ => answer,
        }
    });
    assert!(paid.is_ok(), "{paid:?}");
    assert_eq!((seller.highest, seller.spent), (30, 30));
}

// A-485
#[test]
pub fn a_word_that_comes_late_calls_no_channel_unknown_that_has_served_since() {
    let (mut seller, mut payer) = two_paid();
    let mut slow = begun(90, ChannelAim::Pay);
    slow.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = slow.update(payer.record.as_deref(), payer.now()).unwrap();
    let ChannelNext::Sign { voucher: Some(voucher), .. } = slow.updated() else { panic!() };
    slow.signed(None, Some(&super::signature(&voucher)));
    payer.record = slow.update(payer.record.as_deref(), payer.now()).unwrap();
    assert!(matches!(slow.updated(), ChannelNext::Send { .. }));
    payer.later = 70;
    payer.pays(&mut seller).unwrap();
    let (status, headers, body) = seller.refuses(70_010, 404);
    slow.answered(status, &headers, &body, payer.now());
    let changed = slow.update(payer.record.as_deref(), payer.now()).unwrap();
    payer.record = changed.or(payer.record.take());
    assert!(matches!(slow.updated(), ChannelNext::Fail(_)));
    // A dear call is topped up as ever.
    seller.unit = 90;
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions[seller.actions.len() - 2].0, "topUp");
}

// A-500
#[test]
pub fn a_problem_of_the_origin_is_no_word_on_the_voucher() {
    let problem = |kind: &str| format!(r#"{{"type":"{kind}","title":"Bad Request"}}"#);
    let origins = [
        problem("https://api.example.com/problems/bad-request"),
        r#"{"type":"about:blank","code":30001}"#.into(),
        r#"{"code":30001,"msg":"a header is missing"}"#.into(),
    ];
    // A payee that charges what its origin answers, also with 400.
    let charged = |min_delta: u64, body: &str| {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        seller.min_delta = min_delta;
        payer.pays(&mut seller).unwrap();
        let mut served = seller.served;
        let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            if seller.served == served {
                return answer;
            }
            served = seller.served;
            (400, super::none(), body.as_bytes().to_vec())
        });
        (ended.map(|it| it.is_some()), seller.spent, seller.served)
    };
    for min_delta in [0, 100] {
        for body in &origins {
            assert_eq!(charged(min_delta, body), (Ok(false), 20, 2), "{body}");
        }
        // One that takes the name of the payment's problems has the same voucher shown once more, at most.
        let body = problem("https://paymentauth.org/problems/bad-request");
        assert_eq!(charged(min_delta, &body), (Err("payment_conflict"), 20, 2));
    }
}

/// A payer whose voucher of 110 has room for three calls of 10 that it does not know of: a dear call was not
/// charged, a cheap one was and met an error, and the next dear one was told that the voucher is used up.
fn with_hidden_room() -> (Seller, Payer) {
    let (mut seller, mut payer) = two_paid();
    payer.pays(&mut seller).unwrap();
    for (price, status) in [(40, 500), (10, 404)] {
        seller.unit = price;
        let _ = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            if seller.served == 3 {
                return answer;
            }
            (seller.served, seller.spent) = (3, if status == 404 { 40 } else { 30 });
            (status, super::none(), Vec::new())
        });
    }
    seller.unit = 40;
    payer.pays(&mut seller).unwrap();
    assert_eq!((seller.highest, seller.spent, payer.kept()), (110, 80, vec![(200, 110, 110)]));
    (seller.unit, payer.later) = (10, 1_000);
    (seller, payer)
}

// A-502
#[test]
pub fn room_that_the_payer_does_not_know_of_pays_for_no_second_charge() {
    let (mut seller, mut payer) = with_hidden_room();
    let ended = lost_then((&mut seller, &mut payer), |seller| seller.refuses(30_001, 402));
    assert_eq!((ended, seller.spent), ("payment_conflict", 90));
    // Nor does it for another call of its key.
    let (mut seller, mut payer) = with_hidden_room();
    let mut keyed = begun(90, ChannelAim::Pay);
    let next = keyed.answered(402, &seller.challenge(), b"", payer.now());
    let lost = |_: &mut Seller, _: SellerAnswer| (503, super::none(), Vec::new());
    assert!(payer.goes_on((&mut keyed, next), &mut seller, lost).is_err());
    let (left, is_alone) = keyed.leaving().unwrap();
    assert_eq!((seller.spent, is_alone), (90, false));
    payer.later += 1_000;
    let mut again = begun(91, ChannelAim::Pay).showing(Some(left));
    let next = again.answered(402, &seller.challenge(), b"", payer.now());
    let ended = payer.goes_on((&mut again, next), &mut seller, |_, answer| answer);
    assert_eq!((ended, seller.spent), (Err("payment_conflict"), 90));
    // It is found again once the payee says what is used.
    payer.later += 1_000;
    let told = |seller: &mut Seller, answer: SellerAnswer| {
        let receipt = json!({"method": "evm", "reference": "r", "status": "success",
            "timestamp": "2026-01-01T00:00:00Z", "spent": seller.spent.to_string()});
        let receipt = base64::encode_url(receipt.to_string().as_bytes());
        let line = format!("payment-receipt: {receipt}");
        (answer.0, Headers::from_lines(core::iter::once(line.as_str())), answer.2)
    };
    payer.asks(&mut seller, ChannelAim::Pay, told).unwrap();
    let (_, signed, spent) = payer.kept()[0];
    assert_eq!((signed, spent), (seller.highest, seller.spent));
    for _ in 0..(signed - spent) / 10 {
        payer.pays(&mut seller).unwrap();
    }
    assert_eq!((seller.highest, seller.spent), (signed, signed));
}
