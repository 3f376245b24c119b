//! The token and the contract behind a node, as far as deposits use them: the payee's, those that a stranger sends first, and authorizations that their payer spoils.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelParties, top_up_nonce};
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::rpc::{AUTHORIZATION_CANCELED, AUTHORIZATION_USED, TRANSFER};
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::chain::units;
use super::node::{ChannelNode, Locked, escrow};
use crate::world::CHAIN;

/// A call that deposits, taken apart by its places.
#[derive(Clone, Debug)]
pub struct DepositCall {
    /// A channel's parties, or its id and the salt of what is added.
    pub target: Result<ChannelParties, (String, [u8; 32])>,
    pub token: Option<Address>,
    pub signed: Authorization,
    pub signature: Signature,
}

impl DepositCall {
    /// Reads one; none if it is another call.
    pub fn read(data: &[u8]) -> Option<Self> {
        let (selector, words) = data.split_at(4);
        let word = |place: usize| <[u8; 32]>::try_from(&words[place * 32..][..32]).unwrap();
        let account = |place| Address::from_bytes(word(place)[12..].try_into().unwrap());
        let number = |place| Amount::from_be_bytes(word(place)).to_string().parse::<u64>().unwrap();
        let time = |place| UnixTime::from_secs(number(place));
        let bytes = |place| {
            let start = usize::try_from(number(place)).unwrap();
            let length = usize::try_from(number(start / 32)).unwrap();
            words[start + 32..][..length].to_vec()
        };
        let (target, token, from, value, at) = match selector {
            [0xda, 0xcc, 0xa0, 0x80] => {
                assert_eq!((bytes(10), bytes(11)), (Vec::new(), Vec::new()));
                let parties = ChannelParties {
                    payer: account(5),
                    payee: account(0),
                    token: account(1),
                    salt: word(3),
                    authorized_signer: account(4),
                };
                (Ok(parties), Some(account(1)), account(5), word(2), 6)
            }
            [0xbc, 0xf5, 0x1e, 0x86] => {
                let channel = hex::encode_prefixed(&word(0));
                (Err((channel, word(3))), None, account(2), word(1), 4)
            }
            _ => return None,
        };
        let signed = Authorization {
            from,
            to: escrow().address,
            value: Amount::from_be_bytes(value),
            valid_after: time(at),
            valid_before: time(at + 1),
            nonce: word(at + 2),
        };
        let signature = Signature::from_bytes(&bytes(at + 3)).unwrap();
        Some(Self { target, token, signed, signature })
    }
}

impl ChannelNode {
    /// Carries out a deposit, as contract and token do; none if they refuse it.
    pub fn deposits(&mut self, call: &DepositCall) -> Option<()> {
        let DepositCall { target, signed, .. } = call;
        let value: u64 = signed.value.to_string().parse().unwrap();
        let (id, nonce, token) = match target {
            Ok(parties) => {
                let id = parties.id(&escrow()).to_string();
                (id, parties.open_nonce_of_okx(&[]), call.token?)
            }
            Err((id, salt)) => {
                let locked = self.channels.get(id).filter(|it| !it.finalized)?;
                let channel = locked.parties.id(&escrow());
                let nonce = top_up_nonce(&channel, signed.value, signed.from, salt);
                (
                    id.clone(),
                    nonce,
                    (locked.parties.payer == signed.from).then_some(locked.parties.token)?,
                )
            }
        };
        let is_new = !self.channels.contains_key(&id);
        let is_fit = nonce == signed.nonce && is_new == target.is_ok();
        let is_in_time =
            signed.valid_after.secs() < self.now && self.now < signed.valid_before.secs();
        let digest = signed.receive_digest(&separator(token));
        let is_signed = call.signature.recover(&digest) == Ok(signed.from);
        let funds = self.tokens.get_mut(&signed.from)?;
        let is_good = is_fit && is_in_time && is_signed && value > 0;
        if !is_good || *funds < value || !self.used.insert(nonce) {
            return None;
        }
        *funds -= value;
        match target {
            Ok(parties) => {
                let parties = *parties;
                let locked = Locked {
                    parties,
                    deposit: value,
                    settled: 0,
                    leaving: 0,
                    finalized: false,
                    back: 0,
                };
                self.opened.insert(id.clone(), self.now);
                self.channels.insert(id, locked);
            }
            Err(_) => {
                let locked = self.channels.get_mut(&id)?;
                (locked.deposit, locked.leaving) = (locked.deposit + value, 0);
            }
        }
        Some(())
    }
}

impl ChannelNode {
    /// What token and contract tell of a deposit that was just carried out.
    pub fn deposited(&self, call: &DepositCall) -> Vec<(String, Vec<String>, String)> {
        let Authorization { from, nonce, value, .. } = call.signed;
        let (token, brought) = match &call.target {
            Ok(parties) => (parties.token, self.opened(&parties.id(&escrow()).to_string())),
            Err((id, _)) => {
                let amount = value.to_string().parse().unwrap();
                (self.channels[id].parties.token, self.added(id, amount))
            }
        };
        let topics = [AUTHORIZATION_USED, from.to_word(), nonce].iter().map(topic).collect();
        vec![(token.to_lower_hex(), topics, "0x".to_owned()), brought]
    }

    /// The transaction of the payee that was mined last.
    pub fn last_of_payee(&self) -> String {
        self.hash_of(self.mined - 1)
    }
}

pub fn separator(token: Address) -> [u8; 32] {
    Domain { name: "USDC", version: "2", chain_id: CHAIN, verifying_contract: token }.separator()
}

/// How a payer spoils an authorization that they have signed for a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilage {
    /// They cancel it.
    Cancelled,
    /// They sign the same nonce for a transfer to another account.
    Elsewhere,
    /// The same, in one transaction with a deposit of as much by themselves.
    BesideItsAmount,
}

fn topic(word: &[u8; 32]) -> String {
    hex::encode_prefixed(word)
}

fn transfer(from: Address, to: Address, value: u64) -> (Vec<[u8; 32]>, String) {
    (vec![TRANSFER, from.to_word(), to.to_word()], topic(&units(value).to_be_bytes()))
}

impl ChannelNode {
    /// A transaction of someone who reads the pool, with the same bytes as the payee's.
    pub fn overtakes(&mut self, call: &DepositCall) {
        assert!(self.deposits(call).is_some());
        let Authorization { from, to, nonce, value, .. } = call.signed;
        let token = match &call.target {
            Ok(parties) => parties.token,
            Err((id, _)) => self.channels[id].parties.token,
        };
        let used = (vec![AUTHORIZATION_USED, from.to_word(), nonce], "0x".to_owned());
        let moved = transfer(from, to, value.to_string().parse().unwrap());
        self.token_events(token, vec![used, moved]);
    }

    /// The payer of this channel spoils the authorization with this nonce, and adds as much by a
    /// transaction of their own.
    pub fn spoils(&mut self, id: &str, nonce: [u8; 32], value: u64, manner: Spoilage) {
        let parties = self.channels[id].parties;
        let (payer, other) = (parties.payer, Address::from_bytes([7; 20]));
        assert!(self.used.insert(nonce));
        let event = match manner {
            Spoilage::Cancelled => AUTHORIZATION_CANCELED,
            Spoilage::Elsewhere | Spoilage::BesideItsAmount => AUTHORIZATION_USED,
        };
        let ended = (vec![event, payer.to_word(), nonce], "0x".to_owned());
        let (away, own) = (transfer(payer, other, value), transfer(payer, escrow().address, value));
        let transactions = match manner {
            Spoilage::Cancelled => vec![vec![ended], vec![own]],
            Spoilage::Elsewhere => vec![vec![ended, away], vec![own]],
            Spoilage::BesideItsAmount => vec![vec![ended, away, own]],
        };
        for events in transactions {
            self.token_events(parties.token, events);
        }
        self.channels.get_mut(id).unwrap().deposit += value;
    }

    /// One more transaction, with these events of the token.
    fn token_events(&mut self, token: Address, events: Vec<(Vec<[u8; 32]>, String)>) {
        let hash = format!("0x{:064x}", 0xe0_0000 + self.token_logs.len());
        self.sent.insert(hash.clone(), true);
        self.mined_at.insert(hash.clone(), self.now);
        for (place, (topics, data)) in (1_u64..).zip(events) {
            self.token_logs.push(json!({
                "address": token.to_lower_hex(), "topics": topics.iter().map(topic).collect::<Vec<_>>(),
                "data": data, "blockNumber": format!("{:#x}", self.now), "logIndex": format!("{place:#x}"),
                "transactionHash": hash, "removed": false,
            }));
        }
    }

    /// The events of the token that a filter asks for.
    pub fn events(&self, filter: &Value) -> Value {
        let number =
            |value: &Value| u64::from_str_radix(&value.as_str().unwrap()[2..], 16).unwrap();
        let blocks = number(&filter["fromBlock"])..=number(&filter["toBlock"]);
        let fits = |asked: &Value, topic: &Value| match asked {
            Value::Array(any) => any.contains(topic),
            one => one == topic,
        };
        let is_asked = |log: &&Value| {
            let topics = log["topics"].as_array().unwrap();
            let asked = filter["topics"].as_array().unwrap();
            log["address"] == filter["address"]
                && blocks.contains(&number(&log["blockNumber"]))
                && asked.len() <= topics.len()
                && asked.iter().zip(topics).all(|(asked, topic)| fits(asked, topic))
        };
        self.token_logs.iter().filter(is_asked).cloned().collect()
    }
}
