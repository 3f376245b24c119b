//! Every history of a small world through the whole gate, its object, its alarm and its chain: one payment, by one protocol
//! or by both, two requests for different resources, one of them repeated, and up to [`Bounds`] of what can go wrong.
//!
//! Each history is played by the code that ships: where histories part, all that is in memory, on its way and stored is copied.
//! They are told apart by all that their requests were told and all that is stored. Spec: docs/design.md, "The ledger".

mod run;

use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::LazyLock;

use farebox_core::gate::Gate;
use farebox_core::ledger::command::Mode;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use serde_json::json;

use self::run::{Bounds, Run, Setting};
use crate::world::{World, mpp};

/// What a client says with its payment, to prove a repeat.
const SECRET: &str = "canary-identifier-0123456789";

const BOUNDS: Bounds = Bounds { crashes: 2, faults: 2, foreign: 1, alarms: 3, all: 2 };

/// A gate per kind of world: with a chain and without.
static GATES: LazyLock<[Gate; 2]> = LazyLock::new(|| {
    [true, false].map(|chain| {
        let mut vars = World::chain_vars();
        vars["RECOVERY"] = json!({
            "resend_secs": [5], "chain_secs": [60, 600], "refund_secs": 600, "manual_secs": 3600,
        });
        if !chain {
            vars.as_object_mut().unwrap().remove("RPC_URL");
            vars["ROUTES"].as_array_mut().unwrap().retain(|route| route.get("confirm").is_none());
        }
        Gate::from_vars(&vars.to_string()).unwrap()
    })
});

/// What an exploration has seen.
#[derive(Debug, Default)]
struct Seen {
    states: usize,
    histories: usize,
    ends: BTreeSet<String>,
    receipts: BTreeSet<&'static str>,
}

/// Visits everything within the bounds; the first violation ends it, with its history.
fn explore(setting: Setting, most: usize) -> Result<Seen, String> {
    let mut signer = World::around(&GATES[0]);
    let target = if setting.mode == Mode::After { "/after" } else { "/before" };
    let required = signer.ask(target).payment_required();
    let echoes = [target.to_owned(), format!("{target}/other")]
        .map(|target| mpp::echo_of(&signer.ask(&target)));
    let now = signer.now().secs();
    let payment = signer.payer.sign_with(&required, now, |message| {
        message.as_object_mut().unwrap().remove("resource");
        if setting.secret {
            let id = json!({"payment-identifier": {"info": {"id": SECRET}}});
            message["extensions"] = id;
        }
    });
    let mut keys = HashSet::new();
    let mut seen = Seen::default();
    // Where histories part, and what happens next in those that were not played yet.
    let mut left = vec![(Rc::new(Run::new(setting, &payment, &echoes)), None)];
    while let Some((from, next)) = left.pop() {
        let mut run = Run::clone(&from);
        if let Some(event) = next {
            run.goes_on(event)?;
        }
        seen.histories += 1;
        // The history goes on in place as long as it leads to something new.
        let mut is_end = false;
        while keys.insert(run.key()) {
            seen.states += 1;
            let mut events = run.events().into_iter();
            let Some(first) = events.next() else {
                is_end = true;
                break;
            };
            let from = Rc::new(run.clone());
            left.extend(events.map(|event| (Rc::clone(&from), Some(event))));
            run.goes_on(first)?;
        }
        if !is_end {
            // What comes now was or will be played from where it was first seen.
            continue;
        }
        run.drain().map_err(|violation| format!("drained, {violation}: {:?}", run.trace))?;
        seen.ends.extend(run.row().map(|entry| entry.state.name()));
        seen.receipts.append(&mut run.receipts);
        if seen.states > most {
            return Err(format!("more than {most} states"));
        }
    }
    Ok(seen)
}

fn setting(mode: Mode, chain: bool, secret: bool) -> Setting {
    let requests = [true; 3];
    Setting { mode, chain, secret, requests, mpp: [false; 3], bounds: BOUNDS }
}

fn everything(mode: Mode) {
    let began = std::time::Instant::now();
    let deep = Bounds { all: 3, ..BOUNDS };
    let settings = [
        setting(mode, true, true),
        setting(mode, true, false),
        // One authorization by both protocols, either of them first.
        Setting { mpp: [true, false, false], ..setting(mode, true, true) },
        Setting { mpp: [false, true, true], ..setting(mode, true, true) },
        Setting { bounds: deep, requests: [true, false, false], ..setting(mode, true, true) },
    ];
    let (mut states, mut histories, mut ends) = (0, 0, BTreeSet::new());
    for setting in settings {
        let seen = explore(setting, 2_000_000).unwrap();
        eprintln!("{mode:?}: {} states, {} histories", seen.states, seen.histories);
        states += seen.states;
        histories += seen.histories;
        ends.extend(seen.ends);
        // Where some bring it by MPP and some by x402, both are served, each in its own words.
        let served = 1 + usize::from(setting.mpp.contains(&true));
        assert_eq!(seen.receipts.len(), served, "{:?} of {:?}", seen.receipts, setting.mpp);
    }
    eprintln!("{mode:?}: {states} states, {histories} histories, {:?}", began.elapsed());
    assert!(states >= 9_000, "{states}");
    for end in ["delivered", "refund_due", "void"] {
        assert!(ends.contains(end), "{end}: {ends:?}");
    }
}

// I-01
#[test]
fn no_history_of_a_prepaid_request_breaks_a_rule() {
    everything(Mode::Before);
}

// I-06
#[test]
fn no_history_of_a_request_paid_after_serving_breaks_a_rule() {
    everything(Mode::After);
}

#[test]
fn no_history_without_a_chain_breaks_a_rule() {
    let bounds = Bounds { all: 2, ..BOUNDS };
    for mode in [Mode::After, Mode::Before] {
        let setting = Setting { bounds, ..setting(mode, false, false) };
        let seen = explore(setting, 2_000_000).unwrap();
        eprintln!("{mode:?} without a chain: {} states", seen.states);
        assert!(seen.ends.contains("closed") && seen.ends.contains("manual"), "{:?}", seen.ends);
    }
}

/// The mutants that this exploration finds.
#[cfg(feature = "planted")]
pub const MUTANTS: &[Mutant] = &[
    Mutant::NoCompareAndSet,
    Mutant::NoBinding,
    Mutant::TermsInDoubt,
    Mutant::TimeoutIsVoid,
    Mutant::ReleaseIsFinal,
    Mutant::AlarmNeverDue,
    Mutant::NotSealed,
    Mutant::PurgedEarly,
    Mutant::UsedIsPaid,
    Mutant::TimeoutIsPaid,
];

#[cfg(feature = "planted")]
#[test]
fn every_planted_mutant_is_found() {
    for mutant in MUTANTS {
        plant(Some(*mutant));
        let found = [Mode::After, Mode::Before].into_iter().find_map(|mode| {
            let bounds = Bounds { all: 2, ..BOUNDS };
            let found = explore(Setting { bounds, ..setting(mode, true, true) }, 50_000);
            found.err().filter(|found| !found.starts_with("more than"))
        });
        plant(None);
        eprintln!("{mutant:?}: {found:?}");
        assert!(found.is_some(), "{mutant:?} is not found");
    }
}
