//! Statements about the money in an answer: the settlement header of x402, the receipt of MPP.

use alloc::string::{String, ToString};

use super::PaidRequest;
use crate::checked::Protocol;
use crate::mpp::issue::METHOD;
use crate::reply::Reply;
use farebox_common::payment::{Receipt, TxHash};
use farebox_wire::mpp;
use farebox_wire::x402::extension::offer_receipt;
use farebox_wire::x402::{Version, header, v2};

impl PaidRequest<'_> {
    /// Adds the protocol's statement about a payment that was not served. MPP has none: its
    /// receipts are for successes alone.
    pub(super) fn settlement(&self, reply: Reply) -> Reply {
        match self.checked.protocol {
            Protocol::X402(version) => self.settled(reply, version, None),
            Protocol::Mpp(_) => reply,
        }
    }

    /// Adds the protocol's statement to an answer that serves the payment, from version 2 of x402
    /// on with a signed receipt.
    pub(super) fn settlement_served(&self, reply: Reply) -> Reply {
        match &self.checked.protocol {
            Protocol::X402(Version::V1) => self.settled(reply, Version::V1, None),
            Protocol::X402(Version::V2) => {
                let signed =
                    self.receipt().and_then(|receipt| self.asked.gate.keys.sign_receipt(&receipt));
                self.settled(reply, Version::V2, signed.as_ref().map(offer_receipt::extensions))
            }
            Protocol::Mpp(answered) => {
                let Some(transaction) = self.work.transaction else { return reply };
                let receipt = mpp::receipt::Receipt {
                    method: METHOD,
                    reference: &transaction.to_text(),
                    timestamp: self.work.served,
                    challenge_id: Some(&answered.id),
                    chain_id: Some(answered.chain_id),
                    external_id: Some(answered.external_id.as_str()).filter(|id| !id.is_empty()),
                };
                reply.with(mpp::receipt::HEADER, &receipt.to_header())
            }
        }
    }

    /// Adds the protocol's statement about a settlement that was certainly refused. MPP has none.
    pub(super) fn settlement_refused(&self, reply: Reply, reason: &str) -> Reply {
        match self.checked.protocol {
            Protocol::X402(version) => {
                let value = self.settle_response(false, Some(reason), None, None);
                reply.with(version.settlement_header(), &value)
            }
            Protocol::Mpp(_) => reply,
        }
    }

    /// Adds the protocol's statement to an answer that costs nothing.
    pub(super) fn settlement_nothing(&self, mut reply: Reply) -> Reply {
        reply.marks.served = true;
        match self.checked.protocol {
            Protocol::X402(version) => {
                let value = self.settle_response(true, None, None, None);
                reply.with(version.settlement_header(), &value)
            }
            Protocol::Mpp(_) => reply,
        }
    }

    fn settled(&self, reply: Reply, version: Version, extensions: Option<String>) -> Reply {
        match self.work.transaction {
            Some(transaction) => {
                let value = self.settle_response(true, None, Some(&transaction), extensions);
                reply.with(version.settlement_header(), &value)
            }
            None => reply,
        }
    }

    /// The receipt that a payer may show to others once served; `None` without a transaction.
    fn receipt(&self) -> Option<Receipt> {
        let terms = &self.asked.choice.terms;
        Some(Receipt {
            id: self.row.receipt.clone(),
            route: self.asked.offer.settings.route.clone(),
            resource_url: self.asked.request.head.url.clone(),
            payer: self.payer_text(),
            network: terms.network.to_string(),
            asset: terms.asset.clone(),
            amount: self.amount(),
            pay_to: terms.pay_to.clone(),
            transaction: self.work.transaction?,
            issued_at: self.work.served,
        })
    }

    fn settle_response(
        &self,
        success: bool,
        reason: Option<&str>,
        transaction: Option<&TxHash>,
        extensions: Option<String>,
    ) -> String {
        let response = v2::SettleResponse {
            success,
            error_reason: reason,
            payer: &self.payer_text(),
            transaction: transaction.map_or("", TxHash::on_wire),
            status: (transaction == Some(&TxHash::PENDING)).then_some("pending"),
            network: &self.checked.expected.network,
            amount: self.work.charged.map(|charged| charged.to_string()),
        };
        header::encode(&response.to_json(extensions.as_deref()))
    }
}
