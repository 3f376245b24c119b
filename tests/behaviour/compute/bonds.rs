//! Bonds: case 22 of the contract.

use std::collections::BTreeSet;

use farebox_core::amount::Amount;
use farebox_core::compute::Gateway;
use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::row::HoldKind;
use farebox_core::compute::settings::{Profile, ProfileSettings, SettingsError};
use farebox_core::evm::address::Address;
use farebox_core::evm::keccak::keccak256_parts;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::world::{ESCROW, Told, URL, USDC, World, settings, signed, wallet};

const HASH: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

/// What a node answers to a batch.
fn replies(results: &[Value]) -> String {
    let replies = results.iter().zip(1..);
    let replies: Vec<Value> =
        replies.map(|(result, id)| json!({"jsonrpc": "2.0", "id": id, "result": result})).collect();
    json!(replies).to_string()
}

/// The receipt of a transfer.
fn receipt(from: &str, to: &str, units: &str, block: u64) -> Value {
    let word = |wallet: &str| format!("0x{}{}", "0".repeat(24), &wallet.to_lowercase()[2..]);
    let hex = farebox_core::encoding::hex::encode_prefixed;
    let event = hex(&keccak256_parts(&[b"Transfer(address,address,uint256)"]));
    let data = hex(&Amount::from_atomic(units).unwrap().to_be_bytes());
    let block = format!("{block:#x}");
    json!({
        "status": "0x1", "blockNumber": block, "transactionHash": HASH,
        "logs": [{
            "address": USDC, "topics": [event, word(from), word(to)], "data": data,
            "blockNumber": block, "transactionHash": HASH, "logIndex": "0x0", "removed": false,
        }],
    })
}

pub fn challenge(world: &mut World, client: &str, number: u8, agent: &str) -> Told {
    let request = world.request(number, &json!({"passport_agent_id": agent}));
    let evidence = Some(replies(&[json!("0x14a34"), json!("0x64")]));
    let client = client.to_owned();
    world.told(Command::Challenge { client, request, evidence })
}

/// Shows a transaction for a challenge, and the node this receipt.
pub fn show(world: &mut World, number: u8, body: &Value, receipt: &Value) -> Told {
    let request = world.request(number, body);
    let evidence = Some(replies(&[json!("0x14a34"), receipt.clone()]));
    world.told(Command::Session { request, identity: None, evidence })
}

fn proof(agent: &str, challenge: &Told, hash: &str) -> Value {
    json!({
        "passport_agent_id": agent, "challenge_id": challenge.text("challenge_id"),
        "tx_hash": hash,
    })
}

/// A seller whose bond is asked for, the challenge, and the receipt that proves it.
fn asked() -> (World, Told, Value) {
    let mut world = World::new();
    world.register(1, json!({}));
    let told = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    let receipt = receipt(&wallet(1), &wallet(66), &told.text("amount_atomic"), 101);
    (world, told, receipt)
}

#[test]
pub fn a_bond_is_a_hundredth_and_some_dust() {
    let (mut world, told, _) = asked();
    let units: u64 = told.text("amount_atomic").parse().unwrap();
    assert!((10_001..=10_999).contains(&units), "{units}");
    let to = Address::parse(&wallet(66)).unwrap().to_checksum();
    for (name, value) in [
        ("status", json!("ok")),
        ("seller_id", json!(wallet(1))),
        ("network_profile", json!("live-testnet")),
        ("network", json!("eip155:84532")),
        ("chain_id", json!(84532)),
        ("to", json!(to)),
        ("asset", json!(USDC)),
        ("amount", json!(Amount::from_u64(units).to_decimal(6))),
        ("expires_at", json!("2025-11-20T06:10:00Z")),
    ] {
        assert_eq!(told.body[name], value, "{name}");
    }
    assert_eq!(challenge(&mut world, "10.0.0.1", 2, "agent-1").code().0, 404);
    let request = world.request(1, &json!({"passport_agent_id": "agent-2"}));
    let client = "10.0.0.1".to_owned();
    let first = Command::Challenge { client, request, evidence: None };
    assert!(matches!(world.send(first.clone()), Answer::Evidence(_)));
    let Command::Challenge { client, request, .. } = first else { unreachable!() };
    let lost = Command::Challenge { client, request, evidence: Some(String::new()) };
    assert_eq!(world.told(lost).code(), (500, "SELLER_BOND_CHALLENGE_CREATE_FAILED"));
}

//
#[test]
pub fn an_open_challenge_is_told_again_to_who_proves_to_be_the_seller_alone() {
    let (mut world, told, _) = asked();
    // Nor to who shares the seller's network, and knows its agent.
    for client in ["10.0.0.2", "10.0.0.1", "10.0.0.1"] {
        let other = challenge(&mut world, client, 1, "agent-1");
        assert_eq!(other.text("status"), "ok", "{client}");
        assert_ne!(other.text("challenge_id"), told.text("challenge_id"), "{client}");
        assert_ne!(other.text("amount_atomic"), told.text("amount_atomic"), "{client}");
    }
    world.open(1);
    let own = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    assert_eq!(own.text("status"), "ok");
    assert_eq!(challenge(&mut world, "10.0.0.1", 1, "agent-1"), own);
}

/// A transfer for a challenge, mined in this block: its hash, and its receipt.
fn transferred(number: u8, told: &Told, block: u64) -> (String, Value) {
    let hash = format!("0x{block:064x}");
    let receipt = receipt(&wallet(number), &wallet(66), &told.text("amount_atomic"), block);
    let receipt = receipt.to_string().replace(HASH, &hash);
    (hash, serde_json::from_str(&receipt).unwrap())
}

/// Shows a transfer for a challenge.
pub fn bind(world: &mut World, number: u8, agent: &str, told: &Told, block: u64) -> Told {
    let (hash, receipt) = transferred(number, told, block);
    let told = show(world, number, &proof(agent, told, &hash), &receipt);
    if let Some(token) = told.body["seller_session_token"].as_str() {
        world.sessions.insert(number, token.to_owned());
    }
    told
}

/// A challenge for the seller's contract, which takes the signature.
fn taken_challenge(world: &mut World, agent: &str) -> Told {
    let more = json!({
        "passport_agent_id": agent, "seller_signature": format!("0x{}", "11".repeat(65)),
        "seller_signed_at": UnixTime::from_secs(world.now / 1000).rfc3339(),
    });
    let (client, request) = ("10.0.0.1".to_owned(), world.request(SIGNS, &more));
    let yes = format!("0x1626ba7e{}", "0".repeat(56));
    let evidence = Some(replies(&[json!("0x14a34"), json!("0x64"), json!(yes)]));
    world.told(Command::Challenge { client, request, evidence })
}

//
#[test]
pub fn who_has_signed_is_bound_anew_by_a_signature_or_its_session_alone() {
    type Signed = fn(&mut World, &str) -> Told;
    let by_key: Signed = |world, agent| signed_challenge(world, agent, |text| text);
    for signed in [by_key, taken_challenge] {
        let mut world = World::new();
        world.register(SIGNS, json!({}));
        // A stranger has a challenge of before.
        let theirs = challenge(&mut world, "10.9.9.9", SIGNS, "x");
        let stored = |world: &World| serde_json::to_value(&world.rows.sellers[&wallet(SIGNS)]);
        assert_eq!(stored(&world).unwrap().get("signs"), None);
        let own = signed(&mut world, "agent-1");
        assert_eq!(bind(&mut world, SIGNS, "agent-1", &own, 101).status, 200);
        assert_eq!(stored(&world).unwrap()["signs"], json!(true));
        // The seller is asked to pay the stranger's amount to the wallet of bonds.
        let stolen = bind(&mut world, SIGNS, "x", &theirs, 102);
        assert_eq!(stolen.code(), (403, "SELLER_BOND_CHALLENGE_INVALID"));
        assert_eq!(world.beat(SIGNS).status, 200);
        let session = world.sessions.remove(&SIGNS).unwrap();
        for agent in ["x", "agent-1"] {
            let told = challenge(&mut world, "10.9.9.9", SIGNS, agent);
            assert_eq!((told.status, told.text("status").as_str()), (200, "already_verified"));
            assert_eq!(told.text("passport_agent_id"), agent, "its own agent is not told");
        }
        // It goes on under another name, by its session or by a signature.
        world.sessions.insert(SIGNS, session);
        let next = challenge(&mut world, "10.0.0.1", SIGNS, "agent-2");
        assert_eq!(bind(&mut world, SIGNS, "agent-2", &next, 103).status, 200);
        world.sessions.clear();
        let last = signed(&mut world, "agent-3");
        assert_eq!(bind(&mut world, SIGNS, "agent-3", &last, 104).status, 200);
        assert_eq!(world.rows.sellers[&wallet(SIGNS)].agent, "agent-3");
    }
}

//
#[test]
pub fn who_has_an_identity_is_bound_anew_by_no_transfer_that_it_did_not_ask_for() {
    let mut world = World::new();
    world.register(1, json!({}));
    let theirs = challenge(&mut world, "10.9.9.9", 1, "agent-1");
    assert_eq!(world.open(1).status, 200);
    let stolen = bind(&mut world, 1, "agent-1", &theirs, 101);
    assert_eq!(stolen.code(), (403, "SELLER_BOND_CHALLENGE_INVALID"));
    assert_eq!(world.beat(1).status, 200);
    let session = world.sessions.remove(&1).unwrap();
    for agent in ["x", "agent-1"] {
        let told = challenge(&mut world, "10.9.9.9", 1, agent);
        assert_eq!(told.text("status"), "already_verified", "{agent}");
    }
    world.sessions.insert(1, session);
    let own = challenge(&mut world, "10.0.0.1", 1, "agent-2");
    assert_eq!(bind(&mut world, 1, "agent-2", &own, 102).status, 200);
}

//
#[test]
pub fn a_purchase_whose_payee_and_amount_a_merchant_chose_proves_no_bond() {
    let (mut world, told, plain) = asked();
    let body = proof("agent-1", &told, HASH);
    let used = keccak256_parts(&[b"AuthorizationUsed(address,bytes32)"]);
    let mut bought = plain.clone();
    let mut log = plain["logs"][0].clone();
    log["topics"][0] = json!(farebox_core::encoding::hex::encode_prefixed(&used));
    log["topics"][2] = json!(HASH);
    (log["data"], log["logIndex"]) = (json!("0x"), json!("0x1"));
    bought["logs"].as_array_mut().unwrap().push(log);
    assert_eq!(show(&mut world, 1, &body, &bought).code(), (403, "SELLER_BOND_CHALLENGE_INVALID"));
    // One that somebody else has signed, in the same transaction, changes nothing.
    let word = format!("0x{}{}", "0".repeat(24), &wallet(2)[2..]);
    bought["logs"][1]["topics"][1] = json!(word);
    assert_eq!(show(&mut world, 1, &body, &bought).code().0, 200);
}

#[test]
pub fn a_bond_of_the_exact_amount_opens_a_session_and_gives_a_token_that_renews_it() {
    let (mut world, told, receipt) = asked();
    let body = proof("agent-1", &told, HASH);
    let request = world.request(1, &body);
    let first = Command::Session { request, identity: None, evidence: None };
    let Answer::Evidence(question) = world.send(first) else { panic!("no question") };
    assert!(question.contains("eth_getTransactionReceipt") && question.contains(HASH));
    let opened = show(&mut world, 1, &body, &receipt);
    assert_eq!((opened.status, opened.text("auth_method")), (200, "seller_bond".to_owned()));
    let token = opened.text("seller_renewal_token");
    assert!(token.starts_with("qdr_") && token.len() == 47, "{token}");
    assert!(!format!("{:?}", world.rows.sellers).contains(&token));
    world.sessions.insert(1, opened.text("seller_session_token"));
    assert_eq!(world.beat(1).status, 200);
    world.now += 900_000;
    assert_eq!(world.beat(1).status, 403);
    for _ in 0..2 {
        let more = json!({"passport_agent_id": "agent-1", "seller_renewal_token": token});
        let renewed = show(&mut world, 1, &more, &Value::Null);
        assert_eq!((renewed.status, renewed.text("seller_renewal_token")), (200, String::new()));
        world.sessions.insert(1, renewed.text("seller_session_token"));
        assert_eq!(world.beat(1).status, 200);
    }
    world.sessions.clear();
    let again = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    assert_eq!((again.status, again.text("status")), (200, "already_verified".to_owned()));
}

#[test]
pub fn another_token_or_none_or_another_agent_renews_nothing() {
    let (mut world, told, receipt) = asked();
    let token = show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt);
    let token = token.text("seller_renewal_token");
    for (agent, token, code) in [
        ("agent-1", Value::Null, "PASSPORT_AUTH_REQUIRED"),
        ("agent-1", json!("qdr_wrong"), "PASSPORT_AUTH_REQUIRED"),
        ("agent-2", json!(token), "SELLER_PASSPORT_MISMATCH"),
    ] {
        let more = json!({"passport_agent_id": agent, "seller_renewal_token": token});
        assert_eq!(show(&mut world, 1, &more, &Value::Null).code(), (403, code), "{agent} {token}");
    }
    let half = json!({"passport_agent_id": "agent-1", "tx_hash": HASH});
    assert_eq!(show(&mut world, 1, &half, &receipt).code(), (403, "PASSPORT_AUTH_REQUIRED"));
}

#[test]
pub fn a_transfer_of_another_amount_wallet_token_or_outcome_proves_nothing() {
    let (mut world, told, right) = asked();
    let units = told.text("amount_atomic");
    let mut reverted = right.clone();
    reverted["status"] = "0x0".into();
    let mut token = right.clone();
    token["logs"][0]["address"] = wallet(5).into();
    let other = receipt(&wallet(1), &wallet(66), "10000", 101);
    for (receipt, code) in [
        (Value::Null, "RECEIPT_NOT_FOUND"),
        (reverted, "TX_NOT_SUCCESSFUL"),
        (token, "TX_TOKEN_TRANSFER_MISSING"),
        (receipt(&wallet(2), &wallet(66), &units, 101), "TX_TOKEN_TRANSFER_MISSING"),
        (receipt(&wallet(1), &wallet(67), &units, 101), "TX_TOKEN_TRANSFER_MISSING"),
        (other, "TX_TOKEN_TRANSFER_MISMATCH"),
    ] {
        let shown = show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt);
        assert_eq!(shown.code(), (403, code));
    }
    let short = proof("agent-1", &told, "0x22");
    assert_eq!(show(&mut world, 1, &short, &right).code(), (403, "INVALID_TX_HASH"));
    let nonsense = show(&mut world, 1, &proof("agent-1", &told, HASH), &json!("nonsense"));
    assert_eq!(nonsense.code(), (500, "RECEIPT_VERIFY_FAILED"));
    assert!(!world.rows.sellers[&wallet(1)].is_bound());
}

#[test]
pub fn a_transfer_from_before_the_challenge_proves_nothing() {
    let (mut world, told, _) = asked();
    let old = receipt(&wallet(1), &wallet(66), &told.text("amount_atomic"), 100);
    let shown = show(&mut world, 1, &proof("agent-1", &told, HASH), &old);
    assert_eq!(shown.code(), (403, "SELLER_BOND_CHALLENGE_STALE"));
}

#[test]
pub fn a_challenge_ends_and_serves_its_seller_and_agent_once() {
    let (mut world, told, receipt) = asked();
    world.register(2, json!({}));
    let mismatch = (403, "SELLER_BOND_CHALLENGE_MISMATCH");
    assert_eq!(show(&mut world, 2, &proof("agent-1", &told, HASH), &receipt).code(), mismatch);
    assert_eq!(show(&mut world, 1, &proof("agent-2", &told, HASH), &receipt).code(), mismatch);
    let mut unknown = proof("agent-1", &told, HASH);
    unknown["challenge_id"] = "none".into();
    let missing = (404, "SELLER_BOND_CHALLENGE_NOT_FOUND");
    assert_eq!(show(&mut world, 1, &unknown, &receipt).code(), missing);
    world.now += 599_999;
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).status, 200);
    let used = (403, "SELLER_BOND_CHALLENGE_INVALID");
    let other = proof("agent-1", &told, &HASH.replace('2', "3"));
    assert_eq!(show(&mut world, 1, &other, &receipt).code(), used);
    let (mut world, told, receipt) = asked();
    world.now += 600_000;
    let shown = show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt);
    assert_eq!(shown.code(), (403, "SELLER_BOND_CHALLENGE_EXPIRED"));
}

#[test]
pub fn a_transaction_proves_one_bond_and_a_fresh_bond_binds_another_agent() {
    let (mut world, told, first) = asked();
    let opened = show(&mut world, 1, &proof("agent-1", &told, HASH), &first);
    world.sessions.insert(1, opened.text("seller_session_token"));
    let other = challenge(&mut world, "10.0.0.1", 1, "agent-2");
    let second = receipt(&wallet(1), &wallet(66), &other.text("amount_atomic"), 102);
    let shown = show(&mut world, 1, &proof("agent-2", &other, HASH), &second);
    assert_eq!(shown.code(), (403, "SELLER_BOND_TX_REUSED"));
    assert_eq!(world.beat(1).status, 200);
    let fresh = HASH.replace('2', "3");
    let second: Value = serde_json::from_str(&second.to_string().replace(HASH, &fresh)).unwrap();
    assert_eq!(show(&mut world, 1, &proof("agent-2", &other, &fresh), &second).status, 200);
    assert_eq!(world.rows.sellers[&wallet(1)].agent, "agent-2");
    assert_eq!(world.beat(1).code(), (403, "SELLER_SESSION_INVALID"), "it was opened before");
}

/// Asks for bonds of the first seller from so many networks, 20 each.
fn asked_from(world: &mut World, networks: u8) -> Vec<Told> {
    let asked = (0..networks).flat_map(|network| (0..20).map(move |turn| (network, turn)));
    let asked = asked.map(|(network, turn)| {
        let agent = format!("a-stranger-{network}-{turn}");
        challenge(world, &format!("10.6.{network}.1"), 1, &agent)
    });
    asked.filter(|told| told.status == 200).collect()
}

//
#[test]
pub fn strangers_who_hold_challenges_of_a_wallet_show_its_transfer_in_vain() {
    let mut world = World::new();
    world.register(1, json!({}));
    let mut before = Vec::new();
    for _ in 0..5 {
        before.extend(asked_from(&mut world, 120));
        world.now += 3_600_001;
    }
    let told = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    world.now += 1_000;
    let after = asked_from(&mut world, 120);
    let asked = before.iter().chain(&after).chain([&told]);
    let amounts: BTreeSet<String> = asked.map(|told| told.text("amount_atomic")).collect();
    assert_eq!(amounts.len(), before.len() + after.len() + 1, "no two have one amount");
    assert_eq!(before.len(), 100);
    let receipt = receipt(&wallet(1), &wallet(66), &told.text("amount_atomic"), 101);
    for stranger in before.iter().chain(&after) {
        assert_ne!(stranger.text("amount_atomic"), told.text("amount_atomic"));
        let id = stranger.text("challenge_id");
        let agent = world.rows.bonds.iter().find(|bond| bond.id == id).unwrap().agent.clone();
        let shown = show(&mut world, 1, &proof(&agent, stranger, HASH), &receipt);
        assert_eq!(shown.status, 403, "{agent}");
    }
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).status, 200);
    assert_eq!(world.rows.sellers[&wallet(1)].agent, "agent-1");
}

#[test]
pub fn profiles_on_one_network_ask_for_amounts_of_their_own() {
    let amounts = |profile| {
        let mut world = World::set(settings(HoldKind::Escrow, profile));
        world.register(1, json!({}));
        let asked = asked_from(&mut world, 30);
        asked.iter().map(|told| told.text("amount_atomic")).collect::<Vec<_>>()
    };
    let (demo, live) = (amounts(Profile::DemoTestnet), amounts(Profile::LiveTestnet));
    assert!(demo.len() > 15 && live.len() > 15, "{} {}", demo.len(), live.len());
    assert!(demo.iter().all(|amount| !live.contains(amount)));
}

#[test]
pub fn strangers_are_counted_by_the_wallet_and_its_owner_is_not_held_back_by_them() {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    for number in 0..3 {
        let agent = format!("agent-{number}");
        assert_eq!(challenge(&mut world, "10.0.0.1", SIGNS, &agent).status, 200, "{number}");
    }
    let limit = (429, "SELLER_BOND_LIMIT_REACHED");
    assert_eq!(challenge(&mut world, "10.0.0.1", SIGNS, "agent-3").code(), limit, "one network");
    for number in 3..20 {
        let (client, agent) = (format!("10.6.{number}.1"), format!("agent-{number}"));
        assert_eq!(challenge(&mut world, &client, SIGNS, &agent).status, 200, "{number}");
    }
    assert_eq!(challenge(&mut world, "10.0.0.2", SIGNS, "agent-20").code(), limit, "all of them");
    // Who signs has room of its own, which is counted too.
    for number in 0..20 {
        let told = signed_challenge(&mut world, &format!("agent-{number}"), |text| text);
        assert_eq!(told.status, 200, "{number}");
    }
    assert_eq!(signed_challenge(&mut world, "agent-20", |text| text).code(), limit);
    world.now += 3_600_001;
    assert_eq!(challenge(&mut world, "10.0.0.1", SIGNS, "agent-3").status, 200);
}

#[test]
pub fn networks_that_ask_for_several_bonds_of_a_wallet_leave_most_of_them_to_others() {
    let mut world = World::new();
    world.register(1, json!({}));
    // Ten networks ask for as many as they are given.
    let asked = asked_from(&mut world, 10);
    assert_eq!(asked.len(), 13, "three of the first, two of the second, one of each other");
    for number in 0..7 {
        let client = format!("10.0.0.{number}");
        assert_eq!(challenge(&mut world, &client, 1, "agent-1").status, 200, "{number}");
    }
    let told = challenge(&mut world, "10.0.0.7", 1, "agent-1");
    assert_eq!(told.code(), (429, "SELLER_BOND_LIMIT_REACHED"));
}

#[test]
pub fn a_network_asks_for_twenty_bonds_in_an_hour() {
    let mut world = World::new();
    for number in 1..=20 {
        world.register(number, json!({}));
        assert_eq!(challenge(&mut world, "10.0.0.1", number, "agent").status, 200, "{number}");
    }
    world.register_from("10.0.0.2", 21, &json!({"capability": "llm", "price_per_task": 1}));
    let told = challenge(&mut world, "10.0.0.1", 21, "agent");
    assert_eq!(told.code(), (429, "SELLER_BOND_LIMIT_REACHED"));
    assert_eq!(challenge(&mut world, "10.0.0.2", 21, "agent").status, 200);
}

/// The seller whose key is known.
pub const SIGNS: u8 = 201;

/// Asks for a bond with a signature of the wallet over the changed text.
pub fn signed_challenge(world: &mut World, agent: &str, change: fn(String) -> String) -> Told {
    let at = UnixTime::from_secs(world.now / 1000).rfc3339();
    let text = format!(
        "QuotaDEX Seller Bond\nexchange: {URL}\nnetwork_profile: live-testnet\nseller_id: {}\n\
        passport_agent_id: {agent}\nsigned_at: {at}",
        wallet(SIGNS)
    );
    let more = json!({
        "passport_agent_id": agent, "seller_signature": signed(SIGNS, &change(text)),
        "seller_signed_at": at,
    });
    let (client, request) = ("10.0.0.1".to_owned(), world.request(SIGNS, &more));
    let evidence = Some(replies(&[json!("0x14a34"), json!("0x64")]));
    world.told(Command::Challenge { client, request, evidence })
}

#[test]
pub fn a_contract_is_asked_about_signatures_as_often_as_bonds_are_asked_for() {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    let more = json!({
        "passport_agent_id": "agent-1", "seller_signature": format!("0x{}", "11".repeat(65)),
        "seller_signed_at": UnixTime::from_secs(world.now / 1000).rfc3339(),
    });
    let request = world.request(SIGNS, &more);
    for number in 0..25 {
        let (client, request) = ("10.0.0.1".to_owned(), request.clone());
        let answer = world.send(Command::Challenge { client, request, evidence: None });
        assert_eq!(matches!(answer, Answer::Evidence(_)), number < 20, "{number}");
    }
}

//
#[test]
pub fn a_signature_of_a_bond_names_exchange_profile_agent_and_time() {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    let others: [fn(String) -> String; 4] = [
        |text| text.replace(URL, "https://elsewhere.example.com"),
        |text| text.replace("live-testnet", "demo-testnet"),
        |text| text.replace("agent-1", "agent-2"),
        |text| text.replace("signed_at: 2025", "signed_at: 2024"),
    ];
    for other in others {
        let told = signed_challenge(&mut world, "agent-1", other);
        assert_eq!(told.code(), (403, "SELLER_SIGNATURE_INVALID"));
    }
    let told = signed_challenge(&mut world, "agent-1", |text| text);
    assert_eq!(told.status, 200);
    assert_eq!(signed_challenge(&mut world, "agent-1", |text| text), told, "it is open");
    // Who only names the wallet is told of another one.
    let other = challenge(&mut world, "10.0.0.1", SIGNS, "agent-1");
    assert_ne!(other.text("challenge_id"), told.text("challenge_id"));
}

#[test]
pub fn whose_renewal_token_is_lost_asks_for_another_bond_by_its_session_or_signature() {
    let (mut world, told, receipt) = asked();
    let opened = show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt);
    let stranger = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    assert_eq!(stranger.text("status"), "already_verified");
    world.sessions.insert(1, opened.text("seller_session_token"));
    let fresh = challenge(&mut world, "10.0.0.1", 1, "agent-1");
    assert_eq!(fresh.text("status"), "ok");
    assert_ne!(fresh.text("challenge_id"), told.text("challenge_id"));
}

#[test]
pub fn an_agent_that_was_only_claimed_binds_no_one() {
    let mut world = World::new();
    world.register(1, json!({"passport_agent_id": "a-stranger"}));
    assert_eq!(world.open(1).status, 200);
    assert_eq!(world.rows.sellers[&wallet(1)].agent, "agent-1");
}

#[test]
pub fn who_proved_a_bond_may_show_an_identity_later() {
    let (mut world, told, receipt) = asked();
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).status, 200);
    assert_eq!(world.open(1).text("auth_method"), "passport_rs256");
    assert_eq!(world.rows.sellers[&wallet(1)].subject, "sub-1");
}

//
#[test]
pub fn a_bond_opens_one_session_which_is_told_again_for_minutes_without_the_renewal_token() {
    let (mut world, told, receipt) = asked();
    let lost = show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt);
    let token = lost.text("seller_renewal_token");
    // In whatever letters.
    world.now += 299_000;
    let upper = HASH.to_uppercase().replace("0X", "0x");
    let again = show(&mut world, 1, &proof("agent-1", &told, &upper), &Value::Null);
    assert_eq!((again.status, again.body.get("seller_renewal_token")), (200, None));
    assert_eq!(again.text("seller_session_token"), lost.text("seller_session_token"));
    assert_eq!(again.text("expires_at"), lost.text("expires_at"));
    world.sessions.insert(1, again.text("seller_session_token"));
    assert_eq!(world.beat(1).status, 200);
    world.now += 1_001;
    let used = (403, "SELLER_BOND_CHALLENGE_INVALID");
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).code(), used);
    assert_eq!(world.beat(1).status, 200, "what it opened goes on");
    let renews = json!({"passport_agent_id": "agent-1", "seller_renewal_token": token});
    assert_eq!(show(&mut world, 1, &renews, &Value::Null).status, 200);
}

#[test]
pub fn another_bond_ends_what_an_earlier_one_would_be_told_again() {
    let (mut world, told, receipt) = asked();
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).status, 200);
    let other = challenge(&mut world, "10.0.0.1", 1, "agent-2");
    let fresh = HASH.replace('2', "3");
    let second = self::receipt(&wallet(1), &wallet(66), &other.text("amount_atomic"), 102);
    let second: Value = serde_json::from_str(&second.to_string().replace(HASH, &fresh)).unwrap();
    assert_eq!(show(&mut world, 1, &proof("agent-2", &other, &fresh), &second).status, 200);
    let used = (403, "SELLER_BOND_CHALLENGE_INVALID");
    assert_eq!(show(&mut world, 1, &proof("agent-1", &told, HASH), &receipt).code(), used);
}

//
#[test]
pub fn a_wallet_that_money_is_paid_to_takes_no_bonds() {
    let set = settings(HoldKind::Escrow, Profile::LiveTestnet);
    let bonds = Address::parse(&ESCROW.to_lowercase()).unwrap();
    let shared = Gateway::new(ProfileSettings { bonds, ..set });
    assert_eq!(shared.err(), Some(SettingsError::Bonds));
    // Nor does it sell: with this hold a seller is paid by buyers.
    let told = World::of(HoldKind::Completion).register(66, json!({}));
    assert_eq!((told.status, told.text("code").as_str()), (400, "INVALID_REQUEST"));
}
