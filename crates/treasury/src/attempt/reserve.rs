//! The beginning of a payment: it is written and counted, and then signed.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::report::Reports;
use super::secret::PurchaseSecrets;
use super::withdrawn::find_withdrawal;
use super::{Held, restore, restore_approval, void, write_order};
use crate::answer::{DecisionAnswer, EXECUTING};
use crate::books::{Change, Rows};
use crate::chain::ChainReader;
use crate::config::{Key, Wallet};
use crate::decide::choice::Chosen;
use crate::decide::denial::{brief, count_denial};
use crate::decide::draft::Draft;
use crate::kernel::{Decision, Grant, Now, SendWindow};
use crate::merchant::{Locality, fields_to_send, origin};
use crate::message::{Answer, Preparation};
use crate::outcome::Outcome;
use crate::receipt::Receipts;
use crate::row::{AttemptRow, DecisionRow, Kept, Money, Parcel, Stage};
use crate::terms::{Unpayable, insufficient};
use crate::{keep, notice, refused};
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::time::UnixTime;
use farebox_evm::account::Account;
use farebox_evm::eip712::Domain;
use farebox_evm::eip3009::Authorization;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, AuthorizationId, Call, batch};
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::prepare::{PaymentField, Prepared};

/// Seconds for the signer and the node.
const PREPARE_SECS: u64 = 20;

/// Payments that begin.
#[derive(Clone, Copy)]
pub(crate) struct Reservations<'t> {
    pub wallets: &'t [Wallet],
    pub chain: &'t ChainReader,
    pub receipts: &'t Receipts,
    pub secrets: &'t PurchaseSecrets,
    pub locality: Locality,
    pub window: SendWindow,
}

/// The payment that had a nonce before.
pub(crate) enum EarlierPayment {
    /// It is in the books.
    Kept(Box<AttemptRow>),
    /// It has left them.
    Removed,
}

impl Reservations<'_> {
    /// Writes the attempt with its exact bytes, and counts it.
    pub fn reserve(&self, mut draft: Draft<'_>, chosen: Chosen<'_>) -> Decision {
        let Now { now, .. } = draft.scene;
        let Some(from) = chosen.wallet.address() else {
            return Decision::reply(refused::internal());
        };
        let mut decision = draft.row(Some(&chosen.offer));
        let said = DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING);
        said.write(&mut decision, now.secs());
        (decision.stage, decision.open) = (Stage::Executing, true);
        let prepared = Prepared::new(chosen.offer.clone(), from, draft.fresh.nonce, now);
        let parcel = write_parcel(&draft, &chosen, self.secrets.of(&decision.attempt));
        let merchant = origin(&draft.request.url, self.locality).unwrap_or_default();
        let mut attempt = begin(&draft, &chosen, &decision, &prepared.authorization, merchant);
        let node = self.chain.node(&chosen.offer.asset.network).map(ToString::to_string);
        let signer = match &chosen.wallet.key {
            Key::Bound(name, _) => Some((name.clone(), prepared.typed_data().to_string())),
            Key::Held(_) | Key::Missing(_) => None,
        };
        let mut changes = core::mem::take(&mut draft.changes);
        let answer = match &chosen.wallet.key {
            Key::Held(account) if node.is_none() => {
                let signature = sign(account, &prepared);
                if self.seal(signature, &prepared, &chosen.challenge, &mut attempt, now).is_none() {
                    return Decision::reply(refused::internal());
                }
                Answer::Send(Box::new(write_order(&attempt, &parcel, self.window, now)))
            }
            Key::Held(_) | Key::Bound(..) | Key::Missing(_) => {
                attempt.lease = Some(now.plus(PREPARE_SECS).secs());
                attempt.due = attempt.lease;
                let asset = chosen.offer.asset.address;
                let mut calls = Vec::from([Call::Balance { asset, holder: from, at: At::Latest }]);
                if attempt.is_payout() {
                    let nonce = prepared.authorization.nonce;
                    let authorization = AuthorizationId { asset, authorizer: from, nonce };
                    calls.push(Call::AuthorizationState { authorization, at: At::Latest });
                }
                let balance = node.map(|node| (node, batch(&calls)));
                let (attempt, fence) = (attempt.id.clone(), attempt.fence);
                Answer::Prepare(Box::new(Preparation { attempt, fence, signer, balance }))
            }
        };
        changes.push(Change::Decision(Box::new(decision)));
        changes.push(Change::Begin(Box::new(attempt), Box::new(parcel)));
        changes.extend(chosen.budgets.into_iter().map(Change::Budget));
        Decision { answer, changes }
    }

    /// Keeps a signature as the header to send; `None` without one of exactly this payment.
    fn seal(
        &self,
        signature: Option<String>,
        prepared: &Prepared,
        challenge: &Challenge,
        attempt: &mut AttemptRow,
        now: UnixTime,
    ) -> Option<()> {
        let names = challenge.extensions.as_ref();
        let identifies = names.is_some_and(|all| all.contains_key("payment-identifier"));
        let identifier = identifies.then(|| self.secrets.of(&attempt.id));
        let signature = prepared.checked(&signature?).ok()?;
        let field = prepared.header(&signature, challenge, identifier.as_deref());
        let PaymentField { name, value } = field;
        attempt.header = Some((name.to_string(), value));
        attempt.money = Money::Signed;
        attempt.lease = Some(self.window.lease(now));
        attempt.due = attempt.lease;
        Some(())
    }

    /// Takes what signer and node said, and signs.
    pub fn take_prepared<B: Rows>(
        &self,
        books: &B,
        grant: Grant<'_>,
        signature: Option<&str>,
        balance: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let mut held = match Held::find(books, self.receipts, grant, Money::Reserved)? {
            Ok(held) => held,
            Err(decided) => return Ok(decided),
        };
        let now = scene.now;
        let Some(parcel) = books.parcel(grant.id)? else {
            return Ok(Decision::reply(refused::internal()));
        };
        let Some((prepared, challenge)) = restore(&held, &parcel) else {
            let why = Unpayable::preflight("The terms cannot be read again.");
            return self.release(books, held, why, scene);
        };
        let (wallets, offer) = (self.wallets, &prepared.offer);
        if let Some(why) = find_withdrawal(books, self.locality, wallets, &held, offer, scene)? {
            return self.release(books, held, why, scene);
        }
        let sight = balance.map(|reply| WalletSight::read(reply, held.attempt.is_payout()));
        let WalletSight { available, is_used } = sight.unwrap_or_default();
        if is_used {
            // Books that were restored have forgotten it: the chain tells whether it is this payout.
            held.attempt.money = Money::Signed;
            let reports = Reports { chain: self.chain, receipts: self.receipts };
            return Ok(reports.conclude(held, Outcome::lost(), None, scene));
        }
        let required = prepared.authorization.value;
        if let Some(available) = available
            && available < required
        {
            let notice = Some(Box::new(notice::wallet_short(&held.attempt, available, scene)));
            let short = insufficient(required, available, &prepared.offer);
            return self.release(books, held, Unpayable { notice, passes: true, ..short }, scene);
        }
        let is_silent = signature.is_none();
        let wallet = self.wallets.iter().find(|wallet| wallet.name == held.attempt.wallet);
        let signature = match (wallet.map(|wallet| &wallet.key), signature) {
            (Some(Key::Held(account)), _) => sign(account, &prepared),
            (Some(Key::Bound(..)), signature) => signature.map(ToString::to_string),
            (Some(Key::Missing(_)) | None, _) => None,
        };
        if self.seal(signature, &prepared, &challenge, &mut held.attempt, now).is_none() {
            let why = Unpayable::preflight("The wallet did not sign this payment.");
            let notice = Some(Box::new(notice::wallet_unsigned(&held.attempt, scene)));
            let why = Unpayable { notice, passes: is_silent, ..why };
            return self.release(books, held, why, scene);
        }
        let order = write_order(&held.attempt, &parcel, self.window, now);
        let change = Change::Attempt(Box::new(held.attempt));
        Ok(Decision { answer: Answer::Send(Box::new(order)), changes: Vec::from([change]) })
    }

    /// Gives up a payment for a reason that may pass. An approval that it used serves again; `None`
    /// if it used none.
    fn put_off<B: Rows>(
        &self,
        books: &B,
        held: &Held,
        why: &Unpayable,
        scene: Now<'_>,
    ) -> Result<Option<Decision>, B::Error> {
        let (mut told, mut decision) = (held.decision.clone(), held.decision.clone());
        let approval = restore_approval(books, &held.attempt, &mut decision, scene)?;
        let Some(approval) = approval else { return Ok(None) };
        let why = why.clone();
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures.map(Into::into));
        said.waits = true;
        said.write(&mut told, scene.now.secs());
        let id = held.attempt.id.clone();
        let mut changes = void(books, held.attempt.clone(), scene.now)?;
        changes.push(Change::Gone(Kept::Attempts, id));
        changes.extend(why.notice.map(|notice| Change::Outbox(*notice)));
        changes.extend(approval);
        Ok(Some(Decision { answer: Answer::Reply(self.receipts.reply(&told)), changes }))
    }

    /// Gives up a payment that was never signed.
    fn release<B: Rows>(
        &self,
        books: &B,
        held: Held,
        why: Unpayable,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        if why.passes
            && let Some(decision) = self.put_off(books, &held, &why, scene)?
        {
            return Ok(decision);
        }
        let Held { attempt, mut decision } = held;
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures.map(Into::into));
        said.write(&mut decision, scene.now.secs());
        (decision.stage, decision.open) = (Stage::Final, false);
        decision.url = brief(&decision.url);
        let reply = self.receipts.reply(&decision);
        let id = attempt.id.clone();
        let counted = match decision.is_payout() {
            true => None,
            false => Some(count_denial(books, &decision.agent, scene.now)?),
        };
        let mut changes = void(books, attempt, scene.now)?;
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
        Ok(Decision { answer: Answer::Reply(reply), changes })
    }
}

/// The signature of a key of our own: over exactly what is written in the attempt.
fn sign(account: &Account, prepared: &Prepared) -> Option<String> {
    let asset = &prepared.offer.asset;
    let domain = Domain {
        name: &asset.name,
        version: &asset.version,
        chain_id: prepared.offer.chain_id,
        verifying_contract: asset.address,
    };
    let digest = prepared.authorization.digest(&domain.separator());
    Some(hex::encode_prefixed(&account.sign(&digest)?.to_bytes()))
}

/// The request that is sent, under this secret unless the agent has given it a key.
fn write_parcel(draft: &Draft<'_>, chosen: &Chosen<'_>, secret: String) -> Parcel {
    let mut headers = fields_to_send(&draft.request.headers);
    if !headers.iter().any(|(name, _)| name == "idempotency-key") {
        headers.push(("idempotency-key".to_string(), secret));
    }
    Parcel {
        method: draft.request.method.clone(),
        url: draft.request.url.clone(),
        headers,
        body: draft.request.body.clone(),
        challenge_headers: draft.request.challenge_headers.clone(),
        challenge_body: draft.request.challenge_body.clone(),
        protocol: draft.request.protocol.clone(),
        offer: u32::try_from(chosen.place).unwrap_or(u32::MAX),
        realms: chosen.terms.realms(),
    }
}

/// The row of an attempt that is not signed.
fn begin(
    draft: &Draft<'_>,
    chosen: &Chosen<'_>,
    decision: &DecisionRow,
    signed: &Authorization,
    merchant: String,
) -> AttemptRow {
    AttemptRow {
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
        counted: draft.scene.now.secs(),
        header: None,
        resends: 0,
        reads: 0,
        why: None,
        receipt: None,
        receipt_id: draft.fresh.receipt.clone(),
        token: draft.token.clone(),
        merchant,
    }
}

/// The attempt that has the nonce of one that begins: that of an MPP payment follows from its
/// challenge, and that of a payout from its key.
pub(crate) fn find_same_nonce<B: Rows>(
    books: &B,
    decision: &Decision,
) -> Result<Option<EarlierPayment>, B::Error> {
    let begun = decision.changes.iter().find_map(|change| match change {
        Change::Begin(row, _) => Some(row.payment()),
        _ => None,
    });
    let Some(payment) = begun else {
        return Ok(None);
    };
    if let Some(attempt) = books.attempt_by_payment(&payment)? {
        return Ok(Some(EarlierPayment::Kept(Box::new(attempt))));
    }
    let is_traced = books.is_traced(&keep::of_payment(&payment))?;
    Ok(is_traced.then_some(EarlierPayment::Removed))
}

/// A node's word on a wallet before it pays.
#[derive(Default)]
struct WalletSight {
    /// Its balance; `None` if it is not there.
    available: Option<Amount>,
    /// Whether the nonce of a payout, which follows from its key, was used before.
    is_used: bool,
}

impl WalletSight {
    fn read(reply: &str, is_payout: bool) -> Self {
        let calls = if is_payout { 2 } else { 1 };
        let Ok(replies) = Replies::read(reply.as_bytes(), calls) else { return Self::default() };
        let is_used = is_payout && replies.flag(1).unwrap_or(false);
        Self { available: replies.amount(0).ok(), is_used }
    }
}
