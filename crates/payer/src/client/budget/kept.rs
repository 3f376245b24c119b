//! Texts beside the caps, so that caps and payments are in one record. The caller writes and reads
//! them; here they are only kept.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::client::error::{ClientError, Reason};
use farebox_base::time::UnixTime;

/// A payment that was sent, or its receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptText {
    /// The purpose of the payment.
    pub(super) key: String,
    /// Time at which it was last written, unix seconds.
    pub(super) at: u64,
    /// Whether its fate is not known yet.
    pub(super) is_open: bool,
    pub(super) text: String,
}

/// Maximum texts.
pub(super) const MAX_SENT: usize = 2_000;

/// All of them, the latest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeptTexts(pub(super) Vec<KeptText>);

impl KeptTexts {
    /// The text that is kept under a key.
    #[must_use]
    pub fn kept(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|row| row.key == key).map(|row| row.text.as_str())
    }

    /// When what is kept under a key was last written.
    pub fn kept_at(&self, key: &str) -> Option<UnixTime> {
        self.0.iter().find(|row| row.key == key).map(|row| UnixTime::from_secs(row.at))
    }

    /// The texts that are kept under keys that begin so, the latest last.
    pub fn kept_under(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let rows = self.0.iter().filter(move |row| row.key.starts_with(prefix));
        rows.map(|row| row.text.as_str())
    }

    /// How many are kept.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.0.len()
    }

    /// Keeps a text under a key, in the place of the one before it, until it is let go.
    ///
    /// # Errors
    /// [`Reason::BudgetExhausted`] if too much is kept.
    pub fn keep(&mut self, key: &str, text: &str, now: UnixTime) -> Result<(), ClientError> {
        self.let_go(key);
        if self.0.len() >= MAX_SENT {
            let message = format!("{MAX_SENT} payments and channels are kept, which is the limit");
            return Err(ClientError::new(Reason::BudgetExhausted, message));
        }
        let (key, text, at) = (key.to_string(), text.to_string(), now.secs());
        self.0.push(KeptText { key, at, is_open: true, text });
        Ok(())
    }

    /// Drops what is kept under a key.
    pub fn let_go(&mut self, key: &str) {
        self.0.retain(|row| row.key != key);
    }
}
