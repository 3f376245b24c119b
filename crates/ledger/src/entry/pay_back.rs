//! Refunds by the operator's own treasury: which debts it pays back, and when it is asked.
//!
//! The begin is written before anything is asked, so that nobody pays back beside it. From then on
//! the same payout is asked for until the chain shows the refund, or it is known never to move.

use alloc::string::String;
use alloc::vec::Vec;

use super::{Entry, Plan};
use crate::report::Decision;
use crate::state::{State, Undelivered};
use farebox_base::time::UnixTime;

/// The shortest and the longest pause between two requests for one refund, seconds.
const PAUSE_SECS: [u64; 2] = [60, 3600];
/// The beginning of the keys under which the treasury begins.
const KEY_START: &str = "treasury:";

/// The treasury that pays debts back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundPlan {
    /// The key under which it begins: of the organization that pays, because its payouts have other
    /// nonces than those of another one.
    pub key: String,
    /// The account that pays and is paid, by CAIP-2 id, where a node can be asked.
    pub payees: Vec<(String, String)>,
}

impl RefundPlan {
    /// The key of an organization's begins.
    #[must_use]
    pub fn key_of(organization: &str) -> String {
        [KEY_START, organization].concat()
    }

    /// Whether it is the key of a treasury: no one else begins under it.
    #[must_use]
    pub fn is_key(key: &str) -> bool {
        key.starts_with(KEY_START)
    }

    fn is_paid(&self, network: &str, payee: &str) -> bool {
        self.payees.iter().any(|(known, own)| known == network && own.eq_ignore_ascii_case(payee))
    }
}

impl Entry {
    /// When the treasury is asked to pay it back; `None` if that is left to people.
    pub(super) fn pays_back_at(&self, plan: &Plan) -> Option<UnixTime> {
        let refunds = plan.refunds.as_ref()?;
        let State::RefundDue { since, refunding, why, .. } = &self.state else { return None };
        // What another server of the payee has settled, it may have delivered.
        let is_others = *why == Undelivered::LetGo;
        let is_free = match refunding {
            Some(begun) => begun.key.as_ref() == Some(&refunds.key),
            None => true,
        };
        let is_known = !self.may_be_paid_back(plan);
        // What a facilitator settles later may not have come yet.
        let is_left = self.watch.by_hand;
        let may = is_free
            && is_known
            && refunds.is_paid(&self.payment.network, &self.payment.pay_to)
            && !self.payment.is_deferred()
            && !is_others
            && !is_left;
        let [shortest, longest] = PAUSE_SECS;
        let (start, longest) = match refunding {
            Some(begun) => (begun.at, longest),
            None => (*since, shortest),
        };
        let asked = self.watch.read.filter(|asked| *asked >= start);
        let next = asked.map(|asked| asked.plus(asked.secs_since(start).clamp(shortest, longest)));
        may.then(|| next.unwrap_or(start))
    }

    /// Whether it is a debt from before the rows were known: it may have been paid back since, so that
    /// nothing is served for it, either.
    pub(crate) fn may_be_paid_back(&self, plan: &Plan) -> bool {
        matches!(self.state, State::RefundDue { .. }) && self.created.secs() < plan.known_since
    }

    /// Begins the refund by the treasury, or goes on with it.
    #[must_use]
    pub(crate) fn pays_back(self, plan: &Plan, now: UnixTime) -> Self {
        let key = plan.refunds.as_ref().map(|refunds| refunds.key.clone());
        let begin = Decision::Refunding { known_since: plan.known_since, key, sold: false };
        let mut entry = self.clone().decide(&begin, now).unwrap_or(self);
        entry.watch.read = Some(now);
        entry
    }

    /// The number of the treasury's begin; `None` if it has not begun.
    #[must_use]
    pub fn paid_back_under(&self, refunds: &RefundPlan) -> Option<u64> {
        match &self.state {
            State::RefundDue { refunding: Some(begun), .. }
                if begun.key.as_ref() == Some(&refunds.key) =>
            {
                Some(self.fence)
            }
            _ => None,
        }
    }
}
