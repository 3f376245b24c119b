//! The row of a session before something leaves, and once it turns out that nothing did.

use super::*;

impl SessionPurchase {
    /// Keeps what was signed before it is sent.
    pub(super) fn keep(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let Some(key) = self.planned.as_ref().map(|it| it.session.key()) else { return Ok(false) };
        let row = read::<KeptSession>(budget, &key)?;
        let uses = row.as_ref().is_some_and(|it| self.uses(it));
        let (Some(planned), Some(asked)) = (&mut self.planned, &self.asked) else {
            return Ok(false);
        };
        // What the payer has sent itself is kept, whatever became of the row.
        let is_sent = self.brings_hash;
        self.course.has_deposited |= is_sent;
        let row = row.filter(|it| it.id() == planned.session.id());
        if is_sent && row.is_none() {
            // It was closed or forgotten meanwhile, and another one may stand there: neither is lost from sight.
            planned.session.leave(budget, now)?;
            let message =
                "the channel was closed or forgotten while its deposit was sent; look at the chain";
            self.course.decide(Todo::Nothing, fail(Reason::PaymentUnresolved, message));
            return Ok(true);
        }
        if !uses {
            // Another request has used the session meanwhile: its amounts are others. What was signed
            // for these is never sent, and the hash of what was sent is kept beside them.
            self.course.decide(Todo::Plan, ChannelNext::Update);
            let takes = |it: &KeptSession| {
                let is_own = |it: &PendingFunds| it.is_counted_by(&self.course.id);
                is_sent && it.pending.as_ref().is_none_or(is_own)
            };
            let Some(mut row) = row.filter(takes) else { return Ok(false) };
            row.pending.clone_from(&planned.session.pending);
            budget.sent.keep(&key, &row.to_text(), now)?;
            return Ok(true);
        }
        self.course.has_deposited |= planned.sends_deposit;
        self.is_used_up &= !matches!(planned.act, Act::Voucher(_));
        let using = self.course.sends(now);
        let until = using.until;
        planned.session.using = Some(using);
        // What others have noted meanwhile is there: what came of streams, and of deposits.
        if let Some(row) = row {
            planned.session.take_notes(&row, &self.course.id);
        }
        budget.sent.keep(&key, &planned.session.to_text(), now)?;
        let credential = sign::credential(asked, &planned.session, planned.act);
        self.course.dispatch(asked.field(), credential, until);
        Ok(true)
    }

    /// Takes the record's change back where nothing was signed or sent: the deposit counts no more.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn release(
        &self,
        record: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<String>, ClientError> {
        let mut budget = Budget::from_text(record)?;
        let Some(planned) = &self.planned else { return Ok(None) };
        let key = planned.session.key();
        let row = read::<KeptSession>(&budget, &key)?;
        let is_unsent = row.as_ref().and_then(|it| it.pending.as_ref()).is_some_and(|it| {
            let is_sending = it.proof == FundsProof::Sending && !self.has_broadcast;
            is_sending && it.is_counted_by(&self.course.id)
        });
        // What is not signed counts no more, whoever uses the session by now.
        let is_unsigned = planned.unsigned.is_some();
        if is_unsent || is_unsigned {
            budget.release(&self.course.id);
        }
        let uses = row.as_ref().is_some_and(|it| self.uses(it));
        if let Some(mut session) = row.filter(|_| uses || is_unsent) {
            if uses {
                session.using = None;
            }
            if is_unsent {
                session.pending = None;
            }
            let is_empty = session.is_opening() && session.pending.is_none();
            match is_empty && session.using.is_none() {
                true => budget.sent.let_go(&key),
                false => budget.sent.keep(&key, &session.to_text(), now)?,
            }
        }
        Ok(Some(budget.to_text()))
    }
}
