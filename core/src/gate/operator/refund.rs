//! Proof of a refund on the chain.

use crate::amount::Amount;
use crate::chain::ChainId;
use crate::evm::address::Address;
use crate::evm::rpc::TRANSFER;
use crate::evm::rpc::reply::{Inclusion, Replies, Status};
use crate::ledger::report::PaymentItem;
use crate::payment::TxHash;

/// Whether the transaction gave the payer this amount of this asset back; `None` if the node does
/// not say.
pub(super) fn refund_proof(body: &[u8], hash: &TxHash, item: &PaymentItem) -> Option<bool> {
    let replies = Replies::read(body, 2).ok()?;
    if Some(replies.quantity(0).ok()?) != ChainId::parse(&item.network).ok()?.evm_id() {
        return None;
    }
    let Some(receipt) = replies.receipt(1, &hash.to_bytes()).ok()? else {
        return Some(false);
    };
    let asset = Address::parse(&item.asset).ok()?;
    let payer = Address::parse(&item.payer).ok()?.to_word();
    let amount = Amount::from_atomic(&item.amount).ok()?.to_be_bytes();
    let gives_back = receipt.logs.iter().any(|log| {
        let to_payer =
            matches!(log.topics.as_slice(), [event, _, to] if *event == TRANSFER && *to == payer);
        log.standing == Inclusion::Included
            && log.address == asset
            && to_payer
            && log.data == amount
    });
    Some(receipt.status == Status::Succeeded && gives_back)
}
