//! One request of a client that pays by channel: a deposit once, and then a voucher for each
//! request, without a transaction.
//!
//! The caller carries out each [`ChannelNext`] and reports the result. Order of calls:
//! [`ChannelPurchase::answered`] with the answer to the plain request; on [`ChannelNext::Update`]
//! [`ChannelPurchase::update`] within one exchange of the store, then
//! [`ChannelPurchase::updated`]; on [`ChannelNext::Sign`] the wallets, then
//! [`ChannelPurchase::signed`]; then requests with the header of [`ChannelNext::Send`], each followed
//! by [`ChannelPurchase::answered`] or [`ChannelPurchase::lost`], until [`ChannelNext::Return`] or
//! [`ChannelNext::Fail`]. What is kept of a channel is in the record of the budget (`kept`), so that
//! caps, deposits and vouchers change together. Spec: x402 `batch-settlement` on EVM.
//! Assumptions:
//! - what was signed is kept before it is sent, and what is sent again is the same voucher;
//! - a deposit counts against the caps once, when it is about to be signed, whatever comes back;
//! - a channel pays for one request at a time, also of several processes with one store;
//! - the payee's word about what was charged is taken up to the highest voucher that was signed, and
//!   its word that less is deposited than was paid in is no reason for another deposit.

use alloc::boxed::Box;
use alloc::string::String;

use serde_json::{Value, json};

use self::course::{Course, Todo, fail, proven, unasked};
use self::kept::{KeptChannel, PaidBy, PendingDeposit};
use self::room::make_room;
use self::row::{read, rows};
use self::sign::Carried;
use self::terms::{ChannelTerms, ToldState};
use super::budget::Budget;
use super::error::{ClientError, Reason};
use super::policy::Policy;
use super::rejection::{Problem, Rejection};
use farebox_base::amount::Amount;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_channel::voucher::Voucher;

pub use self::course::{ChannelAim, ChannelNext, ChannelPayer, ChannelUse};
pub use self::limits::ChannelLimits;
pub use self::listed::{channels, forgotten};
pub use self::own::LeftVoucher;
pub use self::sign::DEPOSIT_COLLECTOR;
pub(super) use self::sign::{members, receive_authorization, typed_data};

mod answer;
mod before;
pub(super) mod course;
mod kept;
mod limits;
mod listed;
pub(super) mod own;
mod room;
pub(super) mod row;
mod sign;
mod terms;

/// The header of a payment.
const FIELD: &str = "PAYMENT-SIGNATURE";
/// How often a server may correct what the payer knows of a channel, within one request.
const MAX_CORRECTIONS: u8 = 2;

/// Seconds in which one channel is opened beside one that has a rest.
const BESIDE_SECS: u64 = 86_400;

/// A request that is paid by channel.
#[derive(Debug)]
pub struct ChannelPurchase {
    course: Course<PaymentFate>,
    terms: Option<ChannelTerms>,
    planned: Option<Planned>,
    corrections: u8,
    /// The highest voucher that was signed before this request.
    signed_before: Option<Amount>,
    /// The voucher that has left for the same purchase before.
    left: Option<LeftVoucher>,
    /// Whether a voucher was sent whose answer did not come: it may have been charged.
    in_doubt: bool,
}

/// The payment that is about to be signed, or was.
#[derive(Clone, Debug)]
struct Planned {
    channel: KeptChannel,
    voucher: Amount,
    signature: String,
    by: PaidBy,
}

/// The fate of a payment.
#[derive(Clone, Debug, Default)]
enum PaymentFate {
    /// It was answered: what was charged so far and what is deposited, if the server says so, and
    /// whether a deposit has arrived with it.
    Charged(Option<Amount>, Option<Amount>, bool),
    /// It was answered, and not charged.
    Free,
    /// So much of the rest was paid back.
    Refunded(Amount),
    /// The server has another state of the channel.
    Told(ToldState),
    /// It was refused without a word of the channel: a deposit that has ended has not arrived.
    Refused,
    /// It is over without an answer that counts.
    #[default]
    Over,
}

impl ChannelPurchase {
    /// Starts a request.
    #[must_use]
    pub fn new(
        policy: Policy,
        limits: ChannelLimits,
        payer: ChannelPayer,
        aim: ChannelAim,
        request: ChannelUse<'_>,
    ) -> Self {
        let course = Course::new(policy, limits, payer, aim, request);
        Self {
            course,
            terms: None,
            planned: None,
            corrections: 0,
            signed_before: None,
            left: None,
            in_doubt: false,
        }
    }

    /// The same for a purchase for which this voucher has left before: it shows no higher one, unless
    /// the payee says that it was not charged.
    #[must_use]
    pub fn showing(mut self, left: Option<LeftVoucher>) -> Self {
        self.signed_before = left.map(|it| it.before);
        self.left = left;
        self
    }

    /// The voucher that is about to leave.
    #[must_use]
    pub fn leaving(&self) -> Option<(LeftVoucher, bool)> {
        let planned = self.planned.as_ref()?;
        let before = self.signed_before.unwrap_or(planned.channel.signed);
        let channel = planned.channel.id();
        Some((LeftVoucher { channel, amount: planned.voucher, before }, true))
    }

    /// The changed record; `None` if it stays as it is. A caller that cannot replace `record`,
    /// because another writer did meanwhile, calls again with the newer one.
    ///
    /// # Errors
    /// The reason why no payment may be made; the record stays as it is.
    pub fn update(
        &mut self,
        record: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<String>, ClientError> {
        let (mut budget, todo) = self.course.begin(record)?;
        let changed = match todo {
            Todo::Nothing => false,
            Todo::Plan => self.plan(&mut budget, now)?,
            Todo::Keep => self.keep(&mut budget, now)?,
            Todo::Note(outcome) => self.note(&mut budget, &outcome, now)?,
        };
        Ok(changed.then(|| budget.to_text()))
    }

    /// The next step, once the record is changed.
    pub fn updated(&mut self) -> ChannelNext {
        self.course.updated()
    }

    /// Takes the record's change back where nothing was signed: the deposit counts no more.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn release(
        &self,
        record: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<String>, ClientError> {
        let mut budget = Budget::from_text(record)?;
        let Some(planned) = &self.planned else { return Ok(None) };
        let key = planned.channel.key();
        let row = read::<KeptChannel>(&budget, &key)?;
        let uses = row.as_ref().is_some_and(|it| self.course.uses(it.using.as_ref()));
        let is_unsigned =
            |it: &mut PendingDeposit| it.signature.is_empty() && it.id == self.course.id;
        // What is not signed counts no more, whoever uses the channel by now.
        let counts = planned.channel.pending.clone().take_if(is_unsigned).is_some();
        if !uses && !counts {
            return Ok(None);
        }
        if counts {
            budget.release(&self.course.id);
        }
        let Some(mut channel) = row else { return Ok(Some(budget.to_text())) };
        if uses {
            channel.using = None;
        }
        channel.pending.take_if(is_unsigned);
        let is_new = channel.signed.is_zero() && channel.deposit.is_zero();
        match is_new && channel.pending.is_none() && channel.using.is_none() {
            true => {
                budget.sent.let_go(&key);
                budget.sent.let_go(&channel.beside_key());
            }
            false => budget.sent.keep(&key, &channel.to_text(), now)?,
        }
        Ok(Some(budget.to_text()))
    }

    /// Decides what pays, and counts it.
    fn plan(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let Some(terms) = self.terms.clone() else { return Ok(false) };
        self.course.admit(budget, now)?;
        let fresh = KeptChannel::new(&terms, self.course.payer, &self.course.host);
        let (terms, mut channel) = match self.course.aim {
            ChannelAim::Pay => (terms, read(budget, &fresh.key())?.unwrap_or(fresh)),
            ChannelAim::Refund(_) => match &self.planned {
                // One refund asks for one channel: what is known of its vouchers is not of another one.
                Some(begun) => {
                    let kept = read(budget, &begun.channel.key())?;
                    let begun: KeptChannel = kept.unwrap_or_else(|| begun.channel.clone());
                    (terms.signed_by(begun.config.receiver_authorizer), begun)
                }
                _ => before::asked_back(budget, terms, fresh, now)?,
            },
        };
        self.terms = Some(terms.clone());
        let overflow = || error(Reason::PolicyAmount, "the amounts leave what a voucher can say");
        let by = match self.course.aim {
            ChannelAim::Pay => match self.left {
                Some(left) if left.channel != channel.id() => {
                    return Err(error(Reason::PaymentUnresolved, own::OTHER_CHANNEL));
                }
                Some(left) if self.corrections == 0 => {
                    channel.shows(left.amount, &self.course.id, now)
                }
                _ => channel.paid_by(terms.offer.amount, &self.course.id, now),
            },
            ChannelAim::Refund(_) if channel.deposit.is_zero() && !channel.has_late(now) => {
                return Err(match &channel.pending {
                    Some(it) if !it.signature.is_empty() => error(
                        Reason::PaymentUnresolved,
                        "a deposit may still arrive; ask for it back once it has ended",
                    ),
                    _ => error(Reason::TermsChanged, "no channel with this payee is known"),
                });
            }
            ChannelAim::Refund(_) => match channel.paid_by(Amount::ZERO, &self.course.id, now) {
                Some(PaidBy::Wait) => Some(PaidBy::Wait),
                _ => Some(PaidBy::Voucher(channel.charged)),
            },
        };
        let by = by.ok_or_else(overflow)?;
        let voucher = match by {
            PaidBy::Wait => {
                self.course.wait();
                return Ok(false);
            }
            PaidBy::Blocked => {
                let message = "a smaller deposit may still arrive; wait until it has ended";
                return Err(error(Reason::PaymentUnresolved, message));
            }
            PaidBy::Voucher(voucher) | PaidBy::SameDeposit(voucher) => voucher,
            PaidBy::NewDeposit(missing, voucher) => {
                Self::admit_another(budget, &channel, now)?;
                make_room(budget)?;
                let least = missing.max(terms.min_deposit.unwrap_or(Amount::ZERO));
                let suggested = terms.min_deposit;
                let amount = self.course.hold(budget, &terms.offer, suggested, least, now)?;
                channel.pending = Some(PendingDeposit {
                    amount,
                    salt: self.course.salt,
                    valid_before: now.plus(terms.offer.max_timeout_secs),
                    signature: String::new(),
                    id: self.course.id.clone(),
                });
                voucher
            }
        };
        if !channel.contract().escrow.fits(voucher) {
            return Err(overflow());
        }
        channel.using = Some(self.course.signs(now));
        budget.sent.keep(&channel.key(), &channel.to_text(), now)?;
        let deposit = match (by, &channel.pending) {
            (PaidBy::NewDeposit(..), Some(pending)) => {
                Some(Box::new(sign::deposit(&terms, &channel, pending)))
            }
            _ => None,
        };
        let typed_data = Some(Box::new(sign::voucher(&channel, voucher)));
        self.planned = Some(Planned { channel, voucher, signature: String::new(), by });
        self.course.decide(Todo::Nothing, ChannelNext::Sign { deposit, voucher: typed_data });
        Ok(true)
    }

    /// Whether a channel may be opened beside those that this host's payee has: one in a day. A seller
    /// that names another one with each request would have a whole deposit locked in each.
    fn admit_another(
        budget: &mut Budget,
        channel: &KeptChannel,
        now: UnixTime,
    ) -> Result<(), ClientError> {
        if !channel.deposit.is_zero() {
            return Ok(());
        }
        let mut has_rest = false;
        for other in rows::<KeptChannel>(budget) {
            let other = other?;
            // Also one that was asked back, which its payee may never answer, or is below the price.
            let holds = other.has_rest(now) || other.pending.is_some();
            has_rest |= holds && other.is_beside(channel);
        }
        if !has_rest {
            return Ok(());
        }
        let (key, text) = (channel.beside_key(), channel.beside_text(false));
        // One that was begun and not signed is begun again.
        let is_other = budget.sent.kept(&key) != Some(text.as_str());
        if is_other && budget.sent.kept_at(&key).is_some_and(|at| now < at.plus(BESIDE_SECS)) {
            let message = "the server names another channel with each request: take back what is left in those before, or forget them";
            return Err(error(Reason::TermsChanged, message));
        }
        budget.sent.keep(&key, &text, now)
    }

    /// Takes the signatures: of the deposit if there is a new one, and of the voucher.
    pub fn signed(&mut self, deposit: Option<&str>, voucher: Option<&str>) -> ChannelNext {
        match self.take_signatures(deposit, voucher) {
            Ok(()) => self.course.change(Todo::Keep),
            Err(error) => ChannelNext::Fail(Box::new(error)),
        }
    }

    fn take_signatures(
        &mut self,
        deposit: Option<&str>,
        voucher: Option<&str>,
    ) -> Result<(), ClientError> {
        let (Some(planned), Some(terms)) = (&mut self.planned, &self.terms) else {
            return Err(unasked());
        };
        let ChannelPayer { payer, voucher_signer, .. } = self.course.payer;
        if let (PaidBy::NewDeposit(..), Some(pending)) = (planned.by, &planned.channel.pending) {
            let typed_data = sign::deposit(terms, &planned.channel, pending);
            let signature = proven(&typed_data, deposit, &payer)?;
            if let Some(pending) = &mut planned.channel.pending {
                pending.signature = signature;
            }
        }
        let typed_data = sign::voucher(&planned.channel, planned.voucher);
        planned.signature = proven(&typed_data, voucher, &voucher_signer)?;
        Ok(())
    }

    /// Keeps what was signed before it is sent.
    fn keep(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let (Some(planned), Some(terms)) = (&mut self.planned, &self.terms) else {
            return Ok(false);
        };
        let key = planned.channel.key();
        let Some(mut channel) = read::<KeptChannel>(budget, &key)? else { return Ok(false) };
        if !self.course.uses(channel.using.as_ref()) {
            // Another request has used the channel meanwhile: its amounts are others.
            self.course.decide(Todo::Plan, ChannelNext::Update);
            return Ok(false);
        }
        let using = self.course.sends(now);
        let until = using.until;
        self.signed_before.get_or_insert(channel.signed);
        if let Some(left) = &mut self.left {
            left.amount = left.amount.min(planned.voucher);
        }
        channel.signed = channel.signed.max(planned.voucher);
        channel.is_refunding |= matches!(self.course.aim, ChannelAim::Refund(_));
        channel.using = Some(using);
        if let (PaidBy::NewDeposit(..), Some(pending)) = (planned.by, &planned.channel.pending) {
            channel.pending = Some(pending.clone());
            self.course.has_deposited = true;
            let (beside, begun) = (channel.beside_key(), channel.beside_text(false));
            let is_beside = budget.sent.kept(&beside) == Some(begun.as_str());
            if is_beside {
                budget.sent.keep(&beside, &channel.beside_text(true), now)?;
            }
        }
        budget.sent.keep(&key, &channel.to_text(), now)?;
        planned.channel = channel;
        let carried = match (self.course.aim, planned.by, &planned.channel.pending) {
            (ChannelAim::Refund(amount), ..) => Carried::Refund(amount),
            (_, PaidBy::NewDeposit(..) | PaidBy::SameDeposit(_), Some(pending)) => {
                Carried::Deposit(pending)
            }
            _ => Carried::Voucher,
        };
        let Planned { channel, voucher, signature, .. } = &*planned;
        let payment = sign::header_value(terms, channel, *voucher, signature, &carried);
        self.course.dispatch(FIELD, payment, until);
        Ok(true)
    }

    /// Ends the request for a caller who gave up: another one may use the channel.
    pub fn abandoned(&mut self) {
        self.course.over(Reason::PaymentUnresolved, "the caller gave up");
    }

    /// The pending payment, for a person or a hook: what is deposited, and what a request costs.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let (terms, planned) = (self.terms.as_ref()?, self.planned.as_ref()?);
        let offer = &terms.offer;
        let pending = planned.channel.pending.as_ref();
        let new = pending.filter(|_| matches!(planned.by, PaidBy::NewDeposit(..)));
        let id = planned.channel.id();
        let more = json!({"withdrawDelaySecs": terms.delay_secs, "serverSays": terms.error});
        Some(self.course.proposal(offer, id, new.map(|it| it.amount), more))
    }
}

fn error(reason: Reason, message: impl Into<String>) -> ClientError {
    ClientError::new(reason, message)
}
