//! Requests of the operator. Answers are JSON; refusals are problems with a code.

mod agents;
mod lists;
mod reviews;

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

pub(super) use self::reviews::review_notice;
use super::books::{Books, Change};
use super::message::{Answer, Operation, Reply};
use super::policy::Rules;
use super::row::{LogRow, PolicyRow, Scope};
use super::{Decided, Scene, Treasury};
use crate::time::UnixTime;

impl Treasury {
    /// Carries out a request of the operator.
    pub(super) fn operate<B: Books>(
        &self,
        books: &B,
        operation: Operation,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        match operation {
            Operation::Overview => self.overview(books, scene),
            Operation::PutPolicy(scope, document) => {
                self.put_policy(books, scope, &document, scene)
            }
            Operation::Agents => self.agents(books),
            Operation::PutAgent(name) => self.put_agent(books, &name, false, scene),
            Operation::DisableAgent(name) => self.put_agent(books, &name, true, scene),
            Operation::IssueKey(agent) => self.issue_key(books, &agent, scene),
            Operation::Keys(agent) => {
                self.list_tokens(books, &agent, super::row::TokenKind::Bootstrap)
            }
            Operation::RevokeKey(id) => self.revoke_key(books, &id, scene),
            Operation::Tokens(agent) => {
                self.list_tokens(books, &agent, super::row::TokenKind::Runtime)
            }
            Operation::RevokeTokens(agent) => self.revoke_tokens(books, &agent, scene),
            Operation::Budgets => self.budgets(books, scene),
            Operation::Reviews(listing) => self.reviews(books, &listing),
            Operation::Approve(id) => self.answer_review(books, &id, true, scene),
            Operation::Deny(id) => self.answer_review(books, &id, false, scene),
            Operation::Decisions(listing) => self.list_decisions(books, &listing),
            Operation::Decision(id) => self.one_decision(books, &id, scene),
            Operation::Export(listing, format) => self.export(books, &listing, &format, scene),
            Operation::Audit(listing) => self.audit(books, &listing),
            Operation::Log(listing) => self.list_log(books, &listing),
            Operation::Metrics => self.metrics(books),
        }
    }

    fn overview<B: Books>(&self, books: &B, scene: Scene<'_>) -> Result<Decided, B::Error> {
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

    fn put_policy<B: Books>(
        &self,
        books: &B,
        scope: Scope,
        document: &str,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        if let Scope::Agent(name) = &scope
            && books.agent(name)?.is_none()
        {
            return Ok(told(not_found("agent")));
        }
        let known = |name: &String| self.wallets.iter().any(|wallet| wallet.name == *name);
        match Rules::from_json(document) {
            Err(faults) => {
                let say =
                    |(member, remedy): &(String, String)| alloc::format!("{member}: {remedy}");
                let said: Vec<String> = faults.iter().map(say).collect();
                return Ok(told(problem(400, "invalid_policy", &said.join("; "))));
            }
            Ok(rules) if rules.wallet.as_ref().is_some_and(|name| !known(name)) => {
                let said = "wallet: is not the name of a wallet in WALLETS";
                return Ok(told(problem(400, "invalid_policy", said)));
            }
            Ok(_) => {}
        }
        let changes = put_rules(books, scope, document, scene.now)?;
        let version = changes.iter().find_map(|change| match change {
            Change::Policy(row) => Some(row.version),
            _ => None,
        });
        let version = match version {
            Some(version) => version,
            None => 0,
        };
        Ok(Decided { answer: ok(&json!({"version": version})).answer, changes })
    }
}

/// The writes that put rules, under the next version.
pub(super) fn put_rules<B: Books>(
    books: &B,
    scope: Scope,
    document: &str,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let version = books.policy(&scope)?.map_or(0, |row| row.version).saturating_add(1);
    let subject = scope.key();
    let (document, changed) = (document.to_string(), now.secs());
    let log = logged("policy.changed", &subject, Some(version), &document, now);
    let row = PolicyRow { scope, version, document, changed };
    Ok(Vec::from([Change::Policy(row), log]))
}

/// A line of the log.
pub(super) fn logged(
    what: &str,
    subject: &str,
    version: Option<u64>,
    note: &str,
    now: UnixTime,
) -> Change {
    Change::Log(LogRow {
        at: now.secs(),
        what: what.to_string(),
        subject: subject.to_string(),
        version,
        note: note.to_string(),
    })
}

fn rules_of(row: &PolicyRow) -> Value {
    crate::encoding::json::parse(row.document.as_bytes()).unwrap_or_default()
}

pub(super) fn told(reply: Reply) -> Decided {
    Decided::told(Answer::Reply(reply))
}

pub(super) fn ok(body: &Value) -> Decided {
    told(Reply::json(200, body.to_string()))
}

/// A refusal. Spec: RFC 9457.
#[must_use]
pub fn problem(status: u32, code: &str, detail: &str) -> Reply {
    let title = code.replace('_', " ");
    let body = json!({
        "type": alloc::format!("urn:farebox:problem:{code}"),
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
    });
    let mut reply = Reply::json(status, body.to_string());
    for (name, value) in &mut reply.headers {
        if name == "content-type" {
            *value = "application/problem+json".to_string();
        }
    }
    reply
}

fn not_found(what: &str) -> Reply {
    problem(404, "not_found", &alloc::format!("there is no such {what}"))
}
