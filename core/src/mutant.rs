//! Ways to break the code that ships, so that its tests can show that they would see it.
//!
//! Each stands where its guard stands. Without the feature `mutants`, which only tests have, [`planted`] is never true
//! and nothing of a mutant is compiled.

/// One broken guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A request that asks for a payment that is worked on begins as well.
    NoCompareAndSet,
    /// The first use of a payment fixes nothing.
    NoBinding,
    /// A payer who asks in doubt is told to sign anew.
    TermsInDoubt,
    /// No answer of a facilitator means that nothing moved.
    TimeoutIsVoid,
    /// What was let go is not looked at again.
    ReleaseIsFinal,
    /// The alarm is never due.
    AlarmNeverDue,
    /// A response is not stored.
    NotSealed,
    /// A row goes when its work is done.
    PurgedEarly,
    /// A used nonce counts as this payment, whatever used it.
    UsedIsPaid,
    /// No answer of a facilitator means that it settled.
    TimeoutIsPaid,
    /// Whoever reports counts as the holder of the row.
    IgnoreFence,
    /// A refusal after an unknown outcome counts.
    RefusalEndsDoubt,
    /// Work past its lease may begin again.
    LapseReleases,
    /// What was abandoned begins again.
    AbandonedBegins,
}

impl Mutant {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::NoCompareAndSet,
        Self::NoBinding,
        Self::TermsInDoubt,
        Self::TimeoutIsVoid,
        Self::ReleaseIsFinal,
        Self::AlarmNeverDue,
        Self::NotSealed,
        Self::PurgedEarly,
        Self::UsedIsPaid,
        Self::TimeoutIsPaid,
        Self::IgnoreFence,
        Self::RefusalEndsDoubt,
        Self::LapseReleases,
        Self::AbandonedBegins,
    ];
}

/// Whether this thread has planted the mutant.
#[cfg(not(feature = "mutants"))]
#[inline]
pub(crate) const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use self::planting::{plant, planted};

#[cfg(feature = "mutants")]
mod planting {
    extern crate std;

    use core::cell::Cell;

    use super::Mutant;

    std::thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Plants a mutant in what this thread does, or none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }

    /// Whether this thread has planted the mutant.
    #[must_use]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.get() == Some(mutant)
    }
}
