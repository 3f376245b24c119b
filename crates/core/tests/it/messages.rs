//! What this program writes to itself is read by [`message`] as `serde_json` would read it.

use std::fmt::Debug;

use farebox_core::channel::messages::{ChannelMessage, ChannelReply};
use farebox_core::encoding::json;
use farebox_core::encoding::message::{self, FromJson, Message};
use farebox_core::ledger::attempts::{Count, Counted};
use farebox_core::ledger::command::{LookAnswer, Resumed};
use farebox_core::ledger::quota::Spend;
use farebox_core::ledger::read::{Read, RowReply};
use farebox_core::ledger::report::{OperatorMessage, Report};
use farebox_core::ledger::{Asking, Envelope, LedgerReply};
use serde::Serialize;
use serde::de::DeserializeOwned;

const PAYMENT: &str = r#"{"binding":"b","secret":null,"mode":"before","receipt":"r","route":"/a","url":"u","correlation":"c",
    "network":"n","asset":"t","amount":"10","pay_to":"0x1","valid_before":18446744073709551615,"facilitator":"f",
    "request":"{\"a\":\"\\u00e9\"}","confirm":true}"#;
const TALLY: &str = r#"{"attempts":3,"first_at":1,"last_at":2,"blame":{"cause":"signature","reason":"x"},"streak":1}"#;
const ITEM: &str = r#"{"id":"i","key":"k","state":"s","payer":"p","route":"/a","network":"n","asset":"t","amount":"1",
    "transaction":null,"facilitator":"f","created_at":1,"updated_at":2,"reason":"why","correlation_id":"c","history":"h"}"#;

fn is_read_alike<T: Serialize + DeserializeOwned + FromJson + Debug>(text: &str) {
    let expected = serde_json::from_str::<T>(text).map_err(|error| error.to_string());
    let written = serde_json::to_string(&expected.as_ref().ok()).unwrap_or_default();
    assert_eq!(json::text(&expected.as_ref().ok()), written);
    for text in [text, &written] {
        let read = message::read::<T>(text).ok_or_else(String::new);
        assert_eq!(format!("{read:?}"), format!("{expected:?}"), "{text}");
    }
}

#[test]
fn commands() {
    let leases = r#"{"executing":1,"settling":2,"delivering":3}"#;
    let commands = [
        format!(
            r#"{{"claim":{{"payment":{PAYMENT},"leases":{leases},"idempotent":true,"wallet":true,"in_flight":4294967295,"last":true}}}}"#
        ),
        format!(
            r#"{{"claim":{{"payment":{PAYMENT},"leases":{leases},"idempotent":false,"rival":"k","in_flight":1,"later":[1,{{"a":-1.5}}]}}}}"#
        ),
        r#"{"seal":{"fence":1,"response":"200","seen_block":7}}"#.to_owned(),
        r#"{"seal":{"fence":1,"response":null}}"#.to_owned(),
        r#"{"outcome":{"fence":1,"result":{"settled":"0xab"},"client":"waits"}}"#.to_owned(),
        r#"{"outcome":{"fence":1,"result":{"refused":"no"},"client":"answered","seen_block":1}}"#
            .to_owned(),
        r#"{"outcome":{"fence":1,"result":{"unknown":null},"client":"waits_for_more"}}"#.to_owned(),
        r#"{"learn":{"learnt":{"captured":"0xab"},"owner":true}}"#.to_owned(),
        r#"{"learn":{"learnt":{"captured":"0xab"},"owner":true,"signed":2,"fence":7}}"#.to_owned(),
        r#"{"learn":{"learnt":"void","owner":false}}"#.to_owned(),
        r#"{"fulfil":{"fence":1,"delivery":"client_left"}}"#.to_owned(),
        r#"{"release":{"fence":1,"why":"nothing_ran"}}"#.to_owned(),
    ];
    let counting =
        r#","role":"new","counting":{"route":"/a","exceeded_after":100,"blame":{"cause":"funds"}}"#;
    for command in &commands {
        for rest in ["", r#","role":"old""#, r#","counting":null"#, counting] {
            is_read_alike::<Envelope>(&format!(
                r#"{{"v":1,"payer":"p","key":"k","command":{command}{rest}}}"#
            ));
        }
    }
}

#[test]
fn answers() {
    let answers = [
        r#""recorded""#,
        r#"{"granted":{"fence":9}}"#,
        r#"{"deliver":{"fence":9,"transaction":"0xab"}}"#,
        r#"{"resend":{"fence":9,"facilitator":"f","request":"r","seen_at":1,"seen_block":null}}"#,
        r#"{"replay":{"response":"200","transaction":"0xab"}}"#,
        r#"{"fate":{"refused":{"reason":"no"}}}"#,
        r#"{"fate":"in_progress"}"#,
        r#""full""#,
    ];
    for answer in answers {
        is_read_alike::<LedgerReply>(&format!(r#"{{"answer":{answer}}}"#));
        is_read_alike::<LedgerReply>(&format!(
            r#"{{"answer":{answer},"receipt":"r","tally":{TALLY}}}"#
        ));
    }
}

#[test]
fn questions() {
    let leases = r#"{"executing":1,"settling":2,"delivering":3}"#;
    for kind in ["look", "resume"] {
        is_read_alike::<Asking>(&format!(
            r#"{{"v":1,"payer":"p","key":"k","ask":{{"{kind}":{{"payment":{PAYMENT},"leases":{leases},"idempotent":true}}}},"role":"old"}}"#
        ));
    }
    for seen in [r#""nothing""#, r#""open""#, r#"{"fate":"void"}"#] {
        is_read_alike::<LedgerReply<LookAnswer>>(&format!(r#"{{"answer":{seen}}}"#));
    }
    for resumed in [r#""nothing""#, r#"{"deliver":{"fence":9,"transaction":"0xab"}}"#] {
        is_read_alike::<LedgerReply<Resumed>>(&format!(r#"{{"answer":{resumed}}}"#));
    }
}

// A-145, I-17
#[test]
fn no_question_is_answered_with_a_grant() {
    let granted = r#"{"answer":{"granted":{"fence":1}}}"#;
    assert!(message::read::<LedgerReply>(granted).is_some());
    assert!(message::read::<LedgerReply<LookAnswer>>(granted).is_none());
    assert!(message::read::<LedgerReply<Resumed>>(granted).is_none());
}

#[test]
fn reads_and_counts() {
    is_read_alike::<Read>(r#"{"v":1,"read":{"receipt":"r","payer":"p","key":null}}"#);
    is_read_alike::<RowReply>(r#"{"row":null}"#);
    is_read_alike::<RowReply>(
        r#"{"row":{"payer":"p","key":"k","state":"s","secret":"x","receipt":"r","route":"/a","url":"u","network":"n",
        "asset":"t","amount":"1","pay_to":"0x1","transaction":"0xab"}}"#,
    );
    let entry = r#""client":"net_1","was":"net_0","route":"/a","exceeded_after":5"#;
    is_read_alike::<Count>(&format!(
        r#"{{"v":1,"count":[{{{entry},"reset":true,"more":{TALLY},"back":2,"claims":"0x1"}},{{{entry},"reset":false,"more":null}}]}}"#
    ));
    is_read_alike::<Counted>(&format!(r#"{{"counted":[null,{TALLY}]}}"#));
    is_read_alike::<Spend>(r#"{"v":1,"spend":"net_1","day":20777,"per_day":10}"#);
    for left in ["null", "0", "18446744073709551615"] {
        is_read_alike::<Option<u64>>(left);
    }
}

#[test]
fn errands_and_reports() {
    let filter = r#"{"state":"void","payer":null,"route":"/a","from":1,"to":null}"#;
    let mark = r#"{"created":1,"payer":"p","key":"k"}"#;
    let errands = [
        format!(r#"{{"list":{{"filter":{filter},"after":{mark},"limit":5}}}}"#),
        format!(r#"{{"page":{{"filter":{filter},"after":null,"limit":5}}}}"#),
        format!(r#"{{"sum":{{"filter":{filter},"after":null}}}}"#),
        r#"{"find":{"id":"r"}}"#.to_owned(),
        r#""count""#.to_owned(),
        r#""wake""#.to_owned(),
        r#"{"decide":{"id":"r","decision":{"waived":"why"}}}"#.to_owned(),
        r#"{"decide":{"id":"r","decision":{"refunding":{"known_since":0,"key":"k","sold":true}}}}"#
            .to_owned(),
        r#"{"decide":{"id":"r","decision":{"not_refunded":{"begun":2,"key":"k"}}}}"#.to_owned(),
        r#"{"decide":{"id":"r","decision":{"resolved":{"to":"refund_due","reason":"why"}}}}"#
            .to_owned(),
        r#"{"failures":{"limit":5}}"#.to_owned(),
        r#"{"meter":{"add":[["a",1],["b",2]]}}"#.to_owned(),
    ];
    for errand in &errands {
        is_read_alike::<OperatorMessage>(&format!(r#"{{"v":1,"operator":{errand}}}"#));
    }
    let reports = [
        format!(r#"{{"items":{{"items":[{ITEM},{ITEM}],"more":true}}}}"#),
        format!(r#"{{"item":{ITEM}}}"#),
        r#"{"item":null}"#.to_owned(),
        format!(
            r#"{{"sums":{{"sums":[{{"network":"n","asset":"t","route":"/a","of":{{"settled":"1","void":"2"}}}}],"after":{mark}}}}}"#
        ),
        r#"{"counts":{"rows":[["s","/a",1]],"oldest_unknown":null,"failing":[["/a","c","payer",2]]}}"#.to_owned(),
        format!(r#"{{"decided":{ITEM}}}"#),
        r#"{"undecided":"wrong_state"}"#.to_owned(),
        r#"{"undecided":"refund_restored"}"#.to_owned(),
        r#"{"undecided":"refund_ended"}"#.to_owned(),
        r#"{"undecided":{"refund_begun":5}}"#.to_owned(),
        r#"{"undecided":{"refund_early":5}}"#.to_owned(),
        r#""awake""#.to_owned(),
        r#"{"failing":[{"client":"p","claims":null,"route":"/a","code":"c","cause":"replayed","reason":"","attempts":1,
            "times":1,"first_at":1,"last_at":1}]}"#.to_owned(),
        r#"{"meters":[["a",1]]}"#.to_owned(),
    ];
    for report in &reports {
        is_read_alike::<Report>(report);
    }
}

#[test]
fn what_does_not_fit_is_nothing() {
    let texts = [
        "",
        "null",
        "[]",
        r#"{"v":1}"#,
        r#"{"v":256,"read":{"receipt":"r"}}"#,
        r#"{"v":-1,"read":{"receipt":"r"}}"#,
        r#"{"v":"1","read":{"receipt":"r"}}"#,
        r#"{"v":1,"read":{"receipt":null}}"#,
        r#"{"v":1,"read":{}}"#,
        r#"{"v":1,"read":{"receipt":"r"},"v":1}"#,
        r#"{"v":1,"read":{"receipt":"r"}} x"#,
    ];
    for text in texts {
        assert!(serde_json::from_str::<Read>(text).is_err(), "{text}");
        assert_eq!(message::read::<Read>(text), None, "{text}");
    }
    for text in ["", "-1", "1.5", r#""3""#, "{}", "true"] {
        assert!(serde_json::from_str::<Option<u64>>(text).is_err(), "{text}");
        assert_eq!(message::read::<Option<u64>>(text), None, "{text}");
    }
    for text in [
        r#"{"answer":"nothing_known"}"#,
        r#"{"answer":{}}"#,
        r#"{"answer":{"granted":{"fence":1.5}}}"#,
    ] {
        assert_eq!(message::read::<LedgerReply>(text), None, "{text}");
    }
}

#[test]
fn a_message_is_recognized_by_its_version_and_a_member() {
    let message = Message::parse(br#"{"v":1,"read":{"receipt":"r"}}"#).unwrap();
    assert!(message.is_of(1) && !message.is_of(2));
    assert!(message.has("read") && !message.has("command"));
    assert!(Message::parse(b"{").is_none());
    assert!(!Message::parse(b"[1]").unwrap().is_of(1));
}

#[test]
fn channels() {
    let purchase = r#"{"cumulative":"10","signature":"0xab","price":"5","request":"00","until":7}"#;
    let sight =
        r#"{"deposit":"100","claimed":"0","leaving":18446744073709551615,"nonce":"1","at":9}"#;
    let asks = [
        format!(r#"{{"foresee":[{purchase},"90"]}}"#),
        format!(r#"{{"begin":{purchase}}}"#),
        format!(r#"{{"charge":[{purchase},"4",null]}}"#),
        format!(r#"{{"charge":[{purchase},"4","200"]}}"#),
        format!(r#"{{"accept":{purchase}}}"#),
        format!(r#"{{"close":{purchase}}}"#),
        r#"{"release":"00"}"#.to_owned(),
        r#"{"refund":["10",null,"5"]}"#.to_owned(),
        r#""see""#.to_owned(),
    ];
    for ask in &asks {
        for rest in [
            r#""sight":null,"opened":["0xab",900,null]"#.to_owned(),
            format!(r#""sight":{sight},"opened":["0xab",900,"3"]"#),
        ] {
            is_read_alike::<ChannelMessage>(&format!(
                r#"{{"v":1,"ask":{ask},{rest},"terms":"{{\"a\":1}}"}}"#
            ));
        }
    }
    let snapshot = format!(
        r#"{{"sight":{sight},"spent":"5","evidence":["10","0xab"],"owed":true,"is_payer":false,"facts":null}}"#
    );
    let sent = snapshot.replace("null}", r#"null,"sent":["5",["10","0xab"]]}"#);
    for said in ["held", "repeated", "charged", "promised", "refunded", "taken", "refused"] {
        for (promised, channel) in
            [("null", "null"), (r#"["1","5"]"#, snapshot.as_str()), ("null", sent.as_str())]
        {
            is_read_alike::<ChannelReply>(&format!(
                r#"{{"said":"{said}","refusal":null,"stale":true,"charged":"5","promised":{promised},"kept":null,"channel":{channel}}}"#
            ));
        }
    }
}
