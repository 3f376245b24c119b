//! The states of an exchange: nothing is signed before it is proposed, and nothing is sent before it
//! is signed.

use alloc::boxed::Box;
use alloc::string::String;
use core::mem;

use serde_json::Value;

use crate::client::allowance::{PermitTerms, SignedAllowance};
use crate::client::challenge::Challenge;
use crate::client::prepare::{PaymentField, Prepared};
use farebox_base::time::UnixTime;

/// The state of an exchange.
#[derive(Debug)]
pub(super) enum ExchangeState {
    /// No payment was asked for.
    Plain,
    /// The server asks for a payment.
    Challenged(Challenge),
    /// One of its offers is counted and may be signed.
    Proposed(Proposed),
    /// A payment is signed: it is sent until its outcome is known. While it is renewed, the
    /// proposal is the renewed one.
    Paid(Proposed, Paid),
}

/// The offer to sign next, with its challenge.
#[derive(Debug)]
pub(super) struct Proposed {
    pub(super) challenge: Challenge,
    pub(super) prepared: Prepared,
}

/// A payment that was signed.
#[derive(Debug)]
pub(super) struct Paid {
    /// The data in its header: what is proposed may differ while it is signed again.
    pub(super) prepared: Box<Prepared>,
    /// The time as of which it was prepared.
    pub(super) as_of: UnixTime,
    pub(super) header: PaymentField,
    /// The wallet's signature, in the form that contracts accept; empty for a transaction.
    pub(super) signature: String,
    /// The same authorization as a payment of x402, once it is sent so.
    pub(super) twin: Option<Box<Prepared>>,
    pub(super) valid_before: UnixTime,
    pub(super) redelivery: Redelivery,
    pub(super) sent: usize,
    pub(super) until: UnixTime,
    pub(super) renewal: Renewal,
    /// Whether an answer left open that value moved: no later refusal takes that back.
    pub(super) is_open: bool,
}

/// How an exchange goes on with a purchase of an earlier call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Going {
    /// It begins one, or has signed in this call what it goes on with.
    Begins,
    /// It sends what was signed before, and may sign again once.
    Sends,
    /// The authorization has ended: fresh terms are signed with its nonce where that is accepted
    /// once.
    Ended,
    /// The authorization has ended, and its nonce was not the payer's: only the chain tells whether
    /// it was charged, and one that is signed now is charged beside it.
    Doubted,
}

/// How far the allowance of the payment that is proposed is.
#[derive(Debug, Default)]
pub(super) enum Allowance {
    /// Nothing was read for it.
    #[default]
    Unread,
    /// It was read, or is not to be had: the payment goes by itself.
    Read,
    /// The wallet is asked for this permit.
    Signing(PermitTerms),
    /// It goes with the payment.
    Signed(SignedAllowance),
}

/// Progress of the payer's signed request for the answer.
#[derive(Debug)]
pub(super) enum Redelivery {
    Unasked,
    Signing(Value),
    Signed(String),
}

/// Progress of the second signature over an expired payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Renewal {
    Unasked,
    /// The plain request is sent once more, for fresh terms.
    Asking,
    Signing,
    Signed,
}

impl ExchangeState {
    pub(super) const fn challenge(&self) -> Option<&Challenge> {
        match self {
            Self::Plain => None,
            Self::Challenged(challenge) => Some(challenge),
            Self::Proposed(proposed) | Self::Paid(proposed, _) => Some(&proposed.challenge),
        }
    }

    pub(super) const fn proposed(&self) -> Option<&Proposed> {
        match self {
            Self::Plain | Self::Challenged(_) => None,
            Self::Proposed(proposed) | Self::Paid(proposed, _) => Some(proposed),
        }
    }

    pub(super) const fn paid(&self) -> Option<&Paid> {
        match self {
            Self::Plain | Self::Challenged(_) | Self::Proposed(_) => None,
            Self::Paid(_, paid) => Some(paid),
        }
    }

    pub(super) const fn is_paid(&self) -> bool {
        self.paid().is_some()
    }

    pub(super) fn renewal(&self) -> Renewal {
        self.paid().map_or(Renewal::Unasked, |paid| paid.renewal)
    }

    /// Moves the renewal on; without a payment there is none.
    pub(super) const fn renew(&mut self, renewal: Renewal) {
        if let Self::Paid(_, paid) = self {
            paid.renewal = renewal;
        }
    }

    /// Takes a challenge in place of the one before it.
    pub(super) fn challenged(&mut self, challenge: Challenge) {
        match self {
            Self::Plain | Self::Challenged(_) | Self::Proposed(_) => {
                *self = Self::Challenged(challenge);
            }
            Self::Paid(proposed, _) => proposed.challenge = challenge,
        }
    }

    /// Makes this the payment to sign next; without a challenge there is none.
    pub(super) fn propose(&mut self, prepared: Prepared) {
        *self = match mem::replace(self, Self::Plain) {
            Self::Plain => Self::Plain,
            Self::Challenged(challenge) => Self::Proposed(Proposed { challenge, prepared }),
            Self::Proposed(before) => Self::Proposed(Proposed { prepared, ..before }),
            Self::Paid(before, paid) => Self::Paid(Proposed { prepared, ..before }, paid),
        };
    }

    /// Keeps the signed form of what was proposed, to be sent from now on.
    pub(super) fn pay(&mut self, paid: Paid) {
        *self = match mem::replace(self, Self::Plain) {
            Self::Proposed(proposed) | Self::Paid(proposed, _) => Self::Paid(proposed, paid),
            unproposed => unproposed,
        };
    }
}
