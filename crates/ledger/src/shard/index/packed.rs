//! The name of a row in the index.

use alloc::boxed::Box;
use alloc::string::String;
use core::ops::RangeInclusive;

use crate::shard::Slot;
use farebox_base::encoding::hex;

/// Payer and key in as few bytes as they need.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::shard) enum Packed {
    /// An address and a key, both canonical.
    Payer([u8; 20], [u8; 32]),
    /// A key that stands for its payer, too.
    Own([u8; 32]),
    /// Any other slot, as text.
    Other(Box<(String, String)>),
}

impl Packed {
    pub(in crate::shard) fn of(slot: &Slot) -> Self {
        let place = match (address(&slot.payer), hash(&slot.key)) {
            (Some(payer), Some(key)) => Some(Self::Payer(payer, key)),
            (None, Some(key)) if slot.payer == slot.key => Some(Self::Own(key)),
            _ => None,
        };
        // A slot that would not survive the round trip is kept as text.
        let place = place.filter(|place| place.to_slot() == *slot);
        place.unwrap_or_else(|| Self::Other(Box::new((slot.payer.clone(), slot.key.clone()))))
    }

    pub(super) fn to_slot(&self) -> Slot {
        let (payer, key) = match self {
            Self::Payer(payer, key) => (hex::encode_prefixed(payer), hex::encode(key)),
            Self::Own(key) => (hex::encode(key), hex::encode(key)),
            Self::Other(names) => (names.0.clone(), names.1.clone()),
        };
        Slot { payer, key }
    }

    /// The range in which the rows of the same payer lie.
    pub(super) fn of_same_payer(&self) -> RangeInclusive<Self> {
        match self {
            Self::Payer(payer, _) => {
                Self::Payer(*payer, [0; 32])..=Self::Payer(*payer, [u8::MAX; 32])
            }
            Self::Own(key) => Self::Own(*key)..=Self::Own(*key),
            Self::Other(names) => {
                let name = |key: &str| Self::Other(Box::new((names.0.clone(), key.into())));
                name("")..=name("\u{10ffff}")
            }
        }
    }
}

fn address(text: &str) -> Option<[u8; 20]> {
    hex::decode_array(text).ok()
}

fn hash(digits: &str) -> Option<[u8; 32]> {
    hex::decode_array(&["0x", digits].concat()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_comes_back_as_it_was_put_in() {
        let (key, payer) = ("ab".repeat(32), ["0x", &"cd".repeat(20)].concat());
        for (payer, key) in [
            (payer.as_str(), key.as_str()),
            (&key, &key),
            (&key.to_uppercase(), &key),
            (&payer.to_uppercase(), &key),
            ("", ""),
            (&payer, "short"),
        ] {
            let slot = Slot::new(payer, key);
            assert_eq!(Packed::of(&slot).to_slot(), slot);
            assert!(Packed::of(&slot).of_same_payer().contains(&Packed::of(&slot)), "{slot:?}");
        }
    }
}
