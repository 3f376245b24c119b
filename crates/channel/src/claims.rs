//! Claims of x402 channels that are sent together: one transaction for many of them.
//!
//! A channel hands over the claim that is due, waits until it was sent, and looks at the chain. What
//! is handed over is in memory alone: a channel whose claim was not counted comes again. A batch
//! counts in full or not at all. Once one was refused or not answered, a channel that the facilitator
//! does not show any more sends its claim by itself, and the others come again in smaller and smaller
//! ones, until each does.

use alloc::string::String;
use alloc::vec::Vec;

use super::desk::ChannelDesk;
use super::payee::by_owed;
use super::payee::call::Haste;
use super::state::{Channel, OnChain};

impl ChannelDesk {
    /// The message that hands over its claim; none to another object begins so.
    #[must_use]
    pub fn to_claim(&self) -> Option<String> {
        Some([MESSAGE, &self.channel.as_ref()?.to_row(), END, &self.terms].concat())
    }

    /// Reads such a message; `None` if it is another one.
    #[must_use]
    pub fn of_claim(message: &str) -> Option<Self> {
        let (row, terms) = message.strip_prefix(MESSAGE)?.split_once(END)?;
        Self::from_row(row, terms, None)
    }

    /// The channel's place among others: payers who withdraw first, then the largest debts.
    fn rank(&self) -> u64 {
        let Some(channel) = &self.channel else { return u64::MAX };
        let haste = match channel.sight().on_chain {
            OnChain::Leaving(_) => Haste::Leaving,
            OnChain::Open | OnChain::Finalized => Haste::Staying,
        };
        by_owed(haste.rank(), channel.unclaimed())
    }

    /// The most claims of a batch that has this one; zero if it is sent by itself.
    #[must_use]
    pub fn most_beside(&self) -> usize {
        self.channel.as_ref().map_or(0, Channel::most_beside)
    }
}

impl Channel {
    /// Half as many after each two attempts.
    fn most_beside(&self) -> usize {
        if !self.is_seen() {
            return 0;
        }
        MAX_CLAIMS.checked_shr(u32::try_from(self.tries() >> 1_u8).unwrap_or(u32::MAX)).unwrap_or(0)
    }
}

/// The claims of one payee, token and facilitator that wait, in their order.
#[derive(Clone, Debug, Default)]
pub struct ClaimQueue(Vec<ChannelDesk>);

impl ClaimQueue {
    /// Takes a claim; it replaces an earlier one of its channel.
    pub fn take(&mut self, claim: ChannelDesk) {
        let id = |it: &ChannelDesk| it.channel.as_ref().map(Channel::id);
        self.0.retain(|it| id(it) != id(&claim));
        let rank = claim.rank();
        let at = self.0.iter().position(|it| it.rank() > rank).unwrap_or(self.0.len());
        self.0.insert(at, claim);
    }

    /// The claims that are sent next, in one batch; none if none waits.
    #[must_use]
    pub fn batch(&mut self) -> Vec<ChannelDesk> {
        let most = self.0.first().map_or(0, ChannelDesk::most_beside);
        let mut batch = Vec::new();
        let mut at = 0_usize;
        while let Some(claim) = self.0.get(at) {
            // What was refused before does not hold up what was not.
            if batch.is_empty() || batch.len() < most && claim.most_beside() == most {
                batch.push(self.0.remove(at));
            } else {
                at = at.saturating_add(1);
            }
        }
        batch
    }

    /// A facilitator does not answer: what waits for it comes again.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

const MESSAGE: &str = "claim ";
/// Rows have lines.
const END: &str = "\t";
/// Claims of one batch: as many as the published server of `@x402/evm` sends at once, some 3,000,000
/// units of gas and 70 kB.
const MAX_CLAIMS: usize = 100;
