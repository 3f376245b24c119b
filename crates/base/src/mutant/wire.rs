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
            /// A permit may move any token.
            AnyPermittedToken,
            /// A nonce of Permit2 counts once for each token.
            PermitByToken,
            /// A permit in the data of a transaction proves its transfer.
            WordsArePaid,
        }
    };
}
