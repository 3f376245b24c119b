//! Deposits: one for a request, none for what is gone, and none that the payer does not allow.

use farebox_core::amount::Amount;
use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{ChannelAim, ChannelNext, ChannelPurchase, channels};
use farebox_core::client::{Policy, Reason};
use farebox_core::http::Headers;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::{
    BEGUN, ENDPOINT, PAYEE, PRICE, Payee, URL, changed, depositing, depositing_at, fields, played,
    purchase, refund, run, signature,
};

#[test]
pub fn one_request_deposits_once_whatever_the_server_says() {
    let (mut payee, mut record) = (Payee::default(), None);
    let first = payee.terms(false);
    // One unit of the deposit has arrived, it says.
    let ended = played(1, &mut record, &first, |payment| payee.takes(payment, Some((0, 1))));
    assert_eq!(ended, (1, PRICE, "receipt_mismatch"));
}

#[test]
pub fn a_payee_that_says_the_deposit_is_gone_gets_no_other() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    let first = played(1, &mut record, &terms, |payment| payee.takes(payment, None));
    assert_eq!((first.0, first.2), (1, ""));
    let lie = Some((PRICE, 0));
    let second = played(2, &mut record, &terms, |payment| payee.takes(payment, lie));
    assert_eq!((second.0, second.2), (0, "receipt_mismatch"));
}

// A-320
#[test]
pub fn a_seller_that_names_channel_after_channel_gets_one_deposit_more_a_day() {
    let mut record = None;
    let mut buys = |seed: u64, more: &Value, later: u64| {
        let mut payee = Payee::default();
        let terms = changed(&payee.terms(false), PAYEE, more);
        let takes = |payment: &str| payee.takes(payment, None);
        let ended = run(&mut purchase(seed), &mut record, &terms, BEGUN.plus(later), takes);
        (ended.deposits, ended.code())
    };
    let delay = |secs: u64| json!({"withdrawDelay": secs});
    assert_eq!(buys(1, &delay(900), 0), (1, ""));
    // Of two prices with delays of their own each has its channel.
    assert_eq!(buys(2, &delay(1_800), 60), (1, ""));
    for (seed, secs) in [(3, 901), (4, 902), (5, 903)] {
        assert_eq!(buys(seed, &delay(secs), 120), (0, "terms_changed"));
    }
    // What is there pays on, and a day later there may be one more.
    assert_eq!(buys(6, &delay(901), 86_400 + 59), (0, "terms_changed"));
    assert_eq!(buys(7, &delay(901), 86_400 + 60), (1, ""));
    assert_eq!(buys(8, &delay(902), 86_400 + 61), (0, "terms_changed"));
}

// A-610
#[test]
pub fn channels_in_which_nothing_is_left_give_way_to_others() {
    let others: Vec<Value> =
        (0..1_450).map(|at| json!([format!("x {at}"), 1, true, "{}"])).collect();
    let before = json!({"v": 2, "entries": [], "pins": [], "sent": others});
    let mut record = Some(before.to_string());
    for at in 0..100 {
        let mut payee = Payee::default();
        let terms = changed(&payee.terms(false), PAYEE, &json!({"withdrawDelay": 900 + at}));
        // Within the cap of a day.
        let now = BEGUN.plus(at * 1_000);
        let mut buyer = depositing(at + 1, ChannelAim::Pay, "0.01");
        let ended = run(&mut buyer, &mut record, &terms, now, |it| payee.takes(it, None));
        assert_eq!((ended.deposits, ended.code()), (1, ""), "{at}");
    }
    let kept = channels(record.as_deref()).unwrap();
    assert_eq!(kept.as_array().unwrap().len(), 51);
}

// A-624
#[test]
pub fn a_seller_s_many_channels_push_out_none_of_another() {
    let others: Vec<Value> =
        (0..1_490).map(|at| json!([format!("x {at}"), 1, true, "{}"])).collect();
    let before = json!({"v": 2, "entries": [], "pins": [], "sent": others});
    let mut record = Some(before.to_string());
    let (url, endpoint) = ("https://honest.example.com/a", "GET https://honest.example.com/a");
    for at in 0..60 {
        let mut payee = Payee::default();
        let terms = changed(&payee.terms(false), PAYEE, &json!({"withdrawDelay": 900 + at}));
        let place = if at == 0 { (url, endpoint) } else { (URL, ENDPOINT) };
        let mut buyer = depositing_at(place, at + 1, ChannelAim::Pay, "0.01");
        let now = BEGUN.plus(at * 2_000);
        let ended = run(&mut buyer, &mut record, &terms, now, |it| payee.takes(it, None));
        assert_eq!((ended.deposits, ended.code()), (1, ""), "{at}");
    }
    let kept = channels(record.as_deref()).unwrap();
    let hosts: Vec<&str> =
        kept.as_array().unwrap().iter().map(|it| it["host"].as_str().unwrap()).collect();
    assert_eq!((hosts[0], hosts.len()), ("honest.example.com", 11));
}

#[test]
fn a_channel_that_was_declined_is_none_beside_others() {
    let mut record = None;
    let mut payee = Payee::default();
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).0, 1);
    let other = changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": 901}));
    for seed in 2..5 {
        let mut buyer = purchase(seed);
        buyer.answered(402, &other, b"", BEGUN);
        record = buyer.update(record.as_deref(), BEGUN).unwrap().or(record);
        assert!(matches!(buyer.updated(), ChannelNext::Sign { deposit: Some(_), .. }), "{seed}");
        record = buyer.release(record.as_deref(), BEGUN).unwrap().or(record);
    }
}

// A-625
#[test]
pub fn a_deposit_that_was_begun_and_not_made_is_begun_again() {
    let mut record = None;
    let mut payee = Payee::default();
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).0, 1);
    let other = changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": 901}));
    let third = changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": 902}));
    // Its page is left while the wallet asks, and the next one comes when it uses the channel no more.
    for (seed, now) in [(2, BEGUN), (3, BEGUN.plus(600))] {
        let mut buyer = purchase(seed);
        buyer.answered(402, &other, b"", now);
        record = buyer.update(record.as_deref(), now).unwrap().or(record);
        assert!(matches!(buyer.updated(), ChannelNext::Sign { deposit: Some(_), .. }), "{seed}");
    }
    let mut buyer = purchase(4);
    buyer.answered(402, &third, b"", BEGUN.plus(600));
    let error = buyer.update(record.as_deref(), BEGUN.plus(600)).unwrap_err();
    assert_eq!(error.reason, Reason::TermsChanged);
}

// A-653
#[test]
pub fn a_deposit_that_was_signed_and_refused_is_not_signed_anew_within_a_day() {
    let (mut payee, mut record) = (Payee::default(), None);
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).0, 1);
    let other = changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": 901}));
    // The seller sends the deposit to the chain, and calls it refused.
    let refuses = |_: &str| (402, Headers::default());
    let mut signed = 0;
    for (seed, after) in [(2, 0), (3, 120), (4, 180), (5, 240), (6, 86_200)] {
        let ended = run(&mut purchase(seed), &mut record, &other, BEGUN.plus(after), refuses);
        signed += ended.deposits;
    }
    assert_eq!(signed, 1);
    let ended = run(&mut purchase(7), &mut record, &other, BEGUN.plus(86_400), refuses);
    assert_eq!(ended.deposits, 1);
}

// A-506
#[test]
pub fn an_answer_that_comes_late_counts_no_other_deposit_as_arrived() {
    let (mut payee, mut record) = (Payee::default(), None);
    let terms = payee.terms(false);
    // A deposit arrives, and its answer is on its way for a minute.
    let (mut slow, payment) = sent(1, &mut record, &terms, BEGUN);
    let (status, headers) = payee.takes(&payment, None);
    let now = BEGUN.plus(61);
    let mut buys = |record: &mut Option<String>, seed: u64, now| {
        let ended = run(&mut purchase(seed), record, &terms, now, |it| payee.takes(it, None));
        (ended.deposits, ended.code())
    };
    for seed in 2..11 {
        assert_eq!(buys(&mut record, seed, now), (0, ""));
    }
    // Another one is signed by then, and lost.
    let lost = |_: &str| (500, Headers::default());
    assert_eq!(run(&mut purchase(11), &mut record, &terms, now, lost).deposits, 1);
    slow.answered(status, &headers, b"", now);
    record = slow.update(record.as_deref(), now).unwrap().or(record);
    assert!(matches!(slow.updated(), ChannelNext::Return(_)));
    let kept = channels(record.as_deref()).unwrap();
    assert_eq!((&kept[0]["deposit"], &kept[0]["pending"]), (&json!("100000"), &json!("100000")));
    assert_eq!(buys(&mut record, 12, now.plus(3_600)), (1, ""));
}

/// A request up to the moment in which its payment leaves.
fn sent(
    seed: u64,
    record: &mut Option<String>,
    terms: &Headers,
    now: UnixTime,
) -> (ChannelPurchase, String) {
    let mut buyer = purchase(seed);
    let mut next = buyer.answered(402, terms, b"", now);
    loop {
        next = match next {
            ChannelNext::Update => {
                *record = buyer.update(record.as_deref(), now).unwrap().or(record.take());
                buyer.updated()
            }
            ChannelNext::Sign { deposit, voucher } => {
                let sign = |it: &Value| signature(it);
                let deposit = deposit.as_deref().map(sign);
                buyer.signed(deposit.as_deref(), voucher.as_deref().map(sign).as_deref())
            }
            ChannelNext::Send { payment, .. } => return (buyer, payment),
            other => panic!("{other:?}"),
        };
    }
}

// A-544
#[test]
pub fn a_deposit_that_may_have_arrived_stays_known_until_its_payee_speaks_of_it() {
    let late = BEGUN.plus(61);
    let settled = json!({"success": true, "transaction": "0x01", "amount": "100000"});
    let paid_back = fields("payment-response", &settled);
    let refused = changed(&Payee::default().terms(false), PAYEE, &json!({}));
    // What its payee does with the opening, and says later: what is pending then, and deposited.
    for arrives in [true, false] {
        let (mut payee, mut record) = (Payee::default(), None);
        let terms = payee.terms(false);
        // No answer comes, nor to what is shown once the deposit has ended.
        for (seed, now) in [(1, BEGUN), (2, late)] {
            let (mut lost, payment) = sent(seed, &mut record, &terms, now);
            if arrives && seed == 1 {
                payee.takes(&payment, None);
            }
            lost.abandoned();
            record = lost.update(record.as_deref(), now).unwrap().or(record);
            let kept = channels(record.as_deref()).unwrap();
            assert_eq!((&kept[0]["pending"], &kept[0]["deposit"]), (&json!("100000"), &json!("0")));
        }
        let asks = |record: &mut Option<String>, now, answer: &dyn Fn() -> (u16, Headers)| {
            run(&mut refund(3), record, &terms, now, |_| answer()).code()
        };
        let back = || (200, paid_back.clone());
        assert_eq!(asks(&mut record, BEGUN, &back), "payment_unresolved", "it may still arrive");
        let no = || (402, refused.clone());
        assert_eq!(asks(&mut record, late, &no), "payment_refused", "that is no word of it");
        if arrives {
            assert_eq!(asks(&mut record, late, &back), "");
            assert_eq!(channels(record.as_deref()).unwrap(), json!([]));
            continue;
        }
        // The payee refuses a payment, and knows no channel: the next one deposits.
        let buys = |record: &mut Option<String>, payee: &mut Payee, seed: u64| {
            let answers = |it: &str| if seed == 4 { no() } else { payee.takes(it, None) };
            let ended = run(&mut purchase(seed), record, &terms, late, answers);
            (ended.deposits, ended.code())
        };
        assert_eq!(buys(&mut record, &mut payee, 4), (0, "payment_refused"));
        assert_eq!(buys(&mut record, &mut payee, 5), (1, ""));
    }
}

// A-507
#[test]
pub fn a_deposit_that_nobody_signed_counts_no_more_whoever_uses_the_channel_by_then() {
    for signs in [false, true] {
        let (mut payee, mut record) = (Payee::default(), None);
        let terms = payee.terms(false);
        // Its person is asked for longer than two minutes, and another request pays meanwhile.
        let mut slow = purchase(1);
        slow.answered(402, &terms, b"", BEGUN);
        record = slow.update(record.as_deref(), BEGUN).unwrap().or(record);
        let ChannelNext::Sign { deposit: Some(deposit), voucher: Some(voucher) } = slow.updated()
        else {
            panic!("no deposit is asked for")
        };
        let now = BEGUN.plus(130);
        // It uses up its deposit, where what is signed late is planned again.
        for seed in 2..if signs { 12 } else { 3 } {
            let ended =
                run(&mut purchase(seed), &mut record, &terms, now, |it| payee.takes(it, None));
            assert_eq!((ended.deposits, ended.code()), (u64::from(seed == 2), ""));
        }
        if signs {
            slow.signed(Some(&signature(&deposit)), Some(&signature(&voucher)));
            let mut signed = 0;
            let mut next = ChannelNext::Update;
            while !matches!(next, ChannelNext::Return(_)) {
                next = match next {
                    ChannelNext::Update => {
                        record = slow.update(record.as_deref(), now).unwrap().or(record);
                        slow.updated()
                    }
                    ChannelNext::Sign { deposit, voucher } => {
                        signed += u64::from(deposit.is_some());
                        let sign = |it: &Value| signature(it);
                        let deposit = deposit.as_deref().map(sign);
                        slow.signed(deposit.as_deref(), voucher.as_deref().map(sign).as_deref())
                    }
                    ChannelNext::Send { payment, .. } => {
                        let (status, headers) = payee.takes(&payment, None);
                        slow.answered(status, &headers, b"", now)
                    }
                    other => panic!("{other:?}"),
                };
            }
            assert_eq!((signed, payee.deposit, payee.charged), (1, 200_000, 11 * PRICE));
            continue;
        }
        record = slow.release(record.as_deref(), now).unwrap().or(record);
        let budget = Budget::from_text(record.as_deref()).unwrap();
        let policy = Policy::from_json(r#"{"perDay": "1"}"#).unwrap();
        let caps = budget.caps(&policy, now);
        let spent = caps.into_iter().find(|it| it.name == "perDay").unwrap().spent;
        assert_eq!(spent, Amount::from_decimal("0.1", 18).unwrap());
    }
}

#[test]
pub fn a_deposit_is_never_larger_than_the_payer_allows() {
    let terms = changed(&Payee::default().terms(false), PAYEE, &json!({"minDeposit": "200001"}));
    let mut buyer = purchase(1);
    assert!(matches!(buyer.answered(402, &terms, b"", BEGUN), ChannelNext::Update));
    let error = buyer.update(None, BEGUN).unwrap_err();
    assert_eq!(error.reason.code(), "policy_amount");
    assert!(error.message.contains("0.200001") && error.message.contains("0.2"), "{error:?}");
}
