//! Reads of chains: the node of a network, the question about a transfer, and when it is asked next.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::kernel::{Grant, Job};
use super::row::{AttemptRow, Money, NO_NODE};
use super::undelivered::end_of;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::config::nodes;
use farebox_common::payment::{TransferMethod, TxHash};
use farebox_evm::address::Address;
use farebox_ledger::inquiry::Question;

/// Seconds after which what is not configured any more is looked at again.
pub(crate) const UNCONFIGURED_SECS: u64 = 3_600;
/// Seconds in which the chain is read often.
const FRESH_SECS: u64 = 600;
/// How much rarer it is read later.
const RARER: u64 = 20;
/// Seconds after the end of an authorization after which the chain is not asked any more.
const GIVE_UP_SECS: u64 = 7 * 86_400;
/// Seconds by which the clocks of chain and treasury may differ.
const SIGHT_SECS: u64 = 600;

/// The nodes, and how they are read.
#[derive(Debug)]
pub(crate) struct ChainReader {
    /// URLs by network; that without one is for all others.
    pub nodes: Vec<(Option<ChainId>, String)>,
    /// Blocks that must confirm a transfer, including its own.
    pub confirmations: u64,
    /// Seconds between two reads at first.
    pub read_secs: u64,
}

/// A transfer by authorization, as its row names it.
pub(crate) struct Authorized<'a> {
    pub network: &'a str,
    pub contract: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub value: &'a str,
    pub nonce: &'a str,
    /// The block from which on it may have moved.
    pub seen_block: Option<u64>,
    /// The time from which on it may have moved.
    pub seen_at: UnixTime,
    /// The transaction that is said to have moved it.
    pub known: Option<TxHash>,
}

impl ChainReader {
    /// The node of a network.
    pub fn node(&self, network: &ChainId) -> Option<&str> {
        nodes::of(&self.nodes, network)
    }

    /// Seconds until the chain is read again for a payment of this age.
    pub const fn pause_secs(&self, age: u64) -> u64 {
        match age {
            0..=FRESH_SECS => self.read_secs,
            _ => self.read_secs.saturating_mul(RARER),
        }
    }

    /// The question to the chain about a transfer.
    pub fn ask(&self, grant: Grant<'_>, transfer: &Authorized<'_>) -> Option<Job> {
        let network = ChainId::parse(transfer.network).ok()?;
        let node = self.node(&network)?.to_string();
        let question = Question {
            chain_id: network.evm_id()?,
            asset: Address::parse(transfer.contract).ok()?,
            from: Address::parse(transfer.from).ok()?,
            to: Address::parse(transfer.to).ok()?,
            value: Amount::from_atomic(transfer.value).ok()?,
            earlier: Vec::new(),
            method: TransferMethod::Eip3009,
            nonce: hex::decode_array(transfer.nonce).ok()?,
            seen_block: transfer.seen_block,
            seen_at: transfer.seen_at,
            known: transfer.known,
            confirmations: self.confirmations,
            cursor: None,
        };
        let (attempt, fence) = (grant.id.to_string(), grant.fence);
        Some(Job::Read { attempt, fence, node, question: Box::new(question) })
    }

    /// The question to the chain about an attempt; notes when it is asked next.
    pub fn ask_of(&self, attempt: &mut AttemptRow, now: UnixTime) -> Option<Job> {
        if self.has_node(attempt) {
            attempt.reads = attempt.reads.saturating_add(1);
        }
        self.schedule(attempt, now);
        let receipt = attempt.receipt.as_ref();
        let known = receipt.and_then(|receipt| receipt.transaction.as_deref());
        let transfer = Authorized {
            network: &attempt.network,
            contract: &attempt.contract,
            from: &attempt.from,
            to: &attempt.to,
            value: &attempt.value,
            nonce: &attempt.nonce,
            seen_block: None,
            seen_at: UnixTime::from_secs(attempt.counted).minus(SIGHT_SECS),
            known: known.and_then(TxHash::parse),
        };
        self.ask(Grant { id: &attempt.id, fence: attempt.fence }, &transfer)
    }

    fn has_node(&self, attempt: &AttemptRow) -> bool {
        let network = ChainId::parse(&attempt.network).ok();
        network.is_some_and(|network| self.node(&network).is_some())
    }

    /// Whether a network without a node may have one again: it had one, or others have.
    fn misses_node(&self, attempt: &AttemptRow) -> bool {
        attempt.reads > 0 || attempt.is_payout() || !self.nodes.is_empty()
    }

    /// The next look at what misses its node. What was never read ends with its authorization, so that it
    /// leaves its room to others then.
    fn next_miss(attempt: &AttemptRow, now: UnixTime) -> u64 {
        let age = now.secs_since(UnixTime::from_secs(attempt.counted));
        let next = now.plus(UNCONFIGURED_SECS.max(age)).secs();
        let ends = attempt.reads == 0;
        match end_of(attempt).filter(|end| ends && now.secs() < *end) {
            Some(end) => next.min(end),
            None => next,
        }
    }

    /// Sets when the chain is read next: often at first, and never if there was no node or nothing
    /// is left to find. A node that is missing from the settings may be there again soon.
    pub fn schedule(&self, attempt: &mut AttemptRow, now: UnixTime) {
        let has_node = self.has_node(attempt);
        let end = UnixTime::from_secs(attempt.valid_before).plus(GIVE_UP_SECS);
        attempt.due = match attempt.money {
            Money::Signed if !has_node => {
                attempt.why = Some(NO_NODE.to_string());
                let is_looked_for = now <= end && self.misses_node(attempt);
                is_looked_for.then(|| Self::next_miss(attempt, now))
            }
            Money::Signed if now > end => {
                attempt.why = Some("unread".to_string());
                None
            }
            Money::Signed => {
                let age = now.secs_since(UnixTime::from_secs(attempt.counted));
                attempt.why = attempt.why.take().filter(|why| why != NO_NODE);
                Some(now.plus(self.pause_secs(age)).secs())
            }
            Money::Reserved => attempt.due,
            Money::Spent | Money::Void => None,
        };
    }
}
