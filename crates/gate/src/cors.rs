//! The permissions of pages of other sites on a route, beyond those of every page.
//!
//! Every page may read a priced answer and send what a payment needs, without credentials. A route
//! adds the headers that its origin understands, and the pages that may send cookies along. Where
//! it names pages, its origin names none.

use alloc::string::String;
use alloc::vec::Vec;

/// The page that may read an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerReader<'h> {
    /// The route names no pages: what the origin says holds or, without that, every page without
    /// credentials.
    Any,
    /// This page, with credentials.
    Trusted(&'h str),
    /// Every page without credentials, whatever the origin says.
    Stranger,
}

/// The operator's permissions for pages on one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cors {
    /// Names of request headers, each after a comma and a space.
    pub(super) headers: String,
    /// Pages that may send credentials, as browsers write them in `Origin`.
    pub(super) origins: Vec<String>,
}
