//! The contract that holds the deposit of a channel.

use farebox_core::channel::errand::Payout;
use farebox_core::channel::state::{OnChain, Sight};
use farebox_core::time::UnixTime;

use super::units;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    Claim { total: u64, cumulative: u64 },
    Refund(u64, u64),
    Close(u64),
}

/// The contract of x402 `batch-settlement`, or that of MPP, for one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contract {
    pub balance: u64,
    pub claimed: u64,
    pub nonce: u64,
    /// What of it the payee has.
    pub paid: u64,
    /// What is to be withdrawn, and when that was asked for.
    pub leaving: Option<(u64, u64)>,
    /// Whether it is closed for ever, by MPP.
    pub finalized: bool,
}

impl Contract {
    pub fn mine(&mut self, transaction: Transaction) {
        match transaction {
            _ if self.finalized => {}
            Transaction::Close(cumulative) => {
                if cumulative >= self.claimed && cumulative <= self.balance {
                    (self.claimed, self.balance, self.finalized) = (cumulative, cumulative, true);
                }
            }
            Transaction::Claim { total, cumulative } => {
                if total > self.claimed && total <= cumulative && total <= self.balance {
                    self.claimed = total;
                }
            }
            Transaction::Refund(nonce, amount) if nonce == self.nonce => {
                self.nonce += 1;
                let paid = amount.min(self.balance - self.claimed);
                self.balance -= paid;
                self.leaving = match self.leaving {
                    Some((left, since)) if left > paid => Some((left - paid, since)),
                    _ => None,
                };
            }
            Transaction::Refund(..) => {}
        }
    }

    pub const fn pay_out(&mut self, payout: Payout) {
        match payout {
            Payout::Done => self.paid = self.claimed,
            Payout::Failed => {}
        }
    }

    pub fn sight(&self, now: u64) -> Sight {
        Sight {
            deposit: units(self.balance),
            claimed: units(self.claimed),
            on_chain: match self.leaving {
                _ if self.finalized => OnChain::Finalized,
                Some((_, since)) => OnChain::Leaving(UnixTime::from_secs(since)),
                None => OnChain::Open,
            },
            refund_nonce: units(self.nonce),
            at: UnixTime::from_secs(now),
        }
    }
}
