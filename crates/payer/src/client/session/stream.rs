//! A stream that is paid by session: what of it was received, and what its payee asks for next.
//!
//! A payer signs for what it has received, and for one step more: that much is lost if the payee
//! lies, whatever it asks for; of events by the byte two steps, as one may have been charged that is
//! not enough for the next event. A step is a payment under the policy. Assumptions:
//! - the first unit was counted with the answer's head, as what a request costs;
//! - seconds count from when the request was sent until the stream ends, pauses too: who pays late
//!   pays for what came meanwhile, and a payee that asks again and again has no more of them;
//! - events count if they have data, and bytes as they come.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::kept::KeptSession;
use crate::client::budget::Budget;
use crate::client::channel::row::rows;
use crate::client::error::{ClientError, Reason};
use crate::client::voucher::ChannelState;
use farebox_base::amount::Amount;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_wire::mpp::session::{SessionTerms, UnitType};
use farebox_wire::mpp::stream::{MAX_EVENT_BYTES, StreamEvent, StreamFraming};

/// A stream's wish for a higher voucher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamRaise {
    /// The channel that pays for it.
    pub channel: ChannelId,
    /// The amount that the next voucher has to be for, by the payee; `None` where it says nothing.
    pub required: Option<Amount>,
    /// The amount that may be signed beyond what was received: a step of each stream that is open.
    pub ahead: Amount,
}

impl StreamRaise {
    /// How much more than the highest voucher is to be signed for; `None` if nothing is.
    ///
    /// # Errors
    /// [`Reason::PolicyAmount`] if the payee asks for more than came, and a step.
    pub(super) fn of(self, session: &KeptSession) -> Result<Option<Amount>, ClientError> {
        if session.is_opening() || session.id() != self.channel {
            let message = "the server asks for a voucher of another session than the stream's";
            return Err(ClientError::new(Reason::TermsChanged, message));
        }
        let ChannelState { cumulative, spent, .. } = session.state;
        let most = spent.checked_add(self.ahead).unwrap_or(Amount::MAX);
        let wanted = self.required.unwrap_or(most);
        if wanted > most {
            let message = format!(
                "the server asks for a voucher of {wanted} for what it has sent, and {most} is what came and one step"
            );
            return Err(ClientError::new(Reason::PolicyAmount, message));
        }
        Ok(wanted.checked_sub(cumulative).filter(|more| !more.is_zero()))
    }
}

/// A stream, as its payer has received it.
#[derive(Clone, Debug)]
pub struct ReceivedStream {
    channel: ChannelId,
    unit: UnitType,
    price: Amount,
    step: Amount,
    /// The amount that may have been charged for what never came.
    unseen: Amount,
    framing: StreamFraming,
    /// Bytes and events that were received, and the seconds once it has ended.
    units: u64,
    /// When its request was sent, milliseconds; `None` once it has ended.
    since: Option<u64>,
    /// Units that the record has.
    noted: u64,
    /// The beginning of an event.
    rest: Vec<u8>,
    required: Option<Amount>,
    receipt: Option<Value>,
}

impl ReceivedStream {
    /// A stream that begins with this head, for a request that was sent then; `None` if the terms
    /// have a price of a request.
    pub(super) fn of(
        channel: ChannelId,
        terms: &SessionTerms,
        headers: &Headers,
        sent_ms: u64,
    ) -> Option<Self> {
        let framing = StreamFraming::of(headers);
        let step = match (terms.unit, framing) {
            // A payee waits with an event until all of it is charged.
            (UnitType::Byte, StreamFraming::Events) => terms.step().checked_mul_u64(2),
            _ => Some(terms.step()),
        }?;
        (terms.unit != UnitType::Request).then_some(Self {
            channel,
            unit: terms.unit,
            price: terms.amount,
            step,
            unseen: Amount::ZERO,
            framing,
            units: 0,
            since: Some(sent_ms),
            noted: 1,
            rest: Vec::new(),
            required: None,
            receipt: None,
        })
    }

    /// The channel that pays.
    #[must_use]
    pub const fn channel(&self) -> ChannelId {
        self.channel
    }

    /// The amount that may be signed for it beyond what was received.
    #[must_use]
    pub const fn step(&self) -> Amount {
        self.step
    }

    /// Whether its payee says when it waits.
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.framing == StreamFraming::Events
    }

    /// Takes what came, and returns what of it is the reader's: all but the events of the payment.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.framing == StreamFraming::Bytes {
            if self.unit == UnitType::Byte {
                self.units = self.units.saturating_add(length(bytes));
            }
            return bytes.to_vec();
        }
        let mut all = core::mem::take(&mut self.rest);
        // An end may have begun with what was there; all else of that was looked at.
        let mut from = all.len().saturating_sub(3);
        all.extend_from_slice(bytes);
        let (mut passed, mut event) = (Vec::new(), 0);
        while let Some(end) = end_of_event(&all, from) {
            self.take_event(all.get(event..end).unwrap_or_default(), &mut passed);
            (event, from) = (end, end);
        }
        self.rest = all.split_off(event);
        // No gate sends one that long.
        if self.rest.len() > MAX_EVENT_BYTES {
            if self.unit == UnitType::Byte {
                self.units = self.units.saturating_add(length(&self.rest));
            }
            passed.append(&mut self.rest);
        }
        passed
    }

    fn take_event(&mut self, event: &[u8], passed: &mut Vec<u8>) {
        let read = StreamEvent::read(&String::from_utf8_lossy(event));
        let count = match (self.unit, &read) {
            (UnitType::Event, Some(StreamEvent::Message(_))) => 1,
            (UnitType::Byte, Some(StreamEvent::Message(_)) | None) => length(event),
            _ => 0,
        };
        self.units = self.units.saturating_add(count);
        match read {
            Some(StreamEvent::NeedVoucher(need))
                if need.channel.eq_ignore_ascii_case(&self.channel.to_string()) =>
            {
                self.required = Some(need.required);
            }
            Some(StreamEvent::NeedVoucher(_)) => {}
            Some(StreamEvent::Receipt(receipt)) => self.receipt = Some(receipt),
            Some(StreamEvent::Message(_)) | None => passed.extend_from_slice(event),
        }
    }

    /// The rest when the body ends: an event without its empty line.
    pub fn rest(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.rest)
    }

    /// The receipt at its end.
    #[must_use]
    pub const fn receipt(&self) -> Option<&Value> {
        self.receipt.as_ref()
    }

    /// The raise that its payee asks for, once.
    pub fn asks(&mut self) -> Option<StreamRaise> {
        let required = self.required.take()?;
        Some(self.waits(Some(required)))
    }

    /// The raise that is signed when nothing comes any more, and the payee does not say why.
    #[must_use]
    pub const fn stalls(&self) -> StreamRaise {
        self.waits(None)
    }

    const fn waits(&self, required: Option<Amount>) -> StreamRaise {
        StreamRaise { channel: self.channel, required, ahead: self.step }
    }

    /// Lets its time stand still. Of one that was cut off, the step that was paid may have been charged, and
    /// never have come.
    pub fn ends(&mut self, now_ms: u64, is_cut: bool) {
        self.units = self.seen(now_ms);
        let is_untold = is_cut && self.unit == UnitType::Event && self.receipt.is_none();
        if is_untold {
            self.unseen = self.step;
        }
        self.since = None;
    }

    fn seen(&self, now_ms: u64) -> u64 {
        let flowing = match (self.unit, self.since) {
            (UnitType::Second, Some(since)) => now_ms.saturating_sub(since).div_ceil(1_000),
            _ => 0,
        };
        self.units.saturating_add(flowing)
    }

    /// The price of what was received since this was last asked.
    pub fn received(&mut self, now_ms: u64) -> Amount {
        let seen = self.seen(now_ms).max(self.noted);
        let fresh = seen.saturating_sub(self.noted);
        self.noted = seen;
        let seen = self.price.checked_mul_u64(fresh);
        let unseen = core::mem::replace(&mut self.unseen, Amount::ZERO);
        seen.and_then(|seen| seen.checked_add(unseen)).unwrap_or(Amount::MAX)
    }
}

/// The record with what was received of the streams of a session; `None` if it stays as it is.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn noted(
    record: Option<&str>,
    channel: ChannelId,
    received: Amount,
    now: UnixTime,
) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    let all: Result<Vec<KeptSession>, ClientError> = rows(&budget).collect();
    let found = all?.into_iter().find(|row| row.id() == channel);
    let Some(mut session) = found.filter(|_| !received.is_zero()) else { return Ok(None) };
    // What was not signed for was a gift.
    let most = session.state.cumulative;
    let more = |of: Amount| of.checked_add(received).unwrap_or(Amount::MAX).min(most);
    (session.state.spent, session.charged) = (more(session.state.spent), more(session.charged));
    budget.sent.keep(&session.key(), &session.to_text(), now)?;
    Ok(Some(budget.to_text()))
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

/// Where the first event ends, after its empty line, which is not before this place.
fn end_of_event(bytes: &[u8], from: usize) -> Option<usize> {
    let after = |at: usize| match (bytes.get(at), bytes.get(at.saturating_add(1))) {
        (Some(b'\r'), Some(b'\n')) => at.saturating_add(2),
        _ => at.saturating_add(1),
    };
    let is_end = |at: usize| matches!(bytes.get(at), Some(b'\n' | b'\r'));
    let ends = (from..bytes.len()).filter(|at| is_end(*at)).map(after);
    ends.filter(|next| is_end(*next)).map(after).next()
}
