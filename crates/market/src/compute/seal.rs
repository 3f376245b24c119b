//! Text at rest, and what is made of the gateway's secret: prompts and results are sealed, and
//! tokens follow from what they are for.
//!
//! A sealed text is a nonce, the text under HMAC-SHA-256 in counter mode, and a MAC over both, each
//! with a key of its own.

use alloc::string::String;
use alloc::vec::Vec;

use super::settings::Gateway;
use farebox_base::encoding::base64;
use farebox_base::hash::mac;
use farebox_base::secret::ct_eq;

const BLOCK_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;

impl Gateway {
    /// Seals a text; `nonce` is fresh.
    pub(super) fn seal(&self, nonce: &[u8; 32], place: &str, text: &str) -> String {
        // Two texts of one command are in two places, so that no key stream serves twice.
        let nonce = mac(nonce, &[place.as_bytes()]);
        let (nonce, _) = nonce.split_at(NONCE_BYTES);
        let mut sealed = Vec::from(nonce);
        sealed.extend(self.streamed(nonce, text.as_bytes()));
        let tag = self.keyed("seal mac", &[place.as_bytes(), &sealed]);
        sealed.extend(tag);
        base64::encode_url(&sealed)
    }

    /// The text of a seal; `None` if it was not sealed here, for this place.
    pub(super) fn unseal(&self, place: &str, sealed: &str) -> Option<String> {
        let sealed = base64::decode_url(sealed).ok()?;
        let (sealed, tag) = sealed.split_at_checked(sealed.len().checked_sub(BLOCK_BYTES)?)?;
        if !ct_eq(tag, &self.keyed("seal mac", &[place.as_bytes(), sealed])) {
            return None;
        }
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        String::from_utf8(self.streamed(nonce, text)).ok()
    }

    fn streamed(&self, nonce: &[u8], text: &[u8]) -> Vec<u8> {
        let key = self.keyed("seal stream", &[nonce]);
        let mut out = Vec::with_capacity(text.len());
        for (block, number) in text.chunks(BLOCK_BYTES).zip(0_u64..) {
            let stream = mac(&key, &[&number.to_be_bytes()]);
            out.extend(block.iter().zip(stream).map(|(byte, key)| byte ^ key));
        }
        out
    }

    /// The token that reads a job.
    pub(super) fn job_token(&self, job: &str) -> String {
        let token = base64::encode_url(&self.keyed("job token", &[job.as_bytes()]));
        alloc::format!("qdj_{token}")
    }
}

/// The token of an `Authorization: Bearer`; empty if it is another.
#[must_use]
pub(super) fn bearer(authorization: &str) -> &str {
    match authorization.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}
