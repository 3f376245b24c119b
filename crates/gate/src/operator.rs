//! The operator's paths under `/_farebox`: authorization, questions to the ledger objects, answers.
//!
//! [`OperatorRequests`] answer at once, or give an [`OperatorQuery`] that names objects to ask, at
//! most four at once, until it has the answer, an [`Export`] that goes through them one page
//! after the other, or a [`CopyQuery`] about their rows. Only a bearer token authorizes; without a
//! configured one the paths are not found. Spec: docs/operations.md, "Operator API".

mod copy;
mod export;
mod metrics;
mod notice;
mod path;
mod query;
pub(super) mod refund;
pub(super) mod settings;
mod visit;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

pub use self::copy::{CopiedTables, CopyCall, CopyQuery, CopyStep, MAX_PAGE_BYTES};
use self::copy::{Copies, CopyPlan};
pub use self::export::{ChannelPage, Export, Piece};
pub use self::metrics::label;
pub use self::notice::PostedNotice;
pub use self::path::MAX_BODY_BYTES;
use self::path::{OperatorPath, What, decision};
use self::query::{Query, Wrong};
use self::refund::Reporter;
pub use self::settings::{Keeps, NoticeForm, Webhook};
pub use self::visit::{METERS, OperatorQuery, QueryStep};
use super::diagnose::{Circumstances, Failures, Thresholds};
use super::keys::Keys;
use super::parts::{Chains, Operated, PricedRoutes, Shards};
use super::reply::{Audience, Body, Reply};
use super::restore::Restore;
use super::session::mpp::payout::is_payee_row;
use farebox_base::encoding::json;
use farebox_base::hash::digest;
use farebox_base::http::RequestHead;
use farebox_base::secret::{Secret, ct_eq};
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_common::payment::TxHash;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureStreak;
use farebox_ledger::entry::RefundPlan;
use farebox_ledger::report::{ALWAYS, Decision, Filter, ObjectRequest};
use farebox_wire::x402::extension::diagnostic::DiagnosticCode;

/// Prefix of the operator's paths.
const PREFIX: &str = "/_farebox/";
/// Most rows of one page of `payments`.
const MAX_LIMIT: u64 = 200;

/// The next step for a request.
#[derive(Debug)]
pub enum OperatorStep {
    /// Answer this.
    Answer(Reply),
    /// Read the body, at most [`MAX_BODY_BYTES`], and call again with it.
    Body,
    /// Ask objects until there is an answer.
    OperatorQuery(Box<OperatorQuery>),
    /// Write rows as they come.
    Export(Export),
    /// Ask the list of channels.
    Channels(ChannelPage),
    /// Read or put back rows of a copy.
    Copy(Box<CopyQuery>),
}

/// A request for one of the operator's paths.
#[derive(Clone, Copy)]
struct OperatorRequest<'a> {
    head: &'a RequestHead,
    query: &'a str,
    /// Its body, once it was read.
    body: Option<&'a str>,
    /// The id that leads to its lines in the log.
    correlation: &'a str,
}

/// The code that a client with these failures at this route would get, for the operator.
pub(super) fn failing_code(
    routes: &PricedRoutes,
    route: &str,
    counts: &FailureStreak,
) -> &'static str {
    let offer = routes.sold().find(|offer| offer.settings.route == route);
    let limits = offer.and_then(|offer| offer.settings.diagnostics).unwrap_or(Thresholds::DEFAULT);
    let failures = Failures::Own(counts);
    let (consecutive_failures, correlation) = (0, "");
    let finding =
        Circumstances { failure: &counts.latest, failures, consecutive_failures, correlation };
    limits.judge(finding).map_or(DiagnosticCode::PaymentRequired, |(code, _)| code).name()
}

/// Requests for the operator's paths.
#[derive(Clone, Copy)]
pub struct OperatorRequests<'g> {
    pub(super) operated: &'g Operated,
    pub(super) chains: &'g Chains,
    pub(super) shards: &'g Shards,
    pub(super) routes: &'g PricedRoutes,
    pub(super) keys: &'g Keys,
    pub(super) restore: Restore,
}

impl OperatorRequests<'_> {
    /// Leads a request for one of the operator's paths on; `None` for other paths. `body` is its
    /// body, once it was read.
    #[must_use]
    pub fn begin(
        &self,
        head: &RequestHead,
        body: Option<&str>,
        correlation: &str,
        now: UnixTime,
    ) -> Option<OperatorStep> {
        let target = head.target();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let place = OperatorPath::of(path.strip_prefix(PREFIX)?)?;
        let Operated { token, refunder, .. } = self.operated;
        // Without a configured token these paths do not exist.
        if token.is_none() && refunder.is_none() {
            return None;
        }
        let shows = |token: &Option<Secret<String>>| {
            token.as_ref().is_some_and(|token| is_authorized(head, token.expose()))
        };
        let refunds = matches!(
            place,
            OperatorPath::Decision(_, What::Refunding | What::NotRefunded | What::Refunded)
        );
        let request = OperatorRequest { head, query, body, correlation };
        let asked = if shows(token) {
            self.plan_request(place, request, Reporter::Operator, now)
        } else if refunds && shows(refunder) {
            self.plan_request(place, request, Reporter::Payee, now)
        } else {
            Err(Code::Unauthorized.into())
        };
        Some(match asked {
            Ok(Plan::Body) => OperatorStep::Body,
            Ok(Plan::OperatorQuery(task)) => {
                let objects = match task.payment() {
                    Some(id) => self.shards.of_receipt(id).collect(),
                    None => self.shards.objects().collect(),
                };
                let query = OperatorQuery::new(task, objects, correlation.to_owned());
                OperatorStep::OperatorQuery(Box::new(query))
            }
            Ok(Plan::Channels(after, limit)) => {
                OperatorStep::Channels(ChannelPage::new(after, limit, correlation.to_owned()))
            }
            Ok(Plan::Copy(plan)) => match plan {
                CopyPlan::Told(reply) => OperatorStep::Answer(reply),
                CopyPlan::Query(query) => OperatorStep::Copy(query),
            },
            Ok(Plan::Export(format, rows)) => {
                OperatorStep::Export(Export::new(format, rows, self.shards.objects()))
            }
            Err(Wrong { code, name }) => {
                let reply = naming(refusal(code, correlation, None), &name);
                OperatorStep::Answer(match code {
                    Code::Unauthorized => {
                        reply.with("www-authenticate", "Bearer realm=\"farebox operator\"")
                    }
                    Code::MethodNotAllowed => reply.with("allow", place.method()),
                    _ => reply,
                })
            }
        })
    }

    fn copies<'a>(&'a self, correlation: &'a str) -> Copies<'a> {
        let Self { shards, routes, keys, restore, .. } = self;
        Copies { shards, routes, keys, restore: *restore, correlation }
    }

    // Apart from the question whether it is the operator who asks, which every request is asked: an
    // engine compiles a function whole, when it is first called.
    #[inline(never)]
    fn plan_request(
        &self,
        place: OperatorPath<'_>,
        request: OperatorRequest<'_>,
        reporter: Reporter,
        now: UnixTime,
    ) -> Result<Plan, Wrong> {
        if request.head.method != place.method() {
            return Err(Code::MethodNotAllowed.into());
        }
        let query = Query::parse(request.query, place.parameters())?;
        Ok(match place {
            OperatorPath::Payments => {
                let limit = query.number("limit", 50, 1..=MAX_LIMIT)?;
                let (filter, cursor) = (query.filter()?, query.cursor()?);
                Plan::OperatorQuery(visit::Task::List { filter, limit, cursor })
            }
            OperatorPath::Channels => {
                let limit = query.number("limit", 50, 1..=MAX_LIMIT)?;
                Plan::Channels(channel_cursor(&query)?, limit)
            }
            OperatorPath::Payment(id) => {
                Plan::OperatorQuery(visit::Task::Find { id: checked_id(id)? })
            }
            OperatorPath::Totals => {
                let day = query.day(now)?;
                let filter = Filter {
                    from: Some(day),
                    to: Some(day.saturating_add(86_400)),
                    ..Filter::default()
                };
                Plan::OperatorQuery(visit::Task::Totals { day, filter })
            }
            OperatorPath::Audit => Plan::OperatorQuery(visit::Task::Audit),
            OperatorPath::Metrics => {
                Plan::OperatorQuery(visit::Task::Metrics { limit: self.operated.keeps.bytes, now })
            }
            OperatorPath::Failures => {
                let limit = query.number("limit", 50, 1..=MAX_LIMIT)?;
                let text = |name: &str| query.get(name).map(ToOwned::to_owned);
                let wanted = visit::FailureFilter { code: text("code"), route: text("route") };
                Plan::OperatorQuery(visit::Task::Failures { limit, wanted })
            }
            OperatorPath::Export => plan_export(&query)?,
            OperatorPath::Backup => Plan::Copy(self.copies(request.correlation).read(&query, now)?),
            OperatorPath::Restore => Plan::Copy(self.copies(request.correlation).put_back(&query)?),
            OperatorPath::Decision(id, what) => {
                let id = checked_id(id)?;
                let Some(body) = request.body else { return Ok(Plan::Body) };
                let decision =
                    decision(what, body, self.restore.at.map_or(ALWAYS, UnixTime::secs))?;
                if reporter == Reporter::Payee && !names_program(&decision) {
                    return Err(Wrong::named("key"));
                }
                let prove = match &decision {
                    Decision::Refunded(text) if !self.chains.rpc.is_empty() => TxHash::parse(text),
                    _ => None,
                };
                let is_told = matches!(&decision, Decision::Refunded(_)) && prove.is_none();
                if is_told && reporter == Reporter::Payee {
                    // No node could show a transaction of this name.
                    return Err(Code::ChainUnavailable.into());
                }
                let readable = self.chains.rpc.iter().map(|(network, _)| network.clone()).collect();
                let task = visit::Task::Decide { id, decision, prove, readable, reporter };
                Plan::OperatorQuery(task)
            }
        })
    }
}

/// Whether the begin of a refund that is decided about is one program's own: a begin without a key is
/// a person's, who may have sent it, and one key is the treasury's.
fn names_program(decision: &Decision) -> bool {
    match decision {
        Decision::Refunding { key, .. } | Decision::NotRefunded { key, .. } => {
            key.as_ref().is_some_and(|key| !RefundPlan::is_key(key))
        }
        Decision::Refunded(_) | Decision::Waived(_) | Decision::Resolved { .. } => true,
    }
}

/// The id of a channel after which a list goes on; empty for its beginning.
fn channel_cursor(query: &Query) -> Result<String, Wrong> {
    match query.get("cursor") {
        None | Some("") => Ok(String::new()),
        Some(text) => match ChannelId::parse(text) {
            Some(id) => Ok(id.to_string()),
            // Accounts stand after the channels, under names of their own.
            None if is_payee_row(text) => Ok(text.to_string()),
            None => Err(Wrong::named("cursor")),
        },
    }
}

fn plan_export(query: &Query) -> Result<Plan, Wrong> {
    let format = match query.get("format") {
        Some("csv") => export::Format::Csv,
        Some("jsonl") => export::Format::Lines,
        _ => return Err(Wrong::named("format")),
    };
    let filter = query.filter()?;
    let rows = match query.get("of") {
        None | Some("payments") => export::ExportedRows::Payments(filter),
        Some("channels") if filter == Filter::default() => {
            export::ExportedRows::Channels(String::new())
        }
        Some("channels") => return Err(Wrong::named("from")),
        Some(_) => return Err(Wrong::named("of")),
    };
    Ok(Plan::Export(format, rows))
}

/// The task of an authorized request.
enum Plan {
    Body,
    OperatorQuery(visit::Task),
    Export(export::Format, export::ExportedRows),
    /// The channels after this id, and how many.
    Channels(String, u64),
    Copy(CopyPlan),
}

/// Whether the request shows the token; digests are compared, so that the time reveals nothing
/// about it.
fn is_authorized(head: &RequestHead, token: &str) -> bool {
    let shown = head.headers.get("authorization").and_then(|value| value.split_once(' '));
    let Some((scheme, shown)) = shown else { return false };
    let shown = digest(&[shown.trim_start().as_bytes()]);
    scheme.eq_ignore_ascii_case("bearer") && ct_eq(shown.as_bytes(), token.as_bytes())
}

fn checked_id(id: &str) -> Result<String, Code> {
    if super::receipts::is_id(id) { Ok(id.to_owned()) } else { Err(Code::NotFound) }
}

/// The message that adds to the approximate counters: names with labels, and the numbers to add.
#[must_use]
pub fn meter(add: Vec<(String, u64)>) -> String {
    message(ObjectRequest::Meter { add })
}

/// The message for a request to an object.
pub(super) fn message(operator: ObjectRequest) -> String {
    let order =
        farebox_ledger::report::OperatorMessage { v: farebox_ledger::command::VERSION, operator };
    json::text(&order)
}

/// A refusal that names the parameter or member that is wrong.
fn naming(reply: Reply, name: &str) -> Reply {
    match name.is_empty() {
        true => reply,
        false => with_member(reply, &[",\"parameter\":", &json::text(name)].concat()),
    }
}

/// Adds a member, which begins with its comma, to an answer of JSON.
fn with_member(mut reply: Reply, member: &str) -> Reply {
    if let Body::Text(body) = &mut reply.body
        && let Some(open) = body.strip_suffix('}')
    {
        *body = [open, member, "}"].concat();
    }
    reply
}

fn refusal(code: Code, correlation: &str, payment: Option<&str>) -> Reply {
    Reply::problem(code, Audience::Other, correlation, payment)
}
