//! Former prices: what a route asked by the table before still pays for some minutes, so that a buyer
//! who was told it just before the table changed is served.
//!
//! The amount alone may differ. A payment for another payee, asset, time or mode is refused at once.

use alloc::sync::Arc;

use super::offer::{Choice, FormerOffer, Offer};
use super::parts::PricedRoutes;
use super::pricer::terms_at;
use super::route::Rule;
use farebox_base::time::UnixTime;

/// Seconds for which a former price pays: a market delivers for as long after it changed.
const FORMER_SECS: u64 = 300;

impl PricedRoutes {
    /// Keeps the prices that these routes had in an earlier table.
    pub fn keep_former(&mut self, earlier: &Self, now: UnixTime) {
        let rules = self.table.rules();
        for (rule, offer) in rules.iter().zip(&mut self.offers) {
            let Some(offer) = offer else { continue };
            offer.former = earlier.same_route(rule).and_then(|old| former_of(offer, old, now));
        }
    }

    /// The offer of the route with this pattern and these methods.
    fn same_route(&self, rule: &Rule) -> Option<&Offer> {
        let is_same = |it: &&Rule| it.pattern == rule.pattern && it.methods == rule.methods;
        let at = self.table.rules().iter().position(|it| is_same(&it))?;
        self.offer(at)
    }
}

/// The former price of a route whose offer in an earlier table was `old`.
fn former_of(offer: &Offer, old: &Offer, now: UnixTime) -> Option<Arc<FormerOffer>> {
    if !is_alike(offer, old) {
        return None;
    }
    let is_changed = |(ours, theirs): (&Choice, &Choice)| ours.terms.amount != theirs.terms.amount;
    if offer.choices.iter().zip(&old.choices).any(is_changed) {
        let offer = offer.at(old.choices.clone(), None);
        return Some(Arc::new(FormerOffer { offer, until: now.plus(FORMER_SECS) }));
    }
    // Another route has changed: what this one asked before goes on.
    let former = old.former.clone().filter(|it| now < it.until && is_alike(offer, &it.offer))?;
    let FormerOffer { offer: before, until } = &*former;
    let (offer, until) = (offer.at(before.choices.clone(), None), *until);
    Some(Arc::new(FormerOffer { offer, until }))
}

/// Whether two offers of a route have one fixed price each, and differ in it at most.
fn is_alike(ours: &Offer, theirs: &Offer) -> bool {
    let is_fixed = |offer: &Offer| offer.pricer.is_none() && offer.meter.is_none();
    let is_same = |(ours, theirs): (&Choice, &Choice)| {
        terms_at(ours, theirs.terms.amount, None) == theirs.terms
    };
    is_fixed(ours)
        && is_fixed(theirs)
        && ours.settings.mode == theirs.settings.mode
        && ours.choices.len() == theirs.choices.len()
        && ours.choices.iter().zip(&theirs.choices).all(is_same)
}
