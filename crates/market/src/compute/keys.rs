//! The keys of a profile, made of its secret: prompts and results are sealed, and tokens follow from
//! what they are for. What was made of the secret before is still read, and nothing new is made of it.
//!
//! A sealed text is a nonce, the text under HMAC-SHA-256 in counter mode, and a MAC over both, each
//! with a key of its own.

use alloc::string::String;
use alloc::vec::Vec;

use super::kernel::Now;
use super::row::JobRow;
use super::settings::{PROFILE_BITS, Profile};
use crate::text::bearer;
use farebox_base::encoding::base64;
use farebox_base::encoding::hex::uuid;
use farebox_base::hash::{mac, sha256};
use farebox_base::secret::{Secret, ct_eq};

const BLOCK_BYTES: usize = 32;
const NONCE_BYTES: usize = 16;

/// The secret of a profile: what it makes says nothing in another one.
#[derive(Debug)]
pub(super) struct Keys {
    pub profile: Profile,
    pub secret: Secret<String>,
    /// The one before, if there was one.
    pub previous: Option<Secret<String>>,
}

impl Keys {
    /// Seals a text; `nonce` is fresh.
    pub fn seal(&self, nonce: &[u8; 32], place: &str, text: &str) -> String {
        // Two texts of one command are in two places, so that no key stream serves twice.
        let nonce = mac(nonce, &[place.as_bytes()]);
        let (nonce, _) = nonce.split_at(NONCE_BYTES);
        let mut sealed = Vec::from(nonce);
        sealed.extend(self.apply_stream(&self.secret, nonce, text.as_bytes()));
        let tag = self.make_mac("seal mac", &[place.as_bytes(), &sealed]);
        sealed.extend(tag);
        base64::encode_url(&sealed)
    }

    /// The text of a seal; `None` if it was not sealed here, for this place.
    pub fn unseal(&self, place: &str, sealed: &str) -> Option<String> {
        let (secret, sealed) = self.open(place, sealed)?;
        let (nonce, text) = sealed.split_at_checked(NONCE_BYTES)?;
        String::from_utf8(self.apply_stream(secret, nonce, text)).ok()
    }

    /// Whether nobody here can read a prompt any more: another secret has sealed it.
    pub fn is_lost(&self, quote: &str, prompt: &str) -> bool {
        !prompt.is_empty() && self.open(quote, prompt).is_none()
    }

    /// The secret that has sealed a text, and the bytes of the seal without its MAC.
    fn open(&self, place: &str, sealed: &str) -> Option<(&Secret<String>, Vec<u8>)> {
        let mut sealed = base64::decode_url(sealed).ok()?;
        let tag = sealed.split_off(sealed.len().checked_sub(BLOCK_BYTES)?);
        let parts: [&[u8]; 2] = [place.as_bytes(), &sealed];
        let is_its = |secret| ct_eq(&tag, &self.mac_of(secret, "seal mac", &parts));
        if is_its(&self.secret) {
            return Some((&self.secret, sealed));
        }
        let former = self.previous.as_ref()?;
        is_its(former).then_some((former, sealed))
    }

    /// The JSON of a seal; null if there is none.
    pub fn unseal_json(&self, place: &str, sealed: &str) -> String {
        self.unseal(place, sealed).unwrap_or_else(|| String::from("null"))
    }

    fn apply_stream(&self, secret: &Secret<String>, nonce: &[u8], text: &[u8]) -> Vec<u8> {
        let key = self.mac_of(secret, "seal stream", &[nonce]);
        let mut out = Vec::with_capacity(text.len());
        for (block, number) in text.chunks(BLOCK_BYTES).zip(0_u64..) {
            let stream = mac(&key, &[&number.to_be_bytes()]);
            out.extend(block.iter().zip(stream).map(|(byte, key)| byte ^ key));
        }
        out
    }

    /// An id of this profile: random bytes whose last two bits say which profile it is.
    pub fn mark_id<const N: usize>(&self, random: &[u8; N]) -> [u8; N] {
        let mut id = *random;
        if let Some(last) = id.last_mut() {
            *last = *last & !PROFILE_BITS | self.profile.mark();
        }
        id
    }

    /// A keyed hash over length-prefixed parts, for one purpose.
    pub fn make_mac(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        self.mac_of(&self.secret, purpose, parts)
    }

    /// The same by one of the secrets.
    pub fn mac_of(&self, secret: &Secret<String>, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        // A token of one profile says nothing in another, also where they have one secret.
        let profile = [self.profile.name().as_bytes(), b": ", purpose.as_bytes()];
        let key = mac(secret.expose().as_bytes(), &profile);
        mac(&key, &[&sha256(parts)])
    }

    /// The id of a job that is made now.
    pub fn fresh_job(&self, tick: Now<'_>) -> String {
        uuid(self.mark_id(tick.id), 4)
    }

    /// The token that reads a job.
    pub fn job_token(&self, job: &str) -> String {
        self.job_token_of(&self.secret, job)
    }

    fn job_token_of(&self, secret: &Secret<String>, job: &str) -> String {
        let token = base64::encode_url(&self.mac_of(secret, "job token", &[job.as_bytes()]));
        alloc::format!("qdj_{token}")
    }

    /// Whether `Authorization` has that token. One of the secret before reads what was ordered under
    /// it, and nothing newer: that secret may be known to others.
    pub fn opens_job(&self, id: &str, job: Option<&JobRow>, authorization: &str) -> bool {
        let shown = bearer(authorization).as_bytes();
        let is_its = |secret| ct_eq(shown, self.job_token_of(secret, id).as_bytes());
        let sealed = |job: &JobRow| self.open(&job.quote, &job.prompt);
        is_its(&self.secret) || job.and_then(sealed).is_some_and(|(secret, _)| is_its(secret))
    }
}
