//! The alarm of a ledger object: the call that recovers a row, and the meaning of its reply.
//!
//! The object asks its shard which rows are due, turns each into a [`RecoveryStep`], carries out
//! its calls one after the other and hands the command at the end back to the shard. A scheduled sweep
//! wakes the objects by the clock, so that one that lost its alarm goes on.

mod refund;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

pub use self::refund::PayingBack;
use super::call::{ChainCall, FacilitatorCall, LedgerCall, TreasuryCall};
use super::keys::Keys;
use super::operator::message;
use super::paid::inquire::{settled, take_call};
use super::parts::{Refunds, Shards};
use super::recorded::{
    FirstSight, chain_query, chain_verdict, outcome, resend_call, sent_again, settled_by_chain,
};
use farebox_base::time::UnixTime;
use farebox_channel::index::ChannelRun;
use farebox_common::payment::TxHash;
use farebox_ledger::command::{
    ChainVerdict, Client, Command, Envelope, Outcome, Resend, Role, Signing, VERSION,
};
use farebox_ledger::entry::Entry;
use farebox_ledger::inquiry::finding::Finding;
use farebox_ledger::inquiry::{Asking, ChainQuery, Next};
use farebox_ledger::report::{Decision, ObjectRequest};
use farebox_ledger::shard::{Due, Slot};
use farebox_ledger::take::Holder;
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::wire::Expected;

/// Limit on the objects of one run of the sweep: what the platform allows on a small plan, with room to spare.
const MAX_OBJECTS: usize = 32;
/// Seconds between two runs; the trigger in `wrangler.toml` is the same.
pub const EVERY_SECS: u64 = 900;

/// The next step to recover a row.
#[derive(Debug)]
pub enum RecoveryStep {
    /// Ask a facilitator to settle the recorded bytes.
    Settle(Box<FacilitatorCall>, Sending),
    /// Ask a node of the chain.
    Read(ChainCall, Box<Looking>),
    /// Ask the object of a transaction which payment it belongs to.
    Take(LedgerCall, Taking),
    /// Send the row a command.
    Tell(Box<Envelope>),
    /// Ask the treasury.
    PayOut(TreasuryCall, Box<PayingBack>),
    /// Ask a node of the chain for a transfer.
    Prove(ChainCall, Box<PayingBack>),
    /// Decide about the row with this receipt id. A refund that is not taken back now is asked for
    /// again later.
    Decide(String, Decision),
    /// Nothing is known yet: the row is due later.
    Rest,
}

/// Waits for a facilitator's answer about a row.
#[derive(Debug)]
pub struct Sending {
    slot: Slot,
    fence: u64,
    expected: Expected,
    /// Whether the settlement counts only once the chain shows it.
    confirms: bool,
    network: String,
}

/// Waits for the holder of the transaction that a facilitator has named for a row.
#[derive(Debug)]
pub struct Taking {
    slot: Slot,
    fence: u64,
    named: TxHash,
}

/// Waits for a node's answer about a row.
#[derive(Debug)]
pub struct Looking {
    slot: Slot,
    network: String,
    asking: Asking,
    purpose: Purpose,
}

/// Purpose of a look at the chain.
#[derive(Clone, Debug)]
enum Purpose {
    /// A transaction was sent once more, under this fence.
    Sent { fence: u64, transaction: TxHash },
    /// The fate of a payment whose authorization ends at that time.
    Fate { valid_before: UnixTime, signing: Signing },
}

/// The recovery of rows.
#[derive(Clone, Copy)]
pub struct RowRecovery<'g> {
    pub(super) keys: &'g Keys,
    pub(super) shards: &'g Shards,
    /// Deadline of a settle call, seconds.
    pub(super) settle_secs: u64,
    /// The treasury that pays debts back.
    pub(super) refunds: Option<&'g Refunds>,
}

impl RowRecovery<'_> {
    /// The first step for a row that is due; `None` if the row cannot be read.
    #[must_use]
    pub fn begin(&self, due: Due) -> Option<RecoveryStep> {
        match due {
            Due::Resend(slot, entry, resend) => self.send_again(slot, &entry, resend),
            Due::Read(slot, entry) => Some(read_fate(slot, &entry)),
            Due::PayBack(slot, entry) => PayingBack::begin(slot, &entry, self.refunds?),
        }
    }

    fn send_again(&self, slot: Slot, entry: &Entry, resend: Resend) -> Option<RecoveryStep> {
        let (payment, first_sight) = (&entry.payment, first_sight(entry));
        let Resend { fence, facilitator, request, .. } = resend;
        if let Some(sent) = sent_again(&slot.payer, payment, first_sight) {
            let purpose = Purpose::Sent { fence, transaction: sent.transaction };
            return Some(Looking::begin(slot, ChainQuery::Transfer(Box::new(sent)), purpose));
        }
        let (call, expected) =
            resend_call(&slot.payer, payment, &facilitator, &request, self.settle_secs)?;
        let sending = Sending {
            slot,
            fence,
            expected,
            confirms: payment.confirm,
            network: payment.network.clone(),
        };
        Some(RecoveryStep::Settle(Box::new(call), sending))
    }
}

fn read_fate(slot: Slot, entry: &Entry) -> RecoveryStep {
    let (payment, known) = (&entry.payment, entry.transaction());
    match chain_query(&slot.payer, payment, first_sight(entry), known) {
        Some(query) => {
            let valid_before = UnixTime::from_secs(payment.last_end());
            let signing = payment.signing.clone();
            Looking::begin(slot, query, Purpose::Fate { valid_before, signing })
        }
        // A row that no party can be asked about waits for its deadline.
        None => learn(slot, ChainVerdict::Unread, payment.signing.times),
    }
}

impl Sending {
    /// Takes the facilitator's answer.
    #[must_use]
    pub fn answered(self, recovery: RowRecovery<'_>, reply: &FacilitatorReply) -> RecoveryStep {
        let Self { slot, fence, expected, confirms, network } = self;
        let result = match outcome(reply, &expected) {
            // A settlement that the chain has to confirm is looked up there next.
            Outcome::Settled(named) if confirms => Outcome::Unknown(Some(named)),
            told => told,
        };
        if let Outcome::Settled(name) = &result
            && let Some(named) = TxHash::on(&network, name)
            && let Some(call) =
                take_call(recovery.shards, recovery.keys, &network, &named, &slot.key)
        {
            return RecoveryStep::Take(call, Taking { slot, fence, named });
        }
        report(slot, fence, result)
    }
}

impl Taking {
    /// Takes the object's answer; `None` if it is down.
    #[must_use]
    pub fn answered(self, holder: Option<Holder>) -> RecoveryStep {
        report(self.slot, self.fence, settled(self.named, holder))
    }
}

impl Looking {
    fn begin(slot: Slot, query: ChainQuery, purpose: Purpose) -> RecoveryStep {
        let network = alloc::format!("eip155:{}", query.chain_id());
        let (body, asking) = query.ask();
        let call = ChainCall::new(&network, body);
        RecoveryStep::Read(call, Box::new(Self { slot, network, asking, purpose }))
    }

    /// Takes the body of the node's answer; `None` unless it came completely, in time and with
    /// status 200.
    #[must_use]
    pub fn answered(self, reply: Option<&[u8]>, now: UnixTime) -> RecoveryStep {
        let Self { slot, network, asking, purpose } = self;
        let finding: Finding = match asking.answered(reply) {
            Next::Ask(body, asking) => {
                let call = ChainCall::new(&network, body);
                return RecoveryStep::Read(call, Box::new(Self { slot, network, asking, purpose }));
            }
            Next::Found(finding) => finding,
        };
        match purpose {
            Purpose::Sent { fence, transaction } => {
                report(slot, fence, settled_by_chain(&finding, transaction))
            }
            Purpose::Fate { valid_before, signing } => {
                let learnt = chain_verdict(&finding, valid_before, &signing.earlier, now);
                learn(slot, learnt, signing.times)
            }
        }
    }
}

/// First sight of a row's payment.
const fn first_sight(entry: &Entry) -> FirstSight {
    FirstSight { at: entry.created, block: entry.watch.seen_block }
}

fn report(slot: Slot, fence: u64, result: Outcome) -> RecoveryStep {
    tell(slot, Command::Outcome { fence, result, client: Client::Answered, seen_block: None })
}

fn learn(slot: Slot, learnt: ChainVerdict, signed: u64) -> RecoveryStep {
    tell(slot, Command::Learn { learnt, owner: false, signed, fence: None })
}

fn tell(slot: Slot, command: Command) -> RecoveryStep {
    let Slot { payer, key } = slot;
    let (role, counting) = (Role::Sole, None);
    RecoveryStep::Tell(Box::new(Envelope { v: VERSION, payer, key, command, role, counting }))
}

/// The channels that the run at this time wakes.
#[must_use]
pub fn sweep_channels(now: UnixTime) -> ChannelRun {
    ChannelRun::new(now.secs() / EVERY_SECS)
}

/// The calls of the run at this time. If there are more objects than one run may wake, runs take
/// turns.
pub(super) fn sweep(objects: &[String], now: UnixTime) -> Vec<LedgerCall> {
    let run = usize::try_from(now.secs() / EVERY_SECS).unwrap_or(0);
    let parts = objects.len().div_ceil(MAX_OBJECTS).max(1);
    let part = run.checked_rem(parts).unwrap_or(0);
    let mine = objects.chunks(MAX_OBJECTS).nth(part).unwrap_or_default();
    mine.iter()
        .map(|object| LedgerCall::new(object.clone(), message(ObjectRequest::Wake)))
        .collect()
}
