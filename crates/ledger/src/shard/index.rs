//! A shard's index of the rows that are not at rest: what decisions about other rows need, and when
//! each row is due.
//!
//! A row takes at most 200 bytes here, however large its payment is. Every time is computed when
//! the row is written, so that a later look needs only the clock.

mod packed;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

pub(super) use self::packed::Packed;
use super::wake::Served;
use super::{Scene, Slot};
use crate::command::{Payment, REQUEST_DIGITS};
use crate::entry::{Entry, OtherPayments, Work};
use crate::state::State;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::sorted::{Sorted, by_rank};
use farebox_base::time::UnixTime;

/// Maximum rows that are not at rest, over all payers; beyond it new payments are refused, and
/// known ones served.
pub const MAX_ROWS: usize = 20_000;
/// Further rows, for client networks that have few of them: no other ones can shut them out.
pub const RESERVED_ROWS: usize = 4_000;
/// The fewest unpaid rows of a client network with which it has no part of those any more.
pub const FEW_OF_CLIENT: u32 = 10;
/// Maximum rows of one client network for which no money was asked, or whose settlement was refused.
pub const MAX_OF_CLIENT: u32 = 500;

/// Seconds for which a released row keeps its place even if no other one can be freed.
const KEPT_SECS: u32 = 60;

/// Where the numbers of networks begin that have turns as one payer.
const OF_NETWORKS: u64 = 1 << 32;

/// Seconds of doubt after which the operator hears of it.
const OVERDUE_SECS: u64 = 600;

/// Rows that are not at rest, by payer and key.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    rows: Sorted<Packed, Box<Brief>>,
    /// Unpaid rows, by client network.
    clients: Sorted<u32, u32>,
    /// How many rows are debts that the treasury pays back.
    paid_back: usize,
    /// The earliest due time among the rows written since the last complete look.
    noted: Option<UnixTime>,
}

/// One row. Times are unix seconds; a span that is over, or never was, ends at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Brief {
    /// The first eight bytes of its binding: a hash by the gate of the request, whatever its terms.
    binding: [u32; 2],
    /// The client network that began it.
    client: u32,
    /// Worked on until then.
    active_until: u32,
    /// Start of its doubt.
    unknown_from: u32,
    /// End of its doubt.
    unknown_until: u32,
    /// End of the time in which a refusal counts as fresh.
    refused_until: u32,
    /// End of the time in which it may be paid and not received.
    heir_until: u32,
    /// Time at which it needs work; the row itself says which.
    due: u32,
    /// Time at which the operator hears that it is still in doubt.
    overdue: u32,
    /// First sight of a row that was let go before money was asked for, or that never can be
    /// charged; 0 for all others.
    released: u32,
    /// Whether no money was ever asked for it.
    is_unasked: bool,
    /// Whether nothing shows that its money has moved.
    is_unpaid: bool,
    /// The first eight bytes of a hash of its payee.
    payee: [u32; 2],
    /// Whether its payer has signed it, and so has turns of their own.
    has_own_turns: bool,
    /// Whether it is only a transaction that a client has named, which counts against no payer.
    is_awaited: bool,
    /// Whether it is a debt that the treasury pays back.
    is_paid_back: bool,
}

/// The things that a claim asks the index about.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AskedRow<'a> {
    /// The request, as a hash by the gate.
    pub binding: &'a str,
    /// The client network.
    pub client: &'a str,
    /// The payee.
    pub payee: &'a str,
}

impl<'a> AskedRow<'a> {
    pub(super) fn of(payment: &'a Payment) -> Self {
        let Payment { binding, client, pay_to: payee, .. } = payment;
        Self { binding, client, payee }
    }
}

/// A row whose time may have come.
struct DueRow<'a> {
    place: &'a Packed,
    at: u64,
    /// Number of its payer.
    payer: u64,
    /// The turn of its payer.
    turn: u64,
    /// How many rows of its payer come before it.
    number: u64,
    /// Whether it is a debt that the treasury pays back.
    is_paid_back: bool,
}

impl Brief {
    fn of(entry: &Entry, scene: &Scene<'_>) -> Option<Self> {
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
            State::Refused { sent, resend: Some(_), .. } if !planted(Mutant::SentIsRefused) => {
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
        let is_unpaid = match &entry.state {
            State::Unknown { .. } | State::Refused { resend: Some(_), .. }
                if planted(Mutant::DoubtIsUncounted) =>
            {
                false
            }
            State::Refused { .. } if planted(Mutant::RefusedAreUncounted) => false,
            _ => entry.is_unpaid(),
        };
        Some(Self {
            released: if is_released { short(Some(entry.created)) } else { 0 },
            binding: binding_of(&entry.payment.binding),
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
    const fn was_told(&self) -> bool {
        self.unknown_from == 0 && self.unknown_until > 0 && self.overdue == u32::MAX
    }

    const fn is_unknown(&self, now: u32) -> bool {
        self.unknown_from <= now && now < self.unknown_until
    }
}

impl Index {
    /// Updates the index with a written row.
    pub(super) fn note(&mut self, slot: &Slot, entry: &Entry, scene: &Scene<'_>) {
        let place = Packed::of(slot);
        let was_told = self.rows.get(&place).is_some_and(|row| row.was_told());
        self.drop(&place);
        let Some(mut brief) = Brief::of(entry, scene) else { return };
        if was_told {
            brief.overdue = u32::MAX;
        }
        self.paid_back = self.paid_back.saturating_add(brief.is_paid_back.into());
        if brief.is_unpaid {
            let count = self.clients.get_or(brief.client, u32::default);
            *count = count.saturating_add(1);
        }
        let next = time(brief.due.min(brief.overdue));
        self.noted = Some(self.noted.map_or(next, |noted| noted.min(next)));
        self.rows.insert(place, Box::new(brief));
    }

    /// Forgets a row.
    pub(super) fn forget(&mut self, slot: &Slot) {
        self.drop(&Packed::of(slot));
    }

    fn drop(&mut self, place: &Packed) {
        let Some(gone) = self.rows.remove(place) else { return };
        self.paid_back = self.paid_back.saturating_sub(gone.is_paid_back.into());
        if let Some(count) = self.clients.get_mut(&gone.client).filter(|_| gone.is_unpaid) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.clients.remove(&gone.client);
            }
        }
    }

    /// Makes a row due at this time.
    pub(super) fn postpone(&mut self, slot: &Slot, until: UnixTime) {
        if let Some(row) = self.rows.get_mut(&Packed::of(slot)) {
            row.due = short(Some(until));
        }
    }

    /// Records that the operator has heard of the row's long doubt.
    pub(super) fn announced(&mut self, slot: &Slot) {
        if let Some(row) = self.rows.get_mut(&Packed::of(slot)) {
            row.overdue = u32::MAX;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Summarizes the payer's other rows and the object's, for a claim.
    pub(super) fn standing(
        &self,
        slot: &Slot,
        asked: AskedRow<'_>,
        now: UnixTime,
    ) -> OtherPayments {
        let (own, now) = (Packed::of(slot), short(Some(now)));
        let (binding, payee) = (binding_of(asked.binding), payee_of(asked.payee));
        let client = client_of(asked.client);
        // Debts wait for a treasury, and no purchase for them, as long as they are no more than these.
        let debts = if planted(Mutant::DebtsTakeRoom) { 0 } else { self.paid_back.min(MAX_ROWS) };
        let unpaid = self.clients.get(&client).copied().unwrap_or_default();
        let reserved = match unpaid < FEW_OF_CLIENT && !planted(Mutant::CrowdsTakeAll) {
            true => RESERVED_ROWS,
            false => 0,
        };
        let mut standing = OtherPayments {
            is_full: self.rows.len().saturating_sub(debts) >= MAX_ROWS.saturating_add(reserved),
            is_crowded: unpaid >= MAX_OF_CLIENT,
            ..OtherPayments::default()
        };
        let others = self.of_payer(slot).filter(|(place, row)| *place != own && !row.is_awaited);
        let mut first = u32::MAX;
        for (_, row) in others {
            let unknown = row.is_unknown(now);
            standing.active = standing.active.saturating_add(u32::from(now < row.active_until));
            let is_debt = row.is_paid_back && !planted(Mutant::DebtsTakeRoom);
            standing.open = standing.open.saturating_add(u32::from(!is_debt));
            // A payee that fails keeps no one from others.
            let is_same = row.payee == payee || planted(Mutant::PayeesCountTogether);
            let is_unasked = row.is_unasked && is_same;
            standing.unasked = standing.unasked.saturating_add(u32::from(is_unasked));
            standing.unasked_of_all =
                standing.unasked_of_all.saturating_add(u32::from(row.is_unasked));
            if row.is_unasked && row.active_until <= now {
                first = first.min(row.due);
            }
            standing.watched |= unknown || now < row.refused_until;
            standing.unresolved |= unknown && row.binding == binding;
            standing.contends |= now < row.active_until && row.binding == binding;
        }
        let wait = if first == u32::MAX { 0 } else { first.saturating_sub(now) };
        standing.unasked_secs = wait.max(1).into();
        standing
    }

    /// The oldest row that may give its place to another one: let go before money was asked for. If
    /// the payer has too many, it is one of the payer's; else it was let go at least a minute ago.
    /// If the client's network has too many, it is one of that network's.
    pub(super) fn spare(
        &self,
        slot: &Slot,
        client: &str,
        standing: &OtherPayments,
        now: UnixTime,
    ) -> Option<Slot> {
        let own = standing.has_too_many_unasked();
        if planted(Mutant::CrowdStays) || !(own || standing.is_crowded || standing.is_full) {
            return None;
        }
        let (client, now) = (client_of(client), short(Some(now)));
        let gives = |row: &Brief| {
            row.released > 0
                && (own || row.released.saturating_add(KEPT_SECS) <= now)
                && (row.client == client || !standing.is_crowded)
        };
        let oldest = |rows: &mut dyn Iterator<Item = &(Packed, Box<Brief>)>| {
            let rows = rows.filter(|(_, row)| gives(row));
            rows.min_by_key(|(_, row)| row.released).map(|(place, _)| place.to_slot())
        };
        match own {
            true => oldest(&mut self.of_payer(slot)),
            false => oldest(&mut self.rows.iter()),
        }
    }

    /// The payer's rows that may be paid and not received, for the request of this binding.
    pub(super) fn unreceived(&self, slot: &Slot, binding: &str, now: UnixTime) -> Vec<Slot> {
        let (binding, now) = (binding_of(binding), short(Some(now)));
        self.of_payer(slot)
            .filter(|(_, row)| row.binding == binding && now < row.heir_until)
            .map(|(place, _)| place.to_slot())
            .collect()
    }

    fn of_payer(&self, slot: &Slot) -> impl Iterator<Item = &(Packed, Box<Brief>)> {
        self.rows.range(Packed::of(slot).of_same_payer())
    }

    /// The rows whose time may have come, at most `max`: the first row of each payer before second
    /// ones, of payers that wait longest, and the earliest first. Where the payer of a row is not
    /// read, its network takes turns.
    pub(super) fn due(&self, now: UnixTime, max: usize, served: &Served) -> Vec<Slot> {
        let now = short(Some(now));
        let mut due: Vec<DueRow<'_>> = Vec::new();
        let mut networks: Sorted<u32, u64> = Sorted::new();
        // The rows of a payer lie beside each other.
        let (mut payer, mut turn, mut own) = (0_u64, 0, None);
        for (place, row) in self.rows.iter().filter(|(_, row)| row.due <= now) {
            if !own.as_ref().is_some_and(|own: &RangeInclusive<Packed>| own.contains(place)) {
                (payer, turn) = (payer.saturating_add(1), served.turn(&place.to_slot().payer));
                own = Some(place.of_same_payer());
            }
            let is_paid_back = row.is_paid_back && !planted(Mutant::RefundsHoldUpRows);
            // Whoever did not sign has turns with the others of the network.
            let (payer, turn) = match row.has_own_turns || planted(Mutant::PaymentsTakeTurns) {
                true => (payer, turn),
                false => {
                    let turn = networks.get_or(row.client, || served.turn(&network(row.client)));
                    (u64::from(row.client).saturating_add(OF_NETWORKS), *turn)
                }
            };
            due.push(DueRow { place, at: row.due.into(), payer, turn, number: 0, is_paid_back });
        }
        let mut due = by_rank(due, |row| (row.payer, row.at));
        let (mut payer, mut number) = (0, 0_u64);
        for row in &mut due {
            number = if row.payer == payer { number.saturating_add(1) } else { 0 };
            (payer, row.number) = (row.payer, number);
        }
        let due = by_rank(due, |row| (row.at, 0));
        let fair = !planted(Mutant::PayersTakeAllTurns);
        let due = by_rank(due, |row| if fair { (row.number, row.turn) } else { (0, 0) });
        // However many wait for a treasury that hangs, all others come before them.
        let due = by_rank(due, |row| (row.is_paid_back.into(), 0));
        due.into_iter().take(max).map(|row| row.place.to_slot()).collect()
    }

    /// The rows in doubt of which the operator should hear now, at most `max`.
    pub(super) fn overdue(&self, now: UnixTime, max: usize) -> Vec<Slot> {
        let now = short(Some(now));
        let rows = self.rows.iter().filter(|(_, row)| row.overdue <= now);
        rows.take(max).map(|(place, _)| place.to_slot()).collect()
    }

    /// Whether nothing is due before `at`, if nothing was when [`Index::wake_at`] last looked at
    /// all.
    pub(super) fn is_quiet_until(&self, at: UnixTime) -> bool {
        self.noted.is_none_or(|due| at <= due)
    }

    /// Clears the noted due times after a look at all rows.
    pub(super) const fn looked_at(&mut self) {
        self.noted = None;
    }

    /// Time at which the next row is due.
    pub(super) fn next_due(&self) -> Option<UnixTime> {
        let next = self.rows.iter().map(|(_, row)| row.due.min(row.overdue)).min()?;
        (next != u32::MAX).then(|| time(next))
    }
}

/// Whether a row belongs in the index. Its owner needs its own index to find the open rows.
#[must_use]
pub fn is_open(entry: &Entry, scene: &Scene<'_>) -> bool {
    entry.due(scene.plan, scene.now).is_some() || entry.is_uncollected(scene.now)
}

/// Whoever has the turn of a row: its payer or, where none is read, its network.
pub(super) fn turn_of(slot: &Slot, entry: &Entry) -> String {
    match has_own_turns(entry) {
        true => slot.payer.clone(),
        false => network(client_of(&entry.payment.client)),
    }
}

fn has_own_turns(entry: &Entry) -> bool {
    entry.payment.names_signer() && !entry.is_awaited()
}

/// A network among those who have turns.
fn network(client: u32) -> String {
    alloc::format!("network {client}")
}

/// The client network's name as a number.
fn client_of(name: &str) -> u32 {
    head(name)[0]
}

/// The part of a hash of the payee by which the index distinguishes payees: anyone can make an
/// account whose name begins like that of another.
fn payee_of(name: &str) -> [u32; 2] {
    head(&hash::digest(&[name.as_bytes()]))
}

/// The part of a binding by which the index distinguishes requests.
fn binding_of(binding: &str) -> [u32; 2] {
    head(binding)
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

fn short(at: Option<UnixTime>) -> u32 {
    at.map_or(0, |at| u32::try_from(at.secs()).unwrap_or(u32::MAX))
}

fn time(secs: u32) -> UnixTime {
    UnixTime::from_secs(secs.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_row_takes_at_most_200_bytes_in_a_list_that_is_half_full() {
        let row = size_of::<(Packed, Box<Brief>)>() * 2 + size_of::<Brief>();
        assert!(row <= 200, "{row}");
    }
}
