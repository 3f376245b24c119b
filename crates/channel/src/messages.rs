//! Messages to the object of a channel, and its answers.

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::ChannelId;
use super::errand::Earnings;
use super::escrow::Escrow;
use super::state::{Channel, OnChain, Sight};
use super::voucher::HighestVoucher;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::encoding::message::{read_enum, read_struct};
use farebox_base::time::UnixTime;
use farebox_evm::signature::Signature;

/// The version of the messages between a Worker and its channels.
pub const VERSION: u8 = 1;

/// A message to the object of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelMessage {
    /// [`VERSION`].
    pub v: u8,
    /// The question or command.
    pub ask: ChannelAsk,
    /// The chain's newest view of it.
    pub sight: Option<SightText>,
    /// The facts of a channel, for its first message: its id, and the seconds that a withdrawal
    /// takes. And the least that a voucher adds, if it may pay for many requests: each message says
    /// that anew.
    pub opened: (String, u64, Option<String>),
    /// The terms that the alarm needs to claim: kept as they are.
    pub terms: String,
    /// The time, Unix seconds, before which channels were opened of which a restored row may know too
    /// little; zero if none was restored.
    #[serde(default)]
    pub closed: u64,
    /// Whether this channel was certainly opened after that.
    #[serde(default)]
    pub is_young: bool,
    /// The deposit before and after a transaction of its payer's own, if the chain has just shown
    /// one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brought: Option<(String, String)>,
    /// The contract, token and payee of the route whose terms say for how much a channel is closed at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_by: Option<String>,
}

read_struct!(ChannelMessage { v, ask, sight, opened, terms; closed, is_young, brought, sold_by });

impl ChannelMessage {
    /// Whether the message is for a channel whose vouchers may pay for many requests.
    #[must_use]
    pub const fn has_headroom(&self) -> bool {
        self.opened.2.is_some()
    }
}

/// The commands of a Worker to a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelAsk {
    /// Say whether the price of a request could be held once this much more is deposited.
    Foresee(PurchaseText, String),
    /// Hold the price of a request.
    Begin(PurchaseText),
    /// Charge it this much; the head of its answer, if it is to be given again: the body comes
    /// beside the message.
    Charge(PurchaseText, String, Option<String>),
    /// Say whether the last charge was the one with this mark, and charge nothing.
    Charged(String),
    /// Take this voucher, and charge nothing.
    Accept(PurchaseText),
    /// Take it as the last one: the channel is to be closed, at once if it is for its price.
    Close(PurchaseText),
    /// Let go of the request with this hash.
    Release(String),
    /// Promise a refund to who shows this voucher: of this amount, or of everything; of a part only
    /// if it is at least the last one.
    Refund(String, Option<String>, String),
    /// Take what the chain shows, and nothing else.
    See,
    /// Charge a stream so much for what flows next; the one that this bought, where a voucher pays
    /// for one request.
    Step(String, Option<PurchaseText>),
    /// Say whether it could be charged so much, and charge nothing.
    Await(String),
}

read_enum!(ChannelAsk {
    "foresee" => Foresee(purchase, deposit),
    "begin" => Begin(purchase),
    "charge" => Charge(purchase, used, kept),
    "charged" => Charged(mark),
    "accept" => Accept(purchase),
    "close" => Close(purchase),
    "release" => Release(request),
    "refund" => Refund(shown, wanted, least),
    "see" => See,
    "step" => Step(price, bought),
    "await" => Await(price),
});

/// A request that is to be paid, as text.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PurchaseText {
    /// The amount of its voucher.
    pub cumulative: String,
    /// Its signature; where a voucher may pay for many requests, it is checked here.
    pub signature: String,
    /// The most that it may be charged.
    pub price: String,
    /// Hash of the request, hex.
    pub request: String,
    /// When its hold ends, Unix seconds.
    pub until: u64,
    /// [`Purchase::mark`], hex; empty in messages of earlier versions.
    ///
    /// [`Purchase::mark`]: super::state::Purchase::mark
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mark: String,
}

read_struct!(PurchaseText { cumulative, signature, price, request, until; mark });

/// The chain's view of a channel, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightText {
    /// All deposits, less what went back.
    pub deposit: String,
    /// The amount that was claimed.
    pub claimed: String,
    /// When the payer asked to withdraw; zero if never, [`SightText::FINAL`] once it is closed.
    pub leaving: u64,
    /// The count of refunds.
    pub nonce: String,
    /// [`Sight::at`], Unix seconds.
    pub at: u64,
}

read_struct!(SightText { deposit, claimed, leaving, nonce, at });

/// The fate of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// The price is held.
    Held,
    /// It was charged before.
    Repeated,
    /// It is charged.
    Charged,
    /// A refund is promised.
    Promised,
    /// It was paid back before.
    Refunded,
    /// It was taken.
    Taken,
    /// It waits for a higher voucher.
    Waiting,
    /// It is refused.
    Refused,
}

read_enum!(Said {
    "held" => Held,
    "repeated" => Repeated,
    "charged" => Charged,
    "promised" => Promised,
    "refunded" => Refunded,
    "taken" => Taken,
    "waiting" => Waiting,
    "refused" => Refused,
});

/// An answer of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelReply {
    /// The fate of the message.
    pub said: Said,
    /// Why it is refused: the reason of x402, without its prefix, or the number of OKX's code.
    pub refusal: Option<String>,
    /// Whether a look at the chain may help.
    pub stale: bool,
    /// The amount that was charged for this request; of one that waits or is not paid, the amount
    /// that the next voucher has to be for.
    pub charged: Option<String>,
    /// Nonce and amount of the promised refund.
    pub promised: Option<(String, String)>,
    /// The head of the answer to the same request, if it is kept: the body comes beside.
    pub kept: Option<String>,
    /// The channel; none if there is none.
    pub channel: Option<Snapshot>,
    /// Of a refund that has to wait: unix seconds from which it is made.
    #[serde(default)]
    pub refundable_at: Option<u64>,
}

read_struct!(ChannelReply { said, refusal, stale, charged, promised, kept, channel; refundable_at });

/// A channel as its payer may see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// The chain's last view of it.
    pub sight: SightText,
    /// The amount that was charged.
    pub spent: String,
    /// Amount and signature of the highest voucher.
    pub evidence: Option<(String, String)>,
    /// Whether less is claimed than was charged.
    pub owed: bool,
    /// Whether only the payer can have shown this voucher.
    pub is_payer: bool,
    /// Its facts, if no request names them.
    pub facts: Option<String>,
    /// The part that everyone may be told: the amount that was charged when a voucher was sent last
    /// to claim by, and that voucher.
    #[serde(default)]
    pub sent: Option<(String, (String, String))>,
}

read_struct!(Snapshot { sight, spent, evidence, owed, is_payer, facts; sent });

impl Snapshot {
    pub(super) fn of(channel: &Channel) -> Self {
        let shown = |voucher: HighestVoucher| {
            let signature = hex::encode_prefixed(&voucher.signature.to_bytes());
            (voucher.cumulative.to_string(), signature)
        };
        Self {
            sight: SightText::of(channel.sight()),
            spent: channel.spent().to_string(),
            evidence: channel.evidence().copied().map(shown),
            owed: channel.earnings().is_some(),
            is_payer: false,
            facts: None,
            sent: channel.sent().map(|(voucher, charged)| (charged.to_string(), shown(voucher))),
        }
    }

    /// The earnings that are not claimed, as a refund takes them along.
    #[must_use]
    pub fn earnings(&self) -> Option<Earnings> {
        let (cumulative, signature) = self.evidence.as_ref()?;
        let evidence = HighestVoucher {
            cumulative: amount(cumulative)?,
            signature: Signature::parse(signature).ok()?,
        };
        let total = amount(&self.spent)?.min(amount(&self.sight.deposit)?);
        self.owed.then_some(Earnings { total, evidence })
    }
}

impl SightText {
    /// [`SightText::leaving`] of a channel that the contract has closed.
    pub const FINAL: u64 = u64::MAX;

    fn of(sight: &Sight) -> Self {
        Self {
            deposit: sight.deposit.to_string(),
            claimed: sight.claimed.to_string(),
            leaving: match sight.on_chain {
                OnChain::Leaving(since) => since.secs(),
                OnChain::Open => 0,
                OnChain::Finalized => Self::FINAL,
            },
            nonce: sight.refund_nonce.to_string(),
            at: sight.at.secs(),
        }
    }

    /// The chain's view of a channel as a facilitator reports it, asked at this time; `None` also
    /// if it names another channel, or amounts that the contract cannot have. Spec: x402
    /// `batch-settlement` on EVM, `channelState`.
    #[must_use]
    pub fn of_facilitator(state: &Value, channel: ChannelId, at: UnixTime) -> Option<Self> {
        let named = state.get("channelId").and_then(Value::as_str);
        named.is_none_or(|it| it.eq_ignore_ascii_case(&channel.to_string())).then_some(())?;
        let amount = |name| state.get(name)?.as_str().map(ToString::to_string);
        let sight = Self {
            deposit: amount("balance")?,
            claimed: amount("totalClaimed")?,
            // No contract of this kind is ever closed, whoever says so.
            leaving: state.get("withdrawRequestedAt")?.as_u64().filter(|it| *it != Self::FINAL)?,
            nonce: amount("refundNonce")?,
            at: at.secs(),
        };
        // The contract never pays out more than was paid in.
        let Sight { deposit, claimed, .. } = sight.read()?;
        (claimed <= deposit && Escrow::BatchSettlement.fits(deposit)).then_some(sight)
    }

    /// Reads it; `None` if an amount is not one.
    #[must_use]
    pub fn read(&self) -> Option<Sight> {
        Some(Sight {
            deposit: amount(&self.deposit)?,
            claimed: amount(&self.claimed)?,
            on_chain: match self.leaving {
                0 => OnChain::Open,
                Self::FINAL => OnChain::Finalized,
                since => OnChain::Leaving(UnixTime::from_secs(since)),
            },
            refund_nonce: amount(&self.nonce)?,
            at: UnixTime::from_secs(self.at),
        })
    }
}

/// An amount as text.
pub(super) fn amount(text: &str) -> Option<Amount> {
    Amount::from_atomic(text).ok()
}

/// Reads a mark, `0x` and hex; [`None`] if there is none. A row of an earlier version has the digits
/// alone.
pub(super) fn read_mark(text: &str) -> Option<[u8; 16]> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_array(&["0x", digits].concat()).ok()
}
