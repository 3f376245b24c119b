//! The receipt of a payment, as the contract has it.
//!
//! `provisional` and `required` until the chain says more: `in_progress` while it shows the
//! transfer with too few confirmations, `confirmed` and `resolved` with enough, `required` again if
//! a reorganization took it away, `expired_unconfirmed` once it can never come.
//!
//! It is signed with a detached JWS of `ES256K` in a header, over the canonical JSON (RFC 8785) of
//! the member `receipt`. Spec: RFC 7515, appendix F; RFC 8812.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::answer::FIGURES;
use super::id;
use super::kernel::Now;
use super::merchant::{Locality, origin};
use super::message::Reply;
use super::money::pad;
use super::row::{AttemptRow, DecisionRow, ReceiptFacts};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{base64, hex, jcs, json};
use farebox_base::time::UnixTime;
use farebox_common::payment::PaymentKey;
use farebox_evm::account::Account;
use farebox_evm::address::Address;

/// The header with the signature.
const HEADER: &str = "farebox-receipt-signature";

impl ReceiptFacts {
    /// Those of a payment that a merchant has answered.
    pub(super) fn of_answer(transaction: Option<String>, fulfillment: &str, now: u64) -> Self {
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
        Self { evidence: "settled".to_string(), ..Self::of_answer(None, fulfillment, now) }
    }
}

/// Receipts of payments: their documents, and the signature that a response carries with one.
#[derive(Debug)]
pub(super) struct Receipts {
    pub signer: Option<Account>,
    /// Blocks that must confirm a transfer, including its own.
    pub confirmations: u64,
}

impl Receipts {
    /// The response for a decision: the same bytes for the same answer.
    pub fn reply(&self, row: &DecisionRow) -> Reply {
        let reply = self.sign(Reply::json(201, row.body.clone()));
        match &row.figures {
            Some(figures) => reply.with(FIGURES, figures),
            None => reply,
        }
    }

    /// Adds the signature of the receipt in a response, if there is one.
    pub fn sign(&self, reply: Reply) -> Reply {
        let body = json::parse_with(reply.body.as_bytes(), usize::MAX);
        let receipt = body.ok().and_then(|body| body.get("receipt").cloned());
        match receipt.and_then(|receipt| self.signature(&receipt)) {
            Some(signature) => reply.with(HEADER, &signature),
            None => reply,
        }
    }

    /// Puts the receipt, as it is by now, into what a decision says.
    pub fn put_into(&self, decision: &mut DecisionRow, attempt: &AttemptRow, scene: Now<'_>) {
        let receipt = self.document(scene.organization, decision, attempt);
        let body = json::parse_with(decision.body.as_bytes(), usize::MAX);
        if let (Some(receipt), Ok(Value::Object(mut members))) = (receipt, body) {
            members.insert("receipt".to_string(), receipt);
            decision.body = Value::Object(members).to_string();
        }
    }

    /// The receipt of an attempt that has one.
    pub fn document(
        &self,
        organization: &str,
        decision: &DecisionRow,
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
        put("organizationId", text(&id::derive_id(&["farebox organization", organization])));
        put("agentId", text(&id::derive_id(&["farebox agent", organization, &attempt.agent])));
        let merchant = origin(&decision.url, Locality::Local);
        put("merchantId", merchant.map(|it| id::derive_id(&["farebox merchant", &it]).into()));
        put("protocol", text("x402"));
        put("money", Some(money(attempt, value)));
        put("authorizationOutcome", text("allowed"));
        put("status", text(&facts.status));
        put("reconciliationStatus", text(&facts.reconciliation));
        put("requestUrl", text(&decision.url));
        put("requestMethod", text(&decision.method));
        put("settlementEvidenceClass", text(&facts.evidence));
        let is_told = facts.evidence == ReceiptFacts::SHOWN;
        put("evidenceSource", is_told.then(|| "merchant".into()));
        put("settlementIdentifier", facts.transaction().map(Value::from));
        let key = key(attempt);
        put("paymentReference", key.map(Value::from));
        if facts.on_chain {
            let name = facts.transaction.as_deref().unwrap_or_default();
            put("canonicalSettlementKey", Some(format!("{}:{name}", attempt.network).into()));
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

    /// The detached JWS over a receipt.
    fn signature(&self, receipt: &Value) -> Option<String> {
        let account = self.signer.as_ref()?;
        let header = json!({"alg": "ES256K", "kid": kid(account)}).to_string();
        let header = base64::encode_url(header.as_bytes());
        let payload = base64::encode_url(jcs::text(receipt).as_bytes());
        let digest: [u8; 32] = Sha256::digest(format!("{header}.{payload}").as_bytes()).into();
        let signature = account.sign(&digest)?.to_bytes();
        let rs = signature.get(..64)?;
        Some(format!("{header}..{}", base64::encode_url(rs)))
    }

    /// The document at `/.well-known/farebox-keys.json`: a JWK set.
    pub fn keys(&self) -> String {
        let keys = self.signer.as_ref().map(|account| {
            let point = account.public_key();
            let (x, y) = point.split_at_checked(32).unwrap_or((&[], &[]));
            json!({
                "kty": "EC",
                "crv": "secp256k1",
                "x": base64::encode_url(x),
                "y": base64::encode_url(y),
                "alg": "ES256K",
                "use": "sig",
                "kid": kid(account),
            })
        });
        json!({"keys": keys.into_iter().collect::<Vec<_>>()}).to_string()
    }
}

fn money(attempt: &AttemptRow, value: Amount) -> Value {
    let symbol = &attempt.symbol;
    let is_code = (3..=10).contains(&symbol.len())
        && symbol
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_-".contains(&b));
    json!({
        "asset": if is_code { symbol } else { &attempt.contract },
        "amount": pad(value, attempt.decimals),
        "amountMinor": value.to_string(),
        "precision": attempt.decimals,
        "unit": "minor",
    })
}

/// The payment's key, as every gate of this project names it.
fn key(attempt: &AttemptRow) -> Option<String> {
    let chain = ChainId::parse(&attempt.network).ok()?.evm_id()?;
    let (contract, from) =
        (Address::parse(&attempt.contract).ok()?, Address::parse(&attempt.from).ok()?);
    let nonce = hex::decode_array(&attempt.nonce).ok()?;
    Some(PaymentKey::of_authorization(chain, &contract, &from, &nonce).to_hex())
}

fn kid(account: &Account) -> String {
    account.address().to_checksum()
}
