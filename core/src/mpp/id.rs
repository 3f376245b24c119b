//! The id of a challenge: a keyed hash over what it asks, so that a server knows its own challenge when it comes back.
//!
//! Spec: draft-httpauth-payment, "Challenge binding": HMAC-SHA-256 over seven slots in a row with `|` between them, realm,
//! method, intent, request, expires, digest, opaque, an absent one empty; `header` is a slot before the last when it is there.
//! The slots are the texts as they came. `description` is in none.
//!
//! - No slot may hold a `|`, or two challenges would have one input.
//! - Equal slots have equal ids: whoever issues challenges makes a slot differ.

use alloc::string::String;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Challenge, Malformed};
use crate::encoding::base64;
use crate::secret::ct_eq;

/// The id of this challenge under `key`; what it carries as id is not looked at. 43 characters.
///
/// # Errors
/// [`Malformed::Unbindable`] for a slot with `|` or a control character.
///
/// # Examples
/// ```
/// use farebox_core::mpp::{Challenge, Malformed, id};
/// let mut challenge = Challenge {
///     realm: "shop.example".into(), method: "stripe".into(), intent: "charge".into(),
///     request: "eyJhbW91bnQiOiI1MDAiLCJjdXJyZW5jeSI6InVzZCJ9".into(), ..Challenge::default()
/// };
/// let key = b"an example key of 32 bytes or so";
/// challenge.id = id::id(key, &challenge).unwrap();
/// assert_eq!(challenge.id, "rko9MfnJH1P7xvSd9IV4u4TCaCKlsshzDHoarsj-6Mw");
/// assert!(id::holds(&[b"the next key", key], &challenge));
/// challenge.realm = "shop.example|".into();
/// assert_eq!(id::id(key, &challenge), Err(Malformed::Unbindable("realm")));
/// ```
pub fn id(key: &[u8], challenge: &Challenge) -> Result<String, Malformed> {
    let absent = Some("");
    let slots = [
        ("realm", Some(challenge.realm.as_str())),
        ("method", Some(&challenge.method)),
        ("intent", Some(&challenge.intent)),
        ("request", Some(&challenge.request)),
        ("expires", challenge.expires.as_deref().or(absent)),
        ("digest", challenge.digest.as_deref().or(absent)),
        // The one slot that is not there at all when it is absent.
        ("header", challenge.header.as_deref()),
        ("opaque", challenge.opaque.as_deref().or(absent)),
    ];
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Malformed::Wrong("key"))?;
    let mut before: &[u8] = b"";
    for (name, slot) in slots {
        let Some(slot) = slot else { continue };
        if slot.contains(|character: char| character == '|' || character.is_control()) {
            return Err(Malformed::Unbindable(name));
        }
        mac.update(before);
        mac.update(slot.as_bytes());
        before = b"|";
    }
    Ok(base64::encode_url(&mac.finalize().into_bytes()))
}

/// Whether one of the keys made the id that the challenge carries. The time tells nothing about the id, nor which key it was.
#[must_use]
pub fn holds(keys: &[&[u8]], challenge: &Challenge) -> bool {
    keys.iter().fold(false, |held, key| {
        let made = id(key, challenge);
        made.is_ok_and(|made| ct_eq(made.as_bytes(), challenge.id.as_bytes())) || held
    })
}
