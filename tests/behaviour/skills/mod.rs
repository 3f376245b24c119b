//! Behaviours of the market, with everything around it in memory.

mod archive;
mod books;
mod catalogue;
mod documents;
mod drafts;
mod editions;
mod invocations;
mod ledger;
pub mod life;
#[cfg(test)]
#[cfg(feature = "planted")]
pub mod mutants;
mod node;
mod places;
mod quote_life;
mod quote_rows;
mod quotes;
mod replies;
mod room;
pub mod sales;
mod subscriptions;
mod tables;
mod transactions;
mod world;
