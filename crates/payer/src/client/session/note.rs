//! The changes that an answer makes in the row of its session.

use super::kept::{LEFT_SECS, left_key};
use super::*;

/// Says that nothing higher is signed in this request.
pub(super) const ASK_AGAIN: &str =
    "the payee has refused a voucher that may be the right one; ask again";

impl SessionPurchase {
    /// Changes the row of the session by what became of what was sent.
    pub(super) fn note(
        &mut self,
        budget: &mut Budget,
        fate: SessionFate,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        let Some(planned) = &self.planned else { return Ok(false) };
        let key = planned.session.key();
        let row = read::<KeptSession>(budget, &key)?;
        // An answer may come so late that another channel stands there.
        let of_channel = |it: &KeptSession| it.id() == planned.session.id();
        let Some(mut session) = row.filter(of_channel) else { return Ok(false) };
        let is_shown = self.is_shown(&session);
        let own = planned.session.pending.as_ref();
        let is_voucher = matches!(planned.act, Act::Voucher(_));
        let mut stays_used = false;
        match fate {
            SessionFate::Funded => {
                session.arrived(own);
                stays_used = true;
            }
            SessionFate::Served(said) => self.note_served(&mut session, said),
            SessionFate::Over => {}
            SessionFate::Below => {
                if is_shown {
                    session.go_up(is_voucher);
                }
            }
            // What the origin answers is no word on a voucher, unless the deposit may be too small for it.
            SessionFate::Free if !session.leans() => {}
            SessionFate::Free | SessionFate::Refused => {
                self.note_refusal(&mut session, fate, now);
            }
            // Another request has signed on for it since: one voucher follows it, however many were told.
            SessionFate::Doubted if !(is_shown && session.is_doubted()) => {
                self.course.decide(Todo::Nothing, fail(Reason::PaymentRefused, ASK_AGAIN));
            }
            SessionFate::Exhausted | SessionFate::Doubted => {
                self.note_used_up(&mut session, fate, now);
                stays_used = true;
            }
            SessionFate::Held => {
                if is_shown {
                    session.state = session.state.exhausted();
                }
            }
            SessionFate::Closed => {
                budget.sent.let_go(&key);
                return Ok(true);
            }
            SessionFate::Left => {
                budget.sent.let_go(&key);
                session.leave(budget, now)?;
                return Ok(true);
            }
            SessionFate::Gone | SessionFate::Short => {
                // The deposit can arrive no more. If it has, its channel stays listed.
                let left = budget.sent.kept_at(&left_key(&key));
                let is_over = session.is_opening() && session.is_late(now);
                if is_over && left.is_none_or(|at| now >= at.plus(LEFT_SECS)) {
                    session.using = None;
                    budget.sent.let_go(&key);
                    session.leave(budget, now)?;
                    return Ok(true);
                }
                if !is_over {
                    self.note_unknown(&mut session, fate, now);
                }
            }
        }
        if !stays_used && self.uses(&session) {
            session.using = None;
        }
        budget.sent.keep(&key, &session.to_text(), now)?;
        let told = matches!(fate, SessionFate::Funded)
            || is_voucher && matches!(fate, SessionFate::Served(_));
        if told {
            self.tell(&session);
        }
        Ok(true)
    }

    /// Notes what was used of the voucher that was answered.
    fn note_served(&self, session: &mut KeptSession, said: Option<Amount>) {
        let Some(planned) = &self.planned else { return };
        let is_unchanged = session.state == planned.session.state;
        session.served(planned.session.voucher(), planned.session.pending.as_ref());
        if let Some(Used { spent, charged, is_told }) = self.used(said) {
            session.charged = session.charged.max(charged);
            let counts = session.state.spent;
            let least = if is_told && is_unchanged { session.charged } else { counts };
            session.state.spent = spent.max(least);
        }
    }

    /// Notes that the voucher is used up, as the payee says or as it may be.
    fn note_used_up(&self, session: &mut KeptSession, fate: SessionFate, now: UnixTime) {
        // Who calls a voucher used up knows its channel.
        if fate == SessionFate::Exhausted && session.is_opening() && session.is_late(now) {
            session.funded();
        }
        // It takes two more of it.
        if fate == SessionFate::Doubted {
            session.doubts = 0;
        }
        // Of a deposit that did not arrive nothing can be used.
        if self.is_shown(session) && (!session.leans() || self.has_turned) {
            session.state = session.state.exhausted();
        }
    }

    /// Notes that the payee knows no such channel, or calls its deposit too small, while the deposit
    /// may still arrive or has arrived.
    fn note_unknown(&self, session: &mut KeptSession, fate: SessionFate, now: UnixTime) {
        let Some(planned) = &self.planned else { return };
        // What it has served since says otherwise.
        let is_unchanged = session.state == planned.session.state;
        if fate == SessionFate::Gone && is_unchanged {
            session.gone = Some(now);
        }
        let is_voucher = matches!(planned.act, Act::Voucher(_));
        if fate == SessionFate::Short && is_voucher && self.is_shown(session) {
            session.note_short(now);
        }
        self.note_refusal(session, fate, now);
        session.let_go_of_late(now);
    }

    /// Whether this voucher is still the one that is shown, and it was this one that had the answer.
    fn is_shown(&self, session: &KeptSession) -> bool {
        let shown =
            self.planned.as_ref().filter(|it| matches!(it.act, Act::Voucher(_) | Act::Close));
        shown.is_some_and(|it| it.session.state.cumulative == session.state.cumulative)
    }

    /// Notes that a voucher was refused without a word on another one.
    fn note_refusal(&self, session: &mut KeptSession, fate: SessionFate, now: UnixTime) {
        if !self.is_shown(session) {
            return;
        }
        // One that was signed on in this request is refused for the first time in the next one.
        let is_fresh = self.has_signed_on && session.highest() == session.state.cumulative;
        // What the origin answers says less of it than a refusal.
        let counts = fate != SessionFate::Free;
        if (counts || self.has_turned) && !is_fresh {
            session.doubt();
        }
        session.go_down(now);
        // No higher one was the right one: it was used up indeed.
        if self.called_below == Some(session.state.cumulative) {
            session.state = session.state.exhausted();
        }
    }
}
