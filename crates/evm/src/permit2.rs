//! Permit2 `PermitWitnessTransferFrom`: the payer's signed permission to move tokens once, for tokens
//! that check no signature of their own.
//!
//! The payer lets the contract Permit2 move the token, once and for all payments; each payment is a
//! signature for it. x402's own proxy is its spender, and pays no other account than the one in the
//! witness. Spec: x402 scheme `exact` on EVM, "Permit2"; Permit2 `SignatureTransfer`.

use crate::address::Address;
use crate::eip712;
use crate::eip3009::Authorization;
use crate::keccak::{keccak256, keccak256_parts};
use crate::token::known;
use farebox_base::amount::Amount;

/// The contract Permit2, the same on every chain.
pub const PERMIT2: Address = known("0x000000000022D473030F116dDEE9F6B43aC78BA3");
/// The proxy that settles payments of scheme `exact`, the same on every chain.
pub const EXACT_PROXY: Address = known("0x402085c248EeA27D92E8b30b2C58ed07f9E20001");

/// The proxy that settles payments of scheme `upto`, the same on every chain.
pub const UPTO_PROXY: Address = known("0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002");

/// The domain separator of Permit2 on this chain: it has no version.
#[must_use]
pub fn separator(chain_id: u64) -> [u8; 32] {
    keccak256_parts(&[
        &keccak256(DOMAIN_TYPE.as_bytes()),
        &keccak256(b"Permit2"),
        &Amount::from_u64(chain_id).to_be_bytes(),
        &PERMIT2.to_word(),
    ])
}

/// The digest that the payer signs for this token, and for the facilitator of an `upto`: `to` and
/// `valid_after` are the witness, and `valid_before` is the deadline.
///
/// # Examples
/// ```
/// use farebox_base::{amount::Amount, encoding::hex, time::UnixTime};
/// use farebox_evm::{address::Address, eip3009::Authorization, permit2};
/// let address = |text| Address::parse(text).unwrap();
/// let signed = Authorization {
///     from: address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
///     to: address("0x209693Bc6afc0C5328bA36FaF03C514EF312287C"),
///     value: Amount::from_u64(10_000),
///     valid_after: UnixTime::from_secs(0),
///     valid_before: UnixTime::from_secs(1_740_672_149),
///     nonce: [0x11; 32],
/// };
/// let usdc = address("0x036CbD53842c5426634e7929541eC2318f3dCF7e");
/// let digest = permit2::digest(&signed, &usdc, None, &permit2::separator(84532));
/// // As viem hashes it.
/// assert_eq!(hex::encode_prefixed(&digest), "0x3a25600a5164777d6baa34f2d3778bb31504616d16288a40823608b56d5a9dfb");
/// ```
#[must_use]
pub fn digest(
    signed: &Authorization,
    token: &Address,
    facilitator: Option<&Address>,
    separator: &[u8; 32],
) -> [u8; 32] {
    let (witness_type, spender) = match facilitator {
        None => (WITNESS_TYPE, EXACT_PROXY),
        Some(_) => (UPTO_WITNESS_TYPE, UPTO_PROXY),
    };
    let number = |secs: u64| Amount::from_u64(secs).to_be_bytes();
    let permitted = keccak256_parts(&[
        &keccak256(PERMISSIONS_TYPE.as_bytes()),
        &token.to_word(),
        &signed.value.to_be_bytes(),
    ]);
    let witness = keccak256_parts(&[
        &keccak256(witness_type.as_bytes()),
        &signed.to.to_word(),
        facilitator.map(|it| it.to_word()).as_ref().map_or(&[], <[u8; 32]>::as_slice),
        &number(signed.valid_after.secs()),
    ]);
    let message = keccak256_parts(&[
        &keccak256_parts(&[PERMIT_TYPE, PERMISSIONS_TYPE, witness_type].map(str::as_bytes)),
        &permitted,
        &spender.to_word(),
        &signed.nonce,
        &number(signed.valid_before.secs()),
        &witness,
    ]);
    eip712::digest(separator, &message)
}

/// Whether a word of `nonceBitmap(owner, nonce >> 8)` says that the nonce is used.
#[must_use]
pub fn is_used(bitmap: &[u8; 32], nonce: &[u8; 32]) -> bool {
    let [.., bit] = *nonce;
    let byte = bitmap.iter().rev().nth(usize::from(bit / 8)).copied().unwrap_or_default();
    byte & 1_u8.rotate_left(u32::from(bit % 8)) != 0
}

/// The second argument of `nonceBitmap` for this nonce.
#[must_use]
pub fn bitmap_word(nonce: &[u8; 32]) -> [u8; 32] {
    let mut word = [0; 32];
    word.iter_mut().skip(1).zip(nonce).for_each(|(place, byte)| *place = *byte);
    word
}

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

/// The relation of the data of a call of `called` to a payment of this token.
#[must_use]
pub fn mention(
    (called, data): (Option<Address>, &[u8]),
    (asset, from, to): (Address, Address, Address),
    (value, nonce): (Amount, &[u8; 32]),
    facilitator: Option<&Address>,
) -> Mention {
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
    if is(2, *nonce) && is(owner, from.to_word()) {
        let exact =
            is(0, asset.to_word()) && is(amount, value.to_be_bytes()) && is(payee, to.to_word());
        if exact { Mention::Exact } else { Mention::Nonce }
    } else if data.windows(nonce.len()).any(|part| part == nonce) {
        Mention::Inside
    } else {
        Mention::None
    }
}

/// Whether a call of Permit2 by `spender` can only succeed by spending this nonce on this payment.
///
/// Permit2 takes a nonce once, and only from the spender that was signed; x402's proxy passes on the
/// payee of the witness. So the other member of the witness, a time, is not compared: a payer may
/// have signed several. Spec: Permit2 `permitWitnessTransferFrom`.
#[must_use]
pub fn is_spent_by(
    (spender, data): (Address, &[u8]),
    (asset, from, to): (Address, Address, Address),
    (value, nonce): (Amount, &[u8; 32]),
    facilitator: Option<&Address>,
) -> bool {
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
    *selector == PERMIT_TRANSFER && spender == proxy && is(2, *nonce) && moves
}

/// Whether the word at this place of a call's data is this one.
fn is_word(data: &[u8], at: usize, expected: &[u8; 32]) -> bool {
    data.chunks_exact(32).nth(at).is_some_and(|word| word == expected)
}

const DOMAIN_TYPE: &str = "EIP712Domain(string name,uint256 chainId,address verifyingContract)";
const PERMIT_TYPE: &str = "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)";
const PERMISSIONS_TYPE: &str = "TokenPermissions(address token,uint256 amount)";
const WITNESS_TYPE: &str = "Witness(address to,uint256 validAfter)";
const UPTO_WITNESS_TYPE: &str = "Witness(address to,address facilitator,uint256 validAfter)";
/// Selector of `settle(((address,uint256),uint256,uint256),address,(address,uint256),bytes)`.
const SETTLE: [u8; 4] = [0x13, 0xcd, 0x3b, 0x53];
/// Selector of the same after an EIP-2612 permit: `settleWithPermit`.
const SETTLE_WITH_PERMIT: [u8; 4] = [0xfa, 0x34, 0x03, 0x78];
/// Selectors of the same two of the proxy of `upto`, with the amount after the permit.
const UPTO_SETTLE: [u8; 4] = [0xff, 0x11, 0xe7, 0xb4];
const UPTO_SETTLE_WITH_PERMIT: [u8; 4] = [0x01, 0x6c, 0x17, 0x48];
/// Selector of Permit2's `permitWitnessTransferFrom` for one transfer.
const PERMIT_TRANSFER: [u8; 4] = [0x13, 0x7c, 0x29, 0xfe];
