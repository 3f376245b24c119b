//! Weights of the ranges that a client accepts.

use super::headers::trim;

/// The weight of a media type in thousandths, by its most specific range. Spec: RFC 9110 12.5.1.
pub(super) fn quality(accept: &str, kind: &str, subtype: &str) -> u16 {
    let mut best = (0_u8, 0_u16);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(trim);
        let Some((a, b)) = parts.next().and_then(|media| media.split_once('/')) else {
            continue;
        };
        let specificity = if a.eq_ignore_ascii_case(kind) && b.eq_ignore_ascii_case(subtype) {
            3
        } else if a.eq_ignore_ascii_case(kind) && b == "*" {
            2
        } else if a == "*" && b == "*" {
            1
        } else {
            continue;
        };
        if specificity > best.0 {
            let weight = parts.find_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")));
            best = (specificity, weight.map_or(1000, |weight| thousandths(weight).unwrap_or(0)));
        }
    }
    best.1
}

/// Parses a weight from `0` to `1` with at most three digits after the point, in thousandths. Spec:
/// RFC 9110 12.4.2.
#[must_use]
pub fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let padded = fraction.bytes().chain(core::iter::repeat(b'0')).take(3);
    let parts = padded
        .fold(0_u16, |sum, digit| sum.saturating_mul(10).saturating_add((digit & 0x0f).into()));
    match (whole, parts) {
        ("0", parts) => Some(parts),
        ("1", 0) => Some(1000),
        _ => None,
    }
}
