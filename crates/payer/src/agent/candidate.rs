//! The terms that were shown, as a digest: network, token, payee, amount and scheme. The payment
//! has to be for the same terms.

use alloc::string::{String, ToString};

use sha2::{Digest, Sha256};

use super::json::Json;
use super::requirement::{AmountType, Requirement};
use crate::client::offer::digest;
use farebox_base::encoding::hex;

/// The facts that a digest binds, as texts.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The network.
    pub network: &'a str,
    /// The token.
    pub asset: &'a str,
    /// The recipient.
    pub payee: &'a str,
    /// Atomic units.
    pub amount: &'a str,
    /// The way in which it is paid.
    pub scheme: &'a str,
}

impl<'a> Candidate<'a> {
    /// That of the price that is shown, if all of it is known.
    #[must_use]
    pub fn of(requirement: &'a Requirement, accept: &'a Json) -> Option<Self> {
        let kind = match requirement.amount_type? {
            AmountType::Exact => "exact",
            AmountType::Max => "upto",
        };
        Some(Self {
            network: requirement.network.as_deref()?,
            asset: requirement.asset.as_deref()?,
            payee: requirement.payee.as_deref()?,
            amount: requirement.minor.as_deref()?,
            scheme: accept.text_of("scheme").unwrap_or(kind),
        })
    }

    /// That of a payment which the payer of this package is about to make.
    #[must_use]
    pub fn of_proposal(proposal: &'a Json) -> Option<Self> {
        let is_bound = matches!(proposal.get("upTo"), Some(Json::Bool(true)));
        Some(Self {
            network: proposal.text_of("network")?,
            asset: proposal.text_of("asset")?,
            payee: proposal.text_of("payTo")?,
            amount: proposal.text_of("amount")?,
            scheme: if is_bound { "upto" } else { "exact" },
        })
    }

    /// SHA-256 of the facts, hex. Addresses count in any case.
    #[must_use]
    pub fn digest(self) -> String {
        let plain = |text: &str| match text.strip_prefix("0x") {
            Some(_) => text.to_ascii_lowercase(),
            None => text.to_string(),
        };
        digest([self.network, &plain(self.asset), &plain(self.payee), self.amount, self.scheme])
    }
}

/// SHA-256 of a text, hex.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_changes_the_digest_and_the_case_of_an_address_does_not() {
        let shown = Candidate {
            network: "eip155:8453",
            asset: "0xAb",
            payee: "0xCd",
            amount: "10",
            scheme: "exact",
        };
        let other = [
            Candidate { network: "eip155:1", ..shown },
            Candidate { asset: "0xabc", ..shown },
            Candidate { payee: "0xce", ..shown },
            Candidate { amount: "11", ..shown },
            Candidate { scheme: "upto", ..shown },
            Candidate { asset: "0xab0", payee: "xCd", ..shown },
        ];
        for candidate in other {
            assert_ne!(candidate.digest(), shown.digest(), "{candidate:?}");
        }
        assert_eq!(Candidate { asset: "0xaB", payee: "0xcD", ..shown }.digest(), shown.digest());
    }

    #[test]
    fn a_bound_that_is_proposed_is_a_bound_that_was_shown_and_no_price() {
        let is_bound = |text: &str| {
            let proposal = Json::read(text, 1000).unwrap();
            Candidate::of_proposal(&proposal).unwrap().scheme == "upto"
        };
        assert!(is_bound(r#"{"network":"n","asset":"a","payTo":"p","amount":"1","upTo":true}"#));
        assert!(!is_bound(r#"{"network":"n","asset":"a","payTo":"p","amount":"1","upTo":false}"#));
        assert!(!is_bound(r#"{"network":"n","asset":"a","payTo":"p","amount":"1"}"#));
    }
}
