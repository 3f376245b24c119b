//! The treasury of an isolate, cached by its configuration.

use std::cell::RefCell;
use std::rc::Rc;

use farebox_core::encoding::hex;
use farebox_core::hash::{digest, mac};
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use farebox_core::treasury::Treasury;

use crate::platform::calls;

/// A configuration and its treasury, or none if it is wrong.
struct Configured {
    vars: String,
    treasury: Option<Rc<Treasury>>,
    webhook_secret: Option<Secret<String>>,
}

thread_local! {
    static CONFIGURED: RefCell<Option<Configured>> = const { RefCell::new(None) };
}

/// Builds the treasury if the configuration is new; errors go to the operator's log.
pub(super) fn configure(text: &str) {
    let vars = digest(&[text.as_bytes()]);
    if CONFIGURED.with_borrow(|known| known.as_ref().is_some_and(|known| known.vars == vars)) {
        return;
    }
    let webhook_secret = secret(text);
    let treasury = match Treasury::from_vars(text) {
        Ok(treasury) if treasury.webhook.is_some() && webhook_secret.is_none() => {
            calls::complain(
                "farebox-treasury is not configured: WEBHOOK_SECRET: must have at least 16 bytes where WEBHOOK_URL is set",
            );
            None
        }
        Ok(treasury) => Some(Rc::new(treasury)),
        Err(errors) => {
            for error in errors {
                calls::complain(&format!("farebox-treasury is not configured: {error}"));
            }
            None
        }
    };
    CONFIGURED.set(Some(Configured { vars, treasury, webhook_secret }));
}

/// The treasury; `None` if its configuration is wrong.
pub(super) fn treasury() -> Option<Rc<Treasury>> {
    CONFIGURED.with_borrow(|configured| configured.as_ref()?.treasury.clone())
}

/// `WEBHOOK_SECRET`, if it is long enough.
fn secret(vars: &str) -> Option<Secret<String>> {
    let vars: serde_json::Value = serde_json::from_str(vars).ok()?;
    let secret = vars.get("WEBHOOK_SECRET")?.as_str()?;
    (secret.len() >= 16).then(|| Secret::new(secret.to_owned()))
}

/// `Farebox-Signature` of a notice: like that of the gate's.
pub(super) fn notice_signature(body: &str, now: UnixTime) -> Option<String> {
    let secs = now.secs();
    CONFIGURED.with_borrow(|configured| {
        let secret = configured.as_ref()?.webhook_secret.as_ref()?;
        let mac = mac(secret.expose().as_bytes(), &[format!("{secs}.{body}").as_bytes()]);
        Some(format!("t={secs},v1={}", hex::encode(&mac)))
    })
}
