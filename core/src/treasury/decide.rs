//! One decision, in this order: token, body, idempotency, challenge, merchant, rules, budgets,
//! review, reservation. Each step answers, or passes on what the next one needs.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::answer::{DecisionAnswer, EXECUTING, REVIEW, figures};
use super::books::{Books, Change, Page};
use super::config::Wallet;
use super::id::Fresh;
use super::merchant::{Locality, origin};
use super::message::{Answer, Caller, Reply};
use super::policy::Rules;
use super::policy::judge::{Denial, Judged, Subject};
use super::request::PaymentRequest;
use super::reviewed::Reviewed;
use super::row::{
    AgentRow, AttemptRow, BudgetRow, DecisionRow, ReviewRow, Scope, Stage, TokenKind, Verdict,
};
use super::terms::{ClientLimits, Terms, Unpayable, unoffered};
use super::{Decided, Scene, Treasury, keep, notice, refused};
use crate::client::challenge::Challenge;
use crate::client::offer::Offer;
use crate::client::select::best;
use crate::hash;
use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;
use crate::treasury::budget::{Window, worth};
use crate::treasury::money::in_words;

/// A request under way to its decision.
pub(super) struct Draft<'a> {
    pub scene: Scene<'a>,
    pub fresh: Fresh,
    pub request: PaymentRequest,
    /// Hash of the request.
    pub digest: String,
    /// What a review of it covers.
    pub reviewed: Reviewed,
    pub agent: String,
    /// The key under which it is kept.
    pub key: Option<String>,
    pub organization: Rules,
    pub own: Rules,
    /// The decision that waits for a review, with that review.
    pub waiting: Option<(DecisionRow, Option<ReviewRow>)>,
    /// Writes so far.
    pub changes: Vec<Change>,
}

/// The payment that is to be made.
pub(super) struct Chosen<'a> {
    pub terms: Terms,
    pub challenge: Challenge,
    /// The place of the offer in the challenge.
    pub place: usize,
    pub offer: Offer,
    pub wallet: &'a Wallet,
    pub judged: Judged,
    /// The budgets with it.
    pub budgets: Vec<BudgetRow>,
}

/// The payment that had a nonce before.
pub(super) enum Earlier {
    /// It is in the books.
    Kept(Box<AttemptRow>),
    /// It has left them.
    Removed,
}

/// Maximum reviews of one agent that no one has looked at.
const MAX_REVIEWS: u32 = 100;

/// Maximum denials of one agent in a day, UTC, that are kept.
const MAX_DENIALS: u32 = 1000;

/// The agent with one more denial; `None` if no more of them are kept today.
pub(super) fn denied<B: Books>(
    books: &B,
    name: &str,
    now: UnixTime,
) -> Result<Option<AgentRow>, B::Error> {
    let Some(mut agent) = books.agent(name)? else { return Ok(None) };
    let today = Window::Day.start(now).secs();
    if today > agent.denied_day {
        (agent.denied_day, agent.denied) = (today, 0);
    }
    agent.denied = agent.denied.saturating_add(1);
    let may = agent.denied <= MAX_DENIALS || planted(Mutant::DenialsPileUp);
    Ok(may.then_some(agent))
}

/// The key of a denial without a client's key: that of all equal ones of its day.
fn denial_key(request: &str, why: &Unpayable, now: UnixTime) -> String {
    let today = Window::Day.start(now).secs();
    let said = [request, why.outcome, why.code, &why.reason].map(str::as_bytes);
    format!("d:{today}:{}", hash::digest(&said))
}

/// Whether a review is about what this request would send.
fn is_covered(review: &ReviewRow, draft: &Draft<'_>) -> bool {
    review.covers == draft.reviewed.covers || planted(Mutant::ApprovalsCoverAnything)
}

/// Whether a review is about these terms.
fn is_offered(review: &ReviewRow, offer: &Offer) -> bool {
    let is_timeout = review.timeout == offer.max_timeout_secs;
    (review.terms == offer.pin() && (is_timeout || planted(Mutant::ApprovalsCoverAnything)))
        || planted(Mutant::ReviewsServeOthers)
}

impl Treasury {
    /// Decides about a request.
    pub(super) fn decide<B: Books>(
        &self,
        books: &B,
        caller: &Caller,
        body: &str,
        scene: Scene<'_>,
    ) -> Result<Decided, B::Error> {
        let told = |reply: Reply| Ok(Decided::told(Answer::Reply(reply)));
        let token = match self.caller(books, caller, TokenKind::Runtime, scene)? {
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
                return told(self.reply(&row));
            }
            waiting = Some(row);
        } else if let Some(key) = &key
            && books.is_traced(&keep::of_key(&token.agent, key))?
            && !planted(Mutant::RemovedKeysPayAgain)
        {
            return told(refused::removed());
        }
        let rules = |scope: &Scope| -> Result<Rules, B::Error> {
            let row = books.policy(scope)?;
            // Rules that cannot be read allow nothing.
            let nothing = || Rules::from_json(r#"{"allowedOrigins":[]}"#).unwrap_or_default();
            Ok(row.map_or_else(Rules::default, |row| {
                Rules::from_json(&row.document).unwrap_or_else(|_| nothing())
            }))
        };
        let draft = Draft {
            scene,
            fresh: Fresh::of(scene.random),
            digest,
            reviewed: Reviewed::of(&request),
            key,
            organization: rules(&Scope::Organization)?,
            own: rules(&Scope::Agent(token.agent.clone()))?,
            agent: token.agent,
            request,
            waiting: None,
            changes: Vec::new(),
        };
        self.consider(books, draft, waiting)
    }

    /// Reads the challenge, and finds the decision that it belongs to.
    fn consider<B: Books>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        waiting: Option<DecisionRow>,
    ) -> Result<Decided, B::Error> {
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
                    return Ok(Decided::told(Answer::Reply(self.reply(&row))));
                }
                waiting = Some(row);
            }
            draft.key = key;
        }
        if let Some(row) = waiting
            && let Some(decided) = self.resume(books, &mut draft, row, &challenge)?
        {
            return Ok(decided);
        }
        match self.choose(books, &draft, terms, challenge)? {
            Ok(chosen) => self.proceed(books, draft, chosen),
            Err((why, offer)) => self.refuse(books, draft, why, offer.as_ref()),
        }
    }

    /// The answer to terms that offer nothing under a key that waits for a review. The review stays:
    /// the merchant may name its terms again.
    fn unread<B: Books>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        mut row: DecisionRow,
        why: Unpayable,
    ) -> Result<Decided, B::Error> {
        let now = draft.scene.now.secs();
        let review = match &row.review {
            Some(id) => books.review(id)?,
            None => None,
        };
        let may = |it: &ReviewRow| matches!(it.verdict, Verdict::Open | Verdict::Approved);
        let Some(known) = review.as_ref().filter(|it| may(it) && !it.is_over(now)) else {
            draft.waiting = Some((row, review.filter(may)));
            return self.refuse(books, draft, why, None);
        };
        if !is_covered(known, &draft) {
            return Ok(Decided::told(Answer::Reply(refused::conflict())));
        }
        DecisionAnswer::new(why.outcome, why.code, &why.reason).write(&mut row, now);
        Ok(Decided::told(Answer::Reply(self.reply(&row))))
    }

    /// The decision that answers a request without a client's key: one for the same request whose
    /// outcome is open, whatever its terms were, since a merchant may name others each time; or the
    /// one for this challenge.
    fn earlier<B: Books>(
        &self,
        books: &B,
        draft: &Draft<'_>,
        key: Option<&str>,
    ) -> Result<Option<DecisionRow>, B::Error> {
        if let Some(key) = key
            && let Some(row) = books.decision_by_key(&draft.agent, key)?
        {
            return Ok(Some(row));
        }
        if planted(Mutant::OpenIsForgotten) {
            return Ok(None);
        }
        let mut review = None;
        for row in books.open_decisions(&draft.agent, &draft.digest)? {
            match row.stage {
                Stage::Executing => return Ok(Some(row)),
                Stage::Review => {
                    let known = match &row.review {
                        Some(id) if review.is_none() => books.review(id)?,
                        _ => continue,
                    };
                    if known.is_some_and(|known| is_covered(&known, draft)) {
                        review = Some(row);
                    }
                }
                Stage::Final => {
                    let attempt = books.attempt(&row.attempt)?;
                    let now = draft.scene.now.secs();
                    // Without a node nothing more is learnt of an authorization that has ended.
                    let is_open = |attempt: AttemptRow| {
                        attempt.due.is_some() || now < attempt.valid_before.saturating_add(60)
                    };
                    if attempt.is_some_and(is_open) {
                        return Ok(Some(row));
                    }
                }
            }
        }
        Ok(review)
    }

    /// Looks at the review that a decision waits for: the answer, unless it is to be judged again.
    fn resume<B: Books>(
        &self,
        books: &B,
        draft: &mut Draft<'_>,
        mut row: DecisionRow,
        challenge: &Challenge,
    ) -> Result<Option<Decided>, B::Error> {
        let now = draft.scene.now.secs();
        let review = match &row.review {
            Some(id) => books.review(id)?,
            None => None,
        };
        let Some(mut review) = review else {
            draft.waiting = Some((row, None));
            return Ok(None);
        };
        let is_over = now >= review.expires && !planted(Mutant::ReviewsForEver);
        let is_keyed = row.key.as_ref().is_some_and(|key| key.starts_with("k:"));
        let is_covered = is_covered(&review, draft);
        let may = matches!(review.verdict, Verdict::Open | Verdict::Approved);
        if is_keyed && may && !is_over && !is_covered {
            return Ok(Some(Decided::told(Answer::Reply(refused::conflict()))));
        }
        let same = is_covered && challenge.offers.iter().any(|offer| is_offered(&review, offer));
        match review.verdict {
            Verdict::Open if !is_over && same => {
                Ok(Some(Decided::told(Answer::Reply(self.reply(&row)))))
            }
            Verdict::Approved if !is_over && same => {
                draft.waiting = Some((row, Some(review)));
                Ok(None)
            }
            Verdict::Open | Verdict::Approved => {
                let is_keyed = row.key.is_some();
                review.verdict = Verdict::Expired;
                draft.changes.push(Change::Review(Box::new(review)));
                if !is_over {
                    // Other terms: judged anew, under the same name.
                    draft.waiting = Some((row, None));
                    return Ok(None);
                }
                let reason = "Policy denied: the review ended before anyone approved it.";
                DecisionAnswer::new("deny", "policy_denied", reason).write(&mut row, now);
                (row.stage, row.open) = (Stage::Final, false);
                let reply = self.reply(&row);
                draft.changes.push(Change::Decision(Box::new(row)));
                if !is_keyed {
                    // Without a key it is asked anew.
                    return Ok(None);
                }
                let changes = core::mem::take(&mut draft.changes);
                Ok(Some(Decided { answer: Answer::Reply(reply), changes }))
            }
            Verdict::Denied | Verdict::Used | Verdict::Expired => {
                draft.waiting = Some((row, None));
                Ok(None)
            }
        }
    }

    /// Chooses the offer that is paid, or says why none is.
    #[expect(clippy::type_complexity, reason = "the offer is that of the refusal")]
    fn choose<B: Books>(
        &self,
        books: &B,
        draft: &Draft<'_>,
        terms: Terms,
        challenge: Challenge,
    ) -> Result<Result<Chosen<'_>, (Unpayable, Option<Offer>)>, B::Error> {
        let Some(organization) = self.organization(draft.scene.organization) else {
            let why = Unpayable::deny("policy_denied", "Policy denied: the workspace is unknown.");
            return Ok(Err((why, None)));
        };
        let asked = ClientLimits {
            candidate: draft.request.candidate.as_deref(),
            max_amount: draft.request.max_amount.as_deref(),
        };
        let places = match self.candidates(&terms, &challenge, organization.environment, asked) {
            Ok(places) => places,
            Err(why) => return Ok(Err((why, None))),
        };
        let approved = draft.waiting.as_ref().and_then(|(_, review)| review.as_ref());
        let is_approved = |offer: &Offer| approved.is_none_or(|review| is_offered(review, offer));
        let offers = |places: &[usize]| -> Vec<(usize, Offer)> {
            let at = |place: &usize| Some((*place, challenge.offers.get(*place)?.clone()));
            places.iter().filter_map(at).filter(|(_, offer)| is_approved(offer)).collect()
        };
        let named = draft.own.wallet.as_deref().or(draft.organization.wallet.as_deref());
        let mut failed: Option<(Unpayable, Offer)> = None;
        let mut able: Vec<(usize, Offer, &Wallet)> = Vec::new();
        for (place, offer) in offers(&places) {
            match self.wallet_for(&offer.asset.network, &offer.asset.symbol, named) {
                Ok(wallet) => able.push((place, offer, wallet)),
                Err(why) => _ = failed.get_or_insert((why, offer)),
            }
        }
        if able.is_empty() {
            let changed = || {
                let reason = "The terms changed: none of them is the one that was approved.";
                Unpayable::deny("challenge_no_supported_candidates", reason)
            };
            let (why, offer) =
                failed.map_or_else(|| (changed(), None), |(why, it)| (why, Some(it)));
            return Ok(Err((why, offer)));
        }
        let denied = |reason: &str| Unpayable::deny("policy_denied", reason);
        let locality = if self.local_merchants { Locality::Local } else { Locality::Public };
        let Some(origin) = origin(&draft.request.url, locality) else {
            let reason = "Policy denied: requests to this URL are not allowed.";
            return Ok(Err((denied(reason), None)));
        };
        let now = draft.scene.now;
        let scopes = [Scope::Organization, Scope::Agent(draft.agent.clone())];
        let [first, second] = &scopes;
        let budget = |scope: &Scope| -> Result<BudgetRow, B::Error> {
            let row = books.budget(scope)?;
            Ok(row.unwrap_or_else(|| BudgetRow::new(scope.clone(), now)).at(now))
        };
        let budgets = (budget(first)?, budget(second)?);
        let judge = |offer: &Offer| -> Result<(Judged, Vec<BudgetRow>), Denial> {
            let subject = Subject { offer, origin: &origin, now };
            let whole = draft.organization.judge(first, subject)?;
            let own = draft.own.judge(second, subject)?;
            let organization = draft.organization.afford(&budgets.0, offer)?;
            let agent = draft.own.afford(&budgets.1, offer)?;
            let judged = if whole == Judged::Review { whole } else { own };
            Ok((judged, Vec::from([organization, agent])))
        };
        let allowed: Vec<&Offer> =
            able.iter().map(|(_, offer, _)| offer).filter(|offer| judge(offer).is_ok()).collect();
        let all: Vec<&Offer> = able.iter().map(|(_, offer, _)| offer).collect();
        let Some(choice) = best(&allowed).or_else(|| best(&all)).map(Offer::pin) else {
            return Ok(Err((denied("Policy denied: nothing can be paid."), None)));
        };
        let chosen = able.into_iter().find(|(_, offer, _)| offer.pin() == choice);
        let Some((place, offer, wallet)) = chosen else {
            return Ok(Err((denied("Policy denied: nothing can be paid."), None)));
        };
        match judge(&offer) {
            Ok((judged, budgets)) => {
                Ok(Ok(Chosen { terms, challenge, place, offer, wallet, judged, budgets }))
            }
            Err(Denial { reason, shortage }) => {
                let left = shortage.as_ref().map(|it| it.left(offer.asset.decimals));
                let figures = left.map(|left| figures(offer.amount, left, &offer.asset));
                let notice =
                    shortage.map(|it| Box::new(notice::budget_exhausted(&it, &offer, now)));
                Ok(Err((Unpayable { figures, notice, ..denied(&reason) }, Some(offer))))
            }
        }
    }

    /// Asks for a review, or reserves.
    fn proceed<B: Books>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        chosen: Chosen<'_>,
    ) -> Result<Decided, B::Error> {
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
                let decided = self.reserve(draft, chosen);
                let same = match self.second(books, &decided)? {
                    None => return Ok(decided),
                    Some(Earlier::Kept(known)) => books.decision(&known.decision)?,
                    Some(Earlier::Removed) => None,
                };
                let same =
                    same.filter(|row| !is_keyed && row.agent == asked.0 && row.request == asked.1);
                let reply = same.map_or_else(refused::used_challenge, |row| self.reply(&row));
                Ok(Decided::told(Answer::Reply(reply)))
            }
        }
    }

    /// The attempt that has the nonce of one that begins: that of an MPP payment follows from its
    /// challenge, and that of a payout from its key.
    pub(super) fn second<B: Books>(
        &self,
        books: &B,
        decided: &Decided,
    ) -> Result<Option<Earlier>, B::Error> {
        let begun = decided.changes.iter().find_map(|change| match change {
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

    /// Keeps a decision that a person has to look at.
    fn review(&self, mut draft: Draft<'_>, offer: &Offer) -> Decided {
        let now = draft.scene.now;
        let mut row = self.row(&mut draft, Some(offer));
        let (reviewed, mut changes) = (draft.reviewed, draft.changes);
        row.review = Some(draft.fresh.review.clone());
        (row.stage, row.open) = (Stage::Review, true);
        DecisionAnswer::new("deny", "policy_review_required", REVIEW).write(&mut row, now.secs());
        let review = ReviewRow {
            id: draft.fresh.review.clone(),
            decision: row.id.clone(),
            agent: row.agent.clone(),
            request: row.request.clone(),
            terms: row.terms.clone(),
            method: row.method.clone(),
            url: row.url.clone(),
            amount: row.amount.clone().unwrap_or_default(),
            asset: offer.asset.symbol.clone(),
            payee: offer.pay_to.to_checksum(),
            network: offer.asset.network.to_string(),
            verdict: Verdict::Open,
            created: now.secs(),
            expires: now.plus(self.review_secs).secs(),
            decided: None,
            covers: reviewed.covers,
            timeout: offer.max_timeout_secs,
            headers: reviewed.headers,
            headers_cut: reviewed.headers_cut,
            body: reviewed.body,
            body_cut: reviewed.body_cut,
        };
        let notice = super::operate::reviews::review_notice("review.created", &review, now);
        let reply = self.reply(&row);
        changes.push(Change::Review(Box::new(review)));
        changes.push(Change::Decision(Box::new(row)));
        changes.push(Change::Outbox(notice));
        Decided { answer: Answer::Reply(reply), changes }
    }

    /// Keeps a decision that pays nothing. Equal ones of a day without a client's key are one, and
    /// what an agent is denied beyond [`MAX_DENIALS`] is answered and not kept.
    fn refuse<B: Books>(
        &self,
        books: &B,
        mut draft: Draft<'_>,
        mut why: Unpayable,
        offer: Option<&Offer>,
    ) -> Result<Decided, B::Error> {
        let now = draft.scene.now;
        if let Some(mut review) = draft.waiting.as_mut().and_then(|(_, review)| review.take())
            && !planted(Mutant::ApprovalsOutlive)
        {
            review.verdict = Verdict::Expired;
            draft.changes.push(Change::Review(Box::new(review)));
        }
        let counted = denied(books, &draft.agent, now)?;
        draft.changes.extend(why.notice.take().map(|notice| Change::Outbox(*notice)));
        let is_waiting = draft.waiting.is_some();
        if draft.request.key.is_none() && !is_waiting {
            let key = denial_key(&draft.digest, &why, now);
            let known = books.decision_by_key(&draft.agent, &key)?;
            if let Some(mut row) = known.filter(|_| !planted(Mutant::EqualDenialsAddRows)) {
                let mut changes = draft.changes;
                if let Some(agent) = counted {
                    row.times = row.times.saturating_add(1);
                    row.changed = now.secs();
                    changes.push(Change::Agent(agent));
                    changes.push(Change::Decision(Box::new(row.clone())));
                }
                return Ok(Decided { answer: Answer::Reply(self.reply(&row)), changes });
            }
            draft.key = Some(key).filter(|_| !planted(Mutant::EqualDenialsAddRows));
        }
        let mut row = self.row(&mut draft, offer);
        (row.stage, row.open) = (Stage::Final, false);
        let mut said = DecisionAnswer::new(why.outcome, why.code, &why.reason);
        (said.evidence, said.figures) = (why.evidence, why.figures);
        said.write(&mut row, now.secs());
        let reply = self.reply(&row);
        let mut changes = draft.changes;
        if counted.is_some() || is_waiting {
            changes.extend(counted.map(Change::Agent));
            changes.push(Change::Decision(Box::new(row)));
        }
        Ok(Decided { answer: Answer::Reply(reply), changes })
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
        };
        DecisionAnswer::new("executing", "payment_execution_in_progress", EXECUTING)
            .write(&mut row, now);
        row
    }
}
