//! Search range for the log of a used authorization: both ways from the first sight, a bounded
//! number of blocks at a time.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use farebox_base::time::UnixTime;
use farebox_evm::rpc::reply::Block;
use farebox_evm::rpc::{MAX_SPAN_BLOCKS, Span};

/// Blocks that were searched in vain; the next inquiry continues after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchedBlocks {
    /// The lowest block searched.
    pub low: u64,
    /// The block after the highest one searched.
    pub high: u64,
}

/// One search up to a fixed newest block.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub(super) struct Search {
    low: u64,
    high: u64,
    latest: u64,
}

impl Search {
    /// Begins near the block `first`, most likely just below the log.
    pub(super) fn beginning(first: u64, latest: u64) -> Self {
        let first = first.min(latest.saturating_add(1));
        Self { low: first, high: first, latest }
    }

    /// Continues where an earlier search ended.
    pub(super) fn resuming(cursor: SearchedBlocks, latest: u64) -> Self {
        let high = cursor.high.min(latest.saturating_add(1));
        Self { low: cursor.low.min(high), high, latest }
    }

    /// The same without the blocks below: a permit is settled after it was shown and before it
    /// ends.
    pub(super) fn upward(self) -> Self {
        Self { low: 0, ..self }
    }

    /// The next spans, most likely first, which count as searched from now on; none if every block
    /// was.
    ///
    /// Searches upward before downward: an authorization is nearly always used after it was shown,
    /// and soon.
    pub(super) fn advance(&mut self) -> Vec<Span> {
        let mut spans = Vec::new();
        while spans.len() < MAX_SPANS - 1
            && let Some(span) = Span::upward(self.high, self.latest)
        {
            self.high = span.last().saturating_add(1);
            spans.push(span);
        }
        let max = if spans.is_empty() { MAX_SPANS } else { spans.len().saturating_add(1) };
        while spans.len() < max
            && let Some(last) = self.low.checked_sub(1)
        {
            let span = Span::downward(last);
            self.low = span.first();
            spans.push(span);
        }
        spans
    }

    /// The range that need not be searched again; blocks that may be reorganized are searched
    /// again.
    pub(super) fn cursor(&self, safe: Option<u64>) -> Option<SearchedBlocks> {
        let settled = safe.unwrap_or_else(|| self.latest.saturating_sub(MAX_SPAN_BLOCKS));
        let high = self.high.min(settled.saturating_add(1));
        (self.low < high).then_some(SearchedBlocks { low: self.low, high })
    }
}

/// Estimates the first block at `time` from the pace between two others; a bad guess costs only
/// queries.
pub(super) fn estimate(time: UnixTime, safe: Option<Block>, latest: Block) -> u64 {
    let secs = latest.time.secs_since(time);
    let back = safe
        .and_then(|safe| {
            let blocks = latest.number.saturating_sub(safe.number);
            secs.saturating_mul(blocks).checked_div(latest.time.secs_since(safe.time))
        })
        .unwrap_or(secs);
    latest.number.saturating_sub(back)
}

/// Maximum queries for logs in one batch.
const MAX_SPANS: usize = 6;
