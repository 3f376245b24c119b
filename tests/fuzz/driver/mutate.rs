//! Changes to inputs: bits and bytes, words of the field, pieces of text, and parts of other inputs.

use crate::dice::Dice;

/// Changes made to one input at most.
const MOST_CHANGES: u64 = 6;
/// What formats break at.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "00",
    "1e3",
    "0.1",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "115792089237316195423570985008687907853269984665640564039457584007913129639935",
    "115792089237316195423570985008687907853269984665640564039457584007913129639936",
    "0x",
    "null",
];
/// Bytes that mean something to a grammar.
const SIGNS: &[u8] = b"\"\\{}[](),:;=/%&?#@.|+-_ \t\r\n\0\x7f\x80\xc3\xff";

/// What inputs are made from.
pub struct Material<'a> {
    /// Inputs that are known.
    pub inputs: &'a [Vec<u8>],
    /// Words of the field.
    pub words: &'a [Vec<u8>],
    /// The longest input, bytes.
    pub longest: usize,
}

impl Material<'_> {
    /// Another input.
    pub fn next(&self, dice: &mut Dice) -> Vec<u8> {
        let is_tape = self.words.is_empty() && dice.below(4) > 0;
        if self.inputs.is_empty() || is_tape || dice.below(16) == 0 {
            return self.random(dice);
        }
        let input = dice.pick(self.inputs);
        self.changed(&input, dice)
    }

    /// This input with a few changes.
    pub fn changed(&self, input: &[u8], dice: &mut Dice) -> Vec<u8> {
        let mut input = input.to_vec();
        for _ in 0..1 + dice.below(MOST_CHANGES).min(dice.below(MOST_CHANGES)) {
            self.change(&mut input, dice);
        }
        input.truncate(self.longest);
        input
    }

    fn random(&self, dice: &mut Dice) -> Vec<u8> {
        let longest = if dice.below(2) == 0 { 32 } else { self.longest };
        (0..dice.below(longest as u64 + 1)).map(|_| dice.below(256) as u8).collect()
    }

    fn change(&self, input: &mut Vec<u8>, dice: &mut Dice) {
        let (start, end) = range(input.len(), dice);
        match dice.below(12) {
            0 if !input.is_empty() => {
                let place = dice.below(input.len() as u64) as usize;
                input[place] ^= 1 << dice.below(8);
            }
            1 if !input.is_empty() => {
                let place = dice.below(input.len() as u64) as usize;
                input[place] = dice.below(256) as u8;
            }
            2 => drop(input.drain(start..end)),
            3 => {
                let copy = input[start..end].to_vec();
                insert(input, start, &copy);
            }
            4 => insert(input, start, &[dice.pick(SIGNS)]),
            5 => insert(input, start, &self.word(dice)),
            6 => drop(input.splice(start..end, self.word(dice))),
            7 => {
                let (start, end) = piece(input, dice);
                drop(input.splice(start..end, self.word(dice)));
            }
            8 => {
                let ((start, end), (from, to)) = (piece(input, dice), piece(input, dice));
                let copy = input[from..to].to_vec();
                drop(input.splice(start..end, copy));
            }
            9 => {
                let other = dice.pick(self.inputs);
                let ((start, end), (from, to)) = (piece(input, dice), piece(&other, dice));
                drop(input.splice(start..end, other[from..to].to_vec()));
            }
            10 => {
                // The head of one and the tail of another.
                let other = dice.pick(self.inputs);
                let (from, _) = range(other.len(), dice);
                input.truncate(start);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let (start, end) = piece(input, dice);
                input[start..end].iter_mut().for_each(|byte| {
                    *byte = if byte.is_ascii_lowercase() {
                        byte.to_ascii_uppercase()
                    } else {
                        byte.to_ascii_lowercase()
                    };
                });
            }
        }
    }

    fn word(&self, dice: &mut Dice) -> Vec<u8> {
        if self.words.is_empty() || dice.below(4) == 0 {
            dice.pick(&NUMBERS).as_bytes().to_vec()
        } else {
            dice.pick(self.words)
        }
    }
}

/// A short range within this length.
fn range(length: usize, dice: &mut Dice) -> (usize, usize) {
    let start = dice.below(length as u64 + 1) as usize;
    let most = if dice.below(4) == 0 { length } else { 8 };
    let end = start + dice.below((length - start).min(most) as u64 + 1) as usize;
    (start, end)
}

/// A run of bytes of one kind: a word, a number, a sign.
fn piece(input: &[u8], dice: &mut Dice) -> (usize, usize) {
    let Some(place) = (dice.below(input.len() as u64 + 1) as usize).checked_sub(1) else {
        return (0, 0);
    };
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    if !is_word(&input[place]) {
        return (place, place + 1);
    }
    let before = input[..place].iter().rev().take_while(|byte| is_word(byte)).count();
    let after = input[place..].iter().take_while(|byte| is_word(byte)).count();
    (place - before, place + after)
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    drop(input.splice(place..place, bytes.iter().copied()));
}
