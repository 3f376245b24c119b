//! Guards of the wire formats: what is read, and what names a payment.

macro_rules! wire {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// Bytes after a message of Solana make another payment of it.
            TrailingBytes,
            /// The spelling of a payment of Aptos names it.
            SpellingNames,
            /// An origin may answer with any status.
            OddStatusPasses,
            /// The first bytes of a transaction's hash stand for it.
            HeadsAreNames,
            /// The nonce that lists id and realm is refused.
            ListedIsRefused,
            /// The nonce that joins id and realm is refused.
            JoinedIsRefused,
            /// A signed transaction need not pay the block's producer.
            TiplessPasses,
            /// A signed transaction need not pay for its place once the base fee rises.
            NoHeadroom,
            /// Members beside a payment are passed on with it.
            JunkIsKept,
            /// A facilitator that no payer has signed makes an exact permit one for the most.
            UnsignedFacilitatorDecides,
            /// A permit for an allowance is passed on where no route announces it.
            PermitsPassUnannounced,
            /// A permit is passed on that can be of no use to its payment.
            AnyPermitIsHanded,
            /// A comma in a quoted string ends a credential.
            QuotesAreLists,
            /// A permit may move any token.
            AnyPermittedToken,
            /// A nonce of Permit2 counts once for each token.
            PermitByToken,
            /// A permit in the data of a transaction proves its transfer.
            WordsArePaid,
            /// A call of any contract inside a transaction spends a permit.
            AnyContractSpends,
            /// A call that was reverted inside a transaction spends a permit.
            RevertedSpends,
            /// Code of Permit2 that another contract runs for itself spends a permit.
            DelegatedSpends,
            /// A permit is spent by whichever contract shows it.
            AnySpenderSpends,
            /// A call of Permit2 spends each permit of its payer.
            AnyNonceSpends,
            /// A call of Permit2 spends a permit, whatever it moves.
            AnyTermsSpend,
            /// A call of Permit2 is a payment without a transfer.
            SpentIsPaid,
            /// Calls are asked for before their block is safe.
            UnsafeIsTraced,
            /// Calls are asked for as long as a payment is in doubt.
            TracedForEver,
            /// Calls of each transfer between payer and payee are asked for.
            AllAreTraced,
            /// A node that shows no calls shows nothing.
            UntracedIsUnread,
        }
    };
}
