//! Everything that a payer may bring, in every order of a few: in time, late, at terms of their own, denied, with a signature
//! that proves nothing, in the name of another payer, by hash, as a transaction, on another chain, while the number of objects
//! or the price changes, beside copies and calls that hang; through the gate and the shard that ship. Judged by the chain, the
//! origin and the answers: what is delivered was paid for at a price that was offered, what was paid is never asked for again.

mod event;
mod run;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use farebox_core::gate::Gate;
#[cfg(feature = "planted")]
use farebox_core::mutant::{Mutant, plant};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::world::payer::Payer;
use crate::world::{World, routes, solana, vars};
use event::Event::{self, *};
use run::Run;

/// What histories of one kind have in common.
struct Setting {
    name: &'static str,
    /// The gate, the one after [`Event::Change`], and the one with other prices.
    gates: &'static LazyLock<Vec<Gate>>,
    /// The same content in both modes.
    targets: [&'static str; 2],
    /// What all of them have, and what is added to it, one by one.
    base: &'static [Event],
    more: &'static [Event],
}

/// A gate of these variables, one where they are changed, and one with other prices.
fn gates(vars: &Value, change: impl FnOnce(&mut Value)) -> Vec<Gate> {
    let mut changed = vars.clone();
    change(&mut changed);
    let mut repriced = vars.clone();
    for route in repriced["ROUTES"].as_array_mut().unwrap() {
        route["price"] = "$0.03".into();
    }
    [vars, &changed, &repriced].map(|vars| Gate::from_vars(&vars.to_string()).unwrap()).into()
}

static SIGNED: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    vars["DENY_PAYERS"] = json!([Payer::new(7).address.to_checksum()]);
    vars["LEDGER_SHARDS"] = json!(1);
    gates(&vars, |vars| vars["LEDGER_SHARDS"] = "4,1".into())
});

static CONFIRMED: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut vars = World::chain_vars();
    vars["LEDGER_SHARDS"] = json!(1);
    gates(&vars, |vars| vars["LEDGER_SHARDS"] = "4,1".into())
});

static ONCHAIN: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut vars = World::chain_vars();
    let route = |settle: &str| {
        json!({
            "path": format!("/shown/{settle}"), "price": "$0.01", "hash_mode": true,
            "signed_transactions": true, "settle": if settle == "before" { settle } else { "after" },
        })
    };
    vars["ROUTES"] = json!([route("after"), route("before"), route("elsewhere")]);
    gates(&vars, |vars| {
        for route in vars["ROUTES"].as_array_mut().unwrap() {
            route["price"] = "$0.02".into();
        }
    })
});

static ELSEWHERE: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut vars = vars(json!([
        {"path": "/after", "price": "$0.01"}, {"path": "/before", "price": "$0.01", "settle": "before"},
    ]));
    vars["NETWORK"] = json!([solana::NETWORK]);
    vars["PAY_TO"] = json!({ solana::NETWORK: solana::PAYEE });
    let extra = json!({ solana::NETWORK: { "feePayer": solana::FEE_PAYER } });
    vars["FACILITATOR_URL"] = json!([{ "url": vars["FACILITATOR_URL"], "extra": extra }]);
    vars["LEDGER_SHARDS"] = json!(1);
    gates(&vars, |vars| vars["LEDGER_SHARDS"] = "4,1".into())
});

/// The last four: no contract wallet may pay, a restore, after which the price is another one, too, and what the operator changes
/// after that: the setting that tells of the restore stays for longer than any history.
static CHANGED: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    let mut vars = vars(routes());
    vars["NETWORK"] = json!(["eip155:84532", "eip155:80002"]);
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    vars["LEDGER_SHARDS"] = "4,1".into();
    let mut all = gates(&vars, |vars| vars["NETWORK"] = json!(["eip155:80002"]));
    let mut barred = vars.clone();
    barred["CONTRACT_WALLETS"] = "refuse".into();
    let mut restored = vars;
    restored["LEDGER_CLOSED_BEFORE"] = crate::world::BEGIN.into();
    for route in restored["ROUTES"].as_array_mut().unwrap() {
        route["price"] = "$0.03".into();
    }
    let mut changed_since = restored.clone();
    changed_since["NETWORK"] = json!(["eip155:80002"]);
    let mut barred_since = restored.clone();
    barred_since["CONTRACT_WALLETS"] = "refuse".into();
    let more = [barred, restored, changed_since, barred_since];
    all.extend(more.map(|vars| Gate::from_vars(&vars.to_string()).unwrap()));
    all
});

const SETTINGS: &[Setting] = &[
    Setting {
        name: "signed",
        gates: &SIGNED,
        targets: ["/after", "/before"],
        base: &[Honest, Unknown, Refused],
        more: &[
            Lost,
            Repeat,
            OwnTerms,
            Late,
            Denied,
            Forged,
            InTheirName,
            Contract,
            Beside,
            Overtaken,
            Doubted,
            Second,
            Stream,
            Broken,
            Change,
            Alarm,
        ],
    },
    Setting {
        name: "changed",
        gates: &CHANGED,
        targets: ["/after", "/before"],
        base: &[Honest, Lost, Repeat],
        more: &[
            Unknown, Refused, Contract, Earlier, Overtaken, Outdated, Change, Barred, Restored,
            Alarm,
        ],
    },
    Setting {
        name: "run again",
        gates: &SIGNED,
        targets: ["/again", "/unstored"],
        base: &[Honest, Unknown, Repeat],
        more: &[Lost, Stolen, Stream, Broken, OwnTerms, InTheirName, Alarm],
    },
    Setting {
        name: "confirmed",
        gates: &CONFIRMED,
        targets: ["/sure/after", "/sure/before"],
        base: &[Honest, Unknown, Repeat],
        more: &[Lost, Lied, Stolen, Late, OwnTerms, Change, Alarm],
    },
    Setting {
        name: "on the chain",
        gates: &ONCHAIN,
        targets: ["/shown/after", "/shown/before"],
        base: &[Sent, Signed, Repeat],
        more: &[
            SentLate, Early, Unread, Lagging, Claimed, Sniped, Burnt, Diverted, Junk, Waiting,
            Overtaken, Mine, Change, Honest, Unknown, Alarm,
        ],
    },
    Setting {
        name: "elsewhere",
        gates: &ELSEWHERE,
        targets: ["/after", "/before"],
        base: &[Elsewhere, Repeat],
        more: &[Stolen, Beside, Overtaken, Trailed, Resigned, Change, Alarm],
    },
];

fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).unwrap()
}

/// Every order that was played, and the state that each came to.
type States = Vec<(Vec<Event>, String)>;

/// Plays every order of up to so many of these events.
fn explore(setting: &Setting, events: &[Event], most: usize) -> Result<States, String> {
    let mut states = States::new();
    for target in setting.targets {
        let start = Run::of(setting.gates, target);
        play_on(&start, &mut Vec::new(), events, most, &mut states)
            .map_err(|found| format!("{target} {found}"))?;
    }
    Ok(states)
}

/// Lets each of the events follow this history, and all that may come after it.
fn play_on(
    history: &Run,
    order: &mut Vec<Event>,
    events: &[Event],
    most: usize,
    states: &mut States,
) -> Result<(), String> {
    if order.len() == most {
        return Ok(());
    }
    for event in events {
        let mut run = history.clone();
        order.push(*event);
        run.play(*event).map_err(|found| format!("{order:?}: {found}"))?;
        states.push((order.clone(), run.state()));
        play_on(&run, order, events, most, states)?;
        order.pop();
    }
    Ok(())
}

/// Plays one longer order of the events of some setting; how many there were.
pub fn play_any(dice: &mut Dice) -> Result<usize, String> {
    let setting = &SETTINGS[usize::try_from(dice.below(SETTINGS.len() as u64)).unwrap()];
    let (target, events) = (dice.pick(&setting.targets), [setting.base, setting.more].concat());
    let mut run = Run::of(setting.gates, target);
    let mut order = Vec::new();
    for _ in 0..4 + dice.below(8) {
        let event = dice.pick(&events);
        order.push(event);
        run.play(event)
            .map_err(|found| format!("{}, {target} {order:?}: {found}", setting.name))?;
    }
    Ok(order.len())
}

/// The different states of orders of these events alone.
fn states_of(states: &States, events: &[Event]) -> usize {
    let inside = |order: &[Event]| order.iter().all(|event| events.contains(event));
    let met: BTreeSet<_> =
        states.iter().filter(|(order, _)| inside(order)).map(|(_, state)| state).collect();
    met.len()
}

/// Explores a setting as a whole, and prints what each of its events adds.
fn explore_all(name: &str) {
    let setting = setting(name);
    let events = [setting.base, setting.more].concat();
    let states = explore(setting, &events, 3).unwrap();
    let without = states_of(&states, setting.base);
    for more in setting.more {
        let with = states_of(&states, &[setting.base, &[*more]].concat());
        eprintln!("arrivals, {name}: {without} states without {more:?}, {with} with it");
    }
    eprintln!("arrivals, {name}: {} states with everything", states_of(&states, &events));
}

// I-02
#[test]
fn no_order_of_signed_payments_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("signed");
}

// I-04, I-18
#[test]
fn no_order_of_changed_settings_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("changed");
}

// I-03
#[test]
fn no_order_where_the_origin_may_run_again_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("run again");
}

#[test]
fn no_order_where_the_chain_confirms_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("confirmed");
}

#[test]
fn no_order_of_transactions_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("on the chain");
}

#[test]
fn who_sees_a_transaction_before_its_payer_shows_it_takes_nothing_from_them() {
    let states = explore(setting("on the chain"), &[Sniped, Mine, Alarm, Repeat], 5).unwrap();
    let met = states_of(&states, &[Sniped, Mine, Alarm, Repeat]);
    eprintln!("arrivals: {met} states of one that others have seen");
    assert!(states.iter().any(|(_, state)| state.contains("delivered")));
}

#[test]
fn who_shows_the_transaction_of_another_elsewhere_or_too_late_takes_nothing_from_them() {
    let events = [Burnt, Diverted, Mine, Alarm, Repeat];
    let states = explore(setting("on the chain"), &events, 4).unwrap();
    eprintln!("arrivals: {} states of one that others have shown", states_of(&states, &events));
    assert!(states.iter().any(|(_, state)| state.contains("delivered")));
}

#[test]
fn a_transaction_that_waits_before_another_of_its_payer_is_not_given_up() {
    let setting = setting("on the chain");
    for target in setting.targets {
        let mut run = Run::of(setting.gates, target);
        for event in [Waiting, Unread, Alarm, Mine] {
            run.play(event).unwrap_or_else(|found| panic!("{target} {event:?}: {found}"));
        }
        let state = run.state();
        assert!(state.contains(r#"["settled", "settled"]"#), "{state}");
    }
}

#[test]
fn no_order_on_another_chain_is_delivered_unpaid_or_paid_and_forgotten() {
    explore_all("elsewhere");
}

#[test]
fn no_longer_order_is_delivered_unpaid_or_paid_and_forgotten() {
    for seed in 1..=200_u64 {
        let mut dice = Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let events = play_any(&mut dice).unwrap_or_else(|found| panic!("seed {seed}: {found}"));
        assert!((4..12).contains(&events), "{events}");
    }
}

/// A guard removed, and the events of which some order breaks a rule then.
#[cfg(feature = "planted")]
type Row = (Mutant, &'static str, &'static [Event]);

#[cfg(feature = "planted")]
const TABLE: &[Row] = &[
    (Mutant::AskBegins, "signed", &[Unknown, OwnTerms, Denied]),
    (Mutant::TakenByAll, "run again", &[Honest, Stolen]),
    (Mutant::NotesHold, "on the chain", &[Burnt, Sent]),
    (Mutant::LockByName, "on the chain", &[Junk, Sent, Alarm]),
    (Mutant::SentGetsTerms, "on the chain", &[Sent, SentLate, Change]),
    (Mutant::BlindForgets, "on the chain", &[Unread, Repeat]),
    (Mutant::TrailingBytes, "elsewhere", &[Elsewhere, Trailed]),
    (Mutant::TakenTwice, "elsewhere", &[Elsewhere, Stolen, Change]),
    (Mutant::ProvingIsForgotten, "signed", &[Overtaken]),
    (Mutant::ProvingIsForgotten, "signed", &[Doubted]),
    (Mutant::ProvingIsForgotten, "on the chain", &[Overtaken]),
    (Mutant::ProvingIsForgotten, "elsewhere", &[Overtaken, Change]),
    (Mutant::UnprovenIsNew, "elsewhere", &[Overtaken]),
    (Mutant::WordIsChain, "confirmed", &[Honest, Lied]),
    (Mutant::SettingsForget, "changed", &[Contract, Barred, Repeat]),
    (Mutant::UnlistedIsNew, "changed", &[Lost, Change, Repeat]),
    (Mutant::ForgottenIsNew, "changed", &[Lost, Restored, Repeat]),
    (Mutant::RestoreIsExpiry, "changed", &[Lost, Restored, Repeat]),
    (Mutant::BarredStaysHere, "changed", &[Lost, Change, Repeat]),
    (Mutant::UnprovenStaysHere, "changed", &[Contract, Barred, Repeat]),
    (Mutant::ProvingIsForgotten, "changed", &[Outdated]),
];

/// The mutants that arrivals find.
#[cfg(feature = "planted")]
pub fn mutants() -> impl Iterator<Item = Mutant> {
    TABLE.iter().map(|(mutant, ..)| *mutant)
}

#[cfg(feature = "planted")]
#[test]
fn a_guard_removed_is_found_by_the_arrivals() {
    for (mutant, name, events) in TABLE {
        plant(Some(*mutant));
        let found = explore(setting(name), events, 3).err();
        plant(None);
        let found = found.unwrap_or_else(|| panic!("{mutant:?} is not found"));
        eprintln!("{mutant:?}: {}", found.chars().take(120).collect::<String>());
    }
}
