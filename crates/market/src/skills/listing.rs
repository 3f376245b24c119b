//! The market's listings of its skills.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::Rows;
use super::kernel::{Applied, Decision};
use super::message::{Answer, Response};
use super::offered::{Cursor, Edition, Fee, Offered};
use super::refused;
use super::row::{Charges, SkillRow, TableRow, VersionRow};
use crate::text::{Members, list, quoted};

/// Most skills that are told at once: a text of the object has to stay below 32 MiB, two bytes a character, whatever owners wrote.
const PART: u32 = 100;

/// Listings of a market's skills.
#[derive(Clone, Copy)]
pub(super) struct Listings<'m> {
    /// The origin of the market.
    pub url: &'m str,
    /// Its fee of a new skill, dollars.
    pub fee: Option<&'m str>,
}

impl Listings<'_> {
    /// A skill as JSON.
    pub fn write(&self, skill: &SkillRow, version: &VersionRow) -> String {
        self.offer(skill.clone(), version.clone(), &TableRow::default()).write(self.url)
    }

    /// Where a stock client buys a skill.
    pub fn address(&self, skill: &SkillRow, version: &VersionRow) -> String {
        match version.charges {
            Charges::Gate => alloc::format!("{}/s/{}", self.url, skill.id),
            Charges::Seller => version.call_url.clone(),
        }
    }

    /// One skill, with all its versions.
    pub fn show<B: Rows>(&self, books: &B, id: &str) -> Applied<B> {
        let (skill, latest) = or_reply!(find(books, id)?.ok_or_else(refused::no_skill));
        let names = list(books.version_names(id)?.iter().map(|name| quoted(name)));
        let body =
            Members::ok().raw("skill", &self.write(&skill, &latest)).raw("versions", &names).done();
        Ok(Decision::reply(Response::json(200, body)))
    }

    /// A listed skill, as its page and document show it, with all its versions.
    pub fn look<B: Rows>(&self, books: &B, id: &str) -> Applied<B> {
        let table = books.table()?;
        let mut skills = Vec::new();
        if let Some((skill, version)) = find(books, id)?.filter(|(skill, _)| skill.is_listed()) {
            let versions = books.version_names(id)?;
            skills.push(Offered { versions, ..self.offer(skill, version, &table) });
        }
        Ok(Decision::told(Answer::Skills { edition: Edition::of(&table), skills, next: None }))
    }

    /// The part of the list of skills that comes after this one.
    pub fn list<B: Rows>(&self, books: &B, after: Option<&Cursor>) -> Applied<B> {
        let table = books.table()?;
        let found = books.catalogue(after, PART)?;
        let is_full = u32::try_from(found.len()).is_ok_and(|found| found >= PART);
        let last = found.last().filter(|_| is_full);
        let next = last.map(|(skill, _)| Cursor { created: skill.created, id: skill.id.clone() });
        let listed = found.into_iter().filter(|(skill, _)| skill.is_listed());
        let skills = listed.map(|(skill, version)| self.offer(skill, version, &table)).collect();
        Ok(Decision::told(Answer::Skills { edition: Edition::of(&table), skills, next }))
    }

    /// A skill as it is sold, with this state of the gate's route table.
    fn offer(&self, skill: SkillRow, version: VersionRow, table: &TableRow) -> Offered {
        let is_written = table.written >= table.wanted && skill.refused.is_none();
        let fee = |price: &str| Fee { price: price.to_string(), is_paid: !skill.owes };
        Offered {
            url: self.address(&skill, &version),
            live: version.charges == Charges::Seller || is_written,
            fee: self.fee.map(fee),
            charges: version.charges.name().to_string(),
            id: skill.id,
            name: skill.name,
            description: skill.description,
            agent: skill.agent,
            owner: skill.owner,
            active: skill.active,
            created: skill.created,
            refused: skill.refused,
            versions: Vec::from([version.version.clone()]),
            version: version.version,
            price: version.price,
            asset: version.asset,
            networks: version.networks,
            xlm: version.xlm,
            settle: version.settle,
            method: version.method,
            call_url: version.call_url,
            bazaar: version.bazaar,
            packs: version.packs,
        }
    }
}

/// A skill with the version that is sold.
fn find<B: Rows>(books: &B, id: &str) -> Result<Option<(SkillRow, VersionRow)>, B::Error> {
    let Some(skill) = books.skill(id)? else { return Ok(None) };
    let version = books.version(id, &skill.latest)?;
    Ok(version.map(|version| (skill, version)))
}
