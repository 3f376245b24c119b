//! The kept answers of merchants. An answer costs them nothing, so that what is kept is bounded:
//! one that is longer than [`SHORT_BYTES`] is told again for a time if it delivered, and its decision
//! without it from then on. One that delivered nothing is told once: its payment is sent again.
//!
//! Whatever leaves, a key goes on standing for its decision and pays once.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::json;

use crate::books::{Change, Rows};
use crate::row::{DecisionRow, KeptAnswers};
use crate::undelivered::is_delivered;
use farebox_base::encoding::json::parse_with;
use farebox_base::time::UnixTime;
use farebox_common::decision::REMOVED;

/// Answers up to this size stay with their decisions, whose rows are no shorter, bytes.
const SHORT_BYTES: u64 = 1024;
/// Seconds for which an answer is told again.
const KEEP_SECS: u64 = 2 * 86_400;
/// Size from which on an answer is long, bytes.
const LONG_BYTES: u64 = 16 * 1024;
/// Seconds for which a long one is told again.
const LONG_SECS: u64 = 6 * 3600;
/// Maximum bytes of all answers to one agent: its merchants take no room of others.
const AGENT_BYTES: u64 = 64 * 1024 * 1024;
/// Bytes of all answers above which the oldest ones leave before their time.
const MANY_BYTES: u64 = 192 * 1024 * 1024;
/// Maximum bytes of all answers.
const MAX_BYTES: u64 = 256 * 1024 * 1024;
/// Answers that one step takes out.
const STEP: u32 = 16;
/// Minimum time between two rounds, seconds.
const PAUSE_SECS: u64 = 600;

/// A decision as it is told without what its merchant answered, and how much shorter it is; `None`
/// if no merchant answered.
fn without(body: &str) -> Option<(String, u64)> {
    let mut value = parse_with(body.as_bytes(), usize::MAX).ok()?;
    let merchant = value.get_mut("merchantResponse")?.as_object_mut()?;
    merchant.insert("headers".to_string(), json!({REMOVED: "true"}));
    merchant.insert("body".to_string(), "".into());
    let bare = value.to_string();
    let saved = u64::try_from(body.len().saturating_sub(bare.len())).unwrap_or(u64::MAX);
    Some((bare, saved))
}

/// Lets the answer in the decision of these changes leave at its time; at once if there is no room
/// for it.
pub(crate) fn keep<B: Rows>(
    books: &B,
    changes: &mut Vec<Change>,
    now: UnixTime,
) -> Result<(), B::Error> {
    let pending = changes.iter().rev().find_map(|change| match change {
        Change::KeptAnswers(kept) => Some(kept.clone()),
        _ => None,
    });
    let row = changes.iter_mut().find_map(|change| match change {
        // One that has a time is there, and counted.
        Change::Decision(row) if row.leaves.is_none() => Some(row),
        _ => None,
    });
    let Some(row) = row else { return Ok(()) };
    let Some((bare, bytes)) = without(&row.body).filter(|(_, bytes)| *bytes > SHORT_BYTES) else {
        return Ok(());
    };
    if !is_delivered(&row.outcome) {
        row.body = bare;
        return Ok(());
    }
    let mut kept = match pending {
        Some(kept) => kept,
        None => books.kept_answers()?,
    };
    let of_agent = kept.agents.get(&row.agent).copied().unwrap_or(0).saturating_add(bytes);
    if of_agent > AGENT_BYTES {
        row.body = bare;
        return Ok(());
    }
    let all = kept.bytes.saturating_add(bytes);
    let due = if all > MAX_BYTES {
        row.body = bare;
        now.secs()
    } else {
        let secs = if bytes > LONG_BYTES { LONG_SECS } else { KEEP_SECS };
        let leaves = now.plus(secs).secs();
        row.leaves = Some(leaves);
        kept.bytes = all;
        kept.agents.insert(row.agent.clone(), of_agent);
        if all > MANY_BYTES { now.secs() } else { leaves }
    };
    kept.due = Some(kept.due.map_or(due, |known| known.min(due)));
    changes.push(Change::KeptAnswers(kept));
    Ok(())
}

/// Takes out the answer of a decision that another one replaces.
pub(crate) fn take_out<B: Rows>(books: &B, row: &mut DecisionRow) -> Result<Vec<Change>, B::Error> {
    let is_counted = row.leaves.take().is_some();
    let Some((_, bytes)) = without(&row.body).filter(|_| is_counted) else {
        return Ok(Vec::new());
    };
    let mut kept = books.kept_answers()?;
    forget(&mut kept, &row.agent, bytes);
    Ok(Vec::from([Change::KeptAnswers(kept)]))
}

/// Counts so many bytes less.
fn forget(kept: &mut KeptAnswers, agent: &str, bytes: u64) {
    kept.bytes = kept.bytes.saturating_sub(bytes);
    let left = kept.agents.remove(agent).unwrap_or(0).saturating_sub(bytes);
    if left > 0 {
        kept.agents.insert(agent.to_string(), left);
    }
}

/// Takes out some of the answers whose time has come, or that are too many, if that is due.
pub(super) fn clear<B: Rows>(books: &B, now: UnixTime) -> Result<Vec<Change>, B::Error> {
    let mut kept = books.kept_answers()?;
    if kept.due.is_none_or(|due| now.secs() < due) {
        return Ok(Vec::new());
    }
    let found = books.leaving(STEP)?;
    let is_full = u32::try_from(found.len()).is_ok_and(|found| found >= STEP);
    let mut next = is_full.then_some(now.secs());
    let mut changes = Vec::new();
    for (leaves, id) in found {
        let many = kept.bytes > MANY_BYTES;
        if leaves > now.secs() && !many {
            next = Some(leaves.max(now.plus(PAUSE_SECS).secs()));
            break;
        }
        let Some(mut row) = books.decision(&id)? else { continue };
        if let Some((bare, bytes)) = without(&row.body) {
            row.body = bare;
            forget(&mut kept, &row.agent, bytes);
        }
        row.leaves = None;
        changes.push(Change::Decision(Box::new(row)));
    }
    if next.is_none() {
        // None of them is left.
        (kept.bytes, kept.agents) = (0, BTreeMap::new());
    }
    kept.due = next;
    changes.push(Change::KeptAnswers(kept));
    Ok(changes)
}
