//! A shard's index of the rows that are not at rest: what decisions about other rows need, and when
//! each row is due.
//!
//! A row takes at most 200 bytes here, however large its payment is. Every time is computed when
//! the row is written, so that a later look needs only the clock.

mod brief;
mod packed;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::RangeInclusive;

pub use self::brief::is_open;
pub(super) use self::brief::turn_of;
use self::brief::{Brief, bindings_of, client_of, network, payee_of, short, time};
pub(super) use self::packed::Packed;
use super::wake::Served;
use super::{Scene, Slot};
use crate::command::Payment;
use crate::entry::{Entry, OtherPayments};
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
        let (bindings, payee) = (bindings_of(asked.binding), payee_of(asked.payee));
        let client = client_of(asked.client);
        // Debts wait for a treasury, and no purchase for them, as long as they are no more than these.
        let debts = self.paid_back.min(MAX_ROWS);
        let unpaid = self.clients.get(&client).copied().unwrap_or_default();
        let reserved = match unpaid < FEW_OF_CLIENT {
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
            standing.open = standing.open.saturating_add(u32::from(!row.is_paid_back));
            // A payee that fails keeps no one from others.
            let is_same = row.payee == payee;
            let is_unasked = row.is_unasked && is_same;
            standing.unasked = standing.unasked.saturating_add(u32::from(is_unasked));
            standing.unasked_of_all =
                standing.unasked_of_all.saturating_add(u32::from(row.is_unasked));
            if row.is_unasked && row.active_until <= now {
                first = first.min(row.due);
            }
            standing.watched |= unknown || now < row.refused_until;
            let is_rival = bindings.contains(&row.binding);
            standing.unresolved |= unknown && is_rival;
            standing.contends |= now < row.active_until && is_rival;
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
        if !(own || standing.is_crowded || standing.is_full) {
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
        let (bindings, now) = (bindings_of(binding), short(Some(now)));
        self.of_payer(slot)
            .filter(|(_, row)| bindings.contains(&row.binding) && now < row.heir_until)
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
            let is_paid_back = row.is_paid_back;
            // Whoever did not sign has turns with the others of the network.
            let (payer, turn) = match row.has_own_turns {
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
        let due = by_rank(due, |row| (row.number, row.turn));
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
