//! Payouts: the operator, or who has the token of a wallet, moves tokens out of it, by an
//! authorization that a facilitator settles.
//!
//! A payout is a decision and an attempt like those of agents, in the name of [`PAYOUTS`], with a
//! budget of its own: the facilitator is in the place of the merchant. The nonce follows from the
//! key, so that the token itself refuses a second transfer under it out of the same wallet.

pub(super) mod answer;
pub(super) mod request;
pub(super) mod response;
pub(super) mod rules;
pub(super) mod settlement;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::json;

use self::request::PayoutRequest;
pub use self::request::organization_of;
use self::rules::find_rules;
use super::answer::FIGURES;
use super::attempt::reserve::{Reservations, find_same_nonce};
use super::books::{Change, Rows};
use super::budget::worth;
use super::chain::ChainReader;
use super::config::accounts::PayingAccount;
use super::config::{Environment, Owners, Wallet};
use super::decide::choice::Chosen;
use super::decide::draft::Draft;
use super::id::Fresh;
use super::keep;
use super::kernel::{Decision, Now};
use super::message::{Answer, Reply};
use super::operate::reply::problem;
use super::policy::Rules;
use super::policy::judge::{Denial, Judged};
use super::receipt::Receipts;
use super::request::PaymentRequest;
use super::reviewed::Reviewed;
use super::row::{DecisionRow, PAYOUTS, Scope};
use super::terms::{Terms, Unpayable};
use farebox_base::amount::Amount;
use farebox_base::hash;
use farebox_evm::token::{Token, by_symbol};
use farebox_payer::client::offer::Offer;
use farebox_wire::facilitator::wire::Facilitator;
use farebox_wire::x402::header;

/// Seconds for which a payout may be settled.
const VALID_SECS: u64 = 600;

/// Payouts of the wallets.
pub(super) struct Payouts<'t> {
    pub owners: &'t Owners,
    pub chain: &'t ChainReader,
    pub facilitator: Option<&'t Facilitator>,
    pub receipts: &'t Receipts,
    pub reservations: Reservations<'t>,
}

impl<'t> Payouts<'t> {
    /// Makes a payout, or answers with the one under this key. With `only`, out of this wallet of
    /// this organization and no other.
    pub fn pay_out<B: Rows>(
        &self,
        books: &B,
        body: &str,
        only: Option<&str>,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let told = |reply: Reply| Ok(Decision::reply(reply));
        let asked = match request::read(body) {
            Ok(asked) => asked,
            Err(faults) => return told(problem(400, "invalid_payout", &faults)),
        };
        if let Some(wallet) = only
            && (asked.wallet != wallet
                || organization_of(body).as_deref() != Some(scene.organization))
        {
            let detail = "the token pays out of another wallet or organization";
            return told(problem(403, "payouts_not_allowed", detail));
        }
        if let Some(reply) = self.find_known(books, &asked, only)? {
            return told(reply);
        }
        let Some(facilitator) = self.facilitator else {
            let detail = "FACILITATOR_URL is not set, so that nothing can move the tokens";
            return told(problem(409, "payouts_not_configured", detail));
        };
        let (wallet, token) = match self.find_source(&asked, scene) {
            Ok(found) => found,
            Err(reply) => return told(reply),
        };
        let rules = match find_rules(books, &asked.network, token.symbol, scene)? {
            Ok(rules) => rules,
            Err(reply) => return told(reply),
        };
        if !rules.limits_day() {
            let detail =
                "the organization's policy has no payoutsPerDay; without it nothing is paid out";
            return told(problem(403, "payouts_not_allowed", detail));
        }
        let request = write_request(&asked, token, facilitator, scene);
        let terms = Terms::of(&request, None);
        let challenge = terms.read(scene.now).ok();
        let found = challenge.and_then(|it| Some((it.offers.first()?.clone(), it)));
        let Some((offer, challenge)) = found else {
            let detail = "the asset cannot be paid by authorization";
            return told(problem(400, "invalid_payout", detail));
        };
        let spent = books.budget_at(&Scope::Payouts, scene.now)?;
        let budget = match rules.afford(&spent, &offer) {
            Ok(budget) => budget,
            Err(denial) => return Ok(refuse_budget(denial, &offer, scene)),
        };
        let draft = write_draft(request, &asked, only, scene);
        let (judged, budgets) = (Judged::Allowed, Vec::from([budget]));
        let chosen = Chosen { terms, challenge, place: 0, offer, wallet, judged, budgets };
        let decision = self.reservations.reserve(draft, chosen);
        // Under another key only if two keys have one hash.
        match find_same_nonce(books, &decision)? {
            Some(_) => told(problem(409, "idempotency_key_conflict", "the nonce is in use")),
            None => Ok(decision),
        }
    }

    /// The reply of a payout under the same key, kept or not any more. A wallet's token and the
    /// operator find what the other has paid out of the wallet: it is one purse, and all payouts of
    /// earlier versions have keys of the operator's form.
    fn find_known<B: Rows>(
        &self,
        books: &B,
        asked: &PayoutRequest,
        only: Option<&str>,
    ) -> Result<Option<Reply>, B::Error> {
        let own = asked.kept_key(only);
        if let Some(reply) = self.find_under(books, asked, &own)? {
            return Ok(Some(reply));
        }
        let other = asked.kept_key(only.is_none().then_some(asked.wallet.as_str()));
        let of_wallet = |row: DecisionRow| -> Result<bool, B::Error> {
            let attempt = books.attempt(&row.attempt)?;
            Ok(attempt.is_none_or(|attempt| attempt.wallet == asked.wallet))
        };
        let known = books.decision_by_key(PAYOUTS, &other)?.map(of_wallet).transpose()?;
        if known == Some(false) {
            return Ok(None);
        }
        self.find_under(books, asked, &other)
    }

    /// The reply of the payout that is kept under this key, or was.
    fn find_under<B: Rows>(
        &self,
        books: &B,
        asked: &PayoutRequest,
        key: &str,
    ) -> Result<Option<Reply>, B::Error> {
        if let Some(row) = books.decision_by_key(PAYOUTS, key)? {
            if row.request != asked.digest() {
                let detail = "the key was used for another payout; nothing was paid for this one";
                return Ok(Some(problem(409, "idempotency_key_conflict", detail)));
            }
            return Ok(Some(self.receipts.reply(&row)));
        }
        if books.is_traced(&keep::of_key(PAYOUTS, key))? {
            let detail =
                "a payout was signed under the key, and is not kept any more; nothing was paid now";
            return Ok(Some(problem(409, "idempotency_key_used", detail)));
        }
        Ok(None)
    }

    /// The wallet and the token of a payout that can be made.
    fn find_source(
        &self,
        asked: &PayoutRequest,
        scene: Now<'_>,
    ) -> Result<(&'t Wallet, &'static Token), Reply> {
        let wrong = |detail: &str| Err(problem(400, "invalid_payout", detail));
        let Some(organization) = self.owners.organization(scene.organization) else {
            return wrong("organization: is unknown");
        };
        let is_main = organization.environment == Environment::Main;
        if asked.network.is_main_network() != is_main {
            return wrong("network: is not one of the organization's environment");
        }
        let Some(wallet) = self.owners.wallets.iter().find(|wallet| wallet.name == asked.wallet)
        else {
            return wrong("wallet: is not the name of a wallet in WALLETS");
        };
        let Some(from) = wallet.address().filter(|_| wallet.networks.contains(&asked.network))
        else {
            return wrong("wallet: does not have this network, or its secret is not set");
        };
        // A debt is paid back by the account that was paid, or not at all.
        if asked.from.is_some_and(|it| it != from) {
            return wrong("from: is not the address of the wallet");
        }
        if from == asked.to {
            return wrong("to: is the wallet itself");
        }
        let account = PayingAccount::of(wallet, &asked.network);
        if let Some(owner) = self.owners.owner_beside(&organization.name, &[account]) {
            let detail = format!("the wallet is that of {owner}");
            return Err(problem(403, "payouts_not_allowed", &detail));
        }
        let Some(token) = by_symbol(&asked.network, &asked.asset).filter(|token| token.eip3009)
        else {
            return wrong(
                "asset: is not a known asset of this network that can be sent by authorization",
            );
        };
        let amount = asked.amount_of(token);
        if amount.is_none_or(|amount| amount.is_zero() || worth(amount, token.decimals).is_none()) {
            return wrong(
                "amount: must be decimal text above 0 with no more digits than the asset has",
            );
        }
        if self.chain.node(&asked.network).is_none() {
            let detail =
                "RPC_URL has no node for this network, so that no one would know what became of it";
            return Err(problem(409, "payouts_not_configured", detail));
        }
        Ok((wallet, token))
    }
}

/// The refusal of a payout for which its budget has no room.
fn refuse_budget(denial: Denial, offer: &Offer, scene: Now<'_>) -> Decision {
    let Unpayable { reason, figures, notice, .. } = Unpayable::denied(denial, offer, scene);
    let reply = problem(403, "payouts_budget_exceeded", &reason);
    let reply = match figures {
        Some(figures) => reply.with(FIGURES, &figures),
        None => reply,
    };
    let changes = notice.map(|notice| Change::Outbox(*notice)).into_iter().collect();
    Decision { answer: Answer::Reply(reply), changes }
}

/// A payout on its way to a reservation. Its nonce follows from its key.
fn write_draft<'a>(
    request: PaymentRequest,
    asked: &PayoutRequest,
    only: Option<&str>,
    scene: Now<'a>,
) -> Draft<'a> {
    let mut fresh = Fresh::of(scene.random);
    let parts: [&[u8]; 3] =
        [b"farebox payout", scene.organization.as_bytes(), asked.key.as_bytes()];
    fresh.nonce = hash::sha256(&parts);
    Draft {
        scene,
        fresh,
        reviewed: Reviewed::of(&request),
        request,
        digest: asked.digest(),
        token: None,
        agent: PAYOUTS.to_string(),
        key: Some(asked.kept_key(only)),
        organization: Rules::default(),
        own: Rules::default(),
        waiting: None,
        changes: Vec::new(),
    }
}

/// The request to the facilitator, as one to a merchant that asks for exactly this.
fn write_request(
    asked: &PayoutRequest,
    token: &Token,
    facilitator: &Facilitator,
    scene: Now<'_>,
) -> PaymentRequest {
    let url = facilitator.settle_url();
    let terms = json!({
        "x402Version": 2,
        "resource": {"url": url, "description": "payout", "mimeType": "application/json"},
        "accepts": [{
            "scheme": "exact",
            "network": asked.network.as_str(),
            "asset": token.address.to_checksum(),
            "amount": asked.amount_of(token).unwrap_or(Amount::ZERO).to_string(),
            "payTo": asked.to.to_checksum(),
            "maxTimeoutSeconds": VALID_SECS,
            "extra": {"name": token.name, "version": token.version},
        }],
    });
    let field = |name: &str, value: &str| (name.to_string(), value.to_string());
    PaymentRequest {
        organization: scene.organization.to_string(),
        agent: PAYOUTS.to_string(),
        method: "POST".to_string(),
        url,
        asked_url: None,
        headers: Vec::from([
            field("content-type", "application/json"),
            field("accept", "application/json"),
        ]),
        body: None,
        protocol: "x402".to_string(),
        challenge_headers: Vec::from([(
            "payment-required".to_string(),
            header::encode(&terms.to_string()),
        )]),
        challenge_body: String::new(),
        key: None,
        candidate: None,
        max_amount: None,
    }
}
