//! Calls about a recorded payment that run without a waiting request.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

use serde_json::{Map, Value};

use super::call::FacilitatorCall;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{hex, json};
use farebox_base::time::UnixTime;
use farebox_common::payment::{OnChain, TransferMethod, TxHash};
use farebox_evm::address::Address;
use farebox_ledger::command::{ChainVerdict, Outcome, Payment, SignedTerms};
use farebox_ledger::inquiry::finding::{Finding, Verdict, verdict};
use farebox_ledger::inquiry::transfer::{KnownParts, Transfer};
use farebox_ledger::inquiry::{ChainQuery, Question};
use farebox_wire::facilitator::outcome::{SettleOutcome, settle_outcome};
use farebox_wire::facilitator::reply::FacilitatorReply;
use farebox_wire::facilitator::wire::Expected;
use farebox_wire::x402::{exact, handed};

/// Prefix of a request in version 1.
const VERSION_1: &str = r#"{"x402Version":1,"#;

/// The settle call that sends a recorded request once more, and what its reply must agree with;
/// `None` if the row cannot be read. The call may take `secs`.
#[must_use]
pub fn resend_call(
    payer: &str,
    payment: &Payment,
    facilitator: &str,
    request: &str,
    secs: u64,
) -> Option<(FacilitatorCall, Expected)> {
    let expected = Expected {
        payer: match payment.network.starts_with("eip155:") {
            true => Some(Address::parse(payer).ok()?),
            false => None,
        },
        network: network_of(&payment.network, request),
        amount: Amount::from_atomic(&payment.amount).ok()?,
    };
    // A payment on a chain where the gate reads no payer is only named by itself.
    let known = if expected.payer.is_some() { payer } else { "" };
    let (url, body) =
        (format!("{facilitator}/settle"), handed::charging(request, Some(&payment.amount)));
    Some((FacilitatorCall::of_alarm(url, body, secs, known), expected))
}

/// The network's name in the protocol version of a recorded request.
#[must_use]
pub fn network_of(network: &str, request: &str) -> String {
    let chain = ChainId::parse(network).ok();
    match chain.and_then(|chain| chain.v1_name()) {
        Some(name) if request.starts_with(VERSION_1) => name.to_owned(),
        _ => network.to_owned(),
    }
}

/// A settle reply as an outcome for the ledger.
#[must_use]
pub fn outcome(reply: &FacilitatorReply, expected: &Expected) -> Outcome {
    match settle_outcome(reply, expected) {
        SettleOutcome::Settled(transaction) => Outcome::Settled(transaction.to_text()),
        // The ledger decides whether this payment may be paid so.
        SettleOutcome::Pending => Outcome::Settled(TxHash::PENDING.to_text()),
        SettleOutcome::Refused(reason) => Outcome::Refused(reason),
        SettleOutcome::Unknown(hash) => Outcome::Unknown(hash.map(|hash| hash.to_text())),
    }
}

/// First sight of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSight {
    /// Time of the claim.
    pub at: UnixTime,
    /// The newest block at that time.
    pub block: Option<u64>,
}

/// The query to the chain about a recorded payment; `None` if the row cannot be read.
#[must_use]
pub fn chain_query(
    payer: &str,
    payment: &Payment,
    first_sight: FirstSight,
    known: Option<TxHash>,
) -> Option<ChainQuery> {
    match OnChain::read(&payment.facilitator, &payment.request) {
        Some(onchain) => {
            let known = match &onchain {
                OnChain::Signed(signed) => KnownParts::Whole { nonce: signed.nonce },
                OnChain::Sent { .. } => KnownParts::Name,
            };
            transfer(payer, payment, &onchain, known, first_sight)
                .map(Box::new)
                .map(ChainQuery::Transfer)
        }
        None => question(payer, payment, first_sight, known)
            .map(Box::new)
            .map(ChainQuery::Authorization),
    }
}

/// The query that sends a recorded on-chain payment once more and looks for it; `None` for any
/// other row.
#[must_use]
pub fn sent_again(payer: &str, payment: &Payment, first_sight: FirstSight) -> Option<Transfer> {
    sending(payer, payment, &OnChain::read(&payment.facilitator, &payment.request)?, first_sight)
}

/// The query that carries the bytes of a signed transaction and looks for its receipt alone.
pub(super) fn sending(
    payer: &str,
    payment: &Payment,
    onchain: &OnChain,
    first_sight: FirstSight,
) -> Option<Transfer> {
    let known = match onchain {
        OnChain::Signed(_) => KnownParts::Content,
        OnChain::Sent { .. } => KnownParts::Name,
    };
    let send = match onchain {
        OnChain::Signed(signed) => Some(signed.bytes().to_vec()),
        OnChain::Sent { .. } => None,
    };
    Some(Transfer { send, ..transfer(payer, payment, onchain, known, first_sight)? })
}

fn transfer(
    payer: &str,
    payment: &Payment,
    onchain: &OnChain,
    known: KnownParts,
    first_sight: FirstSight,
) -> Option<Transfer> {
    let (seen_block, seen_at, until) = match onchain {
        OnChain::Signed(_) => (first_sight.block, first_sight.at, None),
        // It was on the chain before the client showed it.
        OnChain::Sent { since, until, .. } => (None, *since, Some(*until)),
    };
    Some(Transfer {
        chain_id: ChainId::parse(&payment.network).ok()?.evm_id()?,
        asset: Address::parse(&payment.asset).ok()?,
        from: Address::parse(payer).ok()?,
        to: Address::parse(&payment.pay_to).ok()?,
        value: Amount::from_atomic(&payment.amount).ok()?,
        transaction: onchain.transaction()?,
        known,
        seen_block,
        seen_at,
        until,
        send: None,
    })
}

/// The outcome of a transaction after a look at the chain.
#[must_use]
pub fn settled_by_chain(finding: &Finding, transaction: TxHash) -> Outcome {
    match finding {
        Finding::Transferred { transaction, .. } => Outcome::Settled(transaction.to_text()),
        // A transaction that is in a block and moved nothing will never move anything.
        Finding::UsedElsewhere { .. } => Outcome::Refused(REVERTED.to_owned()),
        Finding::Unconfirmed { .. }
        | Finding::TransferredEarlier { .. }
        | Finding::TransferredLate { .. }
        | Finding::TransferredBefore { .. }
        | Finding::Cancelled { .. }
        | Finding::Unclear { .. }
        | Finding::Unused { .. }
        | Finding::Searching { .. }
        | Finding::Unreadable(_) => Outcome::Unknown(Some(transaction.to_text())),
    }
}

/// Reason for a refusal: the transaction was carried out and moved nothing.
pub(super) const REVERTED: &str = "transaction_reverted";

/// The question to the chain about a recorded authorization.
pub(super) fn question(
    payer: &str,
    payment: &Payment,
    first_sight: FirstSight,
    known: Option<TxHash>,
) -> Option<Question> {
    // It moves with others, by a transaction that does not use its nonce.
    if payment.is_deferred() {
        return None;
    }
    let request = json::parse(payment.request.as_bytes()).ok()?;
    let signed = request.pointer("/paymentPayload/payload")?.as_object()?;
    let nonce = |name| signed.get(name)?.get("nonce")?.as_str();
    let (method, nonce) = match nonce("authorization") {
        Some(nonce) => (TransferMethod::Eip3009, hex::decode_array(nonce).ok()?),
        None => {
            let nonce = Amount::from_atomic(nonce(exact::PERMIT)?).ok()?;
            let permit = signed.get(exact::PERMIT)?.as_object()?;
            (permit_method(permit)?, nonce.to_be_bytes())
        }
    };
    Some(Question {
        chain_id: ChainId::parse(&payment.network).ok()?.evm_id()?,
        asset: Address::parse(&payment.asset).ok()?,
        from: Address::parse(payer).ok()?,
        to: Address::parse(&payment.pay_to).ok()?,
        value: Amount::from_atomic(&payment.amount).ok()?,
        earlier: payment.signing.earlier.iter().map(moves).collect::<Option<_>>()?,
        method,
        nonce,
        seen_block: first_sight.block,
        seen_at: first_sight.at,
        known,
        confirmations: 1,
        cursor: None,
    })
}

/// The method of a recorded permit.
fn permit_method(permit: &Map<String, Value>) -> Option<TransferMethod> {
    if permit.contains_key("spender") {
        return TransferMethod::of_permit(permit).ok();
    }
    // A brief of an earlier version names no spender.
    match permit.get("witness")?.get("facilitator").and_then(Value::as_str) {
        None => Some(TransferMethod::Permit2),
        Some(facilitator) => Some(TransferMethod::Upto(Address::parse(facilitator).ok()?)),
    }
}

/// The payee and the amount of an earlier authorization.
fn moves(terms: &SignedTerms) -> Option<(Address, Amount)> {
    Some((Address::parse(&terms.pay_to).ok()?, Amount::from_atomic(&terms.amount).ok()?))
}

/// As much of a facilitator request as [`question`] reads; `None` if it reads nothing in it.
pub(super) fn brief(request: &str) -> Option<String> {
    let request = json::parse(request.as_bytes()).ok()?;
    let signed = request.pointer("/paymentPayload/payload")?;
    let kept = match (signed.get("authorization"), signed.get(exact::PERMIT)) {
        (Some(signed), _) => json::json!({ "authorization": { "nonce": signed.get("nonce")? } }),
        (None, Some(permit)) => {
            let (nonce, spender) = (permit.get("nonce")?, permit.get("spender")?);
            let witness = json::json!({ "facilitator": permit.pointer("/witness/facilitator") });
            let kept = json::json!({ "nonce": nonce, "spender": spender, "witness": witness });
            json::json!({ exact::PERMIT: kept })
        }
        (None, None) => return None,
    };
    Some(json::text(&json::json!({ "paymentPayload": { "payload": kept } })))
}

/// A finding as a verdict for the ledger, about a payment whose nonce was signed before for the
/// terms `earlier`.
#[must_use]
pub fn chain_verdict(
    finding: &Finding,
    valid_before: UnixTime,
    earlier: &[SignedTerms],
    now: UnixTime,
) -> ChainVerdict {
    match verdict(finding, valid_before, now) {
        Verdict::Captured(transaction) => ChainVerdict::Captured(transaction.to_text()),
        Verdict::Earlier(transaction, place) => match earlier.get(place) {
            Some(terms) => ChainVerdict::Earlier(transaction.to_text(), terms.clone()),
            None => ChainVerdict::Nothing,
        },
        Verdict::Late(transaction) => ChainVerdict::Late(transaction.to_text()),
        Verdict::Void => ChainVerdict::Void,
        Verdict::Early(transaction) | Verdict::Unclear(transaction) => {
            ChainVerdict::Contradiction(transaction.to_text())
        }
        Verdict::Open if matches!(finding, Finding::Unused { .. }) => ChainVerdict::Nothing,
        Verdict::Open | Verdict::Unreadable => ChainVerdict::Unread,
    }
}
