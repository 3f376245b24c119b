//! The only payee that is accepted at a host on a network, once it was paid, and the only realm in
//! its challenges that is not its own.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::client::error::{ClientError, Reason};
use crate::client::offer::Offer;

/// The payee of a place, or the realm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) place: String,
    pub(super) payee: String,
    /// The reservation that owns the pin until its payment is signed.
    pub(super) held_by: Option<String>,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pins(pub(super) Vec<Pin>);

/// Maximum hosts with a known payee, by network. Forgetting one would let its payee change.
pub(super) const MAX_PINS: usize = 20_000;

impl Pins {
    /// The payee of a place.
    pub(super) fn of(&self, place: &str) -> Option<&String> {
        self.0.iter().find(|pin| pin.place == place).map(|pin| &pin.payee)
    }

    /// Refuses another one than the one that is known at a place of `host`, and a new one without room.
    ///
    /// # Errors
    /// `changed`, [`Reason::BudgetExhausted`].
    pub(super) fn admit(
        &self,
        host: &str,
        place: &str,
        named: &str,
        changed: Reason,
    ) -> Result<(), ClientError> {
        let (reason, message) = match self.of(place) {
            Some(pinned) if pinned != named => (
                changed,
                format!(
                    "{host} was paid at {pinned} before, or is about to be, and now names {named}"
                ),
            ),
            None if self.is_full() => (
                Reason::BudgetExhausted,
                format!(
                    "the payees of {MAX_PINS} hosts are known which is the limit; list the payees in policy.payees"
                ),
            ),
            Some(_) | None => return Ok(()),
        };
        Err(ClientError::new(reason, message))
    }

    /// Whether there is no room for another settled one.
    pub(super) fn is_full(&self) -> bool {
        // Those that are held may go with their reservations.
        self.0.iter().filter(|pin| pin.held_by.is_none()).count() >= MAX_PINS
    }

    /// Pins the payee of this reservation to its place, unless the place has a settled one. Each
    /// reservation holds its own pin, because another one may be released.
    pub(super) fn hold(&mut self, place: String, payee: &str, id: &str) {
        let mut known = self.0.iter().filter(|pin| pin.place == place);
        let needs_none = known.any(|pin| {
            pin.held_by.as_deref().is_none_or(|holder| holder == id) || pin.payee != payee
        });
        if !needs_none && !self.is_full() {
            self.0.push(Pin { place, payee: payee.to_owned(), held_by: Some(id.to_owned()) });
        }
    }

    /// Whether a reservation owns one of them.
    pub(super) fn are_held_by(&self, id: &str) -> bool {
        self.0.iter().any(|pin| pin.held_by.as_deref() == Some(id))
    }

    /// Drops the pin of a reservation that was never signed.
    pub(super) fn release(&mut self, id: &str) {
        self.0.retain(|pin| pin.held_by.as_deref() != Some(id));
    }

    /// Settles the pins of reservations that can no longer be released: they count as paid.
    pub(super) fn settle(&mut self, is_held: impl Fn(&str) -> bool) {
        let (mut settled, held): (Vec<Pin>, Vec<Pin>) =
            self.0.drain(..).partition(|pin| pin.held_by.is_none());
        let (open, over): (Vec<Pin>, Vec<Pin>) =
            held.into_iter().partition(|pin| pin.held_by.as_deref().is_some_and(&is_held));
        for pin in over {
            if settled.iter().all(|known| known.place != pin.place) {
                settled.push(Pin { held_by: None, ..pin });
            }
        }
        let is_known = |pin: &Pin| settled.iter().any(|known| known.place == pin.place);
        let open: Vec<Pin> = open.into_iter().filter(|pin| !is_known(pin)).collect();
        self.0 = settled;
        self.0.extend(open);
    }
}

/// The name of a host for its realm. No network is called so.
pub(super) fn realm_of(host: &str) -> String {
    format!("{host} realm")
}

/// The name of a host on the offer's network.
pub(super) fn place_of(host: &str, offer: &Offer) -> String {
    format!("{host} {}", offer.asset.network)
}
