//! The ledger object's alarm: rows whose holder is gone, payments to send once more, looks at the chain.

use farebox_core::gate::recover::{Seen, learnt, matter, outcome, sent_again, settled_by_chain};
use farebox_core::ledger::command::{Client, Learnt, Outcome};
use farebox_core::ledger::entry::Work;
use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::ledger::inquiry::{Matter, Next};
use farebox_core::ledger::{Answer, Command};
use farebox_core::time::UnixTime;

use super::chain::transaction_of;
use super::defect::Defect;
use super::{World, nonce_in};

/// A call that a row needs, up to four at once.
pub enum Job {
    /// The same payment once more.
    Resend { key: String, fence: u64, facilitator: String, request: String },
    /// A look at the chain.
    Read { key: String, matter: Matter },
}

/// Calls at once.
const AT_ONCE: usize = 4;
/// Rounds of one alarm.
const ROUNDS: usize = 8;

impl World {
    /// The alarm fires now: it does what is due. Its rounds, at most as many as an alarm has.
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

    /// When the alarm is set for.
    pub fn wake_at(&self) -> Option<UnixTime> {
        let lost = self.ledger.defect == Defect::AlarmNeverReArms && self.ledger.alarms > 0;
        self.ledger.due_at(self.now()).filter(|_| !lost)
    }

    /// Time passes, and every alarm fires when it should.
    pub fn pass(&mut self, secs: u64) {
        let end = self.now_ms + secs * 1000;
        while let Some(at) = self.wake_at().filter(|at| at.secs() * 1000 <= end) {
            self.set_ms(self.now_ms.max(at.secs() * 1000));
            self.alarm();
        }
        self.set_ms(self.now_ms.max(end));
    }

    /// Finishes what needs nobody else, and takes calls in hand.
    pub fn next_jobs(&mut self) -> Vec<Job> {
        let now = self.now();
        let mut jobs = Vec::new();
        self.ledger.alarms += 1;
        for (key, work) in self.ledger.due(now) {
            let before = self.ledger.entry(&key).unwrap();
            match work {
                Work::Lapse | Work::Close | Work::Refund | Work::GiveUp => {
                    self.ledger.write(&key, before.rest(work, now));
                }
                Work::Resend if jobs.len() < AT_ONCE => {
                    let (entry, answer) = before.resend_by_alarm(now);
                    self.ledger.write(&key, entry);
                    if let Answer::Resend { fence, facilitator, request, .. } = answer {
                        jobs.push(Job::Resend { key, fence, facilitator, request });
                    }
                }
                Work::Read if jobs.len() < AT_ONCE => {
                    let seen = Seen { at: before.created, block: before.watch.seen_block };
                    let payer = self.ledger.payer(&key);
                    match matter(&payer, &before.payment, seen, before.transaction()) {
                        Some(matter) => jobs.push(Job::Read { key, matter }),
                        None => {
                            let command = Command::Learn { learnt: Learnt::Nothing, owner: false };
                            self.ledger.carry_out(&key, command, now);
                        }
                    }
                }
                Work::Resend | Work::Read => {}
            }
        }
        jobs
    }

    /// Makes one call and tells the row.
    pub fn carry(&mut self, job: Job) {
        match job {
            Job::Resend { key, fence, facilitator, request } => {
                let entry = self.ledger.entry(&key).unwrap();
                let payer = self.ledger.payer(&key);
                let seen = Seen { at: entry.created, block: entry.watch.seen_block };
                if let Some(sent) = sent_again(&payer, &entry.payment, seen) {
                    let transaction = sent.transaction;
                    let finding = self.look(Matter::Transfer(Box::new(sent)));
                    let result = settled_by_chain(&finding, transaction);
                    let client = Client::Answered;
                    let command = Command::Outcome { fence, result, client, seen_block: None };
                    self.ledger.carry_out(&key, command, self.now());
                    return;
                }
                let Some((call, expected)) =
                    self.gate.resend_call(&payer, &entry.payment, &facilitator, request)
                else {
                    return;
                };
                let now = self.now().secs();
                let (reply, took) = self.facilitator.call(&call.url, &call.body, now);
                self.set_ms(self.now_ms + u64::from(took));
                let result = match outcome(&reply, &expected) {
                    Outcome::Settled(named) if entry.payment.confirm => {
                        Outcome::Unknown(Some(named))
                    }
                    told => told,
                };
                let client = Client::Answered;
                let command = Command::Outcome { fence, result, client, seen_block: None };
                self.ledger.carry_out(&key, command, self.now());
            }
            Job::Read { key, matter } => {
                let finding = self.look(matter);
                let entry = self.ledger.entry(&key).unwrap();
                let valid_before = UnixTime::from_secs(entry.payment.valid_before);
                let mut learnt = learnt(&finding, valid_before, self.now());
                let used =
                    matches!(finding, Finding::Cancelled { .. } | Finding::UsedElsewhere { .. });
                if used && self.ledger.defect == Defect::UsedIsPaid {
                    learnt = Learnt::Captured(transaction_of(&nonce_in(&entry.payment.request)));
                }
                self.ledger.carry_out(&key, Command::Learn { learnt, owner: false }, self.now());
            }
        }
    }

    /// Asks the chain to the end of an inquiry.
    fn look(&mut self, matter: Matter) -> Finding {
        let (mut body, mut asking) = matter.ask();
        loop {
            let reply = self.read_chain(&body);
            match asking.answered(reply.as_deref().map(str::as_bytes)) {
                Next::Ask(next, waits) => (body, asking) = (next, waits),
                Next::Found(finding) => return finding,
            }
        }
    }
}
