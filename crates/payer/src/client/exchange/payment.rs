//! A signed payment: it is sent, and sent again, until its response or its refusal is known.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Value, json};

use super::state::{ExchangeState, Paid, Proposed, Redelivery, Renewal};
use super::{Exchange, Next, ReceivedResponse};
use crate::client::error::{ClientError, Reason};
use crate::client::offer::{Offer, TermsSource, Way};
use crate::client::prepare::{self, PaymentField, Prepared};
use crate::client::receipt::{self, Settlement, leaves_open};
use crate::client::rejection::{Problem, Rejection};
use crate::client::signing::checked;
use farebox_base::encoding::hex;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;
use farebox_common::payment::TransferMethod;
use farebox_evm::eip712::TypedData;
use farebox_evm::permit2::PERMIT2;
use farebox_wire::facilitator::outcome::speaks_of_submission;

/// Milliseconds before the first, second, … re-send if the server names no time.
const BACKOFF_MS: [u64; 5] = [250, 500, 1_000, 2_000, 5_000];
/// Maximum time that a server may ask to wait, seconds.
const MAX_RETRY_AFTER_SECS: u64 = 30;

impl Exchange {
    /// Takes the wallet's signature: of the payment, of the permit beside it, or of the request for
    /// its answer.
    pub fn signed(&mut self, signature: &str, now: UnixTime) -> Next {
        if let Some(next) = self.permit_signed(signature) {
            return next;
        }
        match self.take_signature(signature, now) {
            Ok(()) => self.send(0),
            Err(error) => Next::Fail(error),
        }
    }

    /// Takes the hash of the sent transaction, which the credential names.
    pub fn broadcast(&mut self, hash: &str, now: UnixTime) -> Next {
        let ExchangeState::Proposed(Proposed { prepared, .. }) = &mut self.state else {
            return Next::Fail(ClientError::new(Reason::WrongTransaction, "none was asked for"));
        };
        match prepared.transaction_header(hash) {
            Ok(header) => {
                self.pay_with(header, String::new(), now);
                self.send(0)
            }
            Err(error) => Next::Fail(error),
        }
    }

    fn take_signature(&mut self, signature: &str, now: UnixTime) -> Result<(), ClientError> {
        let unasked = || ClientError::new(Reason::WrongSignature, "no signature was asked for");
        let renews = self.state.renewal() == Renewal::Signing;
        if let ExchangeState::Paid(_, paid) = &mut self.state
            && !renews
        {
            let Redelivery::Signing(statement) = &paid.redelivery else { return Err(unasked()) };
            let digest = TypedData::from_json(statement).map_err(|_| unasked())?.digest();
            let signature = checked(signature, &digest, &self.payer)?;
            let header = prepare::redelivery_header(statement, &signature);
            paid.redelivery = Redelivery::Signed(header);
            return Ok(());
        }
        let Proposed { challenge, prepared } = self.state.proposed().ok_or_else(unasked)?;
        let signature = prepared.checked(signature)?;
        let header = prepared.header(&signature, challenge, self.identifier.as_deref());
        self.pay_with(header, signature, now);
        if renews {
            self.state.renew(Renewal::Signed);
        }
        Ok(())
    }

    /// Sends this header from now on, with this signature in it.
    fn pay_with(&mut self, header: PaymentField, signature: String, now: UnixTime) {
        self.remember();
        self.note_signed();
        let Some(Proposed { prepared, .. }) = self.state.proposed() else { return };
        self.state.pay(Paid {
            prepared: Box::new(prepared.clone()),
            as_of: self.as_of,
            header,
            signature,
            twin: None,
            valid_before: prepared.authorization.valid_before,
            redelivery: Redelivery::Unasked,
            sent: 0,
            until: now.plus(self.policy.deadline_secs),
            renewal: self.state.renewal(),
            is_open: false,
        });
    }

    /// The payment as sent, to be sent again later: header name and value, key, and expiry.
    #[must_use]
    pub fn payment(&self) -> Option<Value> {
        let ExchangeState::Paid(Proposed { prepared, .. }, paid) = &self.state else { return None };
        Some(json!({
            "method": self.method,
            "url": self.url,
            "header": [paid.header.name, paid.header.value],
            "key": hex::encode_prefixed(prepared.key().as_bytes()),
            "validBefore": paid.valid_before.secs(),
        }))
    }

    /// The offer that is paid, as [`Offer::pin`](crate::client::offer::Offer::pin).
    #[must_use]
    pub fn chosen(&self) -> Option<String> {
        self.state.proposed().map(|it| it.prepared.offer.pin())
    }

    /// Sends the same payment once more, after a delay.
    pub(super) fn send(&mut self, wait_ms: u64) -> Next {
        let ExchangeState::Paid(_, paid) = &mut self.state else {
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is signed"));
        };
        paid.sent = paid.sent.saturating_add(1);
        let mut headers = alloc::vec![(paid.header.name.to_string(), paid.header.value.clone())];
        if let Redelivery::Signed(value) = &paid.redelivery {
            headers.push(("Farebox-Redelivery".to_string(), value.clone()));
        }
        Next::Send { wait_ms, headers }
    }

    /// Sends again if there is time; otherwise the payment is unresolved.
    pub(super) fn again(&mut self, after_secs: Option<u64>, what: &str, now: UnixTime) -> Next {
        let Some(paid) = self.state.paid() else {
            let message = "the request was lost before anything was paid";
            return Next::Fail(ClientError::new(Reason::MalformedChallenge, message));
        };
        let turn = paid.sent.saturating_sub(1);
        let backoff = BACKOFF_MS.get(turn).or(BACKOFF_MS.last()).copied().unwrap_or(1_000);
        let wait_ms = match after_secs {
            // Waiting no time at all would send for ever.
            Some(secs) => secs.min(MAX_RETRY_AFTER_SECS).saturating_mul(1_000).max(backoff),
            None => backoff,
        };
        if now.plus(wait_ms.div_ceil(1_000)) > paid.until {
            let secs = self.policy.deadline_secs;
            let message =
                format!("after {secs} s the outcome of the payment is still unknown: {what}");
            return Next::Fail(ClientError::new(Reason::PaymentUnresolved, message));
        }
        self.send(wait_ms)
    }

    pub(super) fn answered_paid(&mut self, answer: ReceivedResponse<'_>) -> Next {
        let ReceivedResponse { status, headers, body, now } = answer;
        let Some(Proposed { prepared, .. }) = self.state.proposed() else {
            return Next::Return(None);
        };
        let problem = Problem::read(headers, body);
        if status == 402 {
            let twin = self.state.paid().and_then(|paid| paid.twin.as_deref());
            let error = refused(twin.unwrap_or(prepared), &problem, answer);
            if let ExchangeState::Paid(_, paid) = &mut self.state {
                paid.is_open |= leaves_open(headers, &problem);
            }
            let is_open = self.state.paid().is_some_and(|paid| paid.is_open);
            return match error.reason {
                Reason::PaymentConflict => Next::Fail(error),
                _ if is_open => self.again(problem.retry_after, &error.message, now),
                Reason::PaymentRefused if self.is_sent_as_x402() => self.send(0),
                _ if self.takes_terms(answer) => Next::Reserve,
                _ => Next::Fail(error),
            };
        }
        let rejection = Rejection::read(status, body);
        let fail = |reason| Next::Fail(ClientError::new(reason, rejection.to_string()));
        match (status, problem.code.as_str(), problem.retryable) {
            (_, "refund_due" | "refunded", _) => return fail(Reason::RefundDue),
            (409, "payment_already_delivered", _) => {
                return self.redeliver(problem.is_ours, &rejection, now);
            }
            (409, "origin_failed", _) if problem.is_ours && self.signs_again() => {
                return Next::Reserve;
            }
            (409, "payment_already_used" | "under_review" | "origin_failed", _) => {
                return fail(Reason::PaymentConflict);
            }
            (_, _, Some(true)) | (409 | 503, _, None) => {
                return self.again(problem.retry_after, &rejection.said(), now);
            }
            (409, _, Some(false)) => return fail(Reason::PaymentConflict),
            _ => {}
        }
        self.delivered(headers)
    }

    /// Puts the authorization of a charge that was refused into a payment of x402, if the challenge
    /// offers the sale so as well: a server may bind its charges in a way that no challenge tells.
    /// Both have one nonce, which the token accepts once.
    fn is_sent_as_x402(&mut self) -> bool {
        let ExchangeState::Paid(Proposed { challenge, .. }, paid) = &mut self.state else {
            return false;
        };
        let signed = &paid.prepared;
        let is_charge =
            signed.offer.charge().is_some_and(|charge| charge.way == Way::Authorization);
        let takes = |offer: &&Offer| {
            offer.sale() == signed.offer.sale()
                && offer.method == TransferMethod::Eip3009
                && self.policy.judge(offer, &self.host).is_ok()
        };
        let Some(offer) = challenge.twins.iter().find(takes) else { return false };
        if !is_charge || paid.twin.is_some() || paid.renewal != Renewal::Unasked {
            return false;
        }
        let twin = Prepared { offer: offer.clone(), ..(**signed).clone() };
        paid.header = twin.header(&paid.signature, challenge, self.identifier.as_deref());
        (paid.twin, paid.sent) = (Some(Box::new(twin)), 0);
        true
    }

    /// Returns the paid response, with a settlement that agrees or none.
    pub(super) fn delivered(&mut self, headers: &Headers) -> Next {
        let Some(Proposed { prepared, .. }) = self.state.proposed() else {
            return Next::Return(None);
        };
        let prepared = self.state.paid().and_then(|it| it.twin.as_deref()).unwrap_or(prepared);
        let read = receipt::read(headers, prepared, &self.url);
        // Of all that was signed with this nonce, the server may have sent another one.
        let others = self.earlier.iter().rev().map(|it| it.in_place_of(prepared));
        let agrees = |other| receipt::read(headers, &other, &self.url).ok();
        match read.or_else(|error| others.filter_map(agrees).next().ok_or(error)) {
            Ok(Some((amount, receipt))) => {
                let charged = prepared.offer.is_bound().then(|| prepared.offer.worth_of(amount));
                self.charged = charged.flatten();
                Next::Return(Some(Box::new(receipt)))
            }
            Ok(None) => Next::Return(None),
            Err(error) => Next::Fail(error),
        }
    }

    /// Handles a response that was lost or delivered elsewhere: requests it once with the wallet's
    /// signature.
    fn redeliver(&mut self, is_ours: bool, rejection: &Rejection, now: UnixTime) -> Next {
        match &mut self.state {
            ExchangeState::Paid(Proposed { prepared, .. }, paid) if is_ours => {
                match paid.redelivery {
                    Redelivery::Unasked => {
                        let (key, chain_id) = (prepared.key(), prepared.offer.chain_id);
                        let statement =
                            prepare::redelivery(&key, chain_id, &self.method, &self.url, now);
                        paid.redelivery = Redelivery::Signing(statement.clone());
                        Next::Sign(Box::new(statement))
                    }
                    Redelivery::Signing(_) | Redelivery::Signed(_) => {
                        let message = "the response to this payment was already delivered and is not sent again";
                        Next::Fail(ClientError::new(Reason::PaymentConflict, message))
                    }
                }
            }
            _ => Next::Fail(ClientError::new(Reason::PaymentConflict, rejection.to_string())),
        }
    }
}

/// The error for a 402 after a payment. One that is said to have been used may have been paid, and
/// no copy of it will tell.
fn refused(prepared: &Prepared, problem: &Problem, answer: ReceivedResponse<'_>) -> ClientError {
    let ReceivedResponse { status, headers, body, .. } = answer;
    let offer = &prepared.offer;
    let settlement = match &offer.asked {
        TermsSource::X402 { version, .. } => Settlement::read(*version, headers).ok().flatten(),
        TermsSource::Mpp(_) => None,
    };
    let settled = settlement.as_ref().and_then(Settlement::refusal);
    let rejection = Rejection::of_payment(status, headers, settled, body);
    let is_used = speaks_of_submission(&rejection.text);
    if is_used && settled.is_none() && !problem.is_ours {
        let message = format!("paid, not delivered, as the server says: {rejection}");
        return ClientError::new(Reason::PaymentConflict, message);
    }
    let says = |is_it: fn(&Rejection) -> bool| {
        is_it(&rejection) || settled.is_some_and(|text| is_it(&Rejection::of(status, text, "")))
    };
    let (payer, price) = (prepared.authorization.from.to_checksum(), offer.in_words());
    let (asset, network) = (offer.asset.address.to_checksum(), &offer.asset.network);
    let name = network.v1_name().map(|name| format!(" ({name})")).unwrap_or_default();
    let is_permit = matches!(offer.method, TransferMethod::Permit2 | TransferMethod::Upto(_));
    if is_permit && says(Rejection::is_about_allowance) {
        let (permit2, least) = (PERMIT2.to_checksum(), offer.amount);
        let beside = prepared.allowance.as_ref().map(|permit| {
            format!("; the permit of {least} beside it can be submitted until {}, and takes the place of what you approve before", permit.deadline().secs())
        });
        let beside = beside.unwrap_or_default();
        let message = format!(
            "{rejection}; {payer} lets Permit2 ({permit2}) move less than {price}: approve at least {least} atomic units of contract {asset} on {network}{name}{beside}"
        );
        return ClientError::new(Reason::AllowanceMissing, message);
    }
    if !says(Rejection::is_about_funds) {
        return ClientError::new(Reason::PaymentRefused, rejection.to_string());
    }
    let source = match (network.is_main_network(), offer.asset.symbol.as_str()) {
        (true, _) => "",
        (false, "USDC") => ", a test network: https://faucet.circle.com gives test USDC",
        (false, _) => ", a test network: its faucet gives test money",
    };
    let message = format!(
        "{rejection}; {payer} holds less than {price}, contract {asset} on {network}{name}{source}"
    );
    ClientError::new(Reason::InsufficientFunds, message)
}

/// The error for a late payment that cannot be renewed.
pub(super) fn not_renewed(why: &str) -> Next {
    let message =
        format!("the payment arrived after it had expired and is not signed again: {why}");
    Next::Fail(ClientError::new(Reason::PaymentRefused, message))
}
