//! The parts of a 402: what it answers, and what of its terms is written once for all requests.

use alloc::string::String;
use alloc::vec::Vec;

use crate::http::RequestHead;
use crate::payment::SignedToken;
use crate::time::UnixTime;

/// The request that terms are an answer to.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeRequest<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// Its correlation id.
    pub correlation: &'a str,
    /// Signs challenges.
    pub key: &'a [u8; 32],
    /// SHA-256 of its body, where the challenge is to be one for that body.
    pub digest: Option<&'a [u8; 32]>,
    /// When it was asked.
    pub now: UnixTime,
}

/// The terms, written once but for what depends on the request.
#[derive(Clone, Debug, Default)]
pub struct ChallengeTemplate {
    /// Around reason and URL.
    pub(super) version_2: [String; 3],
    /// Entries of `accepts`, each around its URL.
    pub(super) version_1: Vec<[String; 2]>,
    /// What challenges of MPP ask.
    pub(super) requests: Vec<MppTemplate>,
}

/// What a choice asks, around the reference, and for which token: canonical JSON.
#[derive(Clone, Debug)]
pub struct MppTemplate {
    pub(super) token: SignedToken,
    pub(super) isolate: [String; 2],
}
