//! The networks that facilitators say they support, for `/_farebox/health`. No payment waits for it.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::facilitator::reply::MAX_SUPPORTED_BYTES;
use farebox_core::facilitator::supported::{DEADLINE_SECS, Sold, Supported};
use farebox_core::gate::Gate;
use farebox_core::sorted::Sorted;
use wasm_bindgen::JsValue;

use super::{edge, facilitator};
use crate::platform::now;

/// Milliseconds between two looks at a first answer.
const LOOK_MS: u32 = 50;

thread_local! {
    /// Replies by base URL.
    static KNOWN: RefCell<Sorted<String, Supported>> = const { RefCell::new(Sorted::new()) };
}

/// The answer of `/_farebox/health`. A facilitator that this isolate has not asked yet is waited
/// for; others are asked again behind the answer.
pub(super) async fn health(gate: Rc<Gate>, context: JsValue) -> String {
    for url in gate.facilitator_urls() {
        if with(url, |known| known.is_due(now())) {
            let asked = edge::promise(ask(gate.clone(), url.to_owned()));
            edge::wait_until(&context, &js_sys::Promise::from(asked));
        }
    }
    while gate.facilitator_urls().any(|url| with(url, |known| known.is_awaited(now()))) {
        edge::pause(LOOK_MS).await;
    }
    let mut is_ok = facilitator::conditions(&gate).iter().all(|it| it.ready);
    let entries = gate.facilitator_urls().map(|url| {
        with(url, |known| {
            is_ok &= known.can_settle();
            known.entry(url, facilitator::extensions_at(url))
        })
    });
    let entries = entries.collect();
    gate.health(is_ok, entries)
}

async fn ask(gate: Rc<Gate>, url: String) -> JsValue {
    let place = format!("{url}/supported");
    let send = || {
        let (body, within) = (String::new(), DEADLINE_SECS as u32 * 1000);
        facilitator::ask(&gate, "GET", &place, body, within, MAX_SUPPORTED_BYTES)
    };
    let reply = facilitator::finished(&gate, &place, send(), send).await;
    if let Some(missing) = with(&url, |known| {
        let sessions = gate.sessions_at(&place);
        let (networks, extensions) = (gate.networks_at(&place), gate.extensions_at(&place));
        known.note(&reply, &Sold { networks, sessions: &sessions, extensions }, now())
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
