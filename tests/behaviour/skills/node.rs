//! A chain in memory, and the node that answers for it.

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::rpc::TRANSFER;
use farebox_core::evm::transaction::transfer_data;
use serde_json::{Value, json};

/// Seconds between two blocks.
const BLOCK_SECS: u64 = 2;
/// Time of block 0.
const GENESIS: u64 = 1_763_618_400 - 2_000;

/// A `transfer` that was sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub hash: String,
    pub from: Address,
    pub token: Address,
    pub to: Address,
    pub value: Amount,
    pub block: u64,
}

/// The chain up to a block.
#[derive(Clone, Debug)]
pub struct Node {
    pub chain: u64,
    pub latest: u64,
    /// Blocks on top of the safe one.
    pub unsafe_blocks: u64,
    pub sent: Vec<Sent>,
}

impl Node {
    /// The chain at a time, unix milliseconds.
    pub fn at(now: u64) -> Self {
        let mut node = Self { chain: 84_532, latest: 0, unsafe_blocks: 5, sent: Vec::new() };
        node.mine(now);
        node
    }

    /// Blocks until a time.
    pub fn mine(&mut self, now: u64) {
        self.latest = (now / 1_000 - GENESIS) / BLOCK_SECS;
    }

    /// Sends a transfer, which the newest block has; its hash.
    pub fn send(&mut self, from: Address, token: &str, to: &str, value: &str) -> String {
        let number = self.sent.len() as u64 + 1;
        let hash = format!("0x{number:064x}");
        let (token, to) = (Address::parse(token).unwrap(), Address::parse(to).unwrap());
        let value = Amount::from_atomic(value).unwrap();
        let block = self.latest;
        self.sent.push(Sent { hash: hash.clone(), from, token, to, value, block });
        hash
    }

    /// Whether a transfer is in a block that stays.
    pub fn is_final(&self, hash: &str) -> bool {
        let found = self.sent.iter().find(|sent| sent.hash == hash);
        found.is_some_and(|sent| sent.block + self.unsafe_blocks <= self.latest)
    }

    /// Takes back what is in no safe block.
    pub fn reorganize(&mut self) {
        let safe = self.latest.saturating_sub(self.unsafe_blocks);
        self.sent.retain(|sent| sent.block <= safe);
    }

    /// The reply to a batch.
    pub fn reply(&self, body: &str) -> String {
        let calls: Vec<Value> = serde_json::from_str(body).unwrap();
        let answer = |call: &Value| {
            let result = self.result(call["method"].as_str().unwrap(), &call["params"][0]);
            json!({"jsonrpc": "2.0", "id": call["id"], "result": result})
        };
        Value::Array(calls.iter().map(answer).collect()).to_string()
    }

    fn result(&self, method: &str, param: &Value) -> Value {
        let text = param.as_str().unwrap_or_default();
        let found = || self.sent.iter().find(|sent| sent.hash == text);
        match method {
            "eth_chainId" => format!("{:#x}", self.chain).into(),
            "eth_blockNumber" => format!("{:#x}", self.latest).into(),
            "eth_getBlockByNumber" => {
                let number = match text.strip_prefix("0x") {
                    Some(number) => u64::from_str_radix(number, 16).unwrap(),
                    None => self.latest - self.unsafe_blocks,
                };
                let time = GENESIS + number * BLOCK_SECS;
                json!({"number": format!("{number:#x}"), "timestamp": format!("{time:#x}")})
            }
            "eth_getTransactionByHash" => found().map_or(Value::Null, |sent| {
                let input = hex::encode_prefixed(&transfer_data(sent.to, sent.value));
                let (from, to) = (sent.from.to_lower_hex(), sent.token.to_lower_hex());
                json!({"hash": text, "from": from, "to": to, "input": input})
            }),
            "eth_getTransactionReceipt" => found().map_or(Value::Null, receipt),
            other => panic!("no answer to {other}"),
        }
    }
}

fn receipt(sent: &Sent) -> Value {
    let words = [TRANSFER, sent.from.to_word(), sent.to.to_word()];
    let block = format!("{:#x}", sent.block);
    json!({
        "status": "0x1", "transactionHash": sent.hash, "blockNumber": block,
        "logs": [{
            "address": sent.token.to_lower_hex(), "topics": words.map(|word| hex::encode_prefixed(&word)),
            "data": hex::encode_prefixed(&sent.value.to_be_bytes()), "blockNumber": block,
            "transactionHash": sent.hash, "logIndex": "0x0", "removed": false,
        }],
    })
}
