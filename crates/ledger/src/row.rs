//! The stored form of an entry, for this project's own edge: flat, money as text, and tolerant of
//! states of another version.

use alloc::string::{String, ToString};

use super::command::{Leases, Payment};
use super::entry::{Entry, RecoveryLog};
use super::state::{Lease, RefundBegin, Requester, Resend, State, Undelivered, Why};
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;

/// The bit of [`Row::resends`] that says that people pay the debt back. An earlier version takes it for
/// as many re-sends as there can be.
const BY_HAND: u64 = 1 << 32;
/// The bit of [`Row::resends`] that says that a debt was served once more.
const OWED: u64 = 1 << 33;

/// The bit of [`Row::resends`] that says that a repeat has received the stored response.
const FETCHED: u64 = 1 << 34;
/// The bits of [`Row::resends`] above these flags: how far the owner's fence is behind.
const BEHIND_FROM: u32 = 35;

/// The columns that change. Times are unix seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// [`State::name`].
    pub state: String,
    /// The last grant.
    pub fence: u64,
    /// End of the lease or of the re-send on its way.
    pub due: Option<u64>,
    /// Start of this state, if it matters.
    pub since: Option<u64>,
    /// The last send to the facilitator; of a debt, when the operator began to pay it back.
    pub sent: Option<u64>,
    /// The transaction.
    pub transaction: Option<String>,
    /// Reason of a refusal, a failed delivery or a review.
    pub reason: Option<String>,
    /// Sender of the re-send, or a mark that bytes may have left.
    pub holder: Option<String>,
    /// Whether a response is stored.
    pub sealed: bool,
    /// First sight.
    pub created: u64,
    /// Re-sends by the alarm, and a bit that says that people pay the debt back.
    pub resends: u64,
    /// The last look at the chain.
    pub read: Option<u64>,
    /// Number of the newest block at the time of the claim.
    pub seen_block: Option<u64>,
    /// Whether a response was handed out.
    pub handed: bool,
    /// Whether money may have been asked for.
    pub asked: bool,
}

impl Row {
    /// The row of `entry`.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let mut row = Self {
            state: entry.state.name(),
            fence: entry.fence,
            due: entry.wake_at().map(UnixTime::secs),
            transaction: entry.transaction().map(|hash| hash.to_text()),
            sealed: entry.sealed,
            created: entry.created.secs(),
            resends: u64::from(entry.watch.resends)
                | if entry.watch.by_hand { BY_HAND } else { 0 }
                | if entry.watch.owed { OWED } else { 0 }
                | if entry.watch.fetched { FETCHED } else { 0 }
                | u64::from(entry.watch.behind) << BEHIND_FROM,
            read: entry.watch.read.map(UnixTime::secs),
            seen_block: entry.watch.seen_block,
            handed: entry.handed,
            asked: entry.watch.asked,
            ..Self::default()
        };
        match &entry.state {
            State::Unknown { since, sent, resend, .. } => {
                row.since = Some(since.secs());
                row.sent = Some(sent.secs());
                row.holder = resend.map(|resend| sender_name(resend.sender).to_string());
            }
            State::Refused { since, sent, resend, reason } => {
                row.since = Some(since.secs());
                row.sent = Some(sent.secs());
                row.holder = resend.map(|resend| sender_name(resend.sender).to_string());
                row.reason = Some(reason.clone());
            }
            State::Settled { since, .. } => row.since = Some(since.secs()),
            State::Delivering { streaming, sold, .. } => {
                row.holder = streaming.then(|| STREAM.to_string());
                row.since = sold.map(UnixTime::secs);
            }
            State::Sold { since, .. } => row.since = Some(since.secs()),
            State::RefundDue { why, since, refunding, .. } => {
                row.since = Some(since.secs());
                row.sent = refunding.as_ref().map(|begun| begun.at.secs());
                row.holder = refunding.as_ref().and_then(|begun| begun.key.clone());
                let why = match why {
                    Undelivered::Origin => "origin",
                    Undelivered::Lost => "lost",
                    Undelivered::Dropped => "dropped",
                    Undelivered::LetGo => "let_go",
                    Undelivered::NotFetched => "not_fetched",
                    Undelivered::Unserved => "unserved",
                    Undelivered::Resolved => "resolved",
                    Undelivered::OtherTerms => "other_terms",
                };
                row.reason = Some(why.to_string());
            }
            State::Manual { why, .. } => {
                let why = match why {
                    Why::StreamLost => "stream_lost",
                    Why::UnknownState => "unknown_state",
                    Why::PaidBefore => "paid_before",
                    Why::Overdue => "overdue",
                };
                row.reason = Some(why.to_string());
            }
            State::Executing(_)
            | State::Settling(_)
            | State::Delivered { .. }
            | State::Released
            | State::Abandoned
            | State::Void
            | State::Closed => {}
            State::Refunded { refund, .. } => row.reason = Some(refund.to_text()),
            State::Waived { reason, .. } => row.reason = Some(reason.clone()),
        }
        row
    }

    /// The entry of this row. A state that this version does not know, or that lacks a value,
    /// becomes [`Why::UnknownState`] and never a default.
    #[must_use]
    pub fn into_entry(self, payment: Payment, leases: Leases) -> Entry {
        let unknown = || State::Manual { why: Why::UnknownState, transaction: self.hash() };
        let state = self.state().unwrap_or_else(unknown);
        Entry {
            payment,
            leases,
            state,
            fence: self.fence,
            sealed: self.sealed,
            created: UnixTime::from_secs(self.created),
            watch: RecoveryLog {
                resends: u32::try_from(self.resends & u64::from(u32::MAX)).unwrap_or(u32::MAX),
                read: self.read.map(UnixTime::from_secs),
                seen_block: self.seen_block,
                asked: self.asked,
                by_hand: self.resends & BY_HAND != 0,
                owed: self.resends & OWED != 0,
                fetched: self.resends & FETCHED != 0,
                behind: u16::try_from(self.resends >> BEHIND_FROM).unwrap_or(0),
            },
            handed: self.handed,
        }
    }

    fn hash(&self) -> Option<TxHash> {
        self.transaction.as_deref().and_then(TxHash::recorded)
    }

    fn state(&self) -> Option<State> {
        let lease = || self.due.map(|until| Lease { until: UnixTime::from_secs(until) });
        let since = || self.since.map(UnixTime::from_secs);
        let sent = || self.sent.map(UnixTime::from_secs);
        let resend = || match self.holder.as_deref() {
            None => Some(None),
            Some(name) => {
                let sender = sender_named(name)?;
                let until = lease()?.until;
                Some(Some(Resend { until, sender }))
            }
        };
        let holder = self.holder.as_deref();
        if self.transaction.is_some() && self.hash().is_none() {
            return None;
        }
        Some(match self.state.as_str() {
            "executing" => State::Executing(lease()?),
            "settling" => State::Settling(lease()?),
            "unknown" => State::Unknown {
                since: since()?,
                transaction: self.hash(),
                sent: sent()?,
                resend: resend()?,
            },
            "settled" => State::Settled { transaction: self.hash()?, since: since()? },
            "delivering" => State::Delivering {
                transaction: self.hash()?,
                lease: lease()?,
                streaming: match holder {
                    None => false,
                    Some(STREAM) => true,
                    Some(_) => return None,
                },
                sold: since(),
            },
            "delivered" => State::Delivered { transaction: self.hash()? },
            "sold" => State::Sold { transaction: self.hash()?, since: since()? },
            // As versions wrote it that had no state for it; a key has no space.
            "refund_due" if holder.is_some_and(|holder| holder.ends_with(" sold")) => {
                State::Sold { transaction: self.hash()?, since: since()? }
            }
            "refused" => State::Refused {
                since: since()?,
                reason: self.reason.clone()?,
                sent: sent()?,
                resend: resend()?,
            },
            "released" => State::Released,
            "abandoned" => State::Abandoned,
            "refund_due" => State::RefundDue {
                transaction: self.hash()?,
                why: match self.reason.as_deref()? {
                    "origin" => Undelivered::Origin,
                    "lost" => Undelivered::Lost,
                    "dropped" => Undelivered::Dropped,
                    "let_go" => Undelivered::LetGo,
                    "not_fetched" => Undelivered::NotFetched,
                    "unserved" => Undelivered::Unserved,
                    "resolved" => Undelivered::Resolved,
                    "other_terms" => Undelivered::OtherTerms,
                    _ => return None,
                },
                since: since()?,
                refunding: sent().map(|at| RefundBegin { at, key: self.holder.clone() }),
            },
            "void" => State::Void,
            "closed" => State::Closed,
            "refunded" => State::Refunded {
                transaction: self.hash()?,
                refund: TxHash::parse_any(self.reason.as_deref()?)?,
            },
            "waived" => State::Waived { transaction: self.hash()?, reason: self.reason.clone()? },
            "manual" => State::Manual {
                why: match self.reason.as_deref()? {
                    "stream_lost" => Why::StreamLost,
                    "paid_before" => Why::PaidBefore,
                    "overdue" => Why::Overdue,
                    _ => Why::UnknownState,
                },
                transaction: self.hash(),
            },
            _ => return None,
        })
    }
}

/// [`Row::holder`] of a row whose bytes may have left.
const STREAM: &str = "stream";

const fn sender_name(sender: Requester) -> &'static str {
    match sender {
        Requester::Claimer => "owner",
        Requester::ProvenRepeat => "heir",
        Requester::UnprovenRepeat => "stranger",
    }
}

fn sender_named(name: &str) -> Option<Requester> {
    match name {
        "owner" => Some(Requester::Claimer),
        "heir" => Some(Requester::ProvenRepeat),
        "stranger" => Some(Requester::UnprovenRepeat),
        _ => None,
    }
}
