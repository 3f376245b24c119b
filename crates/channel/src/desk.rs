//! The object of a channel: how it answers, and what it writes. One row, at most one write for each
//! message.

use alloc::borrow::ToOwned;
use alloc::string::String;

pub use self::ask::Write;
use self::ask::{AskContext, Signing, refused};
use super::config::ChannelId;
use super::facts::{ChannelFacts, VoucherSigner};
use super::messages::{ChannelAsk, ChannelMessage, ChannelReply, Said, VERSION, amount};
use super::refusal::ChannelRefusal;
use super::state::{Channel, Sight, VoucherRule};
use farebox_base::encoding::message;
use farebox_base::time::UnixTime;
use farebox_evm::known::KnownSigners;

mod ask;

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
        let message = read(text)?;
        if self.is_of_another_kind(&message) {
            return Some((refused(ChannelRefusal::NotFound, None), Write::Nothing));
        }
        self.disbelieve_times_after(now);
        let seen = self.see(&message)?;
        let Some(channel) = &mut self.channel else {
            return Some((unknown(&message.ask), Write::Nothing));
        };
        let merged = merge(channel, &message)?;
        let signing = match channel.rule {
            VoucherRule::Exact => None,
            VoucherRule::Headroom { .. } => {
                Some(Signing { facts: &self.terms, signer: &mut self.signer, signers })
            }
        };
        let is_at_its_seller = message.sold_by.as_ref().is_none_or(|sold_by| {
            ChannelFacts::read(&self.terms).is_none_or(|facts| facts.sold_by() == *sold_by)
        });
        let kept = &mut self.kept;
        let secret = None;
        let mut desk = AskContext { channel, kept, signing, secret, is_at_its_seller, now };
        Some(match desk.carry_out(&message.ask)? {
            Ok(result) => {
                let write = seen.max(merged).max(result.write);
                (desk.reply(result), write)
            }
            Err(refusal) => (desk.refuse(&message.ask, refusal)?, seen.max(merged)),
        })
    }

    /// Whether a message takes the channel for one of the other protocol: its voucher was not checked,
    /// and another contract was looked at.
    fn is_of_another_kind(&self, message: &ChannelMessage) -> bool {
        let is_its = |channel: &Channel| channel.rule.has_headroom() == message.has_headroom();
        !self.channel.as_ref().is_none_or(is_its)
    }

    /// Takes what the chain has just shown, of a channel that may be new here; [`None`] if it
    /// cannot be read.
    fn see(&mut self, message: &ChannelMessage) -> Option<Write> {
        let Some(sight) = &message.sight else { return Some(Write::Nothing) };
        let sight = sight.read()?;
        if let Some(channel) = &mut self.channel {
            let known = Sight { at: sight.at, ..*channel.sight() };
            channel.see(sight);
            // Anyone can have the chain looked at.
            let is_new = known != *channel.sight();
            return Some(if is_new { Write::Channel } else { Write::Nothing });
        }
        // Nothing is kept of what costs nothing.
        if sight.deposit.is_zero() {
            return Some(Write::Nothing);
        }
        let (id, delay, min_delta) = &message.opened;
        let id = ChannelId::parse(id)?;
        let rule = match min_delta {
            None => VoucherRule::Exact,
            Some(delta) => VoucherRule::Headroom { min_delta: amount(delta)? },
        };
        let mut channel = Channel::seen_first(id, rule, *delay, sight);
        if message.closed > 0 && !message.is_young {
            channel.opened = UnixTime::from_secs(0);
        }
        self.channel = Some(channel);
        self.terms.clone_from(&message.terms);
        Some(Write::Channel)
    }
}

/// Reads a message; [`None`] if it is not one of this version.
fn read(text: &str) -> Option<ChannelMessage> {
    let message: ChannelMessage = message::read(text)?;
    (message.v == VERSION).then_some(message)
}

/// Merges into a channel that is known what else a message says of it; [`None`] if an amount
/// cannot be read.
fn merge(channel: &mut Channel, message: &ChannelMessage) -> Option<Write> {
    let mut write = Write::Nothing;
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
    Some(write)
}

/// The answer about a channel that is not known yet.
fn unknown(ask: &ChannelAsk) -> ChannelReply {
    match ask {
        ChannelAsk::Foresee(..) => ChannelReply {
            said: Said::Taken,
            refusal: None,
            ..refused(ChannelRefusal::NotFound, None)
        },
        _ => refused(ChannelRefusal::Stale, None),
    }
}
