//! The one gate of an isolate, cached by its configuration.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::gate::Gate;

use super::edge;

/// A configuration and the gate it made, or did not make.
struct Configured {
    digest: String,
    gate: Option<Rc<Gate>>,
}

thread_local! {
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// Builds the gate if the configuration is new; the operator reads in the log what is wrong with it.
pub(super) fn configure(vars: &str) -> Option<String> {
    let digest = farebox_core::gate::keys::digest(&[vars.as_bytes()]);
    let known = CONFIGURED.with_borrow(|configured| {
        configured.as_ref().is_some_and(|configured| configured.digest == digest)
    });
    if !known {
        let gate = match Gate::from_vars(vars) {
            Ok(gate) => Some(Rc::new(gate)),
            Err(errors) => {
                for error in errors {
                    edge::complain(&format!("farebox is not configured: {error}"));
                }
                None
            }
        };
        CONFIGURED.set(Some(Configured { digest, gate }));
    }
    gate()?.plain_forwarding()
}

/// The configured gate.
pub(super) fn gate() -> Option<Rc<Gate>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref()?.gate.clone())
}
