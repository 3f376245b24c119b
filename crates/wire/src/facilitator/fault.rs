//! Faults of a facilitator, reported to the operator by this project's own edge. Payers see none of
//! it.

use alloc::format;
use alloc::string::String;

use super::auth::Auth;
use super::reply::FacilitatorReply;

/// The fault of one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A redirect, which is not followed.
    Redirect,
    /// It requires a key, or another one.
    Key,
    /// The answer is not JSON.
    NotJson,
    /// JSON that does not answer the request.
    WrongJson,
    /// No complete answer before the deadline.
    Late,
    /// More bytes than the limit.
    Long,
    /// No connection, or one that ended early.
    Lost,
    /// The key cannot sign: nothing was sent.
    Unsigned,
}

impl Fault {
    /// The fault of an answer to a call of this URL, if any.
    #[must_use]
    pub fn of(reply: &FacilitatorReply, url: &str) -> Option<Self> {
        let FacilitatorReply::Answer { status, is_json, .. } = reply else { return None };
        match status {
            300..=399 => Some(Self::Redirect),
            _ if reply.says(asked(url)) => None,
            401 | 403 => Some(Self::Key),
            _ if *is_json => Some(Self::WrongJson),
            _ => Some(Self::NotJson),
        }
    }

    /// The fault that the edge reports when there was no answer.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word {
            "late" => Self::Late,
            "long" => Self::Long,
            "unsigned" => Self::Unsigned,
            _ => Self::Lost,
        }
    }

    /// A log line: the facilitator, the fault, and the remedy.
    #[must_use]
    pub fn line(self, url: &str, auth: &Auth, reply: &FacilitatorReply) -> String {
        let key = auth.variable();
        let (what, name, remedy) = match self {
            Self::Redirect => {
                ("redirects, which is not followed", "", "set the final address in FACILITATOR_URL")
            }
            Self::Key if key.is_none() => ("requires a key", "", "set its auth in FACILITATOR_URL"),
            Self::Key => {
                ("refuses the key in ", key.unwrap_or_default(), "set the key for this facilitator")
            }
            Self::NotJson => ("answers without JSON", "", WAIT),
            Self::WrongJson => ("answers with JSON without ", asked(url), WAIT),
            Self::Late => ("does not answer in time", "", WAIT),
            Self::Long => ("answers with too many bytes", "", WAIT),
            Self::Lost => ("loses the connection", "", WAIT),
            Self::Unsigned => (
                "was not asked: signing failed with the key in ",
                key.unwrap_or_default(),
                "put a new one",
            ),
        };
        let status = match reply {
            FacilitatorReply::Answer { status, .. } => *status,
            _ => 0,
        };
        format!("farebox: {url} {what}{name} (status {status}); {remedy}")
    }
}

const WAIT: &str = "wait until it recovers, or set another in FACILITATOR_URL";

/// The required member of an answer of this URL.
fn asked(url: &str) -> &'static str {
    if url.ends_with("/verify") {
        "isValid"
    } else if url.ends_with("/settle") {
        "success"
    } else {
        "kinds"
    }
}
