//! A request on its way to a decision.

use alloc::string::String;
use alloc::vec::Vec;

use crate::books::{Change, Rows};
use crate::budget::worth;
use crate::id::Fresh;
use crate::kernel::Now;
use crate::money::in_words;
use crate::policy::Rules;
use crate::request::PaymentRequest;
use crate::reviewed::Reviewed;
use crate::row::{DecisionRow, ReviewRow, Scope, Stage};
use farebox_payer::client::offer::Offer;

/// A request under way to its decision.
pub(crate) struct Draft<'a> {
    pub scene: Now<'a>,
    pub fresh: Fresh,
    pub request: PaymentRequest,
    /// Hash of the request.
    pub digest: String,
    /// The scope of a review of it.
    pub reviewed: Reviewed,
    pub agent: String,
    /// The token that asks; none of a payout.
    pub token: Option<String>,
    /// The key under which it is kept.
    pub key: Option<String>,
    pub organization: Rules,
    pub own: Rules,
    /// The decision that waits for a review, with that review.
    pub waiting: Option<(DecisionRow, Option<ReviewRow>)>,
    /// Writes so far.
    pub changes: Vec<Change>,
}

impl Draft<'_> {
    /// The row of a decision: the one that waited, or a new one. Its answer is still to be written.
    pub fn row(&mut self, offer: Option<&Offer>) -> DecisionRow {
        let now = self.scene.now.secs();
        let terms = offer.map(Offer::pin).unwrap_or_default();
        let symbol = offer.map(|offer| offer.asset.symbol.clone());
        let price = offer.and_then(|offer| {
            let worth = worth(offer.amount, offer.asset.decimals)?;
            Some(in_words(worth, &offer.asset.symbol))
        });
        if let Some((row, _)) = self.waiting.take() {
            // Of one that has waited for long, only a part is kept.
            let url = self.request.url.clone();
            return DecisionRow { terms, amount: price, asset: symbol, url, ..row };
        }
        DecisionRow {
            id: self.fresh.decision.clone(),
            attempt: self.fresh.attempt.clone(),
            agent: self.agent.clone(),
            key: self.key.clone(),
            request: self.digest.clone(),
            method: self.request.method.clone(),
            url: self.request.url.clone(),
            terms,
            stage: Stage::Executing,
            open: true,
            outcome: String::new(),
            code: String::new(),
            amount: price,
            asset: symbol,
            review: None,
            body: String::new(),
            figures: None,
            created: now,
            changed: now,
            times: 1,
            leaves: None,
            heard: false,
        }
    }
}

/// The rules of a scope; those that cannot be read allow nothing.
pub(crate) fn read_rules<B: Rows>(books: &B, scope: &Scope) -> Result<Rules, B::Error> {
    let row = books.policy(scope)?;
    let nothing = || Rules::from_json(r#"{"allowedOrigins":[]}"#).unwrap_or_default();
    Ok(row.map_or_else(Rules::default, |row| {
        Rules::from_json(&row.document).unwrap_or_else(|_| nothing())
    }))
}
