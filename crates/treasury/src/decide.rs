//! One decision, in this order: token, body, idempotency, challenge, merchant, rules, budgets,
//! review, reservation. Each step answers, or passes on what the next one needs.

pub(super) mod choice;
pub(super) mod denial;
pub(super) mod draft;
mod waiting;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use self::choice::{Choices, Chosen, Declined};
use self::denial::{count_denial, refuse, wait_for_unmoved};
use self::draft::{Draft, read_rules};
use self::waiting::{PersonsAnswer, begin_review, find_answer, find_earlier, keep_waiting, resume};
use super::access::read_caller;
use super::attempt::recover::Recovery;
use super::attempt::reserve::{EarlierPayment, Reservations, find_same_nonce};
use super::books::{Change, OpenOf, Page, Rows};
use super::config::Owners;
use super::id::Fresh;
use super::kernel::{Decision, Now};
use super::merchant::origin;
use super::message::{Caller, Reply};
use super::policy::judge::Judged;
use super::receipt::Receipts;
use super::request::PaymentRequest;
use super::reviewed::Reviewed;
use super::row::{DecisionRow, OpenPayments, Scope, Stage, TokenKind, Verdict, write_key};
use super::terms::{Terms, Unpayable, deny_empty};
use super::{keep, refused};
use farebox_payer::client::offer::Offer;

/// Maximum reviews of one agent that no one has looked at.
const MAX_REVIEWS: u32 = 100;
/// Told where there are so many.
const MANY_REVIEWS: &str = "Policy denied: too many payments of this agent wait for a review.";
/// Told where nothing more is kept today that costs an agent nothing.
const MANY_DENIALS: &str =
    "Policy denied: too many payments of this agent were denied or reviewed today.";

/// The open payments of an agent to one payee at a merchant from which on no other begins. Below each number of bytes is room for
/// the longest request.
const MOST_OF_PAYEE: OpenPayments = OpenPayments { count: 200, bytes: 5 * 1024 * 1024 };
/// Those to one merchant: several payees at least, because all sellers of a market have its origin.
const MOST_OF_MERCHANT: OpenPayments = OpenPayments { count: 1000, bytes: 45 * 1024 * 1024 };
/// Those of one agent, to several merchants at least.
const MOST_OF_AGENT: OpenPayments = OpenPayments { count: 2500, bytes: 125 * 1024 * 1024 };
/// Those of all.
const MOST_OF_ALL: OpenPayments = OpenPayments { count: 20_000, bytes: 1021 * 1024 * 1024 };

/// Decisions about the payments that agents ask for.
pub(super) struct Decisions<'t> {
    pub owners: &'t Owners,
    pub receipts: &'t Receipts,
    pub reservations: Reservations<'t>,
    pub recovery: Recovery<'t>,
    /// How long a review waits, seconds.
    pub review_secs: u64,
}

impl Decisions<'_> {
    /// Decides about a request.
    pub fn decide<B: Rows>(
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
        if !is_own {
            return told(refused::rejection());
        }
        if let Some(candidate) = &caller.candidate {
            request.candidate.get_or_insert_with(|| candidate.clone());
        }
        let digest = request.digest();
        let reviewed = Reviewed::of(&request);
        let key = request.key.as_ref().map(|key| write_key(key, None));
        let mut waiting = None;
        if let Some(key) = &key
            && let Some(row) = books.decision_by_key(&token.agent, key)?
        {
            if row.request != digest {
                return told(refused::conflict());
            }
            if row.stage != Stage::Review {
                match find_answer(books, &row, &reviewed, scene.now)? {
                    PersonsAnswer::Over => {}
                    PersonsAnswer::OtherDenied => return told(refused::conflict()),
                    PersonsAnswer::Denied | PersonsAnswer::Nothing => {
                        return self.recovery.resend(books, row, scene);
                    }
                }
            }
            waiting = Some(row);
        } else if let Some(key) = &key
            && books.is_traced(&keep::of_key(&token.agent, key))?
        {
            return told(refused::key_removed());
        }
        let draft = Draft {
            scene,
            fresh: Fresh::of(scene.random),
            digest,
            reviewed,
            key,
            organization: read_rules(books, &Scope::Organization)?,
            own: read_rules(books, &Scope::Agent(token.agent.clone()))?,
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
        if let Some(row) = waiting.take() {
            match read.as_ref().map_or_else(|why| Some(why.clone()), deny_empty) {
                Some(why) => return keep_waiting(books, self.receipts, draft, row, why),
                None => waiting = Some(row),
            }
        }
        let challenge = match read {
            Ok(challenge) => challenge,
            Err(why) => return self.refuse_terms(books, draft, why),
        };
        if draft.key.is_none() {
            let id = challenge.offers.iter().find_map(|offer| offer.charge());
            // An MPP challenge is answered once.
            let key = id.map(|charge| format!("m:{}:{}", draft.digest, charge.challenge.id));
            if let Some(row) = find_earlier(books, &draft, key.as_deref())? {
                if row.stage != Stage::Review {
                    return self.recovery.resend(books, row, draft.scene);
                }
                waiting = Some(row);
            }
            draft.key = key;
        }
        if let Some(row) = waiting
            && let Some(decision) = resume(books, self.receipts, &mut draft, row, &challenge)?
        {
            return Ok(decision);
        }
        let choices = Choices { owners: self.owners, locality: self.reservations.locality };
        match choices.choose(books, &draft, terms, challenge)? {
            Ok(chosen) => self.proceed(books, draft, chosen),
            Err(declined) => {
                let Declined { why, offer } = *declined;
                refuse(books, self.receipts, draft, why, offer.as_ref())
            }
        }
    }

    /// Refuses terms that cannot be paid, unless a payment of this request is open: it is sent again
    /// whatever the merchant asks for meanwhile. With a key it was found before.
    fn refuse_terms<B: Rows>(
        &self,
        books: &B,
        draft: Draft<'_>,
        why: Unpayable,
    ) -> Result<Decision, B::Error> {
        if draft.key.is_none()
            && let Some(row) = find_earlier(books, &draft, None)?
            && row.stage != Stage::Review
        {
            return self.recovery.resend(books, row, draft.scene);
        }
        refuse(books, self.receipts, draft, why, None)
    }

    /// Whether so many payments are open that this one may not begin: a payee takes no room of others.
    fn is_full<B: Rows>(
        &self,
        books: &B,
        draft: &Draft<'_>,
        offer: &Offer,
    ) -> Result<bool, B::Error> {
        let agent = draft.agent.as_str();
        let merchant = &origin(&draft.request.url, self.reservations.locality).unwrap_or_default();
        let payee = &offer.pay_to.to_checksum();
        let mut is_full = false;
        for (of, most) in [
            (OpenOf::Payee { agent, merchant, payee }, MOST_OF_PAYEE),
            (OpenOf::Merchant { agent, merchant }, MOST_OF_MERCHANT),
            (OpenOf::Agent(agent), MOST_OF_AGENT),
            (OpenOf::All, MOST_OF_ALL),
        ] {
            is_full |= books.open_payments(of)?.are_many(&most);
        }
        Ok(is_full)
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
                let Some(counted) = count_denial(books, &draft.agent, draft.scene.now)? else {
                    let why = Unpayable::deny("policy_denied", MANY_DENIALS);
                    return refuse(books, self.receipts, draft, why, Some(&chosen.offer));
                };
                let outcome = Some("open".to_string());
                let agent = Some(draft.agent.clone());
                let open =
                    books.reviews(&Page { after: None, limit: MAX_REVIEWS, agent, outcome })?;
                let now = draft.scene.now.secs();
                let open = open.iter().filter(|review| !review.is_over(now)).count();
                let is_full = u32::try_from(open).is_ok_and(|open| open >= MAX_REVIEWS);
                if is_full {
                    let why = Unpayable::deny("policy_denied", MANY_REVIEWS);
                    return refuse(books, self.receipts, draft, why, Some(&chosen.offer));
                }
                draft.changes.push(Change::Agent(counted));
                Ok(begin_review(self.receipts, self.review_secs, draft, &chosen.offer))
            }
            (_, approved) => {
                if self.is_full(books, &draft, &chosen.offer)? {
                    return Ok(Decision::reply(refused::too_many_open()));
                }
                if let Some(secs) = wait_for_unmoved(books, &draft.agent, draft.scene.now)? {
                    return Ok(Decision::reply(refused::too_many_unmoved(secs)));
                }
                if let Some(mut review) = approved {
                    review.verdict = Verdict::Used;
                    draft.changes.push(Change::Review(Box::new(review)));
                }
                let asked = (draft.agent.clone(), draft.digest.clone());
                let is_keyed = draft.request.key.is_some();
                let decision = self.reservations.reserve(draft, chosen);
                let same = match find_same_nonce(books, &decision)? {
                    None => return Ok(decision),
                    Some(EarlierPayment::Kept(known)) => books.decision(&known.decision)?,
                    Some(EarlierPayment::Removed) => None,
                };
                let same =
                    same.filter(|row| !is_keyed && row.agent == asked.0 && row.request == asked.1);
                let reply =
                    same.map_or_else(refused::used_challenge, |row| self.receipts.reply(&row));
                Ok(Decision::reply(reply))
            }
        }
    }
}
