//! The market of an isolate, cached by its configuration.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::hash::digest;
use farebox_core::skills::Market;

use crate::platform::calls;

/// A configuration and its market, or none if it is wrong.
struct MarketSetting {
    vars: String,
    market: Option<Rc<Market>>,
}

thread_local! {
    static CONFIGURED: RefCell<Option<MarketSetting>> = const { RefCell::new(None) };
}

/// Builds the market if the configuration is new; errors go to the operator's log.
pub(super) fn configure(text: &str) {
    let vars = digest(&[text.as_bytes()]);
    if CONFIGURED.with_borrow(|known| known.as_ref().is_some_and(|known| known.vars == vars)) {
        return;
    }
    let market = match Market::from_vars(text) {
        Ok(market) => Some(Rc::new(market)),
        Err(errors) => {
            for error in errors {
                calls::complain(&format!("farebox-market is not configured: {error}"));
            }
            None
        }
    };
    CONFIGURED.set(Some(MarketSetting { vars, market }));
}

/// The market; `None` if its configuration is wrong.
pub(super) fn market() -> Option<Rc<Market>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref()?.market.clone())
}
