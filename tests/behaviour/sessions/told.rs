//! What the origin is told of a request that is paid by session.

use std::collections::BTreeSet;

use farebox_core::gate::Gate;
use serde_json::json;

use super::door::{Door, OriginManner, PRICE, account, bound, routes};
use super::sales::opened;

#[test]
pub fn each_request_of_a_channel_is_a_payment_of_its_own() {
    let mut door = opened();
    let second = door.payment("voucher", 2 * PRICE);
    door.buy(&second, "1");
    // A voucher that was charged nothing pays for another page, or for the same one again.
    door.origin = OriginManner::Fails;
    let third = door.payment("voucher", 3 * PRICE);
    for page in ["1", "2", "1"] {
        assert_eq!(door.buy(&third, page).status, 503);
    }
    let told = door.told.clone();
    let payments: BTreeSet<&String> = told.iter().map(|[_, payment, _]| payment).collect();
    let keys: BTreeSet<&String> = told.iter().map(|[.., key]| key).collect();
    assert_eq!((told.len(), payments.len(), keys.len()), (5, 4, 4), "{told:?}");
    assert_eq!(told[2], told[4]);
    assert!(keys.iter().all(|key| key.starts_with("farebox-")));
    let channel = &second["payload"]["voucher"]["channelId"];
    assert!(payments.iter().all(|payment| payment.starts_with(channel.as_str().unwrap())));
}

#[test]
pub fn the_origin_is_told_who_signs_and_not_who_is_named() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    door.buy(&voucher, "1");
    let signer = account(2).address().to_lower_hex();
    assert!(door.told.iter().all(|[payer, ..]| *payer == signer), "{:?}", door.told);
    assert_eq!(door.told.len(), 2);
}

#[test]
fn a_denied_account_neither_signs_nor_is_named() {
    for denied in [account(1), account(2)] {
        let mut door = Door::new();
        let mut vars = bound(routes());
        vars["DENY_PAYERS"] = json!([denied.address().to_lower_hex()]);
        door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
        let deposit = door.payment("deposit", PRICE);
        let answer = door.buy(&deposit, "1");
        assert_eq!((answer.status, door.chain.settled), (403, 0), "{}", answer.body);
    }
}
