//! One channel: what it accepts, holds, charges and owes. Every step is total: it changes the channel or refuses and leaves it as it was.

use alloc::vec::Vec;

use self::bearer::{Bearer, REST_SECS};
use self::firm::FirmDeposit;
use super::config::ChannelId;
use super::voucher::{CheckedVoucher, HighestVoucher, Voucher};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

mod back;
pub mod bearer;
pub(crate) mod firm;
mod sale;
mod sight;

/// Which vouchers a protocol lets a request bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoucherRule {
    /// One for each request: what was charged so far, and the price. One request at a time. Spec:
    /// x402 `batch-settlement` on EVM, "Request Processing".
    Exact,
    /// Any that is not lower; it may pay for many requests. Spec: MPP session, "Voucher
    /// verification".
    Headroom {
        /// The least that a new one adds.
        min_delta: Amount,
    },
}

impl VoucherRule {
    /// Whether a voucher may pay for many requests.
    #[must_use]
    pub const fn has_headroom(&self) -> bool {
        matches!(self, Self::Headroom { .. })
    }
}

/// Whether the contract still lets the payee claim, and the payer take back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChain {
    /// Neither side wants to end it.
    Open,
    /// The payer has asked to withdraw, at this time.
    Leaving(UnixTime),
    /// Closed for ever.
    Finalized,
}

/// The chain's view of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// All deposits, less refunds and withdrawals.
    pub deposit: Amount,
    /// The amount that was claimed.
    pub claimed: Amount,
    /// Its standing.
    pub on_chain: OnChain,
    /// How many refunds there were.
    pub refund_nonce: Amount,
    /// When the chain was asked; earlier if its newest block was old by then.
    pub at: UnixTime,
}

/// A refund that was signed: whoever has the signature may send it until its nonce is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The count of refunds that it was signed for.
    pub nonce: Amount,
    /// Its amount.
    pub amount: Amount,
}

/// The request that was charged last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSale {
    /// The amount of the voucher that it brought; what was accepted, if it brought none.
    pub cumulative: Amount,
    /// The hash of the request.
    pub request: [u8; 32],
    /// The amount that it was charged.
    pub charged: Amount,
    /// [`Purchase::mark`]; `None` in a row of an earlier version.
    pub mark: Option<[u8; 16]>,
}

/// Whether the chain was seen since money was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AttemptResult {
    Seen,
    Unseen,
}

/// Whether the list has what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListNotice {
    /// It is told at this time.
    Due(UnixTime),
    /// It has it.
    Done,
}

/// Whether payee and payer have agreed to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// It sells.
    Selling,
    /// It is to be closed on the chain.
    Closing,
}

/// A request that is to be paid from a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// The voucher that it brings, if it brings one.
    pub voucher: Option<CheckedVoucher>,
    /// The most that it may be charged.
    pub price: Amount,
    /// The hash of the request; where a voucher may pay for many, of what names this one.
    pub request: [u8; 32],
    /// When its hold ends by itself.
    pub until: UnixTime,
    /// A random name of who serves it: the same request may be served twice, and is charged once.
    pub mark: Option<[u8; 16]>,
}

/// A payer's wish for a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefundWish {
    /// The amount of the voucher that is shown, which the gate has checked.
    pub shown: Amount,
    /// How much; everything that is not earned, if it is not said.
    pub amount: Option<Amount>,
    /// The least that is worth a transaction, unless it is everything.
    pub least: Amount,
}

/// The fate of such a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundFate {
    /// It is promised: send it.
    Promised(Promise),
    /// It was paid back before.
    Repeated(Promise),
}

/// The fate of a request that asks to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Its price is held: serve it, then charge it.
    Held,
    /// It was charged before: give it the same answer, or none, but never another.
    Repeated(LastSale),
}

/// A channel between one payer and one payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel {
    pub(super) id: ChannelId,
    pub(super) rule: VoucherRule,
    pub(super) withdraw_delay_secs: u64,
    pub(super) sight: Sight,
    pub(super) evidence: Option<HighestVoucher>,
    pub(super) spent: Amount,
    /// When the first charge was made that the chain does not show as claimed; after a claim, when
    /// that was sent.
    pub(super) earned_since: Option<UnixTime>,
    pub(super) promised: Option<Promise>,
    /// The last refund that the chain shows, and what was spent when it was promised; once that is
    /// undone and promised again, the one that was promised after it.
    pub(super) refunded: Option<(Promise, Amount)>,
    /// All refunds that the chain shows.
    pub(super) paid_back: Amount,
    pub(super) agreement: Agreement,
    pub(super) last: Option<LastSale>,
    /// The highest voucher that was sent for a chain, where everyone reads it.
    pub(super) published: Amount,
    /// The voucher that was sent last to claim by, and what was charged by then: a chain shows both.
    /// `None` by MPP, and if an earlier version sent it.
    pub(super) sent: Option<(HighestVoucher, Amount)>,
    /// Calls that have not helped, by which facilitators take turns.
    pub(super) turn: u64,
    /// Attempts to send for money since the chain last changed.
    pub(super) tries: u64,
    /// Whether the list of channels has what changed.
    pub(super) listing: ListNotice,
    /// The part of the claims that was paid out to the payee.
    pub(super) paid_out: Amount,
    /// When the next payout may be asked for; by MPP, when it is closed.
    pub(super) pay_out_from: UnixTime,
    /// Payouts that were asked for since the last one that is known to have been made.
    pub(super) pay_out_tries: u64,
    /// When money was last sent for.
    pub(super) tried: Option<UnixTime>,
    /// Whether the chain has been seen since.
    pub(super) result: AttemptResult,
    /// When the chain was last asked, whether or not it answered.
    pub(super) looked: UnixTime,
    /// Prices of requests that are being served; in memory alone.
    pub(super) holds: Vec<HeldPrice>,
    /// The deposit that is left when the chain undoes the last addition.
    pub(super) firm: FirmDeposit,
    /// When a published voucher may have everything paid back.
    pub(super) rested: UnixTime,
    /// When it was seen first; the beginning of time if it may have been opened before that.
    pub(super) opened: UnixTime,
    /// The time before which channels were opened that a restored ledger may know too little of; in
    /// memory alone.
    pub(super) closed_before: UnixTime,
    /// When a request was charged last.
    pub(super) sold: UnixTime,
    /// The deposit as far as its payer's own transactions brought all of it.
    pub(super) own: Amount,
    /// Whether its payer withdraws, if the chain undoes its close.
    pub(super) may_leave: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldPrice {
    request: [u8; 32],
    /// The amount of the voucher that it brought.
    cumulative: Amount,
    price: Amount,
    until: UnixTime,
}

impl Channel {
    /// A channel that the chain shows. What was claimed there was spent; what was accepted before
    /// its row was lost is not known.
    #[must_use]
    pub const fn seen_first(
        id: ChannelId,
        rule: VoucherRule,
        withdraw_delay_secs: u64,
        sight: Sight,
    ) -> Self {
        Self {
            id,
            rule,
            withdraw_delay_secs,
            sight,
            evidence: None,
            spent: sight.claimed,
            earned_since: None,
            promised: None,
            refunded: None,
            paid_back: Amount::ZERO,
            agreement: Agreement::Selling,
            last: None,
            published: sight.claimed,
            sent: None,
            turn: 0,
            tries: 0,
            listing: ListNotice::Due(sight.at),
            paid_out: sight.claimed,
            pay_out_from: sight.at,
            pay_out_tries: 0,
            tried: None,
            result: AttemptResult::Seen,
            looked: sight.at,
            holds: Vec::new(),
            firm: FirmDeposit::new(sight.deposit, None),
            rested: sight.at.plus(REST_SECS),
            opened: sight.at,
            closed_before: UnixTime::from_secs(0),
            sold: sight.at,
            own: Amount::ZERO,
            may_leave: matches!(sight.on_chain, OnChain::Leaving(_)),
        }
    }

    /// Whether it may have sold more than its row says, because the ledger was restored since.
    #[must_use]
    pub fn may_be_restored(&self) -> bool {
        self.opened < self.closed_before
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> ChannelId {
        self.id
    }

    /// The chain's last view.
    #[must_use]
    pub const fn sight(&self) -> &Sight {
        &self.sight
    }

    /// The highest voucher, if there is one.
    #[must_use]
    pub const fn evidence(&self) -> Option<&HighestVoucher> {
        self.evidence.as_ref()
    }

    /// The same, as it was shown.
    #[must_use]
    pub fn highest(&self) -> Option<CheckedVoucher> {
        let HighestVoucher { cumulative, signature } = self.evidence?;
        Some(CheckedVoucher::known(Voucher { channel: self.id, cumulative }, signature))
    }

    /// The amount that was accepted: at least the amount that was spent.
    #[must_use]
    pub fn accepted(&self) -> Amount {
        self.evidence.map_or(self.spent, |evidence| evidence.cumulative.max(self.spent))
    }

    /// The possible bearers of a voucher. It is published from the moment before it is sent,
    /// whatever comes of that.
    #[must_use]
    pub fn bearer(&self, voucher: &CheckedVoucher) -> Bearer {
        Bearer::of(voucher.voucher.cumulative, self.published())
    }

    /// The possible bearers of the voucher with which a refund is wished.
    #[must_use]
    pub fn bearer_of_wish(&self, wish: &RefundWish) -> Bearer {
        Bearer::of(wish.shown, self.published())
    }

    /// The highest voucher that was sent for a chain, or that it shows.
    #[must_use]
    pub fn published(&self) -> Amount {
        self.published.max(self.sight.claimed)
    }

    /// The voucher that was sent last to claim by, and what was charged as far as a chain shows it:
    /// whoever can show a voucher may be told both.
    #[must_use]
    pub fn sent(&self) -> Option<(HighestVoucher, Amount)> {
        self.sent.map(|(voucher, charged)| (voucher, charged.max(self.sight.claimed)))
    }

    /// This voucher is sent for a chain, or the chain shows it.
    pub fn publish(&mut self, cumulative: Amount, now: UnixTime) {
        if cumulative > self.published {
            self.published = cumulative;
            self.rested = self.rested.max(now.plus(REST_SECS));
        }
    }

    /// The amount that was charged.
    #[must_use]
    pub const fn spent(&self) -> Amount {
        self.spent
    }

    /// The refund that is signed and not yet seen.
    #[must_use]
    pub const fn promised(&self) -> Option<&Promise> {
        self.promised.as_ref()
    }

    /// The request that was charged last.
    #[must_use]
    pub const fn last(&self) -> Option<&LastSale> {
        self.last.as_ref()
    }

    /// The most that vouchers are accepted for: the deposit, less the money that is promised back.
    #[must_use]
    pub fn available(&self) -> Amount {
        let mut rest = self.sight.deposit;
        for promise in [self.promised, self.later_promise()].into_iter().flatten() {
            rest = rest.checked_sub(promise.amount).unwrap_or(Amount::ZERO);
        }
        rest
    }

    /// Whether what is known of the chain is new enough to accept vouchers by it.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.sight.at.plus(self.fresh_secs())
    }

    /// Seconds for which what the chain shows is gone by.
    pub(super) fn fresh_secs(&self) -> u64 {
        self.withdraw_delay_secs.checked_div(3).unwrap_or_default().min(MAX_FRESH_SECS)
    }

    /// Notes the highest voucher, as far as it is within what may be left of the deposit.
    fn confirm(&mut self) {
        if let Some(highest) = self.evidence {
            self.firm.keep(highest);
        }
    }
}

/// Seconds for which a node may be behind another one.
pub(super) const BEHIND_SECS: u64 = 60;
/// The longest that what the chain shows is gone by, seconds.
const MAX_FRESH_SECS: u64 = 300;
