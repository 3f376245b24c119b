//! The states of a payment: impossible combinations cannot be expressed.

use alloc::string::{String, ToString};

use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// A lease on a row until a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// After this time another request or the alarm may finish the work.
    pub until: UnixTime,
}

/// A re-send on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// Time by which its answer is expected.
    pub until: UnixTime,
    /// The kind of request that sends.
    pub sender: Requester,
}

/// The request that waits for a settle call, which decides what a success may give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// The request that made the row; it holds the origin's response.
    Claimer,
    /// A repeat that may receive an uncollected result.
    ProvenRepeat,
    /// A repeat that has not proved itself.
    UnprovenRepeat,
}

/// Why a paid request was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The origin failed or broke off.
    Origin,
    /// The work was lost before the first byte of its response left.
    Lost,
    /// A stream was dropped because its settlement was unknown.
    Dropped,
    /// Another party submitted an authorization that the gate had released.
    LetGo,
    /// No client came back for it.
    NotFetched,
    /// Its payer had sent it too late, or is not served.
    Unserved,
    /// A review of the operator came to this.
    Resolved,
    /// An earlier authorization moved less than the price, or to another payee.
    OtherTerms,
}

/// The begin of a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundBegin {
    /// Its time.
    pub at: UnixTime,
    /// The key of the program that began it: under it the begin may be repeated.
    pub key: Option<String>,
}

/// Why the operator has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The isolate that streamed the response vanished half way.
    StreamLost,
    /// The row is in a state that this version does not know.
    UnknownState,
    /// The chain shows the transfer before the gate first saw the payment.
    PaidBefore,
    /// No proof either way within the longest time of doubt.
    Overdue,
}

/// State of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// `after`: verify and origin run. The gate cannot have moved money.
    Executing(Lease),
    /// A settle call is about to be sent or was sent. Money may have moved.
    Settling(Lease),
    /// No definitive answer. Money may have moved.
    Unknown {
        /// Start of the doubt.
        since: UnixTime,
        /// A transaction that the facilitator named.
        transaction: Option<TxHash>,
        /// The last send.
        sent: UnixTime,
        /// A re-send on its way.
        resend: Option<Resend>,
    },
    /// `before`: paid, the origin has not run.
    Settled {
        /// The transaction.
        transaction: TxHash,
        /// Time of the settlement.
        since: UnixTime,
    },
    /// Paid; the response is on its way.
    Delivering {
        /// The transaction.
        transaction: TxHash,
        /// Time by which the next sign of life is expected.
        lease: Lease,
        /// Whether bytes may have left.
        streaming: bool,
        /// Since when it counts as sold, whatever becomes of this response.
        sold: Option<UnixTime>,
    },
    /// Paid and served.
    Delivered {
        /// The transaction.
        transaction: TxHash,
    },
    /// The facilitator refused for certain; watched, because the authorization is still valid.
    Refused {
        /// Time of the refusal.
        since: UnixTime,
        /// The reason, in the facilitator's words.
        reason: String,
        /// The last send.
        sent: UnixTime,
        /// A re-send on its way.
        resend: Option<Resend>,
    },
    /// The gate never asked for the money and the origin did not run; the same payment may come
    /// again.
    Released,
    /// The gate never asked for the money, but the origin may have run.
    Abandoned,
    /// Paid and not served.
    RefundDue {
        /// The transaction.
        transaction: TxHash,
        /// The reason why it was not served.
        why: Undelivered,
        /// Time since which a refund is due.
        since: UnixTime,
        /// The begin of its refund: nothing is served for it since then.
        refunding: Option<RefundBegin>,
    },
    /// Paid, and sold: the origin has it, and the answer was lost on its way. No one pays it back, and
    /// a repeat is served.
    Sold {
        /// The transaction.
        transaction: TxHash,
        /// Time since which that is known.
        since: UnixTime,
    },
    /// It can never be charged again.
    Void,
    /// The gate submitted nothing, and the chain cannot be read: no delivery, no refund.
    Closed,
    /// Paid, not served, and paid back.
    Refunded {
        /// The transaction.
        transaction: TxHash,
        /// The transaction that paid back.
        refund: TxHash,
    },
    /// Paid, not served, and the operator decided that nothing is owed.
    Waived {
        /// The transaction.
        transaction: TxHash,
        /// The reason, in the operator's words.
        reason: String,
    },
    /// Contradictory facts.
    Manual {
        /// The reason.
        why: Why,
        /// The transaction, if one is known.
        transaction: Option<TxHash>,
    },
}

impl State {
    /// The stable name, for rows, logs and the operator.
    #[must_use]
    pub fn name(&self) -> String {
        self.which().name().to_string()
    }

    /// The state's name as a value.
    #[must_use]
    pub const fn which(&self) -> StateName {
        match self {
            Self::Executing(_) => StateName::Executing,
            Self::Settling(_) => StateName::Settling,
            Self::Unknown { .. } => StateName::Unknown,
            Self::Settled { .. } => StateName::Settled,
            Self::Delivering { .. } => StateName::Delivering,
            Self::Delivered { .. } => StateName::Delivered,
            Self::Refused { .. } => StateName::Refused,
            Self::Released => StateName::Released,
            Self::Abandoned => StateName::Abandoned,
            Self::RefundDue { .. } => StateName::RefundDue,
            Self::Sold { .. } => StateName::Sold,
            Self::Void => StateName::Void,
            Self::Closed => StateName::Closed,
            Self::Refunded { .. } => StateName::Refunded,
            Self::Waived { .. } => StateName::Waived,
            Self::Manual { .. } => StateName::Manual,
        }
    }
}

/// Parts of an old payment that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retention {
    /// All of it: its outcome is unknown.
    All,
    /// Its row without the response: the outcome is known, but the state may still change.
    Row,
    /// Nothing, once it cannot be charged again: the state is final.
    Nothing,
}

/// Declares [`StateName`] with the properties of each state, so that no list of states can miss
/// one.
macro_rules! states {
    ($($state:ident $name:literal $retention:ident)*) => {
        /// A state without its values.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum StateName {
            $(#[doc = concat!("The state `", $name, "`.")] $state,)*
        }

        impl StateName {
            /// Every state.
            pub const ALL: &[Self] = &[$(Self::$state),*];

            /// The stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$state => $name,)* }
            }

            /// The parts of a payment in this state that are kept.
            #[must_use]
            pub const fn retention(self) -> Retention {
                match self { $(Self::$state => Retention::$retention,)* }
            }
        }
    };
}

states! {
    Executing "executing" All
    Settling "settling" All
    Unknown "unknown" All
    Settled "settled" All
    Delivering "delivering" All
    Delivered "delivered" Nothing
    Refused "refused" All
    Released "released" Row
    Abandoned "abandoned" Row
    RefundDue "refund_due" Row
    Sold "sold" Nothing
    Void "void" Nothing
    Closed "closed" Nothing
    Refunded "refunded" Nothing
    Waived "waived" Nothing
    Manual "manual" All
}

/// Whether a report of its refund may be taken of a payment in the state of this name.
#[must_use]
pub fn may_be_paid_back(state: &str) -> bool {
    let is_sold = state == "sold";
    is_sold || matches!(state, "refund_due" | "refunded")
}

/// Whether a step is one that a request takes on its ordinary way: the log's line about the request
/// says how that ended, so a line of its own would say nothing more.
#[must_use]
pub fn is_ordinary(from: &str, to: &str) -> bool {
    matches!(to, "executing" | "settling" | "settled" | "delivering" | "delivered")
        && matches!(from, "none" | "executing" | "settling" | "settled" | "delivering")
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn kept(retention: Retention) -> Vec<&'static str> {
        let states = StateName::ALL.iter().filter(|state| state.retention() == retention);
        states.map(|state| state.name()).collect()
    }

    #[test]
    fn a_response_stays_while_the_outcome_is_unknown_and_a_row_while_something_leads_out_of_it() {
        let open =
            ["executing", "settling", "unknown", "settled", "delivering", "refused", "manual"];
        assert_eq!(kept(Retention::All), open);
        assert_eq!(kept(Retention::Row), ["released", "abandoned", "refund_due"]);
        let at_rest = ["delivered", "sold", "void", "closed", "refunded", "waived"];
        assert_eq!(kept(Retention::Nothing), at_rest);
    }

    #[test]
    fn no_two_states_have_one_name() {
        for (at, state) in StateName::ALL.iter().enumerate() {
            let same = StateName::ALL.iter().position(|other| other.name() == state.name());
            assert_eq!(same, Some(at), "{}", state.name());
        }
    }
}
