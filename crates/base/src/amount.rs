//! An amount of money: atomic units of one asset, 0 to 2^256 − 1.
//!
//! It is not a price in a currency and knows neither its asset nor its decimals; both are arguments
//! when text with a decimal point is read or written. No value passes through a float.
//!
//! - On the wire and in SQL an amount is its decimal text, read by [`Amount::from_atomic`] and
//!   written by `Display`.
//! - A price that an operator writes (`"$0.01"`) is read once, by [`Amount::from_price`].

use alloc::string::String;
use core::fmt;

/// Atomic units of an asset, 0 to 2^256 − 1.
///
/// `Display` writes canonical decimal digits. It is the `uint256` of the token contract. Spec: x402
/// v2, "PaymentRequirements" `amount`.
//
// The first word counts most, so that the order of lists is that of amounts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount([u32; WORDS]);

impl Amount {
    /// Zero units.
    pub const ZERO: Self = Self([0; WORDS]);
    /// The largest amount, 2^256 − 1.
    pub const MAX: Self = Self([u32::MAX; WORDS]);

    /// Reads canonical atomic text: 1 to 78 ASCII digits, no sign, no space, no leading zero.
    ///
    /// One amount has one spelling, so equal amounts are equal text and the reverse. Spec: x402 v2,
    /// "PaymentRequirements" `amount`.
    ///
    /// # Errors
    /// [`AmountError::Format`] for another spelling, [`AmountError::Overflow`] above 2^256 − 1.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::amount::{Amount, AmountError};
    /// assert_eq!(Amount::from_atomic("10000"), Ok(Amount::from_u64(10_000)));
    /// assert_eq!(Amount::from_atomic("010000"), Err(AmountError::Format));
    /// let beyond = "1".repeat(79);
    /// assert_eq!(Amount::from_atomic(&beyond), Err(AmountError::Overflow));
    /// ```
    pub fn from_atomic(text: &str) -> Result<Self, AmountError> {
        match text.as_bytes() {
            [] | [b'0', _, ..] => Err(AmountError::Format),
            digits if digits.iter().all(u8::is_ascii_digit) => Self::from_digits(digits),
            _ => Err(AmountError::Format),
        }
    }

    /// Reads plain decimal text (`"1.5"`) of an asset with `decimals` fraction digits, exactly.
    ///
    /// Digits, then optionally a point and digits; no sign, no exponent, no leading zero before
    /// another digit. Fraction digits beyond `decimals` must be zeros.
    ///
    /// # Errors
    /// [`AmountError::Format`], [`AmountError::Precision`] when a fraction digit would be lost,
    /// [`AmountError::Overflow`].
    ///
    /// # Examples
    /// ```
    /// use farebox_base::amount::{Amount, AmountError};
    /// assert_eq!(Amount::from_decimal("1.50", 6), Ok(Amount::from_u64(1_500_000)));
    /// assert_eq!(Amount::from_decimal("0.0000001", 6), Err(AmountError::Precision));
    /// assert_eq!(Amount::from_decimal("1e3", 6), Err(AmountError::Format));
    /// ```
    pub fn from_decimal(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountError::Format),
            Some(parts) => parts,
            None => (text, ""),
        };
        if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return Err(AmountError::Format);
        }
        if let [] | [b'0', _, ..] = whole.as_bytes() {
            return Err(AmountError::Format);
        }
        let fraction = fraction.trim_end_matches('0');
        let padding =
            usize::from(decimals).checked_sub(fraction.len()).ok_or(AmountError::Precision)?;
        if whole.len() > MAX_DIGITS {
            return Err(AmountError::Overflow);
        }
        // At most 78 + 255 digits from here on.
        let mut digits = String::from(whole);
        digits.push_str(fraction);
        digits.extend(core::iter::repeat_n('0', padding));
        Self::from_digits(digits.trim_start_matches('0').as_bytes())
    }

    /// Reads a price an operator wrote, `"$0.01"` or `"0.01"`, for an asset with `decimals`
    /// fraction digits.
    ///
    /// The dollar sign is ignored: the asset decides the unit. A price is never zero, because a
    /// free route must say `free`. Spec: x402 v2 price strings, without their truncation, signs and
    /// symbol suffixes.
    ///
    /// # Errors
    /// As [`Amount::from_decimal`], and [`AmountError::Zero`] for a price of zero.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::amount::{Amount, AmountError};
    /// assert_eq!(Amount::from_price("$0.01", 6), Ok(Amount::from_u64(10_000)));
    /// assert_eq!(Amount::from_price("$0.00", 6), Err(AmountError::Zero));
    /// assert_eq!(Amount::from_price("0.01 USDC", 6), Err(AmountError::Format));
    /// ```
    pub fn from_price(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let number = text.strip_prefix('$').unwrap_or(text);
        let amount = Self::from_decimal(number, decimals)?;
        if amount.is_zero() { Err(AmountError::Zero) } else { Ok(amount) }
    }

    /// The amount of `units` atomic units.
    #[must_use]
    pub const fn from_u64(units: u64) -> Self {
        let (high, low) = words(units);
        Self([0, 0, 0, 0, 0, 0, high, low])
    }

    /// Reads the 32 big-endian bytes of a `uint256`.
    #[must_use]
    pub fn from_be_bytes(bytes: [u8; 32]) -> Self {
        let mut words = [0; WORDS];
        let (fours, _) = bytes.as_chunks();
        for (word, four) in words.iter_mut().zip(fours) {
            *word = u32::from_be_bytes(*four);
        }
        Self(words)
    }

    /// The 32 big-endian bytes of the `uint256`, as EIP-712 and the ABI encode it.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (fours, _) = bytes.as_chunks_mut();
        for (four, word) in fours.iter_mut().zip(self.0) {
            *four = word.to_be_bytes();
        }
        bytes
    }

    /// Decimal text of an asset with `decimals` fraction digits, for people: `"1.5"`, `"0.01"`,
    /// `"3"`.
    ///
    /// Without trailing zeros; [`Amount::from_decimal`] with the same decimals gives the amount
    /// back.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::amount::Amount;
    /// assert_eq!(Amount::from_u64(10_000).to_decimal(6), "0.01");
    /// assert_eq!(Amount::from_u64(3_000_000).to_decimal(6), "3");
    /// assert_eq!(Amount::from_u64(3_000_000).to_string(), "3000000");
    /// ```
    #[must_use]
    pub fn to_decimal(self, decimals: u8) -> String {
        let width = usize::from(decimals).saturating_add(1);
        let digits = alloc::format!("{self:0>width$}");
        let point = digits.len().saturating_sub(usize::from(decimals));
        let (whole, fraction) = digits.split_at_checked(point).unwrap_or((&digits, ""));
        match fraction.trim_end_matches('0') {
            "" => String::from(whole),
            fraction => alloc::format!("{whole}.{fraction}"),
        }
    }

    /// The sum, or `None` above 2^256 − 1.
    #[must_use]
    pub fn checked_add(mut self, other: Self) -> Option<Self> {
        let mut carries = false;
        for (word, more) in self.0.iter_mut().zip(other.0).rev() {
            (*word, carries) = word.carrying_add(more, carries);
        }
        (!carries).then_some(self)
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(mut self, other: Self) -> Option<Self> {
        let mut borrows = false;
        for (word, less) in self.0.iter_mut().zip(other.0).rev() {
            (*word, borrows) = word.borrowing_sub(less, borrows);
        }
        (!borrows).then_some(self)
    }

    /// The product, or `None` above 2^256 − 1.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let mut product = Self::ZERO;
        for word in other.0 {
            let [first, rest @ ..] = product.0;
            if first != 0 {
                return None;
            }
            let [a, b, c, d, e, f, g] = rest;
            product = Self([a, b, c, d, e, f, g, 0]).checked_add(self.times_plus(word, 0)?)?;
        }
        Some(product)
    }

    /// `factor` times the amount, or `None` above 2^256 − 1.
    #[must_use]
    pub fn checked_mul_u64(self, factor: u64) -> Option<Self> {
        self.checked_mul(Self::from_u64(factor))
    }

    /// The amount divided by `divisor`, rounded down, or `None` for a divisor of zero.
    #[must_use]
    pub fn checked_div_u64(mut self, divisor: u64) -> Option<Self> {
        let divisor = core::num::NonZeroU64::new(divisor)?;
        let mut rest = 0_u128;
        // Bit by bit: nothing that is asked often divides.
        for word in &mut self.0 {
            let mut quotient = 0;
            for bit in (0..u32::BITS).rev() {
                rest = rest << 1_u8 | u128::from(*word >> bit & 1);
                quotient <<= 1_u8;
                if let Some(less) = rest.checked_sub(divisor.get().into()) {
                    (rest, quotient) = (less, quotient | 1);
                }
            }
            *word = quotient;
        }
        Some(self)
    }

    /// A number below 2^62 that orders amounts as they are, up to a part in 2^48 of them.
    #[must_use]
    pub fn magnitude(self) -> u64 {
        let bytes = self.to_be_bytes();
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let mut first = [0; 8];
        for (to, from) in first.iter_mut().skip(1).zip(bytes.iter().skip(zeros)) {
            *to = *from;
        }
        let length = u64::try_from(bytes.len().saturating_sub(zeros)).unwrap_or_default();
        u64::from_be_bytes(first).saturating_add(length << 56_u8)
    }

    /// Whether the amount is zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// `factor` times the amount and `more`, or `None` above 2^256 − 1.
    fn times_plus(mut self, factor: u32, more: u32) -> Option<Self> {
        let mut carry = u64::from(more);
        for word in self.0.iter_mut().rev() {
            // At most (2^32 − 1)^2 + 2^32 − 1, which is below 2^64.
            let wide = u64::from(*word).wrapping_mul(factor.into()).wrapping_add(carry);
            let (high, low) = words(wide);
            (*word, carry) = (low, high.into());
        }
        (carry == 0).then_some(self)
    }

    /// Sums digits in groups that fit a word; an empty list is zero.
    fn from_digits(digits: &[u8]) -> Result<Self, AmountError> {
        if digits.len() > MAX_DIGITS {
            return Err(AmountError::Overflow);
        }
        let mut sum = Self::ZERO;
        for group in digits.chunks(GROUP) {
            let mut scale = 1_u32;
            let mut value = 0_u32;
            for digit in group {
                scale = scale.wrapping_mul(10);
                value = value.wrapping_mul(10).wrapping_add(u32::from(digit & 0x0f));
            }
            sum = sum.times_plus(scale, value).ok_or(AmountError::Overflow)?;
        }
        Ok(sum)
    }
}

impl From<u64> for Amount {
    fn from(units: u64) -> Self {
        Self::from_u64(units)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut digits = [b'0'; MAX_DIGITS.next_multiple_of(GROUP)];
        for group in digits.rchunks_exact_mut(GROUP) {
            let mut remainder = 0_u64;
            for word in &mut rest {
                // Below 2^32 times the divisor, so that the quotient is a word.
                let wide = remainder << 32_u8 | u64::from(*word);
                (_, *word) = words(wide / GROUP_SCALE);
                remainder = wide % GROUP_SCALE;
            }
            let (_, mut value) = words(remainder);
            for digit in group.iter_mut().rev() {
                let [.., last] = (value % 10).to_be_bytes();
                *digit = b'0' | last;
                value /= 10;
            }
            if rest == [0; WORDS] {
                break;
            }
        }
        // The last digit stays, for zero.
        let first = digits
            .iter()
            .position(|digit| *digit != b'0')
            .unwrap_or(digits.len().saturating_sub(1));
        let digits = digits.get(first..).and_then(|digits| core::str::from_utf8(digits).ok());
        formatter.pad_integral(true, "", digits.unwrap_or_default())
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Amount({self})")
    }
}

/// Error of text that is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AmountError {
    /// Not the expected spelling.
    Format,
    /// More than 2^256 − 1.
    Overflow,
    /// More fraction digits than the asset has.
    Precision,
    /// A price of zero.
    Zero,
}

impl AmountError {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Format => "amount_format",
            Self::Overflow => "amount_overflow",
            Self::Precision => "amount_precision",
            Self::Zero => "amount_zero",
        }
    }
}

impl fmt::Display for AmountError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Format => {
                "expected plain decimal digits, without sign, exponent, space or leading zero"
            }
            Self::Overflow => "amount exceeds 2^256 - 1",
            Self::Precision => "amount has more fraction digits than the asset; round it",
            Self::Zero => "price is zero; write \"free\" for a route that costs nothing",
        })
    }
}

impl core::error::Error for AmountError {}

/// The two words of a number, the higher one first.
const fn words(number: u64) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    (u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
}

/// Words of 32 bits in 256 bits.
const WORDS: usize = 8;
/// Digits of 2^256 − 1.
const MAX_DIGITS: usize = 78;
/// Decimal digits handled at once: what fits a word.
const GROUP: usize = 9;
const GROUP_SCALE: u64 = 1_000_000_000;
