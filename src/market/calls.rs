//! The market's objects, sellers, the gate, the treasury and what is stored; `calls.mjs`, `passing.mjs` and `issuers.mjs` are
//! the border.

use farebox_core::compute::identity::{SignatureCheck, UnprovenToken};
use farebox_core::compute::message::{PayoutAnswer, PayoutCall};
use farebox_core::http::Headers;
use farebox_core::skills::message::{
    CallOutcome, Forward, MAX_BODY_BYTES, Proven, SellerAnswer, SellerCall, ShelfDraft, Through,
    TreasuryAnswer,
};
use farebox_core::skills::table::StoredTable;
use farebox_core::treasury::version;
use wasm_bindgen::prelude::*;

use crate::platform::calls::{ask_json, member, settled};
use crate::platform::send::{Limits, Received, Sent, send};

#[wasm_bindgen(module = "/src/market/passing.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = passOn)]
    fn pass_on(
        request: &JsValue,
        url: &str,
        method: &str,
        lines: &str,
        head_ms: u32,
        bytes: u32,
    ) -> js_sys::Promise;
}

#[wasm_bindgen(module = "/src/market/issuers.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = checkRs256)]
    fn check_rs256(
        url: &str,
        kid: &str,
        text: &str,
        signature: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;
}

#[wasm_bindgen(module = "/src/market/calls.mjs")]
extern "C" {
    #[wasm_bindgen(js_name = askObject)]
    fn ask_object(
        objects: &JsValue,
        name: &str,
        letter: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;

    #[wasm_bindgen(js_name = lookAt)]
    fn look_at(objects: &JsValue, name: &str, letter: &str, milliseconds: u32) -> js_sys::Promise;

    #[wasm_bindgen(js_name = openFeed)]
    fn open_feed_of(
        objects: &JsValue,
        name: &str,
        request: &JsValue,
        letter: &str,
        client: &str,
        milliseconds: u32,
    ) -> js_sys::Promise;

    #[wasm_bindgen(js_name = askTreasury)]
    fn ask_treasury(
        env: &JsValue,
        method: &str,
        path: &str,
        lines: &str,
        body: Option<&str>,
        milliseconds: u32,
        bytes: u32,
    ) -> js_sys::Promise;

    #[wasm_bindgen(js_name = putShelf)]
    fn put_shelf(env: &JsValue, name: &str, text: &str, milliseconds: u32) -> js_sys::Promise;

    #[wasm_bindgen(js_name = getShelf)]
    fn get_shelf(env: &JsValue, name: &str, milliseconds: u32) -> js_sys::Promise;

    #[wasm_bindgen(js_name = askBound)]
    fn ask_bound(
        env: &JsValue,
        binding: &str,
        question: &str,
        milliseconds: u32,
        bytes: u32,
    ) -> js_sys::Promise;

    #[wasm_bindgen(js_name = putTable)]
    fn put_table(env: &JsValue, table: &str, number: f64, milliseconds: u32) -> js_sys::Promise;

    #[wasm_bindgen(js_name = readTable)]
    fn read_table(env: &JsValue, milliseconds: u32) -> js_sys::Promise;
}

/// The answer of the market's object; `None` if it is down.
pub(super) async fn object(env: &JsValue, envelope: &str) -> Option<String> {
    settled(ask_object(&member(env, "SKILLS"), "main", envelope, OBJECT_MS)).await?.as_string()
}

/// The answer of the object of a profile; `None` if it is down.
pub(super) async fn exchange(env: &JsValue, profile: &str, envelope: &str) -> Option<String> {
    let objects = member(env, "EXCHANGE");
    settled(ask_object(&objects, profile, envelope, OBJECT_MS)).await?.as_string()
}

/// The view that the object of a profile gives; `None` if it is down.
pub(super) async fn look(env: &JsValue, profile: &str, envelope: &str) -> Option<String> {
    let objects = member(env, "EXCHANGE");
    settled(look_at(&objects, profile, envelope, OBJECT_MS)).await?.as_string()
}

/// A feed of the object of a profile: a `Response`; `None` if it is down.
pub(super) async fn open_feed(
    env: &JsValue,
    profile: &str,
    request: &JsValue,
    envelope: &str,
    client: &str,
) -> Option<JsValue> {
    let objects = member(env, "EXCHANGE");
    let opened = open_feed_of(&objects, profile, request, envelope, client, OBJECT_MS);
    settled(opened).await.filter(|response| !response.is_undefined())
}

/// Posts to the gate without a body, with these fields: its complete answer, if one came in time.
pub(super) async fn gate(
    env: &JsValue,
    url: &str,
    fields: &[(String, String)],
    head_ms: u32,
) -> Option<SellerAnswer> {
    let asked = send_to(&member(env, "GATE"), "POST", url, fields, None, head_ms).await;
    whole(asked).ok()
}

/// Asks the treasury for a payout, or about one.
pub(super) async fn payout(env: &JsValue, token: &str, ask: &PayoutCall) -> Option<PayoutAnswer> {
    let lines = format!("authorization: Bearer {token}\n");
    let (method, path, body) = match ask {
        PayoutCall::Pay(body) => ("POST", "/api/payouts".to_owned(), Some(body.as_str())),
        PayoutCall::Look { id, organization } => {
            ("GET", format!("/api/payouts/{id}?organization={organization}"), None)
        }
        PayoutCall::Refunding { .. } | PayoutCall::Refunded { .. } => {
            return None;
        }
    };
    let asked = ask_treasury(env, method, &path, &lines, body, DECISION_MS, TREASURY_BYTES);
    let answer = treasury_answer(asked).await?;
    Some(PayoutAnswer { status: answer.status, body: answer.body })
}

/// Words for the gate about the refund of a payment.
pub(super) struct RefundCall<'a> {
    pub(super) payment: &'a str,
    pub(super) step: &'a str,
    pub(super) body: &'a str,
}

/// Tells the gate how far the refund of a payment is.
pub(super) async fn refund(
    env: &JsValue,
    gate: &str,
    token: &str,
    call: &RefundCall<'_>,
) -> Option<PayoutAnswer> {
    let RefundCall { payment, step, body } = call;
    let url = format!("{gate}/_farebox/payments/{payment}/{step}");
    let fields = [("authorization", format!("Bearer {token}"))];
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    let bound = member(env, "GATE");
    let asked = send_to(&bound, "POST", &url, &fields, Some(body), NODE_MS).await;
    let answer = whole(asked).ok()?;
    Some(PayoutAnswer { status: answer.status, body: answer.body })
}

/// The platform's verdict on a token's signature.
pub(super) async fn rs256(keys: &str, token: &UnprovenToken) -> SignatureCheck {
    let asked = check_rs256(keys, &token.key, &token.signed, &token.signature, NODE_MS);
    match settled(asked).await.and_then(|said| said.as_string()).as_deref() {
        Some("right") => SignatureCheck::Right,
        Some("wrong") => SignatureCheck::Wrong,
        _ => SignatureCheck::Unread,
    }
}

/// Calls a seller once, or the gate.
pub(super) async fn seller(env: &JsValue, call: &SellerCall) -> CallOutcome {
    let bound = match call.through {
        Through::Seller => JsValue::UNDEFINED,
        Through::Gate => member(env, "GATE"),
    };
    let head_ms = u32::try_from(call.timeout_ms).unwrap_or(u32::MAX);
    let body = call.body.as_deref();
    let asked = send_to(&bound, &call.method, &call.url, &call.headers, body, head_ms).await;
    match whole(asked) {
        Ok(answer) if (300..400).contains(&answer.status) => CallOutcome::Redirect,
        Ok(answer) => CallOutcome::Answer(answer),
        Err(Failed::Late) => CallOutcome::Timeout,
        Err(Failed::TooLarge) => CallOutcome::TooLarge,
        Err(Failed::Unreachable | Failed::Redirect) => CallOutcome::Unreachable,
    }
}

/// Sends a request to a seller, or to the gate.
async fn send_to(
    by: &JsValue,
    method: &str,
    url: &str,
    fields: &[(String, String)],
    body: Option<&str>,
    head_ms: u32,
) -> Sent<Received> {
    let within = Limits { head_ms, body_ms: BODY_MS, bytes: MAX_BODY_BYTES as u32 };
    send(by, url, method, &lines_of(fields), body, within).await
}

/// A complete answer.
fn whole(asked: Sent<Received>) -> Result<SellerAnswer, Failed> {
    match asked {
        Sent::Answer(Received { cut: true, .. }) => Err(Failed::TooLarge),
        Sent::Answer(Received { status, headers, body, base64, .. }) => {
            Ok(SellerAnswer { status, headers, body, base64 })
        }
        Sent::Late => Err(Failed::Late),
        Sent::Lost | Sent::Never => Err(Failed::Unreachable),
    }
}

/// Passes a paid request on, and its answer back: a `Response`, or why there is none.
pub(super) async fn forward(request: &JsValue, to: &Forward) -> Result<JsValue, Failed> {
    let head_ms = u32::try_from(to.timeout_ms).unwrap_or(u32::MAX);
    let lines = lines_of(&to.headers);
    let asked = pass_on(request, &to.url, &to.method, &lines, head_ms, ANSWER_BYTES);
    let said = settled(asked).await.ok_or(Failed::Unreachable)?;
    match said.as_string().as_deref() {
        None => Ok(said),
        Some("late") => Err(Failed::Late),
        Some("long") => Err(Failed::TooLarge),
        Some("redirect") => Err(Failed::Redirect),
        Some(_) => Err(Failed::Unreachable),
    }
}

/// Why a seller's answer cannot be passed back.
#[derive(Clone, Copy)]
pub(super) enum Failed {
    /// No head within the time.
    Late,
    /// No connection, or it broke.
    Unreachable,
    /// A redirect.
    Redirect,
    /// A body of more than is passed back.
    TooLarge,
}

/// The treasury's answer about the owner of a token.
pub(super) enum Identity {
    /// This agent.
    Known(Proven),
    /// Whoever shows it is unknown there.
    Unknown,
    /// The treasury does not answer.
    Down,
}

/// Asks the treasury whose token this is.
pub(super) async fn identity(env: &JsValue, authorization: &str) -> Identity {
    let lines =
        format!("authorization: {authorization}\n{}: {}\n", version::HEADER, version::CURRENT);
    let asked =
        ask_treasury(env, "GET", "/api/sdk/identity", &lines, None, IDENTITY_MS, TREASURY_BYTES);
    let Some(answer) = treasury_answer(asked).await else { return Identity::Down };
    match answer.status {
        200 => serde_json::from_str::<Named>(&answer.body).map_or(Identity::Down, |named| {
            Identity::Known(Proven { organization: named.organization, agent: named.agent })
        }),
        400..500 => Identity::Unknown,
        _ => Identity::Down,
    }
}

/// The owner of a token, as the treasury names it.
#[derive(serde::Deserialize)]
struct Named {
    organization: String,
    agent: String,
}

/// Asks the treasury for a decision, with the agent's own token.
pub(super) async fn decision(
    env: &JsValue,
    authorization: &str,
    path: &str,
    document: &str,
) -> Option<TreasuryAnswer> {
    let lines =
        format!("authorization: {authorization}\n{}: {}\n", version::HEADER, version::CURRENT);
    let asked =
        ask_treasury(env, "POST", path, &lines, Some(document), DECISION_MS, TREASURY_BYTES);
    treasury_answer(asked).await
}

/// Looks a decision up.
pub(super) async fn looked_up(
    env: &JsValue,
    token: &str,
    organization: &str,
    agent: &str,
    key: &str,
) -> Option<TreasuryAnswer> {
    let lines = format!("authorization: Bearer {token}\n");
    let path = format!("/api/lookup/decisions?organization={organization}&agent={agent}&key={key}");
    let asked = ask_treasury(env, "GET", &path, &lines, None, IDENTITY_MS, TREASURY_BYTES);
    treasury_answer(asked).await
}

async fn treasury_answer(asked: js_sys::Promise) -> Option<TreasuryAnswer> {
    let said = settled(asked).await?.as_string()?;
    let (status, rest) = said.split_once('\n')?;
    let (figures, rest) = rest.split_once('\n')?;
    let (money, rest) = rest.split_once('\n')?;
    let (transaction, body) = rest.split_once('\n')?;
    let told = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Some(TreasuryAnswer {
        status: status.parse().ok()?,
        figures: told(figures),
        money: told(money),
        transaction: told(transaction),
        body: body.to_owned(),
    })
}

/// The body of a node's reply to a JSON-RPC request. Its URL may hold a key, so that it is never
/// logged.
pub(super) async fn node(url: &str, body: &str) -> Option<String> {
    let said = settled(ask_json(url, "", None, body, NODE_MS, NODE_BYTES)).await?.as_string()?;
    let (_, body) = said.strip_prefix("200\n")?.split_once('\n')?;
    Some(body.to_owned())
}

/// The answer of the Worker that is bound as `REPUTATION` to a question; `None` if it is not bound,
/// or gave no complete answer in time.
pub(super) async fn reputation(env: &JsValue, question: &str) -> Option<String> {
    let asked = ask_bound(env, "REPUTATION", question, REPUTATION_MS, BOUND_BYTES);
    settled(asked).await?.as_string()
}

/// The answer of the Worker that is bound as `PROOF` about a result; `None` if it gave no complete
/// answer in time.
pub(super) async fn proof(env: &JsValue, question: &str) -> Option<String> {
    settled(ask_bound(env, "PROOF", question, PROOF_MS, BOUND_BYTES)).await?.as_string()
}

/// Writes the gate's route table under its number; whether it is written.
pub(super) async fn table_put(env: &JsValue, table: &str, number: u64) -> bool {
    let put = put_table(env, table, number as f64, KV_MS);
    settled(put).await.is_some_and(|put| put.is_truthy())
}

/// The gate's route table that is stored; `None` if it cannot be read.
pub(super) async fn stored_table(env: &JsValue) -> Option<StoredTable> {
    let found = settled(read_table(env, KV_MS)).await?;
    let number = member(&found, "number").as_f64()? as u64;
    Some(StoredTable { number, text: member(&found, "text").as_string()? })
}

/// Puts a shelf into the archive; what the archive then has under its name.
pub(super) async fn shelved(env: &JsValue, shelf: &ShelfDraft) -> Option<String> {
    let put = put_shelf(env, &shelf.name, &shelf.text, SHELF_MS);
    settled(put).await.filter(JsValue::is_truthy)?;
    self::shelf(env, &shelf.name).await
}

/// The text of an object of the archive.
pub(super) async fn shelf(env: &JsValue, name: &str) -> Option<String> {
    settled(get_shelf(env, name, SHELF_MS)).await?.as_string()
}

fn lines_of(fields: &[(String, String)]) -> String {
    let mut headers = Headers::new();
    for (name, value) in fields {
        headers.add(name, value);
    }
    headers.to_lines()
}

/// Milliseconds after which the object counts as down.
const OBJECT_MS: u32 = 10_000;
/// Deadline for the body of a seller's answer to an invocation, milliseconds.
const BODY_MS: u32 = 10_000;
/// Longest answer that is passed back to who paid at the gate, bytes.
const ANSWER_BYTES: u32 = 16 * 1024 * 1024;
/// Deadline of the treasury where it looks into its books alone, milliseconds.
const IDENTITY_MS: u32 = 5_000;
/// Its deadline for a decision: it pays and waits for the seller.
const DECISION_MS: u32 = 45_000;
/// Longest answer of the treasury: a seller's within it, escaped.
const TREASURY_BYTES: u32 = 8 * 1024 * 1024;
/// Deadline of a node, milliseconds.
const NODE_MS: u32 = 5_000;
/// Longest reply of a node, bytes.
const NODE_BYTES: u32 = 1024 * 1024;
/// Deadline of the archive for one shelf, milliseconds.
const SHELF_MS: u32 = 10_000;
/// Deadline of the operator's Worker that knows agents, milliseconds.
const REPUTATION_MS: u32 = 3_000;
/// Deadline of the one that judges results.
const PROOF_MS: u32 = 10_000;
/// Longest answer of either, bytes.
const BOUND_BYTES: u32 = 16 * 1024;
/// Deadline of the stored route table, milliseconds.
const KV_MS: u32 = 10_000;
