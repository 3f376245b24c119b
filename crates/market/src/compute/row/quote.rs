//! The rows of quotes.

use alloc::string::String;

use serde::{Deserialize, Serialize};

/// How far a quote is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteState {
    /// Unpaid; it holds a seat until its end, or until someone pays for it.
    Open,
    /// Unpaid, and another has its seat; it can be paid until its end.
    Displaced,
    /// A payment is with the gate; its job holds the seat.
    Settling,
    /// Paid; its job holds the seat.
    Sold,
    /// It ended unpaid.
    Lapsed,
}

/// A quote. Key: id. Indexes: fingerprint; client; seller where open; until where open; state and
/// until.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// `payment_id`: 32 random bytes in hex.
    pub id: String,
    /// `fingerprint` of the request.
    pub fingerprint: String,
    /// The network address that asked.
    pub client: String,
    /// `buyer_id`.
    pub buyer: String,
    /// The capability that is bought.
    pub capability: String,
    /// The prompt, sealed.
    pub prompt: String,
    /// The seller whose seat it holds.
    pub seller: String,
    /// The price as it is shown.
    pub amount: String,
    /// The price in atomic units.
    pub units: String,
    /// The account that the buyer pays, with its checksum.
    pub pay_to: String,
    /// The token, with its checksum.
    pub asset: String,
    /// CAIP-2 id.
    pub network: String,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub until: u64,
    /// Until when no other quote is given its seat; 0 of one that never had a firm one.
    #[serde(default)]
    pub firm: u64,
    /// Whether a payment of its buyer's was shown for it and not heard of.
    #[serde(default)]
    pub unheard: bool,
    /// The digest by which that payment is known, as of a job that it was shown for.
    #[serde(default)]
    pub lost: String,
    /// How far it is.
    pub state: QuoteState,
}

impl QuoteRow {
    /// Whether it can be paid now.
    #[must_use]
    pub fn is_open(&self, now: u64) -> bool {
        matches!(self.state, QuoteState::Open | QuoteState::Displaced) && now < self.until
    }

    /// Whether a payment for it did not come. What is shown for it then keeps no seat from another
    /// payment before it is settled.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.unheard
    }

    /// Whether it holds a seat now.
    #[must_use]
    pub fn has_seat(&self, now: u64) -> bool {
        self.state == QuoteState::Open && now < self.until
    }
}
