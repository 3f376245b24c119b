//! A call about a channel: one that pays out of it, or a deposit.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::sent::SentCall;
use crate::config::ChannelId;
use crate::escrow::{Escrow, EscrowContract};
use crate::funds::OPEN;
use crate::onchain::{GAS, GET_CHANNEL};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_evm::contract_call::{ContractCall, SignedCall};
use farebox_evm::evidence::AuthorizedTransfer;
use farebox_evm::rpc::{AuthorizationId, Call};
use farebox_evm::signature::Signature;

/// The call of the contract that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutCall {
    /// Pay what a voucher is for.
    Settle,
    /// The same, and the rest back to the payer, for ever.
    Close,
    /// A deposit, which is not paid out: [`FundsCall`] has it.
    Deposit,
}

/// A deposit that its payer has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FundsCall {
    /// The payer.
    pub payer: Address,
    /// The data of the call.
    pub data: Vec<u8>,
    /// The id of its authorization at the token; rows of an earlier version do not say it.
    pub authorization: Option<AuthorizationId>,
}

impl FundsCall {
    /// Its words in a row: the data with the token and the nonce, and the payer before.
    fn to_text(&self) -> String {
        let mut data = hex::encode_prefixed(&self.data);
        if let Some(AuthorizationId { asset, nonce, .. }) = &self.authorization {
            data = [data, asset.to_lower_hex(), hex::encode_prefixed(nonce)].join("/");
        }
        [self.payer.to_lower_hex(), data].join(" ")
    }

    fn read<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let payer = Address::parse(fields.next()?).ok()?;
        let mut parts = fields.next()?.split('/');
        let data = hex::decode_prefixed(parts.next()?).ok()?;
        let mut authorization = || {
            let asset = Address::parse(parts.next()?).ok()?;
            let nonce = hex::decode_array(parts.next()?).ok()?;
            Some(AuthorizationId { asset, authorizer: payer, nonce })
        };
        let authorization = authorization();
        Some(Self { payer, data, authorization })
    }

    /// Whether it opens a channel; otherwise it adds to one.
    pub(super) fn opens(&self) -> bool {
        self.data.starts_with(&OPEN)
    }
}

/// Which of several calls goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// The payer withdraws.
    Leaving,
    /// The payer stays.
    Staying,
}

impl Haste {
    /// Its place among others: the lowest goes first.
    #[must_use]
    pub fn rank(self) -> u64 {
        match self {
            Self::Leaving => 0,
            Self::Staying => 1,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Leaving => LEAVING,
            Self::Staying => "staying",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        if name == LEAVING { Self::Leaving } else { Self::Staying }
    }
}

/// The questions to a node about a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChannelCheck {
    /// How it stands.
    Standing,
    /// The outcome of a deposit if it were sent.
    Trial,
    /// The receipt of the transaction with a deposit.
    Receipt,
    /// Which transaction used the authorization of a deposit.
    Use,
    /// The tokens that this transaction moved.
    Moved,
}

/// A channel as a node shows it, as far as calls need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ShownChannel {
    pub(super) is_final: bool,
    pub(super) deposit: Amount,
    settled: Amount,
}

impl ShownChannel {
    /// Reads what the contract returned.
    pub(super) fn read(shown: &[u8]) -> Option<Self> {
        let (words, _) = shown.as_chunks::<32>();
        let [finalized, _, _, _, _, _, deposit, settled] = words else { return None };
        let number = |word: &[u8; 32]| Amount::from_be_bytes(*word);
        let is_final = !number(finalized).is_zero();
        Some(Self { is_final, deposit: number(deposit), settled: number(settled) })
    }
}

/// A call about a channel, before it has a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedCall {
    /// The account that sends it.
    pub payee: Address,
    /// The contract.
    pub contract: EscrowContract,
    /// The channel.
    pub channel: ChannelId,
    /// Whether it goes first.
    pub haste: Haste,
    /// The amount that it adds to the settled one.
    pub owed: Amount,
    /// The call.
    pub call: PayoutCall,
    /// The amount of the voucher; without one, what was settled before.
    pub cumulative: Amount,
    /// The voucher's signature.
    pub signature: Option<Signature>,
    /// The deposit, if it is one.
    pub funds: Option<FundsCall>,
}

impl QueuedCall {
    /// The name of the object that sends it.
    #[must_use]
    pub fn object(&self) -> String {
        object(&self.contract.chain_id.to_string(), &self.payee)
    }

    /// The message that hands it over; none to a channel or the list of them begins so.
    #[must_use]
    pub fn to_message(&self) -> String {
        [MESSAGE, &self.to_text()].concat()
    }

    /// Reads such a message; `None` if it is another one.
    #[must_use]
    pub fn of_message(message: &str) -> Option<Self> {
        Self::read(&mut message.strip_prefix(MESSAGE)?.split(' '))
    }

    /// Its channel, and whether it is a deposit: there is one call of each.
    pub(super) const fn place(&self) -> (ChannelId, bool) {
        (self.channel, self.funds.is_some())
    }

    pub(super) fn to_text(&self) -> String {
        let none = || "-".to_string();
        let mut text = [
            self.payee.to_lower_hex(),
            self.contract.chain_id.to_string(),
            self.contract.address.to_lower_hex(),
            self.channel.to_string(),
            [self.haste.name(), "/", &self.owed.to_string()].concat(),
            match self.call {
                PayoutCall::Settle => "settle",
                PayoutCall::Close => "close",
                PayoutCall::Deposit => "deposit",
            }
            .to_string(),
            self.cumulative.to_string(),
            self.signature.map_or_else(none, |it| hex::encode_prefixed(&it.to_bytes())),
        ]
        .join(" ");
        if let Some(funds) = &self.funds {
            text = [text, funds.to_text()].join(" ");
        }
        text
    }

    pub(super) fn read<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<Self> {
        let payee = Address::parse(fields.next()?).ok()?;
        let contract = EscrowContract {
            escrow: Escrow::PaymentChannel,
            chain_id: fields.next()?.parse().ok()?,
            address: Address::parse(fields.next()?).ok()?,
        };
        let channel = ChannelId::parse(fields.next()?)?;
        let haste = fields.next()?;
        // Rows of an earlier version do not say what is owed.
        let (haste, owed) = haste.split_once('/').unwrap_or((haste, "0"));
        let mut call = Self {
            payee,
            contract,
            channel,
            haste: Haste::named(haste),
            owed: Amount::from_atomic(owed).ok()?,
            call: match fields.next()? {
                "close" => PayoutCall::Close,
                "deposit" => PayoutCall::Deposit,
                _ => PayoutCall::Settle,
            },
            cumulative: Amount::from_atomic(fields.next()?).ok()?,
            signature: match fields.next()? {
                "-" => None,
                text => Some(Signature::parse(text).ok()?),
            },
            funds: None,
        };
        if call.call == PayoutCall::Deposit {
            call.funds = Some(FundsCall::read(fields)?);
        }
        Some(call)
    }

    fn data(&self) -> Vec<u8> {
        if let Some(funds) = &self.funds {
            return funds.data.clone();
        }
        let word = |number: u64| Amount::from_u64(number).to_be_bytes();
        let selector = match self.call {
            PayoutCall::Settle => SETTLE,
            PayoutCall::Close | PayoutCall::Deposit => CLOSE,
        };
        let mut data = selector.to_vec();
        data.extend(self.channel.as_bytes());
        data.extend(self.cumulative.to_be_bytes());
        data.extend(word(96));
        match self.signature {
            Some(signature) => {
                data.extend(word(65));
                data.extend(signature.to_bytes());
                data.extend([0; 31]);
            }
            None => data.extend(word(0)),
        }
        data
    }

    /// Asks a node how its channel stands.
    pub(super) fn standing(&self) -> Call {
        self.ask(Address::ZERO, [&GET_CHANNEL[..], self.channel.as_bytes()].concat())
    }

    /// Asks a node what becomes of a deposit; `None` if it is none.
    pub(super) fn trial(&self) -> Option<Call> {
        Some(self.ask(self.payee, self.funds.as_ref()?.data.clone()))
    }

    /// The transfer by its deposit; `None` if it is none, or its row does not say it.
    pub(super) fn transfer(&self) -> Option<AuthorizedTransfer> {
        let authorization = self.funds.as_ref()?.authorization?;
        Some(AuthorizedTransfer {
            authorization,
            to: self.contract.address,
            value: self.cumulative,
        })
    }

    fn ask(&self, from: Address, data: Vec<u8>) -> Call {
        Call::Ask { from, to: self.contract.address, data, gas: GAS }
    }

    /// Whether the channel needs it no more.
    pub(super) fn is_done(&self, shown: ShownChannel) -> bool {
        let is_settled = self.call == PayoutCall::Settle && shown.settled >= self.cumulative;
        is_settled || shown.is_final
    }

    /// The price of a unit of gas has no say in which call it is.
    pub(super) fn sign(&self, sent: &SentCall, payee: &Account) -> Option<SignedCall> {
        let call = ContractCall {
            chain_id: self.contract.chain_id,
            nonce: sent.nonce,
            tip: sent.tip,
            max_fee: sent.max_fee,
            gas: GAS,
            to: self.contract.address,
            data: self.data(),
        };
        call.sign(payee)
    }
}

/// The name of the object that sends what this account sends to this chain, a CAIP-2 id.
#[must_use]
pub fn object(chain: &str, payee: &Address) -> String {
    ["payee/", chain, "/", &payee.to_lower_hex()].concat()
}

const MESSAGE: &str = "pay ";
const LEAVING: &str = "leaving";
/// `settle(bytes32,uint128,bytes)`
const SETTLE: [u8; 4] = [0x51, 0x6d, 0x3b, 0x88];
/// `close(bytes32,uint128,bytes)`
const CLOSE: [u8; 4] = [0x0d, 0x65, 0xc5, 0x1d];
