//! Requests that are refused for what they are, before anything is begun for them, or cost little although they are large.

use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::Step;
use farebox_core::http::BodyPresence;
use farebox_core::problem::Code;

use crate::world::{With, World, get, request};

//
#[test]
pub fn a_get_with_a_body_is_refused_before_anything_is_begun() {
    for (method, fields) in [("GET", &[][..]), ("HEAD", &[]), ("GET", &[("content-length", "2")])] {
        let mut world = World::new();
        let payment = world.sign("/after");
        let mut head = request(method, "/after").header(payment.header, &payment.value);
        head.body = BodyPresence::Present;
        let head = fields.iter().fold(head, |head, (name, value)| head.header(name, value));
        let response = world.send_body(head, b"{}");
        assert_eq!((response.status, response.problem().as_str()), (400, "unexpected_body"));
        assert_eq!((world.ledger.commands, world.origin.calls.len()), (0, 0), "{method}");
        assert_eq!(world.present(&payment).status, 200, "the payment stays good");
    }
}

//
#[test]
pub fn a_body_that_breaks_off_begins_nothing() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut head = request("POST", target).header(payment.header, &payment.value);
        head.body = BodyPresence::Present;
        let facilitators = vec![Condition {
            health: SettlementHealth::Good,
            consecutive_failures: 0,
            ready: true,
        }];
        let (attempts, now) = (&mut Attempts::new(), world.now());
        let mut around = Isolate {
            facilitators,
            payers: const { &PayerHistory::new() },
            attempts,
            client: None,
        };
        let step = world.gate.admit(head, "correlation-broken", &mut around, now);
        let Admission::Pay(Step::Digest(digesting)) = step else {
            panic!("its digest comes first")
        };
        let Step::Respond(reply) = digesting.broken() else { panic!("something is begun") };
        assert_eq!((reply.head.status, reply.code), (400, Some(Code::IncompleteBody)), "{target}");
    }
}

#[test]
pub fn a_separator_that_is_encoded_three_times_is_refused_wherever_it_stands() {
    let mut world = World::new();
    for target in ["/free/a%25252fb", "/free%25252E/a", "/a/%2525253b", "/free/x%252525252f"] {
        let response = world.ask(target);
        let said = (response.status, response.problem());
        assert_eq!(said, (400, "ambiguous_target".to_owned()), "{target}");
    }
    assert_eq!(world.origin.calls.len(), 0);
    assert_eq!(world.ask("/free/a%252561").status, 200, "a letter stays one");
}

//
#[test]
pub fn a_path_of_bytes_that_are_no_utf_8_is_refused() {
    let mut world = World::new();
    for target in ["/free/%EF%BF%BD", "/items/%ef%bf%bd", "/after%EF%bf%BD/x"] {
        let response = world.ask(target);
        let said = (response.status, response.problem());
        assert_eq!(said, (400, "ambiguous_target".to_owned()), "{target}");
    }
    assert_eq!(world.origin.calls.len(), 0);
}

//
#[test]
pub fn a_request_with_more_fields_or_longer_lists_than_any_client_needs_is_refused_on_every_path() {
    let lists =
        ["accept", "accept-payment", "authorization", "connection", "payment-authorization"];
    for target in ["/free", "/after", "/Free%20"] {
        let fields = |count: u32| {
            (0..count).fold(get(target), |head, index| head.header(&format!("x-{index}"), "1"))
        };
        let text = |bytes: usize| get(target).header("x-text", &"x".repeat(bytes));
        let list = |name: &str, items: usize| get(target).header(name, &"a/b,".repeat(items));
        let mut world = World::new();
        let lists = lists.map(|name| list(name, 300));
        for head in [fields(20_000), text(65_536)].into_iter().chain(lists) {
            let said = world.send(head);
            assert_eq!(
                (said.status, said.problem().as_str()),
                (431, "header_too_large"),
                "{target}"
            );
        }
        assert!(world.origin.calls.is_empty() && world.ledger.entries().is_empty(), "{target}");
        for head in [fields(200), text(60_000), list("accept", 200), list("connection", 200)] {
            assert_ne!(world.send(head).status, 431, "{target}");
        }
    }
}
