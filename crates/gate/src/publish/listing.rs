//! The priced routes as paths with operations, as documents list them.
//!
//! `[name]` is a parameter. `/*` at the end stands for its own path, and for the shortest path
//! below it that no more specific route takes, each further segment a parameter. `HEAD` goes with
//! `GET`.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::offer::Offer;
use crate::path::Target;
use crate::route::{Pattern, RouteMatch, RouteTable, Rule};

/// Every priced path, in the order of the table.
#[derive(Debug)]
pub struct Listing {
    /// The paths; no two are equal when the names of their parameters are ignored.
    pub items: Vec<ListedPath>,
}

/// One path.
#[derive(Debug)]
pub struct ListedPath {
    /// The path, with each parameter as its name in braces.
    pub path: String,
    /// The names of the parameters, in order.
    pub parameters: Vec<String>,
    /// The sales on this path: methods with the same price, and the index of their offer.
    pub sales: Vec<(Vec<String>, usize)>,
}

impl Listing {
    /// Lists the rules with an offer; `offers` are in the order of the table's rules.
    #[must_use]
    pub fn new(table: &RouteTable, offers: &[Option<Offer>]) -> Self {
        let name = unlisted_name(table);
        let mut items: Vec<ListedPath> = Vec::new();
        for (place, rule) in table.rules().iter().enumerate() {
            if offers.get(place).is_none_or(Option::is_none) {
                continue;
            }
            let methods = sold(rule);
            for further in depths(table, place, rule, &name) {
                let (path, parameters) = template(&rule.pattern, further);
                // Rules of one pattern differ by method, and may name parameters differently.
                let shape = with_each(&path, "{}");
                match items.iter_mut().find(|item| with_each(&item.path, "{}") == shape) {
                    Some(item) => item.sales.push((methods.clone(), place)),
                    None => {
                        let sales = Vec::from([(methods.clone(), place)]);
                        items.push(ListedPath { path, parameters, sales });
                    }
                }
            }
        }
        Self { items }
    }
}

/// The path of a route with `:name` in place of each parameter; `None` if it has no parameter that
/// tells routes apart.
///
/// Spec: x402 extension "Bazaar", `routeTemplate`.
#[must_use]
pub fn colon_template(pattern: &Pattern) -> Option<String> {
    let (path, parameters) = template(pattern, usize::from(pattern.is_open()));
    let is_told = !parameters.is_empty() && pattern.len() > 0;
    is_told.then(|| path.replace('{', ":").replace('}', ""))
}

/// The methods of a rule without the `HEAD` that goes with `GET`.
fn sold(rule: &Rule) -> Vec<String> {
    let gets = rule.methods.allows("GET");
    rule.methods.names().filter(|name| !gets || *name != "HEAD").map(ToString::to_string).collect()
}

/// Numbers of segments in place of `/*`: none, and the fewest that land on this rule. Other
/// patterns get none.
fn depths(table: &RouteTable, place: usize, rule: &Rule, name: &str) -> Vec<usize> {
    if !rule.pattern.is_open() {
        return Vec::from([0]);
    }
    let deepest = table.rules().iter().map(|rule| rule.pattern.len()).max().unwrap_or(0);
    let max = deepest.saturating_add(1).saturating_sub(rule.pattern.len());
    let Some(method) = rule.methods.names().next() else { return Vec::new() };
    let lands = |further: usize| {
        let path = with_each(&template(&rule.pattern, further).0, name);
        Target::parse(&path)
            .is_ok_and(|target| table.find(method, &target) == RouteMatch::Route(place))
    };
    let itself = lands(0).then_some(0);
    itself.into_iter().chain((1..=max.max(1)).find(|further| lands(*further))).collect()
}

/// A segment that no route names.
fn unlisted_name(table: &RouteTable) -> String {
    let mut name = String::from("x");
    while table.rules().iter().any(|rule| rule.pattern.names_segment(&name)) {
        name.push('x');
    }
    name
}

/// The path with its parameters in braces, each with a different name.
fn template(pattern: &Pattern, further: usize) -> (String, Vec<String>) {
    let mut parameters: Vec<String> = Vec::new();
    let mut path = String::new();
    let text = pattern.as_str();
    let fixed = if pattern.is_open() { text.strip_suffix("/*").unwrap_or(text) } else { text };
    let more = core::iter::repeat_n("[path]", further);
    for segment in fixed.split('/').skip(1).chain(more) {
        path.push('/');
        let Some(name) = segment.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) else {
            path.push_str(segment);
            continue;
        };
        let mut unique = name.to_string();
        let mut count = 1_usize;
        while parameters.contains(&unique) {
            count = count.saturating_add(1);
            unique = format!("{name}{count}");
        }
        path.push('{');
        path.push_str(&unique);
        path.push('}');
        parameters.push(unique);
    }
    if path.is_empty() {
        path.push('/');
    }
    (path, parameters)
}

/// The path with this text in place of each parameter.
fn with_each(path: &str, text: &str) -> String {
    let segments =
        path.split('/').map(|segment| if segment.starts_with('{') { text } else { segment });
    segments.collect::<Vec<_>>().join("/")
}
