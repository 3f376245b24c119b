//! Requests that bring no payment, or none that proves who pays: counted by network and route, in the isolate.
//!
//! A client is a keyed hash of its network at a route; the objects know it by a hash of both under a salt of the day.
//! Nothing else of it is kept.
//! Assumptions:
//! - nothing is waited for: what was counted is handed over behind answers, and the merged counts come back then;
//! - a payment answers the request that fetched its terms, so both together are one attempt; once the signature is good
//!   that attempt is the payer's, and no longer his network's;
//! - a success ends the row of failures.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Gate;
use super::call::Call;
use super::keys::{Keys, mac};
use super::pricer::Quotes;
use crate::encoding::{hex, message};
use crate::ledger::attempts::{Blame, Book, Count, Counted, Entry, Tally};
use crate::ledger::command::VERSION;
use crate::payment::Cause;
use crate::time::UnixTime;

/// Most clients that an isolate remembers.
const MOST_CLIENTS: usize = 4_096;
/// Most clients of one hand-over, and most objects.
const MOST_HANDED: usize = 512;
const MOST_OBJECTS: usize = 16;
/// Seconds of one salt.
const SALT_SECS: u64 = 86_400;

/// What an isolate remembers.
#[derive(Debug)]
pub struct Attempts {
    clients: Book<Spot, Client>,
    /// Whether somebody has something to hand over.
    waiting: bool,
    /// What was quoted lately.
    pub(super) quotes: Quotes,
}

/// Where a client is counted in the isolate: keyed hashes of its network and of the route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    network: [u8; 16],
    route: u64,
}

impl Spot {
    /// The spot of a network at a route.
    #[must_use]
    pub fn of(keys: &Keys, network: &str, route: u64) -> Self {
        Self { network: keys.network(network), route }
    }

    /// The object that counts its client.
    #[must_use]
    pub fn object(&self, keys: &Keys, shards: u64) -> String {
        format!("ledger/{shards}/{}", keys.network_shard(&self.network, shards))
    }

    /// The name, under the salt of a day, of a client that proves nothing.
    #[must_use]
    pub fn name(&self, salt: &[u8; 32], route: &str) -> String {
        let digest = mac(salt, &[&self.network, route.as_bytes()]);
        let head = digest.first_chunk::<16>().map(|head| hex::encode(head)).unwrap_or_default();
        format!("net_{head}")
    }
}

/// One client at one route.
#[derive(Debug)]
struct Client {
    route: Arc<str>,
    tally: Tally,
    /// What the object does not know yet.
    fresh: Fresh,
    /// The name by which the object knows it.
    known_as: Option<String>,
    /// Requests for terms that no payment has answered yet.
    open: u64,
    exceeded_after: u64,
    claims: Option<String>,
    /// The day whose free requests are used up.
    used_up: Option<u64>,
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

/// A request whose client is counted.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Prefix of the client's network.
    pub network: &'a str,
    /// Route pattern.
    pub route: &'a Arc<str>,
    /// Hash of it.
    pub route_hash: u64,
    /// From how many failures on the operator is told.
    pub exceeded_after: u64,
}

/// What one object is told, and of whom.
#[derive(Debug)]
pub struct Parcel {
    /// The call.
    pub call: Call,
    of: Vec<Handed>,
}

/// One client of a parcel.
#[derive(Debug)]
struct Handed {
    spot: Spot,
    name: String,
    reset: bool,
}

impl Attempts {
    /// Nobody yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { clients: Book::new(MOST_CLIENTS), waiting: false, quotes: Quotes::new() }
    }

    /// The client's spot, made if it is new.
    pub fn spot(&mut self, keys: &Keys, seen: Seen<'_>, now: UnixTime) -> Spot {
        let spot = Spot::of(keys, seen.network, seen.route_hash);
        self.clients.touch(spot, || Client {
            route: seen.route.clone(),
            tally: Tally::new(now),
            fresh: Fresh::default(),
            known_as: None,
            open: 0,
            exceeded_after: seen.exceeded_after,
            claims: None,
            used_up: None,
        });
        spot
    }

    /// Whether it is known that none of the client's free requests of this day is left.
    #[must_use]
    pub fn has_used_up(&self, spot: &Spot, day: u64) -> bool {
        self.clients.get(spot).is_some_and(|client| client.used_up == Some(day))
    }

    /// None is left, an object says.
    pub fn use_up(&mut self, spot: &Spot, day: u64) {
        if let Some(client) = self.clients.get_mut(spot) {
            client.used_up = Some(day);
        }
    }

    /// A request that brought no payment, or one that proves nothing; `claims` is whom that one names.
    pub fn failed(
        &mut self,
        spot: &Spot,
        blame: &Blame,
        claims: Option<String>,
        now: UnixTime,
    ) -> Tally {
        let Some(client) = self.clients.get_mut(spot) else { return Tally::new(now) };
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

    /// The failures in a row of a client, as far as they are known here.
    #[must_use]
    pub fn known(&self, spot: &Spot) -> Option<Tally> {
        Some(self.clients.get(spot)?.tally.clone())
    }

    /// A payment with a good signature came: the request that fetched its terms is no failure of the network, whose
    /// others are told.
    pub fn proved(&mut self, spot: &Spot) -> Option<Tally> {
        let client = self.clients.get_mut(spot)?;
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
        Some(client.tally.clone())
    }

    /// Somebody there paid and is served.
    pub fn succeeded(&mut self, spot: &Spot, now: UnixTime) {
        if let Some(client) = self.clients.get_mut(spot) {
            self.waiting = true;
            client.tally = Tally::new(now);
            client.fresh = Fresh { reset: true, ..Fresh::default() };
            client.open = 0;
        }
    }

    /// Whether there is anything to hand over.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Packs what was counted, by object, and lets go of who was idle for long. What does not fit waits.
    pub fn hand_over(&mut self, keys: &Keys, shards: u64, now: UnixTime) -> Vec<Parcel> {
        let over = self.clients.iter().filter(|(_, client)| client.is_over(now));
        let over: Vec<Spot> = over.map(|(spot, _)| *spot).collect();
        for spot in over {
            self.clients.remove(&spot);
        }
        let day = now.secs() / SALT_SECS;
        let salts = [day, day.saturating_sub(1)].map(|day| keys.network_salt(day));
        self.waiting = false;
        let mut packed: Vec<(u64, Vec<Handed>, Vec<Entry>)> = Vec::new();
        let mut room = MOST_HANDED;
        for (spot, client) in self.clients.iter_mut() {
            if client.fresh.is_nothing() {
                continue;
            }
            let shard = keys.network_shard(&spot.network, shards);
            let known = packed.iter().position(|(known, ..)| *known == shard);
            if room == 0 || known.is_none() && packed.len() >= MOST_OBJECTS {
                self.waiting = true;
                continue;
            }
            room = room.saturating_sub(1);
            let at = known.unwrap_or(packed.len());
            if known.is_none() {
                packed.push((shard, Vec::new(), Vec::new()));
            }
            let Some((_, of, count)) = packed.get_mut(at) else { continue };
            let Fresh { reset, back, more } = core::mem::take(&mut client.fresh);
            let [today, yesterday] = &salts;
            let name = spot.name(today, &client.route);
            of.push(Handed { spot: *spot, name: name.clone(), reset });
            count.push(Entry {
                client: name,
                was: match &client.known_as {
                    Some(known) => known.clone(),
                    None => spot.name(yesterday, &client.route),
                },
                route: client.route.to_string(),
                reset,
                more,
                back,
                claims: client.claims.clone(),
                exceeded_after: client.exceeded_after,
            });
        }
        let parcel = |(shard, of, count): (u64, Vec<Handed>, Vec<Entry>)| {
            // Text and numbers always serialise.
            let message = serde_json::to_string(&Count { v: VERSION, count }).unwrap_or_default();
            Parcel { call: Call::new(format!("ledger/{shards}/{shard}"), message), of }
        };
        packed.into_iter().map(parcel).collect()
    }

    /// Takes the object's answer; without one, what was sent counts no more, unless it was a success.
    pub fn heard(&mut self, parcel: Parcel, answer: Option<&str>, now: UnixTime) {
        let counted = answer.and_then(message::read::<Counted>);
        let mut merged = counted.into_iter().flat_map(|counted| counted.counted.into_iter());
        for Handed { spot, name, reset } in parcel.of {
            let theirs = merged.next();
            let Some(client) = self.clients.get_mut(&spot) else { continue };
            if theirs.is_some() {
                client.known_as = Some(name);
            }
            match theirs {
                // A success meanwhile: what was before it counts no more.
                _ if client.fresh.reset => {}
                Some(theirs) => {
                    let mut tally = theirs.unwrap_or_else(|| Tally::new(now));
                    tally.attempts = tally.attempts.saturating_sub(client.fresh.back);
                    if let Some(more) = &client.fresh.more {
                        tally.merge(more);
                    }
                    client.tally = Tally { last_at: client.tally.last_at, ..tally };
                }
                // Sent again, what did arrive would count twice; a success may be told twice.
                None => {
                    client.fresh.reset = reset;
                    self.waiting |= reset;
                }
            }
        }
    }
}

impl Client {
    /// Whether nothing of it is left to remember.
    fn is_over(&self, now: UnixTime) -> bool {
        let nothing = self.tally.attempts == 0 && self.tally.streak == 0 && self.open == 0;
        let today = self.used_up.is_some_and(|day| day == now.secs() / SALT_SECS);
        self.tally.is_idle(now) || nothing && self.fresh.is_nothing() && !today
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// What an isolate has to hand over, by object.
    pub fn hand_over(&self, attempts: &mut Attempts, now: UnixTime) -> Vec<Parcel> {
        attempts.hand_over(&self.keys, self.shards, now)
    }
}
