//! Counts of requests that bring no payment, or none that proves its payer: by client and route, in
//! the isolate.
//!
//! A client is whoever holds an API key or shows a handle; all others of a network that send the
//! same `User-Agent` are counted as one. An isolate knows it by a keyed hash, and the objects by a
//! hash of that under a salt of the day. No other data about it is kept. Assumptions:
//! - no answer waits for this: counts are handed over behind answers, and the merged counts come
//!   back then;
//! - a payment answers the request that fetched its terms, so both together are one attempt; once
//!   the signature is good, that attempt is the payer's and no longer their client's;
//! - a success ends the failures in a row.

mod client_key;
pub mod handle;

use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use self::client_key::{ClientKey, CountedBy, Sharing};
use super::Gate;
use super::call::{LedgerCall, object};
use super::diagnose::Thresholds;
use super::keys::Keys;
use super::offer::Offer;
use super::pricer::Quotes;
use farebox_base::encoding::{json, message};
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_ledger::attempts::{ClientCount, Count, Counted, FailureCause, FailureStreak};
use farebox_ledger::command::VERSION;

/// Limit on the clients that an isolate remembers, and on those that are counted alone: neither
/// crowds out the other.
const MAX_CLIENTS: usize = 4_096;
const MAX_ALONE: usize = 2_048;
/// Limit on the clients in one hand-over, and on the objects.
const MAX_IN_BATCH: usize = 512;
const MAX_OBJECTS: usize = 16;
/// Seconds for which one salt is used: a day.
const SALT_SECS: u64 = 86_400;

/// Counts of an isolate.
#[derive(Clone, Debug)]
pub struct Attempts {
    clients: RecentMap<ClientKey, CountedClient>,
    alone: RecentMap<ClientKey, CountedClient>,
    /// Whether a client has counts to hand over.
    waiting: bool,
    /// Prices quoted lately.
    pub(super) quotes: Quotes,
}

/// One client at one route.
#[derive(Clone, Debug)]
struct CountedClient {
    route: Arc<str>,
    counts: FailureStreak,
    /// Counts that the object does not know yet.
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

/// Counts since the last hand-over.
#[derive(Clone, Debug, Default)]
struct Fresh {
    reset: bool,
    back: u64,
    more: Option<FailureStreak>,
}

impl Fresh {
    const fn is_nothing(&self) -> bool {
        !self.reset && self.back == 0 && self.more.is_none()
    }
}

/// A request whose client is counted.
#[derive(Clone, Copy, Debug)]
pub struct CountedRequest<'a> {
    /// The client.
    pub caller: CountedBy<'a>,
    /// Route pattern.
    pub route: &'a Arc<str>,
    /// Hash of it.
    pub route_hash: u64,
    /// Number of failures from which the operator is notified.
    pub exceeded_after: u64,
}

impl<'a> CountedRequest<'a> {
    /// A request of this caller, as the offer's route counts it.
    #[must_use]
    pub fn of(offer: &'a Offer, caller: CountedBy<'a>) -> Self {
        let thresholds = offer.settings.diagnostics.unwrap_or(Thresholds::DEFAULT);
        let (route, route_hash) = (&offer.counted_as.0, offer.counted_as.1);
        Self { caller, route, route_hash, exceeded_after: thresholds.exceeded_after }
    }
}

/// Counts for one object, and the clients they belong to.
#[derive(Debug)]
pub struct Batch {
    /// The call.
    pub call: LedgerCall,
    of: Vec<Flushed>,
}

/// A client of a batch.
#[derive(Debug)]
struct Flushed {
    client_key: ClientKey,
    name: String,
    reset: bool,
}

impl Attempts {
    /// Counts without any client.
    #[must_use]
    pub const fn new() -> Self {
        let clients = RecentMap::new(MAX_CLIENTS);
        let alone = RecentMap::new(MAX_ALONE);
        Self { clients, alone, waiting: false, quotes: Quotes::new() }
    }

    fn get(&self, client_key: &ClientKey) -> Option<&CountedClient> {
        let clients = if client_key.is_alone() { &self.alone } else { &self.clients };
        clients.get(client_key)
    }

    fn get_mut(&mut self, client_key: &ClientKey) -> Option<&mut CountedClient> {
        self.list(client_key).get_mut(client_key)
    }

    const fn list(&mut self, client_key: &ClientKey) -> &mut RecentMap<ClientKey, CountedClient> {
        if client_key.is_alone() { &mut self.alone } else { &mut self.clients }
    }

    /// The key under which a client is counted; inserts the client if it is new.
    pub fn client_key(
        &mut self,
        keys: &Keys,
        counted: CountedRequest<'_>,
        now: UnixTime,
    ) -> ClientKey {
        let client_key = ClientKey::of(keys, counted.caller, counted.route_hash);
        self.touch(client_key, counted, now);
        client_key
    }

    fn touch(&mut self, client_key: ClientKey, counted: CountedRequest<'_>, now: UnixTime) {
        self.list(&client_key).touch(client_key, || CountedClient {
            route: counted.route.clone(),
            counts: FailureStreak::new(now),
            fresh: Fresh::default(),
            known_as: None,
            open: 0,
            exceeded_after: counted.exceeded_after,
            claims: None,
            used_up: None,
        });
    }

    /// Whether the client is known to have used up its free requests of this day.
    #[must_use]
    pub fn has_used_up(&self, client_key: &ClientKey, day: u64) -> bool {
        self.get(client_key).is_some_and(|client| client.used_up == Some(day))
    }

    /// Notes that an object has none of the free requests of a network left, which sent this one.
    pub fn use_up(
        &mut self,
        client_key: ClientKey,
        counted: CountedRequest<'_>,
        day: u64,
        now: UnixTime,
    ) {
        self.touch(client_key, counted, now);
        if let Some(client) = self.get_mut(&client_key) {
            client.used_up = Some(day);
        }
    }

    /// Counts a request that came without a payment, or with one that proves nothing; `claims` is
    /// its alleged payer.
    pub fn failed(
        &mut self,
        client_key: &ClientKey,
        failure: &FailureCause,
        claims: Option<String>,
        now: UnixTime,
    ) -> FailureStreak {
        self.waiting = true;
        let Some(client) = self.get_mut(client_key) else { return FailureStreak::new(now) };
        let answers = failure.cause != Cause::Unpaid && client.open > 0;
        let more = client.fresh.more.get_or_insert_with(|| FailureStreak::new(now));
        if answers {
            client.open = client.open.saturating_sub(1);
            client.counts.note(failure, now);
            more.note(failure, now);
        } else {
            client.open = client.open.saturating_add(u64::from(failure.cause == Cause::Unpaid));
            client.counts.count(failure, now);
            more.count(failure, now);
        }
        client.claims = claims.or(client.claims.take());
        client.counts.clone()
    }

    /// The client's failures in a row, as far as this isolate knows them.
    #[must_use]
    pub fn known(&self, client_key: &ClientKey) -> Option<FailureStreak> {
        Some(self.get(client_key)?.counts.clone())
    }

    /// Number of the client's failures in a row, as far as this isolate knows them.
    #[must_use]
    pub fn count_of(&self, client_key: &ClientKey) -> u64 {
        self.get(client_key).map_or(0, |client| client.counts.attempts)
    }

    /// Takes back the unpaid request that fetched the terms of a payment with a good signature.
    /// Returns the client's other failures.
    pub fn proved(&mut self, client_key: &ClientKey) -> Option<FailureStreak> {
        let client = self.get_mut(client_key)?;
        if client.open > 0 {
            client.open = client.open.saturating_sub(1);
            client.counts.attempts = client.counts.attempts.saturating_sub(1);
            match &mut client.fresh.more {
                Some(more) if more.attempts > 0 => more.attempts = more.attempts.saturating_sub(1),
                _ => client.fresh.back = client.fresh.back.saturating_add(1),
            }
            let empty = |counts: &FailureStreak| counts.attempts == 0 && counts.streak == 0;
            client.fresh.more = client.fresh.more.take().filter(|more| !empty(more));
        }
        Some(client.counts.clone())
    }

    /// Ends the failures in a row of a client whose payment is served.
    pub fn succeeded(&mut self, client_key: &ClientKey, now: UnixTime) {
        self.waiting = true;
        if let Some(client) = self.get_mut(client_key) {
            client.counts = FailureStreak::new(now);
            client.fresh = Fresh { reset: true, ..Fresh::default() };
            client.open = 0;
        }
    }

    /// Whether there is anything to hand over.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Packs the counts by object and drops clients that were idle for long. Counts that do not fit
    /// wait.
    pub fn hand_over(&mut self, keys: &Keys, shards: u64, now: UnixTime) -> Vec<Batch> {
        for clients in [&mut self.clients, &mut self.alone] {
            let over = clients.iter().filter(|(_, client)| client.is_over(now));
            let over: Vec<ClientKey> = over.map(|(client_key, _)| *client_key).collect();
            for client_key in over {
                clients.remove(&client_key);
            }
        }
        let day = now.secs() / SALT_SECS;
        let salts = [day, day.saturating_sub(1)].map(|day| keys.network_salt(day));
        self.waiting = false;
        let mut packed: Vec<(u64, Vec<Flushed>, Vec<ClientCount>)> = Vec::new();
        let mut room = MAX_IN_BATCH;
        for (client_key, client) in self.clients.iter_mut().chain(self.alone.iter_mut()) {
            if client.fresh.is_nothing() {
                continue;
            }
            let shard = keys.network_shard(&client_key.owner, shards);
            let known = packed.iter().position(|(known, ..)| *known == shard);
            if room == 0 || known.is_none() && packed.len() >= MAX_OBJECTS {
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
            let name = client_key.name(today, &client.route);
            of.push(Flushed { client_key: *client_key, name: name.clone(), reset });
            count.push(ClientCount {
                client: name,
                was: match &client.known_as {
                    Some(known) => known.clone(),
                    None => client_key.name(yesterday, &client.route),
                },
                route: client.route.to_string(),
                reset,
                more,
                back,
                claims: client.claims.clone(),
                exceeded_after: client.exceeded_after,
            });
        }
        let parcel = |(shard, of, count): (u64, Vec<Flushed>, Vec<ClientCount>)| {
            let message = json::text(&Count { v: VERSION, count });
            Batch { call: LedgerCall::new(object(shards, shard), message), of }
        };
        packed.into_iter().map(parcel).collect()
    }

    /// Takes the object's answer; without one, the counts that were sent are dropped, except for a
    /// success.
    pub fn heard(&mut self, parcel: Batch, answer: Option<&str>, now: UnixTime) {
        let counted = answer.and_then(message::read::<Counted>);
        let mut merged = counted.into_iter().flat_map(|counted| counted.counted.into_iter());
        for Flushed { client_key, name, reset } in parcel.of {
            let theirs = merged.next();
            let Some(client) = self.get_mut(&client_key) else { continue };
            if theirs.is_some() {
                client.known_as = Some(name);
            }
            match theirs {
                // A success came meanwhile: counts from before it are obsolete.
                _ if client.fresh.reset => {}
                Some(theirs) => {
                    let mut counts = theirs.unwrap_or_else(|| FailureStreak::new(now));
                    counts.attempts = counts.attempts.saturating_sub(client.fresh.back);
                    if let Some(more) = &client.fresh.more {
                        counts.merge(more);
                    }
                    client.counts = FailureStreak { last_at: client.counts.last_at, ..counts };
                }
                // Resending could count an arrived failure twice; a success may be sent twice.
                None => {
                    client.fresh.reset = reset;
                    self.waiting |= reset;
                }
            }
        }
    }
}

impl CountedClient {
    /// Whether the client can be dropped without losing a count.
    fn is_over(&self, now: UnixTime) -> bool {
        let nothing = self.counts.attempts == 0 && self.counts.streak == 0 && self.open == 0;
        let today = self.used_up.is_some_and(|day| day == now.secs() / SALT_SECS);
        self.counts.is_idle(now) || nothing && self.fresh.is_nothing() && !today
    }
}

impl Default for Attempts {
    fn default() -> Self {
        Self::new()
    }
}

impl Gate {
    /// The batches that an isolate has to hand over, by object.
    pub fn hand_over(&self, attempts: &mut Attempts, now: UnixTime) -> Vec<Batch> {
        attempts.hand_over(&self.keys, self.shards.count, now)
    }
}
