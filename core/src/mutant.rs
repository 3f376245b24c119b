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
    /// Whatever is asked about a payment may begin it.
    AskBegins,
    /// A repeat with other bytes than were recorded counts as the recorded one.
    OtherBytesResume,
    /// One transaction pays for every payment that names it.
    TakenByAll,
    /// A payment that is begun elsewhere begins here, too.
    MovedBegins,
    /// A payment that was received still counts as waiting for its payer.
    HeirForEver,
    /// A payer whose outcome is unknown is asked to pay again for the same request.
    DoubtIsForgotten,
    /// A payer whose outcome is unknown has as many payments in flight as any.
    DoubtLeavesRoom,
    /// A payer may leave as many unpaid rows as they like.
    PayerGrows,
    /// A network may leave as many unpaid rows as it likes.
    NetworkGrows,
    /// An object may hold as many open rows as there are.
    ObjectGrows,
    /// Both payments that one challenge could be answered with buy something.
    RivalBegins,
    /// A row for which no money was asked stays.
    UnpaidStays,
    /// A row for which money was asked goes as well.
    AskedGoes,
    /// The payment alone fetches a stored response.
    HeaderFetches,
    /// A payment that was public for long still resumes by itself.
    PublicResumes,
    /// A payment that leaves no time begins.
    ExpiredBegins,
    /// A claim that waited too long goes on.
    StaleRoom,
    /// Payments that are looked at hold back others in the name of the same payer.
    LockByName,
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
        Self::AskBegins,
        Self::OtherBytesResume,
        Self::TakenByAll,
        Self::MovedBegins,
        Self::HeirForEver,
        Self::DoubtIsForgotten,
        Self::DoubtLeavesRoom,
        Self::PayerGrows,
        Self::NetworkGrows,
        Self::ObjectGrows,
        Self::RivalBegins,
        Self::UnpaidStays,
        Self::AskedGoes,
        Self::HeaderFetches,
        Self::PublicResumes,
        Self::ExpiredBegins,
        Self::StaleRoom,
        Self::LockByName,
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
