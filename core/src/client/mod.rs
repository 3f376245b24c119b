//! The one who pays: what a 402 asks for, whether that may be paid, what is signed, and what became of it.
//!
//! [`exchange`] walks through one request: [`challenge`] reads the terms as [`offer`]s, [`policy`] and [`budget`] decide,
//! [`select`] ranks, [`prepare`] says what the wallet signs, [`receipt`] checks what comes back, [`rejection`] what a seller
//! says, [`error`] names every failure. [`diagnostic`] reads why a server takes nothing, and [`endpoints`] keeps whom that
//! stops. [`price`] puts amounts into words. Wallets, `fetch`, clocks and stores are the caller's.

pub mod asset;
pub mod budget;
pub mod challenge;
pub mod diagnostic;
pub mod endpoints;
pub mod error;
pub mod exchange;
pub mod offer;
pub mod policy;
pub mod prepare;
pub mod price;
pub mod receipt;
pub mod rejection;
pub mod select;

pub use error::{ClientError, Reason};
pub use exchange::{Exchange, Next};
pub use policy::Policy;
