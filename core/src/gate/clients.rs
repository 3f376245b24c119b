//! Whom the operator knows: who passes without a payment, and who may not pay.
//!
//! A key is compared by its SHA-256, which is no more than a random key of 128 bits needs. A payer who may not pay is
//! looked up all the same: what he has paid for is his.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::reply::{ALLOWED_HEADERS, Reply};
use crate::http::Headers;
use crate::secret::{Secret, ct_eq};

/// The field that carries a key, lower case.
pub const KEY_HEADER: &str = "x-api-key";

/// Names and digests of keys, and payers who are denied.
#[derive(Debug, Default)]
pub struct Clients {
    keys: Vec<(String, Secret<[u8; 32]>)>,
    /// As rows name them.
    denied: Vec<String>,
}

impl Clients {
    /// `keys` are names with the SHA-256 of a key, `denied` payers as rows name them.
    #[must_use]
    pub fn new(keys: Vec<(String, [u8; 32])>, denied: Vec<String>) -> Self {
        let keys = keys.into_iter().map(|(name, digest)| (name, Secret::new(digest))).collect();
        Self { keys, denied }
    }

    /// The name of the one whose key these fields carry: one row of 16 to 512 visible ASCII characters.
    #[must_use]
    pub fn holder(&self, headers: &Headers) -> Option<&str> {
        let key = headers.joined(KEY_HEADER).filter(|_| !self.keys.is_empty())?;
        if !(16..=512).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        // Each is compared, so that the time does not tell which one agreed.
        self.keys.iter().fold(None, |found, (name, known)| {
            if ct_eq(&digest, known.expose()) { Some(name.as_str()) } else { found }
        })
    }

    /// The answer to a browser that asks what it may send: a key, too, where there are any.
    #[must_use]
    pub fn let_ask(&self, reply: Reply) -> Reply {
        match self.keys.is_empty() {
            true => reply,
            false => {
                let allowed = [ALLOWED_HEADERS, ", X-API-Key"].concat();
                reply.with("access-control-allow-headers", &allowed)
            }
        }
    }

    /// Whether this payer may not pay.
    #[must_use]
    pub fn denies(&self, payer: &str) -> bool {
        self.denied.iter().any(|known| known == payer)
    }
}
