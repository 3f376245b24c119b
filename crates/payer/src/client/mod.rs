//! The client that pays: reads a 402, decides whether it may be paid, prepares the signature, and
//! follows the payment to its end.
//!
//! [`exchange`] drives one request: [`challenge`] reads the terms as [`offer`]s, [`policy`] and
//! [`budget`] decide, [`select`] ranks, [`prepare`] makes the data to sign, [`receipt`] checks the
//! settlement, [`allowance`] is what Permit2 needs beside it, [`purchase`] derives a nonce from a purchase, [`rejection`] reads a seller's
//! refusal, [`error`] names every failure.
//! [`diagnostic`] reads why a server refuses payments, and [`endpoints`] keeps the endpoints that
//! this stops. [`price`] formats amounts,
//! [`look`] tells what would be paid and was spent, and [`voucher`] which voucher of a
//! session comes next; [`channel`] drives a request that is paid by
//! channel, and [`session`] one that is paid by a session of MPP. Wallets, `fetch`, clocks and stores belong to the caller.

pub mod allowance;
pub mod asset;
pub mod budget;
pub mod challenge;
pub mod channel;
pub mod diagnostic;
pub mod endpoints;
pub mod error;
pub mod exchange;
pub mod look;
pub mod offer;
pub mod policy;
pub mod prepare;
pub mod price;
pub mod purchase;
pub mod receipt;
pub mod rejection;
pub mod select;
pub mod session;
pub mod signing;
pub mod voucher;

pub use error::{ClientError, Reason};
pub use exchange::{Exchange, Next};
pub use policy::Policy;
