//! Multiples of a key that are computed once, for the check of many signatures by it. In variable
//! time, on public values only.
#![expect(clippy::arithmetic_side_effects, reason = "points and scalars do not overflow")]

use alloc::vec::Vec;

use k256::elliptic_curve::PrimeField;
use k256::elliptic_curve::ops::{Invert, Reduce};
use k256::{FieldBytes, ProjectivePoint, Scalar};
use once_cell::race::OnceBox;

/// Sums of the multiples of a point by 2^0, 2^32 … 2^224: one for each choice among these eight.
#[derive(Clone, Debug)]
pub(super) struct Multiples(Vec<ProjectivePoint>);

impl Multiples {
    pub(super) fn of(point: ProjectivePoint) -> Self {
        let mut sums = Vec::from([ProjectivePoint::IDENTITY]);
        let mut multiple = point;
        for _ in 0..ROWS {
            for index in 0..sums.len() {
                sums.extend(sums.get(index).map(|sum| sum + &multiple));
            }
            for _ in 0..u32::BITS {
                multiple = multiple.double();
            }
        }
        Self(sums)
    }

    /// Those of the generator, computed when first needed.
    fn of_generator() -> &'static Self {
        static GENERATOR: OnceBox<Multiples> = OnceBox::new();
        GENERATOR.get_or_init(|| Self::of(ProjectivePoint::GENERATOR).into())
    }

    /// Whether the key made the signature: `point` is the one with its r, and the signature holds
    /// if it is `z/s` times the generator and `r/s` times the key. Spec: SEC 1 section 4.1.4.
    pub(super) fn made(
        &self,
        r: &Scalar,
        s: &Scalar,
        digest: &[u8; 32],
        point: ProjectivePoint,
    ) -> bool {
        let Some(inverse) = Invert::invert(s).into_option() else { return false };
        let z = <Scalar as Reduce<FieldBytes>>::reduce(&(*digest).into());
        let terms = [(Self::of_generator(), rows(z * inverse)), (self, rows(r * &inverse))];
        let mut sum = ProjectivePoint::IDENTITY;
        for column in (0..u32::BITS).rev() {
            sum = sum.double();
            for (multiples, rows) in &terms {
                if let Some(more) = multiples.column(rows, column) {
                    sum += more;
                }
            }
        }
        sum == point
    }

    /// The sum for the bits of a scalar in this column: one of each row.
    fn column(&self, rows: &[u32; ROWS], column: u32) -> Option<&ProjectivePoint> {
        let bits = rows.iter().fold(0, |bits, row| bits << 1_u8 | (row >> column & 1));
        self.0.get(usize::try_from(bits).ok().filter(|bits| *bits > 0)?)
    }
}

/// Rows of 32 bits in a scalar.
const ROWS: usize = 8;

/// A scalar in rows, the highest first.
fn rows(scalar: Scalar) -> [u32; ROWS] {
    let bytes = scalar.to_repr();
    let mut rows = [0; ROWS];
    for (row, four) in rows.iter_mut().zip(bytes.as_chunks().0) {
        *row = u32::from_be_bytes(*four);
    }
    rows
}
