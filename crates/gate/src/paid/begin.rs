//! The beginning of a paid request: who may settle it and when, what is known of it already, and the
//! digest of its body, which is read before the ledger is asked because the payment is bound to it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::{String, ToString};

use super::parts::{
    Checked, FixedPurchase, KnownRow, Lookups, Observed, Payer, Payments, Purchase, RequestBody,
    SettlementPlan, Work,
};
use super::{PaidRequest, Step};
use crate::checked::{CheckedPayment, Eligibility, Protocol};
use crate::diagnose::cause_of;
use crate::offer::{Choice, Offer};
use crate::recorded::FirstSight;
use crate::reply::{Audience, Reply};
use crate::request::IncomingRequest;
use farebox_base::http::BodyPresence;
use farebox_base::time::UnixTime;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_common::problem::Code;
use farebox_ledger::attempts::FailureCause;
use farebox_ledger::command::Mode;
use farebox_wire::facilitator::breaker::{Condition, SettlementHealth, by_readiness};
use farebox_wire::mpp::digest;

/// Longest request body that is part of the binding, bytes: the edge holds it in memory to hash it.
pub const MAX_DIGESTED_BYTES: usize = 64 * 1024;
/// SHA-256 of no bytes. Spec: FIPS 180-4.
const OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
    0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

/// Seconds after `validBefore` during which only the payer is assumed to know an unsettled
/// authorization.
const RECENT_SECS: u64 = 3_600;

/// Whether nobody but its payer is assumed to know an authorization: it is for this payee, and has
/// not ended long ago.
fn is_private(eligibility: Eligibility, valid_before: UnixTime, now: UnixTime) -> bool {
    let is_recent = now < valid_before.plus(RECENT_SECS);
    is_recent && !eligibility.is_elsewhere()
}

/// Whether nothing is settled before the origin has answered, whoever pays: the origin alone knows
/// how many units that are; and what another payee than the gate's own got for nothing, no one here
/// pays back.
fn serves_first(offer: &Offer, choice: &Choice) -> bool {
    let is_counted = choice.terms.unit.is_some();
    let is_others =
        offer.settings.mode == Mode::After && (offer.names_payees() || choice.pays_another);
    is_counted || is_others
}

impl<'g> Payments<'g> {
    /// Begins with a proof that passed every local check.
    pub(crate) fn begin(
        self,
        offer: Cow<'g, Offer>,
        request: IncomingRequest,
        payer: Payer<'g>,
        now: UnixTime,
    ) -> Step<'g> {
        let Payer { payment, expected, wallet, .. } = payer;
        let CheckedPayment { protocol, choice, proof, eligibility, signature } = payment;
        let by_chain = proof.onchain.is_some();
        let is_contract =
            signature == SignatureCheck::Deferred && proof.payer.is_some() && !by_chain;
        let (facilitators, Condition { health, consecutive_failures, .. }) =
            by_readiness(&choice.facilitators, &payer.facilitators);
        let plan = SettlementPlan {
            facilitators,
            mode: match health.for_payer(&payer.conduct) {
                _ if !by_chain && serves_first(&offer, &choice) => Mode::After,
                SettlementHealth::Good if !is_contract && !by_chain => offer.settings.mode,
                // While settlements fail, nothing is served on credit. A contract may change its
                // mind, and the signer of a transaction may replace it by another one.
                SettlementHealth::Good | SettlementHealth::Failing => Mode::Before,
            },
            verified: false,
        };
        let row = KnownRow {
            receipt: self.shards.receipt_id(self.keys, &proof),
            place: self.shards.first(),
            first_sight: FirstSight::now(UnixTime::from_secs(0)),
            held: None,
            owner: false,
            proven: false,
            claimed: false,
            unheard: None,
        };
        let valid_before = UnixTime::from_secs(proof.valid_before.secs());
        let failures = Observed {
            consecutive_failures: consecutive_failures.max(payer.conduct.troubles(now)),
            is_private: is_private(eligibility, valid_before, now),
            latest: cause_of_arrival(eligibility, &offer),
            streak: None,
            client: payer.streak,
            recalled: None,
        };
        let checked =
            Checked { protocol, proof, expected, eligibility, signature, is_contract, wallet };
        let with_body = request.head.body == BodyPresence::Present;
        let body = RequestBody::Unread;
        let paid = Box::new(PaidRequest {
            asked: FixedPurchase::new(Purchase { parts: self, offer, choice, request, body }),
            checked,
            plan,
            row,
            chain: Lookups { inquired: false, lookups: 0 },
            failures,
            work: Work {
                transaction: None,
                response: None,
                charged: None,
                served: now,
                fence: None,
            },
        });
        if with_body { Step::Digest(Digesting(paid)) } else { go_on(paid) }
    }
}

/// Waits for the digest of a payment's request body.
#[cfg_attr(feature = "copies", derive(Clone))]
pub struct Digesting<'g>(pub(super) Box<PaidRequest<'g>>);

impl<'g> Digesting<'g> {
    /// Takes the digest in hex, or `None` for a body longer than [`MAX_DIGESTED_BYTES`].
    pub fn answered(self, digest: Option<String>) -> Step<'g> {
        let mut paid = self.0;
        paid.asked.take_digest(digest);
        go_on(paid)
    }

    /// Ends the request when the body broke off: nothing is begun with part of a body.
    pub fn broken(self) -> Step<'g> {
        Step::Respond(incomplete(&self.0.asked.request.correlation))
    }
}

/// The answer when a body broke off.
pub(crate) fn incomplete(correlation: &str) -> Reply {
    Reply::problem(Code::IncompleteBody, Audience::Paid, correlation, None)
}

/// Goes to the ledger. A payment whose challenge was issued for another body counts as one for
/// other terms.
fn go_on<'g>(mut paid: Box<PaidRequest<'g>>) -> Step<'g> {
    let is_other = !is_for_this_body(&paid);
    if is_other && paid.checked.proof.was_sent() {
        return paid.refuse(Code::PaymentAlreadyUsed);
    }
    if paid.checked.eligibility == Eligibility::Fresh && is_other {
        paid.checked.eligibility = Eligibility::TermsChanged(Code::DigestMismatch);
    }
    paid.ask_ledger()
}

fn is_for_this_body(paid: &PaidRequest<'_>) -> bool {
    let Protocol::Mpp(answered) = &paid.checked.protocol else { return true };
    let body = paid.asked.body.digest();
    match &answered.digest {
        Some(issued) => {
            // A missing body has the digest of no bytes.
            let absent = paid.asked.request.head.body == BodyPresence::Absent;
            let body = body.or(absent.then_some(OF_NOTHING));
            body.is_some_and(|body| digest::agrees(issued, &body))
        }
        // A body too long for a digest is accepted only by terms without one.
        None => !paid.asked.offer.settings.binds_body || body.is_none(),
    }
}

/// The cause of failure that a payment arrives with; `None` if it may begin.
fn cause_of_arrival(eligibility: Eligibility, offer: &Offer) -> Option<FailureCause> {
    let code = match eligibility {
        Eligibility::Expired => Code::Expired,
        // A client that was quoted a price does nothing wrong when the price changes.
        Eligibility::TermsChanged(code) if offer.pricer.is_none() => code,
        Eligibility::TermsChanged(_)
        | Eligibility::Fresh
        | Eligibility::Denied
        | Eligibility::Unsigned
        | Eligibility::Withdrawn
        | Eligibility::Closed
        | Eligibility::PriceUnknown
        | Eligibility::NowFree => return None,
    };
    Some(FailureCause { cause: cause_of(code), reason: code.name().to_string() })
}
