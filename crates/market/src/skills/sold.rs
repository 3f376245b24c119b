//! Requests that the gate sold: each is forwarded to the seller, signed.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Rows};
use super::draft::GateTable;
use super::kernel::{Applied, Decision, Now};
use super::message::{Answer, Forward, Response, Sale};
use super::pack::sell_pack;
use super::place::{moved_by, note_use};
use super::price::{is_price, is_usual_price, may_sell};
use super::refused::{self, refusal};
use super::row::{Charges, FOR_EVER, PackRow, SkillRow, VersionRow};
use super::seal::{seller_secret, target_of};
use crate::gate::signature;
use crate::text::Members;
use farebox_base::amount::Amount;
use farebox_base::secret::Secret;

/// Milliseconds to the head of a seller's answer.
const TIMEOUT_MS: u64 = 30_000;

/// Sales of a market.
pub(super) struct Sales<'m> {
    /// Secrets of sellers and packs are made of it.
    pub secret: &'m Secret<String>,
    pub table: GateTable<'m>,
}

impl Sales<'_> {
    /// Forwards a sale, or sells a pack, or notes a fee.
    pub fn sell<B: Rows>(&self, books: &B, sale: &Sale, moment: Now<'_>) -> Applied<B> {
        let mut segments = sale.path.trim_start_matches('/').split('/');
        match (segments.next(), segments.next(), segments.next(), segments.next()) {
            (Some("s"), Some(id), None, None) => self.sell_call(books, id, sale, moment),
            (Some("fees"), Some(id), None, None) => self.sell_listing(books, id, sale, moment),
            (Some("packs"), Some(id), Some(plan), None) => {
                sell_pack(books, self.secret, id, plan, sale, moment)
            }
            _ => Ok(Decision::reply(refusal(404, "Not found"))),
        }
    }

    fn sell_call<B: Rows>(&self, books: &B, id: &str, sale: &Sale, moment: Now<'_>) -> Applied<B> {
        let skill = or_reply!(books.skill(id)?.ok_or_else(refused::no_skill));
        let versions = books.versions(id)?;
        let fresh: Vec<&VersionRow> = versions
            .iter()
            .filter(|version| version.charges == Charges::Gate)
            .filter(|version| may_sell(version, sale, moment.now))
            .collect();
        // What was settled already is served.
        let is_gone = !skill.active && sale.transaction.is_empty();
        if fresh.is_empty() || is_gone {
            let error = "Skill is not sold any more; nothing was delivered";
            return Ok(Decision::reply(refusal(410, error)));
        }
        let is_paid = |version: &&&VersionRow| {
            is_price(sale, &version.price, &version.asset, &version.networks)
        };
        let latest = fresh.iter().filter(|version| version.until.is_none());
        let paid = || latest.clone().chain(&fresh).filter(is_paid);
        let Some(first) = paid().next() else {
            let error = "The price of this skill has changed; nothing was delivered";
            return Ok(Decision::reply(refusal(409, error)));
        };
        // The gate may have sold an earlier version that costs the same.
        let fitting = paid().find(|version| check_request(version, sale).is_ok());
        let version = fitting.unwrap_or(first);
        or_reply!(check_request(version, sale));
        let forward = forward(self.secret, &skill, version, sale, moment);
        let answer = Answer::Forward(Box::new(forward));
        // With `after` an invocation tells of it, and no one of a direct sale.
        let is_told_twice = version.settle != "before";
        let moved = if is_told_twice { Amount::ZERO } else { moved_by(sale) };
        let noted = note_use(skill, moved, moment.now);
        Ok(Decision { answer, changes: noted.into_iter().collect() })
    }

    /// Notes that the market's fee was paid.
    fn sell_listing<B: Rows>(
        &self,
        books: &B,
        id: &str,
        sale: &Sale,
        moment: Now<'_>,
    ) -> Applied<B> {
        let skill = or_reply!(books.skill(id)?.ok_or_else(refused::no_skill));
        let answer = Members::ok().text("skillId", id).raw("paid", "true").done();
        let answer = Response::json(200, answer).no_store();
        if skill.fee.as_deref() == Some(sale.payment.as_str()) {
            return Ok(Decision::reply(answer));
        }
        if !skill.owes {
            return Ok(Decision::reply(refusal(409, "The fee of this skill is paid already")));
        }
        let may_be_sold = skill.active || skill.made_room;
        if !may_be_sold {
            return Ok(Decision::reply(refusal(409, "This skill was taken back")));
        }
        let version = or_reply!(books.version(id, &skill.latest)?.ok_or_else(refused::no_skill));
        let former = books.table()?.former_fee;
        if !self.is_fee(sale, &skill, &version, former.as_deref()) {
            return Ok(Decision::reply(refusal(409, "This is not the market's fee")));
        }
        let fee = Some(sale.payment.clone());
        let row =
            SkillRow { owes: false, fee, used: true, called: true, place_until: FOR_EVER, ..skill };
        let housed = or_reply!(self.table.house(books, row, &version, moment.now)?);
        let mut changes = housed.changes;
        changes.push(Change::Skill(Box::new(housed.skill)));
        changes.extend(self.table.change(books, moment.now)?);
        Ok(Decision { answer: Answer::Reply(answer), changes })
    }

    /// Whether a sale was paid with the market's fee, with the one before it, or with that of the skill's
    /// publication: the gate may have asked for it by a table of before, and a refusal would keep the
    /// money.
    fn is_fee(
        &self,
        sale: &Sale,
        skill: &SkillRow,
        version: &VersionRow,
        former: Option<&str>,
    ) -> bool {
        let mut networks: Vec<String> =
            self.table.networks.iter().map(ToString::to_string).collect();
        let told = skill.told_fee.as_deref();
        if told.is_some() {
            networks.extend(version.networks.iter().cloned());
        }
        let fees = self.table.fee.into_iter().chain(told).chain(former);
        fees.into_iter().any(|fee| is_usual_price(sale, fee, &networks))
    }
}

/// Whether a version takes the method and the query of a sale.
fn check_request(version: &VersionRow, sale: &Sale) -> Result<(), Response> {
    let is_asked =
        sale.method == version.method || sale.method == "HEAD" && version.method == "GET";
    if !is_asked {
        return Err(refusal(405, "Method not allowed").with("allow", &version.method));
    }
    if !sale.query.is_empty() && version.has_query() {
        // Of two values for one name, each server takes another.
        return Err(refusal(400, "This skill takes no query"));
    }
    Ok(())
}

fn forward(
    secret: &Secret<String>,
    skill: &SkillRow,
    version: &VersionRow,
    sale: &Sale,
    moment: Now<'_>,
) -> Forward {
    let mut url = version.call_url.clone();
    if !sale.query.is_empty() {
        url.push('?');
        url.push_str(&sale.query);
    }
    let time = format!("{}", moment.now.checked_div(1000).unwrap_or_default());
    let target = target_of(&url);
    let target = target.as_ref();
    let lines = [
        time.as_str(),
        &sale.method,
        target,
        &sale.payer,
        &sale.payment,
        &sale.amount,
        &sale.asset,
        &sale.network,
        &sale.transaction,
    ];
    let secret = seller_secret(secret, skill, &version.call_url);
    let signature = signature(&secret, lines);
    let fields = [
        ("farebox-skill", skill.id.as_str()),
        ("farebox-skill-version", &version.version),
        ("farebox-payer", &sale.payer),
        ("farebox-payment", &sale.payment),
        ("farebox-amount", &sale.amount),
        ("farebox-asset", &sale.asset),
        ("farebox-network", &sale.network),
        ("farebox-transaction", &sale.transaction),
        ("idempotency-key", &sale.key),
        ("farebox-signature-v2", &signature),
    ];
    let mut headers = Vec::new();
    for (name, value) in fields.into_iter().filter(|(_, value)| !value.is_empty()) {
        headers.push((name.to_string(), value.to_string()));
    }
    Forward { method: sale.method.clone(), headers, timeout_ms: TIMEOUT_MS, url }
}

/// Header fields of a call that a pack has paid.
pub(super) fn sign_prepaid(
    secret: &Secret<String>,
    skill: &SkillRow,
    version: &VersionRow,
    pack: &PackRow,
    moment: Now<'_>,
) -> Vec<(String, String)> {
    let sale = Sale {
        method: version.method.clone(),
        payer: pack.payer.clone(),
        payment: pack.payment.clone(),
        ..Sale::default()
    };
    forward(secret, skill, version, &sale, moment).headers
}
