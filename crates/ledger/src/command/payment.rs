//! A payment as the ledger records it.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::json;
use farebox_base::encoding::message::{read_enum, read_struct};
use farebox_base::time::UnixTime;
use farebox_common::payment::{NEVER, OnChain, TransferMethod, TxHash};

use super::binding::{forms, is_of_request, is_of_terms, share};
use super::signing::{Signature, SignedTerms, Signing};

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
    /// How it was signed, and the other authorizations of its nonce.
    #[serde(default)]
    pub signing: Signing,
}

read_struct!(Payment {
    binding, secret, mode, receipt, route, network, asset, amount, pay_to, valid_before,
    facilitator, request;
    url, correlation, confirm, client, signing
});

impl Payment {
    /// Whether the gate reads who has signed it: on other chains than EVM each payment is a payer of
    /// its own.
    #[must_use]
    pub fn names_signer(&self) -> bool {
        self.network.starts_with("eip155:")
    }

    /// Whether `again` is another authorization of this payment's nonce, for the same request: its
    /// payer has signed again, for another end, price or payee.
    #[must_use]
    pub fn is_signed_again_by(&self, again: &Self) -> bool {
        self.has_nonce_of(again) && self.is_same_request(again)
    }

    /// Whether `again` is another authorization of this payment's nonce, for another request, that
    /// proves to be the payer's own: what was sent for this one may stand on the chain for all to read.
    #[must_use]
    pub fn is_signed_elsewhere_by(&self, again: &Self) -> bool {
        self.has_nonce_of(again) && !self.is_same_request(again) && self.is_proven_by_end_of(again)
    }

    /// Whether `again` is another authorization of the same nonce, whatever it asks for.
    fn has_nonce_of(&self, again: &Self) -> bool {
        let is_other = again.valid_before != self.valid_before
            || !again.pay_to.eq_ignore_ascii_case(&self.pay_to)
            || again.amount != self.amount && !self.has_request_of(again);
        again.signing.by != Signature::Unread
            && !self.is_onchain()
            && !self.is_deferred()
            && !again.is_deferred()
            && again.network == self.network
            && again.asset.eq_ignore_ascii_case(&self.asset)
            && is_other
    }

    fn is_same_request(&self, again: &Self) -> bool {
        share(&self.binding, &again.binding, is_of_request)
    }

    /// Whether both are for one request and its terms, under whatever name of a purchase.
    #[must_use]
    pub fn has_terms_of(&self, again: &Self) -> bool {
        share(&self.binding, &again.binding, is_of_terms)
    }

    /// Whether it is for this request, its terms and its name, whatever its pricer was asked.
    #[must_use]
    pub fn is_bound_as(&self, binding: &str) -> bool {
        share(&self.binding, binding, |one, other| one == other)
    }

    /// Whether both are priced for one question, if any: one price pays for no answer to another.
    #[must_use]
    pub fn has_question_of(&self, again: &Self) -> bool {
        let ([_, own], [_, other]) = (forms(&self.binding), forms(&again.binding));
        is_of_request(own, other)
    }

    /// Whether `again` proves to be the payer's own, by a signature that was never sent anywhere
    /// from here: each one that was ends no later, and may stand on the chain.
    #[must_use]
    pub fn is_proven_anew_by(&self, again: &Self) -> bool {
        self.is_signed_again_by(again) && self.is_proven_by_end_of(again)
    }

    /// Whether the signature is its payer's, and ends later than each that the row has seen.
    fn is_proven_by_end_of(&self, again: &Self) -> bool {
        again.signing.by == Signature::Proven && again.valid_before > self.last_end()
    }

    /// Takes the authorization `again` in the place of the present one, which may still be mined.
    pub(crate) fn sign_again(&mut self, mut again: Self) {
        let known = core::mem::take(&mut self.signing);
        again.signing = Signing { by: again.signing.by, ..known };
        again.signing.add(self.terms());
        *self = again;
    }

    /// The present authorization's terms of money.
    #[must_use]
    pub fn terms(&self) -> SignedTerms {
        SignedTerms {
            amount: self.amount.clone(),
            pay_to: self.pay_to.clone(),
            valid_before: self.valid_before,
        }
    }

    /// The amount that it asks for, if a request that shows `shown` does not know all that was
    /// signed for it.
    pub(super) fn held_beside(&self, shown: &Self) -> Option<String> {
        let differs = self.signing.times > 0 || self.is_signed_again_by(shown);
        differs.then(|| self.amount.clone())
    }

    /// Whether its payer has signed the amount that the repeat signs. Of a permit for the most, less may
    /// be charged, and by no other.
    pub(crate) fn is_signed_as(&self, again: &Self) -> bool {
        let most = self.most();
        self.amount == again.amount
            || most.as_deref() == Some(&again.amount) && most == again.most()
    }

    /// The amount in its permit for the most, while the request is kept whole.
    fn most(&self) -> Option<String> {
        let request = json::parse(self.request.as_bytes()).ok()?;
        let permit = request.pointer("/paymentPayload/payload/permit2Authorization")?;
        // A permit of the other scheme moves all of it.
        TransferMethod::of_permit(permit.as_object()?).ok()?.facilitator()?;
        permit.pointer("/permitted/amount")?.as_str().map(String::from)
    }

    /// Until when one of its authorizations may be mined, unix seconds.
    #[must_use]
    pub fn last_end(&self) -> u64 {
        self.valid_before.max(self.signing.last_end())
    }

    /// Whether it may be signed once more.
    pub(crate) const fn may_be_signed_again(&self) -> bool {
        self.signing.has_room()
    }

    /// Parses the hash of a transaction on this payment's network; `None` if `name` is malformed. A
    /// deferred payment may have none.
    #[must_use]
    pub fn transaction(&self, name: &str) -> Option<TxHash> {
        match TxHash::recorded(name) {
            Some(TxHash::PENDING) => self.is_deferred().then_some(TxHash::PENDING),
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

    /// The time since which the payer may have sent its transaction; `None` of any other payment.
    #[must_use]
    pub fn sent_since(&self) -> Option<UnixTime> {
        match OnChain::read(&self.facilitator, &self.request)? {
            OnChain::Sent { since, .. } => Some(since),
            OnChain::Signed(_) => None,
        }
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
