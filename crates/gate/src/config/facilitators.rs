//! Facilitators: their networks, keys and order.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::auth;
use super::shape::FACILITATOR;
use crate::parts::Settler;
use farebox_base::chain::ChainId;
use farebox_base::encoding::message::{FromJson, read_struct};
use farebox_common::config::Reader;
use farebox_common::config::network::of_network;
use farebox_wire::facilitator::wire::Facilitator;

/// Limit on facilitators.
const MAX_FACILITATORS: usize = 8;

/// A facilitator in its long form.
#[derive(Clone, Debug)]
struct FacilitatorConfig {
    url: String,
    networks: Option<Vec<String>>,
    auth: Option<Value>,
    extra: Option<Map<String, Value>>,
}

read_struct!(FacilitatorConfig { url, networks, auth, extra });

/// The facts about a facilitator that routes need.
pub(super) struct Listed {
    networks: Vec<String>,
    extra: Map<String, Value>,
    takes_key: bool,
}

/// The facilitators of a network, last resort last.
pub(super) struct Serving {
    /// Their indices in the configuration.
    pub places: Vec<usize>,
    /// Whether one of them requires a key.
    pub takes_key: bool,
    /// Facts that a payer needs for them: `extra` of the requirements.
    pub extra: Map<String, Value>,
}

/// Reads `FACILITATOR_URL`; empty after an error.
pub(super) fn read(reader: &mut Reader, networks: &[ChainId]) -> (Vec<Settler>, Vec<Listed>) {
    let configs = configs(reader);
    let (mut settlers, mut listed): (Vec<Settler>, Vec<Listed>) = (Vec::new(), Vec::new());
    for (index, config) in configs.into_iter().enumerate() {
        let place = format!("FACILITATOR_URL[{index}]");
        let names = config.networks.unwrap_or_else(|| Vec::from([String::from("*")]));
        if let Some(wrong) = names.iter().find(|name| !is_pattern(name)) {
            reader.fail_at(
                &place,
                "networks",
                format!(
                    "{wrong:?} is not a network; list CAIP-2 ids, names, \"eip155:*\" or \"*\""
                ),
            );
        }
        let auth = auth::read(reader, config.auth.as_ref());
        let Some(url) = reader.checked_url("FACILITATOR_URL", &config.url) else { continue };
        let facilitator = Facilitator::new(url.as_str());
        if settlers.iter().any(|other| other.facilitator == facilitator) {
            reader.fail(
                "FACILITATOR_URL",
                format!("lists {} twice; keep one of the two", facilitator.base()),
            );
        }
        let takes_key = auth.takes_key();
        let one = Listed { networks: names, extra: config.extra.unwrap_or_default(), takes_key };
        let serves = networks.iter().filter(|network| one.serves(network));
        let networks = serves.map(|network| network.as_str().into()).collect();
        settlers.push(Settler { facilitator, auth, networks });
        listed.push(one);
    }
    for network in networks.iter().filter(|_| !listed.is_empty()) {
        if !listed.iter().any(|one| one.serves(network)) {
            reader.fail(
                "FACILITATOR_URL",
                format!("no facilitator serves {network}; list it or \"*\""),
            );
        }
    }
    (settlers, listed)
}

/// The facilitators as configured; empty after an error.
fn configs(reader: &mut Reader) -> Vec<FacilitatorConfig> {
    match reader.value("FACILITATOR_URL") {
        None if !reader.is_absent("FACILITATOR_URL") => Vec::new(),
        None => {
            reader.fail("FACILITATOR_URL", "is missing; set the URL of a facilitator");
            Vec::new()
        }
        Some(Value::String(url)) => {
            Vec::from([FacilitatorConfig { url, networks: None, auth: None, extra: None }])
        }
        Some(Value::Array(list)) if !fit(reader, &list) => Vec::new(),
        Some(value) => match in_full(&value) {
            Some(list) if (1..=MAX_FACILITATORS).contains(&list.len()) => list,
            Some(_) => {
                reader.fail("FACILITATOR_URL", "must list 1 to 8 facilitators");
                Vec::new()
            }
            None => {
                let remedy = format!("must be a URL, or a list such as [{}]", FACILITATOR.example);
                reader.fail("FACILITATOR_URL", remedy);
                Vec::new()
            }
        },
    }
}

// Apart, so that one URL does not have an engine compile it.
#[inline(never)]
fn in_full(list: &Value) -> Option<Vec<FacilitatorConfig>> {
    Vec::from_json(list)
}

/// Whether each entry has the members of a facilitator; what does not is an error.
fn fit(reader: &mut Reader, list: &[Value]) -> bool {
    let mut fits = true;
    for (index, entry) in list.iter().enumerate() {
        fits &= FACILITATOR.fits(reader, &format!("FACILITATOR_URL[{index}]"), entry);
    }
    fits
}

impl Listed {
    fn serves(&self, network: &ChainId) -> bool {
        self.networks.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => network.as_str().starts_with(prefix),
            None => ChainId::parse_or_name(pattern).is_ok_and(|id| id == *network),
        })
    }
}

/// The facilitators of `network`. Only those with the same demands on a payer as the first can
/// stand in for it.
pub(super) fn serving(
    reader: &mut Reader,
    listed: &[Listed],
    network: &ChainId,
) -> Option<Serving> {
    let mut found: Option<Serving> = None;
    for (place, one) in listed.iter().enumerate().filter(|(_, one)| one.serves(network)) {
        let variable = format!("FACILITATOR_URL[{place}].extra");
        let extra = match of_network(reader, &variable, &one.extra, network).ok()? {
            None => Map::new(),
            Some(Value::Object(extra)) => extra.clone(),
            Some(_) => {
                reader.fail(&variable, "must be an object of objects by network");
                return None;
            }
        };
        match &mut found {
            None => {
                found =
                    Some(Serving { places: Vec::from([place]), takes_key: one.takes_key, extra })
            }
            Some(serving) if serving.extra == extra => {
                serving.places.push(place);
                serving.takes_key |= one.takes_key;
            }
            Some(_) => {}
        }
    }
    found
}

/// Whether a text is a CAIP-2 id, a name, or a prefix of ids with a star.
fn is_pattern(text: &str) -> bool {
    match text.strip_suffix('*') {
        Some(prefix) => prefix.is_empty() || prefix.ends_with(':'),
        None => ChainId::parse_or_name(text).is_ok(),
    }
}
