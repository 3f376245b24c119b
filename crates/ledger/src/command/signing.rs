//! The authorizations of one nonce that a row has seen: the token lets at most one of them move money.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::encoding::message::{FromJson, read_enum, read_struct};

/// Most terms that one nonce may have been signed for before; nothing begins it by further ones.
const MAX_EARLIER: usize = 16;

/// The degree to which the signature of a payment is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signature {
    /// Its end, amount and payee are not read from what its payer signed.
    #[default]
    Unread,
    /// They are; the signature is not proven yet.
    Shown,
    /// They are, and the signature is its payer's.
    Proven,
}

read_enum!(Signature { "unread" => Unread, "shown" => Shown, "proven" => Proven });

/// The members of an authorization that tell of the money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedTerms {
    /// Atomic units, decimal text.
    pub amount: String,
    /// Recipient.
    pub pay_to: String,
    /// Unix seconds.
    pub valid_before: u64,
}

read_struct!(SignedTerms { amount, pay_to, valid_before });

impl SignedTerms {
    /// Whether this transfer pays at least those terms.
    #[must_use]
    pub fn cover(&self, amount: &str, pay_to: &str) -> bool {
        let amounts = [self.amount.as_str(), amount].map(Amount::from_atomic);
        let pays = matches!(amounts, [Ok(moved), Ok(due)] if moved >= due);
        pays && self.pay_to.eq_ignore_ascii_case(pay_to)
    }
}

/// How a payment was signed, and what its nonce was signed for before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The degree to which its signature is proven.
    #[serde(default)]
    pub by: Signature,
    /// How often it began again by other bytes: evidence from before the last time is incomplete.
    #[serde(default)]
    pub times: u64,
    /// The terms of the authorizations before, each once, with the latest end.
    #[serde(default)]
    pub earlier: Vec<SignedTerms>,
}

read_struct!(Signing {; by, times, earlier });

impl Signing {
    /// A signature of which this is known, the first of its nonce.
    #[must_use]
    pub const fn first(by: Signature) -> Self {
        Self { by, times: 0, earlier: Vec::new() }
    }

    /// The stored form; empty if there was one authorization.
    #[must_use]
    pub fn to_text(&self) -> String {
        match self.times {
            0 => String::new(),
            _ => json::text(self),
        }
    }

    /// Reads the stored form; rows of an earlier version have none.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        json::parse(text.as_bytes()).ok().and_then(|it| Self::from_json(&it)).unwrap_or_default()
    }

    /// The end of the last of the earlier authorizations.
    pub(super) fn last_end(&self) -> u64 {
        self.earlier.iter().map(|terms| terms.valid_before).max().unwrap_or(0)
    }

    /// Adds an authorization beside the one by which the payment is known from now on.
    pub(crate) fn add(&mut self, terms: SignedTerms) {
        self.times = self.times.saturating_add(1);
        let same =
            |known: &&mut SignedTerms| known.amount == terms.amount && known.pay_to == terms.pay_to;
        match self.earlier.iter_mut().find(same) {
            Some(known) => known.valid_before = known.valid_before.max(terms.valid_before),
            None => self.earlier.push(terms),
        }
    }

    /// Whether there is room for another authorization.
    pub(super) const fn has_room(&self) -> bool {
        self.earlier.len() < MAX_EARLIER
    }
}
