//! Orders at the compute exchange.

use alloc::format;
use alloc::string::{String, ToString};

use crate::agent::json::Json;
use farebox_base::chain::ChainId;

/// The profile whose payments are pretended, and which lists nothing.
const DEMO: &str = "demo-testnet";
/// The profile of main networks; the others are of test networks.
const MAINNET: &str = "live-mainnet";

/// An order of a job: what is wanted, and of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOrder {
    /// The exchange's origin.
    pub url: String,
    /// `network_profile`.
    pub profile: String,
    /// The address that pays.
    pub buyer: String,
    /// The capability that is bought.
    pub capability: String,
    /// The prompt.
    pub prompt: String,
    /// Most that it may cost, in whole tokens.
    pub most: String,
    /// The token's symbol, if it has to be this one.
    pub currency: Option<String>,
    /// The origin of the exchange's gate, if the caller names one: a quote cannot.
    pub till: Option<String>,
}

impl JobOrder {
    /// The gate's address for a quote. A payment goes to the exchange or to the gate that its caller
    /// named, wherever a quote points.
    #[must_use]
    pub fn till_of(&self, payment_id: &str) -> String {
        let gate = self.till.as_ref().unwrap_or(&self.url);
        format!("{gate}/till/{payment_id}")
    }

    /// Whether its payments are pretended.
    #[must_use]
    pub fn is_demo(&self) -> bool {
        self.profile == DEMO
    }

    /// Whether its money may be of a network, CAIP-2.
    #[must_use]
    pub fn takes_network(&self, network: &str) -> bool {
        is_of_profile(&self.profile, network)
    }

    /// The members of a quote's request.
    pub(super) fn payload(&self) -> Json {
        Json::object([
            ("buyer_id", Some(self.buyer.as_str().into())),
            ("capability", Some(self.capability.as_str().into())),
            ("prompt", Some(self.prompt.as_str().into())),
            ("network_profile", Some(self.profile.as_str().into())),
        ])
    }

    pub(super) fn to_json(&self) -> Json {
        Json::object([
            ("url", Some(self.url.as_str().into())),
            ("profile", Some(self.profile.as_str().into())),
            ("buyer", Some(self.buyer.as_str().into())),
            ("capability", Some(self.capability.as_str().into())),
            ("prompt", Some(self.prompt.as_str().into())),
            ("most", Some(self.most.as_str().into())),
            ("currency", self.currency.as_deref().map(Json::from)),
            ("till", self.till.as_deref().map(Json::from)),
        ])
    }

    /// Reads what is wanted; `None` if a member is missing.
    #[must_use]
    pub fn read(order: &Json) -> Option<Self> {
        let text = |name: &str| order.text_of(name).map(ToString::to_string);
        Some(Self {
            url: text("url")?,
            profile: text("profile")?,
            buyer: text("buyer")?,
            capability: text("capability")?,
            prompt: text("prompt")?,
            most: text("most")?,
            currency: text("currency"),
            till: text("till"),
        })
    }
}

/// Whether a network, CAIP-2, is one of a network profile: a main network for `live-mainnet`, and for
/// every other one a network that is known to be a test network.
#[must_use]
pub fn is_of_profile(profile: &str, network: &str) -> bool {
    let is_main = ChainId::parse(network).map(|network| network.is_main_network());
    is_main == Ok(profile == MAINNET)
}
