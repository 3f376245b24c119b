//! `/.well-known/x402`: the resources that x402 pays for, and their terms.
//!
//! `version` and `resources` are what x402scan reads (its `docs/DISCOVERY.md`); `x402Version` and
//! `items` have the shape that a facilitator lists resources in (x402 v2, "Discovery", without
//! `lastUpdated`). No specification is agreed on for this path.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::{Document, DocumentContext};
use farebox_base::encoding;

/// Writes the document.
pub(super) fn write(shop: &DocumentContext<'_>) -> String {
    let mut resources: Vec<String> = Vec::new();
    let mut items: Vec<Value> = Vec::new();
    for item in &shop.listing.items {
        let url = [shop.base, &item.path].concat();
        let known = items.len();
        for (methods, place) in &item.sales {
            let offer = shop.routes.offer(*place);
            let Some(offer) = offer.filter(|offer| offer.settings.protocols.x402) else { continue };
            let accepts: Vec<_> = offer
                .choices
                .iter()
                .map(|choice| encoding::json::value(&choice.requirements))
                .collect();
            let mut entry = json!({
                "resource": url,
                "type": "http",
                "methods": methods,
                "x402Version": 2,
                "description": offer.settings.description,
                "mimeType": offer.settings.mime_type,
            });
            // Terms whose price is named per request appear in the 402 alone.
            if let (None, Some(members)) = (&offer.pricer, entry.as_object_mut()) {
                members.insert("accepts".into(), json!(accepts));
            }
            items.push(entry);
        }
        if items.len() > known {
            resources.push(url);
        }
    }
    let mut document =
        json!({ "version": 1, "x402Version": 2, "resources": resources, "items": items });
    if let Some(members) = document.as_object_mut().filter(|_| shop.publish.has(Document::Llms)) {
        let instructions = format!("See {}{}", shop.base, Document::Llms.path());
        members.insert("instructions".into(), Value::from(instructions));
    }
    encoding::json::text(&document)
}
