//! Handles: names that only the gate makes, so that whoever shows one is counted alone.
//!
//! A handle proves itself by its MAC: issuing one writes no row, and another client's cannot be
//! guessed. It says nothing about its holder, and buys nothing.

use alloc::string::String;

use crate::keys::Keys;
use farebox_base::encoding::base32;
use farebox_base::secret::ct_eq;

/// The header field in which a client shows its handle, lower case.
pub const HEADER: &str = "farebox-handle";
/// Letters of the name (130 bits) and of its seal (80 bits).
const NAME_LETTERS: usize = 26;
const SEAL_LETTERS: usize = 16;

/// A handle to give away, written once it is needed.
#[derive(Clone, Copy, Debug)]
pub struct NewHandle<'a> {
    /// Keys of the gate.
    pub keys: &'a Keys,
    /// A random name that belongs to one request.
    pub fresh: &'a str,
}

impl NewHandle<'_> {
    /// The handle: 42 letters and digits.
    #[must_use]
    pub fn text(&self) -> String {
        let name =
            base32::encode(&self.keys.handle(&[b"name ", self.fresh.as_bytes()]), NAME_LETTERS);
        sealed(self.keys, &name)
    }
}

/// Whether this gate has given a handle away.
#[must_use]
pub fn is_ours(keys: &Keys, handle: &str) -> bool {
    let name = handle.get(..NAME_LETTERS);
    name.is_some_and(|name| ct_eq(sealed(keys, name).as_bytes(), handle.as_bytes()))
}

fn sealed(keys: &Keys, name: &str) -> String {
    let seal = base32::encode(&keys.handle(&[b"seal ", name.as_bytes()]), SEAL_LETTERS);
    [name, &seal].concat()
}
