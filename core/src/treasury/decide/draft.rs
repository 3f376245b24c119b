//! What is known of a request on its way to a decision.

use alloc::string::String;
use alloc::vec::Vec;

use crate::treasury::Scene;
use crate::treasury::books::Change;
use crate::treasury::id::Fresh;
use crate::treasury::policy::Rules;
use crate::treasury::request::PaymentRequest;
use crate::treasury::reviewed::Reviewed;
use crate::treasury::row::{DecisionRow, ReviewRow};

/// A request under way to its decision.
pub(in crate::treasury) struct Draft<'a> {
    pub scene: Scene<'a>,
    pub fresh: Fresh,
    pub request: PaymentRequest,
    /// Hash of the request.
    pub digest: String,
    /// What a review of it covers.
    pub reviewed: Reviewed,
    pub agent: String,
    /// The key under which it is kept.
    pub key: Option<String>,
    pub organization: Rules,
    pub own: Rules,
    /// The decision that waits for a review, with that review.
    pub waiting: Option<(DecisionRow, Option<ReviewRow>)>,
    /// Writes so far.
    pub changes: Vec<Change>,
}
