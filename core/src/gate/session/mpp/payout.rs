//! What the alarm of a channel of MPP asks a node, and the transaction that it then has sent: money
//! goes out by transactions of the payee's own account.

use alloc::string::String;

use crate::channel::desk::{ChannelDesk, Write};
use crate::channel::errand::ChannelErrand;
use crate::channel::facts::ChannelFacts;
use crate::channel::onchain::{ChannelQuestion, PayoutCall, sending};
use crate::channel::state::OnChain;
use crate::gate::Gate;
use crate::gate::call::ChainCall;
use crate::time::UnixTime;

/// What follows once the chain has shown a channel.
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
        let payee = self.keys.payee()?.address();
        let channel = desk.channel.as_mut()?;
        match task {
            NodeTask::Look => channel.looked(now),
            NodeTask::Pay(_) => channel.attempted(now),
        }
        let body = ChannelQuestion::Sending(payee).body(&facts.contract, &channel.id());
        let network = alloc::format!("eip155:{}", facts.contract.chain_id);
        Some((task, ChainCall::new(&network, body)))
    }

    /// Takes what the node said to it; with the body that sends a transaction, if one is to be
    /// sent. What comes of it, only the chain tells.
    pub fn channel_shown(
        &self,
        desk: &mut ChannelDesk,
        task: NodeTask,
        reply: Option<&str>,
        asked: UnixTime,
    ) -> (Write, Option<String>) {
        let shown = |desk: &mut ChannelDesk| {
            let facts = ChannelFacts::read(&desk.terms)?;
            let payee = self.keys.payee()?;
            let channel = desk.channel.as_mut()?;
            let question = ChannelQuestion::Sending(payee.address());
            let (id, contract) = (channel.id(), facts.contract);
            let seen = question.read(&contract, &id, reply?, asked)?;
            channel.see(seen.sight.read()?);
            let NodeTask::Pay(payment) = task else { return Some(None) };
            // Vouchers have come since it was asked.
            let earnings = match payment {
                PayoutCall::Settle => channel.claimable(),
                PayoutCall::Close => channel.earnings(),
            };
            let voucher = match (payment, earnings) {
                (_, Some(earnings)) => {
                    (earnings.evidence.cumulative, Some(earnings.evidence.signature))
                }
                (PayoutCall::Settle, None) => return Some(None),
                (PayoutCall::Close, None) => (channel.sight().claimed, None),
            };
            if channel.sight().on_chain == OnChain::Finalized {
                return Some(None);
            }
            channel.shows(voucher.0);
            let by = (payee, channel.tries());
            Some(sending((&contract, &id), payment, voucher, &seen, by))
        };
        shown(desk).map_or((Write::Nothing, None), |body| (Write::Channel, body))
    }
}
