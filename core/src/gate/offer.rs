//! What a priced route puts up: its terms, how they are served, and the one 402 that every client understands.

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::diagnose::{Diagnosis, Limits};
use super::keys;
use super::pricer::Pricer;
use super::reply::{Audience, Body, Marks, Reply, own_headers};
use crate::http::{Headers, MAX_CHALLENGE_BYTES, RequestHead, ResponseHead};
use crate::ledger::command::{Leases, Mode};
use crate::payment::Terms;
use crate::payment::authorization::Room;
use crate::paywall;
use crate::problem::Code;
use crate::x402::{Version, header, v1, v2};

/// Seconds of clock difference that are allowed for, both ways.
pub const CLOCK_MARGIN_SECS: u64 = 6;
/// Deadline of a verify call, seconds.
pub const VERIFY_SECS: u64 = 5;

/// Room for the fields that say what the body is, bytes.
const PAGE_HEADER_BYTES: usize = 256;
/// As long as a correlation id may be.
const LONGEST_CORRELATION: &str =
    "----------------------------------------------------------------";

/// A priced route, ready to be asked for.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The route's pattern, its name in rows and logs.
    pub route: String,
    /// What it asks, on each network that it can be paid on; never empty.
    pub choices: Vec<Choice>,
    /// When the money moves.
    pub mode: Mode,
    /// For people, at most 256 bytes.
    pub description: String,
    /// Of the answer.
    pub mime_type: String,
    /// Seconds the origin may take.
    pub origin_timeout_secs: u64,
    /// Whether responses are stored.
    pub store: bool,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether a settlement counts only once the chain shows it.
    pub confirms: bool,
    /// Work times for the ledger.
    pub leases: Leases,
    /// How long an authorization must be valid.
    pub room: Room,
    /// Deadline of a settle call, seconds.
    pub settle_secs: u64,
    /// Whether the holder of a key passes without a payment.
    pub takes_keys: bool,
    /// How many requests of a client's day are free, if any.
    pub free_per_day: Option<u64>,
    /// Who names the price, if that is not the configuration: then each choice asks the most that there can be asked.
    pub pricer: Option<Pricer>,
    /// From when on a failing client is told what; nothing where nobody is counted.
    pub diagnostics: Option<Limits>,
    /// The pattern and a hash of it, under which clients are counted.
    pub counted_as: (Arc<str>, u64),
    written: Written,
}

/// One way to pay for a route.
#[derive(Clone, Debug)]
pub struct Choice {
    /// What it asks.
    pub terms: Terms,
    /// The asset's symbol and decimals, for people.
    pub asset_label: (String, u8),
    /// Who may settle it, by place in the configuration, first to last resort; never empty.
    pub facilitators: Vec<usize>,
    /// Whether `before` asks `verify` first: because another facilitator could be asked, or because this one may refuse
    /// its key, which is certain to have moved no money only there.
    pub verifies_first: bool,
    /// The wire form of the terms, built once.
    pub requirements: v2::PaymentRequirements,
}

impl Choice {
    /// A way to pay, for a route that serves in this mode.
    #[must_use]
    pub fn new(
        terms: Terms,
        asset_label: (String, u8),
        (facilitators, verifies_first): (Vec<usize>, bool),
        mode: Mode,
    ) -> Self {
        let flow = match mode {
            Mode::After => v2::Flow::Authorization,
            Mode::Before => v2::Flow::Upfront,
        };
        let requirements = v2::PaymentRequirements::new(&terms, flow);
        Self { terms, asset_label, facilitators, verifies_first, requirements }
    }

    /// The number of an EVM chain; zero, which is none, of others.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.terms.token.map_or(0, |token| token.chain_id)
    }
}

/// The challenge, written once but for what depends on the request.
#[derive(Clone, Debug, Default)]
struct Written {
    /// Around reason and URL.
    version_2: [String; 3],
    /// Entries of `accepts`, each around its URL.
    version_1: Vec<[String; 2]>,
}

/// How a route serves, besides its terms.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The route's pattern.
    pub route: String,
    /// When the money moves.
    pub mode: Mode,
    /// For people.
    pub description: String,
    /// Of the answer.
    pub mime_type: String,
    /// Seconds the origin may take.
    pub origin_timeout_secs: u64,
    /// Whether responses are stored.
    pub store: bool,
    /// Whether the origin may be asked again.
    pub idempotent: bool,
    /// Whether a settlement counts only once the chain shows it.
    pub confirms: bool,
    /// Deadline of a settle call, seconds.
    pub settle_secs: u64,
    /// Longest accepted validity, seconds.
    pub max_validity_secs: u64,
    /// Whether the holder of a key passes without a payment.
    pub takes_keys: bool,
    /// How many requests of a client's day are free, if any.
    pub free_per_day: Option<u64>,
    /// From when on a failing client is told what.
    pub diagnostics: Option<Limits>,
}

impl Offer {
    /// Builds everything that does not depend on a request.
    #[must_use]
    pub fn new(choices: Vec<Choice>, manner: Manner) -> Self {
        let settle = manner.settle_secs.saturating_add(CLOCK_MARGIN_SECS);
        // Five looks at the chain, up to 15.5 seconds of waiting and a reply each.
        let looking = if manner.confirms { 30 } else { 0 };
        let least_secs = match manner.mode {
            Mode::After => settle.saturating_add(manner.origin_timeout_secs),
            Mode::Before => settle,
        };
        Self {
            leases: Leases {
                executing: VERIFY_SECS.saturating_add(manner.origin_timeout_secs).saturating_add(5),
                settling: manner.settle_secs.saturating_add(5).saturating_add(looking),
                delivering: manner.origin_timeout_secs.saturating_add(5),
            },
            room: Room { least_secs, most_secs: manner.max_validity_secs },
            settle_secs: manner.settle_secs,
            counted_as: (Arc::from(manner.route.as_str()), route_hash(&manner.route)),
            route: manner.route,
            mode: manner.mode,
            description: manner.description,
            mime_type: manner.mime_type,
            origin_timeout_secs: manner.origin_timeout_secs,
            store: manner.store,
            idempotent: manner.idempotent,
            confirms: manner.confirms,
            takes_keys: manner.takes_keys,
            free_per_day: manner.free_per_day,
            pricer: None,
            diagnostics: manner.diagnostics,
            choices,
            written: Written::default(),
        }
        .written()
    }

    /// The way to pay on this network, in the names of the version.
    #[must_use]
    pub fn choice_on(&self, version: Version, network: &str) -> Option<&Choice> {
        self.choices.iter().find(|choice| match version {
            Version::V1 => choice.terms.network.v1_name() == Some(network),
            Version::V2 => choice.terms.network.as_str() == network,
        })
    }

    /// The same route with these choices and, if one is given, another description.
    #[must_use]
    pub fn at(&self, choices: Vec<Choice>, description: Option<&str>) -> Self {
        let description = description.unwrap_or(&self.description).into();
        Self { choices, description, ..self.clone() }.written()
    }

    /// Writes the challenge with empty texts, and cuts it where they stand.
    fn written(mut self) -> Self {
        let resource = v2::ResourceInfo {
            url: "",
            description: &self.description,
            mime_type: &self.mime_type,
        };
        let required = v2::PaymentRequired::new(
            "",
            resource,
            self.choices.iter().map(|choice| &choice.requirements).collect(),
        );
        // Text and numbers always serialise, and reason and URL come before every text of the operator's.
        let text = serde_json::to_string(&required).unwrap_or_default();
        let (before, rest) = cut(&text, r#""error":"#);
        let (between, after) = cut(rest, r#""url":"#);
        let version_2 = [before.into(), between.into(), after.into()];
        let entries = self.choices.iter().filter_map(|choice| self.version_1(choice, ""));
        let version_1 = entries
            .map(|entry| {
                let text = serde_json::to_string(&entry).unwrap_or_default();
                let (before, after) = cut(&text, r#""resource":"#);
                [before.into(), after.into()]
            })
            .collect();
        self.written = Written { version_2, version_1 };
        self
    }

    /// The 402 for this request: version 2 terms in the header, version 1 members in the body, HTML for
    /// browsers. `reason` is the protocol's word for `code`; the diagnosis stands in both.
    ///
    /// Too long a target is answered 414 instead; a diagnosis that would make it too long is left out.
    #[must_use]
    pub fn challenge(
        &self,
        head: &RequestHead,
        code: Code,
        reason: &str,
        correlation: &str,
        diagnosis: Option<&Diagnosis>,
    ) -> Reply {
        let member = diagnosis.map(Diagnosis::member).unwrap_or_default();
        let mut headers = self.challenge_headers(&head.url, reason, correlation, &member);
        let html = head.prefers_html();
        if headers.block_bytes().saturating_add(PAGE_HEADER_BYTES) > MAX_CHALLENGE_BYTES {
            return match diagnosis {
                Some(_) => self.challenge(head, code, reason, correlation, None),
                None => Reply::problem(Code::TargetTooLong, Audience::Paid, correlation, None),
            };
        }
        if let Some(secs) = diagnosis.and_then(|diagnosis| diagnosis.retry_after) {
            headers.add("retry-after", &secs.to_string());
        }
        let body = if html {
            headers.add("content-type", "text/html; charset=utf-8");
            headers.add("content-security-policy", paywall::CONTENT_SECURITY_POLICY);
            self.page(&head.url)
        } else {
            headers.add("content-type", "application/json");
            self.version_1_body(&head.url, code, reason, correlation, &member)
        };
        Reply {
            head: ResponseHead { status: 402, headers },
            body: Body::Text(body),
            code: Some(code),
            route: Some(self.route.clone()),
            marks: Marks {
                diagnosed: diagnosis.map(|diagnosis| diagnosis.code),
                repeats: diagnosis.is_some_and(|diagnosis| diagnosis.repeats),
                ..Marks::default()
            },
        }
    }

    /// Bytes of the header block of a 402 for this URL; configuration keeps it within the limit.
    #[must_use]
    pub fn challenge_bytes(&self, url: &str) -> usize {
        let headers = self.challenge_headers(url, "Payment required", LONGEST_CORRELATION, "");
        headers.block_bytes().saturating_add(PAGE_HEADER_BYTES)
    }

    /// `member` is the last one of the terms, or nothing.
    fn challenge_headers(
        &self,
        url: &str,
        reason: &str,
        correlation: &str,
        member: &str,
    ) -> Headers {
        let mut headers = own_headers(Audience::Paid, correlation);
        let required = header::encode(&self.payment_required(url, reason, member));
        headers.add("payment-required", &required);
        headers.add("vary", "Accept, User-Agent");
        headers
    }

    fn payment_required(&self, url: &str, reason: &str, member: &str) -> String {
        let [before, between, after] = &self.written.version_2;
        let after = after.strip_suffix('}').unwrap_or_default();
        [before.as_str(), &quoted(reason), between, &quoted(url), after, member, "}"].concat()
    }

    fn version_1_body(
        &self,
        url: &str,
        code: Code,
        reason: &str,
        correlation: &str,
        member: &str,
    ) -> String {
        let error =
            if code == Code::PaymentRequired { "X-PAYMENT header is required" } else { reason };
        let url = quoted(url);
        let entry = |[before, after]: &[String; 2]| [before.as_str(), &url, after].concat();
        let accepts = self.written.version_1.iter().map(entry).collect::<Vec<_>>().join(",");
        [
            r#"{"x402Version":1,"error":"#,
            &quoted(error),
            r#","accepts":["#,
            &accepts,
            r#"],"code":"#,
            &quoted(code.name()),
            r#","detail":"#,
            &quoted(code.row().detail),
            r#","correlation_id":"#,
            &quoted(correlation),
            member,
            "}",
        ]
        .concat()
    }

    /// The terms in version 1, for networks that have a name there.
    #[must_use]
    pub fn version_1<'a>(
        &'a self,
        choice: &'a Choice,
        url: &'a str,
    ) -> Option<v1::PaymentRequirements<'a>> {
        v1::PaymentRequirements::new(&choice.terms, url, &self.description, &self.mime_type)
    }

    fn page(&self, url: &str) -> String {
        let prices: Vec<String> = self
            .choices
            .iter()
            .map(|choice| choice.terms.amount.to_decimal(choice.asset_label.1))
            .collect();
        let ways = self.choices.iter().zip(&prices).map(|(choice, price)| paywall::Way {
            price,
            asset: &choice.asset_label.0,
            network: choice.terms.network.as_str(),
            pay_to: &choice.terms.pay_to,
        });
        let ways = ways.collect::<Vec<_>>();
        paywall::html(&paywall::Page { url, description: &self.description, ways: &ways })
    }
}

fn route_hash(pattern: &str) -> u64 {
    let digest = keys::digest(&[pattern.as_bytes()]);
    digest.get(..16).and_then(|head| u64::from_str_radix(head, 16).ok()).unwrap_or_default()
}

/// Cuts at the empty text that is the value of `name`.
fn cut<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let at = text.find(name).map_or(0, |at| at.saturating_add(name.len()));
    let end = at.saturating_add(2);
    (text.get(..at).unwrap_or_default(), text.get(end..).unwrap_or_default())
}

/// A text as JSON.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
