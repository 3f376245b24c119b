//! Sights of a channel on its chain, and their effects.

use super::bearer::REST_SECS;
use super::{
    AttemptResult, BEHIND_SECS, Channel, ListNotice, OnChain, Promise, Sight, VoucherRule,
};
use farebox_base::amount::Amount;

impl Channel {
    /// Takes what the chain shows. An answer to an earlier question than the last one, or of a node
    /// that has not seen the last refund, changes nothing.
    pub fn see(&mut self, sight: Sight) {
        let is_undone = sight.refund_nonce < self.sight.refund_nonce;
        let is_late = sight.at < self.sight.at || is_undone && !self.undoes_refund(&sight);
        if is_late || self.is_behind(&sight) {
            return;
        }
        if is_undone {
            self.undo_refund();
        }
        self.note_news(&sight);
        // What a chain has shown stays read when it is undone.
        self.publish(sight.claimed, sight.at);
        if sight.deposit > self.sight.deposit && self.rule != VoucherRule::Exact {
            self.firm.rise_from(self.sight.deposit, self.evidence);
        }
        self.replace_sight(sight);
        self.count_claims(&sight);
        self.count_refunds(&sight);
        self.firm.see(self.available(), sight.at);
        self.confirm();
    }

    /// Promises the last refund again: its signature can be sent again, and then the later one.
    fn undo_refund(&mut self) {
        if let Some((promise, spent)) = self.refunded {
            self.refunded = self.promised.map(|later| (later, spent));
            self.promised = Some(promise);
            self.paid_back = self.paid_back.checked_sub(promise.amount).unwrap_or(Amount::ZERO);
        }
    }

    /// Notes how this differs from the last sight: for the list, and for the next attempt.
    fn note_news(&mut self, sight: &Sight) {
        // Only the time is another one: the list has it.
        if (Sight { at: self.sight.at, ..*sight }) != self.sight {
            self.listing = ListNotice::Due(sight.at);
        }
        let is_paid =
            sight.claimed > self.sight.claimed || sight.refund_nonce > self.sight.refund_nonce;
        // What failed before a payer withdraws does not hold up what is left of their time.
        let leaves =
            matches!(sight.on_chain, OnChain::Leaving(_)) && sight.on_chain != self.sight.on_chain;
        if is_paid || leaves {
            self.tries = 0;
        }
        // What is left after a claim was earned since that was signed.
        if sight.claimed > self.sight.claimed {
            self.earned_since =
                self.earned_since.map(|since| self.tried.map_or(since, |it| since.max(it)));
        }
        // The chain may undo it from now on, however long ago it was sent.
        let is_closed =
            sight.on_chain == OnChain::Finalized && sight.on_chain != self.sight.on_chain;
        if is_paid || is_closed {
            self.tried = self.tried.map(|tried| tried.max(sight.at));
        }
        // Whoever deposits is back: what they have added is not paid back at once.
        if sight.deposit > self.sight.deposit {
            self.rested = self.rested.max(sight.at.plus(REST_SECS));
        }
    }

    /// Goes by this sight from now on, and counts no attempt as unseen that was made before it.
    fn replace_sight(&mut self, sight: Sight) {
        self.sight = sight;
        self.may_leave = match sight.on_chain {
            OnChain::Open => false,
            OnChain::Leaving(_) => true,
            OnChain::Finalized => self.may_leave,
        };
        // A claim that is undone was not paid out either.
        self.paid_out = self.paid_out.min(sight.claimed);
        if self.tried.is_none_or(|tried| tried <= sight.at) {
            self.result = AttemptResult::Seen;
        }
        self.looked = self.looked.max(sight.at);
    }

    /// Counts as spent what was claimed, and since when the rest was earned.
    fn count_claims(&mut self, sight: &Sight) {
        // Another gate may have claimed with vouchers that this row has lost. Where a claim takes
        // all that a voucher is for, what is above the charges stays to be spent.
        let is_prepaid = match self.rule {
            VoucherRule::Exact => false,
            VoucherRule::Headroom { .. } => sight.claimed <= self.accepted(),
        };
        if !is_prepaid {
            self.spent = self.spent.max(sight.claimed);
        }
        if self.spent <= sight.claimed {
            self.earned_since = None;
        } else if self.earned_since.is_none() {
            // A claim was reorganised away.
            self.earned_since = Some(sight.at);
        }
    }

    /// Counts each promise that was paid back.
    fn count_refunds(&mut self, sight: &Sight) {
        while let Some(promise) = self.promised.filter(|it| it.nonce < sight.refund_nonce) {
            let later = self.later_promise();
            self.refunded = Some((promise, self.spent));
            self.paid_back = self.paid_back.checked_add(promise.amount).unwrap_or(self.paid_back);
            self.promised = later;
        }
    }

    /// Whether the chain has undone the last refund: a node that is behind says so no longer than
    /// this.
    fn undoes_refund(&self, sight: &Sight) -> bool {
        let is_last = self.refunded.is_none_or(|(it, _)| it.nonce <= sight.refund_nonce);
        let is_certain = sight.at >= self.sight.at.plus(BEHIND_SECS);
        is_last && is_certain
    }

    /// The promise made after a refund that the chain has undone.
    pub(super) fn later_promise(&self) -> Option<Promise> {
        let (later, _) = self.refunded?;
        self.promised.filter(|it| it.nonce < later.nonce).map(|_| later)
    }

    /// Whether this may be what a node shows that has not seen the newest blocks. Claims of x402
    /// come with a count of refunds; the contract of MPP has none.
    fn is_behind(&self, sight: &Sight) -> bool {
        let known = &self.sight;
        let is_back = match (known.on_chain, sight.on_chain) {
            (OnChain::Finalized, OnChain::Open | OnChain::Leaving(_)) => true,
            // What is added to a deposit withdraws the wish to leave.
            (OnChain::Leaving(_), OnChain::Open) => sight.deposit <= known.deposit,
            (OnChain::Open | OnChain::Leaving(_) | OnChain::Finalized, _) => {
                sight.deposit < known.deposit || sight.claimed < known.claimed
            }
        };
        let is_counted = sight.refund_nonce > known.refund_nonce;
        let is_told = self.rule == VoucherRule::Exact || is_counted;
        !is_told && is_back && sight.at < known.at.plus(BEHIND_SECS)
    }
}
