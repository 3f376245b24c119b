//! Agents, and their keys and tokens.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::reply::{logged, not_found, ok, problem, time, told};
use crate::access::bootstrap;
use crate::books::{Change, Rows};
use crate::config::Treasury;
use crate::id::Fresh;
use crate::kernel::{Decision, Now};
use crate::message::{Answer, Reply};
use crate::notice;
use crate::row::{AgentRow, Scope, TokenKind, TokenRow};
use crate::token::{Token, is_name};
use farebox_base::mutant::{Mutant, planted};

impl Treasury {
    pub(super) fn agents<B: Rows>(&self, books: &B) -> Result<Decision, B::Error> {
        let mut items: Vec<Value> = Vec::new();
        for agent in books.agents()? {
            let version = books.policy(&Scope::Agent(agent.name.clone()))?.map(|row| row.version);
            items.push(json!({
                "name": agent.name,
                "disabled": agent.disabled,
                "createdAt": time(agent.created),
                "policyVersion": version,
            }));
        }
        Ok(ok(&json!({"items": items})))
    }

    pub(super) fn put_agent<B: Rows>(
        &self,
        books: &B,
        name: &str,
        disabled: bool,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if !is_name(name) {
            let detail = "an agent's name has 3 to 64 of a-z, 0-9 and single dashes";
            return Ok(told(problem(400, "invalid_name", detail)));
        }
        let known = books.agent(name)?;
        if known.is_none() && disabled {
            return Ok(told(not_found("agent")));
        }
        let row = known.unwrap_or_else(|| AgentRow::new(name.to_string(), scene.now.secs()));
        let told = (disabled && !row.disabled).then(|| notice::agent_disabled(name, scene.now));
        let (created, row) = (row.created, AgentRow { disabled, ..row });
        let what = if disabled { "agent.disabled" } else { "agent.enabled" };
        let body = json!({"name": name, "disabled": disabled, "createdAt": time(created)});
        let mut changes = Vec::from([Change::Agent(row)]);
        // For good: who enables the agent again gives it new ones.
        for row in books.tokens(name)? {
            if disabled && !row.revoked && !planted(Mutant::DisabledKeepTokens) {
                changes.push(Change::Token(TokenRow { revoked: true, ..row }));
            }
        }
        changes.extend(told.map(Change::Outbox));
        changes.push(logged(what, name, None, "", scene.now));
        Ok(Decision { answer: ok(&body).answer, changes })
    }

    pub(super) fn issue_key<B: Rows>(
        &self,
        books: &B,
        agent: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if books.agent(agent)?.is_none_or(|agent| agent.disabled) {
            return Ok(told(not_found("agent")));
        }
        let random = Fresh::of(scene.random).token;
        let token = Token::new(TokenKind::Bootstrap, scene.organization, &random);
        let row = bootstrap(&token.id, &token.hash(), agent, scene.now);
        let body = json!({"id": token.id, "agent": agent, "bootstrapKey": token.to_text()});
        let reply = Reply::json(201, body.to_string());
        let log = logged("key.issued", &token.id, None, agent, scene.now);
        let changes = [Change::Token(row), log].into();
        Ok(Decision { answer: Answer::Reply(reply), changes })
    }

    pub(super) fn list_tokens<B: Rows>(
        &self,
        books: &B,
        agent: &str,
        kind: TokenKind,
    ) -> Result<Decision, B::Error> {
        if books.agent(agent)?.is_none() {
            return Ok(told(not_found("agent")));
        }
        let rows = books.tokens(agent)?;
        let items: Vec<Value> = rows.iter().filter(|row| row.kind == kind).map(shown).collect();
        Ok(ok(&json!({"items": items})))
    }

    pub(super) fn revoke_key<B: Rows>(
        &self,
        books: &B,
        id: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let Some(key) = books.token(id)?.filter(|row| row.kind == TokenKind::Bootstrap) else {
            return Ok(told(not_found("bootstrap key")));
        };
        let mut changes = Vec::new();
        for row in books.tokens(&key.agent)? {
            let is_its = row.id == key.id || row.parent.as_deref() == Some(id);
            if is_its && !row.revoked {
                changes.push(Change::Token(TokenRow { revoked: true, ..row }));
            }
        }
        if !key.revoked {
            changes.push(Change::Outbox(notice::key_revoked(id, &key.agent, scene.now)));
        }
        changes.push(logged("key.revoked", id, None, &key.agent, scene.now));
        Ok(Decision { answer: ok(&json!({"id": id, "revoked": true})).answer, changes })
    }

    pub(super) fn revoke_tokens<B: Rows>(
        &self,
        books: &B,
        agent: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if books.agent(agent)?.is_none() {
            return Ok(told(not_found("agent")));
        }
        let mut changes = Vec::new();
        for row in books.tokens(agent)? {
            if row.kind == TokenKind::Runtime && !row.revoked {
                changes.push(Change::Token(TokenRow { revoked: true, ..row }));
            }
        }
        let revoked = changes.len();
        changes.push(logged("tokens.revoked", agent, None, "", scene.now));
        Ok(Decision { answer: ok(&json!({"revoked": revoked})).answer, changes })
    }
}

fn shown(row: &TokenRow) -> Value {
    json!({
        "id": row.id,
        "agent": row.agent,
        "createdAt": time(row.created),
        "expiresAt": row.expires.map(time),
        "revoked": row.revoked,
        "bootstrapKey": row.parent.as_ref().filter(|_| !row.is_seeded()),
    })
}
