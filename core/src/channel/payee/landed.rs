//! Deposits whose nonce a block has: what became of each, and how many came to nothing at the
//! payee's cost.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::call::{FundsCall, QueuedCall, ShownChannel};
use crate::amount::Amount;
use crate::channel::config::ChannelId;
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::evm::rpc::reply::Status;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// A deposit that a block has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Landed {
    call: QueuedCall,
    /// What the channel had before it.
    before: Amount,
    /// When its nonce was seen in a block.
    at: UnixTime,
    /// What became of it.
    outcome: DepositOutcome,
}

/// What became of a deposit, as far as nodes have shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DepositOutcome {
    /// Nothing yet, of the transaction with this hash: an earlier one with its nonce may have been
    /// mined in its place.
    Open(Option<[u8; 32]>),
    /// The channel has it.
    Come,
}

impl DepositOutcome {
    fn read(text: &str) -> Self {
        match text {
            COME => Self::Come,
            hash => Self::Open(hex::decode_array(hash).ok()),
        }
    }

    fn to_text(self) -> String {
        match self {
            Self::Open(Some(hash)) => hex::encode_prefixed(&hash),
            Self::Open(None) => "-".to_string(),
            Self::Come => COME.to_string(),
        }
    }
}

impl Landed {
    fn read<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let at = time(fields.next()?)?;
        let before = Amount::from_atomic(fields.next()?).ok()?;
        let outcome = DepositOutcome::read(fields.next()?);
        Some(Self { at, before, outcome, call: QueuedCall::read(fields)? })
    }

    fn has_come(&self) -> bool {
        self.outcome == DepositOutcome::Come
    }
}

fn time(text: &str) -> Option<UnixTime> {
    text.parse().ok().map(UnixTime::from_secs)
}

/// The deposits of an account that blocks have had lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LandedDeposits {
    landed: Vec<Landed>,
    /// When each was given up that came to nothing, and whether it was of a payer whose last one had
    /// come.
    failed: Vec<(UnixTime, bool)>,
    /// Payers whose last deposit has come, the newest last.
    proven: Vec<Address>,
}

impl LandedDeposits {
    /// Reads a line of the row; whether it is one of these.
    pub(super) fn read(&mut self, line: &str) -> bool {
        let mut fields = line.split(' ');
        match fields.next() {
            Some(FAILED) => {
                let at = fields.next().and_then(time);
                self.failed.extend(at.map(|at| (at, fields.next() == Some(PROVEN))));
            }
            Some(LANDED) => self.landed.extend(Landed::read(&mut fields)),
            Some(PROVEN) => {
                self.proven.extend(fields.filter_map(|payer| Address::parse(payer).ok()));
            }
            _ => return false,
        }
        true
    }

    /// Its lines of the row.
    pub(super) fn write(&self, lines: &mut Vec<String>) {
        for Landed { call, before, at, outcome } in &self.landed {
            let (at, before) = (at.secs().to_string(), before.to_string());
            lines.push([LANDED, &at, &before, &outcome.to_text(), &call.to_text()].join(" "));
        }
        for (at, is_proven) in &self.failed {
            let of = if *is_proven { PROVEN } else { "-" };
            lines.push([FAILED, &at.secs().to_string(), of].join(" "));
        }
        if !self.proven.is_empty() {
            let payers = self.proven.iter().map(|payer| payer.to_lower_hex());
            let words: Vec<String> = core::iter::once(PROVEN.to_string()).chain(payers).collect();
            lines.push(words.join(" "));
        }
    }

    /// Whether it is a deposit of a payer whose last one has come.
    pub(super) fn has_proven(&self, call: &QueuedCall) -> bool {
        is_among(&self.proven, call)
    }

    /// Whether this deposit is in a block, so that it is not sent again; `None` if nothing of its
    /// payer's is.
    pub(super) fn has(&self, call: &QueuedCall, funds: &FundsCall, now: UnixTime) -> Option<bool> {
        let is_payers = |it: &&Landed| {
            let is_known = now < it.at.plus(LOOK_SECS) && (!it.has_come() || it.call == *call);
            is_known && it.call.funds.as_ref().is_some_and(|other| other.payer == funds.payer)
        };
        let found = self.landed.iter().find(is_payers);
        found.filter(|_| !planted(Mutant::LandedIsForgotten)).map(|it| it.call == *call)
    }

    /// Takes a deposit whose nonce a block has, and what it was sent by last.
    pub(super) fn add(
        &mut self,
        call: QueuedCall,
        before: Amount,
        transaction: Option<[u8; 32]>,
        at: UnixTime,
    ) {
        self.landed.push(Landed { call, before, at, outcome: DepositOutcome::Open(transaction) });
    }

    /// Those that a node is to be asked about, with their transactions.
    pub(super) fn open(&self) -> impl Iterator<Item = (&QueuedCall, Option<[u8; 32]>)> {
        self.landed.iter().filter_map(|it| match it.outcome {
            DepositOutcome::Open(transaction) => Some((&it.call, transaction)),
            DepositOutcome::Come => None,
        })
    }

    /// Takes what a node shows of their channels and transactions. One that the contract refused has
    /// failed, whatever the channel has: its payer may have moved the tokens before the block, or
    /// have added as much. So has one that is never shown.
    pub(super) fn shown(
        &mut self,
        standing: &dyn Fn(&ChannelId) -> Option<ShownChannel>,
        became: &dyn Fn(&ChannelId, &[u8; 32]) -> Option<Status>,
        now: UnixTime,
    ) {
        let (failed, proven) = (&mut self.failed, &mut self.proven);
        self.landed.retain_mut(|it| {
            let DepositOutcome::Open(transaction) = it.outcome else {
                return now < it.at.plus(LOOK_SECS);
            };
            let (channel, payer) = (&it.call.channel, it.call.funds.as_ref().map(|it| it.payer));
            let is_over = now >= it.at.plus(LOOK_SECS);
            let status = transaction.and_then(|hash| became(channel, &hash));
            let is_refused = status == Some(Status::Reverted) && !planted(Mutant::RevertedHasCome);
            // One that was replaced has no receipt.
            let may_come = status.is_some() || transaction.is_none() || is_over;
            let least = it.before.checked_add(it.call.cumulative).filter(|_| may_come);
            if let (Some(shown), Some(least), false) = (standing(channel), least, is_refused) {
                let is_more = shown.deposit >= least;
                if shown.is_final || is_more {
                    it.outcome = DepositOutcome::Come;
                }
                if is_more {
                    proven.retain(|known| Some(*known) != payer);
                    // A payer can add as much, and have the call fail: its receipt tells.
                    let is_its = status.is_some() || planted(Mutant::AddingIsProof);
                    let is_opening = it.call.funds.as_ref().is_some_and(FundsCall::opens);
                    proven.extend(payer.filter(|_| is_its || is_opening));
                }
            }
            let is_vain = is_refused || is_over && !it.has_come();
            if is_vain && !planted(Mutant::VainIsFree) {
                failed.push((now, is_among(proven, &it.call)));
                if !planted(Mutant::ProvenFailFree) {
                    proven.retain(|known| Some(*known) != payer);
                }
            }
            !is_vain && !is_over
        });
        failed.retain(|(at, _)| now < at.plus(FAILED_SECS));
        let surplus = proven.len().saturating_sub(MAX_PROVEN);
        proven.drain(..surplus);
    }

    /// How many more may be sent beside so many that wait for blocks: of new payers, or of those
    /// whose last one has come.
    pub(super) fn room(&self, is_proven: bool, waiting: usize) -> usize {
        let is_open = |it: &&Landed| !it.has_come() && self.has_proven(&it.call) == is_proven;
        let open = self.landed.iter().filter(is_open).count();
        let failed = self.failed.iter().filter(|(_, of)| *of == is_proven).count();
        MAX_FAILED.saturating_sub(failed).saturating_sub(open).saturating_sub(waiting)
    }

    /// How many came to nothing in the last hour.
    pub(super) const fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Whether so many did that none of a new payer is sent.
    pub(super) fn is_paused(&self) -> bool {
        self.failed.iter().filter(|(_, is_proven)| !is_proven).count() >= MAX_FAILED
    }
}

fn is_among(proven: &[Address], call: &QueuedCall) -> bool {
    call.funds.as_ref().is_some_and(|funds| proven.contains(&funds.payer))
}

const FAILED: &str = "failed";
const LANDED: &str = "landed";
const COME: &str = "come";
const PROVEN: &str = "proven";
/// Seconds in which a deposit that is in a block is looked for: not every node has it at once.
const LOOK_SECS: u64 = 60;
/// Seconds for which one that failed counts.
const FAILED_SECS: u64 = 3_600;
/// Deposits that may fail in that time, each at up to 172,000 gas of the payee's: so many of new
/// payers, and as many of the others.
const MAX_FAILED: usize = 16;
/// Payers that are remembered because their last deposit has come.
const MAX_PROVEN: usize = 128;
