//! What an isolate remembers between requests, as far as a decision reads or changes it.

use alloc::vec::Vec;

use super::attempts::{Attempts, ClientKey};
use crate::facilitator::breaker::Condition;

/// What the isolate knows beside a request, and learns from it.
#[derive(Debug)]
pub struct Isolate<'a> {
    /// How the facilitators do, in the order of the configuration.
    pub facilitators: Vec<Condition>,
    /// Who failed how often.
    pub attempts: &'a mut Attempts,
    /// Where the client is counted, if it is: what becomes of its payment is counted there too.
    pub client: Option<ClientKey>,
}
