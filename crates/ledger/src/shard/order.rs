//! Commands and questions about one payment.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::index::AskedRow;
use super::wanted::WantedPlace;
use super::{Change, Decision, Response, Rows, Scene, Shard, Slot};
use crate::command::{
    Answer, Asking, ChainVerdict, Command, Envelope, Fate, LedgerReply, LookAnswer, Outcome,
    Payment, Proving, Question, Repeat, Replay, Resumed, Rivals, Role, Signature,
};
use crate::entry::{Entry, OtherPayments, Taken};
use crate::mark::{Mark, MarkKind};
use crate::read::{Facts, Read, RowReply};
use farebox_base::encoding::hex;
use farebox_common::payment::{OnChain, TxHash};

/// The answer to a question, by its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionAnswer {
    /// The answer to a look.
    Seen(LedgerReply<LookAnswer>),
    /// The answer to a request that would resume.
    Resumed(Decision<Resumed>),
}

/// An entry after a command, with the answer to that, and the changes made so far.
pub(super) struct AnsweredEntry {
    pub(super) entry: Entry,
    pub(super) answer: Answer,
    pub(super) changes: Vec<Change>,
}

impl Shard {
    /// Carries out one command, with the body that came along.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn order<R: Rows>(
        &mut self,
        envelope: Envelope,
        body: Option<&[u8]>,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Answer>, R::Error> {
        let Envelope { payer, key, command, role, counting, .. } = envelope;
        let (slot, kind) = (Slot { payer, key }, MarkKind::of(&command));
        let rivals = Rivals::named_by(&command);
        let mut decision = self.carry_out(&slot, command, role, body, rows, scene)?;
        if let Some(rivals) = rivals {
            let wanted = match &decision.reply.answer {
                Answer::AskOther(_) => Some(WantedPlace::Here),
                Answer::Absent => Some(WantedPlace::There),
                _ => None,
            };
            self.want(&slot, &rivals, wanted, scene.now);
        }
        // A payer without room for another payment asks again.
        if kind == MarkKind::Claim && decision.reply.answer != Answer::TooManyInFlight {
            self.provings.end(&slot);
        }
        if let Some(counting) = counting {
            let mark = Mark::of(kind, &decision.reply.answer, counting.failure.as_ref());
            decision.reply.tally =
                self.failures.mark(&slot.payer, mark, &counting, scene.now, &mut decision.changes);
        }
        Ok(decision)
    }

    /// Answers one question. No payment begins, whatever the answer.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn ask<R: Rows>(
        &mut self,
        asking: Asking,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<QuestionAnswer, R::Error> {
        let Asking { payer, key, ask, counting, proving, role, .. } = asking;
        let slot = Slot { payer, key };
        match ask {
            Question::Look(repeat) => {
                let mut reply = Self::look(&slot, &repeat, rows, scene)?;
                if reply.answer == LookAnswer::Nothing && is_elsewhere(&slot, role, rows)? {
                    reply.answer = LookAnswer::Fate(Fate::InProgress);
                }
                Ok(QuestionAnswer::Seen(self.beside(&slot, proving, reply, scene)))
            }
            Question::Resume(repeat) => {
                let rivals = Rivals::named(&repeat.payment, repeat.rival.as_deref());
                let mut decision = self.resume(&slot, repeat, role, rows, scene)?;
                let asks = matches!(decision.reply.answer, Resumed::AskOther(_));
                self.want(&slot, &rivals, asks.then_some(WantedPlace::Here), scene.now);
                if decision.reply.answer == Resumed::Nothing && is_elsewhere(&slot, role, rows)? {
                    decision.reply.answer = Fate::InProgress.into();
                }
                if let Some(counting) = counting {
                    let mark = Mark::of_resumed(&decision.reply.answer, counting.failure.as_ref());
                    let changes = &mut decision.changes;
                    decision.reply.tally =
                        self.failures.mark(&slot.payer, mark, &counting, scene.now, changes);
                }
                Ok(QuestionAnswer::Resumed(decision))
            }
            Question::Rivals(rivals) => {
                let fate = self.contested(&slot, &rivals, rows, scene.now)?;
                let answer = fate.map_or(LookAnswer::Nothing, LookAnswer::Fate);
                Ok(QuestionAnswer::Seen(answer.into()))
            }
        }
    }

    /// Looks up the state of a payment: reads, and never writes.
    fn look<R: Rows>(
        slot: &Slot,
        repeat: &Repeat,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<LedgerReply<LookAnswer>, R::Error> {
        let slot = original(slot, rows)?.unwrap_or_else(|| slot.clone());
        let Some(entry) = rows.find(&slot)? else { return Ok(LookAnswer::Nothing.into()) };
        let entry = entry.lapse(scene.now);
        let receipt = Some(entry.payment.receipt.clone());
        let proven = entry.proves(repeat);
        let payment = entry.payment.clone();
        let reply = LedgerReply { receipt, proven, ..entry.look(repeat, scene.now).into() };
        Ok(reply.holding(&payment, &repeat.payment))
    }

    /// Adjusts the answer while other copies are being proven: a payment that could still begin is
    /// not called unknown.
    fn beside(
        &mut self,
        slot: &Slot,
        proving: Option<Proving>,
        reply: LedgerReply<LookAnswer>,
        scene: &Scene<'_>,
    ) -> LedgerReply<LookAnswer> {
        if proving == Some(Proving::Refused) {
            self.provings.end(slot);
        }
        if reply.answer != LookAnswer::Nothing {
            return reply;
        }
        if proving == Some(Proving::Begins) {
            self.provings.begin(slot, scene.now);
            return reply;
        }
        if self.provings.copies(slot, scene.now) > 0 {
            return LedgerReply { answer: LookAnswer::Fate(Fate::InProgress), ..reply };
        }
        reply
    }

    /// Resumes a payment that the ledger knows.
    fn resume<R: Rows>(
        &self,
        slot: &Slot,
        mut repeat: Repeat,
        role: Role,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Resumed>, R::Error> {
        let original = original(slot, rows)?;
        // It was never settled, so only the payer can show it.
        repeat.wallet |= original.is_some();
        if original.is_some() {
            repeat.payment.signing.by = Signature::Unread;
        }
        let slot = original.unwrap_or_else(|| slot.clone());
        let Some(before) = rows.find(&slot)? else {
            let asked = AskedRow::of(&repeat.payment);
            let standing = self.index.standing(&slot, asked, scene.now);
            let standing = standing.seen_by(&repeat.payment);
            let decision = Decision::of(match standing.unresolved {
                true => Fate::Unresolved.into(),
                false => Resumed::Nothing,
            });
            return Ok(decision);
        };
        if Self::is_of_before(&repeat.payment, scene) && before.is_silent(scene.plan, scene.now) {
            return Ok(Decision::of(Fate::UnderReview.into()));
        }
        let proven = before.proves(&repeat);
        let lapsed = before.clone().lapse(scene.now);
        repeat.idempotent &= !lapsed.may_be_paid_back(scene.plan);
        let rivals = Rivals::of(&repeat.payment, repeat.rival.as_deref(), &lapsed);
        let (entry, resumed) = lapsed.resumed(&repeat, scene.now);
        let mut changes = Vec::new();
        let receipt = Some(entry.payment.receipt.clone());
        if rivals.contest(&resumed.clone().into())
            && let Some(answer) = self.stands_aside(&slot, rivals, role, rows, scene.now)?
        {
            let reply = LedgerReply { receipt, proven, ..answer.into() };
            return Ok(Decision { reply, body: None, changes });
        }
        let (entry, answer, body) = match resumed {
            Resumed::Replay(replay) => match replayed(&slot, replay, rows)? {
                Some((replay, body)) => (entry, Resumed::Replay(replay), Some(body)),
                None => (entry.handed_as(&before), Fate::AlreadyDelivered.into(), None),
            },
            other => (entry, other, None),
        };
        Self::step(&slot, &before, entry, "command", scene, &mut changes);
        let reply = LedgerReply { receipt, proven, ..answer.into() };
        let reply = reply.holding(&before.payment, &repeat.payment);
        Ok(Decision { reply, body, changes })
    }

    /// Carries out one command on one row.
    pub(super) fn carry_out<R: Rows>(
        &self,
        slot: &Slot,
        mut command: Command,
        role: Role,
        body: Option<&[u8]>,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Answer>, R::Error> {
        let original = original(slot, rows)?;
        if let (Some(_), Command::Claim { wallet, payment, .. }) = (&original, &mut command) {
            // It was never settled, so only the payer can show it. Its nonce is another one.
            *wallet = true;
            payment.signing.by = Signature::Unread;
        }
        let slot = original.unwrap_or_else(|| slot.clone());
        let Some(before) = rows.find(&slot)? else {
            return self.begin(&slot, command, role, rows, scene);
        };
        if let Command::Claim { payment, .. } | Command::Note { payment, .. } = &command
            && Self::is_of_before(payment, scene)
            && before.is_silent(scene.plan, scene.now)
        {
            return Ok(Decision::of(Fate::UnderReview.into()));
        }
        let standing = match &command {
            Command::Claim { payment, .. } => {
                let standing = self.index.standing(&slot, AskedRow::of(payment), scene.now);
                // Its row exists: it adds none.
                OtherPayments { is_full: false, is_crowded: false, ..standing }
            }
            _ => OtherPayments::default(),
        };
        let taken = self.taken(&slot, &before, &command, rows)?;
        let head = match &command {
            Command::Seal { response, .. } => response.clone(),
            _ => None,
        };
        let (proven, shown) = match &command {
            Command::Claim { payment, wallet, .. } => {
                (before.is_proven_by(payment, *wallet), Some(payment.clone()))
            }
            _ => (false, None),
        };
        let now = scene.now;
        let lapsed = before.clone().lapse(now);
        if let Command::Claim { idempotent, .. } = &mut command {
            *idempotent &= !lapsed.may_be_paid_back(scene.plan);
        }
        let rivals = Rivals::of_claim(&command, &lapsed);
        let shows_nothing = lapsed.learns_nothing(&command);
        let (entry, answer) = lapsed.apply(command, standing, taken, now);
        let entry = if shows_nothing { entry.close_unmined(scene.plan, now) } else { entry };
        if let Some(rivals) = rivals.filter(|rivals| rivals.contest(&answer))
            && let Some(aside) = self.stands_aside(&slot, rivals, role, rows, now)?
        {
            let receipt = Some(before.payment.receipt);
            let reply = LedgerReply { receipt, proven, ..Answer::from(aside).into() };
            return Ok(Decision { reply, body: None, changes: Vec::new() });
        }
        let after = entry.payment.clone();
        let mut changes = Vec::new();
        if let (Some(head), Answer::Granted { .. }) = (head, &answer) {
            let body = body.unwrap_or_default().to_vec();
            let sha256 = hex::encode(&Sha256::digest(&body));
            changes.push(Change::Store(slot.clone(), Response { head, sha256, body }));
        }
        let next = AnsweredEntry { entry, answer, changes };
        let mut decision = Self::answered(&slot, &before, next, "command", rows, scene)?;
        decision.reply.proven = proven;
        // Of a row that is begun, what the request shows is all that it is for.
        if let Some(shown) = shown
            && !matches!(decision.reply.answer, Answer::Granted { .. })
        {
            decision.reply = decision.reply.holding(&after, &shown);
        }
        Ok(decision)
    }

    /// Turns an entry and its answer into a decision, with the body of a stored response.
    pub(super) fn answered<R: Rows>(
        slot: &Slot,
        before: &Entry,
        next: AnsweredEntry,
        why: &str,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decision<Answer>, R::Error> {
        let AnsweredEntry { entry, answer, mut changes } = next;
        let receipt = Some(entry.payment.receipt.clone());
        let (entry, answer, body) = match answer {
            Answer::Replay(replay) => match replayed(slot, replay, rows)? {
                Some((replay, body)) => (entry, Answer::Replay(replay), Some(body)),
                None => (entry.handed_as(before), Fate::AlreadyDelivered.into(), None),
            },
            other => (entry, other, None),
        };
        Self::step(slot, before, entry, why, scene, &mut changes);
        let reply = LedgerReply { receipt, ..answer.into() };
        Ok(Decision { reply, body, changes })
    }

    /// Whether the transaction named in a command belongs to another payment.
    fn taken<R: Rows>(
        &self,
        slot: &Slot,
        entry: &Entry,
        command: &Command,
        rows: &R,
    ) -> Result<Taken, R::Error> {
        if let Command::Note { .. } = command {
            return Self::taken_by_another(slot, &entry.payment, rows);
        }
        let (Command::Outcome {
            result: Outcome::Settled(text) | Outcome::Unknown(Some(text)),
            ..
        }
        | Command::Learn {
            learnt:
                ChainVerdict::Captured(text) | ChainVerdict::Earlier(text, _) | ChainVerdict::Late(text),
            ..
        }) = command
        else {
            return Ok(Taken::No);
        };
        let Some(hash) = entry.payment.transaction(text) else { return Ok(Taken::No) };
        Self::owned_by_another(slot, &entry.payment, &hash, rows)
    }

    /// Whether the transaction that a payer has sent belongs to another payment.
    pub(super) fn taken_by_another<R: Rows>(
        slot: &Slot,
        payment: &Payment,
        rows: &R,
    ) -> Result<Taken, R::Error> {
        let onchain = OnChain::read(&payment.facilitator, &payment.request);
        match onchain.and_then(|onchain| onchain.transaction()) {
            Some(hash) => Self::owned_by_another(slot, payment, &hash, rows),
            None => Ok(Taken::No),
        }
    }

    fn owned_by_another<R: Rows>(
        slot: &Slot,
        payment: &Payment,
        hash: &TxHash,
        rows: &R,
    ) -> Result<Taken, R::Error> {
        let owners = rows.owners(&payment.network, hash)?;
        Ok(if owners.iter().any(|owner| owner != slot) { Taken::Yes } else { Taken::No })
    }

    /// Looks up the row that a receipt id names: reads, and never writes.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn look_up<R: Rows>(read: &Read, rows: &R) -> Result<RowReply, R::Error> {
        let wanted = &read.read;
        let slot = match (&wanted.payer, &wanted.key) {
            (Some(payer), Some(key)) => {
                let slot = Slot::new(payer, key);
                Some(original(&slot, rows)?.unwrap_or(slot))
            }
            _ => rows.by_receipt(&wanted.receipt)?,
        };
        let named = |slot: &Slot| wanted.payer.as_ref().is_none_or(|payer| *payer == slot.payer);
        let Some(slot) = slot.filter(named) else { return Ok(RowReply { row: None }) };
        let entry = rows.find(&slot)?.filter(|entry| entry.payment.receipt == wanted.receipt);
        let facts = entry.map(|entry| Box::new(Facts::of(&slot.payer, &slot.key, &entry)));
        Ok(RowReply { row: facts })
    }
}

/// Whether a payment unknown here is begun in the object after a change of which the asking Worker
/// has not heard.
fn is_elsewhere<R: Rows>(slot: &Slot, role: Role, rows: &R) -> Result<bool, R::Error> {
    Ok(role == Role::Sole && rows.is_moved(slot)?)
}

/// The slot that this one stands for.
fn original<R: Rows>(slot: &Slot, rows: &R) -> Result<Option<Slot>, R::Error> {
    let key = rows.original(slot)?;
    Ok(key.map(|key| Slot { payer: slot.payer.clone(), key }))
}

/// The stored response of a replay; `None` if it was changed or lost.
fn replayed<R: Rows>(
    slot: &Slot,
    replay: Replay,
    rows: &R,
) -> Result<Option<(Replay, Vec<u8>)>, R::Error> {
    let stored = rows.response(slot)?;
    let whole = stored.filter(|it| hex::encode(&Sha256::digest(&it.body)) == it.sha256);
    Ok(whole.map(|Response { head, body, .. }| {
        let transaction: String = replay.transaction;
        (Replay { response: head, transaction }, body)
    }))
}
