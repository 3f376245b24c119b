//! What a payer's program is told about why payment is not accepted, and when it should stop.
//!
//! Only about the request's own payment and client, never about our trouble as if it were theirs, and nothing of a history
//! on first contact. Texts are made of words of this file, counts and times. Spec: docs/protocols.md, "Diagnostics".

use alloc::format;
use alloc::string::String;

use serde::Serialize;

use super::Gate;
use crate::ledger::attempts::{Blame, Tally};
use crate::payment::Cause;
use crate::problem::Code;
use crate::time::UnixTime;
use crate::x402::extension::diagnostic::{DiagnosticCode, NAME, SCHEMA};

/// `Retry-After` at the threshold and at each multiple of it more, seconds.
const RETRY_STEP_SECS: u64 = 30;
/// Longest `Retry-After`, seconds.
const MAX_RETRY_SECS: u64 = 3_600;
/// Multiples of the threshold from which the words are stronger.
const STRONG: u64 = 10;

/// From when on a route says what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Failures in a row after which a client is asked to stop.
    pub exceeded_after: u64,
    /// Payments of the same fault in a row after which a person should look.
    pub unverified_after: u64,
    /// Failures of the facilitator in a row, or refusals that nobody understands, after which a person should look.
    pub alert_after: u64,
}

impl Limits {
    /// Where the route says nothing.
    pub const DEFAULT: Self = Self { exceeded_after: 100, unverified_after: 3, alert_after: 10 };
}

/// What is known when a request is refused.
#[derive(Clone, Copy, Debug)]
pub struct Finding<'a> {
    /// What stood in the way.
    pub blame: &'a Blame,
    /// The client's failures in a row, this one included.
    pub tally: Option<&'a Tally>,
    /// Failures of the facilitator in a row.
    pub troubles: u64,
    /// Correlation id.
    pub correlation: &'a str,
}

/// What is told.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// In a word.
    pub code: DiagnosticCode,
    /// The extension: `{"info": …, "schema": …}`.
    pub extension: String,
    /// Seconds that a client who has failed too often should wait.
    pub retry_after: Option<u64>,
    /// Whether it repeats what was said a moment ago: of a client that goes on and on, one answer in so many as the
    /// threshold is worth a line.
    pub repeats: bool,
}

impl Diagnosis {
    /// The last member of an object.
    #[must_use]
    pub fn member(&self) -> String {
        [",\"extensions\":{\"", NAME, "\":", &self.extension, "}"].concat()
    }
}

/// Spec: x402 extension "Diagnostic", `info`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    code: &'static str,
    message: &'a str,
    suggestion: &'a str,
    escalate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_attempt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    correlation_id: &'a str,
}

/// What a refusal of this gate blames, for those that are answered with terms.
#[must_use]
pub const fn cause_of(code: Code) -> Cause {
    match code {
        Code::UnsupportedVersion
        | Code::TermsMismatch
        | Code::ResourceMismatch
        | Code::RecipientMismatch
        | Code::AmountMismatch
        | Code::InvalidChallenge
        | Code::DigestMismatch
        | Code::InvalidPayload
        | Code::NonceMismatch
        | Code::SourceMismatch
        | Code::ValidityTooLong => Cause::Terms,
        Code::SignatureInvalid => Cause::Signature,
        Code::Expired | Code::ChallengeExpired => Cause::Expired,
        Code::NotYetValid => Cause::Early,
        _ => Cause::Unpaid,
    }
}

impl Limits {
    /// The code of a finding, and whether a person should look; mostly nothing.
    fn judge(&self, finding: Finding<'_>) -> Option<(DiagnosticCode, bool)> {
        let Finding { blame, tally, troubles, .. } = finding;
        let (attempts, streak) = tally.map_or((0, 0), |tally| (tally.attempts, tally.streak));
        let exceeded = attempts >= self.exceeded_after;
        let alert = troubles >= self.alert_after;
        Some(match blame.cause {
            Cause::Unpaid | Cause::Trouble if alert => (DiagnosticCode::OperatorAlert, true),
            Cause::Trouble => return None,
            Cause::Unpaid | Cause::Unknown if exceeded => (DiagnosticCode::AttemptsExceeded, true),
            Cause::Unknown if streak >= self.alert_after => (DiagnosticCode::OperatorAlert, true),
            Cause::Unpaid | Cause::Unknown => return None,
            Cause::Funds => (DiagnosticCode::InsufficientFunds, true),
            Cause::Expired => (DiagnosticCode::InvoiceExpired, exceeded || streak >= 2),
            Cause::Signature => (DiagnosticCode::PaymentUnverified, true),
            Cause::Early => (DiagnosticCode::PaymentUnverified, exceeded),
            Cause::Terms | Cause::Replayed => {
                let often = exceeded || streak >= self.unverified_after;
                // Whoever lost an answer asks again, and is told how to get it.
                if !often && blame.reason == Code::PaymentAlreadyDelivered.name() {
                    return None;
                }
                (DiagnosticCode::PaymentUnverified, often)
            }
        })
    }

    /// What to say about a finding; mostly nothing.
    #[must_use]
    pub fn diagnose(&self, finding: Finding<'_>, now: UnixTime) -> Option<Diagnosis> {
        let (code, escalate) = self.judge(finding)?;
        let Finding { blame, tally, troubles, correlation } = finding;
        let attempts = tally.map_or(0, |tally| tally.attempts);
        let exceeded = attempts >= self.exceeded_after;
        let alert = troubles >= self.alert_after;
        // Our trouble is nobody's history, and a first contact has none.
        let ours = alert && matches!(blame.cause, Cause::Unpaid | Cause::Trouble);
        let history = tally.filter(|tally| !ours && tally.attempts >= 2);
        let (message, suggestion) = words(code, blame.cause);
        let message = match history {
            Some(tally) => {
                let over = now.secs().saturating_sub(tally.first_at);
                let tail = if code == DiagnosticCode::AttemptsExceeded
                    && attempts >= self.exceeded_after.saturating_mul(STRONG)
                {
                    "; a program is repeating itself and has to be stopped"
                } else {
                    ""
                };
                format!("{message}: {attempts} attempts in {} and no success{tail}", duration(over))
            }
            None => message.into(),
        };
        let info = Info {
            code: code.name(),
            message: &message,
            suggestion,
            escalate,
            attempts: history.map(|tally| tally.attempts),
            first_attempt: history.map(|tally| UnixTime::from_secs(tally.first_at).rfc3339()),
            reason: Some(blame.reason.as_str()).filter(|reason| !reason.is_empty() && !ours),
            correlation_id: correlation,
        };
        // Text and numbers always serialise.
        let info = serde_json::to_string(&info).unwrap_or_default();
        let multiples = attempts.checked_div(self.exceeded_after).unwrap_or(1);
        Some(Diagnosis {
            code,
            extension: [r#"{"info":"#, &info, r#","schema":"#, info_schema(), "}"].concat(),
            repeats: exceeded
                && !ours
                && attempts.checked_rem(self.exceeded_after).is_some_and(|rest| rest != 0),
            retry_after: (exceeded && !ours)
                .then(|| RETRY_STEP_SECS.saturating_mul(multiples).min(MAX_RETRY_SECS)),
        })
    }
}

impl Gate {
    /// What one with these failures at this route is told, for the operator.
    #[must_use]
    pub fn failing_code(&self, route: &str, tally: &Tally) -> &'static str {
        let offer = self.offers.iter().flatten().find(|offer| offer.route == route);
        let limits = offer.and_then(|offer| offer.diagnostics).unwrap_or(Limits::DEFAULT);
        let blame = &tally.blame;
        let finding = Finding { blame, tally: Some(tally), troubles: 0, correlation: "" };
        limits.judge(finding).map_or(DiagnosticCode::PaymentRequired, |(code, _)| code).name()
    }
}

/// What happened, and what to do about it.
const fn words(code: DiagnosticCode, cause: Cause) -> (&'static str, &'static str) {
    match (code, cause) {
        (DiagnosticCode::AttemptsExceeded, _) => (
            "requests keep coming without a payment that counts",
            "check that the client reads the terms of this answer and sends a payment for them, then let a person start it again",
        ),
        (DiagnosticCode::OperatorAlert, Cause::Unknown) => (
            "payments are refused for a reason that is not understood",
            "stop, and ask the operator of this service with the correlation id",
        ),
        (DiagnosticCode::OperatorAlert, _) => (
            "this service cannot settle payments at the moment; nothing is wrong with yours",
            "stop, and let a person start again once the service has recovered",
        ),
        (DiagnosticCode::InsufficientFunds, _) => (
            "the wallet holds less than the price",
            "top the wallet up with the asset of these terms, then let a person start again",
        ),
        (DiagnosticCode::InvoiceExpired, _) => (
            "the payment came too late to be served before its end",
            "sign a new one for these terms and send it at once; if that is too late as well, set the client's clock",
        ),
        (_, Cause::Signature) => (
            "the signature does not prove who pays",
            "check the key and the typed data that the client signs: domain, chain and payer have to be those of these terms",
        ),
        (_, Cause::Early) => (
            "the payment is not valid yet",
            "set the client's clock, or sign with an earlier validAfter",
        ),
        (_, Cause::Replayed) => (
            "the payment was used before",
            "sign a new payment with a fresh nonce for each request",
        ),
        (_, _) => (
            "the payment was signed for other terms than these",
            "sign exactly the network, asset, amount and recipient of these terms, valid for maxTimeoutSeconds by a right clock",
        ),
    }
}

/// A time in its largest whole unit.
fn duration(secs: u64) -> String {
    let (count, unit) = match secs {
        0..60 => (secs, "second"),
        60..3_600 => (secs / 60, "minute"),
        3_600..86_400 => (secs / 3_600, "hour"),
        _ => (secs / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// The part of the schema that describes `info`, which goes along.
#[must_use]
pub fn info_schema() -> &'static str {
    let info =
        SCHEMA.split_once(r#""info":"#).and_then(|(_, rest)| rest.split_once(r#","schema":"#));
    info.map_or("{}", |(info, _)| info)
}
