//! The documents that the gate publishes about its routes, and the name of its service.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::shape::SERVICE;
use crate::publish::{Document, Publish, Service};
use farebox_base::encoding::message::read_struct;
use farebox_common::config::Reader;

#[derive(Clone, Debug, Default)]
struct ServiceConfig {
    name: String,
    description: String,
    homepage: String,
    contact: String,
    categories: Vec<String>,
    icon: String,
}

read_struct!(ServiceConfig {; name, description, homepage, contact, categories, icon });

/// Reads `PUBLISH` and `SERVICE`.
pub(super) fn read(reader: &mut Reader) -> (Publish, Service) {
    let publish = match reader.texts("PUBLISH") {
        None => Publish::Spare,
        Some(names) => {
            let known = |name: &String| Document::ALL.into_iter().find(|it| it.name() == name);
            let documents: Option<Vec<Document>> = names.iter().map(known).collect();
            if documents.is_none() {
                reader.fail(
                    "PUBLISH",
                    "must list \"openapi\", \"llms\" and \"x402\", or some of them",
                );
            }
            Publish::These(documents.unwrap_or_default())
        }
    };
    (publish, service(reader))
}

fn service(reader: &mut Reader) -> Service {
    let config = reader.value("SERVICE");
    let config = config.and_then(|value| reader.shaped("SERVICE", &value, &SERVICE));
    let config: ServiceConfig = config.unwrap_or_default();
    let ServiceConfig { name, description, homepage, contact, categories, icon } = config;
    let mut hold = |field: &str, holds: bool, remedy: &str| {
        if !holds {
            reader.fail(&format!("SERVICE.{field}"), remedy);
        }
    };
    let is_plain = |text: &str| !text.chars().any(char::is_control);
    hold("name", name.len() <= 64 && is_plain(&name), "must be at most 64 bytes on one line");
    let is_line = description.len() <= 256 && is_plain(&description);
    hold("description", is_line, "must be at most 256 bytes on one line");
    let is_place =
        homepage.is_empty() || homepage.starts_with('/') || homepage.starts_with("https://");
    let is_place =
        is_place && homepage.len() <= 256 && homepage.bytes().all(|b| b.is_ascii_graphic());
    hold("homepage", is_place, "must be an https URL or a path of at most 256 bytes");
    let is_mail =
        contact.is_empty() || contact.split('@').filter(|part| !part.is_empty()).count() == 2;
    let is_mail = is_mail && contact.len() <= 128 && contact.bytes().all(|b| b.is_ascii_graphic());
    hold("contact", is_mail, "must be one mail address of at most 128 bytes");
    let named = |text: &String| (1..=32).contains(&text.len()) && is_plain(text);
    let are_named = categories.len() <= 8 && categories.iter().all(named);
    hold("categories", are_named, "must be at most 8 words of at most 32 bytes");
    let is_icon = icon.is_empty() || icon.len() <= 256 && is_public(&icon);
    hold("icon", is_icon, "must be an https URL of a host with a name, at most 256 bytes");
    Service { name, description, homepage, contact, categories, icon }
}

/// Whether a URL is of a host that has a name, as registries take it.
fn is_public(url: &str) -> bool {
    let host = url.strip_prefix("https://").and_then(|rest| rest.split(['/', '?', '#']).next());
    let is_named = host.is_some_and(|host| {
        let last = host.rsplit('.').next().unwrap_or_default();
        let is_word =
            |it: &str| !it.is_empty() && it.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        host.contains('.')
            && host.split('.').all(is_word)
            && !last.bytes().any(|b| b.is_ascii_digit())
    });
    is_named && url.bytes().all(|b| b.is_ascii_graphic())
}
