//! A purchase of one who pays, over calls, processes and whatever is answered: a token takes one nonce for it, once.
//!
//! The merchant takes what it likes of all that it was ever shown, while that is valid, and answers as it likes. What was charged is
//! judged by a token that knows nonces alone.

mod ends;
pub mod walks;

#[cfg(feature = "planted")]
pub use ends::*;
#[cfg(feature = "planted")]
pub use walks::*;

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::client::budget::Budget;
use farebox_core::client::exchange::AnsweredTerms;
use farebox_core::client::purchase::Earlier;
use farebox_core::client::{Exchange, Next, Policy};
use farebox_core::encoding::base64;
use farebox_core::evm::address::Address;
use farebox_core::http::Headers;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::client::{
    ENDPOINT, OTHER, URL, USDC_MAIN, account, at, entry, failure, policy, problem, settled, sign,
    terms,
};
use crate::dice::Dice;
use crate::mpp_client::{asking, evm, request, unbase64url};

/// Small deadlines, so that a call ends soon; every way to pay is allowed.
const RULES: &str =
    r#"{"deadlineSecs": 1, "permit2": true, "perPayment": "1", "pinPayees": false}"#;
/// Seconds after the end of an authorization in which a payer takes it for one that may be charged.
const LATE_SECS: u64 = 60;

/// What a merchant asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    Usual,
    Dear,
    OtherPayee,
    OtherNetwork,
    ByPermit,
    Charge,
    /// Two charges of one price.
    Charges,
    /// The same price by both ways to sign for the token.
    EachWay,
    DearAndCheaperElsewhere,
}

/// Those that one nonce pays.
const ONE_SLOT: [Terms; 4] =
    [Terms::Usual, Terms::Dear, Terms::OtherPayee, Terms::DearAndCheaperElsewhere];
const ALL: [Terms; 9] = [
    Terms::Usual,
    Terms::Dear,
    Terms::OtherPayee,
    Terms::DearAndCheaperElsewhere,
    Terms::OtherNetwork,
    Terms::ByPermit,
    Terms::Charge,
    Terms::Charges,
    Terms::EachWay,
];

/// What a merchant answers to a payment, after it charged or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Delivery,
    NoReceipt,
    Status(u16),
    Asks(Terms),
    Used,
    Pending,
    /// As pending, beside terms that are not those of the payment.
    PendingAtOtherTerms,
    NotCharged,
    Lost,
}

const ANSWERS: [Answer; 14] = [
    Answer::Delivery,
    Answer::NoReceipt,
    Answer::Status(204),
    Answer::Status(302),
    Answer::Status(404),
    Answer::Status(429),
    Answer::Status(503),
    Answer::Used,
    Answer::Pending,
    Answer::PendingAtOtherTerms,
    Answer::NotCharged,
    Answer::Lost,
    Answer::Asks(Terms::Usual),
    Answer::Asks(Terms::Dear),
];

/// One call of the payer: what is asked for, whether what was shown is charged, what is answered, and what happens before.
#[derive(Clone, Copy, Debug)]
struct Call {
    asks: Terms,
    charges: bool,
    answer: Answer,
    /// Seconds that pass before it.
    after: u64,
    /// Whether another process makes it.
    elsewhere: bool,
}

/// An authorization as its header has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    /// Chain, contract that keeps the nonce, and the nonce.
    slot: String,
    valid_before: u64,
    amount: u64,
}

/// The merchant, and the token that it charges.
#[derive(Default)]
struct Merchant {
    shown: Vec<Shown>,
    charged: BTreeMap<String, u64>,
    challenges: u64,
}

impl Merchant {
    /// Keeps what it is shown, and charges if it does so in this call.
    fn takes(&mut self, headers: &[(String, String)], charges: bool, now: UnixTime) {
        self.shown.extend(shown(headers).filter(|it| !self.shown.contains(it)));
        if charges {
            self.charge(now.secs());
        }
    }

    fn answer(&mut self, answer: Answer) -> (u16, Headers, Vec<u8>) {
        let failed = |reason: &str| {
            settled(|it| {
                (it["success"], it["errorReason"]) = (false.into(), reason.into());
                it["transaction"] = "".into();
            })
        };
        match answer {
            Answer::Delivery => {
                let network = self.shown.last().and_then(|it| it.slot.split(' ').next());
                let network = network.unwrap_or_default();
                (200, settled(|it| it["network"] = network.into()), Vec::new())
            }
            Answer::NoReceipt => (200, Headers::new(), Vec::new()),
            Answer::Status(status) => (status, Headers::new(), Vec::new()),
            Answer::Asks(terms_of) => (402, self.asks(terms_of), Vec::new()),
            Answer::Used => {
                let said = json!({"x402Version": 2, "error": "invalid_exact_evm_nonce_already_used",
                    "accepts": [entry("10000")]});
                let mut headers = Headers::new();
                headers.add("payment-required", &base64::encode(said.to_string().as_bytes()));
                (402, headers, Vec::new())
            }
            Answer::Pending => (402, failed("settlement_pending"), Vec::new()),
            Answer::PendingAtOtherTerms => {
                let mut headers = self.asks(Terms::OtherPayee);
                let pending = failed("settlement_pending");
                headers.add("payment-response", &pending.joined("payment-response").unwrap());
                (402, headers, Vec::new())
            }
            Answer::NotCharged => (409, Headers::new(), problem("origin_failed", Some(false))),
            Answer::Lost => (0, Headers::new(), Vec::new()),
        }
    }

    /// Charges the first of what was shown that the token takes.
    fn charge(&mut self, now: u64) {
        let can = |it: &&Shown| it.valid_before > now && !self.charged.contains_key(&it.slot);
        if let Some(it) = self.shown.iter().find(can).cloned() {
            self.charged.insert(it.slot, it.amount);
        }
    }

    fn asks(&mut self, terms_of: Terms) -> Headers {
        let mut usual = entry("10000");
        let mut elsewhere = entry("9000");
        (elsewhere["network"], elsewhere["asset"]) = ("eip155:8453".into(), USDC_MAIN.into());
        elsewhere["extra"] = json!({"name": "USD Coin", "version": "2"});
        match terms_of {
            Terms::Usual => {}
            Terms::Dear => {
                // It ends earlier than what was signed before it.
                (usual["amount"], usual["maxTimeoutSeconds"]) = ("20000".into(), 20.into());
            }
            Terms::OtherPayee => usual["payTo"] = OTHER.into(),
            Terms::ByPermit => usual["extra"]["assetTransferMethod"] = "permit2".into(),
            Terms::OtherNetwork => return terms(&json!([elsewhere])),
            Terms::DearAndCheaperElsewhere => {
                usual["amount"] = "20000".into();
                return terms(&json!([elsewhere, usual]));
            }
            Terms::Charge | Terms::Charges => {
                let count = if terms_of == Terms::Charges { 2 } else { 1 };
                let rows: Vec<String> = (0..count)
                    .map(|_| {
                        self.challenges += 1;
                        evm(&format!("c{}", self.challenges), &request())
                    })
                    .collect();
                return asking(&rows);
            }
            Terms::EachWay => {
                let mut permit = usual.clone();
                permit["extra"]["assetTransferMethod"] = "permit2".into();
                return terms(&json!([permit, usual]));
            }
        }
        terms(&json!([usual]))
    }
}

/// What a payment header authorizes; `None` for one without a payment.
fn shown(headers: &[(String, String)]) -> Option<Shown> {
    let text = |value: &Value| value.as_str().map(ToString::to_string).unwrap_or_default();
    let number = |value: &Value| text(value).parse::<u64>().unwrap();
    let (name, value) = headers.first()?;
    if name != "PAYMENT-SIGNATURE" {
        let credential = unbase64url(value.strip_prefix("Payment ").unwrap());
        let asked = unbase64url(credential["challenge"]["request"].as_str().unwrap());
        let payload = &credential["payload"];
        return Some(Shown {
            slot: format!("charge {}", text(&payload["nonce"])),
            valid_before: number(&payload["validBefore"]),
            amount: number(&asked["amount"]),
        });
    }
    let message: Value = serde_json::from_slice(&base64::decode(value).unwrap()).unwrap();
    let network = text(&message["accepted"]["network"]);
    let payload = &message["payload"];
    Some(match &payload["permit2Authorization"] {
        Value::Null => {
            let signed = &payload["authorization"];
            Shown {
                slot: format!("{network} token {}", text(&signed["nonce"])),
                valid_before: number(&signed["validBefore"]),
                amount: number(&signed["value"]),
            }
        }
        permit => Shown {
            slot: format!("{network} permit {}", text(&permit["nonce"])),
            valid_before: number(&permit["deadline"]),
            amount: number(&permit["permitted"]["amount"]),
        },
    })
}

/// What of an exchange outlives its process.
#[derive(Clone)]
struct Trail {
    seed: [u8; 48],
    derives: bool,
    terms: (Headers, Vec<u8>),
    pin: String,
    prepared_at: UnixTime,
    signature: String,
    earlier: Vec<Earlier>,
    counted: String,
}

/// The payer of one request, who calls again and again.
#[derive(Default)]
struct Payer {
    now: u64,
    record: Option<String>,
    /// The purchase that goes on with the next call, and what of it outlives its process.
    open: Option<Exchange>,
    trail: Option<Trail>,
    calls: u8,
    /// Whether the nonce of its purchase is derived.
    derives: bool,
    /// Whether an answer of success came without a receipt: then time ends the purchase.
    is_answered: bool,
    /// What was signed for the purchase.
    signed: Vec<Shown>,
    /// Number of purchases that are over.
    over: usize,
    /// The terms at which a purchase begins, where all of its terms are to be paid by one nonce.
    begins: Option<Terms>,
    /// The highest amount that was signed for each nonce, atomic units.
    highest: BTreeMap<String, u64>,
}

/// A request whose nonce is drawn, or follows from the id of its purchase.
fn begun(seed: [u8; 48], derives: bool) -> Exchange {
    let payer = account().address();
    let it = Exchange::new(policy(RULES), "GET", URL, ENDPOINT, payer, seed);
    if derives { it.for_purchase(None) } else { it }
}

/// The exchange of a purchase in another process.
fn rebuilt(trail: &Trail, now: UnixTime) -> Exchange {
    let it = begun(trail.seed, trail.derives).with_pin(&trail.pin);
    let mut it = it.with_earlier(trail.earlier.clone());
    let (headers, body) = &trail.terms;
    let terms = AnsweredTerms { headers, body, at: trail.prepared_at };
    assert!(it.restore(terms, &trail.signature, false, now));
    it.count_as(&trail.counted);
    it
}

impl Payer {
    fn at(&self) -> UnixTime {
        at(self.now)
    }

    fn is_over(&mut self) {
        self.over += 1;
        (self.signed, self.is_answered) = (Vec::new(), false);
        (self.open, self.trail) = (None, None);
    }

    /// What goes on, and its first step; `None` begins.
    fn left(&mut self, elsewhere: bool) -> Option<(Exchange, Next)> {
        let kept = self.open.take()?;
        let trail = self.trail.clone().unwrap();
        let mut exchange = if elsewhere { rebuilt(&trail, self.at()) } else { kept };
        let ends = self.signed.iter().map(|it| it.valid_before).max().unwrap();
        let is_dead = self.at().secs() > ends + LATE_SECS;
        let goes_on = !(is_dead && self.is_answered);
        let next = if goes_on {
            exchange.go_on(policy(RULES), None, is_dead, true, self.at())
        } else {
            None
        };
        if next.is_none() {
            assert!(is_dead, "it is over only once nothing can be charged");
            self.is_over();
        }
        Some((exchange, next?))
    }

    /// A nonce is signed beside others only once those are dead.
    fn signs(&mut self, payment: Shown) {
        for before in self.signed.iter().filter(|it| it.slot != payment.slot) {
            let is_dead = before.valid_before + LATE_SECS < self.at().secs();
            assert!(is_dead, "{before:?} may be charged beside {payment:?}");
        }
        let highest = self.highest.entry(payment.slot.clone()).or_default();
        *highest = payment.amount.max(*highest);
        self.signed.push(payment);
    }

    /// Makes a call, and says whether it was delivered with a receipt.
    fn call(&mut self, merchant: &mut Merchant, mut call: Call) -> bool {
        self.now += call.after;
        self.calls += 1;
        let (mut exchange, mut next) = match self.left(call.elsewhere) {
            Some(left) => left,
            None => {
                call.asks = self.begins.unwrap_or(call.asks);
                self.derives = self.calls.is_multiple_of(2);
                (begun([self.calls; 48], self.derives), Next::Afresh)
            }
        };
        for _ in 0..40 {
            next = match next {
                Next::Afresh => exchange.answered(402, &merchant.asks(call.asks), b"", self.at()),
                Next::Reserve => match exchange.reserve(self.record.as_deref(), self.at()) {
                    Ok(record) => {
                        self.record = Some(record);
                        exchange.prepare(self.at())
                    }
                    Err(error) => Next::Fail(error),
                },
                Next::Sign(data) => self.sign(&mut exchange, data),
                Next::Send { wait_ms, headers } => {
                    self.now += wait_ms.div_ceil(1_000);
                    merchant.takes(&headers, call.charges, self.at());
                    let (status, headers, body) = merchant.answer(call.answer);
                    match call.answer {
                        Answer::Lost => exchange.lost(self.at()),
                        _ => exchange.answered(status, &headers, &body, self.at()),
                    }
                }
                Next::Return(Some(_)) => {
                    self.is_over();
                    return true;
                }
                Next::Return(None) => {
                    let succeeds = [Answer::Delivery, Answer::NoReceipt, Answer::Status(204)];
                    self.is_answered = succeeds.contains(&call.answer);
                    break;
                }
                Next::Fail(_) => break,
                next => panic!("{next:?}"),
            };
        }
        if self.trail.is_some() {
            self.open = Some(exchange);
        }
        false
    }

    fn sign(&mut self, exchange: &mut Exchange, data: Box<Value>) -> Next {
        let is_payment = data["primaryType"] != "Redelivery";
        let signature = sign(Next::Sign(data));
        let next = exchange.signed(&signature, self.at());
        let Next::Send { headers, .. } = &next else { return next };
        if is_payment {
            self.signs(shown(headers).unwrap());
            let mut seed = [0; 48];
            seed[..32].copy_from_slice(exchange.purchase());
            self.trail = Some(Trail {
                seed,
                derives: self.derives,
                terms: exchange.terms().unwrap().clone(),
                pin: exchange.chosen().unwrap(),
                prepared_at: exchange.prepared_at(),
                signature,
                earlier: exchange.earlier().to_vec(),
                counted: exchange.counted().to_string(),
            });
        }
        next
    }

    /// The budget has each nonce at its highest amount.
    fn counts_all(&self, calls: &[Call]) {
        assert_eq!(self.counted().1, self.highest.values().sum::<u64>(), "{calls:?}");
    }

    /// What the budget counts: how often, and how much, atomic units of the token.
    fn counted(&self) -> (usize, u64) {
        let record: Value = serde_json::from_str(self.record.as_deref().unwrap()).unwrap();
        let entries = record["entries"].as_array().unwrap();
        let worth = |entry: &Value| entry[4].as_str().unwrap().parse::<u128>().unwrap();
        let sum: u128 = entries.iter().map(worth).sum();
        (entries.len(), u64::try_from(sum / 1_000_000_000_000).unwrap())
    }
}

const HONEST: Call = Call {
    asks: Terms::Usual,
    charges: true,
    answer: Answer::Delivery,
    after: 0,
    elsewhere: false,
};

#[test]
pub fn what_another_process_may_have_signed_is_not_taken_out_of_the_budget() {
    let keyed = |seed: u8| {
        let mut it = begun([seed; 48], false).for_purchase(Some(("order 7", URL)));
        it.answered(402, &terms(&json!([entry("10000")])), b"", at(0));
        it
    };
    let (mut signs, mut declines) = (keyed(1), keyed(2));
    let record = signs.reserve(None, at(0)).unwrap();
    let record = declines.reserve(Some(&record), at(0)).unwrap();
    let record: Value = serde_json::from_str(&declines.release(Some(&record)).unwrap()).unwrap();
    assert_eq!(record["entries"].as_array().unwrap().len(), 1);
}
