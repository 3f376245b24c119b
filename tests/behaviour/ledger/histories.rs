//! The published fault histories, played through the gate, its alarm and a chain to look at; then everything that is
//! still due is done, and the final facts must hold.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use serde_json::Value;

use crate::world::facilitator::Settle;
use crate::world::origin::Say;
use crate::world::{Running, World, paid};

/// A gate with a chain to look at.
static GATE: LazyLock<&'static Gate> = LazyLock::new(|| World::with_chain().gate);

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// The client sends the request, perhaps again.
    Request,
    /// The gate goes on with it.
    Advance,
    /// As [`Act::Advance`], and the origin fails.
    OriginFails,
    /// As [`Act::Advance`], and the facilitator gives no answer, though its call may land later.
    SettleSilent,
    /// Memory is lost.
    Crash,
    /// The clock runs to what is due next, and the alarm does it.
    Alarm,
    /// The authorization ends.
    Expire,
    /// The payer cancels.
    Cancel,
    /// Somebody else submits.
    Broadcast,
    /// A pending call takes effect or is dropped.
    Drop,
}

const EVENTS: &[(&str, Act)] = &[
    ("request", Act::Request),
    ("retry", Act::Advance),
    ("verify_ok_reserve", Act::Advance),
    ("mark_settling", Act::Advance),
    ("mark_executing", Act::Advance),
    ("settle_sent", Act::SettleSilent),
    ("settle_timeout", Act::Advance),
    ("settle_error_reply", Act::Advance),
    ("settle_ok", Act::Advance),
    ("settle_dropped", Act::Drop),
    ("start_origin", Act::Advance),
    ("origin_ok", Act::Advance),
    ("origin_error", Act::OriginFails),
    ("origin_refused_connection", Act::OriginFails),
    ("hold_response", Act::Advance),
    ("commit_response", Act::Advance),
    ("resume", Act::Advance),
    ("release", Act::Advance),
    ("abandon", Act::Advance),
    ("back_to_settled", Act::Advance),
    ("conflict409", Act::Advance),
    ("inprogress409", Act::Advance),
    ("wait409", Act::Advance),
    ("fresh402", Act::Advance),
    ("crash", Act::Crash),
    ("time_expires", Act::Expire),
    ("payer_cancels", Act::Cancel),
    ("third_party_broadcasts", Act::Broadcast),
    ("al_release", Act::Alarm),
    ("al_abandon", Act::Alarm),
    ("al_void", Act::Alarm),
    ("al_void_dead", Act::Alarm),
    ("al_settled", Act::Alarm),
    ("al_settled_late", Act::Alarm),
    ("al_refund_late", Act::Alarm),
    ("al_refund_deadline", Act::Alarm),
    ("al_refund_unknown_origin", Act::Alarm),
    ("al_deliverable", Act::Alarm),
    ("al_resend_same_payload", Act::Alarm),
];

/// An event's name and whose it is.
fn parse(event: &str) -> (Act, Option<usize>) {
    let who = event.chars().last().and_then(|last| last.to_digit(10)).map(|digit| digit as usize);
    let known = |name: &str| EVENTS.iter().find(|(event, _)| *event == name).map(|(_, act)| *act);
    if let Some(act) = known(event) {
        return (act, None);
    }
    let name = event.trim_end_matches(['0', '1']).trim_end_matches('_');
    (known(name).unwrap_or_else(|| panic!("unknown event {event}")), who)
}

struct Facts {
    copies: [u32; 2],
    terms_in_doubt: u32,
}

fn replay(case: &Value, target: &str) -> (World, Facts) {
    let mut world = World::around(&GATE);
    let required = world.ask(target).payment_required();
    let now = world.now().secs();
    let payment = world.payer.sign_with(&required, now, |message| {
        message.as_object_mut().unwrap().remove("resource");
    });
    let mut elsewhere = payment.clone();
    elsewhere.target = format!("{target}/other");
    let payments = [payment.clone(), elsewhere];
    let mut running: BTreeMap<usize, Vec<Running>> = BTreeMap::new();
    let mut facts = Facts { copies: [0, 0], terms_in_doubt: 0 };
    let hear = |world: &World, facts: &mut Facts, who: usize, request: &Running| {
        let Some(response) = &request.response else {
            return;
        };
        facts.copies[who] += u32::from(response.is_delivery());
        let doubt = world.facilitator.settles_of(&payment.nonce) > 0;
        facts.terms_in_doubt += u32::from(response.has_terms() && doubt);
    };
    let step = |world: &mut World,
                facts: &mut Facts,
                running: &mut BTreeMap<usize, Vec<Running>>,
                who: usize| {
        let Some(requests) = running.get_mut(&who) else {
            return;
        };
        if let Some(request) = requests.first_mut()
            && !world.advance(request)
        {
            hear(world, facts, who, request);
            requests.remove(0);
        }
    };
    for event in case["events"].as_array().unwrap() {
        let (act, who) = parse(event.as_str().unwrap());
        let who = who.unwrap_or(0);
        match act {
            Act::Request => {
                let request = world.start(paid(&payments[who]), b"");
                running.entry(who).or_default().push(request);
            }
            Act::Advance => step(&mut world, &mut facts, &mut running, who),
            Act::OriginFails => {
                world.origin.plan.push_back(Say::Lost);
                step(&mut world, &mut facts, &mut running, who);
                world.origin.plan.clear();
            }
            Act::SettleSilent => {
                world.facilitator.settle_plan.push_back(Settle::SilentLate);
                step(&mut world, &mut facts, &mut running, who);
                world.facilitator.settle_plan.clear();
            }
            Act::Crash => running.clear(),
            Act::Alarm => {
                if let Some(wake) = world.wake_at() {
                    world.set_ms(world.now_ms.max(wake.secs() * 1000));
                }
                world.alarm();
            }
            Act::Expire => world.set_ms(world.now_ms.max((payment.valid_before + 1) * 1000)),
            Act::Cancel => {
                world.facilitator.chain.cancel(&payment.nonce);
            }
            Act::Broadcast => {
                world.facilitator.chain.submit(&payment.nonce);
            }
            Act::Drop => {
                world.facilitator.chain.fates.entry(payment.nonce.clone()).or_default().pending = 0;
            }
        }
    }
    for who in 0..2 {
        while running.get(&who).is_some_and(|requests| !requests.is_empty()) {
            step(&mut world, &mut facts, &mut running, who);
        }
    }
    world.facilitator.chain.land();
    for _ in 0..400 {
        let Some(wake) = world.wake_at() else { break };
        world.set_ms(world.now_ms.max(wake.secs() * 1000));
        world.alarm();
    }
    (world, facts)
}

/// What the history's end allows. Histories whose steps are not ours one by one may end with less done: the origin
/// not asked, or asked and nothing charged.
fn ends_right(world: &World, case: &Value, name: &str) {
    let is_paid = world.facilitator.chain.fates.values().any(|fate| fate.transfers > 0);
    for entry in world.ledger.entries() {
        let state = entry.state.name();
        let fits = match state.as_str() {
            "delivered" | "refund_due" => is_paid,
            "void" => !is_paid,
            "manual" => {
                let State::Manual { why, .. } = entry.state else { return };
                matches!(why, Why::StreamLost | Why::PaidBefore)
            }
            _ => false,
        };
        assert!(fits, "{name}: {state}, paid: {is_paid}");
        let end = &case["final"];
        if end["authorization"] == "cancelled" && !is_paid {
            assert_eq!(state, "void", "{name}");
        }
    }
}

// I-12
#[test]
fn every_published_history_keeps_what_must_never_break() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/security/ledger_histories.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let cases = document["cases"].as_array().unwrap();
    assert!(cases.len() >= 90, "{}", cases.len());
    let mut ends = BTreeMap::<String, u32>::new();
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let target = match case["policy"].as_str().unwrap() {
            "settle-before-origin" => "/before",
            "settle-after-origin" => "/after",
            other => panic!("{name}: unknown policy {other}"),
        };
        let (world, facts) = replay(case, target);
        assert!(world.origin.calls.len() <= 1, "{name}: {} origin runs", world.origin.calls.len());
        assert!(facts.copies.iter().sum::<u32>() <= 1, "{name}: {:?}", facts.copies);
        assert_eq!(facts.terms_in_doubt, 0, "{name}");
        let paid = world.facilitator.chain.fates.values().any(|fate| fate.transfers > 0);
        let delivered = facts.copies.iter().any(|copies| *copies > 0);
        assert!(paid || !delivered, "{name}: delivered unpaid");
        for entry in world.ledger.entries() {
            let state = entry.state.name();
            let money = ["settled", "delivering", "delivered", "refund_due"];
            assert!(paid || !money.contains(&state.as_str()), "{name}: {state} unpaid");
        }
        ends_right(&world, case, name);
        // A row for which no money was asked is gone by now.
        let end = world.ledger.entries().first().map(|entry| entry.state.name());
        *ends.entry(end.unwrap_or_else(|| "forgotten".to_owned())).or_default() += 1;
        let mut bodies: Vec<_> = world.facilitator.settles.iter().map(|(_, body)| body).collect();
        bodies.dedup();
        assert!(bodies.len() <= 1, "{name}: settle calls differ");
    }
    for state in ["void", "refund_due", "delivered", "forgotten"] {
        assert!(ends.contains_key(state), "{ends:?}");
    }
    eprintln!("{ends:?}");
}
