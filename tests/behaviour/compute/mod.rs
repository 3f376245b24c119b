//! Behaviours of the compute exchange, with everything around it in memory.

mod bonds;
pub mod buyer;
mod claims;
mod demos;
pub mod desk;
mod doors;
mod ended;
mod entrusted;
mod errands;
mod feeds;
mod holds;
mod identities;
mod jobs;
mod keep;
pub mod life;
#[cfg(test)]
#[cfg(feature = "planted")]
pub mod mutants;
mod older;
mod one_request;
mod operator;
mod pages;
mod payments;
mod payouts;
mod proofs;
mod quotes;
mod rows;
mod seats;
mod secrets;
mod sellers;
mod transfers;
mod unheard;
mod unnamed;
pub mod waits;
mod way_back;
mod world;
