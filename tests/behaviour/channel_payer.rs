//! A payer by channel in random histories: processes that die at any step, answers that are lost, servers that lie about what was
//! charged. Whatever happens, the payee holds no voucher that was not signed, signs nothing for the payer, and never sees a deposit
//! that no cap has counted.

use farebox_core::amount::Amount;
use farebox_core::client::Policy;
use farebox_core::client::budget::Budget;
use farebox_core::client::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelPurchase, channels,
};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::dice::Dice;

const URL: &str = "https://api.example.com/report";
const ENDPOINT: &str = "GET https://api.example.com/report";
const PRICE: u64 = 10_000;
const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
const AUTHORIZER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// Policy and largest deposit, in whole tokens.
const PER_DAY: &str = "1";
const MAX_DEPOSIT: &str = "0.2";

/// The payee: an honest one charges what is paid; a liar says anything.
#[derive(Default)]
struct Payee {
    deposit: u64,
    charged: u64,
    /// The highest voucher that came, and its signature.
    highest: (u64, String),
    channel: String,
    served: u64,
    salts: Vec<String>,
}

impl Payee {
    /// The terms, with the state of the channel where a voucher was not taken.
    fn terms(&self, corrected: bool) -> Headers {
        let mut extra = json!({"name": "USDC", "version": "2", "receiverAuthorizer": AUTHORIZER, "withdrawDelay": 900});
        if corrected && !self.channel.is_empty() {
            extra["channelState"] = json!({"channelId": self.channel, "balance": self.deposit.to_string(),
                "totalClaimed": "0", "chargedCumulativeAmount": self.charged.to_string()});
            extra["voucherState"] = json!({"signedMaxClaimable": self.highest.0.to_string(), "signature": self.highest.1});
        }
        let error = if corrected { "cumulative_amount_mismatch" } else { "" };
        let terms = json!({"x402Version": 2, "error": error, "accepts": [{"scheme": "batch-settlement",
            "network": "eip155:84532", "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e", "amount": PRICE.to_string(),
            "payTo": PAYEE, "maxTimeoutSeconds": 60, "extra": extra}]});
        fields("payment-required", &terms)
    }

    /// Takes a payment: status and fields of the answer.
    fn takes(&mut self, payment: &str, lies: Option<(u64, u64)>) -> (u16, Headers) {
        let payment: Value = serde_json::from_slice(&base64::decode(payment).unwrap()).unwrap();
        let payload = &payment["payload"];
        let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
        let shown = number(&payload["voucher"]["maxClaimableAmount"]);
        self.channel = payload["voucher"]["channelId"].as_str().unwrap().to_owned();
        if shown > self.highest.0 {
            self.highest = (shown, payload["voucher"]["signature"].as_str().unwrap().to_owned());
        }
        let mut transaction = "";
        if payload["type"] == "deposit" {
            let made = &payload["deposit"];
            let salt = made["authorization"]["erc3009Authorization"]["salt"].as_str().unwrap();
            // The token takes a nonce once.
            if !self.salts.iter().any(|known| known == salt) {
                self.salts.push(salt.to_owned());
                self.deposit += number(&made["amount"]);
                transaction = "0x01";
            }
        }
        if let Some(lie) = lies {
            let honest = (self.charged, self.deposit);
            (self.charged, self.deposit) = lie;
            let answer = (402, self.terms(true));
            (self.charged, self.deposit) = honest;
            return answer;
        }
        if shown != self.charged + PRICE || shown > self.deposit {
            return (402, self.terms(true));
        }
        self.charged = shown;
        self.served += 1;
        let settled = json!({"success": true, "transaction": transaction, "network": "eip155:84532", "amount": "",
            "extra": {"chargedAmount": PRICE.to_string(), "channelState": {"channelId": self.channel,
                "balance": self.deposit.to_string(), "totalClaimed": "0", "chargedCumulativeAmount": shown.to_string()}}});
        (200, fields("payment-response", &settled))
    }
}

fn fields(name: &str, value: &Value) -> Headers {
    let line = format!("{name}: {}", base64::encode(value.to_string().as_bytes()));
    Headers::from_lines(core::iter::once(line.as_str()))
}

fn wallet() -> Account {
    Account::from_candidates([Secret::new([3; 32])].into_iter()).unwrap()
}

fn signature(typed_data: &Value) -> String {
    let digest = TypedData::from_json(typed_data).unwrap().digest();
    hex::encode_prefixed(&wallet().sign(&digest).unwrap().to_bytes())
}

fn purchase(seed: u64) -> ChannelPurchase {
    begun(seed, ChannelAim::Pay)
}

fn refund(seed: u64) -> ChannelPurchase {
    begun(seed, ChannelAim::Refund(None))
}

fn begun(seed: u64, aim: ChannelAim) -> ChannelPurchase {
    let mut random = [0; 48];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    random[40..].copy_from_slice(&seed.to_be_bytes());
    let policy = Policy::from_json(&json!({"perDay": PER_DAY}).to_string()).unwrap();
    let limits = ChannelLimits {
        deposit: Some("0.1".into()),
        max_deposit: Some(MAX_DEPOSIT.into()),
        max_withdraw_delay_secs: None,
    };
    let address = wallet().address();
    let payer = ChannelPayer { payer: address, voucher_signer: address, salt: [0; 32] };
    ChannelPurchase::new(policy, limits, payer, aim, (URL, ENDPOINT), random)
}

/// What was signed, and what a wallet has let go of.
#[derive(Default)]
struct Signed {
    deposits: u64,
    highest: u64,
}

struct History {
    dice: Dice,
    now: UnixTime,
    record: Option<String>,
    payee: Payee,
    signed: Signed,
    lies: bool,
    returned: u64,
    charged_and_lost: u64,
}

impl History {
    fn new(dice: Dice, lies: bool) -> Self {
        Self {
            dice,
            now: UnixTime::from_secs(1_763_618_400),
            record: None,
            payee: Payee::default(),
            signed: Signed::default(),
            lies,
            returned: 0,
            charged_and_lost: 0,
        }
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.dice.below(one_in) == 0
    }

    /// One request, by a process that may die at each step.
    fn request(&mut self, seed: u64) {
        let mut buyer = purchase(seed);
        let mut next = buyer.answered(402, &self.payee.terms(false), b"", self.now);
        let mut answer_is_lost = false;
        for _ in 0..60 {
            self.hold();
            if self.chance(25) {
                // It dies; what waits for it waits until its time is over.
                self.now = self.now.plus(200);
                return;
            }
            next = match next {
                ChannelNext::Update | ChannelNext::Wait(_) => {
                    match buyer.update(self.record.as_deref(), self.now) {
                        Ok(Some(record)) => self.record = Some(record),
                        Ok(None) => self.now = self.now.plus(1),
                        Err(_) => return,
                    }
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                    if self.chance(12) {
                        let record = buyer.release(self.record.as_deref(), self.now).unwrap();
                        self.record = record.or(self.record.take());
                        return;
                    }
                    if let Some(typed_data) = &deposit {
                        let units = typed_data["message"]["value"].as_str().unwrap();
                        self.signed.deposits += units.parse::<u64>().unwrap();
                    }
                    let units = voucher["message"]["maxClaimableAmount"].as_str().unwrap();
                    self.signed.highest = self.signed.highest.max(units.parse().unwrap());
                    let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                    buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
                }
                ChannelNext::Send { payment, wait_ms, .. } => {
                    self.now = self.now.plus(wait_ms.div_ceil(1000));
                    let lies = self.lies && self.chance(4);
                    let lie = (self.dice.below(40) * PRICE / 2, self.dice.below(40) * PRICE);
                    let lie = lies.then_some(lie);
                    let arrives = !self.chance(8);
                    let answer = arrives.then(|| self.payee.takes(&payment, lie));
                    match answer.filter(|_| !self.chance(8)) {
                        Some((status, headers)) => buyer.answered(status, &headers, b"", self.now),
                        None => {
                            answer_is_lost |= arrives;
                            buyer.lost(self.now)
                        }
                    }
                }
                ChannelNext::Return(receipt) => {
                    assert!(receipt.is_some());
                    self.returned += 1;
                    return;
                }
                ChannelNext::Fail(_)
                | ChannelNext::Once(_)
                | ChannelNext::Ask
                | ChannelNext::Broadcast
                | ChannelNext::Sign { voucher: None, .. } => {
                    self.charged_and_lost += u64::from(answer_is_lost);
                    return;
                }
            };
        }
    }

    /// The rules.
    fn hold(&self) {
        let Payee { deposit, charged, highest, served, .. } = &self.payee;
        assert!(highest.0 <= self.signed.highest, "a voucher above what was signed");
        assert!(*deposit <= self.signed.deposits, "a deposit that was not signed");
        assert!(*charged <= highest.0 && *charged <= *deposit);
        assert!(self.returned <= *served, "an answer without a charge");
        // What was signed was counted first.
        let policy = Policy::from_json(&json!({"perDay": PER_DAY}).to_string()).unwrap();
        let budget = Budget::from_text(self.record.as_deref()).unwrap();
        let spent = budget.caps(&policy, self.now).into_iter().find(|it| it.name == "perDay");
        let counted = spent.map_or(Amount::ZERO, |it| it.spent);
        let signed =
            Amount::from_u64(self.signed.deposits).checked_mul_u64(1_000_000_000_000).unwrap();
        assert!(signed <= counted, "a deposit of {signed} counts as {counted}");
        // What is kept is never less than what was signed for the payee, and never more was charged.
        for kept in channels(self.record.as_deref()).unwrap().as_array().unwrap() {
            let number = |name: &str| kept[name].as_str().unwrap().parse::<u64>().unwrap();
            assert!(number("spent") <= number("signed"));
            assert!(number("signed") >= highest.0, "a voucher that left is not kept");
        }
    }
}

fn seeded(seed: u64) -> Dice {
    Dice::seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
}

/// One history with the payee of this number; how many answers came back, and how many of what was charged were lost.
pub fn play(number: u64, dice: Dice) -> (u64, u64) {
    let mut history = History::new(dice, number.is_multiple_of(3));
    for request in 0..12 {
        history.request(number * 100 + request);
        history.hold();
    }
    (history.returned, history.charged_and_lost)
}

// I-16
#[test]
pub fn no_history_of_a_payer_by_channel_breaks_a_rule() {
    let (mut returned, mut corrected) = (0, 0);
    for seed in 1..1_500 {
        let (answers, lost) = play(seed, seeded(seed));
        returned += answers;
        corrected += lost;
    }
    // Most requests are served, and answers were lost on the way.
    assert!(returned > 9_000, "{returned}");
    assert!(corrected > 100, "{corrected}");
}

#[test]
pub fn an_honest_server_is_paid_for_each_request_that_it_serves() {
    let mut history = History::new(seeded(7), false);
    let mut served = 0;
    while served < 30 {
        let mut buyer = purchase(served + 1);
        let mut next = buyer.answered(402, &history.payee.terms(false), b"", history.now);
        loop {
            next = match next {
                ChannelNext::Update => {
                    let record = buyer.update(history.record.as_deref(), history.now).unwrap();
                    history.record = record.or(history.record.take());
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                    let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                    buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
                }
                ChannelNext::Send { payment, .. } => {
                    let (status, headers) = history.payee.takes(&payment, None);
                    buyer.answered(status, &headers, b"", history.now)
                }
                ChannelNext::Return(_) => break,
                other => panic!("{other:?}"),
            };
        }
        served += 1;
        assert_eq!((history.payee.served, history.payee.charged), (served, served * PRICE));
    }
    // Thirty requests are three deposits of ten.
    assert_eq!((history.payee.deposit, history.payee.salts.len()), (300_000, 3));
}

//
#[test]
pub fn a_payee_is_believed_as_far_as_was_signed_and_no_further() {
    let mut buyer = purchase(1);
    let (mut payee, mut record) = (Payee::default(), None);
    let now = UnixTime::from_secs(1_763_618_400);
    let mut next = buyer.answered(402, &payee.terms(false), b"", now);
    loop {
        next = match next {
            ChannelNext::Update => {
                record = buyer.update(record.as_deref(), now).unwrap().or(record);
                buyer.updated()
            }
            ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
            }
            ChannelNext::Send { payment, .. } => {
                let (status, headers) = payee.takes(&payment, Some((PRICE + 1, 10 * PRICE)));
                buyer.answered(status, &headers, b"", now)
            }
            ChannelNext::Fail(error) => break assert_eq!(error.reason.code(), "receipt_mismatch"),
            other => panic!("{other:?}"),
        };
    }
}

/// One request, answered by `takes`; deposits that were signed, the highest voucher, and how it ended.
fn played(
    seed: u64,
    record: &mut Option<String>,
    terms: &Headers,
    takes: impl FnMut(&str) -> (u16, Headers),
) -> (u64, u64, &'static str) {
    played_at(seed, record, terms, 0, takes)
}

/// The same so many seconds later.
fn played_at(
    seed: u64,
    record: &mut Option<String>,
    terms: &Headers,
    later: u64,
    mut takes: impl FnMut(&str) -> (u16, Headers),
) -> (u64, u64, &'static str) {
    let now = UnixTime::from_secs(1_763_618_400 + later);
    let mut buyer = purchase(seed);
    let mut next = buyer.answered(402, terms, b"", now);
    let (mut deposits, mut highest) = (0, 0);
    loop {
        next = match next {
            ChannelNext::Update => match buyer.update(record.as_deref(), now) {
                Ok(changed) => {
                    *record = changed.or(record.take());
                    buyer.updated()
                }
                Err(error) => return (deposits, highest, error.reason.code()),
            },
            ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                deposits += u64::from(deposit.is_some());
                let units = voucher["message"]["maxClaimableAmount"].as_str().unwrap();
                highest = highest.max(units.parse().unwrap());
                let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
            }
            ChannelNext::Send { payment, .. } => {
                let (status, headers) = takes(&payment);
                buyer.answered(status, &headers, b"", now)
            }
            ChannelNext::Return(_) => return (deposits, highest, ""),
            ChannelNext::Fail(error) => return (deposits, highest, error.reason.code()),
            other => panic!("{other:?}"),
        };
    }
}

/// Terms with other members of `extra`, and another payee.
fn changed(terms: &Headers, payee: &str, extra: &Value) -> Headers {
    let value = terms.joined("payment-required").unwrap().into_owned();
    let mut terms: Value = serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap();
    terms["accepts"][0]["payTo"] = payee.into();
    for (name, value) in extra.as_object().unwrap() {
        terms["accepts"][0]["extra"][name] = value.clone();
    }
    fields("payment-required", &terms)
}

#[test]
pub fn corrected_terms_of_another_channel_or_at_another_price_are_not_signed() {
    let other = "0x90F79bf6EB2c4f870365E785982E1f101E93b906";
    for (payee, extra) in [
        (PAYEE, json!({"receiverAuthorizer": other})),
        (PAYEE, json!({"withdrawDelay": 901})),
        (other, json!({})),
    ] {
        let (mut payee_here, mut record) = (Payee::default(), None);
        let first = payee_here.terms(false);
        let ended = played(1, &mut record, &first, |payment| {
            let (_, corrected) = payee_here.takes(payment, Some((0, 0)));
            (402, changed(&corrected, payee, &extra))
        });
        assert_eq!(ended, (1, PRICE, "payment_refused"), "{payee} {extra}");
    }
}

#[test]
pub fn one_request_deposits_once_whatever_the_server_says() {
    let (mut payee, mut record) = (Payee::default(), None);
    let first = payee.terms(false);
    // One unit of the deposit has arrived, it says.
    let ended = played(1, &mut record, &first, |payment| payee.takes(payment, Some((0, 1))));
    assert_eq!(ended, (1, PRICE, "receipt_mismatch"));
}

#[test]
pub fn a_request_that_is_called_charged_and_not_answered_is_signed_for_once() {
    let (mut payee, mut record) = (Payee::default(), None);
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).2, "");
    let ended = played(2, &mut record, &first, |payment| {
        payee.takes(payment, Some((2 * PRICE, 10 * PRICE)))
    });
    assert_eq!(ended, (0, 2 * PRICE, "payment_conflict"));
    // It is believed to be charged: the next voucher goes on from there.
    let ended = played(3, &mut record, &first, |payment| {
        payee.charged = 2 * PRICE;
        payee.takes(payment, None)
    });
    assert_eq!(ended, (0, 3 * PRICE, ""));
}

#[test]
pub fn a_refund_of_more_than_is_left_is_not_believed_and_nothing_is_forgotten() {
    let (mut payee, mut record) = (Payee::default(), None);
    let (terms, now) = (payee.terms(false), UnixTime::from_secs(1_763_618_400));
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    for (paid, ended, left) in [(90_001, "receipt_mismatch", 100_000), (90_000, "", 10_000)] {
        let mut buyer = refund(paid);
        let mut next = buyer.answered(402, &terms, b"", now);
        let code = loop {
            next = match next {
                ChannelNext::Update => {
                    record = buyer.update(record.as_deref(), now).unwrap().or(record);
                    buyer.updated()
                }
                ChannelNext::Sign { voucher: Some(voucher), .. } => {
                    buyer.signed(None, Some(&signature(&voucher)))
                }
                ChannelNext::Send { .. } => {
                    let settled =
                        json!({"success": true, "transaction": "0x01", "amount": paid.to_string()});
                    buyer.answered(200, &fields("payment-response", &settled), b"", now)
                }
                ChannelNext::Return(_) => break "",
                ChannelNext::Fail(error) => break error.reason.code(),
                other => panic!("{other:?}"),
            };
        };
        assert_eq!(code, ended);
        let kept = channels(record.as_deref()).unwrap();
        assert_eq!(kept[0]["deposit"], left.to_string());
        assert_eq!(kept[0]["spent"], PRICE.to_string());
    }
}

#[test]
pub fn a_refund_that_has_to_wait_says_so_and_until_when() {
    let (mut payee, mut record) = (Payee::default(), None);
    let (terms, now) = (payee.terms(false), UnixTime::from_secs(1_763_618_400));
    assert_eq!(played(1, &mut record, &terms, |payment| payee.takes(payment, None)).2, "");
    let before = channels(record.as_deref()).unwrap();
    let value = terms.joined("payment-required").unwrap().into_owned();
    let mut later: Value = serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap();
    later["error"] = "invalid_batch_settlement_evm_refund_later".into();
    let line = format!("payment-required: {}", base64::encode(later.to_string().as_bytes()));
    for (lines, expected) in [
        (
            vec![line.as_str(), "retry-after: 800"],
            "what was added to the channel is paid back in 800 s",
        ),
        (vec![line.as_str()], "what was added to the channel is paid back later"),
    ] {
        let later = Headers::from_lines(lines.into_iter());
        let mut buyer = refund(2);
        let (mut next, mut sent) = (buyer.answered(402, &terms, b"", now), 0);
        let error = loop {
            next = match next {
                ChannelNext::Update => {
                    record = buyer.update(record.as_deref(), now).unwrap().or(record);
                    buyer.updated()
                }
                ChannelNext::Sign { voucher: Some(voucher), .. } => {
                    buyer.signed(None, Some(&signature(&voucher)))
                }
                ChannelNext::Send { .. } => {
                    sent += 1;
                    buyer.answered(402, &later, b"", now)
                }
                ChannelNext::Fail(error) => break error,
                other => panic!("{other:?}"),
            };
        };
        assert_eq!((error.reason.code(), &*error.message, sent), ("refund_later", expected, 1));
        let kept = channels(record.as_deref()).unwrap();
        for member in ["deposit", "spent"] {
            assert_eq!(kept[0][member], before[0][member]);
        }
    }
}

#[test]
pub fn a_payee_that_says_the_deposit_is_gone_gets_no_other() {
    let (mut payee, mut record) = (Payee::default(), None);
    let now = UnixTime::from_secs(1_763_618_400);
    let mut deposits = 0;
    for request in 1..=2 {
        let mut buyer = purchase(request);
        let mut next = buyer.answered(402, &payee.terms(false), b"", now);
        loop {
            next = match next {
                ChannelNext::Update => {
                    record = buyer.update(record.as_deref(), now).unwrap().or(record);
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                    deposits += u64::from(deposit.is_some());
                    let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                    buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
                }
                ChannelNext::Send { payment, .. } => {
                    let lie = (request == 2).then_some((PRICE, 0));
                    let (status, headers) = payee.takes(&payment, lie);
                    buyer.answered(status, &headers, b"", now)
                }
                ChannelNext::Return(_) => break,
                ChannelNext::Fail(error) => {
                    assert_eq!((request, error.reason.code()), (2, "receipt_mismatch"));
                    break;
                }
                other => panic!("{other:?}"),
            };
        }
    }
    assert_eq!(deposits, 1);
}

#[test]
pub fn what_is_sold_with_a_longer_delay_is_paid_for_by_itself() {
    let now = UnixTime::from_secs(1_763_618_400);
    let sold = |delay: u64| {
        let value = Payee::default().terms(false).joined("payment-required").unwrap().into_owned();
        let mut terms: Value = serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap();
        terms["accepts"][0]["extra"]["withdrawDelay"] = delay.into();
        fields("payment-required", &terms)
    };
    let asked = |delay: u64| purchase(1).answered(402, &sold(delay), b"", now);
    assert!(matches!(asked(86_400), ChannelNext::Update));
    let ChannelNext::Once(Some(error)) = asked(86_401) else { panic!("it is paid by channel") };
    assert_eq!(error.reason.code(), "policy_validity");
    // What is there can be asked back, whatever the delay.
    assert!(matches!(refund(1).answered(402, &sold(2_592_000), b"", now), ChannelNext::Update));
}

//
#[test]
pub fn a_seller_that_names_channel_after_channel_gets_one_deposit_more_a_day() {
    let mut record = None;
    let mut buys = |seed: u64, more: &Value, later: u64| {
        let mut payee = Payee::default();
        let terms = changed(&payee.terms(false), PAYEE, more);
        let (deposits, _, ended) =
            played_at(seed, &mut record, &terms, later, |payment| payee.takes(payment, None));
        (deposits, ended)
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

#[test]
fn a_channel_that_was_declined_is_none_beside_others() {
    let mut record = None;
    let mut payee = Payee::default();
    let first = payee.terms(false);
    assert_eq!(played(1, &mut record, &first, |payment| payee.takes(payment, None)).0, 1);
    let other = changed(&Payee::default().terms(false), PAYEE, &json!({"withdrawDelay": 901}));
    let now = UnixTime::from_secs(1_763_618_400);
    for seed in 2..5 {
        let mut buyer = purchase(seed);
        buyer.answered(402, &other, b"", now);
        record = buyer.update(record.as_deref(), now).unwrap().or(record);
        assert!(matches!(buyer.updated(), ChannelNext::Sign { deposit: Some(_), .. }), "{seed}");
        record = buyer.release(record.as_deref(), now).unwrap().or(record);
    }
}

#[test]
fn a_refund_is_never_turned_into_a_payment() {
    let now = UnixTime::from_secs(1_763_618_400);
    let terms = Payee::default().terms(false);
    let wrong = changed(&terms, PAYEE, &json!({"receiverAuthorizer": "0x12"}));
    let ChannelNext::Once(Some(paid)) = purchase(1).answered(402, &wrong, b"", now) else {
        panic!("it is paid by channel")
    };
    let ChannelNext::Fail(asked_back) = refund(1).answered(402, &wrong, b"", now) else {
        panic!("it is paid for")
    };
    let codes = (paid.reason.code(), asked_back.reason.code());
    assert_eq!(codes, ("malformed_challenge", "malformed_challenge"));
}

#[test]
pub fn a_deposit_is_never_larger_than_the_payer_allows() {
    let mut payee = Payee::default().terms(false);
    let value = payee.joined("payment-required").unwrap().into_owned();
    let mut terms: Value = serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap();
    terms["accepts"][0]["extra"]["minDeposit"] = "200001".into();
    payee = fields("payment-required", &terms);
    let mut buyer = purchase(1);
    let now = UnixTime::from_secs(1_763_618_400);
    assert!(matches!(buyer.answered(402, &payee, b"", now), ChannelNext::Update));
    let error = buyer.update(None, now).unwrap_err();
    assert_eq!(error.reason.code(), "policy_amount");
    assert!(error.message.contains("0.200001") && error.message.contains("0.2"), "{error:?}");
}

#[test]
fn what_a_server_corrects_is_kept_however_often_another_writer_comes_between() {
    let now = UnixTime::from_secs(1_763_618_400);
    let mut payee = Payee::default();
    let mut record = None;
    let mut buyer = purchase(1);
    let mut next = buyer.answered(402, &payee.terms(false), b"", now);
    // The second request is told that nothing was charged yet, as by a server that was restored.
    for seed in [1, 2] {
        loop {
            next = match next {
                ChannelNext::Update => {
                    record = buyer.update(record.as_deref(), now).unwrap().or(record);
                    buyer.updated()
                }
                ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                    let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                    buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
                }
                ChannelNext::Send { payment, .. } => {
                    let lie = (seed == 2).then_some((0, payee.deposit));
                    let (status, headers) = payee.takes(&payment, lie);
                    next = buyer.answered(status, &headers, b"", now);
                    if seed == 2 {
                        break;
                    }
                    next
                }
                ChannelNext::Return(_) => {
                    buyer = purchase(2);
                    next = buyer.answered(402, &payee.terms(false), b"", now);
                    break;
                }
                other => panic!("{other:?}"),
            };
        }
    }
    assert!(matches!(next, ChannelNext::Update));
    let spent = |record: &str| channels(Some(record)).unwrap()[0]["spent"].clone();
    assert_eq!(spent(record.as_deref().unwrap()), PRICE.to_string());
    assert!(buyer.update(record.as_deref(), now).unwrap().is_some());
    // Another process has written meanwhile: the change is made again.
    let mut other = Budget::from_text(record.as_deref()).unwrap();
    other.sent.keep("payment of another process", "{}", now).unwrap();
    let corrected = buyer.update(Some(&other.to_text()), now).unwrap().unwrap();
    assert_eq!(spent(&corrected), "0");
    assert!(matches!(buyer.updated(), ChannelNext::Update));
    buyer.update(Some(&corrected), now).unwrap();
    let ChannelNext::Sign { voucher: Some(voucher), deposit: None } = buyer.updated() else {
        panic!("no voucher")
    };
    assert_eq!(voucher["message"]["maxClaimableAmount"], PRICE.to_string());
}
