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
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use self::kept::{KeptChannel, PaidBy, PendingDeposit, Using};
use self::sign::Carried;
use self::terms::{ChannelTerms, ToldState};
use super::budget::{Budget, Draft};
use super::endpoints::host_of;
use super::error::{ClientError, Reason};
use super::offer::Offer;
use super::policy::Policy;
use super::prepare::checked;
use super::rejection::{Problem, Rejection};
use super::voucher::suggested_deposit;
use crate::amount::Amount;
use crate::channel::voucher::Voucher;
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::evm::eip712::TypedData;
use crate::http::Headers;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

pub use self::sign::DEPOSIT_COLLECTOR;
pub(super) use self::sign::{members, receive_authorization, typed_data};

mod answer;
mod kept;
mod listed;
mod sign;
mod terms;

pub use self::listed::{channels, forgotten};

/// Seconds for which a request may be signed before another one may use its channel.
const SIGN_SECS: u64 = 120;
/// Milliseconds after which a channel that is in use is looked at again.
const WAIT_MS: u64 = 25;
/// The longest delay of a withdrawal, seconds, if the payer names none.
const WITHDRAW_DELAY_SECS: u64 = 86_400;
/// How often a server may correct what the payer knows of a channel, within one request.
const MAX_CORRECTIONS: u8 = 2;

/// The caller's next step.
#[derive(Clone, Debug)]
pub enum ChannelNext {
    /// The server does not sell by channel, or not as this payer may buy, for this reason: pay
    /// otherwise.
    Once(Option<Box<ClientError>>),
    /// Change the record: [`ChannelPurchase::update`], then [`ChannelPurchase::updated`].
    Update,
    /// Wait so many milliseconds, then change the record.
    Wait(u64),
    /// Let these be signed, in this order: the deposit by the wallet, the voucher by its signer.
    Sign {
        /// Typed data of the deposit, if there is a new one.
        deposit: Option<Box<Value>>,
        /// Typed data of the voucher.
        voucher: Box<Value>,
    },
    /// Wait, then send the request with this value of `PAYMENT-SIGNATURE`.
    Send {
        /// Milliseconds.
        wait_ms: u64,
        /// The value.
        payment: String,
    },
    /// Return the answer to the caller, with what was charged if the server says so.
    Return(Option<Box<Value>>),
    /// Fail.
    Fail(Box<ClientError>),
}

/// What the request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelAim {
    /// The answer.
    Pay,
    /// The rest of the deposit, or this much of it, atomic units.
    Refund(Option<Amount>),
}

/// The payer's own rules for channels.
#[derive(Clone, Debug, Default)]
pub struct ChannelLimits {
    /// What to deposit, in whole tokens; otherwise what the server asks for, or a hundred requests.
    pub deposit: Option<String>,
    /// The most to deposit at once, in whole tokens; otherwise 1.
    pub max_deposit: Option<String>,
    /// The longest that a withdrawal may be delayed by, seconds; otherwise a day. What is sold with
    /// a longer one is paid for by itself.
    pub max_withdraw_delay_secs: Option<u64>,
}

impl ChannelLimits {
    /// What to deposit at once where `least` is needed, and the server would have `suggested`.
    ///
    /// # Errors
    /// [`Reason::InvalidPolicy`] for a limit that is no amount, [`Reason::PolicyAmount`] if more is
    /// needed than is allowed.
    pub(super) fn amount(
        &self,
        offer: &Offer,
        suggested: Option<Amount>,
        least: Amount,
    ) -> Result<Amount, ClientError> {
        let Offer { asset, amount, .. } = offer;
        let whole = |text: &str, name: &str| {
            let wrong =
                || error(Reason::InvalidPolicy, format!("{name} is not an amount in whole tokens"));
            Amount::from_decimal(text, asset.decimals).map_err(|_| wrong())
        };
        let wanted = match &self.deposit {
            Some(text) => Some(whole(text, "deposit")?),
            None => suggested_deposit(suggested, *amount),
        };
        let most = whole(self.max_deposit.as_deref().unwrap_or("1"), "maxDeposit")?;
        if least > most && !planted(Mutant::AnyDeposit) {
            let (least, most) = (least.to_decimal(asset.decimals), most.to_decimal(asset.decimals));
            let message = format!(
                "the server asks for a deposit of {least} {}, and maxDeposit is {most}",
                asset.symbol
            );
            return Err(error(Reason::PolicyAmount, message));
        }
        Ok(wanted.unwrap_or(least).min(most).max(least))
    }
}

/// Who pays by channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelPayer {
    /// The wallet that deposits.
    pub payer: Address,
    /// The key that signs vouchers; usually the wallet's.
    pub voucher_signer: Address,
    /// Tells apart channels that are otherwise the same.
    pub salt: [u8; 32],
}

/// A request that is paid by channel.
#[derive(Debug)]
pub struct ChannelPurchase {
    policy: Policy,
    limits: ChannelLimits,
    payer: ChannelPayer,
    aim: ChannelAim,
    host: String,
    endpoint: String,
    id: String,
    deposit_salt: [u8; 32],
    terms: Option<ChannelTerms>,
    planned: Option<Planned>,
    sending: Option<Sending>,
    corrections: u8,
    /// The highest voucher that was signed before this request.
    signed_before: Option<Amount>,
    /// Whether a deposit was signed in this request: there is no second one.
    has_deposited: bool,
    todo: Todo,
    next: Option<ChannelNext>,
}

/// The payment that is about to be signed, or was.
#[derive(Clone, Debug)]
struct Planned {
    channel: KeptChannel,
    voucher: Amount,
    signature: String,
    by: PaidBy,
}

/// A payment on its way.
#[derive(Clone, Debug)]
struct Sending {
    payment: String,
    sent: usize,
    until: UnixTime,
}

/// The next change of the record.
#[derive(Clone, Debug)]
enum Todo {
    Nothing,
    Plan,
    Keep,
    Note(PaymentFate),
}

/// What became of a payment.
#[derive(Clone, Debug)]
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
    /// It is over without an answer that counts.
    Over,
}

impl ChannelPurchase {
    /// Starts a request to `url`, which is absolute. `endpoint` is the requested method and URL,
    /// without the query; `random` gives its id and the salt of a deposit.
    #[must_use]
    pub fn new(
        policy: Policy,
        limits: ChannelLimits,
        payer: ChannelPayer,
        aim: ChannelAim,
        (url, endpoint): (&str, &str),
        random: [u8; 48],
    ) -> Self {
        let (salt, id) = random.split_at(32);
        Self {
            policy,
            limits,
            payer,
            aim,
            host: host_of(url),
            endpoint: endpoint.to_string(),
            id: hex::encode(id),
            deposit_salt: salt.try_into().unwrap_or([0; 32]),
            terms: None,
            planned: None,
            sending: None,
            corrections: 0,
            signed_before: None,
            has_deposited: false,
            todo: Todo::Nothing,
            next: None,
        }
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
        let mut budget = Budget::from_text(record)?;
        let changed = match self.todo.clone() {
            Todo::Nothing => false,
            Todo::Plan => self.plan(&mut budget, now)?,
            Todo::Keep => self.keep(&mut budget, now)?,
            Todo::Note(outcome) => self.note(&mut budget, &outcome, now)?,
        };
        Ok(changed.then(|| budget.to_text()))
    }

    /// The next step, once the record is changed.
    pub fn updated(&mut self) -> ChannelNext {
        let next = self.next.take();
        next.unwrap_or_else(|| fail(Reason::MalformedChallenge, "nothing was asked for"))
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
        let Some(mut channel) = read(&budget, &key)? else { return Ok(None) };
        if channel.using.as_ref().is_none_or(|using| using.id != self.id) {
            return Ok(None);
        }
        channel.using = None;
        if channel.pending.as_ref().is_some_and(|it| it.signature.is_empty() && it.id == self.id) {
            channel.pending = None;
            budget.release(&self.id);
        }
        let is_new = channel.signed.is_zero() && channel.deposit.is_zero();
        match is_new && channel.pending.is_none() {
            true => budget.let_go(&key),
            false => budget.keep(&key, &channel.to_text(), now)?,
        }
        Ok(Some(budget.to_text()))
    }

    /// Decides what pays, and counts it.
    fn plan(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let Some(terms) = self.terms.clone() else { return Ok(false) };
        self.policy.admit(now)?;
        budget.endpoints.admit(&self.endpoint)?;
        let signers = (self.payer.payer, self.payer.voucher_signer);
        let fresh = KeptChannel::new(&terms, signers, self.payer.salt, &self.host);
        let mut channel = read(budget, &fresh.key())?.unwrap_or(fresh);
        let overflow = || error(Reason::PolicyAmount, "the amounts leave what a voucher can say");
        let by = match self.aim {
            ChannelAim::Pay => channel.paid_by(terms.offer.amount, &self.id, now),
            ChannelAim::Refund(_) if channel.deposit.is_zero() => {
                return Err(error(Reason::TermsChanged, "no channel with this payee is known"));
            }
            ChannelAim::Refund(_) => match channel.paid_by(Amount::ZERO, &self.id, now) {
                Some(PaidBy::Wait) => Some(PaidBy::Wait),
                _ => Some(PaidBy::Voucher(channel.charged)),
            },
        };
        let by = by.ok_or_else(overflow)?;
        let voucher = match by {
            PaidBy::Wait => {
                self.next = Some(ChannelNext::Wait(WAIT_MS));
                return Ok(false);
            }
            PaidBy::Blocked => {
                let message = "a smaller deposit may still arrive; wait until it has ended";
                return Err(error(Reason::PaymentUnresolved, message));
            }
            PaidBy::Voucher(voucher) | PaidBy::SameDeposit(voucher) => voucher,
            PaidBy::NewDeposit(missing, voucher) => {
                let least = missing.max(terms.min_deposit.unwrap_or(Amount::ZERO));
                let amount = self.limits.amount(&terms.offer, terms.min_deposit, least)?;
                let draft = Draft { id: &self.id, host: &self.host, endpoint: &self.endpoint };
                if self.has_deposited && !planted(Mutant::DepositsRepeat) {
                    let message = "the server asks for a second deposit in one request";
                    return Err(error(Reason::ReceiptMismatch, message));
                }
                if !planted(Mutant::DepositsAreFree) {
                    budget.hold(&self.policy, &terms.offer, amount, draft, now)?;
                }
                channel.pending = Some(PendingDeposit {
                    amount,
                    salt: self.deposit_salt,
                    valid_before: now.plus(terms.offer.max_timeout_secs),
                    signature: String::new(),
                    id: self.id.clone(),
                });
                voucher
            }
        };
        if !channel.contract().escrow.fits(voucher) {
            return Err(overflow());
        }
        channel.using = Some(Using { id: self.id.clone(), until: now.plus(SIGN_SECS) });
        budget.keep(&channel.key(), &channel.to_text(), now)?;
        let deposit = match (by, &channel.pending) {
            (PaidBy::NewDeposit(..), Some(pending)) => {
                Some(Box::new(sign::deposit(&terms, &channel, pending)))
            }
            _ => None,
        };
        let typed_data = Box::new(sign::voucher(&channel, voucher));
        self.planned = Some(Planned { channel, voucher, signature: String::new(), by });
        self.next = Some(ChannelNext::Sign { deposit, voucher: typed_data });
        Ok(true)
    }

    /// Takes the signatures: of the deposit if there is a new one, and of the voucher.
    pub fn signed(&mut self, deposit: Option<&str>, voucher: &str) -> ChannelNext {
        match self.take_signatures(deposit, voucher) {
            Ok(()) => {
                self.todo = Todo::Keep;
                ChannelNext::Update
            }
            Err(error) => ChannelNext::Fail(Box::new(error)),
        }
    }

    fn take_signatures(&mut self, deposit: Option<&str>, voucher: &str) -> Result<(), ClientError> {
        let unasked = || error(Reason::WrongSignature, "no signature was asked for");
        let (Some(planned), Some(terms)) = (&mut self.planned, &self.terms) else {
            return Err(unasked());
        };
        let of = |typed_data: &Value| TypedData::from_json(typed_data).map(|it| it.digest());
        if let (PaidBy::NewDeposit(..), Some(pending)) = (planned.by, &planned.channel.pending) {
            let digest = of(&sign::deposit(terms, &planned.channel, pending));
            let digest = digest.map_err(|_| unasked())?;
            let signature = checked(deposit.unwrap_or_default(), &digest, &self.payer.payer)?;
            if let Some(pending) = &mut planned.channel.pending {
                pending.signature = signature;
            }
            self.has_deposited = true;
        }
        let digest = of(&sign::voucher(&planned.channel, planned.voucher));
        let digest = digest.map_err(|_| unasked())?;
        planned.signature = checked(voucher, &digest, &self.payer.voucher_signer)?;
        Ok(())
    }

    /// Keeps what was signed before it is sent.
    fn keep(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let (Some(planned), Some(terms)) = (&mut self.planned, &self.terms) else {
            return Ok(false);
        };
        let key = planned.channel.key();
        let Some(mut channel) = read(budget, &key)? else { return Ok(false) };
        if channel.using.as_ref().is_none_or(|using| using.id != self.id) {
            // Another request has used the channel meanwhile: its amounts are others.
            self.todo = Todo::Plan;
            self.next = Some(ChannelNext::Update);
            return Ok(false);
        }
        let until = now.plus(self.policy.deadline_secs);
        self.signed_before.get_or_insert(channel.signed);
        channel.signed = channel.signed.max(planned.voucher);
        channel.is_refunding |= matches!(self.aim, ChannelAim::Refund(_));
        channel.using = Some(Using { id: self.id.clone(), until });
        if let (PaidBy::NewDeposit(..), Some(pending)) = (planned.by, &planned.channel.pending) {
            channel.pending = Some(pending.clone());
        }
        budget.keep(&key, &channel.to_text(), now)?;
        planned.channel = channel;
        let carried = match (self.aim, planned.by, &planned.channel.pending) {
            (ChannelAim::Refund(amount), ..) => Carried::Refund(amount),
            (_, PaidBy::NewDeposit(..) | PaidBy::SameDeposit(_), Some(pending)) => {
                Carried::Deposit(pending)
            }
            _ => Carried::Voucher,
        };
        let shown = (planned.voucher, planned.signature.as_str());
        let payment = sign::header_value(terms, &planned.channel, shown, &carried);
        self.sending = Some(Sending { payment, sent: 0, until });
        self.next = Some(self.send(0));
        Ok(true)
    }

    fn send(&mut self, wait_ms: u64) -> ChannelNext {
        let Some(sending) = &mut self.sending else {
            return fail(Reason::MalformedChallenge, "nothing is signed");
        };
        sending.sent = sending.sent.saturating_add(1);
        ChannelNext::Send { wait_ms, payment: sending.payment.clone() }
    }

    /// Ends the request for a caller who gave up: another one may use the channel.
    pub fn abandoned(&mut self) {
        self.todo = Todo::Note(PaymentFate::Over);
        self.next = Some(fail(Reason::PaymentUnresolved, "the caller gave up"));
    }

    /// The pending payment, for a person or a hook: what is deposited, and what a request costs.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let (terms, planned) = (self.terms.as_ref()?, self.planned.as_ref()?);
        let offer = &terms.offer;
        let pending = planned.channel.pending.as_ref();
        let new = pending.filter(|_| matches!(planned.by, PaidBy::NewDeposit(..)));
        let whole = |amount: Amount| amount.to_decimal(offer.asset.decimals);
        Some(json!({
            "channel": planned.channel.id().to_string(),
            "deposit": new.map(|it| whole(it.amount)),
            "price": offer.price(),
            "symbol": offer.asset.symbol,
            "asset": offer.asset.address.to_checksum(),
            "network": offer.asset.network.as_str(),
            "testNetwork": !offer.asset.network.is_main_network(),
            "payTo": offer.pay_to.to_checksum(),
            "payer": self.payer.payer.to_checksum(),
            "host": self.host,
            "withdrawDelaySecs": terms.delay_secs,
            "description": offer.description,
            "serverSays": terms.error,
        }))
    }
}

/// The row of a channel; one that cannot be read is an error, never an empty one.
fn read(budget: &Budget, key: &str) -> Result<Option<KeptChannel>, ClientError> {
    let Some(text) = budget.kept(key) else { return Ok(None) };
    let row = crate::encoding::json::parse(text.as_bytes()).ok();
    match row.as_ref().and_then(KeptChannel::from_value) {
        Some(channel) => Ok(Some(channel)),
        None => Err(error(Reason::BudgetUnreadable, "the record of a channel cannot be read")),
    }
}

fn error(reason: Reason, message: impl Into<String>) -> ClientError {
    ClientError::new(reason, message)
}

fn fail(reason: Reason, message: &str) -> ChannelNext {
    ChannelNext::Fail(Box::new(error(reason, message)))
}
