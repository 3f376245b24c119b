//! The refund of a debt by the operator's own treasury. Its begin is written before.
//!
//! The node shows the settlement, the treasury is asked for the payout and then what became of it,
//! and the node shows the refund: only that ends the debt. What stays open is asked again later,
//! with the same bytes. Spec: docs/operations.md, "A treasury that refunds by itself".

use alloc::boxed::Box;
use alloc::string::String;

use super::RecoveryStep;
use crate::call::{ChainCall, TreasuryCall};
use crate::operator::refund::{ShownTransfer, transfer_question};
use crate::parts::Refunds;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json::{self, json};
use farebox_common::payment::TxHash;
use farebox_common::payout::{PayoutAnswer, PayoutState, read_answer};
use farebox_evm::address::Address;
use farebox_evm::token::by_address;
use farebox_ledger::entry::Entry;
use farebox_ledger::report::Decision;
use farebox_ledger::shard::Slot;

/// The refund of a debt under way.
#[derive(Debug)]
pub struct PayingBack {
    receipt: String,
    /// Number and key of the begin.
    begun: u64,
    key: String,
    network: String,
    asset: String,
    amount: String,
    payer: String,
    payee: String,
    organization: String,
    /// The body of the payout; `None` if the treasury cannot pay this asset.
    order: Option<String>,
    stage: RefundPhase,
}

/// The answer that is waited for.
#[derive(Debug)]
enum RefundPhase {
    /// The node's answer about the settlement.
    Settlement(TxHash),
    /// The treasury's answer to the payout.
    Order,
    /// Its answer about what became of it.
    Payout,
    /// The node's answer about the refund.
    Refund(TxHash),
}

impl PayingBack {
    /// The first step for a debt whose begin is written; `None` if it is not.
    pub(super) fn begin(slot: Slot, entry: &Entry, refunds: &Refunds) -> Option<RecoveryStep> {
        let begun = entry.paid_back_under(&refunds.plan)?;
        let payment = &entry.payment;
        let settlement = entry.owned()?;
        let paying = Self {
            receipt: payment.receipt.clone(),
            begun,
            key: refunds.plan.key.clone(),
            network: payment.network.clone(),
            asset: payment.asset.clone(),
            amount: payment.amount.clone(),
            payer: slot.payer,
            payee: payment.pay_to.clone(),
            organization: refunds.organization.clone(),
            order: None,
            stage: RefundPhase::Settlement(settlement),
        };
        let order = paying.write_order(&refunds.wallet);
        if order.is_none() {
            return Some(paying.give_up());
        }
        Some(Self { order, ..paying }.look(settlement))
    }

    /// The body of the payout, the same each time; `None` if the treasury cannot pay this.
    fn write_order(&self, wallet: &str) -> Option<String> {
        let network = ChainId::parse(&self.network).ok()?;
        let token = by_address(&network, &Address::parse(&self.asset).ok()?)?;
        let amount = Amount::from_atomic(&self.amount).ok()?.to_decimal(token.decimals);
        let [to, from] = [&self.payer, &self.payee].map(|it| Address::parse(it).ok());
        // A treasury sends nothing to itself.
        (token.eip3009 && to != from).then_some(())?;
        Some(json::text(&json!({
            "organization": self.organization,
            "wallet": wallet,
            "network": self.network,
            "asset": token.symbol,
            "to": to?.to_checksum(),
            "from": from?.to_checksum(),
            "amount": amount,
            "idempotencyKey": ["refund:", &self.receipt].concat(),
        })))
    }

    fn look(self, transaction: TxHash) -> RecoveryStep {
        let call = ChainCall::new(&self.network, transfer_question(&transaction));
        RecoveryStep::Prove(call, Box::new(self))
    }

    /// Takes the body of the node's answer; `None` unless it came completely, in time and with
    /// status 200.
    #[must_use]
    pub fn saw(self, reply: Option<&[u8]>) -> RecoveryStep {
        let shows = |hash: &TxHash, [from, to]: [&str; 2]| {
            let Self { network, asset, amount, .. } = &self;
            let transfer = ShownTransfer { network, asset, amount, from: Some(from), to };
            reply.and_then(|body| transfer.is_shown(body, hash))
        };
        match &self.stage {
            RefundPhase::Settlement(hash) => match shows(hash, [&self.payer, &self.payee]) {
                Some(true) => self.ask(),
                // What a node does not show now it may have shown before, and the treasury may have paid.
                _ => RecoveryStep::Rest,
            },
            RefundPhase::Refund(hash) => {
                let hash = *hash;
                match shows(&hash, [&self.payee, &self.payer]) {
                    Some(true) => self.refunded(&hash),
                    _ => RecoveryStep::Rest,
                }
            }
            RefundPhase::Order | RefundPhase::Payout => RecoveryStep::Rest,
        }
    }

    fn ask(mut self) -> RecoveryStep {
        self.stage = RefundPhase::Order;
        let body = self.order.clone();
        let call = TreasuryCall { path: "/api/payouts".into(), body };
        RecoveryStep::PayOut(call, Box::new(self))
    }

    /// Takes the treasury's answer; `None` if no complete one came in time.
    #[must_use]
    pub fn answered(mut self, answer: Option<&PayoutAnswer>) -> RecoveryStep {
        let (told, id) = answer.map_or((PayoutState::Unknown, String::new()), read_answer);
        match (&self.stage, told) {
            (_, PayoutState::Dead) => self.give_up(),
            // The answer under a key stays what it was first, so that it is asked what became of it.
            (RefundPhase::Order, _) if is_id(&id) => {
                self.stage = RefundPhase::Payout;
                let query = ["?organization=", &self.organization].concat();
                let path = ["/api/payouts/", &id, &query].concat();
                RecoveryStep::PayOut(TreasuryCall { path, body: None }, Box::new(self))
            }
            (RefundPhase::Payout, PayoutState::Sent(hash) | PayoutState::Confirmed(hash)) => {
                let Some(hash) = TxHash::on(&self.network, &hash) else {
                    return RecoveryStep::Rest;
                };
                self.stage = RefundPhase::Refund(hash);
                self.look(hash)
            }
            _ => RecoveryStep::Rest,
        }
    }

    fn refunded(self, hash: &TxHash) -> RecoveryStep {
        RecoveryStep::Decide(self.receipt, Decision::Refunded(hash.to_text()))
    }

    /// Takes the begin back: people pay it back.
    fn give_up(self) -> RecoveryStep {
        let key = Some(self.key);
        RecoveryStep::Decide(self.receipt, Decision::NotRefunded { begun: self.begun, key })
    }
}

/// Whether it can be the id of a payout, as a part of a path.
fn is_id(id: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=128).contains(&id.len()) && id.bytes().all(is_letter)
}
