//! Requests that bring no payment, or none that proves who pays: counted by network and route, in the isolate.
//!
//! A client is named by a keyed hash of its network and the route, under a salt of the day; nothing else of it is kept.
//! Assumptions:
//! - nothing is waited for: what was counted is handed over behind answers, and the merged counts come back then;
//! - a payment answers the request that fetched its terms, so both together are one attempt; once the signature is good
//!   that attempt is the payer's, and no longer his network's;
//! - a success ends the row of failures.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::keys::{Keys, mac};
use super::passage::Call;
use crate::encoding::{hex, message};
use crate::ledger::attempts::{Blame, Book, Count, Counted, Dated, Entry, Place, Tally};
use crate::ledger::command::VERSION;
use crate::payment::Cause;
use crate::sorted::Sorted;
use crate::time::UnixTime;

/// Most clients that an isolate remembers.
const MOST_CLIENTS: usize = 4_096;
/// Most clients of one hand-over to one object.
const MOST_HANDED: usize = 256;
/// Most objects of one hand-over.
const MOST_OBJECTS: usize = 16;
/// Seconds of one salt.
const SALT_SECS: u64 = 86_400;

/// What an isolate remembers.
#[derive(Debug)]
pub struct Attempts {
    clients: Book<Client>,
    /// The day, its salt, and the salt of the day before.
    salts: Option<(u64, [u8; 32], [u8; 32])>,
    /// Whether somebody has something to hand over.
    waiting: bool,
}

/// One client at one route.
#[derive(Debug)]
struct Client {
    tally: Tally,
    /// What the object does not know yet.
    fresh: Fresh,
    /// Its name the day before.
    was: String,
    object: String,
    /// Requests for terms that no payment has answered yet.
    open: u64,
    exceeded_after: u64,
    claims: Option<String>,
}

/// What was counted since the last hand-over.
#[derive(Clone, Debug, Default)]
struct Fresh {
    reset: bool,
    back: u64,
    more: Option<Tally>,
}

impl Fresh {
    const fn is_nothing(&self) -> bool {
        !self.reset && self.back == 0 && self.more.is_none()
    }
}

impl Dated for Client {
    fn last_at(&self) -> u64 {
        self.tally.last_at
    }
}

/// A request whose client is counted.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Prefix of the client's network.
    pub network: &'a str,
    /// Route pattern.
    pub route: &'a str,
    /// From how many failures on the operator is told.
    pub exceeded_after: u64,
}

/// What one object is told, and of whom.
#[derive(Debug)]
pub struct Parcel {
    /// The call.
    pub call: Call,
    places: Vec<Place>,
    sent: Vec<Fresh>,
}

/// A parcel that is being packed.
#[derive(Default)]
struct Packed {
    places: Vec<Place>,
    sent: Vec<Fresh>,
    entries: Vec<Entry>,
}

impl Attempts {
    /// Nobody yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { clients: Book::new(MOST_CLIENTS), salts: None, waiting: false }
    }

    /// The client's place, made if it is new.
    pub fn place(&mut self, keys: &Keys, shards: u64, seen: Seen<'_>, now: UnixTime) -> Place {
        let day = now.secs() / SALT_SECS;
        let (_, today, yesterday) = match self.salts {
            Some(salts) if salts.0 == day => salts,
            _ => {
                let salts = (day, keys.network_salt(day), keys.network_salt(day.saturating_sub(1)));
                self.salts = Some(salts);
                salts
            }
        };
        let place = (name(&today, seen), seen.route.to_string());
        if self.clients.get(&place).is_none() {
            let was = name(&yesterday, seen);
            let shard = keys.network_shard(seen.network, shards);
            let earlier = self.clients.remove(&(was.clone(), place.1.clone()));
            let client = earlier.unwrap_or_else(|| Client {
                tally: Tally::new(now),
                fresh: Fresh::default(),
                was: was.clone(),
                object: format!("ledger/{shards}/{shard}"),
                open: 0,
                exceeded_after: seen.exceeded_after,
                claims: None,
            });
            self.clients.put(place.clone(), Client { was, ..client });
        }
        place
    }

    /// A request that brought no payment, or one that proves nothing; `claims` is whom that one names.
    pub fn failed(
        &mut self,
        place: &Place,
        blame: &Blame,
        claims: Option<String>,
        now: UnixTime,
    ) -> Tally {
        let Some(client) = self.clients.get_mut(place) else { return Tally::new(now) };
        self.waiting = true;
        let answers = blame.cause != Cause::Unpaid && client.open > 0;
        let more = client.fresh.more.get_or_insert_with(|| Tally::new(now));
        if answers {
            client.open = client.open.saturating_sub(1);
            client.tally.note(blame, now);
            more.note(blame, now);
        } else {
            client.open = client.open.saturating_add(u64::from(blame.cause == Cause::Unpaid));
            client.tally.count(blame, now);
            more.count(blame, now);
        }
        client.claims = claims.or(client.claims.take());
        client.tally.clone()
    }

    /// A payment with a good signature came: the request that fetched its terms is no failure of the network.
    pub fn proved(&mut self, place: &Place) {
        let Some(client) = self.clients.get_mut(place) else { return };
        if client.open > 0 {
            client.open = client.open.saturating_sub(1);
            client.tally.attempts = client.tally.attempts.saturating_sub(1);
            match &mut client.fresh.more {
                Some(more) if more.attempts > 0 => more.attempts = more.attempts.saturating_sub(1),
                _ => client.fresh.back = client.fresh.back.saturating_add(1),
            }
            let empty = |tally: &Tally| tally.attempts == 0 && tally.streak == 0;
            client.fresh.more = client.fresh.more.take().filter(|more| !empty(more));
        }
        self.forget_if_empty(place);
    }

    /// Somebody there paid and is served.
    pub fn succeeded(&mut self, place: &Place, now: UnixTime) {
        if let Some(client) = self.clients.get_mut(place) {
            self.waiting = true;
            client.tally = Tally::new(now);
            client.fresh = Fresh { reset: true, ..Fresh::default() };
            client.open = 0;
        }
    }

    fn forget_if_empty(&mut self, place: &Place) {
        let is_empty = |client: &Client| {
            client.fresh.is_nothing() && client.tally.attempts == 0 && client.tally.streak == 0
        };
        if self.clients.get(place).is_some_and(is_empty) {
            self.clients.remove(place);
        }
    }

    /// Whether there is anything to hand over.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Packs what was counted, by object, and lets go of who was idle for long. What does not fit waits.
    pub fn hand_over(&mut self, now: UnixTime) -> Vec<Parcel> {
        let idle: Vec<Place> = self
            .clients
            .iter()
            .filter(|(_, client)| client.tally.is_idle(now))
            .map(|(place, _)| place.clone())
            .collect();
        for place in idle {
            self.clients.remove(&place);
        }
        self.waiting = false;
        let mut parcels: Sorted<String, Packed> = Sorted::new();
        for (place, client) in self.clients.iter_mut() {
            let full = parcels.len() >= MOST_OBJECTS && !parcels.contains(&client.object);
            if client.fresh.is_nothing() {
                continue;
            }
            if full {
                self.waiting = true;
                continue;
            }
            let packed = parcels.get_or(client.object.clone(), Packed::default);
            if packed.places.len() >= MOST_HANDED {
                self.waiting = true;
                continue;
            }
            let fresh = core::mem::take(&mut client.fresh);
            packed.entries.push(Entry {
                client: place.0.clone(),
                was: client.was.clone(),
                route: place.1.clone(),
                reset: fresh.reset,
                more: fresh.more.clone(),
                back: fresh.back,
                claims: client.claims.clone(),
                exceeded_after: client.exceeded_after,
            });
            packed.places.push(place.clone());
            packed.sent.push(fresh);
        }
        parcels
            .into_iter()
            .map(|(object, Packed { places, sent, entries })| {
                let message = serde_json::to_string(&Count { v: VERSION, count: entries });
                // Text and numbers always serialise.
                Parcel { call: Call::new(object, message.unwrap_or_default()), places, sent }
            })
            .collect()
    }

    /// Takes the object's answer; without one, what was sent is sent again.
    pub fn heard(&mut self, parcel: Parcel, answer: Option<&str>, now: UnixTime) {
        let counted = answer.and_then(message::read::<Counted>);
        let mut merged = counted.into_iter().flat_map(|counted| counted.counted.into_iter());
        for (place, sent) in parcel.places.into_iter().zip(parcel.sent) {
            let theirs = merged.next();
            let Some(client) = self.clients.get_mut(&place) else { continue };
            match theirs {
                // A success meanwhile: what was before it counts no more.
                _ if client.fresh.reset => {}
                Some(theirs) => {
                    let mut tally = theirs.unwrap_or_else(|| Tally::new(now));
                    tally.attempts = tally.attempts.saturating_sub(client.fresh.back);
                    if let Some(more) = &client.fresh.more {
                        tally.merge(more, now);
                    }
                    client.tally = Tally { last_at: client.tally.last_at, ..tally };
                }
                None => {
                    self.waiting = true;
                    let newer = core::mem::replace(&mut client.fresh, sent);
                    client.fresh.back = client.fresh.back.saturating_add(newer.back);
                    match (&mut client.fresh.more, newer.more) {
                        (Some(more), Some(newer)) => more.merge(&newer, now),
                        (more, newer) => *more = more.take().or(newer),
                    }
                }
            }
            self.forget_if_empty(&place);
        }
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}

/// The name of a client that proves nothing.
fn name(salt: &[u8; 32], seen: Seen<'_>) -> String {
    let digest = mac(salt, &[seen.network.as_bytes(), b"\n", seen.route.as_bytes()]);
    let head = digest.first_chunk::<16>().map(|head| hex::encode(head)).unwrap_or_default();
    format!("net_{head}")
}
