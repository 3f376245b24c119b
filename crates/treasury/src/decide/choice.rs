//! Which offer is paid, from which wallet and budgets; or why none is.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::draft::Draft;
use super::waiting::is_offered;
use crate::books::Rows;
use crate::config::{Owners, Wallet};
use crate::merchant::{Locality, origin, refusal_of};
use crate::policy::Rules;
use crate::policy::judge::{Denial, Judged, Subject};
use crate::row::{BudgetRow, Scope};
use crate::terms::candidates::{ClientLimits, find_candidates, wallet_for};
use crate::terms::{Terms, Unpayable};
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::offer::Offer;
use farebox_payer::client::select::best;

/// The payment that is to be made.
pub(crate) struct Chosen<'a> {
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

/// The refusal of all offers, with the one that it is about.
pub(super) struct Declined {
    pub why: Unpayable,
    pub offer: Option<Offer>,
}

impl From<Unpayable> for Box<Declined> {
    fn from(why: Unpayable) -> Self {
        Self::new(Declined { why, offer: None })
    }
}

/// The choice among the offers of a challenge.
pub(super) struct Choices<'t> {
    pub owners: &'t Owners,
    pub locality: Locality,
}

/// An offer that a wallet can pay.
struct Able<'t> {
    place: usize,
    offer: Offer,
    wallet: &'t Wallet,
}

/// Rules, and the budget that they limit.
struct Limited<'a> {
    rules: &'a Rules,
    budget: BudgetRow,
}

impl<'t> Choices<'t> {
    /// Chooses the offer that is paid, or says why none is.
    pub fn choose<B: Rows>(
        &self,
        books: &B,
        draft: &Draft<'_>,
        terms: Terms,
        challenge: Challenge,
    ) -> Result<Result<Chosen<'t>, Box<Declined>>, B::Error> {
        let able = match self.find_able(draft, &terms, &challenge) {
            Ok(able) => able,
            Err(declined) => return Ok(Err(declined)),
        };
        let denied = |reason: &str| Unpayable::deny("policy_denied", reason);
        let Some(origin) = origin(&draft.request.url, self.locality) else {
            return Ok(Err(denied(refusal_of(&draft.request.url)).into()));
        };
        let now = draft.scene.now;
        let limited = |scope: Scope, rules| -> Result<Limited<'_>, B::Error> {
            Ok(Limited { rules, budget: books.budget_at(&scope, now)? })
        };
        let limits = [
            limited(Scope::Organization, &draft.organization)?,
            limited(Scope::Agent(draft.agent.clone()), &draft.own)?,
        ];
        let judge = |offer: &Offer| judge(&limits, Subject { offer, origin: &origin, now });
        let all: Vec<&Offer> = able.iter().map(|it| &it.offer).collect();
        let allowed: Vec<&Offer> =
            all.iter().copied().filter(|offer| judge(offer).is_ok()).collect();
        let best = best(&allowed).or_else(|| best(&all)).map(Offer::pin);
        let Some(Able { place, offer, wallet }) =
            able.into_iter().find(|it| Some(it.offer.pin()) == best)
        else {
            return Ok(Err(denied("Policy denied: nothing can be paid.").into()));
        };
        match judge(&offer) {
            Ok((judged, budgets)) => {
                Ok(Ok(Chosen { terms, challenge, place, offer, wallet, judged, budgets }))
            }
            Err(denial) => {
                let why = Unpayable::denied(denial, &offer, draft.scene);
                Ok(Err(Box::new(Declined { why, offer: Some(offer) })))
            }
        }
    }

    /// The offers that may be paid and that a wallet can pay; of an approved request, only the one
    /// that was approved.
    fn find_able(
        &self,
        draft: &Draft<'_>,
        terms: &Terms,
        challenge: &Challenge,
    ) -> Result<Vec<Able<'t>>, Box<Declined>> {
        let Some(organization) = self.owners.organization(draft.scene.organization) else {
            let reason = "Policy denied: the workspace is unknown.";
            return Err(Unpayable::deny("policy_denied", reason).into());
        };
        let asked = ClientLimits {
            candidate: draft.request.candidate.as_deref(),
            max_amount: draft.request.max_amount.as_deref(),
        };
        let places = find_candidates(terms, challenge, organization.environment, asked)?;
        let approved = draft.waiting.as_ref().and_then(|(_, review)| review.as_ref());
        let named = draft.own.wallet.as_deref().or(draft.organization.wallet.as_deref());
        let mut failed: Option<Box<Declined>> = None;
        let mut able = Vec::new();
        for place in places {
            let Some(offer) = challenge.offers.get(place) else { continue };
            if approved.is_some_and(|review| !is_offered(review, offer)) {
                continue;
            }
            let (asset, offer) = (&offer.asset, offer.clone());
            match wallet_for(&self.owners.wallets, &asset.network, &asset.symbol, named) {
                Ok(wallet) => able.push(Able { place, offer, wallet }),
                Err(why) => {
                    _ = failed.get_or_insert(Box::new(Declined { why, offer: Some(offer) }))
                }
            }
        }
        if !able.is_empty() {
            return Ok(able);
        }
        let reason = "The terms changed: none of them is the one that was approved.";
        let changed = || Unpayable::deny("challenge_no_supported_candidates", reason).into();
        Err(failed.unwrap_or_else(changed))
    }
}

/// Judges a payment by all rules, and then counts it in their budgets.
fn judge(limits: &[Limited<'_>], subject: Subject<'_>) -> Result<(Judged, Vec<BudgetRow>), Denial> {
    let mut judged = Judged::Allowed;
    for Limited { rules, budget } in limits {
        if rules.judge(&budget.scope, subject)? == Judged::Review {
            judged = Judged::Review;
        }
    }
    let budgets = limits.iter().map(|it| it.rules.afford(&it.budget, subject.offer));
    Ok((judged, budgets.collect::<Result<_, _>>()?))
}
