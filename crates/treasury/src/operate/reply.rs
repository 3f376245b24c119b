//! Answers to the operator, and the writes that several requests share.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::books::{Change, Rows};
use crate::kernel::Decision;
use crate::message::Reply;
use crate::row::{LogRow, PolicyRow, Scope};
use crate::token::is_name;
use farebox_base::time::UnixTime;

/// The writes that put rules, under the next version.
pub(crate) fn put_rules<B: Rows>(
    books: &B,
    scope: Scope,
    document: &str,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let version = books.policy(&scope)?.map_or(0, |row| row.version).saturating_add(1);
    let subject = scope.key();
    let (document, changed) = (document.to_string(), now.secs());
    let log = log_line("policy.changed", &subject, Some(version), &document, now);
    let row = PolicyRow { scope, version, document, changed };
    Ok(Vec::from([Change::Policy(row), log]))
}

/// A line of the log.
pub(crate) fn log_line(
    what: &str,
    subject: &str,
    version: Option<u64>,
    note: &str,
    now: UnixTime,
) -> Change {
    Change::Log(LogRow {
        at: now.secs(),
        what: what.to_string(),
        subject: subject.to_string(),
        version,
        note: note.to_string(),
    })
}

/// The rules of a scope, for a response.
pub(crate) fn rules_of(row: &PolicyRow) -> Value {
    farebox_base::encoding::json::parse(row.document.as_bytes()).unwrap_or_default()
}

/// The response with this body.
pub(crate) fn ok(body: &Value) -> Decision {
    Decision::reply(Reply::json(200, body.to_string()))
}

/// A refusal. Spec: RFC 9457.
#[must_use]
pub fn problem(status: u32, code: &str, detail: &str) -> Reply {
    let title = code.replace('_', " ");
    let body = json!({
        "type": alloc::format!("urn:farebox:problem:{code}"),
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    });
    Reply::new(status, "application/problem+json", body.to_string())
}

/// The answer about what is not there.
pub(crate) fn not_found(what: &str) -> Reply {
    problem(404, "not_found", &alloc::format!("there is no such {what}"))
}

/// The answer about an agent that is not there, beside those that are.
pub(crate) fn no_agent<B: Rows>(books: &B, name: &str) -> Result<Decision, B::Error> {
    if !is_name(name) {
        return Ok(Decision::reply(not_found("agent")));
    }
    let known: Vec<String> =
        books.agents()?.into_iter().take(MOST_NAMED).map(|agent| agent.name).collect();
    let there = if known.is_empty() { "none".to_string() } else { known.join(", ") };
    let what = alloc::format!("agent as {name}; this organization has {there}");
    Ok(Decision::reply(not_found(&what)))
}

/// Agents that are named beside one that is not there.
const MOST_NAMED: usize = 20;

/// The answer to a cursor or limit that is none.
pub(crate) fn invalid_query() -> Reply {
    let detail = "cursor must be one of an answer, and limit a number from 1 to 1000";
    problem(400, "invalid_query", detail)
}

/// A time, for a response.
pub(crate) fn time(secs: u64) -> String {
    UnixTime::from_secs(secs).rfc3339()
}
