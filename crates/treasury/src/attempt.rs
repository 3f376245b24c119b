//! One payment: reserved and written before it is signed, signed once, sent, and its answer kept.

mod again;
mod end;
pub(super) use end::ended;
mod withdrawn;

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::answer::{DecisionAnswer, EXECUTING};
use super::books::{Change, Rows};
use super::config::Key;
use super::config::Treasury;
use super::decide::choice::Chosen;
use super::decide::draft::Draft;
use super::kernel::{Decision, Grant, Now};
use super::merchant::sent as sent_headers;
use super::message::{Answer, Order, Preparation};
use super::payout::settlement;
use super::row::{AttemptRow, DecisionRow, Money, Parcel, Stage};
use super::terms::{Terms, Unpayable, insufficient};
use super::{notice, refused};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::time::UnixTime;
use farebox_evm::account::Account;
use farebox_evm::address::Address;
use farebox_evm::eip712::Domain;
use farebox_evm::eip3009::Authorization;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, Call, batch};
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::prepare::Prepared;

/// Seconds for the signer and the node.
const PREPARE_SECS: u64 = 20;

/// The rows that a report may change: the attempt and its decision, while its fence is the last
/// one.
pub(super) struct Held {
    pub attempt: AttemptRow,
    pub decision: DecisionRow,
}

impl Treasury {
    /// Writes the attempt with its exact bytes, and counts it.
    pub(super) fn reserve(&self, mut draft: Draft<'_>, chosen: Chosen<'_>) -> Decision {
        let Now { now, .. } = draft.scene;
        let Some(from) = chosen.wallet.address() else {
            return Decision::reply(refused::internal());
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
            token: draft.token.clone(),
        };
        let node = self.chain.node(&chosen.offer.asset.network).map(ToString::to_string);
        let signer = match &chosen.wallet.key {
            Key::Bound(name, _) => Some((name.clone(), prepared.typed_data().to_string())),
            Key::Held(_) | Key::Missing(_) => None,
        };
        let mut changes = core::mem::take(&mut draft.changes);
        let answer = match &chosen.wallet.key {
            Key::Held(account) if node.is_none() => {
                match self.sign(account, &prepared, &chosen.challenge, &mut attempt, now) {
                    Some(()) => Answer::Send(Box::new(self.order(&attempt, &parcel, now))),
                    None => return Decision::reply(refused::internal()),
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
        Decision { answer, changes }
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
        attempt.lease = Some(self.window.lease(now));
        attempt.due = attempt.lease;
        Some(())
    }

    /// The request to the merchant.
    pub(super) fn order(&self, attempt: &AttemptRow, parcel: &Parcel, now: UnixTime) -> Order {
        let mut headers = parcel.headers.clone();
        let body = match attempt.is_payout() {
            true => settlement::write_body(attempt, &parcel.challenge_headers),
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
            until: self.window.end(now, attempt.valid_before),
        }
    }

    /// The attempt that a report is about, if its sender still holds it; otherwise the answer.
    pub(super) fn held<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        money: Money,
    ) -> Result<Result<Held, Decision>, B::Error> {
        let told = |reply| Ok(Err(Decision::reply(reply)));
        let Some(attempt) = books.attempt(grant.id)? else { return told(refused::internal()) };
        let Some(decision) = books.decision(&attempt.decision)? else {
            return told(refused::internal());
        };
        let is_held = attempt.fence == grant.fence || planted(Mutant::OldFencesCount);
        let is_there =
            attempt.money == money || (money, attempt.money) == (Money::Signed, Money::Spent);
        if is_held && is_there && decision.stage == Stage::Executing {
            return Ok(Ok(Held { attempt, decision }));
        }
        told(self.receipts.reply(&decision))
    }

    /// Takes what signer and node said, and signs.
    pub(super) fn prepared<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        signature: Option<&str>,
        balance: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let Held { mut attempt, decision } = match self.held(books, grant, Money::Reserved)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let now = scene.now;
        let Some(parcel) = books.parcel(grant.id)? else {
            return Ok(Decision::reply(refused::internal()));
        };
        let Some((prepared, challenge)) = self.restored(&attempt, &parcel) else {
            let why = Unpayable::preflight("The terms cannot be read again.");
            return self.release(books, attempt, decision, why, scene);
        };
        if let Some(why) = self.withdrawn(books, (&attempt, &decision), &prepared.offer, scene)? {
            return self.release(books, attempt, decision, why, scene);
        }
        let available = balance.and_then(balance_in);
        let required = prepared.authorization.value;
        if let Some(available) = available
            && available < required
        {
            let notice = Some(Box::new(notice::wallet_short(&attempt, available, now)));
            let why = Unpayable { notice, ..insufficient(required, available, &prepared.offer) };
            return self.release(books, attempt, decision, why, scene);
        }
        let wallet = self.owners.wallets.iter().find(|wallet| wallet.name == attempt.wallet);
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
        let change = match planted(Mutant::RequestsLeaveEarly) {
            true => end::ended(attempt),
            false => Change::Attempt(Box::new(attempt)),
        };
        let changes = Vec::from([change]);
        Ok(Decision { answer: Answer::Send(Box::new(order)), changes })
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
}

/// The balance in a node's reply; `None` if it is not there.
fn balance_in(reply: &str) -> Option<Amount> {
    Replies::read(reply.as_bytes(), 1).ok()?.amount(0).ok()
}
