//! Versions of skills. Spec: semantic versioning 2.0.0, 9 to 11.

use core::cmp::Ordering;

/// Maximum length of a version, bytes.
const MAX_BYTES: usize = 64;

/// A version as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Semver<'a> {
    numbers: [u64; 3],
    pre: &'a str,
}

impl<'a> Semver<'a> {
    /// Reads a version; `None` unless it is one. Build metadata is refused: two versions would be
    /// equal.
    ///
    /// # Examples
    /// ```
    /// use farebox_market::skills::semver::Semver;
    /// assert!(Semver::parse("1.10.0") > Semver::parse("1.9.9"));
    /// assert!(Semver::parse("1.0.0-beta.2") < Semver::parse("1.0.0-beta.11"));
    /// assert!(Semver::parse("1.0.0-rc") < Semver::parse("1.0.0"));
    /// assert!(Semver::parse("1.0").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let (core, pre) = text.split_once('-').unwrap_or((text, ""));
        if text.contains('-') && !pre.split('.').all(is_part) {
            return None;
        }
        let mut numbers = core.split('.').map(whole);
        let found = [numbers.next()??, numbers.next()??, numbers.next()??];
        numbers.next().is_none().then_some(Self { numbers: found, pre })
    }
}

impl PartialOrd for Semver<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Semver<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre, other.pre) {
            ("", "") => Ordering::Equal,
            ("", _) => Ordering::Greater,
            (_, "") => Ordering::Less,
            (mine, theirs) => compare_parts(mine, theirs),
        })
    }
}

fn compare_parts(mine: &str, theirs: &str) -> Ordering {
    let mut theirs = theirs.split('.');
    for part in mine.split('.') {
        let Some(other) = theirs.next() else { return Ordering::Greater };
        let order = match (whole(part), whole(other)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => part.cmp(other),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    if theirs.next().is_some() { Ordering::Less } else { Ordering::Equal }
}

fn whole(text: &str) -> Option<u64> {
    let is_plain = text == "0" || !text.starts_with('0');
    let is_digits = (1..=18).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if is_plain && is_digits { text.parse().ok() } else { None }
}

fn is_part(part: &str) -> bool {
    let is_digits = part.bytes().all(|b| b.is_ascii_digit());
    let is_word = part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    !part.is_empty() && is_word && (!is_digits || whole(part).is_some())
}
