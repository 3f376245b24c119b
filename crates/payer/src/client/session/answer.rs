//! Answers to a payment by session, and what they change.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use serde_json::Value;

use super::*;
use crate::client::channel::own;
use crate::client::rejection::{Problem, Rejection};
use farebox_base::encoding::json as text;
use farebox_common::problem::PAYMENT_PROBLEMS;
use farebox_wire::mpp::okx_code::{CODES, OkxCode, Remedy};
use farebox_wire::mpp::receipt::{self, ReceivedReceipt};

/// Texts of sellers without codes, for a voucher that is used up. Spec: OKX agent payments,
/// "session machine".
const USED_UP: [&str; 2] = ["insufficient balance", "voucher exhausted"];

impl SessionPurchase {
    /// Takes an answer; `body` is needed for refusals, up to 64 KiB.
    pub fn answered(
        &mut self,
        status: u16,
        headers: &Headers,
        body: &[u8],
        now: UnixTime,
    ) -> ChannelNext {
        let act = match (self.course.is_sending(), &self.planned) {
            (true, Some(planned)) => planned.act,
            _ => return self.answered_plain(status, headers, now),
        };
        if (200..300).contains(&status) {
            return self.accepted(act, headers);
        }
        let problem = Problem::read(headers, body);
        let rejection = Rejection::of_payment(status, headers, None, body);
        // The origin behind a payee answers no credential but a voucher.
        let is_payees = status == 402
            || !matches!(act, Act::Voucher(_))
            || ChallengedSession::read(headers, self.means(now)).is_some();
        match code_of(status, body, &rejection, is_payees) {
            Some(code) => {
                // What is asked for again may have been charged, if it is the origin's answer after all.
                if !is_payees && code.remedy().sends_again() {
                    self.note_doubt();
                }
                self.refused(act, code, headers, &problem, &rejection, now)
            }
            None if problem.retryable == Some(true)
                || problem.retryable.is_none() && matches!(status, 409 | 429 | 503) =>
            {
                self.note_doubt();
                self.course.again(problem.retry_after, &rejection.to_string(), now)
            }
            None if status == 402 && act == Act::Open => {
                // The channel is open, and the request wants a voucher.
                self.tries_voucher = true;
                self.asks_anew(headers, &rejection.to_string(), now)
            }
            None if status != 402 && matches!(act, Act::Voucher(_)) => {
                self.course.end(SessionFate::Free, ChannelNext::Return(None))
            }
            None if self.is_refused_again(act, now) => {
                self.signs_on(headers, &rejection.to_string(), false, now)
            }
            None => {
                let end = self.refusal(&rejection.to_string());
                self.turned_down(SessionFate::Refused, false, headers, end, now)
            }
        }
    }

    /// Whether a payee without codes refuses the highest voucher in the second request: it may be used up,
    /// which it has other words for.
    fn is_refused_again(&self, act: Act, now: UnixTime) -> bool {
        // While its deposit is on its way, a refusal says nothing of the voucher; afterwards, of one that
        // has not arrived nothing can be claimed.
        // One that covers no other voucher is not doubted: nothing could follow it.
        let step = self.asked.as_ref().map(|it| it.price().max(it.terms.min_delta));
        let covers = |it: &KeptSession| {
            let next = step.and_then(|step| it.state.cumulative.checked_add(step));
            it.pending.as_ref().zip(next).is_some_and(|(it, next)| next <= it.deposit.amount)
        };
        let is_left_out = |it: &KeptSession| it.is_opening() && (!it.is_late(now) || !covers(it));
        let is_doubted = |it: &KeptSession| it.is_doubted() && !is_left_out(it);
        let is_doubted = self.planned.as_ref().is_some_and(|it| is_doubted(&it.session));
        let may_be_used_up = self.is_highest() && is_doubted && self.left.is_none();
        matches!(act, Act::Voucher(_)) && may_be_used_up
    }

    /// Takes the voucher as used up, as the payee has said or not, and signs one higher one: once in a request.
    fn signs_on(
        &mut self,
        headers: &Headers,
        said: &str,
        is_said: bool,
        now: UnixTime,
    ) -> ChannelNext {
        let is_second = self.has_signed_on || self.is_fresh_of_stream();
        self.has_signed_on = true;
        match self.onward(headers, now).filter(|_| !is_second) {
            Some((todo, next)) => {
                self.is_used_up = true;
                let fate = if is_said { SessionFate::Exhausted } else { SessionFate::Doubted };
                self.course.note_then(fate, todo, next)
            }
            None => {
                let end = self.refusal(said);
                // Those below it were called lower, or used up as this one, whose deposit it has called arrived.
                let is_covered = self.planned.as_ref().is_some_and(|it| it.session.unproven > 0);
                let is_held = self.has_turned || is_said && is_covered;
                let fate = if is_held { SessionFate::Held } else { SessionFate::Refused };
                self.turned_down(fate, false, headers, end, now)
            }
        }
    }

    /// The failure for a refusal, with what to do where the channel may never have been opened.
    fn refusal(&self, said: &str) -> ChannelNext {
        let opens = self.planned.as_ref().is_some_and(|it| it.session.is_opening());
        let advice = ": look at the chain, and forget the channel if its deposit is not there";
        fail(Reason::PaymentRefused, &format!("{said}{}", if opens { advice } else { "" }))
    }

    /// Ends with a refusal. Where the payee may hold a higher voucher than the one that was shown, as it
    /// says (`is_below`) or as it has refused this one before, it goes on with the next higher one.
    fn turned_down(
        &mut self,
        fate: SessionFate,
        is_below: bool,
        headers: &Headers,
        end: ChannelNext,
        now: UnixTime,
    ) -> ChannelNext {
        let Some(planned) = &self.planned else { return self.course.end(fate, end) };
        let Planned { session, act, .. } = planned;
        let has_higher = session.highest() > session.state.cumulative;
        let goes_up = has_higher && (is_below || session.is_doubted());
        let goes_on = match act {
            Act::Close => true,
            // It may be this purchase that has used it up.
            Act::Voucher(_) if self.left.is_some() => {
                return self.course.end(SessionFate::Over, end);
            }
            Act::Voucher(_) => self.raise.is_none(),
            Act::Open | Act::TopUp => false,
        };
        let shows = matches!(act, Act::Close | Act::Voucher(_));
        let fate = if goes_up && shows { SessionFate::Below } else { fate };
        match (goes_up && goes_on).then(|| self.onward(headers, now)).flatten() {
            Some((todo, next)) => {
                self.has_turned = true;
                self.course.note_then(fate, todo, next)
            }
            None => self.course.end(fate, end),
        }
    }

    fn answered_plain(&mut self, status: u16, headers: &Headers, now: UnixTime) -> ChannelNext {
        let pays = self.course.aim == ChannelAim::Pay;
        // Once something was paid there is no other way to pay.
        let begins = self.planned.is_none();
        if status != 402 {
            let message = "the server asks for no payment there, so it says nothing of a session";
            return match (pays, begins) {
                (true, true) => ChannelNext::Return(None),
                (true, false) => self.course.end(SessionFate::Over, ChannelNext::Return(None)),
                (false, _) => fail(Reason::TermsChanged, message),
            };
        }
        match ChallengedSession::read(headers, self.means(now)) {
            Some(Ok(asked)) => {
                self.asked = Some(asked);
                self.course.change(Todo::Plan)
            }
            Some(Err(error)) if error.reason == Reason::ChallengeExpired => {
                self.asks = self.asks.saturating_add(1);
                match self.asks > MAX_ASKS {
                    true => self.course.over(error.reason, &error.message),
                    false => ChannelNext::Ask,
                }
            }
            Some(Err(error)) if pays && begins => ChannelNext::Once(Some(Box::new(error))),
            None if pays && begins => ChannelNext::Once(None),
            Some(Err(error)) => self.course.over(error.reason, &error.message),
            None => {
                let message = "the server does not sell by session there";
                self.course.over(Reason::UnsupportedScheme, message)
            }
        }
    }

    /// The next step with the fresh challenge of a refusal, or with one that is asked for; `None`
    /// if that was done often enough.
    fn onward(
        &mut self,
        headers: &Headers,
        now: UnixTime,
    ) -> Option<(Todo<SessionFate>, ChannelNext)> {
        self.asks = self.asks.saturating_add(1);
        self.course.sent();
        if self.asks > MAX_ASKS {
            return None;
        }
        Some(match ChallengedSession::read(headers, self.means(now)) {
            Some(Ok(asked)) => {
                self.asked = Some(asked);
                (Todo::Plan, ChannelNext::Update)
            }
            _ => (Todo::Nothing, ChannelNext::Ask),
        })
    }

    fn asks_anew(&mut self, headers: &Headers, said: &str, now: UnixTime) -> ChannelNext {
        match self.onward(headers, now) {
            Some((todo, next)) => {
                self.course.todo = todo;
                next
            }
            None => self.course.over(Reason::PaymentRefused, said),
        }
    }

    /// Notes that the voucher that was sent may have been charged: for this request no other one is signed.
    fn note_doubt(&mut self) {
        if self.raise.is_none() {
            self.left = self.left.or(self.leaving().map(|(voucher, _)| voucher));
        }
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: UnixTime) -> ChannelNext {
        self.note_doubt();
        self.course.again(None, "no answer came", now)
    }

    fn accepted(&mut self, act: Act, headers: &Headers) -> ChannelNext {
        let receipt = headers.joined(receipt::HEADER);
        let receipt = receipt.and_then(|value| ReceivedReceipt::read(&value).ok());
        match act {
            Act::Open | Act::TopUp => {
                self.course.sent();
                self.asks = self.asks.saturating_add(1);
                self.course.end(SessionFate::Funded, ChannelNext::Ask)
            }
            Act::Voucher(_) => {
                let told = receipt.as_ref().and_then(|it| it.members.get("spent"));
                let told = told.and_then(Value::as_str);
                let spent = told.and_then(|text| Amount::from_atomic(text).ok());
                let used = self.used(spent).map(|it| it.spent);
                let returned = self.receipt(receipt.as_ref(), used, None);
                self.course.end(SessionFate::Served(spent), ChannelNext::Return(returned))
            }
            Act::Close if self.leaves => {
                self.leaves = false;
                self.course.sent();
                self.course.end(SessionFate::Left, ChannelNext::Ask)
            }
            Act::Close => {
                let state = self.planned.as_ref().map(|it| it.session.state);
                let rest = state.map(|it| it.refund_at_close());
                let spent = state.map(|it| it.cumulative);
                let returned = self.receipt(receipt.as_ref(), spent, rest);
                self.course.end(SessionFate::Closed, ChannelNext::Return(returned))
            }
        }
    }

    /// The amount that is used after a request that was served: what the payee says, as far as the voucher goes,
    /// otherwise a unit more.
    pub(super) fn used(&self, said: Option<Amount>) -> Option<Used> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let ChannelState { cumulative, spent, .. } = planned.session.state;
        let charged = planned.session.surely_charged();
        // A voucher for a stream buys nothing by itself.
        if self.raise.is_some() {
            return Some(Used { spent, charged, is_told: false });
        }
        // Of what was signed for a stream only its first unit can be used by now.
        let (said, cumulative, least) = match asked.terms.unit {
            // A voucher that was called used up may have had something left.
            UnitType::Request => (said, cumulative, charged),
            UnitType::Second | UnitType::Byte | UnitType::Event => {
                let most = planned.before.max(spent).checked_add(asked.terms.amount)?;
                let most = most.min(cumulative);
                // The rest of the step that it says is paid counts as it comes.
                (said.map(|said| said.min(most)), most, spent)
            }
        };
        if let Some(said) = said.filter(|said| *said >= least && *said <= cumulative) {
            return Some(Used { spent: said, charged: said, is_told: true });
        }
        let more = |of: Amount| Some(of.checked_add(asked.terms.amount)?.min(cumulative));
        Some(Used { spent: more(spent)?, charged: more(charged)?, is_told: false })
    }

    fn receipt(
        &self,
        told: Option<&ReceivedReceipt>,
        spent: Option<Amount>,
        rest: Option<Amount>,
    ) -> Option<Box<Value>> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let charged = spent.and_then(|spent| spent.checked_sub(planned.session.state.spent));
        let charged = charged.filter(|_| rest.is_none());
        let hash = told.and_then(|it| it.members.get("txHash")).and_then(Value::as_str);
        let amounts = [charged, spent, rest].map(|it| it.map(|amount| amount.to_string()));
        self.course.receipt(&asked.offer, planned.session.id(), hash, amounts)
    }

    fn refused(
        &mut self,
        act: Act,
        code: OkxCode,
        headers: &Headers,
        problem: &Problem,
        rejection: &Rejection,
        now: UnixTime,
    ) -> ChannelNext {
        let said = rejection.to_string();
        match code.remedy() {
            // It may be this purchase that has used it up.
            Remedy::SignOnce | Remedy::CloseFirst
                if matches!(act, Act::Voucher(_)) && self.left.is_some() =>
            {
                self.course.over(Reason::PaymentConflict, own::SPENT)
            }
            // A higher one may be the one that it holds. That costs more than the next one, which comes
            // first: the same word is said of a voucher that is used up, or adds too little.
            Remedy::SignOnce
                if matches!(act, Act::Voucher(_)) && !self.is_highest() && self.has_signed_on =>
            {
                let shown = self.planned.as_ref().map(|it| it.session.state.cumulative);
                self.called_below = self.called_below.or(shown);
                let end = self.refusal(&said);
                self.turned_down(SessionFate::Refused, true, headers, end, now)
            }
            Remedy::SignOnce if matches!(act, Act::Voucher(_)) => {
                self.signs_on(headers, &said, true, now)
            }
            Remedy::AskAgain => self.asks_anew(headers, &said, now),
            // Its rest comes back; the next deposit is for another one.
            Remedy::CloseFirst if matches!(act, Act::Voucher(_)) && self.raise.is_none() => {
                self.leaves = true;
                self.asks_anew(headers, &said, now)
            }
            Remedy::Wait => self.course.again(problem.retry_after, &said, now),
            Remedy::TopUp if matches!(act, Act::Open | Act::TopUp) => {
                let suggested = self.asked.as_ref().and_then(|asked| {
                    let amount = asked.terms.suggested_deposit?;
                    Some(amount.to_decimal(asked.offer.asset.decimals))
                });
                let wanted = suggested.map(|it| format!(", and suggests {it}")).unwrap_or_default();
                let message = format!(
                    "{said}: the server takes no deposit so small{wanted}; raise deposit or maxDeposit"
                );
                self.course.end(SessionFate::Short, fail(Reason::PolicyAmount, &message))
            }
            remedy @ (Remedy::OpenAgain | Remedy::TopUp) => {
                let leans = self.planned.as_ref().is_some_and(|it| it.session.leans());
                let advice = match leans {
                    true => "the last top-up has not arrived; ask again",
                    false => "look at the chain, and forget the channel if its deposit is gone",
                };
                let end = fail(Reason::ReceiptMismatch, &format!("{said}: {advice}"));
                let is_short = remedy == Remedy::TopUp;
                let fate = if is_short { SessionFate::Short } else { SessionFate::Gone };
                // A close is called so too if it is below a voucher.
                let is_below = is_short && act == Act::Close;
                self.turned_down(fate, is_below, headers, end, now)
            }
            Remedy::SignOnce | Remedy::CloseFirst | Remedy::Tell => {
                let is_below = code.remedy() == Remedy::SignOnce;
                let end = self.refusal(&said);
                self.turned_down(SessionFate::Refused, is_below, headers, end, now)
            }
        }
    }

    /// Whether no higher voucher was signed for the channel than the one that is planned.
    fn is_highest(&self) -> bool {
        let is_highest = |it: &KeptSession| it.highest() == it.state.cumulative;
        self.planned.as_ref().is_none_or(|it| is_highest(&it.session))
    }
}

/// The code of a refusal: its number, the problem's type, or the words of a seller without either. Of an answer
/// that may be the origin's it needs a type of the payment's, or a number alone, which no bad request counts as.
fn code_of(status: u16, body: &[u8], rejection: &Rejection, is_payees: bool) -> Option<OkxCode> {
    let object = text::parse(body).unwrap_or_default();
    let number = match object.get("code") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(number)) => number.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    let known = |number: u32| CODES.into_iter().find(|row| row.code == number);
    let kind = object.get("type").and_then(Value::as_str);
    let may_be_its = kind.map_or(status != 400, |kind| kind.starts_with(PAYMENT_PROBLEMS));
    if !is_payees && !may_be_its {
        return None;
    }
    let kind = kind.and_then(|kind| kind.split_once("/problems/")).map(|(_, kind)| kind);
    let by_kind = || match kind? {
        // A challenge that is not taken is stale.
        "invalid-challenge" => known(30_001),
        kind => CODES.into_iter().find(|row| row.problem == kind),
    };
    let said = rejection.text.to_ascii_lowercase();
    let is_used_up = status == 402 && USED_UP.iter().any(|words| said.contains(words));
    number.and_then(known).or_else(by_kind).or_else(|| is_used_up.then(|| known(70_015))?)
}
