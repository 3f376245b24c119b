//! Answers to a payment by channel, and what they change.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use serde_json::{Map, Value};

use super::terms::{ChannelTerms, Earlier, ToldState, amount};
use super::*;
use crate::client::challenge::MAX_HEADER_BYTES;
use farebox_evm::signature::Signature;
use farebox_wire::x402::header;

/// The header of a settlement, lower case.
const SETTLED: &str = "payment-response";
/// Ends the code of a server that serves another request of the channel.
const BUSY: &str = "channel_busy";
/// Ends the code of a gate that pays back later, in so many seconds as `Retry-After` says.
const LATER: &str = "refund_later";

impl ChannelPurchase {
    /// Takes an answer; `body` is needed for refusals, up to 64 KiB.
    pub fn answered(
        &mut self,
        status: u16,
        headers: &Headers,
        body: &[u8],
        now: UnixTime,
    ) -> ChannelNext {
        if !self.course.is_sending() {
            return self.answered_plain(status, headers);
        }
        let settled = headers.joined(SETTLED).and_then(|value| {
            header::decode_up_to(&value, MAX_HEADER_BYTES).ok().map(|message| message.object)
        });
        if status == 402 {
            return self.refused(headers, settled.as_ref(), body, now);
        }
        let problem = Problem::read(headers, body);
        let rejection = Rejection::read(status, body);
        match (status, problem.code.as_str(), problem.retryable) {
            (_, "refund_due" | "refunded", _) => {
                return self.course.over(Reason::RefundDue, &rejection.to_string());
            }
            (_, _, Some(true)) | (409 | 503, _, None) => {
                self.in_doubt = true;
                return self.course.again(problem.retry_after, &rejection.to_string(), now);
            }
            (409, _, Some(false)) => {
                return self.course.over(Reason::PaymentConflict, &rejection.to_string());
            }
            _ => {}
        }
        self.served(status, settled.as_ref())
    }

    fn answered_plain(&mut self, status: u16, headers: &Headers) -> ChannelNext {
        let pays = self.course.aim == ChannelAim::Pay;
        if status != 402 {
            let message = "the server asks for no payment there, so it says nothing of a channel";
            return if pays {
                ChannelNext::Return(None)
            } else {
                fail(Reason::TermsChanged, message)
            };
        }
        let Course { policy, payer, host, .. } = &self.course;
        let left = self.left;
        let is_of = |terms: &ChannelTerms| {
            let channel = KeptChannel::new(terms, *payer, host).id();
            left.is_some_and(|left| left.channel == channel)
        };
        let earlier = left.map(|left| Earlier { price: left.price(), is_of: &is_of });
        match ChannelTerms::read(headers, policy, host, earlier) {
            Some(Ok(terms)) if pays && !self.course.limits.waits(terms.delay_secs) => {
                let message = format!(
                    "a withdrawal would take {} s; pay by channel only what maxWithdrawDelaySecs allows",
                    terms.delay_secs
                );
                ChannelNext::Once(Some(Box::new(error(Reason::PolicyValidity, message))))
            }
            Some(Ok(terms)) => {
                self.terms = Some(terms);
                self.course.change(Todo::Plan)
            }
            Some(Err(error)) if pays => ChannelNext::Once(Some(Box::new(error))),
            None if pays => ChannelNext::Once(None),
            Some(Err(error)) => ChannelNext::Fail(Box::new(error)),
            None => fail(Reason::UnsupportedScheme, "the server does not sell by channel there"),
        }
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: UnixTime) -> ChannelNext {
        self.in_doubt = true;
        self.course.again(None, "no answer came", now)
    }

    fn refused(
        &mut self,
        headers: &Headers,
        settled: Option<&Map<String, Value>>,
        body: &[u8],
        now: UnixTime,
    ) -> ChannelNext {
        let reason = settled.and_then(|it| it.get("errorReason")).and_then(Value::as_str);
        let rejection = Rejection::of_payment(402, headers, reason, body);
        if let (ChannelAim::Refund(_), true) = (self.course.aim, rejection.text.ends_with(LATER)) {
            let message = match Problem::read(headers, body).retry_after {
                Some(secs) => format!("what was added to the channel is paid back in {secs} s"),
                None => "what was added to the channel is paid back later".to_string(),
            };
            return self.course.over(Reason::RefundLater, &message);
        }
        if rejection.text.ends_with(BUSY) {
            return self.course.again(None, &rejection.to_string(), now);
        }
        let read = ChannelTerms::read(headers, &self.course.policy, &self.course.host, None);
        let told = match read.map(|it| it.map(|terms| self.as_asked_back(terms))) {
            Some(Ok(terms)) if self.is_continued_by(&terms) => {
                let told = terms.told.clone();
                self.terms = told.as_ref().map(|_| terms).or(self.terms.take());
                told
            }
            // Nothing is signed for a price that the policy refuses, and nothing else was said.
            Some(Err(error)) if self.left.is_some() && error.reason == Reason::PolicyAmount => {
                let dear = ChannelNext::Fail(Box::new(error));
                return self.course.end(PaymentFate::Over, dear);
            }
            Some(_) | None => None,
        };
        match told.filter(|_| self.corrections < MAX_CORRECTIONS) {
            Some(told) => {
                self.corrections = self.corrections.saturating_add(1);
                self.course.change(Todo::Note(PaymentFate::Told(told)))
            }
            None if self.course.aim == ChannelAim::Pay => {
                let refused = fail(Reason::PaymentRefused, &rejection.to_string());
                self.course.end(PaymentFate::Refused, refused)
            }
            None => self.course.over(Reason::PaymentRefused, &rejection.to_string()),
        }
    }

    /// These terms, as of the time of the channel that is asked back.
    fn as_asked_back(&self, terms: ChannelTerms) -> ChannelTerms {
        match (self.course.aim, &self.planned) {
            (ChannelAim::Refund(_), Some(planned)) => {
                terms.signed_by(planned.channel.config.receiver_authorizer)
            }
            _ => terms,
        }
    }

    /// Whether fresh terms are about the same channel, and no dearer.
    fn is_continued_by(&self, fresh: &ChannelTerms) -> bool {
        let (Some(planned), Some(terms)) = (&self.planned, &self.terms) else { return false };
        let same = KeptChannel::new(fresh, self.course.payer, &self.course.host).id();
        let id = planned.channel.id();
        fresh.offer.amount <= terms.offer.amount
            && same == id
            && fresh.told.as_ref().is_some_and(|told| told.channel == id)
    }

    fn served(&mut self, status: u16, settled: Option<&Map<String, Value>>) -> ChannelNext {
        let success = settled.and_then(|it| it.get("success")).and_then(Value::as_bool);
        let extra = settled.and_then(|it| it.get("extra"));
        let state = extra.and_then(|it| it.get("channelState"));
        let said = amount(state.and_then(|it| it.get("chargedCumulativeAmount")));
        let transaction = settled.and_then(|it| it.get("transaction")).and_then(Value::as_str);
        let outcome = match (self.course.aim, success) {
            (ChannelAim::Refund(_), Some(true)) => {
                let paid = amount(settled.and_then(|it| it.get("amount")));
                PaymentFate::Refunded(paid.unwrap_or(Amount::ZERO))
            }
            (ChannelAim::Refund(_), _) => {
                let message = format!("HTTP {status}: nothing was refunded");
                return self.course.over(Reason::PaymentRefused, &message);
            }
            (ChannelAim::Pay, Some(true)) => {
                let balance = amount(state.and_then(|it| it.get("balance")));
                PaymentFate::Charged(said, balance, transaction.is_some_and(|it| !it.is_empty()))
            }
            (ChannelAim::Pay, Some(false)) => PaymentFate::Over,
            // A server that has not charged says nothing of a settlement.
            (ChannelAim::Pay, None) if status >= 400 => PaymentFate::Free,
            (ChannelAim::Pay, None) => PaymentFate::Charged(None, None, false),
        };
        let receipt = match (success, &self.terms, &self.planned) {
            (Some(true), Some(terms), Some(planned)) => {
                let charged = extra.and_then(|it| it.get("chargedAmount")).and_then(Value::as_str);
                let refunded = match &outcome {
                    PaymentFate::Refunded(paid) => Some(paid.to_string()),
                    _ => None,
                };
                let amounts =
                    [charged.map(ToString::to_string), said.map(|it| it.to_string()), refunded];
                self.course.receipt(&terms.offer, planned.channel.id(), transaction, amounts)
            }
            _ => None,
        };
        self.course.end(outcome, ChannelNext::Return(receipt))
    }

    /// Changes the row of the channel by what became of the payment.
    pub(super) fn note(
        &mut self,
        budget: &mut Budget,
        outcome: &PaymentFate,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        let Some(planned) = self.planned.clone() else { return Ok(false) };
        let key = planned.channel.key();
        let Some(mut channel) = read::<KeptChannel>(budget, &key)? else { return Ok(false) };
        if self.course.uses(channel.using.as_ref()) {
            channel.using = None;
        }
        match outcome {
            PaymentFate::Charged(said, balance, arrived) => {
                if *arrived {
                    channel.deposited(planned.channel.pending.as_ref());
                }
                if balance.is_some_and(|balance| balance > channel.deposit) {
                    channel.pending = None;
                }
                channel.charge(*said, planned.voucher);
                let balance = balance.filter(|it| *it >= channel.charged);
                let balance = balance.unwrap_or(channel.deposit);
                // A refund whose answer was lost may have paid back what counts as deposited.
                let is_paid_back = channel.is_refunding && balance < channel.deposit;
                channel.deposit = if is_paid_back { balance } else { balance.max(channel.deposit) };
                channel.is_refunding &= !is_paid_back;
            }
            PaymentFate::Free => {}
            PaymentFate::Refused => channel.let_go_of_late(now),
            PaymentFate::Over => {}
            PaymentFate::Refunded(paid) => {
                channel.arrives_late(*paid, now);
                // Nothing of the channel is forgotten: its vouchers go on from what was charged.
                let left = channel.deposit.checked_sub(*paid);
                match left.filter(|left| *left >= channel.charged) {
                    Some(left) => (channel.deposit, channel.is_refunding) = (left, false),
                    None => {
                        let message = "the server says that it paid back more than was left";
                        self.course.decide(Todo::Nothing, fail(Reason::ReceiptMismatch, message));
                    }
                }
            }
            PaymentFate::Told(told) => {
                let (todo, next) = self.corrected(&mut channel, told, planned.voucher, now);
                self.course.decide(todo, next);
            }
        }
        budget.sent.keep(&key, &channel.to_text(), now)?;
        Ok(true)
    }

    /// Takes the server's state of the channel, as far as the payer has signed it.
    fn corrected(
        &mut self,
        channel: &mut KeptChannel,
        told: &ToldState,
        sent: Amount,
        now: UnixTime,
    ) -> (Todo<PaymentFate>, ChannelNext) {
        let fails = |reason, message| (Todo::Nothing, fail(reason, message));
        let contract = channel.contract();
        let proves = |(most, signature): &(Amount, alloc::string::String)| {
            let shown = Voucher { channel: told.channel, cumulative: *most };
            let signature = Signature::parse(signature).ok();
            let signer = signature.and_then(|it| it.recover(&shown.digest(&contract)).ok());
            signer == Some(channel.config.payer_authorizer) && told.charged <= *most
        };
        let before = self.signed_before.unwrap_or(Amount::ZERO);
        // A voucher of this payer's other than the one that was just sent.
        let earlier = told.voucher.as_ref().filter(|it| it.0 != sent && proves(it));
        let doubted = self.in_doubt && self.course.aim == ChannelAim::Pay;
        let is_known = match self.left {
            Some(left) => left.is_above(told.charged),
            // It may have been charged for another request that showed the same voucher, or for this one.
            None if doubted && told.charged >= sent && told.charged <= channel.signed => false,
            None => told.charged <= before || earlier.is_some(),
        };
        if !is_known && told.charged <= channel.signed {
            channel.charged = channel.charged.max(told.charged);
            let message = match self.left {
                Some(_) => own::SPENT,
                None => "the server says that this request was charged, and gives no answer",
            };
            return fails(Reason::PaymentConflict, message);
        }
        if !is_known && told.charged > channel.signed {
            let message = "the server says that more was charged than was ever signed";
            return fails(Reason::ReceiptMismatch, message);
        }
        self.signed_before = Some(before.max(told.charged));
        if told.balance < channel.deposit && !channel.is_refunding {
            let message = "the server says that less is deposited than was paid in; look at the chain, and forget the channel if that is so";
            return fails(Reason::ReceiptMismatch, message);
        }
        channel.charged = told.charged;
        channel.signed = channel.signed.max(told.charged);
        channel.let_go_of_late(now);
        if told.balance > channel.deposit {
            // What was on its way has arrived.
            channel.pending = None;
        }
        channel.is_refunding &= told.balance >= channel.deposit;
        channel.deposit = told.balance;
        (Todo::Plan, ChannelNext::Update)
    }
}
