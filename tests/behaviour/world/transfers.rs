//! Plain transfers on the chain: accounts that send their own transactions, a pool in which these
//! wait, and a node's answers about them.

use farebox_core::encoding::hex;
use farebox_core::evm::keccak::keccak256;
use farebox_core::evm::rpc::TRANSFER;
use farebox_core::evm::transaction::{SignedTransfer, transfer_data};
use serde_json::{Value, json};

use super::chain::{ASSET, topic, word};

/// A transaction and its state.
#[derive(Clone)]
pub struct Plain {
    /// As it was sent.
    pub signed: SignedTransfer,
    /// Its block; `None` while it waits.
    pub block: Option<u64>,
    /// Whether it reverts, or did.
    pub reverts: bool,
    /// Atomic units that move, if not the stated value.
    pub moves: Option<u64>,
}

/// Fate of the next transaction that a node receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fate {
    /// The next block has it.
    #[default]
    Mined,
    /// It waits.
    Waits,
    /// The next block has it, reverted.
    Reverts,
    /// The node refuses it, and no other node hears of it.
    Lost,
    /// The next block has it, and less moves.
    MovesLess,
}

/// Every plain transfer.
#[derive(Clone, Default)]
pub struct Transfers {
    /// Sent and not lost.
    pub all: Vec<Plain>,
    /// Number of transactions that a node received.
    pub given: usize,
    /// Fate of the next one.
    pub fate: Fate,
    /// Whether accounts hold none of the token.
    pub poor: bool,
    /// Whether a `transfer` would revert.
    pub blocked: bool,
}

impl Transfers {
    /// Gives a transaction to a node. A block that has it has what its sender sent before, too: a chain takes an account's
    /// transactions in the order of their nonces.
    pub fn send(&mut self, bytes: &[u8], block: u64) -> bool {
        self.given += 1;
        let signed = SignedTransfer::parse(bytes).unwrap();
        let fresh = self
            .all
            .iter()
            .all(|one| one.signed.from != signed.from || one.signed.nonce != signed.nonce);
        if !fresh || self.fate == Fate::Lost {
            return false;
        }
        let block = Some(block).filter(|_| self.fate != Fate::Waits);
        let before = self.all.iter_mut().filter(|one| {
            one.signed.from == signed.from && one.signed.nonce < signed.nonce && one.block.is_none()
        });
        for one in before {
            one.block = block;
        }
        let moves = (self.fate == Fate::MovesLess).then_some(9_999);
        self.all.push(Plain { signed, block, reverts: self.fate == Fate::Reverts, moves });
        true
    }

    /// Puts the waiting transactions into this block.
    pub fn mine(&mut self, block: u64) {
        for one in self.all.iter_mut().filter(|one| one.block.is_none()) {
            one.block = Some(block);
        }
    }

    /// Value that really moved, atomic units.
    pub fn moved(&self) -> u64 {
        let paid = self.all.iter().filter(|one| one.block.is_some() && !one.reverts);
        paid.map(|one| one.moves.unwrap_or(10_000)).sum()
    }

    /// Whether this transaction is in a block and has moved its stated value.
    pub fn is_mined(&self, hash: &str) -> bool {
        let found = self.find(&json!(hash)).map(|(_, one)| one);
        found.is_some_and(|one| one.block.is_some() && !one.reverts && one.moves.is_none())
    }

    /// The answer of a node at block `latest`; `None` for other requests.
    pub fn answer(&self, method: &str, params: &Value, latest: u64) -> Option<Result<Value, i64>> {
        let data = params[0]["data"].as_str().unwrap_or_default();
        Some(Ok(match method {
            "eth_getTransactionCount" => json!(format!("{:#x}", self.count(params, latest))),
            "eth_getBalance" => json!("0xde0b6b3a7640000"),
            "eth_call" if data.starts_with("0x70a08231") => {
                json!(format!("0x{:064x}", if self.poor { 9_999 } else { 1_000_000_000_u64 }))
            }
            "eth_call" if data.starts_with("0xa9059cbb") && self.blocked => return Some(Err(3)),
            "eth_call" if data.starts_with("0xa9059cbb") => json!(format!("0x{:064x}", 1)),
            "eth_getTransactionByHash" => self.find(&params[0]).map_or(Value::Null, |(_, one)| {
                let signed = &one.signed;
                json!({
                    "hash": params[0], "from": signed.from.to_lower_hex(),
                    "to": signed.token.to_lower_hex(),
                    "input": hex::encode_prefixed(&transfer_data(signed.to, signed.value)),
                })
            }),
            "eth_getTransactionReceipt" => {
                let (place, one) = self.find(&params[0])?;
                match one.block.filter(|block| *block <= latest) {
                    Some(block) => Self::receipt(place, one, block),
                    None => Value::Null,
                }
            }
            _ => return None,
        }))
    }

    fn find(&self, hash: &Value) -> Option<(usize, &Plain)> {
        let wanted = hash.as_str().unwrap();
        self.all
            .iter()
            .enumerate()
            .find(|(_, one)| hex::encode_prefixed(&one.signed.hash) == wanted)
    }

    fn count(&self, params: &Value, latest: u64) -> usize {
        let at = match params[1].as_str().unwrap() {
            "pending" => u64::MAX,
            "latest" => latest,
            number => u64::from_str_radix(&number[2..], 16).unwrap(),
        };
        let sent = self.all.iter().filter(|one| {
            params[0] == one.signed.from.to_lower_hex().as_str()
                && one.block.unwrap_or(u64::MAX) <= at
        });
        sent.count()
    }

    fn receipt(place: usize, one: &Plain, block: u64) -> Value {
        let (signed, hash) = (&one.signed, hex::encode_prefixed(&one.signed.hash));
        let value = one.moves.map_or(signed.value.to_be_bytes(), |units| {
            let mut word = [0; 32];
            word[24..].copy_from_slice(&units.to_be_bytes());
            word
        });
        let log = json!({
            "address": ASSET,
            "topics": [
                topic(&TRANSFER), word(&signed.from.to_lower_hex()), word(&signed.to.to_lower_hex()),
            ],
            "data": hex::encode_prefixed(&value), "removed": false, "transactionHash": hash,
            "blockNumber": format!("{block:#x}"), "logIndex": format!("{:#x}", 10_000 + place),
        });
        let logs = if one.reverts { Vec::new() } else { vec![log] };
        json!({
            "transactionHash": hash, "blockNumber": format!("{block:#x}"), "logs": logs,
            "blockHash": topic(&keccak256(&block.to_be_bytes())),
            "status": if one.reverts { "0x0" } else { "0x1" },
        })
    }
}
