//! Proof of a refund on the chain.

use alloc::string::String;

use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_evm::rpc::reply::{Inclusion, Replies, Status};
use farebox_evm::rpc::{self, TRANSFER};
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

/// A transfer that a transaction has to show.
pub(crate) struct ShownTransfer<'a> {
    pub network: &'a str,
    pub asset: &'a str,
    /// Atomic units, decimal text.
    pub amount: &'a str,
    /// The sender; `None` if anyone may be.
    pub from: Option<&'a str>,
    pub to: &'a str,
}

/// The question to a node by which it shows a transaction's transfers.
pub(crate) fn transfer_question(hash: &TxHash) -> String {
    rpc::batch(&[rpc::Call::ChainId, rpc::Call::Receipt(hash.to_bytes())])
}

impl ShownTransfer<'_> {
    /// Whether the transaction succeeded and moved exactly this; `None` if the node does not say.
    pub fn is_shown(&self, body: &[u8], hash: &TxHash) -> Option<bool> {
        let replies = Replies::read(body, 2).ok()?;
        if Some(replies.quantity(0).ok()?) != ChainId::parse(self.network).ok()?.evm_id() {
            return None;
        }
        let Some(receipt) = replies.receipt(1, &hash.to_bytes()).ok()? else {
            return Some(false);
        };
        let asset = Address::parse(self.asset).ok()?;
        let payee = Address::parse(self.to).ok()?.to_word();
        let amount = Amount::from_atomic(self.amount).ok()?.to_be_bytes();
        let sender = self.from.map(|from| Address::parse(from).ok().map(Address::to_word));
        let may_send = |from: &[u8; 32]| sender.is_none_or(|sender| Some(*from) == sender);
        let moves = receipt.logs.iter().any(|log| {
            let is_it = matches!(
                log.topics.as_slice(),
                [event, from, to] if *event == TRANSFER && *to == payee && may_send(from)
            );
            log.standing == Inclusion::Included
                && log.address == asset
                && is_it
                && log.data == amount
        });
        Some(receipt.status == Status::Succeeded && moves)
    }
}

/// Whether the transaction gave the payer this amount of this asset back; `None` if the node does
/// not say.
pub(super) fn refund_proof(
    body: &[u8],
    hash: &TxHash,
    item: &PaymentItem,
    reporter: Reporter,
) -> Option<bool> {
    let from = match reporter {
        Reporter::Operator => None,
        Reporter::Payee => Some(item.payee.as_str()),
    };
    let PaymentItem { network, asset, amount, payer, .. } = item;
    ShownTransfer { network, asset, amount, from, to: payer }.is_shown(body, hash)
}
