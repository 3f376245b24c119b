//! The use cases of a [`Gate`], each with the parts that it may touch, and the requests and answers
//! that are given to them.

use alloc::vec::Vec;

use super::Gate;
use super::admission::{Admission, Refusals};
use super::admit::Admissions;
use super::alarm::{RowRecovery, sweep};
use super::call::LedgerCall;
use super::cors::AnswerReader;
use super::isolate::Isolate;
use super::mpp::credential::Credentials;
use super::mpp::credential::old_terms::OldCredentials;
use super::operator::{OperatorRequests, failing_code};
use super::paid::Payments;
use super::plain::EdgeRules;
use super::preflight::find_reader;
use super::publish::Publications;
use super::purchases::Purchases;
use super::receipts::ReceiptRequests;
use super::session::Sessions;
use super::session::calls::ChannelCalls;
use super::session::mpp::payout::PayeeAccount;
use super::standing::Standings;
use super::unpaid::{FreeRequests, UnpaidRequests};
use farebox_base::http::RequestHead;
use farebox_base::time::UnixTime;
use farebox_ledger::attempts::FailureStreak;

impl Gate {
    /// Decides about one request: forward it, answer it, or begin its payment.
    ///
    /// `fresh` is a random name for the request; it is also the correlation id if the client sent
    /// none. While a facilitator's health is
    /// [`Failing`](farebox_wire::facilitator::breaker::SettlementHealth::Failing), its routes settle
    /// before the origin is asked.
    pub fn admit(
        &self,
        head: RequestHead,
        fresh: &str,
        isolate: &mut Isolate<'_>,
        now: UnixTime,
    ) -> Admission<'_> {
        self.admissions().admit(head, fresh, isolate, now)
    }

    /// The page that may read the answer to this request.
    #[must_use]
    pub fn reader<'h>(&self, head: &'h RequestHead) -> AnswerReader<'h> {
        find_reader(&self.routes, head)
    }

    /// The code that a client with these failures at this route would get, for the operator.
    #[must_use]
    pub fn failing_code(&self, route: &str, counts: &FailureStreak) -> &'static str {
        failing_code(&self.routes, route, counts)
    }

    /// The calls of the scheduled sweep at this time.
    #[must_use]
    pub fn sweep(&self, now: UnixTime) -> Vec<LedgerCall> {
        sweep(&self.objects().collect::<Vec<_>>(), now)
    }

    /// Terms that are asked for again and again.
    #[must_use]
    pub fn standings(&self) -> Standings<'_> {
        Standings { admissions: self.admissions() }
    }

    /// Requests for the operator's paths.
    #[must_use]
    pub const fn operator(&self) -> OperatorRequests<'_> {
        let Self { operated, chains, shards, routes, keys, payers, .. } = self;
        OperatorRequests { operated, chains, shards, routes, keys, restore: payers.restore }
    }

    /// Requests for receipts.
    #[must_use]
    pub fn receipts(&self) -> ReceiptRequests<'_> {
        let Self { keys, shards, public, .. } = self;
        ReceiptRequests { keys, shards, networks: &public.networks }
    }

    /// The rules of an edge.
    #[must_use]
    pub const fn edge_rules(&self) -> EdgeRules<'_> {
        let Self { routes, origin, keys, .. } = self;
        EdgeRules { routes, origin, keys }
    }

    /// The recovery of rows by the alarm of a ledger object.
    #[must_use]
    pub const fn recovery(&self) -> RowRecovery<'_> {
        let Self { keys, shards, settlement, refunds, .. } = self;
        let settle_secs = settlement.settle_secs;
        RowRecovery { keys, shards, settle_secs, refunds: refunds.as_ref() }
    }

    /// The calls about channels to facilitators.
    #[must_use]
    pub const fn channel_calls(&self) -> ChannelCalls<'_> {
        let Self { keys, settlement, .. } = self;
        ChannelCalls { keys, settlement }
    }

    /// The account of the payee of sessions by MPP, if one is configured.
    #[must_use]
    pub fn payee(&self) -> Option<PayeeAccount<'_>> {
        self.keys.payee().map(|account| PayeeAccount { account })
    }

    /// Admissions of requests.
    #[must_use]
    pub fn admissions(&self) -> Admissions<'_> {
        let Self { routes, origin, settlement, payers, shards, keys, .. } = self;
        Admissions {
            routes,
            publications: self.publications(),
            purchases: self.purchases(),
            free: FreeRequests { keys, shards },
            sessions: Sessions { keys, origin, settlement, payers },
        }
    }

    const fn purchases(&self) -> Purchases<'_> {
        let Self { routes, origin, settlement, payers, chains, shards, keys, .. } = self;
        Purchases {
            payments: Payments { keys, shards, origin, settlement, payers, chains },
            old: OldCredentials { credentials: Credentials { keys, payers, chains }, routes },
            refusals: Refusals { keys, payers },
            unpaid: UnpaidRequests { origin, keys },
        }
    }

    /// The documents for programs that look for something to buy.
    #[must_use]
    pub const fn publications(&self) -> Publications<'_> {
        let Self { routes, public, .. } = self;
        Publications { publication: &public.publication, routes }
    }
}
