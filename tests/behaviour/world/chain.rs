//! The chain: one token contract, a block every two seconds, and a node that answers JSON-RPC text
//! about it.

pub mod traces;

use std::collections::{BTreeMap, VecDeque};

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::keccak::keccak256;
use farebox_core::evm::rpc::{AUTHORIZATION_CANCELED, AUTHORIZATION_USED, TRANSFER};
use serde_json::{Value, json};

use super::payer::Payer;
use super::transfers::Transfers;

/// Seconds between two blocks.
const BLOCK_SECS: u64 = 2;
/// Blocks by which the safe one lags.
const SAFE_LAG: u64 = 15;
/// The token of all routes.
pub const ASSET: &str = "0x036cbd53842c5426634e7929541ec2318f3dcf7e";

/// The token contract's record of one authorization.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    /// Matching transfers; the contract makes at most one.
    pub transfers: u32,
    /// Whether the payer cancelled it.
    pub cancelled: bool,
    /// Whether the nonce went to another authorization.
    pub burnt: bool,
    /// Sends that may still land.
    pub pending: u32,
    /// Atomic units that it was signed for.
    pub value: Option<u64>,
    /// Its payee.
    pub to: Option<String>,
    /// Its expiry, unix seconds.
    pub until: Option<u64>,
    /// Whether it is a permit of Permit2, whose use the token does not log.
    pub permit: bool,
    /// The facilitator and the greatest amount of one that is settled in part.
    pub upto: Option<(String, Value)>,
}

/// Behaviour of a node at the next request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeFault {
    /// It answers.
    Fine,
    /// It does not answer.
    Silent,
    /// It answers with garbage.
    Garbage,
    /// Every call fails.
    Refuses,
    /// It serves another chain.
    OtherChain,
    /// It is many blocks behind.
    Lags,
    /// It has no block for a request by number.
    Undated,
    /// It has no receipt any more.
    Forgets,
}

#[derive(Clone, Debug)]
struct Transaction {
    hash: String,
    block: u64,
    succeeded: bool,
    /// Topics and data.
    logs: Vec<(Vec<String>, String)>,
    /// Nonces that are used from then on.
    ends: Vec<String>,
    /// The called contract and the data, where a permit was used.
    sent: Option<(String, String)>,
    /// The calls inside of it.
    inside: Option<Value>,
}

/// The token contract and its blocks.
#[derive(Clone, Default)]
pub struct Chain {
    /// Authorizations by nonce.
    pub fates: BTreeMap<String, Fate>,
    /// Unix seconds.
    pub now: u64,
    /// Faults of the next requests to the node.
    pub plan: VecDeque<NodeFault>,
    /// Requests to the node so far.
    pub asked: u32,
    /// Transactions that accounts send themselves.
    pub transfers: Transfers,
    /// Whether the node shows the calls inside of transactions.
    pub traces: bool,
    /// Transactions whose calls it was asked for.
    pub traced: Vec<String>,
    /// Whether it no longer knows what the token told in one block.
    pub forgets: bool,
    transactions: Vec<Transaction>,
    payers: BTreeMap<u8, String>,
}

/// The transaction that settles this authorization.
pub fn transaction_of(nonce: &str) -> String {
    hex::encode_prefixed(&keccak256(nonce.as_bytes()))
}

pub fn topic(bytes: &[u8]) -> String {
    hex::encode_prefixed(bytes)
}

pub fn word(address: &str) -> String {
    format!("0x{:0>64}", address.trim_start_matches("0x").to_ascii_lowercase())
}

impl Chain {
    /// An empty chain.
    pub fn at(now: u64) -> Self {
        Self { now, ..Self::default() }
    }

    /// Submits an authorization; takes effect if it is unused.
    pub fn submit(&mut self, nonce: &str) -> bool {
        let until = self.fates.get(nonce).and_then(|fate| fate.until);
        let lives = until.is_none_or(|until| self.next_block() * BLOCK_SECS < until);
        let fresh = lives && !self.is_used(nonce);
        let hash = transaction_of(nonce);
        if fresh {
            let fate = self.fates.entry(nonce.to_owned()).or_default();
            fate.transfers += 1;
            let value = fate.value.unwrap_or(10_000);
            let to = fate.to.clone().unwrap_or_else(|| super::PAY_TO.to_owned());
            self.write(nonce, &hash, &AUTHORIZATION_USED, Some((&to, value)));
        }
        fresh
    }

    /// Submits a payment on a chain without a node here; takes effect if it is unused.
    pub fn take(&mut self, taken: &str) -> bool {
        let fate = self.fates.entry(taken.to_owned()).or_default();
        let fresh = fate.transfers == 0;
        fate.transfers = 1;
        fresh
    }

    /// Lets a token that does not revert accept the authorization and move no value; returns the
    /// successful transaction.
    pub fn silent(&mut self, nonce: &str) -> String {
        let hash = hex::encode_prefixed(&keccak256(format!("silent {nonce}").as_bytes()));
        let (block, logs) = (self.next_block(), Vec::new());
        let succeeded = true;
        self.transactions.push(Transaction {
            hash: hash.clone(),
            block,
            succeeded,
            logs,
            ends: Vec::new(),
            sent: None,
            inside: None,
        });
        hash
    }

    /// Submits unused authorizations in one transaction.
    pub fn bundle(&mut self, nonces: &[&str]) {
        let from = self.transactions.len();
        for nonce in nonces {
            self.submit(nonce);
        }
        self.merge_from(from);
    }

    /// Makes the last two transactions one.
    pub fn merge(&mut self) {
        self.merge_from(self.transactions.len() - 2);
    }

    fn merge_from(&mut self, from: usize) {
        let parts = self.transactions.split_off(from);
        let whole = parts.into_iter().reduce(|mut whole, part| {
            whole.logs.extend(part.logs);
            whole.ends.extend(part.ends);
            whole
        });
        self.transactions.extend(whole);
    }

    /// Cancels an authorization for the payer, if it is unused.
    pub fn cancel(&mut self, nonce: &str) {
        if !self.is_used(nonce) {
            self.fates.entry(nonce.to_owned()).or_default().cancelled = true;
            let hash = hex::encode_prefixed(&keccak256(format!("cancel {nonce}").as_bytes()));
            self.write(nonce, &hash, &AUTHORIZATION_CANCELED, None);
        }
    }

    /// Uses the nonce for an authorization to another payee; returns the transaction.
    pub fn burn(&mut self, nonce: &str) -> String {
        let hash = hex::encode_prefixed(&keccak256(format!("burn {nonce}").as_bytes()));
        if !self.is_used(nonce) {
            self.fates.entry(nonce.to_owned()).or_default().burnt = true;
            let other = "0x00000000000000000000000000000000000000aa";
            self.write(nonce, &hash, &AUTHORIZATION_USED, Some((other, 10_000)));
        }
        hash
    }

    /// Makes a plain transfer like the payment's, which uses no authorization; returns its
    /// transaction.
    pub fn transfer(&mut self, nonce: &str) -> String {
        let hash = hex::encode_prefixed(&keccak256(format!("plain {nonce}").as_bytes()));
        self.write(nonce, &hash, &AUTHORIZATION_USED, Some((super::PAY_TO, 10_000)));
        if let Some(last) = self.transactions.last_mut() {
            last.ends.clear();
            last.logs.drain(..last.logs.len() - 1);
            last.sent = Some((ASSET.to_owned(), "0xa9059cbb".to_owned()));
        }
        hash
    }

    /// Makes a plain transfer of so many whole tokens; returns its transaction.
    pub fn give(&mut self, name: &str, from: &str, to: &str, amount: &str) -> String {
        let hash = hex::encode_prefixed(&keccak256(format!("gift {name}").as_bytes()));
        let units = Amount::from_decimal(amount, 6).unwrap().to_be_bytes();
        let log = (vec![topic(&TRANSFER), word(from), word(to)], topic(&units));
        self.transactions.push(Transaction {
            hash: hash.clone(),
            block: self.next_block(),
            succeeded: true,
            logs: vec![log],
            ends: Vec::new(),
            sent: None,
            inside: None,
        });
        hash
    }

    /// Lets every pending send land.
    pub fn land(&mut self) {
        let nonces: Vec<_> = self.fates.keys().cloned().collect();
        for nonce in nonces {
            let fate = self.fates.entry(nonce.clone()).or_default();
            if std::mem::take(&mut fate.pending) > 0 {
                self.submit(&nonce);
            }
        }
    }

    /// Whether value moved for this authorization.
    pub fn is_paid(&self, nonce: &str) -> bool {
        self.fates.get(nonce).is_some_and(|fate| fate.transfers > 0)
    }

    /// Whether the contract would refuse it.
    pub fn is_used(&self, nonce: &str) -> bool {
        self.fates.get(nonce).is_some_and(|fate| fate.transfers > 0 || fate.cancelled || fate.burnt)
    }

    /// The next block.
    pub fn next_block(&self) -> u64 {
        self.now / BLOCK_SECS + 1
    }

    fn payer(&mut self, nonce: &str) -> String {
        let number = u8::from_str_radix(&nonce[8..10], 16).unwrap();
        let address = || Payer::new(number.max(1)).address.to_lower_hex();
        self.payers.entry(number).or_insert_with(address).clone()
    }

    /// Makes a plain transfer with a permit in its data, whose nonce its payer has invalidated;
    /// returns its transaction.
    pub fn pretend(&mut self, nonce: &str) -> String {
        self.fates.entry(nonce.to_owned()).or_default().cancelled = true;
        let hash = self.transfer(nonce);
        let data = self.settlement(nonce, (super::PAY_TO, 10_000));
        if let Some(last) = self.transactions.last_mut() {
            last.ends.push(nonce.to_owned());
            last.sent = Some((ASSET.to_owned(), format!("0xa9059cbb{}", &data[10..])));
        }
        hash
    }

    /// The data of the proxy's call that settles a permit. Spec: x402, "Settlement".
    fn settlement(&mut self, nonce: &str, (to, value): (&str, u64)) -> String {
        let payer = self.payer(nonce);
        if let Some((facilitator, most)) = self.fates.get(nonce).and_then(|fate| fate.upto.clone())
        {
            let most: u64 = most.as_str().unwrap().parse().unwrap();
            let words = [
                word(ASSET),
                format!("0x{most:064x}"),
                nonce.to_owned(),
                format!("0x{:064x}", 1),
                format!("0x{value:064x}"),
                word(&payer),
                word(to),
                word(&facilitator),
                format!("0x{:064x}", 0),
                format!("0x{:064x}", 320),
            ];
            let words: String = words.iter().map(|word| &word[2..]).collect();
            return format!("0xff11e7b4{words}{:064x}", 0);
        }
        let words = [
            word(ASSET),
            format!("0x{value:064x}"),
            nonce.to_owned(),
            format!("0x{:064x}", 1),
            word(&payer),
            word(to),
            format!("0x{:064x}", 0),
            format!("0x{:064x}", 256),
        ];
        let words: String = words.iter().map(|word| &word[2..]).collect();
        format!("0x13cd3b53{words}{:064x}", 0)
    }

    fn write(&mut self, nonce: &str, hash: &str, event: &[u8], moved: Option<(&str, u64)>) {
        let payer = word(&self.payer(nonce));
        let permit = self.fates.get(nonce).is_some_and(|fate| fate.permit);
        let used = (vec![topic(event), payer.clone(), nonce.to_owned()], "0x".to_owned());
        let mut logs = if permit { Vec::new() } else { vec![used] };
        let sent = moved.filter(|_| permit).map(|moved| {
            let upto = self.fates.get(nonce).is_some_and(|fate| fate.upto.is_some());
            let proxy = match upto {
                false => "0x402085c248eea27d92e8b30b2c58ed07f9e20001",
                true => "0x4020a4f3b7b90cca423b9fabcc0ce57c6c240002",
            };
            (proxy.to_owned(), self.settlement(nonce, moved))
        });
        if let Some((to, value)) = moved {
            logs.push((vec![topic(&TRANSFER), payer, word(to)], format!("0x{value:064x}")));
        }
        self.transactions.push(Transaction {
            hash: hash.to_owned(),
            block: self.next_block(),
            succeeded: true,
            logs,
            ends: vec![nonce.to_owned()],
            sent,
            inside: None,
        });
    }

    /// The node's answer, if it answers.
    pub fn answer(&mut self, body: &str) -> Option<String> {
        self.asked += 1;
        let fault = self.plan.pop_front().unwrap_or(NodeFault::Fine);
        let calls: Vec<Value> = serde_json::from_str(body).unwrap();
        let latest = match fault {
            NodeFault::Silent => return None,
            NodeFault::Garbage => return Some("<html>".to_owned()),
            NodeFault::Lags => (self.now / BLOCK_SECS).saturating_sub(100),
            _ => self.now / BLOCK_SECS,
        };
        let replies: Vec<Value> = calls
            .iter()
            .map(|call| {
                let id = &call["id"];
                if fault == NodeFault::Refuses {
                    let error = json!({"code": -32_000, "message": "no"});
                    return json!({"jsonrpc": "2.0", "id": id, "error": error});
                }
                let params = &call["params"];
                let method = call["method"].as_str().unwrap();
                if method == "eth_sendRawTransaction" {
                    let bytes = hex::decode_prefixed(params[0].as_str().unwrap()).unwrap();
                    let block = self.next_block();
                    let error = json!({"code": -32_000, "message": "nonce too low"});
                    return match self.transfers.send(&bytes, block) {
                        true => {
                            json!({"jsonrpc": "2.0", "id": id, "result": topic(&keccak256(&bytes))})
                        }
                        false => json!({"jsonrpc": "2.0", "id": id, "error": error}),
                    };
                }
                if method == "debug_traceTransaction" {
                    return match self.trace(params) {
                        Some(trace) => json!({"jsonrpc": "2.0", "id": id, "result": trace}),
                        None => {
                            let error = json!({"code": -32_601, "message": "no such method"});
                            json!({"jsonrpc": "2.0", "id": id, "error": error})
                        }
                    };
                }
                if method == "eth_getTransactionByHash"
                    && let Some(sent) = self.sent(&params[0])
                {
                    return json!({"jsonrpc": "2.0", "id": id, "result": sent});
                }
                match self.transfers.answer(method, params, latest) {
                    Some(Ok(result)) => {
                        return json!({"jsonrpc": "2.0", "id": id, "result": result});
                    }
                    Some(Err(code)) => {
                        let error = json!({"code": code, "message": "execution reverted"});
                        return json!({"jsonrpc": "2.0", "id": id, "error": error});
                    }
                    None => {}
                }
                let result = match method {
                    "eth_chainId" if fault == NodeFault::OtherChain => json!("0x1"),
                    "eth_chainId" => json!(format!("{:#x}", super::CHAIN)),
                    "eth_blockNumber" => json!(format!("{latest:#x}")),
                    "eth_getBlockByNumber"
                        if fault == NodeFault::Undated && params[0] != "safe" =>
                    {
                        Value::Null
                    }
                    "eth_getBlockByNumber" => Self::block(&params[0], latest),
                    "eth_call" => self.state(params, latest),
                    "eth_getLogs" => self.logs(&params[0], latest),
                    "eth_getTransactionReceipt" if fault == NodeFault::Forgets => Value::Null,
                    "eth_getTransactionReceipt" => self.receipt(&params[0], latest),
                    other => panic!("{other}"),
                };
                json!({"jsonrpc": "2.0", "id": id, "result": result})
            })
            .collect();
        Some(Value::Array(replies).to_string())
    }

    fn number(at: &Value, latest: u64) -> u64 {
        match at.as_str().unwrap() {
            "latest" => latest,
            "safe" => latest.saturating_sub(SAFE_LAG),
            number => u64::from_str_radix(&number[2..], 16).unwrap(),
        }
    }

    fn block(at: &Value, latest: u64) -> Value {
        let number = Self::number(at, latest);
        if number > latest {
            return Value::Null;
        }
        json!({
            "number": format!("{number:#x}"), "timestamp": format!("{:#x}", number * BLOCK_SECS),
            "hash": topic(&keccak256(&number.to_be_bytes())),
        })
    }

    /// A transaction by its hash, if the chain has its data.
    fn sent(&self, hash: &Value) -> Option<Value> {
        let found = self.transactions.iter().find(|tx| hash == &tx.hash)?;
        let (called, data) = found.sent.as_ref()?;
        Some(json!({"hash": hash, "from": super::PAY_TO, "to": called, "input": data}))
    }

    fn state(&self, params: &Value, latest: u64) -> Value {
        let at = Self::number(&params[1], latest);
        let data = params[0]["data"].as_str().unwrap();
        if data.starts_with("0x4fe02b44") {
            // The nonces here end in zeros: the lowest bit of their word.
            let nonce = format!("0x{}00", &data[data.len() - 62..]);
            let used =
                self.transactions.iter().any(|tx| tx.ends.contains(&nonce) && tx.block <= at);
            return json!(format!("0x{:064x}", u64::from(used)));
        }
        let nonce = format!("0x{}", &data[data.len() - 64..]);
        let ended = |tx: &&Transaction| tx.ends.contains(&nonce) && tx.block <= at;
        let used = u64::from(self.transactions.iter().any(|tx| ended(&tx)));
        json!(format!("0x{used:064x}"))
    }

    fn logs(&self, filter: &Value, latest: u64) -> Value {
        let (from, to) = (
            Self::number(&filter["fromBlock"], latest),
            Self::number(&filter["toBlock"], latest).min(latest),
        );
        let topics = filter["topics"].as_array().unwrap();
        let mut found = Vec::new();
        if self.forgets && topics[0].is_array() {
            return Value::Array(found);
        }
        for (place, tx) in self.transactions.iter().enumerate() {
            for (index, log) in tx.logs.iter().enumerate() {
                let fits = log.0.len() >= topics.len()
                    && topics.iter().zip(&log.0).all(|(wanted, has)| match wanted {
                        Value::Array(any) => any.iter().any(|one| one == has),
                        one => one == has,
                    });
                if fits && (from..=to).contains(&tx.block) {
                    found.push(Self::log(tx, place, index));
                }
            }
        }
        Value::Array(found)
    }

    fn log(tx: &Transaction, place: usize, index: usize) -> Value {
        json!({
            "address": ASSET, "topics": tx.logs[index].0, "data": tx.logs[index].1,
            "blockNumber": format!("{:#x}", tx.block), "transactionHash": tx.hash,
            "logIndex": format!("{:#x}", place * 8 + index), "removed": false,
            "transactionIndex": format!("{place:#x}"),
            "blockHash": topic(&keccak256(&tx.block.to_be_bytes())),
        })
    }

    fn receipt(&self, hash: &Value, latest: u64) -> Value {
        let found = self
            .transactions
            .iter()
            .enumerate()
            .find(|(_, tx)| hash == &tx.hash && tx.block <= latest);
        let Some((place, tx)) = found else {
            return Value::Null;
        };
        let logs: Vec<_> = (0..tx.logs.len()).map(|index| Self::log(tx, place, index)).collect();
        json!({
            "transactionHash": tx.hash, "blockNumber": format!("{:#x}", tx.block), "logs": logs,
            "blockHash": topic(&keccak256(&tx.block.to_be_bytes())),
            "status": if tx.succeeded { "0x1" } else { "0x0" },
        })
    }
}
