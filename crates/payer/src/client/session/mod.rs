//! One request of a client that pays by a session of MPP: a deposit once, and then a voucher for
//! each request, shown again as long as it has something left.
//!
//! The caller carries out each [`ChannelNext`] and reports the result, in the order of
//! [`super::channel`]; two steps are its own: [`ChannelNext::Ask`], after which
//! [`SessionPurchase::answered`] takes the answer to the plain request, because each credential
//! answers a fresh challenge; and [`ChannelNext::Broadcast`], after which
//! [`SessionPurchase::broadcasted`] takes the hash. Which voucher comes next is decided in
//! [`super::voucher`]. Spec: OKX agent payments, "session machine"; draft-evm-session.
//! Assumptions:
//! - what was signed is kept before it is sent, and a deposit on its way is sent again, never made
//!   twice; one that the payer sends itself is kept before the caller is asked to send it;
//! - a deposit counts against the caps once, when it is about to be signed, whatever comes back;
//! - a voucher that the payee calls used up leads to one higher voucher in a request, and no more;
//! - a payee that says that the channel is gone gets no other deposit.

use alloc::boxed::Box;
use alloc::string::String;

use serde_json::{Value, json};

use self::kept::{Deposit, FundsProof, KeptSession, PendingFunds};
use self::sign::Act;
use self::terms::{ChallengedSession, Sender};
use super::budget::Budget;
use super::challenge::Means;
use super::channel::course::{Course, Todo, fail, proven, unasked};
use super::channel::row::read;
use super::channel::{
    ChannelAim, ChannelLimits, ChannelNext, ChannelPayer, ChannelUse, LeftVoucher,
};
use super::error::{ClientError, Reason};
use super::policy::Policy;
use super::voucher::ChannelState;
use farebox_base::amount::Amount;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_wire::mpp::session::UnitType;

mod answer;
mod keep;
mod kept;
mod listed;
mod note;
mod plan;
mod row;
mod shown;
mod sign;
mod stream;
mod terms;

pub use self::listed::{forgotten, sessions};
pub use self::stream::{ReceivedStream, StreamRaise, noted};

/// How often a request asks for a fresh challenge.
const MAX_ASKS: u8 = 5;

/// The payer's means beside signing.
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
    course: Course<SessionFate>,
    means: SessionMeans,
    asked: Option<ChallengedSession>,
    planned: Option<Planned>,
    asks: u8,
    /// Whether a voucher that the payee called used up was followed by another one.
    has_signed_on: bool,
    /// Whether the payee has called the voucher used up, and no other one is kept yet.
    is_used_up: bool,
    /// Whether another voucher is shown because one was refused.
    has_turned: bool,
    /// The voucher that the payee called lower than another one, before it was shown a higher one.
    called_below: Option<Amount>,
    /// Whether the caller was asked to send a transaction.
    has_broadcast: bool,
    /// Whether the hash of what was sent is not in the record yet.
    brings_hash: bool,
    /// Whether the payee asks for a voucher before it has said that the channel is open.
    tries_voucher: bool,
    /// Whether the payee closes the channel, so that another one is opened.
    leaves: bool,
    echo: Option<String>,
    /// The raise that a stream asks for, if this is the voucher for it and no request.
    raise: Option<StreamRaise>,
    /// The voucher that has left for the same purchase before, in this request or another one, and may have
    /// been charged for it.
    left: Option<LeftVoucher>,
}

/// The credential that is about to be sent.
#[derive(Clone, Debug)]
struct Planned {
    session: KeptSession,
    /// The highest voucher before this one.
    before: Amount,
    act: Act,
    /// The deposit that is to be signed first.
    unsigned: Option<Deposit>,
    sends_deposit: bool,
}

/// The part of a voucher that is used once a request was served.
#[derive(Clone, Copy, Debug)]
struct Used {
    spent: Amount,
    /// As much of it as was surely charged.
    charged: Amount,
    /// Whether the payee says so.
    is_told: bool,
}

/// The fate of a credential that was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SessionFate {
    /// The deposit has arrived.
    Funded,
    /// The request was served; what the payee says is used by now.
    Served(Option<Amount>),
    /// It was answered, and not charged.
    Free,
    /// The voucher is used up, and another one follows it.
    Exhausted,
    /// The voucher was refused twice without a word: it may be used up, and another one follows it.
    Doubted,
    /// The voucher is the one that the payee holds, and is used up.
    Held,
    /// The channel is closed.
    Closed,
    /// The payee says so, who wanted no vouchers of it any more: it stays listed.
    Left,
    /// The payee knows no such channel.
    Gone,
    /// The payee calls its deposit too small.
    Short,
    /// The payee has refused the voucher.
    Refused,
    /// The payee has refused the voucher, and may hold a higher one.
    Below,
    /// It is over without an answer that counts.
    #[default]
    Over,
}

impl SessionPurchase {
    /// Starts a request.
    #[must_use]
    pub fn new(
        policy: Policy,
        limits: ChannelLimits,
        payer: ChannelPayer,
        aim: ChannelAim,
        means: SessionMeans,
        request: ChannelUse<'_>,
    ) -> Self {
        Self {
            course: Course::new(policy, limits, payer, aim, request),
            means,
            asked: None,
            planned: None,
            asks: 0,
            has_signed_on: false,
            is_used_up: false,
            has_turned: false,
            called_below: None,
            has_broadcast: false,
            brings_hash: false,
            tries_voucher: false,
            leaves: false,
            echo: None,
            raise: None,
            left: None,
        }
    }

    /// The same for a purchase for which this voucher has left before: it shows no other one.
    #[must_use]
    pub fn showing(mut self, left: Option<LeftVoucher>) -> Self {
        self.left = left;
        self
    }

    /// The voucher that is about to leave, and whether it pays for this request alone.
    #[must_use]
    pub fn leaving(&self) -> Option<(LeftVoucher, bool)> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let Act::Voucher(amount) = planned.act else { return None };
        let before = self.left.map_or(planned.session.surely_charged(), |left| left.before);
        let voucher = LeftVoucher { channel: planned.session.id(), amount, before };
        Some((voucher, voucher.is_used_up_by(asked.price())))
    }

    /// The same for a voucher alone, for a stream that goes on with it.
    #[must_use]
    pub const fn raising(mut self, raise: Option<StreamRaise>) -> Self {
        self.raise = raise;
        self
    }

    /// Whether that a voucher is used up cannot be: it was signed just now, for a stream.
    fn is_fresh_of_stream(&self) -> bool {
        let (Some(planned), Some(asked)) = (&self.planned, &self.asked) else { return false };
        let flows = asked.terms.unit != UnitType::Request || self.raise.is_some();
        flows && planned.before != planned.session.state.cumulative
    }

    /// The stream that an answer with this head is, if what is sold flows; its request was sent then.
    #[must_use]
    pub fn stream(&self, headers: &Headers, sent_ms: u64) -> Option<ReceivedStream> {
        let (planned, asked) = (self.planned.as_ref()?, self.asked.as_ref()?);
        let is_paid = matches!(planned.act, Act::Voucher(_)) && self.raise.is_none();
        let stream = || ReceivedStream::of(planned.session.id(), &asked.terms, headers, sent_ms);
        is_paid.then(stream).flatten()
    }

    fn means(&self, now: UnixTime) -> Means<'_> {
        let SessionMeans { broadcasts, authorization_is_free } = self.means;
        let (policy, host) = (&self.course.policy, self.course.host.as_str());
        Means { policy, host, url: None, now, broadcasts, authorization_is_free, pins_realms: true }
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
            Todo::Plan => match self.plan(&mut budget, now) {
                Ok(changed) => changed,
                // What was paid before this is over, and the next request may use the session.
                Err(error) if self.planned.is_some() => {
                    budget = Budget::from_text(record)?;
                    self.course.decide(Todo::Nothing, ChannelNext::Fail(Box::new(error)));
                    self.note(&mut budget, SessionFate::Over, now)?
                }
                Err(error) => return Err(error),
            },
            Todo::Keep => self.keep(&mut budget, now)?,
            Todo::Note(fate) => self.note(&mut budget, fate, now)?,
        };
        Ok(changed.then(|| budget.to_text()))
    }

    /// The next step, once the record is changed.
    pub fn updated(&mut self) -> ChannelNext {
        let next = self.course.updated();
        self.has_broadcast |= matches!(next, ChannelNext::Broadcast);
        self.brings_hash = false;
        next
    }

    /// The line that tells people the state, once after each step that changes it.
    pub fn echo(&mut self) -> Option<String> {
        self.echo.take()
    }

    /// Whether the row is this request's to change: another one may use the session by now.
    fn uses(&self, session: &KeptSession) -> bool {
        self.course.uses(session.using.as_ref())
    }

    fn tell(&mut self, session: &KeptSession) {
        self.echo = self.asked.as_ref().map(|asked| session.echo(&asked.offer.asset));
    }

    /// Takes the signatures: of the deposit if there is one to sign, and of the voucher.
    pub fn signed(&mut self, deposit: Option<&str>, voucher: Option<&str>) -> ChannelNext {
        match self.take_signatures(deposit, voucher) {
            Ok(true) => {
                self.has_broadcast = true;
                ChannelNext::Broadcast
            }
            Ok(false) => self.course.change(Todo::Keep),
            Err(error) => ChannelNext::Fail(Box::new(error)),
        }
    }

    /// Whether the payer still has to send a transaction.
    fn take_signatures(
        &mut self,
        deposit: Option<&str>,
        voucher: Option<&str>,
    ) -> Result<bool, ClientError> {
        let (Some(planned), Some(asked)) = (&mut self.planned, &self.asked) else {
            return Err(unasked());
        };
        let Planned { session, act, unsigned, sends_deposit, .. } = planned;
        if let Some(funds) = unsigned {
            let typed_data = sign::deposit(&asked.offer.asset, session, funds, asked.dialect);
            let proof = FundsProof::Signed(proven(&typed_data, deposit, &session.parties.payer)?);
            session.pending = unsigned.take().map(|deposit| PendingFunds { deposit, proof });
        }
        let amount = match act {
            Act::Open | Act::Voucher(_) => Some(session.state.cumulative),
            Act::TopUp | Act::Close => None,
        };
        if let Some(amount) = amount {
            let typed_data = sign::voucher(session, amount);
            session.signature = proven(&typed_data, voucher, &session.parties.signer())?;
        }
        Ok(*sends_deposit && asked.sender == Sender::Payer)
    }

    /// Takes the payer's word that no transaction was sent; then [`SessionPurchase::release`].
    pub const fn unsent(&mut self) {
        self.has_broadcast = false;
    }

    /// Takes the hash of the transaction that the caller has sent.
    pub fn broadcasted(&mut self, hash: &str) -> ChannelNext {
        let sent = TxHash::parse(hash);
        let funds = self.planned.as_mut().and_then(|it| it.session.pending.as_mut());
        match (sent, funds) {
            (Some(sent), Some(funds)) => {
                funds.proof = FundsProof::Sent(sent.to_bytes());
                self.brings_hash = true;
                self.course.change(Todo::Keep)
            }
            _ => {
                let message = "expected a transaction hash: 0x and exactly 64 hex digits";
                fail(Reason::WrongTransaction, message)
            }
        }
    }

    /// Ends the request for a caller who gave up: another one may use the session.
    pub fn abandoned(&mut self) {
        self.course.over(Reason::PaymentUnresolved, "the caller gave up");
    }

    /// The pending payment, for a person or a hook: what is deposited and what a unit costs, and
    /// the calls of a payer who sends the deposit.
    #[must_use]
    pub fn proposal(&self) -> Option<Value> {
        let (asked, Planned { session, unsigned, sends_deposit, .. }) =
            (self.asked.as_ref()?, self.planned.as_ref()?);
        let offer = &asked.offer;
        let on_its_way = session.pending.as_ref().map(|it| &it.deposit);
        let funds = unsigned.as_ref().or(on_its_way.filter(|_| *sends_deposit));
        let calls = funds.filter(|_| asked.sender == Sender::Payer);
        let more = json!({
            "withdrawDelaySecs": Value::Null,
            "serverSays": "",
            "unit": asked.unit(),
            "escrow": session.escrow.to_checksum(),
            "calls": calls.map(|it| sign::calls(session, it)),
        });
        let deposit = funds.map(|it| it.amount);
        Some(self.course.proposal(offer, session.id(), deposit, more))
    }
}

fn error(reason: Reason, message: impl Into<String>) -> ClientError {
    ClientError::new(reason, message)
}
