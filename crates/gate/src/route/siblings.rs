//! Siblings of a priced path: paths that many servers answer with the same page, and that are free
//! beside it.
//!
//! The gate cannot know what its origin makes of them, so it forwards them; a check of the
//! configuration lists them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Ask, RouteMatch, RouteTable, Rule};
use crate::path::Target;

/// Suffixes that many servers accept for the same page: the index of a folder, a format. A trailing
/// `/` is ambiguous already.
const ENDS: [&str; 3] = ["/index.html", ".json", ".html"];
/// Segment in place of one that a pattern leaves open.
const ANY: &str = "any";

/// A priced path and its free siblings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siblings {
    /// The priced pattern.
    pub priced: String,
    /// Paths that no route names, or none but `/*`.
    pub free: Vec<String>,
}

impl RouteTable {
    /// The priced patterns beside which such paths are forwarded without payment, in the order
    /// given.
    #[must_use]
    pub fn free_siblings(&self) -> Vec<Siblings> {
        let priced = self.rules.iter().filter(|rule| rule.ask != Ask::Free);
        let siblings = priced.map(|rule| Siblings {
            priced: rule.pattern.as_str().to_owned(),
            free: self.free_beside(rule),
        });
        siblings.filter(|siblings| !siblings.free.is_empty()).collect()
    }

    fn free_beside(&self, rule: &Rule) -> Vec<String> {
        let path = filled(rule.pattern.as_str());
        let method = rule.methods.names().next().unwrap_or("GET");
        let alike = match stems(&path) {
            Some(stems) => stems,
            None => ENDS.iter().map(|end| format!("{path}{end}")).collect(),
        };
        alike.into_iter().filter(|path| self.is_free(method, path)).collect()
    }

    /// Whether this path is free without being named by a rule other than `/*`.
    fn is_free(&self, method: &str, path: &str) -> bool {
        let Ok(target) = Target::parse(path) else { return false };
        match self.find(method, &target) {
            RouteMatch::Unlisted => true,
            RouteMatch::Route(index) => self
                .rules
                .get(index)
                .is_some_and(|rule| rule.ask == Ask::Free && rule.pattern.as_str() == "/*"),
            RouteMatch::Denied
            | RouteMatch::MethodNotAllowed { .. }
            | RouteMatch::Options { .. }
            | RouteMatch::Ambiguous => false,
        }
    }
}

/// The shortest path that a pattern matches, with each name filled in.
fn filled(pattern: &str) -> String {
    let path = pattern.strip_suffix("/*").unwrap_or(pattern);
    // What a folder is without its slash is another spelling of it.
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path
        .split('/')
        .map(|segment| if segment.starts_with('[') { ANY } else { segment })
        .collect();
    let path = segments.join("/");
    if path == "/" { String::new() } else { path }
}

/// The path without the format of its last segment, if it has one, and the folder that it is the
/// index of.
fn stems(path: &str) -> Option<Vec<String>> {
    let (folder, name) = path.rsplit_once('/')?;
    let (stem, _) = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
    let folder = (stem == "index").then(|| format!("{folder}/"));
    Some(folder.into_iter().chain([[path.strip_suffix(name)?, stem].concat()]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Methods, Pattern, Unlisted};

    fn beside(rules: &[(&str, Ask)], unlisted: Unlisted) -> Vec<(String, String)> {
        let rules = rules.iter().map(|(pattern, ask)| Rule {
            pattern: Pattern::parse(pattern).unwrap(),
            methods: Methods::list(["GET"]).unwrap(),
            ask: ask.clone(),
        });
        let table = RouteTable::new(rules.collect(), unlisted).unwrap();
        let found = table.free_siblings().into_iter();
        found.map(|siblings| (siblings.priced, siblings.free.join(" "))).collect()
    }

    #[test]
    fn unlisted_siblings_of_a_priced_path_are_named() {
        let dear = || Ask::Paid(Vec::from([("usd".to_owned(), [1; 32])]));
        let all = "/report/index.html /report.json /report.html";
        let named = |path: &str, free: &str| Vec::from([(path.to_owned(), free.to_owned())]);
        let cases = [
            (Vec::from([("/report", dear())]), named("/report", all)),
            (Vec::from([("/report", dear()), ("/*", Ask::Free)]), named("/report", all)),
            (
                Vec::from([("/report", dear()), ("/report/*", dear())]),
                Vec::from([
                    ("/report".to_owned(), "/report.json /report.html".to_owned()),
                    ("/report/*".to_owned(), "/report.json /report.html".to_owned()),
                ]),
            ),
            (
                Vec::from([
                    ("/report", dear()),
                    ("/report/index.html", Ask::Free),
                    ("/[name]", Ask::Free),
                ]),
                Vec::new(),
            ),
            (Vec::from([("/report/", dear())]), named("/report/", all)),
            (Vec::from([("/u/[id]", dear())]), named("/u/[id]", "/u/any/index.html")),
            (Vec::from([("/a.b/report.json", dear())]), named("/a.b/report.json", "/a.b/report")),
            (Vec::from([("/a/index.html", dear())]), named("/a/index.html", "/a/ /a/index")),
            (Vec::from([("/", dear())]), named("/", "/index.html")),
            (Vec::from([("/*", dear())]), Vec::new()),
            (Vec::from([("/report", Ask::Free)]), Vec::new()),
        ];
        for (rules, expected) in cases {
            assert_eq!(beside(&rules, Unlisted::Free), expected, "{rules:?}");
            let others = rules.iter().filter(|(pattern, _)| *pattern != "/*").cloned();
            assert_eq!(beside(&others.collect::<Vec<_>>(), Unlisted::Deny), [], "{rules:?}");
        }
    }
}
