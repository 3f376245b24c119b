//! Guards of the market: who owns a skill, what is paid for it, and what the ledger says.

macro_rules! skills {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// A proof of ownership does not end.
            ProofsForEver,
            /// Any wallet's signature proves ownership.
            AnyWalletOwns,
            /// A proof of ownership counts again.
            ProofsServeTwice,
            /// A wallet's signature does not cover the body.
            ContentIsNotSigned,
            /// An owner may have any number of active skills.
            SkillsPileUp,
            /// A skill is called at any host.
            AnyHostIsCalled,
            /// A pack calls whatever has the id of its skill.
            PacksOutliveTheirSkill,
            /// The market's table may leave the till of its exchange out.
            TablesTakeTheTillAway,
            /// A skill that was used is deleted where its fee is not paid.
            UsedSkillsLapse,
            /// The skills of an owner have one secret for each server.
            SkillsShareSecrets,
            /// Calls for which nothing was paid push the answers to paid ones out.
            RepliesPushOthersOut,
            /// The word of a seller alone makes an answer one that was paid for.
            SellersVouchForAnswers,
            /// Small answers leave too slowly for long ones.
            SmallRepliesFillTheStore,
            /// That a payment moved shows the transaction that its seller names.
            ClaimsAreShown,
            /// Whatever the treasury does not find was never asked for.
            AnyMissIsUnasked,
            /// A transaction that a seller names is taken from whoever has paid with it.
            ClaimsKeepTransactions,
            /// Requests that the gate did not sign are forwarded.
            AnyoneForwards,
            /// The gate's signature does not end.
            ForwardsForEver,
            /// Any price that was paid buys a skill.
            AnyPriceBuys,
            /// A price that was replaced buys for ever.
            OldPricesBuy,
            /// A skill that was deactivated is sold.
            GoneIsSold,
            /// More than the listed price is paid.
            DriftIsPaid,
            /// Another payee than the listed one is paid.
            AnyPayeeIsPaid,
            /// Another asset than the listed one is paid.
            AnyAssetIsPaid,
            /// A quote that is paid ends before its block is safe.
            ShownQuotesEnd,
            /// A quote that is paid ends while its node is silent.
            SilenceEndsQuotes,
            /// A quote that is paid ends while nobody says whether its agent is vouched for.
            UnvouchedQuotesEnd,
            /// A quote that no one has paid is kept while nobody says whether its agent is vouched for.
            SilentWordsKeepQuotes,
            /// A key is invoked anew each time.
            CallsAreRepeated,
            /// A key answers another payload.
            CallsServeOthers,
            /// The same request at once is another invocation.
            TwinsAreCalled,
            /// A report of a Worker that lost its invocation counts.
            OldGrantsCount,
            /// The cap of a day is not looked at.
            CapsAreIgnored,
            /// A payment that was not delivered counts as a success.
            FailuresAreSuccesses,
            /// A call that was interrupted while it was paid was not paid.
            DoubtIsUnpaid,
            /// Totals are written without their rows.
            TotalsDrift,
            /// The rows of others are shown.
            LedgersAreOpen,
            /// The receipt of what was paid and not delivered is kept to oneself.
            ReceiptsAreLost,
            /// A transaction is booked for two invocations.
            TransactionsServeTwice,
            /// A pack has more calls than were paid.
            PacksNeverEnd,
            /// A payment makes a pack each time.
            PacksAreRepeated,
            /// A payment that has made a pack gives it in the place of another one.
            OnePaymentGivesAnyPack,
            /// A refusal gives back to the day of its invocation, wherever that counted.
            DaysAreOfInvocations,
            /// A pack that was settled is not given once its skill was taken back.
            PaidPacksAreKept,
            /// A pack ends when its seller takes the skill back or charges for it itself.
            PacksEndWithTheirSkill,
            /// A pack costs nothing.
            PacksCostNothing,
            /// Answers that no one can ask for are kept like others.
            RepliesPileUp,
            /// Any number of answers is kept.
            RepliesFillTheStore,
            /// The owners of forgotten skills stay known, however many there are.
            FormerOwnersPileUp,
            /// A skill that made room for another comes back after five minutes only.
            ComebacksWait,
            /// An id that was forgotten is anyone's.
            IdsAreTakenOver,
            /// The gate's table of a time that the books have lost stays.
            LostTablesStay,
            /// An id of a time that the books have lost is anyone's.
            LostIdsAreFree,
            /// That a skill was used is not noted, so that it is forgotten.
            UsedIsForgotten,
            /// A row is kept for ever for any call.
            CallsAreRemembered,
            /// A payment that was shown keeps a place, whether it was settled or not.
            ShownMoneyKeepsPlaces,
            /// Whatever moved keeps a place for the longest time.
            DustKeepsPlaces,
            /// A place that was paid for may grow.
            PlacesGrow,
            /// A skill keeps its place by payments that only its seller reports.
            SellersVouchForMoney,
            /// A path is logged with the key of a pack, or another token, that stands in it.
            PathsShowSecrets,
            /// A key of a pack's call is kept for ever.
            PackKeysStay,
            /// One owner may have the whole table.
            OwnersFillTheTable,
            /// A key is forgotten after its time, whatever was paid under it.
            KeysPayAgain,
            /// Skills that no one uses leave no room for those of others.
            NewcomersFindNoRoom,
            /// Skills are published at any pace.
            PublishingHasNoPace,
            /// A table that was overtaken counts as the newest.
            OldTablesCount,
            /// Rows leave the storage before the archive has them.
            ShelvesAreNotRead,
            /// A transaction of a row in the archive counts again.
            DepartedIsForgotten,
            /// One client may hold any number of quotes.
            OpenQuotesPileUp,
            /// A network may hold as many quotes when few places are left.
            QuotesAreNotShared,
            /// Two quotes ask for the same amount.
            AmountsAreShared,
            /// A quote asks for whole tenths of a cent, which a payment at a gate is, too.
            AmountsAreWhole,
            /// A quote is settled after its end.
            OldQuotesSettle,
            /// A transaction settles one quote after the other.
            HashesSettleTwice,
            /// The money of another wallet than the named one settles a quote.
            StrangersSettle,
            /// A block that may still be reorganized settles a quote.
            TipsSettle,
            /// A node is asked as often as a client likes.
            NodesAreFlooded,
            /// Whoever the operator's Worker denies gets a quote.
            AnyoneIsReputable,
            /// A quote for one service renews a subscription to another.
            QuotesServeOthers,
            /// A subscription has more calls than were paid.
            CallsNeverEnd,
            /// A subscription goes on without a payment.
            RenewalsAreFree,
            /// Calls of a subscription are used without its key.
            AnyoneConsumes,
            /// The operator's numbers are shown.
            MetricsAreOpen,
            /// Values of the gate's table take no more room than their bytes.
            ValuesTakeNoRoom,
            /// A skill with a place is left out of a table before those without one.
            PlacesAreLeftOut,
            /// A price that was replaced ends for what was settled, too.
            SettledPricesEnd,
            /// A payment that was told as a sale and as an invocation keeps a place twice.
            MoneyCountsTwice,
            /// The fee of a skill that was taken back is taken.
            GonePaysItsFee,
            /// A skill that the operator took back is forgotten as others are.
            RemovalsAreForgotten,
            /// A skill that the operator removed counts as idle, and is forgotten at once.
            RemovedAreIdle,
            /// A table that an earlier version wrote stays until a skill changes.
            OldLayoutsStay,
            /// A table that was written for other settings stays until a skill changes.
            OldSettingsStay,
            /// A fee that the gate asked for before it was changed is kept, and lists no skill.
            FormerFeesAreLost,
            /// Of the settings that make a table old, fee and routes of the operator are none.
            OldFeesStay,
            /// A pack and the market's fee are paid in the token of the first network alone.
            FirstTokensPayAlone,
            /// An invocation of whose payment no one tells any more never ends.
            LostPaymentsRunForEver,
            /// A treasury that is asked again has the rest of the first question's lease.
            AsksHaveTheFirstLease,
            /// A skill is sold everywhere if it has as many networks as the market.
            NetworksAreOnlyCounted,
            /// A seller's description stands as the market's word.
            SellersSpeakForMarket,
            /// The same in the documents of its gate.
            SellersSpeakForGate,
            /// The price alone says which version a sale has bought.
            PriceAloneChooses,
            /// A skill is published though it refuses queries that are paid before they are seen, or asked for.
            QueriesAreLost,
            /// The query of a `callUrl` is shown to everybody.
            SellersKeysAreShown,
            /// A payload that the seller does not get is paid for.
            PayloadsAreDropped,
        }
    };
}
