//! Which documents a gate publishes, and about what.

use alloc::string::String;
use alloc::vec::Vec;

use super::listing::Listing;

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

    pub(super) const fn content_type(self) -> &'static str {
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
    pub(super) fn has(&self, document: Document) -> bool {
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
