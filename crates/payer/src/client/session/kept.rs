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
    /// As much of what is used as was charged for what was served: a voucher that the payee calls used up may
    /// have something left.
    pub charged: Amount,
    /// As much of the deposit as cannot be undone alone: what opened the channel, and each top-up that
    /// a voucher needed which was served.
    pub proven: Amount,
    /// Top-ups that the payee has called arrived, and that no voucher has proven yet.
    pub unproven: u8,
    /// How often the payee has called the deposit too small for a voucher since then.
    pub shorts: u8,
    /// The signature of the voucher that is shown; empty before the first.
    pub signature: String,
    /// How often the voucher that is shown was refused without a word, since one was served.
    pub doubts: u8,
    /// Other vouchers that were signed, the lowest first: the payee may hold one of these instead.
    pub others: Vec<SignedVoucher>,
    /// Time at which the payee has said that it knows no such channel, and has served nothing since.
    pub gone: Option<UnixTime>,
    /// Time at which a top-up was taken as undone.
    pub undone: Option<UnixTime>,
    /// The request that uses it now, and when it counts as dead.
    pub using: Option<Using>,
    /// A deposit that was not seen to arrive yet.
    pub pending: Option<PendingFunds>,
}

/// A voucher that is not the one that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SignedVoucher {
    pub amount: Amount,
    pub signature: String,
    pub doubts: u8,
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

    /// Whether the payer sends it: the payee needs its hash.
    pub fn is_own(&self) -> bool {
        !matches!(self.proof, FundsProof::Signed(_))
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
            charged: zero,
            proven: zero,
            unproven: 0,
            shorts: 0,
            signature: String::new(),
            doubts: 0,
            others: Vec::new(),
            gone: None,
            undone: None,
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
        unit: Amount,
        min_delta: Amount,
        id: &str,
        now: UnixTime,
    ) -> Option<SessionMove> {
        if self.is_used(id, now) {
            return Some(SessionMove::Wait);
        }
        let mut state = self.state;
        let next = |state: ChannelState| state.next_voucher(unit, min_delta);
        if let Some(PendingFunds { deposit, proof }) = &self.pending {
            let is_covered = !self.is_opening() && !matches!(next(state)?, NextVoucher::TopUp(..));
            match proof {
                // It may have arrived: the payee says so by what it makes of a voucher.
                _ if self.is_late(now) => state = state.topped_up(deposit.amount),
                // A hash that never counts holds nothing up that needs no top-up.
                FundsProof::Sending | FundsProof::Sent(_) if is_covered => {}
                FundsProof::Sending => return Some(SessionMove::Blocked),
                FundsProof::Sent(_) => return Some(SessionMove::FundAgain),
                FundsProof::Signed(_) if now.plus(LATE_SECS) >= deposit.valid_before => {
                    return Some(SessionMove::Blocked);
                }
                FundsProof::Signed(_) => return Some(SessionMove::FundAgain),
            }
        }
        if state.deposit.is_zero() {
            return Some(SessionMove::Fund(unit.max(min_delta)));
        }
        Some(match next(state)? {
            NextVoucher::Reuse(amount) => SessionMove::Reuse(amount),
            NextVoucher::Sign(amount) => SessionMove::Sign(amount),
            // Another channel would lose sight of the one that it may have opened.
            NextVoucher::TopUp(..) if self.is_opening() => SessionMove::Blocked,
            // One that has ended can be made no more: only what was seen to arrive counts.
            NextVoucher::TopUp(_, next) => SessionMove::Fund(next.checked_sub(self.state.deposit)?),
        })
    }

    /// Whether a top-up waits for a day: the payee has said that it knows no such channel or deposit.
    pub fn is_topped_up_later(&self, now: UnixTime) -> bool {
        let waits = |at: Option<UnixTime>| at.is_some_and(|at| now < at.plus(LEFT_SECS));
        waits(self.gone) || waits(self.undone)
    }

    /// Whether another request uses it.
    pub fn is_used(&self, id: &str, now: UnixTime) -> bool {
        self.using.as_ref().is_some_and(|using| using.excludes(id, now))
    }

    /// Whether the deposit on its way counts as over: its authorization has ended. Of a top-up of the payer's
    /// own a day later, whose hash the payee may never take; what opened a channel is never made twice so.
    pub fn is_late(&self, now: UnixTime) -> bool {
        self.pending.as_ref().is_some_and(|it| {
            let end = it.deposit.valid_before;
            let is_own = it.is_own();
            if is_own { !self.is_opening() && end.plus(LEFT_SECS) <= now } else { end <= now }
        })
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

    /// Notes that the deposit on its way has arrived, as the payee says.
    pub fn funded(&mut self) {
        if let Some(pending) = self.pending.take() {
            let opens = self.is_opening();
            self.state = self.state.topped_up(pending.deposit.amount);
            match opens {
                true => self.proven = self.state.deposit,
                false => self.unproven = self.unproven.saturating_add(1),
            }
            self.shorts = 0;
        }
        self.gone = None;
        self.keep_others_above(self.state.cumulative);
    }

    /// Takes what was noted in the row since this was planned: of deposits, unless this request has made the
    /// one that is on its way, and of what is used.
    pub fn take_notes(&mut self, row: &Self, id: &str) {
        self.state.spent = self.state.spent.max(row.state.spent);
        self.charged = self.charged.max(row.charged);
        let is_own = self.pending.as_ref().is_some_and(|it| it.is_counted_by(id));
        if is_own {
            return;
        }
        self.state.deposit = row.state.deposit;
        self.pending.clone_from(&row.pending);
        (self.proven, self.unproven, self.shorts) = (row.proven, row.unproven, row.shorts);
        (self.gone, self.undone) = (row.gone, row.undone);
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

    /// Drops a deposit that has ended without arriving.
    pub fn let_go_of_late(&mut self, now: UnixTime) {
        if self.is_late(now) {
            self.pending = None;
        }
    }
}

/// Seconds in which no second channel is left at a payee's word that it closes it: each costs a
/// deposit, whose rest the payer has not seen to come back.
pub(super) const LEFT_SECS: u64 = 86_400;

/// Where a channel stays that a payee has closed at its own wish.
pub(super) fn left_key(key: &str) -> String {
    format!("{LEFT}{key}")
}

/// The beginning of the keys of such channels.
pub(super) const LEFT: &str = "left ";
