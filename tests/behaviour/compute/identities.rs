//! Identities beside bonds: a bond tells that a wallet paid, an identity whose the wallet is.

use serde_json::{Value, json};

use super::bonds::{SIGNS, bind, challenge, show, signed_challenge};
use super::world::{Told, World, wallet};

const REVOKED: (u32, &str) = (403, "SELLER_SESSION_INVALID");

/// A seller that a stranger has bound in the name of this agent, by a transfer that the wallet made for
/// something else, and the stranger's renewal token.
fn taken_over(agent: &str) -> (World, String) {
    let mut world = World::new();
    world.register(1, json!({}));
    let theirs = challenge(&mut world, "10.9.9.9", 1, agent);
    let token = bind(&mut world, 1, agent, &theirs, 101).text("seller_renewal_token");
    assert!(token.starts_with("qdr_"), "{token}");
    (world, token)
}

fn renew(world: &mut World, number: u8, agent: &str, token: &str) -> Told {
    let more = json!({"passport_agent_id": agent, "seller_renewal_token": token});
    show(world, number, &more, &Value::Null)
}

//
#[test]
fn an_identity_takes_its_seller_from_whoever_had_a_bond_paid() {
    for agent in ["x", "agent-1"] {
        let (mut world, token) = taken_over(agent);
        let theirs = world.sessions[&1].clone();
        let opened = world.open(1);
        assert_eq!((opened.status, opened.text("auth_method")), (200, "passport_rs256".into()));
        let own = world.sessions.insert(1, theirs).unwrap();
        assert_eq!(world.beat(1).code(), REVOKED, "{agent}");
        for agent in ["x", "agent-1"] {
            let renewed = renew(&mut world, 1, agent, &token);
            assert_eq!(renewed.code(), (403, "PASSPORT_AUTH_REQUIRED"), "{agent}");
        }
        // Its own session goes on beside another one of its identity.
        assert_eq!(world.open(1).status, 200);
        world.sessions.insert(1, own);
        assert_eq!(world.beat(1).status, 200, "{agent}");
        let row = &world.rows.sellers[&wallet(1)];
        assert_eq!((row.agent.as_str(), row.subject.as_str()), ("agent-1", "sub-1"));
    }
}

//
#[test]
fn what_a_stranger_shared_with_an_identity_before_ends_with_its_next_session() {
    let (mut world, token) = taken_over("agent-1");
    let kept = world.rows.sellers[&wallet(1)].renewal.clone();
    assert_eq!(world.open(1).status, 200);
    // As a version of before has left it.
    world.rows.sellers.get_mut(&wallet(1)).unwrap().renewal = kept;
    let own = world.sessions[&1].clone();
    let shared = renew(&mut world, 1, "agent-1", &token);
    assert_eq!(shared.status, 200);
    assert_eq!(world.open(1).status, 200);
    let last = world.sessions.insert(1, shared.text("seller_session_token")).unwrap();
    assert_eq!(world.beat(1).code(), REVOKED);
    assert_eq!(renew(&mut world, 1, "agent-1", &token).code(), (403, "PASSPORT_AUTH_REQUIRED"));
    for (session, status) in [(own, 403), (last, 200)] {
        world.sessions.insert(1, session);
        assert_eq!(world.beat(1).status, status);
    }
}

//
#[test]
fn an_identity_takes_back_what_a_stranger_bound_though_the_wallet_has_signed_since() {
    let mut world = World::new();
    world.register(SIGNS, json!({}));
    let theirs = challenge(&mut world, "10.9.9.9", SIGNS, "x");
    let bound = bind(&mut world, SIGNS, "x", &theirs, 101);
    let session = world.sessions.remove(&SIGNS).unwrap();
    // It has asked for a bond, and not paid it.
    assert_eq!(signed_challenge(&mut world, "agent-9", |text| text).status, 200);
    assert!(world.rows.sellers[&wallet(SIGNS)].signs);
    assert_eq!(world.open(SIGNS).status, 200);
    world.sessions.insert(SIGNS, session);
    assert_eq!(world.beat(SIGNS).code(), REVOKED);
    let token = bound.text("seller_renewal_token");
    assert_eq!(renew(&mut world, SIGNS, "x", &token).status, 403);
}

//
#[test]
fn who_had_an_identity_is_bound_by_no_stranger_after_a_bond_of_its_own() {
    let mut world = World::new();
    world.register(1, json!({}));
    let theirs = challenge(&mut world, "10.9.9.9", 1, "x");
    assert_eq!(world.open(1).status, 200);
    let own = challenge(&mut world, "10.0.0.1", 1, "agent-2");
    let bound = bind(&mut world, 1, "agent-2", &own, 102);
    assert_eq!(bound.status, 200);
    let stolen = bind(&mut world, 1, "x", &theirs, 103);
    assert_eq!(stolen.code(), (403, "SELLER_BOND_CHALLENGE_INVALID"));
    assert_eq!(world.beat(1).status, 200);
    let session = world.sessions.remove(&1).unwrap();
    for agent in ["x", "agent-2"] {
        let told = challenge(&mut world, "10.9.9.9", 1, agent);
        assert_eq!(told.text("status"), "already_verified", "{agent}");
    }
    let token = bound.text("seller_renewal_token");
    assert_eq!(renew(&mut world, 1, "agent-2", &token).status, 200);
    // Its identity takes it back, whatever the bond has named.
    assert_eq!(world.open(1).status, 200);
    world.sessions.insert(1, session);
    assert_eq!(world.beat(1).code(), REVOKED);
}
