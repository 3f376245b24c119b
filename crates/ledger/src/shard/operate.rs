//! Decisions of the operator about one row.

use alloc::vec::Vec;

use super::{Change, Rows, Scene, Shard, Slot};
use crate::entry::Entry;
use crate::report::{Decision as Verdict, Undecided};
use farebox_common::payment::TxHash;

/// Result of an operator's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decided {
    /// No such row is known.
    NoRow,
    /// The row stays as it is, for this reason.
    Undecided(Undecided),
    /// These writes carry it out.
    Done(Slot, Vec<Change>),
}

impl Shard {
    /// Carries out a decision about the row with this receipt id.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn decide<R: Rows>(
        id: &str,
        verdict: &Verdict,
        rows: &R,
        scene: &Scene<'_>,
    ) -> Result<Decided, R::Error> {
        let Some(slot) = rows.by_receipt(id)? else { return Ok(Decided::NoRow) };
        let Some(before) = rows.find(&slot)? else { return Ok(Decided::NoRow) };
        let current = before.clone().lapse(scene.now);
        let named = match verdict {
            Verdict::Refunded(hash) | Verdict::Resolved { transaction: Some(hash), .. } => {
                Some(hash)
            }
            Verdict::Refunding { .. }
            | Verdict::NotRefunded { .. }
            | Verdict::Waived(_)
            | Verdict::Resolved { transaction: None, .. } => None,
        };
        if let Some(hash) = named
            && serves_another(hash, &slot, &before, rows)?
        {
            return Ok(Decided::Undecided(Undecided::WrongState));
        }
        let entry = match current.decide(verdict, scene.now) {
            Ok(entry) => entry,
            Err(why) => return Ok(Decided::Undecided(why)),
        };
        let mut changes = Vec::new();
        Self::step(&slot, &before, entry, &verdict.why(), scene, &mut changes);
        Ok(Decided::Done(slot, changes))
    }
}

/// Whether a transaction paid for another payment, or paid another one back.
fn serves_another<R: Rows>(
    name: &str,
    slot: &Slot,
    entry: &Entry,
    rows: &R,
) -> Result<bool, R::Error> {
    let Some(hash) = TxHash::parse_any(name) else { return Ok(false) };
    let owners = rows.owners(&entry.payment.network, &hash)?;
    Ok(owners.iter().any(|owner| owner != slot) || rows.refunds_another(&hash, slot)?)
}
