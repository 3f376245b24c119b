//! Messages about a payment to the ledger object that keeps its row.

use alloc::string::String;
use alloc::vec::Vec;

use serde::Serialize;

use super::PaidRequest;
use crate::call::{LedgerCall, object};
use crate::offer::VERIFY_SECS;
use crate::pricer::question;
use farebox_base::encoding::json;
use farebox_base::hash;
use farebox_base::mutant::{Mutant, planted};
use farebox_ledger::attempts::Counting;
use farebox_ledger::command::{
    Asking, Command, Envelope, Leases, Mode, Proving, Question, REQUEST_DIGITS, VERSION,
};

impl PaidRequest<'_> {
    /// The hash of the request and its terms; the first use of the payment fixes it. Its first
    /// eight bytes are of the request alone, so that the ledger knows another payment for the same
    /// request at whatever terms.
    pub(super) fn binding(&self) -> String {
        let terms = &self.asked.choice.terms;
        let (asset, pay_to) = match &terms.token {
            Some(token) => (token.asset.as_bytes().as_slice(), token.pay_to.as_bytes().as_slice()),
            None => (terms.asset.as_bytes(), terms.pay_to.as_bytes()),
        };
        let amount = terms.amount.to_be_bytes();
        let mut parts = Vec::from([
            self.asked.request.head.method.as_bytes(),
            self.asked.request.head.authority().as_bytes(),
            self.asked.request.head.target().as_bytes(),
            self.asked.request.head.headers.get("range").unwrap_or_default().as_bytes(),
            self.asked.body.as_str().as_bytes(),
        ]);
        // A price quoted for one question pays for no answer to another.
        let named = self.asked.offer.pricer.is_some() && !planted(Mutant::QuestionUnbound);
        let question = named.then(|| question(&self.asked.request.head));
        parts.extend(question.as_deref().map(str::as_bytes));
        let request = hash::digest(&parts);
        parts.extend([amount.as_slice(), asset, terms.network.as_str().as_bytes(), pay_to]);
        let whole = hash::digest(&parts);
        match (request.get(..REQUEST_DIGITS), whole.get(REQUEST_DIGITS..)) {
            (Some(request), Some(rest)) if !planted(Mutant::TermsAreAnotherRequest) => {
                [request, rest].concat()
            }
            _ => whole,
        }
    }

    /// A command to the object that keeps this payer's rows.
    pub(super) fn call(&self, command: Command) -> LedgerCall {
        let (payer, key) = (self.checked.proof.account(), self.checked.proof.key.to_hex());
        let (role, counting) = (self.row.place.1, self.counting());
        self.send(&Envelope { v: VERSION, payer, key, command, role, counting })
    }

    /// A question to the same object.
    pub(super) fn asking(
        &self,
        ask: Question,
        counting: Option<Counting>,
        proving: Option<Proving>,
    ) -> LedgerCall {
        let (payer, key) = (self.checked.proof.account(), self.checked.proof.key.to_hex());
        self.send(&Asking {
            v: VERSION,
            payer,
            key,
            ask,
            role: self.row.place.1,
            counting,
            proving,
        })
    }

    pub(super) fn send(&self, message: &impl Serialize) -> LedgerCall {
        let shards = self.row.place.0;
        let shard = self.asked.gate.keys.shard(self.checked.proof.place(), shards);
        let message = json::text(message);
        LedgerCall::new(object(shards, shard), message)
    }

    /// Counter for a failure of the payer; `None` unless the payer is proven and the route counts
    /// failures.
    pub(super) fn counting(&self) -> Option<Counting> {
        self.asked.offer.settings.diagnostics.filter(|_| self.is_proven()).map(|limits| Counting {
            route: self.asked.offer.settings.route.clone(),
            exceeded_after: limits.exceeded_after,
            failure: self.failures.latest.clone().filter(|failure| self.is_the_payers(failure)),
        })
    }

    /// Leases of the work, as sent to the object.
    pub(super) fn leases(&self) -> Leases {
        let Leases { executing, settling, delivering } = self.asked.offer.leases;
        let verifies = self.plan.mode == Mode::Before
            && self.asked.choice.verifies_first
            && !self.plan.verified;
        let first = match self.checked.proof.onchain {
            // The last two replies of a node may each take their full deadline.
            Some(_) => 15,
            None if verifies => VERIFY_SECS,
            None => 0,
        };
        let upload = self.asked.body.upload_secs();
        Leases {
            executing: executing.saturating_add(upload),
            settling: settling.saturating_add(first),
            delivering: delivering.saturating_add(upload),
        }
    }
}
