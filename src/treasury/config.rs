//! The treasury of an isolate, cached by its configuration.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::hash::digest;
use farebox_core::treasury::Treasury;

use crate::platform::calls;

/// A configuration and its treasury, or none if it is wrong.
struct Configured {
    vars: String,
    treasury: Option<Rc<Treasury>>,
}

thread_local! {
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// Builds the treasury if the configuration is new; errors go to the operator's log.
pub(super) fn configure(text: &str) {
    let vars = digest(&[text.as_bytes()]);
    if CONFIGURED.with_borrow(|known| known.as_ref().is_some_and(|known| known.vars == vars)) {
        return;
    }
    let treasury = match Treasury::from_vars(text) {
        Ok(treasury) => Some(Rc::new(treasury)),
        Err(errors) => {
            for error in errors {
                calls::complain(&format!("farebox-treasury is not configured: {error}"));
            }
            None
        }
    };
    CONFIGURED.set(Some(Configured { vars, treasury }));
}

/// The treasury; `None` if its configuration is wrong.
pub(super) fn treasury() -> Option<Rc<Treasury>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref()?.treasury.clone())
}
