//! The capabilities that can be bought now. Spec: contract of the compute exchange,
//! `GET /buyers/capabilities`.

use alloc::format;

use super::board::{all_seats, list_offers};
use super::body::demo_unsupported;
use super::kernel::{Applied, Decision, Now};
use super::message::JsonAnswer;
use super::records::{Rows, Seats};
use super::settings::{PaymentProfile, Profile};
use super::standing::HEARTBEAT_MS;
use crate::text::{list, object, quoted, time};
use farebox_base::amount::Amount;

/// Lists capabilities of which a quote is given a seat now, by name, without naming a seller.
pub(super) fn list_capabilities<R: Rows>(
    records: &R,
    profile: &PaymentProfile,
    tick: Now<'_>,
) -> Applied<R> {
    if profile.kind == Profile::DemoTestnet {
        return Ok(Decision::reply(demo_unsupported()));
    }
    // As many reads as there are sellers would hold up what is paid, and anyone may ask for them.
    let taken = all_seats(records, tick.now)?;
    let mut free = records.online(tick.now.saturating_sub(HEARTBEAT_MS))?;
    free.retain(|seller| {
        let seats = taken.get(&seller.id).copied().unwrap_or_default();
        seats.free(seller.capacity) > 0
    });
    let currency = profile.token.symbol;
    let offers = list_offers(&free, &|_| Seats::default(), tick.now);
    let capabilities = offers.into_iter().map(|it| {
        let least = Amount::from_atomic(&it.units).unwrap_or(Amount::ZERO);
        object(&[
            ("capability", quoted(&it.capability)),
            ("available_count", format!("{}", it.sellers)),
            ("min_price", quoted(&least.to_decimal(profile.token.decimals))),
            ("currency", quoted(currency)),
        ])
    });
    let members = [
        ("network_profile", quoted(profile.name())),
        ("network", quoted(profile.network.as_str())),
        ("currency", quoted(currency)),
        ("updated_at", quoted(&time(tick.now))),
        ("capabilities", list(capabilities)),
    ];
    Ok(Decision::reply(JsonAnswer::new(200, object(&members))))
}
