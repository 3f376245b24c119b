//! The evidence in one receipt about one permit.

use super::Question;
use farebox_evm::evidence::Evidence;
use farebox_evm::permit_calls::{Mention, mention};
use farebox_evm::rpc::reply::{Inclusion, Sent, Status, TransactionReceipt};

/// Reads the receipt of a transaction that may have used a permit.
///
/// Only a call of the proxy for this permit alone proves that its `Transfer` is this payment's:
/// anyone can write the permit into the data of another transfer.
pub(super) fn of_permit(
    receipt: &TransactionReceipt,
    sent: &Sent,
    question: &Question,
) -> Evidence {
    if receipt.status != Status::Succeeded {
        return Evidence::Unrelated;
    }
    let facilitator = question.method.facilitator();
    let expected = question.transfer();
    let exact = receipt.logs.iter().find(|log| {
        let is_its = log.standing == Inclusion::Included && log.address == question.asset;
        is_its && expected.is_moved_by(log)
    });
    match (mention(sent.to, &sent.input, &expected, facilitator), exact) {
        (Mention::Exact, Some(log)) => Evidence::Paid { log_index: log.index },
        (Mention::Exact, None) | (Mention::Inside, Some(_)) => Evidence::Unclear,
        // A part of what was signed that is not the one that was asked for.
        (Mention::Nonce, _) if facilitator.is_some() => Evidence::Unclear,
        (Mention::Nonce, _) => Evidence::Elsewhere,
        (Mention::Inside, None) | (Mention::None, _) => Evidence::Unrelated,
    }
}
