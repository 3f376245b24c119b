//! What the vector tests share.

pub mod deviations;

use std::fs;

use serde_json::Value;

/// A vector file.
pub fn document(file: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{file}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&fs::read(&path).expect(&path)).expect(&path)
}

/// The cases of a vector file, of which there is at least one.
pub fn cases(file: &str, member: &str) -> Vec<Value> {
    let cases = document(file)[member].as_array().expect(member).clone();
    assert!(!cases.is_empty(), "{file} has no cases");
    cases
}

/// A member that is text.
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} of {value}"))
}

/// Repeatable numbers without a pattern (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Decimal digits, the first not zero unless it is the only one.
    pub fn digits(&mut self, length: usize) -> Vec<u8> {
        let mut digits: Vec<u8> = (0..length).map(|_| (self.next() % 10) as u8).collect();
        if length > 1 && digits[0] == 0 {
            digits[0] = 1;
        }
        digits
    }
}
