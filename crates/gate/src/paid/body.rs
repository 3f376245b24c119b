//! Digest of the request's body, read before the ledger is asked because the payment is bound to
//! it.

use alloc::boxed::Box;
use alloc::string::String;

use super::{PaidRequest, Step};
use crate::checked::{Eligibility, Protocol};
use crate::reply::{Audience, Reply};
use farebox_base::http::BodyPresence;
use farebox_base::mutant::{Mutant, planted};
use farebox_common::problem::Code;
use farebox_wire::mpp::digest;

/// Longest request body that is part of the binding, bytes: the edge holds it in memory to hash it.
pub const MAX_DIGESTED_BYTES: usize = 64 * 1024;
/// SHA-256 of no bytes. Spec: FIPS 180-4.
const OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Waits for the digest of a payment's request body.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Digesting<'g>(pub(super) Box<PaidRequest<'g>>);

impl<'g> Digesting<'g> {
    /// Takes the digest in hex, or `None` for a body longer than [`MAX_DIGESTED_BYTES`].
    pub fn answered(self, digest: Option<String>) -> Step<'g> {
        let mut paid = self.0;
        paid.asked.take_digest(digest);
        paid.digested()
    }

    /// Ends the request when the body broke off: nothing is begun with part of a body.
    pub fn broken(self) -> Step<'g> {
        if planted(Mutant::PartBegins) {
            return self.answered(None);
        }
        Step::Respond(incomplete(&self.0.asked.request.correlation))
    }
}

/// The answer when a body broke off.
pub(crate) fn incomplete(correlation: &str) -> Reply {
    Reply::problem(Code::IncompleteBody, Audience::Paid, correlation, None)
}

impl<'g> PaidRequest<'g> {
    /// Goes to the ledger. A payment whose challenge was issued for another body counts as one for
    /// other terms.
    pub(super) fn digested(mut self: Box<Self>) -> Step<'g> {
        let is_other = !self.is_for_this_body();
        if is_other && self.checked.proof.was_sent() {
            return self.refuse(Code::PaymentAlreadyUsed);
        }
        if self.checked.eligibility == Eligibility::Fresh && is_other {
            self.checked.eligibility = Eligibility::TermsChanged(Code::DigestMismatch);
        }
        self.ask_ledger()
    }

    fn is_for_this_body(&self) -> bool {
        let Protocol::Mpp(answered) = &self.checked.protocol else { return true };
        let body = self.asked.body.digest();
        match &answered.digest {
            Some(issued) => {
                // A missing body has the digest of no bytes.
                let absent = self.asked.request.head.body == BodyPresence::Absent;
                let body = body.or(absent.then_some(OF_NOTHING));
                body.is_some_and(|body| digest::agrees(issued, &body))
            }
            // A body too long for a digest is accepted only by terms without one.
            None => !self.asked.offer.settings.binds_body || body.is_none(),
        }
    }
}
