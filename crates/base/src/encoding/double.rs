//! The double that is nearest to a decimal number.
//!
//! 128 bits hold 38 digits, and what they lose on the way to any power of ten that a double has is
//! far behind the 53 bits of the result. A table of powers, as parsers have it, is larger than what
//! this project reads of fractions is worth.

/// The nearest double, or the even one of two; `None` if that is infinite.
pub(super) fn nearest(whole: &str, fraction: &str, exponent: i32) -> Option<f64> {
    let (mut significand, mut power) = (0_u128, exponent);
    for (digits, kept, dropped) in [(whole, 0, 1), (fraction, -1, 0)] {
        for digit in digits.bytes() {
            let digit = u128::from(digit.wrapping_sub(b'0'));
            let is_full = significand >= FULL;
            power = power.saturating_add(if is_full { dropped } else { kept });
            if !is_full {
                significand = significand.wrapping_mul(10).wrapping_add(digit);
            }
        }
    }
    if significand == 0 || power < LEAST_POWER {
        return Some(0.0);
    }
    if power > MOST_POWER {
        return None;
    }
    // The value is `bits` times two to the power of `two`; the highest of the bits is one.
    let (mut bits, mut two) = normal(significand, 0);
    let mut left = power.unsigned_abs();
    while left > 0 {
        let step = left.min(MOST_DIGITS);
        let factor = 10_u32.pow(step);
        (bits, two) = if power < 0 {
            normal(divided(bits, factor.into()), two)
        } else {
            let room = u32::BITS.wrapping_sub(factor.leading_zeros());
            let product = (bits >> room).wrapping_mul(factor.into());
            normal(product, two.saturating_add_unsigned(room))
        };
        left = left.wrapping_sub(step);
    }
    // Numbers below the least normal one have fewer bits.
    let biased = two.wrapping_add(127 + 1023);
    if biased > MOST_EXPONENT {
        return None;
    }
    let missing = 1_i32.saturating_sub(biased).max(0).unsigned_abs();
    let dropped = missing.saturating_add(128 - 53);
    if dropped > 128 {
        return Some(0.0);
    }
    let kept = u64::try_from(bits >> dropped.wrapping_sub(1)).ok()?;
    let is_odd = kept & 2 != 0;
    let is_more = bits << 129_u32.wrapping_sub(dropped) != 0;
    let up = kept & 1 != 0 && (is_odd || is_more);
    // The highest bit of a normal number is not written: it adds one to the exponent.
    let exponent = u64::try_from(biased.max(1).wrapping_sub(1)).ok()?;
    let double = (exponent << 52).wrapping_add(kept >> 1).wrapping_add(u64::from(up));
    Some(f64::from_bits(double)).filter(|double| double.is_finite())
}

/// By digits of 32 bits: the division of 128 bits is a kilobyte of compiled code.
fn divided(bits: u128, divisor: u64) -> u128 {
    let (mut quotient, mut rest) = (0, 0);
    for place in [96, 64, 32, 0] {
        let digit = u64::try_from(bits >> place & 0xffff_ffff).unwrap_or_default();
        let part: u64 = rest << 32 | digit;
        quotient |= u128::from(part.checked_div(divisor).unwrap_or_default()) << place;
        rest = part.checked_rem(divisor).unwrap_or_default();
    }
    quotient
}

fn normal(bits: u128, two: i32) -> (u128, i32) {
    let zeros = bits.leading_zeros();
    (bits << zeros, two.saturating_sub_unsigned(zeros))
}

/// One more would be that of infinity.
const MOST_EXPONENT: i32 = 2046;
/// Digits of a power of ten that is multiplied or divided by at once: a document may have thousands
/// of numbers, and one by one each would take hundreds of divisions.
const MOST_DIGITS: u32 = 9;
/// One more digit may not fit.
const FULL: u128 = 10_u128.pow(37);
/// Of 38 digits, below half of the least double.
const LEAST_POWER: i32 = -363;
/// Of one digit, above the greatest double.
const MOST_POWER: i32 = 308;
