//! Who may receive a stored response once more, and what streams instead of being stored. Spec: docs/repeats.md, "Repeats".

use farebox_core::gate::paid::StreamEnd;
use farebox_core::ledger::State;

use crate::world::facilitator::{Repeats, Settle};
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::{HOST, Response, With, World, paid};

const MODES: [&str; 2] = ["/after", "/before"];

fn with_key(payment: &Payment, key: &str) -> farebox_core::http::RequestHead {
    paid(payment).header("idempotency-key", key)
}

fn is_replay_of(replay: &Response, first: &Response) {
    assert_eq!(replay.status, first.status);
    assert_eq!(replay.headers.get("payment-replayed"), Some("true"));
    assert_eq!(first.headers.get("payment-replayed"), None);
    assert_eq!(replay.body, first.body);
    assert_eq!(replay.settlement(), first.settlement());
    assert_eq!(replay.headers.get("cache-control"), Some("private, no-store"));
    assert_eq!(replay.headers.get("content-type"), first.headers.get("content-type"));
    assert_ne!(replay.headers.get("x-correlation-id"), first.headers.get("x-correlation-id"));
}

#[test]
fn a_repeat_with_the_payment_identifier_of_the_first_request_is_replayed() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign_as(target, "canary-identifier");
        let first = world.present(&payment);
        assert_eq!(first.status, 200);
        for secs in [0, 100, 3_600, 80_000] {
            world.wait(secs);
            is_replay_of(&world.present(&payment), &first);
        }
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
    }
}

#[test]
fn only_an_idempotency_key_of_22_to_128_characters_is_a_secret() {
    let long = "k".repeat(129);
    for target in MODES {
        for (key, proves) in [
            ("k".repeat(21), false),
            ("k".repeat(22), true),
            ("k".repeat(128), true),
            (long.clone(), false),
        ] {
            let mut world = World::new();
            let payment = world.sign(target);
            let first = world.send(with_key(&payment, &key));
            assert_eq!(first.status, 200);
            let repeat = world.send(with_key(&payment, &key));
            if proves {
                is_replay_of(&repeat, &first);
            } else {
                assert_eq!(
                    (repeat.status, repeat.problem().as_str()),
                    (409, "payment_already_delivered")
                );
            }
            let other = world.send(with_key(&payment, &"o".repeat(22)));
            assert_eq!(other.problem(), "payment_already_delivered");
            assert_eq!(world.present(&payment).problem(), "payment_already_delivered");
            assert_eq!(world.origin.calls.len(), 1);
        }
    }
}

//
#[test]
pub fn a_payment_header_alone_never_fetches_what_was_delivered() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        assert_eq!(world.present(&payment).status, 200);
        for secs in [0, 1, 59, 61, 4_000] {
            world.wait(secs);
            let repeat = world.send(with_key(&payment, &"guess".repeat(5)));
            assert_eq!(repeat.problem(), "payment_already_delivered");
        }
    }
}

//
#[test]
pub fn a_reader_of_the_chain_cannot_resume_an_undelivered_response() {
    for target in MODES {
        // The owner vanished after his settle call landed; the header is public from then on.
        for touches in [vec![120], vec![36, 62, 1, 1], vec![97, 2, 2, 2]] {
            let mut world = World::new();
            world.facilitator.repeats = Repeats::Idempotent;
            let payment = world.sign(target);
            let mut owner = world.start(paid(&payment), b"");
            while owner.next() != "settle" {
                world.advance(&mut owner);
            }
            world.advance(&mut owner);
            drop(owner);
            assert!(world.facilitator.chain.is_paid(&payment.nonce));
            let late = touches.iter().scan(0, |sum, secs| {
                *sum += secs;
                Some(*sum)
            });
            for (secs, elapsed) in touches.iter().zip(late.collect::<Vec<u64>>()) {
                world.wait(*secs);
                if elapsed <= 35 + 60 {
                    world.ledger.lapse(world.now());
                    continue;
                }
                let watcher = world.present(&payment);
                assert_eq!(watcher.status, 409, "{target} {touches:?}: {}", watcher.problem());
            }
            assert!(world.origin.calls.len() <= 1);
        }
    }
}

#[test]
fn the_first_payer_with_a_secret_resumes_whenever_he_comes() {
    for target in MODES {
        let mut world = World::new();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = world.sign_as(target, "canary-identifier");
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown");
        world.wait(250);
        let mut stranger = payment.clone();
        let message = crate::world::decoded(&payment.value);
        let mut bare = message.clone();
        bare.as_object_mut().unwrap().remove("extensions");
        stranger.value = farebox_core::encoding::base64::encode(bare.to_string().as_bytes());
        assert_eq!(
            world.present(&stranger).status,
            409,
            "without the secret nothing is handed out"
        );
        let response = world.present(&payment);
        assert_eq!(response.status, 200, "{target} {}", response.problem());
        assert_eq!(world.origin.calls.len(), 1);
    }
}

// I-08
#[test]
fn a_response_is_sealed_before_its_first_byte_leaves() {
    for (target, before_answer) in [("/after", "settle"), ("/before", "respond")] {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut running = world.start(paid(&payment), b"");
        while running.next() != before_answer {
            assert!(running.response.is_none());
            world.advance(&mut running);
        }
        let sealed = world.ledger.sealed();
        assert_eq!(sealed.len(), 1, "{target}");
        while world.advance(&mut running) {}
        assert_eq!(running.response.unwrap().body, sealed[0].1);
        assert!(
            !sealed[0].0.contains("\nx-correlation-id:"),
            "what belongs to one answer is not stored"
        );
    }
}

//
#[test]
fn what_is_long_slow_or_a_stream_is_not_stored() {
    let event_stream = "200\ncontent-type: Text/Event-Stream; charset=utf-8";
    let table = [
        (Say::Whole(event_stream, "data: 1"), false),
        (Say::Whole("200\ncontent-type: application/x-ndjson", "{}"), false),
        (Say::Whole("200\ncontent-type: application/json\ncontent-length: 1048577", ""), false),
        (Say::Bytes("200\ncontent-type: text/plain", 1_048_576), true),
        (Say::Bytes("200\ncontent-type: text/plain", 1_048_577), false),
        (Say::Slow("200\ncontent-type: text/plain", StreamEnd::Complete), false),
        (Say::Stuck("200\ncontent-type: text/plain"), false),
        (Say::Whole("204", ""), true),
        (Say::Whole("201\nlocation: /next", ""), true),
    ];
    for target in ["/after", "/before"] {
        for (say, stored) in &table {
            let mut world = World::new();
            world.origin.plan.push_back(say.clone());
            let payment = world.sign_as(target, "canary-identifier");
            let response = world.present(&payment);
            assert!(response.is_delivery(), "{target} {say:?} {response:?}");
            assert_eq!(response.stream.is_none(), *stored, "{say:?}");
            assert_eq!(world.ledger.sealed().len(), usize::from(*stored), "{say:?}");
            let repeat = world.present(&payment);
            let replayed = repeat.headers.get("payment-replayed").is_some();
            assert_eq!(replayed, *stored, "{target} {say:?} {}", repeat.problem());
            assert_eq!(world.origin.calls.len(), 1);
        }
    }
}

#[test]
fn a_route_that_stores_nothing_streams() {
    let mut world = World::new();
    let payment = world.sign_as("/unstored", "canary-identifier");
    let response = world.present(&payment);
    assert_eq!(response.stream, Some(StreamEnd::Complete));
    assert_eq!(world.ledger.state().name(), "delivered");
    assert_eq!(world.present(&payment).problem(), "payment_already_delivered");
}

//
#[test]
fn the_end_of_a_stream_decides_what_is_owed() {
    for target in MODES {
        for (end, state) in [
            (StreamEnd::Complete, "delivered"),
            (StreamEnd::ClientLeft, "delivered"),
            (StreamEnd::Broken, "refund_due"),
        ] {
            let mut world = World::new();
            world.origin.plan.push_back(Say::Slow("200\ncontent-type: text/event-stream", end));
            let response = world.pay(target);
            assert!(response.is_delivery());
            assert_eq!(world.ledger.state().name(), state, "{target} {end:?}");
        }
        let mut world = World::new();
        world.origin.plan.push_back(Say::Whole(
            "200\ncontent-type: text/event-stream\ncontent-length: 9",
            "short",
        ));
        world.pay(target);
        assert_eq!(world.ledger.state().name(), "refund_due", "fewer bytes than promised");
        let mut world = World::new();
        let encoded =
            "200\ncontent-type: text/event-stream\ncontent-length: 9\ncontent-encoding: gzip";
        world.origin.plan.push_back(Say::Whole(encoded, "short"));
        world.pay(target);
        assert_eq!(
            world.ledger.state().name(),
            "delivered",
            "lengths of encoded bodies do not compare"
        );
    }
}

#[test]
pub fn a_stream_is_not_lost_before_its_first_sign_of_life() {
    for target in MODES {
        let mut routes = crate::world::routes();
        for route in routes.as_array_mut().unwrap() {
            route["origin_timeout_secs"] = 3.into();
        }
        let mut world = World::with(crate::world::vars(routes));
        world
            .origin
            .plan
            .push_back(Say::Slow("200\ncontent-type: text/event-stream", StreamEnd::Complete));
        let payment = world.sign_as(target, "canary-identifier");
        let mut owner = world.start(paid(&payment), b"");
        while owner.response.is_none() {
            world.advance(&mut owner);
        }
        // Workers give the first one after 20 s.
        world.wait(30);
        assert_eq!(world.present(&payment).problem(), "payment_in_progress", "{target}");
        drop(owner);
        world.wait(30);
        assert_eq!(world.present(&payment).problem(), "under_review", "{target}");
    }
}

#[test]
fn a_lost_owner_of_a_stream_is_for_the_operator() {
    for target in MODES {
        let mut world = World::new();
        world
            .origin
            .plan
            .push_back(Say::Slow("200\ncontent-type: text/event-stream", StreamEnd::Complete));
        let payment = world.sign_as(target, "canary-identifier");
        let mut owner = world.start(paid(&payment), b"");
        while owner.response.is_none() {
            world.advance(&mut owner);
        }
        drop(owner);
        assert_eq!(world.present(&payment).problem(), "payment_in_progress");
        // The origin has 60 s.
        world.wait(66);
        let repeat = world.present(&payment);
        assert_eq!((repeat.status, repeat.problem().as_str()), (409, "under_review"));
    }
}

#[test]
fn a_stream_that_was_silent_for_long_is_what_its_holder_says_in_the_end() {
    for target in MODES {
        for (end, state) in [(StreamEnd::Complete, "delivered"), (StreamEnd::Broken, "refund_due")]
        {
            let mut world = World::new();
            let say = Say::Slow("200\ncontent-type: text/event-stream", end);
            world.origin.plan.push_back(say);
            let payment = world.sign_as(target, "canary-identifier");
            let mut owner = world.start(paid(&payment), b"");
            while owner.response.is_none() {
                world.advance(&mut owner);
            }
            world.wait(66);
            assert_eq!(world.present(&payment).problem(), "under_review");
            world.flows(&owner);
            assert!(matches!(world.ledger.state(), State::Delivering { .. }), "{target}");
            assert_eq!(world.present(&payment).problem(), "payment_in_progress");
            world.wait(66);
            assert_eq!(world.present(&payment).problem(), "under_review");
            while world.advance(&mut owner) {}
            assert_eq!(world.ledger.state().name(), state, "{target}");
        }
    }
}

#[test]
fn a_stream_whose_settlement_is_unknown_is_dropped() {
    let mut world = World::new();
    world.facilitator.repeats = Repeats::Idempotent;
    world
        .origin
        .plan
        .push_back(Say::Slow("200\ncontent-type: text/event-stream", StreamEnd::Complete));
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
    let response = world.present(&payment);
    assert_eq!((response.status, response.stream), (503, None));
    world.wait(2);
    let repeat = world.present(&payment);
    assert_eq!((repeat.status, repeat.problem().as_str()), (409, "refund_due"));
    assert_eq!(world.origin.calls.len(), 1);
}

/// A settle call that gets no answer until all of its time is over.
fn hangs() -> Settle {
    Settle::Slow(30_000, Box::new(Settle::SilentBefore))
}

//
#[test]
pub fn what_comes_for_a_client_that_was_answered_waits_to_be_fetched() {
    for target in ["/after", "/before"] {
        let mut world = World::with(World::chain_vars());
        let payment = world.sign(target);
        // The first call pays and its answer is lost; before the end of the second one the client is answered.
        world.facilitator.settle_plan.extend([Settle::SilentAfter, hangs()]);
        let first = world.present(&payment);
        assert_eq!((first.status, first.problem().as_str()), (503, "settlement_unknown"));
        world.pass(300);
        // Whoever only repeats a public header fetches nothing; the payer's next payment does, and is not settled.
        assert_eq!(world.present(&payment).problem(), "payment_already_delivered", "{target}");
        let next = world.sign(target);
        let fetched = world.present(&next);
        assert!(fetched.is_delivery(), "{target}: {}", fetched.problem());
        assert!(!world.facilitator.chain.is_used(&next.nonce), "{target}");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
        // Once.
        let third = world.sign(target);
        assert!(world.present(&third).is_delivery(), "{target}");
        assert!(world.facilitator.chain.is_paid(&third.nonce), "{target}");
    }
}

//
#[test]
fn a_stream_for_a_client_that_was_answered_is_owed() {
    let mut world = World::with(World::chain_vars());
    let stream = "200\ncontent-type: text/event-stream";
    world.origin.plan.push_back(Say::Slow(stream, StreamEnd::Complete));
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::SilentAfter, hangs()]);
    let first = world.present(&payment);
    assert_eq!((first.status, first.stream), (503, None));
    world.pass(300);
    assert_eq!(world.present(&payment).problem(), "refund_due");
}

#[test]
fn no_secret_and_no_body_reaches_the_ledger_in_plain_text() {
    let mut world = World::new();
    let key = "canary-idempotency-key-0123456789";
    let payment = world.sign("/after");
    world.send(with_key(&payment, key));
    let row = format!("{:?}", world.ledger.entries());
    assert!(!row.contains("canary"), "{row}");
}

//
#[test]
fn a_fresh_signature_of_the_payer_fetches_what_was_delivered() {
    for target in MODES {
        // With an identifier that the client has lost or changed since, or with none.
        for id in [None, Some("canary-identifier")] {
            let mut world = World::new();
            let payment = match id {
                Some(id) => world.sign_as(target, id),
                None => world.sign(target),
            };
            let first = world.present(&payment);
            assert_eq!(first.status, 200);
            for secs in [0, 100, 80_000] {
                world.wait(secs);
                let again = world.again(&payment, &world.payer);
                is_replay_of(&world.send(with_other_key(again)), &first);
            }
            assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
        }
    }
}

fn with_other_key(head: farebox_core::http::RequestHead) -> farebox_core::http::RequestHead {
    head.header("idempotency-key", &"o".repeat(22))
}

//
#[test]
fn whoever_rebuilt_the_header_from_the_chain_has_no_signature_that_fetches_it() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        assert_eq!(world.present(&payment).status, 200);
        let (watcher, now) = (Payer::new(9), world.now().secs());
        let url = format!("{HOST}{target}");
        let payer = &world.payer;
        let other_payment = Payment { value: payment.value.clone(), ..payment.clone() };
        let earlier = payer.redelivery(&payment, "GET", &url, now);
        let signatures = [
            watcher.redelivery(&other_payment, "GET", &url, now),
            payer.redelivery(&payment, "RECEIPT", &url, now),
            payer.redelivery(&payment, "GET", &format!("{url}/other"), now),
            payer.redelivery(&payment, "GET", &url, now - 121),
            payer.redelivery(&payment, "GET", &url, now + 121),
            "spoof".to_owned(),
            "A".repeat(17_000),
            format!("{earlier}, {}", watcher.redelivery(&payment, "GET", &url, now)),
        ];
        for signature in signatures {
            let repeat = world.send(paid(&payment).header("farebox-redelivery", &signature));
            let told = (repeat.status, repeat.problem());
            assert_eq!(told, (409, "payment_already_delivered".to_owned()), "{target} {signature}");
        }
        world.wait(121);
        let late = world.send(paid(&payment).header("farebox-redelivery", &earlier));
        assert_eq!(late.problem(), "payment_already_delivered", "a statement that was overheard");
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
fn a_signature_for_one_payment_fetches_no_other() {
    let mut world = World::new();
    let (first, second) = (world.sign("/after"), world.sign("/after"));
    world.present(&first);
    world.present(&second);
    let url = format!("{HOST}/after");
    let statement = world.payer.redelivery(&second, "GET", &url, world.now().secs());
    let repeat = world.send(paid(&first).header("farebox-redelivery", &statement));
    assert_eq!(repeat.problem(), "payment_already_delivered");
}

#[test]
fn a_signature_does_not_take_a_payment_to_another_request() {
    let mut world = World::new();
    let payment = world.sign("/items/1");
    assert_eq!(world.present(&payment).status, 200);
    let url = format!("{HOST}/items/1");
    let statement = world.payer.redelivery(&payment, "POST", &url, world.now().secs());
    let other = crate::world::request("POST", "/items/1").header(payment.header, &payment.value);
    let repeat = world.send(other.header("farebox-redelivery", &statement));
    assert_eq!((repeat.status, repeat.problem().as_str()), (409, "payment_already_used"));
}

#[test]
fn a_payer_with_a_signature_can_resume_at_any_time() {
    for target in MODES {
        let mut world = World::new();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown");
        world.wait(250);
        let watcher = world.again(&payment, &Payer::new(9));
        assert_eq!(world.send(watcher).problem(), "payment_already_delivered", "{target}");
        let again = world.again(&payment, &world.payer);
        let response = world.send(again);
        assert_eq!(response.status, 200, "{target} {}", response.problem());
        assert_eq!((world.origin.calls.len(), world.facilitator.chain.fates.len()), (1, 1));
    }
}

#[test]
fn a_signature_with_the_first_request_changes_nothing() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let again = world.again(&payment, &world.payer);
        let first = world.send(again);
        assert_eq!((first.status, first.headers.get("payment-replayed")), (200, None));
        assert_eq!(world.present(&payment).problem(), "payment_already_delivered");
    }
}
