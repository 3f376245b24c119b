//! The spread of payers over ledger objects: what the greatest object has to carry, and how many objects a
//! traffic needs. Spec: docs/scale.md.
//!
//! Each payer is placed by the gate's own keys. The traffic of a payer is its share of all, so that a billion calls cost no
//! more to compute than one for each payer.

use std::fmt::Write;
use std::fs;

use farebox_core::gate::keys::Keys;

/// Bytes of a settled payment, which the bench measures. Spec: tests/costs.json.
const ROW_BYTES: u64 = 700;
/// Bytes that an object may have, and the part of it at which its operator is told.
const MOST_BYTES: u64 = 10_000_000_000;
const TOLD_PERCENT: u64 = 80;
/// Parts of all traffic: shares are whole numbers of these.
const WHOLE: u64 = 1_000_000_000_000;
/// Regions over which objects are spread.
const REGIONS: u64 = 4;

/// How much of the traffic each payer is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Payers {
    /// The payer of rank n is one n-th of the first.
    Zipf(u64),
    /// One is half of all, and the others are as above.
    HalfIsOne(u64),
    /// All are equal.
    Even(u64),
}

impl Payers {
    fn shares(self) -> Vec<u64> {
        let (Self::Zipf(count) | Self::HalfIsOne(count) | Self::Even(count)) = self;
        let weight = |rank| if let Self::Even(_) = self { WHOLE } else { WHOLE / rank };
        let weights: Vec<u64> = (1..=count).map(weight).collect();
        let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        let left = if let Self::HalfIsOne(_) = self { WHOLE / 2 } else { WHOLE };
        let share =
            |weight: &u64| u64::try_from(u128::from(*weight) * u128::from(left) / sum).unwrap();
        let first = matches!(self, Self::HalfIsOne(_)).then_some(WHOLE / 2);
        first.into_iter().chain(weights.iter().map(share)).collect()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Zipf(_) => "Zipf",
            Self::HalfIsOne(_) => "one payer is half",
            Self::Even(_) => "even",
        }
    }
}

/// The parts of the traffic that each of so many objects has.
fn spread(payers: Payers, objects: u64) -> Vec<u64> {
    let keys = Keys::new(&[7; 32], &[9; 16], None);
    let mut parts = vec![0; usize::try_from(objects).unwrap()];
    for (number, share) in payers.shares().into_iter().enumerate() {
        let mut address = [0_u8; 20];
        address[12..].copy_from_slice(&(number as u64).to_be_bytes());
        parts[usize::try_from(keys.shard(&address, objects)).unwrap()] += share;
    }
    parts
}

/// A part in hundredths of the mean of so many.
fn of_mean(part: u64, objects: u64) -> u64 {
    u64::try_from(u128::from(part) * u128::from(objects) * 100 / u128::from(WHOLE)).unwrap()
}

/// Days of so many calls a month after which the greatest object is as full as its operator is told at.
fn days(calls: u64, greatest: u64) -> u64 {
    let bytes_a_day = u128::from(calls) * 10 / 304 * u128::from(ROW_BYTES) * u128::from(greatest);
    let room = u128::from(MOST_BYTES * TOLD_PERCENT / 100) * u128::from(WHOLE);
    u64::try_from(room / bytes_a_day.max(1)).unwrap()
}

/// How long objects have room, by calls a month.
fn room(count: u64, objects: &[u64]) -> String {
    let mut text = String::new();
    for payers in [Payers::Zipf(count), Payers::Even(count)] {
        for &objects in objects {
            let greatest = *spread(payers, objects).iter().max().unwrap();
            let [one, hundred, thousand] =
                [1_000_000, 100_000_000, 1_000_000_000].map(|calls| days(calls, greatest));
            let name = payers.name();
            writeln!(text, "| {name} | {objects} | {one} | {hundred} | {thousand} |").unwrap();
        }
    }
    text
}

/// The rows of the table in docs/scale.md.
fn table(count: u64, objects: &[u64]) -> String {
    let mut text = String::new();
    for payers in [Payers::Zipf(count), Payers::HalfIsOne(count)] {
        for &objects in objects {
            let parts = spread(payers, objects);
            let greatest = *parts.iter().max().unwrap();
            let rest = payers.shares()[0].min(greatest);
            let without = of_mean(greatest - rest, objects);
            // Objects stand in turn in the regions.
            let lost = |region: u64| -> u64 {
                (0..objects).filter(|it| it % REGIONS == region).map(|it| parts[it as usize]).sum()
            };
            let most_lost = (0..REGIONS).map(lost).max().unwrap();
            writeln!(
                text,
                "| {} | {objects} | {} % | {}.{:02} | {}.{:02} | {} % |",
                payers.name(),
                greatest * 100 / WHOLE,
                of_mean(greatest, objects) / 100,
                of_mean(greatest, objects) % 100,
                without / 100,
                without % 100,
                most_lost * 100 / WHOLE,
            )
            .unwrap();
        }
    }
    text
}

/// `FAREBOX_SHARDS` names a number of objects of one's own, and `FAREBOX_PAYERS` how many pay.
#[test]
fn no_object_has_much_more_than_its_share_beside_its_greatest_payer() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    if let Some(objects) = number("FAREBOX_SHARDS") {
        let payers = number("FAREBOX_PAYERS").unwrap_or(100_000);
        println!("{}\n{}", table(payers, &[objects]), room(payers, &[objects]));
        return;
    }
    for (objects, most) in [(16, 300), (64, 400), (256, 800)] {
        let payers = Payers::Zipf(100_000);
        let parts = spread(payers, objects);
        assert!(parts.iter().all(|part| *part > 0), "each of {objects} has payers");
        let greatest = parts.iter().max().unwrap() - payers.shares()[0];
        assert!(of_mean(greatest, objects) < most, "{objects}: {}", of_mean(greatest, objects));
    }
}

#[test]
fn the_page_about_scale_has_the_figures_of_this_build() {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/scale.md")).unwrap();
    let figures = table(100_000, &[16, 64, 256, 1024]);
    assert!(page.contains(&figures), "docs/scale.md needs:\n{figures}");
    let room = room(100_000, &[16, 64, 256, 1024]);
    assert!(page.contains(&room), "docs/scale.md needs:\n{room}");
}
