//! The operator's settings.

use alloc::string::String;

use farebox_base::secret::Secret;
use farebox_channel::retention::KeptSecs;

/// The destination of notices, and their form.
#[derive(Debug)]
pub struct Webhook {
    /// Its path or query may hold a key.
    pub url: Secret<String>,
    /// The reader there.
    pub form: NoticeForm,
}

/// The form of notices, which says what reads them.
#[derive(Debug)]
pub enum NoticeForm {
    /// For programs: `{id, type, at, data}`, signed.
    Signed {
        /// The key of the signature.
        secret: Secret<String>,
    },
    /// For people: `{"text": …}`.
    Slack {
        /// The gate's own origin, where its desk is.
        gate: Option<String>,
    },
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
