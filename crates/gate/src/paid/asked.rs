//! The subject of a purchase: the request, its route and the terms that it pays. Nothing changes it
//! once the request's body is read.

use alloc::borrow::Cow;
use alloc::string::String;
use core::ops::Deref;

use crate::Gate;
use crate::offer::{Choice, Offer};
use crate::request::IncomingRequest;
use farebox_base::encoding::hex;

/// Longest time in which a long body goes out, seconds.
const MAX_UPLOAD_SECS: u64 = 300;

/// A purchase that cannot be changed any more.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct FixedPurchase<'g>(Purchase<'g>);

/// The request, its route and the terms that it pays.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct Purchase<'g> {
    pub gate: &'g Gate,
    pub offer: Cow<'g, Offer>,
    pub choice: Cow<'g, Choice>,
    pub request: IncomingRequest,
    pub body: RequestBody,
}

/// The body of a request, as far as its payment is bound to it.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) enum RequestBody {
    /// None, or not read yet.
    Unread,
    /// SHA-256, hex.
    Digest(String),
    /// Longer than what is read.
    Long,
}

impl RequestBody {
    /// The form that the binding covers.
    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Unread => "none",
            Self::Digest(digest) => digest,
            Self::Long => "long",
        }
    }

    /// Seconds that it may take on its way to the origin, beside the origin's own time: one that
    /// was digested is here.
    pub(super) const fn upload_secs(&self) -> u64 {
        match self {
            Self::Unread | Self::Digest(_) => 0,
            Self::Long => MAX_UPLOAD_SECS,
        }
    }

    /// SHA-256 of the body; `None` if there is no body or it is too long.
    pub(super) fn digest(&self) -> Option<[u8; 32]> {
        match self {
            Self::Digest(digest) => digest_bytes(digest),
            Self::Unread | Self::Long => None,
        }
    }
}

/// The bytes of a digest in hex.
pub(crate) fn digest_bytes(digest: &str) -> Option<[u8; 32]> {
    hex::decode_array(&["0x", digest].concat()).ok()
}

impl<'g> FixedPurchase<'g> {
    pub(super) const fn new(purchase: Purchase<'g>) -> Self {
        Self(purchase)
    }

    /// Takes what was read of the request's body; `None` for a body that is too long.
    pub(super) fn take_digest(&mut self, digest: Option<String>) {
        self.0.body = digest.map_or(RequestBody::Long, RequestBody::Digest);
    }
}

impl<'g> Deref for FixedPurchase<'g> {
    type Target = Purchase<'g>;

    fn deref(&self) -> &Purchase<'g> {
        &self.0
    }
}
