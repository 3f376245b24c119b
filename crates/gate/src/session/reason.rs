//! Why a session is refused, in the words of the scheme.

use alloc::string::String;

use farebox_common::problem::Code;

/// A refusal in the words of the scheme.
pub(super) fn reason(word: &str) -> String {
    ["invalid_batch_settlement_evm_", word].concat()
}

/// The code of every refusal that fresh terms answer; the scheme's own word is the reason.
pub(super) const REFUSED: Code = Code::SessionRefused;
