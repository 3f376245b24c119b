//! What the chain shows of the channel of a credential.

use alloc::boxed::Box;

use super::terms::ChannelOffer;
use crate::amount::Amount;
use crate::channel::config::ChannelId;
use crate::channel::facts::ChannelFacts;
use crate::channel::onchain::{ChannelQuestion, SeenChannel};
use crate::channel::refusal::ChannelRefusal;
use crate::evm::rpc::reply::Status;
use crate::mutant::{Mutant, planted};

/// Codes of OKX's dialect. Spec: OKX payments, error codes.
pub(in crate::gate::session) const NOT_CONFIRMED: u32 = 70_007;
const WRONG_ESCROW: u32 = 70_011;

/// The question about a channel, with the transaction that its payer sent.
pub(in crate::gate::session) const fn question(sent: Option<[u8; 32]>) -> ChannelQuestion {
    ChannelQuestion(sent)
}

/// What the channel is made of, if it is one that this route sells by.
///
/// # Errors
/// The code of a refusal.
pub(in crate::gate::session) fn judged(
    sold: &ChannelOffer,
    sent: Option<[u8; 32]>,
    (seen, least): (&SeenChannel, Amount),
) -> Result<Box<ChannelFacts>, u32> {
    // A transaction that failed brought nothing; one that is in no block may still bring it.
    match (sent, seen.sent) {
        (Some(_), Some(Status::Reverted)) => return Err(ChannelRefusal::NotFound.okx()),
        (Some(_), None) => return Err(NOT_CONFIRMED),
        (Some(_), Some(Status::Succeeded)) | (None, _) => {}
    }
    let facts = seen.facts.clone().ok_or_else(|| ChannelRefusal::NotFound.okx())?;
    if !sold.takes(&facts) {
        return Err(ChannelRefusal::NotFound.okx());
    }
    // What buys nothing is not worth a row.
    let deposit = Amount::from_atomic(&seen.sight.deposit).unwrap_or(Amount::ZERO);
    if deposit < least && !planted(Mutant::ChannelsAreDust) {
        return Err(ChannelRefusal::AboveDeposit.okx());
    }
    if seen.grace_secs < sold.delay_secs {
        return Err(WRONG_ESCROW);
    }
    Ok(Box::new(facts))
}

/// The body of the question about a channel.
pub(in crate::gate::session) fn body(
    sold: &ChannelOffer,
    channel: &ChannelId,
    sent: Option<[u8; 32]>,
) -> alloc::string::String {
    question(sent).body(&sold.contract, channel)
}
