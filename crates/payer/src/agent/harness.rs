//! The life of a prepared request: it is executed once, whatever happens at the same time.
//!
//! `Active` begins, and is `Executing` before anybody is asked to pay. An outcome ends it. If none
//! came it is `Unresolved`: only the same request under the same idempotency key may follow, so it
//! does not expire and nothing supersedes it.

use alloc::format;
use alloc::string::String;

use super::json::Json;
use super::validation::NextAction;

/// State of a prepared request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PreparationState {
    /// It may be executed.
    Active,
    /// It is being executed.
    Executing,
    /// It was executed and no outcome came.
    Unresolved,
    /// It has an outcome.
    Consumed,
    /// Its time is over.
    Expired,
    /// Another preparation took its place.
    Superseded,
}

impl PreparationState {
    /// The name for callers, who know four states.
    #[must_use]
    pub const fn shown(&self) -> &'static str {
        match self {
            Self::Active | Self::Unresolved => "active",
            Self::Executing | Self::Consumed => "consumed",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// The name in records.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Executing => "executing",
            Self::Unresolved => "unresolved",
            Self::Consumed => "consumed",
            Self::Expired => "expired",
            Self::Superseded => "superseded",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Active,
            Self::Executing,
            Self::Unresolved,
            Self::Consumed,
            Self::Expired,
            Self::Superseded,
        ];
        all.into_iter().find(|state| state.name() == name)
    }

    /// The state after an event; one that does not belong to a state changes nothing.
    #[must_use]
    pub fn after(self, event: Event) -> Self {
        match (self, event) {
            (Self::Active | Self::Unresolved, Event::Begin) => Self::Executing,
            (Self::Executing, Event::Finish) => Self::Consumed,
            // A record that was read after a crash is executing, and no process works on it.
            (Self::Executing, Event::Lose) => Self::Unresolved,
            (Self::Active, Event::Expire) => Self::Expired,
            (Self::Active, Event::Supersede) => Self::Superseded,
            (
                state,
                Event::Begin | Event::Finish | Event::Lose | Event::Expire | Event::Supersede,
            ) => state,
        }
    }
}

/// The events of a preparation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its execution begins.
    Begin,
    /// An outcome came.
    Finish,
    /// No outcome came.
    Lose,
    /// Its time is over.
    Expire,
    /// A newer preparation of the same endpoint.
    Supersede,
}

impl Event {
    /// The event of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "begin" => Some(Self::Begin),
            "finish" => Some(Self::Finish),
            "lose" => Some(Self::Lose),
            "expire" => Some(Self::Expire),
            "supersede" => Some(Self::Supersede),
            _ => None,
        }
    }
}

/// Why a prepared request is not executed. Codes and sentences are part of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection<'a> {
    /// No id was given.
    Missing,
    /// The id is not known.
    Unknown,
    /// [`PreparationState::Expired`].
    Expired,
    /// [`PreparationState::Superseded`], by this one.
    Superseded(&'a str),
    /// [`PreparationState::Executing`] or [`PreparationState::Consumed`].
    Consumed,
    /// Nothing has to be paid.
    NotReady,
    /// Something has to be mended or done first.
    NotExecutable(NextAction),
}

impl Rejection<'_> {
    /// Its code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Missing => "missing_prepared_id",
            Self::Unknown => "unknown_prepared_id",
            Self::Expired => "expired_prepared_id",
            Self::Superseded(_) => "prepared_request_superseded",
            Self::Consumed => "prepared_request_consumed",
            Self::NotReady => "prepared_request_not_ready",
            Self::NotExecutable(_) => "prepared_request_not_executable",
        }
    }

    /// Its sentence about the request with this id.
    #[must_use]
    pub fn message(self, id: &str) -> String {
        match self {
            Self::Missing => String::from("A preparedId is required."),
            Self::Unknown => format!("Prepared request {id} is unknown."),
            Self::Expired => format!("Prepared request {id} has expired."),
            Self::Superseded(by) => format!("Prepared request {id} was superseded by {by}."),
            Self::Consumed => format!("Prepared request {id} has already been consumed."),
            Self::NotReady => {
                format!("Prepared request {id} is not executable because it is passthrough.")
            }
            Self::NotExecutable(next) => {
                format!("Prepared request {id} requires {} before execution.", next.name())
            }
        }
    }

    /// Code and sentence.
    #[must_use]
    pub fn to_json(self, id: &str) -> Json {
        Json::object([
            ("code", Some(self.code().into())),
            ("message", Some(self.message(id).into())),
        ])
    }
}

/// The record of a prepared request.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// Its state.
    pub state: PreparationState,
    /// End of its time, unix milliseconds.
    pub expires_ms: u64,
    /// The preparation that took its place.
    pub superseded_by: &'a str,
    /// The next action that is allowed.
    pub next: NextAction,
}

impl Record<'_> {
    /// Its state at a time.
    #[must_use]
    pub fn state_at(&self, now_ms: u64) -> PreparationState {
        let state = self.state.clone();
        if now_ms >= self.expires_ms { state.after(Event::Expire) } else { state }
    }

    /// Whether it may be executed now.
    ///
    /// # Errors
    /// The first reason why not, in the contract's order.
    pub fn admit(&self, now_ms: u64) -> Result<(), Rejection<'_>> {
        match self.state_at(now_ms) {
            PreparationState::Expired => Err(Rejection::Expired),
            PreparationState::Superseded => Err(Rejection::Superseded(self.superseded_by)),
            PreparationState::Executing | PreparationState::Consumed => Err(Rejection::Consumed),
            PreparationState::Active | PreparationState::Unresolved => match self.next {
                NextAction::Execute => Ok(()),
                NextAction::Passthrough => Err(Rejection::NotReady),
                NextAction::Revise => Err(Rejection::NotExecutable(self.next)),
            },
        }
    }
}

/// Expiry of a preparation made at `now_ms`: after `ttl_ms`, and never after its challenge, whose
/// end is in unix milliseconds.
#[must_use]
pub fn expires_ms(now_ms: u64, ttl_ms: u64, challenge_ends_ms: Option<u64>) -> u64 {
    let usual = now_ms.saturating_add(ttl_ms);
    challenge_ends_ms.map_or(usual, |ends| usual.min(ends.max(now_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [PreparationState; 6] = [
        PreparationState::Active,
        PreparationState::Executing,
        PreparationState::Unresolved,
        PreparationState::Consumed,
        PreparationState::Expired,
        PreparationState::Superseded,
    ];
    const EVENTS: [Event; 5] =
        [Event::Begin, Event::Finish, Event::Lose, Event::Expire, Event::Supersede];

    #[test]
    fn of_two_executions_at_once_one_begins() {
        let begun = PreparationState::Active.after(Event::Begin);
        let record =
            Record { state: begun, expires_ms: 10, superseded_by: "", next: NextAction::Execute };
        assert_eq!(record.admit(0), Err(Rejection::Consumed));
        assert_eq!(record.admit(11), Err(Rejection::Consumed), "it does not expire meanwhile");
    }

    #[test]
    fn what_has_an_outcome_or_may_have_one_never_becomes_another_request() {
        for event in EVENTS {
            assert_eq!(
                PreparationState::Consumed.after(event),
                PreparationState::Consumed,
                "{event:?}"
            );
        }
        for event in [Event::Expire, Event::Supersede] {
            assert_eq!(
                PreparationState::Unresolved.after(event),
                PreparationState::Unresolved,
                "{event:?}"
            );
            assert_eq!(
                PreparationState::Executing.after(event),
                PreparationState::Executing,
                "{event:?}"
            );
        }
        assert_eq!(PreparationState::Unresolved.after(Event::Begin), PreparationState::Executing);
    }

    #[test]
    fn names_of_states_are_read_back() {
        for state in STATES {
            assert_eq!(PreparationState::parse(state.name()), Some(state.clone()));
        }
        assert_eq!(PreparationState::parse("paid"), None);
    }

    #[test]
    fn rejections_come_in_the_order_of_the_contract_with_its_sentences() {
        let record = |state, next| Record { state, expires_ms: 100, superseded_by: "q2", next };
        let cases = [
            (
                PreparationState::Active,
                NextAction::Passthrough,
                100,
                "expired_prepared_id",
                "Prepared request q1 has expired.",
            ),
            (
                PreparationState::Superseded,
                NextAction::Passthrough,
                100,
                "prepared_request_superseded",
                "Prepared request q1 was superseded by q2.",
            ),
            (
                PreparationState::Consumed,
                NextAction::Revise,
                0,
                "prepared_request_consumed",
                "Prepared request q1 has already been consumed.",
            ),
            (
                PreparationState::Active,
                NextAction::Passthrough,
                99,
                "prepared_request_not_ready",
                "Prepared request q1 is not executable because it is passthrough.",
            ),
            (
                PreparationState::Active,
                NextAction::Revise,
                99,
                "prepared_request_not_executable",
                "Prepared request q1 requires revise_request before execution.",
            ),
        ];
        for (state, next, now, code, message) in cases {
            let record = record(state, next);
            let rejection = record.admit(now).unwrap_err();
            assert_eq!((rejection.code(), rejection.message("q1").as_str()), (code, message));
        }
        assert_eq!(record(PreparationState::Active, NextAction::Execute).admit(99), Ok(()));
        assert_eq!(record(PreparationState::Unresolved, NextAction::Execute).admit(1_000), Ok(()));
    }

    #[test]
    fn a_preparation_does_not_outlive_its_challenge() {
        assert_eq!(expires_ms(1_000, 300_000, None), 301_000);
        assert_eq!(expires_ms(1_000, 300_000, Some(61_000)), 61_000);
        assert_eq!(expires_ms(1_000, 300_000, Some(900_000)), 301_000);
        assert_eq!(expires_ms(1_000, 300_000, Some(0)), 1_000);
    }
}
