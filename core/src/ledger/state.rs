//! Where a payment stands: impossible pairs cannot be written.

use alloc::string::{String, ToString};

use crate::payment::TxHash;
use crate::time::UnixTime;

/// Work on a row: who holds it, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// From here on somebody else may finish the work.
    pub until: UnixTime,
}

/// A re-send on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// Until when it is waited for.
    pub until: UnixTime,
    /// Who sends.
    pub sender: Requester,
}

/// Who waits for a settle call, and so what its success may give him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// The request that made the row; it holds what the origin gave.
    Claimer,
    /// A repeat that may receive what nobody received.
    ProvenRepeat,
    /// A repeat that has not proved itself.
    UnprovenRepeat,
}

/// Why a paid request was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The origin failed or broke off.
    Origin,
    /// The work was lost before its first byte left.
    Lost,
    /// A stream was dropped because its settlement was unknown.
    Dropped,
    /// Somebody else submitted an authorization that we had let go.
    LetGo,
    /// Nobody came back for it.
    NotFetched,
    /// Its payer had sent it too late, or is one who is not served.
    Unserved,
    /// The operator found it so.
    Resolved,
}

/// Why the operator has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Who streamed the response vanished half way.
    StreamLost,
    /// The row is in a state that this version does not know.
    UnknownState,
    /// The chain shows the transfer before we ever saw the payment.
    PaidBefore,
    /// No proof either way in all the time there is.
    Overdue,
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// `after`: verify and origin run. Money cannot have moved by us.
    Executing(Lease),
    /// A settle call is about to be sent or was sent. Money may have moved.
    Settling(Lease),
    /// No definitive answer. Money may have moved.
    Unknown {
        /// Since when.
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
        /// Since when.
        since: UnixTime,
    },
    /// Paid; the response is on its way.
    Delivering {
        /// The transaction.
        transaction: TxHash,
        /// Until when it is waited for.
        lease: Lease,
        /// Whether bytes may have left.
        streaming: bool,
    },
    /// Paid and served.
    Delivered {
        /// The transaction.
        transaction: TxHash,
    },
    /// The facilitator refused for certain; watched, because the authorization is still valid.
    Refused {
        /// Since when.
        since: UnixTime,
        /// In the facilitator's words.
        reason: String,
        /// The last send.
        sent: UnixTime,
        /// A re-send on its way.
        resend: Option<Resend>,
    },
    /// We never asked for the money and nothing ran; the same payment may come again.
    Released,
    /// We never asked for the money, but the origin may have run.
    Abandoned,
    /// Paid and not served.
    RefundDue {
        /// The transaction.
        transaction: TxHash,
        /// Why not served.
        why: Undelivered,
        /// Since when.
        since: UnixTime,
    },
    /// It can never be charged any more.
    Void,
    /// Nothing was submitted by us, and nobody can look: no delivery, no refund.
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
        /// In the operator's words.
        reason: String,
    },
    /// Contradictory facts.
    Manual {
        /// Why.
        why: Why,
        /// The transaction, where one is known.
        transaction: Option<TxHash>,
    },
}

impl State {
    /// The stable name, for rows, logs and the operator.
    #[must_use]
    pub fn name(&self) -> String {
        self.which().name().to_string()
    }

    /// Which state it is.
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
            Self::Void => StateName::Void,
            Self::Closed => StateName::Closed,
            Self::Refunded { .. } => StateName::Refunded,
            Self::Waived { .. } => StateName::Waived,
            Self::Manual { .. } => StateName::Manual,
        }
    }
}

/// What is kept of a payment that is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retention {
    /// All of it: its outcome is not known.
    All,
    /// Its row without the response: the outcome is known, and something may still lead out of the state.
    Row,
    /// Nothing, once it cannot be charged any more: no step leads out of the state.
    Nothing,
}

/// Declares [`StateName`] and all that is said of each, so that no list of states can lack one.
macro_rules! states {
    ($($state:ident $name:literal $retention:ident)*) => {
        /// A state without what belongs to it.
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

            /// What is kept of a payment in this state.
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
    Void "void" Nothing
    Closed "closed" Nothing
    Refunded "refunded" Nothing
    Waived "waived" Nothing
    Manual "manual" All
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
        let at_rest = ["delivered", "void", "closed", "refunded", "waived"];
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
