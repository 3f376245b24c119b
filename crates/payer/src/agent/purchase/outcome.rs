//! The outcome of a purchase: the job that was bought, or why there is none.

use super::stage::MoneyState;
use super::step::PurchaseStep;
use super::terms::QuoteTerms;
use crate::agent::json::Json;

/// The step that tells it.
pub(super) fn over(outcome: Json) -> PurchaseStep {
    if outcome.get("code").is_some() {
        PurchaseStep::Fail(outcome)
    } else {
        PurchaseStep::Return(outcome)
    }
}

/// A job that was done.
pub(super) fn done(terms: &QuoteTerms, job: &str, result: Json) -> Json {
    let money = if terms.is_mock() { MoneyState::NotMoved } else { MoneyState::Paid };
    Json::object([
        ("jobId", Some(job.into())),
        ("paymentId", Some(terms.payment_id.as_str().into())),
        ("sellerId", Some(terms.seller.as_str().into())),
        ("amount", Some(terms.amount.as_str().into())),
        ("currency", Some(terms.currency.as_str().into())),
        ("transaction", terms.transaction.as_deref().map(Json::from)),
        ("money", Some(money.name().into())),
        ("result", Some(result)),
    ])
}

/// A failure, and where its money is.
pub(super) fn failed(
    code: &str,
    why: &str,
    money: MoneyState,
    terms: Option<&QuoteTerms>,
    job: Option<&str>,
) -> Json {
    let remedy = match money {
        _ if code == "job_gone" => {
            "look at the wallet for a refund, then order again if you like: that is another payment"
        }
        MoneyState::NotMoved => "nothing was charged; order again if you like",
        MoneyState::Unknown => {
            "order the same again, never in another way: the token charges one of its payments at most"
        }
        MoneyState::Held => "call again with the same order to go on waiting",
        MoneyState::Refunded => {
            "the money comes back to the address that paid; order again if you like"
        }
        MoneyState::Paid => "the work was delivered and paid",
    };
    Json::object([
        ("code", Some(code.into())),
        ("message", Some(why.into())),
        ("remedy", Some(remedy.into())),
        ("money", Some(money.name().into())),
        ("paymentId", terms.map(|terms| terms.payment_id.as_str().into())),
        ("jobId", job.map(Json::from)),
        ("transaction", terms.and_then(|terms| terms.transaction.as_deref()).map(Json::from)),
    ])
}
