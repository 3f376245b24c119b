//! The part of a request that a review covers beside its terms, and the part that a reviewer sees.

use alloc::string::String;
use alloc::vec::Vec;

use super::merchant::fields_to_send;
use super::request::PaymentRequest;
use farebox_base::hash;

/// Maximum bytes of the header fields, and of the body, that a reviewer is shown.
const SHOWN_BYTES: usize = 4096;

/// The part of a request that a review covers beside its terms.
pub(super) struct Reviewed {
    /// Hash of the header fields and the body that would be sent, and of a URL that does not name
    /// its purchase.
    pub covers: String,
    /// The header fields that are shown.
    pub headers: Vec<(String, String)>,
    /// Bytes of those that are not.
    pub headers_cut: u64,
    /// The part of the body that is shown.
    pub body: String,
    /// Bytes of the rest.
    pub body_cut: u64,
}

impl Reviewed {
    /// That of this request.
    pub(super) fn of(request: &PaymentRequest) -> Self {
        let mut fields = fields_to_send(&request.headers);
        fields.sort();
        let whole = request.body.as_deref().unwrap_or_default();
        let mut parts: Vec<&[u8]> = Vec::from([b"farebox reviewed".as_slice(), whole.as_bytes()]);
        parts.extend(fields.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
        // The purchase of a request that was redirected is known by another URL.
        let redirected = request.asked_url.as_ref().map(|_| request.url.as_bytes());
        parts.extend(redirected);
        let covers = hash::digest(&parts);
        let count = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        let (mut headers, mut headers_cut, mut room) = (Vec::new(), 0_u64, SHOWN_BYTES);
        for (name, value) in fields {
            let bytes = name.len().saturating_add(value.len());
            match room.checked_sub(bytes) {
                Some(rest) => {
                    room = rest;
                    headers.push((name, value));
                }
                None => headers_cut = headers_cut.saturating_add(count(bytes)),
            }
        }
        let mut body = String::new();
        for letter in whole.chars() {
            if body.len().saturating_add(letter.len_utf8()) > SHOWN_BYTES {
                break;
            }
            body.push(letter);
        }
        let body_cut = count(whole.len().saturating_sub(body.len()));
        Self { covers, headers, headers_cut, body, body_cut }
    }
}
