//! Channels with a rest: of one payee one is opened beside them in a day, whatever was asked back and
//! whatever it costs.

use farebox_core::client::channel::{ChannelAim, ChannelPurchase};
use farebox_core::http::Headers;
use serde_json::json;

use super::{BEGUN, PAYEE, Payee, changed, depositing, fields, purchase, refund, run};

/// A seller that has a channel for each delay.
#[derive(Default)]
struct Seller {
    payees: Vec<(u64, Payee)>,
    record: Option<String>,
}

impl Seller {
    fn terms(delay: u64) -> Headers {
        changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": delay}))
    }

    /// Deposits that are signed for a request by the channel of this delay, and how it ends.
    fn sells(&mut self, mut buyer: ChannelPurchase, delay: u64) -> (u64, &'static str) {
        let known = self.payees.iter().position(|it| it.0 == delay);
        let at = known.unwrap_or(self.payees.len());
        if known.is_none() {
            self.payees.push((delay, Payee::default()));
        }
        let payee = &mut self.payees[at].1;
        let takes = |payment: &str| payee.takes(payment, None);
        let ended = run(&mut buyer, &mut self.record, &Self::terms(delay), BEGUN, takes);
        (ended.deposits, ended.code())
    }

    /// Asks for the rest of that channel, and is answered so.
    fn pays_back(&mut self, seed: u64, delay: u64, answer: (u16, Headers)) -> &'static str {
        let answers = |_: &str| answer.clone();
        run(&mut refund(seed), &mut self.record, &Self::terms(delay), BEGUN, answers).code()
    }
}

//
#[test]
pub fn a_refund_that_was_not_answered_opens_no_channel_after_channel() {
    let paid_back = json!({"success": true, "transaction": "0x01", "amount": "90000"});
    for is_answered in [false, true] {
        let mut seller = Seller::default();
        for (seed, delay) in [(1, 900), (3, 901)] {
            assert_eq!(seller.sells(purchase(seed), delay), (1, ""));
            let answer = match is_answered {
                true => (200, fields("payment-response", &paid_back)),
                false => (500, Headers::default()),
            };
            assert_eq!(seller.pays_back(seed + 1, delay, answer).is_empty(), is_answered);
        }
        // What has come back is no rest.
        let third = if is_answered { (1, "") } else { (0, "terms_changed") };
        assert_eq!(seller.sells(purchase(5), 902), third);
    }
}

//
#[test]
pub fn a_price_above_what_is_left_opens_no_channel_after_channel_and_is_paid_by_the_same_one() {
    let mut seller = Seller::default();
    // Half of a price is left in each.
    let buys = |seed| depositing(seed, ChannelAim::Pay, "0.015");
    assert_eq!(seller.sells(buys(1), 900), (1, ""));
    assert_eq!(seller.sells(buys(2), 901), (1, ""));
    for (seed, delay) in [(3, 902), (4, 903)] {
        assert_eq!(seller.sells(buys(seed), delay), (0, "terms_changed"));
    }
    // Each of those that are there is topped up.
    for (seed, delay) in [(5, 900), (6, 901), (7, 900)] {
        assert_eq!(seller.sells(buys(seed), delay), (u64::from(seed != 7), ""), "{seed}");
    }
}
