//! Digests of request bodies, in the form of a challenge.
//!
//! Two spellings of one digest are in use: the reference writes the base64 bare, the specification
//! between colons. Spec: draft-httpauth-payment, "Request body digest"; RFC 9530.

use alloc::string::String;

use sha2::{Digest, Sha256};

use farebox_base::encoding::base64;
use farebox_base::secret::ct_eq;

/// The digest of a body, as this project writes it. Spec: as `mppx` writes it.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::digest;
/// let digest = "sha-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=";
/// assert_eq!(digest::of(br#"{"hello": "world"}"#), digest);
/// ```
#[must_use]
pub fn of(body: &[u8]) -> String {
    of_sha256(&Sha256::digest(body).into())
}

/// The digest of the body with this SHA-256.
#[must_use]
pub fn of_sha256(hash: &[u8; 32]) -> String {
    alloc::format!("{PREFIX}{}", base64::encode(hash))
}

/// Whether the text is the digest of the body with this SHA-256, in one of the two spellings.
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex;
/// use farebox_wire::mpp::digest::agrees;
/// let sha256 = "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let nothing = hex::decode_array(sha256).unwrap();
/// assert!(agrees("sha-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", &nothing));
/// assert!(agrees("sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:", &nothing));
/// assert!(!agrees("sha-512=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", &nothing));
/// ```
#[must_use]
pub fn agrees(text: &str, hash: &[u8; 32]) -> bool {
    let Some(value) = text.strip_prefix(PREFIX) else { return false };
    let value = value.strip_prefix(':').and_then(|value| value.strip_suffix(':')).unwrap_or(value);
    ct_eq(value.as_bytes(), base64::encode(hash).as_bytes())
}

const PREFIX: &str = "sha-256=";
