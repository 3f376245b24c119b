//! The reads of the original's shapes from the storage, and the writes that they ask for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::row::{QuoteRow, ReceiptTotals, SettledRow, SubscriptionRow};

/// Newest settlements among which a list looks.
pub const WINDOW: u32 = 5_000;
/// Most subscriptions of a list.
pub const MAX_LISTED: u32 = 1_000;

/// Reads of the rows of the original's shapes. They fail only with an error of the storage.
pub trait QuoteRows {
    /// The storage's error.
    type Error;

    /// The quote with this id or this reference.
    fn quote(&self, id_or_reference: &str) -> Result<Option<QuoteRow>, Self::Error>;

    /// Whether a quote asks for exactly this amount on this network.
    fn is_quoted(&self, network: &str, units: &str) -> Result<bool, Self::Error>;

    /// How many quotes are kept for this client's network, and how many for all.
    fn quotes_of(&self, client: &str, now: u64) -> Result<(u64, u64), Self::Error>;

    /// The settlement with this id.
    fn settled(&self, id: &str) -> Result<Option<SettledRow>, Self::Error>;

    /// The settlement of the quote with this id or this reference.
    fn settled_quote(&self, id_or_reference: &str) -> Result<Option<SettledRow>, Self::Error>;

    /// The settlement by this transaction.
    fn settled_by_tx(&self, place: &str, tx: &str) -> Result<Option<SettledRow>, Self::Error>;

    /// Whether a settlement has this payer, and whether one has this service.
    fn has_settled(&self, payer: &str, service: &str) -> Result<(bool, bool), Self::Error>;

    /// A page of the newest [`WINDOW`] settlements that match, newest first, and how many match.
    fn settlements(&self, part: &ReceiptPart) -> Result<(Vec<SettledRow>, u64), Self::Error>;

    /// The sums over all settlements.
    fn receipt_totals(&self) -> Result<ReceiptTotals, Self::Error>;

    /// The subscription with this id.
    fn subscription(&self, id: &str) -> Result<Option<SubscriptionRow>, Self::Error>;

    /// The subscription of this agent's name to a service with most calls left, of those that renew after
    /// this time; the one that renews last if none has calls. Nobody proves that name, and whoever pays
    /// for more hides no other one.
    fn subscription_of(
        &self,
        agent: &str,
        service: &str,
        after: u64,
    ) -> Result<Option<SubscriptionRow>, Self::Error>;

    /// The newest [`MAX_LISTED`] subscriptions, those that renew first at first.
    fn subscriptions(&self) -> Result<Vec<SubscriptionRow>, Self::Error>;
}

/// A part of the settlements. Filters are joined by and, and their texts are in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiptPart {
    /// Only with this payer or sender.
    pub agent: Option<String>,
    /// Only of this chain.
    pub chain: Option<String>,
    /// Only of this service.
    pub service: Option<String>,
    /// Only where this is a part of [`words`].
    pub text: Option<String>,
    /// Rows before the page.
    pub offset: u64,
    /// Maximum rows.
    pub limit: u32,
}

/// The text that a search looks into, in lower case.
#[must_use]
pub fn words(row: &SettledRow) -> String {
    let SettledRow { id, reference, payer, agent, service, hash, chain, usd, .. } = row;
    alloc::format!("{id} {reference} {payer} {agent} {service} {hash} {chain} {usd} USD")
        .to_lowercase()
}

/// One write of the original's shapes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuoteChange {
    /// Puts a quote; a new one with the amounts of its options.
    Quote(Box<QuoteRow>),
    /// Deletes the quote with this id.
    Gone(String),
    /// Deletes the quotes that were kept until before this time.
    Sweep(u64),
    /// Adds a settlement.
    Settled(Box<SettledRow>),
    /// Puts the sums over all settlements.
    Totals(ReceiptTotals),
    /// Puts a subscription.
    Subscription(Box<SubscriptionRow>),
    /// Deletes all but so many of the newest settlements, and of the newest subscriptions.
    Trim(u32),
}
