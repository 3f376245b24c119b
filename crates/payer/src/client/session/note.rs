//! The changes that an answer makes in the row of its session.

use super::kept::left_key;
use super::*;

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
        let of_channel = |it: &KeptSession| {
            it.id() == planned.session.id() || planted(Mutant::LateAnswersChangeOthers)
        };
        let Some(mut session) = row.filter(of_channel) else { return Ok(false) };
        let is_its = session.state.cumulative == planned.session.state.cumulative;
        let own = planned.session.pending.as_ref();
        let is_voucher = matches!(planned.act, Act::Voucher(_));
        let mut stays_used = false;
        match fate {
            SessionFate::Funded => {
                let arrived =
                    |it: &PendingFunds| own.is_some_and(|own| own.deposit.id == it.deposit.id);
                if session.pending.as_ref().is_some_and(arrived) {
                    session.funded();
                }
                stays_used = true;
            }
            SessionFate::Served(said) => {
                session.served(planned.session.state.cumulative, own);
                if let Some(used) = self.used(said) {
                    session.state.spent = used.max(session.state.spent);
                }
            }
            SessionFate::Over => {}
            // What is no word on the voucher may still come of it.
            SessionFate::Free if !session.leans() => {}
            SessionFate::Free | SessionFate::Refused => {
                if is_its && !planted(Mutant::WordsKeepVouchers) {
                    session.turn(now);
                }
            }
            SessionFate::Exhausted => {
                // Of a deposit that did not arrive nothing can be used.
                if is_its && !session.leans() {
                    session.state = session.state.exhausted();
                }
                stays_used = true;
            }
            SessionFate::Closed => {
                budget.sent.let_go(&key);
                return Ok(true);
            }
            SessionFate::Left => {
                budget.sent.let_go(&key);
                budget.sent.keep(&left_key(&key), &session.to_text(), now)?;
                return Ok(true);
            }
            SessionFate::Gone => {
                let reopens = planted(Mutant::ClosedSessionsReopen);
                // The deposit never arrived: what was signed for it is worth nothing.
                if reopens || session.is_opening() && session.let_go_of_late(now) {
                    budget.sent.let_go(&key);
                    return Ok(true);
                }
                if is_its {
                    session.turn(now);
                }
                session.let_go_of_late(now);
            }
        }
        if !stays_used && self.course.uses(session.using.as_ref()) {
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
}
