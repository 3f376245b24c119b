//! Who asks: the token, the version, and new tokens.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::json;

use super::books::{Books, Change};
use super::id::Fresh;
use super::message::{Answer, Caller, Reply};
use super::row::{TokenKind, TokenRow};
use super::token::Token;
use super::{Decided, Scene, Treasury, refused, version};
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// Maximum runtime tokens of one bootstrap key.
const MAX_LIVE: usize = 64;

impl Treasury {
    /// The token of a caller, if it is of this kind and counts now; otherwise the answer.
    pub(super) fn caller<B: Books>(
        &self,
        books: &B,
        caller: &Caller,
        kind: TokenKind,
        scene: Scene<'_>,
    ) -> Result<Result<TokenRow, Reply>, B::Error> {
        let row = match self.holder(books, caller, kind, scene)? {
            Ok(row) => row,
            Err(reply) => return Ok(Err(reply)),
        };
        let served = caller.version.as_deref().is_some_and(version::is_served);
        if !served && !planted(Mutant::AnyVersionIsServed) {
            return Ok(Err(refused::unsupported_version()));
        }
        Ok(Ok(row))
    }

    /// The same of any version.
    pub(super) fn holder<B: Books>(
        &self,
        books: &B,
        caller: &Caller,
        kind: TokenKind,
        scene: Scene<'_>,
    ) -> Result<Result<TokenRow, Reply>, B::Error> {
        let no = || Ok(Err(refused::unauthorized()));
        let Some(token) = Token::of_header(&caller.authorization) else { return no() };
        let is_right = token.kind == kind || planted(Mutant::AnyTokenServes);
        if !is_right || token.organization != scene.organization {
            return no();
        }
        let Some(row) = books.token(&token.id)? else { return no() };
        let is_own = token.is_of(&row.hash) || planted(Mutant::IdsAreTokens);
        let is_over = row.expires.is_some_and(|end| scene.now.secs() >= end);
        let may = row.kind == token.kind
            && is_own
            && (!is_over || planted(Mutant::TokensForEver))
            && (!row.revoked || planted(Mutant::RevokedTokensServe));
        if !may {
            return no();
        }
        let agent = books.agent(&row.agent)?;
        if agent.is_none_or(|agent| agent.disabled) && !planted(Mutant::DisabledAgentsPay) {
            return no();
        }
        Ok(Ok(row))
    }

    /// Makes a runtime token for a bootstrap key.
    pub(super) fn exchange<B: Books>(
        &self,
        books: &B,
        caller: &Caller,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let parent = match self.caller(books, caller, TokenKind::Bootstrap, scene)? {
            Ok(parent) => parent,
            Err(reply) => return Ok(Decided::told(Answer::Reply(reply))),
        };
        let mut changes = self.outdated(books, &parent, scene)?;
        let fresh = Fresh::of(scene.random);
        let token = Token::new(TokenKind::Runtime, scene.organization, &fresh.token);
        let expires = scene.now.plus(self.token_secs).secs();
        let row = TokenRow {
            id: token.id.clone(),
            kind: TokenKind::Runtime,
            agent: parent.agent,
            hash: token.hash(),
            created: scene.now.secs(),
            expires: Some(expires),
            revoked: false,
            parent: Some(parent.id),
        };
        let body = json!({
            "token": token.to_text(),
            "expiresAt": UnixTime::from_secs(expires).rfc3339(),
        });
        let reply = Reply::json(201, body.to_string());
        changes.push(Change::Token(row));
        Ok(Decided { answer: Answer::Reply(reply), changes })
    }

    /// Deletes what a new token needs the place of: tokens of the agent that have ended, and the
    /// oldest of this key.
    fn outdated<B: Books>(
        &self,
        books: &B,
        parent: &TokenRow,
        scene: Scene<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let mut gone = Vec::new();
        let mut live = Vec::new();
        for row in books.tokens(&parent.agent)? {
            if row.kind == TokenKind::Bootstrap || planted(Mutant::TokensPileUp) {
                continue;
            }
            if row.expires.is_some_and(|end| scene.now.secs() >= end) {
                gone.push(Change::TokenGone(row.id));
            } else if row.parent.as_ref() == Some(&parent.id) {
                live.push(row.id);
            }
        }
        let surplus = live.len().saturating_add(1).saturating_sub(MAX_LIVE);
        gone.extend(live.into_iter().take(surplus).map(Change::TokenGone));
        Ok(gone)
    }
}

/// The row of a new bootstrap key.
pub(super) fn bootstrap(id: &str, hash: &str, agent: &str, now: UnixTime) -> TokenRow {
    TokenRow {
        id: id.to_string(),
        kind: TokenKind::Bootstrap,
        agent: agent.to_string(),
        hash: hash.to_string(),
        created: now.secs(),
        expires: None,
        revoked: false,
        parent: None,
    }
}
