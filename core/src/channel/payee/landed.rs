//! Deposits whose nonce a block has: what became of each, and how many came to nothing at the
//! payee's cost.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::call::{FundsCall, QueuedCall, ShownChannel};
use crate::amount::Amount;
use crate::channel::config::ChannelId;
use crate::evm::address::Address;
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
    /// Whether a node shows it in the channel.
    has_come: bool,
}

impl Landed {
    fn read<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let at = time(fields.next()?)?;
        let before = Amount::from_atomic(fields.next()?).ok()?;
        let has_come = fields.next()? == COME;
        Some(Self { at, before, has_come, call: QueuedCall::read(fields)? })
    }
}

fn time(text: &str) -> Option<UnixTime> {
    text.parse().ok().map(UnixTime::from_secs)
}

/// The deposits of an account that blocks have had lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LandedDeposits {
    landed: Vec<Landed>,
    /// When each was given up that came to nothing, and whether it opened a channel for a payer whose
    /// last one had come.
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
        for Landed { call, before, at, has_come } in &self.landed {
            let come = if *has_come { COME } else { "-" };
            let (at, before) = (at.secs().to_string(), before.to_string());
            lines.push([LANDED, &at, &before, come, &call.to_text()].join(" "));
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

    /// Whether it opens a channel for a payer whose last deposit has come. Who adds to a channel can
    /// have the call fail by adding as much, and the channel shows what it would show.
    pub(super) fn has_proven(&self, call: &QueuedCall) -> bool {
        is_among(&self.proven, call)
    }

    /// Whether this deposit is in a block, so that it is not sent again; `None` if nothing of its
    /// payer's is.
    pub(super) fn has(&self, call: &QueuedCall, funds: &FundsCall, now: UnixTime) -> Option<bool> {
        let is_payers = |it: &&Landed| {
            let is_known = now < it.at.plus(LOOK_SECS) && (!it.has_come || it.call == *call);
            is_known && it.call.funds.as_ref().is_some_and(|other| other.payer == funds.payer)
        };
        let found = self.landed.iter().find(is_payers);
        found.filter(|_| !planted(Mutant::LandedIsForgotten)).map(|it| it.call == *call)
    }

    /// Takes a deposit whose nonce a block has.
    pub(super) fn add(&mut self, call: QueuedCall, before: Amount, at: UnixTime) {
        self.landed.push(Landed { call, before, at, has_come: false });
    }

    /// Those that a node is to be asked about.
    pub(super) fn open(&self) -> impl Iterator<Item = &QueuedCall> {
        self.landed.iter().filter(|it| !it.has_come).map(|it| &it.call)
    }

    /// Takes what a node shows of their channels. One that it never shows has failed: its payer may
    /// have moved the tokens before the block.
    pub(super) fn shown(
        &mut self,
        standing: &dyn Fn(&ChannelId) -> Option<ShownChannel>,
        now: UnixTime,
    ) {
        let (failed, proven) = (&mut self.failed, &mut self.proven);
        self.landed.retain_mut(|it| {
            let payer = it.call.funds.as_ref().map(|funds| funds.payer);
            if let (Some(shown), Some(least)) =
                (standing(&it.call.channel), it.before.checked_add(it.call.cumulative))
                && !it.has_come
            {
                let is_more = shown.deposit >= least;
                it.has_come = shown.is_final || is_more;
                if is_more {
                    proven.retain(|known| Some(*known) != payer);
                    proven.extend(payer);
                }
            }
            let is_over = now >= it.at.plus(LOOK_SECS);
            if is_over && !it.has_come && !planted(Mutant::VainIsFree) {
                failed.push((now, is_among(proven, &it.call)));
                if !planted(Mutant::ProvenFailFree) {
                    proven.retain(|known| Some(*known) != payer);
                }
            }
            !is_over
        });
        failed.retain(|(at, _)| now < at.plus(FAILED_SECS));
        let surplus = proven.len().saturating_sub(MAX_PROVEN);
        proven.drain(..surplus);
    }

    /// How many more may be sent beside so many that wait for blocks: of new payers, or of those
    /// whose last one has come.
    pub(super) fn room(&self, is_proven: bool, waiting: usize) -> usize {
        let is_open = |it: &&Landed| !it.has_come && self.has_proven(&it.call) == is_proven;
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
    call.funds.as_ref().is_some_and(|funds| {
        let is_sure = funds.opens() || planted(Mutant::AddingIsProof);
        is_sure && proven.contains(&funds.payer)
    })
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
