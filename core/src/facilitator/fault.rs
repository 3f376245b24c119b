//! What an operator is told of a facilitator that misbehaves, for our own edge alone. Payers hear nothing of it.

use alloc::format;
use alloc::string::String;

use super::auth::Auth;
use super::reply::Reply;

/// What was wrong with one exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It sends us elsewhere, where nobody goes.
    Redirect,
    /// It wants a key, or another one.
    Key,
    /// No JSON.
    NotJson,
    /// JSON that does not answer what was asked.
    WrongJson,
    /// No whole answer before the deadline.
    Late,
    /// More bytes than are read.
    Long,
    /// No connection, or one that ended early.
    Lost,
    /// The key cannot sign: nothing was sent.
    Unsigned,
}

impl Fault {
    /// What is wrong with an answer to a call of this URL, if anything.
    #[must_use]
    pub fn of(reply: &Reply, url: &str) -> Option<Self> {
        let Reply::Answer { status, is_json, .. } = reply else { return None };
        match status {
            300..=399 => Some(Self::Redirect),
            _ if reply.says(asked(url)) => None,
            401 | 403 => Some(Self::Key),
            _ if *is_json => Some(Self::WrongJson),
            _ => Some(Self::NotJson),
        }
    }

    /// What the edge says when there was no answer.
    #[must_use]
    pub fn named(word: &str) -> Self {
        match word {
            "late" => Self::Late,
            "long" => Self::Long,
            "unsigned" => Self::Unsigned,
            _ => Self::Lost,
        }
    }

    /// A line of the log: who does what, and what to do about it.
    #[must_use]
    pub fn line(self, url: &str, auth: &Auth, reply: &Reply) -> String {
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
            Reply::Answer { status, .. } => *status,
            _ => 0,
        };
        format!("farebox: {url} {what}{name} (status {status}); {remedy}")
    }
}

const WAIT: &str = "wait until it recovers, or set another in FACILITATOR_URL";

/// The member that an answer of this URL has to have.
fn asked(url: &str) -> &'static str {
    if url.ends_with("/verify") {
        "isValid"
    } else if url.ends_with("/settle") {
        "success"
    } else {
        "kinds"
    }
}
