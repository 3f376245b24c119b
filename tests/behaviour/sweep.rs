//! The scheduled sweep. Spec: docs/upkeep.md, "The sweep".

use std::collections::BTreeSet;

use farebox_core::gate::Gate;
use farebox_core::gate::alarm::EVERY_SECS;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{routes, vars};

fn gate(shards: Value) -> Gate {
    let mut vars = vars(routes());
    vars["LEDGER_SHARDS"] = shards;
    Gate::from_vars(&vars.to_string()).unwrap()
}

#[test]
fn every_object_has_its_turn_and_no_run_touches_more_than_thirty_two() {
    for (shards, objects, runs) in
        [(json!(16), 16, 1), (json!(32), 32, 1), (json!(100), 100, 4), (json!("64,16"), 80, 3)]
    {
        let gate = gate(shards.clone());
        let mut touched = BTreeSet::new();
        for run in 0..runs {
            let now = UnixTime::from_secs(1_800_000_000 + run * EVERY_SECS);
            let calls = gate.sweep(now);
            assert!((1..=32).contains(&calls.len()), "{shards}: {}", calls.len());
            for call in calls {
                let command: Value = serde_json::from_str(&call.command).unwrap();
                assert_eq!(command, json!({"v": 1, "operator": "wake"}));
                assert!(touched.insert(call.object), "{shards}: touched twice");
            }
        }
        assert_eq!(touched.len(), objects, "{shards}");
        assert_eq!(touched, gate.objects().collect(), "{shards}");
    }
}
