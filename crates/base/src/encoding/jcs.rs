//! JSON in its one canonical spelling. Spec: RFC 8785 (JCS).
//!
//! Members are ordered by the UTF-16 code units of their names, whatever map holds them. Numbers
//! are written as ECMAScript writes the nearest double, so an integer beyond 2^53 changes: no
//! signed value here has such a number, and text with one does not count as canonical.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Number, Value};

use super::writer::write_string;

/// The canonical text of a value.
///
/// Recurses as deep as the value; outside input is limited by [`super::json::MAX_DEPTH`].
///
/// # Examples
/// ```
/// use farebox_base::encoding::{jcs, json};
/// let value = json::parse(br#"{ "b": [1E30, 4.50, 2e-3], "a": 1e-27 }"#).unwrap();
/// assert_eq!(jcs::text(&value), r#"{"a":1e-27,"b":[1e+30,4.5,0.002]}"#);
/// ```
#[must_use]
pub fn text(value: &Value) -> String {
    let mut text = String::new();
    write(&mut text, value);
    text
}

/// The canonical text of an object.
#[must_use]
pub fn object_text(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    write_object(&mut text, object, None);
    text
}

/// The canonical text of an object, as if it did not have this member.
#[must_use]
pub fn object_text_without(object: &Map<String, Value>, left_out: &str) -> String {
    let mut text = String::new();
    write_object(&mut text, object, Some(left_out));
    text
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => text.push_str(&number_text(number)),
        Value::String(string) => write_string(text, string),
        Value::Array(elements) => {
            let mut before = '[';
            for element in elements {
                text.push(before);
                write(text, element);
                before = ',';
            }
            text.push_str(if elements.is_empty() { "[]" } else { "]" });
        }
        Value::Object(object) => write_object(text, object, None),
    }
}

fn write_object(text: &mut String, object: &Map<String, Value>, left_out: Option<&str>) {
    let mut members: Vec<(&String, &Value)> = Vec::with_capacity(object.len());
    // Members come in the order of code points, which is nearly this one; a sort would be most of
    // this file's code in a web page.
    for (name, value) in object {
        let goes_before = |(known, _): &(&String, _)| known.encode_utf16().lt(name.encode_utf16());
        let place = match members.last() {
            Some(last) if !goes_before(last) => members.partition_point(goes_before),
            _ => members.len(),
        };
        members.insert(place, (name, value));
    }
    let mut before = '{';
    for (name, value) in members {
        if left_out != Some(name) {
            text.push(before);
            write_string(text, name);
            text.push(':');
            write(text, value);
            before = ',';
        }
    }
    text.push_str(if before == '{' { "{}" } else { "}" });
}

/// Spec: RFC 8785 3.2.2.3, which is `Number::toString` of ECMAScript.
fn number_text(number: &Number) -> String {
    let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
    if whole.is_some_and(|whole| whole <= MAX_WHOLE) {
        return number.to_string();
    }
    // The shortest digits that parse back to the same double; only their layout differs between
    // languages.
    let shortest = number
        .as_f64()
        .and_then(Number::from_f64)
        .map_or_else(String::new, |double| double.to_string());
    let (sign, magnitude) = match shortest.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", shortest.as_str()),
    };
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{before}{after}");
    let leading = digits.len().saturating_sub(digits.trim_start_matches('0').len());
    let digits = digits.trim_matches('0');
    if digits.is_empty() {
        return String::from("0");
    }
    // The value is 0.digits times ten to the power of `point`.
    let point = exponent.saturating_add(length(before)).saturating_sub(count(leading));
    format!("{sign}{}", laid_out(digits, point))
}

/// Lays out digits with the decimal point after the first `point` of them, as ECMAScript does.
fn laid_out(digits: &str, point: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or(0));
    match point {
        1..=21 => match usize::try_from(point).ok().and_then(|at| digits.split_at_checked(at)) {
            Some((whole, "")) => String::from(whole),
            Some((whole, fraction)) => format!("{whole}.{fraction}"),
            None => format!("{digits}{}", zeros(point.saturating_sub(length(digits)))),
        },
        -5..=0 => format!("0.{}{digits}", zeros(point.saturating_neg())),
        _ => {
            let power = point.saturating_sub(1);
            let sign = if power < 0 { '-' } else { '+' };
            let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
            let dot = if rest.is_empty() { "" } else { "." };
            format!("{first}{dot}{rest}e{sign}{}", power.unsigned_abs())
        }
    }
}

fn length(text: &str) -> i32 {
    count(text.len())
}

fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// 2^53: whole numbers up to here are doubles.
const MAX_WHOLE: u64 = 9_007_199_254_740_992;
