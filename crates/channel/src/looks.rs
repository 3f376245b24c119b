//! Looks at the chain for deposits that wait: a node is asked once at a time, and once a second, for all
//! who show the same deposit on the same network.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::time::UnixTime;

/// Which look of a request it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookRank {
    /// The first one: it may be all that there is.
    First,
    /// One for a deposit that waits.
    Further,
}

/// The outcome of a request for a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookTurn {
    /// Ask the node.
    Ask,
    /// It is being asked: come again in a moment.
    Wait,
    /// It has just answered this.
    Answered(String),
}

/// The questions under way, and the answers of this second.
#[derive(Clone, Debug, Default)]
pub struct SharedLooks(Vec<SharedLook>);

#[derive(Clone, Debug)]
struct SharedLook {
    network: String,
    question: String,
    asked: UnixTime,
    answer: Option<String>,
}

impl SharedLooks {
    /// None yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether a node of this network is to be asked this: contracts have the same address on several,
    /// and the same question. Where it is, [`SharedLooks::told`] has to follow.
    #[must_use]
    pub fn turn(
        &mut self,
        network: &str,
        question: &str,
        rank: LookRank,
        now: UnixTime,
    ) -> LookTurn {
        self.0.retain(|look| {
            let secs = if look.answer.is_some() { FRESH_SECS } else { LOST_SECS };
            now < look.asked.plus(secs)
        });
        match self.0.iter().find(|look| look.is_of(network, question)) {
            Some(look) => match &look.answer {
                Some(answer) => LookTurn::Answered(answer.clone()),
                None => LookTurn::Wait,
            },
            // What was refused may be right a moment later: only what waits is shared.
            None if rank == LookRank::First => LookTurn::Ask,
            None => {
                let (network, question) = (network.to_owned(), question.to_owned());
                self.0.push(SharedLook { network, question, asked: now, answer: None });
                LookTurn::Ask
            }
        }
    }

    /// The node was asked; what it has answered, if it has.
    pub fn told(&mut self, network: &str, question: &str, rank: LookRank, answer: Option<&str>) {
        if rank == LookRank::First {
            return;
        }
        match (self.0.iter_mut().find(|look| look.is_of(network, question)), answer) {
            (Some(look), Some(answer)) => look.answer = Some(answer.to_owned()),
            (_, _) => self.0.retain(|look| !look.is_of(network, question)),
        }
    }
}

impl SharedLook {
    fn is_of(&self, network: &str, question: &str) -> bool {
        let is_there = self.network == network;
        is_there && self.question == question
    }
}

/// Seconds for which an answer is shared: those of deposits that wait are looked for every second.
const FRESH_SECS: u64 = 1;
/// Seconds after which someone else asks: whoever asked may have left.
const LOST_SECS: u64 = 2;
