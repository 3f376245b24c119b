//! Redirects of the origin: sold only where the route says so. Spec: docs/requests.md, "HTTP".

use farebox_core::problem::Code;
use serde_json::json;

use crate::world::facilitator::Settle;
use crate::world::origin::Say;
use crate::world::{With, World, get, routes, vars};

const MODES: [&str; 2] = ["/after", "/before"];
const ELSEWHERE: &str = "302\nlocation: https://bucket.example/file?signature=secret";

//
#[test]
pub fn a_redirect_is_no_delivery_and_tells_nothing() {
    for (target, state, problem) in
        [("/after", "abandoned", "origin_failed"), ("/before", "refund_due", "refund_due")]
    {
        for say in [ELSEWHERE, "303\nlocation: /login", "300", "308\nlocation: /after/other/"] {
            let mut world = World::new();
            world.origin.plan.push_back(Say::Whole(say, "secret"));
            let response = world.pay(target);
            assert_eq!((response.status, response.problem().as_str()), (502, problem), "{say}");
            assert_eq!(response.headers.get("location"), None);
            assert!(!response.names("secret"), "{say}");
            assert_eq!(world.ledger.state().name(), state, "{target} {say}");
            assert_eq!(world.facilitator.settles.len(), usize::from(target == "/before"));
        }
    }
    let mut world = World::new();
    world.origin.plan.push_back(Say::Whole(ELSEWHERE, ""));
    let response = world.pay("/after");
    assert_eq!(response.code, Some(Code::OriginRedirected));
    assert!(response.names("the origin redirected this request, and redirects are not sold here"));
}

#[test]
fn the_way_to_the_same_path_with_or_without_a_slash_passes_and_costs_nothing() {
    for location in ["/after/", "http://127.0.0.1:9000/base/after/", "https://shop.example/after/"]
    {
        let mut world = World::new();
        let head: &'static str = Box::leak(format!("301\nlocation: {location}").into_boxed_str());
        world.origin.plan.push_back(Say::Whole(head, ""));
        let response = world.pay("/after");
        let to = location.replace("http://127.0.0.1:9000/base", "");
        assert_eq!((response.status, response.headers.get("location")), (301, Some(to.as_str())));
        assert!(!response.is_delivery(), "{location}");
        assert_eq!(world.facilitator.settles.len(), 0);
    }
    // What was paid before the origin was asked is owed.
    let mut world = World::new();
    world.origin.plan.push_back(Say::Whole("301\nlocation: /before/", ""));
    assert_eq!(world.pay("/before").problem(), "refund_due");
}

#[test]
fn a_route_that_sells_redirects_delivers_one_once_it_is_paid() {
    let mut world = World::new();
    let payment = world.sign_as("/moves", "canary-identifier");
    for _ in 0..2 {
        world.origin.plan.push_back(Say::Whole(ELSEWHERE, ""));
    }
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    let unknown = world.present(&payment);
    assert_eq!((unknown.status, unknown.headers.get("location")), (503, None));
    world.wait(60);
    for _ in 0..2 {
        let response = world.present(&payment);
        assert_eq!(response.status, 302);
        assert_eq!(response.headers.get("location"), ELSEWHERE.strip_prefix("302\nlocation: "));
        assert!(response.headers.get("payment-replayed").is_some());
    }
    assert_eq!(world.origin.calls.len(), 1);
    assert!(world.facilitator.chain.is_paid(&payment.nonce));
}

//
#[test]
pub fn a_page_pays_for_no_redirect_because_it_cannot_follow_one() {
    let mut vars = vars(routes());
    vars["bindings"] = json!(["PAGES"]);
    let mut world = World::with(vars);
    for (target, pays) in [("/after", true), ("/moves", false)] {
        let head = get(target).header("user-agent", "Mozilla/5.0").header("accept", "text/html");
        let page = world.send(head);
        assert_eq!(page.status, 402, "{target}");
        assert_eq!(page.names("<script"), pays, "{target}");
        let policy = page.headers.get("content-security-policy").unwrap();
        assert_eq!(policy.contains("script-src"), pays, "{target}: {policy}");
        assert_eq!(page.payment_required()["accepts"][0]["amount"], "10000", "{target}");
    }
}

#[test]
fn without_a_price_a_redirect_passes() {
    let mut world = World::new();
    world.origin.plan.push_back(Say::Whole(ELSEWHERE, ""));
    assert_eq!(world.send(get("/free")).status, 302);
    for target in MODES {
        assert_eq!(world.ask(target).status, 402);
    }
}
