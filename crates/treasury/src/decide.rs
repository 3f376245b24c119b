//! One decision, in this order: token, body, idempotency, challenge, merchant, rules, budgets,
//! review, reservation. Each step answers, or passes on what the next one needs.

pub(super) mod choice;
pub(super) mod denial;
pub(super) mod draft;
mod waiting;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::choice::Chosen;
use self::denial::denied;
use self::draft::Draft;
use super::access::read_caller;
use super::answer::{DecisionAnswer, EXECUTING};
use super::books::{Change, Page, Rows};
use super::budget::worth;
use super::config::Treasury;
use super::id::Fresh;
use super::kernel::{Decision, Now};
use super::message::{Caller, Reply};
use super::money::in_words;
use super::policy::Rules;
use super::policy::judge::Judged;
use super::request::PaymentRequest;
use super::reviewed::Reviewed;
use super::row::{AttemptRow, DecisionRow, Scope, Stage, TokenKind, Verdict};
use super::terms::{Terms, Unpayable, unoffered};
use super::{keep, refused};
use farebox_base::mutant::{Mutant, planted};
use farebox_payer::client::offer::Offer;

/// The payment that had a nonce before.
pub(super) enum Earlier {
    /// It is in the books.
    Kept(Box<AttemptRow>),
    /// It has left them.
    Removed,
}

/// The rules of a scope; those that cannot be read allow nothing.
pub(super) fn rules<B: Rows>(books: &B, scope: &Scope) -> Result<Rules, B::Error> {
    let row = books.policy(scope)?;
    let nothing = || Rules::from_json(r#"{"allowedOrigins":[]}"#).unwrap_or_default();
    Ok(row.map_or_else(Rules::default, |row| {
        Rules::from_json(&row.document).unwrap_or_else(|_| nothing())
    }))
}

/// Maximum reviews of one agent that no one has looked at.
const MAX_REVIEWS: u32 = 100;

impl Treasury {
    /// Decides about a request.
    pub(super) fn decide<B: Rows>(
        &self,
        books: &B,
        caller: &Caller,
        body: &str,
        scene: Now<'_>,
    ) -> Result<Decision, B::Error> {
        let told = |reply: Reply| Ok(Decision::reply(reply));
        let token = match read_caller(books, caller, TokenKind::Runtime, scene)? {
            Ok(token) => token,
            Err(reply) => return told(reply),
        };
        let mut request = match PaymentRequest::read(body) {
            Ok(request) => request,
            Err(reply) => return told(reply),
        };
        let is_own = request.organization == scene.organization && request.agent == token.agent;
        if !is_own && !planted(Mutant::AnyAgentIsNamed) {
            return told(refused::rejected());
        }
        if let Some(candidate) = &caller.candidate {
            request.candidate.get_or_insert_with(|| candidate.clone());
        }
        let digest = request.digest();
        let key = request.key.as_ref().map(|key| format!("k:{key}"));
        let mut waiting = None;
        if let Some(key) = &key
            && let Some(row) = books.decision_by_key(&token.agent, key)?
            && !planted(Mutant::KeysAreForgotten)
        {
            if row.request != digest && !planted(Mutant::KeysServeOthers) {
                return told(refused::conflict());
            }
            if row.stage != Stage::Review {
                return self.continued(books, row, scene);
            }
            waiting = Some(row);
        } else if let Some(key) = &key
            && books.is_traced(&keep::of_key(&token.agent, key))?
            && !planted(Mutant::RemovedKeysPayAgain)
        {
            return told(refused::removed());
        }
        let draft = Draft {
            scene,
            fresh: Fresh::of(scene.random),
            digest,
            reviewed: Reviewed::of(&request),
            key,
            organization: rules(books, &Scope::Organization)?,
            own: rules(books, &Scope::Agent(token.agent.clone()))?,
            agent: token.agent,
            token: Some(token.id),
            request,
            waiting: None,
            changes: Vec::new(),
        };
        self.consider(books, draft, waiting)
    }

    /// Reads the challenge, and finds the decision that it belongs to.
    fn consider<B: Rows>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        waiting: Option<DecisionRow>,
    ) -> Result<Decision, B::Error> {
        let mpp = draft.own.mpp.clone().or_else(|| draft.organization.mpp.clone());
        let terms = Terms::of(&draft.request, mpp);
        let read = terms.read(draft.scene.now);
        let mut waiting = waiting;
        if let Some(row) = waiting.take_if(|_| !planted(Mutant::NonsenseEndsReviews)) {
            match read.as_ref().map_or_else(|why| Some(why.clone()), unoffered) {
                Some(why) => return self.unread(books, draft, row, why),
                None => waiting = Some(row),
            }
        }
        let challenge = match read {
            Ok(challenge) => challenge,
            Err(why) => return self.refuse(books, draft, why, None),
        };
        if draft.key.is_none() {
            let id = challenge.offers.iter().find_map(|offer| offer.charge());
            // An MPP challenge is answered once.
            let key = id.map(|charge| format!("m:{}:{}", draft.digest, charge.challenge.id));
            if let Some(row) = self.earlier(books, &draft, key.as_deref())? {
                if row.stage != Stage::Review {
                    return self.continued(books, row, draft.scene);
                }
                waiting = Some(row);
            }
            draft.key = key;
        }
        if let Some(row) = waiting
            && let Some(decision) = self.resume(books, &mut draft, row, &challenge)?
        {
            return Ok(decision);
        }
        match self.choose(books, &draft, terms, challenge)? {
            Ok(chosen) => self.proceed(books, draft, chosen),
            Err((why, offer)) => self.refuse(books, draft, why, offer.as_ref()),
        }
    }

    /// Asks for a review, or reserves.
    fn proceed<B: Rows>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        chosen: Chosen<'_>,
    ) -> Result<Decision, B::Error> {
        let approved = draft.waiting.as_mut().and_then(|(_, review)| review.take());
        match (chosen.judged, approved) {
            (Judged::Review, None) => {
                let outcome = Some("open".to_string());
                let agent = Some(draft.agent.clone());
                let open =
                    books.reviews(&Page { after: None, limit: MAX_REVIEWS, agent, outcome })?;
                let now = draft.scene.now.secs();
                let open = open.iter().filter(|review| !review.is_over(now)).count();
                let is_full = u32::try_from(open).is_ok_and(|open| open >= MAX_REVIEWS);
                let counted = denied(books, &draft.agent, draft.scene.now)?;
                let is_full = is_full && !planted(Mutant::ReviewsPileUp) || counted.is_none();
                if is_full {
                    let reason =
                        "Policy denied: too many payments of this agent wait for a review.";
                    let why = Unpayable::deny("policy_denied", reason);
                    return self.refuse(books, draft, why, Some(&chosen.offer));
                }
                draft.changes.extend(counted.map(Change::Agent));
                Ok(self.review(draft, &chosen.offer))
            }
            (_, approved) => {
                if let Some(mut review) = approved
                    && !planted(Mutant::ReviewsServeTwice)
                {
                    review.verdict = Verdict::Used;
                    draft.changes.push(Change::Review(Box::new(review)));
                }
                let asked = (draft.agent.clone(), draft.digest.clone());
                let is_keyed = draft.request.key.is_some();
                let decision = self.reserve(draft, chosen);
                let same = match self.second(books, &decision)? {
                    None => return Ok(decision),
                    Some(Earlier::Kept(known)) => books.decision(&known.decision)?,
                    Some(Earlier::Removed) => None,
                };
                let same =
                    same.filter(|row| !is_keyed && row.agent == asked.0 && row.request == asked.1);
                let reply =
                    same.map_or_else(refused::used_challenge, |row| self.receipts.reply(&row));
                Ok(Decision::reply(reply))
            }
        }
    }

    /// The attempt that has the nonce of one that begins: that of an MPP payment follows from its
    /// challenge, and that of a payout from its key.
    pub(super) fn second<B: Rows>(
        &self,
        books: &B,
        decision: &Decision,
    ) -> Result<Option<Earlier>, B::Error> {
        let begun = decision.changes.iter().find_map(|change| match change {
            Change::Begin(row, _) => Some(row.payment()),
            _ => None,
        });
        let Some(payment) = begun.filter(|_| !planted(Mutant::NoncesAreSignedTwice)) else {
            return Ok(None);
        };
        if let Some(attempt) = books.attempt_by_payment(&payment)? {
            return Ok(Some(Earlier::Kept(Box::new(attempt))));
        }
        let is_traced = books.is_traced(&keep::of_payment(&payment))?;
        Ok(is_traced.then_some(Earlier::Removed))
    }

    /// The row of a decision: the one that waited, or a new one.
    pub(super) fn row(&self, draft: &mut Draft<'_>, offer: Option<&Offer>) -> DecisionRow {
        let now = draft.scene.now.secs();
        let terms = offer.map(Offer::pin).unwrap_or_default();
        let symbol = offer.map(|offer| offer.asset.symbol.clone());
        let price = offer.and_then(|offer| {
            let worth = worth(offer.amount, offer.asset.decimals)?;
            Some(in_words(worth, &offer.asset.symbol))
        });
        if let Some((row, _)) = draft.waiting.take() {
            return DecisionRow { terms, amount: price, asset: symbol, ..row };
        }
        let mut row = DecisionRow {
            id: draft.fresh.decision.clone(),
            attempt: draft.fresh.attempt.clone(),
            agent: draft.agent.clone(),
            key: draft.key.clone(),
            request: draft.digest.clone(),
            method: draft.request.method.clone(),
            url: draft.request.url.clone(),
            terms,
            stage: Stage::Executing,
            open: true,
            outcome: String::new(),
            code: String::new(),
            amount: price,
            asset: symbol,
            review: None,
            body: String::new(),
            figures: None,
            created: now,
            changed: now,
            times: 1,
            leaves: None,
        };
        DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
            .write(&mut row, now);
        row
    }
}
