//! The operator's settings.

use alloc::string::String;

use farebox_base::secret::Secret;
use farebox_channel::retention::KeptSecs;

/// The destination of notices, and the secret that signs them.
#[derive(Debug)]
pub struct Webhook {
    /// Its query may hold a key.
    pub url: Secret<String>,
    /// The key of the signature.
    pub secret: Secret<String>,
}

/// Limits on the rows of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeps {
    /// Seconds for which a response is stored, from the row's last change.
    pub responses_secs: u64,
    /// Seconds for which a row at rest is kept, from its last change.
    pub payments_secs: u64,
    /// Size that its database may have.
    pub bytes: u64,
}

impl Keeps {
    /// The same for a channel.
    #[must_use]
    pub const fn of_channels(self) -> KeptSecs {
        KeptSecs { answer: self.responses_secs, row: self.payments_secs }
    }
}
