//! Guards of the gate and of the Worker around it.

macro_rules! gate {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// A program that refunds takes back the begin of a person, who may have sent it.
            ProgramsEndPeoplesBegins,
            /// A permit is settled first without being verified: one that lacks its allowance is in doubt.
            AllowanceUnasked,
            /// A request without a payment is told what was charged, whatever its origin did.
            UnpaidKnowMoney,
            /// A channel that is being opened counts against its network, because its object does not know it.
            OpeningsAreJunk,
            /// A route of a stored table that is too long beside the gate's variables ends the table.
            LongRoutesEndTables,
            /// A payee whom a route names beside the gate's own is paid before the origin is asked, where
            /// others are.
            NamedPayeesArePaidFirst,
            /// A settlement that is declined on a chain where no payer is read counts for no network.
            DeclinesAreCredit,
            /// A network that names the channel of another is refused by its object without end.
            StrangersAskWithoutEnd,
            /// All Workers are one client, because the platform shows one address for them.
            WorkersAreOne,
            /// A payee whom a pricer names is paid before the origin is asked, where others are.
            SellersArePaidFirst,
            /// The most is settled before the origin counts, where others settle first.
            MostIsCharged,
            /// A client that was answered already is handed what the chain shows.
            GoneClientsAreServed,
            /// A redirect is what was paid for.
            RedirectsAreSold,
            /// A page pays where redirects are sold, which it cannot follow.
            PagesPayForRedirects,
            /// A payment to another payee counts as its payer's failure here, whoever shows it.
            PublicPaymentsCount,
            /// The hash of a purchase has no key: its first bytes agree for two requests that somebody has
            /// looked for.
            PurchasesAreGuessed,
            /// Today's price is told as paid, whatever has moved.
            TodaysPriceIsTold,
            /// Any number of units is charged.
            CountIsUnbounded,
            /// Money that has moved is counted anew when its answer is made once more.
            PaidIsCountedAgain,
            /// A payer who asks while the outcome is unknown is told to sign again.
            TermsInDoubt,
            /// A used nonce counts as this payment, whatever used it.
            UsedIsPaid,
            /// Any question about a payment may begin it.
            AskBegins,
            /// A payment that leaves no time begins.
            ExpiredBegins,
            /// A claim that waited too long goes on.
            StaleRoom,
            /// Payments that are looked at hold back others in the name of the same payer.
            LockByName,
            /// A payment begins with a part of its request's body.
            PartBegins,
            /// A sent transaction is not looked for if the request without it would get another
            /// answer.
            SentGetsTerms,
            /// A transaction that could not be looked for leaves no row.
            BlindForgets,
            /// A denied payer is served for a sent transaction.
            DeniedIsServed,
            /// A transaction that came long after its challenge is served.
            LateIsServed,
            /// A transaction that was sent and finds no place to be served leaves no row.
            FullForgets,
            /// Each payment has a place of its own where transactions are taken.
            TakenInManyPlaces,
            /// A transaction counts although no object has said whose it is.
            TakenUnheard,
            /// The failures of a network count against all who share it.
            NetworksEscalate,
            /// Every text is a handle that the gate has given away.
            HandlesAreBelieved,
            /// A length beside another framing is believed.
            LengthBesideFraming,
            /// A payment that is known answers every question of its target.
            QuestionUnbound,
            /// A quote holds for every question of its route.
            QuoteForAll,
            /// The price in a challenge holds for every question of its target.
            ChallengeForAll,
            /// The key that an origin gets for a payment is its receipt id.
            KeyIsReceipt,
            /// A payment that begins again for another request has the origin's key of the first one.
            KeyIsOfPayment,
            /// Anyone who shows a payment learns its receipt id.
            ConflictNames,
            /// A client may send a key of those that the gate makes.
            ClientsWriteKeys,
            /// A receipt is looked for in all objects.
            ReceiptIsSearched,
            /// Test and main networks stand beside each other.
            TestMoneyBuys,
            /// `_` in the name of a field differs from `-`.
            UnderscoresPass,
            /// Separators may be encoded any number of times.
            DeepEscapesPass,
            /// A path may contain bytes that are not UTF-8.
            MangledPasses,
            /// An unproven payment was never made for terms other than today's.
            UnprovenIsNew,
            /// A payment of a payer denied since is sent once more.
            DeniedIsSentAgain,
            /// The same request at other terms is another one.
            TermsAreAnotherRequest,
            /// Copies of an unproven payment with other signatures are the same.
            CopiesAreOne,
            /// A payment that a restore may have lost is answered with fresh terms.
            ForgottenIsNew,
            /// A payment that today's settings refuse was never made under others.
            SettingsForget,
            /// A payment in a token or on a chain that no route names was never made.
            UnlistedIsNew,
            /// A payment that is shown at another request than its own was never made.
            ElsewhereIsNew,
            /// A client may remove the platform's fields through `Connection`.
            HopsAreAnybodys,
            /// A payment refused before its claim was never made.
            RefusedIsNew,
            /// A transaction whose sender is not named has no sender.
            SenderUnasked,
            /// A pricer may name a payee that its route does not allow.
            PayeeUnasked,
            /// A quote for one payee holds for every payee.
            QuoteForEveryPayee,
            /// A quote holds for whatever token its route is paid in.
            QuoteForEveryAsset,
            /// A payee that the pricer does not name any more is paid at its present price.
            PayeeStays,
            /// A reporter of refunds may decide everything.
            RefundersDecide,
            /// A list that lacks the rows of an object that is down is whole.
            PartsAreWhole,
            /// The key that stands for a payer is named as an account.
            KeysAreAccounts,
            /// A hash whose row has gone buys again.
            HashesCountForEver,
            /// The treasury pays back a settlement that the chain does not show.
            UnshownIsPaidBack,
            /// A payout that the treasury calls sent is a refund, whatever the chain shows.
            TreasuryIsBelieved,
            /// A payout in doubt is one that never moves.
            DoubtIsDead,
            /// A transfer of anyone to the payer is the payee's refund.
            AnyoneRefunds,
            /// A program that pays back is believed about what no node shows.
            OtherChainsAreBelieved,
            /// A pricer receives fields of any length.
            LongIsTold,
            /// The ledger's answer about a proof is ignored.
            ProofIsUnheard,
            /// GET and HEAD may have bodies.
            BodyOfGet,
            /// A signed transaction pays on routes that do not name them.
            BytesUnasked,
            /// The time that a route allows today limits how old a transaction may be.
            AllowanceReaches,
            /// A facilitator is believed although the chain has to show a settlement.
            WordIsChain,
            /// Caches may stand between a paid request and its origin.
            CachesAnswer,
            /// A nonce buys once by each scheme.
            NonceBySchemes,
            /// A payment is settled although its upload broke off.
            UploadSettles,
            /// An answer that its origin may have taken along is settled.
            UnwantedSettles,
            /// A stored answer to an upload that broke off counts.
            UploadIsAnswered,
            /// All who pay with one wallet are one user.
            WalletsAreOneUser,
            /// A client that breaks its upload off behind an answer is owed its price.
            UploadsUndoAnswers,
            /// A request that has become free passes with the body from which the digest was made.
            FreeLosesBody,
            /// The number of receipt look-ups is not limited.
            ReceiptsUnlimited,
            /// Fields named in `Connection` are priced, and withheld from the origin.
            HopsArePriced,
            /// An origin may read another field as one that was priced.
            TwinsPass,
            /// `+` and tabs in a path do not count as spaces.
            PlusIsNoSpace,
            /// Marks, and letters without width, make another path.
            MarksAreLetters,
            /// A stream of a file of Windows is another file.
            StreamsAreFiles,
            /// Sessions in paths make other paths.
            SessionsArePaths,
            /// A short name of a file of Windows is another file.
            ShortNamesPass,
            /// A letter has no base, and looks like no other.
            BasesDiffer,
            /// A request may have any number of fields.
            FieldsGrow,
            /// After a restore, a payment that is refused for another reason than its end was never
            /// made.
            RestoreIsExpiry,
            /// A payment that may not begin is looked for under the first number of objects alone.
            BarredStaysHere,
            /// The same, for one that is not proven.
            UnprovenStaysHere,
            /// A transaction for a challenge of a secret that is not set any more was never shown.
            UnsignedIsNew,
            /// A transaction is looked for on the chain under terms that its client has written.
            UnsignedBegins,
            /// A payment that the gate cannot read cannot have been lost by a restore.
            UnreadIsNew,
            /// A payment that is younger than a restore may have been lost by it.
            DatesAreUnread,
            /// A client is asked to sign a payment that would be refused because of a restore.
            ClosedAsks,
            /// A body may flow to the origin for longer than its payment is good.
            UploadOutlastsPayment,
            /// Any description of requests stands in the document about all routes.
            SchemasSpoilDocuments,
        }
    };
}
