//! Clients that the operator names: those that pass with a key, and payers that are denied.
//!
//! A key is compared by its SHA-256, which is enough for a random key of 128 bits. The ledger is
//! asked about a denied payer all the same: they still get what they have paid for.

use alloc::string::String;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};

use super::reply::{ALLOWED_HEADERS, Reply};
use farebox_base::http::Headers;
use farebox_base::secret::{Secret, ct_eq};

/// The field that carries a key, lower case.
pub const KEY_HEADER: &str = "x-api-key";

/// Names and digests of keys, and denied payers.
#[derive(Debug, Default)]
pub struct Clients {
    keys: Vec<(String, Secret<[u8; 32]>)>,
    /// Denied payers, as rows name them.
    denied: Vec<String>,
}

impl Clients {
    /// `keys` are names with the SHA-256 of a key, `denied` payers as rows name them.
    #[must_use]
    pub fn new(keys: Vec<(String, [u8; 32])>, denied: Vec<String>) -> Self {
        let keys = keys.into_iter().map(|(name, digest)| (name, Secret::new(digest))).collect();
        Self { keys, denied }
    }

    /// Name of the client whose key these fields carry; `None` unless there is exactly one key, of
    /// 16 to 512 visible ASCII characters.
    #[must_use]
    pub fn holder(&self, headers: &Headers) -> Option<&str> {
        let key = headers.joined(KEY_HEADER).filter(|_| !self.keys.is_empty())?;
        if !(16..=512).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(key.as_bytes()).into();
        // Every key is compared, so that the time does not reveal which one matched.
        self.keys.iter().fold(None, |found, (name, known)| {
            if ct_eq(&digest, known.expose()) { Some(name.as_str()) } else { found }
        })
    }

    /// Adds the key's header to the answer to a browser's preflight request, if there are keys.
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

    /// Whether this payer is denied.
    #[must_use]
    pub fn denies(&self, payer: &str) -> bool {
        self.denied.iter().any(|known| known == payer)
    }
}
