//! Prepaid calls: bought at the gate in one payment, and used one by one.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::books::{Change, Rows};
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Response, Sale};
use super::place::{moved_by, note_use};
use super::price::{is_usual_price, may_sell};
use super::refused::{self, refusal};
use super::row::{Charges, PackRow, SkillRow, VersionRow};
use crate::text::Members;
use farebox_base::encoding::{base32, hex, json};
use farebox_base::hash;
use farebox_base::secret::{Secret, ct_eq};

/// Milliseconds of a cycle.
pub const CYCLE_MS: u64 = 30 * 86_400_000;
/// Milliseconds after it in which a pack still serves.
pub const PACK_GRACE_MS: u64 = 86_400_000;

/// Calls of a plan.
#[must_use]
pub fn calls_of(plan: &str) -> Option<u64> {
    match plan {
        "starter" => Some(100),
        "growth" => Some(1_000),
        "pro" => Some(10_000),
        _ => None,
    }
}

/// The plans in the packs of a version, with their prices.
pub(super) fn plans(packs: &str) -> Vec<(String, String)> {
    let mut plans = Vec::new();
    if let Ok(Value::Object(packs)) = json::parse(packs.as_bytes()) {
        for (plan, price) in packs {
            plans.extend(price.as_str().map(|price| (plan, price.to_string())));
        }
    }
    plans
}

/// The standing of a pack now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has calls.
    Active,
    /// Its cycle has ended; it has calls for a day more.
    Grace,
    /// Its time has ended.
    Paused,
    /// Its calls are used up.
    Exhausted,
}

impl Standing {
    /// That of a pack at this time.
    #[must_use]
    pub const fn of(pack: &PackRow, now: u64) -> Self {
        if pack.used >= pack.calls {
            Self::Exhausted
        } else if now < pack.until {
            Self::Active
        } else if now < pack.until.saturating_add(PACK_GRACE_MS) {
            Self::Grace
        } else {
            Self::Paused
        }
    }

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Paused => "paused",
            Self::Exhausted => "exhausted",
        }
    }

    /// Whether it gives a call.
    #[must_use]
    pub const fn serves(self) -> bool {
        matches!(self, Self::Active | Self::Grace)
    }
}

/// Sells a pack: once for each payment.
pub(super) fn sell_pack<B: Rows>(
    books: &B,
    secret: &Secret<String>,
    id: &str,
    plan: &str,
    sale: &Sale,
    moment: Now<'_>,
) -> Applied<B> {
    let secret = make_secret(secret, &sale.payment);
    if let Some(pack) = books.pack_by_payment(&sale.payment)? {
        // One that has moved nothing yet may be signed again, for another plan.
        if (pack.skill.as_str(), pack.plan.as_str()) != (id, plan) {
            return Ok(Decision::reply(refusal(409, "This payment has bought another pack")));
        }
        let shown = write_pack(&pack, moment.now).text("key", &key_of(&pack.id, &secret));
        return Ok(Decision::reply(answer_sale(shown)));
    }
    let Some(calls) = calls_of(plan) else {
        return Ok(Decision::reply(refusal(404, "Plan not found")));
    };
    let skill = or_reply!(books.skill(id)?.ok_or_else(refused::no_skill));
    // What was settled already is given.
    let is_settled = !sale.transaction.is_empty();
    if !skill.active && !is_settled {
        let error = "Skill is not sold any more; nothing was delivered";
        return Ok(Decision::reply(refusal(410, error)));
    }
    let is_sold = books.versions(id)?.iter().any(|version| {
        may_sell(version, sale, moment.now)
            && plans(&version.packs).iter().any(|(known, price)| {
                known == plan && is_usual_price(sale, price, &version.networks)
            })
    });
    if !is_sold {
        return Ok(Decision::reply(refusal(409, "The price of this plan has changed")));
    }
    let pack = PackRow {
        id: base32::encode(&hash::sha256(&[b"farebox pack", sale.payment.as_bytes()]), 16),
        hash: hash::digest(&[b"farebox pack secret", secret.as_bytes()]),
        skill: id.to_string(),
        plan: plan.to_string(),
        payment: sale.payment.clone(),
        payer: sale.payer.clone(),
        calls,
        used: 0,
        micros: moved_by(sale).to_string().parse().unwrap_or(u64::MAX),
        created: moment.now,
        until: moment.now.saturating_add(CYCLE_MS),
    };
    let shown = write_pack(&pack, moment.now).text("key", &key_of(&pack.id, &secret));
    let mut changes = Vec::from([Change::Pack(Box::new(pack))]);
    changes.extend(note_use(skill, moved_by(sale), moment.now));
    Ok(Decision { answer: Answer::Reply(answer_sale(shown)), changes })
}

fn make_secret(secret: &Secret<String>, payment: &str) -> String {
    let secret = secret.expose().as_bytes();
    hex::encode(&hash::mac(secret, &[b"farebox pack 1 ", payment.as_bytes()]))
}

/// The rest of a pack, for anyone who has its key.
pub(super) fn show_pack<B: Rows>(books: &B, key: &str, moment: Now<'_>) -> Applied<B> {
    let pack = find_pack(books, key)?;
    let skill = pack.as_ref().map(|pack| books.skill(&pack.skill)).transpose()?.flatten();
    // What was left of it has ended with its skill.
    Ok(Decision::reply(match pack.filter(|pack| skill.is_some_and(|skill| pack.is_of(&skill))) {
        Some(pack) => {
            let body = Members::ok().raw("pack", &write_pack(&pack, moment.now).done()).done();
            Response::json(200, body).no_store()
        }
        None => refusal(404, "Pack not found").no_store(),
    }))
}

/// The version that a pack of this skill calls: of those that the gate charges for, the one that
/// was sold last. What its seller takes back or changes takes no calls that were paid.
pub(super) fn find_called_version<B: Rows>(
    books: &B,
    skill: &SkillRow,
) -> Result<Option<VersionRow>, B::Error> {
    let versions = books.versions(&skill.id)?.into_iter();
    let gated = versions.filter(|version| version.charges == Charges::Gate);
    Ok(gated.max_by_key(|version| version.until.unwrap_or(u64::MAX)))
}

/// The pack whose key this is.
pub(super) fn find_pack<B: Rows>(books: &B, key: &str) -> Result<Option<PackRow>, B::Error> {
    let parts = key.strip_prefix("fbp_").filter(|_| key.len() <= 128);
    let Some((id, secret)) = parts.and_then(|rest| rest.split_once('_')) else {
        return Ok(None);
    };
    let shown = hash::digest(&[b"farebox pack secret", secret.as_bytes()]);
    let pack = books.pack(id)?;
    Ok(pack.filter(|pack| ct_eq(pack.hash.as_bytes(), shown.as_bytes())))
}

fn key_of(id: &str, secret: &str) -> String {
    alloc::format!("fbp_{id}_{secret}")
}

fn write_pack(pack: &PackRow, now: u64) -> Members {
    Members::new()
        .text("id", &pack.id)
        .text("skillId", &pack.skill)
        .text("plan", &pack.plan)
        .text("status", Standing::of(pack, now).name())
        .number("calls", pack.calls)
        .number("used", pack.used)
        .number("remaining", pack.calls.saturating_sub(pack.used))
        .number("createdAt", pack.created)
        .number("expiresAt", pack.until)
}

fn answer_sale(pack: Members) -> Response {
    let body = Members::ok().raw("pack", &pack.done()).done();
    Response::json(201, body).no_store()
}
