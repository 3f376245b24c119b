//! Wallets found too empty a moment ago, for this project's own edge: they cost no further call
//! while that is remembered.
//!
//! One per isolate, bounded; losing it costs a call. Only a facilitator's answer fills it, for 30
//! s: a lie delays a payer for that long. It never concerns money that moved.

use alloc::string::String;

use super::outcome::lacks_funds;
use super::reply::FacilitatorReply;
use farebox_base::amount::Amount;
use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;

/// Seconds a wallet is remembered.
const MEMORY_SECS: u64 = 30;
/// Maximum wallets at once.
const MAX_WALLETS: usize = 1_000;

/// The wallet and amount of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Debit {
    /// Names payer, asset and network.
    pub wallet: String,
    /// Atomic units.
    pub amount: Amount,
}

/// Wallets that lacked funds.
#[derive(Clone, Debug, Default)]
pub struct LowBalances(Sorted<String, Empty>);

#[derive(Clone, Debug)]
struct Empty {
    /// The missing amount.
    amount: Amount,
    until: UnixTime,
    /// The facilitator's reason.
    reason: String,
}

impl LowBalances {
    /// Starts empty.
    #[must_use]
    pub const fn new() -> Self {
        Self(Sorted::new())
    }

    /// The known refusal for a payment of at least the amount that was missing.
    #[must_use]
    pub fn recall(&self, draft: &Debit, now: UnixTime) -> Option<FacilitatorReply> {
        let empty = self.0.get(&draft.wallet)?;
        let holds = now < empty.until && draft.amount >= empty.amount;
        holds.then(|| FacilitatorReply::CachedRefusal(empty.reason.clone()))
    }

    /// Records the facilitator's answer about a payment.
    pub fn note(&mut self, draft: &Debit, reply: &FacilitatorReply, now: UnixTime) {
        let Some(reason) = lacks_funds(reply) else { return };
        if self.0.len() >= MAX_WALLETS {
            self.0.retain(|(_, empty)| now < empty.until);
        }
        if self.0.len() < MAX_WALLETS || self.0.contains(&draft.wallet) {
            let (amount, until) = (draft.amount, now.plus(MEMORY_SECS));
            let empty = Empty { amount, until, reason };
            self.0.insert(draft.wallet.clone(), empty);
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::borrow::ToOwned;
    use alloc::format;

    use super::*;

    fn draft(wallet: &str, amount: u64) -> Debit {
        Debit { wallet: wallet.to_owned(), amount: Amount::from_u64(amount) }
    }

    fn says(body: &str) -> FacilitatorReply {
        FacilitatorReply::Answer { status: 200, is_json: true, body: body.to_owned() }
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000).plus(secs)
    }

    #[test]
    fn a_wallet_that_lacks_funds_is_remembered_for_thirty_seconds_and_for_as_much() {
        let mut empties = LowBalances::new();
        let no = says(r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#);
        empties.note(&draft("a", 100), &no, at(0));
        let known = Some(FacilitatorReply::CachedRefusal("insufficient_funds".to_owned()));
        assert_eq!(empties.recall(&draft("a", 100), at(29)), known);
        assert_eq!(empties.recall(&draft("a", 101), at(29)), known);
        assert_eq!(empties.recall(&draft("a", 99), at(29)), None);
        assert_eq!(empties.recall(&draft("b", 100), at(0)), None);
        assert_eq!(empties.recall(&draft("a", 100), at(30)), None);
    }

    // A-142
    #[test]
    fn nothing_but_a_plain_lack_of_funds_is_remembered() {
        let others = [
            r#"{"isValid":true,"invalidReason":"insufficient_funds"}"#,
            r#"{"isValid":false,"invalidReason":"invalid_signature"}"#,
            r#"{"isValid":false,"detail":"insufficient_funds"}"#,
            r#"{"success":false,"errorReason":"insufficient_funds","transaction":"0x01"}"#,
            r#"{"success":true,"errorReason":"insufficient_funds"}"#,
            "insufficient_funds",
        ];
        let mut empties = LowBalances::new();
        for body in others {
            empties.note(&draft("a", 1), &says(body), at(0));
            assert_eq!(empties.recall(&draft("a", 1), at(0)), None, "{body}");
        }
        let settle =
            says(r#"{"success":false,"errorReason":"insufficient_funds","transaction":""}"#);
        empties.note(&draft("a", 1), &settle, at(0));
        assert!(empties.recall(&draft("a", 1), at(0)).is_some());
    }

    #[test]
    fn it_stays_bounded_and_makes_room_when_what_it_knows_is_old() {
        let mut empties = LowBalances::new();
        let no = says(r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#);
        for wallet in 0..MAX_WALLETS + 5 {
            empties.note(&draft(&format!("{wallet}"), 1), &no, at(0));
        }
        assert_eq!(empties.0.len(), MAX_WALLETS);
        empties.note(&draft("late", 1), &no, at(30));
        assert_eq!(empties.0.len(), 1);
        assert!(empties.recall(&draft("late", 1), at(31)).is_some());
    }
}
