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

use k256::U256;
use k256::elliptic_curve::bigint::{CheckedAdd, CheckedSub, NonZero, U64};

/// Atomic units of an asset, 0 to 2^256 − 1.
///
/// `Display` writes canonical decimal digits. It is the `uint256` of the token contract. Spec: x402
/// v2, "PaymentRequirements" `amount`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(U256);

impl Amount {
    /// Zero units.
    pub const ZERO: Self = Self(U256::ZERO);
    /// The largest amount, 2^256 − 1.
    pub const MAX: Self = Self(U256::MAX);

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
    /// use farebox_core::amount::{Amount, AmountError};
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
    /// use farebox_core::amount::{Amount, AmountError};
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
    /// use farebox_core::amount::{Amount, AmountError};
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
        Self(U256::from_u64(units))
    }

    /// Reads the 32 big-endian bytes of a `uint256`.
    #[must_use]
    pub const fn from_be_bytes(bytes: [u8; 32]) -> Self {
        Self(U256::from_be_slice(&bytes))
    }

    /// The 32 big-endian bytes of the `uint256`, as EIP-712 and the ABI encode it.
    #[must_use]
    pub fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes().into()
    }

    /// Decimal text of an asset with `decimals` fraction digits, for people: `"1.5"`, `"0.01"`,
    /// `"3"`.
    ///
    /// Without trailing zeros; [`Amount::from_decimal`] with the same decimals gives the amount
    /// back.
    ///
    /// # Examples
    /// ```
    /// use farebox_core::amount::Amount;
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
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(&other.0).into_option().map(Self)
    }

    /// The difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(&other.0).into_option().map(Self)
    }

    /// The product, or `None` above 2^256 − 1.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        self.0.checked_mul(&other.0).into_option().map(Self)
    }

    /// `factor` times the amount, or `None` above 2^256 − 1.
    #[must_use]
    pub fn checked_mul_u64(self, factor: u64) -> Option<Self> {
        self.checked_mul(Self::from_u64(factor))
    }

    /// The amount divided by `divisor`, rounded down, or `None` for a divisor of zero.
    #[must_use]
    pub fn checked_div_u64(self, divisor: u64) -> Option<Self> {
        let divisor = NonZero::new(U64::from_u64(divisor)).into_option()?;
        Some(Self(self.0.div_rem_vartime(&divisor).0))
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

    /// Sums digits in groups that fit a `u64`; an empty list is zero.
    fn from_digits(digits: &[u8]) -> Result<Self, AmountError> {
        if digits.len() > MAX_DIGITS {
            return Err(AmountError::Overflow);
        }
        let mut sum = Self::ZERO;
        for group in digits.chunks(GROUP) {
            let mut scale = 1_u64;
            let mut value = 0_u64;
            for digit in group {
                scale = scale.saturating_mul(10);
                value = value.saturating_mul(10).saturating_add(u64::from(digit & 0x0f));
            }
            sum = sum
                .checked_mul_u64(scale)
                .and_then(|sum| sum.checked_add(Self::from_u64(value)))
                .ok_or(AmountError::Overflow)?;
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
        let mut groups = [0_u64; MAX_DIGITS.div_ceil(GROUP)];
        let mut count = 0_usize;
        // Most amounts have one or two groups, and a division is long.
        for group in &mut groups {
            let (quotient, remainder) = rest.div_rem_vartime(&GROUP_SCALE);
            (*group, count) = (u64::from(remainder), count.saturating_add(1));
            rest = quotient;
            if rest == U256::ZERO {
                break;
            }
        }
        let mut digits = String::with_capacity(MAX_DIGITS);
        for group in groups.iter().take(count).rev() {
            fmt::write(&mut digits, format_args!("{group:0width$}", width = GROUP))?;
        }
        match digits.trim_start_matches('0') {
            "" => formatter.pad_integral(true, "", "0"),
            digits => formatter.pad_integral(true, "", digits),
        }
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

/// Digits of 2^256 − 1.
const MAX_DIGITS: usize = 78;
/// Decimal digits handled at once.
const GROUP: usize = 18;
const GROUP_SCALE: NonZero<U64> =
    NonZero::<U64>::new_unwrap(U64::from_u64(1_000_000_000_000_000_000));
