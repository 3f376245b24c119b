//! Parts of the operator's lists: what a query asks for, and the page that answers it.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::compute::figures::{ListPart, ListPlace, MoneyOf};
use crate::compute::message::JsonAnswer;
use crate::compute::refused::bad_parameter;
use crate::compute::row::{Leave, spell_wallet};
use crate::query::Query;
use crate::text::{Members, list, or_null};

/// Rows of a page that names no limit, and of any.
const USUAL: u32 = 50;
const MOST: u32 = 200;

/// The part of a list that a query asks for, whose own parameters are `named`.
pub(super) fn read_part(
    text: &str,
    named: &[&str],
    states: &[&str],
) -> Result<(Query, ListPart), JsonAnswer> {
    let known: Vec<&str> =
        ["network_profile", "cursor", "limit"].iter().chain(named).copied().collect();
    let query =
        Query::of(text, &known).map_err(|strange| bad_parameter(&strange.name, &strange.error))?;
    let state = query.get("state");
    if state.as_ref().is_some_and(|state| !states.contains(&state.as_str())) {
        let known = states.join(", ");
        return Err(bad_parameter("state", &["state must be one of ", &known].concat()));
    }
    let leave = query.get("leave");
    let leave = match leave.as_deref().map(Leave::parse) {
        Some(None) => return Err(bad_parameter("leave", "leave must be release or refund")),
        known => known.flatten(),
    };
    let after = match query.get("cursor") {
        None => None,
        Some(text) => Some(read_place(&text).ok_or_else(|| {
            bad_parameter("cursor", "cursor must be one that a page of this list has given")
        })?),
    };
    let limit = query.number("limit", USUAL, 1, MOST);
    if query.get("limit").is_some_and(|text| text != limit.to_string()) {
        return Err(bad_parameter("limit", &alloc::format!("limit must be 1 to {MOST}")));
    }
    let part = ListPart {
        after,
        limit,
        states: state.into_iter().collect(),
        seller: query.get("seller").map(|id| spell_wallet(&id)).unwrap_or_default(),
        money: MoneyOf::Anything,
        leave,
    };
    Ok((query, part))
}

fn read_place(text: &str) -> Option<ListPlace> {
    let (at, id) = text.split_once('.').unwrap_or((text, ""));
    let is_number = (1..=15).contains(&at.len()) && at.bytes().all(|byte| byte.is_ascii_digit());
    let at = at.parse().ok().filter(|_| is_number)?;
    (id.len() <= 64).then(|| ListPlace { at, id: id.to_string() })
}

/// The last row of a part that is full: more may come after it.
pub(super) fn find_last<T>(rows: &[(u64, T)], part: &ListPart) -> Option<ListPlace> {
    let last = rows.last().filter(|(number, _)| is_full(rows.len(), part) && *number > 0);
    last.map(|(number, _)| ListPlace { at: *number, id: String::new() })
}

/// Whether a part has as many rows as it may.
pub(super) fn is_full(rows: usize, part: &ListPart) -> bool {
    u64::try_from(rows).unwrap_or(u64::MAX) >= part.limit.into()
}

/// A page, with the cursor of the next one.
pub(super) fn write_page(items: Vec<String>, last: Option<ListPlace>) -> JsonAnswer {
    let next = last.map_or_else(String::new, |place| match place.id.as_str() {
        "" => place.at.to_string(),
        id => [&place.at.to_string(), ".", id].concat(),
    });
    let body = Members::new().raw("items", &list(items)).raw("next", &or_null(&next));
    JsonAnswer::new(200, body.done())
}
