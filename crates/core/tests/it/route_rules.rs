//! The rules of the route table one by one: precedence, methods, patterns, what it refuses to be built from.

use farebox_core::gate::path::Target;
use farebox_core::gate::route::{
    Ask, Methods, MethodsError, Pattern, PatternError, RouteMatch, RouteTable, TableError, Unlisted,
};

use crate::tables::{free, paid, rule, table};

//
#[test]
fn the_most_specific_pattern_decides() {
    let rules = [
        ("/*", "all", free()),
        ("/shop/*", "all", paid("usdc", 1)),
        ("/shop/[item]", "all", paid("usdc", 2)),
        ("/shop/[item]/*", "all", paid("usdc", 3)),
        ("/shop/list", "GET", paid("usdc", 4)),
        ("/shop/list", "POST", paid("usdc", 5)),
        ("/shop/[item]/print", "all", paid("usdc", 6)),
        ("/shop/list/[page]", "all", paid("usdc", 7)),
        ("/shop/open", "all", free()),
    ];
    let table = table(&rules, Unlisted::Free);
    let cases = [
        ("GET", "/", RouteMatch::Route(0)),
        ("GET", "/shopper", RouteMatch::Route(0)),
        ("GET", "/shop", RouteMatch::Route(1)),
        ("GET", "/shop/hat", RouteMatch::Route(2)),
        ("GET", "/shop/hat/red/big", RouteMatch::Route(3)),
        ("HEAD", "/shop/list", RouteMatch::Route(4)),
        ("POST", "/shop/list", RouteMatch::Route(5)),
        ("GET", "/shop/hat/print", RouteMatch::Route(6)),
        ("GET", "/shop/list/print", RouteMatch::Route(7)),
        ("GET", "/shop/open", RouteMatch::Route(8)),
        ("DELETE", "/shop/list", not_allowed(&["GET", "HEAD", "POST", "OPTIONS"])),
        (
            "OPTIONS",
            "/shop/list",
            RouteMatch::Options { allow: strings(&["GET", "HEAD", "POST", "OPTIONS"]) },
        ),
        ("OPTIONS", "/shop/open", RouteMatch::Unlisted),
        ("OPTIONS", "/about", RouteMatch::Unlisted),
    ];
    for (method, path, expected) in cases {
        assert_eq!(find(&table, method, path), expected, "{method} {path}");
    }
}

//
#[test]
fn a_path_with_a_slash_at_its_end_is_one_with_it_alone() {
    let rules = [
        ("/blog/", "all", paid("usdc", 3)),
        ("/blog/[post]/", "GET", paid("usdc", 2)),
        ("/shop/*", "all", paid("usdc", 1)),
        ("/shop/hat/", "all", paid("usdc", 4)),
        ("/about/", "all", free()),
    ];
    let table = table(&rules, Unlisted::Free);
    let cases = [
        ("/blog/", RouteMatch::Route(0)),
        ("/blog", RouteMatch::Ambiguous),
        ("/Blog", RouteMatch::Ambiguous),
        ("/blog//", RouteMatch::Ambiguous),
        ("/blog/.", RouteMatch::Ambiguous),
        ("/blog%2F", RouteMatch::Ambiguous),
        ("/blog/first/", RouteMatch::Route(1)),
        ("/blog/first", RouteMatch::Ambiguous),
        ("/blog/first/more", RouteMatch::Unlisted),
        ("/shop/hat/", RouteMatch::Route(3)),
        ("/shop/hat", RouteMatch::Ambiguous),
        ("/shop/coat", RouteMatch::Route(2)),
        ("/shop/coat/", RouteMatch::Route(2)),
        ("/about", RouteMatch::Unlisted),
        ("/about/", RouteMatch::Route(4)),
        ("/blogs", RouteMatch::Unlisted),
    ];
    for (path, expected) in cases {
        assert_eq!(find(&table, "GET", path), expected, "{path}");
    }
    assert_eq!(find(&table, "POST", "/blog/first/"), not_allowed(&["GET", "HEAD", "OPTIONS"]));
    // Plain paths outside of these are free without a look, and `/blog` is not.
    assert_eq!(table.paid_prefixes(), ["/blog", "/shop"]);
}

#[test]
fn methods_are_compared_byte_for_byte() {
    let everything = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let table = table(
        &[("/paid", "all", paid("usdc", 1)), ("/one", "PURGE", paid("usdc", 1))],
        Unlisted::Free,
    );
    for method in ["get", "Get", "GET ", " GET", "TRACE", "CONNECT", "PURGE", "PROPFIND", ""] {
        assert_eq!(find(&table, method, "/paid"), not_allowed(&everything), "{method:?}");
        assert_eq!(find(&table, method, "/PAID"), RouteMatch::Ambiguous, "{method:?}");
        assert_eq!(find(&table, method, "/other"), RouteMatch::Unlisted, "{method:?}");
    }
    assert_eq!(find(&table, "PURGE", "/one"), RouteMatch::Route(1));
    assert_eq!(find(&table, "GET", "/one"), not_allowed(&["PURGE", "OPTIONS"]));
}

#[test]
fn patterns_that_are_not_canonical_are_refused() {
    let owned = String::from;
    let cases = [
        ("", PatternError::NoLeadingSlash),
        ("*", PatternError::NoLeadingSlash),
        ("paid", PatternError::NoLeadingSlash),
        ("/paid//", PatternError::EmptySegment),
        ("//*", PatternError::EmptySegment),
        ("//", PatternError::EmptySegment),
        ("/a//b", PatternError::EmptySegment),
        ("/a*", PatternError::Wildcard),
        ("/*/z", PatternError::Wildcard),
        ("/a/**", PatternError::Wildcard),
        ("/:id", PatternError::BadName(owned(":id"))),
        ("/a[id]", PatternError::BadName(owned("a[id]"))),
        ("/[]", PatternError::BadName(owned("[]"))),
        ("/a b", PatternError::ForbiddenCharacter(owned("a b"))),
        ("/caf\u{e9}", PatternError::ForbiddenCharacter(owned("caf\u{e9}"))),
        ("/a;b", PatternError::ForbiddenCharacter(owned("a;b"))),
        ("/a?b", PatternError::ForbiddenCharacter(owned("a?b"))),
        ("/%61", PatternError::NotCanonicalEscape(owned("%61"))),
        ("/caf%c3%a9", PatternError::NotCanonicalEscape(owned("caf%c3%a9"))),
        ("/a%2Fb", PatternError::NotCanonicalEscape(owned("a%2Fb"))),
        ("/%FF", PatternError::NotCanonicalEscape(owned("%FF"))),
        ("/%", PatternError::NotCanonicalEscape(owned("%"))),
        ("/a/../b", PatternError::TrimmedSegment(owned(".."))),
        ("/a./b", PatternError::TrimmedSegment(owned("a."))),
        ("/a%20", PatternError::TrimmedSegment(owned("a%20"))),
    ];
    for (text, expected) in cases {
        assert_eq!(Pattern::parse(text), Err(expected), "{text}");
    }
    let kept = [
        "/",
        "/*",
        "/a",
        "/a/",
        "/a/*",
        "/[id]",
        "/[id]/",
        "/a/[b_c]/d.json",
        "/caf%C3%A9",
        "/a%20b",
        "/a:b",
        "/@me",
        "/~x",
        "/v1.0/(a|b)+$",
    ];
    for text in kept {
        assert_eq!(Pattern::parse(text).unwrap().as_str(), text);
    }
}

#[test]
fn method_lists_hold_upper_case_names_of_forwarded_methods() {
    let owned = String::from;
    assert_eq!(Methods::list([]), Err(MethodsError::Empty));
    for name in ["get", "", "GET ", "G,T"] {
        assert_eq!(Methods::list([name]), Err(MethodsError::NotUpperCase { name: owned(name) }));
    }
    for name in ["OPTIONS", "TRACE", "CONNECT"] {
        assert_eq!(
            Methods::list(["GET", name]),
            Err(MethodsError::NotForRoutes { name: owned(name) })
        );
    }
    let names: Vec<String> =
        Methods::list(["POST", "GET", "POST"]).unwrap().names().map(owned).collect();
    assert_eq!(names, ["POST", "GET", "HEAD"]);
}

//
#[test]
fn contradictory_and_unreachable_rules_are_refused() {
    let same = |first, second, method: &str| TableError::SamePattern {
        first,
        second,
        method: method.to_owned(),
    };
    let unreachable = |rule| TableError::Unreachable { rule };
    type Rows<'a> = Vec<(&'a str, &'a str, Ask)>;
    let cases: Vec<(Rows, TableError)> = vec![
        (
            vec![("/a", "all", free()), ("/b", "GET", free()), ("/a", "POST", free())],
            same(0, 2, "POST"),
        ),
        (vec![("/a/[x]", "GET", free()), ("/a/[y]", "HEAD", free())], same(0, 1, "HEAD")),
        (vec![("/a", "GET", free()), ("/a/", "GET", free())], same(0, 1, "GET")),
        (vec![("/Report", "GET", free()), ("/report", "GET", free())], same(0, 1, "GET")),
        (
            vec![
                ("/a/*", "all", paid("usdc", 1)),
                ("/a", "all", paid("usdc", 2)),
                ("/a/[x]/*", "all", paid("usdc", 1)),
            ],
            unreachable(0),
        ),
        (
            vec![("/*", "all", paid("usdc", 1)), ("/", "all", free()), ("/[x]/*", "all", free())],
            unreachable(0),
        ),
    ];
    for (rows, expected) in cases {
        let rules = rows.iter().map(|row| rule(row.0, row.1, row.2.clone())).collect();
        assert_eq!(RouteTable::new(rules, Unlisted::Free).unwrap_err(), expected, "{rows:?}");
    }
    // A free prefix does not hide a paid one below it, whatever the order.
    for order in [[0, 1], [1, 0]] {
        let rows = [("/*", "all", free()), ("/premium/*", "all", paid("usdc", 1))];
        let table = table(&order.map(|row| rows[row].clone()), Unlisted::Free);
        assert_eq!(find(&table, "GET", "/premium/a"), RouteMatch::Route(1 - order[0]));
    }
}

#[test]
fn plain_paths_outside_the_paid_prefixes_are_free() {
    let rules = [
        ("/premium/*", "all", paid("usdc", 1)),
        ("/files/[id]", "GET", paid("usdc", 1)),
        ("/API/Report", "GET", paid("usdc", 1)),
        ("/premium/extra", "all", paid("usdc", 2)),
        ("/form", "POST", free()),
        ("/public/*", "all", free()),
        ("/caf%C3%A9", "all", paid("usdc", 1)),
    ];
    let table = table(&rules, Unlisted::Free);
    assert_eq!(table.paid_prefixes(), ["/api/report", "/caf", "/files/", "/form", "/premium"]);
    assert_eq!(
        self::table(&[("/*", "all", paid("usdc", 1))], Unlisted::Free).paid_prefixes(),
        ["/"]
    );
    assert_eq!(
        self::table(&[("/[x]/y", "all", paid("usdc", 1))], Unlisted::Free).paid_prefixes(),
        ["/"]
    );
    assert_eq!(self::table(&[("/x/*", "all", free())], Unlisted::Free).paid_prefixes(), [""; 0]);
}

fn find(table: &RouteTable, method: &str, path: &str) -> RouteMatch {
    table.find(method, &Target::parse(path).unwrap())
}

fn not_allowed(allow: &[&str]) -> RouteMatch {
    RouteMatch::MethodNotAllowed { allow: strings(allow) }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}
