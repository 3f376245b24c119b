//! The answers to a payer of a session: the settlement of a request, and the terms after a refusal.

use alloc::string::ToString;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::asked::AskedSession;
use super::payment::{Purpose, REFUSED, reason};
use crate::keys::Keys;
use crate::offer::{Offer, SessionOffer};
use crate::reply::Reply;
use crate::request::IncomingRequest;
use crate::template::ChallengeRequest;
use farebox_base::encoding::json;
use farebox_base::time::UnixTime;
use farebox_channel::messages::{ChannelReply, Snapshot};
use farebox_common::problem::Code;
use farebox_wire::x402::{Version, header};

/// The terms after a refusal, in the words of the scheme.
pub(super) fn refused(
    keys: &Keys,
    offer: &Offer,
    request: &IncomingRequest,
    code: Code,
    reason: &str,
    now: UnixTime,
) -> Reply {
    let IncomingRequest { head, correlation } = request;
    let key = keys.challenge();
    let asked = ChallengeRequest { head, correlation, key, digest: None, now };
    offer.challenge(&asked, code, reason, None)
}

/// The terms after a refusal of the channel, with what its payer needs to go on.
pub(super) fn corrected(asked: &AskedSession<'_>, reply: &ChannelReply, now: UnixTime) -> Reply {
    let word = reply.refusal.as_deref().unwrap_or("channel_not_found");
    let offer = with_state(asked, reply.channel.as_ref());
    let answer = refused(asked.parts.keys, &offer, &asked.request, REFUSED, &reason(word), now);
    match reply.refundable_at {
        Some(at) => {
            let secs = at.saturating_sub(now.secs()).max(1);
            answer.with("retry-after", &secs.to_string())
        }
        _ => answer,
    }
}

/// The terms of today after a payment for earlier ones, with what its payer needs to go on.
pub(super) fn outdated(
    asked: &AskedSession<'_>,
    channel: Option<&Snapshot>,
    now: UnixTime,
) -> Reply {
    let (offer, code) = (with_state(asked, channel), Code::TermsMismatch);
    refused(asked.parts.keys, &offer, &asked.request, code, code.name(), now)
}

/// The offer, in which the way that was paid by says what is known of the channel.
fn with_state(asked: &AskedSession<'_>, channel: Option<&Snapshot>) -> Offer {
    let mut offer = asked.offer.clone();
    let network = &asked.choice.terms.network;
    if let Some(channel) = channel
        && let Some(choice) = offer.choices.iter_mut().find(|it| it.terms.network == *network)
        && let Some(SessionOffer { requirements: terms, .. }) = &mut choice.session
    {
        // What a refund by a published voucher asks for, the chain shows: the answer need not, but to
        // a payer whose record is older than that.
        let shown = asked.payment.cumulative.to_string();
        let is_old = channel.sent.as_ref().is_some_and(|(charged, _)| *charged != shown);
        if is_told(channel) || is_old || !matches!(asked.payment.purpose, Purpose::Refund(_)) {
            let sent = channel.sent.as_ref().map(|(_, voucher)| voucher);
            let proof = if is_told(channel) { channel.evidence.as_ref() } else { sent };
            terms.add("channelState", state(asked, channel));
            if let Some((amount, signature)) = proof {
                let voucher = json!({"signedMaxClaimable": amount, "signature": signature});
                terms.add("voucherState", voucher);
            }
        }
    }
    offer.written()
}

/// Whether it is told all that is known of its channel. Anyone else is told what was sent for a chain
/// or is shown there, with the proof, by which a payer who has lost the record goes on.
fn is_told(channel: &Snapshot) -> bool {
    channel.is_payer
}

/// The terms after a facilitator's refusal, with the settlement that failed.
pub(super) fn failed(asked: &AskedSession<'_>, word: &str, now: UnixTime) -> Reply {
    let reply = refused(asked.parts.keys, asked.offer, &asked.request, REFUSED, word, now);
    let value = json!({
        "success": false,
        "errorReason": word,
        "transaction": "",
        "network": asked.choice.terms.network.as_str(),
        "payer": asked.payment.payer().to_checksum(),
    });
    reply.with(Version::V2.settlement_header(), &header::encode(&json::text(&value)))
}

/// Adds the settlement of a session to an answer.
pub(super) fn settled(
    asked: &AskedSession<'_>,
    mut reply: Reply,
    said: &ChannelReply,
    transaction: &str,
    amount: &str,
) -> Reply {
    let mut extra = json!({});
    if let Some(channel) = &said.channel
        && let Value::Object(extra) = &mut extra
    {
        extra.insert("channelState".to_string(), state(asked, channel));
        if !matches!(asked.payment.purpose, Purpose::Refund(_)) {
            let charged = said.charged.clone().unwrap_or_else(|| "0".to_string());
            extra.insert("chargedAmount".to_string(), Value::from(charged));
        }
    }
    let value = json!({
        "success": true,
        "transaction": transaction,
        "network": asked.choice.terms.network.as_str(),
        "payer": asked.payment.payer().to_checksum(),
        "amount": amount,
        "extra": extra,
    });
    reply.route = Some(asked.offer.settings.route.clone());
    reply.with(Version::V2.settlement_header(), &header::encode(&json::text(&value)))
}

/// A channel as the scheme tells of it: what was charged since a voucher was sent last is for its payer
/// alone.
fn state(asked: &AskedSession<'_>, channel: &Snapshot) -> Value {
    let sent = channel.sent.as_ref().map_or(&channel.sight.claimed, |(charged, _)| charged);
    let charged = if is_told(channel) { &channel.spent } else { sent };
    json!({
        "channelId": asked.payment.channel.to_string(),
        "balance": channel.sight.deposit,
        "totalClaimed": channel.sight.claimed,
        "withdrawRequestedAt": channel.sight.leaving,
        "refundNonce": channel.sight.nonce,
        "chargedCumulativeAmount": charged,
    })
}
