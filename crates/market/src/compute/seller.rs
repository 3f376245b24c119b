//! Sellers: they register, open sessions, say that they are there, and go.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::body::Fields;
use super::bond::{AskedSeller, BondProof, Bonds};
use super::identity::is_of;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Identity, JsonAnswer, SellerRequest};
use super::offer::{JobOffer, Limits};
use super::records::{Change, Rows};
use super::refused::{invalid, no_seller, no_session, refusal};
use super::row::spell_wallet;
use super::row::{Claims, EventKind, HoldKind, Presence, SellerRow};
use super::session::{SellerProof, Sessions};
use super::standing::{unproven, write_proven};
use crate::text::{object, quoted, time};
use farebox_base::amount::Amount;
use farebox_evm::address::Address;

/// Most sellers that one client registers in an hour and that prove nothing.
const MAX_UNPROVEN: u64 = 20;
const HOUR_MS: u64 = 3_600_000;

/// The registration of a seller, as a body has it.
struct Registration {
    id: String,
    offer: JobOffer,
    agent: String,
}

/// The content of a request for a session.
struct AskedSession {
    seller: String,
    agent: String,
    proof: Option<BondProof>,
    renewal: Option<String>,
    offer: Option<JobOffer>,
}

/// Sellers of a profile.
pub(super) struct Sellers<'g> {
    pub limits: &'g Limits,
    pub sessions: Sessions<'g>,
    pub bonds: Bonds<'g>,
}

impl Sellers<'_> {
    /// Registers a seller, or changes what it sells.
    pub fn register<R: Rows>(
        &self,
        records: &R,
        client: &str,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Applied<R> {
        let fields = Fields::of_profile(&request.body, self.sessions.profile.kind);
        let read = fields.and_then(|fields| self.read_registration(&fields));
        let asked = or_reply!(read);
        let answer = self.show_seller("registered", &asked.id, &[]);
        let changes = match records.seller(&asked.id)? {
            Some(seller) if seller.is_bound() => {
                if let Err(why) = self.sessions.check(&seller, &request.authorization, tick) {
                    return Ok(Decision::reply(no_session(why)));
                }
                // Seats that are taken stay taken: they are counted, not remembered here.
                let (presence, heartbeat) = (Presence::Offline, None);
                let row = SellerRow { presence, heartbeat, ..asked.offer.of(seller.clone()) };
                write_proven(&seller, row, tick)
            }
            Some(seller) => {
                let row = asked.offer.claimed_of(seller);
                row.map(|row| Change::Seller(Box::new(row))).into_iter().collect()
            }
            None => {
                let since = tick.now.saturating_sub(HOUR_MS);
                let is_over = records.unproven(client, since)? >= MAX_UNPROVEN;
                if is_over {
                    return Ok(Decision::reply(too_many()));
                }
                let row = asked.offer.of(unproven(asked.id, asked.agent, client, tick));
                Vec::from([Change::Seller(Box::new(row))])
            }
        };
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    fn read_registration(&self, fields: &Fields) -> Result<Registration, JsonAnswer> {
        let id = fields.seller_id()?;
        let offer = self.limits.read_offer(fields)?;
        for name in ["wallet", "passport_payer_addr"] {
            if fields.maybe(name)?.is_some_and(|wallet| spell_wallet(&wallet) != id) {
                return Err(invalid(&format!("{name} must match seller_id.")));
            }
        }
        let is_wallet = Address::parse(&id).is_ok_and(|wallet| !wallet.is_low());
        if !is_wallet && self.sessions.profile.hold != HoldKind::Mock {
            return Err(invalid("seller_id must be an EVM address."));
        }
        if Address::parse(&id).is_ok_and(|wallet| wallet == *self.bonds.wallet) {
            return Err(invalid("seller_id is the address that bonds are transferred to."));
        }
        let agent = fields.maybe("passport_agent_id")?.unwrap_or_default();
        Ok(Registration { id, offer, agent })
    }

    /// Opens a session: by a bond, else by an identity that the Worker has checked, else by the
    /// token of an earlier bond.
    pub fn open_session<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        identity: Option<&Identity>,
        evidence: Option<&str>,
        tick: Now<'_>,
    ) -> Applied<R> {
        let fields = Fields::of_profile(&request.body, self.sessions.profile.kind);
        let read = fields.and_then(|fields| self.read_session(&fields));
        let asked = or_reply!(read);
        let known = or_reply!(records.seller(&asked.seller)?.ok_or_else(no_seller));
        // Written only with a session: what proves the seller proves what it sells.
        let offer = asked.offer.as_ref();
        let seller = offer.map_or_else(|| known.clone(), |offer| offer.of(known.clone()));
        if let Some(proof) = &asked.proof {
            let asked = AskedSeller { known: &known, seller, agent: &asked.agent };
            return self.bonds.open(records, asked, proof, evidence, tick);
        }
        let mismatch = || {
            let why = "The identity does not belong to this seller.";
            Ok(Decision::reply(refusal(403, "SELLER_PASSPORT_MISMATCH", why)))
        };
        match (identity, &asked.renewal) {
            (Some(identity), _) => {
                let is_same = seller.agent == asked.agent && seller.subject == identity.subject;
                let is_it = is_of(identity, &seller.id, &asked.agent);
                if !is_it || seller.has_identity() && !is_same {
                    return mismatch();
                }
                let subject = identity.subject.clone();
                let row = SellerRow { agent: asked.agent, subject, ..seller.without_bond() };
                Ok(self.sessions.open(&known, row, SellerProof::Identity, tick))
            }
            (None, Some(token)) => {
                let is_right = self.sessions.renews(&seller, token);
                if !is_right || !seller.is_bound() {
                    return Ok(Decision::reply(no_proof()));
                }
                if seller.agent != asked.agent {
                    return mismatch();
                }
                let row = SellerRow { keyed: self.sessions.print_secret(), ..seller };
                Ok(self.sessions.open(&known, row, SellerProof::Bond { renewal: None }, tick))
            }
            (None, None) => Ok(Decision::reply(no_proof())),
        }
    }

    fn read_session(&self, fields: &Fields) -> Result<AskedSession, JsonAnswer> {
        let seller = fields.seller_id()?;
        let agent = fields.text("passport_agent_id")?;
        let proof = fields.maybe("challenge_id")?.zip(fields.maybe("tx_hash")?);
        let proof = proof.map(|(id, hash)| BondProof { id, hash });
        let renewal = fields.maybe("seller_renewal_token")?;
        let offer = self.limits.read_offer_if_any(fields)?;
        Ok(AskedSession { seller, agent, proof, renewal, offer })
    }

    /// Notes that a seller is there.
    pub fn note_heartbeat<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Applied<R> {
        let seller = or_reply!(self.find_caller(records, request, tick)?);
        if seller.claims == Claims::Contested {
            let why =
                "Other terms were registered for this seller too; register again with the session.";
            return Ok(Decision::reply(refusal(409, "SELLER_REGISTRATION_STALE", why)));
        }
        // It may have been registered when other prices were taken.
        let units = Amount::from_atomic(&seller.units);
        if let Some(Err(answer)) = units.ok().map(|units| self.limits.check_price(units)) {
            return Ok(Decision::reply(answer));
        }
        let is_heard = |at: u64| seller.is_here(at) && seller.is_here(tick.now);
        let was_here = seller.heartbeat.is_some_and(is_heard);
        let mut row = SellerRow { presence: Presence::Online, heartbeat: Some(tick.now), ..seller };
        let seats = records.seats(&row.id, tick.now)?;
        let status = row.status(seats, tick.now);
        let mut members = Vec::from([("seller_status", quoted(status))]);
        if tick.now < row.rests_until {
            members.push(("rests_until", quoted(&time(row.rests_until))));
        }
        let answer = self.show_seller("ok", &row.id, &members);
        let mut changes = Vec::new();
        if !was_here && row.is_here(tick.now) {
            changes.extend(row.tell(EventKind::SellerOnline, tick));
        }
        changes.push(Change::Seller(Box::new(row)));
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// Notes that a seller is gone. Its jobs go on.
    pub fn go_offline<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Applied<R> {
        let seller = or_reply!(self.find_caller(records, request, tick)?);
        let was_here = seller.is_here(tick.now);
        let mut row = SellerRow { presence: Presence::Offline, ..seller };
        let answer = self.show_seller("offline", &row.id, &[]);
        let event = if was_here { row.tell(EventKind::SellerOffline, tick) } else { None };
        let changes = [Change::Seller(Box::new(row))].into_iter().chain(event).collect();
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// The seller that a request names and has a session of.
    fn find_caller<R: Rows>(
        &self,
        records: &R,
        request: &SellerRequest,
        tick: Now<'_>,
    ) -> Result<Result<SellerRow, JsonAnswer>, R::Error> {
        let fields = Fields::of_profile(&request.body, self.sessions.profile.kind);
        let read = fields.and_then(|fields| fields.seller_id());
        let id = match read {
            Ok(id) => id,
            Err(answer) => return Ok(Err(answer)),
        };
        let known = records.seller(&id)?;
        let seller = self.sessions.find_seller(known, &id, &request.authorization, tick);
        Ok(seller.map_err(no_session))
    }

    fn show_seller(&self, status: &str, id: &str, more: &[(&str, String)]) -> JsonAnswer {
        let mut members = Vec::from([
            ("status", quoted(status)),
            ("seller_id", quoted(id)),
            ("network_profile", quoted(self.sessions.profile.name())),
        ]);
        members.extend_from_slice(more);
        JsonAnswer::new(200, object(&members))
    }
}

fn too_many() -> JsonAnswer {
    let why = "Too many sellers were registered that prove nothing; open their sessions first.";
    refusal(429, "SELLER_REGISTRATION_LIMIT_REACHED", why).with("retry-after", "600")
}

/// For a session without anything that proves the seller.
fn no_proof() -> JsonAnswer {
    let why = "A bond, a passport identity token or a renewal token is required to open a session.";
    refusal(403, "PASSPORT_AUTH_REQUIRED", why)
}
