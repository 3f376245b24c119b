//! The gate's route table as the catalogue wants it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The table that the gate has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredTable {
    /// The state of the catalogue that it was written from, 0 if none is noted there.
    pub number: u64,
    /// The routes, a JSON list.
    pub text: String,
}

/// A table to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableDraft {
    /// The state of the catalogue that it has.
    pub revision: u64,
    /// The operator's own routes, a JSON list.
    pub own: String,
    /// The route of each skill, pack and fee: the skill's id, and the route as a JSON object.
    pub routes: Vec<(String, String)>,
}

impl TableDraft {
    /// The text for the gate, without the routes of these skills.
    #[must_use]
    pub fn text_without(&self, refused: &[String]) -> String {
        let own = self.own.trim();
        let own = own.strip_prefix('[').and_then(|own| own.strip_suffix(']')).unwrap_or_default();
        let kept = self.routes.iter().filter(|(skill, _)| !refused.contains(skill));
        let mut text = String::from("[");
        text.push_str(own.trim());
        for (_, route) in kept {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(route);
        }
        text.push(']');
        text
    }
}
