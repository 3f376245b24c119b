//! A payer's row of a session in the budget's record: the amounts that are deposited, signed and
//! used, the highest voucher with its signature, and a deposit on its way.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::terms::ChallengedSession;
use crate::client::budget::Budget;
use crate::client::channel::ChannelPayer;
use crate::client::channel::row::{Using, read};
use crate::client::error::ClientError;
use crate::client::voucher::{ChannelState, NextVoucher};
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_channel::config::{ChannelId, ChannelParties};
use farebox_channel::escrow::{Escrow, EscrowContract};
use farebox_evm::address::Address;

/// Seconds before its end from which a deposit's authorization is not sent any more.
const LATE_SECS: u64 = 10;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptSession {
    pub parties: ChannelParties,
    pub chain_id: u64,
    pub escrow: Address,
    /// The host that sells by it.
    pub host: String,
    /// Tells apart the sessions of one wallet at one payee.
    pub name: [u8; 32],
    /// Deposit, the voucher that is shown, and what of it is used, as far as the payer knows.
    pub state: ChannelState,
    /// The signature of the voucher that is shown; empty before the first.
    pub signature: String,
    /// Other vouchers that were signed, the lowest first: the payee may hold one of these instead.
    pub others: Vec<SignedVoucher>,
    /// Vouchers up to this amount were refused without a word on a higher one, since one was served.
    pub doubted: Amount,
    /// Time at which the payee has said that it knows no such channel, and has served nothing since.
    pub gone: Option<UnixTime>,
    /// The request that uses it now, and when it counts as dead.
    pub using: Option<Using>,
    /// A deposit that was not seen to arrive yet.
    pub pending: Option<PendingFunds>,
}

/// A voucher, and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedVoucher {
    pub amount: Amount,
    pub signature: String,
}

/// A deposit: the first one opens the channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Deposit {
    pub amount: Amount,
    /// The salt of its nonce, where it adds to a deposit.
    pub salt: [u8; 32],
    pub valid_before: UnixTime,
    /// The reservation that counts it.
    pub id: String,
}

/// A deposit on its way. One that is not signed yet is none: no row knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PendingFunds {
    pub deposit: Deposit,
    pub proof: FundsProof,
}

/// The proof of a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FundsProof {
    /// The signature of its authorization.
    Signed(String),
    /// The payer's own transaction is about to be sent, or was: its hash is not known.
    Sending,
    /// The hash of the payer's own transaction.
    Sent([u8; 32]),
}

/// The next move to pay for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SessionMove {
    /// Show the highest voucher again.
    Reuse(Amount),
    /// Sign a voucher for this amount.
    Sign(Amount),
    /// Deposit at least this much first.
    Fund(Amount),
    /// Send the deposit that is on its way again.
    FundAgain,
    /// Wait: another request uses the session.
    Wait,
    /// Wait until the deposit on its way has arrived, or can no longer be made.
    Blocked,
}

impl PendingFunds {
    /// Whether the reservation of this name counts it.
    pub fn is_counted_by(&self, id: &str) -> bool {
        self.deposit.id == id
    }

    /// Whether it can be made no more: its authorization has ended.
    pub fn is_late(&self, now: UnixTime) -> bool {
        matches!(self.proof, FundsProof::Signed(_)) && self.deposit.valid_before <= now
    }
}

impl KeptSession {
    /// A session without a deposit.
    pub fn new(
        asked: &ChallengedSession,
        ChannelPayer { payer, voucher_signer, salt: name }: ChannelPayer,
        salt: [u8; 32],
        host: &str,
    ) -> Self {
        // Zero stands for the payer, and is hashed as zero.
        let own = voucher_signer == payer;
        let parties = ChannelParties {
            payer,
            payee: asked.terms.recipient,
            token: asked.terms.currency,
            salt,
            authorized_signer: if own { Address::ZERO } else { voucher_signer },
        };
        let zero = Amount::ZERO;
        Self {
            parties,
            chain_id: asked.terms.chain_id,
            escrow: asked.terms.escrow,
            host: host.to_string(),
            name,
            state: ChannelState { deposit: zero, cumulative: zero, spent: zero },
            signature: String::new(),
            others: Vec::new(),
            doubted: zero,
            gone: None,
            using: None,
            pending: None,
        }
    }

    pub fn contract(&self) -> EscrowContract {
        let Self { chain_id, escrow, .. } = *self;
        EscrowContract { escrow: Escrow::PaymentChannel, chain_id, address: escrow }
    }

    pub fn id(&self) -> ChannelId {
        self.parties.id(&self.contract())
    }

    /// The next move to pay for a request at this price, of a payee who wants a voucher to rise by
    /// at least `min_delta`; `None` if the amounts leave what a voucher can say.
    pub fn paid_by(
        &self,
        (unit, min_delta): (Amount, Amount),
        id: &str,
        now: UnixTime,
    ) -> Option<SessionMove> {
        if self.is_used(id, now) {
            return Some(SessionMove::Wait);
        }
        let mut state = self.state;
        if let Some(PendingFunds { deposit, proof }) = &self.pending {
            match proof {
                FundsProof::Sending => return Some(SessionMove::Blocked),
                FundsProof::Sent(_) => return Some(SessionMove::FundAgain),
                FundsProof::Signed(_) => {}
            }
            if now < deposit.valid_before {
                let is_late = now.plus(LATE_SECS) >= deposit.valid_before;
                return Some(if is_late { SessionMove::Blocked } else { SessionMove::FundAgain });
            }
            // It may have arrived: the payee says so by what it makes of a voucher.
            state = state.topped_up(deposit.amount);
        }
        if state.deposit.is_zero() {
            return Some(SessionMove::Fund(unit.max(min_delta)));
        }
        Some(match state.next_voucher(unit, min_delta)? {
            NextVoucher::Reuse(amount) => SessionMove::Reuse(amount),
            NextVoucher::Sign(amount) => SessionMove::Sign(amount),
            // Another channel would lose sight of the one that it may have opened.
            NextVoucher::TopUp(..)
                if self.is_opening()
                    || self.pending.is_some() && planted(Mutant::EndedTopUpsBlock) =>
            {
                SessionMove::Blocked
            }
            // One that has ended can be made no more: only what was seen to arrive counts.
            NextVoucher::TopUp(_, next) => SessionMove::Fund(next.checked_sub(self.state.deposit)?),
        })
    }

    /// Whether another request uses it.
    pub fn is_used(&self, id: &str, now: UnixTime) -> bool {
        self.using.as_ref().is_some_and(|using| using.excludes(id, now))
    }

    /// Whether the deposit on its way would open the channel.
    pub fn is_opening(&self) -> bool {
        self.state.deposit.is_zero()
    }

    /// Notes that this deposit has arrived, if it is the one on its way.
    pub fn arrived(&mut self, deposit: Option<&PendingFunds>) {
        let is_its =
            |it: &PendingFunds| deposit.is_some_and(|own| it.is_counted_by(&own.deposit.id));
        if self.pending.as_ref().is_some_and(is_its) {
            self.funded();
        }
    }

    /// Notes that the deposit on its way has arrived.
    pub fn funded(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.state = self.state.topped_up(pending.deposit.amount);
        }
        self.gone = None;
        self.keep_others_above(self.state.cumulative);
    }

    /// Notes that a voucher of this amount was served: the deposit covers it, with the one that it
    /// `leans` on.
    pub fn served(&mut self, amount: Amount, leans: Option<&PendingFunds>) {
        if amount > self.state.deposit || planted(Mutant::AnyVoucherProvesTopUps) {
            self.arrived(leans);
        }
        self.state.deposit = self.state.deposit.max(amount);
        (self.gone, self.doubted) = (None, Amount::ZERO);
        self.keep_others_above(amount);
    }

    /// Forgets the other vouchers that one of this amount stands for, if the deposit covers it.
    fn keep_others_above(&mut self, amount: Amount) {
        if amount <= self.state.deposit {
            self.others.retain(|it| it.amount > amount);
        }
    }

    /// Makes a voucher of this amount the one that is shown. Where it leans on a deposit that may not
    /// have arrived, the one before stays beside it.
    pub fn raise(&mut self, amount: Amount) {
        if amount > self.state.deposit && !self.is_opening() {
            self.put_aside();
        }
        self.state.cumulative = amount;
        self.others.retain(|it| it.amount != amount);
        self.keep_others_above(amount);
    }

    fn put_aside(&mut self) {
        let amount = self.state.cumulative;
        self.others.retain(|it| it.amount != amount);
        let at = self.others.partition_point(|it| it.amount < amount);
        self.others.insert(at, SignedVoucher { amount, signature: self.signature.clone() });
        if self.others.len() > MOST_OTHERS {
            // The lowest is covered, and the highest is all that the payee can claim.
            self.others.remove(1);
        }
    }

    /// Whether the voucher leans on a deposit that may not have arrived: there is a lower one.
    pub fn leans(&self) -> bool {
        self.others.first().is_some_and(|it| it.amount < self.state.cumulative)
    }

    /// The highest voucher that was signed.
    pub fn highest(&self) -> Amount {
        self.others.last().map_or(self.state.cumulative, |it| it.amount.max(self.state.cumulative))
    }

    /// Goes on from the lowest voucher once the payee has refused one that leans on a deposit which may
    /// not have arrived: it may be refused for ever, also as the one that closes the channel.
    pub fn go_down(&mut self, now: UnixTime) {
        if !self.leans() || planted(Mutant::LostTopUpsEndSessions) {
            return;
        }
        if self.pending.is_none() || self.let_go_of_late(now) {
            self.show(0);
        }
    }

    /// Goes on from the next higher voucher once the payee has refused the one that is shown as lower
    /// than the one that it holds: from one that it has not refused yet, if there is one.
    pub fn go_up(&mut self) {
        let above = |amount: Amount| self.others.iter().position(|it| it.amount > amount);
        let shown = self.state.cumulative;
        let untried = above(shown.max(self.doubted));
        let next = untried.or(above(shown));
        if untried.is_none() {
            self.doubted = Amount::ZERO;
        }
        if let Some(at) = next {
            self.show(at);
        }
    }

    /// Notes that the payee has refused the voucher that is shown without a word on a higher one.
    pub fn doubt(&mut self) {
        self.doubted = self.doubted.max(self.state.cumulative);
    }

    /// Goes on from the voucher of this amount, if it is one of the others.
    pub fn go_on_from(&mut self, amount: Amount) {
        if let Some(at) = self.others.iter().position(|it| it.amount == amount) {
            self.show(at);
        }
    }

    /// Shows another voucher. No refusal proves which one the payee holds: so all are kept.
    fn show(&mut self, at: usize) {
        if at >= self.others.len() {
            return;
        }
        let SignedVoucher { amount, signature } = self.others.remove(at);
        if !planted(Mutant::RefusedVouchersAreLost) {
            self.put_aside();
        }
        self.state.cumulative = amount;
        self.signature = signature;
    }

    /// Puts the channel aside, which its payee has closed or does not know: it stays listed until it is
    /// forgotten.
    pub fn leave(&self, budget: &mut Budget, now: UnixTime) -> Result<(), ClientError> {
        let key = left_key(&self.key());
        if let Some(before) = read::<Self>(budget, &key)?.filter(|it| it.id() != self.id()) {
            budget.sent.keep(&before.older_key(), &before.to_text(), now)?;
        }
        budget.sent.keep(&key, &self.to_text(), now)
    }

    /// The key of one that was put aside before the last one.
    pub fn older_key(&self) -> String {
        format!("{} {}", left_key(&self.key()), self.id())
    }

    /// Drops a deposit that has ended without arriving; whether there was one.
    pub fn let_go_of_late(&mut self, now: UnixTime) -> bool {
        let is_over = self.pending.as_ref().is_some_and(|it| it.is_late(now));
        if is_over {
            self.pending = None;
        }
        is_over
    }
}

/// Other vouchers that are kept: a close shows each once.
const MOST_OTHERS: usize = 4;

/// Seconds in which no second channel is left at a payee's word that it closes it: each costs a
/// deposit, whose rest the payer has not seen to come back.
pub(super) const LEFT_SECS: u64 = 86_400;

/// Where a channel stays that a payee has closed at its own wish.
pub(super) fn left_key(key: &str) -> String {
    format!("{LEFT}{key}")
}

/// The beginning of the keys of such channels.
pub(super) const LEFT: &str = "left ";
