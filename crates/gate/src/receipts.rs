//! `/_farebox/receipts/{id}` and `/.well-known/farebox-keys.json`: receipts that a payer may show
//! to others, and the keys that signed them.
//!
//! [`ReceiptRequests::begin`] answers at once or names the ledger objects to ask;
//! [`ReceiptRequests::answer`] writes the answer from what they found. A receipt is private: without a valid proof the answer is 404.
//! The proof is the secret of the first request in `Idempotency-Key`, or a [`Statement`] whose
//! method is [`RECEIPT`]. Spec: docs/repeats.md, "Receipts".

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::call::LedgerCall;
use super::keys::Keys;
use super::parts::Shards;
use super::proof::SHOWN_SECRET_BYTES;
use super::redelivery::{self, RECEIPT, Statement};
use super::reply::{Audience, Reply};
use super::request::network_of;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::http::RequestHead;
use farebox_base::secret::ct_eq;
use farebox_base::time::UnixTime;
use farebox_common::payment::{Receipt, TxHash};
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_ledger::command::VERSION;
use farebox_ledger::read::{Facts, Read, RowQuery, RowReply};
use farebox_wire::x402::extension::offer_receipt::{self, SignedReceipt};

/// Path of the keys.
pub const KEYS_PATH: &str = "/.well-known/farebox-keys.json";
/// Prefix of the path of a receipt; its id follows.
pub const RECEIPTS_PATH: &str = "/_farebox/receipts/";
const JSON: &str = "application/json";

/// Next step of a request for one of these paths.
#[derive(Debug)]
pub enum ReceiptStep {
    /// Answer this.
    Answer(Reply),
    /// Ask these objects, in any order, at most 4 at once, and hand all answers to
    /// [`ReceiptRequests::answer`]. If the operator has bound a rate limit, it is asked first about
    /// [`Inquiry::network`], and [`Inquiry::limited`] is the answer beyond it.
    Find(Vec<LedgerCall>, Inquiry),
}

/// A request for a receipt whose proof is still to be compared with the row.
#[derive(Clone, Debug)]
pub struct Inquiry {
    id: String,
    secret: Option<String>,
    statement: Option<Statement>,
    url: String,
    correlation: String,
    network: String,
}

/// A receipt, with the names that the ledger and the operator use for its subject.
#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    #[serde(flatten)]
    signed: &'a SignedReceipt,
    kid: String,
    route: &'a str,
    network: &'a str,
    asset: String,
    amount: String,
    pay_to: String,
    transaction: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    correlation_id: &'a str,
}

/// Requests for receipts, and for the keys that sign them.
#[derive(Clone, Copy)]
pub struct ReceiptRequests<'g> {
    pub(super) keys: &'g Keys,
    pub(super) shards: &'g Shards,
    /// CAIP-2 ids.
    pub(super) networks: &'g [String],
}

impl ReceiptRequests<'_> {
    /// The next step for one of the paths of this module; `None` for other paths.
    #[must_use]
    pub fn begin(&self, head: &RequestHead, correlation: &str) -> Option<ReceiptStep> {
        let path = head.target().split('?').next().unwrap_or_default();
        let id = path.strip_prefix(RECEIPTS_PATH);
        if path != KEYS_PATH && id.is_none() {
            return None;
        }
        let refuse = |code| Some(ReceiptStep::Answer(refusal(code, correlation, None)));
        if !matches!(head.method.as_str(), "GET" | "HEAD") {
            let reply = refusal(Code::MethodNotAllowed, correlation, None);
            return Some(ReceiptStep::Answer(reply.with("allow", "GET, HEAD")));
        }
        let Some(id) = id else {
            return Some(ReceiptStep::Answer(Reply::text(JSON, self.keys.document(), correlation)));
        };
        if !is_id(id) {
            return refuse(Code::NotFound);
        }
        let secret = head
            .headers
            .get("idempotency-key")
            .filter(|key| SHOWN_SECRET_BYTES.contains(&key.len()));
        let statement = match head.headers.joined(redelivery::HEADER) {
            None => None,
            Some(value) => match Statement::parse(&value) {
                Ok(statement) => Some(statement),
                Err(code) => return refuse(code),
            },
        };
        let inquiry = Inquiry {
            id: id.to_owned(),
            secret: secret.map(|secret| self.keys.identifier_hash(secret)),
            statement,
            url: head.url.clone(),
            correlation: correlation.to_owned(),
            network: network_of(head).into(),
        };
        let calls = self.find_row(&inquiry, head);
        if calls.is_empty() {
            refuse(Code::NotFound)
        } else {
            Some(ReceiptStep::Find(calls, inquiry))
        }
    }

    /// The calls to the objects that may have the row: found by the payer if known, else by the id.
    fn find_row(&self, inquiry: &Inquiry, head: &RequestHead) -> Vec<LedgerCall> {
        let call = |object: String, payer: Option<Address>, key: Option<String>| {
            let payer = payer.map(|payer| payer.to_lower_hex());
            let read = RowQuery { receipt: inquiry.id.clone(), payer, key };
            let command = json::text(&Read { v: VERSION, read });
            LedgerCall::new(object, command)
        };
        let known = |payer: Address, key: Option<String>| {
            self.shards
                .of(self.keys, payer.as_bytes())
                .map(move |object| call(object, Some(payer), key.clone()))
                .collect::<Vec<_>>()
        };
        if let Some(statement) = &inquiry.statement {
            // A statement can prove no payer but its signer.
            let chains =
                self.networks.iter().filter_map(|name| ChainId::parse(name).ok()?.evm_id());
            let signers = chains.filter_map(|chain| statement.signer(chain));
            return signers
                .flat_map(|payer| known(payer, Some(statement.key().to_hex())))
                .collect();
        }
        let query = head.target().split_once('?').map_or("", |(_, query)| query);
        let named = query.split('&').find_map(|pair| pair.strip_prefix("payer="));
        match named.map(Address::parse) {
            _ if inquiry.secret.is_none() => Vec::new(),
            Some(Ok(payer)) => known(payer, None),
            Some(Err(_)) => Vec::new(),
            None => {
                let objects = self.shards.of_receipt(&inquiry.id);
                objects.map(|object| call(object, None, None)).collect()
            }
        }
    }

    /// The answer, given what the objects found; an object that is down counts as `None`.
    #[must_use]
    pub fn answer(
        &self,
        inquiry: &Inquiry,
        answers: impl IntoIterator<Item = Option<RowReply>>,
        now: UnixTime,
    ) -> Reply {
        let (mut down, mut row) = (false, None);
        for answer in answers {
            match answer {
                None => down = true,
                Some(found) => row = row.or(found.row),
            }
        }
        let refuse = |code| refusal(code, &inquiry.correlation, Some(&inquiry.id));
        match row {
            Some(facts) if inquiry.holds(&facts, now) => match facts.state.as_str() {
                // A receipt says that the payer was served.
                "delivered" if facts.waits => refuse(Code::PaymentInProgress),
                "delivered" => match self.sign(&facts, now) {
                    Some(text) => Reply::text(JSON, text, &inquiry.correlation),
                    None => refuse(Code::Internal),
                },
                "refund_due" => refuse(Code::RefundDueRepeat),
                "manual" => refuse(Code::UnderReview),
                "unknown" => refuse(Code::SettlementUnknown),
                "executing" | "settling" | "settled" | "delivering" => {
                    refuse(Code::PaymentInProgress)
                }
                // Not paid, or not any more: it has no receipt and will have none.
                _ => refusal(Code::NotFound, &inquiry.correlation, None),
            },
            None if down => refusal(Code::LedgerUnavailable, &inquiry.correlation, None),
            _ => refusal(Code::NotFound, &inquiry.correlation, None),
        }
    }

    /// The signed receipt of a delivered payment; `None` if the facts are incomplete.
    fn sign(&self, facts: &Facts, now: UnixTime) -> Option<String> {
        let receipt = Receipt {
            id: facts.receipt.clone(),
            route: facts.route.clone(),
            resource_url: Some(facts.url.clone()).filter(|url| !url.is_empty())?,
            payer: named(&facts.payer),
            network: facts.network.clone(),
            asset: facts.asset.clone(),
            amount: Amount::from_atomic(&facts.amount).ok()?,
            pay_to: facts.pay_to.clone(),
            transaction: TxHash::recorded(facts.transaction.as_deref()?)?,
            issued_at: now,
        };
        let signed = self.keys.sign_receipt(&receipt)?;
        let document = Document {
            id: &receipt.id,
            signed: &signed,
            kid: offer_receipt::key_id(self.keys.receipt_signer()?),
            route: &receipt.route,
            network: &receipt.network,
            asset: receipt.asset.clone(),
            amount: format!("{}", receipt.amount),
            pay_to: receipt.pay_to.clone(),
            transaction: receipt.transaction.to_text(),
            correlation_id: &facts.correlation,
        };
        Some(json::text(&document))
    }
}

/// A row's payer in the chain's notation; empty if the row is kept under the payment's key.
fn named(account: &str) -> String {
    Address::parse(account).map(|payer| payer.to_checksum()).unwrap_or_default()
}

impl Inquiry {
    /// Rate-limit key of the client.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.network
    }

    /// The answer to a client whose network has asked too often.
    #[must_use]
    pub fn limited(&self) -> Reply {
        refusal(Code::RateLimited, &self.correlation, None)
    }

    /// Whether the proof of the request is valid for this row.
    fn holds(&self, facts: &Facts, now: UnixTime) -> bool {
        let secret = match (&self.secret, &facts.secret) {
            (Some(shown), Some(kept)) => ct_eq(shown.as_bytes(), kept.as_bytes()),
            _ => false,
        };
        facts.receipt == self.id && (secret || self.is_signed_for(facts, now).unwrap_or(false))
    }

    fn is_signed_for(&self, facts: &Facts, now: UnixTime) -> Option<bool> {
        let statement = self.statement.as_ref()?;
        let payer = Address::parse(&facts.payer).ok()?;
        let chain = ChainId::parse(&facts.network).ok()?.evm_id()?;
        let key = statement.key();
        let proves = statement.proves(key, &payer, chain, RECEIPT, &self.url, now).is_ok();
        Some(proves && key.to_hex() == facts.key)
    }
}

/// Whether text is a receipt id: `rcpt_` and 26 characters of base32.
pub(super) fn is_id(text: &str) -> bool {
    text.strip_prefix("rcpt_").is_some_and(|rest| {
        rest.len() == 26 && rest.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
    })
}

fn refusal(code: Code, correlation: &str, payment: Option<&str>) -> Reply {
    Reply::problem(code, Audience::Other, correlation, payment)
}
