//! The pending payment as a person or a hook reads it.

use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::Exchange;
use super::state::Proposed;
use crate::client::endpoints::host_of;
use crate::client::offer::{TermsSource, Way};
use crate::client::prepare::Prepared;
use crate::client::purchase::Slot;
use farebox_wire::x402::v2::Flow;

impl Exchange {
    /// The pending payment, for a person or a hook; the server's texts are cleaned.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let Proposed { challenge, prepared } = self.state.proposed()?;
        let Prepared { offer, .. } = prepared;
        let elsewhere = offer.resource.as_deref().filter(|place| match &offer.asked {
            TermsSource::X402 { .. } => {
                !place.starts_with('/') && origin_of(place) != origin_of(&self.url)
            }
            TermsSource::Mpp(charge) => charge.is_foreign,
        });
        Some(json!({
            "protocol": match &offer.asked {
                TermsSource::X402 { .. } => "x402",
                TermsSource::Mpp(_) => "mpp",
            },
            "method": self.method,
            "url": self.url,
            "host": self.host,
            "price": offer.price(),
            "symbol": offer.asset.symbol,
            "amount": offer.amount.to_string(),
            "amountText": offer.in_words(),
            "upTo": offer.is_bound(),
            "asset": offer.asset.address.to_checksum(),
            "network": offer.asset.network.as_str(),
            "testNetwork": !offer.asset.network.is_main_network(),
            "slot": Slot::of(offer).map(|slot| slot.name()),
            "payTo": offer.pay_to.to_checksum(),
            "payer": (!self.payer.is_zero()).then(|| self.payer.to_checksum()),
            "validForSecs": offer.max_timeout_secs,
            "paysBeforeWork": offer.flow == Flow::Upfront,
            "paysGas": offer.charge().is_some_and(|charge| charge.way == Way::Hash),
            "mayAllow": self.may_allow(prepared),
            "description": offer.description,
            "serverSays": challenge.error,
            "claimsToSell": elsewhere,
            "replaces": self.state.is_paid(),
            "again": self.is_doubted(),
        }))
    }
}

/// Scheme, host and port of an absolute URL.
fn origin_of(url: &str) -> (String, String) {
    let scheme = url.split(':').next().unwrap_or_default();
    (scheme.to_ascii_lowercase(), host_of(url))
}
