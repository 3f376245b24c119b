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
pub(super) mod rail;
mod receipts;
pub(super) mod reputation;
pub mod row;
mod settle;
mod subscription;

use alloc::string::String;
use alloc::vec::Vec;

use self::quote::OriginalQuotes;
use self::rail::Rails;
use self::receipts::{list_receipts, show_receipt};
use self::reputation::Reputation;
use self::settle::Settlements;
use self::subscription::{Subscriptions, list_subscriptions, show_proof};
use super::books::Rows;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, OriginalRequest};
use super::refused::refusal;
use crate::query::segment;
use farebox_base::secret::Secret;

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

/// Whether a request has the object look through many rows.
#[must_use]
pub fn is_list(request: &OriginalRequest) -> bool {
    let path = request.path.trim_start_matches('/');
    request.method == "GET"
        && matches!(path, "api/protocol/x402/receipts" | "api/protocol/x402/subscriptions")
}

/// The original's other paths.
pub(super) struct OriginalPaths<'m> {
    pub rails: Rails<'m>,
    pub reputation: Reputation,
    /// Keys of subscriptions are made of it.
    pub secret: &'m Secret<String>,
    /// The operator's token.
    pub operator: &'m Secret<String>,
}

impl OriginalPaths<'_> {
    /// Answers a request of the original's shapes.
    pub fn original<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Applied<B> {
        let (rails, reputation) = (self.rails, self.reputation);
        let quotes = OriginalQuotes { rails, reputation };
        let settlements = Settlements { rails, reputation };
        let (secret, operator) = (self.secret, self.operator);
        let subscriptions = Subscriptions { quotes, secret, operator };
        let parts: Vec<&str> = request.path.trim_start_matches('/').split('/').collect();
        let mut decision = match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["api", "protocol", "x402", "quote"]) => {
                quotes.answer(books, request, moment)?
            }
            ("POST", ["api", "protocol", "x402", "settle"]) => {
                settlements.settle(books, request, moment)?
            }
            ("GET", ["api", "protocol", "x402", "receipts"]) => {
                list_receipts(books, &self.rails, &request.query)?
            }
            ("GET", ["api", "protocol", "x402", "receipts", id]) => {
                show_receipt(books, &segment(id))?
            }
            ("GET", ["api", "protocol", "x402", "subscriptions"]) => {
                list_subscriptions(books, moment)?
            }
            ("POST", ["api", "protocol", "x402", "subscriptions"]) => {
                subscriptions.subscribe(books, request, moment)?
            }
            ("GET", ["api", "protocol", "x402", "subscriptions", agent, service]) => {
                subscriptions.access(books, &segment(agent), &segment(service), request, moment)?
            }
            ("GET", ["api", "subscriptions", id, "proof"]) => {
                show_proof(books, &segment(id), moment)?
            }
            _ => Decision::reply(refusal(404, "Not found")),
        };
        if let Answer::Reply(response) = decision.answer {
            decision.answer = Answer::Reply(response.no_store());
        }
        Ok(decision)
    }
}
