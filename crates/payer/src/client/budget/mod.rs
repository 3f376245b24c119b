//! Recent payments of the client: caps over time hold before anything is signed, even with several
//! signers at once.
//!
//! The record is text in a store that replaces it only if no other writer did meanwhile;
//! [`Budget::reserve`] is the whole step in between. A reservation stays counted until it is old: a
//! signature that left may be charged, whatever a server says; what a receipt says was not charged
//! stays counted against a cap of its own. Only a payment that was never signed
//! is released by [`Budget::release`]. An unreadable record is an error, never an empty record.

mod entries;
mod kept;
mod pins;
mod record;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::entries::{DAY_SECS, Entries, HOUR_SECS, Part, Spent};
pub use self::kept::KeptTexts;
use self::pins::{Pins, place_of, realm_of};
use super::asset::CAP_DECIMALS;
use super::endpoints::Endpoints;
use super::error::{ClientError, Reason};
use super::offer::Offer;
use super::policy::Policy;
use super::select::best;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Payments that were signed or are about to be.
    entries: Entries,
    /// The payee of each place, and the realm.
    pins: Pins,
    /// Endpoints where payment stops until the payer has looked.
    pub endpoints: Endpoints,
    /// Payments that were sent, and receipts, as the caller keeps them.
    pub sent: KeptTexts,
}

impl Budget {
    /// Reads a record; `None` gives an empty one.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    ///
    /// # Examples
    /// ```
    /// use farebox_payer::client::{Reason, budget::Budget};
    /// let empty = Budget::from_text(None).unwrap().to_text();
    /// assert_eq!(Budget::from_text(Some(&empty)).unwrap().to_text(), empty);
    /// let torn = Budget::from_text(Some(&empty[1..])).unwrap_err();
    /// assert_eq!(torn.reason, Reason::BudgetUnreadable);
    /// ```
    pub fn from_text(text: Option<&str>) -> Result<Self, ClientError> {
        let Some(text) = text else { return Ok(Self::default()) };
        Self::read(text).ok_or_else(|| {
            let message = "the record of what was spent cannot be read".to_string();
            ClientError::new(Reason::BudgetUnreadable, message)
        })
    }

    /// Picks the best of the offers that policy and caps allow, and counts it as spent; returns also
    /// under which name.
    ///
    /// # Errors
    /// The reason why no offer may be paid; the record is as before.
    pub fn reserve<'o>(
        &mut self,
        policy: &Policy,
        offers: &'o [Offer],
        draft: Draft<'_>,
        now: UnixTime,
    ) -> Result<(&'o Offer, String), ClientError> {
        policy.admit(now)?;
        self.endpoints.admit(draft.endpoint)?;
        // Before the entries are counted: a full record makes room by itself.
        self.tidy(now);
        let offer = self.choose(policy, offers, draft, now)?;
        let id = self.count(offer, draft, now);
        Ok((offer, id))
    }

    fn choose<'o>(
        &self,
        policy: &Policy,
        offers: &'o [Offer],
        draft: Draft<'_>,
        now: UnixTime,
    ) -> Result<&'o Offer, ClientError> {
        let allowed = |offer: &Offer| {
            policy.judge(offer, draft.host).and_then(|()| self.affords(policy, offer, draft, now))
        };
        let able: Vec<&Offer> = offers.iter().filter(|offer| allowed(offer).is_ok()).collect();
        if let Some(offer) = best(&able) {
            return Ok(offer);
        }
        // The reason concerns the offer that would have been chosen.
        let nothing = || {
            ClientError::new(Reason::MalformedChallenge, "the list of accepted payments is empty")
        };
        let all: Vec<&Offer> = offers.iter().collect();
        let choice = best(&all).ok_or_else(nothing)?;
        Err(allowed(choice).err().unwrap_or_else(nothing))
    }

    /// Counts a deposit as spent, if the caps leave room for all of it.
    ///
    /// # Errors
    /// The reason why it may not be made; the record is as before.
    pub fn hold(
        &mut self,
        policy: &Policy,
        offer: &Offer,
        deposit: Amount,
        draft: Draft<'_>,
        now: UnixTime,
    ) -> Result<(), ClientError> {
        self.tidy(now);
        let held = Offer { amount: deposit, ..offer.clone() };
        self.affords(policy, &held, draft, now)?;
        self.count(&held, draft, now);
        Ok(())
    }

    /// Releases a payment that was never signed, and the payee that it would have been the first to
    /// pay. A purchase that was counted twice stays: the other one may have been signed.
    pub fn release(&mut self, id: &str) {
        if self.entries.release(id) {
            self.pins.release(id);
        }
    }

    /// Counts what was charged in the place of what was signed. The rest stays known, because a
    /// receipt is the server's word and the signature is still there.
    pub fn settle(&mut self, id: &str, charged: Amount) {
        self.entries.settle(id, charged);
    }

    /// Whether the caps over time leave room, and payee and realm are the known ones.
    fn affords(
        &self,
        policy: &Policy,
        offer: &Offer,
        draft: Draft<'_>,
        now: UnixTime,
    ) -> Result<(), ClientError> {
        let (host, payee, id) = (draft.host, offer.pay_to.to_lower_hex(), (draft.name)(offer));
        if policy.pins_payees && policy.payees.is_none() {
            self.pins.admit(host, &place_of(host, offer), &payee, Reason::PayeeChanged)?;
        }
        self.admit_realm(offer, host)?;
        self.entries.admit()?;
        // First the one that the others are taken from if they are not set: whatever such a cap
        // refuses, this one refuses too, under the name that was written.
        let caps = [
            ("perDay", policy.per_day, DAY_SECS, Part::All),
            ("perHour", policy.per_hour, HOUR_SECS, Part::All),
            ("perHost", policy.per_host, DAY_SECS, Part::Host(host)),
            ("perPayee", policy.per_payee, DAY_SECS, Part::Payee(&payee)),
        ];
        let room = |name: &str, cap: Amount, spent: Option<Amount>| {
            let after =
                spent.zip(offer.worth()).and_then(|(spent, worth)| spent.checked_add(worth));
            if after.is_some_and(|after| after <= cap) {
                return Ok(());
            }
            let spent = spent.map_or_else(String::new, |spent| spent.to_decimal(CAP_DECIMALS));
            let (price, cap) = (offer.price(), cap.to_decimal(CAP_DECIMALS));
            let message = format!("{name} is {cap}: {spent} is used, and the price is {price}");
            Err(ClientError::new(Reason::BudgetExhausted, message))
        };
        for (name, cap, secs, part) in caps {
            room(name, cap, self.entries.spent(now.minus(secs), part, &id))?;
        }
        room("uptoPerDay", policy.upto_per_day, self.entries.worst(now.minus(DAY_SECS), &id))
    }

    /// Refuses another realm of a host than the pinned one; its own needs no pin.
    ///
    /// # Errors
    /// [`Reason::RealmMismatch`].
    pub fn admit_realm(&self, offer: &Offer, host: &str) -> Result<(), ClientError> {
        let Some(realm) = offer.foreign_realm() else { return Ok(()) };
        self.pins.admit(host, &realm_of(host), realm, Reason::RealmMismatch)
    }

    /// Counts an offer, and returns under which name; a purchase that was counted before stays at its
    /// highest amount.
    fn count(&mut self, offer: &Offer, draft: Draft<'_>, now: UnixTime) -> String {
        let (payee, id) = (offer.pay_to.to_lower_hex(), (draft.name)(offer));
        self.pins.hold(place_of(draft.host, offer), &payee, &id);
        if let Some(realm) = offer.foreign_realm() {
            self.pins.hold(realm_of(draft.host), realm, &id);
        }
        self.entries.count(Spent {
            id: id.clone(),
            at: now.secs(),
            host: draft.host.to_string(),
            payee,
            worth: offer.worth().unwrap_or(Amount::MAX),
            beyond: Amount::ZERO,
        });
        id
    }

    /// Sums old entries, and settles the pins of those that can no longer be released.
    fn tidy(&mut self, now: UnixTime) {
        let pins = &self.pins;
        self.entries.sum_old(now, &|id| pins.are_held_by(id));
        let entries = &self.entries;
        self.pins.settle(|id| entries.holds(id));
    }

    /// The spending of each cap: all together, and by host and payee.
    #[must_use]
    pub fn caps(&self, policy: &Policy, now: UnixTime) -> Vec<Spending> {
        let total = |since, part| self.entries.spent(since, part, "").unwrap_or(Amount::MAX);
        let (hour, day) = (now.minus(HOUR_SECS), now.minus(DAY_SECS));
        let all = |name, cap, spent| Spending { name, of: None, cap, spent };
        let mut caps = alloc::vec![
            all("perHour", policy.per_hour, total(hour, Part::All)),
            all("perDay", policy.per_day, total(day, Part::All)),
        ];
        if policy.signs_bounds() {
            let worst = self.entries.worst(day, "").unwrap_or(Amount::MAX);
            caps.push(all("uptoPerDay", policy.upto_per_day, worst));
        }
        for Spent { host, payee, .. } in self.entries.since(day) {
            for (name, of, cap, part) in [
                ("perHost", host, policy.per_host, Part::Host(host)),
                ("perPayee", payee, policy.per_payee, Part::Payee(payee)),
            ] {
                if !caps.iter().any(|it| it.name == name && it.of.as_ref() == Some(of)) {
                    caps.push(Spending {
                        name,
                        of: Some(of.clone()),
                        cap,
                        spent: total(day, part),
                    });
                }
            }
        }
        caps
    }
}

/// The spending of a cap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spending {
    /// The policy's field.
    pub name: &'static str,
    /// The host or payee that it is for.
    pub of: Option<String>,
    /// The cap, at [`CAP_DECIMALS`].
    pub cap: Amount,
    /// The amount that was spent, at [`CAP_DECIMALS`].
    pub spent: Amount,
}

/// The payment that is about to be signed.
#[derive(Clone, Copy)]
pub struct Draft<'a> {
    /// Names what is signed for an offer: two of one name are charged once at most. Empty for a
    /// question without a payment.
    pub name: &'a dyn Fn(&Offer) -> String,
    /// The host that serves.
    pub host: &'a str,
    /// The requested endpoint.
    pub endpoint: &'a str,
}
