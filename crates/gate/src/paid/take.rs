//! Settlements on a chain that the gate does not read: one ledger object takes the transaction
//! before it counts, so that a facilitator cannot name one transaction for two payments.

use alloc::boxed::Box;
use alloc::string::ToString;

use super::inquire::SettleReport;
use super::{LedgerCall, PaidRequest, Step};
use crate::Gate;
use crate::call::object;
use farebox_base::encoding::json;
use farebox_base::hash::digest;
use farebox_base::mutant::{Mutant, planted};
use farebox_common::payment::TxHash;
use farebox_ledger::command::{Outcome, VERSION};
use farebox_ledger::take::{Holder, Named, Take};

/// Waits for the holder of a transaction.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Taking<'g> {
    paid: Box<PaidRequest<'g>>,
    named: TxHash,
    report: SettleReport,
}

impl Gate {
    /// The call that takes a transaction for a payment; `None` on chains that show themselves which
    /// payment it belongs to.
    pub(crate) fn take_call(
        &self,
        network: &str,
        transaction: &TxHash,
        key: &str,
    ) -> Option<LedgerCall> {
        if network.starts_with("eip155:") {
            return None;
        }
        let place = match planted(Mutant::TakenInManyPlaces) {
            true => digest(&[key.as_bytes()]),
            false => digest(&[network.as_bytes(), transaction.as_str().as_bytes()]),
        };
        // Until a change of their number is over, the objects before it keep what was taken.
        let shards = self.shards.old.unwrap_or(self.shards.count);
        let shard = self.keys.shard(place.as_bytes(), shards);
        let take = Named {
            network: network.to_string(),
            transaction: transaction.to_text(),
            key: key.to_string(),
        };
        let message = json::text(&Take { v: VERSION, take });
        Some(LedgerCall::new(object(shards, shard), message))
    }
}

impl<'g> PaidRequest<'g> {
    /// Takes the transaction that a facilitator has named, or reports it at once if the chain shows
    /// whose it is.
    pub(super) fn take(self: Box<Self>, named: TxHash, report: SettleReport) -> Step<'g> {
        let network = self.asked.choice.terms.network.as_str();
        match self.asked.gate.take_call(network, &named, &self.checked.proof.key.to_hex()) {
            Some(call) => Step::Take(call, Taking { paid: self, named, report }),
            None => self.report(Outcome::Settled(named.to_text()), report),
        }
    }
}

impl<'g> Taking<'g> {
    /// Takes the object's answer; `None` if it is down: then it is unknown whether the payment
    /// moved anything.
    pub fn answered(self, holder: Option<Holder>) -> Step<'g> {
        let Self { mut paid, named, report } = self;
        let result = settled(named, holder);
        if !matches!(result, Outcome::Settled(_)) {
            paid.work.transaction = None;
        }
        paid.report(result, report)
    }
}

/// The outcome of a settlement, given the holder of its transaction.
pub(crate) fn settled(named: TxHash, holder: Option<Holder>) -> Outcome {
    match holder {
        None if planted(Mutant::TakenUnheard) => Outcome::Settled(named.to_text()),
        Some(Holder::Own) => Outcome::Settled(named.to_text()),
        Some(Holder::Another) => Outcome::Unknown(None),
        None => Outcome::Unknown(Some(named.to_text())),
    }
}
