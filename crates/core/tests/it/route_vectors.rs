//! The route table against the published cases, and its rules one by one.

use farebox_core::gate::path::Target;
use farebox_core::gate::route::{Ask, Methods, Pattern, RouteMatch, RouteTable, Rule, Unlisted};
use serde_json::Value;

use crate::tables::{free, paid};

const PATHS: &str = include_str!("../../../../tests/vectors/security/paths.json");
const ROUTE_MATCHING: &str = include_str!("../../../../tests/vectors/x402/route-matching.json");

/// Where this gate answers otherwise than the reference middleware: pattern, method, path, our answer, why.
/// Every line refuses, or charges, what the reference lets through or charges; none frees what it protects.
const DEVIATIONS: [(&str, &str, &str, &str, &str); 16] = [
    ("GET /api/[id]", "GET", "/api/1/", "ambiguous", "origins differ about a trailing slash"),
    ("GET /api/[id]", "POST", "/api/1", "405", "a listed path refuses unlisted methods"),
    ("GET /api/[id]", "HEAD", "/api/1", "paid", "GET includes HEAD"),
    ("GET /api/[id]", "GET", "/API/1", "ambiguous", "origins differ about letter case"),
    ("GET /api/[id]", "GET", "/api/%", "bad target", "an undecodable escape is refused"),
    ("/premium/*", "GET", "//premium///a", "ambiguous", "origins differ about empty segments"),
    ("/premium/*", "GET", "/pr%65mium/x", "ambiguous", "origins differ about decoding"),
    ("GET /u/:name/posts", "GET", "/u/bob/posts", "bad pattern", "a parameter is `[name]`"),
    ("GET /u/:name/posts", "GET", "/u//posts", "bad pattern", "a parameter is `[name]`"),
    ("*", "GET", "/", "bad pattern", "a pattern starts with `/`"),
    ("*", "GET", "/anything/here", "bad pattern", "a pattern starts with `/`"),
    ("/exact", "GET", "/exact#f", "bad target", "origins differ about a fragment"),
    ("/exact", "GET", "/exact;v=1", "ambiguous", "origins differ about parameters"),
    ("GET /*/z", "GET", "/a/z", "bad pattern", "`/*` stands at the end"),
    ("GET /*/z", "GET", "/a/b/z", "bad pattern", "`/*` stands at the end"),
    ("GET /*/z", "GET", "/z", "bad pattern", "`/*` stands at the end"),
];

/// The reference compares verbs without case; methods are case-sensitive (RFC 9110 section 9.1).
const LOWER_CASE_VERB: &str = "get /lower";

//
#[test]
fn every_published_target_has_a_safe_outcome() {
    let vectors: Value = serde_json::from_str(PATHS).unwrap();
    let routes = vectors["fixture"]["routes"].as_array().unwrap();
    let ids: Vec<&str> = routes.iter().map(|route| route["id"].as_str().unwrap()).collect();
    let table = RouteTable::new(routes.iter().map(fixture_rule).collect(), Unlisted::Free).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let mut run = 0;
    for case in cases.iter().filter(|case| case["class"] != "query_price") {
        let (name, target) = (case["name"].as_str().unwrap(), case["target"].as_str().unwrap());
        let method = case["method"].as_str().unwrap();
        let allowed: Vec<&str> = case["allowed"]
            .as_array()
            .unwrap()
            .iter()
            .map(|outcome| outcome.as_str().unwrap())
            .collect();
        for sent in [target.to_owned(), as_a_url_parser_encodes(target)] {
            let outcome = outcome(&table, &ids, method, &sent);
            assert!(
                allowed.contains(&outcome.as_str()),
                "{name}: {method} {sent}: {outcome}, not in {allowed:?}"
            );
        }
        run += 1;
    }
    assert_eq!(run, 142);
}

#[test]
fn every_reference_match_is_kept_or_refused() {
    let vectors: Value = serde_json::from_str(ROUTE_MATCHING).unwrap();
    let mut deviations = 0;
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let field = |name: &str| case[name].as_str().unwrap();
        let (pattern, method, path) = (field("pattern"), field("method"), field("path"));
        let reference = if case["protected"].as_bool().unwrap() { "paid" } else { "free" };
        let deviation =
            DEVIATIONS.iter().find(|line| (line.0, line.1, line.2) == (pattern, method, path));
        let expected = match deviation {
            Some(line) => line.3,
            None if pattern == LOWER_CASE_VERB => "bad method",
            None => reference,
        };
        assert!(reference == "free" || expected != "free", "{pattern} {method} {path}");
        assert_eq!(single(pattern, method, path), expected, "{pattern} {method} {path}");
        deviations += usize::from(expected != reference);
    }
    assert_eq!((cases.len(), deviations), (32, DEVIATIONS.len() + 2));
}

#[test]
fn rewritten_for_this_gate_the_refused_patterns_match_as_in_the_reference() {
    let cases = [
        ("GET /u/[name]/posts", "GET", "/u/bob/posts", "paid"),
        ("GET /u/[name]/posts", "GET", "/u//posts", "free"),
        ("/*", "GET", "/", "paid"),
        ("/*", "GET", "/anything/here", "paid"),
        ("GET /lower", "GET", "/lower", "paid"),
        ("GET /lower", "get", "/lower", "405"),
    ];
    for (pattern, method, path, expected) in cases {
        assert_eq!(single(pattern, method, path), expected, "{pattern} {method} {path}");
    }
}

fn outcome(table: &RouteTable, ids: &[&str], method: &str, target: &str) -> String {
    let parsed =
        if target.starts_with("http") { Target::from_url(target) } else { Target::parse(target) };
    let Ok(target) = parsed else {
        return String::from("reject");
    };
    match table.find(method, &target) {
        RouteMatch::Route(rule) if table.rules()[rule].ask == Ask::Free => String::from("free"),
        RouteMatch::Route(rule) => format!("gate:{}", ids[rule]),
        RouteMatch::Unlisted => String::from("free"),
        RouteMatch::Options { .. } => String::from("preflight"),
        RouteMatch::Denied | RouteMatch::MethodNotAllowed { .. } | RouteMatch::Ambiguous => {
            String::from("reject")
        }
    }
}

fn fixture_rule(route: &Value) -> Rule {
    let names: Vec<&str> =
        route["methods"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    let price = route["price"].as_str().unwrap();
    let ask = if price == "0" { free() } else { paid("usdc", price.parse().unwrap()) };
    let methods = if names == ["*"] { Methods::all() } else { Methods::list(names).unwrap() };
    let pattern = route["pattern"].as_str().unwrap().replace(":id", "[id]");
    Rule { pattern: Pattern::parse(&pattern).unwrap(), methods, ask }
}

/// What a URL parser in front of the gate makes of raw text: other letters escaped, tabs dropped, `\` a slash.
fn as_a_url_parser_encodes(target: &str) -> String {
    let mut encoded = String::new();
    for c in target.chars().filter(|c| *c != '\t') {
        match c {
            '\\' => encoded.push('/'),
            c if c.is_ascii() => encoded.push(c),
            c => c.to_string().bytes().for_each(|byte| encoded.push_str(&format!("%{byte:02X}"))),
        }
    }
    encoded
}

/// What a table of one paid rule says, in one word.
fn single(config: &str, method: &str, path: &str) -> &'static str {
    let (verbs, pattern) = config.split_once(' ').unwrap_or(("all", config));
    let methods = match verbs {
        "all" => Methods::all(),
        verb => match Methods::list([verb]) {
            Ok(methods) => methods,
            Err(_) => return "bad method",
        },
    };
    let Ok(pattern) = Pattern::parse(pattern) else {
        return "bad pattern";
    };
    let rule = Rule { pattern, methods, ask: paid("usdc", 1) };
    let table = RouteTable::new(vec![rule], Unlisted::Free).unwrap();
    let Ok(target) = Target::parse(path) else {
        return "bad target";
    };
    match table.find(method, &target) {
        RouteMatch::Route(_) => "paid",
        RouteMatch::Unlisted => "free",
        RouteMatch::MethodNotAllowed { .. } => "405",
        RouteMatch::Ambiguous => "ambiguous",
        RouteMatch::Options { .. } => "options",
        RouteMatch::Denied => "404",
    }
}
