//! Deliberate defects in the shipped code, so that its tests can show that they would notice: for
//! this project's own tests.
//!
//! Each one is beside its guard, also in the Worker. Without the feature `mutants`, which only
//! tests enable, [`planted`] is always false and no mutant is compiled.

/// One broken guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// A request for a payment in progress begins as well.
    NoCompareAndSet,
    /// The first use of a payment fixes nothing.
    NoBinding,
    /// A payer who asks while the outcome is unknown is told to sign again.
    TermsInDoubt,
    /// A missing answer of the facilitator means that no money moved.
    TimeoutIsVoid,
    /// A released payment is not looked at again.
    ReleaseIsFinal,
    /// The alarm is never due.
    AlarmNeverDue,
    /// A response is not stored.
    NotSealed,
    /// A row is removed when its work is done.
    PurgedEarly,
    /// A used nonce counts as this payment, whatever used it.
    UsedIsPaid,
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
    /// Any question about a payment may begin it.
    AskBegins,
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
    /// Clients have one try of a facilitator that is down for all of them.
    TriesAreShared,
    /// A facilitator that fails on unproven payments counts as down.
    JunkOpens,
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
    /// A payment that leaves no time begins.
    ExpiredBegins,
    /// A claim that waited too long goes on.
    StaleRoom,
    /// Payments that are looked at hold back others in the name of the same payer.
    LockByName,
    /// A payment begins with a part of its request's body.
    PartBegins,
    /// A sent transaction is not looked for if the request without it would get another answer.
    SentGetsTerms,
    /// A transaction that could not be looked for leaves no row.
    BlindForgets,
    /// A denied payer is served for a sent transaction.
    DeniedIsServed,
    /// A transaction that came long after its challenge is served.
    LateIsServed,
    /// A transaction that was sent and finds no place to be served leaves no row.
    FullForgets,
    /// Bytes after a message of Solana make another payment of it.
    TrailingBytes,
    /// The spelling of a payment of Aptos names it.
    SpellingNames,
    /// Each payment has a place of its own where transactions are taken.
    TakenInManyPlaces,
    /// A transaction that was taken is taken by the next payment, too.
    TakenTwice,
    /// A transaction counts although no object has said whose it is.
    TakenUnheard,
    /// An origin may answer with any status.
    OddStatusPasses,
    /// The failures of a network count against all who share it.
    NetworksEscalate,
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
    /// A question about an unknown payment leaves a mark.
    AskWrites,
    /// A payment that is being proven in one place is unknown in another.
    ProvingIsForgotten,
    /// An unproven payment was never made for terms other than today's.
    UnprovenIsNew,
    /// A payment of a payer denied since is sent once more.
    DeniedIsSentAgain,
    /// The same request at other terms is another one.
    TermsAreAnotherRequest,
    /// Copies of an unproven payment with other signatures are the same.
    CopiesAreOne,
    /// Each network of a provider counts by itself alone.
    ProvidersAreMany,
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
    /// A payment begun elsewhere counts as unknown.
    MovedIsNothing,
    /// A client may have as many marks of moved payments as it likes.
    MarksGrow,
    /// What is settled after the client was told of a doubt counts as received.
    DoubtIsDelivered,
    /// A payment refused before its claim was never made.
    RefusedIsNew,
    /// A transaction whose sender is not named has no sender.
    SenderUnasked,
    /// A pricer receives fields of any length.
    LongIsTold,
    /// The ledger's answer about a proof is ignored.
    ProofIsUnheard,
    /// The operator hears of a debt that may still be served.
    DebtsAreToldEarly,
    /// GET and HEAD may have bodies.
    BodyOfGet,
    /// A payee stays the one of its host although nothing was paid.
    PinnedUnpaid,
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
    /// A signed transaction pays on routes that do not name them.
    BytesUnasked,
    /// A transaction that is never mined goes to the operator.
    UnminedIsManual,
    /// A transaction that is never mined is looked for as often as any doubt.
    UnminedIsLookedFor,
    /// The time that a route allows today limits how old a transaction may be.
    AllowanceReaches,
    /// A payer answers challenges of other realms.
    AnyRealm,
    /// A facilitator is believed although the chain has to show a settlement.
    WordIsChain,
    /// Caches may stand between a paid request and its origin.
    CachesAnswer,
    /// A payer does not read the reason beside the terms.
    HeaderUnread,
    /// An empty wallet is a refusal like any other.
    FundsUntold,
    /// Members beside a payment are passed on with it.
    JunkIsKept,
    /// A payment is settled although its upload broke off.
    UploadSettles,
    /// A stored answer to an upload that broke off counts.
    UploadIsAnswered,
    /// A stream in answer to an upload that broke off counts.
    UploadIsDelivered,
    /// A request that has become free passes with the body from which the digest was made.
    FreeLosesBody,
    /// The number of receipt look-ups is not limited.
    ReceiptsUnlimited,
    /// Fields named in `Connection` are priced, and withheld from the origin.
    HopsArePriced,
    /// An origin may read another field as one that was priced.
    TwinsPass,
    /// A note of a transaction keeps out a client that has paid with it in time.
    NotesHold,
    /// The secret of a note stays where another claim takes its place.
    NotedSecretStays,
    /// A debt of which the operator has heard is served.
    DebtsAreServed,
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
    /// After a restore, a payment that is refused for another reason than its end was never made.
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
    /// Another offer than the pinned one is paid.
    PinIsForgotten,
}

impl Mutant {
    /// Every mutant.
    pub const ALL: &[Self] = &[
        Self::NoCompareAndSet,
        Self::NoBinding,
        Self::TermsInDoubt,
        Self::TimeoutIsVoid,
        Self::ReleaseIsFinal,
        Self::AlarmNeverDue,
        Self::NotSealed,
        Self::PurgedEarly,
        Self::UsedIsPaid,
        Self::TimeoutIsPaid,
        Self::IgnoreFence,
        Self::RefusalEndsDoubt,
        Self::LapseReleases,
        Self::AbandonedBegins,
        Self::AskBegins,
        Self::OtherBytesResume,
        Self::TakenByAll,
        Self::MovedBegins,
        Self::HeirForEver,
        Self::DoubtIsForgotten,
        Self::DoubtLeavesRoom,
        Self::PayerGrows,
        Self::NetworkGrows,
        Self::ObjectGrows,
        Self::TriesAreShared,
        Self::JunkOpens,
        Self::CallsAreCounted,
        Self::PaidAreStrained,
        Self::OwnFailuresAreCredit,
        Self::EmptyWalletsStrain,
        Self::WalletsCountAgain,
        Self::CrowdStays,
        Self::RivalBegins,
        Self::UnpaidStays,
        Self::AskedGoes,
        Self::HeaderFetches,
        Self::PublicResumes,
        Self::ExpiredBegins,
        Self::StaleRoom,
        Self::LockByName,
        Self::PartBegins,
        Self::SentGetsTerms,
        Self::BlindForgets,
        Self::DeniedIsServed,
        Self::LateIsServed,
        Self::FullForgets,
        Self::TrailingBytes,
        Self::SpellingNames,
        Self::TakenInManyPlaces,
        Self::TakenTwice,
        Self::TakenUnheard,
        Self::OddStatusPasses,
        Self::NetworksEscalate,
        Self::LengthBesideFraming,
        Self::QuestionUnbound,
        Self::QuoteForAll,
        Self::ChallengeForAll,
        Self::KeyIsReceipt,
        Self::ConflictNames,
        Self::ClientsWriteKeys,
        Self::ReceiptIsSearched,
        Self::TestMoneyBuys,
        Self::UnderscoresPass,
        Self::DeepEscapesPass,
        Self::MangledPasses,
        Self::AskWrites,
        Self::ProvingIsForgotten,
        Self::UnprovenIsNew,
        Self::DeniedIsSentAgain,
        Self::TermsAreAnotherRequest,
        Self::CopiesAreOne,
        Self::ProvidersAreMany,
        Self::ForgottenIsNew,
        Self::SettingsForget,
        Self::UnlistedIsNew,
        Self::ElsewhereIsNew,
        Self::HopsAreAnybodys,
        Self::MovedIsNothing,
        Self::MarksGrow,
        Self::DoubtIsDelivered,
        Self::RefusedIsNew,
        Self::SenderUnasked,
        Self::LongIsTold,
        Self::ProofIsUnheard,
        Self::DebtsAreToldEarly,
        Self::BodyOfGet,
        Self::PinnedUnpaid,
        Self::HeadsAreNames,
        Self::ListedIsRefused,
        Self::JoinedIsRefused,
        Self::TiplessPasses,
        Self::NoHeadroom,
        Self::BytesUnasked,
        Self::UnminedIsManual,
        Self::UnminedIsLookedFor,
        Self::AllowanceReaches,
        Self::AnyRealm,
        Self::WordIsChain,
        Self::CachesAnswer,
        Self::HeaderUnread,
        Self::FundsUntold,
        Self::JunkIsKept,
        Self::UploadSettles,
        Self::UploadIsAnswered,
        Self::UploadIsDelivered,
        Self::FreeLosesBody,
        Self::ReceiptsUnlimited,
        Self::HopsArePriced,
        Self::TwinsPass,
        Self::NotesHold,
        Self::NotedSecretStays,
        Self::DebtsAreServed,
        Self::PlusIsNoSpace,
        Self::MarksAreLetters,
        Self::StreamsAreFiles,
        Self::SessionsArePaths,
        Self::ShortNamesPass,
        Self::BasesDiffer,
        Self::FieldsGrow,
        Self::RestoreIsExpiry,
        Self::BarredStaysHere,
        Self::UnprovenStaysHere,
        Self::UnsignedIsNew,
        Self::UnsignedBegins,
        Self::UnreadIsNew,
        Self::DatesAreUnread,
        Self::ClosedAsks,
        Self::AnySchemeSigns,
        Self::AnyBalanceIsEnough,
        Self::QuoteOfAnyone,
        Self::QuoteForEver,
        Self::AnyTokenPays,
        Self::TokenStays,
        Self::ExecutingTwice,
        Self::ConsumedReturns,
        Self::AnyStatusAsks,
        Self::IssuesPass,
        Self::NamesAreBelieved,
        Self::DecimalsAreBelieved,
        Self::PolicyForEver,
        Self::PinIsForgotten,
    ];
}

/// Whether this thread has planted the mutant: never.
#[cfg(not(feature = "mutants"))]
#[inline]
#[must_use]
pub const fn planted(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use self::planting::{plant, planted};

#[cfg(feature = "mutants")]
mod planting {
    extern crate std;

    use core::cell::Cell;
    use std::format;

    use super::Mutant;

    std::thread_local! {
        static PLANTED: Cell<Option<Mutant>> = const { Cell::new(None) };
    }

    /// Plants a mutant in this thread, or none.
    pub fn plant(mutant: Option<Mutant>) {
        PLANTED.set(mutant);
    }

    impl Mutant {
        /// The mutant with this name.
        #[must_use]
        pub fn named(name: &str) -> Option<Self> {
            Self::ALL.iter().copied().find(|mutant| format!("{mutant:?}") == name)
        }
    }

    /// Whether this thread has planted the mutant.
    #[must_use]
    pub fn planted(mutant: Mutant) -> bool {
        PLANTED.get() == Some(mutant)
    }
}
