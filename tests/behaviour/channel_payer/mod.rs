//! A payer by channel, beside a payee that charges what is paid, or says anything.

mod deposits;
mod keys;
pub mod lost;
mod refunds;
mod rests;
mod terms;
pub mod walk;

#[cfg(feature = "planted")]
pub use deposits::*;
#[cfg(feature = "planted")]
pub use keys::*;
#[cfg(feature = "planted")]
pub use refunds::*;
#[cfg(feature = "planted")]
pub use rests::*;
#[cfg(feature = "planted")]
pub use terms::*;
#[cfg(feature = "planted")]
pub use walk::*;

use farebox_core::client::ClientError;
use farebox_core::client::Policy;
use farebox_core::client::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelPurchase, ChannelUse,
};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

const URL: &str = "https://api.example.com/report";
const ENDPOINT: &str = "GET https://api.example.com/report";
const PRICE: u64 = 10_000;
const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
const AUTHORIZER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
/// The time at which all of this begins.
const BEGUN: UnixTime = UnixTime::from_secs(1_763_618_400);
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
    depositing(seed, aim, "0.1")
}

/// A request whose deposit is this one, in whole tokens.
fn depositing(seed: u64, aim: ChannelAim, deposit: &str) -> ChannelPurchase {
    depositing_at((URL, ENDPOINT), seed, aim, deposit)
}

fn depositing_at(
    place: (&str, &str),
    seed: u64,
    aim: ChannelAim,
    deposit: &str,
) -> ChannelPurchase {
    let mut random = [0; 48];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    random[40..].copy_from_slice(&seed.to_be_bytes());
    let policy = Policy::from_json(&json!({"perDay": PER_DAY}).to_string()).unwrap();
    let limits = ChannelLimits {
        deposit: Some(deposit.into()),
        max_deposit: Some(MAX_DEPOSIT.into()),
        max_withdraw_delay_secs: None,
    };
    let address = wallet().address();
    let payer = ChannelPayer { payer: address, voucher_signer: address, salt: [0; 32] };
    let (url, endpoint) = place;
    ChannelPurchase::new(policy, limits, payer, aim, ChannelUse { url, endpoint, random })
}

/// What a request or a refund has signed, and how it ended.
#[derive(Default)]
struct Ended {
    deposits: u64,
    /// The highest voucher.
    highest: u64,
    /// Payments that were sent.
    sent: u64,
    error: Option<ClientError>,
}

impl Ended {
    fn code(&self) -> &'static str {
        self.error.as_ref().map_or("", |error| error.reason.code())
    }
}

/// Lets a request or a refund run to its end: `answers` is asked for the answer to each payment.
fn run(
    buyer: &mut ChannelPurchase,
    record: &mut Option<String>,
    terms: &Headers,
    now: UnixTime,
    mut answers: impl FnMut(&str) -> (u16, Headers),
) -> Ended {
    let (mut next, mut ended) = (buyer.answered(402, terms, b"", now), Ended::default());
    loop {
        next = match next {
            ChannelNext::Update => match buyer.update(record.as_deref(), now) {
                Ok(changed) => {
                    *record = changed.or(record.take());
                    buyer.updated()
                }
                Err(error) => return Ended { error: Some(error), ..ended },
            },
            ChannelNext::Sign { deposit, voucher: Some(voucher) } => {
                ended.deposits += u64::from(deposit.is_some());
                let units = voucher["message"]["maxClaimableAmount"].as_str().unwrap();
                ended.highest = ended.highest.max(units.parse().unwrap());
                let deposit = deposit.as_ref().map(|typed_data| signature(typed_data));
                buyer.signed(deposit.as_deref(), Some(&signature(&voucher)))
            }
            ChannelNext::Send { payment, .. } => {
                ended.sent += 1;
                let (status, headers) = answers(&payment);
                buyer.answered(status, &headers, b"", now)
            }
            ChannelNext::Return(_) => return ended,
            ChannelNext::Fail(error) => return Ended { error: Some(*error), ..ended },
            other => panic!("{other:?}"),
        };
    }
}

/// One request: deposits that were signed, the highest voucher, and how it ended.
fn played(
    seed: u64,
    record: &mut Option<String>,
    terms: &Headers,
    answers: impl FnMut(&str) -> (u16, Headers),
) -> (u64, u64, &'static str) {
    let ended = run(&mut purchase(seed), record, terms, BEGUN, answers);
    (ended.deposits, ended.highest, ended.code())
}

/// The document in these terms.
fn read(terms: &Headers) -> Value {
    let value = terms.joined("payment-required").unwrap().into_owned();
    serde_json::from_slice(&base64::decode(&value).unwrap()).unwrap()
}

/// Terms with other members of `extra`, and another payee.
fn changed(terms: &Headers, payee: &str, extra: &Value) -> Headers {
    let mut terms = read(terms);
    terms["accepts"][0]["payTo"] = payee.into();
    for (name, value) in extra.as_object().unwrap() {
        terms["accepts"][0]["extra"][name] = value.clone();
    }
    fields("payment-required", &terms)
}
