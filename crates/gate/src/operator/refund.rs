//! Proof of a refund on the chain.

use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::mutant::{Mutant, planted};
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_evm::rpc::TRANSFER;
use farebox_evm::rpc::reply::{Inclusion, Replies, Status};
use farebox_ledger::report::PaymentItem;

/// The reporter of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reporter {
    /// The operator: whoever sent it, and believed where no chain can be read.
    Operator,
    /// The program that pays refunds from the wallet of the payee: the chain has to show exactly
    /// that.
    Payee,
}

/// Whether the transaction gave the payer this amount of this asset back; `None` if the node does
/// not say.
pub(super) fn refund_proof(
    body: &[u8],
    hash: &TxHash,
    item: &PaymentItem,
    reporter: Reporter,
) -> Option<bool> {
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
    let payee = Address::parse(&item.payee).ok().map(Address::to_word);
    let may_send = |from: &[u8; 32]| match reporter {
        Reporter::Operator => true,
        Reporter::Payee => Some(*from) == payee || planted(Mutant::AnyoneRefunds),
    };
    let gives_back = receipt.logs.iter().any(|log| {
        let to_payer = matches!(
            log.topics.as_slice(),
            [event, from, to] if *event == TRANSFER && *to == payer && may_send(from)
        );
        log.standing == Inclusion::Included
            && log.address == asset
            && to_payer
            && log.data == amount
    });
    Some(receipt.status == Status::Succeeded && gives_back)
}
