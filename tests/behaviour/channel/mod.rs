//! Channels: what single vouchers do, all short histories of a small world, and thousands of long ones.

pub mod errands;
pub mod explore;
#[cfg(test)]
#[cfg(feature = "planted")]
pub mod mutants;
#[cfg(test)]
mod sweep;
mod vouchers;
mod world;
