//! The secret under which a merchant knows a payment, as its `Idempotency-Key` and as its
//! `payment-identifier`.
//!
//! A gate hands a paid answer out again to whoever shows it beside the payment, and the payment is
//! public once it is on the chain. The ids of a payment stand in its receipt, which is made to be
//! shown; so the secret is none of them, and only the merchant is sent it.

use alloc::string::String;

use farebox_base::encoding::base64;
use farebox_base::hash;
use farebox_base::secret::Secret;

/// Secrets of the payments of a treasury.
#[derive(Debug)]
pub(crate) struct PurchaseSecrets {
    /// Makes them.
    pub key: Secret<[u8; 32]>,
}

impl PurchaseSecrets {
    /// That of an attempt, always the same.
    pub fn of(&self, attempt: &str) -> String {
        base64::encode_url(&hash::mac(self.key.expose(), &[attempt.as_bytes()]))
    }
}
