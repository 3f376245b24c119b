//! The permissions of pages on a route: request headers of its origin, and pages with credentials.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::cors::Cors;
use farebox_base::encoding::message::{FromJson, read_struct};
use farebox_common::config::Reader;

/// Limit on the entries of each list.
const MAX_ENTRIES: usize = 32;
/// Longest header name and longest page, bytes.
const MAX_NAME: usize = 64;
const MAX_PAGE: usize = 256;

#[derive(Clone, Debug, Default)]
struct CorsConfig {
    headers: Vec<String>,
    origins: Vec<String>,
}

read_struct!(CorsConfig {; headers, origins });

/// Reads `cors` of a route; errors go to the reader.
pub(super) fn read(reader: &mut Reader, place: &str, config: Option<&Value>) -> Cors {
    let Some(value) = config else { return Cors::default() };
    let is_known = |name: &String| ["headers", "origins"].contains(&name.as_str());
    let known = value.as_object().is_some_and(|members| members.keys().all(is_known));
    let Some(config) = CorsConfig::from_json(value).filter(|_| known) else {
        let remedy = "must be a table such as { headers = [\"X-Api-Version\"], origins = [\"https://app.example.com\"] }";
        reader.fail_at(place, "cors", remedy);
        return Cors::default();
    };
    let mut cors = Cors::default();
    for name in &config.headers {
        cors.headers.push_str(", ");
        cors.headers.push_str(name);
    }
    if config.headers.len() > MAX_ENTRIES || !config.headers.iter().all(|name| is_name(name)) {
        let remedy =
            "must be at most 32 names of letters, digits and hyphens, each at most 64 characters";
        reader.fail_at(place, "cors.headers", remedy);
    }
    if config.origins.len() > MAX_ENTRIES || !config.origins.iter().all(|page| is_page(page)) {
        let remedy = "must be at most 32 sites as browsers name them, such as \"https://app.example.com\": \
             scheme, host in lower case and an unusual port, without a slash at the end";
        reader.fail_at(place, "cors.origins", remedy);
    }
    cors.origins = config.origins.iter().map(ToOwned::to_owned).collect();
    cors
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a browser could send this as the `Origin` of one page; `null` and `*` stand for any.
fn is_page(page: &str) -> bool {
    let host = page.strip_prefix("https://").or_else(|| page.strip_prefix("http://"));
    page.len() <= MAX_PAGE
        && host.is_some_and(|host| {
            host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_:[]".contains(&byte)
            }) && host.bytes().next().is_some_and(|byte| byte != b':')
                && !host.ends_with(":80")
                && !host.ends_with(":443")
        })
}
