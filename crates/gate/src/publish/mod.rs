//! Documents about the priced routes, written from the route table alone, for programs that look
//! for something to buy.
//!
//! [`Publications`] decide at each request whether a document is asked for and whether it may be
//! answered; [`listing`] turns the table into paths and operations, `openapi`,
//! `llms` and `well_known` write one document each. A document is advice: the 402 is binding.
//!
//! Assumptions:
//! - no answer of the origin is lost: unless the operator has named the documents to publish, the
//!   origin is asked first, and a document replaces only a 404;
//! - a document names what a 402 names too, and the bounds of a price that is named per request: no
//!   secret.

pub(super) mod document;
pub mod listing;
mod llms;
mod openapi;
mod schema;
mod well_known;

use alloc::string::String;

pub use self::document::{Document, Publication, Publish, Service};
use self::listing::Listing;
use super::parts::PricedRoutes;
use super::path::Target;
use super::reply::{Audience, Body, Reply, own_headers};
use super::request::IncomingRequest;
use super::route::RouteMatch;
use farebox_base::hash;
use farebox_base::http::{Headers, ResponseHead};
use farebox_common::problem::Code;

/// Lifetime of a document in caches. Spec: MPP "Discovery".
const CACHE_CONTROL: &str = "max-age=300";

/// A request for a document, as far as the answer depends on it.
#[derive(Clone, Debug)]
pub struct DocumentRequest {
    document: Document,
    /// Scheme and authority of the URL asked for.
    base: String,
    authority: String,
    correlation: String,
    /// The network that it comes from.
    network: String,
    /// Entity tags of the client's copy, if it sends any.
    known: Option<String>,
}

/// Treatment of a request for a document.
pub(super) enum Published {
    /// It is answered now.
    Now(DocumentRequest),
    /// It is answered if the origin does not have the document.
    IfMissing(DocumentRequest),
}

/// A document as it is sent, and its entity tag: it is the same for all who ask for it at one base.
#[derive(Clone, Debug)]
pub struct WrittenDocument {
    text: String,
    tag: String,
}

/// The documents of a gate.
#[derive(Clone, Copy)]
pub struct Publications<'g> {
    pub(super) publication: &'g Publication,
    pub(super) routes: &'g PricedRoutes,
}

impl Publications<'_> {
    /// Decides about a request for a document; `None` if none is to be answered. A route of exactly
    /// this path wins. A priced path never asks the origin; a free one does, unless the operator
    /// has decided.
    pub(super) fn decide(
        &self,
        request: &IncomingRequest,
        target: &Target,
        found: &RouteMatch,
    ) -> Option<Published> {
        let IncomingRequest { head, correlation } = request;
        let path = target.path();
        let document = Document::ALL.into_iter().find(|document| document.path() == path)?;
        let reads = matches!(head.method.as_str(), "GET" | "HEAD");
        if !reads || !self.publication.publish.has(document) || self.routes.table.lists(path) {
            return None;
        }
        let is_free = match found {
            RouteMatch::Route(rule) => self.routes.offer(*rule).is_none(),
            RouteMatch::Unlisted => true,
            RouteMatch::Denied | RouteMatch::MethodNotAllowed { .. } => false,
            RouteMatch::Options { .. } | RouteMatch::Ambiguous => return None,
        };
        let wanted = DocumentRequest {
            document,
            base: head.url.strip_suffix(head.target()).unwrap_or_default().into(),
            authority: head.authority().into(),
            correlation: correlation.clone(),
            network: request.network().into_owned(),
            known: head.headers.joined("if-none-match").map(Into::into),
        };
        if is_free && self.publication.publish == Publish::Spare {
            return Some(Published::IfMissing(wanted));
        }
        Some(Published::Now(wanted))
    }

    /// The document that is asked for: a large table takes a tenth of a second, so it is kept.
    #[must_use]
    pub fn written(&self, wanted: &DocumentRequest) -> WrittenDocument {
        let text = self.write(wanted.document, &wanted.base, &wanted.authority);
        let digest = hash::digest(&[text.as_bytes()]);
        let tag = ["\"", digest.get(..32).unwrap_or_default(), "\""].concat();
        WrittenDocument { text, tag }
    }

    /// A document of the gate that is reached at `base` (scheme and authority) under this
    /// authority.
    #[must_use]
    pub fn write(&self, document: Document, base: &str, authority: &str) -> String {
        let Publication { publish, service, listing } = self.publication;
        let shop =
            DocumentContext { base, authority, service, publish, listing, routes: self.routes };
        match document {
            Document::OpenApi => openapi::write(&shop),
            Document::Llms => llms::write(&shop),
            Document::WellKnown => well_known::write(&shop),
        }
    }
}

impl DocumentRequest {
    /// The document and the base, on which its text depends beside the gate.
    #[must_use]
    pub fn place(&self) -> (Document, &str) {
        (self.document, &self.base)
    }

    /// The network that it comes from.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The refusal where too many wait for a document to be written.
    #[must_use]
    pub fn refuse(&self) -> Reply {
        Reply::problem(Code::RateLimited, Audience::Paid, &self.correlation, None)
    }

    /// The document, or a 304 if the client has it.
    #[must_use]
    pub fn answer(&self, WrittenDocument { text, tag }: &WrittenDocument) -> Reply {
        let mut headers = own_headers(Audience::Paid, &self.correlation);
        headers.set("cache-control", CACHE_CONTROL);
        headers.add("etag", tag);
        if self.known.as_ref().is_some_and(|known| names(known, tag)) {
            return reply(304, headers, Body::Empty);
        }
        headers.add("content-type", self.document.content_type());
        reply(200, headers, Body::Text(text.clone()))
    }
}

impl WrittenDocument {
    /// Its length, bytes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// The facts that a document is written from.
struct DocumentContext<'a> {
    base: &'a str,
    authority: &'a str,
    service: &'a Service,
    publish: &'a Publish,
    listing: &'a Listing,
    routes: &'a PricedRoutes,
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
