//! A payer whose record is lost or old, and the gate that has sent its vouchers for the chain since.

use farebox_core::client::channel::{ChannelAim, channels};
use farebox_core::http::Headers;

use super::{Ended, begun, run};
use crate::sessions::chain::Manner;
use crate::sessions::door::{DELAY, Door, PRICE};
use crate::world::{With, get};

/// A payer, and the gate that it pays.
struct Shop {
    door: Door,
    record: Option<String>,
    seed: u64,
}

impl Shop {
    /// A payer who has bought three times; with its record after the first time.
    fn new() -> (Self, Option<String>) {
        let mut shop = Self { door: Door::new(), record: None, seed: 0 };
        assert_eq!(shop.buys("1").code(), "");
        let old = shop.record.clone();
        for _ in 0..2 {
            assert_eq!(shop.buys("1").code(), "");
        }
        assert_eq!(shop.door.book(), (3 * PRICE, 3 * PRICE));
        (shop, old)
    }

    /// The same after all of it was claimed and the channel has come to rest.
    fn claimed() -> (Self, Option<String>) {
        let (mut shop, old) = Self::new();
        for _ in 0..2 {
            shop.door.rest();
        }
        assert_eq!(shop.door.funds().claimed, 3 * PRICE);
        (shop, old)
    }

    fn buys(&mut self, page: &str) -> Ended {
        self.asks(page, ChannelAim::Pay)
    }

    fn asks(&mut self, page: &str, aim: ChannelAim) -> Ended {
        self.seed += 1;
        let page = || get(&format!("/report/{page}"));
        let (now, door) = (self.door.time(), &mut self.door);
        let mut answer = |head| -> (u16, Headers) {
            let answer = door.send(head, "").unwrap();
            (answer.status, answer.head.headers)
        };
        let (status, terms) = answer(page());
        assert_eq!(status, 402);
        let ended = run(&mut begun(self.seed, aim), &mut self.record, &terms, now, |payment| {
            answer(page().header("payment-signature", payment))
        });
        self.door.signed = self.door.signed.max(ended.highest);
        ended
    }

    /// What the payer knows to be spent.
    fn spent(&self) -> String {
        let known = channels(self.record.as_deref()).unwrap();
        known[0]["spent"].as_str().unwrap().to_owned()
    }
}

//
#[test]
pub fn a_payer_whose_record_is_lost_or_old_goes_on_after_all_was_claimed() {
    for (is_old, since) in [(false, 0), (true, 0), (false, 2), (true, 2)] {
        let (mut shop, old) = Shop::claimed();
        for _ in 0..since {
            assert_eq!(shop.buys("1").code(), "");
        }
        shop.record = old.filter(|_| is_old);
        let settled = shop.door.chain.settled;
        let next = (4 + since) * PRICE;
        let ended = shop.buys("1");
        assert_eq!((ended.code(), ended.highest), ("", next), "{is_old} {since}");
        // Whatever it has signed, no second deposit was made.
        assert_eq!(shop.door.chain.settled, settled, "{is_old} {since}");
        assert_eq!(shop.door.funds().balance, 10 * PRICE, "{is_old} {since}");
        assert_eq!(shop.door.book(), (next, next), "{is_old} {since}");
        assert_eq!(shop.spent(), next.to_string(), "{is_old} {since}");
        // What is left comes back at once.
        assert_eq!(shop.asks("1", ChannelAim::Refund(None)).code(), "", "{is_old} {since}");
        assert_eq!(shop.door.funds().balance, next, "{is_old} {since}");
    }
}

#[test]
fn a_voucher_that_was_charged_since_is_not_taken_for_another_request() {
    let (mut shop, _) = Shop::claimed();
    assert_eq!(shop.buys("1").code(), "");
    shop.record = None;
    // The gate has charged this one for another page, and only the payer can tell which.
    assert_eq!(shop.buys("2").code(), "payment_conflict");
    assert_eq!(shop.door.book().0, 4 * PRICE);
    assert_eq!((shop.buys("2").code(), shop.spent()), ("", (5 * PRICE).to_string()));
}

//
#[test]
pub fn a_payer_whose_record_is_lost_goes_on_while_no_claim_comes_through() {
    for manner in [Manner::Stuck, Manner::Down] {
        let (mut shop, _) = Shop::new();
        shop.door.chain.manner = manner;
        shop.door.now += DELAY;
        shop.door.alarm();
        shop.door.chain.manner = Manner::Works;
        assert_eq!((shop.door.published(), shop.door.funds().claimed), (3 * PRICE, 0));
        shop.record = None;
        let ended = shop.buys("1");
        assert_eq!((ended.code(), ended.highest), ("", 4 * PRICE), "{manner:?}");
        assert_eq!(shop.door.funds().balance, 10 * PRICE, "{manner:?}");
    }
}

//
#[test]
pub fn a_refund_by_an_old_record_pays_back_the_rest_after_all_was_claimed() {
    let (mut shop, old) = Shop::claimed();
    shop.record = old;
    let ended = shop.asks("1", ChannelAim::Refund(None));
    assert_eq!((ended.code(), ended.sent, ended.highest), ("", 2, 3 * PRICE));
    assert_eq!((shop.door.funds().balance, shop.spent()), (3 * PRICE, (3 * PRICE).to_string()));
}

#[test]
fn a_row_of_an_earlier_version_goes_on_and_tells_the_voucher_of_its_next_claim() {
    let (mut shop, old) = Shop::claimed();
    shop.door.restarts_from_older(4);
    assert_eq!(shop.buys("1").code(), "");
    let (known, lost) = (shop.record.clone(), "receipt_mismatch");
    shop.record = old.clone();
    assert_eq!(shop.buys("1").code(), lost);
    shop.record = known;
    shop.door.rest();
    assert_eq!(shop.door.funds().claimed, 4 * PRICE);
    shop.record = old;
    assert_eq!((shop.buys("1").code(), shop.spent()), ("", (5 * PRICE).to_string()));
}
