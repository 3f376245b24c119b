//! The permissions that may have been withdrawn while signer and node were asked: they are judged
//! again in the block that signs.

use super::Held;
use super::serving::{Serving, is_served};
use crate::books::Rows;
use crate::budget::worth;
use crate::config::Wallet;
use crate::decide::draft::read_rules;
use crate::kernel::Now;
use crate::merchant::{Locality, origin, refusal_of};
use crate::policy::judge::{Judged, Subject};
use crate::row::{AttemptRow, BudgetRow, Verdict};
use crate::terms::Unpayable;
use crate::terms::candidates::wallet_for;
use farebox_base::time::UnixTime;
use farebox_payer::client::offer::Offer;

/// Told of a payment whose token serves no more.
const NO_TOKEN: &str = "Policy denied: the token has ended, or it or its key was revoked.";

/// Why a payment that is reserved may not be signed any more: its agent, token, key, rules or
/// budget were changed since it was decided.
pub(super) fn find_withdrawal<B: Rows>(
    books: &B,
    locality: Locality,
    wallets: &[Wallet],
    held: &Held,
    offer: &Offer,
    scene: Now<'_>,
) -> Result<Option<Unpayable>, B::Error> {
    let Held { attempt, decision } = held;
    if attempt.is_payout() {
        return Ok(None);
    }
    let denied = |reason: &str| Ok(Some(Unpayable::deny("policy_denied", reason)));
    let agent = books.agent(&attempt.agent)?;
    let may = agent.is_some_and(|agent| !agent.disabled);
    if !may {
        return denied("Policy denied: the agent was disabled.");
    }
    let told = Unpayable::deny("policy_denied", NO_TOKEN);
    match is_served(books, attempt, scene.now)? {
        Serving::Serves => {}
        Serving::Ended => {
            return Ok(Some(Unpayable { passes: true, ..told }));
        }
        Serving::TakenBack => return Ok(Some(told)),
    }
    let Some(origin) = origin(&decision.url, locality) else {
        return denied(refusal_of(&decision.url));
    };
    let review = books.review_of(decision)?;
    let is_reviewed = review.is_some_and(|review| review.verdict == Verdict::Used);
    // The agent's own rules come last, and name before the organization's.
    let mut named = None;
    for scope in attempt.scopes() {
        let rules = read_rules(books, &scope)?;
        named = rules.wallet.clone().or(named);
        let subject = Subject { offer, origin: &origin, now: scene.now };
        let row = without(books.budget_at(&scope, scene.now)?, attempt, offer);
        let judged = rules.judge(&scope, subject);
        let why = match (judged, rules.afford(&row, offer)) {
            (Err(denial), _) | (Ok(_), Err(denial)) => Unpayable::denied(denial, offer, scene),
            (Ok(Judged::Review), Ok(_)) if !is_reviewed => {
                return denied("Policy denied: a review is required since this was decided.");
            }
            (Ok(_), Ok(_)) => continue,
        };
        return Ok(Some(why));
    }
    let asset = &offer.asset;
    let wallet = wallet_for(wallets, &asset.network, &asset.symbol, named.as_deref());
    match wallet {
        Ok(wallet) if wallet.name == attempt.wallet => Ok(None),
        Ok(_) => denied("Policy denied: another wallet pays since this was decided."),
        Err(why) => Ok(Some(why)),
    }
}

/// The budget without this payment, which counts in it already.
fn without(row: BudgetRow, attempt: &AttemptRow, offer: &Offer) -> BudgetRow {
    let counted = UnixTime::from_secs(attempt.counted);
    match worth(offer.amount, offer.asset.decimals) {
        Some(worth) => row.minus(&attempt.symbol, worth, counted),
        None => row,
    }
}
