//! Subscriptions: calls of a service that were paid in advance, used one by one with a key.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::books::QuoteChange;
use super::quote::{OriginalQuotes, Wish, read_name, write_quote};
use super::row::{OrderRow, QuoteRow, SubscriptionRow};
use crate::operator::is_operator;
use crate::query::Query;
use crate::skills::books::{Change, Rows};
use crate::skills::invoke::ledger_id;
use crate::skills::kernel::{Applied, Decision, Now};
use crate::skills::listing_request::object;
use crate::skills::message::{Answer, OriginalRequest, Response};
use crate::skills::pack::{CYCLE_MS, PACK_GRACE_MS, Standing};
use crate::skills::price::{USD_DECIMALS, XLM_DECIMALS, XlmRate};
use crate::skills::refused::{self, refusal};
use crate::text::{Members, iso, list, number};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::secret::{Secret, ct_eq};

/// The plans: name, price in XLM, and calls.
const PLANS: [(&str, &str, u64); 4] =
    [("starter", "1", 100), ("growth", "5", 1_000), ("pro", "20", 10_000), USUAL];
/// The plan of a request that names none, or another.
const USUAL: (&str, &str, u64) = ("monthly", "5", 1_000);
/// Seconds for which the quote of a subscription holds.
const TTL_SECS: u64 = 300;

fn plan_of(name: &str) -> (&'static str, &'static str, u64) {
    PLANS.into_iter().find(|(known, ..)| *known == name).unwrap_or(USUAL)
}

/// The standing of a subscription now.
fn standing_of(row: &SubscriptionRow, now: u64) -> Standing {
    let in_time = standing_in_time(row, now);
    let is_used_up = row.used >= row.calls;
    if in_time != Standing::Paused && is_used_up { Standing::Exhausted } else { in_time }
}

/// The same whatever calls are left.
fn standing_in_time(row: &SubscriptionRow, now: u64) -> Standing {
    if now < row.renews {
        Standing::Active
    } else if now < row.renews.saturating_add(PACK_GRACE_MS) {
        Standing::Grace
    } else {
        Standing::Paused
    }
}

/// A cycle that a quote pays for.
#[derive(Debug)]
pub(super) enum Charge {
    /// The first.
    New(OrderRow),
    /// A further one.
    Renewal(SubscriptionRow),
}

/// The payment of a cycle.
#[derive(Default)]
pub(super) struct CyclePayment<'a> {
    pub tx: &'a str,
    /// Its block; `None` if it is pretended.
    pub block: Option<u64>,
    /// The token; empty if it is pretended.
    pub contract: &'a str,
}

impl Charge {
    /// The subscription once it is paid.
    pub(super) fn pay(
        self,
        quote: &QuoteRow,
        payment: &CyclePayment<'_>,
        now: u64,
    ) -> SubscriptionRow {
        let CyclePayment { tx, block, contract } = *payment;
        let row = match self {
            Self::New(order) => {
                let (plan, _, calls) = plan_of(&order.plan);
                SubscriptionRow {
                    id: order.id,
                    agent: quote.payer.clone(),
                    service: quote.service.clone(),
                    plan: plan.to_string(),
                    calls,
                    used: 0,
                    created: now,
                    renews: now,
                    charged: now,
                    block,
                    tx: String::new(),
                    contract: String::new(),
                }
            }
            Self::Renewal(row) => row,
        };
        SubscriptionRow {
            used: 0,
            renews: row.renews.max(now).saturating_add(CYCLE_MS),
            charged: now,
            block,
            tx: tx.to_string(),
            contract: contract.to_string(),
            ..row
        }
    }
}

/// Subscriptions of the original's shapes.
pub(super) struct Subscriptions<'m> {
    pub quotes: OriginalQuotes<'m>,
    /// Keys of subscriptions are made of it.
    pub secret: &'m Secret<String>,
    /// The operator's token.
    pub operator: &'m Secret<String>,
}

impl Subscriptions<'_> {
    /// `POST /api/protocol/x402/subscriptions`: a quote for the first cycle, and the key.
    pub fn subscribe<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Applied<B> {
        let wished = object(&request.body).and_then(|members| {
            let need = |of: &str| {
                read_name(&members, of)?
                    .ok_or_else(|| refusal(400, &alloc::format!("{of} is required")))
            };
            let (service, payer) = (need("serviceId")?, need("agentId")?);
            let plan = read_name(&members, "plan")?.unwrap_or_default().to_lowercase();
            if plan == "custom" {
                return Err(refusal(400, "plan must be one of: starter, growth, pro, monthly"));
            }
            let (plan, xlm, calls) = plan_of(&plan);
            match members.get("callsPerMonth") {
                None => {}
                Some(Value::Number(given)) if given.as_u64() == Some(calls) => {}
                Some(Value::Number(given)) if given.as_f64().is_some_and(|calls| calls > 0.0) => {
                    return Err(refusal(400, "callsPerMonth must be that of the plan"));
                }
                Some(_) => return Err(refusal(400, "callsPerMonth must be > 0")),
            }
            let usd = self
                .quotes
                .rails
                .rate
                .dollars_of(xlm)
                .ok_or_else(|| refusal(400, "amountUsd is too large"))?;
            let order = OrderRow { id: ledger_id("sub", moment, 0), plan: plan.to_string() };
            let chain = read_name(&members, "chain")?;
            let order = Some(order);
            Ok(Wish { service, payer, usd, ttl_secs: TTL_SECS, chain, order })
        });
        let wish = or_reply!(wished);
        let (quote, changes) = or_reply!(self.quotes.make(books, &wish, request, moment)?);
        let order =
            wish.order.unwrap_or_else(|| OrderRow { id: String::new(), plan: String::new() });
        let key = self.make_key(&order.id);
        let row = Charge::New(order).pay(&quote, &CyclePayment::default(), moment.now);
        // Until it is paid it serves nothing.
        let unpaid = SubscriptionRow { renews: moment.now.saturating_sub(PACK_GRACE_MS), ..row };
        let body = Members::ok()
            .raw("subscription", &write_subscription(&unpaid, moment.now))
            .raw("quote", &write_quote(&quote, self.quotes.rails.mock))
            .text("key", &key)
            .done();
        Ok(Decision { answer: Answer::Reply(Response::json(201, body)), changes })
    }

    /// The key that consumes the calls of a subscription: as good as its id for anyone who has the
    /// secret.
    fn make_key(&self, id: &str) -> String {
        let secret = self.secret.expose().as_bytes();
        let mac = hash::mac(secret, &[b"farebox subscription 1 ", id.as_bytes()]);
        alloc::format!("fbq_{id}.{}", hex::encode(&mac))
    }

    /// `GET /api/protocol/x402/subscriptions/{agentId}/{serviceId}`.
    pub fn access<B: Rows>(
        &self,
        books: &B,
        agent: &str,
        service: &str,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Applied<B> {
        let authorization = request.authorization.as_deref().unwrap_or_default();
        let key = authorization.trim().split_once(' ').map_or("", |(_, key)| key.trim());
        let owned = key.strip_prefix("fbq_").and_then(|rest| rest.split_once('.'));
        let owned = owned
            .map(|(id, _)| id)
            .filter(|id| ct_eq(self.make_key(id).as_bytes(), key.as_bytes()));
        let is_consuming = Query::parse(&request.query).get("consume").as_deref() == Some("true");
        let is_allowed = owned.is_some() || is_operator(self.operator, authorization);
        if is_consuming && !is_allowed {
            return Ok(Decision::reply(refused::no_identity()));
        }
        let row = match owned {
            Some(id) => books.subscription(id)?,
            None => {
                let after = moment.now.saturating_sub(PACK_GRACE_MS);
                books.subscription_of(agent, service, after)?
            }
        };
        let Some(row) = row.filter(|row| row.agent == agent && row.service == service) else {
            let body = Members::new()
                .raw("active", "false")
                .number("callsRemaining", 0)
                .text("renewsAt", "")
                .text("status", "missing");
            return Ok(Decision::reply(Response::json(402, body.done())));
        };
        let access = standing_of(&row, moment.now);
        let is_used = is_consuming && access.serves();
        let row = SubscriptionRow { used: row.used.saturating_add(u64::from(is_used)), ..row };
        let members = Members::new()
            .raw("active", if access.serves() { "true" } else { "false" })
            .number("callsRemaining", row.calls.saturating_sub(row.used))
            .text("renewsAt", &iso(row.renews))
            .text("status", access.name());
        let body = add_end(members, &row, moment.now)
            .raw("subscription", &write_subscription(&row, moment.now));
        let response = Response::json(if access.serves() { 200 } else { 402 }, body.done());
        let mut changes = Vec::new();
        if is_used {
            changes.push(Change::Original(QuoteChange::Subscription(row.into())));
        }
        Ok(Decision { answer: Answer::Reply(response), changes })
    }
}

/// The cycle that a quote pays for, given `subscriptionId`; or why it pays for none.
pub(super) fn find_charge<B: Rows>(
    books: &B,
    rate: &XlmRate,
    quote: &QuoteRow,
    id: Option<&str>,
) -> Result<Result<Option<Charge>, Response>, B::Error> {
    let another = || refusal(400, "subscriptionId does not match quote payer/service");
    match (&quote.order, id) {
        (Some(order), Some(id)) if order.id != id => Ok(Err(another())),
        (Some(order), _) => Ok(Ok(Some(Charge::New(order.clone())))),
        (None, None) => Ok(Ok(None)),
        (None, Some(id)) => {
            let Some(row) = books.subscription(id)? else {
                return Ok(Err(refusal(400, "Subscription not found")));
            };
            let is_for = row.agent == quote.payer && row.service == quote.service;
            if !is_for {
                return Ok(Err(another()));
            }
            let amount = |usd: &str| Amount::from_decimal(usd, USD_DECIMALS).ok();
            // A transfer that was made in time is shown later: the price is that of its quote.
            let then = XlmRate(quote.rate.clone());
            let rate = if quote.rate.is_empty() { rate } else { &then };
            let cost = rate.dollars_of(plan_of(&row.plan).1).and_then(|usd| amount(&usd));
            let is_enough = cost.is_some() && amount(&quote.usd) >= cost;
            if !is_enough {
                return Ok(Err(refusal(400, "The quote is for less than the plan costs")));
            }
            Ok(Ok(Some(Charge::Renewal(row))))
        }
    }
}

/// `GET /api/protocol/x402/subscriptions`.
pub(super) fn list_subscriptions<B: Rows>(books: &B, moment: Now<'_>) -> Applied<B> {
    let rows = books.subscriptions()?;
    let count = |access: &[Standing]| {
        let is_one = |row: &&SubscriptionRow| access.contains(&standing_in_time(row, moment.now));
        let count = rows.iter().filter(is_one).count();
        u64::try_from(count).unwrap_or(u64::MAX)
    };
    let active = rows.iter().filter(|row| standing_in_time(row, moment.now).serves());
    let month = active.fold(Amount::ZERO, |all, row| {
        let price = Amount::from_decimal(plan_of(&row.plan).1, XLM_DECIMALS);
        all.checked_add(price.unwrap_or(Amount::ZERO)).unwrap_or(all)
    });
    let stats = Members::new()
        .number("active", count(&[Standing::Active, Standing::Grace]))
        .number("paused", count(&[Standing::Paused]))
        .number("grace", count(&[Standing::Grace]))
        .raw("mrrXlm", number(&month.to_decimal(XLM_DECIMALS)));
    let body = Members::ok()
        .raw("subscriptions", &list(rows.iter().map(|row| write_subscription(row, moment.now))))
        .raw("stats", &stats.done());
    Ok(Decision::reply(Response::json(200, body.done())))
}

/// `GET /api/subscriptions/{id}/proof`.
pub(super) fn show_proof<B: Rows>(books: &B, id: &str, moment: Now<'_>) -> Applied<B> {
    Ok(Decision::reply(match books.subscription(id)? {
        Some(row) => Response::json(200, write_proof(Members::ok(), &row, moment.now)),
        None => refusal(404, "Subscription proof not found"),
    }))
}

/// Adds the last payment for a subscription to an answer.
pub(super) fn write_proof(members: Members, row: &SubscriptionRow, now: u64) -> String {
    let members = members
        .text("subscriptionId", &row.id)
        .raw("isActive", if standing_of(row, now).serves() { "true" } else { "false" });
    let members = match row.block {
        Some(block) => members.number("lastPaymentLedger", block),
        None => members.raw("lastPaymentLedger", "null"),
    };
    members.text("lastPaymentTx", &row.tx).text("contractId", &row.contract).done()
}

fn add_end(members: Members, row: &SubscriptionRow, now: u64) -> Members {
    if standing_in_time(row, now) == Standing::Active {
        return members;
    }
    members.text("graceEndsAt", &iso(row.renews.saturating_add(PACK_GRACE_MS)))
}

fn write_subscription(row: &SubscriptionRow, now: u64) -> String {
    let access = standing_in_time(row, now);
    let members = Members::new()
        .text("id", &row.id)
        .text("serviceId", &row.service)
        .text("agentId", &row.agent)
        .text("plan", &row.plan)
        .number("callsPerMonth", row.calls)
        .number("callsUsed", row.used)
        .text("pricePerMonth", &alloc::format!("{} XLM", plan_of(&row.plan).1))
        .text("status", access.name())
        .raw("active", if access.serves() { "true" } else { "false" })
        .text("createdAt", &iso(row.created))
        .text("renewsAt", &iso(row.renews));
    add_end(members, row, now).text("lastChargedAt", &iso(row.charged)).done()
}
