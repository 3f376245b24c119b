//! Extensions of x402, one file each, named as they are on the wire.

pub mod bazaar;
pub mod diagnostic;
pub mod gas_sponsoring;
pub mod mppx;
pub mod offer_receipt;
pub mod payment_identifier;
