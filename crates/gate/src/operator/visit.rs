//! A question of the operator to the ledger objects, at most four at once, until there is an
//! answer.

mod conclude;

use alloc::borrow::ToOwned;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use super::query::ListCursor;
use super::refund::{Reporter, refund_proof, transfer_question};
use super::{message, naming, refusal};
use crate::call::LedgerCall;
use crate::reply::Reply;
use farebox_base::encoding;
use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;
use farebox_channel::index::{self, IndexAsk};
use farebox_common::payment::TxHash;
use farebox_common::problem::Code;
use farebox_ledger::report::tally::Sum;
use farebox_ledger::report::{
    Decision, FailingClient, Filter, Mark, ObjectRequest, PaymentItem, Report,
};
use farebox_ledger::state::may_be_paid_back;

/// Objects asked at once.
const AT_ONCE: usize = 4;
/// Limit on the failing clients that one object reports.
const MAX_FAILING: u32 = 1_000;
/// Name of the object that keeps the approximate counters.
pub const METERS: &str = "meters";

/// The operator's request.
#[derive(Debug)]
pub(super) enum Task {
    List {
        filter: Filter,
        limit: u64,
        cursor: Option<ListCursor>,
    },
    Find {
        id: String,
    },
    Totals {
        day: u64,
        filter: Filter,
    },
    Audit,
    Metrics {
        /// Bytes that one object may have.
        limit: u64,
        now: UnixTime,
    },
    Failures {
        limit: u64,
        wanted: FailureFilter,
    },
    /// A decision. With `prove`, only once the chain shows this transaction as the refund, if its
    /// network is among the `readable`.
    Decide {
        id: String,
        decision: Decision,
        prove: Option<TxHash>,
        readable: Vec<String>,
        reporter: Reporter,
    },
}

impl Task {
    /// The receipt id of the one payment that it is about. It names the objects that may have it.
    pub fn payment(&self) -> Option<&str> {
        match self {
            Self::Find { id } | Self::Decide { id, .. } => Some(id),
            Self::List { .. }
            | Self::Totals { .. }
            | Self::Audit
            | Self::Metrics { .. }
            | Self::Failures { .. } => None,
        }
    }
}

/// Selection of failing clients.
#[derive(Debug)]
pub(super) struct FailureFilter {
    pub code: Option<String>,
    pub route: Option<String>,
}

/// Next step of a query.
#[derive(Debug)]
pub enum QueryStep {
    /// Ask these objects and pass all answers, in this order, to [`OperatorQuery::answered`].
    Ask(Vec<LedgerCall>),
    /// Ask a node of this network, a CAIP-2 id, and pass its reply to [`OperatorQuery::read`].
    Chain(String, String),
    /// Ask this object, among those of channels, and pass its answer to [`OperatorQuery::summed`].
    Channels(&'static str, String),
    /// Answer this.
    Answer(Reply),
}

/// A query and the results so far.
#[derive(Debug)]
pub struct OperatorQuery {
    task: Task,
    objects: Vec<String>,
    correlation: String,
    /// Objects to ask, each with the row to continue from.
    waiting: VecDeque<(usize, Option<Mark>)>,
    asked: Vec<usize>,
    /// Whether an object that may have the one payment is down.
    down: bool,
    items: Vec<PaymentItem>,
    next: Option<ListCursor>,
    sums: Sorted<[String; 3], Sum>,
    counts: Sorted<(String, String), u64>,
    oldest_unknown: Option<u64>,
    meters: Option<Vec<(String, u64)>>,
    /// The sums of all channels, by network and token.
    channels: Option<Vec<Value>>,
    /// Failing clients.
    failing: Vec<FailingClient>,
    /// Bytes of each object's database.
    sizes: Vec<u64>,
    /// Number of failing clients, by route, code and kind.
    failing_counts: Sorted<(String, String, String), u64>,
    /// The transaction being looked up on the chain, the debt that it settles, and the object that
    /// has it.
    proving: Option<(TxHash, PaymentItem, usize)>,
    reply: Option<Reply>,
}

impl OperatorQuery {
    pub(super) fn new(task: Task, objects: Vec<String>, correlation: String) -> Self {
        let mut waiting: VecDeque<_> = (0..objects.len()).map(|object| (object, None)).collect();
        let mut reply = None;
        if let Task::List { filter, cursor: Some(cursor), .. } = &task {
            let known = cursor.object < objects.len();
            waiting = (cursor.object..objects.len())
                .map(|object| (object, cursor.after.clone().filter(|_| object == cursor.object)))
                .collect();
            if !known
                || filter.payer.is_some()
                    && cursor
                        .after
                        .as_ref()
                        .is_some_and(|mark| filter.payer.as_deref() != Some(&mark.payer))
            {
                let refusal = refusal(Code::InvalidRequest, &correlation, None);
                reply = Some(naming(refusal, "cursor"));
            }
        }
        Self {
            task,
            objects,
            correlation,
            waiting,
            asked: Vec::new(),
            down: false,
            items: Vec::new(),
            next: None,
            sums: Sorted::new(),
            counts: Sorted::new(),
            oldest_unknown: None,
            meters: None,
            channels: None,
            failing: Vec::new(),
            sizes: Vec::new(),
            failing_counts: Sorted::new(),
            proving: None,
            reply,
        }
    }

    /// The next step.
    pub fn turn(&mut self) -> QueryStep {
        if let Some(reply) = self.reply.take() {
            return QueryStep::Answer(reply);
        }
        if let Some((hash, item, _)) = &self.proving {
            return QueryStep::Chain(item.network.clone(), transfer_question(hash));
        }
        let mut calls = Vec::new();
        self.asked.clear();
        while calls.len() < AT_ONCE
            && let Some((object, after)) = self.waiting.pop_front()
        {
            if let Some(name) = self.objects.get(object) {
                self.asked.push(object);
                calls.push(call(name, self.errand(after)));
            }
        }
        if !calls.is_empty() {
            return QueryStep::Ask(calls);
        }
        if matches!(self.task, Task::Totals { .. } | Task::Audit) && self.channels.is_none() {
            return QueryStep::Channels(index::OBJECT, IndexAsk::Sums.to_text());
        }
        if matches!(self.task, Task::Metrics { .. }) && self.meters.is_none() {
            self.meters = Some(Vec::new());
            return QueryStep::Ask(Vec::from([call(
                METERS,
                ObjectRequest::Meter { add: Vec::new() },
            )]));
        }
        QueryStep::Answer(self.conclude())
    }

    fn errand(&self, after: Option<Mark>) -> ObjectRequest {
        match &self.task {
            Task::List { filter, limit, .. } => ObjectRequest::List {
                filter: filter.clone(),
                after,
                limit: u32::try_from(*limit).unwrap_or(1),
            },
            Task::Find { id } | Task::Decide { id, prove: Some(_), .. } => {
                ObjectRequest::Find { id: id.clone() }
            }
            Task::Decide { id, decision, prove: None, .. } => {
                ObjectRequest::Decide { id: id.clone(), decision: decision.clone() }
            }
            Task::Totals { filter, .. } => ObjectRequest::Sum { filter: filter.clone(), after },
            Task::Audit => ObjectRequest::Sum { filter: Filter::default(), after },
            Task::Metrics { .. } => ObjectRequest::Count,
            Task::Failures { .. } => ObjectRequest::Failures { limit: MAX_FAILING },
        }
    }

    /// Takes the answers to the calls of the last step; `None` for an object that is down.
    pub fn answered(&mut self, answers: impl IntoIterator<Item = Option<String>>) {
        let asked = core::mem::take(&mut self.asked);
        let mut asked = asked.into_iter();
        for text in answers {
            let object = asked.next().unwrap_or(usize::MAX);
            let report = text.and_then(|text| encoding::message::read(&text));
            match report {
                Some(report) => self.take(object, report),
                // Approximate counters may be missing.
                None if object == usize::MAX => {}
                // Another object may have the one payment. All else would be told in part, also
                // where the next answer fills a page.
                None if self.task.payment().is_some() => {
                    self.down = true;
                }
                None => {
                    self.reply = Some(refusal(Code::LedgerUnavailable, &self.correlation, None));
                }
            }
            if self.reply.is_some() {
                return;
            }
        }
    }

    /// Takes the sums of all channels; `None` if their list is down.
    pub fn summed(&mut self, said: Option<&str>) {
        self.channels = said.and_then(index::page);
        if self.channels.is_none() {
            self.reply = Some(refusal(Code::LedgerUnavailable, &self.correlation, None));
        }
    }

    fn take(&mut self, object: usize, report: Report) {
        match report {
            Report::Items { items, more } => self.take_items(object, items, more),
            Report::Item(Some(item)) => match &mut self.task {
                Task::Decide { prove: Some(_), readable, reporter: Reporter::Payee, .. }
                    if !readable.contains(&item.network) =>
                {
                    let refusal =
                        refusal(Code::ChainUnavailable, &self.correlation, self.task.payment());
                    self.reply = Some(refusal);
                }
                Task::Decide { prove: prove @ Some(_), readable, .. }
                    if !readable.contains(&item.network) =>
                {
                    *prove = None;
                    self.waiting = VecDeque::from([(object, None)]);
                }
                Task::Decide { prove: Some(hash), .. } => {
                    if may_be_paid_back(&item.state) {
                        self.proving = Some((*hash, *item, object));
                        self.waiting.clear();
                    } else {
                        let refusal =
                            refusal(Code::WrongState, &self.correlation, self.task.payment());
                        self.reply = Some(refusal);
                    }
                }
                _ => self.reply = Some(self.shown(&item)),
            },
            Report::Item(None) => {}
            Report::Sums { sums, after } => {
                for sum in sums {
                    let place = [sum.network.clone(), sum.asset.clone(), sum.route.clone()];
                    let known =
                        self.sums.get_or(place, || Sum { of: Sorted::new(), ..sum.clone() });
                    known.merge(&sum);
                }
                if after.is_some() {
                    self.waiting.push_back((object, after));
                }
            }
            Report::Counts { rows, oldest_unknown, failing, bytes } => {
                self.sizes.push(bytes);
                for (route, code, kind, number) in failing {
                    let count = self.failing_counts.get_or((route, code, kind), || 0);
                    *count = count.saturating_add(number);
                }
                for (state, route, number) in rows {
                    let count = self.counts.get_or((state, route), || 0);
                    *count = count.saturating_add(number);
                }
                self.oldest_unknown = match (self.oldest_unknown, oldest_unknown) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                };
            }
            Report::Decided(item) => self.reply = Some(self.shown(&item)),
            Report::Undecided(why) => self.reply = Some(self.undecided(why)),
            Report::Meters(meters) => self.meters = Some(meters),
            Report::Failing(failing) => self.failing.extend(failing),
            Report::Awake => {}
        }
    }

    fn take_items(&mut self, object: usize, items: Vec<PaymentItem>, more: bool) {
        let Task::List { limit, .. } = &self.task else { return };
        let limit = usize::try_from(*limit).unwrap_or(1);
        if self.next.is_some() {
            return;
        }
        let count = items.len();
        for (index, item) in items.into_iter().enumerate() {
            let mark = item.mark();
            self.items.push(item);
            if self.items.len() < limit {
                continue;
            }
            let left = more || index.saturating_add(1) < count;
            if left {
                self.next = Some(ListCursor { object, after: Some(mark) });
            } else if object.saturating_add(1) < self.objects.len() {
                self.next = Some(ListCursor { object: object.saturating_add(1), after: None });
            }
            self.waiting.clear();
            self.reply = Some(self.conclude());
            return;
        }
    }

    /// Takes a node's reply about the refund.
    pub fn read(&mut self, reply: Option<&[u8]>) {
        let Some((hash, item, object)) = self.proving.take() else { return };
        let reporter = match &self.task {
            Task::Decide { reporter, .. } => *reporter,
            _ => Reporter::Payee,
        };
        let proof = reply.and_then(|body| refund_proof(body, &hash, &item, reporter));
        match proof {
            Some(true) => {
                if let Task::Decide { prove, .. } = &mut self.task {
                    *prove = None;
                }
                self.waiting = VecDeque::from([(object, None)]);
                self.down = false;
            }
            Some(false) => {
                self.reply =
                    Some(refusal(Code::RefundUnproven, &self.correlation, self.task.payment()));
            }
            None => {
                self.reply =
                    Some(refusal(Code::ChainUnavailable, &self.correlation, self.task.payment()));
            }
        }
    }
}

fn call(object: &str, errand: ObjectRequest) -> LedgerCall {
    LedgerCall::new(object.to_owned(), message(errand))
}
