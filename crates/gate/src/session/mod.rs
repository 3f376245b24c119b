//! Sessions: one deposit, then vouchers, by x402 `batch-settlement` and by MPP.
//!
//! | file | what |
//! |---|---|
//! | `admit` | what a route offers, and which requests show a payment |
//! | `payment` | a payment, as both protocols have it |
//! | `x402` | a payment of x402, read and checked |
//! | `asked` | a request with its payment |
//! | [`step`] | the machine of one such request, with an answer that flows |
//! | [`flow`] | what the edge needs to let it flow |
//! | `statement` | what the payer is told |
//! | [`mpp`] | the same machine for payers of MPP |
//! | [`errand`] | what the alarm of a channel does |
//! | [`calls`] | what it sends to a facilitator |

mod admit;
mod asked;
pub mod calls;
pub mod errand;
pub mod flow;
pub mod mpp;
mod payment;
mod statement;
pub mod step;
mod x402;

pub(crate) use self::asked::Sessions;
