//! The ways out of a doubt: a payment whose settlement has no known outcome is sent once more, then
//! looked up, then left to the alarm.
//!
//! [`relief`] is that rule, for the request that waits and for the alarm alike. What it is given is
//! decided beside it: when the same bytes may be sent again, and by whom.

use super::Entry;
use crate::command::{self, Answer, Client, Fate, Resumed};
use crate::state::{Requester, Resend, State};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// Seconds between two sends of one payment.
pub(super) const RESEND_GAP_SECS: u64 = 1;

/// Seconds before `validBefore` in which a payment is not sent any more.
const SEND_MARGIN_SECS: u64 = 6;
/// The next way out of a doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relief<S, L> {
    /// Send the same bytes once more.
    Send(S),
    /// Look the payment up on its chain.
    Look(L),
    /// Leave it: a request to the alarm, the alarm to the operator.
    Leave,
}

/// The next way out of a doubt, of those that are left. A send comes first: it ends most doubts at
/// once, and cannot move money twice.
///
/// # Examples
/// ```
/// use farebox_ledger::entry::{Relief, relief};
/// assert_eq!(relief(Some("bytes"), Some("chain")), Relief::Send("bytes"));
/// assert_eq!(relief(None::<&str>, Some("chain")), Relief::Look("chain"));
/// assert_eq!(relief(None::<&str>, None::<&str>), Relief::Leave);
/// ```
pub fn relief<S, L>(send: Option<S>, look: Option<L>) -> Relief<S, L> {
    match (send, look) {
        (Some(send), _) => Relief::Send(send),
        (None, Some(look)) => Relief::Look(look),
        (None, None) => Relief::Leave,
    }
}

impl Entry {
    /// Records an unknown outcome; the first holder may send once more while its client waits.
    pub(super) fn doubt(
        mut self,
        hash: Option<TxHash>,
        client: Client,
        sender: Requester,
        now: UnixTime,
    ) -> (Self, Answer) {
        let since = self.doubted_since(now);
        let known = self.transaction();
        let again = client == Client::WaitsForMore && self.can_settle_at(now.plus(RESEND_GAP_SECS));
        let resend = again.then(|| Resend {
            until: now.plus(self.leases.settling).plus(RESEND_GAP_SECS),
            sender,
        });
        self.state = State::Unknown { since, transaction: hash.or(known), sent: now, resend };
        if !again {
            return (self, Answer::Fate(Fate::Unknown));
        }
        let fence = self.grant();
        let answer = Answer::Resend(self.send_again(fence));
        (self, answer)
    }

    /// Hands out one more send of the same bytes: one at a time, a second apart, while it can be
    /// settled.
    pub(super) fn resend(
        mut self,
        sent: UnixTime,
        on_its_way: Option<Resend>,
        sender: Requester,
        otherwise: Fate,
        now: UnixTime,
    ) -> (Self, Resumed) {
        // A transaction does not expire.
        let dead = !self.can_settle_at(now) && !self.payment.is_onchain();
        if on_its_way.is_some() || now < sent.plus(RESEND_GAP_SECS) || dead {
            return (self, otherwise.into());
        }
        let next = Some(Resend { until: now.plus(self.leases.settling), sender });
        match &mut self.state {
            State::Unknown { sent, resend, .. } | State::Refused { sent, resend, .. } => {
                (*sent, *resend) = (now, next);
            }
            _ => return (self, otherwise.into()),
        }
        let fence = self.grant();
        let resend = self.send_again(fence);
        (self, Resumed::Resend(resend))
    }

    /// Whether it is in doubt only because a facilitator has said that another one submitted it.
    /// Nothing was served for it and nobody here has asked for its money, so that nobody will.
    pub(super) fn is_unsent(&self) -> bool {
        matches!(self.state, State::Unknown { .. })
            && !self.watch.asked
            && !self.payment.is_onchain()
    }

    /// The time at which the alarm sends the same bytes again; `None` once it has, if it is too
    /// late, or if they were never sent.
    pub(super) fn alarm_sends_at(&self, sent: UnixTime, resend_secs: &[u64]) -> Option<UnixTime> {
        if self.is_unsent() {
            return None;
        }
        let tries = usize::try_from(self.watch.resends).ok()?;
        let at = sent.plus(*resend_secs.get(tries)?);
        self.can_settle_at(at.plus(SEND_MARGIN_SECS)).then_some(at)
    }

    /// Hands the alarm one more send of the same bytes.
    #[must_use]
    pub fn resend_by_alarm(mut self, now: UnixTime) -> (Self, Answer) {
        let State::Unknown { sent, resend: resend @ None, .. } = &mut self.state else {
            return (self, Answer::Stale);
        };
        *sent = now;
        *resend = Some(Resend {
            until: now.plus(self.leases.settling),
            sender: Requester::UnprovenRepeat,
        });
        self.watch.resends = self.watch.resends.saturating_add(1);
        let fence = self.grant();
        let answer = Answer::Resend(self.send_again(fence));
        (self, answer)
    }

    /// Whether a transfer under its authorization could still happen then.
    fn can_settle_at(&self, at: UnixTime) -> bool {
        at < UnixTime::from_secs(self.payment.valid_before)
    }

    /// Builds the request with which the holder of `fence` sends the recorded payment once more.
    fn send_again(&self, fence: u64) -> command::Resend {
        command::Resend {
            fence,
            facilitator: self.payment.facilitator.clone(),
            request: self.payment.request.clone(),
            amount: Some(self.payment.amount.clone()),
            seen_at: self.created.secs(),
            seen_block: self.watch.seen_block,
        }
    }
}
