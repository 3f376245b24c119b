//! A link, and what may become of it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use farebox_base::time::UnixTime;

/// A link as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentLink {
    /// Its id.
    pub id: String,
    /// CAIP-2 id.
    pub network: String,
    /// The token's contract, with its checksum.
    pub contract: String,
    /// The token's symbol.
    pub symbol: String,
    /// Atomic units.
    pub amount: String,
    /// The account that is paid, with its checksum.
    pub recipient: String,
    /// For people.
    pub description: String,
    /// The payee's own id.
    pub external_id: Option<String>,
    /// The payee's protection space.
    pub realm: Option<String>,
    /// When it was made, unix seconds.
    pub created: u64,
    /// From then on no payment begins.
    pub expires: u64,
    /// When its state changed last.
    pub changed: u64,
    /// The last grant.
    pub fence: u64,
    /// When the alarm looks at it.
    pub due: Option<u64>,
    /// The state of the link.
    pub state: LinkState,
}

/// The payment that a link took. It was written before it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkPayment {
    /// The payer.
    pub from: String,
    /// Nonce of the authorization, `0x` hex.
    pub nonce: String,
    /// End of the authorization, unix seconds.
    pub valid_before: u64,
    /// The request to the facilitator.
    pub request: String,
    /// The way in which it came, and is answered.
    pub door: LinkDoor,
    /// Whether it was sent again.
    pub resent: bool,
    /// The newest block before it was sent, in which its authorization was unused.
    #[serde(default)]
    pub seen_block: u64,
}

/// The way in which a payment comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkDoor {
    /// A credential of a2a-pay.
    Credential,
    /// A payment of x402.
    X402,
}

/// The state of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// It can be paid until it expires.
    Pending,
    /// Its payment is being settled. Money may have moved.
    Settling(LinkPayment),
    /// It is paid.
    Completed(LinkPayment, String),
    /// Its payment moves nothing, for this reason.
    Failed(LinkPayment, String),
    /// Its payee took it back.
    Cancelled,
}

/// The name of a link's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// It can be paid.
    Pending,
    /// It is being paid.
    Settling,
    /// It is paid.
    Completed,
    /// It was not paid, and cannot be.
    Failed,
    /// It was not paid in time.
    Expired,
    /// It was taken back.
    Cancelled,
}

impl LinkStatus {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Settling => "settling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it never changes again.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Settling => false,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled => true,
        }
    }
}

/// The outcome of showing a payment to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkTaking {
    /// It begins: write the link, then send.
    Begins(Box<PaymentLink>),
    /// It is the one that the link took.
    Known,
    /// The link takes no payment any more.
    Taken,
}

/// The fate of a payment that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkFate {
    /// It moved, in this transaction.
    Moved(String),
    /// It never moves, for this reason.
    Never(String),
    /// Unknown: it is looked at again then.
    Open(Option<u64>),
}

impl PaymentLink {
    /// Its state as of now.
    #[must_use]
    pub const fn status(&self, now: UnixTime) -> LinkStatus {
        match &self.state {
            LinkState::Pending if now.secs() >= self.expires => LinkStatus::Expired,
            LinkState::Pending => LinkStatus::Pending,
            LinkState::Settling(_) => LinkStatus::Settling,
            LinkState::Completed(..) => LinkStatus::Completed,
            LinkState::Failed(..) => LinkStatus::Failed,
            LinkState::Cancelled => LinkStatus::Cancelled,
        }
    }

    /// The payment that it took.
    #[must_use]
    pub const fn payment(&self) -> Option<&LinkPayment> {
        match &self.state {
            LinkState::Settling(payment)
            | LinkState::Completed(payment, _)
            | LinkState::Failed(payment, _) => Some(payment),
            LinkState::Pending | LinkState::Cancelled => None,
        }
    }

    /// Names the authorization that it took, whichever link is asked: a token accepts it once.
    #[must_use]
    pub fn payment_name(&self) -> Option<String> {
        let LinkPayment { from, nonce, .. } = self.payment()?;
        let name = [&self.network, &self.contract, from, nonce].map(String::as_str).join(" ");
        Some(name.to_ascii_lowercase())
    }

    /// Takes a payment whose signature and terms were checked; whoever settles it has `lease`
    /// seconds. A link takes one, whatever becomes of it.
    #[must_use]
    pub fn pay(&self, payment: LinkPayment, lease: u64, now: UnixTime) -> LinkTaking {
        if let Some(known) = self.payment()
            && known.from == payment.from
            && known.nonce == payment.nonce
        {
            return LinkTaking::Known;
        }
        if self.status(now) != LinkStatus::Pending {
            return LinkTaking::Taken;
        }
        let due = Some(now.plus(lease).secs());
        let taken = Self { due, ..self.clone() }.to(LinkState::Settling(payment), now);
        LinkTaking::Begins(Box::new(taken))
    }

    /// Takes it back.
    ///
    /// # Errors
    /// Its state, if it can be paid no more.
    pub fn cancel(&self, now: UnixTime) -> Result<Self, LinkStatus> {
        match self.status(now) {
            LinkStatus::Pending => Ok(self.to(LinkState::Cancelled, now)),
            other => Err(other),
        }
    }

    /// Grants the work on it anew, with a time by which it is done; whoever held it holds it no
    /// more.
    #[must_use]
    pub fn granted(&self, due: u64) -> Self {
        let fence = self.fence.saturating_add(1);
        Self { fence, due: Some(due), ..self.clone() }
    }

    /// Notes what became of its payment; `None` if it is not the reporter's to say any more.
    #[must_use]
    pub fn told(&self, fence: u64, fate: LinkFate, now: UnixTime) -> Option<Self> {
        let LinkState::Settling(payment) = &self.state else { return None };
        if fence != self.fence {
            return None;
        }
        let payment = payment.clone();
        let ended = Self { due: None, ..self.clone() };
        Some(match fate {
            LinkFate::Moved(transaction) => {
                ended.to(LinkState::Completed(payment, transaction), now)
            }
            LinkFate::Never(reason) => ended.to(LinkState::Failed(payment, reason), now),
            LinkFate::Open(due) => Self { due, ..self.clone() },
        })
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.state {
            LinkState::Failed(_, reason) => Some(reason),
            LinkState::Pending
            | LinkState::Settling(_)
            | LinkState::Completed(..)
            | LinkState::Cancelled => None,
        }
    }

    /// The transaction that paid it.
    #[must_use]
    pub fn transaction(&self) -> Option<String> {
        match &self.state {
            LinkState::Completed(_, transaction) => Some(transaction.to_string()),
            LinkState::Pending
            | LinkState::Settling(_)
            | LinkState::Failed(..)
            | LinkState::Cancelled => None,
        }
    }

    fn to(&self, state: LinkState, now: UnixTime) -> Self {
        Self { state, changed: now.secs(), ..self.clone() }
    }
}
