//! Notices as they are posted: signed for programs, or a sentence for people. Spec: docs/monitoring.md, "Webhook".

use farebox_core::gate::Gate;
use farebox_core::gate::operator::PostedNotice;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::world::{routes, vars};

const ID: &str = "rcpt_oynkkzl4rqr5baufjxxwzfgsaj";
const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const SLACK: &str = "https://hooks.slack.com/services/T0/B0/canary-hook";

/// A notice as a gate with these settings posts it.
fn posted(settings: &Value, kept: &str) -> PostedNotice {
    let mut vars = vars(routes());
    vars.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    gate.webhook().unwrap().posted(kept, UnixTime::from_secs(1_795_278_756))
}

/// The sentence for people.
fn sentence(gate: &Value, kind: &str, data: &Value) -> String {
    let settings = json!({"WEBHOOK_URL": SLACK, "WEBHOOK_FORM": "slack", "WEBHOOK_GATE_URL": gate});
    let kept = json!({"id": "evt_1", "type": kind, "at": 1_795_278_756, "data": data});
    let notice = posted(&settings, &kept.to_string());
    assert_eq!(notice.signature, None);
    let body: Value = serde_json::from_str(&notice.body).unwrap();
    assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
    body["text"].as_str().unwrap().to_owned()
}

fn payment(change: &Value) -> Value {
    let mut data = json!({
        "id": ID, "key": "ab".repeat(32), "state": "refund_due",
        "payer": "0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc",
        "payee": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C", "route": "/fail/[status]",
        "network": "eip155:84532", "asset": USDC, "amount": "10000", "transaction": null, "reason": "origin",
    });
    data.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    data
}

// A-626
#[test]
pub fn what_stands_for_a_payer_is_named_as_no_account() {
    let kept = payment(&json!({"payer": "ab".repeat(32), "network": "aptos:1"}));
    let sentence = sentence(&json!("https://api.example.com"), "payment.refund_due", &kept);
    assert!(sentence.contains(" to whoever sent it for payment "), "{sentence}");
    let told = sentence.split(" for payment ").next().unwrap();
    assert!(!told.contains("abab"), "{sentence}");
}

// A-631
#[test]
fn a_sentence_says_what_happened_the_money_and_what_to_do() {
    let gate = json!("https://api.example.com");
    let room = json!({"bytes": 8_500_000_000_u64, "limit": 10_000_000_000_u64, "percent": 85, "days_left": 15});
    let client = json!({"client": "net_abc", "route": "/after", "code": "expired", "attempts": 5});
    for (kind, data, expected) in [
        (
            "payment.refund_due",
            payment(&json!({})),
            "Wallet `0x209693Bc6afc0C5328bA36FaF03C514EF312287C` owes `0.01 USDC` on `Base Sepolia` to \
             `0x3c44cdddb6a900fa2b585dd299e03d12fa4293bc` for payment `rcpt_oynkkzl4rqr5baufjxxwzfgsaj` of \
             `/fail/[status]` (`origin`): if it is yours, refund or waive it at \
             https://api.example.com/_farebox/desk/#payment?id=rcpt_oynkkzl4rqr5baufjxxwzfgsaj",
        ),
        (
            "payment.manual",
            payment(&json!({"reason": "overdue"})),
            "Payment `rcpt_oynkkzl4rqr5baufjxxwzfgsaj` of `0.01 USDC` on `Base Sepolia` for `/fail/[status]` waits for your \
             review (`overdue`): resolve it at \
             https://api.example.com/_farebox/desk/#payment?id=rcpt_oynkkzl4rqr5baufjxxwzfgsaj",
        ),
        (
            "payment.unknown_overdue",
            payment(&json!({"reason": null})),
            "Payment `rcpt_oynkkzl4rqr5baufjxxwzfgsaj` of `0.01 USDC` on `Base Sepolia` for `/fail/[status]` has had no known \
             outcome for 10 minutes: the gate goes on asking; see whether the facilitator answers at \
             https://api.example.com/_farebox/desk/#facilitators",
        ),
        (
            "ledger.room",
            room,
            "A ledger object has used `85` percent of `LEDGER_MAX_MB`, and begins no payment from 95 on (days until then: \
             `15`): keep less, or raise `LEDGER_SHARDS`; \"Room\" in `docs/upkeep.md` says how",
        ),
        (
            "payer.threshold",
            client,
            "Client `net_abc` has failed to pay for `/after` `5` times in a row (`expired`): see why at \
             https://api.example.com/_farebox/desk/#clients",
        ),
        ("of.later", json!({}), "`of.later`: look at https://api.example.com/_farebox/desk/"),
    ] {
        assert_eq!(sentence(&gate, kind, &data), expected, "{kind}");
    }
}

#[test]
fn without_an_address_of_the_gate_its_path_is_named_and_an_unknown_asset_stays_atomic() {
    let data =
        payment(&json!({"asset": "0x00000000000000000000000000000000000000aa", "reason": null}));
    let said = sentence(&Value::Null, "payment.manual", &data);
    assert!(
        said.contains("of `10000` atomic units of `0x00000000000000000000000000000000000000aa` on"),
        "{said}"
    );
    assert!(said.ends_with("(unknown): resolve it at `/_farebox/desk/`"), "{said}");
}

#[test]
fn text_of_strangers_is_no_mention_no_link_and_no_markup() {
    let evil =
        "<!channel> <https://evil.example|pay> `@everyone` *x* & \u{202e}\nhttps://evil.example";
    let names =
        ["id", "payer", "payee", "route", "network", "asset", "amount", "reason", "client", "code"];
    let mut data = json!({"attempts": evil, "percent": evil, "days_left": evil});
    for name in names {
        data[name] = evil.into();
    }
    let kinds = ["payment.refund_due", "payment.manual", "payment.unknown_overdue", "ledger.room"];
    for kind in kinds.into_iter().chain(["payer.threshold", evil]) {
        let said = sentence(&json!("https://api.example.com"), kind, &data);
        assert!(
            said.contains("&lt;!channel&gt;") && !said.contains(['<', '>', '\n', '\u{202e}']),
            "{said}"
        );
        // Every second part is inside a span of code.
        let outside: String = said.split('`').step_by(2).collect();
        assert!(!["evil", "@", "*", "&"].iter().any(|word| outside.contains(word)), "{outside}");
        assert_eq!(said.matches('`').count() % 2, 0, "{said}");
    }
}

#[test]
fn a_long_text_is_shortened_and_what_is_no_notice_says_nothing_wrong() {
    let said = sentence(
        &Value::Null,
        "payment.refund_due",
        &payment(&json!({"route": "/é".repeat(1_000), "payer": "x".repeat(9_000)})),
    );
    assert!(said.chars().count() < 1_000, "{said}");
    assert!(said.contains("/é…`"), "{said}");
    let settings = json!({"WEBHOOK_URL": SLACK, "WEBHOOK_FORM": "slack"});
    let body = posted(&settings, "not json").body;
    assert_eq!(body, r#"{"text":"``: look at `/_farebox/desk/`"}"#);
}

#[test]
fn for_programs_it_is_what_is_kept_and_a_signature() {
    let kept = r#"{"id":"evt_1","type":"payment.manual","at":1,"data":{}}"#;
    let notice = |more: Value| {
        let mut settings = json!({"WEBHOOK_URL": "https://hook.example", "WEBHOOK_SECRET": "s"});
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        posted(&settings, kept)
    };
    let plain = notice(json!({}));
    assert_eq!(plain.body, kept);
    // printf '1795278756.<body>' | openssl dgst -sha256 -hmac s
    assert_eq!(
        plain.signature.as_deref(),
        Some("t=1795278756,v1=d86b983e8cd2b201549eb5940af57a4e3d1e300cad14d2c13265b0bc550367f3")
    );
    assert_eq!(notice(json!({"WEBHOOK_FORM": "json"})), plain);
    // A secret that is left from the other form does no harm.
    assert_eq!(notice(json!({"WEBHOOK_FORM": "slack"})).signature, None);
}
