//! Other spellings of a priced path: as some file system, framework or font reads them, and no further.

use serde_json::{Value, json};

use crate::world::{World, vars};

/// A cheap price for all but these, where some origin finds a dear page under another spelling.
fn world() -> World {
    let dear = ["/my%20report", "/caf%C3%A9", "/vip", "/office", "/annual-report-2026", "/a+b"];
    let open = ["/paid/*", "/%D0%BE%D1%82%D1%87%D1%91%D1%82", "/%ED%95%9C%EA%B8%80", "/%E3%83%91"];
    let routes = dear.iter().chain(&open).map(|path| json!({"path": path, "price": "$1.00"}));
    let cheap = json!({"path": "/*", "price": "$0.01"});
    World::with(vars(routes.chain([cheap]).collect::<Value>()))
}

fn refused(targets: &[&str]) {
    let mut world = world();
    for target in targets {
        let response = world.ask(target);
        let said = (response.status, response.problem());
        assert_eq!(said, (400, "ambiguous_target".to_owned()), "{target}");
    }
    assert_eq!(world.origin.calls.len(), 0);
}

fn priced(targets: &[(&str, &str)]) {
    let mut world = world();
    for (target, amount) in targets {
        let response = world.ask(target);
        assert_eq!(response.status, 402, "{target}");
        assert_eq!(response.payment_required()["accepts"][0]["amount"], *amount, "{target}");
    }
}

const CHEAP: &str = "10000";
const DEAR: &str = "1000000";

#[test]
pub fn what_stands_for_a_space_is_one() {
    refused(&["/my+report", "/my%2Breport", "/my%09report", "/my%C2%A0report", "/a%20b"]);
    priced(&[("/my%20report", DEAR), ("/a+b", DEAR), ("/my-report", CHEAP), ("/vip+", CHEAP)]);
}

//
#[test]
pub fn marks_and_letters_without_width_make_no_other_path() {
    refused(&[
        "/cafe%CC%81",
        "/v%C2%ADip",
        "/vi%E2%80%8Dp",
        "/%E2%80%8Cvip",
        "/vi%EF%BB%BFp",
        "/vip%EF%B8%8F",
        "/vip%F3%A0%81%81",
        "/vi%E2%81%A0p",
        "/pai%CC%81d/x",
        "/%E1%84%92%E1%85%A1%E1%86%AB%E1%84%80%E1%85%B3%E1%86%AF",
        "/%E3%83%8F%E3%82%9A",
        "/%D0%BE%D1%82%D1%87%D0%B5%CC%88%D1%82",
    ]);
    priced(&[("/caf%C3%A9", DEAR), ("/%ED%95%9C%EA%B8%80", DEAR)]);
}

#[test]
pub fn a_letter_is_its_base_and_what_it_looks_like() {
    refused(&[
        "/cafe",
        "/caf%C3%A8",
        "/CAF%C3%89",
        "/v%C3%ADp",
        "/v%C3%ADp",
        "/p%E1%BA%A3id/x",
        "/o%EF%AC%80ice",
        "/o%EF%AC%83ce",
        "/vi%E2%93%9F",
        "/vi%E2%93%85",
        "/vi%E2%92%AB",
        "/vi%E2%82%9A",
        "/vi%E1%B5%96",
        "/vi%D1%80",
        "/vi%CF%81",
        "/v%E2%85%B0p",
        "/%F0%9D%93%BFip",
        "/%F0%9F%85%85ip",
        "/%C2%AAnnual-report-2026",
        "/annual-report-202%E2%91%A5",
        "/annual-report-202%F0%9D%9F%94",
    ]);
    priced(&[
        ("/%D0%BE%D1%82%D1%87%D1%91%D1%82", DEAR),
        ("/%E5%B9%B4", CHEAP),
        ("/v%C3%AAr", CHEAP),
    ]);
}

#[test]
pub fn the_nameless_streams_of_a_file_are_the_file() {
    refused(&[
        "/vip::$DATA",
        "/vip%3A%3A$data",
        "/vip::",
        "/vip:",
        "/paid:$I30:$INDEX_ALLOCATION/x",
        "/paid::$INDEX_ALLOCATION/x",
    ]);
    priced(&[("/vip:export", CHEAP), ("/other::$DATA", CHEAP), ("/10:30", CHEAP)]);
}

#[test]
pub fn sessions_in_a_path_are_no_part_of_it() {
    refused(&[
        "/(S(abc))/vip",
        "/(A(x)S(y)F(z))/vip",
        "/%28s%28abc%29%29/paid/x",
        "/paid(S(abc))/x",
        "/v(S(abc))ip",
        "/(S(a))(S(b))vip",
    ]);
    priced(&[("/(S(abc)/vip", CHEAP), ("/()vip", CHEAP), ("/f(x)/vip", CHEAP), ("/(vip)", CHEAP)]);
}

#[test]
pub fn a_short_name_of_windows_is_a_name_of_the_file() {
    refused(&[
        "/annual~1",
        "/ANNUAL~1",
        "/annual~2.htm",
        "/an3F7C~1",
        "/myrepo~1",
        "/pai~1/x",
        "/annual%7E1",
    ]);
    priced(&[("/annual~x", CHEAP), ("/~1", CHEAP), ("/other~1", CHEAP), ("/~vip", CHEAP)]);
}

#[test]
fn beside_one_price_whatever_is_free_stays_free_however_it_is_spelled() {
    let mut world = World::with(vars(json!([{"path": "/paid/*", "price": "$1.00"}])));
    for target in [
        "/caf%C3%A9",
        "/%D0%BF%D1%80%D0%BE",
        "/search/a+b",
        "/a:b::$DATA",
        "/(S(abc))/x",
        "/~paid/x",
        "/progra~1",
        "/%E2%9D%A4%EF%B8%8F",
        "/r%C3%A9sum%C3%A9/%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB",
        "/%ED%95%9C%EA%B8%80",
        "/wiki/Talk:%C3%89t%C3%A9_(film)",
    ] {
        assert_eq!(world.ask(target).status, 200, "{target}");
    }
}
