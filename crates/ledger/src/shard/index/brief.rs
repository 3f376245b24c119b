//! One row in the index of a shard: what is remembered of it, and by which names.

use alloc::string::String;

use super::super::{Scene, Slot};
use crate::command::{REQUEST_DIGITS, forms};
use crate::entry::{Entry, Work};
use crate::state::State;
use farebox_base::hash;
use farebox_base::time::UnixTime;

/// Seconds of doubt after which the operator hears of it.
const OVERDUE_SECS: u64 = 600;

/// One row. Times are unix seconds; a span that is over, or never was, ends at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Brief {
    /// The first eight bytes of its binding: a hash by the gate of the request, whatever its terms.
    pub(super) binding: [u32; 2],
    /// The client network that began it.
    pub(super) client: u32,
    /// Worked on until then.
    pub(super) active_until: u32,
    /// Start of its doubt.
    pub(super) unknown_from: u32,
    /// End of its doubt.
    pub(super) unknown_until: u32,
    /// End of the time in which a refusal counts as fresh.
    pub(super) refused_until: u32,
    /// End of the time in which it may be paid and not received.
    pub(super) heir_until: u32,
    /// Time at which it needs work; the row itself says which.
    pub(super) due: u32,
    /// Time at which the operator hears that it is still in doubt.
    pub(super) overdue: u32,
    /// First sight of a row that was let go before money was asked for, or that never can be
    /// charged; 0 for all others.
    pub(super) released: u32,
    /// Whether no money was ever asked for it.
    pub(super) is_unasked: bool,
    /// Whether nothing shows that its money has moved.
    pub(super) is_unpaid: bool,
    /// The first eight bytes of a hash of its payee.
    pub(super) payee: [u32; 2],
    /// Whether its payer has signed it, and so has turns of their own.
    pub(super) has_own_turns: bool,
    /// Whether it is only a transaction that a client has named, which counts against no payer.
    pub(super) is_awaited: bool,
    /// Whether it is a debt that the treasury pays back.
    pub(super) is_paid_back: bool,
}

impl Brief {
    pub(super) fn of(entry: &Entry, scene: &Scene<'_>) -> Option<Self> {
        if !is_open(entry, scene) {
            return None;
        }
        let due = entry.due(scene.plan, scene.now);
        let is_paid_back = matches!(due, Some((_, Work::PayBack)));
        let due = due.map(|(at, _)| at);
        let heir = entry.is_uncollected(scene.now).then(|| entry.heir_until());
        let active = entry.is_active().then(|| entry.wake_at()).flatten();
        let (unknown_from, since) = match &entry.state {
            // No money was asked for it, and anyone can name it: it blocks no payment, and the
            // operator need not hear of it.
            State::Unknown { .. } if entry.is_awaited() => (None, None),
            State::Unknown { since, .. } => (Some(UnixTime::from_secs(0)), Some(*since)),
            // Its state when its lease ends.
            State::Settling(lease) => (Some(lease.until), None),
            // It was refused, and is sent again.
            State::Refused { sent, resend: Some(_), .. } => {
                (Some(UnixTime::from_secs(0)), Some(*sent))
            }
            _ => (None, None),
        };
        let overdue = since.filter(|_| scene.notifies).map(|since| since.plus(OVERDUE_SECS));
        let refused = match &entry.state {
            State::Refused { .. } => Some(entry.refused_until()),
            _ => None,
        };
        let is_released = match entry.state {
            State::Released => true,
            // A transaction may enter a block for ever.
            State::Void | State::Closed => !entry.payment.was_sent_by_payer(),
            _ => false,
        };
        let is_released = is_released && entry.is_unasked();
        let is_unasked = entry.is_unasked() || entry.is_awaited();
        // Whatever was asked for it before. What is in doubt costs nothing where a facilitator
        // declines it in words that prove nothing.
        let is_unpaid = entry.is_unpaid();
        Some(Self {
            released: if is_released { short(Some(entry.created)) } else { 0 },
            binding: head(&entry.payment.binding),
            client: client_of(&entry.payment.client),
            active_until: short(active),
            unknown_from: short(unknown_from),
            unknown_until: short(unknown_from.map(|_| entry.unknown_until())),
            refused_until: short(refused),
            heir_until: short(heir),
            // A row that waits only for its payer is looked at when that wait is over, and
            // forgotten.
            due: short(due.or(heir)),
            overdue: overdue.map_or(u32::MAX, |at| short(Some(at))),
            is_unasked,
            is_unpaid: is_unpaid || is_unasked,
            payee: payee_of(&entry.payment.pay_to),
            has_own_turns: has_own_turns(entry),
            is_awaited: entry.is_awaited(),
            is_paid_back,
        })
    }

    /// Whether it is in doubt and the operator has heard so.
    pub(super) const fn was_told(&self) -> bool {
        self.unknown_from == 0 && self.unknown_until > 0 && self.overdue == u32::MAX
    }

    pub(super) const fn is_unknown(&self, now: u32) -> bool {
        self.unknown_from <= now && now < self.unknown_until
    }
}

/// Whether a row belongs in the index. Its owner needs its own index to find the open rows.
#[must_use]
pub fn is_open(entry: &Entry, scene: &Scene<'_>) -> bool {
    entry.due(scene.plan, scene.now).is_some() || entry.is_uncollected(scene.now)
}

/// Name of the one who has the turn of a row: its payer or, where none is read, its network.
pub(in super::super) fn turn_of(slot: &Slot, entry: &Entry) -> String {
    match has_own_turns(entry) {
        true => slot.payer.clone(),
        false => network(client_of(&entry.payment.client)),
    }
}

fn has_own_turns(entry: &Entry) -> bool {
    entry.payment.names_signer() && !entry.is_awaited()
}

/// A network among those who have turns.
pub(super) fn network(client: u32) -> String {
    alloc::format!("network {client}")
}

/// The client network's name as a number.
pub(super) fn client_of(name: &str) -> u32 {
    head(name)[0]
}

/// The part of a hash of the payee by which the index distinguishes payees: anyone can make an
/// account whose name begins like that of another.
pub(super) fn payee_of(name: &str) -> [u32; 2] {
    head(&hash::digest(&[name.as_bytes()]))
}

/// The parts of a binding by which the index knows rows of its request: those of an earlier version
/// have the question to a pricer in it.
pub(super) fn bindings_of(binding: &str) -> [[u32; 2]; 2] {
    forms(binding).map(head)
}

/// The first eight bytes that 16 hex digits stand for, or those of the text.
fn head(text: &str) -> [u32; 2] {
    let digits = text.get(..REQUEST_DIGITS).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let bytes = digits.map_or_else(
        || {
            let mut bytes = [0; 8];
            for (byte, letter) in bytes.iter_mut().zip(text.bytes()) {
                *byte = letter;
            }
            bytes
        },
        u64::to_be_bytes,
    );
    let [a, b, c, d, e, f, g, h] = bytes;
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}

pub(super) fn short(at: Option<UnixTime>) -> u32 {
    at.map_or(0, |at| u32::try_from(at.secs()).unwrap_or(u32::MAX))
}

pub(super) fn time(secs: u32) -> UnixTime {
    UnixTime::from_secs(secs.into())
}
