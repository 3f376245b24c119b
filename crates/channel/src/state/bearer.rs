//! The possible bearers of a voucher. Everyone can read a voucher that was sent for a chain: in the
//! pool, at the facilitator, in the block. So a function that moves money or tells of a channel
//! takes a [`SecretVoucher`].

use farebox_base::amount::Amount;

/// A voucher for more than was ever sent for a chain: only who signs for its channel can have shown it.
#[derive(Clone, Copy, Debug)]
pub struct SecretVoucher(Amount);

/// A voucher that was sent for a chain, or is for less: anyone can have shown it.
#[derive(Clone, Copy, Debug)]
pub struct PublishedVoucher(Amount);

/// The possible bearers of a voucher whose signature holds.
#[derive(Clone, Copy, Debug)]
pub enum Bearer {
    /// The signer for the channel, and no one else.
    Payer(SecretVoucher),
    /// Anyone.
    Anyone(PublishedVoucher),
}

/// Seconds after a voucher was published in which nothing may be bought, before anyone who shows it
/// has everything paid back.
pub(crate) const REST_SECS: u64 = 3_600;

impl Bearer {
    /// The possible bearers of a voucher for `cumulative`, where the highest one that was sent for
    /// a chain is for `published`.
    pub(super) fn of(cumulative: Amount, published: Amount) -> Self {
        if cumulative > published {
            Self::Payer(SecretVoucher(cumulative))
        } else {
            Self::Anyone(PublishedVoucher(cumulative))
        }
    }

    /// The voucher, if only the payer can have shown it.
    #[must_use]
    pub const fn secret(self) -> Option<SecretVoucher> {
        match self {
            Self::Payer(voucher) => Some(voucher),
            Self::Anyone(_) => None,
        }
    }
}

impl SecretVoucher {
    /// The amount that it is for.
    #[must_use]
    pub const fn cumulative(self) -> Amount {
        self.0
    }
}

impl PublishedVoucher {
    /// The amount that it is for.
    #[must_use]
    pub const fn cumulative(self) -> Amount {
        self.0
    }
}
