//! Ids: drawn from randomness, or derived from names. Spec: RFC 9562.

use alloc::string::String;

use super::kernel::RANDOM_BYTES;
use farebox_base::encoding::hex::uuid;
use farebox_base::hash;

/// The fresh values that one command may need, each from bytes of its own.
#[derive(Clone, Debug)]
pub struct Fresh {
    /// `paidRequestId`.
    pub decision: String,
    /// `paymentAttemptId`.
    pub attempt: String,
    /// `receiptId`.
    pub receipt: String,
    /// `policyReviewEventId`.
    pub review: String,
    /// Nonce of an authorization.
    pub nonce: [u8; 32],
    /// Of a token.
    pub token: [u8; 32],
}

impl Fresh {
    /// Takes randomness apart.
    #[must_use]
    pub fn of(random: &[u8; RANDOM_BYTES]) -> Self {
        let (ids, rest) = random.split_first_chunk::<64>().unwrap_or((&[0; 64], &[]));
        let (nonce, rest) = rest.split_first_chunk::<32>().unwrap_or((&[0; 32], &[]));
        let token = rest.first_chunk::<32>().unwrap_or(&[0; 32]);
        let (ids, _) = ids.as_chunks::<16>();
        let mut ids = ids.iter().map(|bytes| uuid(*bytes, 4));
        let mut next = || ids.next().unwrap_or_default();
        Self {
            decision: next(),
            attempt: next(),
            receipt: next(),
            review: next(),
            nonce: *nonce,
            token: *token,
        }
    }
}

/// The id of what has these names, always the same.
#[must_use]
pub fn derive_id(parts: &[&str]) -> String {
    let bytes: alloc::vec::Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
    let digest = hash::sha256(&bytes);
    uuid(digest.first_chunk().copied().unwrap_or_default(), 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_uuids_and_differ() {
        let fresh = Fresh::of(&core::array::from_fn(|index| u8::try_from(index).unwrap()));
        assert_eq!(fresh.decision, "00010203-0405-4607-8809-0a0b0c0d0e0f");
        assert_ne!(fresh.attempt, fresh.receipt);
        assert_eq!(fresh.nonce[0], 64);
        assert_eq!(fresh.token[0], 96);
        assert_eq!(derive_id(&["agent", "a"]), derive_id(&["agent", "a"]));
        assert_ne!(derive_id(&["agent", "a"]), derive_id(&["agent", "b"]));
    }
}
