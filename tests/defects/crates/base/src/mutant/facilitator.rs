//! Guards of what an isolate counts of a facilitator's failures.

macro_rules! facilitator {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// A refusal ends the time that would have forgiven an earlier one.
            ForgivenTimeIsLost,
            /// Clients have one try of a facilitator that is down for all of them.
            TriesAreShared,
            /// A facilitator that fails on unproven payments counts as down.
            JunkOpens,
            /// Permits that the chain refuses open the breaker.
            PermitsOpen,
            /// The failed calls of one payer count as those of several.
            CallsAreCounted,
            /// The failures of others change how a payer that has paid is served.
            PaidAreStrained,
            /// A payer whose settlements fail is served on credit again and again.
            OwnFailuresAreCredit,
            /// Failed settlements of empty wallets change how others are served.
            EmptyWalletsStrain,
            /// One wallet's failed settlements count again after each settlement of others.
            WalletsCountAgain,
            /// Each network of a provider counts by itself alone.
            ProvidersAreMany,
            /// A payment that a facilitator refuses while it names no transaction is paid.
            PendingIsPaid,
            /// A payment is paid though the facilitator names an error as well.
            ErrorsArePaid,
        }
    };
}
