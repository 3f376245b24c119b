//! The asks of a channel that is known: one function for each, and the answers.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};

use crate::facts::{ChannelFacts, VoucherSigner};
use crate::messages::{ChannelAsk, ChannelReply, PurchaseText, Said, Snapshot, amount, read_mark};
use crate::refusal::ChannelRefusal;
use crate::state::bearer::SecretVoucher;
use crate::state::{Begun, Channel, LastSale, Purchase, RefundFate, RefundWish};
use crate::voucher::{CheckedVoucher, Voucher};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
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

/// The parts of a desk that an ask is carried out with.
pub(super) struct AskContext<'a> {
    pub(super) channel: &'a mut Channel,
    /// The head of the answer to the last request.
    pub(super) kept: &'a mut Option<String>,
    /// The check of vouchers, where one may pay for many requests.
    pub(super) signing: Option<Signing<'a>>,
    /// The voucher that is shown, once it was checked, if only the payer can have shown it.
    pub(super) secret: Option<SecretVoucher>,
    /// Whether the route that is asked sells by this channel.
    pub(super) is_at_its_seller: bool,
    pub(super) now: UnixTime,
}

/// The answer to what a channel takes.
pub(super) struct AskResult {
    said: Said,
    charged: Option<String>,
    promised: Option<(String, String)>,
    /// The head of the answer to the same request, if it is given again.
    kept: Option<String>,
    /// The part of the row that changed.
    pub(super) write: Write,
}

type AskOutcome = Result<AskResult, ChannelRefusal>;

impl AskContext<'_> {
    /// Carries out what is asked; [`None`] if it cannot be read.
    pub(super) fn carry_out(&mut self, ask: &ChannelAsk) -> Option<AskOutcome> {
        match ask {
            ChannelAsk::See => Some(Ok(Said::Taken.into())),
            ChannelAsk::Release(request) => {
                self.channel.release(&hex::decode_array(request).ok()?);
                Some(Ok(Said::Taken.into()))
            }
            ChannelAsk::Foresee(text, deposit) => self.foresee(text, deposit),
            ChannelAsk::Begin(text) => self.begin(text),
            ChannelAsk::Charge(text, used, kept) => self.charge(text, used, kept.as_ref()),
            ChannelAsk::Charged(mark) => Some(Ok(self.charged(mark))),
            ChannelAsk::Accept(text) => self.accept(text),
            ChannelAsk::Close(text) => self.close(text),
            ChannelAsk::Step(price, bought) => self.step(price, bought.as_ref()),
            ChannelAsk::Await(price) => self.wait(price),
            ChannelAsk::Refund(shown, wanted, least) => {
                self.refund(shown, wanted.as_deref(), least)
            }
        }
    }

    fn foresee(&mut self, text: &PurchaseText, deposit: &str) -> Option<AskOutcome> {
        Some(match self.read(text)? {
            Ok(purchase) => {
                let begun = self.channel.foresee(&purchase, amount(deposit)?, self.now);
                begun.map(|begun| self.answer_begin(begun))
            }
            Err(refusal) => Err(refusal),
        })
    }

    fn begin(&mut self, text: &PurchaseText) -> Option<AskOutcome> {
        let purchase = self.read(text)?;
        let begun = purchase.and_then(|purchase| self.channel.begin(&purchase, self.now));
        Some(begun.map(|begun| self.answer_begin(begun)))
    }

    fn answer_begin(&self, begun: Begun) -> AskResult {
        match begun {
            Begun::Held => Said::Held.into(),
            Begun::Repeated(last) => self.repeat_last(&last),
        }
    }

    fn repeat_last(&self, last: &LastSale) -> AskResult {
        let kept = self.secret.and_then(|secret| kept_for(secret, self.kept.as_ref()));
        AskResult { kept, ..AskResult::stream(Said::Repeated, Some(last.charged)) }
    }

    fn charge(
        &mut self,
        text: &PurchaseText,
        used: &str,
        kept: Option<&String>,
    ) -> Option<AskOutcome> {
        let known = self.channel.last().copied();
        let used = amount(used)?;
        let purchase = self.read(text)?;
        let voucher = purchase.as_ref().ok().and_then(|it| it.voucher);
        let sale = purchase.and_then(|purchase| self.channel.charge(&purchase, used, self.now));
        Some(sale.map(|last| {
            // What is charged nothing may be charged so again.
            if known == Some(last) && !last.charged.is_zero() {
                return self.repeat_last(&last);
            }
            if let (Some(signing), Some(voucher)) = (&mut self.signing, &voucher) {
                signing.charged(voucher);
            }
            *self.kept = kept.cloned();
            let write = Write::Answer;
            AskResult { write, ..AskResult::stream(Said::Charged, Some(last.charged)) }
        }))
    }

    /// Tells whoever heard no answer whether their own charge was the last.
    fn charged(&self, mark: &str) -> AskResult {
        let mark = read_mark(mark);
        match self.channel.last().filter(|last| mark.is_some() && last.mark == mark) {
            Some(last) => AskResult::stream(Said::Charged, Some(last.charged)),
            None => Said::Taken.into(),
        }
    }

    fn accept(&mut self, text: &PurchaseText) -> Option<AskOutcome> {
        let (purchase, now) = (self.read(text)?, self.now);
        Some(
            self.take(purchase, |channel, voucher, price| {
                channel.accept(voucher, now).map(|()| price)
            }),
        )
    }

    fn close(&mut self, text: &PurchaseText) -> Option<AskOutcome> {
        let (purchase, now) = (self.read(text)?, self.now);
        // Another route says nothing of what this channel's deposit cost.
        let is_anywhere = self.is_at_its_seller;
        Some(self.take(purchase, |channel, voucher, price| {
            let least = if is_anywhere { price } else { Amount::MAX };
            channel.close(voucher, least, now).map(|()| Amount::ZERO)
        }))
    }

    /// Takes a voucher that buys nothing yet. `take` returns the least that it has to add to be
    /// written.
    fn take(
        &mut self,
        purchase: Result<Purchase, ChannelRefusal>,
        take: impl FnOnce(&mut Channel, &CheckedVoucher, Amount) -> Result<Amount, ChannelRefusal>,
    ) -> AskOutcome {
        let purchase = purchase?;
        let voucher = purchase.voucher.ok_or(ChannelRefusal::Malformed)?;
        let known = (self.channel.evidence, self.channel.agreement);
        let before = self.channel.accepted();
        let least = take(self.channel, &voucher, purchase.price)?;
        // Whoever has a voucher can show it again and again, and sign many that are for
        // next to nothing: those are written with what they buy.
        let added = self.channel.accepted().checked_sub(before).unwrap_or(Amount::ZERO);
        let is_dust = added < least;
        let is_new = known != (self.channel.evidence, self.channel.agreement);
        let write = if is_new && !is_dust { Write::Channel } else { Write::Nothing };
        Ok(AskResult { write, ..Said::Taken.into() })
    }

    fn step(&mut self, price: &str, bought: Option<&PurchaseText>) -> Option<AskOutcome> {
        let price = amount(price)?;
        let bought = match bought {
            Some(text) => Some(self.read(text)?),
            None => None,
        };
        let bought = bought.transpose();
        let stepped = bought.and_then(|it| self.channel.step(price, it.as_ref(), self.now));
        Some(stepped.map(|missing| match missing {
            Some(_) => AskResult::stream(Said::Waiting, missing),
            None => {
                let write = Write::Channel;
                AskResult { write, ..AskResult::stream(Said::Charged, Some(price)) }
            }
        }))
    }

    fn wait(&mut self, price: &str) -> Option<AskOutcome> {
        let waits = self.channel.awaits(amount(price)?, self.now);
        Some(waits.map(|missing| match missing {
            Some(_) => AskResult::stream(Said::Waiting, missing),
            None => Said::Held.into(),
        }))
    }

    fn refund(&mut self, shown: &str, wanted: Option<&str>, least: &str) -> Option<AskOutcome> {
        let wanted = match wanted {
            Some(wanted) => Some(amount(wanted)?),
            None => None,
        };
        let (shown, least) = (amount(shown)?, amount(least)?);
        let wish = RefundWish { shown, amount: wanted, least };
        self.secret = self.channel.bearer_of_wish(&wish).secret();
        Some(self.channel.refund(&wish, self.now).map(|fate| {
            let (said, promise, write) = match fate {
                RefundFate::Promised(promise) => (Said::Promised, promise, Write::Channel),
                RefundFate::Repeated(promise) => (Said::Refunded, promise, Write::Nothing),
            };
            let promised = Some((promise.nonce.to_string(), promise.amount.to_string()));
            AskResult { promised, write, ..said.into() }
        }))
    }

    /// The answer to what was taken.
    pub(super) fn reply(&self, result: AskResult) -> ChannelReply {
        let AskResult { said, charged, promised, kept, .. } = result;
        let mut snapshot = self.snapshot();
        snapshot.facts = self.signing.as_ref().map(|signing| signing.facts.to_owned());
        ChannelReply {
            said,
            refusal: None,
            stale: false,
            charged,
            promised,
            kept,
            channel: Some(snapshot),
            refundable_at: None,
        }
    }

    /// The answer to what was refused; [`None`] if a price cannot be read.
    pub(super) fn refuse(&self, ask: &ChannelAsk, refusal: ChannelRefusal) -> Option<ChannelReply> {
        let mut reply = refused(refusal, Some(self.snapshot()));
        if refusal == ChannelRefusal::RefundLater {
            reply.refundable_at = self.channel.refundable_at().map(|at| at.secs());
        }
        if self.signing.is_some() {
            let code = match (ask, refusal) {
                // Spec: OKX payments, `close`.
                (ChannelAsk::Close(_), ChannelRefusal::Decreasing) => ChannelRefusal::AboveDeposit,
                (_, refusal) => refusal,
            };
            reply.refusal = Some(code.okx().to_string());
        }
        if let (
            ChannelAsk::Begin(text) | ChannelAsk::Accept(text),
            ChannelRefusal::InsufficientHeadroom | ChannelRefusal::DeltaTooSmall,
        ) = (ask, refusal)
        {
            let required = self.channel.required(amount(&text.price)?);
            reply.charged = required.map(|it| it.to_string());
        }
        Some(reply)
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot { is_payer: self.secret.is_some(), ..Snapshot::of(self.channel) }
    }

    /// Reads a purchase. Anyone can name an amount: only a voucher that was checked has a bearer.
    fn read(&mut self, text: &PurchaseText) -> Option<Result<Purchase, ChannelRefusal>> {
        let read = text.read(self.channel, self.signing.as_mut())?;
        let voucher = read.as_ref().ok().and_then(|it| it.voucher);
        self.secret = voucher.and_then(|voucher| self.channel.bearer(&voucher).secret());
        Some(read)
    }
}

impl AskResult {
    fn stream(said: Said, amount: Option<Amount>) -> Self {
        Self { charged: amount.map(|it| it.to_string()), ..said.into() }
    }
}

impl From<Said> for AskResult {
    fn from(said: Said) -> Self {
        Self { said, charged: None, promised: None, kept: None, write: Write::Nothing }
    }
}

/// The head of the answer to the last request, for who can have shown what paid for it.
fn kept_for(_: SecretVoucher, kept: Option<&String>) -> Option<String> {
    kept.cloned()
}

/// The answer that refuses, with the channel, if there is one.
pub(super) fn refused(refusal: ChannelRefusal, channel: Option<Snapshot>) -> ChannelReply {
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
pub(super) struct Signing<'a> {
    /// The facts of its channel, as text.
    pub(super) facts: &'a str,
    /// The signer for it, once that was read.
    pub(super) signer: &'a mut Option<VoucherSigner>,
    /// The known signers.
    pub(super) signers: &'a mut KnownSigners,
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
            Some(_) if is_highest => known?,
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
            mark: read_mark(&self.mark),
        }))
    }
}
