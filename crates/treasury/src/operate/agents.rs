//! Agents, and their keys and tokens.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::reply::{log_line, no_agent, not_found, ok, problem, time};
use super::reviews::end_reviews;
use crate::access::bootstrap;
use crate::books::{Change, Rows};
use crate::id::Fresh;
use crate::kernel::{Decision, Now};
use crate::message::{Answer, Reply};
use crate::notice;
use crate::row::{AgentRow, Scope, TokenKind, TokenRow};
use crate::token::{Token, is_name};

/// All agents.
pub(crate) fn list_agents<B: Rows>(books: &B) -> Result<Decision, B::Error> {
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

/// Enables an agent, which begins with it unless it is there.
pub(crate) fn enable_agent<B: Rows>(
    books: &B,
    name: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    if !is_name(name) {
        return Ok(Decision::reply(invalid_name()));
    }
    let known = books.agent(name)?;
    let row = known.unwrap_or_else(|| AgentRow::new(name.to_string(), scene.now.secs()));
    let row = AgentRow { disabled: false, ..row };
    let body = state(&row);
    let log = log_line("agent.enabled", name, None, "", scene.now);
    Ok(Decision { answer: ok(&body).answer, changes: [Change::Agent(row), log].into() })
}

/// Disables an agent, and takes its tokens and keys back.
pub(crate) fn disable_agent<B: Rows>(
    books: &B,
    name: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    if !is_name(name) {
        return Ok(Decision::reply(invalid_name()));
    }
    let Some(known) = books.agent(name)? else { return no_agent(books, name) };
    let notice = (!known.disabled).then(|| notice::agent_disabled(name, scene));
    let row = AgentRow { disabled: true, ..known };
    let body = state(&row);
    let mut changes = Vec::from([Change::Agent(row)]);
    // For good: who enables the agent again gives it new ones.
    changes.extend(revoke(books, name, |_| true)?);
    changes.extend(end_reviews(books, name, scene.now)?);
    changes.extend(notice.map(Change::Outbox));
    changes.push(log_line("agent.disabled", name, None, "", scene.now));
    Ok(Decision { answer: ok(&body).answer, changes })
}

fn invalid_name() -> Reply {
    problem(400, "invalid_name", "an agent's name has 3 to 64 of a-z, 0-9 and single dashes")
}

fn state(row: &AgentRow) -> Value {
    json!({"name": row.name, "disabled": row.disabled, "createdAt": time(row.created)})
}

/// Makes a bootstrap key.
pub(crate) fn issue_key<B: Rows>(
    books: &B,
    agent: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    match books.agent(agent)? {
        None => return no_agent(books, agent),
        Some(known) if known.disabled => {
            let detail = alloc::format!("the agent {agent} is disabled; PUT it to enable it");
            return Ok(Decision::reply(problem(404, "not_found", &detail)));
        }
        Some(_) => {}
    }
    let random = Fresh::of(scene.random).token;
    let token = Token::new(TokenKind::Bootstrap, scene.organization, &random);
    let row = bootstrap(&token.id, &token.hash(), agent, scene.now);
    let body = json!({"id": token.id, "agent": agent, "bootstrapKey": token.to_text()});
    let reply = Reply::json(201, body.to_string());
    let log = log_line("key.issued", &token.id, None, agent, scene.now);
    let changes = [Change::Token(row), log].into();
    Ok(Decision { answer: Answer::Reply(reply), changes })
}

/// The tokens of an agent that are of this kind.
pub(crate) fn list_tokens<B: Rows>(
    books: &B,
    agent: &str,
    kind: TokenKind,
) -> Result<Decision, B::Error> {
    if books.agent(agent)?.is_none() {
        return no_agent(books, agent);
    }
    let rows = books.tokens(agent)?;
    let items: Vec<Value> = rows.iter().filter(|row| row.kind == kind).map(token).collect();
    Ok(ok(&json!({"items": items})))
}

/// Takes a bootstrap key back, with its runtime tokens.
pub(crate) fn revoke_key<B: Rows>(
    books: &B,
    id: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    let Some(key) = books.token(id)?.filter(|row| row.kind == TokenKind::Bootstrap) else {
        return Ok(Decision::reply(not_found("bootstrap key")));
    };
    let is_its = |row: &TokenRow| row.id == key.id || row.parent.as_deref() == Some(id);
    let mut changes = revoke(books, &key.agent, is_its)?;
    if !key.revoked {
        changes.push(Change::Outbox(notice::key_revoked(id, &key.agent, scene)));
    }
    changes.push(log_line("key.revoked", id, None, &key.agent, scene.now));
    Ok(Decision { answer: ok(&json!({"id": id, "revoked": true})).answer, changes })
}

/// Takes the runtime tokens of an agent back.
pub(crate) fn revoke_tokens<B: Rows>(
    books: &B,
    agent: &str,
    scene: Now<'_>,
) -> Result<Decision, B::Error> {
    if books.agent(agent)?.is_none() {
        return no_agent(books, agent);
    }
    let mut changes = revoke(books, agent, |row| row.kind == TokenKind::Runtime)?;
    let revoked = changes.len();
    changes.push(log_line("tokens.revoked", agent, None, "", scene.now));
    Ok(Decision { answer: ok(&json!({"revoked": revoked})).answer, changes })
}

/// Takes those of an agent's tokens back that are like this.
fn revoke<B: Rows>(
    books: &B,
    agent: &str,
    is_meant: impl Fn(&TokenRow) -> bool,
) -> Result<Vec<Change>, B::Error> {
    let rows = books.tokens(agent)?.into_iter().filter(|row| !row.revoked && is_meant(row));
    Ok(rows.map(|row| Change::Token(TokenRow { revoked: true, ..row })).collect())
}

/// A token, as lists show it.
fn token(row: &TokenRow) -> Value {
    json!({
        "id": row.id,
        "agent": row.agent,
        "createdAt": time(row.created),
        "expiresAt": row.expires.map(time),
        "revoked": row.revoked,
        "bootstrapKey": row.parent.as_ref().filter(|_| !row.is_seeded()),
    })
}
