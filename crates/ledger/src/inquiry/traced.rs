//! Permits that a contract in between has sent, told by the calls inside of its transaction.
//!
//! Anyone may send a permit first, through a contract of their own whose data says nothing of it. A
//! call of Permit2 that took effect, by x402's proxy and for exactly this payment, can only have
//! spent its nonce: it is the proof, with the token's own `Transfer` in the same transaction. A
//! transfer alone is none: a payer may have used up the nonce otherwise, and paid by another one.
//! Nodes that trace no transaction leave such a payment as it was.

use alloc::vec::Vec;

use super::Question;
use super::authorization::{AuthorizationStage, Progress};
use super::conclusion::{block, conclude};
use super::finding::{Finality, Finding, Unreadable};
use super::heads::Heads;
use farebox_evm::evidence::Evidence;
use farebox_evm::permit_calls::is_spent_by;
use farebox_evm::permit2::PERMIT2;
use farebox_evm::rpc::reply::{Block, LogPlace, Replies, TransactionReceipt};
use farebox_evm::rpc::trace::InnerCall;
use farebox_evm::rpc::{At, Call};

/// Maximum transactions of one block whose calls one inquiry asks for.
const MAX_TRACED: usize = 2;
/// Seconds after its block in which the calls of a transaction are asked for: to trace one costs a
/// node more than all other questions, and a payment may stay in doubt for a day.
const TRACED_SECS: u64 = 7_200;

/// Transactions that may have used a permit through a contract in between.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub(super) struct Traced {
    heads: Heads,
    places: Vec<LogPlace>,
    /// The first of their blocks in which the nonce is used, once the node has told it.
    used: Option<Block>,
    /// The finding without their calls.
    otherwise: Result<Finding, Unreadable>,
}

impl Traced {
    /// Asks about these transactions, if what is known so far leaves it open whether one of them
    /// used the permit.
    pub(super) fn begin(
        heads: Heads,
        mut places: Vec<LogPlace>,
        otherwise: Result<Finding, Unreadable>,
    ) -> Result<Progress, Unreadable> {
        let is_open = matches!(otherwise, Err(_) | Ok(Finding::Unclear { .. }));
        // What a safe block shows is final, so that it need not be asked for again and again.
        let is_final = |place: &LogPlace| heads.finality(place.block) == Finality::Safe;
        places.retain(|place| is_final(place));
        if !is_open || places.is_empty() {
            return otherwise.map(Progress::Found);
        }
        let traced = Self { heads, places, used: None, otherwise };
        Ok(Progress::Ask(AuthorizationStage::Traced(traced)))
    }

    /// The finding where the node does not answer.
    pub(super) fn untold(self) -> Result<Finding, Unreadable> {
        self.otherwise
    }

    pub(super) fn calls(&self, question: &Question) -> Vec<Call> {
        let Some(used) = self.used else {
            let blocks = self.blocks().into_iter().map(At::Number);
            return blocks.flat_map(|at| [question.state(at), Call::Block(at)]).collect();
        };
        let (authorization, block) = (question.authorization(), used.number);
        let mut calls = Vec::from([Call::AuthorizationEvents { authorization, block }]);
        calls.extend(self.places.iter().map(|place| Call::Trace(place.transaction)));
        calls
    }

    /// Takes the replies to these calls.
    pub(super) fn answered(
        self,
        question: &Question,
        replies: &Replies,
    ) -> Result<Progress, Unreadable> {
        match self.used {
            None => self.read_uses(question, replies),
            Some(used) => self.read_calls(question, replies, used).map(Progress::Found),
        }
    }

    /// The blocks of these transactions, the earliest first.
    fn blocks(&self) -> Vec<u64> {
        let mut blocks: Vec<u64> = self.places.iter().map(|place| place.block).collect();
        blocks.sort_unstable();
        blocks.dedup();
        blocks
    }

    fn read_uses(mut self, question: &Question, replies: &Replies) -> Result<Progress, Unreadable> {
        let Some(used) = self.first_use(question, replies).filter(|used| self.is_recent(*used))
        else {
            return self.otherwise.map(Progress::Found);
        };
        self.places.retain(|place| place.block == used.number);
        if self.places.len() > MAX_TRACED {
            return self.otherwise.map(Progress::Found);
        }
        self.used = Some(used);
        Ok(Progress::Ask(AuthorizationStage::Traced(self)))
    }

    /// The first of these blocks in which the nonce is used: Permit2 never frees one. `None` if it
    /// was used in none of them, or if the node has forgotten a state.
    fn first_use(&self, question: &Question, replies: &Replies) -> Option<Block> {
        for (place, number) in self.blocks().into_iter().enumerate() {
            let at = place.saturating_mul(2);
            if question.is_used(replies, at).ok()? {
                return block(replies, at.saturating_add(1), number).ok();
            }
        }
        None
    }

    fn is_recent(&self, used: Block) -> bool {
        let end = used.time.plus(TRACED_SECS);
        self.heads.safe.is_none_or(|safe| safe.time <= end)
    }

    fn read_calls(
        self,
        question: &Question,
        replies: &Replies,
        used: Block,
    ) -> Result<Finding, Unreadable> {
        let mut found = Vec::new();
        for (index, place) in (1_usize..).zip(&self.places) {
            let events = replies.authorization_events(0, &question.authorization(), place);
            let calls = replies.calls_of(index, &PERMIT2);
            let (events, calls) = match (events, calls) {
                (Ok(events), Ok(calls)) => (events, calls),
                _ => continue,
            };
            let signed = (0_usize..).zip(question.each());
            let paid = signed.filter_map(|(at, one)| Some((paid_by(&one, &events, &calls)?, at)));
            found.extend(
                paid.map(|(evidence, at)| (*place, (evidence, at.checked_sub(1)), Some(used.time))),
            );
        }
        conclude(question, self.heads, &found).or(self.otherwise)
    }
}

/// The evidence that one of these calls spent the permit and that the token moved its money.
fn paid_by(
    question: &Question,
    events: &TransactionReceipt,
    calls: &[InnerCall],
) -> Option<Evidence> {
    let (expected, facilitator) = (question.transfer(), question.method.facilitator());
    calls.iter().find(|call| is_spent_by(call.from, &call.input, &expected, facilitator))?;
    let moved = events.logs.iter().find(|log| expected.is_moved_by(log));
    moved.map(|log| Evidence::Paid { log_index: log.index })
}
