//! What an edge forwards by itself, the gate would forward alike. Spec: `EdgeRules::plain_forwarding`.

use std::collections::BTreeSet;
use std::fs;

use farebox_core::gate::Gate;
use farebox_core::gate::forward::{NEVER_FORWARDED, OWN_PREFIXES};
use farebox_core::gate::reply::NEVER_ANSWERED;
use farebox_core::http::{Headers, RequestHead};
use serde_json::Value;

use crate::world::origin::Say;
use crate::world::{With, World, get, routes, vars};

/// Fields of requests that the gate reads or changes, besides those that it never forwards.
const READ: &[&str] =
    &["authorization", "idempotency-key", "x-api-key", "farebox-x", "x-farebox-x"];
const VALUES: &[&str] = &[
    "1",
    "close",
    "keep-alive",
    "Keep-Alive, x-other",
    "x-other",
    "Payment abc",
    "Bearer a, PAYMENT b",
    "Bearer a",
    "farebox-abc",
    "\"FAREBOX-abc\"",
    "mine, farebox-abc",
    "mine",
];

/// What the edge is handed.
fn handed() -> Value {
    let gate = Gate::from_vars(&vars(routes()).to_string()).unwrap();
    gate.edge_rules().plain_forwarding().unwrap()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// Pairs of a name and what is said of it.
fn pairs(list: &Value) -> Vec<(&str, &Value)> {
    list.as_array().unwrap().iter().map(|pair| (pair[0].as_str().unwrap(), &pair[1])).collect()
}

/// Whether the gate has to see a field of this name.
fn is_for_gate(fields: &Value, name: &str) -> bool {
    let is_prefixed = texts(&fields["prefixes"]).iter().any(|prefix| name.starts_with(prefix));
    is_prefixed || texts(&fields["gate"]).contains(&name)
}

/// Whether a request with these fields is certainly free.
fn is_plain(request: &Value, headers: &Headers) -> bool {
    let lower = |value: &str| value.to_ascii_lowercase();
    let has_words = |name: &str, value: &str| {
        let mut rules = pairs(&request["words"]).into_iter().filter(|(word, _)| *word == name);
        rules.all(|(_, words)| texts(words).contains(&lower(value).as_str()))
    };
    let lacks_parts = |name: &str, value: &str| {
        let mut rules = pairs(&request["parts"]).into_iter().filter(|(part, _)| *part == name);
        rules.all(|(_, part)| !lower(value).contains(part.as_str().unwrap()))
    };
    headers.iter().all(|(name, value)| {
        !is_for_gate(request, name) && has_words(name, value) && lacks_parts(name, value)
    })
}

/// The fields without those that are dropped and the request's id, in the order of their names.
fn rest(fields: &Value, headers: &Headers) -> BTreeSet<(String, String)> {
    let dropped = texts(&fields["dropped"]);
    let rows =
        headers.iter().filter(|(name, _)| !dropped.contains(name) && *name != "x-correlation-id");
    rows.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn every_field_that_the_gate_takes_away_is_the_gates_to_see_or_dropped() {
    let handed = handed();
    for (fields, names) in
        [(&handed["request"], NEVER_FORWARDED), (&handed["answer"], NEVER_ANSWERED)]
    {
        for name in names {
            let is_dropped = texts(&fields["dropped"]).contains(name);
            assert!(is_dropped || is_for_gate(fields, name), "{name}");
        }
    }
}

#[test]
fn the_gate_forwards_a_certainly_free_request_as_the_edge_does() {
    let request = &handed()["request"];
    let own: Vec<String> = OWN_PREFIXES.iter().map(|prefix| format!("{prefix}other")).collect();
    let names = NEVER_FORWARDED.iter().chain(READ).copied().chain(own.iter().map(String::as_str));
    let (mut plain, mut others) = (0, 0);
    for name in names.chain(["accept", "cookie", "if-match", "cache-control"]) {
        for value in VALUES {
            let head = get("/free").header("x-other", "kept").header(name, value);
            if !is_plain(request, &head.headers) {
                others += 1;
                continue;
            }
            plain += 1;
            let mut expected = rest(request, &head.headers);
            for (name, value) in pairs(&request["set"]) {
                expected.insert((name.to_owned(), value.as_str().unwrap().to_owned()));
            }
            let call = forwarded(head);
            assert_eq!(rest(request, &call), expected, "{name}: {value}");
        }
    }
    // Every value is ordinary in six fields; the three with rules of their own take a part of them.
    assert!(plain > 80 && others > 300, "{plain} {others}");
}

fn forwarded(head: RequestHead) -> Headers {
    let mut world = World::new();
    world.send(head);
    world.origin.calls.remove(0).headers
}

#[test]
fn the_gate_passes_on_an_answer_as_the_edge_does_unless_it_has_to_finish_it() {
    let answer = &handed()["answer"];
    let names = NEVER_ANSWERED.iter().copied();
    let names = names.chain([
        "location",
        "www-authenticate",
        "farebox-payer",
        "set-cookie",
        "etag",
        "cache-control",
    ]);
    let mut plain = 0;
    for name in names {
        for value in ["x", "http://127.0.0.1:9000/base/next", "Payment id=\"1\""] {
            let text: &'static str = format!("200\nx-other: kept\n{name}: {value}").leak();
            let mut world = World::new();
            world.origin.plan.push_back(Say::Whole(text, ""));
            let answered = world.send(get("/free"));
            let mut theirs = Headers::new();
            theirs.add("x-other", "kept");
            theirs.add(name, value);
            if !is_for_gate(answer, name) {
                plain += 1;
                assert_eq!(
                    rest(answer, &answered.headers),
                    rest(answer, &theirs),
                    "{name}: {value}"
                );
            }
        }
    }
    assert_eq!(plain, 3 * 6);
}

#[test]
fn the_edge_names_no_field_method_or_scheme_itself() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/worker/free.mjs");
    let source = fs::read_to_string(path).unwrap();
    let is_comment = |line: &&str| ["//", "/*", "*"].iter().any(|mark| line.starts_with(mark));
    let code: Vec<&str> = source.lines().map(str::trim).filter(|line| !is_comment(line)).collect();
    let words: BTreeSet<&str> = code
        .iter()
        .flat_map(|line| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-'))
        .collect();
    let handed = handed();
    let listed = ["request", "answer"].map(|side| texts(&handed[side]["gate"])).concat();
    let listed = listed.into_iter().chain(texts(&handed["methods"])).chain(READ.iter().copied());
    for name in listed.chain(NEVER_FORWARDED.iter().copied()).chain(NEVER_ANSWERED.iter().copied())
    {
        assert!(!words.contains(name), "{name} stands in free.mjs");
    }
    let text = code.join("\n").to_ascii_lowercase();
    for part in ["farebox", "payment", "'x-", "keep-alive", "close"] {
        assert!(!text.contains(part), "{part} stands in free.mjs");
    }
}
