//! The strongest conclusion from what several transactions show of one authorization.

use super::finding::{Finding, Unreadable};
use super::heads::{Heads, hash};
use super::{FoundEvidence, Question};
use farebox_base::time::UnixTime;
use farebox_evm::evidence::Evidence;
use farebox_evm::rpc::reply::{Block, LogPlace, Replies};

/// The evidence in a transaction, and the time of its block, if it was asked for.
pub(super) type PlacedEvidence = (LogPlace, FoundEvidence, Option<UnixTime>);

/// The strongest conclusion from the receipts.
pub(super) fn conclude(
    question: &Question,
    heads: Heads,
    found: &[PlacedEvidence],
) -> Result<Finding, Unreadable> {
    let mut best: Option<(u8, Finding)> = None;
    for (LogPlace { transaction, block }, (evidence, earlier), time) in found {
        let (block, finality) = (*block, heads.finality(*block));
        let transaction = hash(transaction)?;
        let (rank, finding) = match *evidence {
            Evidence::Paid { log_index } if question.is_after_sight(block, *time) => {
                if let Some(earlier) = *earlier {
                    (5, Finding::TransferredEarlier { transaction, earlier })
                } else if question.is_confirmed(block, heads.latest) {
                    (5, Finding::Transferred { transaction, block, log_index })
                } else {
                    (4, Finding::Unconfirmed { transaction })
                }
            }
            Evidence::Paid { .. } => (3, Finding::TransferredBefore { transaction, finality }),
            Evidence::Unclear => (2, Finding::Unclear { transaction, finality }),
            Evidence::Elsewhere => (1, Finding::UsedElsewhere { finality }),
            Evidence::Cancelled => (0, Finding::Cancelled { finality }),
            Evidence::Unrelated => continue,
        };
        if best.as_ref().is_none_or(|(max, _)| rank > *max) {
            best = Some((rank, finding));
        }
    }
    best.map(|(_, finding)| finding).ok_or(Unreadable::Contradictory)
}

/// The block `number`, which the node had a moment ago.
pub(super) fn block(replies: &Replies, index: usize, number: u64) -> Result<Block, Unreadable> {
    replies.block(index)?.filter(|block| block.number == number).ok_or(Unreadable::Contradictory)
}
