//! Sessions by MPP, intent `session` of method `evm`, also of OKX's payers: a deposit that the payer
//! has sent, vouchers that may pay for many requests, and a close.
//!
//! | file | what |
//! |---|---|
//! | [`meter`] | how a stream is charged |
//! | [`terms`] | what is sold, as a challenge says it |
//! | `payment` | a credential that was read |
//! | `shown` | what a credential asks for, read and checked |
//! | `seen` | what the chain shows of its channel |
//! | `told` | what the payer is told |
//! | [`payout`] | what the alarm of a channel asks a node, and what it sends to the chain |

pub mod meter;
pub(super) mod payment;
pub mod payout;
pub(super) mod seen;
pub(super) mod shown;
pub mod terms;
pub(super) mod told;
