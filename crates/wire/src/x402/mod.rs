//! x402, versions 1 and 2, on the wire. Spec: x402 v1 and v2, HTTP transport.
//!
//! [`header`] turns a header into strict JSON, [`v1`] and [`v2`] read and write the messages of
//! their version, [`exact`] reads an EVM payer's signed data, [`opaque`] identifies payments on
//! other chains, [`mints`] lists the assets there, [`handed`] is the part that a facilitator
//! receives, [`extension`] writes the extensions.

pub mod exact;
pub mod extension;
pub mod handed;
pub mod header;
pub mod mints;
pub mod opaque;
pub mod v1;
pub mod v2;

/// Protocol version of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `X-PAYMENT`, terms in the body.
    V1,
    /// `PAYMENT-SIGNATURE`, terms in a header.
    V2,
}

impl Version {
    /// Request header that carries the proof, lower case.
    #[must_use]
    pub const fn proof_header(self) -> &'static str {
        match self {
            Self::V1 => "x-payment",
            Self::V2 => "payment-signature",
        }
    }

    /// Response header that carries the settlement.
    #[must_use]
    pub const fn settlement_header(self) -> &'static str {
        match self {
            Self::V1 => "X-PAYMENT-RESPONSE",
            Self::V2 => "PAYMENT-RESPONSE",
        }
    }

    /// The number in `x402Version`.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::V1 => 1,
            Self::V2 => 2,
        }
    }
}
