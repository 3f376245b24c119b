//! Behaviours of the treasury, with its rows, merchants, chain and clock in memory.

mod books;
pub mod decisions;
#[allow(dead_code, reason = "used by the next tests")]
mod world;

use farebox_core::mutant::Mutant;

/// Guards whose tests follow.
pub const MUTANTS: &[Mutant] = &[
    Mutant::AnyHostIsPaid,
    Mutant::CookiesLeave,
    Mutant::VoidIsGivenToOthers,
    Mutant::RulesForEver,
    Mutant::SilenceAllows,
    Mutant::DeniedOriginsPass,
    Mutant::LargePass,
    Mutant::BudgetsOverflow,
    Mutant::EnvironmentsMix,
    Mutant::TermsMayDrift,
    Mutant::LiesAreEvidence,
    Mutant::RepeatsAreRefused,
    Mutant::AnyTokenServes,
    Mutant::IdsAreTokens,
    Mutant::TokensForEver,
    Mutant::RevokedTokensServe,
    Mutant::DisabledAgentsPay,
    Mutant::AnyVersionIsServed,
    Mutant::ReceiptsOfOthers,
    Mutant::AnyAgentIsNamed,
    Mutant::KeysAreForgotten,
    Mutant::KeysServeOthers,
    Mutant::OpenIsForgotten,
    Mutant::ReviewsForEver,
    Mutant::ReviewsServeOthers,
    Mutant::ReviewsServeTwice,
    Mutant::ReservesNothing,
    Mutant::OldFencesCount,
    Mutant::RefusalsAreVoid,
    Mutant::LeasesKeepFences,
    Mutant::PostsAreRepeated,
    Mutant::OneBlockConfirms,
    Mutant::UnusedIsVoid,
];
