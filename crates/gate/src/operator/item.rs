//! A payment as the operator's answers show it.

use alloc::string::String;

use crate::units;
use farebox_base::encoding;
use farebox_ledger::report::PaymentItem;

/// A payment as JSON, with what people read.
pub(super) fn readable(item: &PaymentItem) -> String {
    let text = encoding::json::text(item);
    let open = text.strip_suffix('}').unwrap_or_default();
    let amount = units::amount_members(&item.network, &item.asset, &item.amount);
    let created = units::time_member("created", item.created_at);
    let updated = units::time_member("updated", item.updated_at);
    [open, &amount, &created, &updated, "}"].concat()
}
