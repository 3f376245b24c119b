//! The reads of a market from its storage, and the writes that it asks for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::offered::Cursor;
use super::original::books::{QuoteChange, QuoteRows};
use super::row::{
    ArchiveRow, Ending, InvocationRow, KeyRow, MarketFigures, NonceRow, PackRow, RateRow, ReplyRow,
    Room, ShelfRow, SkillRow, SpendRow, TableRow, VersionRow,
};

/// Reads of the market's rows. Each is one look into an index, and fails only with an error of the
/// storage.
pub trait Rows: QuoteRows {
    /// The skill with this id.
    fn skill(&self, id: &str) -> Result<Option<SkillRow>, Self::Error>;

    /// A version of a skill.
    fn version(&self, skill: &str, version: &str) -> Result<Option<VersionRow>, Self::Error>;

    /// All versions of a skill, newest first by `created`.
    fn versions(&self, skill: &str) -> Result<Vec<VersionRow>, Self::Error>;

    /// The names of all versions of a skill, in the same order.
    fn version_names(&self, skill: &str) -> Result<Vec<String>, Self::Error>;

    /// So many active skills with their latest versions, newest first: by `created`, then by id, both
    /// descending; those that come after a skill, or the first ones.
    fn catalogue(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(SkillRow, VersionRow)>, Self::Error>;

    /// How many active skills this owner has.
    fn active_of(&self, owner: &str) -> Result<u64, Self::Error>;

    /// The room that the active skills of all owners take together in the gate's route table.
    fn room(&self) -> Result<Room, Self::Error>;

    /// The same of the active skills of this owner that have no place at this time.
    fn idle_room_of(&self, owner: &str, now: u64) -> Result<Room, Self::Error>;

    /// The skills of this owner that are neither active nor used, least recently changed first.
    fn idle_of(&self, owner: &str) -> Result<Vec<SkillRow>, Self::Error>;

    /// The active skills that have no place at this time, the oldest first.
    fn unproven(&self, now: u64) -> Result<Vec<SkillRow>, Self::Error>;

    /// How many they are.
    fn unproven_count(&self, now: u64) -> Result<u64, Self::Error>;

    /// The ids of skills that are neither active nor used and were changed before this time, beyond
    /// the newest ones.
    fn left_over(&self, before: u64, newest: u32, limit: u32) -> Result<Vec<String>, Self::Error>;

    /// Whether a skill of this owner has its place at this time.
    fn has_place(&self, owner: &str, now: u64) -> Result<bool, Self::Error>;

    /// The owner of this skill, if it was forgotten.
    fn forgotten(&self, id: &str) -> Result<Option<String>, Self::Error>;

    /// The numbers of skills that were forgotten, without at most so many that were last: the first ones.
    fn former(&self, newest: u32, limit: u32) -> Result<Vec<u64>, Self::Error>;

    /// The ids of active skills that wait for the market's fee since before this time, the longest
    /// first.
    fn unpaid(&self, before: u64, limit: u32) -> Result<Vec<String>, Self::Error>;

    /// How often this owner has published.
    fn rate(&self, owner: &str) -> Result<Option<RateRow>, Self::Error>;

    /// Whether this owner has used this nonce.
    fn has_nonce(&self, owner: &str, nonce: &str) -> Result<bool, Self::Error>;

    /// The state of the route table.
    fn table(&self) -> Result<TableRow, Self::Error>;

    /// The invocation with this id.
    fn invocation(&self, id: &str) -> Result<Option<InvocationRow>, Self::Error>;

    /// The invocation that was paid by this transaction.
    fn invocation_by_tx(
        &self,
        network: &str,
        tx: &str,
    ) -> Result<Option<InvocationRow>, Self::Error>;

    /// The invocation of this account with this digest that is [`Ending::Running`] and has no key;
    /// there is at most one.
    fn running(&self, account: &str, digest: &str) -> Result<Option<InvocationRow>, Self::Error>;

    /// A page of invocations, newest first.
    fn invocations(&self, part: &Part) -> Result<Vec<InvocationRow>, Self::Error>;

    /// The numbers of the first and the last invocation above this number.
    fn extent(&self, above: u64) -> Result<Option<(u64, u64)>, Self::Error>;

    /// The invocations above this number that are neither [`Ending::Running`] nor due, oldest first.
    fn over(&self, above: u64, limit: u32) -> Result<Vec<InvocationRow>, Self::Error>;

    /// Shelves of the archive: those below a number newest first, those above it oldest first.
    fn shelves(&self, span: ShelfSpan, limit: u32) -> Result<Vec<ShelfRow>, Self::Error>;

    /// The number of the invocation with this id, if it is in the archive.
    fn departed(&self, id: &str) -> Result<Option<u64>, Self::Error>;

    /// The id of the invocation in the archive that was paid by this transaction.
    fn departed_by_tx(&self, network: &str, tx: &str) -> Result<Option<String>, Self::Error>;

    /// The state of the archive.
    fn archive(&self) -> Result<ArchiveRow, Self::Error>;

    /// The invocations that are due at this time, the longest due first.
    fn due(&self, now: u64, limit: u32) -> Result<Vec<InvocationRow>, Self::Error>;

    /// The answer to an invocation.
    fn reply(&self, invocation: &str) -> Result<Option<ReplyRow>, Self::Error>;

    /// Bytes of all answers that are kept.
    fn reply_bytes(&self) -> Result<u64, Self::Error>;

    /// Invocations and bytes of the answers that ended before this time, the earliest first.
    fn replies_ended(&self, now: u64, limit: u32) -> Result<Vec<(String, u64)>, Self::Error>;

    /// The same of all answers: the long ones first, each kind in the order of their ends.
    fn replies_first(&self, limit: u32) -> Result<Vec<(String, u64)>, Self::Error>;

    /// The meaning of a key of an account.
    fn key(&self, account: &str, key: &str) -> Result<Option<KeyRow>, Self::Error>;

    /// The spend of an account.
    fn spend(&self, account: &str) -> Result<Option<SpendRow>, Self::Error>;

    /// The spends of all accounts of agents with this name, at most 100.
    fn spends_of(&self, agent: &str) -> Result<Vec<SpendRow>, Self::Error>;

    /// The pack with this id.
    fn pack(&self, id: &str) -> Result<Option<PackRow>, Self::Error>;

    /// The pack that was bought by this payment.
    fn pack_by_payment(&self, payment: &str) -> Result<Option<PackRow>, Self::Error>;

    /// Numbers of everything that is kept, for the operator.
    fn figures(&self, now: u64) -> Result<MarketFigures, Self::Error>;
}

/// A part of the ledger of invocations. Filters are joined by and.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Only rows with a smaller number.
    pub before: Option<u64>,
    /// Only rows with a greater number, oldest first.
    pub after: Option<u64>,
    /// Maximum rows.
    pub limit: u32,
    /// Only of this account.
    pub account: Option<String>,
    /// Only of agents with this name.
    pub agent: Option<String>,
    /// Only of this skill.
    pub skill: Option<String>,
    /// Only with one of these endings; empty for all.
    pub endings: Vec<Ending>,
}

impl Part {
    /// Whether it leaves rows out by what they say.
    #[must_use]
    pub const fn is_narrow(&self) -> bool {
        self.account.is_some()
            || self.agent.is_some()
            || self.skill.is_some()
            || !self.endings.is_empty()
    }

    /// Whether a row is in it.
    #[must_use]
    pub fn takes(&self, row: &InvocationRow) -> bool {
        let is = |wanted: &Option<String>, value: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        self.before.is_none_or(|before| row.number < before)
            && self.after.is_none_or(|after| row.number > after)
            && is(&self.account, &row.account)
            && is(&self.agent, &row.agent)
            && is(&self.skill, &row.skill)
            && (self.endings.is_empty() || self.endings.contains(&row.ending))
    }
}

/// Which shelves of the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShelfSpan {
    /// Those that begin below this number.
    Below(u64),
    /// Those that end above this number.
    Above(u64),
}

/// One write. All of a command are made in the block that read the rows, before its answer
/// leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts a skill.
    Skill(Box<SkillRow>),
    /// Puts a version.
    Version(Box<VersionRow>),
    /// Deletes the skill with this id and its versions; whose it was stays known.
    Forget(String),
    /// Adds whose an id was that no skill has.
    Name(String, String),
    /// Deletes whose the skills were that were forgotten with these numbers.
    Unname(Vec<u64>),
    /// Puts how often an owner has published.
    Rate(RateRow),
    /// Adds a nonce.
    Nonce(NonceRow),
    /// Deletes the nonces, keys and rates that ended before this time.
    Sweep(u64),
    /// Puts the state of the route table.
    Table(TableRow),
    /// Adds an invocation; the storage gives it its number if it has none.
    Begin(Box<InvocationRow>),
    /// Puts an invocation that is there, by its id.
    Invocation(Box<InvocationRow>),
    /// Adds a shelf, and deletes the invocations with these numbers: their numbers, ids and
    /// transactions stay known.
    Shelve(Box<ShelfRow>, Vec<u64>),
    /// Puts the state of the archive.
    Archive(ArchiveRow),
    /// Adds the answer to an invocation; one that is there stays.
    Reply(Box<ReplyRow>),
    /// Deletes the answers to these invocations.
    Unreply(Vec<String>),
    /// Puts what became known of a payment into the answer that is there.
    Retold(Box<ReplyRow>),
    /// Puts what a key stands for.
    Key(KeyRow),
    /// Puts what an account spent.
    Spend(Box<SpendRow>),
    /// Puts a pack.
    Pack(Box<PackRow>),
    /// A write of the original's shapes.
    Original(QuoteChange),
}
