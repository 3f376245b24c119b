//! Every history of one link.

use std::collections::{HashSet, VecDeque};

use farebox_core::a2a::link::{
    LinkDoor, LinkFate, LinkPayment, LinkState, LinkStatus, LinkTaking, PaymentLink,
};
use farebox_core::time::UnixTime;

use super::super::world::{NETWORK, PAYEE, USDC, payer};

/// Two payers, its payee, its end, and reports that come late or twice.
#[test]
fn no_history_takes_two_payments_or_leaves_an_end() {
    let payment = |nonce: &str| LinkPayment {
        from: payer(),
        nonce: nonce.to_owned(),
        valid_before: 900,
        request: String::new(),
        door: LinkDoor::Credential,
        resent: false,
        seen_block: 0,
    };
    let start = PaymentLink {
        id: "a2a_1".to_owned(),
        network: NETWORK.to_owned(),
        contract: USDC.to_owned(),
        symbol: "USDC".to_owned(),
        amount: "1".to_owned(),
        recipient: PAYEE.to_owned(),
        description: String::new(),
        external_id: None,
        realm: None,
        created: 0,
        expires: 2,
        changed: 0,
        fence: 1,
        due: None,
        state: LinkState::Pending,
    };
    let mut queue = VecDeque::from([(start, 0_u64)]);
    let (mut seen, mut ends) = (HashSet::new(), HashSet::new());
    while let Some((link, now)) = queue.pop_front() {
        if !seen.insert(format!("{now} {link:?}")) {
            continue;
        }
        let time = UnixTime::from_secs(now);
        let status = link.status(time);
        ends.insert(status.name());
        let mut next: Vec<PaymentLink> = Vec::new();
        for nonce in ["a", "b"] {
            if let LinkTaking::Begins(taken) = link.pay(payment(nonce), 10, time) {
                assert_eq!((status, link.payment()), (LinkStatus::Pending, None));
                assert!(now < link.expires);
                next.push(*taken);
            }
        }
        next.extend(link.cancel(time).ok());
        if link.fence < 3 && status == LinkStatus::Settling {
            next.push(link.granted(now + 1));
        }
        for fence in 1..=3 {
            for fate in [
                LinkFate::Moved("t".to_owned()),
                LinkFate::Never("no".to_owned()),
                LinkFate::Open(Some(9)),
            ] {
                if let Some(told) = link.told(fence, fate, time) {
                    assert_eq!((status, fence), (LinkStatus::Settling, link.fence));
                    assert_eq!(told.payment(), link.payment());
                    next.push(told);
                }
            }
        }
        if status.is_final() {
            assert!(next.is_empty(), "{status:?} is no end");
        }
        if now < 3 {
            next.push(link.clone());
            queue.extend(next.iter().map(|link| (link.clone(), now + 1)));
            next.pop();
        }
        queue.extend(next.into_iter().map(|link| (link, now)));
    }
    assert_eq!(
        ends,
        HashSet::from(["pending", "settling", "completed", "failed", "expired", "cancelled"])
    );
}
