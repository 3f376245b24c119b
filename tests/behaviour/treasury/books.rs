//! Books in memory: maps, and nothing that decides.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use farebox_core::a2a::link::PaymentLink;
use farebox_core::treasury::books::{Change, OpenOf, Page, Rows};
use farebox_core::treasury::escrow::row::{EscrowRow, NonceRow};
use farebox_core::treasury::row::{
    AgentRow, AttemptRow, BudgetRow, DecisionRow, Kept, KeptAnswers, LogRow, Money, Notice,
    OpenPayments, Parcel, PolicyRow, Removal, ReviewRow, Scope, TokenRow, Trace, Turn,
};

/// The rows of one organization.
#[derive(Clone, Debug, Default)]
pub struct MemoryRows {
    pub agents: BTreeMap<String, AgentRow>,
    pub tokens: BTreeMap<String, TokenRow>,
    pub policies: BTreeMap<String, PolicyRow>,
    pub decisions: BTreeMap<String, DecisionRow>,
    pub attempts: BTreeMap<String, AttemptRow>,
    pub parcels: BTreeMap<String, Parcel>,
    /// Their lengths, measured once: there are thousands, and they are asked for again and again.
    pub lengths: BTreeMap<String, u64>,
    /// The attempts that began and have not ended.
    pub open: BTreeSet<String>,
    pub budgets: BTreeMap<String, BudgetRow>,
    pub reviews: BTreeMap<String, ReviewRow>,
    pub log: BTreeMap<u64, LogRow>,
    pub outbox: Vec<Notice>,
    pub seed: Option<String>,
    pub traces: BTreeSet<String>,
    pub removal: Option<Removal>,
    pub kept_answers: KeptAnswers,
    pub escrows: BTreeMap<String, EscrowRow>,
    pub links: BTreeMap<String, PaymentLink>,
    pub nonces: BTreeMap<String, NonceRow>,
    pub claims: BTreeMap<String, (String, u64)>,
}

impl MemoryRows {
    pub fn write(&mut self, changes: Vec<Change>) {
        for change in changes {
            match change {
                Change::Agent(row) => _ = self.agents.insert(row.name.clone(), row),
                Change::Token(row) => _ = self.tokens.insert(row.id.clone(), row),
                Change::TokenGone(id) => _ = self.tokens.remove(&id),
                Change::Policy(row) => _ = self.policies.insert(row.scope.key(), row),
                Change::Decision(row) => {
                    let is_other = |it: &DecisionRow| it.id != row.id && it.agent == row.agent;
                    let has_it = self
                        .decisions
                        .values()
                        .any(|it| row.key.is_some() && it.key == row.key && is_other(it));
                    assert!(!has_it, "a key stands for two decisions");
                    let is_known = DecisionRow::OUTCOMES.contains(&row.outcome.as_str());
                    assert!(is_known, "{} cannot be listed", row.outcome);
                    self.decisions.insert(row.id.clone(), *row);
                }
                Change::Begin(row, parcel) => {
                    assert!(!self.attempts.contains_key(&row.id), "an attempt begins twice");
                    let has_it = self
                        .attempts
                        .values()
                        .any(|known| known.payment() == row.payment() && holds_its_nonce(known));
                    assert!(!has_it, "a nonce is signed twice");
                    let length = serde_json::to_string(&*parcel).unwrap().len();
                    self.lengths.insert(row.id.clone(), length as u64);
                    self.parcels.insert(row.id.clone(), *parcel);
                    self.open.insert(row.id.clone());
                    self.attempts.insert(row.id.clone(), *row);
                }
                Change::Attempt(row) => {
                    let known = self.attempts.insert(row.id.clone(), *row);
                    assert!(known.is_some(), "an attempt changes that never began");
                }
                Change::RequestGone(id) => _ = self.parcels.remove(&id),
                Change::Ended(row) => {
                    self.parcels.remove(&row.id);
                    self.open.remove(&row.id);
                    let known = self.attempts.insert(row.id.clone(), *row);
                    assert!(known.is_some(), "an attempt ends that never began");
                }
                Change::KeptAnswers(kept) => self.kept_answers = kept,
                Change::Budget(row) => _ = self.budgets.insert(row.scope.key(), row),
                Change::Review(row) => _ = self.reviews.insert(row.id.clone(), *row),
                Change::Log(row) => {
                    let number = self.log.last_key_value().map_or(1, |(number, _)| number + 1);
                    self.log.insert(number, row);
                }
                Change::Outbox(notice) => {
                    if self.outbox.iter().all(|known| known.id != notice.id) {
                        self.outbox.push(notice);
                    }
                }
                Change::Seed(hash) => self.seed = Some(hash),
                Change::Gone(Kept::Decisions, id) => _ = self.decisions.remove(&id),
                Change::Gone(Kept::Attempts, id) => {
                    self.attempts.remove(&id);
                    self.parcels.remove(&id);
                    self.open.remove(&id);
                }
                Change::Gone(Kept::Reviews, id) => _ = self.reviews.remove(&id),
                Change::Gone(Kept::Log, number) => _ = self.log.remove(&number.parse().unwrap()),
                Change::Trace(Trace { name, .. }) => _ = self.traces.insert(name),
                Change::Removal(removal) => self.removal = Some(removal),
                Change::Escrow(row) => _ = self.escrows.insert(row.id.clone(), *row),
                Change::Link(row) => _ = self.links.insert(row.id.clone(), *row),
                Change::Claim(name, link, until) => _ = self.claims.insert(name, (link, until)),
                Change::ClaimsGone(now) => self.claims.retain(|_, (_, until)| *until > now),
                Change::Nonces(row) => _ = self.nonces.insert(row.wallet.clone(), row),
            }
        }
    }
}

impl MemoryRows {
    fn open_where(&self, is_it: impl Fn(&AttemptRow) -> bool) -> OpenPayments {
        let rows = self.attempts.values().filter(|row| self.open.contains(&row.id) && is_it(row));
        let bytes = |row: &AttemptRow| {
            self.parcels.get(&row.id).and(self.lengths.get(&row.id)).copied().unwrap_or(0)
        };
        rows.fold(OpenPayments::default(), |sum, row| OpenPayments {
            count: sum.count + 1,
            bytes: sum.bytes + bytes(row),
        })
    }
}

/// Whether no other attempt may have its nonce.
fn holds_its_nonce(row: &AttemptRow) -> bool {
    row.money != Money::Void || row.header.is_some()
}

fn part<T: Clone>(
    mut rows: Vec<T>,
    page: &Page,
    place: impl Fn(&T) -> (u64, String),
    newest_first: bool,
) -> Vec<T> {
    rows.sort_by_key(&place);
    if newest_first {
        rows.reverse();
    }
    let is_after = |row: &T| match &page.after {
        None => true,
        Some(after) if newest_first => place(row) < *after,
        Some(after) => place(row) > *after,
    };
    rows.into_iter().filter(is_after).take(page.limit as usize).collect()
}

fn named<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

impl Rows for MemoryRows {
    type Error = Infallible;

    fn agent(&self, name: &str) -> Result<Option<AgentRow>, Infallible> {
        Ok(self.agents.get(name).cloned())
    }

    fn agents(&self) -> Result<Vec<AgentRow>, Infallible> {
        Ok(self.agents.values().cloned().collect())
    }

    fn token(&self, id: &str) -> Result<Option<TokenRow>, Infallible> {
        Ok(self.tokens.get(id).cloned())
    }

    fn tokens(&self, agent: &str) -> Result<Vec<TokenRow>, Infallible> {
        let is_its = |row: &&TokenRow| row.agent == agent;
        let mut rows: Vec<_> = self.tokens.values().filter(is_its).cloned().collect();
        rows.sort_by_key(|row| (row.created, row.id.clone()));
        Ok(rows)
    }

    fn policy(&self, scope: &Scope) -> Result<Option<PolicyRow>, Infallible> {
        Ok(self.policies.get(&scope.key()).cloned())
    }

    fn decision(&self, id: &str) -> Result<Option<DecisionRow>, Infallible> {
        Ok(self.decisions.get(id).cloned())
    }

    fn decision_by_key(&self, agent: &str, key: &str) -> Result<Option<DecisionRow>, Infallible> {
        let is_it = |row: &&DecisionRow| row.agent == agent && row.key.as_deref() == Some(key);
        Ok(self.decisions.values().find(is_it).cloned())
    }

    fn open_of(&self, agent: &str, limit: u32) -> Result<Vec<DecisionRow>, Infallible> {
        let rows = self.decisions.values().filter(|row| row.open && row.agent == agent);
        let mut rows: Vec<_> = rows.cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.created, row.id.clone())));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn open_decisions(&self, agent: &str, request: &str) -> Result<Vec<DecisionRow>, Infallible> {
        let is_it = |row: &&DecisionRow| row.open && row.agent == agent && row.request == request;
        let mut rows: Vec<_> = self.decisions.values().filter(is_it).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.created));
        rows.iter_mut().for_each(|row| row.body.clear());
        Ok(rows)
    }

    fn attempt(&self, id: &str) -> Result<Option<AttemptRow>, Infallible> {
        Ok(self.attempts.get(id).cloned())
    }

    fn attempt_by_payment(&self, payment: &str) -> Result<Option<AttemptRow>, Infallible> {
        let is_it = |row: &&AttemptRow| row.payment() == payment && holds_its_nonce(row);
        Ok(self.attempts.values().find(is_it).cloned())
    }

    fn attempt_by_receipt(&self, receipt: &str) -> Result<Option<AttemptRow>, Infallible> {
        Ok(self.attempts.values().find(|row| row.receipt_id == receipt).cloned())
    }

    fn parcel(&self, attempt: &str) -> Result<Option<Parcel>, Infallible> {
        Ok(self.parcels.get(attempt).cloned())
    }

    fn waiting(&self, turn: Turn) -> Result<Vec<String>, Infallible> {
        let rows = self.attempts.values().filter(|row| row.turn() == turn && row.due.is_some());
        let names: BTreeSet<_> = rows.map(|row| row.agent.clone()).collect();
        Ok(names.into_iter().collect())
    }

    fn open_payments(&self, of: OpenOf<'_>) -> Result<OpenPayments, Infallible> {
        Ok(self.open_where(|row| match of {
            OpenOf::Payee { agent, merchant, payee } => {
                row.agent == agent && row.merchant == merchant && row.to == payee
            }
            OpenOf::Merchant { agent, merchant } => row.agent == agent && row.merchant == merchant,
            OpenOf::Agent(agent) => row.agent == agent,
            OpenOf::All => true,
        }))
    }

    fn due(
        &self,
        turn: Turn,
        agent: &str,
        without: &[&str],
        now: u64,
        limit: u32,
    ) -> Result<Vec<AttemptRow>, Infallible> {
        let is_due = |row: &&AttemptRow| {
            row.turn() == turn
                && row.agent == agent
                && !without.contains(&row.merchant.as_str())
                && row.due.is_some_and(|due| due <= now)
        };
        let mut rows: Vec<_> = self.attempts.values().filter(is_due).cloned().collect();
        rows.sort_by_key(|row| row.due);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn budget(&self, scope: &Scope) -> Result<Option<BudgetRow>, Infallible> {
        Ok(self.budgets.get(&scope.key()).cloned())
    }

    fn review(&self, id: &str) -> Result<Option<ReviewRow>, Infallible> {
        Ok(self.reviews.get(id).cloned())
    }

    fn decisions(&self, page: &Page) -> Result<Vec<DecisionRow>, Infallible> {
        let fits = |row: &&DecisionRow| {
            page.agent.as_ref().is_none_or(|agent| row.agent == *agent)
                && page.outcome.as_ref().is_none_or(|outcome| row.outcome == *outcome)
        };
        let rows = self.decisions.values().filter(fits).cloned().collect();
        Ok(part(rows, page, |row| (row.created, row.id.clone()), true))
    }

    fn attempts(&self, page: &Page) -> Result<Vec<AttemptRow>, Infallible> {
        let fits = |row: &&AttemptRow| {
            page.agent.as_ref().is_none_or(|agent| row.agent == *agent)
                && page.outcome.as_ref().is_none_or(|money| named(&row.money) == *money)
        };
        let rows = self.attempts.values().filter(fits).cloned().collect();
        Ok(part(rows, page, |row| (row.counted, row.id.clone()), false))
    }

    fn reviews(&self, page: &Page) -> Result<Vec<ReviewRow>, Infallible> {
        let fits = |row: &&ReviewRow| {
            page.agent.as_ref().is_none_or(|agent| row.agent == *agent)
                && page.outcome.as_ref().is_none_or(|verdict| named(&row.verdict) == *verdict)
        };
        let rows = self.reviews.values().filter(fits).cloned().collect();
        Ok(part(rows, page, |row| (row.created, row.id.clone()), true))
    }

    fn log(&self, page: &Page) -> Result<Vec<(u64, LogRow)>, Infallible> {
        let rows = self.log.iter().map(|(number, row)| (*number, row.clone())).collect();
        Ok(part(rows, page, |(number, _)| (*number, String::new()), true))
    }

    fn outcomes(&self) -> Result<Vec<(String, String, u64)>, Infallible> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for row in self.decisions.values() {
            *counts.entry((row.outcome.clone(), row.code.clone())).or_default() += row.times;
        }
        Ok(counts.into_iter().map(|((outcome, code), count)| (outcome, code, count)).collect())
    }

    fn seed(&self) -> Result<Option<String>, Infallible> {
        Ok(self.seed.clone())
    }

    fn removal(&self) -> Result<Option<Removal>, Infallible> {
        Ok(self.removal.clone())
    }

    fn kept_answers(&self) -> Result<KeptAnswers, Infallible> {
        Ok(self.kept_answers.clone())
    }

    fn leaving(&self, limit: u32) -> Result<Vec<(u64, String)>, Infallible> {
        let rows = self.decisions.values();
        let mut rows: Vec<_> = rows.filter_map(|row| Some((row.leaves?, row.id.clone()))).collect();
        rows.sort();
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn oldest(
        &self,
        removal: &Removal,
        before: u64,
        limit: u32,
    ) -> Result<Vec<(u64, String)>, Infallible> {
        let mut rows: Vec<(u64, String)> = match removal.kind {
            Kept::Decisions => {
                self.decisions.values().map(|row| (row.created, row.id.clone())).collect()
            }
            Kept::Attempts => {
                self.attempts.values().map(|row| (row.counted, row.id.clone())).collect()
            }
            Kept::Reviews => {
                self.reviews.values().map(|row| (row.created, row.id.clone())).collect()
            }
            Kept::Log => {
                let old = self.log.iter().filter(|(_, row)| row.at < before);
                old.map(|(number, _)| (*number, number.to_string())).collect()
            }
        };
        rows.retain(|row| row > &removal.after && (removal.kind == Kept::Log || row.0 < before));
        rows.sort();
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn escrow(&self, id: &str) -> Result<Option<EscrowRow>, Infallible> {
        Ok(self.escrows.get(id).cloned())
    }

    fn link(&self, id: &str) -> Result<Option<PaymentLink>, Infallible> {
        Ok(self.links.get(id).cloned())
    }

    fn claim(&self, name: &str) -> Result<Option<String>, Infallible> {
        Ok(self.claims.get(name).map(|(link, _)| link.clone()))
    }

    fn claims_end(&self) -> Result<Option<u64>, Infallible> {
        Ok(self.claims.values().map(|(_, until)| *until).min())
    }

    fn links_due(&self, now: u64, limit: u32) -> Result<Vec<PaymentLink>, Infallible> {
        let is_due = |row: &&PaymentLink| row.due.is_some_and(|due| due <= now);
        let mut rows: Vec<_> = self.links.values().filter(is_due).cloned().collect();
        rows.sort_by_key(|row| row.due);
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn escrows_due(&self, now: u64, limit: u32) -> Result<Vec<EscrowRow>, Infallible> {
        let is_due = |row: &&EscrowRow| row.due.is_some_and(|due| due <= now);
        let mut rows: Vec<_> = self.escrows.values().filter(is_due).cloned().collect();
        rows.sort_by_key(|row| (!row.is_flying(), row.due));
        rows.truncate(limit as usize);
        Ok(rows)
    }

    fn is_flying_beside(&self, wallet: &str, id: &str) -> Result<bool, Infallible> {
        let is_other = |row: &EscrowRow| row.wallet == wallet && row.id != id && row.is_flying();
        Ok(self.escrows.values().any(is_other))
    }

    fn nonces(&self, wallet: &str) -> Result<Option<NonceRow>, Infallible> {
        Ok(self.nonces.get(wallet).cloned())
    }

    fn is_traced(&self, name: &str) -> Result<bool, Infallible> {
        Ok(self.traces.contains(name))
    }
}
