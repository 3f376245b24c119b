//! A purchase that its payer signs again: the same nonce with a later end, another price or another payee. The token
//! moves its money at most once, whichever of its authorizations is mined. Spec: docs/repeats.md, "The same nonce, signed again".

use farebox_core::encoding::base64;
use farebox_core::facilitator::breaker::SettlementHealth;
use farebox_core::facilitator::funds::LowBalances;
use farebox_core::http::BodyPresence;
use farebox_core::ledger::command::{ChainVerdict, REQUEST_DIGITS};
use farebox_core::ledger::entry::Taken;
use farebox_core::ledger::state::{Undelivered, Why};
use farebox_core::ledger::{Command, Entry, OtherPayments, State};
use serde_json::json;

use crate::world::chain::NodeFault;
use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{PAY_TO, Response, World, decoded, paid, routes, vars};

const MODES: [&str; 2] = ["/after", "/before"];
const OTHER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// A gate that reads the chain and asks for this price, as a permit or not.
fn priced(price: &str, pay_to: &str, permit: bool) -> World {
    let mut routes = routes();
    for route in routes.as_array_mut().unwrap() {
        route["price"] = price.into();
        if permit {
            route["asset_transfer_method"] = "permit2".into();
        }
    }
    let mut vars = vars(routes);
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    vars["PAY_TO"] = pay_to.into();
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    World::with(vars)
}

fn world() -> World {
    priced("$0.01", PAY_TO, false)
}

fn nonce_of(payment: &Payment) -> [u8; 32] {
    farebox_core::encoding::hex::decode_array(&payment.nonce).unwrap()
}

/// The payment, signed again for this target at today's terms, by its payer.
fn again_for(world: &mut World, target: &str, payment: &Payment) -> Payment {
    world.wait(2);
    world.payer.bound = Some(nonce_of(payment));
    let again = world.sign(target);
    assert_eq!(again.nonce, payment.nonce);
    assert!(again.valid_before > payment.valid_before);
    again
}

fn again(world: &mut World, payment: &Payment) -> Payment {
    let target = payment.target.clone();
    again_for(world, &target, payment)
}

fn transfers(world: &World, payment: &Payment) -> u32 {
    world.facilitator.chain.fates.get(&payment.nonce).map_or(0, |fate| fate.transfers)
}

fn only_row(world: &World) -> Entry {
    let entries = world.ledger.entries();
    assert_eq!(entries.len(), 1, "one nonce, one row");
    entries[0].clone()
}

fn bought(world: &World, response: &Response, payment: &Payment, why: &str) {
    assert_eq!((response.status, response.problem().as_str()), (200, ""), "{why}");
    assert_eq!(transfers(world, payment), 1, "{why}");
    assert!(matches!(only_row(world).state, State::Delivered { .. }), "{why}");
}

#[test]
pub fn what_was_refused_begins_by_the_new_bytes_and_is_charged_once() {
    for permit in [false, true] {
        for target in MODES {
            let mut world = priced("$0.01", PAY_TO, permit);
            world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
            let first = world.sign(target);
            assert_eq!(world.present(&first).problem(), "settlement_refused", "{target}");
            let second = again(&mut world, &first);
            let response = world.present(&second);
            bought(&world, &response, &first, target);
            let sent: Vec<_> = world.facilitator.settles.iter().map(|(_, body)| body).collect();
            assert!(sent.len() == 2 && sent[0] != sent[1], "{target}: the new bytes are sent");
            // What was made for the first is handed out for the second.
            assert_eq!(world.origin.calls.len(), 1, "{target}");
        }
    }
}

// A-723
#[test]
pub fn what_was_made_is_handed_out_though_others_settle_first_since() {
    for permit in [false, true] {
        let mut world = priced("$0.01", PAY_TO, permit);
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let first = world.sign("/after");
        assert_eq!(world.present(&first).problem(), "settlement_refused", "{permit}");
        let second = again(&mut world, &first);
        world.health = SettlementHealth::Failing;
        let response = world.present(&second);
        bought(&world, &response, &first, &format!("{permit}"));
        assert_eq!(world.origin.calls.len(), 1, "{permit}: it was made once");
    }
}

// A-495
#[test]
pub fn nobody_outside_can_look_for_two_requests_that_are_one_purchase() {
    let of_salt = |salt: &str| {
        let mut vars = vars(routes());
        vars["LEDGER_SALT"] = salt.into();
        let mut world = World::with(vars);
        world.pay("/after");
        only_row(&world).payment.binding
    };
    let [one, other] =
        ["a salt of the ledger, the first one", "a salt of the ledger, another one"].map(of_salt);
    // The digits that are compared alone, and those of the whole.
    assert_ne!(one[..REQUEST_DIGITS], other[..REQUEST_DIGITS]);
    assert_eq!(one[REQUEST_DIGITS..], other[REQUEST_DIGITS..]);
}

#[test]
fn what_no_origin_served_is_served_for_the_new_signature() {
    let answers: [&[Say]; 5] = [
        &[Say::Whole("404\n", "")],
        &[Say::Whole("429\n", "")],
        &[Say::Whole("503\n", "")],
        &[Say::Lost],
        &[Say::TimedOut],
    ];
    for permit in [false, true] {
        for say in answers {
            let mut world = priced("$0.01", PAY_TO, permit);
            world.origin.plan.extend(say.to_vec());
            let first = world.sign("/after");
            assert_ne!(world.present(&first).status, 200, "{say:?}");
            assert_eq!(only_row(&world).state, State::Abandoned, "{say:?}");
            let second = again(&mut world, &first);
            let response = world.present(&second);
            bought(&world, &response, &first, &format!("{say:?}"));
        }
    }
}

#[test]
fn what_was_let_go_or_is_dead_begins_by_the_new_bytes() {
    for target in MODES {
        let mut world = world();
        let poor = r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#;
        world.facilitator.verify_plan.push_back(Verify::Raw(200, poor.to_owned()));
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let first = world.sign(target);
        assert_eq!(world.present(&first).status, 402, "{target}");
        world.facilitator.settle_plan.clear();
        world.pass(1_000);
        assert_eq!(only_row(&world).state, State::Void, "{target}");
        let second = again(&mut world, &first);
        let response = world.present(&second);
        bought(&world, &response, &first, target);

        // Without a chain to read.
        let mut world = World::new();
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let first = world.sign(target);
        assert_eq!(world.present(&first).status, 402, "{target}");
        world.pass(1_000);
        assert_eq!(only_row(&world).state, State::Closed, "{target}");
        let second = again(&mut world, &first);
        let response = world.present(&second);
        bought(&world, &response, &first, target);
    }
}

#[test]
pub fn while_it_is_open_it_is_that_payment() {
    for target in MODES {
        let mut world = world();
        world.facilitator.repeats = Repeats::Idempotent;
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 2]);
        let first = world.sign(target);
        assert_eq!(world.present(&first).problem(), "settlement_unknown", "{target}");
        let second = again(&mut world, &first);
        let response = world.present(&second);
        bought(&world, &response, &first, target);
        let sent: Vec<_> = world.facilitator.settles.iter().map(|(_, body)| body).collect();
        assert!(sent.windows(2).all(|two| two[0] == two[1]), "{target}: the old bytes are sent");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
    }
}

// A-498
#[test]
pub fn while_it_is_open_it_is_that_payment_whatever_it_costs_by_now() {
    for target in MODES {
        let mut world = world();
        world.facilitator.settle_plan.extend(vec![Settle::SilentAfter, Settle::SilentBefore]);
        world.facilitator.chain.plan.extend([NodeFault::Silent; 3]);
        let first = world.sign(target);
        assert_eq!(world.present(&first).problem(), "settlement_unknown", "{target}");
        world.facilitator.chain.plan.clear();
        world.gate = priced("$0.05", OTHER, false).gate;
        let second = again(&mut world, &first);
        let said = json!({
            "success": true, "transaction": "TX", "network": "eip155:84532", "amount": "10000",
            "payer": world.payer.address.to_checksum(),
        });
        world.facilitator.settle_plan.push_back(Settle::Raw(200, said.to_string()));
        let response = world.present(&second);
        bought(&world, &response, &first, target);
        assert_eq!(only_row(&world).payment.amount, "10000", "{target}: what it was signed for");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
        let told = world.origin.calls[0].headers.get("farebox-amount");
        assert_eq!(told, Some("10000"), "{target}: what has moved");
    }
}

#[test]
fn what_was_delivered_is_handed_to_its_payer_again_and_named_by_what_moved() {
    for target in MODES {
        let (mut world, dearer) = (world(), priced("$0.05", OTHER, false));
        let first = world.sign(target);
        let response = world.present(&first);
        bought(&world, &response, &first, target);
        let second = again(&mut world, &first);
        let replay = world.present(&second);
        assert_eq!(replay.headers.get("payment-replayed"), Some("true"), "{target}");
        assert_eq!(replay.body, response.body);
        // Signed again for other terms, it is still the payment that was made.
        world.gate = dearer.gate;
        let third = again(&mut world, &first);
        let replay = world.present(&third);
        assert_eq!(replay.status, 200, "{target}");
        assert_eq!(replay.settlement()["transaction"], response.settlement()["transaction"]);
        let told = |response: &Response| response.receipt()["payload"].clone();
        assert_eq!(told(&replay)["transaction"], told(&response)["transaction"], "{target}");
        assert_eq!(transfers(&world, &first), 1, "{target}");
        let row = only_row(&world);
        assert_eq!((row.payment.amount.as_str(), row.payment.pay_to.as_str()), ("10000", PAY_TO));
    }
}

/// A payment that the facilitator refused for want of funds.
fn refused(target: &str) -> (World, Payment) {
    let mut world = world();
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    let payment = world.sign(target);
    assert_eq!(world.present(&payment).status, 402);
    (world, payment)
}

#[test]
pub fn an_authorization_that_was_sent_before_fetches_nothing() {
    for target in MODES {
        let (mut world, first) = refused(target);
        let second = again(&mut world, &first);
        let response = world.present(&second);
        bought(&world, &response, &first, target);
        // Both went to the facilitator, so either may stand on the chain.
        for known in [&first, &second] {
            assert_eq!(world.present(known).problem(), "payment_already_delivered", "{target}");
        }
    }
}

#[test]
pub fn the_secret_of_the_first_request_stays() {
    for target in MODES {
        let mut world = world();
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        let first = world.sign_as(target, "canary-identifier");
        assert_eq!(world.present(&first).status, 402);
        let second = again(&mut world, &first);
        let response = world.present(&second);
        bought(&world, &response, &first, target);
        assert_eq!(world.present(&second).problem(), "payment_already_delivered", "{target}");
        let replay = world.present(&first);
        assert_eq!((replay.status, replay.body), (200, response.body), "{target}");
    }
}

#[test]
pub fn an_authorization_without_a_proof_fetches_and_begins_nothing() {
    let forged = |world: &mut World, payment: &Payment, signature: &str| {
        let second = again(world, payment);
        let mut message = decoded(&second.value);
        message["payload"]["signature"] = signature.into();
        Payment { value: base64::encode(message.to_string().as_bytes()), ..second }
    };
    for target in MODES {
        for signature in [format!("0x{}", "ab".repeat(97)), format!("0x{}1b", "11".repeat(64))] {
            let mut world = world();
            let first = world.sign(target);
            assert_eq!(world.present(&first).status, 200);
            let stranger = forged(&mut world, &first, &signature);
            let rows = world.ledger.entries();
            let answer = world.send(paid(&stranger));
            assert_ne!(answer.status, 200, "{target} {signature}");
            assert_eq!(answer.headers.get("payment-replayed"), None);
            assert_eq!(world.ledger.entries(), rows, "{target}");

            let (mut world, first) = refused(target);
            let stranger = forged(&mut world, &first, &signature);
            let rows = world.ledger.entries();
            let no = r#"{"isValid":false,"invalidReason":"invalid_exact_evm_signature"}"#;
            world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
            assert_ne!(world.send(paid(&stranger)).status, 200, "{target} {signature}");
            assert_eq!(world.ledger.entries(), rows, "{target}: nothing begins");
        }
    }
}

/// The origin's key of a call, if it is the gate's.
fn key_of(world: &World, call: usize) -> String {
    world.origin.calls[call].headers.get("idempotency-key").unwrap_or_default().to_owned()
}

#[test]
pub fn what_rests_begins_at_another_request_and_gets_no_answer_of_the_first() {
    for permit in [false, true] {
        for target in MODES {
            let mut world = priced("$0.01", PAY_TO, permit);
            world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
            let first = world.sign(target);
            assert_eq!(world.present(&first).problem(), "settlement_refused", "{target}");
            let served = world.origin.calls.len();
            let elsewhere = format!("{target}/other");
            let other = again_for(&mut world, &elsewhere, &first);
            let response = world.present(&other);
            bought(&world, &response, &first, target);
            assert_eq!(
                world.origin.calls.len(),
                served + 1,
                "{target}: it is made for this request"
            );
            assert!(world.origin.calls[served].url.ends_with(&elsewhere), "{target}");
            if served == 1 {
                assert_ne!(key_of(&world, 0), key_of(&world, 1), "another request, another key");
            }
            assert!(only_row(&world).payment.url.ends_with(&elsewhere));
            // It is that payment from now on, for that request alone.
            for late in [&first, &again(&mut world, &first)] {
                assert_eq!(world.present(late).problem(), "payment_already_used", "{target}");
            }
            assert_eq!(transfers(&world, &first), 1);
        }
    }
}

// A-53, A-221
#[test]
pub fn another_body_is_another_request_with_a_key_of_its_own() {
    let mut world = world();
    let post = |world: &mut World, payment: &Payment, body: &[u8]| {
        let mut head = paid(payment);
        head.method = "POST".into();
        head.body = BodyPresence::Present;
        world.send_body(head, body)
    };
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    let first = world.sign("/after");
    assert_eq!(post(&mut world, &first, b"order 1 for Ann").problem(), "settlement_refused");
    let second = again(&mut world, &first);
    let response = post(&mut world, &second, b"order 9 for Bob");
    bought(&world, &response, &first, "another body");
    assert_eq!(world.origin.calls.len(), 2);
    assert_ne!(key_of(&world, 0), key_of(&world, 1));
}

#[test]
pub fn a_wallet_that_was_too_empty_a_moment_ago_is_told_so_and_begins_later() {
    let mut world = world();
    world.empties = Some(LowBalances::new());
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    let first = world.sign("/before");
    assert_eq!(world.present(&first).problem(), "settlement_refused");
    let other = again_for(&mut world, "/before/other", &first);
    let (rows, asked) = (world.ledger.entries(), world.facilitator.urls.len());
    assert_eq!(world.present(&other).problem(), "verify_refused");
    assert_eq!((world.ledger.entries(), world.facilitator.urls.len()), (rows, asked));
    world.wait(30);
    let response = world.present(&other);
    bought(&world, &response, &first, "/before");
}

#[test]
fn what_no_origin_served_begins_at_another_request() {
    for say in [Say::Whole("404\n", ""), Say::Whole("503\n", ""), Say::Lost] {
        let mut world = world();
        world.origin.plan.push_back(say.clone());
        let first = world.sign("/after");
        assert_ne!(world.present(&first).status, 200, "{say:?}");
        let other = again_for(&mut world, "/before/other", &first);
        let response = world.present(&other);
        bought(&world, &response, &first, &format!("{say:?}"));
        assert_ne!(key_of(&world, 0), key_of(&world, world.origin.calls.len() - 1));
    }
}

#[test]
pub fn what_was_paid_by_another_nonce_is_not_paid_once_more() {
    for target in MODES {
        for elsewhere in [false, true] {
            let (mut world, first) = refused(target);
            let path = if elsewhere { format!("{target}/other") } else { target.to_owned() };
            world.payer.bound = None;
            let other = world.sign(&path);
            assert_ne!(other.nonce, first.nonce);
            // It is paid, and its answer is lost.
            world.facilitator.settle_plan.push_back(Settle::SilentAfter);
            assert_eq!(world.present(&other).problem(), "settlement_unknown", "{target}");
            let again = again_for(&mut world, &path, &first);
            assert_ne!(world.present(&again).status, 200, "{target}: the other one may pay");
            world.pass(300);
            let again = again_for(&mut world, &path, &again);
            assert_eq!(world.present(&again).problem(), "payment_already_used", "{target}");
            assert_eq!((transfers(&world, &first), transfers(&world, &other)), (0, 1));
            // A new signature fetches it, and pays nothing.
            world.payer.bound = None;
            let fresh = world.sign(&path);
            assert_eq!(world.present(&fresh).status, 200, "{target}");
            assert_eq!(transfers(&world, &fresh), 0);
        }
    }
}

#[test]
fn another_request_is_bought_by_no_nonce_that_is_open_or_was_paid() {
    for target in MODES {
        for settle in [Settle::SilentBefore, Settle::SilentAfter, Settle::Honest] {
            let mut world = world();
            world.facilitator.settle_plan.extend(vec![settle.clone(); 3]);
            let first = world.sign(target);
            let answer = world.present(&first);
            let other = again_for(&mut world, &format!("{target}/other"), &first);
            let rows = world.ledger.entries();
            assert_eq!(world.present(&other).problem(), "payment_already_used", "{settle:?}");
            assert_eq!(world.ledger.entries(), rows, "{settle:?}: after {}", answer.status);
        }
    }
}

#[test]
fn what_was_sent_before_or_is_not_proven_begins_at_no_other_request() {
    for target in MODES {
        let elsewhere = format!("{target}/other");
        // The same bytes, as they stand on the chain after a transaction that failed.
        let (mut world, first) = refused(target);
        let shown = Payment { target: elsewhere.clone(), ..first.clone() };
        assert_eq!(world.present(&shown).problem(), "payment_already_used", "{target}");
        // An earlier one, of two that were refused.
        let second = again(&mut world, &first);
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        assert_eq!(world.present(&second).problem(), "settlement_refused", "{target}");
        assert_eq!(world.present(&shown).problem(), "payment_already_used", "{target}");
        // A contract's signature, which the gate cannot read.
        let other = again_for(&mut world, &elsewhere, &second);
        let mut message = decoded(&other.value);
        message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
        let unread = Payment { value: base64::encode(message.to_string().as_bytes()), ..other };
        assert_eq!(world.present(&unread).problem(), "payment_already_used", "{target}");
        assert_eq!(transfers(&world, &first), 0);
    }
}

#[test]
fn an_authorization_for_the_first_request_that_is_mined_pays_for_the_second_or_is_owed() {
    for target in MODES {
        for (price, is_served) in [("$0.01", true), ("$0.05", false)] {
            let (mut world, first) = refused(target);
            world.gate = priced(price, PAY_TO, false).gate;
            let elsewhere = format!("{target}/other");
            let other = again_for(&mut world, &elsewhere, &first);
            world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
            assert_eq!(world.present(&other).problem(), "settlement_unknown", "{target}");
            mine(&mut world, &other, 10_000, PAY_TO);
            world.pass(300);
            assert_eq!(only_row(&world).payment.amount, "10000", "the row says what moved");
            let last = again_for(&mut world, &elsewhere, &other);
            let expected = if is_served { (200, "") } else { (409, "refund_due") };
            let answer = world.present(&last);
            assert_eq!((answer.status, &*answer.problem()), expected, "{target} {price}");
            assert_eq!(transfers(&world, &first), 1);
        }
    }
}

/// Lets the chain carry out the authorization for this value and payee.
fn mine(world: &mut World, payment: &Payment, value: u64, to: &str) {
    let fate = world.facilitator.chain.fates.get_mut(&payment.nonce).unwrap();
    (fate.value, fate.to) = (Some(value), Some(to.to_owned()));
    assert!(world.facilitator.chain.submit(&payment.nonce));
}

/// A payment that was refused, signed again at other terms, and left in doubt.
fn doubted(target: &str, price: &str, pay_to: &str) -> (World, Payment) {
    let mut world = world();
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    let first = world.sign(target);
    assert_eq!(world.present(&first).status, 402);
    world.gate = priced(price, pay_to, false).gate;
    let second = again(&mut world, &first);
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
    assert_eq!(world.present(&second).problem(), "settlement_unknown", "{target}");
    (world, second)
}

#[test]
pub fn an_earlier_authorization_that_was_mined_pays_no_higher_price_and_no_other_payee() {
    for target in ["/after", "/before", "/again"] {
        for (price, pay_to) in [("$0.05", PAY_TO), ("$0.01", OTHER), ("$0.05", OTHER)] {
            let (mut world, second) = doubted(target, price, pay_to);
            mine(&mut world, &second, 10_000, PAY_TO);
            world.pass(300);
            let row = only_row(&world);
            let why = Undelivered::OtherTerms;
            assert!(matches!(row.state, State::RefundDue { why: it, .. } if it == why), "{row:?}");
            assert_eq!(row.payment.amount, "10000", "the row says what moved");
            assert!(row.payment.pay_to.eq_ignore_ascii_case(PAY_TO));
            let calls = world.origin.calls.len();
            assert_eq!(world.present(&second).problem(), "refund_due", "{target}");
            let third = again(&mut world, &second);
            assert_eq!(world.present(&third).problem(), "refund_due", "{target}");
            assert_eq!(world.origin.calls.len(), calls, "{target}: it is not served for less");
        }
    }
}

#[test]
pub fn an_earlier_authorization_that_was_mined_pays_what_costs_no_more() {
    for target in MODES {
        let (mut world, second) = doubted(target, "$0.005", PAY_TO);
        mine(&mut world, &second, 10_000, PAY_TO);
        world.pass(300);
        assert_eq!(only_row(&world).payment.amount, "10000", "the row says what moved");
        let third = again(&mut world, &second);
        assert_eq!(world.present(&third).status, 200, "{target}");
        assert_eq!(transfers(&world, &second), 1);
    }
}

#[test]
pub fn a_verdict_that_knows_fewer_authorizations_than_the_row_says_nothing() {
    let (world, _) = doubted("/before", "$0.05", PAY_TO);
    let row = only_row(&world);
    assert_eq!(row.payment.signing.times, 1);
    let tell = |signed| {
        let learn =
            Command::Learn { learnt: ChainVerdict::Void, owner: false, signed, fence: None };
        let (others, taken) = (OtherPayments::default(), Taken::No);
        row.clone().apply(learn, others, taken, world.now()).0.state
    };
    assert_eq!(tell(0), row.state);
    assert_eq!(tell(1), State::Void);
}

/// Every short history of two authorizations: what became of the first, what of the second, at which price it was
/// signed, and which of them is mined by whom.
// I-01
#[test]
pub fn whichever_authorization_is_mined_there_is_one_charge_and_at_most_one_delivery() {
    let firsts = [
        Settle::Refuse("insufficient_funds"),
        Settle::SilentBefore,
        Settle::SilentAfter,
        Settle::Honest,
    ];
    let mut played = 0;
    for permit in [false, true] {
        for target in ["/after", "/before", "/again"] {
            for first_fate in &firsts {
                for second_fate in &firsts {
                    for price in [5_000_u64, 10_000, 50_000] {
                        for mined in [None, Some(1), Some(2)] {
                            let history = format!(
                                "{permit} {target} {first_fate:?} {second_fate:?} {price} {mined:?}"
                            );
                            play(permit, target, (first_fate, second_fate), price, mined, &history);
                            played += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(played, 864);
}

fn play(
    permit: bool,
    target: &str,
    fates: (&Settle, &Settle),
    price: u64,
    mined: Option<u8>,
    history: &str,
) {
    let mut world = priced("$0.01", PAY_TO, permit);
    world.facilitator.settle_plan.extend(vec![fates.0.clone(); 2]);
    let first = world.sign(target);
    let heard = [world.present(&first)];
    world.gate = priced(&format!("$0.{price:06}"), PAY_TO, permit).gate;
    world.facilitator.settle_plan.clear();
    world.facilitator.settle_plan.extend(vec![fates.1.clone(); 2]);
    let second = again(&mut world, &first);
    let heard = heard.into_iter().chain([world.present(&second)]).collect::<Vec<_>>();
    world.facilitator.settle_plan.clear();
    world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
    let value = match mined {
        Some(1) => Some(10_000),
        Some(_) => Some(price),
        None => None,
    };
    let used = world.facilitator.chain.is_used(&first.nonce);
    if let Some(value) = value.filter(|_| !used) {
        mine(&mut world, &first, value, PAY_TO);
    }
    world.pass(4_000);
    let before = world.facilitator.chain.fates.get(&first.nonce).cloned().unwrap_or_default();
    let third = again(&mut world, &first);
    world.facilitator.settle_plan.clear();
    let last = world.present(&third);
    let fate = world.facilitator.chain.fates.get(&first.nonce).cloned().unwrap_or_default();
    assert!(fate.transfers <= 1, "{history}: charged twice");
    let fresh = |response: &&Response| {
        response.status == 200 && response.headers.get("payment-replayed").is_none()
    };
    let served = heard.iter().chain([&last]).filter(fresh).count();
    assert!(served <= 1, "{history}: delivered {served} times");
    let row = only_row(&world);
    let moved = if before.transfers > 0 { before } else { fate.clone() }.value.unwrap_or(10_000);
    match &row.state {
        State::Delivered { .. } | State::RefundDue { .. } => {
            assert_eq!(fate.transfers, 1, "{history}");
            assert_eq!(row.payment.amount, moved.to_string(), "{history}: the row says what moved");
        }
        // A permit leaves no trace of its use by other terms.
        State::Manual { why: Why::Overdue | Why::PaidBefore, .. } => assert!(permit, "{history}"),
        other => assert_eq!(fate.transfers, 0, "{history}: {other:?}"),
    }
    if served == 1 {
        assert!(moved >= 5_000.min(price), "{history}");
    }
}
