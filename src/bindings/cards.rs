//! The functions for `farebox/agent` about cards, quotes and tools over MCP. Texts in, JSON out.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_core::agent::approval::Allowance;
use farebox_core::agent::card::{BRAND, Card};
use farebox_core::agent::challenge::RawChallenge;
use farebox_core::agent::detect::{self, Protocol};
use farebox_core::agent::json::Json;
use farebox_core::agent::plan::{SentRequest, plan};
use farebox_core::agent::pool::{Known, Pool};
use farebox_core::agent::prepared;
use farebox_core::agent::quote::{Pay, Quote, Refusal};
use farebox_core::agent::ranking::{Ranking, Wallet, rank};
use farebox_core::agent::settled::Settled;
use farebox_core::agent::{link, mcp, subscription};
use farebox_core::client::budget::Budget;
use farebox_core::client::challenge::Means;
use farebox_core::client::look::{ChallengeResponse, look, spent};
use farebox_core::client::policy::Policy;
use farebox_core::client::price::Unit;
use farebox_core::client::rejection::Rejection;
use farebox_core::encoding::json as strict;
use farebox_core::http::Headers;
use farebox_core::mpp::challenge::{Challenge as Asking, read_list};
use farebox_core::mpp::{Malformed, rpc};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};
use wasm_bindgen::prelude::*;

use super::failure::{refused as refused_argument, seconds, thrown};

/// Maximum size of a document that is read, bytes.
const MAX_BYTES: usize = 1024 * 1024;

/// A 402, and what the caller knows: `brand`, `tokens`, `balances` and `signs`, JSON.
struct CardTerms {
    challenge: RawChallenge,
    pool: Pool,
    wallet: Wallet,
    ranking: Ranking,
    brand: String,
}

impl CardTerms {
    /// Of a list of the three texts, JSON.
    fn kept(terms: &str) -> Self {
        let terms = read(terms);
        let at = |at: usize| terms.elements().get(at).and_then(Json::text).unwrap_or_default();
        // What was quoted stays what it was: a challenge that has ended meanwhile ends the quote.
        Self::read(at(0), at(1), at(2), 0.0)
    }

    fn read(headers: &str, body: &str, context: &str, now: f64) -> Self {
        let (context, body) = (read(context), read(body));
        let headers = Headers::from_lines(headers.lines());
        let challenge = RawChallenge::new(Protocol::X402, headers, &body);
        let tokens = context.get("tokens").cloned().unwrap_or(Json::Null);
        let now = UnixTime::from_secs(now as u64 / 1000);
        let pool = Pool::read(&challenge, &Known::list(&tokens), now);
        let wallet = Wallet::read(&context);
        let ranking = rank(&pool.choices, &wallet);
        let brand = context.text_of("brand").unwrap_or(BRAND).to_string();
        Self { challenge, pool, wallet, ranking, brand }
    }
}

/// The offers of a 402: `candidates` in the order in which they are shown, each with whether it is
/// recommended, can be signed here and is affordable; `sessions`, and what else is to be known.
#[wasm_bindgen]
#[must_use]
pub fn offers(headers: &str, body: &str, context: &str, now: f64) -> String {
    let terms = CardTerms::read(headers, body, context, now);
    let CardTerms { pool, wallet, ranking, .. } = &terms;
    let shown = |index: &usize| {
        let choice = pool.choice(*index)?;
        let Json::Object(mut members) = choice.to_json() else { return None };
        let recommended = ranking.recommended == Some(*index);
        members.push(("recommended".into(), Json::Bool(recommended)));
        members.push(("signable".into(), Json::Bool(wallet.signs(choice))));
        members.extend(wallet.affords(choice).map(|it| ("affordable".into(), Json::Bool(it))));
        Some(Json::Object(members))
    };
    let foreign = pool.foreign.iter().map(|it| it.as_str().into()).collect();
    let ends = prepared::ends_at(&terms.challenge.headers).map(|it| it.secs());
    let expired = pool.has_ended && pool.choices.is_empty() && pool.sessions.is_empty();
    Json::object([
        ("candidates", Some(Json::List(ranking.order.iter().filter_map(shown).collect()))),
        ("sessions", Some(Json::List(pool.sessions.iter().map(|it| it.to_json()).collect()))),
        ("unsupportedMethods", Some(Json::List(foreign))),
        ("expired", Some(Json::Bool(expired))),
        ("endsAt", ends.map(Json::number)),
    ])
    .to_string()
}

/// Which way a 402 asks: `accepts`, `challenge`, both, or none of them for any other answer.
#[wasm_bindgen(js_name = pathOf)]
#[must_use]
pub fn path_of(status: u16, headers: &str, body: &str) -> String {
    let headers = Headers::from_lines(headers.lines());
    let asks = detect::detect(status, &headers, body) == Some(Protocol::X402);
    let rows = headers.joined("www-authenticate").unwrap_or_default();
    let challenges = detect::schemes(&rows);
    let mpp = challenges.iter().any(|it| it.name.eq_ignore_ascii_case("payment"));
    match (asks, status == 402 && mpp) {
        (true, true) => "both",
        (true, false) => "accepts",
        (false, true) => "challenge",
        (false, false) => "none",
    }
    .to_string()
}

/// A card: the first one for an index of -1, the list for -2, else the confirmation of that choice.
/// `params` are those of the request. None if there is no such card.
#[wasm_bindgen]
#[must_use]
pub fn card(
    headers: &str,
    body: &str,
    context: &str,
    now: f64,
    index: i32,
    params: &str,
) -> Option<String> {
    let CardTerms { pool, wallet, ranking, brand, .. } =
        CardTerms::read(headers, body, context, now);
    let params = read(params);
    let card = match index {
        -1 => Card::first(&brand, &pool, &ranking, &params)?,
        -2 => Card::list(&brand, &pool, &ranking, &wallet),
        _ => Card::confirmation(&brand, pool.choice(usize::try_from(index).ok()?)?, &params),
    };
    Some(card.to_json().to_string())
}

/// A new quote, JSON; `headers` are those of its 402.
#[wasm_bindgen(js_name = newQuote)]
#[must_use]
pub fn new_quote(id: &str, owner: &str, headers: &str, now: f64) -> String {
    let ends = prepared::ends_at(&Headers::from_lines(headers.lines()));
    let ends = ends.map(|ends| ends.secs().saturating_mul(1_000));
    Quote::new(id, owner, now as u64, ends).to_json().to_string()
}

/// A step of a quote: `show`, `agree`, `decline`, `pay`, `finish` or `lose`. Gives `{quote}` as it
/// is from now on, with `do` for `pay`, or `{refusal}`. `terms` is a list of header lines, body and
/// context, JSON; an index below 0 is no choice; `told` is the confirmation, or the outcome of
/// `finish`.
#[wasm_bindgen]
#[must_use]
pub fn quoted(
    quote: &str,
    event: &str,
    owner: &str,
    terms: &str,
    index: i32,
    told: &str,
    now: f64,
) -> String {
    let Some(mut quote) = Quote::read(&read(quote)) else { return refused(Refusal::Missing) };
    let CardTerms { pool, .. } = CardTerms::kept(terms);
    let choice = usize::try_from(index).ok().and_then(|index| pool.choice(index));
    let now = now as u64;
    let step = match (event, choice) {
        ("show", choice) => quote.show(owner, choice, now).map(|()| None),
        ("decline", _) => quote.decline(owner, now).map(|()| None),
        ("agree", Some(choice)) => quote.agree(owner, choice, told, now).map(|()| None),
        ("pay", Some(choice)) => quote.pay(owner, choice, told, now).map(Some),
        ("finish", _) => {
            quote.finish(read(told));
            Ok(None)
        }
        ("lose", _) => {
            quote.lose();
            Ok(None)
        }
        _ => Err(Refusal::InvalidInput),
    };
    match step {
        Ok(pay) => {
            let what = pay.as_ref().map(|pay| match pay {
                Pay::Begin(_) => "begin",
                Pay::Pending => "pending",
                Pay::Known(_) => "known",
            });
            let index = match &pay {
                Some(Pay::Begin(index)) => u64::try_from(*index).ok().map(Json::number),
                _ => None,
            };
            let outcome = match pay {
                Some(Pay::Known(outcome)) => Some(outcome),
                _ => None,
            };
            Json::object([
                ("quote", Some(quote.to_json())),
                ("do", what.map(Json::from)),
                ("index", index),
                ("outcome", outcome),
            ])
            .to_string()
        }
        Err(refusal) => refused(refusal),
    }
}

fn refused(refusal: Refusal) -> String {
    Json::object([("refusal", Some(refusal.code().into()))]).to_string()
}

/// The `Payment` challenge at this place among those of `WWW-Authenticate`, as a header value.
#[wasm_bindgen(js_name = challengeAt)]
#[must_use]
pub fn challenge_at(value: &str, at: u32) -> Option<String> {
    let all = detect::schemes(value).into_iter();
    let mut mine = all.filter(|it| it.name.eq_ignore_ascii_case("payment"));
    let scheme = mine.nth(usize::try_from(at).ok()?)?;
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    let param = |(name, value): &(String, String)| alloc::format!("{name}=\"{}\"", quoted(value));
    let params: Vec<String> = scheme.params.iter().map(param).collect();
    Some(alloc::format!("Payment {}", params.join(", ")))
}

/// Which parameters a request needs, and which of them are missing: JSON. `given` has values.
#[wasm_bindgen(js_name = parameterPlan)]
#[must_use]
pub fn parameter_plan(
    method: &str,
    url: &str,
    request: Option<String>,
    headers: &str,
    body: &str,
    given: &str,
) -> String {
    let headers = Headers::from_lines(headers.lines());
    let challenge = RawChallenge::new(Protocol::X402, headers, &read(body));
    plan(SentRequest { method, url, body: request.as_deref() }, Some(&challenge), &read(given))
        .to_string()
}

/// The report to a person after a payment of this choice: `{status, transaction?, amount?, text}`;
/// none if there is no such choice.
#[wasm_bindgen]
#[must_use]
pub fn settled(status: u16, answer: &str, terms: &str, index: u32) -> Option<String> {
    let CardTerms { pool, .. } = CardTerms::kept(terms);
    let choice = pool.choice(usize::try_from(index).ok()?)?;
    let answer = Headers::from_lines(answer.lines());
    Some(Settled::read(status, &answer, choice).to_json(choice).to_string())
}

/// A seller's refusal in one line.
#[wasm_bindgen(js_name = sellerSays)]
#[must_use]
pub fn seller_says(status: u16, body: &[u8]) -> String {
    Rejection::read(status, body).to_string()
}

/// The request of a person who says that they want to pay: `{paymentId}`, or `{ask, text}`.
#[wasm_bindgen(js_name = linkOf)]
#[must_use]
pub fn link_of(text: &str) -> String {
    link::asked(text).to_string()
}

/// Whether a link asks for what is expected: `{ok, differs, text, candidate?}`. Both are JSON; `now`
/// is in milliseconds.
#[wasm_bindgen(js_name = linkChecked)]
#[must_use]
pub fn link_checked(told: &str, expected: &str, now: f64) -> String {
    link::checked(&read(told), &read(expected), now as u64 / 1000).to_string()
}

/// The step that follows for a subscription: `{do, state?, code?, text, access?}`. `asked` is JSON.
#[wasm_bindgen(js_name = subscriptionNext)]
#[must_use]
pub fn subscription_next(intent: &str, asked: &str) -> String {
    subscription::next(intent, &read(asked)).to_string()
}

/// The state of a subscription with this code, `{state, final}`, or null.
#[wasm_bindgen(js_name = subscriptionState)]
#[must_use]
pub fn subscription_state(code: &str) -> String {
    subscription::state(code).to_string()
}

/// The step after a state of a payment by link: `{do, waitMs?, text?}`.
#[wasm_bindgen(js_name = linkNext)]
#[must_use]
pub fn link_next(id: &str, status: &str, reason: &str, elapsed: f64) -> String {
    link::next(id, status, reason, elapsed as u64).to_string()
}

/// The question for the allowance that a payment by Permit2 needs; none if `current` is enough.
/// `facts` is `{token, required, symbol?, decimals?}`, JSON.
#[wasm_bindgen(js_name = allowanceAsked)]
#[must_use]
pub fn allowance_asked(facts: &str, current: &str) -> Option<String> {
    allowance(&read(facts)).question(current).map(|asked| asked.to_string())
}

/// The step after an answer to it: `{do, text, amount?, transaction?}`.
#[wasm_bindgen(js_name = allowanceNext)]
#[must_use]
pub fn allowance_next(facts: &str, chosen: &str, confirmed: u32) -> String {
    allowance(&read(facts)).next(chosen, confirmed).to_string()
}

fn allowance(facts: &Json) -> Allowance<'_> {
    let text = |name: &str| facts.text_of(name).unwrap_or_default();
    let decimals = text("decimals").parse().ok();
    let unit = Unit { symbol: text("symbol"), contract: None, decimals };
    Allowance { token: text("token"), unit, required: text("required") }
}

/// A JSON-RPC message of a tool, as HTTP would answer: `{asks, headers: [[name, value]], body}`.
#[wasm_bindgen(js_name = mcpAnswer)]
#[must_use]
pub fn mcp_answer(message: &str) -> String {
    let mcp::ToolResponse { asks, headers, body } = mcp::ToolResponse::read(message);
    let headers: Vec<Value> =
        headers.into_iter().map(|(name, value)| json!([name, value])).collect();
    json!({"asks": asks, "headers": headers, "body": body}).to_string()
}

/// The member of `_meta` for a header that carries a payment: `[name, value]`; none for any other.
#[wasm_bindgen(js_name = mcpMeta)]
#[must_use]
pub fn mcp_meta(name: &str, value: &str) -> Option<String> {
    mcp::meta(name, value).map(|(name, value)| json!([name, value]).to_string())
}

/// Arguments in the types that a tool's `inputSchema` declares, both JSON.
#[wasm_bindgen(js_name = mcpArguments)]
#[must_use]
pub fn mcp_arguments(arguments: &str, schema: &str) -> String {
    let value = |text: &str| strict::parse_with(text.as_bytes(), MAX_BYTES).unwrap_or(Value::Null);
    mcp::coerced(value(arguments), &value(schema)).to_string()
}

/// Every offer of a 402 with what policy and budget say of it, JSON; throws if there are no terms.
#[wasm_bindgen(js_name = lookAt)]
pub fn look_at(
    policy: &str,
    url: &str,
    endpoint: &str,
    headers: &str,
    body: &[u8],
    record: Option<String>,
    now: f64,
) -> Result<String, JsValue> {
    let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
    let budget = Budget::from_text(record.as_deref()).map_err(|error| thrown(&error))?;
    let headers = Headers::from_lines(headers.lines());
    let host = url.split(['/', '?', '#']).nth(2).unwrap_or_default().to_ascii_lowercase();
    let means = Means {
        policy: &policy,
        host: &host,
        url: Some(url),
        now: seconds(now),
        broadcasts: true,
        authorization_is_free: true,
        pins_realms: true,
    };
    let asked = ChallengeResponse { headers: &headers, body, endpoint };
    let told = look(asked, means, &budget).map_err(|error| thrown(&error))?;
    Ok(Value::Array(told).to_string())
}

/// The spending of each cap, JSON.
#[wasm_bindgen(js_name = spentOf)]
pub fn spent_of(policy: &str, record: Option<String>, now: f64) -> Result<String, JsValue> {
    let policy = Policy::from_json(policy).map_err(|error| thrown(&error))?;
    let budget = Budget::from_text(record.as_deref()).map_err(|error| thrown(&error))?;
    Ok(Value::Array(spent(&policy, &budget, seconds(now))).to_string())
}

/// The `Payment` challenges of a `WWW-Authenticate` value, JSON; throws for one that is none.
#[wasm_bindgen(js_name = readChallenges)]
pub fn read_challenges(value: &str) -> Result<String, JsValue> {
    let object =
        |challenge: Result<Asking, Malformed>| challenge.and_then(|it| rpc::challenge_object(&it));
    let all: Result<Vec<Value>, Malformed> = read_list(value).into_iter().map(object).collect();
    all.map(|all| Value::Array(all).to_string()).map_err(unreadable)
}

/// The value of `WWW-Authenticate` for a challenge, JSON with `request` as an object.
#[wasm_bindgen(js_name = writeChallenge)]
pub fn write_challenge(challenge: &str) -> Result<String, JsValue> {
    let Ok(Value::Object(members)) = strict::parse(challenge.as_bytes()) else {
        return Err(refused_argument("invalid_header", "the challenge is not an object"));
    };
    let challenge = rpc::challenge(&members).map_err(unreadable)?;
    challenge.to_header().map_err(unreadable)
}

fn unreadable(error: Malformed) -> JsValue {
    refused_argument("invalid_header", &alloc::format!("this is not a challenge: {error}"))
}

fn read(text: &str) -> Json {
    Json::read(text, MAX_BYTES).unwrap_or(Json::Null)
}
