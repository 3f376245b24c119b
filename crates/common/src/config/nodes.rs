//! Nodes of a Worker that reads chains: their URLs, which are secrets, because a path or query often holds a key.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::Reader;
use farebox_base::chain::ChainId;
use farebox_base::http::url::BaseUrl;

/// `RPC_URL`: one URL, or an object of URLs by network.
pub fn read(reader: &mut Reader) -> Vec<(Option<ChainId>, String)> {
    let mut nodes = Vec::new();
    match reader.value("RPC_URL") {
        None => {}
        Some(Value::String(text)) => {
            nodes.extend(checked(reader, "RPC_URL", &text).map(|url| (None, url)));
        }
        Some(Value::Object(urls)) => {
            for (name, url) in &urls {
                let place = format!("RPC_URL.{name}");
                let Ok(network) = ChainId::parse_or_name(name) else {
                    reader.fail(&place, "is not a network; use a CAIP-2 id");
                    continue;
                };
                let Some(text) = url.as_str() else {
                    reader.fail(&place, "must be a URL");
                    continue;
                };
                nodes.extend(checked(reader, &place, text).map(|url| (Some(network), url)));
            }
        }
        Some(_) => reader.fail("RPC_URL", "must be a URL, or an object of URLs by network"),
    }
    nodes
}

/// The node of a network.
pub fn of<'a>(nodes: &'a [(Option<ChainId>, String)], network: &ChainId) -> Option<&'a str> {
    let own = nodes.iter().find(|(name, _)| name.as_ref() == Some(network));
    let any = || nodes.iter().find(|(name, _)| name.is_none());
    own.or_else(any).map(|(_, url)| url.as_str())
}

/// The URL as it was written: a node's key may be in its query.
pub fn checked(reader: &mut Reader, place: &str, text: &str) -> Option<String> {
    let bare = text.split('?').next().unwrap_or_default();
    match BaseUrl::parse(bare) {
        Ok(_) if text.bytes().all(|byte| byte.is_ascii_graphic()) => Some(text.to_string()),
        Ok(_) => {
            reader.fail(place, "must be an absolute URL without spaces");
            None
        }
        Err(remedy) => {
            reader.fail(place, remedy);
            None
        }
    }
}
