//! The transactions of rows that are not at rest. An index leads to those of rows at rest alone, so
//! that a payment writes its place in it once.

use std::cell::RefCell;

use farebox_core::ledger::entry::Entry;
use farebox_core::ledger::shard::Slot;
use farebox_core::payment::TxHash;

/// A row that is not at rest, and certainly has a transaction.
struct OpenOwner {
    slot: Slot,
    network: String,
    transaction: TxHash,
    created: u64,
}

/// All of them.
#[derive(Default)]
pub(super) struct OpenOwners(RefCell<Vec<OpenOwner>>);

impl OpenOwners {
    /// Notes a row as it is written.
    pub(super) fn note(&self, slot: &Slot, entry: &Entry, is_open: bool) {
        self.forget(slot);
        if let Some(transaction) = entry.owned().filter(|_| is_open) {
            self.0.borrow_mut().push(OpenOwner {
                slot: slot.clone(),
                network: entry.payment.network.clone(),
                transaction,
                created: entry.created.secs(),
            });
        }
    }

    pub(super) fn forget(&self, slot: &Slot) {
        self.0.borrow_mut().retain(|it| it.slot != *slot);
    }

    /// The rows to which a transaction belongs.
    pub(super) fn of(&self, network: &str, transaction: &TxHash) -> Vec<Slot> {
        let all = self.0.borrow();
        let owners =
            all.iter().filter(|it| it.network == network && it.transaction == *transaction);
        owners.map(|it| it.slot.clone()).collect()
    }

    /// Whether one of them has had the transaction of this row for longer.
    pub(super) fn has_earlier(&self, owned: &Owned<'_>) -> bool {
        self.0.borrow().iter().any(|it| {
            it.network == owned.network
                && it.transaction.as_str() == owned.transaction
                && (it.created, &it.slot) < (owned.created, owned.slot)
        })
    }
}

/// A row and the transaction that it names.
pub(in super::super) struct Owned<'a> {
    pub slot: &'a Slot,
    pub network: &'a str,
    pub transaction: &'a str,
    pub created: u64,
}

/// The part of a transaction that the index of the rows at rest holds.
pub(super) const START: &str = "substr(tx, 3, 12)";
/// Condition of that index: the transaction is certainly the row's.
pub(in super::super) const CERTAIN: &str =
    "id > 0 AND tx IS NOT NULL AND state <> 'unknown' AND tx <> 'pending'";
