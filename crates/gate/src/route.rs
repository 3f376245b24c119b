//! The route table: the rule that a method and a target land on, and whether an origin could read
//! the target as a dearer one.
//!
//! A pattern decides first, the method second: the most specific pattern that matches the path is
//! the only one asked, so a method it does not list is refused and never falls through to a cheaper
//! pattern. Order of calls: [`Pattern::parse`], [`Methods::list`], [`RouteTable::new`] once;
//! [`RouteTable::find`] per request.
//!
//! Assumptions:
//! - Two amounts compare only when their `asset` texts are equal, so `asset` names network and
//!   contract alike.

mod methods;
mod pattern;
mod siblings;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

pub use self::methods::{Methods, MethodsError};
use self::pattern::Spelling;
pub use self::pattern::{Pattern, PatternError};
pub use self::siblings::Siblings;
use crate::path::Target;

/// One line of the route table.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// The paths it applies to.
    pub pattern: Pattern,
    /// The methods it allows there.
    pub methods: Methods,
    /// Its price.
    pub ask: Ask,
}

/// The price of a rule, due before the request is forwarded.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ask {
    /// None: an exception inside a priced prefix, or a path that is listed for its methods.
    Free,
    /// A payment, in one of these: network and asset in one spelling per asset, and atomic units,
    /// big endian.
    Paid(Vec<(String, [u8; 32])>),
}

impl Ask {
    /// Whether a request priced at `self` could be had for less at `other`.
    ///
    /// Amounts of different assets do not compare and count as more.
    fn exceeds(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Free, _) => false,
            (Self::Paid(_), Self::Free) => true,
            // Every asset that the other rule accepts must be enough here.
            (Self::Paid(ours), Self::Paid(others)) => !others.iter().all(|(asset, amount)| {
                ours.iter().any(|(ours, min)| ours == asset && min <= amount)
            }),
        }
    }
}

/// Treatment of paths that no pattern matches. Spec: docs/configuration.md, `DEFAULT`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unlisted {
    /// They are forwarded without payment.
    Free,
    /// They are answered 404.
    Deny,
}

/// Result of looking up a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RouteMatch {
    /// The rule with this index in the list given to [`RouteTable::new`] decides.
    Route(usize),
    /// Forward it without payment.
    Unlisted,
    /// Answer 404.
    Denied,
    /// Answer 405.
    MethodNotAllowed {
        /// The methods of the `Allow` header.
        allow: Vec<String>,
    },
    /// Answer `OPTIONS` here; the path has a paid rule, so the origin is not asked.
    Options {
        /// The methods of the `Allow` header, with `OPTIONS`.
        allow: Vec<String>,
    },
    /// Answer 400: some origin could read the target as one that asks more, or is refused.
    Ambiguous,
}

/// All rules, most specific pattern first.
#[derive(Clone, Debug)]
pub struct RouteTable {
    rules: Vec<Rule>,
    groups: Vec<Group>,
    unlisted: Unlisted,
    has_variants: bool,
}

impl RouteTable {
    /// Sorts the rules by how specific their patterns are: exact, then `[name]`, then `/*`; longer
    /// first.
    ///
    /// # Errors
    /// [`TableError`] for equal patterns with a common method, and for a rule no request can reach.
    pub fn new(rules: Vec<Rule>, unlisted: Unlisted) -> Result<Self, TableError> {
        let mut groups: Vec<Group> = Vec::new();
        for (second, rule) in rules.iter().enumerate() {
            let Some(group) = groups.iter_mut().find(|group| group.pattern.overlays(&rule.pattern))
            else {
                groups.push(Group { pattern: rule.pattern.clone(), rules: Vec::from([second]) });
                continue;
            };
            for &first in &group.rules {
                if let Some(method) =
                    rules.get(first).and_then(|other| other.methods.common(&rule.methods))
                {
                    return Err(TableError::SamePattern { first, second, method });
                }
            }
            group.rules.push(second);
        }
        let groups = groups.into_iter().fold(Vec::new(), |mut sorted: Vec<Group>, group| {
            let rank = group.pattern.specificity();
            let at = sorted.partition_point(|known| known.pattern.specificity() <= rank);
            sorted.insert(at, group);
            sorted
        });
        let has_variants = rules.iter().any(|rule| rule.pattern.has_variants());
        let table = Self { rules, groups, unlisted, has_variants };
        match (0..table.rules.len()).find(|rule| !table.is_reachable(*rule)) {
            Some(rule) => Err(TableError::Unreachable { rule }),
            None => Ok(table),
        }
    }

    /// The rules, in the order given.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whether a rule has exactly this path.
    pub fn lists(&self, path: &str) -> bool {
        self.rules.iter().any(|rule| rule.pattern.as_str() == path)
    }

    /// Looks up a request. The method is compared byte for byte; `GET` includes `HEAD`.
    ///
    /// Spec: docs/requests.md, "Ambiguous targets".
    pub fn find(&self, method: &str, target: &Target) -> RouteMatch {
        let group = self.group(target.path().as_bytes(), Spelling::Literal);
        let literal = self.landing(method, group);
        let found = match (literal, group) {
            (Landing::MethodNotAllowed, group) => {
                return RouteMatch::MethodNotAllowed { allow: self.allow(group) };
            }
            (Landing::AnsweredOptions, group) => {
                return RouteMatch::Options { allow: self.allow(group) };
            }
            (Landing::Rule(rule), _) => RouteMatch::Route(rule),
            (Landing::Forwarded, _) => RouteMatch::Unlisted,
            (Landing::Denied, _) => RouteMatch::Denied,
        };
        let all_read_alike = target.is_ordinary() && !self.has_variants;
        if !all_read_alike && target.any_reading(|path| self.reads_dearer(method, path, literal)) {
            return RouteMatch::Ambiguous;
        }
        found
    }

    /// Whether paths that no pattern matches are forwarded without payment.
    #[must_use]
    pub fn forwards_unlisted(&self) -> bool {
        self.unlisted == Unlisted::Free
    }

    /// Lower-case path prefixes outside of which plain paths are free.
    ///
    /// A path of `a-z 0-9 / _ -` without `//` that starts with none of them is forwarded without
    /// payment for GET, HEAD, POST, PUT, PATCH and DELETE, provided that unlisted paths are free.
    pub fn paid_prefixes(&self) -> Vec<String> {
        let guarded =
            self.rules.iter().filter(|rule| rule.ask != Ask::Free || !rule.methods.is_all());
        let mut prefixes: Vec<String> = Vec::new();
        for prefix in guarded.map(|rule| rule.pattern.plain_prefix()) {
            let at = prefixes.partition_point(|known| *known < prefix);
            prefixes.insert(at, prefix);
        }
        prefixes.dedup_by(|longer, shorter| longer.starts_with(shorter.as_str()));
        prefixes
    }

    fn group(&self, path: &[u8], spelling: Spelling) -> Option<&Group> {
        self.groups.iter().find(|group| group.pattern.matches(path, spelling))
    }

    fn landing(&self, method: &str, group: Option<&Group>) -> Landing {
        let Some(group) = group else {
            return match self.unlisted {
                Unlisted::Free => Landing::Forwarded,
                Unlisted::Deny => Landing::Denied,
            };
        };
        let mut rules =
            group.rules.iter().filter_map(|index| Some((*index, self.rules.get(*index)?)));
        if method == "OPTIONS" {
            let is_paid = rules.any(|(_, rule)| rule.ask != Ask::Free);
            return if is_paid { Landing::AnsweredOptions } else { Landing::Forwarded };
        }
        match rules.find(|(_, rule)| rule.methods.allows(method)) {
            Some((index, _)) => Landing::Rule(index),
            None => Landing::MethodNotAllowed,
        }
    }

    fn reads_dearer(&self, method: &str, path: &[u8], literal: Landing) -> bool {
        let cased = self.group(path, Spelling::Read);
        let folded = self.group(path, Spelling::ReadIgnoringCase);
        let is_dearer = |group| self.is_dearer(self.landing(method, group), literal);
        if is_dearer(cased) || is_dearer(folded) {
            return true;
        }
        // An origin that folds case may serve the lower-case spelling, which can be another route.
        let same = cased.map(|group| &group.pattern) == folded.map(|group| &group.pattern);
        !same && is_dearer(self.group(&path.to_ascii_lowercase(), Spelling::Read))
    }

    fn is_dearer(&self, reading: Landing, literal: Landing) -> bool {
        match (reading, literal) {
            // No request of these is forwarded, but a priced page in disguise is reported as such.
            (reading, Landing::Denied | Landing::MethodNotAllowed | Landing::AnsweredOptions) => {
                self.ask(reading).exceeds(&Ask::Free)
            }
            (Landing::Forwarded, _) => false,
            (Landing::Rule(_), literal) => self.ask(reading).exceeds(self.ask(literal)),
            (Landing::Denied | Landing::MethodNotAllowed | Landing::AnsweredOptions, _) => true,
        }
    }

    fn ask(&self, landing: Landing) -> &Ask {
        match landing {
            Landing::Rule(rule) => self.rules.get(rule).map_or(&Ask::Free, |rule| &rule.ask),
            Landing::Forwarded
            | Landing::Denied
            | Landing::MethodNotAllowed
            | Landing::AnsweredOptions => &Ask::Free,
        }
    }

    fn allow(&self, group: Option<&Group>) -> Vec<String> {
        let rules = group.into_iter().flat_map(|group| &group.rules);
        let mut allow: Vec<String> = Vec::new();
        for rule in rules.filter_map(|rule| self.rules.get(*rule)) {
            allow.extend(rule.methods.names().map(String::from));
        }
        allow.push(String::from("OPTIONS"));
        allow
    }

    /// Whether a request made for this rule reaches it: each `[name]` is filled with a segment that
    /// no pattern names.
    fn is_reachable(&self, index: usize) -> bool {
        let Some(rule) = self.rules.get(index) else {
            return false;
        };
        let mut name = String::from("x");
        while self.groups.iter().any(|group| group.pattern.names_segment(&name)) {
            name.push('x');
        }
        let deepest = self.groups.iter().map(|group| group.pattern.len()).max().unwrap_or(0);
        let methods: Vec<&str> = rule.methods.names().collect();
        rule.pattern.examples(&name, deepest).filter_map(|path| Target::parse(&path).ok()).any(
            |target| {
                methods.iter().any(|method| self.find(method, &target) == RouteMatch::Route(index))
            },
        )
    }
}

/// Rules of one pattern, which differ by method.
#[derive(Clone, Debug)]
struct Group {
    pattern: Pattern,
    rules: Vec<usize>,
}

/// The rule or answer where one reading of a request ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Landing {
    Rule(usize),
    Forwarded,
    Denied,
    MethodNotAllowed,
    AnsweredOptions,
}

/// Reason why a list of rules is not a table. The operator has to change the rules named, counted
/// from 0.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum TableError {
    /// Two patterns match the same paths (names of `[name]` and letter case do not count) and share
    /// a method.
    SamePattern {
        /// The earlier rule.
        first: usize,
        /// The later rule.
        second: usize,
        /// A method of both.
        method: String,
    },
    /// Every path of this rule belongs to more specific ones, or reads as one with a higher price.
    Unreachable {
        /// The rule.
        rule: usize,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SamePattern { first, second, method } => {
                write!(
                    f,
                    "routes {first} and {second} match the same paths for {method}; keep one or split the methods"
                )
            }
            Self::Unreachable { rule } => {
                write!(
                    f,
                    "route {rule} is never reached, other routes take all its paths; remove it or them"
                )
            }
        }
    }
}

impl core::error::Error for TableError {}
