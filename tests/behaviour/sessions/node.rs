//! The escrow contract of MPP behind a node, as far as sessions use it: channels by their ids, and transactions of the payee.

use std::collections::{BTreeMap, BTreeSet};

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelId, ChannelParties};
use farebox_core::channel::escrow::{Escrow, EscrowContract};
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::keccak::keccak256;
use farebox_core::evm::rlp::Items;
use serde_json::{Value, json};

use super::chain::units;
use super::token::DepositCall;
use crate::world::CHAIN;

pub const ESCROW: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
/// Seconds that the contract lets pass before a payer withdraws.
pub const GRACE: u64 = 900;

/// The gas that a transaction of the payee may use.
const GAS: u64 = 300_000;
/// What it uses.
const USED: u64 = 55_000;

/// A channel in the contract.
#[derive(Clone, Debug)]
pub struct Locked {
    pub parties: ChannelParties,
    pub deposit: u64,
    pub settled: u64,
    pub leaving: u64,
    pub finalized: bool,
    /// What went back to the payer.
    pub back: u64,
}

/// A node, and what it forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeManner {
    Works,
    Down,
    /// What is sent waits for [`ChannelNode::block`].
    Waits,
    /// The same, and a stranger who reads the pool has each deposit mined before the payee's call.
    Overtakes,
    /// It answers what it is asked, and takes no transactions.
    Refuses,
}

/// Address, topics and data.
type Event = (String, Vec<String>, String);

#[derive(Clone, Debug)]
pub struct ChannelNode {
    pub channels: BTreeMap<String, Locked>,
    /// Transactions of payers: whether each is mined.
    pub sent: BTreeMap<String, bool>,
    /// When each channel was opened; the number of a block is its time.
    pub opened: BTreeMap<String, u64>,
    /// When each transaction of a payer was mined.
    pub(super) mined_at: BTreeMap<String, u64>,
    /// What contract and token tell in transactions: address, topics and data of each event.
    told: BTreeMap<String, Vec<Event>>,
    pub manner: NodeManner,
    pub grace: u64,
    pub asked: u64,
    /// Transactions of the payee: nonce and tip of each.
    pub paid: Vec<(u64, u64)>,
    /// Nonces of the payee that blocks have.
    pub mined: u64,
    /// Transactions that wait: tip and maximum price, and data, by nonce; another program's have no data.
    pub pool: BTreeMap<u64, ([u64; 2], Vec<u8>)>,
    /// Whether it knows no receipts.
    pub has_no_receipts: bool,
    /// What each nonce of the payee was sent by last.
    hashes: BTreeMap<u64, String>,
    /// Channels whose calls were carried out, in order.
    pub done: Vec<String>,
    /// Calls that the contract has refused, at the payee's cost.
    pub reverted: u64,
    /// What the payee's account has, wei.
    pub wei: u64,
    /// The least tip that it takes, and whether it tells.
    pub least_tip: u64,
    pub tells_tip: bool,
    /// What it says against the call that it answers.
    refusal: Option<String>,
    /// The base fee of its blocks, wei for a unit of gas.
    pub base: u64,
    /// Whether the token pays no payer: a close fails.
    pub blocks_payers: bool,
    /// What payers have of the token who sign deposits, and the nonces that it knows as used.
    pub tokens: BTreeMap<Address, u64>,
    pub used: BTreeSet<[u8; 32]>,
    /// The time of its blocks.
    pub now: u64,
    /// The chain as it goes on showing it, where it stands still.
    pub still: Option<Box<Self>>,
    /// Whether its chain has made few blocks.
    pub is_young: bool,
    /// Events of the token in transactions that are not the payee's, oldest first.
    pub token_logs: Vec<Value>,
    /// Questions for events that it was asked, and whether it answers none.
    pub searched: u64,
    pub has_no_logs: bool,
    /// Whether what it answers to a batch with a search of events cannot be read.
    pub chokes_on_searches: bool,
    /// Deposits that it still tries before it is busy; none if it never is.
    pub trials: Option<u64>,
    /// What it says then.
    pub excuse: &'static str,
}

pub fn escrow() -> EscrowContract {
    let address = Address::parse_checksummed(ESCROW).unwrap();
    EscrowContract { escrow: Escrow::PaymentChannel, chain_id: CHAIN, address }
}

fn word(text: &str) -> [u8; 32] {
    hex::decode_array(text).unwrap()
}

/// A number as a word.
pub fn word_of(number: u64) -> String {
    hex::encode_prefixed(&units(number).to_be_bytes())
}

fn count(word: &[u8]) -> u64 {
    Amount::from_be_bytes(word.try_into().unwrap()).to_string().parse().unwrap()
}

impl ChannelNode {
    pub fn new() -> Self {
        Self {
            channels: BTreeMap::new(),
            sent: BTreeMap::new(),
            opened: BTreeMap::new(),
            mined_at: BTreeMap::new(),
            told: BTreeMap::new(),
            manner: NodeManner::Works,
            grace: GRACE,
            asked: 0,
            paid: Vec::new(),
            mined: 0,
            pool: BTreeMap::new(),
            has_no_receipts: false,
            hashes: BTreeMap::new(),
            done: Vec::new(),
            reverted: 0,
            wei: 1_000_000_000_000_000_000,
            least_tip: 0,
            tells_tip: false,
            refusal: None,
            base: 1_000_000_000,
            blocks_payers: false,
            tokens: BTreeMap::new(),
            used: BTreeSet::new(),
            now: 0,
            still: None,
            is_young: false,
            token_logs: Vec::new(),
            searched: 0,
            has_no_logs: false,
            chokes_on_searches: false,
            trials: None,
            excuse: "request rate limit exceeded",
        }
    }

    /// The payer opens a channel; the hash of the transaction.
    pub fn open(&mut self, parties: ChannelParties, deposit: u64) -> String {
        let id = parties.id(&escrow()).to_string();
        let locked = Locked { parties, deposit, settled: 0, leaving: 0, finalized: false, back: 0 };
        assert!(self.channels.insert(id.clone(), locked).is_none());
        let event = self.opened(&id);
        self.mine(&id, vec![event])
    }

    /// The payer adds to a deposit.
    pub fn top_up(&mut self, id: &str, amount: u64) -> String {
        self.channels.get_mut(id).unwrap().deposit += amount;
        let event = self.added(id, amount);
        self.mine(id, vec![event])
    }

    /// What the contract tells of a channel that was opened.
    pub fn opened(&self, id: &str) -> Event {
        let Locked { parties, deposit, .. } = &self.channels[id];
        let name = keccak256(b"ChannelOpened(bytes32,address,address,uint128)");
        let accounts = [parties.payer, parties.payee].map(|it| hex::encode_prefixed(&it.to_word()));
        let [payer, payee] = accounts;
        let topics = vec![hex::encode_prefixed(&name), id.to_owned(), payer, payee];
        (ESCROW.to_lowercase(), topics, word_of(*deposit))
    }

    /// What it tells of one to which this much was added.
    pub fn added(&self, id: &str, amount: u64) -> Event {
        let name = hex::encode_prefixed(&keccak256(b"TopUp(bytes32,uint128,uint128)"));
        let data = format!("{}{}", word_of(amount), &word_of(self.channels[id].deposit)[2..]);
        (ESCROW.to_lowercase(), vec![name, id.to_owned()], data)
    }

    /// A transaction about this channel with these events; its hash.
    pub fn mine(&mut self, id: &str, events: Vec<Event>) -> String {
        let hash = format!("0x{:064x}", self.sent.len() + 1);
        self.sent.insert(hash.clone(), true);
        self.told.insert(hash.clone(), events);
        self.opened.entry(id.to_owned()).or_insert(self.now);
        self.mined_at.insert(hash.clone(), self.now);
        hash
    }

    /// The payer withdraws, if the time has come.
    pub fn withdraw(&mut self, id: &str, now: u64) {
        let locked = self.channels.get_mut(id).unwrap();
        assert!(!locked.finalized && locked.leaving > 0);
        assert!(now >= locked.leaving + self.grace, "too early");
        (locked.finalized, locked.back) = (true, locked.deposit - locked.settled);
    }

    /// It follows its chain no longer.
    pub fn stands_still(&mut self) {
        self.still = Some(Box::new(self.clone()));
    }

    /// Answers a batch; none if the node is down.
    pub fn answer(&mut self, body: &str) -> Option<String> {
        if let Some(still) = &mut self.still {
            return still.answer(body);
        }
        let is_choked = self.chokes_on_searches && body.contains("eth_getLogs");
        if self.manner == NodeManner::Down || is_choked {
            return None;
        }
        let calls: Value = serde_json::from_str(body).unwrap();
        let calls = calls.as_array().unwrap().clone();
        let answers = calls.iter().map(|call| {
            let result = self.call(call["method"].as_str().unwrap(), &call["params"]);
            match self.refusal.take() {
                Some(message) => json!({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32000, "message": message}}),
                None => json!({"jsonrpc": "2.0", "id": call["id"], "result": result}),
            }
        });
        Some(Value::from(answers.collect::<Vec<_>>()).to_string())
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        match method {
            "eth_chainId" => {
                self.asked += 1;
                Value::from(format!("{CHAIN:#x}"))
            }
            "eth_getBlockByNumber" => {
                let block = self.block_of(&params[0]);
                let number = if self.is_young { block % 1_000_000 } else { block };
                let [number, time] = [number, block].map(|it| format!("{it:#x}"));
                json!({"number": number, "timestamp": time, "baseFeePerGas": format!("{:#x}", self.base)})
            }
            "eth_maxPriorityFeePerGas" if self.tells_tip => {
                Value::from(format!("{:#x}", self.least_tip))
            }
            "eth_maxPriorityFeePerGas" => {
                self.refusal = Some("the method does not exist".to_owned());
                Value::Null
            }
            "eth_getTransactionCount" => {
                let is_pending = params[1] == "pending";
                let waiting = (self.mined..).take_while(|nonce| self.pool.contains_key(nonce));
                let waiting = if is_pending { waiting.count() } else { 0 };
                Value::from(format!("{:#x}", self.mined + u64::try_from(waiting).unwrap()))
            }
            "eth_getBalance" => Value::from(format!("{:#x}", self.wei)),
            "eth_getTransactionReceipt" => {
                let hash = params[0].as_str().unwrap();
                match self.sent.get(hash) {
                    _ if self.has_no_receipts => Value::Null,
                    None => Value::Null,
                    Some(done) => {
                        let status = if *done { "0x1" } else { "0x0" };
                        let block = self.mined_at.get(hash).copied().unwrap_or(self.now);
                        let block = format!("{block:#x}");
                        let event = |(place, (address, topics, data)): (u64, &Event)| {
                            json!({
                                "address": address, "topics": topics, "data": data,
                                "blockNumber": block, "logIndex": format!("{:#x}", 100 + place),
                                "transactionHash": hash, "removed": false,
                            })
                        };
                        let own =
                            self.token_logs.iter().filter(|log| log["transactionHash"] == hash);
                        let told = self.told.get(hash).into_iter().flatten();
                        let told = (0_u64..).zip(told).map(event);
                        let logs: Vec<Value> = told.chain(own.cloned()).collect();
                        json!({"status": status, "blockNumber": block, "logs": logs, "transactionHash": hash})
                    }
                }
            }
            "eth_getLogs" if self.has_no_logs => {
                self.refusal = Some("the range is too wide".to_owned());
                Value::Null
            }
            "eth_getLogs" => {
                // One that names a nonce.
                self.searched += u64::from(params[0]["topics"][2].is_string());
                self.events(&params[0])
            }
            "eth_call" => {
                let data = hex::decode_prefixed(params[0]["data"].as_str().unwrap()).unwrap();
                if data.starts_with(&[0xe9, 0x4a, 0x01, 0x02]) {
                    let is_used = self.used.contains(&data[36..68]);
                    return Value::from(hex::encode_prefixed(
                        &units(u64::from(is_used)).to_be_bytes(),
                    ));
                }
                assert_eq!(params[0]["to"], ESCROW.to_lowercase());
                if let Some(call) = DepositCall::read(&data) {
                    if self.trials == Some(0) {
                        self.refusal = Some(self.excuse.to_owned());
                    } else if self.clone().deposits(&call).is_none() {
                        self.refusal = Some("execution reverted".to_owned());
                    }
                    self.trials = self.trials.map(|left| left.saturating_sub(1));
                    return Value::from("0x");
                }
                Value::from(match data.get(..4).unwrap() {
                    [0x95, 0x6c, 0x83, 0x27] => {
                        hex::encode_prefixed(&units(self.grace).to_be_bytes())
                    }
                    _ => {
                        let id = hex::encode_prefixed(&data[4..36]);
                        let opened = self.opened.get(&id).copied().unwrap_or_default();
                        let is_there = opened <= self.block_of(&params[1]);
                        self.channel(if is_there { &id } else { "none" })
                    }
                })
            }
            "eth_sendRawTransaction" => {
                self.send(&hex::decode_prefixed(params[0].as_str().unwrap()).unwrap());
                Value::from("0x")
            }
            other => panic!("{other}"),
        }
    }

    /// The block that is named: those that are safe are two minutes old.
    fn block_of(&self, name: &Value) -> u64 {
        match name.as_str().unwrap() {
            "latest" => self.now,
            "safe" => self.now.saturating_sub(120),
            number => u64::from_str_radix(&number[2..], 16).unwrap(),
        }
    }

    fn channel(&self, id: &str) -> String {
        let Some(locked) = self.channels.get(id) else {
            return hex::encode_prefixed(&[0; 256]);
        };
        let ChannelParties { payer, payee, token, authorized_signer, .. } = locked.parties;
        let words = [
            units(u64::from(locked.finalized)).to_be_bytes(),
            units(locked.leaving).to_be_bytes(),
            payer.to_word(),
            payee.to_word(),
            token.to_word(),
            authorized_signer.to_word(),
            units(locked.deposit).to_be_bytes(),
            units(locked.settled).to_be_bytes(),
        ];
        hex::encode_prefixed(&words.concat())
    }

    /// Carries out a call of the payee, as the contract does.
    fn send(&mut self, bytes: &[u8]) {
        let (kind, body) = bytes.split_first().unwrap();
        assert_eq!(*kind, 2);
        let mut fields = Items::of(body);
        let mut fields = fields.list().unwrap();
        assert_eq!(fields.number(), Ok(CHAIN));
        let (nonce, tip) = (fields.number().unwrap(), count(&fields.word().unwrap()));
        let max_fee = count(&fields.word().unwrap());
        assert!(tip > 0 && max_fee > tip);
        let _gas = fields.number().unwrap();
        assert_eq!(fields.array(), Ok(*escrow().address.as_bytes()));
        assert_eq!(fields.bytes(), Ok(&[][..]));
        let data = fields.bytes().unwrap().to_vec();
        self.paid.push((nonce, tip));
        // A node has each nonce once, replaces what waits for a tenth more, and takes what can be paid beside the rest.
        let is_raised = self.pool.get(&nonce).is_none_or(|([old_tip, old_fee], _)| {
            tip * 10 >= old_tip * 11 && max_fee * 10 >= old_fee * 11
        });
        let others = self.pool.iter().filter(|(other, _)| **other != nonce);
        let held: u64 = others.map(|(_, ([_, fee], _))| fee * GAS).sum();
        let is_paid = held + max_fee * GAS <= self.wei;
        self.refusal = match () {
            () if self.manner == NodeManner::Refuses => Some("limit exceeded".to_owned()),
            () if tip < self.least_tip => {
                Some(format!("underpriced: gas tip cap {tip}, minimum needed {}", self.least_tip))
            }
            () if nonce < self.mined => Some("nonce too low".to_owned()),
            () if !is_raised => Some("already known".to_owned()),
            () if !is_paid => Some("insufficient funds".to_owned()),
            () => None,
        };
        if self.refusal.is_none() {
            self.pool.insert(nonce, ([tip, max_fee], data));
            self.hashes.insert(nonce, hex::encode_prefixed(&keccak256(bytes)));
        }
        if self.manner == NodeManner::Works {
            self.block(usize::MAX);
        }
    }

    /// A block with at most so many of the transactions that wait.
    pub fn block(&mut self, most: usize) {
        for _ in 0..most {
            let first = self.pool.first_entry().filter(|it| *it.key() == self.mined);
            let Some(first) = first.filter(|it| it.get().0[1] >= self.base) else { return };
            let ([tip, max_fee], data) = first.remove();
            self.wei -= USED * max_fee.min(self.base + tip);
            let hash = self.hashes.get(&self.mined).cloned();
            self.mined += 1;
            if self.manner == NodeManner::Overtakes
                && let Some(call) = DepositCall::read(&data)
            {
                self.overtakes(&call);
            }
            let is_done = data.is_empty() || self.carried_out(&data);
            self.reverted += u64::from(!is_done);
            if let Some(hash) = hash.as_ref().filter(|_| is_done && !data.is_empty())
                && let Some(call) = DepositCall::read(&data)
            {
                let events = self.deposited(&call);
                self.told.insert(hash.clone(), events);
            }
            self.sent.extend(hash.map(|hash| (hash, is_done)));
        }
    }

    /// The transaction with this nonce of the payee.
    pub fn hash_of(&self, nonce: u64) -> String {
        self.hashes[&nonce].clone()
    }

    /// The chain is as it was before, and these transactions wait again.
    pub fn undo(&mut self, before: Self, again: BTreeMap<u64, ([u64; 2], Vec<u8>)>) {
        let (mut pool, paid) = (std::mem::take(&mut self.pool), std::mem::take(&mut self.paid));
        pool.extend(again);
        *self = Self { pool, paid, ..before };
    }

    /// Whether the contract does what it is called for.
    fn carried_out(&mut self, data: &[u8]) -> bool {
        if let Some(call) = DepositCall::read(data) {
            return self.deposits(&call).is_some();
        }
        let (selector, words) = data.split_at(4);
        let id = hex::encode_prefixed(&words[..32]);
        let cumulative = count(&words[32..64]);
        assert_eq!(count(&words[64..96]), 96);
        let length = usize::try_from(count(&words[96..128])).unwrap();
        let signature = hex::encode_prefixed(&words[128..128 + length]);
        let Some(locked) = self.channels.get_mut(&id).filter(|locked| !locked.finalized) else {
            return false;
        };
        let voucher =
            Voucher { channel: ChannelId::from_bytes(word(&id)), cumulative: units(cumulative) };
        let signed = voucher.check(&escrow(), locked.parties.signer(), &signature).is_ok();
        let is_more = cumulative > locked.settled;
        if cumulative > locked.deposit || is_more && !signed {
            return false;
        }
        match selector {
            [0x51, 0x6d, 0x3b, 0x88] if is_more => locked.settled = cumulative,
            [0x0d, 0x65, 0xc5, 0x1d] if cumulative >= locked.settled && !self.blocks_payers => {
                (locked.settled, locked.finalized) = (cumulative, true);
                locked.back = locked.deposit - cumulative;
            }
            _ => return false,
        }
        self.done.push(id);
        true
    }
}
