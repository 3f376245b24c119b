//! The networks that facilitators say they support: asked behind an answer of `/_farebox/health`,
//! never before one.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::facilitator::reply::MAX_SUPPORTED_BYTES;
use farebox_core::facilitator::supported::{DEADLINE_SECS, Supported};
use farebox_core::gate::Gate;
use farebox_core::sorted::Sorted;
use wasm_bindgen::JsValue;

use super::{edge, facilitator};
use crate::platform::now;

thread_local! {
    /// Replies by base URL.
    static KNOWN: RefCell<Sorted<String, Supported>> = const { RefCell::new(Sorted::new()) };
}

/// The answer of `/_farebox/health`; facilitators are asked again behind it.
pub(super) fn health(gate: &Rc<Gate>, context: &JsValue) -> String {
    let mut entries = Vec::new();
    for url in gate.facilitator_urls() {
        let is_due = with(url, |known| {
            entries.push(known.entry(url));
            known.is_due(now())
        });
        if is_due {
            let asked = edge::promise(ask(gate.clone(), url.to_owned()));
            edge::wait_until(context, &js_sys::Promise::from(asked));
        }
    }
    gate.health(entries)
}

async fn ask(gate: Rc<Gate>, url: String) -> JsValue {
    let place = format!("{url}/supported");
    let milliseconds = DEADLINE_SECS as u32 * 1000;
    let sent =
        facilitator::ask(&gate, "GET", &place, String::new(), milliseconds, MAX_SUPPORTED_BYTES);
    let reply = facilitator::reply(&gate, &place, edge::settled(sent).await);
    if let Some(missing) = with(&url, |known| {
        let sold = (gate.networks_at(&place), &*gate.sessions_at(&place));
        known.note(&reply, sold, now())
    }) {
        edge::complain(&format!(
            "farebox: {place} does not list {missing}; name a facilitator that does"
        ));
    }
    JsValue::UNDEFINED
}

fn with<T>(url: &str, act: impl FnOnce(&mut Supported) -> T) -> T {
    KNOWN.with_borrow_mut(|known| act(known.get_or(url.to_owned(), Supported::default)))
}
