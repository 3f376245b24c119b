//! Keys, signatures and addresses.

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::signature::Signature;
use serde_json::{Value, json};

use super::Compared;
use super::chance::Chance;

/// A key, a digest, and the signature.
pub fn signature(chance: &mut Chance) -> Compared {
    let (key, account) = chance.key();
    let digest = chance.word();
    let signature = account.sign(&digest).map(|it| it.to_bytes());
    let input =
        json!({ "key": hex::encode_prefixed(&key), "digest": hex::encode_prefixed(&digest) });
    let ours = json!({
        "address": account.address().to_checksum(),
        "publicKey": hex::encode_prefixed(&account.public_key()),
        "signature": signature.map(|it| hex::encode_prefixed(&it)),
    });
    let asked = [digest.as_slice(), &signature.unwrap_or([0; 65])].concat();
    Compared::of(input, ours, asked)
}

/// A digest and a signature over it, or bytes that are none.
pub fn recovery(chance: &mut Chance) -> Compared {
    let digest = chance.word();
    let signature = shown(chance, &digest);
    let ours = Signature::from_bytes(&signature).and_then(|it| it.recover(&digest));
    let input = json!({
        "digest": hex::encode_prefixed(&digest), "signature": hex::encode_prefixed(&signature),
    });
    let ours = ours.map_or(Value::Null, |signer| json!({ "signer": signer.to_checksum() }));
    Compared::of(input, ours, [digest.as_slice(), &signature].concat())
}

fn shown(chance: &mut Chance, digest: &[u8; 32]) -> Vec<u8> {
    if chance.happens(4) {
        let v = chance.pick(&[27, 28, 27, 28, 0, 1, 26, 29]);
        return [chance.word().as_slice(), &chance.word(), &[v]].concat();
    }
    let Some(signature) = chance.key().1.sign(digest) else { return Vec::new() };
    let mut bytes = signature.to_bytes().to_vec();
    match chance.below(12) {
        0 => {
            let s = twin(&bytes[32..64]);
            bytes[32..64].copy_from_slice(&s);
            bytes[64] ^= 27 ^ 28;
        }
        1 => bytes[64] = chance.pick(&[0, 1, 2, 26, 29, 35, 36, 255]),
        2 => bytes[64] ^= 27 ^ 28,
        3 => bytes.truncate(chance.place(66)),
        4 => bytes.push(bytes[64]),
        5 => bytes[..32].copy_from_slice(&chance.word()),
        6 => bytes[32..64].copy_from_slice(&chance.word()),
        7 => bytes[chance.place(64)] ^= 1 << chance.below(8),
        _ => {}
    }
    bytes
}

/// The other s that the same key can show: n − s.
pub fn twin(s: &[u8]) -> [u8; 32] {
    let order = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
    let order = Amount::from_be_bytes(hex::decode_array(order).unwrap());
    let s = Amount::from_be_bytes(s.try_into().unwrap());
    order.checked_sub(s).unwrap_or(s).to_be_bytes()
}

/// An address in some spelling, or nearly one.
pub fn address(chance: &mut Chance) -> Compared {
    let address = chance.address();
    let text = spelled(chance, &address);
    let ours = json!({
        "checksum": address.to_checksum(),
        "read": Address::parse(&text).ok().map(|it| it.to_lower_hex()),
        "checked": Address::parse_checksummed(&text).is_ok(),
    });
    let asked = text.clone().into_bytes();
    let input = json!({ "bytes": address.to_lower_hex(), "text": text });
    Compared::of(input, ours, asked)
}

fn spelled(chance: &mut Chance, address: &Address) -> String {
    let (right, lower) = (address.to_checksum(), address.to_lower_hex());
    let any_case = |chance: &mut Chance, once_in: u64| {
        let letter = |it: char| match chance.happens(once_in) {
            true if it.is_ascii_lowercase() => it.to_ascii_uppercase(),
            true => it.to_ascii_lowercase(),
            false => it,
        };
        format!("0x{}", right[2..].chars().map(letter).collect::<String>())
    };
    match chance.below(12) {
        0 => lower,
        1 => format!("0x{}", lower[2..].to_uppercase()),
        2 => any_case(chance, 2),
        3 | 4 => any_case(chance, 20),
        5 => lower.to_uppercase(),
        6 => lower[2..].into(),
        7 => lower[..41].into(),
        8 => format!("{lower}0"),
        9 => format!(" {lower}"),
        10 => {
            let mut letters: Vec<char> = right.chars().collect();
            letters[2 + chance.place(40)] = chance.letter();
            letters.into_iter().collect()
        }
        _ => right,
    }
}
