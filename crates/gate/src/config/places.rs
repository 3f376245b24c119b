//! The origin to forward to, and the placement of the ledger.

use alloc::borrow::ToOwned;

use crate::origin::{LedgerPlacement, Origin};
use farebox_base::http::url::BaseUrl;
use farebox_common::config::Reader;

/// Jurisdictions that the platform keeps objects in.
const JURISDICTIONS: &str = "eu fedramp";
/// Locations that the platform accepts as a hint for creating an object.
const LOCATIONS: &str = "wnam enam sam weur eeur apac oc afr me";

/// The remedy for a host of a private network that was not said to be one.
const IN_OWN_NETWORK: &str =
    "is not public; set ORIGIN_NETWORK = \"private\" if the gate runs in the same private network";

/// Reads both; errors go to the reader.
pub(super) fn read(reader: &mut Reader) -> (Option<Origin>, LedgerPlacement) {
    let residence = LedgerPlacement {
        jurisdiction: reader.one_of("LEDGER_JURISDICTION", JURISDICTIONS),
        location: reader.one_of("LEDGER_LOCATION", LOCATIONS),
    };
    (origin(reader), residence)
}

fn origin(reader: &mut Reader) -> Option<Origin> {
    let bound = reader.is_bound("ORIGIN");
    if !bound && !reader.is_absent("ORIGIN") {
        reader.fail("ORIGIN", "must be a service binding; a URL belongs in ORIGIN_URL");
        return None;
    }
    let keeps_host = reader.one_of("ORIGIN_HOST", "origin client") == Some("client");
    let is_private = reader.one_of("ORIGIN_NETWORK", "public private") == Some("private");
    if reader.is_absent("ORIGIN_URL") {
        if is_private {
            reader.fail("ORIGIN_NETWORK", "belongs to ORIGIN_URL, which is not set; remove it");
        }
        if keeps_host {
            reader.fail("ORIGIN_HOST", "belongs to ORIGIN_URL, which is not set; remove it");
        }
        return Some(if bound { Origin::Bound } else { Origin::Zone });
    }
    let text = reader.text("ORIGIN_URL")?;
    if bound {
        reader.fail("ORIGIN_URL", "the service binding ORIGIN is set too; keep one of the two");
        return None;
    }
    let url = match (is_private, BaseUrl::parse_in_own_network(&text)) {
        (true, Ok(url)) => url,
        (true, Err(remedy)) => {
            reader.fail("ORIGIN_URL", [remedy, "; else remove ORIGIN_NETWORK"].concat());
            return None;
        }
        (false, Ok(_)) if BaseUrl::parse(&text).is_err() => {
            reader.fail("ORIGIN_URL", IN_OWN_NETWORK);
            return None;
        }
        (false, _) => reader.checked_url("ORIGIN_URL", &text)?,
    };
    if !keeps_host {
        return Some(Origin::Url(url.as_str().to_owned()));
    }
    match url.as_str().strip_prefix("https://").filter(|host| !host.contains([':', '/'])) {
        Some(host) => Some(Origin::Host(host.to_owned())),
        None => {
            let remedy = "\"client\" needs an ORIGIN_URL of https:// and a name alone; remove port and path there";
            reader.fail("ORIGIN_HOST", remedy);
            None
        }
    }
}
