//! Guards of channels: which vouchers count, what is charged, and that earnings are claimed.

macro_rules! channel {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// Anyone signs vouchers.
            AnySignerPays,
            /// Whoever has paid often signs anything.
            KnownAreBelieved,
            /// Channels that were opened before a restore name the account of those after it.
            RestoresAreForgotten,
            /// A gate that was restored twice does not know the channels of the time between.
            RestoresBetweenAreForgotten,
            /// A channel of which a restored row may know too little goes on selling.
            RestoredChannelsSell,
            /// A channel that is opened again counts as opened after a restore.
            AnyOpeningIsYoung,
            /// An answer is kept that no one may have, or that its route does not store.
            AnswersStay,
            /// The row of a channel that has ended goes before its claim is seen.
            OwedRowsGo,
            /// One payer whose deposits come to nothing holds up those of all.
            OneHoldsUpAll,
            /// A voucher pays in another channel than its own.
            AnyChannelPays,
            /// A lower voucher replaces a higher one.
            VouchersFall,
            /// A voucher above the deposit is accepted.
            DepositIsUnbounded,
            /// A voucher need not be what was charged and the price.
            AnyVoucherPays,
            /// One voucher serves two requests at once.
            OneVoucherServesTwo,
            /// Requests are served for the same part of a voucher.
            HoldsOverlap,
            /// A request that was charged is charged again.
            RepeatsAreCharged,
            /// Another request is a repeat of the last one.
            AnyRequestRepeats,
            /// A request whose hold is gone is charged without a check.
            LateIsCharged,
            /// More is charged than was held.
            UnitsAreUnbounded,
            /// A sight of the chain counts, however old it is.
            StaleIsFresh,
            /// An earlier answer of the chain replaces a later one.
            OldSightsCount,
            /// A sight of the chain has the time of asking, however old the newest block is.
            AskedIsShown,
            /// A chain that makes blocks for transactions alone is a node that stands still.
            QuietIsStill,
            /// A payer who withdraws goes on buying.
            LeaversBuy,
            /// Earnings wait although the payer withdraws.
            LeaversAreNotHurried,
            /// Looks at a close as seldom as at others where its payer had asked to withdraw before.
            LeaversAreForgotten,
            /// A look for what the chain may undo counts although nothing was answered.
            SilenceIsFinal,
            /// Watches what the chain may undo since it was sent, and not since it was seen.
            WatchedSinceSent,
            /// Withdrawals are not looked for.
            EarningsAreNotWatched,
            /// A chain without new blocks is looked at as seldom as a facilitator that never answers.
            QuietIsUnwatched,
            /// Earnings that come while a claim is sent are claimed as soon as that has come.
            ClaimsAreNotGathered,
            /// Claims wait for a payer who withdraws as long as those before them that failed.
            LeaversWaitOutPauses,
            /// Nothing is claimed without a refund that is promised.
            RefundsKeepEarnings,
            /// A refund that never comes is looked for as often as one that was sent just now.
            RefundsAreWatchedForEver,
            /// An empty wallet of a payer counts as what the chain shows of their channel.
            WalletsHideChannels,
            /// Money that is promised back is spent.
            PromisesAreSpent,
            /// Money that is held for a request is promised back.
            HeldIsRefunded,
            /// Earned money is promised back.
            EarnedIsRefunded,
            /// The part of a deposit that the chain may still undo is promised back.
            UndoneIsRefunded,
            /// A voucher that was sent for a chain authorises whoever shows it.
            PublishedIsSecret,
            /// Whoever shows such a voucher has everything paid back while the payer buys.
            BusyIsRefunded,
            /// Whoever shows such a voucher is told what was charged since.
            ReadersAreTold,
            /// A payer who has lost the record is not shown the voucher that was sent last to claim by.
            SentIsUntold,
            /// Nor told of it by a refusal of a refund.
            OldRefundsAreUntold,
            /// Times that a clock has written which ran ahead are believed until they come.
            AheadIsBelieved,
            /// Everyone who shows a deposit that waits has the node asked.
            LooksAreAlone,
            /// Each voucher is written, though it buys nothing.
            DustIsWritten,
            /// A part of any size, of a voucher that anyone may show, is paid back.
            RefundsAreDust,
            /// A payer whose refund has to wait is not told until when.
            RefundsWaitUntold,
            /// A channel that bought nothing is paid back.
            NothingIsRefunded,
            /// The chain is looked at for a refund that the row refuses.
            RefundsAreBlind,
            /// A deposit counts whatever else a facilitator says of it.
            AnyDepositCounts,
            /// A channel holds what a facilitator states after a deposit, however much that is.
            StatedDepositsCount,
            /// The node is asked again and again for a deposit that does not come.
            LooksAreFree,
            /// A deposit below the price is sent.
            DepositsAreDust,
            /// A deposit into a new channel is sent whatever its voucher is.
            NewDepositsAreBlind,
            /// A voucher above what the chain has left of a deposit is what is claimed by.
            UndoneIsClaimed,
            /// Of deposits that the chain may go back to, only the firm one has its voucher kept.
            LowerDepositsAreForgotten,
            /// A channel whose highest voucher is above what is left is not closed with a lower one
            /// that pays all that was earned.
            ShortVouchersCloseNothing,
            /// A channel that bought next to nothing is closed at once at the payee's cost.
            CrumbsAreClosed,
            /// A deposit that the payee sent counts as its payer's own.
            SentIsOwn,
            /// An addition to a deposit that the payee sent makes all of it the payer's own.
            AnyAddIsOwn,
            /// An event of any contract about any channel tells of a deposit.
            AnyEventBrings,
            /// A channel that owes nothing is closed at the payee's cost.
            NothingIsClosed,
            /// A channel that buys nothing is kept.
            ChannelsAreDust,
            /// A node is asked about a channel that no one has opened here.
            UnknownIsLookedFor,
            /// Anyone is told what a channel has spent.
            StrangersAreTold,
            /// Money that a payer has not spent is claimed while they stay.
            UnspentIsClaimed,
            /// A transaction that waits is sent again as it was.
            StuckIsNotReplaced,
            /// A transaction that waits is sent again under a further nonce.
            RepeatsAreDoubles,
            /// The price of a transaction that waits, once it was raised so often, follows no more.
            PricesFreeze,
            /// A price is raised above what the account can pay.
            RaisesAreUnpaid,
            /// A deposit that is too small for its gas is sent.
            DustIsSent,
            /// A deposit for another contract or channel is sent.
            UnboundDepositsAreSent,
            /// A deposit is sent whoever signed it.
            UnsignedDepositsAreSent,
            /// A deposit is sent that ends before it is mined.
            LateIsSent,
            /// A deposit is sent that the contract or the token refuses.
            VainDepositsAreSent,
            /// A deposit is sent again while it waits, and beside another one of its payer's.
            DepositsAreDoubles,
            /// A call that was seen once is not looked at again when the chain undoes it no more.
            FirstSightIsFinal,
            /// A refund that the chain undoes counts as made, so that what was undone beside it is not seen.
            RefundsAreFinal,
            /// A refund that the chain undoes is forgotten, and whoever has its signature sends it again.
            UndoneIsForgotten,
            /// A deposit takes the gas that claims need.
            DepositsTakeGas,
            /// Deposits that come to nothing are sent without end.
            VainIsFree,
            /// A deposit that the contract refused has come if its payer has added as much.
            RevertedHasCome,
            /// A deposit that a stranger sends before the payee counts as one that its payer made fail.
            FirstSendersHoldBack,
            /// Transactions of strangers are asked about in each round, whether or not the answers
            /// can be read.
            LooksHoldUpAll,
            /// A deposit has come whatever became of its authorization, if its payer has added as much.
            SpoiltHasCome,
            /// The payee's losses by deposits that strangers send first are not counted.
            OvertakenIsFree,
            /// The row of a channel of x402 goes although a voucher for more than was claimed is published.
            PublishedRowsGo,
            /// An addition to a channel at rest is paid back at once by a published voucher.
            DepositsDoNotWake,
            /// Whoever shows a published voucher has the refund that waits sent again and again.
            ReadersSendRefunds,
            /// A payout that proves nothing is asked for again after minutes.
            PayoutsWait,
            /// A question about one network is answered by a node of another.
            NetworksShareLooks,
            /// Deposits of strangers that come to nothing hold up those of payers whose last one came.
            StrangersPauseAll,
            /// A payer whose deposit came to nothing counts as one whose last one came.
            ProvenFailFree,
            /// An addition to a channel counts as proof of its payer, whoever made it.
            AddingIsProof,
            /// A deposit whose request the origin fails is not told of.
            DepositsAreUntold,
            /// Deposits of payers whose last one came are sent however many came to nothing.
            ProvenFailOften,
            /// A deposit is sent again that a block has, but not the node that is asked.
            LandedIsForgotten,
            /// Whatever a node says against a call counts as a call that fails.
            ErrorsAreReverts,
            /// A payer who withdraws waits for those who stay, if the account cannot pay for both.
            StayersComeFirst,
            /// Earnings from payers who withdraw are sent in their order, not first.
            LeaversQueue,
            /// The smallest debts are not sent last.
            CrumbsComeFirst,
            /// Claims of x402 that were refused together are sent together for ever.
            BatchesStayWhole,
            /// A channel that is not seen any more has its claim beside those of others.
            UnseenGoTogether,
            /// A channel of any payee, token or contract pays by MPP.
            AnyPartiesPay,
            /// A voucher that came while a transaction was made counts as one that no one has seen.
            SentIsSecret,
            /// A higher voucher takes away what is held for requests that are being served.
            HigherVouchersUncharge,
            /// A voucher of MPP pays on every route, whatever its channel was opened for.
            AnyRouteSells,
            /// A route that is paid by other channels says for how much one is closed at once.
            AnyRouteCloses,
            /// A channel of one protocol takes what comes by the other one.
            ChannelsAreOfAnyKind,
            /// A voucher of which nothing was charged is what is claimed by.
            RoomIsPublished,
            /// A voucher of MPP is taken as it comes.
            ShownIsChecked,
            /// Every call goes to the first facilitator.
            OneFacilitatorIsAsked,
            /// A channel for another payee, token, authorizer or delay pays.
            AnyConfigPays,
            /// A deposit whose outcome is unknown is asked for again.
            UnknownDepositIsRefused,
            /// A deposit that may have been sent is asked for again, as it is said to have failed.
            DoubtfulDepositIsRefused,
            /// A deposit that was made is asked for again where whoever reads the chain is behind.
            LagIsRefused,
            /// A deposit is sent whatever its voucher is.
            DepositsAreBlind,
            /// All requests of a channel are one payment to the origin.
            ChannelsAreOnePayment,
            /// The origin is told the payer that a channel names.
            NamedPayersAreProven,
            /// Requests with different bodies are the same.
            BodiesAreOne,
            /// Requests for different parts of an answer are the same.
            PartsAreOne,
            /// A request that was charged as another copy of it is answered by its own.
            UnchargedIsDelivered,
            /// The time of a hold runs while the request's body comes.
            BodiesUseUpHolds,
            /// A stream is charged more than its voucher is for.
            StepsOverlap,
            /// A stream flows on, and is not charged.
            StepsAreFree,
            /// A stream that was begun may be begun again for the same charge.
            StreamsRepeat,
            /// A stream waits as long again whenever another one got the step.
            WaitsBeginAnew,
            /// A stream begins for one unit, whatever a step is.
            UnitsBegin,
            /// A voucher is taken that adds less than a step.
            DustIsTaken,
            /// A stream that one voucher bought is charged beside the next request.
            StreamsOverlap,
            /// A payment for terms that have changed since is not looked up in its channel.
            EarlierTermsAreForgotten,
            /// A payer who buys nothing any more, and owes a little, is watched for ever.
            QuietIsWatchedForEver,
            /// A stream whose chain cannot be seen for a moment breaks off without a receipt.
            SilenceCutsStreams,
            /// An answer whose charge was written and not heard of is dropped.
            UnheardChargesAreLost,
            /// The charge of another copy of a request delivers an answer that was not charged.
            OthersChargesDeliver,
            /// Requests without a random name have one mark.
            NamelessAreOne,
        }
    };
}
