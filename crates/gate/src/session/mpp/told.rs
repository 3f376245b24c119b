//! The answers to a payer of MPP: receipts, outcomes of actions that need no origin, and refusals
//! with the codes of OKX's dialect.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::payment::MppPayment;
use crate::keys::Keys;
use crate::offer::Offer;
use crate::reply::{Body, Reply, finish_paid};
use crate::request::IncomingRequest;
use crate::session::asked::AskedSession;
use crate::session::payment::{Purpose, REFUSED};
use crate::session::statement;
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, jcs, json};
use farebox_base::http::{Headers, ResponseHead};
use farebox_base::time::UnixTime;
use farebox_channel::messages::{ChannelReply, Said, Snapshot};
use farebox_common::problem::PAYMENT_PROBLEMS;
use farebox_wire::mpp::charge::METHOD;
use farebox_wire::mpp::okx_code::{OkxCode, Remedy};
use farebox_wire::mpp::receipt::{HEADER, Receipt};
use farebox_wire::mpp::session::INTENT;

/// A channel that a refusal tells of.
pub(in crate::session) struct ToldChannel<'a> {
    snapshot: &'a Snapshot,
    /// The least that the next voucher has to be for.
    required: Option<&'a str>,
}

/// A refusal: fresh challenges, and a problem document with the number of the code.
pub(in crate::session) fn refused(
    keys: &Keys,
    offer: &Offer,
    request: &IncomingRequest,
    code: u32,
    channel: Option<ToldChannel<'_>>,
    now: UnixTime,
) -> Reply {
    let row = OkxCode::of(code);
    let why = REFUSED;
    let mut reply = statement::refused(keys, offer, request, why, row.problem, now);
    reply.head.status = row.status;
    // The first challenge of the answer is what clients go on with.
    let id = reply.head.headers.get("www-authenticate").and_then(|it| it.split('"').nth(1));
    let mut body = json!({
        "code": row.code,
        "reason": row.problem,
        "type": [PAYMENT_PROBLEMS, row.problem].concat(),
        "title": row.title(),
        "status": row.status,
        "detail": row.detail,
        "correlation_id": request.correlation.as_str(),
        "challengeId": id,
    });
    if let (Some(channel), Value::Object(body)) = (channel, &mut body) {
        body.extend(amounts(channel.snapshot));
        body.extend(channel.required.map(|it| ("requiredCumulative".to_owned(), Value::from(it))));
    }
    reply.body = Body::Text(json::text(&body));
    if row.remedy() == Remedy::Wait {
        reply = reply.with("retry-after", "2");
    }
    reply.with("content-type", "application/problem+json")
}

/// A refusal by the channel itself.
pub(in crate::session) fn refused_by_channel(
    asked: &AskedSession<'_>,
    reply: &ChannelReply,
    now: UnixTime,
) -> Reply {
    let code = reply.refusal.as_deref().and_then(|code| code.parse().ok()).unwrap_or_default();
    // What a channel has spent is not for whoever shows its id.
    let channel = reply.channel.as_ref().filter(|channel| channel.is_payer);
    // Of what was charged before, the amount is that charge.
    let required = reply.charged.as_deref().filter(|_| reply.said == Said::Refused);
    let channel = channel.map(|snapshot| ToldChannel { snapshot, required });
    refused(asked.parts.keys, asked.offer, &asked.request, code, channel, now)
}

/// The outcome of what needs no origin.
pub(in crate::session) fn managed(
    asked: &AskedSession<'_>,
    shown: &MppPayment,
    reply: &ChannelReply,
    now: UnixTime,
) -> Reply {
    let channel = asked.payment.channel.to_string();
    let mut amounts = shown_amounts(asked, reply);
    // Spec: OKX payments, answer to a voucher; only for who is told what was spent.
    let spent = amounts.get("spent").and_then(Value::as_str).map(Amount::from_atomic);
    if let (Some(Ok(spent)), Purpose::Show) = (spent, asked.payment.purpose) {
        let units = units(spent, asked.meter().map_or(asked.price(), |meter| meter.price));
        amounts.insert("units".to_owned(), Value::from(units));
    }
    let mut body = json!({
        "action": shown.action,
        "channelId": channel.as_str(),
        "reference": channel.as_str(),
        "status": "ok",
    });
    if let Value::Object(body) = &mut body {
        body.extend(amounts);
    }
    let mut head = ResponseHead { status: 200, headers: Headers::new() };
    head.headers.add("content-type", "application/json");
    finish_paid(&mut head, &asked.request.correlation);
    let done = Reply::new(head, Body::Text(json::text(&body)));
    receipt(asked, shown, done, reply, now)
}

/// Adds the receipt of a session to an answer.
pub(in crate::session) fn receipt(
    asked: &AskedSession<'_>,
    shown: &MppPayment,
    mut reply: Reply,
    said: &ChannelReply,
    now: UnixTime,
) -> Reply {
    let channel = asked.payment.channel.to_string();
    let receipt = Receipt {
        method: METHOD,
        reference: &channel,
        timestamp: now,
        challenge_id: Some(&shown.challenge),
        chain_id: Some(asked.choice.chain_id()),
        external_id: None,
    };
    let mut members = receipt.to_object();
    members.insert("channelId".to_owned(), Value::from(channel.as_str()));
    members.insert("intent".to_owned(), Value::from(INTENT));
    members.extend(shown_amounts(asked, said));
    reply.route = Some(asked.offer.settings.route.clone());
    reply.with(HEADER, &base64::encode_url(jcs::object_text(&members).as_bytes()))
}

/// How many units of a price were spent.
fn units(spent: Amount, price: Amount) -> u64 {
    // Bit by bit: nothing that is asked often divides.
    (0..u64::BITS).rev().fold(0, |units, bit| {
        let more = units | 1_u64 << bit;
        let is_spent = price.checked_mul_u64(more).is_some_and(|cost| cost <= spent);
        if is_spent && !price.is_zero() { more } else { units }
    })
}

/// The amounts of a channel, for who shows that it is theirs; for anyone else what the chain shows.
fn shown_amounts(asked: &AskedSession<'_>, reply: &ChannelReply) -> Map<String, Value> {
    let Some(channel) = &reply.channel else { return Map::new() };
    let mut all = amounts(channel);
    let is_signed = match asked.payment.purpose {
        Purpose::TopUp | Purpose::Close => channel.is_payer,
        _ => true,
    };
    if !is_signed {
        all.retain(|name, _| name == "deposit");
    }
    all
}

/// The amounts that are deposited, accepted and spent.
fn amounts(channel: &Snapshot) -> Map<String, Value> {
    let accepted = channel.evidence.as_ref().map_or(&channel.spent, |(amount, _)| amount);
    let amounts = [
        ("acceptedCumulative", accepted),
        ("deposit", &channel.sight.deposit),
        ("spent", &channel.spent),
    ];
    json::object(amounts.map(|(name, amount)| (name.to_owned(), Value::from(amount.as_str()))))
}
