//! Guards of the compute exchange: whose seat it is, what is paid, and where held money goes.

macro_rules! compute {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// The last seller of a job has the time that its money needs.
            PayoutsComeLate,
            /// A pretended payment pays for any number of quotes.
            HashesPayTwice,
            /// A seller that an identity was proven for is overwritten by anyone.
            AnyoneRegisters,
            /// Terms that anyone registers are sold in the name of a seller that has proven nothing
            /// yet.
            StrangersSetTerms,
            /// A client registers any number of sellers that prove nothing.
            SellersPileUp,
            /// A price is offered that no till takes.
            AnyPriceIsOffered,
            /// A price is offered that is below the operator's least.
            DustIsOffered,
            /// Any identity opens a session of any seller.
            AnyIdentitySells,
            /// Any signature proves an identity token.
            AnySignatureIdentifies,
            /// Any issuer's tokens are taken.
            AnyIssuerIdentifies,
            /// An identity token is taken after its end.
            IdentitiesNeverEnd,
            /// Anyone speaks for the gate of what it owes.
            AnyoneNotifies,
            /// A debt of whoever was paid on a route that is called like the till is paid back by the exchange.
            DebtsOfOthersArePaid,
            /// A payment for one request buys another.
            PaymentsBuyAnything,
            /// Whoever knows what the chain shows of a payment is given its answer.
            ChainReadersAreAnswered,
            /// Whoever was told the same quote, and reads the chain, is given the answer of its payment.
            QuotesAreSecrets,
            /// A repeated payment is shown to the quote that came after the one it paid.
            NewerQuotesArePaidAgain,
            /// A result of any length ends its job, and cannot be read.
            LongResultsAreLost,
            /// The reason of a failure keeps characters that hide text or steer a terminal.
            ReasonsHideText,
            /// Anyone asks for any number of bonds of any wallet.
            BondsPileUp,
            /// Two challenges of a wallet ask for one amount.
            BondsShareAmounts,
            /// Any signature asks for a bond in the name of a wallet.
            AnySignatureBonds,
            /// A bond is proven after its end.
            BondsNeverEnd,
            /// A transaction proves two bonds.
            BondsServeTwice,
            /// A bond that proved a seller opens another session for whoever shows it.
            UsedBondsProveAgain,
            /// An identity token for another service is taken.
            AnyAudienceIdentifies,
            /// Any amount proves a bond.
            AnyBondProves,
            /// A transfer from before it was asked for proves a bond.
            OldTransfersProve,
            /// Any token renews a session.
            AnyTokenRenews,
            /// A session's signature is not looked at.
            AnySessionSells,
            /// A session does not end.
            SessionsNeverEnd,
            /// A seller acts with the session, or for the job, of another.
            AnySellerServes,
            /// Each word of a seller about itself is an event.
            SellersFillEvents,
            /// A seller that is silent is given work.
            TheDeadAreGivenWork,
            /// A seller that let a job lie is given more.
            TheDeadStayOnline,
            /// Sellers without a free seat hide those that come after them.
            FullSellersHideOthers,
            /// A seat that is taken is sold.
            SeatsAreSoldTwice,
            /// Few networks ask for all bonds that a wallet may be asked for.
            FewNetworksAskForAllBonds,
            /// A node is asked about the signature of a seller that never had a session.
            UnknownSellersAreAskedAbout,
            /// A seat that a quote holds unpaid is not given to a payment, or to another quote.
            UnpaidQuotesKeepSeats,
            /// A payment that anyone could have made up keeps its seat from one that its buyer signed.
            ForgeriesKeepSeats,
            /// A payment that the gate did not begin keeps its seat as one that settles.
            UnbegunPaymentsKeepSeats,
            /// A payment that another request shows the gate keeps a seat by the one that is refused.
            PaymentsElsewhereKeepSeats,
            /// A payment that did not come keeps a seat from other payments when it is shown again.
            DoubtedPaymentsKeepSeats,
            /// A client that leaves quotes unpaid keeps their seats from other quotes.
            QuotesStayFirm,
            /// A seller's new price ends the quotes that are held at the old one.
            NewPricesEndQuotes,
            /// The same request is quoted again, with another seat.
            RequestsAreQuotedTwice,
            /// A client holds any number of seats unpaid.
            QuotesPileUp,
            /// A client keeps any number of seats by payments that never settle.
            SettlingSeatsAreFree,
            /// A quote whose money is pretended has a price at the till.
            PretendedJobsHavePrices,
            /// Another wallet than the buyer's buys a job at the till.
            StrangersBuy,
            /// A payment that anyone may have made up ends the quote of a buyer.
            ForgeriesEndQuotes,
            /// A payment that did not come ends a quote before its time.
            ReplaysEndQuotes,
            /// A buyer is sold its own work.
            BuyersSellToThemselves,
            /// A seller that lets job after job lie is first again.
            IdleSellersNeverRest,
            /// More is sold in a day than can leave the wallet again.
            DaysHaveNoEnd,
            /// A late payment, or one by a transfer, is sold beyond the bound of a day.
            LateTransfersHaveTheDay,
            /// One seller sells all of a day.
            OneSellerHasTheDay,
            /// A quote is paid after its end.
            QuotesNeverEnd,
            /// Another prompt than the quoted one is paid.
            AnyPromptIsPaid,
            /// A quote of other terms is paid.
            ProfilesMix,
            /// New terms end what was paid at the old ones.
            NewTermsForgetPayments,
            /// Another payer than the buyer is charged.
            AnyonePays,
            /// A quote is paid by a second payment.
            QuotesSellTwice,
            /// Nobody is told that a quote was paid at its till.
            TillPaymentsAreOthers,
            /// The gate is never told of a refund.
            DebtsAreNeverReported,
            /// A payment makes a job each time.
            PaymentsSellTwice,
            /// A payment that the gate has settled first buys nothing where work is charged on delivery.
            SettledOrdersAreRefused,
            /// Any amount buys a job.
            AnyAmountBuys,
            /// A doubtful answer of the gate ends a job.
            DoubtIsRefused,
            /// A settled payment that no job can be made of is forgotten.
            OrphansAreLost,
            /// A seller at a higher price than was paid takes over.
            AnySellerTakesOver,
            /// A job is given to sellers for ever.
            JobsNeverEnd,
            /// Anyone reads a job.
            JobsAreOpen,
            /// Work counts for a request that is gone.
            LateWorkIsPaid,
            /// A job's outcome changes.
            OutcomesChange,
            /// Release and refund have two keys.
            WaysHaveKeysOfTheirOwn,
            /// A payment that bought no job has the entry of its quote in the escrow contract.
            OrphansShareEntries,
            /// Two payments of one transaction are registered under it.
            SettlementsAreShared,
            /// A job whose money is in the escrow contract is given to another seller.
            ContractsChangeSellers,
            /// A buyer who shows a hash buys with a transfer of someone else.
            AnyHashPays,
            /// A transaction that paid at the till pays again as a direct transfer.
            TransfersPayTwice,
            /// A direct transfer that bought a job pays at the till too.
            ShownTransfersPayTheTill,
            /// A transfer of another amount, payer or payee pays.
            AnyTransferPays,
            /// A transfer pays before it has its blocks.
            FreshTransfersPay,
            /// A transfer pays however old it is.
            OldTransfersPay,
            /// A transfer at the price of an earlier quote of its order does not go back.
            EarlierPricesAreForgotten,
            /// A debt of the gate is paid back without its leave.
            DebtsAreUnclaimed,
            /// The gate is asked only about a debt of which it has told.
            UnheardDebtsAreUnclaimed,
            /// A debt that is heard makes another claim of one that was made.
            WordsChange,
            /// A refund that was begun at a gate is nothing once the gate was restored.
            BeginsAreForgotten,
            /// The gate is asked about a transfer of the buyer's own.
            TransfersAreTheGates,
            /// A job that was served and paid back waits for a person.
            ServedJobsAreUntold,
            /// A sale without a known transaction counts as a refund that a person has reported.
            SalesNeedTransactions,
            /// The gate is not asked again for what has waited for its turn.
            TurnsAreUnasked,
            /// A gate that was restored has to know of payments which the exchange took.
            OwnJobsAreHearsay,
            /// A payout that the treasury has refused for certain counts as under way.
            RefusedIsUnderWay,
            /// A try that never moves counts as under way.
            DeadTriesAreUnderWay,
            /// A payout that a restored treasury has forgotten is asked about for ever.
            LostPayoutsAreAwaited,
            /// A try is asked for again as it is configured by then.
            OrdersAreWrittenAgain,
            /// Money that the gate has paid back is only put off.
            EndsAreForgotten,
            /// A person ends money that the exchange still moves.
            OpenMoneyEnds,
            /// A transfer from before a restore buys once more.
            RestoresSellAgain,
            /// An answer is read by the question that would be asked now.
            AnswersAreMixedUp,
            /// Debts that arise while money is on its way are told when it is there.
            LateDebtsAreUnheard,
            /// A gate that was silent for long has left its refund to the exchange.
            SilenceIsAGrant,
            /// Refunds of what got no job take the day of what pays for work.
            OrphansHaveTheDay,
            /// A forgery with the nonce of a payment ends its job.
            ForgeriesEndJobs,
            /// The gate's word on a repeat ends the job whose payment is settling.
            RepeatsEndJobs,
            /// A payment of any version of x402 is shown to the gate in the field of version 2.
            VersionsShareAField,
            /// A refund of what got no job goes before those that wait.
            OrphansPushIn,
            /// Refunds of what got no job take the places of errands for jobs.
            OrphansTakeAllPlaces,
            /// The payout of a result that was judged keeps the place of those that are to be judged.
            PayoutsKeepOtherPlaces,
            /// Looks at payouts take the places of payouts that are to be made.
            LooksTakePlaces,
            /// Money that is due first leaves first, however much of it is of one seller.
            BurstsGoFirst,
            /// A deadline waits for the errands that are due.
            EndsWaitForErrands,
            /// A deadline makes a call of its own, whether or not there is a place.
            EndsTakeNoPlaces,
            /// One wallet takes bonds and the money of sales.
            PurchasesAreBonds,
            /// A clock that is set back begins a day.
            DaysBeginAgain,
            /// A callback counts however old its signature is.
            CallbacksNeverEnd,
            /// Any signature calls back in the name of a seller.
            AnySignatureCalls,
            /// A result is paid without its proof.
            ResultsAreNotProven,
            /// A result that was rejected is paid.
            RejectedIsPaid,
            /// A job that failed uncharged keeps its payment from every other quote.
            FailuresKeepPayments,
            /// A payout that may have moved is made again.
            DoubtIsPaidAgain,
            /// Nothing leaves the rows.
            RowsStay,
            /// The jobs of one buyer or seller push those of all others out.
            JobsOfOthersLeave,
            /// A job leaves because there are many, minutes after it was bought.
            YoungJobsLeave,
            /// A quote that was sold keeps its prompt beside its job's.
            SoldQuotesKeepPrompts,
            /// Every quote that ends keeps its prompt.
            LapsedQuotesKeepPrompts,
            /// Quotes are made until the object's storage is full.
            QuotesFillTheBooks,
            /// A job that is over is counted again.
            EndsCountTwice,
            /// Work is counted as earned before its charge is settled.
            UnsettledWorkCounts,
            /// Anyone reads the feed of a seller or a job.
            FeedsAreOpen,
            /// Feeds of those who have proven who they are wait behind those of anyone.
            FeedsShareRoom,
            /// Demo runs are not limited.
            DemosPileUp,
            /// A buyer who asks about a quote that is being paid is told that nothing was charged.
            PaidQuotesAreFree,
            /// Whatever the gate answers about a quote is told as its terms.
            AnyAnswerHasTerms,
            /// A setting that only skills have ends the exchange beside them where it is wrong.
            SkillsEndTheExchange,
            /// A payment that was not heard of is answered by new terms once its quote has ended.
            UnheardPaymentsAreSignedAgain,
            /// A payment that was not heard of, and has come since, is answered by new terms.
            HeardPaymentsAreSignedAgain,
            /// Any payment of its buyer's is the one that a quote was not told of.
            AnyPaymentIsTheLostOne,
            /// Money whose try is dead keeps the transaction of that as the one that moved it.
            DeadTriesHaveMoved,
            /// Money that went back by an unknown transaction waits for a person, though it was reported.
            UnnamedRefundsStay,
            /// An answer that came by itself ends money without a known transaction, before a person has heard of it.
            UnnamedRefundsEndUnseen,
            /// Of two payments for a quote that were not heard of, the first counts as the one that came.
            OnePaymentIsLost,
            /// A payment that was not heard of is told new terms while another one for its quote is looked at.
            OthersEndTheUnheard,
            /// A payment that was lost is sent to the till beside a transfer that has bought its quote.
            LostOnesAreSentBesideTransfers,
            /// A quote whose payment was shown early and not heard of loses its prompt when it ends.
            UnheardPromptsAreLost,
            /// The gate's terms are passed on though they are not those of the quote.
            OtherTermsAreTold,
            /// Challenges of MPP in the gate's terms are passed on unread.
            OtherChargesAreTold,
            /// Of several ways to pay that the gate offers one has to be the quote's.
            OneRightWayIsEnough,
            /// A copy of a payment for another order stands before the job of the payment.
            CopiesHideJobs,
            /// A purchase that the seller signed somewhere proves a bond.
            PurchasesProveBonds,
            /// A transfer for a request that nobody signed binds a seller that has signed.
            StrangersBindSigners,
            /// A transfer for a request that nobody signed binds a seller that has an identity.
            StrangersBindIdentities,
            /// An open challenge is told again to whoever asks from its network.
            OpenBondsAreToldAgain,
            /// A gate is not told that a payment by a transfer of before is none of its debts.
            SpentTransfersAreOwed,
            /// A copy of a payment for another order stands before its quote that was not heard of.
            CopiesHideTheUnheard,
            /// What a facilitator settles later is paid back before it has come.
            PendingIsOwed,
            /// What a clock that ran ahead has written is due by that time.
            AheadIsNeverDue,
            /// What the treasury refused before it wrote anything is asked for as it was.
            UnwrittenIsKept,
        }
    };
}
