//! What the gate says about what it sells, written from the route table alone: documents for programs that look for
//! something to buy.
//!
//! [`Gate::published`](super::Gate) decides at each request whether a document is asked for and whether it may be
//! answered; [`listing`] turns the table into paths and operations, `openapi`, `llms` and `well_known` write one document
//! each. A document is advice: what counts is the 402.
//!
//! Assumptions:
//! - nothing is taken away: where the operator has not said what the gate publishes, the origin is asked first, and a
//!   document stands in the place of a 404 alone;
//! - a document names what a 402 names too, and between which bounds a price is named per request: no secret.

pub mod listing;
mod llms;
mod openapi;
mod well_known;

use alloc::string::String;
use alloc::vec::Vec;

use super::Gate;
use super::keys;
use super::path::Target;
use super::reply::{Audience, Body, Reply, own_headers};
use super::route::RouteMatch;
use crate::http::{Headers, RequestHead, ResponseHead};
use listing::Listing;

/// How long a document may be kept. Spec: MPP "Discovery".
const CACHE_CONTROL: &str = "max-age=300";

/// One document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// OpenAPI 3.1 with prices. Spec: MPP "Discovery".
    OpenApi,
    /// The same in words.
    Llms,
    /// The resources and their x402 terms.
    WellKnown,
}

impl Document {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::OpenApi, Self::Llms, Self::WellKnown];

    /// Its name in `PUBLISH`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenApi => "openapi",
            Self::Llms => "llms",
            Self::WellKnown => "x402",
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::OpenApi => "/openapi.json",
            Self::Llms => "/llms.txt",
            Self::WellKnown => "/.well-known/x402",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::OpenApi | Self::WellKnown => "application/json",
            Self::Llms => "text/plain; charset=utf-8",
        }
    }
}

/// Which documents there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Each that the origin has nothing in the place of.
    Spare,
    /// These, without asking the origin.
    These(Vec<Document>),
}

impl Publish {
    fn has(&self, document: Document) -> bool {
        match self {
            Self::Spare => true,
            Self::These(list) => list.contains(&document),
        }
    }
}

/// Who sells, for people and registries; every text may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// What it is called; the host where it is empty.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// A URL or a path.
    pub homepage: String,
    /// An address for mail.
    pub contact: String,
    /// What it is about.
    pub categories: Vec<String>,
}

/// What a gate publishes.
#[derive(Debug)]
pub struct Publication {
    /// Which documents.
    pub publish: Publish,
    /// Who sells.
    pub service: Service,
    /// What is sold.
    pub listing: Listing,
}

/// A request for a document, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub struct DocumentRequest {
    document: Document,
    /// Scheme and authority of the URL asked for.
    base: String,
    authority: String,
    /// What the client has, if it says so.
    known: Option<String>,
}

/// What becomes of a request for a document.
pub(super) enum Published {
    /// It is answered.
    Now(Reply),
    /// It is answered where the origin has nothing.
    IfMissing(DocumentRequest),
}

impl Gate {
    /// What becomes of a request that asks for a document, if one is answered: a route of exactly this path wins, what
    /// costs money is never asked of the origin, and what is free is, unless the operator has decided.
    pub(super) fn published(
        &self,
        head: &RequestHead,
        target: &Target,
        found: &RouteMatch,
        correlation: &str,
    ) -> Option<Published> {
        let path = target.path();
        let document = Document::ALL.into_iter().find(|document| document.path() == path)?;
        let reads = matches!(head.method.as_str(), "GET" | "HEAD");
        if !reads || !self.publication.publish.has(document) || self.table.lists(path) {
            return None;
        }
        let is_free = match found {
            RouteMatch::Route(rule) => self.offers.get(*rule).is_none_or(Option::is_none),
            RouteMatch::Unlisted => true,
            RouteMatch::Denied | RouteMatch::MethodNotAllowed { .. } => false,
            RouteMatch::Options { .. } | RouteMatch::Ambiguous => return None,
        };
        let wanted = DocumentRequest {
            document,
            base: head.url.strip_suffix(head.target()).unwrap_or_default().into(),
            authority: head.authority().into(),
            known: head.headers.joined("if-none-match").map(Into::into),
        };
        if is_free && self.publication.publish == Publish::Spare {
            return Some(Published::IfMissing(wanted));
        }
        Some(Published::Now(self.document(&wanted, correlation)))
    }

    /// The document, or that the client has it.
    pub(super) fn document(&self, wanted: &DocumentRequest, correlation: &str) -> Reply {
        let text = self.document_text(wanted.document, &wanted.base, &wanted.authority);
        let digest = keys::digest(&[text.as_bytes()]);
        let tag = ["\"", digest.get(..32).unwrap_or_default(), "\""].concat();
        let mut headers = own_headers(Audience::Paid, correlation);
        headers.set("cache-control", CACHE_CONTROL);
        headers.add("etag", &tag);
        if wanted.known.as_ref().is_some_and(|known| names(known, &tag)) {
            return reply(304, headers, Body::Empty);
        }
        headers.add("content-type", wanted.document.content_type());
        reply(200, headers, Body::Text(text))
    }

    /// A document of the gate that is reached at `base` (scheme and authority) under this authority.
    #[must_use]
    pub fn document_text(&self, document: Document, base: &str, authority: &str) -> String {
        let Publication { publish, service, listing } = &self.publication;
        let shop =
            DocumentContext { base, authority, service, publish, listing, offers: &self.offers };
        match document {
            Document::OpenApi => openapi::write(&shop),
            Document::Llms => llms::write(&shop),
            Document::WellKnown => well_known::write(&shop),
        }
    }
}

/// What a document is written from.
struct DocumentContext<'a> {
    base: &'a str,
    authority: &'a str,
    service: &'a Service,
    publish: &'a Publish,
    listing: &'a Listing,
    offers: &'a [Option<super::offer::Offer>],
}

impl DocumentContext<'_> {
    fn title(&self) -> &str {
        if self.service.name.is_empty() { self.authority } else { &self.service.name }
    }
}

/// Whether a list of entity tags has this one, weak or not. Spec: RFC 9110 13.1.2.
fn names(list: &str, tag: &str) -> bool {
    list.split(',')
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

fn reply(status: u16, headers: Headers, body: Body) -> Reply {
    Reply::new(ResponseHead { status, headers }, body)
}
