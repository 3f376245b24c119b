//! A chain in memory with the escrow contract on it: blocks of transactions that a gateway signed, a
//! pool, and everything computed anew from the blocks.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::keccak::{keccak256, keccak256_parts};
use farebox_core::evm::rlp::{self, Item, Items};
use farebox_core::evm::signature::Signature;
use serde_json::{Value, json};

pub const CHAIN: u64 = 84_532;
/// Wei of a gwei.
pub const GWEI: u64 = 1_000_000_000;

/// A signed transaction, read from its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub bytes: String,
    pub hash: String,
    pub from: Address,
    pub nonce: u64,
    pub tip: u64,
    pub max_fee: u64,
    pub to: Address,
    pub data: Vec<u8>,
}

fn number(items: &mut Items<'_>) -> u64 {
    items.number().unwrap()
}

impl Signed {
    /// Reads bytes as a node does.
    pub fn read(text: &str) -> Self {
        let bytes = hex::decode_prefixed(text).unwrap();
        assert_eq!(bytes[0], 2);
        let mut outer = Items::of(&bytes[1..]);
        let mut items = outer.list().unwrap();
        assert!(outer.is_empty());
        let all = items.rest();
        assert_eq!(number(&mut items), CHAIN);
        let nonce = number(&mut items);
        let (tip, max_fee, gas) = (number(&mut items), number(&mut items), number(&mut items));
        assert!(tip <= max_fee && gas == 300_000);
        let to = Address::from_bytes(items.array().unwrap());
        assert_eq!(items.bytes().unwrap(), b"");
        let data = items.bytes().unwrap().to_vec();
        assert_eq!(items.item().unwrap(), Item::List(Items::of(&[])));
        let content = rlp::list(&all[..all.len() - items.rest().len()]);
        let v = u8::try_from(number(&mut items)).unwrap() + 27;
        let (r, s) = (items.word().unwrap(), items.word().unwrap());
        assert!(items.is_empty());
        let signature = Signature::from_bytes(&[&r[..], &s, &[v]].concat()).unwrap();
        let from = signature.recover(&keccak256_parts(&[&[2], &content])).unwrap();
        let hash = hex::encode_prefixed(&keccak256(&bytes));
        Self { bytes: text.to_owned(), hash, from, nonce, tip, max_fee, to, data }
    }
}

/// A payment in the contract: its facts, and 1 funded, 2 released, 3 refunded.
pub type Entry = (Vec<u8>, u8);

#[derive(Clone, Debug, Default)]
pub struct Chain {
    /// Transactions of each block, oldest first.
    pub blocks: Vec<Vec<Signed>>,
    pub pool: Vec<Signed>,
    /// Nonces of transactions whose block was forgotten.
    pub forgotten: BTreeSet<u64>,
    /// Gwei.
    pub base_fee: u64,
    /// Payments that the token does not let out.
    pub stuck: Vec<Vec<u8>>,
    /// Whether its node does not say what a call would do.
    pub throttles: bool,
    /// The highest price of gas that the wallet can pay, gwei.
    pub funds: Option<u64>,
    /// Payments that another one has carried out, with what it did.
    pub foreign: Vec<Vec<u8>>,
}

impl Chain {
    pub fn new() -> Self {
        Self { blocks: vec![Vec::new(); 100], base_fee: 1, ..Self::default() }
    }

    /// What the contract has, and whether each transaction was carried out.
    pub fn state(&self) -> (BTreeMap<Vec<u8>, Entry>, BTreeMap<String, bool>) {
        let (mut entries, mut done) = (BTreeMap::new(), BTreeMap::new());
        for it in self.blocks.iter().flatten() {
            let is_done = self.carry(&mut entries, &it.data);
            done.insert(it.hash.clone(), is_done);
        }
        for data in &self.foreign {
            self.carry(&mut entries, data);
        }
        (entries, done)
    }

    /// Carries out a call of the contract.
    fn carry(&self, entries: &mut BTreeMap<Vec<u8>, Entry>, data: &[u8]) -> bool {
        let id = data[4..36].to_vec();
        let known = entries.get(&id).map(|(_, state)| *state);
        let is_stuck = self.stuck.contains(&id);
        match (&data[..4], known) {
            ([0x03, 0xa5, 0xa7, 0x30], None) => {
                assert_eq!(data.len(), 4 + 5 * 32);
                entries.insert(id, (data[36..].to_vec(), 1));
                true
            }
            ([0x67, 0xd4, 0x2a, 0x8b] | [0x72, 0x49, 0xfb, 0xb6], Some(1)) if !is_stuck => {
                let state = if data[0] == 0x67 { 2 } else { 3 };
                entries.get_mut(&id).unwrap().1 = state;
                true
            }
            ([0x03 | 0x67 | 0x72, ..], _) => false,
            _ => panic!("no call of the contract: {data:?}"),
        }
    }

    pub fn count(&self, who: Address) -> u64 {
        self.blocks.iter().flatten().filter(|it| it.from == who).count() as u64
    }

    /// Takes a transaction into the pool, as nodes do: known, old and cheap replacements not.
    pub fn take(&mut self, it: Signed) {
        let is_known = self.blocks.iter().flatten().any(|known| known.hash == it.hash);
        let rival = self.pool.iter().find(|known| known.nonce == it.nonce && known.from == it.from);
        let is_cheap = rival.is_some_and(|known| {
            it.max_fee * 10 < known.max_fee * 11 || it.tip * 10 < known.tip * 11
        });
        let is_poor = self.funds.is_some_and(|funds| it.max_fee > funds * GWEI);
        if is_known || is_cheap || is_poor || it.nonce < self.count(it.from) {
            return;
        }
        self.pool.retain(|known| known.nonce != it.nonce || known.from != it.from);
        self.pool.push(it);
    }

    /// A block with what can pay for it.
    pub fn mine(&mut self) {
        let mut block: Vec<Signed> = Vec::new();
        self.blocks.push(Vec::new());
        loop {
            let found = self.pool.iter().position(|it| {
                let mined = block.iter().filter(|other| other.from == it.from).count() as u64;
                it.nonce == self.count(it.from) + mined && it.max_fee >= self.base_fee * GWEI
            });
            let Some(place) = found else { break };
            block.push(self.pool.remove(place));
        }
        *self.blocks.last_mut().unwrap() = block;
        let counts: Vec<u64> = self.pool.iter().map(|it| self.count(it.from)).collect();
        let mut counts = counts.into_iter();
        self.pool.retain(|it| it.nonce >= counts.next().unwrap());
    }

    /// Forgets the last block; what was in it goes back to the pool, or is lost.
    pub fn forget(&mut self, is_kept: bool) {
        let block = self.blocks.pop().unwrap();
        self.forgotten.extend(block.iter().map(|it| it.nonce));
        for it in block.into_iter().filter(|_| is_kept) {
            self.pool.push(it);
        }
    }

    /// Answers a batch.
    pub fn answer(&mut self, body: &str) -> String {
        let calls: Vec<Value> = serde_json::from_str(body).unwrap();
        let answers: Vec<Value> = calls.iter().map(|call| self.one(call)).collect();
        json!(answers).to_string()
    }

    fn one(&mut self, call: &Value) -> Value {
        let told = |result: Value| json!({"jsonrpc": "2.0", "id": call["id"], "result": result});
        let refused = || json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": 3, "message": "reverted"}});
        let quantity = |number: u64| json!(format!("{number:#x}"));
        let params = &call["params"];
        let (entries, done) = self.state();
        match call["method"].as_str().unwrap() {
            "eth_chainId" => told(quantity(CHAIN)),
            "eth_getBlockByNumber" => told(json!({
                "number": quantity(self.blocks.len() as u64), "timestamp": "0x1",
                "baseFeePerGas": quantity(self.base_fee * GWEI),
            })),
            "eth_getTransactionCount" => {
                let who = Address::parse(params[0].as_str().unwrap()).unwrap();
                told(quantity(self.count(who)))
            }
            "eth_call" => {
                let data = hex::decode_prefixed(params[0]["data"].as_str().unwrap()).unwrap();
                if data[..4] == [0x07, 0x16, 0x32, 0x6d] {
                    let entry = entries.get(&data[4..36]);
                    let (facts, state) = entry.cloned().unwrap_or((vec![0; 128], 0));
                    let mut words = facts;
                    words.extend([0; 31]);
                    words.push(state);
                    return told(json!(hex::encode_prefixed(&words)));
                }
                if self.throttles {
                    let error = json!({"code": -32_005, "message": "limit exceeded"});
                    return json!({"jsonrpc": "2.0", "id": call["id"], "error": error});
                }
                let mut entries = entries;
                if self.carry(&mut entries, &data) { told(json!("0x")) } else { refused() }
            }
            "eth_getTransactionReceipt" => {
                let hash = params[0].as_str().unwrap();
                let is_in = |block: &Vec<Signed>| block.iter().any(|it| it.hash == hash);
                let Some(place) = self.blocks.iter().position(is_in) else {
                    return told(Value::Null);
                };
                told(json!({
                    "transactionHash": hash, "blockNumber": quantity(place as u64 + 1),
                    "status": if done[hash] { "0x1" } else { "0x0" }, "logs": [],
                }))
            }
            "eth_sendRawTransaction" => {
                let it = Signed::read(params[0].as_str().unwrap());
                let hash = it.hash.clone();
                self.take(it);
                told(json!(hash))
            }
            other => panic!("{other}"),
        }
    }
}
