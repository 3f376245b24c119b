//! A node's answers to the question of a round, by channel.

use alloc::vec::Vec;

use super::call::{ChannelCheck, QueuedCall, ShownChannel};
use crate::config::ChannelId;
use farebox_evm::rpc::Span;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Log, LogPlace, Replies, TransactionReceipt};

/// A node's answers about channels.
pub(super) struct RoundReplies<'a> {
    /// The questions, in their order.
    asked: &'a [(ChannelId, ChannelCheck)],
    /// The answers.
    replies: &'a Replies,
    /// Answers before those.
    before: usize,
}

impl<'a> RoundReplies<'a> {
    /// The answers to what was asked, after so many others.
    pub(super) const fn new(
        asked: &'a [(ChannelId, ChannelCheck)],
        replies: &'a Replies,
        before: usize,
    ) -> Self {
        Self { asked, replies, before }
    }

    fn place(&self, channel: &ChannelId, what: ChannelCheck) -> Option<usize> {
        self.asked.iter().position(|it| *it == (*channel, what))?.checked_add(self.before)
    }

    /// The result of a call of the contract; `None` if it was not asked.
    fn returned(
        &self,
        channel: &ChannelId,
        what: ChannelCheck,
    ) -> Option<Result<Vec<u8>, RpcError>> {
        self.place(channel, what).map(|place| self.replies.returned(place))
    }

    /// The outcome of a deposit if it were sent; `None` if it was not asked.
    pub(super) fn trial(&self, channel: &ChannelId) -> Option<Result<Vec<u8>, RpcError>> {
        self.returned(channel, ChannelCheck::Trial)
    }

    /// How a channel stands, if the node says so.
    pub(super) fn standing(&self, channel: &ChannelId) -> Option<ShownChannel> {
        ShownChannel::read(&self.returned(channel, ChannelCheck::Standing)?.ok()?)
    }

    /// The receipt of this transaction, if the node has it.
    pub(super) fn receipt(
        &self,
        channel: &ChannelId,
        transaction: &[u8; 32],
    ) -> Option<TransactionReceipt> {
        let place = self.place(channel, ChannelCheck::Receipt)?;
        self.replies.receipt(place, transaction).ok().flatten()
    }

    /// The receipt of the transaction that used or cancelled the authorization of a deposit.
    pub(super) fn moved(&self, call: &QueuedCall, user: &LogPlace) -> Option<TransactionReceipt> {
        let authorization = call.funds.as_ref()?.authorization.as_ref()?;
        let place = self.place(&call.channel, ChannelCheck::Moved)?;
        self.replies.authorization_events(place, authorization, user).ok()
    }

    /// The transaction that used or cancelled the authorization of a deposit, up to this block.
    pub(super) fn user(&self, call: &QueuedCall, block: u64) -> Option<LogPlace> {
        let authorization = call.funds.as_ref()?.authorization.as_ref()?;
        let place = self.place(&call.channel, ChannelCheck::Use)?;
        let span = Span::downward(block);
        let logs = self.replies.authorization_logs(place, authorization, span).ok()?;
        logs.last().map(Log::place)
    }
}
