//! A key that stays inside: generated or imported, used to sign, never handed back.

use alloc::string::String;

use farebox_core::encoding::{hex, json};
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::secret::Secret;
use wasm_bindgen::prelude::*;

use super::failure::{no_randomness, refused};

/// A secp256k1 key; it is overwritten when `free()` is called.
#[wasm_bindgen]
pub struct LocalKey(Account);

#[wasm_bindgen]
impl LocalKey {
    /// The key from 32 bytes in hex. The copy made here is overwritten; the caller has to erase
    /// their own.
    #[wasm_bindgen(js_name = fromHex)]
    pub fn from_hex(text: String) -> Result<Self, JsValue> {
        let text = Secret::new(text);
        let bytes = hex::decode_array::<32>(text.expose()).ok().map(Secret::new);
        bytes
            .and_then(|bytes| Account::from_candidates([bytes].into_iter()))
            .map(Self)
            .ok_or_else(|| refused("invalid_key", "a private key is 0x and 64 hex digits"))
    }

    /// A new key from the platform's random numbers.
    pub fn generate() -> Result<Self, JsValue> {
        let candidates = core::iter::repeat_with(|| {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).ok().map(|()| Secret::new(bytes))
        });
        // A candidate is invalid once in 2^128 times.
        Account::from_candidates(candidates.take(4).flatten()).map(Self).ok_or_else(no_randomness)
    }

    /// Its address.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn address(&self) -> String {
        self.0.address().to_checksum()
    }

    /// Signs typed data (JSON): `r`, `s` in the lower half, `v` 27 or 28, hex.
    #[wasm_bindgen(js_name = signTypedData)]
    pub fn sign_typed_data(&self, typed_data: &str) -> Result<String, JsValue> {
        let data = json::parse(typed_data.as_bytes()).ok();
        let digest =
            data.and_then(|data| TypedData::from_json(&data).ok()).map(|data| data.digest());
        digest
            .and_then(|digest| self.0.sign(&digest))
            .map(|signature| hex::encode_prefixed(&signature.to_bytes()))
            .ok_or_else(|| refused("invalid_typed_data", "this is not EIP-712 typed data"))
    }
}
