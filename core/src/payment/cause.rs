//! Why a request was not served for a payment, in words that no protocol owns.

use serde::{Deserialize, Serialize};

/// What stood in the way. Its name is kept in rows and told to operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing was paid.
    Unpaid,
    /// The wallet holds too little.
    Funds,
    /// The authorization has ended.
    Expired,
    /// The authorization begins later.
    Early,
    /// The signature proves nothing.
    Signature,
    /// Other terms were signed than are asked for.
    Terms,
    /// The authorization was used before.
    Replayed,
    /// Something at our side of the wire.
    Trouble,
    /// Nobody knows: the reason is in no vocabulary.
    Unknown,
}

impl Cause {
    /// The name of rows and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Funds => "funds",
            Self::Expired => "expired",
            Self::Early => "early",
            Self::Signature => "signature",
            Self::Terms => "terms",
            Self::Replayed => "replayed",
            Self::Trouble => "trouble",
            Self::Unknown => "unknown",
        }
    }

    /// The cause of this name.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::payment::Cause;
    /// assert_eq!(Cause::parse("funds"), Some(Cause::Funds));
    /// assert_eq!((Cause::Terms.name(), Cause::parse("Terms")), ("terms", None));
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Unpaid,
            Self::Funds,
            Self::Expired,
            Self::Early,
            Self::Signature,
            Self::Terms,
            Self::Replayed,
            Self::Trouble,
            Self::Unknown,
        ]
        .into_iter()
        .find(|cause| cause.name() == name)
    }
}
