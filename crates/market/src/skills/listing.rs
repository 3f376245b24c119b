//! The market's listings of its skills.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::books::Rows;
use super::kernel::{Applied, Decision};
use super::message::{Answer, Response};
use super::offered::{Edition, Offered};
use super::refused;
use super::row::{Charges, SkillRow, VersionRow};
use crate::text::{Members, list, number, quoted};

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
        let members = Members::new()
            .text("id", &skill.id)
            .text("agentId", &skill.agent)
            .text("name", &skill.name)
            .text("description", &skill.description);
        let members = match &version.xlm {
            Some(xlm) => members.raw("priceXLM", number(xlm)),
            None => members,
        };
        let members = members
            .text("callUrl", &version.call_url)
            .raw("active", if skill.active { "true" } else { "false" })
            .number("createdAt", skill.created)
            .text("payTo", &skill.owner)
            .text("charges", version.charges.name())
            .text("version", &version.version)
            .text("price", &version.price)
            .text("asset", &version.asset)
            .raw("networks", &list(version.networks.iter().map(|it| quoted(it))))
            .text("url", &self.address(skill, version));
        let members =
            if version.packs.is_empty() { members } else { members.raw("packs", &version.packs) };
        let members = match self.fee {
            None => members,
            Some(fee) => {
                let paid = if skill.owes { "false" } else { "true" };
                let url = alloc::format!("{}/fees/{}", self.url, skill.id);
                let fee = Members::new().text("price", fee).raw("paid", paid).text("url", &url);
                members.raw("fee", &fee.done())
            }
        };
        match &skill.refused {
            Some(why) => members.text("refused", why).done(),
            None => members.done(),
        }
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
        let skill = or_reply!(books.skill(id)?.ok_or_else(refused::no_skill));
        let versions = books.versions(id)?;
        let latest = or_reply!(
            versions.iter().find(|it| it.version == skill.latest).ok_or_else(refused::no_skill)
        );
        let names = list(versions.iter().map(|it| quoted(&it.version)));
        let body =
            Members::ok().raw("skill", &self.write(&skill, latest)).raw("versions", &names).done();
        Ok(Decision::reply(Response::json(200, body)))
    }

    /// The skills as lists, pages and documents show them.
    pub fn list_offers<B: Rows>(&self, books: &B, only: Option<&str>) -> Applied<B> {
        let table = books.table()?;
        let found = match only {
            None => books.catalogue()?,
            Some(id) => find(books, id)?.into_iter().collect(),
        };
        let mut skills = Vec::new();
        for (skill, version) in found.into_iter().filter(|(skill, _)| skill.is_listed()) {
            let versions = match only {
                None => Vec::from([version.version.clone()]),
                Some(id) => books.versions(id)?.into_iter().map(|it| it.version).collect(),
            };
            let is_written = table.written >= table.wanted && skill.refused.is_none();
            let mut offered = Offered {
                listed: self.write(&skill, &version),
                url: self.address(&skill, &version),
                live: version.charges == Charges::Seller || is_written,
                fee: self.fee.map(|fee| (alloc::format!("${fee}"), !skill.owes)),
                charges: version.charges.name().to_string(),
                id: skill.id,
                name: skill.name,
                description: skill.description,
                agent: skill.agent,
                owner: skill.owner,
                created: skill.created,
                version: version.version,
                versions,
                price: version.price,
                asset: version.asset,
                networks: version.networks,
                xlm: version.xlm,
                method: version.method,
                bazaar: version.bazaar,
            };
            // What tells of many skills shows the beginning, and what an object tells at once has a bound.
            if only.is_none() {
                offered.description = offered.summary().into_owned();
            }
            skills.push(offered);
        }
        Ok(Decision::told(Answer::Skills { edition: Edition::of(&table), skills }))
    }
}

/// A skill with the version that is sold.
fn find<B: Rows>(books: &B, id: &str) -> Result<Option<(SkillRow, VersionRow)>, B::Error> {
    let Some(skill) = books.skill(id)? else { return Ok(None) };
    let version = books.version(id, &skill.latest)?;
    Ok(version.map(|version| (skill, version)))
}
