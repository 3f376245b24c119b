//! The market of an isolate and its exchange, cached by their configuration.

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;

use farebox_core::compute::vars::Profiles;
use farebox_core::hash::digest;
use farebox_core::http::RequestHead;
use farebox_core::market_page::Beside;
use farebox_core::skills::Market;

use super::following::Following;
use super::showcase::Showcase;
use crate::platform::calls;
use crate::platform::turns::Turns;

/// A configuration with its market and its exchange.
struct MarketSetting {
    vars: String,
    market: Option<Rc<Market>>,
    showcase: Rc<Showcase>,
    following: Rc<Following>,
    turns: Rc<Turns>,
    bodies: Rc<Turns>,
    looks: Rc<Turns>,
    questions: Rc<Turns>,
    exchange: Exchanging,
    /// The halves that are refused because their configuration is wrong.
    refused: Vec<&'static str>,
}

/// Whether an exchange is served.
#[derive(Clone)]
pub(super) enum Exchanging {
    /// There is none.
    No,
    /// Its configuration is wrong; the operator's log says how.
    Wrong,
    /// These profiles are.
    With(Rc<Profiles>),
}

impl Exchanging {
    /// Whether there is one, and it works.
    pub(super) const fn is_served(&self) -> bool {
        matches!(self, Self::With(_))
    }
}

/// The link of a page to the other half.
pub(super) const fn beside(is_served: bool) -> Beside {
    if is_served { Beside::Served } else { Beside::Nothing }
}

thread_local! {
    static CONFIGURED: RefCell<Option<MarketSetting>> = const { RefCell::new(None) };
}

/// Builds both if the configuration is new; errors go to the operator's log. Neither needs the
/// other to be right.
pub(super) fn configure(text: &str) {
    let vars = digest(&[text.as_bytes()]);
    if CONFIGURED.with_borrow(|known| known.as_ref().is_some_and(|known| known.vars == vars)) {
        return;
    }
    let market = Market::from_vars(text).map_err(|errors| complain("farebox-market", errors));
    let exchange = match Profiles::from_vars(text) {
        Ok(None) => Exchanging::No,
        Ok(Some(profiles)) => Exchanging::With(Rc::new(profiles)),
        Err(errors) => {
            complain("farebox-market's exchange", errors);
            Exchanging::Wrong
        }
    };
    let mut refused = Vec::new();
    if market.is_err() && Market::is_meant(text) {
        refused.push("skills");
    }
    if matches!(exchange, Exchanging::Wrong) {
        refused.push("exchange");
    }
    let market = market.ok().map(Rc::new);
    let setting = MarketSetting {
        vars,
        market,
        showcase: Rc::default(),
        following: Rc::default(),
        turns: Rc::default(),
        bodies: Rc::default(),
        looks: Rc::default(),
        questions: Rc::default(),
        exchange,
        refused,
    };
    CONFIGURED.set(Some(setting));
}

fn complain(of: &str, errors: Vec<impl Display>) {
    for error in errors {
        calls::complain(&format!("{of} is not configured: {error}"));
    }
}

/// Whether the gate in front has signed a request: one secret stands for both halves.
pub(super) fn is_from_gate(head: &RequestHead) -> bool {
    let now_ms = calls::clock_ms();
    profiles().is_some_and(|it| it.is_from_gate(head, now_ms))
        || market().is_some_and(|it| it.is_from_gate(head, now_ms))
}

/// The market; `None` if its configuration is wrong.
pub(super) fn market() -> Option<Rc<Market>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref()?.market.clone())
}

/// The halves that are refused because their configuration is wrong.
pub(super) fn refused() -> Vec<&'static str> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| it.refused.clone()).unwrap_or_default())
}

/// The skills that this isolate keeps: what is written of them depends on the configuration.
pub(super) fn showcase() -> Option<Rc<Showcase>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref().map(|it| Rc::clone(&it.showcase)))
}

/// The invocations that requests of this isolate wait for.
pub(super) fn following() -> Rc<Following> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| Rc::clone(&it.following)).unwrap_or_default())
}

/// The turns at what costs much.
pub(super) fn turns() -> Rc<Turns> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| Rc::clone(&it.turns)).unwrap_or_default())
}

/// The turns of long bodies, from which nothing was proven yet.
pub(super) fn bodies() -> Rc<Turns> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| Rc::clone(&it.bodies)).unwrap_or_default())
}

/// The turns of agents' looks into the archive.
pub(super) fn looks() -> Rc<Turns> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| Rc::clone(&it.looks)).unwrap_or_default())
}

/// The turns of questions to the node of the exchange.
pub(super) fn questions() -> Rc<Turns> {
    CONFIGURED.with_borrow(|it| it.as_ref().map(|it| Rc::clone(&it.questions)).unwrap_or_default())
}

/// The exchange.
pub(super) fn exchange() -> Exchanging {
    CONFIGURED.with_borrow(|known| known.as_ref().map_or(Exchanging::No, |it| it.exchange.clone()))
}

/// The profiles of an exchange that is served.
pub(super) fn profiles() -> Option<Rc<Profiles>> {
    match exchange() {
        Exchanging::With(profiles) => Some(profiles),
        Exchanging::No | Exchanging::Wrong => None,
    }
}
