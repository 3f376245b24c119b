//! Payments by link: an id in the place of a 402, paid once by whoever has it.
//!
//! [`ask`] reads what a payee asks for, [`link`] is what is kept of it and what may become of it,
//! [`credential`] reads what a payer signs. Assumptions:
//! - a change is written before what follows from it leaves;
//! - only who holds the last fence reports what became of a payment.
//!
//! Spec: OKX agent payments, "a2a-pay".

pub mod ask;
pub mod credential;
pub mod link;
