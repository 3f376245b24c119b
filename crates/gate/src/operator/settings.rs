//! The operator's settings.

use alloc::string::String;

use farebox_base::secret::Secret;

/// The destination of notices, and the secret that signs them.
#[derive(Debug)]
pub struct Webhook {
    /// Its query may hold a key.
    pub url: Secret<String>,
    /// The key of the signature.
    pub secret: Secret<String>,
}

/// Retention in an object, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// Stored responses, from the row's last change.
    pub responses_secs: u64,
    /// Rows that are at rest, from their last change.
    pub payments_secs: u64,
}
