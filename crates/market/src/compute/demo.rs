//! A demo run: one request that buys a task in the demo profile with pretended money, gives it to a
//! seller that is there, and answers with the result and how it came about.
//!
//! The exchange itself is the buyer. No wallet pays: the demo profile pretends its payments, and
//! where it does not, no run is made.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::body::Fields;
use super::event::event;
use super::feed::Seen;
use super::figures::{About, Figures};
use super::job::START_MS;
use super::matching::Wanted;
use super::message::{Answer, JsonAnswer};
use super::quote::{DEMO_BUYER, Order};
use super::records::{Change, Rows};
use super::refused::{detailed, invalid, said};
use super::row::{EventKind, HoldKind, JobRow, JobState, QuoteRow, QuoteState};
use super::settings::{Gateway, Profile};
use super::text::{list, object, quoted, time};
use super::{Decision, Now};
use farebox_base::encoding::hex::uuid;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};

/// Characters of a prompt.
const MAX_PROMPT_CHARS: usize = 2_000;
/// Runs of one network address in an hour.
const MAX_RUNS: usize = 3;
const WINDOW_SECS: u64 = 3_600;
/// Milliseconds for which a run waits.
const WAITS_MS: u64 = 30_000;
/// Events of a job that are looked at.
const MAX_SEEN: u32 = 64;

impl Gateway {
    /// Begins a demo run. Checks in the order of the contract: body, network, keys, limit.
    pub(super) fn demo<R: Rows>(
        &self,
        records: &R,
        (client, body): (&str, &str),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let order = match self.demo_order(body) {
            Ok(order) => order,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let since = tick.now.saturating_sub(WINDOW_SECS.saturating_mul(1000));
        let unpaid = records.unsold(client, since)?;
        let runs = unpaid.iter().filter(|quote| quote.buyer == DEMO_BUYER).count();
        if runs >= MAX_RUNS && !planted(Mutant::DemosPileUp) {
            let details = object(&[
                ("limit", MAX_RUNS.to_string()),
                ("window_seconds", WINDOW_SECS.to_string()),
            ]);
            let why = "Three demo runs an hour; come back later.";
            let answer = detailed(429, "DEMO_RATE_LIMITED", why, &details);
            return Ok(Decision::reply(answer.with("retry-after", "3600")));
        }
        let wanted = Wanted::new(&order.capability, &order.buyer);
        let Some(seat) = self.matched(records, &wanted, tick)? else {
            return Ok(Decision::reply(self.none_available(&order.capability)));
        };
        // It ends unpaid, and so it counts among those of its client.
        let quote = QuoteRow {
            until: tick.now,
            state: QuoteState::Lapsed,
            ..self.held(client, &order, self.fingerprint(&order), &seat.seller, tick)
        };
        let waits = tick.now.saturating_add(WAITS_MS);
        let job = self.new_job(&quote, &seat.seller.id, tick);
        let job = JobRow {
            transaction: alloc::format!(
                "0x{}",
                hash::digest(&[b"farebox demo", job.id.as_bytes()])
            ),
            state: JobState::Paid,
            due: Some(waits.min(tick.now.saturating_add(START_MS))),
            waits: Some(waits),
            ..job
        };
        let told = |kind| event(kind, tick).job(&job.id).seller(&seat.seller.id);
        let made = [
            told(EventKind::Matching).done(),
            told(EventKind::Paid).done(),
            Change::Quote(Box::new(quote)),
            Change::Job(Box::new(job.clone())),
        ];
        let changes = made.into_iter().chain(seat.edits(tick)).collect();
        Ok(Decision { answer: Answer::Wait(job.id), changes })
    }

    fn demo_order(&self, body: &str) -> Result<Order, JsonAnswer> {
        let fields = Fields::of(body)?;
        let (capability, prompt) = (fields.text("capability")?, fields.text("prompt")?);
        if prompt.chars().count() > MAX_PROMPT_CHARS {
            return Err(invalid("prompt must have at most 2000 characters."));
        }
        let named = fields.maybe("network_profile")?;
        let is_demo = named.is_none_or(|name| name == Profile::DemoTestnet.name());
        if !is_demo || self.profile() != Profile::DemoTestnet {
            let why = "Demo runs are made in demo-testnet only.";
            return Err(said(400, "DEMO_NETWORK_UNSUPPORTED", why));
        }
        if self.set.hold != HoldKind::Mock {
            return Err(no_demo());
        }
        Ok(Order { buyer: DEMO_BUYER.to_string(), capability, prompt })
    }

    /// The answer to a demo run, once its job is over.
    pub(super) fn demo_seen<F: Figures>(&self, figures: &F, id: &str) -> Result<Seen, F::Error> {
        let Some(job) = figures.job(id)?.filter(|job| job.buyer == DEMO_BUYER) else {
            let why = "The demo run was lost; nothing was spent.";
            return Ok(Seen::Reply(said(500, "DEMO_RUN_FAILED", why)));
        };
        let events = figures.events(&About::Job(job.id.clone()), 0, MAX_SEEN)?;
        let at = |kind: EventKind| {
            events.iter().rev().find(|event| event.kind == kind).map(|event| event.at)
        };
        let moment = |at: Option<u64>| at.map_or_else(null, |at| quoted(&time(at)));
        let result = self.unseal(&job.id, &job.result).unwrap_or_else(null);
        let timeline = timeline(&job, &at);
        let payment = object(&[
            ("settlement_tx_hash", quoted(&job.transaction)),
            ("escrow_registration_tx_hash", null()),
            ("release_tx_hash", null()),
        ]);
        let run = quoted(&self.run_id(&job.id));
        match job.state {
            JobState::Failed => {
                let compensation =
                    object(&[("refund_tx_hash", null()), ("reason", quoted("mock_payment"))]);
                let details = object(&[
                    ("run_id", run),
                    ("job_id", quoted(&job.id)),
                    ("payment", payment),
                    ("compensation", compensation),
                    ("timeline", timeline),
                ]);
                let why = "No seller finished the demo run in time; nothing was spent.";
                Ok(Seen::Reply(detailed(500, "DEMO_RUN_FAILED", why, &details)))
            }
            JobState::Done => {
                let quote = object(&[
                    ("payment_id", quoted(&job.quote)),
                    ("seller_id", quoted(&job.seller)),
                    ("capability", quoted(&job.capability)),
                    ("amount", quoted(&job.amount)),
                    ("amount_atomic", quoted(&job.units)),
                    ("currency", quoted(self.token.symbol)),
                    ("network", quoted(self.set.network.as_str())),
                    ("network_profile", quoted(self.profile().name())),
                    ("pay_to", quoted(&self.payee(&job.seller))),
                ]);
                let callbacks = object(&[
                    ("start_signed_at", moment(at(EventKind::Running))),
                    ("complete_signed_at", moment(at(EventKind::Done))),
                ]);
                let told = object(&[
                    ("job_id", quoted(&job.id)),
                    ("status", quoted(job.state.status())),
                    ("result", result),
                ]);
                // Pretended transactions are on no chain.
                let explorer = object(&[
                    ("escrow", null()),
                    ("settlement", null()),
                    ("escrow_registration", null()),
                    ("release", null()),
                ]);
                let members = [
                    ("status", quoted("done")),
                    ("payment_mode", quoted("demo-direct-escrow")),
                    ("run_id", run),
                    ("quote", quote),
                    ("payment", payment),
                    ("seller_callbacks", callbacks),
                    ("job", told),
                    ("explorer", explorer),
                    ("timeline", timeline),
                ];
                Ok(Seen::Reply(JsonAnswer::new(200, object(&members))))
            }
            JobState::Settling
            | JobState::Paid
            | JobState::Running
            | JobState::Releasing
            | JobState::Refunding => Ok(Seen::Wait),
        }
    }

    /// A UUID that follows from the job.
    fn run_id(&self, job: &str) -> String {
        let bytes = self.keyed("demo run", &[job.as_bytes()]);
        bytes.first_chunk::<16>().map_or_else(String::new, |bytes| uuid(*bytes, 4))
    }
}

/// The six steps, and when each was done.
fn timeline(job: &JobRow, at: &impl Fn(EventKind) -> Option<u64>) -> String {
    let steps = [
        ("preflight", Some(job.created)),
        ("seller", at(EventKind::Matching)),
        ("payment", at(EventKind::Paid)),
        ("register", at(EventKind::Running)),
        ("complete", at(EventKind::Done)),
        ("release", at(EventKind::ReleaseSkipped)),
    ];
    list(steps.map(|(step, at)| {
        let status = match (at, job.state.is_over()) {
            (Some(_), _) => "done",
            (None, true) => "failed",
            (None, false) => "pending",
        };
        let at = at.map_or_else(null, |at| quoted(&time(at)));
        object(&[("step", quoted(step)), ("status", quoted(status)), ("at", at)])
    }))
}

fn null() -> String {
    "null".to_string()
}

/// For a demo profile that does not pretend its payments.
fn no_demo() -> JsonAnswer {
    said(500, "DEMO_CONFIG_MISSING", "Demo runs need the demo profile with pretended payments.")
}
