//! What the configuration seeds: applied once for each version of it, and never in part.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::access::bootstrap;
use super::books::{Books, Change};
use super::operate::reply::{logged, put_rules};
use super::row::{AgentRow, Scope};
use super::{Scene, Treasury};

impl Treasury {
    /// The writes for what the configuration seeds, once for each version of it. To be carried out
    /// before the first command of an object.
    ///
    /// # Errors
    /// An error of the storage.
    pub fn seed<B: Books>(&self, books: &B, scene: Scene<'_>) -> Result<Vec<Change>, B::Error> {
        let mut changes = Vec::new();
        let Some(organization) = self.organization(scene.organization) else { return Ok(changes) };
        if books.seed()?.as_ref() == Some(&organization.version) {
            return Ok(changes);
        }
        let now = scene.now;
        if let Some(policy) = &organization.policy {
            changes.extend(put_rules(books, Scope::Organization, policy, now)?);
        }
        for agent in &organization.agents {
            let known = books.agent(&agent.name)?;
            let created = known.as_ref().map_or(now.secs(), |agent| agent.created);
            let name = agent.name.clone();
            // An agent that the operator has disabled stays so.
            let disabled = known.is_some_and(|agent| agent.disabled);
            changes.push(Change::Agent(AgentRow { name, disabled, created }));
            if let Some(policy) = &agent.policy {
                let scope = Scope::Agent(agent.name.clone());
                changes.extend(put_rules(books, scope, policy, now)?);
            }
            let Some((id, hash)) = &agent.key else { continue };
            if books.token(id)?.is_none() {
                changes.push(Change::Token(bootstrap(id, hash, &agent.name, now)));
            }
        }
        changes.push(logged("seed.applied", scene.organization, None, "", now));
        changes.push(Change::Seed(organization.version.to_string()));
        Ok(changes)
    }
}
