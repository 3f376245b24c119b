//! One request of a client that pays by a session of MPP: a deposit once, and then a voucher for
//! each request, shown again as long as it has something left.
//!
//! The caller carries out each [`SessionNext`] and reports the result, in the order of
//! [`super::channel`]; two steps are its own: [`SessionNext::Ask`], after which
//! [`SessionPurchase::answered`] takes the answer to the plain request, because each credential
//! answers a fresh challenge; and [`SessionNext::Broadcast`], after which
//! [`SessionPurchase::broadcasted`] takes the hash. Which voucher comes next is decided in
//! [`super::voucher`]. Spec: OKX agent payments, "session machine"; draft-evm-session.
//! Assumptions:
//! - what was signed is kept before it is sent, and a deposit on its way is sent again, never made
//!   twice; one that the payer sends itself is kept before the caller is asked to send it;
//! - a deposit counts against the caps once, when it is about to be signed, whatever comes back;
//! - a voucher that the payee calls used up leads to one higher voucher in a request, and no more;
//! - a payee that says that the channel is gone gets no other deposit.

use alloc::boxed::Box;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use self::kept::{FundsProof, KeptSession, PendingFunds, SessionMove};
use self::sign::Act;
use self::terms::{ChallengedSession, Sender};
use super::budget::{Budget, Draft};
use super::challenge::Means;
use super::channel::{ChannelAim, ChannelLimits, ChannelPayer};
use super::endpoints::host_of;
use super::error::{ClientError, Reason};
use super::policy::Policy;
use super::prepare::checked;
use super::voucher::ChannelState;
use crate::amount::Amount;
use crate::encoding::hex;
use crate::evm::eip712::TypedData;
use crate::mutant::{Mutant, planted};
use crate::payment::TxHash;
use crate::time::UnixTime;

mod answer;
mod kept;
mod listed;
mod sign;
mod terms;

pub use self::listed::{forgotten, sessions};

/// Seconds for which a request may be signed before another one may use its session.
const SIGN_SECS: u64 = 120;
/// Milliseconds after which a session that is in use is looked at again.
const WAIT_MS: u64 = 25;
/// How often a request asks for a fresh challenge.
const MAX_ASKS: u8 = 5;

/// The caller's next step.
#[derive(Clone, Debug)]
pub enum SessionNext {
    /// The server sells by no session, or by none that this payer may buy, for this reason: pay
    /// otherwise.
    Once(Option<Box<ClientError>>),
    /// Change the record: [`SessionPurchase::update`], then [`SessionPurchase::updated`].
    Update,
    /// Wait so many milliseconds, then change the record.
    Wait(u64),
    /// Send the request as it is, without a payment.
    Ask,
    /// Let these be signed, in this order: a deposit by the wallet, a voucher by its signer.
    Sign {
        /// Typed data of the deposit, if one is to be signed.
        deposit: Option<Box<Value>>,
        /// Typed data of the voucher, if a higher one is needed.
        voucher: Option<Box<Value>>,
    },
    /// Send the transaction of [`SessionPurchase::proposal`].
    Broadcast,
    /// Wait, then send the request with this header.
    Send {
        /// Milliseconds.
        wait_ms: u64,
        /// The header's name.
        field: &'static str,
        /// Its value.
        credential: String,
    },
    /// Return the answer to the caller, with what is known of the payment.
    Return(Option<Box<Value>>),
    /// Fail.
    Fail(Box<ClientError>),
}

/// What the payer can do beside signing.
#[derive(Clone, Copy, Debug)]
pub struct SessionMeans {
    /// Whether the payer can send a transaction.
    pub broadcasts: bool,
    /// Whether `Authorization` is free to carry a payment.
    pub authorization_is_free: bool,
}

/// A request that is paid by session.
#[derive(Debug)]
pub struct SessionPurchase {
    policy: Policy,
    limits: ChannelLimits,
    payer: ChannelPayer,
    aim: ChannelAim,
    means: SessionMeans,
    host: String,
    endpoint: String,
    id: String,
    salt: [u8; 32],
    asked: Option<ChallengedSession>,
    planned: Option<Planned>,
    sending: Option<SentCredential>,
    asks: u8,
    /// Whether a voucher that the payee called used up was followed by another one.
    has_signed_on: bool,
    /// Whether a deposit was signed in this request: there is no second one.
    has_deposited: bool,
    /// Whether the caller was asked to send a transaction.
    has_broadcast: bool,
    /// Whether the payee asks for a voucher before it has said that the channel is open.
    tries_voucher: bool,
    todo: Todo,
    then: Option<(Todo, SessionNext)>,
    echo: Option<String>,
}

/// What is about to be sent.
#[derive(Clone, Debug)]
struct Planned {
    session: KeptSession,
    act: Act,
    sends_deposit: bool,
}

#[derive(Clone, Debug)]
struct SentCredential {
    credential: String,
    sent: usize,
    until: UnixTime,
}

/// The next change of the record.
#[derive(Clone, Debug)]
enum Todo {
    Nothing,
    Plan,
    Keep,
    Note(SessionFate),
}

/// What became of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SessionFate {
    /// The deposit has arrived.
    Funded,
    /// The request was served; what the payee says is used by now.
    Served(Option<Amount>),
    /// It was answered, and not charged.
    Free,
    /// The voucher is used up.
    Exhausted,
    /// The channel is closed.
    Closed,
    /// The payee knows no such channel, or another deposit.
    Gone,
    /// It is over without an answer that counts.
    Over,
}

impl SessionPurchase {
    /// Starts a request to `url`, which is absolute. `endpoint` is the requested method and URL,
    /// without the query; `random` gives the salt of a channel and the request's id.
    #[must_use]
    pub fn new(
        policy: Policy,
        limits: ChannelLimits,
        payer: ChannelPayer,
        (aim, means): (ChannelAim, SessionMeans),
        (url, endpoint): (&str, &str),
        random: [u8; 48],
    ) -> Self {
        let (salt, id) = random.split_at(32);
        Self {
            policy,
            limits,
            payer,
            aim,
            means,
            host: host_of(url),
            endpoint: endpoint.to_string(),
            id: hex::encode(id),
            salt: salt.try_into().unwrap_or([0; 32]),
            asked: None,
            planned: None,
            sending: None,
            asks: 0,
            has_signed_on: false,
            has_deposited: false,
            has_broadcast: false,
            tries_voucher: false,
            todo: Todo::Nothing,
            then: None,
            echo: None,
        }
    }

    fn means(&self, now: UnixTime) -> Means<'_> {
        let SessionMeans { broadcasts, authorization_is_free } = self.means;
        let (policy, host) = (&self.policy, self.host.as_str());
        Means { policy, host, now, broadcasts, authorization_is_free }
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
            Todo::Note(fate) => self.note(&mut budget, fate, now)?,
        };
        Ok(changed.then(|| budget.to_text()))
    }

    /// The next step, once the record is changed.
    pub fn updated(&mut self) -> SessionNext {
        match self.then.take() {
            Some((todo, next)) => {
                self.todo = todo;
                self.has_broadcast |= matches!(next, SessionNext::Broadcast);
                next
            }
            None => fail(Reason::MalformedChallenge, "nothing was asked for"),
        }
    }

    /// The line that tells people the state, once after each step that changes it.
    pub fn echo(&mut self) -> Option<String> {
        self.echo.take()
    }

    /// Takes the record's change back where nothing was signed or sent: the deposit counts no more.
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
        let key = planned.session.key();
        let Some(mut session) = read(&budget, &key)? else { return Ok(None) };
        if session.using.as_ref().is_none_or(|(id, _)| *id != self.id) {
            return Ok(None);
        }
        session.using = None;
        let is_unsent = session.pending.as_ref().is_some_and(|it| {
            let is_unsent = match it.proof {
                FundsProof::Unsigned => true,
                FundsProof::Sending => !self.has_broadcast,
                FundsProof::Signed(_) | FundsProof::Sent(_) => false,
            };
            is_unsent && it.id == self.id
        });
        if is_unsent {
            session.pending = None;
            budget.release(&self.id);
        }
        match session.is_opening() && session.pending.is_none() {
            true => budget.let_go(&key),
            false => budget.keep(&key, &session.to_text(), now)?,
        }
        Ok(Some(budget.to_text()))
    }

    /// Decides what pays, and counts it.
    fn plan(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let Some(asked) = self.asked.clone() else { return Ok(false) };
        self.policy.admit(now)?;
        budget.endpoints.admit(&self.endpoint)?;
        let signers = (self.payer.payer, self.payer.voucher_signer);
        let fresh = KeptSession::new(&asked, signers, (self.salt, self.payer.salt), &self.host);
        let mut session = read(budget, &fresh.key())?.unwrap_or_else(|| fresh.clone());
        if let ChannelAim::Refund(part) = self.aim {
            return self.plan_close(budget, session, part, now);
        }
        let price = (asked.terms.amount, asked.terms.min_delta);
        let seen = match self.tries_voucher {
            true => {
                let mut opened = session.clone();
                opened.funded();
                opened.paid_by(price, &self.id, now)
            }
            false => session.paid_by(price, &self.id, now),
        };
        let overflow = || error(Reason::PolicyAmount, "the amounts leave what a voucher can say");
        let by = seen.ok_or_else(overflow)?;
        let (act, sign) = match by {
            SessionMove::Wait => {
                self.then = Some((Todo::Plan, SessionNext::Wait(WAIT_MS)));
                return Ok(false);
            }
            SessionMove::Blocked => {
                let message = "an earlier deposit may still arrive; look at the chain, and wait until it has ended or forget the channel";
                return Err(error(Reason::PaymentUnresolved, message));
            }
            SessionMove::Reuse(amount) => (Act::Voucher(amount), None),
            SessionMove::Sign(amount) => (Act::Voucher(amount), Some(amount)),
            SessionMove::FundAgain => (funding(&session), None),
            SessionMove::Fund(least) => {
                let opening = session.is_opening();
                if opening {
                    // Of a channel that never was, only the parties stay.
                    session.parties = fresh.parties;
                    session.state = fresh.state;
                    session.signature = String::new();
                }
                self.fund(budget, &asked, &mut session, least, now)?;
                (funding(&session), opening.then_some(Amount::ZERO))
            }
        };
        if sign.is_some_and(|amount| !session.contract().escrow.fits(amount)) {
            return Err(overflow());
        }
        let until = now.plus(SIGN_SECS);
        session.using = Some((self.id.clone(), until));
        budget.keep(&session.key(), &session.to_text(), now)?;
        let funds = session.pending.as_ref().filter(|_| matches!(by, SessionMove::Fund(_)));
        let deposit = funds
            .filter(|_| asked.sender == Sender::Payee)
            .map(|it| Box::new(sign::deposit(&asked.offer.asset, &session, it, asked.dialect)));
        let voucher = sign.map(|amount| Box::new(sign::voucher(&session, amount)));
        let sends_deposit = funds.is_some();
        if let Some(amount) = sign {
            session.state.cumulative = amount;
        }
        let is_signed = deposit.is_none() && voucher.is_none();
        self.planned = Some(Planned { session, act, sends_deposit });
        if is_signed && !sends_deposit {
            return self.keep(budget, now);
        }
        let next = match is_signed {
            true => SessionNext::Broadcast,
            false => SessionNext::Sign { deposit, voucher },
        };
        self.then = Some((Todo::Nothing, next));
        Ok(true)
    }

    /// Counts a deposit, and puts it on its way.
    fn fund(
        &self,
        budget: &mut Budget,
        asked: &ChallengedSession,
        session: &mut KeptSession,
        least: Amount,
        now: UnixTime,
    ) -> Result<(), ClientError> {
        if self.has_deposited && !planted(Mutant::SessionDepositsRepeat) {
            let message = "the server asks for a second deposit in one request";
            return Err(error(Reason::ReceiptMismatch, message));
        }
        let amount = self.limits.amount(&asked.offer, asked.terms.suggested_deposit, least)?;
        let draft = Draft { id: &self.id, host: &self.host, endpoint: &self.endpoint };
        if !planted(Mutant::SessionDepositsAreFree) {
            budget.hold(&self.policy, &asked.offer, amount, draft, now)?;
        }
        session.pending = Some(PendingFunds {
            amount,
            salt: self.salt,
            valid_before: now.plus(asked.offer.max_timeout_secs),
            proof: match asked.sender {
                Sender::Payee => FundsProof::Unsigned,
                // What the caller is asked to send may arrive, whatever becomes of this process.
                Sender::Payer => FundsProof::Sending,
            },
            id: self.id.clone(),
        });
        Ok(())
    }

    fn plan_close(
        &mut self,
        budget: &mut Budget,
        mut session: KeptSession,
        part: Option<Amount>,
        now: UnixTime,
    ) -> Result<bool, ClientError> {
        if session.is_used(&self.id, now) {
            self.then = Some((Todo::Plan, SessionNext::Wait(WAIT_MS)));
            return Ok(false);
        }
        if part.is_some() {
            let message = "a session is closed, and all of its rest comes back: ask for no amount";
            return Err(error(Reason::TermsChanged, message));
        }
        if session.is_opening() || session.signature.is_empty() {
            return Err(error(Reason::TermsChanged, "no session with this payee is known"));
        }
        if session.pending.is_some() && !session.let_go_of_late(now) {
            let message = "a deposit may still arrive; wait until it has, or has ended";
            return Err(error(Reason::PaymentUnresolved, message));
        }
        session.using = Some((self.id.clone(), now.plus(SIGN_SECS)));
        budget.keep(&session.key(), &session.to_text(), now)?;
        self.tell(&session);
        self.planned = Some(Planned { session, act: Act::Close, sends_deposit: false });
        self.keep(budget, now)
    }

    fn tell(&mut self, session: &KeptSession) {
        self.echo = self.asked.as_ref().map(|asked| session.echo(&asked.offer.asset));
    }

    /// Takes the signatures: of the deposit if there is one to sign, and of the voucher.
    pub fn signed(&mut self, deposit: Option<&str>, voucher: Option<&str>) -> SessionNext {
        match self.take_signatures(deposit, voucher) {
            Ok(true) => {
                self.has_broadcast = true;
                SessionNext::Broadcast
            }
            Ok(false) => self.keeps(),
            Err(error) => SessionNext::Fail(Box::new(error)),
        }
    }

    fn keeps(&mut self) -> SessionNext {
        self.todo = Todo::Keep;
        SessionNext::Update
    }

    /// Whether the payer still has to send a transaction.
    fn take_signatures(
        &mut self,
        deposit: Option<&str>,
        voucher: Option<&str>,
    ) -> Result<bool, ClientError> {
        let unasked = || error(Reason::WrongSignature, "no signature was asked for");
        let (Some(planned), Some(asked)) = (&mut self.planned, &self.asked) else {
            return Err(unasked());
        };
        let of = |typed_data: &Value| match TypedData::from_json(typed_data) {
            Ok(data) => Ok(data.digest()),
            Err(_) => Err(unasked()),
        };
        let Planned { session, act, sends_deposit } = planned;
        let is_unsigned = |it: &&PendingFunds| it.proof == FundsProof::Unsigned;
        if let Some(funds) = session.pending.as_ref().filter(is_unsigned) {
            let typed_data = sign::deposit(&asked.offer.asset, session, funds, asked.dialect);
            let payer = session.parties.payer;
            let signature = checked(deposit.unwrap_or_default(), &of(&typed_data)?, &payer)?;
            if let Some(funds) = &mut session.pending {
                funds.proof = FundsProof::Signed(signature);
            }
            self.has_deposited = true;
        }
        let amount = match act {
            Act::Open | Act::Voucher(_) => Some(session.state.cumulative),
            Act::TopUp | Act::Close => None,
        };
        if let Some(amount) = amount {
            let digest = of(&sign::voucher(session, amount))?;
            let signer = session.parties.signer();
            session.signature = checked(voucher.unwrap_or_default(), &digest, &signer)?;
        }
        Ok(*sends_deposit && asked.sender == Sender::Payer)
    }

    /// Takes the payer's word that no transaction was sent; then [`SessionPurchase::release`].
    pub const fn unsent(&mut self) {
        self.has_broadcast = false;
    }

    /// Takes the hash of the transaction that the caller has sent.
    pub fn broadcasted(&mut self, hash: &str) -> SessionNext {
        let sent = TxHash::parse(hash);
        let funds = self.planned.as_mut().and_then(|it| it.session.pending.as_mut());
        match (sent, funds) {
            (Some(sent), Some(funds)) => {
                funds.proof = FundsProof::Sent(sent.to_bytes());
                self.has_deposited = true;
                self.keeps()
            }
            _ => {
                let message = "expected a transaction hash: 0x and exactly 64 hex digits";
                fail(Reason::WrongTransaction, message)
            }
        }
    }

    /// Keeps what was signed before it is sent.
    fn keep(&mut self, budget: &mut Budget, now: UnixTime) -> Result<bool, ClientError> {
        let (Some(planned), Some(asked)) = (&mut self.planned, &self.asked) else {
            return Ok(false);
        };
        let key = planned.session.key();
        let Some(row) = read(budget, &key)? else { return Ok(false) };
        let uses = row.using.as_ref().is_some_and(|(id, _)| *id == self.id);
        let funds = row.pending.as_ref().is_some_and(|it| it.id == self.id);
        if !uses && !funds {
            // Another request has used the session meanwhile: its amounts are others.
            self.then = Some((Todo::Plan, SessionNext::Update));
            return Ok(false);
        }
        let until = now.plus(self.policy.deadline_secs);
        planned.session.using = Some((self.id.clone(), until));
        budget.keep(&key, &planned.session.to_text(), now)?;
        let credential = sign::credential(asked, &planned.session, planned.act);
        self.sending = Some(SentCredential { credential, sent: 0, until });
        let send = self.send(0);
        self.then = Some((Todo::Nothing, send));
        Ok(true)
    }

    fn send(&mut self, wait_ms: u64) -> SessionNext {
        let (Some(sending), Some(asked)) = (&mut self.sending, &self.asked) else {
            return fail(Reason::MalformedChallenge, "nothing is signed");
        };
        sending.sent = sending.sent.saturating_add(1);
        let credential = sending.credential.clone();
        SessionNext::Send { wait_ms, field: asked.field(), credential }
    }

    /// Ends the request for a caller who gave up: another one may use the session.
    pub fn abandoned(&mut self) {
        self.over(Reason::PaymentUnresolved, "the caller gave up");
    }

    /// The pending payment, for a person or a hook: what is deposited and what a unit costs, and
    /// the calls of a payer who sends the deposit.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let (asked, Planned { session, sends_deposit, .. }) =
            (self.asked.as_ref()?, self.planned.as_ref()?);
        let offer = &asked.offer;
        let funds = session.pending.as_ref().filter(|_| *sends_deposit);
        let whole = |amount: Amount| amount.to_decimal(offer.asset.decimals);
        let calls = funds.filter(|_| asked.sender == Sender::Payer);
        Some(json!({
            "channel": session.id().to_string(),
            "deposit": funds.map(|it| whole(it.amount)),
            "price": offer.price(),
            "unit": asked.unit(),
            "symbol": offer.asset.symbol,
            "asset": offer.asset.address.to_checksum(),
            "network": offer.asset.network.as_str(),
            "testNetwork": !offer.asset.network.is_main_network(),
            "payTo": offer.pay_to.to_checksum(),
            "payer": self.payer.payer.to_checksum(),
            "host": self.host,
            "withdrawDelaySecs": Value::Null,
            "description": offer.description,
            "serverSays": "",
            "escrow": session.escrow.to_checksum(),
            "calls": calls.map(|it| sign::calls(session, it)),
        }))
    }
}

/// What sends the deposit that is on its way.
fn funding(session: &KeptSession) -> Act {
    if session.is_opening() { Act::Open } else { Act::TopUp }
}

/// The row of a session; one that cannot be read is an error, never an empty one.
fn read(budget: &Budget, key: &str) -> Result<Option<KeptSession>, ClientError> {
    let Some(text) = budget.kept(key) else { return Ok(None) };
    let row = crate::encoding::json::parse(text.as_bytes()).ok();
    match row.as_ref().and_then(KeptSession::from_value) {
        Some(session) => Ok(Some(session)),
        None => Err(error(Reason::BudgetUnreadable, "the record of a session cannot be read")),
    }
}

fn error(reason: Reason, message: impl Into<String>) -> ClientError {
    ClientError::new(reason, message)
}

fn fail(reason: Reason, message: &str) -> SessionNext {
    SessionNext::Fail(Box::new(error(reason, message)))
}
