//! The questions of the alarm of a channel of MPP to a node, and the call that it then hands over
//! to be sent: money goes out by transactions of the payee's own account.

use alloc::string::{String, ToString};

use crate::Gate;
use crate::call::ChainCall;
use farebox_base::amount::Amount;
use farebox_base::encoding::json::{self, json};
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_channel::desk::{ChannelDesk, Write};
use farebox_channel::errand::ChannelErrand;
use farebox_channel::escrow::EscrowContract;
use farebox_channel::facts::ChannelFacts;
use farebox_channel::funds::SignedFunds;
use farebox_channel::index::IndexAsk;
use farebox_channel::onchain::ChannelQuestion;
use farebox_channel::payee::call::{FundsCall, Haste, PayoutCall, QueuedCall};
use farebox_channel::payee::sent;
use farebox_channel::payee::{AccountHealth, PayeeQueue};
use farebox_channel::state::OnChain;

/// The next step once the chain has shown a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeTask {
    /// Nothing.
    Look,
    /// This is sent, if it is still due.
    Pay(PayoutCall),
}

impl Gate {
    /// The question that is due about a channel of MPP, if one is. Its row is written first: after
    /// a crash the attempt counts as made.
    pub fn channel_question(
        &self,
        desk: &mut ChannelDesk,
        now: UnixTime,
    ) -> Option<(NodeTask, ChainCall)> {
        let task = match desk.channel.as_ref()?.errand(now) {
            // The contract pays at once, and refunds nothing before it closes.
            ChannelErrand::Rest(_) | ChannelErrand::Refund(..) | ChannelErrand::PayOut => {
                return None;
            }
            ChannelErrand::Look => NodeTask::Look,
            ChannelErrand::Claim(_) => NodeTask::Pay(PayoutCall::Settle),
            ChannelErrand::Close(_) => NodeTask::Pay(PayoutCall::Close),
        };
        let facts = ChannelFacts::read(&desk.terms)?;
        let channel = desk.channel.as_mut()?;
        match task {
            NodeTask::Look => channel.looked(now),
            NodeTask::Pay(_) => channel.attempted(now),
        }
        let body = ChannelQuestion::Standing.body(&facts.contract, &channel.id());
        let network = alloc::format!("eip155:{}", facts.contract.chain_id);
        Some((task, ChainCall::new(&network, body)))
    }

    /// Takes what the node said to it; with the call to hand over, if one is due. What comes of it,
    /// only the chain tells.
    pub fn channel_shown(
        &self,
        desk: &mut ChannelDesk,
        task: NodeTask,
        reply: Option<&str>,
        asked: UnixTime,
    ) -> (Write, Option<QueuedCall>) {
        let shown = |desk: &mut ChannelDesk| {
            let ChannelFacts { contract, payee, .. } = ChannelFacts::read(&desk.terms)?;
            let channel = desk.channel.as_mut()?;
            let id = channel.id();
            let seen = ChannelQuestion::Standing.read(&contract, &id, reply?, asked)?;
            channel.see(seen.sight.read()?);
            let NodeTask::Pay(call) = task else { return Some(None) };
            // Vouchers have come since it was asked.
            let earnings = match call {
                PayoutCall::Settle => channel.claimable(),
                PayoutCall::Close | PayoutCall::Deposit => channel.earnings(),
            };
            let (cumulative, signature) = match (call, earnings) {
                (_, Some(earnings)) => {
                    (earnings.evidence.cumulative, Some(earnings.evidence.signature))
                }
                (PayoutCall::Settle, None) => return Some(None),
                (PayoutCall::Close | PayoutCall::Deposit, None) => (channel.sight().claimed, None),
            };
            let haste = match channel.sight().on_chain {
                OnChain::Finalized => return Some(None),
                OnChain::Leaving(_) => Haste::Leaving,
                OnChain::Open => Haste::Staying,
            };
            // No other account can send it.
            if self.keys.payee().is_none_or(|account| account.address() != payee) {
                return Some(None);
            }
            channel.publish(cumulative, asked);
            let owed = cumulative.checked_sub(channel.sight().claimed);
            Some(Some(QueuedCall {
                payee,
                contract,
                channel: id,
                haste,
                owed: owed.unwrap_or(Amount::ZERO),
                call,
                cumulative,
                signature,
                funds: None,
            }))
        };
        shown(desk).map_or((Write::Nothing, None), |call| (Write::Channel, call))
    }

    /// The call that brings a deposit to the contract.
    pub(in crate::session) fn deposit_call(
        &self,
        contract: EscrowContract,
        channel: ChannelId,
        funds: &SignedFunds,
    ) -> Option<QueuedCall> {
        Some(QueuedCall {
            payee: self.keys.payee()?.address(),
            contract,
            channel,
            haste: Haste::Staying,
            owed: Amount::ZERO,
            call: PayoutCall::Deposit,
            cumulative: funds.value(),
            signature: None,
            funds: Some(FundsCall {
                payer: funds.payer(),
                data: funds.data(),
                authorization: Some(funds.id()),
            }),
        })
    }

    /// The question of what the payee's account is to send next, if it is to send anything.
    pub fn payee_question(&self, queue: &mut PayeeQueue) -> Option<ChainCall> {
        let (network, body) = queue.question(self.keys.payee()?.address())?;
        Some(ChainCall::new(&network, body))
    }

    /// Takes what a node said to it: the body that sends what is due.
    pub fn payee_told(&self, queue: &mut PayeeQueue, reply: &str, now: UnixTime) -> Option<String> {
        queue.told(reply, self.keys.payee()?, now)
    }

    /// The complaint to the operator if a node refuses a transaction.
    #[must_use]
    pub fn payee_refusal(&self, reply: &str, network: &str) -> Option<String> {
        let why = sent::refusal(reply)?;
        Some(["farebox: the node of ", network, " refuses what PAYEE_KEY sends: ", &why].concat())
    }

    /// The message that tells the list of channels about the account.
    #[must_use]
    pub fn payee_listing(
        &self,
        queue: &PayeeQueue,
        network: &str,
        now: UnixTime,
    ) -> Option<String> {
        let id = ["payee/", network].concat();
        let account = self.keys.payee()?.address().to_checksum();
        let AccountHealth { lacks, failed_deposits, .. } = queue.health();
        let shown = json!({
            "id": id, "account": account, "network": network,
            "lacks_wei": lacks.unwrap_or(Amount::ZERO).to_string(),
            "failed_deposits": failed_deposits, "at": now.secs(),
        });
        Some(IndexAsk::Note(id, json::text(&shown)).to_text())
    }

    /// The complaint to the operator if the account does not send the next call.
    #[must_use]
    pub fn payee_complaint(&self, queue: &PayeeQueue, network: &str) -> Option<String> {
        let AccountHealth { lacks, failed_deposits, is_slow } = queue.health();
        let account = self.keys.payee()?.address().to_checksum();
        let (what, number, why) = match lacks {
            Some(lacks) => (" lacks the wei for what is next: ", lacks.to_string(), ""),
            None if is_slow => (
                " sends deposits of new payers one at a time, after so many that came to nothing at \
                its cost: ",
                failed_deposits.to_string(),
                "; their payers may have moved the tokens before the block, or others have sent the \
                same calls first",
            ),
            None => return None,
        };
        let words = ["farebox: ", &account, ", the account of PAYEE_KEY on ", network, ","];
        Some([&words.concat(), what, &number, why].concat())
    }
}
