//! Answers to a payment by session, and what they change.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;

use serde_json::{Value, json};

use super::*;
use crate::client::rejection::{Problem, Rejection};
use crate::encoding::json as text;
use crate::http::Headers;
use crate::mpp::okx_code::{CODES, OkxCode, Remedy};
use crate::mpp::receipt::{self, ReceivedReceipt};

/// Milliseconds before the first, second, … re-send if the server names no time.
const BACKOFF_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// Maximum time that a server may ask to wait, seconds.
const MAX_RETRY_AFTER_SECS: u64 = 30;
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
    ) -> SessionNext {
        let act = match (&self.sending, &self.planned) {
            (Some(_), Some(planned)) => planned.act,
            _ => return self.answered_plain(status, headers, now),
        };
        if (200..300).contains(&status) {
            return self.accepted(act, headers);
        }
        let problem = Problem::read(headers, body);
        let rejection = Rejection::of_payment(status, headers, None, body);
        match code_of(status, body, &rejection) {
            Some(code) => self.refused(act, code, headers, (&problem, &rejection), now),
            None if problem.retryable == Some(true)
                || problem.retryable.is_none() && matches!(status, 409 | 429 | 503) =>
            {
                self.again(problem.retry_after, &rejection.to_string(), now)
            }
            None if status == 402 && act == Act::Open => {
                // The channel is open, and the request wants a voucher.
                self.tries_voucher = true;
                self.asks_anew(headers, &rejection.to_string(), now)
            }
            None if status != 402 && matches!(act, Act::Voucher(_)) => {
                self.note_then(SessionFate::Free, SessionNext::Return(None))
            }
            None => self.over(Reason::PaymentRefused, &rejection.to_string()),
        }
    }

    fn answered_plain(&mut self, status: u16, headers: &Headers, now: UnixTime) -> SessionNext {
        let pays = self.aim == ChannelAim::Pay;
        // Once something was paid there is no other way to pay.
        let begins = self.planned.is_none();
        if status != 402 {
            let message = "the server asks for no payment there, so it says nothing of a session";
            return match (pays, begins) {
                (true, true) => SessionNext::Return(None),
                (true, false) => self.note_then(SessionFate::Over, SessionNext::Return(None)),
                (false, _) => fail(Reason::TermsChanged, message),
            };
        }
        match ChallengedSession::read(headers, self.means(now)) {
            Some(Ok(asked)) => {
                self.asked = Some(asked);
                self.todo = Todo::Plan;
                SessionNext::Update
            }
            Some(Err(error)) if error.reason == Reason::ChallengeExpired => {
                self.asks = self.asks.saturating_add(1);
                match self.asks > MAX_ASKS {
                    true => self.over(error.reason, &error.message),
                    false => SessionNext::Ask,
                }
            }
            Some(Err(error)) if pays && begins => SessionNext::Once(Some(Box::new(error))),
            None if pays && begins => SessionNext::Once(None),
            Some(Err(error)) => self.over(error.reason, &error.message),
            None => {
                let message = "the server does not sell by session there";
                self.over(Reason::UnsupportedScheme, message)
            }
        }
    }

    /// What comes next with the fresh challenge of a refusal, or with one that is asked for; `None`
    /// if that was done often enough.
    fn onward(&mut self, headers: &Headers, now: UnixTime) -> Option<(Todo, SessionNext)> {
        self.asks = self.asks.saturating_add(1);
        self.sending = None;
        if self.asks > MAX_ASKS {
            return None;
        }
        Some(match ChallengedSession::read(headers, self.means(now)) {
            Some(Ok(asked)) => {
                self.asked = Some(asked);
                (Todo::Plan, SessionNext::Update)
            }
            _ => (Todo::Nothing, SessionNext::Ask),
        })
    }

    fn asks_anew(&mut self, headers: &Headers, said: &str, now: UnixTime) -> SessionNext {
        match self.onward(headers, now) {
            Some((todo, next)) => {
                self.todo = todo;
                next
            }
            None => self.over(Reason::PaymentRefused, said),
        }
    }

    /// Takes the loss of an answer.
    pub fn lost(&mut self, now: UnixTime) -> SessionNext {
        self.again(None, "no answer came", now)
    }

    /// Sends the same credential again if there is time; otherwise it is unresolved.
    fn again(&mut self, after_secs: Option<u64>, what: &str, now: UnixTime) -> SessionNext {
        let Some(sending) = &self.sending else {
            let message = "the request was lost before anything was paid";
            return fail(Reason::MalformedChallenge, message);
        };
        let turn = sending.sent.saturating_sub(1);
        let backoff = BACKOFF_MS.get(turn).or(BACKOFF_MS.last()).copied().unwrap_or(1_000);
        let asked = after_secs.unwrap_or(0).min(MAX_RETRY_AFTER_SECS).saturating_mul(1_000);
        let wait_ms = asked.max(backoff);
        if now.plus(wait_ms.div_ceil(1_000)) > sending.until {
            let secs = self.policy.deadline_secs;
            let message =
                format!("after {secs} s the outcome of the payment is still unknown: {what}");
            return self.over(Reason::PaymentUnresolved, &message);
        }
        self.send(wait_ms)
    }

    /// Changes the record by what became of it, then goes on.
    fn note_then(&mut self, fate: SessionFate, next: SessionNext) -> SessionNext {
        self.todo = Todo::Note(fate);
        self.then = Some((Todo::Nothing, next));
        SessionNext::Update
    }

    /// Notes that it is over, then fails.
    pub(super) fn over(&mut self, reason: Reason, message: &str) -> SessionNext {
        self.note_then(SessionFate::Over, fail(reason, message))
    }

    fn accepted(&mut self, act: Act, headers: &Headers) -> SessionNext {
        let receipt = headers.joined(receipt::HEADER);
        let receipt = receipt.and_then(|value| ReceivedReceipt::read(&value).ok());
        match act {
            Act::Open | Act::TopUp => {
                self.sending = None;
                self.asks = self.asks.saturating_add(1);
                self.note_then(SessionFate::Funded, SessionNext::Ask)
            }
            Act::Voucher(_) => {
                let told = receipt.as_ref().and_then(|it| it.members.get("spent"));
                let told = told.and_then(Value::as_str);
                let spent = told.and_then(|text| Amount::from_atomic(text).ok());
                let used = self.used(spent);
                let returned = self.receipt(receipt.as_ref(), (used, None));
                self.note_then(SessionFate::Served(spent), SessionNext::Return(returned))
            }
            Act::Close => {
                let state = self.planned.as_ref().map(|it| it.session.state);
                let rest = state.map(|it| it.refund_at_close());
                let returned =
                    self.receipt(receipt.as_ref(), (state.map(|it| it.cumulative), rest));
                self.note_then(SessionFate::Closed, SessionNext::Return(returned))
            }
        }
    }

    /// What is used after a request that was served: what the payee says, as far as the voucher
    /// goes, otherwise a unit more.
    fn used(&self, said: Option<Amount>) -> Option<Amount> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let ChannelState { cumulative, spent, .. } = planned.session.state;
        let said = said.filter(|said| *said >= spent && *said <= cumulative);
        said.or_else(|| Some(spent.checked_add(asked.terms.amount)?.min(cumulative)))
    }

    fn receipt(
        &self,
        told: Option<&ReceivedReceipt>,
        (spent, rest): (Option<Amount>, Option<Amount>),
    ) -> Option<Box<Value>> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let asset = &asked.offer.asset;
        let before = planned.session.state.spent;
        let charged = spent.and_then(|spent| spent.checked_sub(before));
        let hash = told.and_then(|it| it.members.get("txHash")).and_then(Value::as_str);
        Some(Box::new(json!({
            "channel": planned.session.id().to_string(),
            "transaction": hash.unwrap_or_default(),
            "network": asset.network.as_str(),
            "payer": self.payer.payer.to_checksum(),
            "payTo": asked.offer.pay_to.to_checksum(),
            "asset": asset.address.to_checksum(),
            "symbol": asset.symbol,
            "charged": charged.filter(|_| rest.is_none()).map(|it| it.to_string()),
            "spent": spent.map(|it| it.to_string()),
            "refunded": rest.map(|it| it.to_string()),
        })))
    }

    fn refused(
        &mut self,
        act: Act,
        code: OkxCode,
        headers: &Headers,
        (problem, rejection): (&Problem, &Rejection),
        now: UnixTime,
    ) -> SessionNext {
        let said = rejection.to_string();
        match code.remedy() {
            Remedy::SignOnce if matches!(act, Act::Voucher(_)) => {
                let is_second = self.has_signed_on && !planted(Mutant::VouchersAreSignedOn);
                self.has_signed_on = true;
                match self.onward(headers, now).filter(|_| !is_second) {
                    Some(then) => {
                        self.todo = Todo::Note(SessionFate::Exhausted);
                        self.then = Some(then);
                        SessionNext::Update
                    }
                    None => self.over(Reason::PaymentRefused, &said),
                }
            }
            Remedy::AskAgain => self.asks_anew(headers, &said, now),
            Remedy::Wait => self.again(problem.retry_after, &said, now),
            Remedy::OpenAgain | Remedy::TopUp => {
                let message = format!(
                    "{said}: look at the chain, and forget the channel if its deposit is gone"
                );
                self.note_then(SessionFate::Gone, fail(Reason::ReceiptMismatch, &message))
            }
            Remedy::SignOnce | Remedy::Tell => self.over(Reason::PaymentRefused, &said),
        }
    }

    /// Changes the row of the session by what became of what was sent.
    pub(super) fn note(
        &mut self,
        budget: &mut Budget,
        fate: SessionFate,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        let Some(planned) = &self.planned else { return Ok(false) };
        let key = planned.session.key();
        let Some(mut session) = read(budget, &key)? else { return Ok(false) };
        let is_voucher = matches!(planned.act, Act::Voucher(_));
        let mut stays_used = false;
        match fate {
            SessionFate::Funded => {
                session.funded();
                stays_used = true;
            }
            SessionFate::Served(said) => {
                // A voucher that was served proves that the deposit has arrived.
                session.funded();
                if let Some(used) = self.used(said) {
                    session.state.spent = used.max(session.state.spent);
                }
            }
            SessionFate::Free | SessionFate::Over => {}
            SessionFate::Exhausted => {
                session.state = session.state.exhausted();
                stays_used = true;
            }
            SessionFate::Closed => {
                budget.let_go(&key);
                return Ok(true);
            }
            SessionFate::Gone => {
                let late = session.let_go_of_late(now);
                if late || planted(Mutant::ClosedSessionsReopen) {
                    // The deposit never arrived: what was signed for it is worth nothing.
                    if session.is_opening() || planted(Mutant::ClosedSessionsReopen) {
                        budget.let_go(&key);
                        return Ok(true);
                    }
                }
            }
        }
        if !stays_used && session.using.as_ref().is_some_and(|(id, _)| *id == self.id) {
            session.using = None;
        }
        budget.keep(&key, &session.to_text(), now)?;
        let told = matches!(fate, SessionFate::Funded)
            || is_voucher && matches!(fate, SessionFate::Served(_));
        if told {
            self.tell(&session);
        }
        Ok(true)
    }
}

/// The code of a refusal: its number, the problem's type, or the words of a seller without either.
fn code_of(status: u16, body: &[u8], rejection: &Rejection) -> Option<OkxCode> {
    let object = text::parse(body).unwrap_or_default();
    let number = match object.get("code") {
        Some(Value::Number(number)) => number.as_u64(),
        Some(Value::String(number)) => number.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    let known = |number: u32| CODES.into_iter().find(|row| row.code == number);
    let kind = object.get("type").and_then(Value::as_str);
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
