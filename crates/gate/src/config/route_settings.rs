//! Settings of a route beside its path and its price.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::route_config::RouteReader;
use super::shape::LIMITS;
use super::{clients, cors};
use crate::diagnose::Thresholds;
use crate::offer::RouteSettings;
use crate::route::Methods;
use farebox_base::encoding::message::read_struct;
use farebox_common::config::{Reader, TextOr};
use farebox_ledger::command::Mode;

/// Longest description, bytes.
const MAX_DESCRIPTION: usize = 256;

#[derive(Clone, Debug)]
struct LimitsConfig {
    exceeded_after: Option<u64>,
    unverified_after: Option<u64>,
    alert_after: Option<u64>,
}

read_struct!(LimitsConfig { exceeded_after, unverified_after, alert_after });

pub(super) fn methods(
    reader: &mut Reader,
    place: &str,
    config: Option<&TextOr<Vec<String>>>,
) -> Option<Methods> {
    let variable = format!("{place}.methods");
    match config {
        None => Some(Methods::all()),
        Some(TextOr::Text(text)) if text == "all" => Some(Methods::all()),
        Some(TextOr::Text(_)) => {
            reader.fail(&variable, "must be \"all\" or a list of methods");
            None
        }
        Some(TextOr::Other(list)) => match Methods::list(list.iter().map(String::as_str)) {
            Ok(methods) => Some(methods),
            Err(error) => {
                reader.fail(&variable, error.to_string());
                None
            }
        },
    }
}

pub(super) fn manner(route: &mut RouteReader<'_>) -> Option<RouteSettings> {
    let RouteReader { inherited, place, config, .. } = *route;
    let mode = config.settle.unwrap_or(Mode::After);
    let origin_timeout_secs = config.origin_timeout_secs.unwrap_or(60);
    let max_timeout_secs = config.max_timeout_secs.unwrap_or(300);
    if !(1..=600).contains(&origin_timeout_secs) {
        let remedy = format!("is {origin_timeout_secs}; must be from 1 to 600");
        route.fail("origin_timeout_secs", remedy);
        return None;
    }
    let room = match mode {
        Mode::After => origin_timeout_secs.saturating_add(inherited.settle_secs).saturating_add(36),
        Mode::Before => inherited.settle_secs.saturating_add(36),
    };
    let max = inherited.max_validity_secs.saturating_sub(60);
    if max_timeout_secs < room || max_timeout_secs > max {
        let remedy = format!(
            "is {max_timeout_secs}; must be from {room} (time to serve and settle) to {max} \
             (MAX_VALIDITY_SECS - 60)"
        );
        route.fail("max_timeout_secs", remedy);
        return None;
    }
    if config.description.len() > MAX_DESCRIPTION {
        route.fail("description", "must be at most 256 bytes");
        return None;
    }
    let mime_type = config.mime_type.clone().unwrap_or_else(|| "application/json".to_owned());
    if mime_type.len() > 128
        || !mime_type.contains('/')
        || !mime_type.bytes().all(|b| (0x20..0x7f).contains(&b))
    {
        route.fail("mime_type", "must be a media type of at most 128 bytes");
        return None;
    }
    Some(RouteSettings {
        route: config.path.clone(),
        mode,
        protocols: inherited.protocols,
        binds_body: config.digest.unwrap_or(false),
        signed_transactions: config.signed_transactions.unwrap_or(false),
        hash_mode: config.hash_mode.unwrap_or(false),
        sponsors_gas: config.gas_sponsoring.unwrap_or(false),
        description: config.description.clone(),
        mime_type,
        service: inherited.service.clone(),
        has_pages: inherited.has_pages,
        origin_timeout_secs,
        store: config.store.unwrap_or(true) && inherited.keeps_responses,
        sells_redirects: config.redirects.unwrap_or(false),
        idempotent: config.idempotent.unwrap_or(false),
        confirms: config.confirm.as_deref() == Some("chain"),
        settle_secs: inherited.settle_secs,
        max_validity_secs: inherited.max_validity_secs,
        takes_keys: config.api_keys.unwrap_or(true),
        free_per_day: clients::free(route.reader, place, config.free.as_ref()),
        diagnostics: diagnostics(route.reader, place, config.diagnostics.as_ref())?,
        cors: cors::read(route.reader, place, config.cors.as_ref()),
    })
}

/// Reads the thresholds of diagnostics; `None` after an error, `Some(None)` if they are off.
fn diagnostics(
    reader: &mut Reader,
    place: &str,
    config: Option<&Value>,
) -> Option<Option<Thresholds>> {
    let config = match config {
        None | Some(Value::Bool(true)) => return Some(Some(Thresholds::DEFAULT)),
        Some(Value::Bool(false)) => return Some(None),
        Some(limits) => {
            reader.shaped::<LimitsConfig>(&format!("{place}.diagnostics"), limits, &LIMITS)?
        }
    };
    let mut number = |name: &str, value: Option<u64>, default: u64| match value.unwrap_or(default) {
        number @ 2..=1_000_000 => Some(number),
        number => {
            let variable = format!("{place}.diagnostics.{name}");
            reader.fail(&variable, format!("is {number}; must be from 2 to 1000000"));
            None
        }
    };
    let Thresholds { exceeded_after, unverified_after, alert_after } = Thresholds::DEFAULT;
    Some(Some(Thresholds {
        exceeded_after: number("exceeded_after", config.exceeded_after, exceeded_after)?,
        unverified_after: number("unverified_after", config.unverified_after, unverified_after)?,
        alert_after: number("alert_after", config.alert_after, alert_after)?,
    }))
}
