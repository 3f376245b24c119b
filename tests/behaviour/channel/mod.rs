//! Channels: what single vouchers do, all short histories of a small world, and thousands of long ones.

mod explore;
pub mod mutants;
mod vouchers;
mod world;
