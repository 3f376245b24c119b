//! The next step of a seller of the compute exchange, by the answer to its last request. Spec:
//! contract of the compute exchange, "Sellers" and "Agents".

use super::json::Json;
use super::money;
use super::purchase::order::is_of_profile;
use super::purchase::terms::exceeds;
use super::text::bounded;
use farebox_base::chain::ChainId;
use farebox_evm::address::Address;
use farebox_evm::token;

/// The kind of a seller's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// `sellers/register`.
    Register,
    /// `sellers/session/challenge`.
    Challenge,
    /// `sellers/session`.
    Session,
    /// `sellers/heartbeat`, `sellers/offline`, `sellers/jobs`.
    Presence,
    /// `jobs/:id/start`, `complete`, `fail`.
    Job,
}

impl Ask {
    /// The kind of request that a path makes.
    fn of(path: &str) -> Self {
        match path {
            "sellers/register" => Self::Register,
            "sellers/session/challenge" => Self::Challenge,
            "sellers/session" => Self::Session,
            _ if path.starts_with("jobs/") => Self::Job,
            _ => Self::Presence,
        }
    }
}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// It is done: go on.
    Go,
    /// Ask again later.
    Again,
    /// Open a session, then ask again.
    Session,
    /// The token that renewed sessions is worth nothing: prove the wallet anew.
    Prove,
    /// The exchange does not know the seller: register, then ask again.
    Register,
    /// The job is another's by now, or over: forget it.
    Drop,
    /// It will never be done: stop, and say why.
    Stop,
}

impl Duty {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Again => "again",
            Self::Session => "session",
            Self::Prove => "prove",
            Self::Register => "register",
            Self::Drop => "drop",
            Self::Stop => "stop",
        }
    }

    /// The step after an answer to a request of this path, with this status; status 0 is none.
    #[must_use]
    pub fn after(path: &str, status: u16, answer: &Json) -> Self {
        let code = answer.text_of("code").unwrap_or_default();
        match (Ask::of(path), status, code) {
            // The outcome is decided, and its money moves without the seller; asking shows when.
            (_, 0 | 408 | 429 | 500.., _) => Self::Again,
            // What a proxy, a firewall or a page in between says is nothing about the seller. Where
            // it registers, nothing is at stake yet, and the address may be wrong.
            (ask, ..) if !is_of_exchange(path, status, answer) => {
                if ask == Ask::Register {
                    Self::Stop
                } else {
                    Self::Again
                }
            }
            (_, 200..=299, _) => Self::Go,
            // Someone else registered other terms before the wallet was proven.
            (Ask::Presence, 409, "SELLER_REGISTRATION_STALE") => Self::Register,
            (_, 409, "SELLER_REGISTRATION_STALE") => Self::Again,
            (Ask::Session, 403, "RECEIPT_NOT_FOUND") => Self::Again,
            // The outcome is written, and someone is asking the treasury right now.
            (Ask::Job, 409, "ESCROW_RELEASE_PENDING" | "ESCROW_REFUND_PENDING") => Self::Again,
            // No session makes a signature right.
            (Ask::Challenge, 403, "SELLER_SIGNATURE_INVALID") => Self::Stop,
            // Others say that what was shown proves another one: a new bond would not help.
            (
                Ask::Session,
                403 | 404,
                "PASSPORT_AUTH_REQUIRED"
                | "PASSPORT_TOKEN_EXPIRED"
                | "PASSPORT_TOKEN_INVALID"
                | "SELLER_BOND_CHALLENGE_EXPIRED"
                | "SELLER_BOND_CHALLENGE_INVALID"
                | "SELLER_BOND_CHALLENGE_NOT_FOUND",
            ) => Self::Prove,
            (Ask::Session | Ask::Challenge | Ask::Presence, 404, "SELLER_NOT_FOUND") => {
                Self::Register
            }
            // Nothing waits for a session that it is to open.
            (Ask::Session | Ask::Challenge, 401, _)
            | (
                Ask::Session | Ask::Challenge,
                403,
                "SELLER_SESSION_INVALID" | "SELLER_SIGNATURE_INVALID",
            ) => Self::Prove,
            (_, 401, _) | (_, 403, "SELLER_SESSION_INVALID" | "SELLER_SIGNATURE_INVALID") => {
                Self::Session
            }
            (Ask::Job, _, "JOB_NOT_FOUND" | "SELLER_MISMATCH" | "INVALID_JOB_STATE") => Self::Drop,
            _ => Self::Stop,
        }
    }
}

/// Whether an answer is the exchange's own: a success that names what was asked for, or a refusal by
/// a code of the contract.
fn is_of_exchange(path: &str, status: u16, answer: &Json) -> bool {
    let is_text = |name| answer.text_of(name).is_some();
    if !(200..300).contains(&status) {
        let code = answer.text_of("code").unwrap_or_default();
        // Whoever refuses a proof by a code of their own is asked again with another one: that loses
        // nothing.
        let is_proof = status == 401 && !code.is_empty();
        return is_proof
            || CODES.contains(&code)
            || FAMILIES.iter().any(|family| code.starts_with(family));
    }
    match Ask::of(path) {
        // Nothing is lost by these: the next one is a moment away.
        Ask::Register | Ask::Presence => {
            is_text("seller_id") || is_text("status") || answer.get("jobs").is_some()
        }
        Ask::Challenge => {
            is_text("challenge_id") || answer.text_of("status") == Some("already_verified")
        }
        Ask::Session => is_text("seller_session_token"),
        Ask::Job => {
            let is_state = matches!(answer.text_of("status"), Some("running" | "done" | "failed"));
            is_state && answer.text_of("job_id").is_none_or(|id| path.split('/').nth(1) == Some(id))
        }
    }
}

/// Beginnings of the codes by which an exchange refuses a seller.
const FAMILIES: [&str; 7] =
    ["SELLER_", "PASSPORT_", "TX_", "RECEIPT_", "ESCROW_", "JOB_", "GATEWAY_"];
/// The others.
const CODES: [&str; 9] = [
    "INVALID_REQUEST",
    "INVALID_JSON",
    "INVALID_JOB_STATE",
    "INVALID_NETWORK_PROFILE",
    "INVALID_TX_HASH",
    "REQUEST_TOO_LARGE",
    "RESULT_TOO_LARGE",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
];

/// The bounds of a bond that a seller transfers.
#[derive(Clone, Copy, Debug)]
pub struct BondLimit<'a> {
    /// The network profile.
    pub profile: &'a str,
    /// Most of it, in whole tokens.
    pub most: &'a str,
}

impl BondLimit<'_> {
    /// Why the bond of a challenge is not transferred, if it is not: it is of another kind of network,
    /// its two amounts disagree, or it is above the limit.
    #[must_use]
    pub fn fault(self, challenge: &Json) -> Option<&'static str> {
        let text = |name| challenge.text_of(name).unwrap_or_default();
        if !is_of_profile(self.profile, text("network")) {
            return Some("its network is not one of this profile");
        }
        let places = money::precision_of(text("amount_atomic"), text("amount"));
        let token = ChainId::parse(text("network")).ok().zip(Address::parse(text("asset")).ok());
        let token = token.and_then(|(chain, asset)| token::by_address(&chain, &asset));
        if token.is_none() {
            return Some("its token is not known");
        }
        // The decimals of a token are not the exchange's to choose.
        if places.is_none() || token.is_some_and(|it| Some(it.decimals.into()) != places) {
            return Some("its amounts disagree");
        }
        match exceeds(text("amount"), self.most) {
            Some(false) => None,
            _ => Some("it is above maxBond"),
        }
    }
}

/// Most characters of the reason that a buyer is given.
const MAX_REASON: usize = 300;

/// Why a job failed, as its buyer is told: one visible line.
#[must_use]
pub fn reason(text: &str) -> alloc::string::String {
    let line = text.lines().next().unwrap_or_default();
    let reason = bounded(line, MAX_REASON);
    if reason.is_empty() { "the seller's handler failed".into() } else { reason }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn each_answer_of_the_contract_has_its_duty() {
        for (path, status, code, duty) in [
            ("sellers/heartbeat", 0, "", Duty::Again),
            ("sellers/heartbeat", 403, "SELLER_SESSION_INVALID", Duty::Session),
            ("sellers/heartbeat", 404, "SELLER_NOT_FOUND", Duty::Register),
            ("sellers/heartbeat", 409, "SELLER_REGISTRATION_STALE", Duty::Register),
            ("sellers/jobs", 403, "SELLER_SIGNATURE_INVALID", Duty::Session),
            ("sellers/register", 403, "SELLER_SESSION_INVALID", Duty::Session),
            ("sellers/register", 400, "INVALID_REQUEST", Duty::Stop),
            ("sellers/register", 409, "SELLER_REGISTRATION_STALE", Duty::Again),
            ("sellers/session", 403, "PASSPORT_AUTH_REQUIRED", Duty::Prove),
            ("sellers/session", 401, "", Duty::Again),
            ("sellers/session", 401, "PASSPORT_AUTH_REQUIRED", Duty::Prove),
            ("sellers/session", 401, "UNAUTHORIZED", Duty::Prove),
            ("sellers/session/challenge", 404, "", Duty::Again),
            ("sellers/register", 403, "", Duty::Stop),
            ("sellers/heartbeat", 403, "FORBIDDEN", Duty::Again),
            ("jobs/1/complete", 403, "FORBIDDEN", Duty::Again),
            ("jobs/1/complete", 403, "JOB_TOKEN_INVALID", Duty::Stop),
            ("sellers/session", 403, "SELLER_SESSION_INVALID", Duty::Prove),
            ("sellers/session", 403, "SELLER_SIGNATURE_INVALID", Duty::Prove),
            ("sellers/session/challenge", 403, "SELLER_SESSION_INVALID", Duty::Prove),
            ("sellers/session/challenge", 403, "SELLER_SIGNATURE_INVALID", Duty::Stop),
            ("sellers/session", 403, "SELLER_BOND_CHALLENGE_EXPIRED", Duty::Prove),
            ("sellers/session", 403, "RECEIPT_NOT_FOUND", Duty::Again),
            ("sellers/session", 403, "TX_TOKEN_TRANSFER_MISMATCH", Duty::Stop),
            ("sellers/session", 403, "SELLER_PASSPORT_MISMATCH", Duty::Stop),
            ("sellers/session", 404, "SELLER_NOT_FOUND", Duty::Register),
            ("sellers/session", 404, "SELLER_BOND_CHALLENGE_NOT_FOUND", Duty::Prove),
            ("sellers/session", 500, "RECEIPT_VERIFY_FAILED", Duty::Again),
            ("sellers/session/challenge", 403, "SELLER_NOT_APPROVED", Duty::Stop),
            ("sellers/session/challenge", 429, "SELLER_BOND_LIMIT_REACHED", Duty::Again),
            ("jobs/1/start", 409, "INVALID_JOB_STATE", Duty::Drop),
            ("jobs/1/start", 403, "SELLER_MISMATCH", Duty::Drop),
            ("jobs/1/complete", 404, "JOB_NOT_FOUND", Duty::Drop),
            ("jobs/1/complete", 403, "SELLER_SIGNATURE_INVALID", Duty::Session),
            ("jobs/1/complete", 500, "ESCROW_RELEASE_FAILED", Duty::Again),
            ("jobs/1/complete", 400, "INVALID_REQUEST", Duty::Stop),
            ("jobs/1/complete", 404, "", Duty::Again),
        ] {
            let answer = answer(&format!(r#"{{"error":"no","code":"{code}"}}"#));
            assert_eq!(Duty::after(path, status, &answer), duty, "{path} {status} {code}");
        }
    }

    fn answer(text: &str) -> Json {
        Json::read(text, 1_000).unwrap()
    }

    #[test]
    fn a_success_is_the_exchanges_if_it_names_what_was_asked_for() {
        let page = r#"{"ok":true}"#;
        for (path, success) in [
            ("sellers/register", r#"{"status":"registered","seller_id":"0x1"}"#),
            ("sellers/session/challenge", r#"{"status":"ok","challenge_id":"c"}"#),
            ("sellers/session/challenge", r#"{"status":"already_verified"}"#),
            ("sellers/session", r#"{"status":"ok","seller_session_token":"t"}"#),
            ("sellers/heartbeat", r#"{"status":"ok","seller_id":"0x1"}"#),
            ("sellers/offline", r#"{"status":"offline","seller_id":"0x1"}"#),
            ("sellers/jobs", r#"{"seller_id":"0x1","jobs":[]}"#),
            ("jobs/7/start", r#"{"job_id":"7","status":"running"}"#),
            ("jobs/7/complete", r#"{"job_id":"7","status":"done"}"#),
        ] {
            assert_eq!(Duty::after(path, 200, &answer(success)), Duty::Go, "{path}");
            let duty = if path == "sellers/register" { Duty::Stop } else { Duty::Again };
            assert_eq!(Duty::after(path, 204, &answer(page)), duty, "{path}");
            assert_eq!(Duty::after(path, 0, &answer(success)), Duty::Again, "{path}");
        }
        let other = r#"{"job_id":"8","status":"done"}"#;
        assert_eq!(Duty::after("jobs/7/complete", 200, &answer(other)), Duty::Again);
    }

    #[test]
    fn a_reason_is_one_visible_line() {
        assert_eq!(reason("no model\n  at secret.js:1"), "no model");
        assert_eq!(reason("a\u{202e}b"), "ab");
        assert_eq!(reason(" \n"), "the seller's handler failed");
        assert_eq!(reason(&"x".repeat(999)).len(), 300);
    }
}
