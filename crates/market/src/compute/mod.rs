//! The compute exchange: sellers offer capacity by the task, buyers pay for a task, and the money
//! is held until the work is done.
//!
//! A [`Gateway`] serves one network profile. For each [`message::Command`] it reads rows
//! through [`records::Rows`] and returns an answer with the [`records::Change`]s to write;
//! [`row`] has the rows. It holds no key and signs nothing: the gate in front takes the money, and
//! the treasury moves it. In reading order: sellers ([`seller`], their sessions and `bond`s), quotes ([`quote`]), payments
//! ([`verify`], [`buy`], [`till`]), jobs ([`job`]), held money (`hold`) and what time decides ([`due`]). What
//! happened is counted in [`figures`] and seen by [`feed::View`]s: the [`board`] of a profile, the
//! [`dashboard`] and the [`page`]s of several, and feeds of events.
//! Assumptions:
//! - the changes of a command are written in the block that read the rows, before its answer
//!   leaves, or the answer does not leave;
//! - there is one object for each profile, and only it writes the rows;
//! - `random` is drawn anew for each command;
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

use self::message::{Answer, Command};
use self::records::{Change, Rows};
pub use self::settings::Gateway;
use farebox_base::encoding::hex::uuid;
use farebox_machine::Machine;

/// Random bytes that one command may use.
pub const RANDOM_BYTES: usize = 48;

/// The inputs of a command beside the rows.
#[derive(Clone, Copy, Debug)]
pub struct Now<'a> {
    /// Unix milliseconds.
    pub now: u64,
    /// For a quote's id, and for what seals a text.
    pub seed: &'a [u8; 32],
    /// For a job's id.
    pub id: &'a [u8; 16],
    /// The node's reply to an [`Answer::Evidence`]; empty if none came; `None` at first.
    pub evidence: Option<&'a str>,
}

impl<'a> Now<'a> {
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

/// The outcome of a command. Afterwards the alarm is set to the earliest `due` of jobs and holds
/// and the earliest end of an open quote.
pub type Decision = farebox_machine::Decision<Answer, Change>;

impl Machine for Gateway {
    type Command = Command;
    type Answer = Answer;
    type Change = Change;
    type Random = [u8; RANDOM_BYTES];
}

impl Gateway {
    /// Applies one command.
    ///
    /// # Errors
    /// An error of the storage; nothing is decided then.
    pub fn apply<R: Rows>(
        &self,
        records: &R,
        command: Command,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let Decision { answer, changes } = self.decided(records, command, tick)?;
        Ok(Decision { answer, changes: changes.into_iter().map(keep::lightened).collect() })
    }

    fn decided<R: Rows>(
        &self,
        records: &R,
        command: Command,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        match command {
            Command::Register { client, request } => {
                self.register(records, (&client, &request), tick)
            }
            Command::Challenge { client, request, evidence } => {
                self.challenge(records, (&client, &request), evidence.as_deref(), tick)
            }
            Command::Session { request, identity, evidence } => {
                self.open_session(records, &request, (identity.as_ref(), evidence.as_deref()), tick)
            }
            Command::Heartbeat(request) => self.heartbeat(records, &request, tick),
            Command::Offline(request) => self.offline(records, &request, tick),
            Command::SellerJobs(request) => self.seller_jobs(records, &request, tick),
            Command::Capabilities => self.capabilities(records, tick),
            Command::Quote { client, body } => self.quote(records, (&client, &body), tick),
            Command::Verify { payment, body } => self.verify(records, (&payment, &body), tick),
            Command::Buy { client, payment, body } => {
                self.buy(records, &client, (&payment, &body), tick)
            }
            Command::Taken { quote, status, reason, transaction } => {
                self.taken(records, &quote, (status, &reason, &transaction), tick)
            }
            Command::Price(url) => self.price(records, &url, tick),
            Command::Unpriced(quote) => self.unpriced(records, &quote),
            Command::Sold(sale) => self.sold(records, &sale, tick),
            Command::Owed(sale) => self.owed(records, &sale, tick),
            Command::Follow(id) => self.follow(records, &id),
            Command::Job { authorization, id } => self.read_job(records, (&authorization, &id)),
            Command::Call { id, callback, request } => {
                self.call(records, (&id, callback), &request, tick)
            }
            Command::PaidOut { payment, fence, answer } => {
                self.paid_out(records, (&payment, fence), answer.as_ref(), tick)
            }
            Command::Proven { job, fence, answer } => {
                self.proven(records, (&job, fence), answer.as_deref(), tick)
            }
            Command::Demo { client, body } => self.demo(records, (&client, &body), tick),
            Command::Replied(command, reply) => {
                self.decided(records, *command, tick.with(Some(&reply)))
            }
            Command::Due => self.due(records, tick),
            Command::Sweep => self.sweep(records, tick),
        }
    }
}
