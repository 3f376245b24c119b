//! Causes for which a payment was not served, independent of any protocol.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use farebox_base::encoding::message::FromJson;

/// The cause of a failure. Its name is kept in rows and reported to operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Nothing was paid.
    Unpaid,
    /// The wallet holds too little.
    Funds,
    /// The authorization has expired.
    Expired,
    /// The authorization is not valid yet.
    Early,
    /// The signature proves nothing.
    Signature,
    /// The signed terms differ from the required ones.
    Terms,
    /// The authorization was used before.
    Replayed,
    /// A fault of the gate, the facilitator or the chain.
    Trouble,
    /// Unknown: no vocabulary has the reason.
    Unknown,
}

impl FromJson for Cause {
    fn from_json(value: &Value) -> Option<Self> {
        Self::parse(value.as_str()?)
    }
}

impl Cause {
    /// The name in rows and metrics.
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

    /// Parses a name.
    ///
    /// # Examples
    /// ```
    /// use farebox_common::payment::Cause;
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
