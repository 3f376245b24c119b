//! The one 402 that every client understands: x402 terms in a header and in the body, an MPP
//! challenge beside them, HTML for browsers.
//!
//! Spec: x402 v1 and v2, HTTP transport; Payment authentication scheme, "Challenge";
//! docs/answers.md, "By code".

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::diagnose::Diagnosis;
use super::mpp::issue::{self, Issued};
use super::offer::{Choice, Offer};
use super::reply::{Audience, Body, Marks, Reply, own_headers};
use super::template::{ChallengeRequest, ChallengeTemplate, MppTemplate};
use farebox_base::encoding::json;
use farebox_base::http::{Headers, MAX_CHALLENGE_BYTES, RequestHead, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_common::problem::{self, Code};
use farebox_wire::paywall;
use farebox_wire::x402::exact::DEFERRED;
use farebox_wire::x402::extension::{bazaar, gas_sponsoring, offer_receipt, payment_identifier};
use farebox_wire::x402::{header, v1, v2};

/// Room for the fields that describe the body, bytes.
const PAGE_HEADER_BYTES: usize = 256;
/// A correlation id of the greatest length.
const LONGEST_CORRELATION: &str =
    "----------------------------------------------------------------";

/// The reason for answering with terms.
#[derive(Clone, Copy)]
struct Why<'a> {
    code: Code,
    /// Reason in the protocol's words.
    reason: &'a str,
    /// Last member of the terms; may be empty.
    member: &'a str,
}

impl Offer {
    /// Writes the terms with empty texts and cuts them at those, to fill in per request.
    pub(super) fn written(mut self) -> Self {
        let resource = v2::ResourceInfo {
            url: "",
            description: &self.settings.description,
            mime_type: &self.settings.mime_type,
            service: &self.settings.service,
        };
        let required = v2::PaymentRequired::new(
            "",
            resource,
            self.choices
                .iter()
                .map(|choice| &choice.requirements)
                .chain(
                    self.choices
                        .iter()
                        .filter_map(|choice| Some(&choice.session.as_ref()?.requirements)),
                )
                .collect(),
        );
        // Reason and URL come before any text of the operator's.
        let text = json::text(&required);
        let (before, rest) = cut(&text, r#""error":"#);
        let (between, after) = cut(rest, r#""url":"#);
        let version_2 = [before.into(), between.into(), after.into()];
        let entries = self.choices.iter().filter_map(|choice| self.version_1(choice, ""));
        let version_1 = entries
            .map(|entry| {
                let text = json::text(&entry);
                let (before, after) = cut(&text, r#""resource":"#);
                [before.into(), after.into()]
            })
            .collect();
        let requests = self.choices.iter().filter_map(|choice| MppTemplate::of(&self, choice));
        let requests = requests.collect();
        self.written = ChallengeTemplate { version_2, version_1, requests };
        self
    }

    /// The same without what a 402 leaves out when it gets too long.
    pub(super) fn least(&self) -> Self {
        let mut least = Self { bazaar: None, announces_identifier: false, ..self.clone() };
        least.settings.service = Arc::default();
        least.written()
    }

    /// Templates of the MPP challenges of this route.
    pub(super) fn requests(&self) -> &[MppTemplate] {
        &self.written.requests
    }

    /// The 402 for this request. `reason` is the protocol's word for `code`; the diagnosis appears
    /// in header and body.
    ///
    /// If the header block gets too long, the diagnosis is left out, then the declaration of the
    /// route's input and output, the seller's name, and what is announced; if it is still too long, the
    /// answer is 414.
    #[must_use]
    pub fn challenge(
        &self,
        asked: &ChallengeRequest<'_>,
        code: Code,
        reason: &str,
        diagnosis: Option<&Diagnosis>,
    ) -> Reply {
        let member = diagnosis.map(Diagnosis::member).unwrap_or_default();
        let why = Why { code, reason, member: &member };
        let issued = issue::challenges(self, asked);
        let mut headers = self.challenge_headers(asked, why, issued.as_ref());
        if headers.block_bytes().saturating_add(PAGE_HEADER_BYTES) > MAX_CHALLENGE_BYTES {
            return match diagnosis {
                Some(_) => self.challenge(asked, code, reason, None),
                None if self.bazaar.is_some() => {
                    let plain = Self { bazaar: None, ..self.clone() };
                    plain.challenge(asked, code, reason, None)
                }
                None if *self.settings.service != v2::ServiceInfo::NONE => {
                    let mut plain = self.clone();
                    plain.settings.service = Arc::default();
                    plain.written().challenge(asked, code, reason, None)
                }
                None if self.announces_identifier => {
                    let plain = Self { announces_identifier: false, ..self.clone() };
                    plain.challenge(asked, code, reason, None)
                }
                None => {
                    Reply::problem(Code::TargetTooLong, Audience::Paid, asked.correlation, None)
                }
            };
        }
        if let Some(secs) = diagnosis.and_then(|diagnosis| diagnosis.retry_after) {
            headers.add("retry-after", &secs.to_string());
        }
        let body = if asked.head.prefers_html() {
            headers.add("content-type", "text/html; charset=utf-8");
            // A page cannot send again what a form sent, nor read where a redirect leads.
            let follows = !self.settings.sells_redirects;
            let is_payable = self.settings.has_pages && follows && asked.head.method == "GET";
            headers.add("content-security-policy", paywall::content_security_policy(is_payable));
            self.page(&asked.head.url, is_payable, issued.is_some())
        } else {
            let speaks = self.settings.protocols.x402;
            let kind = if speaks { "application/json" } else { "application/problem+json" };
            headers.add("content-type", kind);
            self.body(asked, why, issued.as_ref())
        };
        Reply {
            head: ResponseHead { status: 402, headers },
            body: Body::Text(body),
            code: Some(code),
            route: Some(self.settings.route.clone()),
            marks: Marks {
                diagnosed: diagnosis.and_then(Diagnosis::code),
                repeats: diagnosis.is_some_and(|diagnosis| diagnosis.repeats),
                ..Marks::default()
            },
        }
    }

    /// Bytes of the header block of a 402 for this URL; configuration keeps it within the limit.
    #[must_use]
    pub fn challenge_bytes(&self, url: &str) -> usize {
        let head = RequestHead {
            method: self.bazaar.as_ref().map_or("OPTIONS", |it| it.longest_method()).to_string(),
            url: url.to_string(),
            headers: Headers::from_lines(["authorization: Bearer"].into_iter()),
            body: farebox_base::http::BodyPresence::Absent,
            fresh: String::new(),
        };
        let now = UnixTime::from_secs(0);
        let (correlation, key, digest) = (LONGEST_CORRELATION, &[0; 32], Some(&[0; 32]));
        let asked = ChallengeRequest { head: &head, correlation, key, digest, now };
        let why = Why { code: Code::PaymentRequired, reason: "Payment required", member: "" };
        let issued = issue::challenges(self, &asked);
        // An announcement gives way to everything else.
        let least = Self { announces_identifier: false, ..self.clone() };
        let headers = least.challenge_headers(&asked, why, issued.as_ref());
        headers.block_bytes().saturating_add(PAGE_HEADER_BYTES)
    }

    fn challenge_headers(
        &self,
        asked: &ChallengeRequest<'_>,
        why: Why<'_>,
        issued: Option<&Issued>,
    ) -> Headers {
        let mut headers = own_headers(Audience::Paid, asked.correlation);
        if self.settings.protocols.x402 {
            let member = self.extended(asked.head, why.member);
            let required = self.payment_required(&asked.head.url, Why { member: &member, ..why });
            headers.add("payment-required", &header::encode(&required));
        }
        if let Some(issued) = issued {
            headers.add("www-authenticate", &issued.header);
        }
        headers.add("vary", "Accept, User-Agent");
        headers
    }

    /// The member `extensions`: what is announced to everyone, the operator's declaration of such
    /// requests, and those in `member`.
    fn extended<'a>(&self, head: &RequestHead, member: &'a str) -> Cow<'a, str> {
        let mut ours = Vec::new();
        if self.announces_identifier {
            ours.push(named(payment_identifier::NAME, payment_identifier::ANNOUNCED));
            // Terms that a Worker prices may be handed on, and are asked for at another URL then.
            if self.pricer.is_none() {
                ours.push(named(offer_receipt::NAME, offer_receipt::ANNOUNCED));
            }
        }
        if self.settings.sponsors_gas {
            ours.push(named(gas_sponsoring::NAME, gas_sponsoring::ANNOUNCED));
        }
        if let Some(extension) = self.declared(head) {
            ours.push(named(bazaar::NAME, &json::text(&extension)));
        }
        if ours.is_empty() {
            return Cow::Borrowed(member);
        }
        let others = member.strip_prefix(",\"extensions\":{").map(|others| [",", others].concat());
        let others = others.as_deref().unwrap_or("}");
        Cow::Owned(format!(",\"extensions\":{{{}{others}", ours.join(",")))
    }

    /// The operator's declaration of such requests.
    pub(super) fn declared(&self, head: &RequestHead) -> Option<serde_json::Value> {
        let declared = self.bazaar.as_ref().filter(|declaration| declaration.takes(&head.method));
        let path = head.target().split('?').next().unwrap_or_default();
        declared.map(|declaration| declaration.extension(&head.method, path))
    }

    fn payment_required(&self, url: &str, why: Why<'_>) -> String {
        let [before, between, after] = &self.written.version_2;
        let after = after.strip_suffix('}').unwrap_or_default();
        let (reason, url) = (quoted(why.reason), quoted(url));
        [before.as_str(), &reason, between, &url, after, why.member, "}"].concat()
    }

    /// The members of x402 version 1 and, if a challenge is issued, those of a problem document:
    /// clients of either ignore the other's.
    fn body(&self, asked: &ChallengeRequest<'_>, why: Why<'_>, issued: Option<&Issued>) -> String {
        let row = why.code.row();
        let mut text = String::from("{");
        let mut add = |name: &str, json: &str| {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&quoted(name));
            text.push(':');
            text.push_str(json);
        };
        if self.settings.protocols.x402 {
            let error = match why.code {
                Code::PaymentRequired => "X-PAYMENT header is required",
                _ => why.reason,
            };
            let url = quoted(&asked.head.url);
            let entry = |[before, after]: &[String; 2]| [before.as_str(), &url, after].concat();
            let accepts = self.written.version_1.iter().map(entry).collect::<Vec<_>>().join(",");
            add("x402Version", "1");
            add("error", &quoted(error));
            add("accepts", &["[", &accepts, "]"].concat());
        }
        if let Some(issued) = issued {
            let problem = row.problem.unwrap_or("verification-failed");
            add("type", &quoted(&[problem::PAYMENT_PROBLEMS, problem].concat()));
            add("title", &quoted(row.title));
            add("status", "402");
            add("challengeId", &quoted(&issued.id));
        }
        add("reason", &quoted(why.reason));
        add("code", &quoted(why.code.name()));
        add("detail", &quoted(row.detail));
        add("correlation_id", &quoted(asked.correlation));
        [&text, why.member, "}"].concat()
    }

    /// The terms in version 1; `None` if the network has no name there.
    #[must_use]
    pub fn version_1<'a>(
        &'a self,
        choice: &'a Choice,
        url: &'a str,
    ) -> Option<v1::PaymentRequirements<'a>> {
        v1::PaymentRequirements::new(
            &choice.terms,
            url,
            &self.settings.description,
            &self.settings.mime_type,
        )
    }

    fn page(&self, url: &str, is_payable: bool, mpp: bool) -> String {
        let prices: Vec<String> = self
            .choices
            .iter()
            .map(|choice| choice.terms.amount.to_decimal(choice.asset_label.decimals))
            .collect();
        let ways = self.choices.iter().zip(&prices);
        let speaks = self.settings.protocols.x402;
        // The other scheme of the same token says nothing new to people.
        let ways = ways.filter(|(choice, _)| choice.requirements.scheme() != DEFERRED);
        let ways = ways.map(|(choice, price)| paywall::Way {
            terms: &choice.requirements,
            price,
            asset: &choice.asset_label.symbol,
            decimals: choice.asset_label.decimals,
            network: &choice.terms.network,
            session: choice.session.as_ref().map(|it| &it.requirements).filter(|_| speaks),
        });
        let ways = ways.collect::<Vec<_>>();
        paywall::html(&paywall::Page {
            url,
            description: &self.settings.description,
            seller: self.settings.service.service_name.as_deref().unwrap_or_default(),
            ways: &ways,
            is_payable,
            x402: speaks,
            mpp,
        })
    }
}

/// Cuts at the empty text that is the value of `name`.
fn cut<'a>(text: &'a str, name: &str) -> (&'a str, &'a str) {
    let at = text.find(name).map_or(0, |at| at.saturating_add(name.len()));
    let end = at.saturating_add(2);
    (text.get(..at).unwrap_or_default(), text.get(end..).unwrap_or_default())
}

/// A member of an object: its name and JSON.
fn named(name: &str, json: &str) -> String {
    [&quoted(name), ":", json].concat()
}

/// Writes a text as JSON.
fn quoted(text: &str) -> String {
    json::text(text)
}
