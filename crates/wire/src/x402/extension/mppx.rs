//! Extension `mppx`: the nonce of an EIP-3009 authorization binds it to an offer, resource and
//! request.
//!
//! `mppx` announces it. A payer that supports it puts its own text into `info.nonce`, echoes the
//! extensions with it, and signs with the nonce derived from them. A payer that does not is
//! accepted too, unless the server's operator requires the binding. Spec: none; the source of
//! `mppx` 0.11, `x402/internal/RouteBinding`.

use alloc::string::String;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use farebox_base::encoding::{base64, jcs};

/// The extension's name in `extensions`.
pub const NAME: &str = "mppx";
/// Its member that names the route.
const SCOPE: &str = "_mppx_scope";

/// Whether the server takes what a stock client signs, unless its operator asks for more: `mppx`
/// names a scope as method and path, or none, and `pympp`, which takes nothing else, as base64url.
/// Spec: the source of `mppx` 0.11 and `pympp` 0.16.
///
/// # Examples
/// ```
/// use farebox_wire::x402::extension::mppx::takes_unbound;
/// use serde_json::json;
/// assert!(takes_unbound(&json!({"info": {"nonce": "", "_mppx_scope": "GET /report"}})));
/// assert!(takes_unbound(&json!({"info": {"nonce": ""}})));
/// assert!(!takes_unbound(&json!({"info": {"nonce": "", "_mppx_scope": "eyJhIjoxfQ"}})));
/// assert!(!takes_unbound(&json!({"info": {"nonce": "", "opaque": "eyJhIjoxfQ"}})));
/// ```
#[must_use]
pub fn takes_unbound(extension: &Value) -> bool {
    let Some(info) = extension.get("info").and_then(Value::as_object) else { return false };
    match info.get(SCOPE) {
        Some(scope) => scope.as_str().is_some_and(|it| it.contains(' ')),
        None => !info.contains_key("digest") && !info.contains_key("opaque"),
    }
}

/// The extensions of an offer as a payer echoes them, with `salt` in them: it differs for each
/// payment, because the token accepts a nonce only once. `None` if the extension is not announced.
#[must_use]
pub fn salted(extensions: &Map<String, Value>, salt: &str) -> Option<Map<String, Value>> {
    let mut salted = extensions.clone();
    let info = salted.get_mut(NAME)?.get_mut("info")?.as_object_mut()?;
    info.insert(String::from("nonce"), Value::String(String::from(salt)));
    Some(salted)
}

/// The nonce to sign with: SHA-256 over offer, resource and salted extensions, each in base64url of
/// its canonical JSON.
#[must_use]
pub fn nonce(
    accepted: &Map<String, Value>,
    resource: &Map<String, Value>,
    extensions: &Map<String, Value>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut before = "";
    for object in [accepted, resource, extensions] {
        hash.update(before);
        hash.update(base64::encode_url(jcs::object_text(object).as_bytes()));
        before = "|";
    }
    hash.finalize().into()
}
