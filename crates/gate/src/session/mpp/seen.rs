//! The chain's view of the channel of a credential.

use alloc::boxed::Box;

use super::payment::{MppPayment, ShownDeposit};
use super::terms::ChannelOffer;
use farebox_base::amount::Amount;
use farebox_channel::facts::ChannelFacts;
use farebox_channel::onchain::{ChannelQuestion, SeenChannel};
use farebox_channel::refusal::ChannelRefusal;
use farebox_evm::rpc::reply::Status;

/// Codes of OKX's dialect. Spec: OKX payments, error codes.
pub(in crate::session) const NOT_CONFIRMED: u32 = 70_007;
pub(in crate::session) const EXPIRED: u32 = 70_009;
const WRONG_ESCROW: u32 = 70_011;

/// The question about the channel of a credential.
pub(in crate::session) const fn question<'s>(
    sold: &ChannelOffer,
    shown: &'s MppPayment,
) -> ChannelQuestion<'s> {
    match &shown.deposit {
        ShownDeposit::Nothing => ChannelQuestion::Standing,
        ShownDeposit::Sent(hash) | ShownDeposit::Added(hash) => ChannelQuestion::Sent(*hash),
        ShownDeposit::Signed(funds) => ChannelQuestion::Signed(funds, sold.token.pay_to),
    }
}

/// The facts of the channel, if it is one that this route sells by.
///
/// # Errors
/// The code of a refusal; [`NOT_CONFIRMED`] while a deposit may still come.
pub(in crate::session) fn judge(
    sold: &ChannelOffer,
    deposit: &ShownDeposit,
    seen: &SeenChannel,
    least: Amount,
) -> Result<Box<ChannelFacts>, u32> {
    let not_found = ChannelRefusal::NotFound.okx();
    if seen.grace_secs < sold.delay_secs {
        return Err(WRONG_ESCROW);
    }
    let waits = match (deposit, seen.sent) {
        // Anyone can bring any transaction.
        (ShownDeposit::Added(_), Some(Status::Succeeded)) if !seen.is_named => {
            return Err(not_found);
        }
        (ShownDeposit::Nothing, _)
        | (ShownDeposit::Sent(_) | ShownDeposit::Added(_), Some(Status::Succeeded)) => false,
        // Whoever has opened it.
        (ShownDeposit::Signed(funds), _) if funds.opens() && seen.facts.is_some() => false,
        // A transaction that failed brought nothing; one that is in no block may still bring it.
        (_, Some(Status::Reverted)) => return Err(not_found),
        (ShownDeposit::Signed(funds), Some(Status::Succeeded)) => funds.opens(),
        (_, None) => true,
    };
    let Some(facts) = seen.facts.clone() else {
        return Err(if waits { NOT_CONFIRMED } else { not_found });
    };
    let is_its = match deposit {
        ShownDeposit::Signed(funds) => facts.payer == funds.payer(),
        ShownDeposit::Nothing | ShownDeposit::Sent(_) | ShownDeposit::Added(_) => true,
    };
    if !is_its || !sold.takes(&facts) {
        return Err(not_found);
    }
    // What buys nothing is not worth a row.
    let deposit = Amount::from_atomic(&seen.sight.deposit).unwrap_or(Amount::ZERO);
    if deposit < least {
        return Err(ChannelRefusal::AboveDeposit.okx());
    }
    if waits { Err(NOT_CONFIRMED) } else { Ok(Box::new(facts)) }
}
