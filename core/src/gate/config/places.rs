//! The origin to forward to, and the placement of the ledger.

use alloc::borrow::ToOwned;
use alloc::format;

use super::{Reader, checked_url};
use crate::gate::origin::{LedgerPlacement, Origin};

/// Jurisdictions that the platform keeps objects in.
const JURISDICTIONS: &str = "eu fedramp";
/// Locations that the platform accepts as a hint for creating an object.
const LOCATIONS: &str = "wnam enam sam weur eeur apac oc afr me";

/// Reads both; errors go to the reader.
pub(super) fn read(reader: &mut Reader) -> (Option<Origin>, LedgerPlacement) {
    let residence = LedgerPlacement {
        jurisdiction: one_of(reader, "LEDGER_JURISDICTION", JURISDICTIONS),
        location: one_of(reader, "LEDGER_LOCATION", LOCATIONS),
    };
    (origin(reader), residence)
}

fn origin(reader: &mut Reader) -> Option<Origin> {
    let bound = reader.is_bound("ORIGIN");
    if !bound && !reader.is_absent("ORIGIN") {
        reader.fail("ORIGIN", "must be a service binding; a URL belongs in ORIGIN_URL");
        return None;
    }
    if reader.is_absent("ORIGIN_URL") {
        return Some(if bound { Origin::Bound } else { Origin::Zone });
    }
    let text = reader.text("ORIGIN_URL")?;
    if bound {
        reader.fail("ORIGIN_URL", "the service binding ORIGIN is set too; keep one of the two");
        return None;
    }
    checked_url(reader, "ORIGIN_URL", &text).map(|url| Origin::Url(url.as_str().to_owned()))
}

fn one_of(reader: &mut Reader, name: &str, words: &'static str) -> Option<&'static str> {
    if reader.is_absent(name) {
        return None;
    }
    let text = reader.text(name)?;
    let word = words.split(' ').find(|word| *word == text);
    if word.is_none() {
        reader.fail(name, format!("must be one of: {words}"));
    }
    word
}
