//! Ways to break the ledger, to show that the exploration would see them.

use farebox_core::ledger::command::Outcome;
use farebox_core::ledger::entry::Taken;
use farebox_core::ledger::state::Lease;
use farebox_core::ledger::{Answer, Command, Entry, Standing, State};

use super::{at, hash};

/// One way to break the ledger or its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// It is right.
    None,
    /// Whoever reports counts as the holder.
    IgnoreFence,
    /// The first use fixes nothing.
    NoBinding,
    /// No answer counts as a refusal.
    TimeoutIsVoid,
    /// A refusal after an unknown outcome counts.
    RefusalEndsDoubt,
    /// No answer counts as a success.
    DoubtIsSuccess,
    /// Work past its lease may begin again.
    LapseReleases,
    /// Who asks in doubt is told to sign anew.
    FreshTermsInDoubt,
    /// A re-send carries the bytes of the repeat.
    OwnBytes,
    /// The response leaves before it is settled.
    DeliverOnSeal,
    /// What was abandoned begins again.
    NoTable,
}

/// What the alarm does.
pub fn lapse(entry: Entry, now: u64, mutant: Mutant) -> Entry {
    match (&entry.state, mutant) {
        (
            State::Executing(Lease { until }) | State::Settling(Lease { until }),
            Mutant::LapseReleases,
        ) if until.secs() <= now => Entry { state: State::Released, ..entry },
        _ => entry.lapse(at(now)),
    }
}

/// What the object does.
pub fn apply(entry: Entry, mut command: Command, now: u64, mutant: Mutant) -> (Entry, Answer) {
    let fences = entry.fence;
    if mutant == Mutant::IgnoreFence {
        match &mut command {
            Command::Seal { fence, .. }
            | Command::Outcome { fence, .. }
            | Command::Fulfil { fence, .. }
            | Command::Release { fence, .. } => *fence = fences,
            Command::Claim { .. } | Command::Learn { .. } => {}
        }
    }
    match (&mut command, mutant) {
        (Command::Claim { payment, .. }, Mutant::NoBinding) => {
            payment.binding = entry.payment.binding.clone()
        }
        (Command::Outcome { result: result @ Outcome::Unknown(_), .. }, Mutant::DoubtIsSuccess) => {
            *result = Outcome::Settled(hash(9).to_text());
        }
        (Command::Outcome { result: Outcome::Unknown(_), .. }, Mutant::TimeoutIsVoid)
            if matches!(entry.state, State::Settling(_)) =>
        {
            return (Entry { state: State::Released, ..entry }, Answer::Unknown);
        }
        (Command::Outcome { result: Outcome::Refused(_), .. }, Mutant::RefusalEndsDoubt)
            if matches!(entry.state, State::Unknown { .. }) =>
        {
            return (Entry { state: State::Released, ..entry }, Answer::Unknown);
        }
        (Command::Claim { .. }, Mutant::NoTable) if matches!(entry.state, State::Abandoned) => {
            let state = State::Released;
            return Entry { state, ..entry }.apply(
                command,
                Standing::default(),
                Taken::No,
                at(now),
            );
        }
        _ => {}
    }
    entry.apply(command, Standing::default(), Taken::No, at(now))
}
