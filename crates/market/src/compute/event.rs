//! Events: what a transition leaves behind, and how it is told to everyone.

use alloc::format;
use alloc::string::{String, ToString};

use super::kernel::Now;
use super::records::Change;
use super::row::{EventKind, EventRow};
use crate::text::{object, or_null, quoted, time};

/// An event that is being written.
pub(super) struct EventDraft(EventRow);

/// An event of now.
pub(super) fn event(kind: EventKind, tick: Now<'_>) -> EventDraft {
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

    /// The change that adds it.
    pub fn done(self) -> Change {
        Change::Event(self.0)
    }
}

/// How an event is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// As it should be.
    Positive,
    /// On the way.
    Neutral,
    /// It may need a look.
    Warning,
    /// It went wrong.
    Critical,
}

impl Tone {
    /// `tone`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Neutral => "neutral",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl EventKind {
    /// `type`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.describe().0
    }

    /// Whether it says that the money of a job moved, or that there was none to move.
    #[must_use]
    pub const fn is_settlement(self) -> bool {
        match self {
            Self::Released | Self::Refunded | Self::ReleaseSkipped | Self::RefundSkipped => true,
            Self::Matching
            | Self::Paid
            | Self::Running
            | Self::Done
            | Self::Failed
            | Self::ReleaseFailed
            | Self::RefundFailed
            | Self::SellerRegistered
            | Self::SellerOnline
            | Self::SellerOffline
            | Self::DemoDone => false,
        }
    }

    /// Type, title and tone.
    pub(super) const fn describe(self) -> (&'static str, &'static str, Tone) {
        match self {
            Self::Matching => ("MATCHING", "Seller matched", Tone::Neutral),
            Self::Paid => ("PAID", "Job paid", Tone::Positive),
            Self::Running => ("RUNNING", "Job started", Tone::Neutral),
            Self::Done => ("DONE", "Job done", Tone::Positive),
            Self::Failed => ("FAILED", "Job failed", Tone::Critical),
            Self::Released => ("RELEASED", "Seller paid", Tone::Positive),
            Self::ReleaseSkipped => ("RELEASE_SKIPPED", "No payout", Tone::Neutral),
            Self::ReleaseFailed => ("RELEASE_FAILED", "Payout delayed", Tone::Warning),
            Self::Refunded => ("REFUNDED", "Buyer refunded", Tone::Warning),
            Self::RefundSkipped => ("REFUND_SKIPPED", "No refund", Tone::Neutral),
            Self::RefundFailed => ("REFUND_FAILED", "Refund delayed", Tone::Critical),
            Self::SellerRegistered => ("SELLER_REGISTERED", "Seller registered", Tone::Neutral),
            Self::SellerOnline => ("SELLER_ONLINE", "Seller online", Tone::Positive),
            Self::SellerOffline => ("SELLER_OFFLINE", "Seller offline", Tone::Warning),
            Self::DemoDone => ("DEMO_DONE", "Demo run done", Tone::Positive),
        }
    }
}

/// An event as it is told to everyone: neither prompt nor result, buyer or payment id is in it.
pub(super) struct Line<'a> {
    profile: &'a str,
    event: &'a EventRow,
}

impl<'a> Line<'a> {
    /// The line of an event of this profile.
    pub const fn of(profile: &'a str, event: &'a EventRow) -> Self {
        Self { profile, event }
    }

    /// An id that no other event of any profile has.
    fn id(&self) -> String {
        format!("{}-{}", self.profile, self.event.number)
    }

    /// The event in a sentence.
    pub fn sentence(&self) -> String {
        let EventRow { job, seller, payment, .. } = self.event;
        let who = if seller.is_empty() { "the seller" } else { seller };
        match self.event.kind {
            EventKind::Matching if job.is_empty() => {
                format!("A seat of {who} is held for a buyer.")
            }
            EventKind::Matching => format!("The job is given to {who}."),
            EventKind::Paid => format!("A buyer paid for a job of {who}."),
            EventKind::Running => format!("{who} works on the job."),
            EventKind::Done => format!("{who} delivered the result."),
            EventKind::Failed if job.is_empty() => {
                "A payment could not be served and goes back.".to_string()
            }
            EventKind::Failed if !payment.is_empty() => {
                "No payment for the job was confirmed; its seat is free.".to_string()
            }
            EventKind::Failed => "The job was not done.".to_string(),
            EventKind::Released => "The money of the job went to its seller.".to_string(),
            EventKind::ReleaseSkipped => "The exchange paid nothing out for the job.".to_string(),
            EventKind::ReleaseFailed => "The payout to the seller is tried again.".to_string(),
            EventKind::Refunded => "The money went back to who paid.".to_string(),
            EventKind::RefundSkipped => "The exchange gave nothing back for the job.".to_string(),
            EventKind::RefundFailed => "The refund is tried again.".to_string(),
            EventKind::SellerRegistered => format!("{who} registered what it sells."),
            EventKind::SellerOnline => format!("{who} takes work."),
            EventKind::SellerOffline if job.is_empty() => format!("{who} takes no work."),
            EventKind::SellerOffline => format!("{who} let a job lie and takes no work."),
            EventKind::DemoDone => "A demo run got its result.".to_string(),
        }
    }

    /// Title and tone. What failed before it was a paid job names its quote or payment.
    pub const fn heading(&self) -> (&'static str, Tone) {
        let (_, title, tone) = self.event.kind.describe();
        match self.event.kind {
            EventKind::Failed if self.event.job.is_empty() => ("Payment not served", tone),
            EventKind::Failed if !self.event.payment.is_empty() => ("Payment not confirmed", tone),
            _ => (title, tone),
        }
    }

    fn members(&self) -> [(&'static str, String); 7] {
        let (title, tone) = self.heading();
        [
            ("id", quoted(&self.id())),
            ("jobId", or_null(&self.event.job)),
            ("type", quoted(self.event.kind.name())),
            ("title", quoted(title)),
            ("message", quoted(&self.sentence())),
            ("timestamp", quoted(&time(self.event.at))),
            ("tone", quoted(tone.name())),
        ]
    }

    /// As the dashboard has it.
    pub fn dashboard(&self) -> String {
        object(&self.members())
    }

    /// As a feed has it: with its cursor and the seller.
    pub fn feed(&self) -> String {
        let [id, job, kind, title, message, timestamp, tone] = self.members();
        let cursor = ("cursor", quoted(&self.event.number.to_string()));
        let profile = ("networkProfile", quoted(self.profile));
        let seller = ("sellerId", or_null(&self.event.seller));
        object(&[cursor, profile, id, job, seller, kind, title, message, timestamp, tone])
    }
}
