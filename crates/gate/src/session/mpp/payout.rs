//! The questions of the alarm of a channel of MPP to a node, and the call that it then hands over
//! to be sent: money goes out by transactions of the payee's own account.

use alloc::string::{String, ToString};

use crate::call::ChainCall;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
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
use farebox_evm::account::Account;

/// How the names of payees' accounts begin in the list of channels.
const PAYEE_ROWS: &str = "payee/";

/// Whether it names a payee's account in the list of channels.
#[must_use]
pub(crate) fn is_payee_row(id: &str) -> bool {
    id.strip_prefix(PAYEE_ROWS).is_some_and(|network| ChainId::parse(network).is_ok())
}

/// The next step once the chain has shown a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeTask {
    /// Nothing.
    Look,
    /// This is sent, if it is still due.
    Pay(PayoutCall),
}

/// The account of a payee, which sends what is due to the chain.
#[derive(Clone, Copy)]
pub struct PayeeAccount<'g> {
    pub(crate) account: &'g Account,
}

impl PayeeAccount<'_> {
    /// The call that brings a deposit to the contract.
    pub(in crate::session) fn deposit(
        &self,
        contract: EscrowContract,
        channel: ChannelId,
        funds: &SignedFunds,
    ) -> QueuedCall {
        QueuedCall {
            payee: self.account.address(),
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
        }
    }

    /// The question of what the payee's account is to send next, if it is to send anything.
    pub fn question(&self, queue: &mut PayeeQueue) -> Option<ChainCall> {
        let (network, body) = queue.question(self.account.address())?;
        Some(ChainCall::new(&network, body))
    }

    /// Takes what a node said to it: the body that sends what is due.
    pub fn take_reply(&self, queue: &mut PayeeQueue, reply: &str, now: UnixTime) -> Option<String> {
        queue.told(reply, self.account, now)
    }

    /// The message that tells the list of channels about the account.
    #[must_use]
    pub fn list(&self, queue: &PayeeQueue, network: &str, now: UnixTime) -> String {
        let id = [PAYEE_ROWS, network].concat();
        let account = self.account.address().to_checksum();
        let AccountHealth { lacks, failed_deposits, .. } = queue.health();
        let shown = json!({
            "id": id, "account": account, "network": network,
            "lacks_wei": lacks.unwrap_or(Amount::ZERO).to_string(),
            "failed_deposits": failed_deposits, "at": now.secs(),
        });
        IndexAsk::Note(id, json::text(&shown)).to_text()
    }

    /// The complaint to the operator if the account does not send the next call.
    #[must_use]
    pub fn complain(&self, queue: &PayeeQueue, network: &str) -> Option<String> {
        let AccountHealth { lacks, failed_deposits, is_slow } = queue.health();
        let account = self.account.address().to_checksum();
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

/// The question that is due about a channel of MPP, if one is. Its row is written first: after
/// a crash the attempt counts as made.
pub fn ask_channel(desk: &mut ChannelDesk, now: UnixTime) -> Option<(NodeTask, ChainCall)> {
    desk.disbelieve_times_after(now);
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

/// Takes what the node said to it; with the call to hand over to the account, if one is due. What
/// comes of it, only the chain tells.
pub fn take_sight(
    desk: &mut ChannelDesk,
    task: NodeTask,
    reply: Option<&str>,
    asked: UnixTime,
    account: Option<PayeeAccount<'_>>,
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
            PayoutCall::Settle => channel.claimable(asked),
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
        if account.is_none_or(|it| it.account.address() != payee) {
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

/// The complaint to the operator if a node refuses a transaction.
#[must_use]
pub fn complain_of_node(reply: &str, network: &str) -> Option<String> {
    let why = sent::refusal(reply)?;
    Some(["farebox: the node of ", network, " refuses what PAYEE_KEY sends: ", &why].concat())
}
