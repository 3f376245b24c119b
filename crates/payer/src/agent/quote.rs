//! The life of a quote: shown on one card, answered once, paid once, and its outcome kept.
//!
//! A payment begins only with a confirmation: a token that belongs to this quote, its owner, and the
//! network, token, payee, amount and scheme that were on the card. It is taken when the payment
//! begins, so that it begins one. Spec: OKX agent payments, "Two-phase".

use alloc::string::{String, ToString};

use sha2::{Digest, Sha256};

use super::challenge::whole;
use super::json::Json;
use super::pool::Choice;
use farebox_base::encoding::hex;

/// Time in which a quote can be confirmed and paid, milliseconds.
pub const TTL_MS: u64 = 300_000;

/// State of a quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was shown.
    Quoted,
    /// A card is shown.
    Shown,
    /// The person said yes.
    Confirmed,
    /// The person said no.
    Declined,
    /// The payment is under way.
    Paying,
    /// No outcome came: the same payment may be asked for again.
    Unresolved,
    /// The outcome is known.
    Done,
}

impl Stage {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Quoted, "quoted"),
        (Self::Shown, "shown"),
        (Self::Confirmed, "confirmed"),
        (Self::Declined, "declined"),
        (Self::Paying, "paying"),
        (Self::Unresolved, "unresolved"),
        (Self::Done, "done"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(stage, _)| *stage)
    }
}

/// Why a quote is not shown, confirmed or paid. Codes are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is none, or its time is over.
    Missing,
    /// It belongs to another owner.
    CrossUser,
    /// Not the choice on the card, or none of this number.
    InvalidInput,
    /// There is no confirmation for this payment.
    Unconfirmed,
    /// The person said no.
    Declined,
}

impl Refusal {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "quote_expired_or_missing",
            Self::CrossUser => "cross_user_payment_id",
            Self::InvalidInput => "invalid_input",
            Self::Unconfirmed => "confirmation_required",
            Self::Declined => "declined",
        }
    }
}

/// The result of a call to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pay {
    /// The payment begins, or its outcome is asked for again: of this choice.
    Begin(usize),
    /// It is under way.
    Pending,
    /// It is known what became of it.
    Known(Json),
}

/// A quote.
#[derive(Clone, Debug)]
pub struct Quote {
    /// Its name.
    id: String,
    /// The owner.
    owner: String,
    /// End of its time, unix milliseconds.
    expires_ms: u64,
    stage: Stage,
    /// The choice on the card that is shown.
    shown: Option<usize>,
    /// The digest of the confirmation that was given.
    confirmation: Option<String>,
    /// Its outcome.
    outcome: Option<Json>,
}

impl Quote {
    /// A new one: it ends after [`TTL_MS`], and with its challenge.
    #[must_use]
    pub fn new(id: &str, owner: &str, now_ms: u64, challenge_ends_ms: Option<u64>) -> Self {
        let expires_ms = super::harness::expires_ms(now_ms, TTL_MS, challenge_ends_ms);
        Self {
            id: id.to_string(),
            owner: owner.to_string(),
            expires_ms,
            stage: Stage::Quoted,
            shown: None,
            confirmation: None,
            outcome: None,
        }
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    #[must_use]
    pub fn read(record: &Json) -> Option<Self> {
        let Some(Json::Number(expires_ms)) = record.get("expiresMs") else { return None };
        Some(Self {
            id: record.text_of("paymentId")?.to_string(),
            owner: record.text_of("owner")?.to_string(),
            expires_ms: expires_ms.parse().ok()?,
            stage: Stage::parse(record.text_of("stage")?)?,
            shown: whole(record.get("shown")),
            confirmation: record.text_of("confirmation").map(ToString::to_string),
            outcome: record.get("outcome").cloned(),
        })
    }

    /// As it is kept.
    #[must_use]
    pub fn to_json(&self) -> Json {
        let number = |it: usize| Json::number(u64::try_from(it).unwrap_or(u64::MAX));
        Json::object([
            ("paymentId", Some(self.id.as_str().into())),
            ("owner", Some(self.owner.as_str().into())),
            ("expiresMs", Some(Json::number(self.expires_ms))),
            ("stage", Some(self.stage.name().into())),
            ("shown", self.shown.map(number)),
            ("confirmation", self.confirmation.as_deref().map(Json::from)),
            ("outcome", self.outcome.clone()),
        ])
    }

    /// Whether `owner` may use it now.
    fn admit(&self, owner: &str, now_ms: u64) -> Result<(), Refusal> {
        // A stranger hears the same of every quote that is not theirs.
        if self.owner != owner {
            return Err(Refusal::CrossUser);
        }
        match self.stage {
            Stage::Declined => Err(Refusal::Declined),
            // What was begun has an end of its own.
            Stage::Paying | Stage::Unresolved | Stage::Done => Ok(()),
            Stage::Quoted | Stage::Shown | Stage::Confirmed => {
                let is_over = now_ms >= self.expires_ms;
                if is_over { Err(Refusal::Missing) } else { Ok(()) }
            }
        }
    }

    /// Puts a card up: of a choice, or of none, which can only be answered with a number. A
    /// confirmation of another card is void.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn show(
        &mut self,
        owner: &str,
        choice: Option<&Choice>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.admit(owner, now_ms)?;
        match self.stage {
            Stage::Quoted | Stage::Shown | Stage::Confirmed => {
                self.stage = Stage::Shown;
                self.shown = choice.map(|choice| choice.index);
                self.confirmation = None;
                Ok(())
            }
            Stage::Declined | Stage::Paying | Stage::Unresolved | Stage::Done => {
                Err(Refusal::InvalidInput)
            }
        }
    }

    /// Takes the person's yes to the card that is up; `token` is what the confirmation is from now
    /// on. The one card that is up is the only one that can be answered.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn agree(
        &mut self,
        owner: &str,
        choice: &Choice,
        token: &str,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        self.admit(owner, now_ms)?;
        if self.stage != Stage::Shown || self.shown != Some(choice.index) || token.is_empty() {
            return Err(Refusal::InvalidInput);
        }
        self.stage = Stage::Confirmed;
        self.confirmation = Some(self.bound(choice, token));
        Ok(())
    }

    /// Takes the person's no: nothing of this quote can be paid.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn decline(&mut self, owner: &str, now_ms: u64) -> Result<(), Refusal> {
        self.admit(owner, now_ms)?;
        match self.stage {
            Stage::Quoted | Stage::Shown | Stage::Confirmed => {
                self.stage = Stage::Declined;
                self.confirmation = None;
                Ok(())
            }
            Stage::Declined | Stage::Paying | Stage::Unresolved | Stage::Done => {
                Err(Refusal::InvalidInput)
            }
        }
    }

    /// Begins the payment of `choice`, with the confirmation that was given for it, which is used up
    /// by that. A payment whose outcome is open is asked for again without another one.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub fn pay(
        &mut self,
        owner: &str,
        choice: &Choice,
        token: &str,
        now_ms: u64,
    ) -> Result<Pay, Refusal> {
        self.admit(owner, now_ms)?;
        match self.stage {
            Stage::Quoted | Stage::Shown => Err(Refusal::Unconfirmed),
            Stage::Confirmed => {
                let given = self.bound(choice, token);
                let is_it = self.confirmation.as_ref() == Some(&given);
                if !is_it {
                    return Err(Refusal::Unconfirmed);
                }
                self.stage = Stage::Paying;
                self.confirmation = None;
                self.shown = Some(choice.index);
                Ok(Pay::Begin(choice.index))
            }
            Stage::Paying => Ok(Pay::Pending),
            Stage::Unresolved => {
                self.stage = Stage::Paying;
                self.shown.map(Pay::Begin).ok_or(Refusal::InvalidInput)
            }
            Stage::Done => Ok(Pay::Known(self.outcome.clone().unwrap_or(Json::Null))),
            Stage::Declined => Err(Refusal::Declined),
        }
    }

    /// Keeps what became of the payment.
    pub fn finish(&mut self, outcome: Json) {
        if self.stage == Stage::Paying {
            self.stage = Stage::Done;
            self.outcome = Some(outcome);
        }
    }

    /// Notes that no outcome came.
    pub fn lose(&mut self) {
        if self.stage == Stage::Paying {
            self.stage = Stage::Unresolved;
        }
    }

    /// The digest of the facts that a confirmation is bound to.
    fn bound(&self, choice: &Choice, token: &str) -> String {
        let digest = choice.digest();
        let facts = [
            self.id.as_str(),
            &self.owner,
            &choice.index.to_string(),
            &digest,
            &choice.amount,
            &choice.payee,
            token,
        ];
        let mut hash = Sha256::new_with_prefix(b"farebox confirmation 1");
        for fact in facts {
            // Length first, so that no text runs into the next.
            hash.update(u64::try_from(fact.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(fact.as_bytes());
        }
        hex::encode(&hash.finalize())
    }
}
