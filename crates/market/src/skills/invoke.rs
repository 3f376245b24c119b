//! How an invocation begins: who asks, for what, and whether it was asked before.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::booking::Bookings;
use super::books::{Change, Rows};
use super::kernel::{Applied, Decision, Now};
use super::listing::Listings;
use super::listing_request::{object, text_of};
use super::message::{Answer, Errand, Invocation, Response, SellerCall, Through};
use super::pack::{Standing, find_called_version, find_pack};
use super::place::note_use;
use super::refused::{self, members, refusal};
use super::replies::write_key;
use super::row::{Charges, Ending, FOR_EVER, InvocationRow, PackRow, Phase, SkillRow, VersionRow};
use super::sold::sign_prepaid;
use crate::text::Members;
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_base::secret::Secret;

/// Milliseconds to the head of a seller's answer.
const CALL_MS: u64 = 10_000;
/// Milliseconds for which a Worker may work on a call.
pub(super) const CALL_LEASE_MS: u64 = 30_000;
/// Longest key, bytes.
const MAX_KEY: usize = 255;

/// The payload of a body as it was written.
#[derive(Deserialize)]
struct Carried<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Whether a pack gives a call of this skill.
fn check_pack(pack: &PackRow, called: CalledSkill<'_>, now: u64) -> Result<(), Response> {
    if !pack.is_of(called.skill) || called.version.charges != Charges::Gate {
        return Err(refusal(403, "This pack is for another skill"));
    }
    let standing = Standing::of(pack, now);
    if standing.serves() {
        return Ok(());
    }
    let body = members(402, "insufficient_balance").text("status", standing.name());
    Err(Response::json(402, body.done()))
}

/// Whether the seller would get the payload.
fn check_payload(version: &VersionRow, members: &Map<String, Value>) -> Result<(), Response> {
    let is_empty = match members.get("payload") {
        None | Some(Value::Null) => true,
        Some(payload) => payload.as_object().is_some_and(Map::is_empty),
    };
    if version.is_bare() && !is_empty {
        let error = "A skill of method GET takes no payload: send none, or buy it with a wallet";
        return Err(refusal(400, error));
    }
    Ok(())
}

/// The account that pays for an invocation.
struct Payer {
    account: String,
    organization: String,
    agent: String,
    pack: Option<PackRow>,
}

/// Invocations of the skills of a market.
pub(super) struct Invocations<'m> {
    pub listings: Listings<'m>,
    pub bookings: Bookings<'m>,
    /// Sellers' secrets are made of it.
    pub secret: &'m Secret<String>,
}

/// A request as it is known again.
struct RequestMark<'a> {
    /// `Idempotency-Key`; empty if there is none.
    key: &'a str,
    digest: String,
}

/// The skill that is called, and in which version.
#[derive(Clone, Copy)]
struct CalledSkill<'a> {
    skill: &'a SkillRow,
    version: &'a VersionRow,
}

impl Invocations<'_> {
    /// Begins an invocation, or finds the one that was begun.
    pub fn invoke<B: Rows>(&self, books: &B, asked: &Invocation, moment: Now<'_>) -> Applied<B> {
        let refuse = |response: Response| Ok(Decision::reply(response.no_store()));
        let members = or_reply!((object(&asked.body)).map_err(Response::no_store));
        let Some(agent) = text_of(&members, "agentId") else {
            return refuse(refusal(400, "agentId is required"));
        };
        let payer = find_payer(books, asked, agent)?;
        let key = asked.key.as_deref().map(str::trim).unwrap_or_default();
        if key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            let error = "Idempotency-Key must be at most 255 visible characters";
            return refuse(refusal(400, error));
        }
        let carried: Option<Carried<'_>> = serde_json::from_str(&asked.body).ok();
        let payload = carried.and_then(|it| it.payload).map_or("", RawValue::get);
        let mark = |payer: &Payer| {
            let named = asked.version.as_deref().unwrap_or_default();
            let parts = [&payer.account, asked.skill.as_str(), named, payload];
            RequestMark { key, digest: hash::digest(&parts.map(str::as_bytes)) }
        };
        // What was begun has its answer, whatever became of the skill.
        if let Ok(payer) = &payer
            && let Some(decision) = self.find_begun(books, &payer.account, &mark(payer), moment)?
        {
            return Ok(decision);
        }
        let pack = payer.as_ref().ok().and_then(|payer| payer.pack.as_ref());
        // A pack gives its calls whatever its seller has done since.
        let Some(skill) = books.skill(&asked.skill)? else { return refuse(refused::no_skill()) };
        let is_own = pack.is_some_and(|pack| pack.is_of(&skill));
        let is_packed = is_own;
        if !is_packed && !skill.is_listed() {
            return refuse(refused::no_skill());
        }
        let packed = if is_packed { find_called_version(books, &skill)? } else { None };
        let sold = packed.as_ref().map_or(&skill.latest, |it| &it.version).clone();
        let version = match asked.version.as_deref() {
            None => books.version(&skill.id, &sold)?,
            Some(named) => books.version(&skill.id, named)?,
        };
        // The gate sells the latest version alone.
        let is_sold = |it: &VersionRow| it.charges == Charges::Seller || it.version == sold;
        let Some(version) = version.filter(is_sold) else {
            return refuse(refused::no_skill());
        };
        let payer = or_reply!((payer).map_err(Response::no_store));
        let called = CalledSkill { skill: &skill, version: &version };
        let checked = payer.pack.iter().try_for_each(|pack| check_pack(pack, called, moment.now));
        let checked = checked.and_then(|()| check_payload(&version, &members));
        or_reply!(checked.map_err(Response::no_store));
        let row = begin_row(books, called, &payer, mark(&payer), moment)?;
        let call = self.write_call(&row, called, &payer, payload, moment);
        let mut changes: Vec<Change> = write_key(&row, FOR_EVER).into_iter().collect();
        changes.extend(payer.pack.map(|pack| {
            Change::Pack(Box::new(PackRow { used: pack.used.saturating_add(1), ..pack }))
        }));
        changes.push(Change::Begin(Box::new(row)));
        changes.extend(note_use(skill, Amount::ZERO, moment.now));
        Ok(Decision { answer: Answer::Errand(Errand::Call(Box::new(call))), changes })
    }

    /// The invocation that this key, or this very request, has begun.
    fn find_begun<B: Rows>(
        &self,
        books: &B,
        account: &str,
        mark: &RequestMark<'_>,
        moment: Now<'_>,
    ) -> Result<Option<Decision>, B::Error> {
        let RequestMark { key, digest } = mark;
        if key.is_empty() {
            let running = books.running(account, digest)?;
            return running.map(|row| self.bookings.follow(books, &row.id, moment)).transpose();
        }
        let known = books.key(account, key)?.filter(|row| row.until > moment.now);
        let Some(known) = known else {
            return Ok(None);
        };
        if known.digest != *digest {
            let error = "Idempotency-Key was used for another request";
            return Ok(Some(Decision::reply(refusal(409, error).no_store())));
        }
        self.bookings.follow(books, &known.invocation, moment).map(Some)
    }

    fn write_call(
        &self,
        row: &InvocationRow,
        called: CalledSkill<'_>,
        payer: &Payer,
        payload: &str,
        moment: Now<'_>,
    ) -> SellerCall {
        let CalledSkill { skill, version } = called;
        let body = Members::new().text("agentId", &row.agent);
        let body = if payload.is_empty() { body } else { body.raw("payload", payload) };
        let mut headers = Vec::from([("accept".to_string(), "application/json".to_string())]);
        if !version.is_bare() {
            headers.push(("content-type".to_string(), "application/json".to_string()));
        }
        let (through, url) = match (&payer.pack, version.charges) {
            (None, Charges::Gate) => (Through::Gate, self.listings.address(skill, version)),
            (None, Charges::Seller) => (Through::Seller, version.call_url.clone()),
            (Some(pack), _) => {
                headers.extend(sign_prepaid(self.secret, skill, version, pack, moment));
                (Through::Seller, version.call_url.clone())
            }
        };
        SellerCall {
            invocation: row.id.clone(),
            fence: row.fence,
            through,
            method: version.method.clone(),
            url,
            headers,
            body: (!version.is_bare()).then(|| body.done()),
            timeout_ms: CALL_MS,
        }
    }
}

/// The account that pays for an invocation.
fn find_payer<B: Rows>(
    books: &B,
    asked: &Invocation,
    agent: &str,
) -> Result<Result<Payer, Response>, B::Error> {
    if let Some(key) = &asked.pack {
        let Some(pack) = find_pack(books, key)? else {
            return Ok(Err(refused::no_identity()));
        };
        return Ok(Ok(Payer {
            account: alloc::format!("pack/{}", pack.id),
            organization: String::new(),
            agent: pack.id.clone(),
            pack: Some(pack),
        }));
    }
    let Some(proven) = &asked.caller else { return Ok(Err(refused::no_identity())) };
    if proven.agent != agent {
        return Ok(Err(refusal(403, "agentId is not the agent of this token")));
    }
    Ok(Ok(Payer {
        account: account(&proven.organization, &proven.agent),
        organization: proven.organization.clone(),
        agent: proven.agent.clone(),
        pack: None,
    }))
}

/// The row of an invocation that begins.
fn begin_row<B: Rows>(
    books: &B,
    called: CalledSkill<'_>,
    payer: &Payer,
    mark: RequestMark<'_>,
    moment: Now<'_>,
) -> Result<InvocationRow, B::Error> {
    let mut turn = 0_u8;
    let mut id = ledger_id("inv", moment, turn);
    while turn < 8 && (books.invocation(&id)?.is_some() || books.departed(&id)?.is_some()) {
        turn = turn.saturating_add(1);
        id = ledger_id("inv", moment, turn);
    }
    let lease = moment.now.saturating_add(CALL_LEASE_MS);
    Ok(InvocationRow {
        organization: payer.organization.clone(),
        agent: payer.agent.clone(),
        skill: called.skill.id.clone(),
        version: called.version.version.clone(),
        phase: Phase::Calling,
        ending: Ending::Running,
        ended: None,
        key: mark.key.to_string(),
        digest: mark.digest,
        pack: payer.pack.as_ref().map(|pack| pack.id.clone()).unwrap_or_default(),
        fence: 1,
        lease,
        due: Some(lease),
        ..InvocationRow::over(id, payer.account.clone(), moment.now)
    })
}

/// The account of an agent of an organization.
#[must_use]
pub fn account(organization: &str, agent: &str) -> String {
    alloc::format!("{organization}/{agent}")
}

/// An id of the original's form: its kind, the time and chance, base 36.
pub(super) fn ledger_id(kind: &str, moment: Now<'_>, turn: u8) -> String {
    let chance = hash::mac(moment.random, &[kind.as_bytes(), &[turn]]);
    let letters = chance.iter().take(6).map(|byte| digit(u64::from(*byte) % 36));
    let letters: String = letters.collect();
    alloc::format!("{kind}_{}_{letters}", base36(moment.now))
}

fn base36(mut number: u64) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        letters.push(digit(number % 36));
        number = number.checked_div(36).unwrap_or_default();
    }
    if letters.is_empty() {
        letters.push('0');
    }
    letters.into_iter().rev().collect()
}

fn digit(value: u64) -> char {
    u32::try_from(value).ok().and_then(|value| char::from_digit(value, 36)).unwrap_or('0')
}
