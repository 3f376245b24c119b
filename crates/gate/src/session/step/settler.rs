//! The facilitator: what it is asked of a channel, and how far it is believed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use super::{Before, SessionRequest, SessionStage, SessionStep};
use crate::call::FacilitatorCall;
use crate::offer::{SessionOffer, VERIFY_SECS};
use crate::session::asked::AskedSession;
use crate::session::calls::ChannelTerms;
use crate::session::mpp::payment::ShownDeposit;
use crate::session::payment::{Purpose, SessionDoor};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_channel::messages::{ChannelAsk, ChannelReply, SightText};
use farebox_channel::state::Promise;
use farebox_common::problem::Code;
use farebox_evm::keccak::keccak256_parts;
use farebox_wire::facilitator::breaker::Operation;
use farebox_wire::facilitator::doubt::names_error;
use farebox_wire::facilitator::outcome::{SettleOutcome, is_refused, settle_outcome, stands};
use farebox_wire::facilitator::payers::{Caller, Evidence};
use farebox_wire::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};
use farebox_wire::facilitator::unproven::queue::CallResult;
use farebox_wire::facilitator::unproven::{UnverifiedCaller, UnverifiedKind};
use farebox_wire::facilitator::wire;
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::Version;
use farebox_wire::x402::handed::Version2;

impl<'g> SessionRequest<'g> {
    /// The answer if the client's network has asked too often: the facilitator was not asked.
    #[must_use]
    pub fn limited(self: Box<Self>) -> SessionStep<'g> {
        self.problem(Code::RateLimited)
    }

    /// Takes the reply of a facilitator; with what it says of the payment.
    pub fn facilitator(
        mut self: Box<Self>,
        reply: &FacilitatorReply,
        now: UnixTime,
    ) -> (SessionStep<'g>, CallResult) {
        let asked = core::mem::replace(&mut self.now, now);
        let deposited = match (&self.stage, self.asked.payment.purpose) {
            (SessionStage::Depositing(_), Purpose::Deposit(amount)) => Some(amount),
            _ => None,
        };
        let is_believed = |status, said: &Map<String, Value>| match deposited {
            Some(amount) => {
                let payer = Some(self.asked.payment.payer());
                let network = self.asked.choice.terms.network.as_str().to_string();
                let outcome = settle_outcome(reply, &Expected { payer, network, amount });
                matches!(outcome, SettleOutcome::Settled(_))
            }
            None => stands(status, said) && !names_error(said),
        };
        let said = reply.object(MAX_REPLY_BYTES).filter(|(status, said)| {
            let affirms = ["success", "isValid"].map(|name| said.get(name) == Some(&true.into()));
            match affirms.contains(&true) {
                true => is_believed(*status, said),
                false => *status < 500,
            }
        });
        let said = said.map(|(_, object)| object).unwrap_or_default();
        let good = said.get("success").or_else(|| said.get("isValid")).and_then(Value::as_bool);
        let verdict = match (good, &self.stage) {
            // What is paid in forgives, and not what is only shown or paid back.
            (Some(true), SessionStage::Depositing(_)) => CallResult::Good,
            (Some(false), _) => CallResult::Bad,
            (Some(true), _) | (None, _) => CallResult::Open,
        };
        (self.heard(&said, asked), verdict)
    }

    pub(super) fn heard(
        mut self: Box<Self>,
        said: &Map<String, Value>,
        asked: UnixTime,
    ) -> SessionStep<'g> {
        let stage = core::mem::replace(&mut self.stage, SessionStage::Beginning);
        // What moves no money is asked of the next one.
        let stage = match stage {
            SessionStage::Looking(before)
                if !said.contains_key("isValid") && self.asked.settlers.len() > 1 =>
            {
                self.asked.settlers.remove(0);
                return self.look(before);
            }
            stage => stage,
        };
        let words = |name| text(said, name);
        let is = |name: &str| said.get(name).and_then(Value::as_bool);
        // What is said to have failed may have been sent, as in a payment by `exact`.
        let is_unsent = is_refused(said);
        self.may_have_paid |= matches!(stage, SessionStage::Depositing(_)) && !is_unsent;
        match stage {
            SessionStage::Depositing(_) | SessionStage::SendingRefund
                if is("success") == Some(true) =>
            {
                self.note_transaction(&stage, said)
            }
            // The chain says whether there is a deposit: of an earlier attempt, or after all.
            SessionStage::Depositing(_) if is_unsent => {
                self.look(Before::Refused(words("errorReason").to_string()))
            }
            SessionStage::Depositing(_) => self.look(Before::Unknown),
            SessionStage::Looking(before) => self.take_look(before, said, asked),
            SessionStage::SendingRefund if is("success") == Some(false) => {
                let word = words("errorReason").to_string();
                self.refuse(&word)
            }
            // The alarm sends it again.
            SessionStage::SendingRefund => self.problem(Code::SettlementUnknown),
            SessionStage::Beginning
            | SessionStage::Foreseeing
            | SessionStage::Serving
            | SessionStage::Collecting(_)
            | SessionStage::Charging(..)
            | SessionStage::Releasing(_)
            | SessionStage::Refunding
            | SessionStage::Managing
            | SessionStage::Flowing
            | SessionStage::Stepping
            | SessionStage::Sending
            | SessionStage::Noting => self.problem(Code::Internal),
        }
    }

    /// Goes on after a facilitator has sent a deposit or a refund.
    fn note_transaction(
        mut self: Box<Self>,
        stage: &SessionStage,
        said: &Map<String, Value>,
    ) -> SessionStep<'g> {
        let words = |name| text(said, name).to_string();
        self.moved = (words("transaction"), words("amount"));
        let state = said.get("extra").and_then(|extra| extra.get("channelState"));
        self.sight = state
            .and_then(|it| SightText::of_facilitator(it, self.asked.payment.channel, self.now))
            .filter(|seen| self.may_be_shown(stage, seen));
        match (stage, self.sight.is_some()) {
            // The facilitator is asked again for what it has not said, and for what is too much.
            (SessionStage::Depositing(_), false) => self.look(Before::Unknown),
            (_, false) => self.look(Before::Nothing),
            (SessionStage::SendingRefund, true) => {
                self.stage = SessionStage::Noting;
                self.ask(ChannelAsk::See)
            }
            (_, true) => self.hold(),
        }
    }

    /// Whether a channel can hold what a facilitator states after it has settled. One that finds a
    /// deposit settled by an earlier attempt may count it twice.
    fn may_be_shown(&self, stage: &SessionStage, seen: &SightText) -> bool {
        let (SessionStage::Depositing(known), Purpose::Deposit(added)) =
            (stage, self.asked.payment.purpose)
        else {
            return true;
        };
        let most = known.checked_add(added);
        seen.read().zip(most).is_some_and(|(seen, most)| seen.deposit <= most)
    }

    /// Goes on after a look at the chain, asked for at this time.
    fn take_look(
        mut self: Box<Self>,
        before: Before,
        said: &Map<String, Value>,
        asked: UnixTime,
    ) -> SessionStep<'g> {
        let valid = said.get("isValid").and_then(Value::as_bool);
        let channel = self.asked.payment.channel;
        let seen = said.get("extra");
        match seen.and_then(|state| SightText::of_facilitator(state, channel, asked)) {
            Some(seen) if valid == Some(true) => {
                self.sight = Some(seen);
                match (self.asked.payment.purpose, before) {
                    _ if self.flow.is_some() => self.step(),
                    (Purpose::Deposit(amount), Before::Deposit) => self.foresee(amount),
                    (Purpose::Deposit(_) | Purpose::Voucher, _) => self.hold(),
                    (Purpose::Refund(wanted), _) => self.refund(wanted),
                    (Purpose::Recall(_), _) => self.recall(),
                    (Purpose::Open | Purpose::TopUp | Purpose::Show | Purpose::Close, _) => {
                        self.manage()
                    }
                }
            }
            _ => match (before, valid) {
                (_, Some(false)) if self.is_recall() => self.recall_unseen(),
                (Before::Nothing | Before::Deposit, Some(false)) => {
                    self.refuse(text(said, "invalidReason"))
                }
                (Before::Refused(word), Some(false)) => self.refuse(&word),
                // Fresh terms would have the payer deposit a second time.
                (Before::Unknown, _) => self.problem(Code::SettlementUnknown),
                (Before::Nothing | Before::Deposit | Before::Refused(_), _) => {
                    self.problem(Code::FacilitatorUnavailable)
                }
            },
        }
    }

    pub(super) fn foresee(mut self: Box<Self>, deposit: Amount) -> SessionStep<'g> {
        self.stage = SessionStage::Foreseeing;
        let purchase = self.purchase();
        self.ask(ChannelAsk::Foresee(purchase, deposit.to_string()))
    }

    pub(super) fn refund(mut self: Box<Self>, wanted: Option<Amount>) -> SessionStep<'g> {
        self.stage = SessionStage::Refunding;
        let shown = self.asked.payment.cumulative.to_string();
        let wanted = wanted.map(|amount| amount.to_string());
        let least = self.price();
        self.ask(ChannelAsk::Refund(shown, wanted, least))
    }

    /// Has the deposit sent, beside what its channel is known to hold.
    pub(super) fn deposit(self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        let seen = reply.channel.as_ref().and_then(|channel| channel.sight.read());
        let known = seen.map_or(Amount::ZERO, |seen| seen.deposit);
        let payload = self.asked.payment.payload(true);
        self.settle(payload, SessionStage::Depositing(known))
    }

    /// Asks the facilitator what the chain shows: it reads it to judge a voucher.
    pub(super) fn look(mut self: Box<Self>, before: Before) -> SessionStep<'g> {
        if let SessionDoor::Mpp(_) = self.asked.payment.door {
            return self.look_at_chain(before);
        }
        // Whether a deposit could be made is judged with it; whether it was, without.
        let payload = self.asked.payment.payload(matches!(before, Before::Deposit));
        self.stage = SessionStage::Looking(before);
        self.ask_facilitator(payload, Operation::Verify)
    }

    /// Sends a deposit or a refund to the chain.
    pub(super) fn settle(
        mut self: Box<Self>,
        payload: Map<String, Value>,
        stage: SessionStage,
    ) -> SessionStep<'g> {
        self.stage = stage;
        self.ask_facilitator(payload, Operation::Settle)
    }

    pub(super) fn send_refund(self: Box<Self>, reply: &ChannelReply) -> SessionStep<'g> {
        let kept = ChannelTerms::read(&self.asked.payment.kept_terms(self.asked.choice));
        let payload = kept.and_then(|kept| {
            let voucher = self.asked.payment.shown();
            let (nonce, amount) = reply.promised.as_ref()?;
            let (nonce, amount) =
                (Amount::from_atomic(nonce).ok()?, Amount::from_atomic(amount).ok()?);
            let promise = Promise { nonce, amount };
            let earnings = reply.channel.as_ref()?.earnings();
            let AskedSession { parts, payment, .. } = &self.asked;
            kept.refund(parts.keys, payment.channel, voucher, &promise, earnings.as_ref())
        });
        match payload {
            Some(Value::Object(payload)) => self.settle(payload, SessionStage::SendingRefund),
            _ => self.problem(Code::Internal),
        }
    }

    pub(super) fn ask_facilitator(
        self: Box<Self>,
        payload: Map<String, Value>,
        operation: Operation,
    ) -> SessionStep<'g> {
        let settlers = &self.asked.parts.settlement.settlers;
        let place = self.asked.settlers.first().and_then(|place| settlers.get(*place));
        let (Some(settler), Some(SessionOffer { requirements: terms, .. })) =
            (place, &self.asked.choice.session)
        else {
            return self.problem(Code::Internal);
        };
        let (url, secs) = match operation {
            Operation::Verify => (settler.facilitator.verify_url(), VERIFY_SECS),
            Operation::Settle => {
                (settler.facilitator.settle_url(), self.asked.parts.settlement.settle_secs)
            }
        };
        let body = wire::request(Version::V2, &Version2::new(terms, payload), terms);
        let sender = self.sender();
        let payer = self.asked.payment.proven().to_lower_hex();
        let caller = Caller { network: sender.network.clone(), payer, evidence: Evidence::Signed };
        let unproven = (!self.is_known()).then_some(sender);
        let call = FacilitatorCall::new(url, body, secs, caller);
        let call = FacilitatorCall { guarded: true, unproven, ..call };
        SessionStep::Facilitator(Box::new(call), self)
    }

    /// Whether it comes from someone who has deposited here: whose answer flows has paid, and what
    /// the chain shows of a channel is asked for its payer.
    pub(super) fn is_known(&self) -> bool {
        let is_look = matches!(self.stage, SessionStage::Looking(Before::Nothing));
        self.flow.is_some() || self.is_payer && is_look
    }

    /// Wallets and channels cost nothing, and each call may be for one that is new.
    pub(super) fn sender(&self) -> UnverifiedCaller {
        let network = self.asked.request.network().into_owned();
        // Anyone can show a transaction again and again.
        let payment = match &self.asked.payment.door {
            SessionDoor::Mpp(shown) => match &shown.deposit {
                ShownDeposit::Added(hash) => {
                    let channel = self.asked.payment.channel;
                    Some(keccak256_parts(&[network.as_bytes(), channel.as_bytes(), hash]))
                }
                ShownDeposit::Nothing | ShownDeposit::Sent(_) | ShownDeposit::Signed(_) => None,
            },
            SessionDoor::X402(..) => None,
        };
        UnverifiedCaller { network, kind: UnverifiedKind::Session, payment }
    }
}

/// A member of a facilitator's answer; empty if it is no text.
fn text<'a>(said: &'a Map<String, Value>, name: &str) -> &'a str {
    said.get(name).and_then(Value::as_str).unwrap_or_default()
}
