//! Numbers for the operator, as Prometheus reads them.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::Rows;
use super::kernel::{Applied, Decision, Now};
use super::message::{Response, Viewer};
use super::refused;

/// `GET /api/marketplace/metrics`.
pub(super) fn write_metrics<B: Rows>(books: &B, viewer: &Viewer, moment: Now<'_>) -> Applied<B> {
    if *viewer != Viewer::Operator {
        return Ok(Decision::reply(refused::no_identity().no_store()));
    }
    let all = books.figures(moment.now)?;
    let mut body = String::from(
        "# HELP farebox_market_invocations Invocations that are over, by outcome.\n# TYPE farebox_market_invocations counter\n",
    );
    for (outcome, count) in [
        ("free", all.free),
        ("paid_ok", all.paid_ok),
        ("paid_failed", all.paid_failed),
        ("not_paid_failed", all.not_paid_failed),
        ("insufficient_balance", all.insufficient),
    ] {
        body.push_str(&alloc::format!(
            "farebox_market_invocations{{outcome=\"{outcome}\"}} {count}\n"
        ));
    }
    for (name, kind, help, count) in [
        ("running", "gauge", "Invocations that are not over.", all.running),
        ("skills", "gauge", "Skills that are active.", all.skills),
        ("packs", "counter", "Packs that were sold.", all.packs),
        ("pack_calls", "counter", "Calls of packs that were made.", all.pack_calls),
        ("quotes", "gauge", "Quotes that are kept.", all.quotes),
        ("settlements", "counter", "Quotes that were settled.", all.settled),
        ("subscriptions", "gauge", "Subscriptions that serve.", all.subscriptions),
    ] {
        body.push_str(&alloc::format!(
            "# HELP farebox_market_{name} {help}\n# TYPE farebox_market_{name} {kind}\nfarebox_market_{name} {count}\n"
        ));
    }
    let kind = ("content-type".to_string(), "text/plain; version=0.0.4".to_string());
    let response = Response { status: 200, headers: Vec::from([kind]), body };
    Ok(Decision::reply(response.no_store()))
}
