//! A payment as the ledger records it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::{read_enum, read_struct};
use farebox_base::mutant::{Mutant, planted};
use farebox_common::payment::{NEVER, OnChain, TxHash};

/// Moment of settlement, relative to the origin's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Verify, serve, settle, then release the response.
    After,
    /// Settle, then serve.
    Before,
}

read_enum!(Mode { "after" => After, "before" => Before });

/// The immutable part of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Hash over the request; the first use fixes it.
    pub binding: String,
    /// Keyed hash of the identifier that came with the first request.
    pub secret: Option<String>,
    /// Settlement mode of the route.
    pub mode: Mode,
    /// Receipt id.
    pub receipt: String,
    /// Route pattern.
    pub route: String,
    /// The requested URL.
    #[serde(default)]
    pub url: String,
    /// Correlation id of the request that began it.
    #[serde(default)]
    pub correlation: String,
    /// CAIP-2 network.
    pub network: String,
    /// Token address.
    pub asset: String,
    /// Atomic units, decimal text.
    pub amount: String,
    /// Recipient.
    pub pay_to: String,
    /// Unix seconds.
    pub valid_before: u64,
    /// Base URL of the facilitator; a re-send goes only there. `chain:` and the network if the
    /// chain settles it.
    pub facilitator: String,
    /// Exact body of the facilitator request, or of the question to the node.
    pub request: String,
    /// Whether a settlement counts only once the chain shows it.
    #[serde(default)]
    pub confirm: bool,
    /// Keyed hash of the network of the client that began it, 16 hex digits; limits are counted by
    /// it.
    #[serde(default)]
    pub client: String,
}

read_struct!(Payment {
    binding, secret, mode, receipt, route, network, asset, amount, pay_to, valid_before,
    facilitator, request;
    url, correlation, confirm, client
});

impl Payment {
    /// Parses the hash of a transaction on this payment's network; `None` if `name` is malformed. A
    /// deferred payment may have none.
    #[must_use]
    pub fn transaction(&self, name: &str) -> Option<TxHash> {
        match TxHash::recorded(name) {
            Some(TxHash::PENDING) => {
                (self.is_deferred() || planted(Mutant::AnyIsPending)).then_some(TxHash::PENDING)
            }
            _ => TxHash::on(&self.network, name),
        }
    }

    /// Whether a facilitator settles it together with others, later. It never ends.
    #[must_use]
    pub const fn is_deferred(&self) -> bool {
        self.valid_before == NEVER.secs()
    }

    /// Whether the chain itself settles it.
    #[must_use]
    pub fn is_onchain(&self) -> bool {
        OnChain::settles(&self.facilitator)
    }

    /// Whether the payer has sent its transaction themselves. Such a payment does not sign for an
    /// earlier payment's result, because its own money has moved.
    #[must_use]
    pub fn was_sent_by_payer(&self) -> bool {
        OnChain::was_sent(&self.facilitator, &self.request)
    }
}

/// Seconds that each kind of work may take before another request or the alarm finishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Verify and the origin.
    pub executing: u64,
    /// One settle call.
    pub settling: u64,
    /// The origin, or the next sign of life of a stream.
    pub delivering: u64,
}

read_struct!(Leases { executing, settling, delivering });
