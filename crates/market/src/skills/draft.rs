//! The route table that the catalogue wants, and what became of writing it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::{Change, Rows};
use super::former::name_lost;
use super::kernel::{Applied, Decision, Now};
use super::message::Answer;
use super::pack::{calls_of, plans};
use super::row::{Charges, SkillRow, TableRow, VersionRow};
use super::table::{StoredTable, TableDraft};
use crate::text::{Members, list, quoted};
use farebox_base::chain::ChainId;
use farebox_base::text::single_line;

/// Number of the layout of routes. Raise it with each change of what a route says or weighs: what an
/// earlier version wrote is written anew then.
pub(super) const LAYOUT: u32 = 4;
/// Longest description of a route, bytes.
const MAX_DESCRIPTION: usize = 256;
/// Milliseconds before a table is written again, doubled with each failure.
const BACKOFF_MS: u64 = 1_000;
/// Most milliseconds before it is tried again.
const MAX_BACKOFF_MS: u64 = 60_000;

/// The gate's route table, as far as the market decides about it.
#[derive(Clone, Copy)]
pub(super) struct GateTable<'m> {
    /// CAIP-2 ids on which skills can be paid.
    pub networks: &'m [ChainId],
    /// The operator's own routes, a JSON list.
    pub own_routes: &'m str,
    /// The fee of a new skill, dollars.
    pub fee: Option<&'m str>,
    /// The account that receives it.
    pub pay_to: Option<&'m str>,
}

impl GateTable<'_> {
    /// The table that is to be written, if the one of this number that is stored is another one.
    /// Skills with a place come last, as the oldest do: the first ones are left out where the gate
    /// refuses the whole.
    ///
    /// A number that these books did not write, and have given last or not yet, is of a time that they
    /// have lost: theirs go on after it, so that no two tables have one number. What they may have given
    /// since has a table of that time before it, too: whose its ids are nobody else knows.
    pub fn draft<B: Rows>(&self, books: &B, stored: &StoredTable, moment: Now<'_>) -> Applied<B> {
        let known = books.table()?;
        let StoredTable { number: stored, text } = stored;
        let stored = *stored;
        if stored == known.written && known.written >= known.wanted {
            return Ok(Decision {
                answer: Answer::Nothing,
                changes: end_look(known).into_iter().collect(),
            });
        }
        let is_lost = stored >= known.wanted && stored != known.written;
        let wanted = if is_lost { stored.saturating_add(1) } else { known.wanted };
        let table = TableRow { wanted, ..known.clone() };
        let mut changes = match stored > known.written {
            true => name_lost(books, text)?,
            false => Vec::new(),
        };
        changes.extend((table != known).then_some(Change::Table(table)));
        let mut routes = Vec::new();
        let mut sold = books.catalogue(None, u32::MAX)?;
        sold.sort_by_key(|(skill, _)| skill.has_place(moment.now));
        for (skill, version) in sold {
            for route in self.routes_of(&skill, &version) {
                routes.push((skill.id.clone(), route));
            }
        }
        let draft = TableDraft { revision: wanted, own: self.first_routes(), routes };
        let answer = Answer::Table(Box::new(draft));
        Ok(Decision { answer, changes })
    }

    /// The operator's routes, and that of the market's fee, one for all skills that wait for it. The
    /// gate refuses an empty table, so there is always one.
    pub fn first_routes(&self) -> String {
        const PATH: &str = "/api/marketplace/*";
        let own = self.own_routes.trim();
        let inner = own.strip_prefix('[').and_then(|own| own.strip_suffix(']')).unwrap_or_default();
        let free = Members::new().text("path", PATH).text("price", "free").done();
        let free = (!inner.contains(&quoted(PATH))).then_some(free);
        let fee = self.fee.zip(self.pay_to).map(|(fee, pay_to)| {
            route("/fees/*", "POST", fee, pay_to)
                .text("settle", "before")
                .raw("idempotent", "true")
                .text("description", "the market's fee for a skill")
                .done()
        });
        let inner = (!inner.trim().is_empty()).then(|| inner.to_string());
        list(free.into_iter().chain(fee).chain(inner))
    }

    /// The routes of a skill.
    pub fn routes_of(&self, skill: &SkillRow, version: &VersionRow) -> Vec<String> {
        let path = |kind: &str| alloc::format!("/{kind}/{}", skill.id);
        let mut routes = Vec::new();
        if !skill.active || skill.owes {
            return routes;
        }
        // The market's networks may have changed since: what is sold on none of them has the route of
        // another one, which the gate refuses.
        let is_sold_on =
            |network: &ChainId| version.networks.iter().any(|it| network.as_str() == it);
        let everywhere = self.networks.iter().all(is_sold_on);
        let served = self.networks.iter().find(|network| is_sold_on(network));
        let first = served.map(ChainId::as_str).or(version.networks.first().map(String::as_str));
        let single = |members: Members| match first {
            Some(network) if !everywhere => members.text("network", network),
            _ => members,
        };
        if version.charges == Charges::Gate {
            let members = single(
                route(&path("s"), &version.method, &version.price, &skill.owner)
                    .text("asset", &version.asset)
                    .text("settle", &version.settle)
                    .text("description", &describe(skill)),
            );
            let members = if version.bazaar.is_empty() {
                members
            } else {
                members.raw("bazaar", &version.bazaar)
            };
            routes.push(members.done());
        }
        for (plan, price) in plans(&version.packs) {
            let path = alloc::format!("{}/{plan}", path("packs"));
            let members = single(
                route(&path, "POST", &price, &skill.owner)
                    .text("settle", "before")
                    // A payment makes one pack, however often it is told.
                    .raw("idempotent", "true")
                    .text("description", &describe_pack(&plan, &skill.id)),
            );
            routes.push(members.done());
        }
        routes
    }
}

/// Makes it due to look at the table that is stored.
pub(super) fn note_look<B: Rows>(books: &B, moment: Now<'_>) -> Applied<B> {
    let table = books.table()?;
    let due = table.due.map_or(moment.now, |due| due.min(moment.now));
    let changes = Vec::from([Change::Table(TableRow { due: Some(due), ..table })]);
    Ok(Decision { answer: Answer::Nothing, changes })
}

/// The change after a look that found nothing to do.
fn end_look(table: TableRow) -> Option<Change> {
    table.due.map(|_| Change::Table(TableRow { due: None, failures: 0, ..table }))
}

/// Notes that a table was written.
pub(super) fn note_written<B: Rows>(
    books: &B,
    revision: u64,
    refused: &[(String, String)],
    moment: Now<'_>,
) -> Applied<B> {
    let table = books.table()?;
    let is_newest = revision == table.wanted;
    let written = if is_newest { table.wanted } else { table.written.max(revision) };
    let written = written.min(table.wanted);
    // At most one write a second.
    let due = (written < table.wanted).then(|| moment.now.saturating_add(BACKOFF_MS));
    let mut changes = Vec::from([Change::Table(TableRow { written, due, failures: 0, ..table })]);
    for (id, why) in refused {
        if let Some(skill) = books.skill(id)?
            && skill.refused.as_deref() != Some(why)
        {
            let why: String = why.chars().take(256).collect();
            changes.push(Change::Skill(Box::new(SkillRow { refused: Some(why), ..skill })));
        }
    }
    // A newer version may be in another revision than the one that was read.
    let read = if is_newest { books.catalogue(None, u32::MAX)? } else { Vec::new() };
    for (skill, _) in read {
        let is_taken = !skill.owes && !refused.iter().any(|(id, _)| *id == skill.id);
        if is_taken && skill.refused.is_some() {
            changes.push(Change::Skill(Box::new(SkillRow { refused: None, ..skill })));
        }
    }
    Ok(Decision { answer: Answer::Nothing, changes })
}

/// Notes that a table could not be read or written.
pub(super) fn note_failure<B: Rows>(books: &B, moment: Now<'_>) -> Applied<B> {
    let table = books.table()?;
    if table.due.is_none() {
        return Ok(Decision::told(Answer::Nothing));
    }
    let failures = table.failures.saturating_add(1);
    let doublings = u32::try_from(table.failures.min(10)).unwrap_or(10);
    let wait = BACKOFF_MS.saturating_mul(2_u64.saturating_pow(doublings)).min(MAX_BACKOFF_MS);
    let due = Some(moment.now.saturating_add(wait));
    let changes = Vec::from([Change::Table(TableRow { due, failures, ..table })]);
    Ok(Decision { answer: Answer::Nothing, changes })
}

fn route(path: &str, method: &str, price: &str, pay_to: &str) -> Members {
    Members::new()
        .text("path", path)
        .raw("methods", &list([quoted(method)]))
        .text("price", price)
        .text("pay_to", pay_to)
}

/// A pack in words, for the gate's documents.
fn describe_pack(plan: &str, id: &str) -> String {
    let calls = calls_of(plan).unwrap_or_default();
    alloc::format!("{plan} pack of {id}: {calls} calls")
}

/// Name and description in one line that the gate accepts. The gate's documents show it beside words of
/// the gate, so it begins with whose word it is.
fn describe(skill: &SkillRow) -> String {
    let whose = "The seller says: ";
    let whole = alloc::format!("{whose}{}: {}", skill.name, skill.description);
    let mut text = String::new();
    for c in single_line(&whole) {
        if text.len().saturating_add(c.len_utf8()) > MAX_DESCRIPTION {
            break;
        }
        text.push(c);
    }
    text
}
