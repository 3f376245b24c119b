//! Terms that are asked for again: what the gate remembers of them, by the number that
//! `standing.mjs` knows them by.

use std::cell::RefCell;

use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::standing::{Standing, StandingClient};
use farebox_core::http::RequestHead;
use farebox_core::secret::shows_token;
use farebox_core::sorted::Sorted;
use wasm_bindgen::prelude::*;

use super::{attempts, config, handover, meters};
use crate::platform::{fresh_id, now};

thread_local! {
    /// The last number, and what has been remembered since the configuration was read.
    static ALL: RefCell<(u32, Sorted<u32, Standing>)> = const { RefCell::new((0, Sorted::new())) };
}

/// Remembers the 402 for this request's URL: the number, a line end and what
/// [`Standings::remember`](farebox_core::gate::standing::Standings::remember) says; `None` if it cannot be remembered.
#[wasm_bindgen]
#[must_use]
pub fn remember(head: &str) -> Option<String> {
    let head = RequestHead::from_text(head)?;
    // Its line would be written without `path_shown`.
    if shows_token(head.target()) {
        return None;
    }
    let (standing, text) = config::gate()?.standings().remember(&head, &fresh_id(), now())?;
    ALL.with_borrow_mut(|(last, all)| {
        *last += 1;
        all.get_or(*last, || standing);
        Some(format!("{last}\n{text}"))
    })
}

/// Forgets one.
#[wasm_bindgen]
pub fn forget(number: u32) {
    ALL.with_borrow_mut(|(_, all)| all.remove(&number));
}

/// Forgets all: they belong to one configuration.
pub(super) fn forget_all() {
    ALL.with_borrow_mut(|(_, all)| *all = Sorted::new());
}

/// Counts one more request, and gives the lines of its answer: correlation id, id of the challenge,
/// challenge, and `due` if counts wait to be handed over. `None` if the whole gate has to answer.
#[wasm_bindgen(js_name = askAgain)]
#[must_use]
pub fn ask_again(number: u32, address: &str, agent: &str) -> Option<String> {
    let gate = config::gate()?;
    ALL.with_borrow_mut(|(_, all)| {
        let standing = all.get(&number)?;
        let correlation = fresh_id();
        let ask = |isolate: &mut Isolate<'_>| {
            let client = StandingClient { address, agent };
            gate.standings().ask_again(standing, &correlation, client, isolate, now())
        };
        let issued = attempts::surrounded(&gate, ask)?;
        if gate.has_operator()
            && let Some((route, true)) = gate.standings().route_of(standing)
        {
            meters::asked_for_terms(route);
        }
        let due = if handover::is_due(&gate) { "due" } else { "" };
        let (id, header) = issued.as_ref().map_or(("", ""), |issued| (&issued.id, &issued.header));
        Some([&correlation, "\n", id, "\n", header, "\n", due].concat())
    })
}

/// Starts a hand-over of the counts after a while.
#[wasm_bindgen(js_name = handOver)]
pub fn hand_over(ledger: &JsValue, context: &JsValue) {
    if let Some(gate) = config::gate() {
        handover::begin(&gate, ledger, context);
    }
}
