//! The voucher that has left for a purchase under its key, so that a later call for the same purchase
//! shows that one, and is charged nothing more.

use farebox_base::amount::Amount;
use farebox_channel::config::ChannelId;

/// A voucher of an earlier call.
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
        let room = self.amount.checked_sub(self.before).unwrap_or(Amount::ZERO);
        room.checked_sub(price).is_none_or(|rest| rest < price || price.is_zero())
    }
}

/// Says that a key is bound to another channel.
pub(in crate::client) const OTHER_CHANNEL: &str =
    "a voucher of another channel has left under this key; nothing is paid beside it";
/// Says that the voucher of a key is spent.
pub(in crate::client) const SPENT: &str = "the voucher that has left under this key is spent, by this purchase or by another one since, and its answer is not given again; nothing more is signed under it: to buy anew, take another Idempotency-Key";
