//! One payment: reserved and written before it is signed, signed once, sent, and its answer kept.
//!
//! Here are its rows, and what several steps do with them. In reading order: `reserve` begins and
//! signs it, with `withdrawn` and `serving`; `report` takes the answer, and `finding` what the chain shows;
//! `recover` sends it again, and is the work of the alarm.

mod finding;
pub(super) mod recover;
pub(super) mod report;
pub(super) mod reserve;
pub(super) mod secret;
mod serving;
mod withdrawn;

use self::serving::is_withdrawn;
use alloc::boxed::Box;
use alloc::vec::Vec;

use serde_json::json;

use super::answer::{DecisionAnswer, NOT_SENT, REVIEW, merchant};
use super::books::{Change, Rows};
use super::budget::worth;
use super::decide::denial::count_unmoved;
use super::id::Fresh;
use super::kernel::{Decision, Grant, Now, SendWindow};
use super::message::Order;
use super::payout::settlement;
use super::receipt::Receipts;
use super::refused;
use super::row::{AttemptRow, BudgetRow, DecisionRow, Money, Parcel, ReviewRow, Stage, Verdict};
use super::terms::Terms;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_base::hash;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::eip3009::Authorization;
use farebox_payer::client::challenge::Challenge;
use farebox_payer::client::prepare::Prepared;

/// Maximum size of a payment header that is kept as it was sent, bytes.
const MAX_HEADER_BYTES: usize = 4096;

/// The rows that a report may change: the attempt and its decision, while its fence is the last
/// one.
pub(super) struct Held {
    pub attempt: AttemptRow,
    pub decision: DecisionRow,
}

impl Held {
    /// The rows that a report is about, if its sender still holds them; otherwise the answer.
    pub fn find<B: Rows>(
        books: &B,
        receipts: &Receipts,
        grant: Grant<'_>,
        money: Money,
    ) -> Result<Result<Self, Decision>, B::Error> {
        let told = |reply| Ok(Err(Decision::reply(reply)));
        let Some(attempt) = books.attempt(grant.id)? else { return told(refused::internal()) };
        let Some(decision) = books.decision(&attempt.decision)? else {
            return told(refused::internal());
        };
        let is_held = attempt.fence == grant.fence;
        let is_there =
            attempt.money == money || (money, attempt.money) == (Money::Signed, Money::Spent);
        if is_held && is_there && decision.stage == Stage::Executing {
            return Ok(Ok(Self { attempt, decision }));
        }
        told(receipts.reply(&decision))
    }
}

/// The request to the merchant.
pub(super) fn write_order(
    attempt: &AttemptRow,
    parcel: &Parcel,
    window: SendWindow,
    now: UnixTime,
) -> Order {
    let mut headers = parcel.headers.clone();
    let body = match attempt.is_payout() {
        true => settlement::write_body(attempt, &parcel.challenge_headers),
        false => {
            headers.extend(attempt.header.clone());
            parcel.body.clone()
        }
    };
    Order {
        attempt: attempt.id.clone(),
        fence: attempt.fence,
        method: parcel.method.clone(),
        url: parcel.url.clone(),
        headers,
        body,
        until: window.end(now, attempt.valid_before),
    }
}

/// The payment of held rows as it was prepared, and its challenge. Another version may read an
/// offer more or fewer: the one at the same place is then another one.
pub(super) fn restore(held: &Held, parcel: &Parcel) -> Option<(Prepared, Challenge)> {
    let attempt = &held.attempt;
    let counted = UnixTime::from_secs(attempt.counted);
    let challenge = Terms::of_parcel(parcel).read(counted).ok()?;
    let offer = challenge.offers.get(usize::try_from(parcel.offer).ok()?)?.clone();
    let authorization = Authorization {
        from: Address::parse(&attempt.from).ok()?,
        to: Address::parse(&attempt.to).ok()?,
        value: Amount::from_atomic(&attempt.value).ok()?,
        valid_after: UnixTime::from_secs(attempt.valid_after),
        valid_before: UnixTime::from_secs(attempt.valid_before),
        nonce: hex::decode_array(&attempt.nonce).ok()?,
    };
    let is_it = offer.pay_to == authorization.to && offer.amount == authorization.value;
    let is_its = offer.pin() == held.decision.terms;
    (is_it && is_its).then_some((
        Prepared { offer, authorization, transaction: None, allowance: None },
        challenge,
    ))
}

/// Gives up a payment that was interrupted before any of it was sent. An approval that it used
/// serves again.
pub(super) fn interrupt<B: Rows>(
    books: &B,
    attempt: AttemptRow,
    decision: &mut DecisionRow,
    scene: Now<'_>,
) -> Result<Vec<Change>, B::Error> {
    let now = scene.now;
    if let Some(approval) = restore_approval(books, &attempt, decision, scene)? {
        let mut changes = end_unmoved(books, attempt, now)?;
        changes.extend(approval);
        return Ok(changes);
    }
    let mut said = DecisionAnswer::new("execution_failed", "merchant_execution_failed", NOT_SENT);
    said.merchant = Some(merchant(503, Vec::new(), ""));
    said.evidence = Some(json!({"sent": false}));
    said.write(decision, now.secs());
    (decision.stage, decision.open) = (Stage::Final, false);
    let mut changes = end_unmoved(books, attempt, now)?;
    changes.push(Change::Decision(Box::new(decision.clone())));
    Ok(changes)
}

/// The writes by which an approval serves again that an attempt has used and did not sign for; `None`
/// if there is none. What was signed uses it up: one decision signs once. So does the end of its agent.
/// One whose time has ended meanwhile is told as any that ended unused.
pub(super) fn restore_approval<B: Rows>(
    books: &B,
    attempt: &AttemptRow,
    decision: &mut DecisionRow,
    scene: Now<'_>,
) -> Result<Option<[Change; 2]>, B::Error> {
    let now = scene.now.secs();
    let review = match attempt.header {
        None => books.review_of(decision)?,
        Some(_) => None,
    };
    let is_usable = |it: &ReviewRow| it.verdict == Verdict::Used;
    let Some(mut review) = review.filter(is_usable) else { return Ok(None) };
    if is_withdrawn(books, attempt, scene.now)? {
        return Ok(None);
    }
    review.verdict = Verdict::Approved;
    decision.attempt = Fresh::of(scene.random).attempt;
    DecisionAnswer::new("deny", "policy_review_required", REVIEW).write(decision, now);
    (decision.stage, decision.open) = (Stage::Review, true);
    let decision = Change::Decision(Box::new(decision.clone()));
    Ok(Some([Change::Review(Box::new(review)), decision]))
}

/// Ends an attempt whose money never moves, as [`void`] does, and counts it for its agent.
pub(super) fn end_unmoved<B: Rows>(
    books: &B,
    attempt: AttemptRow,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let counted = count_unmoved(books, &attempt.agent, now)?;
    let mut changes = void(books, attempt, now)?;
    changes.extend(counted.map(Change::Agent));
    Ok(changes)
}

/// Ends an attempt whose money never moves, and gives its budgets back.
pub(super) fn void<B: Rows>(
    books: &B,
    mut attempt: AttemptRow,
    now: UnixTime,
) -> Result<Vec<Change>, B::Error> {
    let mut changes = Vec::new();
    let value = Amount::from_atomic(&attempt.value).ok();
    let worth = value.and_then(|value| worth(value, attempt.decimals));
    let counted = UnixTime::from_secs(attempt.counted);
    for scope in attempt.scopes() {
        let row = books.budget(&scope)?;
        let (Some(row), Some(worth)) = (row, worth) else { continue };
        let row: BudgetRow = row.at(now).minus(&attempt.symbol, worth, counted);
        changes.push(Change::Budget(row));
    }
    attempt.money = Money::Void;
    attempt.fence = attempt.fence.saturating_add(1);
    (attempt.lease, attempt.due, attempt.why) = (None, None, None);
    changes.push(end(attempt));
    Ok(changes)
}

/// The write of an attempt that is not sent any more: its request leaves. A merchant chooses how
/// long its terms are, and with them the header that pays them.
pub(super) fn end(mut attempt: AttemptRow) -> Change {
    if let Some((_, value)) = &mut attempt.header
        && value.len() > MAX_HEADER_BYTES
    {
        *value = hash::digest(&[b"farebox payment header", value.as_bytes()]);
    }
    Change::Ended(Box::new(attempt))
}
