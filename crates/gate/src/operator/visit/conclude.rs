//! Answers of a query once its objects have been asked.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use farebox_base::encoding::json::json;
use serde_json::Value;

use super::{FailureFilter, OperatorQuery, Task};
use crate::operator::export::CHANNEL_SUMS;
use crate::operator::query::ListCursor;
use crate::operator::{metrics, refusal, with_member};
use crate::reply::Reply;
use crate::units;
use crate::units::{time_member, write_item};
use farebox_base::encoding;
use farebox_base::sorted::{Sorted, by_rank};
use farebox_base::time::UnixTime;
use farebox_common::problem::Code;
use farebox_ledger::report::tally::{ACCOUNTS, Sum};
use farebox_ledger::report::{FailingClient, PaymentItem, Undecided, transitions};

impl OperatorQuery {
    /// One payment with its transitions.
    pub(super) fn shown(&self, item: &PaymentItem) -> Reply {
        let steps = transitions(&item.history, item.created_at);
        let bare = PaymentItem { history: String::new(), ..item.clone() };
        let item = write_item(&bare);
        let steps = encoding::json::text(&steps);
        let open = item.strip_suffix('}').unwrap_or_default();
        self.json([open, ",\"transitions\":", &steps, "}"].concat())
    }

    /// Refuses a decision, with the time that the reason has.
    pub(super) fn undecided(&self, why: Undecided) -> Reply {
        let (code, at) = match why {
            Undecided::WrongState => (Code::WrongState, None),
            Undecided::RefundBegun(since) => (Code::RefundBegun, Some(("refunding", since))),
            Undecided::RefundEarly(until) => (Code::RefundEarly, Some(("until", until))),
            Undecided::RefundRestored => (Code::RefundRestored, None),
            Undecided::RefundEnded => (Code::RefundEnded, None),
        };
        let reply = refusal(code, &self.correlation, self.task.payment());
        match at {
            Some((name, secs)) => with_member(reply, &time_member(name, secs)),
            None => reply,
        }
    }

    fn json(&self, document: String) -> Reply {
        Reply::text("application/json", document, &self.correlation)
    }

    /// The answer once every object has been asked.
    pub(super) fn conclude(&self) -> Reply {
        match &self.task {
            Task::List { .. } => {
                let next = encoding::json::text(&self.next.as_ref().map(ListCursor::to_text));
                let items: Vec<_> = self.items.iter().map(write_item).collect();
                self.json(["{\"items\":[", &items.join(","), "],\"next\":", &next, "}"].concat())
            }
            Task::Find { .. } | Task::Decide { .. } => {
                let code = if self.down { Code::LedgerUnavailable } else { Code::NotFound };
                refusal(code, &self.correlation, None)
            }
            Task::Totals { day, .. } => {
                let day = UnixTime::from_secs(*day).rfc3339();
                let day = day.split('T').next().unwrap_or_default();
                let items: Vec<_> = self.sums.iter().map(|(_, sum)| self.total(sum)).collect();
                self.with_sessions(json!({ "day": day, "items": items }))
            }
            Task::Audit => self.audit(),
            Task::Failures { limit, wanted } => self.failures(*limit, wanted),
            Task::Metrics { limit, now } => {
                let text = metrics::text(&metrics::Metered {
                    counts: &self.counts,
                    failing: &self.failing_counts,
                    oldest_unknown: self.oldest_unknown,
                    sizes: &self.sizes,
                    limit: *limit,
                    meters: self.meters.as_deref().unwrap_or_default(),
                    now: *now,
                });
                Reply::text("text/plain; version=0.0.4; charset=utf-8", text, &self.correlation)
            }
        }
    }

    fn total(&self, sum: &Sum) -> serde_json::Value {
        let mut total = json!({
            "network": sum.network,
            "asset": sum.asset,
            "route": sum.route,
            "settled": sum.column("settled").to_string(),
            "doubtful": sum.column("doubtful").to_string(),
        });
        if let Some(members) = total.as_object_mut() {
            for account in ACCOUNTS {
                members.insert(account.to_owned(), json!(sum.column(account).to_string()));
            }
        }
        units::add_decimals(&mut total, &["settled", "doubtful"]);
        units::add_decimals(&mut total, &ACCOUNTS);
        total
    }

    /// The answer, with what channels come to where there are some.
    fn with_sessions(&self, mut answer: Value) -> Reply {
        let sessions = self.sessions();
        if let Some(members) = answer.as_object_mut()
            && !sessions.is_empty()
        {
            members.insert("sessions".to_owned(), Value::Array(sessions));
        }
        self.json(encoding::json::text(&answer))
    }

    /// The sums of all channels, since each began.
    fn sessions(&self) -> Vec<Value> {
        let mut all = self.channels.clone().unwrap_or_default();
        for sum in &mut all {
            units::add_decimals(sum, &CHANNEL_SUMS);
        }
        all
    }

    /// The clients that fail most, and the number of failing clients at each route.
    fn failures(&self, limit: u64, wanted: &FailureFilter) -> Reply {
        let agrees = |wanted: &Option<String>, text: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == text)
        };
        let failing: Vec<&FailingClient> = self
            .failing
            .iter()
            .filter(|it| agrees(&wanted.code, &it.code) && agrees(&wanted.route, &it.route))
            .collect();
        let mut failing = by_rank(failing, |it| (!it.attempts, !it.times));
        let mut routes: Sorted<(&str, &str), (u64, u64)> = Sorted::new();
        for it in &failing {
            let (clients, attempts) = routes.get_or((&it.route, &it.code), Default::default);
            *clients = clients.saturating_add(1);
            *attempts = attempts.saturating_add(it.attempts);
        }
        let routes: Vec<_> = routes
            .into_iter()
            .map(|((route, code), (clients, attempts))| {
                json!({ "route": route, "code": code, "clients": clients, "attempts": attempts })
            })
            .collect();
        failing.truncate(usize::try_from(limit).unwrap_or(1));
        let mut items = encoding::json::value(&failing);
        for item in items.as_array_mut().into_iter().flatten() {
            units::add_date(item, "first_at", "first");
            units::add_date(item, "last_at", "last");
        }
        self.json(encoding::json::text(&json!({ "items": items, "routes": routes })))
    }

    fn audit(&self) -> Reply {
        let mut assets: Sorted<[String; 2], Sum> = Sorted::new();
        for ([network, asset, _], sum) in self.sums.iter() {
            let place = [network.clone(), asset.clone()];
            assets.get_or(place, Sum::default).merge(sum);
        }
        let items: Vec<_> = assets
            .into_iter()
            .map(|([network, asset], sum)| {
                let difference = sum.difference();
                let mut item = self.total(&Sum { network, asset, ..sum });
                if let Some(members) = item.as_object_mut() {
                    members.remove("route");
                    members.insert("difference".to_owned(), json!(difference));
                }
                item
            })
            .collect();
        self.with_sessions(json!({ "items": items }))
    }
}
