//! Sessions at the gate: one deposit, a voucher for each request, and what each wrong one is told.

pub mod by_mpp;
pub mod ceilings;
mod chain;
pub mod cheap;
pub mod claims;
mod deaths;
pub mod door;
pub mod dust;
pub mod funds;
mod junk;
mod mpp_payer;
mod node;
pub mod paid_out;
pub mod payee;
pub mod refunds;
mod refusals;
pub mod restored;
pub mod retention;
pub mod sales;
mod settings;
pub mod settlers;
pub mod streams;
pub mod told;
mod undone;
pub mod units;
pub mod vain;
pub mod wrong;
