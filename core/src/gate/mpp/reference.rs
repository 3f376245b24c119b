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

/// Bytes of the part that no other challenge has, of the one that names the request, and of the one that names a question.
const PART_BYTES: usize = 12;
/// Bytes before what is said of a price.
const HEAD_BYTES: usize = 24;

/// A new reference for this request; where a bound Worker names the price, `quoted` is when that ends, unix seconds, and the
/// question that it was named for.
#[must_use]
pub fn of(head: &RequestHead, quoted: Option<(u64, &str)>) -> String {
    let nonce = Sha256::digest(head.fresh.as_bytes());
    let mut bytes: Vec<u8> = nonce.iter().take(PART_BYTES).copied().collect();
    bytes.extend(asked(head));
    if let Some((end, question)) = quoted {
        bytes.extend(end.to_be_bytes());
        bytes.extend(part(&[question.as_bytes()]));
    }
    base64::encode_url(&bytes)
}

/// Whether a reference was made for this request.
#[must_use]
pub fn is_for(reference: &str, head: &RequestHead) -> bool {
    let bytes = base64::decode_url(reference).unwrap_or_default();
    bytes.get(PART_BYTES..HEAD_BYTES).is_some_and(|part| ct_eq(part, &asked(head)))
}

/// When the price of a challenge ends, if the reference says that it was named for this question.
#[must_use]
pub fn quote_end(reference: &str, question: &str) -> Option<u64> {
    let bytes = base64::decode_url(reference).ok()?;
    let (end, named_for) = bytes.get(HEAD_BYTES..)?.split_first_chunk()?;
    ct_eq(named_for, &part(&[question.as_bytes()])).then(|| u64::from_be_bytes(*end))
}

/// Names method and target; HEAD costs what GET costs.
fn asked(head: &RequestHead) -> Vec<u8> {
    let method = if head.method == "HEAD" { "GET" } else { head.method.as_str() };
    part(&[method.as_bytes(), head.target().as_bytes()])
}

fn part(of: &[&[u8]]) -> Vec<u8> {
    keys::sha256(of).into_iter().take(PART_BYTES).collect()
}
