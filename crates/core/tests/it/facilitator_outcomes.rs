//! What a facilitator's reply proves.

use farebox_core::amount::Amount;
use farebox_core::evm::address::Address;
use farebox_core::facilitator::outcome::{
    SettleOutcome, VerifyOutcome, settle_outcome, verify_outcome,
};
use farebox_core::facilitator::reply::{FacilitatorReply, Health};
use farebox_core::facilitator::wire::Expected;
use farebox_core::payment::TxHash;

const PAYER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

fn expected() -> Expected {
    Expected {
        payer: Address::parse(PAYER).ok(),
        network: "eip155:84532".to_owned(),
        amount: Amount::from_u64(10_000),
    }
}

fn settle(status: u16, body: &str) -> SettleOutcome {
    let reply = FacilitatorReply::Answer { status, is_json: true, body: body.to_owned() };
    settle_outcome(&reply, &expected())
}

fn success(change: &str, with: &str) -> String {
    format!(
        r#"{{"success":true,"transaction":"{HASH}","network":"eip155:84532","payer":"{PAYER}"}}"#
    )
    .replace(change, with)
}

// A-72, A-73, A-79, A-135
#[test]
fn only_a_success_whose_every_field_agrees_is_a_settlement() {
    let hash = TxHash::parse(HASH).unwrap();
    assert_eq!(settle(200, &success("", "")), SettleOutcome::Settled(hash));
    let lower = PAYER.to_ascii_lowercase();
    assert_eq!(settle(200, &success(PAYER, &lower)), SettleOutcome::Settled(hash));
    let doubts = [
        (200, success("84532", "8453")),
        (200, success(PAYER, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8")),
        (200, success(r#""network""#, r#""amount":"9999","network""#)),
        (200, success(r#""network""#, r#""amount":10000,"network""#)),
        (500, success("", "")),
        (302, success("", "")),
        (200, success(r#""success":true"#, r#""success":"true""#)),
        (200, success(r#""success":true,"#, "")),
    ];
    for (status, body) in doubts {
        assert_eq!(settle(status, &body), SettleOutcome::Unknown(Some(hash)), "{status} {body}");
    }
    let hashless = [
        success(HASH, "0x1234"),
        success(HASH, "pending"),
        success(&format!(r#""transaction":"{HASH}","#), ""),
        success(r#""success":true"#, r#""success":true,"success":true"#),
        "[]".to_owned(),
        "<html>".to_owned(),
    ];
    for body in hashless {
        assert_eq!(settle(200, &body), SettleOutcome::Unknown(None), "{body}");
    }
}

// A-81, A-135
#[test]
fn a_settle_refusal_is_believed_only_for_reasons_given_before_a_broadcast() {
    let refusal = |reason: &str, transaction: &str| {
        format!(
            r#"{{"success":false,"errorReason":"{reason}","transaction":"{transaction}","network":"eip155:84532"}}"#
        )
    };
    for status in [200, 400, 402] {
        assert_eq!(
            settle(status, &refusal("insufficient_funds", "")),
            SettleOutcome::Refused("insufficient_funds".to_owned())
        );
    }
    for reason in [
        "settlement_pending",
        "duplicate_settlement",
        "invalid_exact_evm_nonce_already_used",
        "invalid_transaction_state",
        "unexpected_settle_error",
        "invalid_exact_evm_transaction_failed",
        "whatever",
        "",
    ] {
        assert_eq!(settle(200, &refusal(reason, "")), SettleOutcome::Unknown(None), "{reason}");
    }
    let hash = TxHash::parse(HASH);
    assert_eq!(settle(200, &refusal("insufficient_funds", HASH)), SettleOutcome::Unknown(hash));
    assert_eq!(settle(500, &refusal("insufficient_funds", "")), SettleOutcome::Unknown(None));
}

// A-80
#[test]
fn a_settlement_that_goes_on_behind_the_answer_is_unknown() {
    let hash = TxHash::parse(HASH).unwrap();
    for (status, outcome) in [
        ("success", SettleOutcome::Settled(hash)),
        ("SETTLED", SettleOutcome::Settled(hash)),
        ("pending", SettleOutcome::Unknown(Some(hash))),
        ("timeout", SettleOutcome::Unknown(Some(hash))),
        ("Failed", SettleOutcome::Unknown(Some(hash))),
        ("reverted", SettleOutcome::Unknown(Some(hash))),
        ("cancelled", SettleOutcome::Unknown(Some(hash))),
    ] {
        let body = success("{", &format!(r#"{{"status":"{status}","#));
        assert_eq!(settle(200, &body), outcome, "{status}");
    }
}

// A-215
#[test]
fn a_success_that_names_an_error_is_unknown() {
    let hash = TxHash::parse(HASH).unwrap();
    let with = |more: &str| settle(200, &success("{", &format!("{{{more},")));
    for more in [
        r#""errorReason":"""#,
        r#""errorReason":null"#,
        r#""error_code":"0""#,
        r#""errors":[]"#,
        r#""failed":false"#,
        r#""failedAttempts":1"#,
        r#""failover":true"#,
        r#""errorCode":200"#,
        r#""error":"none""#,
        r#""reason":"ok""#,
        r#""reason":"settled at once""#,
        r#""transferred":"10000""#,
        r#""message":"settled""#,
        r#""code":200"#,
    ] {
        assert_eq!(with(more), SettleOutcome::Settled(hash), "{more}");
    }
    for more in [
        r#""errorReason":"insufficient_funds""#,
        r#""invalidReason":"invalid_signature""#,
        r#""failure":{"code":1}"#,
        r#""errors":["reverted"]"#,
        r#""errno":5"#,
        r#""isFailed":true"#,
        r#""status":"dropped""#,
        r#""REVERTED":true"#,
    ] {
        assert_eq!(with(more), SettleOutcome::Unknown(Some(hash)), "{more}");
    }
}

#[test]
fn a_success_without_a_transaction_is_one_that_moves_later() {
    let none = |more: &str| success(HASH, "").replacen('{', &format!("{{{more}"), 1);
    for more in ["", r#""status":"pending","#, r#""status":"success","#] {
        assert_eq!(settle(200, &none(more)), SettleOutcome::Pending, "{more}");
    }
    for more in [r#""status":"timeout","#, r#""status":"later","#, r#""amount":"1","#] {
        assert_eq!(settle(200, &none(more)), SettleOutcome::Unknown(None), "{more}");
    }
    assert_eq!(settle(500, &none("")), SettleOutcome::Unknown(None));
    let absent = success(&format!(r#""transaction":"{HASH}","#), "");
    assert_eq!(settle(200, &absent), SettleOutcome::Unknown(None));
}

#[test]
fn an_envelope_is_opened_where_it_says_that_all_is_well() {
    let hash = TxHash::parse(HASH).unwrap();
    for (code, outcome) in [
        (r#""0""#, SettleOutcome::Settled(hash)),
        ("0", SettleOutcome::Settled(hash)),
        (r#""50011""#, SettleOutcome::Unknown(None)),
        ("1", SettleOutcome::Unknown(None)),
        ("null", SettleOutcome::Unknown(None)),
    ] {
        let body = format!(r#"{{"code":{code},"msg":"","data":{}}}"#, success("", ""));
        assert_eq!(settle(200, &body), outcome, "{code}");
    }
    let bare = format!(r#"{{"data":{}}}"#, success("", ""));
    assert_eq!(settle(200, &bare), SettleOutcome::Unknown(None));
    let beside =
        |more: &str| settle(200, &format!(r#"{{"code":"0",{more},"data":{}}}"#, success("", "")));
    let usual = r#""error_code":"0","error_message":"","detailMsg":"""#;
    assert_eq!(beside(usual), SettleOutcome::Settled(hash));
    for more in [r#""error_code":"50014""#, r#""errorReason":"x""#, r#""success":false"#] {
        assert_eq!(beside(more), SettleOutcome::Unknown(None), "{more}");
    }
}

#[test]
fn a_refused_key_is_told_from_a_refused_payment_by_what_the_answer_says() {
    let verify = |status, is_json, body: &str| {
        let reply = FacilitatorReply::Answer { status, is_json, body: body.to_owned() };
        (verify_outcome(&reply, &expected()), reply.health())
    };
    let refused = (VerifyOutcome::KeyRefused, Health::Bad);
    for status in [401, 403] {
        assert_eq!(verify(status, true, r#"{"error":"unauthorized"}"#), refused);
        assert_eq!(verify(status, true, r#"{"isValid":"false"}"#), refused);
        assert_eq!(verify(status, true, r#"{"code":"50103","msg":"","data":null}"#), refused);
        assert_eq!(verify(status, false, "<html>"), refused);
        assert_eq!(verify(status, false, r#"{"isValid":false}"#), refused);
        let no = r#"{"isValid":false,"invalidReason":"invalid_signature"}"#;
        let payment = VerifyOutcome::Refused("invalid_signature".to_owned());
        assert_eq!(verify(status, true, no), (payment, Health::Good));
    }
    for status in [400, 402, 404, 429, 500] {
        let (outcome, _) = verify(status, true, r#"{"error":"unauthorized"}"#);
        assert_eq!(outcome, VerifyOutcome::Unavailable, "{status}");
    }
    assert_eq!(verify_outcome(&FacilitatorReply::Unsigned, &expected()), VerifyOutcome::KeyRefused);
    assert_eq!(settle(401, r#"{"error":"unauthorized"}"#), SettleOutcome::Unknown(None));
}

#[test]
fn verify_is_believed_only_in_whole_replies() {
    let verify = |status, body: &str| {
        let reply = FacilitatorReply::Answer { status, is_json: true, body: body.to_owned() };
        verify_outcome(&reply, &expected())
    };
    assert_eq!(verify(200, r#"{"isValid":true}"#), VerifyOutcome::Valid);
    assert_eq!(verify(500, r#"{"isValid":true}"#), VerifyOutcome::Unavailable);
    assert_eq!(verify(200, r#"{"isValid":1}"#), VerifyOutcome::Unavailable);
    assert_eq!(verify(200, r#"{"valid":true}"#), VerifyOutcome::Unavailable);
    assert_eq!(
        verify(200, r#"{"isValid":true,"payer":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"#),
        VerifyOutcome::Unavailable
    );
    assert_eq!(
        verify(400, r#"{"isValid":false,"invalidReason":"invalid_signature\r\n","payer":""}"#),
        VerifyOutcome::Refused("invalid_signature".to_owned())
    );
    assert_eq!(
        verify(200, r#"{"isValid":false,"invalidReason":"invalid_exact_evm_nonce_already_used"}"#),
        VerifyOutcome::Submitted("invalid_exact_evm_nonce_already_used".to_owned())
    );
    let html = FacilitatorReply::Answer {
        status: 200,
        is_json: false,
        body: r#"{"isValid":true}"#.to_owned(),
    };
    assert_eq!(verify_outcome(&html, &expected()), VerifyOutcome::Unavailable);
    assert_eq!(verify_outcome(&FacilitatorReply::Nothing, &expected()), VerifyOutcome::Unavailable);
}
