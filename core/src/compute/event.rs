//! Events: what a transition leaves behind.

use super::Tick;
use super::records::Edit;
use super::row::{EventKind, EventRow};

use alloc::string::{String, ToString};

/// An event that is being written.
pub(super) struct EventDraft(EventRow);

/// An event of now.
pub(super) fn event(kind: EventKind, tick: Tick<'_>) -> EventDraft {
    EventDraft(EventRow {
        number: 0,
        at: tick.now,
        kind,
        job: String::new(),
        payment: String::new(),
        seller: String::new(),
        transaction: String::new(),
    })
}

impl EventDraft {
    /// About this job.
    pub fn job(mut self, id: &str) -> Self {
        self.0.job = id.to_string();
        self
    }

    /// About this quote or payment.
    pub fn payment(mut self, id: &str) -> Self {
        self.0.payment = id.to_string();
        self
    }

    /// About this seller.
    pub fn seller(mut self, id: &str) -> Self {
        self.0.seller = id.to_string();
        self
    }

    /// With this transaction.
    pub fn transaction(mut self, hash: &str) -> Self {
        self.0.transaction = hash.to_string();
        self
    }

    /// The edit that adds it.
    pub fn done(self) -> Edit {
        Edit::Event(self.0)
    }
}
