//! State of an isolate that outlives a request, as far as a decision reads or changes it.

use alloc::vec::Vec;

use super::attempts::{Attempts, ClientKey};
use farebox_wire::facilitator::breaker::Condition;
use farebox_wire::facilitator::payers::PayerHistory;

/// Knowledge of the isolate beside a request, which the request may change.
#[derive(Debug)]
pub struct Isolate<'a> {
    /// Health of the facilitators, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// The history of payers.
    pub payers: &'a PayerHistory,
    /// Failures in a row, by client.
    pub attempts: &'a mut Attempts,
    /// The key under which the client is counted, if it is; the outcome of its payment is counted
    /// there too.
    pub client: Option<ClientKey>,
}
