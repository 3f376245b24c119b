//! Diagnosis for a payer's program: why its payment is not accepted, and when it should stop.
//!
//! It speaks only of the request's own payment and payer, never of the gate's trouble as if it were
//! theirs, and not of a history on first contact. What clients that look alike have done is told as
//! theirs together, without an escalation: unproven neighbours cannot stop a client. Texts consist
//! of words of this file, counts and times. Spec: docs/answers.md, "Diagnostics".

use alloc::format;
use alloc::string::String;

use serde::Serialize;

use super::attempts::handle::NewHandle;
use farebox_base::encoding::json;
use farebox_base::time::UnixTime;
use farebox_common::payment::Cause;
use farebox_common::problem::Code;
use farebox_ledger::attempts::{FailureCause, FailureStreak};
use farebox_wire::x402::extension::diagnostic::{DiagnosticCode, NAME, SCHEMA};

/// `Retry-After` at the threshold, and added at each further multiple of it, seconds.
const RETRY_STEP_SECS: u64 = 30;
/// Longest `Retry-After`, seconds.
const MAX_RETRY_SECS: u64 = 3_600;
/// Multiple of the threshold from which the wording is stronger.
const STRONG: u64 = 10;
/// The clients of which an unproven count speaks.
const ABOUT: &str = "clients with this User-Agent at this address";

/// Counts from which a route diagnoses failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures in a row after which a client is asked to stop.
    pub exceeded_after: u64,
    /// Payments with the same fault in a row after which a person should look.
    pub unverified_after: u64,
    /// Failures of the facilitator in a row, or refusals with an unknown reason, after which a
    /// person should look.
    pub alert_after: u64,
}

impl Thresholds {
    /// The thresholds of a route that sets none.
    pub const DEFAULT: Self = Self { exceeded_after: 100, unverified_after: 3, alert_after: 10 };
}

/// Failures in a row, including the present one, and whom they count against.
#[derive(Clone, Copy, Debug)]
pub enum Failures<'a> {
    /// Those of one client: a payer with good signatures, or whoever shows a key or a handle.
    Own(&'a FailureStreak),
    /// Those of all clients that look alike, and the handle by which this one can be told apart.
    Alike(&'a FailureStreak, NewHandle<'a>),
    /// None are counted.
    Uncounted,
}

impl<'a> Failures<'a> {
    /// Those of a payer, if known.
    #[must_use]
    pub fn payers(counts: Option<&'a FailureStreak>) -> Self {
        counts.map_or(Self::Uncounted, Self::Own)
    }

    const fn counts(self) -> Option<&'a FailureStreak> {
        match self {
            Self::Own(counts) | Self::Alike(counts, _) => Some(counts),
            Self::Uncounted => None,
        }
    }

    /// Failures in a row that are this client's own.
    fn own(self) -> Option<&'a FailureStreak> {
        match self {
            Self::Own(counts) => Some(counts),
            Self::Alike(..) | Self::Uncounted => None,
        }
    }

    /// Failures in a row of clients that look alike.
    const fn alike(self) -> Option<&'a FailureStreak> {
        match self {
            Self::Alike(counts, _) => Some(counts),
            Self::Own(_) | Self::Uncounted => None,
        }
    }
}

/// Facts about a refused request.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The cause of failure.
    pub failure: &'a FailureCause,
    /// Failures in a row.
    pub failures: Failures<'a>,
    /// Failures of the facilitator in a row.
    pub consecutive_failures: u64,
    /// Correlation id.
    pub correlation: &'a str,
}

/// Advice to the client.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The reason; `None` if there is nothing to say.
    pub stated: Option<Stated>,
    /// Seconds to wait for a client that has failed too often.
    pub retry_after: Option<u64>,
    /// Whether the client got the same answer a moment ago. Of a client that goes on and on, one
    /// answer per threshold is worth a log line.
    pub repeats: bool,
}

/// Reason why the payment is not accepted.
#[derive(Clone, Debug)]
pub struct Stated {
    /// Its code.
    pub code: DiagnosticCode,
    /// The extension: `{"info": …, "schema": …}`.
    pub extension: String,
}

impl Diagnosis {
    /// Code of the reason, if there is one.
    #[must_use]
    pub fn code(&self) -> Option<DiagnosticCode> {
        self.stated.as_ref().map(|stated| stated.code)
    }

    /// The last member of an object; empty without a reason.
    #[must_use]
    pub fn member(&self) -> String {
        let member =
            |stated: &Stated| [",\"extensions\":{\"", NAME, "\":", &stated.extension, "}"].concat();
        self.stated.as_ref().map(member).unwrap_or_default()
    }
}

/// Spec: x402 extension "Diagnostic", `info`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExtensionInfo<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    correlation_id: &'a str,
}

/// The cause of failure of a refusal that is answered with terms.
#[must_use]
pub const fn cause_of(code: Code) -> Cause {
    match code {
        Code::UnsupportedVersion
        | Code::TermsMismatch
        | Code::ResourceMismatch
        | Code::SessionRefused
        | Code::RecipientMismatch
        | Code::AmountMismatch
        | Code::InvalidChallenge
        | Code::DigestMismatch
        | Code::InvalidPayload
        | Code::NonceMismatch
        | Code::SourceMismatch
        | Code::ValidityTooLong => Cause::Terms,
        Code::SignatureInvalid | Code::ContractWalletRefused => Cause::Signature,
        Code::Expired | Code::ChallengeExpired => Cause::Expired,
        Code::NotYetValid => Cause::Early,
        _ => Cause::Unpaid,
    }
}

impl Thresholds {
    /// The code of a finding, and whether a person should look; mostly nothing.
    pub(super) fn judge(&self, finding: Circumstances<'_>) -> Option<(DiagnosticCode, bool)> {
        let Circumstances { failure, failures, consecutive_failures, .. } = finding;
        let (attempts, streak) =
            failures.own().map_or((0, 0), |counts| (counts.attempts, counts.streak));
        let exceeded = attempts >= self.exceeded_after;
        let crowd = self.is_crowd(failures);
        // A client that lost an answer asks again, and learns how to get it.
        let asks_again = failure.reason == Code::PaymentAlreadyDelivered.name();
        Some(match failure.cause {
            Cause::Trouble if consecutive_failures >= self.alert_after => {
                (DiagnosticCode::OperatorAlert, true)
            }
            Cause::Trouble => return None,
            Cause::Unpaid | Cause::Unknown if exceeded => (DiagnosticCode::AttemptsExceeded, true),
            Cause::Unknown if streak >= self.alert_after => (DiagnosticCode::OperatorAlert, true),
            Cause::Funds => (DiagnosticCode::InsufficientFunds, true),
            Cause::Signature => (DiagnosticCode::PaymentUnverified, true),
            _ if crowd && !asks_again => (DiagnosticCode::AttemptsExceeded, false),
            Cause::Unpaid | Cause::Unknown => return None,
            Cause::Expired => (DiagnosticCode::InvoiceExpired, exceeded || streak >= 2),
            Cause::Early => (DiagnosticCode::PaymentUnverified, exceeded),
            Cause::Terms | Cause::Replayed => {
                let often = exceeded || streak >= self.unverified_after;
                if !often && asks_again {
                    return None;
                }
                (DiagnosticCode::PaymentUnverified, often)
            }
        })
    }

    /// Whether clients that look alike have failed too often together.
    fn is_crowd(&self, failures: Failures<'_>) -> bool {
        failures.alike().is_some_and(|counts| counts.attempts >= self.exceeded_after)
    }

    /// The diagnosis of a failure and the time to wait; empty for most failures.
    #[must_use]
    pub fn diagnose(&self, finding: Circumstances<'_>, now: UnixTime) -> Diagnosis {
        let Circumstances { failure, failures, consecutive_failures, .. } = finding;
        let attempts = failures.counts().map_or(0, |counts| counts.attempts);
        let over = attempts.checked_div(self.exceeded_after).unwrap_or(1);
        let alert = consecutive_failures >= self.alert_after;
        // The gate's trouble counts against no client; one that has paid nothing yet is only asked
        // to come back later.
        let steps = match (failure.cause, failures) {
            (Cause::Trouble, _) => 0,
            (Cause::Unpaid, _) if alert => over.max(1),
            (Cause::Unpaid, _) | (_, Failures::Own(_)) => over,
            // A payment does not wait for what others have done.
            (_, Failures::Alike(..) | Failures::Uncounted) => 0,
        };
        Diagnosis {
            stated: self
                .judge(finding)
                .map(|(code, escalate)| self.tell(code, escalate, finding, now)),
            retry_after: (steps > 0)
                .then(|| RETRY_STEP_SECS.saturating_mul(steps).min(MAX_RETRY_SECS)),
            repeats: over > 0
                && attempts.checked_rem(self.exceeded_after).is_some_and(|rest| rest != 0)
                && failure.cause != Cause::Trouble,
        }
    }

    fn tell(
        &self,
        code: DiagnosticCode,
        escalate: bool,
        finding: Circumstances<'_>,
        now: UnixTime,
    ) -> Stated {
        let Circumstances { failure, failures, correlation, .. } = finding;
        // A failure of the gate does not belong to a client's history, and a first contact has
        // none.
        let ours = failure.cause == Cause::Trouble;
        let history = failures.own().filter(|counts| !ours && counts.attempts >= 2);
        let (message, suggestion) = words(code, failure.cause);
        let told = failures.counts().filter(|_| !ours);
        let message = match told.filter(|_| history.is_some() || self.is_crowd(failures)) {
            Some(counts) => {
                let strong = code == DiagnosticCode::AttemptsExceeded
                    && counts.attempts >= self.exceeded_after.saturating_mul(STRONG);
                let (whose, noun, who) = match history {
                    Some(_) => (":".into(), "attempts", "the client"),
                    None => (format!("; {ABOUT}:"), "requests", "one of them"),
                };
                let tail = match strong {
                    true => format!("; {who} is stuck in a loop and must be stopped"),
                    false => String::new(),
                };
                let over = duration(now.secs().saturating_sub(counts.first_at));
                let attempts = counts.attempts;
                format!("{message}{whose} {attempts} {noun} in {over} and no success{tail}")
            }
            None => message.into(),
        };
        let (suggestion, handle) = match failures {
            Failures::Alike(_, handle) => {
                let crowd = code == DiagnosticCode::AttemptsExceeded;
                (if crowd { OF_A_CROWD } else { suggestion }, Some(handle.text()))
            }
            Failures::Own(_) | Failures::Uncounted => (suggestion, None),
        };
        let info = ExtensionInfo {
            code: code.name(),
            message: &message,
            suggestion,
            escalate,
            attempts: history.map(|counts| counts.attempts),
            first_attempt: history.map(|counts| UnixTime::from_secs(counts.first_at).rfc3339()),
            reason: Some(failure.reason.as_str()).filter(|reason| !reason.is_empty() && !ours),
            handle: handle.filter(|_| !ours),
            correlation_id: correlation,
        };
        let info = json::text(&info);
        let extension = [r#"{"info":"#, &info, r#","schema":"#, info_schema(), "}"].concat();
        Stated { code, extension }
    }
}

/// The remedy for one of many clients.
const OF_A_CROWD: &str = "check that this client is not one of them: it has to read the terms in this response and send a payment for them; send the handle as Farebox-Handle, and it is counted by itself";

/// The event in words, and the remedy.
const fn words(code: DiagnosticCode, cause: Cause) -> (&'static str, &'static str) {
    match (code, cause) {
        (DiagnosticCode::AttemptsExceeded, _) => (
            "requests keep coming without a valid payment",
            "check that the client reads the terms in this response and sends a payment for them, then have a person restart it",
        ),
        (DiagnosticCode::OperatorAlert, Cause::Unknown) => (
            "payments are refused for an unknown reason",
            "stop, and contact the operator of this service with the correlation id",
        ),
        (DiagnosticCode::OperatorAlert, _) => (
            "this service cannot settle payments at the moment; your payment is not the cause",
            "stop, and have a person restart the client once the service has recovered",
        ),
        (DiagnosticCode::InsufficientFunds, _) => (
            "the wallet holds less than the price",
            "top up the wallet with the asset in these terms, then have a person restart the client",
        ),
        (DiagnosticCode::InvoiceExpired, _) => (
            "the payment arrived too late to be served before it expires",
            "sign a new payment for these terms and send it at once; if that is too late as well, correct the client's clock",
        ),
        (_, Cause::Signature) => (
            "the signature does not prove the payer",
            "check the key and the typed data that the client signs: domain and chain must match these terms, and the signer must be the payer",
        ),
        (_, Cause::Early) => (
            "the payment is not valid yet",
            "correct the client's clock, or sign with an earlier validAfter",
        ),
        (_, Cause::Replayed) => (
            "the payment was used before",
            "sign a new payment with a fresh nonce for each request",
        ),
        (_, _) => (
            "the payment was signed for different terms",
            "sign exactly the network, asset, amount and recipient of these terms, valid for maxTimeoutSeconds by a correct clock",
        ),
    }
}

/// Writes a duration in its largest whole unit.
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

/// The part of the schema that describes `info`; it is sent along.
#[must_use]
pub fn info_schema() -> &'static str {
    let info =
        SCHEMA.split_once(r#""info":"#).and_then(|(_, rest)| rest.split_once(r#","schema":"#));
    info.map_or("{}", |(info, _)| info)
}
