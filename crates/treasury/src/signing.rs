//! Signatures over receipts: a detached JWS of `ES256K` in a header, and the document of keys.
//!
//! The payload is the canonical JSON (RFC 8785) of the member `receipt`. Spec: RFC 7515, appendix F;
//! RFC 8812.

use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::config::Treasury;
use super::message::Reply;
use farebox_base::encoding::{base64, jcs, json};
use farebox_evm::account::Account;

/// The header with the signature.
pub const HEADER: &str = "farebox-receipt-signature";

impl Treasury {
    /// Adds the signature of the receipt in a response, if there is one.
    pub(super) fn signed(&self, reply: Reply) -> Reply {
        let body = json::parse_with(reply.body.as_bytes(), usize::MAX);
        let receipt = body.ok().and_then(|body| body.get("receipt").cloned());
        match receipt.and_then(|receipt| self.signature(&receipt)) {
            Some(signature) => reply.with(HEADER, &signature),
            None => reply,
        }
    }

    /// The detached JWS over a receipt.
    fn signature(&self, receipt: &Value) -> Option<String> {
        let account = self.signer.as_ref()?;
        let header = json!({"alg": "ES256K", "kid": kid(account)}).to_string();
        let header = base64::encode_url(header.as_bytes());
        let payload = base64::encode_url(jcs::text(receipt).as_bytes());
        let digest: [u8; 32] = Sha256::digest(format!("{header}.{payload}").as_bytes()).into();
        let signature = account.sign(&digest)?.to_bytes();
        let rs = signature.get(..64)?;
        Some(format!("{header}..{}", base64::encode_url(rs)))
    }

    /// The document at `/.well-known/farebox-keys.json`: a JWK set.
    #[must_use]
    pub fn keys(&self) -> String {
        let keys = self.signer.as_ref().map(|account| {
            let point = account.public_key();
            let (x, y) = point.split_at_checked(32).unwrap_or((&[], &[]));
            json!({
                "kty": "EC",
                "crv": "secp256k1",
                "x": base64::encode_url(x),
                "y": base64::encode_url(y),
                "alg": "ES256K",
                "use": "sig",
                "kid": kid(account),
            })
        });
        json!({"keys": keys.into_iter().collect::<alloc::vec::Vec<_>>()}).to_string()
    }
}

fn kid(account: &Account) -> String {
    account.address().to_checksum()
}
