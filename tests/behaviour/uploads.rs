//! Long bodies on their way to the origin: how long they may take, and what is told of work that took too long. Spec:
//! docs/origin.md, "Slow uploads".

use farebox_core::gate::paid::MAX_DIGESTED_BYTES;
use farebox_core::http::{BodyPresence, RequestHead};
use serde_json::json;

use crate::world::payer::Payment;
use crate::world::{Running, World, paid, vars};

const MODES: [&str; 2] = ["/after", "/before"];
static LONG: [u8; MAX_DIGESTED_BYTES + 1] = [0; MAX_DIGESTED_BYTES + 1];
/// The defaults: seconds of the origin, of the settlement and its margin, and for which an authorization is signed.
const ORIGIN: u64 = 60;
const SETTLE: u64 = 36;
const SIGNED: u64 = 300;

fn upload(payment: &Payment) -> RequestHead {
    let mut head = paid(payment);
    head.method = "POST".to_owned();
    head.body = BodyPresence::Present;
    head
}

/// A request whose body is on its way to the origin.
fn flowing(world: &mut World, head: RequestHead, body: &[u8]) -> Running {
    let mut running = world.start(head, body);
    while running.next() != "forward" {
        assert!(world.advance(&mut running));
    }
    running
}

#[test]
fn a_long_body_that_flows_for_minutes_is_answered_for_its_payment() {
    for (target, upload_secs) in [("/after", SIGNED - SETTLE - ORIGIN), ("/before", 300)] {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut owner = flowing(&mut world, upload(&payment), &LONG);
        world.wait(upload_secs + ORIGIN - 2);
        assert_eq!(world.send_body(upload(&payment), &LONG).problem(), "payment_in_progress");
        while world.advance(&mut owner) {}
        assert_eq!(owner.response.unwrap().status, 200, "{target}");
        assert_eq!(world.origin.calls[0].upload_secs, upload_secs, "{target}");
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
        assert_eq!(world.ledger.state().name(), "delivered");
    }
}

#[test]
pub fn a_body_flows_no_longer_than_its_payment_leaves_time_to_settle() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.wait(100);
    let mut owner = flowing(&mut world, upload(&payment), &LONG);
    while world.advance(&mut owner) {}
    assert_eq!(world.origin.calls[0].upload_secs, SIGNED - 100 - SETTLE - ORIGIN);
}

#[test]
fn a_body_that_was_read_before_takes_none_of_that_time() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let response = world.send_body(upload(&payment), b"short");
        assert_eq!((response.status, world.origin.calls[0].upload_secs), (200, 0), "{target}");
    }
}

#[test]
fn work_that_outlasts_its_lease_is_told_as_its_row_says() {
    for (target, status, code) in [("/after", 409, "origin_failed"), ("/before", 504, "refund_due")]
    {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut owner = flowing(&mut world, upload(&payment), b"short");
        world.wait(90);
        while world.advance(&mut owner) {}
        let response = owner.response.unwrap();
        assert_eq!((response.status, response.problem().as_str()), (status, code), "{target}");
        let settles = usize::from(target == "/before");
        assert_eq!(world.facilitator.settles.len(), settles, "{target}");
    }
}

#[test]
fn work_that_was_begun_again_meanwhile_is_told_to_be_in_progress() {
    for mode in ["after", "before"] {
        let route =
            json!([{"path": "/again", "price": "$0.01", "settle": mode, "idempotent": true}]);
        let mut world = World::with(vars(route));
        let payment = world.sign_as("/again", "canary-identifier");
        let mut first = flowing(&mut world, paid(&payment), b"");
        world.wait(90);
        let mut second = flowing(&mut world, paid(&payment), b"");
        while world.advance(&mut first) {}
        let response = first.response.unwrap();
        let told = (response.status, response.problem());
        assert_eq!(told, (409, "payment_in_progress".to_owned()), "{mode}");
        while world.advance(&mut second) {}
        assert_eq!(second.response.unwrap().status, 200, "{mode}");
        assert_eq!(world.facilitator.settles.len(), 1, "{mode}");
    }
}
