//! Calls by which payments through Permit2 are settled: what the data of a transaction, or of a call
//! inside one, says of a payment.

use super::address::Address;
use super::evidence::AuthorizedTransfer;
use super::permit2::{EXACT_PROXY, UPTO_PROXY};
use super::rpc::AuthorizationId;

/// The relation of a transaction's data to a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// A call of the proxy that settles exactly this payment: if it succeeded, nothing else did.
    Exact,
    /// A call of the proxy that settles another payment with the same nonce.
    Nonce,
    /// It contains the payment somewhere, for a contract in between.
    Inside,
    /// It does not contain it.
    None,
}

/// The relation of the data of a call of `called` to this payment.
#[must_use]
pub fn mention(
    called: Option<Address>,
    data: &[u8],
    payment: &AuthorizedTransfer,
    facilitator: Option<&Address>,
) -> Mention {
    let AuthorizedTransfer { authorization, to, value } = *payment;
    let AuthorizationId { asset, authorizer: from, nonce } = authorization;
    let (proxy, settle, settle_with_permit) = match facilitator {
        None => (EXACT_PROXY, SETTLE, SETTLE_WITH_PERMIT),
        Some(_) => (UPTO_PROXY, UPTO_SETTLE, UPTO_SETTLE_WITH_PERMIT),
    };
    let skipped = match data.get(..4) {
        Some(selector) if selector == settle => Some(4),
        // The five words of an EIP-2612 permit come first.
        Some(selector) if selector == settle_with_permit => Some(164),
        _ => None,
    };
    let direct = skipped.filter(|_| called == Some(proxy)).and_then(|at| data.get(at..));
    let is = |at, expected| is_word(direct.unwrap_or_default(), at, &expected);
    // What is settled of an `upto` stands between the permit and its owner.
    let (amount, owner) = if facilitator.is_some() { (4, 5) } else { (1, 4) };
    let payee = if facilitator.is_some() { 6 } else { 5 };
    if is(2, nonce) && is(owner, from.to_word()) {
        let exact =
            is(0, asset.to_word()) && is(amount, value.to_be_bytes()) && is(payee, to.to_word());
        if exact { Mention::Exact } else { Mention::Nonce }
    } else if data.windows(nonce.len()).any(|part| part == nonce) {
        Mention::Inside
    } else {
        Mention::None
    }
}

/// Whether a call of Permit2 by `spender` can only succeed by spending its nonce on this payment.
///
/// Permit2 takes a nonce once, and only from the spender that was signed; x402's proxy passes on the
/// payee of the witness. So the other member of the witness, a time, is not compared: a payer may
/// have signed several. Spec: Permit2 `permitWitnessTransferFrom`.
#[must_use]
pub fn is_spent_by(
    spender: Address,
    data: &[u8],
    payment: &AuthorizedTransfer,
    facilitator: Option<&Address>,
) -> bool {
    let AuthorizedTransfer { authorization, to, value } = *payment;
    let AuthorizationId { asset, authorizer: from, nonce } = authorization;
    let Some((selector, words)) = data.split_first_chunk::<4>() else { return false };
    let proxy = if facilitator.is_some() { UPTO_PROXY } else { EXACT_PROXY };
    let is = |at, expected| is_word(words, at, &expected);
    // What is signed of an `upto` is the most that may be moved.
    let is_whole = facilitator.is_some() || is(1, value.to_be_bytes());
    let moves = is_whole
        && is(0, asset.to_word())
        && is(4, to.to_word())
        && is(5, value.to_be_bytes())
        && is(6, from.to_word());
    *selector == PERMIT_TRANSFER && spender == proxy && is(2, nonce) && moves
}

/// Whether the word at this place of a call's data is this one.
fn is_word(data: &[u8], at: usize, expected: &[u8; 32]) -> bool {
    data.chunks_exact(32).nth(at).is_some_and(|word| word == expected)
}

/// Selector of `settle(((address,uint256),uint256,uint256),address,(address,uint256),bytes)`.
const SETTLE: [u8; 4] = [0x13, 0xcd, 0x3b, 0x53];
/// Selector of the same after an EIP-2612 permit: `settleWithPermit`.
const SETTLE_WITH_PERMIT: [u8; 4] = [0xfa, 0x34, 0x03, 0x78];
/// Selectors of the same two of the proxy of `upto`, with the amount after the permit.
const UPTO_SETTLE: [u8; 4] = [0xff, 0x11, 0xe7, 0xb4];
const UPTO_SETTLE_WITH_PERMIT: [u8; 4] = [0x01, 0x6c, 0x17, 0x48];
/// Selector of Permit2's `permitWitnessTransferFrom` for one transfer.
const PERMIT_TRANSFER: [u8; 4] = [0x13, 0x7c, 0x29, 0xfe];
