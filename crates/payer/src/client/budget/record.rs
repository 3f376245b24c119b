//! The record as text.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::Budget;
use super::entries::{Entries, MAX_ENTRIES, Spent};
use super::kept::{KeptText, KeptTexts, MAX_SENT};
use super::pins::{MAX_PINS, Pin, Pins};
use crate::client::endpoints::{self, Endpoints};
use farebox_base::amount::Amount;
use farebox_base::encoding::json;

/// Version of the record. Version 1, without payments that were sent, is read as well.
const VERSION: u64 = 2;
/// Maximum size of the record, bytes: [`MAX_ENTRIES`] entries, [`MAX_PINS`] pins and the payments
/// that were sent, with room to spare.
const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Maximum values in it: seven of each entry and four of each of its two pins, three of each other pin, those of
/// the endpoints, five of each payment that was sent, and the record's frame.
const MAX_VALUES: usize = 15 * MAX_ENTRIES
    + 3 * MAX_PINS
    + endpoints::VALUES * endpoints::MAX_ENDPOINTS
    + 5 * MAX_SENT
    + 64;

impl Budget {
    pub(super) fn read(text: &str) -> Option<Self> {
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
            [key, at, is_open, kept] => Some(KeptText {
                key: text(key)?,
                at: at.as_u64()?,
                is_open: is_open.as_bool()?,
                text: text(kept)?,
            }),
            _ => None,
        };
        let pins = record.get("pins")?.as_array()?.iter().map(pin);
        let entries = record.get("entries")?.as_array()?.iter().map(entry);
        Some(Self {
            entries: Entries(entries.collect::<Option<_>>()?),
            pins: Pins(pins.collect::<Option<_>>()?),
            endpoints: Endpoints::read(record.get("endpoints"))?,
            sent: KeptTexts(sent.iter().map(payment).collect::<Option<_>>()?),
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
        let entries: Vec<Value> = self.entries.0.iter().map(entry).collect();
        let pin = |pin: &Pin| match &pin.held_by {
            Some(id) => json!([pin.place, pin.payee, id]),
            None => json!([pin.place, pin.payee]),
        };
        let pins: Vec<Value> = self.pins.0.iter().map(pin).collect();
        let endpoints = self.endpoints.rows();
        let payment = |it: &KeptText| json!([it.key, it.at, it.is_open, it.text]);
        let sent: Vec<Value> = self.sent.0.iter().map(payment).collect();
        json!({"v": VERSION, "entries": entries, "pins": pins, "endpoints": endpoints, "sent": sent})
            .to_string()
    }
}
