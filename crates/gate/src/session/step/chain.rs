//! The chain: what a contract of MPP shows of a channel, and deposits that the gate sends to it.

use alloc::boxed::Box;

use super::{Before, SessionRequest, SessionStage, SessionStep};
use crate::call::ChainCall;
use crate::session::asked::AskedSession;
use crate::session::mpp::payment::{ChannelAge, ShownDeposit, is_content};
use crate::session::mpp::payout::PayeeAccount;
use crate::session::mpp::{seen, told};
use crate::session::payment::{Purpose, SessionDoor};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_channel::looks::LookRank;
use farebox_channel::onchain::{ask_before, read_before};
use farebox_channel::refusal::ChannelRefusal;
use farebox_common::problem::Code;
use farebox_evm::rpc::At;
use farebox_evm::rpc::reply::Status;
use farebox_wire::facilitator::unproven::queue::CallResult;

impl<'g> SessionRequest<'g> {
    /// Asks a node what the contract of MPP shows.
    pub(super) fn look_at_chain(mut self: Box<Self>, before: Before) -> SessionStep<'g> {
        let (SessionDoor::Mpp(shown), Some(sold)) =
            (&self.asked.payment.door, &self.asked.offer.channel)
        else {
            return self.problem(Code::Internal);
        };
        let body = seen::question(sold, shown).body(&sold.contract, &self.asked.payment.channel);
        let mut call = ChainCall::new(self.asked.choice.terms.network.as_str(), body);
        let (is_queued, looks) = shown.queued;
        let has_sent = looks > 0;
        call.delay_ms = if has_sent { SENT_MS } else { 0 };
        if matches!(shown.deposit, ShownDeposit::Signed(_)) {
            call.look = Some(if has_sent { LookRank::Further } else { LookRank::First });
        }
        self.stage = SessionStage::Looking(before);
        // Whose answer flows has paid here; whose deposit is sent was tried before.
        let is_known = self.is_known() || is_queued;
        call.unproven = if is_known { None } else { Some(self.sender()) };
        SessionStep::Node(Box::new(call), self)
    }

    /// Takes the reply of a node; with what it says of the payment.
    pub fn node(
        mut self: Box<Self>,
        reply: Option<&str>,
        now: UnixTime,
    ) -> (SessionStep<'g>, CallResult) {
        let asked = core::mem::replace(&mut self.now, now);
        let channel = self.asked.payment.channel;
        let restored = self.asked.parts.payers.restore.at;
        let least = match self.asked.payment.purpose {
            Purpose::Open => self.asked.first(),
            _ => Amount::ZERO,
        };
        let (SessionDoor::Mpp(shown), Some(sold)) =
            (&mut self.asked.payment.door, &self.asked.offer.channel)
        else {
            return (self.problem(Code::Internal), CallResult::Open);
        };
        if let ChannelAge::Asked(restored) = shown.age {
            let before = reply.and_then(|reply| read_before(&sold.contract, reply));
            let Some(absent) = before else {
                return (self.problem(Code::ChainUnavailable), CallResult::Open);
            };
            let is_young = absent.is_some_and(|absent| absent >= restored);
            shown.age = if is_young { ChannelAge::Young } else { ChannelAge::Old };
            return (self.go_on(), CallResult::Open);
        }
        let question = seen::question(sold, shown);
        let seen = reply.and_then(|reply| question.read(&sold.contract, &channel, reply, asked));
        let Some(seen) = seen else {
            return (self.problem(Code::ChainUnavailable), CallResult::Open);
        };
        match seen::judge(sold, &shown.deposit, &seen, least) {
            Ok(facts) => shown.facts = Some(*facts),
            Err(seen::NOT_CONFIRMED) if matches!(shown.deposit, ShownDeposit::Signed(_)) => {
                let is_after = restored.is_none_or(|restored| asked >= restored);
                if seen.facts.is_none() && is_after {
                    shown.age = ChannelAge::Young;
                }
                return self.fund(seen.sent == Some(Status::Succeeded));
            }
            Err(code) => {
                return (self.refused_by_code(code), CallResult::Bad);
            }
        }
        let is_opening = matches!(self.asked.payment.purpose, Purpose::Open);
        let before = match (restored, shown.age, is_opening) {
            (Some(restored), ChannelAge::Unknown, true) => {
                shown.age = ChannelAge::Asked(restored);
                let before = |block: u64| At::Number(block.saturating_sub(1));
                Some(ask_before(&sold.contract, &channel, seen.block.map_or(At::Safe, before)))
            }
            _ => None,
        };
        (self.sight, self.brought) = (Some(seen.sight), seen.brought);
        let Some(body) = before else { return (self.go_on(), CallResult::Open) };
        self.stage = SessionStage::Looking(Before::Nothing);
        let mut call = ChainCall::new(self.asked.choice.terms.network.as_str(), body);
        call.unproven = Some(self.sender());
        (SessionStep::Node(Box::new(call), self), CallResult::Open)
    }

    /// Goes on with what the chain has shown. What is paid in forgives; what is only shown may have
    /// been shown before.
    fn go_on(self: Box<Self>) -> SessionStep<'g> {
        let SessionRequest { asked, .. } = &*self;
        let buys = asked.payment.cumulative >= asked.price() && is_content(&asked.request.head);
        match asked.payment.purpose {
            _ if self.flow.is_some() => self.step(),
            Purpose::Voucher => self.hold(),
            Purpose::Open if buys => self.hold(),
            _ => self.manage(),
        }
    }

    /// Has a deposit sent that the chain does not show, and waits for it; with what it says of the
    /// payment.
    pub(super) fn fund(mut self: Box<Self>, is_used: bool) -> (SessionStep<'g>, CallResult) {
        let AskedSession { parts, offer, payment, .. } = &mut self.asked;
        let (SessionDoor::Mpp(shown), Some(sold)) = (&mut payment.door, &offer.channel) else {
            return (self.problem(Code::Internal), CallResult::Open);
        };
        let (is_queued, looks) = shown.queued;
        shown.queued.1 = looks.saturating_add(1);
        let ShownDeposit::Signed(funds) = &shown.deposit else {
            return (self.problem(Code::Internal), CallResult::Open);
        };
        let most = if is_queued { MAX_LOOKS } else { MOST_VAIN };
        if looks >= most {
            return (self.refused_by_code(seen::NOT_CONFIRMED), CallResult::Open);
        }
        if is_used && !is_queued && looks > 0 {
            // It was used for something else: only the first node could be behind.
            return (self.refused_by_code(ChannelRefusal::NotFound.okx()), CallResult::Bad);
        }
        if is_used || is_queued {
            return (self.look(Before::Nothing), CallResult::Open);
        }
        if !funds.is_in_time(self.now) {
            return (self.refused_by_code(seen::EXPIRED), CallResult::Open);
        }
        let Some(account) = parts.keys.payee() else {
            return (self.problem(Code::Internal), CallResult::Open);
        };
        let call = PayeeAccount { account }.deposit(sold.contract, payment.channel, funds);
        self.stage = SessionStage::Sending;
        (SessionStep::Object(call.object(), call.to_message(), self), CallResult::Open)
    }

    /// Answers with the code of a refusal that says nothing of the channel.
    pub(super) fn refused_by_code(&self, code: u32) -> SessionStep<'g> {
        let AskedSession { parts, offer, request, .. } = &self.asked;
        SessionStep::Respond(told::refused(parts.keys, offer, request, code, None, self.now))
    }
}

/// Milliseconds between two looks for a deposit that is sent.
const SENT_MS: u32 = 1_000;

/// How many there are of them: then the payer asks again.
const MAX_LOOKS: u8 = 20;
/// How many there are of a deposit that the queue does not take, because one before it is about to
/// leave it: each asks the node, for nothing.
const MOST_VAIN: u8 = 5;
