//! A demo run: one request that buys a task in the demo profile with pretended money, gives it to a
//! seller that is there, and answers with the result and how it came about.
//!
//! The exchange itself is the buyer. No wallet pays: the demo profile pretends its payments, and
//! where it does not, no run is made.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::body::Fields;
use super::event::event;
use super::figures::{About, Figures};
use super::job::new_job;
use super::kernel::{Applied, Decision, Now};
use super::keys::Keys;
use super::message::{Answer, JsonAnswer};
use super::quote::{DEMO_BUYER, Order, Quotes, none_available};
use super::records::{Change, Rows};
use super::refused::{detailed_refusal, invalid, refusal};
use super::row::{EventKind, HoldKind, JobRow, JobState, QuoteRow, QuoteState};
use super::seat::{Wanted, match_seat};
use super::settings::{PaymentProfile, Profile};
use super::standing::START_MS;
use crate::text::{list, object, quoted, time};
use farebox_base::encoding::hex::uuid;
use farebox_base::hash;

/// Characters of a prompt.
const MAX_PROMPT_CHARS: usize = 2_000;
/// Runs of one network address in an hour.
const MAX_RUNS: usize = 3;
const WINDOW_SECS: u64 = 3_600;
/// Milliseconds for which a run waits.
const WAITS_MS: u64 = 30_000;
/// Events of a job that are looked at.
const MAX_SEEN: u32 = 64;

/// Where its pretended transactions are seen: they are on no chain.
const EXPLORER: &str =
    r#"{"escrow":null,"settlement":null,"escrow_registration":null,"release":null}"#;
/// The refund of pretended money.
const COMPENSATION: &str = r#"{"refund_tx_hash":null,"reason":"mock_payment"}"#;

/// Demo runs of a profile.
pub(super) struct Demos<'g> {
    pub quotes: Quotes<'g>,
}

impl Demos<'_> {
    /// Begins a demo run. Checks in the order of the contract: body, network, keys, limit.
    pub fn run<R: Rows>(&self, records: &R, client: &str, body: &str, tick: Now<'_>) -> Applied<R> {
        let order = or_reply!(self.read_order(body));
        let since = tick.now.saturating_sub(WINDOW_SECS.saturating_mul(1000));
        let unpaid = records.unsold(client, since)?;
        let runs = unpaid.iter().filter(|quote| quote.buyer == DEMO_BUYER).count();
        if runs >= MAX_RUNS {
            let details = object(&[
                ("limit", MAX_RUNS.to_string()),
                ("window_seconds", WINDOW_SECS.to_string()),
            ]);
            let why = "Three demo runs an hour; come back later.";
            let answer = detailed_refusal(429, "DEMO_RATE_LIMITED", why, &details);
            return Ok(Decision::reply(answer.with("retry-after", "3600")));
        }
        let wanted = Wanted::new(&order.capability, &order.buyer);
        let Some(seat) = match_seat(records, self.quotes.limits, &wanted, tick)? else {
            return Ok(Decision::reply(none_available(self.quotes.profile, &order.capability)));
        };
        // It ends unpaid, and so it counts among those of its client.
        let quote = QuoteRow {
            until: tick.now,
            state: QuoteState::Lapsed,
            ..self.quotes.make_quote(
                client,
                &order,
                self.quotes.fingerprint(&order),
                &seat.seller,
                tick,
            )
        };
        let waits = tick.now.saturating_add(WAITS_MS);
        let job =
            new_job(&quote, &seat.seller.id, self.quotes.profile.hold, self.quotes.keys, tick);
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
        let about = |kind| event(kind, tick).job(&job.id).seller(&seat.seller.id);
        let made = [
            about(EventKind::Matching).done(),
            about(EventKind::Paid).done(),
            Change::Quote(Box::new(quote)),
            Change::Job(Box::new(job.clone())),
        ];
        let changes = made.into_iter().chain(seat.edits(tick)).collect();
        Ok(Decision { answer: Answer::Wait(job.id), changes })
    }

    fn read_order(&self, body: &str) -> Result<Order, JsonAnswer> {
        let fields = Fields::of(body)?;
        let (capability, prompt) = (fields.text("capability")?, fields.text("prompt")?);
        if prompt.chars().count() > MAX_PROMPT_CHARS {
            return Err(invalid("prompt must have at most 2000 characters."));
        }
        let named = fields.maybe("network_profile")?;
        let is_demo = named.is_none_or(|name| name == Profile::DemoTestnet.name());
        if !is_demo || self.quotes.profile.kind != Profile::DemoTestnet {
            let why = "Demo runs are made in demo-testnet only.";
            return Err(refusal(400, "DEMO_NETWORK_UNSUPPORTED", why));
        }
        if self.quotes.profile.hold != HoldKind::Mock {
            return Err(no_demo());
        }
        Ok(Order { buyer: DEMO_BUYER.to_string(), capability, prompt })
    }
}

/// The answer to a demo run; `None` until its job is over.
pub(super) fn show_demo<F: Figures>(
    figures: &F,
    profile: &PaymentProfile,
    keys: &Keys,
    id: &str,
) -> Result<Option<JsonAnswer>, F::Error> {
    let Some(job) = figures.job(id)?.filter(|job| job.buyer == DEMO_BUYER) else {
        let why = "The demo run was lost; nothing was spent.";
        return Ok(Some(refusal(500, "DEMO_RUN_FAILED", why)));
    };
    let events = figures.events(&About::Job(job.id.clone()), 0, MAX_SEEN)?;
    let at = |kind: EventKind| {
        events.iter().rev().find(|event| event.kind == kind).map(|event| event.at)
    };
    let moment = |at: Option<u64>| at.map_or_else(null, |at| quoted(&time(at)));
    let result = keys.unseal(&job.id, &job.result).unwrap_or_else(null);
    let timeline = timeline(&job, &at);
    let payment = object(&[
        ("settlement_tx_hash", quoted(&job.transaction)),
        ("escrow_registration_tx_hash", null()),
        ("release_tx_hash", null()),
    ]);
    let run = quoted(&run_id(keys, &job.id));
    match job.state {
        JobState::Failed => {
            let details = object(&[
                ("run_id", run),
                ("job_id", quoted(&job.id)),
                ("payment", payment),
                ("compensation", COMPENSATION.to_string()),
                ("timeline", timeline),
            ]);
            let why = "No seller finished the demo run in time; nothing was spent.";
            Ok(Some(detailed_refusal(500, "DEMO_RUN_FAILED", why, &details)))
        }
        JobState::Done => {
            let callbacks = object(&[
                ("start_signed_at", moment(at(EventKind::Running))),
                ("complete_signed_at", moment(at(EventKind::Done))),
            ]);
            let done = object(&[
                ("job_id", quoted(&job.id)),
                ("status", quoted(job.state.status())),
                ("result", result),
            ]);
            let members = [
                ("status", quoted("done")),
                ("payment_mode", quoted("demo-direct-escrow")),
                ("run_id", run),
                ("quote", write_quote(&job, profile)),
                ("payment", payment),
                ("seller_callbacks", callbacks),
                ("job", done),
                ("explorer", EXPLORER.to_string()),
                ("timeline", timeline),
            ];
            Ok(Some(JsonAnswer::new(200, object(&members))))
        }
        JobState::Settling
        | JobState::Paid
        | JobState::Running
        | JobState::Releasing
        | JobState::Refunding => Ok(None),
    }
}

fn write_quote(job: &JobRow, profile: &PaymentProfile) -> String {
    object(&[
        ("payment_id", quoted(&job.quote)),
        ("seller_id", quoted(&job.seller)),
        ("capability", quoted(&job.capability)),
        ("amount", quoted(&job.amount)),
        ("amount_atomic", quoted(&job.units)),
        ("currency", quoted(profile.token.symbol)),
        ("network", quoted(profile.network.as_str())),
        ("network_profile", quoted(profile.name())),
        ("pay_to", quoted(&profile.payee(&job.seller))),
    ])
}

/// A UUID that follows from the job.
fn run_id(keys: &Keys, job: &str) -> String {
    let bytes = keys.make_mac("demo run", &[job.as_bytes()]);
    bytes.first_chunk::<16>().map_or_else(String::new, |bytes| uuid(*bytes, 4))
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
    refusal(500, "DEMO_CONFIG_MISSING", "Demo runs need the demo profile with pretended payments.")
}
