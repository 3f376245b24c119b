//! A facilitator and the requests to it; `outcome` reads its replies.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use serde::Serialize;

use crate::x402::Version;
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_evm::address::Address;

/// A facilitator's base URL; trailing slashes do not matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facilitator {
    base: String,
}

impl Facilitator {
    /// No facilitator: a call to it goes nowhere.
    pub const NONE: Self = Self { base: String::new() };

    /// The facilitator at `base`; the caller has validated the URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        Self { base: base.trim_end_matches('/').to_owned() }
    }

    /// The base URL without a trailing slash.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Whether this facilitator is called at a URL.
    #[must_use]
    pub fn owns(&self, url: &str) -> bool {
        let place = url.strip_prefix(self.base.as_str());
        matches!(place, Some("/verify" | "/settle" | "/supported"))
    }

    /// URL of `verify`.
    #[must_use]
    pub fn verify_url(&self) -> String {
        format!("{}/verify", self.base)
    }

    /// URL of `settle`.
    #[must_use]
    pub fn settle_url(&self) -> String {
        format!("{}/settle", self.base)
    }
}

/// The body of `verify` and `settle`: the payment, as JSON, beside the gate's own requirements.
#[must_use]
pub fn request<P: Serialize, R: Serialize>(
    version: Version,
    payment: &P,
    requirements: &R,
) -> String {
    // A value that cannot be serialized becomes an empty member, which every facilitator refuses.
    let payload = json::text(payment);
    let requirements = json::text(requirements);
    let number = version.number();
    format!(
        r#"{{"x402Version":{number},"paymentPayload":{payload},"paymentRequirements":{requirements}}}"#
    )
}

/// Values that a reply must agree with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The payer, on an EVM network; `None` on a chain that the gate does not read.
    pub payer: Option<Address>,
    /// Network, as named by the protocol version in use.
    pub network: String,
    /// Atomic units.
    pub amount: Amount,
}
