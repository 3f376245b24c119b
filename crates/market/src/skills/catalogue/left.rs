//! Skills that are no longer active: how they come back, and which of them are forgotten.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use crate::skills::books::{Change, Rows};
use crate::skills::former::forget;
use crate::skills::price::GRACE_MS;
use crate::skills::row::{SkillRow, VersionRow};

/// Most versions of a skill.
pub(super) const MAX_VERSIONS: usize = 100;
/// Skills that were taken back and never used, of all owners, that are kept; and how many of the rest
/// are forgotten at once at most.
pub(super) const MAX_LEFT_OVER: (u32, u32) = (500, 8);

/// Most skills of an owner that are kept after they were taken back and never used.
const MAX_IDLE: usize = 20;
/// How a skill that made room for another comes back.
pub(super) enum Comeback {
    /// As it was: with what its versions have sold.
    Kept(Box<SkillRow>),
    /// As a new one: nothing of it is kept but whose it is.
    Anew,
}

/// How an owner may publish a skill again, if it made room for another: at once as it was or with
/// another version, and with other terms of the same version once no one buys at the old ones any
/// more, unless a receipt may tell of these.
pub(super) fn find_comeback<B: Rows>(
    books: &B,
    known: SkillRow,
    skill: &SkillRow,
    version: &VersionRow,
    now: u64,
) -> Result<Option<Comeback>, B::Error> {
    if !known.made_room || known.active || known.owner != skill.owner {
        return Ok(None);
    }
    let versions = books.versions(&known.id)?;
    let same = versions.iter().find(|old| old.version == version.version);
    let is_kept = match same {
        Some(old) => has_terms_of(old, version),
        None => versions.len() < MAX_VERSIONS,
    };
    let is_past = known.changed.saturating_add(GRACE_MS) < now;
    Ok(if is_kept {
        Some(Comeback::Kept(Box::new(known)))
    } else if is_past && !known.called {
        Some(Comeback::Anew)
    } else {
        None
    })
}

/// Whether a version is sold at the terms of another.
fn has_terms_of(old: &VersionRow, version: &VersionRow) -> bool {
    let skill = old.skill.clone();
    let version = VersionRow { skill, created: old.created, until: old.until, ..version.clone() };
    *old == version
}

/// The skills of an owner that are forgotten once this one was taken back: others that were never
/// used, beyond the newest.
pub(super) fn forget_idle<B: Rows>(
    books: &B,
    taken: &SkillRow,
    now: u64,
) -> Result<Vec<Change>, B::Error> {
    let mut idle = books.idle_of(&taken.owner)?;
    idle.retain(|row| row.id != taken.id);
    let beyond = idle.len().saturating_add(1).saturating_sub(MAX_IDLE);
    // What is on its way still finds its skill.
    let is_past = |row: &SkillRow| row.changed.saturating_add(GRACE_MS) < now;
    let old = idle.into_iter().take(beyond).filter(is_past);
    forget(books, old.map(|row| row.id).collect())
}

/// The skills of all owners that are forgotten once one more was published, but for this one.
pub(super) fn forget_left_over<B: Rows>(
    books: &B,
    published: &str,
    is_anew: bool,
    now: u64,
) -> Result<Vec<Change>, B::Error> {
    let before = now.saturating_sub(GRACE_MS);
    let mut left = books.left_over(before, MAX_LEFT_OVER.0, MAX_LEFT_OVER.1)?;
    left.retain(|id| *id != published);
    left.extend(is_anew.then(|| String::from(published)));
    forget(books, left)
}
