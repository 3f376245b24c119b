//! Signed transfers: what `viem` signs is read as it was meant, and everything else is refused by name.

use crate::support::{Dice, cases, text};
use farebox_core::encoding::hex;
use farebox_core::evm::rlp::{self, Item, Items, RlpError};
use farebox_core::evm::transaction::{SignedTransfer, TransactionError, transfer, transfer_data};

fn bytes(case: &serde_json::Value) -> Vec<u8> {
    hex::decode_prefixed(text(case, "raw")).unwrap()
}

#[test]
fn a_transfer_is_read_as_the_reference_signed_it() {
    for case in cases("security/evm_transfers", "cases") {
        let raw = bytes(&case);
        let read = SignedTransfer::parse(&raw).unwrap();
        let told = serde_json::json!({
            "name": case["name"],
            "raw": hex::encode_prefixed(read.bytes()),
            "hash": hex::encode_prefixed(&read.hash),
            "from": read.from.to_checksum(),
            "chainId": read.chain_id,
            "nonce": read.nonce.to_string(),
            "gas": read.gas.to_string(),
            "maxFeePerGas": read.max_fee.to_string(),
            "token": read.token.to_lower_hex(),
            "to": read.to.to_lower_hex(),
            "value": read.value.to_string(),
        });
        assert_eq!(told, case);
        let data = transfer_data(read.to, read.value);
        assert_eq!(transfer(&data), Some((read.to, read.value)));
        let at = raw.windows(data.len()).position(|part| part == data);
        assert!(at.is_some(), "the data stands in the transaction: {}", case["name"]);
    }
}

#[test]
fn what_is_no_plain_transfer_is_refused_by_name() {
    for case in cases("security/evm_transfers", "refused") {
        let refusal = SignedTransfer::parse(&bytes(&case)).unwrap_err();
        let name = match refusal {
            TransactionError::Type => "type",
            TransactionError::Length => "length",
            TransactionError::Call => "call",
            TransactionError::Rlp(RlpError::Truncated) => "rlp_truncated",
            TransactionError::Rlp(RlpError::NotCanonical) => "rlp_not_canonical",
            TransactionError::Rlp(RlpError::Kind) => "rlp_kind",
            TransactionError::Rlp(RlpError::Length) => "rlp_length",
            TransactionError::Signature(error) => error.code(),
            other => panic!("{other:?}"),
        };
        assert_eq!(name, text(&case, "error"), "{}", case["name"]);
    }
}

/// Another spelling of a payment would be another payment: no change of a byte leaves sender and content the same.
#[test]
fn every_changed_byte_makes_another_transaction_or_none() {
    let case = &cases("security/evm_transfers", "cases")[0];
    let raw = bytes(case);
    let read = SignedTransfer::parse(&raw).unwrap();
    for place in 0..raw.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = raw.clone();
            changed[place] ^= flip;
            if let Ok(other) = SignedTransfer::parse(&changed) {
                assert_ne!(other.hash, read.hash);
                assert_ne!(other.from, read.from, "byte {place} ^ {flip:#x}");
            }
        }
        assert!(SignedTransfer::parse(&raw[..place]).is_err());
    }
}

/// Writes an item by the rule of the yellow paper, for comparison.
fn written(item: &Item<'_>) -> Vec<u8> {
    match item {
        Item::Bytes([one @ 0x00..=0x7f]) => vec![*one],
        Item::Bytes(bytes) => {
            let mut text = rlp::list(bytes);
            text[0] -= 0x40;
            text
        }
        Item::List(items) => rlp::list(&rewritten(*items)),
    }
}

fn rewritten(mut items: Items<'_>) -> Vec<u8> {
    let mut text = Vec::new();
    while !items.is_empty() {
        let Ok(item) = items.item() else { return Vec::new() };
        text.extend(written(&item));
    }
    text
}

/// Whether every value, however deep, can be read.
fn is_readable(mut items: Items<'_>) -> bool {
    while !items.is_empty() {
        match items.item() {
            Ok(Item::List(inner)) if !is_readable(inner) => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    true
}

#[test]
fn rlp_that_is_read_is_written_the_same() {
    let mut dice = Dice(7);
    let mut readable = 0;
    for _ in 0..200_000 {
        let length = usize::try_from(dice.next() % 70).unwrap();
        // Heads are rare among random bytes, so every other byte is one of a few.
        let heads = [0x00, 0x7f, 0x80, 0x81, 0x82, 0xb7, 0xb8, 0xb9, 0xc0, 0xc1, 0xc2, 0xf7, 0xf8];
        let bytes: Vec<u8> = (0..length)
            .map(|_| match dice.next().to_be_bytes() {
                [kind, pick, ..] if kind % 2 == 0 => heads[usize::from(pick) % heads.len()],
                [_, byte, ..] => byte,
            })
            .collect();
        if is_readable(Items::of(&bytes)) {
            readable += 1;
            assert_eq!(rewritten(Items::of(&bytes)), bytes);
        }
        assert!(SignedTransfer::parse(&bytes).is_err());
    }
    assert!(readable > 1_000, "{readable}");
}

#[test]
fn lists_have_the_heads_of_the_specification() {
    let head = |length: usize| {
        let list = rlp::list(&vec![0x01; length]);
        list[..list.len() - length].to_vec()
    };
    assert_eq!(head(0), [0xc0]);
    assert_eq!(head(55), [0xf7]);
    assert_eq!(head(56), [0xf8, 56]);
    assert_eq!(head(256), [0xf9, 1, 0]);
    assert_eq!(head(65_536), [0xfa, 1, 0, 0]);
}
