//! Which documents a gate publishes, and about what.

use alloc::string::String;
use alloc::vec::Vec;

use super::listing::Listing;
use farebox_wire::x402::v2::ServiceInfo;

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

    /// Its path.
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

/// The documents to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Publish {
    /// Each document whose path the origin does not answer itself.
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

/// The seller, for people and registries; every text may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Its name; the host if it is empty.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// A URL or a path.
    pub homepage: String,
    /// An address for mail.
    pub contact: String,
    /// Its subjects.
    pub categories: Vec<String>,
    /// The URL of a picture.
    pub icon: String,
}

impl Service {
    /// The members that a challenge has.
    #[must_use]
    pub fn info(&self) -> ServiceInfo {
        ServiceInfo::new(&self.name, &self.categories, &self.icon)
    }
}

/// The publication of a gate.
#[derive(Debug)]
pub struct Publication {
    /// The documents to publish.
    pub publish: Publish,
    /// The seller.
    pub service: Service,
    /// The goods and their prices.
    pub listing: Listing,
}
