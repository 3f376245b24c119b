//! The object of a channel: its messages, its answers, and what it writes. One row, at most one
//! write for each message.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::config::ChannelId;
use super::errand::Earnings;
use super::facts::{ChannelFacts, VoucherSigner};
use super::refusal::ChannelRefusal;
use super::state::{
    Begun, Channel, HighestVoucher, LastSale, OnChain, Purchase, RefundFate, RefundWish, Sight,
    VoucherRule,
};
use super::voucher::{CheckedVoucher, Voucher};
use crate::amount::Amount;
use crate::encoding::hex;
use crate::encoding::message::{self, read_enum, read_struct};
use crate::evm::known::KnownSigners;
use crate::evm::signature::Signature;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// The version of the messages between a Worker and its channels.
pub const VERSION: u8 = 1;

/// A message to the object of a channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChannelMessage {
    /// [`VERSION`].
    pub v: u8,
    /// What is asked.
    pub ask: ChannelAsk,
    /// What the chain has just shown.
    pub sight: Option<SightText>,
    /// What a channel is made of, if this is its first message: its id, the seconds that a
    /// withdrawal takes, and the least that a voucher adds if it may pay for many requests, which
    /// each message says.
    pub opened: (String, u64, Option<String>),
    /// What the alarm needs to claim: kept as it is.
    pub terms: String,
}

read_struct!(ChannelMessage { v, ask, sight, opened, terms });

/// What a Worker asks of a channel.
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
}

read_struct!(PurchaseText { cumulative, signature, price, request, until });

/// What the chain shows, as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightText {
    /// All deposits, less what went back.
    pub deposit: String,
    /// What was claimed.
    pub claimed: String,
    /// When the payer asked to withdraw; zero if never, [`SightText::FINAL`] once it is closed.
    pub leaving: u64,
    /// The count of refunds.
    pub nonce: String,
    /// When the chain was asked, Unix seconds.
    pub at: u64,
}

read_struct!(SightText { deposit, claimed, leaving, nonce, at });

/// What becomes of a message.
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
    /// What became of it.
    pub said: Said,
    /// Why it is refused: the reason of x402, without its prefix, or the number of OKX's code.
    pub refusal: Option<String>,
    /// Whether a look at the chain may help.
    pub stale: bool,
    /// What was charged for this request; of one that waits or is not paid, what the next voucher
    /// has to be for.
    pub charged: Option<String>,
    /// Nonce and amount of the promised refund.
    pub promised: Option<(String, String)>,
    /// The head of the answer to the same request, if it is kept: the body comes beside.
    pub kept: Option<String>,
    /// The channel; none if there is none.
    pub channel: Option<Snapshot>,
}

read_struct!(ChannelReply { said, refusal, stale, charged, promised, kept, channel });

/// A channel as its payer may see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    /// What the chain showed last.
    pub sight: SightText,
    /// What was charged.
    pub spent: String,
    /// Amount and signature of the highest voucher.
    pub evidence: Option<(String, String)>,
    /// Whether less is claimed than was charged.
    pub owed: bool,
    /// Whether only the payer can have shown this voucher.
    pub is_payer: bool,
    /// What it is made of, if no request names that.
    pub facts: Option<String>,
}

read_struct!(Snapshot { sight, spent, evidence, owed, is_payer, facts });

/// Whether the row is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// As it was.
    Nothing,
    /// The channel alone.
    Channel,
    /// The channel, and the answer that came along, or that none is kept.
    Answer,
}

/// The channel of an object, if it has been seen.
#[derive(Clone, Debug, Default)]
pub struct ChannelDesk {
    /// The channel.
    pub channel: Option<Channel>,
    /// What the alarm needs to claim.
    pub terms: String,
    /// The head of the answer to the last request.
    pub kept: Option<String>,
    /// Who signs its vouchers, once one was checked here.
    pub signer: Option<VoucherSigner>,
}

impl ChannelDesk {
    /// The desk of an object with this row; `None` if it was not written here: to begin anew would
    /// forget what was earned.
    #[must_use]
    pub fn from_row(state: &str, terms: &str, kept: Option<String>) -> Option<Self> {
        let channel = Some(Channel::from_row(state)?);
        Some(Self { channel, terms: terms.to_owned(), kept, signer: None })
    }

    /// Answers a message, by what is known of signers; [`None`] if it is not one.
    #[must_use]
    pub fn answer(
        &mut self,
        text: &str,
        signers: &mut KnownSigners,
        now: UnixTime,
    ) -> Option<(ChannelReply, Write)> {
        let message: ChannelMessage = message::read(text)?;
        if message.v != VERSION {
            return None;
        }
        let mut write = Write::Nothing;
        if let Some(sight) = &message.sight {
            let sight = sight.read()?;
            match &mut self.channel {
                Some(channel) => {
                    let known = Sight { at: sight.at, ..*channel.sight() };
                    channel.see(sight);
                    // Anyone can have the chain looked at.
                    if known != *channel.sight() {
                        write = Write::Channel;
                    }
                }
                // Nothing is kept of what costs nothing.
                None if sight.deposit.is_zero() => {}
                None => {
                    write = Write::Channel;
                    let id = ChannelId::parse(&message.opened.0)?;
                    let delay = message.opened.1;
                    let rule = match &message.opened.2 {
                        None => VoucherRule::Exact,
                        Some(delta) => VoucherRule::Headroom { min_delta: amount(delta)? },
                    };
                    self.channel = Some(Channel::seen_first(id, rule, delay, sight));
                    self.terms = message.terms;
                }
            }
        }
        let Some(channel) = &mut self.channel else {
            if let ChannelAsk::Foresee(..) = &message.ask {
                return Some((unknown(), Write::Nothing));
            }
            return Some((refused(ChannelRefusal::Stale, None), Write::Nothing));
        };
        // Each route says what a voucher adds at least.
        if let (VoucherRule::Headroom { min_delta }, Some(delta)) =
            (&mut channel.rule, &message.opened.2)
        {
            *min_delta = amount(delta)?;
        }
        // Anyone can show a voucher that went to a chain: it fetches nothing, and no other voucher.
        let is_payer =
            |shown: Amount| shown > channel.published() || planted(Mutant::PublicVouchersFetch);
        let shown = match &message.ask {
            ChannelAsk::Foresee(text, _)
            | ChannelAsk::Begin(text)
            | ChannelAsk::Charge(text, ..)
            | ChannelAsk::Accept(text)
            | ChannelAsk::Close(text) => amount(&text.cumulative),
            ChannelAsk::Refund(shown, ..) => amount(shown),
            ChannelAsk::Release(_)
            | ChannelAsk::See
            | ChannelAsk::Step(..)
            | ChannelAsk::Await(_) => None,
        };
        let is_payer = shown.is_some_and(is_payer);
        let mut fetched = None;
        let by_headroom = channel.rule != VoucherRule::Exact;
        let facts = match channel.rule {
            VoucherRule::Exact => None,
            VoucherRule::Headroom { .. } => Some((self.terms.as_str(), &mut self.signer, signers)),
        };
        let result = match &message.ask {
            ChannelAsk::See => Ok(Said::Taken.into()),
            ChannelAsk::Release(request) => {
                channel.release(&hex::decode_array(request).ok()?);
                Ok(Said::Taken.into())
            }
            ChannelAsk::Foresee(text, _) | ChannelAsk::Begin(text) => {
                let begun = match (text.read(channel, facts)?, &message.ask) {
                    (Err(refusal), _) => Err(refusal),
                    (Ok(purchase), ChannelAsk::Foresee(_, deposit)) => {
                        channel.foresee(&purchase, amount(deposit)?, now)
                    }
                    (Ok(purchase), _) => channel.begin(&purchase, now),
                };
                begun.map(|begun| match begun {
                    Begun::Held => Said::Held.into(),
                    Begun::Repeated(last) => {
                        fetched = self.kept.clone().filter(|_| is_payer);
                        AskResult::sale(Said::Repeated, &last)
                    }
                })
            }
            ChannelAsk::Charge(text, used, kept) => {
                let known = channel.last().copied();
                let used = amount(used)?;
                let purchase = text.read(channel, facts)?;
                purchase.and_then(|purchase| channel.charge(&purchase, used, now)).map(|last| {
                    // What is charged nothing may be charged so again.
                    if known == Some(last) && !last.charged.is_zero() {
                        fetched = self.kept.clone().filter(|_| is_payer);
                        AskResult::sale(Said::Repeated, &last)
                    } else {
                        write = Write::Answer;
                        self.kept.clone_from(kept);
                        AskResult::sale(Said::Charged, &last)
                    }
                })
            }
            ChannelAsk::Accept(text) | ChannelAsk::Close(text) => {
                let purchase = text.read(channel, facts)?;
                let known = (channel.evidence, channel.agreement);
                let taken = purchase.and_then(|purchase| match (purchase.voucher, &message.ask) {
                    (Some(voucher), ChannelAsk::Accept(_)) => channel.accept(&voucher, now),
                    (voucher, _) => channel.close(voucher.as_ref(), purchase.price, now),
                });
                taken.map(|()| {
                    // Whoever has a voucher can show it again and again.
                    if known != (channel.evidence, channel.agreement) {
                        write = Write::Channel;
                    }
                    Said::Taken.into()
                })
            }
            ChannelAsk::Step(price, bought) => {
                let price = amount(price)?;
                let bought = match bought {
                    Some(text) => Some(text.read(channel, facts)?),
                    None => None,
                };
                let stepped =
                    bought.transpose().and_then(|it| channel.step(price, it.as_ref(), now));
                stepped.map(|missing| match missing {
                    Some(_) => AskResult::stream(Said::Waiting, missing),
                    None => {
                        write = Write::Channel;
                        AskResult::stream(Said::Charged, Some(price))
                    }
                })
            }
            ChannelAsk::Await(price) => {
                channel.awaits(amount(price)?, now).map(|missing| match missing {
                    Some(_) => AskResult::stream(Said::Waiting, missing),
                    None => Said::Held.into(),
                })
            }
            ChannelAsk::Refund(shown, wanted, least) => {
                let wanted = match wanted {
                    Some(wanted) => Some(amount(wanted)?),
                    None => None,
                };
                let (shown, least) = (amount(shown)?, amount(least)?);
                let wish = RefundWish { shown, amount: wanted, least };
                channel.refund(&wish, now).map(|fate| {
                    let (said, promise) = match fate {
                        RefundFate::Promised(promise) => {
                            write = Write::Channel;
                            (Said::Promised, promise)
                        }
                        RefundFate::Repeated(promise) => (Said::Refunded, promise),
                    };
                    let promised = (promise.nonce.to_string(), promise.amount.to_string());
                    AskResult { said, charged: None, promised: Some(promised) }
                })
            }
        };
        Some(match result {
            Ok(AskResult { said, charged, promised }) => {
                let mut snapshot = Snapshot::of(channel);
                snapshot.is_payer = is_payer;
                snapshot.facts = by_headroom.then(|| self.terms.clone());
                let reply = ChannelReply {
                    said,
                    refusal: None,
                    stale: false,
                    charged,
                    promised,
                    kept: fetched,
                    channel: Some(snapshot),
                };
                (reply, write)
            }
            Err(refusal) => {
                let mut snapshot = Snapshot::of(channel);
                // Anyone can name an amount.
                snapshot.is_payer = match refusal {
                    ChannelRefusal::SignatureInvalid | ChannelRefusal::NotFound => false,
                    _ => is_payer,
                };
                let mut reply = refused(refusal, Some(snapshot));
                if by_headroom {
                    reply.refusal = Some(refusal.okx().to_string());
                }
                if let (
                    ChannelAsk::Begin(text) | ChannelAsk::Accept(text),
                    ChannelRefusal::InsufficientHeadroom | ChannelRefusal::DeltaTooSmall,
                ) = (&message.ask, refusal)
                {
                    let required = channel.required(amount(&text.price)?);
                    reply.charged = required.map(|it| it.to_string());
                }
                (reply, write)
            }
        })
    }
}

/// The answer to what a channel takes.
struct AskResult {
    said: Said,
    charged: Option<String>,
    promised: Option<(String, String)>,
}

impl AskResult {
    fn sale(said: Said, last: &LastSale) -> Self {
        Self::stream(said, Some(last.charged))
    }

    fn stream(said: Said, amount: Option<Amount>) -> Self {
        Self { said, charged: amount.map(|it| it.to_string()), promised: None }
    }
}

impl From<Said> for AskResult {
    fn from(said: Said) -> Self {
        Self { said, charged: None, promised: None }
    }
}

/// The answer about a channel that is not known yet.
fn unknown() -> ChannelReply {
    ChannelReply { said: Said::Taken, refusal: None, ..refused(ChannelRefusal::NotFound, None) }
}

fn refused(refusal: ChannelRefusal, channel: Option<Snapshot>) -> ChannelReply {
    ChannelReply {
        said: Said::Refused,
        refusal: Some(refusal.x402().to_owned()),
        stale: refusal == ChannelRefusal::Stale,
        charged: None,
        promised: None,
        kept: None,
        channel,
    }
}

impl Snapshot {
    fn of(channel: &Channel) -> Self {
        let evidence = channel.evidence().map(|evidence| {
            let signature = hex::encode_prefixed(&evidence.signature.to_bytes());
            (evidence.cumulative.to_string(), signature)
        });
        Self {
            sight: SightText::of(channel.sight()),
            spent: channel.spent().to_string(),
            evidence,
            owed: channel.earnings().is_some(),
            is_payer: false,
            facts: None,
        }
    }
}

impl Snapshot {
    /// What is earned and not claimed, as a refund takes it along.
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

    /// What a facilitator says that the chain shows of a channel, asked at this time; `None` also if
    /// it names another channel. Spec: x402 `batch-settlement` on EVM, `channelState`.
    #[must_use]
    pub fn of_facilitator(state: &Value, channel: ChannelId, at: UnixTime) -> Option<Self> {
        let named = state.get("channelId").and_then(Value::as_str);
        named.is_none_or(|it| it.eq_ignore_ascii_case(&channel.to_string())).then_some(())?;
        let amount = |name| state.get(name)?.as_str().map(ToString::to_string);
        let sight = Self {
            deposit: amount("balance")?,
            claimed: amount("totalClaimed")?,
            leaving: state.get("withdrawRequestedAt")?.as_u64()?,
            nonce: amount("refundNonce")?,
            at: at.secs(),
        };
        sight.read().is_some().then_some(sight)
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

/// What is needed to check a voucher: what its channel is made of, who signs for it once that was
/// read, and which signers are known.
type Signing<'a> = (&'a str, &'a mut Option<VoucherSigner>, &'a mut KnownSigners);

impl PurchaseText {
    /// The purchase; its voucher is checked by what the channel is made of, unless that was done.
    fn read(
        &self,
        channel: &Channel,
        facts: Option<Signing<'_>>,
    ) -> Option<Result<Purchase, ChannelRefusal>> {
        let voucher = Voucher { channel: channel.id(), cumulative: amount(&self.cumulative)? };
        let known = Signature::parse(&self.signature).ok();
        let known = known.map(|signature| CheckedVoucher::known(voucher, signature));
        // The highest one was checked when it came.
        let is_highest = channel.evidence().is_some_and(|it| {
            Some(CheckedVoucher::known(
                Voucher { channel: channel.id(), cumulative: it.cumulative },
                it.signature,
            )) == known
        });
        let checked = match facts {
            Some(_) if is_highest || planted(Mutant::ShownIsChecked) => known?,
            Some((facts, signer, signers)) => {
                let signer = match signer {
                    Some(known) => known,
                    None => signer.insert(VoucherSigner::of(&ChannelFacts::read(facts)?)),
                };
                match signer.check(voucher, &self.signature, signers) {
                    Ok(checked) => checked,
                    Err(refusal) => return Some(Err(refusal)),
                }
            }
            None => known?,
        };
        Some(Ok(Purchase {
            voucher: Some(checked),
            price: amount(&self.price)?,
            request: hex::decode_array(&self.request).ok()?,
            until: UnixTime::from_secs(self.until),
        }))
    }
}

fn amount(text: &str) -> Option<Amount> {
    Amount::from_atomic(text).ok()
}
