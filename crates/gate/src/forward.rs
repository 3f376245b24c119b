//! The request as the origin sees it. Spec: docs/requests.md, "What the origin sees".

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::clients::KEY_HEADER;
use super::keys::{KEY_PREFIX, Keys};
use super::origin::{MARK, Origin};
use super::pricer::TOLD;
use super::reply::CORRELATION;
use super::request::{CLIENT_ADDRESS, IncomingRequest};
use farebox_base::http::Headers;
use farebox_base::secret::ct_eq;
use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;
use farebox_wire::mpp::elements;

/// A request to the origin; its body is the client's.
#[derive(Clone, Debug)]
pub struct OriginCall {
    /// Method, as the client sent it.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// The host to connect to, if it is another one than the URL's.
    pub resolve: Option<String>,
    /// Header fields.
    pub headers: Headers,
    /// Seconds to the head and, when sealing, to the end of the body.
    pub timeout_secs: u64,
    /// Seconds that the request's body may take before those begin, while it flows.
    pub upload_secs: u64,
    /// Whether a cache may stand between gate and origin.
    pub caching: Caching,
}

/// Use of the platform's caches for a request to the origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caching {
    /// The platform's default.
    Ordinary,
    /// No answer from a cache and none stored in it: the answer is for one client.
    Never,
}

/// The client, as the origin learns of it.
#[derive(Clone, Copy, Debug)]
pub enum ClientIdentity<'a> {
    /// A client without a key or a payment.
    Anonymous,
    /// The holder of the key with this name.
    Client(&'a str),
    /// A payer.
    Payer {
        /// The payer; empty if only the chain knows them.
        payer: &'a str,
        /// Receipt id.
        receipt: &'a str,
        /// Hash of the request that is paid for: it makes the origin's key, so that this and the
        /// payment's binding tell the same requests apart.
        request: &'a str,
        /// The price paid.
        price: Price<'a>,
    },
}

/// The price of a request, as the origin learns of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Price<'a> {
    /// Atomic units, decimal.
    pub amount: &'a str,
    /// The asset's name on the wire.
    pub asset: &'a str,
    /// CAIP-2 id.
    pub network: &'a str,
    /// The transaction, if it is settled before the origin is asked; else empty.
    pub transaction: &'a str,
}

/// Drops the fields of a request for a priced route that its origin does not get, before any
/// decision reads them: fields that `Connection` names, and fields that an origin would read as one
/// that a price or a payment is bound to.
///
/// Fields for the gate stay; `origin_call` removes them.
pub fn drop_unforwarded(headers: &mut Headers) {
    let hops = Hops::of(headers);
    headers.retain(|name, _| {
        let folded = folded(name);
        let is_heard = is_never_forwarded(&folded) || HEARD.contains(&&*folded);
        let is_hop = hops.have(name) && !is_heard;
        let is_twin = *folded != *name && TOLD.contains(&&*folded);
        !(is_hop || is_twin)
    });
}

/// Fields that the gate reads besides those it never forwards, lower case.
const HEARD: &[&str] = &["authorization", KEY, KEY_HEADER];

/// Fields of the platform about the client and the way of the request, besides `cf-*`, lower case.
/// The platform ends the client's connection, so that no connection option concerns these.
const PLATFORMS: &[&str] = &["x-real-ip", "true-client-ip", "cdn-loop"];

/// Fields that tell the origin the client's address, host and scheme, in this order. The gate alone
/// writes them.
pub const FORWARDED: [&str; 3] = ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
/// Fields that say the same to some servers, lower case: a client's own are dropped.
pub const ALSO_FORWARDED: &[&str] = &[
    "forwarded",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-scheme",
];

/// The fields that `Connection` names, lower case. Spec: RFC 9110 7.6.1.
struct Hops(Sorted<String, ()>);

impl Hops {
    fn of(headers: &Headers) -> Self {
        let names = headers.rows("connection").flat_map(|row| row.split(','));
        let names = names.map(|name| name.trim_matches([' ', '\t']));
        let mut hops = Sorted::new();
        for name in names {
            hops.insert(name.to_ascii_lowercase(), ());
        }
        Self(hops)
    }

    /// Whether `Connection` names this field; a client cannot remove a field of the platform.
    fn have(&self, name: &str) -> bool {
        let is_named = self.0.contains(name);
        let is_platforms = name.starts_with("cf-") || PLATFORMS.contains(&name);
        is_named && !is_platforms
    }
}

/// Whether a request has come through this gate before.
pub(super) fn has_let_through(headers: &Headers, keys: &Keys) -> bool {
    let mark = keys.mark();
    headers.rows(MARK).any(|value| ct_eq(value.as_bytes(), mark.as_bytes()))
}

/// The request for the origin: fields that only the gate may set are removed from the client's, and
/// set.
#[must_use]
pub(super) fn origin_call(
    origin: &Origin,
    IncomingRequest { head, correlation }: &IncomingRequest,
    caller: ClientIdentity<'_>,
    timeout_secs: u64,
    keys: &Keys,
    now: UnixTime,
) -> OriginCall {
    let mut headers = clients_fields(&head.headers);
    let scheme = head.url.split("://").next().unwrap_or_default();
    let address = head.headers.get(CLIENT_ADDRESS).unwrap_or_default();
    for (name, value) in FORWARDED.into_iter().zip([address, head.authority(), scheme]) {
        if !value.is_empty() {
            headers.set(name, value);
        }
    }
    headers.set(CORRELATION, correlation);
    let (who, receipt, price) = match caller {
        ClientIdentity::Anonymous => ("", "", Price::default()),
        ClientIdentity::Client(name) => {
            headers.set("farebox-client", name);
            (name, "", Price::default())
        }
        ClientIdentity::Payer { payer, receipt, request, price } => {
            headers.retain(|name, _| {
                let folded = folded(name);
                !(is_conditional(&folded) || FOR_CACHES.contains(&&*folded))
            });
            if !payer.is_empty() {
                headers.set("farebox-payer", payer);
            }
            headers.set("farebox-payment", receipt);
            for (name, value) in PAID.into_iter().zip(price.parts()) {
                if !value.is_empty() {
                    headers.set(name, value);
                }
            }
            if headers.filled(KEY).is_none() {
                headers.retain(|name, _| folded(name) != KEY);
                headers.set(KEY, &keys.idempotency_key(receipt, request));
            }
            (payer, receipt, price)
        }
    };
    let target = head.sent_target();
    let time = alloc::format!("{}", now.secs());
    let [amount, asset, network, transaction] = price.parts();
    let signed = [&head.method, &*target, who, receipt, amount, asset, network, transaction];
    // Origins that were set up before prices were forwarded check the first one.
    let first = signed.split_at(SIGNED_FIRST).0;
    for (name, scheme, parts) in [(SIGNATURE, "v1", first), (SIGNATURE_V2, "v2", &signed)] {
        if let Some(value) = keys.origin_signature(&time, scheme, parts) {
            headers.set(name, &value);
        }
    }
    headers.set(MARK, keys.mark());
    OriginCall {
        method: head.method.clone(),
        url: origin.url(head),
        resolve: origin.resolved().map(String::from),
        headers,
        timeout_secs,
        upload_secs: 0,
        caching: Caching::of(caller),
    }
}

impl Caching {
    /// Whether the answer for this client may be kept.
    fn of(caller: ClientIdentity<'_>) -> Self {
        match caller {
            ClientIdentity::Anonymous => Self::Ordinary,
            ClientIdentity::Client(_) | ClientIdentity::Payer { .. } => Self::Never,
        }
    }
}

/// The fields of a client that the origin may see.
fn clients_fields(sent: &Headers) -> Headers {
    let mut headers = sent.clone();
    let hops = Hops::of(sent);
    headers.retain(|name, value| {
        let folded = folded(name);
        let is_ours = is_never_forwarded(&folded) || folded == KEY && is_of_the_gate(value);
        !(is_ours || hops.have(name))
    });
    let brings_payment = |row| elements(row).into_iter().any(is_payment_credential);
    if headers.rows("authorization").any(brings_payment) {
        let kept = headers.rows("authorization").map(others).filter(|row| !row.is_empty());
        let kept = kept.collect::<Vec<_>>();
        headers.remove("authorization");
        for row in kept {
            headers.add("authorization", &row);
        }
    }
    headers
}

impl<'a> Price<'a> {
    /// Its parts in the order in which they are signed.
    const fn parts(self) -> [&'a str; 4] {
        [self.amount, self.asset, self.network, self.transaction]
    }
}

/// Field of the signature over method, target, payer and payment.
const SIGNATURE: &str = "farebox-signature";
/// Field of the signature that also covers what was paid.
const SIGNATURE_V2: &str = "farebox-signature-v2";
/// Number of signed parts that the first signature covers.
const SIGNED_FIRST: usize = 4;

/// Fields that tell the parts of a price.
const PAID: [&str; 4] =
    ["farebox-amount", "farebox-asset", "farebox-network", "farebox-transaction"];

/// Header that lets origins carry out a request once, lower case.
pub(super) const KEY: &str = "idempotency-key";

/// Whether a client's key is in the name space of the gate's keys, however it is quoted or listed.
#[must_use]
pub fn is_of_the_gate(key: &str) -> bool {
    key.split(',').any(|key| {
        let key = key.trim_start_matches([' ', '\t', '"', '\'']);
        key.get(..KEY_PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(KEY_PREFIX))
    })
}

/// A lower-case field name as CGI would have it: `_` and every other character that is not a letter
/// or digit becomes `-`. Spec: RFC 3875 4.1.18.
#[must_use]
pub fn folded(name: &str) -> Cow<'_, str> {
    let is_kept = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if name.bytes().all(is_kept) {
        return Cow::Borrowed(name);
    }
    let fold = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    Cow::Owned(name.chars().map(fold).collect())
}

/// Hop-by-hop fields, fields about payment, fields that rename method or URL, and fields that send a
/// server in front of the origin to another file, lower case. A client has no use for the last two:
/// a server between it and the origin writes them for what stands behind.
pub const NEVER_FORWARDED: &[&str] = &[
    "connection",
    // An origin that says 100 first is answered for by the runtime: the answer after it would be lost.
    "expect",
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
    "x-forwarded-path",
    "x-forwarded-url",
    "x-original-path",
    "x-rewrite-path",
    "x-real-url",
    "x-invoke-path",
    "x-invoke-query",
    "x-matched-path",
    "x-now-route-matches",
    "x-vercel-original-url",
    "x-vercel-original-path",
    "x-vercel-forwarded-path",
    "x-vercel-matched-path",
    "x-vercel-rewrite-path",
    "x-envoy-original-path",
    "x-ms-original-url",
    "x-middleware-subrequest",
    "x-middleware-invoke",
    "x-middleware-rewrite",
    "x-invoke-output",
    "x-invoke-status",
    "x-replaced-path",
    "x-astro-path",
    "x-script-name",
    "x-forwarded-script-name",
    "x-traversal-path",
    "x-vhm-root",
    "x-vhm-host",
    "x-opennext-initial-url",
    "x-opennext-resolved-routes",
    "script-name",
    "path-info",
    "x-sendfile-type",
    "x-accel-mapping",
    "x-paid",
];
/// Prefixes of the gate's own field names, lower case.
pub const OWN_PREFIXES: &[&str] = &["farebox-", "x-farebox-"];

fn is_never_forwarded(name: &str) -> bool {
    NEVER_FORWARDED.contains(&name)
        || FORWARDED.contains(&name)
        || ALSO_FORWARDED.contains(&name)
        || OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The value of `Authorization` without its `Payment` credentials. Spec: RFC 9110 11.4.
#[must_use]
pub fn others(value: &str) -> String {
    let kept = elements(value).into_iter().filter(|element| !is_payment_credential(element));
    kept.collect::<Vec<_>>().join(",").trim_matches([' ', '\t', ',']).into()
}

/// Whether a credential's scheme is `Payment`.
#[must_use]
pub fn is_payment_credential(value: &str) -> bool {
    let scheme = value.trim_start_matches([' ', '\t']).split([' ', '\t']).next();
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("payment"))
}

/// Fields with which a client addresses caches, lower case.
const FOR_CACHES: &[&str] = &["cache-control", "pragma"];

fn is_conditional(name: &str) -> bool {
    name.starts_with("if-")
}
