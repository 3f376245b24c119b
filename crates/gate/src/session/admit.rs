//! The beginning: what a route offers by session, and which requests show a payment of one.

use alloc::string::{String, ToString};

use farebox_base::encoding::json::json;
use farebox_channel::escrow::EscrowContract;
use serde_json::{Map, Value};

use super::asked::{AskedSession, Sessions};
use super::mpp::shown::begin_by_mpp;
use super::payment::SessionPayment;
use super::statement;
use super::step::{SessionRequest, SessionStep};
use crate::isolate::Isolate;
use crate::offer::{Choice, Offer, SessionOffer};
use crate::presented::{Presented, PresentedRequest};
use crate::proof::is_of_another;
use crate::reply::{Audience, Reply};
use farebox_base::time::UnixTime;
use farebox_common::payment::SignedToken;
use farebox_common::problem::Code;
use farebox_wire::facilitator::breaker::by_readiness;
use farebox_wire::x402::header::Message;
use farebox_wire::x402::{Version, v2};

/// The scheme's name on the wire.
pub const SCHEME: &str = "batch-settlement";

impl<'g> Sessions<'g> {
    /// Begins a request that shows a payment of a session; `None` if it shows none, or the route
    /// sells none.
    pub(crate) fn begin(
        self,
        offer: &'g Offer,
        shown: &PresentedRequest,
        isolate: &Isolate<'_>,
        now: UnixTime,
    ) -> Option<SessionStep<'g>> {
        self.begin_by_x402(offer, shown, isolate, now)
            .or_else(|| begin_by_mpp(self, offer, shown, now))
    }

    fn begin_by_x402(
        self,
        offer: &'g Offer,
        shown: &PresentedRequest,
        isolate: &Isolate<'_>,
        now: UnixTime,
    ) -> Option<SessionStep<'g>> {
        if offer.choices.iter().all(|choice| choice.session.is_none()) {
            return None;
        }
        let PresentedRequest { request, presented } = shown;
        let message = shown_session(presented)?;
        self.keys.authorizer()?;
        let request = request.clone();
        let is_elsewhere = is_of_another(&message.object, &request.head);
        let payers = isolate.payers;
        let checked = SessionPayment::check(offer, self.keys, message, is_elsewhere, payers, now);
        Some(match checked {
            Ok((_, payment)) if payment.is_denied(&self.payers.clients) => {
                let correlation = &request.correlation;
                let denied = Code::PayerDenied;
                SessionStep::Respond(Reply::problem(denied, Audience::Paid, correlation, None))
            }
            Ok((choice, payment)) => {
                let (settlers, _) = by_readiness(&choice.facilitators, &isolate.facilitators);
                let asked = AskedSession { parts: self, offer, choice, request, payment, settlers };
                SessionRequest::begin(asked, now)
            }
            Err((code, reason)) => SessionStep::Respond(statement::refused(
                self.keys, offer, &request, code, &reason, now,
            )),
        })
    }
}

/// The prices of a request that a first deposit should cover, so that a client makes no transaction
/// every few requests. A smaller one is taken, too. Spec: `minDeposit` of the reference.
const DEPOSIT_PRICES: u64 = 10;

impl Choice {
    /// The same terms, to be paid by session too: the payer waits so many seconds for a withdrawal,
    /// and this account signs claims and refunds. Deposits are signed for this token, of which the
    /// requirements say so much.
    #[must_use]
    pub fn by_session(
        mut self,
        delay_secs: u64,
        authorizer: &str,
        token: SignedToken,
        mut extra: Map<String, Value>,
    ) -> Self {
        let deposit =
            self.terms.amount.checked_mul_u64(DEPOSIT_PRICES).unwrap_or(self.terms.amount);
        let members = json!({
            "receiverAuthorizer": authorizer, "withdrawDelay": delay_secs,
            "minDeposit": deposit.to_string(),
        });
        if let Value::Object(members) = members {
            extra.extend(members);
        }
        let requirements = v2::PaymentRequirements::by(SCHEME, &self.terms, extra);
        let escrow = EscrowContract::batch_settlement(token.chain_id).domain();
        self.session = Some(SessionOffer { requirements, delay_secs, token, escrow });
        self
    }
}

/// The payment of a session that a request shows, if it shows no other.
fn shown_session(presented: &Presented) -> Option<&Message> {
    let Presented::X402(Version::V2, Ok(message)) = presented else { return None };
    let accepted = message.object.get("accepted")?;
    (accepted.get("scheme")?.as_str()? == SCHEME).then_some(message)
}
