//! Realms that are not the host's own: the first one that a deposit pays is the only one.

use super::{Payer, Seller};

#[test]
fn a_session_of_another_realm_is_paid_under_that_one_alone_and_the_hosts_own() {
    let (mut seller, mut payer) = (Seller::new(10), Payer::default());
    seller.realm = "localhost";
    payer.pays(&mut seller).unwrap();
    payer.pays(&mut seller).unwrap();
    let (kept, deposits) = (payer.kept(), payer.deposits);
    seller.realm = "bank.example";
    assert_eq!(payer.pays(&mut seller), Err("realm_mismatch"));
    assert_eq!((payer.kept(), payer.deposits), (kept, deposits), "neither voucher nor deposit");
    for realm in ["api.example.com", "localhost"] {
        seller.realm = realm;
        payer.pays(&mut seller).unwrap();
    }
    assert_eq!(payer.highest, 40);
}
