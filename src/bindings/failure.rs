//! Failures as exceptions: JSON text.

use alloc::string::ToString;

use farebox_core::client::ClientError;
use farebox_core::client::error::Money;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;

/// An error as an exception.
pub(super) fn thrown(error: &ClientError) -> JsValue {
    JsValue::from_str(&told(error).to_string())
}

pub(super) fn told(error: &ClientError) -> Value {
    json!({
        "code": error.reason.code(),
        "message": error.message,
        "remedy": error.reason.remedy(),
        "signed": error.reason.money() == Money::Signed,
        "diagnostic": error.diagnostic,
    })
}

/// An error of the codec: invalid arguments.
pub(super) fn refused(code: &str, message: &str) -> JsValue {
    failed(code, message, "correct the argument")
}

#[cfg(any(feature = "bindings", feature = "channels"))]
pub(super) fn no_randomness() -> JsValue {
    let remedy = "use a platform with crypto.getRandomValues";
    failed("no_randomness", "the platform provides no random bytes", remedy)
}

fn failed(code: &str, message: &str, remedy: &str) -> JsValue {
    let error = json!({"code": code, "message": message, "remedy": remedy, "signed": false});
    JsValue::from_str(&error.to_string())
}

/// Unix seconds of JavaScript's clock.
pub(super) fn seconds(now: f64) -> UnixTime {
    UnixTime::from_secs(now as u64)
}
