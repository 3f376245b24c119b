//! The caller of a request: the token, the version, and new tokens.

use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::json;

use super::books::{Change, Rows};
use super::id::Fresh;
use super::kernel::{Decision, Now};
use super::message::{Answer, Caller, Reply};
use super::row::{TokenKind, TokenRow};
use super::token::Token;
use super::{refused, version};
use farebox_base::secret::Secret;
use farebox_base::time::UnixTime;

/// Part of its life in which a runtime token is told again to its key: so a key never has more of
/// them than about this many, and none has to end before its time.
const TOLD_AGAIN_PART: u64 = 32;

/// How long the row of a runtime token is kept after its end, seconds: what it asked for just before may
/// be prepared still, and the row alone says whether it was taken back.
const KEPT_SECS: u64 = 300;

/// Runtime tokens, which bootstrap keys are exchanged for.
#[derive(Debug)]
pub(super) struct RuntimeTokens {
    /// Makes them.
    pub key: Secret<[u8; 32]>,
    /// How long one is served, seconds.
    pub secs: u64,
}

impl RuntimeTokens {
    /// Tells a runtime token for a bootstrap key: its newest if that has just been made, otherwise
    /// another one.
    pub(super) fn exchange<B: Rows>(
        &self,
        books: &B,
        caller: &Caller,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let parent = match read_caller(books, caller, TokenKind::Bootstrap, scene)? {
            Ok(parent) => parent,
            Err(reply) => return Ok(Decision::reply(reply)),
        };
        let rows = books.tokens(&parent.agent)?;
        let mut changes = delete_ended(&rows, scene.now);
        let (token, expires) = if let Some(known) = self.told_again(&rows, &parent, scene) {
            known
        } else {
            let id = Token::fresh_id(&Fresh::of(scene.random).token);
            let token = Token::runtime(self.key.expose(), scene.organization, &id);
            let expires = scene.now.plus(self.secs).secs();
            changes.push(Change::Token(TokenRow {
                id,
                kind: TokenKind::Runtime,
                agent: parent.agent,
                hash: token.hash(),
                created: scene.now.secs(),
                expires: Some(expires),
                revoked: false,
                parent: Some(parent.id),
            }));
            (token, expires)
        };
        let body = json!({
            "token": token.to_text(),
            "expiresAt": UnixTime::from_secs(expires).rfc3339(),
        });
        Ok(Decision { answer: Answer::Reply(Reply::json(201, body.to_string())), changes })
    }

    /// The newest token of a key and its end, if it counts and has hardly begun.
    fn told_again(
        &self,
        rows: &[TokenRow],
        parent: &TokenRow,
        scene: Now<'_>,
    ) -> Option<(Token, u64)> {
        let span = self.secs.checked_div(TOLD_AGAIN_PART).unwrap_or_default().max(1);
        let now = scene.now.secs();
        let is_new = |row: &&TokenRow| {
            row.kind == TokenKind::Runtime
                && row.parent.as_ref() == Some(&parent.id)
                && !row.revoked
                && row.created <= now
                && now < row.created.saturating_add(span)
        };
        let row = rows.iter().rev().find(is_new)?;
        let token = Token::runtime(self.key.expose(), scene.organization, &row.id);
        let expires = row.expires.filter(|end| now < *end)?;
        // Another `TREASURY_SECRET` made another token of this id.
        token.is_of(&row.hash).then_some((token, expires))
    }
}

/// The token of a caller, if it is of this kind and counts now; otherwise the answer.
pub(super) fn read_caller<B: Rows>(
    books: &B,
    caller: &Caller,
    kind: TokenKind,
    scene: Now<'_>,
) -> Result<Result<TokenRow, Reply>, B::Error> {
    let row = match read_holder(books, caller, kind, scene)? {
        Ok(row) => row,
        Err(reply) => return Ok(Err(reply)),
    };
    let served = caller.version.as_deref().is_some_and(version::is_served);
    if !served {
        return Ok(Err(refused::unsupported_version()));
    }
    Ok(Ok(row))
}

/// The token of a caller of any version.
pub(super) fn read_holder<B: Rows>(
    books: &B,
    caller: &Caller,
    kind: TokenKind,
    scene: Now<'_>,
) -> Result<Result<TokenRow, Reply>, B::Error> {
    let no = || Ok(Err(refused::unauthorized()));
    let Some(token) = Token::of_header(&caller.authorization) else { return no() };
    let is_right = token.kind == kind;
    if !is_right || token.organization != scene.organization {
        return no();
    }
    let Some(row) = books.token(&token.id)? else { return no() };
    let is_own = token.is_of(&row.hash);
    let is_over = row.expires.is_some_and(|end| scene.now.secs() >= end);
    let may = row.kind == token.kind && is_own && !is_over && !row.revoked;
    if !may {
        return no();
    }
    let agent = books.agent(&row.agent)?;
    if agent.is_none_or(|agent| agent.disabled) {
        return no();
    }
    Ok(Ok(row))
}

/// Deletes the runtime tokens that ended some time ago.
fn delete_ended(rows: &[TokenRow], now: UnixTime) -> Vec<Change> {
    let kept = KEPT_SECS;
    let is_over = |row: &&TokenRow| {
        row.kind == TokenKind::Runtime
            && row.expires.is_some_and(|end| now.secs() >= end.saturating_add(kept))
    };
    rows.iter().filter(is_over).map(|row| Change::TokenGone(row.id.clone())).collect()
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
