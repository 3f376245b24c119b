//! The receipt of a payment, as the contract has it.
//!
//! `provisional` and `required` until the chain says more: `in_progress` while it shows the
//! transfer with too few confirmations, `confirmed` and `resolved` with enough, `required` again if
//! a reorganization took it away, `expired_unconfirmed` once it can never come.

use serde_json::{Map, Value, json};

use alloc::string::{String, ToString};

use super::config::Treasury;
use super::id;
use super::merchant::{Locality, origin};
use super::money::padded;
use super::row::{AttemptRow, ReceiptFacts};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_common::payment::PaymentKey;
use farebox_evm::address::Address;

impl ReceiptFacts {
    /// Those of a payment that a merchant has answered.
    pub(super) fn told(transaction: Option<String>, fulfillment: &str, now: u64) -> Self {
        let evidence = match transaction {
            Some(_) => Self::SHOWN,
            None => Self::UNSHOWN,
        };
        Self {
            status: "provisional".to_string(),
            reconciliation: "required".to_string(),
            evidence: evidence.to_string(),
            fulfillment: fulfillment.to_string(),
            transaction,
            on_chain: false,
            created: now,
            confirmed: None,
            completed: Some(now),
        }
    }

    /// Those of a payment that the chain alone shows.
    pub(super) fn seen(fulfillment: &str, now: u64) -> Self {
        Self { evidence: "settled".to_string(), ..Self::told(None, fulfillment, now) }
    }
}

impl Treasury {
    /// The receipt of an attempt that has one.
    pub(super) fn receipt(
        &self,
        organization: &str,
        (method, url): (&str, &str),
        attempt: &AttemptRow,
    ) -> Option<Value> {
        let facts = attempt.receipt.as_ref().filter(|_| !attempt.is_payout())?;
        let value = Amount::from_atomic(&attempt.value).ok()?;
        let mut receipt = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                receipt.insert(name.to_string(), value);
            }
        };
        let text = |text: &str| Some(Value::from(text));
        let time = |secs: u64| Some(Value::from(UnixTime::from_secs(secs).rfc3339()));
        put("receiptId", text(&attempt.receipt_id));
        put("paidRequestId", text(&attempt.decision));
        put("paymentAttemptId", text(&attempt.id));
        put("organizationId", text(&id::named(&["farebox organization", organization])));
        put("agentId", text(&id::named(&["farebox agent", organization, &attempt.agent])));
        let merchant = origin(url, Locality::Local);
        put("merchantId", merchant.map(|it| id::named(&["farebox merchant", &it]).into()));
        put("protocol", text("x402"));
        put("money", Some(self.money(attempt, value)));
        put("authorizationOutcome", text("allowed"));
        put("status", text(&facts.status));
        put("reconciliationStatus", text(&facts.reconciliation));
        put("requestUrl", text(url));
        put("requestMethod", text(method));
        put("settlementEvidenceClass", text(&facts.evidence));
        let is_told = facts.evidence == ReceiptFacts::SHOWN;
        put("evidenceSource", is_told.then(|| "merchant".into()));
        put("settlementIdentifier", facts.transaction().map(Value::from));
        let key = key(attempt);
        put("paymentReference", key.map(Value::from));
        if facts.on_chain {
            let name = facts.transaction.as_deref().unwrap_or_default();
            put(
                "canonicalSettlementKey",
                Some(alloc::format!("{}:{name}", attempt.network).into()),
            );
            put("attributionStrength", text("strong_request_scoped"));
            put("attributionBasis", Some(json!({"authorizationNonce": attempt.nonce})));
            put("attributionRuleVersion", text("eip3009-1"));
        }
        if facts.status == "confirmed" {
            put("confirmationSource", text("chain_observer"));
            put("confirmedAt", facts.confirmed.and_then(time));
            let is_final = self.confirmations >= 12;
            put("finalityLevelUsed", is_final.then(|| "evm_block_confirmations_12".into()));
        }
        put("fulfillmentStatus", text(&facts.fulfillment));
        put("createdAt", time(facts.created));
        put("completedAt", facts.completed.and_then(time));
        Some(Value::Object(receipt))
    }

    fn money(&self, attempt: &AttemptRow, value: Amount) -> Value {
        let symbol = &attempt.symbol;
        let is_code = (3..=10).contains(&symbol.len())
            && symbol
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-".contains(&b));
        json!({
            "asset": if is_code { symbol } else { &attempt.contract },
            "amount": padded(value, attempt.decimals),
            "amountMinor": value.to_string(),
            "precision": attempt.decimals,
            "unit": "minor",
        })
    }
}

/// The payment's key, as every gate of this project names it.
fn key(attempt: &AttemptRow) -> Option<String> {
    let chain = ChainId::parse(&attempt.network).ok()?.evm_id()?;
    let (contract, from) =
        (Address::parse(&attempt.contract).ok()?, Address::parse(&attempt.from).ok()?);
    let nonce = hex::decode_array(&attempt.nonce).ok()?;
    Some(PaymentKey::of_authorization(chain, &contract, &from, &nonce).to_hex())
}
