//! What the origin sees of a request. Spec: docs/protocols.md, "What the origin sees".

use alloc::string::String;
use alloc::vec::Vec;

use super::keys::Keys;
use super::origin::{MARK, Origin};
use crate::http::{Headers, RequestHead, has_token};
use crate::time::UnixTime;

/// A request to the origin; its body is the client's.
#[derive(Clone, Debug)]
pub struct OriginCall {
    /// Method, as the client sent it.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Header fields.
    pub headers: Headers,
    /// Seconds to the head and, when sealing, to the end of the body.
    pub timeout_secs: u64,
}

/// Who asks, as far as the origin is told.
#[derive(Clone, Copy, Debug)]
pub enum Caller<'a> {
    /// Somebody.
    Anybody,
    /// The holder of the key of this name.
    Client(&'a str),
    /// Who paid.
    Payer {
        /// The payer; empty where only his chain knows.
        payer: &'a str,
        /// Receipt id.
        receipt: &'a str,
    },
}

/// The request for the origin: what only the gate may say is removed from the client's fields, and
/// said.
#[must_use]
pub fn origin_call(
    origin: &Origin,
    head: &RequestHead,
    caller: Caller<'_>,
    correlation: &str,
    timeout_secs: u64,
    keys: &Keys,
    now: UnixTime,
) -> OriginCall {
    let mut headers = head.headers.clone();
    let connection = head.headers.joined("connection").unwrap_or_default();
    headers.retain(|name, _| !(is_never_forwarded(name) || has_token(&connection, name)));
    if headers.rows("authorization").any(|row| row.split(',').any(is_payment_credential)) {
        let kept = headers.rows("authorization").map(others).filter(|row| !row.is_empty());
        let kept = kept.collect::<Vec<_>>();
        headers.remove("authorization");
        for row in kept {
            headers.add("authorization", &row);
        }
    }
    headers.set("x-correlation-id", correlation);
    let (who, receipt) = match caller {
        Caller::Anybody => ("", ""),
        Caller::Client(name) => {
            headers.set("farebox-client", name);
            (name, "")
        }
        Caller::Payer { payer, receipt } => {
            headers.retain(|name, _| !is_conditional(name));
            if !payer.is_empty() {
                headers.set("farebox-payer", payer);
            }
            headers.set("farebox-payment", receipt);
            if headers.filled("idempotency-key").is_none() {
                headers.set("idempotency-key", receipt);
            }
            (payer, receipt)
        }
    };
    let target = head.target();
    let time = alloc::format!("{}", now.secs());
    if let Some(value) = keys.origin_signature(&time, [&head.method, target, who, receipt]) {
        headers.set("farebox-signature", &value);
    }
    headers.set(MARK, keys.mark());
    OriginCall { method: head.method.clone(), url: origin.url(head), headers, timeout_secs }
}

/// Hop-by-hop fields, those that speak of payment, and those that rename method or URL, lower case.
pub const NEVER_FORWARDED: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
    "payment-signature",
    "x-payment",
    "payment-authorization",
    "accept-payment",
    "payment-required",
    "payment-response",
    "x-payment-response",
    "payment-receipt",
    "payment-replayed",
    "sign-in-with-x",
    "x-correlation-id",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-override-url",
    "x-forwarded-uri",
    "x-forwarded-prefix",
    "x-middleware-subrequest",
    "x-paid",
];
/// Beginnings of names that are the gate's own, lower case.
pub const OWN_PREFIXES: &[&str] = &["farebox-", "x-farebox-"];

fn is_never_forwarded(name: &str) -> bool {
    NEVER_FORWARDED.contains(&name) || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What a value of `Authorization` says besides `Payment` credentials. Spec: RFC 9110 11.4.
#[must_use]
pub fn others(value: &str) -> String {
    let pieces = value.split(',').filter(|piece| !is_payment_credential(piece));
    pieces.collect::<Vec<_>>().join(",").trim_matches([' ', '\t', ',']).into()
}

/// Whether a credential's scheme is `Payment`.
#[must_use]
pub fn is_payment_credential(value: &str) -> bool {
    let scheme = value.trim_start_matches([' ', '\t']).split([' ', '\t']).next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("payment"))
}

fn is_conditional(name: &str) -> bool {
    name.starts_with("if-")
}
