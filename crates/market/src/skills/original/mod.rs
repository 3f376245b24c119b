//! The original's quotes, settlements, receipts and subscriptions; only with `COMPATIBILITY`.
//!
//! `quote` asks for money on one of the `rail`s, `settle` takes evidence of it, which
//! `evidence` reads from the chain, `receipts` shows what was settled, and `subscription`
//! counts calls that were paid in advance. `row` has the rows, `books` their reads and writes.
//! Names that callers give decide nothing: money and keys do. Assumptions:
//! - the Worker repeats a request with the node's replies in the order of its questions, and with
//!   the word of the bound `REPUTATION`, and a client can write neither;
//! - the operator chose the node: it may lag and fail, and does not lie.

pub mod books;
mod evidence;
mod quote;
mod rail;
mod receipts;
mod reputation;
pub mod row;
mod settle;
mod subscription;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::Rows;
use super::message::{Answer, OriginalRequest};
use super::query::segment;
use super::refused::said;
use super::{Decision, Market, Now};
use farebox_base::time::UnixTime;

/// The methods of a path of the original that is served, as `Allow` has them; `None` for others.
#[must_use]
pub fn methods(parts: &[&str]) -> Option<&'static str> {
    Some(match parts {
        ["api", "protocol", "x402", "quote" | "settle"] => "POST",
        ["api", "protocol", "x402", "subscriptions"] => "GET, POST",
        ["api", "protocol", "x402", "receipts"]
        | ["api", "protocol", "x402", "receipts", _]
        | ["api", "protocol", "x402", "subscriptions", _, _]
        | ["api", "subscriptions", _, "proof"] => "GET",
        _ => return None,
    })
}

impl Market {
    /// Answers a request of the original's shapes.
    pub(super) fn original<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let mut decision = match (request.method.as_str(), parts.as_slice()) {
            _ if !self.compatible => Decision::reply(said(404, "Not found")),
            ("POST", ["api", "protocol", "x402", "quote"]) => {
                self.ask_quote(books, request, moment)?
            }
            ("POST", ["api", "protocol", "x402", "settle"]) => {
                self.settle(books, request, moment)?
            }
            ("GET", ["api", "protocol", "x402", "receipts"]) => {
                self.receipts(books, &request.query)?
            }
            ("GET", ["api", "protocol", "x402", "receipts", id]) => {
                self.receipt(books, &segment(id))?
            }
            ("GET", ["api", "protocol", "x402", "subscriptions"]) => {
                self.subscriptions(books, moment)?
            }
            ("POST", ["api", "protocol", "x402", "subscriptions"]) => {
                self.subscribe(books, request, moment)?
            }
            ("GET", ["api", "protocol", "x402", "subscriptions", agent, service]) => {
                self.access(books, (&segment(agent), &segment(service)), request, moment)?
            }
            ("GET", ["api", "subscriptions", id, "proof"]) => {
                self.proof_of_payment(books, &segment(id), moment)?
            }
            _ => Decision::reply(said(404, "Not found")),
        };
        if let Answer::Reply(response) = decision.answer {
            decision.answer = Answer::Reply(response.no_store());
        }
        Ok(decision)
    }
}

/// A time as JavaScript writes it, with milliseconds.
fn iso(ms: u64) -> String {
    let text = UnixTime::from_secs(ms.checked_div(1000).unwrap_or_default()).rfc3339();
    let rest = ms.checked_rem(1000).unwrap_or_default();
    text.strip_suffix('Z')
        .map_or_else(|| text.to_string(), |whole| alloc::format!("{whole}.{rest:03}Z"))
}
