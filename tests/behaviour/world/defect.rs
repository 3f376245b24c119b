//! Ways to break the object around the ledger, to show that the checks would see them.

/// One defect, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Defect {
    /// It is right.
    #[default]
    None,
    /// Who asks for a payment that is worked on begins as well.
    NoCompareAndSet,
    /// The first use fixes nothing.
    NoBinding,
    /// Who asks in doubt is told to sign anew.
    TermsInDoubt,
    /// No answer means that nothing moved.
    TimeoutIsVoid,
    /// What was let go is not looked at again.
    ReleaseIsFinal,
    /// The alarm fires once.
    AlarmNeverReArms,
    /// The response is not stored.
    NotSealed,
    /// The row goes when its work is done.
    PurgedEarly,
    /// A used nonce counts as this payment, whatever used it.
    UsedIsPaid,
    /// No answer means that the facilitator settled.
    TimeoutIsPaid,
}

/// All of them.
pub const DEFECTS: [Defect; 10] = [
    Defect::NoCompareAndSet,
    Defect::NoBinding,
    Defect::TermsInDoubt,
    Defect::TimeoutIsVoid,
    Defect::ReleaseIsFinal,
    Defect::AlarmNeverReArms,
    Defect::NotSealed,
    Defect::PurgedEarly,
    Defect::UsedIsPaid,
    Defect::TimeoutIsPaid,
];
