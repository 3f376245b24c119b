//! A request on its way to a decision.

use alloc::string::String;
use alloc::vec::Vec;

use crate::books::Change;
use crate::id::Fresh;
use crate::kernel::Now;
use crate::policy::Rules;
use crate::request::PaymentRequest;
use crate::reviewed::Reviewed;
use crate::row::{DecisionRow, ReviewRow};

/// A request under way to its decision.
pub(crate) struct Draft<'a> {
    pub scene: Now<'a>,
    pub fresh: Fresh,
    pub request: PaymentRequest,
    /// Hash of the request.
    pub digest: String,
    /// The scope of a review of it.
    pub reviewed: Reviewed,
    pub agent: String,
    /// The token that asks; none of a payout.
    pub token: Option<String>,
    /// The key under which it is kept.
    pub key: Option<String>,
    pub organization: Rules,
    pub own: Rules,
    /// The decision that waits for a review, with that review.
    pub waiting: Option<(DecisionRow, Option<ReviewRow>)>,
    /// Writes so far.
    pub changes: Vec<Change>,
}
