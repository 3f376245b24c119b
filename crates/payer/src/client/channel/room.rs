//! Room in the record for another channel: what holds nothing gives way.

use alloc::collections::VecDeque;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::kept::KeptChannel;
use super::row::rows;
use crate::client::budget::Budget;
use crate::client::error::ClientError;

/// Texts of a record beyond which channels in which nothing is left give way.
const MANY: usize = 1_500;

/// Lets channels go in which nothing is left, where the record is nearly full: the oldest of the host that
/// has most of them, so that no seller has those of another go. What was charged of one is told again by
/// its payee, who shows the payer's own voucher.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub(super) fn make_room(budget: &mut Budget) -> Result<(), ClientError> {
    let more = budget.sent.count().saturating_sub(MANY);
    if more == 0 {
        return Ok(());
    }
    let mut empty: Vec<(String, VecDeque<String>)> = Vec::new();
    for channel in rows::<KeptChannel>(budget) {
        let channel = channel?;
        if channel.is_empty() {
            let host = &channel.host;
            match empty.iter_mut().find(|(known, _)| known == host) {
                Some((_, keys)) => keys.push_back(channel.key()),
                None => empty.push((host.to_string(), VecDeque::from([channel.key()]))),
            }
        }
    }
    for _ in 0..more {
        // Of several the one whose row is the oldest.
        let fullest = empty.iter_mut().rev().max_by_key(|(_, keys)| keys.len());
        let Some(key) = fullest.and_then(|(_, keys)| keys.pop_front()) else { break };
        budget.sent.let_go(&key);
    }
    Ok(())
}
