//! The schedule of recovery.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::shape::RECOVERY;
use crate::parts::{Settler, Settlers};
use farebox_base::encoding::message::{FromJson, member};
use farebox_common::config::Reader;
use farebox_ledger::entry::{Plan, RefundPlan};

/// The variable `RECOVERY`, read at the start so that a typo is found then.
#[derive(Clone, Debug)]
pub(super) struct Recovery {
    pub settle_secs: u64,
    pub resend_secs: Vec<u64>,
    pub chain_secs: Vec<u64>,
    pub refund_secs: u64,
    pub manual_secs: u64,
    pub breaker_secs: u64,
}

impl Default for Recovery {
    fn default() -> Self {
        Self {
            settle_secs: 30,
            resend_secs: Vec::from([5, 15, 45]),
            chain_secs: Vec::from([60, 600]),
            refund_secs: 600,
            manual_secs: 86_400,
            breaker_secs: 5,
        }
    }
}

impl FromJson for Recovery {
    fn from_json(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        let default = Self::default();
        let secs = |name, default| Some(member::<Option<u64>>(members, name)?.unwrap_or(default));
        let list =
            |name, default| Some(member::<Option<Vec<u64>>>(members, name)?.unwrap_or(default));
        Some(Self {
            settle_secs: secs("settle_secs", default.settle_secs)?,
            resend_secs: list("resend_secs", default.resend_secs)?,
            chain_secs: list("chain_secs", default.chain_secs)?,
            refund_secs: secs("refund_secs", default.refund_secs)?,
            manual_secs: secs("manual_secs", default.manual_secs)?,
            breaker_secs: secs("breaker_secs", default.breaker_secs)?,
        })
    }
}

/// Reads the schedule; values out of bounds go to the reader.
pub(super) fn read(reader: &mut Reader) -> Recovery {
    let recovery = reader.value("RECOVERY");
    let recovery = recovery.and_then(|value| reader.shaped("RECOVERY", &value, &RECOVERY));
    let recovery: Recovery = recovery.unwrap_or_default();
    let list = |list: &[u64], len: core::ops::RangeInclusive<usize>| {
        len.contains(&list.len()) && list.iter().all(|secs| (1..=86_400).contains(secs))
    };
    let bounded = [
        ("settle_secs", recovery.settle_secs, 2..=300),
        ("refund_secs", recovery.refund_secs, 5..=86_400),
        ("manual_secs", recovery.manual_secs, 10..=2_592_000),
        ("breaker_secs", recovery.breaker_secs, 1..=3_600),
    ];
    for (name, secs, bounds) in bounded {
        if !bounds.contains(&secs) {
            let (min, max) = (bounds.start(), bounds.end());
            reader.fail("RECOVERY", format!("{name} is {secs}; must be from {min} to {max}"));
        }
    }
    if !list(&recovery.resend_secs, 1..=10) {
        reader.fail("RECOVERY", "resend_secs must list 1 to 10 numbers from 1 to 86400");
    }
    if !list(&recovery.chain_secs, 2..=2) {
        reader.fail("RECOVERY", "chain_secs must list 2 numbers from 1 to 86400");
    }
    recovery
}

impl Recovery {
    /// The settlement by these facilitators, on networks that have a node, by rows that are known since
    /// this second.
    pub(super) fn settlement(
        &self,
        settlers: Vec<Settler>,
        readable: &[String],
        known_since: u64,
        refunds: Option<RefundPlan>,
    ) -> Settlers {
        Settlers {
            settlers,
            breaker_secs: self.breaker_secs,
            settle_secs: self.settle_secs,
            plan: Plan { known_since, refunds, ..self.plan(readable) },
        }
    }

    /// The part of it that the ledger needs.
    fn plan(&self, readable: &[String]) -> Plan {
        let chain = |index: usize| self.chain_secs.get(index).copied().unwrap_or(600);
        Plan {
            resend_secs: self.resend_secs.clone(),
            chain_secs: [chain(0), chain(1)],
            refund_secs: self.refund_secs,
            manual_secs: self.manual_secs,
            readable: readable.to_vec(),
            known_since: 0,
            refunds: None,
        }
    }
}
