//! JSON from outside reads as `serde_json` reads it, and numbers as the doubles of `core`; what is
//! written is what `serde_json` writes.

use std::collections::BTreeMap;

use farebox_core::encoding::json::{self, JsonError};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::Dice;

/// What JSON is made of, and what it may be mistaken for.
const PIECES: [&str; 50] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\"",
    "\"b\"",
    "\"a\":",
    "\"b\":1,",
    "null",
    "nul",
    "true",
    "false",
    "0",
    "1",
    "-",
    "-0",
    "00",
    "+1",
    ".",
    "1.",
    ".5",
    "1.5",
    "1e3",
    "1E+3",
    "2e-3",
    "1e",
    "1e400",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    " ",
    "\n",
    "\t",
    "\r",
    "\u{b}",
    "\u{a0}",
    "\\u00e9",
    "\\ud83d\\ude00",
    "\\ud83d",
    "\\udc00\\n",
    "\\u+123",
    "\\x",
    "\u{7f}",
    "\u{1}",
    "é",
];

/// Fails unless the text means the same here and to `serde_json`.
pub fn is_read_alike(text: &str) {
    let expected = serde_json::from_str::<Value>(text);
    match (json::parse(text.as_bytes()), expected) {
        (Ok(ours), Ok(theirs)) => {
            assert!(is_alike(&ours, &theirs), "{text:?}: {ours:?} and {theirs:?}");
            assert_eq!(json::text(&ours), serde_json::to_string(&ours).unwrap());
        }
        (Err(JsonError::Syntax), Err(_)) | (Err(JsonError::DuplicateKey), _) => {}
        (ours, theirs) => panic!("{text:?}: {ours:?} and {theirs:?}"),
    }
}

/// The library reads some numbers as a double beside the nearest.
#[allow(clippy::float_arithmetic)] // It compares the numbers of others, which are no money.
fn is_alike(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len()
                && ours.iter().zip(theirs).all(|(ours, theirs)| is_alike(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            let names = ours.keys().eq(theirs.keys());
            names && ours.values().zip(theirs.values()).all(|(ours, theirs)| is_alike(ours, theirs))
        }
        (Value::Number(ours), Value::Number(theirs)) if ours.is_f64() && theirs.is_f64() => {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
            // Zero has a sign.
            ours.is_sign_negative() == theirs.is_sign_negative()
                && (ours - theirs).abs() <= ours.abs() * 1e-15
        }
        _ => ours == theirs,
    }
}

#[test]
fn documents_of_any_pieces_read_as_the_library_reads_them() {
    let mut dice = Dice(1);
    for _ in 0..300_000 {
        let count = dice.next() % 9;
        let pieces = (0..count).map(|_| PIECES[dice.next() as usize % PIECES.len()]);
        is_read_alike(&pieces.collect::<String>());
    }
}

#[test]
fn documents_with_one_byte_changed_read_as_the_library_reads_them() {
    let document = json!({
        "a": [1, -2, 3.5, null, true, {}, [], "\u{1}\"\\/é\u{1F600}\n"], "b": { "c": { "": [[false]] } },
        "d": 1e300, "e": 18446744073709551615_u64,
    });
    let text = serde_json::to_string_pretty(&document).unwrap();
    is_read_alike(&text);
    let mut dice = Dice(2);
    for _ in 0..100_000 {
        let mut bytes = text.clone().into_bytes();
        let at = dice.next() as usize % bytes.len();
        match dice.next() % 3 {
            0 => drop(bytes.remove(at)),
            1 => bytes[at] = (dice.next() % 128) as u8,
            _ => bytes.truncate(at),
        }
        if let Ok(text) = String::from_utf8(bytes) {
            is_read_alike(&text);
        }
    }
}

#[test]
fn a_value_is_what_the_library_makes_of_the_same_words() {
    let (name, none, list) = (String::from("n"), None::<u8>, vec![1_u64, u64::MAX]);
    macro_rules! words {
        ($macro:path) => {{
            use $macro as written;
            written!({
                "a": null, "b": [], "c": {}, "d": [name, "x"], "e": { "f": { name.as_str(): -1 } }, "g": true,
                "h": [{ "i": list }, { "i": none },], "j": Some("k"), name.trim(): 1,
                "a": 2.5, i64::MAX.to_string().as_str(): json!("m"),
            })
        }};
    }
    let ours = words!(farebox_core::json);
    assert_eq!(ours, words!(serde_json::json));
    assert_eq!(ours["e"]["f"]["n"], -1);
}

/// Every kind of data that `serde` knows.
#[derive(Serialize)]
enum Kind<'a> {
    Unit,
    Newtype(Option<Box<Kind<'a>>>),
    Tuple(i8, i16, i32, i64, u8, u16, u32, u64),
    Empty(),
    Struct {
        bytes: &'a [u8],
        text: &'a str,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        list: Vec<Kind<'a>>,
        map: BTreeMap<i16, [f64; 2]>,
    },
    None {},
    Others(Marker, Wrapper<'a>, Pair, char, (), bool),
}

#[derive(Serialize)]
struct Marker;

#[derive(Serialize)]
struct Wrapper<'a>(&'a BTreeMap<&'a str, ()>);

#[derive(Serialize)]
struct Pair(i128, u128);

#[test]
fn every_kind_of_data_is_written_as_the_library_writes_it() {
    let text: String = ('\0'..='\u{a0}').chain("é\u{1F600}\u{2028}\u{7f}".chars()).collect();
    let map = BTreeMap::from([(text.as_str(), ()), ("", ())]);
    let floats =
        [[0.1, -0.0], [f64::NAN, f64::INFINITY], [f64::MAX, f64::MIN_POSITIVE], [1e9, 1e21]];
    let of_numbers = (-1..).zip(floats).collect();
    let inner = Kind::Struct { bytes: &[0, 255], text: "\\\"/", list: Vec::new(), map: of_numbers };
    let kinds = [
        Kind::Unit,
        Kind::Newtype(None),
        Kind::Newtype(Some(Box::new(Kind::Tuple(
            i8::MIN,
            i16::MIN,
            i32::MIN,
            i64::MIN,
            255,
            65535,
            u32::MAX,
            u64::MAX,
        )))),
        Kind::Empty(),
        Kind::None {},
        Kind::Struct {
            bytes: &[],
            text: &text,
            list: vec![inner, Kind::Unit],
            map: BTreeMap::new(),
        },
        Kind::Others(Marker, Wrapper(&map), Pair(-1, 1), '"', (), true),
    ];
    assert_eq!(json::text(&kinds), serde_json::to_string(&kinds).unwrap());
}

/// As the standard library reads a number; `None` if it is infinite.
fn double(text: &str) -> Option<f64> {
    text.parse().ok().filter(|double: &f64| double.is_finite())
}

fn is_nearest(text: &str) {
    let read = json::parse(text.as_bytes()).map(|value| value.as_f64().unwrap().to_bits());
    assert_eq!(read, double(text).map(f64::to_bits).ok_or(JsonError::Syntax), "{text}");
}

#[test]
fn numbers_are_the_nearest_doubles() {
    let ends = [
        "4.9e-324",
        "2.5e-324",
        "2.4e-324",
        "2.2250738585072014e-308",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "9007199254740993.0",
        "0e999999999999",
        "1e-999999999999",
        "1e999999999999",
        "0.000000000000000000000000000000000000001e39",
        "-0.0",
        "9007199254740992.99999999999999999999999999999999999999999999",
        "1e23",
        "8.41e21",
        "0.1e1",
    ];
    ends.into_iter().for_each(is_nearest);
    for power in -345..=310 {
        is_nearest(&format!("1e{power}"));
        is_nearest(&format!("9.007199254740993E{power}"));
    }
    let mut dice = Dice(3);
    for _ in 0..50_000 {
        let double = f64::from_bits(dice.next());
        if double.is_finite() {
            is_nearest(&format!("{double:e}"));
            is_nearest(&format!("{double:.40e}"));
        }
        let length = 1 + dice.next() as usize % 40;
        let digits = String::from_utf8(dice.digits(length)).unwrap();
        is_nearest(&format!("{}.{digits}e{}", dice.next() % 1000, dice.next() % 600));
        is_nearest(&format!("0.{digits}e-{}", dice.next() % 330));
    }
}
