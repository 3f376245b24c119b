//! The configuration's seeds: applied once for each version of it, and never in part.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::access::bootstrap;
use super::books::{Change, Rows};
use super::config::{Organization, Owners};
use super::kernel::Now;
use super::operate::reply::{log_line, put_rules};
use super::row::{AgentRow, Removal, Scope, TokenRow};

/// The writes for what the configuration seeds, once for each version of it. To be carried out
/// before the first command of an object.
pub(super) fn seed<B: Rows>(
    books: &B,
    owners: &Owners,
    scene: Now<'_>,
) -> Result<Vec<Change>, B::Error> {
    let mut changes = Vec::new();
    let Some(organization) = owners.organization(scene.organization) else {
        return Ok(changes);
    };
    if books.removal()?.is_none() {
        changes.push(Change::Removal(Removal::new(scene.now)));
    }
    if books.seed()?.as_ref() == Some(&organization.version) {
        return Ok(changes);
    }
    let now = scene.now;
    // Before those that are new: one may have the id of another.
    changes.extend(take_back(books, organization)?);
    if let Some(policy) = &organization.policy {
        changes.extend(put_rules(books, Scope::Organization, policy, now)?);
    }
    for agent in &organization.agents {
        // An agent that the operator has disabled stays so.
        let known = books.agent(&agent.name)?;
        let row = known.unwrap_or_else(|| AgentRow::new(agent.name.clone(), now.secs()));
        changes.push(Change::Agent(row));
        if let Some(policy) = &agent.policy {
            let scope = Scope::Agent(agent.name.clone());
            changes.extend(put_rules(books, scope, policy, now)?);
        }
        let Some((id, hash)) = &agent.key else { continue };
        let is_it = |row: TokenRow| row.hash == *hash && row.agent == agent.name;
        if !books.token(id)?.is_some_and(is_it) {
            let row = bootstrap(id, hash, &agent.name, now);
            let parent = Some(TokenRow::SEEDED.to_string());
            changes.push(Change::Token(TokenRow { parent, ..row }));
        }
    }
    changes.push(log_line("seed.applied", scene.organization, None, "", now));
    changes.push(Change::Seed(organization.version.to_string()));
    Ok(changes)
}

/// The writes that take back the keys that an earlier version of the configuration seeded and this
/// one does not, with their runtime tokens.
fn take_back<B: Rows>(books: &B, organization: &Organization) -> Result<Vec<Change>, B::Error> {
    let mut changes = Vec::new();
    for agent in books.agents()? {
        let seed = organization.agents.iter().find(|seed| seed.name == agent.name);
        let key = seed.and_then(|seed| seed.key.as_ref());
        let stays = |row: &TokenRow| {
            let is_it = key.is_some_and(|(id, hash)| *id == row.id && *hash == row.hash);
            !row.is_seeded() || is_it
        };
        let rows = books.tokens(&agent.name)?;
        let gone: Vec<String> =
            rows.iter().filter(|row| !stays(row)).map(|row| row.id.clone()).collect();
        for row in rows {
            let is_gone = |id: &String| gone.contains(id);
            if !row.revoked && (is_gone(&row.id) || row.parent.as_ref().is_some_and(is_gone)) {
                changes.push(Change::Token(TokenRow { revoked: true, ..row }));
            }
        }
    }
    Ok(changes)
}
