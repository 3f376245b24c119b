//! The parts of a 402: the request it answers, and the terms that are written once for all
//! requests.

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_common::payment::SignedToken;

/// The request that the terms answer.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeRequest<'a> {
    /// Its head.
    pub head: &'a RequestHead,
    /// Its correlation id.
    pub correlation: &'a str,
    /// Key that signs challenges.
    pub key: &'a [u8; 32],
    /// SHA-256 of its body, if the challenge is to be bound to it.
    pub digest: Option<&'a [u8; 32]>,
    /// Time of the request.
    pub now: UnixTime,
}

/// The terms, written once except for what depends on the request.
#[derive(Clone, Debug, Default)]
pub struct ChallengeTemplate {
    /// The texts around reason and URL.
    pub(super) version_2: [String; 3],
    /// Entries of `accepts`, each as the texts around its URL.
    pub(super) version_1: Vec<[String; 2]>,
    /// Requests of the MPP challenges.
    pub(super) requests: Vec<MppTemplate>,
}

/// The MPP request of a choice, canonical JSON, as the texts around the reference; and its token.
#[derive(Clone, Debug)]
pub struct MppTemplate {
    pub(super) token: SignedToken,
    pub(super) isolate: [String; 2],
}
