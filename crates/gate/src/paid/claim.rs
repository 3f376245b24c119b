//! The claim on a payment: only a reply of the ledger makes one.
//!
//! Whoever seals, settles or delivers hands in the claim that allows it.

use farebox_ledger::command::{Answer, Deliver, Resend};
use farebox_ledger::entry::FIRST_FENCE;

/// The right to settle and deliver one payment.
///
/// Only a reply of the ledger makes one:
///
/// ```compile_fail,E0451
/// use farebox_gate::paid::Claim;
/// let claim = Claim { fence: 1 };
/// ```
///
/// Nor is there a second one; the steps of the work hand it on:
///
/// ```compile_fail,E0277
/// use farebox_gate::paid::Claim;
/// fn copied<T: Clone>() {}
/// copied::<Claim>();
/// ```
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct Claim {
    fence: u64,
}

impl Claim {
    /// The claim that an answer grants, or the answer if it grants none.
    pub(super) fn of(answer: Answer) -> Result<Self, Answer> {
        match answer {
            Answer::Granted { fence } => Ok(Self { fence }),
            other => Err(other),
        }
    }

    /// The claim to deliver what was paid earlier.
    pub(super) const fn to_deliver(deliver: &Deliver) -> Self {
        Self { fence: deliver.fence }
    }

    /// The claim to send a settlement once more.
    pub(super) const fn to_resend(resend: &Resend) -> Self {
        Self { fence: resend.fence }
    }

    /// The number that must accompany a command under this claim.
    pub(super) const fn fence(&self) -> u64 {
        self.fence
    }

    /// Whether this is the first claim of its row.
    pub(super) const fn is_first(&self) -> bool {
        self.fence == FIRST_FENCE
    }
}
