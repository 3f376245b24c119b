//! The errands of an alarm: calls to the treasury, to the gate, and to the Worker that judges results.
//!
//! Several are under way at once, and each kind has places of its own. So whoever pays for nothing, again
//! and again, holds up the money of no job, and a Worker that is silent holds up no payout.

use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::mutant::{Mutant, planted};

/// A kind of errand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrandKind {
    /// About the money of a job.
    Job,
    /// About a result that is to be judged.
    Proof,
    /// About money that bought no job.
    Orphan,
}

impl ErrandKind {
    /// All, in the order in which they take places.
    const ALL: [Self; 3] = [Self::Job, Self::Proof, Self::Orphan];

    /// How many of it are under way at once: together as many calls as the platform makes at once.
    const fn places(self) -> usize {
        match self {
            Self::Job => 3,
            Self::Proof => 2,
            Self::Orphan => 1,
        }
    }
}

/// The errands of one alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Errands {
    /// Those that are under way, by their payments.
    jobs: Vec<String>,
    orphans: Vec<String>,
    /// Those that are under way, by the jobs whose results they are about.
    proofs: Vec<String>,
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
    pub fn take(&mut self, errand: Option<(ErrandKind, &str)>) -> Option<String> {
        let (kind, id) = errand?;
        let under_way = match kind {
            ErrandKind::Job => &mut self.jobs,
            ErrandKind::Proof => &mut self.proofs,
            ErrandKind::Orphan => &mut self.orphans,
        };
        under_way.push(id.into());
        self.begun = self.begun.saturating_add(1);
        Some(id.into())
    }

    /// Gives a place back.
    pub fn leave(&mut self, id: &str) {
        for under_way in [&mut self.jobs, &mut self.proofs, &mut self.orphans] {
            under_way.retain(|taken| taken != id);
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

    /// Those of a kind that are under way.
    pub(super) fn under_way(&self, kind: ErrandKind) -> &[String] {
        match kind {
            ErrandKind::Job => &self.jobs,
            ErrandKind::Proof => &self.proofs,
            ErrandKind::Orphan => &self.orphans,
        }
    }

    fn has_room(&self, kind: ErrandKind) -> bool {
        let is_free =
            self.under_way(kind).len() < kind.places() || planted(Mutant::OrphansTakeAllPlaces);
        let is_late = kind == ErrandKind::Orphan && self.secs >= Self::ORPHAN_SECS;
        is_free && !is_late && self.begun < Self::MOST
    }
}
