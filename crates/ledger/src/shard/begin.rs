//! The first command of a payment, which has to be a claim.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::index::AskedRow;
use super::order::AnsweredEntry;
use super::{Change, Decision, Notice, Rows, Scene, Shard, Slot, Transition};
use crate::command::{
    Answer, Command, Fate, Leases, LedgerReply, Noted, Payment, Repeat, Rivals, Role, Signature,
};
use crate::entry::{Entry, MAX_UNASKED, OtherPayments};
use farebox_base::time::UnixTime;

/// Seconds after which a note about a payment that can no longer be charged may be removed.
const NOTED_SECS: u64 = 3600;

/// A payment whose row is to be made.
struct NewRow<'a> {
    payment: &'a Payment,
    /// The role of this object.
    role: Role,
    /// Whether it has cost its payer nothing so far.
    is_free: bool,
}

/// A transaction that its payer has sent, as [`Command::Note`] tells of it.
struct NewNote {
    payment: Payment,
    leases: Leases,
    noted: Noted,
}

impl Shard {
    /// Makes the row of a payment, or returns why there is none.
    pub(super) fn begin<R: Rows>(
        &self,
        slot: &Slot,
        command: Command,
        role: Role,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Answer>, R::Error> {
        let Command::Claim { payment, leases, idempotent, in_flight, last, rival, .. } = command
        else {
            return match command {
                Command::Note { payment, leases, noted } => {
                    let note = NewNote { payment: *payment, leases, noted };
                    self.note(slot, note, role, rows, scene)
                }
                _ => Ok(Decision::of(Answer::Stale)),
            };
        };
        let now = scene.now;
        if Self::may_be_lost(&payment, role, scene) {
            return Ok(Decision::of(Fate::UnderReview.into()));
        }
        if Self::is_rivalled(slot, rival.as_deref(), rows)? {
            return Ok(Decision::of(Fate::AlreadyUsed.into()));
        }
        let (wallet, denied, priced) = (true, false, true);
        let rivals = Rivals::named(&payment, rival.as_deref());
        let repeat = Repeat { payment, leases, idempotent, wallet, last, denied, rival, priced };
        if let Some(decision) = self.inherit(slot, &repeat, rows, scene)? {
            return Ok(decision);
        }
        let payment = repeat.payment;
        let standing = self.index.standing(slot, AskedRow::of(&payment), now);
        if role.is_old()
            && (standing.seen_by(&payment).unresolved || self.is_wanted_here(slot, &rivals, now))
        {
            return Ok(Decision::of(Fate::Unresolved.into()));
        }
        let is_free = !payment.was_sent_by_payer();
        let mut changes =
            match self.moved(slot, NewRow { payment: &payment, role, is_free }, rows, now)? {
                Ok(changes) => changes,
                Err(decision) => return Ok(decision),
            };
        // What its payer has sent is paid already.
        if is_free && !scene.has_room {
            return Ok(Decision::of(Answer::NoRoom));
        }
        let spare = self.index.spare(slot, &payment.client, &standing, now);
        let standing = match &spare {
            Some(_) => OtherPayments {
                unasked: standing.unasked.min(MAX_UNASKED.saturating_sub(1)),
                unasked_of_all: standing.unasked_of_all.saturating_sub(1),
                is_crowded: false,
                is_full: false,
                ..standing
            },
            None => standing,
        };
        match Entry::open(*payment, leases, in_flight, standing, now) {
            Ok((entry, answer)) => {
                changes.extend(spare.map(Change::Remove));
                let receipt = Some(entry.payment.receipt.clone());
                let mut transition = Transition::default();
                transition.add("none".to_string(), &entry.state, "claim");
                changes.push(Change::Insert(slot.clone(), Box::new(entry), transition));
                let reply = LedgerReply { receipt, proven: true, ..answer.into() };
                Ok(Decision { reply, body: None, changes })
            }
            Err(answer) => Ok(Decision { changes, ..Decision::of(answer) }),
        }
    }

    /// Collects the other writes for a payment whose row is made here; the error is the answer if
    /// its place is another object. A payment that has cost its payer nothing so far is refused if
    /// too many from its client's network were marked lately.
    fn moved<R: Rows>(
        &self,
        slot: &Slot,
        row: NewRow<'_>,
        rows: &R,
        now: UnixTime,
    ) -> Result<Result<Vec<Change>, Decision<Answer>>, R::Error> {
        let NewRow { payment, role, is_free } = row;
        let mut changes = Vec::new();
        match role {
            // No Worker is left that has not heard of the change.
            Role::Past => return Ok(Err(Decision::of(Answer::Absent))),
            // It is marked already.
            Role::Old | Role::OldCleared if rows.is_moved(slot)? => {
                return Ok(Err(Decision::of(Answer::Absent)));
            }
            Role::Old | Role::OldCleared if is_free && self.moves.is_full(&payment.client, now) => {
                return Ok(Err(Decision::of(Answer::Full)));
            }
            Role::Old | Role::OldCleared => {
                // A Worker that has not heard of the change must not begin it here meanwhile.
                let until = payment.valid_before.saturating_add(NOTED_SECS);
                let mut decision = Decision::of(Answer::Absent);
                decision.changes.push(Change::Move(slot.clone(), until, payment.client.clone()));
                return Ok(Err(decision));
            }
            Role::Sole if rows.is_moved(slot)? => {
                return Ok(Err(Decision::of(Fate::InProgress.into())));
            }
            Role::New | Role::NewCleared if rows.is_moved(slot)? => {
                changes.push(Change::Unmove(slot.clone()))
            }
            Role::Sole | Role::New | Role::NewCleared => {}
        }
        Ok(Ok(changes))
    }

    /// Makes the row of a transaction that its payer has sent. One that no node has shown is
    /// refused if the client has too many of those, because naming one costs nothing; one that pays
    /// never is.
    fn note<R: Rows>(
        &self,
        slot: &Slot,
        note: NewNote,
        role: Role,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Answer>, R::Error> {
        let NewNote { payment, leases, noted } = note;
        if Self::may_be_lost(&payment, role, scene) {
            return Ok(Decision::of(Fate::UnderReview.into()));
        }
        let standing = self.index.standing(slot, AskedRow::of(&payment), scene.now);
        if noted == Noted::Awaited && (standing.is_full || standing.is_crowded) {
            return Ok(Decision::of(Answer::Full));
        }
        // No node has shown it: it is shown again once one does.
        if noted == Noted::Awaited && !scene.has_room {
            return Ok(Decision::of(Answer::NoRoom));
        }
        let is_free = noted == Noted::Awaited;
        let changes =
            match self.moved(slot, NewRow { payment: &payment, role, is_free }, rows, scene.now)? {
                Ok(changes) => changes,
                Err(decision) => return Ok(decision),
            };
        let taken = Self::taken_by_another(slot, &payment, rows)?;
        let Some(entry) = Entry::of_sent(payment, leases, noted, taken, scene.now) else {
            return Ok(Decision::of(Answer::Unsupported));
        };
        let mut decision = Decision { changes, ..Decision::of(Answer::Recorded) };
        decision.reply.receipt = Some(entry.payment.receipt.clone());
        let mut transition = Transition::default();
        transition.add("none".to_string(), &entry.state, "note");
        let notice = Notice::first(&entry).filter(|_| scene.notifies);
        let entry = Box::new(entry);
        let notices =
            notice.map(|notice| Change::Announce(slot.clone(), entry.clone(), notice, scene.now));
        decision.changes.push(Change::Insert(slot.clone(), entry, transition));
        decision.changes.extend(notices);
        Ok(decision)
    }

    /// Whether a row that is missing may have been lost by a restore. The object after a change of their
    /// number may have it.
    fn may_be_lost(payment: &Payment, role: Role, scene: &Scene<'_>) -> bool {
        !role.is_old() && Self::is_of_before(payment, scene)
    }

    /// Whether a payer has sent it for a challenge from before the rows were known: it may have been
    /// served, noted or paid back since.
    pub(super) fn is_of_before(payment: &Payment, scene: &Scene<'_>) -> bool {
        payment.sent_since().is_some_and(|since| since.secs() < scene.plan.known_since)
    }

    /// Resumes an earlier payment for the same request whose result was never received: the new
    /// authorization is the payer's signature for it.
    fn inherit<R: Rows>(
        &self,
        slot: &Slot,
        repeat: &Repeat,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Option<Decision<Answer>>, R::Error> {
        // The sender of a transaction has paid again: that does not sign for an earlier payment.
        if repeat.payment.was_sent_by_payer() {
            return Ok(None);
        }
        let binding = &repeat.payment.binding;
        let Some((original, before)) = self.paid_otherwise(slot, binding, rows, scene.now)? else {
            return Ok(None);
        };
        let until = repeat.payment.valid_before.max(before.payment.valid_before);
        let until = until.saturating_add(NOTED_SECS);
        let changes = Vec::from([Change::Alias(slot.clone(), original.key.clone(), until)]);
        // Its nonce is another one.
        let mut repeat = repeat.clone();
        repeat.payment.signing.by = Signature::Unread;
        let (entry, resumed) = before.clone().lapse(scene.now).resumed(&repeat, scene.now);
        let next = AnsweredEntry { entry, answer: resumed.into(), changes };
        let mut decision = Self::answered(&original, &before, next, "signed_anew", rows, scene)?;
        decision.reply.proven = true;
        Ok(Some(decision))
    }

    /// The payer's payment for the same request that is paid, and whose result was never received.
    pub(super) fn paid_otherwise<R: Rows>(
        &self,
        slot: &Slot,
        binding: &str,
        rows: &R,
        now: UnixTime,
    ) -> Result<Option<(Slot, Entry)>, R::Error> {
        for original in self.index.unreceived(slot, binding, now) {
            if let Some(before) = rows.find(&original)?
                && before.payment.is_bound_as(binding)
                && before.is_uncollected(now)
            {
                return Ok(Some((original, before)));
            }
        }
        Ok(None)
    }
}
