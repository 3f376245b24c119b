//! Looks at a 402 and at the record without changing anything: what each offer would be told, and
//! what was spent of each cap.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::budget::{Budget, Draft};
use super::challenge::{Challenge, Means};
use super::error::ClientError;
use super::offer::{Offer, TermsSource};
use super::policy::Policy;
use farebox_base::http::Headers;
use farebox_base::time::UnixTime;

/// The 402 that is looked at.
#[derive(Clone, Copy, Debug)]
pub struct ChallengeResponse<'a> {
    /// Header fields of the 402.
    pub headers: &'a Headers,
    /// Its body.
    pub body: &'a [u8],
    /// The requested method and URL, without the query.
    pub endpoint: &'a str,
}

/// Every offer of a 402, with what policy and budget say of it alone; `budget` stays as it is.
///
/// # Errors
/// The reason why the 402 has no terms.
pub fn look(
    asked: ChallengeResponse<'_>,
    means: Means<'_>,
    budget: &Budget,
) -> Result<Vec<Value>, ClientError> {
    let challenge = Challenge::read(asked.headers, asked.body, means)?;
    let draft = Draft { name: &|_| String::new(), host: means.host, endpoint: asked.endpoint };
    let refusal = |error: &ClientError| {
        let (code, remedy) = (error.reason.code(), error.reason.remedy());
        json!({"code": code, "message": error.message, "remedy": remedy})
    };
    let mut told = Vec::new();
    for offer in &challenge.offers {
        let mut once = budget.clone();
        let verdict = once.reserve(means.policy, core::slice::from_ref(offer), draft, means.now);
        told.push(json!({
            "allowed": verdict.is_ok(),
            "offer": shown(offer),
            "refusal": verdict.as_ref().err().map(refusal),
        }));
    }
    let refused = challenge.refused.iter();
    told.extend(refused.map(|error| json!({"allowed": false, "refusal": refusal(error)})));
    Ok(told)
}

fn shown(offer: &Offer) -> Value {
    let Offer { asset, amount, .. } = offer;
    json!({
        "protocol": match &offer.asked {
            TermsSource::X402 { .. } => "x402",
            TermsSource::Mpp(_) => "mpp",
        },
        "network": asset.network.as_str(),
        "asset": asset.address.to_checksum(),
        "symbol": asset.symbol,
        "payTo": offer.pay_to.to_checksum(),
        "amount": amount.to_string(),
        "amountText": offer.in_words(),
        "pin": offer.pin(),
    })
}

/// The spent part and the rest of each cap: of the hour and the day, and in the day of each host
/// and payee. Amounts in whole tokens.
#[must_use]
pub fn spent(policy: &Policy, budget: &Budget, now: UnixTime) -> Vec<Value> {
    budget
        .caps(policy, now)
        .into_iter()
        .map(|it| {
            let text = |amount: farebox_base::amount::Amount| {
                amount.to_decimal(super::asset::CAP_DECIMALS)
            };
            let remaining =
                it.cap.checked_sub(it.spent).unwrap_or(farebox_base::amount::Amount::ZERO);
            json!({
                "cap": it.name,
                "of": it.of,
                "max": text(it.cap),
                "spent": text(it.spent),
                "remaining": text(remaining),
            })
        })
        .collect()
}
