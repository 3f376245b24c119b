//! What the origin sees of a request. Spec: docs/protocols.md, "What the origin sees".

use alloc::borrow::Cow;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::KEY_HEADER;
use super::keys::{KEY_PREFIX, Keys};
use super::origin::{MARK, Origin};
use super::pricer::TOLD;
use super::reply::CORRELATION;
use crate::http::{Headers, RequestHead};
use crate::mutant::{Mutant, planted};
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
    /// Whether a cache may stand between gate and origin.
    pub caching: Caching,
}

/// What caches of the platform may do with a request to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// What the platform does by itself.
    Ordinary,
    /// Neither answer it nor store its answer: it is for one client.
    Never,
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

/// Drops the fields of a request for a priced route that its origin does not get, before anything is decided by them: what
/// `Connection` names, and what an origin reads as a field that a price or a payment is for.
///
/// Those that speak to the gate stay; [`origin_call`] takes them away.
pub fn drop_unforwarded(headers: &mut Headers) {
    let hops = Hops::of(headers);
    headers.retain(|name, _| {
        let folded = folded(name);
        let is_heard = is_never_forwarded(&folded) || HEARD.contains(&&*folded);
        let is_hop = hops.have(name) && !is_heard && !planted(Mutant::HopsArePriced);
        let is_twin = *folded != *name && TOLD.contains(&&*folded) && !planted(Mutant::TwinsPass);
        !(is_hop || is_twin)
    });
}

/// Fields that the gate reads besides those that it never forwards, lower case.
const HEARD: &[&str] = &["authorization", KEY, KEY_HEADER];

/// What the platform says of a client and of the way that a request has come, besides `cf-*`, lower case. It ends the client's
/// connection, so that no option of it is about these.
const PLATFORMS: &[&str] =
    &["x-forwarded-for", "x-forwarded-proto", "x-real-ip", "true-client-ip", "cdn-loop"];

/// The fields that `Connection` names, lower case. Spec: RFC 9110 7.6.1.
struct Hops(BTreeSet<Vec<u8>>);

impl Hops {
    fn of(headers: &Headers) -> Self {
        let names = headers.rows("connection").flat_map(|row| row.split(','));
        let names = names.map(|name| name.trim_matches([' ', '\t']));
        let mut hops = BTreeSet::new();
        // Collecting them would bring a sort along, which is large.
        for name in names {
            hops.insert(name.to_ascii_lowercase().into_bytes());
        }
        Self(hops)
    }

    /// Whether it names this one; what the platform says of a client is not the client's to take away.
    fn have(&self, name: &str) -> bool {
        let is_named = match planted(Mutant::NamesTimesFields) {
            true => self.0.iter().any(|known| known == name.as_bytes()),
            false => self.0.contains(name.as_bytes()),
        };
        let is_platforms = name.starts_with("cf-") || PLATFORMS.contains(&name);
        is_named && (!is_platforms || planted(Mutant::HopsAreAnybodys))
    }
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
    let hops = Hops::of(&head.headers);
    headers.retain(|name, value| {
        let folded = folded(name);
        let is_ours = is_never_forwarded(&folded) || folded == KEY && is_of_the_gate(value);
        !(is_ours || hops.have(name))
    });
    if headers.rows("authorization").any(|row| row.split(',').any(is_payment_credential)) {
        let kept = headers.rows("authorization").map(others).filter(|row| !row.is_empty());
        let kept = kept.collect::<Vec<_>>();
        headers.remove("authorization");
        for row in kept {
            headers.add("authorization", &row);
        }
    }
    headers.set(CORRELATION, correlation);
    let (who, receipt) = match caller {
        Caller::Anybody => ("", ""),
        Caller::Client(name) => {
            headers.set("farebox-client", name);
            (name, "")
        }
        Caller::Payer { payer, receipt } => {
            headers.retain(|name, _| {
                let folded = folded(name);
                !(is_conditional(&folded) || FOR_CACHES.contains(&&*folded))
            });
            if !payer.is_empty() {
                headers.set("farebox-payer", payer);
            }
            headers.set("farebox-payment", receipt);
            if headers.filled(KEY).is_none() {
                headers.retain(|name, _| folded(name) != KEY);
                headers.set(KEY, &keys.idempotency_key(receipt));
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
    let caching = match caller {
        Caller::Anybody => Caching::Ordinary,
        _ if planted(Mutant::CachesAnswer) => Caching::Ordinary,
        Caller::Client(_) | Caller::Payer { .. } => Caching::Never,
    };
    OriginCall {
        method: head.method.clone(),
        url: origin.url(head),
        headers,
        timeout_secs,
        caching,
    }
}

/// Names what origins do once, lower case.
pub(super) const KEY: &str = "idempotency-key";

/// Whether a client's key is in the name space of the keys that the gate makes, however it is quoted or listed.
#[must_use]
pub fn is_of_the_gate(key: &str) -> bool {
    !planted(Mutant::ClientsWriteKeys)
        && key.split(',').any(|key| {
            let key = key.trim_start_matches([' ', '\t', '"', '\'']);
            key.get(..KEY_PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(KEY_PREFIX))
        })
}

/// A lower-case field name as CGI would have it: `_` and all else that is no letter or digit is `-`. Spec: RFC 3875 4.1.18.
#[must_use]
pub fn folded(name: &str) -> Cow<'_, str> {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.bytes().all(is_kept) || planted(Mutant::UnderscoresPass) {
        return Cow::Borrowed(name);
    }
    let fold = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    Cow::Owned(name.chars().map(fold).collect())
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
    CORRELATION,
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

/// What a client says to caches, lower case.
const FOR_CACHES: &[&str] = &["cache-control", "pragma"];

fn is_conditional(name: &str) -> bool {
    name.starts_with("if-")
}
