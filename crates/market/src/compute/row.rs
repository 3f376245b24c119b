//! The rows that a gateway keeps, as they are stored. Money is decimal text; times are unix
//! milliseconds. Ids of sellers and buyers are in lower case; empty text is what is not known.

use alloc::string::{String, ToString};

use farebox_evm::address::Address;

mod event;
mod hold;
mod job;
mod quote;
mod seller;
mod tally;

pub use event::{EventKind, EventRow};
pub use hold::{EntryRow, HoldRow, HoldState, Leave, RefundClaim, is_direct};
pub use job::{DeliveryCharge, HoldKind, JobRow, JobState, Proving, Signer};
pub use quote::{QuoteRow, QuoteState};
pub use seller::{Asker, BondRow, Claims, Presence, SellerRow};
pub use tally::{DaySales, OrphanTally};

/// Whether a member is left out of its row.
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A wallet in its one spelling; text that is none in lower case.
#[must_use]
pub(super) fn spell_wallet(id: &str) -> String {
    Address::parse(id).map_or_else(|_| id.to_ascii_lowercase(), |wallet| wallet.to_lower_hex())
}

/// A wallet with its checksum; text that is none as it is.
#[must_use]
pub(super) fn show_wallet(id: &str) -> String {
    Address::parse(id).map_or_else(|_| id.to_string(), |wallet| wallet.to_checksum())
}
