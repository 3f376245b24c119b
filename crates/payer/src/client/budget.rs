//! Recent payments of the client: caps over time hold before anything is signed, even with several
//! signers at once.
//!
//! The record is text in a store that replaces it only if no other writer did meanwhile;
//! [`Budget::reserve`] is the whole step in between. A reservation stays counted until it is old: a
//! signature that left may be charged, whatever a server says; what a receipt says was not charged
//! stays counted against a cap of its own. Only a payment that was never signed
//! is released by [`Budget::release`]. An unreadable record is an error, never an empty record.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::asset::CAP_DECIMALS;
use super::endpoints::{self, Endpoints};
use super::error::{ClientError, Reason};
use super::offer::Offer;
use super::policy::Policy;
use super::select::best;
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;

/// The record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Payments that were signed or are about to be.
    entries: Vec<Spent>,
    /// The payee of each place.
    pins: Vec<Pin>,
    /// Endpoints where payment stops until the payer has looked.
    pub endpoints: Endpoints,
    /// Payments that were sent, and receipts, as the caller keeps them.
    sent: Vec<RecordedPayment>,
}

/// One payment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spent {
    /// The name that its draft gave it, hex. [`SHARED`] follows if it was counted again.
    id: String,
    /// Time of its reservation, unix seconds.
    at: u64,
    host: String,
    payee: String,
    /// At [`CAP_DECIMALS`].
    worth: Amount,
    /// The amount that was signed beyond that and, by its receipt, was not charged.
    beyond: Amount,
}

impl Spent {
    /// Whether it counts this purchase; sums, and what has no name, count none.
    fn is_of(&self, id: &str) -> bool {
        let is_it = self.id.strip_suffix(SHARED).unwrap_or(&self.id) == id;
        is_it && !id.is_empty() && !planted(Mutant::PurchaseCountsTwice)
    }
}

/// The only payee accepted at a host on a network.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pin {
    place: String,
    payee: String,
    /// The reservation that owns the pin until its payment is signed.
    held_by: Option<String>,
}

/// A payment that was sent, or its receipt. The caller writes and reads it; here it is only kept,
/// so that caps and payments are in one record.
#[derive(Clone, Debug, PartialEq, Eq)]
struct RecordedPayment {
    /// The purpose of the payment.
    key: String,
    /// Time at which it was last written, unix seconds.
    at: u64,
    /// Whether its fate is not known yet.
    is_open: bool,
    text: String,
}

/// Version of the record. Version 1, without payments that were sent, is read as well.
const VERSION: u64 = 2;
/// Maximum size of the record, bytes: [`MAX_ENTRIES`] entries, [`MAX_PINS`] pins and the payments
/// that were sent, with room to spare.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Maximum values in it: seven of each entry and four of its pin, three of each other pin, those of
/// the endpoints, five of each payment that was sent, and the record's frame.
const MAX_VALUES: usize = 11 * MAX_ENTRIES
    + 3 * MAX_PINS
    + endpoints::VALUES * endpoints::MAX_ENDPOINTS
    + 5 * MAX_SENT
    + 64;
/// Maximum payments that were sent.
const MAX_SENT: usize = 2_000;
/// Ends the id of a purchase that was counted more than once: each of them may have been signed.
const SHARED: char = '+';
/// Seconds of the caps.
const HOUR_SECS: u64 = 3_600;
const DAY_SECS: u64 = 86_400;
/// Seconds of the sums within an hour, and how many entries are too few to be worth summing.
const SPAN_SECS: u64 = 300;
const FEW: usize = 64;
/// Seconds after which an entry is dropped: long enough for a clock that was set back.
const KEPT_SECS: u64 = 3 * DAY_SECS;
/// Maximum entries: payments of the last minutes, and sums of earlier ones. Beyond it payments are
/// refused; entries are never forgotten.
const MAX_ENTRIES: usize = 2_000;
/// Maximum hosts with a known payee, by network. Forgetting one would let its payee change.
const MAX_PINS: usize = 20_000;

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

    fn read(text: &str) -> Option<Self> {
        let Ok(Value::Object(record)) = json::parse_within(text.as_bytes(), MAX_BYTES, MAX_VALUES)
        else {
            return None;
        };
        let sent = match record.get("v")?.as_u64() {
            Some(1) => &[],
            Some(VERSION) => record.get("sent")?.as_array()?.as_slice(),
            _ => return None,
        };
        let text = |value: &Value| value.as_str().map(ToString::to_string);
        let entry = |value: &Value| match value.as_array()?.as_slice() {
            [id, at, host, payee, worth, beyond @ ..] => Some(Spent {
                id: text(id)?,
                at: at.as_u64()?,
                host: text(host)?,
                payee: text(payee)?,
                worth: Amount::from_atomic(worth.as_str()?).ok()?,
                beyond: match beyond {
                    [] => Amount::ZERO,
                    [beyond] => Amount::from_atomic(beyond.as_str()?).ok()?,
                    _ => return None,
                },
            }),
            _ => None,
        };
        let pin = |value: &Value| match value.as_array()?.as_slice() {
            [place, payee] => Some(Pin { place: text(place)?, payee: text(payee)?, held_by: None }),
            [place, payee, id] => {
                Some(Pin { place: text(place)?, payee: text(payee)?, held_by: Some(text(id)?) })
            }
            _ => None,
        };
        let payment = |value: &Value| match value.as_array()?.as_slice() {
            [key, at, is_open, kept] => Some(RecordedPayment {
                key: text(key)?,
                at: at.as_u64()?,
                is_open: is_open.as_bool()?,
                text: text(kept)?,
            }),
            _ => None,
        };
        Some(Self {
            entries: record.get("entries")?.as_array()?.iter().map(entry).collect::<Option<_>>()?,
            pins: record.get("pins")?.as_array()?.iter().map(pin).collect::<Option<_>>()?,
            endpoints: Endpoints::read(record.get("endpoints"))?,
            sent: sent.iter().map(payment).collect::<Option<_>>()?,
        })
    }

    /// The record as text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let entry = |entry: &Spent| {
            let Spent { id, at, host, payee, worth, beyond } = entry;
            match beyond.is_zero() {
                true => json!([id, at, host, payee, worth.to_string()]),
                false => json!([id, at, host, payee, worth.to_string(), beyond.to_string()]),
            }
        };
        let entries: Vec<Value> = self.entries.iter().map(entry).collect();
        let pin = |pin: &Pin| match &pin.held_by {
            Some(id) => json!([pin.place, pin.payee, id]),
            None => json!([pin.place, pin.payee]),
        };
        let pins: Vec<Value> = self.pins.iter().map(pin).collect();
        let endpoints = self.endpoints.rows();
        let payment = |it: &RecordedPayment| json!([it.key, it.at, it.is_open, it.text]);
        let sent: Vec<Value> = self.sent.iter().map(payment).collect();
        json!({"v": VERSION, "entries": entries, "pins": pins, "endpoints": endpoints, "sent": sent})
            .to_string()
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
        self.compact(now);
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
        self.compact(now);
        let held = Offer { amount: deposit, ..offer.clone() };
        self.affords(policy, &held, draft, now)?;
        self.count(&held, draft, now);
        Ok(())
    }

    /// The text that is kept under a key.
    #[must_use]
    pub fn kept(&self, key: &str) -> Option<&str> {
        self.sent.iter().find(|row| row.key == key).map(|row| row.text.as_str())
    }

    /// When what is kept under a key was last written.
    pub fn kept_at(&self, key: &str) -> Option<UnixTime> {
        self.sent.iter().find(|row| row.key == key).map(|row| UnixTime::from_secs(row.at))
    }

    /// The texts that are kept under keys that begin so, the latest last.
    pub fn kept_under(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let rows = self.sent.iter().filter(move |row| row.key.starts_with(prefix));
        rows.map(|row| row.text.as_str())
    }

    /// Keeps a text under a key, in the place of the one before it, until it is let go.
    ///
    /// # Errors
    /// [`Reason::BudgetExhausted`] if too much is kept.
    pub fn keep(&mut self, key: &str, text: &str, now: UnixTime) -> Result<(), ClientError> {
        self.let_go(key);
        if self.sent.len() >= MAX_SENT {
            let message = format!("{MAX_SENT} payments and channels are kept, which is the limit");
            return Err(ClientError::new(Reason::BudgetExhausted, message));
        }
        let (key, text, at) = (key.to_string(), text.to_string(), now.secs());
        self.sent.push(RecordedPayment { key, at, is_open: true, text });
        Ok(())
    }

    /// Drops what is kept under a key.
    pub fn let_go(&mut self, key: &str) {
        self.sent.retain(|row| row.key != key);
    }

    /// Takes the entry of a purchase out, to be counted anew.
    fn take(&mut self, id: &str) -> Option<Spent> {
        let at = self.entries.iter().position(|entry| entry.is_of(id))?;
        Some(self.entries.remove(at))
    }

    /// Releases a payment that was never signed, and the payee that it would have been the first to
    /// pay. A purchase that was counted twice stays: the other one may have been signed.
    pub fn release(&mut self, id: &str) {
        let is_shared = |entry: &Spent| entry.id != id && entry.is_of(id);
        if id.is_empty() || self.entries.iter().any(is_shared) {
            return;
        }
        self.entries.retain(|entry| entry.id != id);
        self.pins.retain(|pin| pin.held_by.as_deref() != Some(id) || planted(Mutant::PinnedUnpaid));
    }

    /// Counts what was charged in the place of what was signed. The rest stays known, because a
    /// receipt is the server's word and the signature is still there.
    pub fn settle(&mut self, id: &str, charged: Amount) {
        for entry in self.entries.iter_mut().filter(|entry| entry.is_of(id)) {
            let rest = entry.worth.checked_sub(charged);
            if let Some(beyond) = rest.and_then(|rest| entry.beyond.checked_add(rest)) {
                (entry.worth, entry.beyond) = (charged, beyond);
            }
        }
    }

    /// Whether the caps over time leave room, and the payee is the known one.
    fn affords(
        &self,
        policy: &Policy,
        offer: &Offer,
        draft: Draft<'_>,
        now: UnixTime,
    ) -> Result<(), ClientError> {
        let (host, payee, id) = (draft.host, offer.pay_to.to_lower_hex(), (draft.name)(offer));
        if policy.pins_payees && policy.payees.is_none() {
            match self.pinned(&pin(host, offer)) {
                Some(pinned) if *pinned != payee => {
                    let message = format!(
                        "{host} was paid at {pinned} before, or is about to be, and now names {payee}"
                    );
                    return Err(ClientError::new(Reason::PayeeChanged, message));
                }
                None if self.settled_pins() >= MAX_PINS => {
                    let message = format!(
                        "the payees of {MAX_PINS} hosts are known which is the limit; list the payees in policy.payees"
                    );
                    return Err(ClientError::new(Reason::BudgetExhausted, message));
                }
                Some(_) | None => {}
            }
        }
        if self.entries.len() >= MAX_ENTRIES {
            let message = format!("more than {MAX_ENTRIES} payments in five minutes");
            return Err(ClientError::new(Reason::BudgetExhausted, message));
        }
        // First the one that the others are taken from if they are not set: whatever such a cap
        // refuses, this one refuses too, under the name that was written.
        let caps = [
            ("perDay", policy.per_day, DAY_SECS, None, None),
            ("perHour", policy.per_hour, HOUR_SECS, None, None),
            ("perHost", policy.per_host, DAY_SECS, Some(host), None),
            ("perPayee", policy.per_payee, DAY_SECS, None, Some(payee.as_str())),
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
        for (name, cap, secs, host, payee) in caps {
            room(name, cap, self.spent(now.minus(secs), host, payee, &id))?;
        }
        if planted(Mutant::ReceiptsAreMoney) {
            return Ok(());
        }
        room("uptoPerDay", policy.upto_per_day, self.worst(now.minus(DAY_SECS), &id))
    }

    /// The sum since a time if each server takes all that was signed for it, without one purchase.
    fn worst(&self, since: UnixTime, without: &str) -> Option<Amount> {
        let mut concerned =
            self.entries.iter().filter(|entry| entry.at > since.secs() && !entry.is_of(without));
        concerned.try_fold(Amount::ZERO, |sum, entry| {
            sum.checked_add(entry.worth)?.checked_add(entry.beyond)
        })
    }

    /// The sum since a time, of one host or payee if one is named, without one purchase. Entries in
    /// the future count, because a clock may have been set back.
    fn spent(
        &self,
        since: UnixTime,
        host: Option<&str>,
        payee: Option<&str>,
        without: &str,
    ) -> Option<Amount> {
        let mut concerned = self.entries.iter().filter(|entry| {
            entry.at > since.secs()
                && !entry.is_of(without)
                && host.is_none_or(|host| entry.host == host)
                && payee.is_none_or(|payee| entry.payee == payee)
        });
        concerned.try_fold(Amount::ZERO, |sum, entry| sum.checked_add(entry.worth))
    }

    fn pinned(&self, place: &str) -> Option<&String> {
        self.pins.iter().find(|pin| pin.place == place).map(|pin| &pin.payee)
    }

    /// The spending of each cap: all together, and by host and payee.
    #[must_use]
    pub fn caps(&self, policy: &Policy, now: UnixTime) -> Vec<Spending> {
        let total = |since, host, payee| self.spent(since, host, payee, "").unwrap_or(Amount::MAX);
        let (hour, day) = (now.minus(HOUR_SECS), now.minus(DAY_SECS));
        let all = |name, cap, spent| Spending { name, of: None, cap, spent };
        let mut caps = alloc::vec![
            all("perHour", policy.per_hour, total(hour, None, None)),
            all("perDay", policy.per_day, total(day, None, None)),
        ];
        if policy.signs_bounds() {
            let worst = self.worst(day, "").unwrap_or(Amount::MAX);
            caps.push(all("uptoPerDay", policy.upto_per_day, worst));
        }
        for entry in self.entries.iter().filter(|entry| entry.at > day.secs()) {
            let Spent { host, payee, .. } = entry;
            for (name, of, cap, spent) in [
                ("perHost", host, policy.per_host, total(day, Some(host), None)),
                ("perPayee", payee, policy.per_payee, total(day, None, Some(payee))),
            ] {
                if !caps.iter().any(|it| it.name == name && it.of.as_ref() == Some(of)) {
                    caps.push(Spending { name, of: Some(of.clone()), cap, spent });
                }
            }
        }
        caps
    }

    /// Number of pins that stay whatever becomes of the reservations.
    fn settled_pins(&self) -> usize {
        self.pins.iter().filter(|pin| pin.held_by.is_none()).count()
    }

    /// Pins the payee of this reservation to its place, unless the place has a settled one. Each
    /// reservation holds its own pin, because another one may be released.
    fn pin(&mut self, place: String, payee: &str, id: &str) {
        let mut known = self.pins.iter().filter(|pin| pin.place == place);
        let needs_none = known.any(|pin| {
            pin.held_by.as_deref().is_none_or(|holder| holder == id) || pin.payee != payee
        });
        if !needs_none && self.settled_pins() < MAX_PINS {
            let (payee, held_by) = (payee.to_string(), Some(id.to_string()));
            self.pins.push(Pin { place, payee, held_by });
        }
    }

    /// Settles the pins of entries that can no longer be released: they count as paid.
    fn settle_pins(&mut self) {
        let (mut settled, held): (Vec<Pin>, Vec<Pin>) =
            self.pins.drain(..).partition(|pin| pin.held_by.is_none());
        let (open, over): (Vec<Pin>, Vec<Pin>) = held
            .into_iter()
            .partition(|pin| self.entries.iter().any(|it| pin.held_by.as_ref() == Some(&it.id)));
        for pin in over {
            if settled.iter().all(|known| known.place != pin.place) {
                settled.push(Pin { held_by: None, ..pin });
            }
        }
        let known = |pin: &Pin| settled.iter().any(|known| known.place == pin.place);
        let open: Vec<Pin> = open.into_iter().filter(|pin| !known(pin)).collect();
        self.pins = settled;
        self.pins.extend(open);
    }

    /// Counts an offer, and returns under which name; a purchase that was counted before stays at its
    /// highest amount.
    fn count(&mut self, offer: &Offer, draft: Draft<'_>, now: UnixTime) -> String {
        let (payee, id) = (offer.pay_to.to_lower_hex(), (draft.name)(offer));
        let before = self.take(&id);
        let place = pin(draft.host, offer);
        self.pin(place, &payee, &id);
        let entry = Spent {
            id: id.clone(),
            at: now.secs(),
            host: draft.host.to_string(),
            payee,
            worth: offer.worth().unwrap_or(Amount::MAX),
            beyond: Amount::ZERO,
        };
        let entry = match before {
            None => entry,
            Some(before) => {
                let id = if planted(Mutant::SharedIsReleased) {
                    entry.id.clone()
                } else {
                    format!("{}{SHARED}", entry.id)
                };
                let at = entry.at.max(before.at);
                let signed = before.worth.checked_add(before.beyond).unwrap_or(Amount::MAX);
                let highest = if entry.worth >= signed { entry } else { before };
                Spent { id, at, ..highest }
            }
        };
        self.entries.push(entry);
        id
    }

    /// Drops old entries, and sums the others by host and payee, dated by the latest: for each hour
    /// outside the shortest cap, and for each five minutes inside it if there are many. A sum has
    /// no nonce: releasing one of its payments so late would release the others.
    fn compact(&mut self, now: UnixTime) {
        let old = now.minus(KEPT_SECS).secs();
        let many = self.entries.len() > FEW;
        let span = |entry: &Spent| match now.secs().saturating_sub(entry.at) {
            age if age >= HOUR_SECS => Some((HOUR_SECS, entry.at / HOUR_SECS)),
            age if age >= SPAN_SECS && many => Some((SPAN_SECS, entry.at / SPAN_SECS)),
            _ => None,
        };
        let mut kept: Vec<Spent> = Vec::new();
        for entry in self.entries.drain(..).filter(|entry| entry.at > old) {
            let place = span(&entry);
            let alike = |other: &&mut Spent| {
                span(other) == place && other.host == entry.host && other.payee == entry.payee
            };
            let same = place.and_then(|_| kept.iter_mut().find(alike));
            let sums = |other: &Spent| {
                let beyond = other.beyond.checked_add(entry.beyond)?;
                Some((other.worth.checked_add(entry.worth)?, beyond))
            };
            match same.and_then(|other| Some((sums(other)?, other))) {
                Some(((worth, beyond), other)) => {
                    (other.worth, other.beyond) = (worth, beyond);
                    other.at = other.at.max(entry.at);
                    other.id.clear();
                }
                None => kept.push(entry),
            }
        }
        self.entries = kept;
        self.settle_pins();
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

fn pin(host: &str, offer: &Offer) -> String {
    format!("{host} {}", offer.asset.network)
}
