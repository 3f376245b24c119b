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

const DOMAIN_TYPE: &str = "EIP712Domain(string name,uint256 chainId,address verifyingContract)";
const PERMIT_TYPE: &str = "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,Witness witness)";
const PERMISSIONS_TYPE: &str = "TokenPermissions(address token,uint256 amount)";
const WITNESS_TYPE: &str = "Witness(address to,uint256 validAfter)";
const UPTO_WITNESS_TYPE: &str = "Witness(address to,address facilitator,uint256 validAfter)";
