//! A chain in memory that answers JSON-RPC batches the obvious way: every event is compared with every question.

use farebox_core::amount::Amount;
use farebox_core::evm::address::Address;
use farebox_core::ledger::inquiry::Question;
use farebox_core::payment::{TransferMethod, TxHash};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

pub const CHAIN: u64 = 84_532;
pub const TOKEN: &str = "0x036cbd53842c5426634e7929541ec2318f3dcf7e";
pub const PAYER: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
pub const PAYEE: &str = "0x209693bc6afc0c5328ba36faf03c514ef312287c";
pub const PERMIT2: &str = "0x000000000022d473030f116ddee9f6b43ac78ba3";
pub const OTHER: &str = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8";
pub const NONCE: &str = "0x1112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30";
pub const OTHER_NONCE: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";
pub const VALUE: u64 = 10_000;
/// Number, and time by [`Chain::time`], of the block at first sight.
pub const SIGHT: u64 = 50_000;
/// `validBefore` of the payment: five minutes after first sight.
pub const VALID_BEFORE: u64 = GENESIS + SIGHT * 2 + 300;
const GENESIS: u64 = 1_763_000_000;
// What `viem` 2.57.1 gives for these events (`encodeEventTopics`).
pub const USED: &str = "0x98de503528ee59b575ef0c0a2576a82497bfc029a5685b209e9ec333479b10a5";
pub const CANCELED: &str = "0x1cdd46ff242716cdaa72d159d339a485b3438398348d68f09d7c8c0a59353d81";
pub const TRANSFER: &str = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef";

/// One event of a transaction.
#[derive(Clone)]
pub struct Event {
    pub address: String,
    pub topics: Vec<String>,
    pub data: String,
    pub removed: bool,
}

impl Event {
    pub fn used(payer: &str, nonce: &str) -> Self {
        Self::new(&[USED, &word(payer), nonce], "0x")
    }

    pub fn cancelled(payer: &str, nonce: &str) -> Self {
        Self::new(&[CANCELED, &word(payer), nonce], "0x")
    }

    pub fn transfer(from: &str, to: &str, value: u64) -> Self {
        Self::new(&[TRANSFER, &word(from), &word(to)], &format!("0x{value:064x}"))
    }

    pub fn new(topics: &[&str], data: &str) -> Self {
        Self {
            address: TOKEN.to_string(),
            topics: topics.iter().map(ToString::to_string).collect(),
            data: data.to_string(),
            removed: false,
        }
    }

    pub fn of(self, address: &str) -> Self {
        Self { address: address.to_string(), ..self }
    }

    pub fn removed(self) -> Self {
        Self { removed: true, ..self }
    }
}

/// The events of this payment as the token of Circle emits them.
pub fn payment() -> Vec<Event> {
    vec![Event::used(PAYER, NONCE), Event::transfer(PAYER, PAYEE, VALUE)]
}

#[derive(Clone)]
pub struct Transaction {
    hash: String,
    block: u64,
    status: u64,
    events: Vec<Event>,
}

#[derive(Clone)]
pub struct Chain {
    pub id: u64,
    pub latest: u64,
    pub safe: Option<u64>,
    /// Nonces that the token counts as used without any event, and since when.
    pub burnt: Option<u64>,
    /// Seconds added to the time of every block.
    pub ahead: i64,
    pub transactions: Vec<Transaction>,
    /// What each transaction asks for, where a test wants to know.
    pub contents: Vec<Value>,
    /// The calls inside of each transaction, if the node shows them.
    pub traces: Vec<Value>,
    /// How many transactions the payer has sent, from which block on.
    pub sent: Vec<(u64, u64)>,
    /// Bytes that were to be sent.
    pub received: Vec<String>,
    /// A method that is answered with an error.
    pub refuses: Option<&'static str>,
    /// What every request asked, by method.
    pub asked: Vec<Vec<String>>,
    /// First and last block of each query for logs.
    pub searched: Vec<(u64, u64)>,
}

impl Chain {
    pub fn at(latest: u64, safe: u64) -> Self {
        Self {
            id: CHAIN,
            latest,
            safe: Some(safe),
            burnt: None,
            ahead: 0,
            transactions: Vec::new(),
            contents: Vec::new(),
            traces: Vec::new(),
            sent: Vec::new(),
            received: Vec::new(),
            refuses: None,
            asked: Vec::new(),
            searched: Vec::new(),
        }
    }

    pub fn with(self, block: u64, events: Vec<Event>) -> Self {
        self.with_status(block, 1, events)
    }

    pub fn with_status(mut self, block: u64, status: u64, events: Vec<Event>) -> Self {
        let hash = format!("0x{:064x}", 0xbeef_0000 + self.transactions.len());
        self.transactions.push(Transaction { hash, block, status, events });
        self
    }

    /// The hash of the transaction that came in this place.
    pub fn hash(&self, place: usize) -> TxHash {
        TxHash::parse(&self.transactions[place].hash).unwrap()
    }

    /// Blocks come every two seconds.
    pub fn time(&self, block: u64) -> u64 {
        (GENESIS + block * 2).checked_add_signed(self.ahead).unwrap()
    }

    /// The answer to a batch, one element per call, in order.
    pub fn answer(&mut self, body: &str) -> Vec<Value> {
        let batch: Value = serde_json::from_str(body).expect(body);
        let calls = batch.as_array().expect("batch");
        let methods = calls.iter().map(|call| call["method"].as_str().unwrap().to_string());
        self.asked.push(methods.collect());
        calls
            .iter()
            .map(|call| {
                assert_eq!(call["jsonrpc"], "2.0");
                let result = self.result(call["method"].as_str().unwrap(), &call["params"]);
                match result {
                    Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
                    Err(code) => json!({
                        "jsonrpc": "2.0", "id": call["id"], "error": { "code": code, "message": "no" },
                    }),
                }
            })
            .collect()
    }

    fn result(&mut self, method: &str, params: &Value) -> Result<Value, i64> {
        if method == "eth_sendRawTransaction" {
            self.received.push(params[0].as_str().unwrap().to_owned());
        }
        if self.refuses == Some(method) {
            return Err(-32_000);
        }
        match method {
            "eth_sendRawTransaction" => Ok(json!(NONCE)),
            "eth_getTransactionCount" => {
                assert_eq!(params[0], PAYER);
                let at = self.number(&params[1])?;
                let sent = self.sent.iter().rev().find(|(since, _)| *since <= at);
                Ok(hex(sent.map_or(0, |(_, count)| *count)))
            }
            "eth_getTransactionByHash" => {
                let place = self.transactions.iter().position(|one| params[0] == one.hash.as_str());
                Ok(place.map_or(Value::Null, |place| {
                    let mut sent = self.contents[place].clone();
                    sent["hash"] = params[0].clone();
                    sent
                }))
            }
            "debug_traceTransaction" => {
                assert_eq!(params[1], json!({ "tracer": "callTracer" }));
                let place = self.transactions.iter().position(|one| params[0] == one.hash.as_str());
                place.and_then(|place| self.traces.get(place)).cloned().ok_or(-32_601)
            }
            "eth_chainId" => Ok(hex(self.id)),
            "eth_blockNumber" => Ok(hex(self.latest)),
            "eth_getBlockByNumber" => {
                assert_eq!(params[1], false);
                let number = self.number(&params[0])?;
                if number > self.latest {
                    return Ok(Value::Null);
                }
                Ok(json!({
                    "number": hex(number), "timestamp": hex(self.time(number)), "hash": NONCE,
                    "transactions": [NONCE],
                }))
            }
            "eth_call" => {
                let at = self.number(&params[1])?;
                let data = params[0]["data"].as_str().unwrap();
                if params[0]["to"] == PERMIT2 {
                    // `nonceBitmap(payer, nonce >> 8)`; the nonce ends in 48.
                    let expected = format!("0x4fe02b44{}00{}", &word(PAYER)[2..], &NONCE[2..64]);
                    assert_eq!(data, expected);
                    let is_used = self.burnt.is_some_and(|since| since <= at);
                    return Ok(json!(format!("0x{:064x}", 1 | u64::from(is_used) << 48)));
                }
                assert_eq!(params[0]["to"], TOKEN);
                let expected = format!("0xe94a0102{}{}", &word(PAYER)[2..], &NONCE[2..]);
                assert_eq!(data, expected);
                let by_event = self.transactions.iter().any(|transaction| {
                    transaction.block <= at
                        && transaction.events.iter().any(|event| {
                            !event.removed
                                && event.address == TOKEN
                                && [USED, CANCELED].contains(&event.topics[0].as_str())
                                && event.topics[1..] == [word(PAYER), NONCE.to_string()]
                        })
                });
                let is_used = by_event || self.burnt.is_some_and(|since| since <= at);
                Ok(json!(format!("0x{:064x}", u8::from(is_used))))
            }
            "eth_getLogs" => {
                let filter = &params[0];
                let (first, last) =
                    (self.number(&filter["fromBlock"])?, self.number(&filter["toBlock"])?);
                assert!(first <= last && last - first < 2_000, "{first} to {last}");
                assert!(last <= self.latest);
                self.searched.push((first, last));
                Ok(self
                    .transactions
                    .iter()
                    .filter(|transaction| (first..=last).contains(&transaction.block))
                    .flat_map(logs)
                    .filter(|log| {
                        log["address"] == filter["address"]
                            && match &filter["topics"][0] {
                                Value::Array(any) => any.contains(&log["topics"][0]),
                                one => *one == log["topics"][0],
                            }
                            && log["topics"][1] == filter["topics"][1]
                            && (filter["topics"][2].is_null()
                                || log["topics"][2] == filter["topics"][2])
                    })
                    .collect())
            }
            "eth_getTransactionReceipt" => {
                let found = self.transactions.iter().find(|one| params[0] == one.hash.as_str());
                Ok(found.filter(|one| one.block <= self.latest).map_or(Value::Null, |one| {
                    json!({
                        "transactionHash": one.hash, "blockNumber": hex(one.block),
                        "status": hex(one.status), "logs": logs(one),
                    })
                }))
            }
            _ => panic!("{method}"),
        }
    }

    fn number(&self, at: &Value) -> Result<u64, i64> {
        match at.as_str().unwrap() {
            "latest" => Ok(self.latest),
            "safe" => self.safe.ok_or(-39_001),
            digits => Ok(u64::from_str_radix(digits.strip_prefix("0x").unwrap(), 16).unwrap()),
        }
    }
}

/// The payment that the tests ask about, first seen in block [`SIGHT`].
pub fn question() -> Question {
    Question {
        chain_id: CHAIN,
        asset: Address::parse(TOKEN).unwrap(),
        from: Address::parse(PAYER).unwrap(),
        to: Address::parse(PAYEE).unwrap(),
        value: Amount::from_u64(VALUE),
        earlier: Vec::new(),
        method: TransferMethod::Eip3009,
        nonce: farebox_core::encoding::hex::decode_array(NONCE).unwrap(),
        seen_block: Some(SIGHT),
        seen_at: UnixTime::from_secs(GENESIS + SIGHT * 2),
        known: None,
        confirmations: 1,
        cursor: None,
    }
}

fn logs(transaction: &Transaction) -> Vec<Value> {
    (7_u64..)
        .zip(&transaction.events)
        .map(|(index, event)| {
            json!({
                "address": event.address, "topics": event.topics, "data": event.data,
                "removed": event.removed, "logIndex": hex(index), "blockNumber": hex(transaction.block),
                "transactionHash": transaction.hash, "transactionIndex": "0x0", "blockHash": NONCE,
            })
        })
        .collect()
}

/// An address as an indexed argument.
pub fn word(address: &str) -> String {
    format!("0x{:0>64}", &address[2..])
}

pub fn hex(number: u64) -> Value {
    json!(format!("{number:#x}"))
}
