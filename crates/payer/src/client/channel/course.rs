//! The course of one request, by channel of x402 or by session of MPP: who pays for what, the
//! caller's steps, the changes of the record, and sending again.
//!
//! The decision of a change of the record counts once the change is kept: a caller who could not
//! replace the record changes the newer one, and the decision by the older one is dropped.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::limits::ChannelLimits;
use super::row::Using;
use crate::client::budget::{Budget, Draft};
use crate::client::endpoints::host_of;
use crate::client::error::{ClientError, Reason};
use crate::client::offer::Offer;
use crate::client::policy::Policy;
use crate::client::signing::checked;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_evm::address::Address;
use farebox_evm::eip712::TypedData;

/// Seconds for which a request may be signed before another one may use its channel.
const SIGN_SECS: u64 = 120;
/// Milliseconds after which a channel that is in use is looked at again.
const WAIT_MS: u64 = 25;
/// Milliseconds before the first, second, … re-send if the server names no time.
const BACKOFF_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// Maximum time that a server may ask to wait, seconds.
const MAX_RETRY_AFTER_SECS: u64 = 30;

/// The caller's next step.
#[derive(Clone, Debug)]
pub enum ChannelNext {
    /// The server does not sell by channel, or not as this payer may buy, for this reason: pay
    /// otherwise.
    Once(Option<Box<ClientError>>),
    /// Change the record: `update`, then `updated`.
    Update,
    /// Wait so many milliseconds, then change the record.
    Wait(u64),
    /// Send the request as it is, without a payment; of sessions.
    Ask,
    /// Let these be signed, in this order: the deposit by the wallet, the voucher by its signer.
    Sign {
        /// Typed data of the deposit, if there is a new one.
        deposit: Option<Box<Value>>,
        /// Typed data of the voucher, if there is a new one.
        voucher: Option<Box<Value>>,
    },
    /// Send the transaction of the proposal; of sessions.
    Broadcast,
    /// Wait, then send the request with this header.
    Send {
        /// Milliseconds.
        wait_ms: u64,
        /// The header's name.
        field: &'static str,
        /// Its value.
        payment: String,
    },
    /// Return the answer to the caller, with what is known of the payment.
    Return(Option<Box<Value>>),
    /// Fail.
    Fail(Box<ClientError>),
}

/// The aim of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelAim {
    /// The answer.
    Pay,
    /// The rest of the deposit, or this much of it, atomic units.
    Refund(Option<Amount>),
}

/// One use of a channel: the request that it pays.
#[derive(Clone, Copy, Debug)]
pub struct ChannelUse<'a> {
    /// The absolute URL.
    pub url: &'a str,
    /// The requested method and URL, without the query.
    pub endpoint: &'a str,
    /// The random bytes that give the salt of a channel or of a deposit, and the request's id.
    pub random: [u8; 48],
}

/// The payer of a channel.
#[derive(Clone, Copy, Debug)]
pub struct ChannelPayer {
    /// The wallet that deposits.
    pub payer: Address,
    /// The key that signs vouchers; usually the wallet's.
    pub voucher_signer: Address,
    /// Tells apart channels that are otherwise the same.
    pub salt: [u8; 32],
}

/// The course of a request. `F` is what may become of a payment; its default: it is over without an
/// answer that counts.
#[derive(Debug)]
pub(in crate::client) struct Course<F> {
    pub policy: Policy,
    pub limits: ChannelLimits,
    pub payer: ChannelPayer,
    pub aim: ChannelAim,
    pub host: String,
    /// The request's own, hex.
    pub id: String,
    /// Random: of a deposit, or of a channel.
    pub salt: [u8; 32],
    /// Whether a deposit was signed in this request: there is no second one.
    pub has_deposited: bool,
    pub todo: Todo<F>,
    endpoint: String,
    sending: Option<SentPayment>,
    /// The step once the record is changed, unless the change decides something else.
    then: Option<(Todo<F>, ChannelNext)>,
    decided: Option<(Todo<F>, ChannelNext)>,
}

/// The next change of the record.
#[derive(Clone, Debug)]
pub(in crate::client) enum Todo<F> {
    Nothing,
    Plan,
    Keep,
    Note(F),
}

/// A payment on its way.
#[derive(Debug)]
struct SentPayment {
    field: &'static str,
    payment: String,
    sent: usize,
    until: UnixTime,
}

impl<F: Clone + Default> Course<F> {
    /// Starts a request.
    pub fn new(
        policy: Policy,
        limits: ChannelLimits,
        payer: ChannelPayer,
        aim: ChannelAim,
        request: ChannelUse<'_>,
    ) -> Self {
        let ChannelUse { url, endpoint, random } = request;
        let (salt, id) = random.split_at(32);
        Self {
            policy,
            limits,
            payer,
            aim,
            host: host_of(url),
            id: hex::encode(id),
            salt: salt.try_into().unwrap_or([0; 32]),
            has_deposited: false,
            todo: Todo::Nothing,
            endpoint: endpoint.to_string(),
            sending: None,
            then: None,
            decided: None,
        }
    }

    /// Begins a change of the record; what an earlier try decided is dropped.
    pub fn begin(&mut self, record: Option<&str>) -> Result<(Budget, Todo<F>), ClientError> {
        self.decided = None;
        Ok((Budget::from_text(record)?, self.todo.clone()))
    }

    /// Decides, in a change of the record, what comes after it.
    pub fn decide(&mut self, todo: Todo<F>, next: ChannelNext) {
        self.decided = Some((todo, next));
    }

    /// Decides to wait for the request that uses the channel.
    pub fn wait(&mut self) {
        self.decide(Todo::Plan, ChannelNext::Wait(WAIT_MS));
    }

    /// The next step, once the record is changed.
    pub fn updated(&mut self) -> ChannelNext {
        let then = self.then.take();
        match self.decided.take().or(then) {
            Some((todo, next)) => {
                self.todo = todo;
                next
            }
            None => fail(Reason::MalformedChallenge, "nothing was asked for"),
        }
    }

    /// Changes the record, for this reason, and decides there what comes next.
    pub fn change(&mut self, todo: Todo<F>) -> ChannelNext {
        self.todo = todo;
        ChannelNext::Update
    }

    /// Changes the record by what became of it, then goes on so.
    pub fn note_then(&mut self, fate: F, todo: Todo<F>, next: ChannelNext) -> ChannelNext {
        self.then = Some((todo, next));
        self.change(Todo::Note(fate))
    }

    /// Notes what became of it, then ends so.
    pub fn end(&mut self, fate: F, next: ChannelNext) -> ChannelNext {
        self.note_then(fate, Todo::Nothing, next)
    }

    /// Notes that it is over, then fails.
    pub fn over(&mut self, reason: Reason, message: &str) -> ChannelNext {
        self.end(F::default(), fail(reason, message))
    }

    /// Whether policy and endpoints let anything be paid.
    pub fn admit(&self, budget: &Budget, now: UnixTime) -> Result<(), ClientError> {
        self.policy.admit(now)?;
        budget.endpoints.admit(&self.endpoint)
    }

    /// The use of a channel until its payment is signed.
    pub fn signs(&self, now: UnixTime) -> Using {
        Using { id: self.id.clone(), until: now.plus(SIGN_SECS) }
    }

    /// The use of a channel until its payment is answered.
    pub fn sends(&self, now: UnixTime) -> Using {
        Using { id: self.id.clone(), until: now.plus(self.policy.deadline_secs) }
    }

    /// Whether this request uses the channel.
    pub fn uses(&self, using: Option<&Using>) -> bool {
        using.is_some_and(|using| using.id == self.id)
    }

    /// Counts a new deposit of at least `least`, and says how much it is. A request has one.
    pub fn hold(
        &self,
        budget: &mut Budget,
        offer: &Offer,
        suggested: Option<Amount>,
        least: Amount,
        now: UnixTime,
    ) -> Result<Amount, ClientError> {
        if self.has_deposited {
            let message = "the server asks for a second deposit in one request";
            return Err(ClientError::new(Reason::ReceiptMismatch, message));
        }
        let amount = self.limits.amount(offer, suggested, least)?;
        let name = |_: &Offer| self.id.clone();
        let draft = Draft { name: &name, host: &self.host, endpoint: &self.endpoint };
        budget.hold(&self.policy, offer, amount, draft, now)?;
        Ok(amount)
    }

    /// Decides to send what was just kept.
    pub fn dispatch(&mut self, field: &'static str, payment: String, until: UnixTime) {
        self.sending = Some(SentPayment { field, payment, sent: 0, until });
        let next = self.send(0);
        self.decide(Todo::Nothing, next);
    }

    /// Whether a payment was sent whose answer is still to come.
    pub const fn is_sending(&self) -> bool {
        self.sending.is_some()
    }

    /// Takes the answer as final: what is sent next is another payment.
    pub fn sent(&mut self) {
        self.sending = None;
    }

    fn send(&mut self, wait_ms: u64) -> ChannelNext {
        let Some(sending) = &mut self.sending else {
            return fail(Reason::MalformedChallenge, "nothing is signed");
        };
        sending.sent = sending.sent.saturating_add(1);
        ChannelNext::Send { wait_ms, field: sending.field, payment: sending.payment.clone() }
    }

    /// Sends the same payment again if there is time; otherwise it is unresolved.
    pub fn again(&mut self, after_secs: Option<u64>, what: &str, now: UnixTime) -> ChannelNext {
        let Some(sending) = &self.sending else {
            let message = "the request was lost before anything was paid";
            return fail(Reason::MalformedChallenge, message);
        };
        let turn = sending.sent.saturating_sub(1);
        let backoff = BACKOFF_MS.get(turn).or(BACKOFF_MS.last()).copied().unwrap_or(1_000);
        let asked = after_secs.unwrap_or(0).min(MAX_RETRY_AFTER_SECS).saturating_mul(1_000);
        let wait_ms = asked.max(backoff);
        if now.plus(wait_ms.div_ceil(1_000)) > sending.until {
            let secs = self.policy.deadline_secs;
            let message =
                format!("after {secs} s the outcome of the payment is still unknown: {what}");
            return self.over(Reason::PaymentUnresolved, &message);
        }
        self.send(wait_ms)
    }

    /// The pending payment, for a person or a hook: what both kinds of channel have, and `more`.
    pub fn proposal(
        &self,
        offer: &Offer,
        id: ChannelId,
        deposit: Option<Amount>,
        more: Value,
    ) -> Value {
        let mut proposal = json!({
            "channel": id.to_string(),
            "deposit": deposit.map(|it| it.to_decimal(offer.asset.decimals)),
            "price": offer.price(),
            "symbol": offer.asset.symbol,
            "asset": offer.asset.address.to_checksum(),
            "network": offer.asset.network.as_str(),
            "testNetwork": !offer.asset.network.is_main_network(),
            "payTo": offer.pay_to.to_checksum(),
            "payer": self.payer.payer.to_checksum(),
            "host": self.host,
            "description": offer.description,
            "claimsToSell": offer.foreign_realm(),
        });
        if let (Some(members), Value::Object(more)) = (proposal.as_object_mut(), more) {
            members.extend(more);
        }
        proposal
    }

    /// The receipt of a payment that was answered.
    pub fn receipt(
        &self,
        offer: &Offer,
        id: ChannelId,
        transaction: Option<&str>,
        [charged, spent, refunded]: [Option<String>; 3],
    ) -> Option<Box<Value>> {
        Some(Box::new(json!({
            "channel": id.to_string(),
            "transaction": transaction.unwrap_or_default(),
            "network": offer.asset.network.as_str(),
            "payer": self.payer.payer.to_checksum(),
            "payTo": offer.pay_to.to_checksum(),
            "asset": offer.asset.address.to_checksum(),
            "symbol": offer.asset.symbol,
            "charged": charged,
            "spent": spent,
            "refunded": refunded,
        })))
    }
}

/// A signature in the form that contracts accept, if it is `signer`'s and covers this typed data.
pub(in crate::client) fn proven(
    typed_data: &Value,
    signature: Option<&str>,
    signer: &Address,
) -> Result<String, ClientError> {
    let digest = TypedData::from_json(typed_data).map(|it| it.digest());
    let digest = digest.map_err(|_| unasked())?;
    checked(signature.unwrap_or_default(), &digest, signer)
}

pub(in crate::client) fn unasked() -> ClientError {
    ClientError::new(Reason::WrongSignature, "no signature was asked for")
}

pub(in crate::client) fn fail(reason: Reason, message: &str) -> ChannelNext {
    ChannelNext::Fail(Box::new(ClientError::new(reason, message)))
}
