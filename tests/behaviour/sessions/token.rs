//! The token and the contract behind a node, as far as deposits use them.

use farebox_core::amount::Amount;
use farebox_core::channel::config::{ChannelParties, top_up_nonce};
use farebox_core::encoding::hex;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::Domain;
use farebox_core::evm::eip3009::Authorization;
use farebox_core::evm::signature::Signature;
use farebox_core::time::UnixTime;

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

pub fn separator(token: Address) -> [u8; 32] {
    Domain { name: "USDC", version: "2", chain_id: CHAIN, verifying_contract: token }.separator()
}
