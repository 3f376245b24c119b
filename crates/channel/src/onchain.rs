//! A channel of the escrow contract of MPP's method `evm`, as a node shows it. Spec: MPP `evm` session, "Contract interface".

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::config::ChannelId;
use super::escrow::EscrowContract;
use super::facts::ChannelFacts;
use super::funds::SignedFunds;
use super::messages::SightText;
use super::own::brought;
use super::state::BEHIND_SECS;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Block, Log, Replies, Status};
use farebox_evm::rpc::{At, Call, batch};

/// The questions to a node about a channel.
#[derive(Clone, Copy, Debug)]
pub enum ChannelQuestion<'a> {
    /// Its standing.
    Standing,
    /// The same, after what became of the transaction that its payer sent.
    Sent([u8; 32]),
    /// The same, after what becomes of a deposit if this account sends it.
    Signed(&'a SignedFunds, Address),
}

/// A channel at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenChannel {
    /// Its facts; `None` if the contract has no such channel.
    pub facts: Option<ChannelFacts>,
    /// Its money.
    pub sight: SightText,
    /// Seconds from a request to withdraw to the withdrawal.
    pub grace_secs: u64,
    /// The outcome of the deposit; `None` while it is in no block. A deposit that is still to be
    /// sent has failed if it would fail.
    pub sent: Option<Status>,
    /// Whether an event of the contract in that transaction names this channel.
    pub is_named: bool,
    /// The deposit before and after that transaction, if it is the payer's own.
    pub brought: Option<(Amount, Amount)>,
    /// The block that has that transaction.
    pub block: Option<u64>,
}

/// The question of whether a contract had a channel after this block, for a node.
#[must_use]
pub fn ask_before(contract: &EscrowContract, channel: &ChannelId, at: At) -> String {
    let data = [&GET_CHANNEL[..], channel.as_bytes()].concat();
    batch(&[Call::ChainId, Call::AskAt { to: contract.address, data, at }, Call::Block(at)])
}

/// The time of that block, if the contract had no such channel then; `None` if the answer is of
/// another chain, or not complete.
#[must_use]
pub fn read_before(contract: &EscrowContract, reply: &str) -> Option<Option<UnixTime>> {
    let replies = Replies::read(reply.as_bytes(), 3).ok()?;
    if replies.quantity(0).ok()? != contract.chain_id {
        return None;
    }
    let is_absent = replies.returned(1).ok()?.iter().all(|byte| *byte == 0);
    let block = replies.block(2).ok()?;
    Some(block.map(|block| block.time).filter(|_| is_absent))
}

impl ChannelQuestion<'_> {
    fn calls(self, contract: &EscrowContract, channel: &ChannelId) -> Vec<Call> {
        let ask = |from, data: Vec<u8>| Call::Ask { from, to: contract.address, data, gas: GAS };
        // What a block brings between two answers, the later one shows.
        let mut calls = Vec::from([Call::ChainId, Call::Block(At::Latest)]);
        match self {
            Self::Standing => {}
            Self::Sent(hash) => calls.push(Call::Receipt(hash)),
            Self::Signed(funds, payee) => {
                calls.push(ask(payee, funds.data()));
                let (authorization, at) = (funds.id(), At::Latest);
                calls.push(Call::AuthorizationState { authorization, at });
            }
        }
        calls.push(ask(Address::ZERO, [&GET_CHANNEL[..], channel.as_bytes()].concat()));
        calls.push(ask(Address::ZERO, GRACE_PERIOD.to_vec()));
        calls
    }

    /// The body for a node.
    #[must_use]
    pub fn body(self, contract: &EscrowContract, channel: &ChannelId) -> String {
        batch(&self.calls(contract, channel))
    }

    /// Reads a node's answer to the question of this time; `None` if it is of another chain, or not
    /// complete.
    #[must_use]
    pub fn read(
        self,
        contract: &EscrowContract,
        channel: &ChannelId,
        reply: &str,
        asked: UnixTime,
    ) -> Option<SeenChannel> {
        let count = self.calls(contract, channel).len();
        let replies = Replies::read(reply.as_bytes(), count).ok()?;
        if replies.quantity(0).ok()? != contract.chain_id {
            return None;
        }
        let words = replies.returned(count.checked_sub(2)?).ok()?;
        let shown = shown_at(replies.block(1).ok()??, asked);
        let (facts, sight) = standing(contract, &words, shown)?;
        let receipt = match self {
            Self::Sent(hash) => replies.receipt(2, &hash).ok()?,
            Self::Standing | Self::Signed(..) => None,
        };
        let names =
            |log: &Log| log.address == contract.address && log.topics.contains(channel.as_bytes());
        let block = receipt.as_ref().map(|it| it.block);
        let brought = receipt.as_ref().and_then(|it| brought(contract, channel, it));
        let is_named = receipt.as_ref().is_some_and(|it| it.logs.iter().any(names));
        let sent = match self {
            Self::Standing => None,
            Self::Sent(_) => receipt.map(|receipt| receipt.status),
            Self::Signed(..) if replies.flag(3).ok()? => Some(Status::Succeeded),
            Self::Signed(..) => match replies.returned(2) {
                Ok(_) => None,
                Err(RpcError::Reverted) => Some(Status::Reverted),
                Err(_) => return None,
            },
        };
        Some(SeenChannel {
            facts: Some(facts).filter(|facts| !facts.payer.is_zero()),
            sight,
            grace_secs: secs(replies.returned(count.checked_sub(1)?).ok()?.as_array()?)?,
            sent,
            is_named,
            brought,
            block,
        })
    }
}

/// The time up to which a node has shown its chain, if this is its newest block: a node that stands
/// still answers as if nothing had come since. As what goes back counts [`BEHIND_SECS`] later, only
/// a newer block takes it back.
///
/// A chain that makes a block for each transaction, such as one for development, stands still too,
/// and nothing comes meanwhile. Its few blocks tell it from one that many use.
fn shown_at(newest: Block, asked: UnixTime) -> UnixTime {
    let is_quiet = newest.number < FEW_BLOCKS;
    if is_quiet {
        return asked;
    }
    asked.min(newest.time.plus(BEHIND_SECS))
}

/// Reads what `getChannel` returned at this time.
fn standing(
    contract: &EscrowContract,
    returned: &[u8],
    at: UnixTime,
) -> Option<(ChannelFacts, SightText)> {
    let (words, _) = returned.as_chunks::<32>();
    let [finalized, leaving, payer, payee, token, signer, deposit, settled] = words else {
        return None;
    };
    let account = |word: &[u8; 32]| match word {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] => Some(Address::from_bytes(*address)),
        _ => None,
    };
    let (payer, signer) = (account(payer)?, account(signer)?);
    let facts = ChannelFacts {
        contract: *contract,
        payer,
        payee: account(payee)?,
        token: account(token)?,
        signer: if signer.is_zero() { payer } else { signer },
    };
    let sight = SightText {
        deposit: number(deposit).to_string(),
        claimed: number(settled).to_string(),
        leaving: if number(finalized).is_zero() { secs(leaving)? } else { SightText::FINAL },
        nonce: Amount::ZERO.to_string(),
        at: at.secs(),
    };
    Some((facts, sight))
}

fn number(word: &[u8; 32]) -> Amount {
    Amount::from_be_bytes(*word)
}

fn secs(word: &[u8; 32]) -> Option<u64> {
    number(word).to_string().parse().ok()
}

/// A chain with fewer blocks than this may make none while nothing is sent.
const FEW_BLOCKS: u64 = 1_000_000;
/// Gas of any call here; `close` of a token takes about a third of it.
pub(super) const GAS: u64 = 300_000;
/// `getChannel(bytes32)`
pub(super) const GET_CHANNEL: [u8; 4] = [0x83, 0x1c, 0x2b, 0x82];
/// `CLOSE_GRACE_PERIOD()`
const GRACE_PERIOD: [u8; 4] = [0x95, 0x6c, 0x83, 0x27];
