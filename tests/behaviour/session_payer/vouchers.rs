//! The vouchers of a session beside the one that is shown: which of them the payee may hold, whatever came
//! late, was refused for a moment or was undone.

use farebox_core::client::channel::{ChannelAim, ChannelNext};
use farebox_core::client::session::SessionPurchase;

use super::seller::{Seller, SellerAnswer};
use super::top_ups::{lost_top_up, refunded, two_paid};
use super::{Payer, begun, signature};

/// A request up to the moment in which its voucher has come to the seller: its answer is on its way.
fn sent(payer: &mut Payer, seller: &mut Seller) -> (SessionPurchase, SellerAnswer) {
    let (buyer, payment) = shown(payer, seller);
    (buyer, seller.takes(&payment))
}

/// A request up to the moment in which its voucher leaves.
fn shown(payer: &mut Payer, seller: &mut Seller) -> (SessionPurchase, String) {
    payer.seed += 1;
    let mut buyer = begun(payer.seed, ChannelAim::Pay);
    seller.now = payer.now();
    buyer.answered(402, &seller.challenge(), b"", payer.now());
    for _ in 0..4 {
        payer.record = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
        match buyer.updated() {
            ChannelNext::Sign { deposit: None, voucher: Some(voucher) } => {
                assert!(matches!(
                    buyer.signed(None, Some(&signature(&voucher))),
                    ChannelNext::Update
                ));
            }
            ChannelNext::Send { payment, .. } => return (buyer, payment),
            other => panic!("{other:?}"),
        }
    }
    panic!("nothing is sent");
}

/// The answer of a request comes.
fn come(payer: &mut Payer, (mut buyer, answer): (SessionPurchase, SellerAnswer)) {
    assert!(matches!(
        buyer.answered(answer.0, &answer.1, &answer.2, payer.now()),
        ChannelNext::Update
    ));
    let changed = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
    payer.record = changed.or(payer.record.take());
    assert!(matches!(buyer.updated(), ChannelNext::Return(_)));
}

fn lost(_: &mut Seller, _: SellerAnswer) -> SellerAnswer {
    (503, super::none(), Vec::new())
}

/// A payer that has used 20 of 100. A top-up of 100 arrives, and no answer comes.
fn topped_up_unseen() -> (Seller, Payer) {
    let (mut seller, mut payer) = two_paid();
    seller.unit = 90;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.actions.last(), seller.deposit), (Some(&("topUp", 100)), 200));
    payer.later += 4_000;
    (seller, payer)
}

/// The seller meets each payment with an error of its gateway, for one request.
fn fails_once(payer: &mut Payer, seller: &mut Seller) {
    seller.broken = Some((500, ""));
    let _ = payer.pays(seller);
    seller.broken = None;
}

// A-478
#[test]
pub fn a_voucher_that_is_served_late_is_kept_whichever_is_shown_by_then() {
    // A lower one is shown by then: another request has met an error.
    let (mut seller, mut payer) = topped_up_unseen();
    let slow = sent(&mut payer, &mut seller);
    assert_eq!((seller.highest, seller.spent), (110, 110));
    payer.later += 61;
    fails_once(&mut payer, &mut seller);
    come(&mut payer, slow);
    assert_eq!(payer.kept(), [(110, 110, 110)]);
    seller.unit = 10;
    payer.later += 86_400;
    payer.pays(&mut seller).unwrap();
    let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
    assert!(refund.is_ok(), "{refund:?}");
    // A higher one is, which leans on a top-up that never arrived.
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    seller.unit = 10;
    let slow = sent(&mut payer, &mut seller);
    payer.later += 62;
    seller.unit = 90;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.actions.last(), seller.highest), (Some(&("voucher", 120)), 30));
    come(&mut payer, slow);
    payer.later += 86_400;
    assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
    assert_eq!(refunded(&mut payer, &mut seller), "70");
}

// A-479
#[test]
pub fn a_voucher_that_was_refused_once_is_not_passed_over() {
    for closes in [true, false] {
        let (mut seller, mut payer) = topped_up_unseen();
        // It is charged, and what comes is an error behind it.
        let failed = |_: &mut Seller, _| (500, super::none(), Vec::new());
        let _ = payer.asks(&mut seller, ChannelAim::Pay, failed);
        assert_eq!((seller.highest, seller.spent), (110, 110));
        // Another top-up arrives unseen; the voucher for it never comes to the payee.
        seller.unit = 185;
        assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
        payer.later += 4_000;
        fails_once(&mut payer, &mut seller);
        assert_eq!((seller.highest, seller.deposit), (110, 305));
        seller.unit = 10;
        // The right one meets an error, once.
        (seller.fails_at, seller.spent) = (Some(110), 100);
        let aim = if closes { ChannelAim::Refund(None) } else { ChannelAim::Pay };
        let _ = payer.asks(&mut seller, aim, |_, answer| answer);
        assert_eq!(seller.fails_at, None);
        if !closes {
            payer.pays(&mut seller).unwrap();
        }
        assert_eq!(seller.highest, 110, "{:?}", seller.actions);
        let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
        assert!(refund.is_ok(), "{refund:?} {:?}", seller.actions);
        assert_eq!(seller.actions.last(), Some(&("close", 110)));
    }
}

// A-480
#[test]
pub fn a_voucher_that_adds_too_little_is_followed_by_the_next_one_and_not_by_the_highest() {
    let (mut seller, mut payer) = topped_up_unseen();
    fails_once(&mut payer, &mut seller);
    // It is charged, and its answer is lost.
    seller.unit = 10;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.highest, seller.spent), (30, 30));
    payer.later += 4_000;
    payer
        .asks(&mut seller, ChannelAim::Pay, |seller, answer| match answer.0 {
            402 => seller.refuses(70_013, 402),
            _ => answer,
        })
        .unwrap();
    assert_eq!((seller.highest, seller.spent), (40, 40));
    let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
    assert!(refund.is_ok());
    assert_eq!(seller.actions.last(), Some(&("close", 40)));
}

// A-481
#[test]
pub fn a_transaction_that_never_counts_holds_up_nothing_that_needs_no_top_up() {
    for (closes, is_dear) in [(true, false), (false, false), (false, true)] {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        seller.fee_payer = false;
        payer.pays(&mut seller).unwrap();
        payer.pays(&mut seller).unwrap();
        seller.unit = 90;
        let refused = payer.asks(&mut seller, ChannelAim::Pay, |seller, _| {
            seller.deposit = 100;
            seller.refuses(70_003, 402)
        });
        assert!(refused.is_err());
        assert_eq!(seller.actions.last(), Some(&("topUp", 100)));
        payer.later += 86_400;
        if is_dear {
            // Within a day the hash is shown again, then another top-up is made.
            assert!(
                payer
                    .asks(&mut seller, ChannelAim::Pay, |seller, _| seller.refuses(70_003, 402))
                    .is_err()
            );
            assert_eq!(payer.sent, 2);
            (payer.later, seller.deposit) = (payer.later + 300, 100);
            assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
            payer.pays(&mut seller).unwrap();
            assert_eq!((payer.sent, seller.highest), (3, 110));
            continue;
        }
        seller.unit = 10;
        if !closes {
            payer.pays(&mut seller).unwrap();
            assert_eq!((seller.highest, payer.sent), (30, 2));
        }
        let rest = if closes { "80" } else { "70" };
        assert_eq!(refunded(&mut payer, &mut seller), rest);
    }
}

// A-482
#[test]
pub fn a_top_up_that_was_called_arrived_and_was_undone_leaves_the_session_as_it_was() {
    for closes in [true, false] {
        let (mut seller, mut payer) = two_paid();
        seller.unit = 90;
        let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            seller.deposit = 100;
            // The voucher finds the deposit as it was.
            if seller.actions.last() == Some(&("voucher", 110)) {
                (seller.highest, seller.spent) = (20, 20);
                return seller.refuses(70_012, 402);
            }
            answer
        });
        assert_eq!(ended, Err("receipt_mismatch"));
        payer.later += 86_400;
        seller.unit = 10;
        if !closes {
            payer.pays(&mut seller).unwrap();
        }
        let highest = if closes { 20 } else { 30 };
        let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
        assert!(refund.is_ok(), "{refund:?} {:?}", seller.actions);
        assert_eq!(seller.actions.last(), Some(&("close", highest)));
    }
    // Once a voucher needed it, it is proven: no lower one is kept beside that.
    let (mut seller, mut payer) = two_paid();
    seller.unit = 90;
    payer.pays(&mut seller).unwrap();
    seller.unit = 10;
    payer.pays(&mut seller).unwrap();
    let record = payer.record.unwrap();
    assert!(record.contains(r#"\"others\":[]"#), "{record}");
}

// A-482
#[test]
pub fn a_top_up_that_was_undone_is_made_again_a_day_later() {
    let (mut seller, mut payer) = two_paid();
    seller.unit = 90;
    let mut is_undone = false;
    let undo = |seller: &mut Seller, answer: SellerAnswer| {
        // The voucher finds the deposit as it was.
        if !std::mem::replace(&mut is_undone, true) {
            seller.deposit = 100;
        }
        answer
    };
    assert_eq!(payer.asks(&mut seller, ChannelAim::Pay, undo), Err("receipt_mismatch"));
    assert_eq!((payer.deposits, seller.highest), (200, 20));
    // The payee says so twice; then it waits for a day.
    for _ in 0..3 {
        assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
        assert_eq!(payer.deposits, 200);
    }
    payer.later += 86_400;
    payer.pays(&mut seller).unwrap();
    assert_eq!((payer.deposits, seller.highest), (300, 110));
}

// A-486
#[test]
pub fn a_used_up_voucher_that_is_refused_in_other_words_is_followed_by_one_in_two_requests() {
    let (mut seller, mut payer) = two_paid();
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.highest, seller.spent), (30, 30));
    payer.later += 86_400;
    let words = |seller: &mut Seller, answer: SellerAnswer| match answer.0 {
        402 => (402, seller.challenge(), br#"{"detail": "there is no credit left"}"#.to_vec()),
        _ => answer,
    };
    assert_eq!(payer.asks(&mut seller, ChannelAim::Pay, words), Err("payment_refused"));
    assert_eq!(payer.highest, 30);
    payer.asks(&mut seller, ChannelAim::Pay, words).unwrap();
    assert_eq!((seller.highest, seller.spent), (40, 40));
    // A payee that refuses all of them gets one price more in two requests.
    let refuses = |seller: &mut Seller, _: SellerAnswer| {
        (402, seller.challenge(), br#"{"detail": "no"}"#.to_vec())
    };
    for highest in [50, 60, 60, 70] {
        assert_eq!(payer.asks(&mut seller, ChannelAim::Pay, refuses), Err("payment_refused"));
        assert_eq!(payer.highest, highest);
    }
}

// A-504
#[test]
pub fn an_opening_without_an_answer_ends_no_session_at_a_payee_without_codes() {
    let words = |seller: &mut Seller, answer: SellerAnswer| match answer.0 {
        402 => (402, seller.challenge(), br#"{"detail": "no"}"#.to_vec()),
        _ => answer,
    };
    for status in [404, 500, 503] {
        // It opens the channel, and no answer comes until its authorization has ended.
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
        payer.later = 4_000;
        // The first voucher is charged, and its answer is an error of the origin, or is lost.
        let _ = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| match seller.served {
            1 => (status, super::none(), Vec::new()),
            _ => words(seller, answer),
        });
        assert_eq!((seller.highest, seller.spent), (10, 10));
        let mut paid = 0;
        for _ in 0..6 {
            payer.later += 90_000;
            paid += u32::from(payer.asks(&mut seller, ChannelAim::Pay, words).is_ok());
        }
        assert!(paid >= 5, "{status}: {paid} of 6, {:?}", seller.actions);
        assert_eq!((payer.deposits, payer.kept()[0].0), (100, 100));
        assert!(payer.asks(&mut seller, ChannelAim::Refund(None), words).is_ok());
    }
}

#[test]
fn a_voucher_of_an_opening_that_covers_no_other_one_is_never_taken_as_used_up() {
    for (price, delta) in [(60, 0), (10, 60)] {
        let (mut seller, mut payer) = (Seller::new(price), Payer::default());
        seller.min_delta = delta;
        assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
        payer.later = 4_000;
        seller.broken = Some((402, r#"{"detail": "no"}"#));
        for _ in 0..3 {
            assert!(payer.pays(&mut seller).is_err());
        }
        seller.broken = None;
        payer.later += 60;
        assert!(payer.pays(&mut seller).is_ok(), "{price}, {delta}");
        assert_eq!((seller.deposits, payer.deposits), (100, 100), "{price}, {delta}");
    }
}

// A-520
#[test]
pub fn an_opening_on_its_way_is_never_replaced_by_another_one() {
    for (first, price) in [(60, 60), (20, 20), (10, 95)] {
        let (mut seller, mut payer) = (Seller::new(first), Payer::default());
        // The payee waits for its block, and says so in words of its own.
        seller.broken = Some((402, r#"{"detail": "the deposit is not confirmed yet"}"#));
        for _ in 0..8 {
            assert!(payer.pays(&mut seller).is_err());
            payer.later += 5;
            seller.unit = price;
        }
        assert_eq!((payer.deposits, payer.kept().len()), (100, 1), "{price}");
        (seller.broken, seller.unit) = (None, first);
        payer.later += 40;
        assert!(payer.pays(&mut seller).is_ok(), "{price}");
        assert_eq!((seller.deposits, payer.deposits, payer.kept().len()), (100, 100, 1));
    }
}

// A-505
#[test]
pub fn refusals_without_a_word_that_come_at_once_sign_one_voucher_on() {
    let (mut seller, mut payer) = two_paid();
    let no = |seller: &mut Seller| (402, seller.challenge(), b"{}".to_vec());
    assert!(payer.asks(&mut seller, ChannelAim::Pay, |seller, _| no(seller)).is_err());
    assert_eq!(payer.highest, 30);
    // Six requests show it, one after the other, and none has an answer for a while.
    let held: Vec<_> = (0..6)
        .map(|_| {
            payer.later += 70;
            shown(&mut payer, &mut seller).0
        })
        .collect();
    payer.later += 70;
    for mut buyer in held {
        let (_, headers, body) = no(&mut seller);
        let next = buyer.answered(402, &headers, &body, payer.now());
        let ended = payer.goes_on((&mut buyer, next), &mut seller, |seller, _| no(seller));
        assert_eq!(ended, Err("payment_refused"));
    }
    assert_eq!(payer.highest, 40);
}

// A-486
#[test]
pub fn a_lost_answer_after_a_top_up_ends_no_session_at_a_payee_without_codes() {
    let words = |seller: &mut Seller, answer: SellerAnswer| match answer.0 {
        402 => (402, seller.challenge(), br#"{"detail": "no"}"#.to_vec()),
        _ => answer,
    };
    for (price, status) in [(10, 503), (70, 500)] {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        for _ in 0..10 {
            payer.pays(&mut seller).unwrap();
        }
        // The first voucher after a top-up is charged, and its answer is lost.
        seller.unit = price;
        let _ = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            match seller.actions.last() {
                Some(("voucher", _)) => (status, super::none(), Vec::new()),
                _ => words(seller, answer),
            }
        });
        assert_eq!((seller.deposit, seller.highest), (200, 100 + price));
        seller.unit = 10;
        let mut paid = 0;
        for _ in 0..6 {
            payer.later += 4_000;
            paid += u32::from(payer.asks(&mut seller, ChannelAim::Pay, words).is_ok());
        }
        assert!(paid >= 3, "{paid} of 6: {:?}", seller.actions);
        let closed =
            (0..3).any(|_| payer.asks(&mut seller, ChannelAim::Refund(None), words).is_ok());
        assert!(closed, "{:?}", seller.actions);
    }
}

// A-486
#[test]
pub fn errors_of_an_origin_right_after_a_top_up_end_no_session() {
    for errors in [1, 2, 3] {
        let (mut seller, mut payer) = (Seller::new(10), Payer::default());
        for _ in 0..10 {
            payer.pays(&mut seller).unwrap();
        }
        // Each voucher is charged, and its answer is that there is no such page.
        for _ in 0..errors {
            let served = seller.served;
            let missing = |seller: &mut Seller, answer: SellerAnswer| {
                if seller.served > served { (404, super::none(), Vec::new()) } else { answer }
            };
            let _ = payer.asks(&mut seller, ChannelAim::Pay, missing);
        }
        let paid = (0..5).filter(|_| payer.pays(&mut seller).is_ok()).count();
        assert!(paid >= 4, "{errors}: {paid} of 5, {:?}", seller.actions);
        assert!(payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it).is_ok());
    }
}

/// Days on which a call of 10 is served, and whether the rest comes back, at a payee without codes that has taken
/// ten vouchers of 10: after a top-up the vouchers of these prices meet the error of an origin, charged or not.
fn days_after_errors(prices: &[u64], charges: bool, days: u32) -> (u32, bool) {
    let words = |seller: &mut Seller, answer: SellerAnswer| match answer.0 {
        402 => (402, seller.challenge(), br#"{"detail": "no"}"#.to_vec()),
        _ => answer,
    };
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    for _ in 0..10 {
        payer.pays(&mut seller).unwrap();
    }
    for price in prices {
        seller.unit = *price;
        payer.later += 20;
        let (served, spent) = (seller.served, seller.spent);
        let _ = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
            if seller.served == served {
                return words(seller, answer);
            }
            seller.spent = if charges { seller.spent } else { spent };
            (500, super::none(), Vec::new())
        });
    }
    seller.unit = 10;
    let mut paid = 0;
    for _ in 0..days {
        payer.later += 90_000;
        paid += u32::from(payer.asks(&mut seller, ChannelAim::Pay, words).is_ok());
    }
    let refund = |_| payer.asks(&mut seller, ChannelAim::Refund(None), words).is_ok();
    (paid, (0..2).any(refund))
}

// A-501
#[test]
pub fn an_origin_that_is_down_for_calls_of_several_prices_ends_no_session() {
    for prices in [[10, 20, 30, 40], [40, 30, 20, 10], [10, 10, 10, 10]] {
        for charges in [false, true] {
            let (paid, closes) = days_after_errors(&prices, charges, 6);
            assert!(paid >= 3 && closes, "{prices:?} {charges}: {paid} of 6, {closes}");
        }
    }
}

// A-509
#[test]
pub fn a_voucher_below_what_is_used_is_passed_over() {
    for prices in [[20, 20, 30, 20, 10], [20, 30, 20, 20, 10]] {
        let (paid, closes) = days_after_errors(&prices, true, 8);
        assert!(paid >= 6 && closes, "{prices:?}: {paid} of 8, {closes}");
    }
}

// A-481
#[test]
pub fn a_transaction_that_is_sent_late_writes_over_nothing_that_was_signed_meanwhile() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.fee_payer = false;
    payer.pays(&mut seller).unwrap();
    payer.pays(&mut seller).unwrap();
    (seller.unit, payer.seed) = (90, payer.seed + 1);
    let mut buyer = begun(payer.seed, ChannelAim::Pay);
    buyer.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
    assert!(matches!(buyer.updated(), ChannelNext::Broadcast));
    // Its person takes their time, and what the deposit covers goes on.
    (payer.later, seller.unit) = (130, 10);
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 30, 30)]);
    seller.unit = 90;
    payer.goes_on((&mut buyer, ChannelNext::Broadcast), &mut seller, |_, it| it).unwrap();
    assert_eq!(payer.kept(), [(200, 120, 120)]);
    assert_eq!((seller.deposit, seller.highest, seller.spent), (200, 120, 120));
}
