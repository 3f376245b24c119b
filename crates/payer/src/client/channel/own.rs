//! The voucher that has left for a purchase, so that a later request for the same purchase shows that one,
//! and is charged nothing more.

use farebox_base::amount::Amount;
use farebox_channel::config::ChannelId;

/// A voucher of an earlier request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftVoucher {
    /// The channel that it is of.
    pub channel: ChannelId,
    /// The amount that it lets the payee claim.
    pub amount: Amount,
    /// The amount up to which no charge can have been this purchase's.
    pub before: Amount,
}

impl LeftVoucher {
    /// Whether a payee that has charged this much has not charged it.
    pub(in crate::client) fn is_above(&self, charged: Amount) -> bool {
        charged <= self.before && charged < self.amount
    }

    /// Whether it pays for one request at this price and for no second one: then it is shown again
    /// whatever the payee makes of it.
    pub(in crate::client) fn pays_once(&self, price: Amount) -> bool {
        self.rest(price).is_none_or(|rest| rest < price || price.is_zero())
    }

    /// Whether a request at this price leaves nothing of it, also for a cheaper one.
    pub(in crate::client) fn is_used_up_by(&self, price: Amount) -> bool {
        self.rest(price).is_none_or(Amount::is_zero)
    }

    /// The most that the payee can have charged for this purchase alone.
    pub(in crate::client) fn price(&self) -> Amount {
        self.amount.checked_sub(self.before).unwrap_or(Amount::ZERO)
    }

    fn rest(&self, price: Amount) -> Option<Amount> {
        self.price().checked_sub(price)
    }
}

/// Says that a key is bound to another channel.
pub(in crate::client) const OTHER_CHANNEL: &str =
    "a voucher of another channel has left under this key; nothing is paid beside it";
/// Says that the voucher of a key is spent.
pub(in crate::client) const SPENT: &str = "the voucher that has left for this purchase is spent, by it or by another one since, and its answer is not given again; nothing more is signed for it: to buy anew, ask again, under another Idempotency-Key if there is one";

#[cfg(test)]
mod tests {
    use super::*;

    fn left(before: u64, amount: u64) -> LeftVoucher {
        let [before, amount] = [before, amount].map(Amount::from_u64);
        LeftVoucher { channel: ChannelId::from_bytes([1; 32]), amount, before }
    }

    //
    #[test]
    fn what_may_have_been_charged_for_it_is_not_above_the_charge() {
        let is_above =
            |before, amount, charged| left(before, amount).is_above(Amount::from_u64(charged));
        assert!(is_above(10, 20, 10));
        assert!(is_above(10, 20, 5));
        assert!(!is_above(10, 20, 11));
        assert!(!is_above(10, 20, 20));
        // Another purchase has shown the same voucher: whose charge it was is not known.
        assert!(is_above(20, 20, 19));
        assert!(!is_above(20, 20, 20));
    }

    //
    #[test]
    fn a_voucher_with_something_left_is_not_used_up() {
        let is_used_up = |amount| left(10, amount).is_used_up_by(Amount::from_u64(10));
        assert!(is_used_up(20));
        assert!(is_used_up(19));
        assert!(!is_used_up(21));
    }

    //
    #[test]
    fn a_voucher_with_room_for_a_second_request_is_not_shown_again() {
        let pays_once = |amount| left(10, amount).pays_once(Amount::from_u64(10));
        assert!(pays_once(20));
        assert!(pays_once(29));
        assert!(!pays_once(30));
        assert!(!pays_once(60));
        assert!(left(10, 10).pays_once(Amount::ZERO));
    }
}
