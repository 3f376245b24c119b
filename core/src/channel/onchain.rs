//! The escrow contract of MPP's method `evm` as a node shows it: a channel, and the calls that end
//! in money. Spec: MPP `evm` session, "Contract interface".

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::config::ChannelId;
use super::desk::SightText;
use super::escrow::EscrowContract;
use super::facts::ChannelFacts;
use crate::amount::Amount;
use crate::evm::account::Account;
use crate::evm::address::Address;
use crate::evm::contract_call::ContractCall;
use crate::evm::rpc::reply::{Replies, Status};
use crate::evm::rpc::{At, Call, batch};
use crate::evm::signature::Signature;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// What a node is asked about a channel.
#[derive(Clone, Copy, Debug)]
pub enum ChannelQuestion {
    /// Its standing, and what became of the transaction that its payer sent.
    Standing(Option<[u8; 32]>),
    /// Its standing, and what a transaction of this account needs.
    Sending(Address),
}

/// A channel at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenChannel {
    /// What it is made of; `None` if the contract has no such channel.
    pub facts: Option<ChannelFacts>,
    /// Its money.
    pub sight: SightText,
    /// Seconds from a request to withdraw to the withdrawal.
    pub grace_secs: u64,
    /// What the payer's transaction came to; `None` while it is in no block.
    pub sent: Option<Status>,
    /// Base fee of the newest block, and the next nonce in blocks and among what waits.
    pub fees: Option<(Amount, [u64; 2])>,
}

impl ChannelQuestion {
    fn calls(self, contract: &EscrowContract, channel: &ChannelId) -> Vec<Call> {
        let ask =
            |data: Vec<u8>| Call::Ask { from: Address::ZERO, to: contract.address, data, gas: GAS };
        let mut calls = Vec::from([
            Call::ChainId,
            ask([&GET_CHANNEL[..], channel.as_bytes()].concat()),
            ask(GRACE_PERIOD.to_vec()),
        ]);
        match self {
            Self::Standing(None) => {}
            Self::Standing(Some(hash)) => calls.push(Call::Receipt(hash)),
            Self::Sending(account) => {
                calls.push(Call::Block(At::Latest));
                for at in [At::Latest, At::Pending] {
                    calls.push(Call::TransactionCount { account, at });
                }
            }
        }
        calls
    }

    /// The body for a node.
    #[must_use]
    pub fn body(self, contract: &EscrowContract, channel: &ChannelId) -> String {
        batch(&self.calls(contract, channel))
    }

    /// Reads a node's answer to the question of this time; `None` if it is of another chain, or not
    /// complete.
    #[must_use]
    pub fn read(
        self,
        contract: &EscrowContract,
        channel: &ChannelId,
        reply: &str,
        asked: UnixTime,
    ) -> Option<SeenChannel> {
        let count = self.calls(contract, channel).len();
        let replies = Replies::read(reply.as_bytes(), count).ok()?;
        if replies.quantity(0).ok()? != contract.chain_id {
            return None;
        }
        let words = replies.returned(1).ok()?;
        let (words, _) = words.as_chunks::<32>();
        let [finalized, leaving, payer, payee, token, signer, deposit, settled] = words else {
            return None;
        };
        let number = |word: &[u8; 32]| Amount::from_be_bytes(*word);
        let secs = |word: &[u8; 32]| number(word).to_string().parse::<u64>().ok();
        let account = |word: &[u8; 32]| match word {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] => {
                Some(Address::from_bytes(*address))
            }
            _ => None,
        };
        let (payer, signer) = (account(payer)?, account(signer)?);
        let facts = ChannelFacts {
            contract: *contract,
            payer,
            payee: account(payee)?,
            token: account(token)?,
            signer: if signer.is_zero() { payer } else { signer },
        };
        let sight = SightText {
            deposit: number(deposit).to_string(),
            claimed: number(settled).to_string(),
            leaving: if number(finalized).is_zero() { secs(leaving)? } else { SightText::FINAL },
            nonce: Amount::ZERO.to_string(),
            at: asked.secs(),
        };
        let (mut sent, mut fees) = (None, None);
        match self {
            Self::Standing(None) => {}
            Self::Standing(Some(hash)) => {
                sent = replies.receipt(3, &hash).ok()?.map(|receipt| receipt.status);
            }
            Self::Sending(_) => {
                let base = replies.base_fee(3).ok()?.unwrap_or(Amount::ZERO);
                fees = Some((base, [replies.quantity(4).ok()?, replies.quantity(5).ok()?]));
            }
        }
        Some(SeenChannel {
            facts: Some(facts).filter(|_| !payer.is_zero()),
            sight,
            grace_secs: secs(replies.returned(2).ok()?.as_array()?)?,
            sent,
            fees,
        })
    }
}

/// What is sent to the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutCall {
    /// Pay what a voucher is for.
    Settle,
    /// The same, and the rest back to the payer, for ever.
    Close,
}

/// The transaction that pays out by this voucher, or, without one, ends the channel with what was
/// settled before; the body that sends it.
#[must_use]
pub fn sending(
    (contract, channel): (&EscrowContract, &ChannelId),
    payment: PayoutCall,
    (cumulative, signature): (Amount, Option<Signature>),
    seen: &SeenChannel,
    (payee, tries): (&Account, u64),
) -> Option<String> {
    let (base, [mined, waiting]) = seen.fees?;
    // Every fourth attempt replaces what may be stuck, for which the price has risen enough.
    let is_replacing = tries.checked_rem(4) == Some(0);
    let raised = |fee: Amount| fee.checked_mul_u64(tries.clamp(4, 32))?.checked_div_u64(4);
    let tip = raised(base.checked_div_u64(10)?.max(MIN_TIP))?;
    let max_fee = raised(base.checked_mul_u64(2)?)?.checked_add(tip)?;
    let selector = match payment {
        PayoutCall::Settle => SETTLE,
        PayoutCall::Close => CLOSE,
    };
    let word = |number: u64| Amount::from_u64(number).to_be_bytes();
    let mut data = selector.to_vec();
    data.extend(channel.as_bytes());
    data.extend(cumulative.to_be_bytes());
    data.extend(word(96));
    match signature {
        Some(signature) => {
            data.extend(word(65));
            data.extend(signature.to_bytes());
            data.extend([0; 31]);
        }
        None => data.extend(word(0)),
    }
    let call = ContractCall {
        chain_id: contract.chain_id,
        nonce: if is_replacing && !planted(Mutant::StuckIsNotReplaced) { mined } else { waiting },
        tip,
        max_fee,
        gas: GAS,
        to: contract.address,
        data,
    };
    Some(batch(&[Call::Send(call.sign(payee)?.bytes)]))
}

/// Gas of any call here; `close` of a token takes about a third of it.
const GAS: u64 = 300_000;
/// The least for a block's producer, wei for a unit of gas.
const MIN_TIP: Amount = Amount::from_u64(1_000_000);
/// `getChannel(bytes32)`
const GET_CHANNEL: [u8; 4] = [0x83, 0x1c, 0x2b, 0x82];
/// `CLOSE_GRACE_PERIOD()`
const GRACE_PERIOD: [u8; 4] = [0x95, 0x6c, 0x83, 0x27];
/// `settle(bytes32,uint128,bytes)`
const SETTLE: [u8; 4] = [0x51, 0x6d, 0x3b, 0x88];
/// `close(bytes32,uint128,bytes)`
const CLOSE: [u8; 4] = [0x0d, 0x65, 0xc5, 0x1d];
