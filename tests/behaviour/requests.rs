//! Requests that are refused for what they are, before anything is begun for them, or cost little although they are large.

use std::time::{Duration, Instant};

use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::Step;
use farebox_core::http::BodyPresence;
use farebox_core::problem::Code;

use crate::world::{With, World, get, request};

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
        let mut around = Isolate { facilitators, attempts, client: None };
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

/// The quickest of three requests with so many names in `Connection` and so many fields.
fn quickest(target: &str, names: usize, fields: usize) -> Duration {
    let names: Vec<String> = (0..names).map(|index| format!("h{index}")).collect();
    let head = get(target).header("connection", &names.join(","));
    let head = (0..fields).fold(head, |head, index| head.header(&format!("x-{index}"), "1"));
    let spent = (0..3).map(|_| {
        let (mut world, head) = (World::new(), head.clone());
        let begun = Instant::now();
        world.send(head);
        begun.elapsed()
    });
    spent.min().unwrap()
}

#[test]
pub fn many_names_beside_many_fields_cost_what_each_costs_alone() {
    for target in ["/free", "/after"] {
        let apart = quickest(target, 40_000, 1) + quickest(target, 1, 20_000);
        let together = quickest(target, 40_000, 20_000);
        // Compared one by one they cost twenty times as much.
        assert!(together < apart * 5, "{target}: {together:?}, apart {apart:?}");
    }
}
