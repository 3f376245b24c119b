//! Guards of the treasury: who is served, what is paid, and what stays counted.

macro_rules! treasury {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// An approved payment is made although the agent was ended meanwhile.
            ApprovalsOutliveAgents,
            /// A full budget uses up what a person has approved.
            FullBudgetsUseApprovals,
            /// An answer that puts an approved payment off does not name its review.
            PutOffsForgetReviews,
            /// A signer that says nothing for a moment uses up what a person has approved.
            SilentSignersUseApprovals,
            /// The end of a runtime token uses up what a person has approved.
            EndedTokensUseApprovals,
            /// A token leaves the books with its end, while what it asked for is prepared.
            EndedTokensLeaveAtOnce,
            /// An approval serves again for a token of which nobody knows whether it was taken back.
            GoneTokensAreEnded,
            /// A budget that fills up while a payment is prepared uses up what a person has approved.
            FilledBudgetsUseApprovals,
            /// A denial by a budget that filled up meanwhile names no figures, and tells no operator.
            FilledBudgetsAreSilent,
            /// An approval that ends while its payment is prepared denies its key for ever.
            LateApprovalsAreForEver,
            /// An approval of which nothing was signed serves again, though its agent or token was taken back.
            ApprovalsOutliveTokens,
            /// A payment that a person denies while it is prepared is made.
            PreparedAreNotDenied,
            /// A state that no row can have lists none.
            OtherStatesAreNone,
            /// A link takes another payment while one is being settled.
            LinksPayTwice,
            /// A link is paid after its end.
            LinksOutliveTheirTime,
            /// A worker that lost the work on a link still reports on it.
            LinksKeepFences,
            /// A facilitator that refuses a payment of a link which it has seen before is believed.
            LinksBelieveRepeats,
            /// An authorization that was used before pays a link, because the chain shows a transfer.
            LinksTakeUsedPayments,
            /// One authorization pays several links.
            LinksSharePayments,
            /// An authorization is given to another link than the first that asked.
            ClaimsChangeHands,
            /// An authorization is given to a link though no node shows it unused.
            UnseenIsClaimed,
            /// An authorization is sent that the chain shows used.
            LinksSendUsedPayments,
            /// Rules that would bind nothing are taken.
            UnknownRulesPass,
            /// A link is paid by less, or to another.
            LinksTakeAnyPayment,
            /// A wallet has several transactions in the air.
            WalletsSendAtOnce,
            /// One block's sight of an escrow counts for good.
            FirstSightConfirms,
            /// A transaction at a higher price has a nonce of its own.
            BumpsTakeNonces,
            /// Any price of gas is paid.
            GasHasNoBound,
            /// The last price that is offered for a transaction is below the bound.
            LastBumpIsLow,
            /// Of the prices that were offered for a transaction only the last one is sent again.
            NewestIsSentAlone,
            /// A payment in an escrow is asked about with other facts.
            EscrowsServeOthers,
            /// Where a payment in an escrow goes is decided twice.
            GoalsChange,
            /// A transaction is sent before it is written.
            SentBeforeWritten,
            /// A contract that is not configured is called.
            AnyContractIsCalled,
            /// A transaction in the air that cannot be asked about keeps its wallet waiting.
            UnseenFlightsBlock,
            /// A node that refuses to say what a contract would do has said that it would fail.
            ThrottlesAreReverts,
            /// Requests with payments go out to hosts inside a network.
            AnyHostIsPaid,
            /// A key of a payout answers for another one.
            PayoutKeysServeOthers,
            /// A crash before a payment is signed uses up the approval.
            CrashesUseApprovals,
            /// A payout is spent once its facilitator says so.
            FacilitatorsAreBelieved,
            /// The nonce of a payout does not follow from its key.
            PayoutNoncesAreDrawn,
            /// A payout whose nonce was used fails, or is sent, by what its wallet holds now.
            UsedNoncesFail,
            /// Fields of an agent that are its own go to merchants.
            CookiesLeave,
            /// A window that a clock ran ahead to is kept until it comes.
            WindowsRunAhead,
            /// The tokens of all wallets of an organization have one space of keys.
            TokensShareKeys,
            /// A wallet's token pays once more what was paid under the operator's form of its key.
            FormerKeysAreForgotten,
            /// A notice does not say of which organization it is.
            NoticesNameNoOne,
            /// A void payment is given back to windows in which it was not counted.
            VoidIsGivenToOthers,
            /// The rules of a treasury do not end.
            RulesForEver,
            /// An organization without allowed origins pays everyone.
            SilenceAllows,
            /// An origin that is denied is paid.
            DeniedOriginsPass,
            /// An origin that is denied is paid at another port.
            OtherPortsPass,
            /// No payment is too large to be paid without a review.
            LargePass,
            /// A treasury's budget has no end.
            BudgetsOverflow,
            /// A treasury pays on test and main networks alike.
            EnvironmentsMix,
            /// Other terms than those that were shown are paid.
            TermsMayDrift,
            /// A settlement that contradicts what was signed counts.
            LiesAreEvidence,
            /// The refusal of a repeat counts as that of the payment.
            RepeatsAreRefused,
            /// A bootstrap key asks for decisions.
            AnyTokenServes,
            /// The id of a token is enough.
            IdsAreTokens,
            /// A runtime token does not end.
            TokensForEver,
            /// A token that was taken back counts.
            RevokedTokensServe,
            /// An agent that was disabled pays.
            DisabledAgentsPay,
            /// An agent that is disabled while signer and node are asked pays.
            DisabledWhileAsked,
            /// A token or key that was revoked while signer and node were asked pays all the same.
            RevokedWhileAsked,
            /// A token that ended while signer and node were asked pays all the same.
            EndedWhileAsked,
            /// Rules that were changed while signer and node were asked do not count.
            RulesChangeWhileAsked,
            /// A wallet that the rules no longer name pays what was decided before.
            WalletChangesWhileAsked,
            /// A key that the configuration seeds no longer serves.
            SeededKeysStay,
            /// A client of any version is served.
            AnyVersionIsServed,
            /// An agent reads the receipts of others.
            ReceiptsOfOthers,
            /// An agent asks in the name of another.
            AnyAgentIsNamed,
            /// A key is decided about anew each time.
            KeysAreForgotten,
            /// A key answers another request.
            KeysServeOthers,
            /// A request whose payment is open is paid again.
            OpenIsForgotten,
            /// A merchant's refusal ends a purchase whose payment it has.
            RefusalsEndPurchases,
            /// A delivery without its receipt closes a purchase.
            MuteDeliveriesClose,
            /// A delivery is forgotten when its payment is sent again.
            RepeatsForgetDeliveries,
            /// A delivery stays open although the chain shows its transfer.
            ConfirmedStayOpen,
            /// A payment that the chain shows counts as delivered.
            ConfirmedIsDelivered,
            /// A known receipt is forgotten when its payment is sent again.
            RepeatsForgetReceipts,
            /// An answer that another one replaced counts as kept.
            ReplacedAnswersCount,
            /// A decision never shows the receipt that the chain gave it.
            KeysNeverShowReceipts,
            /// An approval does not end.
            ReviewsForEver,
            /// An approval holds for other terms.
            ReviewsServeOthers,
            /// An approval is not used up.
            ReviewsServeTwice,
            /// A payment is signed without being counted.
            ReservesNothing,
            /// A report of a Worker that lost its attempt counts.
            OldFencesCount,
            /// A merchant that refuses gives the money back.
            RefusalsAreVoid,
            /// The alarm takes an attempt over under the fence of its holder.
            LeasesKeepFences,
            /// Any request is sent again after a crash.
            PostsAreRepeated,
            /// The first block confirms a payment.
            OneBlockConfirms,
            /// An authorization that is unused so far never moves money.
            UnusedIsVoid,
            /// Another spelling of a host or port is another origin.
            AnySpellingIsPaid,
            /// A GET request with a body is paid, although it cannot be sent.
            BodiesAreSentAnyway,
            /// A bound whose name is misspelt bounds nothing.
            UnknownBoundsAreIgnored,
            /// A nonce is signed for another decision, too.
            NoncesAreSignedTwice,
            /// An agent that is disabled keeps its tokens and keys.
            DisabledKeepTokens,
            /// Tokens are never deleted.
            TokensPileUp,
            /// The transaction that a merchant named is kept although it never came.
            ClaimsAreKept,
            /// The transaction that a merchant named is evidence although the chain shows the payment
            /// unused.
            ClaimsOutliveReadings,
            /// An approval covers other header fields and a longer validity.
            ApprovalsCoverAnything,
            /// An approval of a URL covers another one to which its purchase is redirected.
            ApprovalsCoverRedirects,
            /// A purchase is known by the URL to which a merchant redirects it.
            RedirectsNamePurchases,
            /// Terms that cannot be read end the review that their key waits for.
            NonsenseEndsReviews,
            /// A key whose request a person has denied asks nobody again.
            DenialsForEver,
            /// A key that was paid after a denial had ended is judged anew.
            DenialsOutlastPayments,
            /// An approval ends when its review would have ended unanswered.
            ApprovalsEndWithReviews,
            /// A key whose review ended unanswered, or unused, is denied for ever.
            LapsesAreForEver,
            /// A person's denial covers other header fields under its key.
            DenialsCoverAnything,
            /// An approval outlives the refusal of its payment.
            ApprovalsOutlive,
            /// An agent may have any number of open reviews.
            ReviewsPileUp,
            /// Two organizations pay from one account.
            WalletsAreShared,
            /// An agent may have any number of denials kept.
            DenialsPileUp,
            /// Each of equal denials without a key is kept.
            EqualDenialsAddRows,
            /// A key whose payment has left the books pays again.
            RemovedKeysPayAgain,
            /// Open rows leave the books.
            OpenRowsLeave,
            /// A request leaves the books while it may still be sent.
            RequestsLeaveEarly,
            /// Merchants' answers are kept however much they are together.
            AnswersPileUp,
            /// A decision that is over goes on naming another payment's transaction.
            ClaimsStayTold,
            /// The alarm works on what is due the longest, whoever it is of.
            AgentsTakeNoTurns,
            /// Reads of the chain come before payouts and what was interrupted.
            KindsTakeNoTurns,
            /// Interrupted payments to one merchant take every place that is free.
            OneMerchantTakesTurns,
            /// An agent may have any number of open payments.
            OpenPaymentsPileUp,
            /// Payments to one payee take the room of its market.
            OnePayeeTakesAllRoom,
            /// Payments to one merchant take the room of all.
            OneMerchantTakesAllRoom,
            /// A request is kept that is never sent again.
            RequestsOutliveUse,
            /// A node that is missing from the settings for a moment is not asked any more.
            LostNodesStayLost,
            /// A payment that misses its node keeps its room for an hour after its end.
            UnreadKeepTheirRoom,
            /// A denial keeps a URL of any length.
            LongUrlsAreKept,
            /// A payment that the alarm could not send again was never sent.
            RepeatsWereNeverSent,
            /// An organization pays out of another one's wallet.
            PayoutsFromAnyWallet,
            /// A payout that names the address of its wallet is made by another one.
            AnyWalletPaysBack,
            /// The token of a wallet pays out of every wallet.
            TokensPayFromAnyWallet,
            /// The token of a wallet shows the payouts of every wallet.
            TokensSeeEveryPayout,
            /// A review of a charge is about another one a second later.
            ReviewsAgeWithCharges,
            /// An answer of a merchant that delivered nothing is kept like a delivery.
            RefusalsAreKept,
            /// Answers to one agent take the room of all.
            OneAgentKeepsAllAnswers,
            /// An agent may have any number of payments in a day that never move.
            UnmovedPileUp,
            /// A payment that never moved stays as long as those that did.
            UnmovedStayForYears,
            /// A review that is over shows its request for years.
            ReviewsStayWhole,
            /// A request whose repeat was answered and refused is never sent again.
            RefusedRepeatsAreLost,
            /// A review that is over under a key answers who names none.
            OverReviewsAnswerOthers,
            /// Each of equal denials takes a place of a review.
            EqualDenialsCount,
            /// A payment is signed for whatever offer is at its place by now.
            OffersAreFoundByPlace,
            /// Payments in escrow contracts that wait take every place of links.
            EscrowsComeBeforeLinks,
            /// An approval is used up by a wallet that is too short for its payment.
            ShortWalletsUseApprovals,
            /// An answer that cannot be read counts as one that was heard.
            UnreadAnswersAreHeard,
            /// A row that is open a week after it was asked for is never looked at again.
            OpenRowsAreLookedAtOnce,
            /// A round that another version began counts for rows that it did not look at.
            RoundsBeginAnywhere,
        }
    };
}
