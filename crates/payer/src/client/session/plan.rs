//! The plan to pay for a request: a voucher that is shown again or signed, a deposit, or a close.

use alloc::boxed::Box;
use alloc::string::String;

use super::kept::{
    Deposit, FundsProof, KeptSession, LEFT_SECS, PendingFunds, SessionMove, left_key,
};
use super::note::ASK_AGAIN;
use super::sign::{self, Act};
use super::terms::{ChallengedSession, Sender};
use super::{Planned, SessionFate, SessionPurchase, error};
use crate::client::budget::Budget;
use crate::client::channel::course::{Course, Todo, fail};
use crate::client::channel::row::read;
use crate::client::channel::{ChannelAim, ChannelNext, LeftVoucher, own};
use crate::client::error::{ClientError, Reason};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// Says that no other deposit is made yet.
const MAY_ARRIVE: &str = "an earlier deposit may still arrive; look at the chain, and wait until it has ended or forget the channel";

impl SessionPurchase {
    /// Decides what pays, and counts it.
    pub(super) fn plan(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let Some(asked) = self.asked.clone() else { return Ok(false) };
        self.course.admit(budget, now)?;
        budget.admit_realm(&asked.offer, &self.course.host)?;
        let Course { payer, salt, host, .. } = &self.course;
        let fresh = KeptSession::new(&asked, *payer, *salt, host);
        let mut session = read(budget, &fresh.key())?.unwrap_or_else(|| fresh.clone());
        if let Some(left) = self.left {
            session.go_on_from(left.amount);
        }
        if let ChannelAim::Refund(part) = self.course.aim {
            return self.plan_close(budget, session, part, now);
        }
        if self.leaves {
            return self.plan_leave(budget, session, &fresh, now);
        }
        let kept = session.clone();
        let Some(step) = self.step(&asked, &mut session)? else {
            self.course.decide(Todo::Nothing, ChannelNext::Return(None));
            return Ok(false);
        };
        let by = self.next_move(&asked, &session, step, now)?;
        session = kept.clone();
        // What is shown again is all that a request tries once its voucher was refused.
        if self.has_turned && !matches!(by, SessionMove::Wait | SessionMove::Reuse(_)) {
            return Err(error(Reason::PaymentRefused, ASK_AGAIN));
        }
        let mut unsigned = None;
        let (act, sign) = match by {
            SessionMove::Wait => {
                self.course.wait();
                return Ok(false);
            }
            SessionMove::Blocked => {
                return Err(error(Reason::PaymentUnresolved, MAY_ARRIVE));
            }
            SessionMove::Reuse(amount) => (Act::Voucher(amount), None),
            SessionMove::Sign(amount) => (Act::Voucher(amount), Some(amount)),
            SessionMove::FundAgain => (funding(&session), None),
            SessionMove::Fund(least) => {
                let opening = session.is_opening();
                make_fundable(&mut session, fresh, now)?;
                let deposit = self.count(budget, &asked, least, now)?;
                match asked.sender {
                    Sender::Payee => unsigned = Some(deposit),
                    // What the caller is asked to send may arrive, whatever becomes of this process.
                    Sender::Payer => {
                        let proof = FundsProof::Sending;
                        session.pending = Some(PendingFunds { deposit, proof });
                    }
                }
                (funding(&session), opening.then_some(Amount::ZERO))
            }
        };
        if sign.is_some_and(|amount| !session.contract().escrow.fits(amount)) {
            return Err(overflow());
        }
        session.using = Some(self.course.signs(now));
        // Before a deposit is signed the row knows of the use alone.
        let row = match unsigned.is_some() {
            true => KeptSession { using: session.using.clone(), ..kept },
            false => session.clone(),
        };
        budget.sent.keep(&row.key(), &row.to_text(), now)?;
        let before = session.state.cumulative;
        let sends_deposit = matches!(by, SessionMove::Fund(_));
        let planned = Planned { session, before, act, unsigned, sends_deposit };
        self.pay_by(budget, planned, &asked, sign, now)
    }

    /// Asks the wallet to sign what is planned, or to send its deposit; sends what needs neither.
    fn pay_by(
        &mut self,
        budget: &mut Budget,
        mut planned: Planned,
        asked: &ChallengedSession,
        sign: Option<Amount>,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        let Planned { session, unsigned, sends_deposit, .. } = &mut planned;
        let deposit = unsigned
            .as_ref()
            .map(|it| Box::new(sign::deposit(&asked.offer.asset, session, it, asked.dialect)));
        let voucher = sign.map(|amount| Box::new(sign::voucher(session, amount)));
        if let Some(amount) = sign {
            session.raise(amount);
        }
        let (is_signed, sends_deposit) = (deposit.is_none() && voucher.is_none(), *sends_deposit);
        self.planned = Some(planned);
        if is_signed && !sends_deposit {
            return self.keep(budget, now);
        }
        let next = match is_signed {
            true => ChannelNext::Broadcast,
            false => ChannelNext::Sign { deposit, voucher },
        };
        self.course.decide(Todo::Nothing, next);
        Ok(true)
    }

    /// Closes a channel whose payee wants no vouchers of it any more: one in a request.
    fn plan_leave(
        &mut self,
        budget: &mut Budget,
        session: KeptSession,
        fresh: &KeptSession,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        let left = budget.sent.kept_at(&left_key(&fresh.key()));
        let is_again = left.is_some_and(|at| now < at.plus(LEFT_SECS));
        if is_again {
            let message = "the payee closes one channel after another; look at the chain whether the rest of the one before has come back, and forget that one";
            self.note(budget, SessionFate::Over, now)?;
            self.course.decide(Todo::Nothing, fail(Reason::PaymentRefused, message));
            return Ok(true);
        }
        self.plan_close(budget, session, None, now)
    }

    /// The price, and the least by which a voucher has to rise; `None` for a raise that asks for
    /// nothing more. What its highest voucher has no room for any more is taken off the session.
    fn step(
        &self,
        asked: &ChallengedSession,
        session: &mut KeptSession,
    ) -> Result<Option<[Amount; 2]>, ClientError> {
        let mut step = [asked.price(), asked.terms.min_delta];
        if let Some(raise) = self.raise {
            match raise.of(session)? {
                // A payee that says nothing waits once all that was signed has come.
                Some(more) if raise.required.is_some() || more >= asked.terms.min_delta => {
                    step = [more, Amount::ZERO];
                }
                Some(_) | None => return Ok(None),
            }
        }
        // What is left of the highest voucher is the stream's by now; or it is used up or not covered,
        // and the payee's next word tells which.
        if self.raise.is_some() || self.is_used_up {
            session.state = session.state.exhausted();
        }
        Ok(Some(step))
    }

    /// The move that pays for this step.
    fn next_move(
        &self,
        asked: &ChallengedSession,
        session: &KeptSession,
        [price, least]: [Amount; 2],
        now: UnixTime,
    ) -> Result<SessionMove, ClientError> {
        let by = match (self.left, self.tries_voucher) {
            (Some(left), _) => self.shown_again(left, session, asked.price(), now)?,
            (None, true) => {
                let mut opened = session.clone();
                opened.funded();
                opened.paid_by(price, least, &self.course.id, now)
            }
            (None, false) => session.paid_by(price, least, &self.course.id, now),
        };
        by.ok_or_else(overflow)
    }

    /// Shows the voucher that has left for this purchase before; one that has room for another price,
    /// or that is not the highest any more, would be charged beside it.
    fn shown_again(
        &self,
        left: LeftVoucher,
        session: &KeptSession,
        price: Amount,
        now: UnixTime,
    ) -> Result<Option<SessionMove>, ClientError> {
        if session.id() != left.channel {
            return Err(error(Reason::PaymentUnresolved, own::OTHER_CHANNEL));
        }
        if session.is_used(&self.course.id, now) {
            return Ok(Some(SessionMove::Wait));
        }
        match session.state.cumulative == left.amount && left.pays_once(price) {
            true => Ok(Some(SessionMove::Reuse(left.amount))),
            false => Err(error(Reason::PaymentConflict, own::SPENT)),
        }
    }

    /// Counts a deposit against the caps.
    fn count(
        &self,
        budget: &mut Budget,
        asked: &ChallengedSession,
        least: Amount,
        now: UnixTime,
    ) -> Result<Deposit, ClientError> {
        let suggested = asked.terms.suggested_deposit;
        let amount = self.course.hold(budget, &asked.offer, suggested, least, now)?;
        let valid_before = now.plus(asked.offer.max_timeout_secs);
        let (salt, id) = (self.course.salt, self.course.id.clone());
        Ok(Deposit { amount, salt, valid_before, id })
    }

    fn plan_close(
        &mut self,
        budget: &mut Budget,
        mut session: KeptSession,
        part: Option<Amount>,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        if session.is_used(&self.course.id, now) {
            self.course.wait();
            return Ok(false);
        }
        if part.is_some() {
            let message = "a session is closed, and all of its rest comes back: ask for no amount";
            return Err(error(Reason::TermsChanged, message));
        }
        let opening = session.is_opening();
        if session.signature.is_empty() || opening && session.pending.is_none() {
            return Err(error(Reason::TermsChanged, "no session with this payee is known"));
        }
        // A top-up of the payer's own comes back with the rest, or finds no channel.
        let waits = |it: &PendingFunds| !session.is_late(now) && (opening || !it.is_own());
        if session.pending.as_ref().is_some_and(waits) {
            let message = "a deposit may still arrive; wait until it has, or has ended";
            return Err(error(Reason::PaymentUnresolved, message));
        }
        // An opening that has ended may have arrived: without it nothing is known of the channel. A top-up
        // of the payer's own stays in sight until the channel is closed.
        let is_over = |it: &mut PendingFunds| !opening && !it.is_own();
        session.pending.take_if(is_over);
        // A payee that holds a higher one refuses the lowest; one that does not would take too much.
        if !self.has_turned {
            session.go_down(now);
        }
        session.using = Some(self.course.signs(now));
        budget.sent.keep(&session.key(), &session.to_text(), now)?;
        self.tell(&session);
        let before = session.state.cumulative;
        let (act, unsigned) = (Act::Close, None);
        self.planned = Some(Planned { session, before, act, unsigned, sends_deposit: false });
        self.keep(budget, now)
    }
}

fn overflow() -> ClientError {
    error(Reason::PolicyAmount, "the amounts leave what a voucher can say")
}

/// Makes a session ready for one more deposit; `fresh` is the same that never was.
fn make_fundable(
    session: &mut KeptSession,
    fresh: KeptSession,
    now: UnixTime,
) -> Result<(), ClientError> {
    let opening = session.is_opening();
    // One that its voucher is not covered by is sent again, or may have arrived: it is never
    // replaced.
    if opening && session.pending.is_some() {
        return Err(error(Reason::PaymentUnresolved, MAY_ARRIVE));
    }
    if opening {
        // Of a channel that never was, only the parties stay.
        session.parties = fresh.parties;
        (session.state, session.charged) = (fresh.state, fresh.charged);
        (session.proven, session.unproven) = (fresh.proven, fresh.unproven);
        session.signature = String::new();
        session.others.clear();
    } else if session.is_topped_up_later(now) {
        let message = "the payee says that it knows no such channel, or no such deposit: look at the chain, and forget the channel if its deposit is gone";
        return Err(error(Reason::ReceiptMismatch, message));
    }
    Ok(())
}

/// The act that sends the deposit that is on its way.
fn funding(session: &KeptSession) -> Act {
    if session.is_opening() { Act::Open } else { Act::TopUp }
}
