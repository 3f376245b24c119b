//! The name of a purchase: what distinguishes it from others of the same request and wallet.

use farebox_base::http::Headers;
use farebox_base::mutant::{Mutant, planted};

use crate::forward::is_payment_credential;

/// Several users or agents may pay with one wallet. What one of them has paid for is not another
/// one's, so a payment that was never answered is not found by a request under another name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PurchaseName<'a> {
    /// The `Idempotency-Key` of the request: its client tells purchases apart by itself.
    Key(&'a str),
    /// Without one, the credential of the user for whom the payer asks.
    User(&'a str),
}

impl<'a> PurchaseName<'a> {
    /// The name in these fields; `None` if there is none.
    pub(crate) fn of(headers: &'a Headers) -> Option<Self> {
        if planted(Mutant::WalletsAreOneUser) {
            return None;
        }
        let key = headers.get("idempotency-key").map(Self::Key);
        let user = headers.get("authorization").filter(|value| !is_payment_credential(value));
        key.or(user.map(Self::User))
    }

    /// The parts of it that are hashed.
    pub(crate) fn parts(self) -> [&'a [u8]; 2] {
        match self {
            Self::Key(key) => [b"key", key.as_bytes()],
            Self::User(credential) => [b"user", credential.as_bytes()],
        }
    }
}
