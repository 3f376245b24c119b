//! `externalId` of a challenge: it tells equal offers apart, and binds the request and the time of
//! an offer.
//!
//! It stands inside `request`, which every known client sends back unchanged; OKX's drop `opaque`.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use farebox_base::encoding::base64;
use farebox_base::hash;
use farebox_base::http::RequestHead;
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;

/// Bytes of the random part.
const NONCE_BYTES: usize = 12;
/// Bytes of the part that names the request, and of the one that names a question: a whole hash, so
/// that nobody finds a dear one that agrees with a cheap one.
const HASH_BYTES: usize = 32;
/// Bytes of a time.
const TIME_BYTES: usize = 8;
/// Offset of the time of issue.
const ISSUED: usize = NONCE_BYTES + HASH_BYTES;
/// Bytes before the part about a price.
const HEAD_BYTES: usize = ISSUED + TIME_BYTES;
/// Bytes of a reference of before that names no question, and of its part about the request: a
/// transaction may have been sent for it.
const EARLIER_BYTES: usize = 32;
const EARLIER_PART_BYTES: usize = 12;

/// A new reference for this request, issued now. For a price named by a pricer, `quoted` is the end
/// of that price, Unix seconds, and the question that it was named for.
#[must_use]
pub fn of(head: &RequestHead, now: UnixTime, quoted: Option<(u64, &str)>) -> String {
    let mut bytes = begun(&head.fresh, &asked(head), now);
    if let Some((end, question)) = quoted {
        bytes.extend(end.to_be_bytes());
        bytes.extend(hash::sha256(&[question.as_bytes()]));
    }
    base64::encode_url(&bytes)
}

/// The reference, as in [`of`], for a request with this random name and this hash of its method and
/// target, whose price does not come from a pricer.
#[must_use]
pub(super) fn naming(fresh: &str, asked: &[u8], now: UnixTime) -> String {
    base64::encode_url(&begun(fresh, asked, now))
}

fn begun(fresh: &str, asked: &[u8], now: UnixTime) -> Vec<u8> {
    let nonce = Sha256::digest(fresh.as_bytes());
    let mut bytes = Vec::with_capacity(HEAD_BYTES);
    bytes.extend_from_slice(nonce.get(..NONCE_BYTES).unwrap_or_default());
    bytes.extend_from_slice(asked);
    bytes.extend_from_slice(&now.secs().to_be_bytes());
    bytes
}

/// Whether a reference was made for this request.
#[must_use]
pub fn is_for(reference: &str, head: &RequestHead) -> bool {
    let bytes = bytes(reference).unwrap_or_default();
    let part = bytes.get(NONCE_BYTES..issued_at(&bytes)).unwrap_or_default();
    asked(head).get(..part.len()).is_some_and(|own| !part.is_empty() && ct_eq(part, own))
}

/// Offset of the time of issue.
const fn issued_at(bytes: &[u8]) -> usize {
    match bytes.len() {
        EARLIER_BYTES => NONCE_BYTES + EARLIER_PART_BYTES,
        _ => ISSUED,
    }
}

/// Time when the challenge of a reference was issued; it stays, whatever the route allows by now.
#[must_use]
pub fn issued(reference: &str) -> Option<UnixTime> {
    let bytes = bytes(reference)?;
    let (secs, _) = bytes.get(issued_at(&bytes)..)?.split_first_chunk()?;
    Some(UnixTime::from_secs(u64::from_be_bytes(*secs)))
}

/// End of the price in a challenge; `None` unless the reference binds it to this question.
#[must_use]
pub fn quote_end(reference: &str, question: &str) -> Option<u64> {
    let bytes = bytes(reference)?;
    let (end, named_for) = bytes.get(HEAD_BYTES..)?.split_first_chunk()?;
    let is_it = ct_eq(named_for, &hash::sha256(&[question.as_bytes()]));
    is_it.then(|| u64::from_be_bytes(*end))
}

/// The bytes of a reference, which has one of three lengths.
fn bytes(reference: &str) -> Option<Vec<u8>> {
    let quoted_bytes = HEAD_BYTES.saturating_add(TIME_BYTES).saturating_add(HASH_BYTES);
    let bytes = base64::decode_url(reference).ok()?;
    [EARLIER_BYTES, HEAD_BYTES, quoted_bytes].contains(&bytes.len()).then_some(bytes)
}

/// Whether the price in a challenge, if a pricer named it, was named for this question.
#[must_use]
pub fn is_about(reference: &str, question: &str) -> bool {
    let quoted = bytes(reference).is_some_and(|bytes| bytes.len() > HEAD_BYTES);
    !quoted || quote_end(reference, question).is_some()
}

/// Hash of method and target; HEAD costs what GET costs.
pub(super) fn asked(head: &RequestHead) -> [u8; HASH_BYTES] {
    let method = if head.method == "HEAD" { "GET" } else { head.method.as_str() };
    hash::sha256(&[method.as_bytes(), head.target().as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_price_is_bound_to_every_byte_of_the_hashes_of_its_request_and_question() {
        let head = RequestHead::from_text("GET\nhttps://gate.example/answers\n").unwrap();
        let reference = of(&head, UnixTime::from_secs(1_000), Some((1_060, "a question")));
        assert_eq!(quote_end(&reference, "a question"), Some(1_060));
        assert_eq!(quote_end(&reference, "another question"), None);
        let whole = base64::decode_url(&reference).unwrap();
        let with_other = |at: usize| {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            base64::encode_url(&changed)
        };
        for at in whole.len() - 32..whole.len() {
            assert_eq!(quote_end(&with_other(at), "a question"), None, "{at}");
        }
        // One of before is still for its request.
        let earlier = [&[7; 12], &asked(&head)[..12], &1_000_u64.to_be_bytes()].concat();
        let earlier = base64::encode_url(&earlier);
        assert!(is_for(&earlier, &head));
        assert_eq!(issued(&earlier), Some(UnixTime::from_secs(1_000)));
        let other = RequestHead::from_text("GET\nhttps://gate.example/other\n").unwrap();
        assert!(!is_for(&earlier, &other));
        // So is what was asked for to the hash of method and target.
        assert!(is_for(&reference, &head));
        assert!((12..44).all(|at| !is_for(&with_other(at), &head)));
    }
}
