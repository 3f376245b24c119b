//! Requests of the operator. Answers are JSON; refusals are problems with a code.

pub(super) mod agents;
pub(super) mod lists;
pub mod reply;
pub(super) mod reviews;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use self::reply::{no_agent, not_found, ok, problem, put_rules, rules_of};
use super::books::{Change, Rows};
use super::config::Owners;
use super::config::accounts::of_rules;
use super::kernel::{Decision, Now};
use super::policy::Rules;
use super::row::Scope;

/// Rules of organizations and agents.
pub(super) struct Policies<'t> {
    pub owners: &'t Owners,
}

impl Policies<'_> {
    /// The organization with its agents, rules and wallets.
    pub fn overview<B: Rows>(&self, books: &B, scene: Now<'_>) -> Result<Decision, B::Error> {
        let Some(organization) = self.owners.organization(scene.organization) else {
            return Ok(Decision::reply(not_found("organization")));
        };
        let policy = books.policy(&Scope::Organization)?;
        let mut agents: Vec<Value> = Vec::new();
        for agent in books.agents()? {
            let own = books.policy(&Scope::Agent(agent.name.clone()))?;
            agents.push(json!({
                "name": agent.name,
                "disabled": agent.disabled,
                "policy": own.as_ref().map(rules_of),
                "policyVersion": own.as_ref().map(|row| row.version),
            }));
        }
        let wallets = self.owners.wallets.iter().map(|wallet| {
            json!({
                "name": wallet.name,
                "address": wallet.address().map(|address| address.to_checksum()),
                "networks": wallet.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        Ok(ok(&json!({
            "name": organization.name,
            "environment": organization.environment.name(),
            "policy": policy.as_ref().map(rules_of),
            "policyVersion": policy.as_ref().map(|row| row.version),
            "agents": agents,
            "wallets": wallets.collect::<Vec<_>>(),
        })))
    }

    /// Puts the rules of a scope under the next version.
    pub fn put_policy<B: Rows>(
        &self,
        books: &B,
        scope: Scope,
        document: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if let Scope::Agent(name) = &scope
            && books.agent(name)?.is_none()
        {
            return no_agent(books, name);
        }
        let known = |name: &String| self.owners.wallets.iter().any(|wallet| wallet.name == *name);
        let rules = match Rules::read_proposal(document, &scope) {
            Ok(rules) => rules,
            Err(faults) => {
                let say =
                    |(member, remedy): &(String, String)| alloc::format!("{member}: {remedy}");
                let said: Vec<String> = faults.iter().map(say).collect();
                return Ok(Decision::reply(problem(400, "invalid_policy", &said.join("; "))));
            }
        };
        if rules.wallet.as_ref().is_some_and(|name| !known(name)) {
            let said = "wallet: is not the name of a wallet in WALLETS";
            return Ok(Decision::reply(problem(400, "invalid_policy", said)));
        }
        if let Some(other) = self.sharer(books, &scope, &rules, scene)? {
            let said = alloc::format!(
                "wallet: is that of {other}, whose payments its books would count; name another one"
            );
            return Ok(Decision::reply(problem(400, "invalid_policy", &said)));
        }
        let changes = put_rules(books, scope, document, scene.now)?;
        let version = changes.iter().find_map(|change| match change {
            Change::Policy(row) => Some(row.version),
            _ => None,
        });
        Ok(Decision { answer: ok(&json!({"version": version})).answer, changes })
    }

    /// The organization that begins with rules by which it pays from an account of these.
    fn sharer<B: Rows>(
        &self,
        books: &B,
        scope: &Scope,
        rules: &Rules,
        scene: Now<'_>,
    ) -> Result<Option<&str>, B::Error> {
        let Some(organization) = self.owners.organization(scene.organization) else {
            return Ok(None);
        };
        let of = |whole: &Rules, own| {
            of_rules(whole, own, organization.environment, &self.owners.wallets)
        };
        let own = match scope {
            Scope::Organization | Scope::Payouts => of(rules, None),
            Scope::Agent(_) => {
                let whole = books.policy(&Scope::Organization)?;
                let whole = whole.and_then(|row| Rules::from_json(&row.document).ok());
                of(&whole.unwrap_or_default(), Some(rules))
            }
        };
        Ok(self.owners.owner_beside(&organization.name, &own))
    }
}
