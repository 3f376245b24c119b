//! The rows of a ledger that has taken a copy. Since the copy was made, its debts may have been paid
//! back where it was made. So none that is older begins a refund by itself, nor by a person who has
//! not looked. Whether the copied gate sold meanwhile does not matter: debts end without a sale, and
//! what was sent for an earlier challenge is taken note of there.

use crate::entry::Plan;
use crate::report::{Decision, LOOKED};

/// Name of the number that an object keeps about itself: the second from which on it has answered
/// by the rows of a copy.
pub const NOTE: &str = "restored";

/// The moment since which the rows of an object are known, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// [`NOTE`]; zero if no copy came.
    at: u64,
    /// The recovery times, where they are others because of it.
    plan: Option<Plan>,
}

impl Restored {
    /// An object with this [`NOTE`], and this plan of its gate.
    #[must_use]
    pub fn new(at: u64, plan: &Plan) -> Self {
        let is_later = plan.known_since < at;
        Self { at, plan: is_later.then(|| Plan { known_since: at, ..plan.clone() }) }
    }

    /// The plan by which an object recovers whose gate has this one.
    #[must_use]
    pub fn plan<'a>(&'a self, of_gate: &'a Plan) -> &'a Plan {
        self.plan.as_ref().unwrap_or(of_gate)
    }

    /// A decision as the object takes it.
    #[must_use]
    pub fn decision(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Refunding { known_since, key, sold } if known_since != LOOKED => {
                Decision::Refunding { known_since: known_since.max(self.at), key, sold }
            }
            decision => decision,
        }
    }
}
