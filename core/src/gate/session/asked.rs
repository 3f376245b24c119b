//! A request with its payment by session: what was asked for, at which terms, and who pays.

use alloc::vec::Vec;

use super::payment::SessionPayment;
use crate::gate::Gate;
use crate::gate::offer::{Choice, Offer};
use crate::gate::request::IncomingRequest;

/// A request that is paid by session.
#[cfg_attr(feature = "copies", derive(Clone))]
pub(super) struct AskedSession<'g> {
    pub gate: &'g Gate,
    pub offer: &'g Offer,
    pub choice: &'g Choice,
    pub request: IncomingRequest,
    pub payment: SessionPayment,
    /// Indices of the facilitators to ask in turn, the one to ask now first.
    pub settlers: Vec<usize>,
}
