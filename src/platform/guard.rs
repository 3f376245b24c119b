//! The guard against panics; `instance.mjs` is its other half.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/edge.mjs")]
extern "C" {
    /// Reports that the instance has ended.
    fn lost();
}

/// Makes a panic readable before it ends the instance, and reports every end to `entry.mjs`:
/// panics, traps, JavaScript exceptions that came through.
///
/// The platform crate would start a new, unconfigured instance at the next call, whoever makes it;
/// the entry does that itself once no request is left in this one.
pub(crate) fn contain_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        wasm_bindgen::handler::set_on_abort(lost);
        let platform = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            console_error_panic_hook::hook(info);
            platform(info);
        }));
    });
}
