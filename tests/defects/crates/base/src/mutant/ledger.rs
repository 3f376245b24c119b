//! Guards of the ledger: what a payment may become, and how much an object keeps.

macro_rules! ledger {
    ($next:ident $($more:ident)*; $($listed:tt)*) => {
        $next! { $($more)*; $($listed)*
            /// Who reads a debt's payment on its chain is served for it.
            ReadersCollect,
            /// A payment for a cheap question has the origin asked a dear one.
            AnyQuestionIsPaid,
            /// A record whose answer was lost is not answered again.
            RecordsAreToldOnce,
            /// That a recorded response was never sent is not told.
            UnsentIsUntold,
            /// A stored answer is made once more, if its payment is signed again while others settle first.
            MadeIsMadeAgain,
            /// A payment of which a facilitator has said that another one submitted it is sent, though nothing
            /// was served for it.
            UnaskedIsSent,
            /// A refused settlement takes a place of an object, and counts for no network.
            RefusedAreUncounted,
            /// The networks that have most rows of an object may take all of its places.
            CrowdsTakeAll,
            /// A payment is served while the operator pays it back.
            RefundedIsServed,
            /// A debt is paid back by everyone who begins to.
            DebtsArePaidTwice,
            /// A begin of a refund is taken back by whoever made another one.
            BeginsEndEachOther,
            /// A payment that slept past its time of doubt is left to a person without a look at the chain.
            SleepersAreGivenUp,
            /// A sold payment is a debt again, once a repeat is not served either.
            SoldIsForgotten,
            /// A payment that a program answers for is a debt, once its response is lost.
            SoldIsLate,
            /// A program that answers for a payment cannot report its refund.
            SoldIsNeverPaidBack,
            /// A request for a payment in progress begins as well.
            NoCompareAndSet,
            /// The first use of a payment fixes nothing.
            NoBinding,
            /// A missing answer of the facilitator means that no money moved.
            TimeoutIsVoid,
            /// A released payment is not looked at again.
            ReleaseIsFinal,
            /// The alarm is never due.
            AlarmNeverDue,
            /// Rows that are read from the chain take the place of settlements that are sent again.
            ReadsTakeAllPlaces,
            /// A treasury that hangs takes more than one place of an alarm.
            TreasuryTakesAllPlaces,
            /// Refunds by the treasury come before rows that are recovered.
            RefundsHoldUpRows,
            /// The treasury is asked before the begin of its refund is written.
            RefundsAreSentUnbegun,
            /// The treasury pays back what another account was paid.
            OthersDebtsArePaidBack,
            /// The treasury pays back what someone else has begun to.
            OthersBeginsAreTaken,
            /// The treasury pays back what may have been paid back before a restore.
            RestoredDebtsArePaidBack,
            /// The treasury pays back what may still be served.
            YieldedIsPaidBack,
            /// The treasury begins again after its payout was dead.
            DeadRefundsAreAskedAgain,
            /// A program begins under the key of the treasury.
            TreasuryKeysAreAnyones,
            /// The alarm takes rows by time alone, whoever else waits.
            PayersTakeAllTurns,
            /// A response is not stored.
            NotSealed,
            /// An origin may charge more than was signed.
            ChargedAboveAll,
            /// A charge is taken for all that was signed.
            ChargeIsSigned,
            /// An answer that was charged in part is settled by a permit that moves all.
            AnyPermitIsForTheMost,
            /// A payment that is sent again asks for all that was signed.
            ResendsAll,
            /// An answer that cost nothing is served once more.
            FreeAgain,
            /// A row is removed when its work is done.
            PurgedEarly,
            /// A missing answer of the facilitator means that it settled.
            TimeoutIsPaid,
            /// Any reporter counts as the holder of the row.
            IgnoreFence,
            /// A refusal after an unknown outcome counts.
            RefusalEndsDoubt,
            /// Work past its lease may begin again.
            LapseReleases,
            /// An abandoned payment begins again.
            AbandonedBegins,
            /// A repeat with other bytes than were recorded counts as the recorded one.
            OtherBytesResume,
            /// One transaction pays for every payment that names it.
            TakenByAll,
            /// A payment that is begun elsewhere begins here, too.
            MovedBegins,
            /// A payment that was received still counts as waiting for its payer.
            HeirForEver,
            /// A payer whose outcome is unknown is asked to pay again for the same request.
            DoubtIsForgotten,
            /// A payer whose outcome is unknown has as many payments in flight as any.
            DoubtLeavesRoom,
            /// A payer may leave as many unpaid rows as they like.
            PayerGrows,
            /// A network may leave as many unpaid rows as it likes.
            NetworkGrows,
            /// An object may hold as many open rows as there are.
            ObjectGrows,
            /// A released row gives its place to no other.
            CrowdStays,
            /// Both possible payments for one challenge are served.
            RivalBegins,
            /// A row for which no money was asked stays.
            UnpaidStays,
            /// A row for which money was asked is removed as well.
            AskedGoes,
            /// The payment alone fetches a stored response.
            HeaderFetches,
            /// A payment that was public for long still resumes by itself.
            PublicResumes,
            /// A transaction that was taken is taken by the next payment, too.
            TakenTwice,
            /// A question about an unknown payment leaves a mark.
            AskWrites,
            /// A payment that is being proven in one place is unknown in another.
            ProvingIsForgotten,
            /// A payment begun elsewhere counts as unknown.
            MovedIsNothing,
            /// A client may have as many marks of moved payments as it likes.
            MarksGrow,
            /// A payment that is settled after the client was told of a doubt counts as received.
            DoubtIsDelivered,
            /// The operator hears of a debt that may still be served.
            DebtsAreToldEarly,
            /// A transaction that is never mined goes to the operator.
            UnminedIsManual,
            /// A look at the chain that had no answer shows that a transaction is in no block.
            UnreadIsInNoBlock,
            /// A row that was read is closed while the settings have no node for it.
            LostNodesClose,
            /// A transaction that is never mined is looked for as often as any doubt.
            UnminedIsLookedFor,
            /// A note of a transaction keeps out a client that has paid with it in time.
            NotesHold,
            /// A debt that may still be served is waived, and a review resolved.
            ServableIsDecided,
            /// The secret of a note stays where another claim takes its place.
            NotedSecretStays,
            /// A treasury pays back what another server of the payee has settled.
            OthersSalesArePaidBack,
            /// Debts that wait for a treasury take the room of new payments.
            DebtsTakeRoom,
            /// A debt of which the operator has heard is served.
            DebtsAreServed,
            /// Every payment may be paid without a transaction.
            AnyIsPending,
            /// The row of a payment that never ends is removed with those that do.
            EndlessEnds,
            /// One transaction for many deferred payments leaves all but one in doubt.
            BatchesAreOne,
            /// A stream may be silent for no longer than its origin.
            ShortStreamsAreLost,
            /// A report of its holder ends any review.
            AnyReviewEnds,
            /// The secret of the first request is forgotten when its payment is signed again.
            AnewLosesSecret,
            /// A payment that is signed again for another request is taken for one for the same.
            AnewForAnother,
            /// An authorization that is signed again for another request is called used while its
            /// wallet is known to be short.
            AnewIsResumed,
            /// A payment that is signed again begins although another one has paid for its request.
            AnewBesidePaid,
            /// A payment that was refused is sent again beside another one of its request.
            RefusedIsSentBeside,
            /// A payment that is sent again after its refusal still counts as refused.
            SentIsRefused,
            /// A payment whose second send was lost counts as refused.
            LostIsRefused,
            /// The object before the change lets a payment begin without hearing the one after it.
            OldHearsItself,
            /// The object after the change sends a refused payment again without hearing the one before.
            NewHearsItself,
            /// A payment between the two objects of a change is known to neither.
            WantsAreForgotten,
            /// After a change the objects from before it are not asked.
            PastIsForgotten,
            /// A payment begins in an object that is nearly full.
            FullObjectsBegin,
            /// Two payments that answer one challenge do not meet between the objects of a change.
            ChallengesAreBetween,
            /// A payment that is signed again begins although its outcome is unknown.
            DoubtBeginsAnew,
            /// Any authorization of a nonce proves to be its payer's, also one that was sent before.
            EarlierProves,
            /// An authorization that is not proven counts as its payer's own.
            ShownProves,
            /// Earlier authorizations of a nonce are not compared with the chain.
            EarlierIsForgotten,
            /// An authorization that is signed again while a payment is open is not compared with
            /// the chain.
            ShownIsForgotten,
            /// A look at the chain from before a payment was signed again counts.
            OldVerdictCounts,
            /// An earlier authorization pays any later price, and any payee.
            LessIsPaid,
            /// A request that was paid by an earlier authorization for less is served.
            LessIsServed,
            /// A payment that is sent again must be answered with the amount that its repeat was
            /// signed for.
            RowAsksForToday,
            /// A stranger's first requests are a row.
            FirstContactsAreRows,
            /// As many notices are sent about failing payers as there are.
            PayersAreToldOfWithoutEnd,
            /// A row that moves no money begins as often as its payer likes.
            RowsBeginForEver,
            /// A debt that is served in vain is told of each time.
            DebtsAreToldForEver,
            /// Payments in doubt count for no network.
            DoubtIsUncounted,
            /// Payments to a payee that fails keep their payer from all others.
            PayeesCountTogether,
            /// Each payment of which no payer is read has a turn of its own.
            PaymentsTakeTurns,
        }
    };
}
