//! The request's body, as far as a payment is bound to it: its digest is read before the ledger is asked.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;

use super::{PaidRequest, Step};
use crate::encoding::hex;
use crate::gate::checked::{Eligibility, Protocol};
use crate::gate::reply::{Audience, Reply};
use crate::http::BodyPresence;
use crate::mpp::digest;
use crate::mutant::{Mutant, planted};
use crate::problem::Code;

/// Longest request body that is part of the binding, bytes.
pub const MAX_DIGESTED_BYTES: usize = 64 * 1024;
/// Stands for the digest of a longer one.
const LONG: &str = "long";
/// SHA-256 of no bytes. Spec: FIPS 180-4.
const OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Waits for the digest of a payment's request body.
pub struct Digesting<'g>(pub(super) Box<PaidRequest<'g>>);

impl<'g> Digesting<'g> {
    /// The digest in hex, or none for a body longer than [`MAX_DIGESTED_BYTES`].
    pub fn answered(self, digest: Option<String>) -> Step<'g> {
        let mut paid = self.0;
        paid.digest = digest.unwrap_or_else(|| LONG.to_owned());
        paid.digested()
    }

    /// The body ended before its end: nothing is begun with a part of it.
    pub fn broken(self) -> Step<'g> {
        if planted(Mutant::PartBegins) {
            return self.answered(None);
        }
        Step::Respond(incomplete(&self.0.correlation))
    }
}

/// The answer where a body ended before its end.
pub(in crate::gate) fn incomplete(correlation: &str) -> Reply {
    Reply::problem(Code::IncompleteBody, Audience::Paid, correlation, None)
}

impl<'g> PaidRequest<'g> {
    /// Goes to the ledger. A payment whose challenge was issued for another body pays other terms than this request's.
    pub(super) fn digested(mut self: Box<Self>) -> Step<'g> {
        let is_other = !self.is_for_this_body();
        if is_other && self.proof.was_sent() {
            return self.refuse(Code::PaymentAlreadyUsed);
        }
        if self.eligibility == Eligibility::Fresh && is_other {
            self.eligibility = Eligibility::TermsChanged(Code::DigestMismatch);
        }
        self.ask_ledger()
    }

    fn is_for_this_body(&self) -> bool {
        let Protocol::Mpp(answered) = &self.protocol else { return true };
        let body = self.body_digest();
        match &answered.digest {
            Some(issued) => {
                // No body is the body of no bytes.
                let absent = self.head.body == BodyPresence::Absent;
                let body = body.or(absent.then_some(OF_NOTHING));
                body.is_some_and(|body| digest::agrees(issued, &body))
            }
            // There is no challenge for a body that is too long to be digested.
            None => !self.offer.binds_body || body.is_none(),
        }
    }

    /// SHA-256 of the body, if there is one that is not too long.
    pub(super) fn body_digest(&self) -> Option<[u8; 32]> {
        digest_bytes(&self.digest)
    }
}

/// The bytes of a digest in hex.
pub(in crate::gate) fn digest_bytes(digest: &str) -> Option<[u8; 32]> {
    hex::decode_array(&["0x", digest].concat()).ok()
}
