//! Top-ups that the payer sends itself: a person may take minutes, and calls and refunds go on beside them.

use farebox_core::client::channel::{ChannelAim, ChannelNext};
use farebox_core::client::session;
use farebox_core::client::session::SessionPurchase;
use farebox_core::encoding::hex;

use super::seller::{Seller, SellerAnswer};
use super::top_ups::{counted, lost_top_up, refunded, two_paid};
use super::{Payer, begun, none, signature};

/// A payer that has used 20 of 100, and a call that asks its person to send 100 more; two minutes pass.
fn asked() -> (Seller, Payer, SessionPurchase) {
    let (mut seller, mut payer) = two_paid();
    (seller.fee_payer, seller.unit, payer.seed) = (false, 90, payer.seed + 1);
    let mut buyer = begun(payer.seed, ChannelAim::Pay);
    buyer.answered(402, &seller.challenge(), b"", payer.now());
    assert!(matches!(updated(&mut buyer, &mut payer), ChannelNext::Broadcast));
    payer.later = 130;
    (seller, payer, buyer)
}

fn updated(buyer: &mut SessionPurchase, payer: &mut Payer) -> ChannelNext {
    let changed = buyer.update(payer.record.as_deref(), payer.now()).unwrap();
    payer.record = changed.or(payer.record.take());
    buyer.updated()
}

fn has_hash(payer: &Payer, number: u8) -> bool {
    payer.record.as_ref().unwrap().contains(&hex::encode_prefixed(&[number; 32]))
}

//
#[test]
pub fn a_refund_that_fails_forgets_no_transaction_and_has_no_second_one_sent() {
    // The hash comes after the refund.
    let (mut seller, mut payer, mut slow) = asked();
    (seller.unit, seller.fails_at) = (10, Some(20));
    assert!(payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it).is_err());
    seller.unit = 90;
    let before = counted(&payer);
    payer.goes_on((&mut slow, ChannelNext::Broadcast), &mut seller, |_, it| it).unwrap();
    assert_eq!((payer.sent, seller.deposit, counted(&payer)), (1, 200, before));
    // It came before, and the payee did not take it at once.
    let (mut seller, mut payer) = two_paid();
    (seller.fee_payer, seller.unit) = (false, 90);
    let refuses = |seller: &mut Seller, _: SellerAnswer| seller.refuses(70_003, 402);
    assert!(payer.asks(&mut seller, ChannelAim::Pay, refuses).is_err());
    seller.fails_at = Some(20);
    assert!(payer.asks(&mut seller, ChannelAim::Refund(None), |_, it| it).is_err());
    payer.pays(&mut seller).unwrap();
    assert_eq!((payer.sent, seller.deposit), (1, 200));
}

//
#[test]
pub fn a_hash_that_comes_while_a_voucher_is_signed_is_kept() {
    for is_sent in [true, false] {
        let (mut seller, mut payer, mut slow) = asked();
        seller.unit = 10;
        let mut cheap = begun(99, ChannelAim::Pay);
        cheap.answered(402, &seller.challenge(), b"", payer.now());
        let ChannelNext::Sign { voucher: Some(voucher), .. } = updated(&mut cheap, &mut payer)
        else {
            panic!("nothing is signed")
        };
        if is_sent {
            slow.broadcasted(&hex::encode_prefixed(&[77; 32]));
            updated(&mut slow, &mut payer);
            assert!(has_hash(&payer, 77));
        } else {
            slow.unsent();
            payer.record = slow.release(payer.record.as_deref(), payer.now()).unwrap();
        }
        let next = cheap.signed(None, Some(&signature(&voucher)));
        payer.goes_on((&mut cheap, next), &mut seller, |_, it| it).unwrap();
        assert_eq!((payer.kept(), has_hash(&payer, 77)), (vec![(100, 30, 30)], is_sent));
        seller.unit = 90;
        payer.later = 300;
        payer.pays(&mut seller).unwrap();
        assert_eq!((payer.sent, seller.deposit), (u64::from(!is_sent), 200), "{is_sent}");
    }
}

//
#[test]
fn a_channel_that_was_closed_while_its_top_up_was_sent_pays_no_more() {
    let (mut seller, mut payer, mut slow) = asked();
    seller.unit = 10;
    assert_eq!(refunded(&mut payer, &mut seller), "80");
    let ended = payer.goes_on((&mut slow, ChannelNext::Broadcast), &mut seller, |_, it| it);
    assert_eq!((ended, payer.sent), (Err("payment_unresolved"), 1));
    // It stays in sight, and the next call opens another one.
    assert_eq!(payer.kept(), [(100, 20, 20)]);
    seller.fee_payer = true;
    payer.pays(&mut seller).unwrap();
    assert_eq!(payer.kept(), [(100, 20, 20), (100, 10, 10)]);
    let listed = session::sessions(payer.record.as_deref()).unwrap();
    assert_eq!(listed[0]["pending"].as_str(), Some("100"));
}

//
#[test]
fn a_channel_that_is_called_unknown_by_a_voucher_above_its_deposit_gets_no_top_up_either() {
    let (mut seller, mut payer) = two_paid();
    lost_top_up(&mut payer, &mut seller);
    let unknown = |seller: &mut Seller, _: SellerAnswer| seller.refuses(70_010, 404);
    for _ in 0..3 {
        assert!(payer.asks(&mut seller, ChannelAim::Pay, unknown).is_err());
        payer.later += 4_000;
    }
    assert_eq!(payer.deposits, 200);
}

//
#[test]
fn a_payee_that_calls_top_ups_undone_gets_one_a_day_whatever_it_serves_between() {
    let (mut seller, mut payer) = two_paid();
    for _ in 0..3 {
        seller.unit = 90;
        let undone = |seller: &mut Seller, answer: SellerAnswer| {
            seller.deposit = 100;
            if answer.2 == b"{}" { answer } else { seller.refuses(70_012, 402) }
        };
        for _ in 0..2 {
            assert!(payer.asks(&mut seller, ChannelAim::Pay, undone).is_err());
        }
        seller.unit = 10;
        payer.pays(&mut seller).unwrap();
    }
    assert_eq!(payer.deposits, 200);
}

#[test]
fn a_lost_answer_to_a_top_up_of_the_payers_own_is_asked_for_with_the_same_hash() {
    let (mut seller, mut payer, mut slow) = asked();
    let lost = |_: &mut Seller, _: SellerAnswer| (503, none(), Vec::new());
    assert!(payer.goes_on((&mut slow, ChannelNext::Broadcast), &mut seller, lost).is_err());
    payer.later += 4_000;
    payer.pays(&mut seller).unwrap();
    assert_eq!((payer.sent, seller.deposit, seller.highest), (1, 200, 110));
}
