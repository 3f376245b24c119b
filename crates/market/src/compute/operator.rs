//! The operator's reads of a profile: its sums, its sellers, jobs and held money a page at a time,
//! and what waits for a person. No prompt, result or token is in it. Spec: docs/exchange.md, "The
//! operator's side".

mod part;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::part::{find_last, is_full, read_part, write_page};
use super::board::{BoardSeller, find_explorer, make_board, show_seller};
use super::event::Line;
use super::figures::{About, Figures, ListPart, ListPlace, MoneyOf};
use super::job::no_job;
use super::kernel::Now;
use super::message::JsonAnswer;
use super::refused::bad_parameter;
use super::row::{DeliveryCharge, HoldRow, JobRow, JobState, SellerRow, spell_wallet};
use super::settings::PaymentProfile;
use super::stuck::StuckMoney;
use crate::text::{Members, list, or_null, quoted, time};
use farebox_base::amount::Amount;

/// Names of the progress of money that is not over.
const OPEN: [&str; 4] = ["held", "paying", "sent", "untold"];
/// The name of money that has arrived.
const OVER: &str = "ended";
/// Money of jobs that is looked through for the sums, and as much of none: about as much as there are jobs
/// at once.
const MAX_OPEN_HOLDS: u32 = 1_000;
/// Events of a job that are shown.
const MAX_STEPS: u32 = 64;

/// A read of the operator. Text is a query as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatorView {
    /// `GET operator/overview`.
    Overview,
    /// `GET operator/sellers`.
    Sellers(String),
    /// `GET operator/jobs`.
    Jobs(String),
    /// `GET operator/jobs/:id`.
    Job(String),
    /// `GET operator/holds`.
    Holds(String),
}

/// The lists of a profile.
pub(super) struct OperatorLists<'g> {
    pub profile: &'g PaymentProfile,
}

impl OperatorLists<'_> {
    /// Reads.
    pub fn show<F: Figures>(
        &self,
        figures: &F,
        view: OperatorView,
        tick: Now<'_>,
    ) -> Result<JsonAnswer, F::Error> {
        match view {
            OperatorView::Overview => self.overview(figures, tick),
            OperatorView::Sellers(query) => self.sellers(figures, &query, tick),
            OperatorView::Jobs(query) => self.jobs(figures, &query),
            OperatorView::Job(id) => self.job(figures, &id),
            OperatorView::Holds(query) => self.holds(figures, &query),
        }
    }

    fn overview<F: Figures>(&self, figures: &F, tick: Now<'_>) -> Result<JsonAnswer, F::Error> {
        let board = make_board(figures, self.profile, tick)?;
        let (mut open, mut is_complete) = (Vec::new(), true);
        // Who pays for nothing, again and again, hides no money of a job, which is shown first.
        for money in [MoneyOf::Orphans, MoneyOf::Jobs] {
            let part = ListPart {
                limit: MAX_OPEN_HOLDS,
                states: OPEN.map(ToString::to_string).to_vec(),
                money,
                ..ListPart::default()
            };
            let found = figures.hold_part(&part)?;
            is_complete &= !is_full(found.len(), &part);
            open.extend(found.into_iter().map(|(_, hold)| hold));
        }
        let sums = OPEN.map(|name| {
            let same = || open.iter().filter(|hold| hold.progress() == name);
            let units = same().fold(Amount::ZERO, |sum, hold| {
                let more = Amount::from_atomic(&hold.units).unwrap_or(Amount::ZERO);
                sum.checked_add(more).unwrap_or(Amount::MAX)
            });
            let sum = Members::new().text("state", name).number("count", count(same().count()));
            self.put_amount(sum, &units.to_string()).done()
        });
        let waiting = open.iter().rev().filter(|hold| hold.stuck().is_some());
        let hours = board.hours.iter().map(|hour| {
            let row = Members::new().number("created_jobs", hour.created);
            let row = row.number("settled_jobs", hour.settled);
            put_time(self.put_amount(row, &hour.units), "hour", Some(hour.hour)).done()
        });
        let sellers = Members::new()
            .number("idle", board.crew.idle)
            .number("reserved", board.crew.reserved)
            .number("busy", board.crew.busy)
            .number("offline", board.crew.offline);
        let jobs = Members::new()
            .number("open", board.tally.open)
            .number("done", board.tally.done)
            .number("failed", board.tally.failed);
        let body = self
            .profile_members()
            .raw("sellers", &sellers.done())
            .raw("jobs", &jobs.done())
            .raw("money", &list(sums))
            .raw("complete", if is_complete { "true" } else { "false" })
            .raw("waiting", &list(waiting.map(|hold| write_hold(self.profile, hold))))
            .raw("hours", &list(hours));
        Ok(JsonAnswer::new(200, body.done()))
    }

    fn sellers<F: Figures>(
        &self,
        figures: &F,
        query: &str,
        tick: Now<'_>,
    ) -> Result<JsonAnswer, F::Error> {
        let (query, part) = match read_part(query, &["seller"], &[]) {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let rows = match query.get("seller") {
            Some(id) => figures.seller(&spell_wallet(&id))?.into_iter().collect(),
            None => figures.seller_part(&part)?,
        };
        let last = rows.last().filter(|_| is_full(rows.len(), &part));
        let last = last.map(|row| ListPlace { at: row.heard(), id: row.id.clone() });
        let mut items = Vec::new();
        for row in rows {
            let seats = figures.seats(&row.id, tick.now)?;
            let record = figures.record(&row.id)?.unwrap_or_default();
            let shown = show_seller(row.clone(), record, &|_: &str| seats, tick.now);
            items.push(self.write_seller(&row, &shown));
        }
        Ok(write_page(items, last))
    }

    fn jobs<F: Figures>(&self, figures: &F, query: &str) -> Result<JsonAnswer, F::Error> {
        let states = JobState::ALL.map(JobState::name);
        let (query, part) = match read_part(query, &["state", "seller", "find"], &states) {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let rows = match query.get("find") {
            Some(text) => find_job(figures, &text)?.into_iter().map(|job| (0, job)).collect(),
            None => figures.job_part(&part)?,
        };
        let items = rows.iter().map(|(_, job)| self.job_members(job).done()).collect();
        Ok(write_page(items, find_last(&rows, &part)))
    }

    fn job<F: Figures>(&self, figures: &F, id: &str) -> Result<JsonAnswer, F::Error> {
        let Some(job) = figures.job(id)? else { return Ok(no_job()) };
        let hold = figures.hold(&job.payment)?;
        let hold = hold.map_or_else(|| "null".to_string(), |hold| write_hold(self.profile, &hold));
        let events = figures.events(&About::Job(job.id.clone()), 0, MAX_STEPS)?;
        let events = events.iter().map(|event| Line::of(self.profile.name(), event).dashboard());
        let body = self.job_members(&job).raw("hold", &hold).raw("events", &list(events));
        Ok(JsonAnswer::new(200, body.done()))
    }

    fn holds<F: Figures>(&self, figures: &F, query: &str) -> Result<JsonAnswer, F::Error> {
        let states: Vec<&str> = OPEN.into_iter().chain([OVER]).collect();
        let (query, part) = match read_part(query, &["state", "leave", "payment"], &states) {
            Ok(read) => read,
            Err(answer) => return Ok(answer),
        };
        let named = query.get("payment");
        if named.is_some() && (part.leave.is_some() || !part.states.is_empty()) {
            let error = "payment names one hold: leave out state and leave";
            return Ok(bad_parameter("payment", error));
        }
        let rows = match named {
            Some(id) => figures.hold(&id)?.into_iter().map(|hold| (0, hold)).collect(),
            None => figures.hold_part(&part)?,
        };
        let items = rows.iter().map(|(_, hold)| write_hold(self.profile, hold)).collect();
        Ok(write_page(items, find_last(&rows, &part)))
    }

    /// The profile, by what a page needs to show its money.
    pub fn profile_members(&self) -> Members {
        Members::new()
            .text("network_profile", self.profile.name())
            .text("network", self.profile.network.as_str())
            .text("asset", &self.profile.token.address.to_checksum())
            .text("symbol", self.profile.token.symbol)
            .number("decimals", self.profile.token.decimals.into())
            .text("payment_mode", self.profile.hold.mode())
            .raw("explorer", &or_null(find_explorer(self.profile)))
    }

    fn put_amount(&self, members: Members, units: &str) -> Members {
        put_amount(self.profile, members, units)
    }

    fn write_seller(&self, row: &SellerRow, shown: &BoardSeller) -> String {
        let members = Members::new()
            .text("seller_id", &row.id)
            .text("agent", &row.agent)
            .text("capability", &row.capability)
            .text("status", &shown.status)
            .number("capacity", row.capacity.into())
            .number("free_seats", shown.free.into())
            .number("lapses", row.lapses.into())
            .number("done", shown.record.done)
            .number("failed", shown.record.failed);
        let earned = self.put_amount(Members::new(), &shown.record.units).done();
        let members = self.put_amount(members.raw("earned", &earned), &row.units);
        let members = put_time(members, "heard", Some(row.heard()));
        put_time(members, "rests_until", Some(row.rests_until).filter(|at| *at > 0)).done()
    }

    fn job_members(&self, job: &JobRow) -> Members {
        let charge = match job.charge {
            DeliveryCharge::None => "",
            DeliveryCharge::Due => "due",
            DeliveryCharge::Made => "made",
        };
        let members = Members::new()
            .text("job_id", &job.id)
            .text("state", job.state.name())
            .text("payment_mode", job.mode())
            .text("capability", &job.capability)
            .text("buyer_id", &job.buyer)
            .text("seller_id", &job.seller)
            .number("attempts", job.attempts.into())
            .raw("tried", &list(job.tried.iter().map(|id| quoted(id))))
            .text("payment_id", &job.quote)
            .raw("payment", &or_null(&job.payment))
            .raw("transaction", &or_null(&job.transaction))
            .raw("registration", &or_null(&job.registration))
            .raw("charge", &or_null(charge));
        let members = self.put_amount(members, &job.units);
        put_time(put_time(members, "created", Some(job.created)), "due", job.due)
    }
}

impl SellerRow {
    /// When it was heard of last.
    fn heard(&self) -> u64 {
        self.heartbeat.unwrap_or(self.created)
    }
}

/// Held money, as lists show it.
pub(super) fn write_hold(profile: &PaymentProfile, hold: &HoldRow) -> String {
    let waits = match hold.stuck() {
        None => "",
        Some(StuckMoney::Registration) => "registration",
        Some(StuckMoney::Payout) => "payout",
        Some(StuckMoney::Claim) => "claim",
        Some(StuckMoney::PaidBack) => "paid_back",
        Some(StuckMoney::Turn) => "turn",
        Some(StuckMoney::Report) => "report",
    };
    let contract = hold.entry.as_ref().map_or("", |entry| entry.contract.as_str());
    let members = Members::new()
        .text("payment", &hold.payment)
        .text("state", hold.progress())
        .raw("leave", &or_null(name_leave(hold)))
        .raw("waits", &or_null(waits))
        .raw("skipped", if hold.is_skipped() { "true" } else { "false" })
        .raw("job_id", &or_null(&hold.job))
        .text("payer", &hold.payer)
        .raw("payee", &or_null(&hold.payee))
        .number("tries", hold.tries.into())
        .number("looks", hold.looks.into())
        .raw("payout", &or_null(&hold.payout))
        .raw("settlement", &or_null(&hold.settlement))
        .raw("transaction", &or_null(&hold.transaction))
        .raw("contract", &or_null(contract));
    put_time(put_amount(profile, members, &hold.units), "due", hold.due).done()
}

/// Where held money goes; empty while that is not decided.
const fn name_leave(hold: &HoldRow) -> &'static str {
    match hold.state.leave() {
        None => "",
        Some(leave) => leave.name(),
    }
}

/// Adds atomic units, and what people read of them.
fn put_amount(profile: &PaymentProfile, members: Members, units: &str) -> Members {
    let amount = Amount::from_atomic(units).unwrap_or(Amount::ZERO);
    members
        .text("amount", &amount.to_string())
        .text("amount_decimal", &amount.to_decimal(profile.token.decimals))
        .text("symbol", profile.token.symbol)
}

/// Adds a time as a date, and as unix seconds with `_at`; null for none.
fn put_time(members: Members, name: &str, ms: Option<u64>) -> Members {
    let null = || "null".to_string();
    let secs = ms.map_or_else(null, |ms| (ms / 1_000).to_string());
    let date = ms.map_or_else(null, |ms| quoted(&time(ms)));
    members.raw(&[name, "_at"].concat(), &secs).raw(name, &date)
}

/// The job that a text names: by its own id, by its quote, or by the gate's payment.
fn find_job<F: Figures>(figures: &F, text: &str) -> Result<Option<JobRow>, F::Error> {
    if let Some(job) = figures.job(text)? {
        return Ok(Some(job));
    }
    if let Some(job) = figures.job_of(text)? {
        return Ok(Some(job));
    }
    match figures.hold(text)? {
        Some(hold) => figures.job(&hold.job),
        None => Ok(None),
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}
