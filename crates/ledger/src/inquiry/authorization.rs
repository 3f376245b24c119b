//! The stages of an inquiry about an authorization: heads, its state, its logs, the receipts.

use alloc::vec::Vec;

use super::conclusion::{PlacedEvidence, block, conclude};
use super::finding::{Finding, Unreadable};
use super::heads::{Heads, optional};
use super::search::{Search, estimate};
use super::traced::Traced;
use super::{Question, SIGHT_SLACK_SECS};
use farebox_common::payment::TransferMethod;
use farebox_evm::evidence::Evidence;
use farebox_evm::rpc::reply::{Log, LogPlace, Replies, TransactionReceipt};
use farebox_evm::rpc::{At, Call, Span};

/// Maximum requests for logs in one inquiry, so that it ends after eight round trips.
const MAX_LOG_ROUNDS: u8 = 3;
/// The same for a permit, about which two more questions may be asked at the end.
const MAX_PERMIT_ROUNDS: u8 = 2;
/// Maximum transactions that one authorization's logs may come from.
const MAX_PLACES: usize = 4;
/// Maximum transfers between payer and payee that are looked at for one permit.
const MAX_TRANSFERS: usize = 24;

/// Result of the reply to a stage.
pub(super) enum Progress {
    Ask(AuthorizationStage),
    Found(Finding),
}

/// The last request.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub(super) enum AuthorizationStage {
    /// The newest and the safe block, and the receipt of the known transaction.
    Heads,
    /// Whether the authorization is used.
    States(Heads),
    /// The logs that show where it is used.
    Logs { heads: Heads, search: Search, spans: Vec<Span>, round: u8 },
    /// The receipts of those transactions, and the times of their blocks.
    Receipts { heads: Heads, places: Vec<LogPlace> },
    /// The same, of each receipt only what the token tells of the payer.
    Events { heads: Heads, places: Vec<LogPlace> },
    /// The calls inside of transactions that may have used a permit.
    Traced(Traced),
}

impl AuthorizationStage {
    /// Takes the replies to this stage's calls.
    pub(super) fn answered(
        self,
        question: &Question,
        replies: &Replies,
    ) -> Result<Progress, Unreadable> {
        match self {
            Self::Heads => heads(question, replies),
            Self::States(heads) => states(question, heads, replies),
            Self::Logs { heads, search, spans, round } => {
                logs(question, heads, search, &spans, round, replies)
            }
            Self::Receipts { heads, places } => {
                let read = |index, place: &LogPlace| {
                    let receipt = replies.receipt(index, &place.transaction)?;
                    receipt.ok_or(Unreadable::Contradictory)
                };
                receipts(question, heads, &places, replies, read)
            }
            Self::Events { heads, places } => {
                let authorization = question.authorization();
                let read = |index, place: &LogPlace| {
                    Ok(replies.authorization_events(index, &authorization, place)?)
                };
                receipts(question, heads, &places, replies, read)
            }
            Self::Traced(traced) => traced.answered(question, replies),
        }
    }

    /// The next step where the reply to this cannot be read: the sender of a transaction decides
    /// how long its receipt is, so that less is asked for.
    pub(super) fn unread(
        self,
        question: &mut Question,
        error: Unreadable,
    ) -> Result<Progress, Unreadable> {
        match self {
            Self::Heads if question.known.take().is_some() => Ok(Progress::Ask(Self::Heads)),
            Self::Receipts { heads, places } => match question.method {
                TransferMethod::Eip3009 | TransferMethod::Deferred => {
                    Ok(Progress::Ask(Self::Events { heads, places }))
                }
                TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                    Traced::begin(heads, places, Err(error))
                }
            },
            Self::Traced(traced) => traced.untold().map(Progress::Found),
            Self::Heads | Self::States(_) | Self::Logs { .. } | Self::Events { .. } => Err(error),
        }
    }

    pub(super) fn calls(&self, question: &Question) -> Vec<Call> {
        let mut calls = Vec::new();
        match self {
            Self::Heads => {
                calls.extend([Call::ChainId, Call::BlockNumber, Call::Block(At::Safe)]);
                let known = question.known.map(|known| known.to_bytes());
                calls.extend(known.map(Call::Receipt));
                calls.extend(question.data(known.into_iter()));
            }
            // Asks by number, so that state and time belong to the same block.
            Self::States(Heads { latest, safe }) => {
                let latest = At::Number(*latest);
                calls.push(question.state(latest));
                calls.extend(safe.map(|safe| question.state(At::Number(safe.number))));
                calls.extend(question.seen_block.is_none().then_some(Call::Block(latest)));
            }
            Self::Logs { spans, .. } => {
                calls.extend(spans.iter().map(|span| question.logs(*span)));
            }
            Self::Receipts { places, .. } | Self::Events { places, .. } => {
                let authorization = question.authorization();
                calls.extend(places.iter().map(|LogPlace { transaction, block }| match self {
                    Self::Events { .. } => {
                        Call::AuthorizationEvents { authorization, block: *block }
                    }
                    _ => Call::Receipt(*transaction),
                }));
                if question.seen_block.is_none() {
                    calls.extend(places.iter().map(|place| Call::Block(At::Number(place.block))));
                }
                calls.extend(question.data(places.iter().map(|place| place.transaction)));
            }
            Self::Traced(traced) => calls.extend(traced.calls(question)),
        }
        calls
    }
}

fn heads(question: &Question, replies: &Replies) -> Result<Progress, Unreadable> {
    let chain = replies.quantity(0)?;
    if chain != question.chain_id {
        return Err(Unreadable::WrongChain(chain));
    }
    let safe = optional(replies.block(2))?.flatten();
    // The node may have grown between two answers of one batch.
    let latest = replies.quantity(1)?.max(safe.map_or(0, |safe| safe.number));
    let known = question.known.and_then(|known| {
        // The log search finds what this hint does not.
        let receipt = replies.receipt(3, &known.to_bytes()).ok().flatten()?;
        let place = LogPlace { transaction: known.to_bytes(), block: receipt.block };
        let found = question.evidence_of_any(&receipt, replies, 4, &place.transaction).ok()?;
        matches!(found.0, Evidence::Paid { .. }).then_some((place, found))
    });
    let Some((place, evidence)) = known else {
        return Ok(Progress::Ask(AuthorizationStage::States(Heads { latest, safe })));
    };
    let heads = Heads { latest: latest.max(place.block), safe };
    if question.seen_block.is_none() {
        return Ok(Progress::Ask(AuthorizationStage::Receipts {
            heads,
            places: Vec::from([place]),
        }));
    }
    conclude(question, heads, &[(place, evidence, None)]).map(Progress::Found)
}

fn states(question: &Question, heads: Heads, replies: &Replies) -> Result<Progress, Unreadable> {
    let is_used = question.is_used(replies, 0)?;
    let is_used_safely = match heads.safe {
        Some(_) => optional(question.is_used(replies, 1))?,
        None => None,
    };
    if !is_used {
        return match is_used_safely {
            Some(true) => Err(Unreadable::Contradictory),
            Some(false) => {
                Ok(Progress::Found(Finding::Unused { safe_time: heads.safe.map(|safe| safe.time) }))
            }
            None => Ok(Progress::Found(Finding::Unused { safe_time: None })),
        };
    }
    let search = match (question.cursor, question.seen_block) {
        (Some(cursor), _) => Search::resuming(cursor, heads.latest),
        (None, Some(seen)) => Search::beginning(seen.saturating_add(1), heads.latest),
        (None, None) => {
            let index = if heads.safe.is_some() { 2 } else { 1 };
            let latest = block(replies, index, heads.latest)?;
            let sight = question.seen_at.minus(SIGHT_SLACK_SECS);
            Search::beginning(estimate(sight, heads.safe, latest), heads.latest)
        }
    };
    let search = if question.method != TransferMethod::Eip3009 { search.upward() } else { search };
    look(question.method, heads, search, 1)
}

/// Asks for the next logs, while blocks and rounds are left.
fn look(
    method: TransferMethod,
    heads: Heads,
    mut search: Search,
    round: u8,
) -> Result<Progress, Unreadable> {
    let most = match method {
        TransferMethod::Eip3009 | TransferMethod::Deferred => MAX_LOG_ROUNDS,
        TransferMethod::Permit2 | TransferMethod::Upto(_) => MAX_PERMIT_ROUNDS,
    };
    if round > most {
        let cursor = search.cursor(heads.safe.map(|safe| safe.number));
        return Ok(Progress::Found(Finding::Searching { cursor }));
    }
    let spans = search.advance();
    if spans.is_empty() {
        // The node says it is used, but no block shows it.
        return Err(Unreadable::Contradictory);
    }
    Ok(Progress::Ask(AuthorizationStage::Logs { heads, search, spans, round }))
}

fn logs(
    question: &Question,
    heads: Heads,
    search: Search,
    spans: &[Span],
    round: u8,
    replies: &Replies,
) -> Result<Progress, Unreadable> {
    let mut places: Vec<LogPlace> = Vec::new();
    let mut failure = None;
    for (index, span) in spans.iter().enumerate() {
        match question.read_logs(replies, index, *span) {
            Ok(logs) => {
                for place in logs.iter().map(Log::place) {
                    if !places.contains(&place) {
                        places.push(place);
                    }
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    let max = match question.method {
        TransferMethod::Eip3009 | TransferMethod::Deferred => MAX_PLACES,
        TransferMethod::Permit2 | TransferMethod::Upto(_) => {
            // The first ones after first sight.
            places.truncate(MAX_TRANSFERS);
            MAX_TRANSFERS
        }
    };
    // A match counts even if other blocks, perhaps pruned long ago, could not be read.
    match (places.len(), failure) {
        (0, Some(error)) => Err(error.into()),
        (0, None) => look(question.method, heads, search, round.saturating_add(1)),
        (found, _) if found <= max => {
            Ok(Progress::Ask(AuthorizationStage::Receipts { heads, places }))
        }
        _ => Err(Unreadable::Contradictory),
    }
}

fn receipts(
    question: &Question,
    heads: Heads,
    places: &[LogPlace],
    replies: &Replies,
    read: impl Fn(usize, &LogPlace) -> Result<TransactionReceipt, Unreadable>,
) -> Result<Progress, Unreadable> {
    let mut found = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let receipt = read(index, place)?;
        if receipt.block != place.block {
            return Err(Unreadable::Contradictory);
        }
        let time = match question.seen_block {
            Some(_) => None,
            None => Some(block(replies, places.len().saturating_add(index), place.block)?.time),
        };
        let before = if time.is_some() { places.len().saturating_mul(2) } else { places.len() };
        let data = before.saturating_add(index);
        let evidence = question.evidence_of_any(&receipt, replies, data, &place.transaction)?;
        found.push((*place, evidence, time));
    }
    let concluded = conclude(question, heads, &found);
    match question.method {
        TransferMethod::Eip3009 | TransferMethod::Deferred => concluded.map(Progress::Found),
        TransferMethod::Permit2 | TransferMethod::Upto(_) => {
            let is_open = |(_, (evidence, _), _): &&PlacedEvidence| {
                matches!(evidence, Evidence::Unclear | Evidence::Unrelated)
            };
            let open = found.iter().filter(is_open).map(|(place, ..)| *place).collect();
            Traced::begin(heads, open, concluded)
        }
    }
}
