//! Payments that are refused: what they are told, and that neither origin nor facilitator is asked.

use farebox_core::channel::config::ChannelId;
use farebox_core::channel::escrow::EscrowContract;
use farebox_core::channel::voucher::Voucher;
use farebox_core::encoding::hex;
use serde_json::{Value, json};

use super::chain::{Manner, config, contract, units};
use super::door::{DELAY, Door, PRICE, account, voucher};
use super::sales::opened;

pub fn channel(payment: &Value) -> ChannelId {
    config(&payment["payload"]["channelConfig"]).id(&contract())
}

/// The same with other members of its channel, and the voucher for that one.
fn of_another(payment: &Value, name: &str, value: Value) -> Value {
    let mut other = payment.clone();
    other["payload"]["channelConfig"][name] = value;
    let amount = payment["payload"]["voucher"]["maxClaimableAmount"].as_str().unwrap();
    other["payload"]["voucher"] = voucher(channel(&other), amount.parse().unwrap(), &account(2));
    other
}

#[test]
pub fn a_wrong_voucher_buys_nothing_and_asks_no_one() {
    let mut door = opened();
    wrong_vouchers_buy_nothing(&mut door, 2);
}

#[test]
pub fn a_wrong_voucher_of_who_has_paid_often_buys_nothing_either() {
    let mut door = opened();
    for count in 2..6 {
        let voucher = door.payment("voucher", count * PRICE);
        assert_eq!(door.buy(&voucher, "1").status, 200);
    }
    assert!(door.payers.signers.get(&account(2).address()).unwrap().is_known());
    wrong_vouchers_buy_nothing(&mut door, 6);
}

/// Pays the last of so many requests, and brings each wrong voucher for the next one.
fn wrong_vouchers_buy_nothing(door: &mut Door, paid: u64) {
    let last = door.payment("voucher", paid * PRICE);
    door.buy(&last, "1");
    let next = (paid + 1) * PRICE;
    let right = door.payment("voucher", next);
    let set = |name: &str, value: Value| {
        let mut wrong = right.clone();
        wrong["payload"]["voucher"][name] = value;
        wrong
    };
    let by = |cumulative: u64| {
        let mut wrong = right.clone();
        wrong["payload"]["voucher"] = voucher(channel(&right), cumulative, &account(2));
        wrong
    };
    let elsewhere = EscrowContract { chain_id: 8453, ..contract() };
    let of = Voucher { channel: channel(&right), cumulative: units(next) };
    let signed = account(2).sign(&of.digest(&elsewhere)).unwrap();
    let flipped = {
        let text = right["payload"]["voucher"]["signature"].as_str().unwrap();
        let v = if text.ends_with("1b") { "1c" } else { "1b" };
        format!("{}{v}", &text[..130])
    };
    let other = json!(account(9).address().to_checksum());
    let stranger = voucher(channel(&right), next, &account(1));
    let cases: Vec<(&str, Value, &str)> = vec![
        ("falls", by(PRICE), "cumulative_amount_mismatch"),
        ("stands still", by(paid * PRICE), "cumulative_amount_mismatch"),
        ("is too little", by(next - 1), "cumulative_amount_mismatch"),
        ("is too much", by(next + 1), "cumulative_amount_mismatch"),
        ("jumps above the deposit", by(1_000 * PRICE), "cumulative_amount_mismatch"),
        (
            "of another amount",
            set("maxClaimableAmount", json!((next + PRICE).to_string())),
            "voucher_signature",
        ),
        ("of no amount", set("maxClaimableAmount", json!("-1")), "payload_type"),
        ("of another signer", set("signature", stranger["signature"].clone()), "voucher_signature"),
        (
            "of another chain",
            set("signature", json!(hex::encode_prefixed(&signed.to_bytes()))),
            "voucher_signature",
        ),
        ("in another spelling", set("signature", json!(flipped)), "voucher_signature"),
        ("without a signature", set("signature", json!("0x")), "voucher_signature"),
        (
            "of another channel",
            set("channelId", json!(format!("0x{}", "11".repeat(32)))),
            "channel_id_mismatch",
        ),
        ("for another payee", of_another(&right, "receiver", other.clone()), "receiver_mismatch"),
        ("in another token", of_another(&right, "token", other.clone()), "token_mismatch"),
        (
            "by another authorizer",
            of_another(&right, "receiverAuthorizer", other),
            "receiver_authorizer_mismatch",
        ),
        (
            "with another delay",
            of_another(&right, "withdrawDelay", json!(DELAY + 1)),
            "withdraw_delay_mismatch",
        ),
        (
            "of a contract",
            of_another(&right, "payerAuthorizer", json!(format!("0x{}", "0".repeat(40)))),
            "voucher_signature",
        ),
    ];
    let before = (door.chain.verified, door.chain.settled, door.served, door.book());
    for (what, wrong, why) in &cases {
        let answer = door.buy(wrong, "2");
        assert_eq!((answer.status, answer.error().as_str()), (402, *why), "{what}");
        let after = (door.chain.verified, door.chain.settled, door.served, door.book());
        assert_eq!(after, before, "{what}");
    }
    door.signed = next;
    assert_eq!(door.buy(&right, "2").status, 200);
    let after = door.payment("voucher", next + PRICE);
    assert_eq!(door.buy(&after, "2").status, 200);
    door.check();
}

#[test]
fn a_channel_without_a_deposit_is_looked_for_once_and_buys_nothing() {
    let mut door = Door::new();
    let voucher = door.payment("voucher", PRICE);
    assert_eq!(door.buy(&voucher, "1").error(), "channel_not_found");
    assert_eq!((door.chain.verified, door.served, door.writes), (1, 0, 0));
}

#[test]
fn a_deposit_that_its_payer_has_not_signed_is_not_sent() {
    let mut door = Door::new();
    let right = door.payment("deposit", PRICE);
    let authorization = "/payload/deposit/authorization/erc3009Authorization";
    let set = |at: &str, value: Value| {
        let mut wrong = right.clone();
        *wrong.pointer_mut(at).unwrap() = value;
        wrong
    };
    let cases = [
        (set("/payload/deposit/amount", json!("100001")), "receive_authorization_signature"),
        (set(&format!("{authorization}/salt"), json!("2")), "receive_authorization_signature"),
        (
            set(&format!("{authorization}/validBefore"), json!("1")),
            "payload_authorization_valid_before",
        ),
        (set("/payload/deposit/authorization", json!({})), "erc3009_authorization_required"),
        (set("/payload/deposit", json!(1)), "payload_type"),
        (set("/payload/type", json!("gift")), "payload_type"),
    ];
    for (wrong, why) in cases {
        assert_eq!(door.buy(&wrong, "1").error(), why);
    }
    assert_eq!((door.chain.verified, door.chain.settled, door.served), (0, 0, 0));
}

//
#[test]
pub fn a_deposit_whose_outcome_is_unknown_asks_for_no_second_one() {
    for manner in [Manner::Mute, Manner::Stuck] {
        let mut door = Door::new();
        let deposit = door.payment("deposit", PRICE);
        door.chain.manner = manner;
        let answer = door.buy(&deposit, "1");
        assert_eq!((answer.status, door.served), (503, 0));
        assert!(answer.head.headers.get("payment-required").is_none());
        door.chain.manner = Manner::Works;
        assert_eq!(door.buy(&deposit, "1").status, 200);
        assert_eq!(door.funds().balance, 10 * PRICE);
    }
}

//
#[test]
pub fn a_deposit_that_may_have_been_sent_though_it_failed_asks_for_no_second_one() {
    let hash = format!("0x{}", "cd".repeat(32));
    let of_sessions = |word: &str| format!("invalid_batch_settlement_evm_{word}");
    let said = |word: &str, hash: &str| {
        Some((200, json!({"success": false, "errorReason": word, "transaction": hash})))
    };
    let failed = of_sessions("deposit_transaction_failed");
    let doubts = [
        said("settlement_pending", &hash),
        said("settlement_pending", ""),
        said(&failed, &hash),
        // The answer to what sent it may have been lost.
        said(&failed, ""),
        // An earlier attempt may have used what was signed.
        said(&of_sessions("deposit_simulation_failed"), ""),
        said(&of_sessions("insufficient_balance"), &hash),
        said("out of luck", ""),
    ];
    for doubt in doubts {
        let mut door = Door::new();
        let deposit = door.payment("deposit", PRICE);
        door.chain.odd.clone_from(&doubt);
        let answer = door.buy(&deposit, "1");
        assert_eq!((answer.status, door.served), (503, 0), "{doubt:?}");
        assert!(answer.head.headers.get("payment-required").is_none(), "{doubt:?}");
        // The same bytes again are one deposit.
        door.chain.odd = None;
        assert_eq!(door.buy(&deposit, "1").status, 200, "{doubt:?}");
        assert_eq!(door.funds().balance, 10 * PRICE, "{doubt:?}");
    }
    for word in ["insufficient_balance", "payload_authorization_valid_before"] {
        let mut door = Door::new();
        let deposit = door.payment("deposit", PRICE);
        door.chain.odd = said(&of_sessions(word), "");
        let answer = door.buy(&deposit, "1");
        assert_eq!((answer.status, answer.error().as_str(), door.served), (402, word, 0));
    }
}

#[test]
fn a_voucher_beside_another_payment_buys_nothing() {
    let mut door = opened();
    let second = door.payment("voucher", 2 * PRICE);
    for other in [("x-payment", "e30="), ("authorization", "Payment abc")] {
        let answer = door.buy_beside(&second, other);
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((answer.status, &problem["code"]), (400, &json!("ambiguous_payment")));
    }
    assert_eq!(door.served, 1);
    let beside = door.buy_beside(&second, ("authorization", "Bearer abc"));
    assert_eq!((beside.status, door.served), (200, 2));
}

#[test]
pub fn a_deposit_counts_only_by_an_answer_that_is_right_in_every_member() {
    let other = format!("0x{}", "12".repeat(32));
    let right = json!({"payer": null, "amount": "", "status": "success"});
    let odd = [
        (402, json!({})),
        (302, json!({})),
        (200, json!({"status": "pending"})),
        (200, json!({"status": "timeout"})),
        (200, json!({"channelId": other})),
        (200, json!({"network": "eip155:1"})),
        (200, json!({"network": null})),
        (200, json!({"payer": "0x0000000000000000000000000000000000001234"})),
        (200, json!({"transaction": ""})),
        (200, json!({"amount": "1"})),
        (200, json!({"errorReason": "reverted"})),
        (200, json!({"totalClaimed": (10 * PRICE + 1).to_string()})),
        (200, json!({"balance": "340282366920938463463374607431768211456"})),
        (200, json!({"balance": "0"})),
        // More than was deposited is looked for on the chain.
        (200, json!({"balance": (10 * PRICE + 1).to_string()})),
        (200, json!({"balance": (PRICE - 1).to_string()})),
    ];
    for (status, members) in odd {
        let mut door = Door::new();
        let deposit = door.payment("deposit", PRICE);
        door.chain.odd = Some((status, members.clone()));
        let answer = door.buy(&deposit, "1");
        assert_eq!((answer.status, door.served), (503, 0), "{status} {members}");
        assert!(answer.head.headers.get("payment-required").is_none());
        // It may have been made: it is asked for again, and pays once it is.
        door.chain.odd = None;
        assert_eq!(door.buy(&deposit, "1").status, 200);
    }
    let mut door = Door::new();
    let deposit = door.payment("deposit", PRICE);
    door.chain.odd = Some((200, right));
    assert_eq!(door.buy(&deposit, "1").status, 200);
}

#[test]
pub fn a_deposit_whose_voucher_does_not_fit_moves_no_money() {
    let mut door = opened();
    let second = door.payment("voucher", 2 * PRICE);
    door.buy(&second, "1");
    let deposit = |door: &mut Door, cumulative: u64, amount: u64| {
        let mut payment = door.payment("deposit", cumulative);
        payment["payload"]["deposit"] = door.deposit(&channel(&payment), amount, 2);
        payment
    };
    // A payer without a record begins anew.
    let anew = deposit(&mut door, PRICE, 5 * PRICE);
    let answer = door.buy(&anew, "2");
    assert_eq!((answer.status, answer.error().as_str()), (402, "cumulative_amount_mismatch"));
    let terms = answer.terms();
    let told = terms["accepts"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["extra"]["channelState"].is_object());
    assert_eq!(told.unwrap()["extra"]["channelState"]["chargedCumulativeAmount"], "20000");
    let above = deposit(&mut door, 1_000 * PRICE, 5 * PRICE);
    assert_eq!(door.buy(&above, "2").status, 402);
    assert_eq!((door.funds().balance, door.served, door.chain.settled), (10 * PRICE, 2, 1));
    door.signed = 3 * PRICE;
    let right = deposit(&mut door, 3 * PRICE, 5 * PRICE);
    assert_eq!(door.buy(&right, "2").status, 200);
    assert_eq!((door.funds().balance, door.chain.settled), (15 * PRICE, 2));
    // The same again is answered without the facilitator.
    assert_eq!(door.buy(&right, "2").status, 200);
    assert_eq!((door.funds().balance, door.served, door.chain.settled), (15 * PRICE, 3, 2));
    door.check();
}

#[test]
fn nothing_is_bought_by_what_the_chain_showed_long_ago() {
    let mut door = opened();
    door.now += 300;
    door.chain.manner = Manner::Down;
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!((door.buy(&voucher, "1").status, door.served), (503, 1));
    door.chain.manner = Manner::Works;
    assert_eq!((door.buy(&voucher, "1").status, door.served), (200, 2));
}
