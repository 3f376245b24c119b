//! What the alarm does: rows whose holder is gone, payments to send once more, looks at the chain.
//!
//! Only here does an object call out, at most four calls at once; each is told to the row in a block of its own.

use farebox_core::gate::Gate;
use farebox_core::gate::recover::{Seen, learnt, matter, outcome, sent_again, settled_by_chain};
use farebox_core::ledger::command::{Client, Command, Envelope, Learnt, Outcome, Role, VERSION};
use farebox_core::ledger::entry::{Taken, Work};
use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::ledger::inquiry::{MAX_ROUND_TRIPS, Matter, Next};
use farebox_core::ledger::{Answer, Standing};
use farebox_core::time::UnixTime;
use futures_util::future::join_all;

use super::ledger::Ledger;
use super::outbox::{Notice, notify};
use super::sql::Result;
use crate::worker::{chain, config, edge, facilitator, now};

/// Calls at once.
const AT_ONCE: usize = 4;
/// Most fetches of one alarm, below what the platform allows an invocation; what is left is due at once again.
const MAX_FETCHES: usize = 32;

/// A call that a row needs.
struct Job {
    payer: String,
    key: String,
    call: Call,
}

enum Call {
    /// The same payment once more.
    Resend { fence: u64, facilitator: String, request: String },
    /// A look at the chain.
    Read(Matter),
    /// A notice to the operator.
    Notify(Notice),
}

impl Ledger {
    /// Does what is due.
    pub(super) async fn recover(&self) -> Result<()> {
        // What goes wrong there keeps nobody's payment waiting.
        let chores = self.with_rows(|desk| desk.do_chores());
        let mut fetches = 0;
        while fetches + AT_ONCE * MAX_ROUND_TRIPS <= MAX_FETCHES {
            let jobs = self.next_jobs()?;
            if jobs.is_empty() {
                return chores;
            }
            for done in join_all(jobs.into_iter().map(|job| self.carry(job))).await {
                fetches += done?;
            }
        }
        chores
    }

    /// Finishes what needs nobody else, and takes up to four calls in hand.
    fn next_jobs(&self) -> Result<Vec<Job>> {
        self.with_rows(|desk| {
            let mut jobs = Vec::new();
            let plan = desk.gate.plan().clone();
            for (payer, key, work) in desk.memory.due(&plan, desk.now, 200) {
                let Some(before) = desk.entry(&payer, &key)? else { continue };
                match work {
                    Work::Lapse | Work::Close | Work::Refund | Work::GiveUp => {
                        let entry = before.clone().rest(work, desk.now);
                        desk.write(&payer, &key, &before, &entry, "alarm")?;
                    }
                    Work::Resend if jobs.len() < AT_ONCE => {
                        let (entry, answer) = before.clone().resend_by_alarm(desk.now);
                        desk.write(&payer, &key, &before, &entry, "alarm")?;
                        if let Answer::Resend { fence, facilitator, request, .. } = answer {
                            let call = Call::Resend { fence, facilitator, request };
                            jobs.push(Job { payer, key, call });
                        }
                    }
                    Work::Read if jobs.len() < AT_ONCE => {
                        let seen = Seen { at: before.created, block: before.watch.seen_block };
                        let known = before.transaction();
                        match matter(&payer, &before.payment, seen, known) {
                            Some(matter) => {
                                jobs.push(Job { payer, key, call: Call::Read(matter) });
                            }
                            // A row that cannot be asked about waits for its deadline.
                            None => {
                                let command =
                                    Command::Learn { learnt: Learnt::Nothing, owner: false };
                                let (standing, taken) = (Standing::default(), Taken::No);
                                let (entry, _) =
                                    before.clone().apply(command, standing, taken, desk.now);
                                desk.write(&payer, &key, &before, &entry, "unreadable")?;
                            }
                        }
                    }
                    Work::Resend | Work::Read => {}
                }
            }
            for notice in desk.due_notices(AT_ONCE - jobs.len())? {
                let (payer, key) = (String::new(), String::new());
                jobs.push(Job { payer, key, call: Call::Notify(notice) });
            }
            Ok(jobs)
        })
    }

    /// Makes the call, and says how many fetches that took.
    async fn carry(&self, job: Job) -> Result<usize> {
        let Some(gate) = config::for_objects() else { return Ok(1) };
        let Job { payer, key, call } = job;
        match call {
            Call::Resend { fence, facilitator, request } => {
                let Some(entry) = self.with_rows(|desk| desk.entry(&payer, &key))? else {
                    return Ok(1);
                };
                let seen = Seen { at: entry.created, block: entry.watch.seen_block };
                let (result, calls) = if let Some(sent) = sent_again(&payer, &entry.payment, seen) {
                    let transaction = sent.transaction;
                    let (finding, trips) = look(&gate, Matter::Transfer(Box::new(sent))).await;
                    (settled_by_chain(&finding, transaction), trips)
                } else if let Some((call, expected)) =
                    gate.resend_call(&payer, &entry.payment, &facilitator, request)
                {
                    let said = edge::settled(facilitator::send(&gate, &call)).await;
                    let reply = facilitator::reply(&gate, &call.url, said);
                    facilitator::note(&gate, &call, &reply);
                    let result = match outcome(&reply, &expected) {
                        // What the chain has to confirm is looked up there next.
                        Outcome::Settled(named) if entry.payment.confirm => {
                            Outcome::Unknown(Some(named))
                        }
                        told => told,
                    };
                    (result, 1)
                } else {
                    return Ok(1);
                };
                let client = Client::Answered;
                let command = Command::Outcome { fence, result, client, seen_block: None };
                let envelope =
                    Envelope { v: VERSION, payer, key, command, role: Role::Sole, counting: None };
                self.with_rows(|desk| {
                    desk.now = now();
                    desk.carry_out(envelope, None)
                })?;
                return Ok(calls);
            }
            Call::Read(matter) => {
                let Some(entry) = self.with_rows(|desk| desk.entry(&payer, &key))? else {
                    return Ok(1);
                };
                let (finding, trips) = look(&gate, matter).await;
                let valid_before = UnixTime::from_secs(entry.payment.valid_before);
                let learnt = learnt(&finding, valid_before, now());
                let command = Command::Learn { learnt, owner: false };
                let envelope =
                    Envelope { v: VERSION, payer, key, command, role: Role::Sole, counting: None };
                self.with_rows(|desk| desk.carry_out(envelope, None))?;
                return Ok(trips);
            }
            Call::Notify(notice) => {
                if notify(&gate, &notice).await {
                    self.with_rows(|desk| desk.was_told(&notice))?;
                }
            }
        }
        Ok(1)
    }
}

/// Asks the chain to the end of an inquiry; and the round trips that took.
async fn look(gate: &Gate, matter: Matter) -> (Finding, usize) {
    let network = format!("eip155:{}", matter.chain_id());
    let (mut body, mut asking) = matter.ask();
    let mut trips = 0;
    loop {
        trips += 1;
        let reply = chain::reply(chain::send(gate, &network, &body)).await;
        match asking.answered(reply.as_deref().map(str::as_bytes)) {
            Next::Ask(next, waits) => (body, asking) = (next, waits),
            Next::Found(finding) => return (finding, trips),
        }
    }
}
