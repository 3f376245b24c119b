//! What pages of other sites may send to a route, beyond what every page may.
//!
//! Every page may read a priced answer and send what a payment needs, without credentials. A route
//! adds the headers that its origin understands, and the pages that may send cookies along.

use alloc::string::String;
use alloc::vec::Vec;

/// What the operator lets pages do on one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Names of request headers, each after a comma and a space.
    pub(super) headers: String,
    /// Pages that may send credentials, as browsers write them in `Origin`.
    pub(super) origins: Vec<String>,
}
