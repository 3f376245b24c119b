//! What the operator's answers say to people beside atomic units and seconds, and how short a
//! cursor is.

use farebox_core::gate::Gate;
use farebox_core::gate::operator::{OperatorStep, QueryStep};
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::chain::ASSET;
use crate::world::{BEGIN, PAY_TO, With, World, request};

const OPERATOR: &str = "operator-0123456789abcdef0123456789";
const CHAIN: &str = "eip155:84532";
const PAYER: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
const UNKNOWN: &str = "0x00000000000000000000000000000000000000aa";

fn body(reply: &Reply) -> Value {
    let Body::Text(body) = &reply.body else { panic!() };
    assert_eq!(reply.head.status, 200, "{body}");
    serde_json::from_str(body).unwrap()
}

/// The answer to a request of the operator, where every object answers this and the list of
/// channels that.
fn shown(path: &str, object: &Value, channels: &Value) -> Value {
    body(&answer(path, &[Some(object)], channels))
}

/// The answer of a gate with as many objects as there are answers; `None` for one that is down.
fn answer(path: &str, objects: &[Option<&Value>], channels: &Value) -> Reply {
    let mut vars = World::chain_vars();
    vars["OPERATOR_TOKEN"] = json!(OPERATOR);
    vars["LEDGER_SHARDS"] = json!(objects.len());
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let head = request("GET", &format!("/_farebox/{path}"))
        .header("authorization", &format!("Bearer {OPERATOR}"));
    let step = gate.operator().begin(&head, None, "correlation", UnixTime::from_secs(BEGIN));
    let mut query = match step.unwrap() {
        OperatorStep::OperatorQuery(query) => query,
        OperatorStep::Channels(page) => return page.answered(Some(&channels.to_string())),
        step => panic!("{step:?}"),
    };
    let mut said = objects.iter().cycle().map(|object| object.map(Value::to_string));
    loop {
        match query.turn() {
            QueryStep::Answer(reply) => return reply,
            QueryStep::Channels(..) => query.summed(Some(&channels.to_string())),
            QueryStep::Chain(..) => panic!(),
            QueryStep::Ask(calls) => query.answered(said.by_ref().take(calls.len())),
        }
    }
}

#[test]
fn sums_of_a_known_asset_stand_beside_their_decimals() {
    let sum = |asset: &str| json!({"network": CHAIN, "asset": asset, "route": "/a", "of": {"settled": "12345678", "delivered": "10000"}});
    let report = json!({"sums": {"sums": [sum(ASSET), sum(UNKNOWN)], "after": null}});
    for path in ["totals", "audit"] {
        let answer = shown(path, &report, &json!([]));
        let items = answer["items"].as_array().unwrap();
        let of = |asset: &str| items.iter().find(|item| item["asset"] == asset).unwrap();
        let (known, unknown) = (of(ASSET), of(UNKNOWN));
        assert_eq!(known["settled"], "12345678", "{path}");
        assert_eq!(known["settled_decimal"], "12.345678", "{path}");
        assert_eq!(known["delivered_decimal"], "0.01", "{path}");
        assert_eq!(known["refund_due_decimal"], "0", "{path}");
        assert_eq!((&known["symbol"], &known["decimals"]), (&json!("USDC"), &json!(6)), "{path}");
        assert_eq!(unknown["settled"], "12345678", "{path}");
        for name in ["settled_decimal", "symbol", "decimals"] {
            assert_eq!(unknown.get(name), Some(&Value::Null), "{path} {name}");
        }
    }
}

#[test]
fn channels_have_their_amounts_in_tokens_and_their_times_as_dates() {
    let channel = json!({
        "id": "0xab", "state": "open", "network": CHAIN, "asset": ASSET, "deposit": "1000000",
        "spent": "30000", "claimed": "0", "at": 1_790_000_000,
    });
    let gas =
        json!({"id": "payee/x", "account": PAY_TO, "network": CHAIN, "lacks_wei": "0", "at": 0});
    let answer = shown("channels", &Value::Null, &json!([channel, gas]));
    let (channel, gas) = (&answer["items"][0], &answer["items"][1]);
    assert_eq!((&channel["spent"], &channel["spent_decimal"]), (&json!("30000"), &json!("0.03")));
    assert_eq!((&channel["deposit_decimal"], &channel["symbol"]), (&json!("1"), &json!("USDC")));
    assert_eq!(channel["time"], "2026-09-21T14:13:20Z");
    assert_eq!((gas.get("symbol"), &gas["time"]), (None, &json!("1970-01-01T00:00:00Z")));
}

#[test]
fn the_failures_of_a_client_have_dates() {
    let client = json!({
        "client": "net_x", "claims": null, "route": "/a", "code": "payment_required",
        "cause": "unpaid", "reason": "unpaid", "attempts": 3, "times": 3,
        "first_at": 1_790_000_000, "last_at": 1_790_000_060,
    });
    let answer = shown("failures", &json!({"failing": [client]}), &Value::Null);
    let item = &answer["items"][0];
    assert_eq!(
        (&item["first_at"], &item["last_at"]),
        (&json!(1_790_000_000), &json!(1_790_000_060))
    );
    assert_eq!(item["first"], "2026-09-21T14:13:20Z");
    assert_eq!(item["last"], "2026-09-21T14:14:20Z");
}

/// The report of an object about one payment, and whether it has more.
fn listed(more: Value) -> Value {
    let item = json!({
        "id": "rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "key": "ab".repeat(32), "state": "delivered", "payer": PAYER,
        "payee": PAY_TO, "route": "/a", "network": CHAIN, "asset": ASSET, "amount": "10000",
        "transaction": null, "facilitator": "f", "created_at": 1_790_000_000, "updated_at": 1_790_000_000,
        "reason": null,
    });
    json!({"items": {"items": [item], "more": more}})
}

//
#[test]
pub fn a_list_that_lacks_an_object_is_no_list() {
    let (full, none) = (listed(json!(false)), json!({"items": {"items": [], "more": false}}));
    for objects in [[None, Some(&full)], [Some(&none), None], [None, Some(&none)]] {
        let reply = answer("payments?limit=1", &objects, &Value::Null);
        assert_eq!(reply.head.status, 503, "{objects:?}");
    }
    // The page is full before the object that is down; the next one begins there.
    let first = body(&answer("payments?limit=1", &[Some(&full), None], &Value::Null));
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    assert!(first["next"].is_string());
}

#[test]
fn a_cursor_is_short_and_goes_on_where_the_page_ended() {
    let report = listed(json!(true));
    let first = shown("payments?limit=1", &report, &Value::Null);
    let next = first["next"].as_str().unwrap();
    assert!(next.len() < 100 && next.is_ascii(), "{next}");
    let again =
        shown(&format!("payments?limit=1&payer={PAYER}&cursor={next}"), &report, &Value::Null);
    assert_eq!(again["items"].as_array().unwrap().len(), 1);
}

//
#[test]
fn a_payer_whom_the_gate_cannot_read_is_found_by_what_lists_show_of_them() {
    let payer = "ab".repeat(32);
    let item = json!({
        "id": "rcpt_aaaaaaaaaaaaaaaaaaaaaaaaaa", "key": payer, "state": "delivered", "payer": payer,
        "payee": PAY_TO, "route": "/a", "network": "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "asset": ASSET,
        "amount": "10000", "transaction": null, "facilitator": "f", "created_at": 1, "updated_at": 1, "reason": null,
    });
    let report = json!({"items": {"items": [item], "more": true}});
    let first = shown("payments?limit=1", &report, &Value::Null);
    let (next, shown_payer) =
        (first["next"].as_str().unwrap(), first["items"][0]["payer"].as_str().unwrap());
    // The cursor names the payer: a page of theirs goes on there, and of no one else.
    for spelling in [shown_payer.to_owned(), ["0x", &payer.to_uppercase()].concat()] {
        let path = format!("payments?limit=1&payer={spelling}&cursor={next}");
        let again = shown(&path, &report, &Value::Null);
        assert_eq!(again["items"].as_array().unwrap().len(), 1, "{spelling}");
    }
}

#[test]
fn a_page_of_channels_that_ends_with_an_account_leads_on() {
    let id = format!("payee/{CHAIN}");
    let account = json!({"id": id, "account": PAY_TO, "network": CHAIN, "lacks_wei": "0", "at": 0});
    let first = shown("channels?limit=1", &Value::Null, &json!([account]));
    assert_eq!(first["next"], id.as_str());
    let next = shown(&format!("channels?limit=1&cursor={id}"), &Value::Null, &json!([]));
    assert_eq!(next["items"], json!([]));
}
