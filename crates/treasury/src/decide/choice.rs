//! Which offer is paid, from which wallet and budgets; or why none is.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::draft::Draft;
use super::waiting::is_offered;
use crate::answer::figures;
use crate::books::Rows;
use crate::config::Treasury;
use crate::config::Wallet;
use crate::merchant::origin;
use crate::notice;
use crate::policy::judge::{Denial, Judged, Subject};
use crate::row::{BudgetRow, Scope};
use crate::terms::candidates::ClientLimits;
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

impl Treasury {
    /// Chooses the offer that is paid, or says why none is.
    #[expect(clippy::type_complexity, reason = "the offer is that of the refusal")]
    pub(super) fn choose<B: Rows>(
        &self,
        books: &B,
        draft: &Draft<'_>,
        terms: Terms,
        challenge: Challenge,
    ) -> Result<Result<Chosen<'_>, (Unpayable, Option<Offer>)>, B::Error> {
        let Some(organization) = self.owners.organization(draft.scene.organization) else {
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
        let Some(origin) = origin(&draft.request.url, self.locality) else {
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
}
