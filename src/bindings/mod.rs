//! The functions that the npm package calls: few, with plain arguments, JSON text in and out. Rust
//! never calls JavaScript.
//!
//! [`client`] is one request of a payer, [`codec`] the wire formats for programs that work without
//! it, [`key`] a key that stays inside, `runtime` a substitute for std. A failure is an exception
//! whose value is the JSON text `{code, message, remedy, signed, diagnostic}`.

mod client;
mod codec;
mod key;
#[cfg(all(not(feature = "worker"), target_arch = "wasm32"))]
mod runtime;

use alloc::string::ToString;

use farebox_core::client::ClientError;
use farebox_core::client::error::Money;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};
use wasm_bindgen::JsValue;

/// An error as an exception.
fn thrown(error: &ClientError) -> JsValue {
    JsValue::from_str(&told(error).to_string())
}

fn told(error: &ClientError) -> Value {
    json!({
        "code": error.reason.code(),
        "message": error.message,
        "remedy": error.reason.remedy(),
        "signed": error.reason.money() == Money::Signed,
        "diagnostic": error.diagnostic,
    })
}

/// An error of the codec: invalid arguments.
fn refused(code: &str, message: &str) -> JsValue {
    failed(code, message, "correct the argument")
}

fn no_randomness() -> JsValue {
    let remedy = "use a platform with crypto.getRandomValues";
    failed("no_randomness", "the platform provides no random bytes", remedy)
}

fn failed(code: &str, message: &str, remedy: &str) -> JsValue {
    let error = json!({"code": code, "message": message, "remedy": remedy, "signed": false});
    JsValue::from_str(&error.to_string())
}

/// Unix seconds of JavaScript's clock.
fn seconds(now: f64) -> UnixTime {
    UnixTime::from_secs(now as u64)
}
