//! Effects of a server's diagnostic on an exchange: it stops, or an expired payment is signed once
//! more.
//!
//! A diagnostic can replace the next step and never adds a payment. Only an answer to a payment of
//! this exchange is recorded about the endpoint: a diagnostic to a request without a payment ends
//! this call alone. The one thing that it may ask for is the same payment with a later expiry: the
//! same nonce, amount, payee, asset and network, so that at most one of the two can be charged.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::payment::not_renewed;
use super::state::{Proposed, Renewal};
use super::{Exchange, Next, ReceivedResponse};
use crate::client::budget::Budget;
use crate::client::diagnostic::{Diagnostic, EndpointState};
use crate::client::endpoints;
use crate::client::error::{ClientError, Reason};
use crate::client::offer::Offer;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;

/// The recorded state of the endpoint, and the step after it.
#[derive(Debug)]
pub(super) struct Advice {
    info: Value,
    state: EndpointState,
    /// State in the record; kept here in case the record cannot be read.
    held: EndpointState,
    next: Next,
}

impl Exchange {
    /// The next step after the diagnostic of an answer. `renewal` is the state of the renewal when
    /// the answer came.
    pub(super) fn advised(
        &mut self,
        ReceivedResponse { status, headers, body, .. }: ReceivedResponse<'_>,
        renewal: Renewal,
        mut next: Next,
    ) -> Next {
        let paid = self.state.is_paid();
        // The plain request for fresh terms carries no payment, either.
        let answers_payment = paid && renewal != Renewal::Asking;
        if !(status == 402 || paid && status >= 400) {
            return next;
        }
        let nonce =
            self.state.proposed().map_or(self.purchase(), |it| &it.prepared.authorization.nonce);
        let id = format!("req_{}", hex::encode(nonce.get(..8).unwrap_or_default()));
        let Some(Diagnostic { info, advice }) = Diagnostic::read(headers, body, &id) else {
            return next;
        };
        let state = match (advice, renewal) {
            // Fresh terms resolve the complaint.
            (Some(EndpointState::Retrying), Renewal::Asking) => None,
            // The wallet's signature resolves that doubt: it moves no money, or the same nonce.
            (Some(EndpointState::Pending), _) if resolves_doubt(paid, &next) => None,
            (Some(EndpointState::Retrying), _) if !paid || status != 402 => None,
            (Some(EndpointState::Retrying), Renewal::Signing | Renewal::Signed) => {
                Some(EndpointState::Pending)
            }
            (state, _) => state,
        };
        match (state, &next) {
            (Some(state), _) if !paid => {
                next = Next::Fail(endpoints::asked_to_stop(&self.endpoint, state, &info));
            }
            (None, _) | (_, Next::Return(_) | Next::Fail(_)) => {}
            (Some(_), _) => {
                let reason = match status {
                    402 if !self.state.paid().is_some_and(|paid| paid.is_open) => {
                        Reason::PaymentRefused
                    }
                    409 => Reason::PaymentConflict,
                    _ => Reason::PaymentUnresolved,
                };
                let message = "the server asks clients to stop";
                next = Next::Fail(ClientError::new(reason, message));
            }
        }
        if let Next::Fail(error) = &mut next {
            error.diagnostic = Some(Box::new(info.clone()));
        }
        let Some(state) = state.filter(|_| answers_payment) else { return next };
        self.advice = Some(Advice { info, state, held: state, next });
        Next::Mark
    }

    /// The record with the diagnostic's advice about the endpoint; `None` if the record already has
    /// it.
    ///
    /// # Errors
    /// [`Reason::BudgetUnreadable`].
    pub fn mark(
        &mut self,
        record: Option<&str>,
        now: UnixTime,
    ) -> Result<Option<String>, ClientError> {
        let Some(advice) = &mut self.advice else { return Ok(None) };
        let mut budget = Budget::from_text(record)?;
        let endpoints = &mut budget.endpoints;
        let changed = endpoints.mark(&self.endpoint, advice.state, &advice.info, now);
        advice.held = endpoints.state(&self.endpoint).unwrap_or(advice.state);
        Ok(changed.then(|| budget.to_text()))
    }

    /// The next step, once the record is written, or could not be read or written.
    pub fn marked(&mut self) -> Next {
        match self.advice.take() {
            Some(Advice { held: EndpointState::Retrying, .. }) => {
                self.retrying = true;
                self.state.renew(Renewal::Asking);
                Next::Send { wait_ms: 0, headers: Vec::new() }
            }
            Some(advice) => advice.next,
            None => {
                Next::Fail(ClientError::new(Reason::MalformedChallenge, "nothing is to be held"))
            }
        }
    }

    /// Whether a success clears the recorded state of the endpoint.
    #[must_use]
    pub fn is_retrying(&self) -> bool {
        self.retrying
    }

    /// Handles the answer to the plain request after a payment that came too late.
    pub(super) fn answered_again(&mut self, answer: ReceivedResponse<'_>) -> Next {
        if (200..300).contains(&answer.status) {
            return self.delivered(answer.headers);
        }
        match self.answered_plain(answer) {
            Next::Reserve | Next::Choose => {}
            Next::Fail(_) => return not_renewed("the terms changed"),
            _ => return not_renewed("the server answers without fresh terms"),
        }
        if self.policy.admit(answer.now).is_err() {
            return not_renewed("the time in policy.expires has passed");
        }
        let Some(Proposed { challenge, prepared }) = self.state.proposed() else {
            return not_renewed("nothing was signed");
        };
        let same = |fresh: &&Offer| {
            prepared.offer.is_renewed_by(fresh, self.nonces.own(&self.payer, fresh))
                && self.policy.judge(fresh, &self.host).is_ok()
        };
        let Some(fresh) = challenge.offers.iter().find(same) else {
            return not_renewed("the terms changed");
        };
        let prepared = self.prepared(fresh.clone(), answer.now);
        self.state.propose(prepared);
        self.state.renew(Renewal::Signing);
        Next::Renew
    }
}

/// Whether the wallet is asked next for what a doubted payment lacks: the request for an answer, or
/// the terms that the server asks for, in the place of what was signed.
fn resolves_doubt(paid: bool, next: &Next) -> bool {
    match next {
        Next::Sign(_) => true,
        Next::Reserve => paid,
        _ => false,
    }
}
