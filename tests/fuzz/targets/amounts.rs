//! Amounts and prices, networks and times, against 256-bit integers of another library and against themselves.

use alloy_primitives::U256;
use farebox_core::amount::Amount;
use farebox_core::chain::ChainId;
use farebox_core::encoding::{hex, jcs, json};
use farebox_core::evm::address::Address;
use farebox_core::time::UnixTime;

use super::support::{other_case, text};
use crate::driver::notes::met;

fn theirs(amount: Amount) -> U256 {
    U256::from_be_bytes(amount.to_be_bytes())
}

fn ours(number: U256) -> Amount {
    Amount::from_be_bytes(number.to_be_bytes())
}

/// Digits without a leading zero, as a number.
fn atomic(digits: &str) -> Option<U256> {
    let is_plain = digits == "0" || !digits.is_empty() && !digits.starts_with('0');
    let is_plain = is_plain && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| digits.parse().ok())?
}

/// Decimal text as units of a token, by integers alone.
fn decimal(text: &str, decimals: u8) -> Option<U256> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let fraction_is_plain =
        !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let unit = U256::from(10).checked_pow(U256::from(decimals));
    let mut units = match (atomic(whole)?, unit) {
        (U256::ZERO, _) => U256::ZERO,
        (whole, unit) => whole.checked_mul(unit?)?,
    };
    let mut place = unit;
    for digit in fraction_is_plain.then_some(fraction)?.bytes().map(|byte| U256::from(byte - b'0'))
    {
        place = place.map(|place| place / U256::from(10));
        match (digit, place) {
            (U256::ZERO, _) => {}
            (_, Some(U256::ZERO)) => return None,
            (digit, place) => units = units.checked_add(digit.checked_mul(place?)?)?,
        }
    }
    Some(units)
}

/// How many decimals by the first byte; then a text.
pub fn price(bytes: &[u8]) {
    let Some((decimals, rest)) = bytes.split_first() else { return };
    let (decimals, Some(text)) = (decimals % 40, text(rest)) else { return };
    let read = Amount::from_atomic(text);
    assert_eq!(read.ok().map(theirs), atomic(text), "{text}");
    if let Ok(amount) = read {
        assert_eq!(amount.to_string(), text, "an amount has one spelling");
    }
    let read = Amount::from_decimal(text, decimals);
    assert_eq!(read.ok().map(theirs), decimal(text, decimals), "{text} of {decimals} decimals");
    let unsigned = text.strip_prefix('$').unwrap_or(text);
    let price = Amount::from_price(text, decimals);
    let expected = decimal(unsigned, decimals).filter(|it| !it.is_zero());
    assert_eq!(price.ok().map(theirs), expected, "{text} of {decimals} decimals");
    if let Ok(amount) = read {
        let written = amount.to_decimal(decimals);
        assert_eq!(Amount::from_decimal(&written, decimals), Ok(amount), "{written}");
    }
    met((read.err(), price.err()));
}

/// Two numbers of 32 bytes and one of 8.
pub fn arithmetic(bytes: &[u8]) {
    let mut padded = [0; 72];
    let length = bytes.len().min(72);
    padded[..length].copy_from_slice(&bytes[..length]);
    let (one, rest) = padded.split_first_chunk::<32>().unwrap();
    let (other, small) = rest.split_first_chunk::<32>().unwrap();
    let small = u64::from_be_bytes(small.try_into().unwrap());
    let (a, b) = (Amount::from_be_bytes(*one), Amount::from_be_bytes(*other));
    let (x, y) = (theirs(a), theirs(b));
    assert_eq!(a.to_string(), x.to_string());
    assert_eq!(a.cmp(&b), x.cmp(&y));
    assert_eq!(a.checked_add(b), x.checked_add(y).map(ours));
    assert_eq!(a.checked_sub(b), x.checked_sub(y).map(ours));
    assert_eq!(a.checked_mul(b), x.checked_mul(y).map(ours));
    assert_eq!(a.checked_mul_u64(small), x.checked_mul(U256::from(small)).map(ours));
    assert_eq!(a.checked_div_u64(small), x.checked_div(U256::from(small)).map(ours));
    assert_eq!(a.is_zero(), x.is_zero());
    met((a.checked_add(b).is_some(), a.checked_mul(b).is_some(), a.checked_sub(b).is_some()));
}

/// Names of networks and accounts, hexadecimal digits and times: each has one spelling.
pub fn names(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if let Ok(chain) = ChainId::parse(text) {
        assert_eq!(chain.as_str(), text);
        assert_eq!(ChainId::parse_or_name(text).as_ref(), Ok(&chain));
        if let Some(id) = chain.evm_id() {
            assert_eq!(ChainId::from_evm(id).as_ref(), Ok(&chain));
        }
        if let Some(name) = chain.v1_name() {
            assert_eq!(ChainId::from_name(name).as_ref(), Some(&chain));
        }
        met(("chain", chain.evm_id().is_some(), chain.info().is_some()));
    }
    let parsed = text.parse::<alloy_primitives::Address>().ok().filter(|_| text.starts_with("0x"));
    if let Ok(address) = Address::parse(text) {
        assert_eq!(parsed.map(|it| it.into_array()), Some(*address.as_bytes()), "{text}");
        assert_eq!(parsed.unwrap().to_checksum(None), address.to_checksum());
        assert_eq!(Address::parse(&other_case(text)), Ok(address));
        let is_checked = Address::parse_checksummed(text).is_ok();
        let one_case = text == text.to_lowercase() || text[2..] == text[2..].to_uppercase();
        assert_eq!(is_checked, one_case || text == address.to_checksum(), "{text}");
        met(("address", is_checked));
    } else {
        assert!(parsed.is_none(), "{text} is an address elsewhere");
    }
    if let Ok(read) = hex::decode_prefixed(text) {
        assert_eq!(hex::encode_prefixed(&read), text.to_ascii_lowercase());
        met("hex");
    }
    if let Ok(time) = UnixTime::from_rfc3339(text) {
        assert_eq!(UnixTime::from_rfc3339(&time.rfc3339()), Ok(time), "{text}");
        met("time");
    }
    if let Ok(time) = UnixTime::from_text(text) {
        assert_eq!(time.secs().to_string(), text, "a time has one spelling");
        met("seconds");
    }
}

/// JSON: read as `serde_json` reads it, canonical text included.
pub fn json(bytes: &[u8]) {
    let Some(text) = text(bytes) else { return };
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > json::MAX_DEPTH {
        return met(json::parse(bytes).err());
    }
    crate::json_reader::is_read_alike(text);
    let Ok(value) = json::parse(bytes) else { return };
    let canonical = jcs::text(&value);
    let again = json::parse_within(canonical.as_bytes(), usize::MAX, usize::MAX).unwrap();
    assert_eq!(jcs::text(&again), canonical, "canonical text is its own");
    met(("json", value.is_object(), value.is_array(), value.is_number(), value.is_string()));
}
