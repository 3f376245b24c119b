//! A page of the list of channels.

use alloc::string::String;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::{answer, refusal};
use crate::reply::Reply;
use farebox_base::encoding::json;
use farebox_channel::index::{self, IndexAsk};
use farebox_common::problem::Code;

/// A question for a page.
#[derive(Debug)]
pub struct ChannelPage {
    after: String,
    limit: u64,
    correlation: String,
}

impl ChannelPage {
    pub(super) const fn new(after: String, limit: u64, correlation: String) -> Self {
        Self { after, limit, correlation }
    }

    /// The name of the object to ask, and the message.
    #[must_use]
    pub fn call(&self) -> (&'static str, String) {
        (index::OBJECT, IndexAsk::Page(self.after.clone(), self.limit).to_text())
    }

    /// Takes its answer; `None` if it is down.
    #[must_use]
    pub fn answered(&self, said: Option<&str>) -> Reply {
        let Some(items) = said.and_then(index::page) else {
            return refusal(Code::LedgerUnavailable, &self.correlation, None);
        };
        let is_full = u64::try_from(items.len()).is_ok_and(|count| count == self.limit);
        let last = items.last().and_then(|channel| channel.get("id")).cloned();
        let next = last.filter(|_| is_full).unwrap_or(Value::Null);
        let document = json::text(&json!({"items": items, "next": next}));
        answer("application/json", document, &self.correlation)
    }
}
