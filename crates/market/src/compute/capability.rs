//! The capabilities that can be bought now. Spec: contract of the compute exchange,
//! `GET /buyers/capabilities`.

use alloc::format;
use alloc::string::String;

use super::body::demo_unsupported;
use super::kernel::{Decision, Now};
use super::message::JsonAnswer;
use super::records::Rows;
use super::row::SellerRow;
use super::settings::{PaymentProfile, Profile};
use super::standing::HEARTBEAT_MS;
use super::text::{list, object, quoted, time};
use farebox_base::amount::Amount;
use farebox_base::sorted::Sorted;

/// How much there is of a capability.
struct Supply {
    sellers: u64,
    least: Amount,
}

/// Lists capabilities of which a quote is given a seat now, by name, without naming a seller.
pub(super) fn list_capabilities<R: Rows>(
    records: &R,
    profile: &PaymentProfile,
    tick: Now<'_>,
) -> Result<Decision, R::Error> {
    if profile.kind == Profile::DemoTestnet {
        return Ok(Decision::reply(demo_unsupported()));
    }
    let mut supplies: Sorted<String, Supply> = Sorted::new();
    for seller in records.online(tick.now.saturating_sub(HEARTBEAT_MS))? {
        let seats = records.seats(&seller.id, tick.now)?;
        let price = Amount::from_atomic(&seller.units);
        if let Ok(price) = price
            && seller.is_here(tick.now)
            && seats.free(seller.capacity) > 0
        {
            let SellerRow { capability, .. } = seller;
            let supply = supplies.get_or(capability, || Supply { sellers: 0, least: price });
            supply.sellers = supply.sellers.saturating_add(1);
            supply.least = supply.least.min(price);
        }
    }
    let currency = profile.token.symbol;
    let capabilities = supplies.iter().map(|(name, supply)| {
        object(&[
            ("capability", quoted(name)),
            ("available_count", format!("{}", supply.sellers)),
            ("min_price", quoted(&supply.least.to_decimal(profile.token.decimals))),
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
