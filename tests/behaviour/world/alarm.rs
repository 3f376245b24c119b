//! The alarms of the ledger objects: rows without a holder, payments to send once more, looks at
//! the chain.

use farebox_core::gate::alarm::RecoveryStep;
use farebox_core::ledger::shard::Due;
use farebox_core::time::UnixTime;

use super::World;

/// A row that needs a call, up to four of an object at once.
#[derive(Clone)]
pub struct Job {
    object: String,
    due: Due,
}

/// Rounds of one alarm.
const ROUNDS: usize = 8;

impl Job {
    /// Whether the chain is looked at.
    pub fn reads(&self) -> bool {
        matches!(self.due, Due::Read(..))
    }

    /// Whether the treasury is asked.
    pub fn pays_back(&self) -> bool {
        matches!(self.due, Due::PayBack(..))
    }

    /// The payment's key.
    pub fn key(&self) -> &str {
        &self.due.slot().key
    }

    /// The payment's payer.
    pub fn payer(&self) -> &str {
        &self.due.slot().payer
    }
}

impl World {
    /// Fires the alarm now, which does what is due. Returns its rounds, at most as many as an alarm
    /// has.
    pub fn alarm(&mut self) -> usize {
        for round in 0..ROUNDS {
            let jobs = self.next_jobs();
            if jobs.is_empty() {
                return round;
            }
            for job in jobs {
                self.carry(job);
            }
        }
        ROUNDS
    }

    /// The time for which the alarm is set.
    pub fn wake_at(&self) -> Option<UnixTime> {
        self.ledger.due_at()
    }

    /// Lets time pass, and fires every alarm when it is due.
    pub fn pass(&mut self, secs: u64) {
        let end = self.now_ms + secs * 1000;
        while let Some(at) = self.wake_at().filter(|at| at.secs() * 1000 <= end) {
            self.set_ms(self.now_ms.max(at.secs() * 1000));
            self.alarm();
        }
        self.set_ms(self.now_ms.max(end));
    }

    /// Finishes the rows that need no call, and returns calls to make.
    pub fn next_jobs(&mut self) -> Vec<Job> {
        self.ledger.alarms += 1;
        let due = self.ledger.due(self.now());
        due.into_iter().map(|(object, due)| Job { object, due }).collect()
    }

    /// Makes the calls of one job, and reports to the row.
    pub fn carry(&mut self, Job { object, due }: Job) {
        let Some(mut errand) = self.gate.recovery().begin(due) else { return };
        loop {
            errand = match errand {
                RecoveryStep::Settle(call, sending) => {
                    let now = self.now().secs();
                    let (reply, took) = self.facilitator.call(&call.url, &call.body, now);
                    self.set_ms(self.now_ms + u64::from(took));
                    sending.answered(self.gate.recovery(), &reply)
                }
                RecoveryStep::Read(call, looking) => {
                    let reply = self.read_chain(&call.body);
                    looking.answered(reply.as_deref().map(str::as_bytes), self.now())
                }
                RecoveryStep::Take(call, taking) => {
                    taking.answered(self.ledger.take(&call.object, &call.command))
                }
                RecoveryStep::PayOut(call, paying) => {
                    let answer = self.treasury.answer(&call, &mut self.facilitator.chain);
                    paying.answered(answer.as_ref())
                }
                RecoveryStep::Prove(call, paying) => {
                    let reply = self.read_chain(&call.body);
                    paying.saw(reply.as_deref().map(str::as_bytes))
                }
                RecoveryStep::Decide(id, decision) => {
                    drop(self.ledger.decided(&id, &decision, self.now()));
                    return;
                }
                RecoveryStep::Rest => return,
                told @ RecoveryStep::Tell(_) => return self.ledger.tell(&object, told, self.now()),
            };
        }
    }
}
