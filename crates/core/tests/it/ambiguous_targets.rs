//! Targets that servers may read in two ways, and those that are never forwarded.

use farebox_core::gate::path::{Target, TargetError};
use farebox_core::gate::route::{RouteMatch, RouteTable, Unlisted};

use crate::tables::{free, paid, table};

//
#[test]
fn a_reading_that_asks_more_is_ambiguous() {
    let rules = [
        ("/cheap/*", "all", paid("usdc", 1)),
        ("/dear/*", "all", paid("usdc", 9)),
        ("/other/*", "all", paid("eurc", 1)),
        ("/post", "POST", free()),
        ("/open/*", "all", free()),
        ("/v/[id]/buy", "GET", paid("usdc", 5)),
        ("/u/[id]", "all", paid("usdc", 5)),
        ("/u/me", "all", free()),
    ];
    let table = table(&rules, Unlisted::Free);
    let cases = [
        // Every disguise of a dear page, on a cheap, a free and no route.
        ("GET", "/cheap/..%2fdear/a", RouteMatch::Ambiguous),
        ("GET", "/open/..%252fdear/a", RouteMatch::Ambiguous),
        ("GET", "/x%2f..%2fdear/a", RouteMatch::Ambiguous),
        ("GET", "/x%2fy/../dear/a", RouteMatch::Ambiguous),
        ("GET", "/dear%2fx/%2e%2e/%2e%2e/open/a", RouteMatch::Ambiguous),
        ("GET", "/%25%36%34ear/a", RouteMatch::Ambiguous),
        ("GET", "/%25u0064ear/a", RouteMatch::Ambiguous),
        ("GET", "/%25uFF44ear/a", RouteMatch::Ambiguous),
        ("GET", "/%EF%BD%84ear/a", RouteMatch::Ambiguous),
        ("GET", "/open/%EF%BC%8E%EF%BC%8E%EF%BC%8Fdear/a", RouteMatch::Ambiguous),
        ("GET", "/open/%E2%80%A5/dear", RouteMatch::Ambiguous),
        ("GET", "/open/..%CD%BE/dear", RouteMatch::Ambiguous),
        ("GET", "/open/%c0%ae%c0%ae/dear", RouteMatch::Ambiguous),
        ("GET", "/open/%e0%80%ae./dear", RouteMatch::Ambiguous),
        ("GET", "/open/.%09./dear", RouteMatch::Ambiguous),
        ("GET", "/open/..%20/dear", RouteMatch::Ambiguous),
        ("GET", "/dear%20%20./a", RouteMatch::Ambiguous),
        ("GET", "/dear%C2%A0/a", RouteMatch::Ambiguous),
        ("GET", "/dear%3b/a", RouteMatch::Ambiguous),
        ("GET", "/dear;a/b;c", RouteMatch::Ambiguous),
        ("GET", "/dear%00", RouteMatch::Ambiguous),
        ("GET", "/dear%2500.css", RouteMatch::Ambiguous),
        ("GET", "/dear%0d%0aX-Paid:1", RouteMatch::Ambiguous),
        ("GET", "/dear%23/../open", RouteMatch::Ambiguous),
        ("GET", "/dear%3fx", RouteMatch::Ambiguous),
        ("GET", "//host/dear/a", RouteMatch::Ambiguous),
        ("GET", "/%5c%5chost%5cdear", RouteMatch::Ambiguous),
        ("GET", "/%76/a%2Fb/buy", RouteMatch::Ambiguous),
        ("GET", "/U/me.x/..;/you", RouteMatch::Ambiguous),
        // Another asset does not compare; an unlisted method would be refused there.
        ("GET", "/cheap/..%2fother/a", RouteMatch::Ambiguous),
        ("GET", "/POST", RouteMatch::Ambiguous),
        ("POST", "/POST", RouteMatch::Unlisted),
        ("OPTIONS", "/x%2f..%2fdear", RouteMatch::Ambiguous),
        // Readings that ask no more.
        ("GET", "/dear/..%2fcheap/a", RouteMatch::Route(1)),
        ("GET", "/dear/%2e%2e/open", RouteMatch::Route(1)),
        ("GET", "/cheap/a;b=c%20%252F", RouteMatch::Route(0)),
        ("GET", "/open/My%20File.PDF", RouteMatch::Route(4)),
        ("GET", "/Open/x", RouteMatch::Unlisted),
        ("GET", "/u/me", RouteMatch::Route(7)),
        ("GET", "/u/Me", RouteMatch::Route(6)),
        ("GET", "/about?next=/../dear/%2e", RouteMatch::Unlisted),
        ("GET", "/dearest%20friend", RouteMatch::Unlisted),
        ("GET", "/%2525252564ear/a", RouteMatch::Unlisted),
    ];
    for (method, path, expected) in cases {
        assert_eq!(find(&table, method, path), expected, "{method} {path}");
    }
}

#[test]
fn when_unlisted_paths_are_denied_a_reading_outside_the_table_is_ambiguous() {
    let rules = [("/open/*", "all", free()), ("/paid/*", "all", paid("usdc", 1))];
    let table = table(&rules, Unlisted::Deny);
    let cases = [
        ("/open/a", RouteMatch::Route(0)),
        ("/open/a%20b", RouteMatch::Route(0)),
        ("/open/..%2fsecret", RouteMatch::Ambiguous),
        ("/paid/%2e%2e/secret", RouteMatch::Ambiguous),
        ("/secret", RouteMatch::Denied),
        ("/SECRET//x;y", RouteMatch::Denied),
        ("/OPEN/a", RouteMatch::Denied),
        ("/PAID/a", RouteMatch::Ambiguous),
    ];
    for (path, expected) in cases {
        assert_eq!(find(&table, "GET", path), expected, "{path}");
    }
}

#[test]
fn patterns_with_capitals_or_escapes_match_what_clients_send() {
    let rules = [
        ("/api/getReport", "all", paid("usdc", 3)),
        ("/api/*", "all", paid("usdc", 1)),
        ("/api/Free", "all", free()),
        ("/caf%C3%A9/a%20b", "all", paid("usdc", 1)),
    ];
    let table = table(&rules, Unlisted::Free);
    let cases = [
        ("/api/getReport", RouteMatch::Route(0)),
        ("/api/getreport", RouteMatch::Ambiguous),
        ("/api/Free", RouteMatch::Route(2)),
        ("/api/free", RouteMatch::Route(1)),
        ("/x/..%2fapi/free", RouteMatch::Ambiguous),
        ("/caf%C3%A9/a%20b", RouteMatch::Route(3)),
        ("/caf%c3%a9/a%20b", RouteMatch::Ambiguous),
        ("/CAF%C3%89/A%20B", RouteMatch::Ambiguous),
        ("/caf%25C3%25A9/a%2520b", RouteMatch::Ambiguous),
        ("/cafe/a%20b", RouteMatch::Ambiguous),
        ("/cafe/a+b", RouteMatch::Ambiguous),
        ("/cafe%CC%81/a%09b", RouteMatch::Ambiguous),
        ("/cafe/ab", RouteMatch::Unlisted),
    ];
    for (path, expected) in cases {
        assert_eq!(find(&table, "GET", path), expected, "{path}");
    }
}

#[test]
fn a_path_with_too_many_readings_is_ambiguous() {
    let table = table(&[("/paid", "all", paid("usdc", 1))], Unlisted::Free);
    let unit = "/%252e%252e%20;a%250a%2500%3b%5c./%EF%BC%8F/..;%2523%253f.%25u002e";
    for count in [10, 200] {
        assert_eq!(
            find(&table, "GET", &unit.repeat(count)),
            RouteMatch::Ambiguous,
            "{count} times"
        );
    }
    assert_eq!(find(&table, "GET", &"/a".repeat(8000)), RouteMatch::Unlisted);
    assert_eq!(find(&table, "GET", &"/%61".repeat(4000)), RouteMatch::Unlisted);
}

/// Parts of paths whose rewrites come in many orders.
const PARTS: [&str; 37] = [
    "%2f",
    "%5c",
    "%252f",
    "%255c",
    "%2e",
    "%252e",
    ".",
    "..",
    "/",
    "//",
    "a",
    "B",
    "%20",
    "%2520",
    "%00",
    "%0a",
    ";",
    ";x",
    "%3b",
    "%253b",
    "%3f",
    "%23",
    "%253f",
    "%c0%af",
    "%ef%bc%8f",
    "%25",
    "...",
    "%25u002f",
    "%25u002e",
    "%C3%89",
    "+",
    "%09",
    "::$DATA",
    "(S(a))",
    "~1",
    "%E2%93%A1",
    "e%CC%81",
];

//
#[test]
fn no_path_has_more_than_a_hundred_readings_or_sixty_kilobytes_of_them_looked_at() {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut below = |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % most
    };
    let (mut most, mut widest) = (0, 0);
    for _ in 0..3_000 {
        let kinds: Vec<&str> = (0..=below(8)).map(|_| PARTS[below(PARTS.len())]).collect();
        let bytes = [40, 100, 300, 600, 1_000, 4_000, 15_000][below(7)];
        let mut path = String::from("/x");
        while path.len() < bytes {
            path.push_str(kinds[below(kinds.len())]);
            path.push_str(["", "/", "q"][below(3)]);
        }
        let (mut readings, mut looked_at) = (0, 0);
        Target::parse(&path).unwrap().any_reading(|reading| {
            (readings, looked_at) = (readings + 1, looked_at + reading.len());
            false
        });
        (most, widest) = (most.max(readings), widest.max(looked_at));
    }
    assert!((50..=100).contains(&most), "{most} readings");
    assert!((30_000..=58_000).contains(&widest), "{widest} bytes");
}

#[test]
fn a_path_that_people_send_has_few_readings_however_long_it_is() {
    let table = table(&[("/paid", "all", paid("usdc", 1))], Unlisted::Free);
    let names = [
        "/Annual%20Report",
        "/%E5%B9%B4%E6%AC%A1",
        "/caf%C3%A9",
        "/v1.2.3",
        "/a%2Fb",
        "/50%25",
        "/A,B(c)",
        "/x;v=1",
        "/what%3F",
        "/a+b+c",
        "/~me/10:30",
        "/%D0%BF%D1%80%D0%BE",
    ];
    for name in names {
        for bytes in [1, 200, 2_000] {
            let path = format!("{}/end", name.repeat(bytes / name.len() + 1));
            assert_eq!(find(&table, "GET", &path), RouteMatch::Unlisted, "{path}");
        }
    }
    let mixed = format!("/shelf{}/end", names.concat());
    assert_eq!(find(&table, "GET", &mixed), RouteMatch::Unlisted);
}

//
#[test]
fn more_than_two_levels_of_encoded_separators_are_refused_wherever_they_stand() {
    let deep = [
        "/a/%25252e%25252e/b",
        "/a%25252fb",
        "/%2525252525252f",
        "/a%252525",
        "/a/%2525%32%66",
        "/a%252%352f",
        "/a%25253Bx",
    ];
    for path in deep {
        assert_eq!(Target::parse(path), Err(TargetError::TooDeep), "{path}");
    }
    for path in ["/a%252fb", "/a%252e", "/100%25", "/100%2525", "/a%252541", "/%2525252564ear"] {
        assert_eq!(Target::parse(path).map(|target| target.path() == path), Ok(true), "{path}");
    }
    assert!(Target::parse("/a?next=%25252f").is_ok(), "only the path counts");
}

//
#[test]
fn targets_that_must_never_be_forwarded_are_refused() {
    let cases = [
        ("", TargetError::NotOriginForm),
        ("*", TargetError::NotOriginForm),
        ("paid", TargetError::NotOriginForm),
        ("/a b", TargetError::ForbiddenByte { byte: b' ', at: 2 }),
        ("/a\0", TargetError::ForbiddenByte { byte: 0, at: 2 }),
        ("/a?b\r\n", TargetError::ForbiddenByte { byte: b'\r', at: 4 }),
        ("/a\u{e9}", TargetError::ForbiddenByte { byte: 0xc3, at: 2 }),
        ("/a#b", TargetError::ForbiddenByte { byte: b'#', at: 2 }),
        ("/a?b#c", TargetError::ForbiddenByte { byte: b'#', at: 4 }),
        ("/a\\b", TargetError::ForbiddenByte { byte: b'\\', at: 2 }),
        ("/a%", TargetError::BadEscape { at: 2 }),
        ("/a%4", TargetError::BadEscape { at: 2 }),
        ("/a%4?1", TargetError::BadEscape { at: 2 }),
        ("/%u0041", TargetError::BadEscape { at: 1 }),
    ];
    for (raw, expected) in cases {
        assert_eq!(Target::parse(raw), Err(expected), "{raw:?}");
    }
    let long = format!("/{}", "a".repeat(16_384));
    assert_eq!(Target::parse(&long), Err(TargetError::TooLong { bytes: 16_385 }));
}

#[test]
fn a_target_keeps_its_bytes() {
    let cases = [
        (
            "https://shop.example/a%2Fb?c=%zz&d\\=?",
            "/a%2Fb?c=%zz&d\\=?",
            "/a%2Fb",
            Some("c=%zz&d\\=?"),
        ),
        ("http://user@[::1]:8787//x/./y?", "//x/./y?", "//x/./y", Some("")),
        ("https://shop.example", "/", "/", None),
        ("https://shop.example?q=1", "/?q=1", "/", Some("q=1")),
    ];
    for (url, text, path, query) in cases {
        let target = Target::from_url(url).unwrap();
        assert_eq!((target.as_str(), target.path(), target.query()), (text, path, query), "{url}");
    }
    assert_eq!(Target::from_url("/relative"), Err(TargetError::NotOriginForm));
}

#[test]
fn an_origin_may_trim_or_cut_only_the_end_of_the_path() {
    let rules = [
        ("/[a]/report", "all", paid("usdc", 6)),
        ("/premium/report", "all", free()),
        ("/solo", "all", paid("usdc", 6)),
        ("/deep/page", "all", paid("usdc", 6)),
    ];
    let table = table(&rules, Unlisted::Free);
    let cases = [
        ("/premium/report;y", RouteMatch::Unlisted),
        ("/premium;x/report;y", RouteMatch::Ambiguous),
        ("/premium%20/report%20", RouteMatch::Ambiguous),
        ("/premium./report.", RouteMatch::Ambiguous),
        ("/solo/...", RouteMatch::Ambiguous),
        ("/deep/.../page", RouteMatch::Ambiguous),
        ("/solo/x/.%20.", RouteMatch::Unlisted),
        ("/x/.../solo", RouteMatch::Ambiguous),
        ("/%20solo", RouteMatch::Ambiguous),
        ("/so%01lo", RouteMatch::Ambiguous),
        ("/solo;a/b", RouteMatch::Ambiguous),
    ];
    for (path, expected) in cases {
        assert_eq!(find(&table, "GET", path), expected, "{path}");
    }
}

#[test]
fn a_path_that_leads_above_the_root_is_ambiguous() {
    // The origin may have a path prefix: there `/../app/paid` is `/app/../app/paid`.
    let table = table(&[("/paid/*", "all", paid("usdc", 1))], Unlisted::Free);
    for path in [
        "/..",
        "/../app/paid",
        "/%2e%2e/app/paid",
        "/a/%2e%2e%2f..%252fb",
        "/paid/../../x",
        "/a//../../b",
        "/..;/x",
    ] {
        assert_eq!(find(&table, "GET", path), RouteMatch::Ambiguous, "{path}");
    }
    for path in ["/a/..", "/a/b/%2e%2e/../c", "/..a", "/a/./b"] {
        assert_eq!(find(&table, "GET", path), RouteMatch::Unlisted, "{path}");
    }
}

fn find(table: &RouteTable, method: &str, path: &str) -> RouteMatch {
    table.find(method, &Target::parse(path).unwrap())
}
