//! MPP payments over JSON-RPC and MCP, where challenges and credentials are objects instead of
//! header texts.
//!
//! `request` is an object here; the id is still computed over the text that a header would have.
//! Spec: draft-payment-transport-mcp, as implemented by `mppx`.

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::problem::Problem;
use super::receipt::Receipt;
use super::{Challenge, Credential, Malformed};
use farebox_base::encoding::{base64, jcs};

/// Error code: a payment is required.
pub const PAYMENT_REQUIRED: i64 = -32042;
/// Error code: the payment was not accepted.
pub const VERIFICATION_FAILED: i64 = -32043;
/// Error code: the credential is unreadable.
pub const INVALID_PARAMS: i64 = -32602;
/// Error code: the server is at fault.
pub const INTERNAL: i64 = -32603;
/// Member of `_meta` that carries the credential of a request.
pub const CREDENTIAL: &str = "org.paymentauth/credential";
/// Member of `_meta` that carries the receipt of a result.
pub const RECEIPT: &str = "org.paymentauth/receipt";
/// Member of a result's `_meta` that requires a payment, instead of an error.
pub const REQUIRED: &str = "org.paymentauth/payment-required";

/// The error code of a problem.
///
/// # Examples
/// ```
/// use farebox_wire::mpp::{problem::Problem, rpc};
/// assert_eq!(rpc::code(Problem::PaymentRequired), -32042);
/// assert_eq!(rpc::code(Problem::MalformedCredential), -32602);
/// ```
#[must_use]
pub const fn code(problem: Problem) -> i64 {
    match problem {
        Problem::PaymentRequired => PAYMENT_REQUIRED,
        Problem::MalformedCredential | Problem::InvalidPayload => INVALID_PARAMS,
        Problem::InternalPaymentError => INTERNAL,
        _ => VERIFICATION_FAILED,
    }
}

/// The credential of a request, in `_meta` of its parameters or of the message; `None` if there is
/// none.
///
/// # Errors
/// [`Malformed::Duplicate`] for two different ones, otherwise the first member that is missing or
/// wrong.
pub fn credential(message: &Map<String, Value>) -> Result<Option<Credential>, Malformed> {
    let meta = |holder: Option<&Map<String, Value>>| {
        holder?.get("_meta")?.get(CREDENTIAL).cloned().filter(|credential| !credential.is_null())
    };
    let inner = meta(message.get("params").and_then(Value::as_object));
    let outer = meta(Some(message));
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => Err(Malformed::Duplicate),
        (Some(credential), _) | (None, Some(credential)) => read_credential(&credential).map(Some),
        (None, None) => Ok(None),
    }
}

fn read_credential(credential: &Value) -> Result<Credential, Malformed> {
    let members = credential.as_object().ok_or(Malformed::Wrong("credential"))?;
    let challenge = match members.get("challenge") {
        Some(Value::Object(challenge)) => self::challenge(challenge)?,
        Some(_) => return Err(Malformed::Wrong("challenge")),
        None => return Err(Malformed::Missing("challenge")),
    };
    let payload = match members.get("payload") {
        Some(Value::Object(payload)) => payload.clone(),
        Some(_) => return Err(Malformed::Wrong("payload")),
        None => return Err(Malformed::Missing("payload")),
    };
    Ok(Credential { challenge, payload, source: Credential::source_of(members)? })
}

/// The `_meta` member of a credential.
///
/// # Errors
/// As [`Challenge::request_object`].
pub fn credential_object(credential: &Credential) -> Result<Value, Malformed> {
    let mut members = Map::new();
    members.insert("challenge".into(), challenge_object(&credential.challenge)?);
    members.insert("payload".into(), Value::Object(credential.payload.clone()));
    if let Some(source) = &credential.source {
        members.insert("source".into(), Value::String(source.clone()));
    }
    Ok(Value::Object(members))
}

/// Reads a challenge whose `request` is an object.
///
/// # Errors
/// [`Malformed::Wrong`] with `request` for text, which would be ambiguous here; otherwise the first
/// member that is missing or wrong.
pub fn challenge(members: &Map<String, Value>) -> Result<Challenge, Malformed> {
    let request = match members.get("request") {
        Some(Value::Object(request)) => base64::encode_url(jcs::object_text(request).as_bytes()),
        Some(_) => return Err(Malformed::Wrong("request")),
        None => return Err(Malformed::Missing("request")),
    };
    let mut members = members.clone();
    members.insert("request".into(), Value::String(request));
    Challenge::from_object(&members)
}

/// Every challenge of an answer: of its error, or of a result that requires payment. An unreadable
/// one does not spoil the others.
#[must_use]
pub fn challenges(message: &Map<String, Value>) -> Vec<Result<Challenge, Malformed>> {
    let error = message.get("error").and_then(|error| error.get("data"));
    let result = message
        .get("result")
        .and_then(|result| result.get("_meta"))
        .and_then(|it| it.get(REQUIRED));
    let listed = error.or(result).and_then(|data| data.get("challenges")).and_then(Value::as_array);
    let members = |listed: &Value| match listed {
        Value::Object(members) => challenge(members),
        _ => Err(Malformed::Wrong("challenges")),
    };
    listed.into_iter().flatten().map(members).collect()
}

/// A challenge whose `request` is an object.
///
/// # Errors
/// As [`Challenge::request_object`].
pub fn challenge_object(challenge: &Challenge) -> Result<Value, Malformed> {
    let mut members = challenge.to_object();
    members.insert("request".into(), Value::Object(challenge.request_object()?));
    Ok(Value::Object(members))
}

/// The error that requires a payment, or says why one was not accepted. `body` is the body of the
/// problem.
///
/// # Errors
/// As [`Challenge::request_object`].
pub fn error(
    id: &Value,
    problem: Problem,
    detail: &str,
    challenges: &[Challenge],
    body: &Value,
) -> Result<Value, Malformed> {
    let challenges: Vec<Value> =
        challenges.iter().map(challenge_object).collect::<Result<_, _>>()?;
    Ok(json!({
        "jsonrpc": "2.0",
        "id": id,
        "error": {
            "code": code(problem),
            "message": detail,
            "data": {
                "httpStatus": problem.status(),
                "challenges": challenges,
                "problem": body,
            },
        },
    }))
}

/// Puts a receipt into `_meta` of a result.
pub fn put_receipt(result: &mut Map<String, Value>, receipt: &Receipt<'_>) {
    let meta = result.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
    if !meta.is_object() {
        *meta = Value::Object(Map::new());
    }
    if let Value::Object(meta) = meta {
        meta.insert(RECEIPT.into(), Value::Object(receipt.to_object()));
    }
}
