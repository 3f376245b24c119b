//! Top-ups that nobody signs, that are signed late, or that never arrive: whatever becomes of one, the
//! session pays as before, and its rest comes back.

use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{ChannelAim, ChannelNext};
use farebox_core::client::session::SessionPurchase;
use farebox_core::client::{Policy, session};
use serde_json::json;

use super::seller::{Seller, SellerAnswer};
use super::{Payer, begun, signature};

/// A payer that has used 20 of 100.
pub(super) fn two_paid() -> (Seller, Payer) {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    payer.pays(&mut seller).unwrap();
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 20, 20)]);
    (seller, payer)
}

/// A request that needs a top-up of 100, up to the question whether to sign it.
fn asked(payer: &mut Payer, seller: &mut Seller) -> (SessionPurchase, ChannelNext) {
    seller.unit = 90;
    payer.seed += 1;
    let mut buyer = begun(payer.seed, ChannelAim::Pay);
    seller.now = payer.now();
    buyer.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
    let next = buyer.updated();
    assert!(matches!(&next, ChannelNext::Sign { deposit: Some(_), voucher: None }), "{next:?}");
    seller.unit = 10;
    (buyer, next)
}

/// What the caps count of this day.
pub(super) fn counted(payer: &Payer) -> String {
    let policy = Policy::from_json(r#"{"perDay": "0.001"}"#).unwrap();
    let budget = Budget::from_text(payer.record.as_deref()).unwrap();
    let caps = budget.caps(&policy, payer.now());
    caps.into_iter().find(|it| it.name == "perDay").unwrap().spent.to_string()
}

pub(super) fn refunded(payer: &mut Payer, seller: &mut Seller) -> String {
    let refund = payer.asks(seller, ChannelAim::Refund(None), |_, answer| answer);
    refund.unwrap().unwrap()["refunded"].as_str().unwrap().to_owned()
}

/// A top-up that the payee takes, and that never arrives; its authorization is over.
pub(super) fn lost_top_up(payer: &mut Payer, seller: &mut Seller) {
    seller.unit = 90;
    let lost = payer.asks(seller, ChannelAim::Pay, |seller, answer| {
        assert_eq!(answer.0, 200);
        seller.deposit = 100;
        seller.refuses(70_003, 402)
    });
    assert!(lost.is_err());
    assert_eq!(seller.actions.last(), Some(&("topUp", 100)));
    payer.later += 4_000;
}

// A-470
#[test]
pub fn a_top_up_that_nobody_signs_leaves_the_session_as_it_was() {
    // The process ends while its person is asked.
    let (mut seller, mut payer) = two_paid();
    drop(asked(&mut payer, &mut seller));
    assert_eq!(session::sessions(payer.record.as_deref()).unwrap()[0]["pending"], json!(null));
    payer.later = 130;
    payer.pays(&mut seller).unwrap();
    assert_eq!(refunded(&mut payer, &mut seller), "70");
    // They say no, late, while another request was paid.
    let (mut seller, mut payer) = two_paid();
    let before = counted(&payer);
    let (buyer, _) = asked(&mut payer, &mut seller);
    assert_ne!(counted(&payer), before);
    payer.later = 130;
    payer.pays(&mut seller).unwrap();
    payer.record = buyer.release(payer.record.as_deref(), payer.now()).unwrap();
    assert_eq!((counted(&payer), payer.kept()), (before, vec![(100, 30, 30)]));
    assert_eq!(refunded(&mut payer, &mut seller), "70");
}

#[test]
fn a_session_whose_opening_another_process_has_given_up_is_opened_by_a_late_signer() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    let mut buyers = [1, 2].map(|seed| begun(seed, ChannelAim::Pay));
    let mut asked = None;
    for buyer in &mut buyers {
        buyer.answered(402, &seller.challenge(), b"", payer.now());
        payer.record = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
        asked = asked.or(Some(buyer.updated()));
        assert!(payer.kept().is_empty());
        payer.later += 130;
    }
    payer.record = buyers[1].release(payer.record.as_deref(), payer.now()).unwrap();
    payer.goes_on((&mut buyers[0], asked.unwrap()), &mut seller, |_, answer| answer).unwrap();
    assert_eq!(payer.kept(), [(100, 10, 10)]);
}

// A-470
#[test]
pub fn a_top_up_that_is_signed_late_writes_over_nothing_that_was_signed_meanwhile() {
    let (mut seller, mut payer) = two_paid();
    let (mut buyer, next) = asked(&mut payer, &mut seller);
    payer.later = 130;
    payer.pays(&mut seller).unwrap();
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 40, 40)]);
    seller.unit = 90;
    payer.goes_on((&mut buyer, next), &mut seller, |_, answer| answer).unwrap();
    assert_eq!(seller.actions[seller.actions.len() - 2..], [("topUp", 100), ("voucher", 130)]);
    assert_eq!((payer.kept(), seller.highest), (vec![(200, 130, 130)], 130));
    assert_eq!(refunded(&mut payer, &mut seller), "70");
    // Nor does it take the session from a request that is about to be sent.
    let (mut seller, mut payer) = two_paid();
    let (mut buyer, next) = asked(&mut payer, &mut seller);
    payer.later = 130;
    let mut other = begun(99, ChannelAim::Pay);
    other.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = other.update(payer.record.as_deref(), payer.now()).unwrap();
    let ChannelNext::Sign { deposit: Some(deposit), .. } = next else { panic!() };
    assert!(matches!(buyer.signed(Some(&signature(&deposit)), None), ChannelNext::Update));
    assert_eq!(buyer.update(payer.record.as_deref(), payer.now()).unwrap(), None);
    assert!(matches!(buyer.updated(), ChannelNext::Update));
    assert_eq!(buyer.update(payer.record.as_deref(), payer.now()).unwrap(), None);
    assert!(matches!(buyer.updated(), ChannelNext::Wait(_)));
}

// A-467
#[test]
pub fn whatever_a_payee_calls_a_voucher_above_its_deposit_the_session_goes_back() {
    let words = |text: &str| {
        let body = json!({"detail": text}).to_string().into_bytes();
        move |seller: &mut Seller| (402, seller.challenge(), body.clone())
    };
    let code = |code: u32| move |seller: &mut Seller| seller.refuses(code, 402);
    type Refuses = Box<dyn Fn(&mut Seller) -> SellerAnswer>;
    let kinds: [(Refuses, u64); 6] = [
        (Box::new(code(70_012)), 110),
        (Box::new(code(70_004)), 110),
        (Box::new(words("over")), 110),
        // Called used up, it is followed by one more.
        (Box::new(code(70_015)), 200),
        (Box::new(code(70_013)), 200),
        (Box::new(words("insufficient balance")), 200),
    ];
    for (number, (refuses, last)) in kinds.iter().enumerate() {
        for closes in [false, true] {
            let (mut seller, mut payer) = two_paid();
            lost_top_up(&mut payer, &mut seller);
            let above = payer.asks(&mut seller, ChannelAim::Pay, |seller, answer| {
                if answer.0 == 200 { answer } else { refuses(seller) }
            });
            assert!(above.is_err(), "{number}");
            assert_eq!(seller.actions.last(), Some(&("voucher", *last)), "{number}");
            assert_eq!(payer.kept(), [(100, *last, 20)], "{number}");
            seller.unit = 10;
            if !closes {
                payer.pays(&mut seller).unwrap();
            }
            let rest = if closes { "80" } else { "70" };
            assert_eq!(refunded(&mut payer, &mut seller), rest, "{number}");
        }
    }
}

// A-467
#[test]
fn a_payee_whose_chain_fails_above_the_deposit_is_paid_below_it() {
    for broken in [(500, ""), (400, "no"), (500, r#"{"code": 8000}"#), (403, r#"{"code": 70002}"#)]
    {
        let (mut seller, mut payer) = two_paid();
        lost_top_up(&mut payer, &mut seller);
        seller.broken = Some(broken);
        let above = payer.pays(&mut seller);
        assert!(matches!(above, Ok(None) | Err("payment_refused")), "{broken:?} {above:?}");
        (seller.broken, seller.unit) = (None, 10);
        payer.pays(&mut seller).unwrap();
        assert_eq!((seller.highest, refunded(&mut payer, &mut seller).as_str()), (30, "70"));
    }
}

/// A payer that has used 30 of 200, and whose payee holds 110: it knows of neither. One refusal had it
/// go back to 20.
fn taken_and_refused() -> (Seller, Payer) {
    let (mut seller, mut payer) = two_paid();
    seller.min_delta = 90;
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.actions.last(), seller.deposit), (Some(&("topUp", 100)), 200));
    payer.later += 4_000;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.highest, seller.spent), (110, 30));
    payer.later += 4_000;
    seller.broken = Some((402, r#"{"detail": "verification failed: the node does not answer"}"#));
    assert!(payer.pays(&mut seller).is_err());
    (seller.broken, seller.min_delta) = (None, 0);
    assert_eq!(payer.kept(), [(100, 110, 20)]);
    (seller, payer)
}

// A-471
#[test]
pub fn a_voucher_that_a_payee_has_taken_and_refused_once_is_found_again() {
    for has_codes in [true, false] {
        let (mut seller, mut payer) = taken_and_refused();
        let words = |seller: &mut Seller, answer: SellerAnswer| match answer.0 {
            402 if !has_codes => (402, seller.challenge(), b"{}".to_vec()),
            _ => answer,
        };
        // A word of its own tells that the payee holds a higher one, another refusal the second time.
        let first = payer.asks(&mut seller, ChannelAim::Pay, words);
        assert_eq!(first.is_ok(), has_codes);
        if !has_codes {
            payer.asks(&mut seller, ChannelAim::Pay, words).unwrap();
        }
        let shown = &seller.actions[seller.actions.len() - 2..];
        // The next one is tried before the highest.
        let next = if has_codes { 40 } else { 30 };
        assert_eq!(shown, [("voucher", next), ("voucher", 110)]);
        for used in [50, 60, 70, 80, 90, 100, 110] {
            payer.asks(&mut seller, ChannelAim::Pay, words).unwrap();
            assert_eq!((seller.highest, seller.spent), (110, used));
        }
        assert!(payer.asks(&mut seller, ChannelAim::Refund(None), words).is_ok());
        assert_eq!(seller.actions.last(), Some(&("close", 110)));
    }
    let (mut seller, mut payer) = taken_and_refused();
    let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
    assert!(refund.is_ok(), "{refund:?}");
    assert_eq!(seller.actions[seller.actions.len() - 2..], [("close", 20), ("close", 110)]);
}

// A-471
#[test]
pub fn a_lower_voucher_that_is_used_up_is_followed_by_another_one_though_a_higher_one_was_refused()
{
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
    assert_eq!(payer.kept(), [(100, 110, 20)]);
    seller.unit = 10;
    // It is charged, and its answer is lost.
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.highest, seller.spent), (30, 30));
    payer.later += 4_000;
    for used in [40, 50, 60] {
        payer.pays(&mut seller).unwrap();
        assert_eq!((seller.highest, seller.spent), (used, used));
    }
    assert_eq!(refunded(&mut payer, &mut seller), "40");
}

// A-471
#[test]
pub fn of_several_vouchers_each_may_be_the_one_that_the_payee_holds() {
    let (mut seller, mut payer) = taken_and_refused();
    // A top-up that is lost, and a voucher that leans on it: 20, 110 and 205 are signed by now.
    seller.deposit = 200;
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    seller.unit = 95;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    (seller.deposit, payer.later) = (200, payer.later + 4_000);
    seller.broken = Some((402, "{}"));
    let _ = payer.pays(&mut seller);
    let _ = payer.pays(&mut seller);
    (seller.broken, seller.unit) = (None, 10);
    let paid = (0..3).filter(|_| payer.pays(&mut seller).is_ok()).count();
    assert!(paid >= 1, "{:?} {:?}", seller.actions, payer.record);
    let closed = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
    assert!(closed.is_ok(), "{closed:?} {:?}", seller.actions);
}

#[test]
pub fn an_opening_without_an_answer_whose_voucher_is_used_up_is_topped_up_and_closed() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.min_delta = 100;
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    // It opens the channel, and then takes the voucher, but no answer comes.
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    payer.later = 4_000;
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    assert_eq!((seller.deposit, seller.highest), (100, 100));
    (seller.spent, payer.later) = (100, 8_000);
    let closes = payer.record.clone();
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions[seller.actions.len() - 2..], [("topUp", 100), ("voucher", 200)]);
    // Before that it could be closed as well.
    payer.record = closes;
    (seller.deposit, seller.highest) = (100, 100);
    assert!(payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it).is_ok());
}

// A-474
#[test]
pub fn a_channel_that_a_payee_calls_unknown_gets_no_top_up_for_a_day() {
    let (mut seller, mut payer) = two_paid();
    seller.unit = 90;
    seller.broken = Some((410, r#"{"code": 70008}"#));
    assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
    let deposits = payer.deposits;
    for hours in 2..6 {
        payer.later = hours * 3_600;
        assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
    }
    assert_eq!(payer.deposits, deposits);
    // What it serves proves that it knows the channel.
    (seller.broken, seller.unit) = (None, 10);
    payer.pays(&mut seller).unwrap();
    seller.unit = 190;
    payer.pays(&mut seller).unwrap();
    assert!(payer.deposits > deposits);
}

// A-474
#[test]
pub fn a_channel_whose_opening_a_payee_calls_unknown_stays_listed() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    for deposits in [100, 200] {
        seller.broken = Some((500, r#"{"code": 8000}"#));
        assert!(payer.pays(&mut seller).is_err());
        payer.later += 4_000;
        seller.broken = Some((404, r#"{"code": 70010}"#));
        assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
        assert_eq!(payer.deposits, deposits);
    }
    // The second one is not let go of within a day, so that there is no third.
    assert_eq!(payer.kept(), [(0, 10, 0), (0, 10, 0)]);
    seller.broken = None;
    assert_eq!(payer.pays(&mut seller), Err("receipt_mismatch"));
    assert_eq!(payer.deposits, 200);
}

// A-471
#[test]
pub fn one_bad_moment_of_a_payee_hands_over_no_higher_voucher() {
    for closes in [true, false] {
        let (mut seller, mut payer) = two_paid();
        lost_top_up(&mut payer, &mut seller);
        // The voucher for it never comes to the payee.
        seller.broken = Some((500, ""));
        assert_eq!(payer.pays(&mut seller), Ok(None));
        seller.broken = Some((402, r#"{"detail": "the node does not answer"}"#));
        seller.unit = 10;
        let aim = if closes { ChannelAim::Refund(None) } else { ChannelAim::Pay };
        let ended = payer.asks(&mut seller, aim, |_, answer| answer);
        assert_eq!(ended, Err("payment_refused"));
        (seller.broken, seller.deposit) = (None, 200);
        if !closes {
            payer.pays(&mut seller).unwrap();
            assert_eq!(seller.highest, 30);
        }
        payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer).unwrap();
        let signed = if closes { 20 } else { 30 };
        assert_eq!(seller.actions.last(), Some(&("close", signed)));
    }
}

// A-471
#[test]
pub fn top_ups_that_are_lost_again_and_again_have_no_voucher_forgotten() {
    let (mut seller, mut payer) = taken_and_refused();
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    for _ in 0..6 {
        seller.unit = 95;
        let deposit = seller.deposit;
        assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
        (seller.deposit, payer.later) = (deposit, payer.later + 4_000);
        let _ = payer.pays(&mut seller);
    }
    let closed = (0..3)
        .any(|_| payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer).is_ok());
    assert!(closed, "{:?} {:?}", seller.actions, payer.record);
    assert_eq!(seller.actions.last(), Some(&("close", seller.highest)));
}

// A-471
#[test]
pub fn a_payee_without_codes_is_shown_one_voucher_after_another() {
    for closes in [false, true] {
        let (mut seller, mut payer) = two_paid();
        let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
        let words = |seller: &mut Seller, answer: SellerAnswer| {
            let is_used_up = String::from_utf8_lossy(&answer.2).contains("70015");
            let detail = if is_used_up { "insufficient balance" } else { "no" };
            let body = json!({"detail": detail}).to_string().into_bytes();
            if answer.0 == 402 { (402, seller.challenge(), body) } else { answer }
        };
        // A top-up arrives; 110 and 120 are charged; no answer comes.
        for (unit, last) in [(90, ("topUp", 100)), (90, ("voucher", 110))] {
            seller.unit = unit;
            assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
            assert_eq!(seller.actions.last(), Some(&last));
            payer.later += 4_000;
        }
        seller.unit = 10;
        let mut answers = 0;
        let used_up = |seller: &mut Seller, _: SellerAnswer| {
            answers += 1;
            if answers == 1 {
                seller.refuses(70_015, 402)
            } else {
                (503, super::none(), Vec::new())
            }
        };
        assert!(payer.asks(&mut seller, ChannelAim::Pay, used_up).is_err());
        assert_eq!((seller.highest, seller.spent), (120, 120));
        payer.later += 4_000;
        seller.broken = Some((500, ""));
        assert_eq!(payer.pays(&mut seller), Ok(None));
        seller.broken = None;
        let aim = if closes { ChannelAim::Refund(None) } else { ChannelAim::Pay };
        let tries = (0..6).position(|_| payer.asks(&mut seller, aim, words).is_ok());
        assert!(tries.is_some(), "{closes} {:?} {:?}", seller.actions, payer.record);
        if !closes {
            assert!(payer.asks(&mut seller, ChannelAim::Refund(None), words).is_ok());
        }
    }
}

#[test]
pub fn a_refused_top_up_changes_no_voucher() {
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    assert!(payer.pays(&mut seller).is_err());
    seller.broken = Some((402, "{}"));
    assert!(payer.pays(&mut seller).is_err());
    (seller.broken, seller.unit) = (None, 10);
    payer.pays(&mut seller).unwrap();
    assert_eq!(seller.actions.last(), Some(&("voucher", 30)));
}

#[test]
pub fn a_voucher_that_left_under_a_key_is_shown_again_though_the_payee_has_refused_it() {
    let (mut seller, mut payer) = two_paid();
    seller.unit = 90;
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    assert!(payer.asks(&mut seller, ChannelAim::Pay, lost).is_err());
    payer.later = 4_000;
    seller.now = payer.now();
    // It is charged, and its answer is an error.
    let mut keyed = begun(90, ChannelAim::Pay);
    let next = keyed.answered(402, &seller.challenge(), b"", payer.now());
    let failed = |seller: &mut Seller, _| seller.refuses(8_000, 500);
    assert!(payer.goes_on((&mut keyed, next), &mut seller, failed).is_err());
    let (left, _) = keyed.leaving().unwrap();
    assert_eq!((seller.highest, seller.spent), (110, 110));
    let mut again = begun(91, ChannelAim::Pay).showing(Some(left));
    let next = again.answered(402, &seller.challenge(), b"", payer.now());
    let shown = |_: &mut Seller, _| (200, super::none(), Vec::new());
    payer.goes_on((&mut again, next), &mut seller, shown).unwrap();
    assert_eq!(seller.actions.last(), Some(&("voucher", 110)));
}

// A-474
#[test]
pub fn an_opening_that_a_payee_refuses_in_words_stays_until_it_is_forgotten() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.broken = Some((500, r#"{"code": 8000}"#));
    assert!(payer.pays(&mut seller).is_err());
    payer.later = 4_000;
    seller.broken = Some((402, r#"{"detail": "no such channel"}"#));
    let pays = [(10, 0), (10, 0), (20, 10)];
    let aims = [ChannelAim::Pay, ChannelAim::Refund(None), ChannelAim::Pay];
    // In the second request a voucher may be used up.
    for (aim, (signed, spent)) in aims.into_iter().zip(pays) {
        let refused = payer.asks(&mut seller, aim, |_, answer| answer);
        assert_eq!(refused, Err("payment_refused"));
        assert_eq!((payer.deposits, payer.kept()), (100, vec![(0, signed, spent)]));
    }
    let listed = session::sessions(payer.record.as_deref()).unwrap();
    let id = listed[0]["id"].as_str().unwrap();
    payer.record = session::forgotten(payer.record.as_deref(), id).unwrap();
    seller.broken = None;
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 10, 10)]);
}

// A-472
#[test]
pub fn a_payee_that_asks_again_and_again_gets_one_higher_voucher_in_a_request() {
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    seller.unit = 10;
    let mut refusals = [70_015].into_iter();
    let before = seller.actions.len();
    let ended = payer.asks(&mut seller, ChannelAim::Pay, |seller, _| {
        seller.refuses(refusals.next().unwrap_or(30_001), 402)
    });
    assert!(ended.is_err());
    // The first one was signed for the top-up that never came.
    let shown: Vec<_> = seller.actions[before..].iter().map(|it| it.1).collect();
    assert!(shown.len() > 3 && shown[0] < shown[1], "{shown:?}");
    assert!(shown[1..].iter().all(|it| *it == shown[1]), "{shown:?}");
    assert_eq!(payer.deposits, 200);
}

#[test]
pub fn a_transaction_that_was_not_sent_leaves_a_session_that_another_call_has_used() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.fee_payer = false;
    payer.pays(&mut seller).unwrap();
    // A call under a key, whose answer is lost.
    let mut keyed = begun(90, ChannelAim::Pay);
    let next = keyed.answered(402, &seller.challenge(), b"", payer.now());
    let lost = |_: &mut Seller, _| (503, super::none(), Vec::new());
    assert!(payer.goes_on((&mut keyed, next), &mut seller, lost).is_err());
    let (left, _) = keyed.leaving().unwrap();
    // It is made again while a person is asked to send a transaction, and they send none.
    payer.later = 4_000;
    (seller.now, seller.unit) = (payer.now(), 90);
    let mut buyer = begun(91, ChannelAim::Pay);
    buyer.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
    assert!(matches!(buyer.updated(), ChannelNext::Broadcast));
    payer.later += 130;
    (seller.now, seller.unit) = (payer.now(), 10);
    let mut again = begun(92, ChannelAim::Pay).showing(Some(left));
    let next = again.answered(402, &seller.challenge(), b"", payer.now());
    let _ = payer.goes_on((&mut again, next), &mut seller, |_, answer| answer);
    buyer.unsent();
    payer.record = buyer.release(payer.record.as_deref(), payer.now()).unwrap();
    let listed = session::sessions(payer.record.as_deref()).unwrap();
    assert_eq!(listed[0]["pending"], json!(null));
    assert!(payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer).is_ok());
}

// A-473
#[test]
pub fn an_answer_that_comes_late_changes_no_other_channel() {
    let (mut seller, mut payer) = two_paid();
    let mut slow = begun(90, ChannelAim::Refund(None));
    slow.answered(402, &seller.challenge(), b"", payer.now());
    payer.record = slow.update(payer.record.as_deref(), payer.now()).unwrap();
    assert!(matches!(slow.updated(), ChannelNext::Send { .. }));
    // Another process closes the channel, and opens one.
    payer.later = 4_000;
    refunded(&mut payer, &mut seller);
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 10, 10)]);
    slow.answered(200, &super::none(), b"{}", payer.now());
    assert_eq!(slow.update(payer.record.as_deref(), payer.now()).unwrap(), None);
    assert!(matches!(slow.updated(), ChannelNext::Return(_)));
    assert_eq!(payer.kept(), [(100, 10, 10)]);
}

#[test]
pub fn a_close_shows_the_voucher_that_the_deposit_covers_first() {
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    // The answer to the voucher above the deposit is lost.
    let lost = payer.asks(&mut seller, ChannelAim::Pay, |_, _| (503, super::none(), Vec::new()));
    assert!(lost.is_err());
    assert_eq!(payer.kept(), [(100, 110, 20)]);
    payer.later += 4_000;
    assert_eq!(refunded(&mut payer, &mut seller), "80");
    let closes: Vec<_> = seller.actions.iter().filter(|it| it.0 == "close").collect();
    assert_eq!(closes, [&("close", 20)]);
}

#[test]
pub fn a_top_up_that_has_ended_makes_room_for_another_one() {
    for arrived in [false, true] {
        let (mut seller, mut payer) = two_paid();
        lost_top_up(&mut payer, &mut seller);
        if arrived {
            seller.deposit = 200;
        }
        // Dearer than the deposit with the one that has ended.
        seller.unit = 190;
        payer.pays(&mut seller).unwrap();
        assert_eq!(seller.actions[seller.actions.len() - 2..], [("topUp", 110), ("voucher", 210)]);
        assert_eq!(payer.kept(), [(210, 210, 210)], "{arrived}");
        let refund = payer.asks(&mut seller, ChannelAim::Refund(None), |_, answer| answer);
        assert!(refund.is_ok(), "{arrived}");
    }
}
