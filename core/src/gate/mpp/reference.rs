//! `externalId` of a challenge: what makes equal offers differ, and the request that an offer was made for.
//!
//! It stands inside `request`, which every known client sends back as it came; OKX's drop `opaque`.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use crate::encoding::base64;
use crate::gate::keys;
use crate::http::RequestHead;
use crate::secret::ct_eq;

/// Bytes of the part that no other challenge has, and of the one that names the request.
const PART_BYTES: usize = 12;

/// A new reference for this request; `quote_end` is when its price ends, unix seconds, where somebody else names it.
#[must_use]
pub fn of(head: &RequestHead, quote_end: Option<u64>) -> String {
    let nonce = Sha256::digest(head.fresh.as_bytes());
    let mut bytes: Vec<u8> = nonce.iter().take(PART_BYTES).copied().collect();
    bytes.extend(asked(head));
    bytes.extend(quote_end.iter().flat_map(|end| end.to_be_bytes()));
    base64::encode_url(&bytes)
}

/// Whether a reference was made for this request.
#[must_use]
pub fn is_for(reference: &str, head: &RequestHead) -> bool {
    let bytes = base64::decode_url(reference).unwrap_or_default();
    bytes
        .get(PART_BYTES..PART_BYTES.saturating_mul(2))
        .is_some_and(|part| ct_eq(part, &asked(head)))
}

/// When the price of a challenge ends, if the reference says so.
#[must_use]
pub fn quote_end(reference: &str) -> Option<u64> {
    let bytes = base64::decode_url(reference).ok()?;
    let end = bytes.get(PART_BYTES.saturating_mul(2)..)?;
    end.try_into().ok().map(u64::from_be_bytes)
}

/// Names method and target; HEAD costs what GET costs.
fn asked(head: &RequestHead) -> Vec<u8> {
    let method = if head.method == "HEAD" { "GET" } else { head.method.as_str() };
    let digest = keys::sha256(&[method.as_bytes(), head.target().as_bytes()]);
    digest.into_iter().take(PART_BYTES).collect()
}
