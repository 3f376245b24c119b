//! Subscriptions: calls of a service that were paid in advance, used one by one with a key.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::books::QuoteChange;
use super::iso;
use super::quote::{Wish, name, shown as shown_quote};
use super::row::{OrderRow, QuoteRow, SubscriptionRow};
use crate::skills::books::{Change, Rows};
use crate::skills::invoke::ledger_id;
use crate::skills::message::{Answer, OriginalRequest, Response};
use crate::skills::pack::{CYCLE_MS, PACK_GRACE_MS};
use crate::skills::price::{USD_DECIMALS, XLM_DECIMALS};
use crate::skills::query::Query;
use crate::skills::refused::{self, said};
use crate::skills::text::{Members, list, number};
use crate::skills::wares::object;
use crate::skills::{Decision, Market, Now};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::secret::ct_eq;

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

/// The access that a subscription gives now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Active,
    /// Its cycle has ended, and it serves for a day more.
    Grace,
    Exhausted,
    Paused,
}

impl Access {
    fn of(row: &SubscriptionRow, now: u64) -> Self {
        let in_time = Self::in_time(row, now);
        if in_time != Self::Paused && row.used >= row.calls && !planted(Mutant::CallsNeverEnd) {
            return Self::Exhausted;
        }
        in_time
    }

    /// The same whatever calls are left.
    fn in_time(row: &SubscriptionRow, now: u64) -> Self {
        if now < row.renews {
            Self::Active
        } else if now < row.renews.saturating_add(PACK_GRACE_MS) || planted(Mutant::RenewalsAreFree)
        {
            Self::Grace
        } else {
            Self::Paused
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Grace => "grace",
            Self::Exhausted => "exhausted",
            Self::Paused => "paused",
        }
    }

    const fn serves(self) -> bool {
        matches!(self, Self::Active | Self::Grace)
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

impl Charge {
    /// The subscription once it is paid.
    pub(super) fn paid(
        self,
        quote: &QuoteRow,
        (tx, block, contract): (&str, Option<u64>, &str),
        now: u64,
    ) -> SubscriptionRow {
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

impl Market {
    /// The cycle that a quote pays for, given `subscriptionId`; or why it pays for none.
    pub(super) fn charged<B: Rows>(
        &self,
        books: &B,
        quote: &QuoteRow,
        id: Option<&str>,
    ) -> Result<Result<Option<Charge>, Response>, B::Error> {
        let another = || said(400, "subscriptionId does not match quote payer/service");
        match (&quote.order, id) {
            (Some(order), Some(id)) if order.id != id => Ok(Err(another())),
            (Some(order), _) => Ok(Ok(Some(Charge::New(order.clone())))),
            (None, None) => Ok(Ok(None)),
            (None, Some(id)) => {
                let Some(row) = books.subscription(id)? else {
                    return Ok(Err(said(400, "Subscription not found")));
                };
                let is_for = row.agent == quote.payer && row.service == quote.service;
                if !is_for && !planted(Mutant::QuotesServeOthers) {
                    return Ok(Err(another()));
                }
                let amount = |usd: &str| Amount::from_decimal(usd, USD_DECIMALS).ok();
                let cost = self.dollars_of(plan_of(&row.plan).1).and_then(|usd| amount(&usd));
                let is_enough = cost.is_some() && amount(&quote.usd) >= cost;
                if !is_enough && !planted(Mutant::RenewalsAreFree) {
                    return Ok(Err(said(400, "The quote is for less than the plan costs")));
                }
                Ok(Ok(Some(Charge::Renewal(row))))
            }
        }
    }

    /// `POST /api/protocol/x402/subscriptions`: a quote for the first cycle, and the key.
    pub(super) fn subscribe<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let wished = object(&request.body).and_then(|members| {
            let need = |of: &str| {
                name(&members, of)?.ok_or_else(|| said(400, &alloc::format!("{of} is required")))
            };
            let (service, payer) = (need("serviceId")?, need("agentId")?);
            let plan = name(&members, "plan")?.unwrap_or_default().to_lowercase();
            if plan == "custom" {
                return Err(said(400, "plan must be one of: starter, growth, pro, monthly"));
            }
            let (plan, xlm, calls) = plan_of(&plan);
            match members.get("callsPerMonth") {
                None => {}
                Some(Value::Number(given)) if given.as_u64() == Some(calls) => {}
                Some(Value::Number(given)) if given.as_f64().is_some_and(|calls| calls > 0.0) => {
                    return Err(said(400, "callsPerMonth must be that of the plan"));
                }
                Some(_) => return Err(said(400, "callsPerMonth must be > 0")),
            }
            let usd = self.dollars_of(xlm).ok_or_else(|| said(400, "amountUsd is too large"))?;
            let order = OrderRow { id: ledger_id("sub", moment, 0), plan: plan.to_string() };
            let chain = name(&members, "chain")?;
            let order = Some(order);
            Ok(Wish { service, payer, usd, ttl_secs: TTL_SECS, chain, order })
        });
        let wish = match wished {
            Ok(wish) => wish,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let (quote, changes) = match self.quoted(books, &wish, request, moment)? {
            Ok(quoted) => quoted,
            Err(response) => return Ok(Decision::reply(response)),
        };
        let order =
            wish.order.unwrap_or_else(|| OrderRow { id: String::new(), plan: String::new() });
        let key = self.subscription_key(&order.id);
        let row = Charge::New(order).paid(&quote, ("", None, ""), moment.now);
        // Until it is paid it serves nothing.
        let unpaid = SubscriptionRow { renews: moment.now.saturating_sub(PACK_GRACE_MS), ..row };
        let body = Members::ok()
            .raw("subscription", &shown(&unpaid, moment.now))
            .raw("quote", &shown_quote(&quote, self.mock))
            .text("key", &key)
            .done();
        Ok(Decision { answer: Answer::Reply(Response::json(201, body)), changes })
    }

    /// The key that consumes the calls of a subscription: as good as its id for anyone who has the
    /// secret.
    fn subscription_key(&self, id: &str) -> String {
        let secret = self.secret.expose().as_bytes();
        let mac = hash::mac(secret, &[b"farebox subscription 1 ", id.as_bytes()]);
        alloc::format!("fbq_{id}.{}", hex::encode(&mac))
    }

    /// `GET /api/protocol/x402/subscriptions/{agentId}/{serviceId}`.
    pub(super) fn access<B: Rows>(
        &self,
        books: &B,
        (agent, service): (&str, &str),
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let authorization = request.authorization.as_deref().unwrap_or_default();
        let key = authorization.trim().split_once(' ').map_or("", |(_, key)| key.trim());
        let owned = key.strip_prefix("fbq_").and_then(|rest| rest.split_once('.'));
        let owned = owned.map(|(id, _)| id).filter(|id| {
            ct_eq(self.subscription_key(id).as_bytes(), key.as_bytes())
                || planted(Mutant::AnyoneConsumes)
        });
        let is_consuming = Query::parse(&request.query).get("consume").as_deref() == Some("true");
        let is_allowed = owned.is_some() || self.is_operator(authorization);
        if is_consuming && !is_allowed && !planted(Mutant::AnyoneConsumes) {
            return Ok(Decision::reply(refused::no_identity()));
        }
        let row = match owned {
            Some(id) => books.subscription(id)?,
            None => books.subscription_of(agent, service)?,
        };
        let Some(row) = row.filter(|row| row.agent == agent && row.service == service) else {
            let body = Members::new()
                .raw("active", "false")
                .number("callsRemaining", 0)
                .text("renewsAt", "")
                .text("status", "missing");
            return Ok(Decision::reply(Response::json(402, body.done())));
        };
        let access = Access::of(&row, moment.now);
        let is_used = is_consuming && access.serves();
        let row = SubscriptionRow { used: row.used.saturating_add(u64::from(is_used)), ..row };
        let members = Members::new()
            .raw("active", if access.serves() { "true" } else { "false" })
            .number("callsRemaining", row.calls.saturating_sub(row.used))
            .text("renewsAt", &iso(row.renews))
            .text("status", access.name());
        let body = until(members, &row, moment.now).raw("subscription", &shown(&row, moment.now));
        let response = Response::json(if access.serves() { 200 } else { 402 }, body.done());
        let mut changes = Vec::new();
        if is_used {
            changes.push(Change::Original(QuoteChange::Subscription(row.into())));
        }
        Ok(Decision { answer: Answer::Reply(response), changes })
    }

    /// `GET /api/protocol/x402/subscriptions`.
    pub(super) fn subscriptions<B: Rows>(
        &self,
        books: &B,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let rows = books.subscriptions()?;
        let count = |access: &[Access]| {
            let is_one =
                |row: &&SubscriptionRow| access.contains(&Access::in_time(row, moment.now));
            let count = rows.iter().filter(is_one).count();
            u64::try_from(count).unwrap_or(u64::MAX)
        };
        let active = rows.iter().filter(|row| Access::in_time(row, moment.now).serves());
        let month = active.fold(Amount::ZERO, |all, row| {
            let price = Amount::from_decimal(plan_of(&row.plan).1, XLM_DECIMALS);
            all.checked_add(price.unwrap_or(Amount::ZERO)).unwrap_or(all)
        });
        let stats = Members::new()
            .number("active", count(&[Access::Active, Access::Grace]))
            .number("paused", count(&[Access::Paused]))
            .number("grace", count(&[Access::Grace]))
            .raw("mrrXlm", number(&month.to_decimal(XLM_DECIMALS)));
        let body = Members::ok()
            .raw("subscriptions", &list(rows.iter().map(|row| shown(row, moment.now))))
            .raw("stats", &stats.done());
        Ok(Decision::reply(Response::json(200, body.done())))
    }

    /// `GET /api/subscriptions/{id}/proof`.
    pub(super) fn proof_of_payment<B: Rows>(
        &self,
        books: &B,
        id: &str,
        moment: Now<'_>,
    ) -> Result<Decision, B::Error> {
        Ok(Decision::reply(match books.subscription(id)? {
            Some(row) => Response::json(200, proof(Members::ok(), &row, moment.now)),
            None => said(404, "Subscription proof not found"),
        }))
    }
}

/// Adds the last payment for a subscription to an answer.
pub(super) fn proof(members: Members, row: &SubscriptionRow, now: u64) -> String {
    let members = members
        .text("subscriptionId", &row.id)
        .raw("isActive", if Access::of(row, now).serves() { "true" } else { "false" });
    let members = match row.block {
        Some(block) => members.number("lastPaymentLedger", block),
        None => members.raw("lastPaymentLedger", "null"),
    };
    members.text("lastPaymentTx", &row.tx).text("contractId", &row.contract).done()
}

fn until(members: Members, row: &SubscriptionRow, now: u64) -> Members {
    if Access::in_time(row, now) == Access::Active {
        return members;
    }
    members.text("graceEndsAt", &iso(row.renews.saturating_add(PACK_GRACE_MS)))
}

fn shown(row: &SubscriptionRow, now: u64) -> String {
    let access = Access::in_time(row, now);
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
    until(members, row, now).text("lastChargedAt", &iso(row.charged)).done()
}
