//! The calls of the escrow contract, and its answer about a payment. Spec: contracts/ComputeEscrow.sol.

use alloc::vec::Vec;

use super::row::{EscrowDeed, EscrowRow};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;

/// Where the contract has a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EscrowEntry {
    /// It does not know it.
    None,
    /// It has its money.
    Funded,
    /// Its seller has it.
    Released,
    /// Its buyer has it back.
    Refunded,
    /// It has another payment under this name.
    Other,
}

/// The words of a payment: its name, buyer, seller, amount, and the transaction that paid it.
struct Words {
    id: [u8; 32],
    buyer: [u8; 32],
    seller: [u8; 32],
    amount: [u8; 32],
    settlement: [u8; 32],
}

/// The name of a payment in the contract.
pub(super) fn word_of(id: &str) -> Option<[u8; 32]> {
    hex::decode_array(&alloc::format!("0x{}", id.strip_prefix("esc_")?)).ok()
}

fn words(row: &EscrowRow) -> Option<Words> {
    Some(Words {
        id: word_of(&row.id)?,
        buyer: Address::parse(&row.buyer).ok()?.to_word(),
        seller: Address::parse(&row.seller).ok()?.to_word(),
        amount: Amount::from_atomic(&row.amount).ok()?.to_be_bytes(),
        settlement: hex::decode_array(&row.settlement).ok()?,
    })
}

/// The data of a call.
pub(super) fn data(row: &EscrowRow, deed: EscrowDeed) -> Option<Vec<u8>> {
    let Words { id, buyer, seller, amount, settlement } = words(row)?;
    Some(match deed {
        EscrowDeed::Register => {
            [&REGISTER[..], &id, &buyer, &seller, &amount, &settlement].concat()
        }
        EscrowDeed::Release => [&RELEASE[..], &id].concat(),
        EscrowDeed::Refund => [&REFUND[..], &id].concat(),
    })
}

/// The data of the question about a payment.
pub(super) fn question(row: &EscrowRow) -> Option<Vec<u8>> {
    Some([&PAYMENTS[..], &word_of(&row.id)?].concat())
}

/// Reads the answer: `(buyer, seller, amount, settlementTxHash, state)`.
pub(super) fn entry(row: &EscrowRow, answer: &[u8]) -> Option<EscrowEntry> {
    let (facts, state) = answer.split_first_chunk::<128>()?;
    let state: &[u8; 32] = state.try_into().ok()?;
    let Words { buyer, seller, amount, settlement, .. } = words(row)?;
    let is_this = facts[..] == [buyer, seller, amount, settlement].concat();
    let (zeros, last) = state.split_at_checked(31)?;
    Some(match (zeros.iter().all(|byte| *byte == 0), last) {
        (true, [0]) => EscrowEntry::None,
        (true, [1]) if is_this => EscrowEntry::Funded,
        (true, [2]) if is_this => EscrowEntry::Released,
        (true, [3]) if is_this => EscrowEntry::Refunded,
        (true, [1..=3]) => EscrowEntry::Other,
        _ => return None,
    })
}

/// `registerFacilitatorPayment(bytes32,address,address,uint256,bytes32)`
const REGISTER: [u8; 4] = [0x03, 0xa5, 0xa7, 0x30];
/// `release(bytes32)`
const RELEASE: [u8; 4] = [0x67, 0xd4, 0x2a, 0x8b];
/// `refund(bytes32)`
const REFUND: [u8; 4] = [0x72, 0x49, 0xfb, 0xb6];
/// `payments(bytes32)`
const PAYMENTS: [u8; 4] = [0x07, 0x16, 0x32, 0x6d];
