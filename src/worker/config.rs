//! The gates of an isolate, cached by their configuration: one for its requests, and one for its
//! objects.
//!
//! Objects ask no client for payment and have to go on when the route table is wrong or cannot be
//! read. They use the gate of the requests if there is one.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::gate::Gate;
use farebox_core::gate::config::Routes;
use farebox_core::hash::digest;

use super::{documents, edge, standing};
use crate::platform::now;

/// A configuration and its gate, or none if it is wrong.
struct Configured {
    vars: String,
    /// Of the stored route table, if there is one.
    table: Option<String>,
    gate: Option<Rc<Gate>>,
}

thread_local! {
    static REQUESTS: RefCell<Option<Configured>> = const { RefCell::new(None) };
    static OBJECTS: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// Builds the gate if the configuration is new, and returns the facts that an edge needs; errors go
/// to the operator's log.
///
/// A wrong stored table gives `None` and leaves the last good gate in place.
pub(super) fn configure(vars: &str, table: Option<&str>) -> Option<String> {
    let digests = (digest(&[vars.as_bytes()]), table.map(|table| digest(&[table.as_bytes()])));
    let known = REQUESTS.with_borrow(|known| {
        known.as_ref().map(|known| (known.vars == digests.0, known.table == digests.1))
    });
    if known != Some((true, true)) {
        let mut built = build(vars, table.map_or(Routes::Variables, Routes::Stored));
        if built.is_none() && known.is_some_and(|(same_vars, _)| same_vars) && gate().is_some() {
            edge::complain("farebox keeps the last good route table");
            return None;
        }
        // A buyer who was told a price just before it changed still pays it.
        let earlier = gate().filter(|_| known.is_some_and(|(same_vars, _)| same_vars));
        if let (Some(built), Some(earlier)) = (&mut built, earlier) {
            built.keep_former(&earlier, now());
        }
        let (vars, table) = digests;
        REQUESTS.set(Some(Configured { vars, table, gate: built.map(Rc::new) }));
        standing::forget_all();
        documents::forget_all();
    }
    Some(gate()?.edge_rules().write())
}

/// Builds the gate of these variables alone, and returns the facts that an edge needs.
///
/// `None` if they are wrong: they are read again when a request comes, whose log is read.
pub(super) fn prepare(vars: &str) -> Option<String> {
    let gate = Gate::configured(vars, Routes::Variables).ok()?;
    let facts = gate.edge_rules().write();
    let (vars, gate) = (digest(&[vars.as_bytes()]), Some(Rc::new(gate)));
    documents::forget_all();
    REQUESTS.set(Some(Configured { vars, table: None, gate }));
    Some(facts)
}

/// Configures like [`configure`], for objects and for calls to them without a request.
pub(super) fn configure_objects(vars: &str) -> Option<String> {
    let digest = digest(&[vars.as_bytes()]);
    let is_known = |known: &Option<Configured>| {
        known.as_ref().is_some_and(|known| known.vars == digest && known.gate.is_some())
    };
    if !REQUESTS.with_borrow(is_known) && !OBJECTS.with_borrow(is_known) {
        let gate = build(vars, Routes::Spared).map(Rc::new);
        OBJECTS.set(Some(Configured { vars: digest, table: None, gate }));
    }
    Some(for_objects()?.edge_rules().write())
}

fn build(vars: &str, routes: Routes<'_>) -> Option<Gate> {
    match Gate::configured(vars, routes) {
        Ok(gate) => Some(gate),
        Err(errors) => {
            for error in errors {
                edge::complain(&format!("farebox is not configured: {error}"));
            }
            None
        }
    }
}

/// The gate of requests.
pub(super) fn gate() -> Option<Rc<Gate>> {
    REQUESTS.with_borrow(|configured| configured.as_ref()?.gate.clone())
}

/// The gate of objects; it never answers a request.
pub(super) fn for_objects() -> Option<Rc<Gate>> {
    gate().or_else(|| OBJECTS.with_borrow(|configured| configured.as_ref()?.gate.clone()))
}
