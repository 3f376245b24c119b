//! Rules for requests that an edge may forward by itself, before the compiled gate is asked. Spec:
//! docs/origin.md.
//!
//! The edge has no rule of its own: the ordinary fields, methods and paths stand here as data, made
//! from the lists that the gate itself forwards by. It may send more requests to the gate than
//! necessary, never fewer.

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::keys::{KEY_PREFIX, Keys};
use super::origin::MARK;
use super::parts::{PricedRoutes, Upstream};
use super::route::Methods;
use super::standing::SILENT_REQUESTS;
use super::{forward, reply, request};

/// Fields that the runtime sets itself on each request, lower case: the edge drops them.
const WRITTEN: &[&str] = &["host", "content-length", "transfer-encoding", "connection"];

/// Fields that ordinary requests carry with these values alone, lower case.
const WORDS: &[(&str, &[&str])] = &[("connection", &["close", "keep-alive"])];

/// Fields that the gate forwards in part or not at all, and the text that then appears in their
/// value, lower case.
const PARTS: &[(&str, &str)] = &[("authorization", "payment"), (forward::KEY, KEY_PREFIX)];

/// The field whose rows cannot be joined to one: the gate forwards each.
const REPEATED: &str = "set-cookie";

/// Fields about the origin's own connection, lower case: the runtime sends none of them on.
const ABOUT_CONNECTION: &[&str] = &["connection", "keep-alive", "transfer-encoding"];

/// Methods that `fetch` takes no body for: the gate asks without it. Spec: Fetch, `Request`
/// constructor.
const BODYLESS: &[&str] = &["GET", "HEAD"];

/// Prefix of the paths that the gate itself answers and no route can name.
const RESERVED: &str = "/_";

/// The rules of an edge.
#[derive(Clone, Copy)]
pub struct EdgeRules<'g> {
    pub(super) routes: &'g PricedRoutes,
    pub(super) origin: &'g Upstream,
    pub(super) keys: &'g Keys,
}

impl EdgeRules<'_> {
    /// The facts by which an edge reaches the ledger and forwards, as JSON: `jurisdiction` and
    /// `location` of the ledger's objects, as `plain` the [`Self::plain_forwarding`], if there is
    /// any, and as `silent` which requests are remembered, see [`standing`](super::standing).
    #[must_use]
    pub fn write(&self) -> String {
        let edge = farebox_base::encoding::json::json!({
            "jurisdiction": self.origin.placement.jurisdiction,
            "location": self.origin.placement.location,
            "plain": self.plain_forwarding(),
            "silent": SILENT_REQUESTS,
        });
        farebox_base::encoding::json::text(&edge)
    }

    /// The facts by which an edge forwards by itself requests that are certainly free; `None` if
    /// the gate has to see every request. Without `origin` the URL that the client asked for is
    /// asked for.
    ///
    /// A request is certainly free if its path consists of `a-z 0-9 / _ -`, has no `//` and begins
    /// with none of `guarded`, its method is one of `methods` and not one of `bodyless` with a
    /// body, and its fields are ordinary: their names consist of `a-z 0-9 -`, none is in
    /// `request.gate` or has a prefix in `request.prefixes`, a field in `request.words` has one of
    /// the values there, and a field in `request.parts` does not contain the text there, in any
    /// case. The edge leaves out `request.dropped`, adds `request.set`, and tells in the three
    /// fields of `request.told` what came in the field `request.address`, the host and the scheme
    /// that the client asked for. An answer with a field in `answer.gate`, or with a prefix in
    /// `answer.prefixes`, goes to the gate to be finished; of others the runtime leaves out
    /// `answer.dropped`. The request carries an id in the field `correlation`; it has no deadline.
    #[must_use]
    pub fn plain_forwarding(&self) -> Option<Value> {
        let resolves = self.origin.asked.resolved().is_some();
        if resolves || self.keys.signs_origin_requests() || !self.routes.table.forwards_unlisted() {
            return None;
        }
        let mut guarded = self.routes.table.paid_prefixes();
        guarded.push(String::from(RESERVED));
        let mut seen = without(forward::NEVER_FORWARDED, WRITTEN);
        seen.push(REPEATED);
        let dropped = [WRITTEN, &forward::FORWARDED, forward::ALSO_FORWARDED].concat();
        let mut finished = without(reply::NEVER_ANSWERED, ABOUT_CONNECTION);
        finished.extend_from_slice(reply::REWRITTEN);
        Some(json!({
            "origin": self.origin.asked.base(),
            "bodyless": BODYLESS,
            "methods": Methods::all().names().collect::<Vec<_>>(),
            "guarded": guarded,
            "correlation": reply::CORRELATION,
            "request": {
                "gate": seen,
                "prefixes": forward::OWN_PREFIXES,
                "words": WORDS,
                "parts": PARTS,
                "dropped": dropped,
                "set": [(MARK, self.keys.mark())],
                "address": request::CLIENT_ADDRESS,
                "told": forward::FORWARDED,
            },
            "answer": {
                "gate": finished,
                "prefixes": [reply::OWN_PREFIX],
                "dropped": ABOUT_CONNECTION,
            },
        }))
    }
}

fn without(names: &[&'static str], dropped: &[&str]) -> Vec<&'static str> {
    names.iter().copied().filter(|name| !dropped.contains(name)).collect()
}
