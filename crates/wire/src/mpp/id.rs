//! The id of a challenge: a keyed hash over its terms, by which a server recognizes its own
//! challenge.
//!
//! Spec: draft-httpauth-payment, "Challenge binding": HMAC-SHA-256 over seven slots joined by `|`:
//! realm, method, intent, request, expires, digest, opaque, an absent one empty; `header` is a slot
//! before the last if it is present. The slots are the texts as received. `description` is not
//! included.
//!
//! - No slot may contain `|`, because two challenges could then have the same input.
//! - Equal slots have equal ids: the issuer of challenges makes a slot differ.

use alloc::string::String;
use core::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Challenge, Malformed};
use farebox_base::encoding::base64;
use farebox_base::secret::ct_eq;

/// The id of this challenge under `key`, regardless of the id that it carries. 43 characters.
///
/// # Errors
/// [`Malformed::Unbindable`] for a slot with `|` or a control character.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::{Challenge, Malformed, id};
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
        // The only slot that is omitted if it is absent.
        ("header", challenge.header.as_deref()),
        ("opaque", challenge.opaque.as_deref().or(absent)),
    ];
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Malformed::Wrong("key"))?;
    let mut before: &[u8] = b"";
    for (name, slot) in slots {
        let Some(slot) = slot else { continue };
        bindable(name, slot)?;
        mac.update(before);
        mac.update(slot.as_bytes());
        before = b"|";
    }
    Ok(base64::encode_url(&mac.finalize().into_bytes()))
}

/// The slots before `request`, absorbed once for many challenges without a digest, another header
/// and opaque data.
#[derive(Clone)]
pub struct Bound(Hmac<Sha256>);

impl Bound {
    /// Absorbs realm, method and intent.
    ///
    /// # Errors
    /// As [`id`].
    pub fn of(key: &[u8], slots: [&str; 3]) -> Result<Self, Malformed> {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|_| Malformed::Wrong("key"))?;
        for (name, slot) in ["realm", "method", "intent"].into_iter().zip(slots) {
            bindable(name, slot)?;
            mac.update(slot.as_bytes());
            mac.update(b"|");
        }
        Ok(Self(mac))
    }

    /// The id of the challenge with this request and this expiry, base64url and a time.
    #[must_use]
    pub fn id(&self, request: &str, expires: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(request.as_bytes());
        mac.update(b"|");
        mac.update(expires.as_bytes());
        mac.update(b"||");
        base64::encode_url(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

fn bindable(name: &'static str, slot: &str) -> Result<(), Malformed> {
    let is_bad = |character: char| character == '|' || character.is_control();
    if slot.contains(is_bad) { Err(Malformed::Unbindable(name)) } else { Ok(()) }
}

/// Whether one of the keys made the id of the challenge. The timing reveals neither the id nor the
/// key.
#[must_use]
pub fn holds(keys: &[&[u8]], challenge: &Challenge) -> bool {
    keys.iter().fold(false, |held, key| {
        let made = id(key, challenge);
        made.is_ok_and(|made| ct_eq(made.as_bytes(), challenge.id.as_bytes())) || held
    })
}
