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
fn two_paid() -> (Seller, Payer) {
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
fn counted(payer: &Payer) -> String {
    let policy = Policy::from_json(r#"{"perDay": "0.001"}"#).unwrap();
    let budget = Budget::from_text(payer.record.as_deref()).unwrap();
    let caps = budget.caps(&policy, payer.now());
    caps.into_iter().find(|it| it.name == "perDay").unwrap().spent.to_string()
}

fn refunded(payer: &mut Payer, seller: &mut Seller) -> String {
    let refund = payer.asks(seller, ChannelAim::Refund(None), |_, answer| answer);
    refund.unwrap().unwrap()["refunded"].as_str().unwrap().to_owned()
}

/// A top-up that the payee takes, and that never arrives; its authorization is over.
fn lost_top_up(payer: &mut Payer, seller: &mut Seller) {
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
            assert_eq!(payer.kept(), [(100, 20, 20)], "{number}");
            seller.unit = 10;
            if !closes {
                payer.pays(&mut seller).unwrap();
            }
            let rest = if closes { "80" } else { "70" };
            assert_eq!(refunded(&mut payer, &mut seller), rest, "{number}");
        }
    }
}

#[test]
pub fn a_close_above_the_deposit_goes_on_with_the_voucher_that_it_covers() {
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    // The answer to the voucher above the deposit is lost.
    let lost = payer.asks(&mut seller, ChannelAim::Pay, |_, _| (503, super::none(), Vec::new()));
    assert!(lost.is_err());
    assert_eq!(payer.kept(), [(100, 110, 20)]);
    payer.later += 4_000;
    assert_eq!(refunded(&mut payer, &mut seller), "80");
    let closes: Vec<_> = seller.actions.iter().filter(|it| it.0 == "close").collect();
    assert_eq!(closes, [&("close", 110), &("close", 20)]);
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
