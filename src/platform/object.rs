//! An object's answers and its transactions; `object.mjs` is the border.

use wasm_bindgen::prelude::*;

#[wasm_bindgen(module = "/src/platform/object.mjs")]
extern "C" {
    /// Builds an object's answer, and the time for its alarm: `{answer, alarm}`.
    #[cfg(any(feature = "treasury", feature = "market"))]
    #[wasm_bindgen(js_name = answeredWith)]
    pub(crate) fn answered_with(answer: &str, alarm: Option<f64>) -> JsValue;

    /// Runs what writes to an object's database in one transaction: if it throws, nothing is
    /// written.
    #[wasm_bindgen(catch)]
    pub(crate) fn together(
        state: &JsValue,
        run: &mut dyn FnMut() -> Result<JsValue, JsValue>,
    ) -> Result<JsValue, JsValue>;
}
