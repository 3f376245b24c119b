//! Payments that go on. Whoever asks for an open one again has the same bytes sent again, and signs no
//! other. The alarm ends what a lost Worker left, and has the chain read until the money of each is
//! known to have moved, or to never move.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::report::Reports;
use super::{Held, end, interrupt, write_order};
use crate::answer::{DecisionAnswer, EXECUTING};
use crate::books::{Change, Rows};
use crate::decide::denial::count_unmoved;
use crate::kernel::{Decision, Job, Now, SendWindow};
use crate::merchant::{Locality, origin};
use crate::message::Answer;
use crate::notice;
use crate::outcome::Outcome;
use crate::places::{KINDS, PlacedJob, Places, TakenPlace};
use crate::row::{AttemptRow, DecisionRow, Money, Stage, Turn};
use crate::undelivered::{MARGIN_SECS, can_be_sent, is_delivered, may_repeat, stands};
use farebox_base::time::UnixTime;

/// Maximum times that the alarm sends a payment.
const MAX_RESENDS: u32 = 3;
/// Seconds after which the operator is told of a payment without a known outcome.
const INCONCLUSIVE_SECS: u64 = 3600;

/// Payments that are not over.
#[derive(Clone, Copy)]
pub(crate) struct Recovery<'t> {
    pub reports: Reports<'t>,
    pub window: SendWindow,
}

/// The writes of one round of work.
struct Round {
    changes: Vec<Change>,
    /// Whether one attempt gave back to budgets or counted for its agent. One at a time: each writes
    /// the same rows.
    gave_back: bool,
}

impl Recovery<'_> {
    /// Answers a request by the decision that it belongs to: as before, or by sending its payment
    /// again.
    pub fn resend<B: Rows>(
        &self,
        books: &B,
        mut decision: DecisionRow,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if decision.stage != Stage::Final || !decision.open || decision.is_payout() {
            return Ok(Decision::reply(self.reports.receipts.reply(&decision)));
        }
        let attempt = books.attempt(&decision.attempt)?;
        let attempt = attempt.filter(|it| stands(it, scene.now) && can_be_sent(it, scene.now));
        let was_delivered = is_delivered(&decision.outcome);
        let may_repeat = may_repeat(&decision);
        let parcel = books.parcel(&decision.attempt)?.filter(|_| may_repeat);
        let (Some(mut attempt), Some(parcel)) = (attempt, parcel) else {
            return Ok(Decision::reply(self.reports.receipts.reply(&decision)));
        };
        // Whoever held it holds it no more.
        attempt.fence = attempt.fence.saturating_add(1);
        attempt.resends = attempt.resends.saturating_add(1);
        attempt.lease = Some(self.window.lease(scene.now));
        attempt.due = attempt.lease;
        decision.stage = Stage::Executing;
        // What was delivered is told until more is.
        if !was_delivered {
            DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
                .write(&mut decision, scene.now.secs());
        }
        let order = write_order(&attempt, &parcel, self.window, scene.now);
        let changes =
            Vec::from([Change::Attempt(Box::new(attempt)), Change::Decision(Box::new(decision))]);
        Ok(Decision { answer: Answer::Send(Box::new(order)), changes })
    }

    /// Work on attempts that is due and has places, with the writes that grant it.
    pub fn recover<B: Rows>(
        &self,
        books: &B,
        places: &mut Places,
        scene: Now<'_>,
    ) -> Result<(Vec<PlacedJob>, Vec<Change>), B::Error> {
        let mut works = Vec::new();
        let mut round = Round { changes: Vec::new(), gave_back: false };
        for mut attempt in due_in_turn(books, places, scene)? {
            let place = TakenPlace::of(&attempt);
            let Some(decision) = books.decision(&attempt.decision)? else {
                (attempt.due, attempt.why) = (None, Some("no_decision".to_string()));
                round.changes.push(Change::Attempt(Box::new(attempt)));
                continue;
            };
            let job = self.take_up(books, Held { attempt, decision }, &mut round, scene)?;
            works.extend(job.map(|job| PlacedJob { place, job }));
        }
        Ok((works, round.changes))
    }

    /// Takes up one attempt, as far as its money has got.
    fn take_up<B: Rows>(
        &self,
        books: &B,
        held: Held,
        round: &mut Round,
        scene: Now<'_>,
    ) -> Result<Option<Job>, B::Error> {
        match (held.attempt.money, held.decision.stage) {
            (Money::Reserved, _) if round.gave_back => Ok(None),
            (Money::Reserved, _) => {
                let Held { attempt, mut decision } = held;
                round.changes.extend(interrupt(books, attempt, &mut decision, scene)?);
                round.gave_back = true;
                Ok(None)
            }
            (Money::Signed, Stage::Executing) => {
                let (job, writes) = self.send_again(books, held, scene)?;
                round.changes.extend(writes);
                Ok(job)
            }
            (Money::Signed, Stage::Review | Stage::Final) => {
                self.ask_chain(books, held, round, scene)
            }
            // It was sent again for a delivery that did not come.
            (Money::Spent, Stage::Executing) => {
                let Held { mut attempt, decision } = held;
                attempt.fence = attempt.fence.saturating_add(1);
                let held = Held { attempt, decision };
                let ended = self.reports.conclude(held, Outcome::lost(), None, scene);
                round.changes.extend(ended.changes);
                Ok(None)
            }
            (Money::Spent | Money::Void, _) => {
                let Held { mut attempt, mut decision } = held;
                (attempt.due, decision.open) = (None, false);
                round.changes.push(end(attempt));
                round.changes.push(Change::Decision(Box::new(decision)));
                Ok(None)
            }
        }
    }

    /// Has the chain read about what was signed, and ends it once there is nothing left to find, nor
    /// to send again.
    fn ask_chain<B: Rows>(
        &self,
        books: &B,
        held: Held,
        round: &mut Round,
        scene: Now<'_>,
    ) -> Result<Option<Job>, B::Error> {
        let Held { mut attempt, mut decision } = held;
        let job = self.reports.chain.ask_of(&mut attempt, scene.now);
        let age = scene.now.secs_since(UnixTime::from_secs(attempt.counted));
        let is_open = matches!(decision.outcome.as_str(), "inconclusive" | "unknown");
        if is_open && age >= INCONCLUSIVE_SECS {
            let notice = notice::decision_inconclusive(&decision, &attempt, scene);
            round.changes.push(Change::Outbox(notice));
        }
        if attempt.due.is_some() && stands(&attempt, scene.now) {
            round.changes.push(Change::Attempt(Box::new(attempt)));
            return Ok(job);
        }
        if round.gave_back {
            return Ok(job);
        }
        round.gave_back = true;
        // What got an answer is over then.
        let was_open = decision.open && attempt.receipt.is_none();
        decision.open = is_open;
        let counted = count_unmoved(books, &attempt.agent, scene.now)?;
        round.changes.extend(counted.filter(|_| was_open).map(Change::Agent));
        round.changes.push(end(attempt));
        round.changes.push(Change::Decision(Box::new(decision)));
        Ok(job)
    }

    /// Sends what a lost Worker may have sent once more, where that is safe; otherwise its decision
    /// ends without an outcome.
    fn send_again<B: Rows>(
        &self,
        books: &B,
        held: Held,
        scene: Now<'_>,
    ) -> Result<(Option<Job>, Vec<Change>), B::Error> {
        let Held { mut attempt, decision } = held;
        let now = scene.now;
        // Whoever held it holds it no more.
        attempt.fence = attempt.fence.saturating_add(1);
        let parcel = books.parcel(&attempt.id)?;
        let is_late = now.plus(MARGIN_SECS).secs() >= attempt.valid_before;
        let Some(parcel) = parcel.filter(|_| !is_late && attempt.resends < MAX_RESENDS) else {
            let held = Held { attempt, decision };
            return Ok((None, self.reports.conclude(held, Outcome::lost(), None, scene).changes));
        };
        attempt.resends = attempt.resends.saturating_add(1);
        attempt.lease = Some(self.window.lease(now));
        attempt.due = attempt.lease;
        let order = write_order(&attempt, &parcel, self.window, now);
        // A token moves under a nonce once, whoever sends it.
        let is_safe = matches!(parcel.method.as_str(), "GET" | "HEAD") || attempt.is_payout();
        let gate = origin(&parcel.url, Locality::Local);
        let probe = gate.filter(|_| !is_safe);
        let probe = probe.map(|origin| format!("{origin}/.well-known/farebox-keys.json"));
        let changes = Vec::from([Change::Attempt(Box::new(attempt))]);
        Ok((Some(Job::Send(order, probe)), changes))
    }
}

/// The attempts that are due now and get a place: some of each kind, and of each kind some of each
/// agent. So whatever one agent leaves open, what others wait for has its turn.
fn due_in_turn<B: Rows>(
    books: &B,
    places: &mut Places,
    scene: Now<'_>,
) -> Result<Vec<AttemptRow>, B::Error> {
    let mut found = Vec::new();
    let kinds = KINDS;
    for turn in kinds {
        // One by one: what is found may leave no place for the next one.
        while places.room(turn) > 0
            && let Some(attempt) = next_due(books, turn, places, scene)?
        {
            places.take(TakenPlace::of(&attempt));
            found.push(attempt);
        }
    }
    Ok(found)
}

/// The attempt of one kind that is due the longest, of an agent that has the fewest places; chance
/// names the first of these, because there may be more agents than places.
fn next_due<B: Rows>(
    books: &B,
    turn: Turn,
    places: &Places,
    scene: Now<'_>,
) -> Result<Option<AttemptRow>, B::Error> {
    let mut agents = books.waiting(turn)?;
    let chance = scene.random.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
    let start = usize::try_from(chance).ok().and_then(|it| it.checked_rem(agents.len()));
    agents.rotate_left(start.unwrap_or_default());
    agents.sort_by_key(|agent| places.count_of(turn, agent));
    let busy = places.busy_merchants();
    // Those that have a place may be due again.
    let limit = places.count().saturating_add(1);
    for agent in &agents {
        let rows = books.due(turn, agent, &busy, scene.now.secs(), limit)?;
        let free = rows.into_iter().find(|row| !places.has(&row.id));
        if free.is_some() {
            return Ok(free);
        }
    }
    Ok(None)
}
