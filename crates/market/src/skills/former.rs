//! Ids that no skill has any more: each is for its former owner alone, so that a buyer who knows it is
//! led to no one else.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::books::{Change, Rows};
use farebox_base::encoding::json;

/// Ids at most whose former owners stay known, and how many of the older ones leave at once.
const MAX_FORMER: (u32, u32) = (10_000, 64);

/// Whether an id that no skill has may be this owner's.
pub(super) fn is_of<B: Rows>(books: &B, id: &str, owner: &str) -> Result<bool, B::Error> {
    let former = books.forgotten(id)?;
    Ok(former.is_none_or(|former| former == owner))
}

/// Forgets skills, and whose the oldest were that were forgotten.
pub(super) fn forget<B: Rows>(books: &B, ids: Vec<String>) -> Result<Vec<Change>, B::Error> {
    let old = find_oldest(books, ids.len())?;
    Ok(ids.into_iter().map(Change::Forget).chain(old).collect())
}

/// Notes whose the ids of a table are that these books do not know: it is of a time that they have
/// lost, and its payees are the owners.
pub(super) fn name_lost<B: Rows>(books: &B, table: &str) -> Result<Vec<Change>, B::Error> {
    let mut lost: Vec<(String, String)> = Vec::new();
    for (id, owner) in list_owners(table) {
        let is_known = lost.iter().any(|(known, _)| *known == id)
            || books.skill(&id)?.is_some()
            || books.forgotten(&id)?.is_some();
        if !is_known {
            lost.push((id, owner));
        }
    }
    let old = find_oldest(books, lost.len())?;
    Ok(lost.into_iter().map(|(id, owner)| Change::Name(id, owner)).chain(old).collect())
}

/// The ids that are the oldest once so many more are known, by their numbers: one that is forgotten
/// again has another one by then.
fn find_oldest<B: Rows>(books: &B, more: usize) -> Result<Option<Change>, B::Error> {
    let (most, step) = MAX_FORMER;
    let more = u32::try_from(more).unwrap_or(most);
    let old = books.former(most.saturating_sub(more), step.max(more))?;
    Ok((!old.is_empty()).then_some(Change::Unname(old)))
}

/// The ids that are sold by a table's routes, and the payees of these.
fn list_owners(table: &str) -> Vec<(String, String)> {
    let (bytes, most) = (table.as_bytes(), table.len());
    let Ok(Value::Array(routes)) = json::parse_within(bytes, most, most) else {
        return Vec::new();
    };
    let owner_of = |route: &Value| {
        let path = route.get("path")?.as_str()?;
        let id = match path.strip_prefix("/s/") {
            Some(id) => id,
            None => path.strip_prefix("/packs/")?.split_once('/')?.0,
        };
        let owner = route.get("pay_to")?.as_str()?;
        Some((id.to_string(), owner.to_string()))
    };
    routes.iter().filter_map(owner_of).collect()
}
