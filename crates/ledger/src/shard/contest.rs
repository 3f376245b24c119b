//! Other payments of the same payer for the same request: of several nonces, one is asked for money.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::wanted::WantedPlace;
use super::{Change, Decision, Rows, Shard, Slot};
use crate::command::{
    Answer, Command, EarlierRow, Fate, LedgerReply, LookAnswer, Payment, Resumed, Rivals, Role,
};
use crate::entry::{Entry, OtherPayments};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;

/// Seconds after which a note about a payment that can no longer be charged may be removed.
pub(super) const NOTED_SECS: u64 = 3600;

/// A request that shows a payment whose row is here.
#[derive(Clone, Copy)]
pub(super) struct ShownAgain<'a> {
    pub(super) slot: &'a Slot,
    pub(super) payment: &'a Payment,
    /// The row before.
    pub(super) before: &'a Entry,
    /// The role of this object.
    pub(super) role: Role,
    pub(super) now: UnixTime,
}

impl ShownAgain<'_> {
    /// Whether this is the object before a change, and the payment was signed again for longer than
    /// its row knows: nothing here may outlast the change.
    fn outlasts(&self) -> bool {
        self.role.is_old()
            && self.before.payment.is_outlasted_by(self.payment)
            && !planted(Mutant::OldOutlastsTheChange)
    }

    /// The row, for the object that begins the payment from now on.
    fn earlier(&self) -> EarlierRow {
        let mut signing = self.before.payment.signing.clone();
        if !planted(Mutant::PassedOnBare) {
            signing.add(self.before.payment.terms());
        }
        let seen_block = self.before.watch.seen_block;
        EarlierRow { signing, created: self.before.created.secs(), seen_block }
    }
}

impl Rivals {
    /// Names the payments that may stand in the way of this one, whose row was so before.
    pub(super) fn of(payment: &Payment, rival: Option<&str>, before: &Entry) -> Self {
        Self { again: before.is_refused(), ..Self::named(payment, rival) }
    }

    /// Names none: the payment stays where it is asked about, and outlasts what was known of it.
    pub(super) fn staying(payment: &Payment) -> Self {
        let until = payment.valid_before.saturating_add(NOTED_SECS);
        Self { stays_until: Some(until), ..Self::default() }
    }

    /// Names the payments that may stand in the way of this one, which has no row yet.
    pub(super) fn named(payment: &Payment, rival: Option<&str>) -> Self {
        // The sender of a transaction has paid already.
        let binding = (!payment.was_sent_by_payer()).then(|| payment.binding.clone());
        Self { binding, rival: rival.map(ToString::to_string), ..Self::default() }
    }

    /// Names those of a command, if it is a claim.
    pub(super) fn named_by(command: &Command) -> Option<Self> {
        let Command::Claim { payment, rival, .. } = command else { return None };
        Some(Self::named(payment, rival.as_deref()))
    }

    /// Names the payments that may stand in the way of this claim.
    pub(super) fn of_claim(command: &Command, before: &Entry) -> Option<Self> {
        let Command::Claim { payment, rival, .. } = command else { return None };
        Some(Self::of(payment, rival.as_deref(), before))
    }

    /// Whether an answer asks for the money of a row for which nothing asks now: as it begins, or
    /// once more after it was refused.
    pub(super) fn contest(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Granted { .. } => true,
            Answer::Resend(_) => self.again && !planted(Mutant::RefusedIsSentBeside),
            _ => false,
        }
    }
}

impl Shard {
    /// The reason why no money is asked for a payment now, if another one of its payer may pay for
    /// the same request, or has paid.
    pub(super) fn contested<R: Rows>(
        &self,
        slot: &Slot,
        rivals: &Rivals,
        rows: &R,
        now: UnixTime,
    ) -> Result<Option<Fate>, R::Error> {
        if Self::is_rivalled(slot, rivals.rival.as_deref(), rows)? {
            return Ok(Some(Fate::AlreadyUsed));
        }
        if self.wants.other(slot, rivals, now).is_some() {
            return Ok(Some(Fate::Unresolved));
        }
        let Some(binding) = &rivals.binding else { return Ok(None) };
        let OtherPayments { unresolved, contends, .. } =
            self.index.standing(slot, binding, "", now);
        if (unresolved && !planted(Mutant::DoubtIsForgotten)) || (contends && rivals.again) {
            return Ok(Some(Fate::Unresolved));
        }
        for other in self.index.unreceived(slot, binding, now) {
            if rows.find(&other)?.is_some_and(|other| other.is_uncollected(now))
                && other != *slot
                && !planted(Mutant::AnewBesidePaid)
            {
                return Ok(Some(Fate::AlreadyUsed));
            }
        }
        Ok(None)
    }

    /// Answers the object that knows a payment, and leaves it to that one if it stays there.
    pub(super) fn hear<R: Rows>(
        &self,
        slot: &Slot,
        rivals: &Rivals,
        rows: &R,
        now: UnixTime,
    ) -> Result<Decision<LookAnswer>, R::Error> {
        if let Some(fate) = self.contested(slot, rivals, rows, now)? {
            return Ok(Decision::of(LookAnswer::Fate(fate)));
        }
        let mut decision = Decision::of(LookAnswer::Nothing);
        if let Some(until) = rivals.stays_until {
            if Self::is_rivalled(slot, Some(&slot.key), rows)? {
                return Ok(Decision::of(LookAnswer::Fate(Fate::AlreadyUsed)));
            }
            decision.changes.push(Change::Move(slot.clone(), until, String::new()));
        }
        Ok(decision)
    }

    /// Whether the payment that its payer could have signed instead has begun.
    pub(super) fn is_rivalled<R: Rows>(
        slot: &Slot,
        rival: Option<&str>,
        rows: &R,
    ) -> Result<bool, R::Error> {
        let Some(rival) = rival.filter(|_| !planted(Mutant::RivalBegins)) else { return Ok(false) };
        let other = rows.find(&Slot::new(&slot.payer, rival))?;
        Ok(other.is_some_and(|other| !other.is_free()))
    }

    /// Notes where a payment is wanted that the other object has to answer for; `None` once it is not.
    pub(super) fn want(
        &mut self,
        slot: &Slot,
        rivals: &Rivals,
        wanted: Option<WantedPlace>,
        now: UnixTime,
    ) {
        match wanted {
            Some(wanted) => self.wants.note(slot, rivals, wanted, now),
            None => self.wants.end(slot, rivals),
        }
    }

    /// Whether another payment of its request or challenge begins here as soon as the other object
    /// was heard.
    pub(super) fn is_wanted_here(&self, slot: &Slot, rivals: &Rivals, now: UnixTime) -> bool {
        self.wants.other(slot, rivals, now) == Some(WantedPlace::Here)
    }

    /// The decision in the place of one on a known payment that asks for money, or that outlasts
    /// what the other object of a change can wait for.
    pub(super) fn deferred<R: Rows>(
        &self,
        shown: ShownAgain<'_>,
        rivals: Rivals,
        answer: &Answer,
        rows: &R,
    ) -> Result<Option<Decision<Answer>>, R::Error> {
        let ShownAgain { slot, payment, before, role, now } = shown;
        let (asks, outlasts) = (rivals.contest(answer), shown.outlasts());
        if !asks && !outlasts {
            return Ok(None);
        }
        let rivals = if asks { rivals } else { Rivals::staying(payment) };
        let mut changes = Vec::new();
        let answer = match self.stands_aside(slot, rivals, role, rows, now)? {
            Some(aside) => aside.into(),
            None if asks && outlasts => {
                let until = payment.valid_before.saturating_add(NOTED_SECS);
                changes.push(Change::Remove(slot.clone()));
                changes.push(Change::Move(slot.clone(), until, payment.client.clone()));
                Answer::PassedOn(shown.earlier())
            }
            None => return Ok(None),
        };
        let receipt = Some(before.payment.receipt.clone());
        let reply = LedgerReply { answer, receipt, proven: false, tally: None, held: None };
        Ok(Some(Decision { reply, body: None, changes }))
    }

    /// The answer in the place of one that asks for money: another payment may pay, or the other
    /// object of a change has to be heard first. What begins in the new one has passed the old one.
    pub(super) fn stands_aside<R: Rows>(
        &self,
        slot: &Slot,
        rivals: Rivals,
        role: Role,
        rows: &R,
        now: UnixTime,
    ) -> Result<Option<Resumed>, R::Error> {
        if let Some(fate) = self.contested(slot, &rivals, rows, now)? {
            return Ok(Some(fate.into()));
        }
        let unheard = match role {
            Role::Old => !planted(Mutant::OldHearsItself),
            Role::New => rivals.again && !planted(Mutant::NewHearsItself),
            Role::Sole | Role::OldCleared | Role::NewCleared => false,
        };
        Ok(unheard.then_some(Resumed::AskOther(rivals)))
    }
}
