//! Other payments of the same payer for the same request: of several nonces, one is asked for money.

use alloc::string::ToString;

use super::index::AskedRow;
use super::wanted::WantedPlace;
use super::{Rows, Shard, Slot};
use crate::command::{Answer, Command, Fate, Payment, Resumed, Rivals, Role};
use crate::entry::{Entry, OtherPayments};
use farebox_base::time::UnixTime;

impl Rivals {
    /// Names the payments that may stand in the way of this one, whose row was so before.
    pub(super) fn of(payment: &Payment, rival: Option<&str>, before: &Entry) -> Self {
        Self { again: before.is_refused(), ..Self::named(payment, rival) }
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
            Answer::Resend(_) => self.again,
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
        let asked = AskedRow { binding, ..AskedRow::default() };
        let OtherPayments { unresolved, contends, .. } = self.index.standing(slot, asked, now);
        if unresolved || (contends && rivals.again) {
            return Ok(Some(Fate::Unresolved));
        }
        for other in self.index.unreceived(slot, binding, now) {
            if rows.find(&other)?.is_some_and(|other| other.is_uncollected(now)) && other != *slot {
                return Ok(Some(Fate::AlreadyUsed));
            }
        }
        Ok(None)
    }

    /// Whether the payment that its payer could have signed instead has begun.
    pub(super) fn is_rivalled<R: Rows>(
        slot: &Slot,
        rival: Option<&str>,
        rows: &R,
    ) -> Result<bool, R::Error> {
        let Some(rival) = rival else { return Ok(false) };
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
            Role::Old | Role::Past => true,
            Role::New => rivals.again,
            Role::Sole | Role::OldCleared | Role::NewCleared => false,
        };
        Ok(unheard.then_some(Resumed::AskOther(rivals)))
    }
}
