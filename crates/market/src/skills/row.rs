//! The stored form of what a market keeps: flat rows, money as decimal text, times in unix
//! milliseconds.
//!
//! Each row is written whole under its key. Prices and amounts are in whole units of their asset;
//! amounts in XLM have at most seven fraction digits.

mod archive;
mod invocation;
mod money;
mod skill;

pub use archive::{ArchiveRow, SHELF, ShelfRow};
pub(super) use invocation::FOR_EVER;
pub use invocation::{Ending, InvocationRow, KeyRow, Moved, Phase, ReplyRow, ReplyWorth};
pub use money::{MarketFigures, PackRow, SpendRow, SpendTally};
pub use skill::{Charges, NonceRow, RateRow, Room, SkillRow, TableRow, VersionRow};
