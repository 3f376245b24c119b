//! Whether what a payment was asked by serves still: its agent, its token, and the key of that.

use crate::books::Rows;
use crate::row::{AttemptRow, TokenKind, TokenRow};
use farebox_base::time::UnixTime;

/// Whether a token serves, from what lets a payment be made to what forbids it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Serving {
    /// It does.
    Serves,
    /// Its time is over: the agent's next one serves.
    Ended,
    /// It was taken back.
    TakenBack,
}

/// Whether what an attempt was made by was taken back since: its agent, its token, or that one's key.
pub(super) fn is_withdrawn<B: Rows>(
    books: &B,
    attempt: &AttemptRow,
    now: UnixTime,
) -> Result<bool, B::Error> {
    let agent = books.agent(&attempt.agent)?;
    let is_there = agent.is_some_and(|agent| !agent.disabled);
    Ok(!is_there || is_served(books, attempt, now)? == Serving::TakenBack)
}

/// Whether the token that asked for a payment counts still, and the key that it was made for.
pub(super) fn is_served<B: Rows>(
    books: &B,
    attempt: &AttemptRow,
    now: UnixTime,
) -> Result<Serving, B::Error> {
    let Some(id) = &attempt.token else { return Ok(Serving::Serves) };
    let serving = |row: &TokenRow| match row.expires {
        _ if row.revoked => Serving::TakenBack,
        Some(end) if now.secs() >= end => Serving::Ended,
        Some(_) | None => Serving::Serves,
    };
    let Some(token) = books.token(id)? else {
        // It ended long ago: what was taken back meanwhile is not known any more.
        return Ok(Serving::TakenBack);
    };
    let parent = token.parent.as_ref().filter(|_| token.kind == TokenKind::Runtime);
    let of_key = match parent {
        Some(parent) => books.token(parent)?.as_ref().map_or(Serving::TakenBack, serving),
        None => Serving::Serves,
    };
    Ok(serving(&token).max(of_key))
}
