//! The request to the facilitator to settle a payout, and the reading of its answer.

use alloc::string::String;

use serde_json::{Value, json};

use super::answer::{REFUSED, SENT};
use crate::message::MerchantAnswer;
use crate::outcome::Outcome;
use crate::row::AttemptRow;
use farebox_base::amount::Amount;
use farebox_base::encoding::{base64, json};
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_wire::facilitator::outcome::{SettleOutcome, settle_outcome};
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::wire::{Expected, request};
use farebox_wire::x402::Version;

/// The body for the facilitator, from the header that was signed and the terms that it pays.
pub(crate) fn write_body(attempt: &AttemptRow, terms: &[(String, String)]) -> Option<String> {
    let decoded = |value: &str| -> Option<Value> {
        let bytes = base64::decode(value).ok()?;
        json::parse_with(&bytes, 64 * 1024).ok()
    };
    let (_, payment) = attempt.header.as_ref()?;
    let payment = decoded(payment)?;
    let (_, terms) = terms.first()?;
    let terms = decoded(terms)?;
    let requirements = terms.get("accepts")?.get(0)?;
    Some(request(Version::V2, &payment, requirements))
}

/// A facilitator's answer, for those who read it.
pub(crate) fn reply_of(answer: &MerchantAnswer) -> FacilitatorReply {
    let is_json = answer
        .headers
        .iter()
        .any(|(name, value)| name == "content-type" && value.to_ascii_lowercase().contains("json"));
    FacilitatorReply::Answer {
        status: u16::try_from(answer.status).unwrap_or(u16::MAX),
        is_json: is_json && !answer.cut,
        body: answer.body.clone(),
    }
}

/// Reads the outcome of a payout in a facilitator's answer. Whatever it says, the chain decides what
/// became of the money.
pub(crate) fn read_outcome(
    attempt: &AttemptRow,
    answer: &MerchantAnswer,
    repeated: bool,
) -> Outcome {
    let expected = Expected {
        payer: Address::parse(&attempt.from).ok(),
        network: attempt.network.clone(),
        amount: Amount::from_atomic(&attempt.value).unwrap_or(Amount::ZERO),
    };
    let named = |hash: Option<TxHash>| hash.map(|hash| hash.to_text());
    match settle_outcome(&reply_of(answer), &expected) {
        SettleOutcome::Settled(hash) => {
            let transaction = Some(hash.to_text());
            let evidence = Some(json!({"transaction": transaction}));
            let it = Outcome::of("allow", "policy_allow", SENT);
            Outcome { fulfillment: "succeeded", has_receipt: true, transaction, evidence, ..it }
        }
        // A repeat is refused because the first may have arrived.
        SettleOutcome::Refused(reason) if !repeated => {
            let evidence = Some(json!({"facilitatorReason": reason}));
            let it = Outcome::of("execution_failed", "merchant_rejected", REFUSED);
            Outcome { evidence, ..it }
        }
        SettleOutcome::Refused(reason) => {
            Outcome { evidence: Some(json!({"facilitatorReason": reason})), ..Outcome::lost() }
        }
        SettleOutcome::Pending => Outcome::lost(),
        SettleOutcome::Unknown(hash) => {
            let transaction = named(hash);
            let evidence = Some(json!({"facilitatorStatus": answer.status}));
            Outcome { has_receipt: transaction.is_some(), transaction, evidence, ..Outcome::lost() }
        }
    }
}
