//! The alarm of a channel: the call to a facilitator that is due, what comes of it, and the list of
//! channels.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde_json::Value;

use super::calls::{ChannelCalls, ChannelTerms};
use crate::call::FacilitatorCall;
use farebox_base::encoding::json;
use farebox_base::time::UnixTime;
use farebox_channel::claims::ClaimQueue;
use farebox_channel::desk::{ChannelDesk, Write};
use farebox_channel::errand::{ChannelErrand, Payout};
use farebox_channel::facts::ChannelFacts;
use farebox_channel::index::IndexAsk;
use farebox_channel::messages::SightText;
use farebox_channel::retention::KeptSecs;
use farebox_channel::state::ListNotice;
use farebox_wire::facilitator::outcome::{affirms, stands};
use farebox_wire::facilitator::reason::known;
use farebox_wire::facilitator::reply::{FacilitatorReply, MAX_REPLY_BYTES};

/// Seconds after which the list of channels is told again.
const LIST_RETRY_SECS: u64 = 15;

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// A look at the chain.
    Look,
    /// Money.
    Send,
    /// The payout of claimed money to the payee.
    PayOut,
}

/// The receiver of an errand.
#[derive(Debug)]
pub enum ErrandCall {
    /// A facilitator.
    Facilitator(Box<FacilitatorCall>),
    /// The object with this name, by this message: what comes of it, only the chain tells.
    Object(String, String),
}

/// The call that is due for a channel, if one is. Its row is written first: after a crash the
/// attempt counts as made.
pub fn next_call(
    calls: ChannelCalls<'_>,
    desk: &mut ChannelDesk,
    now: UnixTime,
) -> Option<(Task, ErrandCall)> {
    let asks =
        |call: Option<FacilitatorCall>| call.map(|call| ErrandCall::Facilitator(Box::new(call)));
    desk.disbelieve_times_after(now);
    // A node is asked about those of MPP.
    if ChannelFacts::read(&desk.terms).is_some() {
        return None;
    }
    let (task, call) = match desk.channel.as_ref()?.errand(now) {
        ChannelErrand::Rest(_) => return None,
        ChannelErrand::Look => (Task::Look, asks(calls.look(desk))),
        ChannelErrand::Claim(_) | ChannelErrand::Close(Some(_)) => {
            let beside = claim_beside_others(calls, desk);
            let beside = beside.map(|(object, message)| ErrandCall::Object(object, message));
            let alone = || asks(calls.claim(core::slice::from_ref(desk)));
            (Task::Send, beside.or_else(alone))
        }
        ChannelErrand::Close(None) => (Task::Send, None),
        ChannelErrand::Refund(promise, earnings) => {
            (Task::Send, asks(calls.refund(desk, &promise, earnings.as_ref())))
        }
        ChannelErrand::PayOut => (Task::PayOut, asks(calls.pay_out(desk))),
    };
    // Before it is known whether anyone can be called: the alarm would ring at once again.
    let channel = desk.channel.as_mut()?;
    match task {
        Task::Look => channel.looked(now),
        Task::Send => channel.attempted(now),
        Task::PayOut => channel.paid_out(Payout::Failed, now),
    }
    // Terms that cannot be read: a person has to look.
    Some((task, call?))
}

/// The object that sends the claims of this channel's payee, token and facilitator, and the
/// message for it; `None` if the channel sends its claim by itself.
fn claim_beside_others(calls: ChannelCalls<'_>, desk: &ChannelDesk) -> Option<(String, String)> {
    if desk.most_beside() == 0 {
        return None;
    }
    let kept = ChannelTerms::read(&desk.terms)?;
    let settler = calls.settler_of(&kept, desk.channel.as_ref()?.turn())?;
    // One signature is for the claims of one authorizer, and a facilitator is shown the terms
    // of one channel for all.
    let part = |name: &str| kept.config.get(name)?.as_str();
    let name = [
        "claims",
        &settler.facilitator.settle_url(),
        kept.requirements.get("network")?.as_str()?,
        part("receiver")?,
        part("token")?,
        part("receiverAuthorizer")?,
    ];
    Some((name.join(" "), desk.to_claim()?))
}

/// Takes what a facilitator said to it: the call that has the contract pay the payee what was
/// claimed, so that not each channel asks for it.
pub fn take_claims_reply(
    calls: ChannelCalls<'_>,
    queue: &mut ClaimQueue,
    batch: &[ChannelDesk],
    reply: &FacilitatorReply,
) -> Option<FacilitatorCall> {
    if reply.object(MAX_REPLY_BYTES).is_none() {
        queue.clear();
    }
    affirms(reply).then_some(())?;
    calls.pay_out(batch.first()?)
}

/// Takes what a facilitator said to such a call; whether the row is to be written.
pub fn take_reply(
    desk: &mut ChannelDesk,
    task: Task,
    reply: &FacilitatorReply,
    asked: UnixTime,
    now: UnixTime,
) -> Write {
    let said = reply.object(MAX_REPLY_BYTES);
    let stood = said.as_ref().is_some_and(|(status, object)| stands(*status, object));
    let object = said.map(|(_, object)| object).unwrap_or_default();
    let Some(channel) = &mut desk.channel else { return Write::Nothing };
    match task {
        Task::Look => {
            let shown = object
                .get("extra")
                .filter(|_| stood)
                .and_then(|state| SightText::of_facilitator(state, channel.id(), asked)?.read());
            if let Some(shown) = shown {
                channel.see(shown);
                return Write::Channel;
            }
            let why = object.get("invalidReason").and_then(Value::as_str).unwrap_or_default();
            // What a payer's wallet lacks says nothing of the channel.
            let is_read = known(why).is_some_and(|why| why.ends_with("cumulative_exceeds_balance"));
            if is_read && channel.note_hidden(asked) { Write::Channel } else { Write::Nothing }
        }
        // With what result, only the chain tells.
        Task::Send => Write::Nothing,
        Task::PayOut => {
            let why = object.get("errorReason").and_then(Value::as_str).unwrap_or_default();
            let is_done = affirms(reply) || why.ends_with("nothing_to_settle");
            // That it may fail was written before.
            if !is_done {
                return Write::Nothing;
            }
            channel.paid_out(Payout::Done, now);
            Write::Channel
        }
    }
}

/// The message that tells the list of channels about a channel, if that is due; it is due again
/// unless [`note_listed`] follows.
pub fn list_channel(desk: &mut ChannelDesk, now: UnixTime) -> Option<String> {
    let kept = ChannelTerms::read(&desk.terms)?;
    let channel = desk.channel.as_mut()?;
    match channel.listing() {
        ListNotice::Due(at) if at <= now => {}
        ListNotice::Due(_) | ListNotice::Done => return None,
    }
    channel.list(ListNotice::Due(now.plus(LIST_RETRY_SECS)));
    let mut shown = channel.listed(now);
    for (name, value) in [
        ("network", kept.requirements.get("network")),
        ("asset", kept.requirements.get("asset")),
        ("pay_to", kept.config.get("receiver")),
        ("payer", kept.config.get("payer")),
    ] {
        shown.insert(name.to_string(), value.cloned().unwrap_or_default());
    }
    let id = channel.id().to_string();
    Some(IndexAsk::Note(id, json::text(&shown)).to_text())
}

/// The list has what it was told of a channel, unless it changed meanwhile.
pub fn note_listed(desk: &mut ChannelDesk, told: UnixTime) -> Write {
    match &mut desk.channel {
        Some(channel) if channel.listing() == ListNotice::Due(told.plus(LIST_RETRY_SECS)) => {
            channel.list(ListNotice::Done);
            Write::Channel
        }
        Some(_) | None => Write::Nothing,
    }
}

/// The message that takes a channel out of the list when its row is to go.
#[must_use]
pub fn unlist_channel(desk: &ChannelDesk, kept: KeptSecs, now: UnixTime) -> Option<String> {
    let id = desk.channel.as_ref()?.id().to_string();
    desk.is_to_go(kept, now).then(|| IndexAsk::Drop(id).to_text())
}
