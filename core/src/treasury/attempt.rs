//! One payment: reserved and written before it is signed, signed once, sent, and its answer kept.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_json::json;

use super::answer::{DecisionAnswer, EXECUTING, NOT_SENT, REVIEW, merchant};
use super::books::{Books, Change};
use super::budget::worth;
use super::config::Key;
use super::decide::{Chosen, Draft, denied};
use super::id::Fresh;
use super::merchant::{sent as sent_headers, shown};
use super::message::{Answer, MerchantAnswer, Order, Preparation};
use super::outcome::Outcome;
use super::payout::settlement;
use super::row::{
    AttemptRow, BudgetRow, DecisionRow, Kept, Money, Parcel, ReceiptFacts, ReviewRow, Stage,
    Verdict,
};
use super::terms::{Terms, Unpayable, insufficient};
use super::{Decided, SLACK_SECS, Scene, Treasury, notice, refused};
use crate::amount::Amount;
use crate::client::challenge::Challenge;
use crate::client::prepare::Prepared;
use crate::encoding::hex;
use crate::evm::account::Account;
use crate::evm::address::Address;
use crate::evm::eip712::Domain;
use crate::evm::eip3009::Authorization;
use crate::evm::rpc::reply::Replies;
use crate::evm::rpc::{At, Call, batch};
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// Seconds for the signer and the node.
const PREPARE_SECS: u64 = 20;

/// What a report may change: the attempt and its decision, while its fence is the last one.
pub(super) struct Held {
    pub attempt: AttemptRow,
    pub decision: DecisionRow,
}

impl Treasury {
    /// Writes the attempt with its exact bytes, and counts it.
    pub(super) fn reserve(&self, mut draft: Draft<'_>, chosen: Chosen<'_>) -> Decided {
        let Scene { now, .. } = draft.scene;
        let Some(from) = chosen.wallet.address() else {
            return Decided::told(Answer::Reply(refused::internal()));
        };
        let mut decision = self.row(&mut draft, Some(&chosen.offer));
        let said = DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING);
        said.write(&mut decision, now.secs());
        (decision.stage, decision.open) = (Stage::Executing, true);
        let prepared = Prepared::new(chosen.offer.clone(), from, draft.fresh.nonce, now);
        let signed = &prepared.authorization;
        let mut headers = sent_headers(&draft.request.headers);
        if !headers.iter().any(|(name, _)| name == "idempotency-key") {
            headers.push(("idempotency-key".to_string(), decision.attempt.clone()));
        }
        let parcel = Parcel {
            method: draft.request.method.clone(),
            url: draft.request.url.clone(),
            headers,
            body: draft.request.body.clone(),
            challenge_headers: draft.request.challenge_headers.clone(),
            challenge_body: draft.request.challenge_body.clone(),
            protocol: draft.request.protocol.clone(),
            offer: u32::try_from(chosen.place).unwrap_or(u32::MAX),
            realms: chosen.terms.realms(),
        };
        let mut attempt = AttemptRow {
            id: decision.attempt.clone(),
            decision: decision.id.clone(),
            agent: decision.agent.clone(),
            money: Money::Reserved,
            fence: 1,
            lease: None,
            due: None,
            wallet: chosen.wallet.name.clone(),
            network: chosen.offer.asset.network.to_string(),
            contract: chosen.offer.asset.address.to_checksum(),
            symbol: chosen.offer.asset.symbol.clone(),
            decimals: chosen.offer.asset.decimals,
            from: signed.from.to_checksum(),
            to: signed.to.to_checksum(),
            value: signed.value.to_string(),
            nonce: hex::encode_prefixed(&signed.nonce),
            valid_after: signed.valid_after.secs(),
            valid_before: signed.valid_before.secs(),
            counted: now.secs(),
            header: None,
            resends: 0,
            reads: 0,
            why: None,
            receipt: None,
            receipt_id: draft.fresh.receipt.clone(),
        };
        let node = self.node(&chosen.offer.asset.network).map(ToString::to_string);
        let signer = match &chosen.wallet.key {
            Key::Bound(name, _) => Some((name.clone(), prepared.typed_data().to_string())),
            Key::Held(_) | Key::Missing(_) => None,
        };
        let mut changes = core::mem::take(&mut draft.changes);
        let answer = match &chosen.wallet.key {
            Key::Held(account) if node.is_none() => {
                match self.sign(account, &prepared, &chosen.challenge, &mut attempt, now) {
                    Some(()) => Answer::Send(Box::new(self.order(&attempt, &parcel, now))),
                    None => return Decided::told(Answer::Reply(refused::internal())),
                }
            }
            Key::Held(_) | Key::Bound(..) | Key::Missing(_) => {
                attempt.lease = Some(now.plus(PREPARE_SECS).secs());
                attempt.due = attempt.lease;
                let call = Call::Balance {
                    asset: chosen.offer.asset.address,
                    holder: from,
                    at: At::Latest,
                };
                let balance = node.map(|node| (node, batch(&[call])));
                let (attempt, fence) = (attempt.id.clone(), attempt.fence);
                Answer::Prepare(Box::new(Preparation { attempt, fence, signer, balance }))
            }
        };
        changes.push(Change::Decision(Box::new(decision)));
        changes.push(Change::Begin(Box::new(attempt), Box::new(parcel)));
        if !planted(Mutant::ReservesNothing) {
            changes.extend(chosen.budgets.into_iter().map(Change::Budget));
        }
        Decided { answer, changes }
    }

    /// Signs with a key of our own: exactly what is written in the attempt.
    fn sign(
        &self,
        account: &Account,
        prepared: &Prepared,
        challenge: &Challenge,
        attempt: &mut AttemptRow,
        now: UnixTime,
    ) -> Option<()> {
        let asset = &prepared.offer.asset;
        let domain = Domain {
            name: &asset.name,
            version: &asset.version,
            chain_id: prepared.offer.chain_id,
            verifying_contract: asset.address,
        };
        let digest = prepared.authorization.digest(&domain.separator());
        let signature = hex::encode_prefixed(&account.sign(&digest)?.to_bytes());
        self.seal(&signature, prepared, challenge, attempt, now)
    }

    /// Keeps a signature as the header to send; `None` if it is not one of exactly this payment.
    fn seal(
        &self,
        signature: &str,
        prepared: &Prepared,
        challenge: &Challenge,
        attempt: &mut AttemptRow,
        now: UnixTime,
    ) -> Option<()> {
        let names = challenge.extensions.as_ref();
        let identifies = names.is_some_and(|all| all.contains_key("payment-identifier"));
        let identifier = identifies.then_some(attempt.id.as_str());
        let (name, value) = prepared.header(signature, challenge, identifier).ok()?;
        attempt.header = Some((name.to_string(), value));
        attempt.money = Money::Signed;
        attempt.lease = Some(now.plus(self.send_secs).plus(SLACK_SECS).secs());
        attempt.due = attempt.lease;
        Some(())
    }

    /// The request to the merchant.
    pub(super) fn order(&self, attempt: &AttemptRow, parcel: &Parcel, now: UnixTime) -> Order {
        let mut headers = parcel.headers.clone();
        let body = match attempt.is_payout() {
            true => settlement::body(attempt, &parcel.challenge_headers),
            false => {
                headers.extend(attempt.header.clone());
                parcel.body.clone()
            }
        };
        Order {
            attempt: attempt.id.clone(),
            fence: attempt.fence,
            method: parcel.method.clone(),
            url: parcel.url.clone(),
            headers,
            body,
            until: now.plus(self.send_secs).secs().min(attempt.valid_before),
        }
    }

    /// The attempt that a report is about, if its sender still holds it; otherwise the answer.
    pub(super) fn held<B: Books>(
        &self,
        books: &B,
        id: &str,
        fence: u64,
        money: Money,
    ) -> Result<Result<Held, Decided>, B::Error> {
        let told = |reply| Ok(Err(Decided::told(Answer::Reply(reply))));
        let Some(attempt) = books.attempt(id)? else { return told(refused::internal()) };
        let Some(decision) = books.decision(&attempt.decision)? else {
            return told(refused::internal());
        };
        let is_held = attempt.fence == fence || planted(Mutant::OldFencesCount);
        if is_held && attempt.money == money && decision.stage == Stage::Executing {
            return Ok(Ok(Held { attempt, decision }));
        }
        told(self.reply(&decision))
    }

    /// Takes what signer and node said, and signs.
    pub(super) fn prepared<B: Books>(
        &self,
        books: &B,
        (id, fence): (&str, u64),
        signature: Option<&str>,
        balance: Option<&str>,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let Held { mut attempt, decision } = match self.held(books, id, fence, Money::Reserved)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let now = scene.now;
        let agent = books.agent(&attempt.agent)?;
        let may = attempt.is_payout() || agent.is_some_and(|agent| !agent.disabled);
        if !may && !planted(Mutant::DisabledWhileAsked) {
            let why = Unpayable::deny("policy_denied", "Policy denied: the agent was disabled.");
            return self.release(books, attempt, decision, why, scene);
        }
        let Some(parcel) = books.parcel(id)? else {
            return Ok(Decided::told(Answer::Reply(refused::internal())));
        };
        let Some((prepared, challenge)) = self.restored(&attempt, &parcel) else {
            let why = Unpayable::preflight("The terms cannot be read again.");
            return self.release(books, attempt, decision, why, scene);
        };
        let available = balance.and_then(balance_in);
        let required = prepared.authorization.value;
        if let Some(available) = available
            && available < required
        {
            let notice = Some(Box::new(notice::wallet_short(&attempt, available, now)));
            let why = Unpayable { notice, ..insufficient(required, available, &prepared.offer) };
            return self.release(books, attempt, decision, why, scene);
        }
        let wallet = self.wallets.iter().find(|wallet| wallet.name == attempt.wallet);
        let signed = match (wallet.map(|wallet| &wallet.key), signature) {
            (Some(Key::Held(account)), _) => {
                self.sign(account, &prepared, &challenge, &mut attempt, now)
            }
            (Some(Key::Bound(..)), Some(signature)) => {
                self.seal(signature, &prepared, &challenge, &mut attempt, now)
            }
            (Some(Key::Bound(..) | Key::Missing(_)) | None, _) => None,
        };
        if signed.is_none() {
            let reason = "The wallet did not sign this payment.";
            let why = Unpayable::preflight(reason);
            return self.release(books, attempt, decision, why, scene);
        }
        let order = self.order(&attempt, &parcel, now);
        let changes = Vec::from([Change::Attempt(Box::new(attempt))]);
        Ok(Decided { answer: Answer::Send(Box::new(order)), changes })
    }

    /// Gives up a payment that was never signed.
    fn release<B: Books>(
        &self,
        books: &B,
        attempt: AttemptRow,
        mut decision: DecisionRow,
        why: Unpayable,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures);
        said.write(&mut decision, scene.now.secs());
        (decision.stage, decision.open) = (Stage::Final, false);
        let reply = self.reply(&decision);
        let id = attempt.id.clone();
        let counted = match decision.is_payout() {
            true => None,
            false => Some(denied(books, &decision.agent, scene.now)?),
        };
        let mut changes = self.void(books, attempt, scene.now)?;
        changes.extend(why.notice.map(|notice| Change::Outbox(*notice)));
        match counted {
            // As of other denials that are too many, nothing is kept.
            Some(None) => {
                changes.push(Change::Gone(Kept::Attempts, id));
                changes.push(Change::Gone(Kept::Decisions, decision.id));
            }
            Some(Some(agent)) => {
                changes.push(Change::Agent(agent));
                changes.push(Change::Decision(Box::new(decision)));
            }
            None => changes.push(Change::Decision(Box::new(decision))),
        }
        Ok(Decided { answer: Answer::Reply(reply), changes })
    }

    /// Gives up a payment that was interrupted before any of it was sent. An approval that it used
    /// serves again.
    pub(super) fn interrupted<B: Books>(
        &self,
        books: &B,
        attempt: AttemptRow,
        decision: &mut DecisionRow,
        scene: Scene<'_>,
    ) -> Result<Vec<Change>, B::Error> {
        let now = scene.now;
        // What was signed uses it up: one decision signs once.
        let review = match &decision.review {
            Some(id) if attempt.header.is_none() && !planted(Mutant::CrashesUseApprovals) => {
                books.review(id)?
            }
            _ => None,
        };
        let is_usable = |it: &ReviewRow| it.verdict == Verdict::Used && now.secs() < it.expires;
        if let Some(mut review) = review.filter(is_usable) {
            let mut changes = self.void(books, attempt, now)?;
            review.verdict = Verdict::Approved;
            decision.attempt = Fresh::of(scene.random).attempt;
            let said = DecisionAnswer::new("deny", "policy_review_required", REVIEW);
            said.write(decision, now.secs());
            (decision.stage, decision.open) = (Stage::Review, true);
            changes.push(Change::Review(Box::new(review)));
            changes.push(Change::Decision(Box::new(decision.clone())));
            return Ok(changes);
        }
        let mut said =
            DecisionAnswer::new("execution_failed", "merchant_execution_failed", NOT_SENT);
        said.merchant = Some(merchant(503, Vec::new(), ""));
        said.evidence = Some(json!({"sent": false}));
        said.write(decision, now.secs());
        (decision.stage, decision.open) = (Stage::Final, false);
        let mut changes = self.void(books, attempt, now)?;
        changes.push(Change::Decision(Box::new(decision.clone())));
        Ok(changes)
    }

    /// Ends an attempt whose money never moves, and gives its budgets back.
    pub(super) fn void<B: Books>(
        &self,
        books: &B,
        mut attempt: AttemptRow,
        now: UnixTime,
    ) -> Result<Vec<Change>, B::Error> {
        let mut changes = Vec::new();
        let value = Amount::from_atomic(&attempt.value).ok();
        let worth = value.and_then(|value| worth(value, attempt.decimals));
        let counted = UnixTime::from_secs(attempt.counted);
        for scope in attempt.scopes() {
            let row = books.budget(&scope)?;
            let (Some(row), Some(worth)) = (row, worth) else { continue };
            let row: BudgetRow = row.at(now).minus(&attempt.symbol, worth, counted);
            changes.push(Change::Budget(row));
        }
        attempt.money = Money::Void;
        attempt.fence = attempt.fence.saturating_add(1);
        (attempt.lease, attempt.due, attempt.why) = (None, None, None);
        changes.push(Change::Attempt(Box::new(attempt)));
        Ok(changes)
    }

    /// The payment of an attempt as it was prepared, and its challenge.
    pub(super) fn restored(
        &self,
        attempt: &AttemptRow,
        parcel: &Parcel,
    ) -> Option<(Prepared, Challenge)> {
        let counted = UnixTime::from_secs(attempt.counted);
        let challenge = Terms::kept(parcel).read(counted).ok()?;
        let offer = challenge.offers.get(usize::try_from(parcel.offer).ok()?)?.clone();
        let authorization = Authorization {
            from: Address::parse(&attempt.from).ok()?,
            to: Address::parse(&attempt.to).ok()?,
            value: Amount::from_atomic(&attempt.value).ok()?,
            valid_after: UnixTime::from_secs(attempt.valid_after),
            valid_before: UnixTime::from_secs(attempt.valid_before),
            nonce: hex::decode_array(&attempt.nonce).ok()?,
        };
        let is_it = offer.pay_to == authorization.to && offer.amount == authorization.value;
        is_it.then_some((Prepared { offer, authorization, transaction: None }, challenge))
    }

    /// Takes a merchant's answer.
    pub(super) fn answered<B: Books>(
        &self,
        books: &B,
        (id, fence): (&str, u64),
        answer: &MerchantAnswer,
        sent: u32,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let held = match self.held(books, id, fence, Money::Signed)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let Some(parcel) = books.parcel(id)? else {
            return Ok(Decided::told(Answer::Reply(refused::internal())));
        };
        let repeated = sent > 1 || held.attempt.resends > 0;
        if held.attempt.is_payout() {
            return Ok(self.paid_out(held, answer, repeated, scene));
        }
        let outcome = match self.restored(&held.attempt, &parcel) {
            Some((prepared, _)) => Outcome::read(answer, &prepared, &parcel.url, repeated),
            None => Outcome::lost(),
        };
        Ok(self.conclude(held, outcome, Some(answer), scene))
    }

    /// Ends a decision. The money stays counted: only the chain knows what becomes of it.
    pub(super) fn conclude(
        &self,
        held: Held,
        outcome: Outcome,
        answer: Option<&MerchantAnswer>,
        scene: Scene<'_>,
    ) -> Decided {
        let Held { mut attempt, mut decision } = held;
        let now = scene.now.secs();
        if outcome.has_receipt {
            let transaction = outcome.transaction.clone();
            attempt.receipt = Some(ReceiptFacts::told(transaction, outcome.fulfillment, now));
        }
        let mut said = DecisionAnswer::new(outcome.name, outcome.code, outcome.reason);
        let is_open = outcome.name == "inconclusive";
        let told = answer.filter(|_| !is_open);
        said.merchant = told.map(|it| merchant(it.status, shown(it), &it.body));
        let request = (decision.method.as_str(), decision.url.as_str());
        said.receipt = self.receipt(scene.organization, request, &attempt);
        let is_paid = outcome.name == "paid_fulfillment_failed";
        said.settlement = is_paid.then_some("merchant_verifiable_success");
        let is_told = outcome.name != "allow" || decision.is_payout();
        said.evidence = outcome.evidence.filter(|_| is_told);
        said.write(&mut decision, now);
        (decision.stage, decision.open) = (Stage::Final, is_open);
        attempt.lease = None;
        self.watch(&mut attempt, scene.now);
        if planted(Mutant::RefusalsAreVoid) && outcome.name == "execution_failed" {
            (attempt.money, attempt.due) = (Money::Void, None);
        }
        let is_sent = decision.is_payout() && outcome.name == "allow";
        if planted(Mutant::FacilitatorsAreBelieved) && is_sent {
            (attempt.money, attempt.due) = (Money::Spent, None);
        }
        let reply = self.reply(&decision);
        let mut changes = Vec::new();
        if outcome.is_conflict {
            let notice = notice::settlement_conflict(&decision, &attempt, scene.now);
            changes.push(Change::Outbox(notice));
        }
        if is_open && attempt.due.is_none() {
            // The chain is not read, so that no one learns more.
            let notice = notice::decision_inconclusive(&decision, &attempt, scene.now);
            changes.push(Change::Outbox(notice));
        }
        changes.push(Change::Attempt(Box::new(attempt)));
        changes.push(Change::Decision(Box::new(decision)));
        Decided { answer: Answer::Reply(reply), changes }
    }

    /// Takes that no answer came. What never left moves no money; what the alarm sends was perhaps
    /// sent before.
    pub(super) fn lost<B: Books>(
        &self,
        books: &B,
        (id, fence): (&str, u64),
        sent: bool,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let held = match self.held(books, id, fence, Money::Signed)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let is_repeat = held.attempt.resends > 0 && !planted(Mutant::RepeatsWereNeverSent);
        if sent || is_repeat {
            return Ok(self.conclude(held, Outcome::lost(), None, scene));
        }
        let Held { attempt, mut decision } = held;
        let changes = self.interrupted(books, attempt, &mut decision, scene)?;
        Ok(Decided { answer: Answer::Reply(self.reply(&decision)), changes })
    }
}

/// The balance in a node's reply; `None` if it is not there.
fn balance_in(reply: &str) -> Option<Amount> {
    Replies::read(reply.as_bytes(), 1).ok()?.amount(0).ok()
}
