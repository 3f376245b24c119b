//! The rows of the original's shapes in memory: lists, and nothing that decides.

use std::convert::Infallible;

use farebox_core::skills::original::books::{QuoteChange, QuoteRows, ReceiptPart, WINDOW, words};
use farebox_core::skills::original::row::{QuoteRow, ReceiptTotals, SettledRow, SubscriptionRow};

use super::books::MemoryRows;

/// Quotes, settlements and subscriptions.
#[derive(Clone, Debug, Default)]
pub struct MemoryQuotes {
    pub quotes: Vec<QuoteRow>,
    pub settled: Vec<SettledRow>,
    pub totals: ReceiptTotals,
    pub subscriptions: Vec<SubscriptionRow>,
}

impl MemoryQuotes {
    pub fn write(&mut self, change: QuoteChange) {
        match change {
            QuoteChange::Quote(row) => match self.quotes.iter_mut().find(|it| it.id == row.id) {
                Some(known) => *known = *row,
                None => self.quotes.push(*row),
            },
            QuoteChange::Gone(id) => self.quotes.retain(|row| row.id != id),
            QuoteChange::Sweep(before) => self.quotes.retain(|row| row.until >= before),
            QuoteChange::Settled(row) => self.settled.push(*row),
            QuoteChange::Totals(totals) => self.totals = totals,
            QuoteChange::Subscription(row) => {
                self.subscriptions.retain(|it| it.id != row.id);
                self.subscriptions.push(*row);
            }
            QuoteChange::Trim(kept) => {
                let kept = kept as usize;
                self.settled.drain(..self.settled.len().saturating_sub(kept));
                self.subscriptions.drain(..self.subscriptions.len().saturating_sub(kept));
            }
        }
    }
}

type Found<T> = Result<T, Infallible>;

impl QuoteRows for MemoryRows {
    type Error = Infallible;

    fn quote(&self, id_or_reference: &str) -> Found<Option<QuoteRow>> {
        let is_it = |row: &&QuoteRow| row.id == id_or_reference || row.reference == id_or_reference;
        Ok(self.original.quotes.iter().find(is_it).cloned())
    }

    fn is_quoted(&self, network: &str, units: &str) -> Found<bool> {
        let mut options = self.original.quotes.iter().flat_map(|row| &row.options);
        Ok(options.any(|option| option.network == network && option.units == units))
    }

    fn quotes_of(&self, client: &str, now: u64) -> Found<(u64, u64)> {
        let kept = || self.original.quotes.iter().filter(|row| row.until >= now);
        Ok((kept().filter(|row| row.client == client).count() as u64, kept().count() as u64))
    }

    fn settled(&self, id: &str) -> Found<Option<SettledRow>> {
        Ok(self.original.settled.iter().find(|row| row.id == id).cloned())
    }

    fn settled_quote(&self, id_or_reference: &str) -> Found<Option<SettledRow>> {
        let is_it =
            |row: &&SettledRow| row.quote == id_or_reference || row.reference == id_or_reference;
        Ok(self.original.settled.iter().find(is_it).cloned())
    }

    fn settled_by_tx(&self, place: &str, tx: &str) -> Found<Option<SettledRow>> {
        let mut rows = self.original.settled.iter();
        Ok(rows.find(|row| row.place == place && row.tx == tx).cloned())
    }

    fn has_settled(&self, payer: &str, service: &str) -> Found<(bool, bool)> {
        let rows = &self.original.settled;
        Ok((
            rows.iter().any(|row| row.payer == payer),
            rows.iter().any(|row| row.service == service),
        ))
    }

    fn settlements(&self, part: &ReceiptPart) -> Found<(Vec<SettledRow>, u64)> {
        let is_in = |row: &&SettledRow| {
            part.agent
                .as_ref()
                .is_none_or(|it| *it == row.payer.to_lowercase() || *it == row.agent.to_lowercase())
                && part.chain.as_ref().is_none_or(|it| *it == row.chain)
                && part.service.as_ref().is_none_or(|it| *it == row.service.to_lowercase())
                && part.text.as_ref().is_none_or(|it| words(row).contains(it))
        };
        let newest = self.original.settled.iter().rev().take(WINDOW as usize);
        let rows: Vec<_> = newest.filter(is_in).cloned().collect();
        let total = rows.len() as u64;
        let page = rows.into_iter().skip(part.offset as usize).take(part.limit as usize);
        Ok((page.collect(), total))
    }

    fn receipt_totals(&self) -> Found<ReceiptTotals> {
        Ok(self.original.totals.clone())
    }

    fn subscription(&self, id: &str) -> Found<Option<SubscriptionRow>> {
        Ok(self.original.subscriptions.iter().find(|row| row.id == id).cloned())
    }

    fn subscription_of(
        &self,
        agent: &str,
        service: &str,
        after: u64,
    ) -> Found<Option<SubscriptionRow>> {
        let rows = self.original.subscriptions.iter();
        let rows = rows.filter(|row| row.agent == agent && row.service == service);
        let left = |row: &SubscriptionRow| match row.renews > after {
            true => row.calls.saturating_sub(row.used),
            false => 0,
        };
        Ok(rows.max_by_key(|row| (left(row), row.renews)).cloned())
    }

    fn subscriptions(&self) -> Found<Vec<SubscriptionRow>> {
        let mut rows = self.original.subscriptions.clone();
        rows.sort_by_key(|row| row.renews);
        Ok(rows)
    }
}
