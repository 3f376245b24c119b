//! The rows of reviews.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Where a review stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No one has looked.
    Open,
    /// It may be paid, once.
    Approved,
    /// It may not.
    Denied,
    /// It was paid.
    Used,
    /// Other terms or the end of its time came first.
    Expired,
}

/// A payment that a person has to look at. Key: id. Indexes: created; verdict; agent and verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReviewRow {
    /// `policyReviewEventId`.
    pub id: String,
    /// `paidRequestId`.
    pub decision: String,
    /// The agent that asked.
    pub agent: String,
    /// Hash of the request.
    pub request: String,
    /// Digest of the offer.
    pub terms: String,
    /// HTTP method.
    pub method: String,
    /// The merchant's URL.
    pub url: String,
    /// The price for people.
    pub amount: String,
    /// The symbol of its asset.
    pub asset: String,
    /// The payee.
    pub payee: String,
    /// CAIP-2 id.
    pub network: String,
    /// Where it stands.
    pub verdict: Verdict,
    /// When it was asked for.
    pub created: u64,
    /// When it ends; later once it is approved.
    pub expires: u64,
    /// When someone decided.
    pub decided: Option<u64>,
    /// Hash of the header fields and the body that would be sent.
    #[serde(default)]
    pub covers: String,
    /// Seconds for which the offer lets a payment be valid.
    #[serde(default)]
    pub timeout: u64,
    /// The header fields that would be sent, from the first.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Bytes of the header fields that are not here.
    #[serde(default)]
    pub headers_cut: u64,
    /// The beginning of the body.
    #[serde(default)]
    pub body: String,
    /// Bytes of the body that are not here.
    #[serde(default)]
    pub body_cut: u64,
}

impl ReviewRow {
    /// Whether its time has ended before it was denied or paid.
    #[must_use]
    pub const fn is_over(&self, now: u64) -> bool {
        now >= self.expires && matches!(self.verdict, Verdict::Open | Verdict::Approved)
    }
}
