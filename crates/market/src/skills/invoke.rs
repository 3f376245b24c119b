//! How an invocation begins: who asks, for what, and whether it was asked before.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::books::{Change, Rows};
use super::message::{Answer, Errand, Invocation, Response, SellerCall, Through};
use super::pack::Standing;
use super::place::noted;
use super::refused::{self, said};
use super::row::{
    Charges, Ending, FOR_EVER, InvocationRow, KeyRow, Moved, PackRow, Phase, SkillRow, VersionRow,
};
use super::text::Members;
use super::wares::{object, text_of};
use super::{Decision, Market, Now};
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};

/// Milliseconds to the head of a seller's answer.
const CALL_MS: u64 = 10_000;
/// Milliseconds for which a Worker may work on a call.
pub(super) const CALL_LEASE_MS: u64 = 30_000;
/// Milliseconds for which another request waits for an answer.
const FOLLOW_MS: u64 = 35_000;
/// Milliseconds for which a short answer is kept, and a key for which nothing was paid.
pub(super) const KEEP_MS: u64 = 30 * 86_400_000;
/// Longest key, bytes.
const MAX_KEY: usize = 255;

/// The payload of a body as it was written.
#[derive(Deserialize)]
struct Carried<'a> {
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

/// Whether a pack gives a call of this skill.
fn gives(pack: &PackRow, skill: &SkillRow, version: &VersionRow, now: u64) -> Result<(), Response> {
    if pack.skill != skill.id || version.charges != Charges::Gate {
        return Err(said(403, "This pack is for another skill"));
    }
    let standing = Standing::of(pack, now);
    if standing.serves() || planted(Mutant::PacksNeverEnd) {
        return Ok(());
    }
    let body = Members::new()
        .raw("ok", "false")
        .text("error", "insufficient_balance")
        .text("status", standing.name());
    Err(Response::json(402, body.done()))
}

/// The account that pays for an invocation.
struct Payer {
    account: String,
    organization: String,
    agent: String,
    pack: Option<PackRow>,
}

impl Market {
    /// Begins an invocation, or finds the one that was begun.
    pub(super) fn invoke<B: Rows>(
        &self,
        books: &B,
        asked: &Invocation,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let refuse = |response: Response| Ok(Decision::reply(response.no_store()));
        let members = match object(&asked.body) {
            Ok(members) => members,
            Err(response) => return refuse(response),
        };
        let Some(agent) = text_of(&members, "agentId") else {
            return refuse(said(400, "agentId is required"));
        };
        let payer = self.payer(books, asked, agent)?;
        let key = asked.key.as_deref().map(str::trim).unwrap_or_default();
        if key.len() > MAX_KEY || !key.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
            let error = "Idempotency-Key must be at most 255 visible characters";
            return refuse(said(400, error));
        }
        let carried: Option<Carried<'_>> = serde_json::from_str(&asked.body).ok();
        let payload = carried.and_then(|it| it.payload).map_or("", RawValue::get);
        let digest = payer.as_ref().ok().map(|payer| {
            let named = asked.version.as_deref().unwrap_or_default();
            let parts = [&payer.account, asked.skill.as_str(), named, payload];
            hash::digest(&parts.map(str::as_bytes))
        });
        // What was begun has its answer, whatever became of the skill.
        if let (Ok(payer), Some(digest)) = (&payer, &digest)
            && let Some(decision) = self.known(books, &payer.account, (key, digest), moment)?
        {
            return Ok(decision);
        }
        let pack = payer.as_ref().ok().and_then(|payer| payer.pack.as_ref());
        // A pack gives its calls whatever its seller has done since.
        let is_own = |id: &str| pack.is_some_and(|pack| pack.skill == id);
        let is_packed = is_own(&asked.skill) && !planted(Mutant::PacksEndWithTheirSkill);
        let skill = books.skill(&asked.skill)?.filter(|skill| is_packed || skill.is_listed());
        let Some(skill) = skill else { return refuse(refused::no_skill()) };
        let packed = if is_packed { self.packed(books, &skill)? } else { None };
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
        let payer = match payer {
            Ok(payer) => payer,
            Err(response) => return refuse(response),
        };
        if let Some(pack) = &payer.pack
            && let Err(response) = gives(pack, &skill, &version, moment.now)
        {
            return refuse(response);
        }
        let digest = digest.unwrap_or_default();
        let row = self.begun(books, (&skill, &version), &payer, (key, digest), moment)?;
        let call = self.call(&row, (&skill, &version), &payer, payload, moment);
        let mut changes = Vec::new();
        if !key.is_empty() {
            changes.push(Change::Key(KeyRow {
                account: row.account.clone(),
                key: key.to_string(),
                digest: row.digest.clone(),
                invocation: row.id.clone(),
                until: FOR_EVER,
            }));
        }
        if let Some(pack) = payer.pack {
            changes.push(Change::Pack(Box::new(PackRow {
                used: pack.used.saturating_add(1),
                ..pack
            })));
        }
        changes.push(Change::Begin(Box::new(row)));
        changes.extend(noted(skill, Amount::ZERO, moment.now));
        Ok(Decision { answer: Answer::Errand(Errand::Call(Box::new(call))), changes })
    }

    /// The account that pays for an invocation.
    fn payer<B: Rows>(
        &self,
        books: &B,
        asked: &Invocation,
        agent: &str,
    ) -> Result<Result<Payer, Response>, B::Error> {
        if let Some(key) = &asked.pack {
            let Some(pack) = self.pack_of(books, key)? else {
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
            return Ok(Err(said(403, "agentId is not the agent of this token")));
        }
        Ok(Ok(Payer {
            account: account(&proven.organization, &proven.agent),
            organization: proven.organization.clone(),
            agent: proven.agent.clone(),
            pack: None,
        }))
    }

    /// The invocation that this key, or this very request, has begun.
    fn known<B: Rows>(
        &self,
        books: &B,
        account: &str,
        (key, digest): (&str, &str),
        moment: Now<'_>,
    ) -> Result<Option<Decision>, B::Error> {
        if key.is_empty() {
            let running = books.running(account, digest)?;
            let running = running.filter(|_| !planted(Mutant::TwinsAreCalled));
            return running.map(|row| self.follow(books, &row.id, moment)).transpose();
        }
        let known = books.key(account, key)?.filter(|row| row.until > moment.now);
        let Some(known) = known.filter(|_| !planted(Mutant::CallsAreRepeated)) else {
            return Ok(None);
        };
        if known.digest != digest && !planted(Mutant::CallsServeOthers) {
            let error = "Idempotency-Key was used for another request";
            return Ok(Some(Decision::reply(said(409, error).no_store())));
        }
        self.follow(books, &known.invocation, moment).map(Some)
    }

    /// The answer to an invocation that another request began, or the wait for it.
    pub(super) fn follow<B: Rows>(
        &self,
        books: &B,
        id: &str,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if let Some(reply) = books.reply(id)? {
            let (status, headers, body) = (reply.status, reply.headers, reply.body);
            return Ok(Decision::reply(Response { status, headers, body }));
        }
        if let Some(response) = self.unkept(books, id)? {
            return Ok(Decision::reply(response));
        }
        let until = moment.now.saturating_add(FOLLOW_MS);
        let answer = Answer::Follow { invocation: id.to_string(), until, late: pending(id) };
        Ok(Decision::told(answer))
    }

    fn begun<B: Rows>(
        &self,
        books: &B,
        (skill, version): (&SkillRow, &VersionRow),
        payer: &Payer,
        (key, digest): (&str, String),
        moment: Now<'_>,
    ) -> Result<InvocationRow, B::Error> {
        let mut turn = 0_u8;
        let mut id = ledger_id("inv", moment, turn);
        while turn < 8 && (books.invocation(&id)?.is_some() || books.departed(&id)?.is_some()) {
            turn = turn.saturating_add(1);
            id = ledger_id("inv", moment, turn);
        }
        let lease = moment.now.saturating_add(CALL_LEASE_MS);
        let empty = String::new;
        Ok(InvocationRow {
            number: 0,
            id,
            account: payer.account.clone(),
            organization: payer.organization.clone(),
            agent: payer.agent.clone(),
            skill: skill.id.clone(),
            version: version.version.clone(),
            phase: Phase::Calling,
            ending: Ending::Running,
            paid: Moved::No,
            amount: "0".to_string(),
            asset: empty(),
            network: empty(),
            xlm: "0".to_string(),
            counted: "0".to_string(),
            tx: empty(),
            receipt: empty(),
            invoked: moment.now,
            ended: None,
            error: empty(),
            key: key.to_string(),
            digest,
            pack: payer.pack.as_ref().map(|pack| pack.id.clone()).unwrap_or_default(),
            fence: 1,
            lease,
            due: Some(lease),
            asks: 0,
            looks: 0,
        })
    }

    fn call(
        &self,
        row: &InvocationRow,
        (skill, version): (&SkillRow, &VersionRow),
        payer: &Payer,
        payload: &str,
        moment: Now<'_>,
    ) -> SellerCall {
        let is_bare = version.method == "GET";
        let body = Members::new().text("agentId", &row.agent);
        let body = if payload.is_empty() { body } else { body.raw("payload", payload) };
        let mut headers = Vec::from([("accept".to_string(), "application/json".to_string())]);
        if !is_bare {
            headers.push(("content-type".to_string(), "application/json".to_string()));
        }
        let (through, url) = match (&payer.pack, version.charges) {
            (None, Charges::Gate) => (Through::Gate, self.address(skill, version)),
            (None, Charges::Seller) => (Through::Seller, version.call_url.clone()),
            (Some(pack), _) => {
                headers.extend(self.prepaid(skill, version, pack, moment));
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
            body: (!is_bare).then(|| body.done()),
            timeout_ms: CALL_MS,
        }
    }
}

/// The account of an agent of an organization.
#[must_use]
pub fn account(organization: &str, agent: &str) -> String {
    alloc::format!("{organization}/{agent}")
}

/// The answer while an invocation runs for longer than its client waits.
pub(super) fn pending(id: &str) -> Response {
    let body = Members::new()
        .raw("ok", "false")
        .text("error", "Invocation in progress")
        .text("ledgerId", id)
        .done();
    Response::json(503, body).no_store().with("retry-after", "5")
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
