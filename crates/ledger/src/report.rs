//! Requests of an operator, or the clock, to a ledger object, and its answers: owned, versioned
//! JSON.
//!
//! The member `operator` distinguishes the message from an [`Envelope`](super::Envelope). Only
//! [`ObjectRequest::Decide`] and [`ObjectRequest::Meter`] write. [`tally`] sums the money.

mod history;
mod item;
pub mod tally;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use self::history::{Transition, history_line, transitions};
pub use self::item::{FailingClient, Mark, PaymentItem};
use self::tally::Sum;
use farebox_base::encoding::message::{read_enum, read_struct};
use farebox_common::payment::TxHash;

/// The message to an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperatorMessage {
    /// [`VERSION`](super::command::VERSION).
    pub v: u8,
    /// The request.
    pub operator: ObjectRequest,
}

read_struct!(OperatorMessage { v, operator });

/// A request to a ledger object.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectRequest {
    /// Lists rows, newest first.
    List {
        /// The rows in question.
        filter: Filter,
        /// Only rows after this one.
        after: Option<Mark>,
        /// Maximum number of rows.
        limit: u32,
    },
    /// Lists rows by payer and key, at the same cost however many there are.
    Page {
        /// The rows in question.
        filter: Filter,
        /// Only rows after this one.
        after: Option<Mark>,
        /// Maximum number of rows.
        limit: u32,
    },
    /// Finds the row with this receipt id, with its transitions.
    Find {
        /// Receipt id.
        id: String,
    },
    /// Sums over at most a few thousand rows, by payer and key.
    Sum {
        /// The rows in question.
        filter: Filter,
        /// Only rows after this one.
        after: Option<Mark>,
    },
    /// Counts the rows by state.
    Count,
    /// Moves the row with this receipt id.
    Decide {
        /// Receipt id.
        id: String,
        /// The decision.
        decision: Decision,
    },
    /// Checks the object's own state: work left undone by a lost alarm becomes due again.
    Wake,
    /// Lists the clients that failed, most failures first.
    Failures {
        /// Maximum number of clients.
        limit: u32,
    },
    /// Adds to the approximate counters, and returns them all.
    Meter {
        /// Names with their labels, and the amounts to add.
        add: Vec<(String, u64)>,
    },
}

read_enum!(ObjectRequest {
    "list" => List { filter, after, limit },
    "page" => Page { filter, after, limit },
    "find" => Find { id },
    "sum" => Sum { filter, after },
    "count" => Count,
    "decide" => Decide { id, decision },
    "wake" => Wake,
    "failures" => Failures { limit },
    "meter" => Meter { add },
});

/// Conditions on rows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// Name of the state.
    pub state: Option<String>,
    /// Lower-case address; the payment's own key where no payer is known.
    pub payer: Option<String>,
    /// Route pattern.
    pub route: Option<String>,
    /// Claimed at this second or later.
    pub from: Option<u64>,
    /// Claimed before this second.
    pub to: Option<u64>,
    /// The beginnings of columns, each with one of the names in [`STARTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub starts: Vec<(String, String)>,
}

read_struct!(Filter { state, payer, route, from, to; starts });

/// Parameters for the beginning of a column.
pub const STARTS: [&str; 4] = ["id", "key", "transaction", "correlation_id"];

/// The time since which rows are known for whoever has looked for an earlier transfer.
pub const LOOKED: u64 = 0;
/// The same where no row is older than what is known.
pub const ALWAYS: u64 = 1;

/// The operator's decision about one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The operator begins to pay back. What is owed for a payment of before this second may have
    /// been paid back already: a restored row does not know.
    Refunding {
        /// The second since which the rows are known; [`LOOKED`] or [`ALWAYS`] without one.
        known_since: u64,
        /// The key of the program that begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// Whether that program answers for it: no one else pays it back, and a repeat is served.
        #[serde(default)]
        sold: bool,
    },
    /// A refund that began was not sent.
    NotRefunded {
        /// The grant of its begin.
        begun: u64,
        /// The key of the program that began it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// This transaction paid back.
    Refunded(String),
    /// Nothing is owed, for this reason.
    Waived(String),
    /// The result of a review.
    Resolved {
        /// The state.
        to: Resolution,
        /// The reason, in the operator's words.
        reason: String,
        /// The settlement's transaction, if the row names none.
        #[serde(default)]
        transaction: Option<String>,
    },
}

read_enum!(Decision {
    "refunding" => Refunding { known_since; key, sold },
    "not_refunded" => NotRefunded { begun; key },
    "refunded" => Refunded(transaction),
    "waived" => Waived(reason),
    "resolved" => Resolved { to, reason; transaction },
});

impl Decision {
    /// The name of the decision in the row's transitions.
    #[must_use]
    pub fn why(&self) -> String {
        let text = match self {
            Self::Refunded(transaction) => {
                let hash = TxHash::parse_any(transaction).map(|hash| hash.to_text());
                return format!("operator: {}", hash.unwrap_or_default());
            }
            Self::Refunding { sold: true, .. } => "a program answers for it",
            Self::Refunding { .. } => "a refund begins",
            Self::NotRefunded { .. } => "no refund was sent",
            Self::Waived(reason) | Self::Resolved { reason, .. } => reason.as_str(),
        };
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        format!("operator: {line}")
    }
}

/// Reason why a row stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Undecided {
    /// Its state does not allow it, or lacks what it needs.
    WrongState,
    /// A refund of it began at this second, and may have been sent.
    RefundBegun(u64),
    /// The payer may still be served until this second.
    RefundEarly(u64),
    /// It is older than the restore of the ledger, and may have been paid back since the backup.
    RefundRestored,
    /// It was paid back or waived.
    RefundEnded,
}

read_enum!(Undecided {
    "wrong_state" => WrongState,
    "refund_begun" => RefundBegun(since),
    "refund_early" => RefundEarly(until),
    "refund_restored" => RefundRestored,
    "refund_ended" => RefundEnded,
});

/// Possible results of a review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolution {
    /// It was paid and served.
    Delivered,
    /// It was paid and not served.
    RefundDue,
    /// It was paid, not served, and nothing is owed.
    Waived,
    /// It was never paid.
    Void,
}

read_enum!(Resolution {
    "delivered" => Delivered,
    "refund_due" => RefundDue,
    "waived" => Waived,
    "void" => Void,
});

impl Resolution {
    /// Parses a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "delivered" => Self::Delivered,
            "refund_due" => Self::RefundDue,
            "waived" => Self::Waived,
            "void" => Self::Void,
            _ => return None,
        })
    }
}

/// The object's answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Rows, and whether there are more.
    Items {
        /// The rows in the requested order.
        items: Vec<PaymentItem>,
        /// Whether the limit left rows out.
        more: bool,
    },
    /// The row, if it is here.
    Item(Option<Box<PaymentItem>>),
    /// Sums, and where to continue.
    Sums {
        /// One for each network, asset and route.
        sums: Vec<Sum>,
        /// The last row read; `None` if it was the last of all.
        after: Option<Mark>,
    },
    /// Numbers of rows.
    Counts {
        /// State, route, number.
        rows: Vec<(String, String, u64)>,
        /// Start of the longest unknown outcome.
        oldest_unknown: Option<u64>,
        /// Route, code, `payer` or `network`, number of failing clients.
        #[serde(default)]
        failing: Vec<(String, String, String, u64)>,
        /// Size of the database, bytes.
        #[serde(default)]
        bytes: u64,
    },
    /// The row as it is now.
    Decided(Box<PaymentItem>),
    /// Why the row does not allow the decision.
    Undecided(Undecided),
    /// The object is awake.
    Awake,
    /// The clients that failed.
    Failing(Vec<FailingClient>),
    /// The counters.
    Meters(Vec<(String, u64)>),
}

read_enum!(Report {
    "items" => Items { items, more },
    "item" => Item(item),
    "sums" => Sums { sums, after },
    "counts" => Counts { rows, oldest_unknown; failing, bytes },
    "decided" => Decided(item),
    "undecided" => Undecided(why),
    "awake" => Awake,
    "failing" => Failing(clients),
    "meters" => Meters(meters),
});
