//! Answers that were lost or came late: one request is charged once, whatever its payee says afterwards.

use farebox_core::client::channel::{ChannelAim, ChannelNext};

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
