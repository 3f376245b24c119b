//! Room in the record for another channel: what holds nothing gives way, the oldest first.

use alloc::vec::Vec;

use super::kept::KeptChannel;
use super::row::rows;
use crate::client::budget::Budget;
use crate::client::error::ClientError;
use farebox_base::mutant::{Mutant, planted};

/// Texts of a record beyond which channels in which nothing is left give way.
const MANY: usize = 1_500;

/// Lets the oldest channels go in which nothing is left, where the record is nearly full. What was
/// charged of one is told again by its payee, who shows the payer's own voucher.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub(super) fn make_room(budget: &mut Budget) -> Result<(), ClientError> {
    let more = budget.sent.count().saturating_sub(MANY);
    if more == 0 {
        return Ok(());
    }
    let mut empty = Vec::new();
    for channel in rows::<KeptChannel>(budget) {
        let channel = channel?;
        if channel.is_empty() {
            empty.push(channel.key());
        }
    }
    for key in empty.iter().take(more).filter(|_| !planted(Mutant::EmptyChannelsStay)) {
        budget.sent.let_go(key);
    }
    Ok(())
}
