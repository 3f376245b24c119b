//! The errands of an alarm: calls to the treasury, to the gate, and to the Worker that judges results.
//!
//! Several are under way at once, and each kind has places of its own. So whoever pays for nothing, again
//! and again, holds up the money of no job, and a Worker that is silent holds up no payout. In each kind
//! sellers take turns: many jobs of one of them, all due at once, hold up no job of another.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::row::{HoldRow, HoldState};

/// A kind of errand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrandKind {
    /// About the money of a job, which is to be moved.
    #[default]
    Job,
    /// About a payout of such money: how far it is, and what the gate hears of it.
    Payout,
    /// About a result that is to be judged.
    Proof,
    /// About money that bought no job.
    Orphan,
}

impl ErrandKind {
    /// All, in the order in which they take places.
    const ALL: [Self; 4] = [Self::Job, Self::Payout, Self::Proof, Self::Orphan];

    /// The kind of those about this money.
    #[must_use]
    pub fn of(hold: &HoldRow) -> Self {
        let has_moved = matches!(hold.state, HoldState::Sent(_) | HoldState::Ended(_));
        if hold.job.is_empty() {
            Self::Orphan
        } else if has_moved || !hold.payout.is_empty() {
            Self::Payout
        } else {
            Self::Job
        }
    }

    /// How many of it are under way at once: together as many calls as the platform makes at once.
    const fn places(self) -> usize {
        match self {
            Self::Job => 3,
            Self::Payout | Self::Proof | Self::Orphan => 1,
        }
    }
}

/// An errand that is to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrandTurn<'a> {
    /// Its kind.
    pub kind: ErrandKind,
    /// The payment or the job that it is about.
    pub id: &'a str,
    /// The seller of the job; empty if there is none.
    pub seller: &'a str,
}

/// The errands of a kind, in one alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lane {
    /// Those that are under way, by their payments, or by the jobs whose results they are about.
    pub under_way: Vec<String>,
    /// The sellers that have had their turn in this round.
    pub served: Vec<String>,
}

/// The errands of one alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errands {
    jobs: Lane,
    payouts: Lane,
    proofs: Lane,
    orphans: Lane,
    /// How many of those that may begin have begun.
    begun: usize,
    /// Seconds for which it lasts.
    secs: u32,
}

impl Errands {
    /// Most that are begun at first; the rest is due again.
    const MOST: usize = 24;
    /// Most that are begun in each second in which some of them go on.
    const MORE: usize = 8;
    /// Seconds after which no more may begin.
    const SECS: u32 = 60;
    /// Seconds after which none begins that is about no job: one that hangs is over when that of a job
    /// is the last to begin.
    const ORPHAN_SECS: u32 = 15;

    /// Takes a place for an errand, if there is one: the payment or the job that it is about.
    pub fn take(&mut self, errand: Option<ErrandTurn<'_>>) -> Option<String> {
        Some(self.begin(errand?))
    }

    /// Goes on with an errand that another one has brought, in a place of its own kind if one is free,
    /// else in that one's place: the payment or the job by which it has its place.
    pub fn pass(&mut self, id: &str, errand: ErrandTurn<'_>) -> String {
        let lane = self.lane(errand.kind);
        let is_there = lane.under_way.iter().any(|taken| taken == id);
        let is_free = lane.under_way.len() < errand.kind.places();
        if is_there || !is_free {
            self.begun = self.begun.saturating_add(1);
            return id.into();
        }
        self.leave(id);
        self.begin(errand)
    }

    fn begin(&mut self, ErrandTurn { kind, id, seller }: ErrandTurn<'_>) -> String {
        let lane = match kind {
            ErrandKind::Job => &mut self.jobs,
            ErrandKind::Payout => &mut self.payouts,
            ErrandKind::Proof => &mut self.proofs,
            ErrandKind::Orphan => &mut self.orphans,
        };
        // Whoever has a second turn begins another round.
        if lane.served.iter().any(|served| served == seller) {
            lane.served.clear();
        }
        if !seller.is_empty() {
            lane.served.push(seller.into());
        }
        lane.under_way.push(id.into());
        self.begun = self.begun.saturating_add(1);
        id.into()
    }

    /// Gives a place back.
    pub fn leave(&mut self, id: &str) {
        let lanes = [&mut self.jobs, &mut self.payouts, &mut self.proofs, &mut self.orphans];
        for lane in lanes {
            lane.under_way.retain(|taken| taken != id);
        }
    }

    /// Lets more begin: another second is over.
    pub fn go_on(&mut self) {
        self.secs = self.secs.saturating_add(1);
        if self.secs < Self::SECS {
            self.begun = self.begun.min(Self::MOST.saturating_sub(Self::MORE));
        }
    }

    /// The kinds of which one may begin, in order.
    pub(super) fn kinds(&self) -> impl Iterator<Item = ErrandKind> {
        ErrandKind::ALL.into_iter().filter(|kind| self.has_room(*kind))
    }

    /// Those of a kind.
    pub(super) fn lane(&self, kind: ErrandKind) -> &Lane {
        match kind {
            ErrandKind::Job => &self.jobs,
            ErrandKind::Payout => &self.payouts,
            ErrandKind::Proof => &self.proofs,
            ErrandKind::Orphan => &self.orphans,
        }
    }

    fn has_room(&self, kind: ErrandKind) -> bool {
        let under_way = self.lane(kind).under_way.len();
        let is_free = under_way < kind.places();
        let is_late = kind == ErrandKind::Orphan && self.secs >= Self::ORPHAN_SECS;
        is_free && !is_late && self.begun < Self::MOST
    }
}
