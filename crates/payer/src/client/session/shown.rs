//! The vouchers of a session: the one that is shown, and the others of which the payee may hold one instead.
//! No refusal proves which one it holds, so all are kept until one is served that stands for them.

use super::kept::{KeptSession, PendingFunds, SignedVoucher};
use crate::client::voucher::ChannelState;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// Refusals of one kind that count as a word: a single one may be a bad moment.
const MOST_DOUBTS: u8 = 2;

/// Other vouchers that are kept: a close shows each once.
const MOST_OTHERS: usize = 4;

impl KeptSession {
    /// Notes that this voucher was served: the deposit covers it, with the one that it `leans` on.
    pub fn served(&mut self, voucher: SignedVoucher, leans: Option<&PendingFunds>) {
        let amount = voucher.amount;
        if amount > self.state.deposit {
            self.arrived(leans);
        }
        self.state.deposit = self.state.deposit.max(amount);
        if amount > self.proven {
            // Of several top-ups nobody knows which one it was.
            (self.proven, self.unproven) = match self.unproven {
                0 | 1 => (self.state.deposit, 0),
                several => (amount, several),
            };
            self.shorts = 0;
        }
        // Another request may show a lower one by now, which is worth nothing any more.
        if amount > self.state.cumulative {
            self.others.retain(|it| it.amount != amount);
            self.others.push(voucher);
            self.show(self.others.len().saturating_sub(1));
        }
        self.gone = None;
        self.doubts = 0;
        self.forget_doubts();
        self.keep_others_above(amount);
    }

    /// Forgets that the payee has refused the other vouchers.
    fn forget_doubts(&mut self) {
        for other in &mut self.others {
            other.doubts = 0;
        }
    }

    /// Forgets the other vouchers that one of this amount stands for, if what is proven covers it. It stays
    /// itself where a higher one is shown, that may lean on a deposit which has not arrived.
    pub fn keep_others_above(&mut self, amount: Amount) {
        let stays = amount < self.state.cumulative;
        if amount <= self.proven {
            self.others.retain(|it| it.amount > amount || it.amount == amount && stays);
        }
    }

    /// Makes a voucher of this amount the one that is shown. Where it leans on a deposit that may not
    /// have arrived, the one before stays beside it.
    pub fn raise(&mut self, amount: Amount) {
        // A refusal of before says nothing of a higher one.
        self.doubts = 0;
        // It is none of the others any more, before one of these gives way to the one that was shown.
        let known = self.others.iter().position(|it| it.amount == amount);
        let known = known.map(|at| self.others.remove(at));
        if amount > self.proven && !self.is_opening() {
            self.put_aside();
        }
        // One that was refused before is refused again.
        self.doubts = known.map_or(0, |it| it.doubts);
        self.state.cumulative = amount;
        self.keep_others_above(amount);
    }

    /// The amount up to which the payee has surely charged: no room is missed above it.
    pub fn surely_charged(&self) -> Amount {
        self.charged
    }

    /// The voucher that is shown.
    pub fn voucher(&self) -> SignedVoucher {
        let Self { ref signature, doubts, .. } = *self;
        SignedVoucher { amount: self.state.cumulative, signature: signature.clone(), doubts }
    }

    fn put_aside(&mut self) {
        let voucher = self.voucher();
        self.others.retain(|it| it.amount != voucher.amount);
        let at = self.others.partition_point(|it| it.amount < voucher.amount);
        self.others.insert(at, voucher);
        if self.others.len() > MOST_OTHERS {
            // The lowest is covered, and the highest is all that the payee can claim.
            self.others.remove(1);
        }
    }

    /// Whether the voucher leans on a deposit that may not have arrived: there is a lower one.
    pub fn leans(&self) -> bool {
        self.others.first().is_some_and(|it| it.amount < self.state.cumulative)
    }

    /// The highest voucher that was signed.
    pub fn highest(&self) -> Amount {
        self.others.last().map_or(self.state.cumulative, |it| it.amount.max(self.state.cumulative))
    }

    /// Goes on from the lowest voucher once the payee has refused one that leans on a deposit which may
    /// not have arrived: it may be refused for ever, also as the one that closes the channel.
    pub fn go_down(&mut self, now: UnixTime) {
        if !self.leans() {
            return;
        }
        self.let_go_of_late(now);
        if self.pending.as_ref().is_none_or(PendingFunds::is_own) {
            self.show(0);
        }
    }

    /// Goes on from the next higher voucher once the payee has refused the one that is shown as lower
    /// than the one that it holds. One that was refused twice without a word is passed over, if there is
    /// a higher one: each step may cost what lies between the two. So is one below what is used, which pays
    /// for nothing (`pays`) any more.
    pub fn go_up(&mut self, pays: bool) {
        let ChannelState { cumulative, spent, .. } = self.state;
        let least = if pays { spent } else { Amount::ZERO };
        let above = |it: &SignedVoucher| it.amount > cumulative && it.amount >= least;
        let most = MOST_DOUBTS;
        let others = || self.others.iter();
        let untried = others().position(|it| above(it) && it.doubts < most);
        let next = untried.or_else(|| others().position(above));
        let next = next.or_else(|| others().position(|it| it.amount > cumulative));
        if untried.is_none() {
            self.forget_doubts();
        }
        if let Some(at) = next {
            self.show(at);
        }
    }

    /// Notes that the payee calls the deposit too small for the voucher that is shown. Once it has said so
    /// twice, a top-up that it had called arrived was undone: another one is made a day later.
    pub fn note_short(&mut self, now: UnixTime) {
        if self.state.cumulative <= self.proven || self.unproven == 0 {
            return;
        }
        self.shorts = self.shorts.saturating_add(1);
        if self.shorts >= MOST_DOUBTS {
            (self.state.deposit, self.unproven, self.shorts) = (self.proven, 0, 0);
            self.undone = Some(now);
        }
    }

    /// Notes that the payee has refused the voucher that is shown without a word on a higher one.
    pub fn doubt(&mut self) {
        self.doubts = self.doubts.saturating_add(1);
    }

    /// Whether the voucher that is shown was refused so before.
    pub fn is_doubted(&self) -> bool {
        self.doubts.saturating_add(1) >= MOST_DOUBTS
    }

    /// Goes on from the voucher of this amount, if it is one of the others.
    pub fn go_on_from(&mut self, amount: Amount) {
        if let Some(at) = self.others.iter().position(|it| it.amount == amount) {
            self.show(at);
        }
    }

    /// Shows another voucher. No refusal proves which one the payee holds: so all are kept.
    fn show(&mut self, at: usize) {
        if at >= self.others.len() {
            return;
        }
        let SignedVoucher { amount, signature, doubts } = self.others.remove(at);
        self.put_aside();
        self.state.cumulative = amount;
        (self.signature, self.doubts) = (signature, doubts);
    }
}
