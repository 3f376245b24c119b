//! Behaviours of the market, with everything around it in memory.

mod archive;
mod books;
mod catalogue;
mod invocations;
mod ledger;
mod life;
pub mod mutants;
mod sales;
mod world;
