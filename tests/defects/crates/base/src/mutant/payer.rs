//! Guards of the paying client and of the agent that tells it what to pay.

macro_rules! payer {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// The rest of a channel from before its payee was restored is never asked back.
            RestsOfBeforeStay,
            /// A refund goes on to another channel, whose vouchers are believed to be those of the first.
            RefundsGoOn,
            /// A payee stays the one of its host although nothing was paid.
            PinnedUnpaid,
            /// A model has any request sent to any host.
            ModelsLookAnywhere,
            /// A payer takes every realm for the host's own.
            AnyRealm,
            /// A payer does not read the reason beside the terms.
            HeaderUnread,
            /// A settlement that may have been sent is a refusal.
            PendingIsRefused,
            /// A payment that is said to have been used is a refusal.
            UsedIsRefused,
            /// Any price that is known afterwards is signed.
            AnyBound,
            /// Amounts that receipts say were not charged may be signed for again without end.
            ReceiptsAreMoney,
            /// A receipt may name any amount below the price.
            AnyAmountCharged,
            /// An empty wallet is a refusal like any other.
            FundsUntold,
            /// A link is paid whatever it asks for.
            LinksAreTrusted,
            /// A subscription is paid for at whichever contract its seller names.
            AnySubscriptionContract,
            /// An active subscription is subscribed to again.
            ActiveIsSubscribedAgain,
            /// A way to pay that a wallet cannot sign is recommended.
            AnySchemeSigns,
            /// Any balance affords any price.
            AnyBalanceIsEnough,
            /// A quote is paid for whoever names it.
            QuoteOfAnyone,
            /// A quote does not end.
            QuoteForEver,
            /// Any confirmation begins any payment.
            AnyTokenPays,
            /// A confirmation begins as many payments as it is shown for.
            TokenStays,
            /// A prepared request is executed again while it is executed.
            ExecutingTwice,
            /// A prepared request that was executed may be superseded.
            ConsumedReturns,
            /// An answer of any status asks for a payment.
            AnyStatusAsks,
            /// A request that lacks something is executed.
            IssuesPass,
            /// A token has the name that a merchant gives it.
            NamesAreBelieved,
            /// A known token has the decimals that a merchant gives it.
            DecimalsAreBelieved,
            /// A policy whose time is over still pays.
            PolicyForEver,
            /// A payment counts at the time at which its person was asked.
            CountsBeforeConfirm,
            /// Another offer than the pinned one is paid.
            PinIsForgotten,
            /// A payment that has ended and may have been charged is made again unasked.
            EndedIsPaidAgain,
            /// A payment that has ended and may have been charged is made with another token unasked.
            EndedIsPaidElsewhere,
            /// The nonce of a purchase is drawn anew in each process.
            NoncesAreDrawn,
            /// An allowance is signed for a server whose facilitator takes none.
            PermitsUnasked,
            /// A permit that ends before its payment goes along all the same.
            EndedPermitsGoAlong,
            /// A signature that comes after a permit was refused is taken for that permit.
            RefusedPermitsWait,
            /// A payment that may be charged is signed again for another token.
            AnySlotIsSigned,
            /// A payment that is signed for another token is counted in the place of the one signed
            /// before.
            ElsewhereIsUncounted,
            /// A payment of another account beside what has ended counts as one with it.
            AccountsAreOne,
            /// An account that is named late counts as the one that its person was shown.
            LateAccountsAreKnown,
            /// Transactions whose proof never came count as one.
            LostTransactionsAreOne,
            /// A payment that is signed beside one in doubt is in doubt as well.
            DoubtOutlivesSigning,
            /// All of the answer that asks for a payment is kept while that is open.
            AnswersAreKeptWhole,
            /// A payment that a clock which ran ahead has signed is sent again until its time.
            ClocksNeverRunAhead,
            /// A server's doubt stops a purchase that is about to be signed at its other terms.
            DoubtStopsOtherTerms,
            /// A purchase goes on under the policy of the call that began it.
            PolicyOfBefore,
            /// A purchase that is signed again counts again.
            PurchaseCountsTwice,
            /// A purchase that was counted twice is released by one of both.
            SharedIsReleased,
            /// The budget counts what may be charged twice once, because one purchase names it.
            PurchaseNamesCharges,
            /// A quote of the compute exchange is paid as it came.
            QuotesAreBelieved,
            /// A quote is signed when its seat is gone.
            StaleQuotesAreSigned,
            /// A quote that was kept is signed, whatever this call allows.
            KeptQuotesAreSigned,
            /// Another payment than the quoted one is signed.
            AnyProposalIsSigned,
            /// A network profile is compared as a text, whatever network is paid on.
            ProfilesAreTexts,
            /// A token is what the exchange calls it.
            SymbolsAreBelieved,
            /// A quote without the time to sign it is asked for again at once.
            ShortQuotesAreAskedOn,
            /// A payment that may have arrived is taken for one that did not.
            DoubtIsNotCharged,
            /// A payment of an order that the exchange refused is taken for one that is not charged.
            RefusalsAreBelieved,
            /// A job without its result, where nothing is held, is taken for one that was paid.
            JobsAreBelieved,
            /// A job whose row has left is waited for without end.
            GoneJobsAreAwaited,
            /// A first payment at a host counts as made while a person is asked about it.
            FirstsAreSummed,
            /// Any page that is not found ends a job that was paid.
            AnyPageEndsAJob,
            /// An exchange may name a job and its token by any text.
            AnyWordIsKept,
            /// A seller goes on with a job that is another's by now.
            LostJobsAreKept,
            /// An answer of a proxy is taken for the exchange's word.
            AnyAnswerIsTheExchange,
            /// A bond is transferred whatever it is, on any network.
            AnyBondIsPaid,
            /// The exchange says how many decimals the token of a bond has.
            BondsInAnyToken,
            /// A session is opened for the request that opens one.
            SessionsOpenSessions,
            /// A deposit counts against no cap.
            DepositsAreFree,
            /// A deposit may be as large as the server asks for.
            AnyDeposit,
            /// A withdrawal may be delayed by whatever the server asks for.
            AnyDelay,
            /// An amount that a payee says was charged needs no voucher.
            PayeesAreBelieved,
            /// A payee that says that a deposit is gone gets another one.
            DepositsVanish,
            /// A deposit that has ended is dropped though the payee has said nothing of it.
            LateDepositsVanish,
            /// A server may ask for deposit after deposit in one request.
            DepositsRepeat,
            /// A seller that names another channel with each request gets a deposit for each.
            ChannelsOpenBeside,
            /// A channel that was asked back counts as one without a rest.
            AskedBackIsNoRest,
            /// A channel that was begun and not made counts as another one.
            BegunIsAnother,
            /// A deposit that was signed for a channel beside others counts as one that was only begun.
            SignedIsBegun,
            /// Channels in which nothing is left are kept for ever.
            EmptyChannelsStay,
            /// A seller's channels push out those of another.
            OldestChannelsGo,
            /// A server's endpoints push out the stops of another one's.
            OldestStopsGo,
            /// The deposit of a session goes to whoever the server names.
            AnyEscrow,
            /// Corrected terms may be those of another channel.
            ChannelsAreSwapped,
            /// A refund that has to wait is taken for one that is refused.
            LaterIsRefused,
            /// Any refund that a server tells of is believed.
            AnyRefund,
            /// A request that was charged and not answered is signed for again.
            ChargedIsSignedAgain,
            /// The voucher that has left under a key is not known to its next call.
            LeftVoucherIsForgotten,
            /// A voucher that has left is not shown once its page costs more than the policy allows.
            DearerIsNotShown,
            /// A stream that was cut off leaves its payer behind by what was charged last.
            CutStreamsFallBehind,
            /// A voucher is signed for whatever a stream asks for.
            StreamsAreTrusted,
            /// Voucher after voucher is signed for a payee that calls each used up.
            VouchersAreSignedOn,
            /// A payee that says that a session is gone gets another deposit.
            ClosedSessionsReopen,
            /// A top-up that never arrives leaves a voucher that is refused for ever.
            LostTopUpsEndSessions,
            /// A voucher that leans on no top-up proves that one has arrived.
            AnyVoucherProvesTopUps,
            /// A top-up that was signed late writes over the vouchers that were signed meanwhile.
            LateTopUpsWriteOver,
            /// A deposit that nobody signed counts for ever.
            UnsignedDepositsCount,
            /// A voucher above the deposit goes back at codes of the deposit alone.
            WordsKeepVouchers,
            /// A voucher that a payee has refused once is forgotten, though the payee holds it.
            RefusedVouchersAreLost,
            /// A payee that says that a session is gone gets one top-up after another.
            GoneSessionsAreToppedUp,
            /// An answer that comes late changes the channel that stands there by then.
            LateAnswersChangeOthers,
            /// A top-up that has ended blocks all that is dearer than it.
            EndedTopUpsBlock,
            /// A voucher that is served late drops the ones beside it, also the only one that stands for it.
            LateAnswersDropVouchers,
            /// A voucher that was refused once without a word is passed over for a higher one.
            OneRefusalPassesOver,
            /// A voucher that adds too little has the highest one shown at once.
            SmallStepsGoUp,
            /// A transaction of the payer's own that never counts blocks what needs no top-up.
            OwnTransactionsBlock,
            /// A top-up that the payee has called arrived is believed before a voucher has needed it.
            TopUpsAreBelieved,
            /// A top-up that was undone counts for ever.
            UndoneTopUpsCount,
            /// A voucher whose answer was lost is followed by another one in the same request.
            LostAnswersAreForgotten,
            /// A voucher that is called used up is taken for one above the deposit, though that has arrived.
            UsedUpIsTooHigh,
            /// A voucher above what is proven is refused by a payee without codes for ever.
            LeaningIsNeverDoubted,
            /// A voucher that is signed writes over notes of a deposit that came meanwhile.
            PlansOutliveNotes,
            /// A word that comes late calls a channel unknown that has served since.
            LateWordsCount,
            /// A payee without codes that calls a voucher used up in its own words gets it again and again.
            OtherWordsEndSessions,
            /// A problem of the origin behind a payee is taken for a word on the voucher.
            OriginsSpeakForPayees,
            /// A voucher that is signed again counts as never refused.
            SignedAgainIsUndoubted,
            /// A voucher that is called used up counts as charged.
            UsedUpIsCharged,
            /// An opening without an answer is never doubted by a payee without codes.
            OpeningsAreNeverDoubted,
            /// An opening on its way is replaced by another one where its voucher needs more.
            OpeningsAreReplaced,
            /// Each refusal that comes late signs one voucher more.
            LateDoubtsSignOn,
            /// An answer that comes late counts whichever deposit is on its way as arrived.
            AnyDepositHasArrived,
            /// A deposit that nobody signed counts where another request uses the channel by then.
            UnsignedStaysCounted,
            /// A payer that was paid back, and not told, counts what it took back as deposited.
            RefundsUntoldStay,
            /// A higher voucher that is less than what was used is shown, and not passed over.
            UsedVouchersAreShown,
            /// A payee that closes channel after channel is trusted with one deposit after another.
            RestsAreForgotten,
        }
    };
}
