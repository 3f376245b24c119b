//! The word of the operator's own Worker about an agent.

use alloc::string::String;

use serde_json::Value;

use crate::skills::message::{Answer, OriginalRequest, Response};
use crate::skills::refused::refusal;
use farebox_base::encoding::json;

/// Longest reason that is repeated to a client, characters.
const MAX_REASON: usize = 256;

/// The bound Worker's word on an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The Worker approves of it.
    Approved,
    /// It does not, and may say why.
    Denied(Option<String>),
    /// It has to be asked first.
    Open(Answer),
    /// It is not bound, or gave no readable answer in time.
    Silent,
}

/// The Worker that is bound as `REPUTATION`, if one is.
#[derive(Clone, Copy)]
pub(in crate::skills) struct Reputation {
    pub is_bound: bool,
}

impl Reputation {
    /// Reads the answer to a question.
    pub(super) fn ask(self, request: &OriginalRequest, question: String) -> Word {
        if !self.is_bound {
            return Word::Silent;
        }
        let Some(answer) = &request.reputation else {
            return Word::Open(Answer::Reputation(question));
        };
        let Some(Value::Object(answer)) = json::parse(answer.as_bytes()).ok() else {
            return Word::Silent;
        };
        match answer.get("ok") {
            Some(Value::Bool(true)) => Word::Approved,
            Some(Value::Bool(false)) => {
                let reason = answer.get("reason").and_then(Value::as_str);
                Word::Denied(reason.map(|it| it.chars().take(MAX_REASON).collect::<String>()))
            }
            _ => Word::Silent,
        }
    }
}

/// The refusal where no one can be asked about an agent.
pub(super) fn no_reputation() -> Response {
    refusal(503, "Reputation cannot be asked").with("retry-after", "5")
}
