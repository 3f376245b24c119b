//! Rows of the original's shapes. Amounts are decimal text, times unix milliseconds.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// One way to pay a quote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionRow {
    /// `chain`, as clients name it.
    pub chain: String,
    /// CAIP-2 id; empty if the payment is pretended.
    pub network: String,
    /// The token's contract; empty if the payment is pretended.
    pub asset: String,
    /// `amount`, with the unit.
    pub amount: String,
    /// `amountUnits`: on a real chain no other quote that counts has the same.
    pub units: String,
    /// `address`.
    pub address: String,
}

/// A subscription that a quote pays for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    /// `id` of the subscription.
    pub id: String,
    /// The plan.
    pub plan: String,
}

/// A quote. Key: id. Unique: reference; network and units of each option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// `quoteId`.
    pub id: String,
    /// `paymentRef`.
    pub reference: String,
    /// `serviceId`.
    pub service: String,
    /// `chain`.
    pub chain: String,
    /// `payer`, as the caller says.
    pub payer: String,
    /// `amountUsd`.
    pub usd: String,
    /// How it can be paid.
    pub options: Vec<OptionRow>,
    /// When it was made.
    pub created: u64,
    /// `expiresAt`.
    pub expires: u64,
    /// Until when it is kept: what was transferred in time may be shown later.
    pub until: u64,
    /// The network of who asked for it.
    pub client: String,
    /// When a node was last asked for it.
    pub asked: u64,
    /// The order that it pays for, if that is a subscription.
    pub order: Option<OrderRow>,
    /// Dollars of an XLM when it was made; empty in a row from before that was kept.
    #[serde(default)]
    pub rate: String,
}

impl QuoteRow {
    /// The option on this chain.
    #[must_use]
    pub fn option(&self, chain: &str) -> Option<&OptionRow> {
        self.options.iter().find(|option| option.chain == chain)
    }
}

/// A settlement. Key: id. Unique: quote; reference; place and tx.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledRow {
    /// `id`.
    pub id: String,
    /// `quoteId`.
    pub quote: String,
    /// `paymentRef`.
    pub reference: String,
    /// `settledAt`.
    pub at: u64,
    /// `txHash`, as it was shown.
    pub hash: String,
    /// The same in its one spelling.
    pub tx: String,
    /// Where the transaction is unique: CAIP-2 id, or `mock` and the chain.
    pub place: String,
    /// `chain`.
    pub chain: String,
    /// `amountUsd`.
    pub usd: String,
    /// `amountUnits`.
    pub units: String,
    /// `agentId`: the quote's payer, as the caller said.
    pub payer: String,
    /// `agent`: the wallet that sent the money, or what the caller said of a pretended payment.
    pub agent: String,
    /// `serviceId`.
    pub service: String,
    /// The subscription that was paid with it; empty if none.
    pub subscription: String,
    /// `passportVerified`: whether the operator's Worker vouched for the agent.
    pub vouched: bool,
    /// Whether it was pretended.
    pub mock: bool,
}

/// A subscription that was paid. Key: id. Index: agent and service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionRow {
    /// `id`.
    pub id: String,
    /// `agentId`, as the caller said.
    pub agent: String,
    /// `serviceId`.
    pub service: String,
    /// The plan.
    pub plan: String,
    /// `callsPerMonth`.
    pub calls: u64,
    /// `callsUsed`.
    pub used: u64,
    /// `createdAt`.
    pub created: u64,
    /// `renewsAt`.
    pub renews: u64,
    /// `lastChargedAt`.
    pub charged: u64,
    /// `lastPaymentLedger`: the payment's block; `None` if it was pretended.
    pub block: Option<u64>,
    /// `lastPaymentTx`.
    pub tx: String,
    /// `contractId`: the token that was paid; empty if it was pretended.
    pub contract: String,
}

/// Sums over all settlements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptTotals {
    /// `totalPayments`.
    pub payments: u64,
    /// `totalUsd`.
    pub usd: String,
    /// `uniqueAgents`.
    pub agents: u64,
    /// `services`.
    pub services: u64,
}

impl Default for ReceiptTotals {
    fn default() -> Self {
        Self { payments: 0, usd: String::from("0"), agents: 0, services: 0 }
    }
}
