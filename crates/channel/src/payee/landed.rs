//! Deposits whose nonce a block has: what became of each, and how many came to nothing at the
//! payee's cost.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::call::{ChannelCheck, FundsCall, QueuedCall, ShownChannel};
use super::replies::RoundReplies;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::evidence::Evidence;
use farebox_evm::rpc::reply::{LogPlace, Status};
use farebox_evm::rpc::{Call, Span};

/// A deposit that a block has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Landed {
    call: QueuedCall,
    /// The deposit that the channel had before it.
    before: Amount,
    /// When its nonce was seen in a block.
    at: UnixTime,
    /// Its outcome.
    outcome: DepositOutcome,
}

/// The outcome of a deposit, as far as nodes have shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DepositOutcome {
    /// Nothing yet, of the transaction with this hash: an earlier one with its nonce may have been
    /// mined in its place.
    Open(Option<[u8; 32]>),
    /// The contract refused it in this block, and the channel may have it all the same: it is not
    /// known yet which transaction used its authorization.
    Refused(u64),
    /// The same, and this transaction used it; it is not known yet for what.
    Used(LogPlace),
    /// The channel has it.
    Come,
}

/// A node's view of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DepositFate {
    /// Nothing that decides.
    Waits,
    /// The channel is closed for ever, and what was added before that is not told apart.
    Closed,
    /// The channel has as much as it brings; whether it is what brought it.
    Shown { is_its: bool },
    /// The authorization itself has come, by a transaction that is not the payee's.
    Overtaken,
    /// It came to nothing.
    Vain,
}

impl DepositOutcome {
    fn read(text: &str) -> Self {
        let hash = |text| hex::decode_array(text).ok();
        let block = |text: &str| text.parse().ok();
        match text.split_once('/') {
            Some((REFUSED, text)) => block(text).map_or(Self::Open(None), Self::Refused),
            Some((USED, text)) => {
                let place = text.split_once('/').and_then(|(transaction, number)| {
                    Some(LogPlace { transaction: hash(transaction)?, block: block(number)? })
                });
                place.map_or(Self::Open(None), Self::Used)
            }
            Some(_) | None if text == COME => Self::Come,
            Some(_) | None => Self::Open(hash(text)),
        }
    }

    fn to_text(self) -> String {
        match self {
            Self::Open(Some(hash)) => hex::encode_prefixed(&hash),
            Self::Open(None) => "-".to_string(),
            Self::Refused(block) => [REFUSED, "/", &block.to_string()].concat(),
            Self::Used(LogPlace { transaction, block }) => {
                let transaction = hex::encode_prefixed(&transaction);
                [USED, "/", &transaction, "/", &block.to_string()].concat()
            }
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

    /// Whether what became of it is told by a transaction that others have sent.
    const fn is_of_a_stranger(&self) -> bool {
        matches!(self.outcome, DepositOutcome::Refused(_) | DepositOutcome::Used(_))
    }

    fn payer(&self) -> Option<Address> {
        self.call.funds.as_ref().map(|it| it.payer)
    }

    /// The question to a node about it beside its channel.
    fn look(&self) -> Option<(ChannelCheck, Call)> {
        match self.outcome {
            DepositOutcome::Open(Some(hash)) => Some((ChannelCheck::Receipt, Call::Receipt(hash))),
            // Whoever has sent that transaction decides how long its receipt is.
            DepositOutcome::Used(LogPlace { block, .. }) => {
                let authorization = self.call.funds.as_ref()?.authorization?;
                Some((ChannelCheck::Moved, Call::AuthorizationEvents { authorization, block }))
            }
            DepositOutcome::Refused(block) => {
                let authorization = self.call.funds.as_ref()?.authorization?;
                let span = Span::downward(block);
                Some((ChannelCheck::Use, Call::AuthorizationLogs { authorization, span }))
            }
            DepositOutcome::Open(None) | DepositOutcome::Come => None,
        }
    }

    /// The fate that a node's answers tell; `is_over` once no more of them are waited for.
    fn fate(&mut self, replies: &RoundReplies<'_>, is_over: bool) -> DepositFate {
        let late = if is_over { DepositFate::Vain } else { DepositFate::Waits };
        let fate = match self.outcome {
            DepositOutcome::Come => Some(DepositFate::Waits),
            DepositOutcome::Open(transaction) => self.fate_of_call(transaction, replies, is_over),
            DepositOutcome::Refused(block) => {
                if let Some(user) = replies.user(&self.call, block) {
                    self.outcome = DepositOutcome::Used(user);
                }
                None
            }
            DepositOutcome::Used(user) => self.fate_of_authorization(&user, replies),
        };
        fate.unwrap_or(late)
    }

    /// The fate of the payee's own call, if that is shown.
    fn fate_of_call(
        &mut self,
        transaction: Option<[u8; 32]>,
        replies: &RoundReplies<'_>,
        is_over: bool,
    ) -> Option<DepositFate> {
        let channel = &self.call.channel;
        let shown = replies.standing(channel);
        let receipt = transaction.and_then(|hash| replies.receipt(channel, &hash));
        let refused = receipt.as_ref().filter(|it| it.status == Status::Reverted);
        if let Some(receipt) = refused {
            let may_have_come =
                self.call.transfer().is_some() && shown.is_none_or(|shown| self.is_in(shown));
            if !may_have_come {
                return Some(DepositFate::Vain);
            }
            self.outcome = DepositOutcome::Refused(receipt.block);
            return None;
        }
        // One that was replaced has no receipt.
        let may_come = receipt.is_some() || transaction.is_none() || is_over;
        match shown.filter(|_| may_come)? {
            // A payer can add as much, and have the call fail: its receipt tells.
            shown if self.is_in(shown) => {
                let is_its = receipt.is_some();
                Some(DepositFate::Shown { is_its })
            }
            shown => shown.is_final.then_some(DepositFate::Closed),
        }
    }

    /// The fate of its authorization by this transaction, if that is shown.
    fn fate_of_authorization(
        &self,
        user: &LogPlace,
        replies: &RoundReplies<'_>,
    ) -> Option<DepositFate> {
        let channel = &self.call.channel;
        let receipt = replies.moved(&self.call, user)?;
        match Evidence::of(&receipt, &self.call.transfer()?) {
            Evidence::Paid { .. } => {
                let is_in = self.is_in(replies.standing(channel)?);
                is_in.then_some(DepositFate::Overtaken)
            }
            Evidence::Cancelled | Evidence::Elsewhere | Evidence::Unclear | Evidence::Unrelated => {
                Some(DepositFate::Vain)
            }
        }
    }

    /// Whether a channel has as much as it had before, and this deposit.
    fn is_in(&self, shown: ShownChannel) -> bool {
        let least = self.before.checked_add(self.call.cumulative);
        least.is_some_and(|least| shown.deposit >= least)
    }
}

fn time(text: &str) -> Option<UnixTime> {
    text.parse().ok().map(UnixTime::from_secs)
}

/// A deposit that came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FailedDeposit {
    /// When it was given up.
    at: UnixTime,
    /// Whether the last one of its payer had come.
    is_proven: bool,
    /// Its payer, unless it has come by a stranger's transaction; rows of an earlier version do not
    /// say it.
    payer: Option<Address>,
}

/// The deposits of an account that blocks have had lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct LandedDeposits {
    landed: Vec<Landed>,
    failed: Vec<FailedDeposit>,
    /// Payers whose last deposit has come, the newest last.
    proven: Vec<Address>,
    /// Whether the last round asked what strangers have sent.
    is_asked: bool,
    /// Rounds that asked for it and could not be read, and those that rested since.
    unread: u8,
}

impl LandedDeposits {
    /// Reads a line of the row; whether it is one of these.
    pub(super) fn read(&mut self, line: &str) -> bool {
        let mut fields = line.split(' ');
        match fields.next() {
            Some(FAILED) => {
                let at = fields.next().and_then(time);
                let is_proven = fields.next() == Some(PROVEN);
                let payer = fields.next().and_then(|payer| Address::parse(payer).ok());
                self.failed.extend(at.map(|at| FailedDeposit { at, is_proven, payer }));
            }
            Some(LANDED) => self.landed.extend(Landed::read(&mut fields)),
            Some(PROVEN) => {
                self.proven.extend(fields.filter_map(|payer| Address::parse(payer).ok()));
            }
            Some(UNREAD) => {
                self.unread = fields.next().and_then(|text| text.parse().ok()).unwrap_or_default();
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
        for FailedDeposit { at, is_proven, payer } in &self.failed {
            let of = if *is_proven { PROVEN } else { "-" };
            let payer = payer.map(|payer| payer.to_lower_hex()).unwrap_or_default();
            lines.push([FAILED, &at.secs().to_string(), of, &payer].join(" "));
        }
        if self.unread > 0 {
            lines.push([UNREAD, " ", &self.unread.to_string()].concat());
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
        found.map(|it| it.call == *call)
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

    /// Begins a round. What strangers have to say of their transactions may not be readable, and
    /// would hold up all that is sent: then it is asked in each fourth round alone.
    pub(super) fn begin(&mut self) {
        let has_rested = self.unread == MAX_UNREAD.saturating_add(RESTS);
        self.is_asked = self.unread < MAX_UNREAD || has_rested;
        if self.landed.iter().any(Landed::is_of_a_stranger) {
            self.unread = if has_rested { MAX_UNREAD } else { self.unread.saturating_add(1) };
        }
    }

    /// Takes the answers of a round that could be read.
    pub(super) fn take(&mut self, replies: &RoundReplies<'_>, now: UnixTime) {
        if self.is_asked {
            self.unread = 0;
        }
        self.shown(replies, now);
    }

    /// Those of which it is not known yet what they came to.
    pub(super) fn open(&self) -> impl Iterator<Item = &QueuedCall> {
        self.landed.iter().filter(|it| !it.has_come()).map(|it| &it.call)
    }

    /// Those that this round asks about: their channels, and what else tells of them.
    pub(super) fn looks(
        &self,
    ) -> impl Iterator<Item = (&QueuedCall, Option<(ChannelCheck, Call)>)> {
        let is_in = |it: &&Landed| !it.has_come() && (self.is_asked || !it.is_of_a_stranger());
        self.landed.iter().filter(is_in).map(|it| (&it.call, it.look()))
    }

    /// Takes what a node shows of their channels and transactions. One that the contract refused has
    /// failed, whatever the channel has: its payer may have moved the tokens before the block, or
    /// have added as much. So has one that is never shown. But a stranger who reads the pool can send
    /// the same bytes first: where the authorization itself has come, the payer has made it, and what
    /// the payee lost counts beside the failures of new payers, as no one's.
    fn shown(&mut self, replies: &RoundReplies<'_>, now: UnixTime) {
        let (failed, proven, is_asked) = (&mut self.failed, &mut self.proven, self.is_asked);
        self.landed.retain_mut(|it| {
            // What can never be read ends all the same.
            let rests = !is_asked && it.is_of_a_stranger();
            let is_over = now >= it.at.plus(if rests { UNREAD_SECS } else { LOOK_SECS });
            if rests && !is_over {
                return true;
            }
            let (payer, fate) = (it.payer(), it.fate(replies, is_over));
            let mut forget = || proven.retain(|known| Some(*known) != payer);
            match fate {
                DepositFate::Waits => return !is_over,
                DepositFate::Closed => {}
                DepositFate::Shown { is_its } => {
                    forget();
                    let is_opening = it.call.funds.as_ref().is_some_and(FundsCall::opens);
                    proven.extend(payer.filter(|_| is_its || is_opening));
                }
                DepositFate::Overtaken => {
                    forget();
                    proven.extend(payer);
                    let lost = FailedDeposit { at: now, is_proven: false, payer: None };
                    failed.extend(Some(lost));
                }
                DepositFate::Vain => {
                    let is_proven = is_among(proven, &it.call);
                    failed.push(FailedDeposit { at: now, is_proven, payer });
                    proven.retain(|known| Some(*known) != payer);
                    return false;
                }
            }
            it.outcome = DepositOutcome::Come;
            !is_over
        });
        failed.retain(|it| now < it.at.plus(FAILED_SECS));
        let surplus = proven.len().saturating_sub(MAX_PROVEN);
        proven.drain(..surplus);
    }

    /// Whether so many of this payer's came to nothing that none of theirs is sent.
    pub(super) fn holds_back(&self, payer: &Address, now: UnixTime) -> bool {
        let is_theirs =
            |it: &&FailedDeposit| it.payer.as_ref() == Some(payer) && now < it.at.plus(FAILED_SECS);
        let failed = self.failed.iter().filter(is_theirs).count();
        failed >= MAX_FAILED_OF_ONE
    }

    /// How many more may be sent beside so many that wait for blocks: of new payers, or of those
    /// whose last one has come. Once so many came to nothing it is one at a time, and none for a
    /// while after one that did.
    pub(super) fn room(&self, is_proven: bool, waiting: usize, now: UnixTime) -> usize {
        let is_open = |it: &&Landed| !it.has_come() && self.has_proven(&it.call) == is_proven;
        let open = self.landed.iter().filter(is_open).count();
        let failed = || self.failed.iter().filter(|it| it.is_proven == is_proven);
        let is_rested = failed().all(|it| now >= it.at.plus(PAUSE_SECS));
        let least = usize::from(is_rested);
        let most = MAX_FAILED.saturating_sub(failed().count()).max(least);
        most.saturating_sub(open).saturating_sub(waiting)
    }

    /// How many came to nothing in the last hour.
    pub(super) const fn failed(&self) -> usize {
        self.failed.len()
    }

    /// Whether so many did that those of new payers are sent one at a time.
    pub(super) fn is_slow(&self) -> bool {
        self.failed.iter().filter(|it| !it.is_proven).count() >= MAX_FAILED
    }
}

fn is_among(proven: &[Address], call: &QueuedCall) -> bool {
    call.funds.as_ref().is_some_and(|funds| proven.contains(&funds.payer))
}

const FAILED: &str = "failed";
const LANDED: &str = "landed";
const COME: &str = "come";
const REFUSED: &str = "refused";
const USED: &str = "used";
const PROVEN: &str = "proven";
const UNREAD: &str = "unread";
/// Seconds in which a deposit that is in a block is looked for: not every node has it at once.
const LOOK_SECS: u64 = 60;
/// The same where what tells of it cannot be read.
const UNREAD_SECS: u64 = 600;
/// Rounds in a row that ask for it and cannot be read, before some rest.
const MAX_UNREAD: u8 = 2;
/// Rounds that rest then, between two that ask.
const RESTS: u8 = 3;
/// Seconds for which one that failed counts.
const FAILED_SECS: u64 = 3_600;
/// Deposits that may fail in that time, each at up to 172,000 gas of the payee's, before others are
/// sent one at a time: so many of new payers, and as many of the others.
const MAX_FAILED: usize = 16;
/// The same of one payer, who is held back then.
const MAX_FAILED_OF_ONE: usize = 2;
/// Seconds between those that fail then: as many in an hour.
const PAUSE_SECS: u64 = 225;
/// Payers that are remembered because their last deposit has come.
const MAX_PROVEN: usize = 128;
