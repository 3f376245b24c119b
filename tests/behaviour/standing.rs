//! Terms that are remembered are the terms of the whole gate. Spec: `Standings::remember`.

use std::collections::BTreeSet;

use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::gate::Gate;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::reply::{Body, Reply};
use farebox_core::gate::standing::{SILENT, Standing, StandingClient};
use farebox_core::http::{Headers, RequestHead};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{With, get, request, vars};

const NOW: UnixTime = UnixTime::from_secs(1_763_618_400);
const ADDRESS: &str = "192.0.2.7";
/// A client there that does not name its program.
const CLIENT: StandingClient<'_> = StandingClient { address: ADDRESS, agent: "" };

fn gate() -> Gate {
    let two = json!(["eip155:84532", "eip155:421614"]);
    let table = json!([
        {"path": "/after", "price": "$0.01", "description": "Wetter – „heute“, \"x\""},
        {"path": "/items/[id]", "price": "$0.01", "methods": ["GET", "POST"]},
        {"path": "/silent", "price": "$0.01", "diagnostics": false},
        {"path": "/x402", "price": "$0.01", "protocols": ["x402"]},
        {"path": "/mpp", "price": "$0.01", "protocols": ["mpp"]},
        {"path": "/soon", "price": "$0.01", "diagnostics": {"exceeded_after": 5}},
        {"path": "/sometimes", "price": "$0.01", "free": {"per_day": 3}},
        {"path": "/free/*", "price": "free"},
    ]);
    let mut vars = vars(table);
    vars["NETWORK"] = two;
    Gate::from_vars(&vars.to_string()).expect("the configuration is right")
}

/// What an isolate knows while a facilitator has failed so often in a row.
fn isolate(attempts: &mut Attempts, consecutive_failures: u64) -> Isolate<'_> {
    let health = SettlementHealth::Good;
    let facilitators = vec![Condition { health, consecutive_failures, ready: true }];
    Isolate { facilitators, payers: const { &PayerHistory::new() }, attempts, client: None }
}

/// The answer of the whole gate.
fn whole(gate: &Gate, head: RequestHead, fresh: &str, attempts: &mut Attempts) -> Reply {
    match gate.admit(head, fresh, &mut isolate(attempts, 0), NOW) {
        Admission::Respond(reply) => reply,
        _ => panic!("it is answered at once"),
    }
}

#[test]
fn a_rehearsal_is_the_first_answer_of_the_first_route() {
    let gate = gate();
    let reply = gate.standings().rehearse(NOW).expect("something is sold");
    let asked =
        RequestHead::from_text("GET\nhttps://gate.invalid/after\n\ncf-connecting-ip: 192.0.2.1");
    let first = whole(&gate, asked.expect("a head"), "rehearsal", &mut Attempts::new());
    assert_eq!((reply.head.status, reply.route.as_deref()), (402, Some("/after")));
    assert_eq!(lines(&reply.head.headers), lines(&first.head.headers));
    let free = Gate::from_vars(&vars(json!([{"path": "/free/*", "price": "free"}])).to_string());
    assert!(free.expect("the configuration is right").standings().rehearse(NOW).is_none());
}

fn lines(headers: &Headers) -> BTreeSet<String> {
    headers.to_lines().lines().map(str::to_owned).collect()
}

/// Status, fields and body that the edge puts together.
fn put_together(
    text: &Value,
    fresh: &str,
    (id, header): (&str, &str),
) -> (BTreeSet<String>, String) {
    let mut lines: BTreeSet<String> =
        text[0].as_str().unwrap().lines().map(str::to_owned).collect();
    lines.insert(format!("x-correlation-id: {fresh}"));
    lines.extend(Some(format!("www-authenticate: {header}")).filter(|_| !header.is_empty()));
    let part = |at: usize| text[at].as_str().unwrap();
    (lines, [part(1), id, part(2), fresh, part(3)].concat())
}

fn remembered(gate: &Gate, target: &str) -> (Standing, Value) {
    let head = get(target).header("accept", "*/*");
    let (standing, text) =
        gate.standings().remember(&head, "first-contact-0001", NOW).expect("remembered");
    (standing, serde_json::from_str(&text).unwrap())
}

#[test]
pub fn an_answer_from_what_is_remembered_is_that_of_the_whole_gate() {
    let gate = gate();
    for target in ["/after", "/after?city=x&y=%20", "/items/7", "/silent", "/x402", "/mpp"] {
        let (standing, text) = remembered(&gate, target);
        let (mut theirs, mut ours) = (Attempts::new(), Attempts::new());
        for time in 0..20 {
            let fresh = format!("request-{time:016}");
            let head = get(target).header("cf-connecting-ip", ADDRESS);
            let reply = whole(&gate, head, &fresh, &mut theirs);
            let issued = gate
                .standings()
                .ask_again(&standing, &fresh, CLIENT, &mut isolate(&mut ours, 0), NOW)
                .expect("it is answered");
            let (id, header) = issued.map(|issued| (issued.id, issued.header)).unwrap_or_default();
            let (fields, body) = put_together(&text, &fresh, (&id, &header));
            assert_eq!(fields, lines(&reply.head.headers), "{target}");
            assert_eq!(Body::Text(body), reply.body, "{target}");
        }
        assert_eq!(format!("{theirs:?}"), format!("{ours:?}"), "{target}: both count alike");
    }
}

#[test]
pub fn a_client_that_is_told_to_wait_hears_it_from_the_whole_gate() {
    let gate = gate();
    let (standing, _) = remembered(&gate, "/soon");
    let mut attempts = Attempts::new();
    let again = |attempts: &mut Attempts| {
        gate.standings()
            .ask_again(&standing, "request-0001", CLIENT, &mut isolate(attempts, 0), NOW)
            .is_some()
    };
    let answered: Vec<bool> = (0..7).map(|_| again(&mut attempts)).collect();
    assert_eq!(answered, [true, true, true, true, false, false, false]);
    let head = get("/soon").header("cf-connecting-ip", ADDRESS);
    let reply = whole(&gate, head, "request-0002", &mut attempts);
    assert_eq!(reply.head.headers.get("retry-after"), Some("30"), "the fifth, each counted once");
    let failing = &mut isolate(&mut attempts, 10);
    let client = StandingClient { address: "192.0.2.8", ..CLIENT };
    let other = gate.standings().ask_again(&standing, "request-0003", client, failing, NOW);
    assert!(other.is_none(), "while a facilitator fails, clients are asked to come back later");
}

#[test]
pub fn what_depends_on_more_than_the_url_is_not_remembered() {
    let gate = gate();
    let plain = || get("/after").header("accept", "*/*");
    let refused = [
        ("a payment", plain().header("payment-signature", "e30=")),
        ("a payment of version 1", plain().header("x-payment", "e30=")),
        ("a credential", plain().header("authorization", "Payment x")),
        ("another login", plain().header("authorization", "Bearer x")),
        ("an id of the client", plain().header("x-correlation-id", "mine-0001")),
        ("a reader of lists", plain().header("accept-payment", "evm/charge")),
        ("a browser", plain().header("user-agent", "Mozilla/5.0").header("accept", "text/html")),
        ("an upgrade", plain().header("upgrade", "websocket")),
        ("a list of hops", plain().header("connection", "keep-alive, accept")),
        ("a key", plain().header("x-api-key", "0123456789abcdef")),
        ("a field that nobody knows", plain().header("x-other", "1")),
        ("another method", request("HEAD", "/after")),
        ("a free path", get("/free/x")),
        ("no path of the table", get("/nothing")),
        ("free requests of a day", get("/sometimes")),
        ("an ambiguous target", get("/AFTER/")),
        ("a long URL", get(&format!("/after?{}", "x".repeat(600)))),
    ];
    for (what, head) in refused {
        assert!(gate.standings().remember(&head, "first-contact-0001", NOW).is_none(), "{what}");
    }
    for name in SILENT.split(' ') {
        let head = plain().header(name, "curl/8.5.0");
        assert!(gate.standings().remember(&head, "first-contact-0001", NOW).is_some(), "{name}");
    }
}
