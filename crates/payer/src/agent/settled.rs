//! The report to a person after a payment.
//!
//! Spec: OKX agent payments, "Replay": a deferred payment may be pending, which is no failure, and
//! one with a bound may have cost less, or nothing.

use alloc::format;
use alloc::string::{String, ToString};

use super::json::Json;
use super::pool::Choice;
use super::requirement::AmountType;
use farebox_base::amount::Amount;
use farebox_base::encoding::base64;
use farebox_base::http::Headers;

/// Maximum size of a settlement header, bytes.
const MAX_BYTES: usize = 64 * 1024;
/// Maximum characters of a transaction's name.
const MAX_TRANSACTION: usize = 128;

/// State of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Paid, or nothing had to be charged.
    Success,
    /// On its way.
    Pending,
    /// Refused.
    Failed,
}

/// The seller's answer about a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Its state.
    pub status: Status,
    /// The transaction, if one is named.
    pub transaction: Option<String>,
    /// The amount that was charged, atomic units, if it is said and within what was agreed.
    pub amount: Option<String>,
}

impl Settled {
    /// Reads an answer to a paid request.
    #[must_use]
    pub fn read(status: u16, headers: &Headers, choice: &Choice) -> Self {
        let value = headers.get("payment-response").or_else(|| headers.get("x-payment-response"));
        let value = value.or_else(|| headers.get("payment-receipt"));
        let bytes =
            value.and_then(|it| base64::decode(it).or_else(|_| base64::decode_url(it)).ok());
        let said = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let said = said.and_then(|text| Json::read(&text, MAX_BYTES)).unwrap_or(Json::Null);
        let refused = said.get("success") == Some(&Json::Bool(false));
        let is_open = matches!(said.text_of("status"), Some("pending" | "settling"));
        let status = match status {
            200..=299 if !refused && is_open => Status::Pending,
            200..=299 if !refused => Status::Success,
            _ => Status::Failed,
        };
        let transaction = said.text_of("transaction").or_else(|| said.text_of("reference"));
        let transaction = transaction.filter(|it| is_name(it)).map(ToString::to_string);
        let bound = Amount::from_atomic(&choice.amount).unwrap_or(Amount::ZERO);
        let amount = said
            .text_of("amount")
            .filter(|it| Amount::from_atomic(it).is_ok_and(|amount| amount <= bound));
        Self { status, transaction, amount: amount.map(ToString::to_string) }
    }

    /// The sentence for a person.
    #[must_use]
    pub fn text(&self, choice: &Choice) -> String {
        let charged = match (choice.amount_type, self.amount.as_deref()) {
            (AmountType::Max, Some(amount)) => amount,
            (AmountType::Max | AmountType::Exact, _) => &choice.amount,
        };
        let (amount, transaction) = (choice.words(charged), self.transaction.as_deref());
        let at = transaction.map(|it| format!(" Transaction: `{it}`.")).unwrap_or_default();
        let is_free = charged.bytes().all(|digit| digit == b'0');
        match self.status {
            Status::Success if is_free => "Delivered, and not charged.".to_string(),
            Status::Success => format!("Paid {amount}.{at}"),
            Status::Pending => format!("Delivered. The payment of {amount} is settling.{at}"),
            Status::Failed => format!("Not delivered. The payment was {amount}.{at}"),
        }
    }

    /// Status, transaction, amount and sentence.
    #[must_use]
    pub fn to_json(&self, choice: &Choice) -> Json {
        let status = match self.status {
            Status::Success => "success",
            Status::Pending => "pending",
            Status::Failed => "failed",
        };
        Json::object([
            ("status", Some(status.into())),
            ("transaction", self.transaction.as_deref().map(Json::from)),
            ("amount", self.amount.as_deref().map(Json::from)),
            ("text", Some(self.text(choice).into())),
        ])
    }
}

/// Whether it can be the name of a transaction on some chain.
fn is_name(text: &str) -> bool {
    (1..=MAX_TRANSACTION).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_alphanumeric())
}
