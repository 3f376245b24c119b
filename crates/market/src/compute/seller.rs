//! Sellers: they register, say that they are there, and go.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::body::{Fields, spelled};
use super::event::event;
use super::message::{Answer, JsonAnswer, SellerRequest};
use super::offer::JobOffer;
use super::records::{Change, Rows, Seats};
use super::refused::{contested, invalid, no_session, said};
use super::row::{Claims, EventKind, HoldKind, Presence, SellerRow};
use super::settings::Gateway;
use super::text::{object, quoted, time};
use super::{Decision, Now};
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};
use farebox_evm::address::Address;

/// Milliseconds for which a heartbeat counts.
pub const HEARTBEAT_MS: u64 = 60_000;
/// Most sellers that one client registers in an hour and that prove nothing.
const MAX_UNPROVEN: u64 = 20;
const HOUR_MS: u64 = 3_600_000;

/// The registration of a seller, as a body has it.
struct Registration {
    id: String,
    offer: JobOffer,
    agent: String,
}

impl Gateway {
    /// Registers a seller, or changes what it sells.
    pub(super) fn register<R: Rows>(
        &self,
        records: &R,
        (client, request): (&str, &SellerRequest),
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let read = self.fields(&request.body).and_then(|fields| self.registration(&fields));
        let asked = match read {
            Ok(asked) => asked,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let answer = self.told_seller("registered", &asked.id, &[]);
        let changes = match records.seller(&asked.id)? {
            Some(seller) if seller.is_bound() => {
                if let Err(why) = self.session_of(&seller, &request.authorization, tick)
                    && !planted(Mutant::AnyoneRegisters)
                {
                    return Ok(Decision::reply(no_session(why)));
                }
                // Seats that are taken stay taken: they are counted, not remembered here.
                let (presence, heartbeat) = (Presence::Offline, None);
                let row = SellerRow { presence, heartbeat, ..asked.offer.of(seller.clone()) };
                changed(&seller, row, tick)
            }
            Some(seller) => {
                let row = asked.offer.claimed_of(seller);
                row.map(|row| Change::Seller(Box::new(row))).into_iter().collect()
            }
            None => {
                let since = tick.now.saturating_sub(HOUR_MS);
                let is_over = records.unproven(client, since)? >= MAX_UNPROVEN;
                if is_over && !planted(Mutant::SellersPileUp) {
                    return Ok(Decision::reply(too_many()));
                }
                let row = asked.offer.of(unproven(asked.id, asked.agent, client, tick));
                Vec::from([Change::Seller(Box::new(row))])
            }
        };
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    fn registration(&self, fields: &Fields) -> Result<Registration, JsonAnswer> {
        let id = self.seller_id(fields)?;
        let offer = self.offer(fields)?;
        for name in ["wallet", "passport_payer_addr"] {
            if fields.maybe(name)?.is_some_and(|wallet| spelled(&wallet) != id) {
                return Err(invalid(&format!("{name} must match seller_id.")));
            }
        }
        let is_wallet = Address::parse(&id).is_ok_and(|wallet| !wallet.is_low());
        if !is_wallet && self.set.hold != HoldKind::Mock {
            return Err(invalid("seller_id must be an EVM address."));
        }
        let agent = fields.maybe("passport_agent_id")?.unwrap_or_default();
        Ok(Registration { id, offer, agent })
    }

    /// Notes that a seller is there.
    pub(super) fn heartbeat<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let seller = match self.named(records, request, tick)? {
            Ok(seller) => seller,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        if seller.claims == Claims::Contested {
            return Ok(Decision::reply(contested()));
        }
        // It may have been registered when other prices were taken.
        let units = Amount::from_atomic(&seller.units);
        if let Some(Err(answer)) = units.ok().map(|units| self.priced(units)) {
            return Ok(Decision::reply(answer));
        }
        let is_heard = |at: u64| seller.is_here(at) && seller.is_here(tick.now);
        let was_here = seller.heartbeat.is_some_and(is_heard);
        let row = SellerRow { presence: Presence::Online, heartbeat: Some(tick.now), ..seller };
        let seats = records.seats(&row.id, tick.now)?;
        let status = row.status(seats, tick.now);
        let mut members = Vec::from([("seller_status", quoted(status))]);
        if tick.now < row.rests_until {
            members.push(("rests_until", quoted(&time(row.rests_until))));
        }
        let answer = self.told_seller("ok", &row.id, &members);
        let mut changes = Vec::new();
        if !was_here && row.is_here(tick.now) {
            changes.push(event(EventKind::SellerOnline, tick).seller(&row.id).done());
        }
        changes.push(Change::Seller(Box::new(row)));
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// Notes that a seller is gone. Its jobs go on.
    pub(super) fn offline<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Decision, R::Error> {
        let seller = match self.named(records, request, tick)? {
            Ok(seller) => seller,
            Err(answer) => return Ok(Decision::reply(answer)),
        };
        let was_here = seller.is_here(tick.now);
        let row = SellerRow { presence: Presence::Offline, ..seller };
        let answer = self.told_seller("offline", &row.id, &[]);
        let event = event(EventKind::SellerOffline, tick).seller(&row.id).done();
        let events = was_here.then_some(event);
        let changes = [Change::Seller(Box::new(row))].into_iter().chain(events).collect();
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// The seller that a request names and has a session of.
    fn named<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Result<SellerRow, JsonAnswer>, R::Error> {
        let read = self.fields(&request.body).and_then(|fields| self.seller_id(&fields));
        let id = match read {
            Ok(id) => id,
            Err(answer) => return Ok(Err(answer)),
        };
        let seller = self.session_in(records.seller(&id)?, &id, &request.authorization, tick);
        Ok(seller.map_err(no_session))
    }

    fn told_seller(&self, status: &str, id: &str, more: &[(&str, String)]) -> JsonAnswer {
        let mut members = Vec::from([
            ("status", quoted(status)),
            ("seller_id", quoted(id)),
            ("network_profile", quoted(self.profile().name())),
        ]);
        members.extend_from_slice(more);
        JsonAnswer::new(200, object(&members))
    }
}

/// A seller of which nothing is proven yet.
pub(super) fn unproven(id: String, agent: String, client: &str, tick: Now<'_>) -> SellerRow {
    SellerRow {
        id,
        agent,
        client: client.to_string(),
        created: tick.now,
        capability: String::new(),
        price: String::new(),
        units: String::new(),
        capacity: 1,
        subject: String::new(),
        epoch: 0,
        renewal: String::new(),
        presence: Presence::Offline,
        heartbeat: None,
        served: 0,
        lapses: 0,
        lapsed: 0,
        rests_until: 0,
        claims: Claims::Agreed,
    }
}

/// The changes that write a seller that has proven who it is, and announce its offer if that is
/// new.
pub(super) fn changed(known: &SellerRow, row: SellerRow, tick: Now<'_>) -> Vec<Change> {
    let is_first = !known.is_bound();
    let is_news = is_first || !known.sells_like(&row);
    let event = event(EventKind::SellerRegistered, tick).seller(&row.id).done();
    let row = if is_first { SellerRow { created: tick.now, ..row } } else { row };
    [Change::Seller(Box::new(row))].into_iter().chain(is_news.then_some(event)).collect()
}

fn too_many() -> JsonAnswer {
    let why = "Too many sellers were registered that prove nothing; open their sessions first.";
    said(429, "SELLER_REGISTRATION_LIMIT_REACHED", why).with("retry-after", "600")
}

impl SellerRow {
    /// Whether it can be given work: bound, known to sell it, online, and heard of within [`HEARTBEAT_MS`].
    #[must_use]
    pub fn is_here(&self, now: u64) -> bool {
        let is_fresh = self.heartbeat.is_some_and(|at| now <= at.saturating_add(HEARTBEAT_MS));
        let is_fresh = is_fresh || planted(Mutant::TheDeadAreGivenWork);
        let is_known = self.is_bound() && self.claims == Claims::Agreed;
        self.presence == Presence::Online && is_known && is_fresh && !self.rests(now)
    }

    /// Whether it does the work of a quote that is held: it is here, or has said anew what it sells and
    /// is about to be. What was held keeps its price.
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        let is_known = self.is_bound() && self.claims == Claims::Agreed;
        let is_renewed = self.presence == Presence::Offline && self.heartbeat.is_none();
        let is_about = is_known && is_renewed && !self.rests(now);
        self.is_here(now) || is_about && !planted(Mutant::NewPricesEndQuotes)
    }

    /// `seller_status`.
    #[must_use]
    pub fn status(&self, seats: Seats, now: u64) -> &'static str {
        if !self.is_here(now) {
            return "offline";
        }
        if seats.taken() < self.capacity {
            return "idle";
        }
        if seats.busy > 0 { "busy" } else { "reserved" }
    }
}
