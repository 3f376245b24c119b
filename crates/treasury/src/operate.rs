//! Requests of the operator. Answers are JSON; refusals are problems with a code.

mod agents;
pub(super) mod lists;
pub mod reply;
pub(super) mod reviews;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use self::reply::{not_found, ok, problem, put_rules, rules_of, told};
use super::books::{Change, Rows};
use super::config::Organization;
use super::config::Treasury;
use super::config::accounts::{PayingAccount, of_rules, shared};
use super::kernel::{Decision, Now};
use super::message::Operation;
use super::policy::Rules;
use super::row::{Scope, TokenKind};

impl Treasury {
    /// Carries out a request of the operator.
    pub(super) fn operate<B: Rows>(
        &self,
        books: &B,
        operation: Operation,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        match operation {
            Operation::Overview => self.overview(books, scene),
            Operation::PutPolicy(scope, document) => {
                self.put_policy(books, scope, &document, scene)
            }
            Operation::Agents => self.agents(books),
            Operation::PutAgent(name) => self.put_agent(books, &name, false, scene),
            Operation::DisableAgent(name) => self.put_agent(books, &name, true, scene),
            Operation::IssueKey(agent) => self.issue_key(books, &agent, scene),
            Operation::Keys(agent) => self.list_tokens(books, &agent, TokenKind::Bootstrap),
            Operation::RevokeKey(id) => self.revoke_key(books, &id, scene),
            Operation::Tokens(agent) => self.list_tokens(books, &agent, TokenKind::Runtime),
            Operation::RevokeTokens(agent) => self.revoke_tokens(books, &agent, scene),
            Operation::Budgets => self.budgets(books, scene),
            Operation::Reviews(listing) => self.reviews(books, &listing, scene),
            Operation::Approve(id) => self.answer_review(books, &id, true, scene),
            Operation::Deny(id) => self.answer_review(books, &id, false, scene),
            Operation::Decisions(listing) => self.list_decisions(books, &listing),
            Operation::Decision(id) => self.one_decision(books, &id, scene),
            Operation::Export(listing, format) => self.export(books, &listing, &format, scene),
            Operation::Audit(listing) => self.audit(books, &listing),
            Operation::Log(listing) => self.list_log(books, &listing),
            Operation::Metrics => self.metrics(books),
            Operation::PayOut(body) => self.pay_out(books, &body, None, scene),
            Operation::PayOutFrom(wallet, body) => self.pay_out(books, &body, Some(&wallet), scene),
            Operation::Payouts(listing) => self.payouts(books, &listing),
            Operation::Payout(id) => self.one_payout(books, &id, None),
            Operation::PayoutFrom(wallet, id) => self.one_payout(books, &id, Some(&wallet)),
        }
    }

    fn overview<B: Rows>(&self, books: &B, scene: Now<'_>) -> Result<Decision, B::Error> {
        let Some(organization) = self.organization(scene.organization) else {
            return Ok(told(not_found("organization")));
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
        let wallets = self.wallets.iter().map(|wallet| {
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

    fn put_policy<B: Rows>(
        &self,
        books: &B,
        scope: Scope,
        document: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if let Scope::Agent(name) = &scope
            && books.agent(name)?.is_none()
        {
            return Ok(told(not_found("agent")));
        }
        let known = |name: &String| self.wallets.iter().any(|wallet| wallet.name == *name);
        let rules = match Rules::proposed(document, &scope) {
            Ok(rules) => rules,
            Err(faults) => {
                let say =
                    |(member, remedy): &(String, String)| alloc::format!("{member}: {remedy}");
                let said: Vec<String> = faults.iter().map(say).collect();
                return Ok(told(problem(400, "invalid_policy", &said.join("; "))));
            }
        };
        if rules.wallet.as_ref().is_some_and(|name| !known(name)) {
            let said = "wallet: is not the name of a wallet in WALLETS";
            return Ok(told(problem(400, "invalid_policy", said)));
        }
        if let Some(other) = self.sharer(books, &scope, &rules, scene)? {
            let said = alloc::format!(
                "wallet: is that of {other}, whose payments its books would count; name another one"
            );
            return Ok(told(problem(400, "invalid_policy", &said)));
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
        let Some(organization) = self.organization(scene.organization) else { return Ok(None) };
        let of = |whole: &Rules, own| of_rules(whole, own, organization.environment, &self.wallets);
        let own = match scope {
            Scope::Organization | Scope::Payouts => of(rules, None),
            Scope::Agent(_) => {
                let whole = books.policy(&Scope::Organization)?;
                let whole = whole.and_then(|row| Rules::from_json(&row.document).ok());
                of(&whole.unwrap_or_default(), Some(rules))
            }
        };
        Ok(self.owner_beside(&organization.name, &own))
    }

    /// The other organization whose rules pay from one of these accounts to begin with.
    pub(crate) fn owner_beside(&self, name: &str, accounts: &[PayingAccount]) -> Option<&str> {
        let mut others = self.organizations.iter().filter(|it| it.name != name);
        let owns = |it: &&Organization| shared(accounts, &it.accounts(&self.wallets)).is_some();
        others.find(owns).map(|it| it.name.as_str())
    }
}
