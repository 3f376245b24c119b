//! Seeded values: numbers, texts and bytes, with those at the edges more often than chance would have them.

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::secret::Secret;

use crate::support::Dice;

/// Order of the group of secp256k1. Spec: SEC 2 section 2.4.1.
const ORDER: &str = "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
/// The prime of its field.
const PRIME: &str = "0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";
/// Lengths at which an encoding changes: words, RLP's short form, bytes of a length.
const LENGTHS: [usize; 16] = [0, 1, 2, 20, 31, 32, 33, 54, 55, 56, 57, 64, 65, 255, 256, 257];
/// The longest text and the longest bytes.
const LONG: usize = 64 * 1024;
/// Values between two long ones, about.
const RARELY: u64 = 3_000;
/// Letters that mean something to some reader: escapes, widths of UTF-8, ends of planes, marks that join.
const LETTERS: &str = "aZ09 \"\\/'\u{0}\u{8}\u{9}\u{a}\u{c}\u{d}\u{1b}\u{7f}\u{80}\u{ad}é€\u{301}\u{200d}\u{2028}\u{2029}\u{d7ff}\u{e000}\u{fb33}\u{fffd}\u{ffff}\u{10000}\u{1f600}\u{10ffff}";

/// Chance of one value: that of its seed and number, whatever came before.
pub struct Chance(Dice);

impl Chance {
    /// The chance of this value.
    pub fn of(seed: u64, number: u64) -> Self {
        let mut mixed = Dice(seed);
        Self(Dice(mixed.next() ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93)))
    }

    /// One of the numbers from 0, fewer than this.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.next() % end
    }

    /// A length or place below this.
    pub fn place(&mut self, end: usize) -> usize {
        usize::try_from(self.below(u64::try_from(end).unwrap())).unwrap()
    }

    /// Whether it happens now, which it does once in so many times.
    pub fn happens(&mut self, once_in: u64) -> bool {
        self.below(once_in) == 0
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.place(from.len())].clone()
    }

    /// Bytes without a pattern.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        [0; N].map(|_| self.0.next().to_be_bytes()[0])
    }

    /// A number of 256 bits, often at an edge: of the type, of the curve, of a power of two.
    pub fn word(&mut self) -> [u8; 32] {
        let near = |number: Amount, away: u64| match away {
            0 => number,
            1 => number.checked_sub(Amount::from_u64(1)).unwrap_or(number),
            _ => number.checked_add(Amount::from_u64(1)).unwrap_or(number),
        };
        let known = |text| Amount::from_be_bytes(hex::decode_array(text).unwrap());
        match self.below(10) {
            0 => [0; 32],
            1 => [0xff; 32],
            2 => {
                let order = known(ORDER);
                let number = self.pick(&[
                    Amount::from_u64(1),
                    order,
                    order.checked_div_u64(2).unwrap(),
                    known(PRIME),
                ]);
                near(number, self.below(3)).to_be_bytes()
            }
            3 => {
                let mut power = [0; 32];
                power[self.place(32)] = 1 << self.below(8);
                near(Amount::from_be_bytes(power), self.below(3)).to_be_bytes()
            }
            4 | 5 => {
                let mut word = self.array();
                let width = self.place(32);
                word[..width].fill(0);
                word
            }
            _ => self.array(),
        }
    }

    /// An amount, at the edges more often.
    pub fn amount(&mut self) -> Amount {
        Amount::from_be_bytes(self.word())
    }

    /// A number of so many bits at most, at the edges more often.
    pub fn number(&mut self, bits: u32) -> u64 {
        let most = u64::MAX >> (64 - bits);
        match self.below(6) {
            0 => self.pick(&[0, 1, 127, 128, 255, 256]).min(most),
            1 => most,
            2 => most - 1,
            _ => self.0.next() & most >> self.below(bits.into()),
        }
    }

    /// An account, now and then one at an edge.
    pub fn address(&mut self) -> Address {
        Address::from_bytes(match self.below(12) {
            0 => [0; 20],
            1 => [0xff; 20],
            2 => {
                let mut low = [0; 20];
                low[19] = self.below(256) as u8;
                low
            }
            _ => self.array(),
        })
    }

    /// Bytes of a length that matters to some encoding, or of up to 64 KiB.
    pub fn bytes(&mut self) -> Vec<u8> {
        let length = match self.below(RARELY) {
            0 => LONG - self.place(2),
            some if some % 2 == 0 => self.pick(&LENGTHS),
            _ => self.place(100),
        };
        (0..length).map(|_| self.0.next().to_be_bytes()[0]).collect()
    }

    /// Text of any letters, now and then empty or of up to 64 KiB.
    pub fn text(&mut self) -> String {
        let letters = match self.below(RARELY) {
            // Letters take up to four bytes.
            0 => LONG / 4,
            some if some % 8 == 0 => 0,
            _ => self.place(24),
        };
        (0..letters).map(|_| self.letter()).collect()
    }

    /// One letter.
    pub fn letter(&mut self) -> char {
        if self.happens(8) {
            return char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{fffd}');
        }
        let known = LETTERS.chars().count();
        LETTERS.chars().nth(self.place(known)).unwrap()
    }

    /// A key that can sign, at the edges more often, and its account.
    pub fn key(&mut self) -> ([u8; 32], Account) {
        loop {
            let key = self.word();
            let candidates = std::iter::once(Secret::new(key));
            if let Some(account) = Account::from_candidates(candidates) {
                return (key, account);
            }
        }
    }
}
