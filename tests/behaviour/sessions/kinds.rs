//! A gate that sells by channels of both protocols, and whoever takes one kind for the other.

use serde_json::json;

use super::door::{DELAY, Door, PRICE};
use super::mpp_payer::{Session, code, variables};
use super::wrong::channel;
use crate::world::{get, request};

/// A payer of MPP at a gate whose route sells by both kinds.
fn both() -> Session {
    let mut vars = variables();
    vars["ROUTES"][0]["session_delay_secs"] = json!(DELAY);
    let mut session = Session::new();
    session.door = Door::with(&vars);
    session
}

//
#[test]
pub fn what_comes_by_mpp_says_nothing_of_a_channel_of_x402() {
    let signature = format!("0x{}{}1b", "11".repeat(32), "12".repeat(32));
    for (method, action) in
        [("GET", "close"), ("HEAD", "close"), ("GET", "voucher"), ("HEAD", "voucher")]
    {
        let mut session = both();
        let deposit = session.door.payment("deposit", PRICE);
        assert_eq!(session.door.buy(&deposit, "1").status, 200);
        let forged = json!({
            "action": action, "channelId": channel(&deposit).to_string(),
            "cumulativeAmount": (10 * PRICE).to_string(), "signature": signature,
        });
        let writes = session.door.writes;
        let refused = session.send(request(method, "/report/1"), &forged).unwrap();
        assert!(refused.status >= 400, "{action} by {method}: {}", refused.body);
        assert_eq!((session.door.writes, session.door.book()), (writes, (PRICE, PRICE)));
        // Its payer buys on, and its payee gets what was earned.
        let voucher = session.door.payment("voucher", 2 * PRICE);
        assert_eq!(session.door.buy(&voucher, "1").status, 200, "{action} by {method}");
        session.door.now += DELAY;
        session.door.alarm();
        assert_eq!(session.door.funds().claimed, 2 * PRICE, "{action} by {method}");
    }
}

#[test]
fn the_contract_of_mpp_shows_nothing_of_a_channel_of_x402() {
    let mut session = both();
    let deposit = session.door.payment("deposit", PRICE);
    assert_eq!(session.door.buy(&deposit, "1").status, 200);
    let asked = session.door.node.asked;
    let adding = json!({
        "action": "topUp", "type": "hash", "channelId": channel(&deposit).to_string(),
        "hash": format!("0x{}", "aa".repeat(32)), "additionalDeposit": PRICE.to_string(),
    });
    assert_eq!(code(&session.send(get("/report/1"), &adding).unwrap()), 70_010);
    assert_eq!(session.door.node.asked, asked);
    let voucher = session.door.payment("voucher", 2 * PRICE);
    assert_eq!(session.door.buy(&voucher, "1").status, 200);
}
