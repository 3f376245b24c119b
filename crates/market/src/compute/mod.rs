//! The compute exchange: sellers offer capacity by the task, buyers pay for a task, and the money
//! is held until the work is done.
//!
//! A [`Gateway`] serves one network profile. For each [`message::Instruction`] it reads rows
//! through [`records::Records`] and returns a reaction with the [`records::Edit`]s to write;
//! [`row`] has the rows. It holds no key and signs nothing: the gate in front takes the money, and
//! the treasury moves it. In reading order: sellers ([`seller`], their sessions and `bond`s), quotes ([`quote`]), payments
//! ([`verify`], [`buy`], [`till`]), jobs ([`job`]), held money (`hold`) and what time decides ([`due`]). What
//! happened is counted in [`figures`] and seen by [`feed::View`]s: the [`board`] of a profile, the
//! [`dashboard`] and the [`page`]s of several, and feeds of events.
//! Assumptions:
//! - the edits of an instruction are written in the block that read the rows, before its reaction
//!   leaves, or the reaction does not leave;
//! - there is one object for each profile, and only it writes the rows;
//! - `random` is drawn anew for each instruction;
//! - the treasury makes at most one payout for each idempotency key.

pub mod board;
pub mod body;
mod bond;
pub mod buy;
mod capability;
pub mod dashboard;
mod demo;
mod direct;
mod document;
pub mod due;
mod event;
pub mod feed;
pub mod figures;
mod hold;
pub mod identity;
pub mod job;
pub mod keep;
mod matching;
pub mod message;
pub mod notice;
mod offer;
pub mod page;
mod personal;
mod proof;
pub mod quote;
pub mod records;
pub mod refused;
mod rest;
pub mod row;
mod seal;
mod seat;
pub mod seller;
mod session;
pub mod settings;
mod share;
mod signer;
mod text;
pub mod till;
pub mod vars;
pub mod verify;

use alloc::string::String;

use self::message::{Instruction, Reaction};
use self::records::{Edit, Records};
pub use self::settings::Gateway;
use farebox_base::encoding::hex::uuid;
use farebox_machine::{Decision, Machine};

/// Random bytes that one instruction may use.
pub const RANDOM_BYTES: usize = 48;

/// What an instruction depends on beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Tick<'a> {
    /// Unix milliseconds.
    pub now: u64,
    /// For a quote's id, and for what seals a text.
    pub seed: &'a [u8; 32],
    /// For a job's id.
    pub id: &'a [u8; 16],
    /// The node's reply to a [`Reaction::Evidence`]; empty if none came; `None` at first.
    pub evidence: Option<&'a str>,
}

impl<'a> Tick<'a> {
    /// A point in time with fresh randomness.
    #[must_use]
    pub const fn new(now: u64, random: &'a [u8; RANDOM_BYTES]) -> Option<Self> {
        let Some((seed, rest)) = random.split_first_chunk::<32>() else { return None };
        match rest.first_chunk::<16>() {
            Some(id) => Some(Self { now, seed, id, evidence: None }),
            None => None,
        }
    }

    /// The same with what a node said.
    #[must_use]
    pub const fn with(self, evidence: Option<&'a str>) -> Self {
        Self { evidence, ..self }
    }

    const fn fresh_quote(self) -> &'a [u8; 32] {
        self.seed
    }

    fn fresh_job(self, gateway: &Gateway) -> String {
        uuid(gateway.marked(self.id), 4)
    }
}

/// What comes of an instruction. Afterwards the alarm is set to the earliest `due` of jobs and holds
/// and the earliest end of an open quote.
pub type Effect = Decision<Reaction, Edit>;

impl Machine for Gateway {
    type Command = Instruction;
    type Answer = Reaction;
    type Change = Edit;
    type Random = [u8; RANDOM_BYTES];
}

impl Gateway {
    /// Applies one instruction.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<R: Records>(
        &self,
        records: &R,
        instruction: Instruction,
        tick: Tick<'_>,
    ) -> Result<Effect, R::Error> {
        match instruction {
            Instruction::Register { client, request } => {
                self.register(records, (&client, &request), tick)
            }
            Instruction::Challenge { client, request, evidence } => {
                self.challenge(records, (&client, &request), evidence.as_deref(), tick)
            }
            Instruction::Session { request, identity, evidence } => {
                self.open_session(records, &request, (identity.as_ref(), evidence.as_deref()), tick)
            }
            Instruction::Heartbeat(request) => self.heartbeat(records, &request, tick),
            Instruction::Offline(request) => self.offline(records, &request, tick),
            Instruction::SellerJobs(request) => self.seller_jobs(records, &request, tick),
            Instruction::Capabilities => self.capabilities(records, tick),
            Instruction::Quote { client, body } => self.quote(records, (&client, &body), tick),
            Instruction::Verify { payment, body } => self.verify(records, (&payment, &body), tick),
            Instruction::Buy { client, payment, body } => {
                self.buy(records, &client, (&payment, &body), tick)
            }
            Instruction::Taken { quote, status, reason } => {
                self.taken(records, &quote, (status, &reason), tick)
            }
            Instruction::Price(url) => self.price(records, &url, tick),
            Instruction::Unpriced(quote) => self.unpriced(records, &quote),
            Instruction::Sold(sale) => self.sold(records, &sale, tick),
            Instruction::Owed(sale) => self.owed(records, &sale, tick),
            Instruction::Follow(id) => self.follow(records, &id),
            Instruction::Job { authorization, id } => self.read_job(records, (&authorization, &id)),
            Instruction::Call { id, callback, request } => {
                self.call(records, (&id, callback), &request, tick)
            }
            Instruction::PaidOut { payment, fence, answer } => {
                self.paid_out(records, (&payment, fence), answer.as_ref(), tick)
            }
            Instruction::Proven { job, fence, answer } => {
                self.proven(records, (&job, fence), answer.as_deref(), tick)
            }
            Instruction::Demo { client, body } => self.demo(records, (&client, &body), tick),
            Instruction::Replied(instruction, reply) => {
                self.apply(records, *instruction, tick.with(Some(&reply)))
            }
            Instruction::Due => self.due(records, tick),
            Instruction::Sweep => self.sweep(records, tick),
        }
    }
}
