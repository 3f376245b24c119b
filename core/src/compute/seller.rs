//! Sellers: they register, say that they are there, and go.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::body::{Fields, spelled};
use super::event::event;
use super::message::{JsonAnswer, Reaction, SellerRequest};
use super::records::{Edit, Records, Seats};
use super::refused::{invalid, no_seller, no_session};
use super::row::{EventKind, HoldKind, Presence, SellerRow};
use super::settings::Gateway;
use super::text::{object, quoted};
use super::{Effect, Tick};
use crate::amount::Amount;
use crate::evm::address::Address;
use crate::mutant::{Mutant, planted};

/// Milliseconds for which a heartbeat counts.
pub const HEARTBEAT_MS: u64 = 60_000;
/// Most jobs that a seller takes at once.
const MAX_CAPACITY: u64 = 100;

/// What a body says about a seller.
struct Registration {
    id: String,
    capability: String,
    price: String,
    units: Amount,
    capacity: u32,
    agent: String,
}

impl Gateway {
    /// Registers a seller, or changes what it sells.
    pub(super) fn register<R: Records>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Tick<'_>,
    ) -> Result<Effect, R::Error> {
        let read = self.fields(&request.body).and_then(|fields| self.registration(&fields));
        let asked = match read {
            Ok(asked) => asked,
            Err(answer) => return Ok(Effect::reply(answer)),
        };
        let known = records.seller(&asked.id)?;
        let bound = known.as_ref().filter(|seller| seller.is_bound());
        if let Some(seller) = bound
            && let Err(why) = self.session_of(seller, &request.authorization, tick)
            && !planted(Mutant::AnyoneRegisters)
        {
            return Ok(Effect::reply(no_session(why)));
        }
        let agent = match bound {
            Some(seller) => seller.agent.clone(),
            None => asked.agent,
        };
        let row = SellerRow {
            id: asked.id,
            capability: asked.capability,
            price: asked.price,
            units: asked.units.to_string(),
            capacity: asked.capacity,
            agent,
            subject: bound.map(|seller| seller.subject.clone()).unwrap_or_default(),
            epoch: known.as_ref().map_or(0, |seller| seller.epoch),
            renewal: bound.map(|seller| seller.renewal.clone()).unwrap_or_default(),
            // Seats that are taken stay taken: they are counted, not remembered here.
            presence: Presence::Offline,
            heartbeat: None,
            served: known.as_ref().map_or(0, |seller| seller.served),
            created: known.as_ref().map_or(tick.now, |seller| seller.created),
        };
        let answer = self.told_seller("registered", &row.id, &[]);
        let event = event(EventKind::SellerRegistered, tick).seller(&row.id).done();
        let edits = Vec::from([Edit::Seller(Box::new(row)), event]);
        Ok(Effect { reaction: Reaction::Reply(answer), edits })
    }

    fn registration(&self, fields: &Fields) -> Result<Registration, JsonAnswer> {
        let id = self.seller_id(fields)?;
        let capability = fields.text("capability")?;
        let bad_price = || invalid("price_per_task must be a positive number.");
        let price = match fields.value("price_per_task") {
            Some(Value::String(text)) => text.trim().to_string(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err(bad_price()),
        };
        let units = Amount::from_decimal(&price, self.token.decimals).map_err(|_| bad_price())?;
        if units.is_zero() {
            return Err(bad_price());
        }
        for name in ["wallet", "passport_payer_addr"] {
            if fields.maybe(name)?.is_some_and(|wallet| spelled(&wallet) != id) {
                return Err(invalid(&format!("{name} must match seller_id.")));
            }
        }
        let is_wallet = Address::parse(&id).is_ok_and(|wallet| !wallet.is_low());
        if !is_wallet && self.set.hold != HoldKind::Mock {
            return Err(invalid("seller_id must be an EVM address."));
        }
        let capacity = match fields.value("capacity") {
            None | Some(Value::Null) => 1,
            Some(value) => value.as_u64().unwrap_or(0),
        };
        if !(1..=MAX_CAPACITY).contains(&capacity) {
            return Err(invalid("capacity must be a whole number from 1 to 100."));
        }
        let agent = fields.maybe("passport_agent_id")?.unwrap_or_default();
        let capacity = u32::try_from(capacity).unwrap_or(1);
        let price = units.to_decimal(self.token.decimals);
        Ok(Registration { id, capability, price, units, capacity, agent })
    }

    /// Notes that a seller is there.
    pub(super) fn heartbeat<R: Records>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Tick<'_>,
    ) -> Result<Effect, R::Error> {
        let seller = match self.named(records, request, tick)? {
            Ok(seller) => seller,
            Err(answer) => return Ok(Effect::reply(answer)),
        };
        let was_here = seller.is_here(tick.now);
        let row = SellerRow { presence: Presence::Online, heartbeat: Some(tick.now), ..seller };
        let seats = records.seats(&row.id, tick.now)?;
        let status = row.status(seats, tick.now);
        let answer = self.told_seller("ok", &row.id, &[("seller_status", quoted(status))]);
        let mut edits = Vec::new();
        if !was_here {
            edits.push(event(EventKind::SellerOnline, tick).seller(&row.id).done());
        }
        edits.push(Edit::Seller(Box::new(row)));
        Ok(Effect { reaction: Reaction::Reply(answer), edits })
    }

    /// Notes that a seller is gone. Its jobs go on.
    pub(super) fn offline<R: Records>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Tick<'_>,
    ) -> Result<Effect, R::Error> {
        let seller = match self.named(records, request, tick)? {
            Ok(seller) => seller,
            Err(answer) => return Ok(Effect::reply(answer)),
        };
        let row = SellerRow { presence: Presence::Offline, ..seller };
        let answer = self.told_seller("offline", &row.id, &[]);
        let event = event(EventKind::SellerOffline, tick).seller(&row.id).done();
        let edits = Vec::from([Edit::Seller(Box::new(row)), event]);
        Ok(Effect { reaction: Reaction::Reply(answer), edits })
    }

    /// The seller that a request names and has a session of.
    fn named<R: Records>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Tick<'_>,
    ) -> Result<Result<SellerRow, JsonAnswer>, R::Error> {
        let read = self.fields(&request.body).and_then(|fields| self.seller_id(&fields));
        let id = match read {
            Ok(id) => id,
            Err(answer) => return Ok(Err(answer)),
        };
        let Some(seller) = records.seller(&id)? else {
            return Ok(Err(no_seller()));
        };
        match self.session_of(&seller, &request.authorization, tick) {
            Ok(()) => Ok(Ok(seller)),
            Err(why) => Ok(Err(no_session(why))),
        }
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

impl SellerRow {
    /// Whether it can be given work: bound, online, and heard of within [`HEARTBEAT_MS`].
    #[must_use]
    pub fn is_here(&self, now: u64) -> bool {
        let is_fresh = self.heartbeat.is_some_and(|at| now <= at.saturating_add(HEARTBEAT_MS));
        let is_fresh = is_fresh || planted(Mutant::TheDeadAreGivenWork);
        self.presence == Presence::Online && self.is_bound() && is_fresh
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
