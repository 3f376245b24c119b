//! The channel that is asked for its rest: that of today's terms, or one of the same payee from
//! before it named another signer. A gate does that once its ledger was restored; it sells by none of
//! those channels, and still pays them back. Spec: docs/channels.md, "After a restore".

use super::kept::KeptChannel;
use super::row::{read, rows};
use super::terms::ChannelTerms;
use super::{Budget, ClientError};
use farebox_base::time::UnixTime;

/// The channel and its terms; nothing is known of it if no row is kept.
pub(super) fn asked_back(
    budget: &Budget,
    terms: ChannelTerms,
    today: KeptChannel,
    now: UnixTime,
) -> Result<(ChannelTerms, KeptChannel), ClientError> {
    let kept: Option<KeptChannel> = read(budget, &today.key())?;
    // By a channel that has paid nothing no payee pays back.
    let comes_back = |it: &KeptChannel| it.has_rest(now) && !it.charged.is_zero();
    if !kept.as_ref().is_some_and(comes_back) {
        let mut last = None;
        for row in rows::<KeptChannel>(budget) {
            let row = row?;
            if comes_back(&row) && row.is_signed_otherwise(&today) {
                last = Some(row);
            }
        }
        if let Some(row) = last {
            return Ok((terms.signed_by(row.config.receiver_authorizer), row));
        }
    }
    Ok((terms, kept.unwrap_or(today)))
}
