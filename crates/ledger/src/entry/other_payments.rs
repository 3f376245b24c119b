//! The payer's other payments, and whether there is room for one more.

use core::num::NonZeroU32;

use crate::command::{Answer, Fate, Payment};

/// Maximum rows of one payer that are not at rest.
const MAX_OPEN: u32 = 1000;

/// Maximum rows of one payer and payee for which no money was asked. One that was let go gives its
/// place to the next.
pub const MAX_UNASKED: u32 = 50;
/// Maximum rows of one payer for which no money was asked, whoever the payees are.
pub const MAX_UNASKED_OF_ALL: u32 = 4 * MAX_UNASKED;

/// The object's knowledge of the payer's other rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OtherPayments {
    /// Rows in progress.
    pub active: u32,
    /// Rows that are not at rest.
    pub open: u32,
    /// Whether there is a row with an unknown outcome, or one refused in the last 10 minutes.
    pub watched: bool,
    /// Whether there is a row for the same binding with an unknown outcome.
    pub unresolved: bool,
    /// Whether a row for the same binding is worked on.
    pub contends: bool,
    /// Rows for the same payee for which no money was asked.
    pub unasked: u32,
    /// Rows for which no money was asked.
    pub unasked_of_all: u32,
    /// Seconds until the first of those may be let go, unless it is worked on.
    pub unasked_secs: u64,
    /// Whether the client's network has too many unpaid rows, over all payers.
    pub is_crowded: bool,
    /// Whether the object has too many rows that are not at rest.
    pub is_full: bool,
}

impl OtherPayments {
    /// Adjusts the counts for this payment: one whose money has moved does not wait for the payer's
    /// other rows.
    pub(crate) fn seen_by(self, payment: &Payment) -> Self {
        match payment.was_sent_by_payer() {
            true => {
                Self { watched: false, unresolved: false, unasked: 0, unasked_of_all: 0, ..self }
            }
            false => self,
        }
    }
}

impl OtherPayments {
    /// Whether there are too many rows for which no money was asked.
    #[must_use]
    pub const fn has_too_many_unasked(&self) -> bool {
        self.unasked >= MAX_UNASKED || self.unasked_of_all >= MAX_UNASKED_OF_ALL
    }
}

/// The reason why a payment may not begin now, if there is one.
pub(super) fn refusal(standing: OtherPayments, in_flight: NonZeroU32) -> Option<Answer> {
    let max = if standing.watched { 1 } else { in_flight.get() };
    if standing.unresolved {
        Some(Fate::Unresolved.into())
    } else if standing.active >= max || standing.open >= MAX_OPEN {
        Some(Answer::TooManyInFlight)
    } else if standing.has_too_many_unasked() {
        Some(Answer::TooManyUnpaid { secs: standing.unasked_secs })
    } else if standing.is_full || standing.is_crowded {
        Some(Answer::Full)
    } else {
        None
    }
}
