//! Chance that comes again with its seed, or with the bytes that it is read from.

/// Repeatable numbers.
#[derive(Clone, Debug)]
pub struct Dice {
    state: u64,
    /// What the next numbers are made of, the last byte first.
    tape: Vec<u8>,
}

impl Dice {
    /// The numbers of a seed (xorshift64*).
    pub const fn seeded(seed: u64) -> Self {
        Self { state: seed, tape: Vec::new() }
    }

    /// What these bytes choose, from the first to the last; then the numbers of a seed made of all of them. Inputs that begin
    /// alike choose alike as far as they are equal.
    pub fn of(bytes: &[u8]) -> Self {
        let mixed = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { state: mixed | 1, tape: bytes.iter().rev().copied().collect() }
    }

    /// One of the numbers from 0, fewer than this.
    pub fn below(&mut self, most: u64) -> u64 {
        self.read(most) % most
    }

    /// One of these.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()].clone()
    }

    /// As many bytes of the tape as numbers below this need, or the next number of the seed.
    fn read(&mut self, most: u64) -> u64 {
        let bytes = if most <= 256 { 1 } else { 4 };
        if self.tape.len() >= bytes {
            let start = self.tape.len() - bytes;
            return self
                .tape
                .drain(start..)
                .rev()
                .fold(0, |number, byte| number << 8 | u64::from(byte));
        }
        self.tape.clear();
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    }
}

#[test]
fn inputs_that_begin_alike_choose_alike_as_far_as_they_are_equal() {
    let chosen = |bytes: &[u8]| -> Vec<u64> {
        let mut dice = Dice::of(bytes);
        [10, 1_000, 3, 7, 7, 7].map(|most| dice.below(most)).into()
    };
    assert_eq!(chosen(&[9, 0, 0, 1, 4, 5, 6, 6, 6])[..3], [9, 260, 2]);
    let (one, other) = (chosen(&[9, 0, 0, 1, 4, 5]), chosen(&[9, 0, 0, 1, 4, 8]));
    assert_eq!((&one[..2], one[2]), (&other[..2], other[2]));
    assert_ne!(one[3..], other[3..], "what follows the bytes differs with them");
    assert_eq!(one, chosen(&[9, 0, 0, 1, 4, 5]));
}
