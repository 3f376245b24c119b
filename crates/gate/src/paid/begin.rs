//! The beginning of a paid request: who may settle it and when, and what is known of it already.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;

use super::asked::{FixedPurchase, Purchase, RequestBody};
use super::body::Digesting;
use super::parts::{Checked, KnownRow, Lookups, Observed, Payer, SettlementPlan, Work};
use super::{PaidRequest, Step, refusal};
use crate::Gate;
use crate::offer::{Choice, Offer};
use crate::recorded::FirstSight;
use crate::request::IncomingRequest;
use farebox_base::http::BodyPresence;
use farebox_base::time::UnixTime;
use farebox_common::payment::Proof;
use farebox_common::payment::authorization::SignatureCheck;
use farebox_ledger::command::Mode;
use farebox_wire::facilitator::breaker::{Condition, SettlementHealth, by_readiness};

impl<'g> PaidRequest<'g> {
    /// Begins with a proof that passed every local check.
    pub(crate) fn begin(
        gate: &'g Gate,
        offer: Cow<'g, Offer>,
        choice: Cow<'g, Choice>,
        request: IncomingRequest,
        payer: Payer,
        now: UnixTime,
    ) -> Step<'g> {
        let Payer { protocol, proof, expected, eligibility, signature, wallet, .. } = payer;
        let by_chain = proof.onchain.is_some();
        let is_contract =
            signature == SignatureCheck::Deferred && proof.payer.is_some() && !by_chain;
        let (facilitators, Condition { health, consecutive_failures, .. }) =
            by_readiness(&choice.facilitators, &payer.facilitators);
        let plan = SettlementPlan {
            facilitators,
            // While settlements fail, nothing is served on credit. A contract may change its mind,
            // and the signer of a transaction may replace it by another one.
            mode: match health.for_payer(&payer.conduct) {
                SettlementHealth::Good if !is_contract && !by_chain => offer.settings.mode,
                SettlementHealth::Good | SettlementHealth::Failing => Mode::Before,
            },
            verified: false,
        };
        let row = KnownRow {
            receipt: gate.receipt_id(&proof),
            place: gate.shards.first(),
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
            is_recent: now < valid_before.plus(refusal::RECENT_SECS),
            latest: refusal::cause_of_arrival(eligibility, &offer),
            streak: None,
            client: payer.streak,
            recalled: None,
        };
        let with_body = request.head.body == BodyPresence::Present;
        let body = RequestBody::Unread;
        let paid = Box::new(Self {
            asked: FixedPurchase::new(Purchase { gate, offer, choice, request, body }),
            checked: Checked {
                protocol,
                proof,
                expected,
                eligibility,
                signature,
                is_contract,
                wallet,
            },
            plan,
            row,
            chain: Lookups { inquired: false, lookups: 0 },
            failures,
            work: Work { transaction: None, response: None, charged: None, served: now },
        });
        if with_body { Step::Digest(Digesting(paid)) } else { paid.digested() }
    }
}

impl Gate {
    /// The id of a payment's receipt.
    pub(super) fn receipt_id(&self, proof: &Proof) -> String {
        self.keys.receipt_id(&proof.key, self.keys.shard(proof.place(), self.shards.count))
    }
}
