//! The object of a channel: how it answers, and what it writes. One row, at most one write for each
//! message.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use super::config::ChannelId;
use super::facts::{ChannelFacts, VoucherSigner};
use super::messages::{
    ChannelAsk, ChannelMessage, ChannelReply, PurchaseText, Said, Snapshot, VERSION, amount,
};
use super::refusal::ChannelRefusal;
use super::state::bearer::SecretVoucher;
use super::state::{
    Begun, Channel, LastSale, Purchase, RefundFate, RefundWish, Sight, VoucherRule,
};
use super::voucher::{CheckedVoucher, Voucher};
use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, message};
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_evm::known::KnownSigners;
use farebox_evm::signature::Signature;

/// Whether the row is to be written, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// The terms that the alarm needs to claim.
    pub terms: String,
    /// The head of the answer to the last request.
    pub kept: Option<String>,
    /// The signer of its vouchers, once one was checked here.
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
                    let mut channel = Channel::seen_first(id, rule, delay, sight);
                    if message.closed > 0 && !message.is_young {
                        channel.opened = UnixTime::from_secs(0);
                    }
                    self.channel = Some(channel);
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
        if let Some((before, after)) = &message.brought
            && channel.bring(amount(before)?, amount(after)?)
        {
            write = Write::Channel;
        }
        channel.closed_before = UnixTime::from_secs(message.closed);
        // Each route says what a voucher adds at least.
        if let (VoucherRule::Headroom { min_delta }, Some(delta)) =
            (&mut channel.rule, &message.opened.2)
        {
            *min_delta = amount(delta)?;
        }
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
        let secret = shown.and_then(|shown| channel.bearer(shown).secret());
        let mut fetched = None;
        let by_headroom = channel.rule != VoucherRule::Exact;
        let mut signing = match channel.rule {
            VoucherRule::Exact => None,
            VoucherRule::Headroom { .. } => {
                Some(Signing { facts: &self.terms, signer: &mut self.signer, signers })
            }
        };
        let result = match &message.ask {
            ChannelAsk::See => Ok(Said::Taken.into()),
            ChannelAsk::Release(request) => {
                channel.release(&hex::decode_array(request).ok()?);
                Ok(Said::Taken.into())
            }
            ChannelAsk::Foresee(text, _) | ChannelAsk::Begin(text) => {
                let begun = match (text.read(channel, signing.as_mut())?, &message.ask) {
                    (Err(refusal), _) => Err(refusal),
                    (Ok(purchase), ChannelAsk::Foresee(_, deposit)) => {
                        channel.foresee(&purchase, amount(deposit)?, now)
                    }
                    (Ok(purchase), _) => channel.begin(&purchase, now),
                };
                begun.map(|begun| match begun {
                    Begun::Held => Said::Held.into(),
                    Begun::Repeated(last) => {
                        fetched = secret.and_then(|secret| kept_for(secret, self.kept.as_ref()));
                        AskResult::sale(Said::Repeated, &last)
                    }
                })
            }
            ChannelAsk::Charge(text, used, kept) => {
                let known = channel.last().copied();
                let used = amount(used)?;
                let purchase = text.read(channel, signing.as_mut())?;
                let voucher = purchase.as_ref().ok().and_then(|it| it.voucher);
                purchase.and_then(|purchase| channel.charge(&purchase, used, now)).map(|last| {
                    // What is charged nothing may be charged so again.
                    if known == Some(last) && !last.charged.is_zero() {
                        fetched = secret.and_then(|secret| kept_for(secret, self.kept.as_ref()));
                        AskResult::sale(Said::Repeated, &last)
                    } else {
                        write = Write::Answer;
                        if let (Some(signing), Some(voucher)) = (&mut signing, &voucher) {
                            signing.charged(voucher);
                        }
                        self.kept.clone_from(kept);
                        AskResult::sale(Said::Charged, &last)
                    }
                })
            }
            ChannelAsk::Accept(text) | ChannelAsk::Close(text) => {
                let purchase = text.read(channel, signing.as_mut())?;
                let known = (channel.evidence, channel.agreement);
                let before = channel.accepted();
                let taken = purchase.and_then(|purchase| match (purchase.voucher, &message.ask) {
                    (None, _) => Err(ChannelRefusal::Malformed),
                    (Some(voucher), ChannelAsk::Accept(_)) => {
                        channel.accept(&voucher, now).map(|()| purchase.price)
                    }
                    (Some(voucher), _) => {
                        channel.close(&voucher, purchase.price, now).map(|()| Amount::ZERO)
                    }
                });
                taken.map(|least| {
                    // Whoever has a voucher can show it again and again, and sign many that are for
                    // next to nothing: those are written with what they buy.
                    let added = channel.accepted().checked_sub(before).unwrap_or(Amount::ZERO);
                    let is_dust = added < least && !planted(Mutant::DustIsWritten);
                    if known != (channel.evidence, channel.agreement) && !is_dust {
                        write = Write::Channel;
                    }
                    Said::Taken.into()
                })
            }
            ChannelAsk::Step(price, bought) => {
                let price = amount(price)?;
                let bought = match bought {
                    Some(text) => Some(text.read(channel, signing.as_mut())?),
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
                snapshot.is_payer = secret.is_some();
                snapshot.facts = by_headroom.then(|| self.terms.clone());
                let reply = ChannelReply {
                    said,
                    refusal: None,
                    stale: false,
                    charged,
                    promised,
                    kept: fetched,
                    channel: Some(snapshot),
                    refundable_at: None,
                };
                (reply, write)
            }
            Err(refusal) => {
                let mut snapshot = Snapshot::of(channel);
                // Anyone can name an amount.
                snapshot.is_payer = match refusal {
                    ChannelRefusal::SignatureInvalid | ChannelRefusal::NotFound => false,
                    _ => secret.is_some(),
                };
                let mut reply = refused(refusal, Some(snapshot));
                if refusal == ChannelRefusal::RefundLater {
                    reply.refundable_at = channel.refundable_at().map(|at| at.secs());
                }
                if by_headroom {
                    let code = match (&message.ask, refusal) {
                        // Spec: OKX payments, `close`.
                        (ChannelAsk::Close(_), ChannelRefusal::Decreasing) => {
                            ChannelRefusal::AboveDeposit
                        }
                        (_, refusal) => refusal,
                    };
                    reply.refusal = Some(code.okx().to_string());
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

/// The head of the answer to the last request, for who can have shown what paid for it.
fn kept_for(_: SecretVoucher, kept: Option<&String>) -> Option<String> {
    kept.cloned()
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
        refundable_at: None,
    }
}

/// The context in which a voucher is checked.
struct Signing<'a> {
    /// The facts of its channel, as text.
    facts: &'a str,
    /// The signer for it, once that was read.
    signer: &'a mut Option<VoucherSigner>,
    /// Which signers are known.
    signers: &'a mut KnownSigners,
}

impl Signing<'_> {
    /// Checks a voucher; `None` if it is not written what the channel is made of.
    fn check(
        &mut self,
        voucher: Voucher,
        signature: &str,
    ) -> Option<Result<CheckedVoucher, ChannelRefusal>> {
        let signer = match self.signer {
            Some(known) => known,
            None => self.signer.insert(VoucherSigner::of(&ChannelFacts::read(self.facts)?)),
        };
        Some(signer.check(voucher, signature, self.signers))
    }

    /// Notes that one was charged.
    fn charged(&mut self, voucher: &CheckedVoucher) {
        if let Some(signer) = self.signer {
            signer.charged(voucher, self.signers);
        }
    }
}

impl PurchaseText {
    /// The purchase; its voucher is checked by what the channel is made of, unless that was done.
    fn read(
        &self,
        channel: &Channel,
        signing: Option<&mut Signing<'_>>,
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
        let checked = match signing {
            Some(_) if is_highest || planted(Mutant::ShownIsChecked) => known?,
            Some(signing) => match signing.check(voucher, &self.signature)? {
                Ok(checked) => checked,
                Err(refusal) => return Some(Err(refusal)),
            },
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
