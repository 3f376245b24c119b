//! The payment of a session, as both protocols have it.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use serde_json::{Map, Value};

use super::mpp::payment::MppPayment;
use crate::clients::Clients;
use crate::offer::Choice;
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_channel::config::{ChannelConfig, ChannelId};
use farebox_channel::facts::ChannelFacts;
use farebox_common::problem::Code;
use farebox_evm::address::Address;
use farebox_evm::known::SignedDigest;

/// The purpose of a payment of a session.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Deposit this much, then pay a request.
    Deposit(Amount),
    /// Pay a request.
    Voucher,
    /// Pay back what is not earned, or this much of it.
    Refund(Option<Amount>),
    /// Take a channel that the payer has opened, then pay a request if the voucher is enough.
    Open,
    /// See what was added to a deposit.
    TopUp,
    /// Take a voucher, and serve nothing.
    Show,
    /// Take the last voucher, and end the channel.
    Close,
    /// Answer again what was paid under earlier terms, and begin nothing.
    Recall(RecallScope),
}

/// How far a channel is asked about that was paid under earlier terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecallScope {
    /// For the answer, where this isolate has met it: what opens a channel may never have been taken.
    Met,
    /// For the answer: nothing is sold to it any more.
    Answer,
    /// For its state, too.
    State,
    /// On the chain, too: a deposit may have been sent.
    Chain,
}

/// The protocol of a payment, with what only that one has.
#[derive(Clone, Debug)]
pub(super) enum SessionDoor {
    /// The members that name the channel, the restore after which it was opened, and the members of
    /// a deposit, as they came.
    X402(ChannelConfig, u64, Option<Value>),
    /// MPP.
    Mpp(Box<MppPayment>),
}

/// A payment of a session. Its signatures hold, but for a voucher of MPP, which its channel checks.
#[derive(Clone, Debug)]
pub(super) struct SessionPayment {
    pub purpose: Purpose,
    pub channel: ChannelId,
    /// The amount of its voucher.
    pub cumulative: Amount,
    pub signature: String,
    /// The same, if it was checked here.
    pub signed: Option<SignedDigest>,
    pub door: SessionDoor,
}

/// A refusal in the words of the scheme.
pub(super) fn reason(word: &str) -> String {
    ["invalid_batch_settlement_evm_", word].concat()
}

/// The code of every refusal that fresh terms answer; the scheme's own word is the reason.
pub(super) const REFUSED: Code = Code::SessionRefused;

impl SessionPayment {
    /// Whether vouchers may pay for many requests, and one that comes later for this one.
    pub const fn has_headroom(&self) -> bool {
        matches!(self.door, SessionDoor::Mpp(_))
    }

    /// The payer and the signer, as far as they are known.
    fn accounts(&self) -> (Address, Address) {
        match &self.door {
            SessionDoor::X402(config, ..) => (config.payer, config.payer_authorizer),
            SessionDoor::Mpp(shown) => match &shown.facts {
                Some(facts) => (facts.payer, facts.signer),
                None => (Address::ZERO, Address::ZERO),
            },
        }
    }

    /// The account that is said to have deposited.
    pub fn payer(&self) -> Address {
        self.accounts().0
    }

    /// The signer for this channel. Anyone who opens a channel can name its payer, who need not
    /// know of it.
    pub fn proven(&self) -> Address {
        self.accounts().1
    }

    /// Whether either of them buys nothing here.
    pub fn is_denied(&self, clients: &Clients) -> bool {
        let (payer, signer) = self.accounts();
        [payer, signer].iter().any(|account| clients.denies(&account.to_lower_hex()))
    }

    /// The members of a payment of x402; without its deposit, it is a voucher.
    pub fn payload(&self, deposits: bool) -> Map<String, Value> {
        let SessionDoor::X402(config, _, deposit) = &self.door else { return Map::new() };
        let deposit = deposit.as_ref().filter(|_| deposits);
        let kind = match self.purpose {
            Purpose::Refund(_) => "refund",
            _ if deposit.is_some() => "deposit",
            _ => "voucher",
        };
        let mut payload = json::object([
            ("type".to_string(), Value::from(kind)),
            ("channelConfig".to_string(), config.to_json()),
            ("voucher".to_string(), self.shown()),
        ]);
        payload.extend(deposit.map(|deposit| ("deposit".to_string(), deposit.clone())));
        payload
    }

    /// The members of its voucher.
    pub fn shown(&self) -> Value {
        json!({
            "channelId": self.channel.to_string(),
            "maxClaimableAmount": self.cumulative.to_string(),
            "signature": self.signature.as_str(),
        })
    }

    /// The terms that are kept beside a channel for its alarm.
    pub fn kept_terms(&self, choice: &Choice) -> String {
        let (config, restore) = match &self.door {
            SessionDoor::X402(config, restore, _) => (config, restore),
            SessionDoor::Mpp(shown) => {
                return shown.facts.as_ref().map(ChannelFacts::to_text).unwrap_or_default();
            }
        };
        let requirements = choice.session.as_ref().map(|it| json::value(&it.requirements));
        let chain = choice.chain_id();
        json::text(&json!({
            "config": config.to_json(), "chain": chain, "requirements": requirements,
            "restore": restore,
        }))
    }
}
