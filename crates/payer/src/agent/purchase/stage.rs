//! How far a purchase is, as it is kept.

use alloc::string::{String, ToString};

use super::terms::QuoteTerms;
use super::told::Till;
use crate::agent::json::Json;

/// Where the money is, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyState {
    /// None has moved, and none will.
    NotMoved,
    /// It may have moved.
    Unknown,
    /// It is held for the work.
    Held,
    /// It went back, or is on its way back.
    Refunded,
    /// The seller has it.
    Paid,
}

impl MoneyState {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NotMoved => "not_moved",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Refunded => "refunded",
            Self::Paid => "paid",
        }
    }
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PurchaseStage {
    /// The offers are not known yet.
    Looking,
    /// A quote is asked for, in this network and token if they are known.
    Asking { network: String, currency: String },
    /// A quote was checked; it may be signed.
    Quoted { terms: QuoteTerms, asked: Json },
    /// A payment was signed, and may have been sent so many times.
    Sent { terms: QuoteTerms, payment: Json, ends: u64, sent: u64, till: Till },
    /// A job is held for it.
    Paid { terms: QuoteTerms, job: String, token: String },
    /// It is over.
    Over(Json),
}

impl PurchaseStage {
    /// A number that never falls within one payment.
    pub const fn rank(&self) -> u32 {
        match self {
            Self::Looking => 0,
            Self::Asking { .. } => 1,
            Self::Quoted { .. } => 2,
            Self::Sent { .. } => 3,
            Self::Paid { .. } => 4,
            Self::Over(_) => 5,
        }
    }

    /// Where the money is if it goes no further.
    pub fn money(&self) -> MoneyState {
        match self {
            Self::Looking | Self::Asking { .. } | Self::Quoted { .. } => MoneyState::NotMoved,
            Self::Sent { terms, .. } | Self::Paid { terms, .. } if terms.is_mock() => {
                MoneyState::NotMoved
            }
            Self::Sent { .. } => MoneyState::Unknown,
            Self::Paid { .. } => MoneyState::Held,
            Self::Over(outcome) => match outcome.text_of("money") {
                Some("paid") => MoneyState::Paid,
                Some("refunded") => MoneyState::Refunded,
                Some("unknown") => MoneyState::Unknown,
                _ => MoneyState::NotMoved,
            },
        }
    }

    /// The quote, once there is one.
    pub const fn terms(&self) -> Option<&QuoteTerms> {
        match self {
            Self::Looking | Self::Asking { .. } | Self::Over(_) => None,
            Self::Quoted { terms, .. } | Self::Sent { terms, .. } | Self::Paid { terms, .. } => {
                Some(terms)
            }
        }
    }

    /// As it is kept.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Looking => Json::object([("at", Some("looking".into()))]),
            Self::Asking { network, currency } => Json::object([
                ("at", Some("asking".into())),
                ("network", Some(network.as_str().into())),
                ("currency", Some(currency.as_str().into())),
            ]),
            Self::Quoted { terms, asked } => Json::object([
                ("at", Some("quoted".into())),
                ("terms", Some(terms.to_json())),
                ("asked", Some(asked.clone())),
            ]),
            Self::Sent { terms, payment, ends, sent, till } => Json::object([
                ("at", Some("sent".into())),
                ("terms", Some(terms.to_json())),
                ("payment", Some(payment.clone())),
                ("ends", Some(Json::number(*ends))),
                ("sent", Some(Json::number(*sent))),
                ("till", (*till == Till::Gate).then(|| "gate".into())),
            ]),
            Self::Paid { terms, job, token } => Json::object([
                ("at", Some("paid".into())),
                ("terms", Some(terms.to_json())),
                ("job", Some(job.as_str().into())),
                ("token", Some(token.as_str().into())),
            ]),
            Self::Over(outcome) => {
                Json::object([("at", Some("over".into())), ("outcome", Some(outcome.clone()))])
            }
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote; `None` if it did not.
    pub fn read(stage: &Json) -> Option<Self> {
        let text = |name: &str| stage.text_of(name).map(ToString::to_string);
        let terms = || QuoteTerms::kept(stage.get("terms")?);
        let number = |name: &str| match stage.get(name)? {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        };
        Some(match stage.text_of("at")? {
            "looking" => Self::Looking,
            "asking" => Self::Asking { network: text("network")?, currency: text("currency")? },
            "quoted" => Self::Quoted { terms: terms()?, asked: stage.get("asked")?.clone() },
            "sent" => Self::Sent {
                terms: terms()?,
                payment: stage.get("payment")?.clone(),
                ends: number("ends")?,
                sent: number("sent")?,
                till: if stage.get("till").is_some() { Till::Gate } else { Till::Verify },
            },
            "paid" => Self::Paid { terms: terms()?, job: text("job")?, token: text("token")? },
            "over" => Self::Over(stage.get("outcome")?.clone()),
            _ => return None,
        })
    }
}
