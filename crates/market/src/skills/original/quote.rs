//! Quotes: what a payment costs, where it goes, and until when.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::books::QuoteChange;
use super::rail::{MAX_MARK, Rail, Rails, choose_rail};
use super::reputation::{Reputation, Word, no_reputation};
use super::row::{OptionRow, OrderRow, QuoteRow};
use crate::skills::books::{Change, Rows};
use crate::skills::invoke::ledger_id;
use crate::skills::kernel::{Applied, Decision, Now};
use crate::skills::listing_request::object;
use crate::skills::message::{Answer, OriginalRequest, Response};
use crate::skills::price::{USD_DECIMALS, plain};
use crate::skills::refused::refusal;
use crate::text::{Members, iso, list, number};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;

/// Longest name that a caller gives, bytes.
const MAX_NAME: usize = 128;
/// Longest time for which a quote holds, seconds.
const MAX_TTL_SECS: u64 = 3_600;
/// Milliseconds after its end in which a transfer that was made in time may still be shown: its
/// block has to become final first.
pub(super) const SHOWN_MS: u64 = 1_800_000;
/// Most quotes that are kept for one client network, while few are kept for all.
const MAX_OF_CLIENT: u64 = 32;
/// Quotes of all after each of which a network may have half as many, and one at least: who has none
/// finds a place until hundreds of networks hold some.
const STEP_OF_ALL: u64 = 160;
/// Most quotes that are kept for all.
const MAX_OF_ALL: u64 = 960;
/// How many amounts are tried until one is free.
const MAX_TRIES: u8 = 64;
/// Fraction digits of a number that a caller gives.
const GIVEN_DECIMALS: u8 = 18;
/// Longest attestation of an agent's reputation, bytes.
const MAX_ATTESTATION: usize = 16_384;
/// Most dollars of a quote.
const MAX_USD: &str = "1000000";

/// The content of a request for a quote.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    /// `serviceId`.
    pub service: String,
    /// `payer`.
    pub payer: String,
    /// Dollars.
    pub usd: String,
    /// Seconds for which the quote holds.
    pub ttl_secs: u64,
    /// The chain, if one is named.
    pub chain: Option<String>,
    /// The order that it pays for, if that is a subscription.
    pub order: Option<OrderRow>,
}

/// A new quote and what is written of it, or the refusal.
type NewQuote = Result<(QuoteRow, Vec<Change>), Response>;

/// Quotes of the original's shapes.
#[derive(Clone, Copy)]
pub(super) struct OriginalQuotes<'m> {
    pub rails: Rails<'m>,
    pub reputation: Reputation,
}

impl OriginalQuotes<'_> {
    /// `POST /api/protocol/x402/quote`.
    pub fn answer<B: Rows>(
        &self,
        books: &B,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Applied<B> {
        let wished = object(&request.body).and_then(|members| Ok((read_wish(&members)?, members)));
        let (wish, members) = or_reply!(wished);
        let (row, changes) = or_reply!(self.make(books, &wish, request, moment)?);
        if let Some(least) = truthy(members.get("minReputation")) {
            let attestation = members.get("attestation").unwrap_or(&Value::Null).to_string();
            if attestation.len() > MAX_ATTESTATION {
                return Ok(Decision::reply(refusal(400, "attestation is too large")));
            }
            let tier = or_reply!(read_name(&members, "tier")).unwrap_or_default();
            let question = Members::new()
                .text("purpose", "quote")
                .text("agentId", &wish.payer)
                .text("serviceId", &wish.service)
                .raw("minReputation", &least.to_string())
                .maybe("tier", &tier)
                .raw("attestation", &attestation)
                .done();
            match self.reputation.ask(request, question) {
                Word::Approved => {}
                Word::Open(answer) => return Ok(Decision::told(answer)),
                Word::Silent => return Ok(Decision::reply(no_reputation())),
                Word::Denied(reason) => {
                    let usual = || "Reputation too low for this service".to_string();
                    return Ok(Decision::reply(refusal(500, &reason.unwrap_or_else(usual))));
                }
            }
        }
        let body = Members::ok().raw("quote", &write_quote(&row, self.rails.mock)).done();
        Ok(Decision { answer: Answer::Reply(Response::json(200, body)), changes })
    }

    /// A new quote, and what is written of it; or why there is none.
    pub fn make<B: Rows>(
        &self,
        books: &B,
        wish: &Wish,
        request: &OriginalRequest,
        moment: Now<'_>,
    ) -> Result<NewQuote, B::Error> {
        let rails = self.rails.list();
        let Some(rail) = choose_rail(&rails, wish.chain.as_deref()) else {
            return Ok(Err(refusal(400, "Settlement chain is not available for quote")));
        };
        let (own, all) = books.quotes_of(&request.client, moment.now)?;
        let is_full = own >= share_of(all) || all >= MAX_OF_ALL;
        if is_full {
            return Ok(Err(refusal(429, "Too many open quotes").with("retry-after", "60")));
        }
        let Some(options) = make_options(books, &rails, &wish.usd, moment)? else {
            return Ok(Err(refusal(503, "No amount is free").with("retry-after", "60")));
        };
        let id = ledger_id("q", moment, 0);
        let mark = hex::encode(&hash::mac(moment.random, &[b"farebox quote reference"]));
        let mark = mark.get(..16).unwrap_or_default();
        let chain = rail.chain().to_string();
        let expires = moment.now.saturating_add(wish.ttl_secs.saturating_mul(1_000));
        let row = QuoteRow {
            reference: alloc::format!("{}:{chain}:{}-{mark}", wish.service, moment.now),
            id,
            service: wish.service.clone(),
            chain,
            payer: wish.payer.clone(),
            usd: wish.usd.clone(),
            options,
            created: moment.now,
            expires,
            until: expires.saturating_add(SHOWN_MS),
            client: request.client.clone(),
            asked: 0,
            order: wish.order.clone(),
            rate: self.rails.rate.0.clone(),
        };
        let changes = [QuoteChange::Sweep(moment.now), QuoteChange::Quote(Box::new(row.clone()))];
        Ok(Ok((row, changes.map(Change::Original).into())))
    }
}

/// How many quotes a network may have while so many are kept for all.
fn share_of(all: u64) -> u64 {
    let halvings = all / STEP_OF_ALL;
    let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
    MAX_OF_CLIENT.checked_shr(halvings).unwrap_or_default().max(1)
}

/// How a quote can be paid: on a real chain with an amount that no other quote has, so that a
/// transfer says which one it pays.
fn make_options<B: Rows>(
    books: &B,
    rails: &[Rail],
    usd: &str,
    moment: Now<'_>,
) -> Result<Option<Vec<OptionRow>>, B::Error> {
    for turn in 0..MAX_TRIES {
        let chance = hash::mac(moment.random, &[b"farebox quote amount", &[turn]]);
        let chance = chance
            .iter()
            .take(4)
            .fold(0_u64, |all, byte| all.saturating_mul(256).saturating_add(u64::from(*byte)));
        let mark = (chance % MAX_MARK).saturating_add(1);
        let made: Option<Vec<OptionRow>> =
            rails.iter().map(|rail| rail.option(usd, mark)).collect();
        let Some(made) = made else { return Ok(None) };
        let mut is_free = true;
        for option in made.iter().filter(|option| !option.network.is_empty()) {
            // Whole tenths of a cent are paid at the gate. A price may have made them of any mark.
            let is_whole = option.units.ends_with("000");
            is_free &= !is_whole && !books.is_quoted(&option.network, &option.units)?;
        }
        if is_free {
            return Ok(Some(made));
        }
    }
    Ok(None)
}

/// A quote as its client sees it.
pub(super) fn write_quote(row: &QuoteRow, mock: bool) -> String {
    let option = |option: &OptionRow| {
        Members::new()
            .text("chain", &option.chain)
            .text("amount", &option.amount)
            .text("amountUnits", &option.units)
            .text("address", &option.address)
            .maybe("network", &option.network)
            .maybe("asset", &option.asset)
            .done()
    };
    let own = row.option(&row.chain);
    let of = |field: fn(&OptionRow) -> &String| own.map(field).cloned().unwrap_or_default();
    let members = Members::new()
        .number("code", 402)
        .text("quoteId", &row.id)
        .text("service", &row.service)
        .text("serviceId", &row.service)
        .text("chain", &row.chain)
        .text("payer", &row.payer)
        .raw("amountUsd", number(&row.usd))
        .text("amountUnits", &of(|option| &option.units))
        .text("address", &of(|option| &option.address))
        .raw("options", &list(row.options.iter().map(option)))
        .text("expiresAt", &iso(row.expires))
        .text("paymentRef", &row.reference)
        .text("memo", &alloc::format!("x402/{}/{}", row.service, row.id));
    if mock { members.raw("mock", "true").done() } else { members.done() }
}

/// The wish in a body.
fn read_wish(members: &Map<String, Value>) -> Result<Wish, Response> {
    let service = read_name(members, "serviceId")?;
    let payer = read_name(members, "payer")?;
    let ttl = read_positive(members, "ttlSeconds", "300")?;
    let units = read_positive(members, "units", "1")?;
    let price = read_positive(members, "unitPriceUsd", "0.1")?;
    let usd = multiply(units, price).ok_or_else(|| refusal(400, "amountUsd is too large"))?;
    if usd == "0" {
        return Err(refusal(500, "unitPriceUsd must be > 0"));
    }
    let ttl = ttl.to_decimal(GIVEN_DECIMALS);
    let whole = ttl.split('.').next().unwrap_or_default();
    Ok(Wish {
        service: service.unwrap_or_else(|| "ai-agent-service".to_string()),
        payer: payer.unwrap_or_else(|| ANONYMOUS.to_string()),
        usd,
        ttl_secs: whole.parse().unwrap_or(MAX_TTL_SECS).clamp(1, MAX_TTL_SECS),
        chain: read_name(members, "chain")?,
        order: None,
    })
}

/// The payer of a quote that names no one.
pub(super) const ANONYMOUS: &str = "anonymous";

/// A value that the original would not replace by its default.
fn truthy(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(true) | Value::Array(_) | Value::Object(_) => true,
    })
}

/// A name that a caller gives, as text.
pub(super) fn read_name(
    members: &Map<String, Value>,
    of: &str,
) -> Result<Option<String>, Response> {
    read_text(members, of, MAX_NAME)
}

/// The same of so many bytes.
pub(super) fn read_text(
    members: &Map<String, Value>,
    of: &str,
    most: usize,
) -> Result<Option<String>, Response> {
    let text = match truthy(members.get(of)) {
        None => return Ok(None),
        Some(Value::String(text)) => text.trim().to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(refusal(400, &alloc::format!("{of} must be text"))),
    };
    if text.len() > most || text.chars().any(char::is_control) {
        let error = alloc::format!("{of} must be at most {most} bytes, without line ends");
        return Err(refusal(400, &error));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// A number above zero, at [`GIVEN_DECIMALS`]; the default where the original takes it.
fn read_positive(
    members: &Map<String, Value>,
    of: &str,
    default: &str,
) -> Result<Amount, Response> {
    let wrong = || refusal(500, &alloc::format!("{of} must be > 0"));
    let text = match truthy(members.get(of)) {
        None => Some(default.to_string()),
        Some(Value::Number(number)) => plain(&number.to_string()),
        Some(Value::String(text)) => plain(text.trim()),
        Some(_) => None,
    };
    let amount = Amount::from_decimal(&text.ok_or_else(wrong)?, GIVEN_DECIMALS);
    amount.ok().filter(|amount| !amount.is_zero()).ok_or_else(wrong)
}

/// The product of two numbers, rounded to [`USD_DECIMALS`] as the original does, half up.
fn multiply(units: Amount, price: Amount) -> Option<String> {
    // 36 fraction digits, of which 30 go: half of the last one that stays is 5 and 29 zeros.
    let half = Amount::from_decimal("0.5", 30).ok()?;
    let scale = 1_000_000_000_000_000;
    let exact = units.checked_mul(price)?.checked_add(half)?;
    let usd = exact.checked_div_u64(scale)?.checked_div_u64(scale)?;
    let most = Amount::from_decimal(MAX_USD, USD_DECIMALS).ok()?;
    (usd <= most).then(|| usd.to_decimal(USD_DECIMALS))
}
