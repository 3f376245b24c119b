//! JSON documents in any spelling.

use farebox_core::encoding::{jcs, json as reader};
use serde_json::Value;

use super::Compared;
use super::chance::Chance;

/// The deepest document that is made.
const DEEPEST: u32 = 6;

/// A document, or nearly one.
pub fn json(chance: &mut Chance) -> Compared {
    let depth = chance.below(u64::from(DEEPEST)) as u32;
    let mut text = String::new();
    document(chance, depth, &mut text);
    match chance.below(24) {
        0 => {
            // Without a letter, another document or none is left.
            let place = chance.place(text.chars().count());
            text = text.chars().enumerate().filter(|it| it.0 != place).map(|it| it.1).collect();
        }
        1 => text.push(chance.letter()),
        2 => text = format!("[{text},{}]", " ".repeat(chance.pick(&[0, 65_530, 70_000]))),
        3 => text.push_str(&" ".repeat(reader::MAX_BYTES.saturating_sub(text.len()))),
        _ => {}
    }
    let ours = reader::parse(text.as_bytes()).map_or(Value::Null, |it| jcs::text(&it).into());
    // The other reader has no limits.
    let asked = if text.len() <= reader::MAX_BYTES { text.clone() } else { String::new() };
    Compared::of(text.into(), ours, asked.into_bytes())
}

fn space(chance: &mut Chance, text: &mut String) {
    if chance.happens(8) {
        text.push_str(chance.pick(&[" ", "\n", "\t", "\r\n", "  "]));
    }
}

fn document(chance: &mut Chance, depth: u32, text: &mut String) {
    space(chance, text);
    match chance.below(if depth == 0 { 8 } else { 14 }) {
        0 => text.push_str(chance.pick(&["null", "true", "false"])),
        1..=3 => string(chance, text),
        4..=7 => number(chance, text),
        8..=10 => {
            text.push('[');
            for at in 0..chance.place(5) {
                text.push_str(if at > 0 { "," } else { "" });
                document(chance, depth - 1, text);
            }
            text.push(']');
        }
        _ => {
            text.push('{');
            for at in 0..chance.place(6) {
                text.push_str(if at > 0 { "," } else { "" });
                space(chance, text);
                // Short names meet again, and order by their units of UTF-16 matters among these.
                match chance.below(3) {
                    0 => string(chance, text),
                    _ => text.push_str(&format!("\"{}{at}\"", name(chance))),
                }
                space(chance, text);
                text.push(':');
                document(chance, depth - 1, text);
            }
            text.push('}');
        }
    }
    space(chance, text);
}

fn string(chance: &mut Chance, text: &mut String) {
    text.push('"');
    for letter in chance.text().chars() {
        let code = u32::from(letter);
        match chance.below(6) {
            0 if code < 0x10000 => text.push_str(&format!("\\u{code:04x}")),
            0 => letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| {
                text.push_str(&format!("\\u{unit:04X}"));
            }),
            _ if matches!(letter, '"' | '\\') => text.extend(['\\', letter]),
            1 if letter == '/' => text.push_str("\\/"),
            1 if letter == '\n' => text.push_str("\\n"),
            _ if code < 0x20 => text.push_str(&format!("\\u{code:04x}")),
            _ => text.push(letter),
        }
    }
    if chance.happens(60) {
        // Half of a pair: no letter.
        text.push_str(chance.pick(&["\\ud800", "\\udfff", "\\udc00\\ud800", "\\uD83Dx"]));
    }
    text.push('"');
}

fn number(chance: &mut Chance, text: &mut String) {
    if chance.happens(3) {
        text.push('-');
    }
    let digits = |chance: &mut Chance| chance.amount().to_string();
    match chance.below(9) {
        0 => text.push_str(chance.pick(&[
            "0",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "9007199254740995",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775808",
            "1e21",
            "1e-7",
            "123456789012345680000",
            "0.000001",
            "1E400",
            "5e-324",
            "2e-324",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "0e999",
            "4.35",
            "0.1e1",
            "01",
            "1.",
            ".5",
        ])),
        1 => text.push_str(&digits(chance)),
        2 => text.push_str(&format!("{}.{}", chance.number(64), chance.number(64))),
        3 => {
            let (mantissa, power) = (chance.number(64), chance.number(9));
            text.push_str(&format!("{mantissa}{}{power}", chance.pick(&["e", "E-", "e+"])));
        }
        4 => text.push_str(&chance.number(53).to_string()),
        _ => {
            let double = f64::from_bits(u64::from_be_bytes(chance.array())).abs();
            let double = if double.is_finite() { double } else { 0.0 };
            text.push_str(&format!("{double:e}"));
        }
    }
}

/// A letter that needs no escape.
fn name(chance: &mut Chance) -> char {
    chance.pick(&[
        'a',
        'Z',
        '\u{e9}',
        '\u{20ac}',
        '\u{d7ff}',
        '\u{e000}',
        '\u{fb33}',
        '\u{ffff}',
        '\u{10000}',
        '\u{1f600}',
    ])
}
